"""Queue numbers: from 1 every day, each once, also after a restart."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from config import Ticket
from reception.terminal.queue_numbers import QueueNumbers, label_of, print_ticket, ticket_text

MORNING = datetime(2026, 4, 1, 9, tzinfo=UTC)


def test_numbers_go_on_after_a_restart_and_begin_anew_the_next_day(tmp_path: Path) -> None:
    now = MORNING
    path = tmp_path / "queue.json"
    assert [QueueNumbers(path, lambda: now).take() for _ in range(3)] == [1, 2, 3]
    now += timedelta(days=1)
    assert QueueNumbers(path, lambda: now).take() == 1


def test_a_damaged_file_begins_anew_and_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "queue.json"
    path.write_text("{")
    assert QueueNumbers(path, lambda: MORNING).take() == 1


def test_a_ticket_has_number_place_and_time_and_nothing_of_the_patient() -> None:
    label = label_of(12, Ticket(prefix="A"))
    assert ticket_text(label, "2番窓口", MORNING) == "受付番号\nA012\n2番窓口\n2026-04-01 09:00\n"


def test_a_printer_that_is_missing_or_fails_is_told_and_no_more() -> None:
    assert not print_ticket(("/no/such/printer",), "1")
    assert not print_ticket(("false",), "1")
    assert print_ticket(("cat",), "1")
