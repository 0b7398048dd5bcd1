"""The window by ear and by keys: every choice on every screen, and whole visits of somebody who does not see."""

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from config.person import load_person
from consent.choices import ConsentAnswer, Item
from reception import flow
from reception.flow import Language
from reception.patient import TerminalLike
from reception.patient.keys import TOO_SOON_S, SpokenKeys
from reception.patient.window import PatientWindow
from reception.speech import menu, prompts
from reception.speech.player import CommandPlayer, Recorder, Silent, find_player
from reception.speech.voice import Voice
from reception.terminal.snapshot import Snapshot
from reception.testing import scenarios
from reception.testing.gallery import SAMPLES, StillTerminal
from reception.testing.testbench import Bench
from reception.testing.timing import FOLLOWED
from reception.texts import Catalogue, catalogue, wording
from reception.texts.failures import NOT_COMPLETE
from tests.support.accessibility import accessible_texts

WITHIN_MS = 20_000


class Hearing:
    """A window with its voice and keys, for somebody who hears and presses, and sees nothing."""

    def __init__(self, terminal: TerminalLike) -> None:
        self.recorder = Recorder()
        self.window = PatientWindow(terminal)
        # Every look at the clock is a second later: nobody presses faster than they hear.
        self.now, self.pace = 0.0, 1.0
        voice = Voice(self.recorder)
        self.keys = SpokenKeys(self.window, terminal.subscribe, terminal.submit, voice, self._clock)
        self.window.show()

    def _clock(self) -> float:
        self.now += self.pace
        return self.now

    def show(self, snapshot: Snapshot) -> None:
        self.window.render_snapshot(snapshot)
        self.keys.follow(snapshot)

    def begin_anew(self) -> None:
        """Let nothing be known of what was said, muted and shown before."""
        self.pace = 1.0
        self.show(Snapshot(visit="another"))
        self.show(Snapshot())
        self.recorder.said.clear()
        self.recorder.share = 1.0

    def press(self, text: str) -> None:
        QTest.keyClicks(self.window, text)

    def close(self) -> None:
        self.keys.close()
        self.window.close()


@pytest.fixture(scope="module")
def shared(qapp: QApplication) -> Iterator[tuple[StillTerminal, Hearing]]:
    """One window for all tests: making it takes longer than most of them."""
    terminal = StillTerminal()
    made = Hearing(terminal)
    yield terminal, made
    made.close()


@pytest.fixture
def terminal(shared: tuple[StillTerminal, Hearing]) -> StillTerminal:
    shared[0].submitted.clear()
    return shared[0]


@pytest.fixture
def hearing(shared: tuple[StillTerminal, Hearing]) -> Hearing:
    shared[1].begin_anew()
    return shared[1]


JA = catalogue("ja")


def spoken(text: str) -> str:
    return f"{text}。"


def plain(text: str, t: Catalogue) -> str:
    return " ".join(prompts.sentences_of([text], t))


# --- What is said is what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("language", [Language.JA, Language.EN])
def test_what_is_said_of_a_screen_stands_on_it(hearing: Hearing, language: Language, name: str) -> None:
    sample, t = replace(SAMPLES[name], language=language), catalogue(language)
    hearing.show(sample)
    shown = [*hearing.window.findChildren(QLabel), *hearing.window.findChildren(QPushButton)]
    seen = [widget for widget in shown if widget.isVisible()]
    texts = {plain(text, t) for widget in seen for text in widget.accessibleName().lstrip("!✓ ").split("\n")}
    on_screen = " ".join(texts)
    only_heard = {*prompts.sentences_of([t(prompts.PRESS, number=number) for number in range(1, 10)], t)}
    only_heard |= {*prompts.sentences_of([t(prompts.KEYS), t(prompts.PIN_KEYS), t(NOT_COMPLETE)], t)}
    only_heard |= {catalogue(other)(prompts.IN_THIS_LANGUAGE) for other in ("ja", "en")}
    only_heard |= {*prompts.sentences_of([t(wording.PRESS_TO_CHANGE)], t)}
    only_heard |= {*prompts.sentences_of([t(prompts.QUESTION, number=sample.question_number)], t)}
    only_heard |= {*prompts.sentences_of([t(prompts.QUESTIONS, count=sample.question_count)], t)}
    for sentence in prompts.whole(sample):
        assert sentence in only_heard or sentence.rstrip("。.") in on_screen, sentence


