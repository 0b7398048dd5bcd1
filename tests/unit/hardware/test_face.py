"""The gate, what the person is told, the decision, and the match loop, with an engine that does what the test says."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from random import Random
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from hardware.camera import Frame, NoCamera
from hardware.face.engine import Runs
from hardware.face.flash import Colour
from hardware.face.guidance import Guidance
from hardware.face.observation import Box, Embedding, Observation
from hardware.face.policy import FaceMatch, FaceOutcome, Policy, SteadyGuidance, gate, rule_of
from hardware.simulation.screen_light import Scene, lit

GOOD = Observation(
    faces=1,
    frame_brightness=120,
    box=Box(200, 100, 180, 180),
    score=1.2,
    brightness=130,
    sharpness=0.1,
)
NOBODY = Observation(faces=0, frame_brightness=120)
SETTINGS = config.Face(model="dlib")
"""Its distance is Euclidean: numbers are easier to make by hand."""
PHOTO = np.zeros(128)


def at(distance: float, axis: int = 0) -> Embedding:
    """An embedding at this distance from PHOTO."""
    embedding = np.zeros(128)
    embedding[axis] = distance
    return embedding


def face(**change: Any) -> Observation:
    return dataclasses.replace(GOOD, **change)


@pytest.mark.parametrize(
    ("seen", "guidance"),
    [
        (GOOD, None),
        (NOBODY, Guidance.NO_FACE),
        (Observation(faces=0, frame_brightness=12), Guidance.MORE_LIGHT),
        (Observation(faces=0, frame_brightness=240), Guidance.LESS_LIGHT),
        (face(faces=2), Guidance.ONE_PERSON),
        (face(box=Box(0, 0, 89, 89)), Guidance.CLOSER),
        (face(box=Box(0, 0, 410, 410)), Guidance.FURTHER),
        (face(brightness=20), Guidance.MORE_LIGHT),
        (face(brightness=20, mouth_covered=True, sharpness=0.0), Guidance.MORE_LIGHT),
        (face(brightness=240), Guidance.LESS_LIGHT),
        (face(glare=0.6), Guidance.LESS_LIGHT),
        (Observation(faces=0, frame_brightness=200, glare=0.6), Guidance.LESS_LIGHT),
        (face(mouth_covered=True, score=-0.4), Guidance.UNCOVER_MOUTH),
        (face(eyes_covered=True), Guidance.UNCOVER_EYES),
        (face(roll_deg=-21), Guidance.LOOK_STRAIGHT),
        (face(yaw=0.3), Guidance.LOOK_STRAIGHT),
        (face(sharpness=0.01), Guidance.HOLD_STILL),
        (face(score=0.1), Guidance.LOOK_STRAIGHT),
        (face(box=Box(200, 299, 180, 180)), None),
        (face(cut=True), Guidance.WHOLE_FACE),
        (face(cut=True, brightness=20), Guidance.WHOLE_FACE),
    ],
)
def test_the_gate_says_what_keeps_a_frame_from_being_compared(
    seen: Observation, guidance: Guidance | None
) -> None:
    assert gate(seen, 480, SETTINGS.gate) is guidance


def told(reasons: Sequence[Guidance | None], every_ms: float = 50.0) -> list[tuple[float, Guidance | None]]:
    steady = SteadyGuidance()
    changes = []
    for number, reason in enumerate(reasons):
        if steady.add(number * every_ms, reason):
            changes.append((number * every_ms, steady.shown))
    return changes


def test_a_single_bad_frame_tells_nothing() -> None:
    assert told([None, None, Guidance.NO_FACE, None, None, None, None]) == []


def test_a_reason_holds_at_least_seven_tenths_of_a_second() -> None:
    changes = told([Guidance.CLOSER] * 6 + [Guidance.HOLD_STILL] * 6 + [None] * 30)
    assert list(changes[0]) == [200, Guidance.CLOSER]
    assert all(later - earlier >= 700 for (earlier, _), (later, _) in pairwise(changes))
    assert changes[-1][1] is None


def test_reasons_that_alternate_do_not_flicker() -> None:
    assert told([Guidance.CLOSER, Guidance.NO_FACE] * 40) == []
    assert told([Guidance.CLOSER] * 5 + [Guidance.NO_FACE, Guidance.CLOSER] * 40) == [(200, Guidance.CLOSER)]


@given(st.lists(st.tuples(st.sampled_from([None, *Guidance]), st.integers(1, 12)), max_size=30))
def test_whatever_the_gate_says_each_reason_can_be_read_before_the_next(
    verdicts: list[tuple[Guidance | None, int]],
) -> None:
    changes = told([reason for reason, frames in verdicts for _ in range(frames)], every_ms=100 / 3)
    assert all(later - earlier >= 700 for (earlier, _), (later, _) in pairwise(changes))
    assert all(one is not other for (_, one), (_, other) in pairwise(changes))


@pytest.mark.parametrize("top", [299, 380])
def test_a_face_low_in_the_frame_as_from_a_wheelchair_is_as_good_as_any(top: int) -> None:
    result = FaceMatch(Engine([face(box=Box(30, top, 120, 120))], at(0.2)), SETTINGS).match(Source(), PHOTO)
    assert result.accepted


def test_who_takes_the_mask_off_or_is_left_alone_is_told_so_and_accepted() -> None:
    for seen, guidance in (
        (face(mouth_covered=True), Guidance.UNCOVER_MOUTH),
        (face(faces=2), Guidance.ONE_PERSON),
    ):
        told_them: list[Guidance | None] = []
        result = FaceMatch(Engine([seen] * 30 + [GOOD], at(0.2)), SETTINGS).match(
            Source(), PHOTO, on_guidance=told_them.append
        )
        assert told_them[0] is guidance
        assert result.accepted


def test_one_very_close_frame_is_enough() -> None:
    decision = Policy(PHOTO, SETTINGS).add(0, at(0.35))
    assert decision is not None
    assert decision.accepted
    assert decision.distance == pytest.approx(0.35)


def test_a_close_frame_that_is_not_clear_does_not_decide_alone() -> None:
    policy = Policy(PHOTO, SETTINGS)
    assert policy.add(0, at(0.34), score=0.4) is None
    assert policy.add(300, at(0.34), score=0.4) is None
    decision = policy.add(600, at(0.34), score=0.4)
    assert decision is not None
    assert decision.accepted


def test_the_mean_of_three_frames_decides_when_each_alone_is_too_far() -> None:
    policy = Policy(PHOTO, SETTINGS)
    assert policy.add(0, at(0.5, 0)) is None
    assert policy.add(300, at(0.5, 1)) is None
    decision = policy.add(600, at(0.5, 2))
    assert decision is not None
    assert decision.accepted
    assert decision.distance == pytest.approx(0.5 / math.sqrt(3))


def test_distances_of_sface_are_taken_from_the_mean_of_unit_vectors() -> None:
    photo = np.eye(128)[0]
    rule = rule_of(config.Face(), "sface")
    policy = Policy(photo, config.Face(), rule)
    decision = None
    for number in range(3):
        look = np.eye(128)[0] * 0.4 + np.eye(128)[number + 1] * math.sqrt(1 - 0.4**2)
        assert np.linalg.norm(look) == pytest.approx(1)
        decision = policy.add(300 * number, look)
    assert decision is not None
    assert decision.accepted
    assert decision.distance == pytest.approx(1 - 0.4 / math.hypot(0.4, math.sqrt((1 - 0.4**2) / 3)))


def test_a_network_that_stands_in_brings_its_own_thresholds() -> None:
    settings = config.Face(threshold=0.55, fast_accept=0.5)
    assert rule_of(settings, "sface").threshold == 0.55
    instead = rule_of(settings, "dlib")
    assert (instead.threshold, instead.fast_accept) == (0.36, 0.35)
    assert instead.distance(at(0.0), at(0.3)) == pytest.approx(0.3)


def test_with_every_frame_those_between_go_into_the_mean_but_decide_nothing() -> None:
    policy = Policy(PHOTO, replace(SETTINGS, every_frame=True))
    assert not policy.wants_between()
    assert policy.add(0, at(0.6, 0)) is None
    assert policy.wants_between()
    for axis in range(1, 10):
        policy.add_between(at(0.1, axis))
    assert policy.compared == 1
    assert policy.add(300, at(0.6, 10)) is None
    decision = policy.add(600, at(0.6, 11))
    assert decision is not None
    assert decision.accepted
    assert decision.distance == pytest.approx(math.sqrt(3 * 0.6**2 + 9 * 0.1**2) / 12)
    policy.forget()
    assert not policy.wants_between()


def test_without_it_no_frame_between_is_embedded() -> None:
    policy = Policy(PHOTO, SETTINGS)
    policy.add(0, at(0.5))
    assert not policy.wants_between()


def test_a_bad_first_frame_does_not_spoil_the_newest_three() -> None:
    policy = Policy(PHOTO, SETTINGS)
    assert policy.add(0, at(2.0, 5)) is None
    for number, axis in enumerate((0, 1)):
        assert policy.add(300 * number, at(0.4, axis)) is None
    decision = policy.add(900, at(0.4, 2))
    assert decision is not None
    assert decision.accepted


def test_after_five_frames_that_do_not_match_the_face_is_refused() -> None:
    policy = Policy(PHOTO, SETTINGS)
    decisions = [policy.add(300 * number, at(0.5)) for number in range(5)]
    assert decisions[:4] == [None] * 4
    assert decisions[4] is not None
    assert not decisions[4].accepted


def test_frames_too_close_in_time_are_not_worth_an_embedding() -> None:
    policy = Policy(PHOTO, SETTINGS)
    assert policy.wants(0, GOOD)
    policy.add(0, at(0.5))
    assert not policy.wants(99, GOOD)
    assert policy.wants(100, GOOD)
    still = Policy(PHOTO, replace(SETTINGS, every_frame=True))
    still.add(0, at(0.5))
    assert not still.wants(299, GOOD)
    assert still.wants(300, GOOD)


def looked(policy: Policy, stamp_ms: float, seen: Observation, distance: float) -> bool:
    """Do what a match does with a good frame; return whether it was compared."""
    before = policy.compared
    if policy.wants(stamp_ms, seen):
        policy.offer(at(distance), seen)
    policy.decide(stamp_ms)
    return policy.compared > before


def test_the_frame_whose_pose_differs_most_is_compared_when_it_is_time() -> None:
    policy = Policy(PHOTO, SETTINGS)
    assert looked(policy, 0, GOOD, 0.9)
    for stamp_ms, yaw, distance in ((100, 0.0, 0.8), (150, 0.2, 0.4), (200, 0.05, 0.7), (250, 0.21, 0.6)):
        assert not looked(policy, stamp_ms, face(yaw=yaw), distance)
    assert looked(policy, 300, GOOD, 0.5)
    assert policy.distance == pytest.approx((0.9 + 0.4) / 2)
    assert policy.embedded == 3


def test_a_pose_that_is_blurred_takes_no_other_ones_place() -> None:
    policy = Policy(PHOTO, SETTINGS)
    looked(policy, 0, GOOD, 0.9)
    looked(policy, 100, face(sharpness=0.1), 0.8)
    looked(policy, 150, face(yaw=0.2, sharpness=0.05), 0.4)
    assert looked(policy, 300, GOOD, 0.5)
    assert policy.distance == pytest.approx((0.9 + 0.8) / 2)


def test_who_keeps_still_waits_as_long_and_costs_as_many_embeddings_as_ever() -> None:
    policy = Policy(PHOTO, SETTINGS)
    compared = [number * 50 for number in range(40) if looked(policy, number * 50.0, GOOD, 0.9)]
    assert compared[:5] == [0, 300, 600, 900, 1200]
    assert policy.embedded <= policy.compared + 1


class Source:
    """Frames every 33 ms without end; the given observations come with them in order, the last one repeats."""

    paced = False

    def __init__(self, error_after: int | None = None) -> None:
        self.given = 0
        self._error_after = error_after

    def frames(self) -> Iterator[Frame]:
        while True:
            if self.given == self._error_after:
                raise NoCamera("the camera was unplugged")
            self.given += 1
            yield Frame(np.zeros((480, 640, 3), np.uint8), 1000 + 100 / 3 * (self.given - 1))

    def close(self) -> None:
        pass


class Engine:
    runs = Runs("dlib", "opencv", "yunet")

    def __init__(self, seen: list[Observation], embedding: Embedding) -> None:
        self._seen = seen
        self._embedding = embedding
        self.forgotten = 0
        self.embedded: list[Embedding] = []

    def observe(self, frame: Frame) -> Observation:
        return self._seen.pop(0) if len(self._seen) > 1 else self._seen[0]

    def embed_last(self) -> Embedding:
        self.embedded.append(self._embedding.copy())
        return self.embedded[-1]

    def forget(self) -> None:
        self.forgotten += 1


def test_the_right_person_is_accepted_with_the_first_good_frame() -> None:
    previewed: list[Frame] = []
    engine, source = Engine([GOOD], at(0.2)), Source()
    result = FaceMatch(engine, SETTINGS).match(source, PHOTO, on_frame=previewed.append)
    assert result.accepted
    assert result.outcome is FaceOutcome.ACCEPTED
    assert result.reason == ""
    assert (result.frames_seen, result.frames_used) == (1, 1)
    assert result.distance == pytest.approx(0.2)
    assert len(previewed) == 1


class LitSource:
    """Somebody grey whom the display's colours light; frames come at the given stamps, ms."""

    paced = False

    def __init__(self, stamps: Iterable[float]) -> None:
        self._stamps = stamps
        self._colour: Colour | None = None
        self.shown: list[Colour | None] = []

    def show(self, colour: Colour | None) -> None:
        self._colour = colour
        self.shown.append(colour)

    def frames(self) -> Iterator[Frame]:
        grey = np.full((480, 640, 3), 128, np.uint8)
        for stamp in self._stamps:
            yield Frame(lit(grey, Scene(), self._colour), stamp)

    def close(self) -> None:
        pass


