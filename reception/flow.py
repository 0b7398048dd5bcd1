"""The visit as a state machine: ``advance(session, event, now) -> (session, effects)``; no clock, no thread, no I/O.

Every allowed change is one row of TRANSITIONS. An event without a row for the current state changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from config import Config
from consent.choices import ConsentAnswer, Item
from reception.failures import CARD_REMOVED_WHILE, FailureCode


class State(StrEnum):
    """Where a visit stands; the names are a contract with scenarios and reports."""

    WAITING = "WAITING"
    READING = "READING"
    METHOD_CHOICE = "METHOD_CHOICE"
    FACE_MATCH = "FACE_MATCH"
    PIN_ENTRY = "PIN_ENTRY"
    PHONE_TAP = "PHONE_TAP"
    VISUAL_CHECK = "VISUAL_CHECK"
    CHECKING = "CHECKING"
    CARD_USE_OFFER = "CARD_USE_OFFER"
    CONSENT = "CONSENT"
    LIMIT_CONSENT = "LIMIT_CONSENT"
    SENDING = "SENDING"
    TAKE_CARD = "TAKE_CARD"
    COMPLETE = "COMPLETE"
    CALL_STAFF = "CALL_STAFF"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"


class Step(StrEnum):
    """The leaflet's four steps."""

    READ = "READ"
    IDENTITY = "IDENTITY"
    CONSENT = "CONSENT"
    COMPLETE = "COMPLETE"


class Method(StrEnum):
    """How identity is verified, and what a patient can choose for that."""

    FACE = "face"
    PIN = "pin"
    ANDROID = "android"
    """A phone whose certificate is opened by a PIN, typed here; counts as PIN once it is verified."""
    IPHONE = "iphone"
    """A phone that has asked its owner itself."""


S = State

STEP_OF: Mapping[State, Step] = {
    S.READING: Step.READ,
    S.METHOD_CHOICE: Step.IDENTITY,
    S.FACE_MATCH: Step.IDENTITY,
    S.PIN_ENTRY: Step.IDENTITY,
    S.PHONE_TAP: Step.IDENTITY,
    S.VISUAL_CHECK: Step.IDENTITY,
    S.CHECKING: Step.IDENTITY,
    S.CARD_USE_OFFER: Step.CONSENT,
    S.CONSENT: Step.CONSENT,
    # The leaflet asks the limit question on its completion page, of those who leave the card in.
    S.LIMIT_CONSENT: Step.COMPLETE,
    S.SENDING: Step.COMPLETE,
    S.TAKE_CARD: Step.COMPLETE,
    S.COMPLETE: Step.COMPLETE,
}

ANSWERABLE = (S.METHOD_CHOICE, S.FACE_MATCH, S.PIN_ENTRY, S.PHONE_TAP, S.CONSENT, S.LIMIT_CONSENT)
"""States in which the patient can be given more time, go back to the start or call staff."""

REVOCABLE = (S.READING, S.METHOD_CHOICE, S.FACE_MATCH, S.PIN_ENTRY, S.CHECKING, S.CONSENT)
"""States in which removing the card ends the visit with nothing sent."""

COMMITTED = (S.SENDING, S.TAKE_CARD, S.COMPLETE)
"""States in which neither card nor reader is needed any more."""


# --- Events -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """Something that happened; what carries a ``ticket`` is the answer to one piece of work and is dropped if late."""


@dataclass(frozen=True)
class ReaderReady(Event):
    """The card reader can be used."""


@dataclass(frozen=True)
class ReaderLost(Event):
    """The card reader or its service cannot be used."""

    code: FailureCode


@dataclass(frozen=True)
class CardInserted(Event):
    """A card was put in; ``visit`` is the new visit's id."""

    visit: str


@dataclass(frozen=True)
class CardMute(Event):
    """Something was put in that does not answer."""

    visit: str


@dataclass(frozen=True)
class CardRemoved(Event):
    """The card is gone; with a ticket when a piece of work noticed it, before or after the reader did."""

    ticket: int | None = None


@dataclass(frozen=True)
class PhoneReaderReady(Event):
    """The phone reader can be used."""


@dataclass(frozen=True)
class PhoneReaderLost(Event):
    """The phone reader cannot be used."""


@dataclass(frozen=True)
class PhoneLaid(Event):
    """A phone lies on the phone reader."""


