"""Which readers a name in the configuration means: brackets, letter case, index, serial number, slots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card.reader_names import matching

ACS = "ACS ACR1252 1S CL Reader [ACR1252 Dual Reader PICC]"
SAM = "ACS ACR1252 1S CL Reader [ACR1252 Dual Reader SAM]"
IDENTIV = "Identiv uTrust 3700 F CL Reader [uTrust 3700 F CL Interface] (55041830200001)"
NAMES = [f"{ACS} 00 00", f"{SAM} 00 01", f"{IDENTIV} 01 00", "SCM Microsystems Inc. SCR 3310 02 00"]


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("*", NAMES),
        (ACS, [f"{ACS} 00 00"]),
        (f"{ACS}*", [f"{ACS} 00 00"]),
        ("*[ACR1252 Dual Reader SAM]*", [f"{SAM} 00 01"]),
        ("acs*", NAMES[:2]),
        ("ACS*PICC]", [f"{ACS} 00 00"]),
        (f"{ACS} 03 00", [f"{ACS} 00 00"]),
        (f"{ACS} 00 01", []),
        ("identiv*", [f"{IDENTIV} 01 00"]),
        ("Identiv uTrust 3700 F CL Reader [uTrust 3700 F CL Interface]", [f"{IDENTIV} 01 00"]),
        ("Identiv uTrust 3700 F CL Reader [uTrust 3700 F CL Interface] (99999) 00 00", [f"{IDENTIV} 01 00"]),
        ("scm microsystems inc. scr 3310", ["SCM Microsystems Inc. SCR 3310 02 00"]),
        ("SCR ???? 0", []),
        ("[A-Z]*", []),
        ("", []),
    ],
)
def test_a_pattern_means_these_readers(pattern: str, meant: list[str]) -> None:
    assert matching(pattern, NAMES) == meant


def test_the_very_name_counts_alone_and_without_it_the_same_model() -> None:
    two = ["Model 00 00", "Model 01 00"]
    assert matching("Model 00 00", two) == ["Model 00 00"]
    assert matching("MODEL 00 00", two[1:]) == ["Model 01 00"]
    assert matching("Model", two) == two


def test_readers_with_another_use_are_none_of_them() -> None:
    assert matching("*", NAMES, besides="scm*") == NAMES[:3]
    assert matching("acs*", NAMES, besides="*") == []


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=4))
def test_any_pattern_and_any_names_give_some_of_the_names(pattern: str, names: list[str]) -> None:
    assert set(matching(pattern, names)) <= set(names)
    assert all(matching(name, [name]) == [name] for name in names)
