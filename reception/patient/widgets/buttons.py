"""Buttons for fingers."""

from dataclasses import dataclass
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
ButtonSize = Literal["primary", "secondary"]
SAME_PLACE = 60
"""Two presses closer than this many px are on the same place for a finger."""
LEADING = 1.15
"""Distance of two lines on a button, in heights of its letters: short texts, read at a glance."""
ROUND = 16


class BigButton(QPushButton, Painted):
    """A button for fingers; acts on release, and only once for a double tap.

    The second tap of a double tap would otherwise answer the next question, unread. A fixed ``height`` is for the
    counter; the patient's buttons are TouchButtons.
    """

    _last_press: ClassVar[tuple[int, QPointF]] = (-1_000_000, QPointF())

    def __init__(self, name: str, label: str, kind: ButtonKind, height: int) -> None:
        super().__init__(label)
        self.setObjectName(name)
        self.setAccessibleName(lines.joined(label))
        self.setProperty("kind", kind)
        self.setMinimumHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        # Reached by keyboard only: a tap leaves no ring behind that looks like a choice already made.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def relabel(self, label: str) -> None:
        """Show another label, for eyes and ears alike."""
        if label != self.text():
            self.setText(label)
            self.setAccessibleName(lines.joined(label))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._is_second_tap(event):
            event.accept()
        else:
            super().mousePressEvent(event)

    @classmethod
    def _is_second_tap(cls, event: QMouseEvent) -> bool:
        """Say whether this press follows another one at once, in the same place: on this page or the one before."""
        at, where = event.timestamp(), event.globalPosition()
        (at_before, where_before), cls._last_press = cls._last_press, (at, where)
        soon = 0 <= at - at_before < QApplication.doubleClickInterval()
        return soon and (where - where_before).manhattanLength() < SAME_PLACE

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self.paint_focus()

    def paint_focus(self) -> None:
        """Paint the two rings of the focus, if it is here; one of them shows on every ground."""
        if not self.hasFocus():
            return
        painter = begin(self)
        colours, outer, inner = self.look.colours, tokens.FOCUS_OUTER, tokens.FOCUS_INNER
        for inset, width, colour in (
            (outer / 2, outer, colours.focus_outer),
            (outer + inner / 2, inner, colours.focus_inner),
        ):
            painter.setPen(QPen(QColor(colour), width))
            box = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
            painter.drawRoundedRect(box, ROUND - inset, ROUND - inset)
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
    beside: float
    """What the picture and its distance take."""

    @property
    def step(self) -> float:
        """The height of a line of the label."""
        return self.face.pixelSize() * LEADING


