"""The moments of a scenario, each with what the patient saw."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from reception.terminal.snapshot import Health, Snapshot
from reception.testing.scenarios.trace import Trace

_HOME = Path(__file__).resolve().parents[3]
_ONE_PICTURE_S = 5.0
_START_S = 60.0


class NoPictures(Exception):
    """The pictures could not be drawn; ``str()`` is the one line that is shown."""


@dataclass(frozen=True)
class Moment:
    """One state, or one question in it, from when it was entered until something else was."""

    number: int
    """Counts from 1."""
    began_s: float
    lasted_s: float
    snapshot: Snapshot
    """The last of it: with its guidance, its failure, its reminder."""

    @property
    def looks(self) -> str:
        """Return what decides how the patient's window looks, in JSON: all but counts and what only staff see."""
        seen = self.snapshot
        return replace(
            seen,
            number=0,
            visit="",
            occasion=0,
            health=Health(),
            match_code_wanted=False,
            match_code_tries_left=None,
            visual_possible=False,
        ).to_json()


def moments(trace: Trace, end_s: float) -> list[Moment]:
    """Return the moments of a trace; how the terminal came up before the first is none."""
    groups: list[tuple[float, Snapshot]] = []
    key: tuple[object, ...] = ()
    for seconds, seen in trace.snapshots:
        before, key = key, (seen.state, seen.screen, seen.occasion)
        if key == before:
            groups[-1] = groups[-1][0], seen
        else:
            groups.append((seconds, seen))
    if len(groups) > 1 and groups[0][1].occasion == 0:
        del groups[0]
    edges = [*(began for began, _ in groups), max(end_s, groups[-1][0] if groups else 0.0)]
    return [
        Moment(number, began, end - began, seen)
        for number, ((began, seen), (_, end)) in enumerate(zip(groups, pairwise(edges), strict=True), 1)
    ]


def draw(looks: Iterable[str]) -> dict[str, str]:
    """Return a PNG in base64 for each look, drawn by the patient's real window in a process of its own.

    Raises NoPictures.
    """
    wanted: Sequence[str] = list(dict.fromkeys(looks))
    if not wanted:
        return {}
    paths = [str(_HOME), *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "reception.testing.pictures"],
            input="\n".join(wanted),
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            timeout=_START_S + _ONE_PICTURE_S * len(wanted),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoPictures("the pictures of the screens took too long") from None
    drawn = done.stdout.split()
    if done.returncode or len(drawn) != len(wanted):
        last = done.stderr.strip().rpartition("\n")[2][:200]
        raise NoPictures(f"the pictures of the screens could not be drawn (status {done.returncode}): {last}")
    return dict(zip(wanted, drawn, strict=True))
