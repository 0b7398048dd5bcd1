"""The worker process that owns the face networks and dlib; light to import.

A process, not a thread: dlib holds the GIL while it works (75-100 ms for an embedding of its own), which would freeze
the window, and a library that crashes takes no visit with it. Frames go over in nameless shared memory (measured for
640 x 480: 0.05 ms a frame, against 1.0 ms through a pipe), commands and answers through a socket pair whose end of file
ends the worker when the terminal dies.
"""

from __future__ import annotations

import logging
import mmap
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from hardware.face.engine.wire import BLOCK, SHARED, PhotoUnusable, Runs

if TYPE_CHECKING:
    # numpy, too, is only imported where it is used: the process is started before anything heavy is loaded.
    import numpy as np
    from numpy.typing import NDArray

    from hardware.camera import Frame
    from hardware.face.observation import Embedding, Observation

__all__ = ["EngineLost", "FaceEngine", "PhotoUnusable", "Runs"]

_log = logging.getLogger("reception.face")

_MAX_PHOTO = 1_000_000
"""Largest card photo, bytes; real ones have about 5,000."""
_LARGE_PAGES = "glibc.malloc.hugetlb=1"
"""glibc then asks for pages of 2 MB. Detector, landmarks and network jump about in 60 MB of numbers: in 4 KB pages, a
frame takes 4 % longer (measured). Another C library ignores it."""
_BLAS_THREADS = "1"
"""numpy, and OpenCV beside it, then begin no threads for sums that nobody here asks for: 30 ms sooner (measured)."""
_FREED_IS_WIPED = "glibc.malloc.perturb=255:glibc.malloc.tcache_count=0"
"""glibc then overwrites memory that is freed, and keeps none back unwiped: pictures, and copies of them that a decoder
or the sockets made, are gone with their last use. Python's own small objects go the same way with PYTHONMALLOC."""


class EngineLost(Exception):
    """The worker process died, hangs, or could not start."""


class FaceEngine:
    """A supervised process that finds, measures and embeds faces; every call is thread-safe and blocks."""

    def __init__(
        self,
        answer_within_s: float = 5.0,
        start_within_s: float = 30.0,
        library: Literal["best", "dlib"] = "best",
        network: str | None = "",
    ) -> None:
        """``network``: as config.Face.model; None: use() tells it, while the process already loads its libraries.

        ``library``: what runs face_recognition's network; "dlib" is its own way, to compare with.
        """
        self._library = library
        self._asked_for: tuple[str, str, str] | None = None
        self.ready = threading.Event()
        """Set once the models are loaded."""
        self._answer_within_s = answer_within_s
        self._start_within_s = start_within_s
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._wanted = False
        if network is not None:
            self.use(network)

    def use(self, network: str) -> None:
        """Say once which network is wanted, as config.Face.model, where that was not known at first."""
        # Only here: the settings bring pydantic, without which the process starts, and works.
        from config.face_networks import network_of

        kind = network_of(network).name
        with self._lock:
            self._asked_for = kind, "" if network == kind else network, self._library
            if self._worker is not None:
                self._worker.use(self._asked_for)

    @property
    def pid(self) -> int | None:
        """Process id of the worker, None when there is none."""
        worker = self._worker
        return worker.process.pid if worker else None

    @property
    def alive(self) -> bool:
        """Whether the worker runs; it may still be loading its models."""
        worker = self._worker
        return worker is not None and worker.running

    @property
    def runs(self) -> Runs:
        """What it works with; nothing is filled in until it is ready."""
        worker = self._worker
        return worker.runs if worker else Runs()

    @property
    def trouble(self) -> str:
        """Why the network file cannot be used, with which the engine never gets ready; empty when it can."""
        worker = self._worker
        return worker.trouble if worker else ""

    def start(self) -> None:
        """Start the process and return at once; without effect when it runs."""
        with self._lock:
            self._wanted = True
            if self._worker is None:
                self._worker = _Worker(
                    self._answer_within_s, self._start_within_s, self._asked_for, self.ready
                )

    def revive(self) -> None:
        """Put a fresh process in the place of a lost one; returns at once.

        Without effect while one runs, and on an engine that nobody started: where no face is compared, none is needed.
        """
        with self._lock:
            lost = self._worker if self._worker and not self._worker.running else None
            if lost:
                self._worker = None
                self.ready.clear()
        if lost:
            lost.bury()
        if self._wanted:
            self.start()

    def embed_photo(self, jp2: bytes) -> Embedding:
        """Return the embedding of a card photo (JPEG 2000); raises PhotoUnusable, EngineLost."""
        if not 0 < len(jp2) <= _MAX_PHOTO:
            raise PhotoUnusable(f"a photo of {len(jp2)} bytes")
        return cast("Embedding", self._running().ask_about_photo(jp2))

    def observe(self, frame: Frame) -> Observation:
        """Look at a frame, which the worker keeps for embed_last(); raises EngineLost."""
        return cast("Observation", self._running().ask_about(frame))

    def embed_last(self) -> Embedding:
        """Return the embedding of the face last observed; raises EngineLost, or LookupError when there was none."""
        return cast("Embedding", self._running().ask("embed_last"))

    def forget(self) -> None:
        """Wipe what the worker holds of frames and faces; never raises."""
        worker = self._worker
        if worker is not None:
            worker.forget()

    def close(self) -> None:
        """End the process; idempotent, never raises."""
        with self._lock:
            worker, self._worker = self._worker, None
            self.ready.clear()
        if worker is not None:
            worker.end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _running(self) -> _Worker:
        worker = self._worker
        if worker is None:
            raise EngineLost("the face engine is not started")
        return worker


