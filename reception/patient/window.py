"""The patient's window: shows snapshots in the language and the look that the patient chose, and takes keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from config import Screen
from reception import flow
from reception.patient import TerminalLike, tokens
from reception.patient.bridge import Bridge
from reception.patient.frame import Frame
from reception.patient.pages import FaceMatchPage
from reception.patient.widgets import Painted
from reception.patient.widgets.flash import ColourFlash
from reception.terminal.snapshot import Snapshot
from reception.texts import catalogue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UPRIGHT = Screen()


def _present(terminal: TerminalLike) -> Snapshot:
    """Return the snapshot of now, so that no other page is made before its own."""
    seen = [Snapshot()]
    terminal.subscribe(seen.append)()
    return seen[-1]


def density_of(widget: QWidget) -> float:
    """Return the px per inch of a widget's display, within what is believed: 96 to 300."""
    return min(300.0, max(96.0, widget.screen().physicalDotsPerInch()))


class PatientWindow(QWidget):
    """Shows the snapshots of a terminal to the patient and submits what the patient does.

    Its size decides whether it stands or lies, so that a kiosk fits the display that it is on; ``screen`` says how
    large it is where nobody else decides, and how many px an inch has.
    """

    sound_pressed = Signal()
    """The patient wants the voice to be softer, silent, or as before."""

    simulation_pressed = Signal()
    """The sign of a simulation was pressed, which is there on a simulated bench only."""

    def __init__(
        self, terminal: TerminalLike, screen: Screen = UPRIGHT, size: tuple[int, int] | None = None
    ) -> None:
        """``size``: px, where it is known already that it will be another than that of ``screen``."""
        super().__init__()
        self._sound = ""
        self._terminal, self._screen = terminal, screen
        self._shown = _present(terminal)
        self._styled: tuple[tokens.Look, str] | None = None
        self.setObjectName("patient_window")
        self.setWindowTitle("マイナンバーカード受付")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.resize(*(size or (screen.width, screen.height)))
        self._frame = self._made()
        self._flash = ColourFlash(self)
        self._restyle()
        self._show(self._shown, anew=True)
        self._bridge = Bridge(self)
        self._bridge.snapshot.connect(self.render_snapshot)
        self._bridge.frame.connect(self.show_frame)
        self._bridge.colour.connect(self.show_colour)
        self._unsubscribe = [
            terminal.subscribe(self._bridge.take_snapshot),
            terminal.subscribe_frames(self._bridge.take_frame),
            terminal.subscribe_colours(self._bridge.take_colour),
        ]

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Show the snapshot; call in the thread of the windows."""
        before, self._shown = self._shown, snapshot
        if (snapshot.language, snapshot.facility) != (before.language, before.facility):
            self._frame.setParent(None)
            self._frame.deleteLater()
            self._frame = self._made()
            self._frame.setVisible(True)
            self._restyle()
        elif snapshot.display_mode != before.display_mode:
            self._restyle()
        self._show(snapshot, anew=(before.screen, before.occasion) != (snapshot.screen, snapshot.occasion))

    def _show(self, snapshot: Snapshot, *, anew: bool) -> None:
        self._frame.show_snapshot(snapshot, anew=anew)
        if snapshot.screen != "FACE_MATCH":
            self._flash.show_colour(None)
        if anew:
            # Nothing is preselected: the keyboard starts before the first button of whatever is asked now.
            self.setFocus()

    def _made(self) -> Frame:
        """Make everything that the window shows, in the language and for the facility of the snapshot."""
        t = catalogue(self._shown.language, self._shown.facility)
        frame = Frame(t, self._send, self.sound_pressed.emit)
        frame.badge.pressed.connect(self.simulation_pressed.emit)
        frame.show_sound(self._sound)
        frame.setParent(self)
        frame.setGeometry(self.rect())
        return frame

    def _restyle(self) -> None:
        """Use the look for this size and mode; the same one again costs nothing."""
        shown = self._shown
        look = tokens.look(self.width(), self.height(), self._density(), shown.display_mode)
        if (look, shown.language) != self._styled:
            self._styled = look, shown.language
            self.setStyleSheet(tokens.style_sheet(look, shown.language))
        for widget in self.findChildren(QWidget):
            if widget is not self._frame and isinstance(widget, Painted) and widget.look != look:
                widget.apply_theme(look)
        # The last: it places the others.
        self._frame.apply_theme(look)

    def _density(self) -> float:
        """Return how many px an inch has: as it is set, or else as Qt knows of the display."""
        return self._screen.density_dpi or density_of(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._frame.setGeometry(self.rect())
        self._flash.setGeometry(self.rect())
        self._restyle()

    @property
    def look(self) -> tokens.Look:
        """How it looks now."""
        return self._frame.look

    @property
    def shown(self) -> Snapshot:
        """The snapshot on the screen now."""
        return self._shown

    @property
    def page_count(self) -> int:
        """How many pages what is shown now needs at this size."""
        return self._frame.page.reading.page_count

    def turn_page(self) -> None:
        """Show the next of them; after the last one the first."""
        self._frame.page.reading.turn()

    def note_place(self, height_at: Callable[[int], int]) -> QRect:
        """Return where a text lies that covers no button; ``height_at`` gives its height at a width, in px."""
        return self._frame.note_place(height_at)

    def _send(self, event: flow.Event) -> None:
        self._terminal.submit(event)

    def show_frame(self, image: NDArray[np.uint8]) -> None:
        """Show what the camera sees, (H, W, 3) uint8 BGR, where the page has a place for it."""
        page = self._frame.page
        if isinstance(page, FaceMatchPage):
            page.preview.show_frame(image)

    def show_colour(self, colour: str | None) -> None:
        """Show a colour of the flash all over, while a face is matched; None: the page."""
        self._flash.show_colour(colour if self._shown.screen == "FACE_MATCH" else None)

    def show_sound(self, label: str) -> None:
        """Say how loud the voice is; an empty label: there is none."""
        self._sound = label
        self._frame.show_sound(label)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A key pad on a cable works like the one on the screen."""
        if self._shown.screen != "PIN_ENTRY" or event.isAutoRepeat():
            super().keyPressEvent(event)
            return
        key, text = event.key(), event.text()
        if len(text) == 1 and text in "0123456789":
            self._send(flow.PinDigit(int(text)))
        elif key == Qt.Key.Key_Backspace:
            self._send(flow.PinBackspace())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._send(flow.PinSubmit())
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the subscriptions; no frame is kept."""
        self._bridge.close()
        while self._unsubscribe:
            self._unsubscribe.pop()()
        super().closeEvent(event)
