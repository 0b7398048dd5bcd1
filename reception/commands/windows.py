"""The command with windows: the terminal at its site."""

import argparse
import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reception.commands.arguments import AddCommand, count, has_display, refuse
from reception.commands.counter import opened_to_counters

if TYPE_CHECKING:
    from hardware.face.engine import FaceEngine
    from reception.commands.program import Opened, Opening


def add(command: AddCommand) -> argparse.ArgumentParser:
    """Add the terminal and return its parser, for what a bench adds."""
    terminal = command("terminal", _terminal, "a terminal for real use; --bench pcsc brings its own pcscd")
    terminal.add_argument("--config", type=Path, help="settings (default: the shipped terminal.toml)")
    terminal.add_argument(
        "--kiosk", action="store_true", help="the patient's window fills a display, and cannot be closed"
    )
    terminal.add_argument(
        "--display", type=count(1), metavar="N", help="kiosk: which one, from 1 (default: the primary one)"
    )
    terminal.add_argument(
        "--no-counter", action="store_true", help="let no counter program watch this terminal"
    )
    return terminal


def show_windows(opening: "Opening", *, simulated: bool, kiosk: int | None = None) -> int:
    """Show a terminal's windows until they are closed; return the exit code."""
    # What is loaded stays; a search for garbage in it takes 7 % of the time of all imports (measured). See settle().
    gc.disable()
    import reception.patient.plain_imports  # noqa: F401 (before the rest of Qt)
    from reception.commands.program import show

    show(opening, simulated=simulated, kiosk=kiosk)
    return 0


def _terminal(options: argparse.Namespace) -> int:
    if not has_display():
        import config

        config.load(options.config)
        return refuse("the terminal needs a display (DISPLAY is not set); ./run hil plays without one")
    if options.display is not None and not options.kiosk:
        return refuse("--display: only with --kiosk")
    kiosk = (options.display or 1) if options.kiosk else None
    if options.bench is not None:
        return show_windows(partial(options.open_bench, options), simulated=True, kiosk=kiosk)
    from hardware.face.engine import FaceEngine

    # The first thing of all: its process loads on another core, while everything else is loaded here.
    with FaceEngine(network=None) as engine:
        return show_windows(partial(_opened, options, engine), simulated=False, kiosk=kiosk)


@contextmanager
def _opened(options: argparse.Namespace, engine: "FaceEngine") -> "Iterator[Opened]":
    """Open the terminal of the command line on its real devices."""
    import config
    from reception.commands.program import Opened

    settings = config.load(options.config)
    engine.use(settings.face.model)
    from reception.terminal.assembly import waiting_terminal

    with waiting_terminal(settings, options.state) as terminal:

        @contextmanager
        def behind() -> Iterator[None]:
            from reception.terminal.equipment import at_work

            with at_work(terminal, settings, options.state, engine) as office, ExitStack() as ends:
                if not options.no_counter:
                    ends.enter_context(opened_to_counters(terminal, office, settings, options.state))
                yield

        yield Opened(terminal, behind=behind)