FLASHED = replace(SETTINGS, flash=True)


def test_colours_that_the_machine_could_not_watch_are_shown_again_in_an_order_drawn_anew() -> None:
    source = LitSource(number * 100 / 3 for number in range(200) if number not in range(10, 18))
    match = FaceMatch(Engine([GOOD], at(0.2)), FLASHED, Random(2))
    assert match.match(source, PHOTO, on_colour=source.show).accepted
    rounds = [list(colours) for none, colours in groupby(source.shown, lambda one: one is None) if not none]
    assert [len(colours) for colours in rounds] == [4, 4]
    assert rounds[0] != rounds[1]


@pytest.mark.parametrize("presence", [None, lambda: True])
def test_a_machine_that_never_watches_the_colours_is_no_photo(presence: Callable[[], bool] | None) -> None:
    source = LitSource(number * 125.0 for number in range(200))
    match = FaceMatch(Engine([GOOD], at(0.2)), FLASHED, presence=presence)
    result = match.match(source, PHOTO, on_colour=source.show)
    assert (result.outcome, result.guidance) == (FaceOutcome.TIMEOUT, Guidance.HOLD_STILL)
    assert source.shown[-1] is None


@pytest.mark.parametrize("gone", [range(1, 9), range(10, 18), range(33, 42)])
def test_a_face_that_leaves_while_the_colours_are_shown_gets_no_others(gone: range) -> None:
    seen = [NOBODY if number in gone else GOOD for number in range(60)]
    source = LitSource(number * 100 / 3 for number in range(200))
    result = FaceMatch(Engine(seen, at(0.2)), FLASHED).match(source, PHOTO, on_colour=source.show)
    assert (result.outcome, len(source.shown)) == (FaceOutcome.FLAT, 5)


