"""How the window looks, chosen on every screen: language, larger text, black background."""

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from reception import flow
from reception.flow import DisplayMode
from reception.patient.tokens import Look
from reception.patient.widgets import Painted, TouchButton, Words
from reception.texts import LANGUAGES, N_, UNOFFICIAL, Catalogue, catalogue

LARGE = {DisplayMode.LARGE, DisplayMode.LARGE_CONTRAST}
BLACK = {DisplayMode.CONTRAST, DisplayMode.LARGE_CONTRAST}
UNOFFICIAL_NOTE = N_("日本語のほかは、公式の訳ではありません。音声は、日本語と英語だけです。")


def mode_of(*, large: bool, black: bool) -> DisplayMode:
    """Return the mode that has both properties."""
    if large:
        return DisplayMode.LARGE_CONTRAST if black else DisplayMode.LARGE
    return DisplayMode.CONTRAST if black else DisplayMode.NORMAL


class LookRow(QWidget):
    """The buttons that stand in the same place on every screen; that of the voice only where there is one."""

    def __init__(
        self,
        t: Catalogue,
        choose_language: Callable[[], None],
        choose_mode: Callable[[DisplayMode], None],
        change_sound: Callable[[], None],
    ) -> None:
        super().__init__()
        self._t, self._mode = t, DisplayMode.NORMAL
        # In words that are found by those, too, who cannot read the language that is on.
        label = "ことば" if t.language in ("ja", "ja-easy") else "日本語"
        self.language = TouchButton("language", label, "quiet", "secondary", "language", "Language")
        self.language.clicked.connect(lambda: choose_language())
        self.larger = TouchButton("larger_text", "", "quiet", "secondary", "larger")
        self.larger.clicked.connect(lambda: choose_mode(self._with(large=self._mode not in LARGE)))
        self.black = TouchButton("black_screen", "", "quiet", "secondary", "dark")
        self.black.clicked.connect(lambda: choose_mode(self._with(black=self._mode not in BLACK)))
        self.sound = TouchButton("sound", "", "quiet", "secondary", "sound")
        self.sound.clicked.connect(lambda: change_sound())
        self.sound.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        for button in (self.language, self.larger, self.black, self.sound):
            row.addWidget(button, 1)
        self.show_mode(DisplayMode.NORMAL)

    def show_mode(self, mode: DisplayMode) -> None:
        """Name what the buttons would do now."""
        self._mode, t = mode, self._t
        if mode in LARGE:
            self.larger.relabel(t(N_("文字をもとに")), picture="smaller")
        else:
            self.larger.relabel(t(N_("文字を大きく")), picture="larger")
        if mode in BLACK:
            self.black.relabel(t(N_("画面を白く")), picture="light")
        else:
            self.black.relabel(t(N_("画面を黒く")), picture="dark")

    def show_sound(self, label: str) -> None:
        """Say how loud the voice is; an empty label: there is none."""
        self.sound.relabel(label)
        self.sound.setVisible(bool(label))

    def _with(self, *, large: bool | None = None, black: bool | None = None) -> DisplayMode:
        return mode_of(
            large=self._mode in LARGE if large is None else large,
            black=self._mode in BLACK if black is None else black,
        )


class LanguageChooser(QFrame, Painted):
    """Every language in its own name, laid over the page until one is chosen or the page changes."""

    def __init__(self, window: QWidget, choose: Callable[[str], None]) -> None:
        super().__init__(window)
        self.setObjectName("language_chooser")
        self._choose = choose
        self._buttons = []
        for language, name in LANGUAGES.items():
            button = TouchButton(f"language_{language}", name, "outline", "secondary")
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
            button.clicked.connect(lambda _checked=False, chosen=language: self._chosen(chosen))
            self._buttons.append(button)
        self.close_button = TouchButton("close_languages", "", "quiet", "secondary", "back")
        self.close_button.clicked.connect(self.hide)
        self.close_button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.note = Words("caption")
        self._grid = QGridLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._grid, 1)
        column.addWidget(self.note)
        self.apply_theme(self.look)
        self.hide()

    def apply_theme(self, look: Look) -> None:
        """Lay the buttons out for a window that stands or lies."""
        super().apply_theme(look)
        while self._grid.takeAt(0) is not None:
            pass
        columns = 2 if look.sizes.portrait else 3
        self._grid.setSpacing(look.sizes.gap if look.sizes.portrait else look.sizes.tight)
        for place, button in enumerate(self._buttons):
            self._grid.addWidget(button, *divmod(place, columns))
        row, column = divmod(len(self._buttons), columns)
        self._grid.addWidget(self.close_button, row, column, 1, columns - column)

    def open(self, t: Catalogue) -> None:
        """Come up, or go again where it is up already."""
        own = t(UNOFFICIAL_NOTE) if t.language in UNOFFICIAL else catalogue("en")(UNOFFICIAL_NOTE)
        self.note.show_text(f"{UNOFFICIAL_NOTE}\n{own}")
        self.close_button.relabel(t(N_("とじる")))
        self.setVisible(self.isHidden())
        self.raise_()

    def _chosen(self, language: str) -> None:
        self.hide()
        self._choose(language)


def chosen(language: str) -> flow.ChooseLanguage:
    """Return the event of a language."""
    return flow.ChooseLanguage(flow.Language(language))
