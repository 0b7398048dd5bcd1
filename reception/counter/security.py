"""What holds for every answer of the counter's page, and what every request must bring."""

import secrets
from collections.abc import Collection
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_FORM = 8 * 1024
MOST_FIELDS = 20

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer", with which browsers send "Origin: null" with forms of our own page.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}


class FormRefused(Exception):
    """A form that is too large, or none."""


class Guard:
    """Lets in only requests for a host by which this page is known, and puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], *, tls: bool) -> None:
        self._app, self._hosts = app, frozenset(host.lower() for host in hosts)
        headers = {**HEADERS, **(OVER_TLS if tls else {})}
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message.get("headers", [])}
                more = [(name, value) for name, value in self._headers if name not in own]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        app = self._app if self._is_for_us(scope) else PlainTextResponse("unknown host", 421)
        await app(scope, receive, guarded)

    def _is_for_us(self, scope: Scope) -> bool:
        """A page of another name that leads here (DNS rebinding) is none of ours."""
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return name.lower() in self._hosts


def comes_from_this_page(request: Request) -> bool:
    """Whether a browser says that its own page of this origin sent it; a program that says nothing needs the token."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return site in ("same-origin", "none") and origin in (None, own)


def is_token(given: str, wanted: str) -> bool:
    """Compare two secrets in the same time, whatever they are."""
    return bool(wanted) and secrets.compare_digest(given.encode(), wanted.encode())


async def form_of(request: Request) -> dict[str, str]:
    """Return a form's fields, the last one of each name; nothing of it is ever put on a disk. Raises FormRefused."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            raise FormRefused("too large")
    try:
        fields = parse_qs(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError:
        raise FormRefused("no form") from None
    finally:
        body[:] = bytes(len(body))
    return {name: values[-1] for name, values in fields.items()}
