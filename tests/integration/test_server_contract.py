"""What the server does whichever database it has: each test runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from config import Consents, Server, Site
from config.person import Person
from consent.choices import ConsentAnswer
from consent.eligibility import EligibilityClient, Refused
from consent.server.certificates import Authority
from reception.testing.benchmarks.postgres import OwnPostgres
from tests.support.servers import (
    CHILD,
    HANAKO,
    NOON,
    ON_HOLD,
    REVOKED,
    STRANGER,
    SUBSIDISED,
    TERMINAL,
    UNKNOWN,
    Bench,
    bench,
    by_pin,
    outcome,
    put,
    refusal_of,
    whole,
)

GIVEN = ConsentAnswer.GIVEN


@pytest.fixture(scope="module")
def shared(postgres: OwnPostgres) -> str:
    return postgres.create("shared")


@pytest.fixture(params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Bench]:
    database = request.getfixturevalue("shared") if request.param == "postgresql" else "sqlite://"
    with bench(authority, HANAKO, REVOKED, ON_HOLD, UNKNOWN, database=database) as made:
        yield made
    if request.param == "postgresql":
        engine = sa.create_engine(database)
        with engine.begin() as connection:
            connection.execute(sa.text('TRUNCATE visits, consents, card_uses, "references", audit'))
        engine.dispose()


def test_each_challenge_serves_once(running: Bench) -> None:
    client = running.client()
    challenge = client.challenge()
    signature = running.sign(challenge)
    client.identify_by_pin("visit-1", challenge, running.certificate(), signature)
    again = refusal_of(lambda: client.identify_by_pin("visit-2", challenge, running.certificate(), signature))
    assert again == "CHALLENGE_USED"


def test_a_challenge_is_spent_by_a_failed_try_too(running: Bench) -> None:
    client = running.client()
    challenge = client.challenge()
    cert = running.certificate()
    assert refusal_of(lambda: client.identify_by_pin("v", challenge, cert, b"x" * 256)) == "SIGNATURE_INVALID"
    signature = running.sign(challenge)
    assert refusal_of(lambda: client.identify_by_pin("v", challenge, cert, signature)) == "CHALLENGE_USED"


def test_a_challenge_of_another_terminal_is_unknown_and_stays_good_for_its_owner(running: Bench) -> None:
    owner, other = running.client("terminal-2"), running.client()
    challenge = owner.challenge()
    code = refusal_of(lambda: other.identify_by_face("v", challenge, running.certificate(), 0.3))
    assert code == "CHALLENGE_UNKNOWN"
    assert owner.identify_by_face("v", challenge, running.certificate(), 0.3).questions


def test_a_long_past_challenge_is_forgotten(running: Bench) -> None:
    client = running.client()
    spent, left = client.challenge(), client.challenge()
    client.identify_by_face("v", spent, running.certificate(), 0.3)
    running.clock.forward(241)
    client.challenge()
    cert = running.certificate()
    assert refusal_of(lambda: client.identify_by_face("v", spent, cert, 0.3)) == "CHALLENGE_UNKNOWN"
    assert refusal_of(lambda: client.identify_by_face("v", left, cert, 0.3)) == "CHALLENGE_UNKNOWN"


def test_a_challenge_expires_after_two_minutes(running: Bench) -> None:
    client = running.client()
    challenge = client.challenge()
    running.clock.forward(120)
    code = refusal_of(lambda: client.identify_by_face("v", challenge, running.certificate(), 0.3))
    assert code == "CHALLENGE_EXPIRED"


@pytest.mark.parametrize(
    ("someone", "code"),
    [
        (REVOKED, "CERTIFICATE_REVOKED"),
        (ON_HOLD, "CERTIFICATE_ON_HOLD"),
        (UNKNOWN, "CERTIFICATE_STATUS_UNKNOWN"),
        (STRANGER, "PERSON_UNKNOWN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_certificate_that_must_not_pass_is_refused(running: Bench, someone: Person, code: str) -> None:
    assert refusal_of(lambda: by_pin(running, someone)) == code
    assert running.client().visit("visit-1") is None


def test_a_certificate_of_another_authority_is_refused(running: Bench, other_authority: Authority) -> None:
    client = running.client()
    foreign = other_authority.certificate_for(HANAKO)
    code = refusal_of(lambda: client.identify_by_face("v", client.challenge(), foreign, 0.3))
    assert code == "CERTIFICATE_UNTRUSTED"


def test_the_other_wrong_requests_have_codes_too(running: Bench) -> None:
    by_pin(running)
    assert put(running, {"answers": {}}, key="other").json()["code"] == "IDEMPOTENCY_KEY_INVALID"
    assert put(running, {"answers": "x" * 70_000}).json()["code"] == "BODY_TOO_LONG"
    assert (
        httpx.get(f"{running.server.url}/v2", verify=False, trust_env=False).json()["code"] == "PATH_UNKNOWN"
    )
    wrong = httpx.put(f"{running.server.url}/v1/challenges", verify=False, trust_env=False)
    assert wrong.json()["code"] == "METHOD_NOT_ALLOWED"


def test_the_list_of_visits_holds_answers_and_nothing_personal(running: Bench) -> None:
    by_pin(running, visit_id="visit-b")
    running.clock.forward(1)
    by_pin(running, visit_id="visit-a")
    running.client().send_consents("visit-b", whole(MEDICATION=GIVEN))
    url = f"{running.server.url}/v1/visits"
    answer = httpx.get(url, auth=running.signed(), verify=False, trust_env=False)
    visits = answer.json()["visits"]
    assert [visit["visit_id"] for visit in visits] == ["visit-b", "visit-a"]
    assert visits[0]["answers"] == whole(MEDICATION="given", DIAGNOSIS="given")
    assert visits[0]["available_until"] == (NOON + timedelta(hours=24, seconds=1)).isoformat()
    assert not any(secret in answer.text for secret in (HANAKO.name, "345678", "1980"))


def test_a_stopped_server_starts_again_on_its_port_and_remembers(running: Bench) -> None:
    by_pin(running)
    url = running.server.url
    running.server.stop()
    assert running.client().health() is False
    running.server.start()
    assert running.server.url == url
    assert running.client().visit("visit-1") is not None


def test_changing_an_answer_takes_the_card_again(running: Bench) -> None:
    assert outcome(running, HANAKO) == "ok"
    client = running.client()
    client.send_consents("visit-1", whole(MEDICATION=ConsentAnswer.GIVEN))
    with pytest.raises(Refused, match="CONSENTS_DIFFER"):
        client.send_consents("visit-1", whole(MEDICATION=ConsentAnswer.DECLINED))
    assert outcome(running, HANAKO) == "VISIT_DIFFERS"
    assert outcome(running, HANAKO, "visit-2") == "ok"
    client.send_consents("visit-2", whole(MEDICATION=ConsentAnswer.DECLINED))


def test_each_certificate_of_a_subsidy_has_an_answer_of_its_own(running: Bench) -> None:
    running.server.add(SUBSIDISED)
    identity, site = running.authority.enrol_terminal(TERMINAL), Site(institution_code="1310000000")
    asks = Consents(medication=False, health_checkup=False, medical_subsidy=True)
    client = EligibilityClient(Server(url=running.server.url), identity, "current", asks, site)
    running.clients.append(client)
    found = client.identify_by_face("v", client.challenge(), running.certificate(SUBSIDISED), 0.3)
    said = dict(zip([each.id for each in found.subsidies], [GIVEN, ConsentAnswer.DECLINED], strict=True))
    told = client.send_consents("v", {}, subsidies=said)
    record = client.visit("v")
    assert record is not None and tuple(record.subsidies.items()) == tuple(said.items())
    assert [one.scheme for one in told.subsidies] == [CHILD.scheme]
    assert client.send_consents("v", {}, subsidies=said) == told
