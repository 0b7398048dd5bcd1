"""The visual check (目視確認) at the counter: the password, then the card's photo beside the question."""

from collections.abc import Callable
from functools import partial
from typing import get_args

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from consent.choices import VisualReason
from reception import flow
from reception.counter import CounterTerminal, wording
from reception.screens.widgets import BigButton, Text
from reception.snapshot import Snapshot, VisualView
from reception.staff import LONGEST, StaffAnswer, Verdict

PHOTO = (240, 320)
"""px on the counter's window."""


class PasswordRow(QWidget):
    """Staff id, password and a button; what the password is for is the owner's business."""

    told = Signal(object)

    def __init__(self, name: str, label: str, ids: Callable[[], tuple[str, ...]]) -> None:
        super().__init__()
        self._ids = ids
        self._ask: Callable[[str, bytearray, Callable[[StaffAnswer], None]], None] | None = None
        self.staff = QComboBox()
        self.staff.setObjectName(f"{name}_staff")
        self.staff.setAccessibleName("係のID")
        self.password = QLineEdit()
        self.password.setObjectName(f"{name}_password")
        self.password.setAccessibleName("係のパスワード")
        self.password.setPlaceholderText("係のパスワード")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setMaxLength(LONGEST)
        self.button = BigButton(name, label, "outline", 44)
        self.button.clicked.connect(self._submit)
        self.password.returnPressed.connect(self._submit)
        self.note = Text("caption", centred=False)
        self.note.setObjectName(f"{name}_note")
        row = QHBoxLayout()
        row.addWidget(self.staff, 1)
        row.addWidget(self.password, 2)
        row.addWidget(self.button, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.note)
        self.note.show_text("")
        # Answers come from the terminal's thread.
        self.told.connect(self._show_answer, Qt.ConnectionType.QueuedConnection)

    def ask_with(self, ask: Callable[[str, bytearray, Callable[[StaffAnswer], None]], None]) -> None:
        """Have the password looked at by this from now on."""
        self._ask = ask

    def fresh(self) -> None:
        """Begin anew: the ids as they are now, no password, no note."""
        ids = self._ids()
        if ids != tuple(self.staff.itemText(at) for at in range(self.staff.count())):
            self.staff.clear()
            self.staff.addItems(ids)
        self.password.clear()
        self.note.show_text("")

    def _submit(self) -> None:
        typed = bytearray(self.password.text().encode())
        self.password.clear()
        if self._ask is not None and typed:
            self.note.show_text("確認しています…")
            self._ask(self.staff.currentText(), typed, self.told.emit)

    def _show_answer(self, answer: StaffAnswer) -> None:
        self.note.show_text(wording.told(answer))
        if answer.verdict is not Verdict.RIGHT:
            self.password.setFocus()


class VisualPanel(QFrame):
    """The card's photo, why staff look, and what they see; the picture is gone when the check is over."""

    def __init__(self, terminal: CounterTerminal) -> None:
        super().__init__()
        self.setProperty("tone", "plain")
        self._terminal = terminal
        self.photo = QLabel()
        self.photo.setObjectName("visual_photo")
        self.photo.setAccessibleName("カードの写真")
        self.photo.setFixedSize(*PHOTO)
        self.photo.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._reasons = QButtonGroup(self)
        reasons = QGridLayout()
        for at, reason in enumerate(get_args(VisualReason)):
            button = QRadioButton(wording.REASONS[reason])
            button.setObjectName(f"reason_{reason}")
            self._reasons.addButton(button, at)
            reasons.addWidget(button, at // 2, at % 2)
        self._note = Text("caption", centred=False)
        self._note.setObjectName("visual_reason_note")
        confirm = BigButton("visual_confirm", "本人です", "fill", 44)
        refuse = BigButton("visual_refuse", "本人と確認できません", "outline", 44)
        confirm.clicked.connect(self._confirm)
        refuse.clicked.connect(lambda: self._terminal.submit(flow.StaffRefuseVisual()))
        buttons = QHBoxLayout()
        buttons.addWidget(confirm)
        buttons.addWidget(refuse)
        right = QVBoxLayout()
        right.addWidget(Text("strong", "目視確認: カードの写真と目の前の方を見比べてください", centred=False))
        right.addWidget(Text("caption", "目視確認をする理由 (記録されます)", centred=False))
        right.addLayout(reasons)
        right.addWidget(self._note)
        right.addStretch(1)
        right.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 12, 16, 12)
        row.setSpacing(20)
        row.addWidget(self.photo)
        row.addLayout(right, 1)
        self.show_view(None)

    def show_view(self, view: VisualView | None) -> None:
        """Show the photo; None: take it away, and the reason with it."""
        self.photo.setPixmap(QPixmap())
        self._reasons.setExclusive(False)
        for button in self._reasons.buttons():
            button.setChecked(False)
        self._reasons.setExclusive(True)
        self._note.setText("")
        if view is None:
            return
        if view.photo is None:
            self.photo.setText("写真を\n表示できません")
            return
        height, width = view.photo.shape
        image = QImage(view.photo.data, width, height, width, QImage.Format.Format_Grayscale8)
        keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        self.photo.setPixmap(QPixmap.fromImage(image.scaled(*PHOTO, keep, smooth)))

    def _confirm(self) -> None:
        chosen = self._reasons.checkedId()
        if chosen < 0:
            self._note.setText("理由を選んでください。")
            return
        self._terminal.submit(flow.StaffConfirmVisual(get_args(VisualReason)[chosen]))


class VisualStart(QFrame):
    """Begins the visual check of the visit on the screen."""

    def __init__(self, terminal: CounterTerminal) -> None:
        super().__init__()
        self.setProperty("tone", "plain")
        self._terminal = terminal
        self.row = PasswordRow("visual_start", "目視確認を始める (F2)", terminal.staff_ids)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.addWidget(self.row)
        self._visit = ""
        self.hide()

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Offer it while it is possible, to one visit at a time."""
        if snapshot.visual_possible and (self.isHidden() or snapshot.visit != self._visit):
            self._visit = snapshot.visit
            self.row.fresh()
            self.row.ask_with(partial(self._terminal.start_visual, snapshot.visit))
        if not snapshot.visual_possible:
            self.row.password.clear()
        self.setVisible(snapshot.visual_possible)
