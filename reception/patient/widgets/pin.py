"""Where a PIN is typed: the digits, what edits them, and how many are there."""

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QWidget

from reception.patient.tokens import Look
from reception.patient.widgets.buttons import KeyButton, TouchButton
from reception.patient.widgets.painted import Painted, begin
from reception.texts import N_, Catalogue

KEY_GAP, KEY_GAP_WIDE = 16, 8
"""Between keys, upright and lying: less room, and no more errors (facts: spacing of 1 and 3 mm made no difference)."""


class PinDots(QWidget, Painted):
    """How many digits were typed, as dots; it never knows which."""

    LENGTH = 4
    WIDTH = 256

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._t = t
        self._typed = -1
        self.setFixedHeight(60)
        self.setMinimumWidth(self.WIDTH)
        self.show_count(0)

    def show_count(self, typed: int) -> None:
        """Fill the first ``typed`` places."""
        if typed != self._typed:
            self._typed = typed
            self.setAccessibleName(self._t(N_("暗証番号 {count}桁 入力済み"), count=typed))
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = begin(self)
        colours = self.look.colours
        side, gap = 56.0, 10.0
        left = (self.width() - self.LENGTH * side - (self.LENGTH - 1) * gap) / 2
        for place in range(self.LENGTH):
            box = QRectF(left + place * (side + gap), 2, side, side)
            here = place == self._typed
            painter.setPen(QPen(QColor(colours.primary if here else colours.line), 4 if here else 3))
            painter.setBrush(QColor(colours.background))
            painter.drawRoundedRect(box, 8, 8)
            if place < self._typed:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(colours.ink))
                painter.drawEllipse(box.center(), 13, 13)
        painter.end()


class _Keys(QWidget, Painted):
    """Keys in a grid that depends on the look."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)

    def apply_theme(self, look: Look) -> None:
        """Lay the keys out for a window that stands or lies."""
        super().apply_theme(look)
        while self._grid.takeAt(0) is not None:
            pass
        self._grid.setSpacing(KEY_GAP if look.sizes.portrait else KEY_GAP_WIDE)
        self._lay_out(portrait=look.sizes.portrait)

    def _lay_out(self, *, portrait: bool) -> None:
        raise NotImplementedError


class PinKeys(_Keys):
    """The ten digits: as on a telephone where the window stands, in two rows where it lies."""

    digit = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._digits = [KeyButton(f"key_{number}", str(number), "key") for number in range(10)]
        for number, key in enumerate(self._digits):
            key.clicked.connect(lambda _checked=False, n=number: self.digit.emit(n))
        self._lay_out(portrait=True)

    def _lay_out(self, *, portrait: bool) -> None:
        columns = 3 if portrait else 5
        for place, number in enumerate((1, 2, 3, 4, 5, 6, 7, 8, 9, 0)):
            row, column = (3, 1) if portrait and number == 0 else divmod(place, columns)
            self._grid.addWidget(self._digits[number], row, column)


class PinEdits(_Keys):
    """Delete one, delete all, confirm."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self.backspace = KeyButton("pin_backspace", t(N_("1つ消す")), "quiet", "secondary")
        self.clear = TouchButton("pin_clear", t(N_("全部消す")), "quiet", "secondary")
        self.submit = TouchButton("pin_submit", t(N_("決定")), "fill", "primary")
        self._lay_out(portrait=True)

    def _lay_out(self, *, portrait: bool) -> None:
        places = (
            ((0, 0, 1, 1), (1, 0, 1, 1), (2, 0, 2, 1))
            if portrait
            else ((0, 0, 1, 1), (0, 1, 1, 1), (1, 0, 1, 2))
        )
        for button, place in zip((self.backspace, self.clear, self.submit), places, strict=True):
            self._grid.addWidget(button, *place)
        for column in (0, 1):
            self._grid.setColumnStretch(column, 0 if portrait and column else 1)
