"""Colours, sizes and type: tokens of the Digital Agency design system, made into the sheet of the patient's window.

A ``Look`` is a value, made from the size and density of the display and the mode that the patient chose; nothing else
decides how large anything is. Every length is given in units of the grid: one unit is one millimetre on a display that
just has room for the composition, and more on a larger one. Colours and contrasts: docs/guide/patients-window.md.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal

BLUE = "#0017C1"
BLUE_PRESSED = "#000060"
BLUE_TINT = "#E8F1FE"
BLUE_LINE = "#C5D7FB"
INK = "#1A1A1A"
INK_SOFT = "#4D4D4D"
LINE = "#949494"
SURFACE = "#F2F2F2"
WHITE = "#FFFFFF"
BLACK = "#000000"
GREEN = "#197A4B"
GREEN_TINT = "#E6F5EC"
RED = "#CE0000"
RED_TINT = "#FDEEEE"
ORANGE = "#AC3E00"
YELLOW_TINT = "#FBF5E0"
YELLOW = "#FFD43D"

FONTS = ("Noto Sans JP", "Noto Sans CJK JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic")
"""Tried in this order; the first is the font of the design system."""

FONTS_OF = {"zh": ("Noto Sans SC", "Noto Sans CJK SC"), "ko": ("Noto Sans KR", "Noto Sans CJK KR")}
"""Chinese and Korean have forms of their own for many characters that Japanese writes, too."""

MM_PER_INCH = 25.4
PRIMARY_MM = 20.0
"""What a patient presses to go on: below it older people miss more often (facts: standing keypad studies)."""
SECONDARY_MM = 12.0
BODY_MM = 5.0
HINT_MM = 4.2
"""Height of the letters' body (em) that texts and hints have at least."""
LARGER = 1.5
"""How much larger the text is where the patient asked for large text."""
FOCUS_OUTER_MM, FOCUS_INNER_MM = 0.7, 0.35
"""Width of the two rings around what has the focus."""

Composition = Literal["portrait", "compact", "roomy"]
FIELD: dict[Composition, tuple[float, float]] = {
    "portrait": (135.0, 216.5),
    "compact": (152.9, 89.6),
    "roomy": (240.0, 160.0),
}
"""Width and height that a composition needs, in units: 10.1 inch upright, 7 inch lying, 13 inch lying."""
PORTRAIT = (800, 1280)
"""Width and height of the patient's window where nobody says otherwise, px."""


@dataclass(frozen=True)
class Colours:
    """The colours of one mode, by what they are for."""

    background: str = WHITE
    ink: str = INK
    soft: str = INK_SOFT
    """Text of less weight."""
    line: str = LINE
    """Borders and shapes that carry no state."""
    surface: str = SURFACE
    primary: str = BLUE
    on_primary: str = WHITE
    pressed: str = BLUE_PRESSED
    on_pressed: str = WHITE
    held: str = BLUE_LINE
    """Background of a pressed button that is not filled; its text stays as it is."""
    tint: str = BLUE_TINT
    pale: str = "#9DB7F9"
    """Parts of pictures that carry no meaning of their own."""
    success: str = GREEN
    success_tint: str = GREEN_TINT
    on_success: str = WHITE
    error: str = RED
    error_tint: str = RED_TINT
    warning: str = ORANGE
    warning_tint: str = YELLOW_TINT
    focus_outer: str = BLACK
    focus_inner: str = YELLOW


LIGHT = Colours()
CONTRAST = Colours(
    background=BLACK,
    ink=WHITE,
    soft=WHITE,
    line=WHITE,
    surface=BLACK,
    primary=YELLOW,
    on_primary=BLACK,
    pressed=WHITE,
    on_pressed=BLACK,
    held="#333333",
    tint=BLACK,
    pale=YELLOW,
    success="#71C598",
    success_tint=BLACK,
    on_success=BLACK,
    error="#FF9696",
    error_tint=BLACK,
    warning=YELLOW,
    warning_tint=BLACK,
    focus_outer=WHITE,
    focus_inner=BLACK,
)
"""Black with yellow; tones differ in colour too, but are told apart by their signs."""


@dataclass(frozen=True)
class Sizes:
    """Lengths in px, and how the window is composed."""

    composition: Composition
    unit: float
    """px of one unit of the grid."""
    heading: int
    body: int
    hint: int
    button: int
    """Text of what goes on with the visit."""
    quiet: int
    """Text of the other buttons."""
    key: int
    """Text of the keys of the PIN pad."""
    primary: int
    """Least height and width of what goes on with the visit, and of the keys of the PIN pad."""
    secondary: int
    """Least height of other buttons."""
    leading: float = 1.25
    """Distance of two lines of text, in heights of its letters."""
    large: bool = False

    def px(self, units: float) -> int:
        """Return a length of the grid in px."""
        return round(units * self.unit)

    @property
    def portrait(self) -> bool:
        """The window stands."""
        return self.composition == "portrait"


@dataclass(frozen=True)
class Look:
    """How one window looks now."""

    colours: Colours
    sizes: Sizes
    dark: bool = False


_TYPE: dict[Composition, tuple[float, float, float, float, float, float]] = {
    "portrait": (6.3, BODY_MM, HINT_MM, 5.6, BODY_MM, 8.5),
    "compact": (5.8, BODY_MM, HINT_MM, 5.4, BODY_MM, 8.5),
    "roomy": (7.4, 5.6, 4.6, 6.2, 5.2, 9.0),
}
"""Heading, body, hint, button, quiet, key: letters in units."""


