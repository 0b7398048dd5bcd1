"""Running the server: people that come and go, faults on purpose, the command line."""

import hashlib
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.person import Person, load_person
from consent.eligibility import Refused, TimedOut, Unreachable
from consent.server import DatabaseUnusable, EligibilityServer
from consent.server.certificates import Authority
from consent.server.people import People
from reception.__main__ import main
from tests.support.servers import HANAKO, NOON, Bench, bench, outcome, person

PERSON_FILE = """
name = "鈴木　一郎"
name_kana = "ｽｽﾞｷ ｲﾁﾛｳ"
birth_date = 1970-01-02
sex = 1
address = "東京都千代田区一番町2-2"
[card]
expires = 2035-02-17
security_code = "2285"
photo = "astronaut"
[certificate]
expires = 2030-02-17
status = "good"
"""


@pytest.fixture
def running(authority: Authority, tmp_path: Path) -> Iterator[Bench]:
    with bench(authority, people_folder=tmp_path) as made:
        yield made


def test_a_person_can_be_added_while_the_server_runs(running: Bench, tmp_path: Path) -> None:
    path = tmp_path / "ichiro.toml"
    path.write_text(PERSON_FILE, encoding="utf-8")
    ichiro = load_person(str(path))
    assert outcome(running, ichiro) == "ok"
    path.write_text(PERSON_FILE.replace('"good"', '"revoked"'), encoding="utf-8")
    assert outcome(running, ichiro) == "CERTIFICATE_REVOKED"
    path.unlink()
    assert outcome(running, ichiro) == "PERSON_UNKNOWN"
    assert outcome(running, HANAKO, "visit-2") == "ok"


def test_a_person_can_be_added_by_whoever_runs_the_server(running: Bench) -> None:
    late = person("late")
    assert outcome(running, late) == "PERSON_UNKNOWN"
    running.server.add(late)
    assert outcome(running, late) == "ok"
    running.server.stop()
    running.server.start()
    assert outcome(running, late, "visit-2") == "ok"