@dataclass(frozen=True)
class PhoneLifted(Event):
    """The phone is gone from its reader; nothing more is needed of it once it was read."""


@dataclass(frozen=True)
class ChoosePhone(Event):
    """The patient has no card in and wants to use a phone; the conductor names the new visit."""

    visit: str = ""


@dataclass(frozen=True)
class PhoneRead(Event):
    """The phone gave its certificate and signed the server's challenge."""

    ticket: int


@dataclass(frozen=True)
class PhoneLastTry(Event):
    """The phone has one PIN try left, and was not asked to spend it."""

    ticket: int


@dataclass(frozen=True)
class PhoneFailed(Event):
    """The phone was not read; ``pin_sent``: the PIN may have reached it, so that it must be typed anew."""

    ticket: int
    code: FailureCode
    pin_sent: bool = False


@dataclass(frozen=True)
class CardRead(Event):
    """What the first look at the card told."""

    ticket: int
    has_photo: bool
    pin_tries_left: int | None


@dataclass(frozen=True)
class WorkFailed(Event):
    """A piece of work for READING, CHECKING or SENDING failed."""

    ticket: int
    code: FailureCode


@dataclass(frozen=True)
class Choose(Event):
    """The patient chose a way to verify identity."""

    method: Method


@dataclass(frozen=True)
class PinDigit(Event):
    """A digit was pressed; the conductor keeps it and tells the flow only how many there are."""

    digit: int = field(repr=False)


@dataclass(frozen=True)
class PinBackspace(Event):
    """The last digit is taken back."""


@dataclass(frozen=True)
class PinClear(Event):
    """All digits are taken back."""


@dataclass(frozen=True)
class PinTyped(Event):
    """That many PIN digits are there now."""

    digits: int


@dataclass(frozen=True)
class PinSubmit(Event):
    """The patient confirmed the PIN."""


@dataclass(frozen=True)
class AcceptLastTry(Event):
    """The patient wants to use the last PIN try."""


@dataclass(frozen=True)
class PinVerified(Event):
    """The card accepted the PIN."""

    ticket: int


@dataclass(frozen=True)
class PinMissed(Event):
    """The card refused the PIN; 0 tries left means that it is blocked."""

    ticket: int
    tries_left: int


@dataclass(frozen=True)
class FaceGuided(Event):
    """What the face gate asks of the patient now; empty: all is well."""

    ticket: int
    guidance: str


@dataclass(frozen=True)
class FaceMatched(Event):
    """The live face is that of the card's photo."""

    ticket: int


@dataclass(frozen=True)
class FaceFailed(Event):
    """The face could not be matched; ``usable``: it makes sense to offer it again."""

    ticket: int
    code: FailureCode
    usable: bool = True


@dataclass(frozen=True)
class BackToChoice(Event):
    """The patient wants to verify identity in another way."""


@dataclass(frozen=True)
class Identified(Event):
    """The server accepted the identity and says which questions apply."""

    ticket: int
    questions: tuple[Item, ...]


@dataclass(frozen=True)
class Answer(Event):
    """The patient answered the question on the screen."""

    answer: ConsentAnswer


@dataclass(frozen=True)
class Recorded(Event):
    """The server acknowledged the consents."""

    ticket: int


@dataclass(frozen=True)
class MoreTime(Event):
    """The patient asked for more time."""


@dataclass(frozen=True)
class Cancel(Event):
    """The patient goes back to the start."""


@dataclass(frozen=True)
class CallStaff(Event):
    """The patient calls staff."""


@dataclass(frozen=True)
class TimePassed(Event):
    """The moment that ``next_moment`` named has come."""


# --- Effects ----------------------------------------------------------------------------------------------------


class Effect(StrEnum):
    """What the conductor does for the flow; answers carry the session's occasion as their ticket."""

    READ_CARD = "READ_CARD"
    START_FACE = "START_FACE"
    STOP_FACE = "STOP_FACE"
    VERIFY_PIN = "VERIFY_PIN"
    READ_PHONE = "READ_PHONE"
    WIPE_PIN = "WIPE_PIN"
    IDENTIFY = "IDENTIFY"
    SEND_CONSENTS = "SEND_CONSENTS"
    POWER_OFF_CARD = "POWER_OFF_CARD"
    FORGET_VISIT = "FORGET_VISIT"
    LOG_LATE_EVENT = "LOG_LATE_EVENT"


