"""Many terminals in one process: one thread for all their network work, one for their patients."""

import heapq
import itertools
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client

import config
from reception.fleet.audit import Audit
from reception.fleet.port import About, Port
from reception.fleet.terminal_side import FleetPort
from reception.fleet.topics import BEAT_S, send_at_once
from reception.testing.fleet.actors import Actor, ActorOffice, Step, visit_of
from reception.testing.fleet.broker import Broker

MISC_S = 2.0
LOOK_S = 0.2
HANDSHAKES = 20
"""So many at a time: what has come for the others is read between."""


class Multiplexer:
    """Drives the network work of many clients in one thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._clients: list[Client] = []
        self._writers: set[Client] = set()
        self._due: dict[Client, float] = {}
        self._lock = threading.RLock()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="multiplexer", daemon=True)
        self._thread.start()

    def drive(self, client: Client) -> Callable[[], None]:
        """Take a client; what it returns lets it go."""
        client.on_socket_open, client.on_socket_close = self._opened, self._closed
        client.on_socket_register_write = self._wants_to_write
        with self._lock:
            self._clients.append(client)
            self._due[client] = 0.0
        self._nudge()

        def stop() -> None:
            with self._lock:
                self._clients.remove(client)
                self._due.pop(client, None)

        return stop

    def close(self) -> None:
        """End the thread."""
        self._stopping = True
        self._nudge()
        self._thread.join()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _nudge(self) -> None:
        with suppress(BlockingIOError):
            self._wake.send(b"x")

    def _wants_to_write(self, client: Client, user: object, connection: Any) -> None:
        with self._lock:
            self._writers.add(client)
        self._nudge()

    def _opened(self, client: Client, user: object, connection: Any) -> None:
        send_at_once(client, user, connection)
        with self._lock:
            self._selector.register(connection, selectors.EVENT_READ, client)

    def _closed(self, client: Client, user: object, connection: Any) -> None:
        with self._lock, suppress(KeyError, ValueError):
            self._selector.unregister(connection)

    def _work(self) -> None:
        looked = 0.0
        while not self._stopping:
            for key, events in self._selector.select(0.1):
                if key.data is None:
                    with suppress(BlockingIOError):
                        self._woken.recv(65_536)
                elif events & selectors.EVENT_READ:
                    key.data.loop_read()
            with self._lock:
                writers, self._writers = self._writers, set()
            for client in writers:
                while client.socket() is not None and client.want_write():
                    client.loop_write()
            if time.monotonic() - looked >= LOOK_S:
                looked = time.monotonic()
                self._look_after_all(looked)

    def _look_after_all(self, now: float) -> None:
        """Keep connections alive, and connect some of those that are not; a handshake takes a while."""
        with self._lock:
            clients = list(self._clients)
        connected = 0
        for client in clients:
            if client.socket() is not None:
                if now >= self._due.get(client, 0.0):
                    self._due[client] = now + MISC_S
                    client.loop_misc()
            elif now >= self._due.get(client, 0.0) and connected < HANDSHAKES:
                connected += 1
                self._due[client] = now + random.uniform(1.0, 4.0)  # noqa: S311 no secret
                with suppress(OSError, ValueError):
                    client.reconnect()


class Fleet:
    """Terminals over a broker; between ``with`` and its end.

    ``visits_per_s`` over all of them; ``pace_s`` between two steps of a visit; ``told`` hears what each actor was made
    to do, and when.
    """

    def __init__(
        self,
        broker: Broker,
        names: Sequence[str],
        *,
        visits_per_s: float,
        pace_s: float = 1.0,
        seed: int = 1,
        clocks: dict[str, Callable[[], datetime]] | None = None,
        told: Callable[[Actor, str], None] = lambda actor, state: None,
    ) -> None:
        self._broker, self._names, self._told = broker, list(names), told
        self._visits_per_s, self._pace_s = visits_per_s, pace_s
        self._chance = random.Random(seed)  # noqa: S311 no secret
        self._clocks = clocks or {}
        self.actors: dict[str, Actor] = {}
        self.ports: dict[str, FleetPort] = {}
        self.audits: dict[str, Audit] = {}
        self._ends = ExitStack()
        self._stopping = threading.Event()
        self.visits = 0

    def __enter__(self) -> Self:
        multiplexer = Multiplexer()
        self._ends.callback(multiplexer.close)
        settings = config.load()
        shared = ThreadPoolExecutor(1, "fleet-ports")
        self._ends.callback(shared.shutdown, cancel_futures=True)
        for name in self._names:
            clock = self._clocks.get(name, lambda: datetime.now(UTC).astimezone())
            actor = self.actors[name] = Actor(name, clock=clock, settings=settings)
            audit = self.audits[name] = Audit(None, clock)
            fleet = self._broker.settings("terminal", name)
            port = Port(
                actor,
                ActorOffice(actor),
                About(name, "demonstration"),
                audit,
                keep_s=1800,
                clock=clock,
                work=shared,
            )
            self._ends.callback(port.close)
            self.ports[name] = FleetPort(port, fleet, clock=clock, drive=multiplexer.drive)
            self._ends.enter_context(self.ports[name])
        for work in (self._play, self._beat):
            thread = threading.Thread(target=work, name=f"fleet-{work.__name__}", daemon=True)
            thread.start()
            self._ends.callback(thread.join)
        self._ends.callback(self._stopping.set)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def _beat(self) -> None:
        while not self._stopping.wait(BEAT_S):
            for port in self.ports.values():
                port.beat()

    def _play(self) -> None:
        """Let patients come to free terminals, and do each step when its time has come."""
        due: list[tuple[float, int, str, Step, Iterator[Step]]] = []
        number, free = itertools.count(), list(self._names)
        self._chance.shuffle(free)
        next_visit = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            while self._visits_per_s and next_visit <= now:
                next_visit += 1 / self._visits_per_s
                if free:
                    self.visits += 1
                    self._next(due, now, number, free.pop(0), visit_of(self._chance, self._pace_s), free)
            while due and due[0][0] <= now:
                _, _, name, step, steps = heapq.heappop(due)
                actor = self.actors[name]
                step.act(actor)
                self._told(actor, str(actor.state))
                self._next(due, now, number, name, steps, free)
            self._stopping.wait(0.01)

    @staticmethod
    def _next(
        due: list[tuple[float, int, str, Step, Iterator[Step]]],
        now: float,
        number: Iterator[int],
        name: str,
        steps: Iterator[Step],
        free: list[str],
    ) -> None:
        step = next(steps, None)
        if step is None:
            free.append(name)
        else:
            heapq.heappush(due, (now + step.after_s, next(number), name, step, steps))