def composition(width: int, height: int, density_dpi: float) -> Composition:
    """Return how a window of this size in px is composed: by what has room at full millimetres."""
    if height >= width:
        return "portrait"
    return "roomy" if _unit("roomy", width, height) >= density_dpi / MM_PER_INCH else "compact"


def _unit(composed: Composition, width: int, height: int) -> float:
    wide, high = FIELD[composed]
    return min(width / wide, height / high)


def look(width: int, height: int, density_dpi: float, mode: str = "normal") -> Look:
    """Return the look for a window of this size in px on a display of this density, in this mode (flow.DisplayMode).

    The page is scaled as a whole until it fills the window. Targets are at least PRIMARY_MM and SECONDARY_MM, texts
    BODY_MM and HINT_MM wherever the display is as large as FIELD; a smaller one shows everything, but smaller. Text
    grows with ``mode``; targets and gaps do not, because they are large already and the window is not larger.
    """
    large, dark = mode.startswith("large"), mode.endswith("contrast")
    composed = composition(width, height, density_dpi)
    unit = _unit(composed, width, height)

    def text(units: float) -> int:
        return ceil(units * unit * (LARGER if large else 1))

    heading, body, hint, button, quiet, key = map(text, _TYPE[composed])
    sizes = Sizes(
        composed,
        unit,
        heading,
        body,
        hint,
        button,
        quiet,
        key,
        primary=ceil(PRIMARY_MM * unit),
        secondary=ceil(SECONDARY_MM * unit),
        large=large,
    )
    return Look(CONTRAST if dark else LIGHT, sizes, dark)


NORMAL = look(*PORTRAIT, 150)
"""A 10.1 inch display, upright."""


def style_sheet(seen: Look = NORMAL, language: str = "ja") -> str:
    """Return the style sheet; widgets are told apart by the dynamic properties ``kind`` and ``tone``."""
    family = ", ".join(f'"{name}"' for name in (*FONTS_OF.get(language, ()), *FONTS))
    c, s = seen.colours, seen.sizes
    line, thin, around = max(2, s.px(0.5)), max(1, s.px(0.3)), s.px(2)
    return f"""
    QWidget {{ font-family: {family}; color: {c.ink}; font-size: {s.body}px; }}
    QWidget#patient_window, QFrame#look_panel {{ background: {c.background}; }}
    QLabel[kind="heading"] {{ font-size: {s.heading}px; font-weight: 700; }}
    QLabel[kind="body"] {{ font-size: {s.body}px; }}
    QLabel[kind="hint"] {{ font-size: {s.hint}px; color: {c.soft}; }}
    QLabel[kind="strong"] {{ font-size: {s.body}px; font-weight: 700; }}
    QLabel[kind="guidance"] {{ font-size: {s.heading}px; font-weight: 700; color: {c.primary}; }}
    QLabel[kind="badge"] {{ font-size: {min(s.hint, s.px(4.6))}px; font-weight: 700; color: {c.ink};
        background: {c.warning_tint}; border: {thin}px solid {c.soft}; border-radius: {s.px(1)}px;
        padding: 0 {s.px(0.5)}px; }}
    QFrame[tone] {{ border-radius: {around}px; border: {line}px solid {c.line}; background: {c.surface}; }}
    QFrame[tone="error"] {{ background: {c.error_tint}; border-color: {c.error}; }}
    QFrame[tone="caution"] {{ background: {c.warning_tint}; border-color: {c.warning}; }}
    QFrame[tone="success"] {{ background: {c.success_tint}; border-color: {c.success}; }}
    QFrame[tone="info"] {{ background: {c.tint}; border-color: {c.primary}; }}
    QFrame[tone] QLabel {{ background: transparent; border: none; }}
    QFrame[tone="success"] QLabel[kind="heading"] {{ color: {c.success}; }}
    QPushButton {{ font-size: {s.button}px; font-weight: 700; border-radius: {around}px; }}
    QPushButton[kind="fill"] {{ color: {c.on_primary}; background: {c.primary};
        border: {line}px solid {c.primary}; }}
    QPushButton[kind="fill"]:pressed {{ color: {c.on_pressed}; background: {c.pressed}; border-color: {c.pressed}; }}
    QPushButton[kind="outline"] {{ color: {c.primary}; background: {c.background};
        border: {line}px solid {c.primary}; }}
    QPushButton[kind="outline"]:pressed {{ background: {c.held}; }}
    QPushButton[kind="quiet"] {{ color: {c.ink}; background: {c.background}; border: {thin}px solid {c.line};
        font-size: {s.quiet}px; }}
    QPushButton[kind="quiet"]:pressed {{ background: {c.held}; border-color: {c.primary}; }}
    QPushButton[rank="secondary"] {{ font-size: {s.quiet}px; }}
    QPushButton[rank="hint"] {{ font-size: {s.hint}px; }}
    QPushButton[kind="key"] {{ color: {c.ink}; background: {c.background}; border: {line}px solid {c.line};
        font-size: {s.key}px; }}
    QPushButton[kind="key"]:pressed {{ background: {c.held}; border-color: {c.primary}; }}
    """