# --- Session ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """All that the flow knows; holds nothing personal and no PIN digit."""

    config: Config
    state: State = S.OUT_OF_SERVICE
    visit: str = ""
    occasion: int = 0
    reader_ready: bool = False
    card_in: bool = False
    """This visit's card is in the reader."""
    next_visit: str = ""
    """A card that was put in before this visit was over; its visit begins when this one ends."""
    phones_ready: bool = False
    """The phone reader can be used."""
    phone_laid: bool = False
    """Something lies on the phone reader."""
    by_phone: bool = False
    """This visit is made with a phone; no card is in."""
    phone: Method | None = None
    """The kind of phone, once chosen."""
    has_photo: bool = False
    face_failures: int = 0
    pin_tries_left: int | None = None
    pin_digits: int = 0
    last_try_accepted: bool = False
    verifying: bool = False
    """Card or phone are being asked about the PIN; a second confirmation meanwhile must not cost a try."""
    guidance: str = ""
    identity: Method | None = None
    questions: tuple[Item, ...] = ()
    answers: tuple[tuple[Item, ConsentAnswer], ...] = ()
    failure: FailureCode | None = None
    completed: bool = False
    deadline: float | None = None
    warn_at: float | None = None
    reminders: int = 0

    @property
    def question(self) -> Item | None:
        """The question that is asked now."""
        if self.state in (S.CONSENT, S.LIMIT_CONSENT) and len(self.answers) < len(self.questions):
            return self.questions[len(self.answers)]
        return None

    @property
    def methods(self) -> tuple[Method, ...]:
        """The ways to verify identity that this card and this visit still allow."""
        if self.by_phone:
            return (Method.IPHONE, Method.ANDROID)
        ways = []
        if self.has_photo and self.face_failures < self.config.face.tries:
            ways.append(Method.FACE)
        if self.pin_tries_left:
            ways.append(Method.PIN)
        return tuple(ways)

    @property
    def asks_last_try(self) -> bool:
        """The last PIN try needs the patient's explicit yes."""
        return self.state is S.PIN_ENTRY and self.pin_tries_left == 1 and not self.last_try_accepted


Outcome = tuple[Session, tuple[Effect, ...]]
Handler = Callable[[Session, Event, float], Outcome]


@dataclass(frozen=True)
class Transition:
    """One allowed change: in these states, on this event, to one of these states."""

    states: tuple[State, ...]
    event: type[Event]
    to: tuple[State, ...]
    do: Handler
    note: str


def advance(session: Session, event: Event, now: float) -> Outcome:
    """Return the session after the event, and what is to be done; ``now`` in seconds, of any steady clock."""
    ticket = getattr(event, "ticket", None)
    row = _ROWS.get((session.state, type(event)))
    if row is None or ticket not in (None, session.occasion):
        return session, (Effect.LOG_LATE_EVENT,)
    after, effects = row.do(session, event, now)
    if after.state not in row.to and after is not session:
        raise AssertionError(f"{session.state} on {type(event).__name__} must not lead to {after.state}")
    return after, effects


def next_moment(session: Session) -> float | None:
    """Return when TimePassed is due, on the clock of ``now``; None: nothing is waited for."""
    moments = [moment for moment in (session.warn_at, session.deadline) if moment is not None]
    return min(moments, default=None)


# --- Entering a state -------------------------------------------------------------------------------------------


def _enter(session: Session, state: State, now: float) -> Session:
    wait = _wait_in(state, session)
    warned = state in ANSWERABLE and state is not S.FACE_MATCH and wait is not None
    warning = session.config.delays.warning_s
    return replace(
        session,
        state=state,
        occasion=session.occasion + 1,
        deadline=None if wait is None else now + wait,
        warn_at=now + max(0.0, wait - warning) if wait is not None and warned else None,
        pin_digits=0,
        verifying=False,
        guidance="",
        reminders=0,
    )


