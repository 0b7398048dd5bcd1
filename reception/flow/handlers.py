"""What each row of the table does."""

from dataclasses import replace
from typing import assert_never

from consent.choices import ConsentAnswer, Item
from reception.flow import offer
from reception.flow.events import (
    AcceptLastTry,
    Answer,
    AnswerAll,
    AnswerCardUse,
    AskCancel,
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
    ChangeAnswer,
    Choose,
    ChooseDisplay,
    ChooseLanguage,
    ChoosePhone,
    ChoosePrescription,
    CloseDesk,
    ConfirmAnswers,
    Effect,
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
    StaffConfirmVisual,
    StaffRefuseVisual,
    StaffStartVisual,
    TakeOnCall,
    TimePassed,
    WorkFailed,
)
from reception.flow.failures import CARD_REMOVED_WHILE, READER_TROUBLE, FailureCode
from reception.flow.outcomes import (
    Outcome,
    choose_again,
    enter,
    give_up,
    inserted,
    interrupt,
    new_visit,
    rest,
    wait_anew,
    waiting,
)
from reception.flow.session import Session, numbered
from reception.flow.states import COMMITTED, OFFERING, READER_BUSY, DisplayMode, Language, Method, S


def reader_ready(session: Session, event: ReaderReady, now: float) -> Outcome:
    session = replace(session, desk=replace(session.desk, reader_ready=True))
    if session.state is not S.OUT_OF_SERVICE or not session.desk.open:
        return session, ()
    # The reason goes with its cause.
    fault = session.visit.failure
    mended = None if fault in READER_TROUBLE else fault
    return enter(replace(session, visit=replace(session.visit, failure=mended)), S.WAITING, now), ()


def language_chosen(session: Session, event: ChooseLanguage, now: float) -> Outcome:
    return _look(replace(session, desk=replace(session.desk, language=event.language)), now), ()


def display_chosen(session: Session, event: ChooseDisplay, now: float) -> Outcome:
    return _look(replace(session, desk=replace(session.desk, display=event.mode)), now), ()


def help_asked(session: Session, event: AskHelp, now: float) -> Outcome:
    return _look(replace(session, help=event.topic, occasion=session.occasion + 1), now), ()


def help_left(session: Session, event: LeaveHelp, now: float) -> Outcome:
    return _look(replace(session, help=None, occasion=session.occasion + 1), now), ()


def help_kept(session: Session, event: MoreTime, now: float) -> Outcome:
    return (session if session.help is None else _look(session, now)), ()


def _look(session: Session, now: float) -> Session:
    """Outside a visit nobody may be there any more: what was chosen lasts for a while, and who reads is warned."""
    if session.state not in (S.WAITING, S.OUT_OF_SERVICE):
        return session
    return waiting(session, session.config.delays.choice_s, now)


def desk_closed(session: Session, event: CloseDesk, now: float) -> Outcome:
    session = replace(session, desk=replace(session.desk, open=False))
    return rest(session, None, now) if session.state is S.WAITING else (session, ())


def staff_text_shown(session: Session, event: ShowStaffText, now: float) -> Outcome:
    return replace(session, visit=replace(session.visit, staff_text=event.text)), ()


def desk_opened(session: Session, event: OpenDesk, now: float) -> Outcome:
    session = replace(session, desk=replace(session.desk, open=True))
    idle = session.state is S.OUT_OF_SERVICE and session.desk.reader_ready
    return rest(session, None, now) if idle else (session, ())


def removed_while_closed(session: Session, event: CardRemoved, now: float) -> Outcome:
    return replace(session, visit=replace(session.visit, next_visit="", card_in=False)), ()


def inserted_while_closed(session: Session, event: CardInserted, now: float) -> Outcome:
    if session.desk.open:
        return session, (Effect.LOG_LATE_EVENT,)
    return replace(session, visit=replace(session.visit, next_visit=event.visit)), ()


def reader_lost(session: Session, event: ReaderLost, now: float) -> Outcome:
    if not session.desk.reader_ready:
        # Told again at every attempt to get it back; only the reason can be new.
        if session.state is S.OUT_OF_SERVICE:
            session = replace(session, visit=replace(session.visit, failure=event.code))
        return session, ()
    held = session.visit.card_in or session.visit.lost_with_card
    visit = replace(session.visit, card_in=False, lost_with_card=held, next_visit="")
    session = replace(session, desk=replace(session.desk, reader_ready=False), visit=visit)
    if visit.by_phone and session.state not in (S.CALL_STAFF, *COMMITTED):
        return session, ()
    if session.state in OFFERING:
        return offer.reader_lost(session, now)
    if session.state in COMMITTED:
        shorter = now + session.config.delays.told_s if session.state is S.TAKE_CARD else session.deadline
        return replace(session, deadline=shorter), ()
    return rest(session, event.code, now)


