"""What holds for every test: no display is needed, and an unexpected warning in the log is a failure."""

import logging
import os
import re
from collections.abc import Iterator

import pytest

# Before anything imports Qt.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


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


@pytest.fixture
def expected_log(log_watch: LogWatch) -> LogWatch:
    """`expected_log.expect(regex)`: the same as the marker, for a pattern known only inside the test."""
    return log_watch
