"""dlib's detector of frontal faces, from a file beside this module; also for a few sizes of faces only."""

from pathlib import Path
from typing import Any

import dlib

FILE = Path(__file__).with_name("frontal_faces.svm")
"""What the detector of dlib writes with save(); Boost Software License, as dlib itself."""

_WINDOW = bytes((1, 80, 1, 80))
"""In dlib's file format (see conversion): width and height of the smallest face, px; each further size is 1.2 times as
large as the one before."""
_ALL_SIZES = bytes((2, 0xE8, 0x03))
"""And behind it: at most 1,000 sizes."""


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

    Scores and boxes of those stay as they are. Where something follows a face, it knows its size.
    """
    (state,) = detector.__getstate__()
    assert state.count(_WINDOW + _ALL_SIZES) == 1, "dlib keeps its detector in another way"
    few = dlib.fhog_object_detector.__new__(dlib.fhog_object_detector)
    few.__setstate__((state.replace(_WINDOW + _ALL_SIZES, _WINDOW + bytes((1, sizes))),))
    return few
