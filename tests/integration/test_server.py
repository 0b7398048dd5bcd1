"""The eligibility server: what it accepts, what it refuses and how it starts and stops."""

import json
import logging
import os
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.person import Insurance, Person
from consent.choices import ConsentAnswer, Item, Standing
from consent.eligibility import EligibilityStatus
from consent.server import DatabaseUnusable, EligibilityServer, PortInUse
from consent.server.certificates import Authority
from consent.wire import to_base64
from tests.support.servers import (
    HANAKO,
    NOON,
    ON_HOLD,
    REVOKED,
    TERMINAL,
    UNKNOWN,
    Bench,
    bench,
    by_pin,
    put,
    refusal_of,
    whole,
)

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED


@pytest.fixture
def running(authority: Authority) -> Iterator[Bench]:
    with bench(authority, HANAKO, REVOKED, ON_HOLD, UNKNOWN) as made:
        yield made


def test_a_ca_that_the_site_trusts_counts_too(authority: Authority, other_authority: Authority) -> None:
    with bench(authority, trust_cas=other_authority.trusted_cas()) as made:
        client = made.client()
        foreign = other_authority.certificate_for(HANAKO)
        code = refusal_of(lambda: client.identify_by_face("v", client.challenge(), foreign, 0.3))
        assert code == "PERSON_UNKNOWN"


def test_bytes_that_are_no_certificate_are_refused(running: Bench) -> None:
    client = running.client()
    code = refusal_of(lambda: client.identify_by_face("v", client.challenge(), b"\x30\x03abc", 0.3))
    assert code == "CERTIFICATE_MALFORMED"


@pytest.mark.parametrize(
    ("day", "outcome"),
    [
        (date(2030, 2, 17), Standing.EXPIRES_SOON),
        (date(2030, 2, 18), Standing.GRACE),
        (date(2030, 5, 31), Standing.GRACE),
        (date(2030, 6, 1), "CERTIFICATE_EXPIRED"),
        (date(2020, 1, 1), "CERTIFICATE_NOT_YET_VALID"),
    ],
)
def test_the_clock_decides_what_a_certificate_is_good_for(
    running: Bench, day: date, outcome: Standing | str
) -> None:
    running.clock.now = NOON.replace(year=day.year, month=day.month, day=day.day)
    if isinstance(outcome, Standing):
        found = by_pin(running)
        assert found.standing is outcome
        assert (found.questions == ()) == (outcome is Standing.GRACE)
    else:
        assert refusal_of(lambda: by_pin(running)) == outcome


def by_phone(made: Bench, someone: Person, visit_id: str = "visit-1") -> Any:
    client = made.client()
    challenge = client.challenge()
    signature = made.sign(challenge, someone)
    return client.identify_by_phone(visit_id, challenge, made.certificate(someone), signature)


def test_a_visit_by_phone_is_recorded_as_one(authority: Authority) -> None:
    phone = replace(HANAKO, card=replace(HANAKO.card, kind="phone-ios"))
    with bench(authority, phone) as made:
        assert by_phone(made, phone).questions
        record = made.client().visit("visit-1")
        assert record is not None and record.method == "phone"


def test_a_forged_signature_of_a_phone_is_refused(running: Bench) -> None:
    client = running.client()
    challenge, cert = client.challenge(), running.certificate()
    code = refusal_of(lambda: client.identify_by_phone("v", challenge, cert, b"x" * 256))
    assert code == "SIGNATURE_INVALID"


@pytest.mark.parametrize("identify", [by_pin, by_phone])
def test_a_certificate_on_a_phone_has_no_grace(
    authority: Authority, identify: Callable[[Bench, Person], Any]
) -> None:
    phone = replace(HANAKO, card=replace(HANAKO.card, kind="phone-android"))
    with bench(authority, phone) as made:
        made.clock.now = NOON.replace(year=2030, month=2, day=18)
        assert refusal_of(lambda: identify(made, phone)) == "CERTIFICATE_EXPIRED"


def test_a_certificate_ends_with_its_card(authority: Authority) -> None:
    someone = replace(HANAKO, card=replace(HANAKO.card, expires=date(2026, 11, 22)))
    with bench(authority, someone) as made:
        assert by_pin(made, someone).standing is Standing.GRACE


