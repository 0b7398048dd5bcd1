"""A checkout must not carry where it was made: no package registry, no folder of somebody's machine."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Written in pieces, so that this file does not contain what it looks for.
REGISTRIES = "|".join(
    re.escape(".".join(parts))
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("registry", "npmjs", "org"),
        ("conda", "anaconda", "org"),
        ("pkg", "dev"),
    )
)
FOLDERS = ("ro" + "ot", "ho" + "me", "Us" + "ers", "wo" + "rk")
MACHINE_PATHS = "|".join(rf"/{folder}/\w" for folder in FOLDERS)
TRACES = re.compile(rf"(?:{REGISTRIES})|(?<![\w.}}~])(?:{MACHINE_PATHS})|file:/{{2,}}\w")
LOCK_FILES = ("constraints.txt", "build-constraints.txt", "tools-constraints.txt", "overrides.txt")


def traces(text: str) -> list[str]:
    """Each line with a trace, with its number."""
    return [
        f"{number}: {line[:160]}" for number, line in enumerate(text.splitlines(), 1) if TRACES.search(line)
    ]


def tracked_files() -> list[Path]:
    """What git would hand on; without git, everything outside the folders that tools make."""
    if shutil.which("git") is not None and (ROOT / ".git").exists():
        listing = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True)
        return [ROOT / name for name in os.fsdecode(listing.stdout).split("\0") if name]
    made = {".git", ".venv", "__pycache__", *(path.name for path in ROOT.glob(".*_cache"))}
    files = (path for path in ROOT.rglob("*") if path.is_file())
    return [path for path in files if not made.intersection(path.relative_to(ROOT).parts)]


def test_no_tracked_file_names_a_registry_or_a_machine() -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a picture, a recording, or deleted in the working tree
        found += [f"{path.relative_to(ROOT)}:{line}" for line in traces(text)]
    assert found == []


@pytest.mark.parametrize("name", LOCK_FILES)
def test_lock_files_hold_no_address_at_all(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|--trusted-host|\s@\s", text)


def test_every_pin_has_a_hash() -> None:
    for name in ("constraints.txt", "build-constraints.txt", "tools-constraints.txt"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        pins = [
            number for number, line in enumerate(lines) if "==" in line and not line.startswith((" ", "#"))
        ]
        assert pins
        assert all("--hash=sha256:" in lines[number + 1] for number in pins)


@pytest.mark.parametrize(
    "line",
    [
        "index = https://" + "pypi" + ".org/simple",
        "cd /ho" + "me/someone/checkout",
        'open("/ro' + 'ot/x")',
        "find-links = file://" + "/opt/wheels",
    ],
)
def test_a_planted_trace_is_found(line: str) -> None:
    assert traces(line)


@pytest.mark.parametrize(
    "line", ["~/work/x", "docs/work/plan", "the root/leaf of a tree", "https://example.jp/home/"]
)
def test_ordinary_text_is_no_trace(line: str) -> None:
    assert not traces(line)
