"""Parts of the counter's window: how the terminal is, whom the visit is about, what staff must know."""

from collections.abc import Callable
from datetime import date

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from consent.choices import age_on
from reception.counter import wording
from reception.counter.board import problems
from reception.counter.style import Group, Text, button, set_tone
from reception.terminal.notices import NOTICES, Notice
from reception.terminal.snapshot import CounterView, Health


class HealthRow(QWidget):
    """One field for each part of the terminal, with sign and word; a part that this terminal lacks has none."""

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self._fields: dict[str, tuple[QFrame, Text]] = {}
        for part, name in wording.PARTS.items():
            frame, word = QFrame(), Text("strong", name=f"health_{part}", wraps=False)
            frame.setProperty("tone", "plain")
            column = QVBoxLayout(frame)
            column.setContentsMargins(6, 3, 6, 3)
            column.setSpacing(0)
            for text in (Text("caption", name, wraps=False), word):
                text.setAlignment(Qt.AlignmentFlag.AlignCenter)
                column.addWidget(text)
            row.addWidget(frame, 1)
            self._fields[part] = frame, word

    def show_health(self, health: Health, sound: str = "none") -> None:
        """Show how each part is; ``sound`` is how the voice is."""
        for part, (frame, word) in self._fields.items():
            state = str(getattr(health, part, sound))
            frame.setVisible(state != "none")
            word.setText(wording.HEALTH[state])
            set_tone(frame, wording.TONES[state])


Amount = Callable[[str, date], str]
"""Says in words what a limit category means for somebody born on a day."""


class PatientCard(QFrame):
    """Whom a visit is about: for staff's eyes, only in memory. ``today`` is for the age."""

    PAIRS = ("氏名", "フリガナ", "生年月日", "負担割合", "保険者番号", "診察券番号")
    WHOLE = ("記号・番号", "限度額", "同意の内容", "注意")

    def __init__(self, amount: Amount, today: Callable[[], date], name: str, nobody: str) -> None:
        super().__init__()
        self._amount, self._today, self._nobody = amount, today, nobody
        self.setProperty("tone", "plain")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._note = Text("body", name=f"{name}_note")
        self._facts = QWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 14, 8)
        column.addWidget(self._note)
        column.addWidget(self._facts)
        grid = QGridLayout(self._facts)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(3)
        for at in (1, 3):
            grid.setColumnStretch(at, 1)
        self._values: dict[str, Text] = {}
        for at, title in enumerate((*self.PAIRS, *self.WHOLE)):
            value = self._values[title] = Text("body", name=f"{name}_{at}")
            said = Text("caption", title, wraps=False)
            said.setAlignment(Qt.AlignmentFlag.AlignTop)
            if at < len(self.PAIRS):
                grid.addWidget(said, at // 2, at % 2 * 2)
                grid.addWidget(value, at // 2, at % 2 * 2 + 1)
            else:
                grid.addWidget(said, at, 0)
                grid.addWidget(value, at, 1, 1, 3)
        self.show_view(None)

    def show_view(self, view: CounterView | None, note: str = "") -> None:
        """Show whom a visit is about; None: nobody, and a note why."""
        self._facts.setVisible(view is not None)
        self._note.show_text(note or ("" if view else self._nobody))
        words = dict.fromkeys(self._values, "") if view is None else self._words(view)
        for title, word in words.items():
            self._values[title].setText(word)

    def _words(self, view: CounterView) -> dict[str, str]:
        born = view.birth_date
        answers = [f"{wording.ITEMS[item]}: {wording.ANSWERS[answer]}" for item, answer in view.answers]
        limit = self._amount(view.limit_category, born)
        return {
            "氏名": view.name,
            "フリガナ": view.name_kana,
            "生年月日": f"{born.year}年{born.month}月{born.day}日 ({age_on(born, self._today())}歳)",
            "負担割合": "-" if view.share is None else f"{view.share} %",
            "保険者番号": view.insurer_number.strip() or "-",
            "診察券番号": view.reference_number or "-",
            "記号・番号": " ".join(
                filter(None, (view.symbol, view.number, view.branch and f"枝番 {view.branch}"))
            )
            or "-",
            "限度額": limit if view.limit_category or not view.answers else "- (提供の同意がありません)",
            "同意の内容": "\n".join("    ".join(answers[at : at + 2]) for at in range(0, len(answers), 2))
            or "まだありません",
            "注意": "\n".join(f"! {one.what}: {one.remedy}" for one in problems(view)) or "-",
        }


class NoticePanel(QWidget):
    """The oldest notice that staff have not put away, and how many more there are."""

    def __init__(self, dismiss: Callable[[Notice], None]) -> None:
        super().__init__()
        self._dismiss = dismiss
        self._notices: tuple[Notice, ...] = ()
        self._what, self._remedy = Text("strong", name="notice"), Text("body", name="notice_remedy")
        frame = Group("warning")
        frame.column.addWidget(self._what)
        frame.column.addWidget(self._remedy)
        self._seen = button("dismiss_notice", "確認しました", key="F10")
        self._seen.clicked.connect(self._put_away)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(frame, 1)
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
        self._what.setText(f"! {notice.at:%H:%M} {words.what}{more}")
        self._remedy.setText(" ".join(filter(None, (words.remedy, notice.detail[:80]))))

    def _put_away(self) -> None:
        if self._notices:
            self._dismiss(self._notices[0])
