"""Real cameras as they are: mounted turned, mirrored, replugged, refused, slow to wake, strange in shape."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

import config
from hardware.camera import (
    CameraBusy,
    CameraDenied,
    CameraError,
    CameraSlow,
    CameraUnfit,
    Frame,
    NewestFrames,
    NoCamera,
    attached,
    open_camera,
)
from hardware.camera.device import captures
from hardware.camera.shapes import LARGEST, Upright


def noisy(seed: int) -> Any:
    return np.random.default_rng(seed).integers(80, 100, (48, 64, 3), np.uint8)


class Capture:
    """Stands for cv2.VideoCapture: opens or not, then gives what the test says; None is a read that fails."""

    fps: ClassVar = {0.0: 30.0}
    """Frames a second that the driver offers, by format."""

    def __init__(self, pictures: Sequence[Any] | None, opened: Any = None) -> None:
        self._pictures = list(pictures or [])
        self._opens = pictures is not None
        self.opened = opened
        self.settings: dict[int, float] = {cv2.CAP_PROP_FOURCC: 0.0}
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802
        return self._opens

    def set(self, key: int, value: float) -> bool:
        self.settings[key] = value
        return True

    def get(self, key: int) -> float:
        if key == cv2.CAP_PROP_FPS:
            return self.fps.get(self.settings[cv2.CAP_PROP_FOURCC], 0.0)
        return self.settings.get(key, 0.0)

    def read(self) -> tuple[bool, Any]:
        picture = self._pictures.pop(0) if self._pictures else None
        return picture is not None, picture

    def release(self) -> None:
        self.released = True


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of /dev, with one camera in it, number 3."""
    monkeypatch.setattr("hardware.camera.device._DEVICES", tmp_path)
    monkeypatch.setattr("hardware.camera.device._Camera.FIRST_WITHIN_S", 0.15)
    monkeypatch.setattr("hardware.camera.device._Camera.SILENT_AFTER_S", 0.15)
    (tmp_path / "video3").touch()
    (tmp_path / "v4l" / "by-id").mkdir(parents=True)
    return tmp_path


Plug = Callable[..., list[Capture]]


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Plug:
    def plugged(*openings: Sequence[Any] | None) -> list[Capture]:
        left, made = list(openings), []

        def opened(target: int | str) -> Capture:
            made.append(Capture(left.pop(0) if len(left) > 1 else left[0], target))
            return made[-1]

        monkeypatch.setattr("cv2.VideoCapture", opened)
        return made

    return plugged


def frames_of(settings: config.Camera, count: int) -> list[Frame]:
    frames = open_camera(settings).frames()
    return [next(frames) for _ in range(count)]


def test_a_camera_that_is_not_there_is_named(devices: Path, plug: Plug) -> None:
    plug([noisy(1)])
    with pytest.raises(NoCamera, match="there is no camera 5"):
        frames_of(config.Camera(index=5), 1)
    with pytest.raises(NoCamera, match=r"there is no camera \*C920\*"):
        frames_of(config.Camera(device="*C920*"), 1)
    assert not attached(open_camera(config.Camera(index=5)))


@pytest.mark.parametrize("opens", [True, False])
def test_a_camera_that_another_program_has_is_told(opens: bool, devices: Path, plug: Plug) -> None:
    made = plug([] if opens else None)
    with pytest.raises(CameraBusy, match="camera 3 is used by another program"):
        frames_of(config.Camera(index=3), 1)
    assert made[0].released


def test_a_camera_that_this_user_may_not_use_is_told(
    devices: Path, plug: Plug, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug([noisy(1)])
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CameraDenied, match=r"camera 3: this user may not use .*video3"):
        frames_of(config.Camera(index=3), 1)


def test_a_node_for_metadata_is_told(devices: Path, plug: Plug, monkeypatch: pytest.MonkeyPatch) -> None:
    plug([noisy(1)])
    monkeypatch.setattr("hardware.camera.device.captures", lambda node: False)
    with pytest.raises(CameraUnfit, match=r"camera 3: .*video3 is a node without pictures"):
        frames_of(config.Camera(index=3), 1)


@pytest.mark.parametrize(("capabilities", "gives"), [(0x04200001, True), (0x04A00000, False)])
def test_what_the_driver_says_of_a_node_is_understood(capabilities: int, gives: bool, devices: Path) -> None:
    def driver(handle: int, request: int, answer: bytearray) -> None:
        answer[84:88] = (0x84A00001).to_bytes(4, "little")  # of the whole device
        answer[88:92] = capabilities.to_bytes(4, "little")

    assert captures(devices / "video3", driver) is gives
    assert captures(devices / "video3") is None  # no device at all
    assert captures(devices / "nothing") is None


def test_one_failed_read_is_no_fault_and_neither_are_failed_ones_at_the_start(
    devices: Path, plug: Plug
) -> None:
    plug([None, None, noisy(1), None, noisy(2), np.zeros((0, 0, 3), np.uint8), noisy(3)])
    assert len(frames_of(config.Camera(index=3), 3)) == 3


def test_a_camera_that_falls_silent_or_is_pulled_is_told_apart(devices: Path, plug: Plug) -> None:
    plug([noisy(1)])
    frames = open_camera(config.Camera(index=3)).frames()
    next(frames)
    with pytest.raises(CameraSlow, match="camera 3 stopped giving pictures"):
        next(frames)
    frames = open_camera(config.Camera(index=3)).frames()
    next(frames)
    (devices / "video3").unlink()
    with pytest.raises(NoCamera, match="camera 3 was unplugged"):
        next(frames)


