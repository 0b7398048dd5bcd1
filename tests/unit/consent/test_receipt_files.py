"""The receipt computer's files: XML as the domain facts describe it, and a reader that takes nothing else."""

import random
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from config import Profile
from consent.choices import ConsentAnswer, Item, provides_limit, recorded
from consent.receipt_files.content import (
    CardClass,
    Confirmation,
    Consent,
    ConsentFlag,
    Disease,
    DiseaseCertificate,
    ElderlyCertificate,
    Insured,
    LimitCertificate,
    LimitClass,
    LossReason,
    MedicalTicket,
    Preschool,
    Prescription,
    Query,
    Reference,
    Relation,
    Sex,
    SubsidyCertificate,
    Validity,
    ViewingConsent,
    after_visit,
    full_width_space,
    half_width,
    limit_certificate,
    without_card,
)
from consent.receipt_files.files import (
    CharacterCode,
    Refusal,
    ResponseFile,
    Segment,
    Status,
    Writer,
    read_query,
    read_registration,
    read_result,
)
from consent.receipt_files.xml import MAX_BYTES, Encoding, Fault, MalformedFile, names
from consent.wire import JAPAN
from reception.testing.fuzz.receipt import check_people
from tests.support.receipts import HANAKO, INSTITUTION, QUERY, REGISTRATION, texts, tree

AT = datetime(2023, 2, 21, 17, 48, 35, tzinfo=JAPAN)
DAY = date(2026, 4, 1)
GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED
YES = ViewingConsent(ConsentFlag.GIVEN, AT, AT + timedelta(hours=24))

EVERYTHING = Insured(
    name="診療　花子",
    birth_date=DAY,
    sex=Sex.FEMALE,
    card_class=CardClass.GENERAL,
    insurer_number="123456",
    symbol="12-34",
    number="4260",
    branch="01",
    relation=Relation.FAMILY,
    insured_name="診療　一郎",
    other_name="山田　花子",
    name_kana="ｼﾝﾘｮｳ ﾊﾅｺ",
    other_name_kana="ﾔﾏﾀﾞ ﾊﾅｺ",
    sex_on_back=Sex.NOT_STATED,
    address="東京都",
    postal_code="123-4567",
    qualified_from=DAY,
    disqualified_from=DAY,
    issued=DAY,
    valid_from=DAY,
    valid_until=DAY,
    share=30,
    preschool=Preschool.YES,
    loss_reason=LossReason.OTHER_INSURANCE,
    insurer_name="東京都",
    elderly=ElderlyCertificate(DAY, DAY, DAY, 20),
    limit_consent=Consent(ConsentFlag.GIVEN, AT),
    limit=LimitCertificate(LimitClass.LIMIT, "A03", DAY, DAY, DAY, DAY),
    disease_consent=Consent(ConsentFlag.GIVEN, AT),
    diseases=(
        DiseaseCertificate(Disease.DIALYSIS, DAY, DAY, DAY, 10_000),
        DiseaseCertificate(Disease.HIV, DAY),
    ),
    tickets=(MedicalTicket("1", DAY, DAY, "123", "202604", "1311111111", 500),),
    subsidy_consent=Consent(ConsentFlag.GIVEN, AT),
    subsidies=(
        SubsidyCertificate("こども医療費助成", "88138011", "1234566", DAY, DAY, None, "1回500円"),
        SubsidyCertificate("指定難病", "54136015", "2345676", DAY, DAY, 2500, "x"),
    ),
    health_checkup=YES,
    medication=YES,
    diagnosis=YES,
    operation=YES,
    disease_names=YES,
    infections=YES,
    allergies=YES,
    contraindications=YES,
    tests=YES,
    prescriptions=YES,
    reference_number="0024434",
    arbitrary_id="x",
    prescription=Prescription.PAPER,
)

