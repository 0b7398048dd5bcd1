"""What terminal and eligibility server say to each other: every name and limit of the messages, for both ends."""

import base64
import json
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from config import Consents, Profile
from config.subsidies import MOST_SUBSIDIES
from consent.choices import (
    Checkup,
    ConsentAnswer,
    EligibilityStatus,
    FacilityKind,
    Item,
    PrescriptionForm,
    Standing,
    VisualReason,
)
from consent.japan_time import JAPAN as JAPAN
from consent.japan_time import japan_now as japan_now

MOST_QUERIES = 100
"""Questions of one InsuredQueries; their answers fit into one answer of the server."""

TERMINAL_HEADER = "X-Terminal-Id"
IDEMPOTENCY_HEADER = "Idempotency-Key"
AUDIT_PATH = "/v1/audit"
TLS_REQUIRED = "TLS_REQUIRED"
"""The code by which a server that speaks TLS only answers plain HTTP."""
FACE_STATEMENT: Literal["photo of this card matched"] = "photo of this card matched"
VISUAL_STATEMENT: Literal["staff compared person and card"] = "staff compared person and card"


_BASE64 = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$"
Base64 = Annotated[str, Field(min_length=4, max_length=16_000, pattern=_BASE64)]
VisitId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]
Short = Annotated[str, Field(max_length=200)]
RecordsKind = Literal["drugs", "checkups"]
ListingKind = Literal["tickets", "home", "online"]
"""Medical tickets of a month; consents given at home visits, or online."""
Method = Literal["pin", "face", "phone", "visual"]
"""How identity was verified; ``phone``: by the certificate on a smartphone, which signs like a card; ``visual``:
staff compared the patient with the card's photo (目視確認)."""
StaffId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
"""Which staff member; an id of the facility's own, never a name."""
InstitutionCode = Annotated[str, Field(pattern=r"^[0-9]{10}$")]
ReferenceNumber = Annotated[str, Field(pattern=r"^[!-~]{1,50}$")]
"""照会番号: the facility's own chart number, at most 50 characters without spaces."""


SubsidyId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""One certificate of a medical subsidy within one visit; nothing of its numbers can be read from it."""


class Message(BaseModel):
    """Any message: strict types, nothing unknown; its repr shows no content."""

    # pydantic would keep every short text that it parses, a name too, until 16,384 others have come.
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, cache_strings="keys"
    )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    __str__ = __repr__


class ChallengeAnswer(Message):
    id: Annotated[str, Field(min_length=1, max_length=64)]
    nonce: Base64
    expires_at: AwareDatetime


class Assertion(Message):
    """What a terminal signs with its enrolled key: good for one visit, one challenge, one certificate."""

    terminal_id: Short
    visit_id: VisitId
    nonce: Base64
    certificate_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    time: AwareDatetime
    card_birth_date: Annotated[str, Field(pattern=r"^([0-9]{8})?$")] = ""
    """As the card's signed record has it, YYYYMMDD, 00 for what is not known; empty where it was not read."""

    def canonical(self) -> str:
        """Return the JSON that is signed: sorted keys, no spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


class TerminalAssertion(Assertion):
    """The terminal's own word that the face matched: stand-in for a licensed reader's certified face route."""

    statement: Literal["photo of this card matched"]
    distance: Annotated[float, Field(ge=0, le=0.45)]


class VisualAssertion(Assertion):
    """The terminal's word that staff compared the person with the card: who, and why."""

    statement: Literal["staff compared person and card"]
    staff: StaffId
    reason: VisualReason


class IdentificationRequest(Message):
    """Who wants to be checked in; ``signature`` is the card's over the nonce, or the terminal's over ``assertion``."""

    visit_id: VisitId
    challenge_id: Annotated[str, Field(min_length=1, max_length=64)]
    method: Method
    certificate: Base64
    signature: Base64
    assertion: Annotated[str, Field(max_length=2000)] | None = None
    card_expires: date | None = None
    """Last day of the card itself, as its face record says; nothing when that was not read."""
    profile: Profile
    facility: Consents
    facility_kind: FacilityKind = "clinic"
    institution_code: InstitutionCode = "0000000000"


class Conflict(StrEnum):
    """Why an answer may belong into another chart than it seems; staff decide."""

    NUMBER_SHARED = "NUMBER_SHARED"
    """This facility's chart number is another person's too."""
    SAME_KANA_AND_BIRTH = "SAME_KANA_AND_BIRTH"
    """Another person has the same kana and the same date of birth."""
    NAME_CHANGED = "NAME_CHANGED"
    """The kana were others when the chart number was registered."""


class SubsidyOffer(Message):
    """A certificate of a medical subsidy (受給者証) that holds today; its numbers are told once it is used."""

    id: SubsidyId
    scheme: Annotated[str, Field(min_length=1, max_length=200)]
    """Its name, as the certificate says it."""


