"""DET curves (false rejects over false accepts, both on the scale of the normal deviate) as a PNG.

The title names the set; the legend the pairs of each curve; a ring marks the threshold, a cross its intervals.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

from PIL import Image, ImageDraw, ImageFont

_PANEL, _MARGIN = 640, 70
"""Side of one diagram and the room around it, px."""
_LEAST, _MOST = 0.0001, 0.9
"""Rates outside are drawn on the edge."""
_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
_COLOURS = ("#0b6e99", "#c0392b", "#1e8449", "#8e44ad", "#d68910", "#2c3e50", "#7f8c8d", "#16a085", "#a04000")
_DEVIATE = NormalDist()
FEWEST = (20, 200)
"""With fewer genuine or impostor pairs, a curve would say more than is known: it is named, and not drawn."""


@dataclass(frozen=True)
class Curve:
    """One line of a diagram."""

    name: str
    points: Sequence[tuple[float, float]]
    """(FAR, FRR), by ascending threshold."""
    genuine: int = 0
    impostor: int = 0
    """How many pairs it comes from."""
    mark: "Mark | None" = None


@dataclass(frozen=True)
class Mark:
    """Where on a curve the configured threshold is, with 95 % confidence intervals of both rates."""

    threshold: float
    accepted: float
    refused: float
    accepted_interval: tuple[float, float]
    refused_interval: tuple[float, float]


def place(rate: float) -> float:
    """Return where a rate lies on the axis, 0 to 1."""
    low, high = (_DEVIATE.inv_cdf(end) for end in (_LEAST, _MOST))
    return (_DEVIATE.inv_cdf(min(max(rate, _LEAST), _MOST)) - low) / (high - low)


def draw(file: Path, panels: Mapping[str, Sequence[Curve]]) -> None:
    """Write a PNG with a diagram beside the other; raises OSError."""
    size = _PANEL + 2 * _MARGIN
    image = Image.new("RGB", (size * len(panels), size), "white")
    pen = ImageDraw.Draw(image)
    for number, (title, curves) in enumerate(panels.items()):
        _panel(pen, number * size + _MARGIN, title, curves)
    image.save(file)


def _panel(pen: ImageDraw.ImageDraw, left: int, title: str, curves: Sequence[Curve]) -> None:
    font = ImageFont.load_default(16)
    bottom = _MARGIN + _PANEL

    def at(accepted: float, refused: float) -> tuple[float, float]:
        return left + place(accepted) * _PANEL, bottom - place(refused) * _PANEL

    pen.text((left, _MARGIN - 52), title, "black", font)
    for rate in _TICKS:
        label = f"{rate * 100:g}"
        x, y = at(rate, rate)
        pen.line([(x, _MARGIN), (x, bottom)], "#dddddd")
        pen.line([(left, y), (left + _PANEL, y)], "#dddddd")
        pen.text((x, bottom + 6), label, "#444444", font, anchor="ma")
        pen.text((left - 8, y), label, "#444444", font, anchor="rm")
    pen.line([at(_LEAST, _LEAST), at(_MOST, _MOST)], "#bbbbbb")
    pen.rectangle([left, _MARGIN, left + _PANEL, bottom], outline="black")
    pen.text((left + _PANEL / 2, bottom + 34), "strangers accepted (FAR), %", "black", font, anchor="ma")
    pen.text((left - 60, _MARGIN - 28), "right person refused (FRR), %", "black", font)
    for number, curve in enumerate(curves):
        colour = _COLOURS[number % len(_COLOURS)]
        y = _MARGIN + 14 + 22 * number
        pen.line([(left + _PANEL - 330, y), (left + _PANEL - 300, y)], colour, width=3)
        counts = f"{curve.name}: {curve.genuine} / {curve.impostor} pairs"
        if curve.genuine < FEWEST[0] or curve.impostor < FEWEST[1]:
            pen.text((left + _PANEL - 292, y), f"{counts}, too few to draw", "black", font, anchor="lm")
            continue
        at_mark = f", T {curve.mark.threshold:g}" if curve.mark else ""
        pen.text((left + _PANEL - 292, y), counts + at_mark, "black", font, anchor="lm")
        line = [at(*point) for point in curve.points]
        # Rates change in steps: first the one, then the other.
        steps = line[:1] + [
            corner for before, after in pairwise(line) for corner in ((after[0], before[1]), after)
        ]
        if len(steps) > 1:
            pen.line(steps, colour, width=2)
        if curve.mark:
            _draw_mark(pen, curve.mark, at, colour)


def _draw_mark(
    pen: ImageDraw.ImageDraw, mark: Mark, at: Callable[[float, float], tuple[float, float]], colour: str
) -> None:
    """Draw a ring at the threshold, and its intervals as a cross."""
    x, y = at(mark.accepted, mark.refused)
    pen.ellipse([x - 6, y - 6, x + 6, y + 6], outline=colour, width=3)
    pen.line([at(end, mark.refused) for end in mark.accepted_interval], colour, width=1)
    pen.line([at(mark.accepted, end) for end in mark.refused_interval], colour, width=1)
