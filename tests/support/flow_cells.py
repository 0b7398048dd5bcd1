"""The matrix played against the flow alone, on a made clock, and what else a visit hears on its way.

Each cell raises AssertionError when something else comes of it than the rules of reception.testing.matrix say. The
rules know nothing of the flow's table, so that a table with a row missing is noticed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

from consent.choices import ConsentAnswer, Item, PrescriptionForm
from reception import flow
from reception.flow import (
    AttributeOutcome,
    DisplayMode,
    Effect,
    Event,
    HelpTopic,
    Language,
    Method,
    StaffText,
    State,
)
from reception.flow.failures import FailureCode
from reception.testing.matrix.rules import IDENTITY_FAILS, Disturbance, Outcome, expected, failures_of
from reception.testing.verbs import Patient
from tests.support.walk import QUESTIONS, Walk, in_state

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED
S, D, O = State, Disturbance, Outcome  # noqa: E741
REST = (S.WAITING, S.OUT_OF_SERVICE)
STEPS = 40
"""More than any visit has."""


@dataclass
class Surroundings:
    """What answers the flow: card, server and patient, in good order unless something is said."""

    server_fails: FailureCode | None = None
    stalls: bool = False

    def step(self, walk: Walk) -> tuple[Event, ...]:
        """Return what happens next in this state; nothing: time passes."""
        session, occasion = walk.session, walk.occasion
        using = (S.READING, S.PIN_ENTRY, S.CHECKING)
        if self.stalls and session.state in using and session.visit.card_use is None:
            stalled = FailureCode.CARD_STALLED
            asked = (flow.PinTyped(4), flow.PinSubmit()) if session.state is S.PIN_ENTRY else ()
            return (*asked, flow.WorkFailed(occasion, stalled), flow.ReaderLost(stalled))
        match session.state:
            case S.READING:
                return (flow.CardRead(occasion, True, 3),)
            case S.FACE_MATCH:
                return (flow.FaceMatched(occasion),)
            case S.PIN_ENTRY:
                return (flow.PinTyped(4), flow.PinSubmit(), flow.PinVerified(occasion))
            case S.PHONE_TAP:
                if self.server_fails:
                    return (flow.PhoneLaid(), flow.WorkFailed(occasion, self.server_fails))
                return (flow.PhoneLaid(), flow.PhoneRead(occasion))
            case S.CHECKING | S.SENDING if self.server_fails:
                return (flow.WorkFailed(occasion, self.server_fails),)
            case S.CHECKING if session.visit.card_use is DECLINED:
                return (flow.WorkFailed(occasion, FailureCode.CARD_USE_DECLINED),)
            case S.CHECKING:
                return (flow.Identified(occasion, QUESTIONS),)
            case S.SENDING:
                return (flow.Recorded(occasion),)
            case S.ATTRIBUTE_SIGN:
                signed = (flow.SigningTyped(6), flow.SigningSubmit())
                if self.stalls:
                    failed = flow.AttributesDone(occasion, AttributeOutcome.NOT_RECORDED)
                    return (*signed, failed, flow.ReaderLost(FailureCode.CARD_STALLED))
                outcome = AttributeOutcome.NOT_RECORDED if self.server_fails else AttributeOutcome.GIVEN
                return (*signed, flow.AttributesDone(occasion, outcome))
            case S.TAKE_CARD if session.visit.card_in:
                return (flow.CardRemoved(),)
        patient = Patient(Method.IPHONE if session.visit.by_phone else Method.PIN)
        tap = patient.tap(session.state)
        return () if tap is None else (tap,)

    def go_on(self, walk: Walk, *until: State, same: bool = True) -> None:
        """Go on to one of these states; ``same``: of this visit only."""
        visit = walk.session.visit.id
        for _ in range(STEPS):
            if walk.state() in until or (same and walk.session.visit.id != visit):
                return
            events = self.step(walk)
            if events:
                walk.on(*events)
            else:
                walk.wait()
        raise AssertionError(f"never came to {until}, but to {walk.state()}")


def cells() -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield every cell that concerns the flow, with its name."""
    for disturbance in Disturbance:
        for state in State:
            rule = expected(state, disturbance, "simulated")
            if rule.outcome is not O.NONE and disturbance is not D.TERMINAL_KILLED:
                yield f"{disturbance} in {state}", partial(play, state, disturbance)


