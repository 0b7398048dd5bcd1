"""What a receipt computer is told of one patient, and which element of its XML each value stands in; pure.

Element names, codes and widths: domain facts, section 2 (公開されたリーダー and a sample file); nobody here has
seen the official layout (別紙3-1).
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field, model_validator
from pydantic.dataclasses import dataclass

from config.subsidies import MOST_SUBSIDIES
from config.toml_file import STRICT
from consent.choices import ConsentAnswer, Item, available_until


@plain_dataclass(frozen=True)
class Element:
    """A value that stands in an element of its own; inside a Run, ``name`` is the end of the element's name."""

    name: str
    zeros: int = 0
    """Width of a number, filled with zeros."""
    spaces: int = 0
    """Width of a text, filled with spaces on the left."""


@plain_dataclass(frozen=True)
class Group:
    """A dataclass that stands in an element of its own; in a tuple, one such element for each."""

    name: str
    within: str = ""
    """The element around all elements of a tuple."""


@plain_dataclass(frozen=True)
class NamePrefix:
    """A dataclass whose elements stand beside the others; ``name`` is the beginning of their names."""

    name: str


class Validity(StrEnum):
    """QualificationValidity: what the insurers know of the person."""

    VALID = "1"
    INVALID = "2"
    SUPERSEDED = "3"
    NOT_FOUND = "4"
    AMBIGUOUS = "5"
    UNREGISTERED = "6"


WITHOUT_INSURED = (Validity.NOT_FOUND, Validity.AMBIGUOUS)
"""No single insured person is known, so nobody is described."""


class Reference(StrEnum):
    """ReferenceClassification: what was asked with."""

    CARD = "1"
    INSURED_NUMBER = "2"
    PAPER_CARD = "7"
    """A paper card read by the reader's camera; so is the next, with tickets for public expense."""
    PAPER_CARD_AND_TICKETS = "8"


class ConsentFlag(StrEnum):
    """…ConsFlg; the last two never come from a reader (home visits, online and emergencies only)."""

    DECLINED = "0"
    GIVEN = "1"
    EXPIRED = "2"
    UNOBTAINABLE = "3"


class Prescription(StrEnum):
    """PrescriptionIssueSelect."""

    ELECTRONIC = "1"
    PAPER = "2"


class Advice(StrEnum):
    """ProcessingResultCode of an answer that is no error; the official codes are not public."""

    CERTIFICATE_EXPIRES_SOON = "CERTIFICATE_EXPIRES_SOON"
    CERTIFICATE_IN_GRACE = "CERTIFICATE_IN_GRACE"


class CardClass(StrEnum):
    """InsuredCardClassification."""

    GENERAL = "01"
    RETIRED = "02"
    SHORT_TERM = "03"
    SHORT_TERM_RETIRED = "04"
    SPECIAL_EXPENSE = "05"
    SPECIAL_RETIRED = "06"
    SELF_DEFENCE = "07"
    MEDICAL_ASSISTANCE = "A1"


class Relation(StrEnum):
    """PersonalFamilyClassification."""

    INSURED = "1"
    FAMILY = "2"


class Sex(StrEnum):
    MALE = "1"
    FEMALE = "2"
    NOT_STATED = "3"


class Preschool(StrEnum):
    """PreschoolClassification, present only for children before school."""

    YES = "1"


class LossReason(StrEnum):
    """ReasonOfLoss."""

    DEATH = "01"
    PUBLIC_ASSISTANCE = "02"
    OTHER_INSURANCE = "03"
    OTHER = "99"


class LimitClass(StrEnum):
    """LimitApplicationCertificateClassification: what the certificate covers, limit amount, meal charges or both."""

    LIMIT = "01"
    LIMIT_AND_REDUCTION = "02"
    REDUCTION = "03"


class Disease(StrEnum):
    """SpecificDiseasesDiseaseCategory."""

    DIALYSIS = "1"
    HAEMOPHILIA = "2"
    HIV = "3"


