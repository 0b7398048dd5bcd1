"""Certificates for the network between terminals and server (mTLS): a CA of the site's own, the server's, terminals'.

They say which machine talks, and have nothing to do with the certificates of cards.
"""

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from consent.enrolment.state_files import (
    Key,
    StateError,
    Subject,
    check_issuer,
    key_usage,
    new_key,
    parsed_subject,
    pem_of,
    read,
    write_first,
    written,
)
from consent.enrolment.terminal_key import TERMINAL_ID, enrol_auditor, enrol_terminal

CA_LIFE = timedelta(days=3650)
LIFE = timedelta(days=365)
CLOCKS_DIFFER = timedelta(hours=1)
BOARD = "board"
"""Organisational unit of a board's certificate; only who has it may steer terminals (reception.fleet.trust)."""


def write_certificates(
    state: Path,
    folder: Path,
    hosts: Sequence[str],
    terminals: Sequence[str],
    now: datetime,
    life: timedelta = LIFE,
    *,
    auditor: bool = False,
    brokers: Sequence[str] = (),
    boards: Sequence[str] = (),
) -> list[Path]:
    """Enrol terminals and write ``ca.pem`` and a certificate with its key for each machine; return the paths.

    ``hosts`` are the server's names, ``brokers`` the broker's, ``boards`` and ``terminals`` ids; ``auditor``: one, too,
    for who reads the server's audit. The CA is made in the state folder at first use and stays; all others get new
    certificates each time. Raises StateError, ValueError for an unfit id, and OSError.
    """
    if both := set(boards) & set(terminals):
        raise ValueError(f"{min(both)}: is the id of a terminal and of a board")
    ca = _ca(state, now)
    enrolled = [enrol_terminal(state, terminal) for terminal in terminals]
    enrolled += [enrol_auditor(state)] if auditor else []
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = {"ca.pem": ca.certificate.public_bytes(serialization.Encoding.PEM)}
    if hosts:
        files |= _files("server", _issued(ca, hosts[0], new_key(), now, life, hosts))
    if brokers:
        files |= _files("broker", _issued(ca, brokers[0], new_key(), now, life, brokers))
    for board in boards:
        if not TERMINAL_ID.fullmatch(board):
            raise ValueError("a board's id has 1 to 40 of A-Z a-z 0-9 _ -")
        files |= _files(f"board-{board}", _issued(ca, board, new_key(), now, life, (), unit=BOARD))
    for terminal in enrolled:
        subject = _issued(ca, terminal.id, terminal.private_key, now, life, ())
        files |= _files(f"terminal-{terminal.id}", subject)
    for name, content in files.items():
        _write(folder / name, content)
    return [folder / name for name in files]


def _files(name: str, subject: Subject) -> dict[str, bytes]:
    certificate = subject.certificate.public_bytes(serialization.Encoding.PEM)
    return {f"{name}.pem": certificate, f"{name}-key.pem": pem_of(subject.key)}


def _write(path: Path, content: bytes) -> None:
    """Write anew, as a whole, for the owner's eyes only."""
    part = path.with_name(f".new-{path.name}")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)


def _ca(state: Path, now: datetime) -> Subject:
    path = state / "pki" / "network-ca.pem"
    content = read(path) or write_first(path, lambda: written(_new_ca(now)))
    ca = parsed_subject(path, content)
    check_issuer(path, ca, ca)
    if ca.certificate.not_valid_after_utc <= now:
        raise StateError(f"{path}: the CA has expired; remove it, and give all machines new certificates")
    return ca


def _new_ca(now: datetime) -> Subject:
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Reception network CA")])
    builder = _builder(name, name, key.public_key(), key, now, CA_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
    return Subject(key, builder.sign(key, hashes.SHA256()))


def _issued(
    ca: Subject,
    common_name: str,
    key: rsa.RSAPrivateKey,
    now: datetime,
    life: timedelta,
    hosts: Sequence[str],
    unit: str = "",
) -> Subject:
    named = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    named += [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit)] if unit else []
    name = x509.Name(named)
    builder = _builder(name, ca.certificate.subject, key.public_key(), ca.key, now, life)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(key_usage("digital_signature"), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_name, hosts))), critical=False)
    return Subject(key, builder.sign(ca.key, hashes.SHA256()))


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPublicKey,
    issuer_key: Key,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    begin, end = (now - CLOCKS_DIFFER).astimezone(UTC), (now + life).astimezone(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), begin, end)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    issuer_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return builder.add_extension(identifier, critical=False).add_extension(issuer_identifier, critical=False)