class _Worker:
    """One process, from start to end; once lost it stays lost."""

    def __init__(
        self,
        answer_within_s: float,
        start_within_s: float,
        asked_for: tuple[str, str, str] | None,
        ready: threading.Event,
    ) -> None:
        self._answer_within_s = answer_within_s
        self._start_within_s = start_within_s
        self._turn = threading.Lock()
        self._greeted = threading.Event()
        self._ended = False
        self._used = 0
        self.runs, self.trouble = Runs(), ""
        block = os.memfd_create("face-frame")
        os.ftruncate(block, SHARED)
        self._memory = mmap.mmap(block, SHARED)
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).parents[3])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        # What was chosen by hand comes last and counts.
        tunables = ":".join(filter(None, [_LARGE_PAGES, _FREED_IS_WIPED, os.environ.get("GLIBC_TUNABLES")]))
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "hardware.face.engine.worker",
                str(theirs.fileno()),
                str(block),
            ],
            pass_fds=(theirs.fileno(), block),
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "GLIBC_TUNABLES": tunables,
                "PYTHONMALLOC": "malloc",
                "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", _BLAS_THREADS),
            },
            start_new_session=True,  # Ctrl-C in a console is for the terminal, which ends its worker itself
        )
        theirs.close()
        os.close(block)
        self._connection = Connection(ours.detach())
        if asked_for is not None:
            self.use(asked_for)
        threading.Thread(target=self._greet, args=(ready,), name="face-engine-start", daemon=True).start()

    def use(self, asked_for: tuple[str, str, str]) -> None:
        with suppress(OSError):  # it died, which its greeting's absence tells
            self._connection.send(asked_for)

    @property
    def running(self) -> bool:
        return not self._ended and self.process.poll() is None

    def ask_about(self, frame: Frame) -> Any:
        height, width, _ = frame.image.shape
        size = frame.image.nbytes
        if size > BLOCK:
            raise ValueError(f"a frame of {width} x {height} px is too large")
        self._wait_for_start()
        with self._turn:
            self._refuse_if_ended()
            self._shared(size).reshape(frame.image.shape)[:] = frame.image
            self._used = max(self._used, size)
            return self._exchange(("observe", height, width))

    def ask_about_photo(self, jp2: bytes) -> Any:
        """Hand a photo over in the shared memory, which is wiped when it was looked at."""
        import numpy as np

        self._wait_for_start()
        with self._turn:
            self._refuse_if_ended()
            place = self._shared(len(jp2))
            place[:] = np.frombuffer(jp2, np.uint8)
            try:
                return self._exchange(("embed_photo", len(jp2)))
            finally:
                place.fill(0)

    def _shared(self, size: int, start: int = 0) -> NDArray[np.uint8]:
        """Return a part of the shared memory."""
        import numpy as np

        return np.frombuffer(self._memory, np.uint8, size, start)

    def ask(self, *question: Any) -> Any:
        self._wait_for_start()
        with self._turn:
            self._refuse_if_ended()
            return self._exchange(question)

    def forget(self) -> None:
        try:
            if self._greeted.is_set():
                self.ask("forget")
        except EngineLost:
            pass  # what a dead process held is gone with it
        with self._turn:
            self._wipe()

    def end(self) -> None:
        """End the process: it leaves by itself when the connection closes, and is killed when it is busy or hangs."""
        self._ended = True
        if not self._turn.acquire(timeout=0.5):
            self.process.kill()  # whoever waits for its answer now gets an end of file
            self._turn.acquire()
        try:
            self._shut_down(patience_s=1.0)
        finally:
            self._turn.release()

    def bury(self) -> None:
        """End a process that is lost, and say so unless whoever used it then has."""
        if not self._ended:
            _log.warning("face engine died while nobody used it")
        self.end()

    def _greet(self, ready: threading.Event) -> None:
        with self._turn:
            try:
                if self._connection.poll(self._start_within_s):
                    how, told = self._connection.recv()
                    if how == "ready":
                        self.runs = told
                        _log.info("face engine is ready (%s by %s)", told.network, told.library)
                        ready.set()
                    else:
                        self.trouble = told
                        self._lose(f"cannot be used: {told}")
                else:
                    self._lose("does not start")
            except (OSError, EOFError) as error:
                if not self._ended:
                    self._lose("did not start", error)
            finally:
                self._greeted.set()

    def _wait_for_start(self) -> None:
        if not self._greeted.wait(self._start_within_s + 1):
            raise EngineLost("the face engine does not start")

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise EngineLost(self.trouble or "the face engine is lost")

    def _exchange(self, question: tuple[Any, ...]) -> Any:
        try:
            self._connection.send(question)
            if not self._connection.poll(self._answer_within_s):
                self._lose("hangs")
                raise EngineLost("the face engine hangs")
            kind, answer = self._connection.recv()
        except (OSError, EOFError) as error:
            if not self._ended:
                self._lose("died", error)
            raise EngineLost("the face engine died") from None
        match kind:
            case "done":
                return answer
            case "embedding":
                crossed = self._shared(1024, BLOCK).view("float64")
                embedding = crossed.copy()
                crossed.fill(0)
                return embedding
            case "photo":
                raise PhotoUnusable(answer)
            case "nothing":
                raise LookupError(answer)
        self._lose(f"failed with {answer}")
        raise EngineLost(f"the face engine failed with {answer}")

    def _lose(self, how: str, error: BaseException | None = None) -> None:
        _log.warning("face engine %s%s", how, f" ({type(error).__name__})" if error else "")
        self._ended = True
        self._shut_down(patience_s=0.0)

    def _shut_down(self, patience_s: float) -> None:
        self._connection.close()
        if patience_s:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience_s)
        self.process.kill()
        self.process.wait()
        self._wipe()

    def _wipe(self) -> None:
        self._shared(self._used).fill(0)
        self._used = 0
