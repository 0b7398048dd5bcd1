"""The server on PostgreSQL: the same behaviour as on SQLite, many at once, and a database that goes and comes."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from consent.choices import ConsentAnswer, Item
from consent.eligibility import EligibilityError, Refused, Unreachable
from consent.server import DatabaseUnusable, EligibilityServer
from consent.server.certificates import Authority
from consent.server.store import ConsentsDiffer, Store
from reception.testing.benchmarks.postgres import OwnPostgres, programs

# The same tests, with the fixtures of this module.
from tests.integration.test_server import (  # noqa: F401
    ON_HOLD,
    REVOKED,
    UNKNOWN,
    other_authority,
    test_a_certificate_of_another_authority_is_refused,
    test_a_certificate_that_must_not_pass_is_refused,
    test_a_challenge_expires_after_two_minutes,
    test_a_challenge_is_spent_by_a_failed_try_too,
    test_a_challenge_of_another_terminal_is_unknown_and_stays_good_for_its_owner,
    test_a_long_past_challenge_is_forgotten,
    test_a_stopped_server_starts_again_on_its_port_and_remembers,
    test_each_challenge_serves_once,
    test_the_list_of_visits_holds_answers_and_nothing_personal,
    test_the_other_wrong_requests_have_codes_too,
)
from tests.integration.test_server_operation import test_changing_an_answer_takes_the_card_again  # noqa: F401
from tests.support.servers import HANAKO, Bench, bench, whole
from tests.unit.consent.test_store import recorded_of, visit_of

pytestmark = pytest.mark.skipif(
    programs() is None, reason="PostgreSQL is not installed (Debian package postgresql)"
)
GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with OwnPostgres(durable=False) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


_numbers = itertools.count()


@pytest.fixture
def database(postgres: OwnPostgres) -> str:
    return postgres.create(f"test{next(_numbers)}")


@pytest.fixture(scope="module")
def shared(postgres: OwnPostgres) -> str:
    return postgres.create("shared")


@pytest.fixture
def running(authority: Authority, shared: str) -> Iterator[Bench]:
    with bench(authority, HANAKO, REVOKED, ON_HOLD, UNKNOWN, database=shared) as made:
        yield made
    engine = sa.create_engine(shared)
    with engine.begin() as connection:
        connection.execute(sa.text('TRUNCATE visits, consents, card_uses, "references", audit'))
    engine.dispose()


def test_two_servers_of_one_database_are_one_to_the_terminals(authority: Authority, database: str) -> None:
    with bench(authority, database=database) as one, bench(authority, database=database) as two:
        first, second = one.client(), two.client()
        challenge = first.challenge()
        second.identify_by_face("visit-1", challenge, two.certificate(), 0.3)
        with pytest.raises(Refused, match="CHALLENGE_USED"):
            first.identify_by_face("visit-1", challenge, one.certificate(), 0.3)
        receipt = first.send_consents("visit-1", whole(MEDICATION=GIVEN))
        assert second.send_consents("visit-1", whole(MEDICATION=GIVEN)) == receipt


def test_consents_sent_many_times_at_once_are_recorded_once(database: str) -> None:
    """By two stores with connections of their own, as two processes have."""
    stores = [Store(database), Store(database)]
    try:
        stores[0].keep_visit(visit_of("visit-1"))
        answers = [GIVEN, DECLINED] * 10

        def send(number: int, answer: ConsentAnswer) -> object:
            try:
                return (
                    stores[number % 2].record("visit-1", recorded_of({Item.MEDICATION: answer}, number)).sent
                )
            except ConsentsDiffer:
                return "differs"

        with ThreadPoolExecutor(20) as threads:
            outcomes = list(threads.map(send, range(20), answers))
        stands = stores[0].visit_record("visit-1")
        assert stands is not None
        for answer, outcome in zip(answers, outcomes, strict=True):
            same = stands.answers[Item.MEDICATION] is answer
            assert outcome == ({Item.MEDICATION: answer} if same else "differs")
    finally:
        for store in stores:
            store.close()


def test_a_visit_identified_many_times_at_once_is_kept_once(database: str) -> None:
    store = Store(database)
    try:
        with ThreadPoolExecutor(10) as threads:
            list(threads.map(store.keep_visit, [visit_of("visit-1")] * 30))
        assert [visit.visit_id for visit in store.records("terminal-1")] == ["visit-1"]
    finally:
        store.close()


def test_several_servers_can_open_a_new_database_at_once(database: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(Store, [database] * 4))
    assert len({store.challenge_key() for store in stores}) == 1
    for store in stores:
        store.close()


def test_a_password_for_the_database_is_never_told(authority: Authority) -> None:
    server = EligibilityServer(
        [HANAKO], authority, database="postgresql+psycopg://x:geheim@/none?host=/nowhere"
    )
    with pytest.raises(DatabaseUnusable) as refused:
        server.start()
    assert "geheim" not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.expected_log("the database does not answer")
def test_a_database_that_stops_and_starts_under_load_loses_and_doubles_nothing(authority: Authority) -> None:
    """Terminals go on with whole visits meanwhile; what was acknowledged stands, once, as it was sent."""
    acknowledged: dict[str, ConsentAnswer] = {}
    wrong: list[str] = []
    after_restart = threading.Event()
    enough = threading.Semaphore(0)

    def one_visit(client: Any, made: Bench, visit: str, answer: ConsentAnswer) -> None:
        try:
            client.identify_by_face(visit, client.challenge(), made.certificate(), 0.3)
            client.send_consents(visit, whole(MEDICATION=answer))
        except Unreachable:
            return
        except EligibilityError as error:
            wrong.append(f"{visit}: {error!r}")
            return
        acknowledged[visit] = answer
        enough.release()

    def terminal(client: Any, made: Bench, number: int, stop: threading.Event) -> None:
        for visit in itertools.count():
            if stop.is_set():
                return
            one_visit(client, made, f"v-{number}-{visit}", (GIVEN, DECLINED)[visit % 2])

    with OwnPostgres(durable=True) as postgres, bench(authority, database=postgres.url()) as made:
        stop = threading.Event()
        clients = [made.client(f"terminal-{number}", budget_s=3.0) for number in range(4)]
        threads = [
            threading.Thread(target=terminal, args=(client, made, number, stop))
            for number, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        try:
            for gently in (True, False):
                assert all(enough.acquire(timeout=20) for _ in range(4))
                postgres.stop(at_once=gently)
                health = clients[0].health()
                postgres.start()
                assert health
                while enough.acquire(blocking=False):
                    pass
            after_restart.set()
            assert all(enough.acquire(timeout=20) for _ in range(4))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert wrong == []
        record = {visit.visit_id: visit for visit in _store_records(postgres.url())}
        for visit, answer in acknowledged.items():
            assert record[visit].answers[Item.MEDICATION] is answer


def _store_records(database: str) -> tuple[Any, ...]:
    store = Store(database)
    try:
        return store.records("terminal-1")
    finally:
        store.close()


def test_a_restored_backup_answers_the_same(postgres: OwnPostgres, database: str, tmp_path: Path) -> None:
    store = Store(database)
    store.keep_visit(visit_of("visit-1"))
    store.record("visit-1", recorded_of({Item.MEDICATION: GIVEN}))
    before = (store.records("terminal-1"), store.challenge_key())
    name = database.rpartition("/")[2].partition("?")[0]
    dump = f"{name}.dump"
    postgres.run("pg_dump", "-Fc", "-f", dump, name)
    store.close()
    restored = postgres.create(f"{name}restored")
    postgres.run("pg_restore", "-d", f"{name}restored", dump)
    again = Store(restored)
    assert (again.records("terminal-1"), again.challenge_key()) == before
    again.close()
