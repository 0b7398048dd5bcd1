"""Colours, sizes and type: tokens of the Digital Agency design system, made into the sheet of the patient's window.

A ``Look`` is a value, made from the size and density of the display and the mode that the patient chose; nothing else
decides how large anything is. Colours and contrasts: docs/guide/patients-window.md.
"""

from dataclasses import dataclass
from math import ceil

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
SMALLEST_TEXT = 26
"""px; only captions are smaller."""
LARGER = 1.25
"""How much larger the text is where the patient asked for large text."""
FOCUS_OUTER, FOCUS_INNER = 4, 2
"""Width of the two rings around what has the focus, in px."""

PORTRAIT = (800, 1280)
"""Width and height of the patient's window, px."""


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
    """Lengths in px, and whether the window is taller than wide."""

    portrait: bool
    heading: int
    guidance: int
    body: int
    caption: int
    button: int
    quiet: int
    """Text of the buttons around the page."""
    key: int
    """Text of the keys of the PIN pad."""
    primary: int
    """Least height and width of what goes on with the visit, and of the keys of the PIN pad."""
    secondary: int
    """Least height of other buttons."""
    top: int
    """Height of the row with the steps and the time."""
    leading: float
    """Distance of two lines of text, in heights of its letters."""
    margin: int
    gap: int
    tight: int


@dataclass(frozen=True)
class Look:
    """How one window looks now."""

    colours: Colours
    sizes: Sizes
    dark: bool = False


def look(width: int, height: int, density_dpi: float, mode: str = "normal") -> Look:
    """Return the look for a window of this size in px on a display of this density, in this mode (flow.DisplayMode).

    Targets are at least PRIMARY_MM and SECONDARY_MM at that density. Text grows with ``mode``; targets and gaps do not,
    because they are large already and the window is not larger.
    """
    large, dark = mode.startswith("large"), mode.endswith("contrast")
    portrait = height >= width
    per_mm = density_dpi / MM_PER_INCH

    def text(portrait_px: int, landscape_px: int) -> int:
        return round((portrait_px if portrait else landscape_px) * (LARGER if large else 1))

    sizes = Sizes(
        portrait=portrait,
        heading=text(38, 32),
        guidance=text(32, 28),
        body=text(28, 26),
        caption=text(22, 20),
        button=text(32, 30),
        quiet=text(26, 26),
        key=text(48, 48),
        primary=max(120, ceil(PRIMARY_MM * per_mm)),
        secondary=max(80, ceil(SECONDARY_MM * per_mm)),
        top=(124 if large else 104) if portrait else max(84, ceil(SECONDARY_MM * per_mm)),
        leading=1.4 if portrait else 1.3,
        margin=32 if portrait else 24,
        gap=24 if portrait else 16,
        tight=14 if portrait else 10,
    )
    return Look(CONTRAST if dark else LIGHT, sizes, dark)


NORMAL = look(800, 1280, 150)
"""A 10.1 inch display, upright."""


def style_sheet(seen: Look = NORMAL, language: str = "ja") -> str:
    """Return the style sheet; widgets are told apart by the dynamic properties ``kind`` and ``tone``."""
    family = ", ".join(f'"{name}"' for name in (*FONTS_OF.get(language, ()), *FONTS))
    c, s = seen.colours, seen.sizes
    return f"""
    QWidget {{ font-family: {family}; color: {c.ink}; font-size: {s.body}px; }}
    QWidget#patient_window, QFrame#language_chooser {{ background: {c.background}; }}
    QLabel[kind="heading"] {{ font-size: {s.heading}px; font-weight: 700; }}
    QLabel[kind="body"] {{ font-size: {s.body}px; }}
    QLabel[kind="caption"] {{ font-size: {s.caption}px; color: {c.soft}; }}
    QLabel[kind="strong"] {{ font-size: {s.body}px; font-weight: 700; }}
    QLabel[kind="guidance"] {{ font-size: {s.guidance}px; font-weight: 700; color: {c.primary}; }}
    QLabel[kind="time"] {{ font-size: {s.caption}px; font-weight: 700; color: {c.warning}; }}
    QLabel[kind="badge"] {{ font-size: 20px; font-weight: 700; color: {c.ink}; background: {c.warning_tint};
        border: 2px solid {c.soft}; border-radius: 8px; padding: 0 12px; }}
    QFrame[tone] {{ border-radius: 16px; border: 3px solid {c.line}; background: {c.surface}; }}
    QFrame[tone="error"] {{ background: {c.error_tint}; border-color: {c.error}; }}
    QFrame[tone="warning"] {{ background: {c.warning_tint}; border-color: {c.warning}; }}
    QFrame[tone="success"] {{ background: {c.success_tint}; border-color: {c.success}; }}
    QFrame[tone] QLabel {{ background: transparent; border: none; }}
    QFrame[tone="error"] QLabel[kind="strong"] {{ color: {c.error}; }}
    QFrame[tone="warning"] QLabel[kind="strong"] {{ color: {c.warning}; }}
    QFrame[tone="success"] QLabel[kind="heading"] {{ color: {c.success}; }}
    QPushButton {{ font-size: {s.button}px; font-weight: 700; border-radius: 16px; padding: 0 16px; }}
    QPushButton[kind="fill"] {{ color: {c.on_primary}; background: {c.primary}; border: 3px solid {c.primary}; }}
    QPushButton[kind="fill"]:pressed {{ color: {c.on_pressed}; background: {c.pressed}; border-color: {c.pressed}; }}
    QPushButton[kind="outline"] {{ color: {c.primary}; background: {c.background}; border: 3px solid {c.primary}; }}
    QPushButton[kind="outline"]:pressed {{ background: {c.held}; }}
    QPushButton[kind="quiet"] {{ color: {c.ink}; background: {c.background}; border: 2px solid {c.line};
        font-size: {s.quiet}px; }}
    QPushButton[kind="quiet"]:pressed {{ background: {c.held}; }}
    QPushButton[rank="secondary"] {{ font-size: {s.quiet}px; }}
    QPushButton[kind="key"] {{ color: {c.ink}; background: {c.background}; border: 3px solid {c.line};
        font-size: {s.key}px; }}
    QPushButton[kind="key"]:pressed {{ background: {c.held}; border-color: {c.primary}; }}
    """
