"""Accuracy of the face on any list of pairs: error rates by set, condition and policy; resumable, for thousands."""

import csv
import hashlib
import json
import multiprocessing
import os
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import config
from config import ConfigError
from config.face_networks import NETWORKS, SFACE, FaceNetwork
from hardware.face.distance import between
from hardware.simulation.moving_stills import Condition
from reception.testing.benchmarks import face_rates as rates
from reception.testing.benchmarks.face_det import Curve, Mark, draw

if TYPE_CHECKING:
    from reception.testing.benchmarks.face_pictures import Side

Say = Callable[[str], None]
Failures = dict[str, Counter[str]]
"""Picture and reason -> condition -> number of pairs."""
THRESHOLDS = tuple(round(0.34 + 0.02 * step, 2) for step in range(17))
_SHOWN = {
    "sface": (0.44, 0.48, 0.50, 0.52, 0.54, 0.58, 0.60),
    "dlib": (0.34, 0.36, 0.38, 0.40, 0.44, 0.50, 0.60),
}
_RULE = "terminal's rule"
_STRICT = 0.001
"""The false accept rate at which policies are compared."""
CONDITIONS = (
    Condition.DIM,
    Condition.BACKLIGHT,
    Condition.SIDE_LIGHT,
    Condition.BLURRED,
    Condition.NOISE,
    Condition.TILT,
    Condition.SMALL_100,
)
EVERYTHING = "all"
"""Name of the figures over all sets together."""


# ---- the list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two pictures, and whether they show the same person."""

    first: Path
    """Becomes the photo on the card."""
    second: Path
    """Comes before the camera."""
    same: bool
    set: str = ""
    more: tuple[Path, ...] = ()
    """Further pictures that come before the camera in the same attempt, after ``second``."""

    @property
    def seen(self) -> tuple[Path, ...]:
        """All that comes before the camera, in order."""
        return self.second, *self.more


def read_pairs(file: Path) -> list[Pair]:
    """Read a list with the columns path1, path2, same (1 or 0) and optionally set; raises ConfigError with the line.

    The columns path3 to path6, which may be empty, hold further pictures of who comes before the camera. Paths are
    relative to the list. Whether the pictures can be used is found out later.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            pairs = list(_pairs_in(file, rows))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8 text") from None
    if not pairs:
        raise ConfigError(f"{file}: has no pairs")
    return pairs


_COLUMN_NAMES = {"same", "set", *(f"path{number}" for number in range(1, 7))}


def _pairs_in(file: Path, rows: Any) -> Iterator[Pair]:
    try:
        columns = [name.strip() for name in next(rows, [])]
        if not {"path1", "path2", "same"} <= set(columns) <= _COLUMN_NAMES or len(columns) != len(
            set(columns)
        ):
            raise ConfigError(f"{file}:1: the columns should be path1, path2, same and optionally set")
        for row in rows:
            if not row:
                continue
            where = f"{file}:{rows.line_num}"
            if len(row) != len(columns):
                raise ConfigError(f"{where}: has {len(row)} values, not {len(columns)}")
            given = dict(zip(columns, (value.strip() for value in row), strict=True))
            paths = [key for key in sorted(given) if key.startswith("path")]
            for key in paths:
                if "\0" in given[key] or (not given[key] and key in ("path1", "path2")):
                    raise ConfigError(f"{where}: {key}: should be a picture's path")
            if given["same"] not in ("0", "1"):
                raise ConfigError(f"{where}: same: should be 1 or 0, not {given['same']!r}")
            if given.get("set") == EVERYTHING:
                raise ConfigError(f"{where}: set: {EVERYTHING!r} is the name of all sets together")
            first, second, *more = (file.parent / given[key] for key in paths if given[key])
            yield Pair(first, second, given["same"] == "1", given.get("set", ""), tuple(more))
    except csv.Error as error:
        raise ConfigError(f"{file}:{rows.line_num}: {error}") from None


# ---- embeddings --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """One picture as one side of comparisons."""

    digest: str
    """Hash of the file's content."""
    path: Path
    kind: str


