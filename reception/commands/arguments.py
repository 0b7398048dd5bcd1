"""What the commands share: how one is added, how it refuses, and arguments with bounds."""

import argparse
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, TypeVar

Command = Callable[[argparse.Namespace], int]
"""Does what was asked and returns the exit code."""
REFUSED = 2
"""Exit code of a wrong argument, a wrong file or a missing device; one line says which."""
Name = TypeVar("Name", bound=StrEnum)


class AddCommand(Protocol):
    """Adds a command to the command line and returns its parser, for the arguments."""

    def __call__(self, name: str, does: Command, text: str) -> argparse.ArgumentParser: ...


def refuse(line: str) -> int:
    """Say in one line what is wrong; return the exit code for it."""
    print(f"reception: {line}", file=sys.stderr)
    return REFUSED


def count(least: int) -> Callable[[str], int]:
    """Return what reads a whole number of at least ``least``."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"should be at least {least}")
        return value

    return number


def known(among: type[Name], option: str, name: str) -> Name:
    """Return the member of ``among`` with this name. Raises ConfigError."""
    try:
        return among(name)
    except ValueError:
        from config import ConfigError

        raise ConfigError(f"{option} {name}: unknown; known: {', '.join(among)}") from None


def has_display() -> bool:
    """Whether windows can be shown."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
