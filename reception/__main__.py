"""The command line: ``./run COMMAND``."""

import argparse
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reception.memory import bound_arenas

if TYPE_CHECKING:
    from config import Config
    from hardware.face_engine import FaceEngine
    from reception.bench.file import BenchPlan
    from reception.hil import Result
    from reception.screens.program import Opened, Opening

Command = Callable[[argparse.Namespace], int]
Name = TypeVar("Name", bound=StrEnum)
REFUSED = 2
"""Exit code of a wrong argument, a wrong file or a missing device; one line says which."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    bound_arenas()
    options = _parser().parse_args(arguments)
    level = logging.INFO if options.verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(message)s")
    command: Command = options.command
    try:
        if command is not _doctor:
            # There a folder that cannot be made is one of the findings.
            options.state.mkdir(parents=True, exist_ok=True)
        return command(options)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return _refuse(str(error))
    except _config_error() as error:
        return _refuse(str(error))
    except _known_errors() as error:
        return _refuse(str(error))


def _config_error() -> type[Exception]:
    """Return ConfigError. Nothing is imported up there: the first picture waits for it."""
    from config import ConfigError

    return ConfigError


def _known_errors() -> tuple[type[Exception], ...]:
    """Return the errors whose text is meant for the operator; imported only when something went wrong."""
    from consent.server import ServerError
    from consent.server.state_files import StateError
    from hardware.camera import CameraError
    from hardware.card import ReaderError
    from reception.bench import BenchTrouble
    from reception.journal import JournalError
    from reception.staff import StaffError

    known = ServerError, StateError, CameraError, ReaderError, BenchTrouble, JournalError, StaffError
    if "reception.screens.kiosk" not in sys.modules:
        return known
    from reception.screens.kiosk import NoSuchDisplay

    return *known, NoSuchDisplay


def _refuse(line: str) -> int:
    print(f"reception: {line}", file=sys.stderr)
    return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run", description="My Number card reception terminal. Without a command: the simulated bench."
    )
    parser.set_defaults(command=_demo)
    common = argparse.ArgumentParser(add_help=False)
    for each in (parser, common):
        # Given before or after the command; the later default must not undo the earlier word.
        default = _state_folder() if each is parser else argparse.SUPPRESS
        off = False if each is parser else argparse.SUPPRESS
        each.add_argument("--state", type=Path, default=default, help="folder of generated keys and data")
        each.add_argument(
            "--verbose", action="store_true", default=off, help="print what happens, without names"
        )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, does: Command, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[common])
        made.set_defaults(command=does)
        return made

    terminal = command("terminal", _terminal, "a terminal for real use; --bench pcsc brings its own pcscd")
    terminal.add_argument("--config", type=Path, help="settings (default: the shipped terminal.toml)")
    terminal.add_argument("--bench", choices=("simulated", "pcsc"), help="simulated surroundings")
    terminal.add_argument("--person", default="age45", help="bench: whose clip the camera shows")
    terminal.add_argument("--vpcd-port", type=int, default=35963, help="bench pcsc: where cards attach")
    terminal.add_argument(
        "--kiosk", action="store_true", help="the patient's window fills a display, and cannot be closed"
    )
    terminal.add_argument(
        "--display", type=_count(1), metavar="N", help="kiosk: which one, from 1 (default: the primary one)"
    )
    terminal.add_argument("--no-counter", action="store_true", help="without the counter's window")
    server = command("server", _server, "the mock eligibility-confirmation server, until Ctrl-C or SIGTERM")
    server.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    server.add_argument("--port", type=int, default=8470, help="default: 8470; 0: any free one")
    server.add_argument("--database", help="SQLAlchemy URL (default: a SQLite file in the state folder)")
    server.add_argument(
        "--trust-ca", type=Path, metavar="FILE", help="CA certificates of cards owned for testing"
    )
    server.add_argument(
        "--person", action="append", default=[], metavar="FILE", help="one more person file; may be repeated"
    )
    server.add_argument(
        "--people", type=Path, metavar="DIR", help="folder of person files, read again whenever they change"
    )
    server.add_argument(
        "--grace-months",
        type=int,
        choices=range(13),
        default=3,
        metavar="N",
        help="after the month in which a card's certificate expired: eligibility without consents (default: 3)",
    )
    server.add_argument(
        "--fault", metavar="KIND", help="disturb every request, e.g. delay, 500, drop, garbage"
    )
    server.add_argument(
        "--workers",
        type=_count(1),
        default=1,
        metavar="N",
        help="processes that share the address (default: 1)",
    )
    server.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="the server's certificate: speak TLS only"
    )
    server.add_argument("--tls-key", type=Path, metavar="FILE", help="its key")
    server.add_argument(
        "--client-ca", type=Path, metavar="FILE", help="CA of the certificates that terminals must have"
    )
    certificates = command(
        "certificates",
        _certificates,
        "certificates for TLS between terminals and server; enrols the terminals",
    )
    certificates.add_argument("--out", type=Path, required=True, metavar="DIR")
    certificates.add_argument(
        "--host", action="append", default=[], help="name or address of the server; may be repeated"
    )
    certificates.add_argument(
        "--terminal", action="append", default=[], metavar="ID", help="a terminal's id; may be repeated"
    )
    certificates.add_argument("--days", type=_count(1), default=365, help="how long they last (default: 365)")
    card = command("card", _card, "keep a person's virtual card in pcscd's virtual reader until interrupted")
    card.add_argument("person", help="a shipped person, or a person file")
    card.add_argument("--vpcd", default="127.0.0.1:35963", metavar="HOST:PORT")
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
    hil.add_argument("-j", type=_count(1), default=1, metavar="N", dest="jobs", help="play N at a time")
    record_visit = command("hil-record", _hil_record, "turn a manual visit into a scenario")
    record_visit.add_argument("out", type=Path, metavar="OUT", help="the scenario file to write, a new one")
    record_visit.add_argument(
        "--config", type=Path, help="settings of a terminal with real devices (default: the simulated bench)"
    )
    record_visit.add_argument(
        "--person", default="age45", help="who comes first, or who a real card stands for"
    )
    record_visit.add_argument(
        "--today", type=date.fromisoformat, help="date of a simulated visit, YYYY-MM-DD"
    )
    record_visit.add_argument("--title", default="", help="default: made from the outcome")
    record_visit.add_argument(
        "--frames", action="store_true", help="also keep what the camera saw while a face was matched"
    )
    soak = command(
        "soak", _soak, "endurance: whole visits in one process, each checked, and what they leave behind"
    )
    soak.add_argument("--visits", type=_count(1), default=100)
    soak.add_argument("--bench", choices=("simulated", "pcsc"), default="simulated")
    soak.add_argument("--seed", type=int, default=1, help="chooses who comes, and what happens")
    soak.add_argument("--pin-only", action="store_true", help="undisturbed visits by PIN only")
    soak.add_argument(
        "--kills",
        type=_count(1),
        metavar="N",
        help="instead: kill terminal or server N times at random moments, and compare what was shown and recorded",
    )
    matrix = command(
        "matrix", _matrix, "every state times every disturbance, held against rules of their own"
    )
    matrix.add_argument("--bench", choices=("simulated", "pcsc"), default="simulated")
    matrix.add_argument("--in", action="append", dest="states", metavar="STATE", help="only in this state")
    matrix.add_argument("--disturbance", action="append", metavar="D", help="only this one, as card_pulled")
    matrix.add_argument(
        "--rules", action="store_true", help="print the rules with their reasons; play nothing"
    )
    matrix.add_argument("--readme", type=Path, metavar="F", help="write the table into this README, too")
    _add_bench(command("bench", _bench, "speed and accuracy, each beside what it is compared with"))
    record = command("record", _record, "record camera frames, with their times, for exact replay")
    record.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or an empty folder")
    record.add_argument("--seconds", type=float, default=10.0, help="at most 60 (default: 10)")
    record.add_argument(
        "--config", type=Path, help="settings with the camera, or the clip (default: the shipped)"
    )
    doctor = command("doctor", _doctor, "check this installation: one line for each part, with the remedy")
    doctor.add_argument("--config", type=Path, help="settings (default: the shipped terminal.toml)")
    doctor.add_argument("--json", type=Path, metavar="F", help="write the findings as JSON")
    staff = command("staff-password", _staff_password, "set the password with which staff check by sight")
    staff.add_argument(
        "--staff", default="staff", metavar="ID", help="an id of your own, no name (default: staff)"
    )
    staff.add_argument("--remove", action="store_true", help="forget the password of this id instead")
    fuzz = command("fuzz", _fuzz, "long fuzzing of one parser, or of the server")
    fuzz.add_argument("target", choices=("card", "receipt", "server"))
    fuzz.add_argument("--seconds", type=float, default=60.0)
    fuzz.add_argument("--seed", type=int, default=1)
    return parser


def _add_bench(bench: argparse.ArgumentParser) -> None:
    """Add the parts of ``bench``; without a part, all of them run with their defaults."""
    written = argparse.ArgumentParser(add_help=False)
    for each in (bench, written):
        default = None if each is bench else argparse.SUPPRESS
        each.add_argument("--json", type=Path, metavar="F", default=default, help="write the figures as JSON")
        each.add_argument(
            "--compare",
            type=Path,
            metavar="OLD",
            default=default,
            help="say what became slower since this JSON was written; then the exit code is 1",
        )
        each.add_argument(
            "--markdown",
            action="store_true",
            default=False if each is bench else argparse.SUPPRESS,
            help="print the table as Markdown",
        )
    bench.add_argument("--read", type=Path, metavar="F", help="measure nothing: the table of this JSON")
    bench.set_defaults(what="")
    parts = bench.add_subparsers(title="parts", metavar="PART", dest="what")
    visit = parts.add_parser("visit", help="whole visits, per step, on both benches", parents=[written])
    visit.add_argument("--rounds", type=_count(1), default=5, help="visits of each kind on each bench")
    card = parts.add_parser("card", help="the card by PIN: our driver beside OpenSC's", parents=[written])
    card.add_argument("--rounds", type=_count(1), default=20, help="uses of the card by each driver")
    server = parts.add_parser("server", help="many terminals on one server", parents=[written])
    server.add_argument("--terminals", type=_count(2), default=20, help="how many (default: 20)")
    server.add_argument("--seconds", type=float, default=20.0, help="of each run (default: 20)")
    server.add_argument("--database", metavar="URL", help="default: SQLite, and a PostgreSQL of our own")
    server.add_argument("--workers", type=_count(1), default=1, help="processes of the server (default: 1)")
    ui = parts.add_parser("ui", help="the patient's window while a face is matched", parents=[written])
    ui.add_argument("--seconds", type=float, default=10.0, help="how long each part is watched")
    ui.add_argument("--visits", type=_count(0), default=0, help="also the memory over so many visits")
    start = parts.add_parser("start", help="from a cold process until it can be used", parents=[written])
    start.add_argument("--rounds", type=_count(1), default=5, help="how often it is started (default: 5)")
    face = parts.add_parser("face", help="speed and accuracy of the face route", parents=[written])
    face.add_argument("--rounds", type=_count(1), default=12, help="decisions of each kind (default: 12)")
    face.add_argument(
        "--visits", type=_count(0), default=0, help="also the engine's memory over so many visits"
    )
    face.add_argument(
        "--pairs", type=Path, metavar="F", help="accuracy on a list: path1,path2,same and maybe set"
    )
    face.add_argument(
        "--conditions", action="store_true", help="with --pairs: also dim, backlight, blur and others"
    )
    face.add_argument(
        "--frames", type=_count(1), default=3, help="with --pairs: frames that a policy may use"
    )
    face.add_argument(
        "--gate", action="store_true", help="with --pairs: only frames that the quality gate lets pass"
    )
    face.add_argument(
        "--out", type=Path, metavar="DIR", help="with --pairs: JSON, DET curve, and what to resume from"
    )


def _count(least: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"should be at least {least}")
        return value

    return count


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "reception-terminal"


def _demo(options: argparse.Namespace) -> int:
    if _has_display():
        return _windows(partial(_on_a_bench, options), simulated=True)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtCore import qInstallMessageHandler

    from reception import demo

    # Without a display Qt says on every window that it has no size hints to pass on.
    qInstallMessageHandler(lambda kind, context, text: None)

    print("There is no display, so two visits are played without windows.")
    ok = demo.play(options.state, lambda line: print(line, flush=True))
    print(f"\nA picture of every screen: {demo.take_pictures(options.state)}")
    return 0 if ok else 1


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def _on_a_bench(options: argparse.Namespace) -> "Iterator[Opened]":
    """Open the simulated bench with everything in it."""
    import config
    from hardware.face_engine import FaceEngine

    settings = config.load()
    with FaceEngine(network=settings.face.model) as engine:
        from reception.bench import Bench
        from reception.screens.program import Opened

        with Bench(settings, options.state, engine=engine) as bench:
            yield Opened(bench.terminal, bench.office, bench)


def _windows(
    opening: "Opening", *, simulated: bool, kiosk: int | None = None, with_counter: bool = True
) -> int:
    from reception.screens.program import show

    show(opening, simulated=simulated, kiosk=kiosk, with_counter=with_counter)
    return 0


def _terminal(options: argparse.Namespace) -> int:
    if not _has_display():
        import config

        config.load(options.config)
        return _refuse("the terminal needs a display (DISPLAY is not set); ./run hil plays without one")
    if options.display is not None and not options.kiosk:
        return _refuse("--display: only with --kiosk")
    return _windows(
        partial(_opened, options),
        simulated=options.bench is not None,
        kiosk=(options.display or 1) if options.kiosk else None,
        with_counter=not options.no_counter,
    )


@contextmanager
def _opened(options: argparse.Namespace) -> "Iterator[Opened]":
    """Open the terminal of the command line: on real devices, or on a bench that asks another program's server."""
    import config
    from hardware.face_engine import FaceEngine

    settings = config.load(options.config)
    # Its process loads the models on another core, while the rest is imported here.
    with FaceEngine(network=settings.face.model) as engine, _opened_with(engine, settings, options) as opened:
        yield opened


