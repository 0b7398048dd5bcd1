"""How the window looks (表示), chosen on every screen: language, larger text, black background, and how loud it is."""

from collections.abc import Callable
from typing import ClassVar, Literal

from PySide6.QtWidgets import QFrame, QWidget

from reception import flow
from reception.flow import DisplayMode
from reception.patient.grid import Box, gap_of
from reception.patient.widgets import Painted, TouchButton, Words
from reception.texts import LANGUAGES, N_, UNOFFICIAL, Catalogue, catalogue

LARGE = {DisplayMode.LARGE, DisplayMode.LARGE_CONTRAST}
BLACK = {DisplayMode.CONTRAST, DisplayMode.LARGE_CONTRAST}
UNOFFICIAL_NOTE = N_("日本語のほかは、公式の訳ではありません。音声は、日本語と英語だけです。")
DISPLAY = N_("表示")


def mode_of(*, large: bool, black: bool) -> DisplayMode:
    """Return the mode that has both properties."""
    if large:
        return DisplayMode.LARGE_CONTRAST if black else DisplayMode.LARGE
    return DisplayMode.CONTRAST if black else DisplayMode.NORMAL


class LookChoices:
    """The buttons that change the look; the strip and the panel each have their own."""

    def __init__(
        self,
        t: Catalogue,
        choose_mode: Callable[[DisplayMode], None],
        change_sound: Callable[[], None],
        size: Literal["hint", "secondary"],
    ) -> None:
        self._t, self._mode = t, DisplayMode.NORMAL
        before = "" if size == "hint" else "panel_"
        self.larger = TouchButton(f"{before}larger_text", "", "quiet", size, "larger")
        self.larger.clicked.connect(lambda: choose_mode(self._with(large=self._mode not in LARGE)))
        self.black = TouchButton(f"{before}black_screen", "", "quiet", size, "dark")
        self.black.clicked.connect(lambda: choose_mode(self._with(black=self._mode not in BLACK)))
        self.sound = TouchButton(f"{before}sound", "", "quiet", size, "sound")
        self.sound.clicked.connect(lambda: change_sound())
        self.sound.hide()
        self.has_sound = False
        self.show_mode(DisplayMode.NORMAL)

    @property
    def buttons(self) -> tuple[TouchButton, ...]:
        """Those that do something here; that of the voice only where there is one."""
        return (self.larger, self.black, *((self.sound,) if self.has_sound else ()))

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
        self.has_sound = bool(label)

    def _with(self, *, large: bool | None = None, black: bool | None = None) -> DisplayMode:
        return mode_of(
            large=self._mode in LARGE if large is None else large,
            black=self._mode in BLACK if black is None else black,
        )


