"""What happens at a real desk, case by case: the face file says it, and so does the answer to a request."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.person import Insurance, Person, everybody, load_person
from consent.choices import ConsentAnswer, EligibilityStatus, Item
from consent.receipt_files.files import ResponseFile
from consent.receipt_files.folder import SETTLED_S
from consent.server.certificates import Authority
from consent.wire import JAPAN
from tests.support.clinic import SITE, Clinic
from tests.support.face_reader import Told, read_face
from tests.support.receipts import QUERY
from tests.support.servers import HANAKO, bench

GIVEN = ConsentAnswer.GIVEN
APRIL_1 = date(2026, 4, 1)


@pytest.fixture
def desk(authority: Authority, tmp_path: Path) -> Iterator["Desk"]:
    with bench(authority, HANAKO) as made:
        yield Desk(made, tmp_path)


class Desk:
    """Visits of one person each at a clinic of their own, on any day."""

    def __init__(self, made: Any, root: Path) -> None:
        self.made, self.root = made, root
        self.number = 0

    def clinic(self, encoding: str = "cp932", **settings: Any) -> Clinic:
        self.number += 1
        root = self.root / f"oqs-{self.number}"
        root.mkdir()
        return Clinic(self.made, root, budget_s=20.0, encoding=encoding, **settings)

    def visit(self, person: Person, day: date, clinic: Clinic | None = None) -> Told:
        """Let somebody come on a day at noon, agree to all, and return what the face file says."""
        self.made.clock.now = datetime(day.year, day.month, day.day, 12, tzinfo=JAPAN)
        clinic = clinic or self.clinic()
        self.made.server.add(person)
        certificate = self.made.certificate(person)
        self.number += 1
        visit = f"visit-{self.number}"
        found = clinic.client.identify_by_face(visit, clinic.client.challenge(), certificate, 0.3)
        if found.card_use_offered:
            found = clinic.client.answer_card_use(visit, GIVEN)
        if found.status in (EligibilityStatus.VALID, EligibilityStatus.UNREGISTERED):
            clinic.client.send_consents(visit, dict.fromkeys(found.questions, GIVEN))
        clinic.computer.add(visit)
        report = clinic.computer.look()
        assert (list(report.written), report.problem) == ([visit], "")
        (path,) = (clinic.root / "face").glob(f"*{visit}_*.xml")
        return read_face(path.read_bytes())


def changed(someone: Person = HANAKO, *, birth: date | None = None, **insurance: Any) -> Person:
    return replace(
        someone,
        id=f"{someone.id}-{abs(hash((birth, *sorted(map(str, insurance.items())))))}",
        birth_date=birth or someone.birth_date,
        insurance=Insurance(**{"symbol": "12", "number": "345678", **insurance}),
    )


def came(desk: Desk, person: Person, day: date = APRIL_1) -> Told:
    """Let somebody come on a day."""
    return desk.visit(person, day)


# --- Every outcome has its file ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "validity", "results"),
    [
        ("age45", "1", 1),
        ("invalid-insurance", "2", 1),
        ("superseded-insurance", "3", 1),
        ("ambiguous-insurance", "5", 0),
        ("two-insurances", "5", 0),
        ("assistance", "1", 1),
        ("assistance-beside-insurance", "1", 2),
        ("changed-insurer", "1", 1),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_every_identified_patient_gets_a_face_file(
    desk: Desk, name: str, validity: str, results: int, encoding: str
) -> None:
    told = desk.visit(load_person(name), APRIL_1, desk.clinic(encoding))
    assert (told.validity, len(told.results)) == (validity, results)


def test_somebody_without_any_qualification_gets_a_file_without_a_result(desk: Desk) -> None:
    assert came(desk, changed(validity="not-found")).validity == "4"


def test_a_patient_who_leaves_before_the_consents_gets_no_file(desk: Desk) -> None:
    clinic = desk.clinic()
    clinic.client.identify_by_face("left", clinic.client.challenge(), desk.made.certificate(), 0.3)
    clinic.computer.add("left")
    assert clinic.computer.look().unknown == ("left",)


def test_the_newer_insurance_stands_beside_the_lost_one_where_it_is_known(desk: Desk) -> None:
    person = load_person("changed-insurer")
    known = person.insurance.qualifications
    later = replace(known[1], qualified_on=date(2026, 4, 10))
    gap = replace(person, id="gap", insurance=replace(person.insurance, qualifications=(known[0], later)))
    told = came(desk, gap, date(2026, 4, 5))
    assert told.validity == "3"
    assert [one["InsurerNumber"] for one in told.results] == ["06139992", "01130012"]


# --- Validity follows from the dates ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "validity"), [(date(2026, 3, 31), "1"), (date(2026, 4, 1), "2"), (date(2026, 4, 2), "2")]
)
def test_on_the_day_of_the_loss_an_insurance_does_not_hold_any_more(
    desk: Desk, day: date, validity: str
) -> None:
    assert came(desk, changed(lost_on=date(2026, 4, 1), reason_of_loss="99"), day).validity == validity


@pytest.mark.parametrize(
    ("day", "validity"), [(date(2026, 3, 31), "4"), (date(2026, 4, 1), "1"), (date(2026, 4, 2), "1")]
)
def test_from_its_first_day_on_an_insurance_holds(desk: Desk, day: date, validity: str) -> None:
    assert came(desk, changed(qualified_on=date(2026, 4, 1)), day).validity == validity


@pytest.mark.parametrize(
    ("day", "insurer"), [(date(2026, 3, 31), "06139992"), (date(2026, 4, 1), "01130012")]
)
def test_who_changes_the_insurer_is_with_the_one_of_the_day(desk: Desk, day: date, insurer: str) -> None:
    told = desk.visit(load_person("changed-insurer"), day)
    assert [one["InsurerNumber"] for one in told.results] == [insurer]


@pytest.mark.parametrize(
    ("asked", "validity"),
    [("20200101", "4"), ("20260331", "4"), ("20260401", "1"), ("20301231", "1"), ("20991231", "3")],
)
def test_a_request_for_another_day_is_judged_by_the_dates_of_that_day(
    desk: Desk, asked: str, validity: str
) -> None:
    desk.made.server.add(changed(qualified_on=date(2026, 4, 1), number="777"))
    answer = ask(desk, day=asked, number="777")
    assert (answer.body.validity, f"{answer.header.confirmed_on:%Y%m%d}") == (validity, asked)


# --- Shares and certificates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ratio", "elderly"),
    [("age39", None, None), ("age74", None, "020"), ("age75", "010", None), ("disabled-67", "010", None)],
)
def test_the_share_stands_where_it_belongs(
    desk: Desk, name: str, ratio: str | None, elderly: str | None
) -> None:
    (one,) = desk.visit(load_person(name), APRIL_1).results
    assert one.get("InsuredPartialContributionRatio") == ratio
    assert one.get("ElderlyRecipientContributionRatio") == elderly


@pytest.mark.parametrize(
    ("born", "day", "start"),
    [
        (date(1956, 3, 20), date(2026, 3, 20), None),
        (date(1956, 3, 20), date(2026, 3, 31), None),
        (date(1956, 3, 20), date(2026, 4, 1), "20260401"),
        (date(1956, 4, 1), date(2026, 3, 31), None),
        (date(1956, 4, 1), date(2026, 4, 1), "20260401"),
        (date(1956, 2, 29), date(2026, 2, 28), None),
        (date(1956, 2, 29), date(2026, 3, 1), "20260301"),
        (date(1956, 12, 31), date(2026, 12, 31), None),
        (date(1956, 12, 31), date(2027, 1, 1), "20270101"),
    ],
)
def test_the_certificate_of_the_elderly_begins_with_the_month_after_the_70th_birthday(
    desk: Desk, born: date, day: date, start: str | None
) -> None:
    told = came(desk, changed(birth=born, share=20), day)
    assert told.results[0].get("ElderlyRecipientValidStartDate") == start


def test_the_certificate_of_the_elderly_ends_on_the_day_before_the_75th_birthday(desk: Desk) -> None:
    someone = changed(birth=date(1951, 6, 10), share=20)
    told = came(desk, someone, date(2026, 6, 9))
    assert told.results[0]["ElderlyRecipientValidEndDate"] == "20260609"
    after = desk.visit(someone, date(2026, 6, 10))
    assert (after.validity, after.results[0]["DisqualificationDate"]) == ("3", "20260610")


def test_medical_assistance_has_no_certificate_of_the_elderly(desk: Desk) -> None:
    someone = changed(birth=date(1953, 1, 5), classification="A1", share=0)
    assert "ElderlyRecipientValidStartDate" not in came(desk, someone).results[0]


def test_medical_assistance_without_a_ticket_of_the_month_has_no_records(desk: Desk) -> None:
    assistance = load_person("assistance")
    assert desk.visit(assistance, date(2026, 4, 30)).results[0]["IssueNumber"] == "0000402"
    told = desk.visit(assistance, date(2026, 5, 1))
    assert (told.validity, told.results[0].get("IssueNumber")) == ("6", None)


def test_an_infant_is_insured_from_birth_as_the_family_of_a_parent(desk: Desk) -> None:
    (one,) = desk.visit(load_person("no-photo"), APRIL_1).results
    assert (one["QualificationDate"], one["PersonalFamilyClassification"]) == ("20250512", "2")
    assert one["InsuredName"] == "渡辺　健太"


def test_at_75_a_late_stage_elderly_is_insured_by_a_union_from_the_birthday(desk: Desk) -> None:
    (one,) = desk.visit(load_person("age75"), APRIL_1).results
    assert (one["InsurerNumber"], one["QualificationDate"]) == ("39139993", "20260120")
    assert "InsuredBranchNumber" not in one


# --- Names, advice ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_a_character_that_the_insurers_lack_is_a_mark_in_both_encodings(desk: Desk, encoding: str) -> None:
    clinic = desk.clinic(encoding)
    (one,) = desk.visit(load_person("rare-kanji"), APRIL_1, clinic).results
    assert (one["Name"], one["NameKana"]) == ("●田　茂子", "ﾖｼﾀﾞ ｼｹﾞｺ")


def test_a_foreign_residents_common_name_stands_beside_the_name(desk: Desk) -> None:
    (one,) = desk.visit(load_person("foreign-resident"), APRIL_1).results
    assert (one["NameOfOther"], one["NameOfOtherKana"]) == ("山本　蘭", "ﾔﾏﾓﾄ ﾗﾝ")


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (date(2026, 7, 2), ""),
        (date(2026, 7, 1), "CERTIFICATE_EXPIRES_SOON"),
        (date(2026, 4, 1), "CERTIFICATE_EXPIRES_SOON"),
        (date(2026, 3, 31), "CERTIFICATE_IN_GRACE"),
    ],
)
def test_an_end_of_the_certificate_is_an_advice_in_the_file(desk: Desk, ends: date, code: str) -> None:
    someone = replace(HANAKO, id=f"ends-{ends}", card=replace(HANAKO.card, expires=ends))
    told = came(desk, someone)
    assert (told.validity, told.code) == ("1", code)


@pytest.mark.parametrize("place", ["body", "result"])
def test_the_form_of_the_prescription_stands_where_the_site_says(desk: Desk, place: Any) -> None:
    clinic = desk.clinic(prescription_in=place)
    clinic.client = clinic.client_of("current", prescription=True)
    clinic.computer = clinic.started()
    clinic.visit("visit-1", {Item.MEDICATION: GIVEN}, HANAKO)
    clinic.computer.add("visit-1")
    clinic.computer.look()
    (path,) = (clinic.root / "face").glob("*.xml")
    told = read_face(path.read_bytes())
    in_result = told.results[0].get("PrescriptionIssueSelect", "")
    assert (told.prescription, in_result) == (("2", "") if place == "body" else ("", "2"))


@pytest.mark.parametrize("wanted", [True, False])
def test_the_six_flags_of_2025_come_where_the_site_wants_them(desk: Desk, wanted: bool) -> None:
    told = desk.visit(HANAKO, APRIL_1, desk.clinic(flags_2025=wanted))
    flags = {name[:-7] for name in told.results[0] if name.endswith("ConsFlg")}
    six = {"DiagnosisName", "InfectiousInfo", "AllergyInfo", "ContraindicationInfo", "TestInfo"}
    assert (six | {"PrescriptionInfo"} <= flags) == wanted
    assert not six & flags or wanted


# --- Numbers are compared as real readers do --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ({"symbol": "千代田１２", "number": "4260"}, {"symbol": "千代田12", "number": "4260"}),
        ({"symbol": "千代田12", "number": "4260"}, {"symbol": "千代田１２", "number": "４２６０"}),
        ({"symbol": "12", "number": "3456"}, {"symbol": "12", "number": "34 56"}),
        ({"symbol": "ア－１", "number": "77"}, {"symbol": "ｱ-1", "number": " 77"}),
    ],
)
def test_width_blanks_and_dashes_do_not_count(desk: Desk, known: Any, asked: Any) -> None:
    desk.made.server.add(changed(**known))
    assert ask(desk, **asked).body.validity == "1"


def test_zeros_before_the_number_of_a_late_stage_elderly_do_not_count(desk: Desk) -> None:
    desk.made.server.add(load_person("disabled-67"))
    asked = {"insurer": "39139985", "symbol": "", "branch": "", "birth": "19590214"}
    assert ask(desk, number="1234567", **asked).body.validity == "1"
    assert ask(desk, number="01234567", **asked).body.validity == "1"
    assert ask(desk, number="2234567", **asked).body.validity == "4"


def test_zeros_before_any_other_number_do_count(desk: Desk) -> None:
    desk.made.server.add(changed(symbol="12", number="0042"))
    assert ask(desk, number="42").body.validity == "4"


@pytest.mark.parametrize(("branch", "validity"), [("02", "1"), ("03", "1"), ("", "5"), ("04", "4")])
def test_twins_are_told_apart_by_the_branch_number_alone(desk: Desk, branch: str, validity: str) -> None:
    for name in ("twin-1", "twin-2"):
        desk.made.server.add(load_person(name))
    answer = ask(desk, number="100090", birth="20120615", branch=branch)
    assert answer.body.validity == validity


def ask(
    desk: Desk,
    *,
    number: str,
    symbol: str = "12",
    insurer: str = "06139992",
    branch: str = "00",
    birth: str = "19800617",
    day: str = "20260401",
) -> Any:
    """Lay a request into a clinic's folder, and return the answer."""
    query = QUERY.replace("20260401", day).replace("  123456", insurer).replace("19800617", birth)
    query = query.replace("<InsuredCardSymbol/>", f"<InsuredCardSymbol>{symbol}</InsuredCardSymbol>")
    query = query.replace(">4260<", f">{number}<").replace(">01</InsuredBranch", f">{branch}</InsuredBranch")
    desk.number += 1
    return desk.clinic().answer(query, f"OQSsiquc01req_{desk.number}.xml")


