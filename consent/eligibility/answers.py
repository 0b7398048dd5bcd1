"""What the eligibility server's answers mean to the terminal; nothing personal is in a repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from consent import wire
from consent.choices import (
    Checkup,
    ConsentAnswer,
    EligibilityStatus,
    Item,
    PrescriptionForm,
    Standing,
)


@dataclass(frozen=True)
class Challenge:
    """A number used once, to be signed by the card."""

    id: str
    nonce: bytes
    expires_at: datetime


@dataclass(frozen=True)
class CounterDetails:
    """What only the counter may see; the repr shows none of it."""

    name: str = field(repr=False)
    name_kana: str = field(repr=False)
    birth_date: date = field(repr=False)
    insurer_number: str = field(repr=False)
    symbol: str = field(repr=False)
    number: str = field(repr=False)
    branch: str = field(repr=False)
    share: int | None = field(repr=False)
    """The patient's part of the cost in percent; None where no insurance was found."""
    limit_category: str = field(repr=False)
    reference_number: str = field(default="", repr=False)
    """The facility's own chart number; empty when none is registered."""


@dataclass(frozen=True)
class Eligibility:
    """The server's answer to an identification."""

    status: EligibilityStatus
    questions: tuple[Item, ...]
    standing: Standing
    counter: CounterDetails = field(repr=False)
    card_use_offered: bool = False
    """The card's use as insurance card must be applied for first: answer_card_use()."""
    bundled: bool = False
    """包括同意, one answer for all questions, is offered beside one by one."""
    checkup: Checkup | None = None
    prescription_offered: bool = False
    conflicts: tuple[wire.Conflict, ...] = ()
    subsidies: tuple[wire.SubsidyOffer, ...] = field(default=(), repr=False)
    """The certificates of medical subsidies that hold today, where they are asked for."""

    @property
    def asked(self) -> tuple[Item, ...]:
        """What the patient is asked, one after the other: MEDICAL_SUBSIDY once for each certificate."""
        times = {Item.MEDICAL_SUBSIDY: len(self.subsidies)}
        return tuple(item for item in self.questions for _ in range(times.get(item, 1)))


@dataclass(frozen=True)
class Receipt:
    """The consents are recorded."""

    recorded_at: datetime
    available_until: datetime
    limit_category: str = field(default="", repr=False)
    """For the counter; empty when 限度額情報 is not provided."""
    subsidies: tuple[wire.Subsidy, ...] = field(default=(), repr=False)
    """For the counter: the certificates of medical subsidies that are used on this visit."""


@dataclass(frozen=True)
class VisitRecord:
    """What the server keeps of a visit."""

    visit_id: str
    terminal_id: str
    method: wire.Method
    status: EligibilityStatus
    identified_at: datetime
    answers: Mapping[Item, ConsentAnswer]
    recorded_at: datetime | None
    available_until: datetime | None
    card_use: ConsentAnswer | None = None
    """What was answered to the offer of card-use registration."""
    prescription: PrescriptionForm | None = None
    subsidies: Mapping[str, ConsentAnswer] = field(default_factory=dict)
    """For each certificate of a medical subsidy that was offered, whether it is used on this visit."""


@dataclass(frozen=True)
class VisitResult:
    """What the receipt computer is told of one visit."""

    visit: VisitRecord
    institution_code: str
    limit_provided: bool
    """限度額情報 goes to the facility: by consent, or without a question in profile ``current``."""
    qualifications: tuple[wire.Qualification, ...] = field(repr=False)
    """Empty where no qualification, or more than one, was found, or the card's use is not registered."""
    standing: Standing = Standing.VALID
    conflicts: tuple[wire.Conflict, ...] = ()
    subsidies: tuple[wire.Subsidy, ...] = field(default=(), repr=False)
    """The certificates of medical subsidies that are used on this visit."""


def eligibility_of(answer: wire.EligibilityAnswer) -> Eligibility:
    counter = CounterDetails(
        name=answer.name,
        name_kana=answer.name_kana,
        birth_date=answer.birth_date,
        insurer_number=answer.insurer_number,
        symbol=answer.symbol,
        number=answer.number,
        branch=answer.branch,
        share=answer.share,
        limit_category=answer.limit_category,
        reference_number=answer.reference_number,
    )
    return Eligibility(
        answer.status,
        answer.questions,
        answer.standing,
        counter,
        card_use_offered=answer.card_use_offered,
        bundled=answer.bundled,
        checkup=answer.checkup,
        prescription_offered=answer.prescription_offered,
        conflicts=answer.conflicts,
        subsidies=answer.subsidies,
    )


def visit_record_of(answer: wire.VisitAnswer) -> VisitRecord:
    return VisitRecord(**{name: getattr(answer, name) for name in wire.VisitAnswer.model_fields})
