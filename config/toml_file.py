"""TOML files read strictly: a mistake is reported with its file, line, key, value and what is allowed."""

import json
import tomllib
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

    def parse(self, kind: type[T], data: dict[str, Any] | None = None, at: Key = ()) -> T:
        """Return the table as ``kind``, or raise ConfigError for its first mistake.

        ``data`` stands for the whole file unless given; ``at`` is where in the file it stands.
        """
        # By way of JSON: there, pydantic's strict mode takes tables for dataclasses and words for enums.
        table = json.dumps(self.data if data is None else data, default=str)
        try:
            return TypeAdapter(kind).validate_json(table)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = at + tuple(part for part in first["loc"] if not str(part).startswith("function-"))
            raise self.mistake(key, _in_words(first)) from None

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
