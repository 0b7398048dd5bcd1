"""Every state times every disturbance, played on a bench and held against rules of their own."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from config import Consents
from config.person import load_person
from consent.eligibility import EligibilityError
from hardware.face.engine import FaceEngine
from reception.flow import State
from reception.testing.matrix.cell import Cell
from reception.testing.matrix.fault_injection import stall_limit_s, timing_for
from reception.testing.matrix.rules import Disturbance, Kind, Outcome, Rule, disturbances_on, expected
from reception.testing.matrix.table import grid, reasons, write
from reception.testing.scenarios import TODAY
from reception.testing.testbench import Bench
from reception.testing.timing import TimingProfile
from reception.testing.visit_driver import PHONE, UNREGISTERED, VisitDriver

__all__ = [
    "Disturbance",
    "Kind",
    "Outcome",
    "Played",
    "Progress",
    "cells",
    "grid",
    "play",
    "reasons",
    "summary",
    "write",
    "wrong",
]


WITH_SUBSIDIES = "child-subsidies"


@dataclass(frozen=True)
class Played:
    """What came of one cell."""

    state: State
    disturbance: Disturbance
    rule: Rule
    why: str
    """Empty when it came to what it must."""
    seconds: float


def cells(
    kind: Kind, states: Iterable[State] = tuple(State), disturbances: Iterable[Disturbance] = ()
) -> list[tuple[State, Disturbance]]:
    """Return the cells that are played on a bench, column by column; those that do not apply are left out."""
    wanted = tuple(disturbances) or disturbances_on(kind)
    return [
        (state, disturbance)
        for disturbance in wanted
        for state in states
        if expected(state, disturbance, kind).outcome is not Outcome.NONE
    ]


def play(
    chosen: Iterable[tuple[State, Disturbance]],
    kind: Kind,
    folder: Path,
    tell: Callable[[Played], None] = lambda played: None,
    engine: FaceEngine | None = None,
    *,
    certificates: bool = False,
) -> list[Played]:
    """Play cells, those that need the same patience on one bench; ``tell`` hears of each as it ends.

    ``certificates``: what is asked in CONSENT are two certificates of medical subsidies, as in profile ``current``.
    """
    by_timing: dict[TimingProfile, list[tuple[State, Disturbance]]] = {}
    for cell in chosen:
        by_timing.setdefault(timing_for(*cell), []).append(cell)
    results = []
    with ExitStack() as ends:
        used = engine or ends.enter_context(FaceEngine())
        for timing, group in by_timing.items():
            own = Path(tempfile.mkdtemp(prefix="bench-", dir=folder))
            bench = partial(_bench, timing, kind, folder, own, used, certificates=certificates)
            for played in _on_benches(group, kind, bench):
                results.append(played)
                tell(played)
    return results


def wrong(results: Iterable[Played]) -> dict[tuple[State, Disturbance], Played]:
    """Return the cells that did not come to what they must."""
    return {(each.state, each.disturbance): each for each in results if each.why}


def summary(results: list[Played]) -> str:
    """Return what came of a run, in a line."""
    bad = len(wrong(results))
    came = "all came to what the rules say" if not bad else f"{bad} did not come to what the rules say"
    return f"{len(results)} cells played in {sum(each.seconds for each in results):.0f} s, {came}"


class Progress:
    """One line that is kept up to date on a console, and a line for each cell in a file; failures stay on both."""

    def __init__(self, count: int, out: TextIO) -> None:
        self._count, self._out, self._console = count, out, out.isatty()
        self._done = 0

    def tell(self, played: Played) -> None:
        """Show one more cell."""
        self._done += 1
        line = f"{self._done:3}/{self._count} {played.rule.outcome.letter} {played.disturbance} in {played.state}"
        if played.why:
            line += f": FAIL, {played.why}"
        ends = "\n" if played.why or not self._console else ""
        self._out.write(f"\r{line:70}{ends}" if self._console else f"{line} ({played.seconds:.2f} s)\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._console:
            self._out.write("\n")


def _on_benches(
    group: list[tuple[State, Disturbance]], kind: Kind, new_bench: Callable[[], Bench]
) -> Iterator[Played]:
    """Play on one bench; after a cell that failed on a new one, since nobody knows how it was left."""
    left = list(group)
    while left:
        with new_bench() as bench:
            driver = VisitDriver(bench)
            while left:
                state, disturbance = left.pop(0)
                cell, began = Cell(driver, state, disturbance, kind), time.monotonic()
                why = ""
                try:
                    cell.play()
                except (AssertionError, EligibilityError) as wrong:
                    why = str(wrong) or "an assertion failed"
                yield Played(state, disturbance, cell.rule, why, time.monotonic() - began)
                if why:
                    driver.release()
                    break


def _bench(
    timing: TimingProfile, kind: Kind, folder: Path, own: Path, engine: FaceEngine, *, certificates: bool
) -> Bench:
    for name in ("face", "req", "res"):
        (own / "receipts" / name).mkdir(parents=True, exist_ok=True)
    settings = timing.settings(receipt={"folder": str(own / "receipts")})
    people = [load_person(name) for name in ("age45", "age75", "no-photo", UNREGISTERED, PHONE)]
    if certificates:
        asks = Consents(medication=False, health_checkup=False, medical_subsidy=True)
        settings = replace(settings, profile="current", consents=asks)
        held = load_person(WITH_SUBSIDIES).subsidies
        people = [replace(person, subsidies=held) for person in people]
    return Bench(
        settings,
        folder,
        kind,
        people=people,
        today=TODAY,
        engine=engine,
        journal=own / "journal.sqlite",
        stall_limit_s=stall_limit_s(timing, kind),
    )