def test_a_replugged_camera_is_found_under_its_new_number(devices: Path, plug: Plug) -> None:
    link = devices / "v4l" / "by-id" / "usb-Maker_Cam_123-video-index0"
    link.symlink_to("../../video3")
    made = plug([noisy(1)] * 9)
    camera = open_camera(config.Camera(index=3))
    next(camera.frames())
    (devices / "video3").rename(devices / "video4")
    link.unlink()
    assert attached(camera) is False
    link.symlink_to("../../video4")
    assert attached(camera)
    next(camera.frames())
    assert [each.opened for each in made] == [3, 4]


def test_another_camera_under_the_old_number_is_not_taken_for_it(devices: Path, plug: Plug) -> None:
    link = devices / "v4l" / "by-id" / "usb-Maker_Cam_123-video-index0"
    link.symlink_to("../../video3")
    made = plug([noisy(1)] * 9)
    camera = open_camera(config.Camera(index=3))
    next(camera.frames())
    link.unlink()
    (devices / "video4").touch()
    link.symlink_to("../../video4")
    next(camera.frames())
    assert made[-1].opened == 4


@pytest.mark.parametrize("device", ["*Cam_123*", "{}/v4l/by-id/usb-Maker_Cam_123-video-index0"])
def test_a_camera_is_chosen_by_name_or_by_path(device: str, devices: Path, plug: Plug) -> None:
    for number, name in ((3, "usb-Other_999"), (4, "usb-Maker_Cam_123")):
        (devices / f"video{number}").touch()
        (devices / "v4l" / "by-id" / f"{name}-video-index0").symlink_to(f"../../video{number}")
        (devices / "v4l" / "by-id" / f"{name}-video-index1").symlink_to("../../video3")
    made = plug([noisy(1)] * 3)
    frames_of(config.Camera(device=device.format(devices)), 1)
    assert made[0].opened == 4


@pytest.mark.parametrize(
    ("offers", "asked"),
    [
        ({0.0: 30.0}, 0.0),
        ({0.0: 10.0, float(cv2.VideoWriter.fourcc(*"MJPG")): 30.0}, float(cv2.VideoWriter.fourcc(*"MJPG"))),
        ({0.0: 10.0, float(cv2.VideoWriter.fourcc(*"MJPG")): 10.0}, 0.0),
        ({0.0: 0.0}, 0.0),  # a driver that does not tell
    ],
)
def test_compressed_pictures_are_asked_for_where_there_are_more_of_them(
    offers: dict[float, float], asked: float, devices: Path, plug: Plug, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Capture, "fps", offers)
    made = plug([noisy(1)])
    frames_of(config.Camera(index=3), 1)
    assert made[0].settings[cv2.CAP_PROP_FOURCC] == asked
    assert made[0].settings[cv2.CAP_PROP_FRAME_WIDTH] == 640


UPRIGHT = np.zeros((60, 80, 3), np.uint8)
UPRIGHT[:20, :30] = (10, 120, 250)


@pytest.mark.parametrize(
    ("rotate", "mirror", "mounted"),
    [
        (0, False, UPRIGHT),
        (90, False, np.rot90(UPRIGHT)),
        (180, False, np.rot90(UPRIGHT, 2)),
        (270, False, np.rot90(UPRIGHT, 3)),
        (0, True, UPRIGHT[:, ::-1]),
        (90, True, np.rot90(UPRIGHT[:, ::-1])),
    ],
)
def test_a_camera_mounted_turned_or_mirrored_is_put_right(
    rotate: Any, mirror: bool, mounted: Any, devices: Path, plug: Plug
) -> None:
    plug([np.ascontiguousarray(mounted)])
    (frame,) = frames_of(config.Camera(index=3, rotate=rotate, mirror=mirror), 1)
    assert np.array_equal(frame.image, UPRIGHT)


@pytest.mark.parametrize(
    "given",
    [
        UPRIGHT[..., 2],
        UPRIGHT[..., 2:],
        UPRIGHT[..., 2].astype(np.uint16) << 4,
        UPRIGHT[..., 2].astype(np.uint16) << 8,
        np.dstack([UPRIGHT, UPRIGHT[..., 0]]),
        UPRIGHT[:, ::-1],
    ],
)
def test_every_usual_shape_of_picture_becomes_the_one_that_is_used(given: Any) -> None:
    image = Upright()(given)
    assert image.shape == (60, 80, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert abs(int(image[..., 2].max()) - 250) <= 5


def test_a_huge_picture_is_made_smaller() -> None:
    assert Upright()(np.zeros((3072, 4096, 3), np.uint8)).shape == (1440, LARGEST, 3)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (np.zeros((60, 80, 2), np.uint8), "camera 3 gives pictures of shape 60 x 80 x 2"),
        (np.zeros((1, 4800), np.uint8), "camera 3 gives pictures of 4800 x 1 px"),
        (np.zeros((60, 80, 3), np.float32), "camera 3 gives pictures of float32 values"),
        (np.zeros(4800, np.uint8), "camera 3 gives pictures of shape 4800"),
    ],
)
def test_what_cannot_be_made_into_a_picture_is_refused_by_name(
    given: Any, why: str, devices: Path, plug: Plug
) -> None:
    plug([given])
    with pytest.raises(CameraUnfit, match=why):
        frames_of(config.Camera(index=3), 1)


def test_the_match_gets_the_true_cause_and_not_that_nothing_came(devices: Path, plug: Plug) -> None:
    plug([])
    began = time.monotonic()
    with pytest.raises(CameraError, match="used by another program"):
        list(NewestFrames(open_camera(config.Camera(index=3))))
    assert time.monotonic() - began < 2
