"""What the server tells the receipt computer: of a visit, and by the numbers of the insurance."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import Consents, Profile, Server, Site
from config.person import Insurance, Person
from consent.choices import ConsentAnswer, EligibilityStatus, Item
from consent.coverage import is_preschool
from consent.eligibility import Eligibility, EligibilityClient, Refused
from consent.server.certificates import Authority
from consent.wire import InsuredQuery, Qualification, ReferenceRequest
from tests.support.servers import HANAKO, NOON, TERMINAL, Bench, bench, person

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED
TARO = person(
    "taro",
    birth_date=date(1954, 3, 1),
    post_number="1020082",
    insurance=Insurance(
        symbol="12",
        number="999",
        branch="01",
        family=True,
        insured_name="山田　一郎",
        share=20,
        limit_category="B04",
        specific_diseases=(1,),
        lost_on=date(2027, 3, 31),
    ),
)
BY_NUMBER: dict[str, Any] = {
    "institution_code": "1312345676",
    "insurer_number": "06139992",
    "symbol": "12",
    "number": "345678",
    "branch": "00",
    "birth_date": HANAKO.birth_date,
}


@pytest.fixture(scope="module")
def running(authority: Authority) -> Iterator[Bench]:
    with bench(authority, HANAKO, TARO) as made:
        yield made


def client_of(
    made: Bench, profile: Profile = "leaflet-2023", code: str = "1312345676", **switches: bool
) -> EligibilityClient:
    identity = made.authority.enrol_terminal(TERMINAL)
    site = Site(institution_code=code)
    client = EligibilityClient(Server(url=made.server.url), identity, profile, Consents(**switches), site)
    made.clients.append(client)
    return client


def visit(
    made: Bench, client: EligibilityClient, answers: dict[Item, ConsentAnswer], someone: Person = HANAKO
) -> Any:
    visit_id = uuid4().hex
    found = client.identify_by_face(visit_id, client.challenge(), made.certificate(someone), 0.3)
    client.send_consents(visit_id, whole(found, answers))
    return client.result(visit_id)


def whole(found: Eligibility, answers: dict[Item, ConsentAnswer]) -> dict[Item, ConsentAnswer]:
    """Return an answer to every question; what the test does not speak of is declined."""
    return dict.fromkeys(found.questions, DECLINED) | answers


def category_of(told: tuple[Qualification, ...]) -> str:
    """Return the limit category of the one qualification that is told; empty when there is none."""
    (one,) = told
    return one.limit.category if one.limit else ""


def identified(made: Bench, client: EligibilityClient, someone: Person = HANAKO) -> str:
    """Identify, and return the new visit's id."""
    visit_id = uuid4().hex
    client.identify_by_face(visit_id, client.challenge(), made.certificate(someone), 0.3)
    return visit_id


def test_the_result_of_a_visit_holds_consents_times_and_insurance(running: Bench) -> None:
    told = visit(running, client_of(running), {Item.MEDICATION: GIVEN, Item.LIMIT_AMOUNT: GIVEN}, TARO)
    assert told.visit.answers == {
        Item.MEDICATION: GIVEN,
        Item.DIAGNOSIS: GIVEN,
        Item.HEALTH_CHECKUP: DECLINED,
        Item.LIMIT_AMOUNT: GIVEN,
    }
    assert (told.visit.recorded_at, told.visit.available_until) == (NOON, NOON + timedelta(hours=24))
    assert (told.institution_code, told.limit_provided) == ("1312345676", True)
    (found,) = told.qualifications
    assert (found.name, found.insured_name, found.family) == (TARO.name, "山田　一郎", True)
    assert (found.post_number, found.sex, found.share) == ("1020082", 2, None)
    assert (found.qualified_on, found.issued_on, found.lost_on) == (
        date(2020, 4, 1),
        date(2020, 4, 1),
        date(2027, 3, 31),
    )
    assert (found.elderly.share, found.preschool) == (20, False)
    assert (found.limit.category, found.diseases) == ("B04", ())


@pytest.mark.parametrize(
    ("profile", "answers", "category"),
    [
        ("leaflet-2023", {Item.LIMIT_AMOUNT: DECLINED}, ""),
        ("leaflet-2023", {}, ""),
        ("leaflet-2023", {Item.LIMIT_AMOUNT: GIVEN}, "A03"),
        ("current", {}, "A03"),
    ],
)
def test_the_limit_category_goes_only_where_it_is_provided(
    running: Bench, profile: Profile, answers: dict[Item, ConsentAnswer], category: str
) -> None:
    told = visit(running, client_of(running, profile), answers)
    assert category_of(told.qualifications) == category


@pytest.mark.parametrize(
    ("profile", "answers", "before", "after"),
    [
        ("leaflet-2023", {Item.LIMIT_AMOUNT: GIVEN}, "", "A03"),
        ("leaflet-2023", {Item.LIMIT_AMOUNT: DECLINED}, "", ""),
        ("leaflet-2023", {}, "", ""),
        ("current", {}, "A03", "A03"),
    ],
)
def test_the_counter_gets_the_limit_category_not_before_the_patients_yes(
    running: Bench, profile: Profile, answers: dict[Item, ConsentAnswer], before: str, after: str
) -> None:
    client, visit_id = client_of(running, profile), uuid4().hex
    found = client.identify_by_face(visit_id, client.challenge(), running.certificate(), 0.3)
    assert found.counter.limit_category == before
    for _ in range(2):
        assert client.send_consents(visit_id, whole(found, answers)).limit_category == after


