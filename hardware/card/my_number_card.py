"""The My Number card as a reception terminal sees it: who it certifies, its PIN, its signature, its photo."""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal, TypeVar

from hardware.card.authenticity import CardAuthority, ChipProof, PhotoTrust, judge
from hardware.card.channel import CardChannel
from hardware.card.errors import (
    CardProtocolError,
    CardReset,
    CardSwapped,
    CardUnreadable,
    CertificateUnreadable,
    ExchangeLost,
    MatchCodeWrong,
    NoCertificate,
    PinBlocked,
    PinFateUnknown,
    PinWrong,
    UnknownGeneration,
    WrongCard,
    WrongCardKind,
)
from hardware.card.link import BLOCKED, NO_FILE, OK, SIGN, VERIFY, CardLink, CardResponse
from hardware.card.records import (
    MAX_CERTIFICATE,
    MAX_RECORD,
    CardFace,
    CertificateFacts,
    certificate_facts,
    certificate_size,
    face_record,
    token_label,
)

if TYPE_CHECKING:
    import config

T = TypeVar("T")

JPKI = bytes.fromhex("D392F000260100000001")
"""公的個人認証AP."""
CARD_FACE = bytes.fromhex("D3921000310001010402")
"""券面事項確認AP."""
SHA256_DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")
"""What PKCS #1 v1.5 puts before a SHA-256 digest."""

# File ids within the applications; all are below 1F, so that most cards let commands name them without a SELECT.
TOKEN_INFO, CERTIFICATES_THERE, CERTIFICATE, KEY, PIN = 0x06, 0x08, 0x0A, 0x17, 0x18
SIGNATURE_CERTIFICATE, SIGNATURE_KEY, SIGNATURE_PASSWORD = 0x01, 0x1A, 0x1B
TOKEN_INFO_BYTES = 160
FACE_RECORD, FACE_CERTIFICATE, MATCH_CODE_B = 0x02, 0x04, 0x12

Medium = Literal["card", "android", "ios"]
MEDIA: dict[str, Medium] = {"JPKIAPICCTOKEN2": "card", "JPKIAPGPSETOKEN": "android", "JPKIAPIOSTOKEN": "ios"}
"""Token label to medium; the card of before 2016 (住基カード) is JPKIAPICCTOKEN."""
OLD_CARD = "JPKIAPICCTOKEN"

RSA_2048, P_384 = "RSA-2048", "P-384"
USABLE_KEYS = (RSA_2048, P_384)

_SERIAL_WITHIN = 64
"""Bytes at the start of a certificate that hold its serial number."""
_CERTIFICATE_THERE = 0x8F

_ERAS = (
    (date(2019, 5, 1), 2019),
    (date(1989, 1, 8), 1989),
    (date(1926, 12, 25), 1926),
    (date(1912, 7, 30), 1912),
)


def _as_shipped() -> "config.Card":
    import config  # Only here: the face engine's process, which decodes photos, does without the settings.

    return config.Card()


@dataclass(frozen=True)
class CardRules:
    """What a terminal believes of cards, and on which day."""

    authorities: Sequence[CardAuthority] = ()
    """Whose word on a photo counts; none: no photo is believed."""
    today: date = date(2000, 1, 1)
    settings: "config.Card" = field(default_factory=_as_shipped)


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
    key: str = RSA_2048
    """The kind of the certified key: RSA-2048, or P-384 on cards of the next generation."""
    label: str = ""
    """What the JPKI application calls itself."""


