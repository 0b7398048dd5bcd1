"""The mock certificate authorities: cards' keys and certificates, made at first use.

Everything lies under a state folder (consent/enrolment/state_files.py) and is never handed on with the product.
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from config import ConfigError
from config.person import Person
from consent.enrolment.state_files import (
    Key,
    Subject,
    check_issuer,
    key_of,
    key_usage,
    new_key,
    parsed_subject,
    pem_of,
    read,
    write_first,
    written,
)
from consent.enrolment.terminal_key import TerminalKey, enrol_auditor, enrol_terminal, terminal_public_key

JAPAN = timezone(timedelta(hours=9), "JST")
CA_BEGIN = datetime(2015, 1, 1, tzinfo=UTC)
CA_END = datetime(2055, 12, 31, 23, 59, 59, tzinfo=UTC)
CERTIFICATE_YEARS = 5
"""A certificate ends on the fifth birthday after its issue at the latest; here always five years after."""
CARD_AUTHORITY_ID = b"9000023\x08\x05001\0\0\0\0"
"""How a card's file 0004 names the authority: a number that no real one has."""
SIGNATURE_FROM_AGE = 15
"""Younger holders get no signature certificate (署名用)."""

_AUTHENTICATION = "user authentication"
_SIGNATURE = "digital signature"
# The arc of documentation examples (RFC 5612): no policy of a real authority is claimed.
_POLICY = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1.1")
_NOTICE = "Test certificate of an open-source reception terminal; it identifies nobody and is worth nothing."


@dataclass(frozen=True)
class IssuedCard:
    """Certificates (DER) and private keys (PEM, unencrypted) of one card; fields as a virtual card takes them."""

    certificate: bytes
    """User-authentication certificate (利用者証明用)."""
    private_key_pem: bytes = field(repr=False)
    ca_certificate: bytes
    signature_certificate: bytes
    """署名用; empty, with its key and CA, for holders who were under 15 at its issue."""
    signature_private_key_pem: bytes = field(repr=False)
    signature_ca_certificate: bytes
    face_key_pem: bytes = field(repr=False)
    """The municipality's key, which signs the card-face record; one for all cards."""
    chip_key_pem: bytes = field(repr=False)
    """The card's own key, by which its chip is known."""
    card_authority_pem: bytes = field(repr=False)
    """Signs the certificate over the municipality's key."""
    card_authority_id: bytes
    """Names the authority's key."""


