"""How many terminals one server bears: whole visits, from challenge to acknowledged consents, with real signatures.

The terminals are processes of their own, so that they and the server do not wait for one another inside one Python.
They share the machine's cores with the server all the same, and the figures say how much of them the terminals took.
Each has a network address of its own on the loopback network (127.1.0.N), by which the server tells them apart.
"""

import http.client
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from config.person import load_person
from consent import wire
from consent.enrolment.network import write_certificates
from consent.server.certificates import Authority
from consent.signatures import Identity, sign
from hardware.simulation.pcscd import BenchError
from reception.testing.benchmarks.postgres import OwnPostgres, programs

Say = Callable[[str], None]
PERSON = "age45"
REQUESTS_A_VISIT = 3
START_S = 60.0
READ_S = 20.0
WITHIN_LIMITS_S = 0.033
"""A terminal that begins a visit so often stays below its 100 requests a second."""
NOISY = "bench-noisy"
ROUNDS = 3
"""Visits and empty requests take turns, so that both meet the same of what else the machine does."""
NOTHING: dict[str, Any] = {
    "ms": [], "asked_ms": [], "errors": 0, "cpu_s": 0.0, "server_cpu_s": 0.0, "noise": 0, "s": 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class _Way:
    """How the server is reached: at a port; behind nginx, with the certificates of a folder."""

    port: int
    certificates: Path | None

    def connection(self, terminal: str, address: tuple[str, int]) -> http.client.HTTPConnection:
        """Return a connection of a terminal, not opened yet; ``address`` is where it comes from."""
        context = self._context(terminal)
        if context is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, READ_S, source_address=address)
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=READ_S, source_address=address, context=context
        )

    def line(self, terminal: str, address: tuple[str, int]) -> socket.socket:
        """Return an open connection for bytes of any kind; raises OSError."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=2, source_address=address)
        context = self._context(terminal)
        return line if context is None else context.wrap_socket(line, server_hostname="127.0.0.1")

    def _context(self, terminal: str) -> ssl.SSLContext | None:
        if self.certificates is None:
            return None
        context = ssl.create_default_context(cafile=self.certificates / "ca.pem")
        own = self.certificates / f"terminal-{terminal}.pem"
        context.load_cert_chain(own, own.with_stem(f"{own.stem}-key"))
        return context


def load(
    state: Path,
    terminals: int,
    seconds: float,
    database: str | None,
    say: Say,
    workers: int = 1,
    *,
    tls: bool = False,
) -> list[dict[str, Any]]:
    """Measure with each database (or the one given), quiet and beside a noisy terminal; return and say the figures.

    ``tls``: behind nginx, as over a network. There the rate limit goes by certificate, so no empty handler is timed.
    """
    say(
        f"{terminals} terminals, {seconds:g} s each; {os.cpu_count()} cores for terminals, server and database"
    )
    figures = []
    with _databases(state, database) as databases:
        for name, url in databases.items():
            figures.append(_measured(state, terminals, seconds, name, url, workers, tls))
            say(_line(figures[-1]))
    return figures


@contextmanager
def _databases(state: Path, given: str | None) -> Iterator[dict[str, str]]:
    if given:
        yield {given.partition(":")[0]: given}
        return
    sqlite = state / f"bench-{os.getpid()}.sqlite"
    state.mkdir(parents=True, exist_ok=True)
    found = {"sqlite": f"sqlite:///{sqlite}"}
    try:
        if programs() is None:
            yield found
        else:
            with OwnPostgres() as postgres:
                yield found | {"postgresql": postgres.url()}
    finally:
        for path in state.glob(f"{sqlite.name}*"):
            path.unlink()


def _measured(
    state: Path, terminals: int, seconds: float, name: str, database: str, workers: int, tls: bool
) -> dict[str, Any]:
    authority = Authority(state)
    names = [f"bench-{number}" for number in range(terminals)]
    for each in names:
        authority.enrol_terminal(each)
    authority.issue(load_person(PERSON))
    certificates = state / f"bench-{os.getpid()}-certificates" if tls else None
    if certificates:
        write_certificates(state, certificates, ["127.0.0.1"], [*names, NOISY], datetime.now(UTC))
    with _server(state, database, workers, certificates) as (way, process):
        runs = itertools.count(time.time_ns())

        def played(seconds: float, what: str, **more: Any) -> dict[str, Any]:
            before = _cpu_s(process)
            found = _played(state, way, terminals, seconds, next(runs), what, **more)
            return found | {"server_cpu_s": _cpu_s(process) - before}

        quiet, hollow, empty = (NOTHING | {"s": 0.0} for _ in range(3))
        short = max(1.0, seconds / 4) / ROUNDS
        for _ in range(ROUNDS):
            quiet = _sum(quiet, played(seconds / ROUNDS, "visit"))
            hollow = _sum(hollow, NOTHING if tls else played(short, "hollow"))
            empty = _sum(empty, NOTHING if tls else played(short, "empty"))
        noisy = _played(state, way, terminals - 1, seconds, next(runs), "visit", noisy=True)
        rate = len(quiet["ms"]) / quiet["s"]
        pace = 2 * terminals / rate if rate else 0.0
        half = played(seconds / 2, "visit", pace=pace)
        half_empty = NOTHING if tls else played(seconds / 2, "empty", pace=pace / REQUESTS_A_VISIT)
    if certificates:
        shutil.rmtree(certificates)
    times = sorted(quiet["ms"])
    empty_rate = len(empty["ms"]) / empty["s"]
    hollow_rate = len(hollow["ms"]) / hollow["s"]
    cost, empty_cost = _each_ms(quiet), _each_ms(empty)
    return {
        "database": name,
        "workers": workers,
        "tls": tls,
        "terminals": terminals,
        "visits": len(times),
        "errors": quiet["errors"] + noisy["errors"] + half["errors"],
        "visits_per_s": round(rate, 1),
        "p50_ms": percentile(times, 50),
        "p99_ms": percentile(times, 99),
        "requests_per_s": round(rate * REQUESTS_A_VISIT, 1),
        "empty_requests_per_s": round(empty_rate, 1),
        "empty_errors": empty["errors"] + hollow["errors"] + half_empty["errors"],
        "ratio_to_empty": _ratio(rate * REQUESTS_A_VISIT, empty_rate),
        "hollow_visits_per_s": round(hollow_rate, 1),
        "ratio_to_hollow": _ratio(rate, hollow_rate),
        "p99_beside_noise_ms": percentile(sorted(noisy["ms"]), 99),
        "noise_requests": noisy["noise"],
        "half_load_p99_ms": percentile(sorted(half["asked_ms"]), 99),
        "half_load_empty_p99_ms": percentile(sorted(half_empty["asked_ms"]), 99),
        "terminals_cpu": round(quiet["cpu_s"] / quiet["s"], 2),
        "server_cpu": round(quiet["server_cpu_s"] / quiet["s"], 2),
        "server_ms_a_visit": cost,
        "server_ms_a_hollow_visit": _each_ms(hollow),
        "server_ms_an_empty_request": empty_cost,
        "ratio_by_server_cpu": _ratio((empty_cost or 0.0) * REQUESTS_A_VISIT, cost or 0.0)
        if empty_cost
        else None,
    }


def _line(figure: dict[str, Any]) -> str:
    factor = figure["p99_beside_noise_ms"] / figure["p99_ms"] if figure["p99_ms"] else 0.0
    compared = (
        f"= {figure['ratio_to_empty']} of the {figure['empty_requests_per_s']} to an empty handler, "
        f"{figure['ratio_to_hollow']} of what the same terminals send it with visits of which nothing is done"
        if figure["empty_requests_per_s"]
        else "by nginx"
    )
    half = f"p99 of a request at half that load {figure['half_load_p99_ms']} ms"
    if figure["half_load_empty_p99_ms"]:
        half += f", of an empty one {figure['half_load_empty_p99_ms']} ms"
    return (
        f"{figure['database']}: {figure['visits_per_s']} visits/s, "
        f"p50 {figure['p50_ms']} ms, p99 {figure['p99_ms']} ms, "
        f"errors {figure['errors']}; {figure['requests_per_s']} requests/s {compared}; "
        f"beside a noisy terminal ({figure['noise_requests']} sent) "
        f"p99 {figure['p99_beside_noise_ms']} ms = {factor:.2f} times; {half}; cores busy: terminals "
        f"{figure['terminals_cpu']}, server {figure['server_cpu']} (without the database's own): "
        f"{figure['server_ms_a_visit']} ms a visit, {figure['server_ms_a_hollow_visit']} ms one of which nothing "
        f"is done, {figure['server_ms_an_empty_request']} ms an empty request"
        f" = {figure['ratio_by_server_cpu']}"
    )


def _each_ms(played: dict[str, Any]) -> float | None:
    """Return the server's processor time (ms) of each: beside a busy machine's other work, steadier than a rate."""
    return round(1000 * played["server_cpu_s"] / len(played["ms"]), 2) if played["ms"] else None


def _ratio(one: float, other: float) -> float | None:
    return round(one / other, 3) if other else None


def _sum(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {key: value + other[key] for key, value in one.items()}


def percentile(times: list[float], which: int) -> float:
    """Return a percentile of sorted times."""
    found = quantiles(times, n=100)[which - 1] if len(times) > 1 else sum(times)
    return round(found, 1)


@contextmanager
def playing_server(
    state: Path, database: str, workers: int
) -> Iterator[Callable[[int, float], dict[str, Any]]]:
    """Run a server on a database; what is yielded lets so many terminals work for so many seconds.

    They are enrolled as bench-N, and none is fast enough to meet the limit for one terminal. It returns the ms of each
    visit, errors, and the server's processor time a visit.
    """
    with _server(state, database, workers, None) as (way, process):

        def play(terminals: int, seconds: float) -> dict[str, Any]:
            before = _cpu_s(process)
            played = _played(state, way, terminals, seconds, time.time_ns(), "visit", pace=WITHIN_LIMITS_S)
            played |= {"server_cpu_s": _cpu_s(process) - before}
            return played | {"server_ms_a_visit": _each_ms(played)}

        yield play


# --- The server, a process of its own -----------------------------------------------------------------------------


@contextmanager
def _server(
    state: Path, database: str, workers: int, certificates: Path | None
) -> Iterator[tuple[_Way, int]]:
    command = [sys.executable, "-m", "reception", "--state", str(state), "server", "--port", "0"]
    if certificates:
        for option, file in (("tls-cert", "server"), ("tls-key", "server-key"), ("client-ca", "ca")):
            command += [f"--{option}", str(certificates / f"{file}.pem")]
    process = subprocess.Popen(
        [*command, "--database", database, "--workers", str(workers)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().split()
        if len(said) < 3:
            raise BenchError("the server did not start; it says why above")
        yield _Way(int(said[2].rpartition(":")[2]), certificates), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=START_S)


def _cpu_s(process: int) -> float:
    """Return the CPU seconds of a process and its children (Linux)."""
    found = [process]
    with suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
        found += map(int, children.split())
    spent = 0.0
    for each in found:
        with suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            spent += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


# --- The terminals ------------------------------------------------------------------------------------------------


def _played(
    state: Path,
    way: _Way,
    terminals: int,
    seconds: float,
    run: int,
    what: str,
    *,
    noisy: bool = False,
    pace: float = 0.0,
) -> dict[str, Any]:
    """Let terminals work for some seconds; return the ms of each visit (or empty request), errors and CPU.

    ``what``: visits; hollow ones, whose requests are made and signed as those are, but go to the empty handler; or
    nothing but empty requests. ``pace``: seconds from one start to a terminal's next; 0: at once. ``asked_ms``: of each
    request.
    """
    # Forked from a process that has loaded everything once: neither it nor they share a thread with this one.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    results: Any = context.Queue()
    begin = context.Event()
    # A process plays several terminals in threads: a Python each would cost more memory than it is worth.
    groups = [list(range(terminals))[start :: min(4, terminals)] for start in range(min(4, terminals))]
    players = [
        context.Process(target=_group, args=(state, way, group, seconds, run, what, pace, begin, results))
        for group in groups
    ]
    if noisy:
        players.append(context.Process(target=_noise, args=(way, seconds, begin, results)))
    for player in players:
        player.start()
    try:
        for _ in players:
            results.get(timeout=START_S)
        begin.set()
        told = [results.get(timeout=seconds + START_S) for _ in players]
    finally:
        for player in players:
            player.join(5)
            if player.is_alive():
                player.terminate()
    return {
        "ms": [each for one in told for each in one["ms"]],
        "asked_ms": [each for one in told for each in one["asked_ms"]],
        "errors": sum(one["errors"] for one in told),
        "cpu_s": sum(one["cpu_s"] for one in told),
        "noise": sum(one["noise"] for one in told),
        "s": seconds,
    }


def _group(
    state: Path,
    way: _Way,
    numbers: list[int],
    seconds: float,
    run: int,
    what: str,
    pace: float,
    begin: Any,
    results: Any,
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    issued = Authority(state).issue(load_person(PERSON))
    key = serialization.load_pem_private_key(issued.private_key_pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    certificate = wire.to_base64(issued.certificate)
    results.put("ready")
    begin.wait()
    cpu, end = time.process_time(), time.monotonic() + seconds

    authority = Authority(state)
    identities = {number: authority.enrol_terminal(f"bench-{number}") for number in numbers}

    def play(number: int) -> _Terminal:
        terminal = _Terminal(way, number, key, certificate, identities[number])
        # At a pace, they begin one after the other.
        terminal.play(what, run, end, pace, pace * (number % 20) / 20)
        return terminal

    with ThreadPoolExecutor(len(numbers)) as threads:
        played = list(threads.map(play, numbers))
    results.put(
        {
            "ms": [each for one in played for each in one.times],
            "asked_ms": [each for one in played for each in one.asked],
            "errors": sum(one.errors for one in played),
            "cpu_s": time.process_time() - cpu,
            "noise": 0,
        }
    )


@dataclass
class _Asked:
    """A request, to be signed."""

    method: str
    url: str
    headers: dict[str, str]


class _Terminal:
    """One terminal: as little as can be around the messages, so that the server has most of the machine."""

    def __init__(
        self, way: _Way, number: int, key: rsa.RSAPrivateKey, certificate: str, identity: Identity
    ) -> None:
        address = (f"127.1.{number // 250}.{number % 250 + 1}", 0)
        self._connection = way.connection(f"bench-{number}", address)
        self._number, self._key, self._certificate = number, key, certificate
        self._identity = identity
        self._headers = {"Content-Type": "application/json"}

        self.times: list[float] = []
        self.asked: list[float] = []
        self.errors = 0

    def play(self, what: str, run: int, end: float, pace: float, wait: float) -> None:
        """Play the visits of a run, or ask for nothing; keep the ms of each in ``times``."""
        due, number = time.monotonic() + wait, 0
        while (began := time.monotonic()) < end:
            if pace and began < due:
                time.sleep(min(due, end) - began)
                continue
            due, number = due + pace, number + 1
            try:
                if what != "visit":
                    self._move(run, number)
                if what == "empty":
                    self._ask("GET", "/health", None)
                else:
                    self._visit(f"b{run}-{self._number}-{number}", hollow=what == "hollow")
            except (OSError, http.client.HTTPException, ValueError):
                self.errors += 1
                self._connection.close()
                continue
            self.times.append((time.monotonic() - began) * 1000)
        self._connection.close()

    def _move(self, run: int, number: int) -> None:
        """Ask from ever new addresses: the rate limit for what is not signed is not what is measured here."""
        if number % 60 == 1:
            self._connection.close()
            place = (run * 1000 + number // 60) % 60_000
            address = (f"127.{3 + self._number % 250}.{place // 250}.{place % 250 + 1}", 0)
            self._connection.source_address = address  # type: ignore[attr-defined]

    def _visit(self, visit: str, *, hollow: bool) -> None:
        challenge = self._ask("POST", "/v1/challenges", None, hollow=hollow)
        if hollow:
            challenge = {"id": visit, "nonce": wire.to_base64(visit.encode())}
        nonce = wire.from_base64(challenge["nonce"])
        identification = {
            "visit_id": visit,
            "challenge_id": challenge["id"],
            "method": "pin",
            "certificate": self._certificate,
            "signature": wire.to_base64(self._key.sign(nonce, padding.PKCS1v15(), hashes.SHA256())),
            "profile": "current",
            "facility": {},
        }
        self._ask("POST", "/v1/identifications", identification, hollow=hollow)
        answer = "given" if visit[-1] in "02468" else "declined"
        answers = {"answers": {"MEDICATION": answer, "HEALTH_CHECKUP": answer}}
        once = {wire.IDEMPOTENCY_HEADER: visit}
        self._ask("PUT", f"/v1/visits/{visit}/consents", answers, once, hollow=hollow)

    def _ask(
        self,
        method: str,
        path: str,
        body: object,
        more: dict[str, str] | None = None,
        *,
        hollow: bool = False,
    ) -> Any:
        content = json.dumps(body) if body is not None else ""
        asked = _Asked(method, f"http://127.0.0.1{path}", self._headers | (more or {}))
        if path.startswith("/v1/"):
            sign(asked, content.encode(), self._identity)
        if hollow:
            method, path = "GET", "/health"
        began = time.monotonic()
        self._connection.request(method, path, content, asked.headers)
        answer = self._connection.getresponse()
        told = json.loads(answer.read())
        self.asked.append((time.monotonic() - began) * 1000)
        if answer.status != 200:
            raise ValueError(f"{path}: {told.get('code')}")
        return told


def _noise(way: _Way, seconds: float, begin: Any, results: Any) -> None:
    """Send what is no message, over eight connections, as fast as the server lets us."""
    from concurrent.futures import ThreadPoolExecutor

    results.put("ready")
    begin.wait()
    end = time.monotonic() + seconds
    garbage = (
        b"\x00\xff garbage\r\n\r\n",
        b"POST /v1/insured HTTP/1.1\r\nHost: localhost\r\nX-Terminal-Id: bench-0\r\nContent-Length: 5\r\n\r\n{{{{{",
        b"GET /v1/visits/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )

    def send(number: int) -> int:
        sent = 0
        while time.monotonic() < end:
            with suppress(OSError):
                place = ("127.2.0.1", 0)
                with way.line(NOISY, place) as line:
                    for _ in range(20):
                        line.sendall(garbage[(sent + number) % len(garbage)])
                        sent += 1
                        if not line.recv(4096) or time.monotonic() > end:
                            break
        return sent

    with ThreadPoolExecutor(8) as threads:
        sent = sum(threads.map(send, range(8)))
    results.put({"ms": [], "asked_ms": [], "errors": 0, "cpu_s": 0.0, "noise": sent})