class TouchButton(BigButton):
    """A patient's button: a picture, a label that breaks its own lines, and perhaps a note in smaller letters."""

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
        self._laid_of: object = None
        self._laid_at: dict[int, _Laid] = {}
        super().__init__(name, label, kind, 0)
        self.setProperty("rank", size)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.apply_theme(tokens.NORMAL)

    @property
    def primary(self) -> bool:
        """It goes on with the visit, and is at least PRIMARY_MM large."""
        return self._size == "primary"

    def apply_theme(self, look: Look) -> None:
        """Be as high as this look asks for."""
        super().apply_theme(look)
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
        laid = self._laid(width)
        needed = len(laid.label) * laid.step + len(laid.note) * self._note_line()
        # Two lines have to do with the height of a small button; more make it higher, and then keep off its border.
        around = 14 if self.primary else 2 if len(laid.label) + len(laid.note) < 3 else 8
        return max(self.minimumHeight(), int(needed) + 2 * around + self._note_gap())

    def sizeHint(self) -> QSize:
        wide = widest(self.text().split("\n"), self.font())
        width = int(wide + self._laid(10_000).beside + 2 * self._padding()) + 2
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return self.minimumSize()

    def fits(self) -> bool:
        """Say whether label and note are inside the button."""
        laid = self._laid(self.width())
        room = self.width() - 2 * self._padding() - laid.beside
        return laid.wide <= room and self.height() >= self.heightForWidth(self.width())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        pressed = bool(option.state & QStyle.StateFlag.State_Sunken)
        option.text = ""
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        painter.setRenderHint(QStylePainter.RenderHint.Antialiasing)
        ink, ground = self._colours(pressed=pressed)
        laid = self._laid(self.width())
        side, wide, step = laid.side, laid.wide, laid.step
        left = (self.width() - wide - laid.beside) / 2
        if side:
            draw(painter, self._picture, QRectF(left, (self.height() - side) / 2, side, side), ink, ground)
        left += laid.beside
        high = len(laid.label) * step + len(laid.note) * self._note_line() + self._note_gap()
        top = (self.height() - high) / 2
        painter.setPen(QColor(ink))
        painter.setFont(laid.face)
        for line in laid.label:
            self._write(painter, line, QRectF(left, top, wide, step), at_left=bool(laid.note))
            top += step
        painter.setFont(self._note_font())
        for line in laid.note:
            self._write(
                painter, line, QRectF(left, top + self._note_gap(), wide, self._note_line()), at_left=True
            )
            top += self._note_line()
        painter.end()
        self.paint_focus()

    @staticmethod
    def _write(painter: QStylePainter, line: str, box: QRectF, *, at_left: bool) -> None:
        side = Qt.AlignmentFlag.AlignLeft if at_left else Qt.AlignmentFlag.AlignHCenter
        # The letters of Japanese fonts are higher than their line on a button.
        flags = side | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip | Qt.TextFlag.TextSingleLine
        painter.drawText(box.adjusted(-2, -8, 2, 8), flags, line)

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

    def _padding(self) -> int:
        return 14 if self.primary else 5

    def _laid(self, width: int) -> "_Laid":
        """Return what stands where at a width, which Qt asks for several times for each height and picture."""
        font = self.font()
        of = (
            (self.text(), self._note, self._picture, self.minimumHeight(), self.look.sizes),
            (tuple(font.families()), font.pixelSize(), font.bold()),
        )
        if of != self._laid_of:
            self._laid_of, self._laid_at = of, {}
        if width not in self._laid_at:
            self._laid_at[width] = self._lay(width)
        return self._laid_at[width]

    def _lay(self, width: int) -> "_Laid":
        face, note_font = self._face(width), self._note_font()
        side = self._side(width, face, note_font)
        beside = side + self._space() if side else 0.0
        room = width - 2 * self._padding() - beside
        label = lines_of(self.text(), room, face)
        note = lines_of(self._note, room, note_font) if self._note else ()
        return _Laid(face, label, note, max(widest(label, face), widest(note, note_font)), side, beside)

    def _side(self, width: int, face: QFont, note_font: QFont) -> float:
        """Return the side of the picture; 0 where the label has no room beside it."""
        if not self._picture:
            return 0.0
        share = (1.8 if self._note else 1.25) if self.primary else 1.1
        side = self.font().pixelSize() * share
        room = width - 2 * self._padding() - side - self._space()
        label = lines_of(self.text(), room, face)
        high = len(label) * face.pixelSize() * LEADING + (self._note_line() if self._note else 0)
        wide = max(widest(label, face), 0.0 if self.primary else widest([self._note], note_font))
        fits = wide <= room and (self.primary or high <= self.minimumHeight() - 4)
        return side if fits else 0.0

    def _face(self, width: int) -> QFont:
        """Return the font of the label: smaller, but not too small, where it would not fit otherwise."""
        font, room = self.font(), width - 2 * self._padding()
        for size in (font.pixelSize(), self.look.sizes.quiet, tokens.SMALLEST_TEXT):
            font.setPixelSize(max(1, size))
            label = lines_of(self.text(), room, font)
            high = len(label) * size * LEADING + (self._note_line() if self._note else 0)
            if widest(label, font) <= room and (self.primary or high <= self.minimumHeight() - 4):
                break
        return font

    def _space(self) -> int:
        """Return the distance of picture and label."""
        return 12 if self.primary else 8

    def _note_gap(self) -> int:
        return 4 if self._note and self.primary else 0

    def _note_line(self) -> float:
        return self.look.sizes.caption * LEADING

    def _note_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(self.look.sizes.caption)
        font.setBold(False)
        return font


class KeyButton(TouchButton):
    """A key of the PIN pad; quick taps all count."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        QPushButton.mousePressEvent(self, event)
