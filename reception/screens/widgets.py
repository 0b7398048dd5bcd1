"""The pieces that screens are made of: text, panels, big buttons, step bar, PIN pad, camera preview, card picture."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from reception.screens import tokens
from reception.texts import N_, Catalogue
from reception.texts.wording import STEPS, keep_phrases

ButtonKind = Literal["fill", "outline", "quiet", "key"]
Tone = Literal["error", "warning", "success", "plain"]
SAME_PLACE = 60
"""Two presses closer than this many px are on the same place for a finger."""
CENTRE = Qt.AlignmentFlag.AlignCenter


class Text(QLabel):
    """A text whose line ends were chosen by us; Qt never wraps it."""

    def __init__(self, kind: str, text: str = "", *, centred: bool = True) -> None:
        super().__init__(text)
        self.setProperty("kind", kind)
        self.setTextFormat(Qt.TextFormat.PlainText)
        if centred:
            self.setAlignment(CENTRE)

    def show_text(self, text: str) -> None:
        """Show the text; an empty one takes no room."""
        self.setText(text)
        self.setVisible(bool(text))


class Words(Text):
    """A text in the patient's language, wrapped at its width; Japanese between phrases only."""

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(kind)
        self.setWordWrap(True)
        self.setText(text)

    def setText(self, text: str) -> None:  # noqa: N802 Qt's name
        """Show the text; the accessible name is without the marks that keep phrases together."""
        super().setText(keep_phrases(text))
        self.setAccessibleName(text)


class BigButton(QPushButton):
    """A button for fingers; acts on release, and only once for a double tap.

    The second tap of a double tap would otherwise answer the next question, unread.
    """

    _last_press: ClassVar[tuple[int, QPointF]] = (-1_000_000, QPointF())

    def __init__(self, name: str, label: str, kind: ButtonKind, height: int) -> None:
        super().__init__(label)
        self.setObjectName(name)
        self.setAccessibleName(label.replace("\n", ""))
        self.setProperty("kind", kind)
        self.setMinimumHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        # Reached by keyboard only: a tap leaves no ring behind that looks like a choice already made.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def relabel(self, label: str) -> None:
        """Show another label, for eyes and ears alike."""
        self.setText(label)
        self.setAccessibleName(label.replace("\n", ""))

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
        if self.hasFocus():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for inset, width, colour in ((2.0, 4, tokens.INK), (5.5, 3, tokens.FOCUS_RING)):
                painter.setPen(QPen(QColor(colour), width))
                box = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
                painter.drawRoundedRect(box, 14, 14)
            painter.end()


class KeyButton(BigButton):
    """A key of the PIN pad; quick taps all count."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        QPushButton.mousePressEvent(self, event)


class Panel(QFrame):
    """A framed message: a bold title with a sign, and a text."""

    SIGNS: ClassVar[dict[Tone, str]] = {"error": "! ", "warning": "! ", "success": "✓ ", "plain": ""}

    LABEL: ClassVar[type[Text]] = Text

    def __init__(self, tone: Tone) -> None:
        super().__init__()
        self._sign = self.SIGNS[tone]
        self.setProperty("tone", tone)
        self.title = self.LABEL("heading" if tone == "success" else "strong")
        self.text = self.LABEL("body")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 14)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addWidget(self.text)

    def show_message(self, title: str, text: str = "") -> None:
        """Show the message; without title and text the panel is gone."""
        self.title.show_text(self._sign + title if title else "")
        self.text.show_text(text)
        self.setVisible(bool(title or text))


class Message(Panel):
    """A panel in the patient's language."""

    LABEL = Words


