"""Insurance in time, as a person file has it: qualifications with dates of their own, and what among them cannot be.

Whether somebody is insured is never stated, it follows from the dates (``consent.coverage``). The keys of
``[insurance]`` itself are a shorthand for one qualification; its ``validity`` names a situation and gives the dates
that belong to it. Rules of the law: facts, receipt.md and domain.md.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from config.subsidies import MOST_SUBSIDIES
from config.toml_file import STRICT, Key

CardClassification = Literal["01", "02", "03", "04", "05", "06", "07", "A1"]
ReasonOfLoss = Literal["", "01", "02", "03", "99"]
SpecificDisease = Literal[1, 2, 3]
Validity = Literal["valid", "invalid", "superseded", "not-found", "ambiguous", "unregistered"]
Share = Literal[0, 10, 20, 30]
InsurerNumber = Annotated[str, Field(pattern=r"^[0-9]{6,8}$")]
# As wide as the elements of the receipt computer's files.
Number = Annotated[str, Field(max_length=20)]
Branch = Annotated[str, Field(pattern=r"^([0-9]{2})?$")]
Name = Annotated[str, Field(max_length=100)]
LimitCategory = Annotated[str, Field(pattern=r"^(A0[1-6]|B0[1-9]|B10)?$")]

MEDICAL_ASSISTANCE = "A1"
LATE_ELDERLY = "39"
"""With these digits begin the numbers of the 広域連合, which insure the late-stage elderly (後期高齢者)."""
ELDERLY_AGE, LATE_ELDERLY_AGE, DISABLED_AGE, DEPENDENT_AGE = 70, 75, 65, 15
FIRST_DAY = date(2020, 4, 1)
"""Begin of a qualification that says none."""


@dataclass(frozen=True, config=STRICT)
class ElderlyCertificate:
    """高齢受給者証, where its dates differ from what the birthday says."""

    issued_on: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    """Last day, as of every certificate here."""


@dataclass(frozen=True, config=STRICT)
class LimitCertificate:
    """限度額適用認定証: a category and its time."""

    category: Annotated[str, Field(pattern=r"^(A0[1-6]|B0[1-9]|B10)$")]
    issued_on: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    long_term_from: date | None = None


@dataclass(frozen=True, config=STRICT)
class DiseaseCertificate:
    """特定疾病療養受療証: 1 dialysis, 2 haemophilia, 3 HIV."""

    disease: SpecificDisease
    issued_on: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    self_pay_yen: Literal[10_000, 20_000] = 10_000


@dataclass(frozen=True, config=STRICT)
class MedicalTicket:
    """医療券 or 調剤券 of medical assistance (医療扶助), for one month."""

    month: Annotated[str, Field(pattern=r"^[0-9]{4}(0[1-9]|1[0-2])$")]
    kind: Literal["1", "2"] = "1"
    issue_number: Number = ""
    institution_code: Annotated[str, Field(pattern=r"^([0-9]{10})?$")] = ""
    """Whom it is made out to; empty: whoever asks."""
    self_pay_yen: Annotated[int, Field(ge=0, le=9_999_999)] = 0


@dataclass(frozen=True, config=STRICT)
class Subsidy:
    """受給者証 of a medical subsidy (医療費助成): one certificate, as it stands on the paper."""

    scheme: Annotated[str, Field(max_length=30, pattern=r"^[^\x00-\x1f\x7f]+$")]
    """Its name, as こども医療費助成 or 指定難病."""
    payer_number: Annotated[str, Field(pattern=r"^[0-9]{8}$")]
    """公費負担者番号, with its check digit."""
    beneficiary_number: Annotated[str, Field(pattern=r"^[0-9]{7}$")]
    """受給者番号, with its check digit."""
    valid_from: date
    valid_until: date
    self_pay_yen: Annotated[int, Field(ge=0, le=9_999_999)] | None = None
    """The most that the patient pays in a month; None: it is said in words, or not at all."""
    self_pay: Name = ""
    """The patient's part in words, as 1回500円、月2回まで."""

    def holds(self, day: date) -> bool:
        """Say whether the certificate holds on a day; on its last day it still does."""
        return self.valid_from <= day <= self.valid_until


