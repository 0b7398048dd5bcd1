"""Measures a fleet: how soon the board shows a change, and what board and broker cost."""

import http.client
import json
import math
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from reception.counter import wording
from reception.testing.fleet.actors import Actor
from reception.testing.fleet.broker import BOARD, Broker
from reception.testing.fleet.running import Fleet

STAFF, PASSWORD = "bench-staff", "bench-password"
LONGEST_START_S = 400.0


class Browser:
    """As much of a browser as it takes to log in and listen."""

    def __init__(self, port: int) -> None:
        self._port, self._cookies = port, dict[str, str]()

    def ask(self, method: str, path: str, **form: str) -> tuple[int, str]:
        """Return status and body."""
        response = self._send(method, path, urlencode(form) if form else None)
        return response.status, response.read().decode()

    def _send(self, method: str, path: str, body: str | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        headers["Accept"] = "text/html"
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self._cookies[cookie] = content
        return response

    def log_in(self) -> None:
        """Log in; fails when that does not succeed."""
        _, page = self.ask("GET", "/login")
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found
        status, _ = self.ask("POST", "/login", csrf=found[1], staff=STAFF, password=PASSWORD)
        assert status == 303, status

    def listen(self, path: str) -> http.client.HTTPResponse:
        """Return a stream of news."""
        return self._send("GET", path)


@dataclass
class Seen:
    """What the board showed of each terminal, and when: seconds of one clock, and the words."""

    rows: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, stream: http.client.HTTPResponse) -> None:
        """Read the stream until it ends."""
        try:
            for line in stream:
                if line.startswith(b"data: {"):
                    self._keep(time.monotonic(), json.loads(line[6:]))
        except (OSError, ValueError, AttributeError):
            return

    def _keep(self, now: float, news: dict[str, dict[str, str]]) -> None:
        with self.lock:
            for name, html in news["regions"].items():
                if name.startswith("row-"):
                    self.rows.setdefault(name[4:], []).append((now, html))


def memory_mb(process: int) -> float:
    """Return the resident memory of a process in MB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(process: int) -> float:
    """Return the CPU seconds of a process."""
    parts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / 100


def board_beside(folder: Path, broker: Broker) -> tuple[subprocess.Popen[str], int]:
    """Start the board's page as a program of its own; return it and its port."""
    settings = folder / "board.toml"
    settings.write_text(
        f'[fleet]\nbroker = "127.0.0.1"\nport = {broker.port}\nca = "ca.pem"\n'
        f'cert = "board-{BOARD}.pem"\nkey = "board-{BOARD}-key.pem"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-P", "-m", "reception", "counter", "--state", str(folder), "--port", "0"]
    board = subprocess.Popen(
        [*command, "--config", str(settings)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    assert board.stdout is not None
    found = re.search(r":(\d+)/", board.stdout.readline())
    assert found, "the board does not start"
    return board, int(found[1])


def delays_s(changes: list[tuple[str, str, float]], seen: Seen) -> tuple[list[float], int]:
    """Return how long each change took to be shown, and how many never were.

    A change that the next one overtook before the board told it counts as shown with that one.
    """
    delays, lost = [], 0
    for name, state, at in changes:
        words = wording.STATES.get(state, state)
        later = [(when, html) for when, html in seen.rows.get(name, []) if when >= at]
        exact = next((when for when, html in later if words in html), None)
        shown = min(filter(None, (exact, later[0][0] if later else None)), default=None)
        if shown is None:
            lost += 1
        else:
            delays.append(shown - at)
    return delays, lost


Say = Callable[[str], None]


def measure(terminals: int, visits_per_s: float, seconds: float, say: Say) -> None:
    """Run a fleet for so long and say the figures; raises NoBroker."""
    from reception.testing.testbench import write_staff_file

    names = [f"terminal-{number:04}" for number in range(1, terminals + 1)]
    changes: list[tuple[str, str, float]] = []
    last: dict[str, str] = {}

    def told(actor: Actor, state: str) -> None:
        screen = str(actor.snapshot.screen)
        if last.get(actor.name) != screen:
            last[actor.name] = screen
            changes.append((actor.name, screen, time.monotonic()))

    with tempfile.TemporaryDirectory(prefix="reception-fleet-") as made:
        folder = Path(made)
        with Broker(folder, names, one_key=True) as broker:
            write_staff_file(folder)
            board, port = board_beside(folder, broker)
            try:
                began = time.monotonic()
                with Fleet(broker, names, visits_per_s=visits_per_s, told=told) as fleet:
                    seen = _shown_all(port, names)
                    say(f"{len(seen.rows)} terminals on the board after {time.monotonic() - began:.1f} s")
                    _measure(
                        fleet, changes, seen, seconds, {"board": board.pid, "broker": broker.process_id}, say
                    )
            finally:
                board.terminate()
                board.wait()


def _shown_all(port: int, names: list[str]) -> Seen:
    """Log in, and wait until the board shows every terminal."""
    browser, seen = Browser(port), Seen()
    browser.log_in()
    threading.Thread(target=seen.follow, args=(browser.listen("/live"),), daemon=True).start()
    until = time.monotonic() + LONGEST_START_S
    while len(seen.rows) < len(names) and time.monotonic() < until:
        time.sleep(0.1)
    return seen


def _measure(
    fleet: Fleet,
    changes: list[tuple[str, str, float]],
    seen: Seen,
    seconds: float,
    processes: dict[str, int],
    say: Say,
) -> None:
    before = {name: cpu_s(process) for name, process in processes.items()}
    first, start = len(changes), time.monotonic()
    time.sleep(seconds)
    spent, counted = time.monotonic() - start, changes[first:]
    used = {name: cpu_s(process) - before[name] for name, process in processes.items()}
    time.sleep(2)
    delays, lost = delays_s(counted, seen)
    delays.sort()
    say(f"{fleet.visits} visits, {len(counted)} changes in {spent:.0f} s, {lost} of them never shown")
    if delays:
        p50, p99, longest = (delays[math.ceil(share * len(delays)) - 1] * 1000 for share in (0.5, 0.99, 1.0))
        say(f"shown after p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {longest:.0f} ms")
    for name, process in processes.items():
        say(f"{name}: {memory_mb(process):.0f} MB, {100 * used[name] / spent:.0f} % of a core")
