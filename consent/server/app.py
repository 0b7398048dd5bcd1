"""The HTTP interface of the eligibility server: what is checked, in which order, and the refusals' codes."""

import hashlib
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, NoReturn, Protocol, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from config.person import Person
from consent import wire
from consent.choices import ConsentAnswer, Standing, available_until, questions, recorded, standing
from consent.server.store import ConsentsDiffer, Recorded, Store, Visit, VisitDiffers
from consent.wire import EligibilityStatus

log = logging.getLogger("reception.server")

MAX_BODY_BYTES = 64 * 1024
CHALLENGE_LIFE = timedelta(seconds=120)
MAX_CHALLENGES = 10_000
SMALLEST_RSA_BITS = 2048

AnyMessage = TypeVar("AnyMessage", bound=wire.Message)


class Authority(Protocol):
    """Whose certificates and terminals count; consent.server.certificates has the real one."""

    def certificate_for(self, person: Person) -> bytes: ...
    def trusted_cas(self) -> list[x509.Certificate]: ...
    def terminal_public_key(self, terminal_id: str) -> rsa.RSAPublicKey | None: ...


class Refusal(Exception):
    """A request is refused, with HTTP status, code and words without any of its content."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.answer = wire.ErrorAnswer(code=code, message=message)


@dataclass(frozen=True)
class Terminal:
    """An enrolled terminal that asks."""

    id: str
    key: rsa.RSAPublicKey


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


class People:
    """Finds a person by the certificate's SHA-256."""

    def __init__(self, people: Sequence[Person], authority: Authority) -> None:
        self._authority = authority
        self._left = list(reversed(people))
        self._by_fingerprint: dict[str, Person] = {}
        self._lock = threading.Lock()

    def add_next(self) -> bool:
        """Take up one more person, whose key may have to be made; False when all are known."""
        with self._lock:
            if not self._left:
                return False
            person = self._left[-1]
            fingerprint = person.certificate.sha256
            if not fingerprint:
                fingerprint = hashlib.sha256(self._authority.certificate_for(person)).hexdigest()
            self._by_fingerprint[fingerprint] = self._left.pop()
            return True

    def find(self, fingerprint: str) -> Person | None:
        while (found := self._by_fingerprint.get(fingerprint)) is None and self.add_next():
            pass
        return found


