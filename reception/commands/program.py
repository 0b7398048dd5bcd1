"""The windows of a terminal from the first picture to the end; what takes long happens behind the first picture."""

import gc
import importlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QSocketNotifier, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from reception.patient.first import FirstScreen
from reception.patient.kiosk import Kiosk

if TYPE_CHECKING:
    from reception.terminal.conductor import Terminal
    from reception.terminal.snapshot import Snapshot

TITLE_BAR = 40
"""px that a window manager takes of the height."""
SMALLEST_SCALE = 0.75
"""Of the size that is set; below it the letters would be too small on an ordinary display."""
ALIVE_MS = 5000
"""How often the thread of the windows gives a sign of life; the supervisor waits several times as long for one."""
SHOWN_WITHIN_S = 0.3
"""How long what goes on behind the patient's window lets it come first, which it does not while a reader is lost."""

_log = logging.getLogger("reception.start")


@dataclass(frozen=True)
class Opened:
    """A terminal that watches its readers, for the patient's window to show."""

    terminal: "Terminal"
    panel: "Callable[[], PanelLike] | None" = None
    """Makes a window of the bench's own."""
    behind: Callable[[], AbstractContextManager[None]] = nullcontext
    """Does, once the patient's window stands, what nobody needs before the first card; ends it before the terminal."""


class PanelLike(Protocol):
    """The window of a simulated bench."""

    def open(self) -> None: ...

    def stop(self) -> None: ...

    def hide(self) -> None: ...

    def adjustSize(self) -> None: ...  # noqa: N802 (Qt's name)

    def width(self) -> int: ...

    def move(self, x: int, y: int, /) -> None: ...


Opening = Callable[[], AbstractContextManager[Opened]]
"""Starts a terminal; its end stops it."""


def show(opening: Opening, *, simulated: bool = False, kiosk: int | None = None) -> None:
    """Show the first picture, open the terminal, show its windows until they are closed, and stop the terminal.

    ``kiosk``: fill this display (from 1) with the patient's window. Raises NoSuchDisplay, and what ``opening`` raises.
    """
    application = QApplication([])
    first = FirstScreen(simulated=simulated)
    program = _Program(application, first, opening, kiosk)
    # Not quit(): that asks the windows, and those of a kiosk say no.
    signal.signal(signal.SIGINT, lambda *_: application.exit())
    signal.signal(signal.SIGTERM, lambda *_: application.exit())
    try:
        with _signals_heard():
            application.exec()
    finally:
        gc.enable()
        program.close()
    if program.failure is not None:
        raise program.failure


@contextmanager
def _signals_heard() -> Iterator[None]:
    """Let Qt's loop wake up when a signal comes: Python's handlers only run when Python gets to run."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        came = QSocketNotifier(ours.fileno(), QSocketNotifier.Type.Read)
        came.activated.connect(lambda: ours.recv(64))
        before = signal.set_wakeup_fd(theirs.fileno())
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            came.setEnabled(False)


def place_patient(window: QWidget) -> None:
    """Make the window as large as fits its display, in the shape in which letters and buttons are largest."""
    window.resize(*size_on_display_of(window, window.width(), window.height()))
    window.move(window.screen().availableGeometry().topLeft())


def size_on_display_of(window: QWidget, width: int, height: int) -> tuple[int, int]:
    """Return the size of a window on the display of another, where it wants so many px."""
    free = window.screen().availableGeometry()
    return fitted(width, height, free.width(), free.height() - TITLE_BAR)


def place_beside(window: PanelLike, patient: QWidget) -> None:
    """Put a window at the right of the patient's; where there is no room, at the right edge of the display."""
    window.adjustSize()
    free = patient.screen().availableGeometry()
    left = min(patient.geometry().right() + 20, max(free.left(), free.right() - window.width()))
    window.move(left, free.top())


def fitted(width: int, height: int, free_width: int, free_height: int) -> tuple[int, int]:
    """Return the size of a window that wants so many px on a display that has so many free.

    What does not fit is made smaller in its own shape; where little would be left of it, the window takes all that is
    free, and is composed for that.
    """
    scale = min(1.0, free_width / width, free_height / height)
    if scale >= SMALLEST_SCALE:
        return int(width * scale), int(height * scale)
    return free_width, free_height


class _Surroundings(QObject):
    """Opens the terminal in a thread of its own, and ends it in the same one."""

    came = Signal()
    """The terminal is open, or ``failure`` says why not."""
    completed = Signal()
    """All is loaded."""

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self._opening = opening
        self.opened: Opened | None = None
        self.failure: BaseException | None = None
        self._shown = threading.Event()
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run, name="opening")

    def start(self) -> None:
        self._thread.start()

    def shown(self) -> None:
        """Go on behind the patient's window, which stands."""
        self._shown.set()

    def close(self) -> None:
        """End the terminal; waits until it is open, if it is being opened."""
        self._leave.set()
        self._shown.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            # What it starts may live only as long as this thread does: so pcscd on a bench of its own.
            with self._opening() as opened:
                _load_windows()
                self.opened = opened
                self.came.emit()
                # Python runs one thread at a time: what is loaded now would hold the window up.
                self._shown.wait(SHOWN_WITHIN_S)
                with opened.behind():
                    _load_the_rest()
                    self.completed.emit()
                    self._leave.wait()
        except BaseException as error:  # Shown by the thread of the windows.
            self.failure = error
            self.came.emit()


def _load_windows() -> None:
    """Import what the patient's window is made of, while the first picture stands."""
    import reception.patient.staff_note
    import reception.patient.window  # noqa: F401


