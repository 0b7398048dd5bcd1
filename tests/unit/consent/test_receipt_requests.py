"""Requests of every kind: none stays unanswered, what is not known is told, records need a consent that holds."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from config.person import load_person
from consent.choices import ConsentAnswer, Item
from consent.receipt_files.folder import RETRY_S, SETTLED_S, FolderReport
from consent.receipt_files.requests import KINDS, answer_name, kind_named
from consent.server.certificates import Authority
from tests.support.clinic import SITE, Clinic
from tests.support.receipts import QUERY
from tests.support.servers import bench

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED
AGE45 = load_person("age45")
HEAD = "<MessageHeader><MedicalInstitutionCode>1311111111</MedicalInstitutionCode>{}</MessageHeader>"


@pytest.fixture
def clinic(authority: Authority, tmp_path: Path) -> Iterator[Clinic]:
    with a_clinic(authority, tmp_path, patience_s=20.0) as clinic:
        yield clinic


@contextmanager
def a_clinic(authority: Authority, folder: Path, patience_s: float) -> Iterator[Clinic]:
    people = [load_person(name) for name in ("assistance", "disabled-67", "twin-1", "twin-2")]
    with bench(authority, AGE45, *people) as made:
        root = folder / "oqs"
        root.mkdir()
        yield Clinic(made, root, budget_s=patience_s)


def lay(clinic: Clinic, name: str, content: str) -> None:
    (clinic.root / "req" / name).write_text(content, encoding="utf-8")


def settle(clinic: Clinic) -> FolderReport:
    clinic.computer.look()
    clinic.seconds += SETTLED_S + 0.01
    return clinic.computer.look()


def ask(clinic: Clinic, name: str, content: str) -> ElementTree.Element:
    """Lay a request in, and return the answer as any reader sees it."""
    lay(clinic, name, content)
    settle(clinic)
    answer = clinic.root / "res" / answer_name(name)
    return ElementTree.fromstring(re.sub(r"^<\?xml.*?\?>", "", answer.read_text(encoding="utf-8")))


def message(body: str, header: str = "") -> str:
    return f"<XmlMsg>{HEAD.format(header)}<MessageBody>{body}</MessageBody></XmlMsg>"


# --- Names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("OQSsiquc01req_1.XML", "OQSsiquc01res_1.XML"),
        ("oqssiquc01req_1.xml", "oqssiquc01res_1.xml"),
        ("OQSSIQUC01REQ_1.XML", "OQSSIQUC01RES_1.XML"),
        ("OQSsiquc01req1.Xml", "OQSsiquc01res1.Xml"),
    ],
)
def test_names_are_compared_without_case(clinic: Clinic, name: str, answer: str) -> None:
    lay(clinic, name, QUERY)
    assert settle(clinic).answered == 1
    assert [path.name for path in (clinic.root / "res").iterdir()] == [answer]
    assert list((clinic.root / "req").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SRJsiquc01req_1.xml", "SRJSIQUC01"),
        ("SHJsiquc01req_1.xml", "SHJSIQUC01"),
        ("OQSnewkind99req_1.xml", "OQSNEWKIND99"),
        ("anything.xml", "?"),
        ("request.xml", "?"),
        ("山田花子.xml", "?"),
    ],
)
@pytest.mark.parametrize("content", [QUERY, "<a", ""])
def test_what_is_not_known_is_refused_and_told_and_does_not_stay(
    clinic: Clinic, name: str, kind: str, content: str
) -> None:
    lay(clinic, name, content)
    report = settle(clinic)
    assert (report.unanswerable, report.refused) == ((kind,), 1)
    (answer,) = (clinic.root / "res").iterdir()
    text = answer.read_text(encoding="utf-8")
    assert "<SegmentOfResult>9<" in text and "<ErrorCode>REQUEST_UNKNOWN<" in text
    assert list((clinic.root / "req").iterdir()) == []
    assert settle(clinic).unanswerable == ()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_request_of_a_known_kind_that_is_off_is_refused_with_its_reason(clinic: Clinic, kind: str) -> None:
    answer = ask(clinic, f"{kind}req_1.xml", "<XmlMsg/>")
    assert (answer.findtext(".//SegmentOfResult"), answer.findtext(".//ErrorCode")) == (
        "9",
        "ELEMENT_MISSING",
    )


def test_a_kind_is_told_from_a_name_only_where_it_is_one() -> None:
    names = ("OQSsiquc01req_1.xml", "OQSsiquc01request.xml", "req.xml", "OQSsiquc01res_1.xml")
    assert [kind_named(name) for name in names] == ["OQSSIQUC01", "", "", ""]


# --- Drugs and checkups -----------------------------------------------------------------------------------------


def records(kind: str = "drugs", number: str = "345678", first: str = "202509", last: str = "202611") -> str:
    header = (
        "<InsurerNumber>06139992</InsurerNumber><InsuranceCardSymbol>12</InsuranceCardSymbol>"
        f"<InsuredPersonIdentificationNumber>{number}</InsuredPersonIdentificationNumber>"
        "<BranchNumber>01</BranchNumber><ArbitraryFileIdentifier>a-1</ArbitraryFileIdentifier>"
    )
    span = f"<StartDate>{first}</StartDate><EndDate>{last}</EndDate>" if kind == "drugs" else ""
    flags = "<FileCategory>2</FileCategory><PrDiInfClassification>1</PrDiInfClassification>"
    return message(span + flags + "<MedicalTreatmentFlag>1</MedicalTreatmentFlag>", header)


def told(answer: ElementTree.Element) -> tuple[str | None, str | None]:
    return answer.findtext(".//ResultCode"), answer.findtext(".//ErrorCode")


def visit(clinic: Clinic, answers: dict[Item, ConsentAnswer], name: str = "visit-1") -> None:
    clinic.visit(name, answers, AGE45)


BRANCH = AGE45.insurance.branch
DRUGS = records().replace("<BranchNumber>01<", f"<BranchNumber>{BRANCH}<")
CHECKUPS = records("checkups").replace("<BranchNumber>01<", f"<BranchNumber>{BRANCH}<")


def test_drugs_are_told_while_the_consent_holds(clinic: Clinic) -> None:
    visit(clinic, {Item.MEDICATION: GIVEN})
    answer = ask(clinic, "YZKsiquc01req_1.xml", DRUGS)
    assert told(answer) == ("1", None)
    assert answer.findtext("MessageHeader/QuaInf/Name") == AGE45.name
    assert answer.findtext("MessageHeader/QuaInf/Birth") == "19800617"
    assert answer.findtext("MessageHeader/ArbitraryFileIdentifier") == "a-1"
    months = answer.findall("MessageBody/MeTrMonthInf")
    assert [month.findtext("MeTrMonth") for month in months] == ["202603", "202602"]
    drugs = months[1].findall("DiDateInfs/DiDateInf/DrugInfs/DrugInf")
    assert [drug.findtext("Times") for drug in drugs] == ["28", "7"]


def test_checkups_are_told_while_the_consent_holds(clinic: Clinic) -> None:
    visit(clinic, {Item.MEDICATION: DECLINED, Item.HEALTH_CHECKUP: GIVEN})
    answer = ask(clinic, "TKKsiquc01req_1.xml", CHECKUPS)
    assert told(answer) == ("1", None)
    assert answer.findtext("MessageHeader/QualificationsInfo/KanasName") == AGE45.name_kana
    (one,) = answer.findall("MessageBody/SpecificHealthCheckupInfo")
    assert one.findtext("EffectiveTime") == "20250612"
    path = "HealthCheckupResultAndQuestionInfos/HealthCheckupResultAndQuestionInfo/DataValueName"
    assert [each.text or "" for each in one.findall(path)][-1] == "服薬あり"


def test_records_are_refused_before_any_consent(clinic: Clinic) -> None:
    assert told(ask(clinic, "YZKsiquc01req_1.xml", DRUGS)) == ("9", "CONSENT_MISSING")
    clinic.client.identify_by_face("open", clinic.client.challenge(), clinic.made.certificate(AGE45), 0.3)
    answer = ask(clinic, "YZKsiquc01req_2.xml", DRUGS)
    assert told(answer) == ("9", "CONSENT_MISSING")
    assert answer.findtext(".//MessageContents")


def test_records_are_refused_after_a_no_and_each_for_its_own_item(clinic: Clinic) -> None:
    visit(clinic, {Item.MEDICATION: GIVEN, Item.HEALTH_CHECKUP: DECLINED})
    assert told(ask(clinic, "TKKsiquc01req_1.xml", CHECKUPS)) == ("9", "CONSENT_DECLINED")


def test_a_later_no_takes_back_an_earlier_yes(clinic: Clinic) -> None:
    visit(clinic, {Item.MEDICATION: GIVEN})
    clinic.made.clock.forward(60)
    visit(clinic, {Item.MEDICATION: DECLINED}, "visit-2")
    assert told(ask(clinic, "YZKsiquc01req_1.xml", DRUGS)) == ("9", "CONSENT_DECLINED")


def test_records_end_24_hours_after_the_consent(clinic: Clinic) -> None:
    visit(clinic, {Item.MEDICATION: GIVEN})
    clinic.made.clock.forward(24 * 3600 - 1)
    assert told(ask(clinic, "YZKsiquc01req_1.xml", DRUGS)) == ("1", None)
    clinic.made.clock.forward(1)
    assert told(ask(clinic, "YZKsiquc01req_2.xml", DRUGS)) == ("9", "CONSENT_EXPIRED")


def test_a_consent_to_another_clinic_is_none_here(clinic: Clinic) -> None:
    other = clinic.made.client()
    found = other.identify_by_face("there", other.challenge(), clinic.made.certificate(AGE45), 0.3)
    other.send_consents("there", dict.fromkeys(found.questions, GIVEN))
    assert told(ask(clinic, "YZKsiquc01req_1.xml", DRUGS)) == ("9", "CONSENT_MISSING")


def test_records_of_nobody_are_refused(clinic: Clinic) -> None:
    answer = ask(clinic, "YZKsiquc01req_1.xml", DRUGS.replace("345678", "1"))
    assert told(answer) == ("9", "INSURED_UNKNOWN")


@pytest.mark.parametrize(("first", "last", "months"), [("20260301", "20260331", 1), ("202604", "", 0)])
def test_drugs_are_those_of_the_asked_months(clinic: Clinic, first: str, last: str, months: int) -> None:
    visit(clinic, {Item.MEDICATION: GIVEN})
    asked = DRUGS.replace(">202509<", f">{first}<").replace(">202611<", f">{last}<")
    assert len(ask(clinic, "YZKsiquc01req_1.xml", asked).findall(".//MeTrMonthInf")) == months


# --- Bulk -------------------------------------------------------------------------------------------------------


def line(number: str, identifier: str, birth: str = "19800617") -> str:
    return (
        "<QualificationConfirmSearchInfo><InsurerNumber>06139992</InsurerNumber>"
        f"<InsuredCardSymbol>12</InsuredCardSymbol><InsuredIdentificationNumber>{number}"
        f"</InsuredIdentificationNumber><InsuredBranchNumber/><Birthdate>{birth}</Birthdate>"
        "<LimitApplicationCertificateRelatedConsFlg>0</LimitApplicationCertificateRelatedConsFlg>"
        f"<ArbitraryIdentifier>{identifier}</ArbitraryIdentifier></QualificationConfirmSearchInfo>"
    )


def taken(answer: ElementTree.Element) -> str:
    """Return the reception number."""
    assert answer.findtext(".//ProcessingResultStatus") == "1"
    assert re.fullmatch("[0-9]{14}", answer.findtext(".//ReceptionDateTime") or "")
    return answer.findtext(".//ReceptionNumber") or ""


def fetch(clinic: Clinic, kind: str, number: str) -> ElementTree.Element:
    body = f"<ReceptionNumber>{number}</ReceptionNumber>"
    return ask(clinic, f"{kind}02req_{clinic.seconds}.xml", message(body))


def test_a_bulk_request_gets_a_number_and_by_it_an_answer_for_each_line(clinic: Clinic) -> None:
    lines = (
        line("345678", "k_1"),
        line("999", "k_2"),
        line("1" * 21, "k_3"),
        line("100090", "k_4", "20120615"),
    )
    number = taken(ask(clinic, "OQSmuquc01req_1.xml", message("".join(lines))))
    clinic.computer.look()
    answer = fetch(clinic, "OQSmuquc", number)
    header, units = answer[0], answer[1].findall("BulkConfirmUnit")
    counts = ("NumberOfProcessingResult", "NumberOfNormalProcessing", "NumberOfError")
    assert [header.findtext(name) for name in counts] == ["4", "3", "1"]
    assert [unit.findtext("QualificationValidity") for unit in units] == ["1", "4", None, "5"]
    assert [unit.findtext("ArbitraryIdentifier") for unit in units] == ["k_1", "k_2", "k_3", "k_4"]
    assert units[2].findtext("ProcessingResultCode") == "VALUE_INVALID"


def test_a_bulk_request_is_running_until_its_last_line_is_answered(
    authority: Authority, tmp_path: Path
) -> None:
    lines = "".join(line(str(number), str(number)) for number in range(200))
    with a_clinic(authority, tmp_path, patience_s=1.0) as clinic:
        clinic.made.server.stop()
        number = taken(ask(clinic, "OQSmuquc01req_1.xml", message(lines)))
        clinic.seconds += RETRY_S
        assert fetch(clinic, "OQSmuquc", number).findtext(".//SegmentOfResult") == "2"
        clinic.made.server.start()
        clinic.seconds += RETRY_S
        for _ in range(100):
            clinic.computer.look()
            clinic.seconds += RETRY_S
        assert fetch(clinic, "OQSmuquc", number).findtext(".//NumberOfProcessingResult") == "200"


def test_a_reception_number_of_nobody_or_of_another_kind_is_refused(clinic: Clinic) -> None:
    number = taken(ask(clinic, "OQSmuquc01req_1.xml", message(line("1", "a"))))
    for kind, asked in (("OQSmuquc", "29990401000000000099"), ("OQSmuquc", "abc"), ("OQSmuimm", number)):
        answer = fetch(clinic, kind, asked)
        assert answer.findtext(".//ProcessingResultCode") == "RECEPTION_NUMBER_UNKNOWN"
        clinic.seconds += 1


def test_chart_numbers_are_registered_in_bulk_each_by_itself(clinic: Clinic) -> None:
    def entry(reference: str, number: str, branch: str) -> str:
        return (
            f"<ReferenceNumberRegistrationInfo><ReferenceNumber>{reference}</ReferenceNumber>"
            "<InsurerNumber>06139992</InsurerNumber><InsuredCardSymbol>12</InsuredCardSymbol>"
            f"<InsuredIdentificationNumber>{number}</InsuredIdentificationNumber>"
            f"<InsuredBranchNumber>{branch}</InsuredBranchNumber></ReferenceNumberRegistrationInfo>"
        )

    lines = entry("11", "100090", "02") + entry("11", "100090", "03") + entry("12", "1", "00")
    number = taken(ask(clinic, "OQSmuimm01req_1.xml", message(lines)))
    clinic.computer.look()
    units = fetch(clinic, "OQSmuimm", number).findall(".//BulkRegistrationUnit")
    assert [unit.findtext("ProcessingResultCode") or "" for unit in units] == [
        "",
        "REFERENCE_NUMBER_TAKEN",
        "INSURED_UNKNOWN",
    ]
    assert units[0].findtext("ReferenceNumberRegistrationInfo/ReferenceNumber") == "11"


def listing(**spans: str) -> str:
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in spans.items())
    return message(f"<QualificationConfirmSearchInfo>{inside}</QualificationConfirmSearchInfo>")


@pytest.mark.parametrize(("month", "issued"), [("202604", ["0000402"]), ("202605", [])])
def test_medical_tickets_of_a_month_are_listed(clinic: Clinic, month: str, issued: list[str]) -> None:
    number = taken(ask(clinic, "OQSmutic01req_1.xml", listing(MedicalTreatmentMonth=month)))
    clinic.computer.look()
    answer = fetch(clinic, "OQSmutic", number)
    assert [each.text for each in answer.iter("IssueNumber")] == issued


@pytest.mark.parametrize(
    ("kind", "spans", "flags"),
    [
        ("OQSmuhvq", {"ConsentDateFrom": "20260301", "ConsentDateTo": "20260331"}, ["1"]),
        ("OQSmuonq", {"ConsentDateFrom": "20260301", "ConsentDateTo": "20260331"}, ["2"]),
        ("OQSmuonq", {"ExaminationDateFrom": "20260312", "ExaminationDateTo": "20260312"}, ["2"]),
        ("OQSmuhvq", {"ConsentDateFrom": "20260401", "ConsentDateTo": "20260430"}, []),
    ],
)
def test_consents_given_elsewhere_are_listed_and_say_whether_they_still_hold(
    clinic: Clinic, kind: str, spans: dict[str, str], flags: list[str]
) -> None:
    flag = "2" if kind == "OQSmuhvq" else "3"
    number = taken(ask(clinic, f"{kind}01req_1.xml", listing(**spans, MedicalTreatmentFlag=flag)))
    clinic.computer.look()
    answer = fetch(clinic, kind, number)
    assert [each.text for each in answer.iter("PharmacistsInfoConsFlg")] == flags


def test_the_site_of_these_requests_is_the_clinics() -> None:
    assert SITE.institution_code in HEAD
