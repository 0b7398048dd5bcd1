"""What is written on a virtual My Number card, and the byte layout of its files."""

import hashlib
import struct
from dataclasses import dataclass, field
from datetime import date

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from config.person import CardGeneration, CardKind, Person
from hardware.card import match_code_b
from hardware.simulation.virtual_card.files import padded_as_given
from hardware.simulation.virtual_card.lettering import lettering

MAX_PHOTO = 24 * 1024
"""Bytes; a card photo has about 5 KB, and its record has to stay below 32 KB."""


@dataclass(frozen=True)
class CardCredentials:
    """Certificates (DER) and private keys (PEM, unencrypted) of one card, as an issuer makes them."""

    certificate: bytes
    """User-authentication certificate (利用者証明用)."""
    private_key_pem: bytes = field(repr=False)
    ca_certificate: bytes
    signature_certificate: bytes = b""
    """署名用; empty for holders under 15, who have none."""
    signature_private_key_pem: bytes = field(default=b"", repr=False)
    signature_ca_certificate: bytes = b""
    face_key_pem: bytes = field(default=b"", repr=False)
    """The municipality's key, which signs the card-face record; empty: ``private_key_pem`` stands in."""
    chip_key_pem: bytes = field(default=b"", repr=False)
    """The card's own key, which proves that the chip is present; empty: ``face_key_pem`` stands in."""
    card_authority_pem: bytes = field(default=b"", repr=False)
    """Signs the certificate over the municipality's key; empty: that key does so itself, and nobody believes it."""
    card_authority_id: bytes = b"9000023\x08\x05001\0\0\0\0"
    """Names the authority's key: 7 digits, 08 05, 3 digits, 4 bytes."""


@dataclass(frozen=True)
class CardContents:
    """One card: holder, PINs, credentials. Nothing of it is shown by repr."""

    credentials: CardCredentials = field(repr=False)
    expires: date = field(repr=False)
    birth_date: date = field(repr=False)
    kind: CardKind = "standard"
    generation: CardGeneration = "current"
    foreign_resident: bool = False
    """照合番号B has the year of birth of the common era."""
    pin: str = field(default="1234", repr=False)
    pin_tries_left: int = 3
    signature_password: str = field(default="ABC123", repr=False)
    security_code: str = field(default="2285", repr=False)
    photo_jp2: bytes = field(default=b"", repr=False)
    name: str = field(default="", repr=False)
    address: str = field(default="", repr=False)
    sex: int = field(default=3, repr=False)
    """1 male, 2 female, 3 not stated."""
    my_number: str = field(default="000000000000", repr=False)
    """照合番号A. No terminal of ours reads it; the default is no valid number."""

    def __post_init__(self) -> None:
        if len(self.photo_jp2) > MAX_PHOTO:
            raise ValueError(f"the photo has {len(self.photo_jp2)} bytes; a card holds at most {MAX_PHOTO}")

    @property
    def match_code_b(self) -> str:
        """Return 照合番号B, which opens the photo."""
        return match_code_b(self.birth_date, self.expires, self.security_code, western=self.foreign_resident)


def card_contents(person: Person, credentials: CardCredentials, photo_jp2: bytes) -> CardContents:
    """Return what stands on a person's card; ``photo_jp2`` is empty for a card without photo."""
    card = person.card
    return CardContents(
        credentials=credentials,
        expires=card.expires,
        birth_date=person.birth_date,
        kind=card.kind,
        generation=card.generation,
        foreign_resident=card.foreign_resident,
        pin=card.pin,
        pin_tries_left=card.pin_tries_left,
        security_code=card.security_code,
        photo_jp2=b"" if card.kind == "no-photo" else photo_jp2,
        name=person.name,
        address=person.address,
        sex=person.sex,
    )


def private_key(pem: bytes) -> RSAPrivateKey:
    """Load an RSA-2048 key; it was made by ourselves, so that the slow check of its numbers is left out."""
    key = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey) or key.key_size != 2048:
        raise ValueError("a card key is RSA with 2048 bits")
    return key


def signing_key(pem: bytes) -> RSAPrivateKey | EllipticCurvePrivateKey:
    """Load the key of a certificate: RSA-2048, or P-384 on a card of the next generation."""
    key = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    return key if isinstance(key, EllipticCurvePrivateKey) else private_key(pem)


def tlv(tag: int, value: bytes) -> bytes:
    """Encode a data object with the shortest length form; tags of one or two bytes."""
    size = len(value)
    length = bytes([size]) if size < 0x80 else b"\x81" + bytes([size]) if size < 0x100 else b""
    return tag.to_bytes(2 if tag > 0xFF else 1) + (length or b"\x82" + size.to_bytes(2)) + value


def with_offsets(tag: int, table: int, objects: list[bytes]) -> bytes:
    """Encode a file that begins with a table of where its objects begin, in bytes from the file's start."""
    room = len(tlv(table, bytes(2 * len(objects))))
    body = b"".join(objects)
    # The outer header's own length depends on the size of the body.
    start = len(tlv(tag, bytes(room) + body)) - len(body)
    offsets = []
    for item in objects:
        offsets.append(start)
        start += len(item)
    return tlv(tag, tlv(table, struct.pack(f">{len(objects)}H", *offsets)) + body)


