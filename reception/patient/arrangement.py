"""Where the parts of a page lie: one column in a window that stands, two in one that lies.

A page names its parts; it does not know how large the window is.
"""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRect, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from reception.patient import tokens
from reception.patient.tokens import Look
from reception.patient.widgets import Message, Painted, Words

LEFT, LEFT_OF_PICTURE = 0.63, 0.66
"""Share of a lying page that texts get beside buttons, and beside a picture alone."""
SMALLEST = 150
"""px of height below which a picture beside buttons says nothing any more."""


class Column(QWidget):
    """Pieces below each other.

    It places them itself, each as high as it is at that moment: a layout of Qt remembers heights, and what it
    remembers of pieces that were not shown is what they were when they were shown last.
    """

    def __init__(self, page: QWidget, pieces: Sequence[QWidget]) -> None:
        super().__init__(page)
        self._pieces = tuple(pieces)
        self._gap = 0
        self._flat = False
        for piece in pieces:
            hidden = piece.isHidden() and piece.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
            piece.setParent(self)
            piece.setVisible(not hidden)

    def empty(self) -> bool:
        """Say whether nothing of it is shown."""
        return all(piece.isHidden() for piece in self._pieces)

    def lie_down(self, *, flat: bool) -> None:
        """Put the pieces beside each other, or below each other again."""
        self._flat = flat

    def space(self, px: int) -> None:
        """Set the distance of the pieces."""
        self._gap = px

    def shared(self, extra: int) -> int:
        """Return as much of ``extra`` px as can be given to all of its pieces alike."""
        shown = len(self.shown())
        return extra - extra % shown if shown else 0

    def height_at(self, width: int, shown: Sequence[QWidget] | None = None) -> int:
        """Return how high it is at this width, in px; with these pieces instead of those that are shown."""
        here = self.shown() if shown is None else [piece for piece in self._pieces if piece in shown]
        if not here:
            return 0
        if self._flat:
            return max(_height(piece, self._share(width, len(here))) for piece in here)
        return sum(_height(piece, width) for piece in here) + self._gap * (len(here) - 1)

    def shown(self) -> list[QWidget]:
        """Return the pieces that are shown."""
        return [piece for piece in self._pieces if not piece.isHidden()]

    def lay(self, where: QRect) -> None:
        """Take this place and give every piece its own; what is left over goes to those that want to be large."""
        self.setGeometry(where)
        shown, x, y = self.shown(), 0, 0
        if self._flat:
            for piece in shown:
                wide = self._share(where.width(), len(shown))
                piece.setGeometry(x, 0, wide, where.height())
                x += wide + self._gap
            return
        heights = [_height(piece, where.width()) for piece in shown]
        _fill(
            heights,
            [_wants_more(piece) for piece in shown],
            where.height() - sum(heights) - self._gap * (len(shown) - 1),
        )
        for piece, high in zip(shown, heights, strict=True):
            piece.setGeometry(0, y, where.width(), high)
            y += high + self._gap

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()  # The page hears of it, and places everything anew.
        return super().event(event)

    def _share(self, width: int, count: int) -> int:
        return (width - self._gap * (count - 1)) // count


class Grid(QWidget, Painted):
    """Pieces below each other in a window that stands, and in three columns in one that lies."""

    def __init__(self, pieces: Sequence[QWidget]) -> None:
        super().__init__()
        self._pieces = tuple(pieces)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self.apply_theme(tokens.NORMAL)

    def apply_theme(self, look: Look) -> None:
        """Lay the pieces out for a window that stands or lies."""
        super().apply_theme(look)
        while self._grid.takeAt(0) is not None:
            pass
        columns = 1 if look.sizes.portrait else 3
        self._grid.setSpacing(look.sizes.tight)
        for column in range(3):
            self._grid.setColumnStretch(column, int(column < columns))
        for place, piece in enumerate(self._pieces):
            self._grid.addWidget(piece, *divmod(place, columns))


