"""The day at a glance: painted bars, the same numbers as a table, and both as CSV."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from reception.back_office import Today
from reception.counter import wording
from reception.counter.board import outcome_words
from reception.counter.day import Day, as_csv, figures, lines
from reception.counter.table import Words, table
from reception.screens import tokens
from reception.screens.widgets import BigButton, Text

_LEFT, _BOTTOM, _TOP = 16, 34, 40
"""px kept free for words."""


class HoursChart(QWidget):
    """Visits per hour: completed ones filled, others above them striped, each with its number."""

    def __init__(self) -> None:
        super().__init__()
        self._hours: tuple[tuple[int, int, int], ...] = ()
        self.setFixedHeight(260)
        self.setObjectName("hours_chart")

    def show_hours(self, hours: tuple[tuple[int, int, int], ...]) -> None:
        """Show other numbers."""
        self._hours = hours
        told = "、".join(f"{hour}時台 完了{done} ほか{others}" for hour, done, others in hours)
        self.setAccessibleName(f"時間帯ごとの受付: {told or 'まだありません'}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPixelSize(16)
        painter.setFont(font)
        painter.setPen(QColor(tokens.INK))
        painter.drawText(
            QRectF(_LEFT, 4, self.width(), 24), "時間帯ごとの受付  (塗り: 完了、しま: 完了しなかった)"
        )
        if not self._hours:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "まだ受付がありません")
            return
        highest = max(done + others for _, done, others in self._hours)
        width = min(90.0, (self.width() - 2 * _LEFT) / len(self._hours))
        unit = (self.height() - _TOP - _BOTTOM - 20) / max(1, highest)
        for at, (hour, done, others) in enumerate(self._hours):
            self._paint_hour(painter, _LEFT + at * width, width, unit, hour, done, others)
        ground = self.height() - _BOTTOM
        painter.setPen(QPen(QColor(tokens.LINE), 2))
        painter.drawLine(_LEFT, ground, self.width() - _LEFT, ground)

    def _paint_hour(
        self, painter: QPainter, left: float, width: float, unit: float, hour: int, done: int, others: int
    ) -> None:
        ground = float(self.height() - _BOTTOM)
        bar, blue = QRectF(left + width * 0.15, 0, width * 0.7, 0), QColor(tokens.BLUE)
        bar.setTop(ground - done * unit)
        bar.setBottom(ground)
        painter.fillRect(bar, blue)
        above = QRectF(bar.left(), bar.top() - others * unit, bar.width(), others * unit)
        painter.fillRect(above, QColor(tokens.WHITE))
        painter.setPen(QPen(QColor(tokens.ORANGE), 2))
        if others:
            painter.setBrush(Qt.BrushStyle.BDiagPattern)
            painter.drawRect(above)
            painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QColor(tokens.INK))
        centre = Qt.AlignmentFlag.AlignHCenter
        painter.drawText(QRectF(left, ground + 4, width, 24), centre, f"{hour}時")
        if done + others:
            words = f"{done}+{others}" if others else str(done)
            painter.drawText(QRectF(left, above.top() - 22, width, 22), centre, words)


class DayPanel(QWidget):
    """Figures of today; ``ask_file`` says where the CSV goes, empty: nowhere."""

    def __init__(self, ask_file: Callable[[], str] | None = None) -> None:
        super().__init__()
        self._ask_file = ask_file or self._choose_file
        self._day = Day()
        self.chart = HoursChart()
        self._words = Words(("項目", "内訳", "値"))
        self.table = table("figures", "今日の数字", self._words, 1)
        self._export = BigButton("export_csv", "CSVで保存", "outline", 44)
        self._export.setFixedWidth(200)
        self._export.clicked.connect(self._save)
        self._note = Text("caption", centred=False)
        self._note.setObjectName("csv_note")
        below = QHBoxLayout()
        below.addWidget(self._note, 1)
        below.addWidget(self._export)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 0)
        column.addWidget(self.chart)
        column.addWidget(self.table, 1)
        column.addLayout(below)
        self.show_today(Today())

    def show_today(self, today: Today) -> None:
        """Show the figures of these visits."""
        self._day = figures(today.entries, today.steps)
        self.chart.show_hours(self._day.hours)
        self._words.show_rows(self._lines())

    def _lines(self) -> tuple[tuple[str, str, str], ...]:
        codes = {code: outcome_words(code) for code, _ in self._day.failures}
        return lines(self._day, wording.IDENTITY, codes)

    def _choose_file(self) -> str:
        return QFileDialog.getSaveFileName(self, "CSVで保存", "reception-day.csv", "CSV (*.csv)")[0]

    def _save(self) -> None:
        name = self._ask_file()
        if not name:
            return
        try:
            Path(name).write_bytes(as_csv(self._lines()))
        except OSError as error:
            self._note.setText(f"保存できません: {error.strerror or error}")
        else:
            self._note.setText(f"保存しました: {name}")