# At most so long in the public descriptions, or amply long where they are silent.
Text = Annotated[str, Field(max_length=200)]
Kana = Annotated[str, Field(max_length=200, pattern=r"^[^\u3041-\u30ff\u3000]*$")]
"""Half-width: no full-width kana, no full-width space."""
Number = Annotated[str, Field(max_length=20)]
InsurerNumber = Annotated[str, Field(pattern=r"^([0-9]{6,8})?$")]
Branch = Annotated[str, Field(pattern=r"^([0-9]{2})?$")]
Percent = Annotated[int, Field(ge=0, le=100)]
LimitCategory = Annotated[str, Field(pattern=r"^(A0[1-6]|B0[1-9]|B10)$")]
ReferenceNumber = Annotated[str, Field(max_length=50)]


@dataclass(frozen=True, repr=False, config=STRICT)
class ElderlyCertificate:
    """高齢受給者証, from 70 to 74."""

    issued: Annotated[date | None, Element("ElderlyRecipientCertificateDate")] = None
    valid_from: Annotated[date | None, Element("ElderlyRecipientValidStartDate")] = None
    valid_until: Annotated[date | None, Element("ElderlyRecipientValidEndDate")] = None
    share: Annotated[Percent | None, Element("ElderlyRecipientContributionRatio", zeros=3)] = None


@dataclass(frozen=True, repr=False, config=STRICT)
class LimitCertificate:
    """限度額適用認定証: the category, never an amount."""

    kind: Annotated[LimitClass, Element("LimitApplicationCertificateClassification")]
    category: Annotated[LimitCategory, Element("LimitApplicationCertificateClassificationFlag")]
    issued: Annotated[date | None, Element("LimitApplicationCertificateDate")] = None
    valid_from: Annotated[date | None, Element("LimitApplicationCertificateValidStartDate")] = None
    valid_until: Annotated[date | None, Element("LimitApplicationCertificateValidEndDate")] = None
    long_term_from: Annotated[date | None, Element("LimitApplicationCertificateLongTermDate")] = None


@dataclass(frozen=True, repr=False, config=STRICT)
class DiseaseCertificate:
    """特定疾病療養受療証."""

    disease: Annotated[Disease, Element("SpecificDiseasesDiseaseCategory")]
    issued: Annotated[date | None, Element("SpecificDiseasesCertificateDate")] = None
    valid_from: Annotated[date | None, Element("SpecificDiseasesValidStartDate")] = None
    valid_until: Annotated[date | None, Element("SpecificDiseasesValidEndDate")] = None
    self_pay_yen: Annotated[
        Annotated[int, Field(ge=0, le=9_999_999)] | None, Element("SpecificDiseasesSelfPay")
    ] = None


@dataclass(frozen=True, repr=False, config=STRICT)
class MedicalTicket:
    """医療券 of medical assistance (医療扶助); names as a public program writes them (facts), which has some more."""

    kind: Annotated[Text, Element("TicketType")] = ""
    valid_from: Annotated[date | None, Element("MedicalTicketValidDate")] = None
    valid_until: Annotated[date | None, Element("MedicalTicketExpirationDate")] = None
    issue_number: Annotated[Number, Element("IssueNumber")] = ""
    month: Annotated[
        Annotated[str, Field(pattern=r"^([0-9]{4}(0[1-9]|1[0-2]))?$")], Element("MedicalTreatmentMonth")
    ] = ""
    institution_code: Annotated[
        Annotated[str, Field(pattern=r"^([0-9]{10})?$")], Element("DesignatedMedicalInstitutionCode")
    ] = ""
    self_pay_yen: Annotated[Annotated[int, Field(ge=0, le=9_999_999)] | None, Element("SelfPayAmount")] = None


