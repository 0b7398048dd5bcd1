"""The pages of docs/reference say what the code says."""

import re
from typing import get_args

import pytest

from reception.testing import matrix
from reception.testing.matrix.table import legend
from reception.testing.verbs import Verb
from tests.support.reference import GENERATED, REFERENCE, between, written_anew


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_table_is_what_the_code_says(name: str) -> None:
    page = (REFERENCE / GENERATED[name].page).read_text(encoding="utf-8")
    found = [text.strip() for text in between(name).findall(page)]
    assert found == [GENERATED[name].make().strip()], "run: python -m tests.support.reference"


def test_an_outdated_table_is_written_anew() -> None:
    page = (REFERENCE / "states.md").read_text(encoding="utf-8")
    outdated = between("states").sub("\n| old |\n", page)
    assert written_anew(outdated, "states", GENERATED["states"].make()) == page


def test_a_missing_marker_is_told() -> None:
    with pytest.raises(ValueError, match="states"):
        written_anew("# nothing generated here\n", "states", "")


def test_a_verb_of_scenarios_without_a_row_is_found() -> None:
    page = (REFERENCE / "scenarios.md").read_text(encoding="utf-8")
    rows = page.partition("## Verbs")[2].partition("\n## ")[0]
    described = [
        verb
        for cell in re.findall(r"^\| (`[^|]+) \|", rows, re.MULTILINE)
        for verb in re.findall(r"`(\w+)`", cell)
    ]
    assert sorted(described) == sorted(get_args(Verb))


def test_the_matrix_page_shows_what_the_rules_say_and_how_many_cells_were_played() -> None:
    [text] = between("matrix").findall((REFERENCE / "matrix.md").read_text(encoding="utf-8"))
    assert matrix.grid() in text, "run: ./run matrix --readme docs/reference/matrix.md, and with --bench pcsc"
    assert legend() in text
    for kind in get_args(matrix.Kind):
        count = len(matrix.cells(kind))
        assert re.search(
            f"- `{kind}`: {count} cells played in [0-9]+ s, all came to what the rules say", text
        )