def _load_the_rest() -> None:
    """Import what the first visit needs, while the patient's window stands."""
    for name in ("reception.patient.keys", "reception.speech.voice", "asn1crypto.x509", "cv2"):
        importlib.import_module(name)


_PATIENT_ACTS = (
    "METHOD_CHOICE",
    "PIN_ENTRY",
    "LAST_TRY",
    "PHONE_TAP",
    "CARD_USE_OFFER",
    "CONSENT",
    "BUNDLE",
    "PRESCRIPTION",
    "LIMIT_CONSENT",
    "HELP",
)
"""Pages that the patient answers; on the others staff may have to type."""


def settle() -> None:
    """Leave what was loaded out of Python's search for garbage, which would hold the windows up for up to 50 ms."""
    gc.collect()
    gc.freeze()
    gc.enable()


class _Program(QObject):
    """The windows, one after the other."""

    _snapshot_came = Signal(object)
    _page_came = Signal(object)

    def __init__(
        self,
        application: QApplication,
        first: FirstScreen,
        opening: Opening,
        kiosk: int | None,
    ) -> None:
        super().__init__()
        self._application, self._first = application, first
        self._kiosk = kiosk
        self._windows: list[QWidget] = []
        self._page_shown: tuple[str, int] = ("", 0)
        self._ends: list[Callable[[], None]] = []
        self.failure: BaseException | None = None
        self._filled = Kiosk(application, first, None, kiosk) if kiosk is not None else None
        self._surroundings = _Surroundings(opening)
        self._surroundings.came.connect(self._came, Qt.ConnectionType.QueuedConnection)
        self._snapshot_came.connect(self._ready, Qt.ConnectionType.QueuedConnection)
        self._surroundings.completed.connect(self._complete, Qt.ConnectionType.QueuedConnection)
        if kiosk is None:
            place_patient(first)
            first.show()
        # Not only when that is painted: meanwhile it is the display's turn.
        self._surroundings.start()

    def close(self) -> None:
        """Close what is open; the terminal ends last."""
        while self._ends:
            self._ends.pop()()
        self._release()
        for window in (self._first, *self._windows):
            window.close()
        self._surroundings.close()
        self.failure = self.failure or self._surroundings.failure

    def _release(self) -> None:
        if self._filled is not None:
            self._filled.release()
            self._filled.deleteLater()
            self._filled = None

    def _came(self) -> None:
        opened = self._surroundings.opened
        if opened is None or self._surroundings.failure is not None:
            self._application.exit()
            return
        with self._failing():
            self._show(opened)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """End the program with what goes wrong."""
        try:
            yield
        except Exception as error:
            self.failure = error
            self._application.exit()

    def _complete(self) -> None:
        """Give the patient's window its voice, and settle what was loaded behind it."""
        opened = self._surroundings.opened
        assert opened is not None
        with self._failing():
            self._speak(opened)
            settle()

    def _speak(self, opened: Opened) -> None:
        from reception.patient.keys import SpokenKeys
        from reception.speech.player import find_player
        from reception.speech.voice import Voice

        terminal, sound = opened.terminal, opened.terminal.config.sound
        self._player = find_player(on=sound.voice, volume=sound.volume)
        keys = SpokenKeys(self._patient, terminal.subscribe, terminal.submit, Voice(self._player))
        self._ends.append(keys.close)

    def _show(self, opened: Opened) -> None:
        from reception.patient.staff_note import StaffNote
        from reception.patient.window import PatientWindow

        terminal, config = opened.terminal, opened.terminal.config
        # At once in the size that it will have: laid out twice, it would come later.
        wanted = size_on_display_of(self._first, config.screen.width, config.screen.height)
        patient = PatientWindow(terminal, config.screen, None if self._kiosk is not None else wanted)
        self._patient = patient
        place_patient(patient)
        StaffNote(patient, terminal)
        self._windows.append(patient)
        if self._kiosk is not None:
            self._release()
            self._filled = Kiosk(self._application, patient, None, self._kiosk)
        else:
            patient.show()
        self._first.close()
        if opened.panel is not None and self._kiosk is None:
            panel = opened.panel()
            self._ends.append(panel.stop)
            self._ends.append(panel.hide)
            patient.simulation_pressed.connect(panel.open)
            place_beside(panel, patient)
            panel.open()
            patient.activateWindow()
        self._ends.append(terminal.subscribe(self._snapshot_came.emit))
        self._page_came.connect(self._page, Qt.ConnectionType.QueuedConnection)
        self._ends.append(terminal.subscribe(self._page_came.emit))
        self._pulse = terminal.supervisor.pulse("windows")
        self._alive = QTimer()
        self._alive.timeout.connect(self._pulse.is_set)
        self._alive.start(ALIVE_MS)

    def _page(self, snapshot: "Snapshot") -> None:
        """Let the keys belong to the patient's window at each page on which the patient has to do something."""
        page = (snapshot.screen, snapshot.occasion)
        if self._filled is not None and page != self._page_shown and snapshot.screen in _PATIENT_ACTS:
            self._filled.give_keys_back()
        self._page_shown = page

    def _ready(self, snapshot: "Snapshot") -> None:
        if snapshot.state == "WAITING":
            self._snapshot_came.disconnect(self._ready)
            # After this turn the windows have drawn it.
            QTimer.singleShot(0, self._drawn)

    def _drawn(self) -> None:
        _log.info("ready for a card")
        self._surroundings.shown()
