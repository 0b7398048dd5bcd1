"""What keeps a visit: a call that does not end it, やめる asked once, the summary, one question back, a match seen."""

from dataclasses import replace

import pytest

from config import Config, Delays
from consent.choices import ConsentAnswer, Item
from reception import flow
from reception.flow import Effect, Method, Session, State
from reception.flow.failures import FailureCode
from tests.support.walk import QUESTIONS, Walk, in_state

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED
AS_SHIPPED = Config()


def at_question(config: Config = AS_SHIPPED, number: int = 1) -> Walk:
    """Walk to a question, with all that the shipped settings show on the way."""
    walk = Walk(Session(config))
    walk.on(flow.ReaderReady(), flow.CardInserted("visit-1"), flow.CardRead(2, True, 3))
    walk.on(flow.Choose(Method.PIN), flow.PinTyped(4), flow.PinSubmit())
    walk.on(flow.PinVerified(walk.occasion))
    walk.now += config.delays.matched_s
    walk.on(flow.TimePassed(), flow.Identified(walk.occasion, QUESTIONS))
    for _ in range(number - 1):
        walk.on(flow.Answer(GIVEN))
    return walk


@pytest.mark.parametrize(
    ("state", "then"),
    [
        (State.READING, State.READING),
        (State.METHOD_CHOICE, State.METHOD_CHOICE),
        (State.FACE_MATCH, State.METHOD_CHOICE),
        (State.PIN_ENTRY, State.METHOD_CHOICE),
        (State.CHECKING, State.METHOD_CHOICE),
        (State.CARD_USE_OFFER, State.CARD_USE_OFFER),
        (State.CONSENT, State.CONSENT),
        (State.LIMIT_CONSENT, State.LIMIT_CONSENT),
    ],
)
def test_staff_are_called_and_the_visit_goes_on_where_it_was(state: State, then: State) -> None:
    walk = in_state(state)
    answers = walk.session.visit.answers
    effects = walk.on(flow.CallStaff())
    called = walk.session
    assert (called.state, called.visit.failure) == (State.CALL_STAFF, FailureCode.STAFF_CALLED)
    assert Effect.POWER_OFF_CARD not in effects and Effect.FORGET_VISIT not in effects
    walk.on(flow.KeepOn())
    after = walk.session
    assert (after.state, after.visit.failure, after.visit.answers) == (then, None, answers)
    assert after.desk.called


def test_a_call_stays_until_a_clerk_takes_it_on_though_the_patient_left() -> None:
    walk = in_state(State.CONSENT)
    walk.on(flow.CallStaff(), flow.CardRemoved())
    assert walk.session.state is State.WAITING and walk.session.desk.called
    walk.on(flow.CardInserted("visit-2"))
    assert walk.session.desk.called
    walk.on(flow.TakeOnCall())
    assert not walk.session.desk.called


def test_nothing_goes_on_after_a_visit_that_has_ended() -> None:
    walk = in_state(State.CONSENT)
    walk.on(flow.Cancel())
    assert walk.on(flow.KeepOn()) == (Effect.LOG_LATE_EVENT,)
    assert walk.session.state is State.CALL_STAFF


def test_to_stop_is_asked_once_and_can_be_taken_back() -> None:
    walk = in_state(State.CONSENT)
    occasion = walk.occasion
    walk.on(flow.AskCancel())
    assert (walk.session.screen, walk.session.state, walk.occasion) == ("LEAVE", State.CONSENT, occasion)
    walk.on(flow.KeepOn())
    assert walk.session.screen == "CONSENT"
    walk.on(flow.AskCancel(), flow.Cancel())
    assert walk.session.visit.failure is FailureCode.CANCELLED


def test_every_answer_is_shown_before_it_is_sent_and_changed_by_one_touch() -> None:
    walk = at_question(number=4)
    assert walk.session.screen == "SUMMARY"
    walk.on(flow.ChangeAnswer(Item.MEDICATION))
    assert dict(walk.session.visit.answers)[Item.MEDICATION] is DECLINED
    assert walk.session.screen == "SUMMARY"
    assert Effect.SEND_CONSENTS in walk.on(flow.ConfirmAnswers())
    assert walk.state() is State.SENDING


