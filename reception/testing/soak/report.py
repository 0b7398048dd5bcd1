"""What a run of visits came to: outcomes, growth, what does not agree; and the line that tells how far it is."""

import os
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median_low
from typing import TextIO

MOST_TOLD = 10
"""So many wrong visits are told one by one."""
_RSS = "RSS"
_CONNECTION = 2
"""Both ends of one connection that is kept open lie in this process; it may be made late."""
_WARM_UP, _WARM_UP_VISITS = 0.1, 5
"""Share of the visits, and how many at least, in which caches and pools fill; that is not counted."""
_RSS_GROWTH = 0.04
"""Memory may stand this much higher at the end than after the warm-up, by the medians of its first and last fifth."""
_RSS_VISITS = 300
"""Of fewer visits, memory is only told: code is still read in (2 MB in the first 50), and a server that was restarted
(3 in 1,000 visits) stays, up to 3 MB, until the garbage collector comes to it."""
WRONG = "wrong"


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
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """How many visits have ended how so far."""


@dataclass(frozen=True)
class Trend:
    """How one figure went from the end of the warm-up to the end of the run."""

    begin: int
    """The first fifth, at least 3 visits: the median of memory; of counts the highest, for after a visit a card session
    may still be closing, or the reader just be looked at."""
    end: int
    """The last fifth: the median of memory; of counts the lowest, for what leaks never comes down again."""
    slope: float
    """Growth per visit, by least squares."""


class SoakReport:
    """What came of a run."""

    def __init__(self) -> None:
        self.visits = 0
        self.seconds = 0.0
        self.outcomes: Counter[str] = Counter()
        """How many visits ended how: by title, and "wrong" for those that did not come to what they must."""
        self.wrong: list[str] = []
        """Number and reason of the visits that went wrong."""
        self.lost: list[str] = []
        """What terminal, journal, server and receipt files do not agree on."""
        self.agreed = ""
        """What they do agree on, in a line."""
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
        """Return what stood higher at the end than after warm-up: any count, and memory beyond its allowance."""
        return [
            f"{name}: {_told(name, trend.begin)} after warm-up, {_told(name, trend.end)} at the end"
            for name, trend in self.trends().items()
            if trend.end > trend.begin * self._allowance(name) + (_CONNECTION if name == "fds" else 0)
        ]

    def _allowance(self, name: str) -> float:
        if not name.endswith(_RSS):
            return 1.0
        return 1.0 + _RSS_GROWTH if self.visits >= _RSS_VISITS else float("inf")

    @property
    def passed(self) -> bool:
        return self.visits > 0 and not self.wrong and not self.lost and not self.grown

    def trends(self) -> dict[str, Trend]:
        """Return how each figure went after warm-up."""
        return {name: _trend(column[self._warm :], name) for name, column in self._columns.items()}

    @property
    def _warm(self) -> int:
        return min(self.visits // 2, max(int(self.visits * _WARM_UP), _WARM_UP_VISITS))

    def lines(self) -> Iterator[str]:
        """Yield the report for the console."""
        yield f"{self.visits} visits, {self.visits_per_minute:.1f} a minute"
        for title, count in self.outcomes.most_common():
            yield f"{count:6} {title}"
        for line in self.wrong[:MOST_TOLD]:
            yield f"  {line}"
        yield self.agreed
        yield from (f"LOST: {line}" for line in self.lost)
        yield f"{'':14}{'after warm-up':>15}{'at the end':>15}   slope over the last {self.visits - self._warm} visits"
        for name, trend in self.trends().items():
            in_bytes = name.endswith(_RSS)
            slope = f"{trend.slope:+.0f} bytes a visit" if in_bytes else f"{trend.slope:+.4f} a visit"
            yield f"{name:14}{_told(name, trend.begin):>15}{_told(name, trend.end):>15}   {slope}"
        yield from (f"GROWN: {line}" for line in self.grown)
        yield "passed" if self.passed else "FAILED"


def _told(name: str, value: int) -> str:
    return f"{value / 2**20:.1f} MB" if name.endswith(_RSS) else str(value)


def _trend(values: Sequence[int], name: str) -> Trend:
    first, last = (median_low, median_low) if name.endswith(_RSS) else (max, min)
    part = max(3, len(values) // 5)
    slope = linear_regression(range(len(values)), values).slope if len(values) > 1 else 0.0
    return Trend(first(values[:part]), last(values[-part:]), slope)


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
        wrong = now.outcomes.get(WRONG, 0)
        line = (
            f"{now.visit}/{self._visits} visits, {now.visit / now.seconds * 60:.1f} a minute, {wrong} wrong"
        )
        line += f", {len(now.outcomes)} kinds; {_short(now.own)}"
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


def burden_of(pid: int) -> Burden:
    """Count what a process holds; raises OSError where there is no /proc to count in."""
    folder = Path("/proc", str(pid))
    if not folder.exists():
        raise OSError("soak counts what a process holds in /proc, and there is none here: it needs Linux")
    resident_pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
    return Burden(
        rss=resident_pages * os.sysconf("SC_PAGE_SIZE"),
        fds=len(os.listdir(folder / "fd")),
        threads=len(os.listdir(folder / "task")),
    )
