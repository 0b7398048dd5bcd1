"""Camera frames of a recorded visit, kept only where the operator asked for them."""

import threading
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.camera.clips import write_pictures

_MOST = 1800
"""A minute at 30 a second."""
_QUALITY = 95
_GAP_MS = 200.0
_STEP_MS = 33.0
"""Between two matches the camera was off; in the clip, time does not pass there."""


class KeptFrames:
    """Takes what the patient's preview is shown, and writes it as a clip."""

    def __init__(self) -> None:
        self._pictures: list[bytes] = []
        self._stamps: list[float] = []
        self._size = (0, 0)
        self._last = 0.0
        self._lock = threading.Lock()

    def take(self, image: NDArray[np.uint8]) -> None:
        """Keep one frame, (H, W, 3) uint8 BGR; a subscription of the terminal's frames."""
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        with self._lock:
            now = time.monotonic() * 1000
            size = (image.shape[1], image.shape[0])
            if not done or len(self._pictures) >= _MOST or (self._pictures and size != self._size):
                return
            passed = now - self._last
            step = passed if 0 < passed <= _GAP_MS else _STEP_MS
            self._stamps.append(round(self._stamps[-1] + step, 1) if self._stamps else 0.0)
            self._pictures.append(data.tobytes())
            self._size, self._last = size, now

    def write(self, folder: Path, source: str) -> int:
        """Write them as a clip and return how many there are; with none, nothing is written. Raises OSError."""
        with self._lock:
            if self._pictures:
                write_pictures(folder, self._pictures, self._size, source=source, stamps_ms=self._stamps)
            return len(self._pictures)
