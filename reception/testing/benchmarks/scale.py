"""How one server's cost grows: with terminals, and with the visits that it has stored; on a PostgreSQL of our own.

The terminals are those of ``bench server``. Stored visits are invented by the database itself, spread over two hundred
terminals and two years, so that ten million of them take minutes and not days.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from config.person import load_person
from consent.server.certificates import Authority
from consent.server.retention import forget_before
from consent.server.store import Store
from consent.server.tables import audit, consents, open_engine, visits
from consent.wire import japan_now
from hardware.simulation.pcscd import BenchError
from reception.testing.benchmarks.postgres import OwnPostgres, programs
from reception.testing.benchmarks.server import PERSON, percentile, playing_server

Say = Callable[[str], None]
TERMINALS = (1, 5, 20, 50, 200)
STORED = (1_000, 10_000, 100_000, 1_000_000)
WORKERS = 2
DAYS = 730
"""Over so many days the stored visits are spread."""
OF_TERMINALS = 200
BUSY = 20
"""Terminals at work while the stored visits are what is looked at."""
LOOKS = 20

_INVENTED = """
INSERT INTO visits (visit_id, terminal_id, certificate_sha256, method, standing, status, profile, facility,
    facility_kind, institution_code, card_use_offered, questions, subsidies, identified_at)
SELECT 'scale-' || n, 'scale-' || n % :terminals, lpad(to_hex(n % (:last / 4 + 1)), 64, '0'), 'pin', 'valid', 'valid',
    'current', '{}', 'clinic', '1312345670', false, '["MEDICATION", "HEALTH_CHECKUP"]', '[]',
    to_char(CAST(:began AS timestamp) + n % :days * INTERVAL '1 day' + n % 86400 * INTERVAL '1 second',
        'YYYY-MM-DD"T"HH24:MI:SS.US+09:00')
FROM generate_series(CAST(:first AS bigint), :last) AS n
"""
_CONSENTED = """
INSERT INTO consents (visit_id, sent, answers, subsidies, recorded_at, available_until)
SELECT visit_id, '{"MEDICATION": "given", "HEALTH_CHECKUP": "declined"}',
    '{"MEDICATION": "given", "DIAGNOSIS": "given", "HEALTH_CHECKUP": "declined"}', '{}', identified_at, identified_at
