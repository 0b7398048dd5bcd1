"""What goes on behind visits: files for the receipt computer, and visits whose end only the server knows."""

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from config import Site
from config.person import load_person
from consent.choices import ConsentAnswer
from consent.eligibility import Untellable, VisitResult
from consent.receipt_files.files import read_result
from hardware.face.engine import FaceEngine
from reception.flow import State
from reception.flow.failures import FailureCode
from reception.terminal.notices import NOTICES, Notice, NoticeCode
from reception.testing import scenarios
from reception.testing.scenarios import Expect, Play, Rule, Scenario
from reception.testing.testbench import Bench
from reception.testing.timing import FAST
from tests.support.face_reader import read_face


class Office:
    """A bench with a receipt folder in a folder, started as often as asked."""

    def __init__(self, folder: Path, state: Path, person: str = "rare-kanji") -> None:
        self.folder, self.state = folder, state
        self.shared = folder / "shared"
        for name in ("face", "req", "res"):
            (self.shared / name).mkdir(parents=True)
        self.settings = FAST.settings(receipt={"folder": str(self.shared)})
        self.person = load_person(person)
        self.notices: queue.SimpleQueue[tuple[Notice, ...]] = queue.SimpleQueue()

    def bench(self) -> Bench:
        return Bench(
            self.settings,
            self.state,
            people=[self.person],
            person=self.person,
            today=scenarios.TODAY,
            engine=FaceEngine(),
            database=f"sqlite:///{self.folder}/eligibility.sqlite",
            journal=self.folder / "journal.sqlite",
        )

    def visit(self, bench: Bench) -> None:
        rules = (
            Rule(state=State.WAITING, do="insert_card"),
            Rule(state=State.METHOD_CHOICE, do="choose_pin"),
            Rule(state=State.PIN_ENTRY, do="type_pin", value="card"),
            Rule(state=State.CONSENT, do="answer_all", value=ConsentAnswer.GIVEN),
            Rule(state=State.LIMIT_CONSENT, do="answer", value=ConsentAnswer.GIVEN),
            Rule(state=State.TAKE_CARD, do="remove_card"),
        )
        expect = Expect(end=State.WAITING, completed=True, sent=1, within_s=20)
        scenario = Scenario(title="visit", person=self.person.id, on=rules, expect=expect)
        play = Play(Path("test"), scenario, self.person, None, self.settings, scenarios.TODAY)
        result = scenarios.play_on(bench, play, self.state)
        assert result.passed, result.why

    def turned_away(self, bench: Bench, failure: FailureCode) -> None:
        """Let the person come and be sent to staff, over their insurance."""
        rules = (
            Rule(state=State.WAITING, do="insert_card"),
            Rule(state=State.METHOD_CHOICE, do="choose_pin"),
            Rule(state=State.PIN_ENTRY, do="type_pin", value="card"),
            Rule(state=State.CALL_STAFF, do="remove_card"),
        )
        expect = Expect(end=State.WAITING, completed=False, failure=failure, sent=0, within_s=20)
        scenario = Scenario(title="turned away", person=self.person.id, on=rules, expect=expect)
        play = Play(Path("test"), scenario, self.person, None, self.settings, scenarios.TODAY)
        result = scenarios.play_on(bench, play, self.state)
        assert result.passed, result.why

    def until(self, holds: Callable[[tuple[Notice, ...]], bool]) -> tuple[Notice, ...]:
        while not holds(told := self.notices.get(timeout=10)):
            pass
        return told

    def wait_for_file(self) -> None:
        # A folder on a share tells nobody of a new file either.
        while not self.faces():
            time.sleep(0.02)

    def faces(self) -> list[Path]:
        return sorted((self.shared / "face").glob("*.xml"))


@pytest.fixture
def office(tmp_path: Path, made_state: Path) -> Office:
    return Office(tmp_path, made_state)


def code_of(notices: tuple[Notice, ...]) -> list[NoticeCode]:
    return [notice.code for notice in notices]


def test_every_notice_has_words_and_a_remedy() -> None:
    assert set(NOTICES) == set(NoticeCode)
    assert all(words.what.endswith("。") and words.remedy.endswith("。") for words in NOTICES.values())


