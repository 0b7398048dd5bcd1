"""The scenarios of this folder on the pcsc bench; a file of its own: both benches play at the same time."""

from pathlib import Path

import pytest

from tests.conftest import LogWatch
from tests.support.playing import SCENARIOS, Playing

ELSEWHERE = frozenset(
    {
        *("agreed_to_all", "declined_everything", "question_times_out", "under_40"),
        *("camera_black", "camera_frozen", "camera_unplugged", "face_engine_killed"),
        *("challenge_not_met", "flat_photo", "mask_then_pin", "other_face_pulled", "other_face_then_pin"),
        *("first_visit", "first_visit_declined"),
        *("insurance_ambiguous", "insurance_invalid", "insurance_superseded"),
        *("receipt_folder_full", "server_answer_lost", "server_down", "server_down_at_sending"),
        *("server_in_trouble", "visual_check", "visual_check_refused", "visual_check_without_photo"),
        "visual_check_wrong_password",
        *("attributes_by_phone", "attributes_declined", "attributes_j_lis_away", "attributes_operator_away"),
        *("attributes_withdrawn", "records_end_after_a_day", "records_shared"),
        *("phone_lost_this_morning", "phone_sold_last_week"),
    }
)
"""Played here with --long only: card, reader and service do in them what they do in others that stay."""


def test_what_is_left_to_long_runs_is_there() -> None:
    assert set(SCENARIOS) >= ELSEWHERE


@pytest.fixture(scope="module")
def playing(request: pytest.FixtureRequest, made_state: Path) -> Playing:
    left_out = frozenset() if request.config.getoption("--long") else ELSEWHERE
    return Playing(made_state, "pcsc", [name for name in SCENARIOS if name not in left_out])


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] if name in ELSEWHERE else []) for name in SCENARIOS],
)
def test_scenario_comes_to_what_it_says(name: str, playing: Playing, log_watch: LogWatch) -> None:
    result = playing.result(name, log_watch)

    assert result.passed, f"{result.why}\n{result.states}"
