"""The patient's window: step bar, the page of the moment, the ways out."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from reception import flow
from reception.failures import FailureCode
from reception.screens import TerminalLike, tokens, wording
from reception.screens.bridge import Bridge
from reception.screens.pages import FaceMatchPage, Page, pages
from reception.screens.widgets import BigButton, StepBar, Text
from reception.screens.wording import STEP_NUMBERS
from reception.snapshot import Snapshot

WIDTH, HEIGHT = 800, 1280

_NO_WAY_OUT = {"WAITING", "SENDING", "TAKE_CARD", "COMPLETE", "OUT_OF_SERVICE", "DESK_CLOSED"}
"""Where the flow takes neither Cancel nor CallStaff: no visit, or consents already on their way."""


class PatientWindow(QWidget):
    """Shows the snapshots of a terminal to the patient and submits what the patient does."""

    def __init__(self, terminal: TerminalLike) -> None:
        super().__init__()
        self._terminal = terminal
        self._shown = Snapshot()
        self.setObjectName("patient_window")
        self.setWindowTitle("マイナンバーカード受付")
        self.setStyleSheet(tokens.style_sheet())
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._steps = StepBar()
        self._badge = Text("badge", "模擬")
        self._badge.setParent(self)
        self._stack = QStackedWidget()
        self._pages: dict[str, Page] = pages(self._send)
        for page in self._pages.values():
            page.show_snapshot(self._shown)
            self._stack.addWidget(page)
        # No page may make the window grow beyond the screen of the terminal; a test looks that all of them fit.
        self._stack.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        column = QVBoxLayout(self)
        column.setContentsMargins(tokens.MARGIN, 52, tokens.MARGIN, tokens.GAP)
        column.setSpacing(16)
        column.addWidget(self._steps)
        column.addWidget(self._stack, 1)
        column.addWidget(self._time_row())
        column.addWidget(self._way_out_row())
        self.render_snapshot(self._shown)
        self.resize(WIDTH, HEIGHT)
        self._bridge = Bridge(self)
        self._bridge.snapshot.connect(self.render_snapshot)
        self._bridge.frame.connect(self.show_frame)
        self._unsubscribe = [
            terminal.subscribe(self._bridge.take_snapshot),
            terminal.subscribe_frames(self._bridge.take_frame),
        ]

    def _time_row(self) -> QWidget:
        row = QWidget()
        row.setFixedHeight(72)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        self._seconds = Text("time")
        self._more_time = BigButton("more_time", "時間をのばす", "outline", 72)
        self._more_time.setFixedWidth(250)
        self._more_time.clicked.connect(lambda: self._send(flow.MoreTime()))
        layout.addWidget(self._seconds, 1)
        layout.addWidget(self._more_time)
        return row

    def _way_out_row(self) -> QWidget:
        row = QWidget()
        row.setFixedHeight(tokens.SECONDARY_HEIGHT)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(tokens.GAP)
        self._cancel = BigButton("cancel", "はじめにもどる", "quiet", tokens.SECONDARY_HEIGHT)
        self._cancel.clicked.connect(lambda: self._send(flow.Cancel()))
        self._call = BigButton("call_staff", "係の人を呼ぶ", "quiet", tokens.SECONDARY_HEIGHT)
        self._call.clicked.connect(lambda: self._send(flow.CallStaff()))
        layout.addWidget(self._cancel)
        layout.addWidget(self._call)
        return row

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Show the snapshot; call in the thread of the windows."""
        before, self._shown = self._shown, snapshot
        page = self._pages[snapshot.screen]
        page.show_snapshot(snapshot)
        if self._stack.currentWidget() is not page:
            self._stack.setCurrentWidget(page)
        if (before.screen, before.occasion) != (snapshot.screen, snapshot.occasion):
            # Nothing is preselected: the keyboard starts before the first button of whatever is asked now.
            self.setFocus()
        face = self._pages["FACE_MATCH"]
        if snapshot.screen != "FACE_MATCH" and isinstance(face, FaceMatchPage):
            face.preview.forget()
        self._steps.show_step(STEP_NUMBERS.get(snapshot.step, 0), all_done=snapshot.completed)
        in_visit = snapshot.screen not in _NO_WAY_OUT
        self._cancel.setVisible(in_visit and snapshot.screen not in ("CALL_STAFF", "HELP"))
        self._call.setVisible(in_visit and snapshot.failure != FailureCode.STAFF_CALLED)
        seconds = snapshot.seconds_left
        self._seconds.show_text("" if seconds is None else f"あと {seconds} 秒で{self._end_of(snapshot)}")
        self._more_time.setVisible(seconds is not None)
        self._badge.setVisible(snapshot.simulated)
        self._badge.adjustSize()
        self._badge.move(self.width() - self._badge.width() - tokens.MARGIN, 12)

    @staticmethod
    def _end_of(snapshot: Snapshot) -> str:
        """Say what the end of the wait means."""
        if snapshot.screen == "CARD_USE_OFFER":
            return "「登録しない」になります"
        if snapshot.screen == "PRESCRIPTION":
            return "選ばずに進みます"
        if snapshot.screen not in ("CONSENT", "LIMIT_CONSENT"):
            return "終わります"
        answers = wording.ANSWERS.get(snapshot.question, wording.PLAIN_ANSWERS)
        return f"「{answers[1].partition('・')[0]}」になります"

    @property
    def shown(self) -> Snapshot:
        """The snapshot on the screen now."""
        return self._shown

    def _send(self, event: flow.Event) -> None:
        self._terminal.submit(event)

    def show_frame(self, image: NDArray[np.uint8]) -> None:
        page = self._stack.currentWidget()
        if isinstance(page, FaceMatchPage):
            page.preview.show_frame(image)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A key pad on a cable works like the one on the screen."""
        if self._shown.screen != "PIN_ENTRY" or event.isAutoRepeat():
            super().keyPressEvent(event)
            return
        key, text = event.key(), event.text()
        if len(text) == 1 and text in "0123456789":
            self._send(flow.PinDigit(int(text)))
        elif key == Qt.Key.Key_Backspace:
            self._send(flow.PinBackspace())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._send(flow.PinSubmit())
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the subscriptions; no frame is kept."""
        self._bridge.close()
        while self._unsubscribe:
            self._unsubscribe.pop()()
        super().closeEvent(event)