def play(state: State, disturbance: Disturbance) -> None:
    """Play one cell, and the next patient after it."""
    rule = expected(state, disturbance, "simulated")
    codes = failures_of(rule, state)
    around = Surroundings()
    walk = in_state(state)
    assert walk.state() is state, f"came to {walk.state()}"
    walk.effects.clear()
    told = _disturb(walk, around, disturbance)
    _CHECKS[rule.outcome](walk, around, state, codes, told)
    _next_patient(walk)


def _disturb(walk: Walk, around: Surroundings, disturbance: Disturbance) -> FailureCode | None:
    """Let it happen; return the failure that was told before another visit began."""
    state, occasion = walk.state(), walk.occasion
    matching = state is S.FACE_MATCH
    match disturbance:
        case D.CARD_PULLED:
            walk.on(flow.CardRemoved())
        case D.CARD_SWAPPED:
            walk.on(flow.CardRemoved())
            told = walk.session.visit.failure
            walk.on(flow.CardInserted("visit-2"))
            return told
        case D.CARD_STALLED:
            around.stalls = True
        case D.READER_UNPLUGGED:
            walk.on(flow.ReaderLost(FailureCode.READER_LOST))
        case D.SERVICE_KILLED:
            walk.on(flow.ReaderLost(FailureCode.READER_SERVICE_DOWN))
        case D.CAMERA_UNPLUGGED:
            walk.on(flow.CameraLost())
            assert not walk.session.desk.camera_ready
            walk.on(
                *([flow.FaceFailed(occasion, FailureCode.FACE_CAMERA_LOST, usable=False)] if matching else [])
            )
        case D.CAMERA_BLACK | D.CAMERA_FROZEN if matching:
            walk.on(flow.FaceFailed(occasion, FailureCode.FACE_CAMERA_LOST, usable=False), flow.CameraLost())
        case D.ENGINE_KILLED if matching:
            walk.on(flow.FaceFailed(occasion, FailureCode.FACE_ENGINE_LOST))
        case D.SERVER_DOWN | D.SERVER_SLOW | D.SERVER_GARBLED | D.ANSWER_LOST:
            around.server_fails = FailureCode(IDENTITY_FAILS[disturbance])
        case D.CANCEL:
            walk.on(flow.Cancel())
        case D.CALL_STAFF:
            walk.on(flow.CallStaff())
        case D.TIME_OUT:
            _run_out(walk)
        case D.DOUBLE_TAP:
            _tap_twice(walk)
    return walk.session.visit.failure


def _run_out(walk: Walk) -> None:
    """Let the wait end, warnings and all."""
    state, occasion, reminders = walk.state(), walk.occasion, walk.session.reminders
    for _ in range(3):
        if flow.next_moment(walk.session) is None:
            return
        walk.wait() if state is not S.FACE_MATCH else walk.on(
            flow.FaceFailed(occasion, FailureCode.FACE_NOT_SEEN)
        )
        if (walk.state(), walk.occasion, walk.session.reminders) != (state, occasion, reminders):
            return
    raise AssertionError(f"{state} never ends")


