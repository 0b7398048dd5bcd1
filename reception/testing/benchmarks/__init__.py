"""Figures about speed and accuracy, each beside what it is compared with: a module for each part of ``./run bench``."""

import json
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import wrap
from typing import Any

from config import ConfigError
from reception.testing.benchmarks import earlier, needs, table

Say = Callable[[str], None]
Figures = list[dict[str, Any]]


def _visit(options: Namespace, say: Say) -> Figures:
    from reception.testing.benchmarks import visit

    return visit.visits(options.state, getattr(options, "rounds", 5), say)


def _face(options: Namespace, say: Say) -> Figures:
    if getattr(options, "pairs", None) is not None:
        from reception.testing.benchmarks.face_accuracy import accuracy

        return accuracy(
            options.pairs,
            options.out,
            say,
            conditions=options.conditions,
            frames=options.frames,
            gated=options.gate,
        )
    if getattr(options, "attacks", False):
        from reception.testing.benchmarks import face_attacks

        return face_attacks.stopped(say) + face_attacks.masks(say)
    if any(getattr(options, name, None) for name in ("conditions", "gate", "out")):
        raise ConfigError("--conditions, --gate and --out go with --pairs")
    from reception.testing.benchmarks import face

    return face.speed(options.state, getattr(options, "rounds", 12), getattr(options, "visits", 0), say)


def _card(options: Namespace, say: Say) -> Figures:
    from reception.testing.benchmarks import card

    rounds = getattr(options, "rounds", 20)
    return card.pin_route(options.state, rounds, say) + card.face_route(options.state, rounds, say)


def _issue_to_everybody(state: Path) -> None:
    """Make the keys of all people: a server takes them up, and would make them while it is measured."""
    from config.person import everybody, insured
    from consent.server.certificates import Authority

    authority = Authority(state)
    for person in insured(everybody()):
        authority.issue(person)


def _server(options: Namespace, say: Say) -> Figures:
    from reception.testing.benchmarks import server

    _issue_to_everybody(options.state)
    return server.load(
        options.state,
        getattr(options, "terminals", 20),
        getattr(options, "seconds", 10.0),
        getattr(options, "database", None),
        say,
        getattr(options, "workers", 1),
        tls=getattr(options, "tls", False),
    )


def _ui(options: Namespace, say: Say) -> Figures:
    from reception.testing.benchmarks.smoothness import smoothness

    return smoothness(options.state, getattr(options, "seconds", 10.0), say, getattr(options, "visits", 0))


def _start(options: Namespace, say: Say) -> Figures:
    from reception.testing.benchmarks import start

    return start.start(options.state, getattr(options, "rounds", 5), say)


def _scale(options: Namespace, say: Say) -> Figures:
    from reception.testing.benchmarks.scale import STORED, scale

    _issue_to_everybody(options.state)
    most = getattr(options, "visits", STORED[-1])
    stored = [count for count in (*STORED, 10_000_000) if count <= most]
    return scale(options.state, getattr(options, "seconds", 5.0), say, stored=stored)


PARTS: dict[str, Callable[[Namespace, Say], Figures]] = {
    "visit": _visit,
    "card": _card,
    "face": _face,
    "scale": _scale,
    "server": _server,
    "start": _start,
    "ui": _ui,
}
"""By name on the command line. What is imported for one part costs the others nothing."""


SHORT: dict[str, tuple[str, ...]] = {
    "start": ("--rounds", "3"),
    "visit": ("--rounds", "4"),
    "card": ("--rounds", "8"),
    "face": ("--rounds", "5"),
    "server": ("--seconds", "3"),
    "ui": ("--seconds", "5", "--visits", "10"),
}
"""What ``./run bench`` without a part gives each of them, so that all take less than three minutes on two cores."""


def measure(options: Namespace, say: Say) -> int:
    """Measure one part, or all, or read what was measured; say the table; return the exit code.

    Raises ConfigError, before anything is measured, when something is missing for it.
    """
    say = within(say)
    if options.compare and not options.compare.is_file():
        return _beside_a_commit(options, say)
    missing: list[str] = []
    if options.read:
        content = _read(options.read)
    elif options.what:
        content = as_content({options.what: PARTS[options.what](options, say)})
    else:
        content = as_content(_all(options.state, say))
        missing = [part for part in SHORT if part not in content["figures"]]
    rows = table.as_rows(content)
    if options.json:
        options.json.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    if rows and not options.only_json:
        words = table.in_markdown if options.markdown else table.in_words
        for line in ["", *words(content["machine"], rows), "", table.in_a_sentence(rows)]:
            say(line)
    if missing:
        say(
            f"The table is not whole: {', '.join(missing)} could not be measured; what they said stands above."
        )
    worse = _compared(options.compare, rows, say) if options.compare else 0
    return 1 if missing or worse else 0


