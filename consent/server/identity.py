"""Who is it? Challenges, the chain of certificates, signatures, and what an enrolled terminal vouches for."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from pydantic import ValidationError

from consent import wire
from consent.server.refusal import Refusal
from consent.server.store import Store

CHALLENGE_LIFE = timedelta(seconds=120)
SWEPT_EVERY = timedelta(minutes=1)
SPENT_KEPT = timedelta(days=1)
"""Longer than any clock is wrong: a spent challenge that is forgotten must never pass as recent again."""
SMALLEST_RSA_BITS = 2048
CardKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
"""RSA with 2048 bits or more; P-384, the only curve, on cards announced for 2028."""


@dataclass(frozen=True)
class Terminal:
    """An enrolled terminal that asks."""

    id: str
    key: rsa.RSAPublicKey


@dataclass(frozen=True)
class Presented:
    """A certificate as it came, not yet known to belong to anybody."""

    certificate: x509.Certificate
    key: CardKey
    fingerprint: str
    """SHA-256 of the DER, in hex."""


class Challenges:
    """Challenges, each good once, for the terminal that asked, for 120 s.

    An open one is kept nowhere: its id says when it ends, and carries a code by the database's key over that and the
    terminal. So every process of one database knows it, and asking for many fills nothing. Spent ones are kept.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        # Now, since issue() must wait for nothing.
        self._key = store.challenge_key()
        self._swept = clock()

    def issue(self, terminal_id: str) -> wire.ChallengeAnswer:
        expires_at = self._clock() + CHALLENGE_LIFE
        stated = f"{round(expires_at.timestamp() * 1000):x}.{secrets.token_urlsafe(12)}"
        challenge_id = f"{stated}.{self._code('id', terminal_id, stated).hex()[:32]}"
        nonce = self._code("nonce", terminal_id, challenge_id)
        return wire.ChallengeAnswer(id=challenge_id, nonce=wire.to_base64(nonce), expires_at=expires_at)

    def opened(self, challenge_id: str, terminal_id: str) -> bytes:
        """Return the nonce of a challenge that this terminal was given, spent or not; raises Refusal."""
        now = self._clock()
        stated, _, code = challenge_id.rpartition(".")
        # Compared as texts: of two spellings of one code, a spent challenge could be used again.
        ours = hmac.compare_digest(
            code.encode("utf-8", "replace"), self._code("id", terminal_id, stated).hex()[:32].encode()
        )
        # Another terminal's challenge is not told from none, and stays good for its owner.
        ended = datetime.fromtimestamp(int(stated.partition(".")[0], 16) / 1000, now.tzinfo) if ours else now
        if not ours or ended + CHALLENGE_LIFE < now:
            raise Refusal(409, "CHALLENGE_UNKNOWN", "there is no such challenge")
        if now >= ended:
            raise Refusal(409, "CHALLENGE_EXPIRED", "the challenge is too old")
        return self._code("nonce", terminal_id, challenge_id)

    def spend(self, challenge_id: str) -> None:
        """Have an opened challenge never serve again; raises Refusal when it had served before."""
        now = self._clock()
        if not self._store.spend(challenge_id, now):
            raise Refusal(409, "CHALLENGE_USED", "the challenge was used before")
        self._sweep(now)

    def _sweep(self, now: datetime) -> None:
        if now - self._swept > SWEPT_EVERY:
            self._swept = now
            self._store.forget_challenges(now - SPENT_KEPT)

    def _code(self, purpose: str, terminal_id: str, text: str) -> bytes:
        message = "\0".join((purpose, terminal_id, text)).encode("utf-8", "replace")
        return hmac.digest(self._key, message, "sha256")


def presented(der: bytes) -> Presented:
    """Read a certificate; raises Refusal unless it holds an RSA key that is long enough, or one on P-384."""
    words = f"no certificate with an RSA key of {SMALLEST_RSA_BITS} bits or more, or a P-384 key"
    malformed = Refusal(409, "CERTIFICATE_MALFORMED", words)
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise malformed from None
    match key:
        case rsa.RSAPublicKey() if key.key_size >= SMALLEST_RSA_BITS:
            return Presented(certificate, key, hashlib.sha256(der).hexdigest())
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP384R1):
            return Presented(certificate, key, hashlib.sha256(der).hexdigest())
    raise malformed


def issuer_of(
    certificate: x509.Certificate, trusted: Sequence[x509.Certificate], now: datetime
) -> x509.Certificate:
    """Return the trusted CA that issued the certificate; raises Refusal, also for a CA whose time is over.

    Generations of a CA share one name: which of them issued is told by the key id that the certificate names, and
    decided by the signature.
    """
    # To read its extensions takes longer than to verify a signature: only where there is something to choose.
    named = _authority_key_id(certificate) if len(trusted) > 1 else None
    over = False
    for ca in trusted:
        if named is not None and _subject_key_id(ca) not in (None, named):
            continue
        try:
            certificate.verify_directly_issued_by(ca)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        if ca.not_valid_before_utc <= now <= ca.not_valid_after_utc:
            return ca
        # The same key may stand in a renewed certificate of the CA.
        over = True
    if over:
        raise Refusal(
            403, "ISSUER_EXPIRED", "the authority that issued the certificate does not count any more"
        )
    raise Refusal(403, "CERTIFICATE_UNTRUSTED", "no trusted authority issued the certificate")


def _authority_key_id(certificate: x509.Certificate) -> bytes | None:
    try:
        named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None
    return named.value.key_identifier


def _subject_key_id(ca: x509.Certificate) -> bytes | None:
    try:
        return ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None


@dataclass(frozen=True)
class Vouched:
    """By whose word the visit is identified, for the audit; empty where the card itself signed."""

    staff: str = ""
    reason: str = ""
    card_birth_date: str = ""
    """As the record with the photo has it, YYYYMMDD with 00 for what is unknown; empty where it was not read."""


def check_same_person(card_birth_date: str, birth_date: date) -> None:
    """Raise Refusal when the photo's record is of another person than the certificate, as far as that can be told.

    Nothing on a card says that photo and certificate belong together; the birth date is all that both sides know.
    """
    stated = f"{birth_date:%Y%m%d}"
    parts = (slice(0, 4), slice(4, 6), slice(6, 8))
    if any(card_birth_date[part].strip("0") and card_birth_date[part] != stated[part] for part in parts):
        raise Refusal(403, "PHOTO_OF_ANOTHER", "photo and certificate are not of the same person")


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
        return Vouched(assertion.staff, assertion.reason, assertion.card_birth_date)
    return Vouched(card_birth_date=assertion.card_birth_date)


def _check_signature(
    key: CardKey,
    signature: str,
    message: bytes,
    code: Literal["SIGNATURE_INVALID", "ASSERTION_SIGNATURE_INVALID"],
) -> None:
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(wire.from_base64(signature), message, ec.ECDSA(hashes.SHA384()))
        else:
            key.verify(wire.from_base64(signature), message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Refusal(403, code, "the signature does not fit") from None
