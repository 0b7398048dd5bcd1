"""The program of the counter's page: its terminals, its staff, and the address that browsers open."""

import logging
import os
import secrets
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

from config import Counter as Settings
from config.limits import load_limits
from consent.wire import japan_now
from reception.counter import metrics
from reception.counter.app import Counter, make_app
from reception.counter.changes import Changes
from reception.counter.hub import Hub, Link
from reception.counter.security import Guard
from reception.counter.sessions import Sessions, Throttle, role_of, roles_file
from reception.fleet.audit import Audit
from reception.terminal.staff import Staff, StaffAnswer, StaffError, Verdict, read_hashes, staff_file

_log = logging.getLogger("reception.counter")

LOOPBACK = ("127.0.0.1", "::1", "localhost")
STOP_S = 2
MOST_CONNECTIONS = 400


class CounterError(Exception):
    """The page cannot be served; ``str()`` is the line for the operator."""


@dataclass(frozen=True)
class Site:
    """What one counter program serves, and from where."""

    settings: Settings
    state: Path
    links: Sequence[Link]
    broker_silent: Callable[[], datetime | None] = lambda: None
    changes: Changes | None = None
    """The clinic's worklist of changed names and addresses; whoever made it closes it."""


class CounterProgram:
    """Serves the page; between ``with`` and its end, or until a signal. Raises CounterError.

    ``clock`` is the wall's, for ages and the day.
    """

    def __init__(self, site: Site, clock: Callable[[], datetime] = japan_now) -> None:
        settings, state = site.settings, site.state
        self._settings = settings
        tls = bool(settings.cert)
        if settings.host not in LOOPBACK and not tls:
            raise CounterError(
                f"--host {settings.host}: other machines would see names in clear; set [counter] cert and key"
            )
        self.hub = Hub(site.links, keep_s=settings.hide_after_s)
        self.sessions = Sessions(settings.logout_after_s, time.monotonic)
        self.audit = Audit(state / "counter-audit.sqlite", clock)
        passwords = staff_file(state)
        counter = Counter(
            self.hub,
            self.sessions,
            Throttle(state / "counter-misses.json", time.time),
            self.audit,
            verify=partial(_verify, passwords),
            staff_ids=Staff(partial(read_hashes, passwords), time.monotonic).ids,
            role=partial(role_of, roles_file(state)),
            limits=load_limits(),
            changes=site.changes,
            today=lambda: clock().date(),
            clock=clock,
            tls=tls,
            broker_silent=site.broker_silent,
            metrics_token=_token(state / "metrics-token"),
        )
        counter.metrics = partial(metrics.text, self.hub, self.sessions, counter.broker_silent)
        counter.offset_s = self._offset_s
        counter.is_stopping = lambda: self._server.should_exit
        hosts = {settings.host, *settings.names.split(), *LOOPBACK, socket.gethostname()}
        options: dict[str, object] = {}
        if tls:
            options = {"ssl_certfile": settings.cert, "ssl_keyfile": settings.key}
        self._socket = _listen(settings.host, settings.port)
        self.port = int(self._socket.getsockname()[1])
        shown = "127.0.0.1" if settings.host in LOOPBACK else settings.host
        self.url = f"{'https' if tls else 'http'}://{shown}:{self.port}/"
        try:
            self._server = uvicorn.Server(
                uvicorn.Config(
                    Guard(make_app(counter), hosts, tls=tls),
                    access_log=False,
                    server_header=False,
                    date_header=False,
                    log_config=None,
                    timeout_graceful_shutdown=STOP_S,
                    timeout_keep_alive=30,
                    limit_concurrency=MOST_CONNECTIONS,
                    **options,  # type: ignore[arg-type]
                )
            )
            self._server.config.load()
        except (OSError, ssl.SSLError) as error:
            raise CounterError(f"[counter] cert, key: {error}") from None
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._thread: threading.Thread | None = None

    def _offset_s(self, terminal: str) -> float:
        desk = self.hub.desk(terminal)
        return desk.link.clock_offset_s(terminal) if desk else 0.0

    def __enter__(self) -> "CounterProgram":
        self.hub.start()
        self._thread = threading.Thread(target=self._serve, name="counter-page")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        self._end()

    def _serve(self) -> None:
        self._server.run([self._socket])

    def serve_forever(self, ready: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._server.should_exit = True

        with self:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, stop)
            ready()
            assert self._thread is not None
            while self._thread.is_alive():
                self._thread.join(0.5)
            if not self._server.should_exit:
                raise CounterError("the page's server ended by itself")

    def _end(self) -> None:
        self.hub.close()
        self.audit.close()
        self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        # Now: who comes before the page is ready waits a moment instead of being refused.
        made.listen(128)
    except OSError as error:
        made.close()
        raise CounterError(f"{host}:{port}: {error.strerror or error}; choose another --port") from None
    return made


def _verify(passwords: Path, staff: str, password: bytearray) -> StaffAnswer:
    """Compare a password; how often is the page's own business (Throttle)."""
    try:
        known = read_hashes(passwords)
    except StaffError as error:
        _log.error("%s", error)
        known = {}
    # An id that nobody has costs the same time as one that somebody has.
    judge = Staff(lambda: {staff: known.get(staff, NOBODY)}, time.monotonic)
    answer = judge.verify(staff, password)
    return answer if staff in known else StaffAnswer(Verdict.WRONG)


NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$JOpw8xjpNMeM6lLcrBHTS3OcfvtvgF3yLUrJGHpMwKo"


def _token(path: Path) -> str:
    """Return the token for /metrics from another machine, made at first use; the file is for its owner only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        token = secrets.token_urlsafe(32)
        file.write(f"{token}\n")
    return token
