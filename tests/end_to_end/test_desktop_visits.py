"""Whole visits on a desktop, played from outside: real windows, real clicks, and the way of a screen reader."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from config.person import load_person, shipped_people
from consent.choices import ConsentAnswer, Item
from reception.flow import State, Step
from reception.flow.failures import FailureCode
from reception.testing.gallery import SAMPLES
from reception.testing.testbench import STAFF_PASSWORD
from tests.conftest import begun_state
from tests.support.counter_http import Page
from tests.support.desktop import Assistive, Desktop, Program, desktop, needs_desktop, needs_screen_reader
from tests.support.desktop_driver import PANEL, PATIENT, Drawn, Session, label

PIN = load_person(next(iter(shipped_people()))).card.pin
"""Of the person whom the counter offers first."""
MEDICATION = replace(SAMPLES["12-consent-medication"], question_count=2)
LIMIT = replace(SAMPLES["14-limit-consent"], question_number=2, question_count=2)
ANSWERED = ((Item.MEDICATION, ConsentAnswer.GIVEN), (Item.LIMIT_AMOUNT, ConsentAnswer.DECLINED))
SUMMARY = replace(SAMPLES["31-summary"], step=Step.COMPLETE, state=State.LIMIT_CONSENT, answers=ANSWERED)
DONE = replace(SAMPLES["16-take-card"], answers=ANSWERED)
CHOOSING = replace(SAMPLES["04-method-choice"], visual_possible=True)

CARD, SERVER = "カードが入っている", "資格確認サーバーが動いている"
"""What the bench's panel calls them."""

pytestmark = [
    needs_desktop,
    needs_screen_reader,
    pytest.mark.timeout(180),
]


class Reception:
    """One running program on a desktop, and the counter's page beside it; each test plays a visit of its own."""

    def __init__(self, screen: Desktop, folder: Path, bus: Path) -> None:
        self.screen, self.drawn = screen, Drawn()
        self.assistive = Assistive(bus)
        self.program = Program(screen, "--state", folder, **self.assistive.environment)

    def does(self, label: str) -> None:
        """Press something on the bench's panel."""
        self.assistive.press(PANEL, label)

    def page(self) -> Page:
        """Log in at the counter's page, whose address the program has printed."""
        return Page(self.program.printed(r"page: (http://\S+)"))

    def session(self, name: str) -> Session:
        return Session(self.screen, self.drawn, self.program, name)

    def close(self) -> int:
        try:
            return self.program.end()
        finally:
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
    """A visit of the first person, whose card was put in at the panel; taken out again whatever comes of it."""
    session = reception.session(request.node.name)
    reception.does(CARD)
    session.sees(CHOOSING)
    yield session
    reception.does(CARD)
    reception.program.wait_for("WAITING")


def answers(session: Session) -> None:
    """Yes to the first question, no to the second, and the patient reads that the check-in is complete."""
    session.sees(MEDICATION)
    session.touches("given")
    session.sees(LIMIT)
    session.touches("declined")
    session.sees(SUMMARY)
    session.touches("confirm_answers")
    sees_the_end(session)


def sees_the_end(session: Session) -> None:
    """Until when the answers hold is of this minute; everything above it is compared."""
    session.sees(DONE, rows=300)


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


def test_staff_check_by_sight_at_the_counters_page_for_one_visit(
    begun: Session, reception: Reception
) -> None:
    page = reception.page()
    assert page.do("start-visual", password="wrong-password") == 403
    assert page.do("start-visual", password=STAFF_PASSWORD) == 200
    begun.sees("23-visual-check")
    assert page.photo()[:4] == b"\x89PNG"
    assert page.do("confirm-visual", reason="pin-forgotten") == 200
    answers(begun)
    # The next visit knows nothing of it.
    reception.does(CARD)
    reception.does(CARD)
    begun.sees(CHOOSING)


def test_a_server_that_is_away_ends_a_visit_with_words_for_both_and_the_next_one_works(
    begun: Session, reception: Reception
) -> None:
    reception.does(SERVER)
    types_pin(begun, reception)
    away = replace(SAMPLES["19-call-staff"], step="", failure=FailureCode.SERVER_UNREACHABLE)
    begun.sees(away, rows=400, alike=0.015)
    reception.does(SERVER)
    reception.does(CARD)
    reception.does(CARD)
    begun.sees(CHOOSING)
    types_pin(begun, reception)
    answers(begun)


def test_a_visit_is_played_by_labels_alone_and_no_typed_digit_is_told(
    begun: Session, reception: Reception
) -> None:
    reader, patient = reception.assistive, reception.drawn.patient

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
    assert not any(PIN in text for text in reader.texts(PATIENT))
    press("pin_submit")
    begun.sees(MEDICATION)
    press("given")
    begun.sees(LIMIT)
    press("declined")
    begun.sees(SUMMARY)
    press("confirm_answers")
    sees_the_end(begun)
