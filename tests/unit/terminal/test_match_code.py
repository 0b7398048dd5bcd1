"""照合番号B typed by staff, on a terminal that nobody scans cards for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.person import load_person
from hardware.card import match_code_b
from hardware.face.engine import FaceEngine
from reception import flow
from reception.flow import State
from reception.testing import scenarios
from reception.testing.testbench import Bench
from reception.testing.timing import FAST
from reception.testing.visit_driver import VisitDriver

PERSON = load_person("age45")
CODE = match_code_b(PERSON.birth_date, PERSON.card.expires, PERSON.card.security_code)


class Unscanned(Bench):
    def _scan(self) -> str | None:
        return None


@pytest.fixture
def visit(made_state: Path) -> Iterator[VisitDriver]:
    settings = FAST.settings()
    bench = Unscanned(
        settings, made_state, people=[PERSON], person=PERSON, today=scenarios.TODAY, engine=FaceEngine()
    )
    with bench:
        yield VisitDriver(bench)


def test_typed_while_the_patient_chooses_it_opens_the_way_by_face(visit: VisitDriver) -> None:
    visit.bench.insert()
    visit.wait_at(lambda now: now.state == "METHOD_CHOICE" and now.match_code_wanted)
    visit.terminal.submit(flow.MatchCodeTyped(CODE))
    assert visit.wait_at(lambda now: "face" in now.methods).methods == ("face", "pin")


def test_typed_before_the_card_comes_it_is_used_for_that_card_once(visit: VisitDriver) -> None:
    visit.wait_at_rest(State.WAITING)
    visit.terminal.submit(flow.MatchCodeTyped(CODE))
    visit.bench.insert()
    # The way by PIN is there first, while the photo is still read.
    assert visit.wait_at(lambda now: "face" in now.methods).methods == ("face", "pin")
    visit.bench.remove()
    visit.wait_at_rest(State.WAITING)
    visit.bench.insert()
    assert visit.wait_at_rest(State.METHOD_CHOICE).methods == ("pin",)


def test_a_wrong_one_is_told_with_the_tries_left_and_costs_no_pin_try(visit: VisitDriver) -> None:
    visit.bench.insert()
    visit.wait_at(lambda now: now.match_code_wanted)
    visit.terminal.submit(flow.MatchCodeTyped("11111111111111"))
    assert visit.wait_at(lambda now: now.match_code_tries_left is not None).match_code_tries_left == 9
    visit.terminal.submit(flow.MatchCodeTyped(CODE))
    visit.wait_at(lambda now: "face" in now.methods)
    assert visit.bench.pin_tries_left() == 3


def test_what_is_no_match_code_is_never_sent_to_the_card(visit: VisitDriver) -> None:
    visit.bench.insert()
    visit.wait_at(lambda now: now.match_code_wanted)
    visit.terminal.submit(flow.MatchCodeTyped("123"))
    visit.terminal.submit(flow.MatchCodeTyped(CODE))
    assert visit.wait_at(lambda now: "face" in now.methods).match_code_tries_left is None
