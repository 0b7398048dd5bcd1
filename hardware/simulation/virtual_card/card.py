"""The virtual My Number card: the five applications of a real one, with true counters; and cards that are none."""

from typing import Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from config.person import ForeignKind
from hardware.simulation.virtual_card import contents as layout
from hardware.simulation.virtual_card.contents import CardContents, private_key, signing_key
from hardware.simulation.virtual_card.files import (
    NO_PIN_OPENS,
    TERMINAL_KEY,
    Application,
    DataFile,
    File,
    FileCard,
    KeyFile,
    PinFile,
    SmartCard,
)

JPKI = bytes.fromhex("D392F000260100000001")
CARD_FACE = bytes.fromhex("D3921000310001010402")
CARD_TEXT = bytes.fromhex("D3921000310001010408")
COMMON = bytes.fromhex("D3921000310001010100")
JUKI = bytes.fromhex("D3921000310001010401")

_LABELS = {"phone-android": "JPKIAPGPSETOKEN", "phone-ios": "JPKIAPIOSTOKEN"}
NEXT_LABEL = "JPKIAPICCTOKEN3"
"""Of the card announced for 2028; a guess, nothing is published."""
_PASSWORD = rb"[A-Z0-9]{6,16}"
_CODE_TRIES = 10
"""Tries of 照合番号A and B and the birth date; sources disagree, so that nobody may rely on it."""


class VirtualCard(FileCard):
    """A My Number card, or a phone that holds its certificate, as ``contents.kind`` says."""

    def __init__(self, contents: CardContents) -> None:
        self.contents = contents
        applications = {JPKI: _jpki(contents)}
        if not contents.kind.startswith("phone-"):
            own = contents.credentials
            issuer = private_key(own.face_key_pem or own.private_key_pem)
            chip = private_key(own.chip_key_pem) if own.chip_key_pem else issuer
            authority = private_key(own.card_authority_pem) if own.card_authority_pem else None
            certificate = DataFile(
                layout.card_verifiable_certificate(issuer, authority, own.card_authority_id)
            )
            applications[CARD_FACE] = _card_face(contents, issuer, chip, certificate)
            applications[CARD_TEXT] = _card_text(contents, issuer, chip, certificate)
            applications[COMMON] = _common(contents)
            applications[JUKI] = _juki(contents)
        super().__init__(applications)
        pin = applications[JPKI].files.get(0x18)
        self._pin = pin if isinstance(pin, PinFile) else None

    @property
    def pin_tries_left(self) -> int | None:
        """Return the true counter of the user-authentication PIN; None when the card has none."""
        return self._pin.tries_left if self._pin else None


def _jpki(contents: CardContents) -> Application:
    """公的個人認証AP."""
    own = contents.credentials
    has_pin = contents.kind not in ("face-only", "phone-ios")
    # An iPhone lets its key be used after its own Face ID or Touch ID, which has happened before the tap.
    opens_key = (
        frozenset({0x18}) if has_pin else frozenset() if contents.kind == "phone-ios" else NO_PIN_OPENS
    )
    opens_certificate = frozenset({0x18}) if contents.kind == "phone-android" else frozenset[int]()
    certificate = b"\xff" * 2048 if contents.kind == "no-certificate" else own.certificate
    there = 0x8F * bool(own.signature_certificate), 0x8F * (contents.kind != "no-certificate")
    files: dict[int, File] = {
        0x06: DataFile(layout.token_info(_label(contents))),
        0x08: DataFile(bytes((*there, 0))),
        0x0A: DataFile(certificate, opens_certificate),
        0x0B: DataFile(own.ca_certificate),
        0x16: TERMINAL_KEY,
        0x17: KeyFile(signing_key(own.private_key_pem), opens_key),
    }
    if has_pin:
        files[0x18] = PinFile(contents.pin.encode("ascii"), 3, contents.pin_tries_left, "iso")
    if own.signature_certificate:
        by_password = frozenset({0x1B})
        files |= {
            0x01: DataFile(own.signature_certificate, by_password),
            0x02: DataFile(own.signature_ca_certificate or own.ca_certificate),
            0x1A: KeyFile(signing_key(own.signature_private_key_pem), by_password),
        }
    # The password's file exists on every card; without a signature certificate it is blocked.
    tries = 5 if own.signature_certificate else 0
    files[0x1B] = PinFile(contents.signature_password.encode("ascii"), 5, tries, "iso", _PASSWORD)
    return Application(files)


def _label(contents: CardContents) -> str:
    now = NEXT_LABEL if contents.generation == "next" else "JPKIAPICCTOKEN2"
    return _LABELS.get(contents.kind, now)


