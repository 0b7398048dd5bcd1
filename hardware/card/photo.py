"""The photo of a card as a picture: greyscale JPEG 2000 (facts/domain.md, DF27)."""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.card.jp2 import Jp2Error, picture_size

_SMALLEST = 32
"""px of a side."""


class PhotoDamaged(Exception):
    """The photo cannot be decoded; ``str()`` says what it is."""


def decoded(jp2: bytes) -> NDArray[np.uint8]:
    """Return the photo, (H, W) uint8; raises PhotoDamaged."""
    try:
        size = picture_size(jp2)
    except Jp2Error as error:
        raise PhotoDamaged(str(error)) from None
    if min(size) < _SMALLEST:
        raise PhotoDamaged("is too small to show a face")
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
