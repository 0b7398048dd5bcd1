"""The eligibility server's answers as content for the receipt computer, and the folder service of a terminal."""

from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from time import monotonic

from pydantic import ValidationError

from config import Receipt, Site
from consent import wire
from consent.choices import EligibilityStatus, Standing, confirms
from consent.eligibility import EligibilityClient, Refused, Untellable, VisitResult
from consent.receipt_files.content import (
    Advice,
    CardClass,
    Confirmation,
    ConsentFlag,
    Disease,
    DiseaseCertificate,
    ElderlyCertificate,
    Insured,
    LimitCertificate,
    LossReason,
    MedicalTicket,
    Preschool,
    Prescription,
    Query,
    Registration,
    Relation,
    RemoteConsent,
    Sex,
    SubsidyCertificate,
    Validity,
    after_visit,
    full_width_space,
    half_width,
    limit_certificate,
    with_subsidies,
    without_card,
)
from consent.receipt_files.files import Refusal
from consent.receipt_files.folder import Charts, ReceiptFolder, ReceiptFolderService
from consent.receipt_files.requests import Listing, RecordsRequest
from consent.receipt_files.xml import NO_CHARACTER
from consent.wire import JAPAN, japan_now

VALIDITY = {
    EligibilityStatus.VALID: Validity.VALID,
    EligibilityStatus.INVALID: Validity.INVALID,
    EligibilityStatus.SUPERSEDED: Validity.SUPERSEDED,
    EligibilityStatus.NOT_FOUND: Validity.NOT_FOUND,
    EligibilityStatus.AMBIGUOUS: Validity.AMBIGUOUS,
    EligibilityStatus.UNREGISTERED: Validity.UNREGISTERED,
}
_NOT_SHOWN = {
    "INSURED_UNKNOWN": "該当する資格がありません。",
    "INSURED_AMBIGUOUS": "該当する資格が複数あります。",
    "CONSENT_MISSING": "患者の同意がありません。カードで受付をしてから要求してください。",
    "CONSENT_DECLINED": "患者が提供に同意していません。",
    "CONSENT_EXPIRED": "同意から24時間が過ぎています。もう一度カードで受付をしてください。",
}
"""Why drugs or checkups are not told, by the server's code."""
_ADVICE = {
    Standing.EXPIRES_SOON: Advice.CERTIFICATE_EXPIRES_SOON,
    Standing.GRACE: Advice.CERTIFICATE_IN_GRACE,
}
_NOT_REGISTERED = {
    "REFERENCE_NUMBER_TAKEN": "この照会番号は、別の患者に登録されています。",
    "INSURED_UNKNOWN": "該当する資格がありません。",
    "INSURED_AMBIGUOUS": "該当する資格が複数あります。",
}


def receipt_folder_service(
    settings: Receipt,
    site: Site,
    client: EligibilityClient,
    beside: Path = Path(),
    seconds: Callable[[], float] = monotonic,
    sync: Callable[[int], None] | None = None,
    charts: Charts | None = None,
) -> ReceiptFolderService | None:
    """Return what serves the configured folder (relative to ``beside``), or None where none is configured.

    ``sync``: see ReceiptFolder; ``charts``: where visits go besides.
    """
    if not settings.folder:
        return None
    folder = ReceiptFolder(
        beside / settings.folder, site.institution_code, settings.encoding, sync, settings.prescription_in
    )
    server = ServerAnswers(client, site.institution_code, flags_2025=settings.flags_2025)
    if settings.answer_requests:
        return ReceiptFolderService(
            folder, server.ask, server.lookup, server.register, server, charts=charts, seconds=seconds
        )
    return ReceiptFolderService(folder, server.ask, charts=charts, seconds=seconds)


