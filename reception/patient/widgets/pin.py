"""Where a PIN is typed: the digits, what edits them, and how many are there."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from reception.patient.tokens import Look
from reception.patient.widgets.buttons import KeyButton
from reception.patient.widgets.painted import Painted, begin
from reception.texts import N_, Catalogue

KEY_GAP = 1.2
"""Units between keys (facts: spacing of 1 and 3 mm made no difference)."""


class PinDots(QWidget, Painted):
    """How many digits were typed, as dots; it never knows which."""

    LENGTH = 4

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._t = t
        self._typed = -1
        self.show_count(0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        px = self.look.sizes.px
        return QSize(px(52), px(9.5 if self.look.sizes.composition == "compact" else 12))

    def show_count(self, typed: int) -> None:
        """Fill the first ``typed`` places."""
        if typed != self._typed:
            self._typed = typed
            self.setAccessibleName(self._t(N_("暗証番号 {count}桁 入力済み"), count=typed))
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = begin(self)
        colours = self.look.colours
        px = self.look.sizes.px
        side, gap = min(px(10.5), self.height() - px(0.5)), px(2)
        left = (self.width() - self.LENGTH * side - (self.LENGTH - 1) * gap) / 2
        for place in range(self.LENGTH):
            box = QRectF(left + place * (side + gap), (self.height() - side) / 2, side, side)
            here = place == self._typed
            painter.setPen(
                QPen(QColor(colours.primary if here else colours.line), px(0.8) if here else px(0.5))
            )
            painter.setBrush(QColor(colours.background))
            painter.drawRoundedRect(box, px(1.2), px(1.2))
            if place < self._typed:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(colours.ink))
                painter.drawEllipse(box.center(), px(2.2), px(2.2))
        painter.end()


class PinKeys(QWidget, Painted):
    """The ten digits as on a telephone, with what deletes one at the left of the 0 and what confirms at its right."""

    digit = Signal(int)

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self.digits = [KeyButton(f"key_{number}", str(number), "key") for number in range(10)]
        for number, key in enumerate(self.digits):
            key.clicked.connect(lambda _checked=False, n=number: self.digit.emit(n))
        self.backspace = KeyButton("pin_backspace", t(N_("1つ消す")), "quiet", "primary", "backspace")
        self.submit = KeyButton("pin_submit", t(N_("決定")), "fill", "primary")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for place, key in enumerate((*self.digits[1:], self.backspace, self.digits[0], self.submit)):
            grid.addWidget(key, *divmod(place, 3))
            key.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        for at in range(4):
            grid.setRowStretch(at, 1)
        for at in range(3):
            grid.setColumnStretch(at, 1)

    def apply_theme(self, look: Look) -> None:
        """Keep the keys apart as this look does."""
        super().apply_theme(look)
        layout = self.layout()
        assert layout is not None
        layout.setSpacing(look.sizes.px(KEY_GAP))

    def sizeHint(self) -> QSize:
        sizes = self.look.sizes
        gap = sizes.px(KEY_GAP)
        return QSize(3 * sizes.primary + 2 * gap, 4 * sizes.primary + 3 * gap)