def _wait_in(state: State, session: Session) -> float | None:
    """Return how long a state may last, in seconds; None: until something happens."""
    delays = session.config.delays
    match state:
        case S.READING:
            return delays.reading_s
        case S.METHOD_CHOICE:
            return delays.choice_s
        case S.FACE_MATCH:
            # The match ends by itself; this catches an engine that does not.
            return session.config.face.time_limit_s + delays.checking_s
        case S.PIN_ENTRY:
            return delays.pin_s
        case S.PHONE_TAP:
            return delays.phone_s
        case S.CHECKING:
            return delays.checking_s
        case S.CONSENT | S.LIMIT_CONSENT | S.CARD_USE_OFFER:
            return delays.question_s
        case S.SENDING:
            return delays.sending_s
        case S.TAKE_CARD:
            return delays.reminder_s if session.card_in else delays.told_s
        case S.COMPLETE:
            return delays.farewell_s
        case S.CALL_STAFF:
            return None if session.card_in else delays.call_staff_s
        case S.WAITING:
            return delays.notice_s if session.failure else None
        case S.OUT_OF_SERVICE | S.VISUAL_CHECK:
            return None
        case _:
            assert_never(state)


_LET_GO = (Effect.STOP_FACE, Effect.WIPE_PIN, Effect.POWER_OFF_CARD, Effect.FORGET_VISIT)


def _rest(session: Session, failure: FailureCode | None, now: float) -> Outcome:
    """End the visit: ready for the next patient, or out of service while the reader is lost."""
    over = Session(
        session.config,
        visit=session.visit,
        occasion=session.occasion,
        reader_ready=session.reader_ready,
        phones_ready=session.phones_ready,
        phone_laid=session.phone_laid,
        card_in=session.card_in,
        failure=failure,
        identity=session.identity,
        completed=session.completed,
        pin_tries_left=session.pin_tries_left,
    )
    if session.next_visit and session.reader_ready:
        after, effects = _inserted(over, CardInserted(session.next_visit), now)
        return after, (*_LET_GO, *effects)
    return _enter(over, S.WAITING if session.reader_ready else S.OUT_OF_SERVICE, now), _LET_GO


def _give_up(session: Session, failure: FailureCode, now: float) -> Outcome:
    """End the visit incomplete, with words that stay until the card is taken."""
    return _enter(replace(session, failure=failure), S.CALL_STAFF, now), _LET_GO


def _choose_again(session: Session, failure: FailureCode | None, now: float) -> Outcome:
    after = replace(session, failure=failure, last_try_accepted=False)
    if not after.methods:
        last = failure if failure is FailureCode.PIN_BLOCKED else FailureCode.NO_METHOD_LEFT
        return _give_up(after, last, now)
    return _enter(after, S.METHOD_CHOICE, now), (Effect.STOP_FACE, Effect.WIPE_PIN)


# --- What the rows do -------------------------------------------------------------------------------------------


def _reader_ready(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, reader_ready=True)
    if session.state is not S.OUT_OF_SERVICE:
        return session, ()
    return _enter(session, S.WAITING, now), ()


def _reader_lost(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, ReaderLost)
    session = replace(session, reader_ready=False, card_in=False, next_visit="")
    if session.by_phone and session.state not in COMMITTED:
        return session, ()
    if session.state in COMMITTED:
        shorter = now + session.config.delays.told_s if session.state is S.TAKE_CARD else session.deadline
        return replace(session, deadline=shorter), ()
    return _rest(session, event.code, now)


def _new_visit(session: Session, visit: str, *, card_in: bool) -> Session:
    return Session(
        session.config,
        visit=visit,
        occasion=session.occasion,
        reader_ready=session.reader_ready,
        phones_ready=session.phones_ready,
        phone_laid=session.phone_laid,
        card_in=card_in,
        by_phone=not card_in,
    )


def _inserted(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, CardInserted)
    fresh = _new_visit(session, event.visit, card_in=True)
    return _enter(fresh, S.READING, now), (Effect.FORGET_VISIT, Effect.READ_CARD)


def _inserted_instead(session: Session, event: Event, now: float) -> Outcome:
    """A card put in while a phone was awaited: the patient has changed their mind."""
    if not session.by_phone:
        return session, (Effect.LOG_LATE_EVENT,)
    after, effects = _inserted(session, event, now)
    return after, (Effect.WIPE_PIN, Effect.POWER_OFF_CARD, *effects)


def _inserted_early(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, CardInserted)
    return replace(session, next_visit=event.visit), ()


def _mute(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, CardMute)
    fresh = _new_visit(session, event.visit, card_in=True)
    return _give_up(fresh, FailureCode.CARD_UNREADABLE, now)


