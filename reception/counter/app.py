"""The counter's page: who may see it, its pages, the news that they get, and what their forms do."""

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from config.limits import Limits
from consent.wire import JAPAN, japan_now
from reception.counter import wording
from reception.counter.board import outcome_words
from reception.counter.changes import Change, Changes, ChangesError, Reminder
from reception.counter.charts import hours_chart
from reception.counter.day import as_csv, figures_of, lines
from reception.counter.english import LANGUAGES, Words
from reception.counter.hub import Hub
from reception.counter.pages import (
    board_row,
    certificate_warning,
    desk_page,
    ordered,
)
from reception.counter.security import FormRefused, comes_from_this_page, form_of, is_token
from reception.counter.sessions import Role, Session, Sessions, Throttle
from reception.counter.viewing import Viewing
from reception.fleet.audit import Audit
from reception.fleet.messages import Verb, Verdict
from reception.fleet.port import BY_ITSELF, TAKES
from reception.terminal.staff import StaffAnswer
from reception.terminal.staff import Verdict as Password
from reception.terminal.tally import together

_log = logging.getLogger("reception.counter")

HERE = Path(__file__).parent
COALESCE_S = 0.1
"""What changes within this time is told together."""
LOOK_S = 0.5
KEEP_ALIVE_S = 15.0
SESSION, DOOR = "counter", "counter-door"

Answering = Callable[..., Awaitable[Response]]
Verify = Callable[[str, bytearray], StaffAnswer]


