"""All that the flow knows of a visit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from config import Config
from consent.choices import ConsentAnswer, Item, PrescriptionForm, VisualReason
from reception.flow.events import Identified
from reception.flow.failures import FailureCode
from reception.flow.states import (
    ANSWERABLE,
    STEP_OF,
    AttributeOutcome,
    DisplayMode,
    HelpTopic,
    Language,
    Method,
    S,
    StaffText,
    State,
    Step,
)


@dataclass(frozen=True)
class Desk:
    """What outlives a visit: readers, camera, how the window looks, open or closed."""

    open: bool = True
    """Staff have not closed the reception (受付休止)."""
    reader_ready: bool = False
    phones_ready: bool = False
    """The phone reader can be used."""
    phone_laid: bool = False
    """Something lies on the phone reader."""
    camera_ready: bool = True
    """The camera can be used, as far as is known."""
    language: Language = Language.JA
    display: DisplayMode = DisplayMode.NORMAL
    called: bool = False
    """A patient has called staff, and no clerk has taken it on yet; the patient may have left."""


@dataclass(frozen=True)
class AttributeProgress:
    """The offer to tell the clinic of a new name or address; begins once the visit is complete."""

    items: tuple[str, ...] = ()
    """What is asked for, in asking order."""
    answers: tuple[ConsentAnswer, ...] = ()
    tries_left: int | None = None
    """Of the signing password; None: not known yet."""
    missed: bool = False
    """The last password was wrong."""
    invitation: str = ""
    """Where the patient's own phone signs."""
    by_phone: bool = False
    """The patient signs on their own phone."""
    outcome: AttributeOutcome = AttributeOutcome.NONE

    @property
    def asked(self) -> str:
        """The attribute that is asked for now; empty once all are answered."""
        return self.items[len(self.answers)] if len(self.answers) < len(self.items) else ""

    @property
    def given(self) -> tuple[str, ...]:
        """What the patient agreed to."""
        pairs = zip(self.items, self.answers, strict=False)
        return tuple(item for item, answer in pairs if answer is ConsentAnswer.GIVEN)


@dataclass(frozen=True)
class VisitProgress:
    """How far one visit has come; each visit begins with a new one."""

    id: str = ""
    card_in: bool = False
    """This visit's card is in the reader."""
    lost_with_card: bool = False
    """The reader was lost with this visit's card in it."""
    next_visit: str = ""
    """A card that was put in before this visit was over; its visit begins when this one ends."""
    by_phone: bool = False
    """This visit is made with a phone; no card is in."""
    phone: Method | None = None
    """The kind of phone, once chosen."""
    has_photo: bool = False
    photo_sought: bool = True
    """Somebody knew 照合番号B, so that no photo means that there is none to use."""
    match_code_tries_left: int | None = None
    """After 照合番号B was refused."""
    face_failures: int = 0
    pin_tries_left: int | None = None
    last_try_accepted: bool = False
    identity: Method | None = None
    questions: tuple[Item, ...] = ()
    """In asking order; MEDICAL_SUBSIDY once for each certificate."""
    answers: tuple[tuple[Item, ConsentAnswer], ...] = ()
    """To the questions so far, one by one."""
    bundled: bool = False
    """One answer for all questions is offered, until the patient chooses to go one by one."""
    prescription_asked: bool = False
    """The patient is still to be asked for the form of the prescription."""
    prescription: PrescriptionForm | None = None
    card_use: ConsentAnswer | None = None
    """What was answered to the offer of card-use registration."""
    visual_wanted: bool = False
    """Staff asked for the visual check when the card had to be read anew for it."""
    staff: str = ""
    visual_reason: VisualReason = "other"
    attributes: "AttributeProgress" = field(default_factory=lambda: AttributeProgress())
    """How far the offer after the check-in has come."""
    staff_text: StaffText = StaffText.NONE
    """What staff have shown to the patient."""
    failure: FailureCode | None = None
    completed: bool = False
    interrupted: State | None = None
    """Where the visit was when staff were called; it can go on from there."""

    def over(self, failure: FailureCode | None) -> "VisitProgress":
        """Return what is still shown of the visit once it is over; all else of it is forgotten."""
        return VisitProgress(
            self.id,
            card_in=self.card_in,
            identity=self.identity,
            pin_tries_left=self.pin_tries_left,
            completed=self.completed,
            failure=failure,
        )


def numbered(answers: Iterable[tuple[Item, ConsentAnswer]]) -> Iterator[tuple[Item, int, ConsentAnswer]]:
    """Yield each answer with the number, from 1, of its question among those about the same item."""
    seen: dict[Item, int] = {}
    for item, answer in answers:
        seen[item] = seen.get(item, 0) + 1
        yield item, seen[item], answer


