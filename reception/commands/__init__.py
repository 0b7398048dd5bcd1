"""The commands of ``./run``, by their reason to change; what is heavy is imported by the command that needs it."""

import argparse
import os
from pathlib import Path
from typing import Protocol

from reception.commands import attributes, authority, card_info, counter, serving, upkeep, windows
from reception.commands.arguments import REFUSED, AddCommand, Command, refuse

__all__ = ["REFUSED", "Command", "Workshop", "parser", "refuse"]


class Workshop(Protocol):
    """What the workshop adds to the command line; the product knows no more of it."""

    def demo(self, options: argparse.Namespace, /) -> int:
        """Run when no command is given."""
        ...

    def add(self, command: AddCommand, /) -> None:
        """Add the workshop's own commands."""
        ...

    def add_bench(self, terminal: argparse.ArgumentParser, /) -> None:
        """Let the terminal's command run on a bench: adds ``--bench`` and the default ``open_bench``."""
        ...


def parser(workshop: Workshop) -> argparse.ArgumentParser:
    """Return the parser of the whole command line; it puts the command to run into ``command``."""
    whole = argparse.ArgumentParser(
        prog="./run", description="My Number card reception terminal. Without a command: the simulated bench."
    )
    whole.set_defaults(command=workshop.demo)
    common = argparse.ArgumentParser(add_help=False)
    for each in (whole, common):
        # Given before or after the command; the later default must not undo the earlier word.
        default = _state_folder() if each is whole else argparse.SUPPRESS
        off = False if each is whole else argparse.SUPPRESS
        each.add_argument("--state", type=Path, default=default, help="folder of generated keys and data")
        each.add_argument(
            "--verbose", action="store_true", default=off, help="print what happens, without names"
        )
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, does: Command, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[common])
        made.set_defaults(command=does)
        return made

    workshop.add_bench(windows.add(command))
    counter.add(command)
    serving.add(command)
    authority.add(command)
    attributes.add(command)
    workshop.add(command)
    upkeep.add(command)
    card_info.add(command)
    return whole


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "reception-terminal"
