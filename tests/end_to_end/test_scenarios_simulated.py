"""Every scenario of this folder on the simulated bench; a file of its own: both benches play at the same time."""

from pathlib import Path

import pytest

from tests.conftest import LogWatch
from tests.support.playing import SCENARIOS, Playing


@pytest.fixture(scope="module")
def playing(made_state: Path) -> Playing:
    return Playing(made_state, "simulated")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_comes_to_what_it_says(name: str, playing: Playing, log_watch: LogWatch) -> None:
    result = playing.result(name, log_watch)

    assert result.passed, f"{result.why}\n{result.states}"
