"""Commands with windows: the demonstration, the terminal, and a visit by hand that becomes a scenario."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reception.commands.arguments import AddCommand, count, has_display, refuse

if TYPE_CHECKING:
    from config import Config
    from hardware.face_engine import FaceEngine
    from reception.screens.program import Opened, Opening


def add(command: AddCommand) -> None:
    """Add the commands with windows."""
    terminal = command("terminal", _terminal, "a terminal for real use; --bench pcsc brings its own pcscd")
    terminal.add_argument("--config", type=Path, help="settings (default: the shipped terminal.toml)")
    terminal.add_argument("--bench", choices=("simulated", "pcsc"), help="simulated surroundings")
    terminal.add_argument("--person", default="age45", help="bench: whose clip the camera shows")
    terminal.add_argument("--vpcd-port", type=int, default=35963, help="bench pcsc: where cards attach")
    terminal.add_argument(
        "--kiosk", action="store_true", help="the patient's window fills a display, and cannot be closed"
    )
    terminal.add_argument(
        "--display", type=count(1), metavar="N", help="kiosk: which one, from 1 (default: the primary one)"
    )
    terminal.add_argument("--no-counter", action="store_true", help="without the counter's window")
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


def demo(options: argparse.Namespace) -> int:
    """Show the simulated bench with everything in it; without a display, play two visits and leave pictures."""
    if has_display():
        return _windows(partial(_on_a_bench, options), simulated=True)
    from reception import demo as visits

    print("There is no display, so two visits are played without windows.")
    ok = visits.play(options.state, lambda line: print(line, flush=True))
    print(f"\nA picture of every screen: {visits.take_pictures(options.state)}")
    return 0 if ok else 1


def _windows(
    opening: "Opening", *, simulated: bool, kiosk: int | None = None, with_counter: bool = True
) -> int:
    from reception.screens.program import show

    show(opening, simulated=simulated, kiosk=kiosk, with_counter=with_counter)
    return 0


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


def _terminal(options: argparse.Namespace) -> int:
    if not has_display():
        import config

        config.load(options.config)
        return refuse("the terminal needs a display (DISPLAY is not set); ./run hil plays without one")
    if options.display is not None and not options.kiosk:
        return refuse("--display: only with --kiosk")
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


def _hil_record(options: argparse.Namespace) -> int:
    from config.person import load_person
    from reception.hil.recording import Session
    from reception.hil.scenario import TODAY

    if not has_display():
        return refuse("hil-record: needs a display (DISPLAY is not set) for somebody to make a visit at")
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
