"""What stands around every page, in the same place on every screen: look, steps, time that is left, ways out."""

from collections.abc import Callable

from PySide6.QtCore import QRect
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QStackedWidget, QWidget

from reception import flow
from reception.flow.failures import FailureCode
from reception.patient.look import LanguageChooser, LookRow, chosen
from reception.patient.pages import FaceMatchPage, Page, page_for
from reception.patient.tokens import Look
from reception.patient.widgets import Painted, StepBar, TouchButton, Words
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording
from reception.texts.wording import STEP_NUMBERS

Send = Callable[[flow.Event], None]

_NO_WAY_OUT = {"WAITING", "SENDING", "TAKE_CARD", "COMPLETE", "OUT_OF_SERVICE", "DESK_CLOSED"}
"""Where the flow takes neither Cancel nor CallStaff: no visit, or consents already on their way."""
STEPS_BESIDE_TIME = 0.32
"""Share of the top row that the steps keep while time runs out."""


class TimeLeft(QFrame, Painted):
    """How long the wait still lasts, and the one touch that extends it."""

    def __init__(self, t: Catalogue, more: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName("time_left")
        self.seconds = Words("time", centred=False)
        self.more = TouchButton("more_time", t(N_("時間をのばす")), "outline", "secondary", "clock")
        self.more.clicked.connect(more)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.seconds, 5)
        row.addWidget(self.more, 4)
        self.hide()

    def show_text(self, text: str) -> None:
        """Show how long, or be gone."""
        self.seconds.setText(text)
        self.setVisible(bool(text))


class WaysOut(QWidget):
    """Back to the start, and somebody to help."""

    def __init__(self, t: Catalogue, send: Send) -> None:
        super().__init__()
        self.cancel = TouchButton("cancel", t(N_("はじめにもどる")), "quiet", "secondary", "start")
        self.cancel.clicked.connect(lambda: send(flow.Cancel()))
        self.call = TouchButton("call_staff", t(N_("係の人を呼ぶ")), "quiet", "secondary", "staff")
        self.call.clicked.connect(lambda: send(flow.CallStaff()))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        for button in (self.cancel, self.call):
            policy = button.sizePolicy()
            # The one that is there stays where it always is.
            policy.setRetainSizeWhenHidden(True)
            button.setSizePolicy(policy)
            row.addWidget(button, 1)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Offer what the flow takes now."""
        in_visit = snapshot.screen not in _NO_WAY_OUT
        self.cancel.setVisible(in_visit and snapshot.screen not in ("CALL_STAFF", "HELP"))
        self.call.setVisible(in_visit and snapshot.failure is not FailureCode.STAFF_CALLED)


class Frame(QWidget, Painted):
    """Everything that the window shows, in one language; lies the way its look says."""

    def __init__(self, t: Catalogue, send: Send, change_sound: Callable[[], None]) -> None:
        super().__init__()
        self._t, self._send = t, send
        self._top = QRect()
        self._look_row = LookRow(
            t, self._choose_language, lambda mode: send(flow.ChooseDisplay(mode)), change_sound
        )
        self.show_sound = self._look_row.show_sound
        self._steps = StepBar(t)
        self._badge = QLabel(t(N_("模擬")))
        self._badge.setProperty("kind", "badge")
        self._badge.setAccessibleName(self._badge.text())
        self._time = TimeLeft(t, lambda: send(flow.MoreTime()))
        self._ways = WaysOut(t, send)
        self._stack = QStackedWidget()
        self._pages: dict[str, Page] = {}
        for part in (self._steps, self._badge, self._time, self._stack, self._ways, self._look_row):
            part.setParent(self)
        self.languages = LanguageChooser(self, lambda language: send(chosen(language)))

    def show_snapshot(self, snapshot: Snapshot, *, anew: bool) -> None:
        """Show the snapshot; ``anew``: something else is asked than before."""
        page = self._page(snapshot.screen)
        page.show_snapshot(snapshot)
        page.place()
        if self._stack.currentWidget() is not page:
            self._stack.setCurrentWidget(page)
        if anew:
            self.languages.hide()
        face = self._pages.get("FACE_MATCH")
        if snapshot.screen != "FACE_MATCH" and isinstance(face, FaceMatchPage):
            face.preview.forget()
        self._steps.show_step(STEP_NUMBERS.get(snapshot.step, 0), all_done=snapshot.completed)
        self._ways.show_snapshot(snapshot)
        self._look_row.show_mode(snapshot.display_mode)
        text = wording.time_left(snapshot, self._t)
        moved = bool(text) == self._time.isHidden() or snapshot.simulated == self._badge.isHidden()
        self._time.show_text(text)
        self._badge.setVisible(snapshot.simulated)
        if moved:
            self._place_top()

    def _page(self, screen: str) -> Page:
        """Return the page of this screen; it is made when it is first shown: a new language costs one page, not all."""
        if screen not in self._pages:
            page = self._pages[screen] = page_for(screen, self._send, self._t)
            self._stack.addWidget(page)
            for widget in (page, *page.findChildren(QWidget)):
                if isinstance(widget, Painted) and widget.look != self.look:
                    widget.apply_theme(self.look)
        return self._pages[screen]

    @property
    def page(self) -> Page:
        """The page that is shown."""
        page = self._stack.currentWidget()
        assert isinstance(page, Page)
        return page

    def apply_theme(self, look: Look) -> None:
        """Lie another way, or be read from further away."""
        super().apply_theme(look)
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        sizes = self.look.sizes
        left, width, high = sizes.margin, self.width() - 2 * sizes.margin, sizes.secondary
        edge = 16 if sizes.portrait else 10
        top = edge + high + 12 if sizes.portrait else edge
        bottom = self.height() - edge - high
        if sizes.portrait:
            self._look_row.setGeometry(left, edge, width, high)
            self._ways.setGeometry(left, bottom, width, high)
        else:
            ways = round(width * 0.4)
            self._ways.setGeometry(left, bottom, ways - 10, high)
            self._look_row.setGeometry(left + ways, bottom, width - ways, high)
        page_top = top + sizes.top + (16 if sizes.portrait else 8)
        self._stack.setGeometry(left, page_top, width, bottom - page_top - (20 if sizes.portrait else 8))
        self.languages.setGeometry(self._stack.geometry())
        self._top = QRect(left, top, width, sizes.top)
        self._place_top()

    def _place_top(self) -> None:
        """Share the row between steps, time and the sign of a simulation."""
        row = self._top
        badge = 0
        if not self._badge.isHidden():
            size = self._badge.sizeHint()
            self._badge.setGeometry(row.right() + 1 - size.width(), row.top(), size.width(), size.height())
            badge = size.width() + 10
        width = row.width() - badge
        steps = width if self._time.isHidden() else round(width * STEPS_BESIDE_TIME)
        self._steps.setGeometry(row.left(), row.top(), steps, row.height())
        self._time.setGeometry(row.left() + steps + 12, row.top(), width - steps - 12, row.height())

    def _choose_language(self) -> None:
        self.languages.open(self._t)

    def note_place(self, height_at: Callable[[int], int]) -> QRect:
        """Return where a text lies that covers no button: over the steps, or over the texts of the page."""
        row, page = self._top, self._stack.geometry()
        high = height_at(row.width())
        if self._time.isHidden() and high <= row.height():
            return QRect(row.left(), row.top(), row.width(), row.height())
        width = page.width() if self.look.sizes.portrait else round(page.width() * 0.58)
        return QRect(page.left(), page.top(), width, height_at(width))
