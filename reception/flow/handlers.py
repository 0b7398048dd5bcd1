"""What each row of the table does."""

from dataclasses import replace
from typing import assert_never

from consent.choices import ConsentAnswer, Item
from reception.flow.events import (
    Answer,
    AnswerAll,
    AnswerCardUse,
    AskHelp,
    CardInserted,
    CardMute,
    CardRead,
    Choose,
    ChooseDisplay,
    ChooseLanguage,
    ChoosePhone,
    ChoosePrescription,
    Effect,
    Event,
    FaceFailed,
    FaceGuided,
    Identified,
    MatchCodeRefused,
    PhoneFailed,
    PhoneLaid,
    PhotoRead,
    PinMissed,
    PinTyped,
    ReaderLost,
    ShowStaffText,
    StaffConfirmVisual,
    StaffStartVisual,
    WorkFailed,
)
from reception.flow.failures import CARD_REMOVED_WHILE, FailureCode
from reception.flow.outcomes import Outcome, choose_again, enter, give_up, inserted, new_visit, rest, waiting
from reception.flow.session import Session
from reception.flow.states import COMMITTED, READER_BUSY, DisplayMode, Language, Method, S


def reader_ready(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, reader_ready=True)
    if session.state is not S.OUT_OF_SERVICE or not session.desk_open:
        return session, ()
    return enter(session, S.WAITING, now), ()


def language_chosen(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, ChooseLanguage)
    return _look(replace(session, language=event.language), now), ()


def display_chosen(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, ChooseDisplay)
    return _look(replace(session, display=event.mode), now), ()


def help_asked(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, AskHelp)
    return _look(replace(session, help=event.topic, occasion=session.occasion + 1), now), ()


def help_left(session: Session, event: Event, now: float) -> Outcome:
    return _look(replace(session, help=None, occasion=session.occasion + 1), now), ()


def help_kept(session: Session, event: Event, now: float) -> Outcome:
    return (session if session.help is None else _look(session, now)), ()


def _look(session: Session, now: float) -> Session:
    """Outside a visit nobody may be there any more: what was chosen lasts for a while, and who reads is warned."""
    if session.state not in (S.WAITING, S.OUT_OF_SERVICE):
        return session
    return waiting(session, session.config.delays.choice_s, now)


def desk_closed(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, desk_open=False)
    return rest(session, None, now) if session.state is S.WAITING else (session, ())


def staff_text_shown(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, ShowStaffText)
    return replace(session, staff_text=event.text), ()


def desk_opened(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, desk_open=True)
    idle = session.state is S.OUT_OF_SERVICE and session.reader_ready
    return rest(session, None, now) if idle else (session, ())


def removed_while_closed(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, next_visit="", card_in=False), ()


def inserted_while_closed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, CardInserted)
    if session.desk_open:
        return session, (Effect.LOG_LATE_EVENT,)
    return replace(session, next_visit=event.visit), ()


def reader_lost(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, ReaderLost)
    if not session.reader_ready:
        # Told again at every attempt to get it back; only the reason can be new.
        return (replace(session, failure=event.code) if session.state is S.OUT_OF_SERVICE else session), ()
    held = session.card_in or session.lost_with_card
    session = replace(session, reader_ready=False, card_in=False, lost_with_card=held, next_visit="")
    if session.by_phone and session.state not in (S.CALL_STAFF, *COMMITTED):
        return session, ()
    if session.state in COMMITTED:
        shorter = now + session.config.delays.told_s if session.state is S.TAKE_CARD else session.deadline
        return replace(session, deadline=shorter), ()
    return rest(session, event.code, now)


def inserted_instead(session: Session, event: Event, now: float) -> Outcome:
    """A card put in while a phone was awaited: the patient has changed their mind."""
    if not session.by_phone:
        return session, (Effect.LOG_LATE_EVENT,)
    after, effects = inserted(session, event, now)
    return after, (Effect.WIPE_PIN, Effect.POWER_OFF_CARD, *effects)


def inserted_early(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, CardInserted)
    if event.already_in and session.lost_with_card:
        # The card of this visit, still in: it begins no second one, and has to be taken.
        remind = now + session.config.delays.reminder_s
        deadline = remind if session.state is S.TAKE_CARD else session.deadline
        return replace(session, card_in=True, lost_with_card=False, deadline=deadline), ()
    return replace(session, next_visit=event.visit), ()


def mute(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, CardMute)
    fresh = new_visit(session, event.visit, card_in=True)
    return give_up(fresh, FailureCode.CARD_UNREADABLE, now)


def removed(session: Session, event: Event, now: float) -> Outcome:
    if session.by_phone:
        # It was the card of somebody who waits for the next visit.
        return replace(session, next_visit=""), ()
    return rest(replace(session, card_in=False), CARD_REMOVED_WHILE[session.state], now)


