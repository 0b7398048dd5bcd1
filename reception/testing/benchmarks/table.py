"""One table of what was measured: each figure beside its baseline, and the floor that nothing gets under."""

import os
import platform
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

Figures = Sequence[Mapping[str, Any]]

WIDTH = 98
"""Letters of a line, which most consoles have."""
NOISE = 0.25
"""Two runs of the same program on a quiet machine differ by less than this share; a busy one can do worse."""


@dataclass(frozen=True)
class Row:
    """One figure; ``baseline`` and ``floor`` were measured in the same run, in the same unit."""

    figure: str
    ours: float
    unit: str = "ms"
    against: str = ""
    """What the baseline is."""
    baseline: float | None = None
    ratio: float | None = None
    """How many times better than the baseline."""
    floor: float | None = None
    to_floor: float | None = None
    """Ours by floor; 1 is all that can be had."""
    more_is_better: bool = False


def machine() -> dict[str, Any]:
    """Say what the figures were measured on, and when."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": datetime.now().astimezone().date().isoformat(),
        "processor": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def rows(figures: Mapping[str, Figures]) -> list[Row]:
    """Return the table of all parts that were measured."""
    return [row for part, of in figures.items() for row in _ROWS[part](of)]


def in_words(machine: Mapping[str, Any], table: Sequence[Row]) -> list[str]:
    """Return the table as lines of text."""
    narrow = (replace(row, unit=row.unit.replace("% of a core", "% core")) for row in table)
    return [_on(machine), *_in_columns([_HEAD, *map(_cells, narrow)])]


def in_a_sentence(table: Sequence[Row]) -> str:
    """Say in words how the figures stand to what they were measured beside."""
    ratios = {row.figure: row.ratio for row in table if row.ratio is not None}
    floors = [row.to_floor for row in table if row.to_floor is not None]
    told = []
    if ratios:
        told.append(f"{_span(ratios.values())} times as fast as what it is compared with")
    if floors:
        told.append(f"it takes {_span(floors)} times what no program could avoid")
    behind = [name for name, ratio in ratios.items() if ratio < 1]
    ends = f"; behind its baseline: {', '.join(behind)}" if behind else ""
    return f"{len(table)} figures: ours is {', and '.join(told)}{ends}." if told else f"{len(table)} figures."


def beside(old: Sequence[Row], new: Sequence[Row], then: str) -> list[str]:
    """Return one table of two runs on the same machine: what it was, what it is, and how many times better."""
    before, after = {row.figure: row for row in old}, {row.figure: row for row in new}
    lines = [["figure", then, "now", "better", "by ratio"]]
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name), after.get(name)
        lines.append([name, *(f"{_number(row.ours)} {row.unit}" if row else "" for row in (was, now))])
        lines[-1] += _times_better(was, now) if was and now else ["", ""]
    return _in_columns(lines)


def _times_better(was: Row, now: Row) -> list[str]:
    """Return by how many times it became better: by the figure itself, and by its ratio to baseline or floor."""
    bare = (replace(was, ratio=None, to_floor=None), replace(now, ratio=None, to_floor=None))
    told = []
    for one, other in (bare, (was, now)):
        then, since, by = _compared(one, other)
        told.append(f"{then / since:.2f} x" if since > 0 and (one is bare[0] or "ratio" in by) else "")
    return told


def _span(values: Collection[float]) -> str:
    least, most = (f"{value:.1f}" for value in (min(values), max(values)))
    return least if least == most else f"{least} to {most}"


def _in_columns(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of at most WIDTH letters, where that can be; a long name goes on in the next line."""
    widths = [max(len(line[column]) for line in cells) for column in range(1, len(cells[0]))]
    room = max(24, WIDTH - sum(width + 2 for width in widths))
    room = min(room, max(len(line[0]) for line in cells))
    lines = []
    for name, *rest in cells:
        first, *more = textwrap.wrap(name, room, subsequent_indent="  ")
        columns = "".join(f"  {cell:>{width}}" for cell, width in zip(rest, widths, strict=True))
        lines += [f"{first:<{room}}{columns}".rstrip(), *more]
    return lines


