"""Medical subsidies (医療費助成): each certificate is offered, asked, recorded and told by itself."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from config import Consents, Profile, Server, Site
from config.person import Person, load_person
from consent.choices import ConsentAnswer, Item
from consent.eligibility import BadAnswer, Eligibility, EligibilityClient
from consent.server.certificates import Authority
from reception.flow import State
from reception.flow.failures import FailureCode
from reception.testing.testbench import Bench as TerminalBench
from reception.testing.timing import FAST
from reception.testing.verbs import Patient
from reception.testing.visit_driver import VisitDriver
from tests.support.servers import CHILD, DISEASE, NOON, SUBSIDISED, TERMINAL, Bench, bench, put, refusal_of

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED
SITE = Site(institution_code="1310000000")
"""Its digits are those of no certificate, which a test looks for."""
INFORMATION = {Item.MEDICATION: DECLINED, Item.HEALTH_CHECKUP: DECLINED}


@pytest.fixture
def running(authority: Authority) -> Iterator[Bench]:
    with bench(authority, SUBSIDISED) as made:
        yield made


def client_of(made: Bench, profile: Profile = "current", *, asks: bool = True) -> EligibilityClient:
    identity = made.authority.enrol_terminal(TERMINAL)
    settings = Server(url=made.server.url)
    client = EligibilityClient(settings, identity, profile, Consents(medical_subsidy=asks), SITE)
    made.clients.append(client)
    return client


def identify(
    made: Bench, client: EligibilityClient, visit: str = "visit-1", someone: Person = SUBSIDISED
) -> Eligibility:
    return client.identify_by_face(visit, client.challenge(), made.certificate(someone), 0.3)


def test_every_certificate_that_holds_today_is_offered_by_its_name(running: Bench) -> None:
    found = identify(running, client_of(running))
    assert [offer.scheme for offer in found.subsidies] == ["こども医療費助成", "指定難病"]
    assert found.questions[-1] is Item.MEDICAL_SUBSIDY
    assert found.asked == (*found.questions, Item.MEDICAL_SUBSIDY)


def test_a_certificate_is_offered_until_the_end_of_its_last_day(running: Bench) -> None:
    running.clock.now = NOON + timedelta(hours=11, minutes=59)
    assert len(identify(running, client_of(running)).subsidies) == 2
    running.clock.forward(120)
    (left,) = identify(running, client_of(running), "visit-2").subsidies
    assert left.scheme == CHILD.scheme


def test_nothing_is_asked_without_a_certificate_or_where_the_facility_does_not_ask(
    running: Bench, authority: Authority
) -> None:
    for client in (client_of(running, asks=False), client_of(running, "leaflet-2023")):
        found = identify(running, client)
        assert found.subsidies == () and Item.MEDICAL_SUBSIDY not in found.questions
    nobodys = replace(SUBSIDISED, subsidies=(replace(DISEASE, valid_until=NOON.date() - timedelta(days=1)),))
    with bench(authority, nobodys) as made:
        found = identify(made, client_of(made), someone=nobodys)
        assert found.subsidies == () and Item.MEDICAL_SUBSIDY not in found.questions


@pytest.mark.parametrize(
    ("answers", "whole", "told"),
    [
        ((GIVEN, GIVEN), GIVEN, ["88138011", "54136015"]),
        ((GIVEN, DECLINED), GIVEN, ["88138011"]),
        ((DECLINED, GIVEN), GIVEN, ["54136015"]),
        ((DECLINED, DECLINED), DECLINED, []),
    ],
)
def test_only_what_is_used_is_told_and_every_answer_is_recorded(
    running: Bench, answers: tuple[ConsentAnswer, ...], whole: ConsentAnswer, told: list[str]
) -> None:
    client = client_of(running)
    found = identify(running, client)
    said = dict(zip((offer.id for offer in found.subsidies), answers, strict=True))
    receipt = client.send_consents("visit-1", INFORMATION, subsidies=said)
    record, result = client.visit("visit-1"), client.result("visit-1")
    assert record is not None
    assert tuple(record.subsidies.items()) == tuple(said.items())
    assert record.answers == INFORMATION | {Item.MEDICAL_SUBSIDY: whole}
    assert [one.payer_number for one in receipt.subsidies] == told
    assert result.subsidies == receipt.subsidies


def test_a_certificate_that_was_not_offered_is_refused_and_nothing_is_recorded(running: Bench) -> None:
    client = client_of(running)
    ids = [offer.id for offer in identify(running, client).subsidies]
    other = [offer.id for offer in identify(running, client, "visit-2").subsidies]
    assert not set(ids) & set(other)  # what stands for a certificate is good for one visit
    for unknown in ("0" * 16, other[0]):
        said = dict.fromkeys([*ids, unknown], DECLINED)
        answer = put(running, {"answers": {"MEDICATION": "given"}, "subsidies": said})
        assert (answer.status_code, answer.json()["code"]) == (422, "SUBSIDY_UNKNOWN")
    record = client.visit("visit-1")
    assert record is not None and record.recorded_at is None


@pytest.mark.parametrize("missing", [0, 1])
def test_a_certificate_without_its_answer_is_refused(running: Bench, missing: int) -> None:
    client = client_of(running)
    ids = [offer.id for offer in identify(running, client).subsidies]
    del ids[missing]
    body = {"answers": INFORMATION, "subsidies": dict.fromkeys(ids, "given")}
    answer = put(running, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "CONSENTS_INCOMPLETE")
    assert put(running, {"answers": INFORMATION}).json()["code"] == "CONSENTS_INCOMPLETE"


def test_a_subsidy_is_never_given_as_a_whole(running: Bench) -> None:
    client = client_of(running)
    said = {offer.id: DECLINED for offer in identify(running, client).subsidies}
    everything = INFORMATION | {Item.MEDICAL_SUBSIDY: GIVEN}
    code = refusal_of(lambda: client.send_consents("visit-1", everything, subsidies=said))
    assert code == "CONSENT_NOT_ASKED"


def test_the_same_answers_are_acknowledged_again_and_others_are_refused(running: Bench) -> None:
    client = client_of(running)
    said = {offer.id: GIVEN for offer in identify(running, client).subsidies}
    first = client.send_consents("visit-1", INFORMATION, subsidies=said)
    assert client.send_consents("visit-1", INFORMATION, subsidies=said) == first
    other = dict.fromkeys(said, DECLINED)
    code = refusal_of(lambda: client.send_consents("visit-1", INFORMATION, subsidies=other))
    assert code == "CONSENTS_DIFFER"


def test_a_first_visit_is_asked_after_the_registration(authority: Authority) -> None:
    new = replace(SUBSIDISED, insurance=replace(SUBSIDISED.insurance, registered=False))
    with bench(authority, new) as made:
        client = client_of(made)
        assert identify(made, client, someone=new).subsidies == ()
        assert len(client.answer_card_use("visit-1", GIVEN).subsidies) == 2


def test_the_database_keeps_no_number_and_no_name_of_a_certificate(
    authority: Authority, tmp_path: Path
) -> None:
    with bench(authority, SUBSIDISED, database=f"sqlite:///{tmp_path / 'visits.db'}") as made:
        client = client_of(made)
        said = {offer.id: GIVEN for offer in identify(made, client).subsidies}
        client.send_consents("visit-1", INFORMATION, subsidies=said)
        with sqlite3.connect(tmp_path / "visits.db") as file:
            (kept,) = file.execute("SELECT subsidies FROM consents").fetchone()
        file.close()
    assert json.loads(kept) == dict.fromkeys(said, "given")
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for one in (CHILD, DISEASE):
        assert not any(
            each.encode() in content for each in (one.payer_number, one.beneficiary_number, one.scheme)
        )


@pytest.mark.parametrize(
    "odd",
    [
        {"subsidies": []},
        {"subsidies": [{"id": "0" * 16, "scheme": "指定難病"}] * 2},
        {"subsidies": [{"id": f"{number:016}", "scheme": "指定難病"} for number in range(5)]},
        {"subsidies": [{"id": "1", "scheme": "指定難病"}]},
        {"subsidies": [{"id": "0" * 16, "scheme": ""}]},
        {"subsidies": [{"id": "0" * 16}]},
        {"subsidies": "指定難病"},
        {"questions": ["MEDICATION"]},
    ],
)
def test_an_odd_list_of_a_server_is_a_bad_answer(
    running: Bench, monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any]
) -> None:
    client = client_of(running)
    challenge = client.challenge()
    once = client._transport.once

    def changed(*asked: Any) -> tuple[int, bytearray]:
        status, body = once(*asked)
        return status, bytearray(json.dumps(json.loads(bytes(body)) | odd).encode())

    monkeypatch.setattr(client._transport, "once", changed)
    with pytest.raises(BadAnswer) as bad:
        client.identify_by_face("visit-1", challenge, running.certificate(SUBSIDISED), 0.3)
    assert "指定難病" not in str(bad.value)


# --- At a terminal ----------------------------------------------------------------------------------------------

CHILDS = load_person("child-subsidies")
TODAY = date(2026, 4, 1)
ASKS = {"medical_subsidy": True, "medication": False, "health_checkup": False}


@pytest.mark.parametrize("offers", [[], [{"id": "0" * 16, "scheme": "指定難病"}] * 2])
def test_a_terminal_that_is_offered_an_odd_list_calls_staff_and_sends_nothing(
    made_state: Path, monkeypatch: pytest.MonkeyPatch, offers: list[dict[str, str]]
) -> None:
    settings = replace(FAST.settings(consents=ASKS), profile="current")
    with TerminalBench(settings, made_state, people=[CHILDS], today=TODAY) as bench:
        once = bench.client._transport.once

        def changed(*asked: Any) -> tuple[int, bytearray]:
            status, body = once(*asked)
            told = json.loads(bytes(body))
            odd = told | {"subsidies": offers} if "questions" in told else told
            return status, bytearray(json.dumps(odd).encode())

        monkeypatch.setattr(bench.client._transport, "once", changed)
        driver = VisitDriver(bench)
        driver.begin(driver.card(CHILDS.id))
        seen = driver.wait(State.CALL_STAFF)
        assert seen.failure is FailureCode.SERVER_BAD_ANSWER
        assert not driver.recorded(seen.visit) and not driver.completed(seen.visit)


def test_nothing_of_a_certificate_is_in_the_log_the_journal_or_a_snapshots_json(
    tmp_path: Path, made_state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = replace(FAST.settings(consents=ASKS), profile="current")
    journal = tmp_path / "journal.sqlite"
    with TerminalBench(settings, made_state, people=[CHILDS], today=TODAY, journal=journal) as bench:
        driver = VisitDriver(bench, Patient())
        visit = driver.visit(driver.card(CHILDS.id))
        driver.wait(State.TAKE_CARD)
        record = bench.client.visit(visit)
        assert record is not None and list(record.subsidies.values()) == [GIVEN, GIVEN]
        named = [seen for seen in driver.log if seen.subsidies]
        assert named, "no name was ever shown, so that this test proves nothing"
        shown = "".join(seen.to_json() + repr(seen) for seen in driver.log)
        driver.settle()
        assert bench.terminal.snapshot.subsidies == ()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for one in CHILDS.subsidies:
        for secret in (one.scheme, one.payer_number, one.beneficiary_number):
            assert secret not in caplog.text and secret not in shown and secret.encode() not in kept
