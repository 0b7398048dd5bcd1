"""A real camera through OpenCV; the only module that opens one."""

import fnmatch
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hardware.camera.frames import (
    CameraBusy,
    CameraDenied,
    CameraError,
    CameraSlow,
    CameraUnfit,
    Frame,
    FrameSource,
    Image,
    NoCamera,
)
from hardware.camera.shapes import Upright

if TYPE_CHECKING:
    from config import Camera

_DEVICES = Path("/dev")
_QUERY_CAPABILITIES = 0x80685600
"""VIDIOC_QUERYCAP of videodev2.h; its answer has device_caps at byte 88."""
_CAPTURES = 0x1
"""V4L2_CAP_VIDEO_CAPTURE; the second node of a camera, for metadata, lacks it."""


def open_camera(settings: "Camera") -> FrameSource:
    """Return the camera of the settings; it is open only while its frames are asked for."""
    return _Camera(settings)


class _Camera:
    paced = True
    FIRST_WITHIN_S = 4.0
    """Some drivers fail the first reads; a camera that another program has never gives a picture."""
    SILENT_AFTER_S = 1.4
    """Failed reads for so long are no hiccup; a little less than NewestFrames waits, since this knows the cause."""
    _RETRY_S = 0.02

    def __init__(self, settings: "Camera") -> None:
        self._settings = settings
        self._closed = threading.Event()
        self.format = ""
        """In which the driver gives the pictures, e.g. "MJPG"; empty until it is opened, or where it does not say."""
        self._known_as: Path | None = None
        """The by-id link of the camera that was opened by its number, under which it is found again."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"camera {self._settings.device or self._settings.index}"

    def frames(self) -> Iterator[Frame]:
        import cv2

        node = self._node()
        self._refuse_unless_usable(node)
        quiet = cv2.utils.logging
        before = quiet.setLogLevel(quiet.LOG_LEVEL_ERROR)  # "can't open camera" is said by our own error
        try:
            capture = cv2.VideoCapture(_target(node, self._settings.index))
        finally:
            quiet.setLogLevel(before)
        try:
            if not capture.isOpened():
                raise CameraBusy(f"{self.name} is used by another program") if node else self._missing()
            _ask_for(capture, cv2)
            self.format = _letters(capture.get(cv2.CAP_PROP_FOURCC))
            self._remember(node)
            yield from self._read(capture, node)
        finally:
            capture.release()

    def close(self) -> None:
        self._closed.set()

    def attached(self) -> bool:
        """Look for its device file; without such files (not Linux) it counts as there."""
        return self._node() is not None or platform.system() != "Linux"

    def _read(self, capture: Any, node: Path | None) -> Iterator[Frame]:
        upright = Upright(self._settings.rotate, self._settings.mirror)
        began = last = time.monotonic()
        given = False
        while not self._closed.is_set():
            there, image = capture.read()
            now = time.monotonic()
            if there and image is not None and image.size:
                last, given = now, True
                yield Frame(upright(cast(Image, image), self.name), now * 1000)
            elif now - last < (self.SILENT_AFTER_S if given else self.FIRST_WITHIN_S) and _exists(node):
                self._closed.wait(self._RETRY_S)
            else:
                raise self._silent(node) if given else self._never(node, now - began)

    def _node(self) -> Path | None:
        """Return the camera's device file; None when it is not there."""
        wanted = self._settings.device
        if "/" in wanted:
            path = Path(wanted)
            return path if path.exists() else None
        if wanted:
            return next(iter(_named(wanted)), None)
        numbered = _DEVICES / f"video{self._settings.index}"
        if self._known_as is not None and self._known_as.exists():
            return self._known_as  # the same camera, whatever its number is now
        return numbered if numbered.exists() else None

    def _remember(self, node: Path | None) -> None:
        if node is not None and not self._settings.device and self._known_as is None:
            self._known_as = link_of(node)

    def _refuse_unless_usable(self, node: Path | None) -> None:
        """Say the true cause where a device file is there and cannot give pictures; raises CameraError."""
        if node is None:
            if platform.system() == "Linux":
                raise self._missing()
            return
        if not os.access(node, os.R_OK | os.W_OK):
            raise CameraDenied(f"{self.name}: this user may not use {node}")
        if captures(node) is False:
            raise CameraUnfit(f"{self.name}: {node} is a node without pictures (metadata)")

    def _missing(self) -> CameraError:
        return NoCamera(f"there is no {self.name}")

    def _never(self, node: Path | None, waited_s: float) -> CameraError:
        # A camera in use can be opened, but gives no first picture.
        if not _exists(node):
            return NoCamera(f"{self.name} was unplugged")
        return CameraBusy(f"{self.name} is used by another program: no picture in {waited_s:.0f} s")

    def _silent(self, node: Path | None) -> CameraError:
        if _exists(node):
            return CameraSlow(f"{self.name} stopped giving pictures")
        return NoCamera(f"{self.name} was unplugged")


def _exists(node: Path | None) -> bool:
    return node is None or node.exists()


def _target(node: Path | None, index: int) -> int | str:
    """Return what OpenCV opens: a number where the node has one, since paths of links are not understood everywhere."""
    if node is None:
        return index
    real = node.resolve().name
    return int(real[5:]) if real.startswith("video") and real[5:].isdigit() else str(node)


def _named(pattern: str) -> list[Path]:
    """Return the by-id links of cameras whose name fits a shell pattern, in order."""
    links = sorted((_DEVICES / "v4l" / "by-id").glob("*-video-index0"))
    return [link for link in links if fnmatch.fnmatch(link.name, pattern)]


def link_of(node: Path) -> Path | None:
    """Return the by-id link of a device file, which stays the same when its number changes; None without one."""
    return next((link for link in _named("*") if link.resolve() == node.resolve()), None)


def captures(node: Path, ask: Callable[[int, int, bytearray], Any] | None = None) -> bool | None:
    """Tell whether a device file gives pictures; None when the driver does not say. Does not start the camera."""
    import fcntl

    try:
        handle = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        answer = bytearray(104)
        (ask or fcntl.ioctl)(handle, _QUERY_CAPABILITIES, answer)
    except OSError:
        return None
    finally:
        os.close(handle)
    return bool(int.from_bytes(answer[88:92], "little") & _CAPTURES)


def _letters(format_: float) -> str:
    """Return the four letters of a format that OpenCV gives as a number."""
    letters = int(max(0.0, format_)).to_bytes(4, "little").decode("ascii", "replace")
    return letters.strip() if letters.isprintable() else ""


_ENOUGH_FPS = 25.0


def _ask_for(capture: Any, cv2: Any) -> None:
    """Ask for 640 x 480 at 30 frames a second; as MJPG where the driver then offers more of them than without."""

    def ask(format_: float | None = None) -> float:
        if format_ is not None:
            capture.set(cv2.CAP_PROP_FOURCC, format_)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, 640)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, 480)
        capture.set(cv2.CAP_PROP_FPS, 30)
        return float(capture.get(cv2.CAP_PROP_FPS))

    plain, usual = ask(), capture.get(cv2.CAP_PROP_FOURCC)
    if 0 < plain < _ENOUGH_FPS and ask(cv2.VideoWriter.fourcc(*"MJPG")) <= plain:
        ask(usual)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
