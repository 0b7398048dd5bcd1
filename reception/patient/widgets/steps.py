"""The four steps of a visit."""

from collections.abc import Mapping
from math import ceil

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from reception.patient import tokens
from reception.patient.tokens import Composition, Look
from reception.patient.widgets.lettering import lines_of, widest, width_of
from reception.patient.widgets.painted import Painted, begin
from reception.patient.widgets.pictograms import Pictogram, draw
from reception.texts import N_, Catalogue
from reception.texts.wording import STEPS

PICTURES: tuple[Pictogram, ...] = ("card", "face", "consent", "seat")
LEADING = 1.1
RADIUS: Mapping[Composition, float] = {"portrait": 4.6, "compact": 3.4, "roomy": 4.4}
"""Units."""


class StepBar(QWidget, Painted):
    """The steps with number, word and picture; done, current and coming differ in shape, not only in colour."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._t = t
        self._words = [t(step) for step in STEPS]
        self._current = -1
        self._all_done = False
        self._type_of: object = None
        self._type_is = (1, 1)
        self.show_step(0, all_done=False)
        self.apply_theme(self.look)

    def show_step(self, current: int, *, all_done: bool) -> None:
        """Mark step ``current`` (1 to 4, 0: none); ``all_done`` ticks the last one off too."""
        if (current, all_done) == (self._current, self._all_done):
            return
        self._current, self._all_done = current, all_done
        t, name = self._t, self._words[current - 1]
        here = t(N_("{count}つの手順の{n} {name}"), count=len(STEPS), n=current, name=name)
        self.setAccessibleName(here if current else t(N_("手順")))
        self.update()

    def apply_theme(self, look: Look) -> None:
        """Use the lengths of this look."""
        super().apply_theme(look)
        self.updateGeometry()

    def height_at(self, width: int) -> int:
        """Return how high it is at this width, in px."""
        px = self.look.sizes.px
        if self._in_pairs(width):
            return px(13)
        if self._flat:
            return px(10.5)
        size, count = self._type(width)
        return round(2 * self._radius() + px(1.6) + count * size * LEADING)

    @property
    def _flat(self) -> bool:
        """The words stand beside the circles."""
        return self.look.sizes.composition == "roomy" or self._in_pairs(self.width())

    def _in_pairs(self, width: int) -> bool:
        """Say whether the steps stand in two rows, because a word has no room below its circle in a small window."""
        sizes = self.look.sizes
        if sizes.composition != "compact":
            return False
        face, slot = (
            self._font(ceil(tokens.HINT_MM * sizes.unit), bold=True),
            width / len(STEPS) - sizes.px(0.5),
        )
        return max(width_of(word, face) for word in self._words) > slot

    def _slot(self, width: int) -> float:
        """Return the room for one word, in px."""
        share, px = self._share(width), self.look.sizes.px
        if self._in_pairs(width):
            return share - 2 * self._radius() - px(2)
        return share - 2 * self._radius() - px(6) if self._flat else share - px(0.5)

    def _share(self, width: int) -> float:
        """Return the width that one step has, in px."""
        return width / (2 if self._in_pairs(width) else len(STEPS))

    def _type(self, width: int) -> tuple[int, int]:
        """Return the letters in px and the lines that the words need: smaller only where a word has no room."""
        of = (width, self.look.sizes, tuple(self.font().families()))
        if of != self._type_of:
            self._type_of, self._type_is = of, self._fitted(width)
        return self._type_is

    def _fitted(self, width: int) -> tuple[int, int]:
        sizes, slot = self.look.sizes, self._slot(width)
        least = ceil(tokens.HINT_MM * sizes.unit)
        for size in range(sizes.hint, least - 1, -1):
            if max(width_of(word, self._font(size, bold=True)) for word in self._words) <= slot:
                return size, 1
        return least, max(len(lines_of(word, slot, self._font(least, bold=True))) for word in self._words)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = begin(self)
        for number in range(1, len(STEPS) + 1):
            self._draw_step(painter, number)
        painter.setPen(QColor(self.look.colours.ink))
        for number, (lines, box) in enumerate(self._placed(), 1):
            here = number == self._current
            painter.setFont(self._font(self._type(self.width())[0], bold=here))
            painter.setPen(QColor(self.look.colours.primary if here else self.look.colours.soft))
            side = Qt.AlignmentFlag.AlignLeft if self._flat else Qt.AlignmentFlag.AlignHCenter
            step = box.height() / len(lines)
            for at, line in enumerate(lines):
                place = QRectF(box.left() - 2, box.top() + at * step, box.width() + 4, step)
                painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip, line)
        painter.end()

    @property
    def letters(self) -> int:
        """The height of its letters, in px."""
        return self._type(self.width())[0]

    def _here(self, number: int) -> bool:
        return number == self._current and not self._all_done

    def _done(self, number: int) -> bool:
        return number < self._current or (self._all_done and number == self._current)

    def _middle(self, number: int) -> QPointF:
        """Return the middle of a circle."""
        share, radius = self._share(self.width()), self._radius()
        edge = self.look.sizes.px(0.5)
        if self._in_pairs(self.width()):
            row, column = divmod(number - 1, 2)
            return QPointF(share * column + radius + edge, self.height() * (2 * row + 1) / 4)
        if self._flat:
            return QPointF(share * (number - 1) + radius + edge, self.height() / 2)
        return QPointF(share * (number - 0.5), radius + edge)

    def _draw_step(self, painter: QPainter, number: int) -> None:
        colours, px, radius, middle = (
            self.look.colours,
            self.look.sizes.px,
            self._radius(),
            self._middle(number),
        )
        done, here = self._done(number), self._here(number)
        if number < len(STEPS) and not self._in_pairs(self.width()):
            painter.setPen(QPen(QColor(colours.success if done else colours.line), px(0.6)))
            reach, share = radius + px(1.2), self._share(self.width())
            begun = QPointF(reach, 0)
            if self._flat:
                _, box = self._placed()[number - 1]
                begun = QPointF(box.right() + px(1.5) - middle.x(), 0)
            if share - reach - begun.x() > px(1):
                painter.drawLine(middle + begun, middle + QPointF(share - reach, 0))
        edge = colours.success if done else colours.primary if here else colours.line
        fill = colours.success if done else colours.primary if here else colours.background
        painter.setPen(QPen(QColor(edge), px(0.5)))
        painter.setBrush(QColor(fill))
        painter.drawEllipse(middle, radius, radius)
        ink = colours.on_success if done else colours.on_primary if here else colours.soft
        side = radius * 1.15
        box = QRectF(middle.x() - side / 2, middle.y() - side / 2, side, side)
        draw(painter, "done" if done else PICTURES[number - 1], box, ink, fill)

    def _placed(self) -> list[tuple[tuple[str, ...], QRectF]]:
        """Return the lines of every word with where they are painted."""
        size, _ = self._type(self.width())
        slot, found = self._slot(self.width()), []
        for number, word in enumerate(self._words, 1):
            face = self._font(size, bold=number == self._current)
            lines = lines_of(word, slot, face)
            wide, high = widest(lines, face), len(lines) * size * LEADING
            middle, px = self._middle(number), self.look.sizes.px
            if self._flat:
                box = QRectF(middle.x() + self._radius() + px(1.1), middle.y() - high / 2, wide, high)
            else:
                box = QRectF(middle.x() - wide / 2, 2 * self._radius() + px(1.4), wide, high)
            found.append((lines, box))
        return found

    def word_boxes(self) -> list[QRectF]:
        """Return where the words are painted; no two may touch, and all must be inside."""
        return [box for _, box in self._placed()]

    def _radius(self) -> float:
        if self._in_pairs(self.width()):
            return self.look.sizes.px(2.8)
        return self.look.sizes.px(RADIUS[self.look.sizes.composition])

    def _font(self, size: int, *, bold: bool) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(size)
        font.setBold(bold)
        return font