@dataclass(frozen=True, repr=False, config=STRICT)
class SubsidyCertificate:
    """受給者証 of a medical subsidy (医療費助成) that is used on this visit.

    The names of the two numbers are those of a public program for 公費; the others, and where all of it stands, are our
    own: no file of a reader with PMH was seen.
    """

    scheme: Annotated[Text, Element("MedicalSubsidyName")]
    payer_number: Annotated[Annotated[str, Field(pattern=r"^[0-9]{8}$")], Element("PublicExpenseNumber")]
    beneficiary_number: Annotated[Annotated[str, Field(pattern=r"^[0-9]{7}$")], Element("BeneficiaryNumber")]
    valid_from: Annotated[date, Element("MedicalSubsidyValidStartDate")]
    valid_until: Annotated[date, Element("MedicalSubsidyValidEndDate")]
    self_pay_yen: Annotated[
        Annotated[int, Field(ge=0, le=9_999_999)] | None, Element("MedicalSubsidySelfPay")
    ] = None
    """The most that the patient pays in a month."""
    self_pay: Annotated[Text, Element("MedicalSubsidySelfPayText")] = ""


@dataclass(frozen=True, repr=False, config=STRICT)
class Consent:
    """One answer, with its time when it was a yes."""

    flag: Annotated[ConsentFlag, Element("ConsFlg")] = ConsentFlag.DECLINED
    given_at: Annotated[AwareDatetime | None, Element("ConsTime")] = None

    @model_validator(mode="after")
    def _a_yes_has_its_time(self) -> "Consent":
        if (self.flag is ConsentFlag.GIVEN) != (self.given_at is not None):
            raise ValueError("a consent has a time, and a no has none")
        return self


@dataclass(frozen=True, repr=False, config=STRICT)
class ViewingConsent(Consent):
    """A consent to view records, which ends 24 hours later."""

    until: Annotated[AwareDatetime | None, Element("AvailableTime")] = None

    @model_validator(mode="after")
    def _viewing_ends_after_a_day(self) -> "ViewingConsent":
        if self.until != (None if self.given_at is None else available_until(self.given_at)):
            raise ValueError("viewing ends 24 hours after the consent")
        return self


@dataclass(frozen=True, repr=False, config=STRICT)
class RemoteConsent(Consent):
    """A consent given at a home visit or online: it ends when it was said to, or not at all."""

    until: Annotated[AwareDatetime | None, Element("AvailableTime")] = None

    @model_validator(mode="after")
    def _ends_later(self) -> "RemoteConsent":
        if self.until and (self.given_at is None or self.until < self.given_at):
            raise ValueError("a consent ends after it was given")
        return self


