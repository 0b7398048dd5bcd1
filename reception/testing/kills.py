"""Programs of a site killed at random moments of visits: what was shown, recorded, delivered, and told to the counter.

Terminal, server, face engine, counter and broker are processes of their own; this one kills them and compares what
they leave behind.
"""

import multiprocessing
import os
import queue
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal, get_args

import config
from config.person import load_person
from consent.choices import ConsentAnswer, Item, recorded
from consent.eligibility import EligibilityClient
from consent.server.certificates import Authority
from reception.flow import Method, State
from reception.terminal.journal import DUE
from reception.terminal.notices import Notice, NoticeCode
from reception.terminal.snapshot import Snapshot
from reception.testing.fleet.broker import BOARD, Broker
from reception.testing.timing import BROKEN_SERVER

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from reception.counter.hub import Hub
    from reception.testing.testbench import Bench

Part = Literal["terminal", "server", "engine", "counter", "broker"]
PARTS: tuple[Part, ...] = get_args(Part)
USUAL: tuple[Part, ...] = ("terminal", "server")

PERSON = "age45"
_PATIENCE_S = 30.0

_Word = tuple[Any, ...]
"""What a process says: what it is about, and more."""

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["consent.server.app", "reception.testing.testbench"])


@dataclass
class KillsReport:
    """What came of a run."""

    kills: Counter[str] = field(default_factory=Counter)
    """By part."""
    visits: int = 0
    """Visits that the server recorded."""
    shown: int = 0
    """Visits that were shown complete."""
    unseen: int = 0
    """Recorded, but never shown complete; the journal had them in SENDING, and the counter was told."""
    delivered: int = 0
    """Files in the receipt computer's folder."""
    in_sending: int = 0
    """Kills that left a visit in SENDING."""
    wrong: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.wrong

    def lines(self) -> Iterator[str]:
        """Yield the report for the console."""
        killed = ", ".join(f"{part} {count}" for part, count in sorted(self.kills.items()))
        yield f"{self.kills.total()} kills ({killed}), {self.in_sending} of them with a visit in SENDING"
        yield f"{self.visits} visits recorded, {self.shown} shown complete, {self.unseen} told to the counter instead"
        yield f"{self.delivered} files delivered to the receipt computer"
        yield from (f"WRONG: {line}" for line in self.wrong)


def kills(
    state: Path,
    count: int,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
    of: Sequence[Part] = USUAL,
) -> KillsReport:
    """Kill ``count`` times one of some parts, each at a moment drawn by ``seed``, and compare.

    Raises NoBroker where a broker is to be killed and there is none.
    """
    random = Random(seed)  # noqa: S311
    report, seen = KillsReport(), _Seen()
    parts = [of[number % len(of)] for number in range(count)]
    random.shuffle(parts)
    with _Site(state, seed, seen, of) as site:
        for part in parts:
            # Half of the moments anywhere in a visit, half around the few in which it is sent.
            what, within_s = random.choice((("began", 0.25), ("sends", 0.03)))
            site.terminal.wait_for(what)
            time.sleep(random.uniform(0.0, within_s))
            report.in_sending += site.kill(part)
            report.kills[part] += 1
            tell(f"{report.kills.total()}/{count} kills, {len(seen.shown)} visits shown complete")
        site.terminal.kill()
        _compare(site, seen, report)
    return report


class _Site:
    """The programs of a small site; those that nobody kills, and nobody needs, are not there."""

    def __init__(self, state: Path, seed: int, seen: "_Seen", of: Sequence[Part]) -> None:
        self.state, self.seen, self._of = state, seen, of
        port = _free_port()
        self.broker: Broker | None = None
        self.settings = _settings(state, f"http://127.0.0.1:{port}")
        if "broker" in of:
            self.broker = Broker(state / "broker", [self.id])
            self.settings = replace(self.settings, fleet=self.broker.settings("terminal", self.id))
            self._board = self.broker.settings("board", BOARD)
        else:
            self._board = self.settings.fleet
        self.server = _Process(_be_server, (state, port), lambda word: None)
        self.terminal = self.worker(seed)
        self.counter = _Process(_be_counter, (state, self.settings, self._board), lambda word: None)
        self._ends = ExitStack()

    @property
    def id(self) -> str:
        return config.load().site.terminal_id

    @property
    def is_watched(self) -> bool:
        """Whether there is a counter program."""
        return "counter" in self._of or "broker" in self._of

    def worker(self, seed: int) -> "_Process":
        """Return the terminal's program; with a seed below 0 it only asks about open visits."""
        given = (self.state, self.settings, seed, "engine" in self._of)
        return _Process(_be_terminal, given, self.seen.hear)

    def links(self) -> Any:
        """Return how a counter program is linked to the terminal."""
        return _links(self.state, self.settings, self._board)

    def __enter__(self) -> "_Site":
        with ExitStack() as ends:
            if self.broker:
                ends.enter_context(self.broker)
            for process in (self.server, self.terminal, *([self.counter] if self.is_watched else [])):
                process.start()
                ends.callback(process.kill)
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def kill(self, part: Part) -> int:
        """Kill a part and start it again; return how many visits that left in SENDING."""
        if part == "engine":
            while not self.seen.engine:
                # The one that was killed last is not replaced yet; and process 0 would be all of ours.
                self.terminal.wait_for("began")
            with suppress(ProcessLookupError):
                os.kill(self.seen.engine, signal.SIGKILL)
            return len(_unsettled(self.state))
        if part == "broker":
            assert self.broker
            self.broker.stop(signal.SIGKILL)
            left = len(_unsettled(self.state))
            self.broker.start()
            return left
        process = {"terminal": self.terminal, "server": self.server, "counter": self.counter}[part]
        process.kill()
        left = len(_unsettled(self.state))
        process.start()
        return left


