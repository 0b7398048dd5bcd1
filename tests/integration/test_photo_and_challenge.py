"""The real engine with photo check and challenge on: who is accepted then, who is not, and why."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

import config
from hardware.camera import Frame, Image
from hardware.face.challenge import Move, drawn
from hardware.face.engine import FaceEngine
from hardware.face.guidance import Guidance
from hardware.face.observation import Embedding
from hardware.face.policy import FaceMatch, FaceOutcome, FaceResult
from hardware.simulation.moving_stills import Condition, moving
from hardware.simulation.portraits import card_photo, portrait_path
from hardware.simulation.steerable_clip import SteerableClip
from reception import flow
from reception.flow import State
from reception.testing.testbench import Bench
from reception.testing.visit_driver import VisitDriver

CHECKED = replace(config.Face(), photo_check=True)


@pytest.fixture(scope="module")
def photos(engine: FaceEngine) -> dict[str, Embedding]:
    return {
        name: engine.embed_photo(card_photo(portrait_path(name))) for name in ("astronaut", "grace_hopper")
    }


@cache
def pictures(name: str, condition: Condition) -> list[Image]:
    return list(moving(portrait_path(name), condition))


class Person:
    """Does what the screen says: plays the clip of the move that is asked for, else stands there."""

    paced = False

    def __init__(self, standing: list[Image], moves: dict[Guidance, list[Image]] | None = None) -> None:
        self._standing, self._moves = standing, moves or {}
        self._playing: list[Image] = []
        self.told: list[Guidance | None] = []

    def hear(self, guidance: Guidance | None) -> None:
        self.told.append(guidance)
        if guidance in self._moves:
            self._playing = list(self._moves[guidance])

    def frames(self) -> Iterator[Frame]:
        number = 0
        while True:
            standing = self._standing[number % len(self._standing)]
            yield Frame(self._playing.pop(0) if self._playing else standing, number * 100 / 3)
            number += 1

    def close(self) -> None:
        pass


def matched(
    engine: FaceEngine, settings: config.Face, photo: Embedding, person: Person, random: Random | None = None
) -> FaceResult:
    return FaceMatch(engine, settings, random).match(person, photo, on_guidance=person.hear)


def test_a_flat_photo_of_the_right_person_is_not_accepted(
    engine: FaceEngine, photos: dict[str, Embedding]
) -> None:
    person = Person(pictures("astronaut", Condition.FLAT_PHOTO))
    result = matched(engine, replace(CHECKED, time_limit_s=3.0), photos["astronaut"], person)
    assert (result.outcome, result.reason) == (FaceOutcome.FLAT, "LOOKS_FLAT")
    assert result.residual is not None
    assert Guidance.MOVE_A_LITTLE in person.told


def test_a_head_that_turns_a_little_is_accepted_after_less_than_two_seconds(
    engine: FaceEngine, photos: dict[str, Embedding]
) -> None:
    result = matched(engine, CHECKED, photos["astronaut"], Person(pictures("astronaut", Condition.TURN_LEFT)))
    assert result.accepted, result
    assert 48 < result.frames_seen <= 60


def test_who_shows_an_own_face_first_and_a_photo_then_is_not_accepted(
    engine: FaceEngine, photos: dict[str, Embedding]
) -> None:
    own, photo = (
        pictures("grace_hopper", Condition.TURN_LEFT)[:25],
        pictures("astronaut", Condition.FLAT_PHOTO),
    )
    result = matched(
        engine, replace(CHECKED, time_limit_s=3.0), photos["astronaut"], Person(own + photo + photo)
    )
    assert not result.accepted, result


@pytest.fixture(scope="module")
def moves() -> dict[Guidance, list[Image]]:
    return {
        Guidance.TURN_LEFT: pictures("astronaut", Condition.TURN_LEFT),
        Guidance.TURN_RIGHT: pictures("astronaut", Condition.TURN_RIGHT),
    }


def seed_of(*moves: Move) -> int:
    """Return a seed that draws these moves."""
    return next(seed for seed in range(999) if drawn(len(moves), Random(seed)) == list(moves))


def test_who_makes_the_moves_as_they_are_asked_for_is_accepted(
    engine: FaceEngine, photos: dict[str, Embedding], moves: dict[Guidance, list[Image]]
) -> None:
    settings = replace(config.Face(), challenge=3)
    asked = (Move.TURN_LEFT, Move.TURN_RIGHT, Move.TURN_RIGHT)
    person = Person(pictures("astronaut", Condition.CLEAN)[:8], moves)
    result = matched(engine, settings, photos["astronaut"], person, Random(seed_of(*asked)))
    assert result.accepted, (result, person.told)
    told = [guidance.value for guidance in person.told if guidance in moves]
    assert told == [move.value for move in asked]


def test_who_makes_the_wrong_move_or_none_is_not_accepted(
    engine: FaceEngine, photos: dict[str, Embedding], moves: dict[Guidance, list[Image]]
) -> None:
    settings = replace(config.Face(), challenge=1, challenge_step_s=1.5)
    standing = pictures("astronaut", Condition.CLEAN)[:8]
    for reactions, reason in (
        ({Guidance.TURN_LEFT: moves[Guidance.TURN_RIGHT]}, "WRONG_MOVE"),
        ({}, "TOO_LATE"),
    ):
        person = Person(standing, reactions)
        result = matched(engine, settings, photos["astronaut"], person, Random(seed_of(Move.TURN_LEFT)))
        assert (result.outcome, result.reason) == (FaceOutcome.CHALLENGE_FAILED, reason)


def test_who_steps_in_for_the_moves_is_not_accepted(engine: FaceEngine, photos: dict[str, Embedding]) -> None:
    settings = replace(config.Face(), challenge=1)
    other = pictures("grace_hopper", Condition.TURN_LEFT)
    person = Person(pictures("astronaut", Condition.CLEAN)[:8], {Guidance.TURN_LEFT: other * 2})
    result = matched(engine, settings, photos["astronaut"], person, Random(seed_of(Move.TURN_LEFT)))
    assert not result.accepted, result


def test_a_photo_check_that_could_never_finish_is_refused_at_start(tmp_path: Path) -> None:
    settings = tmp_path / "terminal.toml"
    settings.write_text("[face]\nphoto_check = true\ntime_limit_s = 1.5\n", encoding="utf-8")
    with pytest.raises(config.ConfigError, match=r"photo_check needs a face\.time_limit_s of at least 2"):
        config.load(settings)


@pytest.mark.parametrize(("verdict", "ends_in"), [(True, State.CONSENT), (False, State.METHOD_CHOICE)])
def test_the_depth_camera_that_the_settings_name_decides_at_the_terminal(
    engine: FaceEngine,
    made_state: Path,
    monkeypatch: pytest.MonkeyPatch,
    verdict: bool,
    ends_in: State,
) -> None:
    site = ModuleType("sensor_of_the_site")
    site.verdict = lambda: verdict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, site.__name__, site)
    settings = config.load(None)
    settings = replace(settings, face=replace(settings.face, presence="sensor_of_the_site:verdict"))
    with Bench(settings, made_state, today=date(2026, 4, 1), engine=engine) as bench:
        visit = VisitDriver(bench)
        assert visit.next_entry(State.WAITING, 20)
        bench.insert()
        assert visit.next_entry(State.METHOD_CHOICE, 20)
        bench.terminal.submit(flow.Choose(flow.Method.FACE))
        assert visit.next_entry(State.FACE_MATCH, 20)
        assert visit.next_entry(ends_in, 20)
        assert ("FACE_PHOTO_SUSPECTED" in {seen.failure for seen in visit.log}) is not verdict


@pytest.mark.parametrize(("reflects", "ends_in"), [(True, State.CONSENT), (False, State.METHOD_CHOICE)])
def test_with_the_flash_a_face_must_take_on_the_colours_of_the_display(
    engine: FaceEngine, made_state: Path, reflects: bool, ends_in: State
) -> None:
    settings = config.load(None)
    settings = replace(settings, face=replace(settings.face, flash=True))
    with Bench(settings, made_state, today=date(2026, 4, 1), engine=engine) as bench:
        visit = VisitDriver(bench)
        shown: list[str | None] = []
        bench.terminal.subscribe_colours(shown.append)
        if not reflects:
            # The last to hear of a colour takes its light away: before the camera is a recording.
            assert isinstance(bench.camera, SteerableClip)
            camera = bench.camera
            bench.terminal.subscribe_colours(lambda colour: camera.light(None))
        assert visit.next_entry(State.WAITING, 20)
        bench.insert()
        assert visit.next_entry(State.METHOD_CHOICE, 20)
        bench.terminal.submit(flow.Choose(flow.Method.FACE))
        assert visit.next_entry(State.FACE_MATCH, 20)
        assert visit.next_entry(ends_in, 20)
        assert ("FACE_PHOTO_SUSPECTED" in {seen.failure for seen in visit.log}) is not reflects
        # More than once where the machine was too busy to watch.
        assert (len(shown) % 5, shown[-1]) == (0, None)


def test_without_a_display_the_flash_is_refused_and_not_passed(
    engine: FaceEngine, photos: dict[str, Embedding]
) -> None:
    with pytest.raises(ValueError, match="something that shows the colours"):
        FaceMatch(engine, replace(config.Face(), flash=True)).match(Person([]), photos["astronaut"])