def _removed(session: Session, event: Event, now: float) -> Outcome:
    if session.by_phone:
        # It was the card of somebody who waits for the next visit.
        return replace(session, next_visit=""), ()
    return _rest(replace(session, card_in=False), CARD_REMOVED_WHILE[session.state], now)


def _removed_at_limit(session: Session, event: Event, now: float) -> Outcome:
    if session.by_phone:
        return replace(session, next_visit=""), ()
    return _answered(replace(session, card_in=False), Answer(ConsentAnswer.DECLINED), now)


def _removed_after(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, card_in=False, next_visit=""), ()


def _taken(session: Session, event: Event, now: float) -> Outcome:
    if not session.card_in:
        return replace(session, next_visit=""), ()
    return _enter(replace(session, card_in=False), S.COMPLETE, now), (Effect.POWER_OFF_CARD,)


def _left(session: Session, event: Event, now: float) -> Outcome:
    return _rest(replace(session, card_in=False), session.failure, now)


def _read(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, CardRead)
    session = replace(session, has_photo=event.has_photo, pin_tries_left=event.pin_tries_left)
    blocked = FailureCode.PIN_BLOCKED if event.pin_tries_left == 0 else None
    return _choose_again(session, blocked, now)


def _work_failed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, WorkFailed)
    return _give_up(session, event.code, now)


def _chosen(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, Choose)
    if event.method not in session.methods:
        return session, (Effect.LOG_LATE_EVENT,)
    session = replace(session, failure=None)
    match event.method:
        case Method.FACE:
            return _enter(session, S.FACE_MATCH, now), (Effect.START_FACE,)
        case Method.PIN:
            return _enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)
        case Method.ANDROID:
            # The phone in the hand may be another one than before: its tries are not known yet.
            session = replace(session, phone=event.method, pin_tries_left=None, last_try_accepted=False)
            return _enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)
        case Method.IPHONE:
            return _await_phone(replace(session, phone=event.method), now)
        case _:
            assert_never(event.method)


def _pin_typed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, PinTyped)
    return replace(session, pin_digits=event.digits), ()


def _last_try_accepted(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, last_try_accepted=True), ()


def _pin_submitted(session: Session, event: Event, now: float) -> Outcome:
    if session.pin_digits != 4 or session.asks_last_try or session.verifying:
        return session, (Effect.LOG_LATE_EVENT,)
    if session.by_phone:
        return _await_phone(session, now)
    return replace(session, verifying=True), (Effect.VERIFY_PIN,)


def _phone_chosen(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, ChoosePhone)
    if not session.phones_ready or session.card_in:
        return session, (Effect.LOG_LATE_EVENT,)
    fresh = _new_visit(session, event.visit, card_in=False)
    return _enter(fresh, S.METHOD_CHOICE, now), (Effect.FORGET_VISIT,)


def _await_phone(session: Session, now: float) -> Outcome:
    after = _enter(session, S.PHONE_TAP, now)
    # Level before edge: a phone that lies there already is read at once.
    return _phone_laid(after, PhoneLaid(), now) if session.phone_laid else (after, ())


def _phone_laid(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, phone_laid=True)
    if session.state is not S.PHONE_TAP or session.verifying:
        return session, ()
    return replace(session, verifying=True, failure=None), (Effect.READ_PHONE,)


def _phone_lifted(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, phone_laid=False), ()


def _phone_read(session: Session, event: Event, now: float) -> Outcome:
    # Android's PIN was typed here; an iPhone has asked its owner itself.
    identity = Method.PIN if session.phone is Method.ANDROID else Method.IPHONE
    session = replace(session, identity=identity, failure=None)
    return _enter(session, S.CHECKING, now), (Effect.WIPE_PIN, Effect.IDENTIFY)


def _phone_failed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, PhoneFailed)
    session = replace(session, failure=event.code, last_try_accepted=False)
    if event.pin_sent:
        return _enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)
    return _enter(session, S.PHONE_TAP, now), ()


def _phone_last_try(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, pin_tries_left=1, last_try_accepted=False, failure=None)
    return _enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)


def _phone_reader_ready(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, phones_ready=True), ()


