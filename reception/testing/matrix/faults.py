"""Part times fault times state: a part of the terminal dies, hangs or is refused, and nothing of a visit is lost.

Unlike the matrix of disturbances, nothing is expected cell by cell. What must hold is the same for all: a visit that
was shown complete is recorded once and has its file; the fault is told where the visit met it; with the fault over,
everything is told well again, and the next patient is checked in.
"""

import os
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from config.person import load_person
from consent.eligibility import EligibilityError
from hardware.face.engine import FaceEngine
from reception.flow import Method, State
from reception.flow.failures import FailureCode
from reception.terminal.notices import NoticeCode
from reception.terminal.snapshot import Snapshot
from reception.terminal.supervisor import Lane, Pulse, Supervisor, _Loop
from reception.testing.scenarios import TODAY
from reception.testing.testbench import Bench
from reception.testing.timing import BROKEN_SERVER
from reception.testing.visit_driver import VisitDriver

STATES = (
    State.WAITING,
    State.READING,
    State.METHOD_CHOICE,
    State.PIN_ENTRY,
    State.FACE_MATCH,
    State.CHECKING,
    State.CONSENT,
    State.LIMIT_CONSENT,
    State.SENDING,
    State.TAKE_CARD,
)
JOURNAL_DISK = "12m"
"""Room for the journal and its write-ahead log, which SQLite lets grow to 4 MB."""
HANGS_AFTER_S = 0.4
"""After so long without a sign of life a thread counts as hanging on this bench; at a site it is 30 s."""
ENDS = (State.TAKE_CARD, State.COMPLETE, State.CALL_STAFF, State.OUT_OF_SERVICE)
WITHIN_S = 20.0

TIMING = BROKEN_SERVER.but(delays={"settle_s": 3.0})


@dataclass
class _Scene:
    """The bench of one cell, and what has to be undone."""

    driver: VisitDriver
    folder: Path
    undo: ExitStack = field(default_factory=ExitStack)

    @property
    def bench(self) -> Bench:
        return self.driver.bench

    @property
    def faces(self) -> Path:
        return self.folder / "receipts" / "face"


@dataclass(frozen=True)
class PartFault:
    """One way in which one part fails."""

    part: str
    fault: str
    do: Callable[[_Scene], None]
    told: Callable[[_Scene], bool] = lambda scene: True
    """Whether staff are told by now; asked until it is so, of visits that met the fault."""
    met_by: Callable[[State, bool], bool] = lambda state, completed: True
    """Whether a visit disturbed in this state must have met it; ``completed``: it was shown complete."""
    spoils: bool = False
    """The bench is another one afterwards: a thread that died is begun anew ever later."""

    def __str__(self) -> str:
        return f"{self.part} {self.fault}"


@dataclass(frozen=True)
class FaultPlayed:
    """What came of one cell; ``why`` is empty when all held."""

    fault: PartFault
    state: State
    end: str
    why: str
    seconds: float


# --- The faults ---------------------------------------------------------------------------------------------------


