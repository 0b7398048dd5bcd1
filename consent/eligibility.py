"""The terminal's end of eligibility confirmation (オンライン資格確認): asks the server, believes nothing unchecked."""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import requests
import urllib3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import ValidationError

from config import Consents, Profile, Server, Site
from consent import wire
from consent.choices import (
    Checkup,
    ConsentAnswer,
    EligibilityStatus,
    Item,
    PrescriptionForm,
    Standing,
    VisualReason,
)

__all__ = [
    "BadAnswer",
    "Challenge",
    "CounterDetails",
    "Eligibility",
    "EligibilityClient",
    "EligibilityError",
    "EligibilityStatus",
    "Receipt",
    "Refused",
    "TerminalIdentity",
    "TimedOut",
    "Unreachable",
    "Untrusted",
    "VisitRecord",
    "VisitResult",
]

MAX_ANSWER_BYTES = 1_000_000
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0

AnyMessage = TypeVar("AnyMessage", bound=wire.Message)


class EligibilityError(Exception):
    """The server could not be asked, or did not do what was asked."""


class Unreachable(EligibilityError):
    """No connection, a connection that broke, or a server in trouble (5xx)."""


class Untrusted(Unreachable):
    """Terminal and server did not come to trust each other (TLS); ``str()`` says which certificate was not taken."""


class TimedOut(EligibilityError):
    """The server did not answer in time."""


class Refused(EligibilityError):
    """The server understood and said no; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the eligibility server refused: {code}")
        self.code = code


class BadAnswer(EligibilityError):
    """The server's answer is not what it should be."""


class TerminalIdentity(Protocol):
    """Who this terminal is to the server, with the key enrolled there."""

    @property
    def id(self) -> str: ...
    @property
    def private_key(self) -> rsa.RSAPrivateKey: ...


@dataclass(frozen=True)
class Challenge:
    """A number used once, to be signed by the card."""

    id: str
    nonce: bytes
    expires_at: datetime


@dataclass(frozen=True)
class CounterDetails:
    """What only the counter may see; the repr shows none of it."""

    name: str = field(repr=False)
    name_kana: str = field(repr=False)
    birth_date: date = field(repr=False)
    insurer_number: str = field(repr=False)
    symbol: str = field(repr=False)
    number: str = field(repr=False)
    branch: str = field(repr=False)
    share: int | None = field(repr=False)
    """The patient's part of the cost in percent; None where no insurance was found."""
    limit_category: str = field(repr=False)
    reference_number: str = field(default="", repr=False)
    """The facility's own chart number; empty when none is registered."""


@dataclass(frozen=True)
class Eligibility:
    """The server's answer to an identification."""

    status: EligibilityStatus
    questions: tuple[Item, ...]
    standing: Standing
    counter: CounterDetails = field(repr=False)
    card_use_offered: bool = False
    """The card's use as insurance card must be applied for first: answer_card_use()."""
    bundled: bool = False
    """包括同意, one answer for all questions, is offered beside one by one."""
    checkup: Checkup | None = None
    prescription_offered: bool = False


@dataclass(frozen=True)
class Receipt:
    """The consents are recorded."""

    recorded_at: datetime
    available_until: datetime
    limit_category: str = field(default="", repr=False)
    """For the counter; empty when 限度額情報 is not provided."""


@dataclass(frozen=True)
class VisitRecord:
    """What the server keeps of a visit."""

    visit_id: str
    terminal_id: str
    method: wire.Method
    status: EligibilityStatus
    identified_at: datetime
    answers: Mapping[Item, ConsentAnswer]
    recorded_at: datetime | None
    available_until: datetime | None
    card_use: ConsentAnswer | None = None
    """What was answered to the offer of card-use registration."""
    prescription: PrescriptionForm | None = None


@dataclass(frozen=True)
class VisitResult:
    """What the receipt computer is told of one visit."""

    visit: VisitRecord
    institution_code: str
    limit_provided: bool
    """限度額情報 goes to the facility: by consent, or without a question in profile ``current``."""
    qualification: wire.Qualification | None = field(repr=False)
    """None where no qualification, or more than one, was found, or the card's use is not registered."""


