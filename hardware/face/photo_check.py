"""Photo check: tells a flat photograph from a head by how the face moves; picture arithmetic, no model in here.

However a flat thing is held, tilted and moved, all its points follow one homography; those of a head that turns, or of
a face that talks, do not. So points inside the face are followed, the best homography is taken away, and what is left
is measured in distances between the eyes (facts/face.md, section 5). It stops a flat print, or a screen with a still
picture. It does not stop a bent photo or a replayed video, and a person who keeps perfectly still does not pass.
"""

from collections import deque
from typing import Any

import cv2
import numpy as np

from hardware.camera import Image

FLAT_BELOW = 0.018
"""Residual, in distances between the eyes: no flat photo reached it, nearly every living face did (facts)."""
FRAMES = 48
"""How many frames the residual is taken over: 1.6 s at 30 a second; with fewer, a slow turn is not measured yet."""

_SIDE, _APART = 144, 56.0
"""Side of the upright face and distance of the eyes in it, px: near or far, each face costs and shakes the same."""
_EYES_AT = (_SIDE / 2, 52.0)
_STEP = 8
"""Distance of the points that are followed, px."""
_FOUND = 0.5
"""Share of the points that must be found again; with fewer it is another face, or no good look at this one."""
_RETURNS_PX = 0.7
"""A point that is followed there and back must end this near to where it began."""
_MISSES = 5
"""After this many frames in a row without the face, whoever is there counts as somebody else."""


class PhotoCheck:
    """Follows one face through the frames of a match, and starts over with each new one."""

    def __init__(self) -> None:
        self.track = 0
        """Counts up with each face that is followed; what was seen of an earlier one says nothing about this one."""
        self._face: Any = None
        self._points: Any = None
        self._pose: Any = None
        """Homography from the first look at this face to the latest one."""
        self._misses = 0
        self._residuals: deque[Any] = deque(maxlen=FRAMES)

    @property
    def residual(self) -> float | None:
        """90th percentile of what no homography explains, in distances between the eyes; None before FRAMES frames."""
        if len(self._residuals) < FRAMES:
            return None
        return float(np.percentile(np.concatenate(self._residuals), 90)) / _APART

    @property
    def passed(self) -> bool:
        """Whether the newest frames cannot be those of a flat photograph."""
        residual = self.residual
        return residual is not None and residual > FLAT_BELOW

    def add(self, image: Image, landmarks: tuple[tuple[float, float], ...]) -> None:
        """Take the next frame, (H, W, 3) uint8 BGR, and the five landmarks of its face; none where there is no face."""
        if len(landmarks) < 5:
            self._miss()
            return
        upright = _upright(landmarks)
        if self._face is None:
            self._start(_looked_at(image, upright))
            return
        # Where it was in the last frame; and, should it have moved too fast for that, where the landmarks say.
        for pose in (self._pose, np.eye(3)):
            moved = self._followed(_looked_at(image, upright @ pose), pose)
            if moved is not None:
                self._misses = 0
                self._residuals.append(moved)
                return
        self._miss()
        if self._face is None:
            self._start(_looked_at(image, upright))

    def forget(self) -> None:
        """Overwrite the picture of the face and forget all that was measured."""
        if self._face is not None:
            self._face.fill(0)
        self._face = self._points = self._pose = None
        self._misses = 0
        self._residuals.clear()

    def _start(self, face: Any) -> None:
        self.track += 1
        self._face, self._points, self._pose = face, _points_in(face), np.eye(3)

    def _miss(self) -> None:
        self._misses += 1
        if self._misses >= _MISSES:
            self.forget()

    def _followed(self, face: Any, pose: Any) -> Any:
        """Return how far each point is from where the best homography puts it, px; None: it is not this face."""
        there, found, _ = _flow(self._face, face, self._points)
        back, again, _ = _flow(face, self._face, there)
        strays = np.linalg.norm(back - self._points, axis=2)
        good = (found.astype(bool) & again.astype(bool) & (strays < _RETURNS_PX)).ravel()
        if good.sum() < max(12, _FOUND * len(good)):
            return None
        before, after = self._points[good], there[good]
        matrix, _ = cv2.findHomography(before, after, cv2.RANSAC, 1.0)
        if matrix is None:
            return None
        self._pose = pose @ matrix
        self._pose /= self._pose[2, 2]
        return np.linalg.norm(cv2.perspectiveTransform(before, matrix) - after, axis=2).ravel()


def _upright(landmarks: tuple[tuple[float, float], ...]) -> Any:
    """Return the (3, 3) similarity from the upright face to the frame."""
    points = np.array(landmarks, float)
    right, left = points[0:2].mean(axis=0), points[2:4].mean(axis=0)
    (across, down), (x, y) = (right - left) / _APART, (right + left) / 2
    turn = np.array([[across, -down], [down, across]])
    return np.vstack([np.column_stack([turn, (x, y) - turn @ _EYES_AT]), (0, 0, 1)])


def _looked_at(image: Image, matrix: Any) -> Any:
    """Return the grey upright face, (_SIDE, _SIDE) uint8; ``matrix`` leads from it to the frame."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    face = cv2.warpPerspective(image, matrix, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), (0, 0), 1.2)


def _points_in(face: Any) -> Any:
    """Return points of a grid inside the oval of the face that have a pattern to follow, (N, 1, 2) float32."""
    rows, columns = np.mgrid[_STEP // 2 : _SIDE : _STEP, _STEP // 2 : _SIDE : _STEP]
    across = (columns - _EYES_AT[0]) / _APART
    down = (rows - _EYES_AT[1]) / _APART - 0.4
    inside = across**2 + (down / 1.05) ** 2 < 1
    strength = cv2.cornerMinEigenVal(face, 9)[rows, columns]
    keep = inside & (strength > 0.3 * np.median(strength[inside]))
    return np.stack([columns[keep], rows[keep]], axis=1).astype(np.float32).reshape(-1, 1, 2)


def _flow(before: Any, after: Any, points: Any) -> Any:
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.02)
    # OpenCV fills it in; its type stubs want an array.
    nothing: Any = None
    return cv2.calcOpticalFlowPyrLK(
        before, after, points, nothing, winSize=(17, 17), maxLevel=2, criteria=until
    )
