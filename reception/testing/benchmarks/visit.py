"""How long the machine takes: whole visits on both benches, without what waits for people, each beside its floor."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, get_args

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from hardware.card.pcsc import PcscReader
from hardware.face.engine import FaceEngine
from hardware.simulation.virtual_card import VirtualReader
from reception.flow import STEP_OF, State, Step
from reception.testing import demo, scenarios
from reception.testing.benchmarks.bare_embedding import bare_ms
from reception.testing.benchmarks.stopwatch import Kind, Lap, Stopwatch
from reception.testing.testbench import Bench, BenchKind

Say = Callable[[str], None]

_PEOPLE = (
    State.WAITING,
    State.METHOD_CHOICE,
    State.CONSENT,
    State.LIMIT_CONSENT,
    State.TAKE_CARD,
    State.COMPLETE,
)
"""States in which the machine waits for people; what it does meanwhile costs them nothing, and is not counted."""
_CHOOSES_S = 0.3
"""How long the person takes to choose face or PIN; nobody is faster."""
_READERS: dict[BenchKind, type[VirtualReader] | type[PcscReader]] = {
    "simulated": VirtualReader,
    "pcsc": PcscReader,
}


@dataclass(frozen=True)
class Spent:
    """One visit, ms."""

    states: dict[str, float]
    """In each state of the machine's own; without waiting for the camera's next frame."""
    floor: dict[str, float]
    """What of it the devices took; RSA is that of the terminal's own key."""
    beside: dict[str, float]
    """What the face takes beyond that: looking for it in the frames, and an embedding that is slower than alone."""

    @property
    def ratio(self) -> float:
        """Machine time by floor."""
        return sum(self.states.values()) / sum(self.floor.values())


def visits(state: Path, rounds: int, say: Say) -> list[dict[str, Any]]:
    """Play ``rounds`` visits of each kind on each bench, after one that is not counted; return and say the medians."""
    say(
        f"machine time of a visit, median of {rounds}, ms; floor: the same card commands, RSA, embeddings, HTTP alone"
    )
    bare = bare_ms()
    figures = []
    with FaceEngine() as engine:
        engine.ready.wait(30)
        for kind in get_args(BenchKind):
            for plan in demo.plans():
                spent = played(plan, kind, engine, state, rounds, bare)
                figures.append(figure(kind, plan.scenario.title, spent))
                say(line(figures[-1]))
    return figures


def figure(kind: str, title: str, spent: Sequence[Spent]) -> dict[str, Any]:
    """Return the medians for the JSON file."""
    states = {name: median(each.states.get(name, 0.0) for each in spent) for name in spent[0].states}
    steps = {step.value: 0.0 for step in Step}
    for name, ms in states.items():
        steps[STEP_OF[State(name)].value] += ms
    return {
        "bench": kind,
        "visit": title,
        "ms": round(median(sum(each.states.values()) for each in spent), 1),
        "floor": round(median(sum(each.floor.values()) for each in spent), 1),
        "ratio_to_floor": round(median(each.ratio for each in spent), 2),
        "steps_ms": {step: round(ms, 1) for step, ms in steps.items()},
        "states_ms": {name: round(ms, 1) for name, ms in states.items()},
        "floor_ms": {
            name: round(median(each.floor.get(name, 0.0) for each in spent), 1) for name in spent[0].floor
        },
        "beside_ms": {
            name: round(median(each.beside[name] for each in spent), 1) for name in spent[0].beside
        },
    }


def line(one: dict[str, Any]) -> str:
    """Return a figure in words."""
    inside = ", ".join(f"{name} {ms:.1f}" for name, ms in one["states_ms"].items())
    floor = ", ".join(f"{name} {ms:.1f}" for name, ms in one["floor_ms"].items() if ms)
    beside = ", ".join(f"{name} {ms:.1f}" for name, ms in one["beside_ms"].items() if ms)
    return (
        f"{one['bench']:9}  {one['visit']:15}  {one['ms']:6.1f} ({inside})\n"
        f"{'floor':>26}  {one['floor']:6.1f} ({floor})  ratio {one['ratio_to_floor']:.2f}"
        + (f"\n{'beside it':>26}  {sum(one['beside_ms'].values()):6.1f} ({beside})" if beside else "")
    )


def played(
    plan: scenarios.Play, kind: BenchKind, engine: FaceEngine, state: Path, rounds: int, embedding_ms: float
) -> list[Spent]:
    """Play a visit ``rounds`` times, after once uncounted, on one bench; raises RuntimeError when one goes wrong."""
    thinks = scenarios.Rule(state=State.METHOD_CHOICE, do="wait", seconds=_CHOOSES_S)
    plan = replace(plan, scenario=replace(plan.scenario, on=(thinks, *plan.scenario.on)))
    spent: list[Spent] = []
    watch = Stopwatch()
    people = [plan.person]
    with (
        watch.worn_by(_READERS[kind]),
        Bench(
            plan.settings, state, kind, people=people, person=plan.person, today=plan.today, engine=engine
        ) as bench,
    ):
        rsa_ms = _rsa_ms(bench) if plan.scenario.on[1].do == "choose_face" else 0.0
        for number in range(rounds + 1):
            watch.laps.clear()
            began = time.monotonic()
            result = scenarios.play_on(bench, plan, state)
            if not result.passed:
                raise RuntimeError(f"{plan.scenario.title} on {kind}: {result.why}")
            if number:
                spent.append(spent_of(result, began, list(watch.laps), embedding_ms, rsa_ms))
    return spent


def spent_of(
    result: scenarios.Result, began: float, laps: Sequence[Lap], embedding_ms: float, rsa_ms: float
) -> Spent:
    """Return what a visit took, from when it ``began`` (monotonic, s), and what the devices took of that."""
    states: dict[str, float] = {}
    floor: dict[str, float] = {"card": 0.0, "http": 0.0, "embedding": 0.0, "RSA": rsa_ms}
    beside = {"looking for the face": 0.0, "embedding in the visit": 0.0}
    for (name, start), (_, end) in zip(result.states, result.states[1:], strict=False):
        if State(name) not in STEP_OF or State(name) in _PEOPLE:
            continue
        inside = [lap for lap in laps if start <= lap.began - began < end]
        of: dict[Kind, float] = dict.fromkeys(get_args(Kind), 0.0)
        for lap in inside:
            of[lap.kind] += (lap.ended - lap.began) * 1000
        states[name] = states.get(name, 0.0) + (end - start) * 1000 - of["frame"]
        floor["card"] += of["card"] + of["connect"]
        floor["http"] += of["http"]
        if State(name) is State.FACE_MATCH:
            # The photo's own embedding is made while the patient chooses.
            alone = embedding_ms * sum(lap.kind == "embedding" for lap in inside)
            floor["embedding"] += alone
            beside["looking for the face"] += of["look"]
            beside["embedding in the visit"] += max(0.0, of["embedding"] - alone)
    return Spent(states, floor, beside)


def _rsa_ms(bench: Bench) -> float:
    """Return the time of one signature by the terminal's own key."""
    key = bench.authority.enrol_terminal(bench.terminal.config.site.terminal_id).private_key
    times = []
    for _ in range(9):
        began = time.perf_counter()
        key.sign(b"an assertion", padding.PKCS1v15(), hashes.SHA256())
        times.append((time.perf_counter() - began) * 1000)
    return median(times)
