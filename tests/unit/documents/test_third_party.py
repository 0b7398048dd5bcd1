"""What others made is listed in THIRD_PARTY.md, with its licence."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support import ROOT

PAGE = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
SHIPPED = ("config", "hardware", "consent", "reception", "docs", "examples", "packaging")
OURS = {".html", ".js", ".py", ".typed", ".md", ".toml", ".po", ".css", ".c", ".yml", ".rules", ".service"}
"""Text that is written here; everything else needs an entry, wherever it lies."""


def section(title: str) -> str:
    """Return the text below a heading, up to the next one of that depth or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[2]


def rows(text: str) -> dict[str, str]:
    """Return the first cell of each row of a section's tables, with the last one."""
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return {row[0].strip(" `"): row[-1].strip() for row in cells if set(row[0]) - set("- ")}


FILES = rows(section("Files in this repository"))


def shipped(root: Path) -> list[str]:
    """Return what is redistributed and was not written here, by its path below ``root``."""
    files = (path for folder in SHIPPED for path in sorted((root / folder).rglob("*")) if path.is_file())
    return [
        path.relative_to(root).as_posix()
        for path in files
        if path.suffix not in OURS and "__pycache__" not in path.parts
    ]


def without_entry(root: Path) -> list[str]:
    """Return each of these files that no entry names."""
    return [name for name in shipped(root) if not any(fnmatch(name, pattern) for pattern in FILES)]


def test_every_redistributed_file_has_an_entry_with_a_licence() -> None:
    assert without_entry(ROOT) == []
    assert all(FILES.values())


def test_no_entry_is_about_a_file_that_is_gone() -> None:
    there = shipped(ROOT)
    entries = [pattern for pattern in FILES if pattern != "file"]
    assert entries
    assert [pattern for pattern in entries if not any(fnmatch(name, pattern) for name in there)] == []


@pytest.mark.parametrize(
    "name",
    [
        "hardware/simulation/portraits/somebody.jpg",
        "reception/speech/recordings/0123456789abcdef.wav",
        "hardware/face/engine/other.dat",
        "reception/patient/letters.ttf",
    ],
)
def test_a_planted_file_without_an_entry_is_found(tmp_path: Path, name: str) -> None:
    planted = tmp_path / name
    planted.parent.mkdir(parents=True)
    planted.write_bytes(b"\0")
    assert without_entry(tmp_path) == [name]


def test_the_packages_are_those_that_are_pinned() -> None:
    lines = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0] for line in lines if re.match(r"[\w.-]+==", line)}
    listed = rows(section("Python packages"))
    listed.pop("package")
    assert sorted(listed) == sorted(pinned)
    assert all(listed.values())
