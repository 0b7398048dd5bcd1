"""What is measured on a face beside its embedding: pose, light, sharpness, and what covers it; picture arithmetic."""

from typing import Any

import cv2
import numpy as np

from hardware.face.engine.embedder import Points
from hardware.face.engine.hog import Edges, Grey

_ACROSS = np.array([[1, -2, 1]], np.float32)
"""Second difference."""


def scaled(grey: Grey, lines: int) -> Any:
    scale = min(1.0, lines / grey.shape[0])
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def pose(points: Points) -> tuple[float, float]:
    """Return roll (degrees) and yaw; the points are those of Observation.landmarks."""
    right, left, nose = points[0:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    across = right - left
    apart = float(np.hypot(*across)) or 1.0
    along = float(np.dot(nose - (right + left) / 2, across)) / apart
    return float(np.degrees(np.arctan2(across[1], across[0]))), along / apart


def cut_off(box: Edges, shape: tuple[int, ...]) -> float:
    """Return which share of a face's box lies outside a frame of (H, W)."""
    left, top, right, bottom = box
    inside = max(0.0, min(right, shape[1]) - max(left, 0)) * max(0.0, min(bottom, shape[0]) - max(top, 0))
    return 1 - inside / ((right - left) * (bottom - top))


def quality(grey: Grey, box: Edges) -> tuple[float, float, float]:
    """Return brightness, glare and sharpness as Observation holds them."""
    left, top, right, bottom = (max(0, int(edge)) for edge in box)
    face = cv2.resize(grey[top:bottom, left:right], (100, 100), interpolation=cv2.INTER_AREA)
    # Light from the side must not pass for lack of detail: even it out before the pattern is measured.
    even = face * (float(face.mean()) / (cv2.blur(face, (61, 61)).astype(np.float32) + 4))
    variance = _variance(even)
    detail = min(_variance(cv2.filter2D(even, cv2.CV_32F, way)) for way in (_ACROSS, _ACROSS.T))
    return float(face.mean()), glare(face), detail / variance if variance > 1 else 0.0


def _variance(values: Any) -> float:
    return float(cv2.meanStdDev(values)[1][0, 0]) ** 2


def glare(grey: Any) -> float:
    return cv2.countNonZero(cv2.inRange(grey, 250, 255)) / int(grey.size)


def covered(image: Any, grey: Grey, points: Any) -> tuple[bool, bool]:
    """Tell masks and sunglasses from six small patches: (mouth covered, eyes covered).

    The limits were measured on the shipped portraits in all conditions.

    Eyes behind dark glass: even the brightest of them is far darker than the cheeks (0.12, else 0.85 and more). A
    mask: the place of the mouth has next to no pattern (0.02 of its brightness, else 0.12 and more; a beard has more,
    not less), or little pattern and another colour than the skin between the eyes.
    """
    right, left = points[0:2].mean(axis=0), points[2:4].mean(axis=0)
    middle, apart = (right + left) / 2, float(np.hypot(*(right - left)))
    down = np.array([left[1] - right[1], right[0] - left[0]])
    eyes = [_square(grey, eye, 0.18 * apart) for eye in (right, left)]
    cheeks = [_square(grey, eye + 0.55 * down, 0.12 * apart) for eye in (right, left)]
    mouth = _square(image, middle + 1.05 * down, 0.30 * apart)
    skin = _square(image, middle - 0.05 * down, 0.10 * apart)
    if any(min(square.shape[:2]) < 3 for square in (*eyes, *cheeks, mouth, skin)):
        return False, False
    dark = all(
        np.sort(eye, axis=None)[eye.size * 9 // 10] < 0.4 * cheek.mean()
        for eye, cheek in zip(eyes, cheeks, strict=True)
    )
    mouth, skin = (
        cv2.cvtColor(cv2.GaussianBlur(patch, (5, 5), 0), cv2.COLOR_BGR2LAB) for patch in (mouth, skin)
    )
    average, spread = (values.ravel() for values in cv2.meanStdDev(mouth))
    pattern = float(spread[0] / max(1.0, average[0]))
    colour = float(np.hypot(*(average[1:] - cv2.mean(skin)[1:3])))
    return pattern < 0.05 or (pattern < 0.10 and colour > 12), dark


def _square(image: Any, centre: Any, radius: float) -> Any:
    """Return the part of a picture around a point; smaller, or empty, at the edge of the frame."""
    x, y, r = int(centre[0]), int(centre[1]), max(2, int(radius))
    return image[max(0, y - r) : max(0, y + r + 1), max(0, x - r) : max(0, x + r + 1)]