def _card_face(
    contents: CardContents, issuer: RSAPrivateKey, chip: RSAPrivateKey, certificate: DataFile
) -> Application:
    """券面事項確認AP: 0011 birth date, 0012 照合番号B, 0013 照合番号A."""
    code_b = contents.match_code_b
    files: dict[int, File] = {
        0x01: DataFile(layout.age_record(contents, issuer, chip), frozenset({0x11})),
        0x02: DataFile(layout.face_record(contents, issuer, chip), frozenset({0x12, 0x13})),
        0x03: DataFile(_basic_data()),
        0x04: certificate,
        0x05: DataFile(layout.number_image(contents, issuer, chip), frozenset({0x13})),
        0x11: _code(code_b[:6]),
        0x12: _code(code_b),
        0x13: _code(contents.my_number),
    }
    return Application(files, challenge_key=KeyFile(chip))


def _card_text(
    contents: CardContents, issuer: RSAPrivateKey, chip: RSAPrivateKey, certificate: DataFile
) -> Application:
    """券面事項入力補助AP: 0011 PIN, 0014 照合番号A, 0015 照合番号B; 0012 is blocked on every card."""
    code_b = contents.match_code_b
    files: dict[int, File] = {
        0x01: DataFile(layout.text_number(contents), frozenset({0x11, 0x14})),
        0x02: DataFile(layout.text_record(contents), frozenset({0x11, 0x15})),
        0x03: DataFile(layout.text_signature(contents, issuer), frozenset({0x11, 0x14, 0x15})),
        0x04: certificate,
        0x05: DataFile(layout.tlv(0xFF40, layout.tlv(0xDF41, b"\x01\x03\x0e\x01") + _key_name(0xDF42))),
        0x12: PinFile(b"", 3, 0),
        0x14: _code(contents.my_number),
        0x15: _code(code_b),
    }
    if contents.kind != "face-only":
        files[0x11] = PinFile(contents.pin.encode("ascii"), 3, 3, "iso")
    return Application(files, challenge_key=KeyFile(chip))


def _common(contents: CardContents) -> Application:
    """共通カードAP: serial number, municipality, expiry."""
    files: dict[int, File] = {0x01: DataFile(b"", records=(layout.card_info(contents),))}
    if contents.kind != "face-only":
        files[0x1C] = PinFile(contents.pin.encode("ascii"), 3, 3, "old")
    return Application(files)


def _juki(contents: CardContents) -> Application:
    """住基AP. What its record holds is not public: here it is there, behind its PIN, and says nothing."""
    files: dict[int, File] = {0x02: DataFile(layout.tlv(0xFF20, b""), frozenset({0x1C}))}
    if contents.kind != "face-only":
        files[0x1C] = PinFile(contents.pin.encode("ascii"), 3, 3, "old")
    return Application(files)


def _code(value: str) -> PinFile:
    return PinFile(value.encode("ascii"), _CODE_TRIES, _CODE_TRIES)


def _basic_data() -> bytes:
    fields = [
        layout.tlv(0xDF31, b"\x06\x03\x0e\x01"),
        _key_name(0xDF32),
        layout.tlv(0xDF33, b"\x00"),
        layout.tlv(0xDF34, b"13101"),
    ]
    return layout.tlv(0xFF30, b"".join(fields))


def _key_name(tag: int) -> bytes:
    return layout.tlv(tag, b"9000024\x08\x05001\0\0\0\0")


class _TransitCard:
    """A FeliCa card as PC/SC readers show it: an ATR that names it, and no SELECT."""

    atr = bytes.fromhex("3B8F8001804F0CA00000030611003B0000000042")
    pin_tries_left = None

    def process(self, apdu: bytes) -> bytes:
        return b"\x6a\x81"

    def power_off(self) -> None:
        pass


class _MuteCard(_TransitCard):
    """A card upside down, or no card at all: the reader feels it, it never answers."""

    atr = b""


def foreign_card(kind: ForeignKind | Literal["other"]) -> SmartCard:
    """Return a card that a terminal must refuse."""
    match kind:
        case "juki":
            files: dict[int, File] = {0x06: DataFile(layout.token_info("JPKIAPICCTOKEN"))}
            return FileCard({JPKI: Application(files)})
        case "payment":
            return FileCard({b"2PAY.SYS.DDF01": Application({})}, bytes.fromhex("3B6500002063CB6800"))
        case "other":
            return FileCard({})
        case "transit":
            return _TransitCard()
        case "mute":
            return _MuteCard()