class Service:
    """What the server does, without HTTP; every refusal is a Refusal."""

    def __init__(
        self,
        people: People,
        authority: Authority,
        store: Store,
        clock: Callable[[], datetime],
        grace_months: int,
        trust_cas: Sequence[x509.Certificate],
    ) -> None:
        self._people = people
        self._authority = authority
        self._store = store
        self._clock = clock
        self._grace_months = grace_months
        self._trust_cas = tuple(trust_cas)
        self._challenges = Challenges(clock)

    def enrolled(self, terminal_id: str) -> Terminal:
        key = self._authority.terminal_public_key(terminal_id) if terminal_id else None
        if key is None:
            raise Refusal(403, "TERMINAL_UNKNOWN", f"{wire.TERMINAL_HEADER} names no enrolled terminal")
        return Terminal(terminal_id, key)

    def challenge(self, terminal: Terminal) -> wire.ChallengeAnswer:
        return self._challenges.issue(terminal.id)

    def identify(self, terminal: Terminal, request: wire.IdentificationRequest) -> wire.EligibilityAnswer:
        nonce = self._challenges.spend(request.challenge_id, terminal.id)
        der = wire.from_base64(request.certificate)
        fingerprint = hashlib.sha256(der).hexdigest()
        certificate, key = _loaded(der)
        self._check_chain(certificate)
        if request.method == "face":
            _check_assertion(request, terminal, nonce, fingerprint)
        else:
            _check_signature(key, wire.from_base64(request.signature), nonce, "SIGNATURE_INVALID")
        person = self._people.find(fingerprint)
        if person is None:
            raise Refusal(404, "PERSON_UNKNOWN", "nobody here holds this certificate")
        good_for = self._check_validity(certificate, person, request.method)
        _check_status(person)
        answer = self._eligibility(person, good_for, request)
        visit = Visit(
            visit_id=request.visit_id,
            terminal_id=terminal.id,
            certificate_sha256=fingerprint,
            method=request.method,
            status=answer.status,
            profile=request.profile,
            questions=answer.questions,
            identified_at=self._clock(),
        )
        try:
            self._store.keep_visit(visit)
        except VisitDiffers:
            raise Refusal(409, "VISIT_DIFFERS", "this visit id belongs to another visit") from None
        return answer

    def record(
        self, terminal: Terminal, visit_id: str, idempotency_key: str, request: wire.ConsentsRequest
    ) -> wire.ConsentsAnswer:
        if idempotency_key != visit_id:
            raise Refusal(400, "IDEMPOTENCY_KEY_INVALID", f"{wire.IDEMPOTENCY_HEADER} must be the visit's id")
        visit = self._store.visit(visit_id)
        if visit is None:
            raise _visit_unknown()
        if visit.terminal_id != terminal.id:
            raise Refusal(403, "VISIT_OF_OTHER_TERMINAL", "another terminal identified this visit")
        asked = {item: answer for item, answer in request.answers.items() if item in visit.questions}
        covered = recorded(asked, visit.profile)
        for item, answer in request.answers.items():
            # To decline what was not asked is harmless; to give it is not.
            if answer is ConsentAnswer.GIVEN and covered.get(item) is not ConsentAnswer.GIVEN:
                raise Refusal(422, "CONSENT_NOT_ASKED", f"{item} was not asked")
        now = self._clock()
        answers = recorded(request.answers, visit.profile)
        try:
            stands = self._store.record(
                visit_id, Recorded(dict(request.answers), answers, now, available_until(now))
            )
        except ConsentsDiffer:
            raise Refusal(409, "CONSENTS_DIFFER", "other consents are recorded for this visit") from None
        return wire.ConsentsAnswer(recorded_at=stands.recorded_at, available_until=stands.available_until)

    def visit(self, visit_id: str) -> wire.VisitAnswer:
        found = self._store.records(visit_id)
        if not found:
            raise _visit_unknown()
        return found[0]

    def visits(self) -> wire.VisitsAnswer:
        return wire.VisitsAnswer(visits=self._store.records())

    def _check_chain(self, certificate: x509.Certificate) -> None:
        for ca in (*self._authority.trusted_cas(), *self._trust_cas):
            try:
                certificate.verify_directly_issued_by(ca)
            except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
                continue
            return
        raise Refusal(403, "CERTIFICATE_UNTRUSTED", "no trusted authority issued the certificate")

    def _check_validity(self, certificate: x509.Certificate, person: Person, method: wire.Method) -> Standing:
        now = self._clock()
        if now < certificate.not_valid_before_utc:
            raise Refusal(403, "CERTIFICATE_NOT_YET_VALID", "the certificate is not valid yet")
        # No certificate outlives the card it belongs to, and one on a phone ends without grace.
        expires = min(certificate.not_valid_after_utc.astimezone(wire.JAPAN).date(), person.card.expires)
        on_phone = method == "phone" or person.card.kind.startswith("phone-")
        grace = None if on_phone else self._grace_months
        good_for = standing(expires, now.astimezone(wire.JAPAN).date(), grace)
        if good_for is Standing.EXPIRED:
            raise Refusal(403, "CERTIFICATE_EXPIRED", "the certificate has expired")
        return good_for

    def _eligibility(
        self, person: Person, good_for: Standing, request: wire.IdentificationRequest
    ) -> wire.EligibilityAnswer:
        insurance = person.insurance
        status = EligibilityStatus(insurance.validity)
        if not insurance.registered:
            status = EligibilityStatus.UNREGISTERED
        found = status in (EligibilityStatus.VALID, EligibilityStatus.INVALID, EligibilityStatus.SUPERSEDED)
        asked = questions(
            request.profile,
            person.birth_date,
            self._clock().astimezone(wire.JAPAN).date(),
            good_for,
            request.facility,
        )
        return wire.EligibilityAnswer(
            status=status,
            standing=good_for,
            # Without valid insurance there is no record that could be looked at.
            questions=asked if status is EligibilityStatus.VALID else (),
            name=person.name,
            name_kana=person.name_kana,
            birth_date=person.birth_date,
            insurer_number=insurance.insurer_number if found else "",
            symbol=insurance.symbol if found else "",
            number=insurance.number if found else "",
            branch=insurance.branch if found else "",
            share=insurance.share if found else None,
            limit_category=insurance.limit_category if found else "",
        )


