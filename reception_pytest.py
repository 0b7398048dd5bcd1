"""pytest plugin: test your own software against a reception terminal, which runs in a process of its own.

Nothing of the product is imported here, so a project's own ``config`` or ``tests`` are never in its way.
"""

import glob
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

_HOME = Path(__file__).resolve().parent
"""Where the product's packages are, beside this module."""
_ANSWER_S = 60.0
"""Longest time for one answer, beyond what the question itself waits."""
_END_S = 10.0


class BenchError(Exception):
    """The bench refused, died, or did not answer in time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --reception-bench."""
    group = parser.getgroup("reception")
    group.addoption(
        "--reception-bench",
        default="simulated",
        metavar="simulated|pcsc|FILE",
        help="the devices of the reception terminal, or a bench file (default: simulated)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers, and refuse a bench that is not there."""
    config.addinivalue_line("markers", "reception(person, today): who comes to this test's bench, and when")
    config.addinivalue_line(
        "markers", "reception_scenarios(pattern): run this test once for each scenario file, as `scenario`"
    )
    kind = config.getoption("--reception-bench")
    if kind not in ("simulated", "pcsc") and not Path(kind).is_file():
        raise pytest.UsageError(f"--reception-bench {kind}: should be simulated, pcsc or a bench file")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise `scenario` with the files that the marker names, relative to the test's file."""
    mark = metafunc.definition.get_closest_marker("reception_scenarios")
    if mark is None:
        return
    beside = metafunc.definition.path.parent
    files = sorted(path for pattern in mark.args for path in glob.glob(str(beside / pattern)))
    if not files:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: no file matches {', '.join(mark.args)}")
    metafunc.parametrize("scenario", files, indirect=True, ids=[Path(path).stem for path in files])


class Process:
    """The product's process, and the questions to it."""

    def __init__(self, kind: str, state: Path) -> None:
        ours, theirs = socket.socketpair()
        paths = [str(_HOME), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._child = subprocess.Popen(
            # -P: the folder that the tests run in is not the product's.
            [sys.executable, "-P", "-m", "reception.testing.remote", str(theirs.fileno()), kind, str(state)],
            pass_fds=(theirs.fileno(),),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        theirs.close()
        self._socket, self._rest = ours, b""
        try:
            self._hear(_ANSWER_S)
        except BenchError:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._child.pid

    def ask(self, verb: str, within_s: float = 0.0, **given: Any) -> Any:
        """Ask and return the answer; raises BenchError. ``within_s``: what the question itself may wait."""
        try:
            self._socket.sendall(json.dumps({"do": verb, **given}).encode() + b"\n")
        except OSError:
            raise BenchError("the reception terminal's process is gone") from None
        return self._hear(_ANSWER_S + within_s)

    def end(self) -> None:
        """End the process: it leaves by itself when the socket closes, and is killed when it does not."""
        self._socket.close()
        try:
            self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _hear(self, within_s: float) -> Any:
        self._socket.settimeout(within_s)
        try:
            while b"\n" not in self._rest:
                part = self._socket.recv(65536)
                if not part:
                    raise BenchError("the reception terminal's process ended; its last words are on stderr")
                self._rest += part
        except TimeoutError:
            self._child.kill()
            raise BenchError(f"no answer within {within_s:g} s; the process was killed") from None
        except OSError:
            raise BenchError("the reception terminal's process is gone") from None
        line, _, self._rest = self._rest.partition(b"\n")
        told = json.loads(line)
        if "error" in told:
            raise BenchError(told["error"])
        return told["ok"]


class Terminal:
    """The patient's side of the terminal."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def wait(self, state: str, seconds: float = 20.0) -> dict[str, Any]:
        """Return the snapshot in which a state was entered (or asked anew) since the last wait."""
        return cast("dict[str, Any]", self._process.ask("wait", seconds, state=state, seconds=seconds))

    def snapshot(self) -> dict[str, Any]:
        """Return what is shown now."""
        return cast("dict[str, Any]", self._process.ask("snapshot"))

    def choose(self, method: str) -> None:
        """Choose "face" or "pin"."""
        self._process.ask("choose", method=method)

    def type_pin(self, value: str = "card") -> None:
        """Type four digits and confirm; "card": the right ones."""
        self._process.ask("type_pin", value=value)

    def answer(self, value: str) -> None:
        """Answer the question that is shown with "given" or "declined"."""
        self._process.ask("answer", value=value)

    def press(self, button: str) -> None:
        """Press a button, as "cancel" or "call_staff"."""
        self._process.ask("press", button=button)


class Card:
    """The card reader and the card."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def insert(self, person: str | None = None) -> None:
        """Put a person's card in; without a name, of the person of this test."""
        self._process.ask("insert", person=person)

    def remove(self) -> None:
        """Pull the card."""
        self._process.ask("hand", hand="remove_card")

    def stall(self, seconds: float) -> None:
        """Let the card's next answer take so long."""
        self._process.ask("hand", seconds, hand="stall_card", seconds=seconds)

    def unplug_reader(self) -> None:
        """Unplug the reader."""
        self._process.ask("hand", hand="unplug_reader")

    def plug_reader(self) -> None:
        """Plug the reader in again."""
        self._process.ask("hand", hand="plug_reader")

    def pin_tries_left(self) -> int | None:
        """Return the PIN tries left."""
        return cast("int | None", self._process.ask("tries"))


class Camera:
    """The camera and who stands before it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def show(self, person: str) -> None:
        """Let another shipped person stand before the camera."""
        self._process.ask("show", person=person)

    def do(self, what: str) -> None:
        """Do "unplug", "plug", "black" or "freeze"."""
        self._process.ask("hand", hand=f"{what}_camera")


class Server:
    """The mock eligibility-confirmation server."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def record(self, visit: str = "") -> dict[str, str] | None:
        """Return the answers recorded for a visit (default: the current one); None when nothing was recorded."""
        return cast("dict[str, str] | None", self._process.ask("record", visit=visit))

    def stop(self) -> None:
        """Stop it."""
        self._process.ask("server", switch="stop")

    def start(self) -> None:
        """Start it again."""
        self._process.ask("server", switch="start")

    def fault(self, kind: str, *, always: bool = False) -> None:
        """Disturb the next request, or all: "delay", "500", "drop", "garbage"; "none" ends it."""
        self._process.ask("fault", kind=kind, always=always)


class Scenario:
    """A scenario file."""

    def __init__(self, process: Process, path: Path) -> None:
        self._process, self.path = process, path

    def play(self, seconds: float = 300.0) -> dict[str, Any]:
        """Play it and return its result, as in the JSON of `reception hil`; fails the test when it did not pass."""
        result = cast("dict[str, Any]", self._process.ask("play", seconds, path=str(self.path)))
        if not result["passed"]:
            pytest.fail(f"{self.path.name}: {result['why']}", pytrace=False)
        return result


@pytest.fixture(scope="session")
def reception_process(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """The product's process, for the whole run."""
    process = Process(request.config.getoption("--reception-bench"), tmp_path_factory.mktemp("reception"))
    yield process
    process.end()


@pytest.fixture
def reception_bench(request: pytest.FixtureRequest, reception_process: Process) -> Iterator[Process]:
    """A fresh bench for one test; the marker ``reception`` says who comes and on which day."""
    mark = request.node.get_closest_marker("reception")
    said = {"person": "age45", "today": "", **(mark.kwargs if mark else {})}
    reception_process.ask("start", **said, beside=str(request.path.parent))
    yield reception_process
    reception_process.ask("stop")


@pytest.fixture
def terminal(reception_bench: Process) -> Terminal:
    """The terminal, waiting for a patient."""
    patient = Terminal(reception_bench)
    patient.wait("WAITING")
    return patient


@pytest.fixture
def card(reception_bench: Process) -> Card:
    """The card."""
    return Card(reception_bench)


@pytest.fixture
def camera(reception_bench: Process) -> Camera:
    """The camera."""
    return Camera(reception_bench)


@pytest.fixture
def server(reception_bench: Process) -> Server:
    """The server."""
    return Server(reception_bench)


@pytest.fixture
def scenario(request: pytest.FixtureRequest, reception_process: Process) -> Scenario:
    """One of the files that the marker ``reception_scenarios`` names."""
    return Scenario(reception_process, Path(request.param))
