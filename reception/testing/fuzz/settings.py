"""Long fuzzing of what people write: settings, people and scenarios, for ``./run fuzz settings``.

Whatever stands in such a file, it is taken, or one clear line says what is wrong with it.
"""

import random
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import config
from config import ConfigError
from config.person import load_person, shipped_people
from reception.testing.fuzz import FuzzReport
from reception.testing.scenarios.scenario import load as load_scenario

LONGEST_LINE = 2000
_SCENARIO = """\
title = "face fails, PIN works"
today = 2026-04-01
person = "age45"
profile = "leaflet-2023"
on = [
  {state = "METHOD_CHOICE", do = "choose_face"},
  {state = "METHOD_CHOICE", visit = 2, do = "choose_pin"},
  {state = "PIN_ENTRY", do = "type_pin", value = "card"},
  {state = "CONSENT", do = "answer", item = "MEDICATION", value = "given"},
  {state = "TAKE_CARD", do = "remove_card"},
]
[config.delays]
question_s = 5.0
[expect]
end = "WAITING"
completed = true
states = ["READING", "CONSENT"]
consents = {MEDICATION = "given"}
within_s = 20
"""
_VALUES = (
    b"9" * 5000,
    b"-1",
    b"0x" + b"f" * 4000,
    b"1e-9",
    b"1e999",
    b"nan",
    b"inf",
    b"true",
    b'""',
    b'"\\u0000"',
    b'"a\\u0000b.toml"',
    b'"/dev/zero"',
    b'"../../../../etc/passwd"',
    b'"\\ud800"',
    b'"' + b"x" * 20_000 + b'"',
    b"[" * 2000 + b"]" * 2000,
    b"{a=" * 500 + b"1" + b"}" * 500,
    b"[]",
    b"{}",
    b"2026-13-01",
    b"9999-12-31",
    b"0001-01-01",
    b"2026-04-01T00:00:00+99:00",
    b"'''" + b"\n" * 300 + b"'''",
    '"山田\u2028\x1b[31m"'.encode(),
)
_LINES = (
    b"[a.b.c]",
    b"[[on]]",
    b"id = 1",
    b"more = 1",
    b'"\\u0000" = 1',
    b"[config]",
    b"on = 1",
    b"\xff\xfe",
    b"=",
)


def fuzz_settings(seconds: float, seed: int, inputs: int | None = None) -> FuzzReport:
    """Mutate settings, people and scenarios until the time or the number of files is used up."""
    # Repeatable, not secret.
    chance = random.Random(seed)  # noqa: S311
    deadline, count = time.monotonic() + seconds, 0
    memory = Path("/dev/shm")  # noqa: S108
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        targets = _targets(Path(folder))
        while time.monotonic() < deadline and count != inputs:
            path, original, read = chance.choice(targets)
            path.write_bytes(_mutated(chance, original))
            mistake = _mistake_of(read, path)
            if mistake:
                return FuzzReport(count, seed, f"{mistake} on {path.read_bytes()[:3000]!r}")
            count += 1
    return FuzzReport(count, seed)


def _targets(folder: Path) -> list[tuple[Path, bytes, Callable[[Path], object]]]:
    """Return files of each kind, as they should be, and what reads them."""
    settings = _without_comments((config.HOME / "terminal.toml").read_bytes())
    people = [_without_comments(path.read_bytes()) for path in list(shipped_people().values())[:6]]
    scenario = folder / "scenario.toml"
    return [
        *[(folder / "terminal.toml", settings, config.load)] * 4,
        *[(folder / "person.toml", each, lambda path: load_person(str(path))) for each in people],
        *[(scenario, _SCENARIO.encode(), lambda path: load_scenario(path, folder))] * 4,
        # A scenario whose person is the file that was mutated last.
        (
            scenario,
            _SCENARIO.replace("age45", "person.toml").encode(),
            lambda path: load_scenario(path, folder),
        ),
    ]


def _without_comments(text: bytes) -> bytes:
    return b"\n".join(line for line in text.splitlines() if line and not line.startswith(b"#")) + b"\n"


def _mutated(chance: random.Random, original: bytes) -> bytes:
    lines = original.splitlines()
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(lines))
        key, equals, _ = lines[at].partition(b"=")
        match chance.randrange(7):
            case 0 | 1 | 2 if equals:
                lines[at] = key + b"= " + chance.choice(_VALUES)
            case 3:
                lines.insert(at, chance.choice(_LINES))
            case 4:
                lines[at] = b""
            case 5:
                lines.insert(at, chance.choice(lines))
            case _:
                changed = bytearray(lines[at] or b"x")
                changed[chance.randrange(len(changed))] = chance.randrange(256)
                lines[at] = bytes(changed)
    return b"\n".join(lines) + b"\n"


def _mistake_of(read: Callable[[Path], object], path: Path) -> str:
    """Return what is wrong with how a file was read; empty when it was taken, or refused in clear lines."""
    try:
        read(path)
    except ConfigError as error:
        for line in str(error).split("\n"):
            if str(path.parent) not in line:
                return f"names no file: {line}"
            if not all(each.isprintable() for each in line):
                return f"not one line: {line!r}"
            if len(line) > LONGEST_LINE:
                return f"a line of {len(line)} characters"
    except Exception as error:
        return f"raised {error!r}"
    return ""