@dataclass
class _Seen:
    """What terminals said before they were killed."""

    shown: dict[str, dict[str, str]] = field(default_factory=dict)
    settled: dict[str, bool] = field(default_factory=dict)
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    engine: int = 0
    """Process id of the terminal's face engine."""

    def hear(self, word: _Word) -> None:
        """Keep what a terminal says."""
        match word:
            case ("answered", visit, answers):
                self.answers[visit] = answers
            case ("shown", visit, answers):
                self.shown[visit] = answers
            case ("settled", visit, was_recorded):
                self.settled[visit] = was_recorded
            case ("began", engine):
                self.engine = engine


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
        """Kill it, and hear what it had said before; idempotent."""
        assert self._running and self._listener
        self._running.kill()
        self._running.join()
        self._listener.join()

    def wait_for(self, what: str) -> None:
        """Wait until it says so."""
        deadline = time.monotonic() + _PATIENCE_S
        try:
            while self._words.get(timeout=max(0.0, deadline - time.monotonic())) != what:
                pass
        except queue.Empty:
            raise AssertionError(f"{self._be.__name__} did not say {what!r} in {_PATIENCE_S:.0f} s") from None

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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _settings(state: Path, url: str) -> config.Config:
    for name in ("face", "req", "res"):
        (state / "receipts" / name).mkdir(parents=True, exist_ok=True)
    settings = BROKEN_SERVER.settings(receipt={"folder": str(state / "receipts")})
    return replace(settings, server=replace(settings.server, url=url))


def _links(state: Path, settings: config.Config, board: config.Fleet) -> Any:
    from reception.fleet.board_side import BoardLink
    from reception.fleet.local import LocalLink, socket_file

    if board.broker:
        return [BoardLink(board)]
    return [LocalLink(settings.site.terminal_id, socket_file(state, settings.site.terminal_id))]


def _journal_file(state: Path) -> Path:
    return state / f"journal-{config.load().site.terminal_id}.sqlite"


def _due(state: Path) -> list[str]:
    """Read, without touching anything, whose files are still due."""
    with closing(sqlite3.connect(f"file:{_journal_file(state)}?mode=ro", uri=True)) as database:
        return [visit for (visit,) in database.execute("SELECT visit FROM visits WHERE receipt = ?", (DUE,))]


