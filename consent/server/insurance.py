"""What the insurers know of a person, put into the server's answers; pure."""

from collections.abc import Mapping
from datetime import date, timedelta

from config.person import Person
from consent import wire
from consent.choices import (
    ConsentAnswer,
    EligibilityStatus,
    Item,
    age_on,
    checkup_on,
    may_bundle,
    offers_prescription,
    provides_limit,
    questions,
)
from consent.server.store import StoredVisit

_FOUND = (
    EligibilityStatus.VALID,
    EligibilityStatus.INVALID,
    EligibilityStatus.SUPERSEDED,
    EligibilityStatus.UNREGISTERED,
)
SCHOOL_AGE = 6
ELDERLY_FROM, ELDERLY_TO = 70, 74


def status_of(person: Person, *, card_used: bool) -> EligibilityStatus:
    """Return the status; without card-use registration nothing is told of the insurance."""
    return EligibilityStatus(person.insurance.validity) if card_used else EligibilityStatus.UNREGISTERED


def withheld(visit: StoredVisit) -> bool:
    """Say whether nothing may be told of the insurance: the card's use as insurance card was not applied for."""
    return visit.card_use_offered and visit.card_use is not ConsentAnswer.GIVEN


def asked_of(person: Person, visit: StoredVisit, day: date) -> tuple[Item, ...]:
    """Return the questions of a visit."""
    birth = person.birth_date
    return questions(visit.profile, birth, day, visit.standing, visit.facility, visit.status)


def offers_form(visit: StoredVisit) -> bool:
    """Say whether the patient is asked for the form of a prescription."""
    offered = offers_prescription(visit.profile, visit.facility_kind, visit.facility, visit.status)
    return offered and not withheld(visit)


def eligibility(
    person: Person, visit: StoredVisit, day: date, reference_number: str
) -> wire.EligibilityAnswer:
    """Return what the terminal and the counter are told."""
    insurance = person.insurance
    found = visit.status in _FOUND and not withheld(visit)
    return wire.EligibilityAnswer(
        status=visit.status,
        standing=visit.standing,
        card_use_offered=visit.card_use_offered and visit.card_use is None,
        questions=visit.questions,
        bundled=may_bundle(visit.profile, visit.questions, visit.facility),
        checkup=checkup_on(person.birth_date, day),
        prescription_offered=offers_form(visit),
        name=person.name,
        name_kana=person.name_kana,
        birth_date=person.birth_date,
        insurer_number=insurance.insurer_number if found else "",
        symbol=insurance.symbol if found else "",
        number=insurance.number if found else "",
        branch=insurance.branch if found else "",
        share=insurance.share if found else None,
        limit_category=limit_of(person, visit, {}),
        reference_number=reference_number,
    )


def limit_of(person: Person, visit: StoredVisit, answers: Mapping[Item, ConsentAnswer]) -> str:
    """Return the limit category as far as it is provided."""
    told = visit.status in _FOUND and not withheld(visit) and provides_limit(visit.profile, answers)
    return person.insurance.limit_category if told else ""


def qualification(
    person: Person, day: date, reference_number: str, *, limit: bool, diseases: bool
) -> wire.Qualification | None:
    """Return the content of a 資格情報 file, with ``limit`` and ``diseases`` only as far as provided.

    None where no qualification, or more than one, was found.
    """
    insurance = person.insurance
    status = EligibilityStatus(insurance.validity)
    if status not in _FOUND:
        return None
    elderly = ELDERLY_FROM <= age_on(person.birth_date, day) <= ELDERLY_TO
    return wire.Qualification(
        status=status,
        classification=insurance.classification,
        insurer_number=insurance.insurer_number,
        insurer_name=insurance.insurer_name,
        symbol=insurance.symbol,
        number=insurance.number,
        branch=insurance.branch,
        family=insurance.family,
        insured_name=insurance.insured_name or person.name,
        name=person.name,
        name_kana=person.name_kana,
        sex=person.sex,
        birth_date=person.birth_date,
        address=person.address,
        post_number=person.post_number,
        qualified_on=insurance.qualified_on,
        issued_on=insurance.issued_on or insurance.qualified_on,
        lost_on=insurance.lost_on,
        reason_of_loss=insurance.reason_of_loss,
        share=insurance.share,
        preschool=is_preschool(person.birth_date, day),
        elderly_share=insurance.share if elderly else None,
        limit_category=insurance.limit_category if limit else "",
        specific_diseases=insurance.specific_diseases if diseases else (),
        reference_number=reference_number,
    )


def is_preschool(birth: date, day: date) -> bool:
    """Say whether school has not begun: until the first 31 March on or after the day the sixth year is complete.

    That day is the one before the sixth birthday, so who was born on 1 April goes to school a year earlier.
    """
    leap = birth.replace(day=28) if (birth.month, birth.day) == (2, 29) else birth
    complete = leap.replace(year=birth.year + SCHOOL_AGE) - timedelta(days=1)
    end = date(complete.year, 3, 31)
    return day <= (end if complete <= end else date(complete.year + 1, 3, 31))