class Cache:
    """Sides that were computed, by content, kind and model; in a file, so that an interrupted run goes on."""

    def __init__(self, folder: Path | None, model: str, frames: int) -> None:
        self._prefix = f"{model}:{frames}"
        self._place = folder / "embeddings.sqlite" if folder else Path(":memory:")
        try:
            self._rows = sqlite3.connect(self._place)
            self._rows.execute(
                "CREATE TABLE IF NOT EXISTS side (key TEXT PRIMARY KEY, verdicts TEXT, failure TEXT, vectors BLOB)"
            )
        except sqlite3.Error as error:
            raise ConfigError(f"{self._place}: cannot be used: {error}") from None
        if folder:
            self._place.chmod(0o600)  # whoever can read it can recognise these people

    def get(self, digest: str, kind: str) -> "Side | None":
        """Return a side, None when it was not computed yet."""
        from reception.testing.benchmarks.face_pictures import Side

        row = self._rows.execute(
            "SELECT verdicts, failure, vectors FROM side WHERE key = ?", (self._key(digest, kind),)
        ).fetchone()
        if row is None:
            return None
        vectors = np.frombuffer(row[2], np.float32).reshape(-1, 2, 128)
        return Side(vectors, tuple(json.loads(row[0])), row[1])

    def put(self, digest: str, kind: str, side: "Side") -> None:
        """Keep a side for good."""
        with self._rows:
            self._rows.execute(
                "INSERT OR REPLACE INTO side VALUES (?, ?, ?, ?)",
                (
                    self._key(digest, kind),
                    json.dumps(side.verdicts),
                    side.failure,
                    side.vectors.astype(np.float32).tobytes(),
                ),
            )

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def _key(self, digest: str, kind: str) -> str:
        return f"{digest}:{kind}:{self._prefix}"


def _digests(pairs: Sequence[Pair]) -> dict[Path, str]:
    """Return the content's hash of every picture; "" for one that cannot be read."""
    found: dict[Path, str] = {}
    for pair in pairs:
        for path in (pair.first, *pair.seen):
            if path not in found:
                try:
                    found[path] = hashlib.sha256(path.read_bytes()).hexdigest()
                except OSError:
                    found[path] = ""
    return found


def _jobs(pairs: Sequence[Pair], digests: dict[Path, str], kinds: Sequence[str]) -> list[Job]:
    from reception.testing.benchmarks.face_pictures import CARD, PLAIN

    jobs: dict[tuple[str, str], Job] = {}
    for pair in pairs:
        for path, wanted in ((pair.first, (PLAIN, CARD)), *((seen, (PLAIN, *kinds)) for seen in pair.seen)):
            for kind in wanted:
                if digests[path]:
                    jobs.setdefault((digests[path], kind), Job(digests[path], path, kind))
    return list(jobs.values())


def _compute(jobs: Sequence[Job], cache: Cache, network: str, frames: int, processes: int, say: Say) -> None:
    """Put into the cache what it lacks."""
    from reception.testing.benchmarks.face_pictures import side_of_file, start_process

    todo = [job for job in jobs if cache.get(job.digest, job.kind) is None]
    say(f"{len(jobs)} sides of pictures, {len(jobs) - len(todo)} of them from an earlier run")
    if not todo:
        return
    began = told = time.monotonic()
    pool = ProcessPoolExecutor(
        min(processes, len(todo)),
        multiprocessing.get_context("spawn"),
        initializer=start_process,
        initargs=(network,),
    )
    try:
        waiting: deque[tuple[Job, Future[Side]]] = deque(
            (job, pool.submit(side_of_file, job.path, job.kind, frames)) for job in todo
        )
        for number in range(1, len(todo) + 1):
            job, coming = waiting.popleft()  # not kept: the results of a long list are many
            cache.put(job.digest, job.kind, coming.result())
            now = time.monotonic()
            if number == 1:
                began = told = now  # until here, processes started
            elif now - told >= 5:
                told, left = now, (now - began) / (number - 1) * (len(todo) - number)
                say(f"  {number} of {len(todo)}, about {left / 60:.1f} minutes left")
    except BrokenProcessPool:
        raise OSError("a process that embeds pictures died; started again, it goes on from here") from None
    finally:
        pool.shutdown(cancel_futures=True)


# ---- policies ----------------------------------------------------------------------------------------------------


