"""What the outside sees of a visit: an immutable picture of the terminal without anything personal."""

import json
from dataclasses import asdict, dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray


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
    """What is wrong with a camera that is down: "missing", "busy", "black", "frozen" or "slow"."""


@dataclass(frozen=True)
class Snapshot:
    """One moment of the terminal, for windows, scenario runner and recorder alike; JSON-serialisable."""

    number: int = 0
    """Counts up with every snapshot of this terminal."""
    visit: str = ""
    step: str = ""
    """READ, IDENTITY, CONSENT or COMPLETE; empty outside a visit."""
    state: str = "OUT_OF_SERVICE"
    screen: str = "OUT_OF_SERVICE"
    """The state, or LAST_TRY: the warning before the last PIN try that the patient must accept first; BUNDLE: one
    answer for all questions, or one by one; PRESCRIPTION: its form; HELP: what those do who
    cannot go on; DESK_CLOSED: staff have closed the reception; LEAVE: whether the visit is to end is asked; SUMMARY:
    every answer, before they are sent; MATCHED: 本人確認 has succeeded, for a moment."""
    occasion: int = 0
    """Counts up whenever something is asked anew: a state is entered, the next question, another PIN try."""
    question: str = ""
    """The Item that is asked, in CONSENT and LIMIT_CONSENT."""
    answers: tuple[tuple[str, str], ...] = ()
    """What was answered so far, by item: "given" or "declined"."""
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
    methods: tuple[str, ...] = ()
    """Ways to verify identity on offer now: "face", "pin"; kinds of phone: "iphone", "android"."""
    phones_ready: bool = False
    """A visit by phone can begin, in WAITING."""
    phone: str = ""
    """The kind of phone that this visit is made with; empty: with a card, or not chosen yet."""
    by_phone: bool = False
    """This visit is made with a phone; no card is in."""
    reading_phone: bool = False
    """The phone is being read and must not be moved, in PHONE_TAP."""
    pin_digits: int = 0
    pin_tries_left: int | None = None
    guidance: str = ""
    """What the face gate asks of the patient (hardware.face.policy.Guidance), in FACE_MATCH."""
    match_code_wanted: bool = False
    """Staff can open the way by face, by typing 照合番号B."""
    match_code_tries_left: int | None = None
    """After the card refused 照合番号B."""
    visual_possible: bool = False
    """Staff may compare the patient with the card's photo now."""
    identity: str = ""
    """How identity was verified: "face", "pin", "visual", "iphone"; empty before. Android's PIN is a "pin"."""
    failure: str = ""
    """Last FailureCode of this visit; empty when there was none."""
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
    help: str = ""
    """The topic on the screen HELP: "list", or one of HelpTopic."""
    staff_message: str = ""
    """What staff want the patient to read (flow.StaffText); empty: nothing."""
    desk_open: bool = True
    """Staff have not closed the reception; a visit that is on still ends as any other."""
    facility: str = "clinic"
    """Or "pharmacy", which has some words of its own."""
    language: str = "ja"
    display_mode: str = "normal"
    health: Health = field(default_factory=Health)
    simulated: bool = False

    def to_json(self) -> str:
        """Return the snapshot as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


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


@dataclass(frozen=True)
class VisualView:
    """What staff compare the patient with, while they do so (VISUAL_CHECK); lives in memory and ends with it."""

    visit: str
    photo: NDArray[np.uint8] | None = field(repr=False, compare=False)
    """The card's photo, (H, W) uint8 grey; None when it cannot be decoded. Wiped when the check is over."""
