"""The four steps of a visit, and the time that is left."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from reception.patient.tokens import Look
from reception.patient.widgets.lettering import width_of
from reception.patient.widgets.painted import Painted, begin
from reception.patient.widgets.pictograms import Pictogram, draw
from reception.texts import N_, Catalogue
from reception.texts.wording import STEPS

PICTURES: tuple[Pictogram, ...] = ("card", "face", "consent", "seat")
SMALLEST = 20
NARROW = 400
"""Below this width in px the circles are smaller, and letters are no larger than they must be."""


class StepBar(QWidget, Painted):
    """The steps with number, word and picture; done, current and coming differ in shape, not only in colour."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._t = t
        self._words = [t(step) for step in STEPS]
        self._current = -1
        self._all_done = False
        self.show_step(0, all_done=False)
        self.apply_theme(self.look)

    def apply_theme(self, look: Look) -> None:
        """Be as high as this look's top row."""
        super().apply_theme(look)
        self.setFixedHeight(look.sizes.top)

    def show_step(self, current: int, *, all_done: bool) -> None:
        """Mark step ``current`` (1 to 4, 0: none); ``all_done`` ticks the last one off too."""
        if (current, all_done) == (self._current, self._all_done):
            return
        self._current, self._all_done = current, all_done
        t, name = self._t, self._words[current - 1]
        here = t(N_("{count}つの手順の{n} {name}"), count=len(STEPS), n=current, name=name)
        self.setAccessibleName(here if current else t(N_("手順")))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = begin(self)
        width, radius = self.width() / len(PICTURES), self._radius()
        for number in range(1, len(PICTURES) + 1):
            self._draw_step(painter, number, QPointF(width * (number - 0.5), radius + 3), radius, width)
        for number, line in self.word_lines():
            x = width * (number - 0.5)
            self._write(painter, line, self._box(line, x, here=self._here(number)), here=self._here(number))
        painter.end()

    def _here(self, number: int) -> bool:
        return number == self._current and not self._all_done

    def _done(self, number: int) -> bool:
        return number < self._current or (self._all_done and number == self._current)

    def _draw_step(
        self, painter: QPainter, number: int, middle: QPointF, radius: float, width: float
    ) -> None:
        colours = self.look.colours
        done, here = self._done(number), self._here(number)
        if number < len(PICTURES):
            painter.setPen(QPen(QColor(colours.success if done else colours.line), 4))
            reach = radius + 7
            if width > 2 * reach:
                painter.drawLine(middle + QPointF(reach, 0), middle + QPointF(width - reach, 0))
        edge = colours.success if done else colours.primary if here else colours.line
        fill = colours.success if done else colours.primary if here else colours.background
        painter.setPen(QPen(QColor(edge), 3))
        painter.setBrush(QColor(fill))
        painter.drawEllipse(middle, radius, radius)
        ink = colours.on_success if done else colours.on_primary if here else colours.soft
        side = radius * 1.15
        box = QRectF(middle.x() - side / 2, middle.y() - side / 2, side, side)
        draw(painter, PICTURES[number - 1], box, ink, fill)
        if done:
            self._tick(painter, middle + QPointF(radius * 0.78, radius * 0.62))

    def _tick(self, painter: QPainter, at: QPointF) -> None:
        colours = self.look.colours
        painter.setPen(QPen(QColor(colours.background), 2))
        painter.setBrush(QColor(colours.background))
        painter.drawEllipse(at, 12, 12)
        box = QRectF(at.x() - 12, at.y() - 12, 24, 24)
        draw(painter, "done", box, colours.success, colours.on_success)

    def word_lines(self) -> list[tuple[int, str]]:
        """Return the words below the circles, with the numbers of their steps."""
        words = [(number, f"{number} {word}") for number, word in enumerate(self._words, 1)]
        slot = self.width() / len(PICTURES) - 8
        fonts = [self._font(here=self._here(number)) for number, _ in words]
        if all(width_of(line, font) <= slot for (_, line), font in zip(words, fonts, strict=True)):
            return words
        here = [(number, word) for number, word in words if number == self._current]
        # A word too long for its place goes without its number; which circle it belongs to is seen.
        wide = any(width_of(word, self._font(here=True)) + 2 > self.width() for _, word in here)
        return [(number, word.partition(" ")[2]) for number, word in here] if wide else here

    def word_boxes(self) -> list[QRectF]:
        """Return where the words are painted; no two may touch, and all must be inside."""
        width = self.width() / len(PICTURES)
        return [
            self._box(line, width * (number - 0.5), here=self._here(number))
            for number, line in self.word_lines()
        ]

    def _radius(self) -> float:
        if self.width() < NARROW:
            return min(20.0, self.width() / len(PICTURES) / 2 - 4)
        return 27.0 if self.look.sizes.portrait else 22.0

    def _font(self, *, here: bool) -> QFont:
        font = QFont(self.font())
        size = self.look.sizes.caption
        font.setPixelSize(min(size, SMALLEST) if self.width() < NARROW else size)
        font.setBold(here)
        return font

    def _box(self, line: str, x: float, *, here: bool) -> QRectF:
        """Return where a word is painted: below its circle, or as near as the bar has room."""
        metrics = QFontMetricsF(self._font(here=here))
        wide, top = metrics.horizontalAdvance(line) + 2, 2 * self._radius() + 6
        left = min(max(0.0, x - wide / 2), max(0.0, self.width() - wide))
        return QRectF(left, top, wide, metrics.capHeight() * 1.6)

    def _write(self, painter: QPainter, line: str, box: QRectF, *, here: bool) -> None:
        colours = self.look.colours
        painter.setFont(self._font(here=here))
        painter.setPen(QColor(colours.primary if here else colours.soft))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextDontClip, line)
