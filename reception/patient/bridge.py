"""From the terminal's threads to the thread of the windows."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal

from reception.terminal.notices import Notice
from reception.terminal.snapshot import CounterView, Snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Bridge(QObject):
    """Turns callbacks of any thread into signals that are delivered in the thread of the windows.

    Of frames only the newest waits: a slow window drops frames and never queues them up.
    """

    snapshot = Signal(object)
    counter = Signal(object)
    notices = Signal(object)
    _snapshot_came = Signal(object)
    _counter_came = Signal(object)
    _notices_came = Signal(object)
    colour = Signal(object)
    _colour_came = Signal(object)
    _frame_came = Signal()
    frame = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = Lock()
        self._newest: NDArray[np.uint8] | None = None
        self._closed = False
        queued = Qt.ConnectionType.QueuedConnection
        self._snapshot_came.connect(self._pass_snapshot, queued)
        self._counter_came.connect(self._pass_counter, queued)
        self._notices_came.connect(self._pass_notices, queued)
        self._frame_came.connect(self._pass_frame, queued)
        self._colour_came.connect(self._pass_colour, queued)

    def take_snapshot(self, snapshot: Snapshot) -> None:
        """Callback for any thread."""
        with self._lock:
            if not self._closed:
                self._snapshot_came.emit(snapshot)

    def take_counter(self, view: CounterView | None) -> None:
        """Callback for any thread."""
        with self._lock:
            if not self._closed:
                self._counter_came.emit(view)

    def take_notices(self, notices: tuple[Notice, ...]) -> None:
        """Callback for any thread."""
        with self._lock:
            if not self._closed:
                self._notices_came.emit(notices)

    def take_colour(self, colour: str | None) -> None:
        """Callback for any thread; ``colour`` is one of hardware.face.flash."""
        with self._lock:
            if not self._closed:
                self._colour_came.emit(colour)

    def take_frame(self, image: NDArray[np.uint8]) -> None:
        """Callback for any thread; ``image`` is (H, W, 3) uint8 BGR."""
        with self._lock:
            waiting, self._newest = self._newest is not None, image
            if not waiting and not self._closed:
                self._frame_came.emit()

    def close(self) -> None:
        """Nothing is passed on from now on; callbacks may still come."""
        with self._lock:
            self._closed = True
            self._newest = None

    def _pass_snapshot(self, snapshot: Snapshot) -> None:
        if not self._closed:
            self.snapshot.emit(snapshot)

    def _pass_counter(self, view: CounterView | None) -> None:
        if not self._closed:
            self.counter.emit(view)

    def _pass_notices(self, notices: tuple[Notice, ...]) -> None:
        if not self._closed:
            self.notices.emit(notices)

    def _pass_colour(self, colour: str | None) -> None:
        if not self._closed:
            self.colour.emit(colour)

    def _pass_frame(self) -> None:
        with self._lock:
            image, self._newest = self._newest, None
        if image is not None and not self._closed:
            self.frame.emit(image)
