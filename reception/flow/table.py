"""The visit as a table: every allowed change is one row of TRANSITIONS, and ``advance`` walks along them."""

from collections.abc import Callable
from dataclasses import dataclass

from reception.flow import handlers, outcomes
from reception.flow.events import (
    AcceptLastTry,
    Answer,
    AnswerAll,
    AnswerCardUse,
    AskHelp,
    BackToChoice,
    CallStaff,
    CameraLost,
    CameraReady,
    Cancel,
    CardAwaited,
    CardInserted,
    CardMute,
    CardRead,
    CardRemoved,
    Choose,
    ChooseDisplay,
    ChooseLanguage,
    ChoosePhone,
    ChoosePrescription,
    CloseDesk,
    Effect,
    Event,
    FaceFailed,
    FaceGuided,
    FaceMatched,
    Identified,
    LeaveHelp,
    MatchCodeRefused,
    MoreTime,
    OneByOne,
    OpenDesk,
    PhoneFailed,
    PhoneLaid,
    PhoneLastTry,
    PhoneLifted,
    PhoneRead,
    PhoneReaderLost,
    PhoneReaderReady,
    PhotoRead,
    PinMissed,
    PinSubmit,
    PinTyped,
    PinVerified,
    ReaderLost,
    ReaderReady,
    Recorded,
    ShowStaffText,
    StaffConfirmVisual,
    StaffRefuseVisual,
    StaffStartVisual,
    TimePassed,
    WorkFailed,
)
from reception.flow.outcomes import Outcome
from reception.flow.session import Session
from reception.flow.states import ANSWERABLE, COMMITTED, REVOCABLE, S, State

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


_AFTER_ANSWER = (S.CONSENT, S.LIMIT_CONSENT, S.SENDING)
_VISUAL_FROM = (S.METHOD_CHOICE, S.FACE_MATCH, S.PIN_ENTRY)
_REST = (S.WAITING, S.OUT_OF_SERVICE, S.READING)
_CHOICE = (S.METHOD_CHOICE, S.CALL_STAFF)
_BEFORE_PHONE = (S.METHOD_CHOICE, S.PIN_ENTRY, S.PHONE_TAP)
_HELPS = (S.WAITING, S.METHOD_CHOICE)
_IN_VISIT = (*REVOCABLE, S.PHONE_TAP, S.LIMIT_CONSENT)

TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        tuple(State), ReaderReady, tuple(State), handlers.reader_ready, "out of service: reader is back"
    ),
    Transition(
        (S.WAITING, S.CALL_STAFF, S.OUT_OF_SERVICE, *_IN_VISIT, *COMMITTED),
        ReaderLost,
        (S.OUT_OF_SERVICE, *COMMITTED, *_IN_VISIT),
        handlers.reader_lost,
        "ends the visit with nothing sent; not from SENDING on, and not a visit by phone",
    ),
    Transition(
        (S.WAITING, S.COMPLETE, S.CALL_STAFF),
        CardInserted,
        (S.READING, S.OUT_OF_SERVICE),
        outcomes.inserted,
        "a new visit begins; not once the desk was closed",
    ),
    Transition(
        (S.OUT_OF_SERVICE,),
        CardInserted,
        (S.OUT_OF_SERVICE,),
        handlers.inserted_while_closed,
        "desk closed: the visit begins when it opens",
    ),
    Transition(
        (S.OUT_OF_SERVICE,),
        CardRemoved,
        (S.OUT_OF_SERVICE,),
        handlers.removed_while_closed,
        "no visit begins when the desk opens",
    ),
    Transition(
        _BEFORE_PHONE,
        CardInserted,
        (S.READING,),
        handlers.inserted_instead,
        "of a visit by phone: a visit with the card begins",
    ),
    Transition(
        (S.CHECKING, S.CONSENT, S.LIMIT_CONSENT, S.SENDING, S.TAKE_CARD),
        CardInserted,
        (S.CHECKING, S.CONSENT, S.LIMIT_CONSENT, S.SENDING, S.TAKE_CARD),
        handlers.inserted_early,
        "the next visit begins when this one is over",
    ),
    Transition(
        tuple(State), PhoneReaderReady, tuple(State), handlers.phone_reader_ready, "phones can be offered"
    ),
    Transition(
        tuple(State),
        PhoneReaderLost,
        tuple(State),
        handlers.phone_reader_lost,
        "ends a visit whose phone was not read yet",
    ),
    Transition(
        (S.WAITING,), ChoosePhone, (S.METHOD_CHOICE,), handlers.phone_chosen, "a new visit, without a card"
    ),
    Transition(tuple(State), PhoneLaid, tuple(State), handlers.phone_laid, "in PHONE_TAP: the phone is read"),
    Transition(
        tuple(State), PhoneLifted, tuple(State), handlers.phone_lifted, "the phone is not needed any more"
    ),
    Transition(
        (S.PHONE_TAP,), PhoneRead, (S.CHECKING,), handlers.phone_read, "certificate and signature are there"
    ),
    Transition(
        (S.PHONE_TAP,), PhoneLastTry, (S.PIN_ENTRY,), handlers.phone_last_try, "the last try needs a yes"
    ),
    Transition(
        (S.PHONE_TAP,),
        PhoneFailed,
        (S.PHONE_TAP, S.PIN_ENTRY),
        handlers.phone_failed,
        "lay it on again, or type again",
    ),
    Transition(
        (S.WAITING, S.COMPLETE), CardMute, (S.CALL_STAFF,), handlers.mute, "upside down, or not a chip card"
    ),
    Transition(
        REVOCABLE,
        CardRemoved,
        (*_REST, *REVOCABLE),
        handlers.removed,
        "ends the visit with nothing sent; not a visit by phone",
    ),
    Transition(
        (S.LIMIT_CONSENT,),
        CardRemoved,
        (S.SENDING, S.CONSENT, S.LIMIT_CONSENT),
        handlers.removed_at_limit,
        "limit amount declined, visit goes on",
    ),
    Transition(
        (S.SENDING, S.COMPLETE),
        CardRemoved,
        (S.SENDING, S.COMPLETE),
        handlers.removed_after,
        "never cancels what is sent",
    ),
    Transition((S.TAKE_CARD,), CardRemoved, (S.COMPLETE, S.TAKE_CARD), handlers.taken, "card taken"),
    Transition(
        (S.CALL_STAFF,),
        CardRemoved,
        _REST,
        handlers.left,
        "card taken, the reason stays shown for a while",
    ),
    Transition(
        (S.READING,), CardRead, (S.VISUAL_CHECK, *_CHOICE), handlers.read, "offers what the card allows"
    ),
    Transition(
        (S.READING,), CardAwaited, (S.READING,), handlers.card_awaited, "another program has the reader"
    ),
    Transition(
        (S.METHOD_CHOICE,), PhotoRead, (S.METHOD_CHOICE,), handlers.photo_read, "by the code that staff typed"
    ),
    Transition(
        (S.METHOD_CHOICE,),
        MatchCodeRefused,
        (S.METHOD_CHOICE,),
        handlers.match_code_refused,
        "staff may try again",
    ),
    Transition(
        (S.READING, S.PIN_ENTRY, S.PHONE_TAP, S.CHECKING, S.SENDING),
        WorkFailed,
        (S.CALL_STAFF,),
        handlers.work_failed,
        "says what to do",
    ),
    Transition(
        (S.METHOD_CHOICE,),
        Choose,
        (S.FACE_MATCH, S.PIN_ENTRY, S.PHONE_TAP),
        handlers.chosen,
        "only what is offered",
    ),
    Transition((S.PIN_ENTRY,), PinTyped, (S.PIN_ENTRY,), handlers.pin_typed, "number of digits only"),
    Transition(
        (S.PIN_ENTRY,), AcceptLastTry, (S.PIN_ENTRY,), handlers.last_try_accepted, "the last try needs a yes"
    ),
    Transition(
        (S.PIN_ENTRY,),
        PinSubmit,
        (S.PIN_ENTRY, S.PHONE_TAP),
        handlers.pin_submitted,
        "asks the card, once; or the phone",
    ),
    Transition((S.PIN_ENTRY,), PinVerified, (S.CHECKING,), handlers.pin_verified, "PIN right"),
    Transition(
        (S.PIN_ENTRY, S.PHONE_TAP),
        PinMissed,
        (S.PIN_ENTRY, *_CHOICE),
        handlers.pin_missed,
        "PIN wrong; blocked: other ways",
    ),
    Transition(
        tuple(State),
        CameraReady,
        tuple(State),
        handlers.camera_ready,
        "in METHOD_CHOICE: the face is offered",
    ),
    Transition(
        tuple(State),
        CameraLost,
        tuple(State),
        handlers.camera_lost,
        "in METHOD_CHOICE: the face is not offered until it is back",
    ),
    Transition(
        (S.FACE_MATCH,), FaceGuided, (S.FACE_MATCH,), handlers.face_guided, "what to do for the camera"
    ),
    Transition(
        (S.FACE_MATCH,), FaceMatched, (S.CHECKING,), handlers.face_matched, "face of the card's photo"
    ),
    Transition(
        (S.FACE_MATCH,), FaceFailed, _CHOICE, handlers.face_failed, "back to the choice with the reason"
    ),
    Transition((S.FACE_MATCH, S.PIN_ENTRY, S.PHONE_TAP), BackToChoice, _CHOICE, handlers.back, "another way"),
    Transition(
        (S.CHECKING,),
        Identified,
        (S.CARD_USE_OFFER, *_AFTER_ANSWER),
        handlers.identified,
        "the questions that apply",
    ),
    Transition(
        (S.CARD_USE_OFFER,), AnswerCardUse, (S.CHECKING,), handlers.card_use_answered, "the server is told"
    ),
    Transition(
        (S.CONSENT, S.LIMIT_CONSENT), Answer, _AFTER_ANSWER, handlers.answered, "next question, or send"
    ),
    Transition(
        (S.CONSENT,), AnswerAll, _AFTER_ANSWER, handlers.all_answered, "one answer for all, if offered"
    ),
    Transition((S.CONSENT,), OneByOne, (S.CONSENT,), handlers.one_by_one, "not all at once"),
    Transition(
        (S.CONSENT,), ChoosePrescription, _AFTER_ANSWER, handlers.prescription_chosen, "when that is asked"
    ),
    Transition(
        (*_VISUAL_FROM, S.CALL_STAFF),
        StaffStartVisual,
        (S.VISUAL_CHECK, S.READING, *_CHOICE),
        handlers.visual_started,
        "staff compare by sight; not for cards without photo",
    ),
    Transition(
        (S.VISUAL_CHECK,), StaffConfirmVisual, (S.CHECKING,), handlers.visual_confirmed, "it is the person"
    ),
    Transition((S.VISUAL_CHECK,), StaffRefuseVisual, _CHOICE, handlers.visual_refused, "other ways"),
    Transition((S.SENDING,), Recorded, (S.TAKE_CARD,), handlers.recorded, "the server has acknowledged"),
    Transition(ANSWERABLE, MoreTime, ANSWERABLE, handlers.more_time, "the wait begins anew"),
    Transition((S.WAITING,), MoreTime, (S.WAITING,), handlers.help_kept, "help is read on"),
    Transition(_IN_VISIT, Cancel, (S.CALL_STAFF, *_REST), handlers.cancelled, "nothing sent; take the card"),
    Transition(
        (S.WAITING, *_IN_VISIT, S.CALL_STAFF),
        CallStaff,
        (S.CALL_STAFF,),
        handlers.staff_called,
        "nothing sent; staff come",
    ),
    Transition(
        tuple(State), ChooseLanguage, tuple(State), handlers.language_chosen, "until the visit is over"
    ),
    Transition(tuple(State), ChooseDisplay, tuple(State), handlers.display_chosen, "until the visit is over"),
    Transition(_HELPS, AskHelp, _HELPS, handlers.help_asked, "what to do for those who cannot go on"),
    Transition(_HELPS, LeaveHelp, _HELPS, handlers.help_left, "goes on where help was asked for"),
    Transition(
        tuple(State), CloseDesk, tuple(State), handlers.desk_closed, "from now on, or once this visit is over"
    ),
    Transition(tuple(State), OpenDesk, tuple(State), handlers.desk_opened, "ready for visits"),
    Transition(
        tuple(State), ShowStaffText, tuple(State), handlers.staff_text_shown, "shown until the visit is over"
    ),
    Transition(
        tuple(State),
        TimePassed,
        tuple(State),
        handlers.time_passed,
        "warn first; then a no, the choice, or staff",
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
