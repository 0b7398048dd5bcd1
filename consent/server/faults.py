"""Faults of server and network, put around the application."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent.server import Faults, revocation

Asgi: TypeAlias = ASGIApp

HUGE_CHUNKS = 64
CHUNK = b" " * 65_536
JSON = b"application/json"
GARBAGE = b"\x00<html>{{{ not JSON"
PORTAL = b"<p>Please log in to the network.</p>"


_skew: ContextVar[timedelta] = ContextVar("skew", default=timedelta())


def skewed(clock: Callable[[], datetime]) -> Callable[[], datetime]:
    """Return the clock as the current request sees it."""
    return lambda: clock() + _skew.get()


def with_faults(app: Asgi, faults: Faults) -> Asgi:
    """Return the application with the queued faults applied to one request each."""

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        match faults.take(scope["path"]) if scope["type"] == "http" else None:
            case "500":
                await _send(send, 500, b'{"code":"SERVER_ERROR","message":"a fault on purpose"}')
            case "garbage":
                await _send(send, 200, GARBAGE)
            case "delay":
                await asyncio.sleep(faults.delay_s)
                await app(scope, receive, send)
            case "drop":
                await app(scope, receive, _lost)
                await _cut(send)
            case "drop_before":
                await _cut(send)
            case "wrong_type":
                await app(scope, receive, _lost)
                await _send(send, 200, PORTAL, b"text/html")
            case "slow_body":
                await app(scope, receive, _lost)
                await _start(send, 200, JSON, 1000)
                for _ in range(1000):
                    await _chunk(send, b" ", more=True)
                    await asyncio.sleep(faults.delay_s / 1000)
            case "huge_body":
                await app(scope, receive, _lost)
                await _start(send, 200, JSON, HUGE_CHUNKS * len(CHUNK))
                for _ in range(HUGE_CHUNKS):
                    await _chunk(send, CHUNK, more=True)
                    await asyncio.sleep(0)  # lets uvicorn notice a client that has had enough
            case "clock_skew":
                _skew.set(
                    timedelta(seconds=faults.skew_s)
                )  # for this request: each runs in a context of its own
                await app(scope, receive, send)
            case None:
                await app(scope, receive, send)

    return faulty


def in_process(answer: Callable[[bytes], bytes], faults: Faults) -> Callable[[bytes], bytes]:
    """Return a responder asked in process, disturbed as it would be over HTTP: by the faults for ``/ocsp``."""

    def faulty(request: bytes) -> bytes:
        match faults.take(revocation.OCSP_PATH):
            case "500" | "huge_body":
                revocation.unavailable("the responder is in trouble")
            case "garbage":
                return GARBAGE
            case "wrong_type":
                return PORTAL
            case "drop" | "drop_before":
                revocation.unavailable("the responder cannot be reached")
            case "delay" | "slow_body":
                threading.Event().wait(min(faults.delay_s, revocation.ASK_TIMEOUT_S))
                if faults.delay_s >= revocation.ASK_TIMEOUT_S:
                    revocation.unavailable("the responder cannot be reached")
        # clock_skew, too: the responder goes by its own clock, as another machine would.
        return answer(request)

    return faulty


async def _lost(_message: Message) -> None:
    """Send nothing."""


async def _cut(send: Send) -> None:
    # An answer that ends before its announced length makes uvicorn cut the connection.
    await _start(send, 200, JSON, 1000)
    await _chunk(send, b"{", more=True)


async def _send(send: Send, status: int, body: bytes, kind: bytes = JSON) -> None:
    await _start(send, status, kind, len(body))
    await _chunk(send, body, more=False)


async def _start(send: Send, status: int, kind: bytes, length: int) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _chunk(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
