"""The worklist of changed names and addresses on the counter's page: a clerk decides, once."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import config
from consent.attributes.ledger import CaseState, KeptConsent
from consent.attributes.rules import Attribute, ConsentState, period
from reception.counter.changes import changes_of
from reception.counter.english import Words
from reception.counter.program import CounterProgram
from reception.testing.testbench import STAFF
from tests.conftest import LogWatch
from tests.support.asker import Asker
from tests.support.changes import AT, CUSTOMER, MATCH, NEW_ADDRESS, OLD_ADDRESS, Clinic
from tests.support.counter import Terminal, page_of

CONSENT = "0f1e2d3c-aaaa"


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


def acts(program: CounterProgram, kind: str = "-change") -> list[tuple[str, str, str, str]]:
    done = [act for act in program.audit.newest() if act.act.endswith(kind)]
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


def test_a_decision_that_the_ledger_never_heard_of_is_not_counted_for_ever(clinic: Clinic) -> None:
    assert clinic.changes.waiting() == 1
    # A program ended between the note and the ledger.
    clinic.worklist.accept(MATCH, STAFF, AT)
    assert clinic.changes.shown(Words("ja")) == ()
    assert clinic.changes.waiting() == 0


def test_the_worklist_of_the_settings_is_opened_for_its_owner_alone(tmp_path: Path) -> None:
    settings = config.load()
    folder = str(tmp_path / "receipt")
    taking_part = replace(
        settings,
        attributes=replace(settings.attributes, offer=True),
        receipt=replace(settings.receipt, folder=folder),
    )
    assert changes_of(settings, tmp_path / "state", lambda: AT) is None
    made = changes_of(taking_part, tmp_path / "state", lambda: AT)
    assert made is not None
    assert (made.waiting(), made.shown(Words("ja"))) == (0, ())
    (ledger,) = (tmp_path / "state").glob("attributes-*.sqlite")
    assert ledger.stat().st_mode & 0o777 == 0o600
    made.close()


def test_two_clerks_who_press_at_once_decide_once(clinic: Clinic) -> None:
    with ThreadPoolExecutor(8) as clerks:
        told = list(
            clerks.map(lambda n: clinic.changes.decide(MATCH, f"desk-{n}", accept=n % 2 == 0), range(8))
        )
    assert told.count(True) == 1
    assert len(clinic.notes()) == (told.index(True) % 2 == 0)


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


def remind(clinic: Clinic) -> None:
    kept = KeptConsent(CONSENT, CUSTOMER, (Attribute.NAME,), "1", AT, period(AT), ConsentState.STANDS, None)
    clinic.ledger.keep_consents([kept])
    clinic.ledger.reminded([CONSENT], AT.date())


def test_a_yearly_reminder_waits_until_a_clerk_has_told_the_patient(
    clerk: Asker, clinic: Clinic, program: CounterProgram
) -> None:
    assert "年に一度のお知らせ" not in clerk.ask("GET", "/changes")[2]
    remind(clinic)
    _, _, page = clerk.ask("GET", "/changes")
    assert "氏名・住所の変更 (2)" in page
    assert ">A-100</th><td>2026-04-02<" in page.partition("年に一度のお知らせ")[2]
    assert decide(clerk, "reminded", CONSENT) == (200, "お知らせ済みにしました。")
    assert "先に決めています" in decide(clerk, "reminded", CONSENT)[1]
    assert "年に一度のお知らせ" not in clerk.ask("GET", "/changes")[2]
    assert acts(program, "-reminder") == [
        (STAFF, "acknowledge-reminder", CONSENT, "done"),
        (STAFF, "acknowledge-reminder", CONSENT, "late"),
    ]


def test_of_a_withdrawn_consent_nobody_is_reminded(clinic: Clinic) -> None:
    remind(clinic)
    (kept,) = clinic.ledger.reminders()
    clinic.ledger.keep_consents([replace(kept, state=ConsentState.WITHDRAWN)])
    assert clinic.changes.reminders() == ()
