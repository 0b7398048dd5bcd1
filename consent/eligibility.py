"""The terminal's end of eligibility confirmation (オンライン資格確認): asks the server, believes nothing unchecked."""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, TypeVar
from urllib.parse import quote

import requests
import urllib3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import ValidationError

from config import Consents, Profile, Server
from consent import wire
from consent.choices import ConsentAnswer, Item, Standing
from consent.wire import EligibilityStatus

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
    "VisitRecord",
]

MAX_ANSWER_BYTES = 1_000_000
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0

AnyMessage = TypeVar("AnyMessage", bound=wire.Message)


class EligibilityError(Exception):
    """The server could not be asked, or did not do what was asked."""


class Unreachable(EligibilityError):
    """No connection, a connection that broke, or a server in trouble (5xx)."""


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


@dataclass(frozen=True)
class Eligibility:
    """The server's answer to an identification."""

    status: EligibilityStatus
    questions: tuple[Item, ...]
    standing: Standing
    counter: CounterDetails = field(repr=False)


@dataclass(frozen=True)
class Receipt:
    """The consents are recorded."""

    recorded_at: datetime
    available_until: datetime


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


class EligibilityClient:
    """Asks one eligibility server; every call raises EligibilityError and ends within the configured budget."""

    def __init__(
        self,
        settings: Server,
        identity: TerminalIdentity,
        profile: Profile = "leaflet-2023",
        consents: Consents | None = None,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._profile: Profile = profile
        self._facility = consents or Consents()
        self._closed = threading.Event()
        self._session = requests.Session()
        # Proxies and .netrc of the machine's user have no say in where patients' data goes.
        self._session.trust_env = False
        self._session.headers[wire.TERMINAL_HEADER] = identity.id

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
            terminal_id=self._identity.id,
            visit_id=visit_id,
            nonce=wire.to_base64(challenge.nonce),
            certificate_sha256=hashlib.sha256(certificate).hexdigest(),
            statement=wire.FACE_STATEMENT,
            distance=float(distance),
            time=wire.japan_now(),
        ).canonical()
        signature = self._identity.private_key.sign(
            assertion.encode("utf-8"), padding.PKCS1v15(), hashes.SHA256()
        )
        return self._identify(visit_id, challenge, certificate, "face", signature, assertion)

    def send_consents(self, visit_id: str, answers: Mapping[Item, ConsentAnswer]) -> Receipt:
        """Record the answers exactly once, however often the connection breaks inside the budget."""
        answer = self._ask(
            "PUT",
            f"/v1/visits/{quote(visit_id, safe='')}/consents",
            wire.ConsentsAnswer,
            wire.ConsentsRequest(answers=dict(answers)),
            idempotency_key=visit_id,
        )
        return Receipt(answer.recorded_at, answer.available_until)

    def visit(self, visit_id: str) -> VisitRecord | None:
        """Fetch the record of a visit; None when the server knows none."""
        try:
            answer = self._ask("GET", f"/v1/visits/{quote(visit_id, safe='')}", wire.VisitAnswer)
        except Refused as refusal:
            if refusal.code == "VISIT_UNKNOWN":
                return None
            raise
        return VisitRecord(
            visit_id=answer.visit_id,
            terminal_id=answer.terminal_id,
            method=answer.method,
            status=answer.status,
            identified_at=answer.identified_at,
            answers=answer.answers,
            recorded_at=answer.recorded_at,
            available_until=answer.available_until,
        )

    def health(self) -> bool:
        """Say whether the server answers; never raises EligibilityError."""
        try:
            return self._once("GET", "/health", b"", {}, self._deadline())[0] == 200
        except EligibilityError:
            return False

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
        )
        answer = self._ask("POST", "/v1/identifications", wire.EligibilityAnswer, request)
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
        )
        return Eligibility(answer.status, answer.questions, answer.standing, counter)

    def _ask(
        self,
        method: str,
        path: str,
        expected: type[AnyMessage],
        message: wire.Message | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> AnyMessage:
        """Ask, and again only where an idempotency key makes that harmless.

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
                if idempotency_key is None or time.monotonic() + pause >= deadline:
                    raise
            if self._closed.wait(pause):
                raise Unreachable("the connection to the eligibility server was closed")
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> tuple[int, bytes]:
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
                return response.status_code, content
        except (requests.ConnectTimeout, requests.ConnectionError) as error:
            # Some read timeouts arrive dressed as connection errors.
            if "Read timed out" in str(error):
                raise TimedOut("the eligibility server did not answer in time") from None
            raise Unreachable("the eligibility server cannot be reached") from None
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise TimedOut("the eligibility server did not answer in time") from None
        except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError):
            raise Unreachable("the connection to the eligibility server broke") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise BadAnswer(f"the eligibility server's answer is no HTTP ({type(error).__name__})") from None

    def _deadline(self) -> float:
        return time.monotonic() + self._settings.budget_s


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
