"""Who is insured how on a day: worked out from the dates of a person's qualifications; pure.

A day is judged by its own dates: a qualification holds from its first day to the day before its loss.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from config.insurance import (
    LATE_ELDERLY_AGE,
    DiseaseCertificate,
    ElderlyCertificate,
    LimitCertificate,
    MedicalTicket,
    Qualification,
    birthday,
    elderly_from,
)
from consent.choices import EligibilityStatus

SCHOOL_AGE = 6
SHARE, SHARE_PRESCHOOL, SHARE_ELDERLY, SHARE_LATE_ELDERLY = 30, 20, 20, 10


@dataclass(frozen=True)
class Coverage:
    """What is known of one person on one day."""

    status: EligibilityStatus
    found: tuple[Qualification, ...] = ()
    """Several where two hold at once, or where a newer one is known beside one that was lost."""


def coverage(known: Iterable[Qualification], birth: date, day: date) -> Coverage:
    """Return what a card tells on a day of somebody with these qualifications, oldest first."""
    known = tuple(_by_law(one, birth, day) for one in known)
    current = [one for one in known if holds(one, day)]
    if sum(not one.is_assistance for one in current) > 1:
        return Coverage(EligibilityStatus.AMBIGUOUS)
    if current:
        status = EligibilityStatus.VALID
        if not any(_has_records(one, day) for one in current):
            status = EligibilityStatus.UNREGISTERED
        return Coverage(status, tuple(sorted(current, key=lambda one: one.is_assistance)))
    return _lost(known, known, day)


def coverage_by_number(
    fitting: Iterable[Qualification], known: Iterable[Qualification], birth: date, day: date
) -> Coverage:
    """Return what is told on a day to who asks by numbers that fit some of a person's qualifications."""
    fitting = tuple(_by_law(one, birth, day) for one in fitting)
    known = tuple(_by_law(one, birth, day) for one in known)
    current = [one for one in fitting if holds(one, day)]
    if len(current) > 1:
        return Coverage(EligibilityStatus.AMBIGUOUS)
    if not current:
        return _lost(fitting, known, day)
    has_records = _has_records(current[0], day)
    status = EligibilityStatus.VALID if has_records else EligibilityStatus.UNREGISTERED
    return Coverage(status, (current[0],))


def holds(one: Qualification, day: date) -> bool:
    """Say whether a qualification holds on a day; on the day of its loss it does not."""
    return one.qualified_on <= day and (one.lost_on is None or day < one.lost_on)


def _by_law(one: Qualification, birth: date, day: date) -> Qualification:
    """Let an insurance end with the 75th birthday, from which a 広域連合 insures everybody; before, nobody tells it."""
    end = birthday(birth, LATE_ELDERLY_AGE)
    stays = one.is_late_elderly or one.is_assistance or (one.lost_on is not None and one.lost_on <= end)
    if stays or day < end or one.qualified_on >= end:
        return one
    return replace(one, lost_on=end, reason_of_loss="03", newer_known=True)


def _lost(fitting: tuple[Qualification, ...], known: tuple[Qualification, ...], day: date) -> Coverage:
    past = [one for one in fitting if one.lost_on is not None and one.lost_on <= day]
    if not past:
        return Coverage(EligibilityStatus.NOT_FOUND)
    last = max(past, key=lambda one: one.lost_on or day)
    newer = [one for one in known if one.qualified_on > last.qualified_on]
    if newer:
        # The one that holds now, or else the next to come.
        best = next((one for one in newer if holds(one, day)), newer[0])
        return Coverage(EligibilityStatus.SUPERSEDED, (last, best))
    status = EligibilityStatus.SUPERSEDED if last.newer_known else EligibilityStatus.INVALID
    return Coverage(status, (last,))


def _has_records(one: Qualification, day: date) -> bool:
    """Say whether records can be looked at; of medical assistance only in a month with a ticket."""
    return one.records and (not one.is_assistance or bool(tickets_on(one, day)))


