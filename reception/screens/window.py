"""The patient's window: step bar, the page of the moment, the ways out."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from reception import flow
from reception.failures import FailureCode
from reception.screens import TerminalLike, tokens
from reception.screens.bridge import Bridge
from reception.screens.look import LanguageChooser, LookRow, chosen
from reception.screens.pages import FaceMatchPage, Page, pages
from reception.screens.widgets import BigButton, StepBar, Words
from reception.snapshot import Snapshot
from reception.texts import N_, catalogue, wording
from reception.texts.wording import STEP_NUMBERS

WIDTH, HEIGHT = tokens.PORTRAIT

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
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._content: QWidget | None = None
        self._build()
        self._languages = LanguageChooser(self, lambda language: self._send(chosen(language)))
        self.render_snapshot(self._shown)
        self.resize(WIDTH, HEIGHT)
        self._bridge = Bridge(self)
        self._bridge.snapshot.connect(self.render_snapshot)
        self._bridge.frame.connect(self.show_frame)
        self._unsubscribe = [
            terminal.subscribe(self._bridge.take_snapshot),
            terminal.subscribe_frames(self._bridge.take_frame),
        ]

    def _build(self) -> None:
        """Make everything that the window shows, in the language of the snapshot."""
        if self._content is not None:
            self._column.removeWidget(self._content)
            self._content.hide()
            self._content.deleteLater()
        self._t = catalogue(self._shown.language)
        self.setStyleSheet(tokens.style_sheet(self._shown.language))
        self._content = QWidget()
        self._look = LookRow(self._t, lambda: self._languages.open(self._t))
        self._steps = StepBar(self._t)
        self._stack = QStackedWidget()
        self._pages: dict[str, Page] = pages(self._send, self._t)
        for page in self._pages.values():
            page.show_snapshot(Snapshot())
            self._stack.addWidget(page)
        # No page may make the window grow beyond the screen of the terminal; a test looks that all of them fit.
        self._stack.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        column = QVBoxLayout(self._content)
        column.setContentsMargins(tokens.MARGIN, 12, tokens.MARGIN, tokens.GAP)
        column.setSpacing(12)
        column.addWidget(self._look)
        column.addWidget(self._steps)
        column.addWidget(self._stack, 1)
        column.addWidget(self._time_row())
        column.addWidget(self._way_out_row())
        self._column.addWidget(self._content)

    def _time_row(self) -> QWidget:
        row = QWidget()
        row.setFixedHeight(72)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        self._seconds = Words("time")
        self._more_time = BigButton("more_time", self._t(N_("時間をのばす")), "outline", 72)
        self._more_time.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
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
        self._cancel = BigButton("cancel", self._t(N_("はじめにもどる")), "quiet", tokens.SECONDARY_HEIGHT)
        self._cancel.clicked.connect(lambda: self._send(flow.Cancel()))
        self._call = BigButton("call_staff", self._t(N_("係の人を呼ぶ")), "quiet", tokens.SECONDARY_HEIGHT)
        self._call.clicked.connect(lambda: self._send(flow.CallStaff()))
        layout.addWidget(self._cancel)
        layout.addWidget(self._call)
        return row

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Show the snapshot; call in the thread of the windows."""
        before, self._shown = self._shown, snapshot
        if snapshot.language != before.language:
            self._build()
        page = self._pages[snapshot.screen]
        page.show_snapshot(snapshot)
        if self._stack.currentWidget() is not page:
            self._stack.setCurrentWidget(page)
        if (before.screen, before.occasion) != (snapshot.screen, snapshot.occasion):
            # Nothing is preselected: the keyboard starts before the first button of whatever is asked now.
            self.setFocus()
            self._languages.hide()
        face = self._pages["FACE_MATCH"]
        if snapshot.screen != "FACE_MATCH" and isinstance(face, FaceMatchPage):
            face.preview.forget()
        self._steps.show_step(STEP_NUMBERS.get(snapshot.step, 0), all_done=snapshot.completed)
        in_visit = snapshot.screen not in _NO_WAY_OUT
        self._cancel.setVisible(in_visit and snapshot.screen not in ("CALL_STAFF", "HELP"))
        self._call.setVisible(in_visit and snapshot.failure != FailureCode.STAFF_CALLED)
        self._seconds.show_text(wording.time_left(snapshot, self._t))
        self._more_time.setVisible(snapshot.seconds_left is not None)
        self._look.badge.setVisible(snapshot.simulated)
        self._languages.setGeometry(self._stack.geometry())

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