class StepBar(QWidget):
    """The four steps with number and word; done, current and coming differ in shape, not only in colour."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._t = t
        self._words = [t(step) for step in STEPS]
        self._current = 0
        self._all_done = False
        self.setFixedHeight(96)
        self.show_step(0, all_done=False)

    def show_step(self, current: int, *, all_done: bool) -> None:
        """Mark step ``current`` (1 to 4, 0: none); ``all_done`` ticks the last one off too."""
        self._current, self._all_done = current, all_done
        t = self._t
        here = t(
            N_("{count}つの手順の{n} {name}"), count=len(STEPS), n=current, name=self._words[current - 1]
        )
        self.setAccessibleName(here if current else t(N_("手順")))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, y, radius = self.width() / len(STEPS), 26.0, 23.0
        for number, word in enumerate(self._words, 1):
            x = width * (number - 0.5)
            done = number < self._current or (self._all_done and number == self._current)
            here = number == self._current and not done
            if number < len(STEPS):
                painter.setPen(QPen(QColor(tokens.GREEN if done else tokens.LINE), 4))
                painter.drawLine(QPointF(x + radius + 8, y), QPointF(x + width - radius - 8, y))
            edge = tokens.GREEN if done else tokens.BLUE if here else tokens.LINE
            painter.setPen(QPen(QColor(edge), 3))
            painter.setBrush(QColor(tokens.BLUE if here else tokens.GREEN if done else tokens.WHITE))
            painter.drawEllipse(QPointF(x, y), radius, radius)
            self._write(
                painter,
                "✓" if done else str(number),
                QRectF(x - radius, 0, 2 * radius, 2 * y),
                tokens.WHITE if here or done else tokens.INK_SOFT,
                bold=True,
            )
            self._write(
                painter,
                f"{number} {word}",
                QRectF(x - width / 2, 54, width, 40),
                tokens.BLUE if here else tokens.INK if done else tokens.INK_SOFT,
                bold=here,
            )
        painter.end()

    def _write(self, painter: QPainter, text: str, box: QRectF, colour: str, *, bold: bool) -> None:
        font = QFont(self.font())
        font.setPixelSize(tokens.CAPTION)
        font.setBold(bold)
        painter.setFont(font)
        painter.setPen(QColor(colour))
        painter.drawText(box, CENTRE, text)


class PinDots(QWidget):
    """How many digits were typed, as dots; it never knows which."""

    LENGTH = 4

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._t = t
        self._typed = 0
        self.setFixedHeight(64)
        self.show_count(0)

    def show_count(self, typed: int) -> None:
        """Fill the first ``typed`` places."""
        self._typed = typed
        self.setAccessibleName(self._t(N_("暗証番号 {count}桁 入力済み"), count=typed))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side, gap = 60.0, 20.0
        left = (self.width() - self.LENGTH * side - (self.LENGTH - 1) * gap) / 2
        for place in range(self.LENGTH):
            box = QRectF(left + place * (side + gap), 2, side, side)
            painter.setPen(QPen(QColor(tokens.BLUE if place == self._typed else tokens.LINE), 3))
            painter.setBrush(QColor(tokens.WHITE))
            painter.drawRoundedRect(box, 8, 8)
            if place < self._typed:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(tokens.INK))
                painter.drawEllipse(box.center(), 13, 13)
        painter.end()


class PinPad(QWidget):
    """Ten keys, delete one, delete all, submit."""

    digit = Signal(int)
    backspace = Signal()
    clear = Signal()
    submit = Signal()

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(tokens.KEY_GAP)
        for number in range(10):
            key = KeyButton(f"key_{number}", str(number), "key", tokens.KEY)
            key.setMinimumWidth(tokens.KEY)
            key.clicked.connect(lambda _checked=False, n=number: self.digit.emit(n))
            row, column = (3, 1) if number == 0 else divmod(number - 1, 3)
            grid.addWidget(key, row, column)
        backspace = KeyButton("pin_backspace", t(N_("1つ消す")), "quiet", tokens.KEY)
        backspace.clicked.connect(lambda: self.backspace.emit())
        clear = BigButton("pin_clear", t(N_("全部消す")), "quiet", tokens.KEY)
        clear.clicked.connect(lambda: self.clear.emit())
        submit = BigButton("pin_submit", t(N_("決定")), "fill", 2 * tokens.KEY + tokens.KEY_GAP)
        submit.clicked.connect(lambda: self.submit.emit())
        for button, row, rows in ((backspace, 0, 1), (clear, 1, 1), (submit, 2, 2)):
            grid.addWidget(button, row, 3, rows, 1)
        for column in range(4):
            grid.setColumnStretch(column, 1)


class CameraPreview(QWidget):
    """The patient as in a mirror, with the oval that the face belongs in."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._image: QImage | None = None
        self._pixels: NDArray[np.uint8] | None = None
        self._good = False
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(t(N_("カメラの映像")))
        self.setFixedSize(QSize(420, 560))

    def show_frame(self, image: NDArray[np.uint8]) -> None:
        """Show a frame, (H, W, 3) uint8 BGR, cropped to 3:4 around its middle and mirrored."""
        height, width = image.shape[:2]
        if width * 4 > height * 3:
            crop = height * 3 // 4
            image = image[:, (width - crop) // 2 :][:, :crop]
        else:
            crop = width * 4 // 3
            image = image[(height - crop) // 2 :][:crop]
        # The image only points at the pixels: they must live as long as it does.
        self._pixels = np.ascontiguousarray(image[:, ::-1])
        rows, columns = self._pixels.shape[:2]
        self._image = QImage(self._pixels.data, columns, rows, 3 * columns, QImage.Format.Format_BGR888)
        self.update()

    def show_good(self, good: bool) -> None:
        """Draw the oval in green: the face is where it belongs."""
        self._good = good
        self.update()

    def forget(self) -> None:
        """Drop the last frame."""
        self._image = self._pixels = None
        self.update()

    @property
    def empty(self) -> bool:
        """No frame is held."""
        return self._image is None

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        painter.fillRect(box, QColor(tokens.INK_SOFT))
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(box, self._image)
        good = self._good and not self.empty
        oval = QRectF(0, 0, box.width() * 0.66, box.height() * 0.66)
        oval.moveCenter(QPointF(box.center().x(), box.height() * 0.47))
        around = QPainterPath()
        around.addRect(box)
        around.addEllipse(oval)
        painter.fillPath(around, QColor(0, 0, 0, 110))
        painter.setPen(QPen(QColor("#51B883" if good else tokens.WHITE), 10 if good else 6))
        painter.drawEllipse(oval)
        painter.end()


class CardPicture(QWidget):
    """A card and the slot of the reader, with an arrow that says which way the card goes."""

    def __init__(self, motion: Literal["insert", "keep", "take"], t: Catalogue) -> None:
        super().__init__()
        self._motion = motion
        names = {
            "insert": N_("カードを入れる絵"),
            "keep": N_("カードが入っている絵"),
            "take": N_("カードを取る絵"),
        }
        self.setAccessibleName(t(names[motion]))
        self.setFixedSize(QSize(420, 320))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = {"insert": 30.0, "keep": 92.0, "take": 40.0}[self._motion]
        self._draw_card(painter, QRectF(90, top, 240, 152))
        painter.setPen(QPen(QColor(tokens.INK_SOFT), 3))
        painter.setBrush(QColor("#E6E6E6"))
        painter.drawRoundedRect(QRectF(40, 214, 340, 90), 16, 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.INK))
        painter.drawRoundedRect(QRectF(76, 222, 268, 10), 5, 5)
        if self._motion != "keep":
            self._draw_arrow(painter, down=self._motion == "insert")
        painter.end()

    def _draw_card(self, painter: QPainter, box: QRectF) -> None:
        painter.setPen(QPen(QColor(tokens.BLUE), 3))
        painter.setBrush(QColor(tokens.BLUE_TINT))
        painter.drawRoundedRect(box, 12, 12)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#9DB7F9"))
        painter.drawEllipse(QPointF(box.left() + 46, box.top() + 52), 18, 18)
        painter.drawRoundedRect(QRectF(box.left() + 20, box.top() + 76, 52, 34), 16, 16)
        for row, length in enumerate((120, 96, 110)):
            painter.drawRoundedRect(QRectF(box.left() + 96, box.top() + 34 + 26 * row, length, 10), 5, 5)

    def _draw_arrow(self, painter: QPainter, *, down: bool) -> None:
        tip, tail = (206.0, 110.0) if down else (14.0, 110.0)
        side = -30.0 if down else 30.0
        arrow = QPainterPath(QPointF(374, tip))
        arrow.lineTo(348, tip + side)
        arrow.lineTo(400, tip + side)
        arrow.closeSubpath()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.ORANGE))
        painter.drawPath(arrow)
        shaft = QRectF(QPointF(365, tip + side), QPointF(383, tail)).normalized()
        painter.drawRect(shaft)


