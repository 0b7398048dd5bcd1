"""README's generated tables say what the code says. ``python -m tests.test_readme`` writes them anew."""

import re
from pathlib import Path

import pytest

from reception.failures import FAILURES
from reception.flow import table

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def failure_table() -> str:
    lines = ["| code | the patient reads | staff can do |", "|---|---|---|"]
    for code, words in FAILURES.items():
        lines.append(f"| {code} | {words.patient} {words.next_step} | {words.staff} |")
    return "\n".join(lines)


GENERATED = {"states": table, "failures": failure_table}


def between(name: str) -> re.Pattern[str]:
    """What stands between a table's two markers, each on a line of its own."""
    return re.compile(rf"(?<=^<!-- {name} -->\n).*?(?=^<!-- /{name} -->$)", re.DOTALL | re.MULTILINE)


def written_anew(text: str) -> str:
    for name, make in GENERATED.items():
        found = between(name).findall(text)
        if len(found) != 1:
            raise ValueError(f"README.md: <!-- {name} --> must begin exactly one table; found {len(found)}")
        opening = f"<!-- {name} -->\n"
        text = text.replace(opening + found[0], f"{opening}\n{make()}\n\n")
    return text


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_table_is_what_the_code_says(name: str) -> None:
    found = between(name).findall(README.read_text(encoding="utf-8"))
    assert [text.strip() for text in found] == [GENERATED[name]()], "run: python -m tests.test_readme"


def test_an_outdated_table_is_written_anew() -> None:
    text = README.read_text(encoding="utf-8")
    assert written_anew(between("states").sub("\n| old |\n", text)) == text


def test_a_missing_marker_is_told() -> None:
    with pytest.raises(ValueError, match="states"):
        written_anew("# nothing generated here\n")


def test_every_link_into_the_checkout_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


if __name__ == "__main__":
    README.write_text(written_anew(README.read_text(encoding="utf-8")), encoding="utf-8")
