"""Parsers for what a card holds. Any bytes give a value or CardProtocolError, in time and memory bound by their length.

Layouts: facts of public card surveys (JICSAP 1.1 file structure, BER-TLV with two-byte tags).
"""

import hashlib
import struct
from dataclasses import dataclass
from datetime import date, timedelta, timezone

from hardware.card.errors import CardProtocolError
from hardware.card.jp2 import Jp2Error, picture_size

MAX_CERTIFICATE = 8 * 1024
"""Bytes; certificates on cards have 1-2 KB."""
MAX_RECORD = 0x7FFF
"""Bytes; READ BINARY offsets have 15 bits."""

_JAPAN = timezone(timedelta(hours=9))
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Tlv:
    """One data object; ``raw`` is its whole encoding."""

    tag: int
    value: bytes
    raw: bytes

    def __repr__(self) -> str:
        return f"Tlv(tag={self.tag:X}, {len(self.value)} bytes)"


@dataclass(frozen=True)
class CardFace:
    """What the card-face application shows of its holder; kept in memory only, and printed nowhere."""

    photo_jp2: bytes | None
    """JPEG 2000, grey; None on a card without photo."""
    expires: date
    birth_date: date
    sex: int
    """1 male, 2 female, 3 not stated (9 on the card)."""
    name_png: bytes
    address_png: bytes
    signature_valid: bool = False
    """The record's signature (DF28) is right under the key that the card's own certificate names."""

    def __repr__(self) -> str:
        return "CardFace(...)"


@dataclass(frozen=True)
class SignedRecord:
    """A face record with what its signature covers: three groups, each hashed on its own."""

    face: CardFace
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


def certificate_expiry(der: bytes) -> date:
    """Return the last day, in Japan, on which an X.509 certificate is valid."""
    # Only here: a terminal is ready for a card without it.
    from asn1crypto import x509

    try:
        # Not by cryptography: it warns on stderr of a serial number that is not positive, which any bytes may hold.
        certificate = x509.Certificate.load(der, strict=True)
        end = certificate["tbs_certificate"]["validity"]["not_after"].native
        return end.astimezone(_JAPAN).date()  # type: ignore[no-any-return]
    except (ValueError, TypeError, OverflowError, AttributeError):
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
    """Parse file 0002 of the card-face application: FF20 { DF21 offsets, DF22 .. DF2A }."""
    outer = tlv_items(record)
    if len(outer) != 1 or outer[0].tag != 0xFF20:
        raise CardProtocolError("the face record is not one object FF20")
    items = tlv_items(outer[0].value)
    fields = {item.tag: item for item in items}
    if len(fields) != len(items):
        raise CardProtocolError("a field of the face record occurs twice")
    missing = {0xDF22, 0xDF23, 0xDF24, 0xDF25, 0xDF26, 0xDF28, 0xDF29} - set(fields)
    if missing:
        raise CardProtocolError(f"the face record lacks {min(missing):X}")
    photo = fields[0xDF27].value if 0xDF27 in fields else b""
    if photo:
        photo_size(photo)
    face = CardFace(
        photo_jp2=photo or None,
        expires=_date(fields[0xDF29].value),
        birth_date=_date(fields[0xDF22].value),
        sex=_sex(fields[0xDF23].value),
        name_png=_small_png(fields[0xDF25].value),
        address_png=_small_png(fields[0xDF26].value),
    )
    groups = ((0xDF22, 0xDF23, 0xDF24), (0xDF25, 0xDF26), (0xDF27,))
    digests = b"".join(
        hashlib.sha256(b"".join(fields[tag].raw for tag in group if tag in fields)).digest()
        for group in groups
    )
    return SignedRecord(face, fields[0xDF28].value, digests)


def certified_key(certificate: bytes) -> tuple[int, int]:
    """Return exponent and modulus of the key in a card-verifiable certificate (file 0004, 7F21)."""
    outer = tlv_items(certificate)
    if len(outer) != 1 or outer[0].tag != 0x7F21:
        raise CardProtocolError("the card-verifiable certificate is not one object 7F21")
    body = next((item.value for item in tlv_items(outer[0].value) if item.tag == 0x5F4E), b"")
    # Two key names of 16 bytes, then the public key.
    return public_key(body[32:])


def public_key(encoded: bytes) -> tuple[int, int]:
    """Return exponent and modulus of a card's RSA public key: 90 exponent, 91 modulus; 1024 to 4096 bits."""
    parts = {item.tag: int.from_bytes(item.value) for item in tlv_items(encoded, 2)}
    exponent, modulus = parts.get(0x90, 0), parts.get(0x91, 0)
    if not (3 <= exponent < 1 << 32 and exponent % 2 and 1024 <= modulus.bit_length() <= 4096):
        raise CardProtocolError("the public key is not one")
    return exponent, modulus


def photo_size(jp2: bytes) -> tuple[int, int]:
    """Return width and height in px of a JPEG 2000 photo, without decoding it; refuses what jp2.py refuses."""
    try:
        return picture_size(jp2)
    except Jp2Error as error:
        raise CardProtocolError(f"the photo {error}") from None


def _small_png(png: bytes) -> bytes:
    if png and not (png.startswith(_PNG_SIGNATURE) and len(png) > 24 and png[12:16] == b"IHDR"):
        raise CardProtocolError("a text image is not PNG")
    if png and max(struct.unpack(">II", png[16:24])) > 4096:
        raise CardProtocolError("a text image claims to be huge")
    return png


def _date(digits: bytes) -> date:
    if len(digits) != 8 or not digits.isdigit():
        raise CardProtocolError("a date is not YYYYMMDD")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise CardProtocolError("a date is not in the calendar") from None


def _sex(code: bytes) -> int:
    try:
        return {b"1": 1, b"2": 2, b"9": 3}[code]
    except KeyError:
        raise CardProtocolError("the sex code is unknown") from None
