"""How wide words are in a font, and where their lines end; asked again and again, so remembered."""

from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtGui import QFont, QFontMetricsF

from reception.texts import lines


@lru_cache(4096)
def _flowed(text: str, room: int, families: tuple[str, ...], size: int, bold: bool) -> tuple[str, ...]:
    font = QFont()
    font.setFamilies(list(families))
    if size > 0:  # The style has not set one yet.
        font.setPixelSize(size)
    font.setBold(bold)
    return tuple(lines.flowed(text, room, QFontMetricsF(font).horizontalAdvance))


def lines_of(text: str, room: float, font: QFont) -> tuple[str, ...]:
    """Return the lines of a text in a font, in ``room`` px."""
    return _flowed(text, int(room), tuple(font.families()), font.pixelSize(), font.bold())


def width_of(text: str, font: QFont) -> float:
    """Return the width of a line, in px."""
    return QFontMetricsF(font).horizontalAdvance(text)


def widest(texts: Sequence[str], font: QFont) -> float:
    """Return the width of the widest line, in px; 0 without lines."""
    metrics = QFontMetricsF(font)
    return max(map(metrics.horizontalAdvance, texts), default=0.0)
