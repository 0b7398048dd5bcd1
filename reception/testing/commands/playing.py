"""Commands that play visits or parts of them: scenarios, endurance, the matrix, and a card alone."""

import argparse
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from reception.commands.arguments import AddCommand, count, known, refuse

if TYPE_CHECKING:
    from reception.testing.scenarios import Result
    from reception.testing.testbench.file import BenchPlan


def add(command: AddCommand) -> None:
    """Add the commands that play."""
    card = command("card", _card, "keep a person's virtual card in pcscd's virtual reader until interrupted")
    card.add_argument("person", help="a shipped person, or a person file")
    card.add_argument("--vpcd", default="127.0.0.1:35963", metavar="HOST:PORT")
    card.add_argument(
        "--database", help="as of ./run authority: the person comes with the newest certificate"
    )
    hil = command("hil", _hil, "play scenarios; exit 0 only if every expectation held")
    hil.add_argument("scenario", nargs="+", type=Path)
    hil.add_argument("--bench", default="simulated", metavar="simulated|pcsc|FILE", help="or a bench file")
    hil.add_argument(
        "--allow-pin-miss", action="store_true", help="real card: let a scenario type a wrong PIN"
    )
    hil.add_argument("--today", type=date.fromisoformat, help="date of the run, YYYY-MM-DD")
    hil.add_argument("--json", type=Path, metavar="F", help="write the results as JSON")
    hil.add_argument("--junit", type=Path, metavar="F", help="write the results as JUnit XML")
    hil.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write a page with everything that happened, JSON and JUnit",
    )
    hil.add_argument("-j", type=count(1), default=1, metavar="N", dest="jobs", help="play N at a time")
    soak = command(
        "soak", _soak, "endurance: whole visits in one process, each checked, and what they leave behind"
    )
    soak.add_argument("--visits", type=count(1), default=100)
    soak.add_argument("--bench", choices=("simulated", "pcsc"), default="simulated")
    soak.add_argument("--seed", type=int, default=1, help="chooses who comes, and what happens")
    soak.add_argument("--pin-only", action="store_true", help="undisturbed visits by PIN only")
    soak.add_argument(
        "--kills",
        type=count(1),
        metavar="N",
        help="instead: kill parts of a site N times at random moments, and compare what was shown and recorded",
    )
    soak.add_argument(
        "--of",
        action="append",
        metavar="PART",
        help="what is killed: terminal, server, engine, counter, broker; may be repeated (default: terminal, server)",
    )
    matrix = command(
        "matrix", _matrix, "every state times every disturbance, held against rules of their own"
    )
    matrix.add_argument("--bench", choices=("simulated", "pcsc"), default="simulated")
    matrix.add_argument("--in", action="append", dest="states", metavar="STATE", help="only in this state")
    matrix.add_argument("--disturbance", action="append", metavar="D", help="only this one, as card_pulled")
    matrix.add_argument(
        "--faults",
        action="store_true",
        help="instead: every part that dies, hangs, is full, locked or refused; what must hold is the same for all",
    )
    matrix.add_argument("--part", action="append", metavar="NAME", help="with --faults: only this part")
    matrix.add_argument(
        "--rules", action="store_true", help="print the rules with their reasons; play nothing"
    )
    matrix.add_argument(
        "--readme",
        type=Path,
        metavar="F",
        help="write the table into this file, too (docs/reference/matrix.md)",
    )


def _card(options: argparse.Namespace) -> int:
    from config.person import load_person
    from consent.server.certificates import Authority
    from consent.server.jlis.parties import newest
    from hardware.simulation.virtual_card import attach_to_vpcd
    from reception.testing.testbench import whatever_comes

    host, _, port = options.vpcd.rpartition(":")
    if not host or not port.isdecimal():
        return refuse(f"--vpcd {options.vpcd}: should be HOST:PORT")
    authority = Authority(options.state)
    database = options.database or f"sqlite:///{options.state / 'eligibility.sqlite'}"
    person = newest(load_person(options.person, Path()), database, authority)
    card = whatever_comes(person, authority)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(f"card of {options.person} for {host}:{port} (pull it with Ctrl-C)", flush=True)
    attach_to_vpcd(
        card, host, int(port), stop, lambda there: print("card in" if there else "card out", flush=True)
    )
    return 0


