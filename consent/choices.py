"""The rules of consent: who is asked what, in which order, and how long an answer holds.

Ages are counted as Japanese law does (年齢計算ニ関スル法律): a year of age is complete at the end of the day before
the birthday, so it counts on every visit from the birthday on. Who was born on 29 February is a year older at the end
of 28 February: from 1 March in a common year. Days are days in Japan.
"""

from calendar import monthrange
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from config import Consents, Profile

HEALTH_CHECKUP_AGE = 40
"""特定健診 begins at 40; younger people have no checkup results to show."""

ELDERLY_CHECKUP_AGE = 75
"""From 75 the checkup is called 高齢者健診; it is asked by the same question."""

REMINDER_MONTHS = 3
"""Readers tell the holder from three months before the certificate expires."""

VIEWING_TIME = timedelta(hours=24)
"""How long staff may view what was consented to."""

FacilityKind = Literal["clinic", "pharmacy"]

VisualReason = Literal[
    "face-failed", "pin-forgotten", "pin-blocked", "cannot-operate", "camera-down", "other"
]
"""Why staff looked: a word from this list, so that nothing clinical can be written into it."""


class Item(StrEnum):
    """What a patient may let the facility see."""

    MEDICATION = "MEDICATION"
    DIAGNOSIS = "DIAGNOSIS"
    OPERATION = "OPERATION"
    HEALTH_CHECKUP = "HEALTH_CHECKUP"
    LIMIT_AMOUNT = "LIMIT_AMOUNT"
    SPECIFIC_DISEASE = "SPECIFIC_DISEASE"
    RECORD_SHARING = "RECORD_SHARING"
    """電子カルテ情報共有サービス: letters (紹介状) and the six kinds of records (6情報) of other clinics."""
    MEDICAL_SUBSIDY = "MEDICAL_SUBSIDY"
    """医療費助成, asked for each certificate (受給者証). Declined says "not used on this visit"; it never says that the
    patient is not entitled."""


class ConsentAnswer(StrEnum):
    """A patient's answer to one question."""

    GIVEN = "given"
    DECLINED = "declined"


class PrescriptionForm(StrEnum):
    """How the patient wants a prescription to be issued (処方箋発行形態)."""

    ELECTRONIC = "electronic"
    PAPER = "paper"


class Checkup(StrEnum):
    """What the health checkup is called at the patient's age."""

    SPECIFIC = "specific"
    """特定健診"""
    ELDERLY = "elderly"
    """高齢者健診"""


class EligibilityStatus(StrEnum):
    """What the insurers know of the person (資格有効性, QualificationValidity 1 to 6)."""

    VALID = "valid"
    INVALID = "invalid"
    SUPERSEDED = "superseded"
    """Invalid, and the insurers know a newer qualification."""
    NOT_FOUND = "not-found"
    AMBIGUOUS = "ambiguous"
    """More than one qualification fits; none may be taken by chance."""
    UNREGISTERED = "unregistered"
    """Valid, without viewable data (医療扶助); or a card whose use as insurance card was never applied for."""


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
    """Return the age in complete years; 29 February: see the module's first words."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def checkup_on(birth: date, day: date) -> Checkup | None:
    """Return which checkup is the patient's on a day; None for those too young for one."""
    age = age_on(birth, day)
    if age < HEALTH_CHECKUP_AGE:
        return None
    return Checkup.ELDERLY if age >= ELDERLY_CHECKUP_AGE else Checkup.SPECIFIC


def confirms(status: EligibilityStatus) -> bool:
    """Say whether a visit goes on: only with a qualification that is valid today (codes 1 and 6).

    A superseded one (3) is invalid as well: staff must learn the new insurer before anything is charged to it.
    """
    return status in (EligibilityStatus.VALID, EligibilityStatus.UNREGISTERED)


def questions(
    profile: Profile,
    birth_date: date,
    day: date,
    standing: Standing,
    facility: Consents,
    status: EligibilityStatus = EligibilityStatus.VALID,
    subsidies: int = 0,
) -> tuple[Item, ...]:
    """Return what the patient is asked, in asking order.

    Nothing once the certificate has expired, and nothing where there is no record that could be looked at.
    ``subsidies``: how many certificates of medical subsidies (受給者証) hold on the day. Each is asked by itself, the
    item stands once; without one nothing is asked of it.
    """
    if standing in (Standing.GRACE, Standing.EXPIRED) or status is not EligibilityStatus.VALID:
        return ()
    old_enough = checkup_on(birth_date, day) is not None
    if profile == "leaflet-2023":
        asked = {Item.MEDICATION: True, Item.HEALTH_CHECKUP: old_enough, Item.LIMIT_AMOUNT: True}
    else:
        asked = {
            Item.OPERATION: facility.operation,
            Item.DIAGNOSIS: facility.diagnosis,
            Item.MEDICATION: facility.medication,
            Item.HEALTH_CHECKUP: facility.health_checkup and old_enough,
            Item.SPECIFIC_DISEASE: facility.specific_disease,
            Item.RECORD_SHARING: facility.record_sharing,
            Item.MEDICAL_SUBSIDY: facility.medical_subsidy and subsidies > 0,
        }
    return tuple(item for item, is_asked in asked.items() if is_asked)


def may_bundle(profile: Profile, asked: tuple[Item, ...], facility: Consents) -> bool:
    """Say whether 包括同意, one answer for every question, is offered beside one by one.

    The answers are recorded item by item either way, as if each question had been answered so. Certificates of medical
    subsidies are no part of it: who shows no records must not lose a subsidy by that.
    """
    together = [item for item in asked if item is not Item.MEDICAL_SUBSIDY]
    return profile == "current" and facility.bundled and len(together) > 1


def offers_prescription(
    profile: Profile, kind: FacilityKind, facility: Consents, status: EligibilityStatus
) -> bool:
    """Say whether the patient chooses 電子処方箋 or paper: in clinics that issue both, not in pharmacies."""
    return profile == "current" and kind == "clinic" and facility.prescription and confirms(status)


def recorded(
    answers: Mapping[Item, ConsentAnswer], profile: Profile, subsidies: Iterable[ConsentAnswer] = ()
) -> dict[Item, ConsentAnswer]:
    """Return the answers as they are recorded.

    The leaflet asks for "past medical and medication information" in one question, so that its answer stands
    for the diagnoses too. ``subsidies``: the answers to each certificate; the item is given when one of them is used.
    """
    result = dict(answers)
    used = list(subsidies)
    if used:
        given = ConsentAnswer.GIVEN in used
        result[Item.MEDICAL_SUBSIDY] = ConsentAnswer.GIVEN if given else ConsentAnswer.DECLINED
    if profile == "leaflet-2023" and Item.MEDICATION in answers:
        result[Item.DIAGNOSIS] = answers[Item.MEDICATION]
    return result


def provides_limit(profile: Profile, answers: Mapping[Item, ConsentAnswer]) -> bool:
    """Say whether 限度額情報 goes to the facility: since 2024-10 without a question, in the leaflet after a yes."""
    return profile == "current" or answers.get(Item.LIMIT_AMOUNT) is ConsentAnswer.GIVEN


def available_until(given_at: datetime) -> datetime:
    """Return when viewing ends: exactly 24 hours after the consent was given."""
    return given_at + VIEWING_TIME


def _months_later(day: date, months: int) -> date:
    """Move by whole months; a day that the month lacks becomes its last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
