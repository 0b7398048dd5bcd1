"""What a clinic keeps of the service on its disk: consents and cases by number; no attribute, no serial.

A case is written down before anything is asked, and keeps its number: after a power failure the same question is
repeated under it, which nobody counts twice.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from consent.attributes.rules import Attribute, ConsentState, Period, RevocationReason

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS consents (
    consent_id TEXT PRIMARY KEY, customer TEXT NOT NULL, items TEXT NOT NULL, text_version TEXT NOT NULL,
    received_at TEXT NOT NULL, begins_at TEXT NOT NULL, ends_at TEXT NOT NULL, state TEXT NOT NULL,
    reminded_on TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS cases (
    match_id TEXT PRIMARY KEY, customer TEXT NOT NULL, consent_id TEXT NOT NULL, reason TEXT NOT NULL,
    found_at TEXT NOT NULL, state TEXT NOT NULL, decided_at TEXT NOT NULL, decided_by TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reminders (consent_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS runs (done_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS declined (customer TEXT PRIMARY KEY, declined_on TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS consents_by_customer ON consents (customer);
CREATE INDEX IF NOT EXISTS cases_by_state ON cases (state);
"""


class LedgerError(Exception):
    """The ledger cannot be opened or written; ``str()`` says which file and why."""


class CaseState(StrEnum):
    """How far a case has come."""

    FOUND = "found"
    ASKING = "asking"
    """The question is on its way, or its answer was lost."""
    DELIVERED = "delivered"
    """On the worklist."""
    NOTHING = "nothing"
    """Nothing newer, or no consent any more."""
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True)
class KeptConsent:
    """A consent as the clinic keeps it."""

    consent_id: str
    customer: str
    items: tuple[Attribute, ...]
    text_version: str
    received_at: datetime
    held: Period
    state: ConsentState
    reminded_on: date | None


@dataclass(frozen=True)
class KeptCase:
    """A customer whose certificate ended, and what was done about it."""

    match_id: str
    customer: str
    consent_id: str
    reason: RevocationReason
    found_at: datetime
    state: CaseState


