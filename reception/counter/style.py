"""How the counter's window looks: one style sheet from the tokens, and the few widgets that its parts are made of."""

from typing import Literal

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QKeySequence, QPainter, QPaintEvent, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from reception.patient import tokens

ButtonKind = Literal["fill", "outline", "quiet"]
Tone = Literal["error", "warning", "success", "plain"]


def style_sheet() -> str:
    """Return the sheet: staff sit close and use mouse and keys, so all is smaller than for patients (16 to 24 px).

    The focus changes colours only: another width of a border would move everything else.
    """
    family = ", ".join(f'"{name}"' for name in tokens.FONTS)
    ink, soft, line, white = tokens.INK, tokens.INK_SOFT, tokens.LINE, tokens.WHITE
    tones = {
        "error": f"background: {tokens.RED_TINT}; border: 2px solid {tokens.RED};",
        "warning": f"background: {tokens.YELLOW_TINT}; border: 2px solid {tokens.ORANGE};",
        "success": f"background: {tokens.GREEN_TINT}; border: 2px solid {tokens.GREEN};",
        "plain": f"background: {tokens.SURFACE}; border: 1px solid {line};",
    }
    frames = " ".join(
        f'QFrame[tone="{tone}"] {{ {look} border-radius: 8px; }}' for tone, look in tones.items()
    )
    return f"""
    QWidget {{ font-family: {family}; color: {ink}; font-size: 17px; }}
    QWidget#counter_window {{ background: {white}; }}
    QLabel[kind="heading"] {{ font-size: 24px; font-weight: 700; }}
    QLabel[kind="strong"] {{ font-weight: 700; }}
    QLabel[kind="caption"] {{ font-size: 16px; color: {soft}; }}
    {frames}
    QFrame[tone] QLabel {{ background: transparent; border: none; }}
    QFrame[tone] QLabel[kind="badge"] {{ font-size: 16px; font-weight: 700; background: {tokens.YELLOW_TINT};
        border: 2px solid {soft}; border-radius: 6px; padding: 0 10px; }}
    QFrame[tone="error"] QLabel[kind="heading"], QFrame[tone="error"] QLabel[kind="strong"] {{ color: {tokens.RED}; }}
    QFrame[tone="success"] QLabel[kind="heading"] {{ color: {tokens.GREEN}; }}
    QPushButton[kind] {{ font-weight: 700; border-radius: 6px; min-height: 36px; padding: 0 12px; }}
    QPushButton[kind="fill"] {{ color: {white}; background: {tokens.BLUE}; border: 2px solid {tokens.BLUE}; }}
    QPushButton[kind="outline"] {{ color: {tokens.BLUE}; background: {white}; border: 2px solid {tokens.BLUE}; }}
    QPushButton[kind="quiet"] {{ background: {white}; border: 2px solid {line}; }}
    QPushButton[kind="fill"]:pressed {{ background: {tokens.BLUE_PRESSED}; }}
    QPushButton[kind="outline"]:pressed, QPushButton[kind="quiet"]:pressed {{ background: {tokens.BLUE_LINE}; }}
    QComboBox, QLineEdit {{ background: {white}; border: 2px solid {line}; border-radius: 6px; min-height: 36px;
        padding: 0 8px; }}
    QComboBox::drop-down {{ border: 0; width: 26px; }}
    QComboBox QAbstractItemView {{ background: {white}; selection-background-color: {tokens.BLUE_TINT};
        selection-color: {ink}; }}
    QRadioButton {{ min-height: 30px; }}
    QPushButton[kind]:focus {{ border: 2px solid {ink}; background: {tokens.YELLOW}; color: {ink}; }}
    QComboBox:focus, QLineEdit:focus {{ border: 2px solid {ink}; background: {tokens.YELLOW_TINT}; }}
    QRadioButton:focus {{ background: {tokens.YELLOW}; }}
    QTabBar::tab {{ min-height: 36px; padding: 0 14px; border: 2px solid {white}; border-bottom: 4px solid #E6E6E6;
        background: {white}; }}
    QTabBar::tab:selected {{ border-bottom-color: {tokens.BLUE}; color: {tokens.BLUE}; font-weight: 700; }}
    QTabBar::tab:focus {{ background: {tokens.YELLOW}; border-color: {ink}; color: {ink}; }}
    QTabWidget::pane {{ border: 0; }}
    QTableView {{ font-size: 16px; border: 1px solid {line}; gridline-color: #E6E6E6;
        selection-background-color: {tokens.BLUE_TINT}; selection-color: {ink}; }}
    QTableView:focus {{ border: 1px solid {ink}; background: #FFFDF5; }}
    QTableView::item:selected {{ font-weight: 700; }}
    QHeaderView::section {{ font-size: 16px; padding: 4px 6px; border: 0; background: {tokens.SURFACE}; }}
    QScrollArea {{ border: 0; background: {white}; }}
    QWidget[page="true"] {{ background: {white}; }}
    """


class Text(QLabel):
    """A plain text that wraps where its column ends."""

    def __init__(self, kind: str = "body", text: str = "", *, name: str = "", wraps: bool = True) -> None:
        super().__init__(text)
        self.setProperty("kind", kind)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(wraps)
        if name:
            self.setObjectName(name)

    def show_text(self, text: str) -> None:
        """Show the text; an empty one takes no room."""
        self.setText(text)
        self.setVisible(bool(text))


class Choice(QComboBox):
    """A list to choose from; with our borders Qt draws no arrow of its own. It is no wider than it must be."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(said)
        self.setMinimumContentsLength(6)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.INK))
        right, middle = self.width() - 18, self.height() / 2
        painter.drawPolygon(
            [QPointF(right - 6, middle - 3), QPointF(right + 6, middle - 3), QPointF(right, middle + 5)]
        )
        painter.end()


def button(name: str, label: str, kind: ButtonKind = "quiet", key: str = "") -> QPushButton:
    """Make a button; ``key`` presses it, and stands behind its label."""
    made = QPushButton()
    made.setObjectName(name)
    made.setProperty("kind", kind)
    # Reached by Tab: a click leaves no ring behind, and does not take the field that staff are typing in away.
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if key:
        # Not the button's own shortcut: that acts late, and is forgotten with every new label.
        made.setProperty("key", key)
        QShortcut(QKeySequence(key), made).activated.connect(made.click)
    relabel(made, label)
    return made


def relabel(made: QPushButton, label: str) -> None:
    """Give a button another label, for eyes and ears alike; its key stays."""
    key = made.property("key")
    made.setText(f"{label}  {key}" if key else label)
    made.setAccessibleName(label)


def keeps_its_place(widget: QWidget) -> None:
    """Let a widget that is hidden for now keep its room, so that nothing else moves."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    widget.setSizePolicy(policy)


def set_tone(frame: QWidget, tone: Tone) -> None:
    """Colour a frame and what is in it."""
    if frame.property("tone") == tone:
        return
    frame.setProperty("tone", tone)
    for widget in (frame, *frame.findChildren(QLabel)):
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def scrolled(page: QWidget) -> QScrollArea:
    """Return the page in an area that scrolls where a display is too low for it, and takes no focus itself."""
    area = QScrollArea()
    page.setProperty("page", True)
    area.setWidget(page)
    area.setWidgetResizable(True)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


class Group(QFrame):
    """A framed column; with a title, that says what it is for."""

    def __init__(self, tone: Tone = "plain", title: str = "") -> None:
        super().__init__()
        self.setProperty("tone", tone)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(12, 8, 12, 8)
        self.column.setSpacing(6)
        if title:
            self.column.addWidget(Text("strong", title))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
