"""What the server keeps: visits and their consents; no name, no number, no certificate."""

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from consent.choices import ConsentAnswer, Item
from consent.wire import EligibilityStatus, Method, VisitAnswer

_tables = sa.MetaData()

_visits = sa.Table(
    "visits",
    _tables,
    sa.Column("visit_id", sa.String(64), primary_key=True),
    sa.Column("terminal_id", sa.String(40), nullable=False),
    sa.Column("certificate_sha256", sa.String(64), nullable=False),
    sa.Column("method", sa.String(8), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("profile", sa.String(20), nullable=False),
    sa.Column("questions", sa.JSON, nullable=False),
    # Times are ISO texts, since SQLite forgets the time zone.
    sa.Column("identified_at", sa.String(40), nullable=False),
)

_consents = sa.Table(
    "consents",
    _tables,
    sa.Column("visit_id", sa.ForeignKey("visits.visit_id"), primary_key=True),
    sa.Column("sent", sa.JSON, nullable=False),
    sa.Column("answers", sa.JSON, nullable=False),
    sa.Column("recorded_at", sa.String(40), nullable=False),
    sa.Column("available_until", sa.String(40), nullable=False),
)


class StoreUnusable(Exception):
    """The database cannot be opened."""


class VisitDiffers(Exception):
    """The visit belongs to another terminal or certificate, or is already complete."""


class ConsentsDiffer(Exception):
    """Other consents are already recorded for the visit."""


@dataclass(frozen=True)
class Visit:
    """One identification, as it is kept."""

    visit_id: str
    terminal_id: str
    certificate_sha256: str
    method: Method
    status: EligibilityStatus
    profile: Any
    questions: tuple[Item, ...]
    identified_at: datetime


@dataclass(frozen=True)
class Recorded:
    """The consents of one visit."""

    sent: dict[Item, ConsentAnswer]
    """As the terminal sent them; a retry must be the same."""
    answers: dict[Item, ConsentAnswer]
    recorded_at: datetime
    available_until: datetime


class Store:
    """Keeps visits in a database; safe to use from several threads. Opening raises StoreUnusable."""

    def __init__(self, database: str) -> None:
        self._lock = threading.Lock()
        try:
            self._engine = _engine(database)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            # Not the text: it quotes the URL, and a URL may hold a password.
            raise StoreUnusable(f"unknown kind of database ({type(error).__name__})") from None
        try:
            _tables.create_all(self._engine)
        except sa.exc.SQLAlchemyError as error:
            self._engine.dispose()
            raise StoreUnusable(str(getattr(error, "orig", None) or type(error).__name__)) from None

    def close(self) -> None:
        self._engine.dispose()

    def keep_visit(self, visit: Visit) -> None:
        """Keep an identification; one repeated before the consents came replaces the first. Raises VisitDiffers."""
        row = {
            "visit_id": visit.visit_id,
            "terminal_id": visit.terminal_id,
            "certificate_sha256": visit.certificate_sha256,
            "method": visit.method,
            "status": str(visit.status),
            "profile": visit.profile,
            "questions": [str(item) for item in visit.questions],
            "identified_at": visit.identified_at.isoformat(),
        }
        with self._lock, self._engine.begin() as connection:
            known = self._visit(connection, visit.visit_id)
            if known is None:
                connection.execute(sa.insert(_visits).values(row))
                return
            same = (known.terminal_id, known.certificate_sha256) == (
                visit.terminal_id,
                visit.certificate_sha256,
            )
            if not same or self._recorded(connection, visit.visit_id) is not None:
                raise VisitDiffers
            connection.execute(sa.update(_visits).where(_visits.c.visit_id == visit.visit_id).values(row))

    def visit(self, visit_id: str) -> Visit | None:
        with self._lock, self._engine.connect() as connection:
            return self._visit(connection, visit_id)

    def record(self, visit_id: str, recorded: Recorded) -> Recorded:
        """Record the consents of a known visit once; return what stands. Raises ConsentsDiffer."""
        with self._lock, self._engine.begin() as connection:
            known = self._recorded(connection, visit_id)
            if known is not None:
                if known.sent != recorded.sent:
                    raise ConsentsDiffer
                return known
            connection.execute(
                sa.insert(_consents).values(
                    visit_id=visit_id,
                    sent={str(item): str(answer) for item, answer in recorded.sent.items()},
                    answers={str(item): str(answer) for item, answer in recorded.answers.items()},
                    recorded_at=recorded.recorded_at.isoformat(),
                    available_until=recorded.available_until.isoformat(),
                )
            )
            return recorded

    def records(self, visit_id: str | None = None) -> tuple[VisitAnswer, ...]:
        """Return the records of all visits, or of one, in the order of identification."""
        query = sa.select(_visits.c.visit_id).order_by(_visits.c.identified_at, _visits.c.visit_id)
        if visit_id is not None:
            query = query.where(_visits.c.visit_id == visit_id)
        with self._lock, self._engine.connect() as connection:
            return tuple(self._answer(connection, found) for found in connection.scalars(query).all())

    def _answer(self, connection: sa.Connection, visit_id: str) -> VisitAnswer:
        visit = self._visit(connection, visit_id)
        assert visit is not None
        recorded = self._recorded(connection, visit_id)
        return VisitAnswer(
            visit_id=visit.visit_id,
            terminal_id=visit.terminal_id,
            method=visit.method,
            status=visit.status,
            identified_at=visit.identified_at,
            answers=recorded.answers if recorded else {},
            recorded_at=recorded.recorded_at if recorded else None,
            available_until=recorded.available_until if recorded else None,
        )

    @staticmethod
    def _visit(connection: sa.Connection, visit_id: str) -> Visit | None:
        row = connection.execute(sa.select(_visits).where(_visits.c.visit_id == visit_id)).one_or_none()
        if row is None:
            return None
        return Visit(
            visit_id=row.visit_id,
            terminal_id=row.terminal_id,
            certificate_sha256=row.certificate_sha256,
            method=row.method,
            status=EligibilityStatus(row.status),
            profile=row.profile,
            questions=tuple(Item(item) for item in row.questions),
            identified_at=datetime.fromisoformat(row.identified_at),
        )

    @staticmethod
    def _recorded(connection: sa.Connection, visit_id: str) -> Recorded | None:
        row = connection.execute(sa.select(_consents).where(_consents.c.visit_id == visit_id)).one_or_none()
        if row is None:
            return None
        return Recorded(
            sent={Item(item): ConsentAnswer(answer) for item, answer in row.sent.items()},
            answers={Item(item): ConsentAnswer(answer) for item, answer in row.answers.items()},
            recorded_at=datetime.fromisoformat(row.recorded_at),
            available_until=datetime.fromisoformat(row.available_until),
        )


def _engine(database: str) -> sa.Engine:
    url = sa.make_url(database)
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, hide_parameters=True)
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
    if url.database in (None, "", ":memory:"):
        # Every connection of its own would be a database of its own.
        options["poolclass"] = StaticPool
    engine = sa.create_engine(url, hide_parameters=True, **options)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Let readers read while one writes, and wait for another process's lock instead of failing."""
    for pragma in ("journal_mode=WAL", "busy_timeout=5000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