class MyNumberCard:
    """A My Number card, or a phone holding its certificate, on an open channel; for one thread at a time.

    Every method raises CardRemovedError or ReaderError when the connection breaks. What a lost exchange or a reset
    has undone is done once more from its start; what carries a PIN or code never is.
    """

    def __init__(self, channel: CardChannel, rules: CardRules | None = None) -> None:
        self._link = CardLink(channel)
        self._rules = rules or CardRules()
        self._application = JPKI
        self._selected = b""
        self._certificate = b""
        self._facts: CertificateFacts | None = None
        self._verified = False

    @property
    def block_size(self) -> int:
        """Return the largest block that reader and card have not refused so far, in bytes."""
        return self._link.block_size

    def read(self) -> CardFacts:
        """Take the first look. Raises WrongCard for any other card, NoCertificate, CertificateUnreadable,
        UnknownGeneration, CardTrouble, and CardUnreadable for one left half-used.
        """
        return self._anew(self._first_look)

    def _first_look(self) -> CardFacts:
        self._select_first()
        label, medium = self._label_and_medium()
        certificate = b"" if medium == "android" else self._read_certificate()
        facts = self._facts
        tries = self._pin_tries_left()
        if facts is None:
            return CardFacts(medium, certificate, tries, label=label)
        return CardFacts(medium, certificate, tries, facts.expires, key=facts.key, label=label)

    def read_certificate(self) -> bytes:
        """Read the user-authentication certificate (DER). On an Android phone: after verify_pin only."""
        return self._anew(self._read_certificate)

    def _read_certificate(self) -> bytes:
        self._select_jpki()
        head = self._link.read_block(CERTIFICATE)
        if not _begins(head):
            # Perhaps the card was reset in silence, and has nothing selected.
            self.confirm()
            head = self._link.read_block(CERTIFICATE)
        if head.status == 0x6982:
            raise CardProtocolError("certificate", head.status)
        if not _begins(head):
            raise self._without_certificate(head)
        try:
            size = certificate_size(head.data)
            rest = self._link.read_rest(head.data, size, "certificate")
            facts = certificate_facts(rest)
        except CardProtocolError as error:
            raise CertificateUnreadable(str(error)) from None
        if self._certificate and rest != self._certificate:
            raise CardSwapped("another card is in the reader")
        if facts.key not in USABLE_KEYS:
            raise UnknownGeneration(f"the certified key is {facts.key}")
        self._certificate, self._facts = rest, facts
        return rest

    def _without_certificate(self, head: CardResponse) -> NoCertificate | CertificateUnreadable:
        """Tell a card without the certificate from one whose certificate cannot be read."""
        blank = head.status != OK or not head.data.strip(b"\x00") or not head.data.strip(b"\xff")
        there = self._link.read_block(CERTIFICATES_THERE, 3)
        flagged = there.data[1] if there.status == OK and len(there.data) > 1 else _CERTIFICATE_THERE
        if blank or flagged != _CERTIFICATE_THERE:
            return NoCertificate("the card holds no user-authentication certificate")
        return CertificateUnreadable("the certificate is not DER")

    def pin_tries_left(self) -> int | None:
        """Ask how many PIN tries are left, which costs none; None when the card has no PIN, 0 when it is blocked."""
        return self._anew(self._pin_tries_left)

    def _pin_tries_left(self) -> int | None:
        self._select_jpki()
        answer = self._ask_tries()
        if answer.status == NO_FILE or not _tells_tries(answer):
            # Another card in its place has nothing selected and refuses nearly everything; so has one after a reset.
            self.confirm()
            answer = self._ask_tries()
        if answer.status == NO_FILE:
            return None
        if answer.status == OK and not self._verified:
            raise CardUnreadable("a PIN is still verified from an earlier use; the card needs a power-off")
        return _tries(answer, "PIN tries")

    def _ask_tries(self) -> CardResponse:
        return self._link.on_file(0x00, VERIFY, 0x00, PIN)

    def verify_pin(self, pin: bytearray) -> None:
        """Have the card check a PIN of 4 digits; our copies are wiped, the caller wipes ``pin``.

        The certificate is looked at before, so that no other card ever gets the PIN, and the tries are asked for;
        nothing is sent at 0. Raises PinWrong, PinBlocked; PinFateUnknown when its answer was lost and the card tells
        that no try is gone.
        """
        if len(pin) != 4 or not pin.isdigit():
            raise ValueError("a PIN has 4 digits")
        self._anew(self._confirm_quickly)
        tries = self.pin_tries_left()
        match tries:
            case None:
                raise CardProtocolError("this card has no PIN")
            case 0:
                raise PinBlocked("no PIN try is left")
        try:
            status = self._link.on_file(0x00, VERIFY, 0x00, PIN, pin).status
        except (ExchangeLost, CardReset):
            self._learn_fate(tries)
            return
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

    def _learn_fate(self, before: int) -> None:
        """Find out what became of a PIN whose answer was lost, without sending it again."""
        self._renew()
        self._select_jpki()
        answer = self._ask_tries()
        now = before if answer.status == OK else _tries(answer, "PIN tries")
        if now == 0:
            raise PinBlocked("no PIN try is left")
        if now < before:
            raise PinWrong(now)
        # A key that signs was opened by it. A signature costs no try, and this one says nothing.
        self._verified = self._signature(secrets.token_bytes(32)).status == OK
        if not self._verified:
            raise PinFateUnknown(now)

    def sign(self, message: bytes) -> bytes:
        """Sign a message with the user-authentication key: PKCS #1 v1.5 over SHA-256, 256 bytes; or, on a card of the
        next generation, ECDSA over SHA-384 (DER).

        The certificate is looked at once more, because a card swapped quickly goes unnoticed by the reader.
        """
        return self._anew(lambda: self._sign(message))

    def _sign(self, message: bytes) -> bytes:
        self._select_jpki()
        answer = self._signature(message)
        if answer.status != OK:
            self.confirm()
        signature = answer.ok("signature")
        if self._key == RSA_2048 and len(signature) != 256:
            raise CardProtocolError(f"the signature has {len(signature)} bytes")
        self._look_again()
        return signature

    @property
    def _key(self) -> str:
        return self._facts.key if self._facts else RSA_2048

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

    def _signature(self, message: bytes) -> CardResponse:
        if self._key == RSA_2048:
            digest_info = SHA256_DIGEST_INFO + hashlib.sha256(message).digest()
            return self._link.on_file(0x80, SIGN, 0x00, KEY, digest_info, le=256)
        return self._ecdsa_signature(message)

    def _ecdsa_signature(self, message: bytes) -> CardResponse:
        """Sign in the configured way; where that gives no right signature, in the other one that is announced.

        Whether the next card hashes by itself, and how it encodes a signature, nobody has published.
        """
        from hardware.card.ecdsa import as_der, verifies

        assert self._facts
        digest = hashlib.sha384(message).digest()
        ways = {"digest": digest, "message": message}
        first = self._rules.settings.next_signs
        answer = CardResponse(b"", 0)
        for way in sorted(ways, key=lambda each: each != first):
            answer = self._link.on_file(0x80, SIGN, self._rules.settings.next_sign_p1, KEY, ways[way], le=256)
            if answer.status != OK:
                continue
            signature = as_der(answer.data)
            if verifies(self._facts.public_key, message, signature):
                return CardResponse(signature, OK)
        if answer.status == OK:
            raise CardProtocolError("the card's signature does not fit its certificate")
        return answer

    def read_face(self, match_code_b: str) -> tuple[CardFace, PhotoTrust]:
        """Read photo and expiry from the card-face application, opened by 照合番号B (14 digits), and judge the photo.

        The chip proves its key before and after. Raises MatchCodeWrong; asks for the tries first and sends nothing at
        0, nor again once a code whose answer was lost turns out to have cost a try.
        """
        if len(match_code_b) != 14 or not (match_code_b.isascii() and match_code_b.isdigit()):
            raise ValueError("a match code B has 14 digits")
        told: list[int] = []
        try:
            face, trust = self._anew(lambda: self._read_face(match_code_b, told))
        finally:
            self._selected = b""
        if self._certificate:
            self._anew(self._select_jpki)
        return face, trust

    def _read_face(self, match_code_b: str, told: list[int]) -> tuple[CardFace, PhotoTrust]:
        """``told``: the tries left before each time that the code was sent."""
        rules, limit_s = self._rules, self._rules.settings.proof_limit_s
        self._select_face()
        before = self._prove()
        self._open_face(match_code_b, told)
        record = face_record(self._link.read_object(FACE_RECORD, MAX_RECORD, "face record"))
        certificate = self._face_certificate()
        proofs = (before, self._prove()) if before.seconds <= limit_s else (before,)
        return record.face, judge(record, certificate, proofs, rules.authorities, rules.today, limit_s)

    def _select_face(self) -> None:
        self._selected = b""
        status = self._link.select_application(CARD_FACE)
        if status != OK:
            raise CardProtocolError("card-face application", status)
        self._selected = CARD_FACE

    def _face_certificate(self) -> bytes:
        """Read the issuer's certificate; one that cannot be read vouches for nothing."""
        try:
            return self._link.read_object(FACE_CERTIFICATE, MAX_CERTIFICATE, "face certificate")
        except CardProtocolError:
            return b""

    def _prove(self) -> ChipProof:
        """Have the chip sign a fresh challenge with the key of the card-face application, which needs no PIN.

        One that takes too long is asked once more: a reader may have been busy, a chip elsewhere is always far.
        """
        proof = self._prove_once()
        return proof if proof.seconds <= self._rules.settings.proof_limit_s else self._prove_once()

    def _prove_once(self) -> ChipProof:
        challenge = secrets.token_bytes(32)
        digest_info = SHA256_DIGEST_INFO + hashlib.sha256(challenge).digest()
        began = time.monotonic()
        answer = self._link.send(0x80, SIGN, 0x00, 0x00, digest_info, le=256)
        seconds = time.monotonic() - began
        return ChipProof(challenge, answer.data if answer.status == OK else b"", seconds)

    def confirm(self) -> None:
        """Raise CardSwapped unless the card in the reader is the one that was read.

        Also asked after a refusal that this card would not give: one swapped in quickly has nothing selected,
        and so refuses nearly everything.
        """
        self._selected = b""
        self._anew(self._select_jpki)

    def _confirm_quickly(self) -> None:
        self._select_jpki()
        self._look_again()

    def _open_face(self, match_code_b: str, told: list[int]) -> None:
        answer = self._link.on_file(0x00, VERIFY, 0x00, MATCH_CODE_B)
        left = 15 if answer.status in (OK, 0x6300) else _tries(answer, "match code tries")
        if left == 0 or (told and left < told[-1]):
            raise MatchCodeWrong(left)
        told.append(left)
        code = match_code_b.encode("ascii")
        status = self._link.on_file(0x00, VERIFY, 0x00, MATCH_CODE_B, code).status
        if status in BLOCKED:
            raise MatchCodeWrong(0)
        if status >> 4 == 0x63C:
            raise MatchCodeWrong(status & 0xF)
        if status != OK:
            raise CardProtocolError("match code", status)

    def _select_first(self) -> None:
        """Select the JPKI application of a card that nothing is known of yet."""
        self._selected = b""
        status = self._link.select_application(JPKI)
        other = self._rules.settings.next_application
        if status == NO_FILE and other:
            self._application = bytes.fromhex(other)
            status = self._link.select_application(self._application)
        if status != OK:
            raise WrongCard(self._foreign_kind(status))
        self._selected = self._application

    def _label_and_medium(self) -> tuple[str, Medium]:
        answer = self._link.read_block(TOKEN_INFO, TOKEN_INFO_BYTES)
        if answer.status == NO_FILE:
            raise WrongCard("other")
        try:
            head = answer.ok("token info")
            label = token_label(self._link.read_rest(head, TOKEN_INFO_BYTES, "token info"))
        except CardProtocolError as error:
            raise UnknownGeneration(str(error)) from None
        if label == OLD_CARD:
            raise WrongCard("juki")
        if label in self._rules.settings.next_labels:
            return label, "card"
        if label not in MEDIA:
            raise UnknownGeneration(f"its JPKI application calls itself {label}")
        return label, MEDIA[label]

    def _select_jpki(self) -> None:
        """Make the JPKI application current; coming back to it, make sure that it is the same card's."""
        if self._selected == self._application:
            return
        if self._link.select_application(self._application) != OK:
            raise CardSwapped("the card in the reader is not the one from before")
        self._selected = self._application
        if self._certificate:
            self._compare(self._certificate_head())

    def _look_again(self) -> None:
        """Compare the certificate's first block, which holds its serial number, with the one read before."""
        if not self._certificate:
            return
        block = self._certificate_head()
        if block.status != OK:
            # Reset in silence, or another card: the same question tells which.
            self._selected = b""
            self._select_jpki()
            return
        self._compare(block)

    def _certificate_head(self) -> CardResponse:
        """Read the certificate's first block, or as many as its serial number is sure to be in."""
        block = self._link.read_block(CERTIFICATE)
        wanted = min(_SERIAL_WITHIN, len(self._certificate))
        if block.status != OK or not 0 < len(block.data) < wanted:
            return block
        return CardResponse(self._link.read_rest(block.data, wanted, "certificate"), OK)

    def _compare(self, block: CardResponse) -> None:
        shortest = min(_SERIAL_WITHIN, len(self._certificate))
        if (
            block.status != OK
            or len(block.data) < shortest
            or block.data[: len(self._certificate)] != self._certificate[: len(block.data)]
        ):
            raise CardSwapped("another card is in the reader")

    def _anew(self, work: Callable[[], T]) -> T:
        """Do it; once more from its start when the card was reset, or an exchange was lost twice in a row."""
        try:
            return work()
        except (CardReset, ExchangeLost):
            self._renew()
        return work()

    def _renew(self) -> None:
        self._link.renew()
        self._selected = b""

    def _foreign_kind(self, status: int) -> WrongCardKind:
        """Tell what the card is from how it refuses, so that the patient reads the right words."""
        if status in (0x6A81, 0x6D00, 0x6E00):
            return "transit"
        if self._link.send(0x00, 0xA4, 0x04, 0x00, b"2PAY.SYS.DDF01", le=256).status == OK:
            return "payment"
        return "other"


def match_code_b(birth_date: date, expires: date, security_code: str, *, western: bool = False) -> str:
    """Return 照合番号B, 14 digits: birth date YYMMDD in the Japanese era, year of expiry, security code of the card.

    ``western``: the card of a foreign resident, on which the year of birth is that of the common era.
    """
    if western:
        return f"{birth_date:%y%m%d}{expires.year:04}{security_code}"
    for begin, first_year in _ERAS:
        if birth_date >= begin:
            era_year = birth_date.year - first_year + 1
            return f"{era_year:02}{birth_date:%m%d}{expires.year:04}{security_code}"
    return f"{birth_date.year - 1867:02}{birth_date:%m%d}{expires.year:04}{security_code}"


def _begins(head: CardResponse) -> bool:
    """Say whether a certificate begins here."""
    return head.status == OK and head.data[:1] == b"\x30"


def _tells_tries(answer: CardResponse) -> bool:
    return answer.status in (OK, *BLOCKED) or answer.status >> 4 == 0x63C


def _tries(answer: CardResponse, what: str) -> int:
    if answer.status in BLOCKED:
        return 0
    if answer.status >> 4 == 0x63C:
        return answer.status & 0xF
    raise CardProtocolError(what, answer.status)
