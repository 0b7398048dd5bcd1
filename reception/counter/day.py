"""The day at a glance: figures of one day's visits, out of the journal alone; pure, and without anything personal."""

import csv
import io
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from reception.flow import State
from reception.terminal.journal import COMPLETED, Entry

Steps = Sequence[tuple[datetime, str]]
"""When a visit came to which state, in order."""

_PERSON = frozenset(
    (
        State.METHOD_CHOICE,
        State.PIN_ENTRY,
        State.PHONE_TAP,
        State.VISUAL_CHECK,
        State.CARD_USE_OFFER,
        State.CONSENT,
        State.LIMIT_CONSENT,
    )
)
"""Where the terminal waits for a person."""
_MACHINE = frozenset((State.READING, State.FACE_MATCH, State.CHECKING, State.SENDING))
"""Where the patient waits for the terminal; of a face match, holding still is a part of it."""


@dataclass(frozen=True)
class Spread:
    """Seconds of several visits."""

    median: float
    p90: float
    """Nine of ten visits took at most this (nearest rank)."""


@dataclass(frozen=True)
class Day:
    """The figures of one day."""

    visits: int = 0
    completed: int = 0
    hours: tuple[tuple[int, int, int], ...] = ()
    """Hour of the day, completed visits, others that have ended; from the first hour to the last, without gaps."""
    person_s: Spread | None = None
    """Of completed visits, all waits for a person together; None without one."""
    machine_s: Spread | None = None
    identities: tuple[tuple[str, int], ...] = ()
    """How identity was verified in completed visits, most frequent first."""
    failures: tuple[tuple[str, int], ...] = ()
    """What the visits ended with that were not completed, most frequent first."""


def figures(entries: Iterable[Entry], steps: Mapping[str, Steps]) -> Day:
    """Return the figures of the visits; one that still runs counts as a visit and nowhere else."""
    entries = list(entries)
    done = [entry for entry in entries if entry.outcome == COMPLETED]
    failed = [entry for entry in entries if entry.outcome not in ("", COMPLETED)]
    times = [_times(steps.get(entry.visit, ())) for entry in done]
    return Day(
        visits=len(entries),
        completed=len(done),
        hours=_hours(done, failed),
        person_s=_spread([person for person, _ in times]),
        machine_s=_spread([machine for _, machine in times]),
        identities=tuple(Counter(entry.identity for entry in done).most_common()),
        failures=tuple(Counter(entry.outcome for entry in failed).most_common()),
    )


def _hours(done: Sequence[Entry], failed: Sequence[Entry]) -> tuple[tuple[int, int, int], ...]:
    counts: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for at, entries in enumerate((done, failed)):
        for entry in entries:
            counts[entry.begun_at.hour][at] += 1
    if not counts:
        return ()
    return tuple((hour, *counts[hour]) for hour in range(min(counts), max(counts) + 1))  # type: ignore[misc]


def _times(steps: Steps) -> tuple[float, float]:
    """Return the seconds in which the terminal waited for a person, and a person for the terminal."""
    person = machine = 0.0
    for (began, state), (ended, _) in pairwise(steps):
        # A clock that was set back must not make a visit shorter than nothing.
        seconds = max(0.0, (ended - began).total_seconds())
        if state in _PERSON:
            person += seconds
        elif state in _MACHINE:
            machine += seconds
    return person, machine


def _spread(seconds: Sequence[float]) -> Spread | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Spread(statistics.median(ordered), ordered[math.ceil(0.9 * len(ordered)) - 1])


Line = tuple[str, str, str]
"""What the figure is about, its name, and its value."""


def lines(day: Day, identities: Mapping[str, str], outcomes: Mapping[str, str]) -> tuple[Line, ...]:
    """Return every figure as a line of words; names of identities and outcomes come from the caller."""
    found: list[Line] = [("受付", "全体", str(day.visits)), ("受付", "完了", str(day.completed))]
    for name, spread in (("患者の操作", day.person_s), ("機械の処理", day.machine_s)):
        if spread is not None:
            found.append(("時間 (秒)", f"{name} 中央値", f"{spread.median:.1f}"))
            found.append(("時間 (秒)", f"{name} 90%点", f"{spread.p90:.1f}"))
    for identity, count in day.identities:
        share = 100 * count / day.completed
        found.append(("本人確認", identities.get(identity, identity or "-"), f"{count} ({share:.0f}%)"))
    found += [("完了しなかった理由", outcomes.get(code, code), str(count)) for code, count in day.failures]
    for hour, completed, others in day.hours:
        found.append(("時間帯", f"{hour}時台", f"完了 {completed} / ほか {others}"))
    return tuple(found)


def as_csv(rows: Iterable[Line]) -> bytes:
    """Return the lines as CSV for spreadsheets (UTF-8 with mark, CRLF)."""
    text = io.StringIO()
    csv.writer(text).writerows([("項目", "内訳", "値"), *rows])
    return text.getvalue().encode("utf-8-sig")