def inserted_instead(session: Session, event: CardInserted, now: float) -> Outcome:
    """A card put in while a phone was awaited: the patient has changed their mind."""
    if not session.visit.by_phone:
        return session, (Effect.LOG_LATE_EVENT,)
    after, effects = inserted(session, event, now)
    return after, (Effect.WIPE_PIN, Effect.POWER_OFF_CARD, *effects)


def inserted_early(session: Session, event: CardInserted, now: float) -> Outcome:
    if event.already_in and session.visit.lost_with_card:
        # The card of this visit, still in: it begins no second one, and has to be taken.
        remind = now + session.config.delays.reminder_s
        deadline = remind if session.state is S.TAKE_CARD else session.deadline
        visit = replace(session.visit, card_in=True, lost_with_card=False)
        return replace(session, deadline=deadline, visit=visit), ()
    return replace(session, visit=replace(session.visit, next_visit=event.visit)), ()


def mute(session: Session, event: CardMute, now: float) -> Outcome:
    fresh = new_visit(session, event.visit, card_in=True)
    return give_up(fresh, FailureCode.CARD_UNREADABLE, now)


def removed(session: Session, event: CardRemoved, now: float) -> Outcome:
    if session.visit.by_phone:
        # It was the card of somebody who waits for the next visit.
        return replace(session, visit=replace(session.visit, next_visit="")), ()
    return rest(_without_card(session), CARD_REMOVED_WHILE[session.state], now)


def _without_card(session: Session) -> Session:
    return replace(session, visit=replace(session.visit, card_in=False))


def removed_at_limit(session: Session, event: CardRemoved, now: float) -> Outcome:
    if session.visit.by_phone:
        return replace(session, visit=replace(session.visit, next_visit="")), ()
    if session.asks_to_confirm:
        return send(_without_card(session), now)
    return answered(_without_card(session), Answer(ConsentAnswer.DECLINED), now)


def removed_after(session: Session, event: CardRemoved, now: float) -> Outcome:
    return replace(session, visit=replace(session.visit, card_in=False, next_visit="")), ()


def taken(session: Session, event: CardRemoved, now: float) -> Outcome:
    if not session.visit.card_in:
        return replace(session, visit=replace(session.visit, next_visit="")), ()
    return enter(_without_card(session), S.COMPLETE, now), (Effect.POWER_OFF_CARD,)


def left(session: Session, event: CardRemoved, now: float) -> Outcome:
    return rest(_without_card(session), session.visit.failure, now)


def read(session: Session, event: CardRead, now: float) -> Outcome:
    visit = replace(
        session.visit,
        has_photo=event.has_photo,
        photo_sought=event.photo_sought,
        pin_tries_left=event.pin_tries_left,
    )
    session = replace(session, visit=visit)
    if session.visit.visual_wanted:
        return _compare_by_sight(session, now)
    failure = None if event.photo_genuine else event.photo_failure
    if event.pin_tries_left == 0:
        failure = FailureCode.PIN_BLOCKED
    return choose_again(session, failure, now)


def card_awaited(session: Session, event: CardAwaited, now: float) -> Outcome:
    return replace(session, guidance=READER_BUSY), ()


def photo_read(session: Session, event: PhotoRead, now: float) -> Outcome:
    if event.visit != session.visit.id or session.visit.photo_sought:
        return session, (Effect.LOG_LATE_EVENT,)
    failure = session.visit.failure if event.has_photo else event.photo_failure
    visit = replace(session.visit, has_photo=event.has_photo, photo_sought=True, failure=failure)
    return replace(session, visit=replace(visit, match_code_tries_left=None)), ()


def match_code_refused(session: Session, event: MatchCodeRefused, now: float) -> Outcome:
    if event.visit != session.visit.id:
        return session, (Effect.LOG_LATE_EVENT,)
    return replace(session, visit=replace(session.visit, match_code_tries_left=event.tries_left)), ()


def work_failed(session: Session, event: WorkFailed, now: float) -> Outcome:
    return give_up(session, event.code, now)