def in_markdown(machine: Mapping[str, Any], table: Sequence[Row]) -> list[str]:
    """Return the table as Markdown."""
    rule = "|".join(["---"] * len(_HEAD))
    return [
        f"{_on(machine)}.",
        "",
        *("| " + " | ".join(line) + " |" for line in [_HEAD]),
        f"|{rule}|",
        *("| " + " | ".join(_cells(row)) + " |" for row in table),
    ]


def slower(old: Sequence[Row], new: Sequence[Row], noise: float = NOISE) -> list[str]:
    """Say which figures became worse by more than the noise, and which are no longer there.

    By the ratio to the baseline of the same run, else by that to the floor: these hold across machines. What has
    neither is compared as it is, which only says something on the same machine.
    """
    before = {row.figure: row for row in old}
    after = {row.figure: row for row in new}
    told = [f"{name}: was measured before, now it is not" for name in before.keys() - after.keys()]
    for name in sorted(before.keys() & after.keys()):
        was, now, by = _compared(before[name], after[name])
        # As times: how often the old one fits into the new one.
        if was > 0 and now / was > 1 + noise:
            told.append(f"{name}: {now / was:.2f} times what it was, by {by}")
    return sorted(told)


def better(old: Sequence[Row], new: Sequence[Row], noise: float = NOISE) -> list[str]:
    """Return the figures that became better by more than the noise, compared as slower() does."""
    before = {row.figure: row for row in old}
    pairs = ((row.figure, _compared(before[row.figure], row)) for row in new if row.figure in before)
    return [name for name, (was, now, _) in pairs if now > 0 and was / now > 1 + noise]


def as_rows(content: object) -> list[Row]:
    """Return the rows of a JSON file of ``--json``; raises ValueError when it is none."""
    try:
        return [Row(**row) for row in content["table"]]  # type: ignore[index]
    except (TypeError, KeyError):
        raise ValueError("is not what --json wrote") from None