def test_a_card_that_ends_earlier_by_its_own_record_counts_as_that(running: Bench) -> None:
    client, told = running.client(), {}
    for visit, ends in (("visit-1", date(2026, 11, 22)), ("visit-2", date(2040, 1, 1)), ("visit-3", None)):
        found = client.identify_by_face(visit, client.challenge(), running.certificate(), 0.3, ends)
        told[visit] = found.standing
    assert told == {"visit-1": Standing.GRACE, "visit-2": Standing.VALID, "visit-3": Standing.VALID}


@pytest.mark.parametrize("validity", ["invalid", "superseded", "not-found", "ambiguous", "unregistered"])
def test_without_valid_insurance_nothing_is_asked(authority: Authority, validity: Any) -> None:
    someone = replace(HANAKO, insurance=Insurance(validity=validity, number="345678"))
    with bench(authority, someone) as made:
        found = by_pin(made, someone)
    assert found.status is EligibilityStatus(validity)
    assert found.questions == ()
    assert bool(found.counter.number) == (validity not in ("not-found", "ambiguous"))


def test_a_card_not_registered_for_insurance_use_is_told_so(authority: Authority) -> None:
    someone = replace(HANAKO, insurance=Insurance(registered=False))
    with bench(authority, someone) as made:
        assert by_pin(made, someone).status is EligibilityStatus.UNREGISTERED


def test_a_terminal_that_is_not_enrolled_gets_nothing(running: Bench) -> None:
    for headers in ({}, {"X-Terminal-Id": "nobody"}, {"X-Terminal-Id": "../terminal-1"}):
        for method, path in (("POST", "challenges"), ("GET", "visits"), ("GET", "visits/visit-1")):
            answer = httpx.request(
                method, f"{running.server.url}/v1/{path}", headers=headers, verify=False, trust_env=False
            )
            assert (answer.status_code, answer.json()["code"]) == (403, "TERMINAL_UNKNOWN")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"visit_id": "visit-2"}, "ASSERTION_INVALID"),
        ({"assertion": "{}"}, "ASSERTION_SIGNATURE_INVALID"),
        ({"assertion": None}, "ASSERTION_SIGNATURE_INVALID"),
        ({"signature": to_base64(b"x" * 256)}, "ASSERTION_SIGNATURE_INVALID"),
    ],
)
def test_a_terminals_word_counts_only_for_what_it_was_signed(
    running: Bench, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], code: str
) -> None:
    client = running.client()
    challenge = client.challenge()
    once = client._transport.once

    def changed(method: str, path: str, body: bytes, *rest: Any) -> tuple[int, bytearray]:
        return once(method, path, json.dumps({**json.loads(body), **changes}).encode(), *rest)

    monkeypatch.setattr(client._transport, "once", changed)
    assert (
        refusal_of(lambda: client.identify_by_face("visit-1", challenge, running.certificate(), 0.3)) == code
    )


def test_a_word_signed_by_another_terminal_is_refused(running: Bench) -> None:
    client = running.client("terminal-2")
    challenge = client.challenge()
    client._identity = running.authority.enrol_terminal("terminal-3")
    code = refusal_of(lambda: client.identify_by_face("v", challenge, running.certificate(), 0.3))
    assert code == "ASSERTION_SIGNATURE_INVALID"


def test_the_same_consents_get_the_same_answer_and_others_are_refused(running: Bench) -> None:
    by_pin(running)
    first = put(running, {"answers": whole(MEDICATION="given")})
    running.clock.forward(10)
    assert put(running, {"answers": whole(MEDICATION="given")}).content == first.content
    other = put(running, {"answers": whole(MEDICATION="declined")})
    assert (other.status_code, other.json()["code"]) == (409, "CONSENTS_DIFFER")


