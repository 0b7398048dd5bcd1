"""Parsers for what a card holds. Any bytes give a value or CardProtocolError, in time and memory bound by their length.

Layouts: facts of public card surveys (JICSAP 1.1 file structure, BER-TLV with two-byte tags).
"""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta, timezone

from hardware.card.errors import CardProtocolError
from hardware.card.jp2 import Jp2Error, picture_size

MAX_CERTIFICATE = 8 * 1024
"""Bytes; certificates on cards have 1-2 KB."""
MAX_RECORD = 0x7FFF
"""Bytes; READ BINARY offsets have 15 bits."""

_JAPAN = timezone(timedelta(hours=9))


@dataclass(frozen=True)
class Tlv:
    """One data object; ``raw`` is its whole encoding."""

    tag: int
    value: bytes
    raw: bytes

    def __repr__(self) -> str:
        return f"Tlv(tag={self.tag:X}, {len(self.value)} bytes)"


@dataclass(frozen=True)
class RsaKey:
    """The public half of an RSA key."""

    exponent: int
    modulus: int


@dataclass(frozen=True)
class CardVerifiableCertificate:
    """File 0004: who signs this card's records, by whose word. It has no dates."""

    authority_id: bytes
    """16 bytes that name the authority's key (証明者鍵ID)."""
    issuer_id: bytes
    """16 bytes that name the certified key (被証明者鍵ID): a municipality's."""
    key: RsaKey
    body: bytes
    """What the signature covers."""
    signature: bytes


@dataclass(frozen=True)
class CardFace:
    """What is used of the card-face application; kept in memory only, and printed nowhere."""

    photo_jp2: bytes | None
    """JPEG 2000, as a file or a bare codestream; None on a card without photo."""
    expires: date | None
    """Last day of the card; None where what stands there is no day. No signature covers it."""
    birth_date: str
    """Eight digits, YYYYMMDD; a month or day that nobody knows is 00. Empty where it is nothing of the kind."""

    def __repr__(self) -> str:
        return "CardFace(...)"


@dataclass(frozen=True)
class SignedRecord:
    """A face record with what its signature covers: three groups, each hashed on its own."""

    face: CardFace
    chip_key: RsaKey | None
    """DF24, by which the chip is known; None where it is no key."""
    signature: bytes
    digests: bytes
    """SHA-256 of DF22-24, of DF25-26 and of DF27 in a row, 96 bytes; the signature is over these."""

    def __repr__(self) -> str:
        return "SignedRecord(...)"


def tlv_size(head: bytes) -> int:
    """Return the whole size in bytes of the data object that begins with ``head``."""
    _, start, length = _header(head, 0)
    return start + length


def tlv_items(data: bytes, limit: int = 64) -> list[Tlv]:
    """Return the data objects that fill ``data`` one after another; filler bytes FF or 00 may follow them."""
    items: list[Tlv] = []
    at = 0
    while at < len(data):
        if data[at] in (0x00, 0xFF) and not data[at:].strip(data[at : at + 1]):
            break
        tag, start, length = _header(data, at)
        if start + length > len(data):
            raise CardProtocolError("a data object is longer than its file")
        if len(items) == limit:
            raise CardProtocolError("too many data objects")
        items.append(Tlv(tag, data[start : start + length], data[at : start + length]))
        at = start + length
    return items


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """Return tag, start of the value and its length."""
    try:
        tag = data[at]
        at += 1
        if tag & 0x1F == 0x1F:
            if data[at] & 0x80:
                raise CardProtocolError("a tag is longer than two bytes")
            tag = tag << 8 | data[at]
            at += 1
        length = data[at]
        at += 1
        if length in (0x81, 0x82):
            width = length - 0x80
            length = int.from_bytes(data[at : at + width])
            if at + width > len(data):
                raise IndexError
            at += width
        elif length > 0x7F:
            raise CardProtocolError("a length is neither short nor of one or two bytes")
    except IndexError:
        raise CardProtocolError("a data object ends in its header") from None
    return tag, at, length


def certificate_size(head: bytes) -> int:
    """Return the size in bytes of the DER certificate that begins with ``head``; refuses one over 8 KB."""
    if head[:1] != b"\x30":
        raise CardProtocolError("the certificate is not DER")
    size = tlv_size(head)
    if not 16 <= size <= MAX_CERTIFICATE:
        raise CardProtocolError(f"the certificate claims to have {size} bytes")
    return size


@dataclass(frozen=True)
class CertificateFacts:
    """What a terminal must know of an X.509 certificate before it is used."""

    expires: date
    """Its last day, in Japan."""
    key: str
    """"RSA-2048", "P-384" and so on: the kind of key, with its size or curve."""
    public_key: bytes
    """SubjectPublicKeyInfo, DER."""
    begins: date


