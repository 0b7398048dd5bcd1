"""The worklist of changed names and addresses on the counter's page: a clerk decides, once."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent.attributes.ledger import CaseState
from consent.attributes.rules import Attribute
from reception.counter.english import Words
from reception.counter.program import CounterProgram
from reception.testing.testbench import STAFF
from tests.conftest import LogWatch
from tests.support.asker import Asker
from tests.support.changes import CUSTOMER, MATCH, NEW_ADDRESS, OLD_ADDRESS, Clinic
from tests.support.counter import Terminal, page_of


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "receipt")


@pytest.fixture
def program(clinic: Clinic, tmp_path: Path) -> Iterator[CounterProgram]:
    with page_of([Terminal()], tmp_path, worklist=clinic.changes) as program:
        yield program


@pytest.fixture
def clerk(program: CounterProgram) -> Asker:
    asker = Asker(program)
    assert asker.log_in() == 303
    return asker


def decide(clerk: Asker, answer: str, change: str = MATCH) -> tuple[int, str]:
    form = {"csrf": clerk.csrf, "change": change, "answer": answer}
    status, _, page = clerk.ask("POST", "/changes", form)
    said = re.search(r'role="status">([^<]*)<', page)
    return status, said[1] if said else ""


def acts(program: CounterProgram) -> list[tuple[str, str, str, str]]:
    done = [act for act in program.audit.newest() if act.act.endswith("-change")]
    return [(act.operator, act.act, act.place, act.verdict) for act in reversed(done)]


def test_old_and_new_stand_side_by_side_and_only_a_real_change_is_marked(clerk: Asker) -> None:
    _, _, page = clerk.ask("GET", "/changes")
    rows = re.findall(r"<tr(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)
    assert [("hand" in row) for row in rows] == [False, True, False]
    assert OLD_ADDRESS in rows[1]
    assert NEW_ADDRESS.replace("<", "&lt;").replace(">", "&gt;") in rows[1]
    assert "女性" in rows[2]
    assert "氏名・住所の変更 (1)" in page


def test_an_accepted_change_becomes_a_note_and_is_decided_once(
    clerk: Asker, clinic: Clinic, program: CounterProgram
) -> None:
    assert clinic.notes() == []
    assert decide(clerk, "accept") == (200, "受け入れました。レセコン用の連絡票を書きました。")
    assert "先に決めています" in decide(clerk, "refuse")[1]
    (note,) = clinic.notes()
    assert f"<AcceptedBy>{STAFF}</AcceptedBy>" in note
    assert [case.match_id for case in clinic.ledger.cases(CaseState.ACCEPTED)] == [MATCH]
    assert acts(program) == [
        (STAFF, "accept-change", MATCH, "done"),
        (STAFF, "refuse-change", MATCH, "late"),
    ]


def test_a_refused_change_writes_nothing(clerk: Asker, clinic: Clinic, program: CounterProgram) -> None:
    assert decide(clerk, "refuse") == (200, "受け入れませんでした。登録はそのままです。")
    assert clinic.notes() == []
    assert clinic.worklist.patient(CUSTOMER).attributes[Attribute.ADDRESS] == OLD_ADDRESS
    assert acts(program) == [(STAFF, "refuse-change", MATCH, "done")]


@pytest.mark.parametrize("change", ["", "../../patients/aabbccdd00", "ffffffff-ffff", "A" * 500])
def test_a_change_that_was_never_there_is_not_decided(clerk: Asker, clinic: Clinic, change: str) -> None:
    status, said = decide(clerk, "accept", change)
    assert status == 200
    assert "受け入れました" not in said
    assert clinic.changes.waiting() == 1
    assert clinic.notes() == []


@pytest.mark.parametrize("form", [{}, {"change": MATCH}, {"change": MATCH, "answer": "perhaps"}])
def test_a_form_that_the_page_never_made_is_refused(
    clerk: Asker, clinic: Clinic, form: dict[str, str]
) -> None:
    status, _, _ = clerk.ask("POST", "/changes", {"csrf": clerk.csrf} | form)
    assert status == 400
    assert clinic.changes.waiting() == 1


def test_a_folder_that_cannot_be_used_is_told_with_a_remedy(
    clerk: Asker, clinic: Clinic, program: CounterProgram, expected_log: LogWatch
) -> None:
    expected_log.expect("json: is damaged")
    (clinic.folder / "attributes" / "pending" / f"{MATCH}.json").write_text("{", encoding="utf-8")
    status, _, page = clerk.ask("GET", "/changes")
    assert (status, "フォルダーと共有の設定" in page, "確認する変更はありません" in page) == (
        200,
        True,
        False,
    )
    assert "フォルダーと共有の設定" in decide(clerk, "accept")[1]
    assert acts(program) == [(STAFF, "accept-change", MATCH, "failed")]


def test_the_english_page_names_the_parts_in_english(clinic: Clinic) -> None:
    (change,) = clinic.changes.shown(Words("en"))
    assert [row.name for row in change.rows] == ["Name", "Address", "Sex"]
    assert change.rows[2].old == "female"


def test_a_clinic_that_does_not_take_part_has_no_such_page(tmp_path: Path) -> None:
    with page_of([Terminal()], tmp_path) as program:
        asker = Asker(program)
        assert asker.log_in() == 303
        status, _, page = asker.ask("GET", "/changes")
        assert (status, "氏名・住所の変更" in page) == (404, False)
