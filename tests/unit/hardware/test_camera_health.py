"""Whether the camera can be used: known without holding it, found again by itself, out of a match's way."""

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hardware.camera import CameraBlack, CameraError, CameraFrozen, Frame, NoCamera
from hardware.camera.clips import write_clip
from hardware.camera.health import CameraHealth
from hardware.simulation.steerable_clip import SteerableClip


class Watched(SteerableClip):
    """Counts how often it is opened."""

    opened = 0

    def frames(self) -> Iterator[Frame]:
        self.opened += 1
        return super().frames()


@pytest.fixture
def camera(tmp_path: Path) -> Watched:
    random = np.random.default_rng(1)
    images = [random.integers(80, 100, (48, 64, 3), np.uint8) for _ in range(6)]
    write_clip(tmp_path / "clip", images, source="drawn by a test", fps=100)
    return Watched(tmp_path / "clip")


class Watch:
    """A running CameraHealth and what it tells."""

    def __init__(self, camera: SteerableClip) -> None:
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.health = CameraHealth(camera, 0.05, self.told.put)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.health.watch, args=(self._stopping,))
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self.health.stop()
        self._thread.join()

    def next(self) -> str:
        return self.told.get(timeout=20)


@pytest.fixture
def watch(camera: Watched) -> Iterator[Watch]:
    watch = Watch(camera)
    yield watch
    watch.stop()
    camera.close()


def test_a_good_camera_is_looked_at_once_and_left_alone(camera: Watched, watch: Watch) -> None:
    assert watch.next() == ""
    time.sleep(2 * CameraHealth.LOOK_S)
    assert camera.opened == 1
    assert watch.told.empty()


def test_an_unplugged_camera_is_noticed_within_two_seconds_without_opening_it(
    camera: Watched, watch: Watch
) -> None:
    assert watch.next() == ""
    began = time.monotonic()
    camera.unplug()
    assert watch.next() == "missing"
    assert time.monotonic() - began < 2
    assert camera.opened == 1
    camera.plug()
    assert watch.next() == ""


@pytest.mark.parametrize(("fault", "error"), [("black", CameraBlack), ("freeze", CameraFrozen)])
def test_a_camera_that_a_match_found_faulty_is_named_and_tried_until_it_is_good(
    camera: Watched, watch: Watch, fault: str, error: type[CameraError]
) -> None:
    assert watch.next() == ""
    getattr(camera, fault)()
    with pytest.raises(CameraError), watch.health.in_use():
        raise error("what the match saw")
    assert watch.next() == error.fault
    camera.plug()
    assert watch.next() == ""


def test_a_match_does_not_wait_for_a_look_at_a_faulty_camera(camera: Watched) -> None:
    camera.black()
    watch = Watch(camera)
    while not camera.opened:
        time.sleep(0.01)
    began = time.monotonic()
    with watch.health.in_use():
        assert time.monotonic() - began < 1.5
        opened = camera.opened
        time.sleep(0.2)
        assert camera.opened == opened
    watch.stop()
    camera.close()


def test_a_match_that_went_well_tells_that_the_camera_is_good(camera: Watched) -> None:
    told: list[str] = []
    health = CameraHealth(camera, 9, told.append)
    with health.in_use():
        pass
    with health.in_use():
        pass
    with pytest.raises(NoCamera), health.in_use():
        raise NoCamera("unplugged")
    assert told == ["", "missing"]


def test_it_stops_at_once_while_a_look_goes_on(camera: Watched) -> None:
    camera.black()
    watch = Watch(camera)
    while not camera.opened:
        time.sleep(0.01)
    began = time.monotonic()
    watch.stop()
    assert time.monotonic() - began < 1.5
    camera.close()
