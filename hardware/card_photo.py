"""The photo of a card as a picture: greyscale JPEG 2000 (facts/domain.md, DF27)."""

import struct
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

_SMALLEST, _LARGEST = 32, 4096
"""px of a side; looked at before anything is decoded, so that no photo takes more memory than this."""


class PhotoDamaged(Exception):
    """The photo cannot be decoded; ``str()`` says what it is."""


def decoded(jp2: bytes) -> NDArray[np.uint8]:
    """Return the photo, (H, W) uint8; raises PhotoDamaged."""
    start = jp2.find(b"\xff\x4f\xff\x51")
    header = jp2[start + 8 : start + 16] if start >= 0 else b""
    width, height = struct.unpack(">II", header) if len(header) == 8 else (0, 0)
    if not (_SMALLEST <= width <= _LARGEST and _SMALLEST <= height <= _LARGEST):
        raise PhotoDamaged("is not a JPEG 2000 picture of a usable size")
    quiet = cv2.utils.logging
    before = quiet.setLogLevel(quiet.LOG_LEVEL_SILENT)
    try:
        grey = cv2.imdecode(np.frombuffer(jp2, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        grey = None
    finally:
        quiet.setLogLevel(before)
    if grey is None:
        raise PhotoDamaged("is a damaged JPEG 2000 picture")
    return cast(NDArray[np.uint8], grey)
