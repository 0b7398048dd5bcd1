"""Small pictures for steps, signs and buttons, drawn as lines on a field of 24 x 24 units."""

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen

Pictogram = Literal[
    "card",
    "face",
    "keypad",
    "consent",
    "done",
    "warning",
    "phone",
    "staff",
    "start",
    "back",
    "language",
    "sound",
    "larger",
    "smaller",
    "dark",
    "light",
    "clock",
    "yes",
    "no",
    "medicine",
    "checkup",
    "payment",
    "paper",
    "closed",
    "seat",
    "help",
    "backspace",
    "",
]
Draw = Callable[[QPainter, QColor, QColor], None]


def draw(painter: QPainter, picture: Pictogram, box: QRectF, colour: str, ground: str) -> None:
    """Draw a picture into the box; ``ground`` is the colour behind it, for what is cut out of a filled shape."""
    if not picture:
        return
    painter.save()
    painter.translate(box.topLeft())
    painter.scale(box.width() / 24, box.height() / 24)
    _pen(painter, QColor(colour))
    _DRAWN[picture](painter, QColor(colour), QColor(ground))
    painter.restore()


def _pen(painter: QPainter, colour: QColor, width: float = 2.0) -> None:
    pen = QPen(colour, width)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _line(painter: QPainter, *points: tuple[float, float], close: bool = False) -> None:
    path = QPainterPath(QPointF(*points[0]))
    for point in points[1:]:
        path.lineTo(QPointF(*point))
    if close:
        path.closeSubpath()
    painter.drawPath(path)


def _dot(painter: QPainter, colour: QColor, x: float, y: float, radius: float) -> None:
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(QPointF(x, y), radius, radius)
    painter.restore()


