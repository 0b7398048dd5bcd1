"""What a window shows, as numbers: where its parts are, how large their letters are; for whoever wants to measure."""

from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from reception.patient.tokens import MM_PER_INCH
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
"""What shows something itself."""


def box(window: QWidget, widget: QWidget) -> QRect:
    """Return where a widget is in its window, as far as what is around it lets it be seen."""
    seen = QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
    around = widget.parentWidget()
    while around is not None and around is not window:
        seen &= QRect(around.mapTo(window, QPoint(0, 0)), around.size())
        around = around.parentWidget()
    return seen


def leaves(window: QWidget) -> list[QWidget]:
    """Return what can be seen."""
    found = [widget for widget in window.findChildren(QWidget) if isinstance(widget, LEAVES)]
    return [widget for widget in found if widget.isVisible() and not box(window, widget).isEmpty()]


def measured(window: QWidget, density_dpi: float) -> dict[str, object]:
    """Return the buttons and the other parts of a window; rectangles in px, letters in px and mm."""
    buttons: list[dict[str, object]] = []
    parts: list[dict[str, object]] = []
    for widget in leaves(window):
        rect = _rect(box(window, widget))
        if isinstance(widget, TouchButton):
            letters = widget.letters
            role = {"primary": "answer", "secondary": "action", "hint": "display"}[widget.rank]
            buttons.append(
                {
                    "name": widget.objectName(),
                    "label": widget.accessibleName(),
                    "role": role,
                    "rect": rect,
                    "text_px": letters,
                    "text_mm": _mm(letters, density_dpi),
                    "least_mm": _mm(min(rect[2:]), density_dpi),
                    "fits": widget.fits(),
                }
            )
            continue
        part: dict[str, object] = {
            "part": type(widget).__name__,
            "label": widget.accessibleName(),
            "rect": rect,
        }
        if isinstance(widget, Words):
            part |= {
                "role": widget.property("kind"),
                "text_px": widget.font().pixelSize(),
                "text_mm": _mm(widget.font().pixelSize(), density_dpi),
            }
        if isinstance(widget, StepBar):
            part |= {"text_px": widget.letters, "text_mm": _mm(widget.letters, density_dpi)}
        parts.append(part)
    for widget in window.findChildren(QLabel):
        if widget.isVisible() and not isinstance(widget, Words):
            parts.append({"part": "badge", "label": widget.text(), "rect": _rect(box(window, widget))})
    assert not [each for each in window.findChildren(QPushButton) if not isinstance(each, TouchButton)]
    return {"buttons": buttons, "parts": parts}


def _rect(found: QRect) -> list[int]:
    return [found.x(), found.y(), found.width(), found.height()]


def _mm(px: float, density_dpi: float) -> float:
    return round(px * MM_PER_INCH / density_dpi, 2)
