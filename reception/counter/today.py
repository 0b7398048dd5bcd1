"""Today's visits at the counter: a list to search, whom a visit was about, and the facility's chart number."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from reception.counter import wording
from reception.counter.board import Board, Row, began, outcome_words, problems
from reception.counter.table import Words, table
from reception.journal import Entry
from reception.screens.widgets import BigButton, Text
from reception.snapshot import CounterView

TITLES = ("時刻", "結果", "本人確認", "氏名", "診察券番号", "負担", "限度額", "注意")
_OUTCOME_COLUMN = 1


class TodayPanel(QWidget):
    """The list; ``register`` has a chart number registered and calls back with words, empty: it is done."""

    registered = Signal(str, str, str)
    """Visit, chart number, and what was answered."""

    def __init__(
        self, board: Board, register: Callable[[CounterView, str, Callable[[str], None]], None] | None
    ) -> None:
        super().__init__()
        self._board, self._register = board, register
        self._entries: tuple[Entry, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self.search = QLineEdit()
        self.search.setObjectName("search")
        self.search.setAccessibleName("本日の受付をさがす")
        self.search.setPlaceholderText("氏名、フリガナ、診察券番号、時刻などでさがす (Ctrl+F)")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.refresh)
        self._found = Text("caption", centred=False)
        self._found.setObjectName("found")
        self._words = Words(TITLES)
        self.table = table("today", "本日の受付", self._words, _OUTCOME_COLUMN)
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._show_chosen())
        self._details = Text("body", centred=False)
        self._details.setObjectName("visit_details")
        self.chart = QLineEdit()
        self.chart.setObjectName("chart_number")
        self.chart.setAccessibleName("診察券番号")
        self.chart.setPlaceholderText("選んだ方の診察券番号")
        self.chart.setMaxLength(50)
        self._enter = BigButton("register_chart", "診察券番号を登録", "outline", 44)
        self._enter.clicked.connect(self._register_chart)
        self.chart.returnPressed.connect(self._register_chart)
        self._note = Text("caption", centred=False)
        self._note.setObjectName("chart_note")
        self.registered.connect(self._was_registered, Qt.ConnectionType.QueuedConnection)
        self._lay_out()
        self.refresh()

    def _lay_out(self) -> None:
        above = QHBoxLayout()
        above.addWidget(self.search, 1)
        above.addWidget(self._found)
        frame = QFrame()
        frame.setProperty("tone", "plain")
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(16, 10, 16, 10)
        inside.addWidget(self._details)
        below = QHBoxLayout()
        below.addWidget(self.chart, 1)
        below.addWidget(self._enter, 1)
        inside.addLayout(below)
        inside.addWidget(self._note)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 0)
        column.addLayout(above)
        column.addWidget(self.table, 1)
        column.addWidget(frame)

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
        self._details.setText(_details(row, len(self._rows)))
        self._note.setText("")
        usable = row is not None and row.view is not None and self._register is not None
        self.chart.setVisible(usable)
        self._enter.setVisible(usable)
        self.chart.setText(row.view.reference_number if row is not None and row.view is not None else "")

    def _register_chart(self) -> None:
        row, number = self._chosen(), self.chart.text().strip()
        if row is None or row.view is None or self._register is None or not number:
            return
        visit = row.entry.visit
        self._note.setText("登録しています…")
        self._register(row.view, number, lambda answer: self.registered.emit(visit, number, answer))

    def _was_registered(self, visit: str, number: str, answer: str) -> None:
        if not answer:
            self._board.registered(visit, number)
            self.refresh()
        self._note.setText(answer or f"診察券番号 {number} を登録しました。")


def _cells(row: Row) -> tuple[str, ...]:
    entry, view = row.entry, row.view
    facts = (began(entry), outcome_words(entry.outcome), wording.IDENTITY.get(entry.identity, "-"))
    if view is None:
        return (*facts, "-", "-", "-", "-", "")
    noted = "!" if problems(view) else ""
    share = "-" if view.share is None else f"{view.share} %"
    return (*facts, view.name, view.reference_number or "-", share, view.limit_category or "-", noted)


def _details(row: Row | None, found: int) -> str:
    if row is None:
        return "受付を選んでください。" if found else "受付はありません。"
    if row.view is None:
        return f"{began(row.entry)} {outcome_words(row.entry.outcome)}\n氏名などは、もう表示できません。"
    view = row.view
    born = view.birth_date
    answers = [f"{wording.ITEMS[item]}: {wording.ANSWERS[answer]}" for item, answer in view.answers]
    told = [
        f"{view.name}  {view.name_kana}  {born.year}年{born.month}月{born.day}日生",
        "    ".join(answers[:3]) or "同意: まだありません",
        "    ".join(answers[3:]),
    ]
    told += [f"! {problem.what}: {problem.remedy}" for problem in problems(view)]
    return "\n".join(filter(None, told))
