"""Finds people by the numbers of their insurance, compared as real readers do; pure.

Width, blanks and the kind of dash do not count, nor zeros in front of an insurer's number or of one of the late-stage
elderly. A branch number that is left out fits any.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from config.insurance import LATE_ELDERLY, Qualification
from config.person import Person
from consent.wire import InsuredRequest

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−ー－ｰ─"), "-")


@dataclass
class Found:
    """A person, and those of their qualifications that fit."""

    person: Person
    fitting: list[Qualification] = field(default_factory=list)


class ByNumber:
    """The qualifications of many people by number; made anew whenever the people may have changed."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._known: dict[tuple[str, str, str], list[tuple[Person, Qualification]]] = {}
        for person in people:
            for one in person.insurance.known(person.birth_date):
                key = _key(one.insurer_number, one.symbol, one.number)
                self._known.setdefault(key, []).append((person, one))

    def find(self, request: InsuredRequest) -> list[Found]:
        """Return whom the numbers fit."""
        found: dict[int, Found] = {}
        key = _key(request.insurer_number, request.symbol, request.number)
        for person, one in self._known.get(key, ()):
            if request.branch in ("", one.branch) and request.birth_date in (None, person.birth_date):
                found.setdefault(id(person), Found(person)).fitting.append(one)
        return list(found.values())


def plain(text: str) -> str:
    """Return a symbol or number for comparison."""
    folded = unicodedata.normalize("NFKC", text).translate(_DASHES).casefold()
    return "".join(folded.split())


def _key(insurer: str, symbol: str, number: str) -> tuple[str, str, str]:
    insurer = insurer.strip()
    late = len(insurer) == 8 and insurer.startswith(LATE_ELDERLY)
    told = plain(number)
    return insurer.lstrip("0"), plain(symbol), told.lstrip("0") if late else told