def _tap_twice(walk: Walk) -> None:
    event = Patient().tap(walk.state())
    assert event is not None
    if walk.state() is S.PIN_ENTRY:
        walk.on(flow.PinTyped(4))
    if walk.state() is S.ATTRIBUTE_SIGN:
        walk.on(flow.SigningTyped(6))
    assert walk.on(event) != (Effect.LOG_LATE_EVENT,), "the first tap was not heard"
    assert walk.on(event) == (Effect.LOG_LATE_EVENT,), "the second tap was heard"
    if walk.state() is S.PIN_ENTRY:
        walk.on(flow.PinVerified(walk.occasion))
    if walk.state() is S.ATTRIBUTE_SIGN:
        walk.on(flow.AttributesDone(walk.occasion, AttributeOutcome.GIVEN))


# --- What must come of it -------------------------------------------------------------------------------------------


def _nothing_sent(walk: Walk) -> None:
    assert Effect.SEND_CONSENTS not in walk.effects, "sent"
    assert not walk.session.visit.completed, "shown complete"


def _given_up(walk: Walk, codes: frozenset[str], told: FailureCode | None) -> None:
    _nothing_sent(walk)
    assert told in codes, f"told {told} instead of {set(codes)}"
    gone = {Effect.FORGET_VISIT, Effect.WIPE_PIN, Effect.POWER_OFF_CARD, Effect.STOP_FACE}
    assert gone <= set(walk.effects), f"kept: {gone - set(walk.effects)}"


def _goes_on(walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: object) -> None:
    match state:
        case S.CALL_STAFF:
            assert walk.state() in (S.CALL_STAFF, S.WAITING)
            assert walk.session.visit.failure is FailureCode.STAFF_CALLED
            return
        case S.WAITING | S.OUT_OF_SERVICE:
            assert walk.state() is state
            return
    around.go_on(walk, *REST)
    assert walk.session.visit.completed, "not shown complete"
    sent = walk.effects.count(Effect.SEND_CONSENTS)
    assert sent == (0 if state in flow.COMMITTED else 1), f"sent {sent} times"
    assert DECLINED not in dict(walk.session.visit.answers).values()


def _ends(
    walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: FailureCode | None
) -> None:
    assert walk.state() is S.WAITING, f"came to {walk.state()}"
    _given_up(walk, codes, told)
    # The next patient must not take it for theirs.
    walk.wait()
    assert walk.session.visit.failure is None


def _staff(
    walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: FailureCode | None
) -> None:
    if walk.state() is S.WAITING:
        walk.on(flow.CardInserted("visit-1"))
    around.go_on(walk, S.CALL_STAFF)
    told = walk.session.visit.failure
    kept = walk.session.visit.interrupted is not None
    if not kept:
        _given_up(walk, codes, told)
    around.server_fails = None
    if walk.session.visit.card_in:
        assert flow.next_moment(walk.session) is None, "the words go before the card is taken"
        walk.on(flow.CardRemoved())
    else:
        walk.wait()
    if kept:
        # The visit waits while staff come; it ends when the card is taken, or nobody came.
        _given_up(walk, codes, told)
    assert walk.state() is S.WAITING


def _choice(
    walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: FailureCode | None
) -> None:
    assert (walk.state(), told in codes) == (S.METHOD_CHOICE, True), f"{walk.state()} {told}"
    around.go_on(walk, *REST)
    assert walk.session.visit.completed


def _declined(walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: object) -> None:
    asked = Item.LIMIT_AMOUNT if state is S.LIMIT_CONSENT else Item.MEDICATION
    assert dict(walk.session.visit.answers).get(asked) is DECLINED
    around.go_on(walk, *REST)
    assert walk.session.visit.completed


def _out(
    walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: FailureCode | None
) -> None:
    around.go_on(walk, S.OUT_OF_SERVICE)
    assert walk.state() is S.OUT_OF_SERVICE
    _given_up(walk, codes, walk.session.visit.failure)
    walk.on(flow.ReaderReady())
    assert walk.state() is S.WAITING
    if around.stalls:
        walk.on(flow.CardInserted("visit-2", already_in=True))
        assert (walk.state(), walk.session.visit.id) == (S.READING, "visit-2")
        walk.on(flow.CardRemoved())


