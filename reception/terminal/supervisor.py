"""Every thread of a terminal: it has a name and a pulse, and neither its death nor its silence stays unnoticed.

A loop that fails is begun anew, ever less often. A job that does not end is left behind, and its lane goes on. Staff
are told of both, and of any other thread of the process that dies; systemd is told that the terminal lives.
"""

import logging
import math
import os
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

_log = logging.getLogger("reception.terminal.supervisor")

LOOK_S = 1.0
"""How often the pulses are looked at."""
SILENT_AFTER_S = 30.0
"""A loop that gave no sign of life for so long hangs; its waits for devices and the server are all shorter."""
HEALED_AFTER_S = 1.0
"""A loop that was begun anew counts as healed once it has run so long."""
TOLD_S = 60.0
"""How long staff are told of a thread that died and is nobody's to begin anew."""
FIRST_REST_S, LONGEST_REST_S = 0.1, 30.0
JOIN_S = 10.0
"""How long the end waits for a thread that may hang."""

T = TypeVar("T")
P = ParamSpec("P")


class StopSign(Protocol):
    """What a loop goes by: an Event, or a Pulse."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class LaneEnded(RuntimeError):
    """A lane was given a job after its end: the terminal is being closed."""


class JobHangs(Exception):
    """A job did not end in its time and was left behind."""


class Pulse:
    """Tells a loop whether it is to end; each look at it is a sign of life."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self.at = time.monotonic()
        """The last sign of life, or when the next one is due while the loop rests (monotonic, s)."""

    def is_set(self) -> bool:
        """Whether the loop is to end."""
        self.at = time.monotonic()
        return self._stopping.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Rest, at most so many seconds; True when the loop is to end."""
        self.at = time.monotonic() + (timeout or 0.0)
        ended = self._stopping.wait(timeout)
        self.at = time.monotonic()
        return ended


@dataclass
class _Loop:
    """A loop of its own thread."""

    name: str
    work: Callable[[Pulse], None]
    silent_after_s: float
    pulse: Pulse
    thread: threading.Thread | None = None
    failed: bool = False
    """It failed, and has not run for long since."""
    begun_at: float = math.inf
    """When its work was last begun (monotonic, s); infinite while it rests after a failure."""


@dataclass
class _Job:
    """One job of a lane, which stays first in its queue until it has ended: a thread that dies takes none with it."""

    do: Callable[[], Any]
    future: "Future[Any]"
    since: float | None = None
    """When it was begun (monotonic, s)."""


class Lane:
    """Does jobs one after the other in a thread of its own; made by Supervisor.lane()."""

    def __init__(self, name: str, limit_s: float) -> None:
        self.name, self.limit_s = name, limit_s
        self._news = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._closed = False
        self._hung: list[threading.Thread] = []
        self._thread = self._begun()

    def submit(self, job: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> "Future[T]":
        """Have a job done; raises LaneEnded after shutdown(). A job that hangs ends with JobHangs."""
        future: Future[T] = Future()
        with self._news:
            if self._closed:
                raise LaneEnded(f"the lane {self.name} has ended")
            self._jobs.append(_Job(lambda: job(*given, **named), future))
            self._news.notify_all()
        return future

    def shutdown(self) -> None:
        """End after what waits; a job that hangs is not waited for without end."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._thread.join(JOIN_S)

    @property
    def hangs(self) -> bool:
        """Whether a job was left behind and still hangs."""
        self._hung = [thread for thread in self._hung if thread.is_alive()]
        return bool(self._hung)

    def look(self) -> bool:
        """Leave a job behind that took too long, and go on in place of a thread that died; True when it did."""
        given_up: _Job | None = None
        with self._news:
            first = self._jobs[0] if self._jobs else None
            begun = first.since if first else None
            late = begun is not None and time.monotonic() - begun > self.limit_s
            if (self._closed and not self._jobs) or (self._thread.is_alive() and not late):
                return False
            _log.error("the lane %s %s and is begun anew", self.name, "hangs" if late else "died")
            if late:
                self._hung.append(self._thread)
            if begun is not None:
                given_up = self._jobs.popleft()
            self._thread = self._begun()
        if given_up is not None:
            _end(given_up.future, error=JobHangs(f"the lane {self.name} was begun anew"))
        return True

    def _begun(self) -> threading.Thread:
        thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        thread.start()
        return thread

    def _work(self) -> None:
        with suppress(BaseException):  # whatever kills it between two jobs: look() begins another
            while self._did_one():
                pass

    def _did_one(self) -> bool:
        """Do the next job; False when there will be none for this thread."""
        me = threading.current_thread()
        with self._news:
            self._news.wait_for(lambda: self._jobs or self._closed)
            if not self._jobs or self._thread is not me:
                return False
            job = self._jobs[0]
            job.since = time.monotonic()
        result, error = None, None
        try:
            result = job.do()
        except BaseException as failed:
            error = failed
        with self._news:
            if self._thread is not me:
                return False  # left behind; another goes on with the next
            self._jobs.popleft()
        _end(job.future, result, error)
        return True


def _end(future: "Future[Any]", result: Any = None, error: BaseException | None = None) -> None:
    with suppress(InvalidStateError):  # it was cancelled
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


