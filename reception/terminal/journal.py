"""What became of every visit: durable, and without anything personal.

A visit in SENDING may have been recorded by the server although nobody here heard of it: the power failed, or the
answer was lost. Its line says SENDING until the server was asked, so that no such visit is lost, or sent again.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from reception.flow import Session, State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS visits (
    visit TEXT PRIMARY KEY,
    begun_at TEXT NOT NULL,
    state TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    identity TEXT NOT NULL,
    outcome TEXT NOT NULL,
    receipt TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS steps (visit TEXT NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS steps_of_visit ON steps (visit);
CREATE INDEX IF NOT EXISTS visits_by_outcome ON visits (outcome);
"""

_VERSION = 1
COMPLETED, INTERRUPTED = "completed", "interrupted"
RECORDED, NOT_RECORDED = "recorded-unseen", "not-recorded"
_RESTS = (State.WAITING, State.OUT_OF_SERVICE, State.CALL_STAFF)


class JournalError(Exception):
    """The journal cannot be opened or written; ``str()`` says which file and why."""


@dataclass(frozen=True)
class Unsettled:
    """A visit that was being sent and whose end nobody here knows."""

    visit: str
    since: datetime


@dataclass(frozen=True)
class Entry:
    """One visit as it stands in the journal."""

    visit: str
    begun_at: datetime
    state: str
    identity: str
    outcome: str
    """Empty while it runs, or while nobody knows; "completed", "interrupted", "recorded-unseen", "not-recorded", a
    FailureCode, or "ended" for a visit that ended early without one."""