def removed_at_limit(session: Session, event: Event, now: float) -> Outcome:
    if session.by_phone:
        return replace(session, next_visit=""), ()
    return answered(replace(session, card_in=False), Answer(ConsentAnswer.DECLINED), now)


def removed_after(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, card_in=False, next_visit=""), ()


def taken(session: Session, event: Event, now: float) -> Outcome:
    if not session.card_in:
        return replace(session, next_visit=""), ()
    return enter(replace(session, card_in=False), S.COMPLETE, now), (Effect.POWER_OFF_CARD,)


def left(session: Session, event: Event, now: float) -> Outcome:
    return rest(replace(session, card_in=False), session.failure, now)


def read(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, CardRead)
    session = replace(
        session,
        has_photo=event.has_photo,
        photo_sought=event.photo_sought,
        pin_tries_left=event.pin_tries_left,
    )
    if session.visual_wanted:
        return _compare_by_sight(session, now)
    failure = None if event.photo_genuine else event.photo_failure
    if event.pin_tries_left == 0:
        failure = FailureCode.PIN_BLOCKED
    return choose_again(session, failure, now)


def card_awaited(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, guidance=READER_BUSY), ()


def photo_read(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, PhotoRead)
    if event.visit != session.visit or session.photo_sought:
        return session, (Effect.LOG_LATE_EVENT,)
    failure = session.failure if event.has_photo else event.photo_failure
    sought = replace(session, has_photo=event.has_photo, photo_sought=True, failure=failure)
    return replace(sought, match_code_tries_left=None), ()


def match_code_refused(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, MatchCodeRefused)
    if event.visit != session.visit:
        return session, (Effect.LOG_LATE_EVENT,)
    return replace(session, match_code_tries_left=event.tries_left), ()


def work_failed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, WorkFailed)
    return give_up(session, event.code, now)


def chosen(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, Choose)
    if event.method not in session.methods:
        return session, (Effect.LOG_LATE_EVENT,)
    session = replace(session, failure=None)
    match event.method:
        case Method.FACE:
            return enter(session, S.FACE_MATCH, now), (Effect.START_FACE,)
        case Method.PIN:
            return enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)
        case Method.ANDROID:
            # The phone in the hand may be another one than before: its tries are not known yet.
            session = replace(session, phone=event.method, pin_tries_left=None, last_try_accepted=False)
            return enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)
        case Method.IPHONE:
            return await_phone(replace(session, phone=event.method), now)
        case Method.VISUAL:
            return session, (Effect.LOG_LATE_EVENT,)
        case _:
            assert_never(event.method)


def pin_typed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, PinTyped)
    return replace(session, pin_digits=event.digits), ()


def last_try_accepted(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, last_try_accepted=True), ()


def pin_submitted(session: Session, event: Event, now: float) -> Outcome:
    if session.pin_digits != 4 or session.asks_last_try or session.verifying:
        return session, (Effect.LOG_LATE_EVENT,)
    if session.by_phone:
        return await_phone(session, now)
    return replace(session, verifying=True), (Effect.VERIFY_PIN,)


def phone_chosen(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, ChoosePhone)
    if not session.phones_ready or session.card_in:
        return session, (Effect.LOG_LATE_EVENT,)
    fresh = new_visit(session, event.visit, card_in=False)
    return enter(fresh, S.METHOD_CHOICE, now), (Effect.FORGET_VISIT,)


def await_phone(session: Session, now: float) -> Outcome:
    after = enter(session, S.PHONE_TAP, now)
    # Level before edge: a phone that lies there already is read at once.
    return phone_laid(after, PhoneLaid(), now) if session.phone_laid else (after, ())


def phone_laid(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, phone_laid=True)
    if session.state is not S.PHONE_TAP or session.verifying:
        return session, ()
    return replace(session, verifying=True, failure=None), (Effect.READ_PHONE,)


def phone_lifted(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, phone_laid=False), ()


def phone_read(session: Session, event: Event, now: float) -> Outcome:
    # Android's PIN was typed here; an iPhone has asked its owner itself.
    identity = Method.PIN if session.phone is Method.ANDROID else Method.IPHONE
    session = replace(session, identity=identity, failure=None)
    return enter(session, S.CHECKING, now), (Effect.WIPE_PIN, Effect.IDENTIFY)


def phone_failed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, PhoneFailed)
    session = replace(session, failure=event.code, last_try_accepted=False)
    if event.pin_sent:
        return enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)
    return enter(session, S.PHONE_TAP, now), ()


def phone_last_try(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, pin_tries_left=1, last_try_accepted=False, failure=None)
    return enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)


def phone_reader_ready(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, phones_ready=True), ()