class Authority:
    """Issues cards and enrols terminals; made cheaply, writes nothing before the first request.

    Every method may be called from several threads and processes; all raise StateError or StateDamaged.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._pki = state / "pki"
        self._subjects: dict[str, Subject] = {}
        self._card_keys: dict[str, rsa.RSAPrivateKey] = {}

    def issue(self, person: Person) -> IssuedCard:
        """Return what a person's card holds, the same every time; raises ConfigError for impossible dates."""
        holder = self._holder(person, _AUTHENTICATION)
        signs = _age_at_issue(person) >= SIGNATURE_FROM_AGE
        signer = self._holder(person, _SIGNATURE) if signs else None
        return IssuedCard(
            certificate=holder.der,
            private_key_pem=pem_of(holder.key),
            ca_certificate=self._ca(_AUTHENTICATION).der,
            signature_certificate=signer.der if signer else b"",
            signature_private_key_pem=pem_of(signer.key) if signer else b"",
            signature_ca_certificate=self._ca(_SIGNATURE).der if signer else b"",
            face_key_pem=pem_of(self._card_key("card-face-key")),
            chip_key_pem=pem_of(self._card_key(f"people/{_identity_hash(person)}-card-chip")),
            card_authority_pem=pem_of(self.card_authority()),
            card_authority_id=CARD_AUTHORITY_ID,
        )

    def card_authority(self, *, past: bool = False) -> rsa.RSAPrivateKey:
        """Return the key that certifies issuers of cards, or the one before it, whose time is over."""
        return self._card_key("card-authority-of-before" if past else "card-authority")

    def certificate_for(self, person: Person) -> bytes:
        """Return a person's user-authentication certificate (DER); raises ConfigError for impossible dates."""
        return self._holder(person, _AUTHENTICATION).der

    def trusted_cas(self) -> list[x509.Certificate]:
        """Return the CAs of user-authentication certificates; the signature CA vouches for no login."""
        return [self._ca(_AUTHENTICATION).certificate]

    def signature_signer(self) -> Subject:
        """Return the CA of signature certificates (署名用) with its key."""
        return self._ca(_SIGNATURE)

    def signature_status_signer(self) -> Subject:
        """Return the responder to which that CA delegated its answers on single certificates."""
        ca = self._ca(_SIGNATURE)
        return self._subject("digital-signature-responder", lambda: _new_responder(ca), ca)

    def signature_certificate_for(self, person: Person, *, make: bool) -> bytes:
        """Return a person's signature certificate (DER); empty for those too young for one.

        Without ``make`` also empty where no card of theirs was made yet.
        """
        if _age_at_issue(person) < SIGNATURE_FROM_AGE:
            return b""
        if not make and not self._holder_path(person, _SIGNATURE).exists():
            return b""
        return self._holder(person, _SIGNATURE).der

    def crl_signer(self) -> Subject:
        """Return the CA of user-authentication certificates with its key: it signs the revocation list itself."""
        return self._ca(_AUTHENTICATION)

    def status_signer(self) -> Subject:
        """Return the responder to which that CA delegated the answers on single certificates (OCSP)."""
        ca = self._ca(_AUTHENTICATION)
        return self._subject("user-authentication-responder", lambda: _new_responder(ca), ca)

    def enrol_auditor(self) -> TerminalKey:
        """Return the key that reads the audit, made at first use."""
        return enrol_auditor(self._state)

    def enrol_terminal(self, terminal_id: str) -> TerminalKey:
        """Return a terminal's key, made when it is not enrolled yet; raises ValueError for an unfit id."""
        return enrol_terminal(self._state, terminal_id)

    def terminal_public_key(self, terminal_id: str) -> rsa.RSAPublicKey | None:
        """Return an enrolled terminal's public key, None for any other id, of whatever characters."""
        return terminal_public_key(self._state, terminal_id)

    def _ca(self, purpose: str) -> Subject:
        return self._subject(f"{purpose.replace(' ', '-')}-ca", lambda: _new_ca(purpose), None)

    def _holder(self, person: Person, purpose: str) -> Subject:
        begin, end = _validity(person)
        ca = self._ca(purpose)
        name = f"people/{_identity_hash(person)}-{purpose.replace(' ', '-')}"
        next_generation = person.card.generation == "next"
        return self._subject(name, lambda: _new_holder(ca, purpose, begin, end, next_generation), ca)

    def _holder_path(self, person: Person, purpose: str) -> Path:
        return self._pki / f"people/{_identity_hash(person)}-{purpose.replace(' ', '-')}.pem"

    def _subject(self, name: str, make: Callable[[], Subject], issuer: Subject | None) -> Subject:
        if name not in self._subjects:
            path = self._pki / f"{name}.pem"
            content = read(path) or write_first(path, lambda: written(make()))
            subject = parsed_subject(path, content)
            check_issuer(path, subject, issuer or subject)
            self._subjects[name] = subject
        return self._subjects[name]

    def _card_key(self, name: str) -> rsa.RSAPrivateKey:
        if name not in self._card_keys:
            self._card_keys[name] = key_of(self._pki / f"{name}.pem")
        return self._card_keys[name]


def _identity_hash(person: Person) -> str:
    """Another holder, or the same one with a renewed certificate, has other keys; PIN and insurance do not count."""
    identity = [person.id, person.name, person.name_kana, person.birth_date.isoformat(), person.sex]
    identity += [person.address, person.certificate.expires.isoformat()]
    if person.card.generation != "current":
        identity.append(person.card.generation)
    if person.certificate.issue > 1:
        identity.append(str(person.certificate.issue))
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]


