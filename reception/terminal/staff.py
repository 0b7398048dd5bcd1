"""Which staff may compare a patient with the card's photo: ids, and Argon2 hashes of their passwords.

The file lies in the state folder, readable by its owner only, and is made by ``./run staff-password``.
"""

import fcntl
import json
import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 8, 128
"""Characters of a password."""
FREE_MISSES = 3
MOST_MISSES = 1000
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 900.0
"""After the free misses, the next password is looked at only after a wait that doubles with every miss."""

_STAFF_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_LARGEST_FILE = 65_536


class StaffError(Exception):
    """The file of staff passwords cannot be used; ``str()`` says which file and why."""


class Verdict(StrEnum):
    """What became of a password."""

    RIGHT = "RIGHT"
    WRONG = "WRONG"
    WAIT = "WAIT"
    """It was not looked at: there were too many wrong ones."""
    UNUSABLE = "UNUSABLE"
    """No password is set, or the file of passwords cannot be used."""


@dataclass(frozen=True)
class StaffAnswer:
    """The verdict, and after too many misses how many seconds to wait."""

    verdict: Verdict
    wait_s: float = 0.0


@dataclass(frozen=True)
class Misses:
    """Wrong passwords in a row, whoever's they were; pure."""

    count: int = 0
    until: float = 0.0
    """No password is looked at before this moment."""

    def missed(self, now: float) -> "Misses":
        """Return what holds after one more wrong password."""
        count = self.count + 1
        over = count - FREE_MISSES
        wait = min(FIRST_WAIT_S * 2.0 ** min(over, 10), LONGEST_WAIT_S) if over >= 0 else 0.0
        return Misses(count, now + wait)

    def after(self, count: int, now: float) -> "Misses":
        """Return what holds after so many wrong passwords, the last of them now."""
        return Misses(count - 1).missed(now) if count > 0 else self


class Staff:
    """Verifies passwords, one at a time; safe to use from all threads, slow on purpose (Argon2).

    ``hashes`` returns the hash of each staff id, and may raise StaffError; ``now`` in seconds of any steady clock.
    """

    def __init__(
        self,
        hashes: Callable[[], Mapping[str, str]],
        now: Callable[[], float],
        misses: "KeptMisses | None" = None,
    ) -> None:
        """``misses``: where the count of wrong passwords outlives a restart."""
        self._hashes, self._now, self._kept = hashes, now, misses
        # Whoever restarts the terminal waits again, and has no new guesses.
        self._misses = Misses().after(misses.read() if misses else 0, now())
        self._turn = threading.Lock()

    def _count(self, misses: Misses) -> None:
        before, self._misses = self._misses, misses
        if self._kept and misses.count != before.count:
            self._kept.write(misses.count)

    def ids(self) -> tuple[str, ...]:
        """Return the staff ids that have a password; none when the file cannot be used."""
        try:
            return tuple(sorted(self._hashes()))
        except StaffError:
            return ()

    def verify(self, staff: str, password: bytearray) -> StaffAnswer:
        """Compare; wipes the password whatever comes of it."""
        try:
            with self._turn:
                return self._verified(staff, password)
        finally:
            for at in range(len(password)):
                password[at] = 0

    def _verified(self, staff: str, password: bytearray) -> StaffAnswer:
        left = self._misses.until - self._now()
        if left > 0:
            return StaffAnswer(Verdict.WAIT, left)
        try:
            known = self._hashes().get(staff)
        except StaffError:
            return StaffAnswer(Verdict.UNUSABLE)
        if known is None:
            return StaffAnswer(Verdict.UNUSABLE)
        # Counted before it is looked at: who switches the terminal off meanwhile has used this guess, too.
        self._count(self._misses.missed(self._now()))
        try:
            PasswordHasher().verify(known, bytes(password))
        except (VerificationError, InvalidHashError):
            return StaffAnswer(Verdict.WRONG, max(0.0, self._misses.until - self._now()))
        self._count(Misses())
        return StaffAnswer(Verdict.RIGHT)


class KeptMisses:
    """The count of wrong passwords in a file of its own; one that cannot be used counts as none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> int:
        """Return the count."""
        try:
            count = int(_read(self._path)[:10])
        except (OSError, ValueError):
            return 0
        return max(0, min(count, MOST_MISSES))

    def write(self, count: int) -> None:
        """Keep it; what cannot be kept counts on in memory."""
        with suppress(StaffError):
            _write(self._path, str(min(count, MOST_MISSES)).encode())


def misses_file(state: Path) -> Path:
    """Return where the count of wrong passwords of a state folder stands."""
    return state / "staff-misses"


def staff_file(state: Path) -> Path:
    """Return where the staff passwords of a state folder stand."""
    return state / "staff-passwords.json"


def read_hashes(path: Path) -> dict[str, str]:
    """Return the hash of each staff id; none without a file. Raises StaffError."""
    damaged = StaffError(f"{path}: is damaged; remove it and set the passwords again")
    try:
        hashes = json.loads(_read(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StaffError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise damaged from None
    if not isinstance(hashes, dict) or not all(map(_is_hash, hashes.values())):
        raise damaged
    return hashes


def _is_hash(text: object) -> bool:
    """Whether it is a hash that can be compared with, in a time and a memory that this machine has."""
    try:
        how = extract_parameters(str(text))
    except (InvalidHashError, ValueError):
        return False
    return isinstance(text, str) and text.isascii() and how.memory_cost <= 1 << 20 and how.time_cost <= 50


def _read(path: Path) -> bytes:
    """Return the content of a file for its owner only, no link, pipe or folder; raises OSError and StaffError."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise StaffError(f"{path}: is no file")
        if stat.S_IMODE(about.st_mode) & 0o077:
            raise StaffError(f"{path}: others can read it; set its mode to 600")
        return file.read(_LARGEST_FILE)


def set_password(path: Path, staff: str, password: str) -> None:
    """Keep the hash of a password, mode 0600, the file whole or not at all; raises StaffError."""
    if not _STAFF_ID.fullmatch(staff):
        raise StaffError(f"--staff {staff}: should be 1 to 40 letters, digits, - and _, and no name")
    if not SHORTEST <= len(password) <= LONGEST:
        raise StaffError(f"the password should have {SHORTEST} to {LONGEST} characters")
    hashed = PasswordHasher().hash(password)
    with _alone(path):
        _write(path, _json({**read_hashes(path), staff: hashed}))


def remove_password(path: Path, staff: str) -> None:
    """Forget the password of a staff id; raises StaffError."""
    with _alone(path):
        hashes = read_hashes(path)
        if staff not in hashes:
            raise StaffError(
                f"--staff {staff}: has no password; known: {', '.join(sorted(hashes)) or 'none'}"
            )
        del hashes[staff]
        _write(path, _json(hashes))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from changing the file between its reading and its writing."""
    try:
        lock = os.open(
            path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise StaffError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _json(hashes: Mapping[str, str]) -> bytes:
    return json.dumps(hashes, indent=1).encode()


def _write(path: Path, content: bytes) -> None:
    try:
        # mkstemp makes it readable by its owner only.
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise StaffError(f"{path}: cannot be written: {error.strerror or error}") from None
