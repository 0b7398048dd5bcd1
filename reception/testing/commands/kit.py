"""``receipt-kit``: every file that a receipt computer must read."""

import argparse
from datetime import date
from pathlib import Path

from reception.commands.arguments import AddCommand, refuse


def add(command: AddCommand) -> None:
    """Add the command."""
    kit = command(
        "receipt-kit",
        _receipt_kit,
        "every file that a receipt computer must read, with a manifest of its meaning",
    )
    kit.add_argument("out", type=Path, metavar="OUT", help="folder; must be new or empty")
    kit.add_argument("--today", type=date.fromisoformat, help="the day of the visits; default: 2026-04-01")


def _receipt_kit(options: argparse.Namespace) -> int:
    from reception.testing.receipt_kit import MANIFEST, write_kit
    from reception.testing.scenarios.scenario import TODAY

    out: Path = options.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        return refuse(f"{out}: is there already; a kit is written into a new or an empty folder")
    out.mkdir(parents=True, exist_ok=True)
    count = write_kit(out, options.today or TODAY)
    print(f"{out}: {count} files, and {out / MANIFEST} says what each means")
    return 0