def _unsettled(state: Path) -> list[str]:
    """Read, without touching anything, which visits stand in the journal as SENDING."""
    with closing(sqlite3.connect(f"file:{_journal_file(state)}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT visit FROM visits WHERE outcome = '' AND state = 'SENDING'")
        return [visit for (visit,) in rows]


def _compare(site: _Site, seen: _Seen, report: KillsReport) -> None:
    """Start the terminal once more, let it ask about what is open, and hold everything against the server's records."""
    said = set(_unsettled(site.state)) | set(seen.settled)
    client = EligibilityClient(site.settings.server, Authority(site.state).enrol_terminal(site.id))
    last = site.worker(-1)
    last.start()
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while (_unsettled(site.state) or _due(site.state)) and time.monotonic() < deadline:
            time.sleep(0.05)
        _compare_records(client, said, seen, report)
        report.wrong += [f"{visit}: its file is still due" for visit in _due(site.state)]
        if site.is_watched:
            report.wrong += _compare_counter(site, seen)
    finally:
        last.kill()
        client.close()
    # What was being written when it was killed has another name, no program reads it, and it is removed a minute later.
    files = Counter(each.stem.split("_")[-2] for each in (site.state / "receipts" / "face").glob("*.xml"))
    report.delivered = files.total()
    report.wrong += [f"{visit} has {count} files" for visit, count in files.items() if count > 1]
    if report.delivered != report.visits:
        report.wrong.append(f"{report.delivered} files of {report.visits} recorded visits")


def _compare_records(client: EligibilityClient, said: set[str], seen: _Seen, report: KillsReport) -> None:
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


def _compare_counter(site: _Site, seen: _Seen) -> Iterator[str]:
    """Yield what a counter program's list of the day does not tell as it was shown."""
    from reception.counter.hub import Hub

    site.counter.kill()
    hub = Hub(site.links(), keep_s=60.0)
    hub.start()
    try:
        answer = _today(hub, site.id)
    finally:
        hub.close()
    if answer is None:
        yield "the counter never heard the terminal again"
        return
    outcomes = {each["visit"]: each["outcome"] for each in answer}
    for visit in seen.shown:
        if outcomes.get(visit) != "completed":
            yield f"{visit} was shown complete, and the counter lists it as {outcomes.get(visit)}"


def _today(hub: "Hub", terminal: str) -> list[dict[str, str]] | None:
    """Ask for the day's visits until the terminal is heard; None: never."""
    from reception.fleet.messages import Verb, Verdict

    news = threading.Event()
    hub.subscribe(lambda _: news.set())
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        news.clear()
        answer = hub.ask(terminal, Verb.TODAY, "kills").result(_PATIENCE_S)
        if answer.verdict is Verdict.DONE:
            return answer.content  # type: ignore[no-any-return]
        news.wait(0.2)
    return None


# --- The processes ------------------------------------------------------------------------------------------------


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

    def __init__(self, bench: "Bench", seed: int, say: Callable[[_Word], None], *, by_face: bool) -> None:
        self._bench, self._say, self._random = bench, say, Random(f"{seed} {os.getpid()}")  # noqa: S311
        self._by_face = by_face
        self._answers: dict[str, str] = {}
        self._visit = self._shown = ""

    def see(self, snapshot: Snapshot) -> None:
        """Say at once what the patient sees, in the terminal's own thread."""
        if snapshot.state == State.READING and snapshot.visit != self._visit:
            self._visit = snapshot.visit
            items = (Item.MEDICATION, Item.HEALTH_CHECKUP, Item.LIMIT_AMOUNT)
            self._answers = {item.value: self._random.choice(["given", "declined"]) for item in items}
            self._say(("answered", snapshot.visit, self._answers))
            self._say(("began", self._bench.engine.pid or 0))
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
        methods = (Method.FACE, Method.PIN) if self._by_face else (Method.PIN,)
        while True:
            driver.wait_at_rest(within_s=_PATIENCE_S)
            driver.begin(driver.card(PERSON), self._random.choice(methods))
            driver.wait_until(lambda seen: seen.state in ends, "an end", _PATIENCE_S)
            self._bench.remove()


def _be_terminal(
    mouth: "Connection[Any, Any]", state: Path, settings: config.Config, seed: int, by_face: bool
) -> None:
    """Play visits until killed; with a seed below 0, only start and ask about open visits."""
    from hardware.face.engine import FaceEngine
    from reception.commands.counter import opened_to_counters
    from reception.testing.testbench import Bench

    person = load_person(PERSON)
    bench = Bench(
        settings,
        state,
        people=[person],
        person=person,
        # An engine that is given is never started: nobody comes by face.
        engine=None if by_face else FaceEngine(),
        own_server=False,
        journal=_journal_file(state),
    )
    speaking = threading.Lock()

    def say(word: _Word) -> None:
        with speaking:
            mouth.send(word)

    with bench, opened_to_counters(bench.terminal, bench.office, settings, state):
        story = _Story(bench, seed, say, by_face=by_face)
        bench.office.subscribe(story.notice)
        say(("ready",))
        if seed < 0:
            threading.Event().wait()
        story.go_on()


def _be_counter(
    mouth: "Connection[Any, Any]", state: Path, settings: config.Config, board: config.Fleet
) -> None:
    """Be the counter's program, whose clerk watches the terminal."""
    from reception.counter.program import CounterProgram, Site

    site = Site(replace(settings.counter, host="127.0.0.1", port=0), state, _links(state, settings, board))
    program = CounterProgram(site)
    watched: dict[str, Callable[[], None]] = {}

    def watch(terminal: str) -> None:
        if terminal not in watched:
            watched[terminal] = lambda: None
            watched[terminal] = program.hub.watch(terminal)

    program.hub.subscribe(watch)
    program.serve_forever(lambda: mouth.send(("ready",)))
