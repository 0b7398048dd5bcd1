"""Faults of server and network, put around the application."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent.server import Faults

Asgi: TypeAlias = ASGIApp

HUGE_CHUNKS = 64
CHUNK = b" " * 65_536
JSON = b"application/json"


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
                await _send(send, 200, b"\x00<html>{{{ not JSON")
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
                await _send(send, 200, b"<p>Please log in to the network.</p>", b"text/html")
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
