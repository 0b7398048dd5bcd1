"""What the server keeps, on SQLite: from one version to the next, from a backup, from several processes at once."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from consent.choices import ConsentAnswer, Item
from consent.server.certificates import Authority
from consent.server.store import ConsentsDiffer, Store, StoreUnavailable, StoreUnusable
from consent.server.tables import tables
from tests.support import DATA
from tests.support.servers import HANAKO, NOON, TERMINAL, bench, recorded_of, visit_of

OLD = DATA / "database-0.1.sql"
GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED


def restored(script: str, path: Path) -> str:
    with sqlite3.connect(path) as file:
        file.executescript(script)
    file.close()
    return f"sqlite:///{path}"


def test_a_database_of_the_version_before_migrations_opens_and_answers_as_before(
    authority: Authority, tmp_path: Path
) -> None:
    database = restored(OLD.read_text(encoding="utf-8"), tmp_path / "old.db")
    with bench(authority, database=database) as made:
        client = made.client()
        record = client.visit("visit-1")
        assert record is not None and record.answers == {Item.MEDICATION: GIVEN, Item.DIAGNOSIS: GIVEN}
        assert client.send_consents("visit-1", {Item.MEDICATION: GIVEN}).recorded_at == NOON
        assert [entry.visit_id for entry in made.auditor().audit()][:3] == ["visit-1", "visit-2", "visit-1"]
        client.identify_by_face("visit-3", client.challenge(), made.certificate(), 0.3)


def test_the_migrations_make_the_tables_of_this_version(tmp_path: Path) -> None:
    for name, script in (("new.db", ""), ("old.db", OLD.read_text(encoding="utf-8"))):
        database = restored(script, tmp_path / name)
        Store(database).close()
        engine = sa.create_engine(database)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, tables) == []
        engine.dispose()


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'new.db'}"
    Store(database).close()
    with sqlite3.connect(tmp_path / "new.db") as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    file.close()
    with pytest.raises(StoreUnusable, match="made by a newer version"):
        Store(database)


def test_a_restored_backup_answers_the_same(tmp_path: Path) -> None:
    """SQLite's own backup, while the server has the file open."""
    store = Store(f"sqlite:///{tmp_path / 'live.db'}")
    store.keep_visit(visit_of("visit-1"))
    store.record("visit-1", recorded_of({Item.MEDICATION: GIVEN}))
    key = store.challenge_key()
    live, copy = sqlite3.connect(tmp_path / "live.db"), sqlite3.connect(tmp_path / "copy.db")
    live.backup(copy)
    live.close()
    copy.close()
    again = Store(f"sqlite:///{tmp_path / 'copy.db'}")
    assert (again.records(TERMINAL), again.challenge_key()) == (store.records(TERMINAL), key)
    for each in (store, again):
        each.close()


def test_consents_sent_at_once_by_two_processes_are_recorded_once(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    with ThreadPoolExecutor(2) as threads:
        stores = list(threads.map(Store, [database] * 2))
    stores[0].keep_visit(visit_of("visit-1"))

    def send(number: int) -> Any:
        answer = (GIVEN, DECLINED)[number % 2]
        try:
            return (
                stores[number % 2]
                .record("visit-1", recorded_of({Item.MEDICATION: answer}, number))
                .recorded_at
            )
        except ConsentsDiffer:
            return None

    with ThreadPoolExecutor(8) as threads:
        outcomes = set(threads.map(send, range(16)))
    assert len(outcomes - {None}) == 1 and None in outcomes
    for store in stores:
        store.close()


def test_spent_challenges_are_forgotten_after_a_day(authority: Authority, tmp_path: Path) -> None:
    with bench(authority, HANAKO, database=f"sqlite:///{tmp_path / 'x.db'}") as made:
        client = made.client()
        for days in (0, 1, 2):
            made.clock.now = NOON + timedelta(days=days, minutes=5 * days)
            client.identify_by_face(f"visit-{days}", client.challenge(), made.certificate(), 0.3)
        with sqlite3.connect(tmp_path / "x.db") as file:
            assert file.execute("SELECT count(*) FROM spent_challenges").fetchone() == (1,)
        file.close()


# --- Many at once ------------------------------------------------------------------------------------------------


class Held:
    """Holds the writer up, so that what is asked meanwhile is kept at once afterwards."""

    def __init__(self, store: Store) -> None:
        self._begun, self._go_on = threading.Event(), threading.Event()
        self._first = store.keep_together(self._wait)
        assert self._begun.wait(20)

    def _wait(self) -> None:
        self._begun.set()
        assert self._go_on.wait(20)

    def end(self) -> None:
        self._go_on.set()
        self._first.result(20)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'many.db'}")
    yield made
    made.close()


