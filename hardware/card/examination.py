"""Looks through one card without a PIN: what is on it, in which state, and what a terminal can use of it.

Nothing that costs a try is sent, but 照合番号B where it is given. What a holder can be known by stands in ``personal``
alone.
"""

from dataclasses import dataclass, field
from datetime import date

from hardware.card.authenticity import PhotoTrust
from hardware.card.channel import CardChannel
from hardware.card.errors import CardError, CardProtocolError, CardRemovedError, CardTrouble
from hardware.card.jp2 import Jp2Error, picture_size
from hardware.card.link import BLOCKED, NO_FILE, OK, VERIFY, CardLink
from hardware.card.my_number_card import CARD_FACE, JPKI, USABLE_KEYS, CardRules, MyNumberCard
from hardware.card.records import (
    MAX_CERTIFICATE,
    card_verifiable_certificate,
    certificate_facts,
    certificate_size,
    token_label,
)

CARD_TEXT = bytes.fromhex("D3921000310001010408")
COMMON = bytes.fromhex("D3921000310001010100")
JUKI = bytes.fromhex("D3921000310001010401")

APPLICATIONS = {
    "公的個人認証AP (JPKI)": JPKI,
    "券面事項確認AP (card face)": CARD_FACE,
    "券面事項入力補助AP (card text)": CARD_TEXT,
    "共通カードAP (common)": COMMON,
    "住基AP (juki)": JUKI,
}
_CERTIFICATES = {
    "user authentication (利用者証明用)": 0x0A,
    "its CA": 0x0B,
    "CA of digital signature (署名用)": 0x02,
}
_COUNTERS = {
    "PIN of user authentication": (JPKI, 0x18),
    "password of digital signature": (JPKI, 0x1B),
    "照合番号A": (CARD_FACE, 0x13),
    "照合番号B": (CARD_FACE, 0x12),
    "birth date": (CARD_FACE, 0x11),
    "PIN of card text": (CARD_TEXT, 0x11),
}


@dataclass(frozen=True)
class CertificateReport:
    """One certificate on the card, or why it cannot be told of."""

    name: str
    begins: date | None = None
    expires: date | None = None
    key: str = ""
    sha256: str = ""
    note: str = ""


@dataclass
class CardReport:
    """What one card is; every text is for a technician, in English."""

    atr: str = ""
    protocol: str = ""
    block_size: int = 0
    """Bytes of the largest block that reader and card did not refuse."""
    label: str = ""
    generation: str = ""
    applications: dict[str, bool] = field(default_factory=dict)
    certificates: list[CertificateReport] = field(default_factory=list)
    tries_left: dict[str, str] = field(default_factory=dict)
    authority: str = ""
    """The authority that the card-face application's certificate names, and whether it counts here."""
    photo: str = ""
    photo_trust: str = ""
    pin_way: str = ""
    face_way: str = ""
    certificate_sha256: str = ""
    """What a bench file needs to name this card."""
    personal: dict[str, str] = field(default_factory=dict, repr=False)


def examine(channel: CardChannel, rules: CardRules, match_code_b: str = "") -> CardReport:
    """Look through the card on an open channel. Raises CardRemovedError, ReaderError; other troubles are told."""
    report = CardReport(atr=channel.atr.hex(" ").upper(), protocol=channel.protocol)
    link = CardLink(channel)
    for name, aid in APPLICATIONS.items():
        report.applications[name] = _select(link, aid)
    if any(report.applications.values()):
        _look_at_jpki(link, report)
        _look_at_counters(link, report)
        _look_at_authority(link, report, rules)
    report.block_size = link.block_size
    _look_as_terminal(channel, rules, match_code_b, report)
    return report


def _select(link: CardLink, aid: bytes) -> bool:
    try:
        return link.select_application(aid) == OK
    except CardTrouble:
        return False


def _look_at_jpki(link: CardLink, report: CardReport) -> None:
    if not _select(link, JPKI):
        return
    head = link.read_block(0x06, 160)
    try:
        report.label = token_label(link.read_rest(head.ok("token info"), 160, "token info"))
    except CardProtocolError as error:
        report.label = f"unreadable: {error}"
    there = link.read_block(0x08, 3)
    flags = there.data if there.status == OK and len(there.data) >= 2 else b"\x00\x00"
    signs = "present; readable with its password only" if flags[0] == 0x8F else "not on the card"
    for name, file in _CERTIFICATES.items():
        report.certificates.append(_certificate(link, name, file))
    report.certificates.append(CertificateReport("digital signature (署名用)", note=signs))
    report.certificate_sha256 = report.certificates[0].sha256


