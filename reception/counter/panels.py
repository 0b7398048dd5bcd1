"""Parts of the counter's window: how the terminal is, whom the visit is about, what staff must know."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from reception.counter import wording
from reception.counter.board import problems
from reception.notices import NOTICES, Notice
from reception.screens.widgets import BigButton, Panel, Text
from reception.snapshot import CounterView, Health
from reception.texts.wording import lines

NOTICE_LENGTH = 32
"""Characters on a line of a notice."""


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
        "診察券番号",
        "同意の内容",
        "注意",
    )

    SHORT = 8
    """So many of them stand side by side in pairs; the others have a line of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("tone", "plain")
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 8, 16, 8)
        grid.setHorizontalSpacing(16)
        for column in (1, 3):
            grid.setColumnStretch(column, 1)
        self._values: dict[str, Text] = {}
        for row, name in enumerate(self.FIELDS):
            value = Text("body", centred=False)
            value.setObjectName(f"patient_{row}")
            title = Text("caption", name, centred=False)
            title.setAlignment(Qt.AlignmentFlag.AlignTop)
            if row < self.SHORT:
                grid.addWidget(title, row // 2, row % 2 * 2)
                grid.addWidget(value, row // 2, row % 2 * 2 + 1)
            else:
                grid.addWidget(title, row, 0)
                grid.addWidget(value, row, 1, 1, 3)
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
                view.reference_number or "-",
                _in_pairs(answers) or "まだありません",
                "\n".join(f"! {problem.what}" for problem in problems(view)) or "-",
            ]
        for name, word in zip(self.FIELDS, words, strict=True):
            self._values[name].setText(word)


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


def _in_pairs(words: list[str]) -> str:
    return "\n".join("    ".join(words[at : at + 2]) for at in range(0, len(words), 2))