@dataclass(frozen=True, repr=False, config=STRICT)
class Insured:
    """ResultOfQualificationConfirmation: one insurance of one person, with what may be seen; shows nothing in its repr.

    ``name`` is written with a full-width space, ``name_kana`` in half-width kana; see half_width.
    """

    name: Annotated[Annotated[str, Field(min_length=1, max_length=200)], Element("Name")]
    birth_date: Annotated[date, Element("Birthdate")]
    sex: Annotated[Sex, Element("Sex1")]
    card_class: Annotated[CardClass, Element("InsuredCardClassification")] = CardClass.GENERAL
    insurer_number: Annotated[InsurerNumber, Element("InsurerNumber", spaces=8)] = ""
    symbol: Annotated[Number, Element("InsuredCardSymbol")] = ""
    number: Annotated[Number, Element("InsuredIdentificationNumber")] = ""
    branch: Annotated[Branch, Element("InsuredBranchNumber")] = ""
    relation: Annotated[Relation | None, Element("PersonalFamilyClassification")] = None
    insured_name: Annotated[Text, Element("InsuredName")] = ""
    """The head of the household (世帯主) where one is named on the card."""
    other_name: Annotated[Text, Element("NameOfOther")] = ""
    name_kana: Annotated[Kana, Element("NameKana")] = ""
    other_name_kana: Annotated[Kana, Element("NameOfOtherKana")] = ""
    sex_on_back: Annotated[Sex | None, Element("Sex2")] = None
    address: Annotated[Text, Element("Address")] = ""
    postal_code: Annotated[
        Annotated[str, Field(pattern=r"^([0-9]{3}-?[0-9]{4})?$")], Element("PostNumber")
    ] = ""
    qualified_from: Annotated[date | None, Element("QualificationDate")] = None
    disqualified_from: Annotated[date | None, Element("DisqualificationDate")] = None
    issued: Annotated[date | None, Element("InsuredCertificateIssuanceDate")] = None
    valid_from: Annotated[date | None, Element("InsuredCardValidDate")] = None
    valid_until: Annotated[date | None, Element("InsuredCardExpirationDate")] = None
    share: Annotated[Percent | None, Element("InsuredPartialContributionRatio", zeros=3)] = None
    """The patient's part of the cost, in percent."""
    preschool: Annotated[Preschool | None, Element("PreschoolClassification")] = None
    loss_reason: Annotated[LossReason | None, Element("ReasonOfLoss")] = None
    insurer_name: Annotated[Text, Element("InsurerName")] = ""
    elderly: Annotated[ElderlyCertificate | None, Group("ElderlyRecipientCertificateInfo")] = None
    limit_consent: Annotated[Consent | None, NamePrefix("LimitApplicationCertificateRelated")] = None
    limit: Annotated[LimitCertificate | None, Group("LimitApplicationCertificateRelatedInfo")] = None
    disease_consent: Annotated[Consent | None, NamePrefix("SpecificDiseasesCertificateRelated")] = None
    diseases: Annotated[
        Annotated[tuple[DiseaseCertificate, ...], Field(max_length=10)],
        Group("SpecificDiseasesCertificateInfo", within="SpecificDiseasesCertificateList"),
    ] = ()
    tickets: Annotated[
        Annotated[tuple[MedicalTicket, ...], Field(max_length=50)],
        Group("MedicalTicketInfo", within="PublicExpenseResultList"),
    ] = ()
    subsidy_consent: Annotated[Consent | None, NamePrefix("MedicalSubsidyCertificateRelated")] = None
    """None: not asked. DECLINED: none is used on this visit, which says nothing of what the patient is entitled to."""
    subsidies: Annotated[
        Annotated[tuple[SubsidyCertificate, ...], Field(max_length=MOST_SUBSIDIES)],
        Group("MedicalSubsidyCertificateInfo", within="MedicalSubsidyCertificateList"),
    ] = ()
    health_checkup: Annotated[
        ViewingConsent | RemoteConsent | None, NamePrefix("SpecificHealthCheckupsInfo")
    ] = None
    medication: Annotated[ViewingConsent | RemoteConsent | None, NamePrefix("PharmacistsInfo")] = None
    diagnosis: Annotated[ViewingConsent | None, NamePrefix("DiagnosisInfo")] = None
    operation: Annotated[ViewingConsent | None, NamePrefix("OperationInfo")] = None
    # Seen since 2025-01 (ORCA); written where a site's receipt computer knows them. See after_visit.
    disease_names: Annotated[ViewingConsent | None, NamePrefix("DiagnosisName")] = None
    infections: Annotated[ViewingConsent | None, NamePrefix("InfectiousInfo")] = None
    allergies: Annotated[ViewingConsent | None, NamePrefix("AllergyInfo")] = None
    contraindications: Annotated[ViewingConsent | None, NamePrefix("ContraindicationInfo")] = None
    tests: Annotated[ViewingConsent | None, NamePrefix("TestInfo")] = None
    prescriptions: Annotated[ViewingConsent | None, NamePrefix("PrescriptionInfo")] = None
    reference_number: Annotated[ReferenceNumber, Element("ReferenceNumber")] = ""
    """照会番号: the clinic's own chart number."""
    arbitrary_id: Annotated[ReferenceNumber, Element("ArbitraryIdentifier")] = ""
    prescription: Annotated[Prescription | None, Element("PrescriptionIssueSelect")] = None
    """Here only for receipt computers that do not look for it in the body."""

    @model_validator(mode="after")
    def _nothing_without_consent(self) -> "Insured":
        for info, consent in (
            (self.limit, self.limit_consent),
            (self.diseases, self.disease_consent),
            (self.subsidies, self.subsidy_consent),
        ):
            if info and (consent is None or consent.flag is not ConsentFlag.GIVEN):
                raise ValueError("a certificate was not consented to")
        return self


