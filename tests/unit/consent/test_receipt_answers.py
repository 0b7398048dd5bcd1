"""From the eligibility server to the receipt computer's folder: whole visits and requests over HTTP."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from config import Receipt
from consent.choices import ConsentAnswer, EligibilityStatus, Item, PrescriptionForm
from consent.eligibility import Untellable, VisitRecord, VisitResult
from consent.receipt_files.answers import VALIDITY, of_visit, receipt_folder_service
from consent.receipt_files.content import Disease, Prescription, Reference, Relation, Validity
from consent.receipt_files.files import ResponseFile, Status
from consent.receipt_files.folder import RETRY_S
from consent.server.certificates import Authority
from consent.wire import DiseaseCertificate, LimitCertificate, Qualification, Subsidy
from tests.support.clinic import SITE, TARO, Clinic
from tests.support.receipts import QUERY, REGISTRATION, texts
from tests.support.servers import HANAKO, NOON, SUBSIDISED, bench

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED


@pytest.fixture
def clinic(authority: Authority, tmp_path: Path) -> Iterator[Clinic]:
    with bench(authority, HANAKO, TARO, SUBSIDISED) as made:
        root = tmp_path / "oqs"
        root.mkdir()
        yield Clinic(made, root, encoding="cp932")


def insured_of(answer: ResponseFile) -> Any:
    assert answer.body
    return answer.body.results[0]


def test_a_completed_visit_arrives_as_a_file_with_what_was_consented_to(clinic: Clinic) -> None:
    clinic.visit("visit-1", {Item.MEDICATION: GIVEN, Item.HEALTH_CHECKUP: DECLINED, Item.LIMIT_AMOUNT: GIVEN})
    clinic.computer.add("visit-1")
    assert clinic.computer.look().written == {"visit-1": ("Name", "InsuredName")}
    answer = clinic.face()
    assert answer.header.reference is Reference.CARD
    assert (answer.header.executed_at, answer.header.institution_code) == (NOON, "1311111111")
    assert answer.body
    assert answer.body.validity is Validity.VALID
    told = insured_of(answer)
    assert (told.name, told.name_kana, told.relation) == ("●田　太郎", "ﾖｼﾀﾞ ﾀﾛｳ", Relation.FAMILY)
    assert (told.insurer_number, told.share, told.elderly.share) == ("138057", None, 20)
    assert told.limit.category == "B04"
    assert told.diseases == ()
    assert told.medication == told.diagnosis
    assert told.medication.given_at == NOON
    assert told.health_checkup.given_at is None


def test_a_declined_limit_never_reaches_the_file(clinic: Clinic) -> None:
    clinic.visit("visit-1", {Item.MEDICATION: DECLINED, Item.LIMIT_AMOUNT: DECLINED})
    clinic.computer.add("visit-1")
    clinic.computer.look()
    (name,) = os.listdir(clinic.root / "face")
    written = texts((clinic.root / "face" / name).read_bytes())
    assert written["LimitApplicationCertificateRelatedConsFlg"] == "0"
    assert "LimitApplicationCertificateRelatedInfo" not in written


def test_in_the_current_profile_the_limit_is_told_without_a_question(clinic: Clinic) -> None:
    clinic.client = clinic.client_of("current")
    clinic.computer = clinic.started()
    clinic.visit("visit-1", {Item.MEDICATION: GIVEN})
    clinic.computer.add("visit-1")
    clinic.computer.look()
    told = insured_of(clinic.face())
    assert (told.limit.category, told.medication.given_at, told.diagnosis.given_at) == ("B04", NOON, None)


@pytest.mark.parametrize(
    ("answers", "flag", "told"),
    [
        ((GIVEN, GIVEN), "1", [("88138011", "1234566"), ("54136015", "2345676")]),
        ((DECLINED, GIVEN), "1", [("54136015", "2345676")]),
        ((DECLINED, DECLINED), "0", []),
    ],
)
def test_certificates_of_subsidies_reach_the_file_only_where_they_are_used(
    clinic: Clinic, answers: tuple[ConsentAnswer, ...], flag: str, told: list[tuple[str, str]]
) -> None:
    clinic.client = clinic.client_of("current", medical_subsidy=True)
    clinic.computer = clinic.started()
    clinic.visit("visit-1", {Item.MEDICATION: GIVEN}, SUBSIDISED, answers)
    clinic.computer.add("visit-1")
    clinic.computer.look()
    insured = insured_of(clinic.face())
    assert insured.subsidy_consent.flag == flag
    assert [(one.payer_number, one.beneficiary_number) for one in insured.subsidies] == told
    (name,) = os.listdir(clinic.root / "face")
    text = (clinic.root / "face" / name).read_text(encoding="cp932")
    # Of a certificate that is not used the facility learns nothing, not even that there is one.
    assert ("こども医療費助成" in text) == (answers[0] is GIVEN)


def test_who_is_asked_nothing_of_subsidies_has_no_flag_of_them(clinic: Clinic) -> None:
    clinic.client = clinic.client_of("current", medical_subsidy=True)
    clinic.computer = clinic.started()
    clinic.visit("visit-1", {Item.MEDICATION: GIVEN})
    clinic.computer.add("visit-1")
    clinic.computer.look()
    assert insured_of(clinic.face()).subsidy_consent is None


def test_beside_two_insurances_a_certificate_is_told_once() -> None:
    used = Subsidy(
        scheme="指定難病",
        payer_number="54136015",
        beneficiary_number="2345676",
        valid_from=NOON.date(),
        valid_until=NOON.date(),
        self_pay_yen=2500,
        self_pay="",
    )
    one = result()
    visit = replace(one.visit, answers={Item.MEDICAL_SUBSIDY: GIVEN})
    told = of_visit(replace(one, visit=visit, qualifications=one.qualifications * 2, subsidies=(used,)))
    assert told and [len(each.subsidies) for each in told.insured] == [1, 0]


def test_a_visit_before_a_restart_is_asked_for_again_by_its_id(clinic: Clinic) -> None:
    (clinic.root / "face").rmdir()
    clinic.visit("visit-1", {Item.MEDICATION: GIVEN, Item.LIMIT_AMOUNT: GIVEN})
    clinic.computer.add("visit-1")
    assert clinic.computer.look().waiting == 1
    clinic.computer = clinic.started()
    (clinic.root / "face").mkdir()
    clinic.computer.add("visit-1")
    assert clinic.computer.look().waiting == 0
    assert insured_of(clinic.face()).limit.category == "B04"


def test_a_visit_that_never_sent_its_answers_gets_no_file(clinic: Clinic) -> None:
    clinic.client.identify_by_face("open", clinic.client.challenge(), clinic.made.certificate(), 0.3)
    for visit_id in ("open", "unheard-of"):
        clinic.computer.add(visit_id)
    report = clinic.computer.look()
    assert (sorted(report.unknown), report.written) == (["open", "unheard-of"], {})


def test_without_the_server_the_visit_waits(clinic: Clinic) -> None:
    clinic.visit("visit-1", {Item.MEDICATION: GIVEN})
    clinic.made.server.stop()
    clinic.computer.add("visit-1")
    report = clinic.computer.look()
    assert (report.waiting, bool(report.problem)) == (1, True)
    clinic.made.server.start()
    clinic.seconds += RETRY_S
    assert list(clinic.computer.look().written) == ["visit-1"]


@pytest.mark.parametrize(("flag", "category"), [("0", None), ("1", "B04")])
def test_a_query_by_number_is_answered_with_the_limit_after_an_oral_consent(
    clinic: Clinic, flag: str, category: str | None
) -> None:
    query = QUERY.replace("Flg>1<", f"Flg>{flag}<").replace("  123456", "  138057")
    query = query.replace("<InsuredCardSymbol/>", "<InsuredCardSymbol>12</InsuredCardSymbol>")
    query = query.replace("19800617", "19540301")
    told = insured_of(clinic.answer(query, "OQSsiquc01req_1.xml"))
    assert (told.limit.category if told.limit else None) == category
    assert told.medication is None


def test_a_query_for_nobody_is_answered_so(clinic: Clinic) -> None:
    answer = clinic.answer(QUERY, "OQSsiquc01req_1.xml")
    assert answer.body
    assert (answer.body.validity, answer.body.results) == (Validity.NOT_FOUND, ())


def test_a_registered_chart_number_comes_with_the_next_visit(clinic: Clinic) -> None:
    registration = REGISTRATION.replace("06139999", "  138057").replace("記号", "12")
    answer = clinic.answer(registration, "OQSsiimm01req_1.xml")
    assert answer.body
    assert answer.body.status is Status.DONE
    clinic.visit("visit-1", {Item.MEDICATION: GIVEN})
    clinic.computer.add("visit-1")
    clinic.computer.look()
    assert insured_of(clinic.face()).reference_number == "0024434"


@pytest.mark.parametrize(
    ("change", "to", "code"),
    [("記号", "99", "INSURED_UNKNOWN"), ("0024434", "カルテ", "REFERENCE_NUMBER_INVALID")],
)
def test_a_chart_number_that_cannot_be_kept_is_refused_with_words(
    clinic: Clinic, change: str, to: str, code: str
) -> None:
    answer = clinic.answer(REGISTRATION.replace(change, to), "OQSsiimm01req_1.xml")
    assert answer.body
    assert (answer.body.status, answer.body.code) == (Status.ERROR, code)
    assert answer.body.message


def test_without_a_folder_there_is_no_receipt_computer(clinic: Clinic) -> None:
    assert receipt_folder_service(Receipt(), SITE, clinic.client) is None


def test_a_terminal_that_answers_no_requests_leaves_them(clinic: Clinic) -> None:
    clinic.receipt = replace(clinic.receipt, answer_requests=False)
    clinic.computer = clinic.started()
    (clinic.root / "req" / "OQSsiquc01req_1.xml").write_text(QUERY, encoding="utf-8")
    for _ in range(3):
        clinic.computer.look()
        clinic.seconds += 10
    assert os.listdir(clinic.root / "req") == ["OQSsiquc01req_1.xml"]


# --- the mapping alone ---

DATES: dict[str, Any] = {
    "issued_on": date(2026, 8, 1),
    "valid_from": date(2026, 8, 1),
    "valid_until": date(2027, 7, 31),
}


def certificate(disease: Any) -> DiseaseCertificate:
    return DiseaseCertificate(**DATES, disease=disease, self_pay_yen=10_000)


def result(**changes: Any) -> VisitResult:
    found = Qualification(
        classification="01",
        insurer_number="06139992",
        insurer_name="テスト健康保険組合",
        symbol="12",
        number="345678",
        branch="00",
        family=False,
        insured_name="山田　花子",
        name="山田　花子",
        name_kana="ﾔﾏﾀﾞ ﾊﾅｺ",
        other_name="",
        other_name_kana="",
        sex=2,
        birth_date=date(1980, 6, 17),
        address="東京都",
        post_number="",
        qualified_on=date(2020, 4, 1),
        issued_on=date(2020, 4, 2),
        lost_on=None,
        reason_of_loss="",
        share=None,
        preschool=False,
        elderly=None,
        limit=None,
        diseases=(),
        tickets=(),
        reference_number="",
    ).model_copy(update=changes)
    record = VisitRecord(
        visit_id="v",
        terminal_id="t",
        method="pin",
        status=EligibilityStatus.VALID,
        identified_at=NOON,
        answers={Item.SPECIFIC_DISEASE: GIVEN},
        recorded_at=NOON,
        available_until=None,
        prescription=PrescriptionForm.ELECTRONIC,
    )
    return VisitResult(record, "1311111111", limit_provided=True, qualifications=(found,))


def test_the_patients_choice_of_prescription_and_diseases_is_passed_on() -> None:
    told = of_visit(result(diseases=(certificate(1), certificate(3))))
    assert told
    assert told.prescription is Prescription.ELECTRONIC
    (insured,) = told.insured
    assert [one.disease for one in insured.diseases] == [Disease.DIALYSIS, Disease.HIV]


def test_a_limit_provided_without_any_certificate_is_a_yes_without_content() -> None:
    told = of_visit(result())
    assert told
    (insured,) = told.insured
    assert insured.limit is None
    assert insured.limit_consent
    assert insured.limit_consent.flag == "1"


@pytest.mark.parametrize(
    "changes",
    [
        {"classification": "09"},
        {"symbol": "9" * 21},
        {"limit": LimitCertificate(**DATES, category="A07", long_term_from=None)},
        {"branch": "1"},
    ],
)
def test_an_answer_that_no_file_can_hold_cannot_be_told(changes: dict[str, Any]) -> None:
    with pytest.raises(Untellable):
        of_visit(result(**changes))


def test_every_status_of_the_server_has_its_code() -> None:
    assert {status.name: validity.name for status, validity in VALIDITY.items()} == {
        validity.name: validity.name for validity in Validity
    }
    assert re.fullmatch("1 2 3 4 5 6", " ".join(VALIDITY[status] for status in EligibilityStatus))
