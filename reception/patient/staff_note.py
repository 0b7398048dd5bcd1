"""What staff want the patient to read, laid over the top of the patient's window until they take it away."""

from PySide6.QtCore import QEvent, QObject

from reception.patient import TerminalLike
from reception.patient.bridge import Bridge
from reception.patient.widgets import Message
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import Snapshot
from reception.texts import catalogue
from reception.texts.wording import STAFF_TEXTS


class StaffNote(Message):
    """Belongs to the window it lies on; covers the steps or the top of a text, and no button."""

    def __init__(self, window: PatientWindow, terminal: TerminalLike) -> None:
        super().__init__("info")
        self.setParent(window)
        self._window = window
        self.setObjectName("staff_note")
        self.hide()
        self._bridge = Bridge(self)
        self._bridge.snapshot.connect(self.render_snapshot)
        self._stop = terminal.subscribe(self._bridge.take_snapshot)
        window.installEventFilter(self)

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Show the text of this snapshot, if there is one."""
        text = STAFF_TEXTS.get(snapshot.staff_message, "")
        self.show_message(catalogue(snapshot.language, snapshot.facility)(text))
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 Qt's name
        if event.type() == QEvent.Type.Resize:
            self._place()
        elif event.type() == QEvent.Type.Close:
            self._bridge.close()
            self._stop()
        return False

    def _place(self) -> None:
        if not self.isHidden():
            self.setGeometry(self._window.note_place(self.heightForWidth))
            self.raise_()
