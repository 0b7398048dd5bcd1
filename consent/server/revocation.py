"""Which certificates still count: the authority's responder (OCSP) and daily list (CRL), and how the server asks.

The truth is ``[certificate] status`` of the person file. The responder tells it at once, the list from the next
midnight in Japan on. Terminals ask neither: they have no right to (J-LIS answers registered verifiers only). The server
asks its own responder in process, or another one over HTTP.
"""

import base64
import http.client
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NoReturn, Protocol
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from config.person import CertificateState
from consent.attributes.rules import RevocationReason
from consent.enrolment.state_files import Subject
from consent.server.people import Holder, People
from consent.server.refusal import Refusal
from consent.wire import JAPAN

OCSP_PATH = "/ocsp"
ANSWER_TYPE = "application/ocsp-response"
MAX_ANSWER_BYTES = 20_000
ASK_TIMEOUT_S = 2.0
FRESH_FOR = timedelta(hours=1)
CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the responder's clock may be ahead of ours."""

_UNAVAILABLE = "CERTIFICATE_STATUS_UNAVAILABLE"


class RevocationAuthority(Protocol):
    """Who signs answers and lists."""

    def crl_signer(self) -> Subject: ...
    def status_signer(self) -> Subject: ...


class Responder:
    """Answers for the test CA on single certificates, and lists those that no longer count."""

    def __init__(self, people: People, authority: RevocationAuthority, clock: Callable[[], datetime]) -> None:
        self._people = people
        self._authority = authority
        self._clock = clock
        self._list = b""
        self._listed_on: date | None = None
        self._lock = threading.Lock()

    def answer(self, request: bytes) -> bytes:
        """Return the DER answer to a DER request, of whatever bytes (RFC 6960)."""
        try:
            asked = ocsp.load_der_ocsp_request(request)
            algorithm = asked.hash_algorithm
            extensions = asked.extensions
        except (ValueError, TypeError, NotImplementedError, UnsupportedAlgorithm, x509.DuplicateExtension):
            return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        ca, signer = self._authority.crl_signer().certificate, self._authority.status_signer()
        if not isinstance(algorithm, hashes.SHA1 | hashes.SHA256):
            return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if (asked.issuer_name_hash, asked.issuer_key_hash) != _issuer_hashes(ca, algorithm):
            return _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        now = self._clock()
        status, revoked_at, reason = _truth(self._people.find_serial(asked.serial_number))
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=algorithm,
            cert_status=status,
            this_update=now,
            next_update=now + FRESH_FOR,
            revocation_time=revoked_at,
            revocation_reason=reason,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        builder = builder.certificates([signer.certificate])
        for extension in extensions:
            if isinstance(extension.value, x509.OCSPNonce):
                builder = builder.add_extension(extension.value, critical=False)
        answer = builder.sign(signer.key, hashes.SHA256())
        return answer.public_bytes(serialization.Encoding.DER)

    def revocation_list(self) -> bytes:
        """Return the list (DER) of today in Japan; made at the first request of the day, then kept for the day."""
        today = self._clock().astimezone(JAPAN).date()
        with self._lock:
            if self._listed_on != today:
                self._list = self._new_list(datetime(today.year, today.month, today.day, tzinfo=JAPAN))
                self._listed_on = today
            return self._list

    def authority_certificate(self) -> bytes:
        """Return the CA's certificate (DER), with which answers and lists can be checked."""
        return self._authority.crl_signer().der

    def _new_list(self, midnight: datetime) -> bytes:
        ca = self._authority.crl_signer()
        builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
        builder = builder.last_update(midnight).next_update(midnight + timedelta(days=1))
        for holder in self._people.everyone():
            _, revoked_at, reason = _truth(holder.as_of(midnight))
            if holder.certificate and revoked_at and reason:
                entry = x509.RevokedCertificateBuilder().serial_number(holder.certificate.serial_number)
                entry = entry.revocation_date(revoked_at).add_extension(
                    x509.CRLReason(reason), critical=False
                )
                builder = builder.add_revoked_certificate(entry.build())
        key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
        builder = builder.add_extension(key_id, critical=False)
        builder = builder.add_extension(x509.CRLNumber(midnight.toordinal()), critical=False)
        return builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class StatusQuestion:
    """Asks a responder for a certificate's status, as the national system asks J-LIS; ``fetch``: question to answer.

    Nothing is kept: each question has a nonce of its own, and gets an answer of its own.
    """

    def __init__(self, fetch: Callable[[bytes], bytes], clock: Callable[[], datetime]) -> None:
        self._fetch = fetch
        self._clock = clock

    def ask(self, certificate: x509.Certificate, ca: x509.Certificate) -> CertificateState:
        """Return the status; raises Refusal (503) when no answer comes that can be believed."""
        nonce = secrets.token_bytes(16)
        builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, ca, hashes.SHA256())
        request = builder.add_extension(x509.OCSPNonce(nonce), critical=False).build()
        content = self._fetch(request.public_bytes(serialization.Encoding.DER))
        return believed_status(content, certificate, ca, nonce, self._clock())


