"""The server on PostgreSQL: many at once, and a database that goes and comes."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consent.choices import ConsentAnswer, Item
from consent.eligibility import Refused
from consent.server import DatabaseUnusable, EligibilityServer
from consent.server.certificates import Authority
from consent.server.jlis.store import PartiesStore
from consent.server.store import ConsentsDiffer, Store
from reception.testing.benchmarks.postgres import OwnPostgres
from tests.support.load import Load
from tests.support.servers import HANAKO, bench, recorded_of, visit_of, whole

pytestmark = pytest.mark.usefixtures("postgres")
GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED


_numbers = itertools.count()


@pytest.fixture
def database(postgres: OwnPostgres) -> str:
    return postgres.create(f"test{next(_numbers)}")


def test_two_servers_of_one_database_are_one_to_the_terminals(authority: Authority, database: str) -> None:
    with bench(authority, database=database) as one, bench(authority, database=database) as two:
        first, second = one.client(), two.client()
        challenge = first.challenge()
        second.identify_by_face("visit-1", challenge, two.certificate(), 0.3)
        with pytest.raises(Refused, match="CHALLENGE_USED"):
            first.identify_by_face("visit-1", challenge, one.certificate(), 0.3)
        receipt = first.send_consents("visit-1", whole(MEDICATION=GIVEN))
        assert second.send_consents("visit-1", whole(MEDICATION=GIVEN)) == receipt


@pytest.mark.parametrize("kind", [Store, PartiesStore])
def test_a_new_database_is_opened_by_eight_processes_at_once(
    kind: Callable[[str], Store | PartiesStore], database: str
) -> None:
    """By as many engines with connections of their own, as processes have."""
    with ThreadPoolExecutor(8) as threads:
        for store in threads.map(kind, [database] * 8):
            store.close()


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
    with OwnPostgres(durable=True) as postgres, bench(authority, database=postgres.url()) as made:
        clients = [made.client(f"terminal-{number}", budget_s=3.0) for number in range(4)]
        with Load(clients, made.certificate()) as load:
            for gently in (True, False):
                load.wait_for(4)
                postgres.stop(at_once=gently)
                health = clients[0].health()
                postgres.start()
                assert health
            load.wait_for(4)
        load.check(postgres.url())


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
