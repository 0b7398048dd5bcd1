"""The matrix of states and disturbances: its rules, the flow against them, and some of its cells on a bench."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import reception.flow
from hardware.face.engine import FaceEngine
from reception.__main__ import main
from reception.flow import Event, State
from reception.flow.failures import FailureCode
from reception.testing import matrix
from reception.testing.matrix.cell import Cell
from reception.testing.matrix.rules import RULES, Disturbance, Kind, Outcome, Rule, expected, failures_of
from tests.support import flow_cells
from tests.support.pcscd import running_pcscd

D, S = Disturbance, State


@pytest.fixture(scope="module")
def engine() -> Iterator[FaceEngine]:
    """Nobody comes by face: it is started only if a terminal does so."""
    engine = FaceEngine()
    yield engine
    engine.close()


# --- The rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_cell_has_exactly_one_rule(kind: Kind) -> None:
    for state in State:
        for disturbance in Disturbance:
            assert expected(state, disturbance, kind).reason


def test_every_rule_has_a_reason_and_speaks_of_failures_that_there_are() -> None:
    known = {"", "interrupted", *FailureCode}
    for rule in RULES:
        assert rule.reason
        assert set().union(*(failures_of(rule, state) for state in rule.states)) <= known


def test_two_rules_for_a_cell_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix.rules, "RULES", (*RULES, RULES[0]))
    with pytest.raises(LookupError, match="WAITING and card_pulled on simulated: 2 rules"):
        expected(S.WAITING, D.CARD_PULLED, "simulated")


# --- The flow against the rules -------------------------------------------------------------------------------------

TABLE = sys.modules["reception.flow.table"]
"""The module; the package has a function of that name."""
Row = tuple[State, type[Event]]


class Asked(dict[Row, Any]):
    """Rows of the flow's table that remember which of them were asked for."""

    def __init__(self, rows: dict[Row, Any]) -> None:
        super().__init__(rows)
        self.seen: set[Row] = set()

    def get(self, row: Row, default: Any = None) -> Any:
        self.seen.add(row)
        return super().get(row, default)


def failing(plays: dict[str, Callable[[], None]], names: Iterator[str]) -> Iterator[str]:
    for name in names:
        try:
            plays[name]()
        except AssertionError as wrong:
            yield f"{name}: {wrong}"


def test_the_flow_does_in_every_cell_and_on_every_ordinary_way_what_the_rules_say() -> None:
    plays = flow_cells.everything()
    assert len(plays) > 500
    assert list(failing(plays, iter(plays))) == []


SUMMARY = (reception.flow.ChangeAnswer, reception.flow.ConfirmAnswers)
"""Off in the flow's cells; tests/unit/flow/test_kept_visit.py has them. The offer is played by the benches' matrix."""


def test_an_allowed_change_that_is_taken_away_is_noticed_whichever_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plays, rows = flow_cells.everything(), dict(TABLE._ROWS)
    asking: dict[Row, list[str]] = {row: [] for row in rows}
    for name, play in plays.items():
        asked = Asked(rows)
        monkeypatch.setattr(TABLE, "_ROWS", asked)
        play()
        for row in asked.seen & rows.keys():
            asking[row].append(name)

    unnoticed = []
    for row, names in asking.items():
        if row[0] in reception.flow.OFFERING or row[1] in SUMMARY:
            continue
        monkeypatch.setattr(TABLE, "_ROWS", {each: rows[each] for each in rows if each != row})
        if next(failing(plays, iter(names)), None) is None:
            unnoticed.append(f"{row[0]} on {row[1].__name__}")

    assert unnoticed == []
    covered = {(state, row.event) for row in reception.flow.TRANSITIONS for state in row.states}
    assert covered == rows.keys()


# --- On a bench -----------------------------------------------------------------------------------------------------

SAMPLE = (
    (S.CONSENT, D.CARD_PULLED),
    (S.METHOD_CHOICE, D.CARD_SWAPPED),
    (S.LIMIT_CONSENT, D.CARD_PULLED),
    (S.PHONE_TAP, D.READER_UNPLUGGED),
    (S.CARD_USE_OFFER, D.READER_UNPLUGGED),
    (S.PIN_ENTRY, D.DOUBLE_TAP),
    (S.VISUAL_CHECK, D.CANCEL),
    (S.WAITING, D.CALL_STAFF),
    (S.TAKE_CARD, D.FOLDER_FULL),
    (S.SENDING, D.CLOCK_JUMP),
    (S.SENDING, D.TERMINAL_KILLED),
)
"""One of each outcome that one bench can show without a face and without waiting."""


