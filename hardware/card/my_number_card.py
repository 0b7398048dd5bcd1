"""The My Number card as a reception terminal sees it: who it certifies, its PIN, its signature, its photo."""

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from hardware.card.channel import CardChannel
from hardware.card.errors import (
    CardProtocolError,
    CardSwapped,
    CardUnreadable,
    MatchCodeWrong,
    PinBlocked,
    PinWrong,
    WrongCard,
    WrongCardKind,
)
from hardware.card.link import BLOCKED, NO_FILE, OK, CardLink, CardResponse
from hardware.card.records import (
    MAX_CERTIFICATE,
    MAX_RECORD,
    CardFace,
    SignedRecord,
    certificate_expiry,
    certificate_size,
    certified_key,
    face_record,
    token_label,
)

JPKI = bytes.fromhex("D392F000260100000001")
"""公的個人認証AP."""
CARD_FACE = bytes.fromhex("D3921000310001010402")
"""券面事項確認AP."""
SHA256_DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")
"""What PKCS #1 v1.5 puts before a SHA-256 digest."""

# File ids within the applications; all are below 1F, so that commands can name them without a SELECT.
TOKEN_INFO, CERTIFICATE, KEY, PIN = 0x06, 0x0A, 0x17, 0x18
SIGNATURE_CERTIFICATE, SIGNATURE_KEY, SIGNATURE_PASSWORD = 0x01, 0x1A, 0x1B
FACE_RECORD, FACE_CERTIFICATE, MATCH_CODE_B = 0x02, 0x04, 0x12

Medium = Literal["card", "android", "ios"]
MEDIA: dict[str, Medium] = {"JPKIAPICCTOKEN2": "card", "JPKIAPGPSETOKEN": "android", "JPKIAPIOSTOKEN": "ios"}
"""Token label to medium; the card of before 2016 (住基カード) is JPKIAPICCTOKEN."""

_SERIAL_WITHIN = 64
"""Bytes at the start of a certificate that hold its serial number."""

_ERAS = (
    (date(2019, 5, 1), 2019),
    (date(1989, 1, 8), 1989),
    (date(1926, 12, 25), 1926),
    (date(1912, 7, 30), 1912),
)


@dataclass(frozen=True)
class CardFacts:
    """What one first look at the card tells; no personal attribute of its holder."""

    medium: Medium
    certificate: bytes
    """User-authentication certificate, DER; empty on an Android phone, which gives it after the PIN only."""
    pin_tries_left: int | None
    """None: the card has no PIN (顔認証マイナンバーカード), or the phone asks for it itself (iPhone)."""
    certificate_expires: date | None = None
    """Last day of the certificate; None while there is no certificate."""
    card_expires: date | None = None
    """Last day of the card itself; None until its face record was read."""


