"""The rules of consent."""

from calendar import isleap
from dataclasses import fields
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import Consents, Profile
from consent.choices import (
    Checkup,
    ConsentAnswer,
    EligibilityStatus,
    Item,
    Standing,
    age_on,
    available_until,
    checkup_on,
    confirms,
    may_bundle,
    offers_prescription,
    provides_limit,
    questions,
    recorded,
    standing,
)

DAY = date(2026, 11, 23)
BIRTHS = st.dates(date(1900, 1, 1), date(2026, 1, 1)) | st.sampled_from(
    [date(1984, 2, 29), date(1951, 2, 28), date(1951, 3, 1), date(1952, 2, 29), date(1986, 4, 1)]
)
DAYS = st.dates(date(2026, 1, 2), date(2060, 1, 1)) | st.sampled_from(
    [date(2027, 2, 28), date(2027, 3, 1), date(2028, 2, 28), date(2028, 2, 29), date(2028, 3, 1)]
)
PROFILES: st.SearchStrategy[Profile] = st.sampled_from(["leaflet-2023", "current"])
FACILITIES = st.builds(Consents, **{switch.name: st.booleans() for switch in fields(Consents)})
MIDDLE_AGED = date(1980, 6, 17)


def test_the_leaflet_asks_medication_then_checkup_then_limit() -> None:
    asked = questions("leaflet-2023", MIDDLE_AGED, DAY, Standing.VALID, Consents())
    assert asked == (Item.MEDICATION, Item.HEALTH_CHECKUP, Item.LIMIT_AMOUNT)


def test_the_day_before_the_fortieth_birthday_checkups_are_not_asked() -> None:
    day_before = questions("leaflet-2023", date(1986, 11, 24), DAY, Standing.VALID, Consents())
    birthday = questions("leaflet-2023", date(1986, 11, 23), DAY, Standing.VALID, Consents())
    assert day_before == (Item.MEDICATION, Item.LIMIT_AMOUNT)
    assert Item.HEALTH_CHECKUP in birthday


def test_the_current_profile_asks_what_the_facility_switched_on_and_never_the_limit() -> None:
    everything = Consents(diagnosis=True, operation=True, specific_disease=True)
    assert questions("current", MIDDLE_AGED, DAY, Standing.VALID, everything) == (
        Item.OPERATION,
        Item.DIAGNOSIS,
        Item.MEDICATION,
        Item.HEALTH_CHECKUP,
        Item.SPECIFIC_DISEASE,
    )
    nothing = Consents(medication=False, health_checkup=False)
    assert questions("current", MIDDLE_AGED, DAY, Standing.VALID, nothing) == ()


@pytest.mark.parametrize("state", [Standing.GRACE, Standing.EXPIRED])
def test_an_expired_certificate_asks_nothing(state: Standing) -> None:
    assert questions("leaflet-2023", MIDDLE_AGED, DAY, state, Consents()) == ()


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        (date(2027, 2, 24), Standing.VALID),
        (date(2027, 2, 23), Standing.EXPIRES_SOON),
        (date(2026, 11, 23), Standing.EXPIRES_SOON),
        (date(2026, 11, 22), Standing.GRACE),
        (date(2026, 8, 1), Standing.GRACE),
        (date(2026, 7, 31), Standing.EXPIRED),
    ],
)
def test_a_certificate_stands_by_the_day(expires: date, expected: Standing) -> None:
    assert standing(expires, DAY, 3) is expected


def test_without_grace_the_rest_of_the_month_of_expiry_still_counts() -> None:
    assert standing(date(2026, 11, 1), date(2026, 11, 30), 0) is Standing.GRACE
    assert standing(date(2026, 11, 1), date(2026, 12, 1), 0) is Standing.EXPIRED


def test_reminding_starts_on_the_last_day_of_a_short_month() -> None:
    assert standing(date(2027, 5, 31), date(2027, 2, 28), 3) is Standing.EXPIRES_SOON
    assert standing(date(2027, 5, 31), date(2027, 2, 27), 3) is Standing.VALID


def test_a_certificate_on_a_phone_has_no_grace() -> None:
    assert standing(DAY, DAY, None) is Standing.EXPIRES_SOON
    assert standing(DAY, DAY + timedelta(days=1), None) is Standing.EXPIRED


def test_a_leap_day_birthday_counts_from_the_first_of_march() -> None:
    assert age_on(date(1984, 2, 29), date(2025, 2, 28)) == 40
    assert age_on(date(1984, 2, 29), date(2025, 3, 1)) == 41
    assert age_on(date(1984, 2, 29), date(2024, 2, 29)) == 40


@given(st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.dates(date(2026, 1, 2), date(2100, 1, 1)))
def test_age_never_falls_from_one_day_to_the_next(birth: date, day: date) -> None:
    assert 0 <= age_on(birth, day + timedelta(days=1)) - age_on(birth, day) <= 1


@given(BIRTHS, DAYS)
def test_a_year_of_age_is_complete_at_the_end_of_the_day_before_the_birthday(birth: date, day: date) -> None:
    """年齢計算ニ関スル法律: the age of a day is that which the end of the day before completed."""
    assert age_on(birth, day) == completed_years(birth, day - timedelta(days=1))


