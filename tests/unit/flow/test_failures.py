"""Every failure has words for the patient and for staff."""

import re

import pytest

from reception.flow import REVOCABLE
from reception.flow.failures import CARD_REMOVED_WHILE, FailureCode
from reception.texts.failures import FAILURES


def test_every_code_has_an_entry_and_there_is_no_other() -> None:
    assert set(FAILURES) == set(FailureCode)


@pytest.mark.parametrize("code", FailureCode)
def test_says_what_happened_what_to_do_and_what_staff_can_do(code: FailureCode) -> None:
    failure = FAILURES[code]

    assert all(text.strip().endswith("。") for text in (failure.patient, failure.next_step, failure.staff))


@pytest.mark.parametrize("code", FailureCode)
def test_the_patient_reads_no_latin_letters(code: FailureCode) -> None:
    failure = FAILURES[code]

    assert not re.search(r"[A-Za-zＡ-Ｚａ-ｚ]", failure.patient + failure.next_step)


def test_pulling_the_card_is_told_apart_for_every_state_in_which_it_ends_the_visit() -> None:
    assert set(CARD_REMOVED_WHILE) == {state.value for state in REVOCABLE}
