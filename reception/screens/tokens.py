"""Colours, sizes and type: tokens of the Digital Agency design system, made into the sheet of the patient's window."""

BLUE = "#0017C1"
BLUE_PRESSED = "#000060"
BLUE_TINT = "#E8F1FE"
BLUE_LINE = "#C5D7FB"
INK = "#1A1A1A"
INK_SOFT = "#4D4D4D"
LINE = "#949494"
SURFACE = "#F2F2F2"
WHITE = "#FFFFFF"
GREEN = "#197A4B"
GREEN_TINT = "#E6F5EC"
RED = "#CE0000"
RED_TINT = "#FDEEEE"
ORANGE = "#C74700"
YELLOW_TINT = "#FBF5E0"
FOCUS_RING = "#FFD43D"

FONTS = ("Noto Sans JP", "Noto Sans CJK JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic")
"""Tried in this order; the first is the font of the design system."""

HEADING = 36
BODY = 28
CAPTION = 22
BUTTON = 32
PRIMARY_HEIGHT = 120
SECONDARY_HEIGHT = 80
KEY = 120
KEY_GAP = 16
GAP = 24
MARGIN = 32

PORTRAIT = (800, 1280)
"""Width and height of the patient's window, px."""


FONTS_OF = {"zh": ("Noto Sans SC", "Noto Sans CJK SC"), "ko": ("Noto Sans KR", "Noto Sans CJK KR")}
"""Chinese and Korean have forms of their own for many characters that Japanese writes, too."""


def style_sheet(language: str = "ja") -> str:
    """Return the one style sheet; widgets are told apart by the dynamic properties ``kind`` and ``tone``."""
    family = ", ".join(f'"{name}"' for name in (*FONTS_OF.get(language, ()), *FONTS))
    return f"""
    QWidget {{ font-family: {family}; color: {INK}; font-size: {BODY}px; }}
    QWidget#patient_window {{ background: {WHITE}; }}
    QLabel[kind="heading"] {{ font-size: {HEADING}px; font-weight: 700; }}
    QLabel[kind="body"] {{ font-size: {BODY}px; }}
    QLabel[kind="caption"] {{ font-size: {CAPTION}px; color: {INK_SOFT}; }}
    QLabel[kind="strong"] {{ font-size: {BODY}px; font-weight: 700; }}
    QLabel[kind="guidance"] {{ font-size: 32px; font-weight: 700; color: {BLUE}; }}
    QLabel[kind="time"] {{ font-size: 24px; font-weight: 700; color: {ORANGE}; }}
    QLabel[kind="badge"] {{ font-size: 20px; font-weight: 700; color: {INK}; background: {YELLOW_TINT};
        border: 2px solid {INK_SOFT}; border-radius: 8px; padding: 0 12px; }}
    QFrame[tone="error"] {{ background: {RED_TINT}; border: 3px solid {RED}; border-radius: 16px; }}
    QFrame[tone="warning"] {{ background: {YELLOW_TINT}; border: 3px solid {ORANGE}; border-radius: 16px; }}
    QFrame[tone="success"] {{ background: {GREEN_TINT}; border: 3px solid {GREEN}; border-radius: 16px; }}
    QFrame[tone="plain"] {{ background: {SURFACE}; border: 1px solid {LINE}; border-radius: 16px; }}
    QFrame[tone] QLabel {{ background: transparent; border: none; }}
    QFrame[tone="error"] QLabel[kind="strong"] {{ color: {RED}; }}
    QFrame[tone="warning"] QLabel[kind="strong"] {{ color: {ORANGE}; }}
    QFrame[tone="success"] QLabel[kind="heading"] {{ color: {GREEN}; }}
    QPushButton {{ font-size: {BUTTON}px; font-weight: 700; border-radius: 16px; padding: 0 16px; }}
    QPushButton[kind="fill"] {{ color: {WHITE}; background: {BLUE}; border: 3px solid {BLUE}; }}
    QPushButton[kind="fill"]:pressed {{ background: {BLUE_PRESSED}; border-color: {BLUE_PRESSED}; }}
    QPushButton[kind="outline"] {{ color: {BLUE}; background: {WHITE}; border: 3px solid {BLUE}; }}
    QPushButton[kind="outline"]:pressed {{ background: {BLUE_LINE}; }}
    QPushButton[kind="quiet"] {{ color: {INK}; background: {WHITE}; border: 2px solid {LINE}; font-size: 26px; }}
    QPushButton[kind="quiet"]:pressed {{ background: {SURFACE}; }}
    QPushButton[kind="key"] {{ color: {INK}; background: {WHITE}; border: 3px solid {LINE}; font-size: 48px; }}
    QPushButton[kind="key"]:pressed {{ background: {BLUE_LINE}; border-color: {BLUE}; }}
    """
