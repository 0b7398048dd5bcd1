"""A real camera through OpenCV; the only module that opens one."""

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from hardware.camera.frames import CameraBusy, CameraError, CameraSlow, Frame, FrameSource, Image, NoCamera

_DEVICES = Path("/dev")


def open_camera(index: int) -> FrameSource:
    """Return a camera; it is opened when its frames are asked for, and let go when they are no longer."""
    return _Camera(index)


class _Camera:
    paced = True

    def __init__(self, index: int) -> None:
        self._index = index
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        import cv2

        quiet = cv2.utils.logging
        before = quiet.setLogLevel(quiet.LOG_LEVEL_ERROR)  # "can't open camera" is said by our own error
        try:
            capture = cv2.VideoCapture(self._index)
        finally:
            quiet.setLogLevel(before)
        try:
            if not capture.isOpened():
                raise self._missing()
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, 640)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, 480)
            capture.set(cv2.CAP_PROP_FPS, 30)
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            given = False
            while not self._closed.is_set():
                there, image = capture.read()
                if not there:
                    raise self._silent() if given else self._missing()
                given = True
                yield Frame(cast(Image, image), time.monotonic() * 1000)
        finally:
            capture.release()

    def close(self) -> None:
        self._closed.set()

    def attached(self) -> bool:
        """Look for its device file; without such files (not Linux) it counts as there."""
        return (_DEVICES / f"video{self._index}").exists() or not sys.platform.startswith("linux")

    def _missing(self) -> CameraError:
        # A camera in use can be opened, but gives no first picture.
        if (_DEVICES / f"video{self._index}").exists():
            return CameraBusy(f"camera {self._index} is used by another program")
        return NoCamera(f"there is no camera {self._index}")

    def _silent(self) -> CameraError:
        if (_DEVICES / f"video{self._index}").exists():
            return CameraSlow(f"camera {self._index} stopped giving pictures")
        return NoCamera(f"camera {self._index} was unplugged")
