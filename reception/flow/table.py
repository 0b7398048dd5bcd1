"""The visit as a table: every allowed change is one row of TRANSITIONS, and ``advance`` walks along them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from reception.flow import handlers, offer, outcomes
from reception.flow.events import (
    AcceptLastTry,
    Answer,
    AnswerAll,
    AnswerAttribute,
    AnswerCardUse,
    AskCancel,
    AskHelp,
    AttributesDone,
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
    ChangeAnswer,
    Choose,
    ChooseDisplay,
    ChooseLanguage,
    ChoosePhone,
    ChoosePrescription,
    CloseDesk,
    ConfirmAnswers,
    Effect,
    Event,
    FaceFailed,
    FaceGuided,
    FaceMatched,
    Identified,
    KeepOn,
    LeaveHelp,
    MatchCodeRefused,
    MoreTime,
    OneByOne,
    OpenDesk,
    PhoneFailed,
    PhoneInvited,
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
    PreviousQuestion,
    ReaderLost,
    ReaderReady,
    Recorded,
    ShowStaffText,
    SignByPhone,
    SigningMissed,
    SigningSubmit,
    SigningTries,
    SigningTyped,
    SkipSigning,
    StaffConfirmVisual,
    StaffRefuseVisual,
    StaffStartVisual,
    TakeOnCall,
    TimePassed,
    WorkFailed,
)
from reception.flow.outcomes import Outcome
from reception.flow.session import Session
from reception.flow.states import ANSWERABLE, COMMITTED, OFFERING, REVOCABLE, S, State

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Transition:
    """One allowed change: in these states, on this event, to one of these states."""

    states: tuple[State, ...]
    event: type[Event]
    to: tuple[State, ...]
    do: Callable[[Session, Any, float], Outcome]
    """Takes the row's own event; ``_row`` has that checked."""
    note: str


def _row(
    states: tuple[State, ...],
    event: type[E],
    to: tuple[State, ...],
    do: Callable[[Session, E, float], Outcome],
    note: str,
) -> Transition:
    """Return a row whose handler takes exactly its event."""
    return Transition(states, event, to, do, note)


def advance(session: Session, event: Event, now: float) -> Outcome:
    """Return the session after the event, and what is to be done; ``now`` in seconds, of any steady clock."""
    occasion = getattr(event, "occasion", None)
    row = _ROWS.get((session.state, type(event)))
    if row is None or occasion not in (None, session.occasion):
        return session, (Effect.LOG_LATE_EVENT,)
    after, effects = row.do(session, event, now)
    if after.state not in row.to and after is not session:
        raise AssertionError(f"{session.state} on {type(event).__name__} must not lead to {after.state}")
    return after, effects


def next_moment(session: Session) -> float | None:
    """Return when TimePassed is due, on the clock of ``now``; None: nothing is waited for."""
    due = (session.warn_at, session.deadline, session.matched_until)
    moments = [moment for moment in due if moment is not None]
    return min(moments, default=None)


_AFTER_ANSWER = (S.CONSENT, S.LIMIT_CONSENT, S.SENDING)
_VISUAL_FROM = (S.METHOD_CHOICE, S.FACE_MATCH, S.PIN_ENTRY)
_REST = (S.WAITING, S.OUT_OF_SERVICE, S.READING)
_CHOICE = (S.METHOD_CHOICE, S.CALL_STAFF)
_BEFORE_PHONE = (S.METHOD_CHOICE, S.PIN_ENTRY, S.PHONE_TAP)
_HELPS = (S.WAITING, S.METHOD_CHOICE)
_IN_VISIT = (*REVOCABLE, S.PHONE_TAP, S.LIMIT_CONSENT)

