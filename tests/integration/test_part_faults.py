"""Part by fault by state: whatever of a terminal dies, hangs or is refused, nothing of a visit is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.face.engine import FaceEngine
from reception.__main__ import main
from reception.flow import State
from reception.testing.matrix import faults
from reception.testing.matrix.faults import FAULTS, FaultPlayed, PartFault, fault_cells, play_faults, table_of
from tests.conftest import LogWatch

S = State

SHORT = [
    ("journal locked", S.SENDING, "journal .*: database is locked|cannot be written now"),
    ("receipt folder permission", S.LIMIT_CONSENT, ""),
    ("clock a day back", S.CONSENT, ""),
    ("thread reader-watch dies", S.TAKE_CARD, "reader-watch failed with SystemExit and is begun anew"),
    ("thread receipt-folder hangs", S.SENDING, ""),
    ("lane card hangs", S.READING, "the lane card hangs and is begun anew"),
]
"""One of each kind, and what it may log; all of them with --long."""


@pytest.fixture(scope="module")
def engine() -> Iterator[FaceEngine]:
    """Nobody comes by face in these."""
    with FaceEngine() as engine:
        yield engine


def _fault(name: str) -> PartFault:
    (found,) = [fault for fault in FAULTS if str(fault) == name]
    return found


@pytest.mark.parametrize(("name", "state", "logged"), SHORT)
def test_a_part_fails_and_every_complete_visit_has_its_record_and_its_file(
    name: str, state: State, logged: str, made_state: Path, engine: FaceEngine, log_watch: LogWatch
) -> None:
    if logged:
        log_watch.expect(logged)
    (played,) = play_faults([(_fault(name), state)], made_state, engine=engine)
    assert played.why == ""


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_part_in_every_state(made_state: Path, log_watch: LogWatch) -> None:
    log_watch.expect("")
    assert [str(each) for each in play_faults(fault_cells(), made_state) if each.why] == []


@pytest.mark.parametrize("can_mount", [True, False])
def test_every_part_fails_in_every_state_but_no_disk_of_others_is_filled(
    can_mount: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "can_mount", lambda: can_mount)
    cells = fault_cells()
    assert (faults.FULL_JOURNAL in {fault for fault, _ in cells}) is can_mount
    assert len(cells) == (len(FAULTS) - (not can_mount)) * len(faults.STATES)
    assert {state for _, state in cells} == set(faults.STATES)
    assert len({str(fault) for fault in FAULTS}) == len(FAULTS)


def test_a_cell_that_does_not_hold_stands_in_the_table() -> None:
    fault = _fault("journal locked")
    lines = table_of(
        [
            FaultPlayed(fault, S.SENDING, "complete", "", 1.0),
            FaultPlayed(fault, S.CONSENT, "not ended", "lost", 1.0),
        ]
    )
    assert lines == ["journal locked                2 cells: 1 complete, 1 not ended\n    FAIL CONSENT: lost"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--part", "journal"], "--part: only with --faults"),
        (["--faults", "--part", "roof"], "--part roof: should be one of clock, engine, "),
        (["--faults", "--bench", "pcsc"], "--faults: goes with --in and --part only"),
    ],
)
def test_what_cannot_be_played_is_refused(
    options: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["matrix", *options]) == 2
    assert line in capsys.readouterr().err
