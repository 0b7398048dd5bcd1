"""What stands in the journal after every course of a visit, and after a power failure at any moment."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config import Config
from consent.choices import ConsentAnswer, Item
from reception import flow
from reception.flow import Method, Session
from reception.flow.failures import FailureCode
from reception.terminal.journal import Journal, JournalError

QUESTIONS = (Item.MEDICATION,)


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 4, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


class NotedFlow:
    """A flow whose every change is noted, as the terminal does it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.session = Session(Config(confirm_answers=False))
        self.now = 0.0
        self.on(flow.ReaderReady())

    def on(self, *events: flow.Event | Callable[[int], flow.Event]) -> None:
        for event in events:
            before = self.session
            made = event if isinstance(event, flow.Event) else event(before.occasion)
            self.now += 5.0  # what is shown for a moment has been shown
            self.session, _ = flow.advance(before, made, self.now)
            self.journal.note(before, self.session)

    def up_to_sending(self, visit: str = "visit-1") -> None:
        self.on(
            flow.CardInserted(visit),
            lambda occasion: flow.CardRead(occasion, False, 3),
            flow.Choose(Method.PIN),
        )
        self.on(
            flow.PinTyped(4),
            flow.PinSubmit(),
            flow.PinVerified,
            self.identified,
            flow.Answer(ConsentAnswer.GIVEN),
        )
        assert self.session.state is flow.State.SENDING

    @staticmethod
    def identified(occasion: int) -> flow.Event:
        return flow.Identified(occasion, QUESTIONS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def outcomes(journal: Journal) -> dict[str, str]:
    return {entry.visit: entry.outcome for entry in journal.entries()}


def test_a_visit_that_completes_stands_there_with_its_steps(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock)
    desk = NotedFlow(journal)
    desk.up_to_sending()
    desk.on(flow.Recorded, flow.CardRemoved(), flow.CardInserted("visit-2"))

    assert outcomes(journal) == {"visit-1": "completed", "visit-2": ""}
    states = [state for _, state in journal.steps("visit-1")]
    before = ["READING", "METHOD_CHOICE", "PIN_ENTRY", "CHECKING", "CONSENT"]
    assert states == [*before, "SENDING", "TAKE_CARD", "COMPLETE"]
    assert journal.entries()[0].identity == "pin"
    assert journal.unsettled() == []


def test_a_visit_that_ends_early_stands_there_with_its_reason(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock)
    NotedFlow(journal).on(flow.CardInserted("visit-1"), flow.CardRemoved())
    assert outcomes(journal) == {"visit-1": "READING_CARD_REMOVED"}


@pytest.mark.parametrize("code", [FailureCode.SERVER_TIMED_OUT, FailureCode.SERVER_UNREACHABLE])
def test_a_visit_whose_answer_was_lost_stays_unsettled_whatever_comes_after(
    path: Path, clock: Clock, code: FailureCode
) -> None:
    journal = Journal(path, clock)
    desk = NotedFlow(journal)
    desk.up_to_sending()
    desk.on(
        lambda occasion: flow.WorkFailed(occasion, code), flow.CardRemoved(), flow.CardInserted("visit-2")
    )
    desk.on(flow.CardRemoved())

    assert [each.visit for each in journal.unsettled()] == ["visit-1"]
    assert outcomes(journal)["visit-2"] == "READING_CARD_REMOVED"


def test_after_a_power_failure_only_visits_in_sending_are_open(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock)
    NotedFlow(journal).up_to_sending("visit-1")
    NotedFlow(journal).on(flow.CardInserted("visit-2"))
    # No close(): the process is gone.
    again = Journal(path, clock)

    assert [each.visit for each in again.unsettled()] == ["visit-1"]
    assert outcomes(again) == {"visit-1": "", "visit-2": "interrupted"}


@pytest.mark.parametrize(("recorded", "outcome"), [(True, "recorded-unseen"), (False, "not-recorded")])
def test_what_the_server_said_settles_a_visit_for_good(
    path: Path, clock: Clock, recorded: bool, outcome: str
) -> None:
    journal = Journal(path, clock)
    NotedFlow(journal).up_to_sending()
    (open_visit,) = journal.unsettled()

    assert journal.settle(open_visit, recorded=recorded)

    assert not journal.settle(open_visit, recorded=not recorded)
    assert Journal(path, clock).unsettled() == []
    assert outcomes(journal) == {"visit-1": outcome}


def test_visits_are_kept_for_the_configured_days_and_unsettled_ones_until_they_are_settled(
    path: Path, clock: Clock
) -> None:
    journal = Journal(path, clock, keep_days=30)
    desk = NotedFlow(journal)
    desk.on(flow.CardInserted("old"), flow.CardRemoved())
    desk.up_to_sending("open")
    clock.time += timedelta(days=29)
    assert set(outcomes(Journal(path, clock, keep_days=30))) == {"old", "open"}
    clock.time += timedelta(days=2)
    later = Journal(path, clock, keep_days=30)

    assert set(outcomes(later)) == {"open"}
    assert later.steps("old") == []


def test_a_file_that_is_no_journal_is_named_and_left_alone(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError, match=r"journal\.sqlite: file is not a database"):
        Journal(path, clock)
    assert path.read_bytes().startswith(b"not a database")


def test_a_journal_of_another_release_is_named_and_left_alone(path: Path, clock: Clock) -> None:
    Journal(path, clock).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(JournalError, match=r"journal\.sqlite: made by another release \(version 99\)"):
        Journal(path, clock)


def test_a_journal_on_a_full_disk_is_told_and_loses_nothing_of_before(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock)
    desk = NotedFlow(journal)
    desk.up_to_sending()
    journal._database.execute("PRAGMA max_page_count=1")

    def fill() -> None:
        for number in range(2000):
            desk.session = Session(
                Config(confirm_answers=False), flow.Desk(reader_ready=True), state=flow.State.WAITING
            )
            desk.on(flow.CardInserted(f"more-{number}"), flow.CardRemoved())

    with pytest.raises(JournalError, match="full"):
        fill()
    assert "visit-1" in [each.visit for each in Journal(path, clock).unsettled()]


def test_nothing_personal_has_a_place_there(path: Path, clock: Clock) -> None:
    Journal(path, clock).close()
    with sqlite3.connect(path) as database:
        columns = {
            row[1]
            for table in ("visits", "steps", "marks")
            for row in database.execute(f"PRAGMA table_info({table})")
        }
    database.close()
    assert columns == {
        "visit",
        "begun_at",
        "state",
        "changed_at",
        "identity",
        "outcome",
        "at",
        "receipt",
        "name",
    }


class Disk:
    """A journal whose disk is full, or whose file another program holds, as long as a test likes."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.journal = Journal(path, clock, receipts=True)
        self.journal._database.execute("PRAGMA busy_timeout=0")
        self.health: list[bool] = []
        self.journal.on_health = self.health.append
        self._other = sqlite3.connect(path, isolation_level=None, timeout=0)

    def hold(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._other.execute("ROLLBACK")
        self.journal._retry_at = 0.0

    def close(self) -> None:
        self._other.close()


@pytest.fixture
def disk(path: Path, clock: Clock) -> Iterator[Disk]:
    disk = Disk(path, clock)
    yield disk
    disk.close()


class CarelessFlow(NotedFlow):
    """A terminal whose visits go on though the journal cannot be written."""

    def on(self, *events: flow.Event | Callable[[int], flow.Event]) -> None:
        for event in events:
            with suppress(JournalError):
                super().on(event)


def test_a_visit_made_while_the_journal_cannot_be_written_is_due_at_once_and_stands_there_later(
    path: Path, clock: Clock, disk: Disk
) -> None:
    journal = disk.journal
    disk.hold()
    desk = CarelessFlow(journal)
    desk.up_to_sending()
    with pytest.raises(JournalError):
        journal.will_complete("visit-1")
    desk.on(flow.Recorded, flow.CardRemoved())
    assert journal.receipts_due() == ["visit-1"]
    assert disk.health == [False]

    disk.release()
    journal.catch_up()

    assert disk.health == [False, True]
    again = Journal(path, clock, receipts=True)
    assert again.receipts_due() == ["visit-1"]
    assert outcomes(again) == {"visit-1": "completed"}
    assert [state for _, state in again.steps("visit-1")][-2:] == ["TAKE_CARD", "COMPLETE"]


def test_a_file_written_while_the_journal_cannot_be_is_not_written_again(
    path: Path, clock: Clock, disk: Disk
) -> None:
    desk = NotedFlow(disk.journal)
    desk.up_to_sending()
    desk.on(flow.Recorded, flow.CardRemoved())
    assert disk.journal.receipts_due() == ["visit-1"]
    disk.hold()
    with pytest.raises(JournalError):
        disk.journal.receipt_done("visit-1")
    assert disk.journal.receipts_due() == []
    disk.release()
    disk.journal.catch_up()
    assert Journal(path, clock, receipts=True).receipts_due() == []


def test_a_visit_is_due_on_the_disk_before_the_patient_is_told(path: Path, clock: Clock) -> None:
    """The power fails between the telling and its note: the file was lost, since only the telling made it due."""
    journal = Journal(path, clock, receipts=True)
    NotedFlow(journal).up_to_sending()
    journal.will_complete("visit-1")

    again = Journal(path, clock, receipts=True)
    assert again.receipts_due() == []
    (open_visit,) = again.unsettled()
    assert again.settle(open_visit, recorded=True)
    assert again.receipts_due() == ["visit-1"]


def test_what_the_server_did_not_record_leaves_the_outbox(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock, receipts=True)
    NotedFlow(journal).up_to_sending()
    journal.will_complete("visit-1")
    (open_visit,) = journal.unsettled()
    assert journal.settle(open_visit, recorded=False)
    assert journal.receipts_due() == []


def test_a_file_that_is_due_is_never_forgotten_however_old(path: Path, clock: Clock) -> None:
    desk = NotedFlow(Journal(path, clock, keep_days=30, receipts=True))
    desk.up_to_sending()
    desk.on(flow.Recorded, flow.CardRemoved())
    clock.time += timedelta(days=365)
    assert Journal(path, clock, keep_days=30, receipts=True).receipts_due() == ["visit-1"]


def test_a_visit_the_journal_never_heard_of_is_taken_up_once(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock, receipts=True)
    assert not journal.knows("unheard")
    journal.take_up("unheard", clock())
    journal.take_up("unheard", clock())
    assert journal.knows("unheard")
    assert journal.receipts_due() == ["unheard"]
    assert outcomes(journal) == {"unheard": "recorded-unseen"}


def test_the_journal_is_for_its_owner_only(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock)
    NotedFlow(journal).up_to_sending()
    files = list(path.parent.iterdir())
    assert len(files) == 3
    assert [oct(each.stat().st_mode & 0o777) for each in (path.parent, *files)] == ["0o700", *["0o600"] * 3]
