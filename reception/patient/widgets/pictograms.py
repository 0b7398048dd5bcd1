"""Small pictures for steps, signs and buttons: SVG files of one style, lines on a field of 24 x 24 units."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

FOLDER = Path(__file__).resolve().parents[1] / "pictures"
"""One file for each picture; its colours are words that are replaced by those of the look."""

Pictogram = Literal[
    "card",
    "face",
    "keypad",
    "consent",
    "done",
    "warning",
    "error",
    "info",
    "phone",
    "staff",
    "leave",
    "back",
    "next",
    "language",
    "look",
    "sound",
    "larger",
    "smaller",
    "dark",
    "light",
    "clock",
    "yes",
    "no",
    "medicine",
    "checkup",
    "payment",
    "paper",
    "closed",
    "seat",
    "help",
    "backspace",
    "people",
    "doctor",
    "expired",
    "lost",
    "no-card",
    "child",
    "forgotten",
    "pencil",
    "renew",
    "bank",
    "present",
    "phone-gone",
    "no-chip",
    "not-used",
    "services",
    "step-1",
    "step-2",
    "step-3",
    "step-4",
    "",
]


def draw(painter: QPainter, picture: Pictogram, box: QRectF, colour: str, ground: str) -> None:
    """Draw a picture into the box; ``ground`` is the colour behind it, for what is cut out of a filled shape."""
    if picture:
        dense = painter.device().devicePixelRatio()
        pixmap = _pixmap(picture, colour, ground, max(1, round(box.width() * dense)))
        painter.drawPixmap(box, pixmap, QRectF(pixmap.rect()))


@lru_cache(512)
def _pixmap(picture: str, colour: str, ground: str, side: int) -> QPixmap:
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer(picture, (("currentColor", colour), ("ground", ground))).render(painter)
    painter.end()
    return pixmap


@lru_cache(512)
def renderer(picture: str, colours: tuple[tuple[str, str], ...]) -> QSvgRenderer:
    """Return what draws a picture in these colours, each by the word that stands for it in the file."""
    text = (FOLDER / f"{picture}.svg").read_text(encoding="utf-8")
    words: Mapping[str, str] = dict(colours)
    for word, colour in words.items():
        text = text.replace(f'"{word}"', f'"{colour}"')
    return QSvgRenderer(QByteArray(text.encode("utf-8")))
