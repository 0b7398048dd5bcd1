"""Every file that a receipt computer must read, with a manifest of what it should understand.

For each shipped person, outcome, profile and encoding there is one face file; beside them stand answers to requests.
No terminal and no server runs for it: the files are made by the code that makes them at a desk.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any, get_args

from config import Consents, Profile, Site
from config.insurance import Qualification
from config.person import Person, everybody, insured
from consent import wire
from consent.choices import (
    ConsentAnswer,
    EligibilityStatus,
    Item,
    PrescriptionForm,
    Standing,
    available_until,
    confirms,
    provides_limit,
    questions,
    recorded,
)
from consent.coverage import Coverage, coverage, share_on
from consent.eligibility import VisitRecord, VisitResult
from consent.receipt_files.answers import of_query, of_visit
from consent.receipt_files.content import Confirmation, ConsentFlag, Query
from consent.receipt_files.files import (
    ERROR_MESSAGES,
    Document,
    QueryBody,
    QueryRequest,
    Refusal,
    RequestHeader,
    Writer,
)
from consent.receipt_files.records import records_file
from consent.receipt_files.requests import RecordsBody, RecordsHeader, RecordsRequest
from consent.receipt_files.xml import WHOLE_FILE, Encoding, Fault, MalformedFile
from consent.server import insurance

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "cp932")
SWITCHES = Consents(
    diagnosis=True, operation=True, specific_disease=True, medical_subsidy=True, prescription=True
)
"""Profile ``current`` asks everything, so that every flag is seen."""
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Case:
    """One person with one outcome."""

    person: Person
    outcome: str
    known: tuple[Qualification, ...]
    standing: Standing = Standing.VALID
    answer: ConsentAnswer = ConsentAnswer.GIVEN

    @property
    def name(self) -> str:
        return f"{self.person.id}-{self.outcome}"


def write_kit(out: Path, day: date) -> int:
    """Write the kit of a day into a folder and return how many files it has."""
    at = datetime.combine(day, time_of_day(9), wire.JAPAN)
    entries: list[dict[str, Any]] = []
    for profile in get_args(Profile):
        for encoding in ENCODINGS:
            folder = out / profile / encoding
            for name in ("face", "res"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            for name, document, told in _files(profile, encoding, at):
                (folder / name).write_bytes(document.content)
                entries.append(
                    {"file": f"{profile}/{encoding}/{name}", "profile": profile, "encoding": encoding} | told
                )
    text = json.dumps({"day": day.isoformat(), "files": entries}, ensure_ascii=False, indent=1)
    (out / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return len(entries)


def cases(day: date) -> Iterator[Case]:
    """Yield every shipped person with every outcome that they may have."""
    for person in insured(everybody()):
        known = person.insurance.known(person.birth_date)
        now = coverage(known, person.birth_date, day)
        if not confirms(now.status):
            yield Case(person, "as-they-are", known)
            continue
        yield Case(person, "given", known)
        yield Case(person, "declined", known, answer=ConsentAnswer.DECLINED)
        yield Case(person, "expires-soon", known, Standing.EXPIRES_SOON)
        yield Case(person, "in-grace", known, Standing.GRACE)
        held = now.found[0]
        ended = replace(held, lost_on=day, reason_of_loss="03", elderly=None, limits=(), diseases=())
        yield Case(person, "ended", (ended,))
        yield Case(person, "newer-known", (replace(ended, newer_known=True),))
        if not held.is_assistance:
            tomorrow = replace(held, number="7" + held.number[1:], qualified_on=day + timedelta(days=1))
            yield Case(person, "newer-told", (ended, tomorrow))
            yield Case(person, "several", (held, replace(held, number="7" + held.number[1:])))
        yield Case(person, "none", ())


def _files(
    profile: Profile, encoding: Encoding, at: datetime
) -> Iterator[tuple[str, Document, dict[str, Any]]]:
    writer = Writer(Site().institution_code, encoding)
    for case in cases(at.date()):
        result = _result(case, profile, at)
        told = of_visit(result, flags_2025=profile == "current")
        assert told is not None
        document = writer.face_file(told, case.name)
        name = f"face/OQSsiquc01res_face_{case.name}_{at:%Y%m%d%H%M%S}.xml"
        yield name, document, _understood(case, told, at.date(), document)
    yield from _answers(writer, at)


def _result(case: Case, profile: Profile, at: datetime) -> VisitResult:
    """Return what the server would tell of the visit."""
    person, day = case.person, at.date()
    now = coverage(case.known, case.person.birth_date, day)
    held = insurance.subsidies_on(person, day)
    asked = questions(profile, person.birth_date, day, case.standing, SWITCHES, now.status, len(held))
    answers = recorded(dict.fromkeys(asked, case.answer), profile)
    subsidy = answers.get(Item.MEDICAL_SUBSIDY) if confirms(now.status) else None
    used = tuple(map(insurance.used, held)) if subsidy is ConsentAnswer.GIVEN else ()
    goes_on = confirms(now.status)
    limit = goes_on and provides_limit(profile, answers)
    paper = profile == "current" and goes_on
    visit = VisitRecord(
        visit_id=case.name,
        terminal_id=Site().terminal_id,
        method="pin",
        status=now.status,
        identified_at=at,
        answers=answers if goes_on else {},
        recorded_at=at if goes_on else None,
        available_until=available_until(at) if goes_on else None,
        prescription=PrescriptionForm.ELECTRONIC if paper else None,
    )
    diseases = answers.get(Item.SPECIFIC_DISEASE) is ConsentAnswer.GIVEN
    told = _told(person, now, day, limit=limit, diseases=diseases)
    return VisitResult(visit, Site().institution_code, limit, told, case.standing, subsidies=used)


def _told(
    person: Person, now: Coverage, day: date, *, limit: bool, diseases: bool
) -> tuple[wire.Qualification, ...]:
    return tuple(
        insurance.qualification(person, one, day, "", limit=limit, diseases=diseases) for one in now.found
    )


def _understood(case: Case, told: Confirmation, day: date, document: Document) -> dict[str, Any]:
    """Return what a reader should understand of a face file: by meaning, not by element."""
    found = coverage(case.known, case.person.birth_date, day).found
    return {
        "kind": "face",
        "person": case.person.id,
        "outcome": case.outcome,
        "validity": told.validity.value,
        "advice": told.advice.value if told.advice else "",
        "prescription": told.prescription.value if told.prescription else "",
        "marked": list(document.flagged),
        "insurances": [
            {
                "classification": one.card_class.value,
                "insurer_number": one.insurer_number,
                "symbol": one.symbol,
                "number": one.number,
                "branch": one.branch,
                "family": one.relation == "2",
                "qualified_on": _day(one.qualified_from),
                "lost_on": _day(one.disqualified_from),
                "share_percent": share_on(source, case.person.birth_date, day),
                "elderly_certificate": one.elderly is not None,
                "limit_category": one.limit.category if one.limit else "",
                "tickets": len(one.tickets),
            }
            for one, source in zip(told.insured, found, strict=True)
        ],
        "consents": {
            name: getattr(told.insured[0], name).flag == ConsentFlag.GIVEN
            for name in ("medication", "diagnosis", "operation", "health_checkup")
        }
        if told.insured
        else {},
        "subsidies": [
            {"payer_number": one.payer_number, "beneficiary_number": one.beneficiary_number}
            for one in (told.insured[0].subsidies if told.insured else ())
        ],
    }


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


# --- Answers to requests ----------------------------------------------------------------------------------------


def _answers(writer: Writer, at: datetime) -> Iterator[tuple[str, Document, dict[str, Any]]]:
    header = RequestHeader(writer.institution_code, at.date(), "kit")
    people = {person.id: person for person in insured(everybody())}
    for name in ("age45", "age74", "age75", "invalid-insurance", "full-width-symbol", "assistance"):
        person = people[name]
        now = coverage(person.insurance.known(person.birth_date), person.birth_date, at.date())
        one = now.found[0]
        for flag in (ConsentFlag.DECLINED, ConsentFlag.GIVEN):
            query = Query(one.insurer_number, one.number, person.birth_date, one.symbol, one.branch, flag)
            given = flag is ConsentFlag.GIVEN
            told = of_query(now.status, _told(person, now, at.date(), limit=given, diseases=False), query, at)
            document = writer.result_file(told, QueryRequest(header, QueryBody(query)))
            said = {"kind": "answer", "person": name, "oral_consent": given, "validity": told.validity.value}
            yield f"res/OQSsiquc01res_{name}-{flag.value}.xml", document, said
    query = Query("06139992", "1", date(1980, 1, 1))
    for status in (EligibilityStatus.NOT_FOUND, EligibilityStatus.AMBIGUOUS):
        told = of_query(status, (), query, at)
        document = writer.result_file(told, QueryRequest(header, QueryBody(query)))
        yield (
            f"res/OQSsiquc01res_{status.value}.xml",
            document,
            {"kind": "answer", "validity": told.validity.value},
        )
    for fault in ERROR_MESSAGES:
        document = writer.error_file(MalformedFile(Fault(fault), WHOLE_FILE), at)
        yield f"res/OQSsiquc01res_{fault}.xml", document, {"kind": "refused", "code": fault.value}
    yield from _records(writer, people["age45"], at)


def _records(writer: Writer, person: Person, at: datetime) -> Iterator[tuple[str, Document, dict[str, Any]]]:
    one = person.insurance.known(person.birth_date)[0]
    header = RecordsHeader(writer.institution_code, one.number, one.insurer_number, one.symbol, one.branch)
    kinds: dict[wire.RecordsKind, str] = {"drugs": "YZK", "checkups": "TKK"}
    for kind, prefix in kinds.items():
        request = RecordsRequest(header, RecordsBody(), kind)
        question = wire.RecordsQuery(
            institution_code=writer.institution_code,
            insurer_number=one.insurer_number,
            symbol=one.symbol,
            number=one.number,
            branch=one.branch,
            kind=request.kind,
        )
        told = insurance.records(person, question, at.date())
        refusal = Refusal("CONSENT_EXPIRED", "同意から24時間が過ぎています。")
        for outcome, answer in (("given", told), ("refused", refusal)):
            document = records_file(answer, request, at, writer.encoding)
            said = {"kind": kind, "person": person.id, "outcome": outcome}
            yield f"res/{prefix}siquc01res_{person.id}-{outcome}.xml", document, said