def within(say: Say, width: int = table.WIDTH) -> Say:
    """Return what says the same in lines of at most ``width`` letters; columns stay as they are."""

    def narrow(text: str) -> None:
        for line in text.split("\n"):
            columns = "   " in line.strip()
            for part in (
                [line] if columns or len(line) <= width else wrap(line, width, subsequent_indent="  ")
            ):
                say(part)

    return narrow


def as_content(figures: dict[str, Figures]) -> dict[str, Any]:
    """Return what ``--json`` writes."""
    return {"machine": table.machine(), "table": table.as_plain(table.rows(figures)), "figures": figures}


def _all(state: Path, say: Say) -> dict[str, Figures]:
    """Measure each part in a process of its own, so that none slows the next; a part that cannot be is told."""
    _check_needs()
    figures: dict[str, Figures] = {}
    began = time.monotonic()
    with TemporaryDirectory(prefix="bench-") as folder:
        for part, words in SHORT.items():
            say(f"\n--- {part} ---")
            written = Path(folder, f"{part}.json")
            done = subprocess.run(_command(state, part, words, written), check=False)
            if done.returncode == 0:
                figures.update(_read(written)["figures"])
            else:
                say(f"{part} could not be measured")
    say(f"\nall of it took {time.monotonic() - began:.0f} s")
    return figures


def _command(state: Path, part: str, words: Sequence[str], written: Path) -> list[str]:
    command = [sys.executable, "-m", "reception", "--state", str(state), "bench", part]
    return [*command, *words, "--json", str(written), "--only-json"]


def _check_needs() -> None:
    lacking = " ".join(needs.lacking())
    if lacking:
        raise ConfigError(
            f"bench: not installed: {lacking} (apt install {lacking}); a single part may do without: ./run bench PART"
        )


def _beside_a_commit(options: Namespace, say: Say) -> int:
    """Measure the parts here and in another commit, by turns, and say one table of both; return the exit code."""
    if options.read or options.markdown:
        raise ConfigError("--read and --markdown go with --compare of a JSON file only")
    if not options.what:
        _check_needs()
    parts = {options.what: _chosen(options)} if options.what else SHORT
    with earlier.checked_out(str(options.compare)) as other, TemporaryDirectory(prefix="bench-") as folder:
        say(f"each part here, then as {other.name} of {other.date} has it")
        then: list[table.Row] = []
        now: dict[str, Figures] = {}
        for part, words in parts.items():
            say(f"--- {part} ---")
            written = Path(folder, "now.json"), Path(folder, "then.json")
            command = _command(options.state, part, words, written[0])
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                now.update(_read(written[0])["figures"])
            else:
                say(f"{part} could not be measured here: {earlier.last_words(done)}")
            asked = ["bench", part, *words, "--json", str(written[1])]
            done = earlier.played(other, Path(folder, "state"), asked)
            if done.returncode == 0:
                then += table.as_rows(_read(written[1]))
            else:
                say(f"{part} could not be measured in {other.name}: {earlier.last_words(done)}")
        content = as_content(now)
    rows = table.as_rows(content)
    if options.json:
        options.json.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    if not then or not rows:
        raise ConfigError(f"--compare {other.name}: nothing could be measured on both sides")
    for line in ["", *table.beside(then, rows, other.name), ""]:
        say(line)
    better, worse = table.better(then, rows), table.slower(then, rows)
    say(
        f"Since {other.name} of {other.date}, {len(better)} of {len(rows)} figures became better by more than"
        f" {table.NOISE:.0%}, and {len(worse)} worse{': ' if worse else '.'}"
    )
    for line in worse:
        say(line)
    return 1 if worse else 0


_WORDS = ("rounds", "terminals", "seconds", "visits", "workers")


def _chosen(options: Namespace) -> tuple[str, ...]:
    """Return the options of a part by which another commit measures the same."""
    return tuple(
        word
        for name in _WORDS
        if (value := getattr(options, name, None))
        for word in (f"--{name}", str(value))
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        table.as_rows(content)
    except ValueError:
        raise ConfigError(f"{file}: is not what --json wrote") from None
    return content  # type: ignore[no-any-return]


def _compared(before: Path, rows: list[table.Row], say: Say) -> int:
    """Say what became slower; return 1 if anything did."""
    old = _read(before)
    worse = table.slower(table.as_rows(old), rows)
    for line in worse:
        say(line)
    if not worse:
        say(f"nothing became slower by more than {table.NOISE:.0%} since {old['machine']['date']}")
    return 1 if worse else 0
