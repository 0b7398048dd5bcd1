"""Programs of a site killed at random moments: nothing is lost, nothing is recorded that nobody is told of."""

from collections import Counter
from pathlib import Path

import pytest

from reception.__main__ import main
from reception.testing import kills


@pytest.mark.timeout(120)
def test_killed_at_a_dozen_moments_every_visit_is_shown_or_told_to_the_counter(tmp_path: Path) -> None:
    report = kills.kills(tmp_path, 12, seed=20261123)
    assert report.wrong == []
    assert report.kills.total() == 12
    assert report.visits > 0
    assert report.in_sending > 0


@pytest.mark.timeout(120)
def test_engine_counter_and_broker_killed_under_a_visit_cost_it_neither_record_nor_file(
    tmp_path: Path,
) -> None:
    report = kills.kills(tmp_path, 6, seed=20261129, of=("engine", "counter", "broker"))
    assert report.wrong == []
    assert set(report.kills) == {"engine", "counter", "broker"}
    assert report.visits == report.delivered > 0
    # The terminal itself is killed once, at the end, perhaps in the last visit.
    assert report.visits - report.shown == report.unseen <= 1


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", kills.PARTS)
def test_killed_two_hundred_times(part: kills.Part, tmp_path: Path) -> None:
    report = kills.kills(tmp_path, 200, seed=1, of=(part,))
    assert report.wrong == []
    assert report.kills == {part: 200}


def test_a_comparison_that_does_not_hold_is_told() -> None:
    report = kills.KillsReport(Counter(server=1), wrong=["visit-1 was shown complete and is not recorded"])
    assert not report.passed
    assert next(report.lines()) == "1 kills (server 1), 0 of them with a visit in SENDING"
    assert list(report.lines())[-1] == "WRONG: visit-1 was shown complete and is not recorded"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--of", "engine"], "--of: only with --kills"),
        (
            ["--kills", "1", "--of", "roof"],
            "--of roof: should be one of terminal, server, engine, counter, broker",
        ),
    ],
)
def test_what_cannot_be_killed_is_refused(
    options: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["soak", *options]) == 2
    assert line in capsys.readouterr().err
