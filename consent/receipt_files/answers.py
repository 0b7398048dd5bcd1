"""The eligibility server's answers as content for the receipt computer, and the folder service of a terminal."""

import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from pydantic import ValidationError

from config import Receipt, Site
from consent import wire
from consent.choices import EligibilityStatus
from consent.eligibility import BadAnswer, EligibilityClient, Refused, VisitResult
from consent.receipt_files.content import (
    CardClass,
    Confirmation,
    ConsentFlag,
    Disease,
    DiseaseCertificate,
    ElderlyCertificate,
    Insured,
    LossReason,
    Preschool,
    Prescription,
    Query,
    Registration,
    Relation,
    Sex,
    Validity,
    after_visit,
    full_width_space,
    half_width,
    limit_certificate,
    without_card,
)
from consent.receipt_files.files import Refusal
from consent.receipt_files.folder import ReceiptFolder, ReceiptFolderService
from consent.receipt_files.xml import NO_CHARACTER
from consent.wire import japan_now

VALIDITY = {
    EligibilityStatus.VALID: Validity.VALID,
    EligibilityStatus.INVALID: Validity.INVALID,
    EligibilityStatus.SUPERSEDED: Validity.SUPERSEDED,
    EligibilityStatus.NOT_FOUND: Validity.NOT_FOUND,
    EligibilityStatus.AMBIGUOUS: Validity.AMBIGUOUS,
    EligibilityStatus.UNREGISTERED: Validity.UNREGISTERED,
}
_NOT_REGISTERED = {
    "INSURED_UNKNOWN": "該当する資格がありません。",
    "INSURED_AMBIGUOUS": "該当する資格が複数あります。",
}


def receipt_folder_service(
    settings: Receipt,
    site: Site,
    client: EligibilityClient,
    beside: Path = Path(),
    seconds: Callable[[], float] = time.monotonic,
    sync: Callable[[int], None] | None = None,
) -> ReceiptFolderService | None:
    """Return what serves the configured folder (relative to ``beside``), or None where none is configured.

    ``sync``: see ReceiptFolder.
    """
    if not settings.folder:
        return None
    folder = ReceiptFolder(beside / settings.folder, site.institution_code, settings.encoding, sync)
    server = ServerAnswers(client, site.institution_code)
    if settings.answer_requests:
        return ReceiptFolderService(folder, server.ask, server.lookup, server.register, seconds=seconds)
    return ReceiptFolderService(folder, server.ask, seconds=seconds)


class ServerAnswers:
    """The three questions of a ReceiptFolderService, put to the eligibility server; they raise EligibilityError."""

    def __init__(
        self,
        client: EligibilityClient,
        institution_code: str,
        clock: Callable[[], datetime] = japan_now,
    ) -> None:
        self._client = client
        self._institution_code = institution_code
        self._clock = clock

    def ask(self, visit_id: str) -> Confirmation | None:
        """Return what is told of a visit; None where the server has no completed one."""
        try:
            return of_visit(self._client.result(visit_id))
        except Refused as refusal:
            if refusal.code in ("VISIT_UNKNOWN", "VISIT_OF_OTHER_TERMINAL"):
                return None
            raise

    def lookup(self, query: Query, _day: date) -> Confirmation:
        """Return what is told of an insured person; the mock server knows today's state only."""
        question = wire.InsuredQuery(
            institution_code=self._institution_code,
            insurer_number=query.insurer_number,
            symbol=query.symbol,
            number=query.number,
            branch=query.branch,
            birth_date=query.birth_date,
            limit_consent=query.limit_consent is ConsentFlag.GIVEN,
        )
        status, found = self._client.insured(question)
        return of_query(status, found, query, self._clock())

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


def of_visit(result: VisitResult) -> Confirmation | None:
    """Return what is told of a completed visit; None while no consents are recorded. Raises BadAnswer."""
    visit, found = result.visit, result.qualification
    if visit.recorded_at is None:
        return None
    try:
        insured = None
        if found:
            insured = after_visit(
                _insured(found),
                visit.answers,
                visit.recorded_at,
                limit_provided=result.limit_provided,
                limit=limit_certificate(found.limit_category),
                diseases=tuple(DiseaseCertificate(Disease(str(one))) for one in found.specific_diseases),
            )
        form = Prescription[visit.prescription.name] if visit.prescription else None
        return Confirmation(visit.recorded_at, VALIDITY[visit.status], insured, form)
    except ValueError:
        raise BadAnswer("the eligibility server's answer cannot be told to the receipt computer") from None


def of_query(
    status: EligibilityStatus, found: wire.Qualification | None, query: Query, now: datetime
) -> Confirmation:
    """Return what is told to a query by insured number. Raises BadAnswer."""
    try:
        insured = None
        if found:
            insured = without_card(_insured(found), query, now, limit_certificate(found.limit_category))
        return Confirmation(now, VALIDITY[status], insured)
    except ValueError:
        raise BadAnswer("the eligibility server's answer cannot be told to the receipt computer") from None


def _insured(found: wire.Qualification) -> Insured:
    """Return a qualification without anything that needs a consent."""
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
        name_kana=half_width(found.name_kana),
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
        elderly=None if found.elderly_share is None else ElderlyCertificate(share=found.elderly_share),
        reference_number=found.reference_number,
    )
