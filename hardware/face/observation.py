"""What the face engine tells of one look at one frame; light to import, for both ends of the engine."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float64]
"""(128,) float64; comparable only with embeddings of the same network, see hardware.face.distance."""


@dataclass(frozen=True)
class Box:
    """Where a face is, in px of the full frame."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Observation:
    """What one look at one frame found; the face is the largest one."""

    faces: int
    """Large faces in the frame; 0 means that the rest of the fields but frame_brightness say nothing."""
    frame_brightness: float
    """Mean grey value of the whole frame, 0 to 255."""
    box: Box | None = None
    landmarks: tuple[tuple[float, float], ...] = ()
    """Five (x, y) in px: outer and inner corner of the eye on the right of the picture, the same on the left, nose."""
    score: float = 0.0
    """The finder's: YuNet's 0 to 1, or HOG's, which is 1 and more for a clear frontal face."""
    roll_deg: float = 0.0
    yaw: float = 0.0
    """Signed distance of the nose from the middle of the eyes, as a share of the distance between the eyes."""
    brightness: float = 0.0
    """Mean grey value of the face, 0 to 255."""
    glare: float = 0.0
    """Share of px at the upper end of the scale (250 and more), of the face, or of the frame when there is none."""
    sharpness: float = 0.0
    """Detail of the grey 100 x 100 px face: variance of the second difference, as a share of the variance.

    The smaller one of across and down, because a movement blurs only what lies across it.
    """
    mouth_covered: bool = False
    """Something hides nose or mouth, most likely a mask."""
    eyes_covered: bool = False
    """Something dark hides the eyes, most likely sunglasses."""
    cut: bool = False
    """The edge of the frame cuts off a part that matters."""
