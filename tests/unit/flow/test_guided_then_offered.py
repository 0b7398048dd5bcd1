"""Who cannot be seen well is told what to do and then offered the choice again: a whole terminal, real pictures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.person import load_person
from hardware.camera.clips import write_clip
from hardware.simulation.moving_stills import Condition, moving
from hardware.simulation.portraits import portrait_path
from reception import flow
from reception.flow import Method, State
from reception.flow.failures import FailureCode
from reception.testing.scenarios import TODAY
from reception.testing.testbench import Bench
from reception.testing.timing import FAST
from reception.testing.visit_driver import VisitDriver

PERSON = "age45"

TOLD = {
    Condition.MASK: "UNCOVER_MOUTH",
    Condition.DARK: "MORE_LIGHT",
    Condition.SMALL_60: "CLOSER",
    Condition.SUNGLASSES: "UNCOVER_EYES",
}


@pytest.fixture(scope="module")
def stage(made_state: Path) -> Iterator[VisitDriver]:
    """A terminal whose patient stands before METHOD_CHOICE, with the face on offer."""
    settings = FAST.settings(face={"time_limit_s": 1.2, "tries": 10})
    people = [load_person(PERSON), load_person("age75")]
    with Bench(settings, made_state, people=people, today=TODAY) as bench:
        stage = VisitDriver(bench)
        stage.begin(stage.card(), Method.FACE, State.METHOD_CHOICE)
        assert "face" in stage.wait(State.METHOD_CHOICE).methods
        yield stage
        bench.slot.remove()


@pytest.mark.parametrize(("condition", "told"), TOLD.items())
def test_the_reason_is_told_while_it_lasts_and_then_the_choice_is_open(
    condition: Condition, told: str, stage: VisitDriver, tmp_path: Path
) -> None:
    photo = portrait_path(load_person(PERSON).card.photo)
    write_clip(tmp_path / "clip", moving(photo, condition, 15), source="drawn by a test", fps=15)
    stage.bench.show_clip(tmp_path / "clip")
    before = stage.terminal.snapshot.occasion

    stage.terminal.submit(flow.Choose(Method.FACE))

    choice = stage.wait_until(
        lambda seen: seen.state == State.METHOD_CHOICE and seen.occasion > before, "the choice again"
    )
    assert choice.failure == FailureCode.FACE_NOT_SEEN
    assert {"face", "pin"} <= set(choice.methods)
    guided = [seen.guidance for seen in list(stage.log) if seen.occasion > before and seen.guidance]
    assert guided[-1] == told
    assert set(guided) <= {told, "NO_FACE"}
