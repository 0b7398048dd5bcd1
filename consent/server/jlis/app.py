"""The HTTP interface of the platform operator, and the page on which a patient's own phone signs."""

import html
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from consent.attributes import wire
from consent.attributes.client import PATH
from consent.attributes.rules import CONSENT_YEARS, Attribute
from consent.server.app import _body, _json_body, _read, answer
from consent.server.door import Door
from consent.server.jlis.operator import PlatformOperator
from consent.server.jlis.registry import Registry
from consent.server.people import People
from consent.server.refusal import Refusal
from consent.wire import Message

_WORDS = {
    Attribute.NAME: "氏名",
    Attribute.ADDRESS: "住所",
    Attribute.BIRTH_DATE: "生年月日",
    Attribute.SEX: "性別",
}
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


def add_parties(
    app: FastAPI,
    door: Door,
    operator: PlatformOperator,
    registry: Registry,
    people: People,
) -> None:
    """Add the operator's calls and the portal's pages to the server; no part of its OpenAPI document."""
    calls: dict[str, tuple[str, type[Any], Callable[[Any], Message]]] = {
        f"{PATH}/consents": ("PUT", wire.SignedConsent, operator.sign_up),
        f"{PATH}/consents/standing": ("POST", wire.ConsentsQuestion, operator.consents),
        f"{PATH}/withdrawals": ("POST", wire.Withdrawal, operator.withdraw),
        f"{PATH}/invitations": ("POST", wire.PhoneConsent, operator.invite),
        f"{PATH}/matches": ("POST", wire.MatchQuestion, operator.matches),
        f"{PATH}/attributes": ("POST", wire.AttributesQuestion, operator.attributes),
    }
    for path, (method, kind, call) in calls.items():
        app.router.add_route(path, _entered(door, kind, call), [method])
    portal = _Portal(operator, registry, people)
    app.router.add_route("/portal/{token}", portal.page, ["GET"])
    app.router.add_route("/portal/{token}", portal.sent, ["POST"])


def _entered(
    door: Door, kind: type[Any], call: Callable[[Any], Message]
) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        content = await _json_body(request)
        return await answer(door, request, lambda _asks: call(_read(content, kind)), content, waits=True)

    return answered


class _Portal:
    """The mock of the page that the patient's phone opens; a phone has asked its holder itself before."""

    def __init__(self, operator: PlatformOperator, registry: Registry, people: People) -> None:
        self._operator, self._registry, self._people = operator, registry, people

    async def page(self, request: Request) -> Response:
        """Show who would learn what, for how long, and how it is taken back."""
        token = request.path_params["token"]
        return await run_in_threadpool(lambda: self._shown(token, ""))

    async def sent(self, request: Request) -> Response:
        """Take the answer."""
        token, content = request.path_params["token"], await _body(request)
        try:
            fields = parse_qs(content.decode("ascii"), max_num_fields=10)
        except ValueError:
            raise Refusal(422, "REQUEST_INVALID", "not as expected: the body") from None
        given = {name: values[0] for name, values in fields.items()}
        return await run_in_threadpool(lambda: self._done(token, given))

    def _done(self, token: str, given: dict[str, str]) -> Response:
        invitation = self._operator.invitation(token)
        match given.get("answer"):
            case "given":
                serial = self._serial_of(given.get("person", ""))
                answer = self._operator.signed_by_phone(token, serial)
                until = answer.ends_at.strftime("%Y年%m月%d日")
                return self._shown(
                    token, f"同意を受け付けました。{until}まで有効です。いつでも取り消せます。"
                )
            case "withdrawn":
                self._registry.withdraw(invitation.consent_id)
                return self._shown(token, "同意を取り消しました。")
            case _:
                return self._shown(token, "同意しませんでした。受付はそのままです。")

    def _serial_of(self, person_id: str) -> str:
        """Return the serial of the person's valid signature certificate; raises Refusal."""
        person = next((one for one in self._people.persons() if one.id == person_id), None)
        if person is not None:
            self._registry.register(person)
            if serial := self._registry.serial_of(person.id):
                return serial
        raise Refusal(403, "CERTIFICATE_REVOKED", "the signature certificate does not count")

    def _shown(self, token: str, done: str) -> Response:
        invitation = self._operator.invitation(token)
        items = "・".join(_WORDS[Attribute(item)] for item in invitation.items)
        body = (
            f"<h1>最新の利用者情報の提供について</h1>"
            f"<p>医療機関({html.escape(invitation.provider)})に、あなたの新しい{items}が伝わります。</p>"
            f"<p>同意は、次の午前0時から{CONSENT_YEARS}年間有効です。いつでも取り消せます。"
            f"同意しなくても、受診に変わりはありません。</p>"
        )
        if done:
            body += f"<p role=status><strong>{html.escape(done)}</strong></p>"
        body += (
            "<form method=post><label>模擬: このスマートフォンの持ち主 <input name=person required></label>"
            "<p><button name=answer value=given>同意する</button>"
            " <button name=answer value=declined formnovalidate>同意しない</button></p></form>"
            "<form method=post><button name=answer value=withdrawn>同意を取り消す</button></form>"
        )
        page = (
            "<!doctype html><html lang=ja><meta charset=utf-8>"
            "<meta name=viewport content='width=device-width'><title>模擬ポータル</title>"
            "<style>body{font:1.2rem sans-serif;margin:1rem}button{font:inherit;padding:.8rem 1.2rem}</style>"
            f"<body>{body}</body></html>"
        )
        return Response(page, media_type="text/html", headers=_PAGE_HEADERS)
