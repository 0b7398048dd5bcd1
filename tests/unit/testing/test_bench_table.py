"""./run bench as a whole: one table, which says what it was measured beside, and what became slower since."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hardware.simulation.pcscd import BenchError
from reception.__main__ import main
from reception.commands import parser
from reception.testing import benchmarks
from reception.testing import commands as workshop
from reception.testing.benchmarks import earlier, needs, start, table
from reception.testing.benchmarks.table import Row
from tests.support import ROOT

MACHINE = {"date": "2026-11-24", "processor": "a processor", "cores": 2, "python": "3.11.7", "load": 0.1}
FIGURES: dict[str, list[dict[str, Any]]] = {
    "visit": [
        {"visit": "A visit by PIN", "bench": "pcsc", "ms": 30.0, "floor": 24.0, "ratio_to_floor": 1.25}
    ],
    "card": [
        {"driver": "ours", "ms": 2.0, "ratio": 1.0, "card_ms": 0.5},
        {"driver": "OpenSC", "ms": 20.0, "ratio": 10.0, "card_ms": 0.5},
    ],
    "face": [
        {"what": "one embedding", "ours": 9.0, "dlib": 72.0, "ratio": 8.0},
        {
            "what": "mean of three",
            "ours": 30.0,
            "readme": 180.0,
            "ratio": 6.0,
            "bare": 18.0,
            "ratio_to_bare": 1.67,
            "last_frame": 9.5,
        },
        {"what": "tracking and gate", "ours": 250.0, "readme_quarter": 25.0, "ratio": 10.0},
    ],
    "server": [
        {
            "terminals": 20,
            "database": "sqlite",
            "visits_per_s": 100.0,
            "p99_ms": 80.0,
            "empty_requests_per_s": 900.0,
            "ratio_to_empty": 0.333,
        }
    ],
    "scale": [
        {"what": "terminals", "terminals": 200, "visits_per_s": 260.0, "p99_ms": 1150.0},
        {"what": "stored", "stored": 1_000_000, "visits_per_s": 150.0, "p99_ms": 260.0},
        {"what": "retention", "visits": 1370, "s": 0.2},
    ],
    "start": [
        {"what": "first screen", "ms": 400, "alone_ms": 200, "ratio_to_alone": 2.0},
        {"what": "ready for a face", "ms": 2000, "alone_ms": None, "ratio_to_alone": None},
        {"what": "waiting", "own_mb": 160, "mb": 200, "cpu_percent": 1.1},
    ],
    "ui": [
        {
            "while": "a face is matched",
            "longest_gap_ms": 12.0,
            "frames_per_second": 30.0,
            "cpu_percent": 13.0,
        },
        {"visits": 500, "first_mb": 200.0, "last_mb": 201.0},
    ],
}
ROWS = table.rows(FIGURES)
A_RATIO = Row("face", 20.0, against="README loop", baseline=200.0, ratio=10.0)
TO_FLOOR = Row("visit", 30.0, floor=20.0, to_floor=1.5)
BARE = Row("frames", 30.0, "frames/s", more_is_better=True)


def test_every_part_has_its_rows() -> None:
    # What takes minutes is measured by its name only.
    assert set(FIGURES) == set(benchmarks.PARTS) == {*benchmarks.SHORT, "scale"}
    names = [row.figure for row in ROWS]
    assert len(names) == len(set(names)) == 22
    by_name = {row.figure: row for row in ROWS}
    assert by_name["a visit by pin, pcsc"].to_floor == 1.25
    assert by_name["card by PIN, pcsc"].baseline == 20.0
    assert by_name["face, mean of three, from its last frame"].ours == 9.5


def test_the_table_names_machine_baselines_and_floors_in_words_and_in_markdown() -> None:
    words = table.in_words(MACHINE, ROWS)
    assert words[0] == "2026-11-24, a processor, 2 cores, Python 3.11.7, load 0.1"
    assert any(line.startswith("card by PIN, pcsc") and "20 (OpenSC)" in line for line in words)
    marked = table.in_markdown(MACHINE, ROWS)
    assert marked[2] == "| figure | ours | baseline | ratio | floor | to floor |"
    assert len({line.count("|") for line in marked[2:]}) == 1


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        # A slower machine takes longer for both: the ratio stays.
        (A_RATIO, replace(A_RATIO, ours=60.0, baseline=600.0), None),
        (A_RATIO, replace(A_RATIO, ratio=7.0), "face: 1.43 times what it was, by the ratio to README loop"),
        (A_RATIO, replace(A_RATIO, ratio=8.5), None),
        (A_RATIO, replace(A_RATIO, ratio=20.0), None),
        (
            TO_FLOOR,
            replace(TO_FLOOR, to_floor=3.0),
            "visit: 2.00 times what it was, by the ratio to the floor",
        ),
        (TO_FLOOR, replace(TO_FLOOR, to_floor=1.6), None),
        (BARE, replace(BARE, ours=15.0), "frames: 2.00 times what it was, by the figure itself"),
        (BARE, replace(BARE, ours=60.0), None),
        (BARE, A_RATIO, "frames: was measured before, now it is not"),
    ],
)
def test_what_became_slower_than_the_noise_is_told(old: Row, new: Row, worse: str | None) -> None:
    assert table.slower([old], [new]) == ([worse] if worse else [])


def written(folder: Path, rows: list[Row]) -> Path:
    file = folder / f"{len(list(folder.iterdir()))}.json"
    file.write_text(json.dumps({"machine": MACHINE, "table": table.as_plain(rows), "figures": {}}))
    return file


def test_what_was_measured_can_be_read_compared_and_pasted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = written(tmp_path, [A_RATIO]), written(tmp_path, [replace(A_RATIO, ratio=5.0)])
    bench = ["--state", str(tmp_path), "bench", "--read"]
    assert main([*bench, str(new), "--compare", str(old)]) == 1
    assert "face: 2.00 times what it was" in capsys.readouterr().out
    assert main([*bench, str(old), "--compare", str(old), "--markdown"]) == 0
    said = capsys.readouterr().out
    assert "| face | 20 ms | 200 (README loop) | 10.0 |  |  |" in said
    assert "nothing became slower by more than 25% since 2026-11-24" in said


@pytest.mark.parametrize("content", ["", "{}", '{"table": [{"figure": 1}]}', "[1]"])
def test_another_file_is_refused_with_one_line(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    assert main(["--state", str(tmp_path), "bench", "--read", str(file)]) == 2
    assert capsys.readouterr().err == f"reception: {file}: is not what --json wrote\n"


def measured_by(
    without: tuple[str, ...] = (),
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what stands in for the processes that measure; the parts in ``without`` fail."""

    def played(command: list[str], **_how: object) -> subprocess.CompletedProcess[str]:
        options = parser(workshop).parse_args(command[3:])
        if options.what in without:
            return subprocess.CompletedProcess(command, 2, "", f"reception: no {options.what} here")
        content = benchmarks.as_content({options.what: FIGURES[options.what]})
        options.json.write_text(json.dumps(content))
        return subprocess.CompletedProcess(command, 0, "", "")

    return played