@pytest.mark.parametrize("name", SAMPLES)
def test_a_digit_does_what_the_button_does_that_stands_there(
    hearing: Hearing, terminal: StillTerminal, name: str
) -> None:
    hearing.show(SAMPLES[name])
    # On the help, what is advised stands among the ways out as well; an answer is part of its row on the summary.
    buttons = {
        button.text().partition(": ")[0]: button
        for button in hearing.window.findChildren(QPushButton)
        if button.isVisible() and button.objectName() not in ("call_staff", "display")
    }
    offered = menu.choices(SAMPLES[name])
    heights = [buttons[choice.label].mapTo(hearing.window, QPoint(0, 0)).y() for choice in offered]
    assert heights == sorted(heights), "in the order of the buttons"
    for number, choice in enumerate(offered, 1):
        terminal.submitted.clear()
        hearing.press(str(number))
        buttons[choice.label].click()
        assert terminal.submitted == [choice.event, choice.event]
    terminal.submitted.clear()
    if SAMPLES[name].screen != "PIN_ENTRY":
        hearing.press("".join(str(number) for number in range(len(offered) + 1, menu.OTHER_LANGUAGE)))
        assert terminal.submitted == []


@pytest.mark.parametrize("name", SAMPLES)
def test_minus_goes_back_and_plus_calls_staff_where_the_window_offers_it(
    hearing: Hearing, terminal: StillTerminal, name: str
) -> None:
    hearing.show(SAMPLES[name])
    back = flow.AskHelp() if SAMPLES[name].help not in ("", "list") else flow.LeaveHelp()
    for key, button_name in (("-", "cancel"), ("+", "call_staff")):
        (button,) = hearing.window.findChildren(QPushButton, button_name)
        terminal.submitted.clear()
        hearing.press(key)
        assert bool(terminal.submitted) or not button.isVisible()
        if key == "+" and button.isVisible():
            assert terminal.submitted == [flow.CallStaff()]
        if key == "-" and terminal.submitted:
            assert terminal.submitted[0] in (
                *(flow.AskCancel(), flow.BackToChoice(), flow.PreviousQuestion(), flow.KeepOn()),
                back,
            )


def test_zero_and_star_repeat_all_that_was_said(hearing: Hearing) -> None:
    sample = SAMPLES["04-method-choice"]
    hearing.show(sample)
    for key in "0*.":
        hearing.press(key)
    assert hearing.recorder.said == [prompts.whole(sample)] * 4


def test_star_gives_more_time_once_it_runs_out(hearing: Hearing, terminal: StillTerminal) -> None:
    hearing.show(SAMPLES["12-consent-medication"])
    hearing.press("*")
    assert terminal.submitted == []
    hearing.show(replace(SAMPLES["12-consent-medication"], seconds_left=20))
    assert hearing.recorder.said[-1][0] == prompts.SOON_OVER
    hearing.press("*")
    assert terminal.submitted == [flow.MoreTime()]


def test_a_digit_pressed_before_the_new_question_can_be_heard_answers_nothing(
    hearing: Hearing, terminal: StillTerminal
) -> None:
    hearing.show(SAMPLES["12-consent-medication"])
    hearing.pace = TOO_SOON_S / 4
    hearing.show(replace(SAMPLES["13-consent-checkup"], occasion=1, seconds_left=None))
    hearing.press("1")
    assert terminal.submitted == []
    hearing.now += TOO_SOON_S
    hearing.press("1")
    assert len(terminal.submitted) == 1