_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def certificate_facts(der: bytes) -> CertificateFacts:
    """Return what stands in an X.509 certificate; raises CardProtocolError for what is none."""
    # Only here: a terminal is ready for a card without it.
    from asn1crypto import x509

    try:
        # Not by cryptography: it warns on stderr of a serial number that is not positive, which any bytes may hold.
        certificate = x509.Certificate.load(der, strict=True)
        validity = certificate["tbs_certificate"]["validity"]
        begins, ends = (
            validity[name].native.astimezone(_JAPAN).date() for name in ("not_before", "not_after")
        )
        key = certificate.public_key
        if key.algorithm == "ec":
            kind = _CURVES.get(str(key.curve[1]), f"EC {key.curve[1]}")
        else:
            kind = f"{key.algorithm.upper()}-{key.bit_size}" if key.algorithm == "rsa" else str(key.algorithm)
        return CertificateFacts(ends, kind, key.dump(), begins)
    except (ValueError, TypeError, OverflowError, AttributeError, KeyError):
        raise CardProtocolError("the certificate is not X.509") from None


def token_label(info: bytes) -> str:
    """Return the label of the token info (file 0006, a big-endian CK_TOKEN_INFO of 160 bytes)."""
    if len(info) != 160:
        raise CardProtocolError(f"the token info has {len(info)} bytes, not 160")
    label = info[:32].rstrip(b" \0")
    if not label.isascii() or not label.decode("ascii").isalnum():
        raise CardProtocolError("the token label is not text")
    return label.decode("ascii")


def face_record(record: bytes) -> SignedRecord:
    """Parse file 0002 of the card-face application: FF20 { DF21 offsets, DF22 .. DF2A }.

    Only what a terminal uses is looked at; the rest may hold anything, as long as it is signed.
    """
    outer = tlv_items(record)
    if not outer or outer[0].tag != 0xFF20:
        raise CardProtocolError("the face record is not an object FF20")
    items = tlv_items(outer[0].value)
    fields = {item.tag: item for item in items}
    if len(fields) != len(items):
        raise CardProtocolError("a field of the face record occurs twice")

    def value(tag: int) -> bytes:
        return fields[tag].value if tag in fields else b""

    photo = value(0xDF27)
    if photo:
        photo_size(photo)
    birth_date = value(0xDF22)
    face = CardFace(
        photo_jp2=photo or None,
        expires=_date(value(0xDF29)),
        birth_date=birth_date.decode("ascii") if len(birth_date) == 8 and birth_date.isdigit() else "",
    )
    groups = ((0xDF22, 0xDF23, 0xDF24), (0xDF25, 0xDF26), (0xDF27,))
    digests = b"".join(
        hashlib.sha256(b"".join(fields[tag].raw for tag in group if tag in fields)).digest()
        for group in groups
    )
    try:
        chip_key = public_key(value(0xDF24))
    except CardProtocolError:
        chip_key = None
    return SignedRecord(face, chip_key, value(0xDF28), digests)


def card_verifiable_certificate(certificate: bytes) -> CardVerifiableCertificate:
    """Parse a card-verifiable certificate (file 0004): 7F21 { 5F4E body, 5F37 signature }."""
    outer = tlv_items(certificate)
    if not outer or outer[0].tag != 0x7F21:
        raise CardProtocolError("the card-verifiable certificate is not an object 7F21")
    parts = {item.tag: item.value for item in tlv_items(outer[0].value)}
    body = parts.get(0x5F4E, b"")
    # Two key names of 16 bytes, then the public key.
    return CardVerifiableCertificate(
        body[:16], body[16:32], public_key(body[32:]), body, parts.get(0x5F37, b"")
    )


def public_key(encoded: bytes) -> RsaKey:
    """Return a card's RSA public key: 90 exponent, 91 modulus; 1024 to 4096 bits."""
    parts = {item.tag: int.from_bytes(item.value) for item in tlv_items(encoded, 2)}
    exponent, modulus = parts.get(0x90, 0), parts.get(0x91, 0)
    if not (3 <= exponent < 1 << 32 and exponent % 2 and 1024 <= modulus.bit_length() <= 4096):
        raise CardProtocolError("the public key is not one")
    return RsaKey(exponent, modulus)


def photo_size(photo: bytes) -> tuple[int, int]:
    """Return width and height in px of a JPEG 2000 photo, without decoding it; refuses what jp2.py refuses."""
    try:
        return picture_size(photo)
    except Jp2Error as error:
        raise CardProtocolError(f"the photo {error}") from None


def _date(digits: bytes) -> date | None:
    if len(digits) != 8 or not digits.isdigit():
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
