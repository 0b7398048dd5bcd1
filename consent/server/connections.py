"""Connections as the server takes them: bounded in number and time, with the client certificate for the application.

uvicorn itself waits without end for a request's rest, hides the certificate, and counts no connection before TLS has
begun on it.
"""

import asyncio
import socket
import ssl
import time
from collections import Counter
from contextlib import suppress
from typing import Any, cast

import h11
from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from consent import wire
from consent.server.rate_limits import PEER, Buckets, Limits, Refusals

LAST_WORDS_S = 1.0
"""How long a connection that TLS was refused stays half open, so that the reason is not lost on its way."""


class ConnectionLimits:
    """What all connections of one server share."""

    def __init__(self, limits: Limits, buckets: Buckets, refusals: Refusals) -> None:
        self.limits = limits
        self.buckets = buckets
        self.refusals = refusals
        self.addresses: Counter[str] = Counter()

    def refusal_of(self, address: str) -> str:
        """Say why one more connection from there is too many; empty when it is not."""
        if self.addresses.total() >= self.limits.connections:
            return "SERVER_FULL"
        if self.addresses[address] >= self.limits.connections_each:
            return "TOO_MANY_CONNECTIONS"
        return ""


class _Place:
    """One connection's place among those of its address, from its first moment to its last."""

    def __init__(self, door: ConnectionLimits, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._door = door
        self._transport = transport
        self._taken = False

    def take(self) -> bool:
        """Say whether the connection may go on; otherwise it ends now, or after a while."""
        door, transport = self._door, self._transport
        why = door.refusal_of(self.address)
        if why:
            self.refuse(why)
            return False
        door.addresses[self.address] += 1
        self._taken = True
        if door.buckets.take(self.address, time.monotonic()):
            return True
        # It may wait; and it holds one of its address's connections meanwhile.
        door.refusals.note_later(self.address, "TOO_MANY_REQUESTS")
        transport.pause_reading()
        asyncio.get_running_loop().call_later(door.limits.hold_s, transport.abort)
        return False

    def has_unread(self) -> bool:
        """Say whether some of what was answered still waits for a client that does not read."""
        return self._transport.get_write_buffer_size() > 0

    def refuse(self, code: str) -> None:
        """End the connection at once, for a reason that is noted."""
        self._door.refusals.note_later(self.address, code)
        self._transport.abort()

    def leave(self) -> None:
        if self._taken:
            self._taken = False
            self._door.addresses[self.address] -= 1
            if not self._door.addresses[self.address]:
                del self._door.addresses[self.address]


class _Guarded(H11Protocol):
    """HTTP with a deadline for every request, and for every answer to be taken."""

    door: ConnectionLimits
    place: _Place | None = None
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _with_peer(self.app, _peer_of(transport))
        if self.place is None:
            self.place = _Place(self.door, transport)
            if not self.place.take():
                return
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self._is_idle():
            self._wait_for_request()
        super().data_received(data)
        if not self._is_idle() and self.conn.their_state is not h11.SEND_BODY:
            self._stop_waiting()

    def send_400_response(self, msg: str) -> None:
        # No HTTP at all is counted like a request.
        self.door.refusals.note_later(self._address, "NO_HTTP")
        self.door.buckets.take(self._address, time.monotonic())
        self._stop_waiting()
        super().send_400_response(msg)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.place and self.place.has_unread():
            self.loop.call_later(self.door.limits.request_s, self._cut_if_unread)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self.place:
            self.place.leave()
        super().connection_lost(exc)

    @property
    def _address(self) -> str:
        return self.place.address if self.place else ""

    def _is_idle(self) -> bool:
        return self.conn.their_state is h11.IDLE

    def _wait_for_request(self) -> None:
        self._deadline = self.loop.call_later(self.door.limits.request_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if self.place:
            self.place.refuse("TOO_SLOW")

    def _cut_if_unread(self) -> None:
        if self.place and self.place.has_unread():
            self.place.refuse("TOO_SLOW")


class _Vestibule(asyncio.Protocol):
    """Has the handshake done, within the time for a request, and then gives the connection to the HTTP protocol.

    It is here, and not in asyncio's hands, so that who opens connections without beginning TLS is counted and cut
    off, and so that who is refused is told why: asyncio drops OpenSSL's alert, and cannot answer plain HTTP.
    """

    def __init__(self, door: ConnectionLimits, context: ssl.SSLContext, inside: Any) -> None:
        self._door = door
        self._context = context
        self._inside = inside
        self._early = bytearray()
        self._ended = False
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        self._inside.place = self._place = _Place(self._door, transport)
        if self._place.take():
            self._task = asyncio.get_running_loop().create_task(self._shake_hands(transport))

    def data_received(self, data: bytes) -> None:
        # What came with the end of the handshake.
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._place.leave()

    async def _shake_hands(self, transport: asyncio.Transport) -> None:
        loop, limit_s = asyncio.get_running_loop(), self._door.limits.request_s
        # asyncio closes the connection of a failed handshake; the last words need it for a moment longer.
        line = transport.get_extra_info("socket").dup()
        try:
            secured = await loop.start_tls(
                transport,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=limit_s,
                ssl_shutdown_timeout=limit_s,
            )
        except OSError as error:
            await self._refuse(error, line)
            secured = None
        finally:
            line.close()
        if secured is None or self._ended:
            self._place.leave()
            return
        secured.set_protocol(self._inside)
        self._inside.connection_made(secured)
        if self._early:
            self._inside.data_received(bytes(self._early))

    async def _refuse(self, error: OSError, line: socket.socket) -> None:
        """Note why, and say it: to TLS by its alert, to plain HTTP by an answer."""
        code = _code_of(error)
        if code:
            self._door.refusals.note_later(self._place.address, code)
        words = _TLS_REQUIRED if code == "PLAIN_HTTP" else getattr(error, "alert", b"")
        if not words:
            return
        with suppress(OSError):
            line.setblocking(False)
            line.send(words)
            line.shutdown(socket.SHUT_WR)
            # Closed at once, over what the client was still sending, the words would be lost.
            await asyncio.sleep(LAST_WORDS_S)


def protocol_at(at: ConnectionLimits, tls: ssl.SSLContext | None = None) -> type[asyncio.Protocol]:
    """Return the protocol for ``uvicorn.Config(http=…)``; with ``tls``, no HTTP before TLS stands."""

    class Guarded(_Guarded):
        door = at

    if tls is None:
        return Guarded
    context = tls

    class Vestibule(_Vestibule):
        def __init__(self, *given: Any, **settings: Any) -> None:
            super().__init__(at, context, Guarded(*given, **settings))

    return Vestibule


def _peer_of(transport: asyncio.Transport) -> str:
    """Return the terminal id (common name) of the client certificate; empty without one."""
    tls: Any = transport.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True) if tls else None
    if not der:
        return ""
    names = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _with_peer(app: ASGIApp, peer: str) -> ASGIApp:
    async def known(scope: Scope, receive: Receive, send: Send) -> None:
        if peer:
            scope[PEER] = peer
        await app(scope, receive, send)

    return known


class _Outspoken(ssl.SSLObject):
    """A handshake whose failure carries the alert that OpenSSL made for the other side."""

    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            error.alert = self.outgoing.read()  # type: ignore[attr-defined]
            raise


class _Context(ssl.SSLContext):
    sslobject_class = _Outspoken

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **more: Any) -> Any:
        made: Any = super().wrap_bio(incoming, outgoing, *args, **more)
        made.outgoing = outgoing
        return made


def server_context(certificate: str, key: str, client_ca: str) -> ssl.SSLContext:
    """Return the TLS settings of a server that talks only to certified terminals; raises OSError (ssl.SSLError)."""
    context = _Context(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


_TLS_REQUIRED = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    b"%s"
    % wire.ErrorAnswer(code=wire.TLS_REQUIRED, message="this server speaks TLS only")
    .model_dump_json()
    .encode()
)
_NO_TLS = {
    "HTTP_REQUEST": "PLAIN_HTTP",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "CERTIFICATE_MISSING",
}
_EXPIRED = (9, 10)
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def _code_of(error: OSError) -> str:
    """Return by which code a failed handshake is noted; empty for a client that just left."""
    match error:
        case ssl.SSLCertVerificationError():
            return "CERTIFICATE_EXPIRED" if error.verify_code in _EXPIRED else "CERTIFICATE_UNTRUSTED"
        case ssl.SSLEOFError() | ssl.SSLSyscallError() | ConnectionResetError():
            return ""
        case ssl.SSLError():
            return _NO_TLS.get(error.reason or "", "TLS_FAILED")
        case ConnectionAbortedError():
            return "TOO_SLOW"
    return ""