def chosen(session: Session, event: Choose, now: float) -> Outcome:
    if event.method not in session.methods:
        return session, (Effect.LOG_LATE_EVENT,)
    session = replace(session, visit=replace(session.visit, failure=None))
    match event.method:
        case Method.FACE:
            return enter(session, S.FACE_MATCH, now), (Effect.START_FACE,)
        case Method.PIN:
            return enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)
        case Method.ANDROID:
            # The phone in the hand may be another one than before: its tries are not known yet.
            session = replace(
                session,
                visit=replace(
                    session.visit, phone=event.method, pin_tries_left=None, last_try_accepted=False
                ),
            )
            return enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)
        case Method.IPHONE:
            return await_phone(replace(session, visit=replace(session.visit, phone=event.method)), now)
        case Method.VISUAL:
            return session, (Effect.LOG_LATE_EVENT,)
        case _:
            assert_never(event.method)


def pin_typed(session: Session, event: PinTyped, now: float) -> Outcome:
    return replace(session, pin_digits=event.digits, pin_short=False), ()


def last_try_accepted(session: Session, event: AcceptLastTry, now: float) -> Outcome:
    return replace(session, visit=replace(session.visit, last_try_accepted=True)), ()


def pin_submitted(session: Session, event: PinSubmit, now: float) -> Outcome:
    if session.asks_last_try or session.verifying:
        return session, (Effect.LOG_LATE_EVENT,)
    if session.pin_digits != 4:
        return replace(session, pin_short=True), ()
    if session.visit.by_phone:
        return await_phone(session, now)
    return replace(session, verifying=True), (Effect.VERIFY_PIN,)


def phone_chosen(session: Session, event: ChoosePhone, now: float) -> Outcome:
    if not session.desk.phones_ready or session.visit.card_in:
        return session, (Effect.LOG_LATE_EVENT,)
    fresh = new_visit(session, event.visit, card_in=False)
    return enter(fresh, S.METHOD_CHOICE, now), (Effect.FORGET_VISIT,)


def await_phone(session: Session, now: float) -> Outcome:
    after = enter(session, S.PHONE_TAP, now)
    # Level before edge: a phone that lies there already is read at once.
    return phone_laid(after, PhoneLaid(), now) if session.desk.phone_laid else (after, ())


def phone_laid(session: Session, event: PhoneLaid, now: float) -> Outcome:
    session = replace(session, desk=replace(session.desk, phone_laid=True))
    if session.state is not S.PHONE_TAP or session.verifying:
        return session, ()
    return replace(session, verifying=True, visit=replace(session.visit, failure=None)), (Effect.READ_PHONE,)


def phone_lifted(session: Session, event: PhoneLifted, now: float) -> Outcome:
    return replace(session, desk=replace(session.desk, phone_laid=False)), ()


def phone_read(session: Session, event: PhoneRead, now: float) -> Outcome:
    # Android's PIN was typed here; an iPhone has asked its owner itself.
    identity = Method.PIN if session.visit.phone is Method.ANDROID else Method.IPHONE
    session = replace(session, visit=replace(session.visit, identity=identity, failure=None))
    return matched(session, now), (Effect.WIPE_PIN, Effect.IDENTIFY)


def phone_failed(session: Session, event: PhoneFailed, now: float) -> Outcome:
    session = replace(session, visit=replace(session.visit, failure=event.code, last_try_accepted=False))
    if event.pin_sent:
        return enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)
    return enter(session, S.PHONE_TAP, now), ()


def phone_last_try(session: Session, event: PhoneLastTry, now: float) -> Outcome:
    visit = replace(session.visit, pin_tries_left=1, last_try_accepted=False, failure=None)
    return enter(replace(session, visit=visit), S.PIN_ENTRY, now), (Effect.WIPE_PIN,)


def phone_reader_ready(session: Session, event: PhoneReaderReady, now: float) -> Outcome:
    return replace(session, desk=replace(session.desk, phones_ready=True)), ()


def phone_reader_lost(session: Session, event: PhoneReaderLost, now: float) -> Outcome:
    session = replace(session, desk=replace(session.desk, phones_ready=False, phone_laid=False))
    if session.visit.by_phone and session.state in (S.METHOD_CHOICE, S.PIN_ENTRY, S.PHONE_TAP):
        return rest(session, FailureCode.PHONE_READER_LOST, now)
    return session, ()


def pin_verified(session: Session, event: PinVerified, now: float) -> Outcome:
    session = replace(session, visit=replace(session.visit, identity=Method.PIN, failure=None))
    return matched(session, now), (Effect.WIPE_PIN, Effect.IDENTIFY)


