"""The rules of consent: who is asked what, in which order, and how long an answer holds."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum

from config import Consents, Profile

HEALTH_CHECKUP_AGE = 40
"""特定健診 begins at 40; younger people have no checkup results to show."""

REMINDER_MONTHS = 3
"""Readers tell the holder from three months before the certificate expires."""

VIEWING_TIME = timedelta(hours=24)
"""How long staff may view what was consented to."""


class Item(StrEnum):
    """What a patient may let the facility see."""

    MEDICATION = "MEDICATION"
    DIAGNOSIS = "DIAGNOSIS"
    OPERATION = "OPERATION"
    HEALTH_CHECKUP = "HEALTH_CHECKUP"
    LIMIT_AMOUNT = "LIMIT_AMOUNT"
    SPECIFIC_DISEASE = "SPECIFIC_DISEASE"
    MEDICAL_SUBSIDY = "MEDICAL_SUBSIDY"


class ConsentAnswer(StrEnum):
    """A patient's answer to one question."""

    GIVEN = "given"
    DECLINED = "declined"


class Standing(StrEnum):
    """What the certificate is still good for on a day."""

    VALID = "valid"
    EXPIRES_SOON = "expires-soon"
    GRACE = "grace"
    """Expired, but eligibility may still be confirmed; nothing may be consented to."""
    EXPIRED = "expired"


def standing(expires: date, day: date, grace_months: int | None) -> Standing:
    """Say what a certificate whose last day is ``expires`` is good for on ``day``.

    The grace runs to the end of the month that lies ``grace_months`` after the month of expiry; None: there is
    no grace, as for certificates on phones.
    """
    if day <= expires:
        return Standing.EXPIRES_SOON if day >= _months_later(expires, -REMINDER_MONTHS) else Standing.VALID
    if grace_months is None:
        return Standing.EXPIRED
    months_past = (day.year - expires.year) * 12 + day.month - expires.month
    return Standing.GRACE if months_past <= grace_months else Standing.EXPIRED


def age_on(birth: date, day: date) -> int:
    """Return the calendar age; who was born on 29 February has birthday on 1 March in a common year."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def questions(
    profile: Profile, birth_date: date, day: date, standing: Standing, facility: Consents
) -> tuple[Item, ...]:
    """Return what the patient is asked, in asking order; nothing once the certificate has expired."""
    if standing in (Standing.GRACE, Standing.EXPIRED):
        return ()
    old_enough = age_on(birth_date, day) >= HEALTH_CHECKUP_AGE
    if profile == "leaflet-2023":
        asked = {Item.MEDICATION: True, Item.HEALTH_CHECKUP: old_enough, Item.LIMIT_AMOUNT: True}
    else:
        asked = {
            Item.OPERATION: facility.operation,
            Item.DIAGNOSIS: facility.diagnosis,
            Item.MEDICATION: facility.medication,
            Item.HEALTH_CHECKUP: facility.health_checkup and old_enough,
            Item.SPECIFIC_DISEASE: facility.specific_disease,
        }
    return tuple(item for item, is_asked in asked.items() if is_asked)


def recorded(answers: Mapping[Item, ConsentAnswer], profile: Profile) -> dict[Item, ConsentAnswer]:
    """Return the answers as they are recorded.

    The leaflet asks for "past medical and medication information" in one question, so that its answer stands
    for the diagnoses too.
    """
    result = dict(answers)
    if profile == "leaflet-2023" and Item.MEDICATION in answers:
        result[Item.DIAGNOSIS] = answers[Item.MEDICATION]
    return result


def available_until(given_at: datetime) -> datetime:
    """Return when viewing ends: exactly 24 hours after the consent was given."""
    return given_at + VIEWING_TIME


def _months_later(day: date, months: int) -> date:
    """Move by whole months; a day that the month lacks becomes its last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
