"""Buttons for fingers."""

import time
from dataclasses import dataclass
from math import ceil
from typing import ClassVar, Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QApplication,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
)

from reception.patient import tokens
from reception.patient.tokens import Look
from reception.patient.widgets.lettering import lines_of, widest
from reception.patient.widgets.painted import Painted, begin
from reception.patient.widgets.pictograms import Pictogram, draw
from reception.texts import lines

ButtonKind = Literal["fill", "outline", "quiet", "key"]
ButtonSize = Literal["primary", "secondary", "hint"]
SAME_PLACE = 60
"""Two presses closer than this many px are on the same place for a finger."""
GUARD_S = 0.25
"""A touch this soon after a page has come was meant for the page before: it is seen, and does nothing."""
LEADING = 1.15
"""Distance of two lines on a button, in heights of its letters: short texts, read at a glance."""


class BigButton(QPushButton, Painted):
    """A button for fingers; acts on release, and only once for a double tap.

    The second tap of a double tap would otherwise answer the next question, unread.
    """

    guard_s: ClassVar[float] = GUARD_S
    _last_press: ClassVar[tuple[int, QPointF]] = (-1_000_000, QPointF())
    _changed_at: ClassVar[float] = -1.0

    def __init__(self, name: str, label: str, kind: ButtonKind, height: int) -> None:
        super().__init__(label)
        self._guarded = False
        self.setObjectName(name)
        self.setAccessibleName(lines.joined(label))
        self.setProperty("kind", kind)
        self.setMinimumHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        # Reached by keyboard only: a tap leaves no ring behind that looks like a choice already made.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    @classmethod
    def page_changed(cls) -> None:
        """Begin the time in which a touch does nothing yet."""
        BigButton._changed_at = time.monotonic()

    def relabel(self, label: str) -> None:
        """Show another label, for eyes and ears alike."""
        if label != self.text():
            self.setText(label)
            self.setAccessibleName(lines.joined(label))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._is_second_tap(event) or time.monotonic() - BigButton._changed_at < self.guard_s:
            self._guarded = True
            self.setDown(True)
            event.accept()
        else:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._guarded:
            self._guarded = False
            self.setDown(False)
            event.accept()
        else:
            super().mouseReleaseEvent(event)

    @classmethod
    def _is_second_tap(cls, event: QMouseEvent) -> bool:
        """Say whether this press follows another one at once, in the same place: on this page or the one before."""
        at, where = event.timestamp(), event.globalPosition()
        (at_before, where_before), BigButton._last_press = BigButton._last_press, (at, where)
        soon = 0 <= at - at_before < QApplication.doubleClickInterval()
        return soon and (where - where_before).manhattanLength() < SAME_PLACE

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.click()
        else:
            super().keyPressEvent(event)

    def paint_focus(self) -> None:
        """Paint the two rings of the focus, if it is here; one of them shows on every ground."""
        if not self.hasFocus():
            return
        painter = begin(self)
        colours, sizes = self.look.colours, self.look.sizes
        outer, inner = max(4, sizes.px(tokens.FOCUS_OUTER_MM)), max(2, sizes.px(tokens.FOCUS_INNER_MM))
        corner = sizes.px(2)
        for inset, width, colour in (
            (outer / 2, outer, colours.focus_outer),
            (outer + inner / 2, inner, colours.focus_inner),
        ):
            painter.setPen(QPen(QColor(colour), width))
            box = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
            painter.drawRoundedRect(box, max(1, corner - inset), max(1, corner - inset))
        painter.end()


@dataclass(frozen=True)
class _Laid:
    """What stands on a button at one of its widths, px."""

    face: QFont
    label: tuple[str, ...]
    note: tuple[str, ...]
    wide: float
    """Of the widest line."""
    side: float
    """Of the picture; 0: none."""
    above: bool
    """The picture stands above the label, not beside it."""

    @property
    def step(self) -> float:
        """The height of a line of the label."""
        return self.face.pixelSize() * LEADING