def _lock_journal(scene: _Scene) -> None:
    other = sqlite3.connect(scene.folder / "small" / "journal.sqlite", timeout=10, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    scene.undo.callback(other.close)
    scene.undo.callback(other.rollback)


def _fill_disk(scene: _Scene) -> None:
    with closing(sqlite3.connect(scene.folder / "small" / "journal.sqlite", timeout=10)) as journal:
        # A log that is already long is written again from its start, and needs no room.
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    filler = scene.folder / "small" / "filler"
    scene.undo.callback(filler.unlink, missing_ok=True)
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def _lose_share(scene: _Scene) -> None:
    away = scene.folder / "away"
    (scene.folder / "receipts").rename(away)
    scene.undo.callback(away.rename, scene.folder / "receipts")


def _refuse_folder(scene: _Scene) -> None:
    """Put a file where the folder was: no user may make a file in it, not even root."""
    away = scene.folder / "face-away"
    scene.faces.rename(away)
    scene.faces.write_bytes(b"")
    scene.undo.callback(away.rename, scene.faces)
    scene.undo.callback(scene.faces.unlink)


def _fill_folder(scene: _Scene) -> None:
    scene.bench.fill_folder()
    scene.undo.callback(scene.bench.empty_folder)


def _engine(number: signal.Signals) -> Callable[[_Scene], None]:
    def strike(scene: _Scene) -> None:
        engine = scene.bench.engine
        assert engine.ready.wait(WITHIN_S)
        pid = engine.pid
        assert pid is not None
        scene.undo.callback(engine.revive)
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    return strike


def _server_dies(scene: _Scene) -> None:
    scene.bench.server.stop()
    scene.undo.callback(scene.bench.server.start)


def _server_hangs(scene: _Scene) -> None:
    scene.bench.server.faults.always("delay")
    scene.undo.callback(scene.bench.server.faults.clear)


def _clock(seconds: float) -> Callable[[_Scene], None]:
    def jump(scene: _Scene) -> None:
        scene.bench.jump_clock(seconds)
        scene.undo.callback(scene.bench.jump_clock, -seconds)

    return jump


def _loop_dies(name: str) -> Callable[[_Scene], None]:
    """Let a loop's thread end at its next look at whether it is to end."""

    def strike(scene: _Scene) -> None:
        pulse = _loop_of(scene, name).pulse
        dies = iter([SystemExit])

        def is_set() -> bool:
            for death in dies:
                raise death
            return Pulse.is_set(pulse)

        _watched(scene, pulse, is_set)

    return strike


def _loop_hangs(name: str) -> Callable[[_Scene], None]:
    """Hold a loop at its next look at whether it is to end, until all is undone."""

    def strike(scene: _Scene) -> None:
        loop, goes_on = _loop_of(scene, name), threading.Event()

        def is_set() -> bool:
            goes_on.wait(WITHIN_S)
            return Pulse.is_set(loop.pulse)

        before, loop.silent_after_s = loop.silent_after_s, HANGS_AFTER_S
        scene.undo.callback(setattr, loop, "silent_after_s", before)
        _watched(scene, loop.pulse, is_set)
        scene.undo.callback(goes_on.set)

    return strike


def _watched(scene: _Scene, pulse: Pulse, is_set: Callable[[], bool]) -> None:
    """Put ``is_set`` in the place of both looks of a loop, of which some only ever rest."""

    def wait(timeout: float | None = None) -> bool:
        return is_set() or Pulse.wait(pulse, timeout)

    for name, look in (("is_set", is_set), ("wait", wait)):
        setattr(pulse, name, look)
        scene.undo.callback(pulse.__dict__.pop, name, None)


def _lane_dies(name: str) -> Callable[[_Scene], None]:
    """Let a lane's thread end before its next job."""

    def strike(scene: _Scene) -> None:
        lane = _lane_of(scene, name)
        dies = iter([SystemExit])

        def did_one() -> bool:
            for death in dies:
                raise death
            return Lane._did_one(lane)

        lane._did_one = did_one  # type: ignore[method-assign]
        scene.undo.callback(lane.__dict__.pop, "_did_one", None)
        lane.submit(lambda: None)

    return strike


def _lane_hangs(name: str) -> Callable[[_Scene], None]:
    """Give a lane a job that does not end until all is undone."""

    def strike(scene: _Scene) -> None:
        lane, ends = _lane_of(scene, name), threading.Event()
        before, lane.limit_s = lane.limit_s, HANGS_AFTER_S
        scene.undo.callback(setattr, lane, "limit_s", before)
        scene.undo.callback(ends.set)
        lane.submit(ends.wait, WITHIN_S)

    return strike


def _supervisors(scene: _Scene) -> tuple[Supervisor, Supervisor]:
    return scene.bench.terminal.supervisor, scene.bench.office._supervisor


def _loop_of(scene: _Scene, name: str) -> _Loop:
    (found,) = [loop for each in _supervisors(scene) for loop in each._loops if loop.name == name]
    return found


def _lane_of(scene: _Scene, name: str) -> Lane:
    (found,) = [lane for each in _supervisors(scene) for lane in each._lanes if lane.name == name]
    return found


def _was_told(part: str) -> Callable[[_Scene], bool]:
    return lambda scene: any(getattr(seen.health, part) == "down" for seen in list(scene.driver.log))


def _was_noticed(code: NoticeCode) -> Callable[[_Scene], bool]:
    return lambda scene: any(notice.code is code for notice in list(scene.driver.notices))


def _engine_was_told(scene: _Scene) -> bool:
    """Told by health where nobody asked the engine, and where somebody did, as the reason why the face failed."""
    lost = FailureCode.FACE_ENGINE_LOST
    return any(seen.health.engine == "down" or seen.failure == lost for seen in list(scene.driver.log))


def _after_completion(state: State, completed: bool) -> bool:
    return completed and state is not State.TAKE_CARD


_journal = _was_told("journal")
_folder = _was_noticed(NoticeCode.RECEIPT_FOLDER_UNUSABLE)
_threads = _was_told("threads")
LOOPS = ("conductor", "reader-watch", "health", "camera-health")
OFFICE = ("back-office", "receipt-folder")
LANES = ("card", "face", "server", "staff")
_office = _was_noticed(NoticeCode.PART_FAILED)
FULL_JOURNAL = PartFault(
    "journal", "disk full", _fill_disk, _journal, lambda state, done: state is not State.TAKE_CARD
)
FAULTS = (
    PartFault("journal", "locked", _lock_journal, _journal, lambda state, done: state is not State.TAKE_CARD),
    FULL_JOURNAL,
    PartFault("receipt folder", "dies", _lose_share, _folder, _after_completion),
    PartFault("receipt folder", "disk full", _fill_folder, _folder, _after_completion),
    PartFault("receipt folder", "permission", _refuse_folder, _folder, _after_completion),
    PartFault("clock", "an hour back", _clock(-3600.0)),
    PartFault("clock", "a day back", _clock(-86_400.0)),
    PartFault("engine", "dies", _engine(signal.SIGKILL), _engine_was_told),
    # Nobody asks it but for a face.
    PartFault(
        "engine",
        "hangs",
        _engine(signal.SIGSTOP),
        _engine_was_told,
        lambda state, done: state is State.FACE_MATCH,
    ),
    PartFault("server", "dies", _server_dies, _was_told("server"), lambda s, done: s is not State.TAKE_CARD),
    PartFault(
        "server", "hangs", _server_hangs, _was_told("server"), lambda s, done: s is not State.TAKE_CARD
    ),
    *(PartFault(f"thread {name}", "dies", _loop_dies(name), _threads, spoils=True) for name in LOOPS),
    *(PartFault(f"thread {name}", "hangs", _loop_hangs(name), _threads) for name in LOOPS),
    *(PartFault(f"thread {name}", "dies", _loop_dies(name), _office, spoils=True) for name in OFFICE),
    *(PartFault(f"thread {name}", "hangs", _loop_hangs(name), _office) for name in OFFICE),
    *(PartFault(f"lane {name}", "dies", _lane_dies(name), _threads) for name in LANES),
    *(PartFault(f"lane {name}", "hangs", _lane_hangs(name), _threads) for name in LANES),
)
"""Card, reader, camera and phone have the matrix of disturbances."""


# --- Playing ------------------------------------------------------------------------------------------------------


def fault_cells(
    states: Iterable[State] = STATES, faults: Iterable[PartFault] = FAULTS
) -> list[tuple[PartFault, State]]:
    """Return the cells, fault by fault; a disk is filled only where it can be one of our own."""
    wanted = [state for state in states if state in STATES]
    chosen = list(faults)
    if FULL_JOURNAL in chosen and not can_mount():
        chosen.remove(FULL_JOURNAL)
    return [(fault, state) for fault in chosen for state in wanted]


def play_faults(
    chosen: Iterable[tuple[PartFault, State]],
    folder: Path,
    tell: Callable[[FaultPlayed], None] = lambda played: None,
    engine: FaceEngine | None = None,
) -> list[FaultPlayed]:
    """Play cells on the simulated bench, each after the other; ``tell`` hears of each as it ends."""
    left, results = list(chosen), []
    with ExitStack() as ends:
        used = engine or ends.enter_context(FaceEngine())
        while left:
            # After a cell that failed on a new one, since nobody knows how it was left.
            own = Path(tempfile.mkdtemp(prefix="bench-", dir=folder))
            with _small_disk(own / "small"), _bench(own, folder, used) as bench:
                driver = VisitDriver(bench)
                while left:
                    played = _played(_Scene(driver, own), *left.pop(0))
                    results.append(played)
                    tell(played)
                    if played.why or played.fault.spoils:
                        driver.release()
                        break
    return results


def table_of(results: Iterable[FaultPlayed]) -> list[str]:
    """Return a line for each fault: how its visits ended, and what did not hold."""
    by_fault: dict[str, list[FaultPlayed]] = {}
    for each in results:
        by_fault.setdefault(str(each.fault), []).append(each)
    lines = []
    for name, cells in by_fault.items():
        ends = Counter(each.end for each in cells)
        told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
        bad = [f"{each.state}: {each.why}" for each in cells if each.why]
        lines.append(f"{name:27} {len(cells):3} cells: {told}" + "".join(f"\n    FAIL {why}" for why in bad))
    return lines


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """A disk for the journal that can be filled where this user may mount one; else a folder, for the other faults."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={JOURNAL_DISK},mode=700", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def can_mount() -> bool:
    """Return whether a disk of our own can be had, so that it can be full."""
    with tempfile.TemporaryDirectory() as place, _small_disk(Path(place) / "small"):
        return os.path.ismount(Path(place) / "small")


def _bench(own: Path, state: Path, engine: FaceEngine) -> Bench:
    for name in ("face", "req", "res"):
        (own / "receipts" / name).mkdir(parents=True, exist_ok=True)
    settings = TIMING.settings(receipt={"folder": str(own / "receipts")})
    people = [load_person(name) for name in ("age45", "age75", "no-photo")]
    return Bench(
        settings, state, people=people, today=TODAY, engine=engine, journal=own / "small" / "journal.sqlite"
    )


def _played(scene: _Scene, fault: PartFault, state: State) -> FaultPlayed:
    began, end, why = time.monotonic(), "", ""
    try:
        end = _cell(scene, fault, state)
    except (AssertionError, EligibilityError) as wrong:
        why = str(wrong) or "an assertion failed"
    finally:
        scene.undo.close()
    return FaultPlayed(fault, state, end or "not ended", why, time.monotonic() - began)


def _cell(scene: _Scene, fault: PartFault, state: State) -> str:
    driver = scene.driver
    driver.settle()
    driver.notices.clear()
    driver.bench.engine.ready.wait(WITHIN_S)
    files = len(list(scene.faces.iterdir()))
    _reach(driver, state)
    fault.do(scene)
    if state is State.WAITING:
        driver.begin(driver.card())
    driver.go_on()
    held = fault.fault == "hangs" and fault.part in ("thread conductor", "thread reader-watch")
    visit = "" if held else _end_of_visit(driver)
    if fault.met_by(state, driver.completed(visit)):
        _until(lambda: fault.told(scene), lambda: "staff are not told")
    scene.undo.close()
    visit = visit or _end_of_visit(driver)
    driver.bench.slot.remove()
    driver.release()
    _until(lambda: _is_well(driver.terminal.snapshot), lambda: _not_well(driver.terminal.snapshot))
    # What still stands there in the next cell would not be told anew.
    _until(lambda: not _office(scene), lambda: f"the counter is not told well again: {driver.notices}")
    completed, recorded = driver.completed(visit), driver.recorded(visit)
    assert recorded or not completed, f"shown complete and not recorded: {driver.states()}"
    if recorded and not completed:
        unseen = NoticeCode.VISIT_RECORDED_UNSEEN
        driver.wait_for_notice(lambda notice: notice.visit == visit and notice.code is unseen, unseen)
    after = driver.visit(driver.next_card, pin=load_person("age75").card.pin, within_s=WITHIN_S)
    assert driver.recorded(after), f"the next patient is not recorded: {driver.states()}"
    wanted = files + 1 + completed
    _until(
        lambda: len(list(scene.faces.iterdir())) >= wanted, lambda: "a file of a complete visit is missing"
    )
    driver.wait_for_the_office()
    found = len(list(scene.faces.iterdir()))
    assert found <= files + 1 + recorded, f"{found - files} files of {1 + recorded} visits"
    return "complete" if completed else "recorded, told" if recorded else "ended, nothing recorded"


def _reach(driver: VisitDriver, state: State) -> None:
    match state:
        case State.WAITING:
            pass
        case State.FACE_MATCH:
            driver.visit(driver.card(), Method.FACE, hold=state)
        case _:
            driver.visit(driver.card(), hold=state)


def _end_of_visit(driver: VisitDriver) -> str:
    return driver.wait_until(lambda seen: seen.state in ENDS, "an end", WITHIN_S).visit


def _is_well(seen: Snapshot) -> bool:
    health = seen.health
    parts = (health.reader, health.camera, health.engine, health.server, health.journal, health.threads)
    return seen.state is State.WAITING and set(parts) == {"ok"}


def _not_well(seen: Snapshot) -> str:
    return f"not told well again: {seen.state}, {seen.health}"


def _until(holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.02)  # a level is looked at
