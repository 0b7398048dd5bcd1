"""A QR code as large as its place allows, dark on light in every mode: that is what phones read best."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from reception.patient.widgets.painted import Painted, begin
from reception.patient.widgets.pictograms import Pictogram, draw
from reception.texts import N_, Catalogue

QUIET = 4
"""Modules of light margin that a reader needs around the code (ISO/IEC 18004)."""
SHARE = 0.4
"""Of the code's side: that of a picture beside or above it."""
LEAST_MODULE = 4
"""Pixels of a module below which the code has the place for itself."""


class QrCode(QWidget, Painted):
    """The code of an address; nothing while there is none."""

    needed = True
    """It is what the page is for; texts give way to it."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._address = ""
        self._picture: Pictogram = ""
        self._modules: tuple[tuple[bool, ...], ...] = ()
        self.setAccessibleName(t(N_("QRコード")))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        side = self.look.sizes.px(40)
        return QSize(side, side)

    def show_address(self, address: str, picture: Pictogram = "") -> None:
        """Show the code of an address, and what it is about where there is room; an empty one takes no room."""
        if picture != self._picture:
            self._picture = picture
            self.update()
        if address != self._address:
            self._address = address
            import segno  # Only here: no patient sees a code before the first card.

            made = segno.make(address, error="m", micro=False).matrix if address else ()
            self._modules = tuple(tuple(bool(module) for module in row) for row in made)
            self.update()
        self.setVisible(bool(address))

    def _places(self) -> tuple[int, QRectF, QRectF]:
        """Return the side of a module, the place of the code, and that of the picture; empty where it has none."""
        count = len(self._modules) + 2 * QUIET
        wide, high = self.width(), self.height()
        long, short = max(wide, high), min(wide, high)
        # Whole pixels: modules of uneven width are misread.
        module = max(1, int(min(short, long / (1 + SHARE)) if self._picture else short) // count)
        extra = round(module * count * SHARE) if self._picture and module >= LEAST_MODULE else 0
        if not extra:
            module = max(1, short // count)
        side = module * count
        if wide >= high:
            left, top = (wide - side - extra) // 2, (high - side) // 2
            return (
                module,
                QRectF(left + extra, top, side, side),
                QRectF(left, (high - extra) / 2, extra, extra),
            )
        left, top = (wide - side) // 2, (high - side - extra) // 2
        return module, QRectF(left, top + extra, side, side), QRectF((wide - extra) / 2, top, extra, extra)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._modules:
            return
        painter = begin(self)
        module, code, picture = self._places()
        left, top, side = round(code.left()), round(code.top()), code.width()
        if not picture.isEmpty():
            colours, free = self.look.colours, 0.1 * picture.width()
            box = picture.adjusted(free, free, -free, -free)
            draw(painter, self._picture, box, colours.primary, colours.background)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#FFFFFF"))
        painter.drawRect(QRectF(left, top, side, side))
        painter.setBrush(QColor("#000000"))
        for row, modules in enumerate(self._modules, QUIET):
            for column, dark in enumerate(modules, QUIET):
                if dark:
                    painter.drawRect(QRectF(left + column * module, top + row * module, module, module))
        painter.end()
