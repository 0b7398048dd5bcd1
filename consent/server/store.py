"""What the server keeps: visits, consents, registrations, audit; no name, no insured number, no certificate."""

import threading
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from config import Consents, Profile
from consent.choices import (
    ConsentAnswer,
    EligibilityStatus,
    FacilityKind,
    Item,
    PrescriptionForm,
    Standing,
)
from consent.wire import AuditEntry, Method, VisitAnswer

_tables = sa.MetaData()

_visits = sa.Table(
    "visits",
    _tables,
    sa.Column("visit_id", sa.String(64), primary_key=True),
    sa.Column("terminal_id", sa.String(40), nullable=False),
    sa.Column("certificate_sha256", sa.String(64), nullable=False),
    sa.Column("method", sa.String(8), nullable=False),
    sa.Column("standing", sa.String(20), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("profile", sa.String(20), nullable=False),
    sa.Column("facility", sa.JSON, nullable=False),
    sa.Column("facility_kind", sa.String(10), nullable=False),
    sa.Column("institution_code", sa.String(10), nullable=False),
    sa.Column("card_use_offered", sa.Boolean, nullable=False),
    sa.Column("card_use", sa.String(10), nullable=True),
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
    sa.Column("prescription", sa.String(10), nullable=True),
    sa.Column("recorded_at", sa.String(40), nullable=False),
    sa.Column("available_until", sa.String(40), nullable=False),
)

# A person goes by the name of the person file here: the server's own number for somebody.
_card_uses = sa.Table("card_uses", _tables, sa.Column("person_id", sa.String(255), primary_key=True))

_references = sa.Table(
    "references",
    _tables,
    sa.Column("institution_code", sa.String(10), primary_key=True),
    sa.Column("person_id", sa.String(255), primary_key=True),
    sa.Column("reference_number", sa.String(50), nullable=False),
)

_audit = sa.Table(
    "audit",
    _tables,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("terminal_id", sa.String(40), nullable=False),
    sa.Column("action", sa.String(20), nullable=False),
    sa.Column("outcome", sa.String(64), nullable=False),
    sa.Column("visit_id", sa.String(64), nullable=False),
    sa.Column("staff", sa.String(40), nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
)

MOST_LISTED = 1000
"""Visits and audit entries are listed at most so many at a time, the newest ones."""


class StoreUnusable(Exception):
    """The database cannot be opened."""


class VisitDiffers(Exception):
    """The visit belongs to another terminal or certificate, or is already complete."""


class ConsentsDiffer(Exception):
    """Other consents are already recorded for the visit."""


class CardUseDiffers(Exception):
    """The offer of card-use registration was answered otherwise before."""


@dataclass(frozen=True)
class Visit:
    """One identification, as it is kept."""

    visit_id: str
    terminal_id: str
    certificate_sha256: str
    method: Method
    standing: Standing
    status: EligibilityStatus
    profile: Profile
    facility: Consents
    facility_kind: FacilityKind
    institution_code: str
    card_use_offered: bool
    card_use: ConsentAnswer | None
    questions: tuple[Item, ...]
    identified_at: datetime


@dataclass(frozen=True)
class Recorded:
    """The consents of one visit."""

    sent: dict[Item, ConsentAnswer]
    """As the terminal sent them; a retry must be the same."""
    answers: dict[Item, ConsentAnswer]
    prescription: PrescriptionForm | None
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
            _check_columns(self._engine)
        except sa.exc.SQLAlchemyError as error:
            self._engine.dispose()
            raise StoreUnusable(str(getattr(error, "orig", None) or type(error).__name__)) from None

    def close(self) -> None:
        self._engine.dispose()

    def keep_visit(self, visit: Visit) -> None:
        """Keep an identification; one repeated before the consents came replaces the first. Raises VisitDiffers."""
        row = _row(visit)
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
                if (known.sent, known.prescription) != (recorded.sent, recorded.prescription):
                    raise ConsentsDiffer
                return known
            connection.execute(
                sa.insert(_consents).values(
                    visit_id=visit_id,
                    sent={str(item): str(answer) for item, answer in recorded.sent.items()},
                    answers={str(item): str(answer) for item, answer in recorded.answers.items()},
                    prescription=recorded.prescription,
                    recorded_at=recorded.recorded_at.isoformat(),
                    available_until=recorded.available_until.isoformat(),
                )
            )
            return recorded

    def answer_card_use(self, visit: Visit, answer: ConsentAnswer, registered: Visit, person_id: str) -> None:
        """Keep the answer to the offer once; ``registered`` is the visit after a yes. Raises CardUseDiffers."""
        after = replace(registered if answer is ConsentAnswer.GIVEN else visit, card_use=answer)
        with self._lock, self._engine.begin() as connection:
            known = self._visit(connection, visit.visit_id)
            assert known is not None
            if known.card_use is answer:
                return
            if known.card_use is not None:
                raise CardUseDiffers
            connection.execute(
                sa.update(_visits).where(_visits.c.visit_id == visit.visit_id).values(_row(after))
            )
            if answer is ConsentAnswer.GIVEN and not self._uses_card(connection, person_id):
                connection.execute(sa.insert(_card_uses).values(person_id=person_id))

    def uses_card(self, person_id: str) -> bool:
        """Say whether the person registered the card's use here."""
        with self._lock, self._engine.connect() as connection:
            return self._uses_card(connection, person_id)

    def keep_reference(self, institution_code: str, person_id: str, reference_number: str) -> None:
        """Keep an institution's chart number of a person, in place of an earlier one."""
        key = {"institution_code": institution_code, "person_id": person_id}
        with self._lock, self._engine.begin() as connection:
            connection.execute(sa.delete(_references).where(*_same(_references, key)))
            connection.execute(sa.insert(_references).values(**key, reference_number=reference_number))

    def reference(self, institution_code: str, person_id: str) -> str:
        """Return an institution's chart number of a person; empty when there is none."""
        key = {"institution_code": institution_code, "person_id": person_id}
        query = sa.select(_references.c.reference_number).where(*_same(_references, key))
        with self._lock, self._engine.connect() as connection:
            return connection.scalar(query) or ""

    def note(self, entry: AuditEntry) -> None:
        """Add an entry to the audit log; its number is given here."""
        row = entry.model_dump(exclude={"number"}) | {"time": entry.time.isoformat()}
        with self._lock, self._engine.begin() as connection:
            connection.execute(sa.insert(_audit).values(row))

    def audit(self) -> tuple[AuditEntry, ...]:
        """Return the newest entries, oldest first."""
        query = sa.select(_audit).order_by(_audit.c.number.desc()).limit(MOST_LISTED)
        with self._lock, self._engine.connect() as connection:
            rows = [row._asdict() for row in connection.execute(query)]
        return tuple(
            AuditEntry(**row | {"time": datetime.fromisoformat(row["time"])}) for row in reversed(rows)
        )

    def records(self) -> tuple[VisitAnswer, ...]:
        """Return the records of the newest visits, in the order of identification."""
        order = (_visits.c.identified_at.desc(), _visits.c.visit_id.desc())
        query = sa.select(_visits.c.visit_id).order_by(*order).limit(MOST_LISTED)
        with self._lock, self._engine.connect() as connection:
            found = reversed(connection.scalars(query).all())
            return tuple(self._answer(connection, visit_id) for visit_id in found)

    def visit_record(self, visit_id: str) -> VisitAnswer | None:
        """Return the record of one visit."""
        with self._lock, self._engine.connect() as connection:
            known = self._visit(connection, visit_id)
            return None if known is None else self._answer(connection, visit_id)

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
            card_use=visit.card_use,
            answers=recorded.answers if recorded else {},
            prescription=recorded.prescription if recorded else None,
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
            standing=Standing(row.standing),
            status=EligibilityStatus(row.status),
            profile=row.profile,
            facility=Consents(**row.facility),
            facility_kind=row.facility_kind,
            institution_code=row.institution_code,
            card_use_offered=row.card_use_offered,
            card_use=ConsentAnswer(row.card_use) if row.card_use else None,
            questions=tuple(Item(item) for item in row.questions),
            identified_at=datetime.fromisoformat(row.identified_at),
        )

    @staticmethod
    def _uses_card(connection: sa.Connection, person_id: str) -> bool:
        query = sa.select(_card_uses.c.person_id).where(_card_uses.c.person_id == person_id)
        return connection.scalar(query) is not None

    @staticmethod
    def _recorded(connection: sa.Connection, visit_id: str) -> Recorded | None:
        row = connection.execute(sa.select(_consents).where(_consents.c.visit_id == visit_id)).one_or_none()
        if row is None:
            return None
        return Recorded(
            sent={Item(item): ConsentAnswer(answer) for item, answer in row.sent.items()},
            answers={Item(item): ConsentAnswer(answer) for item, answer in row.answers.items()},
            prescription=PrescriptionForm(row.prescription) if row.prescription else None,
            recorded_at=datetime.fromisoformat(row.recorded_at),
            available_until=datetime.fromisoformat(row.available_until),
        )


def _row(visit: Visit) -> dict[str, Any]:
    return vars(visit) | {
        "facility": asdict(visit.facility),
        "questions": [str(item) for item in visit.questions],
        "identified_at": visit.identified_at.isoformat(),
    }


def _same(table: sa.Table, key: dict[str, str]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in key.items()]


def _check_columns(engine: sa.Engine) -> None:
    """Refuse a database whose tables are of another version of this program."""
    found = sa.inspect(engine)
    for table in _tables.sorted_tables:
        if {column["name"] for column in found.get_columns(table.name)} != set(table.columns.keys()):
            engine.dispose()
            raise StoreUnusable("it was made by another version; take another one, or remove it")


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
