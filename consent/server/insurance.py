"""What the insurers know of a person, put into the server's answers; pure."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from config.insurance import Qualification, Subsidy
from config.person import Person
from config.records import Checkup, Dispensing
from consent import wire
from consent.choices import (
    ConsentAnswer,
    EligibilityStatus,
    Item,
    checkup_on,
    may_bundle,
    offers_prescription,
    provides_limit,
    questions,
)
from consent.coverage import (
    Coverage,
    coverage,
    diseases_on,
    elderly_on,
    is_preschool,
    limit_on,
    share_on,
    tickets_on,
)
from consent.receipt_files.xml import writable
from consent.server.store import StoredVisit


def covered(person: Person, day: date) -> Coverage:
    """Return what a card tells of a person on a day."""
    return coverage(person.insurance.known(person.birth_date), person.birth_date, day)


def status_of(person: Person, day: date, *, card_used: bool) -> EligibilityStatus:
    """Return the status; without card-use registration nothing is told of the insurance."""
    return covered(person, day).status if card_used else EligibilityStatus.UNREGISTERED


def withheld(visit: StoredVisit) -> bool:
    """Say whether nothing may be told of the insurance: the card's use as insurance card was not applied for."""
    return visit.card_use_offered and visit.card_use is not ConsentAnswer.GIVEN


def asked_of(person: Person, visit: StoredVisit, day: date) -> tuple[Item, ...]:
    """Return the questions of a visit."""
    birth, held = person.birth_date, len(subsidies_on(person, day))
    return questions(visit.profile, birth, day, visit.standing, visit.facility, visit.status, held)


def subsidies_on(person: Person, day: date) -> tuple[Subsidy, ...]:
    """Return the certificates of medical subsidies that hold on a day, in the order of the person file."""
    return tuple(one for one in person.subsidies if one.holds(day))


def offers_form(visit: StoredVisit) -> bool:
    """Say whether the patient is asked for the form of a prescription."""
    offered = offers_prescription(visit.profile, visit.facility_kind, visit.facility, visit.status)
    return offered and not withheld(visit)


def eligibility(
    person: Person,
    visit: StoredVisit,
    day: date,
    reference_number: str,
    conflicts: tuple[wire.Conflict, ...] = (),
    subsidies: Mapping[str, Subsidy] | None = None,
) -> wire.EligibilityAnswer:
    """Return what the terminal and the counter are told; ``subsidies``: the certificates to ask for, by their ids."""
    one = _told_of(person, visit, day)
    return wire.EligibilityAnswer(
        status=visit.status,
        standing=visit.standing,
        card_use_offered=visit.card_use_offered and visit.card_use is None,
        questions=visit.questions,
        bundled=may_bundle(visit.profile, visit.questions, visit.facility),
        checkup=checkup_on(person.birth_date, day),
        prescription_offered=offers_form(visit),
        name=as_known(person.name),
        name_kana=person.name_kana,
        birth_date=person.birth_date,
        insurer_number=one.insurer_number if one else "",
        symbol=one.symbol if one else "",
        number=one.number if one else "",
        branch=one.branch if one else "",
        share=share_on(one, person.birth_date, day) if one else None,
        limit_category=_limit_told(one, person, visit, day, {}),
        reference_number=reference_number,
        conflicts=conflicts,
        subsidies=tuple(
            wire.SubsidyOffer(id=name, scheme=as_known(one.scheme)) for name, one in (subsidies or {}).items()
        ),
    )


def used(one: Subsidy) -> wire.Subsidy:
    """Return a certificate that is used on a visit, with all that a claim needs."""
    return wire.Subsidy(
        scheme=as_known(one.scheme),
        payer_number=one.payer_number,
        beneficiary_number=one.beneficiary_number,
        valid_from=one.valid_from,
        valid_until=one.valid_until,
        self_pay_yen=one.self_pay_yen,
        self_pay=as_known(one.self_pay),
    )


def _told_of(person: Person, visit: StoredVisit, day: date) -> Qualification | None:
    """Return the insurance that the counter sees: the one that holds, or the one that ended."""
    found = covered(person, day).found
    return found[0] if found and not withheld(visit) else None


def limit_of(person: Person, visit: StoredVisit, day: date, answers: Mapping[Item, ConsentAnswer]) -> str:
    """Return the limit category as far as it is provided."""
    return _limit_told(_told_of(person, visit, day), person, visit, day, answers)


def _limit_told(
    one: Qualification | None,
    person: Person,
    visit: StoredVisit,
    day: date,
    answers: Mapping[Item, ConsentAnswer],
) -> str:
    limit = limit_on(one, person.birth_date, day) if one else None
    return limit.category if limit and provides_limit(visit.profile, answers) else ""


