"""Where the faces of a frame are: by YuNet, or by dlib's HOG detector where YuNet's file cannot be used.

One finder is enough. Measured (docs/guide/how-sure-is-the-face.md): YuNet at 192 lines costs less than HOG at 240, and
finds masked, dark, turned and small faces that HOG does not; only following a face in its surroundings is dearer.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from hardware.face.engine.hog import Edges, FaceDetector, Grey
from hardware.face.engine.models import YUNET
from hardware.face.engine.wire import ModelUnusable


@dataclass(frozen=True)
class Found:
    """One face: its box is that of dlib's detector, brow to chin, whichever finder found it."""

    score: float
    """YuNet: 0 to 1, clear faces from 0.8. HOG: a clear frontal face has 1 and more."""
    edges: Edges

    @property
    def width(self) -> float:
        """Width of the box, px."""
        return self.edges[2] - self.edges[0]


class Finder(Protocol):
    """Finds faces in frames, for one caller at a time; sorted by score."""

    name: str
    sure: float
    """Score from which a second face counts."""
    lines: int
    """Lines at which to look for a face."""
    far_lines: int
    """Lines at which to look for a far face now and then; 0: it is found all the same."""

    def searched(self, image: Any, grey: Grey, lines: int) -> list[Found]:
        """Return the faces of a whole frame, looked at as if it had at most ``lines`` lines."""
        ...

    def followed(self, image: Any, grey: Grey, edges: Edges) -> list[Found]:
        """Return the faces near the place where one was a moment ago."""
        ...

    def forget(self) -> None:
        """Leave nothing of the last picture in the finder."""
        ...


def best_finder(threads: int = 1) -> Finder:
    """Return YuNet, or HOG where its file is missing, altered, or not understood by this OpenCV."""
    try:
        return YuNetFinder()
    except (ModelUnusable, cv2.error):
        return HogFinder(threads)


class YuNetFinder:
    """OpenCV Zoo's YuNet, one thread: a second one gains nothing (measured)."""

    name = "yunet"
    sure = 0.7
    lines = 192
    far_lines = 0
    _LEAST = 0.6
    _FOLLOW_PX = 128
    """Side to which the surroundings of a face are scaled; the face itself then has 70 px."""
    _AROUND = 0.4
    """How much of the surroundings is looked at, on each side, in widths of the face."""

    def __init__(self) -> None:
        weights = np.frombuffer(YUNET.read(), np.uint8)
        nothing = np.zeros(0, np.uint8)
        quiet = cv2.utils.logging
        before = quiet.setLogLevel(quiet.LOG_LEVEL_ERROR)  # it warns that its default target is not supported
        try:
            self._whole, self._near = (
                cv2.FaceDetectorYN.create("onnx", weights, nothing, size, self._LEAST, 0.3, 50)
                for size in ((320, 240), (self._FOLLOW_PX, self._FOLLOW_PX))
            )
        finally:
            quiet.setLogLevel(before)
        self._size = (320, 240)

    def searched(self, image: Any, grey: Grey, lines: int) -> list[Found]:
        """See Finder."""
        scale = min(1.0, lines / image.shape[0])
        small = (
            image
            if scale == 1.0
            else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
        size = small.shape[1], small.shape[0]
        if size != self._size:
            self._whole.setInputSize(size)
            self._size = size
        return _faces(self._whole, small, scale, (0, 0))

    def followed(self, image: Any, grey: Grey, edges: Edges) -> list[Found]:
        """See Finder."""
        left, top, right, bottom = edges
        side = int((right - left) * (1 + 2 * self._AROUND))
        x, y = int((left + right - side) / 2), int((top + bottom - side) / 2)
        # What lies outside the frame is its edge.
        scale = self._FOLLOW_PX / side
        matrix = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]])
        cut = image[max(0, y) : y + side, max(0, x) : x + side]
        if min(cut.shape[:2]) < 16:
            return []
        if cut.shape[:2] == (side, side):
            near = cv2.resize(cut, (self._FOLLOW_PX, self._FOLLOW_PX), interpolation=cv2.INTER_AREA)
        else:
            near = cv2.warpAffine(
                image, matrix, (self._FOLLOW_PX, self._FOLLOW_PX), borderMode=cv2.BORDER_REPLICATE
            )
        return _faces(self._near, near, scale, (x, y))

    def forget(self) -> None:
        """See Finder: a network keeps its input and all between."""
        for detector, (width, height) in ((self._whole, self._size), (self._near, (self._FOLLOW_PX,) * 2)):
            detector.detect(np.zeros((height, width, 3), np.uint8))


def _faces(detector: Any, image: Any, scale: float, at: tuple[int, int]) -> list[Found]:
    rows = detector.detect(image)[1]
    if rows is None:
        return []
    return sorted((_found(row, scale, at) for row in rows), key=lambda face: -face.score)


def _found(row: Any, scale: float, at: tuple[int, int]) -> Found:
    """Turn YuNet's row (box, five points, score) into px of the frame; its points shake too much to be of use.

    Measured on 96 faces: the box of dlib's detector is a square of 0.96 times YuNet's size, 0.06 lower.
    """
    x, y, width, height = (float(value) for value in row[:4] / scale)
    half = 0.48 * float(np.sqrt(max(1.0, width * height)))
    middle_x, middle_y = at[0] + x + width / 2, at[1] + y + height / 2 + 0.116 * half
    return Found(float(row[14]), (middle_x - half, middle_y - half, middle_x + half, middle_y + half))


class HogFinder:
    """dlib's detector of frontal faces."""

    name = "hog"
    sure = 0.2
    lines = 240
    far_lines = 480
    _LEAST = 0.0

    def __init__(self, threads: int = 1) -> None:
        self._hog = FaceDetector(self._LEAST, threads)

    def searched(self, image: Any, grey: Grey, lines: int) -> list[Found]:
        """See Finder."""
        return [Found(*face) for face in self._hog.searched(grey, min(1.0, lines / grey.shape[0]))]

    def followed(self, image: Any, grey: Grey, edges: Edges) -> list[Found]:
        """See Finder."""
        return [Found(*face) for face in self._hog.followed(grey, edges)]

    def forget(self) -> None:
        """See Finder: it keeps nothing."""
