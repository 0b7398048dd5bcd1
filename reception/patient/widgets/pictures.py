"""Large pictures of what to do with a card or a phone, the emblem of a page, and the sign that the machine works."""

from typing import Literal

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPainterPath, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QStyle, QWidget

from reception.patient.tokens import Look
from reception.patient.widgets.painted import Painted, begin
from reception.patient.widgets.pictograms import Pictogram, draw, renderer
from reception.texts import N_, Catalogue

WIDTH, HEIGHT = 420, 320
"""The field on which the large pictures are drawn; they are scaled to the room that they get."""
STEP_MS, REST_MS = 50, 2500
"""The card moves in steps this long; then the picture rests, and nothing is painted: while nobody comes, moving it is
most of what a terminal does."""
STEPS = 20
OUT, IN = 12.0, 118.0
"""Top of the card on the field: before the slot, and in it as far as it goes."""


class Picture(QWidget, Painted):
    """A picture that fills the room it gets and keeps its shape."""

    needed = True
    """It shows what to do; texts give way to it."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, HEIGHT)

    def scale(self) -> float:
        """Return how large the field is painted."""
        return min(self.width() / WIDTH, self.height() / HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = begin(self)
        scale = self.scale()
        painter.translate((self.width() - WIDTH * scale) / 2, (self.height() - HEIGHT * scale) / 2)
        painter.scale(scale, scale)
        self.paint(painter)
        painter.end()

    def paint(self, painter: QPainter) -> None:
        """Paint on the field."""
        raise NotImplementedError


class CardPicture(Picture):
    """A card and the slot of the reader, chip first and face up; where it should move, it shows how, again and again.

    Whoever has told the system to keep pictures still sees the card before the slot, and the arrow.
    """

    def __init__(self, motion: Literal["insert", "keep", "take"], t: Catalogue) -> None:
        super().__init__()
        names = {
            "insert": N_("カードを入れる絵"),
            "keep": N_("カードが入っている絵"),
            "take": N_("カードを取る絵"),
        }
        self.setAccessibleName(t(names[motion]))
        self._motion = motion
        self._at = 0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.advance)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._motion != "keep" and moves(self):
            self._at = 0
            self._timer.start(REST_MS)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()
        self._at = 0

    def advance(self) -> None:
        """Move the card by one step."""
        # One rest before it moves, and one where it has arrived.
        self._at = (self._at + 1) % (STEPS + 1)
        self._timer.setInterval(REST_MS if self._at in (0, STEPS) else STEP_MS)
        self.update(self._card_strip())

    def _card_strip(self) -> QRect:
        """The only part that moves."""
        scale = self.scale()
        left, top = (self.width() - WIDTH * scale) / 2, (self.height() - HEIGHT * scale) / 2
        strip = QRectF(left + 84 * scale, top, 252 * scale, 236 * scale)
        return strip.toAlignedRect()

    def _card_top(self) -> float:
        if self._motion == "keep":
            return IN
        part = self._at / STEPS
        eased = part * part * (3 - 2 * part)
        return OUT + (IN - OUT) * (eased if self._motion == "insert" else 1 - eased)

    def paint(self, painter: QPainter) -> None:
        """Paint the card, then the reader before it."""
        c = self.look.colours
        light = c.success if self._motion == "keep" else c.line
        paint(painter, "large-card", QRectF(90, self._card_top(), 240, 152), self._inks(light))
        paint(painter, "large-reader", QRectF(40, 214, 340, 92), self._inks(light))
        if self._motion != "keep":
            self._paint_arrow(painter, down=self._motion == "insert")

    def _inks(self, light: str) -> tuple[tuple[str, str], ...]:
        c = self.look.colours
        body = "#333333" if self.look.dark else "#E6E6E6"
        chip = "#B78F00" if self.look.dark else "#FFE08A"
        return (
            *(("tint", c.tint), ("ink", c.ink), ("pale", c.pale), ("chip", chip)),
            *(("body", body), ("line", c.soft), ("light", light), ("move", c.warning)),
        )

    def _paint_arrow(self, painter: QPainter, *, down: bool) -> None:
        tip, tail = (200.0, 104.0) if down else (40.0, 136.0)
        side = -30.0 if down else 30.0
        arrow = QPainterPath(QPointF(374, tip))
        arrow.lineTo(346, tip + side)
        arrow.lineTo(402, tip + side)
        arrow.closeSubpath()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.look.colours.warning))
        painter.drawPath(arrow)
        painter.drawRect(QRectF(QPointF(365, tip + side), QPointF(383, tail)).normalized())


class PhonePicture(CardPicture):
    """A phone above its reader, with the waves between them."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__("keep", t)
        self.setAccessibleName(t(N_("スマートフォンを読み取り機にかざす絵")))

    def paint(self, painter: QPainter) -> None:
        """Paint the reader, the phone and the waves."""
        paint(painter, "large-phone", QRectF(0, 0, WIDTH, HEIGHT), self._inks(self.look.colours.line))


def moves(widget: QWidget) -> bool:
    """Say whether pictures may move: the style of the system says so by how long it lets things move, in ms."""
    return widget.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration, None, widget) > 0


def paint(painter: QPainter, picture: str, box: QRectF, inks: tuple[tuple[str, str], ...]) -> None:
    """Paint a large picture into the box, in these colours."""
    renderer(picture, inks).render(painter, box)


class Emblem(Picture):
    """One pictogram, large, on a disc: what this page is about."""

    needed = False

    def __init__(self, picture: Pictogram, tone: Literal["plain", "success", "warning"] = "plain") -> None:
        super().__init__()
        self._picture: Pictogram = picture
        self._tone = tone

    def show_picture(self, picture: Pictogram) -> None:
        """Show another pictogram."""
        if picture != self._picture:
            self._picture = picture
            self.update()

    def paint(self, painter: QPainter) -> None:
        """Paint disc and pictogram."""
        colours = self.look.colours
        ink, ground = {
            "plain": (colours.primary, colours.tint),
            "success": (colours.success, colours.success_tint),
            "warning": (colours.warning, colours.warning_tint),
        }[self._tone]
        painter.setPen(QPen(QColor(ink), 3) if self.look.dark else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(ground))
        painter.drawEllipse(QPointF(WIDTH / 2, HEIGHT / 2), 116, 116)
        draw(painter, self._picture, QRectF(WIDTH / 2 - 64, HEIGHT / 2 - 64, 128, 128), ink, ground)


class Working(QWidget, Painted):
    """Three dots that take turns: the machine is at work, the patient has nothing to do."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._turn = 0
        self.setAccessibleName(t(N_("処理中")))
        self._timer = QTimer(self)
        self._timer.setInterval(400)
        self._timer.timeout.connect(self._next)

    def apply_theme(self, look: Look) -> None:
        """Be as high as this look asks for."""
        super().apply_theme(look)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return QSize(self.look.sizes.px(26), self.look.sizes.px(8))

    def showEvent(self, event: QShowEvent) -> None:
        if moves(self):
            self._timer.start()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def _next(self) -> None:
        self._turn = (self._turn + 1) % 3
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = begin(self)
        colours = self.look.colours
        apart, radius = self.look.sizes.px(8), self.look.sizes.px(2.3)
        for place in range(3):
            here = place == self._turn
            painter.setPen(QPen(QColor(colours.primary), max(2, self.look.sizes.px(0.5))))
            painter.setBrush(QColor(colours.primary if here else colours.background))
            middle = QPointF(self.width() / 2 + apart * (place - 1), self.height() / 2)
            painter.drawEllipse(middle, radius, radius)
        painter.end()
