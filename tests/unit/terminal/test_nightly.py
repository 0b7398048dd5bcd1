"""The nightly job that the terminal runs itself: once a night, again after a failure, broken off by closing."""

import queue
import threading
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import cast

import pytest

import config
from consent.attributes.ledger import Ledger
from consent.attributes.nightly import BrokenOff, Report
from consent.eligibility import EligibilityClient, Unreachable
from consent.wire import JAPAN
from reception.terminal.back_office import BackOffice
from reception.terminal.journal import Journal
from reception.terminal.nightly import Nightly, is_due, nightly_of
from reception.terminal.notices import Notice, NoticeCode
from reception.terminal.supervisor import Pulse
from tests.conftest import LogWatch

TWO = time(2, 0)
_FAILED = NoticeCode.NIGHTLY_JOB_FAILED
NIGHT = datetime(2026, 4, 2, 2, 0, tzinfo=JAPAN)


@pytest.mark.parametrize(
    ("now", "done", "due"),
    [
        (NIGHT, None, True),
        (NIGHT, NIGHT - timedelta(days=1), True),
        (NIGHT - timedelta(minutes=1), NIGHT - timedelta(hours=23), False),
        (NIGHT + timedelta(hours=6), NIGHT + timedelta(minutes=5), False),
        # Switched off by night: it is made up for in the morning.
        (NIGHT + timedelta(hours=6), NIGHT - timedelta(hours=18), True),
        # Noted by a clock that has been put back since.
        (NIGHT, NIGHT + timedelta(days=30), True),
    ],
)
def test_a_run_is_due_once_a_night(now: datetime, done: datetime | None, due: bool) -> None:
    assert is_due(TWO, now, done) is due


class Runs:
    """A job of which each run does what the test says."""

    def __init__(self, *what: Callable[[], None]) -> None:
        self.what, self.done = list(what), threading.Event()
        self.at: datetime | None = None

    def run(self, stopping: Callable[[], bool]) -> tuple[Report, int]:
        self.what.pop(0)()
        if stopping():
            raise BrokenOff
        self.at = NIGHT
        self.done.set()
        return Report(), 0

    def nightly(self) -> Nightly:
        return Nightly(TWO, lambda: NIGHT, lambda: self.at, self.run, again_s=0.01)


def fails() -> None:
    raise Unreachable("the operator is away")


def test_a_run_that_failed_is_told_at_the_counter_and_made_again(expected_log: LogWatch) -> None:
    expected_log.expect("the operator is away")
    told: queue.SimpleQueue[tuple[Notice, ...]] = queue.SimpleQueue()
    runs = Runs(fails, fails, lambda: None)
    server = cast(EligibilityClient, NoServer())
    journal = Journal(None, lambda: NIGHT, 30)
    office = BackOffice(journal, server, None, config.load().delays, nightly=runs.nightly())
    office.subscribe(told.put)
    office.start()
    assert runs.done.wait(10)
    seen = [told.get(timeout=10) for _ in range(4)]
    office.stop()
    assert [[one.code for one in notices] for notices in seen] == [[], [_FAILED], [_FAILED], []]
    assert seen[1][0].detail == "the operator is away"
    assert runs.what == []


class NoServer:
    """A server of which nothing is asked here."""

    def visits(self, since: datetime) -> list[object]:
        return []


def test_closing_breaks_a_run_off_without_a_word() -> None:
    stopping = threading.Event()
    runs = Runs(stopping.set)
    told: list[str] = []
    runs.nightly().work(Pulse(stopping), told.append)
    assert (told, runs.at) == ([], None)


def test_a_run_by_somebody_else_counts(tmp_path: Path) -> None:
    stopping = threading.Event()

    def done() -> datetime:
        stopping.set()
        return NIGHT

    Nightly(TWO, lambda: NIGHT, done, Runs().run).work(Pulse(stopping), fail)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.ran(NIGHT - timedelta(days=1))
    ledger.ran(NIGHT)
    assert ledger.ran_at() == NIGHT
    ledger.close()


def fail(why: str) -> None:
    raise AssertionError(why)


def test_it_is_off_unless_the_settings_say_when(tmp_path: Path) -> None:
    assert nightly_of(config.load(), tmp_path, config.load().server, None, lambda: NIGHT) is None  # type: ignore[arg-type]
