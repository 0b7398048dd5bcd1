"""What can be wrong with how a window is laid out, found by measuring its widgets."""

from collections.abc import Iterator
from itertools import combinations

from PySide6.QtCore import QPoint, QRect, QRectF
from PySide6.QtGui import QFontMetricsF
from PySide6.QtWidgets import QLabel, QWidget

from reception.patient.tokens import Look
from reception.patient.widgets import (
    CameraPreview,
    Picture,
    PinDots,
    StepBar,
    TouchButton,
    Words,
    Working,
)

LEAVES = (Words, TouchButton, StepBar, PinDots, Picture, CameraPreview, Working)
SMALLEST_TEXT, SMALLEST_CAPTION = 26, 20
"""px; what is read to go on with the visit, and what only accompanies it."""


def box(window: QWidget, widget: QWidget) -> QRect:
    """Return where a widget is in its window."""
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())


def leaves(window: QWidget) -> list[QWidget]:
    """Return what can be seen: what shows something itself, and has room for it."""
    found = [widget for widget in window.findChildren(QWidget) if isinstance(widget, LEAVES)]
    return [widget for widget in found if widget.isVisible() and not widget.size().isEmpty()]


def troubles(window: QWidget, look: Look, size: tuple[int, int]) -> Iterator[str]:
    """Yield what is cut off, outside, too small or on top of something else."""
    if (window.width(), window.height()) != size:
        yield f"the window is {window.width()} x {window.height()}"
    seen = leaves(window)
    for widget in seen:
        for trouble in _of_one(window, widget, look):
            yield f"{_name(widget)}: {trouble}"
    places = [(widget, box(window, widget)) for widget in seen]
    for (one, here), (other, there) in combinations(places, 2):
        if here.intersects(there):
            yield f"{_name(one)} lies on {_name(other)}"


def _of_one(window: QWidget, widget: QWidget, look: Look) -> Iterator[str]:
    around: QWidget | None = widget
    while around is not window:
        around = around.parentWidget() if around is not None else None
        assert around is not None
        if not QRect(QPoint(0, 0), around.size()).contains(
            QRect(widget.mapTo(around, QPoint(0, 0)), widget.size())
        ):
            yield f"reaches out of {_name(around)}"
            break
    match widget:
        case Words():
            yield from _of_text(widget, look)
        case TouchButton():
            yield from _of_button(widget, look)
        case StepBar():
            yield from _of_steps(widget)


def _of_text(text: Words, look: Look) -> Iterator[str]:
    inside, metrics = text.contentsRect(), QFontMetricsF(text.font())
    shown = QLabel.text(text).split("\n")
    if max(map(metrics.horizontalAdvance, shown)) > inside.width() + 1:
        yield f"wider than its {inside.width()} px"
    if text.height() < text.heightForWidth(text.width()) - 1:
        yield f"{text.height()} px high, needs {text.heightForWidth(text.width())}"
    grown = look.sizes.body / (28 if look.sizes.portrait else 26)
    caption = text.property("kind") in ("caption", "time", "badge")
    least = SMALLEST_CAPTION if caption else SMALLEST_TEXT
    if text.font().pixelSize() < int(least * (1 if text.property("kind") == "badge" else grown)):
        yield f"letters of {text.font().pixelSize()} px"


def _of_button(button: TouchButton, look: Look) -> Iterator[str]:
    if not button.fits():
        yield f"label does not fit {button.width()} x {button.height()}"
    least = look.sizes.primary if button.primary else look.sizes.secondary
    if min(button.width(), button.height()) < least:
        yield f"{button.width()} x {button.height()} px, wanted {least}"
    if button.font().pixelSize() < SMALLEST_TEXT:
        yield f"letters of {button.font().pixelSize()} px"


def _of_steps(steps: StepBar) -> Iterator[str]:
    boxes = steps.word_boxes()
    for one in boxes:
        if not QRectF(steps.rect()).contains(one):
            yield "a word reaches out"
    for one, other in combinations(boxes, 2):
        if one.intersects(other):
            yield "two words touch"


def _name(widget: QWidget) -> str:
    words = widget.words if isinstance(widget, Words) else widget.objectName()
    return f"{type(widget).__name__} {words[:24]!r}"
