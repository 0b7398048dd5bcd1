"""Whether the camera can be used, without holding it: known before a patient chooses, and found again by itself.

A camera that is fine is not opened between visits: its lamp burns only while somebody is matched, and nobody in the
waiting room is filmed. The price is the time that it takes to open when a match begins. Until then only its plug is
looked at. A faulty camera is opened again and again, for a moment each, until it gives good pictures.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from hardware.camera import CameraError, CameraFault, FrameSource, NoCamera, attached, check_camera

_log = logging.getLogger("reception.camera")


class StopSign(Protocol):
    """Tells a loop when to end; a threading.Event does."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class CameraHealth:
    """Watches one camera and tells each change; thread-safe.

    ``watch()`` wants a thread of its own. ``tell`` takes what is wrong with it, or "" for a good one.
    """

    LOOK_S = 1.0
    """How often the plug of a good camera is looked at."""

    def __init__(
        self, source: FrameSource, retry_s: float, tell: Callable[[CameraFault | Literal[""]], None]
    ) -> None:
        self._source = source
        self._retry_s = retry_s
        self._tell = tell
        self._fault: CameraFault | Literal["", "unknown"] = "unknown"
        self._changing = threading.Lock()
        self._camera = threading.Lock()
        """Held by who has the camera open: a match, or a look at a faulty camera."""
        self._wanted = threading.Event()
        """A match wants the camera: a look ends at once, and none begins."""
        self._stopping = False

    def stop(self) -> None:
        """Let a look end at once, and none begin; whoever uses the camera ends by himself."""
        self._stopping = True
        self._wanted.set()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have the camera alone, for a match; a CameraError that passes through here is remembered and told."""
        self._wanted.set()
        try:
            with self._camera:
                yield
        except CameraError as error:
            self._is(error)
            raise
        finally:
            if not self._stopping:
                self._wanted.clear()
        self._is(None)

    def watch(self, stopping: StopSign) -> None:
        """Look at the camera once, then watch it, until ``stopping``."""
        while not stopping.is_set():
            if self._fault == "":
                if not attached(self._source):
                    self._is(NoCamera("the camera was unplugged"))
            else:
                self._look()
            stopping.wait(self.LOOK_S if self._fault == "" else self._retry_s)

    def _look(self) -> None:
        with self._camera:
            try:
                if not attached(self._source):
                    raise NoCamera("there is no camera")
                check_camera(self._source, self._wanted)
            except CameraError as error:
                self._is(error)
                return
        if not self._wanted.is_set():
            self._is(None)

    def _is(self, wrong: CameraError | None) -> None:
        fault: CameraFault | Literal[""] = wrong.fault if wrong else ""
        with self._changing:
            if fault == self._fault:
                return
            self._fault = fault
            _log.info("camera %s", f"cannot be used: {wrong}" if wrong else "is good")
            self._tell(fault)
