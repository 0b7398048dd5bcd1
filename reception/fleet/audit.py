"""Who did what from a counter, and what was refused: one line each, durable, without anything personal."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_log = logging.getLogger("reception.fleet.audit")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS acts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    operator TEXT NOT NULL,
    act TEXT NOT NULL,
    place TEXT NOT NULL,
    verdict TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS acts_stay BEFORE UPDATE ON acts BEGIN SELECT raise(ABORT, 'acts stay'); END;
"""
LONGEST = 80
"""Characters of each part; what a stranger sent is cut off there."""


@dataclass(frozen=True)
class Act:
    """One line."""

    at: datetime
    operator: str
    act: str
    place: str
    """Terminal, or address of the browser."""
    verdict: str


class Audit:
    """The audit in a SQLite file; without a path it lives in memory. Safe to use from all threads.

    It keeps ``keep_days`` of acts. An audit that cannot be written is told in the log and stops nobody's work.
    """

    def __init__(self, path: Path | None, clock: Callable[[], datetime], keep_days: int = 365) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA busy_timeout=2000; {_SCHEMA}")
        days = f"-{keep_days} days"
        self._database.execute("DELETE FROM acts WHERE datetime(at) < datetime('now', ?)", (days,))

    def note(self, operator: str, act: str, place: str, verdict: str) -> None:
        """Keep one line."""
        parts = [_plain(part) for part in (operator, act, place, verdict)]
        try:
            with self._lock:
                self._database.execute(
                    "INSERT INTO acts (at, operator, act, place, verdict) VALUES (?, ?, ?, ?, ?)",
                    (self._clock().isoformat(timespec="seconds"), *parts),
                )
        except sqlite3.Error as error:
            _log.error("the audit cannot be written: %s", error)

    def newest(self, most: int = 200) -> list[Act]:
        """Return the newest lines, newest first."""
        query = "SELECT at, operator, act, place, verdict FROM acts ORDER BY number DESC LIMIT ?"
        with self._lock:
            rows = self._database.execute(query, (most,)).fetchall()
        return [Act(datetime.fromisoformat(at), *rest) for at, *rest in rows]

    def close(self) -> None:
        """End; may be called twice."""
        with self._lock:
            self._database.close()


def _plain(part: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in part[:LONGEST])