class EligibilityAnswer(Message):
    status: EligibilityStatus
    standing: Standing
    card_use_offered: bool
    """The card is not registered as insurance card yet; first PUT …/card-use."""
    questions: tuple[Item, ...]
    bundled: bool
    """One answer for all questions may be offered."""
    checkup: Checkup | None
    prescription_offered: bool
    name: Short
    name_kana: Short
    birth_date: date
    insurer_number: Short
    symbol: Short
    number: Short
    branch: Short
    share: Annotated[int, Field(ge=0, le=100)] | None
    limit_category: Short
    """Empty in profile ``leaflet-2023``: there it comes with the consents, after a yes."""
    reference_number: Annotated[str, Field(max_length=50)]
    conflicts: tuple[Conflict, ...] = ()
    subsidies: Annotated[tuple[SubsidyOffer, ...], Field(max_length=MOST_SUBSIDIES)] = ()
    """What MEDICAL_SUBSIDY among the questions asks for, one by one; empty where it is not asked."""

    @model_validator(mode="after")
    def _asks_for_each_certificate(self) -> Self:
        if (Item.MEDICAL_SUBSIDY in self.questions) != bool(self.subsidies):
            raise ValueError("certificates and the question about them come together")
        if len({offer.id for offer in self.subsidies}) != len(self.subsidies):
            raise ValueError("a certificate is offered twice")
        return self


class CardUseRequest(Message):
    """利用申込: the patient applies for the card's use as insurance card, or does not."""

    answer: ConsentAnswer


class ConsentsRequest(Message):
    answers: dict[Item, ConsentAnswer]
    """To every question but MEDICAL_SUBSIDY, which ``subsidies`` answers."""
    prescription: PrescriptionForm | None = None
    subsidies: Annotated[dict[SubsidyId, ConsentAnswer], Field(max_length=MOST_SUBSIDIES)] = {}
    """For each certificate that was offered, whether it is used on this visit."""


class Subsidy(Message):
    """A certificate of a medical subsidy that the patient uses on this visit."""

    scheme: Short
    payer_number: Annotated[str, Field(pattern=r"^[0-9]{8}$")]
    beneficiary_number: Annotated[str, Field(pattern=r"^[0-9]{7}$")]
    valid_from: date
    valid_until: date
    self_pay_yen: Annotated[int, Field(ge=0, le=9_999_999)] | None
    """The most that the patient pays in a month."""
    self_pay: Short


class ConsentsAnswer(Message):
    recorded_at: AwareDatetime
    available_until: AwareDatetime
    limit_category: Short
    """Empty when 限度額情報 is not provided."""
    subsidies: tuple[Subsidy, ...] = ()
    """The certificates that are used on this visit."""


class VisitAnswer(Message):
    """The record of a visit; no personal attribute is in it."""

    visit_id: VisitId
    terminal_id: Short
    method: Method
    status: EligibilityStatus
    identified_at: AwareDatetime
    card_use: ConsentAnswer | None
    """What was answered to the offer of card-use registration; None: nothing yet, or not offered."""
    answers: dict[Item, ConsentAnswer]
    prescription: PrescriptionForm | None
    recorded_at: AwareDatetime | None
    available_until: AwareDatetime | None
    subsidies: dict[SubsidyId, ConsentAnswer] = {}
    """For each certificate that was offered, in their order, whether it is used; no says nothing of the entitlement."""


class VisitsAnswer(Message):
    """One page of a terminal's own visits, in the order of identification."""

    visits: tuple[VisitAnswer, ...]
    after: Annotated[str, Field(max_length=200)] = ""
    """What to ask the next page with; empty: this is the last one."""


Percent = Annotated[int, Field(ge=0, le=100)]


class Certificate(Message):
    """What every certificate has: the day it was issued and the days for which it holds."""

    issued_on: date
    valid_from: date
    valid_until: date | None
    """Last day; None: until the insurance ends."""


class ElderlyCertificate(Certificate):
    """高齢受給者証, from 70 to 74."""

    share: Percent


class LimitCertificate(Certificate):
    """限度額適用認定証."""

    category: Short
    long_term_from: date | None


class DiseaseCertificate(Certificate):
    """特定疾病療養受療証."""

    disease: Literal[1, 2, 3]
    self_pay_yen: int


class MedicalTicket(Message):
    """医療券 or 調剤券 of medical assistance."""

    kind: Short
    month: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    issue_number: Short
    institution_code: Short
    self_pay_yen: int


class Qualification(Message):
    """What the insurers know of one insurance of one person: one result of a 資格情報 file."""

    classification: Short
    insurer_number: Short
    insurer_name: Short
    symbol: Short
    number: Short
    branch: Short
    family: bool
    insured_name: Short
    """Empty where it is the person's own."""
    name: Short
    """● stands for a character that the insurers' system does not have; so in every text."""
    name_kana: Short
    other_name: Short
    other_name_kana: Short
    sex: Literal[1, 2, 3]
    birth_date: date
    address: Short
    post_number: Short
    qualified_on: date
    issued_on: date
    lost_on: date | None
    reason_of_loss: Short
    share: Percent | None
    """Only of the late-stage elderly; of others the certificates and the age say it."""
    preschool: bool
    elderly: ElderlyCertificate | None
    limit: LimitCertificate | None
    """None when there is none, or when it is not provided to this facility; so below."""
    diseases: tuple[DiseaseCertificate, ...]
    tickets: tuple[MedicalTicket, ...]
    reference_number: Annotated[str, Field(max_length=50)]