# --- One chart number, two people -------------------------------------------------------------------------------


def test_one_chart_number_for_two_people_is_refused_and_told(desk: Desk) -> None:
    clinic = desk.clinic()
    for name in ("age39", "age40"):
        desk.made.server.add(load_person(name))
    first = registration("100039", "06139992")
    assert status_of(clinic.answer(first, "OQSsiimm01req_1.xml")) == "1"
    (clinic.root / "req" / "OQSsiimm01req_2.xml").write_text(
        registration(load_person("age40").insurance.number, "06139992"), encoding="cp932"
    )
    clinic.computer.look()
    clinic.seconds += SETTLED_S + 0.01
    assert clinic.computer.look().taken == 1
    answer = (clinic.root / "res" / "OQSsiimm01res_2.xml").read_text(encoding="cp932")
    assert "REFERENCE_NUMBER_TAKEN" in answer
    again = registration("100039", "06139992")
    assert status_of(clinic.answer(again, "OQSsiimm01req_3.xml")) == "1"


def status_of(answer: ResponseFile) -> str:
    assert answer.body
    return answer.body.status


def registration(number: str, insurer: str) -> str:
    return f"""<?xml version="1.0" encoding="Shift_JIS" standalone="no"?>
<XmlMsg><MessageHeader><MedicalInstitutionCode>{SITE.institution_code}</MedicalInstitutionCode></MessageHeader>
<MessageBody><ReferenceNumberRegistrationInfo><ReferenceNumber>0042</ReferenceNumber>
<InsurerNumber>{insurer}</InsurerNumber><InsuredCardSymbol>12</InsuredCardSymbol>
<InsuredIdentificationNumber>{number}</InsuredIdentificationNumber>
</ReferenceNumberRegistrationInfo></MessageBody></XmlMsg>"""


