"""The counter's window: the live visit, today's visits, the day at a glance, and help for the patient from afar."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QInputEvent, QInputMethodEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QSizePolicy, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from config.limits import Limits
from consent.eligibility import EligibilityError, Refused
from consent.wire import japan_now
from reception.counter import BenchLike, CounterOffice, CounterTerminal, HasHands, style
from reception.counter.banner import Banner
from reception.counter.board import Board
from reception.counter.figures import DayPanel
from reception.counter.live import LivePanel
from reception.counter.money import limit_words
from reception.counter.panels import HealthRow, NoticePanel, PatientCard
from reception.counter.simulation import Hands, SimulationBar, SimulationPanel
from reception.counter.style import Group, Text, button, scrolled
from reception.counter.today import TodayPanel
from reception.counter.visual import PasswordRow
from reception.patient.bridge import Bridge
from reception.terminal.back_office import Today
from reception.terminal.journal import JournalError
from reception.terminal.snapshot import CounterView, Snapshot, VisualView
from reception.terminal.staff import StaffAnswer, Verdict

_log = logging.getLogger("reception.counter")

REFRESH_MS = 5_000
"""How often the clock is looked at, and the list read anew, beside whenever a visit changes."""
WIDTH, HEIGHT, TITLE_BAR = 1000, 860, 60
"""px at the start, where the display has room for them and a title bar; staff may choose another size."""
LOCK_WIDTH = 460


class CounterWindow(QWidget):
    """Shows the live visit to staff; with a simulated bench, also steers it.

    ``limits`` are the amounts of the limit categories; ``sound`` tells how the voice is ("ok", "down", "none"); ``now``
    is of any steady clock, ``today`` the day in Japan.
    """

    _today_came = Signal(object)
    _visual_came = Signal(object)
    digit_refused = Signal()
    """A digit came while the patient types a PIN, and was taken by nobody."""
    _unlocked = Signal(object)

    def __init__(
        self,
        terminal: CounterTerminal,
        bench: BenchLike | None = None,
        office: CounterOffice | None = None,
        *,
        hide_after_s: float = 1800.0,
        limits: Limits | None = None,
        sound: Callable[[], str] = lambda: "none",
        now: Callable[[], float] = time.monotonic,
        today: Callable[[], date] = lambda: japan_now().date(),
    ) -> None:
        super().__init__()
        self.setObjectName("counter_window")
        self.setWindowTitle("受付の窓口")
        self.setStyleSheet(style.style_sheet())
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._terminal, self._office = terminal, office
        self._hide_after_s, self._now, self._today, self._sound = hide_after_s, now, today, sound
        self._limits = limits or Limits()
        self._used_at = now()
        self.locked = False
        self._snapshot = Snapshot()
        self._shown: tuple[str, str] = ("", "")
        self._view: CounterView | None = None
        self._photo: VisualView | None = None
        self._board = Board(hide_after_s)
        self._work = ThreadPoolExecutor(1, "counter")
        self._hands = Hands() if bench is not None else None
        self._make_parts(bench)
        self._lay_out()
        self.resize(WIDTH, min(HEIGHT, QApplication.primaryScreen().availableGeometry().height() - TITLE_BAR))
        self._tabs.tabBar().setFocus()
        # Before anything is asked for: an answer that nobody listens to yet would be lost.
        self._follow(terminal, office)
        self.render_snapshot(self._snapshot)
        self._add_keys()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look_at_the_clock)
        self._timer.start(REFRESH_MS)
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]

    # --- Parts --------------------------------------------------------------------------------------------------

    def _make_parts(self, bench: BenchLike | None) -> None:
        terminal, office = self._terminal, self._office
        self._badge = Text("badge", "模擬", wraps=False)
        self._badge.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._lock_button = button("lock", "ロック", key="Ctrl+L")
        self._lock_button.clicked.connect(self.lock)
        self._banner = Banner([self._badge, self._lock_button], self._now)
        self._notices = NoticePanel(office.dismiss if office is not None else lambda notice: None)
        nobody = "本人確認と資格の確認が済むと、ここに氏名などを表示します。"
        self.live = LivePanel(terminal, PatientCard(self._amount, self._today, "patient", nobody))
        card = PatientCard(self._amount, self._today, "visit", "")
        self.today = TodayPanel(self._board, self._register if office is not None else None, card)
        self.day = DayPanel()
        self._health = HealthRow()
        self._bar = self._simulation = None
        if bench is not None and self._hands is not None:
            self._bar = SimulationBar(bench, self._hands)
            if isinstance(bench, HasHands):
                self._simulation = SimulationPanel(bench, self._hands, self._bar.person)

    def _lay_out(self) -> None:
        self._tabs = QTabWidget()
        self._tabs.setObjectName("tabs")
        pages: list[tuple[QWidget, str]] = [
            (self.live, "受付の様子"),
            (self.today, "本日の受付"),
            (self.day, "今日のまとめ"),
        ]
        if self._simulation is not None:
            pages.append((self._simulation, "模擬の操作"))
        for number, (page, title) in enumerate(pages, 1):
            self._tabs.addTab(scrolled(page), f"{title}  Ctrl+{number}")
        self._pages = QStackedWidget()
        self._pages.addWidget(self._tabs)
        self._pages.addWidget(self._locked_page())
        whole = QVBoxLayout(self)
        whole.setContentsMargins(12, 10, 12, 10)
        whole.setSpacing(8)
        whole.addWidget(self._banner)
        whole.addWidget(self._notices)
        whole.addWidget(self._pages, 1)
        whole.addWidget(self._health)
        if self._bar is not None:
            whole.addWidget(self._bar)

    def _locked_page(self) -> QWidget:
        self._unlock = PasswordRow("unlock", "ロックを解除", self._terminal.staff_ids)
        self._open = button("open", "表示を再開", "fill", "F5")
        self._open.clicked.connect(self._unlock_without_password)
        group = Group("plain", "画面をロックしています")
        group.setFixedWidth(LOCK_WIDTH)
        text = Text("body", "氏名などは表示しません。患者の受付は続けられます。")
        for part in (text, self._unlock, self._open):
            group.column.addWidget(part)
        locked = QWidget()
        inside = QVBoxLayout(locked)
        inside.addStretch(1)
        inside.addWidget(group, 0, Qt.AlignmentFlag.AlignHCenter)
        inside.addStretch(2)
        return locked

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
        keys: list[tuple[str, Callable[[], None]]] = [("Ctrl+F", self._search)]
        for number in range(self._tabs.count()):
            keys.append((f"Ctrl+{number + 1}", lambda at=number: self._tabs.setCurrentIndex(at)))  # type: ignore[misc]
        for key, action in keys:
            QShortcut(QKeySequence(key), self).activated.connect(action)

    def _search(self) -> None:
        self._tabs.setCurrentIndex(1)
        self.today.search.setFocus()
        self.today.search.selectAll()

    # --- What is shown ------------------------------------------------------------------------------------------

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Show the snapshot; call in the thread of the windows."""
        self._snapshot = snapshot
        sound = self._sound()
        self._banner.render_snapshot(snapshot, sound)
        self.live.render_snapshot(snapshot)
        self._health.show_health(snapshot.health, sound)
        self._badge.setVisible(snapshot.simulated)
        if (snapshot.visit, snapshot.state) != self._shown:
            self._shown = snapshot.visit, snapshot.state
            self.load_today()

    def _amount(self, category: str, birth_date: date) -> str:
        return limit_words(category, self._limits, self._today(), birth_date)

    def _show_whom(self, view: CounterView | None) -> None:
        self._view = view
        if view is not None:
            self._board.remember(view, self._now())
        if not self.locked:
            self.live.patient.show_view(view)
            self.today.refresh()

    def _show_visual(self, view: VisualView | None) -> None:
        # The terminal wipes the picture when the check is over, and says so.
        self._photo = view
        self.live.visual.show_view(None if self.locked else view)

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
            if self._view is not None and self._board.whom(self._view.visit) is None:
                self._view = None
                self.live.patient.show_view(None)
            self.today.refresh()
        if not self.locked and self._now() - self._used_at >= self._hide_after_s:
            self.lock()
        self._banner.render_snapshot(self._snapshot, self._sound())
        self._health.show_health(self._snapshot.health, self._sound())
        self.load_today()

    def lock(self) -> None:
        """Show nothing personal, in no widget, until staff unlock; what is due is forgotten meanwhile."""
        self.locked = self._board.hidden = True
        self.live.patient.show_view(None)
        self.live.visual.show_view(None)
        self.today.search.clear()
        self.today.refresh()
        self._unlock.fresh()
        self._unlock.ask_with(self._verify)
        with_password = bool(self._terminal.staff_ids())
        self._unlock.setVisible(with_password)
        self._open.setVisible(not with_password)
        self._lock_button.hide()
        self._pages.setCurrentIndex(1)
        (self._unlock.password if with_password else self._open).setFocus()

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
        self.locked = self._board.hidden = False
        self._used_at = self._now()
        self._lock_button.show()
        self._pages.setCurrentIndex(0)
        self._show_whom(self._view)
        self.live.visual.show_view(self._photo)
        self.load_today()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 Qt's name
        # Asked for each event of the whole program: its class costs a tenth of its type.
        if not isinstance(event, QInputEvent | QInputMethodEvent):
            return False
        if not (isinstance(watched, QWidget) and watched.window() is self):
            return False
        if event.type() in (QEvent.Type.KeyPress, QEvent.Type.MouseButtonPress):
            self._used_at = self._now()
        # The patient's ten-key types into whichever window has the keyboard.
        if self._snapshot.screen in _PIN_PAGES and any(each in _DIGITS for each in _typed(event)):
            self.digit_refused.emit()
            return True
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
        self._view = self._photo = None
        self.live.patient.show_view(None)
        self.live.visual.show_view(None)
        self.today.refresh()
        self._work.shutdown(cancel_futures=True)
        if self._hands is not None:
            self._hands.stop()
        super().closeEvent(event)


def _typed(event: QEvent) -> str:
    """Return the characters that an event brings."""
    match event:
        case QKeyEvent() if event.type() == QEvent.Type.KeyPress:
            return event.text()
        case QInputMethodEvent():
            return event.commitString() + event.preeditString()
    return ""


_PIN_PAGES = ("PIN_ENTRY", "LAST_TRY")
_DIGITS = "0123456789０１２３４５６７８９"


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
