"""Old visits are forgotten with all that belongs to them, and nothing else is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from consent.choices import ConsentAnswer, Item
from consent.server import retention
from consent.server.retention import forget_before
from consent.server.store import Store
from consent.server.tables import open_engine
from consent.wire import AuditEntry, japan_now
from reception.__main__ import main
from tests.support.servers import TERMINAL, recorded_of, visit_of

GIVEN = {Item.MEDICATION: ConsentAnswer.GIVEN}


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'eligibility.sqlite'}"


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """Five visits, each a day older than the one before, the first of now."""
    store, now = Store(database), japan_now()
    for age in reversed(range(5)):
        at, visit = now - timedelta(days=age), f"visit-{age}"
        store.keep_visit(replace(visit_of(visit), identified_at=at))
        store.record(visit, replace(recorded_of(GIVEN), recorded_at=at))
        store.note(entry(at, visit))
    yield store
    store.close()


def entry(at: datetime, visit: str) -> AuditEntry:
    return AuditEntry(
        number=0,
        time=at,
        terminal_id=TERMINAL,
        action="consents",
        outcome="ok",
        visit_id=visit,
        staff="",
        reason="",
    )


def kept(store: Store) -> tuple[list[str], list[str]]:
    visits = [one.visit_id for one in store.records(TERMINAL)]
    return visits, [entry.visit_id for entry in store.audit()]


@pytest.mark.parametrize("batch", [1, 2, 2_000])
def test_what_is_older_goes_with_its_consents_and_its_audit(
    batch: int, database: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", batch)
    engine = open_engine(database)
    assert forget_before(engine, japan_now() - timedelta(days=2, hours=12)) == 2
    assert forget_before(engine, japan_now() - timedelta(days=2, hours=12)) == 0
    engine.dispose()
    young = ["visit-2", "visit-1", "visit-0"]
    assert kept(store) == (young, young)
    assert store.record("visit-0", replace(recorded_of(GIVEN), recorded_at=japan_now())).answers == GIVEN


def test_the_command_tells_what_it_forgot(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(tmp_path), "forget", "--keep-days", "3"]) == 0
    assert capsys.readouterr().out.startswith("2 visits of before ")
    assert kept(store)[0] == ["visit-2", "visit-1", "visit-0"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--keep-days", "3"], "forget: there is no database in "),
        (
            ["--keep-days", "3", "--database", "sqlite:////no/such/place.db"],
            "forget: the database cannot be used: ",
        ),
        (["--keep-days", "1"], "--keep-days"),
    ],
)
def test_what_cannot_be_forgotten_is_refused_in_a_line(
    options: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["--state", str(tmp_path), "forget", *options])
    except SystemExit as refused:
        code = int(refused.code or 0)
    assert code == 2
    assert line in capsys.readouterr().err