@dataclass(frozen=True, repr=False, config=STRICT)
class Query:
    """QualificationConfirmSearchInfo: whom a receipt computer asks for."""

    insurer_number: Annotated[
        Annotated[str, Field(pattern=r"^[0-9]{6,8}$")], Element("InsurerNumber", spaces=8)
    ]
    number: Annotated[
        Annotated[str, Field(min_length=1, max_length=20)], Element("InsuredIdentificationNumber")
    ]
    birth_date: Annotated[date, Element("Birthdate")]
    symbol: Annotated[Number, Element("InsuredCardSymbol")] = ""
    branch: Annotated[Branch, Element("InsuredBranchNumber")] = ""
    limit_consent: Annotated[ConsentFlag, Element("LimitApplicationCertificateRelatedConsFlg")] = (
        ConsentFlag.DECLINED
    )
    """GIVEN: the patient agreed to staff, by word of mouth, that the limit certificate is looked up."""
    arbitrary_id: Annotated[ReferenceNumber, Element("ArbitraryIdentifier")] = ""

    @model_validator(mode="after")
    def _yes_or_no(self) -> "Query":
        if self.limit_consent not in (ConsentFlag.GIVEN, ConsentFlag.DECLINED):
            raise ValueError("an oral consent is 0 or 1")
        return self


@dataclass(frozen=True, repr=False, config=STRICT)
class Registration:
    """ReferenceNumberRegistrationInfo: the clinic's chart number for one insured person."""

    reference_number: Annotated[
        Annotated[str, Field(min_length=1, max_length=50)], Element("ReferenceNumber")
    ]
    insurer_number: Annotated[
        Annotated[str, Field(pattern=r"^[0-9]{6,8}$")], Element("InsurerNumber", spaces=8)
    ]
    number: Annotated[
        Annotated[str, Field(min_length=1, max_length=20)], Element("InsuredIdentificationNumber")
    ]
    symbol: Annotated[Number, Element("InsuredCardSymbol")] = ""
    branch: Annotated[Branch, Element("InsuredBranchNumber")] = ""


@dataclass(frozen=True, repr=False, config=STRICT)
class Confirmation:
    """One eligibility confirmation (資格確認), as the receipt computer is told of it."""

    confirmed_at: AwareDatetime
    validity: Validity
    insured: tuple[Insured, ...] = ()
    """Several where two insurances hold at once, or a newer one is known beside the one that ended."""
    prescription: Prescription | None = None
    advice: Advice | None = None

    @model_validator(mode="after")
    def _somebody_or_nobody(self) -> "Confirmation":
        if bool(self.insured) == (self.validity in WITHOUT_INSURED):
            raise ValueError("an insured person belongs to every validity but not found and ambiguous")
        return self


def after_visit(
    insured: Insured,
    answers: Mapping[Item, ConsentAnswer],
    recorded_at: datetime,
    *,
    limit_provided: bool,
    limit: LimitCertificate | None = None,
    diseases: tuple[DiseaseCertificate, ...] = (),
    flags_2025: bool = False,
) -> Insured:
    """Return what may be told after a visit with these recorded answers; what was not asked is a no.

    ``limit_provided``: by consent or, in profile ``current``, by law; the flag is 1 for both (assumed; no file from
    a reader since 2024-10 was seen). There may be no certificate all the same. ``flags_2025``: also the six newer
    flags, each a repetition of an answer.
    """
    # Files know whole seconds.
    at = recorded_at.replace(microsecond=0)

    def viewing(item: Item) -> ViewingConsent:
        given = answers.get(item) is ConsentAnswer.GIVEN
        return ViewingConsent(ConsentFlag.GIVEN, at, available_until(at)) if given else ViewingConsent()

    def consent(given: bool) -> Consent:
        return Consent(ConsentFlag.GIVEN, at) if given else Consent()

    diseases_given = answers.get(Item.SPECIFIC_DISEASE) is ConsentAnswer.GIVEN
    told = replace(
        insured,
        medication=viewing(Item.MEDICATION),
        diagnosis=viewing(Item.DIAGNOSIS),
        operation=viewing(Item.OPERATION),
        health_checkup=viewing(Item.HEALTH_CHECKUP),
        limit_consent=consent(limit_provided),
        limit=limit if limit_provided else None,
        disease_consent=consent(diseases_given),
        diseases=diseases if diseases_given else (),
    )
    shared = Item.RECORD_SHARING if Item.RECORD_SHARING in answers else None
    if not flags_2025 and shared is None:
        return told
    # By the groups SRJ and SHJ of the code list OQSCD036 (facts); asked for by itself, the answer is the six kinds.
    return replace(
        told,
        disease_names=viewing(shared or Item.OPERATION),
        infections=viewing(shared or Item.OPERATION),
        allergies=viewing(shared or Item.DIAGNOSIS),
        contraindications=viewing(shared or Item.DIAGNOSIS),
        tests=viewing(shared or Item.DIAGNOSIS),
        prescriptions=viewing(shared or Item.MEDICATION),
    )


