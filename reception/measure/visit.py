"""How long the machine takes: whole visits on both benches, with all waiting for people taken out."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, get_args

from reception import demo, hil
from reception.bench import BenchKind
from reception.flow import STEP_OF, State, Step

_PEOPLE = (
    State.WAITING,
    State.METHOD_CHOICE,
    State.CONSENT,
    State.LIMIT_CONSENT,
    State.TAKE_CARD,
    State.COMPLETE,
)
"""States in which the machine waits for people; a bench answers at once, and what is left is not counted."""


def visits(state: Path, rounds: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Play ``rounds`` visits of each kind on each bench; return and say the median per step, in ms."""
    figures: list[dict[str, Any]] = []
    say(
        f"machine time, median of {rounds} visits, ms; FACE_MATCH waits for frames of the recorded clip (30 a second)"
    )
    for kind in get_args(BenchKind):
        for plan in demo.plans():
            results = hil.play_all([plan] * rounds, state, kind)
            failed = [result.why for result in results if not result.passed]
            if failed:
                raise RuntimeError(f"{plan.scenario.title} on {kind}: {failed[0]}")
            spent = [_spent(result) for result in results]
            per_state = {name: median(each.get(name, 0.0) for each in spent) for name in spent[0]}
            per_step = {step.value: 0.0 for step in Step}
            for name, milliseconds in per_state.items():
                per_step[STEP_OF[State(name)].value] += milliseconds
            total = sum(per_step.values())
            figures.append(
                {
                    "bench": kind,
                    "visit": plan.scenario.title,
                    "ms": round(total, 1),
                    "steps_ms": {step: round(ms, 1) for step, ms in per_step.items()},
                    "states_ms": {name: round(ms, 1) for name, ms in per_state.items()},
                }
            )
            steps = "  ".join(f"{step} {ms:.1f}" for step, ms in per_step.items())
            inside = ", ".join(f"{name} {ms:.1f}" for name, ms in per_state.items())
            say(f"{kind:9}  {plan.scenario.title:15}  {total:7.1f}   {steps}   ({inside})")
    return figures


def _spent(result: hil.Result) -> dict[str, float]:
    """Return the ms spent in each state of the machine's own."""
    spent: dict[str, float] = {}
    for (name, began), (_, ended) in zip(result.states, result.states[1:], strict=False):
        if State(name) in STEP_OF and State(name) not in _PEOPLE:
            spent[name] = spent.get(name, 0.0) + (ended - began) * 1000
    return spent