def test_all_parts_run_in_processes_of_their_own_and_end_in_one_table_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(needs, "lacking", list)
    monkeypatch.setattr(subprocess, "run", measured_by())
    assert main(["--state", str(tmp_path), "bench"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("figure ") for line in said) == 1
    assert " ".join(said[-2:]).startswith(
        "17 figures: ours is 6.0 to 18.9 times as fast as what it is compared"
    )


def test_a_table_that_is_not_whole_says_so_and_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(needs, "lacking", list)
    monkeypatch.setattr(subprocess, "run", measured_by(without=("card", "ui")))
    assert main(["--state", str(tmp_path), "bench"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "The table is not whole: card, ui could not be measured; what they said stands above."


def test_what_is_not_installed_is_named_in_one_line_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(needs, "lacking", lambda: ["opensc", "xvfb"])
    assert main(["--state", str(tmp_path), "bench"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "not installed: opensc xvfb (apt install opensc xvfb)" in told.err


def test_tables_and_sentences_fit_an_ordinary_console() -> None:
    long = replace(
        A_RATIO, figure="a figure whose name goes on and on, as those of servers do", unit="visits/s"
    )
    told: list[str] = []
    say = benchmarks.within(told.append)
    for line in [*table.in_words(MACHINE, [*ROWS, long]), *table.beside(ROWS, [*ROWS, long], "fefed08")]:
        say(line)
    say("a sentence " * 30)
    assert max(map(len, told)) <= table.WIDTH
    assert any(line.startswith("a figure whose name goes on and on") for line in told)
    assert any(line.startswith("  ") and line.endswith("servers do") for line in told)


# --- Beside another commit ------------------------------------------------------------------------------------------

OTHER = """#!/usr/bin/env python3
import json, pathlib, sys
assert pathlib.Path("run").samefile(__file__), "started in another folder"
words = sys.argv[1:]
if "--help" not in words:
    if words[words.index("bench") + 1] == "card":
        sys.exit("reception: no card here")
    content = json.loads(pathlib.Path(__file__).with_name("figures.json").read_text())
    pathlib.Path(words[words.index("--json") + 1]).write_text(json.dumps(content))
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One whose only commit took twice as long for a visit, and could not measure the card."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "run").write_text(OTHER)
    (folder / "run").chmod(0o755)
    slow = [{**FIGURES["visit"][0], "ms": 60.0, "ratio_to_floor": 2.5}]
    (folder / "figures.json").write_text(json.dumps(benchmarks.as_content({"visit": slow})))
    for words in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "-m", "m"),
    ):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    monkeypatch.setattr(earlier, "_ROOT", folder)
    return folder


def play_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure nothing in processes of this checkout; git and the other commit are real."""
    real, ours = subprocess.run, measured_by()
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **how: (ours if command[0] == sys.executable else real)(command, **how),
    )


def beside(folder: Path, *words: str) -> int:
    return main(["--state", str(folder / "state"), "bench", *words, "--compare", "HEAD"])


def test_a_commit_is_measured_beside_and_leaves_nothing_behind(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play_ours(monkeypatch)
    assert beside(tmp_path, "visit") == 0
    said = capsys.readouterr().out
    assert re.search(r"a visit by pin, pcsc +60 ms +30 ms +2\.00 x +2\.00 x\n", said)
    assert re.search(
        r"Since HEAD of .*, 1 of 1 figures became better by more than\s+25%, and 0 worse\.", said
    )
    listed = subprocess.run(
        ["git", "-C", str(repository), "worktree", "list"], capture_output=True, text=True, check=True
    )
    assert listed.stdout.count("\n") == 1


def test_a_part_that_the_other_commit_cannot_measure_is_told_with_its_last_words(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play_ours(monkeypatch)
    assert beside(tmp_path, "card") == 2
    told = capsys.readouterr()
    assert "card could not be measured in HEAD: reception: no card here" in told.out
    assert told.err == "reception: --compare HEAD: nothing could be measured on both sides\n"


def test_what_is_neither_a_file_nor_a_commit_is_refused_with_one_line(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(tmp_path / "state"), "bench", "visit", "--compare", "no-such"]) == 2
    told = capsys.readouterr().err
    assert told == "reception: --compare no-such: is neither a JSON file nor a commit of this repository\n"


def test_the_moments_of_a_start_are_taken_from_what_the_program_tells() -> None:
    program = "print('first screen', flush=True); print('face engine is ready (opencv)', flush=True); input()"
    came = start.moments([sys.executable, "-c", program], {}, ["first screen", "ready for a face"])
    assert 0 < came["first screen"] <= came["ready for a face"]


def test_a_program_that_ends_early_is_told_with_its_last_words() -> None:
    with pytest.raises(BenchError, match="never came to: first screen; its last words: no display"):
        start.moments([sys.executable, "-c", "print('no display')"], {}, ["first screen"])


@pytest.mark.long
@pytest.mark.parametrize("words", [("ui", "--seconds", "1", "--visits", "3"), ("start", "--rounds", "1")])
def test_windows_and_start_are_measured(words: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [
        sys.executable,
        "-m",
        "reception",
        "--state",
        str(tmp_path),
        "bench",
        *words,
        "--json",
        str(file),
    ]
    subprocess.run(command, check=True, timeout=300, cwd=ROOT)
    content = json.loads(file.read_text())
    assert table.as_rows(content) == table.rows(content["figures"])
