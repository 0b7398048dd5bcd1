"""A visit walked through the flow alone, on a made clock."""

from config import Config, Delays
from consent.choices import ConsentAnswer, Item
from reception import flow
from reception.flow import OFFERING, Effect, Event, Method, Session, State

GIVEN = ConsentAnswer.GIVEN
CONFIG = Config(confirm_answers=False, delays=Delays(matched_s=0))
"""Without what is only shown: the summary, and the moment after a match, have tests of their own."""
QUESTIONS = (Item.MEDICATION, Item.HEALTH_CHECKUP, Item.LIMIT_AMOUNT)


class Walk:
    """A session, its clock, and all effects so far."""

    def __init__(self, session: Session | None = None) -> None:
        self.session = session or Session(CONFIG)
        self.now = 0.0
        self.effects: list[Effect] = []

    def state(self) -> State:
        return self.session.state

    @property
    def occasion(self) -> int:
        return self.session.occasion

    def on(self, *events: Event) -> tuple[Effect, ...]:
        """Let the events happen; return the effects of the last."""
        effects: tuple[Effect, ...] = ()
        for event in events:
            self.session, effects = flow.advance(self.session, event, self.now)
            self.effects += effects
        return effects

    def wait(self) -> tuple[Effect, ...]:
        """Let time pass up to the next moment that the flow waits for."""
        due = flow.next_moment(self.session)
        assert due is not None
        self.now = due
        return self.on(flow.TimePassed())


def in_state(state: State, tries: int | None = 3) -> Walk:
    """Walk there as a patient would."""
    walk = Walk()
    if state is State.OUT_OF_SERVICE:
        return walk
    walk.on(flow.ReaderReady())
    if state is State.WAITING:
        return walk
    if state is State.PHONE_TAP:
        walk.on(flow.PhoneReaderReady(), flow.ChoosePhone("visit-1"), flow.Choose(Method.IPHONE))
        return walk
    walk.on(flow.CardInserted("visit-1"))
    if state is State.READING:
        return walk
    walk.on(flow.CardRead(walk.occasion, True, tries))
    if state is State.METHOD_CHOICE:
        return walk
    if state is State.CALL_STAFF:
        walk.on(flow.CallStaff())
        return walk
    if state is State.FACE_MATCH:
        walk.on(flow.Choose(Method.FACE))
        return walk
    if state is State.VISUAL_CHECK:
        walk.on(flow.StaffStartVisual("staff-1"))
        return walk
    walk.on(flow.Choose(Method.PIN))
    if state is State.PIN_ENTRY:
        return walk
    walk.on(flow.PinTyped(4), flow.PinSubmit(), flow.PinVerified(walk.occasion))
    if state is State.CHECKING:
        return walk
    if state is State.CARD_USE_OFFER:
        walk.on(flow.Identified(walk.occasion, (), card_use_offered=True))
        return walk
    walk.on(flow.Identified(walk.occasion, QUESTIONS))
    if state is State.CONSENT:
        return walk
    walk.on(flow.Answer(GIVEN), flow.Answer(GIVEN))
    if state is State.LIMIT_CONSENT:
        return walk
    walk.on(flow.Answer(GIVEN))
    if state is State.SENDING:
        return walk
    if state in OFFERING:
        walk.on(flow.Recorded(walk.occasion, ("address",)))
        if state is State.ATTRIBUTE_SIGN:
            walk.on(flow.AnswerAttribute(GIVEN), flow.SigningTries(walk.occasion, 5))
        return walk
    walk.on(flow.Recorded(walk.occasion))
    if state is State.TAKE_CARD:
        return walk
    walk.on(flow.CardRemoved())
    return walk
