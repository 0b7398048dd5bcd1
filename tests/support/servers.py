"""People, their cards' signatures and a server with a clock that tests turn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from config import Consents, Server, Site
from config.insurance import Subsidy
from config.person import Insurance, Person, PersonCard, PersonCertificate
from consent import signatures
from consent.choices import ConsentAnswer, EligibilityStatus, Item, Standing
from consent.eligibility import Challenge, EligibilityClient, Refused
from consent.server import EligibilityServer
from consent.server.certificates import Authority
from consent.server.store import Recorded, StoredVisit
from consent.signatures import Identity
from consent.wire import JAPAN

TERMINAL = "terminal-1"
NOON = datetime(2026, 11, 23, 12, tzinfo=JAPAN)


def person(name: str = "hanako", **changes: Any) -> Person:
    values: dict[str, Any] = {
        "name": "山田　花子",
        "name_kana": "ﾔﾏﾀﾞ ﾊﾅｺ",
        "birth_date": date(1980, 6, 17),
        "sex": 2,
        "address": "東京都千代田区一番町1-1",
        "card": PersonCard(expires=date(2035, 2, 17), security_code="2285", photo="astronaut"),
        "certificate": PersonCertificate(expires=date(2030, 2, 17)),
        "insurance": Insurance(symbol="12", number="345678", limit_category="A03"),
        "id": name,
    }
    return Person(**{**values, **changes})


HANAKO = person()
CHILD = Subsidy(
    "こども医療費助成", "88138011", "1234566", date(2026, 10, 1), date(2027, 9, 30), self_pay="1回500円"
)
DISEASE = Subsidy("指定難病", "54136015", "2345676", date(2025, 10, 1), NOON.date(), self_pay_yen=2500)
"""Certificates of medical subsidies; today is the last day of the second."""
SUBSIDISED = person("subsidised", subsidies=(CHILD, DISEASE))


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def whole(**answers: ConsentAnswer | str) -> dict[Item, ConsentAnswer]:
    """The answers to all that the leaflet asks of somebody of 40 and more; what is not said is declined."""
    asked = (Item.MEDICATION, Item.HEALTH_CHECKUP, Item.LIMIT_AMOUNT)
    said = {Item[name]: ConsentAnswer(answer) for name, answer in answers.items()}
    return dict.fromkeys(asked, ConsentAnswer.DECLINED) | said


class Signed(httpx.Auth):
    """Signs what a test sends by itself, as a terminal does."""

    requires_request_body = True

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        signatures.sign(request, request.content, self.identity)
        yield request


@dataclass
class Bench:
    server: EligibilityServer
    authority: Authority
    clock: Clock
    clients: list[EligibilityClient] = field(default_factory=list)

    def client(self, terminal: str = TERMINAL, **settings: Any) -> EligibilityClient:
        identity = self.authority.enrol_terminal(terminal)
        # Its digits are not those of anybody's insurance, which tests look for.
        site = Site(institution_code="1310000000")
        client = EligibilityClient(Server(url=self.server.url, **settings), identity, site=site)
        self.clients.append(client)
        return client

    def signed(self, terminal: str = TERMINAL) -> Signed:
        """What signs a test's own requests for a terminal."""
        return Signed(self.authority.enrol_terminal(terminal))

    def auditor(self, **settings: Any) -> EligibilityClient:
        """A client that may read the audit, and nothing else."""
        client = EligibilityClient(Server(url=self.server.url, **settings), self.authority.enrol_auditor())
        self.clients.append(client)
        return client

    def certificate(self, someone: Person = HANAKO) -> bytes:
        return self.authority.certificate_for(someone)

    def sign(self, challenge: Challenge, someone: Person = HANAKO) -> bytes:
        return sign(self.authority.issue(someone).private_key_pem, challenge.nonce)


def sign(key_pem: bytes, message: bytes) -> bytes:
    key = serialization.load_pem_private_key(key_pem, None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


@contextmanager
def bench(authority: Authority, *people: Person, **options: Any) -> Iterator[Bench]:
    clock = Clock()
    with EligibilityServer(people or (HANAKO,), authority, clock=clock, **options) as server:
        made = Bench(server, authority, clock)
        try:
            yield made
        finally:
            for client in made.clients:
                client.close()


# --- What tests ask of it ---------------------------------------------------------------------------------------

REVOKED = person("revoked", certificate=PersonCertificate(expires=date(2030, 2, 17), status="revoked"))
ON_HOLD = person("on-hold", certificate=PersonCertificate(expires=date(2030, 2, 17), status="on-hold"))
UNKNOWN = person("unknown", certificate=PersonCertificate(expires=date(2030, 2, 17), status="unknown"))
STRANGER = person("stranger")


def refusal_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.code


def by_pin(made: Bench, someone: Person = HANAKO, visit_id: str = "visit-1") -> Any:
    client = made.client()
    challenge = client.challenge()
    return client.identify_by_pin(
        visit_id, challenge, made.certificate(someone), made.sign(challenge, someone)
    )


def put(made: Bench, body: object, key: str = "visit-1", visit_id: str = "visit-1") -> httpx.Response:
    headers = {"Idempotency-Key": key}
    url = f"{made.server.url}/v1/visits/{visit_id}/consents"
    return httpx.put(url, json=body, headers=headers, auth=made.signed(), verify=False, trust_env=False)


def outcome(made: Bench, someone: Person, visit_id: str = "visit-1") -> str:
    """What becomes of an identification: ``ok``, or the refusal's code."""
    client = made.client()
    try:
        client.identify_by_face(visit_id, client.challenge(), made.certificate(someone), 0.3)
    except Refused as refusal:
        return refusal.code
    return "ok"


# --- What its store keeps ----------------------------------------------------------------------------------------


def visit_of(visit_id: str) -> StoredVisit:
    return StoredVisit(
        visit_id=visit_id,
        terminal_id=TERMINAL,
        certificate_sha256="0" * 64,
        method="face",
        standing=Standing.VALID,
        status=EligibilityStatus.VALID,
        profile="current",
        facility=Consents(),
        facility_kind="clinic",
        institution_code="1310000000",
        card_use_offered=False,
        card_use=None,
        questions=(Item.MEDICATION,),
        identified_at=NOON,
    )


def recorded_of(answers: dict[Item, ConsentAnswer], second: int = 0) -> Recorded:
    now = NOON + timedelta(seconds=second)
    return Recorded(answers, answers, None, now, now + timedelta(hours=24))
