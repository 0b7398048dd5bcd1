"""The tables as this version has them, and the databases that hold them: SQLite, or PostgreSQL.

A database of an earlier version is brought up to date when it is opened (``migrations/``, Alembic). A table or column
that changes here needs a migration there; a test compares the two.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

tables = sa.MetaData()

visits = sa.Table(
    "visits",
    tables,
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
    # What stands for each certificate that is asked for; empty in rows of an earlier version.
    sa.Column("subsidies", sa.JSON, nullable=False, server_default="[]"),
    # Times are ISO texts, since SQLite forgets the time zone.
    sa.Column("identified_at", sa.String(40), nullable=False),
    sa.Index("ix_visits_of_terminal", "terminal_id", "identified_at"),
    sa.Index("ix_visits_of_certificate", "certificate_sha256"),
)

consents = sa.Table(
    "consents",
    tables,
    sa.Column("visit_id", sa.ForeignKey("visits.visit_id"), primary_key=True),
    sa.Column("sent", sa.JSON, nullable=False),
    sa.Column("answers", sa.JSON, nullable=False),
    sa.Column("subsidies", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("prescription", sa.String(10), nullable=True),
    sa.Column("recorded_at", sa.String(40), nullable=False),
    sa.Column("available_until", sa.String(40), nullable=False),
)

# A person goes by the name of the person file here: the server's own number for somebody.
card_uses = sa.Table("card_uses", tables, sa.Column("person_id", sa.String(255), primary_key=True))

references = sa.Table(
    "references",
    tables,
    sa.Column("institution_code", sa.String(10), primary_key=True),
    sa.Column("person_id", sa.String(255), primary_key=True),
    sa.Column("reference_number", sa.String(50), nullable=False),
    # Of the kana at the registration; empty in rows of an earlier version.
    sa.Column("kana_digest", sa.String(64), nullable=False, server_default=""),
)

audit = sa.Table(
    "audit",
    tables,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("terminal_id", sa.String(40), nullable=False),
    sa.Column("action", sa.String(20), nullable=False),
    sa.Column("outcome", sa.String(64), nullable=False),
    sa.Column("visit_id", sa.String(64), nullable=False),
    sa.Column("staff", sa.String(40), nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
)

# One row: the key by which all processes of one database know their challenges again.
challenge_keys = sa.Table(
    "challenge_keys",
    tables,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(64), nullable=False),
)

spent_challenges = sa.Table(
    "spent_challenges",
    tables,
    sa.Column("challenge_id", sa.String(64), primary_key=True),
    sa.Column("spent_at", sa.Integer, nullable=False, index=True),
)


FIRST = "0001"
"""The version of databases from before there were migrations; they carry no mark."""
_MIGRATING = 8470
"""PostgreSQL's advisory lock under which one process migrates, and the others wait."""
CONNECT_TIMEOUT_S = 3
POOL = 15
"""Connections that one process keeps; as many again when it is busy."""


class StoreUnavailable(Exception):
    """The database does not answer at present. What was asked may have been done; to ask again is harmless."""


class StoreUnusable(Exception):
    """The database cannot be opened."""


def open_engine(database: str) -> sa.Engine:
    """Return an engine whose database has the tables of this version; raises StoreUnusable."""
    try:
        engine = _engine(database)
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        # Not the text: it quotes the URL, and a URL may hold a password.
        raise StoreUnusable(f"unknown kind of database ({type(error).__name__})") from None
    try:
        with engine.execution_options(writes=True).begin() as connection:
            if isinstance(engine.pool, StaticPool):
                tables.create_all(connection)
            else:
                _migrate(connection)
    except sa.exc.SQLAlchemyError as error:
        engine.dispose()
        words = str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0]
        raise StoreUnusable(words) from None
    except BaseException:
        engine.dispose()
        raise
    return engine


def bare_engine(database: str) -> sa.Engine:
    """Return an engine for tables of another party, which come without migrations; raises SQLAlchemyError."""
    try:
        return _engine(database)
    except (ImportError, ValueError) as error:
        raise sa.exc.ArgumentError(type(error).__name__) from None


def _engine(database: str) -> sa.Engine:
    url = sa.make_url(database)
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(
            url,
            hide_parameters=True,
            # A database that was restarted is noticed before a request is lost to a dead connection.
            pool_pre_ping=True,
            pool_size=POOL,
            max_overflow=POOL,
            pool_timeout=CONNECT_TIMEOUT_S,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
        )
    if url.get_backend_name() != "sqlite":
        raise ValueError(database)
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
    if url.database in (None, "", ":memory:"):
        # Every connection of its own would be a database of its own.
        options["poolclass"] = StaticPool
    elif not url.database.startswith("file:"):
        # SQLite would make a file that others can read; its helpers get the same mode.
        # Never opened when it is there: to close it again would end the locks of this process's other connections.
        with suppress(OSError):
            os.close(os.open(url.database, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    engine = sa.create_engine(url, hide_parameters=True, **options)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def file_of(engine: sa.Engine) -> str | None:
    """Return the file of a SQLite database; None for any other, and for one in memory."""
    name = engine.url.database or ""
    here = engine.dialect.name == "sqlite" and not isinstance(engine.pool, StaticPool)
    return name if here and not name.startswith("file:") else None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Let readers read while one writes, and wait for another process's lock instead of failing."""
    # Otherwise Python's sqlite3 begins transactions where it thinks fit.
    connection.isolation_level = None
    for pragma in (
        "busy_timeout=5000",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-256",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    """A writer takes the lock before it looks: two that both looked first could not both go on."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def alone(connection: sa.Connection) -> None:
    """Wait until no other process makes or changes tables; until the transaction ends, none does.

    On SQLite a transaction that writes is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.util import CommandError

    alone(connection)
    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    found = set(sa.inspect(connection).get_table_names())
    try:
        if MigrationContext.configure(connection).get_current_revision() is None and found & set(
            tables.tables
        ):
            _check_first(connection)
            command.stamp(settings, FIRST)
        command.upgrade(settings, "head")
    except CommandError:
        raise StoreUnusable("it was made by a newer version of this program") from None


_LATER = {"kana_digest", "subsidies"}
"""Columns that the version before migrations did not have yet."""


def _check_first(connection: sa.Connection) -> None:
    """Refuse tables without a mark that are not those of the version before migrations."""
    inspector = sa.inspect(connection)
    for table in (visits, consents, card_uses, references, audit):
        known = inspector.has_table(table.name)
        columns = {column["name"] for column in inspector.get_columns(table.name)} if known else set()
        if columns != set(table.columns.keys()) - _LATER:
            raise StoreUnusable("it was made by another version; take another one, or remove it")


@contextmanager
def available() -> Iterator[None]:
    """Tell trouble with the database from everything else; what it says is not kept, it may quote a row."""
    try:
        yield
    except (
        sa.exc.OperationalError,
        sa.exc.InterfaceError,
        sa.exc.InternalError,
        sa.exc.TimeoutError,
    ) as error:
        raise StoreUnavailable(type(error.__cause__ or error).__name__) from None
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable(type(error.__cause__ or error).__name__) from None
        raise