def make_app(service: Service) -> FastAPI:
    """Put the service behind HTTP."""
    app = FastAPI(openapi_url=None)

    async def body(request: Request) -> bytes:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_BODY_BYTES:
                raise Refusal(413, "BODY_TOO_LONG", f"a request has at most {MAX_BODY_BYTES} bytes")
        return bytes(content)

    def enrolled(terminal_id: Annotated[str, Header(alias=wire.TERMINAL_HEADER)] = "") -> Terminal:
        return service.enrolled(terminal_id)

    body_of = Annotated[bytes, Depends(body)]
    asking = Annotated[Terminal, Depends(enrolled)]
    idempotency = Annotated[str, Header(alias=wire.IDEMPOTENCY_HEADER)]

    @app.get("/health")
    def health() -> Response:
        return Response('{"status":"ok"}', media_type="application/json")

    @app.post("/v1/challenges")
    def challenges(terminal: asking) -> Response:
        return _answer(service.challenge(terminal))

    @app.post("/v1/identifications")
    def identifications(terminal: asking, content: body_of) -> Response:
        return _answer(service.identify(terminal, _read(content, wire.IdentificationRequest)))

    @app.put("/v1/visits/{visit_id}/consents")
    def consents(visit_id: str, terminal: asking, content: body_of, key: idempotency = "") -> Response:
        return _answer(service.record(terminal, visit_id, key, _read(content, wire.ConsentsRequest)))

    @app.get("/v1/visits/{visit_id}", dependencies=[Depends(enrolled)])
    def visit(visit_id: str) -> Response:
        return _answer(service.visit(visit_id))

    @app.get("/v1/visits", dependencies=[Depends(enrolled)])
    def visits() -> Response:
        return _answer(service.visits())

    @app.exception_handler(Refusal)
    def refused(_request: Request, refusal: Refusal) -> Response:
        log.info("refused: %s", refusal.answer.code)
        return _answer(refusal.answer, refusal.status)

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, _error: RequestValidationError) -> Response:
        return _answer(wire.ErrorAnswer(code="REQUEST_INVALID", message="the request is malformed"), 422)

    @app.exception_handler(HTTPException)
    def no_route(_request: Request, error: HTTPException) -> Response:
        code = {404: "PATH_UNKNOWN", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "REQUEST_INVALID")
        return _answer(wire.ErrorAnswer(code=code, message="there is no such thing here"), error.status_code)

    @app.exception_handler(Exception)
    def broken(_request: Request, error: Exception) -> Response:
        # The error's text may hold what must not be logged.
        log.error("a request failed: %s", type(error).__name__)
        return _answer(wire.ErrorAnswer(code="SERVER_ERROR", message="the server failed"), 500)

    return app


def _answer(message: wire.Message, status: int = 200) -> Response:
    return Response(message.model_dump_json(), status, media_type="application/json")


def _read(content: bytes, expected: type[AnyMessage]) -> AnyMessage:
    try:
        return expected.model_validate_json(content)
    except ValidationError as error:
        # Only the names of fields and what is expected there; never the content.
        places = [".".join(map(str, mistake["loc"][:1])) for mistake in error.errors(include_input=False)]
        known = [place for place in places if place in expected.model_fields]
        words = ", ".join(dict.fromkeys(known)) or "the body"
        raise Refusal(422, "REQUEST_INVALID", f"not as expected: {words}") from None


def _visit_unknown() -> Refusal:
    return Refusal(404, "VISIT_UNKNOWN", "there is no such visit")


def _loaded(der: bytes) -> tuple[x509.Certificate, rsa.RSAPublicKey]:
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        _malformed()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_RSA_BITS:
        _malformed()
    return certificate, key


def _malformed() -> NoReturn:
    raise Refusal(
        422, "CERTIFICATE_MALFORMED", f"no certificate with an RSA key of {SMALLEST_RSA_BITS} bits or more"
    ) from None


def _check_signature(key: rsa.RSAPublicKey, signature: bytes, message: bytes, code: str) -> None:
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Refusal(403, code, "the signature does not fit") from None


def _check_assertion(
    request: wire.IdentificationRequest,
    terminal: Terminal,
    nonce: bytes,
    fingerprint: str,
) -> None:
    """Accept the terminal's word only for this visit, challenge and certificate."""
    text = request.assertion or ""
    signature = wire.from_base64(request.signature)
    _check_signature(terminal.key, signature, text.encode("utf-8"), "ASSERTION_SIGNATURE_INVALID")
    try:
        assertion = wire.TerminalAssertion.model_validate_json(text)
    except ValidationError:
        raise Refusal(403, "ASSERTION_INVALID", "the assertion is malformed") from None
    stated = (
        assertion.terminal_id,
        assertion.visit_id,
        assertion.nonce,
        assertion.certificate_sha256,
    )
    if stated != (terminal.id, request.visit_id, wire.to_base64(nonce), fingerprint):
        raise Refusal(403, "ASSERTION_INVALID", "the assertion is about something else")


def _check_status(person: Person) -> None:
    """Ask the (mock) responder of the authority for the certificate's status."""
    match person.certificate.status:
        case "good":
            return
        case "revoked":
            raise Refusal(403, "CERTIFICATE_REVOKED", "the certificate was revoked")
        case "on-hold":
            raise Refusal(403, "CERTIFICATE_ON_HOLD", "the certificate is on hold")
        case "unknown":
            raise Refusal(403, "CERTIFICATE_STATUS_UNKNOWN", "the certificate's status is unknown")