def test_a_completed_visit_gives_the_receipt_computer_one_file(office: Office) -> None:
    with office.bench() as bench:
        office.visit(bench)
        office.wait_for_file()
    (face,) = office.faces()
    assert read_result(face.read_bytes()).header.confirmed_on == scenarios.TODAY
    with office.bench() as bench:
        bench.office.subscribe(office.notices.put)
    assert office.faces() == [face]


def test_a_folder_that_is_away_is_told_and_the_file_is_written_when_it_is_back_also_after_a_restart(
    office: Office,
) -> None:
    away = office.shared.rename(office.shared.with_name("away"))
    with office.bench() as bench:
        bench.office.subscribe(office.notices.put)
        told = office.until(bool)
        assert code_of(told) == [NoticeCode.RECEIPT_FOLDER_UNUSABLE]
        assert str(office.shared) in told[0].detail
        office.visit(bench)
    assert not list(away.rglob("*.xml"))

    away.rename(office.shared)
    with office.bench():
        office.wait_for_file()
    assert len(office.faces()) == 1


def test_a_notice_goes_when_its_cause_goes_or_staff_have_seen_it(office: Office) -> None:
    away = office.shared.rename(office.shared.with_name("away"))
    with office.bench() as bench:
        bench.office.subscribe(office.notices.put)
        (notice,) = office.until(bool)
        bench.office.dismiss(notice)
        assert office.until(lambda notices: not notices) == ()
        away.rename(office.shared)


@pytest.mark.parametrize(
    ("person", "failure", "validity"),
    [
        ("invalid-insurance", FailureCode.INSURANCE_INVALID, "2"),
        ("superseded-insurance", FailureCode.INSURANCE_INVALID, "3"),
        ("ambiguous-insurance", FailureCode.INSURANCE_AMBIGUOUS, "5"),
    ],
)
def test_a_patient_whose_insurance_does_not_hold_gets_a_file_all_the_same(
    tmp_path: Path, made_state: Path, person: str, failure: FailureCode, validity: str
) -> None:
    office = Office(tmp_path, made_state, person)
    with office.bench() as bench:
        office.turned_away(bench, failure)
        office.wait_for_file()
    (face,) = office.faces()
    assert read_face(face.read_bytes()).validity == validity
    with office.bench():
        pass
    assert office.faces() == [face]


def test_a_patient_who_leaves_before_the_consents_gets_none(tmp_path: Path, made_state: Path) -> None:
    office = Office(tmp_path, made_state)
    with office.bench() as bench:
        rules = (
            Rule(state=State.WAITING, do="insert_card"),
            Rule(state=State.METHOD_CHOICE, do="choose_pin"),
            Rule(state=State.PIN_ENTRY, do="type_pin", value="card"),
            Rule(state=State.CONSENT, do="remove_card"),
        )
        expect = Expect(end=State.WAITING, completed=False, sent=0, within_s=20)
        scenario = Scenario(title="left", person=office.person.id, on=rules, expect=expect)
        play = Play(Path("test"), scenario, office.person, None, office.settings, scenarios.TODAY)
        assert scenarios.play_on(bench, play, office.state).passed
        assert bench.journal.receipts_due() == []
    assert office.faces() == []


def test_what_can_never_be_written_is_told_once_and_not_tried_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def untellable(result: VisitResult, **_settings: bool) -> None:
        asked.append(result.visit.visit_id)
        raise Untellable("no file can hold it")

    monkeypatch.setattr("consent.receipt_files.answers.of_visit", untellable)
    with office.bench() as bench:
        bench.office.subscribe(office.notices.put)
        office.visit(bench)
        told = office.until(bool)
        assert code_of(told) == [NoticeCode.RECEIPT_IMPOSSIBLE]
        assert bench.journal.receipts_due() == []
    with office.bench():
        pass
    assert len(asked) == 1


