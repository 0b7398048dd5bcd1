"""No thread of a terminal dies or hangs in silence: staff are told, and it works again."""

import os
import queue
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import config
from config.person import load_person
from hardware.face.engine import FaceEngine
from reception import flow
from reception.terminal import supervisor as supervising
from reception.terminal.snapshot import Snapshot
from reception.terminal.supervisor import JobHangs, Lane, LaneEnded, Pulse, Supervisor
from reception.testing.testbench import Bench

BEGUN_ANEW = pytest.mark.expected_log(r"is begun anew|died")


class Staff:
    """Who is told, and a supervisor with quick eyes."""

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
        self.supervisor = Supervisor(self._told.put)

    def next(self) -> tuple[str, ...]:
        return self._told.get(timeout=10)


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> Iterator[Staff]:
    monkeypatch.setattr(supervising, "LOOK_S", 0.01)
    monkeypatch.setattr(supervising, "HEALED_AFTER_S", 0.05)
    monkeypatch.setattr(supervising, "JOIN_S", 0.2)
    staff = Staff()
    yield staff
    staff.supervisor.stop()


def kill(lane: Lane, patch: pytest.MonkeyPatch) -> None:
    """Have the lane's thread die before its next job but one."""
    did_one, dies = lane._did_one, iter([SystemExit])

    def dying() -> bool:
        for death in dies:
            raise death
        return did_one()

    patch.setattr(lane, "_did_one", dying)
    lane.submit(lambda: None).result(5)


@BEGUN_ANEW
def test_a_loop_that_fails_is_told_begun_anew_and_healed(staff: Staff) -> None:
    runs = []

    def work(pulse: Pulse) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise OSError("the share died")
        while not pulse.wait(0.01):
            pass

    staff.supervisor.loop("back-office", work)
    staff.supervisor.start()
    assert staff.next() == ("back-office",)
    assert staff.next() == ()
    assert len(runs) == 3


@BEGUN_ANEW
def test_a_loop_that_fails_at_once_each_time_does_not_keep_a_core_busy(staff: Staff) -> None:
    runs = []

    def work(_pulse: Pulse) -> None:
        runs.append(1)
        raise ValueError

    staff.supervisor.loop("health", work)
    staff.supervisor.start()
    assert staff.next() == ("health",)
    time.sleep(1.0)
    assert len(runs) <= 5


def test_a_loop_that_hangs_is_told_until_it_goes_on(staff: Staff) -> None:
    gate = threading.Event()

    def work(pulse: Pulse) -> None:
        gate.wait()
        while not pulse.wait(0.01):
            pass

    staff.supervisor.loop("receipt-folder", work, silent_after_s=0.05)
    staff.supervisor.start()
    assert staff.next() == ("receipt-folder",)
    gate.set()
    assert staff.next() == ()


@BEGUN_ANEW
def test_a_job_that_hangs_is_left_behind_and_the_next_is_done(staff: Staff) -> None:
    gate = threading.Event()
    lane = staff.supervisor.lane("card", limit_s=0.05)
    staff.supervisor.start()
    hung, after = lane.submit(gate.wait), lane.submit(lambda: "done")
    assert staff.next() == ("card",)
    assert after.result(5) == "done"
    with pytest.raises(JobHangs):
        hung.result(5)
    gate.set()
    assert staff.next() == ()
    lane.shutdown()


