"""What the counter's page serves to whom: by bare requests, without a browser's help."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reception.counter.app import _FORMS
from reception.counter.program import CounterError, CounterProgram, Site
from reception.counter.security import CONTENT_POLICY
from reception.testing.testbench import STAFF, STAFF_PASSWORD
from tests.support.asker import Asker
from tests.support.counter import PERSON, Terminal, page_of, settings, soon

CLERK = "desk-2"
OPEN = {"/login", "/metrics", "/static", "/favicon.ico"}
"""What is served without a login; /metrics to this machine."""


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def program(terminal: Terminal, tmp_path: Path) -> Iterator[CounterProgram]:
    with page_of([terminal], tmp_path, CLERK) as program:
        yield program


@pytest.fixture
def asker(program: CounterProgram) -> Asker:
    return Asker(program)


def paths(program: CounterProgram) -> list[tuple[str, str]]:
    """Every method and path that the page knows, so that a new one cannot be forgotten."""
    guard = program._server.config.app
    found = []
    for route in guard._app.routes:  # type: ignore[union-attr]
        path = route.path.replace("{terminal}", "terminal-1").replace("{verb}", "cancel")
        found += [(method, path) for method in (getattr(route, "methods", None) or {"GET"}) - {"HEAD"}]
    assert len(found) > 15
    return found


def test_without_a_login_nothing_is_served(program: CounterProgram, asker: Asker, terminal: Terminal) -> None:
    terminal.comes()
    terminal.is_identified()
    for method, path in paths(program):
        if path in OPEN:
            continue
        status, told, text = asker.ask(method, path, {} if method == "POST" else None)
        assert (status, told.get("location")) == (303, "/login"), (method, path, status)
        assert PERSON.name not in text
        status, _, text = asker.ask(method, path, {} if method == "POST" else None, Accept="application/json")
        assert (status, text) == (401, ""), (method, path)


def test_no_form_is_taken_without_the_token_of_its_login(
    program: CounterProgram, asker: Asker, terminal: Terminal
) -> None:
    assert asker.log_in() == 303
    terminal.comes()
    for method, path in paths(program):
        if method == "POST" and path not in ("/login",):
            for form in ({}, {"csrf": "x" * 43}, {"csrf": ""}):
                status, _, _ = asker.ask("POST", path, form)
                assert status == 403, (path, form)
    assert str(terminal.state) == "METHOD_CHOICE"
    assert {act.verdict for act in program.audit.newest() if act.act == "request"} == {"forged"}


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}],
)
def test_a_form_of_another_page_is_refused_even_with_the_token(asker: Asker, headers: dict[str, str]) -> None:
    assert asker.log_in() == 303
    status, _, _ = asker.ask("POST", "/t/terminal-1/do/close-desk", {"csrf": asker.csrf}, **headers)
    assert status == 403


def test_the_token_of_another_login_is_refused(program: CounterProgram, asker: Asker) -> None:
    other = Asker(program)
    assert asker.log_in() == other.log_in(CLERK) == 303
    status, _, _ = asker.ask("POST", "/t/terminal-1/do/close-desk", {"csrf": other.csrf})
    assert status == 403


def test_every_answer_has_the_headers(program: CounterProgram, asker: Asker) -> None:
    asker.log_in()
    for path in ("/login", "/", "/t/terminal-1", "/nowhere", "/static/counter.js", "/figures.csv", "/audit"):
        _, told, _ = asker.ask("GET", path)
        assert told["content-security-policy"] == CONTENT_POLICY, path
        assert told["x-frame-options"] == "DENY"
        assert told["x-content-type-options"] == "nosniff"
        assert told["cache-control"] == "no-store"
        assert told["referrer-policy"] == "same-origin"
        assert "server" not in told
    for word in ("unsafe", "http:", "https:", "*", "data:"):
        assert word not in CONTENT_POLICY


def test_cookies_are_for_this_page_alone(program: CounterProgram) -> None:
    asker = Asker(program)
    _, told, _ = asker.ask(
        "POST", "/login", {"csrf": asker.door(), "staff": STAFF, "password": STAFF_PASSWORD}
    )
    cookie = told["set-cookie"].lower()
    # Two are set; the header of the last one is seen here. None has a life beyond the browser's.
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie


def test_no_page_names_a_style_a_script_or_a_picture_of_elsewhere() -> None:
    folder = Path(__file__).parents[3] / "reception" / "counter"
    for path in [*folder.glob("templates/**/*.html"), *folder.glob("static/*")]:
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z]", text), path
        assert not re.findall(r"\son[a-z]+=|\sstyle=|<style|<script>|\|\s*safe", text), path


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:8480"])
def test_a_name_that_is_not_this_pages_is_refused(asker: Asker, host: str) -> None:
    status, _, _ = asker.ask("GET", "/login", Host=host)
    assert status == 421


def test_wrong_passwords_wait_across_a_restart(terminal: Terminal, tmp_path: Path) -> None:
    with page_of([terminal], tmp_path, CLERK) as program:
        asker = Asker(program)
        assert [asker.log_in(STAFF, "wrong-password") for _ in range(3)] == [403] * 3
    again = Terminal()
    with page_of([again], tmp_path, CLERK) as program:
        asker = Asker(program)
        assert asker.log_in() == 403, "the right one is not looked at yet"
        assert "wait" in [act.verdict for act in program.audit.newest()]


def test_who_has_no_password_is_told_the_same_as_who_types_a_wrong_one(asker: Asker) -> None:
    told = [
        asker.ask("POST", "/login", {"csrf": asker.door(), "staff": staff, "password": "wrong-password"})[2]
        for staff in (STAFF, "nobody")
    ]
    said = [re.findall(r'role="alert">([^<]+)', page) for page in told]
    assert said[0] == said[1] != []


def test_a_clerk_administers_nothing(asker: Asker) -> None:
    assert asker.log_in(CLERK) == 303
    assert [asker.ask("GET", path)[0] for path in ("/audit", "/terminals", "/t/terminal-1")] == [
        403,
        403,
        200,
    ]


def test_a_login_that_is_over_ends_its_news_and_forgets_the_names(
    program: CounterProgram, asker: Asker, terminal: Terminal
) -> None:
    asker.log_in()
    visit = terminal.comes()
    terminal.is_identified()
    asker.ask("GET", "/t/terminal-1")
    desk = program.hub.desk("terminal-1")
    assert desk is not None
    soon(lambda: desk.board.whom(visit) is not None, "nobody is known")
    status, told, _ = asker.ask("POST", "/logout", {"csrf": asker.csrf})
    assert (status, told["location"]) == (303, "/login")
    assert "storage" in told["clear-site-data"]
    assert desk.board.whom(visit) is None
    assert desk.watchers == 0


def test_without_a_login_no_personal_news_is_asked_for(program: CounterProgram, terminal: Terminal) -> None:
    visit = terminal.comes()
    terminal.is_identified()
    desk = program.hub.desk("terminal-1")
    assert desk is not None
    assert desk.board.whom(visit) is None
    assert [command.verb for command in terminal.link.sent] == []


def test_forms_with_other_fields_or_too_large_are_refused(asker: Asker, terminal: Terminal) -> None:
    asker.log_in()
    terminal.comes()
    for form in ({"visit": "x", "more": "1"}, {}, {"visit": "x" * 9000}):
        status, _, _ = asker.ask("POST", "/t/terminal-1/do/cancel", {"csrf": asker.csrf, **form})
        assert status == 400, form
    assert asker.ask("POST", "/t/terminal-1/do/shutdown", {"csrf": asker.csrf})[0] == 404
    assert asker.ask("POST", "/t/terminal-9/do/cancel", {"csrf": asker.csrf, "visit": "x"})[0] == 404
    assert str(terminal.state) == "METHOD_CHOICE"
    assert set(_FORMS) >= {"cancel", "start-visual"}


def test_what_somebody_types_is_never_markup(asker: Asker, terminal: Terminal) -> None:
    asker.log_in()
    bad = '"><img src=x onerror=alert(1)>'
    asker.ask("POST", "/t/terminal-1/search", {"csrf": asker.csrf, "search": bad})
    _, _, page = asker.ask("GET", "/t/terminal-1")
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_metrics_tell_figures_and_no_names(program: CounterProgram, asker: Asker, terminal: Terminal) -> None:
    terminal.comes()
    terminal.is_identified()
    terminal.answers()
    soon(lambda: program.hub.desk("terminal-1").tally.completed == 1, "not counted")  # type: ignore[union-attr]
    status, _, text = asker.ask("GET", "/metrics")
    assert status == 200
    assert 'reception_terminal_heard{terminal="terminal-1"} 1.0' in text
    assert 'reception_terminal_completed_today{terminal="terminal-1"} 1.0' in text
    assert 'reception_terminal_part_down{part="camera",terminal="terminal-1"} 0.0' in text
    assert PERSON.name not in text


def test_nothing_personal_is_in_the_log(
    asker: Asker, terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asker.log_in()
    terminal.comes()
    terminal.is_identified()
    asker.ask("GET", "/t/terminal-1")
    asker.ask("POST", "/t/terminal-1/search", {"csrf": asker.csrf, "search": PERSON.name})
    form = {"csrf": asker.csrf, "visit": terminal.actor.visit, "number": "A-1"}
    asker.ask("POST", "/t/terminal-1/do/register-chart", form)
    said = json.dumps([record.getMessage() for record in caplog.records], ensure_ascii=False)
    for secret in (PERSON.name, PERSON.name_kana, PERSON.insurance.number, STAFF_PASSWORD, "A-1"):
        assert secret not in said


def test_other_machines_need_tls(tmp_path: Path) -> None:
    with pytest.raises(CounterError, match="cert and key"):
        CounterProgram(Site(settings(host="0.0.0.0"), tmp_path, []))