# As listed in the domain facts, section 2, from public readers of the real files.
FACT_HEADER = """ProcessExecutionTime QualificationConfirmationDate MedicalInstitutionCode ArbitraryFileIdentifier
ReferenceClassification SegmentOfResult ErrorCode ErrorMessage CharacterCodeIdentifier"""
FACT_BODY = """ProcessingResultStatus ProcessingResultCode ProcessingResultMessage QualificationValidity
PrescriptionIssueSelect QualificationConfirmSearchInfo ResultList"""
FACT_RESULT = """InsuredCardClassification InsurerNumber InsuredCardSymbol InsuredIdentificationNumber
InsuredBranchNumber PersonalFamilyClassification InsuredName Name NameOfOther NameKana NameOfOtherKana Sex1 Sex2
Birthdate Address PostNumber QualificationDate DisqualificationDate InsuredCertificateIssuanceDate
InsuredCardValidDate InsuredCardExpirationDate InsuredPartialContributionRatio PreschoolClassification ReasonOfLoss
InsurerName ElderlyRecipientCertificateInfo LimitApplicationCertificateRelatedConsFlg
LimitApplicationCertificateRelatedConsTime LimitApplicationCertificateRelatedInfo
SpecificDiseasesCertificateRelatedConsFlg SpecificDiseasesCertificateRelatedConsTime SpecificDiseasesCertificateList
PublicExpenseResultList ReferenceNumber ArbitraryIdentifier PrescriptionIssueSelect"""
# Nobody's but ours: no file of a reader with PMH was seen. Only the two numbers are as a public program has them.
OUR_RESULT = """MedicalSubsidyCertificateRelatedConsFlg MedicalSubsidyCertificateRelatedConsTime
MedicalSubsidyCertificateList"""
FACT_CONSENTS = """SpecificHealthCheckupsInfo PharmacistsInfo DiagnosisInfo OperationInfo DiagnosisName InfectiousInfo
AllergyInfo ContraindicationInfo TestInfo PrescriptionInfo"""
FACT_GROUPS = {
    "ElderlyRecipientCertificateInfo": """ElderlyRecipientCertificateDate ElderlyRecipientValidStartDate
        ElderlyRecipientValidEndDate ElderlyRecipientContributionRatio""",
    "LimitApplicationCertificateRelatedInfo": """LimitApplicationCertificateClassification
        LimitApplicationCertificateClassificationFlag LimitApplicationCertificateDate
        LimitApplicationCertificateValidStartDate LimitApplicationCertificateValidEndDate
        LimitApplicationCertificateLongTermDate""",
    "SpecificDiseasesCertificateList": "SpecificDiseasesCertificateInfo SpecificDiseasesCertificateInfo",
    "SpecificDiseasesCertificateInfo": """SpecificDiseasesDiseaseCategory SpecificDiseasesCertificateDate
        SpecificDiseasesValidStartDate SpecificDiseasesValidEndDate SpecificDiseasesSelfPay""",
    "PublicExpenseResultList": "MedicalTicketInfo",
    "MedicalTicketInfo": """TicketType MedicalTicketValidDate MedicalTicketExpirationDate IssueNumber
        MedicalTreatmentMonth DesignatedMedicalInstitutionCode SelfPayAmount""",
    "QualificationConfirmSearchInfo": """InsurerNumber InsuredCardSymbol InsuredIdentificationNumber
        InsuredBranchNumber Birthdate LimitApplicationCertificateRelatedConsFlg ArbitraryIdentifier""",
}


def confirmed(insured: Insured | None, validity: Validity = Validity.VALID) -> Confirmation:
    return Confirmation(AT, validity, (insured,) if insured else (), Prescription.PAPER)


def face(insured: Insured = HANAKO, encoding: Encoding = "utf-8") -> bytes:
    return Writer(INSTITUTION, encoding).face_file(confirmed(insured), "visit-1").content


def body_of(answer: ResponseFile) -> Insured:
    assert answer.body
    return answer.body.results[0]


RANDOM_PEOPLE = 300
"""100,000 take three minutes: ./run fuzz receipt."""