def test_namesakes_born_on_one_day_are_a_conflict_that_nobody_decides(desk: Desk) -> None:
    desk.made.clock.now = datetime(2026, 4, 1, 12, tzinfo=JAPAN)
    clinic = desk.clinic()
    person = load_person("namesake-1")
    for one in (person, load_person("namesake-2")):
        desk.made.server.add(one)
    found = clinic.client.identify_by_face(
        "visit-1", clinic.client.challenge(), desk.made.certificate(person), 0.3
    )
    assert [conflict.value for conflict in found.conflicts] == ["SAME_KANA_AND_BIRTH"]


def test_a_changed_surname_is_a_conflict_at_the_next_visit(desk: Desk) -> None:
    desk.made.clock.now = datetime(2026, 4, 1, 12, tzinfo=JAPAN)
    clinic = desk.clinic()
    before = load_person("age39")
    desk.made.server.add(before)
    clinic.answer(registration("100039", "06139992"), "OQSsiimm01req_1.xml")

    def conflicts(visit: str, person: Person) -> list[str]:
        certificate = desk.made.certificate(person)
        found = clinic.client.identify_by_face(visit, clinic.client.challenge(), certificate, 0.3)
        return [conflict.value for conflict in found.conflicts]

    assert conflicts("before", before) == []
    married = replace(before, name="鈴木　健一", name_kana="ｽｽﾞｷ ｹﾝｲﾁ")
    desk.made.server.add(married)
    assert conflicts("after", married) == ["NAME_CHANGED"]