@contextmanager
def _opened_with(engine: "FaceEngine", settings: "Config", options: argparse.Namespace) -> "Iterator[Opened]":
    from reception.screens.program import Opened
    from reception.site import journal_file, real_terminal
    from reception.staff import staff_file

    if options.bench is None:
        with real_terminal(settings, options.state, engine) as (terminal, office):
            yield Opened(terminal, office)
        return
    from config.person import load_person
    from reception.bench import Bench

    port = options.vpcd_port if options.bench == "pcsc" else None
    with Bench(
        settings,
        options.state,
        options.bench,
        person=load_person(options.person, Path()),
        engine=engine,
        own_server=False,
        vpcd_port=port,
        journal=journal_file(settings, options.state),
        staff=staff_file(options.state) if staff_file(options.state).exists() else None,
    ) as bench:
        if port is not None:
            print(f"cards attach at 127.0.0.1:{port}: ./run card PERSON --vpcd 127.0.0.1:{port}", flush=True)
        yield Opened(bench.terminal, bench.office, bench if port is None else None)


def _server(options: argparse.Namespace) -> int:
    from config.person import load_person
    from consent.server import EligibilityServer, Tls
    from consent.server.certificates import Authority
    from consent.server.limits import Limits
    from consent.server.trusted import load_cas
    from consent.server.workers import serve_by_workers
    from reception.bench import everybody, insured

    if options.people and not options.people.is_dir():
        return _refuse(f"--people {options.people}: there is no such folder")
    people = insured(everybody() + [load_person(name, Path()) for name in options.person])
    trust_cas = load_cas(options.trust_ca) if options.trust_ca else []
    database = options.database or f"sqlite:///{options.state / 'eligibility.sqlite'}"
    authority = Authority(options.state)
    files = (options.tls_cert, options.tls_key, options.client_ca)
    if any(files) and not all(files):
        return _refuse("--tls-cert, --tls-key and --client-ca go together")
    # The terminals of this state folder are enrolled when they first start; they share it with the server.
    server = EligibilityServer(
        people,
        authority,
        database=database,
        host=options.host,
        port=options.port,
        grace_months=options.grace_months,
        trust_cas=trust_cas,
        people_folder=options.people,
        limits=Limits(),
        tls=Tls(*files) if all(files) else None,
    )
    if options.fault:
        try:
            server.faults.always(options.fault)
        except ValueError as error:
            return _refuse(f"--fault: {error}")

    def say() -> None:
        print(f"eligibility server: {server.url} (stop with Ctrl-C)", flush=True)
        print(f"  what it understands: {server.url}/openapi.json", flush=True)
        print(
            f"  certificate status: {server.url}/ocsp, daily list: {server.url}/crl/user-authentication.crl",
            flush=True,
        )

    if options.workers > 1:
        serve_by_workers(server, options.workers, say)
    else:
        server.serve_forever(say)
    return 0


