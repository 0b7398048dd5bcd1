"""What became of every visit: durable, and without anything personal.

A visit in SENDING may have been recorded by the server although nobody here heard of it: the power failed, or the
answer was lost. Its line says SENDING until the server was asked, so that no such visit is lost, or sent again.

The journal is also the outbox of the receipt computer: a visit is due from before the patient is told until its file is
written. What cannot be written waits in memory, in order, and is written when the disk can take it again.
"""

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from reception.flow import Session, State
from reception.flow.failures import INSURANCE_NOT_CONFIRMED

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
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, at TEXT NOT NULL);
"""

_VERSION = 1
_COMPARED = "compared"
"""The mark of when the journal was last held against the server's records."""
CLOCKS_DIFFER = timedelta(hours=1)
"""How far the server's clock may be from ours when its records are asked for."""
LONGEST_LOCK_S = 1.0
"""How long another program's lock is waited for."""
RETRY_S = 1.0
"""How long a journal that could not be written is left alone."""
MOST_WAITING = 20_000
"""Steps that wait in memory for a disk; some days of visits. What must not be lost is kept however many there are."""
DUE, DONE = "due", "done"

_Statement = tuple[str, tuple[str, ...]]
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

    ``now`` tells the wall-clock time; ``receipts``: visits that were completed, or ended by the insurers' answer, are
    due for the receipt computer's file. Raises JournalError, with nothing half-written.
    """

    def __init__(
        self, path: Path | None, now: Callable[[], datetime], keep_days: int = 30, *, receipts: bool = False
    ) -> None:
        self._path, self.now, self._receipts = path, now, receipts
        self.current = ""
        """The visit that is on."""
        self.on_health: Callable[[bool], None] = lambda usable: None
        """Told, from any thread, when the journal can no longer be written, and when it can again."""
        self._lock = threading.Lock()
        self._waiting: deque[tuple[_Statement, ...]] = deque()
        self._receipt: dict[str, str] = {}
        """Visits whose line in the outbox is not on the disk yet."""
        self._usable = True
        self._retry_at = 0.0
        try:
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # Made here, since SQLite makes a file that others can read; its helpers get the same mode.
                with suppress(FileExistsError):
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self._database = sqlite3.connect(
                path or ":memory:", check_same_thread=False, isolation_level=None
            )
            self._database.executescript(
                f"PRAGMA busy_timeout={LONGEST_LOCK_S * 1000:.0f}; PRAGMA journal_mode=WAL; PRAGMA cache_size=-256;"
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

    @property
    def usable(self) -> bool:
        """Whether it could be written when that was last tried."""
        return self._usable

    def note(self, before: Session, after: Session) -> None:
        """Keep what changed; a visit in SENDING, and one that is due, is on the disk when this returns.

        Raises JournalError when it is only in memory; catch_up() writes it later.
        """
        self.current = after.visit.id if after.state not in _RESTS else ""
        left_behind = before.visit.id if before.visit.id != after.visit.id else ""
        if left_behind:
            self._end(left_behind, before.visit.failure or "ended")
        if not after.visit.id or (before.state is after.state and not left_behind):
            return
        if after.state in _RESTS:
            failure = after.visit.failure
            self._end(after.visit.id, failure or "ended")
            if self._receipts and before.state is State.CHECKING and failure in INSURANCE_NOT_CONFIRMED:
                self._keep((_SET_RECEIPT, (DUE, after.visit.id)), receipt=(after.visit.id, DUE), durable=True)
            return
        self._step(after)

    def will_complete(self, visit: str) -> None:
        """Put a visit into the outbox, durably, before the patient is told; its line still says SENDING.

        Raises JournalError when it is only in memory.
        """
        if self._receipts:
            self._keep((_SET_RECEIPT, (DUE, visit)), receipt=(visit, DUE), durable=True)

    def unsettled(self) -> list[Unsettled]:
        """Return the visits whose end only the server knows, oldest first."""
        query = "SELECT visit, changed_at FROM visits WHERE outcome = '' AND state = ? ORDER BY changed_at"
        return [
            Unsettled(visit, datetime.fromisoformat(at)) for visit, at in self._rows(query, State.SENDING)
        ]

    def settle(self, unsettled: Unsettled, *, recorded: bool) -> bool:
        """Keep what the server said; False: it was settled meanwhile, as by the patient being told.

        What the server recorded goes to the receipt computer; what it did not leaves the outbox.
        """
        outcome = RECORDED if recorded else NOT_RECORDED
        receipt = DUE if recorded and self._receipts else ""
        settle = "UPDATE visits SET outcome = ?, receipt = iif(receipt = 'done', receipt, ?)"
        settle += " WHERE visit = ? AND outcome = '' AND state = ?"
        return self._write((settle, (outcome, receipt, unsettled.visit, State.SENDING))) == 1

    def receipts_due(self) -> list[str]:
        """Return the visits whose file for the receipt computer is still to be written, oldest first."""
        query = "SELECT visit FROM visits WHERE receipt = 'due' AND outcome NOT IN ('', ?) ORDER BY begun_at"
        with self._lock:
            waiting = dict(self._receipt)
        stored = [visit for (visit,) in self._rows(query, NOT_RECORDED) if waiting.get(visit) != DONE]
        return stored + [visit for visit in waiting if waiting[visit] == DUE and visit not in stored]

    def receipt_done(self, visit: str) -> None:
        """The file of this visit is written, or will never be; never again, though the journal be unusable now."""
        self._keep((_SET_RECEIPT, (DONE, visit)), receipt=(visit, DONE))

    def catch_up(self) -> None:
        """Write what waits in memory, if anything does; raises JournalError while the journal cannot be written."""
        with self._lock:
            if not self._waiting and self._usable:
                return
            try:
                self._flush(durable=True)
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    # --- Held against the server's records ------------------------------------------------------------------------

    def compared_until(self) -> datetime | None:
        """Return when the journal was last held against the server's records; None: it never was."""
        rows = self._rows("SELECT at FROM marks WHERE name = ?", _COMPARED)
        return datetime.fromisoformat(rows[0][0]) if rows else None

    def compared(self, until: datetime) -> None:
        """Keep up to when the server's records are all in here."""
        mark = "INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at"
        self._write((mark, (_COMPARED, until.isoformat())))

    def knows(self, visit: str) -> bool:
        """Whether a visit stands here, on the disk or in memory."""
        if visit in self._receipt or visit == self.current:
            return True
        return bool(self._rows("SELECT visit FROM visits WHERE visit = ?", visit))

    def take_up(self, visit: str, identified_at: datetime) -> None:
        """Take up a visit that the server has recorded and the journal never heard of; its file becomes due."""
        at, receipt = identified_at.isoformat(), DUE if self._receipts else ""
        add = "INSERT INTO visits VALUES (?, ?, ?, ?, '', ?, ?) ON CONFLICT (visit) DO NOTHING"
        self._write((add, (visit, at, State.SENDING.value, at, RECORDED, receipt)))

    # --- What stands there ----------------------------------------------------------------------------------------

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
        """Close what an earlier run left open: before SENDING nothing can have been sent. What is due stays."""
        oldest = (self.now() - timedelta(days=keep_days)).isoformat()
        with suppress(JournalError):
            # On a disk that is full the terminal starts all the same, and this is written when there is room.
            self._keep(
                (
                    "UPDATE visits SET outcome = ? WHERE outcome = '' AND state != ?",
                    (INTERRUPTED, State.SENDING),
                ),
                ("DELETE FROM visits WHERE outcome != '' AND receipt != 'due' AND begun_at < ?", (oldest,)),
                ("DELETE FROM steps WHERE visit NOT IN (SELECT visit FROM visits)", ()),
                (
                    "INSERT INTO marks VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (_COMPARED, (self.now() + CLOCKS_DIFFER).isoformat()),
                ),
            )

    def _step(self, session: Session) -> None:
        now = self.now().isoformat()
        identity = session.visit.identity.value if session.visit.identity else ""
        # The one step that must survive a power failure; the others are worth no wait for the disk.
        durable = session.state is State.SENDING
        outcome = COMPLETED if session.visit.completed else ""
        receipt = DUE if session.visit.completed and self._receipts else ""
        self._keep(
            (
                _STEP,
                (session.visit.id, now, session.state.value, now, identity, outcome, receipt),
            ),
            ("INSERT INTO steps VALUES (?, ?, ?)", (session.visit.id, now, session.state.value)),
            receipt=(session.visit.id, DUE) if receipt else None,
            durable=durable or bool(receipt),
        )

    def _end(self, visit: str, outcome: str) -> None:
        """Give a visit its outcome, unless it has one, or was being sent: then only the server knows."""
        end = "UPDATE visits SET outcome = ? WHERE visit = ? AND outcome = '' AND state != ?"
        self._keep((end, (str(outcome), visit, State.SENDING)))

    def _keep(
        self, *statements: _Statement, receipt: tuple[str, str] | None = None, durable: bool = False
    ) -> None:
        """Write this behind whatever waits; what cannot be written now waits, and JournalError says so.

        ``receipt``: what it says of a visit's line in the outbox.
        """
        with self._lock:
            if durable or receipt or len(self._waiting) < MOST_WAITING:
                self._waiting.append(statements)
            if receipt and self._receipt.get(receipt[0]) != DONE:
                self._receipt[receipt[0]] = receipt[1]
            if time.monotonic() < self._retry_at:
                raise JournalError(f"journal {self._path or 'in memory'}: cannot be written now")
            try:
                self._flush(durable=durable)
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    def _flush(self, *, durable: bool) -> None:
        """Write all that waits as one transaction; raises sqlite3.Error, and all of it still waits."""
        try:
            self._transact([each for group in self._waiting for each in group], durable=durable)
        except sqlite3.Error:
            self._retry_at = time.monotonic() + RETRY_S
            self._tell(usable=False)
            raise
        self._waiting.clear()
        self._receipt.clear()
        self._retry_at = 0.0
        self._tell(usable=True)

    def _tell(self, *, usable: bool) -> None:
        if usable is not self._usable:
            self._usable = usable
            self.on_health(usable)

    def _write(self, *statements: _Statement) -> int:
        """Write all or nothing; return how many rows the first statement changed."""
        with self._lock:
            try:
                return self._transact(statements, durable=False)
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    def _transact(self, statements: Sequence[_Statement], *, durable: bool) -> int:
        self._database.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self._database.execute("BEGIN IMMEDIATE")
        try:
            changed = [self._database.execute(*each).rowcount for each in statements]
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        return changed[0] if changed else 0

    def _rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        with self._lock:
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    def _trouble(self, error: Exception) -> JournalError:
        return JournalError(f"journal {self._path or 'in memory'}: {error}")


_STEP = """INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (visit) DO UPDATE SET
state = excluded.state, changed_at = excluded.changed_at, identity = excluded.identity,
outcome = excluded.outcome, receipt = iif(receipt = '', excluded.receipt, receipt)"""
_SET_RECEIPT = "UPDATE visits SET receipt = ? WHERE visit = ?"
