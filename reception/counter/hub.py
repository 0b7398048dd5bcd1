"""All terminals as this counter program knows them, and the way to ask something of one; safe from all threads."""

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from reception.counter.board import Board
from reception.counter.photo import Photo
from reception.fleet.messages import (
    Answer,
    Command,
    Kind,
    MessageError,
    News,
    Verb,
    Verdict,
    read_entry,
    read_snapshot,
    read_view,
)
from reception.terminal.journal import Entry
from reception.terminal.snapshot import Snapshot
from reception.terminal.supervisor import Pulse, Supervisor
from reception.terminal.tally import Tally

_log = logging.getLogger("reception.counter")

COMMAND_LIFE_S = 15.0
"""A command that a terminal has not had by then is not done."""
ANSWER_WAIT_S = 6.0
WATCH_S, WATCH_AGAIN_S = 45.0, 15.0
"""How long personal news are asked for at a time, and how often that is said again."""
ITSELF = "-"


class Link(Protocol):
    """A way to one terminal or to many."""

    def start(self, heard: Callable[[str, News | Answer | None], None]) -> None: ...

    def send(self, terminal: str, command: Command) -> bool: ...

    def clock_offset_s(self, terminal: str) -> float:
        """Return by how much a terminal's clock is ahead of this one's."""
        ...

    def close(self) -> None: ...