def test_a_request_that_nobody_knows_is_told_to_staff_without_its_name(office: Office) -> None:
    with office.bench() as bench:
        bench.office.subscribe(office.notices.put)
        (office.shared / "req" / "SRJsiquc01req_yamada-hanako.xml").write_text("<a/>", encoding="utf-8")
        (told,) = office.until(bool)
        assert (told.code, told.detail) == (NoticeCode.REQUEST_UNKNOWN, "SRJSIQUC01")


def bulk_request(lines: int) -> str:
    line = (
        "<QualificationConfirmSearchInfo><InsurerNumber>06139992</InsurerNumber>"
        "<InsuredCardSymbol>12</InsuredCardSymbol><InsuredIdentificationNumber>{}</InsuredIdentificationNumber>"
        "<Birthdate>19650428</Birthdate></QualificationConfirmSearchInfo>"
    )
    code = Site().institution_code
    return (
        f"<XmlMsg><MessageHeader><MedicalInstitutionCode>{code}</MedicalInstitutionCode></MessageHeader>"
        f"<MessageBody>{''.join(line.format(number) for number in range(lines))}</MessageBody></XmlMsg>"
    )


def seconds_of(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def fetch_request(number: str) -> str:
    body = f"<MessageBody><ReceptionNumber>{number}</ReceptionNumber></MessageBody>"
    return bulk_request(0).replace("<MessageBody></MessageBody>", body)


def test_a_bulk_request_of_before_a_restart_is_answered_as_lost_and_told_once(office: Office) -> None:
    requests, answers = office.shared / "req", office.shared / "res"
    with office.bench():
        (requests / "OQSmuquc01req_1.xml").write_text(bulk_request(3), encoding="utf-8")
        (taken,) = came(answers, "OQSmuquc01res_1.xml")
    number = taken.partition("<ReceptionNumber>")[2].partition("<")[0]
    with office.bench() as bench:
        bench.office.subscribe(office.notices.put)
        (requests / "OQSmuquc02req_2.xml").write_text(fetch_request(number), encoding="utf-8")
        (told,) = office.until(bool)
        assert told.code is NoticeCode.BULK_REQUEST_LOST
        (answer,) = came(answers, "OQSmuquc02res_2.xml")
    assert "<SegmentOfResult>9<" in answer
    assert ">RECEPTION_NUMBER_LOST<" in answer
    assert "もう一度要求してください" in answer


def came(folder: Path, name: str) -> list[str]:
    """Return the content of a file, once it is there."""
    tick = threading.Event()
    for _ in range(1000):
        if (folder / name).exists():
            return [(folder / name).read_text(encoding="utf-8")]
        tick.wait(0.01)
    return []


@pytest.mark.parametrize("lines", [300, pytest.param(10_000, marks=pytest.mark.long)])
@pytest.mark.timeout(900)
def test_a_bulk_request_is_answered_while_visits_go_on(office: Office, lines: int) -> None:
    office.person = load_person("rare-kanji")
    requests, answers = office.shared / "req", office.shared / "res"
    with office.bench() as bench:
        before = [seconds_of(lambda: office.visit(bench)) for _ in range(lines // 100)]
        during: list[float] = []
        (requests / "OQSmuquc01req_1.xml").write_text(bulk_request(lines), encoding="utf-8")
        taken, asked = answers / "OQSmuquc01res_1.xml", 0
        text = ""
        while "<SegmentOfResult>1<" not in text:
            during.append(seconds_of(lambda: office.visit(bench)))
            if not taken.exists():
                continue
            number = taken.read_text(encoding="utf-8").partition("<ReceptionNumber>")[2].partition("<")[0]
            answer = answers / f"OQSmuquc02res_{asked}.xml"
            if asked and not answer.exists():
                continue
            text = answer.read_text(encoding="utf-8") if asked else ""
            asked += 1
            (requests / f"OQSmuquc02req_{asked}.xml").write_text(fetch_request(number), encoding="utf-8")
    assert f"<NumberOfProcessingResult>{lines}<" in text
    assert text.count("<BulkConfirmUnit>") == lines
    for name, times in (("before", before), ("during", during)):
        print(f"{lines} lines: {len(times)} visits {name}, median {1000 * median(times):.0f} ms")
