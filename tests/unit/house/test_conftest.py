"""What watches over every test must itself be able to fail."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LogWatch

log = logging.getLogger("reader")


def test_an_unexpected_warning_is_a_complaint_until_it_is_expected(expected_log: LogWatch) -> None:
    log.warning("reader %s went away", "A")
    assert expected_log.complaints() == ["unexpected WARNING of reader: reader A went away"]
    expected_log.expect(r"reader \w went away")
    assert expected_log.complaints() == []


def test_an_expected_warning_that_stays_out_is_a_complaint() -> None:
    watch = LogWatch()
    watch.expect("never logged")
    assert watch.complaints() == ["expected a log record matching 'never logged', there was none"]


@pytest.mark.expected_log("cannot be reached")
def test_the_marker_expects_a_record() -> None:
    log.error("the server cannot be reached")


def test_information_is_free() -> None:
    log.info("reader found")


HANGS = """
import signal, time

def test_hangs():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    time.sleep(50)
"""


def test_a_test_that_hears_no_timeout_ends_its_process_and_tells_where_it_stood(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(HANGS)
    # A second in all: the watch allows a minute beyond the timeout.
    plugins = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "tests.conftest")
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            *plugins,
            "-o",
            "timeout=-59",
            f"--rootdir={tmp_path}",
            tmp_path,
        ],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "line 6 in test_hangs" in ended.stderr
