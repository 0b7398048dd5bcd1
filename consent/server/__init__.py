"""The mock eligibility-confirmation server: certificates, store, HTTP interface."""

import gc
import logging
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from config.person import Person
from consent.wire import japan_now

if TYPE_CHECKING:
    # FastAPI and SQLAlchemy cost a second; only a server that starts pays for them.
    from cryptography import x509

    from consent.server.faults import Asgi
    from consent.server.front import Front
    from consent.server.jlis.parties import Parties
    from consent.server.people import People
    from consent.server.rate_limits import Limits
    from consent.server.service import Authority
    from consent.server.store import Store

__all__ = ["DatabaseUnusable", "EligibilityServer", "FaultKind", "Faults", "PortInUse", "ServerError", "Tls"]

log = logging.getLogger("reception.server")

FaultKind = Literal[
    "500", "garbage", "delay", "drop", "drop_before", "wrong_type", "slow_body", "huge_body", "clock_skew"
]
"""``drop``: carried out, and the answer lost on the way; ``drop_before``: lost before anything was done; ``delay``
and ``slow_body`` last ``Faults.delay_s``; ``wrong_type``, ``slow_body`` and ``huge_body`` carry the request out and
spoil its answer; ``clock_skew``: carried out by a clock that is ``Faults.skew_s`` ahead."""

AUTHORITY_PATHS = ("/ocsp", "/crl", "/ca")
"""What the server, or anybody, asks of the certificate authority; disturbed only by faults for that very path."""
JLIS_PATH = "/jlis"
"""No path of the server: a fault for it keeps the platform operator from reaching the mock J-LIS."""
WATCH_PATHS = ("/health", "/ready")
"""What terminals ask all the time; a queued fault is for a visit, and waits for one of its requests."""


class ServerError(Exception):
    """The server cannot start; ``str()`` is the one line that is shown to a person."""


class PortInUse(ServerError):
    """Another program listens there, or the address is not this machine's."""


class DatabaseUnusable(ServerError):
    """The database cannot be opened."""


@dataclass(frozen=True)
class Tls:
    """Files (PEM) by which a server talks only to terminals with a certificate (mTLS); nginx stands in front then."""

    certificate: Path
    key: Path
    client_ca: Path
    """Who issues the terminals' certificates; a DNS name in one, or else the common name, is the terminal's id."""


