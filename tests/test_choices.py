"""The rules of consent."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import Consents
from consent.choices import (
    ConsentAnswer,
    Item,
    Standing,
    age_on,
    available_until,
    questions,
    recorded,
    standing,
)

DAY = date(2026, 11, 23)
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


def test_the_leaflets_medication_answer_is_recorded_for_diagnoses_too() -> None:
    answers = {Item.MEDICATION: ConsentAnswer.DECLINED, Item.LIMIT_AMOUNT: ConsentAnswer.GIVEN}
    assert recorded(answers, "leaflet-2023") == {**answers, Item.DIAGNOSIS: ConsentAnswer.DECLINED}
    assert recorded(answers, "current") == answers


def test_a_consent_holds_for_exactly_a_day() -> None:
    japan = timezone(timedelta(hours=9))
    assert available_until(datetime(2023, 2, 21, 17, 48, 35, tzinfo=japan)) == datetime(
        2023, 2, 22, 17, 48, 35, tzinfo=japan
    )
