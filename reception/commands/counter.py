"""The command of the counter's page, and what a terminal opens for counter programs."""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reception.commands.arguments import AddCommand, has_display, refuse

if TYPE_CHECKING:
    from config import Config
    from reception.fleet.port import PortOffice, PortTerminal


def add(command: AddCommand) -> None:
    """Add the counter's page."""
    counter = command("counter", _counter, "the counter's page for browsers, until Ctrl-C or SIGTERM")
    counter.add_argument("--config", type=Path, help="settings (default: the shipped terminal.toml)")
    counter.add_argument("--host", help="address to listen on (default: [counter] host)")
    counter.add_argument("--port", type=int, help="0: any free one (default: [counter] port)")
    counter.add_argument(
        "--terminal",
        action="append",
        default=[],
        metavar="ID",
        help="a terminal of this machine; may be repeated (default: [site] terminal_id, where there is no broker)",
    )
    counter.add_argument("--open", action="store_true", help="open the page in this user's browser")


def _counter(options: argparse.Namespace) -> int:
    import config
    from consent.wire import japan_now
    from reception.counter.changes import ChangesError, changes_of
    from reception.counter.program import CounterError, CounterProgram, Site
    from reception.fleet.local import LocalLink, socket_file

    settings = config.load(options.config)
    given = {"host": options.host, "port": options.port}
    page = replace(settings.counter, **{name: value for name, value in given.items() if value is not None})
    terminals = options.terminal or ([] if settings.fleet.broker else [settings.site.terminal_id])
    links: list[object] = [LocalLink(each, socket_file(options.state, each)) for each in terminals]
    silent = None
    if settings.fleet.broker:
        from reception.fleet.board_side import BoardLink

        board = BoardLink(settings.fleet)
        links.append(board)
        silent = board.silent_since
    changes = None
    try:
        changes = changes_of(settings, options.state, japan_now)
        site = Site(page, options.state, links, changes=changes)  # type: ignore[arg-type]
        program = CounterProgram(site if silent is None else replace(site, broker_silent=silent))
    except (ChangesError, CounterError) as error:
        if changes is not None:
            changes.close()
        return refuse(f"counter: {error}")

    def ready() -> None:
        print(f"the counter's page: {program.url} (stop with Ctrl-C)", flush=True)
        if options.open and has_display():
            import webbrowser

            webbrowser.open(program.url)

    try:
        program.serve_forever(ready)
    finally:
        if changes is not None:
            changes.close()
    return 0


@contextmanager
def opened_to_counters(
    terminal: "PortTerminal", office: "PortOffice", config: "Config", state: Path
) -> Iterator[None]:
    """Let counter programs watch and steer a terminal: of this machine, and through the broker if there is one."""
    from datetime import UTC, datetime

    from reception.fleet.about import about_terminal
    from reception.fleet.audit import Audit
    from reception.fleet.local import LocalPort, socket_file
    from reception.fleet.port import Port

    with ExitStack() as ends:
        audit = Audit(state / f"audit-{config.site.terminal_id}.sqlite", lambda: datetime.now(UTC))
        ends.callback(audit.close)
        port = Port(terminal, office, about_terminal(config), audit, keep_s=config.counter.hide_after_s)
        ends.callback(port.close)
        ends.enter_context(LocalPort(port, socket_file(state, config.site.terminal_id)))
        if config.fleet.broker:
            from reception.fleet.terminal_side import FleetPort

            ends.enter_context(FleetPort(port, config.fleet))
        yield


@contextmanager
def page_beside(state: Path, *arguments: str) -> Iterator[None]:
    """Run the counter's page as a program of its own, which prints its address and opens the browser."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "reception",
        "counter",
        "--state",
        str(state),
        "--open",
        *arguments,
    ]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        child.wait()
