"""Who is logged in at the counter's page: sessions in memory, and wrong passwords that a restart does not forget."""

import contextlib
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from reception.terminal.staff import LONGEST_WAIT_S, Misses

LONGEST_SESSION_S = 12 * 3600.0
MOST_SESSIONS = 200
MOST_KEYS = 1_000


class Role(StrEnum):
    """What somebody may do."""

    CLERK = "clerk"
    ADMINISTRATOR = "administrator"
    """Also sees the audit and every terminal's settings."""


@dataclass
class Session:
    """One login."""

    staff: str
    role: Role
    language: str
    begun: float
    used: float
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    is_locked: bool = False
    theme: str = ""
    """"light" or "dark"; empty: as the computer is set."""
    page: str = "/"
    """The path of the page that was shown last."""
    searches: dict[str, str] = field(default_factory=dict, repr=False)
    """What is looked for in each terminal's list."""


class Sessions:
    """All logins; one ends when it is not used for ``idle_s``, and after half a day. ``now`` of any steady clock."""

    def __init__(self, idle_s: float, now: Callable[[], float]) -> None:
        self.idle_s, self._now = idle_s, now
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def begin(self, staff: str, role: Role, language: str) -> Session:
        """Log somebody in."""
        session = Session(staff, role, language, self._now(), self._now())
        with self._lock:
            self._drop_old()
            while len(self._sessions) >= MOST_SESSIONS:
                oldest = min(self._sessions.values(), key=lambda each: each.used)
                del self._sessions[oldest.token]
            self._sessions[session.token] = session
        return session

    def find(self, token: str) -> Session | None:
        """Return a login that still holds; asking is no use of it."""
        with self._lock:
            self._drop_old()
            return self._sessions.get(token)

    def holds(self, session: Session) -> bool:
        """Whether a login still holds and is not locked."""
        return self.find(session.token) is session and not session.is_locked

    def use(self, session: Session) -> None:
        """Somebody has just done something with it."""
        session.used = self._now()

    def end(self, session: Session) -> None:
        """Log out."""
        with self._lock:
            self._sessions.pop(session.token, None)

    def end_all_of(self, staff: str) -> None:
        """Log somebody out everywhere."""
        with self._lock:
            self._sessions = {key: one for key, one in self._sessions.items() if one.staff != staff}

    def count(self) -> int:
        """Return how many hold."""
        with self._lock:
            self._drop_old()
            return len(self._sessions)

    def _drop_old(self) -> None:
        now = self._now()
        self._sessions = {
            token: each
            for token, each in self._sessions.items()
            if now - each.used < self.idle_s and now - each.begun < LONGEST_SESSION_S
        }


class Throttle:
    """Wrong passwords by staff id and by address, kept in a file; ``clock`` of the wall, in seconds.

    After three in a row the next is looked at only after a wait that doubles. A file that cannot be read counts as
    empty, one that cannot be written holds only in memory.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        self._misses = _read(path)

    def wait_s(self, *keys: str) -> float:
        """Return how long the next password is not looked at; 0: it is."""
        now = self._clock()
        with self._lock:
            waits = [self._misses[key].until - now for key in keys if key in self._misses]
        # A clock that was set back makes nobody wait longer than the longest wait.
        return min(max([0.0, *waits]), LONGEST_WAIT_S)

    def missed(self, *keys: str) -> None:
        """A password was wrong."""
        with self._lock:
            for key in keys:
                self._misses[key] = self._misses.pop(key, Misses()).missed(self._clock())
            while len(self._misses) > MOST_KEYS:
                self._misses.pop(next(iter(self._misses)))
            self._write()

    def right(self, *keys: str) -> None:
        """A password was right."""
        with self._lock:
            if any(self._misses.pop(key, None) for key in keys):
                self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        told = {key: [misses.count, misses.until] for key, misses in self._misses.items()}
        with contextlib.suppress(OSError):
            descriptor, name = tempfile.mkstemp(prefix=".new-", dir=self._path.parent)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(told, file)
            os.replace(name, self._path)


def _read(path: Path | None) -> dict[str, Misses]:
    if path is None:
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): Misses(int(count), float(until)) for key, (count, until) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def roles_file(state: Path) -> Path:
    """Return where the administrators of a state folder stand."""
    return state / "staff-administrators.json"


def role_of(path: Path, staff: str) -> Role:
    """Return somebody's role; a file that cannot be read makes nobody an administrator."""
    return Role.ADMINISTRATOR if staff in _administrators(path) else Role.CLERK


def set_role(path: Path, staff: str, role: Role) -> None:
    """Keep somebody's role, mode 0600, the file whole or not at all; raises OSError."""
    before = _administrators(path)
    names = before - {staff} | ({staff} if role is Role.ADMINISTRATOR else set())
    if names == before:
        return
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(sorted(names), file)
    os.replace(name, path)


def _administrators(path: Path) -> set[str]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {each for each in told if isinstance(each, str)} if isinstance(told, list) else set()
