"""Endurance: whole visits, one after the other, through one terminal in one process, and what they leave behind."""

import os
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from statistics import linear_regression, median_low
from typing import Any, TextIO

import config
from config.person import Person, load_person
from config.toml_file import TomlFile
from consent.choices import ConsentAnswer, Item, questions, recorded, standing
from reception import hil
from reception.bench import Bench, BenchKind, clip_of
from reception.flow import State
from reception.hil import Expect, Play, Result, Rule, Scenario

PEOPLE = ("age39", "age40", "age45", "age74", "age75", "no-photo", "one-try-left", "rare-kanji")
"""Those of the shipped people who can be checked in by PIN."""

_AT_ONCE: dict[str, Any] = {
    "delays": {
        "told_s": 0.01,
        "farewell_s": 0.01,
        "notice_s": 0.01,
        "call_staff_s": 0.01,
        "device_retry_s": 0.2,
    }
}
"""Nobody reads the screens, and every answer comes at once."""

_WITHIN_S = 30.0
_WRONG_IN_A_ROW = 10
"""So many visits that went wrong one after the other end the run: something is broken for good."""
_RSS = "RSS"
_WARM_UP = 0.1
"""Share of the visits in which caches and pools fill; what they leave behind is not counted."""


@dataclass(frozen=True)
class Burden:
    """What one process holds; the columns of the report."""

    rss: int
    """Resident memory, bytes."""
    fds: int
    threads: int


@dataclass(frozen=True)
class Sample:
    """How things stood after a visit."""

    visit: int
    """Counts from 1."""
    seconds: float
    """Since the first visit began."""
    own: Burden
    service: Burden | None
    """Of pcscd, which has a thread and a file descriptor for each context; None on a simulated bench."""


@dataclass(frozen=True)
class Trend:
    """How one figure went from the end of the warm-up to the end of the run."""

    begin: int
    """The median of the first fifth, at least of 3: after a visit a card session may still be closing, or the reader
    just be looked at."""
    end: int
    """The median of the last fifth."""
    slope: float
    """Growth per visit, by least squares."""


class Report:
    """What came of a run."""

    def __init__(self) -> None:
        self.visits = 0
        self.seconds = 0.0
        self.outcomes: Counter[str] = Counter()
        """How many visits ended how: by title, and "wrong" for those that did not come to what they must."""
        self.wrong: list[str] = []
        """Number and reason of the visits that went wrong."""
        # Plain numbers, so that what is counted is not ourselves.
        self._columns: dict[str, array[int]] = {}

    def add(self, sample: Sample) -> None:
        """Take up how things stood after one more visit."""
        self.visits, self.seconds = sample.visit, sample.seconds
        for owner, burden in (("", sample.own), ("pcscd ", sample.service)):
            if burden:
                for name, value in ((_RSS, burden.rss), ("fds", burden.fds), ("threads", burden.threads)):
                    self._columns.setdefault(owner + name, array("q")).append(value)

    @property
    def visits_per_minute(self) -> float:
        return self.visits / self.seconds * 60 if self.seconds else 0.0

    @property
    def grown(self) -> list[str]:
        """Return which counts of file descriptors and threads stood higher at the end than after warm-up."""
        return [
            f"{name}: {trend.begin} after warm-up, {trend.end} at the end"
            for name, trend in self.trends().items()
            if trend.end > trend.begin and not name.endswith(_RSS)
        ]

    @property
    def passed(self) -> bool:
        return self.visits > 0 and not self.wrong and not self.grown

    def trends(self) -> dict[str, Trend]:
        """Return how each figure went after warm-up."""
        return {name: _trend(column[self._warm :]) for name, column in self._columns.items()}

    @property
    def _warm(self) -> int:
        return int(self.visits * _WARM_UP)

    def lines(self) -> Iterator[str]:
        """Yield the report for the console."""
        outcomes = ", ".join(f"{count} {title}" for title, count in sorted(self.outcomes.items()))
        yield f"{self.visits} visits, {self.visits_per_minute:.1f} a minute; {outcomes}"
        for line in self.wrong[:_WRONG_IN_A_ROW]:
            yield f"  {line}"
        yield f"{'':14}{'after warm-up':>15}{'at the end':>15}   slope over the last {self.visits - self._warm} visits"
        for name, trend in self.trends().items():
            if name.endswith(_RSS):
                ends = [f"{value / 2**20:.1f} MB" for value in (trend.begin, trend.end)]
                slope = f"{trend.slope:+.0f} bytes a visit"
            else:
                ends, slope = [str(trend.begin), str(trend.end)], f"{trend.slope:+.4f} a visit"
            yield f"{name:14}{ends[0]:>15}{ends[1]:>15}   {slope}"
        for line in self.grown:
            yield f"grown: {line}"