class Ledger:
    """One clinic's ledger, a SQLite file; without a path it lives in memory. Safe to use from all threads."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
            self._database = sqlite3.connect(
                path or ":memory:", check_same_thread=False, isolation_level=None
            )
            self._database.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=5000; PRAGMA synchronous=FULL;"
            )
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise LedgerError(f"{path}: made by another release (version {version}); move it away")
            self._database.executescript(f"{_SCHEMA} PRAGMA user_version={_VERSION};")
        except (sqlite3.Error, OSError) as error:
            raise self._trouble(error) from None

    def close(self) -> None:
        """End; may be called twice."""
        with self._lock:
            self._database.close()

    # --- Consents -----------------------------------------------------------------------------------------------

    def keep_consents(self, consents: Iterable[KeptConsent]) -> None:
        """Keep consents, each in place of an earlier one with the same id."""
        rows = [_consent_row(each) for each in consents]
        with self._writing() as database:
            database.executemany("INSERT OR REPLACE INTO consents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def consents(self, *states: ConsentState) -> list[KeptConsent]:
        """Return the consents in these states, all without any; oldest first."""
        wanted = states or tuple(ConsentState)
        marks = ", ".join("?" * len(wanted))
        query = f"SELECT * FROM consents WHERE state IN ({marks}) ORDER BY received_at, consent_id"  # noqa: S608
        return [_consent(row) for row in self._rows(query, wanted)]

    def standing_of(self, customer: str) -> KeptConsent | None:
        """Return the newest consent of a customer that is coming or stands."""
        query = (
            "SELECT * FROM consents WHERE customer = ? AND state IN (?, ?)"
            " ORDER BY received_at DESC, consent_id LIMIT 1"
        )
        rows = self._rows(query, (customer, ConsentState.COMING, ConsentState.STANDS))
        return _consent(rows[0]) if rows else None

    def declined(self, customer: str, today: date) -> None:
        """Note that a patient does not want it, so as not to ask at every visit."""
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO declined VALUES (?, ?)", (customer, today.isoformat()))

    def declined_on(self, customer: str) -> date | None:
        """Return when a patient last said no."""
        rows = self._rows("SELECT declined_on FROM declined WHERE customer = ?", (customer,))
        return date.fromisoformat(rows[0][0]) if rows else None

    def reminded(self, consent_ids: Iterable[str], today: date) -> None:
        """Note that the yearly reminders are due; they wait for a clerk until acknowledge()."""
        due = list(consent_ids)
        with self._writing() as database:
            database.executemany(
                "UPDATE consents SET reminded_on = ? WHERE consent_id = ?",
                [(today.isoformat(), each) for each in due],
            )
            database.executemany("INSERT OR IGNORE INTO reminders VALUES (?)", [(each,) for each in due])

    def reminders(self) -> list[KeptConsent]:
        """Return the consents whose patients wait to be reminded, and which still stand; oldest first."""
        query = (
            "SELECT consents.* FROM consents JOIN reminders USING (consent_id) WHERE state IN (?, ?)"
            " ORDER BY received_at, consent_id"
        )
        return [_consent(row) for row in self._rows(query, (ConsentState.COMING, ConsentState.STANDS))]

    def acknowledge(self, consent_id: str) -> bool:
        """Note that a clerk has reminded the patient; False: somebody did before, or it was never due."""
        with self._writing() as database:
            done = database.execute("DELETE FROM reminders WHERE consent_id = ?", (consent_id,))
            return done.rowcount > 0

    # --- Runs of the job ----------------------------------------------------------------------------------------

    def ran(self, at: datetime) -> None:
        """Note that the nightly job came to its end."""
        with self._writing() as database:
            database.execute("DELETE FROM runs")
            database.execute("INSERT INTO runs VALUES (?)", (at.isoformat(),))

    def ran_at(self) -> datetime | None:
        """Return when the nightly job last came to its end; None: it never did."""
        rows = self._rows("SELECT done_at FROM runs", ())
        return datetime.fromisoformat(rows[0][0]) if rows else None

    # --- Cases --------------------------------------------------------------------------------------------------

    def found(self, cases: Sequence[KeptCase]) -> int:
        """Write new cases down, all or none; return how many were new."""
        with self._writing() as database:
            before = database.total_changes
            database.executemany(
                "INSERT OR IGNORE INTO cases VALUES (?, ?, ?, ?, ?, ?, '', '')",
                [
                    (
                        each.match_id,
                        each.customer,
                        each.consent_id,
                        each.reason,
                        each.found_at.isoformat(),
                        each.state,
                    )
                    for each in cases
                ],
            )
            return database.total_changes - before

    def cases(self, *states: CaseState) -> list[KeptCase]:
        """Return the cases in these states, oldest first."""
        marks = ", ".join("?" * len(states))
        query = f"SELECT * FROM cases WHERE state IN ({marks}) ORDER BY found_at, match_id"  # noqa: S608
        return [
            KeptCase(
                match_id,
                customer,
                consent_id,
                RevocationReason(reason),
                datetime.fromisoformat(at),
                CaseState(state),
            )
            for match_id, customer, consent_id, reason, at, state, _, _ in self._rows(query, states)
        ]

    def move(self, match_id: str, state: CaseState, *, at: datetime | None = None, by: str = "") -> None:
        """Bring a case on; ``by``: the staff id that decided."""
        with self._writing() as database:
            database.execute(
                "UPDATE cases SET state = ?, decided_at = ?, decided_by = ? WHERE match_id = ?",
                (state, at.isoformat() if at else "", by, match_id),
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on the disk afterwards."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield self._database
                    self._database.execute("COMMIT")
                except BaseException:
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    def _rows(self, query: str, values: Sequence[str]) -> list[tuple[str, ...]]:
        with self._lock:
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    def _trouble(self, error: Exception) -> LedgerError:
        return LedgerError(f"ledger of the attributes {self._path or 'in memory'}: {error}")


def ledger_file(state: Path, terminal_id: str) -> Path:
    """Return where a terminal keeps its clinic's ledger."""
    return state / f"attributes-{terminal_id}.sqlite"


def _consent_row(consent: KeptConsent) -> tuple[str, ...]:
    return (
        consent.consent_id,
        consent.customer,
        json.dumps([str(item) for item in consent.items]),
        consent.text_version,
        consent.received_at.isoformat(),
        consent.held.begins_at.isoformat(),
        consent.held.ends_at.isoformat(),
        consent.state,
        consent.reminded_on.isoformat() if consent.reminded_on else "",
    )


def _consent(row: tuple[str, ...]) -> KeptConsent:
    consent_id, customer, items, version, received, begins, ends, state, reminded = row
    return KeptConsent(
        consent_id,
        customer,
        tuple(Attribute(item) for item in json.loads(items)),
        version,
        datetime.fromisoformat(received),
        Period(datetime.fromisoformat(begins), datetime.fromisoformat(ends)),
        ConsentState(state),
        date.fromisoformat(reminded) if reminded else None,
    )