def _card(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    painter.drawRoundedRect(QRectF(2.5, 5, 19, 14), 2, 2)
    _dot(painter, colour, 8, 10, 2)
    _line(painter, (5.5, 15.5), (10.5, 15.5))
    _line(painter, (14, 10), (18.5, 10))
    _line(painter, (14, 14), (18.5, 14))


def _face(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    for x, y, right, down in ((3, 3, 4, 4), (21, 3, -4, 4), (3, 21, 4, -4), (21, 21, -4, -4)):
        _line(painter, (x + right, y), (x, y), (x, y + down))
    _dot(painter, colour, 9, 10, 1.4)
    _dot(painter, colour, 15, 10, 1.4)
    painter.drawArc(QRectF(8, 9.5, 8, 7), 200 * 16, 140 * 16)


def _keypad(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    painter.drawRoundedRect(QRectF(4, 2, 16, 20), 2.5, 2.5)
    for row in range(3):
        for column in range(3):
            _dot(painter, colour, 8 + 4 * column, 7.5 + 4.5 * row, 1.35)


def _consent(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    painter.drawRoundedRect(QRectF(4.5, 2, 15, 20), 2, 2)
    _line(painter, (8, 7), (16, 7))
    _line(painter, (8, 14.5), (11, 17.5), (16, 11.5))


def _done(painter: QPainter, colour: QColor, ground: QColor) -> None:
    painter.setBrush(colour)
    painter.drawEllipse(QPointF(12, 12), 10, 10)
    _pen(painter, ground, 2.8)
    _line(painter, (7.2, 12.4), (10.7, 15.9), (17, 8.8))


def _warning(painter: QPainter, colour: QColor, ground: QColor) -> None:
    painter.setBrush(colour)
    _line(painter, (12, 3), (22, 20.5), (2, 20.5), close=True)
    _pen(painter, ground, 2.4)
    _line(painter, (12, 9.5), (12, 14))
    _dot(painter, ground, 12, 17.4, 1.4)


def _phone(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    painter.drawRoundedRect(QRectF(6.5, 1.5, 11, 21), 2.5, 2.5)
    _dot(painter, colour, 12, 19, 1.2)


def _staff(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    """A reception bell: whoever needs help knows it from hotels and counters."""
    painter.drawArc(QRectF(4, 7, 16, 20), 0, 180 * 16)
    _line(painter, (3, 17.2), (21, 17.2))
    _line(painter, (3, 21), (21, 21))
    _line(painter, (12, 7), (12, 4))
    _line(painter, (9.5, 3), (14.5, 3))


def _start(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    _line(painter, (3, 11.5), (12, 3.5), (21, 11.5))
    _line(painter, (5.5, 10), (5.5, 20.5), (18.5, 20.5), (18.5, 10))
    _line(painter, (10, 20.5), (10, 14.5), (14, 14.5), (14, 20.5))


def _back(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    path = QPainterPath(QPointF(4, 9))
    path.lineTo(15, 9)
    path.cubicTo(22, 9, 22, 19, 15, 19)
    path.lineTo(8, 19)
    painter.drawPath(path)
    _line(painter, (8.5, 4.5), (4, 9), (8.5, 13.5))


def _language(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    painter.drawEllipse(QPointF(12, 12), 9.5, 9.5)
    painter.drawEllipse(QPointF(12, 12), 4.3, 9.5)
    _line(painter, (2.5, 12), (21.5, 12))


def _sound(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    painter.drawPolygon([QPointF(x, y) for x, y in ((3, 9), (7, 9), (12, 4.5), (12, 19.5), (7, 15), (3, 15))])
    for size in (6.0, 12.0):
        painter.drawArc(QRectF(13.5 - size / 2, 12 - size / 2, size, size), -50 * 16, 100 * 16)


def _letter(painter: QPainter, text: str, box: QRectF, px: float) -> None:
    font = QFont(painter.font())
    font.setPixelSize(round(px))
    font.setBold(True)
    painter.setFont(font)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def _larger(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    _letter(painter, "A", QRectF(-2, 0, 18, 25), 22)
    _line(painter, (19, 15), (19, 5))
    _line(painter, (15.8, 8.2), (19, 5), (22.2, 8.2))


def _smaller(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    _letter(painter, "A", QRectF(-1, 4, 16, 22), 15)
    _line(painter, (19, 5), (19, 15))
    _line(painter, (15.8, 11.8), (19, 15), (22.2, 11.8))


def _half(painter: QPainter, colour: QColor, *, left: bool) -> None:
    painter.drawEllipse(QPointF(12, 12), 9.5, 9.5)
    painter.setBrush(colour)
    painter.drawPie(QRectF(2.5, 2.5, 19, 19), (90 if left else 270) * 16, 180 * 16)


def _dark(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    _half(painter, colour, left=True)


def _light(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    _half(painter, colour, left=False)


def _clock(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    painter.drawEllipse(QPointF(12, 12), 9.5, 9.5)
    _line(painter, (12, 6.5), (12, 12), (16, 14.5))


def _yes(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    _pen(painter, painter.pen().color(), 3)
    painter.drawEllipse(QPointF(12, 12), 8.5, 8.5)


def _no(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    _pen(painter, painter.pen().color(), 3)
    _line(painter, (4.5, 4.5), (19.5, 19.5))
    _line(painter, (19.5, 4.5), (4.5, 19.5))


def _medicine(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    painter.save()
    painter.translate(12, 12)
    painter.rotate(-45)
    painter.drawRoundedRect(QRectF(-10, -4.5, 20, 9), 4.5, 4.5)
    half = QPainterPath()
    half.addRoundedRect(QRectF(-10, -4.5, 20, 9), 4.5, 4.5)
    left = QPainterPath()
    left.addRect(QRectF(-10, -4.5, 10, 9))
    painter.fillPath(half.intersected(left), colour)
    painter.restore()


def _checkup(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    heart = QPainterPath(QPointF(12, 21))
    heart.cubicTo(2, 14, 1, 9, 3, 6)
    heart.cubicTo(5.5, 2.5, 10, 3, 12, 7)
    heart.cubicTo(14, 3, 18.5, 2.5, 21, 6)
    heart.cubicTo(23, 9, 22, 14, 12, 21)
    painter.drawPath(heart)
    _line(painter, (5.5, 12), (9, 12), (10.5, 9.5), (13, 15), (14.5, 12), (18.5, 12))


def _payment(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    painter.drawEllipse(QPointF(12, 12), 9.5, 9.5)
    _line(painter, (8.3, 6.8), (12, 12), (15.7, 6.8))
    _line(painter, (12, 12), (12, 18))
    _line(painter, (8.8, 12.4), (15.2, 12.4))
    _line(painter, (8.8, 15.2), (15.2, 15.2))


def _paper(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    _line(painter, (14, 2), (5, 2), (5, 22), (19, 22), (19, 7), close=True)
    _line(painter, (14, 2), (14, 7), (19, 7))
    for y in (11.5, 14.8, 18):
        _line(painter, (8.5, y), (15.5, y))


def _closed(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    painter.drawEllipse(QPointF(12, 12), 9.5, 9.5)
    _line(painter, (9.5, 8), (9.5, 16))
    _line(painter, (14.5, 8), (14.5, 16))


def _seat(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    """A person who sits and waits."""
    _dot(painter, colour, 8.5, 4.2, 2.6)
    _line(painter, (8.5, 9), (8.5, 15), (15, 15), (15, 21.5))
    _line(painter, (8.5, 11), (13.5, 11))
    _line(painter, (4.5, 8), (4.5, 18.5), (11, 18.5))
    _line(painter, (4.5, 18.5), (4.5, 21.5))


def _help(painter: QPainter, colour: QColor, _ground: QColor) -> None:
    painter.drawEllipse(QPointF(12, 12), 9.5, 9.5)
    mark = QPainterPath(QPointF(8.8, 9.6))
    mark.cubicTo(8.8, 5, 15.4, 5.4, 15.2, 9.4)
    mark.cubicTo(15, 11.8, 12, 11.8, 12, 14.4)
    painter.drawPath(mark)
    _dot(painter, colour, 12, 17.8, 1.4)


def _backspace(painter: QPainter, _colour: QColor, _ground: QColor) -> None:
    _line(painter, (8, 5), (22, 5), (22, 19), (8, 19), (2, 12), close=True)
    _line(painter, (11.5, 9), (17.5, 15))
    _line(painter, (17.5, 9), (11.5, 15))


_DRAWN: dict[Pictogram, Draw] = {
    "card": _card,
    "face": _face,
    "keypad": _keypad,
    "consent": _consent,
    "done": _done,
    "warning": _warning,
    "phone": _phone,
    "staff": _staff,
    "start": _start,
    "back": _back,
    "language": _language,
    "sound": _sound,
    "larger": _larger,
    "smaller": _smaller,
    "dark": _dark,
    "light": _light,
    "clock": _clock,
    "yes": _yes,
    "no": _no,
    "medicine": _medicine,
    "checkup": _checkup,
    "payment": _payment,
    "paper": _paper,
    "closed": _closed,
    "seat": _seat,
    "help": _help,
    "backspace": _backspace,
}
