"""What the outside sees of a visit: an immutable picture of the terminal without anything personal."""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from config.announcements import Announcement
from consent.choices import ConsentAnswer, Item
from reception.flow import (
    AttributeOutcome,
    DisplayMode,
    HelpTopic,
    Language,
    Method,
    Session,
    StaffText,
    State,
    Step,
)
from reception.flow.failures import FailureCode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Nothing = Literal[""]
"""None of it, as it stands in the JSON."""


@dataclass(frozen=True)
class Health:
    """How the parts of the terminal are; each "ok", "down", or "unknown" before it was first looked at."""

    reader: str = "unknown"
    camera: str = "unknown"
    engine: str = "unknown"
    server: str = "unknown"
    journal: str = "ok"
    phone_reader: str = "none"
    """Also "none": this terminal has no reader for phones."""
    camera_fault: str = ""
    """What is wrong with a camera that is down: "missing", "busy", "black", "frozen", "slow", "denied"
    or "unfit"."""
    threads: str = "ok"
    """"down" while one of the terminal's own threads has died or hangs, until it works again; the log has its name."""


@dataclass(frozen=True)
class Snapshot:
    """One moment of the terminal, for windows, scenario runner and recorder alike; JSON-serialisable."""

    number: int = 0
    """Counts up with every snapshot of this terminal."""
    visit: str = ""
    step: Step | Nothing = ""
    """Empty outside a visit."""
    state: State = State.OUT_OF_SERVICE
    screen: str = "OUT_OF_SERVICE"
    """The state, or LAST_TRY: the warning before the last PIN try that the patient must accept first; BUNDLE: one
    answer for all questions, or one by one; PRESCRIPTION: its form; HELP: what those do who
    cannot go on; DESK_CLOSED: staff have closed the reception; LEAVE: whether the visit is to end is asked; SUMMARY:
    every answer, before they are sent; MATCHED: 本人確認 has succeeded, for a moment; ATTRIBUTE_QR: the page for the
    patient's own phone, as a QR code."""
    occasion: int = 0
    """Counts up whenever something is asked anew (Session.occasion)."""
    question: Item | Nothing = ""
    """What is asked, in CONSENT and LIMIT_CONSENT."""
    answers: tuple[tuple[Item, ConsentAnswer], ...] = ()
    """What was answered so far."""
    age_known: bool = True
    """The patient's age is known, so that nobody is asked who is too young for a question."""
    until: str = ""
    """Until when what was agreed may be looked at, YYYY-MM-DDTHH:MM, local; once it was sent."""
    staff_called: bool = False
    """The patient has called staff, and no clerk has taken it on yet."""
    interrupted: bool = False
    """The visit waits while staff come, in CALL_STAFF, and can go on."""
    pin_short: bool = False
    """The patient confirmed before all digits were there, in PIN_ENTRY."""
    question_number: int = 0
    question_count: int = 0
    subsidy_number: int = 0
    """Which certificate of a medical subsidy is asked for, from 1; 0: none."""
    subsidy_count: int = 0
    """How many of them there are to ask for."""
    subsidies: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """Their names, for the patient's own window only: one may name an illness, so that they are not in the JSON."""
    methods: tuple[Method, ...] = ()
    """Ways to verify identity on offer now; of a visit by phone: kinds of phone."""
    phones_ready: bool = False
    """A visit by phone can begin, in WAITING."""
    phone: Method | Nothing = ""
    """The kind of phone that this visit is made with; empty: with a card, or not chosen yet."""
    by_phone: bool = False
    """This visit is made with a phone; no card is in."""
    reading_phone: bool = False
    """The phone is being read and must not be moved, in PHONE_TAP."""
    pin_digits: int = 0
    pin_tries_left: int | None = None
    guidance: str = ""
    """What the face gate asks of the patient (hardware.face.guidance.Guidance), in FACE_MATCH; in READING what the card
    waits for (flow.READER_BUSY): another program has the reader.
    """
    match_code_wanted: bool = False
    """Staff can open the way by face, by typing 照合番号B."""
    match_code_tries_left: int | None = None
    """After the card refused 照合番号B."""
    visual_possible: bool = False
    """Staff may compare the patient with the card's photo now."""
    identity: Method | Nothing = ""
    """How identity was verified; empty before. Android's PIN is a PIN."""
    failure: FailureCode | Nothing = ""
    """The last one of this visit."""
    completed: bool = False
    """The server has acknowledged and the patient has been told."""
    card_in: bool = False
    seconds_left: int | None = None
    """Shown once the wait for the patient is about to end."""
    reminders: int = 0
    """How often the patient has been reminded to take the card."""
    notice: str = ""
    """What the patient should know of the certificate once it was checked: "", "expires-soon" (three months or
    less), "grace" (expired, accepted for a short while)."""
    help: HelpTopic | Nothing = ""
    """The topic on the screen HELP."""
    staff_message: StaffText = StaffText.NONE
    """What staff want the patient to read."""
    attribute: str = ""
    """Of which attribute's changes the clinic would like to learn, in ATTRIBUTE_OFFER."""
    signing_characters: int = 0
    """Characters of the signing password typed so far, in ATTRIBUTE_SIGN."""
    signing_tries_left: int | None = None
    signing_missed: bool = False
    """The last signing password was wrong."""
    signing: bool = False
    """The card, or the operator, is being asked."""
    qr: str = ""
    """Address of the page for the patient's own phone, good for a few minutes and for this offer only."""
    attribute_outcome: AttributeOutcome = AttributeOutcome.NONE
    """What came of the offer."""
    queue_number: str = ""
    """As it is called out; once the visit is complete, where the site gives numbers."""
    wait_at: str = ""
    """Where to wait; empty: the usual words."""
    announcement: str = ""
    """A dated line of the site (config.announcements), where it belongs on this screen."""
    announcement_qr: str = ""
    """Address of a page with more about it."""
    registered: bool = False
    """The card's use as insurance card was registered in this visit."""
    desk_open: bool = True
    """Staff have not closed the reception; a visit that is on still ends as any other."""
    facility: str = "clinic"
    """Or "pharmacy", which has some words of its own."""
    language: Language = Language.JA
    display_mode: DisplayMode = DisplayMode.NORMAL
    health: Health = field(default_factory=Health)
    simulated: bool = False

    def to_json(self) -> str:
        """Return the snapshot as JSON, without ``subsidies``; what there is none of is an empty string."""
        told = asdict(self)
        del told["subsidies"]
        return json.dumps(told, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Snapshot":
        """Return the snapshot that ``to_json`` wrote."""
        told: dict[str, Any] = json.loads(text)
        enums: dict[str, Any] = {name: kind(told[name]) for name, kind in _ENUMS.items() if told[name] != ""}
        enums["methods"] = tuple(Method(method) for method in told["methods"])
        enums["attribute_outcome"] = AttributeOutcome(told["attribute_outcome"])
        enums["answers"] = tuple((Item(item), ConsentAnswer(answer)) for item, answer in told["answers"])
        enums["staff_message"] = StaffText(told["staff_message"])
        return cls(**{**told, **enums, "health": Health(**told["health"])})


_ENUMS: dict[str, type[StrEnum]] = {
    "step": Step,
    "state": State,
    "question": Item,
    "phone": Method,
    "identity": Method,
    "failure": FailureCode,
    "help": HelpTopic,
    "language": Language,
    "display_mode": DisplayMode,
}


def snapshot_of(
    session: Session,
    before: Snapshot,
    health: Health,
    left: float | None,
    notice: str = "",
    until: str = "",
    queue_number: str = "",
    line: Announcement | None = None,
    subsidies: tuple[str, ...] = (),
) -> Snapshot:
    """Return the snapshot that follows ``before``.

    ``left``: the seconds left, once they are announced; ``until``: how long what was agreed may be looked at;
    ``queue_number``: as it is called out; ``line``: the announcement that belongs on this screen; ``subsidies``: names
    of the certificates that are asked for.
    """
    question, offer = session.question, session.visit.attributes
    answered = [item for item, _ in session.visit.answers]
    certificate = question is Item.MEDICAL_SUBSIDY
    return replace(
        before,
        number=before.number + 1,
        visit=session.visit.id,
        step=session.step or "",
        state=session.state,
        screen=session.screen,
        match_code_wanted=session.match_code_wanted,
        match_code_tries_left=session.visit.match_code_tries_left,
        visual_possible=session.visual_possible,
        occasion=session.occasion,
        question=question or "",
        answers=session.visit.answers,
        until=until,
        staff_called=session.desk.called,
        interrupted=session.visit.interrupted is not None,
        pin_short=session.pin_short,
        question_number=len(session.visit.answers) + 1 if question else 0,
        question_count=len(session.visit.questions),
        subsidy_number=answered.count(Item.MEDICAL_SUBSIDY) + 1 if certificate else 0,
        subsidy_count=session.visit.questions.count(Item.MEDICAL_SUBSIDY),
        subsidies=subsidies,
        methods=session.methods,
        phones_ready=session.desk.phones_ready,
        phone=session.visit.phone or "",
        by_phone=session.visit.by_phone,
        reading_phone=session.verifying and session.state is State.PHONE_TAP,
        pin_digits=session.pin_digits,
        pin_tries_left=session.visit.pin_tries_left,
        guidance=session.guidance,
        identity=session.visit.identity or "",
        attribute=offer.asked if session.state is State.ATTRIBUTE_OFFER else "",
        signing_characters=session.signing_characters,
        signing_tries_left=offer.tries_left,
        signing_missed=offer.missed,
        signing=session.verifying and session.state is State.ATTRIBUTE_SIGN,
        qr=offer.invitation,
        attribute_outcome=offer.outcome,
        queue_number=queue_number,
        announcement=line.text if line else "",
        announcement_qr=line.qr if line else "",
        wait_at=session.config.ticket.wait_at,
        registered=session.visit.card_use is ConsentAnswer.GIVEN,
        failure=session.visit.failure or "",
        completed=session.visit.completed,
        card_in=session.visit.card_in,
        seconds_left=None if left is None else max(0, round(left)),
        reminders=session.reminders,
        notice=notice,
        help=session.help or "",
        staff_message=session.visit.staff_text,
        desk_open=session.desk.open,
        facility=session.config.site.facility_kind,
        language=session.desk.language,
        display_mode=session.desk.display,
        health=health,
    )


@dataclass(frozen=True)
class SubsidyView:
    """A certificate of a medical subsidy that the patient uses on this visit, as a claim needs it."""

    scheme: str = field(repr=False)
    payer_number: str = field(repr=False)
    beneficiary_number: str = field(repr=False)
    valid_until: str = field(repr=False)
    """YYYY-MM-DD."""
    self_pay_yen: int | None = field(default=None, repr=False)
    self_pay: str = field(default="", repr=False)


@dataclass(frozen=True)
class CounterView:
    """The personal part of the current visit, for the counter only; lives in memory and ends with the visit."""

    visit: str
    name: str = field(repr=False)
    name_kana: str = field(repr=False)
    birth_date: date = field(repr=False)
    insurer_number: str = field(repr=False)
    symbol: str = field(repr=False)
    number: str = field(repr=False)
    branch: str = field(repr=False)
    share: int | None = field(repr=False)
    limit_category: str = field(repr=False)
    answers: tuple[tuple[str, str], ...] = ()
    """Items and their answers ("given"/"declined"), once recorded."""
    status: str = "valid"
    """What the insurers know (consent.choices.EligibilityStatus)."""
    standing: str = "valid"
    """What the certificate is still good for (consent.choices.Standing)."""
    reference_number: str = field(default="", repr=False)
    """The facility's own chart number (照会番号); empty when none is registered."""
    conflicts: tuple[str, ...] = ()
    """Why this may be another chart's patient than it seems (consent.wire.Conflict); staff decide."""
    subsidies: tuple[SubsidyView, ...] = field(default=(), repr=False)
    """The certificates of medical subsidies that are used on this visit; others are the patient's own affair."""


@dataclass(frozen=True)
class VisualView:
    """What staff compare the patient with, while they do so (VISUAL_CHECK); lives in memory and ends with it."""

    visit: str
    photo: "NDArray[np.uint8] | None" = field(repr=False, compare=False)
    """The card's photo, (H, W) uint8 grey; None when it cannot be decoded. Wiped when the check is over."""
