"""Staff type 照合番号B off the card, where no scanner reads it; it opens the photo, and with it the way by face."""

from collections.abc import Callable

from PySide6.QtCore import QRegularExpression
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import QHBoxLayout, QLineEdit

from reception import flow
from reception.counter.style import Group, Text, button
from reception.terminal.snapshot import Snapshot

DIGITS = 14


class MatchCodeRow(Group):
    """A field for the 14 digits; emptied as soon as they were handed on, and whenever nobody wants them."""

    def __init__(self, send: Callable[[flow.Event], None]) -> None:
        super().__init__()
        self._send = send
        self.label = Text("strong")
        self.field = QLineEdit()
        self.field.setObjectName("match_code")
        self.field.setAccessibleName("照合番号B 14桁")
        digits = QRegularExpression(f"[0-9]{{0,{DIGITS}}}")
        self.field.setValidator(QRegularExpressionValidator(digits, self.field))
        self.field.returnPressed.connect(self._hand_on)
        self._button = button("match_code_enter", "写真を読む", "outline")
        self._button.clicked.connect(self._hand_on)
        row = QHBoxLayout()
        row.addWidget(self.field, 1)
        row.addWidget(self._button)
        self.column.addWidget(self.label)
        self.column.addLayout(row)
        self.column.addWidget(
            Text("caption", "生年月日(和暦)6桁 + 有効期限の西暦4桁 + セキュリティコード4桁")
        )
        self.setVisible(False)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Ask for the code while the card that is in, or the next one, needs it."""
        ahead = not snapshot.simulated and snapshot.state in ("WAITING", "READING")
        wanted = snapshot.match_code_wanted or ahead
        if not wanted:
            self.field.clear()
        tries = snapshot.match_code_tries_left
        asked = "照合番号B (顔認証に使う写真を開く番号)"
        self.label.setText(asked if tries is None else f"照合番号Bがちがいます (残り {tries} 回)")
        self.setVisible(wanted)

    def _hand_on(self) -> None:
        code = self.field.text()
        if len(code) == DIGITS:
            self.field.clear()
            self._send(flow.MatchCodeTyped(code))
