"""The command line: ``./run COMMAND``."""

import logging
import sys
from collections.abc import Sequence

from reception.commands import Command, parser, refuse
from reception.commands.upkeep import doctor
from reception.memory import bound_arenas


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    bound_arenas()
    options = parser().parse_args(arguments)
    level = logging.INFO if options.verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(message)s")
    command: Command = options.command
    try:
        if command is not doctor:
            # There a folder that cannot be made is one of the findings.
            options.state.mkdir(parents=True, exist_ok=True)
        return command(options)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return refuse(str(error))
    except _config_error() as error:
        return refuse(str(error))
    except _known_errors() as error:
        return refuse(str(error))


def _config_error() -> type[Exception]:
    """Return ConfigError. Nothing is imported up there: the first picture waits for it."""
    from config import ConfigError

    return ConfigError


def _known_errors() -> tuple[type[Exception], ...]:
    """Return the errors whose text is meant for the operator; imported only when something went wrong."""
    from consent.server import ServerError
    from consent.server.state_files import StateError
    from hardware.camera import CameraError
    from hardware.card import ReaderError
    from reception.bench import BenchTrouble
    from reception.journal import JournalError
    from reception.staff import StaffError

    known = ServerError, StateError, CameraError, ReaderError, BenchTrouble, JournalError, StaffError
    if "reception.screens.kiosk" not in sys.modules:
        return known
    from reception.screens.kiosk import NoSuchDisplay

    return *known, NoSuchDisplay


if __name__ == "__main__":
    sys.exit(main())
