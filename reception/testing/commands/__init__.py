"""The commands of the workshop, by their reason to change; what is heavy is imported by the command that needs it."""

from reception.commands.arguments import AddCommand
from reception.testing.commands import fleet, kit, measuring, playing, windows
from reception.testing.commands.windows import add_bench, demo

__all__ = ["add", "add_bench", "demo"]


def add(command: AddCommand) -> None:
    """Add the workshop's commands to the command line."""
    for subject in (windows, playing, fleet, measuring, kit):
        subject.add(command)
