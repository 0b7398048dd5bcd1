"""Who is let in: hosts that are meant, certificates, enrolment, signatures, and how much each may ask at once."""

import ipaddress
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from consent import signatures, wire
from consent.enrolment.terminal_key import AUDITOR
from consent.server.identity import Terminal
from consent.server.rate_limits import Buckets, Limits, Refusals, answer_of, who_asks
from consent.server.refusal import Refusal
from consent.server.service import Service

CERTIFICATE_HEADER = "x-client-certificate"
"""How the front hands on the client certificate that it has verified: PEM, percent-encoded."""


class Door:
    """Checks each request before the service hears of it; its methods may be called from several threads."""

    def __init__(
        self, service: Service, refusals: Refusals, limits: Limits | None, *, behind_front: bool
    ) -> None:
        """``behind_front``: every request comes through the front, which adds the client's certificate."""
        self._service, self._refusals, self._limits = service, refusals, limits
        self._behind_front = behind_front
        self._nonces = signatures.Nonces()
        self._by_key = Buckets(limits.per_s, limits.burst) if limits else None
        self._turn = threading.Lock()
        self._inside: Counter[str] = Counter()

    @contextmanager
    def entered(self, request: Request, body: bytes) -> Iterator[Terminal]:
        """Let a terminal in with one request, in the event loop; raises Refusal, which is noted."""
        try:
            terminal = self._admitted(request, body)
        except Refusal as refusal:
            self._refusals.note_later(who_asks(request.scope), refusal.code)
            raise
        with self._turn:
            full = self._limits is not None and self._inside[terminal.id] >= self._limits.at_once
            if not full:
                self._inside[terminal.id] += 1
        if full:
            self._refusals.note_later(terminal.id, "TOO_MANY_REQUESTS")
            raise Refusal(429, "TOO_MANY_REQUESTS", "more requests at once than one terminal may make")
        try:
            yield terminal
        finally:
            with self._turn:
                self._inside[terminal.id] -= 1
                if not self._inside[terminal.id]:
                    del self._inside[terminal.id]

    def _admitted(self, request: Request, body: bytes) -> Terminal:
        terminal_id = request.headers.get(wire.TERMINAL_HEADER, "")
        if self._behind_front:
            names = names_of(request.headers.get(CERTIFICATE_HEADER, ""))
            if not names:
                raise Refusal(403, "TERMINAL_CERTIFICATE_NAMELESS", "the certificate names no terminal")
            if terminal_id not in names:
                raise Refusal(403, "TERMINAL_MISMATCH", "the certificate is another terminal's")
        terminal = self._service.enrolled(terminal_id)
        if (terminal_id == AUDITOR) is not (request.scope["path"] == wire.AUDIT_PATH):
            raise Refusal(403, "KEY_NOT_FOR_THIS", "the audit needs its own key, and has no other use")
        target = request.scope["raw_path"].decode("latin-1")
        query = request.scope["query_string"].decode("latin-1")
        received = signatures.Received(
            request.method,
            target.partition("?")[0] + (f"?{query}" if query else ""),
            signatures.lines_of(request.scope["headers"]),
        )
        try:
            nonce = signatures.verify(received, body, terminal.id, terminal.key)
        except signatures.NotSigned as error:
            raise Refusal(403, str(error), "the request is not signed by this terminal, now") from None
        if not self._nonces.is_new(terminal.id, nonce, time.monotonic()):
            raise Refusal(403, "REQUEST_REPLAYED", "the request came before")
        if self._by_key and not self._by_key.take(terminal.id, time.monotonic()):
            raise Refusal(429, "TOO_MANY_REQUESTS", "more requests than one terminal may make")
        return terminal


@lru_cache(maxsize=1024)
def names_of(certificate: str) -> frozenset[str]:
    """Return the names in a client certificate (PEM, percent-encoded): DNS names, else the common name."""
    try:
        parsed = x509.load_pem_x509_certificate(urllib.parse.unquote(certificate).encode("latin-1"))
        common = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = {str(name.value) for name in common}
        try:
            extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = set(extension.value.get_values_for_type(x509.DNSName)) or names
        except x509.ExtensionNotFound:
            pass
    except ValueError:
        return frozenset()
    return frozenset(name for name in names if name)


def with_known_hosts(app: ASGIApp, names: Collection[str]) -> ASGIApp:
    """Return the application for requests that mean it: by an address, or by one of these names.

    A page in somebody's browser can make it ask a name of its own that leads here, but not an address. A request whose
    length is told twice (CL and TE) means different things to different programs, and is refused, too.
    """
    known = {name.lower() for name in (*names, "localhost")}

    async def meant(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        given = [(name, value) for name, value in scope["headers"] if name in _ABOUT_THE_MESSAGE]
        hosts = [value.decode("latin-1") for name, value in given if name == b"host"]
        if len(hosts) != 1 or not _means_us(hosts[0], known):
            await answer_of(421, "HOST_UNKNOWN", "this server has another name")(scope, receive, send)
        elif len({name for name, _ in given}) > 2:  # beside host, both lengths
            await answer_of(400, "REQUEST_INVALID", "the length is told twice")(scope, receive, send)
        else:
            await app(scope, receive, send)

    return meant


_ABOUT_THE_MESSAGE = (b"host", b"content-length", b"transfer-encoding")


def _means_us(host: str, known: Collection[str]) -> bool:
    name, bracket, _ = host.rpartition("]")
    bare = name.removeprefix("[") if bracket else host.partition(":")[0]
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return bare.lower() in known
    return True
