"""The first picture, shown at once while everything else is still loaded; light to import."""

import logging

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from reception.patient import tokens

_log = logging.getLogger("reception.start")


class FirstScreen(QWidget):
    """Says that the terminal is getting ready."""

    def __init__(self, *, simulated: bool) -> None:
        super().__init__()
        self._painted = False
        self.setObjectName("patient_window")
        self.setWindowTitle("受付の準備")
        self.setStyleSheet(tokens.style_sheet())
        column = QVBoxLayout(self)
        sizes = tokens.NORMAL.sizes
        margin, gap = sizes.px(2.2), sizes.px(4)
        column.setContentsMargins(margin, margin, margin, margin)
        column.addStretch(2)
        column.addWidget(_line("heading", "準備しています"))
        column.addSpacing(gap)
        column.addWidget(_line("body", "しばらくお待ちください。"))
        column.addStretch(3)
        if simulated:
            badge = _line("badge", "模擬")
            badge.setParent(self)
            badge.ensurePolished()
            badge.adjustSize()
            badge.move(margin, 12)
        self.resize(*tokens.PORTRAIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell once that it was painted, when that has reached the display."""
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, _tell)


def _tell() -> None:
    _log.info("first screen")


def _line(kind: str, text: str) -> QLabel:
    line = QLabel(text)
    line.setProperty("kind", kind)
    line.setAlignment(Qt.AlignmentFlag.AlignCenter)
    line.setWordWrap(kind != "badge")
    return line
