"""The documents, and their tables that come from the code: ``python -m tests.support.reference`` writes these anew.

The matrix is the one page that is not written here, because it holds what came of playing it:
``./run matrix --readme docs/reference/matrix.md``.
"""

import argparse
import ast
import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from itertools import takewhile
from pathlib import Path
from textwrap import dedent
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

from config import HOME, Config, Consents, Profile
from config.person import shipped_people
from consent.choices import (
    EligibilityStatus,
    Item,
    Standing,
    checkup_on,
    confirms,
    may_bundle,
    offers_prescription,
    questions,
    standing,
)
from reception.commands import parser
from reception.flow import State, table
from reception.testing import commands as workshop
from reception.testing.scenarios.scenario import Expect, Scenario
from reception.testing.verbs import BUTTONS, Rule
from reception.texts.failures import FAILURES
from tests.support import ROOT

REFERENCE = ROOT / "docs" / "reference"
CERTIFICATES = 1
"""Certificates of medical subsidies that the patients of the examples have."""


def documents(root: Path) -> list[Path]:
    """Return every Markdown file that is handed on."""
    return sorted(root.glob("*.md")) + [
        path for folder in ("docs", "hardware", "reception") for path in sorted((root / folder).rglob("*.md"))
    ]


def in_markdown(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a table; a bar inside a cell is escaped."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def failure_table() -> str:
    """Every failure: what the patient reads and does next, and what staff can do."""
    return in_markdown(
        ("code", "the patient reads", "staff can do"),
        ((code, f"{words.patient} {words.next_step}", words.staff) for code, words in FAILURES.items()),
    )


def rules_table() -> str:
    """The rules of consent, asked about example patients and facilities."""
    day, some = date(2026, 4, 1), Consents()
    every = Consents(
        diagnosis=True, operation=True, specific_disease=True, medical_subsidy=True, prescription=True
    )
    examples: list[tuple[str, Profile, int, Standing, Consents, EligibilityStatus]] = [
        ("39", "leaflet-2023", 39, Standing.VALID, some, EligibilityStatus.VALID),
        ("40 today", "leaflet-2023", 40, Standing.VALID, some, EligibilityStatus.VALID),
        ("75 today", "leaflet-2023", 75, Standing.VALID, some, EligibilityStatus.VALID),
        ("40, shipped switches", "current", 40, Standing.VALID, some, EligibilityStatus.VALID),
        ("39, every switch on", "current", 39, Standing.VALID, every, EligibilityStatus.VALID),
        ("40, every switch on", "current", 40, Standing.VALID, every, EligibilityStatus.VALID),
        ("40, certificate in its grace", "current", 40, Standing.GRACE, every, EligibilityStatus.VALID),
    ]
    others = [status for status in EligibilityStatus if status is not EligibilityStatus.VALID]
    examples += [
        (f"40, insurance {status}", "current", 40, Standing.VALID, every, status) for status in others
    ]

    def row(
        name: str,
        profile: Profile,
        age: int,
        good_for: Standing,
        facility: Consents,
        status: EligibilityStatus,
    ) -> tuple[str, ...]:
        birth = date(day.year - age, day.month, day.day)
        asked = questions(profile, birth, day, good_for, facility, status, CERTIFICATES)
        words = ", ".join(
            f"{item} ({checkup_on(birth, day)})" if item is Item.HEALTH_CHECKUP else item for item in asked
        )
        bundled = "offered" if may_bundle(profile, asked, facility) else ""
        form = "asked" if offers_prescription(profile, "clinic", facility, status) else ""
        return name, profile, words or "nothing", bundled, form, "goes on" if confirms(status) else "staff"

    head = ("patient", "profile", "asked, in this order", "all at once", "prescription", "visit")
    return in_markdown(head, (row(*example) for example in examples))


def certificate_table() -> str:
    """What a certificate whose last day is 2026-01-15 is good for, day by day."""
    expires = date(2026, 1, 15)
    days = ("2025-10-14", "2025-10-15", "2026-01-15", "2026-01-16", "2026-04-30", "2026-05-01")
    return in_markdown(
        ("visit on", "card", "phone"),
        ((day, *(standing(expires, date.fromisoformat(day), grace) for grace in (3, None))) for day in days),
    )


def people_table() -> str:
    """The people that ship, with the comment that each person file begins with."""

    def row(name: str, path: Path) -> tuple[str, ...]:
        text = path.read_text(encoding="utf-8")
        words = " ".join(
            line.lstrip("# ") for line in takewhile(lambda line: line[:1] == "#", text.splitlines())
        )
        return f"`{name}`", tomllib.loads(text)["card"].get("kind", "standard"), words

    return in_markdown(("person", "card", "for"), (row(*each) for each in shipped_people().items()))


# --- Settings ---------------------------------------------------------------------------------------------------------


def docstrings(kind: type) -> dict[str, str]:
    """Return the words below each attribute of a class, in one line."""
    (tree,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for before, node in zip(tree.body, tree.body[1:], strict=False):
        match before, node:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = " ".join(words.split())
    return found


def plain(words: str) -> str:
    """Return a docstring as Markdown."""
    return words.replace("``", "`")


KINDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
BOUNDS = {"exclusiveMinimum": "above", "minimum": "from", "maximum": "to", "minLength": "length from"}
"""Words of a JSON schema, and ours for them."""


def allowed(schema: dict[str, Any]) -> str:
    """Say in words what a JSON schema of one value allows."""
    if schema.get("type") == "array":
        # Tuples of texts: what one of them may be.
        of = schema.get("items", {})
        return f"list of {allowed(of)}" if of else "list"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    words = [
        {
            "integer": "whole number",
            "number": "number",
            "string": "text",
            "boolean": "true or false",
            "array": "list",
        }[schema["type"]]
    ]
    for key, sign in (
        ("exclusiveMinimum", "above"),
        ("minimum", "from"),
        ("maximum", "to"),
        ("minLength", "length from"),
    ):
        if key in schema:
            words.append(f"{sign} {schema[key]:g}")
    if "pattern" in schema:
        words.append(f"like `{schema['pattern']}`")
    return " ".join(words)


def comments() -> dict[str, str]:
    """Return the comment at the end of each line of the shipped terminal.toml, by table and key."""
    found, table = {}, ""
    for line in (HOME / "terminal.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            table = line[1 : line.index("]")] + "."
        elif match := re.fullmatch(r"(\w+) = .*?\s# (.+)", line):
            found[table + match[1]] = match[2]
    return found


def settings_table() -> str:
    """Every key of terminal.toml: what is allowed, the default, and the words beside it in the code or the file."""
    schema, beside = TypeAdapter(Config).json_schema(), comments()

    def rows(kind: type, properties: dict[str, Any], above: str) -> Iterator[tuple[str, ...]]:
        words, hints = docstrings(kind), get_type_hints(kind)
        for name, about in properties.items():
            if is_dataclass(hints[name]):
                inside = schema["$defs"][hints[name].__name__]
                yield f"**`[{above}{name}]`**", "", "", plain(inside.get("description", ""))
                yield from rows(hints[name], inside["properties"], f"{above}{name}.")
            else:
                default = (
                    str(about["default"]).lower() if about.get("type") == "boolean" else about["default"]
                )
                said = words.get(name) or beside.get(above + name, "")
                yield f"`{name}`", allowed(about), f"`{default}`" if default != "" else '`""`', plain(said)

    return in_markdown(("key", "allowed", "default", ""), rows(Config, schema["properties"], ""))


# --- Scenario files ---------------------------------------------------------------------------------------------------


PLAIN = {bool: "true or false", int: "whole number", float: "number", str: "text", date: "date"}


def written(kind: Any) -> str:
    """Return how a type is written in a scenario file."""
    if kind is State:
        return "a state"
    if get_origin(kind) is tuple:
        return f"list of {written(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "table of " + " = ".join(written(each) for each in get_args(kind))
    alternatives = [each for each in get_args(kind) if each is not type(None)]
    if get_origin(kind) is not None and alternatives and all(isinstance(each, str) for each in alternatives):
        return "one of " + ", ".join(f'`"{each}"`' for each in alternatives)
    if alternatives:
        return " or ".join(written(each) for each in alternatives)
    return PLAIN.get(kind) or str(kind.__name__)


def keys_table(kind: type) -> str:
    """The keys of one table of a scenario file."""
    words, hints = docstrings(kind), get_type_hints(kind)
    elsewhere = {"on", "expect", "config", "do"}
    names = [each.name for each in fields(kind) if each.name not in elsewhere]
    return in_markdown(
        ("key", "value", ""),
        ((f"`{name}`", written(hints[name]), words.get(name, "")) for name in names),
    )


def buttons_list() -> str:
    """What ``press`` can press."""
    return " · ".join(f"`{button}`" for button in BUTTONS)


# --- Commands ---------------------------------------------------------------------------------------------------------


def subcommands(of: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Yield the name of each command below a parser, what it does, and its own parser."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for about in action._choices_actions:
                yield about.dest, about.help or "", action.choices[about.dest]


def usage(action: argparse.Action) -> str:
    """Return how one argument is written."""
    values = (
        "|".join(map(str, action.choices)) if action.choices and not isinstance(action.choices, range) else ""
    )
    value = action.metavar or (f"{values}" if values else action.dest.upper())
    if not action.option_strings:
        return f"`{value}`"
    return f"`{action.option_strings[0]}`" if action.nargs == 0 else f"`{action.option_strings[0]} {value}`"


def command_table() -> str:
    """Every command of ``./run`` with its arguments; what all commands, or all parts of bench, share is said above."""
    common = {"help", "state", "verbose"}
    of_bench = {"json", "compare", "markdown", "only_json"}

    def rows(of: argparse.ArgumentParser, above: str) -> Iterator[tuple[str, ...]]:
        for name, does, each in subcommands(of):
            own = [
                f"{usage(action)} {action.help or ''}".strip()
                for action in each._actions
                if action.dest not in common | (of_bench if above.endswith("bench ") else set())
                and not isinstance(action, argparse._SubParsersAction)
            ]
            yield f"`{above}{name}`", does, "<br>".join(own)
            yield from rows(each, f"{above}{name} ")

    return in_markdown(("command", "does", "arguments"), rows(parser(workshop), "./run "))


@dataclass(frozen=True)
class Generated:
    """A table and the page below docs/reference that it stands in."""

    page: str
    make: Callable[[], str]


GENERATED = {
    "states": Generated("states.md", table),
    "failures": Generated("failures.md", failure_table),
    "rules": Generated("rules.md", rules_table),
    "certificates": Generated("rules.md", certificate_table),
    "people": Generated("people.md", people_table),
    "settings": Generated("settings.md", settings_table),
    "scenario": Generated("scenarios.md", lambda: keys_table(Scenario)),
    "rule": Generated("scenarios.md", lambda: keys_table(Rule)),
    "expect": Generated("scenarios.md", lambda: keys_table(Expect)),
    "buttons": Generated("scenarios.md", buttons_list),
    "commands": Generated("commands.md", command_table),
}


def between(name: str) -> re.Pattern[str]:
    """What stands between a table's two markers, each on a line of its own."""
    return re.compile(rf"(?<=^<!-- {name} -->\n).*?(?=^<!-- /{name} -->$)", re.DOTALL | re.MULTILINE)


def written_anew(text: str, name: str, table: str) -> str:
    """Return a page with one table replaced; raises ValueError where its markers are missing or doubled."""
    found = between(name).findall(text)
    if len(found) != 1:
        raise ValueError(f"<!-- {name} --> must begin exactly one table; found {len(found)}")
    opening = f"<!-- {name} -->\n"
    return text.replace(opening + found[0], f"{opening}\n{table}\n\n")


if __name__ == "__main__":
    for _name, _generated in GENERATED.items():
        _path = REFERENCE / _generated.page
        _path.write_text(
            written_anew(_path.read_text(encoding="utf-8"), _name, _generated.make()), encoding="utf-8"
        )
