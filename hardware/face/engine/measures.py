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


def is_cut(box: Edges, shape: tuple[int, ...]) -> bool:
    """Tell whether the edge of a frame of (H, W) cuts a face.

    Measured on two people moved out of the frame step by step: the distance to the card stays below 0.2 with up to a
    tenth of the box beyond a side, or a quarter below; at the top, where the forehead is above the box, none may miss.
    """
    left, top, right, bottom = box
    size = right - left
    aside = max(-left, right - shape[1]) > 0.10 * size
    return aside or bottom - shape[0] > 0.25 * size or top < 0.04 * size


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


def covered(image: Any, grey: Grey, points: Points) -> tuple[bool, bool]:
    """Tell masks and sunglasses from eight small patches: (mouth covered, eyes covered).

    Eyes behind dark glass: even the brightest of them is far darker than the cheeks (0.12, else 0.85 and more on the
    shipped portraits). A mask: see _masked().
    """
    right, left = points[0:2].mean(axis=0), points[2:4].mean(axis=0)
    middle, across = (right + left) / 2, right - left
    apart, down = float(np.hypot(*across)), np.array([left[1] - right[1], across[0]])

    def patch(picture: Any, along: float, below: float, radius: float) -> Any:
        return _square(picture, middle + along * across + below * down, radius * apart)

    eyes = [patch(grey, side, 0.0, 0.18) for side in (-0.5, 0.5)]
    cheeks = [patch(grey, side, 0.55, 0.12) for side in (-0.5, 0.5)]
    mouth, skin = patch(image, 0, 1.05, 0.30), patch(image, 0, -0.05, 0.10)
    jaws = [patch(image, side, 0.95, 0.12) for side in (-0.5, 0.5)]
    if any(min(square.shape[:2]) < 3 for square in (*eyes, *cheeks, *jaws, mouth, skin)):
        return False, False
    dark = all(
        np.sort(eye, axis=None)[eye.size * 9 // 10] < 0.4 * cheek.mean()
        for eye, cheek in zip(eyes, cheeks, strict=True)
    )
    return _masked(mouth, skin, jaws), dark


def _masked(mouth: Any, skin: Any, jaws: list[Any]) -> bool:
    """Tell whether something like a mask is where the mouth should be.

    Limits from 300 looks at four uncovered faces in every light and ten others, and 650 at those ten behind drawn masks
    of eight colours, plain, pleated and shaded: an uncovered mouth has a pattern of 0.07 and more of the skin's
    brightness (a beard has more, not less) and differs by up to 17 from the skin in colour.
    """
    (mouth_mean, mouth_spread), (skin_mean, _) = _in_lab(mouth), _in_lab(skin)
    brightness = max(1.0, float(skin_mean[0]))
    own, pattern = mouth_spread / max(1.0, float(mouth_mean[0])), mouth_spread / brightness
    colour = float(np.hypot(*(mouth_mean[1:] - skin_mean[1:])))
    jaw_means = [_in_lab(jaw)[0] for jaw in jaws]
    # Behind a black mask the landmarks may all slip onto it: then what should be skin is as black and as plain.
    all_black = (
        max(float(each[0]) for each in (mouth_mean, skin_mean, *jaw_means)) < 40 and mouth_spread < 2.5
    )
    return bool(
        all_black
        or min(own, pattern) < 0.05
        or pattern < 0.065
        or (own < 0.075 and colour > 8)
        or (own < 0.12 and colour > 14)
        or (colour > 18 and min(np.hypot(*(jaw[1:] - skin_mean[1:])) for jaw in jaw_means) > 18)
        or (max(float(each[0]) for each in (mouth_mean, *jaw_means)) < 0.5 * brightness and pattern < 0.2)
    )


def _in_lab(patch: Any) -> tuple[Any, float]:
    """Return the mean of a BGR patch in Lab, (3,), and the spread of its brightness."""
    lab = cv2.cvtColor(cv2.GaussianBlur(patch, (5, 5), 0), cv2.COLOR_BGR2LAB)
    mean, spread = (values.ravel() for values in cv2.meanStdDev(lab))
    return mean, float(spread[0])


def _square(image: Any, centre: Any, radius: float) -> Any:
    """Return the part of a picture around a point; smaller, or empty, at the edge of the frame."""
    x, y, r = int(centre[0]), int(centre[1]), max(2, int(radius))
    return image[max(0, y - r) : max(0, y + r + 1), max(0, x - r) : max(0, x + r + 1)]