def phone_reader_lost(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, phones_ready=False, phone_laid=False)
    if session.by_phone and session.state in (S.METHOD_CHOICE, S.PIN_ENTRY, S.PHONE_TAP):
        return rest(session, FailureCode.PHONE_READER_LOST, now)
    return session, ()


def pin_verified(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, identity=Method.PIN, failure=None)
    return enter(session, S.CHECKING, now), (Effect.WIPE_PIN, Effect.IDENTIFY)


def pin_missed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, PinMissed)
    session = replace(session, pin_tries_left=event.tries_left, failure=event.code)
    if event.tries_left == 0 and session.by_phone:
        return give_up(session, FailureCode.PHONE_PIN_BLOCKED, now)
    if event.tries_left == 0:
        return choose_again(session, FailureCode.PIN_BLOCKED, now)
    return enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)


def face_guided(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, FaceGuided)
    return replace(session, guidance=event.guidance), ()


def face_matched(session: Session, event: Event, now: float) -> Outcome:
    session = replace(session, identity=Method.FACE, failure=None)
    return enter(session, S.CHECKING, now), (Effect.STOP_FACE, Effect.IDENTIFY)


def face_failed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, FaceFailed)
    if event.code is FailureCode.FACE_CAMERA_LOST:
        # No fault of the patient: it costs no try, and the face is offered again as soon as the camera is back.
        return choose_again(replace(session, camera_ready=False), event.code, now)
    failures = session.face_failures + 1 if event.usable else session.config.face.tries
    return choose_again(replace(session, face_failures=failures), event.code, now)


def camera_ready(session: Session, event: Event, now: float) -> Outcome:
    after = replace(session, camera_ready=True)
    if after.methods == session.methods or session.state is not S.METHOD_CHOICE:
        return after, ()
    failure = None if session.failure is FailureCode.FACE_CAMERA_LOST else session.failure
    return choose_again(after, failure, now)


def camera_lost(session: Session, event: Event, now: float) -> Outcome:
    after = replace(session, camera_ready=False)
    if after.methods == session.methods or session.state is not S.METHOD_CHOICE:
        return after, ()
    return choose_again(after, FailureCode.FACE_CAMERA_LOST, now)


def back(session: Session, event: Event, now: float) -> Outcome:
    if session.verifying:
        return session, (Effect.LOG_LATE_EVENT,)
    return choose_again(session, None, now)


def identified(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, Identified)
    if event.card_use_offered and session.card_use is None:
        return enter(session, S.CARD_USE_OFFER, now), ()
    session = replace(
        session,
        questions=event.questions,
        bundled=event.bundled,
        prescription_asked=event.prescription_offered,
    )
    return ask_next(session, now)


def card_use_answered(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, AnswerCardUse)
    # A no is told to the server too: it keeps what was offered and declined.
    return enter(replace(session, card_use=event.answer), S.CHECKING, now), (Effect.ANSWER_CARD_USE,)


def answered(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, Answer)
    if session.question is None:
        return session, (Effect.LOG_LATE_EVENT,)
    return ask_next(replace(session, answers=(*session.answers, (session.question, event.answer))), now)


def all_answered(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, AnswerAll)
    if session.screen != "BUNDLE":
        return session, (Effect.LOG_LATE_EVENT,)
    return ask_next(replace(session, answers=tuple((item, event.answer) for item in session.questions)), now)


def one_by_one(session: Session, event: Event, now: float) -> Outcome:
    return replace(session, bundled=False), ()


def prescription_chosen(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, ChoosePrescription)
    if session.screen != "PRESCRIPTION":
        return session, (Effect.LOG_LATE_EVENT,)
    return ask_next(replace(session, prescription=event.form, prescription_asked=False), now)


def visual_started(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, StaffStartVisual)
    if event.visit not in ("", session.visit):
        return session, (Effect.LOG_LATE_EVENT,)
    if session.by_phone or not session.card_in or session.verifying:
        return session, (Effect.LOG_LATE_EVENT,)
    if session.state is S.CALL_STAFF:
        # The visit had given up, and its card is powered off: it begins anew with a new look at the card.
        again = replace(
            new_visit(session, session.visit, card_in=True), staff=event.staff, visual_wanted=True
        )
        return enter(again, S.READING, now), (Effect.FORGET_VISIT, Effect.READ_CARD)
    session = replace(session, staff=event.staff)
    return _compare_by_sight(session, now)


def _compare_by_sight(session: Session, now: float) -> Outcome:
    session = replace(session, visual_wanted=False)
    if not session.has_photo:
        return choose_again(session, FailureCode.VISUAL_WITHOUT_PHOTO, now)
    return enter(replace(session, failure=None), S.VISUAL_CHECK, now), (Effect.STOP_FACE, Effect.WIPE_PIN)