def as_plain(table: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows for JSON."""
    return [asdict(row) for row in table]


def _compared(was: Row, now: Row) -> tuple[float, float, str]:
    """Return old and new so that less is better, and what they are."""
    if was.ratio and now.ratio:
        return 1 / was.ratio, 1 / now.ratio, f"the ratio to {now.against}"
    if was.to_floor and now.to_floor:
        return was.to_floor, now.to_floor, "the ratio to the floor"
    if was.more_is_better:
        return 1 / max(was.ours, 1e-9), 1 / max(now.ours, 1e-9), "the figure itself"
    return was.ours, now.ours, "the figure itself"


_HEAD = ["figure", "ours", "baseline", "ratio", "floor", "to floor"]


def _cells(row: Row) -> list[str]:
    baseline = f"{_number(row.baseline)} ({row.against})" if row.baseline is not None else ""
    return [
        row.figure,
        f"{_number(row.ours)} {row.unit}",
        baseline,
        f"{row.ratio:.1f}" if row.ratio is not None else "",
        _number(row.floor) if row.floor is not None else "",
        f"{row.to_floor:.2f}" if row.to_floor is not None else "",
    ]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"


def _on(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, Python {machine['python']}, "
        f"load {machine['load']}"
    )


# --- What each part measured ------------------------------------------------------------------------------------


def _visit(figures: Figures) -> Iterator[Row]:
    for one in figures:
        yield Row(
            f"{one['visit'].lower()}, {one['bench']}",
            one["ms"],
            floor=one["floor"],
            to_floor=one["ratio_to_floor"],
        )


def _card(figures: Figures) -> Iterator[Row]:
    ours, theirs = figures[0], figures[1]
    yield Row(
        "card by PIN, pcsc",
        ours["ms"],
        against="OpenSC",
        baseline=theirs["ms"],
        ratio=theirs["ratio"],
        floor=ours["card_ms"],
        to_floor=round(ours["ms"] / ours["card_ms"], 2),
    )


def _face(figures: Figures) -> Iterator[Row]:
    by_name = {one["what"]: one for one in figures if "what" in one}
    if one := by_name.get("one embedding"):
        yield Row(
            "embedding, one thread", one["ours"], against="dlib", baseline=one["dlib"], ratio=one["ratio"]
        )
    for name in ("fast accept", "mean of three"):
        if one := by_name.get(name):
            yield Row(
                f"face, {name}",
                one["ours"],
                against="README loop",
                baseline=one["readme"],
                ratio=one["ratio"],
                floor=one["bare"],
                to_floor=one["ratio_to_bare"],
            )
    if (one := by_name.get("mean of three")) and "last_frame" in one:
        yield Row(
            "face, mean of three, from its last frame",
            one["last_frame"],
            against="README loop",
            baseline=one["readme"],
            ratio=round(one["readme"] / one["last_frame"], 1),
        )
    if one := by_name.get("tracking and gate"):
        yield Row(
            "face, tracking and gate",
            one["ours"],
            "frames/s",
            "README at 1/4 size",
            one["readme_quarter"],
            one["ratio"],
            more_is_better=True,
        )
    if one := by_name.get("strangers accepted from a blurred start"):
        yield Row(
            f"strangers accepted of {one['tried']}, blurred start",
            one["ours"],
            "visits",
            "README loop",
            one["readme"],
        )


def _server(figures: Figures) -> Iterator[Row]:
    for one in figures:
        name = f"server, {one['terminals']} terminals, {one['database']}" + ", nginx" * one.get("tls", False)
        yield Row(
            name,
            one["visits_per_s"],
            "visits/s",
            floor=round(one["empty_requests_per_s"] / 3, 1) or None,
            to_floor=round(1 / one["ratio_to_empty"], 2) if one["ratio_to_empty"] else None,
            more_is_better=True,
        )
        yield Row(f"{name}, p99", one["p99_ms"])
        if "p99_beside_noise_ms" in one:
            yield Row(f"{name}, p99 beside a noisy one", one["p99_beside_noise_ms"])


def _scale(figures: Figures) -> Iterator[Row]:
    for one in figures:
        if one["what"] == "retention":
            yield Row("server, a day forgotten", one["s"], "s")
        else:
            of = f"{one[one['what']]:,} {one['what']}"
            yield Row(f"server, {of}", one["visits_per_s"], "visits/s", more_is_better=True)
            yield Row(f"server, {of}, p99", one["p99_ms"])


def _start(figures: Figures) -> Iterator[Row]:
    for one in figures:
        if one["what"] == "waiting":
            yield Row("memory of their own, terminal and face engine wait", one["own_mb"], "MB")
            yield Row("memory, terminal and face engine wait", one["mb"], "MB")
            yield Row("processor, terminal and face engine wait", one["cpu_percent"], "% of a core")
            continue
        name, alone = f"start: {one['what']}", one["alone_ms"]
        if one["what"] == "ready for a face" and alone:
            yield Row(name, one["ms"], "ms", "face_recognition", alone, round(alone / one["ms"], 1))
        else:
            yield Row(name, one["ms"], floor=alone, to_floor=one["ratio_to_alone"])


def _ui(figures: Figures) -> Iterator[Row]:
    for one in figures:
        if "while" in one:
            yield Row(f"window's longest gap, {one['while']}", one["longest_gap_ms"])
            if one["frames_per_second"]:
                yield Row("preview", one["frames_per_second"], "frames/s", more_is_better=True)
            yield Row(f"processor, {one['while']}", one["cpu_percent"], "% of a core")
        else:
            yield Row(
                f"terminal's memory after {one['visits']} visits",
                one["last_mb"],
                "MB",
                "at first",
                one["first_mb"],
            )


_ROWS: dict[str, Callable[[Figures], Iterator[Row]]] = {
    "visit": _visit,
    "card": _card,
    "face": _face,
    "scale": _scale,
    "server": _server,
    "start": _start,
    "ui": _ui,
}
