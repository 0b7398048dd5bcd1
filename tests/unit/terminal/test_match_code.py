"""照合番号B typed by staff, on a terminal that nobody scans cards for."""

import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.person import load_person
from hardware.card import match_code_b
from hardware.face.engine import FaceEngine
from reception import flow
from reception.terminal.snapshot import Snapshot
from reception.testing import scenarios
from reception.testing.testbench import Bench
from reception.testing.timing import FAST

PERSON = load_person("age45")
CODE = match_code_b(PERSON.birth_date, PERSON.card.expires, PERSON.card.security_code)


class Unscanned(Bench):
    def _scan(self) -> str | None:
        return None


@pytest.fixture
def bench(made_state: Path) -> Iterator[Bench]:
    settings = FAST.settings()
    bench = Unscanned(
        settings, made_state, people=[PERSON], person=PERSON, today=scenarios.TODAY, engine=FaceEngine()
    )
    with bench:
        yield bench


def until(bench: Bench, holds: Callable[[Snapshot], bool]) -> Snapshot:
    seen: queue.SimpleQueue[Snapshot] = queue.SimpleQueue()
    stop = bench.terminal.subscribe(seen.put)
    try:
        while not holds(snapshot := seen.get(timeout=20)):
            pass
        return snapshot
    finally:
        stop()


def test_typed_while_the_patient_chooses_it_opens_the_way_by_face(bench: Bench) -> None:
    bench.insert()
    until(bench, lambda now: now.state == "METHOD_CHOICE" and now.match_code_wanted)
    bench.terminal.submit(flow.MatchCodeTyped(CODE))
    assert until(bench, lambda now: "face" in now.methods).methods == ("face", "pin")


def test_typed_before_the_card_comes_it_is_used_for_that_card_once(bench: Bench) -> None:
    until(bench, lambda now: now.state == "WAITING")
    bench.terminal.submit(flow.MatchCodeTyped(CODE))
    bench.insert()
    assert until(bench, lambda now: now.state == "METHOD_CHOICE").methods == ("face", "pin")
    bench.remove()
    until(bench, lambda now: now.state == "WAITING")
    bench.insert()
    assert until(bench, lambda now: now.state == "METHOD_CHOICE").methods == ("pin",)


def test_a_wrong_one_is_told_with_the_tries_left_and_costs_no_pin_try(bench: Bench) -> None:
    bench.insert()
    until(bench, lambda now: now.match_code_wanted)
    bench.terminal.submit(flow.MatchCodeTyped("11111111111111"))
    assert until(bench, lambda now: now.match_code_tries_left is not None).match_code_tries_left == 9
    bench.terminal.submit(flow.MatchCodeTyped(CODE))
    until(bench, lambda now: "face" in now.methods)
    assert bench.pin_tries_left() == 3


def test_what_is_no_match_code_is_never_sent_to_the_card(bench: Bench) -> None:
    bench.insert()
    until(bench, lambda now: now.match_code_wanted)
    bench.terminal.submit(flow.MatchCodeTyped("123"))
    bench.terminal.submit(flow.MatchCodeTyped(CODE))
    assert until(bench, lambda now: "face" in now.methods).match_code_tries_left is None
