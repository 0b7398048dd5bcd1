"""Where the bars of a chart stand; pure, in units of its view box."""

from collections.abc import Sequence
from dataclasses import dataclass

from reception.counter.english import Words

WIDTH, HEIGHT = 900, 260
LEFT, TOP, BOTTOM = 40, 12, 30


@dataclass(frozen=True)
class Bar:
    """One hour: completed visits below, others on top."""

    name: str
    x: float
    middle: float
    width: float
    done_y: float
    done_height: float
    others_y: float
    others_height: float


@dataclass(frozen=True)
class Tick:
    """One line across, with its number."""

    n: int
    y: float


@dataclass(frozen=True)
class Chart:
    """Visits per hour on one axis that begins at 0."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    words: str
    """The same for those who do not see it."""


def hours_chart(hours: Sequence[tuple[int, int, int]], t: Words) -> Chart:
    """Return the chart of (hour, completed, others)."""
    step = _step(max((done + others for _, done, others in hours), default=0))
    highest = step * 4
    unit = (HEIGHT - TOP - BOTTOM) / highest
    ground = HEIGHT - BOTTOM
    room = (WIDTH - LEFT) / max(1, len(hours))
    width = min(70.0, room * 0.7)
    bars = []
    for at, (hour, done, others) in enumerate(hours):
        x = LEFT + at * room + (room - width) / 2
        top = ground - done * unit
        name = t("{n}時", n=hour)
        done_height, others_height = done * unit, others * unit
        heights = (top, done_height, top - others_height, others_height)
        bars.append(Bar(name, round(x, 1), round(x + width / 2, 1), round(width, 1), *heights))
    words = ", ".join(t("{h}時台 完了{n} ほか{m}", h=hour, n=done, m=others) for hour, done, others in hours)
    ticks = tuple(Tick(step * at, ground - step * at * unit) for at in range(5))
    return Chart(WIDTH, HEIGHT, tuple(bars), ticks, words)


def _step(highest: int) -> int:
    """Return a round number of which four reach the highest."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size * 4 >= highest:
                return factor * size
        size *= 10
