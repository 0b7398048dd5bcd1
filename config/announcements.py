"""Dated lines for the patient's window: a campaign of its day, this year's renewals, a clinic's own news."""

from collections.abc import Sequence
from dataclasses import field
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from config import HOME
from config.toml_file import STRICT, TomlFile

Place = Literal["welcome", "registered", "expiring", "complete"]


@dataclass(frozen=True, config=STRICT)
class Announcement:
    """One line, on one page, from one day to another."""

    place: Place
    text: Annotated[str, Field(min_length=1, max_length=120)]
    source: Annotated[str, Field(min_length=1, max_length=300)]
    """Who says so; for whoever looks after the file."""
    begins: date
    until: date
    qr: Annotated[str, Field(pattern=r"^(https://[!-~]{4,200})?$")] = ""
    """Address of a page with more, shown as a QR code."""

    def holds(self, place: Place, day: date) -> bool:
        """Say whether it is shown there on a day."""
        return self.place == place and self.begins <= day <= self.until


@dataclass(frozen=True, config=STRICT)
class _File:
    announcement: tuple[Announcement, ...] = field(default_factory=tuple)


def load_announcements(path: Path | None = None) -> tuple[Announcement, ...]:
    """Read a file of announcements, the shipped one by default. Raises ConfigError with file, line and key."""
    file = TomlFile.read(path or HOME / "announcements.toml")
    data = dict(file.data)
    # ``from`` is a word of the language here.
    lines = data.get("announcement", [])
    if isinstance(lines, list):
        data["announcement"] = [_renamed(line) for line in lines]
    read = file.parse(_File, data)
    for number, line in enumerate(read.announcement):
        if line.until < line.begins:
            raise file.mistake(("announcement", number, "until"), "is before from")
    return read.announcement


def shown(announcements: Sequence[Announcement], place: Place, day: date) -> Announcement | None:
    """Return what is shown at a place on a day; of several the first one in the file."""
    return next((each for each in announcements if each.holds(place, day)), None)


def _renamed(line: object) -> object:
    if not isinstance(line, dict):
        return line
    return {("begins" if key == "from" else key): value for key, value in line.items()}
