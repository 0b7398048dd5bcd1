"""./run bench visit: what a visit takes beside what the devices took of it; and that nothing is done twice, or late."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consent.eligibility import EligibilityClient
from hardware.face.engine import FaceEngine
from reception.flow import State
from reception.testing import demo, scenarios
from reception.testing.benchmarks import visit
from reception.testing.benchmarks.stopwatch import Lap
from reception.testing.testbench import Bench


def a_visit(*states: tuple[State, float]) -> scenarios.Result:
    return scenarios.Result("a visit", "", states=[(state.value, at) for state, at in states])


def test_only_what_the_machine_does_counts_and_waiting_for_the_camera_does_not() -> None:
    result = a_visit(
        (State.WAITING, 0.0),
        (State.READING, 1.0),
        (State.METHOD_CHOICE, 1.010),
        (State.FACE_MATCH, 2.0),
        (State.CHECKING, 2.050),
        (State.CONSENT, 2.080),
        (State.TAKE_CARD, 3.0),
        (State.WAITING, 4.0),
    )
    laps = [
        Lap("card", 101.001, 101.005),
        Lap("embedding", 101.008, 101.020),  # the photo's, while the patient chooses
        Lap("frame", 102.001, 102.031),
        Lap("look", 102.031, 102.034),
        Lap("embedding", 102.034, 102.042),
        Lap("http", 102.055, 102.075),
        Lap("card", 103.5, 103.6),
    ]
    spent = visit.spent_of(result, 100.0, laps, embedding_ms=6.0, rsa_ms=1.0)
    assert spent.states == pytest.approx({"READING": 10.0, "FACE_MATCH": 20.0, "CHECKING": 30.0})
    assert spent.floor == pytest.approx({"card": 4.0, "http": 20.0, "embedding": 6.0, "RSA": 1.0})
    assert spent.ratio == pytest.approx(60 / 31)
    assert spent.beside == pytest.approx({"looking for the face": 3.0, "embedding in the visit": 2.0})
    figure = visit.figure("simulated", "by face", [spent])
    assert (figure["ms"], figure["floor"], figure["ratio_to_floor"]) == (60.0, 31.0, 1.94)
    assert sum(figure["steps_ms"].values()) == pytest.approx(60.0)
    assert "ratio 1.94" in visit.line(figure)
    assert "5.0 (looking for the face 3.0, embedding in the visit 2.0)" in visit.line(figure)


def test_photo_and_challenge_come_once_and_before_they_are_needed(
    engine: FaceEngine, made_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, float]] = []

    def noted(owner: type[Any], name: str) -> None:
        work = getattr(owner, name)

        def note(*given: Any) -> Any:
            done.append((name, time.monotonic()))
            return work(*given)

        monkeypatch.setattr(owner, name, note)

    noted(EligibilityClient, "challenge")
    noted(FaceEngine, "embed_photo")
    (by_face, _) = demo.plans()
    thinks = scenarios.Rule(state=State.METHOD_CHOICE, do="wait", seconds=0.3)
    plan = replace(by_face, scenario=replace(by_face.scenario, on=(thinks, *by_face.scenario.on)))
    with Bench(plan.settings, made_state, people=[plan.person], person=plan.person, engine=engine) as bench:
        began = time.monotonic()
        result = scenarios.play_on(bench, plan, made_state)
    assert result.passed, result.why
    assert sorted(name for name, _ in done) == ["challenge", "embed_photo"]
    begun = {name: when - began for name, when in done}
    assert begun["embed_photo"] < dict(result.states)["FACE_MATCH"]
    assert begun["challenge"] < dict(result.states)["CHECKING"]


def test_a_visit_by_pin_is_measured_with_its_card_commands_and_requests(
    engine: FaceEngine, made_state: Path
) -> None:
    (_, by_pin) = demo.plans()
    (spent,) = visit.played(by_pin, "simulated", engine, made_state, rounds=1, embedding_ms=6.0)
    assert set(spent.states) == {"READING", "PIN_ENTRY", "CHECKING", "SENDING"}
    assert spent.floor["card"] > 0
    assert spent.floor["http"] > 0
    assert (spent.floor["embedding"], spent.floor["RSA"]) == (0, 0)
    assert sum(spent.states.values()) > 0