def _issued_on(expires: date) -> date:
    day = min(expires.day, 28) if expires.month == 2 else expires.day
    return date(expires.year - CERTIFICATE_YEARS, expires.month, day)


def _validity(person: Person) -> tuple[datetime, datetime]:
    expires = person.certificate.expires
    if not CA_BEGIN.year + CERTIFICATE_YEARS <= expires.year < CA_END.year:
        years = f"{CA_BEGIN.year + CERTIFICATE_YEARS} to {CA_END.year - 1}"
        raise ConfigError(f"person {person.id!r}: certificate.expires: {expires}: should be in {years}")
    begin = datetime.combine(_issued_on(expires), time(), JAPAN)
    return begin, datetime.combine(expires, time(23, 59, 59), JAPAN)


def _age_at_issue(person: Person) -> int:
    issued, birth = _issued_on(person.certificate.expires), person.birth_date
    return issued.year - birth.year - ((issued.month, issued.day) < (birth.month, birth.day))


def _ca_name(purpose: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Reception terminal test"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"Test CA for {purpose}"),
        ]
    )


def _new_ca(purpose: str) -> Subject:
    key = new_key()
    builder = _certificate(_ca_name(purpose), _ca_name(purpose), key, key, CA_BEGIN, CA_END)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
    return Subject(key, builder.sign(key, hashes.SHA256()))


def _new_responder(ca: Subject) -> Subject:
    # It signs at every identification; with RSA that took twenty times as long (0.8 ms).
    key = ec.generate_private_key(ec.SECP256R1())
    responder = [x509.NameAttribute(NameOID.COMMON_NAME, "OCSP responder")]
    name = x509.Name([*ca.certificate.subject, *responder])
    builder = _certificate(name, ca.certificate.subject, key, ca.key, CA_BEGIN, CA_END)
    builder = builder.add_extension(key_usage("digital_signature"), critical=True)
    signs_status = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    builder = builder.add_extension(signs_status, critical=False)
    # Nobody asks for the responder's own status.
    builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return Subject(key, builder.sign(ca.key, hashes.SHA256()))


def _new_holder(ca: Subject, purpose: str, begin: datetime, end: datetime, next_generation: bool) -> Subject:
    key: Key = ec.generate_private_key(ec.SECP384R1()) if next_generation else new_key()
    # Random, not derived from the person: the number tells nothing to whoever has only the certificate.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.COMMON_NAME, secrets.token_hex(13).upper()),
        ]
    )
    issuer = ca.certificate.subject
    lists = x509.DistributionPoint([x509.DirectoryName(issuer)], None, None, None)
    notice = x509.UserNotice(None, _NOTICE)
    builder = _certificate(name, issuer, key, ca.key, begin, end)
    builder = builder.add_extension(x509.IssuerAlternativeName([x509.DirectoryName(issuer)]), critical=False)
    builder = builder.add_extension(x509.CRLDistributionPoints([lists]), critical=False)
    policy = x509.PolicyInformation(_POLICY, [notice])
    builder = builder.add_extension(x509.CertificatePolicies([policy]), critical=True)
    match purpose:
        case "user authentication":
            builder = builder.add_extension(key_usage("digital_signature"), critical=True)
            client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
            builder = builder.add_extension(client, critical=False)
        case _:
            usage = key_usage("digital_signature", "content_commitment")
            builder = builder.add_extension(usage, critical=True)
    return Subject(key, builder.sign(ca.key, hashes.SHA256()))


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    issuer_key: Key,
    begin: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    """Start a certificate with what CA and holder have in common."""
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer_key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begin.astimezone(UTC)).not_valid_after(end.astimezone(UTC))
    builder = builder.add_extension(key_id, critical=False)
    return builder.add_extension(issuer_key_id, critical=False)