def examine(path: Path) -> tuple[int, int] | None:
    """Return how many visits a journal has, and how many of them nobody knows the end of; None: there is no file.

    Changes nothing, so that it may be asked while a terminal runs. Raises JournalError when it cannot be used.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise JournalError(f"journal {path}: made by another release (version {version})")
            (words,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if words != "ok":
                raise JournalError(f"journal {path}: is damaged")
            database.execute("BEGIN IMMEDIATE")
            counts: tuple[int, int] = (0, 0)
            if version:
                counts = database.execute(
                    "SELECT count(*), count(*) FILTER (WHERE outcome = '' AND state = ?) FROM visits",
                    (State.SENDING,),
                ).fetchone()
            database.execute("ROLLBACK")
            return counts
    except sqlite3.Error as error:
        raise JournalError(f"journal {path}: {error}") from None


class Journal:
    """The journal of one terminal, a SQLite file; without a path it lives in memory. Safe to use from all threads.

    ``now`` tells the wall-clock time; ``receipts``: completed visits are due for the receipt computer's file. Raises
    JournalError, with nothing half-written.
    """

    def __init__(
        self, path: Path | None, now: Callable[[], datetime], keep_days: int = 30, *, receipts: bool = False
    ) -> None:
        self._path, self.now, self._receipts = path, now, receipts
        self.current = ""
        """The visit that is on."""
        self._lock = threading.Lock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                path or ":memory:", check_same_thread=False, isolation_level=None
            )
            self._database.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=5000; PRAGMA cache_size=-256;"
            )
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise self._trouble(error) from None
        self._begin(keep_days)

    def _prepare(self) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise JournalError(
                f"journal {self._path}: made by another release (version {version}); move it away"
            )
        self._database.executescript(f"{_SCHEMA} PRAGMA user_version={_VERSION};")

    def note(self, before: Session, after: Session) -> None:
        """Keep what changed; a visit in SENDING is on the disk when this returns."""
        self.current = after.visit.id if after.state not in _RESTS else ""
        left_behind = before.visit.id if before.visit.id != after.visit.id else ""
        if left_behind:
            self._end(left_behind, before.visit.failure or "ended")
        if not after.visit.id or (before.state is after.state and not left_behind):
            return
        if after.state in _RESTS:
            self._end(after.visit.id, after.visit.failure or "ended")
            return
        self._step(after)

    def unsettled(self) -> list[Unsettled]:
        """Return the visits whose end only the server knows, oldest first."""
        query = "SELECT visit, changed_at FROM visits WHERE outcome = '' AND state = ? ORDER BY changed_at"
        return [
            Unsettled(visit, datetime.fromisoformat(at)) for visit, at in self._rows(query, State.SENDING)
        ]

    def settle(self, unsettled: Unsettled, *, recorded: bool) -> bool:
        """Keep what the server said; False: it was settled meanwhile, as by the patient being told."""
        outcome = RECORDED if recorded else NOT_RECORDED
        settle = "UPDATE visits SET outcome = ? WHERE visit = ? AND outcome = '' AND state = ?"
        return self._write(settle, (outcome, unsettled.visit, State.SENDING)) == 1

    def receipts_due(self) -> list[str]:
        """Return the completed visits whose file for the receipt computer is still to be written."""
        return [
            visit
            for (visit,) in self._rows("SELECT visit FROM visits WHERE receipt = 'due' ORDER BY begun_at")
        ]

    def receipt_done(self, visit: str) -> None:
        """The file of this visit is written, or will never be."""
        self._write("UPDATE visits SET receipt = 'done' WHERE visit = ?", (visit,))

    def entries(self) -> list[Entry]:
        """Return all visits, oldest first."""
        return self._entries("")

    def _entries(self, from_moment: str) -> list[Entry]:
        query = (
            "SELECT visit, begun_at, state, identity, outcome FROM visits"
            " WHERE begun_at >= ? ORDER BY begun_at, rowid"
        )
        return [
            Entry(visit, datetime.fromisoformat(begun), state, identity, outcome)
            for visit, begun, state, identity, outcome in self._rows(query, from_moment)
        ]

    def since(self, moment: datetime) -> list[Entry]:
        """Return the visits that began at ``moment`` or later, oldest first."""
        return [entry for entry in self._entries(moment.isoformat()) if entry.begun_at >= moment]

    def steps_since(self, moment: datetime) -> dict[str, list[tuple[datetime, str]]]:
        """Return when each visit came to which state, from ``moment`` on."""
        found: dict[str, list[tuple[datetime, str]]] = {}
        query = "SELECT visit, at, state FROM steps WHERE at >= ? ORDER BY rowid"
        for visit, at, state in self._rows(query, moment.isoformat()):
            found.setdefault(visit, []).append((datetime.fromisoformat(at), state))
        return found

    def steps(self, visit: str) -> list[tuple[datetime, str]]:
        """Return when a visit came to which state."""
        rows = self._rows("SELECT at, state FROM steps WHERE visit = ? ORDER BY rowid", visit)
        return [(datetime.fromisoformat(at), state) for at, state in rows]

    def close(self) -> None:
        """End; may be called twice."""
        with self._lock:
            self._database.close()

    def _begin(self, keep_days: int) -> None:
        """Close what an earlier run left open: before SENDING nothing can have been sent."""
        oldest = (self.now() - timedelta(days=keep_days)).isoformat()
        self._write(
            "UPDATE visits SET outcome = ? WHERE outcome = '' AND state != ?", (INTERRUPTED, State.SENDING)
        )
        self._write("DELETE FROM visits WHERE outcome != '' AND begun_at < ?", (oldest,))
        self._write("DELETE FROM steps WHERE visit NOT IN (SELECT visit FROM visits)", ())

    def _step(self, session: Session) -> None:
        now = self.now().isoformat()
        identity = session.visit.identity.value if session.visit.identity else ""
        # The one step that must survive a power failure; the others are worth no wait for the disk.
        durable = session.state is State.SENDING
        outcome = COMPLETED if session.visit.completed else ""
        receipt = "due" if session.visit.completed and self._receipts else ""
        self._write(
            "INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (visit) DO UPDATE SET"
            " state = excluded.state, changed_at = excluded.changed_at, identity = excluded.identity,"
            " outcome = excluded.outcome, receipt = iif(receipt = '', excluded.receipt, receipt)",
            (session.visit.id, now, session.state.value, now, identity, outcome, receipt),
            ("INSERT INTO steps VALUES (?, ?, ?)", (session.visit.id, now, session.state.value)),
            durable=durable,
        )

    def _end(self, visit: str, outcome: str) -> None:
        """Give a visit its outcome, unless it has one, or was being sent: then only the server knows."""
        self._write(
            "UPDATE visits SET outcome = ? WHERE visit = ? AND outcome = '' AND state != ?",
            (str(outcome), visit, State.SENDING),
        )

    def _write(
        self,
        statement: str,
        values: tuple[str, ...],
        *more: tuple[str, tuple[str, ...]],
        durable: bool = False,
    ) -> int:
        """Write all or nothing; return how many rows the first statement changed."""
        with self._lock:
            try:
                self._database.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    changed = self._database.execute(statement, values).rowcount
                    for each, given in more:
                        self._database.execute(each, given)
                    self._database.execute("COMMIT")
                except BaseException:
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
                    raise
                return changed
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    def _rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        with self._lock:
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    def _trouble(self, error: Exception) -> JournalError:
        return JournalError(f"journal {self._path or 'in memory'}: {error}")
