"""Commands that measure and that try to break: ``bench`` with its parts, and ``fuzz``."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from reception.commands.arguments import AddCommand, count


def add(command: AddCommand) -> None:
    """Add the commands ``bench`` and ``fuzz``."""
    _add_parts(command("bench", _bench, "speed and accuracy, each beside what it is compared with"))
    fuzz = command("fuzz", _fuzz, "long fuzzing of one parser, or of the server")
    fuzz.add_argument("target", choices=("card", "receipt", "server", "settings"))
    fuzz.add_argument("--seconds", type=float, default=60.0)
    fuzz.add_argument("--seed", type=int, default=1)


def _add_parts(bench: argparse.ArgumentParser) -> None:
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
            help="say what became slower since this JSON was written, or since this commit, which is measured beside;"
            " then the exit code is 1",
        )
        each.add_argument(
            "--markdown",
            action="store_true",
            default=False if each is bench else argparse.SUPPRESS,
            help="print the table as Markdown",
        )
        each.add_argument(
            "--only-json",
            action="store_true",
            default=False if each is bench else argparse.SUPPRESS,
            help="leave the table to who reads the JSON",
        )
    bench.add_argument("--read", type=Path, metavar="F", help="measure nothing: the table of this JSON")
    bench.set_defaults(what="")
    parts = bench.add_subparsers(title="parts", metavar="PART", dest="what")
    visit = parts.add_parser("visit", help="whole visits, per step, on both benches", parents=[written])
    visit.add_argument("--rounds", type=count(1), default=5, help="visits of each kind on each bench")
    card = parts.add_parser("card", help="the card by PIN: our driver beside OpenSC's", parents=[written])
    card.add_argument("--rounds", type=count(1), default=20, help="uses of the card by each driver")
    server = parts.add_parser("server", help="many terminals on one server", parents=[written])
    server.add_argument("--terminals", type=count(2), default=20, help="how many (default: 20)")
    server.add_argument("--seconds", type=float, default=20.0, help="of each run (default: 20)")
    server.add_argument("--database", metavar="URL", help="default: SQLite, and a PostgreSQL of our own")
    server.add_argument("--workers", type=count(1), default=1, help="processes of the server (default: 1)")
    server.add_argument("--tls", action="store_true", help="behind nginx, each with a certificate of its own")
    scale = parts.add_parser(
        "scale", help="one server with 1 to 200 terminals and up to ten million visits", parents=[written]
    )
    scale.add_argument(
        "--visits",
        type=count(1_000),
        default=1_000_000,
        metavar="N",
        help="stored at most, in steps of ten from 1,000 to 10,000,000 (default: 1,000,000)",
    )
    scale.add_argument("--seconds", type=float, default=5.0, help="of each run (default: 5)")
    ui = parts.add_parser("ui", help="the patient's window while a face is matched", parents=[written])
    ui.add_argument("--seconds", type=float, default=10.0, help="how long each part is watched")
    ui.add_argument("--visits", type=count(0), default=0, help="also the memory over so many visits")
    start = parts.add_parser("start", help="from a cold process until it can be used", parents=[written])
    start.add_argument("--rounds", type=count(1), default=5, help="how often it is started (default: 5)")
    face = parts.add_parser("face", help="speed and accuracy of the face route", parents=[written])
    face.add_argument("--rounds", type=count(1), default=12, help="decisions of each kind (default: 12)")
    face.add_argument(
        "--visits", type=count(0), default=0, help="also the engine's memory over so many visits"
    )
    face.add_argument(
        "--pairs", type=Path, metavar="F", help="accuracy on a list: path1,path2,same and maybe set"
    )
    face.add_argument(
        "--conditions", action="store_true", help="with --pairs: also dim, backlight, blur and others"
    )
    face.add_argument("--frames", type=count(1), default=3, help="with --pairs: frames that a policy may use")
    face.add_argument(
        "--attacks", action="store_true", help="only what each check against pictures stops, and masks"
    )
    face.add_argument(
        "--gate", action="store_true", help="with --pairs: only frames that the quality gate lets pass"
    )
    face.add_argument(
        "--out", type=Path, metavar="DIR", help="with --pairs: JSON, DET curve, and what to resume from"
    )


def _bench(options: argparse.Namespace) -> int:
    from reception.testing import benchmarks

    return benchmarks.measure(options, partial(print, flush=True))


def _fuzz(options: argparse.Namespace) -> int:
    from reception.testing.fuzz import FuzzReport, card, receipt, server, settings

    targets: dict[str, Callable[[float, int], FuzzReport]]
    targets = {
        "card": card.fuzz_card,
        "receipt": receipt.fuzz_receipt,
        "server": server.fuzz_server,
        "settings": settings.fuzz_settings,
    }
    report = targets[options.target](options.seconds, options.seed)
    print(report)
    return 1 if report.failure else 0