class Faults:
    """Faults for requests, for benches and tests: for the next ones, one each and in order, or for all.

    ``path`` limits a fault to requests whose path begins so. A queued fault without one passes /health and /ready by.
    """

    delay_s: float = 30.0
    """How long ``delay`` holds a request back; stopping the server ends it."""
    skew_s: float = 3600.0
    """How far ``clock_skew`` puts the server's clock forward; negative: back."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[FaultKind, str]] = deque()
        self._always: tuple[FaultKind, str] | None = None

    def next(self, kind: FaultKind, path: str = "") -> None:
        """Queue a fault for one request; raises ValueError for an unknown kind."""
        self._waiting.append((_known(kind), path))

    def always(self, kind: FaultKind, path: str = "") -> None:
        """Disturb every request from now on, until clear(); raises ValueError for an unknown kind."""
        self._always = (_known(kind), path)

    def clear(self) -> None:
        self._waiting.clear()
        self._always = None

    def take(self, path: str) -> FaultKind | None:
        """Return the fault of the request that just came in."""
        if (
            self._waiting
            and _is_for(path, wanted := self._waiting[0][1])
            and (wanted or path not in WATCH_PATHS)
        ):
            # Another request may have taken it meanwhile.
            with suppress(IndexError):
                return self._waiting.popleft()[0]
        always = self._always
        return always[0] if always and _is_for(path, always[1]) else None


def _known(kind: FaultKind) -> FaultKind:
    if kind not in get_args(FaultKind):
        raise ValueError(f"no such fault: {kind}; known: {', '.join(get_args(FaultKind))}")
    return kind


def _is_for(path: str, wanted: str) -> bool:
    return path.startswith(wanted) and (bool(wanted) or not path.startswith(AUTHORITY_PATHS))


class EligibilityServer:
    """The server in a thread of this process; a context manager, and startable again after a stop.

    ``port`` 0 takes a free one at the first start, which later starts take again. The person files of ``people_folder``
    are read again whenever they change. ``behind``: the Unix socket to which a front of the site's own hands requests
    on. ``ocsp``: URL of another responder to ask; else the own one answers in process. start() raises ServerError.
    """

    def __init__(
        self,
        people: Sequence[Person],
        authority: "Authority",
        *,
        database: str = "sqlite://",
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], datetime] = japan_now,
        grace_months: int = 3,
        trust_cas: "Sequence[x509.Certificate]" = (),
        people_folder: Path | None = None,
        limits: "Limits | None" = None,
        tls: Tls | None = None,
        behind: Path | None = None,
        ocsp: str | None = None,
    ) -> None:
        self.faults = Faults()
        self._given = tuple(people)
        self._folder = people_folder
        self._authority = authority
        self._database = database
        self._host = host
        self._port = port
        self._clock = clock
        self._grace_months = grace_months
        self._trust_cas = tuple(trust_cas)
        self._limits = limits
        self._tls = tls
        self._socket = behind
        self._ocsp = ocsp
        self._shared: socket.socket | None = None
        self._shared_front: Front | None = None
        self._running: _Running | None = None
        self._people: People | None = None
        # An in-memory database lives as long as this object, so that a restarted server remembers.
        self._store: Store | None = None
        self._parties: Parties | None = None

    @property
    def url(self) -> str:
        """Where the server is, or will be again."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    @property
    def behind_front(self) -> bool:
        """Whether nginx hands the requests on, by a Unix socket."""
        return self._tls is not None or self._socket is not None

    @property
    def settings_of_uvicorn(self) -> dict[str, Any]:
        """How uvicorn serves the application."""
        # Who asks is who is connected, or whom the front says; a header of anybody else's is anybody's word.
        return {
            **_UVICORN,
            "proxy_headers": self.behind_front,
            "forwarded_allow_ips": "*" if self.behind_front else None,
        }

    def start(self) -> None:
        """Listen and return once requests are accepted; does nothing when running."""
        if self._running:
            return
        front = self._front_of()
        # Bound first: a port in use is told before anything is opened or imported.
        listening = self._bound(front)
        try:
            if listening.family != socket.AF_UNIX:
                self._port = listening.getsockname()[1]
            running = self._assembled()
            try:
                running.open(listening, self.settings_of_uvicorn, front)
            except BaseException:
                running.end()
                raise
            self._running = running
        except BaseException:
            listening.close()
            if front:
                front.end()
            raise
        log.info("listening on port %d", self._port)

    def _front_of(self) -> "Front | None":
        """Return the front of a server with TLS, checked and not started yet; raises ServerError."""
        if self._tls is None or self._socket is not None:
            return None
        from consent.server.front import Front
        from consent.server.rate_limits import Limits

        # Told now that another program listens there; nginx binds it itself.
        with closing(_bound(self._host, self._port)) as probe:
            self._port = probe.getsockname()[1]

        def failed(words: str) -> None:
            log.error("nginx died and is begun anew: %s", words)

        return Front(self._tls, self._host, self._port, self._limits or Limits(), failed)

    def _bound(self, front: "Front | None") -> socket.socket:
        path = front.socket if front else self._socket
        return _bound_to(path) if path else _bound(self._host, self._port)

    def application(self) -> "Asgi":
        """Return what a process of share() serves; it works until the process ends. Raises ServerError."""
        self._running = self._assembled()
        return self._running.app

    def _assembled(self) -> "_Running":
        from consent.server.app import make_app
        from consent.server.door import Door, with_known_hosts
        from consent.server.faults import in_process, skewed, with_faults
        from consent.server.jlis.app import add_parties
        from consent.server.people import People
        from consent.server.rate_limits import Buckets, Limits, Refusals, with_limits
        from consent.server.revocation import HttpResponder, Responder, StatusQuestion
        from consent.server.service import Service

        store = self._store = self._store or _opened(self._database)
        parties = self.parties
        people = self._people = self._people or People(
            self._given, self._authority, self._folder, parties.acts
        )
        clock = skewed(self._clock)
        responder = Responder(people, self._authority, self._clock)
        other = HttpResponder(self._ocsp) if self._ocsp else None
        asked = other.answer if other else in_process(responder.answer, self.faults)
        status = StatusQuestion(asked, clock)
        service = Service(people, self._authority, store, clock, self._grace_months, self._trust_cas, status)
        refusals = Refusals(service.note_refusal)
        limits = self._limits or (Limits() if self.behind_front else None)
        door = Door(service, refusals, limits, behind_front=self.behind_front)
        parties.registry.people = lambda: [parties.current(one) for one in self._given]
        calls = make_app(service, responder, door)
        add_parties(calls, door, parties.operator, parties.registry, people)
        app = with_faults(calls, self.faults)
        if limits:
            app = with_limits(app, limits, Buckets(limits.per_s, limits.burst), refusals)
        if not self.behind_front:  # there, the certificate's names are what the server is called
            app = with_known_hosts(app, [self._host])
        return _Running(app, people, self._authority.status_signer, other.close if other else None)

    @property
    def parties(self) -> "Parties":
        """The mock J-LIS and platform operator, which outlive a stop as the database does."""
        if self._parties is None:
            from consent.server.jlis.parties import Parties

            away = partial(self.faults.take, JLIS_PATH)
            try:
                self._parties = Parties(
                    self._database, self._authority, self._clock, lambda: away() is not None, lambda: self.url
                )
            except OSError as error:
                raise DatabaseUnusable(f"the database of the mock J-LIS cannot be opened: {error}") from None
        return self._parties

    def current(self, person: Person) -> Person:
        """Return a person with the newest certificate that was issued to them."""
        return self.parties.current(person)

    def add(self, person: Person) -> None:
        """Get to know one more person, in place of another with the same id; also while it runs."""
        self._given = (*(one for one in self._given if one.id != person.id), person)
        if self._people:
            self._people.add(person)

    def stop(self) -> None:
        """Stop listening and join the thread; a request that takes longer than 1 s is cut off. Idempotent."""
        running, self._running = self._running, None
        if running:
            running.end()

    def share(self) -> socket.socket:
        """Listen for processes that each serve application() for themselves; raises ServerError.

        What start() would find wrong is found here; no thread is started, and nothing stays open but the socket.
        """
        if self._database in ("sqlite://", "sqlite:///:memory:"):
            raise DatabaseUnusable("several processes need a database that is not in memory")
        front = self._shared_front = self._front_of()
        self._shared = self._bound(front)
        if self._shared.family != socket.AF_UNIX:
            self._port = self._shared.getsockname()[1]
        _opened(self._database).close()
        return self._shared

    def start_front(self) -> None:
        """Start what stands before the processes of share(), once they listen; raises ServerError."""
        if self._shared_front:
            self._shared_front.start()

    def serve_forever(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until Ctrl-C or SIGTERM; call it in the main thread. ``started`` is called once listening."""
        ended = threading.Event()

        def end(_signal: int, _frame: FrameType | None) -> None:
            ended.set()

        before = signal.signal(signal.SIGTERM, end)
        try:
            self.start()
            # A process of its own: what is loaded by now stays, and is not searched for garbage again and again.
            gc.freeze()
            started()
            # Short waits: on some systems a signal does not wake an endless one.
            while not ended.wait(0.5):
                pass
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)
            self.close()

    def close(self) -> None:
        """Stop and close the database."""
        self.stop()
        store, self._store = self._store, None
        parties, self._parties = self._parties, None
        for each in (store, parties):
            if each:
                each.close()
        if self._shared:
            self._shared.close()
        front, self._shared_front = self._shared_front, None
        if front:
            front.end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


_UVICORN = {
    "log_config": None,
    "log_level": "critical",
    "access_log": False,
    "lifespan": "off",
    "server_header": False,
    "timeout_graceful_shutdown": 1,
}


class _Uvicorn:
    """One run of uvicorn in a thread, on one socket, which it closes at its end."""

    def __init__(self, app: "Asgi", listening: socket.socket, settings: dict[str, Any]) -> None:
        import uvicorn

        started = threading.Event()

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                started.set()

        self._server: uvicorn.Server = Server(uvicorn.Config(app, **settings))

        def run() -> None:
            try:
                self._server.run(sockets=[listening])
            finally:
                listening.close()
                started.set()

        self._thread = threading.Thread(target=run, name="eligibility-server", daemon=True)
        self._thread.start()
        started.wait()
        if not self._server.started:
            self._thread.join()
            raise ServerError("the eligibility server could not start")

    def end(self) -> None:
        self._server.should_exit = True
        self._thread.join()


class _Running:
    """The application, what listens for it, and the thread that gets to know the people."""

    def __init__(
        self,
        app: "Asgi",
        people: "People",
        warm_up: Callable[[], object],
        ended: Callable[[], None] | None,
    ) -> None:
        self.app = app
        self._door: _Uvicorn | None = None
        self._front: Front | None = None
        self._at_end = ended
        self._ended = threading.Event()
        self._learner = threading.Thread(
            target=self._learn, args=(people, warm_up), name="eligibility-people", daemon=True
        )
        self._learner.start()

    def open(self, listening: socket.socket, settings: dict[str, Any], front: "Front | None") -> None:
        """Serve the application; raises ServerError."""
        self._door = _Uvicorn(self.app, listening, settings)
        if front:
            front.start()
            self._front = front

    def _learn(self, people: "People", warm_up: Callable[[], object]) -> None:
        """Take up the responder and the people in the background: their keys may have to be made first."""
        try:
            warm_up()
            while not self._ended.is_set() and people.add_next():
                pass
        except Exception as error:
            log.error("a person's certificate cannot be had: %s", type(error).__name__)

    def end(self) -> None:
        self._ended.set()
        if self._front:
            self._front.end()
        if self._door:
            self._door.end()
        self._learner.join()
        if self._at_end:
            self._at_end()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, since asyncio turns Nagle's algorithm off only then; it would cost every answer 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port of a server that just stopped can be taken again at once.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # Without this, two servers could both have bound the port.
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        words = getattr(error, "strerror", None) or str(error)
        raise PortInUse(f"the eligibility server cannot listen on {host}:{port}: {words}") from None
    return listening


def _bound_to(path: Path) -> socket.socket:
    """Return a Unix socket that only this user can reach, in place of one that an earlier run left."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listening.bind(str(path))
        listening.listen(512)
    except OSError as error:
        listening.close()
        words = error.strerror or str(error)
        raise PortInUse(f"the eligibility server cannot listen on {path}: {words}") from None
    finally:
        os.umask(before)
    return listening


def _opened(database: str) -> "Store":
    from consent.server.store import Store, StoreUnusable

    try:
        return Store(database)
    except StoreUnusable as error:
        raise DatabaseUnusable(f"the eligibility server's database cannot be opened: {error}") from None
