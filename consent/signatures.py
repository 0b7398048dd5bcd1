"""Requests bound to their sender's key: HTTP message signatures (RFC 9421) over method, path, query, body and time.

A name in a header proves nothing; over plain HTTP it would be all that there is. Both ends know the profile that stands
here: one signature, RSA PKCS#1 v1.5 with SHA-256, the body by its digest (RFC 9530), and a number used once.
"""

import base64
import datetime
import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from cryptography import exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from http_message_signatures import (
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)

from consent.wire import IDEMPOTENCY_HEADER, TERMINAL_HEADER

CLOCKS_MAY_DIFFER = timedelta(seconds=60)
"""How far the sender's clock may be from the receiver's; so long, twice, a request could be sent again."""
_LABEL, _TAG = "terminal", "reception-terminal"
_COVERED = ("@method", "@path", "@query", "content-digest", TERMINAL_HEADER.lower())


class NotSigned(Exception):
    """A request is not its sender's; ``str()`` is the code that says why."""


class Identity(Protocol):
    """Who sends."""

    @property
    def id(self) -> str: ...
    @property
    def private_key(self) -> rsa.RSAPrivateKey: ...


class Unsent(Protocol):
    """A request with an absolute URL whose headers can still be changed, as requests prepares one."""

    @property
    def method(self) -> Any: ...
    @property
    def url(self) -> Any: ...
    @property
    def headers(self) -> Any: ...


@dataclass(frozen=True)
class Headers:
    """The headers of a received request, each line by itself."""

    lines: tuple[tuple[str, str], ...]

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(self.lines)


@dataclass(frozen=True)
class Received:
    """A request as it came; ``target`` is its path with query, still escaped."""

    method: str
    target: str
    headers: Headers

    @property
    def url(self) -> str:
        return f"http://receiver{self.target}"


def sign(request: Unsent, body: bytes, identity: Identity) -> None:
    """Sign a request: who sends it, with which body, now."""
    headers: MutableMapping[str, str] = request.headers
    headers[TERMINAL_HEADER] = identity.id
    headers["Content-Digest"] = digest = _digest_of(body)
    once = headers.get(IDEMPOTENCY_HEADER)
    covered = " ".join(f'"{each}"' for each in (*_COVERED, *(() if once is None else (_ONCE,))))
    params = (
        f'({covered});created={int(time.time())};keyid="{identity.id}";alg="{_Rsa.algorithm_id}"'
        f';nonce="{secrets.token_urlsafe(12)}";tag="{_TAG}"'
    )
    target = urlsplit(str(request.url))
    message = _base(request.method, target.path or "/", target.query, digest, identity.id, once, params)
    signature = identity.private_key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    headers["Signature-Input"] = f"{_LABEL}={params}"
    headers["Signature"] = f"{_LABEL}=:{base64.b64encode(signature).decode()}:"


