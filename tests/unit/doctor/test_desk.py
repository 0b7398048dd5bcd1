"""The doctor's looks at the counter's page and at the broker, each failure provoked on the real thing."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import config
from config import Config, Fleet
from consent.enrolment.network import write_certificates
from reception import doctor
from reception.doctor import Finding, Grade
from reception.terminal.staff import set_password, staff_file
from reception.testing.fleet.broker import Broker
from tests.support.counter import Terminal, page_of, settings

needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None, reason="needs mosquitto"
)


def look(part: str, given: Config, state: Path) -> Finding:
    (finding,) = doctor.run([check for check in doctor.checks(given, state) if check.part == part])
    return finding


def test_a_page_that_nobody_can_log_in_to_is_told(tmp_path: Path) -> None:
    finding = look("counter page", config.load(), tmp_path)
    assert finding.grade is Grade.WARNING
    assert "no staff password" in finding.what


def test_a_page_that_does_not_run_and_one_that_does(tmp_path: Path) -> None:
    set_password(staff_file(tmp_path), "desk-1", "a good password")
    away = replace(config.load(), counter=replace(settings(), port=1))
    assert "nothing answers" in look("counter page", away, tmp_path).what
    with page_of([Terminal()], tmp_path) as program:
        runs = replace(config.load(), counter=replace(settings(), port=program.port))
        finding = look("counter page", runs, tmp_path)
    assert finding.grade is Grade.OK, finding


def test_no_broker_is_no_trouble(tmp_path: Path) -> None:
    assert look("broker", config.load(), tmp_path).grade is Grade.OK


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), ["terminal-1"]) as made:
        yield made


def with_fleet(fleet: Fleet) -> Config:
    return replace(config.load(), fleet=fleet)


@needs_mosquitto
def test_a_broker_that_answers_is_told_with_the_days_of_the_certificate(
    broker: Broker, tmp_path: Path
) -> None:
    finding = look("broker", with_fleet(broker.settings("terminal", "terminal-1")), tmp_path)
    assert finding.grade is Grade.OK, finding
    assert "364 days more" in finding.what


@needs_mosquitto
def test_a_broker_that_is_away_or_of_another_network_is_told(broker: Broker, tmp_path: Path) -> None:
    good = broker.settings("terminal", "terminal-1")
    assert "refused" in look("broker", with_fleet(replace(good, port=1)), tmp_path).what
    write_certificates(tmp_path, tmp_path, (), ["terminal-1"], datetime.now(UTC))
    finding = look("broker", with_fleet(replace(good, ca=str(tmp_path / "ca.pem"))), tmp_path)
    assert finding.grade is Grade.PROBLEM
    assert "certificate" in finding.remedy
    finding = look("broker", with_fleet(replace(good, key=str(tmp_path / "ca.pem"))), tmp_path)
    assert finding.grade is Grade.PROBLEM


@pytest.mark.parametrize(
    ("days", "grade", "told"),
    [(10, Grade.WARNING, "ends in"), (-3, Grade.PROBLEM, "ended"), (400, Grade.PROBLEM, "not valid before")],
)
def test_a_certificate_that_ends_or_has_not_begun_is_told(
    tmp_path: Path, days: int, grade: Grade, told: str
) -> None:
    life = timedelta(days=10)
    begun = datetime.now(UTC) if days == 10 else datetime.now(UTC) + timedelta(days=days if days > 0 else -13)
    write_certificates(tmp_path, tmp_path, (), ["terminal-1"], begun, life)
    stem = tmp_path / "terminal-terminal-1"
    fleet = Fleet("127.0.0.1", 1, str(tmp_path / "ca.pem"), f"{stem}.pem", f"{stem}-key.pem")
    finding = look("broker", with_fleet(fleet), tmp_path)
    assert (finding.grade, told in finding.what) == (grade, True), finding