# --- What somebody pays, and the certificates -------------------------------------------------------------------


def elderly_on(one: Qualification, birth: date, day: date) -> ElderlyCertificate | None:
    """Return the 高齢受給者証 of a day with all its dates; None for who has none."""
    if one.is_late_elderly or one.is_assistance or not holds(one, day):
        return None
    stated = one.elderly or ElderlyCertificate()
    begun = stated.valid_from or max(elderly_from(birth), one.qualified_on)
    end = _until(one, stated.valid_until or birthday(birth, LATE_ELDERLY_AGE) - timedelta(days=1))
    if not begun <= day <= end:
        return None
    return ElderlyCertificate(stated.issued_on or begun, begun, end)


def share_on(one: Qualification, birth: date, day: date) -> int:
    """Return the patient's part of the cost on a day, in percent."""
    if one.is_assistance:
        return 0
    if one.is_late_elderly:
        return SHARE_LATE_ELDERLY if one.share is None else one.share
    if is_preschool(birth, day):
        return SHARE_PRESCHOOL
    if elderly_on(one, birth, day):
        return SHARE_ELDERLY if one.share is None else one.share
    return SHARE


def limit_on(one: Qualification, birth: date, day: date) -> LimitCertificate | None:
    """Return the 限度額適用認定証 of a day with all its dates; None for who has none.

    One that says no dates holds for the year from August in which the day lies. Categories A are for those below 70, B
    for the others, so that no certificate outlasts the change.
    """
    if not holds(one, day):
        return None
    for stated in one.limits:
        first, last = _months_of(stated.category, one, birth)
        year = day.year - (day.month < 8)
        begun = stated.valid_from or max(first, one.qualified_on, date(year, 8, 1))
        end = min(stated.valid_until or date(year + 1, 7, 31), last)
        if first <= begun <= day <= _until(one, end):
            return LimitCertificate(
                stated.category, stated.issued_on or begun, begun, _until(one, end), stated.long_term_from
            )
    return None


def _months_of(category: str, one: Qualification, birth: date) -> tuple[date, date]:
    """Return the first and the last day on which somebody may have a category."""
    if one.is_late_elderly:
        return one.qualified_on, date.max
    if category.startswith("A"):
        return birth, elderly_from(birth) - timedelta(days=1)
    return elderly_from(birth), birthday(birth, LATE_ELDERLY_AGE) - timedelta(days=1)


def diseases_on(one: Qualification, day: date) -> tuple[DiseaseCertificate, ...]:
    """Return the 特定疾病療養受療証 that hold on a day, with their dates."""
    found = []
    for stated in one.diseases:
        begun = stated.valid_from or one.qualified_on
        end = None if stated.valid_until is None and one.lost_on is None else _until(one, stated.valid_until)
        if holds(one, day) and begun <= day and (end is None or day <= end):
            found.append(
                DiseaseCertificate(stated.disease, stated.issued_on or begun, begun, end, stated.self_pay_yen)
            )
    return tuple(found)


def tickets_on(one: Qualification, day: date) -> tuple[MedicalTicket, ...]:
    """Return the tickets of the month in which a day lies."""
    return tuple(ticket for ticket in one.tickets if holds(one, day) and ticket.month == f"{day:%Y%m}")


def _until(one: Qualification, end: date | None) -> date:
    """Return the last day of a certificate: none outlasts the insurance."""
    last = one.lost_on - timedelta(days=1) if one.lost_on else date.max
    return min(last, end or date.max)


def is_preschool(birth: date, day: date) -> bool:
    """Say whether school has not begun: until the first 31 March on or after the day the sixth year is complete.

    That day is the one before the sixth birthday, so who was born on 1 April goes to school a year earlier.
    """
    leap = birth.replace(day=28) if (birth.month, birth.day) == (2, 29) else birth
    complete = leap.replace(year=birth.year + SCHOOL_AGE) - timedelta(days=1)
    end = date(complete.year, 3, 31)
    return day <= (end if complete <= end else date(complete.year + 1, 3, 31))