def policies(
    card: NDArray[np.float32], seen: NDArray[np.float32], frames: int, network: FaceNetwork = SFACE
) -> dict[str, float]:
    """Return the distance by each policy; ``card`` is (1, 2, 128), ``seen`` (n, 2, 128), as Side.vectors.

    ``frames`` were asked for, and n of them, at least one, show a face. "terminal's rule" accepts what
    hardware.face.policy.Policy accepts with its defaults, at their threshold: any mean of the newest three, or a
    single frame that is nearer still (and taken for clear).
    """
    plain, both = card[0, 0].astype(float), card[0].astype(float).mean(axis=0)
    faces, balanced = seen[:, 0].astype(float), seen.astype(float).mean(axis=1)
    alone = [between(network, face, plain) for face in faces]
    found = {"single": alone[0], "single + mirror": between(network, balanced[0], both)}
    if frames > 1:
        found[f"mean of {frames}"] = between(network, faces.mean(axis=0), plain)
        found[f"median of {frames}"] = float(np.median(alone))
        found[f"mean of {frames} + mirror"] = between(network, balanced.mean(axis=0), both)
    rule = config.Face(model=network.name)
    if frames >= rule.frames:
        newest = range(rule.frames, min(len(seen), rule.max_frames) + 1)
        means = [between(network, faces[end - rule.frames : end].mean(axis=0), plain) for end in newest]
        stricter = rule.threshold - rule.fast_accept
        found[_RULE] = min([*means, min(alone[: rule.max_frames]) + stricter])
    return {policy: max(0.0, distance) for policy, distance in found.items()}


@dataclass(frozen=True)
class Compared:
    """What became of one pair in one condition."""

    same: bool
    set: str
    distances: dict[str, float]
    """By policy; empty when it could not be compared."""
    failure: str = ""


def compare(
    pair: Pair,
    first: "Side | None",
    seen: "Sequence[Side | None]",
    frames: int = 1,
    gated: bool = False,
    network: FaceNetwork = SFACE,
) -> Compared:
    """Compare a card with what was seen; None is a picture that cannot be read.

    With ``gated``, only frames that the gate lets pass. Of several pictures, those that can be used count.
    """
    usable = [side for side in seen if side is not None and not side.failure]
    for path, side in ((pair.first, first), *([] if usable else [(pair.second, seen[0])])):
        if side is None or side.failure:
            why = side.failure if side else "cannot be read"
            return Compared(pair.same, pair.set, {}, f"{path}: {why}")
    assert first is not None
    verdicts = [verdict for side in usable for verdict in side.verdicts]
    good = [number for number, verdict in enumerate(verdicts) if not (gated and verdict)]
    if not good:
        return Compared(pair.same, pair.set, {}, f"{pair.second}: gate: {verdicts[0]}")
    vectors = np.concatenate([side.vectors for side in usable])[good]
    return Compared(pair.same, pair.set, policies(first.vectors, vectors, frames, network))


# ---- report ------------------------------------------------------------------------------------------------------


def figures_of(
    compared: Sequence[Compared], name: str, condition: str, network: FaceNetwork = SFACE
) -> list[dict[str, Any]]:
    """Return the error rates of one set in one condition by one network, an entry for each policy."""
    failed = [each for each in compared if not each.distances]
    found = []
    for policy in dict.fromkeys(policy for each in compared for policy in each.distances):
        genuine, impostor = (
            rates.in_order(
                [c.distances[policy] for c in compared if c.same is same and policy in c.distances]
            )
            for same in (True, False)
        )
        equal = rates.equal_error(genuine, impostor)
        strict = rates.threshold_at(genuine, impostor, _STRICT)
        found.append(
            {
                "network": network.name,
                "set": name,
                "condition": condition,
                "policy": policy,
                "at_threshold": _at(
                    network.fast_accept if policy in _SINGLE else network.threshold, genuine, impostor
                ),
                "genuine": genuine.size,
                "impostor": impostor.size,
                "not_compared": {
                    "genuine": sum(each.same for each in failed),
                    "impostor": sum(not each.same for each in failed),
                },
                "eer": equal and {"rate": equal.rate, "threshold": equal.threshold},
                "far_0.1_percent": strict
                and {"threshold": strict.threshold, "frr": strict.frr, "enough_pairs": strict.resolved},
                "thresholds": [
                    {"threshold": threshold, "far": accepted, "frr": refused}
                    for threshold, accepted, refused in rates.at_thresholds(genuine, impostor, THRESHOLDS)
                ],
                "det": rates.det(genuine, impostor),
            }
        )
    return found


