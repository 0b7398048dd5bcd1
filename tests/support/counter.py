"""A counter's page for tests: a terminal played by the flow, its port, the page on a free port, and a browser."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

import config
from config.person import load_person
from consent.choices import ConsentAnswer, Item
from reception import flow
from reception.counter.changes import Changes
from reception.counter.program import CounterProgram, Site
from reception.fleet.audit import Audit
from reception.fleet.messages import PERSONAL, Answer, Command, News, Verb, Verdict
from reception.fleet.port import About, Port, Watch
from reception.flow import Method, State
from reception.terminal.snapshot import SubsidyView
from reception.testing.fleet.actors import QUESTIONS, Actor, ActorOffice, view_of
from reception.testing.testbench import STAFF, STAFF_PASSWORD, write_staff_file

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromium-driver")

PERSON = load_person("age45")


class DirectLink:
    """A link without a socket: what a port tells is heard in the same thread."""

    def __init__(self, port: Port) -> None:
        self.port, self.watch = port, Watch(time.monotonic)
        self.sent: list[Command] = []
        self.is_cut = False
        self._heard: Callable[[str, News | Answer | None], None] = lambda *_: None
        self._stop: Callable[[], None] = lambda: None

    @property
    def terminal(self) -> str:
        return self.port.about.terminal

    def start(self, heard: Callable[[str, News | Answer | None], None]) -> None:
        self._heard = heard
        self._stop = self.port.listen(self._hear)

    def _hear(self, news: News) -> None:
        if self.watch.lets(news.kind) and not self.is_cut:
            self._heard(self.terminal, news)

    def cut(self) -> None:
        """Nothing is heard any more."""
        self.is_cut = True
        self._heard(self.terminal, None)

    def send(self, terminal: str, command: Command) -> bool:
        self.sent.append(command)
        if self.is_cut:
            return False
        self.port.act(command, lambda answer: self._answered(command, answer))
        return True

    def _answered(self, command: Command, answer: Answer) -> None:
        self._heard(self.terminal, answer)
        if command.verb == Verb.WATCH and answer.verdict is Verdict.DONE:
            began = not self.watch.is_on
            self.watch.ask(command.arguments["seconds"])
            if began and self.watch.is_on:
                for kind in PERSONAL:
                    self._heard(self.terminal, self.port.present(kind))

    def clock_offset_s(self, terminal: str) -> float:
        return 0.0

    def close(self) -> None:
        self._stop()


class Terminal:
    """One terminal that a test plays, with its port."""

    def __init__(self, name: str = "terminal-1") -> None:
        self.actor = Actor(name)
        self.office = ActorOffice(self.actor)
        self.audit = Audit(None, lambda: datetime.now(UTC))
        self.port = Port(self.actor, self.office, About(name, "1"), self.audit, keep_s=1800)
        self.link = DirectLink(self.port)
        self._visits = 0

    def comes(self, person: Any = PERSON) -> str:
        """Somebody puts a card in; return the visit."""
        self._visits += 1
        visit = f"{self.actor.name}-visit-{self._visits}"
        self.actor.submit(flow.CardInserted(visit))
        self.actor.submit(flow.CardRead(self.actor.occasion, True, 3))
        self.person = person
        return visit

    def is_identified(self) -> None:
        """The patient's face matched, and the server named them."""
        self.actor.submit(flow.Choose(Method.FACE))
        self.actor.submit(flow.FaceMatched(self.actor.occasion))
        self.actor.knows(view_of(self.person, self.actor.visit))
        self.actor.submit(flow.Identified(self.actor.occasion, QUESTIONS))

    def answers(self, *subsidies: SubsidyView) -> None:
        """The patient answers all questions, is told of the end and takes the card; uses these certificates."""
        for _ in QUESTIONS:
            self.actor.submit(flow.Answer(ConsentAnswer.GIVEN))
        self.actor.submit(flow.ConfirmAnswers())
        used = (Item.MEDICAL_SUBSIDY,) if subsidies else ()
        given = tuple((item.value, "given") for item in (*QUESTIONS, *used))
        view = view_of(self.person, self.actor.visit, given)
        self.actor.knows(replace(view, subsidies=subsidies))
        self.actor.submit(flow.Recorded(self.actor.occasion))
        self.actor.submit(flow.CardRemoved())

    def calls(self) -> None:
        """The patient calls staff."""
        self.actor.submit(flow.CallStaff())

    @property
    def state(self) -> State:
        return self.actor.state

    def close(self) -> None:
        self.port.close()
        self.actor.journal.close()
        self.audit.close()