class MyNumberCard:
    """A My Number card, or a phone holding its certificate, on an open channel; for one thread at a time.

    Every method raises CardRemovedError or ReaderError when the connection breaks; nothing is ever repeated then.
    """

    def __init__(self, channel: CardChannel) -> None:
        self._link = CardLink(channel)
        self._selected = b""
        self._certificate = b""
        self._pin_reference = 0x80 | PIN
        self._verified = False

    def read(self) -> CardFacts:
        """Take the first look. Raises WrongCard for any other card, CardUnreadable for one left half-used."""
        status = self._link.select_application(JPKI)
        if status != OK:
            raise WrongCard(self._foreign_kind(status))
        self._selected = JPKI
        medium = self._medium()
        certificate = b"" if medium == "android" else self.read_certificate()
        expires = certificate_expiry(certificate) if certificate else None
        return CardFacts(medium, certificate, self.pin_tries_left(), expires)

    def read_certificate(self) -> bytes:
        """Read the user-authentication certificate (DER). On an Android phone: after verify_pin only."""
        self._select_jpki()
        head = self._link.read_block(CERTIFICATE).ok("certificate")
        size = certificate_size(head)
        rest = self._link.read_rest(head, size, "certificate")
        if self._certificate and rest != self._certificate:
            raise CardSwapped("another card is in the reader")
        self._certificate = rest
        return rest

    def pin_tries_left(self) -> int | None:
        """Ask how many PIN tries are left, which costs none; None when the card has no PIN, 0 when it is blocked."""
        self._select_jpki()
        answer = self._link.send(0x00, 0x20, 0x00, self._pin_reference)
        if answer.status not in (OK, *BLOCKED) and answer.status >> 4 != 0x63C:
            # Refused by short file id: ask the way that every card knows, if it still is the same card.
            self.confirm()
            selected = self._link.send(0x00, 0xA4, 0x02, 0x0C, PIN.to_bytes(2))
            if selected.status == NO_FILE:
                return None
            selected.ok("PIN file")
            self._pin_reference = 0x80
            answer = self._link.send(0x00, 0x20, 0x00, self._pin_reference)
        if answer.status == OK and not self._verified:
            raise CardUnreadable("a PIN is still verified from an earlier use; the card needs a power-off")
        return _tries(answer, "PIN tries")

    def verify_pin(self, pin: bytearray) -> None:
        """Have the card check a PIN of 4 digits; our copies are wiped, the caller wipes ``pin``.

        The certificate is looked at before, so that no other card ever gets the PIN, and the tries are asked for;
        nothing is sent at 0. Raises PinWrong, PinBlocked.
        """
        if len(pin) != 4 or not pin.isdigit():
            raise ValueError("a PIN has 4 digits")
        self._select_jpki()
        self._look_again()
        match self.pin_tries_left():
            case None:
                raise CardProtocolError("this card has no PIN")
            case 0:
                raise PinBlocked("no PIN try is left")
        status = self._link.send(0x00, 0x20, 0x00, self._pin_reference, pin).status
        match status:
            case 0x9000:
                self._verified = True
            case 0x63C0 | 0x6983 | 0x6984:
                raise PinBlocked("no PIN try is left")
            case _ if status >> 4 == 0x63C:
                raise PinWrong(status & 0xF)
            case _:
                self.confirm()
                raise CardProtocolError("PIN", status)

    def sign(self, message: bytes) -> bytes:
        """Sign a message with the user-authentication key: PKCS #1 v1.5 over SHA-256, 256 bytes.

        The certificate is looked at once more, because a card swapped quickly goes unnoticed by the reader.
        """
        self._select_jpki()
        digest_info = SHA256_DIGEST_INFO + hashlib.sha256(message).digest()
        answer = self._link.send(0x80, 0x2A, 0x00, 0x80 | KEY, digest_info, le=256)
        if answer.status != OK:
            self.confirm()
        signature = answer.ok("signature")
        if len(signature) != 256:
            raise CardProtocolError(f"the signature has {len(signature)} bytes")
        self._look_again()
        return signature

    def signing_tries_left(self) -> int:
        """Ask how many tries of the signature password (署名用) are left, which costs none; 0: locked, or none set."""
        self._select_jpki()
        return _tries(
            self._link.send(0x00, 0x20, 0x00, 0x80 | SIGNATURE_PASSWORD), "signature password tries"
        )

    def sign_as_holder(self, password: bytearray, message: bytes) -> tuple[bytes, bytes]:
        """Sign with the signature key (署名用): its certificate (DER), and PKCS #1 v1.5 over SHA-256, 256 bytes.

        ``password``: 6 to 16 capital letters and digits; our copies are wiped, the caller wipes it. The tries are asked
        for first, and nothing is sent at 0. Raises PinWrong, PinBlocked.
        """
        if not 6 <= len(password) <= 16 or not password.isalnum() or password.upper() != password:
            raise ValueError("a signature password has 6 to 16 capital letters and digits")
        self._select_jpki()
        self._look_again()
        if self.signing_tries_left() == 0:
            raise PinBlocked("no try of the signature password is left")
        status = self._link.send(0x00, 0x20, 0x00, 0x80 | SIGNATURE_PASSWORD, password).status
        match status:
            case 0x9000:
                self._verified = True
            case 0x63C0 | 0x6983 | 0x6984:
                raise PinBlocked("no try of the signature password is left")
            case _ if status >> 4 == 0x63C:
                raise PinWrong(status & 0xF)
            case _:
                self.confirm()
                raise CardProtocolError("signature password", status)
        head = self._link.read_block(SIGNATURE_CERTIFICATE).ok("signature certificate")
        certificate = self._link.read_rest(head, certificate_size(head), "signature certificate")
        digest_info = SHA256_DIGEST_INFO + hashlib.sha256(message).digest()
        answer = self._link.send(0x80, 0x2A, 0x00, 0x80 | SIGNATURE_KEY, digest_info, le=256)
        if answer.status != OK:
            self.confirm()
        return certificate, answer.ok("signature")

    def read_face(self, match_code_b: str) -> CardFace:
        """Read photo and expiry from the card-face application, opened by 照合番号B (14 digits).

        Raises MatchCodeWrong; asks for the tries first and sends nothing at 0.
        """
        if len(match_code_b) != 14 or not (match_code_b.isascii() and match_code_b.isdigit()):
            raise ValueError("a match code B has 14 digits")
        self._selected = b""
        status = self._link.select_application(CARD_FACE)
        if status != OK:
            raise CardProtocolError("card-face application", status)
        self._selected = CARD_FACE
        self._open_face(match_code_b)
        record = face_record(self._link.read_object(FACE_RECORD, MAX_RECORD, "face record"))
        certificate = self._link.read_object(FACE_CERTIFICATE, MAX_CERTIFICATE, "face certificate")
        if self._certificate:
            self._select_jpki()
        return replace(record.face, signature_valid=_signed_by(record, certificate))

    def confirm(self) -> None:
        """Raise CardSwapped unless the card in the reader is the one that was read.

        Also asked after a refusal that this card would not give: one swapped in quickly has nothing selected,
        and so refuses nearly everything.
        """
        self._selected = b""
        self._select_jpki()

    def _open_face(self, match_code_b: str) -> None:
        reference = 0x80 | MATCH_CODE_B
        tries = self._link.send(0x00, 0x20, 0x00, reference)
        if tries.status != 0x6300 and _tries(tries, "match code tries") == 0:
            raise MatchCodeWrong(0)
        status = self._link.send(0x00, 0x20, 0x00, reference, match_code_b.encode("ascii")).status
        if status in BLOCKED:
            raise MatchCodeWrong(0)
        if status >> 4 == 0x63C:
            raise MatchCodeWrong(status & 0xF)
        if status != OK:
            raise CardProtocolError("match code", status)

    def _medium(self) -> Medium:
        answer = self._link.read_block(TOKEN_INFO, 160)
        if answer.status == NO_FILE:
            raise WrongCard("other")
        label = token_label(answer.ok("token info"))
        if label == "JPKIAPICCTOKEN":
            raise WrongCard("juki")
        if label not in MEDIA:
            raise WrongCard("other")
        return MEDIA[label]

    def _select_jpki(self) -> None:
        """Make the JPKI application current; coming back to it, make sure that it is the same card's."""
        if self._selected == JPKI:
            return
        if self._link.select_application(JPKI) != OK:
            raise CardSwapped("the card in the reader is not the one from before")
        self._selected = JPKI
        if self._certificate:
            self._look_again()

    def _look_again(self) -> None:
        """Compare the certificate's first block, which holds its serial number, with the one read before."""
        if self._certificate:
            block = self._link.read_block(CERTIFICATE)
            shortest = min(_SERIAL_WITHIN, len(self._certificate))
            if (
                block.status != OK
                or len(block.data) < shortest
                or block.data[: len(self._certificate)] != self._certificate[: len(block.data)]
            ):
                raise CardSwapped("another card is in the reader")

    def _foreign_kind(self, status: int) -> WrongCardKind:
        """Tell what the card is from how it refuses, so that the patient reads the right words."""
        if status in (0x6A81, 0x6D00, 0x6E00):
            return "transit"
        if self._link.send(0x00, 0xA4, 0x04, 0x00, b"2PAY.SYS.DDF01", le=256).status == OK:
            return "payment"
        return "other"


