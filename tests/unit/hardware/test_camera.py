"""Cameras and clips as sources of frames: pace, dropped frames, faults that are noticed, and recovery."""

import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import config
from config import ConfigError
from hardware.camera import (
    CameraBlack,
    CameraError,
    CameraFrozen,
    CameraSlow,
    CameraWatch,
    Frame,
    Image,
    NewestFrames,
    NoCamera,
    check_camera,
    open_camera,
    open_clip,
)
from hardware.camera.clips import write_clip
from hardware.simulation.steerable_clip import SteerableClip


def noisy(number: int, light: int = 90) -> Image:
    return np.random.default_rng(number).integers(light - 5, light + 5, (48, 64, 3), np.uint8)


def write(folder: Path, light: int = 90, count: int = 6) -> Path:
    write_clip(folder, [noisy(number, light) for number in range(count)], source="drawn by a test", fps=100)
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write(tmp_path / "clip")


class Scripted:
    """A paced source that does what the test says."""

    paced = True

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames

    def frames(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        pass


def noticed_after_ms(images: Iterator[Image], every_ms: float) -> tuple[str, float]:
    watch = CameraWatch()
    for number, image in enumerate(images):
        try:
            watch.add(Frame(image, number * every_ms))
        except CameraError as error:
            return type(error).__name__, number * every_ms
    return "", 0.0


BLACK = np.zeros((48, 64, 3), np.uint8)


def test_black_frozen_and_slow_pictures_are_noticed_within_two_seconds() -> None:
    black = (BLACK + number % 2 if number > 1 else noisy(number) for number in range(90))
    frozen = (noisy(min(number, 2)) for number in range(90))
    slow = (noisy(number) for number in range(20))
    for images, every_ms, fault in (
        (black, 33, "CameraBlack"),
        (frozen, 33, "CameraFrozen"),
        (slow, 400, "CameraSlow"),
    ):
        name, after_ms = noticed_after_ms(images, every_ms)
        assert name == fault
        assert after_ms <= 2000


def test_a_camera_that_is_black_or_stands_still_from_the_start_is_noticed_within_four() -> None:
    for images, fault in (
        ((BLACK + number % 2 for number in range(150)), "CameraBlack"),
        ((noisy(1) for _ in range(150)), "CameraFrozen"),
    ):
        name, after_ms = noticed_after_ms(images, 33)
        assert name == fault
        assert after_ms <= 4000


def test_a_camera_may_be_black_and_then_show_one_blue_picture_while_it_wakes_up() -> None:
    blue = np.zeros((48, 64, 3), np.uint8)
    blue[..., 0] = 255
    images = [BLACK] * 36 + [blue] * 45 + [noisy(number) for number in range(60)]
    assert noticed_after_ms(iter(images), 33) == ("", 0.0)


def test_a_dark_room_and_ten_frames_a_second_are_no_fault() -> None:
    assert noticed_after_ms((noisy(number, light=13) for number in range(90)), 33) == ("", 0.0)
    assert noticed_after_ms((noisy(number) for number in range(60)), 100) == ("", 0.0)


def test_one_bad_picture_is_no_fault() -> None:
    images = (np.zeros((48, 64, 3), np.uint8) if number % 9 == 0 else noisy(number) for number in range(90))
    assert noticed_after_ms(images, 33) == ("", 0.0)


def test_a_fast_clip_gives_every_frame_with_its_recorded_stamp_and_loops(clip: Path) -> None:
    source = open_clip(clip, "fast")
    assert not source.paced
    frames = list(islice(source.frames(), 14))
    assert [frame.stamp_ms for frame in frames] == [10 * number for number in range(14)]
    assert np.array_equal(frames[0].image, frames[6].image)
    source.close()


def test_a_recorded_clip_keeps_its_pace_and_skips_what_is_over(clip: Path) -> None:
    source = open_clip(clip)
    assert source.paced
    frames = source.frames()
    began = time.monotonic()
    first = [next(frames).stamp_ms for _ in range(6)]
    assert time.monotonic() - began >= 0.045
    late = first[-1]
    threading.Event().wait(0.1)
    assert next(frames).stamp_ms - late >= 90
    source.close()
    assert list(frames) == []


def test_a_bad_clip_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such clip folder"):
        open_clip(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="there is no such clip folder"):
        SteerableClip(tmp_path / "nowhere")


def test_a_slow_consumer_gets_the_newest_frame_and_the_preview_gets_all() -> None:
    taken = threading.Event()
    previewed: list[float] = []

    def frames() -> Iterator[Frame]:
        for number in range(10):
            yield Frame(noisy(number), number * 33.0)
            if number == 1:
                taken.wait(5)
        over.set()
        never.wait(5)

    never, over = threading.Event(), threading.Event()
    seen = []
    newest = iter(NewestFrames(Scripted(frames()), lambda frame: previewed.append(frame.stamp_ms)))
    seen.append(next(newest).stamp_ms)
    taken.set()
    over.wait(5)
    seen.append(next(newest).stamp_ms)
    never.set()
    assert list(newest) == []
    assert seen == [33.0, 9 * 33.0]
    assert previewed == [number * 33.0 for number in range(10)]


def test_a_consumer_ends_at_stop_without_a_further_frame() -> None:
    stop, never = threading.Event(), threading.Event()

    def frames() -> Iterator[Frame]:
        yield from (Frame(noisy(number), number * 33.0) for number in range(2))
        never.wait(5)

    newest = iter(NewestFrames(Scripted(frames()), stop=stop))
    next(newest)
    for event in (stop, never):
        threading.Timer(0.05, event.set).start()
    began = time.monotonic()
    assert list(newest) == []
    assert time.monotonic() - began < 4


def test_a_camera_that_falls_silent_is_noticed_within_two_seconds() -> None:
    never = threading.Event()

    def frames() -> Iterator[Frame]:
        yield from (Frame(noisy(number), number * 33.0) for number in range(2))
        never.wait(10)

    newest = iter(NewestFrames(Scripted(frames())))
    next(newest)
    began = time.monotonic()
    threading.Timer(1.9, never.set).start()
    with pytest.raises(CameraSlow, match="gave no picture"):
        next(newest)
    assert time.monotonic() - began < 2.5


def test_an_old_picture_that_a_camera_repeats_from_the_start_reaches_nobody() -> None:
    stale = (Frame(noisy(1), number * 33.0) for number in range(200))
    handed: list[Frame] = []
    with pytest.raises(CameraFrozen):
        handed.extend(NewestFrames(Scripted(stale)))
    assert handed == []


def test_an_absent_camera_is_named() -> None:
    source = open_camera(config.Camera(index=97))
    with pytest.raises(NoCamera, match="there is no camera 97"):
        next(source.frames())
    source.close()


@pytest.mark.parametrize(
    ("fault", "error"),
    [("unplug", NoCamera), ("black", CameraBlack), ("freeze", CameraFrozen)],
)
def test_what_a_scenario_does_to_the_camera_is_noticed_and_ends_when_it_is_plugged_in(
    clip: Path, fault: str, error: type[CameraError]
) -> None:
    source = SteerableClip(clip)
    frames = iter(NewestFrames(source))
    next(frames)
    getattr(source, fault)()
    began = time.monotonic()
    with pytest.raises(error):
        for _ in frames:
            pass
    assert time.monotonic() - began < 2
    source.plug()
    check_camera(source)
    source.close()


def test_a_look_at_a_camera_ends_when_somebody_else_wants_it(clip: Path) -> None:
    source = SteerableClip(clip)
    source.black()
    wanted = threading.Event()
    threading.Timer(0.05, wanted.set).start()
    check_camera(source, wanted)
    source.plug()
    source.unplug()
    with pytest.raises(NoCamera):
        check_camera(source)
    source.close()


def test_another_clip_can_be_shown_in_the_middle(clip: Path, tmp_path: Path) -> None:
    source = SteerableClip(clip)
    frames = source.frames()
    assert 80 < next(frames).image.mean() < 100
    source.show(write(tmp_path / "bright", light=200))
    assert 190 < next(frames).image.mean() < 210
    source.close()
    assert list(frames) == []
