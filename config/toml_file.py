"""TOML files read strictly: a mistake is reported with its file, line, key, value and what is allowed."""

import copy
import json
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

T = TypeVar("T")

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
"""Pydantic settings of every dataclass that is read from a file: no coercion, no unknown key."""

Key = tuple[str | int, ...]


class ConfigError(Exception):
    """A file that cannot be used; ``str()`` is the one line that is shown to a person."""


class TomlFile:
    """One TOML file with its text kept, so that a mistake can be traced back to its line."""

    def __init__(self, path: Path, text: str, data: dict[str, Any]) -> None:
        self.path = path
        self.text = text
        self.data = data

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, or raise ConfigError that names it."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: is not UTF-8 text") from None
        try:
            return cls(path, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from None

    def parse(
        self,
        kind: type[T],
        data: dict[str, Any] | None = None,
        at: Key = (),
        check: Callable[[T], Iterable[tuple[Key, str]]] | None = None,
    ) -> T:
        """Return the table as ``kind``, or raise ConfigError with every mistake in it, a line for each.

        ``data`` stands for the whole file unless given; ``at`` is where in the file it stands. ``check`` names what
        is wrong with the whole (key, words), and is asked also when single keys are wrong.
        """
        table = self.data if data is None else data
        value, wrong = _read(table, kind)
        if check:
            if value is None:
                value = _read(_without(table, wrong), kind)[0]
            wrong = {**dict(check(value)), **wrong} if value is not None else wrong
        if wrong or value is None:
            raise self.mistakes({at + key: words for key, words in wrong.items()})
        return value

    def mistakes(self, wrong: dict[Key, str]) -> ConfigError:
        """Return the error for several keys of this file, in the order of its lines."""
        in_order = sorted(wrong.items(), key=lambda one: self.line_of(one[0]) or 0)
        return ConfigError("\n".join(str(self.mistake(key, words)) for key, words in in_order))

    def mistake(self, key: Key, what: str) -> ConfigError:
        """Return the error for one key of this file, with its line where that can be told."""
        line = self.line_of(key)
        where = f"{self.path}:{line}" if line else str(self.path)
        return ConfigError(f"{where}: {_dotted(key)}: {what}" if key else f"{where}: {what}")

    def line_of(self, key: Key) -> int | None:
        """Return the line (from 1) on which a key's value begins to exist, or None when it is not in the file.

        tomllib keeps no positions. A key stands on the line at which the text up to there first parses with the
        key in it; an array still open there is closed for the look.
        """
        lines = self.text.splitlines()
        for shorter in range(len(key), 0, -1):
            for count in range(1, len(lines) + 1):
                head = "\n".join(lines[:count])
                if any(_has(attempt, key[:shorter]) for attempt in (head, head + "\n]")):
                    return count
        return None


def _read(table: dict[str, Any], kind: type[T]) -> tuple[T | None, dict[Key, str]]:
    """Return the value, or what is wrong with it by key."""
    # By way of JSON: there, pydantic's strict mode takes tables for dataclasses and words for enums.
    try:
        return TypeAdapter(kind).validate_json(json.dumps(table, default=str)), {}
    except ValidationError as error:
        wrong: dict[Key, str] = {}
        for one in error.errors(include_url=False):
            key = tuple(part for part in one["loc"] if not str(part).startswith("function-"))
            wrong.setdefault(key, _in_words(one))
        return None, wrong


def _without(table: dict[str, Any], wrong: Iterable[Key]) -> dict[str, Any]:
    """Return the table without the keys that are wrong, as far as they are in it."""
    left = copy.deepcopy(table)
    for key in sorted(wrong, key=str, reverse=True):
        inside: Any = left
        try:
            for part in key[:-1]:
                inside = inside[part]
            del inside[key[-1]]
        except (KeyError, IndexError, TypeError):
            continue
    return left


def _has(text: str, key: Key) -> bool:
    try:
        value: Any = tomllib.loads(text)
        for part in key:
            value = value[part]
    except (tomllib.TOMLDecodeError, KeyError, IndexError, TypeError):
        return False
    return True


def _dotted(key: Key) -> str:
    """Return ``a.b[2].c``; list items are counted from 1, as people do."""
    words = ""
    for part in key:
        words += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if words else part
    return words


def _in_words(error: Any) -> str:
    """Say one pydantic error in words a clinic's technician understands."""
    kind, given = error["type"], error["input"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return "is not a known key"
    if kind in ("missing", "missing_argument"):
        return "is missing"
    if kind == "value_error":
        if isinstance(given, dict):
            return str(error["ctx"]["error"])
        return f"{_shown(given)} is not allowed: {error['ctx']['error']}"
    rule = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{_shown(given)} is not allowed: should be {rule}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