class ResultAnswer(Message):
    """Everything that the receipt computer is told of one visit."""

    visit: VisitAnswer
    institution_code: InstitutionCode
    limit_provided: bool
    standing: Standing
    qualifications: tuple[Qualification, ...]
    """Empty where no qualification, or more than one, was found, or the card's use is not registered."""
    conflicts: tuple[Conflict, ...]
    subsidies: tuple[Subsidy, ...] = ()
    """The certificates of medical subsidies that are used on this visit, and no other."""


class InsuredRequest(Message):
    """A person by the numbers of the insurance: what a receipt computer knows without a card."""

    institution_code: InstitutionCode
    insurer_number: Annotated[str, Field(pattern=r"^[0-9]{6,8}$")]
    symbol: Short
    number: Annotated[str, Field(min_length=1, max_length=200)]
    branch: Annotated[str, Field(pattern=r"^([0-9]{2})?$")] = ""
    birth_date: date | None = None
    """A registration of a chart number (OQSsiimm01) says none."""


class InsuredQuery(InsuredRequest):
    """Ask for the qualification; ``limit_consent``: the patient agreed by word of mouth to 限度額情報."""

    birth_date: date
    day: date | None = None
    """The day that is asked about; None: today."""
    limit_consent: bool = False


class ReferenceRequest(InsuredRequest):
    """Register the facility's own chart number for a person."""

    reference_number: ReferenceNumber


class InsuredAnswer(Message):
    status: EligibilityStatus
    qualifications: tuple[Qualification, ...]


class InsuredQueries(Message):
    """Many questions at once, of a bulk request."""

    queries: Annotated[tuple[InsuredQuery, ...], Field(max_length=MOST_QUERIES)]


class InsuredAnswers(Message):
    """One answer for each question, in their order."""

    answers: tuple[InsuredAnswer, ...]


class RecordsQuery(InsuredRequest):
    """Ask for the drugs or the checkups of somebody who let this facility look at them."""

    kind: RecordsKind
    first_day: date | None = None
    last_day: date | None = None


class Drug(Message):
    name: Short
    code: Short
    amount: Short
    unit: Short
    usage: Short
    times: int
    ingredient: Short


class Dispensing(Message):
    """Drugs that were prescribed and given out on one day."""

    prescribed_on: date
    dispensed_on: date
    clinic: Short
    clinic_code: Short
    pharmacy: Short
    in_hospital: bool
    drugs: tuple[Drug, ...]


class CheckupItem(Message):
    code: Short
    name: Short
    value: Short
    unit: Short
    kind: Short
    meaning: Short


class CheckupResult(Message):
    day: date
    items: tuple[CheckupItem, ...]


class RecordsAnswer(Message):
    """What may be looked at until the consent ends."""

    name: Short
    name_kana: Short
    birth_date: date
    sex: Literal[1, 2, 3]
    dispensings: tuple[Dispensing, ...]
    checkups: tuple[CheckupResult, ...]


def _whole(value: object) -> object:
    """Take 1.0 for 1, as JSON does, and nothing else for a number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class ListingQuery(Message):
    """Ask for everybody with a medical ticket of a month, or with a consent given elsewhere in a span of days."""

    institution_code: InstitutionCode
    kind: ListingKind
    month: Annotated[str, Field(pattern=r"^([12][0-9]{3}(0[1-9]|1[0-2]))?$")] = ""
    consent_from: date | None = None
    consent_to: date | None = None
    examined_from: date | None = None
    examined_to: date | None = None
    after: Annotated[int, BeforeValidator(_whole), Field(ge=0, le=10_000_000)] = 0
    """How many people of the list are known already: it comes in parts of MOST_QUERIES."""


class Listed(Message):
    status: EligibilityStatus
    qualifications: tuple[Qualification, ...]
    consent_from: date | None
    consent_until: date | None


class ListingAnswer(Message):
    listed: tuple[Listed, ...]
    more: bool


class DoneAnswer(Message):
    done: Literal[True] = True


class HealthAnswer(Message):
    status: Literal["ok"] = "ok"


class AuditEntry(Message):
    """Who asked what, when, with what outcome; no name, number, question or answer is in it."""

    number: int
    time: AwareDatetime
    terminal_id: Short
    action: Short
    outcome: Short
    """``ok`` or the refusal's code."""
    visit_id: Short
    staff: Short
    reason: Short


class AuditAnswer(Message):
    entries: tuple[AuditEntry, ...]


class ErrorAnswer(Message):
    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z_]{0,63}$")]
    message: Annotated[str, Field(max_length=2000)]


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