@pytest.mark.parametrize(
    ("verdicts", "outcome", "frames"),
    [
        ([True], FaceOutcome.ACCEPTED, 1),
        ([None, None, True], FaceOutcome.ACCEPTED, 3),
        ([None, False], FaceOutcome.FLAT, 2),
        ([None] * 999, FaceOutcome.FLAT, 241),
    ],
)
def test_nobody_is_accepted_without_the_verdict_of_a_depth_camera_where_there_is_one(
    verdicts: list[bool | None], outcome: FaceOutcome, frames: int
) -> None:
    asked = iter(verdicts)
    match = FaceMatch(Engine([GOOD], at(0.2)), SETTINGS, presence=lambda: next(asked))
    result = match.match(Source(), PHOTO)
    assert (result.outcome, result.frames_seen) == (outcome, frames)


def test_a_depth_camera_is_not_asked_about_somebody_who_does_not_match() -> None:
    match = FaceMatch(Engine([GOOD], at(0.6)), SETTINGS, presence=lambda: 1 / 0 > 0)
    assert match.match(Source(), PHOTO).outcome is FaceOutcome.REFUSED


def test_another_person_is_refused_after_five_frames_three_tenths_of_a_second_apart() -> None:
    engine, source = Engine([GOOD], at(0.6)), Source()
    result = FaceMatch(engine, SETTINGS).match(source, PHOTO)
    assert result.outcome is FaceOutcome.REFUSED
    assert result.reason == "NOT_SAME_PERSON"
    assert result.frames_used == 5
    assert source.given == 1 + 4 * 9