TRANSITIONS: tuple[Transition, ...] = (
    _row(tuple(State), ReaderReady, tuple(State), handlers.reader_ready, "out of service: reader is back"),
    _row(
        (S.WAITING, S.CALL_STAFF, S.OUT_OF_SERVICE, *_IN_VISIT, *COMMITTED),
        ReaderLost,
        (S.OUT_OF_SERVICE, *COMMITTED, *_IN_VISIT),
        handlers.reader_lost,
        "ends the visit with nothing sent; not from SENDING on, and not a visit by phone",
    ),
    _row(
        (S.WAITING, S.COMPLETE, S.CALL_STAFF),
        CardInserted,
        (S.READING, S.OUT_OF_SERVICE),
        outcomes.inserted,
        "a new visit begins; not once the desk was closed",
    ),
    _row(
        (S.OUT_OF_SERVICE,),
        CardInserted,
        (S.OUT_OF_SERVICE,),
        handlers.inserted_while_closed,
        "desk closed: the visit begins when it opens",
    ),
    _row(
        (S.OUT_OF_SERVICE,),
        CardRemoved,
        (S.OUT_OF_SERVICE,),
        handlers.removed_while_closed,
        "no visit begins when the desk opens",
    ),
    _row(
        _BEFORE_PHONE,
        CardInserted,
        (S.READING, S.OUT_OF_SERVICE),
        handlers.inserted_instead,
        "of a visit by phone: a visit with the card begins; not once the desk was closed",
    ),
    _row(
        (S.CHECKING, S.CONSENT, S.LIMIT_CONSENT, S.SENDING, *OFFERING, S.TAKE_CARD),
        CardInserted,
        (S.CHECKING, S.CONSENT, S.LIMIT_CONSENT, S.SENDING, *OFFERING, S.TAKE_CARD),
        handlers.inserted_early,
        "the next visit begins when this one is over",
    ),
    _row(tuple(State), PhoneReaderReady, tuple(State), handlers.phone_reader_ready, "phones can be offered"),
    _row(
        tuple(State),
        PhoneReaderLost,
        tuple(State),
        handlers.phone_reader_lost,
        "ends a visit whose phone was not read yet",
    ),
    _row((S.WAITING,), ChoosePhone, (S.METHOD_CHOICE,), handlers.phone_chosen, "a new visit, without a card"),
    _row(tuple(State), PhoneLaid, tuple(State), handlers.phone_laid, "in PHONE_TAP: the phone is read"),
    _row(tuple(State), PhoneLifted, tuple(State), handlers.phone_lifted, "the phone is not needed any more"),
    _row(
        (S.PHONE_TAP,), PhoneRead, (S.CHECKING,), handlers.phone_read, "certificate and signature are there"
    ),
    _row((S.PHONE_TAP,), PhoneLastTry, (S.PIN_ENTRY,), handlers.phone_last_try, "the last try needs a yes"),
    _row(
        (S.PHONE_TAP,),
        PhoneFailed,
        (S.PHONE_TAP, S.PIN_ENTRY),
        handlers.phone_failed,
        "lay it on again, or type again",
    ),
    _row(
        (S.WAITING, S.COMPLETE), CardMute, (S.CALL_STAFF,), handlers.mute, "upside down, or not a chip card"
    ),
    _row(
        REVOCABLE,
        CardRemoved,
        (*_REST, *REVOCABLE),
        handlers.removed,
        "ends the visit with nothing sent; not a visit by phone",
    ),
    _row(
        (S.LIMIT_CONSENT,),
        CardRemoved,
        (S.SENDING, S.CONSENT, S.LIMIT_CONSENT),
        handlers.removed_at_limit,
        "limit amount declined, visit goes on",
    ),
    _row(
        (S.SENDING, S.COMPLETE),
        CardRemoved,
        (S.SENDING, S.COMPLETE),
        handlers.removed_after,
        "never cancels what is sent",
    ),
    _row((S.TAKE_CARD,), CardRemoved, (S.COMPLETE, S.TAKE_CARD), handlers.taken, "card taken"),
    _row(
        (S.CALL_STAFF,),
        CardRemoved,
        _REST,
        handlers.left,
        "card taken, the reason stays shown for a while",
    ),
    _row((S.READING,), CardRead, (S.VISUAL_CHECK, *_CHOICE), handlers.read, "offers what the card allows"),
    _row((S.READING,), CardAwaited, (S.READING,), handlers.card_awaited, "another program has the reader"),
    _row(
        (S.METHOD_CHOICE,), PhotoRead, (S.METHOD_CHOICE,), handlers.photo_read, "by the code that staff typed"
    ),
    _row(
        (S.METHOD_CHOICE,),
        MatchCodeRefused,
        (S.METHOD_CHOICE,),
        handlers.match_code_refused,
        "staff may try again",
    ),
    _row(
        (S.READING, S.PIN_ENTRY, S.PHONE_TAP, S.CHECKING, S.SENDING),
        WorkFailed,
        (S.CALL_STAFF,),
        handlers.work_failed,
        "says what to do",
    ),
    _row(
        (S.METHOD_CHOICE,),
        Choose,
        (S.FACE_MATCH, S.PIN_ENTRY, S.PHONE_TAP),
        handlers.chosen,
        "only what is offered",
    ),
    _row((S.PIN_ENTRY,), PinTyped, (S.PIN_ENTRY,), handlers.pin_typed, "number of digits only"),
    _row(
        (S.PIN_ENTRY,), AcceptLastTry, (S.PIN_ENTRY,), handlers.last_try_accepted, "the last try needs a yes"
    ),
    _row(
        (S.PIN_ENTRY,),
        PinSubmit,
        (S.PIN_ENTRY, S.PHONE_TAP),
        handlers.pin_submitted,
        "asks the card, once; or the phone",
    ),
    _row((S.PIN_ENTRY,), PinVerified, (S.CHECKING,), handlers.pin_verified, "PIN right"),
    _row(
        (S.PIN_ENTRY, S.PHONE_TAP),
        PinMissed,
        (S.PIN_ENTRY, *_CHOICE),
        handlers.pin_missed,
        "PIN wrong; blocked: other ways",
    ),
    _row(
        tuple(State),
        CameraReady,
        tuple(State),
        handlers.camera_ready,
        "in METHOD_CHOICE: the face is offered",
    ),
    _row(
        tuple(State),
        CameraLost,
        tuple(State),
        handlers.camera_lost,
        "in METHOD_CHOICE: the face is not offered until it is back",
    ),
    _row((S.FACE_MATCH,), FaceGuided, (S.FACE_MATCH,), handlers.face_guided, "what to do for the camera"),
    _row((S.FACE_MATCH,), FaceMatched, (S.CHECKING,), handlers.face_matched, "face of the card's photo"),
    _row((S.FACE_MATCH,), FaceFailed, _CHOICE, handlers.face_failed, "back to the choice with the reason"),
    _row((S.FACE_MATCH, S.PIN_ENTRY, S.PHONE_TAP), BackToChoice, _CHOICE, handlers.back, "another way"),
    _row(
        (S.CHECKING,),
        Identified,
        (S.CHECKING, S.CARD_USE_OFFER, *_AFTER_ANSWER),
        handlers.identified,
        "the questions that apply, once the match was shown",
    ),
    _row((S.CARD_USE_OFFER,), AnswerCardUse, (S.CHECKING,), handlers.card_use_answered, "the server is told"),
    _row((S.CONSENT, S.LIMIT_CONSENT), Answer, _AFTER_ANSWER, handlers.answered, "next question, or send"),
    _row(
        (S.CONSENT, S.LIMIT_CONSENT),
        PreviousQuestion,
        (S.CONSENT, S.LIMIT_CONSENT),
        handlers.previous_asked,
        "the question before is asked again",
    ),
    _row(
        (S.CONSENT, S.LIMIT_CONSENT),
        ChangeAnswer,
        (S.CONSENT, S.LIMIT_CONSENT),
        handlers.answer_changed,
        "on the summary",
    ),
    _row((S.CONSENT, S.LIMIT_CONSENT), ConfirmAnswers, (S.SENDING,), handlers.confirmed, "on the summary"),
    _row((S.CONSENT,), AnswerAll, _AFTER_ANSWER, handlers.all_answered, "one answer for all, if offered"),
    _row((S.CONSENT,), OneByOne, (S.CONSENT,), handlers.one_by_one, "not all at once"),
    _row((S.CONSENT,), ChoosePrescription, _AFTER_ANSWER, handlers.prescription_chosen, "when that is asked"),
    _row(
        (*_VISUAL_FROM, S.CALL_STAFF),
        StaffStartVisual,
        (S.VISUAL_CHECK, S.READING, *_CHOICE),
        handlers.visual_started,
        "staff compare by sight; not for cards without photo",
    ),
    _row((S.VISUAL_CHECK,), StaffConfirmVisual, (S.CHECKING,), handlers.visual_confirmed, "it is the person"),
    _row((S.VISUAL_CHECK,), StaffRefuseVisual, _CHOICE, handlers.visual_refused, "other ways"),
    _row(
        (S.SENDING,),
        Recorded,
        (S.TAKE_CARD, S.ATTRIBUTE_OFFER),
        handlers.recorded,
        "the server has acknowledged",
    ),
    _row(
        (S.ATTRIBUTE_OFFER,),
        AnswerAttribute,
        (S.ATTRIBUTE_OFFER, S.ATTRIBUTE_SIGN, S.TAKE_CARD),
        offer.answered,
        "the next attribute, or the signature",
    ),
    _row(
        (S.ATTRIBUTE_SIGN,), SigningTries, (S.ATTRIBUTE_SIGN,), offer.tries_known, "locked: the phone is left"
    ),
    _row((S.ATTRIBUTE_SIGN,), SigningTyped, (S.ATTRIBUTE_SIGN,), offer.typed, "number of characters only"),
    _row((S.ATTRIBUTE_SIGN,), SigningSubmit, (S.ATTRIBUTE_SIGN,), offer.submitted, "asks the card, once"),
    _row(
        (S.ATTRIBUTE_SIGN,),
        SigningMissed,
        (S.ATTRIBUTE_SIGN, S.TAKE_CARD),
        offer.missed,
        "password wrong; locked: nothing is given",
    ),
    _row((S.ATTRIBUTE_SIGN,), SignByPhone, (S.ATTRIBUTE_SIGN,), offer.by_phone, "a QR code is shown"),
    _row((S.ATTRIBUTE_SIGN,), PhoneInvited, (S.ATTRIBUTE_SIGN,), offer.invited, "the QR code is there"),
    _row((S.ATTRIBUTE_SIGN,), AttributesDone, (S.TAKE_CARD,), offer.done, "recorded, or not"),
    _row((S.ATTRIBUTE_SIGN,), SkipSigning, (S.TAKE_CARD,), offer.skipped, "nothing is given"),
    _row(
        OFFERING,
        CardRemoved,
        (S.ATTRIBUTE_OFFER, S.ATTRIBUTE_SIGN, S.TAKE_CARD),
        offer.card_removed,
        "nothing is given; a phone goes on",
    ),
    _row(ANSWERABLE, MoreTime, ANSWERABLE, handlers.more_time, "the wait begins anew"),
    _row((S.WAITING,), MoreTime, (S.WAITING,), handlers.help_kept, "help is read on"),
    _row(_IN_VISIT, AskCancel, _IN_VISIT, handlers.cancel_asked, "whether that is meant is asked once"),
    _row(_IN_VISIT, KeepOn, _IN_VISIT, handlers.kept_on, "it was not meant"),
    _row(
        (S.CALL_STAFF,),
        KeepOn,
        (S.READING, S.CARD_USE_OFFER, S.CONSENT, S.LIMIT_CONSENT, *_CHOICE),
        handlers.resumed,
        "the visit goes on where staff were called",
    ),
    _row(tuple(State), TakeOnCall, tuple(State), handlers.call_taken_on, "a clerk goes to who has called"),
    _row(_IN_VISIT, Cancel, (S.CALL_STAFF, *_REST), handlers.cancelled, "nothing sent; take the card"),
    _row(
        (S.WAITING, *_IN_VISIT, S.CALL_STAFF),
        CallStaff,
        (S.CALL_STAFF,),
        handlers.staff_called,
        "staff come; the visit can go on",
    ),
    _row(tuple(State), ChooseLanguage, tuple(State), handlers.language_chosen, "until the visit is over"),
    _row(tuple(State), ChooseDisplay, tuple(State), handlers.display_chosen, "until the visit is over"),
    _row(_HELPS, AskHelp, _HELPS, handlers.help_asked, "what to do for those who cannot go on"),
    _row(_HELPS, LeaveHelp, _HELPS, handlers.help_left, "goes on where help was asked for"),
    _row(
        tuple(State), CloseDesk, tuple(State), handlers.desk_closed, "from now on, or once this visit is over"
    ),
    _row(tuple(State), OpenDesk, tuple(State), handlers.desk_opened, "ready for visits"),
    _row(
        tuple(State), ShowStaffText, tuple(State), handlers.staff_text_shown, "shown until the visit is over"
    ),
    _row(
        tuple(State),
        TimePassed,
        tuple(State),
        handlers.time_passed,
        "warn first; then a no, the choice, or staff",
    ),
)
"""Every allowed change. The table in docs/reference/states.md is made from this."""

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