@dataclass(frozen=True, config=STRICT)
class Qualification:
    """One insurance of one person (資格), from its first day to the day on which it is lost."""

    insurer_number: InsurerNumber
    qualified_on: date
    insurer_name: Name = "テスト健康保険組合"
    symbol: Number = ""
    number: Number = ""
    branch: Branch = ""
    family: bool = False
    """Insured as a family member (家族) of ``insured_name``."""
    insured_name: Name = ""
    """Whose insurance it is; empty: the person's own."""
    classification: CardClassification = "01"
    issued_on: date | None = None
    """交付年月日; None: the day of qualification."""
    lost_on: date | None = None
    """資格喪失年月日: the first day on which it does not hold any more."""
    reason_of_loss: ReasonOfLoss = ""
    """01 death, 02 public assistance, 03 other insurance, 99 other."""
    newer_known: bool = False
    """After its loss the insurers know a newer one, of which nothing is told here."""
    records: bool = True
    """False: valid, and no record can be looked at (有効・未登録)."""
    share: Share | None = None
    """Percent of the cost, from 70 on; None: 20, and 10 in 後期高齢. Before 70 the law alone says it."""
    elderly: ElderlyCertificate | None = None
    """None: as the birthday and ``share`` say."""
    limits: tuple[LimitCertificate, ...] = ()
    diseases: tuple[DiseaseCertificate, ...] = ()
    tickets: tuple[MedicalTicket, ...] = ()

    @property
    def is_late_elderly(self) -> bool:
        """Say whether it is the insurance of the late-stage elderly."""
        return len(self.insurer_number) == 8 and self.insurer_number.startswith(LATE_ELDERLY)

    @property
    def is_assistance(self) -> bool:
        """Say whether it is no insurance but medical assistance (医療扶助), which may stand beside one."""
        return self.classification == MEDICAL_ASSISTANCE


@dataclass(frozen=True, config=STRICT)
class Insurance:
    """What the eligibility-confirmation server knows of the person's insurance.

    Either ``qualifications``, or the other keys as a shorthand for a single one.
    """

    registered: bool = True
    """The card's use as insurance card was applied for."""
    validity: Validity = "valid"
    """The situation that the shorthand stands for; the dates that it says none of are given here."""
    insurer_number: InsurerNumber = "06139992"
    symbol: Number = ""
    number: Number = ""
    branch: Branch = "00"
    share: Share = 30
    """The patient's part of the cost, in percent; before 70 the law alone says it."""
    limit_category: LimitCategory = ""
    insurer_name: Name = "テスト健康保険組合"
    family: bool | None = None
    """Insured as a family member of ``insured_name``; None: as the age says."""
    insured_name: Name = ""
    """Whose insurance it is; empty: the person's own."""
    classification: CardClassification = "01"
    qualified_on: date | None = None
    """None: 2020-04-01, or the day from which the law allows it."""
    issued_on: date | None = None
    lost_on: date | None = None
    reason_of_loss: ReasonOfLoss = ""
    specific_diseases: Annotated[tuple[SpecificDisease, ...], Field(max_length=3)] = ()
    """特定疾病療養受療証: 1 dialysis, 2 haemophilia, 3 HIV."""
    qualifications: tuple[Qualification, ...] = ()

    def known(self, birth: date) -> tuple[Qualification, ...]:
        """Return the qualifications of somebody born on a day, oldest first."""
        if self.qualifications:
            stated = self.qualifications
        elif self.validity == "not-found":
            stated = ()
        else:
            one = _of_shorthand(self, birth)
            # Nothing tells the two apart, neither a card nor any number.
            stated = (one, one) if self.validity == "ambiguous" else (one,)
        return tuple(sorted(stated, key=lambda one: one.qualified_on))


# --- The calendar -----------------------------------------------------------------------------------------------


def birthday(birth: date, age: int) -> date:
    """Return the day from which somebody counts as ``age``; born on 29 February: 1 March in a common year."""
    try:
        return birth.replace(year=birth.year + age)
    except ValueError:
        return date(birth.year + age, 3, 1)


