"""A process of the server that dies under load: what was acknowledged stands, once, as it was sent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from config import Server, Site
from config.person import load_person
from consent.eligibility import EligibilityClient
from consent.server.certificates import Authority
from reception.testing.benchmarks.postgres import OwnPostgres
from tests.support.load import Load

TERMINALS = 4
KILLS = 3


@contextmanager
def served(state: Path, database: str) -> Iterator[tuple[str, int]]:
    """A server of two processes: its URL, and the process that watches them."""
    command = [sys.executable, "-m", "reception", "--state", str(state), "server", "--port", "0"]
    command += ["--workers", "2", "--database", database]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[2], process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def begun_after(url: str, moment: float) -> float:
    """Wait until a process answers that began after a moment of the system's clock of processes; return when."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        told = httpx.get(f"{url}/metrics", trust_env=False).text  # by whichever process takes the connection
        began = float(told.partition("\nprocess_start_time_seconds ")[2].split()[0])
        if began > moment:
            return began
        time.sleep(0.05)  # another process's state is looked at
    raise AssertionError("no new process serves")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_worker_that_is_killed_under_load_loses_and_doubles_nothing(
    request: pytest.FixtureRequest, made_state: Path, tmp_path: Path, kind: str
) -> None:
    database = f"sqlite:///{tmp_path / 'killed.db'}"
    if kind == "postgresql":
        postgres: OwnPostgres = request.getfixturevalue("postgres")
        database = postgres.create("killed")
    authority = Authority(made_state)
    certificate = authority.certificate_for(load_person("age45"))
    with ExitStack() as ends:
        url, supervisor = ends.enter_context(served(made_state, database))
        clients = [
            EligibilityClient(
                Server(url=url, budget_s=3.0), authority.enrol_terminal(f"terminal-{number}"), site=Site()
            )
            for number in range(TERMINALS)
        ]
        for client in clients:
            ends.callback(client.close)
        load = ends.enter_context(Load(clients, certificate))
        newest = begun_after(url, 0)
        for _ in range(KILLS):
            load.wait_for(5 * TERMINALS)
            os.kill(workers_of(supervisor)[0], signal.SIGKILL)
            # The first ones began at once; until another serves, there is no second one to be killed.
            newest = begun_after(url, newest + 1)
        load.wait_for(5 * TERMINALS)
    load.check(database)
