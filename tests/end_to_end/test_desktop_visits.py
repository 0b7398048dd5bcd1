"""Whole visits on a desktop, played from outside: real windows, real clicks, and the way of a screen reader."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from config.person import load_person, shipped_people
from reception.counter import wording
from reception.flow.failures import FailureCode
from reception.testing.gallery import SAMPLES
from reception.testing.testbench import STAFF_PASSWORD
from tests.conftest import begun_state
from tests.support.desktop import Assistive, Desktop, Program, desktop, needs_desktop, needs_screen_reader
from tests.support.desktop_driver import COUNTER, PATIENT, Drawn, Session, label

PIN = load_person(next(iter(shipped_people()))).card.pin
"""Of the person whom the counter offers first."""
MEDICATION = replace(SAMPLES["12-consent-medication"], question_count=2)
LIMIT = replace(SAMPLES["14-limit-consent"], question_number=2, question_count=2)
CHOOSING = replace(SAMPLES["04-method-choice"], visual_possible=True)

pytestmark = [needs_desktop, pytest.mark.timeout(180)]


class Reception:
    """One running program with both windows on a desktop; each test plays a visit of its own."""

    def __init__(self, screen: Desktop, folder: Path, bus: Path) -> None:
        self.screen, self.drawn = screen, Drawn()
        self.assistive = None if Assistive.lacking else Assistive(bus)
        environment = self.assistive.environment if self.assistive else {}
        self.program = Program(screen, "--state", folder, **environment)

    def session(self, name: str) -> Session:
        return Session(self.screen, self.drawn, self.program, name)

    def close(self) -> int:
        try:
            return self.program.end()
        finally:
            if self.assistive is not None:
                self.assistive.close()
            self.drawn.close()


@pytest.fixture(scope="module")
def reception(
    qapp: QApplication, tmp_path_factory: pytest.TempPathFactory, made_state: Path
) -> Iterator[Reception]:
    state = begun_state(tmp_path_factory.mktemp("state"), made_state)
    with desktop(tmp_path_factory.mktemp("screen"), 1860, 1280) as screen:
        made = Reception(screen, state, tmp_path_factory.mktemp("bus"))
        try:
            made.session("start").sees("22-phone-waiting", 60)
            yield made
        finally:
            code = made.close()
        assert code == 0


@pytest.fixture
def begun(request: pytest.FixtureRequest, reception: Reception) -> Iterator[Session]:
    """A visit of the first person, whose card was put in at the counter; taken out again whatever comes of it."""
    session = reception.session(request.node.name)
    session.staff_press("insert_card")
    session.sees(CHOOSING)
    yield session
    session.staff_press("pull_card")
    reception.program.wait_for("WAITING")


def answers(session: Session) -> None:
    """Yes to the first question, no to the second, and the patient reads that the check-in is complete."""
    session.sees(MEDICATION)
    session.touches("given")
    session.sees(LIMIT)
    session.touches("declined")
    session.sees("16-take-card")


def types_pin(session: Session, reception: Reception) -> None:
    session.touches("choose_pin")
    asked = replace(SAMPLES["08-pin-entry"], pin_digits=0)
    session.sees(asked)
    for count, digit in enumerate(PIN, 1):
        if count < 3:
            session.touches(f"key_{digit}")
        else:  # a key pad on a cable does the same
            reception.screen.xdotool("key", digit)
        session.sees(replace(asked, pin_digits=count))
    session.touches("pin_submit")


def test_a_visit_by_pin(begun: Session, reception: Reception) -> None:
    types_pin(begun, reception)
    answers(begun)


def test_a_visit_by_face(begun: Session, reception: Reception) -> None:
    begun.touches("choose_face")
    reception.program.wait_for("FACE_MATCH")
    begun.keep()
    answers(begun)


def test_staff_check_by_sight_for_one_visit(begun: Session, reception: Reception) -> None:
    begun.staff_press("visual_start_password", CHOOSING)
    reception.screen.xdotool("type", STAFF_PASSWORD)
    begun.staff_press("visual_start", CHOOSING)
    begun.sees("23-visual-check")
    begun.staff_press("reason_pin-forgotten", "23-visual-check")
    begun.staff_press("visual_confirm", "23-visual-check")
    answers(begun)
    # The next visit knows nothing of it.
    begun.staff_press("pull_card")
    begun.staff_press("insert_card")
    begun.sees(CHOOSING)


def test_a_server_that_is_away_ends_a_visit_with_words_for_both_and_the_next_one_works(
    begun: Session, reception: Reception
) -> None:
    reception.screen.xdotool("key", "ctrl+4")
    begun.staff_press("stop_server", CHOOSING, tab=3)
    types_pin(begun, reception)
    away = replace(SAMPLES["19-call-staff"], step="", failure=FailureCode.SERVER_UNREACHABLE)
    begun.sees(away, rows=400, alike=0.015)
    begun.staff_press("start_server", away, tab=3)
    reception.screen.xdotool("key", "ctrl+1")
    begun.staff_press("pull_card")
    begun.staff_press("insert_card")
    begun.sees(CHOOSING)
    types_pin(begun, reception)
    answers(begun)


@needs_screen_reader
def test_a_visit_is_played_by_labels_alone_and_no_typed_digit_is_told(
    begun: Session, reception: Reception
) -> None:
    reader, patient = reception.assistive, reception.drawn.patient
    assert reader is not None

    def press(name: str) -> None:
        reader.press(PATIENT, label(patient, name))

    press("choose_pin")
    asked = replace(SAMPLES["08-pin-entry"], pin_digits=0)
    begun.sees(asked)
    before = reader.texts(PATIENT)
    # Other digits than the counts that may be told; then the right ones.
    for count, digit in enumerate("9876", 1):
        press(f"key_{digit}")
        begun.sees(replace(asked, pin_digits=count))
        told = reader.texts(PATIENT) - before
        assert not any(each in text for text in told for each in "9876"), told
    for count in (3, 2, 1, 0):
        press("pin_backspace")
        begun.sees(replace(asked, pin_digits=count))
    for count, digit in enumerate(PIN, 1):
        press(f"key_{digit}")
        begun.sees(replace(asked, pin_digits=count))
    assert not any(PIN in text for text in reader.texts(PATIENT) | reader.texts(COUNTER))
    press("pin_submit")
    begun.sees(MEDICATION)
    press("given")
    begun.sees(LIMIT)
    press("declined")
    begun.sees("16-take-card")


@needs_screen_reader
def test_staff_check_by_sight_by_labels_alone_and_a_locked_window_tells_no_name(
    begun: Session, reception: Reception
) -> None:
    reader = reception.assistive
    assert reader is not None
    reader.fill(COUNTER, "係のパスワード", STAFF_PASSWORD)
    reader.press(COUNTER, "目視確認を始める")
    begun.sees("23-visual-check")
    assert not any(STAFF_PASSWORD in text for text in reader.texts(COUNTER))
    reader.press(COUNTER, wording.REASONS["pin-forgotten"])
    reader.press(COUNTER, "本人です")
    begun.sees(MEDICATION)
    name = load_person(next(iter(shipped_people()))).name
    reader.waits(COUNTER, lambda told: any(name in text for text in told))
    reader.press(COUNTER, "ロック")
    reader.waits(COUNTER, lambda told: not any(name in text for text in told))
    reader.fill(COUNTER, "係のパスワード", STAFF_PASSWORD)
    reader.press(COUNTER, "ロックを解除")
    reader.waits(COUNTER, lambda told: any(name in text for text in told))
    reader.press(COUNTER, "受付を取り消す")
    reader.press(COUNTER, "もう一度押すと取消")
    reception.program.wait_for("CALL_STAFF")