def qualification(
    person: Person, one: Qualification, day: date, reference_number: str, *, limit: bool, diseases: bool
) -> wire.Qualification:
    """Return one result of a 資格情報 file, with ``limit`` and ``diseases`` only as far as provided."""
    birth = person.birth_date
    return wire.Qualification(
        classification=one.classification,
        insurer_number=one.insurer_number,
        insurer_name=as_known(one.insurer_name),
        symbol=one.symbol,
        number=one.number,
        branch=one.branch,
        family=one.family,
        insured_name=as_known(one.insured_name or ("" if one.family else person.name)),
        name=as_known(person.name),
        name_kana=person.name_kana,
        other_name=as_known(person.other_name),
        other_name_kana=person.other_name_kana,
        sex=person.sex,
        birth_date=birth,
        address=as_known(person.address),
        post_number=person.post_number,
        qualified_on=one.qualified_on,
        issued_on=one.issued_on or one.qualified_on,
        lost_on=one.lost_on,
        reason_of_loss=one.reason_of_loss,
        share=share_on(one, birth, day) if one.is_late_elderly else None,
        preschool=is_preschool(birth, day),
        elderly=_elderly(one, birth, day),
        limit=_limit(one, birth, day) if limit else None,
        diseases=_diseases(one, day) if diseases else (),
        tickets=_tickets(one, day),
        reference_number=reference_number,
    )


def as_known(text: str) -> str:
    """Return a text as the insurers' system has it, whose characters are fewer: ● where it lacks one."""
    return writable(text, "cp932") if text else ""


def _elderly(one: Qualification, birth: date, day: date) -> wire.ElderlyCertificate | None:
    found = elderly_on(one, birth, day)
    if found is None:
        return None
    return wire.ElderlyCertificate(**vars(found), share=share_on(one, birth, day))


def _limit(one: Qualification, birth: date, day: date) -> wire.LimitCertificate | None:
    found = limit_on(one, birth, day)
    return wire.LimitCertificate(**vars(found)) if found else None


def _diseases(one: Qualification, day: date) -> tuple[wire.DiseaseCertificate, ...]:
    return tuple(wire.DiseaseCertificate(**vars(found)) for found in diseases_on(one, day))


def _tickets(one: Qualification, day: date) -> tuple[wire.MedicalTicket, ...]:
    return tuple(wire.MedicalTicket(**vars(found)) for found in tickets_on(one, day))


# --- Records, and lists of people -------------------------------------------------------------------------------

DRUGS_KNOWN_FROM, DRUGS_YEARS = date(2021, 9, 1), 3
CHECKUPS_KNOWN_FROM, CHECKUPS_YEARS = date(2020, 1, 1), 5
"""How far back records go (domain facts, section 3)."""


def records(person: Person, query: wire.RecordsQuery, day: date) -> wire.RecordsAnswer:
    """Return the drugs or the checkups that were asked for, as far back as there are any."""
    drugs = query.kind == "drugs"
    known_from = max(
        DRUGS_KNOWN_FROM if drugs else CHECKUPS_KNOWN_FROM,
        _years_before(day, DRUGS_YEARS if drugs else CHECKUPS_YEARS),
    )
    first, last = max(query.first_day or known_from, known_from), min(query.last_day or day, day)
    return wire.RecordsAnswer(
        name=as_known(person.name),
        name_kana=person.name_kana,
        birth_date=person.birth_date,
        sex=person.sex,
        dispensings=tuple(
            _dispensing(one) for one in person.dispensings if drugs and first <= one.prescribed_on <= last
        ),
        checkups=tuple(_checkup(one) for one in person.checkups if not drugs and first <= one.day <= last),
    )


def listed(person: Person, query: wire.ListingQuery, day: date) -> Iterator[wire.Listed]:
    """Return a person's part of a list: for each ticket of the month, or each consent of the span, one entry."""
    if query.kind == "tickets":
        if not query.month:
            return  # no month has no tickets
        asked = date(int(query.month[:4]), int(query.month[4:]), 1)
        for one in person.insurance.known(person.birth_date):
            held = next((at for at in _days_of(asked) if tickets_on(one, at)), None)
            if held:
                status = EligibilityStatus.VALID
                yield _listed(person, status, (one,), held, None, None)
        return
    for consent in person.remote_consents:
        fits = _within(consent.given_on, query.consent_from, query.consent_to) or _within(
            consent.examined_on, query.examined_from, query.examined_to
        )
        if consent.kind == query.kind and fits:
            told = covered(person, day)
            yield _listed(person, told.status, told.found, day, consent.given_on, consent.ends_on)


def _within(day: date | None, first: date | None, last: date | None) -> bool:
    return day is not None and first is not None and last is not None and first <= day <= last


def _listed(
    person: Person,
    status: EligibilityStatus,
    found: tuple[Qualification, ...],
    day: date,
    consent_from: date | None,
    consent_until: date | None,
) -> wire.Listed:
    return wire.Listed(
        status=status,
        qualifications=tuple(
            qualification(person, one, day, "", limit=False, diseases=False) for one in found
        ),
        consent_from=consent_from,
        consent_until=consent_until,
    )


def _days_of(month: date) -> tuple[date, ...]:
    return tuple(month + timedelta(days=days) for days in range(monthrange(month.year, month.month)[1]))


def _years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years, day=min(day.day, 28))


def _dispensing(one: Dispensing) -> wire.Dispensing:
    return wire.Dispensing(
        prescribed_on=one.prescribed_on,
        dispensed_on=one.dispensed_on or one.prescribed_on,
        clinic=one.clinic,
        clinic_code=one.clinic_code,
        pharmacy=one.pharmacy,
        in_hospital=one.in_hospital,
        drugs=tuple(wire.Drug(**vars(drug)) for drug in one.drugs),
    )


def _checkup(one: Checkup) -> wire.CheckupResult:
    return wire.CheckupResult(day=one.day, items=tuple(wire.CheckupItem(**vars(each)) for each in one.items))
