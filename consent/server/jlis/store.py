"""What J-LIS and the platform operator keep, in one database with a prefix each; the operator keeps no attribute."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date, datetime
from typing import Any, cast

import sqlalchemy as sa

from consent.attributes.rules import RevocationReason
from consent.server.life import Act, ActKind, Medium
from consent.server.tables import StoreUnavailable, StoreUnusable, alone, available, bare_engine

parties = sa.MetaData()

acts = sa.Table(
    "jlis_acts",
    parties,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("person", sa.String(255), nullable=False, index=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("medium", sa.String(10), nullable=False),
    sa.Column("reason", sa.String(20), nullable=False),
    sa.Column("expires", sa.String(10), nullable=True),
)
"""What was done to certificates, in its order."""

signers = sa.Table(
    "jlis_signers",
    parties,
    sa.Column("serial", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(255), nullable=False, index=True),
    sa.Column("issued_at", sa.String(40), nullable=False),
    sa.Column("ended_at", sa.String(40), nullable=True),
    sa.Column("reason", sa.String(40), nullable=True),
)
"""Signature certificates; a holder's newest one without an end is the valid one."""

residents = sa.Table(
    "jlis_residents",
    parties,
    sa.Column("holder", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("address", sa.String(300), nullable=False),
    sa.Column("birth_date", sa.String(10), nullable=False),
    sa.Column("sex", sa.String(2), nullable=False),
)

consents = sa.Table(
    "jlis_consents",
    parties,
    sa.Column("consent_id", sa.String(64), primary_key=True),
    sa.Column("provider", sa.String(10), nullable=False),
    sa.Column("holder", sa.String(255), nullable=False),
    sa.Column("items", sa.JSON, nullable=False),
    sa.Column("text_version", sa.String(20), nullable=False),
    sa.Column("received_at", sa.String(40), nullable=False),
    sa.Column("withdrawn_at", sa.String(40), nullable=True),
)

deliveries = sa.Table(
    "jlis_deliveries",
    parties,
    sa.Column("match_id", sa.String(64), primary_key=True),
    sa.Column("provider", sa.String(10), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("asked", sa.Integer, nullable=False),
)
"""What is charged: one row for a case, however often its question came."""

customers = sa.Table(
    "operator_customers",
    parties,
    sa.Column("provider", sa.String(10), primary_key=True),
    sa.Column("customer", sa.String(64), primary_key=True),
    sa.Column("consent_id", sa.String(64), nullable=False),
    sa.Column("serial", sa.String(64), nullable=False, index=True),
)

matches = sa.Table(
    "operator_matches",
    parties,
    sa.Column("match_id", sa.String(64), primary_key=True),
    sa.Column("provider", sa.String(10), nullable=False),
    sa.Column("customer", sa.String(64), nullable=False),
    sa.Column("serial", sa.String(64), nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
    sa.UniqueConstraint("provider", "customer", "serial"),
)

invitations = sa.Table(
    "operator_invitations",
    parties,
    sa.Column("token", sa.String(64), primary_key=True),
    sa.Column("consent_id", sa.String(64), nullable=False, unique=True),
    sa.Column("provider", sa.String(10), nullable=False),
    sa.Column("customer", sa.String(64), nullable=False),
    sa.Column("items", sa.JSON, nullable=False),
    sa.Column("text_version", sa.String(20), nullable=False),
    sa.Column("expires_at", sa.String(40), nullable=False),
)


class PartiesStore:
    """Keeps what both parties know; safe to use from several threads. Opening raises StoreUnusable."""

    def __init__(self, database: str) -> None:
        try:
            self._engine = bare_engine(database)
            with self._engine.execution_options(writes=True).begin() as connection:
                alone(connection)
                parties.create_all(connection)
        except sa.exc.SQLAlchemyError as error:
            raise StoreUnusable(str(type(error).__name__)) from None
        self._writer = self._engine.execution_options(writes=True)
        sqlite_here = self._engine.dialect.name == "sqlite"
        self._turn = threading.RLock() if sqlite_here else nullcontext()
        self._asking = self._turn if sqlite_here else threading.Lock()
        self._watch: sa.Connection | None = None
        self._errors: type[Exception] = self._engine.dialect.loaded_dbapi.Error

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Look things up in one transaction. Raises StoreUnavailable."""
        with available(), self._turn, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Change things, all or none. Raises StoreUnavailable."""
        with available(), self._turn, self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let the database go."""
        if self._watch:
            self._watch.close()
        self._engine.dispose()

    # --- Acts ---------------------------------------------------------------------------------------------------

    def version(self) -> int:
        """Return the number of the last act. Raises StoreUnavailable."""
        with available(), self._asking:
            if self._watch is not None:
                try:
                    return _newest(self._watch)
                except self._errors:
                    # The database may have been restarted since the last time.
                    watch, self._watch = self._watch, None
                    watch.invalidate()
            self._watch = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                return _newest(self._watch)
            except self._errors as error:
                self._watch = None
                raise StoreUnavailable(type(error).__name__) from None

    def acts_of(self, person: str) -> tuple[Act, ...]:
        """Return what was done to a person's certificates, oldest first."""
        with self.reading() as connection:
            query = sa.select(acts).where(acts.c.person == person).order_by(acts.c.number)
            return tuple(_act(row) for row in connection.execute(query))

    def persons_acted_on(self, after: int) -> tuple[str, ...]:
        """Return whose certificates something was done to after an act."""
        with self.reading() as connection:
            query = sa.select(acts.c.person).where(acts.c.number > after).distinct()
            return tuple(connection.scalars(query))


def _newest(connection: sa.Connection) -> int:
    """Ask the driver itself: this is asked several times a visit, and SQLAlchemy takes longer than the database."""
    driver: Any = connection.connection.driver_connection
    (number,) = driver.execute("SELECT max(number) FROM jlis_acts").fetchone()
    return number or 0


def insert_act(connection: sa.Connection, act: Act) -> None:
    """Write an act down."""
    connection.execute(
        sa.insert(acts),
        {
            "at": act.at.isoformat(),
            "person": act.person,
            "kind": act.kind,
            "medium": act.medium,
            "reason": act.reason,
            "expires": act.expires.isoformat() if act.expires else None,
        },
    )


def insert_signers(connection: sa.Connection, rows: Iterable[tuple[str, str, datetime]]) -> None:
    """Add signature certificates: serial, holder, when it was issued."""
    given = [{"serial": serial, "holder": holder, "issued_at": at.isoformat()} for serial, holder, at in rows]
    if given:
        connection.execute(sa.insert(signers), given)


def end_signers(
    connection: sa.Connection, holders: Sequence[str], reason: RevocationReason, at: datetime
) -> None:
    """End the valid signature certificates of these holders; one that is on hold can end for good."""
    open_ones = signers.c.ended_at.is_(None) | (signers.c.reason == RevocationReason.HOLD)
    connection.execute(
        sa.update(signers)
        .where(signers.c.holder.in_(holders), open_ones)
        .values(ended_at=at.isoformat(), reason=str(reason))
    )


def _act(row: Any) -> Act:
    return Act(
        datetime.fromisoformat(row.at),
        row.person,
        cast(ActKind, row.kind),
        cast(Medium, row.medium),
        row.reason,
        date.fromisoformat(row.expires) if row.expires else None,
    )
