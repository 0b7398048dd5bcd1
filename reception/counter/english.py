"""The counter's words in English, by the Japanese ones; a test compares them with what the pages say."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from reception.texts import catalogue

LANGUAGES = ("ja", "en")


class Words:
    """Says a Japanese text in one language; called in templates as ``t``."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "ja"

    def __call__(self, text: str, **values: object) -> str:
        said = text if self.language == "ja" else _in_english(text)
        return said.format(**values) if values else said


JAPANESE = Words("ja")


def _in_english(text: str) -> str:
    """Return the counter's own words, or those that the patient reads; the Japanese ones where there are none."""
    own = english().get(text)
    if own is not None:
        return own
    patients = catalogue("en", "clinic")
    sentence = f"{text}。"
    told = patients(sentence)
    # Of a failure the counter says the first sentence without its stop.
    return told.rstrip(".") if told != sentence else patients(text)


@cache
def english() -> Mapping[str, str]:
    """Return the English of every text."""
    found: dict[str, str] = json.loads((Path(__file__).parent / "english.json").read_text(encoding="utf-8"))
    return found
