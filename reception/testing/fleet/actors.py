"""Terminals without devices: the real flow, and patients who put cards in, answer and leave."""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

import config
from config import Config
from config.person import Person, everybody, insured
from consent.choices import ConsentAnswer, Item
from reception import flow
from reception.flow import Event, Session, State
from reception.flow.failures import FailureCode
from reception.terminal.back_office import Today
from reception.terminal.journal import Journal
from reception.terminal.notices import Notice
from reception.terminal.snapshot import CounterView, Health, Snapshot, VisualView, snapshot_of
from reception.terminal.subscribers import Subscribers

WELL = Health(reader="ok", camera="ok", engine="ok", server="ok", journal="ok")
QUESTIONS = (Item.MEDICATION, Item.HEALTH_CHECKUP)


class Actor:
    """What a port needs of a terminal, played by the flow; safe to use from all threads.

    Answers of devices and server come at once: ``submit`` plays them, too.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone(),
        now: Callable[[], float] = time.monotonic,
        settings: Config | None = None,
    ) -> None:
        base = settings or config.load()
        # Nobody looks at an actor's window, and no clock runs for it.
        delays = replace(base.delays, matched_s=0.0)
        self.config = replace(base, site=replace(base.site, terminal_id=name), delays=delays)
        self.name, self._now, self.clock = name, now, clock
        self.journal = Journal(None, clock)
        self._session = Session(self.config)
        self._snapshot = Snapshot(simulated=True)
        self._health = WELL
        self._person: CounterView | None = None
        self._snapshots, self._counters, self._visuals = Subscribers(), Subscribers(), Subscribers()
        self._lock = threading.RLock()
        self.submit(flow.ReaderReady())

    @property
    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""
        return self._snapshot

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Call back with every snapshot, the newest at once."""
        stop = self._snapshots.add(callback)
        callback(self._snapshot)
        return stop

    def subscribe_counter(self, callback: Callable[[CounterView | None], None]) -> Callable[[], None]:
        """Call back with whom the visit is about."""
        stop = self._counters.add(callback)
        callback(self._person)
        return stop

    def subscribe_visual(self, callback: Callable[[VisualView | None], None]) -> Callable[[], None]:
        """Call back with the photo; actors have none."""
        return self._visuals.add(callback)

    def submit(self, event: Event) -> None:
        """Take one event through the flow."""
        with self._lock:
            before = self._session
            self._session, _ = flow.advance(before, event, self._now())
            if self._session.state is State.SENDING:
                self.journal.note(before, self._session)
            self._publish()
            if self._session.state is not State.SENDING:
                self.journal.note(before, self._session)

    def is_well(self, **health: str) -> None:
        """Change how parts are."""
        with self._lock:
            self._health = replace(self._health, **health)
            self._publish()

    def knows(self, view: CounterView | None) -> None:
        """The server named somebody."""
        with self._lock:
            self._person = view
            self._counters.tell(view)

    @property
    def state(self) -> State:
        """Return where the visit is."""
        return self._session.state

    @property
    def occasion(self) -> int:
        """Return the number that answers must carry."""
        return self._session.occasion

    @property
    def visit(self) -> str:
        """Return the visit that is on, or was last."""
        return self._session.visit.id

    def _publish(self) -> None:
        self._snapshot = snapshot_of(self._session, self._snapshot, self._health, None)
        self._snapshots.tell(self._snapshot)


class ActorOffice:
    """What a port needs of a back office, out of an actor's journal; chart numbers are always taken."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def subscribe(self, callback: Callable[[tuple[Notice, ...]], None]) -> Callable[[], None]:
        """Nothing ever happens behind an actor's visits."""
        callback(())
        return lambda: None

    def dismiss(self, notice: Notice) -> None:
        """There is none."""

    def today(self) -> Today:
        """Return today's visits."""
        midnight = self._actor.clock().replace(hour=0, minute=0, second=0, microsecond=0)
        journal = self._actor.journal
        return Today(tuple(journal.since(midnight)), journal.steps_since(midnight))

    def register_reference(self, view: CounterView, number: str) -> None:
        """Take it."""


@cache
def _people() -> tuple[Person, ...]:
    return tuple(insured(everybody()))


def view_of(person: Person, visit: str, answers: tuple[tuple[str, str], ...] = ()) -> CounterView:
    """Return what the server would tell the counter of a person."""
    insurance = person.insurance
    return CounterView(
        visit,
        person.name,
        person.name_kana,
        person.birth_date,
        insurance.insurer_number,
        insurance.symbol,
        insurance.number,
        insurance.branch,
        insurance.share,
        "",
        answers,
    )


@dataclass(frozen=True)
class Step:
    """What happens next at a terminal, and how long after the step before."""

    after_s: float
    act: Callable[[Actor], None]


def visit_of(chance: random.Random, pace_s: float) -> Iterator[Step]:
    """Yield the steps of one patient's visit; one in ten calls staff, one in twenty takes the card too soon."""
    person, fate = chance.choice(_people()), chance.random()
    # As the journal and the counter see it: a number of its own for each visit.
    visit = str(uuid.UUID(int=chance.getrandbits(128), version=4))

    def wait() -> float:
        return pace_s * chance.uniform(0.5, 1.5)

    yield Step(0.0, lambda actor: actor.submit(flow.CardInserted(visit)))
    yield Step(wait(), lambda actor: actor.submit(flow.CardRead(actor.occasion, True, 3)))
    if fate < 0.05:
        yield Step(wait(), lambda actor: actor.submit(flow.CardRemoved()))
        return
    if fate < 0.15:
        yield Step(wait(), lambda actor: actor.submit(flow.CallStaff()))
        yield Step(wait() * 4, lambda actor: actor.submit(flow.CardRemoved()))
        return
    yield Step(wait(), lambda actor: actor.submit(flow.Choose(flow.Method.FACE)))
    yield Step(wait(), lambda actor: actor.submit(flow.FaceMatched(actor.occasion)))
    yield Step(wait(), lambda actor: _identified(actor, person))
    for _ in QUESTIONS:
        yield Step(wait(), lambda actor: actor.submit(flow.Answer(ConsentAnswer.GIVEN)))
    yield Step(wait(), lambda actor: actor.submit(flow.ConfirmAnswers()))
    yield Step(wait(), lambda actor: actor.submit(flow.Recorded(actor.occasion)))
    yield Step(wait(), lambda actor: actor.submit(flow.CardRemoved()))
    yield Step(wait(), lambda actor: actor.knows(None))


def _identified(actor: Actor, person: Person) -> None:
    actor.knows(view_of(person, actor.visit))
    actor.submit(flow.Identified(actor.occasion, QUESTIONS))


def breaks(actor: Actor) -> None:
    """The reader of a terminal breaks."""
    actor.is_well(reader="down")
    actor.submit(flow.ReaderLost(FailureCode.READER_LOST))


def is_mended(actor: Actor) -> None:
    """It works again."""
    actor.is_well(reader="ok")
    actor.submit(flow.ReaderReady())
