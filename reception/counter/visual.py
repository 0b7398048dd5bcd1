"""The visual check (目視確認) at the counter: the password, then the card's photo beside the question."""

from collections.abc import Callable
from functools import partial
from typing import get_args

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QKeySequence, QPixmap, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from consent.choices import VisualReason
from reception import flow
from reception.counter import CounterTerminal, wording
from reception.counter.style import Choice, Group, Text, button
from reception.terminal.snapshot import Snapshot, VisualView
from reception.terminal.staff import LONGEST, StaffAnswer, Verdict

PHOTO = (210, 280)
"""px on the counter's window."""


class PasswordRow(QWidget):
    """Staff id, password and a button; what the password is for is the owner's business."""

    told = Signal(object)

    def __init__(self, name: str, label: str, ids: Callable[[], tuple[str, ...]], key: str = "") -> None:
        super().__init__()
        self._ids = ids
        self._ask: Callable[[str, bytearray, Callable[[StaffAnswer], None]], None] | None = None
        self.staff = Choice(f"{name}_staff", "係のID")
        self.password = QLineEdit()
        self.password.setObjectName(f"{name}_password")
        self.password.setAccessibleName("係のパスワード")
        self.password.setPlaceholderText("係のパスワード")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setMaxLength(LONGEST)
        self.button = button(name, label, "outline")
        self.button.clicked.connect(self._submit)
        self.password.returnPressed.connect(self._submit)
        if key:
            focus = QShortcut(QKeySequence(key), self)
            focus.activated.connect(self.password.setFocus)
            self.password.setPlaceholderText(f"係のパスワード ({key})")
        self.note = Text("caption", name=f"{name}_note")
        row = QHBoxLayout()
        row.addWidget(self.staff, 2)
        row.addWidget(self.password, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self.button)
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
        reasons = QVBoxLayout()
        reasons.setSpacing(0)
        for at, reason in enumerate(get_args(VisualReason)):
            key = f"Alt+{at + 1}"
            made = QRadioButton(f"{wording.REASONS[reason]}  {key}")
            made.setObjectName(f"reason_{reason}")
            made.setAccessibleName(wording.REASONS[reason])
            QShortcut(QKeySequence(key), made).activated.connect(made.click)
            self._reasons.addButton(made, at)
            reasons.addWidget(made)
        self._note = Text("strong", name="visual_reason_note")
        confirm = button("visual_confirm", "本人です", "fill", "F11")
        refuse = button("visual_refuse", "本人と確認できません", "outline", "F12")
        confirm.clicked.connect(self._confirm)
        refuse.clicked.connect(lambda: self._terminal.submit(flow.StaffRefuseVisual()))
        buttons = QHBoxLayout()
        buttons.addWidget(confirm)
        buttons.addWidget(refuse)
        right = QVBoxLayout()
        right.addWidget(Text("strong", "目視確認: カードの写真と目の前の方を見比べてください"))
        right.addWidget(Text("caption", "目視確認をする理由 (記録されます)"))
        right.addLayout(reasons)
        right.addWidget(self._note)
        right.addStretch(1)
        side = QHBoxLayout()
        side.setSpacing(14)
        side.addWidget(self.photo, 0, Qt.AlignmentFlag.AlignTop)
        side.addLayout(right, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 14, 8)
        column.addLayout(side)
        column.addLayout(buttons)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.show_view(None)

    def show_view(self, view: VisualView | None) -> None:
        """Show the photo; None: take it away, and the reason with it."""
        self.photo.setPixmap(QPixmap())
        self._reasons.setExclusive(False)
        for made in self._reasons.buttons():
            made.setChecked(False)
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


class VisualStart(Group):
    """Begins the visual check of the visit on the screen."""

    def __init__(self, terminal: CounterTerminal) -> None:
        super().__init__("plain", "目視確認")
        self._terminal = terminal
        self.row = PasswordRow("visual_start", "目視確認を始める", terminal.staff_ids, "F2")
        self.column.addWidget(self.row)
        self._without = Text("caption", name="visual_without_password")
        self.column.addWidget(self._without)
        self._visit = ""
        self.hide()

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Offer it while it is possible, to one visit at a time."""
        if snapshot.visual_possible and (self.isHidden() or snapshot.visit != self._visit):
            self._visit = snapshot.visit
            self.row.fresh()
            known = bool(self._terminal.staff_ids())
            self.row.setVisible(known)
            self._without.show_text("" if known else wording.NOBODY_MAY)
            self.row.ask_with(partial(self._terminal.start_visual, snapshot.visit))
        if not snapshot.visual_possible:
            self.row.password.clear()
        self.setVisible(snapshot.visual_possible)
