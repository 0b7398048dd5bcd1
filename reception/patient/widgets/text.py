"""Texts that break their own lines, and framed messages."""

from math import ceil
from typing import ClassVar, Literal

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QWidget

from reception.patient import tokens
from reception.patient.tokens import Look
from reception.patient.widgets.lettering import lines_of, widest
from reception.patient.widgets.painted import Painted, begin
from reception.patient.widgets.pictograms import Pictogram, draw
from reception.texts import lines

Tone = Literal["error", "warning", "success", "plain"]
CENTRE = Qt.AlignmentFlag.AlignCenter


class Words(QLabel, Painted):
    """A text in the patient's language that breaks its lines by its own width, between phrases; Qt never wraps it.

    ``words`` is what was set, without the breaks that the width asked for.
    """

    def __init__(self, kind: str, text: str = "", *, centred: bool = True) -> None:
        super().__init__()
        self.words = ""
        self._flow_of: tuple[str, int] = ("", -1)
        self.setProperty("kind", kind)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(CENTRE if centred else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.setText(text)

    def setText(self, text: str) -> None:  # noqa: N802 Qt's name
        """Show the text; the same one again does nothing."""
        if text == self.words:
            return
        self.words = text
        self.setAccessibleName(lines.joined(text))
        self._flow()
        self.updateGeometry()

    def show_text(self, text: str) -> None:
        """Show the text; an empty one takes no room."""
        self.setText(text)
        self.setVisible(bool(text))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._extra().height() + self._height(len(self._lines(width)))

    def sizeHint(self) -> QSize:
        paragraphs = self.words.split("\n")
        return self._extra() + QSize(int(widest(paragraphs, self.font())) + 2, self._height(len(paragraphs)))

    def minimumSizeHint(self) -> QSize:
        # No width: where a layout knows one, it asks for the height at that width, and breaks lines as it must.
        return self._extra() + QSize(1, self._height(1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._flow()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._flow_of = ("", -1)
            self._flow()
            self.updateGeometry()

    def apply_theme(self, look: Look) -> None:
        """Set the lines as far apart as this look does."""
        super().apply_theme(look)
        self.updateGeometry()

    def paintEvent(self, _event: QPaintEvent) -> None:
        # Qt sets the lines of a font for Japanese further apart than a window that lies has room for.
        painter = begin(self)
        painter.setFont(self.font())
        painter.setPen(self.palette().color(self.foregroundRole()))
        inside, shown = QRectF(self.contentsRect()), QLabel.text(self).split("\n")
        line = self.font().pixelSize() * self._leading()
        top = inside.top() + (inside.height() - line * len(shown)) / 2
        flags = self.alignment() & Qt.AlignmentFlag.AlignHorizontal_Mask | Qt.AlignmentFlag.AlignVCenter
        for number, words in enumerate(shown):
            box = QRectF(inside.left(), top + number * line - line, inside.width(), 3 * line)
            painter.drawText(box, flags | Qt.TextFlag.TextSingleLine, words)
        painter.end()

    def _height(self, count: int) -> int:
        return ceil(count * self.font().pixelSize() * self._leading())

    def _leading(self) -> float:
        """Return the distance of lines; the time that is left has little room, and is read line by line anyway."""
        return 1.1 if self.property("kind") == "time" else self.look.sizes.leading

    def _extra(self) -> QSize:
        """What frame and padding take."""
        inside = self.contentsRect()
        return QSize(self.width() - inside.width(), self.height() - inside.height())

    def _lines(self, width: int) -> tuple[str, ...]:
        return lines_of(self.words, width - self._extra().width(), self.font())

    def _flow(self) -> None:
        if (self.words, self.width()) != self._flow_of:
            self._flow_of = (self.words, self.width())
            super().setText("\n".join(self._lines(self.width())))


class Sign(QWidget, Painted):
    """The sign of a message: what it means, without its colour."""

    PICTURES: ClassVar[dict[Tone, Pictogram]] = {"error": "warning", "warning": "warning", "success": "done"}

    def __init__(self, tone: Tone) -> None:
        super().__init__()
        self._tone: Tone = tone
        self.apply_theme(tokens.NORMAL)

    def apply_theme(self, look: Look) -> None:
        """Be as large as the text beside it asks for."""
        super().apply_theme(look)
        side = round(look.sizes.body * (1.7 if self._tone == "success" else 1.45))
        self.setFixedSize(side, side)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = begin(self)
        colours = self.look.colours
        colour = {"error": colours.error, "warning": colours.warning, "success": colours.success}[self._tone]
        draw(painter, self.PICTURES[self._tone], QRectF(self.rect()), colour, colours.background)
        painter.end()


class Message(QFrame, Painted):
    """A framed message in the patient's language: a sign, a bold title and a text.

    It places them itself: a layout inside a layout remembers heights of what was shown before.
    """

    BELOW, BESIDE = 4, 14
    """px between title and text, and between sign and words."""

    def __init__(self, tone: Tone) -> None:
        super().__init__()
        self.setProperty("tone", tone)
        self.title = Words("heading" if tone == "success" else "strong", centred=False)
        self.text = Words("body", centred=False)
        self._sign = None if tone == "plain" else Sign(tone)
        for part in (self.title, self.text, self._sign):
            if part is not None:
                part.setParent(self)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.apply_theme(tokens.NORMAL)

    @property
    def words(self) -> str:
        """What was shown last; empty: it is gone."""
        return self.title.words + self.text.words

    def show_message(self, title: str, text: str = "") -> None:
        """Show the message; without title and text the panel is gone."""
        self.title.show_text(title)
        self.text.show_text(text)
        self.setVisible(bool(title or text))
        self._changed()

    def apply_theme(self, look: Look) -> None:
        """Leave as much room around the words as the window has."""
        super().apply_theme(look)
        self._changed()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        around, beside = self._around(), self._beside()
        heights = self._heights(width - around.width() - beside)
        words = sum(heights.values()) + self.BELOW * (len(heights) - 1)
        return around.height() + max(words, 0 if self._sign is None else self._sign.height())

    def sizeHint(self) -> QSize:
        return QSize(self.width(), self.heightForWidth(self.width()))

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.StyleChange, QEvent.Type.Show):
            self._changed()
        return done

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_words()

    def _changed(self) -> None:
        self.updateGeometry()
        self._place_words()

    def _margins(self) -> tuple[int, int]:
        return (20, 12) if self.look.sizes.portrait else (14, 8)

    def _around(self) -> QSize:
        """Return what frame and margins take."""
        across, down = self._margins()
        inside = self.contentsRect()
        return QSize(self.width() - inside.width() + 2 * across, self.height() - inside.height() + 2 * down)

    def _beside(self) -> int:
        """Return what the sign takes of the width, in px."""
        return 0 if self._sign is None else self._sign.width() + self.BESIDE

    def _heights(self, width: int) -> dict[Words, int]:
        """Return the words that are shown, with their heights at this width, in px."""
        return {part: part.heightForWidth(width) for part in (self.title, self.text) if part.words}

    def _place_words(self) -> None:
        across, down = self._margins()
        inside = self.contentsRect().adjusted(across, down, -across, -down)
        if self._sign is not None:
            self._sign.move(inside.topLeft())
        left, width = inside.left() + self._beside(), inside.width() - self._beside()
        heights = self._heights(width)
        high = sum(heights.values()) + self.BELOW * (len(heights) - 1)
        y = inside.top() + max(0, inside.height() - high) // 2
        for part, own in heights.items():
            part.setGeometry(left, y, width, own)
            y += own + self.BELOW
