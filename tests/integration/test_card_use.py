"""The first visit with a card (利用申込), and the optional steps of profile ``current``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from config import Consents, Server, Site
from config.person import Insurance
from consent.choices import ConsentAnswer, EligibilityStatus, Item, PrescriptionForm
from consent.eligibility import Eligibility, EligibilityClient, Refused
from consent.server.certificates import Authority
from tests.support.servers import HANAKO, TERMINAL, Bench, bench, whole

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED
NEW = replace(HANAKO, insurance=replace(HANAKO.insurance, registered=False))


@pytest.fixture
def first_visit(authority: Authority) -> Iterator[Bench]:
    with bench(authority, NEW) as made:
        yield made


def identify(made: Bench, client: EligibilityClient, visit_id: str = "visit-1") -> Eligibility:
    return client.identify_by_face(visit_id, client.challenge(), made.certificate(), 0.3)


def refusal_of(client: EligibilityClient, *given: Any) -> str:
    with pytest.raises(Refused) as refused:
        client.send_consents("visit-1", *given)
    return refused.value.code


def test_a_card_that_is_not_registered_is_offered_registration_and_told_nothing(first_visit: Bench) -> None:
    found = identify(first_visit, first_visit.client())
    assert found.card_use_offered
    assert (found.status, found.questions) == (EligibilityStatus.UNREGISTERED, ())
    assert (found.counter.number, found.counter.share) == ("", None)
    told = first_visit.client().result("visit-1")
    assert told.qualifications == ()


def test_a_registration_brings_the_questions_and_is_not_offered_again(first_visit: Bench) -> None:
    client = first_visit.client()
    identify(first_visit, client)
    found = client.answer_card_use("visit-1", GIVEN)
    assert (found.status, found.card_use_offered) == (EligibilityStatus.VALID, False)
    assert found.questions == (Item.MEDICATION, Item.HEALTH_CHECKUP, Item.LIMIT_AMOUNT)
    assert found.counter.number == "345678"
    client.send_consents("visit-1", whole(MEDICATION=GIVEN))
    record = client.visit("visit-1")
    assert record is not None
    assert (record.card_use, record.status) == (GIVEN, EligibilityStatus.VALID)
    assert not identify(first_visit, client, "visit-2").card_use_offered


def test_who_declines_ends_the_visit_and_is_offered_it_again_next_time(first_visit: Bench) -> None:
    client = first_visit.client()
    identify(first_visit, client)
    found = client.answer_card_use("visit-1", DECLINED)
    assert (found.status, found.card_use_offered) == (EligibilityStatus.UNREGISTERED, False)
    assert found.questions == () and found.counter.number == ""
    assert refusal_of(client, {}) == "CARD_USE_DECLINED"
    record = client.visit("visit-1")
    assert record is not None and (record.card_use, record.recorded_at) == (DECLINED, None)
    assert identify(first_visit, client, "visit-2").card_use_offered


def test_consents_wait_for_the_registration(first_visit: Bench) -> None:
    client = first_visit.client()
    identify(first_visit, client)
    assert refusal_of(client, {}) == "CARD_USE_NOT_ANSWERED"


@pytest.mark.parametrize("fault", ["drop", "drop_before", "500", "garbage", "delay"])
def test_a_lost_answer_to_the_registration_is_asked_again_and_registers_once(
    first_visit: Bench, fault: Any
) -> None:
    client = EligibilityClient(
        Server(url=first_visit.server.url, read_timeout_s=0.3), first_visit.authority.enrol_terminal(TERMINAL)
    )
    first_visit.clients.append(client)
    identify(first_visit, first_visit.client())
    first_visit.server.faults.next(fault)
    assert client.answer_card_use("visit-1", GIVEN).questions
    assert client.answer_card_use("visit-1", GIVEN).questions
    with pytest.raises(Refused) as refused:
        client.answer_card_use("visit-1", DECLINED)
    assert refused.value.code == "CARD_USE_DIFFERS"


def test_a_registered_card_is_offered_nothing(authority: Authority) -> None:
    with bench(authority) as made:
        client = made.client()
        assert not identify(made, client).card_use_offered
        with pytest.raises(Refused) as refused:
            client.answer_card_use("visit-1", GIVEN)
        assert refused.value.code == "CARD_USE_NOT_OFFERED"


@pytest.mark.parametrize("validity", ["invalid", "superseded", "not-found", "ambiguous"])
def test_nothing_is_recorded_for_insurance_that_is_not_valid(authority: Authority, validity: Any) -> None:
    someone = replace(HANAKO, insurance=Insurance(validity=validity))
    with bench(authority, someone) as made:
        client = made.client()
        identify(made, client)
        assert refusal_of(client, {}) == "ELIGIBILITY_NOT_CONFIRMED"


def test_valid_without_viewable_data_is_recorded_without_questions(authority: Authority) -> None:
    someone = replace(HANAKO, insurance=Insurance(validity="unregistered", classification="A1"))
    with bench(authority, someone) as made:
        client = made.client()
        assert identify(made, client).questions == ()
        client.send_consents("visit-1", {})
        assert [one.classification for one in client.result("visit-1").qualifications] == ["A1"]


def client_of(made: Bench, kind: Any = "clinic", profile: Any = "current") -> EligibilityClient:
    everything = Consents(medical_subsidy=True, prescription=True)
    identity = made.authority.enrol_terminal(TERMINAL)
    client = EligibilityClient(
        Server(url=made.server.url), identity, profile, everything, Site(facility_kind=kind)
    )
    made.clients.append(client)
    return client


def test_the_optional_steps_are_asked_and_recorded(authority: Authority) -> None:
    with bench(authority) as made:
        client = client_of(made)
        found = identify(made, client)
        assert (found.prescription_offered, found.bundled) == (True, True)
        answers = dict.fromkeys(found.questions, GIVEN)
        client.send_consents("visit-1", answers, PrescriptionForm.PAPER)
        record = client.visit("visit-1")
        assert record is not None
        assert (record.prescription, record.answers) == (PrescriptionForm.PAPER, answers)
        assert refusal_of(client, answers, PrescriptionForm.ELECTRONIC) == "CONSENTS_DIFFER"


@pytest.mark.parametrize(("kind", "profile"), [("pharmacy", "current"), ("clinic", "leaflet-2023")])
def test_a_form_of_prescription_that_was_not_asked_is_refused(
    authority: Authority, kind: str, profile: str
) -> None:
    with bench(authority) as made:
        client = client_of(made, kind, profile)
        assert not identify(made, client).prescription_offered
        assert refusal_of(client, {}, PrescriptionForm.PAPER) == "PRESCRIPTION_NOT_OFFERED"
