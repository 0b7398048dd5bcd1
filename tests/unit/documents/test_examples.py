"""Examples in the documents do what the documents say."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reception.commands import parser
from reception.testing import commands as workshop
from reception.testing import scenarios
from tests.support import ROOT, SCENARIO_FOLDER
from tests.support.reference import documents, subcommands

GUIDE = ROOT / "docs" / "guide"
LIBRARY = ("library-card.md", "library-receipt-files.md", "library-choices.md")
BLOCK = re.compile(r"^<!-- runnable(?:: (\w+))? -->\n```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
"""A fenced block with this comment above it; the word says how it is run, none: by Python."""


def runnable(page: Path, how: str = "") -> list[str]:
    """Return the examples of a page that are run in one way."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [code for kind, _, code in blocks if kind == how]


def promised(page: Path) -> str:
    """Return the output that the page shows for its first example; empty where it shows none."""
    found = re.search(
        r"^It prints:\n\n```text\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return found[1] if found else ""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code as a program of its own, in an empty folder."""
    (folder / "example.py").write_text(code, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "example.py"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if runnable(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_and_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    ran = run("".join(runnable(page)), tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(promised(page))


def test_every_library_page_has_an_example_that_is_run_and_shows_what_it_prints() -> None:
    assert {page.name for page in PAGES} >= set(LIBRARY)
    assert all(promised(GUIDE / name) for name in LIBRARY)


def test_an_example_that_does_not_run_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- runnable -->\n```python\nimport hardware.no_such_module\n```\n", encoding="utf-8")
    (example,) = runnable(page)
    assert "no_such_module" in run(example, tmp_path).stderr


def test_the_scenario_in_the_guide_is_the_one_that_ships(tmp_path: Path) -> None:
    (text,) = runnable(GUIDE / "test-your-own-software.md", "scenario")
    example = tmp_path / "example.toml"
    example.write_text(text, encoding="utf-8")
    state = tmp_path / "state"
    shown, ships = (
        scenarios.load(path, state) for path in (example, SCENARIO_FOLDER / "other_face_then_pin.toml")
    )
    assert shown.scenario == ships.scenario


def test_the_tests_in_readme_and_guide_run_with_the_plugin(tmp_path: Path) -> None:
    for number, page in enumerate((ROOT / "README.md", GUIDE / "test-your-own-software.md")):
        (text,) = runnable(page, "pytest")
        (tmp_path / f"test_example_{number}.py").write_text(text, encoding="utf-8")
    (tmp_path / "scenarios").mkdir()
    shutil.copy(SCENARIO_FOLDER / "pin_right.toml", tmp_path / "scenarios")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    plugins = (
        "-p",
        "reception_pytest",
        "-p",
        "no:randomly",
        "-p",
        "no:schemathesis",
        "-p",
        "no:cacheprovider",
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, "--reception-bench", "simulated"],
        cwd=tmp_path,
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert "3 passed" in ran.stdout, ran.stdout + ran.stderr


def named_commands(text: str) -> list[tuple[str, list[str]]]:
    """Return each command of ``./run`` that a text names, with the options beside it."""
    found = re.findall(r"\./run ([a-z][a-z-]*)([^`\n#]*)", text)
    return [(command, re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest)) for command, rest in found]


def options(of: argparse.ArgumentParser) -> set[str]:
    """Return the options of a command, those of its parts too."""
    own = {option for action in of._actions for option in action.option_strings}
    return own.union(*(options(part) for _, _, part in subcommands(of)))


def unknown(text: str) -> list[str]:
    """Return the commands and options that a text names and ``./run`` does not know."""
    known = {name: options(each) for name, _, each in subcommands(parser(workshop))}
    return [
        f"./run {command} {option}"
        for command, given in named_commands(text)
        for option in given or [""]
        if command != "test"
        and option not in known.get(command, set()) | ({""} if command in known else set())
    ]


@pytest.mark.parametrize("page", documents(ROOT), ids=lambda page: page.stem)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    assert unknown(page.read_text(encoding="utf-8")) == []


def test_a_command_or_an_option_that_is_gone_is_found() -> None:
    assert unknown("`./run hil x.toml --no-such` and `./run gone`") == ["./run hil --no-such", "./run gone "]
