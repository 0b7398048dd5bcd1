"""The endurance run: whose visits it plays, what it calls wrong, and what it calls growth."""

import io
from itertools import pairwise
from pathlib import Path

import pytest

from reception import soak
from reception.__main__ import main
from reception.soak import Burden, Progress, Report, Sample


def report_of(
    threads: list[int], service_fds: list[int] | None = None, rss: list[int] | None = None
) -> Report:
    report = Report()
    for number, count in enumerate(threads):
        service = Burden(1 << 20, service_fds[number], 4) if service_fds else None
        own = Burden(rss[number] if rss else 1 << 20, 10, count)
        report.add(Sample(number + 1, float(number + 1), own, service))
    return report


def test_ten_visits_on_the_simulated_bench_leave_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["soak", "--visits", "10", "--state", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "10 visits" in out
    assert "10 by PIN" in out
    assert "wrong" not in out
    assert list(tmp_path.iterdir()) == []


def test_a_record_on_the_server_that_is_not_what_was_answered_is_told_with_the_number_of_the_visit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(soak, "recorded", lambda answers, profile: {})
    report = soak.soak(1, "simulated", seed=1, people=["age45"])
    assert not report.passed
    assert report.outcomes == {"wrong": 1}
    [told] = report.wrong
    assert told.startswith("visit 1 (age45): consents: expected {}, was ")


def test_the_same_seed_plays_the_same_visits() -> None:
    def first_visits(seed: int) -> list[tuple[str, object]]:
        plans = soak.plans(seed, soak.PEOPLE)
        return [
            (play.scenario.person, play.scenario.expect.consents)
            for play, _ in zip(plans, range(50), strict=False)
        ]

    assert first_visits(1) == first_visits(1)
    assert first_visits(1) != first_visits(2)


def test_two_visits_in_a_row_are_by_different_people() -> None:
    plans = soak.plans(1, ("age39", "age45", "age75"))
    people = [play.scenario.person for play, _ in zip(plans, range(60), strict=False)]
    assert set(people) == {"age39", "age45", "age75"}
    assert all(one != next_one for one, next_one in pairwise(people))


def test_threads_that_stay_are_growth() -> None:
    report = report_of(threads=[8 + number // 20 for number in range(100)])
    assert report.grown == ["threads: 8 after warm-up, 12 at the end"]
    assert not report.passed


def test_a_context_of_the_service_that_stays_is_growth() -> None:
    report = report_of(threads=[8] * 50, service_fds=[10] * 30 + [11] * 20)
    assert report.grown == ["pcscd fds: 10 after warm-up, 11 at the end"]


def test_a_thread_that_is_just_ending_is_no_growth() -> None:
    assert report_of(threads=[8, 8, 8, 9, 8, 8, 8, 8, 8, 9]).passed


def test_what_the_warm_up_leaves_behind_is_no_growth() -> None:
    assert report_of(threads=[*range(10), *[10] * 90]).passed


def test_memory_is_told_as_a_slope_and_fails_nothing() -> None:
    report = report_of(threads=[8] * 100, rss=[1000 * number for number in range(100)])
    assert report.trends()["RSS"].slope == pytest.approx(1000)
    assert any("+1000 bytes a visit" in line for line in report.lines())
    assert report.passed


def test_no_visit_at_all_is_not_a_pass() -> None:
    assert not Report().passed


def test_progress_in_a_file_is_a_line_now_and_then_and_at_the_end() -> None:
    out = io.StringIO()
    progress = Progress(100, out)
    for number in range(1, 101):
        progress.tell(Sample(number, number * 0.5, Burden(1 << 20, 10, 8), Burden(1 << 20, 9, 4)))
    progress.end()
    first, last = out.getvalue().splitlines()
    assert first.startswith("60/100 visits, 120.0 a minute; 1.0 MB, 10 fds, 8 threads; pcscd: 1.0 MB, 9 fds")
    assert last.startswith("100/100 visits")


@pytest.mark.parametrize("number", ["0", "-3", "many", "1.5"])
def test_a_number_of_visits_that_is_none_is_refused(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["soak", "--visits", number])
    assert refused.value.code == 2
    assert "--visits" in capsys.readouterr().err
