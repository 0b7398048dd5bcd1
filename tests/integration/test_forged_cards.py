"""Cards that are not what they claim to be: each forgery by each profile on both benches is refused, and an honest
card is accepted each time after it.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import config
from config.person import everybody, load_person
from config.toml_file import TomlFile
from consent.choices import ConsentAnswer
from hardware.face.engine import FaceEngine
from reception import flow
from reception.flow import Method
from reception.terminal.snapshot import Snapshot
from reception.testing.scenarios import TODAY
from reception.testing.testbench import Bench, BenchKind
from reception.testing.timing import FOLLOWED
from tests.support.pcscd import running_pcscd

FORGERIES = {
    "cloned-card": "FACE_CHIP_UNPROVEN",
    "photo-re-signed": "FACE_PHOTO_FORGED",
    "photo-of-another": "PHOTO_OF_ANOTHER",
    "authority-expired": "FACE_AUTHORITY_EXPIRED",
    "authority-unknown": "FACE_AUTHORITY_UNKNOWN",
    "relayed-chip": "FACE_CHIP_LATE",
}
"""Who comes, and in which words their photo is refused."""
WITHOUT_KEYS = ("cloned-card", "photo-re-signed", "photo-of-another")
"""Whose card has none of the victim's private keys; it takes any PIN, and the server refuses what it signs."""
HONEST = "age45"
LIMIT_S = 30.0


class Visitor:
    """Goes through visits on a bench, as the screens ask."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def until(self, *states: str) -> Snapshot:
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            seen = self.bench.terminal.snapshot
            if seen.state in states:
                return seen
            if seen.state in ("CONSENT", "LIMIT_CONSENT"):
                self.bench.terminal.submit(flow.Answer(ConsentAnswer.GIVEN))
            time.sleep(0.01)  # what is looked at is a level, and an answer is asked for in several states
        raise AssertionError(f"never came to {states}: {self.bench.terminal.snapshot}")

    def come(self, name: str) -> Snapshot:
        self.bench.insert(name)
        return self.until("METHOD_CHOICE", "CALL_STAFF")

    def by_face(self) -> Snapshot:
        self.bench.terminal.submit(flow.Choose(Method.FACE))
        self.until("FACE_MATCH", "CHECKING", "CALL_STAFF", "TAKE_CARD")
        return self.until("TAKE_CARD", "CALL_STAFF", "METHOD_CHOICE")

    def by_pin(self) -> Snapshot:
        submit = self.bench.terminal.submit
        submit(flow.Choose(Method.PIN))
        self.until("PIN_ENTRY")
        for digit in load_person(HONEST).card.pin:
            submit(flow.PinDigit(int(digit)))
        submit(flow.PinSubmit())
        return self.until("TAKE_CARD", "CALL_STAFF")

    def leave(self) -> None:
        self.bench.remove()
        self.until("WAITING")


@pytest.fixture(scope="module")
def engine() -> Iterator[FaceEngine]:
    with FaceEngine() as engine:
        assert engine.ready.wait(60)
        yield engine


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "profile"),
    [
        ("simulated", "leaflet-2023"),
        ("pcsc", "current"),
        pytest.param("simulated", "current", marks=pytest.mark.long),
        pytest.param("pcsc", "leaflet-2023", marks=pytest.mark.long),
    ],
)
def test_no_forgery_is_accepted_and_every_honest_card_is(
    kind: BenchKind, profile: str, engine: FaceEngine, made_state: Path
) -> None:
    if kind == "pcsc":
        with running_pcscd():
            pass
    said = {**FOLLOWED.tables(), "profile": profile, "consents": {"bundled": False}}
    settings = config.load(None, (said, TomlFile(Path("forgeries"), "", said)))
    accepted, honest = [], 0
    with Bench(settings, made_state, kind, people=everybody(), today=TODAY, engine=engine) as bench:
        visitor = Visitor(bench)
        visitor.until("WAITING")
        for name, code in FORGERIES.items():
            seen = visitor.come(name)
            if "face" in seen.methods:
                seen = visitor.by_face()
            assert seen.failure == code, name
            assert seen.state == "CALL_STAFF" or "face" not in seen.methods, name
            if seen.completed:
                accepted.append(name)
            visitor.leave()
            if name in WITHOUT_KEYS:
                visitor.come(name)
                seen = visitor.by_pin()
                assert (seen.state, seen.failure) == ("CALL_STAFF", "IDENTITY_REFUSED"), name
                accepted += [name] * seen.completed
                visitor.leave()
            assert "face" in visitor.come(HONEST).methods
            seen = visitor.by_face()
            assert (seen.state, seen.completed, seen.identity) == ("TAKE_CARD", True, "face")
            honest += 1
            visitor.leave()
    assert (accepted, honest) == ([], len(FORGERIES))