def pin_missed(session: Session, event: PinMissed, now: float) -> Outcome:
    visit = replace(session.visit, pin_tries_left=event.tries_left, failure=event.code)
    session = replace(session, visit=visit)
    if event.tries_left == 0 and session.visit.by_phone:
        return give_up(session, FailureCode.PHONE_PIN_BLOCKED, now)
    if event.tries_left == 0:
        return choose_again(session, FailureCode.PIN_BLOCKED, now)
    return enter(session, S.PIN_ENTRY, now), (Effect.WIPE_PIN,)


def face_guided(session: Session, event: FaceGuided, now: float) -> Outcome:
    return replace(session, guidance=event.guidance), ()


def face_matched(session: Session, event: FaceMatched, now: float) -> Outcome:
    session = replace(session, visit=replace(session.visit, identity=Method.FACE, failure=None))
    return matched(session, now), (Effect.STOP_FACE, Effect.IDENTIFY)


def matched(session: Session, now: float) -> Session:
    """Begin to check, and say for a moment that 本人確認 has succeeded."""
    lasts = session.config.delays.matched_s
    return replace(enter(session, S.CHECKING, now), matched_until=now + lasts if lasts else None)


def face_failed(session: Session, event: FaceFailed, now: float) -> Outcome:
    if event.code is FailureCode.FACE_CAMERA_LOST:
        # No fault of the patient: it costs no try, and the face is offered again as soon as the camera is back.
        return choose_again(replace(session, desk=replace(session.desk, camera_ready=False)), event.code, now)
    failures = session.visit.face_failures + 1 if event.usable else session.config.face.tries
    session = replace(session, visit=replace(session.visit, face_failures=failures))
    return choose_again(session, event.code, now)


def camera_ready(session: Session, event: CameraReady, now: float) -> Outcome:
    after = replace(session, desk=replace(session.desk, camera_ready=True))
    if after.methods == session.methods or session.state is not S.METHOD_CHOICE:
        return after, ()
    failure = None if session.visit.failure is FailureCode.FACE_CAMERA_LOST else session.visit.failure
    return choose_again(after, failure, now)


def camera_lost(session: Session, event: CameraLost, now: float) -> Outcome:
    after = replace(session, desk=replace(session.desk, camera_ready=False))
    if after.methods == session.methods or session.state is not S.METHOD_CHOICE:
        return after, ()
    return choose_again(after, FailureCode.FACE_CAMERA_LOST, now)


def back(session: Session, event: BackToChoice, now: float) -> Outcome:
    if session.verifying:
        return session, (Effect.LOG_LATE_EVENT,)
    return choose_again(session, None, now)


def identified(session: Session, event: Identified, now: float) -> Outcome:
    if session.matched_until is not None and now < session.matched_until:
        return replace(session, held=event), ()
    if event.card_use_offered and session.visit.card_use is None:
        return enter(session, S.CARD_USE_OFFER, now), ()
    visit = replace(
        session.visit,
        questions=event.questions,
        bundled=event.bundled,
        prescription_asked=event.prescription_offered,
    )
    return ask_next(replace(session, visit=visit), now)


def card_use_answered(session: Session, event: AnswerCardUse, now: float) -> Outcome:
    # A no is told to the server too: it keeps what was offered and declined.
    session = replace(session, visit=replace(session.visit, card_use=event.answer))
    return enter(session, S.CHECKING, now), (Effect.ANSWER_CARD_USE,)


def answered(session: Session, event: Answer, now: float) -> Outcome:
    if session.question is None:
        return session, (Effect.LOG_LATE_EVENT,)
    answers = (*session.visit.answers, (session.question, event.answer))
    return ask_next(replace(session, visit=replace(session.visit, answers=answers)), now)


def all_answered(session: Session, event: AnswerAll, now: float) -> Outcome:
    if session.screen != "BUNDLE":
        return session, (Effect.LOG_LATE_EVENT,)
    # Each certificate of a medical subsidy is asked by itself, after this.
    together = (item for item in session.visit.questions if item is not Item.MEDICAL_SUBSIDY)
    answers = tuple((item, event.answer) for item in together)
    return ask_next(replace(session, visit=replace(session.visit, answers=answers)), now)


def one_by_one(session: Session, event: OneByOne, now: float) -> Outcome:
    return replace(session, visit=replace(session.visit, bundled=False)), ()


def prescription_chosen(session: Session, event: ChoosePrescription, now: float) -> Outcome:
    if session.screen != "PRESCRIPTION":
        return session, (Effect.LOG_LATE_EVENT,)
    visit = replace(session.visit, prescription=event.form, prescription_asked=False)
    return ask_next(replace(session, visit=visit), now)