class Supervisor:
    """Runs the loops and lanes of one terminal.

    ``told`` takes the names of what does not work now, from any thread, whenever they change.
    """

    def __init__(
        self, told: Callable[[tuple[str, ...]], None] = lambda names: None, *, notifies: bool = False
    ) -> None:
        """``notifies``: tells systemd, too, that the process lives, as long as no loop is silent."""
        self._told_to = told
        self._stopping = threading.Event()
        self._loops: list[_Loop] = []
        self._lanes: list[Lane] = []
        self._others: dict[str, float] = {}
        """Threads that died and are nobody's to begin anew, and until when that is told."""
        self._told: tuple[str, ...] = ()
        self._looking = threading.Lock()
        self._alive_to: Callable[[], None] = _systemd() if notifies else lambda: None
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def loop(self, name: str, work: Callable[[Pulse], None], silent_after_s: float = SILENT_AFTER_S) -> None:
        """Run ``work`` in a thread from start() on; it returns when its pulse says so."""
        loop = _Loop(name, work, silent_after_s, Pulse(self._stopping))
        self._loops.append(loop)
        if self._watcher.ident is not None:
            self._begin(loop)

    def lane(self, name: str, limit_s: float) -> Lane:
        """Return a lane; a job that takes longer than ``limit_s`` is left behind."""
        lane = Lane(name, limit_s)
        self._lanes.append(lane)
        return lane

    def pulse(self, name: str, silent_after_s: float = SILENT_AFTER_S) -> Pulse:
        """Return a pulse for a loop that somebody else runs, as the windows' own."""
        loop = _Loop(name, lambda pulse: None, silent_after_s, Pulse(self._stopping))
        self._loops.append(loop)
        return loop.pulse

    def start(self) -> None:
        """Begin all loops."""
        for loop in self._loops:
            self._begin(loop)
        self._watcher.start()
        _supervisors.add(self)
        _hook()

    def end(self) -> None:
        """Tell all loops to end."""
        self._stopping.set()

    def stop(self) -> None:
        """Tell all loops to end, and wait for them; the lanes are ended by who uses them."""
        self._stopping.set()
        _supervisors.discard(self)
        for loop in self._loops:
            if loop.thread is not None and loop.thread is not threading.current_thread():
                loop.thread.join(JOIN_S)
        if self._watcher.ident is not None:
            self._watcher.join(JOIN_S)

    def died(self, name: str) -> None:
        """Tell of a thread that died, whoever's it was."""
        _log.error("the thread %s died", name)
        self._others[name] = time.monotonic() + TOLD_S

    def _begin(self, loop: _Loop) -> None:
        loop.thread = threading.Thread(target=self._run, args=(loop,), name=loop.name, daemon=True)
        loop.thread.start()

    def _run(self, loop: _Loop) -> None:
        rest_s = FIRST_REST_S
        while not self._stopping.is_set():
            loop.begun_at = began = time.monotonic()
            try:
                loop.work(loop.pulse)
                return
            except BaseException as error:
                # The kind only: the text of an unforeseen error could hold what must not be in a log.
                _log.error("%s failed with %s and is begun anew", loop.name, type(error).__name__)
                loop.failed, loop.begun_at = True, math.inf
            self._look()
            if time.monotonic() - began > LONGEST_REST_S:
                rest_s = FIRST_REST_S
            loop.pulse.wait(rest_s)
            rest_s = min(2 * rest_s, LONGEST_REST_S)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_S):
            with suppress(Exception):
                self._look()
            if not any(loop.silent_after_s < self._silence(loop) for loop in self._loops):
                self._alive_to()

    @staticmethod
    def _silence(loop: _Loop) -> float:
        return time.monotonic() - loop.pulse.at

    def _look(self) -> None:
        with self._looking:
            self._look_and_tell(time.monotonic())

    def _look_and_tell(self, now: float) -> None:
        down = [loop.name for loop in self._loops if self._is_down(loop, now)]
        for lane in self._lanes:
            if lane.look():
                self._others[lane.name] = now + HEALED_AFTER_S
        down += [lane.name for lane in self._lanes if lane.hangs]
        down += [name for name, until in list(self._others.items()) if now < until]
        names = tuple(dict.fromkeys(down))
        if names != self._told:
            self._told = names
            self._told_to(names)

    def _is_down(self, loop: _Loop, now: float) -> bool:
        if loop.failed and loop.pulse.at - loop.begun_at > HEALED_AFTER_S:
            loop.failed = False
            _log.info("%s works again", loop.name)
        return loop.failed or now - loop.pulse.at > loop.silent_after_s


# --- The whole process ------------------------------------------------------------------------------------------

_supervisors: "weakref.WeakSet[Supervisor]" = weakref.WeakSet()
_before: list[Callable[[threading.ExceptHookArgs], Any]] = []


def _hook() -> None:
    """Hear of every thread of the process that dies by an exception; who heard of it before still does."""
    if threading.excepthook is _died:
        return
    _before[:] = [threading.excepthook] if threading.excepthook is not threading.__excepthook__ else []
    threading.excepthook = _died


def _died(what: threading.ExceptHookArgs) -> None:
    for supervisor in list(_supervisors):
        supervisor.died(what.thread.name if what.thread else "a thread")
    # Not the interpreter's own: it prints the error's text, which may be somebody's.
    for hook in _before:
        hook(what)


def _systemd() -> Callable[[], None]:
    """Return how systemd is told that the process lives (sd_notify); nothing where it does not ask."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return lambda: None
    target = "\0" + address[1:] if address.startswith("@") else address

    def alive() -> None:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            line.sendto(b"READY=1\nWATCHDOG=1", target)

    return alive