class LookStrip(QWidget, Painted):
    """表示, in the same place on every screen: its buttons, or one that opens the panel with them."""

    def __init__(self, t: Catalogue, choices: LookChoices, open_panel: Callable[[], None]) -> None:
        super().__init__()
        self._t, self._choices = t, choices
        # In words that are found by those, too, who cannot read the language that is on.
        label = "ことば" if t.language in ("ja", "ja-easy") else "日本語"
        self.language = TouchButton("language", f"{label}\nLanguage", "quiet", "hint", "language")
        self.display = TouchButton("display", t(DISPLAY), "quiet", "secondary", "language")
        for button in (self.language, self.display):
            button.clicked.connect(lambda: open_panel())
        self.title = Words("hint", t(DISPLAY), centred=False)
        for part in (self.title, self.language, self.display, choices.larger, choices.black, choices.sound):
            part.setParent(self)

    @property
    def collapsed(self) -> bool:
        """Only the button that opens the panel has room."""
        sizes = self.look.sizes
        return sizes.composition == "compact" or sizes.large

    def size_in(self, width: int) -> tuple[int, int]:
        """Return width and height that it needs in a window of this width, px."""
        sizes = self.look.sizes
        if self.collapsed:
            wide = min(width // 2, max(sizes.secondary, self.display.line_width()))
            return wide, max(sizes.secondary, self.display.heightForWidth(wide))
        wide = width if sizes.portrait else round(width * 0.56)
        each = self._each(wide)
        return wide, max(sizes.secondary, *(button.heightForWidth(each) for button in self._buttons()))

    def lay(self, where: Box) -> None:
        """Take this place and give every button its own."""
        self.setGeometry(*where)
        single = self.collapsed
        self.display.setVisible(single)
        for part in (self.title, self.language, self._choices.larger, self._choices.black):
            part.setVisible(not single)
        self._choices.sound.setVisible(not single and self._choices.has_sound)
        if single:
            self.display.setGeometry(0, 0, where.width, where.height)
            return
        title, gap, each = self._title_width(), self._gap(), self._each(where.width)
        self.title.setGeometry(0, 0, title, where.height)
        for at, button in enumerate(self._buttons()):
            button.setGeometry(title + gap + at * (each + gap), 0, each, where.height)

    def _buttons(self) -> tuple[TouchButton, ...]:
        return (self.language, *self._choices.buttons)

    def _gap(self) -> int:
        return self.look.sizes.px(1.4)

    def _title_width(self) -> int:
        return self.title.sizeHint().width()

    def _each(self, width: int) -> int:
        count = len(self._buttons())
        return (width - self._title_width() - self._gap() * count) // count


class LookPanel(QFrame, Painted):
    """Every language in its own name, laid over the page until one is chosen or the page changes.

    Where the strip is a single button it has the other choices of the look, too.
    """

    COLUMNS: ClassVar[dict[str, int]] = {"portrait": 2, "compact": 4, "roomy": 4}

    def __init__(
        self, window: QWidget, choose: Callable[[str], None], choices: LookChoices, t: Catalogue
    ) -> None:
        super().__init__(window)
        self.setObjectName("look_panel")
        self._choose, self._choices, self._whole = choose, choices, False
        self._languages = []
        for language, name in LANGUAGES.items():
            button = TouchButton(f"language_{language}", name, "outline", "secondary")
            button.clicked.connect(lambda _checked=False, chosen=language: self._chosen(chosen))
            self._languages.append(button)
        self.close_button = TouchButton("close_languages", t(N_("とじる")), "quiet", "secondary", "back")
        self.close_button.clicked.connect(self.hide)
        own = t(UNOFFICIAL_NOTE) if t.language in UNOFFICIAL else catalogue("en")(UNOFFICIAL_NOTE)
        self.note = Words("hint", f"{UNOFFICIAL_NOTE}\n{own}")
        for part in (
            *self._languages,
            self.close_button,
            self.note,
            choices.larger,
            choices.black,
            choices.sound,
        ):
            part.setParent(self)
        self.hide()

    def lay(self, where: Box, *, whole: bool) -> None:
        """Take this place; ``whole``: with every choice, not the languages alone."""
        self.setGeometry(*where)
        self._whole = whole
        for button in (self._choices.larger, self._choices.black, self._choices.sound):
            button.setVisible(whole and button in self._choices.buttons)
        buttons = (*self._languages, *(self._choices.buttons if whole else ()), self.close_button)
        columns, gap = self.COLUMNS[self.look.sizes.composition], gap_of(self.look.sizes)
        rows = -(-len(buttons) // columns)
        wide = (where.width - gap * (columns - 1)) // columns
        least = max(button.heightForWidth(wide) for button in buttons)
        note = self.note.heightForWidth(where.width) + gap
        room = rows * least + (rows - 1) * gap + note <= where.height
        self.note.setVisible(room)
        free = where.height - (note if room else 0) - (rows - 1) * gap
        high = min(max(least, free // rows), self.look.sizes.px(26))
        for at, button in enumerate(buttons):
            row, column = divmod(at, columns)
            last = at == len(buttons) - 1
            span = columns - column if last else 1
            button.setGeometry(
                column * (wide + gap), row * (high + gap), span * wide + (span - 1) * gap, high
            )
        self.note.setGeometry(0, where.height - note + gap, where.width, note - gap)

    def open(self) -> None:
        """Come up, or go again where it is up already."""
        self.setVisible(self.isHidden())
        self.raise_()

    def _chosen(self, language: str) -> None:
        self.hide()
        self._choose(language)


def chosen(language: str) -> flow.ChooseLanguage:
    """Return the event of a language."""
    return flow.ChooseLanguage(flow.Language(language))
