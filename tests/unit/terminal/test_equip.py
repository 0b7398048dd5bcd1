"""A terminal that watches its reader before what its work needs is loaded."""

from pathlib import Path
from typing import Any, cast

import pytest

from config.person import load_person
from hardware.face.engine import FaceEngine
from reception.flow import State
from reception.terminal.conductor import Terminal
from reception.testing import scenarios
from reception.testing.testbench import Bench
from reception.testing.timing import FAST
from reception.testing.visit_driver import VisitDriver


class EquippedLater(Bench):
    """A bench whose terminal waits for cards and cannot work on them yet."""

    def _begin_terminal(self, *given: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Terminal, "equip", lambda terminal, **means: setattr(self, "means", means))
            super()._begin_terminal(*given)

    def equip(self) -> None:
        self.terminal.equip(**cast(dict[str, Any], self.means))

    means: dict[str, Any] | None = None


def bench(state: Path) -> EquippedLater:
    return EquippedLater(
        FAST.settings(),
        state,
        people=[load_person("no-photo")],
        person=load_person("no-photo"),
        today=scenarios.TODAY,
        engine=FaceEngine(),
    )


def test_a_card_that_comes_before_the_work_is_loaded_is_shown_at_once_and_read_then(made_state: Path) -> None:
    with bench(made_state) as early:
        visit = VisitDriver(early)
        visit.wait_at_rest(State.WAITING)
        early.insert()
        visit.wait(State.READING)
        early.equip()
        assert visit.wait_at_rest(State.METHOD_CHOICE).failure == ""


def test_a_card_that_came_and_went_before_the_work_was_loaded_begins_no_visit(made_state: Path) -> None:
    with bench(made_state) as early:
        visit = VisitDriver(early)
        visit.wait_at_rest(State.WAITING)
        early.insert()
        visit.wait(State.READING)
        early.remove()
        visit.wait_at_rest(State.WAITING)
        early.equip()
        early.insert()
        assert visit.wait_at_rest(State.METHOD_CHOICE).failure == ""


def test_a_terminal_that_was_never_equipped_ends_all_the_same(made_state: Path) -> None:
    with bench(made_state) as early:
        VisitDriver(early).wait_at_rest(State.WAITING)
        early.insert()
    assert [
        loop.name for loop in early.terminal.supervisor._loops if loop.thread and loop.thread.is_alive()
    ] == []
