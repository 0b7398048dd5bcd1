"""What the counter is told of the terminal's parts while nobody uses them."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

import config
from config.person import load_person
from hardware.face.engine import FaceEngine
from reception.terminal.health import PartsHealth
from reception.terminal.snapshot import Health
from reception.testing.testbench import Bench
from reception.testing.visit_driver import VisitDriver


class Engine:
    """A face engine's process, as far as it can be seen from outside."""

    def __init__(self) -> None:
        self.alive, self.ready = True, threading.Event()
        self.revived = 0

    def revive(self) -> None:
        self.revived += 1


class Watched(VisitDriver):
    """A terminal in WAITING, and what it publishes."""

    def __init__(self, bench: Bench, engine: Engine) -> None:
        super().__init__(bench)
        self.engine = engine

    def wait_for(self, fits: Callable[[Health], bool]) -> None:
        self.wait_at(lambda seen: fits(seen.health))


@pytest.fixture(scope="module")
def watched(made_state: Path) -> Iterator[Watched]:
    engine = Engine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartsHealth, "ASK_S", 0.05)
        patch.setattr(PartsHealth, "LOOK_S", 0.02)
        people = [load_person("no-photo")]
        with Bench(config.load(), made_state, people=people, engine=cast(FaceEngine, engine)) as bench:
            yield Watched(bench, engine)


def test_a_server_that_goes_and_comes_is_told_without_a_visit(watched: Watched) -> None:
    watched.wait_for(lambda health: health.server == "ok")
    watched.bench.server.stop()
    watched.wait_for(lambda health: health.server == "down")
    watched.bench.server.start()
    watched.wait_for(lambda health: health.server == "ok")
    watched.bench.server.faults.always("500")
    watched.wait_for(lambda health: health.server == "down")
    watched.bench.server.faults.clear()
    watched.wait_for(lambda health: health.server == "ok")


def test_a_fault_meant_for_a_visit_is_not_taken_by_the_watch(watched: Watched) -> None:
    watched.wait_for(lambda health: health.server == "ok")
    faults = watched.bench.server.faults
    faults.next("drop")
    faults.always("500", "/ready")
    # It was asked, and left the queued one where it was.
    watched.wait_for(lambda health: health.server == "down")
    assert faults.take("/v1/challenges") == "drop"
    faults.clear()
    watched.wait_for(lambda health: health.server == "ok")


def test_an_engine_is_unknown_while_it_loads_and_down_when_it_died_and_is_revived(watched: Watched) -> None:
    watched.wait_for(lambda health: health.engine == "unknown")
    watched.engine.ready.set()
    watched.wait_for(lambda health: health.engine == "ok")
    watched.engine.alive = False
    watched.wait_for(lambda health: health.engine == "down")
    began = time.monotonic()
    while watched.engine.revived < 3:
        assert time.monotonic() - began < 5
        time.sleep(0.01)
    # Ever less often: the second after one look's time, the third after two.
    assert time.monotonic() - began > 2 * PartsHealth.LOOK_S
    watched.engine.ready.clear()
    watched.engine.alive = True


@pytest.mark.expected_log("face engine died")
def test_an_engine_that_dies_between_visits_is_there_again_for_the_next_patient(
    made_state: Path,
) -> None:
    people = [load_person("no-photo")]
    with (
        FaceEngine() as engine,
        Bench(config.load(), made_state, people=people, engine=engine),
    ):
        assert engine.ready.wait(30)
        killed = engine.pid
        assert killed
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while engine.pid in (killed, None) or not engine.ready.is_set():
            assert time.monotonic() < deadline
            time.sleep(0.02)