@dataclass(frozen=True)
class Session:
    """All that the flow knows; holds nothing personal and no PIN digit."""

    config: Config
    desk: Desk = Desk()
    visit: VisitProgress = VisitProgress()
    state: State = S.OUT_OF_SERVICE
    occasion: int = 0
    """Counts the entries of states: up by one whenever something is asked anew (a state, the next question, another
    PIN try, the help). Work carries the number it was begun on; its answer is dropped when the number has changed."""

    # What follows begins anew when a state is entered.
    deadline: float | None = None
    warn_at: float | None = None
    reminders: int = 0
    pin_digits: int = 0
    verifying: bool = False
    """Card or phone are being asked about the PIN; a second confirmation meanwhile must not cost a try."""
    signing_characters: int = 0
    pin_short: bool = False
    """The PIN was confirmed before all digits were there."""
    guidance: str = ""
    leaving: bool = False
    """やめる was pressed, and whether that is meant is asked in place of the state's screen."""
    matched_until: float | None = None
    """本人確認 has just succeeded, and is shown until then."""
    held: Identified | None = None
    """What the server answered meanwhile."""
    help: HelpTopic | None = None
    """Shown in place of the state's screen."""

    @property
    def as_delivered(self) -> bool:
        """Nobody has changed how the window looks."""
        return (self.desk.language, self.desk.display, self.help) == (Language.JA, DisplayMode.NORMAL, None)

    @property
    def ready(self) -> bool:
        """A visit may begin."""
        return self.desk.reader_ready and self.desk.open

    @property
    def question(self) -> Item | None:
        """The question that is asked now."""
        if self.state in (S.CONSENT, S.LIMIT_CONSENT) and len(self.visit.answers) < len(self.visit.questions):
            return self.visit.questions[len(self.visit.answers)]
        return None

    @property
    def methods(self) -> tuple[Method, ...]:
        """The ways to verify identity that this card and this visit still allow."""
        if self.visit.by_phone:
            return (Method.IPHONE, Method.ANDROID)
        ways = []
        if (
            self.visit.has_photo
            and self.desk.camera_ready
            and self.visit.face_failures < self.config.face.tries
        ):
            ways.append(Method.FACE)
        if self.visit.pin_tries_left:
            ways.append(Method.PIN)
        return tuple(ways)

    @property
    def match_code_wanted(self) -> bool:
        """Staff can still open the way by face, by typing 照合番号B."""
        waiting = self.state is S.METHOD_CHOICE and self.visit.card_in and not self.visit.by_phone
        return waiting and not self.visit.photo_sought and self.visit.match_code_tries_left != 0

    @property
    def visual_possible(self) -> bool:
        """Staff may start the visual check now; whether the card has a photo is seen when it was read anew."""
        choosing = self.state in (S.METHOD_CHOICE, S.FACE_MATCH, S.PIN_ENTRY) and self.visit.has_photo
        return self.visit.card_in and not self.visit.by_phone and (choosing or self.state is S.CALL_STAFF)

    @property
    def awaits_person(self) -> bool:
        """Whether the wait is for somebody's answer, or for who reads the help: it warns before it ends."""
        if self.state is S.WAITING:
            return self.help is not None
        return self.state in ANSWERABLE and self.state is not S.FACE_MATCH

    @property
    def screen(self) -> str:
        """What is shown: the state's screen, or one of those that a state has beside it."""
        if self.asks_last_try:
            return "LEAVE" if self.leaving else "LAST_TRY"
        if self.leaving:
            return "LEAVE"
        if self.matched_until is not None:
            return "MATCHED"
        if self.help:
            return "HELP"
        if self.state is S.OUT_OF_SERVICE and not self.desk.open:
            return "DESK_CLOSED"
        if self.state is S.ATTRIBUTE_SIGN and self.visit.attributes.by_phone:
            return "ATTRIBUTE_QR"
        if self.state is S.CONSENT and self.visit.bundled and not self.visit.answers:
            return "BUNDLE"
        if self.asks_to_confirm:
            return "SUMMARY"
        if self.state is S.CONSENT and self.question is None:
            return "PRESCRIPTION"
        return self.state.value

    @property
    def step(self) -> Step | None:
        """The leaflet's step; None outside a visit."""
        if self.state is S.LIMIT_CONSENT and self.config.profile != "leaflet-2023":
            return Step.CONSENT
        if self.state is S.CALL_STAFF and self.visit.interrupted is not None:
            return STEP_OF.get(self.visit.interrupted)
        return STEP_OF.get(self.state)

    @property
    def asks_to_confirm(self) -> bool:
        """Every question is answered, and the answers are shown once more."""
        asked = self.state in (S.CONSENT, S.LIMIT_CONSENT) and self.question is None
        return asked and not self.visit.prescription_asked

    @property
    def asks_last_try(self) -> bool:
        """The last PIN try needs the patient's explicit yes."""
        return (
            self.state is S.PIN_ENTRY and self.visit.pin_tries_left == 1 and not self.visit.last_try_accepted
        )
