"""The row on top of every screen: in which language the window speaks, and whether it is a simulation."""

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from reception import flow
from reception.screens import tokens
from reception.screens.widgets import BigButton, Words
from reception.texts import LANGUAGES, N_, UNOFFICIAL, Catalogue, catalogue

HEIGHT = 72


class LookRow(QWidget):
    """Stands in the same place on every screen."""

    def __init__(self, t: Catalogue, choose_language: Callable[[], None]) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        # Its own name alone would not be found by those who cannot read the language that is on.
        label = f"{t.name} / Language" if t.language in ("ja", "ja-easy") else f"{t.name} / 日本語"
        self.language = BigButton("language", label, "quiet", HEIGHT)
        self.language.setSizePolicy(
            self.language.sizePolicy().Policy.Preferred, self.language.sizePolicy().verticalPolicy()
        )
        self.language.clicked.connect(lambda: choose_language())
        self.badge = Words("badge", t(N_("模擬")))
        self.badge.setWordWrap(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(tokens.GAP)
        row.addWidget(self.language)
        row.addStretch(1)
        row.addWidget(self.badge)


class LanguageChooser(QFrame):
    """Every language in its own name, laid over the page until one is chosen or the page changes."""

    def __init__(self, window: QWidget, choose: Callable[[str], None]) -> None:
        super().__init__(window)
        self.setObjectName("language_chooser")
        self.setProperty("tone", "plain")
        self._choose = choose
        column = QVBoxLayout(self)
        column.setContentsMargins(tokens.GAP, tokens.GAP, tokens.GAP, tokens.GAP)
        column.setSpacing(12)
        column.addStretch(1)
        for language, name in LANGUAGES.items():
            button = BigButton(f"language_{language}", name, "outline", 88)
            button.clicked.connect(lambda _checked=False, chosen=language: self._chosen(chosen))
            column.addWidget(button)
        self.note = Words("caption")
        column.addWidget(self.note)
        self.close_button = BigButton("close_languages", "", "quiet", tokens.SECONDARY_HEIGHT)
        self.close_button.clicked.connect(self.hide)
        column.addWidget(self.close_button)
        column.addStretch(1)
        self.hide()

    def open(self, t: Catalogue) -> None:
        """Come up, or go again where it is up already."""
        self.note.show_text(
            t(UNOFFICIAL_NOTE)
            if t.language in UNOFFICIAL
            else f"{UNOFFICIAL_NOTE}\n{catalogue('en')(UNOFFICIAL_NOTE)}"
        )
        self.close_button.relabel(t(N_("とじる")))
        self.setVisible(self.isHidden())
        self.raise_()

    def _chosen(self, language: str) -> None:
        self.hide()
        self._choose(language)


UNOFFICIAL_NOTE = N_("日本語のほかは、公式の訳ではありません。")


def chosen(language: str) -> flow.ChooseLanguage:
    """Return the event of a language."""
    return flow.ChooseLanguage(flow.Language(language))