def with_subsidies(
    insured: Insured,
    answers: Mapping[Item, ConsentAnswer],
    recorded_at: datetime,
    used: tuple[SubsidyCertificate, ...],
) -> Insured:
    """Return what is told of medical subsidies, which belong to the person and are told beside one insurance only.

    Nothing where they were not asked.
    """
    answer = answers.get(Item.MEDICAL_SUBSIDY)
    if answer is None:
        return insured
    if answer is ConsentAnswer.DECLINED:
        return replace(insured, subsidy_consent=Consent())
    at = recorded_at.replace(microsecond=0)
    return replace(insured, subsidy_consent=Consent(ConsentFlag.GIVEN, at), subsidies=used)


def without_card(insured: Insured, query: Query, at: datetime, limit: LimitCertificate | None) -> Insured:
    """Return what may be told to a query by insured number: the limit certificate after an oral yes, no more."""
    told = query.limit_consent is ConsentFlag.GIVEN
    return replace(
        insured,
        limit_consent=Consent(ConsentFlag.GIVEN, at.replace(microsecond=0)) if told else Consent(),
        limit=limit if told else None,
        arbitrary_id=query.arbitrary_id,
    )


def limit_certificate(
    category: str,
    issued: date | None = None,
    valid_from: date | None = None,
    valid_until: date | None = None,
    long_term_from: date | None = None,
) -> LimitCertificate | None:
    """Return the certificate of a limit category; None for none.

    Low incomes (オ and 低所得) pay less for meals too, so that theirs is 限度額適用・標準負担額減額認定証.
    """
    if not category:
        return None
    low = category in ("A05", "A06", "B05", "B06", "B07", "B08")
    kind = LimitClass.LIMIT_AND_REDUCTION if low else LimitClass.LIMIT
    return LimitCertificate(kind, category, issued, valid_from, valid_until, long_term_from)


def half_width(text: str) -> str:
    """Return kana as receipt computers want them: half-width, a voiced sound as two characters, ● for the rest."""
    katakana = "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)
    parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", katakana))
    narrow = unicodedata.normalize("NFC", parts.translate(_HALF_WIDTH))
    return "".join("●" if "\u3041" <= c <= "\u30ff" else c for c in narrow)


def full_width_space(name: str) -> str:
    """Return a name whose parts are set apart as receipt computers want them."""
    return "　".join(name.split())


_HALF_WIDTH = {ord(unicodedata.normalize("NFKC", chr(code))): code for code in range(0xFF61, 0xFF9E)}
# Marks of voiced and half-voiced sounds, and kana that half-width has no character for.
# A Latin middle dot would become the full-width one in CP932.
_HALF_WIDTH |= {0x3099: 0xFF9E, 0x309A: 0xFF9F, 0x3000: 0x20, 0xB7: 0xFF65}
_HALF_WIDTH |= {ord(wide): ord(narrow) for wide, narrow in zip("ヰヱヮヵヶ", "ｲｴﾜｶｹ", strict=True)}
