"""Figures of the mock server for monitoring (Prometheus), at ``/metrics``, for this machine only; nothing personal."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/metrics"
LOOPBACK = ("127.0.0.1", "::1")
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counts requests by call and status, and measures how long they take."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "reception_server_requests", "Requests", ["call", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "reception_server_seconds", "Seconds", ["call"], buckets=BUCKETS, registry=self._registry
        )
        ProcessCollector(registry=self._registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == PATH and (scope.get("client") or ("",))[0] in LOOPBACK:
            await PlainTextResponse(generate_latest(self._registry))(scope, receive, send)
        else:
            await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), "0"

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            # The call as it is documented, never the path that was asked for, which may name a visit.
            call = getattr(scope.get("route"), "path", "other")
            self._requests.labels(call, status).inc()
            self._seconds.labels(call).observe(time.perf_counter() - began)
