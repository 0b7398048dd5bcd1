"""dlib's detector of frontal faces: from a file beside this module, on two cores, or for a few sizes of faces only."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("frontal_faces.svm")
"""What the detector of dlib writes with save(); Boost Software License, as dlib itself."""

Grey = NDArray[np.uint8]
"""(H, W) uint8."""
Edges = tuple[float, float, float, float]
"""Left, top, right, bottom, px."""
Found = tuple[float, Edges]
"""HOG score, and where the face is."""

_WINDOW = bytes((1, 80, 1, 80))
"""In dlib's file format (see conversion): width and height of the smallest face, px; each further size is 1.2 times as
large as the one before."""
_ALL_SIZES = bytes((2, 0xE8, 0x03))
"""And behind it: at most 1,000 sizes."""
_FINE = 2
"""The first two of eight sizes take as long as all others."""
_LARGEST_SHARED, _LARGEST_COVERED = 0.33, 0.79
"""Two boxes are the same face if they have more than this in common, of the box around both or of one of them; dlib's
own numbers for this detector."""


def frontal_face_detector() -> Any:
    """Return dlib.get_frontal_face_detector(), in 2 ms.

    dlib unpacks the same numbers from a text in its program, which takes 0.7 s (measured): most of the engine's start.
    """
    try:
        return dlib.fhog_object_detector(str(FILE))
    except RuntimeError:  # a dlib that writes its files in another way
        return dlib.get_frontal_face_detector()


def limited(detector: Any, sizes: int) -> Any:
    """Return the same detector, but only for the first ``sizes`` sizes, up to 255: 80 px, 96 px, and so on.

    Scores and boxes of those stay as they are. A dlib that keeps its detector in another way looks for all sizes.
    """
    (state,) = detector.__getstate__()
    if state.count(_WINDOW + _ALL_SIZES) != 1:
        return frontal_face_detector()
    few = dlib.fhog_object_detector.__new__(dlib.fhog_object_detector)
    few.__setstate__((state.replace(_WINDOW + _ALL_SIZES, _WINDOW + bytes((1, sizes))),))
    return few


class FaceDetector:
    """Finds faces in grey pictures, for one caller at a time; ``least`` is the HOG score from which one counts."""

    FOLLOW_PX = 96
    """Width to which followed() wants a face to be scaled: it then finds it from 80 to 115 px."""

    def __init__(self, least: float, threads: int = 1) -> None:
        self.whole = frontal_face_detector()
        self._least = least
        self._fine, self._near = limited(self.whole, _FINE), limited(self.whole, 3)
        self._helper = ThreadPoolExecutor(1, "hog") if threads > 1 else None

    def searched(self, grey: Grey, scale: float) -> list[Found]:
        """Return all faces from 80 px on in a picture that is scaled by ``scale``, best first; edges in its own px.

        Small and large faces are looked for at the same time where there are two threads; what is found is the same.
        """
        coarse = scale * (5 / 6) ** _FINE
        if self._helper is None:
            larger = self._run(self.whole, grey, coarse)
            return _each_once(self._run(self._fine, grey, scale) + larger)
        helped = self._helper.submit(self._run, self.whole, grey, coarse)
        small = self._run(self._fine, grey, scale)
        return _each_once(small + helped.result())

    def followed(self, grey: Grey, box: Edges) -> list[Found]:
        """Return at most one face near the place, and of about the size, where it was a moment ago."""
        left, top, right, bottom = box
        margin = (right - left) * 0.3
        x, y = max(0, int(left - margin)), max(0, int(top - margin))
        near = grey[y : int(bottom + margin), x : int(right + margin)]
        scale = self.FOLLOW_PX / (right - left)
        if min(near.shape) * scale < 90:
            return []
        found = self._run(self._near, near, scale)[:1]
        return [(score, (edges[0] + x, edges[1] + y, edges[2] + x, edges[3] + y)) for score, edges in found]

    def _run(self, detector: Any, grey: Grey, scale: float) -> list[Found]:
        small = grey
        if scale != 1.0:
            small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        boxes, scores, _ = detector.run(small, 0, self._least)
        return [
            (
                float(score),
                (
                    box.left() / scale,
                    box.top() / scale,
                    (box.right() + 1) / scale,
                    (box.bottom() + 1) / scale,
                ),
            )
            for box, score in zip(boxes, scores, strict=True)
        ]


def _each_once(found: list[Found]) -> list[Found]:
    """Return the faces, best first, without those that are another one seen once more."""
    kept: list[Found] = []
    for face in sorted(found, key=lambda each: -each[0]):
        if not any(_same(face[1], other[1]) for other in kept):
            kept.append(face)
    return kept


def _same(one: Edges, other: Edges) -> bool:
    (left, top, right, bottom), (x, y, x_end, y_end) = one, other
    shared = _area(max(left, x), max(top, y), min(right, x_end), min(bottom, y_end))
    around = _area(min(left, x), min(top, y), max(right, x_end), max(bottom, y_end))
    return shared > _LARGEST_SHARED * around or shared > _LARGEST_COVERED * min(_area(*one), _area(*other))


def _area(left: float, top: float, right: float, bottom: float) -> float:
    return max(0.0, right - left) * max(0.0, bottom - top)
