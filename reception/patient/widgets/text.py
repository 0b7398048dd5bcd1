"""Texts that break their own lines, and framed messages."""

from collections.abc import Sequence
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

Tone = Literal["info", "caution", "error", "success"]
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

    def height_of(self, text: str, width: int) -> int:
        """Return how high it would be with another text at this width, in px."""
        shown = lines_of(text, width - self._extra().width(), self.font())
        return self._extra().height() + self._height(len(shown))

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
        return self.look.sizes.leading

    def breaks(self, width: int) -> list[int]:
        """Return where it may be cut without cutting a line, in px from its top."""
        return [self._height(number) for number in range(len(self._lines(width)))]

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
    """A pictogram beside a text: of a message what it means, without its colour."""

    PICTURES: ClassVar[dict[Tone, Pictogram]] = {
        "info": "info",
        "caution": "warning",
        "error": "error",
        "success": "done",
    }

    def __init__(self, picture: Pictogram, tone: Tone | None = None) -> None:
        super().__init__()
        self._picture: Pictogram = picture
        self._tone: Tone | None = tone
        self.apply_theme(tokens.NORMAL)

    def show_picture(self, picture: Pictogram) -> None:
        """Show another pictogram."""
        if picture != self._picture:
            self._picture = picture
            self.update()

    def show_tone(self, tone: Tone) -> None:
        """Be the sign of another tone."""
        self._tone = tone
        self.show_picture(self.PICTURES[tone])

    def apply_theme(self, look: Look) -> None:
        """Be as large as the text beside it asks for."""
        super().apply_theme(look)
        side = round(look.sizes.body * (1.7 if self._tone == "success" else 1.35))
        self.setFixedSize(side, side)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, c = begin(self), self.look.colours
        colour = {"info": c.primary, "caution": c.warning, "error": c.error, "success": c.success}.get(
            self._tone or "", c.ink
        )
        draw(painter, self._picture, QRectF(self.rect()), colour, c.background)
        painter.end()


class Beside(QFrame, Painted):
    """Texts below each other with a sign beside them; it places them itself, at any width."""

    def __init__(self, sign: Sign, texts: Sequence[Words]) -> None:
        super().__init__()
        self._sign, self._texts = sign, tuple(texts)
        for part in (sign, *texts):
            part.setParent(self)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    @property
    def words(self) -> str:
        """What was shown last; empty: it is gone."""
        return "".join(text.words for text in self._texts)

    def apply_theme(self, look: Look) -> None:
        """Leave as much room around the words as the window has."""
        super().apply_theme(look)
        self._changed()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        heights = self._heights(width)
        words = sum(heights.values()) + self._below() * (len(heights) - 1)
        return 2 * self._margin() + max(words, self._sign.height())

    def sizeHint(self) -> QSize:
        return QSize(self.width(), self.heightForWidth(self.width()))

    def breaks(self, width: int) -> list[int]:
        """Return where it may be cut without cutting a line, in px from its top."""
        found, y = [0], self._margin() + self._lower(width)
        for text, high in self._heights(width).items():
            found += [y + at for at in text.breaks(self._inside(width)) if y + at > self._margin()]
            y += high + self._below()
        return found

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

    def _margin(self) -> int:
        if not self.property("tone"):
            return 0
        return self.look.sizes.px(1.3 if self.look.sizes.composition == "compact" else 1.8)

    def _below(self) -> int:
        return self.look.sizes.px(0.6)

    def _left(self) -> int:
        """Return where the words begin, in px."""
        return self._margin() + self._sign.width() + self.look.sizes.px(1.8)

    def _inside(self, width: int) -> int:
        return width - self._left() - self._margin()

    def _heights(self, width: int) -> dict[Words, int]:
        """Return the words that are shown, with their heights at this width, in px."""
        return {text: text.heightForWidth(self._inside(width)) for text in self._texts if text.words}

    def _lower(self, width: int) -> int:
        """Return how much lower words begin that are not as high as the sign, in px."""
        heights = self._heights(width)
        words = sum(heights.values()) + self._below() * (len(heights) - 1)
        return max(0, self._sign.height() - words) // 2

    def _place_words(self) -> None:
        y = self._margin()
        self._sign.move(self._margin(), y)
        y += self._lower(self.width())
        for text, high in self._heights(self.width()).items():
            text.setGeometry(self._left(), y, self._inside(self.width()), high)
            y += high + self._below()


class Message(Beside):
    """A framed message in the patient's language: a sign, a bold title and a text.

    ``info`` tells, ``caution`` warns, ``error`` is for what has truly failed, ``success`` for what is done.
    """

    def __init__(self, tone: Tone) -> None:
        self.title = Words("heading" if tone == "success" else "strong", centred=False)
        self.text = Words("body", centred=False)
        super().__init__(Sign(Sign.PICTURES[tone], tone), (self.title, self.text))
        self.setProperty("tone", tone)
        self.apply_theme(tokens.NORMAL)

    def show_message(self, title: str, text: str = "", tone: Tone | None = None) -> None:
        """Show the message, in another tone where one is given; without title and text the panel is gone."""
        if tone is not None and tone != self.property("tone"):
            self.setProperty("tone", tone)
            self._sign.show_tone(tone)
            self.style().unpolish(self)
            self.style().polish(self)
        self.title.show_text(title)
        self.text.show_text(text)
        self.setVisible(bool(title or text))
        self._changed()


class Fact(Beside):
    """One short sentence with a pictogram: what, who, how long."""

    def __init__(self, picture: Pictogram, text: str = "") -> None:
        self.sign, self.text = Sign(picture), Words("body", centred=False)
        super().__init__(self.sign, (self.text,))
        self.show_text(text)

    def show_text(self, text: str) -> None:
        """Show the text; an empty one takes no room."""
        self.text.show_text(text)
        self.setVisible(bool(text))
        self._changed()
