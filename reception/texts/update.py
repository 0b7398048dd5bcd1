"""Bring the catalogues up to date: ``python -m reception.texts.update``; only for who changes a text.

Finds every text in the source, keeps the translations that there are, drops those that nothing asks for any more, and
compiles. Babel is needed, which the tests bring. What is compiled is committed: a terminal, a wheel and a checkout read
the same files and need no build step.
"""

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from reception.texts import CATALOGUES, LANGUAGES

TRANSLATED = tuple(language for language in LANGUAGES if language != "ja")
SOURCE = Path(__file__).resolve().parents[1]
DATE = datetime(2026, 1, 1, tzinfo=UTC)
_FILES = [("counter/**.py", "ignore"), ("testing/**.py", "ignore"), ("**.py", "python")]
"""Where texts of the patient stand; the counter has a list of its own (reception/counter/english.json)."""
KEYWORDS = {"N_": None, "t": None, "_t": None}
"""The calls whose first argument is a text."""


def texts() -> Iterator[str]:
    """Yield every text of the source, in its order, once."""
    found = extract_from_dir(SOURCE, _FILES, keywords=KEYWORDS)
    yield from dict.fromkeys(str(message) for _, _, message, _, _ in found)


def read(language: str) -> Catalog:
    """Return a language's catalogue as its translators left it."""
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file)


def compiled(catalogue: Catalog) -> bytes:
    """Return what a terminal reads."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def updated(language: str, translations: dict[str, str]) -> Catalog:
    """Return the catalogue of a language with every text, and the translations that are known."""
    # One date and no names: the file changes only when a text does.
    catalogue = Catalog(
        project="reception-terminal",
        version="1",
        header_comment="# What a patient reads and hears. Not official, and checked by no native speaker.",
        creation_date=DATE,
        revision_date=DATE,
        last_translator="none",
        language_team=LANGUAGES[language],
        msgid_bugs_address="none",
        fuzzy=False,
    )
    for text in texts():
        catalogue.add(text, translations.get(text, ""), flags=["python-brace-format"] if "{" in text else [])
    return catalogue


def main() -> int:
    """Write every catalogue anew and say how much is missing."""
    for language in TRANSLATED:
        path = CATALOGUES / f"{language}.po"
        known = {str(one.id): str(one.string) for one in read(language) if one.id} if path.exists() else {}
        catalogue = updated(language, known)
        with path.open("wb") as file:
            write_po(file, catalogue, width=0)
        path.with_suffix(".mo").write_bytes(compiled(read(language)))
        missing = sum(not one.string for one in catalogue if one.id)
        print(f"{language}: {len(catalogue)} texts, {missing} without translation")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