# --- what is written ---


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_a_full_file_has_every_element_of_the_fact_sheet_at_its_place_and_no_other(
    encoding: Encoding,
) -> None:
    query = read_query(QUERY.encode(), INSTITUTION)
    answer = Writer(INSTITUTION, encoding).result_file(confirmed(EVERYTHING), query)
    root = tree(answer.content)
    assert [child.tag for child in root] == ["MessageHeader", "MessageBody"]
    header, body = root
    assert {child.tag for child in header} == set(FACT_HEADER.split()) - {"ErrorCode", "ErrorMessage"}
    assert {child.tag for child in body} == set(FACT_BODY.split()) - {
        "ProcessingResultCode",
        "ProcessingResultMessage",
    }
    (result,) = body.findall("ResultList/ResultOfQualificationConfirmation")
    ends = ("ConsFlg", "ConsTime", "AvailableTime")
    consents = [stem + end for stem in FACT_CONSENTS.split() for end in ends]
    assert sorted(child.tag for child in result) == sorted(
        FACT_RESULT.split() + OUR_RESULT.split() + consents
    )
    for name, inside in FACT_GROUPS.items():
        group = next(root.iter(name))
        wanted = set(inside.split()) - ({"InsuredCardSymbol"} if name.startswith("Qualification") else set())
        assert {child.tag for child in group} == wanted, name
    assert len(list(root.iter("SpecificDiseasesCertificateInfo"))) == 2


def test_error_files_have_the_rest_of_the_header() -> None:
    error = Writer(INSTITUTION, "utf-8").error_file(MalformedFile(Fault.VALUE, "Birthdate"), AT)
    assert set(texts(error.content)) >= {"ErrorCode", "ErrorMessage"}
    assert set(texts(error.content)) <= {"XmlMsg", "MessageHeader", *FACT_HEADER.split()}
    assert texts(error.content)["SegmentOfResult"] == "9"
    assert texts(error.content)["ErrorCode"] == "VALUE_INVALID"
    assert "Birthdate" in texts(error.content)["ErrorMessage"]
    assert read_result(error.content).body is None


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [
        (Reference, "1 2 7 8"),
        (Segment, "1 2 9"),
        (Status, "1 2"),
        (Validity, "1 2 3 4 5 6"),
        (CharacterCode, "0 1"),
        (CardClass, "01 02 03 04 05 06 07 A1"),
        (Relation, "1 2"),
        (Sex, "1 2 3"),
        (Preschool, "1"),
        (LossReason, "01 02 03 99"),
        (LimitClass, "01 02 03"),
        (Disease, "1 2 3"),
        (ConsentFlag, "0 1 2 3"),
        (Prescription, "1 2"),
    ],
)
def test_code_tables_are_those_of_the_fact_sheet(codes: type, wanted: str) -> None:
    assert [str(code) for code in codes] == wanted.split()  # type: ignore[attr-defined]


def test_widths_and_padding_are_those_of_the_sample_file() -> None:
    written = texts(face(replace(HANAKO, medication=YES)))
    assert written["InsurerNumber"] == "  123456"
    assert written["InsuredBranchNumber"] == "01"
    assert written["InsuredPartialContributionRatio"] == "010"
    assert written["Birthdate"] == "19800617"
    assert written["PharmacistsInfoConsTime"] == "20230221174835"
    assert written["PharmacistsInfoAvailableTime"] == "20230222174835"
    assert written["ProcessExecutionTime"] == "20230221174835"
    assert written["QualificationConfirmationDate"] == "20230221"
    assert written["ReferenceClassification"] == "1"
    assert written["ArbitraryFileIdentifier"] == "visit-1"


def test_an_insurer_number_of_eight_digits_is_not_padded_and_a_share_of_everything_is_100() -> None:
    written = texts(face(replace(HANAKO, insurer_number="06139999", share=100)))
    assert (written["InsurerNumber"], written["InsuredPartialContributionRatio"]) == ("06139999", "100")
    assert texts(face(replace(HANAKO, share=0)))["InsuredPartialContributionRatio"] == "000"


def test_times_are_those_of_japan_whatever_zone_they_come_in() -> None:
    utc = datetime.fromisoformat("2023-02-21T16:30:00+00:00")
    written = texts(
        Writer(INSTITUTION, "utf-8").face_file(Confirmation(utc, Validity.VALID, (HANAKO,)), "v").content
    )
    assert written["ProcessExecutionTime"] == "20230222013000"
    assert written["QualificationConfirmationDate"] == "20230222"


