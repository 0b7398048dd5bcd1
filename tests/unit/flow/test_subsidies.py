"""Certificates of medical subsidies in the flow: one question each, whatever way leads to it or back from it."""

from dataclasses import replace

import pytest

from config import Config, Delays
from consent.choices import ConsentAnswer, Item
from reception import flow
from reception.flow import Effect, Session, State
from reception.flow.failures import FailureCode
from reception.terminal.snapshot import Health, Snapshot, snapshot_of
from tests.support.walk import CONFIG, Walk, in_state

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED
SUBSIDY = Item.MEDICAL_SUBSIDY
ASKED = (Item.MEDICATION, Item.HEALTH_CHECKUP, SUBSIDY, SUBSIDY)
CURRENT = replace(CONFIG, profile="current")


def asked(*questions: Item, bundled: bool = False, settings: Config = CURRENT) -> Walk:
    """Walk to the first of these questions."""
    walk = in_state(State.CHECKING)
    walk.session = replace(walk.session, config=settings)
    walk.on(flow.Identified(walk.occasion, questions or ASKED, bundled=bundled))
    return walk


def shown(session: Session) -> Snapshot:
    return snapshot_of(session, Snapshot(), Health(), None, subsidies=("こども医療費助成", "指定難病"))


def test_each_certificate_is_asked_by_itself_and_keeps_its_answer() -> None:
    walk = asked()
    walk.on(flow.Answer(GIVEN), flow.Answer(GIVEN))
    first = shown(walk.session)
    assert (first.question, first.subsidy_number, first.subsidy_count) == (SUBSIDY, 1, 2)
    walk.on(flow.Answer(DECLINED))
    second = shown(walk.session)
    assert (second.question, second.subsidy_number, second.question_number) == (SUBSIDY, 2, 4)
    assert second.occasion != first.occasion
    assert walk.on(flow.Answer(GIVEN)) == (Effect.SEND_CONSENTS,)
    assert walk.session.visit.answers[2:] == ((SUBSIDY, DECLINED), (SUBSIDY, GIVEN))


def test_other_questions_name_no_certificate() -> None:
    assert shown(asked().session).subsidy_number == 0


@pytest.mark.parametrize("answer", list(ConsentAnswer))
def test_one_answer_for_everything_leaves_the_certificates_to_be_asked(answer: ConsentAnswer) -> None:
    walk = asked(bundled=True)
    assert walk.session.screen == "BUNDLE"
    walk.on(flow.AnswerAll(answer))
    assert (walk.session.screen, walk.session.question) == ("CONSENT", SUBSIDY)
    assert list(walk.session.visit.answers) == [(Item.MEDICATION, answer), (Item.HEALTH_CHECKUP, answer)]
    walk.on(flow.Answer(GIVEN))
    assert walk.on(flow.Answer(DECLINED)) == (Effect.SEND_CONSENTS,)
    assert walk.session.visit.answers[2:] == ((SUBSIDY, GIVEN), (SUBSIDY, DECLINED))


def test_the_certificate_before_is_asked_again() -> None:
    walk = asked(SUBSIDY, SUBSIDY)
    walk.on(flow.Answer(GIVEN), flow.PreviousQuestion())
    assert shown(walk.session).subsidy_number == 1
    walk.on(flow.Answer(DECLINED), flow.Answer(GIVEN))
    assert walk.session.visit.answers == ((SUBSIDY, DECLINED), (SUBSIDY, GIVEN))


def test_silence_is_a_no_to_one_certificate_only() -> None:
    walk = asked(SUBSIDY, SUBSIDY)
    walk.wait()
    walk.wait()
    assert walk.session.visit.answers == ((SUBSIDY, DECLINED),)
    assert shown(walk.session).subsidy_number == 2


def test_the_summary_changes_the_certificate_that_was_touched_and_no_other() -> None:
    walk = asked(settings=Config(profile="current", delays=Delays(matched_s=0)))
    walk.on(*[flow.Answer(GIVEN)] * 4)
    assert walk.session.screen == "SUMMARY"
    walk.on(flow.ChangeAnswer(SUBSIDY, 2))
    assert [answer for _, answer in walk.session.visit.answers] == [GIVEN, GIVEN, GIVEN, DECLINED]
    walk.on(flow.ChangeAnswer(SUBSIDY))
    assert [answer for _, answer in walk.session.visit.answers] == [GIVEN, GIVEN, DECLINED, DECLINED]
    for other in (flow.ChangeAnswer(SUBSIDY, 3), flow.ChangeAnswer(SUBSIDY, 0)):
        assert walk.on(other) == (Effect.LOG_LATE_EVENT,)
    assert Effect.SEND_CONSENTS in walk.on(flow.ConfirmAnswers())


def test_a_card_pulled_at_a_certificate_sends_nothing() -> None:
    walk = asked(SUBSIDY, SUBSIDY)
    walk.on(flow.Answer(GIVEN))
    effects = walk.on(flow.CardRemoved())
    assert walk.session.visit.failure is FailureCode.CONSENT_CARD_REMOVED
    assert Effect.SEND_CONSENTS not in effects and walk.session.visit.answers == ()


def test_the_names_of_certificates_are_in_no_json_and_no_repr() -> None:
    seen = shown(asked(SUBSIDY, SUBSIDY).session)
    assert seen.subsidies == ("こども医療費助成", "指定難病")
    assert "指定難病" not in seen.to_json() and "指定難病" not in repr(seen)
    assert Snapshot.from_json(seen.to_json()).subsidies == ()