def _hil(options: argparse.Namespace) -> int:
    from reception.testing import scenarios

    plan = None if options.bench in ("simulated", "pcsc") else _bench_plan(options.bench)
    unless_said = None if plan and plan.real else scenarios.TODAY
    plays = [scenarios.load(path, options.state, options.today, unless_said) for path in options.scenario]

    def tell(result: scenarios.Result) -> None:
        mark = "ok  " if result.passed else "FAIL"
        print(f"{mark} {result.seconds:6.2f} s  {result.title}", flush=True)
        for reason in result.reasons():
            print(f"             {reason}", flush=True)

    jobs, trouble = min(options.jobs, len(plays)), ""
    traced, began = options.report is not None, time.monotonic()
    if options.report:
        # Now, and not after all was played, is the time to learn that there can be no such folder.
        options.report.mkdir(parents=True, exist_ok=True)
    if jobs > 1 and plan and (plan.real or plan.file.camera.real is not None):
        return refuse("-j: a real card or camera plays one scenario at a time")
    if jobs > 1:
        kind = plan.simulated_kind if plan else options.bench
        plays = [replace(play, clip=play.clip or (plan.clip if plan else None)) for play in plays]
        results = scenarios.play_parallel(plays, options.state, kind, tell, jobs=jobs, traced=traced)
    elif plan is None:
        results = scenarios.play_all(plays, options.state, options.bench, tell, traced=traced)
    else:
        from reception.testing.scenarios import real_bench

        with real_bench.opened(plan, plays, allow_pin_miss=options.allow_pin_miss) as bench:
            results = scenarios.play_all(
                bench.plays, options.state, bench.kind, tell, camera=bench.camera, traced=traced
            )
            trouble = bench.trouble
    if options.json:
        options.json.write_text(scenarios.as_json(results), encoding="utf-8")
    if options.junit:
        options.junit.write_bytes(scenarios.as_junit(results))
    if options.report:
        _write_report(options, results, time.monotonic() - began)
    failed = sum(not result.passed for result in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    if trouble:
        return refuse(trouble)
    return 1 if failed else 0


def _bench_plan(name: str) -> "BenchPlan":
    from config import ConfigError
    from reception.testing.testbench.file import load_bench

    if not Path(name).is_file():
        raise ConfigError(f"--bench {name}: should be simulated, pcsc or a bench file; there is no such file")
    return load_bench(Path(name))


def _write_report(options: argparse.Namespace, results: "Sequence[Result]", seconds: float) -> None:
    from reception.testing.report import write_report

    written = write_report(options.report, results, bench=options.bench, seconds=seconds)
    if written.without_pictures:
        print(f"reception: {written.without_pictures}", file=sys.stderr)
    print(f"report: {written.page}")


def _soak(options: argparse.Namespace) -> int:
    if options.kills:
        return _soak_kills(options)
    if options.of:
        return refuse("--of: only with --kills")
    from reception.testing import soak

    live = soak.Progress(options.visits, sys.stdout)
    only = soak.TITLES[0] if options.pin_only else ""
    report = soak.soak(options.visits, options.bench, options.seed, live.tell, only=only)
    live.end()
    for line in report.lines():
        print(line)
    return 0 if report.passed else 1


def _soak_kills(options: argparse.Namespace) -> int:
    from reception.testing.fleet.broker import NoBroker
    from reception.testing.kills import PARTS, USUAL, kills

    of = options.of or USUAL
    if unknown := [each for each in of if each not in PARTS]:
        return refuse(f"--of {unknown[0]}: should be one of {', '.join(PARTS)}")
    # A folder of its own: what stands in the journal of the usual one is somebody's.
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        try:
            report = kills(
                Path(folder),
                options.kills,
                options.seed,
                lambda line: print(f"\r{line}  ", end="", flush=True),
                of,
            )
        except NoBroker as error:
            return refuse(f"--of broker: {error}")
    print()
    for line in report.lines():
        print(line)
    return 0 if report.passed else 1


def _matrix(options: argparse.Namespace) -> int:
    from reception.flow import State
    from reception.testing import matrix

    if options.faults:
        return _matrix_of_faults(options)
    if options.part:
        return refuse("--part: only with --faults")
    if options.rules:
        for line in matrix.reasons():
            print(line)
        return 0
    states = [known(State, "--in", name) for name in options.states or State]
    disturbances = [known(matrix.Disturbance, "--disturbance", name) for name in options.disturbance or ()]
    if options.readme and (options.states or options.disturbance):
        return refuse("--readme: only for the whole matrix")
    chosen = matrix.cells(options.bench, states, disturbances)
    if not chosen:
        return refuse("matrix: no such cell applies; see --rules")
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        live = matrix.Progress(len(chosen), sys.stdout)
        results = matrix.play(chosen, options.bench, Path(folder), live.tell)
        live.end()
    print(matrix.grid(matrix.wrong(results)))
    print(matrix.summary(results))
    if options.readme:
        try:
            matrix.write(options.readme, options.bench, matrix.summary(results), matrix.wrong(results))
        except (OSError, ValueError) as error:
            return refuse(f"--readme: {error}")
    return 1 if matrix.wrong(results) else 0


def _matrix_of_faults(options: argparse.Namespace) -> int:
    from reception.flow import State
    from reception.testing.matrix import faults

    if options.bench != "simulated" or options.readme or options.disturbance or options.rules:
        return refuse("--faults: goes with --in and --part only")
    states = [known(State, "--in", name) for name in options.states or faults.STATES]
    parts = {fault.part for fault in faults.FAULTS}
    if unknown := [name for name in options.part or () if name not in parts]:
        return refuse(f"--part {unknown[0]}: should be one of {', '.join(sorted(parts))}")
    chosen = faults.fault_cells(
        states, [each for each in faults.FAULTS if not options.part or each.part in options.part]
    )
    if not chosen:
        return refuse("matrix: no such cell can be played here")
    if faults.FULL_JOURNAL not in {fault for fault, _ in chosen} and not options.part:
        print("left out: journal disk full, since this user cannot mount a disk to fill")
    done = 0

    def tell(played: faults.FaultPlayed) -> None:
        nonlocal done
        done += 1
        came = f"FAIL, {played.why}" if played.why else played.end
        print(
            f"{done:3}/{len(chosen)} {played.fault} in {played.state}: {came} ({played.seconds:.2f} s)",
            flush=True,
        )

    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        results = faults.play_faults(chosen, Path(folder), tell)
    for line in faults.table_of(results):
        print(line)
    failed = sum(bool(each.why) for each in results)
    seconds = sum(each.seconds for each in results)
    print(
        f"{len(results)} cells played in {seconds:.0f} s, " + (f"{failed} failed" if failed else "all held")
    )
    return 1 if failed else 0