def _digest_of(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def _base(
    method: str, path: str, query: str, digest: str, terminal_id: str, once: str | None, params: str
) -> bytes:
    """Return what is signed (RFC 9421, 2.5); raises ValueError for what is not ASCII."""
    values = (method, path, f"?{query}", digest, terminal_id)
    lines = [f'"{name}": {value}' for name, value in zip(_COVERED, values, strict=True)]
    lines += [] if once is None else [f'"{_ONCE}": {once}']
    return "\n".join((*lines, f'"@signature-params": {params}')).encode("ascii")


def verify(request: Received, body: bytes, terminal_id: str, key: rsa.RSAPublicKey) -> str:
    """Return the number used once of a request that this sender signed just now; raises NotSigned."""
    nonce = _verified_as_written_here(request, body, terminal_id, key)
    if nonce is not None:
        return nonce
    sent_once = any(name.lower() == _ONCE for name, _ in request.headers.items())
    verifier = _Verifier(signature_algorithm=_Rsa, key_resolver=_Key(terminal_id, key))
    try:
        (result,) = verifier.verify(
            request,
            max_age=timedelta(0),
            expect_tag=_TAG,
            require_components=(*_COVERED, *((_ONCE,) if sent_once else ())),
            body=body,
        )
    except NotSigned:
        raise
    except Exception:  # whatever the library makes of bytes that anybody may send
        raise NotSigned("REQUEST_SIGNATURE_INVALID") from None
    if result.parameters["keyid"] != terminal_id or not result.nonce or len(result.nonce) > 64:
        raise NotSigned("REQUEST_SIGNATURE_INVALID")
    return result.nonce


def _verified_as_written_here(
    request: Received, body: bytes, terminal_id: str, key: rsa.RSAPublicKey
) -> str | None:
    """Return the number of a request that is signed, and written just as sign() writes it; None: ask the library.

    The library reads whatever RFC 9421 allows, which costs ten times what it costs to verify the signature.
    """
    given = dict(request.headers.lines)
    named, signed = (
        _INPUT.fullmatch(given.get("signature-input", "")),
        _SIGNATURE.fullmatch(given.get("signature", "")),
    )
    target = _TARGET.fullmatch(request.target)
    twice = len(given) != len(request.headers.lines)
    if twice or named is None or signed is None or target is None or named["keyid"] != terminal_id:
        return None
    digest, once = _digest_of(body), given.get(_ONCE)
    fresh = abs(time.time() - int(named["created"])) < CLOCKS_MAY_DIFFER.total_seconds() - 1
    same = hmac.compare_digest(given.get("content-digest", "").encode(), digest.encode())
    if not (fresh and same and given.get(_TERMINAL) == terminal_id):
        return None
    if (once is None) != (named["once"] is None) or not (once is None or _PLAIN.fullmatch(once)):
        return None
    path, query, params = target["path"], target["query"] or "", named["params"]
    message = _base(request.method, path, query, digest, terminal_id, once, params)
    try:
        key.verify(base64.b64decode(signed[1]), message, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, exceptions.InvalidSignature):
        return None
    return named["nonce"]


_Rsa = algorithms.RSA_V1_5_SHA256
_TERMINAL, _ONCE = _COVERED[-1], IDEMPOTENCY_HEADER.lower()
_INPUT = re.compile(
    rf"{_LABEL}=(?P<params>\("
    + " ".join(f'"{each}"' for each in _COVERED)
    + rf'(?P<once> "{_ONCE}")?\);created=(?P<created>[0-9]{{1,12}});keyid="(?P<keyid>[A-Za-z0-9_-]+)"'
    + rf';alg="{_Rsa.algorithm_id}";nonce="(?P<nonce>[A-Za-z0-9_-]{{1,64}})";tag="{_TAG}")'
)
_SIGNATURE = re.compile(rf"{_LABEL}=:([A-Za-z0-9+/]+=*):")
_TARGET = re.compile(r"(?P<path>/[A-Za-z0-9/._~-]*)(\?(?P<query>[!-~]*))?")
_PLAIN = re.compile("[!-~]{1,64}")


class Nonces:
    """Remembers the numbers of requests for as long as one could be sent again; the clock is the caller's (s)."""

    KEPT_S = 2 * CLOCKS_MAY_DIFFER.total_seconds() + 1

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._seen: dict[tuple[str, str], float] = {}
        self._swept = 0.0

    def is_new(self, sender: str, nonce: str, now: float) -> bool:
        """Say whether this sender's number comes for the first time, and remember it."""
        with self._turn:
            if now - self._swept > self.KEPT_S:
                self._swept = now
                self._seen = {key: at for key, at in self._seen.items() if now - at <= self.KEPT_S}
            before = len(self._seen)
            self._seen.setdefault((sender, nonce), now)
            return len(self._seen) > before


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = CLOCKS_MAY_DIFFER

    def validate_created_and_expires(self, sig_input: Any, max_age: datetime.timedelta | None = None) -> None:
        try:
            super().validate_created_and_expires(sig_input, max_age)  # type: ignore[no-untyped-call]
        except InvalidSignature:
            if isinstance(sig_input.params.get("created"), int):
                raise NotSigned("CLOCKS_DIFFER") from None
            raise


class _Key(HTTPSignatureKeyResolver):
    def __init__(self, of: str, public: rsa.RSAPublicKey) -> None:
        self._of, self._public = of, public

    def resolve_public_key(self, key_id: str) -> Any:
        return self._public if key_id == self._of else None


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of an ASGI scope."""
    return Headers(tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers))
