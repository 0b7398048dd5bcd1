"""Every command of both routes, as a terminal gives them, with a fault at it: an exchange lost, a reset, a busy second.

The visit completes, or ends in words that are true; and no PIN is ever sent twice.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import config
from config.person import load_person
from config.toml_file import TomlFile
from consent.choices import ConsentAnswer
from hardware.face.engine import FaceEngine
from hardware.simulation.virtual_card import RecordingCard, VirtualCard
from reception import flow
from reception.flow import Method
from reception.terminal.snapshot import Snapshot
from reception.testing.scenarios import TODAY
from reception.testing.testbench import Bench, make_card
from reception.testing.timing import FOLLOWED

PERSON = "age45"
TRIES = 2
LIMIT_S = 30.0
TRUE_WORDS = {"CARD_TROUBLE", "FACE_CHIP_LATE", "FACE_CHIP_UNPROVEN", "FACE_PHOTO_UNUSABLE"}
"""What may be told of a card in trouble; CARD_REMOVED, CARD_WRONG and the like would be false."""
BUSY_S = 1.0

Fault = Callable[[Bench, int, bytes], None]


def answer_lost(bench: Bench, number: int, _apdu: bytes) -> None:
    bench.faults.lose_exchanges(1, executed=True)


def lost(bench: Bench, number: int, _apdu: bytes) -> None:
    bench.faults.lose_exchanges(1)


def reset(bench: Bench, number: int, _apdu: bytes) -> None:
    bench.faults.reset_card()


def reset_with_power(bench: Bench, number: int, _apdu: bytes) -> None:
    bench.faults.reset_card(power=True)


def busy(bench: Bench, number: int, _apdu: bytes) -> None:
    bench.slot.stall(BUSY_S)


FAULTS: dict[str, Fault] = {
    "exchange lost": lost,
    "answer lost": answer_lost,
    "reset": reset,
    "reset with power-off": reset_with_power,
    "busy for 1 s": busy,
}


@dataclass
class Outcomes:
    """What came of each command with a fault at it."""

    completed: int = 0
    told: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


@pytest.fixture(scope="module")
def bench(made_state: Path) -> Iterator[Bench]:
    said = FOLLOWED.but(delays={"notice_s": 0.1, "call_staff_s": 0.1, "farewell_s": 0.1}).tables()
    settings = config.load(None, (said, TomlFile(Path("faults"), "", said)))
    person = load_person(PERSON)
    with (
        FaceEngine() as engine,
        Bench(settings, made_state, people=[person], person=person, today=TODAY, engine=engine) as made,
    ):
        assert engine.ready.wait(60)
        yield made


class Visit:
    """One visit with a card whose commands are counted; ``fault`` strikes once, after its ``at``-th command."""

    def __init__(self, bench: Bench, at: int = 0, fault: Fault = lost) -> None:
        self.bench = bench
        card = make_card(load_person(PERSON), bench.authority)
        self.virtual: VirtualCard = card
        assert card._pin
        card._pin.tries_left = TRIES
        self.card = RecordingCard(card)
        self.card.after = lambda number, apdu: fault(bench, number, apdu) if number == at else None
        if at == 0:
            self.card.after = lambda number, apdu: None
        self.typed = 0

    def play(self, method: Method) -> Snapshot:
        self.bench.slot.insert(self.card)
        try:
            return self._play(method)
        finally:
            self.bench.faults.lose_exchanges(0)
            self.bench.slot.stall(0)
            self.bench.slot.remove()
            self._until("WAITING")

    def _play(self, method: Method) -> Snapshot:
        seen = self._until("METHOD_CHOICE", "CALL_STAFF")
        if seen.state == "CALL_STAFF" or method.value not in seen.methods:
            return seen
        self.bench.terminal.submit(flow.Choose(method))
        self._until_not(seen.occasion)
        while method is Method.PIN:
            seen = self._until("PIN_ENTRY", "TAKE_CARD", "CALL_STAFF")
            if seen.state != "PIN_ENTRY":
                return seen
            occasion = seen.occasion
            self.typed += 1
            for digit in load_person(PERSON).card.pin:
                self.bench.terminal.submit(flow.PinDigit(int(digit)))
            self.bench.terminal.submit(flow.PinSubmit())
            seen = self._until_not(occasion)
            if self.typed > 2:
                return seen
        seen = self._until("TAKE_CARD", "CALL_STAFF", "METHOD_CHOICE")
        # An engine that hangs on a busy machine is no fault of the card's: the face is tried again.
        for _ in range(2):
            if seen.state == "METHOD_CHOICE":
                self.bench.terminal.submit(flow.Choose(method))
                seen = self._until_not(seen.occasion)
                seen = self._until("TAKE_CARD", "CALL_STAFF", "METHOD_CHOICE")
        return seen

    def _until_not(self, occasion: int) -> Snapshot:
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            seen = self.bench.terminal.snapshot
            if seen.occasion != occasion:
                return seen
            time.sleep(0.002)  # a level is looked at
        raise AssertionError("the card was never asked")

    def _until(self, *states: str) -> Snapshot:
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            seen = self.bench.terminal.snapshot
            if seen.state in states:
                return seen
            if seen.state in ("CONSENT", "LIMIT_CONSENT"):
                self.bench.terminal.submit(flow.Answer(ConsentAnswer.DECLINED))
            time.sleep(0.002)  # a level is looked at
        raise AssertionError(f"never came to {states}: {self.bench.terminal.snapshot}")


ALWAYS = (("exchange lost", Method.PIN), ("reset", Method.FACE))
"""Played in every run, at every third command; each of the others takes a minute, and the same is tried below the
terminal in every run."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "method"),
    [
        pytest.param(name, method, marks=[] if (name, method) in ALWAYS else [pytest.mark.long])
        for name in FAULTS
        for method in (Method.PIN, Method.FACE)
    ],
)
def test_a_fault_at_any_command_costs_a_second_and_not_the_visit(
    name: str, method: Method, bench: Bench, request: pytest.FixtureRequest
) -> None:
    whole = Visit(bench)
    assert whole.play(method).completed
    commands = range(0, whole.card.count, 1 if request.config.getoption("--long") else 3)
    outcomes = Outcomes()
    for at in commands:
        visit = Visit(bench, at, FAULTS[name])
        if at == 0:
            FAULTS[name](bench, 0, b"")
        began = time.monotonic()
        seen = visit.play(method)
        outcomes.seconds.append(time.monotonic() - began)
        verifies = [apdu for apdu in visit.card.seen if apdu[1] == 0x20 and len(apdu) == 9]
        assert len(verifies) <= max(1, visit.typed), f"command {at}: the PIN was sent {len(verifies)} times"
        assert visit.virtual.pin_tries_left == (3 if verifies else TRIES), f"command {at}"
        if seen.completed:
            outcomes.completed += 1
        else:
            outcomes.told[seen.failure] += 1
    assert set(outcomes.told) <= TRUE_WORDS, outcomes
    # Only what power-off has made the card forget cannot be done once more without the patient.
    allowed = 3 if name == "reset with power-off" else 0
    assert len(commands) - outcomes.completed <= allowed, outcomes
    print(f"{method} with {name}: {outcomes.completed} of {len(commands)} complete, {dict(outcomes.told)}")
