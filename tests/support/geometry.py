"""What can be wrong with how a window is laid out, found by measuring its widgets."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QRectF
from PySide6.QtGui import QFontMetricsF, QImage
from PySide6.QtWidgets import QLabel, QWidget

from config import Screen
from reception.patient import tokens
from reception.patient.widgets import Picture, StepBar, TouchButton, Words
from reception.testing.measured import box, leaves

__all__ = ["answers_differ", "box", "leaves", "troubles"]


def troubles(window: QWidget, screen: Screen) -> Iterator[str]:
    """Yield what is cut off, outside, too small or on top of something else."""
    if (window.width(), window.height()) != (screen.width, screen.height):
        yield f"the window is {window.width()} x {window.height()}"
    seen = leaves(window)
    whole = QRect(0, 0, window.width(), window.height())
    for widget in seen:
        if not whole.contains(QRect(widget.mapTo(window, QPoint(0, 0)), widget.size()) & box(window, widget)):
            yield f"{_name(widget)}: outside"
        for trouble in _of_one(window, widget, screen.density_dpi / tokens.MM_PER_INCH):
            yield f"{_name(widget)}: {trouble}"
    places = [(widget, box(window, widget)) for widget in seen]
    for (one, here), (other, there) in combinations(places, 2):
        if here.intersects(there):
            yield f"{_name(one)} lies on {_name(other)}"


def _of_one(window: QWidget, widget: QWidget, per_mm: float) -> Iterator[str]:
    if not isinstance(widget, Words) and box(window, widget).size() != widget.size():
        yield "cut off"
    match widget:
        case Words():
            yield from _of_text(window, widget, per_mm)
        case TouchButton():
            yield from _of_button(widget, per_mm)
        case StepBar():
            yield from _of_steps(widget, per_mm)
        case Picture() if min(widget.width(), widget.height()) < 15 * per_mm:
            yield f"a picture of {widget.width()} x {widget.height()} px"


def _of_text(window: QWidget, text: Words, per_mm: float) -> Iterator[str]:
    inside, metrics = text.contentsRect(), QFontMetricsF(text.font())
    shown = QLabel.text(text).split("\n")
    if max(map(metrics.horizontalAdvance, shown)) > inside.width() + 1:
        yield f"wider than its {inside.width()} px"
    if text.height() < text.heightForWidth(text.width()) - 1:
        yield f"{text.height()} px high, needs {text.heightForWidth(text.width())}"
    seen, line = box(window, text), text.heightForWidth(text.width()) / len(shown)
    cut = seen.height() < text.height()
    if cut and abs(seen.height() / line - round(seen.height() / line)) > 0.12:
        yield f"a line is cut: {seen.height()} px of lines of {line:.0f}"
    least = tokens.HINT_MM if text.property("kind") == "hint" else tokens.BODY_MM
    if text.font().pixelSize() / per_mm < least - 0.005:
        yield f"letters of {text.font().pixelSize() / per_mm:.2f} mm"


def _of_button(button: TouchButton, per_mm: float) -> Iterator[str]:
    if not button.fits():
        yield f"label does not fit {button.width()} x {button.height()}"
    least = tokens.PRIMARY_MM if button.primary else tokens.SECONDARY_MM
    if min(button.width(), button.height()) / per_mm < least - 0.005:
        yield f"{button.width()} x {button.height()} px, wanted {least} mm"
    letters = tokens.HINT_MM if button.rank == "hint" else tokens.BODY_MM
    if button.letters / per_mm < letters - 0.005:
        yield f"letters of {button.letters / per_mm:.2f} mm"


def _of_steps(steps: StepBar, per_mm: float) -> Iterator[str]:
    boxes = steps.word_boxes()
    for one in boxes:
        if not QRectF(steps.rect()).adjusted(-1, -1, 1, 1).contains(one):
            yield "a word reaches out"
    for one, other in combinations(boxes, 2):
        if one.intersects(other):
            yield "two words touch"
    if steps.letters / per_mm < tokens.HINT_MM - 0.005:
        yield f"letters of {steps.letters / per_mm:.2f} mm"


def answers_differ(one: TouchButton, other: TouchButton) -> str:
    """Say in what two answers differ but for word and sign: compared pixel by pixel, what is painted inside masked."""
    if one.size() != other.size():
        return f"{one.width()} x {one.height()} and {other.width()} x {other.height()}"
    if (one.letters, one.property("kind")) != (other.letters, other.property("kind")):
        return f"letters of {one.letters} and {other.letters} px"
    first, second = pixels(one), pixels(other)
    edge = one.look.sizes.px(1)
    inside = np.s_[edge : one.height() - edge, edge : one.width() - edge]
    # The ground is the most frequent colour inside, the ink the next one.
    inks = [
        [colour for colour, _ in Counter(map(bytes, each[inside].reshape(-1, 4))).most_common(2)]
        for each in (first, second)
    ]
    first[inside], second[inside] = 0, 0
    if not np.array_equal(first, second):
        return "the shapes differ"
    return "" if inks[0] == inks[1] else "the colours of word and sign differ"


def pixels(widget: QWidget) -> NDArray[np.uint8]:
    """Return what a widget looks like, (H, W, 4)."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    seen = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return seen[:, : image.width()].copy()


def _name(widget: QWidget) -> str:
    words = widget.words if isinstance(widget, Words) else widget.objectName()
    return f"{type(widget).__name__} {words[:24]!r}"