FROM visits WHERE visit_id LIKE 'scale-%' ON CONFLICT DO NOTHING
"""
_AUDITED = """
INSERT INTO audit (time, terminal_id, action, outcome, visit_id, staff, reason)
SELECT visits.identified_at, visits.terminal_id, action, 'ok', visits.visit_id, '', ''
FROM visits CROSS JOIN (VALUES ('identification'), ('consents')) AS done (action)
WHERE visit_id LIKE 'scale-%' AND NOT EXISTS (SELECT FROM audit WHERE audit.visit_id = visits.visit_id)
"""


def scale(
    state: Path,
    seconds: float,
    say: Say,
    terminals: Sequence[int] = TERMINALS,
    stored: Sequence[int] = STORED,
) -> list[dict[str, Any]]:
    """Measure, say and return both series. Raises BenchError without PostgreSQL."""
    if programs() is None:
        raise BenchError("PostgreSQL is not installed; the Debian package is postgresql")
    _enrol(state, max(*terminals, BUSY))
    say(f"PostgreSQL, {WORKERS} processes of the server, {os.cpu_count()} cores for all, {seconds:g} s each")
    figures: list[dict[str, Any]] = []
    with OwnPostgres() as postgres, playing_server(state, postgres.url(), WORKERS) as play:
        database = postgres.url()
        for count in terminals:
            figures.append({"what": "terminals", "terminals": count} | _load(play, count, seconds))
            say(_load_line(f"{count:>10,} terminals", figures[-1]))
        for count in stored:
            took = _fill(database, count)
            figures.append({"what": "stored", "stored": count, "invented_in_s": took})
            figures[-1] |= _looked_at(database) | _load(play, BUSY, seconds)
            say(_load_line(f"{count:>10,} stored", figures[-1]))
            say(_size_line(figures[-1]))
        for line in figures[-1]["plans"]:
            say(f"    {line}")
        figures.append({"what": "retention"} | _forgotten(database))
        say(_forgotten_line(figures[-1]))
    return figures


def _enrol(state: Path, terminals: int) -> None:
    authority = Authority(state)
    authority.issue(load_person(PERSON))
    for number in range(terminals):
        authority.enrol_terminal(f"bench-{number}")


def _load(play: Callable[[int, float], dict[str, Any]], terminals: int, seconds: float) -> dict[str, Any]:
    played = play(terminals, seconds)
    times = sorted(played["ms"])
    return {
        "visits_per_s": round(len(times) / seconds, 1),
        "p50_ms": percentile(times, 50),
        "p99_ms": percentile(times, 99),
        "errors": played["errors"],
        "server_ms_a_visit": played["server_ms_a_visit"],
    }


def _load_line(of: str, figure: dict[str, Any]) -> str:
    return (
        f"{of}: {figure['visits_per_s']} visits/s, p50 {figure['p50_ms']} ms, p99 {figure['p99_ms']} ms, "
        f"errors {figure['errors']}; {figure['server_ms_a_visit']} ms of the server a visit"
    )


# --- Stored visits --------------------------------------------------------------------------------------------------


def _fill(database: str, count: int) -> float:
    """Bring the invented visits to ``count``; return how long that took (s)."""
    engine, began = open_engine(database), time.monotonic()
    with engine.begin() as connection:
        there = connection.scalar(
            sa.select(sa.func.count()).select_from(visits).where(visits.c.visit_id.startswith("scale-"))
        )
        start = japan_now() - timedelta(days=DAYS)
        given = {"first": (there or 0) + 1, "last": count, "began": start.replace(tzinfo=None), "days": DAYS}
        connection.execute(sa.text(_INVENTED), given | {"terminals": OF_TERMINALS})
        connection.execute(sa.text(_CONSENTED))
        connection.execute(sa.text(_AUDITED))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    engine.dispose()
    return round(time.monotonic() - began, 1)


def _looked_at(database: str) -> dict[str, Any]:
    """Return sizes in bytes, the time of each question that grows with what is stored, and how it is answered."""
    engine, store = open_engine(database), Store(database)
    with ExitStack() as ends:
        ends.callback(engine.dispose)
        ends.callback(store.close)
        with engine.connect() as connection:
            sizes = {table.name: _size(connection, table.name) for table in (visits, consents, audit)}
            plans = _plans(connection)
        certificate = f"{7:064x}"
        looks: dict[str, Callable[[], object]] = {
            "a terminal's page": lambda: store.records("scale-7"),
            "one visit": lambda: store.visit_record("scale-7"),
            "a person's consents": lambda: store.consents_of([certificate], "1312345670"),
            "newest of the audit": store.audit,
        }
        return {
            "bytes": sizes,
            "ms": {what: _median_ms(look) for what, look in looks.items()},
            "plans": plans,
        }


def _size(connection: sa.Connection, table: str) -> list[int]:
    """Return the bytes of a table's rows, and of its indexes."""
    both = sa.text("SELECT pg_table_size(CAST(:name AS regclass)), pg_indexes_size(CAST(:name AS regclass))")
    return list(connection.execute(both, {"name": table}).one())


def _plans(connection: sa.Connection) -> list[str]:
    """Return PostgreSQL's plan of each question that must not read a whole table."""
    page = (
        sa.select(visits)
        .outerjoin(consents)
        .where(visits.c.terminal_id == "scale-7", visits.c.identified_at >= "2026")
        .order_by(visits.c.identified_at, visits.c.visit_id)
        .limit(200)
    )
    person = (
        sa.select(consents)
        .join(visits)
        .where(visits.c.certificate_sha256 == f"{7:064x}", visits.c.institution_code == "1312345670")
    )
    found = []
    for what, query in (("a terminal's page", page), ("a person's consents", person)):
        text = query.compile(connection, compile_kwargs={"literal_binds": True})
        rows = connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {text}".replace("%", "%%")).scalars()
        used = [row.strip().removeprefix("->").strip() for row in rows if "Scan" in row]
        found.append(f"{what}: {'; '.join(used)}")
    return found


def _median_ms(look: Callable[[], object]) -> float:
    times = []
    for _ in range(LOOKS):
        began = time.monotonic()
        look()
        times.append((time.monotonic() - began) * 1000)
    return percentile(sorted(times), 50)


def _size_line(figure: dict[str, Any]) -> str:
    sizes = ", ".join(
        f"{name} {rows / 1e6:,.1f} + {indexes / 1e6:,.1f} MB"
        for name, (rows, indexes) in figure["bytes"].items()
    )
    looks = ", ".join(f"{what} {ms} ms" for what, ms in figure["ms"].items())
    return f"    rows + indexes: {sizes}; {looks}"


def _forgotten(database: str) -> dict[str, Any]:
    """Forget the oldest day as ``./run forget`` does every night; return what that took."""
    engine = open_engine(database)
    try:
        began = time.monotonic()
        forgotten = forget_before(engine, japan_now() - timedelta(days=DAYS - 1))
        return {"visits": forgotten, "s": round(time.monotonic() - began, 2)}
    finally:
        engine.dispose()


def _forgotten_line(figure: dict[str, Any]) -> str:
    return f"the oldest day forgotten (./run forget): {figure['visits']:,} visits in {figure['s']} s"
