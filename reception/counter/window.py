"""The counter's window: where the visit stands, what failed and what staff can do, whom it is about."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from reception.counter import BenchLike, ShowsClips, wording
from reception.counter.match_code import MatchCodeRow
from reception.failures import FAILURES, FailureCode
from reception.notices import NOTICES, Notice
from reception.screens import OfficeLike, TerminalLike, tokens
from reception.screens.bridge import Bridge
from reception.screens.widgets import BigButton, Panel, Text
from reception.screens.wording import STEP_NUMBERS, STEPS, WITHOUT_STAFF, lines
from reception.snapshot import CounterView, Health, Snapshot

_log = logging.getLogger("reception.counter")

LINE_LENGTH = 38
NOTICE_LENGTH = 32
"""Characters on a line of a panel."""


class HealthRow(QWidget):
    """One field for each part of the terminal, with sign and word."""

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._fields: dict[str, tuple[QFrame, Text]] = {}
        for part, name in wording.PARTS.items():
            frame, word = QFrame(), Text("strong")
            word.setObjectName(f"health_{part}")
            column = QVBoxLayout(frame)
            column.setContentsMargins(12, 8, 12, 8)
            column.addWidget(Text("caption", name))
            column.addWidget(word)
            row.addWidget(frame, 1)
            self._fields[part] = frame, word

    def show_health(self, health: Health) -> None:
        """Show how each part is."""
        for part, (frame, word) in self._fields.items():
            state = str(getattr(health, part))
            word.setText(wording.HEALTH[state])
            if frame.property("tone") != wording.TONES[state]:
                frame.setProperty("tone", wording.TONES[state])
                for widget in (frame, word):
                    widget.style().unpolish(widget)
                    widget.style().polish(widget)


class PatientCard(QFrame):
    """The personal part of the visit: for staff's eyes, only in memory, gone with the visit."""

    FIELDS = (
        "氏名",
        "フリガナ",
        "生年月日",
        "保険者番号",
        "記号・番号",
        "負担割合",
        "限度額区分",
        "同意の内容",
    )

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("tone", "plain")
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 12, 16, 12)
        grid.setColumnStretch(1, 1)
        self._values: dict[str, Text] = {}
        for row, name in enumerate(self.FIELDS):
            value = Text("body", centred=False)
            value.setObjectName(f"patient_{row}")
            title = Text("caption", name, centred=False)
            title.setAlignment(Qt.AlignmentFlag.AlignTop)
            grid.addWidget(title, row, 0)
            grid.addWidget(value, row, 1)
            self._values[name] = value
        self.show_view(None)

    def show_view(self, view: CounterView | None) -> None:
        """Show whom the visit is about; None: nobody."""
        words = ["-"] * len(self.FIELDS)
        if view is not None:
            born = view.birth_date
            answers = [f"{wording.ITEMS[item]}: {wording.ANSWERS[answer]}" for item, answer in view.answers]
            words = [
                view.name,
                view.name_kana,
                f"{born.year}年{born.month}月{born.day}日",
                view.insurer_number,
                " ".join(filter(None, (view.symbol, view.number, view.branch and f"枝番 {view.branch}"))),
                f"{view.share} %",
                view.limit_category or "-",
                "\n".join(answers) or "まだありません",
            ]
        for name, word in zip(self.FIELDS, words, strict=True):
            self._values[name].setText(word)


class SimulationBar(QFrame):
    """Plays the patient's hands on a simulated bench: chooses a person, inserts and pulls the card."""

    def __init__(self, bench: BenchLike) -> None:
        super().__init__()
        # One thread: a card takes a moment to make, and what was clicked later happens later.
        self._hands = ThreadPoolExecutor(1, "bench-hands")
        self.setProperty("tone", "warning")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(12)
        row.addWidget(Text("strong", "模擬", centred=False))
        self.people = QComboBox()
        self.people.setObjectName("person")
        self.people.setAccessibleName("患者")
        self.people.addItems(bench.people())
        row.addWidget(self.people, 1)
        row.addWidget(self._button("insert_card", "カードを入れる", lambda: bench.insert(self._person())))
        row.addWidget(self._button("pull_card", "カードを抜く", bench.remove))
        if isinstance(bench, ShowsClips):
            show = bench.show
            row.addWidget(self._button("show_person", "この人をカメラに写す", lambda: show(self._person())))

    def _person(self) -> str:
        return self.people.currentText()

    def _button(self, name: str, label: str, action: Callable[[], None]) -> QPushButton:
        button = QPushButton(label)
        button.setObjectName(name)
        button.setAccessibleName(label)
        button.setProperty("kind", "outline")
        button.clicked.connect(lambda: self._hands.submit(_logged, action))
        return button

    def stop(self) -> None:
        """Wait for what is being done; what was only asked for is dropped."""
        self._hands.shutdown(cancel_futures=True)


