"""Terminal and server killed at random moments: nothing is lost, nothing is recorded that nobody is told of."""

from pathlib import Path

import pytest

from reception.testing import kills


@pytest.mark.timeout(120)
def test_killed_at_twenty_moments_every_visit_is_shown_or_told_to_the_counter(tmp_path: Path) -> None:
    report = kills.kills(tmp_path, 20, seed=20261123)
    assert report.wrong == []
    assert report.kills == 20
    assert report.visits > 0
    assert report.in_sending > 0


def test_a_comparison_that_does_not_hold_is_told(tmp_path: Path) -> None:
    report = kills.KillsReport(kills=1, wrong=["visit-1 was shown complete and is not recorded"])
    assert not report.passed
    assert list(report.lines())[-1] == "WRONG: visit-1 was shown complete and is not recorded"