def _phone_reader_lost(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, phones_ready=False, phone_laid=False)
    if session.by_phone and session.state in (S.METHOD_CHOICE, S.PIN_ENTRY, S.PHONE_TAP):
        return _rest(session, FailureCode.PHONE_READER_LOST, now)
    return session, ()


def _pin_verified(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, identity=Method.PIN, failure=None)
    return _enter(session, S.CHECKING, now), (Effect.WIPE_PIN, Effect.IDENTIFY)


def _pin_missed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, PinMissed)
    session = replace(session, pin_tries_left=event.tries_left, failure=FailureCode.PIN_WRONG)
    if event.tries_left == 0 and session.by_phone:
        return _give_up(session, FailureCode.PHONE_PIN_BLOCKED, now)
    if event.tries_left == 0:
        return _choose_again(session, FailureCode.PIN_BLOCKED, now)
    return _enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)


def _face_guided(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, FaceGuided)
    return replace(session, guidance=event.guidance), ()


def _face_matched(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, identity=Method.FACE, failure=None)
    return _enter(session, S.CHECKING, now), (Effect.STOP_FACE, Effect.IDENTIFY)


def _face_failed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, FaceFailed)
    failures = session.face_failures + 1 if event.usable else session.config.face.tries
    return _choose_again(replace(session, face_failures=failures), event.code, now)


def _back(session: Session, event: Event, now: float) -> Outcome:
    if session.verifying:
        return session, (Effect.LOG_LATE_EVENT,)
    return _choose_again(session, None, now)


def _identified(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, Identified)
    return _ask_next(replace(session, questions=event.questions), now)


def _answered(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, Answer)
    question = session.question
    assert question is not None
    return _ask_next(replace(session, answers=(*session.answers, (question, event.answer))), now)


def _ask_next(session: Session, now: float) -> Outcome:
    if len(session.answers) == len(session.questions):
        return _enter(session, S.SENDING, now), (Effect.SEND_CONSENTS,)
    item = session.questions[len(session.answers)]
    return _enter(session, S.LIMIT_CONSENT if item is Item.LIMIT_AMOUNT else S.CONSENT, now), ()


def _recorded(session: Session, event: Event, now: float) -> Outcome:
    done = replace(session, completed=True, failure=None)
    return _enter(done, S.TAKE_CARD, now), (Effect.POWER_OFF_CARD,)


def _more_time(session: Session, event: Event, now: float) -> Outcome:
    fresh = _enter(session, session.state, now)
    return replace(session, deadline=fresh.deadline, warn_at=fresh.warn_at), ()


def _cancelled(session: Session, event: Event, now: float) -> Outcome:
    if session.by_phone:
        return _rest(session, FailureCode.CANCELLED, now)
    return _give_up(session, FailureCode.CANCELLED, now)


def _staff_called(session: Session, event: Event, now: float) -> Outcome:
    return _give_up(session, FailureCode.STAFF_CALLED, now)


def _time_passed(session: Session, event: Event, now: float) -> Outcome:
    """The one place for every wait that ends; an answer is waited for only after its warning was given."""
    if session.warn_at is not None and now >= session.warn_at:
        # Noticed late, as after a suspend: the warning still lasts as long as it should.
        lasts = 0.0 if session.deadline is None else session.deadline - session.warn_at
        return replace(session, warn_at=None, deadline=max(session.deadline or 0.0, now + lasts)), ()
    if session.deadline is None or now < session.deadline:
        return session, ()
    match session.state:
        case S.READING:
            return _give_up(session, FailureCode.CARD_STALLED, now)
        case S.METHOD_CHOICE if session.by_phone:
            return _rest(session, FailureCode.ANSWER_TIMED_OUT, now)
        case S.METHOD_CHOICE:
            return _give_up(session, FailureCode.ANSWER_TIMED_OUT, now)
        case S.PHONE_TAP:
            late = FailureCode.PHONE_UNREADABLE if session.verifying else FailureCode.ANSWER_TIMED_OUT
            return _rest(session, late, now)
        case S.PIN_ENTRY if session.by_phone:
            return _rest(session, FailureCode.ANSWER_TIMED_OUT, now)
        case S.PIN_ENTRY:
            late = FailureCode.CARD_STALLED if session.verifying else FailureCode.ANSWER_TIMED_OUT
            return _give_up(session, late, now)
        case S.FACE_MATCH:
            return _face_failed(session, FaceFailed(session.occasion, FailureCode.FACE_ENGINE_LOST), now)
        case S.CHECKING | S.SENDING:
            return _give_up(session, FailureCode.SERVER_TIMED_OUT, now)
        case S.CONSENT | S.LIMIT_CONSENT:
            return _answered(session, Answer(ConsentAnswer.DECLINED), now)
        case S.TAKE_CARD:
            if not session.card_in:
                return _enter(session, S.COMPLETE, now), ()
            wait = session.config.delays.reminder_s
            return replace(session, reminders=session.reminders + 1, deadline=now + wait), ()
        case S.COMPLETE:
            return _rest(session, None, now)
        case S.CALL_STAFF:
            return _rest(session, session.failure, now)
        case S.WAITING:
            # The notice has been read long enough; the next patient must not take it for theirs.
            return replace(session, deadline=None, failure=None), ()
        case S.OUT_OF_SERVICE | S.VISUAL_CHECK | S.CARD_USE_OFFER:
            return session, ()
        case _:
            assert_never(session.state)