class ServerAnswers:
    """The questions of a ReceiptFolderService, put to the eligibility server; they raise EligibilityError."""

    def __init__(
        self,
        client: EligibilityClient,
        institution_code: str,
        clock: Callable[[], datetime] = japan_now,
        *,
        flags_2025: bool = False,
    ) -> None:
        self._flags_2025 = flags_2025
        self._client = client
        self._institution_code = institution_code
        self._clock = clock

    def ask(self, visit_id: str) -> Confirmation | None:
        """Return what is told of a visit; None where the server has no completed one."""
        try:
            return of_visit(self._client.result(visit_id), flags_2025=self._flags_2025)
        except Refused as refusal:
            if refusal.code in ("VISIT_UNKNOWN", "VISIT_OF_OTHER_TERMINAL"):
                return None
            raise

    def lookup(self, query: Query, day: date) -> Confirmation:
        """Return what is told of an insured person, judged by the dates of a day."""
        status, found = self._client.insured(self._question(query, day))
        return of_query(status, found, query, self._clock())

    def lookup_many(self, queries: Sequence[Query], day: date) -> list[Confirmation | Refusal]:
        """Return what is told of at most wire.MOST_QUERIES insured people, each by itself."""
        told = self._client.insured_many([self._question(query, day) for query in queries])
        now = self._clock()
        return [_each(one, query, now) for one, query in zip(told, queries, strict=True)]

    def records(self, request: RecordsRequest) -> wire.RecordsAnswer | Refusal:
        """Return the drugs or the checkups of a patient whose consent holds, or why there are none."""
        header = request.header
        try:
            first, last = _span(request.body.first, request.body.last)
            question = wire.RecordsQuery(
                institution_code=self._institution_code,
                insurer_number=header.insurer_number,
                symbol=header.symbol,
                number=header.number,
                branch=header.branch,
                kind=request.kind,
                first_day=first,
                last_day=last,
            )
        except ValueError:
            return Refusal("VALUE_INVALID", "項目の値が正しくありません。")
        try:
            return self._client.records(question)
        except Refused as refusal:
            if refusal.code not in _NOT_SHOWN:
                raise
            return Refusal(refusal.code, _NOT_SHOWN[refusal.code])

    def listed(self, kind: wire.ListingKind, listing: Listing, after: int) -> tuple[list[Confirmation], bool]:
        """Return a part of those with a ticket of a month, or with a consent given elsewhere."""
        answer = self._client.listing(
            wire.ListingQuery(
                institution_code=self._institution_code,
                kind=kind,
                month=listing.month,
                consent_from=listing.consent_from,
                consent_to=listing.consent_to,
                examined_from=listing.examined_from,
                examined_to=listing.examined_to,
                after=after,
            )
        )
        now = self._clock()
        return [_of_listed(one, now) for one in answer.listed], answer.more

    def _question(self, query: Query, day: date) -> wire.InsuredQuery:
        return wire.InsuredQuery(
            institution_code=self._institution_code,
            insurer_number=query.insurer_number,
            symbol=query.symbol,
            number=query.number,
            branch=query.branch,
            birth_date=query.birth_date,
            day=day,
            limit_consent=query.limit_consent is ConsentFlag.GIVEN,
        )

    def register(self, registration: Registration) -> Refusal | None:
        """Register a chart number; None: done."""
        try:
            request = wire.ReferenceRequest(
                institution_code=self._institution_code,
                insurer_number=registration.insurer_number,
                symbol=registration.symbol,
                number=registration.number,
                branch=registration.branch,
                reference_number=registration.reference_number,
            )
        except ValidationError:
            return Refusal("REFERENCE_NUMBER_INVALID", "照会番号に使えない文字があります。")
        try:
            self._client.register_reference(request)
        except Refused as refusal:
            if refusal.code not in _NOT_REGISTERED:
                raise
            return Refusal(refusal.code, _NOT_REGISTERED[refusal.code])
        return None


def _span(first: str, last: str) -> tuple[date | None, date | None]:
    """Return the first and the last day of what a request says by days or by months; raises ValueError."""
    begin = _day(first, 1) if first else None
    return begin, _day(last, monthrange(int(last[:4]), int(last[4:6]))[1]) if last else None


def _day(text: str, day: int) -> date:
    """Return the day of a text of eight digits, or this day of a month of six."""
    return date(int(text[:4]), int(text[4:6]), int(text[6:] or day))


def of_visit(result: VisitResult, *, flags_2025: bool = False) -> Confirmation | None:
    """Return what is told of an identified patient; None while a visit that can go on has no consents recorded.

    Raises Untellable.
    """
    visit = result.visit
    if visit.recorded_at is None and confirms(visit.status):
        return None
    at = visit.recorded_at or visit.identified_at
    try:
        insured = tuple(
            after_visit(
                _insured(found),
                visit.answers,
                at,
                limit_provided=result.limit_provided,
                limit=_limit(found),
                diseases=_diseases(found),
                flags_2025=flags_2025,
            )
            for found in result.qualifications
        )
        if insured:
            used = tuple(_subsidy(one) for one in result.subsidies)
            insured = (with_subsidies(insured[0], visit.answers, at, used), *insured[1:])
        form = Prescription[visit.prescription.name] if visit.prescription else None
        return Confirmation(at, VALIDITY[visit.status], insured, form, _ADVICE.get(result.standing))
    except ValueError:
        raise _untellable() from None