_SINGLE = ("single", "single + mirror")
"""Policies of one frame, for which the stricter threshold counts."""


def _at(threshold: float, genuine: rates.Distances, impostor: rates.Distances) -> dict[str, Any]:
    """Return both rates at a threshold, each with its 95 % confidence interval."""
    accepted, refused = rates.far(impostor, threshold), rates.frr(genuine, threshold)
    return {
        "threshold": threshold,
        "far": accepted,
        "far_interval": accepted is not None and rates.interval(accepted, impostor.size),
        "frr": refused,
        "frr_interval": refused is not None and rates.interval(refused, genuine.size),
    }


def accuracy(
    file: Path,
    out: Path | None,
    say: Say,
    *,
    conditions: bool = False,
    frames: int = 3,
    gated: bool = False,
    processes: int | None = None,
) -> list[dict[str, Any]]:
    """Measure a list of pairs by both networks, say the tables and return them.

    With ``out``, also accuracy.json and det.png there. Raises ConfigError for a list that is not right, before anything
    is computed. Pictures that cannot be used count as not compared and are named.
    """
    pairs = read_pairs(file)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    kinds = [Condition.CLEAN.value, *(each.value for each in CONDITIONS if conditions)]
    digests = _digests(pairs)
    figures: list[dict[str, Any]] = []
    failures: Failures = {}
    for network in NETWORKS.values():
        figures += _by_network(
            network,
            pairs,
            digests,
            kinds,
            failures,
            out,
            say,
            frames,
            gated,
            processes or os.cpu_count() or 1,
        )
    _say_failures(failures, say)
    if out is not None:
        _write(out, file, frames, figures, failures)
        say(
            f"\n{out / 'accuracy.json'} and {out / 'det.png'} written; embeddings.sqlite beside them holds what"
        )
        say("could recognise these people: delete it when no further run needs it")
    return figures


def _by_network(
    network: FaceNetwork,
    pairs: Sequence[Pair],
    digests: dict[Path, str],
    kinds: Sequence[str],
    failures: Failures,
    out: Path | None,
    say: Say,
    frames: int,
    gated: bool,
    processes: int,
) -> list[dict[str, Any]]:
    """Return the figures of one network, and say them; what could not be compared goes to ``failures``."""
    from reception.testing.benchmarks.face_pictures import CARD, PLAIN, model_key

    figures: list[dict[str, Any]] = []
    with closing(Cache(out, model_key(network.name), frames)) as cache:
        _compute(_jobs(pairs, digests, kinds), cache, network.name, frames, processes, say)

        def side(path: Path, kind: str) -> "Side | None":
            return cache.get(digests[path], kind) if digests[path] else None

        say(
            f"\n{network.name} ({network.licence}), at most {network.threshold} "
            f"(one frame: {network.fast_accept})\n{_head(network)}"
        )
        for kind in (PLAIN, *kinds):
            before = PLAIN if kind == PLAIN else CARD
            count, only_good = (1, False) if kind == PLAIN else (frames, gated)
            compared = [
                compare(
                    pair,
                    side(pair.first, before),
                    [_one_frame(side(path, kind), bool(pair.more)) for path in pair.seen],
                    count,
                    only_good,
                    network,
                )
                for pair in pairs
            ]
            for each in compared:
                if each.failure:
                    failures.setdefault(f"{each.failure} [{network.name}]", Counter())[kind] += 1
            for name in _sets(pairs):
                of_set = [each for each in compared if name in (EVERYTHING, each.set)]
                found = figures_of(of_set, name, kind, network)
                figures += found
                say("\n".join(map(_row, found)) or f"{name:12.12} {kind:11} nothing could be compared")
    return figures


def _one_frame(side: "Side | None", of_several: bool) -> "Side | None":
    """Of several pictures of an attempt, each gives one frame, as one look of a person does."""
    if side is None or not of_several or side.failure:
        return side
    good = next((number for number, verdict in enumerate(side.verdicts) if not verdict), 0)
    return replace(side, vectors=side.vectors[good : good + 1], verdicts=side.verdicts[good : good + 1])


