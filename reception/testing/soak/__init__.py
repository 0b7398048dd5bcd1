"""Endurance: whole visits, one after the other, through one terminal in one process, and what they leave behind."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from config.person import load_person
from reception.flow import State
from reception.testing import scenarios
from reception.testing.scenarios import Play, Result
from reception.testing.soak.reconciliation import Shown, differences, recorded_on, settled
from reception.testing.soak.report import MOST_TOLD, WRONG, Burden, Progress, Sample, SoakReport, burden_of
from reception.testing.soak.visits import FACE, PEOPLE, SETTINGS, TITLES, plans
from reception.testing.testbench import Bench, BenchKind, clip_of
from reception.testing.visit_driver import VisitDriver

__all__ = ["PEOPLE", "TITLES", "Burden", "Progress", "Sample", "SoakReport", "plans", "soak"]

_RECEIPTS = "receipts"
_REST_WITHIN_S = 10.0


def soak(
    visits: int,
    kind: BenchKind,
    seed: int,
    tell: Callable[[Sample], None] = lambda sample: None,
    people: Sequence[str] = PEOPLE,
    *,
    only: str = "",
) -> SoakReport:
    """Play ``visits`` visits, which and whose chosen by ``seed``; ``tell`` hears after each.

    ``only``: the one kind of visit to play (TITLES). Raises OSError where there is no /proc to count in.
    """
    burden_of(os.getpid())
    report = SoakReport()
    first = load_person(FACE)
    # What stands in the journal of the usual folder is somebody's.
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        state = Path(folder)
        for name in ("face", "req", "res"):
            (state / _RECEIPTS / name).mkdir(parents=True)
        settings = replace(SETTINGS, receipt=replace(SETTINGS.receipt, folder=str(state / _RECEIPTS)))
        bench = Bench(
            settings,
            state,
            kind,
            # The others, and their keys, are made as they come.
            people=[first],
            # Decoding the clip of every new person would take longer than the visit.
            clip=clip_of(first, state / "clips"),
            today=scenarios.TODAY,
            # In memory, the records of all visits, and the journal, would look like a leak.
            database=f"sqlite:///{state}/eligibility.sqlite",
            journal=state / "journal.sqlite",
        )
        shown = Shown(state / "shown")
        with bench:
            bench.terminal.subscribe(shown.see)
            _play(bench, state, islice(plans(seed, people, only=only), visits), report, tell)
            _reconcile(bench, state, shown, report)
    return report


def _play(
    bench: Bench,
    state: Path,
    visits: Iterator[Play],
    report: SoakReport,
    tell: Callable[[Sample], None],
) -> None:
    began, wrong_in_a_row = time.monotonic(), 0
    for number, visit in enumerate(visits, 1):
        result = scenarios.play_on(bench, visit, state)
        _count(report, number, result)
        service = bench.service_pid
        sample = Sample(
            number,
            time.monotonic() - began,
            _own_burden(),
            None if service is None else burden_of(service),
            report.outcomes,
        )
        report.add(sample)
        tell(sample)
        wrong_in_a_row = 0 if result.passed else wrong_in_a_row + 1
        if wrong_in_a_row == MOST_TOLD:
            report.wrong.append(f"ended after {MOST_TOLD} wrong visits in a row")
            return
        if not result.passed:
            _tidy(bench)


def _own_burden() -> Burden:
    """Count this process, without threads that come and go by themselves, and more of them on a busy machine.

    The mock server's pool has as many as requests overlapped in the last 10 s; a timer stands by each request.
    """
    passing = sum(
        each.name == "AnyIO worker thread" or isinstance(each, threading.Timer)
        for each in threading.enumerate()
    )
    counted = burden_of(os.getpid())
    return replace(counted, threads=counted.threads - passing)


def _tidy(bench: Bench) -> None:
    """Bring the bench back to where the next visit can begin, whatever went wrong."""
    bench.server.faults.clear()
    bench.faults.take_on("")
    bench.faults.lose_exchanges(0)
    bench.faults.fail_power_ups(0)
    for hand in ("start_reader_service", "plug_reader", "plug_camera", "lift_phone", "remove_card"):
        bench.do(hand)
    # The next visit must not begin in this one.
    driver = VisitDriver(bench)
    driver.find(lambda seen: seen.state == State.WAITING, _REST_WITHIN_S)
    driver.close()


def _count(report: SoakReport, number: int, result: Result) -> None:
    report.outcomes[result.title if result.passed else WRONG] += 1
    if not result.passed:
        states = " ".join(name for name, _ in result.states)
        report.wrong.append(f"visit {number}, {result.title} ({result.file}): {result.why}; states: {states}")


def _reconcile(bench: Bench, state: Path, shown: Shown, report: SoakReport) -> None:
    if not settled(bench.journal):
        report.lost.append("the back office still has visits to ask about, or files to write")
    journal = {entry.visit: entry.outcome for entry in bench.journal.entries()}
    server = recorded_on(state / "eligibility.sqlite")
    # OQSsiquc01res_face_VISIT_STAMP.xml
    files = [path.stem.split("_")[2] for path in (state / _RECEIPTS / "face").glob("*.xml")]
    seen = shown.visits()
    report.lost += differences(report.visits, seen, journal, server, files)
    report.agreed = (
        f"{len(seen)} shown complete, {len(journal)} visits in the journal,"
        f" {len(server)} recorded on the server, {len(files)} files for the receipt computer"
    )
