"""README's generated tables say what the code says. ``python -m tests.unit.documents.test_readme`` writes them anew."""

import re
from datetime import date

import pytest

from config import Consents, Profile
from consent.choices import (
    EligibilityStatus,
    Item,
    Standing,
    checkup_on,
    confirms,
    may_bundle,
    offers_prescription,
    questions,
    standing,
)
from reception.flow import table
from reception.texts.failures import FAILURES
from tests.support import ROOT

README = ROOT / "README.md"


def failure_table() -> str:
    lines = ["| code | the patient reads | staff can do |", "|---|---|---|"]
    for code, words in FAILURES.items():
        lines.append(f"| {code} | {words.patient} {words.next_step} | {words.staff} |")
    return "\n".join(lines)


def rules_table() -> str:
    """The rules of consent, asked about example patients and facilities."""
    day, some = date(2026, 4, 1), Consents()
    every = Consents(
        diagnosis=True, operation=True, specific_disease=True, medical_subsidy=True, prescription=True
    )
    examples: list[tuple[str, Profile, int, Standing, Consents, EligibilityStatus]] = [
        ("39", "leaflet-2023", 39, Standing.VALID, some, EligibilityStatus.VALID),
        ("40 today", "leaflet-2023", 40, Standing.VALID, some, EligibilityStatus.VALID),
        ("75 today", "leaflet-2023", 75, Standing.VALID, some, EligibilityStatus.VALID),
        ("40, shipped switches", "current", 40, Standing.VALID, some, EligibilityStatus.VALID),
        ("39, every switch on", "current", 39, Standing.VALID, every, EligibilityStatus.VALID),
        ("40, every switch on", "current", 40, Standing.VALID, every, EligibilityStatus.VALID),
        ("40, certificate in its grace", "current", 40, Standing.GRACE, every, EligibilityStatus.VALID),
    ]
    others = [status for status in EligibilityStatus if status is not EligibilityStatus.VALID]
    examples += [
        (f"40, insurance {status}", "current", 40, Standing.VALID, every, status) for status in others
    ]
    lines = ["| patient | profile | asked, in this order | all at once | prescription | visit |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, profile, age, good_for, facility, status in examples:
        birth = date(day.year - age, day.month, day.day)
        asked = questions(profile, birth, day, good_for, facility, status)
        words = ", ".join(
            f"{item} ({checkup_on(birth, day)})" if item is Item.HEALTH_CHECKUP else item for item in asked
        )
        bundled = "offered" if may_bundle(profile, asked, facility) else ""
        form = "asked" if offers_prescription(profile, "clinic", facility, status) else ""
        goes_on = "goes on" if confirms(status) else "staff"
        lines.append(f"| {name} | {profile} | {words or 'nothing'} | {bundled} | {form} | {goes_on} |")
    return "\n".join(lines)


def certificate_table() -> str:
    """What a certificate whose last day is 2026-01-15 is good for, day by day."""
    expires = date(2026, 1, 15)
    lines = ["| visit on | card | phone |", "|---|---|---|"]
    for day in ("2025-10-14", "2025-10-15", "2026-01-15", "2026-01-16", "2026-04-30", "2026-05-01"):
        card, phone = (standing(expires, date.fromisoformat(day), grace) for grace in (3, None))
        lines.append(f"| {day} | {card} | {phone} |")
    return "\n".join(lines)


GENERATED = {
    "states": table,
    "failures": failure_table,
    "rules": rules_table,
    "certificates": certificate_table,
}


def between(name: str) -> re.Pattern[str]:
    """What stands between a table's two markers, each on a line of its own."""
    return re.compile(rf"(?<=^<!-- {name} -->\n).*?(?=^<!-- /{name} -->$)", re.DOTALL | re.MULTILINE)


def written_anew(text: str) -> str:
    for name, make in GENERATED.items():
        found = between(name).findall(text)
        if len(found) != 1:
            raise ValueError(f"README.md: <!-- {name} --> must begin exactly one table; found {len(found)}")
        opening = f"<!-- {name} -->\n"
        text = text.replace(opening + found[0], f"{opening}\n{make()}\n\n")
    return text


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_table_is_what_the_code_says(name: str) -> None:
    found = between(name).findall(README.read_text(encoding="utf-8"))
    assert [text.strip() for text in found] == [GENERATED[name]()], (
        "run: python -m tests.unit.documents.test_readme"
    )


def test_an_outdated_table_is_written_anew() -> None:
    text = README.read_text(encoding="utf-8")
    assert written_anew(between("states").sub("\n| old |\n", text)) == text


def test_a_missing_marker_is_told() -> None:
    with pytest.raises(ValueError, match="states"):
        written_anew("# nothing generated here\n")


def test_every_link_into_the_checkout_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


if __name__ == "__main__":
    README.write_text(written_anew(README.read_text(encoding="utf-8")), encoding="utf-8")
