"""Commands of the bench: the demonstration, a terminal on simulated devices, a visit by hand made a scenario."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reception.commands.arguments import AddCommand, has_display, refuse
from reception.commands.counter import opened_to_counters, page_beside
from reception.commands.windows import show_windows

if TYPE_CHECKING:
    from config import Config
    from reception.commands.program import Opened, PanelLike
    from reception.terminal.back_office import BackOffice
    from reception.terminal.conductor import Terminal


def add(command: AddCommand) -> None:
    """Add the commands of the bench that have windows."""
    record = command("hil-record", _hil_record, "turn a manual visit into a scenario")
    record.add_argument("out", type=Path, metavar="OUT", help="the scenario file to write, a new one")
    record.add_argument(
        "--config", type=Path, help="settings of a terminal with real devices (default: the simulated bench)"
    )
    record.add_argument("--person", default="age45", help="who comes first, or who a real card stands for")
    record.add_argument("--today", type=date.fromisoformat, help="date of a simulated visit, YYYY-MM-DD")
    record.add_argument("--title", default="", help="default: made from the outcome")
    record.add_argument(
        "--frames", action="store_true", help="also keep what the camera saw while a face was matched"
    )

    gallery = command("gallery", _gallery, "every page of the patient's window as a picture, with pages.json")
    gallery.add_argument("folder", type=Path, metavar="DIR", help="where to write; it is made")
    gallery.add_argument(
        "--size", type=_size, default=(800, 1280), metavar="WxH", help="px (default: 800x1280)"
    )
    gallery.add_argument("--language", default="ja", help="ja, ja-easy, en, zh, ko, pt or vi (default: ja)")
    gallery.add_argument(
        "--mode", choices=("normal", "large", "black"), default="normal", help="how the patient wants it"
    )
    gallery.add_argument(
        "--density",
        type=float,
        metavar="DPI",
        help="px per inch of the display (default: as such a display has)",
    )


def _size(text: str) -> tuple[int, int]:
    width, x, height = text.partition("x")
    if not (x and width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r}: should be WIDTHxHEIGHT in px, like 1366x768")
    return int(width), int(height)


def _gallery(options: argparse.Namespace) -> int:
    from reception.flow import DisplayMode, Language

    if options.language not in list(Language):
        return refuse(f"gallery: --language {options.language}: should be one of {', '.join(Language)}")
    from reception.testing import demo
    from reception.testing.gallery import save_gallery, screen_of, without_display

    screen = screen_of(options.size[0], options.size[1], options.density)
    without_display()
    mode = DisplayMode("contrast" if options.mode == "black" else options.mode)
    frame = demo.sample_frame(options.state)
    paths = save_gallery(options.folder, frame, screen=screen, language=Language(options.language), mode=mode)
    print(f"{len(paths)} pictures and pages.json: {options.folder}")
    return 0


def add_bench(terminal: argparse.ArgumentParser) -> None:
    """Let ``./run terminal`` run on simulated devices, too."""
    terminal.add_argument("--bench", choices=("simulated", "pcsc"), help="simulated surroundings")
    terminal.add_argument("--person", default="age45", help="bench: whose clip the camera shows")
    terminal.add_argument("--vpcd-port", type=int, default=35963, help="bench pcsc: where cards attach")
    terminal.set_defaults(open_bench=_open_bench)


def demo(options: argparse.Namespace) -> int:
    """Show the simulated bench with everything in it; without a display, play two visits and leave pictures."""
    if has_display():
        return show_windows(partial(_on_a_bench, options), simulated=True)
    from reception.testing import demo as visits

    print("There is no display, so two visits are played without windows.")
    ok = visits.play(options.state, lambda line: print(line, flush=True))
    print(f"\nA picture of every screen: {visits.take_pictures(options.state)}")
    return 0 if ok else 1


@contextmanager
def _on_a_bench(options: argparse.Namespace) -> "Iterator[Opened]":
    """Open the simulated bench with everything in it."""
    import config
    from hardware.face.engine import FaceEngine

    settings = config.load()
    with FaceEngine(network=settings.face.model) as engine:
        from reception.commands.program import Opened
        from reception.testing.testbench import Bench

        with (
            Bench(settings, options.state, engine=engine, keep_cards=True) as bench,
            watched(bench.terminal, bench.office, settings, options.state),
        ):
            yield Opened(bench.terminal, partial(_panel, bench))


def _panel(bench: object) -> "PanelLike":
    from reception.testing.panel import panel_of

    return panel_of(bench)


@contextmanager
def watched(terminal: "Terminal", office: "BackOffice", settings: "Config", state: Path) -> Iterator[None]:
    """Show the counter's page of a terminal on a bench; the bench's own staff can log in to it."""
    from reception.testing.testbench import STAFF, STAFF_PASSWORD, write_staff_file

    folder = state / "bench-counter"
    folder.mkdir(mode=0o700, exist_ok=True)
    write_staff_file(folder)
    with (
        opened_to_counters(terminal, office, settings, folder),
        page_beside(folder, "--port", "0", "--terminal", settings.site.terminal_id),
    ):
        print(f"log in at the counter's page as {STAFF} with the password {STAFF_PASSWORD}", flush=True)
        yield


@contextmanager
def _open_bench(options: argparse.Namespace) -> "Iterator[Opened]":
    """Open the terminal of the command line on a bench that asks another program's server."""
    import config
    from config.person import load_person
    from hardware.face.engine import FaceEngine
    from reception.commands.program import Opened
    from reception.terminal.assembly import journal_file
    from reception.terminal.staff import staff_file

    settings = config.load(options.config)
    port = options.vpcd_port if options.bench == "pcsc" else None
    # Its process loads the models on another core, while the rest is imported here.
    with FaceEngine(network=settings.face.model) as engine:
        from reception.testing.testbench import Bench

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
            keep_cards=True,
        ) as bench:
            if port is not None:
                to = f"127.0.0.1:{port}"
                print(f"cards attach at {to}: ./run card PERSON --vpcd {to}", flush=True)
            with ExitStack() as ends:
                if not options.no_counter:
                    opening = opened_to_counters(bench.terminal, bench.office, settings, options.state)
                    ends.enter_context(opening)
                panel = None if port is not None else partial(_panel, bench)
                yield Opened(bench.terminal, panel)


def _hil_record(options: argparse.Namespace) -> int:
    from config.person import load_person
    from reception.testing.scenarios.recording import Session
    from reception.testing.scenarios.scenario import TODAY

    if not has_display():
        return refuse("hil-record: needs a display (DISPLAY is not set) for somebody to make a visit at")
    today = None if options.config else options.today or TODAY
    session = Session(options.out, load_person(options.person, Path()), options.config, today)
    said: list[str] = []

    @contextmanager
    def opened() -> "Iterator[Opened]":
        from reception.commands.program import Opened

        with (
            session.running(options.state, frames=options.frames) as (terminal, office, bench),
            watched(terminal, office, session.settings, options.state),
        ):
            yield Opened(terminal, partial(_panel, bench) if bench is not None else None)
            said.extend(session.write(options.title))

    print("Make one visit, or several. Closing the windows ends the recording.", flush=True)
    if options.frames:
        print("You asked for frames: they show faces, and stay there until you delete them.", flush=True)
    code = show_windows(opened, simulated=options.config is None)
    for line in said:
        print(line)
    return code
