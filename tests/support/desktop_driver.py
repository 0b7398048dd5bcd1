"""The patient's window as people see it: pages are recognised by their looks, and pressed where they show it."""

import time
from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QAbstractButton, QWidget

from reception.patient.widgets.buttons import GUARD_S
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import Snapshot
from reception.testing.gallery import SAMPLES, StillTerminal
from tests.support.desktop import Desktop, Picture, Program

SAME = 0.0003
"""Share of pixels: more than the cursor has, less than a dot of the PIN."""
ANEW_S = 2.0
"""After so long without success the page is drawn anew."""
PATIENT, PANEL = "マイナンバーカード受付", "模擬"


class Drawn:
    """The same window drawn here: what its pages look like, and where their buttons are."""

    def __init__(self) -> None:
        self.patient = self._patient()

    @staticmethod
    def _patient() -> PatientWindow:
        made = PatientWindow(StillTerminal())
        made.show()
        return made

    def renew(self) -> None:
        """Draw the patient's window anew: pictures in it move, and begin from the start."""
        size = self.patient.size()
        self.patient.close()
        self.patient = self._patient()
        self.patient.resize(size)

    def close(self) -> None:
        """Close it."""
        self.patient.close()

    def page(self, sample: str | Snapshot) -> None:
        """Show the patient a page."""
        snapshot = SAMPLES[sample] if isinstance(sample, str) else sample
        self.patient.render_snapshot(snapshot)
        self.patient.repaint()


def picture(window: QWidget) -> Picture:
    """Return what a window looks like."""
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return cast(Picture, cv2.cvtColor(pixels[:, : image.width()], cv2.COLOR_BGRA2BGR))


def place(window: QWidget, name: str) -> QRect:
    """Return where a widget shows in its window."""
    for widget in window.findChildren(QWidget, name):
        if widget.isVisible():
            return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
    raise AssertionError(f"no {name} is visible")


def difference(one: Picture, other: Picture) -> float:
    """Share of pixels that clearly differ."""
    alike = cv2.countNonZero(cv2.inRange(cv2.absdiff(one, other), (0, 0, 0), (60, 60, 60)))
    return float(1 - alike / (one.shape[0] * one.shape[1]))


def label(window: QWidget, name: str) -> str:
    """Return what a button that shows is called for a screen reader."""
    found = [each for each in window.findChildren(QAbstractButton, name) if each.isVisible()]
    assert found, f"no {name} is visible"
    return found[0].accessibleName()


class Session:
    """A program on a desktop, seen as a patient sees it; pictures are kept where RECEPTION_PICTURES says."""

    def __init__(self, screen: Desktop, drawn: Drawn, program: Program, name: str) -> None:
        self._screen, self._drawn, self._program, self._name = screen, drawn, program, name
        self._pictures, self._seen_at = 0, 0.0
        _, self.patient = screen.window(PATIENT)
        drawn.patient.resize(*self.patient[2:])

    def keep(self) -> None:
        """Keep a picture of the whole desktop."""
        self._pictures += 1
        self._screen.keep_picture(f"{self._name}-{self._pictures:02}")

    def sees(
        self, page: str | Snapshot, within_s: float = 20.0, *, rows: int | None = None, alike: float = SAME
    ) -> None:
        """Wait until the patient's window shows exactly this page; ``rows``: its upper part, above what moves."""
        self._drawn.page(page)
        wanted, drawn_at = picture(self._drawn.patient), time.monotonic()
        x, y, width, height = self.patient

        def shows() -> bool:
            nonlocal wanted, drawn_at
            if time.monotonic() - drawn_at > ANEW_S:
                self._drawn.renew()
                self._drawn.page(page)
                wanted, drawn_at = picture(self._drawn.patient), time.monotonic()
            shown = self._screen.picture()[y : y + height, x : x + width]
            return shown.shape == wanted.shape and difference(shown[:rows], wanted[:rows]) < alike

        self._wait(shows, within_s, f"the window does not show {page}")
        self._seen_at = time.monotonic()
        self.keep()

    def touches(self, name: str) -> None:
        """Press a button of the page that was last seen, once it takes touches."""
        time.sleep(max(0.0, self._seen_at + GUARD_S + 0.05 - time.monotonic()))  # the rule is one of time
        where = place(self._drawn.patient, name).center()
        self._screen.click((self.patient[0] + where.x(), self.patient[1] + where.y()))

    def _wait(self, shows: Callable[[], bool], within_s: float, otherwise: str) -> None:
        deadline = time.monotonic() + within_s
        while not shows():
            if time.monotonic() > deadline:
                self._screen.keep_picture(f"{self._name}-failed")
                raise AssertionError(f"{otherwise}:\n" + "\n".join(self._program.lines))
            time.sleep(0.05)
