"""What outside attacks found at the server: a name is no key, each sees its own visits, nothing is half recorded."""

import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from consent import signatures
from consent.choices import ConsentAnswer
from consent.eligibility import Refused
from consent.enrolment.terminal_key import TerminalKey
from consent.server import EligibilityServer
from consent.server.certificates import Authority
from consent.server.rate_limits import Limits
from consent.server.store import PAGE
from consent.wire import IDEMPOTENCY_HEADER
from reception.__main__ import main
from tests.support.servers import HANAKO, TERMINAL, Bench, Signed, bench, whole

OTHER = "terminal-2"
VISIT = "visit-1"
OPEN = ("/health", "/ready")
"""What anybody may ask; nothing of a person is in it."""


@pytest.fixture
def running(authority: Authority) -> Iterator[Bench]:
    with bench(authority) as made:
        client = made.client()
        client.identify_by_face(VISIT, client.challenge(), made.certificate(), 0.3)
        client.send_consents(VISIT, whole(MEDICATION="given"))
        made.authority.enrol_terminal(OTHER)
        yield made


def asks(made: Bench) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every endpoint of the OpenAPI document but the open ones, with a request of its own kind, about a visit."""
    document = httpx.get(f"{made.server.url}/openapi.json", trust_env=False, verify=False).json()
    bodies: dict[str, dict[str, Any]] = {
        "IdentificationRequest": {},
        "CardUseRequest": {"answer": "given"},
        "ConsentsRequest": {"answers": whole()},
        "InsuredQuery": {
            "institution_code": "1310000000",
            "insurer_number": HANAKO.insurance.insurer_number,
            "symbol": "12",
            "number": "345678",
            "birth_date": "1980-06-17",
        },
    }
    bodies["ReferenceRequest"] = {**bodies["InsuredQuery"], "reference_number": "42"}
    bodies["InsuredQueries"] = {"queries": [bodies["InsuredQuery"]]}
    found = 0
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            if path in OPEN:
                continue
            found += 1
            content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            given = {"json": bodies.get(name, {})} if name else {}
            yield method.upper(), path.replace("{visit_id}", VISIT), given
    assert found >= 10


def ask(made: Bench, method: str, path: str, auth: httpx.Auth | None, **given: Any) -> httpx.Response:
    headers = {IDEMPOTENCY_HEADER: VISIT, **given.pop("headers", {})}
    url = f"{made.server.url}{path}"
    return httpx.request(method, url, auth=auth, headers=headers, trust_env=False, verify=False, **given)


def says_something(answer: httpx.Response) -> bool:
    secrets = (HANAKO.name, HANAKO.name_kana, "345678", "1980", VISIT, "MEDICATION")
    return answer.is_success or any(secret in answer.text for secret in secrets)


def test_without_the_terminals_key_no_endpoint_answers_with_anything(running: Bench) -> None:
    """A name was all that it took over plain HTTP."""
    wrong_key = TerminalKey(TERMINAL, rsa.generate_private_key(65537, 2048))
    answered = []
    for method, path, given in asks(running):
        named = ask(running, method, path, None, headers={"X-Terminal-Id": TERMINAL}, **given)
        forged = ask(running, method, path, Signed(wrong_key), **given)
        codes = {named.json()["code"], forged.json()["code"]}
        if (
            says_something(named)
            or says_something(forged)
            or codes > {"REQUEST_SIGNATURE_INVALID", "KEY_NOT_FOR_THIS"}
        ):
            answered.append((method, path))
    assert answered == []


def test_another_terminals_key_opens_nothing_of_a_visit(running: Bench) -> None:
    other = running.signed(OTHER)
    about_a_visit = [(method, path, given) for method, path, given in asks(running) if VISIT in path]
    assert len(about_a_visit) == 4
    for method, path, given in about_a_visit:
        answer = ask(running, method, path, other, **given)
        assert (answer.status_code, answer.json()["code"]) == (403, "VISIT_OF_OTHER_TERMINAL"), path
    assert ask(running, "GET", "/v1/visits", other).json()["visits"] == []
    own = ask(running, "GET", "/v1/visits", running.signed()).json()["visits"]
    assert [visit["visit_id"] for visit in own] == [VISIT]


def test_the_audit_has_a_key_of_its_own_that_opens_nothing_else(running: Bench) -> None:
    auditor = Signed(running.authority.enrol_auditor())
    assert ask(running, "GET", "/v1/audit", running.signed()).json()["code"] == "KEY_NOT_FOR_THIS"
    assert ask(running, "GET", "/v1/audit", auditor).json()["entries"]
    for method, path, given in asks(running):
        if path != "/v1/audit":
            assert ask(running, method, path, auditor, **given).json()["code"] == "KEY_NOT_FOR_THIS"
    with pytest.raises(ValueError, match="no terminal's id"):
        running.authority.enrol_terminal("auditor")


class Captured(httpx.Auth):
    """Signs a request, and lets a test change it on its way or send it again."""

    requires_request_body = True

    def __init__(self, made: Bench) -> None:
        self.identity = made.authority.enrol_terminal(TERMINAL)
        self.seen: httpx.Request | None = None

    def auth_flow(self, request: httpx.Request) -> Any:
        signatures.sign(request, request.content, self.identity)
        self.seen = request
        yield request


def test_a_request_that_was_signed_serves_once_and_as_it_was(running: Bench) -> None:
    captured = Captured(running)
    assert ask(running, "GET", f"/v1/visits/{VISIT}", captured).is_success
    request = captured.seen
    assert request is not None
    with httpx.Client(trust_env=False, verify=False) as thief:
        again = thief.send(request)
        assert again.json()["code"] == "REQUEST_REPLAYED"
        for changes in ({"url": f"{running.server.url}/v1/visits"}, {"method": "DELETE"}, {"content": b"{}"}):
            told: dict[str, Any] = {"method": "GET", "url": str(request.url), **changes}
            if told["method"] == "DELETE":
                told["method"], told["url"] = "PUT", f"{running.server.url}/v1/visits/{VISIT}/card-use"
                told["content"] = b'{"answer":"given"}'
            answer = thief.request(headers={**request.headers, "content-type": "application/json"}, **told)
            assert answer.json()["code"] == "REQUEST_SIGNATURE_INVALID", changes


@pytest.mark.parametrize("minutes", [-2, 2])
def test_a_request_of_another_time_is_refused(
    running: Bench, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    then = time.time() + 60 * minutes
    request = httpx.Request("GET", f"{running.server.url}/v1/visits")
    with monkeypatch.context() as patch:
        patch.setattr("consent.signatures.time.time", lambda: then)
        signatures.sign(request, b"", running.authority.enrol_terminal(TERMINAL))
    with httpx.Client(trust_env=False, verify=False) as client:
        assert client.send(request).json()["code"] == "CLOCKS_DIFFER"


# --- Consents ---------------------------------------------------------------------------------------------------


def test_consents_are_taken_whole_or_not_at_all(running: Bench) -> None:
    """A part of the answers, or none, counted as a complete visit."""
    client = running.client()
    client.identify_by_face("visit-2", client.challenge(), running.certificate(), 0.3)
    for part in ({}, {"MEDICATION": "given"}, {"MEDICATION": "given", "LIMIT_AMOUNT": "given"}):
        answer = consents(running, json.dumps({"answers": part}))
        assert (answer.status_code, answer.json()["code"]) == (422, "CONSENTS_INCOMPLETE"), part
    record = client.visit("visit-2")
    assert record is not None and record.recorded_at is None
    assert consents(running, json.dumps({"answers": whole()})).is_success


@pytest.mark.parametrize(
    "body",
    [
        '{"answers": %s, "answers": %s}',
        '{"answers": {"MEDICATION": "declined", "MEDICATION": "given", "LIMIT_AMOUNT": "given"}}',
        '{"answers": %s, "more": 1}',
        '{"answers": {"MEDICATION": "perhaps"}}',
        "{}",
        '{"answers": %s, "prescription": ' + "9" * 5000 + "}",
        "[" * 60_000,
    ],
    ids=["answers twice", "an item twice", "unknown", "wrong", "missing", "5,000 digits", "deep"],
)
def test_a_body_that_says_something_twice_or_something_else_is_refused(running: Bench, body: str) -> None:
    client = running.client()
    client.identify_by_face("visit-2", client.challenge(), running.certificate(), 0.3)
    given, declined = json.dumps(whole(MEDICATION="given")), json.dumps(whole())
    answer = consents(running, body.replace("%s", declined, 1).replace("%s", given))
    assert (answer.status_code, answer.json()["code"]) == (422, "REQUEST_INVALID")
    record = client.visit("visit-2")
    assert record is not None and record.recorded_at is None


def consents(made: Bench, body: str) -> httpx.Response:
    headers = {IDEMPOTENCY_HEADER: "visit-2", "Content-Type": "application/json"}
    return ask(
        made, "PUT", "/v1/visits/visit-2/consents", made.signed(), headers=headers, content=body.encode()
    )


def test_nobody_answers_for_the_patient_between_identification_and_sending(running: Bench) -> None:
    client = running.client()
    client.identify_by_face("visit-2", client.challenge(), running.certificate(), 0.3)
    with pytest.raises(Refused, match="VISIT_OF_OTHER_TERMINAL"):
        running.client(OTHER).send_consents("visit-2", whole(MEDICATION="given"))
    client.send_consents("visit-2", whole())
    record = client.visit("visit-2")
    assert record is not None and set(record.answers.values()) == {ConsentAnswer.DECLINED}


# --- Hosts, lengths, lists --------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:80"])
def test_a_request_for_another_name_is_refused(running: Bench, host: str) -> None:
    for path in ("/health", "/v1/visits", "/openapi.json"):
        answer = ask(running, "GET", path, None, headers={"Host": host})
        assert answer.status_code in (400, 421), path
        assert host == "" or host not in answer.text


def test_no_answer_leads_to_where_the_request_says(running: Bench) -> None:
    answer = ask(running, "GET", "/v1/visits/", None)
    assert (answer.status_code, "location" in answer.headers) == (404, False)


def test_a_length_told_twice_is_refused(running: Bench) -> None:
    import socket

    where = ("127.0.0.1", int(running.server.url.rpartition(":")[2]))
    with socket.create_connection(where, timeout=5) as line:
        line.sendall(
            b"POST /v1/challenges HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert line.recv(100).startswith(b"HTTP/1.1 400")


def test_a_list_of_visits_comes_page_by_page_with_one_query_each(
    authority: Authority, tmp_path: Path
) -> None:
    """2,001 queries a list let one terminal starve the others."""
    with bench(authority, database=f"sqlite:///{tmp_path}/many.db") as made:
        client = made.client()
        client.identify_by_face("first", client.challenge(), made.certificate(), 0.3)
        store = made.server._store
        assert store is not None
        known = store.visit("first")
        assert known is not None
        for number in range(PAGE + 50):
            at = known.identified_at + timedelta(seconds=number // 7)
            store.keep_visit(replace(known, visit_id=f"v{number:04}", identified_at=at))
        asked: list[str] = []
        import sqlalchemy as sa

        sa.event.listen(store._engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        found = [record.visit_id for record in client.visits(known.identified_at)]
        assert found == sorted(["first", *(f"v{number:04}" for number in range(PAGE + 50))])
        assert len([each for each in asked if each.startswith("SELECT")]) == 2
        late = list(client.visits(known.identified_at + timedelta(seconds=30)))
        assert 0 < len(late) < 50


@pytest.mark.expected_log("the database does not answer")
def test_a_server_that_cannot_write_is_not_ready(authority: Authority, tmp_path: Path) -> None:
    with bench(authority, database=f"sqlite:///{tmp_path}/full.db") as made:
        url = f"{made.server.url}/ready"
        assert httpx.get(url, trust_env=False, verify=False).status_code == 200
        store = made.server._store
        assert store is not None
        other = sqlite3.connect(tmp_path / "full.db", isolation_level=None)
        with store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
        other.execute("BEGIN IMMEDIATE")
        answer = httpx.get(url, trust_env=False, verify=False, timeout=20)
        other.execute("ROLLBACK")
        other.close()
        assert answer.status_code == 503


@pytest.mark.expected_log("the database does not answer")
def test_a_database_that_was_removed_is_acknowledged_nothing(authority: Authority, tmp_path: Path) -> None:
    """It went on in a file that nobody could ever read again."""
    with bench(authority, database=f"sqlite:///{tmp_path}/gone.db") as made:
        client = made.client(budget_s=1.0)
        client.identify_by_face(VISIT, client.challenge(), made.certificate(), 0.3)
        for file in tmp_path.glob("gone.db*"):
            file.unlink()
        answer = ask(made, "PUT", f"/v1/visits/{VISIT}/consents", made.signed(), json={"answers": whole()})
        assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
        assert httpx.get(f"{made.server.url}/ready", trust_env=False, verify=False).status_code == 503


def test_the_database_is_for_its_owner_only(authority: Authority, tmp_path: Path) -> None:
    with bench(authority, database=f"sqlite:///{tmp_path}/own.db") as made:
        made.client().challenge()
        modes = {oct(file.stat().st_mode & 0o777) for file in tmp_path.glob("own.db*")}
    assert modes == {"0o600"}


def test_a_rate_belongs_to_a_key_and_not_to_an_address(authority: Authority) -> None:
    """Terminals behind one address, of which one asks without end."""
    with bench(authority, limits=Limits(per_s=1.0, burst=5, hold_s=0.0)) as made:
        hasty = [ask(made, "GET", "/v1/visits", made.signed()).status_code for _ in range(8)]
        assert hasty == [200] * 5 + [429] * 3
        assert ask(made, "GET", "/v1/visits", made.signed(OTHER)).status_code == 200


# --- The command ------------------------------------------------------------------------------------------------


def test_without_tls_the_server_listens_for_other_machines_only_when_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(EligibilityServer, "serve_forever", lambda self, say: started.append(self._host))
    for host in ("0.0.0.0", "::", "192.0.2.1", "reception.example"):
        assert main(["--state", str(tmp_path), "server", "--host", host, "--port", "0"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "TLS is needed" in line and "--insecure" in line
    assert main(["--state", str(tmp_path), "server", "--host", "0.0.0.0", "--port", "0", "--insecure"]) == 0
    assert main(["--state", str(tmp_path), "server", "--port", "0"]) == 0
    assert started == ["0.0.0.0", "127.0.0.1"]