@pytest.mark.parametrize(
    ("encoding", "declaration", "identifier"),
    [
        ("utf-8", b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>', "0"),
        ("cp932", b'<?xml version="1.0" encoding="Shift_JIS" standalone="no"?>', "1"),
    ],
)
def test_declaration_identifier_and_bytes_agree(
    encoding: Encoding, declaration: bytes, identifier: str
) -> None:
    data = face(encoding=encoding)
    assert data.split(b"\n")[0] == declaration
    assert texts(data)["CharacterCodeIdentifier"] == identifier
    assert "診療　花子".encode(encoding) in data


def test_what_cp932_lacks_is_shown_as_a_mark_and_flagged() -> None:
    insured = replace(HANAKO, name="𠮷田　髙﨑", address="한1〜2−3")
    document = Writer(INSTITUTION, "cp932").face_file(confirmed(insured), "v")
    assert document.flagged == ("Name", "Address")
    assert texts(document.content)["Name"] == "●田　髙﨑"
    # The wave dash and the minus are there, at another place of Unicode.
    assert texts(document.content)["Address"] == "●1～2－3"
    assert Writer(INSTITUTION, "utf-8").face_file(confirmed(insured), "v").flagged == ()


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\r", "\uffff"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_what_xml_lacks_is_marked_in_both_encodings(encoding: Encoding, bad: str) -> None:
    document = Writer(INSTITUTION, encoding).face_file(confirmed(replace(HANAKO, name="山" + bad)), "v")
    assert texts(document.content)["Name"] == "山●"
    assert document.flagged == ("Name",)


def test_a_character_of_ones_own_is_not_passed_on_in_cp932() -> None:
    document = Writer(INSTITUTION, "cp932").face_file(confirmed(replace(HANAKO, name="\ue000田")), "v")
    assert texts(document.content)["Name"] == "●田"


def test_a_kanji_variant_is_shown_in_its_common_shape() -> None:
    document = Writer(INSTITUTION, "cp932").face_file(confirmed(replace(HANAKO, name="葛\U000e0100西")), "v")
    assert (texts(document.content)["Name"], document.flagged) == ("葛西", ())


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("シンリョウ　ハナコ", "ｼﾝﾘｮｳ ﾊﾅｺ"),
        ("やまだ はなこ", "ﾔﾏﾀﾞ ﾊﾅｺ"),
        ("ヴァイオレット・パーク", "ｳﾞｧｲｵﾚｯﾄ･ﾊﾟｰｸ"),
        ("ヰヱヮ", "ｲｴﾜ"),
        ("ﾔﾏﾀﾞ", "ﾔﾏﾀﾞ"),
        ("Ａnné ヽ", "Anné ●"),
        ("ゴ·Ŀ", "ｺﾞ･L･"),
    ],
)
def test_kana_becomes_half_width(given: str, wanted: str) -> None:
    assert half_width(given) == wanted


def test_the_parts_of_a_name_are_set_apart_by_a_full_width_space() -> None:
    assert full_width_space(" 山田 花子") == "山田　花子"


# --- consents ---


def test_the_leaflets_answer_for_medicines_stands_for_diagnoses_and_holds_24_hours() -> None:
    answers = recorded({Item.MEDICATION: GIVEN, Item.HEALTH_CHECKUP: DECLINED}, "leaflet-2023")
    written = texts(face(after_visit(HANAKO, answers, AT, limit_provided=False)))
    for stem in ("PharmacistsInfo", "DiagnosisInfo"):
        assert written[stem + "ConsFlg"] == "1"
        assert written[stem + "ConsTime"] == "20230221174835"
        assert written[stem + "AvailableTime"] == "20230222174835"
    for stem in ("SpecificHealthCheckupsInfo", "OperationInfo"):
        assert written[stem + "ConsFlg"] == "0"
        assert stem + "ConsTime" not in written
        assert stem + "AvailableTime" not in written


@pytest.mark.parametrize(
    ("answers", "profile", "told"),
    [
        ({Item.LIMIT_AMOUNT: GIVEN}, "leaflet-2023", True),
        ({Item.LIMIT_AMOUNT: DECLINED}, "leaflet-2023", False),
        ({}, "leaflet-2023", False),
        ({}, "current", True),
    ],
)
def test_the_limit_category_is_told_after_a_yes_or_in_the_current_profile(
    answers: dict[Item, ConsentAnswer], profile: Profile, told: bool
) -> None:
    provided = provides_limit(profile, answers)
    insured = after_visit(HANAKO, answers, AT, limit_provided=provided, limit=limit_certificate("A05"))
    written = texts(face(insured))
    assert written["LimitApplicationCertificateRelatedConsFlg"] == str(int(told))
    assert written.get("LimitApplicationCertificateClassificationFlag") == ("A05" if told else None)
    assert written.get("LimitApplicationCertificateClassification") == ("02" if told else None)


