"""The patient's window as all that a patient can reach: a whole display, without frame, cursor or a way to close it."""

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QScreen
from PySide6.QtWidgets import QApplication, QWidget


class NoSuchDisplay(Exception):
    """The display that was asked for is not there; ``str()`` names those that are."""


class Kiosk(QObject):
    """Fills one display with the patient's window, and another one, while there is one, with the counter's.

    ``display`` counts from 1, in the order of the system; 1 is the primary one. When displays come and go the windows
    follow: the counter's window never covers the patient's. Raises NoSuchDisplay.
    """

    def __init__(
        self, application: QApplication, patient: QWidget, counter: QWidget | None, display: int
    ) -> None:
        super().__init__()
        self._application, self._patient, self._counter = application, patient, counter
        screens = application.screens()
        if display > len(screens):
            there = ", ".join(
                f"{number} ({screen.name()}, {screen.size().width()} x {screen.size().height()})"
                for number, screen in enumerate(screens, 1)
            )
            raise NoSuchDisplay(f"--display {display}: there is no such display; there are: {there}")
        self._name = screens[display - 1].name()
        application.setQuitOnLastWindowClosed(False)
        patient.setWindowFlags(
            Qt.WindowType.Window | Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint
        )
        patient.setCursor(Qt.CursorShape.BlankCursor)
        for window in filter(None, (patient, counter)):
            window.installEventFilter(self)
        application.screenAdded.connect(self._display_added)
        application.screenRemoved.connect(self._arrange)
        for screen in screens:
            screen.geometryChanged.connect(self._arrange)
        self._arrange()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Nobody closes a window of a kiosk; it ends by a signal."""
        if event.type() == QEvent.Type.Close:
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def give_keys_back(self) -> None:
        """Let what is typed next go to the patient's window; without a window manager nobody else does."""
        self._patient.activateWindow()
        self._patient.setFocus()

    def add(self, counter: QWidget) -> None:
        """Fill another display, while there is one, with the counter's window."""
        self._counter = counter
        counter.installEventFilter(self)
        self._arrange_counter()
        self._patient.activateWindow()

    def release(self) -> None:
        """Let the windows be closed, by the program itself."""
        for window in filter(None, (self._patient, self._counter)):
            window.removeEventFilter(self)

    def _display_added(self, screen: QScreen) -> None:
        screen.geometryChanged.connect(self._arrange)
        self._arrange()

    def _arrange(self, *_: object) -> None:
        screens = self._application.screens()
        if not screens:
            return
        _fill(self._patient, self._chosen(screens))
        self._arrange_counter()
        # Without a window manager nobody else hands the keyboard to it.
        self._patient.raise_()
        self._patient.activateWindow()

    def _arrange_counter(self) -> None:
        if self._counter is None:
            return
        screens = self._application.screens()
        others = [screen for screen in screens if screen is not self._chosen(screens)]
        if others:
            _fill(self._counter, others[0])
        else:
            self._counter.hide()

    def _chosen(self, screens: list[QScreen]) -> QScreen:
        return next((screen for screen in screens if screen.name() == self._name), screens[0])


def _fill(window: QWidget, screen: QScreen) -> None:
    """Without a window manager full screen alone is only a wish, so the size is set, too."""
    window.setScreen(screen)
    window.setGeometry(screen.geometry())
    window.showFullScreen()
    window.setGeometry(screen.geometry())
