"""The patient as in a mirror, with the oval that the face belongs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from hardware.face.guidance import Guidance
from reception.patient import tokens
from reception.patient.widgets.painted import Painted, begin
from reception.texts import N_, Catalogue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NARROWEST, WIDEST = 3 / 4, 4 / 3
"""Width to height of what is cut out of a frame."""
GOOD = "#51B883"
"""Oval around a face that is where it belongs; on the darkened picture, in every mode."""
SWEEP_STEP = 9
"""Degrees by which the mark on the oval goes on with every frame: the machine is looking."""


class CameraPreview(QWidget, Painted):
    """Shows the newest frame and says by its oval how the face should move; keeps nothing else."""

    def __init__(self, t: Catalogue) -> None:
        super().__init__()
        self.setAccessibleName(t(N_("カメラの映像")))
        self._image: QImage | None = None
        self._pixels: NDArray[np.uint8] | None = None
        self._asked: Guidance | None = None
        self._sweep = 0
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(480, 640)

    def show_frame(self, image: NDArray[np.uint8]) -> None:
        """Show a frame, (H, W, 3) uint8 BGR, cut to the shape of the widget around its middle, and mirrored."""
        import cv2  # Whoever has a camera's frame has loaded it; the window must not wait for it at its start.

        height, width = image.shape[:2]
        shape = min(max(self.width() / max(1, self.height()), NARROWEST), WIDEST)
        if width > height * shape:
            crop = int(height * shape)
            image = image[:, (width - crop) // 2 :][:, :crop]
        else:
            crop = int(width / shape)
            image = image[(height - crop) // 2 :][:crop]
        # OpenCV and not numpy: 0.3 ms in place of 3, and other threads may run meanwhile. The image only points at the
        # pixels: they must live as long as it does.
        self._pixels = pixels = cast(
            "NDArray[np.uint8]", cv2.cvtColor(cv2.flip(image, 1), cv2.COLOR_BGR2BGRA)
        )
        rows, columns = pixels.shape[:2]
        self._image = QImage(pixels.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
        self._sweep = (self._sweep + SWEEP_STEP) % 360
        self.update()

    def show_guidance(self, asked: Guidance | None) -> None:
        """Let the oval say what is asked of the face; None: it is where it belongs."""
        if asked != self._asked:
            self._asked = asked
            self.update()

    def forget(self) -> None:
        """Drop the last frame."""
        if self._image is not None:
            self._image = self._pixels = None
            self.update()

    @property
    def empty(self) -> bool:
        """No frame is held."""
        return self._image is None

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = begin(self)
        painter.fillRect(self.rect(), QColor(self.look.colours.background))
        box = self._picture_box()
        painter.fillRect(box, QColor(tokens.INK_SOFT))
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(box, self._image)
        oval = self._oval(box)
        around = QPainterPath()
        around.addRect(box)
        around.addEllipse(oval)
        painter.fillPath(around, QColor(0, 0, 0, 120))
        self._draw_oval(painter, oval)
        painter.end()

    def _picture_box(self) -> QRectF:
        wide = min(self.width(), self.height() * WIDEST)
        high = min(self.height(), self.width() / NARROWEST)
        box = QRectF(0, 0, wide, high)
        box.moveCenter(QRectF(self.rect()).center())
        return box

    def _oval(self, box: QRectF) -> QRectF:
        high = box.height() * 0.72
        size = {Guidance.CLOSER: 1.08, Guidance.FURTHER: 0.9}.get(self._asked, 1.0) if self._asked else 1.0
        wide = min(high * 0.74, box.width() * 0.7)
        oval = QRectF(0, 0, wide * size, high * size)
        oval.moveCenter(QPointF(box.center().x(), box.top() + box.height() * 0.48))
        return oval

    def _draw_oval(self, painter: QPainter, oval: QRectF) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._asked is None and not self.empty:
            painter.setPen(QPen(QColor(GOOD), self.look.sizes.px(1.7)))
            painter.drawEllipse(oval)
            pen = QPen(QColor(tokens.WHITE), self.look.sizes.px(1.7))
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawArc(oval, (90 - self._sweep) * 16, -40 * 16)
            return
        pen = QPen(QColor(tokens.WHITE if self._asked is None else tokens.YELLOW), self.look.sizes.px(1.2))
        if self._asked is not None:
            pen.setDashPattern([2.2, 1.4])
        painter.setPen(pen)
        painter.drawEllipse(oval)
        self._draw_arrows(painter, oval)

    def _draw_arrows(self, painter: QPainter, oval: QRectF) -> None:
        """Arrows beside the oval: turn to this side (as in a mirror), come closer, go back."""
        unit = self.look.sizes.unit
        left, right = (
            QPointF(oval.left() - 4.4 * unit, oval.center().y()),
            QPointF(oval.right() + 4.4 * unit, oval.center().y()),
        )
        arrows = {
            Guidance.TURN_LEFT: ((left, -1.0),),
            Guidance.TURN_RIGHT: ((right, 1.0),),
            Guidance.MOVE_A_LITTLE: ((left, -1.0), (right, 1.0)),
            Guidance.CLOSER: ((left, -1.0), (right, 1.0)),
            Guidance.FURTHER: ((left, 1.0), (right, -1.0)),
        }
        pen = QPen(QColor(tokens.YELLOW), self.look.sizes.px(1.5))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        for at, way in arrows.get(self._asked, ()) if self._asked else ():
            path = QPainterPath(at + QPointF(-1.4 * unit * way, -3.7 * unit))
            path.lineTo(at + QPointF(1.7 * unit * way, 0))
            path.lineTo(at + QPointF(-1.4 * unit * way, 3.7 * unit))
            painter.drawPath(path)