def _out_after(walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: object) -> None:
    around.go_on(walk, *REST)
    assert (walk.state(), walk.session.visit.completed) == (S.OUT_OF_SERVICE, True)
    walk.on(flow.ReaderReady())
    assert walk.state() is S.WAITING


def _next(
    walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: FailureCode | None
) -> None:
    assert (walk.state(), walk.session.visit.id) == (S.READING, "visit-2"), walk.state()
    _given_up(walk, codes, told)
    walk.on(flow.CardRemoved())


def _next_after(walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: object) -> None:
    if state is not S.TAKE_CARD:
        around.go_on(walk, S.COMPLETE)
        assert walk.session.visit.completed, "not shown complete"
        around.go_on(walk, *REST)
    assert (walk.state(), walk.session.visit.id) == (S.READING, "visit-2"), walk.state()
    walk.on(flow.CardRemoved())


def _open_end(
    walk: Walk, around: Surroundings, state: State, codes: frozenset[str], told: FailureCode | None
) -> None:
    around.go_on(walk, S.CALL_STAFF)
    assert walk.session.visit.failure in codes
    assert not walk.session.visit.completed
    walk.on(flow.CardRemoved())


Check = Callable[[Walk, Surroundings, State, frozenset[str], Any], None]

_CHECKS: dict[Outcome, Check] = {
    O.GOES_ON: _goes_on,
    O.ENDS: _ends,
    O.STAFF: _staff,
    O.CHOICE: _choice,
    O.DECLINED: _declined,
    O.OUT: _out,
    O.OUT_AFTER: _out_after,
    O.NEXT: _next,
    O.NEXT_AFTER: _next_after,
    O.RECORDED_UNSEEN: _open_end,
    O.NOT_RECORDED: _open_end,
}


def _next_patient(walk: Walk) -> None:
    if walk.state() is S.OUT_OF_SERVICE:
        walk.on(flow.ReaderReady())
    if walk.state() is S.CALL_STAFF:
        walk.on(flow.CardRemoved())
    assert walk.state() is S.WAITING, f"the next patient finds {walk.state()}"
    walk.on(flow.CardInserted("next"))
    Surroundings().go_on(walk, S.COMPLETE)
    assert (walk.session.visit.id, walk.session.visit.completed) == ("next", True), (
        "the next patient was not checked in"
    )


# --- What else a visit hears ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """Something that is heard in some states: it is not late, and is seen in the session."""

    what: str
    states: tuple[State, ...]
    events: tuple[Event, ...]
    shows: tuple[tuple[str, object], ...]
    """Attributes of the session after it."""
    then: State | None = None
    """Where it leads; None: nowhere."""

    def play(self, state: State) -> None:
        walk = in_state(state)
        assert walk.state() is state
        for event in self.events:
            assert Effect.LOG_LATE_EVENT not in walk.on(event), f"{type(event).__name__} is late in {state}"
        assert walk.state() is (self.then or state), f"came to {walk.state()}"
        for name, value in self.shows:
            shown = attrgetter(name)(walk.session)
            assert shown == value, f"{name} is {shown}"


EVERY = tuple(State)
AWAKE = tuple(state for state in State if state is not S.WAITING)
NOT_OUT = tuple(state for state in State if state is not S.OUT_OF_SERVICE)
WITHOUT_CARD_READER = tuple(state for state in flow.COMMITTED if state not in flow.OFFERING)
PHONES_LOST = tuple(state for state in State if state is not S.PHONE_TAP)
CODE_WRONG = FailureCode.CARD_WRONG
LEAVABLE = (
    *(S.READING, S.METHOD_CHOICE, S.FACE_MATCH, S.PIN_ENTRY, S.PHONE_TAP, S.VISUAL_CHECK),
    *(S.CHECKING, S.CARD_USE_OFFER, S.CONSENT, S.LIMIT_CONSENT),
)

