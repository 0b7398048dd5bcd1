"""A terminal's own key, made when it first starts; the server knows its public part."""

import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from consent.enrolment.state_files import StateError, key_of, parsed_rsa_key, read

AUDITOR = "auditor"
"""Whose key reads the server's audit, and nothing else; no terminal's id."""
TERMINAL_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True)
class TerminalKey:
    """An enrolled terminal and its key, RSA-2048."""

    id: str
    private_key: rsa.RSAPrivateKey = field(repr=False)


def enrol_terminal(state: Path, terminal_id: str) -> TerminalKey:
    """Return a terminal's key, made when it is not enrolled yet.

    Raises ValueError for an unfit id, StateError and StateDamaged.
    """
    if terminal_id == AUDITOR:
        raise ValueError(f"{AUDITOR} is no terminal's id: it reads the audit")
    # Read anew each time: removing its file ends a terminal's enrolment at once.
    return TerminalKey(terminal_id, key_of(_file(state, terminal_id)))


def enrol_auditor(state: Path) -> TerminalKey:
    """Return the key that reads the server's audit, made at first use; raises StateError and StateDamaged."""
    return TerminalKey(AUDITOR, key_of(_file(state, AUDITOR)))


def enrolled_key(state: Path, terminal_id: str) -> TerminalKey | None:
    """Return a terminal's key if it has one; makes none. Raises ValueError, StateError and StateDamaged."""
    path = _file(state, terminal_id)
    content = read(path)
    return None if content is None else TerminalKey(terminal_id, parsed_rsa_key(path, content))


def terminal_public_key(state: Path, terminal_id: str) -> rsa.RSAPublicKey | None:
    """Return an enrolled terminal's public key, None for any other id, of whatever characters.

    Raises StateError and StateDamaged.
    """
    try:
        path = _file(state, terminal_id)
    except ValueError:
        return None
    try:
        about = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror or error}") from None
    return _public_key(path, (about.st_ino, about.st_mtime_ns, about.st_ctime_ns, about.st_size))


@lru_cache(maxsize=1024)
def _public_key(path: Path, _version: tuple[int, ...]) -> rsa.RSAPublicKey | None:
    """Return the public key in this version of a file; kept, since each request of a terminal asks for it."""
    content = read(path)
    return None if content is None else parsed_rsa_key(path, content).public_key()


def _file(state: Path, terminal_id: str) -> Path:
    if not TERMINAL_ID.fullmatch(terminal_id):
        raise ValueError("a terminal id has 1 to 40 of A-Z a-z 0-9 _ -")
    return state / "terminals" / f"{terminal_id}.pem"
