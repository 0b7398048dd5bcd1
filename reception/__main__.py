"""The command line: ``./run COMMAND``."""

import logging
import os
import sys
from collections.abc import Sequence

from reception.commands import Command, parser, refuse
from reception.commands.upkeep import doctor
from reception.terminal.memory import bound_arenas
from reception.testing import commands as workshop


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    bound_arenas()
    # No plugin of pydantic's is to see what is read; looking for some takes 10 % of what the settings' import takes.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Nothing here is large enough for numpy to share it among threads, and their begin takes 30 ms of its import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    options = parser(workshop).parse_args(arguments)
    level = logging.INFO if options.verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(message)s")
    command: Command = options.command
    try:
        if command is not doctor:
            # There a folder that cannot be made is one of the findings.
            # What is made here is for its owner only; the mode of a folder that was there is the owner's affair.
            options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return command(options)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return refuse(str(error))
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return refuse(f"{error.name} is missing: install the extra, as in reception-terminal[{extra}]")
    except _config_error() as error:
        return refuse(str(error))
    except _known_errors() as error:
        return refuse(str(error))


_EXTRA_OF = {
    **dict.fromkeys(("PySide6",), "ui"),
    **dict.fromkeys(("cv2", "dlib", "face_recognition_models", "numpy"), "face"),
    **dict.fromkeys(("alembic", "fastapi", "psycopg", "sqlalchemy", "starlette", "uvicorn"), "server"),
    **dict.fromkeys(("jinja2", "markupsafe", "paho", "prometheus_client"), "counter"),
    **dict.fromkeys(("PIL", "pytest"), "testing"),
}
"""Which extra of the wheel brings a module that may be missing (pyproject.toml)."""


def _config_error() -> type[Exception]:
    """Return ConfigError. Nothing is imported up there: the first picture waits for it."""
    from config import ConfigError

    return ConfigError


_IF_LOADED = (
    ("consent.server", "ServerError"),
    ("reception.testing.testbench.trouble", "BenchTrouble"),
    ("reception.patient.kiosk", "NoSuchDisplay"),
    ("reception.counter.program", "CounterError"),
    ("reception.fleet.local", "LocalError"),
    ("reception.fleet.trust", "FleetError"),
)
"""Errors of parts that a command may not have loaded; then they cannot be what went wrong."""


def _known_errors() -> tuple[type[Exception], ...]:
    """Return the errors whose text is meant for the operator; imported only when something went wrong."""
    from consent.enrolment.state_files import StateError
    from hardware.camera import CameraError
    from hardware.card import ReaderError
    from reception.terminal.journal import JournalError
    from reception.terminal.staff import StaffError

    loaded = [getattr(sys.modules[module], name) for module, name in _IF_LOADED if module in sys.modules]
    return StateError, CameraError, ReaderError, JournalError, StaffError, *loaded


if __name__ == "__main__":
    sys.exit(main())