def match_code_b(birth_date: date, expires: date, security_code: str) -> str:
    """Return 照合番号B, 14 digits: birth date YYMMDD in the Japanese era, year of expiry, security code of the card."""
    for begin, first_year in _ERAS:
        if birth_date >= begin:
            era_year = birth_date.year - first_year + 1
            return f"{era_year:02}{birth_date:%m%d}{expires.year:04}{security_code}"
    return f"{birth_date.year - 1867:02}{birth_date:%m%d}{expires.year:04}{security_code}"


def _tries(answer: CardResponse, what: str) -> int:
    if answer.status in BLOCKED:
        return 0
    if answer.status >> 4 == 0x63C:
        return answer.status & 0xF
    raise CardProtocolError(what, answer.status)


def _signed_by(record: SignedRecord, certificate: bytes) -> bool:
    """Check PKCS #1 v1.5 with SHA-256 over the record's three digests, by the key of the card's certificate."""
    try:
        exponent, modulus = certified_key(certificate)
    except CardProtocolError:
        return False
    size = (modulus.bit_length() + 7) // 8
    digest_info = SHA256_DIGEST_INFO + hashlib.sha256(record.digests).digest()
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(digest_info)) + b"\x00" + digest_info
    if len(record.signature) != size:
        return False
    return pow(int.from_bytes(record.signature), exponent, modulus) == int.from_bytes(padded)