def test_time_runs_on_the_stamps_and_its_end_tells_what_stood_in_the_way() -> None:
    guidance: list[Guidance | None] = []
    source = Source()
    result = FaceMatch(Engine([face(mouth_covered=True)], at(0.2)), SETTINGS).match(
        source, PHOTO, on_guidance=guidance.append
    )
    assert result.outcome is FaceOutcome.TIMEOUT
    assert result.reason == "UNCOVER_MOUTH"
    assert result.distance is None
    assert source.given == pytest.approx(8000 / (100 / 3), abs=2)
    assert guidance == [Guidance.UNCOVER_MOUTH]


def test_nobody_is_not_a_refusal() -> None:
    result = FaceMatch(Engine([NOBODY], at(0.2)), SETTINGS).match(Source(), PHOTO)
    assert result.outcome is FaceOutcome.NO_FACE
    assert result.reason == "NO_FACE"


def test_guidance_clears_when_all_is_well() -> None:
    guidance: list[Guidance | None] = []
    engine = Engine([face(box=Box(0, 0, 60, 60))] * 30 + [GOOD], at(0.6))
    FaceMatch(engine, SETTINGS).match(Source(), PHOTO, on_guidance=guidance.append)
    assert guidance == [Guidance.CLOSER, None]


def test_stop_ends_it_within_one_frame() -> None:
    stop = Event()
    source = Source()

    def third(frame: Frame) -> None:
        if source.given == 3:
            stop.set()

    result = FaceMatch(Engine([NOBODY], at(0.2)), SETTINGS).match(source, PHOTO, on_frame=third, stop=stop)
    assert result.outcome is FaceOutcome.STOPPED
    assert result.reason == ""
    assert source.given == 3


def test_a_lost_camera_is_told_and_everything_is_forgotten_all_the_same() -> None:
    engine = Engine([GOOD], at(0.6))
    with pytest.raises(NoCamera):
        FaceMatch(engine, SETTINGS).match(Source(error_after=20), PHOTO)
    assert engine.forgotten == 1
    assert engine.embedded
    assert not any(embedding.any() for embedding in engine.embedded)


def test_nothing_of_the_face_is_left_after_a_match() -> None:
    engine = Engine([GOOD], at(0.6))
    result = FaceMatch(engine, SETTINGS).match(Source(), PHOTO)
    assert engine.forgotten == 1
    assert not any(embedding.any() for embedding in engine.embedded)
    assert not any(isinstance(value, np.ndarray) for value in vars(result).values())