def elderly_from(birth: date) -> date:
    """Return the first day of the 高齢受給者証: a birthday on a first, else the next first after the 70th birthday."""
    born = birthday(birth, ELDERLY_AGE)
    if born.day == 1:
        return born
    return date(born.year + born.month // 12, born.month % 12 + 1, 1)


def check_digit(digits: str) -> str:
    """Return the digit that belongs after these of an insurer's number: modulus 10, weights 2 and 1 from the right.

    The numbers of public payers and of their beneficiaries follow the same rule.
    """
    total = 0
    for at, digit in enumerate(reversed(digits)):
        tens, ones = divmod(int(digit) * (2 if at % 2 == 0 else 1), 10)
        total += tens + ones
    return str(-total % 10)


# --- The shorthand ----------------------------------------------------------------------------------------------


def _of_shorthand(given: Insurance, birth: date) -> Qualification:
    late = given.insurer_number.startswith(LATE_ELDERLY) and len(given.insurer_number) == 8
    assisted = given.classification == MEDICAL_ASSISTANCE
    begun = given.qualified_on or _first_day(birth, late=late)
    gone = given.validity in ("invalid", "superseded")
    lost = given.lost_on or (_some_loss(begun) if gone else None)
    reason = given.reason_of_loss or ("03" if given.validity == "superseded" else "")
    child = begun < birthday(birth, DEPENDENT_AGE) and len(given.insurer_number) == 8
    diseases = tuple(
        DiseaseCertificate(one, valid_from=begun) for one in dict.fromkeys(given.specific_diseases)
    )
    limits = (LimitCertificate(given.limit_category),) if given.limit_category else ()
    return Qualification(
        insurer_number=given.insurer_number,
        qualified_on=begun,
        insurer_name=given.insurer_name,
        symbol=given.symbol,
        number=given.number,
        branch="" if (late or assisted) and given.branch == "00" else given.branch,
        family=child and not late and not assisted if given.family is None else given.family,
        insured_name=given.insured_name,
        classification=given.classification,
        issued_on=given.issued_on,
        lost_on=lost,
        reason_of_loss=reason if lost else "",
        newer_known=given.validity == "superseded",
        records=given.validity != "unregistered",
        share=given.share,
        limits=limits,
        diseases=diseases,
    )


def _first_day(birth: date, *, late: bool) -> date:
    if not late:
        return max(FIRST_DAY, birth)
    return max(FIRST_DAY, birthday(birth, LATE_ELDERLY_AGE))


def _some_loss(begun: date) -> date:
    """Return when an insurance that ended, nobody says when, was lost: the first 1 April after its begin."""
    return date(begun.year + (begun >= date(begun.year, 4, 1)), 4, 1)


# --- What cannot be ---------------------------------------------------------------------------------------------

Fault = tuple[Key, str]


def faults(given: Insurance, birth: date, today: date) -> Iterator[Fault]:
    """Name everything in a person's insurance that contradicts itself or the law: key and words.

    ``today``: the day on which a stated ``validity`` must hold.
    """
    at: Key = ("insurance",)
    if given.qualifications:
        yield from _of_two_ways(given, at)
        for number, one in enumerate(given.qualifications):
            here: Key = (*at, "qualifications", number)
            yield from _of_numbers(one, here)
            yield from _of_one(one, birth, here, child=one.family)
            yield from _of_certificates(one, birth, here)
        yield from _of_overlap(given.qualifications, at)
        return
    one = _of_shorthand(given, birth)
    yield from _of_one(one, birth, at, child=given.family)
    yield from _of_situation(given, one, at, today)
    if given.reason_of_loss and one.lost_on is None:
        yield (*at, "reason_of_loss"), "needs the day of the loss: add lost_on"
    if len(set(given.specific_diseases)) != len(given.specific_diseases):
        yield (*at, "specific_diseases"), "names a disease twice"
    if given.limit_category:
        yield from _of_category(given.limit_category, one, (*at, "limit_category"))


def _of_two_ways(given: Insurance, at: Key) -> Iterator[Fault]:
    plain = Insurance(registered=given.registered)
    for name in Insurance.__dataclass_fields__:
        if name not in ("registered", "qualifications") and getattr(given, name) != getattr(plain, name):
            yield (*at, name), "does not go with qualifications, which say the same with dates: leave it out"


def _of_situation(given: Insurance, one: Qualification, at: Key, today: date) -> Iterator[Fault]:
    """Compare a stated validity with the dates beside it."""
    dated = (*at, "lost_on") if given.lost_on else (*at, "qualified_on")
    if given.validity in ("valid", "unregistered"):
        if given.lost_on and given.lost_on <= today:
            yield dated, f"{given.lost_on} is past, which contradicts validity = {given.validity!r}"
        elif one.qualified_on > today:
            yield dated, f"{one.qualified_on} is to come, which contradicts validity = {given.validity!r}"
    elif given.validity in ("not-found", "ambiguous"):
        for name in ("lost_on", "reason_of_loss"):
            if getattr(given, name):
                yield (*at, name), f"does not go with validity = {given.validity!r}: leave one out"
    elif given.lost_on and given.lost_on > today:
        yield dated, f"{given.lost_on} is to come, which contradicts validity = {given.validity!r}"
    elif one.lost_on and one.lost_on > today:
        yield dated, f"{one.qualified_on} is too late for validity = {given.validity!r} without lost_on"


def _of_one(one: Qualification, birth: date, at: Key, *, child: bool | None) -> Iterator[Fault]:
    if one.qualified_on < birth:
        yield (*at, "qualified_on"), f"{one.qualified_on} is before the birth ({birth})"
    if one.lost_on and one.lost_on < one.qualified_on:
        yield (*at, "lost_on"), f"{one.lost_on} is before the qualification ({one.qualified_on})"
    if one.issued_on and one.lost_on and one.issued_on > one.lost_on:
        yield (*at, "issued_on"), f"{one.issued_on} is after the loss ({one.lost_on})"
    if one.issued_on and one.issued_on < birth:
        yield (*at, "issued_on"), f"{one.issued_on} is before the birth ({birth})"
    if one.family and one.is_late_elderly:
        yield (*at, "family"), "the late-stage elderly (39…) are insured each for themselves: should be false"
    yield from _of_age(one, birth, at)
    employees = len(one.insurer_number) == 8 and not one.is_late_elderly and not one.is_assistance
    if child is False and employees and one.qualified_on < birthday(birth, DEPENDENT_AGE):
        yield (
            (*at, "family"),
            "a child is insured as the family of somebody who works: should be true, with insured_name",
        )


def _of_age(one: Qualification, birth: date, at: Key) -> Iterator[Fault]:
    senior, old = birthday(birth, DISABLED_AGE), birthday(birth, LATE_ELDERLY_AGE)
    if one.is_late_elderly:
        if one.qualified_on < senior:
            yield (
                (*at, "qualified_on"),
                f"a 広域連合 (39…) insures from 75, with a disability from 65: should be {senior} or later",
            )
        if one.share == 0:
            yield (*at, "share"), "0 is not allowed: the late-stage elderly pay 10, 20 or 30"
    elif not one.is_assistance:
        if one.qualified_on >= old:
            yield (
                (*at, "insurer_number"),
                f"from 75 ({old}) everybody is insured by a 広域連合: should begin with 39",
            )
        if one.share not in (None, 20, 30):
            yield (*at, "share"), f"{one.share} is not allowed: before 75 it is 20 or 30"


def _of_numbers(one: Qualification, at: Key) -> Iterator[Fault]:
    """Check what only the long form is asked for: older files hold numbers that were made up."""
    number = one.insurer_number
    if len(number) == 7:
        yield (*at, "insurer_number"), f"{number!r} is not allowed: should have 6 or 8 digits"
    elif number[-1] != check_digit(number[:-1]):
        yield (
            (*at, "insurer_number"),
            f"{number!r} is not allowed: its last digit, the check digit, should be {check_digit(number[:-1])}",
        )
    if not one.number:
        yield (*at, "number"), "is missing"
    if one.symbol and one.is_late_elderly:
        yield (*at, "symbol"), "the late-stage elderly (39…) have none: leave it out"
    if one.reason_of_loss and one.lost_on is None:
        yield (*at, "reason_of_loss"), "needs the day of the loss: add lost_on"
    if one.newer_known and one.lost_on is None:
        yield (*at, "newer_known"), "needs the day of the loss: add lost_on"
    if one.tickets and not one.is_assistance:
        yield (*at, "tickets"), 'only medical assistance has tickets: needs classification = "A1"'


def _of_certificates(one: Qualification, birth: date, at: Key) -> Iterator[Fault]:
    for number, limit in enumerate(one.limits):
        here: Key = (*at, "limits", number)
        yield from _of_category(limit.category, one, (*here, "category"))
        yield from _of_span(limit, one, here)
    for number, disease in enumerate(one.diseases):
        yield from _of_span(disease, one, (*at, "diseases", number))
    elderly, here = one.elderly, (*at, "elderly")
    if elderly is None:
        return
    if one.is_late_elderly or one.is_assistance:
        yield (
            here,
            "only who is 70 to 74, and neither in 後期高齢 nor in medical assistance, has one: leave it out",
        )
        return
    yield from _of_span(elderly, one, here)
    first, last = elderly_from(birth), birthday(birth, LATE_ELDERLY_AGE) - timedelta(days=1)
    for name in ("valid_from", "valid_until"):
        day = getattr(elderly, name)
        if day and not first <= day <= last:
            yield (*here, name), f"{day} is not allowed: should be from {first} to {last}"


def _of_category(category: str, one: Qualification, at: Key) -> Iterator[Fault]:
    if one.is_assistance:
        yield at, "medical assistance has no limit: leave it out"
    elif one.is_late_elderly and category[:1] == "A":
        yield at, f"{category!r} is not allowed: from 70 the categories are B01 to B10"
    elif not one.is_late_elderly and category in ("B09", "B10"):
        yield at, f"{category!r} is not allowed: B09 and B10 are for the late-stage elderly (39…)"


def _of_span(
    certificate: ElderlyCertificate | LimitCertificate | DiseaseCertificate, one: Qualification, at: Key
) -> Iterator[Fault]:
    begun, ends = certificate.valid_from, certificate.valid_until
    if begun and ends and ends < begun:
        yield (*at, "valid_until"), f"{ends} is before valid_from ({begun})"
    if begun and begun < one.qualified_on:
        yield (*at, "valid_from"), f"{begun} is before the qualification ({one.qualified_on})"
    for name, day in (("valid_from", begun), ("issued_on", certificate.issued_on)):
        if day and one.lost_on and day >= one.lost_on:
            yield (*at, name), f"{day} is not before the loss ({one.lost_on})"


def _of_overlap(stated: tuple[Qualification, ...], at: Key) -> Iterator[Fault]:
    """Refuse the same insurance twice at a time; two different ones at once happen, and are told as they are."""
    for number, one in enumerate(stated):
        for other in stated[:number]:
            same = (one.insurer_number, one.symbol, one.number) == (
                other.insurer_number,
                other.symbol,
                other.number,
            )
            if same and _overlap(one, other):
                yield (
                    (*at, "qualifications", number),
                    "is the same insurance as an earlier one, at the same time",
                )


def _overlap(one: Qualification, other: Qualification) -> bool:
    first, second = sorted((one, other), key=lambda each: each.qualified_on)
    return first.lost_on is None or first.lost_on > second.qualified_on


# --- Subsidies --------------------------------------------------------------------------------------------------


def subsidy_faults(stated: tuple[Subsidy, ...], birth: date) -> Iterator[Fault]:
    """Name everything in a person's certificates of medical subsidies that cannot be: key and words."""
    for number, one in enumerate(stated):
        at: Key = ("subsidies", number)
        if not one.scheme.strip():
            yield (*at, "scheme"), "should not be blank"
        for name in ("payer_number", "beneficiary_number"):
            digits = getattr(one, name)
            if digits[-1] != check_digit(digits[:-1]):
                right = check_digit(digits[:-1])
                yield (
                    (*at, name),
                    f"{digits!r} is not allowed: its last digit, the check digit, should be {right}",
                )
        if one.valid_from < birth:
            yield (*at, "valid_from"), f"{one.valid_from} is before the birth ({birth})"
        if one.valid_until < one.valid_from:
            yield (*at, "valid_until"), f"{one.valid_until} is before valid_from ({one.valid_from})"
        beside = [other for other in stated[:number] if _at_once(one, other)]
        if any(_numbers(one) == _numbers(other) for other in beside):
            yield at, "is the same certificate as an earlier one, at the same time"
    for number, one in enumerate(stated):
        if sum(other.holds(one.valid_from) for other in stated) > MOST_SUBSIDIES:
            at = ("subsidies", number)
            yield at, f"more than {MOST_SUBSIDIES} certificates hold on {one.valid_from}"
            return


def _at_once(one: Subsidy, other: Subsidy) -> bool:
    return one.valid_from <= other.valid_until and other.valid_from <= one.valid_until


def _numbers(one: Subsidy) -> tuple[str, str]:
    return one.payer_number, one.beneficiary_number
