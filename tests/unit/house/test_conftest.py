"""The log watch must itself be able to fail."""

import logging

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