def test_specific_diseases_are_told_after_a_yes_only() -> None:
    diseases = (DiseaseCertificate(Disease.HIV),)
    no = after_visit(HANAKO, {Item.SPECIFIC_DISEASE: DECLINED}, AT, limit_provided=True, diseases=diseases)
    yes = after_visit(HANAKO, {Item.SPECIFIC_DISEASE: GIVEN}, AT, limit_provided=True, diseases=diseases)
    assert "SpecificDiseasesCertificateList" not in texts(face(no))
    assert texts(face(yes))["SpecificDiseasesDiseaseCategory"] == "3"


def test_a_limit_certificate_without_a_yes_cannot_be_made() -> None:
    with pytest.raises(ValidationError):
        replace(HANAKO, limit=limit_certificate("A03"), limit_consent=Consent())


def test_viewing_for_longer_than_24_hours_cannot_be_made() -> None:
    with pytest.raises(ValidationError):
        ViewingConsent(ConsentFlag.GIVEN, AT, AT + timedelta(hours=25))


@pytest.mark.parametrize("flag", ["0", "1"])
def test_an_answer_by_number_tells_the_limit_only_after_the_oral_yes(flag: str) -> None:
    query = read_query(QUERY.replace("Flg>1<", f"Flg>{flag}<").encode(), INSTITUTION)
    asked = replace(query.body.query, limit_consent=ConsentFlag.GIVEN)
    # Even a server that tells too much is not passed on.
    told = without_card(HANAKO, asked, AT, limit_certificate("A03"))
    written = texts(Writer(INSTITUTION, "utf-8").result_file(confirmed(told), query).content)
    assert written["ReferenceClassification"] == "2"
    assert written["ArbitraryFileIdentifier"] == "f-1"
    assert written["QualificationConfirmationDate"] == "20260401"
    assert ("LimitApplicationCertificateClassificationFlag" in written) == (flag == "1")


@pytest.mark.parametrize("validity", Validity)
def test_every_validity_is_written_and_read(validity: Validity) -> None:
    nobody = validity in (Validity.NOT_FOUND, Validity.AMBIGUOUS)
    document = Writer(INSTITUTION, "cp932").face_file(confirmed(None if nobody else HANAKO, validity), "v")
    answer = read_result(document.content)
    assert answer.body
    assert answer.body.validity is validity
    assert len(answer.body.results) == (0 if nobody else 1)


def test_nothing_personal_is_in_a_repr() -> None:
    shown = f"{HANAKO!r} {confirmed(HANAKO)!r} {read_result(face())!r}"
    shown += repr(Writer(INSTITUTION, "utf-8").face_file(confirmed(HANAKO), "v"))
    shown += repr(read_query(QUERY.encode(), INSTITUTION))
    assert "診療" not in shown
    assert "4260" not in shown


# --- what is read ---


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_what_was_written_is_read_back_the_same(encoding: Encoding) -> None:
    answer = read_result(face(EVERYTHING, encoding))
    assert body_of(answer) == EVERYTHING
    assert answer.header.executed_at == AT
    assert answer.body
    assert answer.body.prescription is Prescription.PAPER


def test_the_order_of_elements_does_not_matter() -> None:
    root = tree(face(EVERYTHING))
    chance = random.Random(5)
    for parent in list(root.iter()):
        shuffled = list(parent)
        chance.shuffle(shuffled)
        parent[:] = shuffled
    diseases = next(root.iter("SpecificDiseasesCertificateList"))
    diseases[:] = sorted(diseases, key=lambda one: one.findtext("SpecificDiseasesDiseaseCategory") or "")
    data = b'<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(root, encoding="utf-8")
    assert body_of(read_result(data.replace(b"<?xml version='1.0' encoding='utf-8'?>", b""))) == EVERYTHING


def test_random_people_give_files_that_are_read_back_the_same() -> None:
    assert check_people(random.Random(20260401), RANDOM_PEOPLE) == ""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_random_people_give_well_formed_files() -> None:
    assert check_people(random.Random(20261123), 100_000) == ""