@dataclass
class Counter:
    """What the page is made of."""

    hub: Hub
    sessions: Sessions
    throttle: Throttle
    audit: Audit
    verify: Verify
    """Compares a password, slowly, and wipes it."""
    staff_ids: Callable[[], tuple[str, ...]]
    role: Callable[[str], Role]
    limits: Limits
    today: Callable[[], date] = lambda: japan_now().date()
    clock: Callable[[], datetime] = japan_now
    changes: Changes | None = None
    """The worklist of changed names and addresses; None: the clinic does not take part."""
    tls: bool = False
    broker_silent: Callable[[], datetime | None] = lambda: None
    """Since when the broker cannot be reached; None: it can, or there is none."""
    offset_s: Callable[[str], float] = lambda terminal: 0.0
    """By how much a terminal's clock is ahead."""
    metrics: Callable[[], bytes] = lambda: b""
    metrics_token: str = ""
    is_stopping: Callable[[], bool] = lambda: False
    password_turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Refused(Exception):
    """The answer to a request that gets nothing else."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def make_app(counter: Counter) -> FastAPI:
    """Return the page; put Guard around it."""
    viewing = Viewing(counter.hub, counter.sessions, time.monotonic)

    @contextlib.asynccontextmanager
    async def looking(_: FastAPI) -> AsyncIterator[None]:
        async def look() -> None:
            while True:
                viewing.look_at_the_clock()
                await asyncio.sleep(LOOK_S)

        task = asyncio.create_task(look())
        yield
        task.cancel()

    app = FastAPI(title="counter", docs_url=None, redoc_url=None, openapi_url=None, lifespan=looking)
    app.mount("/static", StaticFiles(directory=HERE / "static"), "static")
    page = Pages(counter, viewing)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return error.response

    @app.exception_handler(FormRefused)
    async def no_form(request: Request, _: FormRefused) -> Response:
        return page.wrong(request, 400)

    @app.exception_handler(HTTPException)
    async def wrong(request: Request, error: HTTPException) -> Response:
        return page.wrong(request, error.status_code)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        return page.wrong(request, 500)

    shown: tuple[tuple[str, Answering], ...] = (
        ("/", page.board),
        ("/favicon.ico", page.icon),
        ("/login", page.login),
        ("/live", page.board_live),
        ("/figures", page.figures),
        ("/figures.csv", page.csv),
        ("/terminals", page.terminals),
        ("/changes", page.changes),
        ("/audit", page.acts),
        ("/metrics", page.numbers),
        ("/t/{terminal}", page.desk),
        ("/t/{terminal}/live", page.desk_live),
        ("/t/{terminal}/photo", page.photo),
        ("/t/{terminal}/figures", page.figures),
        ("/t/{terminal}/figures.csv", page.csv),
    )
    done: tuple[tuple[str, Answering], ...] = (
        ("/login", page.log_in),
        ("/logout", page.log_out),
        ("/lock", page.lock),
        ("/unlock", page.unlock),
        ("/language", page.language),
        ("/theme", page.theme),
        ("/changes", page.change),
        ("/here", page.here),
        ("/t/{terminal}/search", page.search),
        ("/t/{terminal}/do/{verb}", page.do),
    )
    for path, answer in shown:
        app.get(path)(answer)
    for path, answer in done:
        app.post(path)(answer)
    return app


class Pages:
    """Every page and what its forms do."""

    def __init__(self, counter: Counter, viewing: Viewing) -> None:
        self._counter, self._viewing = counter, viewing
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    # --- Who may ------------------------------------------------------------------------------------------------

    def _session(self, request: Request, *, locked: bool = False) -> Session:
        """Return the login of a request; raises Refused."""
        session = self._counter.sessions.find(request.cookies.get(self._cookie(SESSION), ""))
        if session is None:
            raise Refused(self._to_login(request))
        if session.is_locked and not locked:
            raise Refused(self._locked(request, session))
        return session

    def _to_login(self, request: Request) -> Response:
        if _is_script(request):
            return Response(status_code=401)
        return RedirectResponse("/login", 303)

    def _locked(self, request: Request, session: Session, said: str = "") -> Response:
        if _is_script(request):
            return Response(status_code=401)
        return self._page("locked.html", request, session, said=said)

    async def _form(self, request: Request, *, locked: bool = False) -> tuple[Session, dict[str, str]]:
        """Return the login and the form of a request with the login's token; raises Refused, FormRefused."""
        session = self._session(request, locked=locked)
        form = await form_of(request)
        given = request.headers.get("x-csrf") or form.pop("csrf", "")
        form.pop("csrf", None)
        if not comes_from_this_page(request) or not is_token(given, session.csrf):
            self._counter.audit.note(session.staff, "request", _who(request), "forged")
            raise Refused(self.wrong(request, 403))
        return session, form

    def _administrator(self, request: Request) -> Session:
        session = self._session(request)
        if session.role is not Role.ADMINISTRATOR:
            raise Refused(self.wrong(request, 403))
        return session

    def _cookie(self, name: str) -> str:
        # The prefix makes browsers refuse it from a neighbour of this name, or without TLS.
        return f"__Host-{name}" if self._counter.tls else name

    def _set(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(
            self._cookie(name), value, httponly=True, samesite="strict", secure=self._counter.tls, path="/"
        )

    def _terminal(self, terminal: str) -> str:
        if self._counter.hub.desk(terminal) is None:
            raise HTTPException(404)
        return terminal

    # --- How it is shown ----------------------------------------------------------------------------------------

    def _render(self, name: str, session: Session | None, language: str, **values: Any) -> str:
        csrf = session.csrf if session else ""
        field = Markup('<input type="hidden" name="csrf" value="{}">').format(csrf)
        common = {
            "session": session,
            "t": Words(language),
            "csrf": lambda: field,
            "terminal": "",
            "page": "",
            "said": "",
            "many": len(self._counter.hub.terminals()) > 1,
            "waiting": self._waiting() if session else None,
        }
        return self._templates.get_template(name).render(common | values)

    def _page(
        self, name: str, request: Request, session: Session | None, status: int = 200, **values: Any
    ) -> Response:
        return HTMLResponse(self._render(name, session, self._language(request, session), **values), status)

    def _waiting(self) -> int | None:
        """Return how many changes wait for a clerk; None: no page is about them."""
        if self._counter.changes is None:
            return None
        try:
            return self._counter.changes.waiting()
        except ChangesError as error:
            _log.error("%s", error)
            return 0

    @staticmethod
    def _language(request: Request, session: Session | None) -> str:
        if session is not None:
            return session.language
        asked = request.query_params.get("language") or request.headers.get("accept-language", "ja")[:2]
        return asked if asked in LANGUAGES else "ja"

    def wrong(self, request: Request, status: int) -> Response:
        """Say that something is not there, not allowed or broken."""
        if _is_script(request):
            return Response(status_code=status)
        session = self._counter.sessions.find(request.cookies.get(self._cookie(SESSION), ""))
        t = Words(self._language(request, session))
        heading = {403: t("許されていない操作です"), 404: t("ページがありません")}.get(
            status, t("表示できませんでした")
        )
        text = t("前のページに戻るか、はじめのページからやり直してください。")
        return self._page("wrong.html", request, session, status, heading=heading, text=text)

    async def icon(self, request: Request) -> Response:
        """Return the icon to who asks for it by the old name."""
        return RedirectResponse("/static/icon.svg", 303)

    # --- Log in, log out, lock ----------------------------------------------------------------------------------

    async def login(self, request: Request) -> Response:
        """Show the door."""
        if self._counter.sessions.find(request.cookies.get(self._cookie(SESSION), "")):
            return RedirectResponse("/", 303)
        t = Words(self._language(request, None))
        because = {"timeout": t("しばらく操作がなかったため、ログアウトしました。")}
        return self._door(request, because.get(request.query_params.get("because", ""), ""))

    def _door(self, request: Request, said: str, status: int = 200) -> Response:
        door = secrets.token_urlsafe(24)
        nobody = not self._counter.staff_ids()
        response = self._page("login.html", request, None, status, door=door, said=said, nobody=nobody)
        self._set(response, DOOR, door)
        return response

    async def log_in(self, request: Request) -> Response:
        """Log somebody in."""
        form = await form_of(request)
        door = request.cookies.get(self._cookie(DOOR), "")
        t = Words(self._language(request, None))
        if not comes_from_this_page(request) or not is_token(form.get("csrf", ""), door):
            return self._door(request, t("もう一度入力してください。"), 403)
        staff, password = form.get("staff", "")[:40], bytearray(form.pop("password", "").encode()[:512])
        said = await self._password(request, staff, password, "log-in", t)
        if said:
            return self._door(request, said, 403)
        session = self._counter.sessions.begin(staff, self._counter.role(staff), t.language)
        response = RedirectResponse("/", 303)
        self._set(response, SESSION, session.token)
        response.delete_cookie(self._cookie(DOOR), secure=self._counter.tls, httponly=True, samesite="strict")
        return response

    async def _password(self, request: Request, staff: str, password: bytearray, act: str, t: Words) -> str:
        """Have a password compared; return what was wrong in words, empty when it was right."""
        counter, address = self._counter, _who(request)
        keys = f"staff {staff}", f"address {address}"
        # One at a time: an attacker's many do not take the machine from the rest.
        async with counter.password_turn:
            wait = counter.throttle.wait_s(*keys)
            if wait > 0:
                counter.audit.note(staff, act, address, "wait")
                return t("続けて間違えたため、あと {n} 秒待ってください。", n=round(wait) or 1)
            answer = await run_in_threadpool(counter.verify, staff, password)
            if answer.verdict is Password.RIGHT:
                counter.throttle.right(*keys)
                counter.audit.note(staff, act, address, "done")
                return ""
            counter.throttle.missed(*keys)
        counter.audit.note(staff, act, address, "wrong")
        # Who has no password is told the same: nobody learns which ids there are.
        return t("IDかパスワードが違います。もう一度入力してください。")

    async def log_out(self, request: Request) -> Response:
        """Log somebody out, and have the browser forget what it keeps."""
        session, _ = await self._form(request, locked=True)
        self._counter.sessions.end(session)
        self._viewing.look_at_the_clock()
        self._counter.audit.note(session.staff, "log-out", _who(request), "done")
        response = RedirectResponse("/login", 303)
        response.delete_cookie(
            self._cookie(SESSION), secure=self._counter.tls, httponly=True, samesite="strict"
        )
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    async def lock(self, request: Request) -> Response:
        """Show nothing personal until the password is given again."""
        session, _ = await self._form(request)
        session.is_locked = True
        session.searches.clear()
        self._viewing.look_at_the_clock()
        self._counter.audit.note(session.staff, "lock", _who(request), "done")
        return RedirectResponse("/", 303)

    async def unlock(self, request: Request) -> Response:
        """Go on where it was locked."""
        session, form = await self._form(request, locked=True)
        password = bytearray(form.pop("password", "").encode()[:512])
        said = await self._password(request, session.staff, password, "unlock", Words(session.language))
        if said:
            return self._locked(request, session, said)
        self._counter.sessions.use(session)
        session.is_locked = False
        return RedirectResponse("/", 303)

    async def language(self, request: Request) -> Response:
        """Use another language for this login."""
        session, form = await self._form(request)
        session.language = form.get("language", "") if form.get("language") in LANGUAGES else "ja"
        return self._back(session)

    async def theme(self, request: Request) -> Response:
        """Use light or dark for this login."""
        session, form = await self._form(request)
        session.theme = form.get("theme", "") if form.get("theme") in ("light", "dark") else ""
        return self._back(session)

    async def here(self, request: Request) -> Response:
        """Somebody uses the page."""
        session, _ = await self._form(request)
        self._counter.sessions.use(session)
        return Response(status_code=204)

    def _back(self, session: Session) -> Response:
        self._counter.sessions.use(session)
        return RedirectResponse(session.page, 303)

    # --- Pages --------------------------------------------------------------------------------------------------

    def _visited(self, request: Request) -> Session:
        session = self._session(request)
        self._counter.sessions.use(session)
        session.page = request.url.path
        return session

    async def board(self, request: Request) -> Response:
        """Show all terminals; the only one there is, at once."""
        session = self._visited(request)
        terminals = self._counter.hub.terminals()
        if len(terminals) == 1:
            return RedirectResponse(f"/t/{terminals[0]}", 303)
        return self._page("board.html", request, session, page="board", **self._all(session))

    def _all(self, session: Session) -> dict[str, Any]:
        counter, t = self._counter, Words(session.language)
        with counter.hub.lock:
            desks = [desk for each in counter.hub.terminals() if (desk := counter.hub.desk(each))]
            rows = [board_row(each, t, counter.today(), counter.offset_s(each.terminal)) for each in desks]
        return {"rows": ordered(rows), "sum": _sum(rows), "broker_silent": self._broker_silent()}

    def _broker_silent(self) -> str:
        since = self._counter.broker_silent()
        return f"{since.astimezone(JAPAN):%H:%M}" if since else ""

    async def desk(self, request: Request, terminal: str, visit: str = "") -> Response:
        """Show one terminal."""
        session = self._visited(request)
        self._viewing.see(session, self._terminal(terminal))
        values = self._desk(session, terminal, visit)
        return self._page("desk.html", request, session, page="desk", chosen=_plain_id(visit), **values)

    def _desk(self, session: Session, terminal: str, visit: str) -> dict[str, Any]:
        counter, t = self._counter, Words(session.language)
        desk = counter.hub.desk(terminal)
        assert desk is not None
        with counter.hub.lock:
            page = desk_page(
                desk,
                t,
                counter.limits,
                counter.today(),
                chosen=visit,
                search=session.searches.get(terminal, ""),
            )
        reasons = [(reason, t(words)) for reason, words in wording.REASONS.items()]
        return {"terminal": terminal, "desk": page, "reasons": reasons}

    async def photo(self, request: Request, terminal: str, visit: str = "") -> Response:
        """Return the card's photo while it is compared."""
        self._session(request)
        desk = self._counter.hub.desk(self._terminal(terminal))
        photo = desk.photo if desk else None
        if photo is None or photo.visit != visit or not photo.png:
            raise HTTPException(404)
        return Response(bytes(photo.png), media_type="image/png")

    def _tally(self, terminal: str) -> Any:
        hub = self._counter.hub
        with hub.lock:
            if terminal:
                desk = hub.desk(self._terminal(terminal))
                return desk.tally if desk else None
            return together([desk.tally for each in hub.terminals() if (desk := hub.desk(each))])

    def _lines(self, terminal: str, t: Words) -> tuple[Any, tuple[tuple[str, str, str], ...]]:
        day = figures_of(self._tally(terminal))
        outcomes = {code: t(outcome_words(code)) for code, _ in day.failures}
        identities = {way: t(words) for way, words in wording.IDENTITY.items()}
        return day, lines(day, identities, outcomes, t)

    async def figures(self, request: Request, terminal: str = "") -> Response:
        """Show the day at a glance, of one terminal or of all."""
        session = self._visited(request)
        t = Words(session.language)
        day, told = self._lines(terminal, t)
        return self._page(
            "figures.html",
            request,
            session,
            page="figures",
            terminal=terminal,
            day=day,
            lines=told,
            date=day.day or self._counter.today().isoformat(),
            rate=f"{100 * day.completed / day.visits:.0f} %" if day.visits else "-",
            chart=hours_chart(day.hours, t),
            csv=f"/t/{terminal}/figures.csv" if terminal else "/figures.csv",
        )

    async def csv(self, request: Request, terminal: str = "") -> Response:
        """Return the figures for a spreadsheet; nothing in them is personal."""
        session = self._visited(request)
        day, told = self._lines(terminal, Words("ja"))
        self._counter.audit.note(session.staff, "csv", terminal or "all", "done")
        name = f"figures-{day.day or self._counter.today().isoformat()}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(as_csv(told), media_type="text/csv; charset=utf-8", headers=headers)

    async def terminals(self, request: Request) -> Response:
        """Show the version, the settings and the certificate of each terminal."""
        session = self._administrator(request)
        self._counter.sessions.use(session)
        t, hub = Words(session.language), self._counter.hub
        abouts = []
        for terminal in hub.terminals():
            desk = hub.desk(terminal)
            about = desk.about if desk else {}
            ends, settings = str(about.get("certificate_ends", "")), about.get("settings", {})
            abouts.append(
                {
                    "terminal": terminal,
                    "version": str(about.get("version", "")),
                    "ends": ends,
                    "warning": certificate_warning(ends, t, self._counter.today()),
                    "settings": sorted(settings.items()) if isinstance(settings, dict) else [],
                }
            )
        return self._page("terminals.html", request, session, page="terminals", abouts=abouts)

    async def changes(self, request: Request) -> Response:
        """Show which names and addresses changed, old and new beside each other."""
        session = self._visited(request)
        return await self._changes(request, session, "")

    async def _changes(self, request: Request, session: Session, said: str) -> Response:
        t = Words(session.language)
        shown: tuple[Change, ...] = ()
        reminders: tuple[Reminder, ...] = ()
        broken = False
        try:
            shown = await run_in_threadpool(self._worklist().shown, t)
            reminders = await run_in_threadpool(self._worklist().reminders)
        except ChangesError as error:
            _log.error("%s", error)
            broken, said = True, said or t(UNREADABLE)
        return self._page(
            "changes.html",
            request,
            session,
            page="changes",
            changes=shown,
            reminders=reminders,
            broken=broken,
            said=said,
        )

    def _worklist(self) -> Changes:
        if self._counter.changes is None:
            raise HTTPException(404)
        return self._counter.changes

    async def change(self, request: Request) -> Response:
        """Do what a clerk decided about a change."""
        session, form = await self._form(request)
        self._counter.sessions.use(session)
        worklist, t = self._worklist(), Words(session.language)
        if set(form) != {"change", "answer"} or form["answer"] not in CHANGE_ANSWERS:
            raise HTTPException(400)
        answer, change = form["answer"], _plain_id(form["change"])
        act = CHANGE_ANSWERS[answer]
        try:
            if answer == "reminded":
                decided = partial(worklist.acknowledge, change)
            else:
                decided = partial(worklist.decide, change, session.staff, accept=answer == "accept")
            verdict = "done" if await run_in_threadpool(decided) else "late"
        except ChangesError as error:
            _log.error("%s", error)
            verdict = "failed"
        self._counter.audit.note(session.staff, act, change, verdict)
        said = {
            "done": t(CHANGE_DONE[answer]),
            "late": t("この変更は、もう一覧にありません。ほかの係が先に決めています。"),
            "failed": t(UNREADABLE),
        }
        return await self._changes(request, session, said[verdict])

    async def acts(self, request: Request) -> Response:
        """Show the audit."""
        session = self._administrator(request)
        self._counter.sessions.use(session)
        return self._page("audit.html", request, session, page="audit", acts=self._counter.audit.newest())

    async def numbers(self, request: Request) -> Response:
        """Return figures for the hospital's monitoring; from another machine with the token only."""
        local = request.client is not None and request.client.host in ("127.0.0.1", "::1")
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not local and not is_token(given, self._counter.metrics_token):
            raise HTTPException(401)
        content = await run_in_threadpool(self._counter.metrics)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    # --- News ---------------------------------------------------------------------------------------------------

    async def desk_live(self, request: Request, terminal: str, visit: str = "") -> Response:
        """Tell a terminal's page what changes."""
        session = self._session(request)
        self._terminal(terminal)

        def regions() -> Mapping[str, str]:
            self._viewing.see(session, terminal)
            return self._regions(session, terminal, visit)

        return self._stream(request, session, regions, lambda changed: changed == terminal)

    def _regions(self, session: Session, terminal: str, visit: str) -> dict[str, str]:
        values = self._desk(session, terminal, visit)
        return {
            name: self._render(f"parts/{name}.html", session, session.language, **values) for name in REGIONS
        }

    async def board_live(self, request: Request) -> Response:
        """Tell the page of all terminals what changes."""
        session = self._session(request)
        changed: set[str] | None = None
        kept: dict[str, tuple[Any, str]] = {}

        def wants(terminal: str) -> bool:
            if changed is not None:
                changed.add(terminal)
            return True

        def regions() -> Mapping[str, str]:
            nonlocal changed
            dirty, changed = changed, set()
            return self._rows(session, kept, dirty)

        return self._stream(request, session, regions, wants)

    def _rows(
        self, session: Session, kept: dict[str, tuple[Any, str]], dirty: set[str] | None
    ) -> dict[str, str]:
        """Return the rows of all terminals; only those of ``dirty`` (None: all) are made anew."""
        counter, t = self._counter, Words(session.language)
        hub = counter.hub
        with hub.lock:
            for terminal in hub.terminals():
                desk = hub.desk(terminal)
                if desk is not None and (dirty is None or terminal in dirty or terminal not in kept):
                    row = board_row(desk, t, counter.today(), counter.offset_s(terminal))
                    kept[terminal] = row, self._render("parts/row.html", session, t.language, row=row)
        rows = [row for row, _ in kept.values()]
        found = {f"row-{terminal}": html for terminal, (_, html) in kept.items()}
        values = {"sum": _sum(rows), "broker_silent": self._broker_silent()}
        found["sum"] = self._render("parts/sum.html", session, t.language, **values)
        found[ORDER] = json.dumps([row.terminal for row in ordered(rows)])
        return found

    def _stream(
        self,
        request: Request,
        session: Session,
        regions: Callable[[], Mapping[str, str]],
        wants: Callable[[str], bool],
    ) -> Response:
        loop, due = asyncio.get_running_loop(), asyncio.Event()

        def changed(terminal: str) -> None:
            loop.call_soon_threadsafe(lambda: due.set() if wants(terminal) else None)

        async def news() -> AsyncIterator[str]:
            stop = self._counter.hub.subscribe(changed)
            sent: dict[str, int] = {}
            number, quiet_since = 0, time.monotonic()
            try:
                yield f"retry: 1000\nevent: clock\ndata: {time.time():.3f}\n\n"
                while not self._counter.is_stopping():
                    due.clear()
                    if not self._counter.sessions.holds(session):
                        yield f"event: bye\ndata: {self._where(session)}\n\n"
                        return
                    told = regions()
                    fresh = {name: html for name, html in told.items() if sent.get(name) != hash(html)}
                    sent = {name: hash(html) for name, html in told.items()}
                    if fresh:
                        number, quiet_since = number + 1, time.monotonic()
                        yield f"id: {number}\nevent: news\ndata: {_news(fresh)}\n\n"
                    elif time.monotonic() - quiet_since >= KEEP_ALIVE_S:
                        quiet_since = time.monotonic()
                        yield ": still here\n\n"
                    await asyncio.sleep(COALESCE_S)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(due.wait(), LOOK_S)
            finally:
                stop()

        return StreamingResponse(news(), media_type="text/event-stream")

    def _where(self, session: Session) -> str:
        if session.is_locked and self._counter.sessions.find(session.token):
            return "/"
        return "/login?because=timeout"

    # --- What the forms do --------------------------------------------------------------------------------------

    async def search(self, request: Request, terminal: str) -> Response:
        """Look for something in today's list; what was typed is in no address."""
        session, form = await self._form(request)
        self._counter.sessions.use(session)
        self._viewing.see(session, self._terminal(terminal))
        session.searches[terminal] = form.get("search", "")[:100]
        return self._told(request, session, terminal, ok=True, said="", names=("list",))

    async def do(self, request: Request, terminal: str, verb: str) -> Response:
        """Do what a form asks for."""
        session, form = await self._form(request)
        self._counter.sessions.use(session)
        self._terminal(terminal)
        t = Words(session.language)
        if verb not in _FORMS:
            raise HTTPException(404)
        if set(form) - {"password"} != set(_FORMS[verb]):
            raise HTTPException(400)
        if verb == Verb.START_VISUAL:
            password = bytearray(form.pop("password", "").encode()[:512])
            said = await self._password(request, session.staff, password, "password", t)
            if said:
                return self._told(request, session, terminal, ok=False, said=said)
        if verb == Verb.REGISTER_CHART and (said := self._doubt(session, terminal, form, t)):
            return self._told(request, session, terminal, ok=False, said=said)
        form.pop("password", None)
        answer = await asyncio.wrap_future(self._counter.hub.ask(terminal, Verb(verb), session.staff, form))
        ok = answer.verdict is Verdict.DONE
        self._counter.audit.note(session.staff, verb, terminal, answer.verdict)
        said = t(wording.VERDICTS[answer.verdict])
        if verb == Verb.REGISTER_CHART and ok:
            said = t("診察券番号 {n} を登録しました。", n=form["number"])
        elif verb == Verb.REGISTER_CHART and answer.verdict is Verdict.UNKNOWN:
            said = t("診察券番号は、空白のない半角の英数字と記号で、50文字までです。")
        return self._told(request, session, terminal, ok=ok, said=said)

    def _doubt(self, session: Session, terminal: str, form: dict[str, str], t: Words) -> str:
        """Ask once more about a chart number that somebody else of today has; empty: no doubt, or asked already."""
        form["number"] = form["number"].strip()
        desk = self._counter.hub.desk(terminal)
        view = desk.board.whom(form["visit"]) if desk else None
        if desk is None or view is None:
            return ""
        others = desk.board.namesakes(view, form["number"])
        asked = f"{form['visit']} {form['number']}"
        if not others or session.searches.pop("doubt", "") == asked:
            return ""
        session.searches["doubt"] = asked
        names = ", ".join(f"{one.name} ({one.birth_date.isoformat()})" for one in others)
        return t(
            "{n} は、本日の {names} の番号です。それでも登録するときは、もう一度押してください。",
            n=form["number"],
            names=names,
        )

    def _told(
        self,
        request: Request,
        session: Session,
        terminal: str,
        *,
        ok: bool,
        said: str,
        names: tuple[str, ...] = (),
    ) -> Response:
        if not _is_script(request):
            return self._page(
                "desk.html",
                request,
                session,
                page="desk",
                chosen="",
                said=said,
                **self._desk(session, terminal, ""),
            )
        values = self._desk(session, terminal, "")
        regions = {
            name: self._render(f"parts/{name}.html", session, session.language, **values) for name in names
        }
        return JSONResponse({"ok": ok, "said": said, "regions": regions})


CHANGE_ANSWERS = {"accept": "accept-change", "refuse": "refuse-change", "reminded": "acknowledge-reminder"}
"""By answer of a clerk, the act in the audit."""
CHANGE_DONE = {
    "accept": "受け入れました。レセコン用の連絡票を書きました。",
    "refuse": "受け入れませんでした。登録はそのままです。",
    "reminded": "お知らせ済みにしました。",
}
UNREADABLE = "変更の一覧を読み書きできません。レセコンのフォルダーと共有の設定を確認してください。"
REGIONS = ("status", "calls", "notices", "conflicts", "list", "check", "person", "help", "lamps")
ORDER = "order"

_FORMS: dict[str, tuple[str, ...]] = {verb: names for verb, names in TAKES.items() if verb not in BY_ITSELF}
"""What a form may ask for, with its fields."""


def _news(fresh: Mapping[str, str]) -> str:
    told: dict[str, Any] = {"regions": {name: html for name, html in fresh.items() if name != ORDER}}
    if ORDER in fresh:
        told["order"] = json.loads(fresh[ORDER])
    return json.dumps(told, ensure_ascii=False)


def _sum(rows: list[Any]) -> dict[str, int]:
    return {
        "terminals": len(rows),
        "hands": sum(bool(row.calls) or row.situation.tone == "hand" for row in rows),
        "silent": sum(row.situation.tone == "silent" for row in rows),
        "busy": sum(row.situation.tone == "busy" for row in rows),
        "visits": sum(row.visits for row in rows),
        "completed": sum(row.completed for row in rows),
    }


def _is_script(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "text/html" not in accept and (
        "json" in accept or "event-stream" in accept or "x-csrf" in request.headers
    )


def _who(request: Request) -> str:
    return request.client.host if request.client else "-"


def _plain_id(visit: str) -> str:
    return "".join(each for each in visit[:40] if each.isalnum() or each == "-")
