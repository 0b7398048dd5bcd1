"""Questions over HTTP to the eligibility server: each in its time, none answered by more than fits, every end typed."""

import logging
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from pydantic import ValidationError
from urllib3.connection import HTTPConnection, HTTPSConnection

from config import Server
from consent import wire
from consent.eligibility.errors import (
    BadAnswer,
    EligibilityError,
    Refused,
    TimedOut,
    Unreachable,
    Untrusted,
)
from consent.signatures import Identity, sign

MAX_ANSWER_BYTES = 1_000_000
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0
REQUEST = 6
"""Log level of one line per request: method, path, status and ms; below DEBUG, as the trace of the card is."""

_log = logging.getLogger("reception.eligibility")
TOO_MANY_REQUESTS = 429
"""From a server that has too much to do, like a 5xx: nothing was done, and asking later may help."""

AnyMessage = TypeVar("AnyMessage", bound=wire.Message)


class Transport:
    """Asks one server in the name of one terminal; every call raises EligibilityError and ends within the budget."""

    def __init__(self, settings: Server, identity: Identity) -> None:
        self._settings = settings
        self._closed = threading.Event()
        self.session = requests.Session()
        # Proxies and .netrc of the machine's user have no say in where patients' data goes.
        self.session.trust_env = False
        self.session.auth = SignedBy(identity)
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _Adapter())
        if settings.ca:
            self.session.verify = settings.ca
        if settings.cert:
            self.session.cert = (settings.cert, settings.key or settings.cert)
        self._unusable = _unusable(settings) if settings.url.startswith("https") else ""

    def ask(
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
                status, content = self.once(method, path, body, headers, deadline)
                try:
                    return _parsed(status, content, expected)
                finally:
                    content[:] = bytes(len(content))
            except (Unreachable, TimedOut, BadAnswer):
                harmless = retry or idempotency_key is not None
                if not harmless or time.monotonic() + pause >= deadline:
                    raise
            if self._closed.wait(pause):
                raise Unreachable("the connection to the eligibility server was closed")
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> tuple[int, bytearray]:
        """Ask once; return the answer's status and its body."""
        status, content, _ = self._request(method, path, body, headers, deadline)
        return status, content

    def says_ok(self, path: str, within_s: float = float("inf")) -> bool:
        """Say whether the server answers with 200, whatever else it says; never raises EligibilityError."""
        deadline = time.monotonic() + min(within_s, self._settings.budget_s)
        try:
            return self.once("GET", path, b"", {}, deadline)[0] == 200
        except EligibilityError:
            return False

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
        self.session.close()

    def _request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> tuple[int, bytearray, str]:
        """Ask once; return the answer's status, its body and its Date."""
        if self._unusable:
            # It may have been put right meanwhile.
            self._unusable = _unusable(self._settings)
        if self._unusable:
            raise Untrusted(self._unusable)
        began, came_of_it = time.monotonic(), "no answer"
        try:
            answer = self._exchange(method, path, body, headers, deadline)
            came_of_it = str(answer[0])
            return answer
        except EligibilityError as error:
            came_of_it = type(error).__name__
            raise
        finally:
            ms = (time.monotonic() - began) * 1000
            _log.log(REQUEST, "%s %s: %s, %.1f ms", method, path, came_of_it, ms)

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> tuple[int, bytearray, str]:
        left = max(deadline - time.monotonic(), 0.01)
        timeout = (min(self._settings.connect_timeout_s, left), min(self._settings.read_timeout_s, left))
        # An answer that drips must leave time for another try.
        deadline = min(deadline, time.monotonic() + sum(timeout))
        try:
            with self.session.request(
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
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise _told(error, self._settings) from None

    def _deadline(self) -> float:
        return time.monotonic() + self._settings.budget_s


class SignedBy(requests.auth.AuthBase):
    """Signs each request of a terminal; /health and /ready are open to anybody, and are asked without a key."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if urlsplit(str(request.url)).path not in ("/health", "/ready"):
            body = request.body or b""
            sign(request, body if isinstance(body, bytes) else body.encode(), self.identity)
        return request


# --- Within its time --------------------------------------------------------------------------------------------


@contextmanager
def _in_time(connection: HTTPConnection) -> Iterator[None]:
    """Have what goes on end with the connection's timeout; a socket's own begins anew with every byte that comes."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError, AttributeError):
            # Below TLS, which could not be ended from another thread.
            socket.shutdown(connection.sock, SHUT_RDWR)

    timer = threading.Timer(connection.timeout or 0.0, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError("timed out")


class _Connection(HTTPConnection):
    def getresponse(self) -> Any:
        with _in_time(self):
            return super().getresponse()


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        with _in_time(self):
            super().connect()

    def getresponse(self) -> Any:
        with _in_time(self):
            return super().getresponse()


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *given: Any, **settings: Any) -> None:
        super().init_poolmanager(*given, **settings)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _content(response: requests.Response, deadline: float) -> bytearray:
    """Read the body into one buffer, which who parses it wipes; a server that drips or floods is left."""
    content = bytearray()
    while chunk := response.raw.read1(65_536, decode_content=True):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise BadAnswer(f"the eligibility server's answer is longer than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TimedOut("the eligibility server did not finish its answer in time")
    return content


# --- What came of it --------------------------------------------------------------------------------------------


def _parsed(status: int, content: bytearray, expected: type[AnyMessage]) -> AnyMessage:
    if status >= 500 or status == TOO_MANY_REQUESTS:
        raise Unreachable(f"the eligibility server is in trouble (HTTP {status})")
    try:
        if status == 200:
            return expected.model_validate_json(content)
        if 400 <= status < 500:
            code = wire.ErrorAnswer.model_validate_json(content).code
            if code in _DISTRUSTED:
                raise Untrusted(_DISTRUSTED[code])
            raise Refused(code)
    except ValidationError:
        # The validation's own words would quote the answer.
        raise BadAnswer(f"the eligibility server's answer (HTTP {status}) is not understood") from None
    raise BadAnswer(f"the eligibility server answered HTTP {status}")


def _unusable(settings: Server) -> str:
    """Say which of the files in [server] cannot be used, which requests tells as a server that is away."""
    own = settings.key or settings.cert
    given = {"ca": settings.ca, "cert": settings.cert, "key": own if settings.cert else ""}
    for key, file in given.items():
        try:
            content = Path(file).read_bytes() if file else b""
            if key == "key" and file:
                load_pem_private_key(content, None)
            elif file:
                load_pem_x509_certificates(content)
        except OSError as error:
            words = error.strerror or type(error).__name__
            return f"a file named by ca, cert or key in [server] cannot be used: {key}: {words}"
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return f"the file named by {key} in [server] holds none that can be used"
    if settings.cert:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_cert_chain(settings.cert, own, password=_no_password)
        except OSError:
            return "the files named by cert and key in [server] do not belong together"
    return ""


def _no_password() -> str:
    """Instead of asking on the console."""
    return ""


def _told(error: Exception, settings: Server) -> EligibilityError:
    """Return what an error of requests, of urllib3 below it, or of the system means."""
    words = str(error)
    if isinstance(error, requests.ConnectionError):
        # Some read timeouts arrive dressed as connection errors.
        if "Read timed out" in words:
            return TimedOut("the eligibility server did not answer in time")
        if distrust := _distrust(words, settings):
            return Untrusted(distrust)
        return Unreachable("the eligibility server cannot be reached")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return TimedOut("the eligibility server did not answer in time")
    if isinstance(error, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.ProtocolError):
        return Unreachable("the connection to the eligibility server broke")
    if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError):
        if distrust := _distrust(words, settings):
            return Untrusted(distrust)
        return BadAnswer(f"the eligibility server's answer is no HTTP ({type(error).__name__})")
    return Untrusted("a file named by ca, cert or key in [server] cannot be used")


_DISTRUSTED = {
    wire.TLS_REQUIRED: "the server speaks TLS only: its address in [server] must begin with https",
    "TERMINAL_CERTIFICATE_MISSING": "the server wants a certificate from this terminal",
    "TERMINAL_CERTIFICATE_UNTRUSTED": "the server does not know who issued this terminal's certificate",
    "TERMINAL_CERTIFICATE_EXPIRED": "the server says that this terminal's certificate has expired",
    "TERMINAL_CERTIFICATE_NAMELESS": "the server finds no name in this terminal's certificate",
}
"""What a server, or its front, says of who asks, in our words."""
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
