"""What one terminal may take of the server, so that a noisy or hostile one does not harm the others.

Who counts as one is what cannot be forged: the terminal whose key signed the request (door.py), or else, for what is
not signed, the network address.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTED_EVERY_S = 60.0
"""A refusal of one kind goes into the audit once in this time for each who causes it: a flood must not fill it."""
MOST_KNOWN = 10_000
FORBIDDEN, TOO_MANY = 403, 429


@dataclass(frozen=True)
class Limits:
    """Bounds of one server process; the size of a request is bounded in app.py."""

    per_s: float = 100.0
    """Requests of one terminal, or unsigned ones of one address, in the long run."""
    burst: int = 400
    at_once: int = 8
    """Requests of one terminal that are answered at the same time."""
    hold_s: float = 1.0
    """How long what exceeds the rate waits for its refusal, so that asking faster gains nothing."""
    connections_each: int = 64
    """Of one network address; kept by the front."""
    request_s: float = 10.0
    """A request must have come in full within this time; behind the front, an answer must be taken in it, too."""


class Buckets:
    """A token bucket for each who; pure, the clock is the caller's (s)."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, who: str, now: float) -> bool:
        """Take one token; False when none is left."""
        left, since = self._left.get(who, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_s)
        if len(self._left) >= MOST_KNOWN and who not in self._left:
            self._forget(now)
        self._left[who] = (max(0.0, left - 1.0), now)
        return left >= 1.0

    def has(self, who: str, now: float) -> bool:
        """Say whether a token is left."""
        left, since = self._left.get(who, (self._burst, now))
        return left + (now - since) * self._per_s >= 1.0

    def _forget(self, now: float) -> None:
        """Forget who has a full bucket again; all of them if nobody has, since memory is bounded first."""
        full = self._burst / self._per_s
        self._left = {who: kept for who, kept in self._left.items() if now - kept[1] < full}
        if len(self._left) >= MOST_KNOWN:
            self._left.clear()


class Refusals:
    """Puts refusals into the audit, each kind once a minute for each who; safe to use from several threads."""

    def __init__(
        self, write: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._noted: dict[tuple[str, str], float] = {}

    def note(self, who: str, code: str) -> None:
        """Note at once, in this thread."""
        if self._is_new(who, code):
            self._write(who, code)

    def note_later(self, who: str, code: str) -> None:
        """Note from the event loop, which must not wait for the database."""
        if self._is_new(who, code):
            asyncio.get_running_loop().run_in_executor(None, self._write, who, code)

    def _is_new(self, who: str, code: str) -> bool:
        now = self._clock()
        if now - self._noted.get((who, code), -NOTED_EVERY_S) < NOTED_EVERY_S:
            return False
        if len(self._noted) >= MOST_KNOWN:
            self._noted.clear()
        self._noted[who, code] = now
        return True


def with_limits(app: ASGIApp, limits: Limits, buckets: Buckets, refusals: Refusals) -> ASGIApp:
    """Return the application with the rate limited; what exceeds it never reaches the application."""
    refused = answer_of(429, "TOO_MANY_REQUESTS", "more requests than one may make")

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        who, signed = who_asks(scope), scope["path"].startswith("/v1/")
        # What a terminal signed counts for its key, and costs its address nothing, unless it is refused.
        if not (buckets.has(who, time.monotonic()) if signed else buckets.take(who, time.monotonic())):
            refusals.note_later(who, "TOO_MANY_REQUESTS")
            await asyncio.sleep(limits.hold_s)
            await refused(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if signed and message["type"] == "http.response.start" and message["status"] == FORBIDDEN:
                buckets.take(who, time.monotonic())
            await send(message)

        await app(scope, receive, counted)

    return limited


def answer_of(status: int, code: str, message: str) -> ASGIApp:
    """Return an application that says no, and ends the connection."""
    body = json.dumps({"code": code, "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    headers += [(b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", b"1")] if status == TOO_MANY else []

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def who_asks(scope: Scope) -> str:
    """Return the address, as the audit has it (at most 40 characters)."""
    client = scope.get("client")
    return str(client[0] if client else "")[:40]
