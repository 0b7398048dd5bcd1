"""Faults of server and network, put around the application."""

import asyncio
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent.server import Faults

Asgi: TypeAlias = ASGIApp


def with_faults(app: Asgi, faults: Faults) -> Asgi:
    """Return the application with the queued faults applied to one request each."""

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        match faults.take() if scope["type"] == "http" else None:
            case "500":
                await _send(send, 500, b'{"code":"SERVER_ERROR","message":"a fault on purpose"}')
            case "garbage":
                await _send(send, 200, b"\x00<html>{{{ not JSON")
            case "delay":
                await asyncio.sleep(faults.delay_s)
                await app(scope, receive, send)
            case "drop":
                await app(scope, receive, _lost)
                # An answer that ends before its announced length makes uvicorn cut the connection.
                headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": b"{", "more_body": True})
            case None:
                await app(scope, receive, send)

    return faulty


async def _lost(_message: Message) -> None:
    """Send nothing."""


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