@pytest.mark.expected_log("broken.toml: not a person file that can be used")
def test_a_broken_person_file_harms_nobody_else_and_is_not_quoted(
    running: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.toml").write_text(PERSON_FILE.replace("sex = 1", 'sex = "鈴木"'), encoding="utf-8")
    good = tmp_path / "ichiro.toml"
    good.write_text(PERSON_FILE, encoding="utf-8")
    assert outcome(running, load_person(str(good))) == "ok"
    assert "鈴木" not in caplog.text


@pytest.mark.expected_log(r"certificate\.expires")
def test_impossible_dates_harm_nobody_else(authority: Authority) -> None:
    strange = replace(
        HANAKO, id="strange", certificate=replace(HANAKO.certificate, expires=NOON.date().replace(year=9999))
    )
    with bench(authority, strange, HANAKO) as made:
        assert outcome(made, HANAKO) == "ok"


def test_a_fault_for_every_request_lasts_until_it_is_taken_back(running: Bench) -> None:
    client = running.client(budget_s=0.5)
    running.server.faults.always("500")
    for _ in range(2):
        with pytest.raises(Unreachable):
            client.challenge()
    running.server.faults.clear()
    assert client.challenge().id


def test_a_fault_waits_for_its_path(running: Bench) -> None:
    running.server.faults.next("drop", "/v1/visits")
    client = running.client()
    assert outcome(running, HANAKO) == "ok"
    with pytest.raises((Unreachable, TimedOut)):
        client.visit("visit-1")
    assert client.visit("visit-1")


@pytest.mark.parametrize("kind", ["", "slow", "drops"])
def test_an_unknown_fault_is_told(running: Bench, kind: Any) -> None:
    with pytest.raises(ValueError, match=r"no such fault: .*; known: 500, garbage"):
        running.server.faults.always(kind)


def test_a_skewed_clock_lets_a_challenge_expire_and_holds_for_one_request(running: Bench) -> None:
    client = running.client()
    challenge = client.challenge()
    running.server.faults.skew_s = 121
    running.server.faults.next("clock_skew")
    with pytest.raises(Refused, match="CHALLENGE_EXPIRED"):
        client.identify_by_face("v", challenge, running.certificate(), 0.3)
    assert client.challenge().expires_at == NOON + timedelta(seconds=120)


def test_a_clock_that_is_an_hour_slow_believes_no_responder(running: Bench) -> None:
    client = running.client()
    challenge = client.challenge()
    running.server.faults.skew_s = -3600
    running.server.faults.next("clock_skew")
    with pytest.raises(Unreachable):
        client.identify_by_face("v", challenge, running.certificate(), 0.3)


def test_the_openapi_document_names_every_call_with_its_refusals(running: Bench) -> None:
    found = httpx.get(f"{running.server.url}/openapi.json", verify=False, trust_env=False).json()
    calls = {(method, path) for path, methods in found["paths"].items() for method in methods}
    assert ("put", "/v1/visits/{visit_id}/consents") in calls and len(calls) == 15
    body = found["paths"]["/v1/identifications"]["post"]
    assert body["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("Request")
    assert {"200", "403", "404", "409", "422", "503"} <= body["responses"].keys()
    assert found["components"]["schemas"]["IdentificationRequest"]["additionalProperties"] is False


def test_another_content_type_is_refused(running: Bench) -> None:
    running.client()
    answer = httpx.post(
        f"{running.server.url}/v1/insured",
        content=b"{}",
        headers={"X-Terminal-Id": "terminal-1", "Content-Type": "text/plain"},
        verify=False,
        trust_env=False,
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "CONTENT_TYPE_WRONG")


def test_a_database_of_another_version_is_one_clear_line(authority: Authority, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.db") as file:
        file.execute("CREATE TABLE visits (visit_id TEXT PRIMARY KEY)")
    file.close()
    with pytest.raises(DatabaseUnusable, match="made by another version"):
        EligibilityServer([HANAKO], authority, database=f"sqlite:///{tmp_path / 'old.db'}").start()


def reception(*arguments: str, state: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "reception", "--state", str(state), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_says_where_it_listens_and_ends_on_a_signal(tmp_path: Path) -> None:
    process = reception("server", "--port", "0", "--people", str(tmp_path), state=tmp_path / "state")
    try:
        assert process.stdout is not None
        said, *more = [process.stdout.readline() for _ in range(3)]
        assert said.startswith("eligibility server: http://127.0.0.1:") and "stop with Ctrl-C" in said
        url = said.split()[2]
        health = httpx.get(f"{url}/health", verify=False, trust_env=False)
        assert health.json() == {"status": "ok"}
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert f"{url}/openapi.json" in more[0] and f"{url}/ocsp" in more[1]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--people", "/nowhere/at/all"], "there is no such folder"),
        (["--fault", "slow"], "no such fault: slow; known: 500,"),
    ],
)
def test_a_wrong_argument_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert main(["--state", str(tmp_path), "server", "--port", "0", *arguments]) == 2
    errors = capsys.readouterr().err
    assert line in errors and errors.count("\n") == 1


def test_the_months_of_grace_are_those_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[EligibilityServer] = []
    monkeypatch.setattr(EligibilityServer, "serve_forever", lambda server, _say: served.append(server))
    assert main(["--state", str(tmp_path), "server", "--port", "0", "--grace-months", "1"]) == 0
    assert [server._grace_months for server in served] == [1]


def test_nobody_waits_for_another_persons_key(authority: Authority) -> None:
    slow, begun, made = person("slow"), threading.Event(), threading.Event()

    class Issuer:
        def certificate_for(self, someone: Person) -> bytes:
            if someone is slow:
                begun.set()
                assert made.wait(20)
            return authority.certificate_for(someone)

    people = People([HANAKO, slow], Issuer())
    people.add_next()
    learner = threading.Thread(target=people.add_next)
    learner.start()
    assert begun.wait(20)
    fingerprint = hashlib.sha256(authority.certificate_for(HANAKO)).hexdigest()
    found = people.find(fingerprint)
    assert found and found.person is HANAKO and learner.is_alive()
    made.set()
    learner.join()
    assert [one.person for one in people.everyone()] == [HANAKO, slow]