def test_an_answer_that_was_not_asked_for_is_not_changed_and_nothing_is_confirmed_too_early() -> None:
    walk = at_question(number=2)
    for event in (flow.ChangeAnswer(Item.MEDICATION), flow.ConfirmAnswers()):
        assert walk.on(event) == (Effect.LOG_LATE_EVENT,)
    walk = at_question(number=4)
    assert walk.on(flow.ChangeAnswer(Item.OPERATION)) == (Effect.LOG_LATE_EVENT,)


def test_a_summary_left_alone_is_sent_as_it_stands_after_its_warning() -> None:
    walk = at_question(number=4)
    walk.now += AS_SHIPPED.delays.question_s - AS_SHIPPED.delays.warning_s
    walk.on(flow.TimePassed())
    assert walk.session.warn_at is None and walk.session.screen == "SUMMARY"
    walk.now += AS_SHIPPED.delays.warning_s
    assert Effect.SEND_CONSENTS in walk.on(flow.TimePassed())


def test_a_card_taken_at_the_leaflets_summary_sends_what_was_answered() -> None:
    walk = at_question(number=4)
    assert walk.session.state is State.LIMIT_CONSENT
    assert Effect.SEND_CONSENTS in walk.on(flow.CardRemoved())
    assert dict(walk.session.visit.answers)[Item.LIMIT_AMOUNT] is GIVEN


def test_the_question_before_is_asked_again() -> None:
    walk = at_question(number=2)
    first = walk.session.visit.questions[0]
    walk.on(flow.PreviousQuestion())
    assert walk.session.question is first and walk.session.visit.answers == ()
    assert walk.on(flow.PreviousQuestion()) == (Effect.LOG_LATE_EVENT,)


def test_a_match_is_shown_for_its_moment_though_the_server_answers_sooner() -> None:
    walk = in_state(State.FACE_MATCH)
    walk.session = replace(walk.session, config=replace(AS_SHIPPED, delays=Delays(matched_s=1.0)))
    walk.on(flow.FaceMatched(walk.occasion))
    assert walk.session.screen == "MATCHED"
    walk.now += 0.2
    walk.on(flow.Identified(walk.occasion, QUESTIONS))
    assert walk.session.screen == "MATCHED"
    assert flow.next_moment(walk.session) == pytest.approx(walk.now + 0.8)
    walk.now += 0.8
    walk.on(flow.TimePassed())
    assert walk.session.screen == "CONSENT"


def test_a_server_that_takes_longer_is_waited_for_as_before() -> None:
    walk = in_state(State.FACE_MATCH)
    walk.session = replace(walk.session, config=replace(AS_SHIPPED, delays=Delays(matched_s=1.0)))
    walk.on(flow.FaceMatched(walk.occasion))
    walk.now += 1.0
    walk.on(flow.TimePassed())
    assert walk.session.screen == "CHECKING"
    walk.on(flow.Identified(walk.occasion, QUESTIONS))
    assert walk.session.screen == "CONSENT"


@pytest.mark.parametrize("digits", [0, 1, 2, 3])
def test_a_pin_confirmed_too_early_is_told_and_costs_no_try(digits: int) -> None:
    walk = in_state(State.PIN_ENTRY)
    walk.on(flow.PinTyped(digits))
    assert walk.on(flow.PinSubmit()) == ()
    assert walk.session.pin_short and walk.session.visit.pin_tries_left == 3
    walk.on(flow.PinTyped(digits + 1))
    assert not walk.session.pin_short


def test_the_reason_goes_with_its_cause() -> None:
    walk = in_state(State.CONSENT)
    walk.on(flow.ReaderLost(FailureCode.READER_LOST))
    lost = walk.session.visit.failure
    walk.on(flow.ReaderReady())
    mended = walk.session
    assert (lost, mended.state, mended.visit.failure) == (FailureCode.READER_LOST, State.WAITING, None)


def test_the_limit_question_stands_under_the_step_of_its_profile() -> None:
    walk = in_state(State.LIMIT_CONSENT)
    assert walk.session.step is flow.Step.COMPLETE
    current = replace(walk.session, config=replace(AS_SHIPPED, profile="current"))
    assert current.step is flow.Step.CONSENT
