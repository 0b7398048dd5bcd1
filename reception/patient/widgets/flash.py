"""The colours that the display shows all over for a moment, so that a face reflects them."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

_COLOURS = {
    "RED": QColor(255, 0, 0),
    "GREEN": QColor(0, 255, 0),
    "BLUE": QColor(0, 0, 255),
}


class ColourFlash(QWidget):
    """Covers the window with one colour; touches go through to what lies below."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._below = parent
        self._colour = QColor()
        self.hide()

    def show_colour(self, colour: str | None) -> None:
        """Show a colour of hardware.face.flash all over; None: what lies below."""
        self.setVisible(colour in _COLOURS)
        if colour in _COLOURS:
            self._colour = _COLOURS[colour]
            self.setGeometry(self._below.rect())
            self.raise_()
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._colour)
