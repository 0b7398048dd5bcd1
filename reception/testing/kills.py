"""Terminal and server killed at random moments of visits: what was shown, what was recorded, what the journal says.

The terminal under test is another process, as is the server; this one kills them and compares what they leave behind.
"""

import multiprocessing
import os
import queue
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import config
from config.person import load_person
from consent.choices import ConsentAnswer, Item, recorded
from consent.eligibility import EligibilityClient
from consent.server.certificates import Authority
from reception.flow import State
from reception.terminal.notices import Notice, NoticeCode
from reception.terminal.snapshot import Snapshot
from reception.testing.timing import BROKEN_SERVER

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from reception.testing.testbench import Bench

PERSON = "age45"
_PATIENCE_S = 30.0

_Word = tuple[Any, ...]
"""What a process says: what it is about, and more."""

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["consent.server.app", "reception.testing.testbench"])


@dataclass
class KillsReport:
    """What came of a run."""

    kills: int = 0
    visits: int = 0
    """Visits that the server recorded."""
    shown: int = 0
    """Visits that were shown complete."""
    unseen: int = 0
    """Recorded, but never shown complete; the journal had them in SENDING, and the counter was told."""
    in_sending: int = 0
    """Kills that left a visit in SENDING."""
    wrong: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.wrong

    def lines(self) -> Iterator[str]:
        """Yield the report for the console."""
        yield f"{self.kills} kills, {self.in_sending} of them with a visit in SENDING"
        yield f"{self.visits} visits recorded, {self.shown} shown complete, {self.unseen} told to the counter instead"
        yield from (f"WRONG: {line}" for line in self.wrong)


def kills(state: Path, count: int, seed: int, tell: Callable[[str], None] = lambda line: None) -> KillsReport:
    """Kill terminal or server ``count`` times, each at a moment drawn by ``seed``, and compare."""
    random = Random(seed)  # noqa: S311
    report = KillsReport()
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    seen = _Seen()
    with _server(state, port) as server, _worker(state, url, seed, seen) as worker:
        for number in range(1, count + 1):
            # Half of the moments anywhere in a visit, half around the few in which it is sent.
            what, within_s = random.choice((("began", 0.25), ("sends", 0.03)))
            worker.wait_for(what)
            time.sleep(random.uniform(0.0, within_s))
            if random.random() < 0.5:
                worker.kill()
                report.in_sending += len(_unsettled(state))
                worker.start()
            else:
                server.kill()
                report.in_sending += len(_unsettled(state))
                server.start()
            report.kills = number
            tell(f"{number}/{count} kills, {len(seen.shown)} visits shown complete")
        worker.kill()
        _compare(state, url, seen, report)
    return report


@dataclass
class _Seen:
    """What terminals said before they were killed."""

    shown: dict[str, dict[str, str]] = field(default_factory=dict)
    settled: dict[str, bool] = field(default_factory=dict)
    answers: dict[str, dict[str, str]] = field(default_factory=dict)


class _Process:
    """A program of ours that can be killed and started again, and whose words are heard."""

    def __init__(
        self, be: Callable[..., None], given: tuple[Any, ...], heard: Callable[[_Word], None]
    ) -> None:
        self._be, self._given, self._heard = be, given, heard
        self._words: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._running: BaseProcess | None = None
        self._listener: threading.Thread | None = None

    def start(self) -> None:
        self._words = queue.SimpleQueue()
        ours, theirs = _PROCESSES.Pipe(duplex=False)
        self._running = _PROCESSES.Process(target=self._be, args=(theirs, *self._given))
        self._running.start()
        theirs.close()
        self._listener = threading.Thread(target=self._listen, args=(ours, self._words), daemon=True)
        self._listener.start()
        self.wait_for("ready")

    def kill(self) -> None:
        """Kill it, and hear what it had said before."""
        assert self._running and self._listener
        self._running.kill()
        self._running.join()
        self._listener.join()

    def wait_for(self, what: str) -> None:
        """Wait until it says so."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._words.get(timeout=max(0.0, deadline - time.monotonic())) != what:
            pass

    def _listen(self, ear: "Connection[Any, Any]", words: "queue.SimpleQueue[str]") -> None:
        with ear:
            while True:
                try:
                    word = ear.recv()
                except (EOFError, OSError):
                    # Perhaps it was killed in the middle of a word.
                    return
                self._heard(word)
                words.put(word[0])


@contextmanager
def _running(process: _Process) -> Iterator[_Process]:
    process.start()
    try:
        yield process
    finally:
        process.kill()


def _server(state: Path, port: int) -> Any:
    return _running(_Process(_be_server, (state, port), lambda word: None))


def _worker(state: Path, url: str, seed: int, seen: _Seen) -> Any:
    def heard(word: _Word) -> None:
        match word:
            case ("answered", visit, answers):
                seen.answers[visit] = answers
            case ("shown", visit, answers):
                seen.shown[visit] = answers
            case ("settled", visit, was_recorded):
                seen.settled[visit] = was_recorded

    return _running(_Process(_be_terminal, (state, url, seed), heard))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _settings(url: str) -> config.Config:
    settings = BROKEN_SERVER.settings()
    return replace(settings, server=replace(settings.server, url=url))


def _journal_file(state: Path) -> Path:
    return state / f"journal-{config.load().site.terminal_id}.sqlite"


def _unsettled(state: Path) -> list[str]:
    """Read, without touching anything, which visits stand in the journal as SENDING."""
    with closing(sqlite3.connect(f"file:{_journal_file(state)}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT visit FROM visits WHERE outcome = '' AND state = 'SENDING'")
        return [visit for (visit,) in rows]


def _compare(state: Path, url: str, seen: _Seen, report: KillsReport) -> None:
    """Start the terminal once more, let it ask about what is open, and hold everything against the server's records."""
    said = set(_unsettled(state)) | set(seen.settled)
    with _worker(state, url, -1, seen):
        deadline = time.monotonic() + _PATIENCE_S
        while _unsettled(state) and time.monotonic() < deadline:
            time.sleep(0.05)
    client = EligibilityClient(
        _settings(url).server, Authority(state).enrol_terminal(config.load().site.terminal_id)
    )
    profile = config.load().profile
    report.shown = len(seen.shown)
    for visit, answers in seen.answers.items():
        record = client.visit(visit)
        is_recorded = record is not None and record.recorded_at is not None
        if visit in seen.shown and not is_recorded:
            report.wrong.append(f"{visit} was shown complete and is not recorded")
        if seen.settled.get(visit, is_recorded) is not is_recorded:
            report.wrong.append(f"{visit}: the counter was told recorded={seen.settled[visit]}")
        if record is None or not is_recorded:
            continue
        report.visits += 1
        given = recorded({Item(item): ConsentAnswer(answer) for item, answer in answers.items()}, profile)
        if record.answers != given:
            report.wrong.append(f"{visit}: recorded other answers than were given")
        if visit not in seen.shown:
            report.unseen += 1
            if visit not in said:
                report.wrong.append(
                    f"{visit} is recorded, was not shown, and did not stand in the journal as SENDING"
                )
            if visit not in seen.settled:
                report.wrong.append(f"{visit} is recorded, was not shown, and the counter was not told")
    client.close()


