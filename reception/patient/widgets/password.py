"""Where a signing password is typed: capital letters and digits, and how many are there; never which."""

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from reception.patient.tokens import Look
from reception.patient.widgets.buttons import KeyButton, TouchButton
from reception.patient.widgets.painted import Painted
from reception.texts import N_, Catalogue

ROWS = ("1234567890", "QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM")
"""As on a computer's keyboard, which is how the letters are found."""
KEY_GAP = 1.0
"""Units between keys."""


class PasswordKeys(QWidget, Painted):
    """Keys in four rows of ten places; what deletes one, and what confirms, at the ends of the last two."""

    character = Signal(str)

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self.keys: dict[str, KeyButton] = {}
        for row, letters in enumerate(ROWS):
            for column, letter in enumerate(letters):
                key = self.keys[letter] = KeyButton(f"key_{letter}", letter, "key", "secondary")
                key.clicked.connect(lambda _checked=False, typed=letter: self.character.emit(typed))
                self._put(key, row, column, 1)
        self.backspace = KeyButton("password_backspace", "⌫", "key", "secondary")
        self.backspace.setAccessibleName(t(N_("1つ消す")))
        self._put(self.backspace, 2, 9, 1)
        self.submit = TouchButton("password_submit", t(N_("決定")), "fill", "secondary")
        self._put(self.submit, 3, 7, 3)
        for column in range(10):
            self._grid.setColumnStretch(column, 1)

    def _put(self, key: TouchButton, row: int, column: int, wide: int) -> None:
        key.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._grid.addWidget(key, row, column, 1, wide)

    def apply_theme(self, look: Look) -> None:
        """Keep the keys apart as this look does."""
        super().apply_theme(look)
        self._grid.setSpacing(look.sizes.px(KEY_GAP))

    def sizeHint(self) -> QSize:
        sizes = self.look.sizes
        gap = sizes.px(KEY_GAP)
        return QSize(10 * sizes.secondary + 9 * gap, 4 * sizes.secondary + 3 * gap)
