"""A QR code as large as its place allows, dark on light in every mode: that is what phones read best."""

import segno
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from reception.patient.widgets.painted import Painted, begin
from reception.texts import N_, Catalogue

QUIET = 4
"""Modules of light margin that a reader needs around the code (ISO/IEC 18004)."""


class QrCode(QWidget, Painted):
    """The code of an address; nothing while there is none."""

    needed = True
    """It is what the page is for; texts give way to it."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self._address = ""
        self._modules: tuple[tuple[bool, ...], ...] = ()
        self.setAccessibleName(t(N_("QRコード")))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        side = self.look.sizes.px(40)
        return QSize(side, side)

    def show_address(self, address: str) -> None:
        """Show the code of an address; an empty one takes no room."""
        if address != self._address:
            self._address = address
            made = segno.make(address, error="m", micro=False).matrix if address else ()
            self._modules = tuple(tuple(bool(module) for module in row) for row in made)
            self.update()
        self.setVisible(bool(address))

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._modules:
            return
        painter = begin(self)
        count = len(self._modules) + 2 * QUIET
        # Whole pixels: modules of uneven width are misread.
        module = max(1, min(self.width(), self.height()) // count)
        side = module * count
        left, top = (self.width() - side) // 2, (self.height() - side) // 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#FFFFFF"))
        painter.drawRect(QRectF(left, top, side, side))
        painter.setBrush(QColor("#000000"))
        for row, modules in enumerate(self._modules, QUIET):
            for column, dark in enumerate(modules, QUIET):
                if dark:
                    painter.drawRect(QRectF(left + column * module, top + row * module, module, module))
        painter.end()
