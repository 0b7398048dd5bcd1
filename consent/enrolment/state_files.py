"""The files of the state folder: each holds one key, or one key and its certificate, whole or not at all.

The first writer wins, so any number of processes that ask at once get the same ones.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class StateError(Exception):
    """The state folder cannot be read or written; ``str()`` is the one line that is shown to a person."""


class StateDamaged(StateError):
    """A state file does not hold what was written into it."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: is damaged ({what}); restore it, or remove it to have it made anew")
        self.path = path


@dataclass(frozen=True)
class Subject:
    """A key and the certificate over it."""

    key: Key = field(repr=False)
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_usage(*allowed: str) -> x509.KeyUsage:
    """Return the extension that allows just these."""
    kinds = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment"]
    kinds += ["key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{kind: kind in allowed for kind in kinds})


def pem_of(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def written(subject: Subject) -> bytes:
    return pem_of(subject.key) + subject.certificate.public_bytes(serialization.Encoding.PEM)


def key_of(path: Path) -> rsa.RSAPrivateKey:
    """Return the key in a file, made when there is none."""
    return parsed_rsa_key(path, read(path) or write_first(path, lambda: pem_of(new_key())))


def parsed_rsa_key(path: Path, content: bytes) -> rsa.RSAPrivateKey:
    key = _parsed_key(path, content)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise StateDamaged(path, "not an RSA key")
    return key


@lru_cache(maxsize=128)
def _parsed_key(path: Path, content: bytes) -> Key:
    """Return the key in a file's content; kept, since a terminal's is asked for with each request."""
    try:
        # Without the library's test of the numbers, 40 ms (measured), nearly all of it whether they are primes.
        key = serialization.load_pem_private_key(content, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise StateDamaged(path, "no readable private key") from None
    if not isinstance(key, Key):
        raise StateDamaged(path, "neither an RSA nor an EC key")
    if isinstance(key, rsa.RSAPrivateKey) and not _fits(key.private_numbers()):
        raise StateDamaged(path, "the numbers of the private key do not fit each other")
    return key


def _fits(key: rsa.RSAPrivateNumbers) -> bool:
    """Whether the numbers are those of one key, as they were made: a damaged one fits none of the others."""
    p, q, d, e = key.p, key.q, key.d, key.public_numbers.e
    return (
        min(p, q) > 1
        and p * q == key.public_numbers.n
        and d * e % (p - 1) == d * e % (q - 1) == 1
        and (key.dmp1, key.dmq1) == (d % (p - 1), d % (q - 1))
        and key.iqmp * q % p == 1
    )


def parsed_subject(path: Path, content: bytes) -> Subject:
    key = _parsed_key(path, content)
    try:
        certificate = x509.load_pem_x509_certificate(content)
        public_key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise StateDamaged(path, "no readable certificate") from None
    if public_key != key.public_key():
        raise StateDamaged(path, "key and certificate do not belong together")
    return Subject(key, certificate)


def check_issuer(path: Path, subject: Subject, issuer: Subject) -> None:
    try:
        subject.certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, TypeError, InvalidSignature):
        raise StateDamaged(path, "not issued by this state's CA") from None


def read(path: Path) -> bytes | None:
    """Return a file's content, None when there is no such file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not content:
        raise StateDamaged(path, "empty")
    return content


def write_first(path: Path, make: Callable[[], bytes]) -> bytes:
    """Write a new file as a whole, unless another was first; return what the file now holds."""
    content = make()
    try:
        # One by one from the outside: mkdir(parents=True) would give the mode to the last folder only.
        for folder in reversed(path.parents):
            folder.mkdir(mode=0o700, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(name, path)
        finally:
            os.unlink(name)
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror or error}") from None
    return read(path) or content