class TouchButton(BigButton):
    """A patient's button: a picture, a label that breaks its own lines, and perhaps a note in smaller letters.

    ``largest`` and ``above`` are set for buttons that must look alike: the letters of the one with the least room, and
    the picture above the label where it has no room beside it on one of them.
    """

    def __init__(
        self,
        name: str,
        label: str,
        kind: ButtonKind,
        size: ButtonSize = "primary",
        picture: Pictogram = "",
        note: str = "",
    ) -> None:
        self._size: ButtonSize = size
        self._picture: Pictogram = picture
        self._note = note
        self.largest = 0
        self.above = size == "hint"
        self._laid_of: object = None
        self._laid_at: dict[int, _Laid] = {}
        super().__init__(name, label, kind, 0)
        self.setProperty("rank", size)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.setAccessibleDescription(lines.joined(note))
        self.apply_theme(tokens.NORMAL)

    @property
    def primary(self) -> bool:
        """It goes on with the visit, and is at least PRIMARY_MM large."""
        return self._size == "primary"

    @property
    def words(self) -> str:
        """What it says."""
        return self.text()

    def breaks(self, width: int) -> list[int]:
        """Return where it may be cut: nowhere but above it."""
        return [0]

    @property
    def rank(self) -> ButtonSize:
        """How important it is."""
        return self._size

    @property
    def letters(self) -> int:
        """The height of its letters as it is now, in px."""
        return self._laid(self.width()).face.pixelSize()

    def apply_theme(self, look: Look) -> None:
        """Be as high as this look asks for."""
        super().apply_theme(look)
        self._laid_of = None
        least = look.sizes.primary if self.primary else look.sizes.secondary
        self.setMinimumSize(least, least)

    def relabel(self, label: str, note: str | None = None, picture: Pictogram | None = None) -> None:
        """Show another label, and another note or picture where one is given."""
        note = self._note if note is None else note
        picture = self._picture if picture is None else picture
        if (label, note, picture) != (self.text(), self._note, self._picture):
            self._note, self._picture = note, picture
            super().relabel(label)
            self.setAccessibleDescription(lines.joined(self._note))
            self.updateGeometry()
            self.update()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return max(self.minimumHeight(), round(self._content(self._laid(width)) + 2 * self._inset()[1]))

    def _content(self, laid: _Laid) -> float:
        """Return how high picture, label and note are together, in px."""
        words = len(laid.label) * laid.step + len(laid.note) * self._note_line()
        words += self._gap() if laid.note else 0
        return words + laid.side + self._gap() / 2 if laid.above and laid.side else max(words, laid.side)

    def sizeHint(self) -> QSize:
        wide = widest(self.text().split("\n"), self._font(self._sizes()[0]))
        beside = 0.0 if self.above else self._side(self._sizes()[0]) + self._gap()
        width = int(wide + beside + 2 * self._inset()[0]) + 2
        return QSize(max(width, self.minimumWidth()), self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return self.minimumSize()

    def line_width(self) -> int:
        """Return the width in px in which its label has one line, in the smallest letters that it may have."""
        size = self._sizes()[-1]
        beside = self._side(size) + self._gap() if self._picture else 0.0
        return int(widest([self.text()], self._font(size)) + beside + 2 * self._inset()[0]) + 2

    def fits(self) -> bool:
        """Say whether label and note are inside the button."""
        laid = self._laid(self.width())
        beside = 0 if laid.above or not laid.side else laid.side + self._gap()
        room = self.width() - 2 * self._inset()[0] - beside
        return laid.wide <= room + 1 and self.height() >= self.heightForWidth(self.width())

    def needs(self, width: int) -> tuple[int, bool]:
        """Return the letters in px and whether the picture stands above, as this button alone would have them."""
        largest, above = self.largest, self.above
        self.largest, self.above = 0, self._size == "hint"
        laid = self._lay(width)
        self.largest, self.above = largest, above
        return laid.face.pixelSize(), laid.above

    def alike(self, letters: int, *, above: bool) -> None:
        """Look like the others of a group."""
        if (letters, above) != (self.largest, self.above):
            self.largest, self.above = letters, above
            self.updateGeometry()
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        pressed = bool(option.state & QStyle.StateFlag.State_Sunken)
        option.text = ""
        # The two rings say where the focus is; the style's own frame would lie below them.
        option.state &= ~QStyle.StateFlag.State_HasFocus
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        painter.setRenderHint(QStylePainter.RenderHint.Antialiasing)
        ink, ground = self._colours(pressed=pressed)
        laid = self._laid(self.width())
        content = self._content(laid)
        top = (self.height() - content) / 2
        middle, left, side = self.width() / 2, (self.width() - laid.wide) / 2, laid.side
        if side and laid.above:
            draw(painter, self._picture, QRectF(middle - side / 2, top, side, side), ink, ground)
            top += side + self._gap() / 2
        elif side:
            left = (self.width() - laid.wide - side - self._gap()) / 2
            draw(painter, self._picture, QRectF(left, (self.height() - side) / 2, side, side), ink, ground)
            left += side + self._gap()
        if not laid.above:
            words = len(laid.label) * laid.step + len(laid.note) * self._note_line()
            top = (self.height() - words - (self._gap() if laid.note else 0)) / 2
        painter.setPen(QColor(ink))
        at_left = bool(laid.note) and not laid.above
        for texts, face, step in (
            (laid.label, laid.face, laid.step),
            (laid.note, self._note_font(), self._note_line()),
        ):
            painter.setFont(face)
            for line in texts:
                self._write(painter, line, QRectF(left, top, laid.wide, step), at_left=at_left)
                top += step
            top += self._gap()
        painter.end()
        self.paint_focus()

    @staticmethod
    def _write(painter: QStylePainter, line: str, box: QRectF, *, at_left: bool) -> None:
        side = Qt.AlignmentFlag.AlignLeft if at_left else Qt.AlignmentFlag.AlignHCenter
        # The letters of Japanese fonts are higher than their line on a button.
        flags = side | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip | Qt.TextFlag.TextSingleLine
        painter.drawText(box.adjusted(-2, -box.height(), 2, box.height()), flags, line)

    def _colours(self, *, pressed: bool) -> tuple[str, str]:
        colours = self.look.colours
        match self.property("kind"):
            case "fill":
                pair = (colours.on_primary, colours.primary)
                return (colours.on_pressed, colours.pressed) if pressed else pair
            case "outline":
                return colours.primary, colours.held if pressed else colours.background
            case _:
                return colours.ink, colours.held if pressed else colours.background

    def _inset(self) -> tuple[int, int]:
        """Return what stays free at the sides, and above and below, in px."""
        px = self.look.sizes.px
        if isinstance(self, KeyButton):
            return px(0.7), px(0.7)
        if self.primary:
            return px(2.2), px(2.2)
        return (px(0.8), px(0.8)) if self._size == "secondary" else (px(0.6), px(0.9))

    def _laid(self, width: int) -> "_Laid":
        """Return what stands where at a width, which Qt asks for several times for each height and picture."""
        of = (
            (self.text(), self._note, self._picture, self.look.sizes, self.largest, self.above),
            tuple(self.font().families()),
        )
        if of != self._laid_of:
            self._laid_of, self._laid_at = of, {}
        if width not in self._laid_at:
            self._laid_at[width] = self._lay(width)
        return self._laid_at[width]

    def _sizes(self) -> list[int]:
        """Return the letters that are tried, in px: smaller, but never too small, where a label has no room."""
        sizes = self.look.sizes
        own = {"primary": sizes.button, "secondary": sizes.quiet, "hint": sizes.hint}[self._size]
        if self.property("kind") == "key":
            own = sizes.key
        least = ceil((tokens.HINT_MM if self._size == "hint" else tokens.BODY_MM) * sizes.unit)
        tried = [own, *(round(least + (own - least) * part) for part in (0.75, 0.5, 0.25)), least]
        return [size for size in tried if not self.largest or size <= self.largest] or [self.largest]

    def _lay(self, width: int) -> "_Laid":
        room = width - 2 * self._inset()[0]
        note_font = self._note_font()
        best: _Laid | None = None
        for most, ways in self._plans():
            sizes = self._sizes()
            # A small button of several lines is as low as it can be.
            for size in sizes if most == 1 or self.primary else sizes[-1:]:
                face, side = self._font(size), self._side(size)
                for above in ways if side else (True,):
                    if isinstance(self, KeyButton) and not self._holds(most, size, side):
                        side = 0.0
                    free = room if above else room - side - self._gap()
                    label = lines_of(self.text(), free, face)
                    note = lines_of(self._note, free, note_font) if self._note else ()
                    wide = max(widest(label, face), widest(note, note_font))
                    best = _Laid(face, label, note, wide, side, above and bool(side))
                    low = not isinstance(self, KeyButton) or self._holds(len(label), size, side)
                    if wide <= free and len(label) <= most and low:
                        return best
        assert best is not None
        return best

    def _holds(self, lines: int, letters: int, side: float) -> bool:
        """Say whether a key is high enough for so many lines with the picture above them."""
        high = lines * letters * LEADING + side + self._gap() / 2
        return high + 2 * self._inset()[1] <= self.minimumHeight()

    def _plans(self) -> tuple[tuple[int, tuple[bool, ...]], ...]:
        """Return what is tried: how many lines at most, with the picture beside (False) or above them (True).

        A small button would rather have smaller letters than two lines; a large one has room for three.
        """
        if self._size == "hint" or isinstance(self, KeyButton):
            return (1, (True,)), (2, (True,)), (3, (True,))
        ways = (True,) if self.above else (False, True)
        if self.primary:
            return (2, ways), (3, ways)
        return (1, (self.above,)), (2, ways), (3, ways)

    def _font(self, size: int) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(max(1, size))
        return font

    def _side(self, letters: int) -> float:
        """Return the side of the picture, in px."""
        if not self._picture:
            return 0.0
        return letters * (1.9 if self._note else 1.5 if self.primary else 1.0)

    def _gap(self) -> int:
        """Return the distance of picture, label and note, in px."""
        return self.look.sizes.px(1.6 if self.primary else 0.9)

    def _note_line(self) -> float:
        return self.look.sizes.hint * LEADING

    def _note_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(self.look.sizes.hint)
        font.setBold(False)
        return font


class KeyButton(TouchButton):
    """A key of the PIN pad; quick taps all count."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        QPushButton.mousePressEvent(self, event)