def _certificates(options: argparse.Namespace) -> int:
    from consent.server.network import write_certificates

    if not (options.host or options.terminal):
        return _refuse("certificates: name a --host, a --terminal, or both")
    try:
        life = timedelta(days=options.days)
        now = datetime.now(UTC)
        written = write_certificates(options.state, options.out, options.host, options.terminal, now, life)
    except (ValueError, OverflowError) as error:
        return _refuse(f"certificates: {error}")
    for path in written:
        print(path)
    return 0


def _card(options: argparse.Namespace) -> int:
    from config.person import load_person
    from consent.server.certificates import Authority
    from hardware.virtual_card import attach_to_vpcd
    from reception.bench import whatever_comes

    host, _, port = options.vpcd.rpartition(":")
    if not host or not port.isdecimal():
        return _refuse(f"--vpcd {options.vpcd}: should be HOST:PORT")
    card = whatever_comes(load_person(options.person, Path()), Authority(options.state))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(f"card of {options.person} for {host}:{port} (pull it with Ctrl-C)", flush=True)
    attach_to_vpcd(
        card, host, int(port), stop, lambda there: print("card in" if there else "card out", flush=True)
    )
    return 0


def _hil(options: argparse.Namespace) -> int:
    from reception import hil

    plan = None if options.bench in ("simulated", "pcsc") else _bench_plan(options.bench)
    unless_said = None if plan and plan.real else hil.TODAY
    plays = [hil.load(path, options.state, options.today, unless_said) for path in options.scenario]

    def tell(result: hil.Result) -> None:
        mark = "ok  " if result.passed else "FAIL"
        print(f"{mark} {result.seconds:6.2f} s  {result.title}", flush=True)
        for reason in result.reasons():
            print(f"             {reason}", flush=True)

    jobs, trouble = min(options.jobs, len(plays)), ""
    traced, began = options.report is not None, time.monotonic()
    if options.report:
        # Now, and not after all was played, is the time to learn that there can be no such folder.
        options.report.mkdir(parents=True, exist_ok=True)
    if jobs > 1 and plan and (plan.real or plan.file.camera.index is not None):
        return _refuse("-j: a real card or camera plays one scenario at a time")
    if jobs > 1:
        kind = plan.simulated_kind if plan else options.bench
        plays = [replace(play, clip=play.clip or (plan.clip if plan else None)) for play in plays]
        results = hil.play_parallel(plays, options.state, kind, tell, jobs=jobs, traced=traced)
    elif plan is None:
        results = hil.play_all(plays, options.state, options.bench, tell, traced=traced)
    else:
        from reception import hil_bench

        with hil_bench.opened(plan, plays, allow_pin_miss=options.allow_pin_miss) as bench:
            results = hil.play_all(
                bench.plays, options.state, bench.kind, tell, camera=bench.camera, traced=traced
            )
            trouble = bench.trouble
    if options.json:
        options.json.write_text(hil.as_json(results), encoding="utf-8")
    if options.junit:
        options.junit.write_bytes(hil.as_junit(results))
    if options.report:
        _write_report(options, results, time.monotonic() - began)
    failed = sum(not result.passed for result in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    if trouble:
        return _refuse(trouble)
    return 1 if failed else 0


def _write_report(options: argparse.Namespace, results: "Sequence[Result]", seconds: float) -> None:
    from reception.hil.report import write_report

    written = write_report(options.report, results, bench=options.bench, seconds=seconds)
    if written.without_pictures:
        print(f"reception: {written.without_pictures}", file=sys.stderr)
    print(f"report: {written.page}")


def _hil_record(options: argparse.Namespace) -> int:
    from config.person import load_person
    from reception.hil.recording import Session
    from reception.hil.scenario import TODAY

    if not _has_display():
        return _refuse("hil-record: needs a display (DISPLAY is not set) for somebody to make a visit at")
    today = None if options.config else options.today or TODAY
    session = Session(options.out, load_person(options.person, Path()), options.config, today)
    said: list[str] = []

    @contextmanager
    def opened() -> "Iterator[Opened]":
        from reception.screens.program import Opened

        with session.running(options.state, frames=options.frames) as (terminal, office, bench):
            yield Opened(terminal, office, bench)
            said.extend(session.write(options.title))

    print("Make one visit, or several. Closing the windows ends the recording.", flush=True)
    if options.frames:
        print("You asked for frames: they show faces, and stay there until you delete them.", flush=True)
    code = _windows(opened, simulated=options.config is None)
    for line in said:
        print(line)
    return code


def _soak(options: argparse.Namespace) -> int:
    if options.kills:
        return _soak_kills(options)
    from reception import soak

    live = soak.Progress(options.visits, sys.stdout)
    only = soak.TITLES[0] if options.pin_only else ""
    report = soak.soak(options.visits, options.bench, options.seed, live.tell, only=only)
    live.end()
    for line in report.lines():
        print(line)
    return 0 if report.passed else 1


def _matrix(options: argparse.Namespace) -> int:
    from reception import matrix
    from reception.flow import State

    if options.rules:
        for line in matrix.reasons():
            print(line)
        return 0
    states = [_known(State, "--in", name) for name in options.states or State]
    disturbances = [_known(matrix.Disturbance, "--disturbance", name) for name in options.disturbance or ()]
    if options.readme and (options.states or options.disturbance):
        return _refuse("--readme: only for the whole matrix")
    chosen = matrix.cells(options.bench, states, disturbances)
    if not chosen:
        return _refuse("matrix: no such cell applies; see --rules")
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
            return _refuse(f"--readme: {error}")
    return 1 if matrix.wrong(results) else 0


def _known(among: type[Name], option: str, name: str) -> Name:
    try:
        return among(name)
    except ValueError:
        raise _config_error()(f"{option} {name}: unknown; known: {', '.join(among)}") from None


def _soak_kills(options: argparse.Namespace) -> int:
    from reception.kills import kills

    # A folder of its own: what stands in the journal of the usual one is somebody's.
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        report = kills(
            Path(folder), options.kills, options.seed, lambda line: print(f"\r{line}  ", end="", flush=True)
        )
    print()
    for line in report.lines():
        print(line)
    return 0 if report.passed else 1


def _bench_plan(name: str) -> "BenchPlan":
    from config import ConfigError
    from reception.bench.file import load_bench

    if not Path(name).is_file():
        raise ConfigError(f"--bench {name}: should be simulated, pcsc or a bench file; there is no such file")
    return load_bench(Path(name))


def _bench(options: argparse.Namespace) -> int:
    from reception import measure

    return measure.measure(options, partial(print, flush=True))


def _record(options: argparse.Namespace) -> int:
    import config
    from hardware.camera import open_camera, open_clip
    from hardware.recorder import LONGEST_S, record

    if not 0 < options.seconds <= LONGEST_S:
        return _refuse(f"--seconds {options.seconds:g}: should be above 0 and at most {LONGEST_S:g}")
    camera = config.load(options.config).camera
    source = open_clip(Path(camera.clip), "fast") if camera.clip else open_camera(camera.index)
    words = f"clip {camera.clip}" if camera.clip else f"camera {camera.index}"
    stop = threading.Event()
    handled = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    print(f"Recording {words} for {options.seconds:g} s into {options.out} (Ctrl-C ends it and keeps it).")
    print("You asked for this: the frames show faces, and stay there until you delete them.", flush=True)
    told = 0.0

    def progress(seconds: float, frames: int) -> None:
        nonlocal told
        if seconds >= told + 1:
            told = seconds
            print(f"  {seconds:5.1f} s  {frames} frames", flush=True)

    try:
        made = record(source, options.out, options.seconds, words=words, stop=stop, progress=progress)
    finally:
        for number, before in handled.items():
            signal.signal(number, before)
    missed = f", {made.missed} missed (the disk is too slow)" if made.missed else ""
    print(f"{options.out}: {made.frames} frames in {made.seconds:.1f} s{missed}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    import config
    from reception import doctor

    settings = config.load(options.config)
    findings = []
    for finding in doctor.examine_all(settings, options.state):
        print(finding.line(), flush=True)
        findings.append(finding)
    if options.json:
        options.json.write_text(doctor.as_json(findings), encoding="utf-8")
    problems = sum(finding.grade is doctor.Grade.PROBLEM for finding in findings)
    warnings = sum(finding.grade is doctor.Grade.WARNING for finding in findings)
    print(f"{problems} problems, {warnings} warnings")
    return 1 if problems else 0


def _staff_password(options: argparse.Namespace) -> int:
    from getpass import getpass

    from reception.staff import remove_password, set_password, staff_file

    path = staff_file(options.state)
    if options.remove:
        remove_password(path, options.staff)
        print(f"{options.staff}: the password is forgotten")
        return 0
    if not sys.stdin.isatty():
        return _refuse("staff-password: asks for the password, so it needs a terminal")
    password = getpass(f"password of {options.staff}: ")
    if getpass("once more: ") != password:
        return _refuse("staff-password: the two passwords differ; nothing was changed")
    set_password(path, options.staff, password)
    print(f"{options.staff}: the password is set; its hash stands in {path}")
    return 0


def _fuzz(options: argparse.Namespace) -> int:
    from consent.receipt_files import fuzz as receipt
    from consent.server import fuzz as server
    from hardware import fuzz_card as card

    targets: dict[str, Callable[[float, int], card.FuzzReport | receipt.FuzzReport | server.FuzzReport]]
    targets = {"card": card.fuzz_card, "receipt": receipt.fuzz_receipt, "server": server.fuzz_server}
    report = targets[options.target](options.seconds, options.seed)
    print(report)
    return 1 if report.failure else 0


if __name__ == "__main__":
    sys.exit(main())