class EligibilityClient:
    """Asks one eligibility server; every call raises EligibilityError and ends within the configured budget."""

    def __init__(
        self,
        settings: Server,
        identity: TerminalIdentity,
        profile: Profile = "leaflet-2023",
        consents: Consents | None = None,
        site: Site | None = None,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._profile: Profile = profile
        self._facility = consents or Consents()
        self._site = site or Site()
        self._closed = threading.Event()
        self._session = requests.Session()
        # Proxies and .netrc of the machine's user have no say in where patients' data goes.
        self._session.trust_env = False
        self._session.headers[wire.TERMINAL_HEADER] = identity.id
        if settings.ca:
            self._session.verify = settings.ca
        if settings.cert:
            self._session.cert = (settings.cert, settings.key or settings.cert)

    def challenge(self) -> Challenge:
        """Fetch a challenge for one identification."""
        answer = self._ask("POST", "/v1/challenges", wire.ChallengeAnswer)
        return Challenge(answer.id, wire.from_base64(answer.nonce), answer.expires_at)

    def identify_by_pin(
        self, visit_id: str, challenge: Challenge, certificate: bytes, signature: bytes
    ) -> Eligibility:
        """Identify by the card's signature over the challenge's nonce (RSA PKCS#1 v1.5, SHA-256)."""
        return self._identify(visit_id, challenge, certificate, "pin", signature, None)

    def identify_by_phone(
        self, visit_id: str, challenge: Challenge, certificate: bytes, signature: bytes
    ) -> Eligibility:
        """Identify by the signature of the certificate on a smartphone, as by PIN; such a one has no grace."""
        return self._identify(visit_id, challenge, certificate, "phone", signature, None)

    def identify_by_face(
        self, visit_id: str, challenge: Challenge, certificate: bytes, distance: float
    ) -> Eligibility:
        """Identify by this terminal's signed word that the photo of the card matched at ``distance``."""
        assertion = wire.TerminalAssertion(
            **self._about(visit_id, challenge, certificate),
            statement=wire.FACE_STATEMENT,
            distance=float(distance),
        )
        return self._vouch(visit_id, challenge, certificate, "face", assertion)

    def identify_by_sight(
        self,
        visit_id: str,
        challenge: Challenge,
        certificate: bytes,
        staff: str,
        reason: VisualReason,
    ) -> Eligibility:
        """Identify by staff who compared the patient with the card's photo (目視確認).

        ``staff`` is an id of the facility's own, no name; both go into the server's audit. Raises ValueError when they
        are not as the wire has them.
        """
        assertion = wire.VisualAssertion(
            **self._about(visit_id, challenge, certificate),
            statement=wire.VISUAL_STATEMENT,
            staff=staff,
            reason=reason,
        )
        return self._vouch(visit_id, challenge, certificate, "visual", assertion)

    def answer_card_use(self, visit_id: str, answer: ConsentAnswer) -> Eligibility:
        """Answer the offer of card-use registration (利用申込), once; a yes brings the questions."""
        told = self._ask(
            "PUT",
            f"{_visit_path(visit_id)}/card-use",
            wire.EligibilityAnswer,
            wire.CardUseRequest(answer=answer),
            idempotency_key=visit_id,
        )
        return _eligibility(told)

    def send_consents(
        self,
        visit_id: str,
        answers: Mapping[Item, ConsentAnswer],
        prescription: PrescriptionForm | None = None,
    ) -> Receipt:
        """Record the answers exactly once, however often the connection breaks inside the budget."""
        answer = self._ask(
            "PUT",
            f"{_visit_path(visit_id)}/consents",
            wire.ConsentsAnswer,
            wire.ConsentsRequest(answers=dict(answers), prescription=prescription),
            idempotency_key=visit_id,
        )
        return Receipt(answer.recorded_at, answer.available_until, answer.limit_category)

    def visit(self, visit_id: str) -> VisitRecord | None:
        """Fetch the record of a visit; None when the server knows none."""
        try:
            return _visit_record(self._ask("GET", _visit_path(visit_id), wire.VisitAnswer))
        except Refused as refusal:
            if refusal.code == "VISIT_UNKNOWN":
                return None
            raise

    def result(self, visit_id: str) -> VisitResult:
        """Fetch what the receipt computer is told of a visit that this terminal identified; also after a restart."""
        answer = self._ask("GET", f"{_visit_path(visit_id)}/result", wire.ResultAnswer, retry=True)
        return VisitResult(
            visit=_visit_record(answer.visit),
            institution_code=answer.institution_code,
            limit_provided=answer.limit_provided,
            qualification=answer.qualification,
        )

    def insured(self, query: wire.InsuredQuery) -> tuple[EligibilityStatus, wire.Qualification | None]:
        """Fetch the qualification of a person by the numbers of the insurance, for the receipt computer's request."""
        answer = self._ask("POST", "/v1/insured", wire.InsuredAnswer, query, retry=True)
        return answer.status, answer.qualification

    def register_reference(self, request: wire.ReferenceRequest) -> None:
        """Register this facility's chart number (ReferenceNumber) of a person; again does no harm."""
        self._ask("PUT", "/v1/reference-numbers", wire.DoneAnswer, request, retry=True)

    def audit(self) -> tuple[wire.AuditEntry, ...]:
        """Fetch the newest entries of the server's audit log, oldest first; nothing personal is in it."""
        return self._ask("GET", "/v1/audit", wire.AuditAnswer).entries

    def health(self) -> bool:
        """Say whether the server answers; never raises EligibilityError."""
        try:
            return self._once("GET", "/health", b"", {}, self._deadline())[0] == 200
        except EligibilityError:
            return False

    def ready(self, within_s: float) -> bool:
        """Say whether the server can serve a visit now, its database too; never raises EligibilityError."""
        deadline = time.monotonic() + min(within_s, self._settings.budget_s)
        try:
            return self._once("GET", "/ready", b"", {}, deadline)[0] == 200
        except EligibilityError:
            return False

    def another(self) -> "EligibilityClient":
        """Return a client of the same server for another thread, with a connection of its own."""
        return EligibilityClient(self._settings, self._identity, self._profile, self._facility, self._site)

    def clock_ahead_s(self) -> float:
        """Return how many seconds the server's clock is ahead of this machine's, to 1 s (HTTP's Date)."""
        began = time.time()
        _, _, told = self._request("GET", "/health", b"", {}, self._deadline())
        middle = (began + time.time()) / 2
        try:
            return parsedate_to_datetime(told).timestamp() + 0.5 - middle
        except ValueError:
            raise BadAnswer("the eligibility server does not tell its time") from None

    def close(self) -> None:
        """End; a call that waits for its next try in another thread ends too."""
        self._closed.set()
        self._session.close()

    def _identify(
        self,
        visit_id: str,
        challenge: Challenge,
        certificate: bytes,
        method: wire.Method,
        signature: bytes,
        assertion: str | None,
    ) -> Eligibility:
        request = wire.IdentificationRequest(
            visit_id=visit_id,
            challenge_id=challenge.id,
            method=method,
            certificate=wire.to_base64(certificate),
            signature=wire.to_base64(signature),
            assertion=assertion,
            profile=self._profile,
            facility=self._facility,
            facility_kind=self._site.facility_kind,
            institution_code=self._site.institution_code,
        )
        return _eligibility(self._ask("POST", "/v1/identifications", wire.EligibilityAnswer, request))

    def _about(self, visit_id: str, challenge: Challenge, certificate: bytes) -> dict[str, Any]:
        """Return what binds an assertion to this terminal, visit, challenge and certificate."""
        return {
            "terminal_id": self._identity.id,
            "visit_id": visit_id,
            "nonce": wire.to_base64(challenge.nonce),
            "certificate_sha256": hashlib.sha256(certificate).hexdigest(),
            "time": wire.japan_now(),
        }

    def _vouch(
        self,
        visit_id: str,
        challenge: Challenge,
        certificate: bytes,
        method: wire.Method,
        assertion: wire.Assertion,
    ) -> Eligibility:
        text = assertion.canonical()
        signature = self._identity.private_key.sign(text.encode("utf-8"), padding.PKCS1v15(), hashes.SHA256())
        return self._identify(visit_id, challenge, certificate, method, signature, text)

    def _ask(
        self,
        method: str,
        path: str,
        expected: type[AnyMessage],
        message: wire.Message | None = None,
        *,
        idempotency_key: str | None = None,
        retry: bool = False,
    ) -> AnyMessage:
        """Ask, and again only where that is harmless: with an idempotency key, or by its nature (``retry``).

        There, whatever became of the answer, asking again is right: the request may have been carried out.
        """
        body = message.model_dump_json().encode("utf-8") if message else b""
        headers = {"Content-Type": "application/json"} if message else {}
        if idempotency_key is not None:
            headers[wire.IDEMPOTENCY_HEADER] = idempotency_key
        deadline = self._deadline()
        pause = FIRST_PAUSE_S
        while True:
            try:
                status, content = self._once(method, path, body, headers, deadline)
                return _parsed(status, content, expected)
            except (Unreachable, TimedOut, BadAnswer):
                harmless = retry or idempotency_key is not None
                if not harmless or time.monotonic() + pause >= deadline:
                    raise
            if self._closed.wait(pause):
                raise Unreachable("the connection to the eligibility server was closed")
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> tuple[int, bytes]:
        status, content, _ = self._request(method, path, body, headers, deadline)
        return status, content

    def _request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> tuple[int, bytes, str]:
        """Ask once; return the answer's status, its body and its Date."""
        left = max(deadline - time.monotonic(), 0.01)
        timeout = (min(self._settings.connect_timeout_s, left), min(self._settings.read_timeout_s, left))
        # An answer that drips must leave time for another try.
        deadline = min(deadline, time.monotonic() + sum(timeout))
        try:
            with self._session.request(
                method,
                self._settings.url.rstrip("/") + path,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = _content(response, deadline)
                kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                if response.status_code == 200 and kind != "application/json":
                    raise BadAnswer("the eligibility server's answer is not JSON")
                return response.status_code, content, response.headers.get("Date", "")
        except (requests.ConnectTimeout, requests.ConnectionError) as error:
            # Some read timeouts arrive dressed as connection errors.
            if "Read timed out" in str(error):
                raise TimedOut("the eligibility server did not answer in time") from None
            if distrust := _distrust(str(error), self._settings):
                raise Untrusted(distrust) from None
            raise Unreachable("the eligibility server cannot be reached") from None
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise TimedOut("the eligibility server did not answer in time") from None
        except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError):
            raise Unreachable("the connection to the eligibility server broke") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if distrust := _distrust(str(error), self._settings):
                raise Untrusted(distrust) from None
            raise BadAnswer(f"the eligibility server's answer is no HTTP ({type(error).__name__})") from None
        except OSError:
            raise Untrusted("a file named by ca, cert or key in [server] cannot be used") from None

    def _deadline(self) -> float:
        return time.monotonic() + self._settings.budget_s


_ALERTS = {
    "alert certificate expired": "the server says that this terminal's certificate has expired",
    "alert unknown ca": "the server does not know who issued this terminal's certificate",
    "alert certificate required": "the server wants a certificate from this terminal",
    "alert bad certificate": "the server does not accept this terminal's certificate",
    "certificate has expired": "the server's certificate has expired",
    "Hostname mismatch": "the server's certificate is for another name",
    "IP address mismatch": "the server's certificate is for another address",
    "certificate verify failed": "the server's certificate is not from the CA of the settings",
    "WRONG_VERSION_NUMBER": "the server does not speak TLS; its address begins with http, or it is another program",
}
"""What OpenSSL says, in our words; the first that fits."""


def _distrust(error: str, settings: Server) -> str:
    """Say what went wrong between two that should have trusted each other; empty for any other error."""
    for words, ours in _ALERTS.items():
        if words.lower() in error.lower().replace("_", " ") or words in error:
            return ours
    closed = "RemoteDisconnected" in error or "ConnectionResetError" in error or "closed connection" in error
    if closed and settings.url.startswith("https"):
        # The alert that says why can be lost when the server closes.
        return "the server ended the connection; it may not accept this terminal's certificate"
    return ""


def _visit_path(visit_id: str) -> str:
    return f"/v1/visits/{quote(visit_id, safe='')}"


def _eligibility(answer: wire.EligibilityAnswer) -> Eligibility:
    counter = CounterDetails(
        name=answer.name,
        name_kana=answer.name_kana,
        birth_date=answer.birth_date,
        insurer_number=answer.insurer_number,
        symbol=answer.symbol,
        number=answer.number,
        branch=answer.branch,
        share=answer.share,
        limit_category=answer.limit_category,
        reference_number=answer.reference_number,
    )
    return Eligibility(
        answer.status,
        answer.questions,
        answer.standing,
        counter,
        card_use_offered=answer.card_use_offered,
        bundled=answer.bundled,
        checkup=answer.checkup,
        prescription_offered=answer.prescription_offered,
    )


def _visit_record(answer: wire.VisitAnswer) -> VisitRecord:
    return VisitRecord(**{name: getattr(answer, name) for name in wire.VisitAnswer.model_fields})


def _content(response: requests.Response, deadline: float) -> bytes:
    """Read the body; a server that drips or floods is left."""
    content = bytearray()
    while chunk := response.raw.read1(65_536, decode_content=True):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise BadAnswer(f"the eligibility server's answer is longer than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TimedOut("the eligibility server did not finish its answer in time")
    return bytes(content)


def _parsed(status: int, content: bytes, expected: type[AnyMessage]) -> AnyMessage:
    if status >= 500:
        raise Unreachable(f"the eligibility server is in trouble (HTTP {status})")
    try:
        if status == 200:
            return expected.model_validate_json(content)
        if 400 <= status < 500:
            raise Refused(wire.ErrorAnswer.model_validate_json(content).code)
    except ValidationError:
        # The validation's own words would quote the answer.
        raise BadAnswer(f"the eligibility server's answer (HTTP {status}) is not understood") from None
    raise BadAnswer(f"the eligibility server answered HTTP {status}")