class Arrangement(QWidget, Painted):
    """A page made of parts: texts above, a picture, texts below, and what the patient can press.

    Of several pictures at most one is shown. ``spare`` is left out, one after the other, where there is no room.
    ``beside_text``: in a lying window the buttons stand below the texts, and the picture has its column for itself.
    """

    beside_text = False
    across: QWidget | None = None
    """A piece of the buttons that, while it is shown, needs the whole width of a lying window."""

    def compose(
        self,
        above: Sequence[QWidget],
        *,
        pictures: Sequence[QWidget] = (),
        below: Sequence[QWidget] = (),
        buttons: Sequence[QWidget] = (),
        spare: Sequence[Words | Message] = (),
    ) -> None:
        """Name the parts."""
        self.above, self.below, self.buttons = Column(self, above), Column(self, below), Column(self, buttons)
        self.pictures = tuple(pictures)
        self._spare = tuple(spare)
        for picture in pictures:
            picture.setParent(self)
        self.apply_theme(tokens.NORMAL)

    def apply_theme(self, look: Look) -> None:
        """Use the gaps of this look."""
        super().apply_theme(look)
        for texts in (self.above, self.below):
            texts.space(look.sizes.tight)
        self.buttons.space(look.sizes.gap if look.sizes.portrait else look.sizes.tight)
        self.place()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.place()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.place()

    def place(self) -> None:
        """Give every part its place for the size of the page."""
        if self.look.sizes.portrait:
            self._portrait()
        else:
            self._landscape()

    @property
    def picture(self) -> QWidget | None:
        """The picture that is shown now."""
        return next((picture for picture in self.pictures if not picture.isHidden()), None)

    def _portrait(self) -> None:
        """Texts at the top, buttons at the bottom, the picture between them."""
        width, height, gap = self.width(), self.height(), self.look.sizes.gap
        self.buttons.lie_down(flat=False)
        self._spare_fits(width, height - gap - self.buttons.height_at(width) - self._picture_needs())
        above, below, actions = (part.height_at(width) for part in (self.above, self.below, self.buttons))
        y = min(gap, max(0, height - above - below - actions))
        y = _put(self.above, QRect(0, y, width, above), gap)
        bottom = height
        if actions:
            free = (
                bottom - y - below - actions - gap - (self.picture.sizeHint().height() if self.picture else 0)
            )
            # What is left over makes the targets larger, up to a point.
            actions += self.buttons.shared(min(max(0, free // 2), actions // 2))
            _put(self.buttons, QRect(0, bottom - actions, width, actions), gap)
            bottom -= actions + gap
        if self.picture is not None:
            room = bottom - y - (below + gap if below else 0)
            high = min(room, round(self.picture.sizeHint().height() * 1.25))
            at = y + (room - high) // 2
            y = self._show_picture(QRect(0, at, width, high), gap + (room - high) // 2) or y
        _put(self.below, QRect(0, y, width, below), gap)

    def _landscape(self) -> None:
        """Texts at the left; picture and buttons at the right; buttons that do not fit there in a row below."""
        width, height, gap = self.width(), self.height(), self.look.sizes.gap
        self.buttons.lie_down(flat=False)
        column = width - gap - round((width - gap) * LEFT)
        across = self.across is not None and not self.across.isHidden()
        if across or self.buttons.height_at(column) > height:
            self._landscape_flat(beside=not across)
            return
        with_text = self.beside_text and self.picture is not None
        if self.picture is not None and (with_text or self.buttons.empty()):
            column = width - gap - round((width - gap) * LEFT_OF_PICTURE)
        right = self.picture is not None or (not self.buttons.empty() and not with_text)
        left = width - gap - column if right else width
        self._spare_fits(left, height)
        self._lay_texts((self.above, self.below, *((self.buttons,) if with_text else ())), left, height)
        actions = 0 if with_text else self.buttons.height_at(column)
        x, room = left + gap, height - (actions + gap if actions else 0)
        if self.picture is not None and self._show_picture(QRect(x, 0, column, room), gap):
            y = height - actions
        else:
            actions += self.buttons.shared(min(height - actions, actions // 3))
            y = (height - actions) // 2
        if not with_text:
            _put(self.buttons, QRect(x, y, column, actions), gap)

    def _landscape_flat(self, *, beside: bool) -> None:
        width, height, gap = self.width(), self.height(), self.look.sizes.gap
        self.buttons.lie_down(flat=beside)
        actions = self.buttons.height_at(width)
        if self.picture is not None:
            self._show_picture(QRect(0, 0, width, 0), gap)
        self._spare_fits(width, height - actions - gap)
        self._lay_texts((self.above, self.below), width, height - actions - gap)
        _put(self.buttons, QRect(0, height - actions, width, actions), gap)

    def _lay_texts(self, texts: Sequence[Column], width: int, height: int) -> None:
        """Put texts below each other in the middle of the height."""
        gap = self.look.sizes.gap
        heights = [part.height_at(width) for part in texts]
        shown = sum(map(bool, heights))
        y = max(0, (height - sum(heights) - gap * max(0, shown - 1)) // 2)
        for part, high in zip(texts, heights, strict=True):
            y = _put(part, QRect(0, y, width, high), gap if high else 0)

    def _picture_needs(self) -> int:
        """Return the height that must be left for the picture, in px."""
        needed = self.picture is not None and getattr(self.picture, "needed", True)
        return SMALLEST + self.look.sizes.gap if needed else 0

    def _spare_fits(self, width: int, height: int) -> None:
        """Leave out what can be left out until the texts are not higher than ``height``.

        Nothing is shown or hidden on the way there: each would ask for another place().
        """
        rest = [
            piece for part in (self.above, self.below) for piece in part.shown() if piece not in self._spare
        ]
        kept: list[Words | Message] = []
        for count in range(len(self._spare) + 1):
            kept = [piece for piece in self._spare[count:] if piece.words]
            texts = [
                high for part in (self.above, self.below) if (high := part.height_at(width, [*rest, *kept]))
            ]
            if sum(texts) + self.look.sizes.gap * (len(texts) - 1) <= height:
                break
        for piece in self._spare:
            piece.setVisible(piece in kept)

    def _show_picture(self, where: QRect, gap: int) -> int:
        """Put the picture there, or nowhere if it would be too small; return where the next part may begin, or 0."""
        assert self.picture is not None
        if where.height() < SMALLEST and not self.buttons.empty():
            self.picture.setGeometry(0, 0, 0, 0)
            return 0
        return _put(self.picture, where, gap)


def _height(piece: QWidget, width: int) -> int:
    """Return how high a piece wants to be at this width, in px."""
    wanted = piece.heightForWidth(width) if piece.hasHeightForWidth() else piece.sizeHint().height()
    return max(wanted, piece.minimumHeight())


def _wants_more(piece: QWidget) -> bool:
    return bool(piece.sizePolicy().expandingDirections() & Qt.Orientation.Vertical)


def _fill(heights: list[int], growing: Sequence[bool], extra: int) -> None:
    """Make the lowest of those that grow higher, px for px, until ``extra`` px are given away."""
    which = [at for at, grows in enumerate(growing) if grows]
    for _ in range(extra if which else 0):
        lowest = min(which, key=lambda at: heights[at])
        heights[lowest] += 1


def _put(part: QWidget, where: QRect, gap: int) -> int:
    """Lay a part down and return where the next one may begin."""
    if where.height() <= 0:
        return where.y()
    if isinstance(part, Column):
        part.lay(where)
    else:
        part.setGeometry(where)
    return where.y() + where.height() + gap
