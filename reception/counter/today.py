"""Today's visits at the counter: a list to search, whom a visit was about, and the facility's chart number."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from consent.choices import ConsentAnswer
from reception.counter import wording
from reception.counter.board import Board, Row, began, outcome_words, problems
from reception.counter.panels import PatientCard
from reception.counter.style import Group, Text, button
from reception.counter.table import Words, table
from reception.terminal.journal import Entry
from reception.terminal.snapshot import CounterView

TITLES = ("時刻", "結果", "本人確認", "氏名", "診察券番号", "負担", "限度額", "同意", "注意")
_OUTCOME_COLUMN, _PROBLEM_COLUMN = 1, 8

Register = Callable[[CounterView, str, Callable[[str], None]], None]
"""Has a chart number registered for a visit's person and calls back with words; empty: it is done."""


class TodayPanel(QWidget):
    """The list, and below it whom the chosen visit is about, in ``card``."""

    registered = Signal(str, str, str)
    """Visit, chart number, and what was answered."""

    def __init__(self, board: Board, register: Register | None, card: PatientCard) -> None:
        super().__init__()
        self._board, self._register, self._card = board, register, card
        self._entries: tuple[Entry, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._asked_twice = ("", "")
        self.search = QLineEdit()
        self.search.setObjectName("search")
        self.search.setAccessibleName("本日の受付をさがす")
        self.search.setPlaceholderText("氏名、フリガナ、診察券番号、時刻、結果などでさがす (Ctrl+F)")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.refresh)
        self._found = Text("caption", name="found", wraps=False)
        self._words = Words(TITLES)
        self.table = table("today", "本日の受付", self._words, _OUTCOME_COLUMN, _PROBLEM_COLUMN)
        self.table.setMinimumHeight(130)
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._show_chosen())
        self.chart = QLineEdit()
        self.chart.setObjectName("chart_number")
        self.chart.setAccessibleName("診察券番号")
        self.chart.setPlaceholderText("選んだ方の診察券番号")
        self.chart.setMaxLength(50)
        self._enter = button("register_chart", "診察券番号を登録", "outline", "F3")
        self._enter.clicked.connect(self._register_chart)
        self.chart.returnPressed.connect(self._register_chart)
        self._note = Text("strong", name="chart_note")
        self.registered.connect(self._was_registered, Qt.ConnectionType.QueuedConnection)
        self._lay_out()
        self.refresh()

    def _lay_out(self) -> None:
        above = QHBoxLayout()
        above.addWidget(self.search, 1)
        above.addWidget(self._found)
        below = QHBoxLayout()
        below.addWidget(self.chart, 1)
        below.addWidget(self._enter)
        self._chart_row = Group()
        self._chart_row.column.addLayout(below)
        self._chart_row.column.addWidget(self._note)
        self._chart_row.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(6)
        column.addLayout(above)
        column.addWidget(self.table, 1)
        column.addWidget(self._card)
        column.addWidget(self._chart_row)

    def show_entries(self, entries: tuple[Entry, ...]) -> None:
        """Show other visits; the chosen one stays chosen."""
        self._entries = entries
        self.refresh()

    def refresh(self) -> None:
        """Show the visits that the search finds; one is chosen by itself only when it is the only one."""
        chosen = self._chosen()
        self._rows = self._board.rows(self._entries, self.search.text())
        self._words.show_rows([_cells(row) for row in self._rows])
        self._found.setText(f"{len(self._rows)} 件")
        visits = [row.entry.visit for row in self._rows]
        if chosen is not None and chosen.entry.visit in visits:
            self.table.selectRow(visits.index(chosen.entry.visit))
        elif len(self._rows) == 1 and self.search.text():
            self.table.selectRow(0)
        self._show_chosen()

    def _chosen(self) -> Row | None:
        at = self.table.currentIndex().row()
        return self._rows[at] if 0 <= at < len(self._rows) else None

    def _show_chosen(self) -> None:
        row = self._chosen()
        view = row.view if row is not None else None
        self._card.show_view(view, _note(row, len(self._rows)))
        self._say("")
        self._chart_row.setVisible(view is not None and self._register is not None)
        number = view.reference_number if view is not None else ""
        if (self.chart.property("visit"), self.chart.property("known")) != (view and view.visit, number):
            # Not while staff type: news of other visits come at any time.
            self.chart.setText(number)
            self.chart.setProperty("visit", view and view.visit)
            self.chart.setProperty("known", number)

    def _say(self, note: str) -> None:
        self._note.show_text(note)

    def _register_chart(self) -> None:
        row, number = self._chosen(), self.chart.text().strip()
        if row is None or row.view is None or self._register is None or not number:
            return
        visit = row.entry.visit
        others = self._board.namesakes(row.view, number)
        if others and self._asked_twice != (visit, number):
            self._asked_twice = visit, number
            named = "、".join(
                f"{one.name} ({one.birth_date.year}年{one.birth_date.month}月{one.birth_date.day}日生)"
                for one in others
            )
            self._say(
                f"! {number} は、本日の {named} の番号です。それでも登録するときは、もう一度押してください。"
            )
            return
        self._asked_twice = "", ""
        self._say("登録しています…")
        self._register(row.view, number, lambda answer: self.registered.emit(visit, number, answer))

    def _was_registered(self, visit: str, number: str, answer: str) -> None:
        if not answer:
            self._board.registered(visit, number)
            self.refresh()
        self._say(answer or f"✓ 診察券番号 {number} を登録しました。")


def _cells(row: Row) -> tuple[str, ...]:
    entry, view = row.entry, row.view
    facts = (began(entry), outcome_words(entry.outcome), wording.IDENTITY.get(entry.identity, "-"))
    if view is None:
        return (*facts, "-", "-", "-", "-", "-", "")
    share = "-" if view.share is None else f"{view.share} %"
    given = sum(answer == ConsentAnswer.GIVEN for _, answer in view.answers)
    agreed = f"提供 {given}/{len(view.answers)}" if view.answers else "-"
    found = problems(view)
    noted = f"! {found[0].what}" if found else ""
    noted += f" ほか {len(found) - 1} 件" if len(found) > 1 else ""
    return (*facts, view.name, view.reference_number or "-", share, view.limit_category or "-", agreed, noted)


def _note(row: Row | None, found: int) -> str:
    """Say what is chosen, where no person can be shown."""
    if row is None:
        return "受付を選んでください (↑ ↓)。" if found else "受付はありません。"
    if row.view is None:
        return f"{began(row.entry)} {outcome_words(row.entry.outcome)}\n氏名などは、もう表示できません。"
    return ""