def visual_started(session: Session, event: StaffStartVisual, now: float) -> Outcome:
    if event.visit not in ("", session.visit.id):
        return session, (Effect.LOG_LATE_EVENT,)
    if session.visit.by_phone or not session.visit.card_in or session.verifying:
        return session, (Effect.LOG_LATE_EVENT,)
    if session.state is S.CALL_STAFF:
        # The visit had given up, and its card is powered off: it begins anew with a new look at the card.
        again = new_visit(session, session.visit.id, card_in=True)
        again = replace(again, visit=replace(again.visit, staff=event.staff, visual_wanted=True))
        return enter(again, S.READING, now), (Effect.FORGET_VISIT, Effect.READ_CARD)
    session = replace(session, visit=replace(session.visit, staff=event.staff))
    return _compare_by_sight(session, now)


def _compare_by_sight(session: Session, now: float) -> Outcome:
    session = replace(session, visit=replace(session.visit, visual_wanted=False))
    if not session.visit.has_photo:
        return choose_again(session, FailureCode.VISUAL_WITHOUT_PHOTO, now)
    session = replace(session, visit=replace(session.visit, failure=None))
    return enter(session, S.VISUAL_CHECK, now), (Effect.STOP_FACE, Effect.WIPE_PIN)


def visual_confirmed(session: Session, event: StaffConfirmVisual, now: float) -> Outcome:
    visit = replace(session.visit, identity=Method.VISUAL, visual_reason=event.reason, failure=None)
    return matched(replace(session, visit=visit), now), (Effect.IDENTIFY,)


def visual_refused(session: Session, event: StaffRefuseVisual, now: float) -> Outcome:
    return choose_again(session, FailureCode.VISUAL_REFUSED, now)


def ask_next(session: Session, now: float) -> Outcome:
    if len(session.visit.answers) == len(session.visit.questions) and session.visit.prescription_asked:
        return enter(session, S.CONSENT, now), ()
    if len(session.visit.answers) == len(session.visit.questions):
        if session.config.confirm_answers and session.visit.answers:
            last = session.visit.questions[-1]
            return enter(session, S.LIMIT_CONSENT if last is Item.LIMIT_AMOUNT else S.CONSENT, now), ()
        return send(session, now)
    item = session.visit.questions[len(session.visit.answers)]
    return enter(session, S.LIMIT_CONSENT if item is Item.LIMIT_AMOUNT else S.CONSENT, now), ()


def send(session: Session, now: float) -> Outcome:
    return enter(session, S.SENDING, now), (Effect.SEND_CONSENTS,)


def confirmed(session: Session, event: ConfirmAnswers, now: float) -> Outcome:
    return send(session, now) if session.asks_to_confirm else (session, (Effect.LOG_LATE_EVENT,))


def answer_changed(session: Session, event: ChangeAnswer, now: float) -> Outcome:
    changed, given = (event.item, event.number), list(numbered(session.visit.answers))
    if not session.asks_to_confirm or changed not in [(item, number) for item, number, _ in given]:
        return session, (Effect.LOG_LATE_EVENT,)
    other = {ConsentAnswer.GIVEN: ConsentAnswer.DECLINED, ConsentAnswer.DECLINED: ConsentAnswer.GIVEN}
    answers = tuple(
        (item, other[answer] if (item, number) == changed else answer) for item, number, answer in given
    )
    return wait_anew(replace(session, visit=replace(session.visit, answers=answers)), now), ()


def previous_asked(session: Session, event: PreviousQuestion, now: float) -> Outcome:
    if session.question is None or not session.visit.answers:
        return session, (Effect.LOG_LATE_EVENT,)
    visit = replace(session.visit, answers=session.visit.answers[:-1], bundled=False)
    return ask_next(replace(session, visit=visit), now)


def recorded(session: Session, event: Recorded, now: float) -> Outcome:
    done = replace(session, visit=replace(session.visit, completed=True, failure=None))
    if event.attributes:
        return offer.offered(done, event.attributes, now)
    return enter(done, S.TAKE_CARD, now), (Effect.POWER_OFF_CARD,)


def more_time(session: Session, event: MoreTime, now: float) -> Outcome:
    return wait_anew(session, now), ()


def cancel_asked(session: Session, event: AskCancel, now: float) -> Outcome:
    return replace(session, leaving=True), ()


