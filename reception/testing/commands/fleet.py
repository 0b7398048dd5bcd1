"""The command that shows a fleet: broker, terminals with patients coming and going, the board."""

import argparse
import signal
import threading
from pathlib import Path

from reception.commands.arguments import AddCommand, count, refuse
from reception.commands.counter import page_beside


def add(command: AddCommand) -> None:
    """Add the demonstration."""
    fleet = command("fleet", _fleet, "a broker, terminals with patients coming and going, and their board")
    fleet.add_argument("--terminals", type=count(1), default=8, metavar="N", help="default: 8")
    fleet.add_argument("--visits-per-minute", type=count(0), default=30, metavar="N", help="default: 30")
    fleet.add_argument("--port", type=int, default=0, help="of the board's page (default: any free one)")
    fleet.add_argument(
        "--measure",
        type=count(1),
        metavar="S",
        help="measure for S seconds how soon the board shows a change",
    )
    fleet.add_argument("--seconds", type=count(1), help="end by itself (default: Ctrl-C ends it)")


def _measure(options: argparse.Namespace) -> int:
    from reception.testing.fleet.broker import NoBroker
    from reception.testing.fleet.measure import measure

    try:
        rate = options.visits_per_minute / 60
        measure(options.terminals, rate, options.measure, lambda line: print(line, flush=True))
    except NoBroker as error:
        return refuse(f"fleet: {error}")
    return 0


def _fleet(options: argparse.Namespace) -> int:
    import tempfile

    from reception.testing.fleet.broker import BOARD, Broker, NoBroker
    from reception.testing.fleet.running import Fleet
    from reception.testing.testbench import STAFF, STAFF_PASSWORD, write_staff_file

    if options.measure:
        return _measure(options)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    names = [f"terminal-{number:03}" for number in range(1, options.terminals + 1)]
    with tempfile.TemporaryDirectory(prefix="reception-fleet-") as made:
        folder = Path(made)
        try:
            broker = Broker(folder, names)
            broker.start()
        except NoBroker as error:
            return refuse(f"fleet: {error}")
        write_staff_file(folder)
        settings = folder / "board.toml"
        settings.write_text(
            f'[fleet]\nbroker = "127.0.0.1"\nport = {broker.port}\nca = "ca.pem"\n'
            f'cert = "board-{BOARD}.pem"\nkey = "board-{BOARD}-key.pem"\n',
            encoding="utf-8",
        )
        print(f"{len(names)} terminals; broker on 127.0.0.1:{broker.port} (Ctrl-C ends all)", flush=True)
        print(f"log in at the board as {STAFF} with the password {STAFF_PASSWORD}", flush=True)
        try:
            page = page_beside(folder, "--config", str(settings), "--port", str(options.port))
            with Fleet(broker, names, visits_per_s=options.visits_per_minute / 60) as fleet, page:
                stop.wait(options.seconds)
                print(f"{fleet.visits} visits were begun")
        finally:
            broker.stop()
    return 0
