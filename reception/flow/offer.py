"""What each row of the table does once a visit is complete: the offer to tell the clinic of a new name or address."""

from dataclasses import replace

from consent.choices import ConsentAnswer
from reception.flow.events import (
    AnswerAttribute,
    AttributesDone,
    CardRemoved,
    Effect,
    PhoneInvited,
    SignByPhone,
    SigningMissed,
    SigningSubmit,
    SigningTries,
    SigningTyped,
    SkipSigning,
)
from reception.flow.outcomes import Outcome, enter
from reception.flow.session import AttributeProgress, Session
from reception.flow.states import AttributeOutcome, S

SHORTEST_PASSWORD, LONGEST_PASSWORD = 6, 16
"""Characters of the signature certificate's password (署名用): capital letters and digits."""


def offered(session: Session, items: tuple[str, ...], now: float) -> Outcome:
    """Ask for the first attribute; the visit is complete already."""
    return enter(_with(session, AttributeProgress(items)), S.ATTRIBUTE_OFFER, now), ()


def answered(session: Session, event: AnswerAttribute, now: float) -> Outcome:
    """Go on to the next attribute, to the signature, or to the end where nothing was agreed to."""
    offer = session.visit.attributes
    offer = replace(offer, answers=(*offer.answers, event.answer))
    if offer.asked:
        return enter(_with(session, offer), S.ATTRIBUTE_OFFER, now), ()
    if not offer.given:
        after, effects = _over(_with(session, offer), AttributeOutcome.DECLINED, now)
        return after, (Effect.DECLINE_ATTRIBUTES, *effects)
    if not session.visit.card_in:
        offer = replace(offer, by_phone=True)
        return enter(_with(session, offer), S.ATTRIBUTE_SIGN, now), (Effect.INVITE_PHONE,)
    return enter(_with(session, offer), S.ATTRIBUTE_SIGN, now), (Effect.COUNT_SIGNING_TRIES,)


def tries_known(session: Session, event: SigningTries, now: float) -> Outcome:
    """Nothing is typed for a card whose password is locked: the phone remains."""
    offer = replace(session.visit.attributes, tries_left=event.tries_left)
    if event.tries_left == 0:
        offer = replace(offer, by_phone=True)
        return enter(_with(session, offer), S.ATTRIBUTE_SIGN, now), (Effect.WIPE_PIN, Effect.INVITE_PHONE)
    return _with(session, offer), ()


def typed(session: Session, event: SigningTyped, now: float) -> Outcome:
    return replace(session, signing_characters=event.characters), ()


def submitted(session: Session, event: SigningSubmit, now: float) -> Outcome:
    fits = SHORTEST_PASSWORD <= session.signing_characters <= LONGEST_PASSWORD
    if not fits or session.verifying or session.visit.attributes.by_phone:
        return session, (Effect.LOG_LATE_EVENT,)
    return replace(session, verifying=True), (Effect.SIGN_ATTRIBUTES,)


def missed(session: Session, event: SigningMissed, now: float) -> Outcome:
    if event.tries_left == 0:
        return _over(session, AttributeOutcome.BLOCKED, now)
    offer = replace(session.visit.attributes, tries_left=event.tries_left, missed=True)
    return enter(_with(session, offer), S.ATTRIBUTE_SIGN, now), (Effect.WIPE_PIN,)


def by_phone(session: Session, event: SignByPhone, now: float) -> Outcome:
    if session.verifying or session.visit.attributes.by_phone:
        return session, (Effect.LOG_LATE_EVENT,)
    offer = replace(session.visit.attributes, by_phone=True)
    return enter(_with(session, offer), S.ATTRIBUTE_SIGN, now), (Effect.WIPE_PIN, Effect.INVITE_PHONE)


def invited(session: Session, event: PhoneInvited, now: float) -> Outcome:
    return _with(session, replace(session.visit.attributes, invitation=event.url)), ()


def done(session: Session, event: AttributesDone, now: float) -> Outcome:
    return _over(session, event.outcome, now)


def skipped(session: Session, event: SkipSigning, now: float) -> Outcome:
    if session.verifying:
        return session, (Effect.LOG_LATE_EVENT,)
    return _over(session, _unsigned(session), now)


def card_removed(session: Session, event: CardRemoved, now: float) -> Outcome:
    """Nothing is given by who takes the card; a phone goes on without it."""
    if session.visit.by_phone:
        # It was the card of somebody who waits for the next visit.
        return replace(session, visit=replace(session.visit, next_visit="")), ()
    session = replace(session, visit=replace(session.visit, card_in=False, next_visit=""))
    if session.visit.attributes.by_phone:
        return session, (Effect.POWER_OFF_CARD,)
    return _over(session, AttributeOutcome.DECLINED, now)


def time_over(session: Session, now: float) -> Outcome:
    """No answer is a no; a card or operator that does not answer has recorded nothing that is known."""
    if session.state is S.ATTRIBUTE_OFFER:
        return answered(session, AnswerAttribute(ConsentAnswer.DECLINED), now)
    return _over(session, AttributeOutcome.NOT_RECORDED if session.verifying else _unsigned(session), now)


def reader_lost(session: Session, now: float) -> Outcome:
    """The visit is complete; the rest can wait for another day."""
    if session.visit.attributes.by_phone:
        return session, ()
    return _over(session, AttributeOutcome.DECLINED, now)


def _unsigned(session: Session) -> AttributeOutcome:
    invited = bool(session.visit.attributes.invitation)
    return AttributeOutcome.INVITED if invited else AttributeOutcome.DECLINED


def _over(session: Session, outcome: AttributeOutcome, now: float) -> Outcome:
    session = _with(session, replace(session.visit.attributes, outcome=outcome, invitation=""))
    return enter(session, S.TAKE_CARD, now), (Effect.WIPE_PIN, Effect.POWER_OFF_CARD)


def _with(session: Session, offer: AttributeProgress) -> Session:
    return replace(session, visit=replace(session.visit, attributes=offer))