def _trend(values: Sequence[int]) -> Trend:
    part = max(3, len(values) // 5)
    slope = linear_regression(range(len(values)), values).slope if len(values) > 1 else 0.0
    return Trend(median_low(values[:part]), median_low(values[-part:]), slope)


class Progress:
    """One line that is kept up to date on a console, and a line now and then in a file."""

    _EVERY_S = 0.2
    _EVERY_IN_A_FILE_S = 30.0

    def __init__(self, visits: int, out: TextIO) -> None:
        self._visits, self._out, self._console = visits, out, out.isatty()
        self._told_s = 0.0

    def tell(self, now: Sample) -> None:
        """Show how things stand."""
        every_s = self._EVERY_S if self._console else self._EVERY_IN_A_FILE_S
        if now.seconds - self._told_s < every_s and now.visit < self._visits:
            return
        self._told_s = now.seconds
        line = f"{now.visit}/{self._visits} visits, {now.visit / now.seconds * 60:.1f} a minute; {_short(now.own)}"
        if now.service:
            line += f"; pcscd: {_short(now.service)}"
        self._out.write(f"\r{line}  " if self._console else f"{line}\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._console:
            self._out.write("\n")


def _short(burden: Burden) -> str:
    return f"{burden.rss / 2**20:.1f} MB, {burden.fds} fds, {burden.threads} threads"


def soak(
    visits: int,
    kind: BenchKind,
    seed: int,
    tell: Callable[[Sample], None] = lambda sample: None,
    people: Sequence[str] = PEOPLE,
) -> Report:
    """Play ``visits`` visits, which and whose chosen by ``seed``; ``tell`` hears after each.

    Raises OSError where there is no /proc to count in.
    """
    _burden(os.getpid())
    report = Report()
    comers = [load_person(name) for name in people]
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        # What stands in the journal of the usual folder is somebody's.
        state = Path(folder)
        bench = Bench(
            _settings(),
            state,
            kind,
            people=comers,
            # Decoding the clip of every new person would take longer than the visit.
            clip=clip_of(comers[0], state / "clips"),
            today=hil.TODAY,
            # In memory, the records of all visits, and the journal, would look like a leak.
            database=f"sqlite:///{state}/eligibility.sqlite",
            journal=state / "journal.sqlite",
        )
        with bench:
            _play(bench, state, islice(plans(seed, people), visits), report, tell)
    return report


def _play(
    bench: Bench,
    state: Path,
    visits: Iterator[Play],
    report: Report,
    tell: Callable[[Sample], None],
) -> None:
    began, wrong_in_a_row = time.monotonic(), 0
    for number, visit in enumerate(visits, 1):
        result = hil.play_on(bench, visit, state)
        _count(report, number, result)
        service = bench.service_pid
        sample = Sample(
            number,
            time.monotonic() - began,
            _burden(os.getpid()),
            None if service is None else _burden(service),
        )
        report.add(sample)
        tell(sample)
        wrong_in_a_row = 0 if result.passed else wrong_in_a_row + 1
        if wrong_in_a_row == _WRONG_IN_A_ROW:
            report.wrong.append(f"ended after {_WRONG_IN_A_ROW} wrong visits in a row")
            return
        if not result.passed:
            bench.remove()


def _count(report: Report, number: int, result: Result) -> None:
    report.outcomes[result.title if result.passed else "wrong"] += 1
    if not result.passed:
        states = " ".join(name for name, _ in result.states)
        report.wrong.append(f"visit {number} ({result.file}): {result.why}; states: {states}")


def plans(seed: int, people: Sequence[str]) -> Iterator[Play]:
    """Yield visits without end, which and whose drawn by ``seed``; two in a row are by different people."""
    random = Random(seed)  # noqa: S311
    settings = _settings()
    comers = [load_person(name) for name in people]
    person = None
    while True:
        person = random.choice([one for one in comers if one is not person] or comers)
        yield _by_pin(random, person, settings)


def _settings() -> config.Config:
    return config.load(None, (_AT_ONCE, TomlFile(Path("soak"), "", _AT_ONCE)))


def _by_pin(random: Random, person: Person, settings: config.Config) -> Play:
    """Return a visit by PIN, with an answer drawn for each question."""
    answers = {
        item: random.choice(list(ConsentAnswer))
        for item in questions(
            settings.profile,
            person.birth_date,
            hil.TODAY,
            standing(person.certificate.expires, hil.TODAY, settings.grace_months),
            settings.consents,
        )
    }
    rules = [
        Rule(state=State.WAITING, do="insert_card", person=person.id),
        Rule(state=State.METHOD_CHOICE, do="choose_pin"),
        Rule(state=State.PIN_ENTRY, do="type_pin", value="card"),
        *(Rule(state=_asked_in(item), do="answer", item=item, value=answers[item]) for item in answers),
        Rule(state=State.TAKE_CARD, do="remove_card"),
    ]
    expect = Expect(
        end=State.WAITING,
        completed=True,
        failure="",
        identity="pin",
        asked=tuple(answers),
        consents=recorded(answers, settings.profile),
        sent=1,
        pin_tries_left=3,
        within_s=_WITHIN_S,
    )
    scenario = Scenario(title="by PIN", person=person.id, on=tuple(rules), expect=expect)
    return Play(Path(person.id), scenario, person, None, settings, hil.TODAY)


def _asked_in(item: Item) -> State:
    return State.LIMIT_CONSENT if item is Item.LIMIT_AMOUNT else State.CONSENT


def _burden(pid: int) -> Burden:
    folder = Path("/proc", str(pid))
    if not folder.exists():
        raise OSError("soak counts what a process holds in /proc, and there is none here: it needs Linux")
    resident_pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
    return Burden(
        rss=resident_pages * os.sysconf("SC_PAGE_SIZE"),
        fds=len(os.listdir(folder / "fd")),
        threads=len(os.listdir(folder / "task")),
    )
