"""TOML files read strictly: a mistake is reported with its file, line, key, value and what is allowed."""

import copy
import json
import os
import stat
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

T = TypeVar("T")

LONGEST_LINE = 1000
LARGEST_BYTES = 512 * 1024
MOST_LINES = 2000
"""Of a longer file, the line of a mistake is not looked for: that takes the square of its length."""

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
"""Pydantic settings of every dataclass that is read from a file: no coercion, no unknown key."""

Key = tuple[str | int, ...]


class ConfigError(Exception):
    """A file that cannot be used; ``str()`` is what is shown to a person, a line for each mistake.

    A file may bring anything into its own error: control characters, a text without end. Each line is kept clear of it.
    """

    def __init__(self, words: str) -> None:
        super().__init__("\n".join(map(_clear, words.split("\n"))))


class TomlFile:
    """One TOML file with its text kept, so that a mistake can be traced back to its line."""

    def __init__(self, path: Path, text: str, data: dict[str, Any]) -> None:
        self.path = path
        self.text = text
        self.data = data

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, or raise ConfigError that names it."""
        text = _text_of(path)
        try:
            data = tomllib.loads(text)
            # An integer may have more digits than Python takes, or writes.
            json.dumps(data, default=str)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from None
        except RecursionError:
            raise ConfigError(f"{path}: is nested too deeply") from None
        except ValueError:
            raise ConfigError(f"{path}: holds a number with too many digits, or no date at all") from None
        file = cls(path, text, data)
        key = _nul_in(data)
        if key is not None:
            raise file.mistake(key, "must not hold the character NUL")
        return file

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
        told = f"{where}: {_dotted(key)}: {what}" if key else f"{where}: {what}"
        return ConfigError(told.replace("\n", "; "))

    def line_of(self, key: Key) -> int | None:
        """Return the line (from 1) on which a key's value begins to exist, or None when it is not in the file.

        tomllib keeps no positions. A key stands on the line at which the text up to there first parses with the
        key in it; an array still open there is closed for the look.
        """
        lines = self.text.splitlines()
        if len(lines) > MOST_LINES:
            return None
        for shorter in range(len(key), 0, -1):
            name = str(key[shorter - 1])
            named = [count for count in range(1, len(lines) + 1) if name in lines[count - 1]]
            for count in named if isinstance(key[shorter - 1], str) else range(1, len(lines) + 1):
                head = "\n".join(lines[:count])
                if any(_has(attempt, key[:shorter]) for attempt in (head, head + "\n]")):
                    return count
        return None


def _read(table: dict[str, Any], kind: type[T]) -> tuple[T | None, dict[Key, str]]:
    """Return the value, or what is wrong with it by key."""
    # By way of JSON: there, pydantic's strict mode takes tables for dataclasses and words for enums.
    try:
        return TypeAdapter(kind).validate_json(json.dumps(table, default=str)), {}
    except RecursionError:
        return None, {(): "is nested too deeply"}
    except ValidationError as error:
        wrong: dict[Key, str] = {}
        for one in error.errors(include_url=False):
            key = tuple(part for part in one["loc"] if not str(part).startswith("function-"))
            wrong.setdefault(_as_written(table, key), _in_words(one))
        return None, wrong


def _as_written(table: dict[str, Any], key: Key) -> Key:
    """Return the key without what pydantic adds to it: each kind that a value might have had is told by itself."""
    inside: Any = table
    for depth, part in enumerate(key):
        if not isinstance(inside, dict | list):
            return key[:depth]
        try:
            inside = cast(Any, inside)[part]
        except (KeyError, IndexError, TypeError):
            return key  # what is missing in it is told by its whole name
    return key


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
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return False
    return True


def read_whole(path: Path, largest: int) -> bytes:
    """Return the content of a regular file that a site names, at most so many bytes; raises ConfigError."""
    try:
        # Not blocking: a pipe of that name may never have anything for us, and a device no end.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            told = os.fstat(file.fileno())
            if not stat.S_ISREG(told.st_mode):
                raise ConfigError(f"{path}: is no file")
            # No more is asked for than there is: a terminal fills all memory that it asks for, which of megabytes
            # takes longer than to read a small file.
            content = file.read(min(told.st_size, largest) + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise ConfigError(f"{str(path)!r}: is no name of a file") from None
    if len(content) > largest:
        raise ConfigError(f"{path}: is larger than {largest // 1024} KB")
    return content


def _text_of(path: Path) -> str:
    content = read_whole(path, LARGEST_BYTES)
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None


def _nul_in(value: object, key: Key = ()) -> Key | None:
    """Return the key of a text with NUL in it, which no path may hold; None: there is none."""
    if isinstance(value, str):
        return key if "\0" in value else None
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inside in parts:
        named = (*key, part)
        if isinstance(part, str) and "\0" in part:
            return key
        found = _nul_in(inside, named)
        if found is not None:
            return found
    return None


def _clear(line: str) -> str:
    """Return a line without the control characters that a file's own text may bring into it, and not too long."""
    line = "".join(each if each.isprintable() else "?" for each in line)
    return (
        line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE // 2]} … {line[-LONGEST_LINE // 2 :]}"
    )


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
