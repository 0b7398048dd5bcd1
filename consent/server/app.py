"""The HTTP interface of the eligibility server: paths, bodies, status codes, and their OpenAPI document."""

import asyncio
import base64
import binascii
import json
import logging
import re
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BeforeValidator, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent import wire
from consent.server.door import Door
from consent.server.identity import Terminal
from consent.server.metrics import Metrics
from consent.server.refusal import Refusal
from consent.server.revocation import ANSWER_TYPE, OCSP_PATH, Responder
from consent.server.service import Outcome, Service
from consent.server.store import StoreUnavailable

log = logging.getLogger("reception.server")

MAX_BODY_BYTES = 64 * 1024
BODY_WITHIN_S = 10.0
CRL_PATH = "/crl/user-authentication.crl"
CA_PATH = "/ca/user-authentication.cer"
JSON = "application/json"

AnyMessage = TypeVar("AnyMessage", bound=wire.Message)


def make_app(service: Service, responder: Responder, door: Door) -> FastAPI:
    """Put the service and the authority's responder behind HTTP."""
    # No redirects: they would go to whatever Host was sent.
    app = FastAPI(
        title="Mock eligibility-confirmation server",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_calls(app, service, door)
    _add_authority(app, responder)
    _add_refusals(app)
    _document(app)
    app.add_middleware(_Unheard)
    app.add_middleware(Metrics)
    return app


class _Unheard:
    """Lets an answer that can no longer be sent go: uvicorn has ended the connection over what the client sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unheard = False

        async def try_to_send(message: Message) -> None:
            nonlocal unheard
            try:
                if not unheard:
                    await send(message)
            except Exception as error:  # of whatever HTTP library uvicorn has
                unheard = True
                log.info("an answer could not be sent: %s", type(error).__name__)

        await self._app(scope, receive, try_to_send)


async def _body(request: Request) -> bytes:
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for chunk in request.stream():
                content += chunk
                if len(content) > MAX_BODY_BYTES:
                    raise Refusal(413, "BODY_TOO_LONG", f"a request has at most {MAX_BODY_BYTES} bytes")
    except TimeoutError:
        raise Refusal(408, "REQUEST_TOO_SLOW", f"a request comes within {BODY_WITHIN_S:g} s") from None
    return bytes(content)


async def _json_body(request: Request) -> bytes:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise Refusal(415, "CONTENT_TYPE_WRONG", f"the body must be {JSON}")
    return await _body(request)


async def answer(
    door: Door,
    request: Request,
    call: Callable[[Terminal], "wire.Message | Outcome[Any]"],
    content: bytes | None = None,
    *,
    waits: bool = False,
) -> Response:
    """Let the terminal in, and answer; ``content`` is the body where it was read already.

    ``waits``: the call itself may wait for a file, the database or a responder, and gets a thread. What is kept waits
    in the store's one.
    """
    body = await _body(request) if content is None else content
    with door.entered(request, body) as terminal:
        outcome = await run_in_threadpool(call, terminal) if waits else call(terminal)
        told = await asyncio.wrap_future(outcome) if isinstance(outcome, Future) else outcome
    if isinstance(told, Refusal):
        raise told
    return _answer(told)


def _written_out(value: str | None) -> str | None:
    """Refuse a bare number, which pydantic would take for seconds since 1970."""
    if value is not None and not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]", value):
        raise ValueError("no date and time as RFC 3339 has them")
    return value


def _add_calls(app: FastAPI, service: Service, door: Door) -> None:
    visit_id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]

    # The headers are read here, and FastAPI told of them: to have it read them costs as much as a statement of SQL.
    answered = partial(answer, door)

    def key_of(request: Request) -> str:
        return request.headers.get(wire.IDEMPOTENCY_HEADER, "")

    @app.get("/health", responses=_answers(wire.HealthAnswer))
    def health() -> Response:
        return _answer(wire.HealthAnswer())

    @app.get("/ready", responses=_answers(wire.HealthAnswer, 503))
    def ready() -> Response:
        service.check_ready()
        return _answer(wire.HealthAnswer())

    @app.post("/v1/challenges", responses=_answers(wire.ChallengeAnswer, 403), openapi_extra=_asks())
    async def challenges(request: Request) -> Response:
        return await answered(request, service.challenge)

    @app.post(
        "/v1/identifications",
        responses=_answers(wire.EligibilityAnswer, 403, 404, 409, 413, 415, 503),
        openapi_extra=_asks(wire.IdentificationRequest),
    )
    async def identifications(request: Request) -> Response:
        content = await _json_body(request)
        return await answered(
            request,
            lambda asks: service.identify(asks, _read(content, wire.IdentificationRequest)),
            content,
            waits=True,
        )

    @app.put(
        "/v1/visits/{visit_id}/card-use",
        responses=_answers(wire.EligibilityAnswer, 403, 404, 409, 413, 415),
        openapi_extra=_asks(wire.CardUseRequest, once=True),
    )
    async def card_use(visit_id: visit_id, request: Request) -> Response:
        content, key = await _json_body(request), key_of(request)
        return await answered(
            request,
            lambda asks: service.answer_card_use(asks, visit_id, key, _read(content, wire.CardUseRequest)),
            content,
        )

    @app.put(
        "/v1/visits/{visit_id}/consents",
        responses=_answers(wire.ConsentsAnswer, 403, 404, 409, 413, 415),
        openapi_extra=_asks(wire.ConsentsRequest, once=True),
    )
    async def consents(visit_id: visit_id, request: Request) -> Response:
        content, key = await _json_body(request), key_of(request)
        return await answered(
            request,
            lambda asks: service.record(asks, visit_id, key, _read(content, wire.ConsentsRequest)),
            content,
        )

    @app.get("/v1/visits/{visit_id}", responses=_answers(wire.VisitAnswer, 403, 404), openapi_extra=_asks())
    async def visit(visit_id: visit_id, request: Request) -> Response:
        return await answered(request, lambda asks: service.visit(asks, visit_id), waits=True)

    @app.get(
        "/v1/visits/{visit_id}/result",
        responses=_answers(wire.ResultAnswer, 403, 404),
        openapi_extra=_asks(),
    )
    async def result(visit_id: visit_id, request: Request) -> Response:
        return await answered(request, lambda asks: service.result(asks, visit_id))

    @app.get("/v1/visits", responses=_answers(wire.VisitsAnswer, 403), openapi_extra=_asks())
    async def visits(
        request: Request,
        since: Annotated[AwareDatetime | None, BeforeValidator(_written_out)] = None,
        after: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        return await answered(request, lambda asks: service.visits(asks, since, after), waits=True)

    @app.post(
        "/v1/insured",
        responses=_answers(wire.InsuredAnswer, 403, 413, 415),
        openapi_extra=_asks(wire.InsuredQuery),
    )
    async def insured(request: Request) -> Response:
        content = await _json_body(request)
        return await answered(
            request, lambda asks: service.insured(asks, _read(content, wire.InsuredQuery)), content
        )

    @app.post(
        "/v1/insured/many",
        responses=_answers(wire.InsuredAnswers, 403, 413, 415),
        openapi_extra=_asks(wire.InsuredQueries),
    )
    async def insured_many(request: Request) -> Response:
        content = await _json_body(request)
        return await answered(
            request, lambda asks: service.insured_many(asks, _read(content, wire.InsuredQueries)), content
        )

    @app.post(
        "/v1/records",
        responses=_answers(wire.RecordsAnswer, 403, 404, 413, 415),
        openapi_extra=_asks(wire.RecordsQuery),
    )
    async def records(request: Request) -> Response:
        content = await _json_body(request)
        return await answered(
            request, lambda asks: service.records(asks, _read(content, wire.RecordsQuery)), content
        )

    @app.post(
        "/v1/listings",
        responses=_answers(wire.ListingAnswer, 403, 413, 415),
        openapi_extra=_asks(wire.ListingQuery),
    )
    async def listings(request: Request) -> Response:
        content = await _json_body(request)
        return await answered(
            request, lambda asks: service.listing(asks, _read(content, wire.ListingQuery)), content
        )

    @app.put(
        "/v1/reference-numbers",
        responses=_answers(wire.DoneAnswer, 403, 404, 409, 413, 415),
        openapi_extra=_asks(wire.ReferenceRequest),
    )
    async def reference_numbers(request: Request) -> Response:
        content = await _json_body(request)
        return await answered(
            request,
            lambda asks: service.register_reference(asks, _read(content, wire.ReferenceRequest)),
            content,
        )

    @app.get(wire.AUDIT_PATH, responses=_answers(wire.AuditAnswer, 403), openapi_extra=_asks())
    async def audit(request: Request) -> Response:
        return await answered(request, lambda _asks: service.audit(), waits=True)


def _add_authority(app: Starlette, responder: Responder) -> None:
    """Add what the authority publishes; it is open to anybody, and no part of the OpenAPI document."""
    # Threads of its own: identifications of another server wait for these answers, and it may be waiting for this one.
    threads = anyio.CapacityLimiter(4)

    async def made(make: Callable[..., bytes], kind: str, *given: bytes) -> Response:
        content = await anyio.to_thread.run_sync(make, *given, limiter=threads)
        return Response(content, media_type=kind)

    async def ocsp(request: Request) -> Response:
        return await made(responder.answer, ANSWER_TYPE, await _body(request))

    async def ocsp_by_path(request: Request) -> Response:
        try:
            content = base64.b64decode(request.path_params["request"], validate=True)
        except (binascii.Error, ValueError):
            content = b""
        return await made(responder.answer, ANSWER_TYPE, content)

    async def revocation_list(_request: Request) -> Response:
        return await made(responder.revocation_list, "application/pkix-crl")

    async def authority_certificate(_request: Request) -> Response:
        return await made(responder.authority_certificate, "application/pkix-cert")

    # Plain routes: there is nothing in them that FastAPI would have to read, check or describe.
    app.router.add_route(OCSP_PATH, ocsp, ["POST"])
    app.router.add_route(OCSP_PATH + "/{request:path}", ocsp_by_path, ["GET"])
    app.router.add_route(CRL_PATH, revocation_list, ["GET"])
    app.router.add_route(CA_PATH, authority_certificate, ["GET"])


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    def refused(_request: Request, refusal: Refusal) -> Response:
        log.info("refused: %s", refusal.code)
        return _answer(refusal.answer, refusal.status)

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, _error: RequestValidationError) -> Response:
        return _answer(wire.ErrorAnswer(code="REQUEST_INVALID", message="the request is malformed"), 422)

    @app.exception_handler(HTTPException)
    def no_route(_request: Request, error: HTTPException) -> Response:
        code = {404: "PATH_UNKNOWN", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "REQUEST_INVALID")
        answer = _answer(
            wire.ErrorAnswer(code=code, message="there is no such thing here"), error.status_code
        )
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(ClientDisconnect)
    def gone(_request: Request, _error: ClientDisconnect) -> Response:
        # Nobody reads it: a terminal that lost its power, or had waited long enough.
        return _answer(wire.ErrorAnswer(code="REQUEST_INVALID", message="the request broke off"), 400)

    @app.exception_handler(StoreUnavailable)
    def no_database(_request: Request, error: StoreUnavailable) -> Response:
        log.warning("a request failed: the database does not answer (%s)", error)
        return _answer(
            wire.ErrorAnswer(code="DATABASE_UNAVAILABLE", message="the database does not answer"), 503
        )

    @app.exception_handler(Exception)
    def broken(_request: Request, error: Exception) -> Response:
        # The error's text may hold what must not be logged.
        log.error("a request failed: %s", type(error).__name__)
        return _answer(wire.ErrorAnswer(code="SERVER_ERROR", message="the server failed"), 500)


def _answer(message: wire.Message, status: int = 200) -> Response:
    return Response(message.model_dump_json(), status, media_type=JSON)


def _read(content: bytes, expected: type[AnyMessage]) -> AnyMessage:
    # From the bytes, not through FastAPI: strict types in JSON are not those of Python.
    try:
        json.loads(content, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise Refusal(422, "REQUEST_INVALID", "the body is no JSON, or says something twice") from None
    try:
        return expected.model_validate_json(content)
    except ValidationError as error:
        # Only the names of fields and what is expected there; never the content.
        places = [".".join(map(str, mistake["loc"][:1])) for mistake in error.errors(include_input=False)]
        known = [place for place in places if place in expected.model_fields]
        words = ", ".join(dict.fromkeys(known)) or "the body"
        raise Refusal(422, "REQUEST_INVALID", f"not as expected: {words}") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values under one key, every reader takes another one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


# --- The OpenAPI document ---------------------------------------------------------------------------------------

_REFERENCE = "#/components/schemas/{model}"
_MESSAGES: tuple[type[wire.Message], ...] = (
    wire.IdentificationRequest,
    wire.CardUseRequest,
    wire.ConsentsRequest,
    wire.InsuredQuery,
    wire.InsuredQueries,
    wire.RecordsQuery,
    wire.ListingQuery,
    wire.ReferenceRequest,
    wire.HealthAnswer,
    wire.ChallengeAnswer,
    wire.EligibilityAnswer,
    wire.ConsentsAnswer,
    wire.VisitAnswer,
    wire.VisitsAnswer,
    wire.ResultAnswer,
    wire.InsuredAnswer,
    wire.InsuredAnswers,
    wire.RecordsAnswer,
    wire.ListingAnswer,
    wire.DoneAnswer,
    wire.AuditAnswer,
    wire.ErrorAnswer,
)


def _answers(answer: type[wire.Message], *refusals: int) -> dict[int | str, dict[str, Any]]:
    """Document a call's answers; each may also be malformed (422), the server's fault (500), its database's (503)."""
    refused = {"description": "Refused; `code` says why", "content": _content(wire.ErrorAnswer)}
    answers: dict[int | str, dict[str, Any]] = {
        200: {"description": "Successful Response", "content": _content(answer)}
    }
    return answers | dict.fromkeys((*refusals, 400, 408, 413, 421, 422, 429, 500, 503), refused)


def _asks(request: type[wire.Message] | None = None, *, once: bool = False) -> dict[str, Any]:
    """Document what a terminal says: who it is, its message, and ``once`` the visit's id as idempotency key."""
    headers = [wire.TERMINAL_HEADER, *([wire.IDEMPOTENCY_HEADER] if once else [])]
    text = {"type": "string", "default": ""}
    said: dict[str, Any] = {
        "parameters": [{"name": name, "in": "header", "schema": text} for name in headers]
    }
    if request:
        said["requestBody"] = {"required": True, "content": _content(request)}
    return said


def _content(message: type[wire.Message]) -> dict[str, Any]:
    # By name: given the class, FastAPI would prepare to check every answer against it, at each start of a server.
    return {JSON: {"schema": {"$ref": _REFERENCE.format(model=message.__name__)}}}


def _document(app: FastAPI) -> None:
    """Add the messages' schemas, which FastAPI does not know since it neither reads nor writes the bodies."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas = made().setdefault("components", {}).setdefault("schemas", {})
            for message in _MESSAGES:
                schema = message.model_json_schema(ref_template=_REFERENCE)
                schemas.update(schema.pop("$defs", {}) | {message.__name__: schema})
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