def test_a_pin_may_be_typed_as_fast_as_one_can_once_it_is_begun(
    hearing: Hearing, terminal: StillTerminal
) -> None:
    hearing.pace = TOO_SOON_S / 8
    asked = replace(SAMPLES["08-pin-entry"], pin_digits=0, occasion=1)
    hearing.show(asked)
    hearing.press("4")
    assert terminal.submitted == []  # that still was for the screen before
    hearing.show(replace(asked, pin_digits=1))
    hearing.press("7")
    assert terminal.submitted == [flow.PinDigit(7)]


def test_the_voice_is_switched_off_for_this_visit_only(hearing: Hearing) -> None:
    first = SAMPLES["04-method-choice"]
    hearing.show(first)
    hearing.press("/")
    assert hearing.recorder.said[-1] == (prompts.MUTED,)
    hearing.show(SAMPLES["06-face-match"])
    assert hearing.recorder.said[-1] == (prompts.MUTED,)
    hearing.press("/")
    assert hearing.recorder.said[-1] == prompts.whole(SAMPLES["06-face-match"])
    hearing.press("/")
    hearing.show(SAMPLES["01-waiting"])
    assert hearing.recorder.said[-1] == prompts.whole(SAMPLES["01-waiting"])


def test_the_button_on_the_screen_makes_the_voice_softer_silent_and_normal_again(hearing: Hearing) -> None:
    sample = SAMPLES["04-method-choice"]
    hearing.show(sample)
    (button,) = hearing.window.findChildren(QPushButton, "sound")
    for label, share in (
        ("音声: ふつう", 1.0),
        ("音声: 小さい", 0.4),
        ("音声: なし", 0.4),
        ("音声: ふつう", 1.0),
    ):
        assert (button.accessibleName(), button.isVisible()) == (label, True)
        assert hearing.recorder.share == share
        assert hearing.recorder.said[-1] == (
            (prompts.MUTED,) if label == "音声: なし" else prompts.whole(sample)
        )
        button.click()
    hearing.press("/")
    assert button.accessibleName() == "音声: なし"
    hearing.show(replace(SAMPLES["01-waiting"], visit=""))
    assert button.accessibleName() == "音声: ふつう"


@pytest.mark.parametrize("language", [Language.ZH, Language.KO, Language.PT, Language.VI])
def test_a_visit_in_a_language_without_voice_is_silent_and_has_no_button_for_it(
    hearing: Hearing, language: Language
) -> None:
    hearing.show(SAMPLES["04-method-choice"])
    for name in ("04-method-choice", "06-face-match"):
        hearing.show(replace(SAMPLES[name], language=language))
        assert hearing.recorder.said[-1] == ()
    (button,) = hearing.window.findChildren(QPushButton, "sound")
    assert not button.isVisible()


def test_easy_japanese_is_spoken_as_japanese_is(hearing: Hearing) -> None:
    hearing.show(replace(SAMPLES["04-method-choice"], language=Language.JA_EASY))
    assert hearing.recorder.said[-1] == prompts.whole(SAMPLES["04-method-choice"])


def test_nine_asks_for_english_where_a_visit_begins_and_says_so_in_english(
    hearing: Hearing, terminal: StillTerminal
) -> None:
    for name in ("01-waiting", "04-method-choice"):
        for language, other in (
            (Language.JA, flow.Language.EN),
            (Language.KO, flow.Language.EN),
            (Language.EN, flow.Language.JA),
        ):
            terminal.submitted.clear()
            hearing.show(replace(SAMPLES[name], language=language))
            hearing.press("9")
            assert terminal.submitted == [flow.ChooseLanguage(other)]
    hearing.show(SAMPLES["01-waiting"])
    assert hearing.recorder.said[-1][-1] == "For English, press 9."
    hearing.show(SAMPLES["12-consent-medication"])
    hearing.press("9")
    assert terminal.submitted == [flow.ChooseLanguage(flow.Language.JA)]


