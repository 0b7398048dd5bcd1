"""What holds for every test: no display is needed, and an unexpected warning in the log is a failure."""

import faulthandler
import logging
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from consent.server.certificates import Authority
    from hardware.face.engine import FaceEngine

# Before anything imports Qt.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


bench_file: Path | None = None
"""--bench: the file of a real bench, whose reader the contract tests of every reader then include."""
allow_pin_miss = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bench", type=Path, metavar="FILE", help="bench file of a real reader with a real card"
    )
    parser.addoption("--long", action="store_true", help="run the tests that take minutes, too")
    parser.addoption("--allow-pin-miss", action="store_true", help="let tests miss the real card's PIN")


DEAR = (
    "quality",  # mypy: a minute
    *("scenarios_simulated", "desktop_visits", "scenarios_pcsc", "face_engine", "disturbances", "kills"),
    *("nothing_kept", "screens", "pcsc", "bench_file", "server_doors", "look", "server", "eligibility"),
    *(
        "spoken_keys",
        "counter_page",
        "fleet",
        "server_fuzz",
        "parallel",
        "soak",
        "desktop",
        "plugin",
        "bench_face",
        "receipt_folder",
    ),
)
"""The files that take longest, by seconds: begun first, none is left for one process alone at the end of a run."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        turn = {f"test_{name}": number for number, name in enumerate(DEAR)}
        items.sort(key=lambda item: turn.get(item.path.stem, len(turn)))
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; run with --long"))


stderr = 2
"""Where the process tells why it ends itself, whatever pytest captures."""


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End a process in which a test outlives its timeout, and say where each thread stood; xdist begins another.

    The timeout itself is a signal, which comes once: it is not heard in a call that does not return, and what is put
    away after it may hang. A run was seen to stand still for 90 minutes.
    """
    mark = item.get_closest_marker("timeout")
    limit = float(mark.args[0] if mark else item.config.getini("timeout"))
    if not item.config.getoption("usepdb"):
        faulthandler.dump_traceback_later(limit + 60, exit=True, file=stderr)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pytest_configure(config: pytest.Config) -> None:
    global bench_file, allow_pin_miss, stderr
    stderr = os.dup(2)  # nothing is captured while plugins are configured
    # How long an example takes is the machine's matter, which others may use, too.
    hypothesis.settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("untimed")
    bench_file, allow_pin_miss = config.getoption("--bench"), config.getoption("--allow-pin-miss")
    if bench_file is None:
        return
    from config import ConfigError
    from reception.testing.testbench.file import load_bench

    try:
        if not load_bench(bench_file).real:
            raise pytest.UsageError(
                f"{bench_file}: operator.kind: the tests bring their simulated readers along"
            )
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None


class LogWatch(logging.Handler):
    """Collects records of WARNING and above, and the messages that the test says it will cause."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        self.expected: list[re.Pattern[str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def expect(self, pattern: str) -> None:
        """Allow, and require, a record whose message matches the pattern anywhere."""
        self.expected.append(re.compile(pattern))

    def complaints(self) -> list[str]:
        """What was logged unexpectedly, and what was expected but never logged."""
        messages = [record.getMessage() for record in self.records]
        unexpected = [
            f"unexpected {record.levelname} of {record.name}: {message}"
            for record, message in zip(self.records, messages, strict=True)
            if not any(pattern.search(message) for pattern in self.expected)
        ]
        absent = [
            f"expected a log record matching {pattern.pattern!r}, there was none"
            for pattern in self.expected
            if not any(pattern.search(message) for message in messages)
        ]
        return unexpected + absent


@pytest.fixture(autouse=True)
def log_watch(request: pytest.FixtureRequest) -> Iterator[LogWatch]:
    """Fail a test that logs a warning nobody expected; `@pytest.mark.expected_log(regex)` expects one."""
    watch = LogWatch()
    for mark in request.node.iter_markers("expected_log"):
        watch.expect(*mark.args)
    root = logging.getLogger()
    root.addHandler(watch)
    yield watch
    root.removeHandler(watch)
    complaints = watch.complaints()
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


@pytest.fixture(scope="session")
def made_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of every bench of this run, in whichever process: keys and clips are made once.

    What is in it does not change, so that no test can tell which others came before. Not for tests of these files.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-state"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def authority(made_state: Path) -> "Authority":
    """The test authority of that folder."""
    from consent.server.certificates import Authority

    return Authority(made_state)


@pytest.fixture(scope="module")
def engine() -> "Iterator[FaceEngine]":
    """A face engine that runs; its models are loaded meanwhile."""
    from hardware.face.engine import FaceEngine

    with FaceEngine() as engine:
        yield engine


def begun_state(folder: Path, made_state: Path) -> Path:
    """Give a program's own state folder, which has a journal of its own, the keys and clips of this run."""
    for name in ("pki", "clips"):
        (made_state / name).mkdir(mode=0o700, exist_ok=True)
        (folder / name).symlink_to(made_state / name)
    return folder


@pytest.fixture
def expected_log(log_watch: LogWatch) -> LogWatch:
    """`expected_log.expect(regex)`: the same as the marker, for a pattern known only inside the test."""
    return log_watch
