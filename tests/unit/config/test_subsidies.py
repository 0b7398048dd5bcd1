"""Certificates of medical subsidies in person files: what cannot be is refused with its file and key."""

from datetime import date
from pathlib import Path

import pytest

from config import ConfigError
from config.person import Person, load_person
from tests.support.people import SOMEBODY

ONE = """[[subsidies]]
scheme = "指定難病"
payer_number = "54136015"
beneficiary_number = "1234566"
valid_from = 2025-10-01
valid_until = 2026-09-30
"""


def load(folder: Path, subsidies: str) -> Person:
    path = folder / "someone.toml"
    path.write_text(SOMEBODY.format(birth="1980-06-17", more=subsidies), encoding="utf-8")
    return load_person(str(path), day=date(2026, 4, 1))


def refusal(folder: Path, subsidies: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, subsidies)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{folder / 'someone.toml'}:")
    return line


def test_a_file_without_any_is_as_before_and_one_with_two_keeps_their_order(tmp_path: Path) -> None:
    assert load(tmp_path, "").subsidies == ()
    words = ONE.replace("指定難病", "こども医療費助成").replace("54136015", "88138011")
    person = load(tmp_path, f'{ONE}self_pay_yen = 2500\n{words}self_pay = "1回500円"\n')
    told = [(one.scheme, one.self_pay_yen, one.self_pay) for one in person.subsidies]
    assert told == [("指定難病", 2500, ""), ("こども医療費助成", None, "1回500円")]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("54136015", "54136016", "payer_number: '54136016' is not allowed: its last digit, the check digit"),
        ("54136015", "5413601", "payer_number: "),
        ("1234566", "1234567", "beneficiary_number: '1234567' is not allowed: its last digit"),
        ("1234566", "12345665", "beneficiary_number: "),
        ('"指定難病"', '""', "scheme: "),
        ('"指定難病"', '"　"', "scheme: should not be blank"),
        ('"指定難病"', '"指定\\n難病"', "scheme: "),
        ('"指定難病"', f'"{"難" * 31}"', "scheme: "),
        ("2025-10-01", "1980-06-16", "valid_from: 1980-06-16 is before the birth (1980-06-17)"),
        ("2026-09-30", "2025-09-30", "valid_until: 2025-09-30 is before valid_from (2025-10-01)"),
        ("valid_until = 2026-09-30", "", "valid_until: is missing"),
        ('scheme = "指定難病"', 'scheme = "指定難病"\nself_pay_yen = -1', "self_pay_yen: "),
        ('scheme = "指定難病"', 'scheme = "指定難病"\ncolour = 3', "colour: is not a known key"),
    ],
)
def test_what_cannot_be_is_one_line_with_file_and_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in ONE
    assert f": subsidies[1].{told}" in refusal(tmp_path, ONE.replace(old, new))


def test_the_same_certificate_twice_at_a_time_is_refused_and_its_renewal_is_not(tmp_path: Path) -> None:
    assert "subsidies[2]: is the same certificate as an earlier one" in refusal(tmp_path, ONE + ONE)
    renewed = ONE.replace("2025-10-01", "2026-10-01").replace("2026-09-30", "2027-09-30")
    assert [one.holds(date(2026, 9, 30)) for one in load(tmp_path, ONE + renewed).subsidies] == [True, False]


def test_more_certificates_at_once_than_a_claim_has_room_for_are_refused(tmp_path: Path) -> None:
    numbers = ("1234566", "2345676", "7654320", "4001236", "3100229")
    four, five = ("".join(ONE.replace("1234566", each) for each in numbers[:count]) for count in (4, 5))
    assert len(load(tmp_path, four).subsidies) == 4
    assert "more than 4 certificates hold on 2025-10-01" in refusal(tmp_path, five)


def test_a_certificate_holds_from_its_first_to_its_last_day(tmp_path: Path) -> None:
    (one,) = load(tmp_path, ONE).subsidies
    days = [date(2025, 9, 30), date(2025, 10, 1), date(2026, 9, 30), date(2026, 10, 1)]
    assert [one.holds(day) for day in days] == [False, True, True, False]
