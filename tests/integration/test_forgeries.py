"""Every way to pretend an identity is refused with a code of its own, and leaves nothing but a line in the audit."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from config.person import Person, PersonCertificate
from consent.eligibility import EligibilityClient, Refused
from consent.eligibility.transport import SignedBy
from consent.enrolment.terminal_key import TerminalKey
from consent.server.certificates import Authority
from consent.wire import to_base64
from tests.support.servers import HANAKO, Bench, bench, person

REVOKED = person("revoked", certificate=PersonCertificate(date(2030, 2, 17), status="revoked"))
ON_HOLD = person("on-hold", certificate=PersonCertificate(date(2030, 2, 17), status="on-hold"))
INFANT = person("infant", card=replace(HANAKO.card, kind="no-photo", photo=""))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return Authority(tmp_path_factory.mktemp("foreign")).certificate_for(HANAKO)


def by_card(made: Bench, client: EligibilityClient, someone: Person = HANAKO) -> object:
    challenge = client.challenge()
    return client.identify_by_pin("v", challenge, made.certificate(someone), made.sign(challenge, someone))


def forged_signature(made: Bench, client: EligibilityClient) -> object:
    challenge = client.challenge()
    return client.identify_by_pin("v", challenge, made.certificate(), made.sign(client.challenge()))


def replayed_challenge(made: Bench, client: EligibilityClient) -> object:
    challenge = client.challenge()
    proof = (challenge, made.certificate(), made.sign(challenge))
    client.identify_by_pin("first", *proof)
    return client.identify_by_pin("v", *proof)


def expired_challenge(made: Bench, client: EligibilityClient) -> object:
    challenge = client.challenge()
    made.clock.forward(120)
    return client.identify_by_pin("v", challenge, made.certificate(), made.sign(challenge))


def invented_challenge(made: Bench, client: EligibilityClient) -> object:
    challenge = replace(client.challenge(), id="invented")
    return client.identify_by_pin("v", challenge, made.certificate(), made.sign(challenge))


def tampered_assertion(made: Bench, client: EligibilityClient) -> object:
    return changed(made, client, lambda word: {**word, "distance": 0.01})


def assertion_without_a_match(made: Bench, client: EligibilityClient) -> object:
    def nothing_matched(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "assertion": "{}", "signature": to_base64(signed(made, "{}"))}

    return with_body(made, client, nothing_matched)


def changed(
    made: Bench, client: EligibilityClient, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> object:
    return with_body(
        made,
        client,
        lambda body: {**body, "assertion": json.dumps(change(json.loads(body["assertion"])))},
    )


def with_body(
    made: Bench, client: EligibilityClient, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> object:
    """Identify by face with the request changed on its way."""
    challenge, once = client.challenge(), client._transport.once

    def on_the_way(*given: Any) -> tuple[int, bytearray]:
        method, path, body, *rest = given
        return once(method, path, json.dumps(change(json.loads(body))).encode(), *rest)

    client._transport.once = on_the_way  # type: ignore[method-assign, assignment]
    return client.identify_by_face("v", challenge, made.certificate(), 0.3)


def signed(made: Bench, text: str) -> bytes:
    key = made.authority.enrol_terminal("terminal-1").private_key
    return key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())


def not_enrolled(made: Bench, client: EligibilityClient) -> object:
    stranger = TerminalKey("terminal-9", made.authority.enrol_terminal("terminal-1").private_key)
    client._transport.session.auth = SignedBy(stranger)
    return client.challenge()


def infant_by_sight(made: Bench, client: EligibilityClient) -> object:
    challenge = client.challenge()
    return client.identify_by_sight("v", challenge, made.certificate(INFANT), "staff-7", "other")


FORGERIES: dict[str, Callable[[Bench, EligibilityClient], object]] = {
    "SIGNATURE_INVALID": forged_signature,
    "CHALLENGE_USED": replayed_challenge,
    "CHALLENGE_EXPIRED": expired_challenge,
    "CHALLENGE_UNKNOWN": invented_challenge,
    "CERTIFICATE_REVOKED": lambda made, client: by_card(made, client, REVOKED),
    "CERTIFICATE_ON_HOLD": lambda made, client: by_card(made, client, ON_HOLD),
    "TERMINAL_UNKNOWN": not_enrolled,
    "ASSERTION_SIGNATURE_INVALID": tampered_assertion,
    "ASSERTION_INVALID": assertion_without_a_match,
    "PERSON_UNKNOWN": lambda made, client: by_card(made, client, person("stranger")),
    "VISUAL_NOT_POSSIBLE": infant_by_sight,
}


@pytest.fixture(scope="module")
def running(authority: Authority) -> Iterator[Bench]:
    with bench(authority, HANAKO, REVOKED, ON_HOLD, INFANT) as made:
        yield made


@pytest.mark.parametrize("code", FORGERIES)
def test_a_forgery_is_refused_with_its_own_code(running: Bench, code: str) -> None:
    with pytest.raises(Refused) as refused:
        FORGERIES[code](running, running.client())
    assert refused.value.code == code
    assert running.client().visit("v") is None


def test_a_card_of_a_foreign_ca_is_refused(running: Bench, foreign: bytes) -> None:
    client = running.client()
    with pytest.raises(Refused) as refused:
        client.identify_by_face("v", client.challenge(), foreign, 0.3)
    assert refused.value.code == "CERTIFICATE_UNTRUSTED"


def test_a_word_given_by_sight_is_no_word_for_a_face(authority: Authority) -> None:
    with bench(authority) as made:
        client = made.client()
        challenge, once = client.challenge(), client._transport.once

        def as_a_face(*given: Any) -> tuple[int, bytearray]:
            method, path, body, *rest = given
            return once(method, path, json.dumps({**json.loads(body), "method": "face"}).encode(), *rest)

        client._transport.once = as_a_face  # type: ignore[method-assign, assignment]
        with pytest.raises(Refused) as refused:
            client.identify_by_sight("v", challenge, made.certificate(), "staff-7", "other")
        assert refused.value.code == "ASSERTION_INVALID"


def test_staff_vouch_by_sight_and_the_audit_says_who_and_why(authority: Authority) -> None:
    with bench(authority) as made:
        client = made.client()
        proof = (client.challenge(), made.certificate())
        assert client.identify_by_sight("visit-1", *proof, "staff-7", "pin-forgotten").questions
        record = client.visit("visit-1")
        assert record is not None and record.method == "visual"
        last = made.auditor().audit()[-1]
        assert (last.action, last.outcome, last.visit_id) == ("identify", "ok", "visit-1")
        assert (last.staff, last.reason) == ("staff-7", "pin-forgotten")


@pytest.mark.parametrize(("staff", "reason"), [("山田", "other"), ("staff-7", "has dementia"), ("", "other")])
def test_the_audit_takes_no_name_and_no_story(running: Bench, staff: str, reason: Any) -> None:
    client = running.client()
    with pytest.raises(ValueError, match=r"staff|reason"):
        client.identify_by_sight("v", client.challenge(), running.certificate(), staff, reason)


def test_the_audit_has_every_refusal_and_nothing_personal(authority: Authority) -> None:
    with bench(authority) as made:
        with pytest.raises(Refused):
            forged_signature(made, made.client())
        by_card(made, made.client())
        entries = made.auditor().audit()
        assert [(entry.action, entry.outcome) for entry in entries] == [
            ("identify", "SIGNATURE_INVALID"),
            ("identify", "ok"),
        ]
        assert {entry.terminal_id for entry in entries} == {"terminal-1"}
        shown = " ".join(entry.model_dump_json() for entry in entries)
        assert not any(secret in shown for secret in (HANAKO.name, HANAKO.name_kana, "345678", "A03"))
