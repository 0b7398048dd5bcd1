"""The flow knows no clock, thread, file or socket: it imports nothing that could give it one."""

import ast
from pathlib import Path

from reception import flow

ALLOWED = ("collections.abc", "dataclasses", "enum", "typing", "config", "consent.choices", "reception.flow")


def imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def strange(source: str) -> set[str]:
    return {
        name for name in imported(source) if name not in ALLOWED and not name.startswith("reception.flow.")
    }


def test_the_flow_imports_nothing_that_knows_the_outside() -> None:
    files = sorted(Path(flow.__file__).parent.glob("*.py"))
    assert len(files) > 5
    assert {file.name: strange(file.read_text(encoding="utf-8")) for file in files} == {
        file.name: set() for file in files
    }


def test_a_clock_in_the_flow_would_be_seen() -> None:
    assert strange("import time\nfrom threading import Lock\nfrom enum import Enum\n") == {
        "time",
        "threading",
    }