class PhonePicture(QWidget):
    """A phone above its reader, with the waves between them."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self.setAccessibleName(t(N_("スマートフォンを読み取り機にかざす絵")))
        self.setFixedSize(QSize(420, 320))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(tokens.INK_SOFT), 3))
        painter.setBrush(QColor("#E6E6E6"))
        painter.drawRoundedRect(QRectF(70, 252, 280, 54), 16, 16)
        painter.setPen(QPen(QColor(tokens.BLUE), 4))
        painter.setBrush(QColor(tokens.BLUE_TINT))
        painter.drawRoundedRect(QRectF(158, 12, 104, 186), 16, 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#9DB7F9"))
        painter.drawRoundedRect(QRectF(192, 24, 36, 8), 4, 4)
        painter.drawRoundedRect(QRectF(176, 60, 68, 44), 6, 6)
        waves = QPen(QColor(tokens.ORANGE), 7)
        waves.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(waves)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for number, width in enumerate((40, 84, 128)):
            wave = QRectF(210 - width / 2, 204 + 10 * number, width, 26)
            painter.drawArc(wave, 200 * 16, 140 * 16)
        painter.end()


class Working(QWidget):
    """Three dots that take turns: the machine is at work, the patient has nothing to do."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._turn = 0
        self._timer = QTimer(self)
        self._timer.setInterval(400)
        self._timer.timeout.connect(self._next)
        self.setAccessibleName(t(N_("処理中")))
        self.setFixedSize(QSize(160, 48))

    def showEvent(self, event: QShowEvent) -> None:
        self._timer.start()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def _next(self) -> None:
        self._turn = (self._turn + 1) % 3
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for place in range(3):
            painter.setBrush(QColor(tokens.BLUE if place == self._turn else tokens.BLUE_LINE))
            painter.drawEllipse(QPointF(32 + 48 * place, 24), 14, 14)
        painter.end()
