"""The counter's words in English, by the Japanese ones; a test compares them with what the pages say."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = ("ja", "en")


class Words:
    """Says a Japanese text in one language; called in templates as ``t``."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "ja"

    def __call__(self, text: str, **values: object) -> str:
        said = text if self.language == "ja" else english().get(text, text)
        return said.format(**values) if values else said


@cache
def english() -> Mapping[str, str]:
    """Return the English of every text."""
    found: dict[str, str] = json.loads((Path(__file__).parent / "english.json").read_text(encoding="utf-8"))
    return found
