"""The program's two windows as people see them: pages are recognised by their looks, and pressed where they show it."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import cast
from unittest.mock import Mock

import cv2
import numpy as np
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QAbstractButton, QApplication, QRadioButton, QTabWidget, QWidget

from config.person import shipped_people
from reception.counter.window import CounterWindow
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import Snapshot
from reception.testing.gallery import SAMPLES, StillTerminal
from reception.testing.testbench import STAFF
from reception.testing.testbench.operators import HANDS
from tests.support.desktop import Desktop, Picture, Program

SAME = 0.0003
"""Share of pixels: more than the cursor has, less than a dot of the PIN."""
ALIKE = 0.02
"""The same for a button, which the cursor may cover in part."""
ANEW_S = 2.0
"""After so long without success the page is drawn anew."""
PATIENT, COUNTER = "マイナンバーカード受付", "受付の窓口"


class _Hands:
    """A bench for a window that is only looked at."""

    can = HANDS
    server = Mock()

    def people(self) -> list[str]:
        return list(shipped_people())

    def insert(self, person: str) -> None: ...

    def remove(self) -> None: ...

    def show(self, person: str) -> None: ...

    def do(self, hand: str, seconds: float = 0.0) -> None: ...

    def tap_phone(self, name: str | None = None) -> None: ...

    def kill_engine(self) -> None: ...


class _Staffed(StillTerminal):
    def staff_ids(self) -> tuple[str, ...]:
        return (STAFF,)


class Drawn:
    """The same windows drawn here: what their pages look like, and where their buttons are."""

    def __init__(self) -> None:
        self.patient = self._patient()
        self.counter = CounterWindow(_Staffed(), _Hands(), sound=lambda: "down")
        self.counter.show()

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
        """Close both."""
        self.patient.close()
        self.counter.close()

    def page(self, sample: str | Snapshot) -> None:
        """Show the patient a page."""
        snapshot = SAMPLES[sample] if isinstance(sample, str) else sample
        self.patient.render_snapshot(snapshot)
        self.patient.repaint()

    def desk(self, sample: str | Snapshot, tab: int, server: str) -> None:
        """Show staff a state on a page of their window, with the server as it is."""
        snapshot = SAMPLES[sample] if isinstance(sample, str) else sample
        self.counter.render_snapshot(replace(snapshot, health=replace(snapshot.health, server=server)))
        tabs = self.counter.findChild(QTabWidget, "tabs")
        assert isinstance(tabs, QTabWidget)
        tabs.setCurrentIndex(tab)
        QApplication.processEvents()


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
    """A program on a desktop, seen as a patient and staff see it; pictures are kept where RECEPTION_PICTURES says."""

    def __init__(self, screen: Desktop, drawn: Drawn, program: Program, name: str) -> None:
        self._screen, self._drawn, self._program, self._name = screen, drawn, program, name
        self._pictures = 0
        self.patient = screen.window(PATIENT)
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
        self.keep()

    def touches(self, name: str) -> None:
        """Press a button of the page that was last seen."""
        where = place(self._drawn.patient, name).center()
        self._screen.click((self.patient[0] + where.x(), self.patient[1] + where.y()))

    def staff_press(self, name: str, sample: str | Snapshot = "01-waiting", tab: int = 0) -> None:
        """Press something in the counter's window, once it looks there as it must in this state."""
        left, top, width, height = self._screen.window(COUNTER)
        self._drawn.counter.resize(width, height)
        found: list[QPoint] = []

        def shows() -> bool:
            whole = self._screen.picture()[top : top + height, left : left + width]
            # A part that is down has a line of its own.
            for server in ("ok", "down"):
                self._drawn.desk(sample, tab, server)
                at = place(self._drawn.counter, name)
                cut = np.s_[at.top() : at.bottom() + 1, at.left() : at.right() + 1]
                if difference(whole[cut], picture(self._drawn.counter)[cut]) < ALIKE:
                    is_dot = isinstance(self._drawn.counter.findChild(QWidget, name), QRadioButton)
                    found.append(QPoint(at.left() + 9, at.center().y()) if is_dot else at.center())
                    return True
            return False

        self._wait(shows, 20.0, f"the counter does not show {name}")
        self.keep()
        self._screen.click((left + found[0].x(), top + found[0].y()))

    def _wait(self, shows: Callable[[], bool], within_s: float, otherwise: str) -> None:
        deadline = time.monotonic() + within_s
        while not shows():
            if time.monotonic() > deadline:
                self._screen.keep_picture(f"{self._name}-failed")
                raise AssertionError(f"{otherwise}:\n" + "\n".join(self._program.lines))
            time.sleep(0.05)