def token_info(label: str) -> bytes:
    """File 0006: a CK_TOKEN_INFO of 160 bytes, numbers of 32 bits in big-endian order."""
    text = label.ljust(32) + "JPKI".ljust(32) + "JPKI".ljust(16) + "00000000".ljust(16)
    numbers = (0x0000040D, 0, 0, 0, 0, 16, 4, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    return text.encode("ascii") + struct.pack(">11I", *numbers) + b"0301" + b" " * 16


def encoded_key(key: RSAPublicKey) -> bytes:
    """Encode a public key as cards do: 90 exponent, 91 modulus."""
    numbers = key.public_numbers()
    return tlv(0x90, numbers.e.to_bytes(3)) + tlv(0x91, numbers.n.to_bytes(256))


def card_verifiable_certificate(
    key: RSAPrivateKey,
    authority: RSAPrivateKey | None = None,
    authority_id: bytes = b"9000000\x08\x05000\0\0\0\0",
) -> bytes:
    """File 0004: 7F21 with two key names and the issuer's key, signed by its authority; without one by itself."""
    body = authority_id + b"9000001\x08\x05000\0\0\0\0" + encoded_key(key.public_key())
    return tlv(0x7F21, tlv(0x5F4E, body) + tlv(0x5F37, _signed(authority or key, body)))


def face_record(contents: CardContents, key: RSAPrivateKey, chip: RSAPrivateKey | None = None) -> bytes:
    """File 0002 of the card-face application; DF28 covers DF22-24, DF25-26 and DF27, each hashed on its own.

    ``key`` is the issuer's; ``chip`` the card's own, without which the issuer's stands in.
    """
    about = [
        tlv(0xDF22, _digits(contents.birth_date)),
        tlv(0xDF23, _sex(contents.sex)),
        tlv(0xDF24, encoded_key((chip or key).public_key())),
    ]
    texts = [tlv(0xDF25, lettering(contents.name)), tlv(0xDF26, lettering(contents.address))]
    photo = [tlv(0xDF27, contents.photo_jp2)] if contents.photo_jp2 else []
    digests = b"".join(hashlib.sha256(b"".join(group)).digest() for group in (about, texts, photo))
    rest = [
        tlv(0xDF28, signed_digests(key, digests)),
        tlv(0xDF29, _digits(contents.expires)),
        tlv(0xDF2A, lettering(contents.security_code)),
    ]
    return with_offsets(0xFF20, 0xDF21, about + texts + photo + rest)


def age_record(contents: CardContents, key: RSAPrivateKey, chip: RSAPrivateKey | None = None) -> bytes:
    """File 0001 of the card-face application, opened by the birth date."""
    public_key = encoded_key((chip or key).public_key())
    body = tlv(0xDF11, _digits(contents.birth_date)) + tlv(0xDF12, public_key)
    return tlv(0xFF10, body + tlv(0xDF13, _signed(key, body)))


def number_image(contents: CardContents, key: RSAPrivateKey, chip: RSAPrivateKey | None = None) -> bytes:
    """File 0005 of the card-face application: the number as printed, opened by 照合番号A."""
    public_key = encoded_key((chip or key).public_key())
    body = tlv(0xDF41, lettering(contents.my_number)) + tlv(0xDF42, public_key)
    return tlv(0xFF40, body + tlv(0xDF43, _signed(key, body)))


def text_number(contents: CardContents) -> bytes:
    """File 0001 of the card-text application; two bytes of filler are part of the 17 that it has."""
    return tlv(0xFF10, contents.my_number.encode("ascii")) + b"\xff\xff"


def text_record(contents: CardContents) -> bytes:
    """File 0002 of the card-text application: the four attributes."""
    attributes = [
        tlv(0xDF22, contents.name.encode()),
        tlv(0xDF23, contents.address.encode()),
        tlv(0xDF24, _digits(contents.birth_date)),
        tlv(0xDF25, _sex(contents.sex)),
    ]
    return with_offsets(0xFF20, 0xDF21, attributes)


def text_signature(contents: CardContents, key: RSAPrivateKey) -> bytes:
    """File 0003 of the card-text application: hashes of the number and of the attributes, signed."""
    hashed = [hashlib.sha256(file).digest() for file in (text_number(contents), text_record(contents))]
    body = tlv(0xDF31, hashed[0]) + tlv(0xDF32, hashed[1])
    return tlv(0xFF30, body + tlv(0xDF33, _signed(key, body)))


def card_info(contents: CardContents) -> bytes:
    """Record 1 of the common application: serial number, municipality, expiry; 28 digits."""
    return b"\x01\x1c" + b"9" * 15 + b"13101" + _digits(contents.expires)


def signed_digests(key: RSAPrivateKey, digests: bytes) -> bytes:
    """Sign as the card-face record is signed: one DigestInfo for SHA-256 that holds three digests, 96 bytes."""
    inner = bytes.fromhex("300D06096086480165030402010500") + b"\x04" + bytes([len(digests)]) + digests
    return padded_as_given(key, b"\x30" + bytes([len(inner)]) + inner)


def _signed(key: RSAPrivateKey, data: bytes) -> bytes:
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _digits(day: date) -> bytes:
    return f"{day:%Y%m%d}".encode("ascii")


def _sex(code: int) -> bytes:
    return b"129"[code - 1 : code]
