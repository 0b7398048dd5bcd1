"""Who is it? Challenges, the chain of certificates, signatures, and what an enrolled terminal vouches for."""

import hashlib
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import ValidationError

from consent import wire
from consent.server.refusal import Refusal

CHALLENGE_LIFE = timedelta(seconds=120)
MAX_CHALLENGES = 10_000
SMALLEST_RSA_BITS = 2048


@dataclass(frozen=True)
class Terminal:
    """An enrolled terminal that asks."""

    id: str
    key: rsa.RSAPublicKey


@dataclass(frozen=True)
class Presented:
    """A certificate as it came, not yet known to belong to anybody."""

    certificate: x509.Certificate
    key: rsa.RSAPublicKey
    fingerprint: str
    """SHA-256 of the DER, in hex."""


@dataclass(frozen=True)
class _Open:
    terminal_id: str
    nonce: bytes
    expires_at: datetime


class Challenges:
    """Challenges that are still open; each serves once, for the terminal that asked, for 120 s."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._open: dict[str, _Open] = {}
        self._spent: dict[str, _Open] = {}
        self._lock = threading.Lock()

    def issue(self, terminal_id: str) -> wire.ChallengeAnswer:
        now = self._clock()
        challenge_id = secrets.token_urlsafe(16)
        challenge = _Open(terminal_id, secrets.token_bytes(32), now + CHALLENGE_LIFE)
        with self._lock:
            # Long past ones go; a recent one is kept to be called expired or used rather than unknown.
            for kept in (self._open, self._spent):
                for old in [key for key, value in kept.items() if value.expires_at + CHALLENGE_LIFE < now]:
                    del kept[old]
            if len(self._open) >= MAX_CHALLENGES:
                raise Refusal(429, "TOO_MANY_CHALLENGES", "too many challenges are open")
            self._open[challenge_id] = challenge
        return wire.ChallengeAnswer(
            id=challenge_id, nonce=wire.to_base64(challenge.nonce), expires_at=challenge.expires_at
        )

    def spend(self, challenge_id: str, terminal_id: str) -> bytes:
        """Return the nonce and never again; raises Refusal."""
        with self._lock:
            known = self._open.get(challenge_id) or self._spent.get(challenge_id)
            # Another terminal's challenge is not told from none, and stays good for its owner.
            if known is None or known.terminal_id != terminal_id:
                raise Refusal(409, "CHALLENGE_UNKNOWN", "there is no such challenge")
            challenge = self._open.pop(challenge_id, None)
            if challenge is None:
                raise Refusal(409, "CHALLENGE_USED", "the challenge was used before")
            self._spent[challenge_id] = challenge
        if self._clock() >= challenge.expires_at:
            raise Refusal(409, "CHALLENGE_EXPIRED", "the challenge is too old")
        return challenge.nonce


def presented(der: bytes) -> Presented:
    """Read a certificate; raises Refusal unless it holds an RSA key that is long enough."""
    words = f"no certificate with an RSA key of {SMALLEST_RSA_BITS} bits or more"
    malformed = Refusal(409, "CERTIFICATE_MALFORMED", words)
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise malformed from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_RSA_BITS:
        raise malformed
    return Presented(certificate, key, hashlib.sha256(der).hexdigest())


def issuer_of(certificate: x509.Certificate, trusted: Sequence[x509.Certificate]) -> x509.Certificate:
    """Return the trusted CA that issued the certificate; raises Refusal."""
    for ca in trusted:
        try:
            certificate.verify_directly_issued_by(ca)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return ca
    raise Refusal(403, "CERTIFICATE_UNTRUSTED", "no trusted authority issued the certificate")


@dataclass(frozen=True)
class Vouched:
    """By whose word the visit is identified, for the audit; empty where the card itself signed."""

    staff: str = ""
    reason: str = ""


def check_proof(
    request: wire.IdentificationRequest, terminal: Terminal, shown: Presented, nonce: bytes
) -> Vouched:
    """Check what proves the identity: the card's signature, or this terminal's signed word; raises Refusal."""
    if request.method in ("pin", "phone"):
        _check_signature(shown.key, request.signature, nonce, "SIGNATURE_INVALID")
        return Vouched()
    text = request.assertion or ""
    _check_signature(terminal.key, request.signature, text.encode("utf-8"), "ASSERTION_SIGNATURE_INVALID")
    kind = wire.TerminalAssertion if request.method == "face" else wire.VisualAssertion
    try:
        assertion = kind.model_validate_json(text)
    except ValidationError:
        raise Refusal(403, "ASSERTION_INVALID", "the assertion is malformed") from None
    stated = (assertion.terminal_id, assertion.visit_id, assertion.nonce, assertion.certificate_sha256)
    if stated != (terminal.id, request.visit_id, wire.to_base64(nonce), shown.fingerprint):
        raise Refusal(403, "ASSERTION_INVALID", "the assertion is about something else")
    if isinstance(assertion, wire.VisualAssertion):
        return Vouched(assertion.staff, assertion.reason)
    return Vouched()


def _check_signature(
    key: rsa.RSAPublicKey,
    signature: str,
    message: bytes,
    code: Literal["SIGNATURE_INVALID", "ASSERTION_SIGNATURE_INVALID"],
) -> None:
    try:
        key.verify(wire.from_base64(signature), message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Refusal(403, code, "the signature does not fit") from None