def test_before_the_consents_are_recorded_nothing_is_provided(running: Bench) -> None:
    client = client_of(running, "current")
    told = client.result(identified(running, client))
    assert told.visit.recorded_at is None and not told.limit_provided
    assert len(told.qualifications) == 1 and category_of(told.qualifications) == ""


def test_specific_diseases_are_told_after_a_yes(running: Bench) -> None:
    client = client_of(running, "current", specific_disease=True)
    told = visit(running, client, {Item.SPECIFIC_DISEASE: GIVEN}, TARO)
    assert [one.disease for one in told.qualifications[0].diseases] == [1]


def test_a_result_is_only_for_the_terminal_that_identified_the_visit(running: Bench) -> None:
    visit_id = identified(running, client_of(running))
    with pytest.raises(Refused) as refused:
        running.client("terminal-2").result(visit_id)
    assert refused.value.code == "VISIT_OF_OTHER_TERMINAL"
    with pytest.raises(Refused) as refused:
        running.client().result("never-seen")
    assert refused.value.code == "VISIT_UNKNOWN"


@pytest.mark.parametrize("validity", ["not-found", "ambiguous"])
def test_no_single_qualification_is_none(authority: Authority, validity: Any) -> None:
    someone = replace(HANAKO, insurance=Insurance(validity=validity))
    with bench(authority, someone) as made:
        client = client_of(made)
        told = client.result(identified(made, client, someone))
        assert (told.visit.status, told.qualifications) == (EligibilityStatus(validity), ())


def test_an_insured_person_is_found_by_the_numbers(running: Bench) -> None:
    client = running.client()
    status, found = client.insured(InsuredQuery(**BY_NUMBER))
    assert status is EligibilityStatus.VALID
    assert ([one.name for one in found], category_of(found)) == ([HANAKO.name], "")
    _, found = client.insured(InsuredQuery(**{**BY_NUMBER, "branch": ""}, limit_consent=True))
    assert category_of(found) == "A03"


@pytest.mark.parametrize(
    "other", [{"number": "1"}, {"symbol": "13"}, {"branch": "01"}, {"birth_date": date(1980, 6, 18)}]
)
def test_any_other_number_finds_nobody(running: Bench, other: dict[str, Any]) -> None:
    query = InsuredQuery(**{**BY_NUMBER, **other})
    assert running.client().insured(query) == (EligibilityStatus.NOT_FOUND, ())


def test_two_with_the_same_numbers_are_nobody_for_certain(authority: Authority) -> None:
    with bench(authority, HANAKO, person("twin")) as made:
        query = InsuredQuery(**BY_NUMBER)
        assert made.client().insured(query) == (EligibilityStatus.AMBIGUOUS, ())
        with pytest.raises(Refused) as refused:
            made.client().register_reference(ReferenceRequest(**BY_NUMBER, reference_number="0042"))
        assert refused.value.code == "INSURED_AMBIGUOUS"


def test_a_chart_number_is_echoed_to_its_own_facility_only(running: Bench) -> None:
    client = client_of(running)
    client.register_reference(ReferenceRequest(**BY_NUMBER, reference_number="0041"))
    client.register_reference(ReferenceRequest(**BY_NUMBER, reference_number="0042"))
    found = client.identify_by_face("chart-1", client.challenge(), running.certificate(), 0.3)
    assert found.counter.reference_number == "0042"
    assert [one.reference_number for one in client.result("chart-1").qualifications] == ["0042"]
    _, told = client.insured(InsuredQuery(**BY_NUMBER))
    assert [one.reference_number for one in told] == ["0042"]
    elsewhere = client_of(running, code="0000000001")
    found = elsewhere.identify_by_face("chart-2", elsewhere.challenge(), running.certificate(), 0.3)
    assert found.counter.reference_number == ""


def test_a_chart_number_of_nobody_is_refused(running: Bench) -> None:
    request = ReferenceRequest(**{**BY_NUMBER, "number": "1"}, reference_number="0042")
    with pytest.raises(Refused) as refused:
        running.client().register_reference(request)
    assert refused.value.code == "INSURED_UNKNOWN"


@pytest.mark.parametrize(
    ("birth", "last_day"),
    [
        (date(2020, 4, 1), date(2026, 3, 31)),
        (date(2020, 4, 2), date(2027, 3, 31)),
        (date(2020, 3, 31), date(2026, 3, 31)),
        (date(2020, 2, 29), date(2026, 3, 31)),
    ],
)
def test_school_begins_in_april(birth: date, last_day: date) -> None:
    assert is_preschool(birth, last_day)
    assert not is_preschool(birth, last_day + timedelta(days=1))


@given(st.dates(date(1950, 1, 1), date(2026, 1, 1)))
def test_preschool_ends_between_six_and_seven(birth: date) -> None:
    assert is_preschool(birth, birth + timedelta(days=6 * 365 - 1))
    assert not is_preschool(birth, birth + timedelta(days=7 * 366))
