"""The day at a glance: painted bars, the same numbers as a table, and both as CSV."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from reception.counter import wording
from reception.counter.board import outcome_words
from reception.counter.day import Day, as_csv, figures, lines
from reception.counter.style import Text, button
from reception.counter.table import Words, table
from reception.patient import tokens
from reception.terminal.back_office import Today

CAUSES = 5
"""So many of the most frequent are painted; the table and the CSV have all."""
_LEFT, _BOTTOM, _TOP = 16, 34, 40
"""px kept free for words."""


class HoursChart(QWidget):
    """Visits per hour: completed ones filled, others above them striped, each with its number."""

    def __init__(self) -> None:
        super().__init__()
        self._hours: tuple[tuple[int, int, int], ...] = ()
        self.setMinimumSize(420, 170)
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


Bar = tuple[str, float, str]
"""What it is, how long it is, and the words beside it."""


class Bars(QWidget):
    """Lying bars under headings: shares, times, and causes, each bar with its name and number."""

    ROW, LABEL, WORDS = 24, 190, 96
    """px: height of a line, and the room for a bar's name and its number."""

    def __init__(self) -> None:
        super().__init__()
        self._groups: tuple[tuple[str, tuple[Bar, ...]], ...] = ()
        self.setObjectName("bars")
        self.setMinimumWidth(420)

    def show_groups(self, groups: tuple[tuple[str, tuple[Bar, ...]], ...]) -> None:
        """Show other bars; a group without bars is left out."""
        self._groups = tuple(group for group in groups if group[1])
        self.setMinimumHeight(self.ROW * sum(1 + len(bars) for _, bars in self._groups))
        told = "。".join(
            f"{title}: " + "、".join(f"{name} {words}" for name, _, words in bars)
            for title, bars in self._groups
        )
        self.setAccessibleName(told or "まだ受付がありません")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(16)
        top = 0
        for title, bars in self._groups:
            font.setBold(True)
            painter.setFont(font)
            painter.setPen(QColor(tokens.INK))
            painter.drawText(QRectF(_LEFT, top, self.width(), self.ROW), _MIDDLE, title)
            font.setBold(False)
            painter.setFont(font)
            top += self.ROW
            for bar in bars:
                self._paint_bar(painter, top, bar, max(length for _, length, _ in bars))
                top += self.ROW

    def _paint_bar(self, painter: QPainter, top: int, bar: Bar, longest: float) -> None:
        name, length, words = bar
        left = _LEFT + self.LABEL
        room = max(20, self.width() - left - self.WORDS)
        metrics = painter.fontMetrics()
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, self.LABEL - 8)
        painter.drawText(QRectF(_LEFT, top, self.LABEL, self.ROW), _MIDDLE, shown)
        width = room * length / longest if longest else 0.0
        painter.fillRect(QRectF(left, top + 4, max(2.0, width), self.ROW - 8), QColor(tokens.BLUE))
        painter.drawText(QRectF(left + max(2.0, width) + 6, top, self.WORDS, self.ROW), _MIDDLE, words)


_MIDDLE = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft


class DayPanel(QWidget):
    """Figures of today; ``ask_file`` says where the CSV goes, empty: nowhere."""

    def __init__(self, ask_file: Callable[[], str] | None = None) -> None:
        super().__init__()
        self._ask_file = ask_file or self._choose_file
        self._day = Day()
        self.chart = HoursChart()
        self._words = Words(("項目", "内訳", "値"))
        self.table = table("figures", "今日の数字", self._words, 1)
        self.bars = Bars()
        self._export = button("export_csv", "CSVで保存", "outline", "Ctrl+S")
        self._export.clicked.connect(self._save)
        self._note = Text("caption", name="csv_note")
        painted, numbers = QVBoxLayout(), QVBoxLayout()
        painted.addWidget(self.chart, 1)
        painted.addWidget(self.bars)
        painted.addStretch(1)
        numbers.addWidget(self.table, 1)
        numbers.addWidget(self._note)
        numbers.addWidget(self._export)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 8, 0, 0)
        row.addLayout(painted, 5)
        row.addLayout(numbers, 4)
        self.show_today(Today())

    def show_today(self, today: Today) -> None:
        """Show the figures of these visits."""
        self._day = figures(today.entries, today.steps)
        self.chart.show_hours(self._day.hours)
        self.bars.show_groups(self._groups())
        self._words.show_rows(self._lines())

    def _groups(self) -> tuple[tuple[str, tuple[Bar, ...]], ...]:
        day = self._day
        times: list[Bar] = []
        for name, spread in (("患者の操作", day.person_s), ("機械の処理", day.machine_s)):
            if spread is not None:
                times.append((f"{name} 中央値", spread.median, f"{spread.median:.1f} 秒"))
                times.append((f"{name} 90%点", spread.p90, f"{spread.p90:.1f} 秒"))
        shares = tuple(
            (
                wording.IDENTITY.get(way, way or "-"),
                float(count),
                f"{count} ({100 * count / day.completed:.0f}%)",
            )
            for way, count in day.identities
        )
        causes = tuple(
            (outcome_words(code), float(count), str(count)) for code, count in day.failures[:CAUSES]
        )
        return (
            ("本人確認の方法 (完了した受付)", shares),
            ("かかった時間", tuple(times)),
            ("完了しなかった理由", causes),
        )

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