def of_query(
    status: EligibilityStatus, found: tuple[wire.Qualification, ...], query: Query, now: datetime
) -> Confirmation:
    """Return what is told to a query by insured number. Raises Untellable."""
    try:
        insured = tuple(without_card(_insured(one), query, now, _limit(one)) for one in found)
        return Confirmation(now, VALIDITY[status], insured)
    except ValueError:
        raise _untellable() from None


def _of_listed(one: wire.Listed, now: datetime) -> Confirmation:
    """Return one of a list; a consent given elsewhere shows its day, or that it has ended."""
    try:
        insured = tuple(_insured(found) for found in one.qualifications)
        if one.consent_from is not None:
            told = _elsewhere(one.consent_from, one.consent_until, now)
            insured = tuple(replace(each, medication=told, health_checkup=told) for each in insured)
        return Confirmation(now, VALIDITY[one.status], insured)
    except ValueError:
        raise _untellable() from None


def _elsewhere(given: date, until: date | None, now: datetime) -> RemoteConsent:
    """Return a consent given at a home visit or online, which knows no 24 hours."""
    if until is not None and until < now.astimezone(JAPAN).date():
        return RemoteConsent(ConsentFlag.EXPIRED)
    end = None if until is None else datetime.combine(until, time(23, 59, 59), JAPAN)
    return RemoteConsent(ConsentFlag.GIVEN, datetime.combine(given, time(), JAPAN), end)


def _each(told: wire.InsuredAnswer, query: Query, now: datetime) -> Confirmation | Refusal:
    try:
        return of_query(told.status, told.qualifications, query, now)
    except Untellable:
        return Refusal("SERVER_BAD_ANSWER", "資格確認サーバーの回答が正しくありません。")


def _untellable() -> Untellable:
    return Untellable("the eligibility server's answer cannot be told to the receipt computer")


def _insured(found: wire.Qualification) -> Insured:
    """Return a qualification without anything that needs a consent."""
    elderly = found.elderly
    return Insured(
        name=full_width_space(found.name) or NO_CHARACTER,
        birth_date=found.birth_date,
        sex=Sex(str(found.sex)),
        card_class=CardClass(found.classification),
        insurer_number=found.insurer_number,
        symbol=found.symbol,
        number=found.number,
        branch=found.branch,
        relation=Relation.FAMILY if found.family else Relation.INSURED,
        insured_name=full_width_space(found.insured_name),
        other_name=full_width_space(found.other_name),
        name_kana=half_width(found.name_kana),
        other_name_kana=half_width(found.other_name_kana),
        address=found.address,
        postal_code=found.post_number,
        qualified_from=found.qualified_on,
        disqualified_from=found.lost_on,
        issued=found.issued_on,
        valid_from=found.qualified_on,
        share=found.share,
        preschool=Preschool.YES if found.preschool else None,
        loss_reason=LossReason(found.reason_of_loss) if found.reason_of_loss else None,
        insurer_name=found.insurer_name,
        elderly=ElderlyCertificate(elderly.issued_on, elderly.valid_from, elderly.valid_until, elderly.share)
        if elderly
        else None,
        tickets=tuple(_ticket(one) for one in found.tickets),
        reference_number=found.reference_number,
    )


def _limit(found: wire.Qualification) -> LimitCertificate | None:
    one = found.limit
    if one is None:
        return None
    return limit_certificate(one.category, one.issued_on, one.valid_from, one.valid_until, one.long_term_from)


def _diseases(found: wire.Qualification) -> tuple[DiseaseCertificate, ...]:
    return tuple(
        DiseaseCertificate(
            Disease(str(one.disease)), one.issued_on, one.valid_from, one.valid_until, one.self_pay_yen
        )
        for one in found.diseases
    )


def _subsidy(one: wire.Subsidy) -> SubsidyCertificate:
    return SubsidyCertificate(
        one.scheme,
        one.payer_number,
        one.beneficiary_number,
        one.valid_from,
        one.valid_until,
        one.self_pay_yen,
        one.self_pay,
    )


def _ticket(one: wire.MedicalTicket) -> MedicalTicket:
    """Return a ticket, which holds for the whole of its month."""
    year, month = int(one.month[:4]), int(one.month[4:])
    return MedicalTicket(
        one.kind,
        date(year, month, 1),
        date(year, month, monthrange(year, month)[1]),
        one.issue_number,
        one.month,
        one.institution_code,
        one.self_pay_yen,
    )