def _certificate(link: CardLink, name: str, file: int) -> CertificateReport:
    import hashlib

    head = link.read_block(file)
    if head.status != OK or not head.data.strip(b"\x00") or not head.data.strip(b"\xff"):
        why = (
            "not on the card" if head.status in (OK, NO_FILE, 0x6B00) else f"not readable ({head.status:04X})"
        )
        return CertificateReport(name, note=why)
    try:
        size = certificate_size(head.data)
        if size > MAX_CERTIFICATE:
            return CertificateReport(name, note="too large")
        der = link.read_rest(head.data, size, name)
        facts = certificate_facts(der)
    except CardProtocolError as error:
        return CertificateReport(name, note=str(error))
    return CertificateReport(name, facts.begins, facts.expires, facts.key, hashlib.sha256(der).hexdigest())


def _look_at_counters(link: CardLink, report: CardReport) -> None:
    for name, (aid, file) in _COUNTERS.items():
        if _select(link, aid):
            status = link.on_file(0x00, VERIFY, 0x00, file).status
            report.tries_left[name] = _tries(status)


def _tries(status: int) -> str:
    if status >> 4 == 0x63C:
        return str(status & 0xF) if status & 0xF else "blocked"
    if status in BLOCKED:
        return "blocked"
    return {0x6300: "no limit", NO_FILE: "not on the card", OK: "verified already"}.get(
        status, f"answer {status:04X}"
    )


def _look_at_authority(link: CardLink, report: CardReport, rules: CardRules) -> None:
    if not _select(link, CARD_FACE):
        return
    try:
        issuer = card_verifiable_certificate(link.read_object(0x04, MAX_CERTIFICATE, "face certificate"))
    except CardProtocolError as error:
        report.authority = f"unreadable: {error}"
        return
    named = f"{_readable(issuer.authority_id)}, for issuer {_readable(issuer.issuer_id)}"
    known = [each for each in rules.authorities if each.key_id == issuer.authority_id]
    counts = "counts" if any(each.counts_on(rules.today) for each in known) else "does not count today"
    report.authority = f"{named}: {counts if known else 'unknown here'} ({issuer.authority_id.hex().upper()})"


def _readable(key_id: bytes) -> str:
    """Return a key's name as people write it: 5000023/001."""
    printable = key_id[:7] + b"/" + key_id[9:12]
    return printable.decode("ascii", "replace")


def _look_as_terminal(channel: CardChannel, rules: CardRules, code: str, report: CardReport) -> None:
    """Go the ways of a visit, but for the PIN."""
    card = MyNumberCard(channel, rules)
    try:
        facts = card.read()
    except CardRemovedError:
        raise
    except CardError as error:
        report.pin_way = report.face_way = f"no: {error}"
        report.generation = report.generation or "unknown"
        return
    current = facts.key == USABLE_KEYS[0]
    report.generation = f"{'current' if current else 'next'} ({facts.medium}, {facts.key})"
    expired = facts.certificate_expires is not None and facts.certificate_expires < rules.today
    usable = "the certificate has expired" if expired else "yes"
    report.pin_way = {None: "no: the card has no PIN", 0: "no: the PIN is blocked"}.get(
        facts.pin_tries_left, usable
    )
    report.face_way = "not looked at: 照合番号B was not given"
    if code:
        _look_at_photo(card, code, report)


def _look_at_photo(card: MyNumberCard, code: str, report: CardReport) -> None:
    try:
        face, trust = card.read_face(code)
    except CardRemovedError:
        raise
    except CardError as error:
        report.face_way = f"no: {error}"
        return
    report.photo_trust = trust.value
    report.personal["birth date"] = face.birth_date
    report.personal["card expires"] = str(face.expires or "")
    if face.photo_jp2 is None:
        report.photo, report.face_way = "none", "no: the card has no photo"
        return
    kind = "bare codestream" if face.photo_jp2.startswith(b"\xff\x4f") else "JP2 file"
    try:
        width, height = picture_size(face.photo_jp2)
    except Jp2Error as error:
        report.photo, report.face_way = f"{kind}: {error}", "no: the photo cannot be used"
        return
    report.photo = f"JPEG 2000, {kind}, {width} x {height} px, {len(face.photo_jp2)} bytes"
    report.face_way = "yes" if trust is PhotoTrust.GENUINE else f"no: {trust.value}"
