"""The shipped people: each file loads and shows what its name promises; mistakes are told with file and line."""

from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from config import ConfigError
from config.person import Forgery, Person, load_person, shipped_people
from consent.coverage import coverage, limit_on, share_on
from hardware.simulation.portraits import SHIPPED

DAYS = (date(2026, 4, 1), date(2026, 11, 23))
SCENARIO_DAY = DAYS[0]
IDS = sorted(shipped_people())
LAPSED = {"expired-certificate", "certificate-in-grace"}


def age(person: Person, day: date) -> int:
    birth = person.birth_date
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def test_the_promised_people_are_shipped() -> None:
    promised = {"age39", "age40", "age45", "age74", "age75", "face-only", "no-photo", "pin-blocked"}
    promised |= {"one-try-left", "expired-certificate", "certificate-in-grace", "certificate-revoked"}
    promised |= {"certificate-on-hold", "invalid-insurance", "rare-kanji", "superseded-insurance"}
    promised |= {"ambiguous-insurance", "certificate-unknown", "first-visit"}
    promised |= {"juki-card", "transit-card", "payment-card", "upside-down"}
    promised |= {"cloned-card", "photo-of-another", "photo-re-signed", "relayed-chip"}
    promised |= {"authority-expired", "authority-unknown"}
    promised |= {"next-card", "foreign-resident", "no-certificate"}
    assert promised <= set(IDS)


@pytest.mark.parametrize("name", IDS)
def test_a_shipped_person_loads(name: str) -> None:
    person = load_person(name)
    assert person.id == name
    assert person.card.photo in (*SHIPPED, "")


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize(
    ("name", "years"), [("age39", 39), ("age40", 40), ("age74", 74), ("age75", 75), ("no-photo", 0)]
)
def test_ages_hold_on_both_days(name: str, years: int, day: date) -> None:
    if name == "no-photo":
        assert age(load_person(name), day) <= 1
    else:
        assert age(load_person(name), day) == years


def test_the_everyday_person_is_the_one_of_the_contract() -> None:
    person = load_person("age45")
    assert (person.name, person.card.pin, person.birth_date) == ("山田　花子", "1234", date(1980, 6, 17))
    assert age(person, SCENARIO_DAY) == 45


@pytest.mark.parametrize("name", sorted(set(IDS) - LAPSED))
def test_certificates_not_meant_to_lapse_last_until_2029(name: str) -> None:
    person = load_person(name)
    assert person.certificate.expires >= date(2029, 1, 1)
    assert person.card.expires >= person.certificate.expires


def test_lapsed_certificates_lie_on_either_side_of_three_months_grace() -> None:
    last_refused = date(2025, 12, 31)
    assert load_person("expired-certificate").certificate.expires < last_refused
    assert last_refused < load_person("certificate-in-grace").certificate.expires < SCENARIO_DAY


@pytest.mark.parametrize("name", IDS)
def test_insurance_fits_the_age(name: str) -> None:
    person = load_person(name)
    years, born = age(person, SCENARIO_DAY), person.birth_date
    for one in coverage(person.insurance.known(born), born, SCENARIO_DAY).found:
        late, limit = one.insurer_number.startswith("39"), limit_on(one, born, SCENARIO_DAY)
        assert late or years < 75
        assert limit is None or limit.category[:1] == ("B" if years >= 70 or late else "A")
        if not one.is_assistance:
            usual = (10, 20) if late else (20,) if years >= 70 or years < 6 else (30,)
            assert share_on(one, born, SCENARIO_DAY) in usual


def test_special_cases_are_what_their_names_say() -> None:
    people = {name: load_person(name) for name in IDS}
    assert people["face-only"].card.kind == "face-only"
    assert people["no-photo"].card.kind == "no-photo"
    assert people["pin-blocked"].card.pin_tries_left == 0
    assert people["one-try-left"].card.pin_tries_left == 1
    assert people["certificate-revoked"].certificate.status == "revoked"
    assert people["certificate-on-hold"].certificate.status == "on-hold"
    assert people["certificate-unknown"].certificate.status == "unknown"
    assert people["invalid-insurance"].insurance.validity == "invalid"
    assert people["superseded-insurance"].insurance.validity == "superseded"
    assert people["ambiguous-insurance"].insurance.validity == "ambiguous"
    assert not people["first-visit"].insurance.registered
    forged = {name: one.card.forgery for name, one in people.items() if one.card.forgery}
    assert forged.pop("relayed-chip") == "relayed"
    assert forged == {name: name.removesuffix("-card") for name in forged}
    assert set(forged.values()) | {"relayed", ""} == set(get_args(Forgery))
    assert people["next-card"].card.generation == "next"
    assert people["foreign-resident"].card.foreign_resident
    assert people["no-certificate"].card.kind == "no-certificate"
    foreign = {
        "juki-card": "juki",
        "transit-card": "transit",
        "payment-card": "payment",
        "upside-down": "mute",
    }
    assert {name: one.card.kind for name, one in people.items() if one.card.is_foreign} == foreign


def test_exactly_one_name_cannot_be_written_in_cp932() -> None:
    def fits(name: str) -> bool:
        try:
            name.encode("cp932")
        except UnicodeEncodeError:
            return False
        return True

    people = [load_person(name) for name in IDS]
    assert [person.id for person in people if not fits(person.name)] == ["rare-kanji"]
    assert all(fits(person.name_kana + person.address) for person in people)


def changed(folder: Path, old: str, new: str) -> Path:
    text = shipped_people()["age45"].read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = folder / "someone.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_an_unknown_key_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = changed(tmp_path, 'pin = "1234"', 'pin = "1234"\npim = "1234"')
    line = path.read_text(encoding="utf-8").splitlines().index('pim = "1234"') + 1
    with pytest.raises(ConfigError) as caught:
        load_person(str(path))
    assert str(caught.value) == f"{path}:{line}: card.pim: is not a known key"


def test_a_person_without_a_card_is_refused_by_that_name(tmp_path: Path) -> None:
    text = shipped_people()["age45"].read_text(encoding="utf-8")
    start, end = text.index("[card]"), text.index("[certificate]")
    path = tmp_path / "someone.toml"
    path.write_text(text[:start] + text[end:], encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_person(str(path))
    assert str(path) in str(caught.value)
    assert "card: is missing" in str(caught.value)


def test_a_standard_card_without_photo_is_refused(tmp_path: Path) -> None:
    path = changed(tmp_path, 'photo = "astronaut"', "")
    with pytest.raises(ConfigError, match=r"card\.photo: a photo is needed"):
        load_person(str(path))


def test_an_unknown_person_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'age99': there is no such person; known: .*age45"):
        load_person("age99")