HEARD = (
    Heard("the reader says that it is there", NOT_OUT, (flow.ReaderReady(),), (("desk.reader_ready", True),)),
    Heard(
        "a reader that was lost is back before it is needed",
        WITHOUT_CARD_READER,
        (flow.ReaderLost(FailureCode.READER_LOST), flow.ReaderReady()),
        (("desk.reader_ready", True),),
    ),
    Heard(
        "a lost reader tells its newest reason",
        (S.OUT_OF_SERVICE,),
        (flow.ReaderLost(FailureCode.READER_LOST), flow.ReaderLost(FailureCode.READER_SERVICE_DOWN)),
        (("visit.failure", FailureCode.READER_SERVICE_DOWN),),
    ),
    Heard("staff are called again", (S.CALL_STAFF,), (flow.CallStaff(),), ()),
    Heard("staff take a call on", EVERY, (flow.TakeOnCall(),), (("desk.called", False),)),
    Heard("やめる asks first", LEAVABLE, (flow.AskCancel(),), (("leaving", True),)),
    Heard("やめる is taken back", LEAVABLE, (flow.AskCancel(), flow.KeepOn()), (("leaving", False),)),
    Heard("the patient goes on after a call", (S.CALL_STAFF,), (flow.KeepOn(),), (), S.METHOD_CHOICE),
    Heard(
        "one question back",
        (S.CONSENT,),
        (flow.Answer(GIVEN), flow.PreviousQuestion()),
        (("visit.answers", ()),),
    ),
    Heard("back from the limit question", (S.LIMIT_CONSENT,), (flow.PreviousQuestion(),), (), S.CONSENT),
    Heard("staff open an open desk", (S.WAITING,), (flow.OpenDesk(),), (("desk.open", True),)),
    Heard("the phone reader is there", EVERY, (flow.PhoneReaderReady(),), (("desk.phones_ready", True),)),
    Heard(
        "the phone reader goes",
        PHONES_LOST,
        (flow.PhoneReaderReady(), flow.PhoneReaderLost()),
        (("desk.phones_ready", False),),
    ),
    Heard(
        "the phone reader goes before the phone was read",
        (S.PHONE_TAP,),
        (flow.PhoneReaderLost(),),
        (("visit.failure", FailureCode.PHONE_READER_LOST),),
        S.WAITING,
    ),
    Heard("a phone is laid on", EVERY, (flow.PhoneLaid(),), (("desk.phone_laid", True),)),
    Heard("a phone is lifted", EVERY, (flow.PhoneLaid(), flow.PhoneLifted()), (("desk.phone_laid", False),)),
    Heard("the camera goes", EVERY, (flow.CameraLost(),), (("desk.camera_ready", False),)),
    Heard(
        "the camera comes back",
        EVERY,
        (flow.CameraLost(), flow.CameraReady()),
        (("desk.camera_ready", True),),
    ),
    Heard("a language", EVERY, (flow.ChooseLanguage(Language.KO),), (("desk.language", Language.KO),)),
    Heard(
        "a display mode",
        EVERY,
        (flow.ChooseDisplay(DisplayMode.LARGE),),
        (("desk.display", DisplayMode.LARGE),),
    ),
    Heard(
        "a text of staff",
        EVERY,
        (flow.ShowStaffText(StaffText.COMING),),
        (("visit.staff_text", StaffText.COMING),),
    ),
    Heard("staff close", AWAKE, (flow.CloseDesk(),), (("desk.open", False),)),
    Heard(
        "staff close an empty desk",
        (S.WAITING,),
        (flow.CloseDesk(),),
        (("desk.open", False),),
        S.OUT_OF_SERVICE,
    ),
    Heard("staff open again", EVERY, (flow.CloseDesk(), flow.OpenDesk()), (("desk.open", True),)),
    Heard("more time", flow.ANSWERABLE, (flow.MoreTime(),), ()),
    Heard(
        "help is read on",
        (S.WAITING,),
        (flow.AskHelp(HelpTopic.LOST), flow.MoreTime()),
        (("help", HelpTopic.LOST),),
    ),
    Heard("help", (S.WAITING, S.METHOD_CHOICE), (flow.AskHelp(HelpTopic.LOST),), (("help", HelpTopic.LOST),)),
    Heard(
        "help is left", (S.WAITING, S.METHOD_CHOICE), (flow.AskHelp(), flow.LeaveHelp()), (("help", None),)
    ),
    Heard(
        "something without an answer is put in",
        (S.WAITING, S.COMPLETE),
        (flow.CardMute("visit-9"),),
        (("visit.failure", FailureCode.CARD_UNREADABLE), ("visit.id", "visit-9")),
        S.CALL_STAFF,
    ),
    Heard(
        "a card before this visit is over",
        (S.CHECKING, S.CONSENT, S.LIMIT_CONSENT, S.SENDING, S.TAKE_CARD),
        (flow.CardInserted("visit-9"),),
        (("visit.next_visit", "visit-9"),),
    ),
    Heard(
        "a card after this visit",
        (S.COMPLETE, S.CALL_STAFF),
        (flow.CardInserted("visit-9"),),
        (("visit.id", "visit-9"),),
        S.READING,
    ),
    Heard(
        "a card in place of the phone",
        (S.PHONE_TAP,),
        (flow.CardInserted("visit-9"),),
        (("visit.id", "visit-9"), ("visit.by_phone", False)),
        S.READING,
    ),
    Heard(
        "another way",
        (S.FACE_MATCH, S.PIN_ENTRY, S.PHONE_TAP),
        (flow.BackToChoice(),),
        (("visit.failure", None),),
        S.METHOD_CHOICE,
    ),
    Heard(
        "staff compare by sight",
        (S.METHOD_CHOICE, S.FACE_MATCH, S.PIN_ENTRY),
        (flow.StaffStartVisual("staff-1"),),
        (("visit.staff", "staff-1"),),
        S.VISUAL_CHECK,
    ),
    Heard(
        "staff compare by sight after all, with a new look at the card",
        (S.CALL_STAFF,),
        (flow.StaffStartVisual("staff-1"),),
        (("visit.visual_wanted", True),),
        S.READING,
    ),
    Heard(
        "staff cannot tell",
        (S.VISUAL_CHECK,),
        (flow.StaffRefuseVisual(),),
        (("visit.failure", FailureCode.VISUAL_REFUSED),),
        S.METHOD_CHOICE,
    ),
)