def test_the_check_of_random_people_sees_a_file_that_says_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reception.testing.fuzz.receipt.writable", lambda text, _encoding: text)
    assert "read back otherwise" in check_people(random.Random(1), 100)


NAME = "<Name>診療　花子</Name>"


@pytest.mark.parametrize(
    ("change", "to", "fault", "where"),
    [
        (NAME, "", Fault.MISSING, "Name"),
        (NAME, NAME + NAME, Fault.TWICE, "Name"),
        (NAME, NAME + "<Nickname>花</Nickname>", Fault.UNKNOWN, "Nickname"),
        (NAME, NAME + "<" + "x" * 100 + "/>", Fault.UNKNOWN, "element"),
        (NAME, '<Name lang="ja">診療</Name>', Fault.ATTRIBUTE, "Name"),
        (NAME, "<Name>診療<b/></Name>", Fault.VALUE, "Name"),
        (NAME, NAME + "花子", Fault.NOT_XML, "ResultOfQualificationConfirmation"),
        (NAME, "<Name>" + "花" * 201 + "</Name>", Fault.VALUE, "Name"),
        ("  123456", "123456", Fault.VALUE, "InsurerNumber"),
        ("  123456", "00123456 ", Fault.VALUE, "InsurerNumber"),
        (">010<", ">10<", Fault.VALUE, "InsuredPartialContributionRatio"),
        (">010<", ">110<", Fault.VALUE, "InsuredPartialContributionRatio"),
        (">010<", ">０１０<", Fault.VALUE, "InsuredPartialContributionRatio"),
        (">19800617<", ">1980617<", Fault.VALUE, "Birthdate"),
        (">19800617<", ">19800231<", Fault.VALUE, "Birthdate"),
        (">19800617<", ">１９８００６１７<", Fault.VALUE, "Birthdate"),
        (">01</InsuredBranchNumber", ">1</InsuredBranchNumber", Fault.VALUE, "InsuredBranchNumber"),
        ("<Sex1>2<", "<Sex1>4<", Fault.VALUE, "Sex1"),
        ("ｼﾝﾘｮｳ", "シンリョウ", Fault.VALUE, "NameKana"),
        ("Identifier>0<", "Identifier>1<", Fault.CONTRADICTION, "CharacterCodeIdentifier"),
        ("<QualificationValidity>1", "<QualificationValidity>7", Fault.VALUE, "QualificationValidity"),
        ("<QualificationValidity>1", "<QualificationValidity>5", Fault.RESULTS, "ResultList"),
        (
            "<QualificationValidity>1</QualificationValidity>",
            "",
            Fault.CONTRADICTION,
            "QualificationValidity",
        ),
        ("<SegmentOfResult>1", "<SegmentOfResult>9", Fault.CONTRADICTION, "SegmentOfResult"),
        ("XmlMsg>", "Message>", Fault.MISSING, "XmlMsg"),
        ("</XmlMsg>", "", Fault.NOT_XML, "file"),
        ("<XmlMsg>", '<!DOCTYPE XmlMsg SYSTEM "x.dtd"><XmlMsg>', Fault.DTD, "file"),
        ("<XmlMsg>", '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><XmlMsg>', Fault.DTD, "file"),
        ("<XmlMsg>", "<XmlMsg>" * 11, Fault.TOO_MUCH, "file"),
        ("</XmlMsg>", "<A/>" * 3000 + "</XmlMsg>", Fault.TOO_MUCH, "file"),
        ("UTF-8", "EUC-JP", Fault.NOT_TEXT, "file"),
        ("UTF-8", "Shift_JIS", Fault.NOT_TEXT, "file"),
        ("</XmlMsg>", "</XmlMsg>" + " " * MAX_BYTES, Fault.TOO_LONG, "file"),
    ],
)
def test_a_result_that_is_off_is_refused_by_name(change: str, to: str, fault: Fault, where: str) -> None:
    text = face().decode("utf-8")
    assert change in text
    with pytest.raises(MalformedFile) as refused:
        read_result(text.replace(change, to).encode("utf-8"))
    assert (refused.value.fault, refused.value.where) == (fault, where)


