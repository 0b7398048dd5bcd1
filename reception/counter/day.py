"""The day at a glance: figures of one day's visits; pure, and without anything personal."""

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reception.counter.english import JAPANESE, Words
from reception.terminal.journal import Entry
from reception.terminal.tally import Steps, Tally, tally


@dataclass(frozen=True)
class Spread:
    """Seconds of several visits."""

    median: float
    p90: float
    """Nine of ten visits took at most this (nearest rank)."""


@dataclass(frozen=True)
class Day:
    """The figures of one day."""

    day: str = ""
    """ISO date; empty without a visit."""
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
    return figures_of(tally(entries, steps))


def figures_of(counted: Tally) -> Day:
    """Return the figures of a tally."""
    return Day(
        day=counted.day,
        visits=counted.visits,
        completed=counted.completed,
        hours=_without_gaps(counted.hours),
        person_s=_spread(counted.person_s),
        machine_s=_spread(counted.machine_s),
        identities=counted.identities,
        failures=counted.failures,
    )


def _without_gaps(hours: Sequence[tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    if not hours:
        return ()
    known = {hour: (done, others) for hour, done, others in hours}
    return tuple((hour, *known.get(hour, (0, 0))) for hour in range(min(known), max(known) + 1))


def _spread(seconds: Sequence[float]) -> Spread | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Spread(statistics.median(ordered), ordered[math.ceil(0.9 * len(ordered)) - 1])


Line = tuple[str, str, str]
"""What the figure is about, its name, and its value."""


def lines(
    day: Day,
    identities: Mapping[str, str],
    outcomes: Mapping[str, str],
    t: Words = JAPANESE,
) -> tuple[Line, ...]:
    """Return every figure as a line of words; names of identities and outcomes come from the caller."""
    found: list[Line] = [
        (t("受付"), t("全体"), str(day.visits)),
        (t("受付"), t("完了"), str(day.completed)),
    ]
    for name, spread in (("患者の操作", day.person_s), ("機械の処理", day.machine_s)):
        if spread is not None:
            found.append((t("時間 (秒)"), f"{t(name)} {t('中央値')}", f"{spread.median:.1f}"))
            found.append((t("時間 (秒)"), f"{t(name)} {t('90%点')}", f"{spread.p90:.1f}"))
    for identity, count in day.identities:
        share = 100 * count / day.completed
        found.append((t("本人確認"), identities.get(identity, identity or "-"), f"{count} ({share:.0f}%)"))
    for code, count in day.failures:
        found.append((t("完了しなかった理由"), outcomes.get(code, code), str(count)))
    for hour, completed, others in day.hours:
        told = t("完了 {n} / ほか {m}", n=completed, m=others)
        found.append((t("時間帯"), t("{n}時台", n=hour), told))
    return tuple(found)


def as_csv(rows: Iterable[Line]) -> bytes:
    """Return the lines as CSV for spreadsheets (UTF-8 with mark, CRLF)."""
    text = io.StringIO()
    csv.writer(text).writerows([("項目", "内訳", "値"), *rows])
    return text.getvalue().encode("utf-8-sig")