def commits_of(store: Store) -> list[object]:
    found: list[object] = []
    sa.event.listen(store._engine, "commit", found.append)
    return found


def kept(path: Path) -> list[str]:
    """The visits that another process sees."""
    with sqlite3.connect(path) as file:
        found = [row[0] for row in file.execute("SELECT visit_id FROM visits ORDER BY visit_id")]
    file.close()
    return found


def test_what_waits_is_kept_by_one_commit_and_is_durable_before_it_is_told(
    store: Store, tmp_path: Path
) -> None:
    seen: list[list[str]] = []
    held, commits = Held(store), commits_of(store)
    asked = [
        store.keep_together(lambda number=number: store.keep_visit(visit_of(f"v{number}")))  # type: ignore[misc]
        for number in range(5)
    ]
    for one in asked:
        one.add_done_callback(lambda _: seen.append(kept(tmp_path / "many.db")))
    assert kept(tmp_path / "many.db") == []
    held.end()
    assert [one.result(20) for one in asked] == [None] * 5
    store.close()
    assert seen == [["v0", "v1", "v2", "v3", "v4"]] * 5
    assert len(commits) == 2  # of what held it up, and of the five


def test_who_fails_fails_alone_and_nothing_of_it_is_kept(store: Store, tmp_path: Path) -> None:
    def fail() -> None:
        store.keep_visit(visit_of("half"))
        raise ZeroDivisionError

    held = Held(store)
    before = store.keep_together(lambda: store.keep_visit(visit_of("before")))
    failing = store.keep_together(fail, lambda: store.keep_visit(visit_of("instead")))
    after = store.keep_together(lambda: store.keep_visit(visit_of("after")))
    held.end()
    with pytest.raises(ZeroDivisionError):
        failing.result(20)
    assert (before.result(20), after.result(20)) == (None, None)
    assert kept(tmp_path / "many.db") == ["after", "before", "instead"]


def test_what_fails_twice_is_in_nobodys_way_either(store: Store, tmp_path: Path) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    held = Held(store)
    failing = store.keep_together(fail, fail)
    after = store.keep_together(lambda: store.keep_visit(visit_of("after")))
    held.end()
    with pytest.raises(ZeroDivisionError):
        failing.result(20)
    assert after.result(20) is None and kept(tmp_path / "many.db") == ["after"]


def test_a_statement_that_the_database_refuses_fails_its_own_request_only(
    store: Store, tmp_path: Path
) -> None:
    held = Held(store)
    answers = {Item.MEDICATION: GIVEN}
    no_such_visit = store.keep_together(lambda: store.record("unknown", recorded_of(answers)))
    other = store.keep_together(lambda: store.keep_visit(visit_of("other")))
    held.end()
    with pytest.raises(sa.exc.IntegrityError):
        no_such_visit.result(20)
    assert other.result(20) is None and kept(tmp_path / "many.db") == ["other"]


def test_who_does_not_wait_any_more_is_in_nobodys_way(store: Store, tmp_path: Path) -> None:
    held = Held(store)
    gone = store.keep_together(lambda: store.keep_visit(visit_of("gone")))
    other = store.keep_together(lambda: store.keep_visit(visit_of("other")))
    gone.cancel()
    held.end()
    assert other.result(20) is None and kept(tmp_path / "many.db") == ["gone", "other"]


def test_a_database_that_is_gone_fails_all_who_wait_and_the_next_ones(store: Store, tmp_path: Path) -> None:
    held = Held(store)
    asked = [store.keep_together(lambda: store.keep_visit(visit_of("lost"))) for _ in range(3)]
    (tmp_path / "many.db").rename(tmp_path / "away.db")
    held.end()
    for one in (*asked, store.keep_together(lambda: store.keep_visit(visit_of("lost")))):
        with pytest.raises(StoreUnavailable):
            one.result(20)
    (tmp_path / "away.db").rename(tmp_path / "many.db")
    assert store.keep_together(lambda: store.keep_visit(visit_of("back"))).result(20) is None
    assert kept(tmp_path / "many.db") == ["back"]


def test_what_waits_is_kept_before_the_store_closes(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'many.db'}")
    asked = store.keep_together(lambda: store.keep_visit(visit_of("last")))
    store.close()
    assert asked.done() and kept(tmp_path / "many.db") == ["last"]
