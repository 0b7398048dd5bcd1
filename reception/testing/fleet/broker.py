"""A broker of one's own: certificates, mosquitto's settings, and the process, in one folder."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from config import Fleet
from consent.enrolment.network import write_certificates
from consent.enrolment.terminal_key import enrol_terminal
from reception.fleet.broker import write_broker_files

HOST = "127.0.0.1"
BOARD = "board-1"
READY_S = 10.0


class NoBroker(Exception):
    """There is no mosquitto, or it does not start; ``str()`` is the line for the operator."""


class Broker:
    """mosquitto on a free port of this machine; between ``with`` and its end. Raises NoBroker.

    ``one_key``: all terminals have the same, which spares minutes where there are thousands.
    """

    def __init__(
        self,
        folder: Path,
        terminals: Sequence[str],
        boards: Sequence[str] = (BOARD,),
        *,
        one_key: bool = False,
    ) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if program is None:
            raise NoBroker("mosquitto is missing: apt-get install mosquitto")
        self._program, self.folder = program, folder
        self.port = _free_port()
        if one_key:
            enrol_terminal(folder / "state", terminals[0])
            enrolled = folder / "state" / "terminals"
            for name in terminals[1:]:
                shutil.copy(enrolled / f"{terminals[0]}.pem", enrolled / f"{name}.pem")
        self._certificates(terminals, boards)
        data = folder / "data"
        data.mkdir(exist_ok=True)
        write_broker_files(folder, boards, port=self.port, host=HOST, data=data)
        configuration = folder / "mosquitto.conf"
        # As root it would become another user, who cannot read this folder.
        configuration.write_text(configuration.read_text(encoding="utf-8") + "user root\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def _certificates(self, terminals: Sequence[str], boards: Sequence[str]) -> None:
        now = datetime.now(UTC)
        write_certificates(
            self.folder / "state", self.folder, (), terminals, now, brokers=[HOST], boards=boards
        )

    def settings(self, kind: str, name: str) -> Fleet:
        """Return the settings of a machine: kind "terminal" or "board"."""
        stem = self.folder / f"{kind}-{name}"
        return Fleet(
            broker=HOST,
            port=self.port,
            ca=str(self.folder / "ca.pem"),
            cert=f"{stem}.pem",
            key=f"{stem}-key.pem",
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "mosquitto.log").open("ab")
        with closing(log):
            self._process = subprocess.Popen(
                [self._program, "-c", str(self.folder / "mosquitto.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + READY_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                socket.create_connection((HOST, self.port), 1.0).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        lines = (self.folder / "mosquitto.log").read_text(errors="replace").strip().splitlines()
        raise NoBroker(f"mosquitto does not start: {lines[-1] if lines else 'no reason given'}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it; SIGKILL as after a power failure."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    @property
    def process_id(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