_AFTER_ANSWER = (S.CONSENT, S.LIMIT_CONSENT, S.SENDING)
_REST = (S.WAITING, S.OUT_OF_SERVICE, S.READING)
_CHOICE = (S.METHOD_CHOICE, S.CALL_STAFF)
_BEFORE_PHONE = (S.METHOD_CHOICE, S.PIN_ENTRY, S.PHONE_TAP)
_IN_VISIT = (*REVOCABLE, S.PHONE_TAP, S.LIMIT_CONSENT)

TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        (S.OUT_OF_SERVICE, S.CALL_STAFF, *COMMITTED),
        ReaderReady,
        (S.WAITING, S.CALL_STAFF, *COMMITTED),
        _reader_ready,
        "reader is back",
    ),
    Transition(
        (S.WAITING, S.CALL_STAFF, S.OUT_OF_SERVICE, *_IN_VISIT, *COMMITTED),
        ReaderLost,
        (S.OUT_OF_SERVICE, *COMMITTED, *_IN_VISIT),
        _reader_lost,
        "ends the visit with nothing sent; not from SENDING on, and not a visit by phone",
    ),
    Transition(
        (S.WAITING, S.COMPLETE, S.CALL_STAFF), CardInserted, (S.READING,), _inserted, "a new visit begins"
    ),
    Transition(
        _BEFORE_PHONE,
        CardInserted,
        (S.READING,),
        _inserted_instead,
        "of a visit by phone: a visit with the card begins",
    ),
    Transition(
        (S.CHECKING, S.CONSENT, S.LIMIT_CONSENT, S.SENDING, S.TAKE_CARD),
        CardInserted,
        (S.CHECKING, S.CONSENT, S.LIMIT_CONSENT, S.SENDING, S.TAKE_CARD),
        _inserted_early,
        "the next visit begins when this one is over",
    ),
    Transition(tuple(State), PhoneReaderReady, tuple(State), _phone_reader_ready, "phones can be offered"),
    Transition(
        tuple(State),
        PhoneReaderLost,
        tuple(State),
        _phone_reader_lost,
        "ends a visit whose phone was not read yet",
    ),
    Transition((S.WAITING,), ChoosePhone, (S.METHOD_CHOICE,), _phone_chosen, "a new visit, without a card"),
    Transition(tuple(State), PhoneLaid, tuple(State), _phone_laid, "in PHONE_TAP: the phone is read"),
    Transition(tuple(State), PhoneLifted, tuple(State), _phone_lifted, "the phone is not needed any more"),
    Transition((S.PHONE_TAP,), PhoneRead, (S.CHECKING,), _phone_read, "certificate and signature are there"),
    Transition((S.PHONE_TAP,), PhoneLastTry, (S.PIN_ENTRY,), _phone_last_try, "the last try needs a yes"),
    Transition(
        (S.PHONE_TAP,),
        PhoneFailed,
        (S.PHONE_TAP, S.PIN_ENTRY),
        _phone_failed,
        "lay it on again, or type again",
    ),
    Transition((S.WAITING, S.COMPLETE), CardMute, (S.CALL_STAFF,), _mute, "upside down, or not a chip card"),
    Transition(
        REVOCABLE,
        CardRemoved,
        (*_REST, *REVOCABLE),
        _removed,
        "ends the visit with nothing sent; not a visit by phone",
    ),
    Transition(
        (S.LIMIT_CONSENT,),
        CardRemoved,
        (S.SENDING, S.LIMIT_CONSENT),
        _removed_at_limit,
        "limit amount declined, visit goes on",
    ),
    Transition(
        (S.SENDING, S.COMPLETE),
        CardRemoved,
        (S.SENDING, S.COMPLETE),
        _removed_after,
        "never cancels what is sent",
    ),
    Transition((S.TAKE_CARD,), CardRemoved, (S.COMPLETE, S.TAKE_CARD), _taken, "card taken"),
    Transition((S.CALL_STAFF,), CardRemoved, _REST, _left, "card taken, the reason stays shown for a while"),
    Transition((S.READING,), CardRead, _CHOICE, _read, "offers what the card allows"),
    Transition(
        (S.READING, S.PIN_ENTRY, S.PHONE_TAP, S.CHECKING, S.SENDING),
        WorkFailed,
        (S.CALL_STAFF,),
        _work_failed,
        "says what to do",
    ),
    Transition(
        (S.METHOD_CHOICE,),
        Choose,
        (S.FACE_MATCH, S.PIN_ENTRY, S.PHONE_TAP),
        _chosen,
        "only what is offered",
    ),
    Transition((S.PIN_ENTRY,), PinTyped, (S.PIN_ENTRY,), _pin_typed, "number of digits only"),
    Transition((S.PIN_ENTRY,), AcceptLastTry, (S.PIN_ENTRY,), _last_try_accepted, "the last try needs a yes"),
    Transition(
        (S.PIN_ENTRY,),
        PinSubmit,
        (S.PIN_ENTRY, S.PHONE_TAP),
        _pin_submitted,
        "asks the card, once; or the phone",
    ),
    Transition((S.PIN_ENTRY,), PinVerified, (S.CHECKING,), _pin_verified, "PIN right"),
    Transition(
        (S.PIN_ENTRY, S.PHONE_TAP),
        PinMissed,
        (S.PIN_ENTRY, *_CHOICE),
        _pin_missed,
        "PIN wrong; blocked: other ways",
    ),
    Transition((S.FACE_MATCH,), FaceGuided, (S.FACE_MATCH,), _face_guided, "what to do for the camera"),
    Transition((S.FACE_MATCH,), FaceMatched, (S.CHECKING,), _face_matched, "face of the card's photo"),
    Transition((S.FACE_MATCH,), FaceFailed, _CHOICE, _face_failed, "back to the choice with the reason"),
    Transition((S.FACE_MATCH, S.PIN_ENTRY, S.PHONE_TAP), BackToChoice, _CHOICE, _back, "another way"),
    Transition((S.CHECKING,), Identified, _AFTER_ANSWER, _identified, "the questions that apply"),
    Transition((S.CONSENT, S.LIMIT_CONSENT), Answer, _AFTER_ANSWER, _answered, "next question, or send"),
    Transition((S.SENDING,), Recorded, (S.TAKE_CARD,), _recorded, "the server has acknowledged"),
    Transition(ANSWERABLE, MoreTime, ANSWERABLE, _more_time, "the wait begins anew"),
    Transition(_IN_VISIT, Cancel, (S.CALL_STAFF, *_REST), _cancelled, "nothing sent; take the card"),
    Transition(
        (*_IN_VISIT, S.CALL_STAFF), CallStaff, (S.CALL_STAFF,), _staff_called, "nothing sent; staff come"
    ),
    Transition(
        tuple(State), TimePassed, tuple(State), _time_passed, "warn first; then a no, the choice, or staff"
    ),
)
"""Every allowed change. README's table is made from this."""

_ROWS: dict[tuple[State, type[Event]], Transition] = {
    (state, row.event): row for row in TRANSITIONS for state in row.states
}


def table() -> str:
    """Return the transitions as a Markdown table."""
    lines = ["| in | on | to | |", "|---|---|---|---|"]
    for row in TRANSITIONS:
        everywhere = len(row.states) == len(State)
        states = "every state" if everywhere else " ".join(row.states)
        to = "depends on the state" if everywhere else " ".join(dict.fromkeys(row.to))
        lines.append(f"| {states} | {row.event.__name__} | {to} | {row.note} |")
    return "\n".join(lines)