# --- The PIN -----------------------------------------------------------------------------------------------------


def test_what_is_said_and_what_a_screen_reader_is_told_is_the_same_for_every_pin(
    hearing: Hearing, terminal: StillTerminal
) -> None:
    heard = []
    empty = replace(SAMPLES["08-pin-entry"], pin_digits=0)
    for digits in ("1234", "9075"):
        hearing.recorder.said.clear()
        terminal.submitted.clear()
        told = []
        hearing.show(SAMPLES["01-waiting"])
        hearing.show(empty)
        for count, digit in enumerate(digits, 1):
            hearing.press(digit)
            hearing.show(replace(empty, pin_digits=count))
            told.append(accessible_texts(hearing.window))
        hearing.press(".")
        QTest.keyClick(hearing.window, Qt.Key.Key_Enter)
        typed = [flow.PinDigit(int(digit)) for digit in digits]
        assert terminal.submitted == [*typed, flow.PinBackspace(), flow.PinSubmit()]
        heard.append((list(hearing.recorder.said), told))
    assert heard[0] == heard[1]


# --- Whole visits ------------------------------------------------------------------------------------------------


class BlindPatient(Hearing):
    """Acts on what is heard alone, and on nothing else."""

    def __init__(self, bench: Bench, qtbot: QtBot) -> None:
        self.bench, self.qtbot = bench, qtbot
        self.story: list[str] = []
        self.at, self.number, self.language = 0, "", "ja"
        super().__init__(bench.terminal)

    def _english_is_offered(self) -> bool:
        said = self.recorder.said
        return bool(said) and said[-1][-1] == "For English, press 9."

    def visit(self, pin: str, *wanted: str) -> list[str]:
        """Go through one visit, choosing what is wanted whenever it is offered; return all that was heard."""
        self.story = []
        # The language of the visit before is gone once the window waits for a card.
        self.qtbot.waitUntil(lambda: self.window.shown.screen == "WAITING", timeout=WITHIN_MS)
        if self.window.shown.language != self.language:
            # Nobody presses a key before it is offered: what was said last may still be of the visit before.
            self.qtbot.waitUntil(self._english_is_offered, timeout=WITHIN_MS)
            self.press("9")
            self.qtbot.waitUntil(lambda: self.window.shown.language == self.language, timeout=WITHIN_MS)
        while self.spoken(wording.GET_WELL)[0] not in self.story:
            self.qtbot.waitUntil(lambda: len(self.recorder.said) > self.at, timeout=WITHIN_MS)
            self.number = self.window.shown.visit or self.number
            heard = self.recorder.said[self.at]
            self.at += 1
            self.story += heard
            self.answer(heard, pin, wanted)
        return self.story

    def answer(self, heard: tuple[str, ...], pin: str, wanted: tuple[str, ...]) -> None:
        t = catalogue(self.language)
        numbers = {t(prompts.PRESS, number=number): str(number) for number in range(1, 9)}
        for said, label in itertools.pairwise(heard):
            if said in numbers and label in self.spoken(*wanted):
                self.press(numbers[said])
                return
        if self.spoken(wording.PUT_IN)[0] in heard:
            self.bench.insert()
        elif self.spoken(prompts.PIN_KEYS)[0] in heard:
            self.press(pin)
        elif self.spoken(prompts.ALL_TYPED)[0] in heard:
            QTest.keyClick(self.window, Qt.Key.Key_Enter)
        elif self.spoken(wording.TAKE_CARD)[0] in heard:
            self.bench.remove()

    def spoken(self, *texts: str) -> list[str]:
        t = catalogue(self.language)
        return list(prompts.sentences_of(map(t, texts), t))


