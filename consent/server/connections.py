"""Connections as the server takes them: bounded in number and time, with the client certificate for the application.

uvicorn itself waits without end for a request's rest, and hides the certificate.
"""

import asyncio
import ssl
import time
from collections import Counter
from typing import Any

import h11
from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from consent.server.limits import PEER, Buckets, Limits, Refusals


class Door:
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


def protocol_at(door: Door) -> type[H11Protocol]:
    """Return the protocol for ``uvicorn.Config(http=…)``."""

    class Guarded(H11Protocol):
        _address = ""
        _deadline: asyncio.TimerHandle | None = None
        _counted = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._address = self.client[0] if self.client else ""
            why = door.refusal_of(self._address)
            if why:
                door.refusals.note_later(self._address, why)
                transport.abort()
                return
            door.addresses[self._address] += 1
            self._counted = True
            self.app = _with_peer(self.app, _peer_of(transport))
            if door.buckets.take(self._address, time.monotonic()):
                self._wait_for_request()
            else:
                # It may wait; and it holds one of its address's connections meanwhile.
                door.refusals.note_later(self._address, "TOO_MANY_REQUESTS")
                transport.pause_reading()
                self._deadline = self.loop.call_later(door.limits.hold_s, transport.abort)

        def data_received(self, data: bytes) -> None:
            if self._deadline is None and self._is_idle():
                self._wait_for_request()
            super().data_received(data)
            if not self._is_idle() and self.conn.their_state is not h11.SEND_BODY:
                self._stop_waiting()

        def send_400_response(self, msg: str) -> None:
            # No HTTP at all is counted like a request.
            door.refusals.note_later(self._address, "NO_HTTP")
            door.buckets.take(self._address, time.monotonic())
            self._stop_waiting()
            super().send_400_response(msg)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            if self._counted:
                door.addresses[self._address] -= 1
                if not door.addresses[self._address]:
                    del door.addresses[self._address]
            super().connection_lost(exc)

        def _is_idle(self) -> bool:
            return self.conn.their_state is h11.IDLE

        def _wait_for_request(self) -> None:
            self._deadline = self.loop.call_later(door.limits.request_s, self._too_slow)

        def _stop_waiting(self) -> None:
            if self._deadline:
                self._deadline.cancel()
                self._deadline = None

        def _too_slow(self) -> None:
            door.refusals.note_later(self._address, "TOO_SLOW")
            self.transport.abort()

    return Guarded


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


def server_context(certificate: str, key: str, client_ca: str, refusals: Refusals) -> ssl.SSLContext:
    """Return the TLS settings of a server that talks only to certified terminals; raises OSError (ssl.SSLError)."""

    class Noted(ssl.SSLObject):
        """A handshake whose failure is told: asyncio would only drop the connection."""

        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLSyscallError, ssl.SSLEOFError):
                raise
            except ssl.SSLCertVerificationError as error:
                refusals.note_later("", _code_of(error))
                raise
            except ssl.SSLError as error:
                refusals.note_later("", _NO_TLS.get(error.reason or "", "TLS_FAILED"))
                raise

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.sslobject_class = Noted
    return context


_NO_TLS = {
    "HTTP_REQUEST": "PLAIN_HTTP",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "CERTIFICATE_MISSING",
}
_EXPIRED = (9, 10)
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def _code_of(error: ssl.SSLCertVerificationError) -> str:
    return "CERTIFICATE_EXPIRED" if error.verify_code in _EXPIRED else "CERTIFICATE_UNTRUSTED"
