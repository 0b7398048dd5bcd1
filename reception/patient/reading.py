"""What is read on a page: texts below each other; what has no room comes on a further page of its own."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget

from reception.patient.grid import Box
from reception.patient.tokens import BODY_MM, Composition
from reception.patient.widgets import Beside, Painted, TouchButton, Words
from reception.texts import N_, Catalogue

Piece = Words | Beside | TouchButton
APART: Mapping[Composition, float] = {"portrait": 2.0, "compact": 1.1, "roomy": 2.0}
"""Units between two pieces."""
SMALLER = (0.83, 0.67)
"""How much smaller large letters are written where there is no room."""
TWO_BUTTONS = 105.0
"""Units of width from which buttons among the texts stand in pairs."""


class Reading(QWidget, Painted):
    """Texts below each other, turned over by a button where they need more room than there is; no line is ever cut."""

    def __init__(
        self, page: QWidget, pieces: Sequence[Piece], t: Catalogue, spare: Sequence[Piece] = ()
    ) -> None:
        super().__init__(page)
        self._t = t
        self._cut = QWidget(self)
        self._inner = QWidget(self._cut)
        self._pieces, self._spare = tuple(pieces), tuple(spare)
        self._left_out: set[Piece] = set()
        self._scale = 1.0
        for piece in pieces:
            piece.setParent(self._inner)
            piece.setVisible(bool(piece.words))
        self.more = TouchButton("read_on", "", "quiet", "secondary", "next")
        self.more.setParent(self)
        self.more.hide()
        self.more.clicked.connect(self.turn)
        self._where, self._page, self._pages = Box(0, 0, 0, 0), 0, 1
        self._middle = True

    @property
    def page_count(self) -> int:
        """How many pages there are."""
        return self._pages

    def begin(self) -> None:
        """Show the first page."""
        self._page = 0

    def shown(self) -> list[Piece]:
        """Return the pieces that say something."""
        return [
            piece
            for piece in self._pieces
            if not piece.isHidden() and piece.words and piece not in self._left_out
        ]

    def _rows(self, width: int) -> list[list[Piece]]:
        """Return what stands beside each other: buttons, where the place is wide."""
        rows: list[list[Piece]] = []
        for piece in self.shown():
            together = rows and isinstance(piece, TouchButton) and isinstance(rows[-1][0], TouchButton)
            if together and len(rows[-1]) < self._columns(width):
                rows[-1].append(piece)
            else:
                rows.append([piece])
        return rows

    def _columns(self, width: int) -> int:
        """Return how many buttons stand beside each other: two where each has its label on one line."""
        buttons = [piece for piece in self.shown() if isinstance(piece, TouchButton)]
        wide = (width - self._apart()) // 2
        pairs = width >= self.look.sizes.px(TWO_BUTTONS) and all(one.line_width() <= wide for one in buttons)
        each = wide if pairs else width
        letters = min((one.needs(each)[0] for one in buttons), default=0)
        if self.look.sizes.large and self.look.sizes.composition == "compact":
            letters = min(letters, self.look.sizes.px(BODY_MM) + 1)
        for one in buttons:
            one.alike(letters, above=False)
        return 2 if pairs else 1

    def _placed(self, width: int, more: int = 0) -> tuple[list[tuple[Piece, QRect]], list[int], int]:
        """Return where every piece lies, where a page may begin, and how high everything is, in px.

        ``more``: px by which the pieces are further apart than they must be.
        """
        apart, y = self._apart() + more, 0
        placed: list[tuple[Piece, QRect]] = []
        breaks: list[int] = []
        for row in self._rows(width):
            count = self._columns(width) if isinstance(row[0], TouchButton) else 1
            wide = (width - apart * (count - 1)) // count
            high = max(piece.heightForWidth(wide) for piece in row)
            placed += [(piece, QRect(at * (wide + apart), y, wide, high)) for at, piece in enumerate(row)]
            breaks += [y + at for at in row[0].breaks(wide)]
            y += high + apart
        return placed, breaks, max(0, y - apart)

    def height_at(self, width: int) -> int:
        """Return how high everything is at this width, in px."""
        return self._placed(width)[2]

    def _apart(self) -> int:
        return self.look.sizes.px(APART[self.look.sizes.composition])

    def lay(self, where: Box, *, middle: bool = True) -> None:
        """Take this place; ``middle``: what does not fill it stands in the middle of its height."""
        self._where, self._middle = where, middle
        self.setGeometry(*where)
        self._make_room(where)
        placed, breaks, total = self._placed(where.width)
        if total < where.height and middle:
            # What is left over sets the pieces further apart, up to a point.
            gaps = max(1, len(self._rows(where.width)))
            more = min((where.height - total) // (2 * gaps), self._apart())
            placed, breaks, total = self._placed(where.width, more)
        for piece, box in placed:
            piece.setGeometry(box)
        self._inner.resize(where.width, total)
        if total <= where.height:
            self._pages, self._page = 1, 0
            self.more.hide()
            top = (where.height - total) // 2 if middle else 0
            self._cut.setGeometry(0, top, where.width, total)
            self._inner.move(0, 0)
            return
        self._lay_pages(where, total, breaks)

    def _make_room(self, where: Box) -> None:
        """Leave out what can be spared, and make large letters smaller where not even a few lines have room."""
        self._left_out = set()
        self._write(1.0)
        for piece in self._spare:
            if self.height_at(where.width) <= where.height:
                break
            self._left_out.add(piece)
        sizes = self.look.sizes
        few = sizes.secondary + 3 * sizes.leading * sizes.body
        for scale in SMALLER if sizes.large and where.height < few else ():
            if self.height_at(where.width) <= where.height:
                break
            self._write(scale)
        for piece in self._pieces:
            if piece in self._left_out:
                piece.setGeometry(0, 0, 0, 0)

    def _write(self, scale: float) -> None:
        """Write in letters of this scale, but never too small ones."""
        if scale == self._scale:
            return
        self._scale = scale
        least = self.look.sizes.px(BODY_MM) + 1
        for words in self._inner.findChildren(Words):
            words.setStyleSheet("")
            if scale < 1:
                words.ensurePolished()
                words.setStyleSheet(f"font-size: {max(least, round(words.font().pixelSize() * scale))}px;")

    def _lay_pages(self, where: Box, total: int, breaks: list[int]) -> None:
        label = N_("つづきを読む")
        button = max(self.look.sizes.secondary, self.more.heightForWidth(where.width))
        sizes = self.look.sizes
        letters = max(sizes.px(BODY_MM), round(sizes.heading * self._scale))
        line = round(letters * sizes.leading)
        room = max(line, where.height - button - self.look.sizes.px(1))
        edges = [0]
        while total - edges[-1] > room:
            fit = [at for at in breaks if edges[-1] < at <= edges[-1] + room]
            edges.append(max(fit, default=edges[-1] + room))
        edges.append(total)
        self._pages = len(edges) - 1
        self._page = min(self._page, self._pages - 1)
        first, last = edges[self._page], edges[self._page + 1]
        if self._page == self._pages - 1:
            label = N_("はじめから読む")
        self.more.relabel(f"{self._t(label)} {self._page + 1}/{self._pages}")
        self._cut.setGeometry(QRect(0, 0, where.width, last - first))
        self._inner.move(0, -first)
        wide = min(where.width, self.more.sizeHint().width())
        self.more.setGeometry(0, where.height - button, wide, button)
        self.more.show()

    def turn(self) -> None:
        """Show the next page; after the last one the first."""
        self._page = (self._page + 1) % self._pages
        self.lay(self._where, middle=self._middle)