def _heard_of_work() -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what answers one piece of work, in every state in which that work is done."""

    def answer(
        state: State, make: Callable[[int], tuple[Event, ...]], then: State, shows: dict[str, object]
    ) -> None:
        walk = in_state(state)
        assert walk.state() is state
        effects = walk.on(*make(walk.occasion))
        assert Effect.LOG_LATE_EVENT not in effects
        assert walk.state() is then, f"came to {walk.state()}"
        for name, value in shows.items():
            shown = attrgetter(name)(walk.session)
            assert shown == value, f"{name} is {shown}"

    for state in (S.READING, S.PIN_ENTRY, S.PHONE_TAP, S.CHECKING, S.SENDING):
        failed = partial(
            answer,
            state,
            lambda t: (flow.WorkFailed(t, CODE_WRONG),),
            S.CALL_STAFF,
            {"visit.failure": CODE_WRONG},
        )
        yield f"work fails in {state}", failed
    for state in (S.PIN_ENTRY, S.PHONE_TAP):
        missed = partial(
            answer,
            state,
            lambda t: (flow.PinMissed(t, 2),),
            S.PIN_ENTRY,
            {"visit.pin_tries_left": 2, "visit.failure": FailureCode.PIN_WRONG},
        )
        yield f"a wrong PIN in {state}", missed
    moved = FailureCode.PHONE_MOVED
    yield (
        "the phone moves",
        partial(
            answer,
            S.PHONE_TAP,
            lambda t: (flow.PhoneFailed(t, moved),),
            S.PHONE_TAP,
            {"visit.failure": moved},
        ),
    )
    yield (
        "the phone has one try left",
        partial(
            answer, S.PHONE_TAP, lambda t: (flow.PhoneLastTry(t),), S.PIN_ENTRY, {"visit.pin_tries_left": 1}
        ),
    )
    yield (
        "the camera asks for something",
        partial(
            answer,
            S.FACE_MATCH,
            lambda t: (flow.FaceGuided(t, "CLOSER"),),
            S.FACE_MATCH,
            {"guidance": "CLOSER"},
        ),
    )
    yield (
        "the face is not matched",
        partial(
            answer,
            S.FACE_MATCH,
            lambda t: (flow.FaceFailed(t, FailureCode.FACE_NOT_MATCHED),),
            S.METHOD_CHOICE,
            {"visit.face_failures": 1},
        ),
    )


# --- The ordinary ways ----------------------------------------------------------------------------------------------


def _whole(begin: Callable[[], Walk]) -> None:
    walk = begin()
    Surroundings().go_on(walk, *REST)
    assert (walk.state(), walk.session.visit.completed) == (S.WAITING, True)


def _registered() -> Walk:
    walk = in_state(S.CARD_USE_OFFER)
    assert Effect.ANSWER_CARD_USE in walk.on(flow.AnswerCardUse(GIVEN))
    return walk


def _by_android() -> Walk:
    walk = in_state(S.WAITING)
    walk.on(flow.PhoneReaderReady(), flow.ChoosePhone("visit-1"), flow.Choose(Method.ANDROID))
    assert walk.state() is S.PIN_ENTRY
    walk.on(flow.PinTyped(4), flow.PinSubmit())
    assert walk.state() is S.PHONE_TAP
    return walk


def _last_try() -> Walk:
    walk = in_state(S.PIN_ENTRY, tries=1)
    assert walk.session.asks_last_try
    walk.on(flow.AcceptLastTry())
    after = walk.session
    assert not after.asks_last_try
    return walk


def _bundled(event: Event, asked: bool) -> Walk:
    walk = in_state(S.CHECKING)
    walk.on(flow.Identified(walk.occasion, QUESTIONS[:2], bundled=True))
    assert walk.session.screen == "BUNDLE"
    walk.on(event)
    assert (walk.state() is S.CONSENT) == asked
    assert walk.session.screen != "BUNDLE"
    return walk


def _prescription() -> Walk:
    walk = in_state(S.CHECKING)
    walk.on(flow.Identified(walk.occasion, (), prescription_offered=True))
    assert walk.session.screen == "PRESCRIPTION"
    walk.on(flow.ChoosePrescription(PrescriptionForm.PAPER))
    assert walk.session.visit.prescription is PrescriptionForm.PAPER
    return walk


def _code_typed() -> Walk:
    walk = in_state(S.READING)
    # Another program has the reader for a moment.
    walk.on(flow.CardAwaited(walk.occasion))
    assert (walk.session.state, walk.session.guidance) == (S.READING, flow.READER_BUSY)
    walk.on(flow.CardRead(walk.occasion, False, 3, photo_sought=False))
    assert walk.session.guidance == ""
    walk.on(flow.MatchCodeRefused("visit-1", 9))
    assert walk.session.visit.match_code_tries_left == 9
    walk.on(flow.PhotoRead("visit-1", True))
    assert Method.FACE in walk.session.methods
    return walk


def _changed_minds(state: State) -> Walk:
    """With a phone chosen, a card is put in."""
    walk = in_state(S.WAITING)
    walk.on(flow.PhoneReaderReady(), flow.ChoosePhone("visit-1"))
    if state is S.PIN_ENTRY:
        walk.on(flow.Choose(Method.ANDROID))
    assert walk.state() is state
    walk.on(flow.CardInserted("visit-2"))
    assert (walk.state(), walk.session.visit.by_phone) == (S.READING, False)
    return walk


def _while_closed() -> None:
    walk = in_state(S.WAITING)
    walk.on(flow.CloseDesk(), flow.CardInserted("visit-1"), flow.CardRemoved(), flow.OpenDesk())
    assert walk.state() is S.WAITING, "a card that was taken again begins a visit"
    walk.on(flow.CloseDesk(), flow.CardInserted("visit-2"), flow.OpenDesk())
    assert (walk.state(), walk.session.visit.id) == (S.READING, "visit-2")


def _the_next_card_goes_again(state: State) -> None:
    walk = in_state(state)
    if state is not S.COMPLETE:
        walk.on(flow.CardRemoved())
        walk.on(flow.CardInserted("visit-2"))
        assert walk.session.visit.next_visit == "visit-2"
    assert Effect.LOG_LATE_EVENT not in walk.on(flow.CardRemoved())
    assert walk.session.visit.next_visit == ""


def _back_to_japanese(state: State) -> None:
    walk = in_state(state)
    walk.on(flow.ChooseLanguage(Language.EN))
    walk.wait()
    assert walk.session.desk.language is Language.JA


def _more_time(state: State) -> None:
    walk = in_state(state)
    due = walk.session.deadline
    assert due is not None
    walk.now += 1.0
    walk.on(flow.MoreTime())
    assert walk.session.deadline == due + 1.0


def _face_offered_again() -> None:
    walk = in_state(S.METHOD_CHOICE)
    walk.on(flow.CameraLost())
    assert Method.FACE not in walk.session.methods
    walk.on(flow.CameraReady())
    assert (walk.session.methods[0], walk.session.visit.failure) == (Method.FACE, None)


def _engine_hangs() -> None:
    walk = in_state(S.FACE_MATCH)
    walk.wait()
    assert (walk.state(), walk.session.visit.failure) == (S.METHOD_CHOICE, FailureCode.FACE_ENGINE_LOST)


def ordinary() -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the ways of undisturbed visits, and what may be heard in every state."""
    for state in (S.READING, S.FACE_MATCH, S.VISUAL_CHECK, S.PHONE_TAP):
        yield f"a visit from {state}", partial(_whole, partial(in_state, state))
    yield "a first visit", partial(_whole, _registered)
    yield "by Android", partial(_whole, _by_android)
    yield "the last try", partial(_whole, _last_try)
    yield "all at once", partial(_whole, partial(_bundled, flow.AnswerAll(GIVEN), False))
    yield "one by one", partial(_whole, partial(_bundled, flow.OneByOne(), True))
    yield "prescription", partial(_whole, _prescription)
    yield "code typed", partial(_whole, _code_typed)
    for state in (S.METHOD_CHOICE, S.PIN_ENTRY):
        yield f"a card in place of a phone in {state}", partial(_whole, partial(_changed_minds, state))
    yield "cards while closed", _while_closed
    for state in (S.SENDING, S.COMPLETE):
        yield f"the next card goes again in {state}", partial(_the_next_card_goes_again, state)
    for state in REST:
        yield f"back to Japanese in {state}", partial(_back_to_japanese, state)
    for state in flow.ANSWERABLE:
        yield f"more time in {state}", partial(_more_time, state)
    yield "the engine never answers", _engine_hangs
    yield "the face is offered again", _face_offered_again
    for heard in HEARD:
        for state in heard.states:
            yield f"{heard.what} in {state}", partial(heard.play, state)
    yield from _heard_of_work()


def everything() -> dict[str, Callable[[], None]]:
    """Return all of it, by name."""
    return dict([*cells(), *ordinary()])
