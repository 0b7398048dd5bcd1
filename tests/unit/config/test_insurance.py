"""Insurance in person files: what cannot be is refused, all of it at once; what may be becomes a file."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import ConfigError
from config.insurance import (
    Insurance,
    Qualification,
    birthday,
    check_digit,
    elderly_from,
    faults,
)
from config.person import Person, load_person, shipped_people
from consent.choices import EligibilityStatus
from consent.coverage import coverage, elderly_on, holds, limit_on, share_on
from tests.support.people import SOMEBODY

TODAY = date(2026, 4, 1)
LONG = """[[insurance.qualifications]]
insurer_number = "06139992"
number = "345678"
qualified_on = 2020-04-01
"""


def load(folder: Path, insurance: str, birth: str = "1980-06-17") -> Person:
    path = folder / "someone.toml"
    path.write_text(SOMEBODY.format(birth=birth, more=f"[insurance]\n{insurance}"), encoding="utf-8")
    return load_person(str(path), day=TODAY)


def refusal(folder: Path, insurance: str, birth: str = "1980-06-17") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, insurance, birth)
    return [line.removeprefix(f"{folder / 'someone.toml'}:") for line in str(caught.value).splitlines()]


# --- Each alone -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("insurance", "key"),
    [
        ('limit_category = "A07"', "limit_category"),
        ('limit_category = "B11"', "limit_category"),
        ('limit_category = "A00"', "limit_category"),
        ('limit_category = "B10"', "limit_category"),
        (f'symbol = "{"1" * 21}"', "symbol"),
        (f'number = "{"1" * 21}"', "number"),
        ("validity = 'valid'\nlost_on = 2026-03-31", "lost_on"),
        ("validity = 'valid'\nlost_on = 2026-04-01", "lost_on"),
        ("lost_on = 2026-03-31", "lost_on"),
        ("validity = 'unregistered'\nlost_on = 2026-03-31", "lost_on"),
        ("validity = 'valid'\nqualified_on = 2026-04-02", "qualified_on"),
        ("validity = 'invalid'\nlost_on = 2026-04-02", "lost_on"),
        ("validity = 'superseded'\nlost_on = 2026-04-02", "lost_on"),
        ("validity = 'ambiguous'\nlost_on = 2026-03-31", "lost_on"),
        ("validity = 'not-found'\nreason_of_loss = '03'", "reason_of_loss"),
        ("reason_of_loss = '03'", "reason_of_loss"),
        ("validity = 'invalid'\nqualified_on = 2026-02-01\nlost_on = 2026-01-31", "lost_on"),
        ("qualified_on = 1980-06-16", "qualified_on"),
        ("issued_on = 1980-06-16", "issued_on"),
        ("specific_diseases = [1, 1]", "specific_diseases"),
        ("specific_diseases = [4]", "specific_diseases[1]"),
        ("share = 15", "share"),
        ("share = 10", "share"),
        ('insurer_number = "39139993"', "qualified_on"),
        ('insurer_number = "39139993"\nqualified_on = 2020-04-01', "qualified_on"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(tmp_path: Path, insurance: str, key: str) -> None:
    (line,) = refusal(tmp_path, insurance)
    assert f": insurance.{key}: " in line


@pytest.mark.parametrize(
    ("birth", "insurance", "key"),
    [
        ("2025-05-12", "family = false", "family"),
        ("2025-05-12", "qualified_on = 2020-04-01", "qualified_on"),
        ("1945-01-20", 'insurer_number = "06139992"', "insurer_number"),
        ("1945-01-20", 'insurer_number = "39139993"\nfamily = true', "family"),
        ("1945-01-20", 'insurer_number = "39139993"\nshare = 0', "share"),
        ("1945-01-20", 'insurer_number = "39139993"\nlimit_category = "A03"', "limit_category"),
        ("1945-01-20", 'classification = "A1"\nlimit_category = "B10"', "limit_category"),
        ("2026-04-02", "", "birth_date"),
    ],
)
def test_what_the_age_forbids_is_refused(tmp_path: Path, birth: str, insurance: str, key: str) -> None:
    assert any(f"{key}: " in line for line in refusal(tmp_path, insurance, birth))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"06139992"', '"06139999"', "insurer_number"),
        ('"06139992"', '"0613999"', "insurer_number"),
        ('number = "345678"', "", "number"),
        ("qualified_on = 2020-04-01", "", "qualified_on"),
        ('"06139992"', '"06139992"\nreason_of_loss = "01"', "reason_of_loss"),
        ('"06139992"', '"06139992"\nelderly = {valid_from = 2026-04-01}', "elderly.valid_from"),
        (
            '"06139992"',
            '"06139992"\nlimits = [{category = "A03", valid_from = 2026-04-01, valid_until = 2026-03-01}]',
            "limits[1].valid_until",
        ),
        (
            '"06139992"',
            '"06139992"\nlimits = [{category = "A03", valid_from = 2019-04-01}]',
            "limits[1].valid_from",
        ),
        ('"06139992"', '"06139992"\ntickets = [{month = "202604"}]', "tickets"),
        (
            '"06139992"',
            '"06139992"\ndiseases = [{disease = 1, self_pay_yen = 1}]',
            "diseases[1].self_pay_yen",
        ),
    ],
)
def test_the_long_form_refuses_what_cannot_be(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in LONG
    lines = refusal(tmp_path, LONG.replace(old, new))
    assert any(f"insurance.qualifications[1].{key}: " in line for line in lines), lines


def test_the_same_insurance_twice_at_a_time_is_refused(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, LONG + LONG)
    assert "qualifications[2]: is the same insurance as an earlier one" in line


def test_both_ways_at_once_are_refused(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, 'symbol = "12"\n' + LONG)
    assert "insurance.symbol: does not go with qualifications" in line


# --- All at once ------------------------------------------------------------------------------------------------


def test_all_faults_of_a_file_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    lines = refusal(
        tmp_path,
        'limit_category = "A07"\nnumber = "123456789012345678901"\nreason_of_loss = "03"\nqualified_on = 1970-01-01'
        "\ncolour = 3",
    )
    assert [line.split(": ")[:2] for line in lines] == [
        ["16", "insurance.limit_category"],
        ["17", "insurance.number"],
        ["18", "insurance.reason_of_loss"],
        ["19", "insurance.qualified_on"],
        ["20", "insurance.colour"],
    ]


def test_a_fault_says_what_is_allowed(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, LONG.replace("06139992", "06139999"))
    assert line.endswith("'06139999' is not allowed: its last digit, the check digit, should be 2")


def test_files_of_before_load_as_they_did(tmp_path: Path) -> None:
    person = load(tmp_path, 'validity = "valid"\ninsurer_number = "06139999"\nsymbol = "12"\nnumber = "1"')
    assert person.insurance.insurer_number == "06139999"


@pytest.mark.parametrize(
    ("validity", "status"),
    [
        ("valid", "valid"),
        ("invalid", "invalid"),
        ("superseded", "superseded"),
        ("not-found", "not-found"),
        ("ambiguous", "ambiguous"),
        ("unregistered", "unregistered"),
    ],
)
@pytest.mark.parametrize("day", [date(2026, 4, 1), date(2026, 11, 23), date(2030, 1, 1)])
def test_a_stated_validity_is_a_shorthand_for_dates_that_say_it(
    tmp_path: Path, validity: str, status: str, day: date
) -> None:
    person = load(tmp_path, f'validity = "{validity}"')
    assert coverage(person.insurance.known(person.birth_date), person.birth_date, day).status == status


# --- The calendar -----------------------------------------------------------------------------------------------


def test_check_digits_are_those_of_the_fact_sheet() -> None:
    assert [check_digit(digits) for digits in ("0613999", "3913999", "234567")] == ["2", "3", "6"]


@pytest.mark.parametrize(
    ("born", "age", "day"),
    [
        (date(1952, 2, 29), 75, date(2027, 3, 1)),
        (date(1952, 2, 29), 76, date(2028, 2, 29)),
        (date(1951, 12, 31), 75, date(2026, 12, 31)),
    ],
)
def test_a_birthday_of_29_february_is_1_march_in_a_common_year(born: date, age: int, day: date) -> None:
    assert birthday(born, age) == day


@pytest.mark.parametrize(("day", "share"), [(date(2026, 3, 31), 20), (date(2026, 4, 1), 30)])
def test_a_preschool_child_pays_less_until_the_march_of_the_sixth_year(day: date, share: int) -> None:
    (one,) = Insurance().known(date(2019, 5, 1))
    assert share_on(one, date(2019, 5, 1), day) == share


def test_a_limit_certificate_ends_with_july_and_with_the_change_at_70() -> None:
    born = date(1956, 6, 10)
    (one,) = Insurance(limit_category="A03").known(born)
    found = limit_on(one, born, TODAY)
    assert found and (found.valid_from, found.valid_until) == (date(2025, 8, 1), date(2026, 6, 30))
    assert limit_on(one, born, date(2026, 7, 1)) is None


def test_a_birthday_at_75_ends_every_other_insurance_on_its_day() -> None:
    born = date(1951, 6, 10)
    known = Insurance(share=20).known(born)
    assert coverage(known, born, date(2026, 6, 9)).status is EligibilityStatus.VALID
    assert coverage(known, born, date(2026, 6, 10)).status is EligibilityStatus.SUPERSEDED


def test_a_months_end_is_a_day_like_any_other() -> None:
    born = date(1956, 1, 31)
    (one,) = Insurance(share=20).known(born)
    assert elderly_from(born) == date(2026, 2, 1)
    assert elderly_on(one, born, date(2026, 1, 31)) is None
    assert elderly_on(one, born, date(2026, 2, 1)) is not None


# --- Any person, any day ----------------------------------------------------------------------------------------

BIRTHS = st.dates(date(1925, 1, 1), date(2026, 3, 31))
DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))


def insurers(born: date, begun: date) -> list[tuple[str, list[int | None]]]:
    """Return which insurers may begin to insure somebody on a day, with the shares that they have."""
    if begun >= birthday(born, 75):
        return [("39139993", [None, 10, 20, 30])]
    usual: list[tuple[str, list[int | None]]] = [("138057", [None, 20, 30])]
    if begun >= birthday(born, 15):
        usual.append(("06139992", [None, 20, 30]))
    return [*usual, ("39139993", [None, 10])] if begun >= birthday(born, 65) else usual


@st.composite
def qualifications(draw: Any, born: date) -> tuple[Qualification, ...]:
    """Return up to four qualifications that somebody born on a day may have, medical assistance among them."""
    found: list[Qualification] = []
    for number in range(draw(st.integers(0, 4))):
        begun = draw(st.dates(max(born, date(1990, 1, 1)), date(2034, 1, 1)))
        lost = draw(st.none() | st.dates(begun, date(2036, 1, 1)))
        insurer, shares = draw(st.sampled_from([*insurers(born, begun), ("12131017", [None, 0])]))
        found.append(
            Qualification(
                insurer_number=insurer,
                qualified_on=begun,
                number=str(number),
                lost_on=lost,
                reason_of_loss=draw(st.sampled_from(["", "03", "99"])) if lost else "",
                classification="A1" if insurer == "12131017" else "01",
                share=draw(st.sampled_from(shares)),
            )
        )
    return tuple(found)


@pytest.mark.timeout(600)
@given(data=st.data(), born=BIRTHS)
@settings(max_examples=1000)
def test_what_holds_on_a_day_follows_from_dates_that_never_contradict_each_other(
    data: Any, born: date
) -> None:
    stated = data.draw(qualifications(born))
    insurance = Insurance(qualifications=stated) if stated else Insurance(validity="not-found")
    assert not stated or list(faults(insurance, born, TODAY)) == []
    for day in data.draw(st.lists(DAYS, min_size=1, max_size=3)):
        told = coverage(insurance.known(born), born, day)
        assert bool(told.found) == (told.status not in ("not-found", "ambiguous"))
        held = [holds(one, day) for one in told.found]
        assert (told.status in ("valid", "unregistered")) == (bool(held) and all(held))
        for one in told.found:
            assert born <= one.qualified_on
            assert one.lost_on is None or one.lost_on >= one.qualified_on
            assert one.reason_of_loss == "" or one.lost_on is not None
            assert share_on(one, born, day) in (0, 10, 20, 30)
            elderly = elderly_on(one, born, day)
            if elderly:
                assert elderly.valid_from and elderly.valid_until
                assert elderly_from(born) <= elderly.valid_from <= day <= elderly.valid_until
                assert elderly.valid_until < birthday(born, 75)
                assert one.lost_on is None or elderly.valid_until < one.lost_on


@given(born=BIRTHS, days=st.integers(0, 5000))
def test_a_qualification_ends_on_one_day_and_never_begins_again(born: date, days: int) -> None:
    lost = date(2020, 4, 1) + timedelta(days=days)
    (one,) = Insurance(validity="invalid", qualified_on=max(born, date(2020, 4, 1)), lost_on=lost).known(born)
    held = [holds(one, one.qualified_on + timedelta(days=each)) for each in range(0, 6000, 7)]
    assert held == sorted(held, reverse=True)


@pytest.mark.parametrize("name", sorted(shipped_people()))
@pytest.mark.parametrize("day", [date(2026, 4, 1), date(2026, 11, 23), date(2027, 8, 1)])
def test_no_shipped_person_contradicts_itself(name: str, day: date) -> None:
    person = load_person(name, day=day)
    assert list(faults(person.insurance, person.birth_date, day)) == []