class HttpResponder:
    """A responder that is another program, asked over HTTP; safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        # Connections that were used, for whoever asks next; a new one each time costs as much as the answer.
        self._resting: deque[http.client.HTTPConnection] = deque()

    def answer(self, request: bytes) -> bytes:
        """Return what it answers (DER); raises Refusal (503) when no answer comes."""
        try:
            try:
                kept = self._resting.pop()
            except IndexError:
                return self._fetched_by(self._line(), request)
            try:
                return self._fetched_by(kept, request)
            except ConnectionError:
                # It had rested for too long, and the responder had closed it.
                return self._fetched_by(self._line(), request)
        except (OSError, http.client.HTTPException):
            unavailable("the responder cannot be reached")

    def _fetched_by(self, line: http.client.HTTPConnection, request: bytes) -> bytes:
        try:
            # In the path (RFC 6960, A.1), so that the question comes as one packet and is answered at once.
            line.request("GET", f"{self._url.path}/{quote(base64.b64encode(request), safe='')}")
            end = time.monotonic() + ASK_TIMEOUT_S
            answer = line.getresponse()
            content = bytearray()
            # Each read is limited by itself; an answer that drips must end, too.
            while len(content) <= MAX_ANSWER_BYTES and time.monotonic() < end and (part := answer.read1()):
                content += part
        except BaseException:
            line.close()
            raise
        # A line whose answer broke off would give its rest to the next question.
        if answer.status != 200 or not (answer.isclosed() or answer.length == 0):
            line.close()
            unavailable("the responder is in trouble")
        answer.close()
        self._resting.append(line)
        return bytes(content)

    def _line(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=ASK_TIMEOUT_S)

    def close(self) -> None:
        """Close the connections that rest."""
        while self._resting:
            self._resting.pop().close()


def believed_status(
    content: bytes, certificate: x509.Certificate, ca: x509.Certificate, nonce: bytes, now: datetime
) -> CertificateState:
    """Return what an OCSP answer says; raises Refusal unless it is fresh, to this question, and rightly signed."""
    try:
        answer = ocsp.load_der_ocsp_response(content)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            unavailable("the responder does not answer this question")
        told = answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        same = answer.serial_number == certificate.serial_number and told == nonce
        algorithm = answer.hash_algorithm
        hashes_match = (answer.issuer_name_hash, answer.issuer_key_hash) == _issuer_hashes(ca, algorithm)
        begin, end = answer.this_update_utc, answer.next_update_utc
        status, reason = answer.certificate_status, answer.revocation_reason
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension):
        unavailable("the responder's answer is not understood")
    if not same or not hashes_match:
        unavailable("the responder's answer is to another question")
    if end is None or not begin - CLOCKS_DIFFER <= now <= end:
        unavailable("the responder's answer is of another time")
    check_signer(answer, ca, now)
    if status is ocsp.OCSPCertStatus.GOOD:
        return "good"
    if status is ocsp.OCSPCertStatus.UNKNOWN:
        return "unknown"
    return "on-hold" if reason is x509.ReasonFlags.certificate_hold else "revoked"


def check_signer(answer: ocsp.OCSPResponse, ca: x509.Certificate, now: datetime) -> None:
    """Accept only a responder that this CA named as one."""
    for signer in answer.certificates:
        key, algorithm = signer.public_key(), answer.signature_hash_algorithm
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(algorithm, hashes.SHA256):
            continue
        try:
            key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm))
        except InvalidSignature:
            continue
        if signer.not_valid_before_utc <= now <= signer.not_valid_after_utc and _named_by(ca, signer):
            return
    unavailable("the answer is not signed by the authority's responder")


@lru_cache(maxsize=16)
def _named_by(ca: x509.Certificate, signer: x509.Certificate) -> bool:
    """Say whether the CA issued the certificate to a responder; kept, since it is the same one for years."""
    try:
        signer.verify_directly_issued_by(ca)
        usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _truth(
    holder: Holder | None,
) -> tuple[ocsp.OCSPCertStatus, datetime | None, x509.ReasonFlags | None]:
    """Return a certificate's status, with when and why it was revoked (here: when it was issued)."""
    if holder is None or holder.certificate is None or holder.status == "unknown":
        return ocsp.OCSPCertStatus.UNKNOWN, None, None
    life = holder.life
    since = (life.since if life else None) or holder.certificate.not_valid_before_utc
    match holder.status:
        case "revoked":
            reason = life.reason if life and life.reason else RevocationReason.CESSATION
            return ocsp.OCSPCertStatus.REVOKED, since, x509.ReasonFlags[reason.value]
        case "on-hold":
            return ocsp.OCSPCertStatus.REVOKED, since, x509.ReasonFlags.certificate_hold
        case _:
            return ocsp.OCSPCertStatus.GOOD, None, None


def _issuer_hashes(ca: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    return _hashes_by(ca, type(algorithm))


@lru_cache(maxsize=16)
def _hashes_by(ca: x509.Certificate, kind: type[hashes.HashAlgorithm]) -> tuple[bytes, bytes]:
    """Name the CA as OCSP does; kept, since it is the same one for years."""
    name, key = hashes.Hash(kind()), hashes.Hash(kind())
    name.update(ca.subject.public_bytes())
    key.update(ca.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1))
    return name.finalize(), key.finalize()


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> bytes:
    answer = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    return answer.public_bytes(serialization.Encoding.DER)


def unavailable(words: str) -> NoReturn:
    """Refuse (503), since nothing believable is known of the certificate."""
    raise Refusal(503, _UNAVAILABLE, words) from None