def settings(**changes: Any) -> config.Counter:
    """The page's settings on a free port."""
    return replace(config.load().counter, port=0, **changes)


@contextmanager
def page_of(
    terminals: Sequence[Terminal],
    state: Path,
    clerk: str = "",
    worklist: Changes | None = None,
    **changes: Any,
) -> Iterator[CounterProgram]:
    """Serve the page of these terminals; the bench's staff are administrators, ``clerk`` with their password is not."""
    write_staff_file(state)
    if clerk:
        path = state / "staff-passwords.json"
        hashes = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**hashes, clerk: hashes[STAFF]}), encoding="utf-8")
    with ExitStack() as ends:
        for terminal in terminals:
            ends.callback(terminal.close)
        site = Site(settings(**changes), state, [each.link for each in terminals], changes=worklist)
        yield ends.enter_context(CounterProgram(site))


class Browser:
    """Debian's chromium with a profile of its own, without a window."""

    def __init__(self, url: str, language: str = "ja") -> None:
        self.url, self._profile = url, tempfile.mkdtemp(prefix="counter-browser-")
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for flag in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--no-first-run",
            f"--lang={language}",
            f"--user-data-dir={self._profile}",
        ):
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        self.driver.set_window_size(1280, 900)

    def close(self) -> None:
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)

    @property
    def profile(self) -> Path:
        return Path(self._profile)

    def begins(self, url: str) -> None:
        """Come to another counter, of which this browser knows nothing; what it said of the last one is forgotten."""
        self.url = url
        self.goes("static/icon.svg")
        self.driver.delete_all_cookies()
        self.driver.set_window_size(1280, 900)
        self.complaints()

    def goes(self, path: str = "") -> None:
        self.driver.get(self.url + path)

    def one(self, css: str) -> WebElement:
        """The element, once it is there."""
        found: WebElement = self.waits(
            lambda: next(iter(self.driver.find_elements(By.CSS_SELECTOR, css)), None), css
        )
        return found

    def text(self, css: str) -> str:
        return str(
            self.driver.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", css)
        )

    def waits(self, found: Callable[[], Any], otherwise: str = "", within_s: float = 20.0) -> Any:
        return WebDriverWait(self.driver, within_s, 0.05).until(lambda _: found(), otherwise)

    def sees(self, words: str, css: str = "body") -> None:
        self.waits(lambda: words in self.text(css), f"{words!r} not in {css}: {self.text(css)!r}")

    def sees_not(self, words: str, css: str = "body") -> None:
        self.waits(lambda: words not in self.text(css), f"{words!r} still in {css}")

    def presses(self, css: str) -> None:
        self.one(css).click()

    def types(self, css: str, words: str) -> None:
        field = self.one(css)
        field.clear()
        field.send_keys(words)

    def submits(self, css: str, words: str) -> None:
        """Type and press Enter; return once the next page is there, which may look like this one."""
        self.driver.execute_script("window.wasHere = true")
        self.types(css, words + "\n")
        there = "return !window.wasHere && document.readyState === 'complete'"
        self.waits(lambda: self.driver.execute_script(there), "no other page")

    def logs_in(self, staff: str = STAFF, password: str = STAFF_PASSWORD) -> None:
        self.goes("login")
        self.types("#staff", staff)
        self.submits("#password", password)
        assert "/login" not in self.driver.current_url, "is not logged in"

    def complaints(self) -> list[str]:
        """What the browser's console says against the page, but for what comes of typing faster than anybody does."""
        said = [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]
        no_faults = ("Clear-Site-Data", "Autofocus processing was blocked")
        return [each for each in said if not any(words in each for words in no_faults)]


def soon(holds: Callable[[], bool], otherwise: str, within_s: float = 20.0) -> None:
    """Wait until something holds."""
    until, tick = time.monotonic() + within_s, threading.Event()
    while not holds():
        assert time.monotonic() < until, otherwise
        tick.wait(0.01)
