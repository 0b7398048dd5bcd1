"""Help from afar: a text on the patient's window, more time, the visit cancelled, the reception closed."""

from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from reception import flow
from reception.counter import CounterTerminal
from reception.flow import ANSWERABLE, REVOCABLE, StaffText, State
from reception.snapshot import Snapshot
from reception.texts.wording import STAFF_TEXTS


class HelpPanel(QFrame):
    """What staff can do for the patient without going there."""

    def __init__(self, terminal: CounterTerminal) -> None:
        super().__init__()
        self.setProperty("tone", "plain")
        self._terminal = terminal
        self._desk_open = True
        self.texts = QComboBox()
        self.texts.setObjectName("staff_texts")
        self.texts.setAccessibleName("患者の画面に出す言葉")
        for text, words in STAFF_TEXTS.items():
            self.texts.addItem(words, text)
        self._show = _button("show_text", "患者の画面に表示")
        self._hide = _button("hide_text", "表示を消す")
        self.more_time = _button("give_time", "時間を延ばす")
        self.cancel = _button("cancel_visit", "この受付を取り消す")
        self.desk = _button("desk", "受付を休止する")
        self._show.clicked.connect(self._show_text)
        self._hide.clicked.connect(lambda: terminal.submit(flow.ShowStaffText(StaffText.NONE)))
        self.more_time.clicked.connect(lambda: terminal.submit(flow.MoreTime()))
        self.cancel.clicked.connect(lambda: terminal.submit(flow.Cancel()))
        self.desk.clicked.connect(self._turn_desk)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        above, below = QHBoxLayout(), QHBoxLayout()
        above.addWidget(self.texts, 1)
        for button in (self._show, self._hide):
            above.addWidget(button)
        for button in (self.more_time, self.cancel, self.desk):
            below.addWidget(button)
        column.addLayout(above)
        column.addLayout(below)

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Offer what can be done now."""
        state = State(snapshot.state)
        self._desk_open = snapshot.desk_open
        self._hide.setVisible(bool(snapshot.staff_message))
        self.more_time.setVisible(state in ANSWERABLE)
        self.cancel.setVisible(state in (*REVOCABLE, State.LIMIT_CONSENT, State.PHONE_TAP))
        label = "受付を休止する" if snapshot.desk_open else "受付を再開する"
        self.desk.setText(label)
        self.desk.setAccessibleName(label)

    def _show_text(self) -> None:
        self._terminal.submit(flow.ShowStaffText(StaffText(self.texts.currentData())))

    def _turn_desk(self) -> None:
        self._terminal.submit(flow.CloseDesk() if self._desk_open else flow.OpenDesk())


def _button(name: str, label: str) -> QPushButton:
    button = QPushButton(label)
    button.setObjectName(name)
    button.setAccessibleName(label)
    button.setProperty("kind", "quiet")
    return button
