"""What the pieces that are painted by hand have in common: they know the look of their window."""

from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from reception.patient import tokens
from reception.patient.tokens import Look


class Painted:
    """Beside QWidget: a widget that paints itself with the colours and sizes of ``look``."""

    look: Look = tokens.NORMAL

    def apply_theme(self, look: Look) -> None:
        """Paint with this look from now on; lengths that depend on it change, too."""
        self.look = look
        if isinstance(self, QWidget):
            self.update()


def begin(widget: QWidget) -> QPainter:
    """Begin to paint with smooth edges; end() it."""
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return painter