def visual_confirmed(session: Session, event: Event, now: float) -> Outcome:
    assert isinstance(event, StaffConfirmVisual)
    session = replace(session, identity=Method.VISUAL, visual_reason=event.reason, failure=None)
    return enter(session, S.CHECKING, now), (Effect.IDENTIFY,)


def visual_refused(session: Session, event: Event, now: float) -> Outcome:
    return choose_again(session, FailureCode.VISUAL_REFUSED, now)


def ask_next(session: Session, now: float) -> Outcome:
    if len(session.answers) == len(session.questions) and session.prescription_asked:
        return enter(session, S.CONSENT, now), ()
    if len(session.answers) == len(session.questions):
        return enter(session, S.SENDING, now), (Effect.SEND_CONSENTS,)
    item = session.questions[len(session.answers)]
    return enter(session, S.LIMIT_CONSENT if item is Item.LIMIT_AMOUNT else S.CONSENT, now), ()


def recorded(session: Session, event: Event, now: float) -> Outcome:
    done = replace(session, completed=True, failure=None)
    return enter(done, S.TAKE_CARD, now), (Effect.POWER_OFF_CARD,)


def more_time(session: Session, event: Event, now: float) -> Outcome:
    fresh = enter(session, session.state, now)
    return replace(session, deadline=fresh.deadline, warn_at=fresh.warn_at), ()


def cancelled(session: Session, event: Event, now: float) -> Outcome:
    if session.by_phone:
        return rest(session, FailureCode.CANCELLED, now)
    return give_up(session, FailureCode.CANCELLED, now)


def staff_called(session: Session, event: Event, now: float) -> Outcome:
    if session.state is S.WAITING:
        # Nothing of the visit before is this person's.
        session = new_visit(session, session.visit, card_in=session.card_in)
    return give_up(session, FailureCode.STAFF_CALLED, now)


def time_passed(session: Session, event: Event, now: float) -> Outcome:
    """The one place for every wait that ends; an answer is waited for only after its warning was given."""
    if session.warn_at is not None and now >= session.warn_at:
        # Noticed late, as after a suspend: the warning still lasts as long as it should.
        lasts = 0.0 if session.deadline is None else session.deadline - session.warn_at
        return replace(session, warn_at=None, deadline=max(session.deadline or 0.0, now + lasts)), ()
    if session.deadline is None or now < session.deadline:
        return session, ()
    match session.state:
        case S.READING:
            return give_up(session, FailureCode.CARD_STALLED, now)
        case S.METHOD_CHOICE if session.by_phone:
            return rest(session, FailureCode.ANSWER_TIMED_OUT, now)
        case S.METHOD_CHOICE:
            return give_up(session, FailureCode.ANSWER_TIMED_OUT, now)
        case S.PHONE_TAP:
            late = FailureCode.PHONE_UNREADABLE if session.verifying else FailureCode.ANSWER_TIMED_OUT
            return rest(session, late, now)
        case S.PIN_ENTRY if session.by_phone:
            return rest(session, FailureCode.ANSWER_TIMED_OUT, now)
        case S.PIN_ENTRY:
            late = FailureCode.CARD_STALLED if session.verifying else FailureCode.ANSWER_TIMED_OUT
            return give_up(session, late, now)
        case S.FACE_MATCH:
            return face_failed(session, FaceFailed(session.occasion, FailureCode.FACE_ENGINE_LOST), now)
        case S.CHECKING | S.SENDING:
            return give_up(session, FailureCode.SERVER_TIMED_OUT, now)
        case S.CARD_USE_OFFER:
            return card_use_answered(session, AnswerCardUse(ConsentAnswer.DECLINED), now)
        case S.VISUAL_CHECK:
            return choose_again(session, FailureCode.VISUAL_REFUSED, now)
        case S.CONSENT if session.question is None:
            # Nothing chosen: the facility decides, as it does where nobody is asked.
            return ask_next(replace(session, prescription_asked=False), now)
        case S.CONSENT | S.LIMIT_CONSENT:
            return answered(session, Answer(ConsentAnswer.DECLINED), now)
        case S.TAKE_CARD:
            if not session.card_in:
                return enter(session, S.COMPLETE, now), ()
            wait = session.config.delays.reminder_s
            return replace(session, reminders=session.reminders + 1, deadline=now + wait), ()
        case S.COMPLETE:
            return rest(session, None, now)
        case S.CALL_STAFF:
            return rest(session, session.failure, now)
        case S.WAITING:
            # The notice has been read long enough; the next patient must not take it for theirs.
            return _as_delivered(replace(session, failure=None)), ()
        case S.OUT_OF_SERVICE:
            return _as_delivered(session), ()
        case _:
            assert_never(session.state)


def _as_delivered(session: Session) -> Session:
    """Take back what the last person changed of the window's look."""
    return replace(session, deadline=None, language=Language.JA, display=DisplayMode.NORMAL, help=None)