@dataclass
class Desk:
    """One terminal: its newest news, and when they came."""

    terminal: str
    link: Link
    keep_s: float
    is_heard: bool = False
    silent_since: datetime | None = None
    """Since when nothing is heard of it; None: it is heard, or never was."""
    snapshot: Snapshot = field(default_factory=Snapshot)
    since: datetime | None = None
    """When its screen came to what it shows."""
    occasion: tuple[str, str] = ("", "")
    calls: tuple[Mapping[str, str], ...] = ()
    notices: tuple[Mapping[str, str], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    entries: tuple[Entry, ...] = ()
    photo: Photo | None = None
    watchers: int = 0
    """Pages of logged-in staff that show this terminal."""
    board: Board = field(init=False)

    def __post_init__(self) -> None:
        self.board = Board(self.keep_s)

    def forget(self) -> None:
        """Forget everything personal."""
        self.board.forget()
        if self.photo is not None:
            self.photo.wipe()
            self.photo = None


Changed = Callable[[str], None]
"""Told the terminal of which something changed, in whichever thread."""


class Hub:
    """Knows every terminal that its links bring; ``now`` of any steady clock, ``clock`` the wall's."""

    def __init__(
        self,
        links: Sequence[Link],
        *,
        keep_s: float,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._links, self._keep_s, self._now, self._clock = list(links), keep_s, now, clock
        self._desks: dict[str, Desk] = {}
        self.lock = threading.RLock()
        self._waiting: dict[str, tuple[Future[Answer], float]] = {}
        self._changed: list[Changed] = []
        self._supervisor = Supervisor()
        self._supervisor.loop("hub", self._keep_watching)

    def start(self) -> None:
        """Listen to the terminals."""
        for link in self._links:
            link.start(lambda terminal, heard, link=link: self._hear(link, terminal, heard))  # type: ignore[misc]
        self._supervisor.start()

    def close(self) -> None:
        """End the links and forget everybody."""
        self._supervisor.stop()
        for link in self._links:
            link.close()
        with self.lock:
            for desk in self._desks.values():
                desk.forget()

    def subscribe(self, changed: Changed) -> Callable[[], None]:
        """Call back whenever something of a terminal changed; returns the way to stop it."""
        with self.lock:
            self._changed = [*self._changed, changed]

        def stop() -> None:
            with self.lock:
                self._changed = [each for each in self._changed if each is not changed]

        return stop

    def terminals(self) -> list[str]:
        """Return the ids of all terminals that were ever heard of, in order."""
        with self.lock:
            return sorted(self._desks)

    def desk(self, terminal: str) -> Desk | None:
        """Return one terminal; read it under ``lock``."""
        return self._desks.get(terminal)

    def expect(self, terminal: str, link: Link) -> Desk:
        """Return a terminal's desk, made when it is heard of for the first time."""
        with self.lock:
            if terminal not in self._desks:
                self._desks[terminal] = Desk(terminal, link, self._keep_s)
            return self._desks[terminal]

    # --- What is heard ------------------------------------------------------------------------------------------

    def _hear(self, link: Link, terminal: str, heard: News | Answer | None) -> None:
        if isinstance(heard, Answer):
            self._answered(heard)
        elif heard is None:
            self._hear_nothing(link, terminal)
        else:
            self._hear_news(link, terminal, heard)

    def _hear_nothing(self, link: Link, terminal: str) -> None:
        with self.lock:
            desk = self.expect(terminal, link)
            is_new = desk.is_heard or desk.silent_since is None
            desk.is_heard, desk.silent_since = False, desk.silent_since or self._clock()
        if is_new:
            self._tell(terminal)

    def _hear_news(self, link: Link, terminal: str, news: News) -> None:
        with self.lock:
            desk = self.expect(terminal, link)
            came_back, before = not desk.is_heard, desk.snapshot
            desk.is_heard, desk.silent_since = True, None
            try:
                self._take(desk, news)
            except MessageError as error:
                _log.info("terminal %s: %s", terminal, error)
                return
            is_watched = desk.watchers > 0
        # Not under the lock: what is asked goes to a terminal, which may take its time, or answer at once.
        if is_watched and (news.kind is Kind.TALLY or _moment(desk.snapshot) != _moment(before)):
            # The tally that follows a move brings what the journal keeps only after it was shown.
            self.refresh(terminal)
        if is_watched and came_back:
            # Begun anew: what was told meanwhile to whom could not hear it is told again.
            self._ask_not_to_watch(terminal)
            self._ask_to_watch(desk)
        self._tell(terminal)

    def _take(self, desk: Desk, heard: News) -> None:
        match heard.kind:
            case Kind.SNAPSHOT:
                self._take_snapshot(desk, read_snapshot(heard.content))
            case Kind.CALLS:
                desk.calls = _lines(heard.content, {"id", "at", "visit", "screen", "failure"})
            case Kind.NOTICES:
                desk.notices = _lines(heard.content, {"id", "code", "at", "detail"})
            case Kind.ABOUT:
                desk.about = dict(heard.content) if isinstance(heard.content, dict) else {}
            case Kind.TALLY:
                desk.tally = _tally(heard.content)
            case Kind.PEOPLE:
                self._take_people(desk, heard.content)
            case Kind.PHOTO:
                self._take_photo(desk, heard.content)

    def _take_snapshot(self, desk: Desk, snapshot: Snapshot) -> None:
        desk.snapshot = snapshot
        if (snapshot.visit, snapshot.screen) != desk.occasion:
            desk.occasion, desk.since = (snapshot.visit, snapshot.screen), self._clock()

    def _take_people(self, desk: Desk, content: Any) -> None:
        if not desk.watchers or not isinstance(content, list):
            return
        views = [read_view(each) for each in content]
        desk.board.replace_all(views, self._now())

    def _take_photo(self, desk: Desk, content: Any) -> None:
        if desk.photo is not None:
            desk.photo.wipe()
        desk.photo = Photo.read(content) if content is not None and desk.watchers else None

    def _tell(self, terminal: str) -> None:
        for changed in self._changed:
            changed(terminal)

    # --- What is asked ------------------------------------------------------------------------------------------

    def ask(
        self, terminal: str, verb: Verb, operator: str, arguments: Mapping[str, str] | None = None
    ) -> Future[Answer]:
        """Ask something of a terminal; the answer says UNREACHABLE when none comes."""
        command_id, future = str(uuid.uuid4()), Future[Answer]()
        desk = self.desk(terminal)
        if desk is None or not desk.is_heard:
            future.set_result(Answer(command_id, Verdict.UNREACHABLE))
            return future
        ahead = timedelta(seconds=COMMAND_LIFE_S + desk.link.clock_offset_s(terminal))
        command = Command(command_id, verb, operator, self._clock() + ahead, dict(arguments or {}))
        with self.lock:
            self._waiting[command_id] = future, self._now() + ANSWER_WAIT_S
        if not desk.link.send(terminal, command):
            self._answered(Answer(command_id, Verdict.UNREACHABLE))
        return future

    def _answered(self, answer: Answer) -> None:
        with self.lock:
            waiting = self._waiting.pop(answer.command, None)
        if waiting is not None:
            with contextlib.suppress(Exception):  # Nobody waits for it any more.
                waiting[0].set_result(answer)

    def refresh(self, terminal: str) -> None:
        """Have today's visits of a terminal told anew."""
        self.ask(terminal, Verb.TODAY, ITSELF).add_done_callback(
            lambda future: self._take_entries(terminal, future.result())
        )

    def _take_entries(self, terminal: str, answer: Answer) -> None:
        desk = self.desk(terminal)
        if desk is None or answer.verdict is not Verdict.DONE or not isinstance(answer.content, list):
            return
        try:
            entries = tuple(read_entry(each) for each in answer.content)
        except MessageError as error:
            _log.info("terminal %s: %s", terminal, error)
            return
        if entries != desk.entries:
            with self.lock:
                desk.entries = entries
            self._tell(terminal)

    # --- Who looks at whom --------------------------------------------------------------------------------------

    def watch(self, terminal: str) -> Callable[[], None]:
        """Have personal news of a terminal told, for a page of logged-in staff; returns the way to stop it."""
        desk = self.desk(terminal)
        if desk is None:
            return lambda: None
        with self.lock:
            desk.watchers += 1
        self._ask_to_watch(desk)
        self.refresh(terminal)

        def stop() -> None:
            with self.lock:
                desk.watchers -= 1
                if not desk.watchers:
                    desk.forget()
            if not desk.watchers:
                self._ask_not_to_watch(terminal)

        return stop

    def _ask_to_watch(self, desk: Desk) -> None:
        self.ask(desk.terminal, Verb.WATCH, ITSELF, {"seconds": f"{WATCH_S:.0f}"})

    def _ask_not_to_watch(self, terminal: str) -> None:
        self.ask(terminal, Verb.WATCH, ITSELF, {"seconds": "0"})

    def _keep_watching(self, pulse: Pulse) -> None:
        due = self._now() + WATCH_AGAIN_S
        while not pulse.wait(0.5):
            now = self._now()
            with self.lock:
                late = [each for each, (_, until) in self._waiting.items() if until <= now]
                watched = [desk for desk in self._desks.values() if desk.watchers] if now >= due else []
                forgot = [desk.terminal for desk in self._desks.values() if desk.board.expire(now)]
            for command in late:
                self._answered(Answer(command, Verdict.UNREACHABLE))
            for desk in watched:
                self._ask_to_watch(desk)
                self.refresh(desk.terminal)
            for terminal in forgot:
                self._tell(terminal)
            if now >= due:
                due = now + WATCH_AGAIN_S


def _moment(snapshot: Snapshot) -> tuple[str, str]:
    return snapshot.visit, str(snapshot.state)


def _lines(content: Any, keys: set[str]) -> tuple[Mapping[str, str], ...]:
    if not isinstance(content, list):
        raise MessageError("no list")
    lines = [{key: str(value)[:200] for key, value in each.items() if key in keys} for each in content[:200]]
    if any(set(line) != keys for line in lines):
        raise MessageError("not the parts of such a line")
    return tuple(lines)


def _tally(content: Any) -> Tally:
    try:
        return Tally(
            day=str(content["day"])[:10],
            visits=int(content["visits"]),
            completed=int(content["completed"]),
            hours=tuple((int(hour), int(done), int(others)) for hour, done, others in content["hours"]),
            person_s=tuple(float(each) for each in content["person_s"]),
            machine_s=tuple(float(each) for each in content["machine_s"]),
            identities=tuple((str(name), int(count)) for name, count in content["identities"]),
            failures=tuple((str(name), int(count)) for name, count in content["failures"]),
        )
    except (TypeError, KeyError, ValueError):
        raise MessageError("no tally") from None