# --- The two processes ------------------------------------------------------------------------------------------


def _be_server(mouth: "Connection[Any, Any]", state: Path, port: int) -> None:
    from consent.server import EligibilityServer

    server = EligibilityServer(
        [load_person(PERSON)],
        Authority(state),
        database=f"sqlite:///{state / 'eligibility.sqlite'}",
        port=port,
    )
    with server:
        mouth.send(("ready",))
        server.serve_forever()


class _Story:
    """One visit after the other on a terminal; says aloud what is on the screen, and what is answered."""

    def __init__(self, bench: "Bench", seed: int, say: Callable[[_Word], None]) -> None:
        self._bench, self._say, self._random = bench, say, Random(f"{seed} {os.getpid()}")  # noqa: S311
        self._answers: dict[str, str] = {}
        self._visit = self._shown = ""

    def see(self, snapshot: Snapshot) -> None:
        """Say at once what the patient sees, in the terminal's own thread."""
        if snapshot.state == State.READING and snapshot.visit != self._visit:
            self._visit = snapshot.visit
            items = (Item.MEDICATION, Item.HEALTH_CHECKUP, Item.LIMIT_AMOUNT)
            self._answers = {item.value: self._random.choice(["given", "declined"]) for item in items}
            self._say(("answered", snapshot.visit, self._answers))
            self._say(("began",))
        if snapshot.state == State.TAKE_CARD and snapshot.visit != self._shown:
            self._shown = snapshot.visit
            self._say(("shown", snapshot.visit, self._answers))

    def notice(self, notices: tuple[Notice, ...]) -> None:
        """Say what the counter is told of a visit."""
        for notice in notices[-1:]:
            self._say(("settled", notice.visit, notice.code is NoticeCode.VISIT_RECORDED_UNSEEN))

    def answer(self, question: str) -> ConsentAnswer:
        """Answer as drawn."""
        if question == Item.LIMIT_AMOUNT:
            self._say(("sends",))
        return ConsentAnswer(self._answers[question])

    def go_on(self) -> None:
        """Play visits for ever."""
        from reception.testing.verbs import Patient
        from reception.testing.visit_driver import VisitDriver

        self._bench.terminal.subscribe(self.see)
        driver = VisitDriver(self._bench, Patient(answer=self.answer))
        ends = (State.TAKE_CARD, State.CALL_STAFF)
        while True:
            driver.wait_at_rest(within_s=_PATIENCE_S)
            driver.begin(driver.card(PERSON))
            driver.wait_until(lambda seen: seen.state in ends, "an end", _PATIENCE_S)
            self._bench.remove()


def _be_terminal(mouth: "Connection[Any, Any]", state: Path, url: str, seed: int) -> None:
    """Play visits until killed; with a seed below 0, only start and ask about open visits."""
    from hardware.face.engine import FaceEngine
    from reception.testing.testbench import Bench

    person = load_person(PERSON)
    # The engine given is never started: nobody comes by face.
    bench = Bench(
        _settings(url),
        state,
        people=[person],
        person=person,
        engine=FaceEngine(),
        own_server=False,
        journal=_journal_file(state),
    )
    speaking = threading.Lock()

    def say(word: _Word) -> None:
        with speaking:
            mouth.send(word)

    with bench:
        story = _Story(bench, seed, say)
        bench.office.subscribe(story.notice)
        say(("ready",))
        if seed < 0:
            threading.Event().wait()
        story.go_on()
