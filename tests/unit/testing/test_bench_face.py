"""./run bench face: every figure beside its baseline, in a run as short as it can be."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.camera import Image
from hardware.face.engine import FaceEngine
from hardware.simulation.moving_stills import Condition
from reception.__main__ import main
from reception.testing.benchmarks import face
from reception.testing.benchmarks.bare_embedding import BareEmbeddings


@pytest.fixture(scope="module")
def bare(images: list[Image]) -> BareEmbeddings:
    return BareEmbeddings(images[:3])


@pytest.fixture(scope="module")
def images(made_state: Path) -> list[Image]:
    return face.images_of(made_state, Condition.CLEAN)


def test_a_decision_is_timed_beside_both_readme_loops_and_its_bare_embedding(
    engine: FaceEngine, bare: BareEmbeddings, images: list[Image]
) -> None:
    decision = face.decisions(engine, bare, images, "fast accept", needs=1, rounds=1)
    assert set(decision.ms) == {"ours", "bare", "readme", "readme_quarter"}
    assert all(ms > 0 for ms in decision.ms.values())
    figure = decision.as_figure()
    assert figure["ratio"] == pytest.approx(decision.ms["readme"] / decision.ms["ours"], abs=0.01)
    assert figure["ratio_to_bare"] == pytest.approx(decision.ms["ours"] / decision.ms["bare"], abs=0.01)


def test_a_decision_that_the_clip_does_not_lead_to_is_told(
    engine: FaceEngine, bare: BareEmbeddings, images: list[Image]
) -> None:
    with pytest.raises(
        RuntimeError, match="no start on the clip of grace_hopper led to a decision by mean of three"
    ):
        face.decisions(engine, bare, images[:10], "mean of three", needs=3, rounds=1)


def test_the_engine_keeps_its_memory_over_visits(engine: FaceEngine, images: list[Image]) -> None:
    said: list[str] = []
    figure = face.memory(engine, images, 20, said.append)
    assert figure["visits"] == 20
    assert figure["last_mb"] - figure["first_mb"] < 8
    assert "KB per 1,000 visits" in said[0]


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.lists(st.integers(-100, 100), min_size=2, unique=True))
def test_the_slope_of_points_on_a_line_is_that_of_the_line(
    slope: float, at_zero: float, places: list[int]
) -> None:
    points = [(float(x), slope * x + at_zero) for x in places]
    assert math.isclose(face.slope_of(points), slope, rel_tol=1e-6, abs_tol=1e-6)


def test_one_point_has_no_slope() -> None:
    assert face.slope_of([]) == face.slope_of([(1.0, 5.0)]) == face.slope_of([(1.0, 5.0), (1.0, 6.0)]) == 0


@pytest.mark.parametrize(
    ("wrong", "complaint"), [(["--rounds", "0"], "--rounds"), (["--visits", "-1"], "--visits")]
)
def test_a_wrong_number_is_refused_with_one_line(
    wrong: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--state", str(tmp_path), "bench", "face", *wrong])
    assert left.value.code == 2
    assert complaint in capsys.readouterr().err
