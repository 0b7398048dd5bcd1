"""Dated lines: shown on their days and pages, and refused with file and line when they cannot be read."""

from datetime import date
from pathlib import Path

import pytest

from config import ConfigError
from config.announcements import load_announcements, shown


def test_the_campaign_of_2023_is_shown_until_its_last_day_and_never_after() -> None:
    lines = load_announcements()
    last = shown(lines, "registered", date(2023, 9, 30))
    assert last is not None
    assert "施策②" in last.text
    assert shown(lines, "registered", date(2023, 10, 1)) is None
    assert shown(lines, "complete", date(2023, 9, 30)) is None


def test_this_years_renewals_are_shown_with_a_code() -> None:
    line = shown(load_announcements(), "expiring", date(2026, 11, 29))
    assert line is not None
    assert line.qr.startswith("https://")


def test_a_clinic_adds_its_own_line(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[announcement]]\nplace = "welcome"\ntext = "休診のお知らせ"\nfrom = 2026-01-01\nuntil = 2026-01-03\n'
        'source = "院長"\n',
        encoding="utf-8",
    )
    line = shown(load_announcements(own), "welcome", date(2026, 1, 2))
    assert line is not None
    assert line.text == "休診のお知らせ"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('place = "door"\ntext = "a"\nfrom = 2026-01-01\nuntil = 2026-01-03\nsource = "b"\n', "place"),
        (
            'place = "welcome"\ntext = "a"\nfrom = 2026-01-03\nuntil = 2026-01-01\nsource = "b"\n',
            "before from",
        ),
        ('place = "welcome"\ntext = "a"\nfrom = 2026-01-01\nuntil = 2026-01-03\n', "source"),
        (
            'place = "welcome"\ntext = "a"\nfrom = 2026-01-01\nuntil = 2026-01-03\nsource = "b"\nqr = "http://x"\n',
            "qr",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_by_its_key(tmp_path: Path, line: str, complaint: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f"[[announcement]]\n{line}", encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        load_announcements(own)
