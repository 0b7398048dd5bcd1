"""The endurance run: whose visits it plays, what it calls wrong, and what it calls growth."""

import io
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from reception.__main__ import main
from reception.testing import soak
from reception.testing.soak import Burden, Progress, Sample, SoakReport
from reception.testing.soak.reconciliation import differences


def report_of(
    threads: list[int], service_fds: list[int] | None = None, rss: list[int] | None = None
) -> SoakReport:
    report = SoakReport()
    for number, count in enumerate(threads):
        service = Burden(1 << 20, service_fds[number], 4) if service_fds else None
        own = Burden(rss[number] if rss else 1 << 20, 10, count)
        report.add(Sample(number + 1, float(number + 1), own, service))
    return report


def test_twenty_visits_on_the_simulated_bench_agree_everywhere_and_leave_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["soak", "--visits", "20", "--seed", "13", "--state", str(tmp_path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "passed"
    assert "20 visits in the journal" in "".join(out)
    kinds = {
        line.split(maxsplit=1)[1] for line in out if line[:6].strip().isdecimal() and "visits" not in line
    }
    # The seed was chosen for it: not only visits that end well.
    assert {"by PIN", "by face", "by Android", "pulled", "reader unplugged"} <= kinds
    assert "wrong" not in kinds
    assert list(tmp_path.iterdir()) == []


def test_a_record_on_the_server_that_is_not_what_was_answered_is_told_with_the_number_of_the_visit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(soak.visits, "recorded", lambda answers, profile: {})
    report = soak.soak(1, "simulated", seed=1, people=["age45"], only="by PIN")
    assert not report.passed
    assert report.outcomes == {"wrong": 1}
    [told] = report.wrong
    assert told.startswith("visit 1, by PIN (age45): consents: expected {}, was ")
    assert report.lost == []


AGREED: dict[str, Any] = {
    "played": 3,
    "shown": ["a"],
    "journal": {"a": "completed", "b": "CANCELLED", "c": "recorded-unseen"},
    "server": {"a", "c"},
    "files": ["a"],
}


def test_what_terminal_journal_server_and_files_agree_on_is_no_difference() -> None:
    assert list(differences(**AGREED)) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"played": 4}, "4 visits were played, the journal has 3"),
        ({"journal": AGREED["journal"] | {"b": ""}}, "1 visits without an end in the journal: b"),
        ({"shown": []}, "1 visits completed in the journal, and never shown so: a"),
        ({"shown": ["a", "a"]}, "1 visits shown complete twice: a"),
        ({"shown": ["a", "b"]}, "1 visits shown complete, and not so in the journal: b"),
        ({"server": {"c"}}, "1 visits completed, and the server has no record: a"),
        ({"server": {"a"}}, "1 visits unseen by the journal, and the server has no record: c"),
        (
            {"server": {"a", "b", "c"}},
            "1 visits recorded on the server, and the journal does not know it: b",
        ),
        ({"files": []}, "1 visits completed, and without a file for the receipt computer: a"),
        ({"files": ["a", "a"]}, "1 visits with two files for the receipt computer: a"),
        ({"files": ["a", "b"]}, "1 visits with a file for the receipt computer, and not completed: b"),
    ],
)
def test_each_difference_is_told(wrong: dict[str, Any], told: str) -> None:
    assert list(differences(**AGREED | wrong)) == [told]


def test_a_run_that_lost_something_does_not_pass() -> None:
    report = report_of(threads=[8] * 10)
    report.lost.append("1 visits shown complete, and not so in the journal: b")
    assert not report.passed
    assert list(report.lines())[-1] == "FAILED"


@pytest.mark.parametrize("title", soak.TITLES)
def test_each_kind_of_visit_can_be_played_alone_and_says_what_must_come_of_it(title: str) -> None:
    plays = list(islice(soak.plans(1, only=title), 3))
    assert {play.scenario.title for play in plays} == {title}
    expect = plays[0].scenario.expect
    assert expect.completed is not None
    assert (expect.failure == "") == expect.completed


