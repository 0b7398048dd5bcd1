"""The link between a terminal and a counter program of the same machine and user: a socket in the state folder."""

import logging
import math
import os
import queue
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reception.fleet.messages import (
    LARGEST,
    PERSONAL,
    Answer,
    Command,
    MessageError,
    News,
    Verb,
    Verdict,
    answer_bytes,
    command_bytes,
    news_bytes,
    read_answer,
    read_command,
    read_news,
)
from reception.fleet.port import Port, Watch
from reception.terminal.supervisor import Pulse, Supervisor

_log = logging.getLogger("reception.fleet")

MOST_WAITING = 1_000
"""News that a program has not read yet; one that is slower than this is let go, and comes again."""
MOST_PROGRAMS = 8
RETRY_S = 0.5


class LocalError(Exception):
    """The socket cannot be used; ``str()`` is the line for the operator."""


def socket_file(state: Path, terminal: str) -> Path:
    """Return where the socket of a terminal is."""
    return state / f"counter-{terminal}.socket"


class LocalPort:
    """Serves one terminal's port to programs of the same user; between ``with`` and its end. Raises LocalError."""

    def __init__(self, port: Port, path: Path) -> None:
        self._port, self._path = port, path
        self._programs: list[_Program] = []
        self._lock = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._supervisor = Supervisor()
        self._supervisor.loop("local-port", self._accept, silent_after_s=math.inf)

    def __enter__(self) -> "LocalPort":
        """Listen; a socket that an earlier run left behind is replaced, one that is answered is not."""
        try:
            if self._path.is_socket() and not _is_answered(self._path):
                self._path.unlink()
            before = os.umask(0o177)
            try:
                self._server.bind(str(self._path))
            finally:
                os.umask(before)
            self._server.listen(MOST_PROGRAMS)
        except OSError as error:
            self._server.close()
            raise LocalError(f"{self._path}: {error.strerror or error}") from None
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.end()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._supervisor.stop()
        self._server.close()
        with self._lock:
            programs, self._programs = self._programs, []
        for program in programs:
            program.close()
        self._path.unlink(missing_ok=True)

    def _accept(self, pulse: Pulse) -> None:
        while not pulse.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                if pulse.is_set():
                    return
                raise  # too many files, say: listened again in a moment
            with self._lock:
                self._programs = [each for each in self._programs if each.is_open]
                if len(self._programs) >= MOST_PROGRAMS or not _is_of_this_user(connection):
                    connection.close()
                    continue
                self._programs.append(_Program(self._port, connection))


class _Program:
    """One counter program that is connected."""

    def __init__(self, port: Port, connection: socket.socket) -> None:
        self._port, self._connection = port, connection
        self._watch = Watch(time.monotonic)
        self._out: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self.is_open = True
        self._ending = threading.Lock()
        self._stop = port.listen(self._hear)
        self._threads = [
            threading.Thread(target=work, name="local-program", daemon=True)
            for work in (self._write, self._read)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._end()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _end(self) -> None:
        """Once: the program may leave while the terminal ends."""
        with self._ending:
            was_open, self.is_open = self.is_open, False
        if was_open:
            self._stop()
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            with suppress(queue.Full):
                self._out.put_nowait(None)

    def _hear(self, news: News) -> None:
        if self._watch.lets(news.kind):
            self._send(b"n" + news_bytes(news))

    def _send(self, line: bytes) -> None:
        try:
            self._out.put_nowait(line)
        except queue.Full:
            _log.info("a counter program reads too slowly and is let go")
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _write(self) -> None:
        while self.is_open and (line := self._out.get()) is not None:
            try:
                self._connection.sendall(line + b"\n")
            except OSError:
                break
        self._connection.close()

    def _read(self) -> None:
        with suppress(OSError), self._connection.makefile("rb") as lines:
            while line := lines.readline(LARGEST):
                try:
                    self._take(read_command(line))
                except MessageError as error:
                    self._port.refused("-", Verdict.UNKNOWN)
                    _log.info("a counter program: %s", error)
                    break
        self._end()

    def _take(self, command: Command) -> None:
        def told(answer: Answer) -> None:
            self._send(b"a" + answer_bytes(answer))
            if command.verb == Verb.WATCH and answer.verdict is Verdict.DONE:
                began = not self._watch.is_on
                self._watch.ask(command.arguments["seconds"])
                if began and self._watch.is_on:
                    for kind in PERSONAL:
                        self._hear(self._port.present(kind))

        self._port.act(command, told)


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _is_of_this_user(connection: socket.socket) -> bool:
    """The socket's mode says so already; this holds in a folder that somebody else may write, too."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return bool(user in (os.getuid(), 0))


class LocalLink:
    """The counter program's end: comes back by itself whenever the terminal does."""

    def __init__(self, terminal: str, path: Path) -> None:
        self.terminal, self._path = terminal, path
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self._heard: Callable[[str, News | Answer | None], None] = lambda *_: None
        self._supervisor = Supervisor()
        self._supervisor.loop("local-link", self._work, silent_after_s=math.inf)

    def start(self, heard: Callable[[str, News | Answer | None], None]) -> None:
        """Call back with what the terminal says; None: it cannot be heard any more."""
        self._heard = heard
        self._supervisor.start()

    def send(self, terminal: str, command: Command) -> bool:
        """Hand a command on; False: the terminal cannot be reached now."""
        with self._lock:
            if self._connection is None:
                return False
            try:
                self._connection.sendall(command_bytes(command) + b"\n")
            except OSError:
                return False
        return True

    def clock_offset_s(self, terminal: str) -> float:
        """One machine has one clock."""
        return 0.0

    def close(self) -> None:
        """End; may be called twice."""
        self._supervisor.end()
        with self._lock:
            if self._connection is not None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
        self._supervisor.stop()

    def _work(self, pulse: Pulse) -> None:
        while not pulse.is_set():
            self._listen(pulse)
            self._heard(self.terminal, None)
            pulse.wait(RETRY_S)

    def _listen(self, pulse: Pulse) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if not stat.S_ISSOCK(self._path.stat().st_mode):
                return
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            return
        with self._lock:
            self._connection = connection
        try:
            # A message is a line; a longer one than LARGEST is none of the terminal's.
            with suppress(OSError, MessageError), connection.makefile("rb") as lines:
                while not pulse.is_set() and (line := lines.readline(LARGEST + 2)):
                    self._hear(line)
        finally:
            with self._lock:
                self._connection = None
            connection.close()

    def _hear(self, line: bytes) -> None:
        body = line[1:]
        self._heard(self.terminal, read_news(body) if line[:1] == b"n" else read_answer(body))