def test_who_sees_nothing_checks_in_by_pin_and_by_face_and_in_english_with_keys_alone(
    qtbot: QtBot, made_state: Path
) -> None:
    person = load_person("age45")
    with Bench(FOLLOWED.settings(), made_state, person=person, today=scenarios.TODAY) as bench:
        patient = BlindPatient(bench, qtbot)
        yes = (wording.PLAIN_ANSWERS[0], wording.ANSWERS[Item.LIMIT_AMOUNT][0])
        try:
            for language, method in (("ja", wording.PIN), ("en", wording.PIN), ("ja", wording.FACE)):
                patient.language = language
                story = patient.visit(person.card.pin, method, *yes)
                assert patient.spoken(wording.CHECKED_IN)[0] in story
                assert patient.spoken(NOT_COMPLETE)[0] not in story
                record = bench.client.visit(patient.number)
                assert record is not None
                assert record.recorded_at is not None
                assert set(record.answers.values()) == {ConsentAnswer.GIVEN}
                assert not any(person.card.pin in sentence for sentence in story)
        finally:
            patient.close()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_who_sees_nothing_uses_certificates_of_subsidies_and_nobody_hears_which_illness(
    qtbot: QtBot, made_state: Path, language: str
) -> None:
    person = load_person("child-subsidies")
    asks = {"medical_subsidy": True, "medication": False, "health_checkup": False}
    settings = replace(FOLLOWED.settings(consents=asks), profile="current")
    with Bench(settings, made_state, person=person, people=[person], today=scenarios.TODAY) as bench:
        patient = BlindPatient(bench, qtbot)
        patient.language = language
        try:
            use = wording.ANSWERS[Item.MEDICAL_SUBSIDY][0]
            story = patient.visit(person.card.pin, wording.PIN, use)
            for certificate in wording.CERTIFICATES[:2]:
                assert patient.spoken(certificate)[0] in story
            assert patient.spoken(wording.CERTIFICATES[2])[0] not in story
            assert not any(one.scheme in sentence for one in person.subsidies for sentence in story)
            record = bench.client.visit(patient.number)
            assert record is not None
            assert list(record.subsidies.values()) == [ConsentAnswer.GIVEN] * 2
        finally:
            patient.close()


# --- The player --------------------------------------------------------------------------------------------------


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    path = tmp_path / "pids"
    os.mkfifo(path)
    return path


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_next_prompt_ends_the_one_before_and_closing_ends_all(pids: Path) -> None:
    playing = CommandPlayer(("sh", "-c", f"echo $$ > {pids}; exec sleep 60"), 1.0)
    playing.say(("受付をやめました。",))
    first = int(pids.read_text())
    assert is_alive(first)
    playing.say(("もどる。",))
    second = int(pids.read_text())
    assert not is_alive(first)
    assert is_alive(second)
    playing.close()
    assert not is_alive(second)


def test_what_waits_its_turn_does_not_end_what_is_being_said(pids: Path) -> None:
    playing = CommandPlayer(("sh", "-c", f"echo $$ > {pids}; cat > /dev/null; read x < {pids}.go"), 1.0)
    os.mkfifo(f"{pids}.go")
    playing.say(("受付をやめました。",))
    first = int(pids.read_text())
    playing.say(("もどる。",), wait=True)
    assert is_alive(first)
    Path(f"{pids}.go").write_text("go\n")
    second = int(pids.read_text())
    assert second != first
    playing.close()


@pytest.mark.expected_log("no sound: sh: no such card")
def test_a_player_that_fails_is_told_once_and_the_terminal_goes_on(pids: Path) -> None:
    playing = CommandPlayer(("sh", "-c", f"echo $$ > {pids}; echo no such card >&2; exit 1"), 1.0)
    for _ in range(2):
        playing.say(("もどる。",), wait=True)
        pids.read_text()
    playing.close()


@pytest.mark.expected_log("no sound: none of aplay, paplay is installed")
def test_without_a_player_it_is_said_once_and_all_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert isinstance(find_player(on=True, volume=80), Silent)
    assert isinstance(find_player(on=False, volume=80), Silent)
