"""A strict reader of face files, made without the product's own: what a careful maker would check."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from xml.etree import ElementTree

HEADER = """ProcessExecutionTime QualificationConfirmationDate MedicalInstitutionCode ArbitraryFileIdentifier
ReferenceClassification SegmentOfResult CharacterCodeIdentifier"""
BODY = """ProcessingResultStatus ProcessingResultCode ProcessingResultMessage QualificationValidity
PrescriptionIssueSelect ResultList"""
PLAIN = """InsuredCardClassification InsurerNumber InsuredCardSymbol InsuredIdentificationNumber InsuredBranchNumber
PersonalFamilyClassification InsuredName Name NameOfOther NameKana NameOfOtherKana Sex1 Birthdate Address PostNumber
QualificationDate DisqualificationDate InsuredCertificateIssuanceDate InsuredCardValidDate
InsuredPartialContributionRatio PreschoolClassification ReasonOfLoss InsurerName ReferenceNumber
PrescriptionIssueSelect"""
MUST = """InsuredCardClassification InsurerNumber InsuredIdentificationNumber Name NameKana Sex1 Birthdate
QualificationDate InsurerName"""
CONSENTS = """SpecificHealthCheckupsInfo PharmacistsInfo DiagnosisInfo OperationInfo DiagnosisName InfectiousInfo
AllergyInfo ContraindicationInfo TestInfo PrescriptionInfo"""
CERTIFICATES = (
    "LimitApplicationCertificateRelated",
    "SpecificDiseasesCertificateRelated",
    "MedicalSubsidyCertificateRelated",
)
GROUPS = (
    "ElderlyRecipientCertificateInfo",
    "LimitApplicationCertificateRelatedInfo",
    "SpecificDiseasesCertificateList",
    "PublicExpenseResultList",
    "MedicalSubsidyCertificateList",
)


class NotAsItMustBe(AssertionError):
    """A file says what no file may say."""


@dataclass
class Told:
    """What a receipt computer would understand of one file."""

    validity: str
    day: date
    code: str
    prescription: str
    results: list[dict[str, str]] = field(default_factory=list)
    """Each with the texts of its elements; a certificate's by the element's own name."""


def read_face(data: bytes) -> Told:
    """Read a file and check all that it says; raises NotAsItMustBe."""
    head = re.match(rb'<\?xml version="1\.0" encoding="(UTF-8|Shift_JIS)" standalone="no"\?>\s*', data)
    need(head is not None, "no declaration")
    assert head
    shift_jis = head[1] == b"Shift_JIS"
    text = data[head.end() :].decode("cp932" if shift_jis else "utf-8", errors="strict")
    root = ElementTree.fromstring(text)
    need(root.tag == "XmlMsg" and [one.tag for one in root] == ["MessageHeader", "MessageBody"], "frame")
    header, body = leaves(root[0], HEADER.split()), root[1]
    need(header["CharacterCodeIdentifier"] == ("1" if shift_jis else "0"), "CharacterCodeIdentifier")
    need(header["SegmentOfResult"] == "1" and header["ReferenceClassification"] == "1", "header")
    need(re.fullmatch("[0-9]{10}", header["MedicalInstitutionCode"]) is not None, "institution")
    at, today = moment(header["ProcessExecutionTime"]), day(header["QualificationConfirmationDate"])
    need(at.date() == today, "the day of the confirmation")
    told_body = leaves(body, BODY.split(), nested=("ResultList",))
    need(told_body["ProcessingResultStatus"] == "1", "status")
    need(
        ("ProcessingResultCode" in told_body) == ("ProcessingResultMessage" in told_body),
        "an advice without words",
    )
    told = Told(
        told_body["QualificationValidity"],
        today,
        told_body.get("ProcessingResultCode", ""),
        told_body.get("PrescriptionIssueSelect", ""),
    )
    results = body.find("ResultList")
    if results is not None:
        need(all(one.tag == "ResultOfQualificationConfirmation" for one in results), "ResultList")
        told.results = [result(one, today) for one in results]
    check_validity(told)
    return told


def check_validity(told: Told) -> None:
    """Compare the validity with how many results there are, and with their dates."""
    allowed = {"1": (1, 2, 3), "2": (1,), "3": (1, 2), "4": (0,), "5": (0,), "6": (1, 2)}
    need(told.validity in allowed, "QualificationValidity")
    need(len(told.results) in allowed[told.validity], f"{len(told.results)} results for {told.validity}")
    for number, one in enumerate(told.results):
        begun = day(one["QualificationDate"])
        lost = day(one["DisqualificationDate"]) if "DisqualificationDate" in one else None
        holds = begun <= told.day and (lost is None or told.day < lost)
        if told.validity in "16":
            need(holds, "valid, and not on this day")
        elif number == 0:
            need(lost is not None and lost <= told.day, "invalid, and not lost")
    ordinary = [one for one in told.results if one["InsuredCardClassification"] != "A1"]
    need(told.validity not in "16" or len(ordinary) <= 1, "two insurances hold at once")


def result(element: ElementTree.Element, today: date) -> dict[str, str]:
    """Read one insurance."""
    consents = [name + end for name in CONSENTS.split() for end in ("ConsFlg", "ConsTime", "AvailableTime")]
    flags = [name + end for name in CERTIFICATES for end in ("ConsFlg", "ConsTime")]
    found = leaves(element, [*PLAIN.split(), *consents, *flags, *GROUPS], nested=GROUPS)
    for name in MUST.split():
        need(found.get(name, "").strip() != "", f"{name} is missing")
    need(len(found["InsurerNumber"]) == 8, "InsurerNumber")
    need(not re.search("[ぁ-ヿ　]", found["NameKana"] + found.get("NameOfOtherKana", "")), "kana")
    need(found.get("InsuredBranchNumber", "00").isdecimal(), "InsuredBranchNumber")
    born, begun = day(found["Birthdate"]), day(found["QualificationDate"])
    lost = day(found["DisqualificationDate"]) if "DisqualificationDate" in found else None
    need(born <= begun and (lost is None or begun <= lost), "born, qualified, lost: in this order")
    need(lost is None or day(found["InsuredCertificateIssuanceDate"]) <= lost, "issued after the loss")
    need("ReasonOfLoss" not in found or lost is not None, "a reason without a loss")
    check_share(found, born, today)
    for name in CONSENTS.split():
        check_consent(found, name, viewing=True)
    for name in CERTIFICATES:
        check_consent(found, name, viewing=False)
    for name in GROUPS:
        group = element.find(name)
        if group is not None:
            for one in group if name.endswith("List") else [group]:
                certificate(found, one, born, today, lost)
    return found


def check_share(found: dict[str, str], born: date, today: date) -> None:
    late = found["InsurerNumber"].startswith("39")
    ratio = found.get("InsuredPartialContributionRatio")
    need(late == (ratio is not None), "InsuredPartialContributionRatio is the late-stage elderly's")
    need(ratio in (None, "010", "020", "030"), "InsuredPartialContributionRatio")
    if late:
        need("InsuredCardSymbol" not in found, "the late-stage elderly have no symbol")
        need(day(found["QualificationDate"]) >= years_after(born, 65), "late-stage elderly before 65")
    if "PreschoolClassification" in found:
        need(today < years_after(born, 7), "a preschool child of seven")
    elif not late:
        need(today >= years_after(born, 6), "a child of five that is no preschool child")


def check_consent(found: dict[str, str], name: str, *, viewing: bool) -> None:
    flag, given = found.get(name + "ConsFlg"), found.get(name + "ConsTime")
    need((flag == "1") == (given is not None), f"{name}: a yes has its time, and only a yes")
    if viewing:
        until = found.get(name + "AvailableTime")
        need((given is None) == (until is None), f"{name}: AvailableTime")
        if given and until:
            need(moment(until) - moment(given) == timedelta(hours=24), f"{name}: not 24 hours")


def certificate(
    found: dict[str, str], element: ElementTree.Element, born: date, today: date, lost: date | None
) -> None:
    """Read a certificate, and check that it holds on the day, for this age, and no longer than the insurance."""
    own = {child.tag: child.text or "" for child in element}
    need(len(own) == len(list(element)), "an element twice")
    found.update(own)
    starts = [day(own[name]) for name in own if name.endswith(("ValidStartDate", "TicketValidDate"))]
    ends = [day(own[name]) for name in own if name.endswith(("ValidEndDate", "TicketExpirationDate"))]
    need(len(starts) == 1, f"{element.tag}: no start")
    need(starts[0] <= today and all(today <= end for end in ends), f"{element.tag}: not on this day")
    if element.tag == "MedicalSubsidyCertificateInfo":
        need(found["MedicalSubsidyCertificateRelatedConsFlg"] == "1", "a subsidy without consent")
        need(len(own["PublicExpenseNumber"]) == 8 and len(own["BeneficiaryNumber"]) == 7, "公費: numbers")
        return  # it is no part of the insurance, and may outlast it
    need(lost is None or all(end < lost for end in ends), f"{element.tag}: outlasts the insurance")
    late, assisted = found["InsurerNumber"].startswith("39"), found["InsuredCardClassification"] == "A1"
    if element.tag == "ElderlyRecipientCertificateInfo":
        need(not late and not assisted, "no 高齢受給者証 in 後期高齢 and in class A1")
        need(set(own) == {f"ElderlyRecipient{end}" for end in _ELDERLY}, "高齢受給者証: elements")
        need(own["ElderlyRecipientContributionRatio"] in ("020", "030"), "高齢受給者証: ratio")
        need(elderly_start(born) <= starts[0], "高齢受給者証: too early")
        need(ends[0] < years_after(born, 75), "高齢受給者証: too late")
    if element.tag == "LimitApplicationCertificateRelatedInfo":
        need(found["LimitApplicationCertificateRelatedConsFlg"] == "1", "a limit without consent")
        letter = own["LimitApplicationCertificateClassificationFlag"][0]
        need(letter == ("B" if late or today >= elderly_start(born) else "A"), "category of another age")
    if element.tag == "SpecificDiseasesCertificateInfo":
        need(found["SpecificDiseasesCertificateRelatedConsFlg"] == "1", "a disease without consent")
    if element.tag == "MedicalTicketInfo":
        need(assisted, "a ticket without medical assistance")
        need(own["MedicalTreatmentMonth"] == f"{today:%Y%m}", "a ticket of another month")


_ELDERLY = ("CertificateDate", "ValidStartDate", "ValidEndDate", "ContributionRatio")


def leaves(element: ElementTree.Element, names: list[str], nested: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the texts of the children; refuses unknown ones, empty ones, and one that comes twice."""
    found: dict[str, str] = {}
    for child in element:
        need(child.tag in names, f"{child.tag} is not known in {element.tag}")
        need(child.tag not in found, f"{child.tag} comes twice")
        need(child.tag in nested or bool(child.text) or child.tag == "Address", f"{child.tag} is empty")
        found[child.tag] = child.text or ""
    return {name: text for name, text in found.items() if name not in nested}


def day(text: str) -> date:
    need(re.fullmatch("[0-9]{8}", text) is not None, f"{text!r} is no day")
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def moment(text: str) -> datetime:
    need(re.fullmatch("[0-9]{14}", text) is not None, f"{text!r} is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007


def years_after(born: date, years: int) -> date:
    """Return a birthday; who was born on 29 February has it on 1 March in a common year."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def elderly_start(born: date) -> date:
    """Return the first of the month after the 70th birthday; born on a first: that day."""
    seventy = years_after(born, 70)
    return seventy if seventy.day == 1 else (seventy.replace(day=1) + timedelta(days=32)).replace(day=1)


def need(condition: bool, words: str) -> None:
    if not condition:
        raise NotAsItMustBe(words)