def completed_years(birth: date, day: date) -> int:
    """Full years from birth to the end of a day, by counting: year n ends the day before its anniversary.

    A missing anniversary (29 February in a common year): the year ends with the last day of that month (民法143条2項).
    """
    years = 0
    while True:
        year = birth.year + years + 1
        leap_day = (birth.month, birth.day) == (2, 29)
        if leap_day and not isleap(year):
            last = date(year, 2, 28)
        else:
            last = date(year, birth.month, birth.day) - timedelta(days=1)
        if day < last:
            return years
        years += 1


@given(BIRTHS, DAYS)
def test_the_checkup_goes_by_age(birth: date, day: date) -> None:
    age, checkup = age_on(birth, day), checkup_on(birth, day)
    assert (checkup is None) == (age < 40)
    assert (checkup is Checkup.ELDERLY) == (age >= 75)


@pytest.mark.parametrize(
    ("birth", "checkup"),
    [
        (date(1986, 11, 24), None),
        (date(1986, 11, 23), Checkup.SPECIFIC),
        (date(1951, 11, 24), Checkup.SPECIFIC),
        (date(1951, 11, 23), Checkup.ELDERLY),
    ],
)
def test_the_checkup_changes_its_name_on_the_birthday(birth: date, checkup: Checkup | None) -> None:
    assert checkup_on(birth, DAY) is checkup


@given(PROFILES, BIRTHS, DAYS, st.sampled_from(Standing), FACILITIES, st.sampled_from(EligibilityStatus))
def test_no_question_is_asked_without_reason(
    profile: Profile,
    birth: date,
    day: date,
    good_for: Standing,
    facility: Consents,
    status: EligibilityStatus,
) -> None:
    asked = questions(profile, birth, day, good_for, facility, status)
    assert len(set(asked)) == len(asked)
    if good_for in (Standing.GRACE, Standing.EXPIRED) or status is not EligibilityStatus.VALID:
        assert asked == ()
    if age_on(birth, day) < 40:
        assert Item.HEALTH_CHECKUP not in asked
    if profile == "leaflet-2023":
        assert set(asked) <= {Item.MEDICATION, Item.HEALTH_CHECKUP, Item.LIMIT_AMOUNT}
        assert Item.LIMIT_AMOUNT not in asked[:-1]
    else:
        assert Item.LIMIT_AMOUNT not in asked
        assert all(getattr(facility, item.lower()) for item in asked)
    if not confirms(status):
        assert not offers_prescription(profile, "clinic", facility, status)
    assert not offers_prescription(profile, "pharmacy", facility, status)
    if may_bundle(profile, asked, facility):
        assert profile == "current" and facility.bundled and len(asked) > 1


@given(PROFILES, st.dictionaries(st.sampled_from(Item), st.sampled_from(ConsentAnswer)))
def test_what_is_recorded_adds_nothing_but_what_the_question_stood_for(
    profile: Profile, answers: dict[Item, ConsentAnswer]
) -> None:
    kept = recorded(answers, profile)
    added = {item for item in kept if kept[item] != answers.get(item)}
    assert added <= {Item.DIAGNOSIS}
    assert recorded(kept, profile) == kept
    if profile == "leaflet-2023":
        assert provides_limit(profile, kept) == (answers.get(Item.LIMIT_AMOUNT) is ConsentAnswer.GIVEN)
    else:
        assert kept == answers and provides_limit(profile, kept)


@given(DAYS, st.integers(0, 12))
def test_a_certificate_only_ever_gets_worse_and_the_grace_ends_with_a_month(
    expires: date, grace: int
) -> None:
    order = list(Standing)
    days = [expires + timedelta(days=offset) for offset in range(-100, 31 * (grace + 2))]
    seen = [standing(expires, day, grace) for day in days]
    assert [order.index(state) for state in seen] == sorted(order.index(state) for state in seen)
    last = max(day for day, state in zip(days, seen, strict=True) if state is not Standing.EXPIRED)
    assert (last + timedelta(days=1)).day == 1
    assert Standing.GRACE not in {standing(expires, day, None) for day in days}


@pytest.mark.parametrize(
    ("status", "goes_on"),
    [
        (EligibilityStatus.VALID, True),
        (EligibilityStatus.INVALID, False),
        (EligibilityStatus.SUPERSEDED, False),
        (EligibilityStatus.NOT_FOUND, False),
        (EligibilityStatus.AMBIGUOUS, False),
        (EligibilityStatus.UNREGISTERED, True),
    ],
)
def test_a_visit_goes_on_only_with_a_qualification_that_is_valid(
    status: EligibilityStatus, goes_on: bool
) -> None:
    assert confirms(status) is goes_on


def test_the_leaflets_medication_answer_is_recorded_for_diagnoses_too() -> None:
    answers = {Item.MEDICATION: ConsentAnswer.DECLINED, Item.LIMIT_AMOUNT: ConsentAnswer.GIVEN}
    assert recorded(answers, "leaflet-2023") == {**answers, Item.DIAGNOSIS: ConsentAnswer.DECLINED}
    assert recorded(answers, "current") == answers


def test_a_consent_holds_for_exactly_a_day() -> None:
    japan = timezone(timedelta(hours=9))
    assert available_until(datetime(2023, 2, 21, 17, 48, 35, tzinfo=japan)) == datetime(
        2023, 2, 22, 17, 48, 35, tzinfo=japan
    )
