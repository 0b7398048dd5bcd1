"""The flash: the display shows colours in an order drawn anew, and a face that stands before it must take them on.

Skin and paper reflect the display's light, each colour of it. A telephone shines by itself and reflects a few per cent,
so that its picture hardly changes. It therefore stops a replayed video and no print. Pure, on the frames' stamps.

Four colours in a second are at most three changes of light and one each at the begin and the end: fewer than three
flashes, as WCAG 2.2, 2.3.1 asks for because of photosensitive epilepsy.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise, product
from random import Random
from typing import Any

import numpy as np

from hardware.camera import Image
from hardware.face.observation import Box


class Colour(StrEnum):
    """What the display shows, all over."""

    RED = "RED"
    GREEN = "GREEN"
    BLUE = "BLUE"


STEPS, STEP_MS = 4, 250.0
LATE_MS = 350.0
"""So much later than it was asked for, at most, the camera may deliver a colour: display, exposure and driver."""
REFLECTS = 0.04
"""Least change of a colour's share in the face, as a logarithm; simulated, see docs/guide/how-sure-is-the-face.md."""
FOLLOWS = 0.8
"""Least correlation of the face's colour with the order."""
_LAG_MS = 25.0
_ENOUGH = 12
"""Frames within the time of the colours; with fewer, nothing can be said."""
_JUMP, _GONE_MS = 0.75, 200.0
"""A face that moves by that share of its width, or is gone for that long, was exchanged."""
_INNER = 0.6
"""Share of the face's box that is looked at: skin, little hair, nothing of the room."""


def drawn(random: Random) -> tuple[Colour, ...]:
    """Draw an order in which no colour follows itself: one of 24."""
    return random.choice(_ORDERS)


_ORDERS = [
    order
    for order in product(Colour, repeat=STEPS)
    if all(one is not other for one, other in pairwise(order))
]
"""All orders in which no colour follows itself; each is equally likely."""


class Flash:
    """Shows one order, and says whether the face took it on."""

    def __init__(self, order: Sequence[Colour], began_ms: float) -> None:
        """Take the colours and the stamp of the frame with which the first one is shown."""
        self._order = tuple(order)
        self._began_ms = began_ms
        self._stamps: list[float] = []
        self._tints: list[Any] = []
        self._at: tuple[float, float] | None = None
        self._exchanged = False
        self._frames: list[float] = []
        """When each frame came, with a face or without."""
        self.reflects = self.follows = 0.0
        """What was measured, at the lag that fits best; 0 before the end."""

    def shows(self, stamp_ms: float) -> Colour | None:
        """Return what the display should show at this time; None after the last one."""
        step = int((stamp_ms - self._began_ms) // STEP_MS)
        return self._order[step] if step < len(self._order) else None

    def add(self, stamp_ms: float, image: Image, box: Box | None) -> None:
        """Take the next frame, (H, W, 3) uint8 BGR, and where its face is; None: there is none, or more than one."""
        since = stamp_ms - self._began_ms
        self._frames.append(since)
        if box is None:
            return
        at = (box.left + box.width / 2) / box.width, (box.top + box.height / 2) / box.width
        self._exchanged |= self._at is not None and math.dist(at, self._at) > _JUMP
        self._at = at
        self._stamps.append(since)
        self._tints.append(_tint(image, box))

    def over(self, stamp_ms: float) -> bool:
        """Whether everything that may still come of the colours has come."""
        return stamp_ms - self._began_ms >= STEP_MS * len(self._order) + LATE_MS

    @property
    def watched(self) -> bool:
        """Whether camera and machine delivered enough frames to say anything; a face that leaves changes nothing."""
        shown = [since for since in self._frames if since < STEP_MS * len(self._order)]
        return _without_gap(self._frames) and len(shown) >= _ENOUGH

    def passed(self) -> bool:
        """Whether the face took on the colours, in their order; call when it is over."""
        if self._exchanged or not self._stamps or not _without_gap([*self._stamps, self._frames[-1]]):
            return False
        stamps, tints = np.array(self._stamps), np.array(self._tints)
        fits = {order: _best_fit(order, stamps, tints) for order in _ORDERS}
        self.follows, self.reflects = fits[self._order]
        enough = self.follows >= FOLLOWS and self.reflects >= REFLECTS
        # A recording of an order that differs in one colour follows this one, too, but less than its own.
        return enough and self.follows == max(follows for follows, _ in fits.values())


def _without_gap(stamps: list[float]) -> bool:
    """Whether no more than _GONE_MS passed before the first of these times, ms, nor between two."""
    return all(later - one <= _GONE_MS for one, later in pairwise([0.0, *stamps]))


def _best_fit(order: tuple[Colour, ...], stamps: Any, tints: Any) -> tuple[float, float]:
    """Return correlation and size with which the tints follow an order, at the lag that fits best."""
    return max(_fit(order, stamps - lag, tints) for lag in np.arange(0.0, LATE_MS + 1, _LAG_MS))


def _fit(order: tuple[Colour, ...], since: Any, tints: Any) -> tuple[float, float]:
    """Return correlation and size with which the tints follow an order that was shown ``since`` ms."""
    within = (since >= 0) & (since < STEP_MS * len(order))
    if within.sum() < _ENOUGH:
        return 0.0, 0.0
    # What the camera should see: more of one colour, as shares that add up to nothing.
    colours = [list(Colour).index(each) for each in order]
    shown = np.eye(3)[np.array(colours)[(since[within] // STEP_MS).astype(int)]] - 1 / 3
    # Light, exposure and white balance drift slowly; that says nothing.
    shown, seen = (_without_drift(each, since[within]) for each in (shown, tints[within]))
    along, power = float((shown * seen).sum()), float((shown * shown).sum())
    if power == 0.0 or not seen.any():
        return 0.0, 0.0
    return along / float(np.sqrt(power * (seen * seen).sum())), along / power


def _tint(image: Image, box: Box) -> Any:
    """Return the shares of red, green and blue light in a face, (3,), logarithms that add up to 0."""
    left, top = box.left + box.width * (1 - _INNER) / 2, box.top + box.height * (1 - _INNER) / 2
    x, y = max(0, int(left)), max(0, int(top))
    part = image[y : int(top + box.height * _INNER) + 1, x : int(left + box.width * _INNER) + 1]
    if part.size == 0:
        return np.zeros(3)
    light = LINEAR[part[::2, ::2]].mean(axis=(0, 1))[::-1] + 1e-4
    logs = np.log(light)
    return logs - logs.mean()


def _without_drift(series: Any, time: Any) -> Any:
    """Take the straight line of each column away."""
    base = np.stack([np.ones_like(time), time], axis=1)
    return series - base @ np.linalg.lstsq(base, series, rcond=None)[0]


def _linear() -> Any:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


LINEAR = _linear()
"""Light of each value of a picture, 0 to 1, by sRGB."""