@BEGUN_ANEW
def test_a_lane_whose_thread_dies_is_told_and_loses_no_job(
    staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = staff.supervisor.lane("server", limit_s=60)
    staff.supervisor.start()
    kill(lane, monkeypatch)
    assert staff.next() == ("server",)
    assert staff.next() == ()
    assert lane.submit(lambda: "done").result(5) == "done"
    lane.shutdown()


def test_a_lane_that_has_ended_takes_no_job(staff: Staff) -> None:
    lane = staff.supervisor.lane("staff", limit_s=60)
    lane.shutdown()
    with pytest.raises(LaneEnded, match="has ended"):
        lane.submit(lambda: None)


@BEGUN_ANEW
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_is_nobodys_to_begin_anew_is_told_when_it_dies(
    staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every supervisor of the process hears of it; another test's terminal would tell it for a minute.
    monkeypatch.setattr(supervising, "_supervisors", weakref.WeakSet())
    staff.supervisor.start()

    def work() -> None:
        raise OSError("山田 花子")

    thread = threading.Thread(target=work, name="some library's")
    thread.start()
    thread.join()
    assert staff.next() == ("some library's",)


def test_systemd_hears_that_the_terminal_lives_until_a_loop_hangs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(supervising, "LOOK_S", 0.01)
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address)
        ear.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        told: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
        supervisor = Supervisor(told.put, notifies=True)
        pulse = supervisor.pulse("windows", silent_after_s=0.2)
        supervisor.start()
        assert b"WATCHDOG=1" in ear.recv(100)
        assert told.get(timeout=20) == ("windows",)
        ear.setblocking(False)
        with suppress(BlockingIOError):
            while ear.recv(100):
                pass
        ear.settimeout(5)
        pulse.is_set()
        assert b"WATCHDOG=1" in ear.recv(100)
        supervisor.stop()


# --- Each thread of a terminal ----------------------------------------------------------------------------------


class Watched:
    """A terminal on a bench, its threads by name, and its newest snapshot."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._news = threading.Condition()
        self._seen: list[Snapshot] = []
        bench.terminal.subscribe(self._see)

    def _see(self, snapshot: Snapshot) -> None:
        with self._news:
            self._seen.append(snapshot)
            self._news.notify_all()

    def wait(self, threads: str, state: str = "WAITING") -> None:
        with self._news:
            assert self._news.wait_for(
                lambda: (self._seen[-1].health.threads, self._seen[-1].state) == (threads, state), 20
            ), (self._seen[-1], self.bench.terminal.supervisor._told)

    def forget(self) -> None:
        self.wait("ok")
        with self._news:
            del self._seen[:-1]

    def wait_until_told(self) -> None:
        with self._news:
            assert self._news.wait_for(lambda: any(seen.health.threads == "down" for seen in self._seen), 20)


@pytest.fixture(scope="module")
def watched(made_state: Path) -> Iterator[Watched]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervising, "HEALED_AFTER_S", 0.2)
        people = [load_person("no-photo")]
        with Bench(config.load(), made_state, people=people, engine=FaceEngine()) as bench:
            watched = Watched(bench)
            watched.wait("ok")
            yield watched


@BEGUN_ANEW
@pytest.mark.parametrize("name", ["conductor", "reader-watch", "health", "camera-health"])
def test_each_loop_of_a_terminal_may_die_and_is_told_and_healed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    watched.forget()
    (loop,) = [each for each in watched.bench.terminal.supervisor._loops if each.name == name]
    dies = iter([SystemExit])

    def is_set() -> bool:
        for death in dies:
            raise death
        return Pulse.is_set(loop.pulse)

    monkeypatch.setattr(loop.pulse, "is_set", is_set)
    watched.wait_until_told()
    watched.wait("ok")


@pytest.mark.parametrize("name", ["conductor", "reader-watch", "health", "camera-health"])
def test_each_loop_of_a_terminal_may_hang_and_is_told_while_it_does(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    watched.forget()
    (loop,) = [each for each in watched.bench.terminal.supervisor._loops if each.name == name]
    goes_on = threading.Event()

    def is_set() -> bool:
        goes_on.wait(30)
        return Pulse.is_set(loop.pulse)

    monkeypatch.setattr(loop, "silent_after_s", 0.3)
    monkeypatch.setattr(loop.pulse, "is_set", is_set)
    try:
        watched.wait_until_told()
        assert not goes_on.is_set()
    finally:
        monkeypatch.undo()
        goes_on.set()
    watched.wait("ok")


@BEGUN_ANEW
@pytest.mark.parametrize("name", ["card", "face", "server", "staff"])
def test_each_lane_of_a_terminal_may_die_and_is_told_and_goes_on(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    watched.forget()
    (lane,) = [each for each in watched.bench.terminal.supervisor._lanes if each.name == name]
    kill(lane, monkeypatch)
    watched.wait_until_told()
    watched.wait("ok")
    assert lane.submit(lambda: "done").result(5) == "done"


@BEGUN_ANEW
def test_a_conductor_that_fails_in_a_visit_calls_staff_and_the_next_patient_comes(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal, publish = watched.bench.terminal, watched.bench.terminal._publish
    broken: list[int] = []

    def fails_once() -> None:
        if terminal._session.state is flow.State.METHOD_CHOICE and not broken:
            broken.append(os.getpid())
            raise KeyError("山田 花子")
        publish()

    watched.forget()
    monkeypatch.setattr(terminal, "_publish", fails_once)
    watched.bench.insert()
    watched.wait("down", "CALL_STAFF")
    watched.bench.remove()
    watched.wait("ok")
