"""Which staff may compare a patient with the card's photo: ids, and Argon2 hashes of their passwords.

The file lies in the state folder, readable by its owner only, and is made by ``./run staff-password``.
"""

import json
import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 8, 128
"""Characters of a password."""
FREE_MISSES = 3
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
        wait = min(FIRST_WAIT_S * 2**over, LONGEST_WAIT_S) if over >= 0 else 0.0
        return Misses(count, now + wait)


class Staff:
    """Verifies passwords, one at a time; safe to use from all threads, slow on purpose (Argon2).

    ``hashes`` returns the hash of each staff id, and may raise StaffError; ``now`` in seconds of any steady clock.
    """

    def __init__(self, hashes: Callable[[], Mapping[str, str]], now: Callable[[], float]) -> None:
        self._hashes, self._now = hashes, now
        self._misses = Misses()
        self._turn = threading.Lock()

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
        try:
            PasswordHasher().verify(known, bytes(password))
        except (VerificationError, InvalidHashError):
            self._misses = self._misses.missed(self._now())
            return StaffAnswer(Verdict.WRONG, max(0.0, self._misses.until - self._now()))
        self._misses = Misses()
        return StaffAnswer(Verdict.RIGHT)


def staff_file(state: Path) -> Path:
    """Return where the staff passwords of a state folder stand."""
    return state / "staff-passwords.json"


def read_hashes(path: Path) -> dict[str, str]:
    """Return the hash of each staff id; none without a file. Raises StaffError."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise StaffError(f"{path}: others can read it; set its mode to 600")
        with path.open("rb") as file:
            hashes = json.loads(file.read(_LARGEST_FILE))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StaffError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise StaffError(f"{path}: is damaged; remove it and set the passwords again") from None
    if not isinstance(hashes, dict) or not all(isinstance(each, str) for each in hashes.values()):
        raise StaffError(f"{path}: is damaged; remove it and set the passwords again")
    return hashes


def set_password(path: Path, staff: str, password: str) -> None:
    """Keep the hash of a password, mode 0600, the file whole or not at all; raises StaffError."""
    if not _STAFF_ID.fullmatch(staff):
        raise StaffError(f"--staff {staff}: should be 1 to 40 letters, digits, - and _, and no name")
    if not SHORTEST <= len(password) <= LONGEST:
        raise StaffError(f"the password should have {SHORTEST} to {LONGEST} characters")
    _write(path, {**read_hashes(path), staff: PasswordHasher().hash(password)})


def remove_password(path: Path, staff: str) -> None:
    """Forget the password of a staff id; raises StaffError."""
    hashes = read_hashes(path)
    if staff not in hashes:
        raise StaffError(f"--staff {staff}: has no password; known: {', '.join(sorted(hashes)) or 'none'}")
    del hashes[staff]
    _write(path, hashes)


def _write(path: Path, hashes: Mapping[str, str]) -> None:
    try:
        # mkstemp makes it readable by its owner only.
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(hashes, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise StaffError(f"{path}: cannot be written: {error.strerror or error}") from None
