"""Help from afar: a text on the patient's window, more time, the visit cancelled, the reception closed."""

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout

from reception import flow
from reception.counter import CounterTerminal
from reception.counter.style import Choice, Group, button, keeps_its_place, relabel
from reception.flow import ANSWERABLE, REVOCABLE, StaffText, State
from reception.terminal.snapshot import Snapshot
from reception.texts.wording import STAFF_TEXTS

SURE_MS = 5_000
"""A visit is cancelled by two presses within this time: the patient would have to begin anew."""


class HelpPanel(Group):
    """What staff can do for the patient without going there."""

    def __init__(self, terminal: CounterTerminal) -> None:
        super().__init__("plain", "患者への手助け")
        self._terminal = terminal
        self._desk_open = True
        self._visit = ""
        self.texts = Choice("staff_texts", "患者の画面に出す言葉")
        for text, words in STAFF_TEXTS.items():
            self.texts.addItem(words, text)
        self._show = button("show_text", "患者の画面に表示", key="F6")
        self._hide = button("hide_text", "表示を消す", key="F7")
        self.more_time = button("give_time", "時間を延ばす", key="F4")
        self.cancel = button("cancel_visit", "受付を取り消す", key="F8")
        self.called = button("take_on_call", "呼び出しに対応する", "fill")
        self.called.clicked.connect(lambda: terminal.submit(flow.TakeOnCall()))
        self.called.hide()
        self.desk = button("desk", "受付を休止する", key="F9")
        self._show.clicked.connect(self._show_text)
        self._hide.clicked.connect(lambda: terminal.submit(flow.ShowStaffText(StaffText.NONE)))
        self.more_time.clicked.connect(lambda: terminal.submit(flow.MoreTime()))
        self.cancel.clicked.connect(self._cancel)
        self.desk.clicked.connect(self._turn_desk)
        self._unsure = QTimer(self)
        self._unsure.setSingleShot(True)
        self._unsure.setInterval(SURE_MS)
        self._unsure.timeout.connect(self._not_cancelled)
        self.column.addWidget(self.called)
        self.column.addWidget(self.texts)
        for row in ((self._show, self._hide), (self.more_time, self.cancel), (self.desk,)):
            line = QHBoxLayout()
            for made in row:
                keeps_its_place(made)
                line.addWidget(made, 1)
            self.column.addLayout(line)

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Offer what can be done now."""
        state = snapshot.state
        self._desk_open = snapshot.desk_open
        if snapshot.visit != self._visit:
            self._visit = snapshot.visit
            self._not_cancelled()
        self._hide.setVisible(bool(snapshot.staff_message))
        self.called.setVisible(snapshot.staff_called)
        self.more_time.setVisible(state in ANSWERABLE)
        self.cancel.setVisible(state in (*REVOCABLE, State.LIMIT_CONSENT, State.PHONE_TAP))
        relabel(self.desk, "受付を休止する" if snapshot.desk_open else "受付を再開する")

    def _show_text(self) -> None:
        self._terminal.submit(flow.ShowStaffText(StaffText(self.texts.currentData())))

    def _cancel(self) -> None:
        if self._unsure.isActive():
            self._not_cancelled()
            self._terminal.submit(flow.Cancel())
        else:
            self._unsure.start()
            relabel(self.cancel, "もう一度押すと取消")

    def _not_cancelled(self) -> None:
        self._unsure.stop()
        relabel(self.cancel, "受付を取り消す")

    def _turn_desk(self) -> None:
        self._terminal.submit(flow.CloseDesk() if self._desk_open else flow.OpenDesk())