def test_many_senders_at_once_make_one_record(running: Bench) -> None:
    by_pin(running)
    answers: list[bytes] = []

    def send() -> None:
        answers.append(put(running, {"answers": whole(MEDICATION="given")}).content)

    senders = [threading.Thread(target=send) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(answers) == 8 and len(set(answers)) == 1
    assert b"recorded_at" in answers[0]


def test_what_was_not_asked_cannot_be_given_but_declined(running: Bench) -> None:
    by_pin(running)
    given = put(running, {"answers": whole(OPERATION="given")})
    assert (given.status_code, given.json()["code"]) == (409, "CONSENT_NOT_ASKED")
    assert put(running, {"answers": whole(OPERATION="declined")}).status_code == 200


@pytest.mark.parametrize("medication", [{}, {"MEDICATION": "declined"}])
def test_diagnoses_are_given_only_with_the_question_that_stands_for_them(
    running: Bench, medication: dict[str, str]
) -> None:
    by_pin(running)
    alone = put(running, {"answers": whole(DIAGNOSIS="given", **medication)})
    assert (alone.status_code, alone.json()["code"]) == (409, "CONSENT_NOT_ASKED")
    assert put(running, {"answers": whole(DIAGNOSIS="given", MEDICATION="given")}).status_code == 200


def test_a_complete_visit_is_not_identified_anew(running: Bench) -> None:
    by_pin(running)
    by_pin(running)
    running.client().send_consents("visit-1", whole(MEDICATION=DECLINED))
    assert refusal_of(lambda: by_pin(running)) == "VISIT_DIFFERS"


def test_another_terminal_cannot_consent_for_this_visit(running: Bench) -> None:
    by_pin(running)
    other = running.client("terminal-2")
    code = refusal_of(lambda: other.send_consents("visit-1", whole(MEDICATION=GIVEN)))
    assert code == "VISIT_OF_OTHER_TERMINAL"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"answers": {"MEDICATION": "perhaps"}},
        {"answers": {"shoe-size": "given"}},
        {"answers": {"MEDICATION": True}},
        {"answers": {}, "山田": 1},
    ],
)
def test_a_malformed_body_is_refused_without_being_quoted(running: Bench, body: object) -> None:
    by_pin(running)
    answer = put(running, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "REQUEST_INVALID")
    assert not any(word in answer.text for word in ("perhaps", "shoe", "山田"))


def test_a_failing_authority_is_a_server_error_without_details(
    running: Bench, monkeypatch: pytest.MonkeyPatch, expected_log: Any
) -> None:
    def broken(_terminal_id: str) -> None:
        raise RuntimeError("山田　花子")

    expected_log.expect("a request failed: RuntimeError")
    monkeypatch.setattr(running.authority, "terminal_public_key", broken)
    answer = httpx.post(
        f"{running.server.url}/v1/challenges",
        headers={"X-Terminal-Id": TERMINAL},
        verify=False,
        trust_env=False,
    )
    assert (answer.status_code, answer.json()["code"]) == (500, "SERVER_ERROR")


def test_stopping_does_not_wait_for_a_request_held_back(running: Bench) -> None:
    running.server.faults.next("delay", "/health")
    with socket.create_connection(("127.0.0.1", int(running.server.url.rsplit(":", 1)[1]))) as request:
        request.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while running.server.faults._waiting:
            pass
        running.server.stop()


def test_a_port_in_use_is_one_clear_line(running: Bench) -> None:
    port = int(running.server.url.rsplit(":", 1)[1])
    second = EligibilityServer([HANAKO], running.authority, port=port)
    with pytest.raises(PortInUse, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
        second.start()


def test_a_database_that_cannot_be_opened_is_one_clear_line(authority: Authority, tmp_path: Path) -> None:
    for database in (f"sqlite:///{tmp_path}/no/such/folder.db", "nonsense", "nosuch://secret@host/db"):
        with pytest.raises(DatabaseUnusable) as error:
            EligibilityServer([HANAKO], authority, database=database).start()
        assert "\n" not in str(error.value)
        assert "secret" not in str(error.value)


def test_visits_survive_in_a_database_file_without_personal_data(
    authority: Authority, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'visits.db'}"
    with bench(authority, database=database) as made:
        by_pin(made)
        made.client().send_consents("visit-1", whole(MEDICATION=GIVEN))
        with sqlite3.connect(tmp_path / "visits.db") as file:
            assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        file.close()
    with bench(authority, database=database) as made:
        record = made.client().visit("visit-1")
    assert record is not None and record.answers[Item.DIAGNOSIS] is GIVEN
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert HANAKO.name.encode() not in content and b"345678" not in content


def test_serving_in_the_foreground_ends_at_sigterm(authority: Authority) -> None:
    server = EligibilityServer([HANAKO], authority)
    start = server.start

    def start_and_end() -> None:
        start()
        os.kill(os.getpid(), signal.SIGTERM)

    server.start = start_and_end  # type: ignore[method-assign]
    server.serve_forever()
    assert not [thread for thread in threading.enumerate() if thread.name == "eligibility-server"]


def test_a_server_makes_no_noise_in_the_log(running: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    by_pin(running)
    ours = [record for record in caplog.records if record.name.startswith(("uvicorn", "sqlalchemy"))]
    assert ours == []