def test_two_insurances_are_read_as_two_and_neither_is_lost() -> None:
    text = face().decode("utf-8")
    found = re.search("<ResultOf.*</ResultOf[A-Za-z]*>", text, re.DOTALL)
    assert found
    other = found[0].replace(">  123456<", ">  138057<")
    told = read_result(text.replace(found[0], found[0] + other).encode("utf-8"))
    assert told.body
    assert [one.insurer_number for one in told.body.results] == ["123456", "138057"]


def test_a_consent_without_its_time_is_refused() -> None:
    text = face(replace(HANAKO, medication=YES)).decode("utf-8")
    without = re.sub("<PharmacistsInfoConsTime>.*</PharmacistsInfoConsTime>", "", text)
    with pytest.raises(MalformedFile, match=Fault.CONTRADICTION):
        read_result(without.encode("utf-8"))


def test_the_misspelt_element_of_one_repository_is_not_ours() -> None:
    assert "DiagnosisInfoConsTim" not in names(Insured)
    assert not any("Pharmaceutical" in name or "AcquisitionTime" in name for name in names(Insured))


# --- requests ---


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_a_query_is_read_in_both_encodings(encoding: str) -> None:
    text = QUERY if encoding == "utf-8" else QUERY.replace("UTF-8", "Shift_JIS")
    request = read_query(text.encode(encoding), INSTITUTION)
    assert request.header.confirmed_on == DAY
    assert request.body.query == Query(
        insurer_number="123456",
        number="4260",
        branch="01",
        birth_date=date(1980, 6, 17),
        limit_consent=ConsentFlag.GIVEN,
        arbitrary_id="a-1",
    )


@pytest.mark.parametrize("start", ["", "\ufeff", "\ufeff" + '<?xml version="1.0"?>'])
def test_a_query_without_declared_encoding_is_utf_8(start: str) -> None:
    text = start + QUERY.partition("?>")[2]
    assert read_query(text.encode("utf-8"), INSTITUTION).body.query.number == "4260"


def test_a_query_may_leave_out_the_padding() -> None:
    text = QUERY.replace("  123456", "123456")
    assert read_query(text.encode(), INSTITUTION).body.query.insurer_number == "123456"


@pytest.mark.parametrize(
    ("change", "to", "fault"),
    [
        (">1311111111<", ">1322222222<", Fault.INSTITUTION),
        (">1311111111<", ">131111111<", Fault.VALUE),
        ("<InsuredIdentificationNumber>4260</InsuredIdentificationNumber>", "", Fault.MISSING),
        ("ConsFlg>1<", "ConsFlg>2<", Fault.CONTRADICTION),
        ("  123456", "12345", Fault.VALUE),
        ("QualificationConfirmSearchInfo", "SearchInfo", Fault.MISSING),
    ],
)
def test_a_query_that_is_off_is_refused(change: str, to: str, fault: Fault) -> None:
    assert change in QUERY
    with pytest.raises(MalformedFile, match=fault):
        read_query(QUERY.replace(change, to).encode(), INSTITUTION)


def test_a_chart_number_registration_is_read_and_answered() -> None:
    request = read_registration(REGISTRATION.encode("cp932"), INSTITUTION)
    assert request.body.registration.reference_number == "0024434"
    assert request.body.registration.symbol == "記号"
    writer = Writer(INSTITUTION, "cp932")
    taken = read_result(writer.registered_file(request, AT).content)
    assert taken.body
    assert (taken.body.status, taken.body.reference_number) == (Status.DONE, "0024434")
    refused = read_result(writer.refused_file(Refusal("X_Y", "できません"), "", AT).content)
    assert refused.body
    assert (refused.body.status, refused.body.code, refused.body.message) == (
        Status.ERROR,
        "X_Y",
        "できません",
    )


def test_a_chart_number_longer_than_50_characters_is_refused() -> None:
    with pytest.raises(MalformedFile, match="ReferenceNumber"):
        read_registration(REGISTRATION.replace("0024434", "9" * 51).encode("cp932"), INSTITUTION)


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_words_and_an_answer_that_is_read_back(fault: Fault) -> None:
    answer = read_result(Writer(INSTITUTION, "cp932").error_file(MalformedFile(fault, "file"), AT).content)
    assert answer.header.error_code == fault
    assert answer.header.error_message