def _logged(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception as error:
        # The bench is a tool for trying things out: its trouble is told, and the terminal goes on.
        _log.warning("simulated bench: %s", error)


class NoticePanel(QWidget):
    """The oldest notice that staff have not put away, and how many more there are."""

    def __init__(self, dismiss: Callable[[Notice], None]) -> None:
        super().__init__()
        self._dismiss = dismiss
        self._notices: tuple[Notice, ...] = ()
        self._panel = Panel("warning")
        self._seen = BigButton("dismiss_notice", "確認しました", "quiet", 44)
        self._seen.setFixedWidth(180)
        self._seen.clicked.connect(self._put_away)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._panel, 1)
        row.addWidget(self._seen)
        self.show_notices(())

    def show_notices(self, notices: tuple[Notice, ...]) -> None:
        """Show the first of them."""
        self._notices = notices
        self.setVisible(bool(notices))
        if not notices:
            return
        notice, words = notices[0], NOTICES[notices[0].code]
        more = f" (ほか {len(notices) - 1} 件)" if len(notices) > 1 else ""
        text = "\n".join(
            filter(None, (lines(words.remedy, NOTICE_LENGTH), lines(notice.detail[:80], NOTICE_LENGTH)))
        )
        self._panel.show_message(f"{lines(f'{notice.at:%H:%M} {words.what}', NOTICE_LENGTH)}{more}", text)

    def _put_away(self) -> None:
        if self._notices:
            self._dismiss(self._notices[0])


class CounterWindow(QWidget):
    """Shows the live visit to staff; with a simulated bench, also steers it."""

    def __init__(
        self, terminal: TerminalLike, bench: BenchLike | None = None, office: OfficeLike | None = None
    ) -> None:
        super().__init__()
        self.setObjectName("counter_window")
        self.setWindowTitle("受付の窓口")
        self.setStyleSheet(tokens.style_sheet() + tokens.COUNTER_SIZES)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._state = Text("heading", centred=False)
        self._state.setObjectName("state")
        self._step = Text("body", centred=False)
        self._step.setObjectName("step")
        self._badge = Text("badge", "模擬")
        self._badge.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._failure = Panel("error")
        self._failure.setObjectName("failure")
        self._done = Panel("success")
        self._patient = PatientCard()
        self._health = HealthRow()
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(12)
        top = QHBoxLayout()
        top.addWidget(self._state, 1)
        top.addWidget(self._badge)
        column.addLayout(top)
        column.addWidget(self._step)
        self._notices = NoticePanel(office.dismiss if office is not None else lambda notice: None)
        column.addWidget(self._notices)
        column.addWidget(self._failure)
        column.addWidget(self._done)
        column.addWidget(self._patient)
        self._match_code = MatchCodeRow(terminal.submit)
        column.addWidget(self._match_code)
        column.addStretch(1)
        column.addWidget(self._health)
        self._bar = SimulationBar(bench) if bench is not None else None
        if self._bar is not None:
            column.addWidget(self._bar)
        self.resize(900, 900)
        self.render_snapshot(Snapshot())
        self._bridge = Bridge(self)
        self._bridge.snapshot.connect(self.render_snapshot)
        self._bridge.counter.connect(self._patient.show_view)
        self._unsubscribe = [
            terminal.subscribe(self._bridge.take_snapshot),
            terminal.subscribe_counter(self._bridge.take_counter),
        ]
        if office is not None:
            self._bridge.notices.connect(self._notices.show_notices)
            self._unsubscribe.append(office.subscribe(self._bridge.take_notices))

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
        self._health.show_health(snapshot.health)
        self._badge.setVisible(snapshot.simulated)

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

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the subscriptions and forget the patient."""
        self._bridge.close()
        while self._unsubscribe:
            self._unsubscribe.pop()()
        self._patient.show_view(None)
        if self._bar is not None:
            self._bar.stop()
        super().closeEvent(event)
