"""Monthly limit amounts: the dated tables, and what they give."""

from datetime import date
from pathlib import Path

import pytest

from config import ConfigError
from config.limits import load_limits
from consent.copay_limits import monthly_limit

LIMITS = load_limits()
DAY = date(2026, 4, 1)

TABLE = """[[table]]
first_day = 2018-08-01
last_day = 2026-07-31
unverified = false
source = "somewhere"
[table.limits]
A04 = { household = 57600, fourth = 44400 }
"""


@pytest.mark.parametrize(
    ("category", "cost", "household", "fourth"),
    [
        ("A01", 1_000_000, 252_600 + 1_580, 140_100),
        ("A02", 1_000_000, 167_400 + 4_420, 93_000),
        ("A03", 1_000_000, 80_100 + 7_330, 44_400),
        ("A03", 267_000, 80_100, 44_400),
        ("A03", 10_000, 80_100, 44_400),
        ("A03", 267_060, 80_101, 44_400),
        ("A04", 1_000_000, 57_600, 44_400),
        ("A05", 1_000_000, 35_400, 24_600),
        ("B01", 1_000_000, 252_600 + 1_580, 140_100),
        ("B02", 1_000_000, 167_400 + 4_420, 93_000),
        ("B03", 1_000_000, 80_100 + 7_330, 44_400),
        ("B05", 1_000_000, 24_600, None),
        ("B06", 1_000_000, 15_000, None),
    ],
)
def test_the_amounts_until_july_2026_are_those_of_the_sources(
    category: str, cost: int, household: int, fourth: int | None
) -> None:
    limit = monthly_limit(LIMITS, category, DAY, cost)
    assert limit
    assert (limit.household, limit.fourth, limit.unverified) == (household, fourth, False)
    assert limit.source


@pytest.mark.parametrize(
    ("category", "outpatient", "year"),
    [
        ("A03", None, None),
        ("B01", None, None),
        ("B04", 18_000, 144_000),
        ("B05", 8_000, None),
        ("B09", 18_000, 144_000),
    ],
)
def test_outpatient_care_has_a_limit_of_its_own_from_70(
    category: str, outpatient: int | None, year: int | None
) -> None:
    limit = monthly_limit(LIMITS, category, DAY, 0)
    assert limit
    assert (limit.outpatient, limit.outpatient_year) == (outpatient, year)


@pytest.mark.parametrize(
    "category", [*(f"A{n:02}" for n in range(1, 7)), *(f"B{n:02}" for n in range(1, 11))]
)
def test_every_category_has_an_amount_until_july_2026(category: str) -> None:
    assert monthly_limit(LIMITS, category, date(2018, 8, 1), 0)
    assert monthly_limit(LIMITS, category, date(2026, 7, 31), 0)


def test_amounts_from_august_2026_are_marked_as_unverified() -> None:
    limit = monthly_limit(LIMITS, "A03", date(2026, 8, 1), 286_000)
    assert limit
    assert (limit.household, limit.unverified) == (85_800, True)


@pytest.mark.parametrize(
    ("category", "day"),
    [
        ("A03", date(2018, 7, 31)),
        ("A03", date(2027, 8, 1)),
        ("B06", date(2026, 8, 1)),
        ("C01", DAY),
        ("", DAY),
    ],
)
def test_what_no_table_knows_has_no_amount(category: str, day: date) -> None:
    assert monthly_limit(LIMITS, category, day, 0) is None


@pytest.mark.parametrize(
    ("birth", "household", "outpatient"),
    [
        (date(1951, 4, 2), 28_800, 9_000),
        (date(1951, 4, 30), 28_800, 9_000),
        (date(1951, 4, 1), 57_600, 18_000),
        (date(1951, 3, 31), 57_600, 18_000),
        (date(1951, 5, 1), 57_600, 18_000),
    ],
)
def test_the_month_of_the_75th_birthday_halves_unless_it_begins_with_it(
    birth: date, household: int, outpatient: int
) -> None:
    limit = monthly_limit(LIMITS, "B04", date(2026, 4, 15), 0, birth)
    assert limit
    assert (limit.household, limit.outpatient) == (household, outpatient)
    assert limit.outpatient_year == 144_000


def test_half_a_month_has_half_a_threshold_for_the_one_percent() -> None:
    limit = monthly_limit(LIMITS, "B03", DAY, 1_000_000, date(1951, 4, 30))
    assert limit
    assert limit.household == 40_050 + (1_000_000 - 133_500) // 100
    assert limit.fourth == 22_200


def test_december_ends_with_the_year() -> None:
    limit = monthly_limit(LIMITS, "B04", date(2025, 12, 3), 0, date(1950, 12, 31))
    assert limit
    assert limit.household == 28_800


@pytest.mark.parametrize(
    ("change", "to", "complaint"),
    [
        ("57600", '"57600"', r"limits.toml:7: table\[1\].limits.A04.household"),
        ("57600", "0", "household"),
        ("A04 =", "A07 =", "A07"),
        ("fourth", "forth", "is not a known key"),
        ("unverified = false", "unverified = 0", "unverified"),
        ("first_day = 2018-08-01", "first_day = 2027-08-01", "last_day must not be before"),
        ('source = "somewhere"', "", "source: is missing"),
    ],
)
def test_a_wrong_table_is_refused_by_name(tmp_path: Path, change: str, to: str, complaint: str) -> None:
    assert change in TABLE
    file = tmp_path / "limits.toml"
    file.write_text(TABLE.replace(change, to), encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        load_limits(file)


def test_two_tables_for_one_day_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(TABLE + TABLE, encoding="utf-8")
    with pytest.raises(ConfigError, match="no day in two"):
        load_limits(file)