def test_the_same_seed_plays_the_same_visits() -> None:
    def first_visits(seed: int) -> list[tuple[str, str, object]]:
        plans = soak.plans(seed)
        return [
            (play.scenario.title, play.scenario.person, play.scenario.expect.consents)
            for play, _ in zip(plans, range(50), strict=False)
        ]

    assert first_visits(1) == first_visits(1)
    assert first_visits(1) != first_visits(2)


def test_two_visits_in_a_row_are_by_different_people() -> None:
    plans = soak.plans(1, ("age39", "age45", "age75"), only="by PIN")
    people = [play.scenario.person for play, _ in zip(plans, range(60), strict=False)]
    assert set(people) == {"age39", "age45", "age75"}
    assert all(one != next_one for one, next_one in pairwise(people))


def test_threads_that_stay_are_growth() -> None:
    report = report_of(threads=[8 + number // 20 for number in range(100)])
    assert report.grown == ["threads: 9 after warm-up, 12 at the end"]
    assert not report.passed


def test_a_context_of_the_service_that_stays_is_growth() -> None:
    report = report_of(threads=[8] * 50, service_fds=[10] * 30 + [11] * 20)
    assert report.grown == ["pcscd fds: 10 after warm-up, 11 at the end"]


def test_a_thread_that_is_just_ending_is_no_growth() -> None:
    assert report_of(threads=[8, 8, 8, 9, 8, 8, 8, 8, 8, 9]).passed
    assert report_of(threads=[8, 8, 8, 8, 8, 8, 8, 8, 9, 9, 8]).passed


def test_a_thread_for_each_visit_is_growth_in_a_short_run_too() -> None:
    assert not report_of(threads=list(range(8, 28))).passed


def test_what_the_warm_up_leaves_behind_is_no_growth() -> None:
    assert report_of(threads=[*range(10), *[10] * 90]).passed


def test_memory_that_grows_beyond_its_allowance_is_growth() -> None:
    report = report_of(threads=[8] * 2000, rss=[(100 << 20) + 5_000 * number for number in range(2000)])
    assert report.trends()["RSS"].slope == pytest.approx(5_000)
    assert any("+5000 bytes a visit" in line for line in report.lines())
    assert report.grown == ["RSS: 101.8 MB after warm-up, 108.7 MB at the end"]


def test_memory_that_stays_within_its_allowance_is_no_growth() -> None:
    assert report_of(threads=[8] * 2000, rss=[(100 << 20) + 500 * number for number in range(2000)]).passed


def test_memory_of_a_few_visits_is_told_and_fails_nothing() -> None:
    assert report_of(threads=[8] * 100, rss=[(number + 1) << 20 for number in range(100)]).passed


def test_no_visit_at_all_is_not_a_pass() -> None:
    assert not SoakReport().passed


def test_progress_in_a_file_is_a_line_now_and_then_and_at_the_end() -> None:
    out = io.StringIO()
    progress = Progress(100, out)
    outcomes = {"by PIN": 50, "pulled": 8, "wrong": 2}
    for number in range(1, 101):
        progress.tell(Sample(number, number * 0.5, Burden(1 << 20, 10, 8), Burden(1 << 20, 9, 4), outcomes))
    progress.end()
    first, last = out.getvalue().splitlines()
    assert first.startswith(
        "60/100 visits, 120.0 a minute, 2 wrong, 3 kinds; 1.0 MB, 10 fds, 8 threads; pcscd: 1.0 MB, 9 fds"
    )
    assert last.startswith("100/100 visits")


@pytest.mark.parametrize("number", ["0", "-3", "many", "1.5"])
def test_a_number_of_visits_that_is_none_is_refused(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["soak", "--visits", number])
    assert refused.value.code == 2
    assert "--visits" in capsys.readouterr().err