def _sets(pairs: Sequence[Pair]) -> list[str]:
    names = list(dict.fromkeys(pair.set for pair in pairs if pair.set))
    return [*names, EVERYTHING] if len(names) > 1 or any(not pair.set for pair in pairs) else names


_COLUMNS = "{:12.12} {:11} {:20} {:>15} {:>13}   {:15} {:17} {:33}"


def _head(network: FaceNetwork) -> str:
    return (
        _COLUMNS.format(
            "set",
            "condition",
            "policy",
            "same/other",
            "not compared",
            "EER % @ T",
            "FAR .1 %: T, FRR",
            "at its threshold: FAR, FRR % (95 %)",
        )
        + "".join(f"{threshold:>10.2f}" for threshold in _SHOWN[network.name])
        + "  FAR/FRR %"
    )


def _row(figure: dict[str, Any]) -> str:
    equal, strict, failed = figure["eer"], figure["far_0.1_percent"], figure["not_compared"]
    shown = {
        each["threshold"]: f"{_percent(each['far'])}/{_percent(each['frr'])}" for each in figure["thresholds"]
    }
    missing = f"{failed['genuine']}/{failed['impostor']}"
    crossing = f"{_percent(equal['rate'])} @ {equal['threshold']:.3f}" if equal else "-"
    mark = "" if not strict or strict["enough_pairs"] else " (few)"
    bound = f"{strict['threshold']:.3f}, {_percent(strict['frr'])}{mark}" if strict else "-"
    at = figure["at_threshold"]
    here = ", ".join(
        f"{_percent(at[rate])} ({'-'.join(map(_percent, at[f'{rate}_interval'] or ())) or 'no pairs'})"
        for rate in ("far", "frr")
    )
    return _COLUMNS.format(
        figure["set"],
        figure["condition"],
        figure["policy"],
        f"{figure['genuine']}/{figure['impostor']}",
        missing,
        crossing,
        bound,
        here,
    ) + "".join(f"{shown.get(threshold, '-'):>10}" for threshold in _SHOWN[figure["network"]])


def _percent(rate: float | None) -> str:
    if rate is None:
        return "-"
    return f"{rate * 100:.0f}" if rate in (0, 1) or rate >= 0.1 else f"{rate * 100:.2g}"


def _say_failures(failures: Failures, say: Say) -> None:
    if failures:
        say(f"\n{len(failures)} pictures were not compared:")
    for failure, counts in list(failures.items())[:10]:
        say(f"  {failure} ({', '.join(counts)})")
    if len(failures) > 10:
        say(f"  and {len(failures) - 10} more; accuracy.json has them all")


def _write(out: Path, file: Path, frames: int, figures: list[dict[str, Any]], failures: Failures) -> None:
    report = {
        "pairs": str(file),
        "frames": frames,
        "figures": figures,
        "not_compared": [{"why": why, "pairs": counts} for why, counts in failures.items()],
    }
    (out / "accuracy.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    last = figures[-1]["set"] if figures else ""
    of_set = [figure for figure in figures if figure["set"] == last]
    clean = [figure for figure in of_set if figure["condition"] == Condition.CLEAN]
    chosen = {
        f"{last}: one frame, clean": [each for each in clean if each["policy"] == "single"],
        f"{last}: rule of the terminal, clean": [each for each in clean if each["policy"] == _RULE],
        f"{last}: conditions, one frame of sface": [
            each for each in of_set if (each["policy"], each["network"]) == ("single", "sface")
        ],
    }
    draw(out / "det.png", {title: list(map(_curve, found)) for title, found in chosen.items()})


def _curve(figure: dict[str, Any]) -> Curve:
    at = figure["at_threshold"]
    name = figure["network"] if figure["condition"] == Condition.CLEAN else figure["condition"]
    return Curve(
        name,
        [(accepted, refused) for _, accepted, refused in figure["det"]],
        figure["genuine"],
        figure["impostor"],
        Mark(at["threshold"], at["far"], at["frr"], at["far_interval"], at["frr_interval"])
        if at["far"] is not None and at["frr"] is not None
        else None,
    )
