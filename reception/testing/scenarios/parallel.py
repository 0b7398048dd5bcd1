"""Scenarios in several processes at once, each with ports, a state folder and, where wanted, a pcscd of its own."""

import logging
import multiprocessing
import pickle
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from consent.server.certificates import Authority
from hardware.face.engine import FaceEngine
from reception.testing.scenarios.results import Result
from reception.testing.scenarios.running import blank, play_on_new_bench
from reception.testing.scenarios.scenario import Play
from reception.testing.testbench import BenchKind

_SPAWN = multiprocessing.get_context("spawn")
_END_S = 10.0
"""How long a process may take to put its things away."""
_READY_S = 30.0
_SHARED = ("pki", "terminals", "clips")
"""Parts of a state folder that any number of processes may use at once; the first writer wins there."""


def play_parallel(
    plays: Sequence[Play],
    state: Path,
    kind: BenchKind,
    tell: Callable[[Result], None] = lambda result: None,
    *,
    jobs: int,
    traced: bool = False,
) -> list[Result]:
    """Play scenarios in ``jobs`` processes; results come, and are told, in the order of the scenarios.

    A process that crashes is a failed result, and another takes its place. What would end a run of one process, as a
    bench that cannot be set up, ends this one with the same error. Whatever ends it, no process is left behind.
    """
    # The authority first, and once: cards, responders and terminals of all processes are its own.
    Authority(state)
    faces = any(rule.do == "choose_face" for play in plays for rule in play.scenario.on)
    todo = deque(enumerate(plays))
    done: dict[int, Result] = {}
    told = 0
    with (
        tempfile.TemporaryDirectory(prefix="hil-") as folder,
        _Crew(Path(folder), state, kind, traced, faces) as crew,
    ):
        while told < len(plays):
            while todo and len(crew.busy) < jobs:
                crew.give(*todo.popleft())
            done.update(crew.take())
            while told in done:
                tell(done[told])
                told += 1
    return [done[number] for number in range(len(plays))]


class _Worker:
    """One process and what it plays now."""

    def __init__(self, number: int, state: Path, kind: BenchKind, traced: bool, faces: bool) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        level = logging.getLogger().getEffectiveLevel()
        self.process: SpawnProcess = _SPAWN.Process(
            target=_work, args=(theirs, state, kind, traced, faces, level), name=f"hil-{number}"
        )
        self.process.start()
        theirs.close()
        self.number, self.play = -1, None  # type: int, Play | None

    def came_to(self) -> Result:
        """Return the result of what it plays; raises what would have ended a run of one process."""
        assert self.play
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            result = blank(self.play)
            result.why = self._crashed()
            return result
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Result)
        return answer

    def _crashed(self) -> str:
        code = self.process.exitcode or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"the process that played it ended {how} before it had a result"


class _Crew:
    """The processes; at the end of the ``with`` none of them is there any more."""

    def __init__(self, folder: Path, state: Path, kind: BenchKind, traced: bool, faces: bool) -> None:
        self._folder, self._state, self._kind = folder, state, kind
        self._traced, self._faces = traced, faces
        self.busy: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._hired = 0

    def give(self, number: int, play: Play) -> None:
        """Have a scenario played."""
        worker = self._idle.pop() if self._idle else self._hire()
        worker.number, worker.play = number, play
        self.busy.append(worker)
        # One that died meanwhile is noticed when its result is taken.
        with suppress(BrokenPipeError):
            worker.connection.send(play)

    def take(self) -> dict[int, Result]:
        """Wait until one or more have ended, and return what came of them."""
        ready = wait([worker.connection for worker in self.busy])
        results = {}
        for worker in [worker for worker in self.busy if worker.connection in ready]:
            results[worker.number] = worker.came_to()
            self.busy.remove(worker)
            if worker.process.is_alive():
                self._idle.append(worker)
        return results

    def _hire(self) -> _Worker:
        self._hired += 1
        own = self._folder / str(self._hired)
        own.mkdir()
        for name in _SHARED:
            (self._state / name).mkdir(parents=True, exist_ok=True)
            (own / name).symlink_to((self._state / name).resolve(), target_is_directory=True)
        return _Worker(self._hired, own, self._kind, self._traced, self._faces)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        crew = [*self.busy, *self._idle]
        for worker in crew:
            # An idle one leaves when its connection ends; one that plays is told to stop.
            worker.connection.close()
            if worker in self.busy:
                worker.process.terminate()
        for worker in crew:
            worker.process.join(_END_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _work(
    connection: Connection, state: Path, kind: BenchKind, traced: bool, faces: bool, level: int
) -> None:
    """Play what comes, until the connection ends."""
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(message)s")
    # Ctrl-C reaches every process of the console; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Everything is put away on the way out.
    with suppress(KeyboardInterrupt, EOFError, BrokenPipeError):
        signal.signal(signal.SIGTERM, _stop)
        threading.Thread(target=_leave_with_parent, name="parent-watch", daemon=True).start()
        with FaceEngine() as engine:
            if faces:
                # The first scenarios shall not run beside models that are loaded.
                engine.ready.wait(_READY_S)
            while True:
                play = connection.recv()
                connection.send(_played(play, state, kind, engine, traced))


def _played(play: Play, state: Path, kind: BenchKind, engine: FaceEngine, traced: bool) -> object:
    """Return the result, or the error that ends the run."""
    try:
        result = blank(play, traced=traced)
        play_on_new_bench(play, result, state, kind, engine)
        return result
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301
        except Exception:
            return RuntimeError(f"{type(error).__name__}: {error}")
        return error


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    signal.raise_signal(signal.SIGTERM)
