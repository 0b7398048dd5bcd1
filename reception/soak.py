"""Endurance: whole visits, one after the other, through one terminal in one process, and what they leave behind."""

import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import linear_regression
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


@dataclass
class Report:
    """What came of a run."""

    samples: list[Sample] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """How many visits ended how: by title, and "wrong" for those that did not come to what they must."""
    wrong: list[str] = field(default_factory=list)
    """Number and reason of the visits that went wrong."""

    @property
    def visits_per_minute(self) -> float:
        return len(self.samples) / self.samples[-1].seconds * 60 if self.samples else 0.0

    @property
    def grown(self) -> list[str]:
        """Return which counts of file descriptors and threads stood higher at the end than after warm-up."""
        return [
            f"{name}: {first} after warm-up, {last} at the end"
            for name, first, last in self._ends()
            if last > first and not name.endswith("RSS")
        ]

    @property
    def passed(self) -> bool:
        return bool(self.samples) and not self.wrong and not self.grown

    def lines(self) -> Iterator[str]:
        """Yield the report for the console."""
        yield f"{len(self.samples)} visits, {self.visits_per_minute:.1f} a minute; " + ", ".join(
            f"{count} {title}" for title, count in sorted(self.outcomes.items())
        )
        for line in self.wrong[:_WRONG_IN_A_ROW]:
            yield f"  {line}"
        if not (warm := _after_warm_up(self.samples)):
            return
        yield f"{'':18}{'after warm-up':>14}{'at the end':>14}   slope over the last {len(warm)} visits"
        slopes = _slopes(warm)
        for name, first, last in self._ends():
            if name.endswith("RSS"):
                shown = (f"{first / 2**20:.1f} MB", f"{last / 2**20:.1f} MB", "bytes a visit")
            else:
                shown = (str(first), str(last), "a visit")
            yield f"{name:18}{shown[0]:>14}{shown[1]:>14}   {slopes[name]:+.4g} {shown[2]}"
        for line in self.grown:
            yield f"grown: {line}"

    def _ends(self) -> Iterator[tuple[str, int, int]]:
        """Yield name, lowest value soon after warm-up, and lowest value near the end.

        The lowest of many, because a card session of a visit may still be closing when the next sample is taken.
        """
        warm = _after_warm_up(self.samples)
        part = max(1, math.ceil(len(warm) / 5))
        for name, values in _columns(warm).items():
            yield name, min(values[:part]), min(values[-part:])


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


def _after_warm_up(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[math.ceil(len(samples) * _WARM_UP) :]


def _columns(samples: Sequence[Sample]) -> dict[str, list[int]]:
    columns = {
        "RSS": [sample.own.rss for sample in samples],
        "fds": [sample.own.fds for sample in samples],
        "threads": [sample.own.threads for sample in samples],
    }
    service = [sample.service for sample in samples if sample.service]
    if service:
        columns |= {
            "pcscd RSS": [burden.rss for burden in service],
            "pcscd fds": [burden.fds for burden in service],
            "pcscd threads": [burden.threads for burden in service],
        }
    return columns


def _slopes(samples: Sequence[Sample]) -> dict[str, float]:
    """Return the growth per visit of each column, by least squares."""
    if len(samples) < 2:
        return dict.fromkeys(_columns(samples), 0.0)
    return {
        name: linear_regression(range(len(values)), values).slope
        for name, values in _columns(samples).items()
    }


def soak(
    state: Path,
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
    random = Random(seed)  # noqa: S311
    comers = [load_person(name) for name in people]
    settings = config.load(None, (_AT_ONCE, TomlFile(Path("soak"), "", _AT_ONCE)))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        bench = Bench(
            settings,
            state,
            kind,
            people=comers,
            # Decoding the clip of every new person would take longer than the visit.
            clip=clip_of(comers[0], state / "clips"),
            today=hil.TODAY,
            # In memory, the records of all visits would look like a leak.
            database=f"sqlite:///{folder}/eligibility.sqlite",
        )
        with bench:
            _play(bench, state, _plans(random, comers, settings), visits, report, tell)
    return report


def _play(
    bench: Bench,
    state: Path,
    plans: Iterator[Play],
    visits: int,
    report: Report,
    tell: Callable[[Sample], None],
) -> None:
    began, wrong_in_a_row = time.monotonic(), 0
    for number in range(1, visits + 1):
        result = hil.play_on(bench, next(plans), state)
        _count(report, number, result)
        service = bench.service_pid
        report.samples.append(
            Sample(
                number,
                time.monotonic() - began,
                _burden(os.getpid()),
                None if service is None else _burden(service),
            )
        )
        tell(report.samples[-1])
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


def _plans(random: Random, people: Sequence[Person], settings: config.Config) -> Iterator[Play]:
    """Yield visits without end; two in a row are by different people."""
    person = None
    while True:
        person = random.choice([one for one in people if one is not person] or people)
        yield _by_pin(random, person, settings)


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
