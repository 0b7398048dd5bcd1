"""The day's figures, and the board of today's visits."""

import csv
import io
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest

from reception.counter.board import Board, outcome_words, problems
from reception.counter.day import Day, Spread, as_csv, figures, lines
from reception.flow.failures import FailureCode
from reception.terminal.journal import Entry
from reception.terminal.snapshot import CounterView

JAPAN = timezone(timedelta(hours=9))
NINE = datetime(2026, 4, 1, 9, 0, tzinfo=JAPAN)
VIEW = CounterView("v1", "山田　花子", "ﾔﾏﾀﾞ ﾊﾅｺ", date(1980, 6, 17), "06139999", "12", "345678", "00", 30, "")


def entry(visit: str, outcome: str = "completed", identity: str = "pin", minutes: int = 0) -> Entry:
    return Entry(visit, NINE + timedelta(minutes=minutes), "TAKE_CARD", identity, outcome)


def steps(*parts: tuple[float, str]) -> list[tuple[datetime, str]]:
    return [(NINE + timedelta(seconds=at), state) for at, state in parts]


def test_person_and_machine_times_are_told_apart() -> None:
    visit = steps(
        (0, "READING"), (1, "METHOD_CHOICE"), (5, "PIN_ENTRY"), (11, "CHECKING"), (13, "CONSENT"),
        (20, "SENDING"), (20.5, "TAKE_CARD"),
    )  # fmt: skip
    day = figures([entry("v1")], {"v1": visit})
    assert (day.person_s, day.machine_s) == (Spread(17.0, 17.0), Spread(3.5, 3.5))


def test_median_and_nine_of_ten() -> None:
    visits = {f"v{n}": steps((0, "CONSENT"), (n, "SENDING")) for n in range(1, 11)}
    day = figures([entry(visit) for visit in visits], visits)
    assert day.person_s == Spread(5.5, 9.0)


def test_hours_have_no_gaps_and_failures_are_counted_by_cause() -> None:
    day = figures(
        [
            entry("v1"),
            entry("v2", "PIN_BLOCKED", "", 10),
            entry("v3", "PIN_BLOCKED", "", 130),
            entry("v4", "CANCELLED", "", 131),
            entry("v5", "", "", 132),
        ],
        {},
    )
    assert (day.visits, day.completed) == (5, 1)
    assert day.hours == ((9, 1, 1), (10, 0, 0), (11, 0, 2))
    assert day.failures == (("PIN_BLOCKED", 2), ("CANCELLED", 1))
    assert day.identities == (("pin", 1),)


def test_a_day_without_visits_has_figures_too() -> None:
    assert figures([], {}) == Day()
    assert lines(Day(), {}, {}) == (("受付", "全体", "0"), ("受付", "完了", "0"))


def test_the_csv_holds_every_line_of_the_table() -> None:
    rows = lines(figures([entry("v1"), entry("v2", "CANCELLED")], {}), {"pin": "暗証番号"}, {})
    read = list(csv.reader(io.StringIO(as_csv(rows).decode("utf-8-sig"))))
    assert read == [["項目", "内訳", "値"], *map(list, rows)]


@pytest.mark.parametrize(
    "search", ["", "山田花子", "やまだ", "ヤマダ", "345678", "09:00", "受付完了 ハナコ", "A-77"]
)
def test_a_visit_is_found_by_what_staff_may_type(search: str) -> None:
    board = Board(60)
    board.remember(VIEW, 0)
    board.registered("v1", "A-77")
    assert [row.entry.visit for row in board.rows([entry("v1")], search)] == ["v1"]


def test_all_that_fit_are_shown_newest_first_and_none_is_guessed() -> None:
    board = Board(60)
    board.remember(VIEW, 0)
    board.remember(replace(VIEW, visit="v2", name="山田　太郎"), 0)
    found = board.rows([entry("v1"), entry("v2", minutes=1), entry("v3", minutes=2)], "山田")
    assert [row.entry.visit for row in found] == ["v2", "v1"]


def test_names_are_forgotten_after_their_time_and_not_kept_by_news() -> None:
    board = Board(60)
    board.remember(VIEW, 0)
    board.remember(replace(VIEW, limit_category="A03"), 50)
    assert not board.expire(59)
    assert board.expire(60)
    (row,) = board.rows([entry("v1")])
    assert row.view is None
    assert board.rows([entry("v1")], "山田") == ()


def test_problems_of_the_insurance_come_with_their_remedy() -> None:
    assert problems(VIEW) == ()
    found = problems(replace(VIEW, status="superseded", standing="expires-soon", name="●田"))
    assert [bool(one.what and one.remedy) for one in found] == [True, True, True]


@pytest.mark.parametrize("code", FailureCode)
def test_every_outcome_has_words(code: FailureCode) -> None:
    assert outcome_words(code.value) not in ("", code.value)