def kept_on(session: Session, event: KeepOn, now: float) -> Outcome:
    if session.leaving:
        return wait_anew(replace(session, leaving=False), now), ()
    return session, (Effect.LOG_LATE_EVENT,)


def resumed(session: Session, event: KeepOn, now: float) -> Outcome:
    """Go on where staff were called; identity that was not accepted yet is shown anew."""
    before = session.visit.interrupted
    if before is None:
        return session, (Effect.LOG_LATE_EVENT,)
    session = replace(session, visit=replace(session.visit, failure=None, interrupted=None))
    if before is S.READING:
        return enter(session, S.READING, now), (Effect.READ_CARD,)
    if before in (S.CARD_USE_OFFER, S.CONSENT, S.LIMIT_CONSENT):
        return enter(session, before, now), ()
    return choose_again(session, None, now)


def call_taken_on(session: Session, event: TakeOnCall, now: float) -> Outcome:
    return replace(session, desk=replace(session.desk, called=False)), ()


def cancelled(session: Session, event: Cancel, now: float) -> Outcome:
    if session.visit.by_phone:
        return rest(session, FailureCode.CANCELLED, now)
    return give_up(session, FailureCode.CANCELLED, now)


def staff_called(session: Session, event: CallStaff, now: float) -> Outcome:
    if session.state is S.WAITING:
        # Nothing of the visit before is this person's.
        session = new_visit(session, session.visit.id, card_in=session.visit.card_in)
    waiting_for_nobody = session.state in (S.WAITING, S.CALL_STAFF)
    session = replace(session, desk=replace(session.desk, called=True))
    if waiting_for_nobody:
        return give_up(session, FailureCode.STAFF_CALLED, now)
    return interrupt(session, now)


def time_passed(session: Session, event: TimePassed, now: float) -> Outcome:
    """The one place for every wait that ends; an answer is waited for only after its warning was given."""
    if session.matched_until is not None and now >= session.matched_until:
        shown, held = replace(session, matched_until=None, held=None), session.held
        return (shown, ()) if held is None else identified(shown, held, now)
    if session.warn_at is not None and now >= session.warn_at:
        # Noticed late, as after a suspend: the warning still lasts as long as it should.
        lasts = 0.0 if session.deadline is None else session.deadline - session.warn_at
        return replace(session, warn_at=None, deadline=max(session.deadline or 0.0, now + lasts)), ()
    if session.deadline is None or now < session.deadline:
        return session, ()
    match session.state:
        case S.READING:
            return give_up(session, FailureCode.CARD_STALLED, now)
        case S.METHOD_CHOICE if session.visit.by_phone:
            return rest(session, FailureCode.ANSWER_TIMED_OUT, now)
        case S.METHOD_CHOICE:
            return give_up(session, FailureCode.ANSWER_TIMED_OUT, now)
        case S.PHONE_TAP:
            late = FailureCode.PHONE_UNREADABLE if session.verifying else FailureCode.ANSWER_TIMED_OUT
            return rest(session, late, now)
        case S.PIN_ENTRY if session.visit.by_phone:
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
        case S.CONSENT | S.LIMIT_CONSENT if session.asks_to_confirm:
            return send(session, now)
        case S.CONSENT if session.question is None:
            # Nothing chosen: the facility decides, as it does where nobody is asked.
            return ask_next(replace(session, visit=replace(session.visit, prescription_asked=False)), now)
        case S.CONSENT | S.LIMIT_CONSENT:
            return answered(session, Answer(ConsentAnswer.DECLINED), now)
        case S.ATTRIBUTE_OFFER | S.ATTRIBUTE_SIGN:
            return offer.time_over(session, now)
        case S.TAKE_CARD:
            if not session.visit.card_in:
                return enter(session, S.COMPLETE, now), ()
            wait = session.config.delays.reminder_s
            return replace(session, reminders=session.reminders + 1, deadline=now + wait), ()
        case S.COMPLETE:
            return rest(session, None, now)
        case S.CALL_STAFF:
            return rest(session, session.visit.failure, now)
        case S.WAITING:
            # The notice has been read long enough; the next patient must not take it for theirs.
            return _as_delivered(replace(session, visit=replace(session.visit, failure=None))), ()
        case S.OUT_OF_SERVICE:
            return _as_delivered(session), ()
        case _:
            assert_never(session.state)


def _as_delivered(session: Session) -> Session:
    """Take back what the last person changed of the window's look."""
    desk = replace(session.desk, language=Language.JA, display=DisplayMode.NORMAL)
    return replace(session, deadline=None, help=None, desk=desk)