# --- Check digits -----------------------------------------------------------------------------------------------


def test_the_shipped_insurers_and_the_institution_have_their_check_digits() -> None:
    from config import Site

    def right(digits: str) -> bool:
        total = 0
        for at, digit in enumerate(reversed(digits)):
            number = int(digit) * (1 if at % 2 == 0 else 2)
            total += number // 10 + number % 10
        return total % 10 == 0

    assert right(Site().institution_code[3:])
    assert right(Insurance().insurer_number)
    for person in everybody():
        for one in person.insurance.known(person.birth_date):
            assert right(one.insurer_number), person.id
            assert re.fullmatch("[0-9]{6}|[0-9]{8}", one.insurer_number)


def test_a_visit_a_minute_before_midnight_is_judged_by_its_own_day(desk: Desk) -> None:
    someone = changed(lost_on=date(2026, 4, 1), reason_of_loss="99")
    desk.made.server.add(someone)
    desk.made.clock.now = datetime(2026, 3, 31, 23, 59, tzinfo=JAPAN)
    clinic = desk.clinic()
    clinic.visit("late", {Item.MEDICATION: GIVEN}, someone)
    desk.made.clock.now += timedelta(minutes=2)
    clinic.computer.add("late")
    clinic.computer.look()
    (path,) = (clinic.root / "face").glob("*.xml")
    assert read_face(path.read_bytes()).validity == "1"
