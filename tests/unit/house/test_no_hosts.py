"""A checkout must not carry where it was made: no package registry, no folder of somebody's machine."""

import hashlib
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT

REGISTRIES = frozenset(
    {
        "a4aa2ac280bb8d1a",
        "8b5bb5eb9d758455",
        "e680c440a2e92079",
        "a0f007d863a0ed19",
        "0dc11026ac75c015",
        "4db460c55b85212e",
        "ea0d3d5c3c27a0ba",
    }
)
"""Hosts of package registries, each as the beginning of its SHA-256: this file must not name them either."""
HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
# In pieces, for the same reason.
FOLDERS = ("ro" + "ot", "ho" + "me", "Us" + "ers", "wo" + "rk")
MACHINE_PATHS = "|".join(rf"/{folder}/\w" for folder in FOLDERS)
TRACES = re.compile(rf"(?<![\w.}}~])(?:{MACHINE_PATHS})|file:/{{2,}}\w")
LOCK_FILES = (
    "requirements/site.txt",
    "requirements/bench.txt",
    "requirements/constraints.txt",
    "requirements/build-constraints.txt",
    "requirements/tools-constraints.txt",
    "requirements/overrides.txt",
)


@cache
def is_registry(host: str) -> bool:
    """Say whether the host, or a domain that it belongs to, is a package registry."""
    labels = host.split(".")
    domains = (".".join(labels[at:]) for at in range(len(labels) - 1))
    return any(hashlib.sha256(domain.encode()).hexdigest()[:16] in REGISTRIES for domain in domains)


def traces(text: str) -> list[str]:
    """Each line with a trace, with its number."""
    return [
        f"{number}: {line[:160]}"
        for number, line in enumerate(text.splitlines(), 1)
        if TRACES.search(line) or any(map(is_registry, HOST.findall(line.lower())))
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
    for name in (name for name in LOCK_FILES if "overrides" not in name):
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
    "line",
    [
        "~/wo" + "rk/x",
        "docs/wo" + "rk/plan",
        "the ro" + "ot/leaf of a tree",
        "https://example.jp/ho" + "me/",
    ],
)
def test_ordinary_text_is_no_trace(line: str) -> None:
    assert not traces(line)
