"""The moves that many rows share: into a state, to rest, to staff, back to the choice."""

from dataclasses import replace
from typing import assert_never

from reception.flow.events import CardInserted, Effect
from reception.flow.failures import FailureCode
from reception.flow.session import Session, VisitProgress
from reception.flow.states import DisplayMode, Language, S, State

Outcome = tuple[Session, tuple[Effect, ...]]


def enter(session: Session, state: State, now: float) -> Session:
    """Enter a state, perhaps again: a new occasion, of which nothing has happened yet."""
    entered = Session(session.config, session.desk, session.visit, state, session.occasion + 1)
    return wait_anew(entered, now)


def wait_anew(session: Session, now: float) -> Session:
    """Let the state last as long as if it were entered now."""
    return waiting(session, _wait_in(session), now)


def waiting(session: Session, wait: float | None, now: float) -> Session:
    """Let the session wait so long, in seconds, from now on; a person is warned before the end."""
    if wait is None:
        return replace(session, deadline=None, warn_at=None)
    warn_at = now + max(0.0, wait - session.config.delays.warning_s) if session.awaits_person else None
    return replace(session, deadline=now + wait, warn_at=warn_at)


def _wait_in(session: Session) -> float | None:
    """Return how long the state may last, in seconds; None: until something happens."""
    delays = session.config.delays
    match session.state:
        case S.READING:
            return delays.reading_s
        case S.METHOD_CHOICE:
            return delays.choice_s
        case S.FACE_MATCH:
            # The match ends by itself; this catches an engine that does not.
            face = session.config.face
            # Each move of the challenge, and looking straight after it.
            moves_s = 2 * face.challenge * face.challenge_step_s if face.challenge else 0.0
            flash_s = 2.0 if face.flash else 0.0
            return face.time_limit_s + flash_s + moves_s + delays.checking_s
        case S.PIN_ENTRY:
            return delays.pin_s
        case S.PHONE_TAP:
            return delays.phone_s
        case S.CHECKING:
            return delays.checking_s
        case S.ATTRIBUTE_SIGN:
            # A password of up to 16 characters, or a phone to be taken out.
            return 2 * delays.question_s
        case S.CONSENT | S.LIMIT_CONSENT | S.CARD_USE_OFFER | S.ATTRIBUTE_OFFER:
            return delays.question_s
        case S.SENDING:
            return delays.sending_s
        case S.TAKE_CARD:
            return delays.reminder_s if session.visit.card_in else delays.told_s
        case S.COMPLETE:
            return delays.farewell_s
        case S.CALL_STAFF:
            return None if session.visit.card_in else delays.call_staff_s
        case S.WAITING:
            # The notice is for the one who has just left; a language that nobody uses is for nobody.
            looks = None if session.as_delivered else delays.choice_s
            return delays.notice_s if session.visit.failure else looks
        case S.VISUAL_CHECK:
            return delays.visual_s
        case S.OUT_OF_SERVICE:
            return None if session.as_delivered else delays.choice_s
        case _:
            assert_never(session.state)


_LET_GO = (Effect.STOP_FACE, Effect.WIPE_PIN, Effect.POWER_OFF_CARD, Effect.FORGET_VISIT)


def rest(session: Session, failure: FailureCode | None, now: float) -> Outcome:
    """End the visit: ready for the next patient, or out of service while the reader is lost."""
    desk, waits = session.desk, session.visit.next_visit
    if failure is None or waits:
        # Only who is told what went wrong still reads the language of the visit; it ends with the notice.
        desk = replace(desk, language=Language.JA, display=DisplayMode.NORMAL)
    over = replace(session, desk=desk, visit=session.visit.over(failure))
    if waits and not desk.open:
        # Kept for when staff open again: nobody has to take the card out and put it in again.
        over = replace(over, visit=replace(over.visit, next_visit=waits))
    elif waits and desk.reader_ready:
        after, effects = inserted(over, CardInserted(waits), now)
        return after, (*_LET_GO, *effects)
    return enter(over, S.WAITING if over.ready else S.OUT_OF_SERVICE, now), _LET_GO


def interrupt(session: Session, now: float) -> Outcome:
    """Let the visit wait while staff come; nothing of it is given up."""
    visit = replace(session.visit, failure=FailureCode.STAFF_CALLED, interrupted=session.state)
    return enter(replace(session, visit=visit), S.CALL_STAFF, now), (Effect.STOP_FACE, Effect.WIPE_PIN)


def give_up(session: Session, failure: FailureCode, now: float) -> Outcome:
    """End the visit incomplete, with words that stay until the card is taken."""
    visit = replace(session.visit, failure=failure, interrupted=None)
    return enter(replace(session, visit=visit), S.CALL_STAFF, now), _LET_GO


def choose_again(session: Session, failure: FailureCode | None, now: float) -> Outcome:
    after = replace(session, visit=replace(session.visit, failure=failure, last_try_accepted=False))
    if not after.methods:
        last = failure if failure is FailureCode.PIN_BLOCKED else FailureCode.NO_METHOD_LEFT
        return give_up(after, last, now)
    return enter(after, S.METHOD_CHOICE, now), (Effect.STOP_FACE, Effect.WIPE_PIN)


def new_visit(session: Session, visit: str, *, card_in: bool) -> Session:
    """Begin a visit of which nothing is known yet, with a card or with a phone."""
    return replace(session, visit=VisitProgress(visit, card_in=card_in, by_phone=not card_in))


def inserted(session: Session, event: CardInserted, now: float) -> Outcome:
    if not session.desk.open:
        return rest(replace(session, visit=replace(session.visit, next_visit=event.visit)), None, now)
    fresh = new_visit(session, event.visit, card_in=True)
    return enter(fresh, S.READING, now), (Effect.FORGET_VISIT, Effect.READ_CARD)
