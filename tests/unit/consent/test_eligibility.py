"""The terminal's end of the eligibility confirmation, over real HTTP."""

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

import config
from config import ConfigError, Server
from consent.choices import ConsentAnswer, Item, Standing
from consent.eligibility import (
    BadAnswer,
    EligibilityClient,
    EligibilityStatus,
    Refused,
    TimedOut,
    Unreachable,
)
from consent.server import FaultKind
from consent.server.certificates import Authority
from tests.support.servers import HANAKO, NOON, TERMINAL, Bench, bench

ANSWERS = {
    Item.MEDICATION: ConsentAnswer.GIVEN,
    Item.HEALTH_CHECKUP: ConsentAnswer.DECLINED,
    Item.LIMIT_AMOUNT: ConsentAnswer.GIVEN,
}


@pytest.fixture
def running(authority: Authority) -> Iterator[Bench]:
    with bench(authority) as made:
        yield made


def identify(made: Bench, client: EligibilityClient, visit_id: str = "visit-1") -> None:
    challenge = client.challenge()
    client.identify_by_pin(visit_id, challenge, made.certificate(), made.sign(challenge))


@contextmanager
def saying(answer: bytes, drip: bytes = b"") -> Iterator[str]:
    """A server that gives every connection the same bytes, and then a few more every now and then."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        connection.recv(65_536)
                        connection.sendall(answer)
                        while drip:
                            connection.sendall(drip)
                            time.sleep(0.05)
                    except OSError:
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def client_of(url: str, authority: Authority, **settings: Any) -> EligibilityClient:
    return EligibilityClient(Server(url=url, **settings), authority.enrol_terminal(TERMINAL))


def test_a_visit_by_pin_is_identified_consented_and_found_again(running: Bench) -> None:
    client = running.client()
    challenge = client.challenge()
    assert challenge.expires_at == NOON + timedelta(seconds=120)
    found = client.identify_by_pin("visit-1", challenge, running.certificate(), running.sign(challenge))
    assert found.status is EligibilityStatus.VALID
    assert found.standing is Standing.VALID
    assert found.questions == (Item.MEDICATION, Item.HEALTH_CHECKUP, Item.LIMIT_AMOUNT)
    assert (found.counter.name, found.counter.number, found.counter.share) == (HANAKO.name, "345678", 30)
    receipt = client.send_consents("visit-1", ANSWERS)
    assert (receipt.recorded_at, receipt.available_until) == (NOON, NOON + timedelta(hours=24))
    record = client.visit("visit-1")
    assert record is not None
    assert (record.method, record.terminal_id, record.recorded_at) == ("pin", TERMINAL, NOON)
    assert record.answers == {**ANSWERS, Item.DIAGNOSIS: ConsentAnswer.GIVEN}


def test_a_matched_face_identifies_by_the_terminals_word(running: Bench) -> None:
    client = running.client()
    found = client.identify_by_face("visit-1", client.challenge(), running.certificate(), 0.31)
    assert found.status is EligibilityStatus.VALID
    record = client.visit("visit-1")
    assert record is not None and record.method == "face"
    assert record.answers == {} and record.recorded_at is None


def test_no_personal_content_shows_in_the_repr_or_the_log(
    running: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = running.client()
    found = client.identify_by_face("visit-1", client.challenge(), running.certificate(), 0.31)
    shown = repr(found) + repr(found.counter) + caplog.text
    for secret in (HANAKO.name, HANAKO.name_kana, "345678", "1980", "A03"):
        assert secret not in shown


def test_an_unknown_visit_is_none(running: Bench) -> None:
    assert running.client().visit("never-seen") is None


def test_a_refusal_carries_its_code(running: Bench) -> None:
    client = running.client()
    with pytest.raises(Refused) as refusal:
        client.send_consents("never-seen", ANSWERS)
    assert refusal.value.code == "VISIT_UNKNOWN"


@pytest.mark.parametrize("fault", get_args(FaultKind))
def test_consents_survive_any_fault_and_are_recorded_once(running: Bench, fault: FaultKind) -> None:
    identify(running, running.client())
    client = running.client(connect_timeout_s=0.2, read_timeout_s=0.3)
    running.server.faults.next(fault)
    client.send_consents("visit-1", ANSWERS)
    running.clock.forward(60)
    first = NOON + timedelta(hours=1) if fault == "clock_skew" else NOON
    assert client.send_consents("visit-1", ANSWERS).recorded_at == first
    record = client.visit("visit-1")
    assert record is not None and record.recorded_at == first


def test_consents_wait_for_a_server_that_comes_back(running: Bench) -> None:
    client = running.client()
    identify(running, client)
    running.server.stop()
    back = threading.Timer(0.5, running.server.start)
    back.start()
    client.send_consents("visit-1", ANSWERS)
    back.join()
    record = client.visit("visit-1")
    assert record is not None and record.recorded_at is not None


def test_a_server_that_has_too_much_to_do_is_asked_again_like_one_in_trouble(authority: Authority) -> None:
    with saying(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as url:
        client = client_of(url, authority)
        with pytest.raises(Unreachable, match="429"):
            client.challenge()
        client.close()


def test_an_identification_is_not_tried_twice(running: Bench) -> None:
    client = running.client()
    challenge = client.challenge()
    running.server.faults.next("500")
    with pytest.raises(Unreachable):
        client.identify_by_face("visit-1", challenge, running.certificate(), 0.3)


def test_a_server_that_is_down_is_unreachable_within_the_budget(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    client = client_of(url, authority, budget_s=1.0)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        client.send_consents("visit-1", ANSWERS)
    assert time.monotonic() - began < 2
    with pytest.raises(Unreachable):
        client.challenge()
    assert client.health() is False
    client.close()


def test_closing_ends_the_wait_for_the_next_try(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    client = client_of(url, authority, budget_s=60.0)
    closing = threading.Timer(0.3, client.close)
    closing.start()
    began = time.monotonic()
    with pytest.raises(Unreachable):
        client.send_consents("visit-1", ANSWERS)
    assert time.monotonic() - began < 5
    closing.join()


def test_a_server_that_does_not_answer_times_out(running: Bench) -> None:
    client = running.client(read_timeout_s=0.3)
    running.server.faults.next("delay")
    with pytest.raises(TimedOut):
        client.challenge()


@pytest.mark.parametrize("fault", ["garbage", "wrong_type", "huge_body"])
def test_what_is_no_answer_is_a_bad_one(running: Bench, fault: FaultKind) -> None:
    client = running.client()
    running.server.faults.next(fault)
    with pytest.raises(BadAnswer):
        client.challenge()


def test_an_answer_that_drips_times_out_although_bytes_keep_coming(running: Bench) -> None:
    client = running.client(connect_timeout_s=0.2, read_timeout_s=0.3)
    running.server.faults.next("slow_body")
    began = time.monotonic()
    with pytest.raises(TimedOut):
        client.challenge()
    assert time.monotonic() - began < 2


def test_a_head_that_drips_times_out_although_bytes_keep_coming(authority: Authority) -> None:
    with saying(b"HTTP/1.1 200 OK\r\nX: ", drip=b"x") as url:
        client = client_of(url, authority, read_timeout_s=0.3, budget_s=1.0)
        began = time.monotonic()
        with pytest.raises(TimedOut):
            client.challenge()
        assert time.monotonic() - began < 2
        client.close()


def test_consents_that_nobody_answers_end_with_the_budget(running: Bench) -> None:
    identify(running, running.client())
    client = running.client(connect_timeout_s=0.2, read_timeout_s=0.2, budget_s=1.0)
    for _ in range(20):
        running.server.faults.next("slow_body")
    began = time.monotonic()
    with pytest.raises(TimedOut):
        client.send_consents("visit-1", ANSWERS)
    assert time.monotonic() - began < 2
    running.server.faults.clear()


def test_sending_that_could_outlast_the_visit_is_refused_in_the_settings(tmp_path: Path) -> None:
    settings = tmp_path / "terminal.toml"
    settings.write_text("[server]\nbudget_s = 31.0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"server\.budget_s must not be above delays\.sending_s"):
        config.load(settings)


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        OK + b"Content-Length: 2\r\n\r\n{}",
        OK + b'Content-Length: 49\r\n\r\n{"id":1,"nonce":"AAAA","expires_at":"2026-11-23"}',
        OK + b"Content-Length: 2000000\r\n\r\n" + b" " * 2_000_000,
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope",
    ],
    ids=["no HTTP", "redirect", "empty object", "wrong types", "flood", "foreign 404"],
)
def test_what_is_not_the_agreed_answer_is_one_typed_error(authority: Authority, answer: bytes) -> None:
    with saying(answer) as url:
        client = client_of(url, authority)
        with pytest.raises((BadAnswer, Unreachable)):
            client.challenge()
        client.close()


def test_the_machines_proxy_settings_are_not_used(running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    assert running.client().health() is True


def test_the_client_alone_loads_no_server_framework() -> None:
    script = (
        "import sys, consent.eligibility, consent.server; print({'fastapi', 'sqlalchemy'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
