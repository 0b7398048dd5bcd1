"""The counter's window: the live visit, today's visits, the day at a glance, and help for the patient from afar."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QSizePolicy,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from consent.eligibility import EligibilityError, Refused
from reception.back_office import Today
from reception.counter import BenchLike, CounterOffice, CounterTerminal, HasHands, wording
from reception.counter.assist import HelpPanel
from reception.counter.board import Board
from reception.counter.figures import DayPanel
from reception.counter.match_code import MatchCodeRow
from reception.counter.panels import HealthRow, NoticePanel, PatientCard
from reception.counter.simulation import Hands, SimulationBar, SimulationPanel
from reception.counter.today import TodayPanel
from reception.counter.visual import PasswordRow, VisualPanel, VisualStart
from reception.failures import FAILURES, FailureCode
from reception.journal import JournalError
from reception.screens import tokens
from reception.screens.bridge import Bridge
from reception.screens.widgets import BigButton, Panel, Text
from reception.snapshot import CounterView, Snapshot, VisualView
from reception.staff import StaffAnswer, Verdict
from reception.texts.wording import STEP_NUMBERS, STEPS, WITHOUT_STAFF, lines

_log = logging.getLogger("reception.counter")

LINE_LENGTH = 38
"""Characters on a line of a panel."""
REFRESH_MS = 15_000
"""How often the list is read anew, beside whenever a visit changes."""


class CounterWindow(QWidget):
    """Shows the live visit to staff; with a simulated bench, also steers it."""

    _today_came = Signal(object)
    _visual_came = Signal(object)
    _unlocked = Signal(object)

    def __init__(
        self,
        terminal: CounterTerminal,
        bench: BenchLike | None = None,
        office: CounterOffice | None = None,
        *,
        hide_after_s: float = 1800.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.setObjectName("counter_window")
        self.setWindowTitle("受付の窓口")
        self.setStyleSheet(tokens.style_sheet() + tokens.COUNTER_SIZES)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._terminal, self._office = terminal, office
        self._hide_after_s, self._now = hide_after_s, now
        self._used_at = now()
        self.locked = False
        self._shown: tuple[str, str] = ("", "")
        self._view: CounterView | None = None
        self._board = Board(hide_after_s)
        self._work = ThreadPoolExecutor(1, "counter")
        self._hands = Hands() if bench is not None else None
        self._make_parts(bench)
        self._lay_out()
        self.resize(1000, 940)
        self._tabs.tabBar().setFocus()
        # Before anything is asked for: an answer that nobody listens to yet would be lost.
        self._follow(terminal, office)
        self.render_snapshot(Snapshot())
        self._add_keys()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look_at_the_clock)
        self._timer.start(REFRESH_MS)
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]

    # --- Parts --------------------------------------------------------------------------------------------------

    def _make_parts(self, bench: BenchLike | None) -> None:
        terminal, office = self._terminal, self._office
        self._state = Text("heading", centred=False)
        self._state.setObjectName("state")
        self._step = Text("body", centred=False)
        self._step.setObjectName("step")
        self._badge = Text("badge", "模擬")
        self._badge.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._lock_button = BigButton("lock", "ロック (Ctrl+L)", "quiet", 44)
        self._lock_button.setFixedWidth(170)
        self._lock_button.clicked.connect(self.lock)
        self._notices = NoticePanel(office.dismiss if office is not None else lambda notice: None)
        self._failure = Panel("error")
        self._failure.setObjectName("failure")
        self._done = Panel("success")
        self._patient = PatientCard()
        self._visual = VisualPanel(terminal)
        self._visual_start = VisualStart(terminal)
        self._help = HelpPanel(terminal)
        self._match_code = MatchCodeRow(terminal.submit)
        self.today = TodayPanel(self._board, self._register if office is not None else None)
        self.day = DayPanel()
        self._health = HealthRow()
        self._bar = self._simulation = None
        if bench is not None and self._hands is not None:
            self._bar = SimulationBar(bench, self._hands)
            if isinstance(bench, HasHands):
                self._simulation = SimulationPanel(bench, self._hands, self._bar.person)

    def _lay_out(self) -> None:
        live = QWidget()
        column = QVBoxLayout(live)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(10)
        for part in (self._step, self._failure, self._done, self._patient, self._visual, self._match_code):
            column.addWidget(part)
        column.addStretch(1)
        column.addWidget(self._visual_start)
        column.addWidget(self._help)
        self._tabs = QTabWidget()
        self._tabs.setObjectName("tabs")
        self._tabs.addTab(live, "受付の様子")
        self._tabs.addTab(self.today, "本日の受付")
        self._tabs.addTab(self.day, "今日のまとめ")
        if self._simulation is not None:
            self._tabs.addTab(self._simulation, "模擬の操作")
        self._unlock = PasswordRow("unlock", "ロックを解除", self._terminal.staff_ids)
        self._open = BigButton("open", "表示を再開", "fill", 44)
        self._open.setFixedWidth(240)
        self._open.clicked.connect(self._unlock_without_password)
        locked = QWidget()
        inside = QVBoxLayout(locked)
        inside.addStretch(1)
        inside.addWidget(Text("heading", "画面をロックしています"))
        inside.addWidget(Text("body", "氏名などは表示しません。患者の受付は続けられます。"))
        inside.addWidget(self._unlock)
        inside.addWidget(self._open, 0, Qt.AlignmentFlag.AlignHCenter)
        inside.addStretch(2)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._tabs)
        self._pages.addWidget(locked)
        top = QHBoxLayout()
        top.addWidget(self._state, 1)
        top.addWidget(self._badge)
        top.addWidget(self._lock_button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(20, 16, 20, 16)
        whole.setSpacing(10)
        whole.addLayout(top)
        whole.addWidget(self._notices)
        whole.addWidget(self._pages, 1)
        whole.addWidget(self._health)
        if self._bar is not None:
            whole.addWidget(self._bar)

    def _follow(self, terminal: CounterTerminal, office: CounterOffice | None) -> None:
        queued = Qt.ConnectionType.QueuedConnection
        self._bridge = Bridge(self)
        self._bridge.snapshot.connect(self.render_snapshot)
        self._bridge.counter.connect(self._show_whom)
        self._visual_came.connect(self._show_visual, queued)
        self._today_came.connect(self._show_today, queued)
        self._unlocked.connect(self._told_of_unlock, queued)
        self._unsubscribe = [
            terminal.subscribe(self._bridge.take_snapshot),
            terminal.subscribe_counter(self._bridge.take_counter),
            terminal.subscribe_visual(self._visual_came.emit),
        ]
        if office is not None:
            self._bridge.notices.connect(self._notices.show_notices)
            self._unsubscribe.append(office.subscribe(self._bridge.take_notices))

    def _add_keys(self) -> None:
        keys: list[tuple[str, Callable[[], None]]] = [
            ("Ctrl+L", self.lock),
            ("Ctrl+F", self._search),
            ("F2", self._begin_visual),
        ]
        for number in range(self._tabs.count()):
            keys.append((f"Ctrl+{number + 1}", lambda at=number: self._tabs.setCurrentIndex(at)))  # type: ignore[misc]
        for key, action in keys:
            QShortcut(QKeySequence(key), self).activated.connect(action)

    def _search(self) -> None:
        self._tabs.setCurrentWidget(self.today)
        self.today.search.setFocus()

    def _begin_visual(self) -> None:
        self._tabs.setCurrentIndex(0)
        if not self._visual_start.isHidden():
            self._visual_start.row.password.setFocus()

    # --- What is shown ------------------------------------------------------------------------------------------

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Show the snapshot; call in the thread of the windows."""
        alone = snapshot.screen == "CALL_STAFF" and snapshot.failure in WITHOUT_STAFF
        self._state.setText(wording.STATES["TAKE_CARD" if alone else snapshot.screen])
        self._step.setText("  ".join(filter(None, self._details(snapshot))) or "受付中の方はいません")
        if snapshot.failure:
            failure = FAILURES[FailureCode(snapshot.failure)]
            text = f"{lines(failure.staff, LINE_LENGTH)}\n(患者の画面: {failure.next_step})"
            self._failure.show_message(lines(failure.patient, LINE_LENGTH), text)
        else:
            self._failure.show_message("")
        which = "直前の" if snapshot.screen == "WAITING" else "この"
        self._done.show_message(f"{which}受付は完了しました" if snapshot.completed else "")
        self._match_code.show_snapshot(snapshot)
        self._visual_start.render_snapshot(snapshot)
        self._help.render_snapshot(snapshot)
        comparing = snapshot.state == "VISUAL_CHECK"
        self._visual.setVisible(comparing)
        self._patient.setVisible(not comparing)
        self._health.show_health(snapshot.health)
        self._badge.setVisible(snapshot.simulated)
        if (snapshot.visit, snapshot.state) != self._shown:
            self._shown = snapshot.visit, snapshot.state
            self.load_today()

    @staticmethod
    def _details(snapshot: Snapshot) -> list[str]:
        number = STEP_NUMBERS.get(snapshot.step, 0)
        tries = snapshot.pin_tries_left
        return [
            f"手順 {number}/4 {STEPS[number - 1]}" if number else "",
            f"質問 {snapshot.question_number}/{snapshot.question_count} {wording.ITEMS[snapshot.question]}"
            if snapshot.question
            else "",
            f"本人確認: {wording.IDENTITY[snapshot.identity]}" if snapshot.identity else "",
            f"暗証番号 残り {tries} 回" if tries is not None and number else "",
            "カードが入っています" if snapshot.card_in else "",
        ]

    def _show_whom(self, view: CounterView | None) -> None:
        self._view = view
        if not self.locked:
            self._patient.show_view(view)
            if view is not None:
                self._board.remember(view, self._now())
                self.today.refresh()

    def _show_visual(self, view: VisualView | None) -> None:
        self._visual.show_view(None if self.locked else view)

    def load_today(self) -> None:
        """Have today's visits read; they are shown when they are there."""
        if self._office is not None:
            self._work.submit(_told, self._office.today, self._today_came.emit)

    def _show_today(self, today: Today) -> None:
        if not self.locked:
            self.today.show_entries(today.entries)
            self.day.show_today(today)

    def _register(self, view: CounterView, number: str, told: Callable[[str], None]) -> None:
        assert self._office is not None
        register = self._office.register_reference
        self._work.submit(lambda: told(_registered(register, view, number)))

    # --- Nobody else's business ---------------------------------------------------------------------------------

    def look_at_the_clock(self) -> None:
        """Forget whom it is time to forget; lock when nobody has used the window for long."""
        if self._board.expire(self._now()):
            self.today.refresh()
        if not self.locked and self._now() - self._used_at >= self._hide_after_s:
            self.lock()
        self.load_today()

    def lock(self) -> None:
        """Forget whom the visits were about, and show nothing personal until staff unlock."""
        self.locked = True
        self._board.forget()
        self._patient.show_view(None)
        self._visual.show_view(None)
        self.today.search.clear()
        self.today.refresh()
        self._unlock.fresh()
        self._unlock.ask_with(self._verify)
        with_password = bool(self._terminal.staff_ids())
        self._unlock.setVisible(with_password)
        self._open.setVisible(not with_password)
        self._lock_button.hide()
        self._pages.setCurrentIndex(1)

    def _verify(self, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]) -> None:
        def both(answer: StaffAnswer) -> None:
            told(answer)
            self._unlocked.emit(answer)

        self._terminal.verify_staff(staff, password, both)

    def _told_of_unlock(self, answer: StaffAnswer) -> None:
        if answer.verdict is Verdict.RIGHT:
            self._open_again()

    def _unlock_without_password(self) -> None:
        if not self._terminal.staff_ids():
            self._open_again()

    def _open_again(self) -> None:
        self.locked = False
        self._used_at = self._now()
        self._lock_button.show()
        self._pages.setCurrentIndex(0)
        self._show_whom(self._view)
        self.load_today()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 Qt's name
        if event.type() in (QEvent.Type.KeyPress, QEvent.Type.MouseButtonPress) and (
            isinstance(watched, QWidget) and watched.window() is self
        ):
            self._used_at = self._now()
        return False

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the subscriptions and forget the patient."""
        self._timer.stop()
        application = QApplication.instance()
        if application is not None:
            application.removeEventFilter(self)
        self._bridge.close()
        while self._unsubscribe:
            self._unsubscribe.pop()()
        self._board.forget()
        self._view = None
        self._patient.show_view(None)
        self._visual.show_view(None)
        self.today.refresh()
        self._work.shutdown(cancel_futures=True)
        if self._hands is not None:
            self._hands.stop()
        super().closeEvent(event)


def _told(ask: Callable[[], Today], tell: Callable[[Today], None]) -> None:
    try:
        tell(ask())
    except JournalError as error:
        # The back office tells staff of it; the list keeps what it had.
        _log.info("%s", error)


def _registered(register: Callable[[CounterView, str], None], view: CounterView, number: str) -> str:
    """Register a chart number; return what staff should know, empty when it is done."""
    try:
        register(view, number)
    except ValueError:
        return "診察券番号は、空白のない半角の英数字と記号で、50文字までです。"
    except Refused:
        return "この保険の番号では、お一人に決まらないため登録できません。番号を確認してください。"
    except EligibilityError:
        return "資格確認サーバーに届きません。しばらくしてから、もう一度登録してください。"
    return ""