def test_some_cells_on_the_simulated_bench(made_state: Path, engine: FaceEngine) -> None:
    told: list[matrix.Played] = []
    results = matrix.play(SAMPLE, "simulated", made_state, told.append, engine)
    assert [(each.state, each.disturbance, each.why) for each in results] == [(*cell, "") for cell in SAMPLE]
    assert told == results


def test_a_question_about_a_certificate_stands_every_disturbance_that_a_question_stands(
    made_state: Path, engine: FaceEngine
) -> None:
    """Two certificates, in profile ``current``; what only waits is played with --long."""
    quick = [
        D.CARD_PULLED,
        D.CARD_SWAPPED,
        D.READER_UNPLUGGED,
        D.CANCEL,
        D.CALL_STAFF,
        D.TERMINAL_KILLED,
        D.FOLDER_FULL,
    ]
    cells = [(state, what) for state in (S.CONSENT, S.SENDING) for what in quick]
    results = matrix.play(cells, "simulated", made_state, engine=engine, certificates=True)
    assert {(each.state, each.disturbance): each.why for each in results} == dict.fromkeys(cells, "")


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.expected_log("face engine")
def test_a_question_about_a_certificate_stands_all_disturbances(made_state: Path) -> None:
    cells = matrix.cells("simulated", (S.CONSENT, S.SENDING))
    results = matrix.play(cells, "simulated", made_state, certificates=True)
    assert matrix.wrong(results) == {}


def test_a_cell_that_comes_to_something_else_is_told_and_the_next_one_is_played(
    made_state: Path, engine: FaceEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [(S.SENDING, D.CARD_PULLED), (S.SENDING, D.CANCEL)]
    declined = Rule(Outcome.DECLINED, (D.CARD_PULLED,), (S.SENDING,), "a wrong rule")
    monkeypatch.setattr(
        "reception.testing.matrix.cell.expected",
        lambda state, what, kind: declined if what is D.CARD_PULLED else expected(state, what, kind),
    )
    wrong, right = matrix.play(cells, "simulated", made_state, engine=engine)
    assert (wrong.why, right.why) == ("recorded as declined: set()", "")
    assert list(matrix.wrong([wrong, right])) == [(S.SENDING, D.CARD_PULLED)]
    assert "1 did not come to what the rules say" in matrix.summary([wrong, right])
    assert "| SENDING | ·✗ |" in matrix.grid(matrix.wrong([wrong, right]))


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.expected_log("face engine")
def test_the_whole_matrix_on_the_simulated_bench(made_state: Path) -> None:
    results = matrix.play(matrix.cells("simulated"), "simulated", made_state)
    assert [f"{each.disturbance} in {each.state}: {each.why}" for each in results if each.why] == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_card_reader_and_service_on_the_pcsc_bench(made_state: Path) -> None:
    with running_pcscd():
        pass
    results = matrix.play(matrix.cells("pcsc"), "pcsc", made_state)
    assert [f"{each.disturbance} in {each.state}: {each.why}" for each in results if each.why] == []


def test_no_cell_is_left_out_but_those_that_do_not_apply() -> None:
    for kind in get_args(Kind):
        for state, disturbance in matrix.cells(kind):
            assert Cell(None, state, disturbance, kind).rule.outcome is not Outcome.NONE  # type: ignore[arg-type]
    assert len(matrix.cells("simulated")) == 387
    assert len(matrix.cells("pcsc")) == 113


# --- The command ----------------------------------------------------------------------------------------------------


def test_the_rules_are_told_with_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "--rules"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == len(RULES)
    assert any(re.match("D card_pulled; LIMIT_CONSENT: ", line) for line in told)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--in", "CONSEN"], "--in CONSEN: unknown; known: WAITING, "),
        (["--disturbance", "hail"], "--disturbance hail: unknown; known: card_pulled, "),
        (["--in", "WAITING", "--disturbance", "card_pulled"], "no such cell applies"),
        (["--in", "WAITING", "--readme", "README.md"], "--readme: only for the whole matrix"),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_line(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["matrix", *arguments, "--state", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err


def test_the_readme_keeps_what_came_of_the_other_bench(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- matrix -->\nOLD\n<!-- /matrix -->\nafter\n", encoding="utf-8")
    matrix.write(readme, "pcsc", "67 cells played", {})
    matrix.write(readme, "simulated", "278 cells played", {(S.CONSENT, D.CANCEL): ""})
    text = readme.read_text(encoding="utf-8")
    assert text.index("- `simulated`: 278 cells played\n- `pcsc`: 67 cells played\n") > text.index("S✗")
    assert (text[:7], text[-6:], "OLD" in text) == ("before\n", "after\n", False)


def test_a_readme_without_a_place_for_the_table_is_refused(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no <!-- matrix -->"):
        matrix.write(readme, "pcsc", "67 cells played", {})
