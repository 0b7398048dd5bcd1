"""A visit made by hand, with real clicks on both windows, becomes a scenario that plays to the same outcome."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

import config
from config import ConfigError
from config.person import load_person
from consent.choices import ConsentAnswer, Item
from hardware.camera.clips import load_clip
from hardware.face.engine import FaceEngine
from reception import flow
from reception.flow import Method, State
from reception.flow.failures import FailureCode
from reception.patient.widgets.buttons import BigButton
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import Snapshot
from reception.testing import scenarios
from reception.testing.scenarios.frames import KeptFrames
from reception.testing.scenarios.recorded_bench import RecordedBench
from reception.testing.scenarios.recorder import Frame, NothingRecorded, Recorder, as_toml
from reception.testing.scenarios.recording import Session
from reception.testing.verbs import BUTTONS

PERSON = load_person("age45")
WRONG_PIN = "8417"


class Hands:
    """Somebody at the patient's window and at the bench's panel."""

    def __init__(self, qtbot: QtBot, patient: PatientWindow, bench: RecordedBench) -> None:
        self._qtbot, self._patient, self.bench = qtbot, patient, bench
        self._occasion = -1

    def sees(self, state: str, question: str = "") -> None:
        """Wait until something is asked anew, and see that it is this."""

        def asked() -> bool:
            shown = self._patient.shown
            return (shown.state, shown.question) == (state, question) and shown.occasion > self._occasion

        self._qtbot.waitUntil(asked, timeout=20_000)
        self._occasion = self._patient.shown.occasion

    def sees_the_summary(self) -> None:
        """Wait until every answer is shown once more, before anything is sent."""
        self._qtbot.waitUntil(lambda: self._patient.shown.screen == "SUMMARY", timeout=20_000)

    def touches(self, *names: str) -> None:
        for name in names:
            _click(self._patient, name)

    def types(self, pin: str) -> None:
        QTest.keyClicks(self._patient, pin)
        self._qtbot.waitUntil(lambda: self._patient.shown.pin_digits == 4)
        QTest.keyClick(self._patient, Qt.Key.Key_Return)


def _click(window: QWidget, name: str) -> None:
    (button,) = [one for one in window.findChildren(QPushButton, name) if one.isVisible()]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@contextmanager
def made_by_hand(qtbot: QtBot, session: Session, state: Path) -> Iterator[Hands]:
    with session.running(state) as (terminal, _, bench):
        assert bench is not None
        patient = PatientWindow(terminal)
        qtbot.addWidget(patient)
        patient.show()
        try:
            yield Hands(qtbot, patient, bench)
            session.write()
        finally:
            patient.close()


@pytest.mark.timeout(120)
def test_two_visits_by_hand_one_disturbed_play_again_to_the_same_outcome(
    qtbot: QtBot, made_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This hand is faster than the guard against a touch that was meant for the page before.
    monkeypatch.setattr(BigButton, "guard_s", 0.0)
    out = tmp_path / "by_hand.toml"
    with made_by_hand(qtbot, Session(out, PERSON, None, scenarios.TODAY), made_state) as hands:
        hands.sees("WAITING")
        hands.bench.server.clear()
        hands.bench.insert("age75")
        hands.sees("METHOD_CHOICE")
        hands.touches("choose_pin")
        hands.sees("PIN_ENTRY")
        hands.types(load_person("age75").card.pin)
        hands.sees("CONSENT", "MEDICATION")
        hands.bench.remove()
        hands.sees("WAITING")
        hands.bench.insert("age40")
        hands.sees("METHOD_CHOICE")
        hands.touches("choose_pin")
        hands.sees("PIN_ENTRY")
        hands.types(WRONG_PIN)
        hands.sees("PIN_ENTRY")
        hands.types(load_person("age40").card.pin)
        hands.sees("CONSENT", "MEDICATION")
        hands.touches("given")
        hands.sees("CONSENT", "HEALTH_CHECKUP")
        hands.touches("declined")
        hands.sees("LIMIT_CONSENT", "LIMIT_AMOUNT")
        hands.touches("given")
        hands.sees_the_summary()
        hands.touches("confirm_answers")
        hands.sees("TAKE_CARD")
        hands.bench.remove()
        hands.sees("WAITING")
    text = out.read_text(encoding="utf-8")
    play = scenarios.load(out, made_state)

    expect = play.scenario.expect
    assert (play.person.id, expect.end, expect.completed, expect.sent) == ("age75", State.WAITING, True, 1)
    assert (expect.failure, expect.identity, expect.pin_tries_left) == ("", "pin", 3)
    assert expect.asked == (Item.MEDICATION, Item.HEALTH_CHECKUP, Item.LIMIT_AMOUNT)
    assert expect.consents is not None
    assert expect.consents[Item.HEALTH_CHECKUP] is ConsentAnswer.DECLINED
    rules = [
        (one.state.value, one.visit, one.do, one.value, one.person)
        for one in play.scenario.on
        if one.do != "wait"
    ]
    assert rules[:5] == [
        ("WAITING", 1, "server_fault", "", ""),
        ("WAITING", 1, "insert_card", "", ""),
        ("METHOD_CHOICE", 1, "choose_pin", "", ""),
        ("PIN_ENTRY", 1, "type_pin", "card", ""),
        ("CONSENT", 1, "remove_card", "", ""),
    ]
    assert rules[5:9] == [
        ("WAITING", 2, "insert_card", "", "age40"),
        ("METHOD_CHOICE", 2, "choose_pin", "", ""),
        ("PIN_ENTRY", 2, "type_pin", "0000", ""),
        ("PIN_ENTRY", 3, "type_pin", "card", ""),
    ]
    assert WRONG_PIN not in text
    # Nobody comes by face: the engine need not run.
    (result,) = scenarios.play_all([play], made_state, engine=FaceEngine())
    assert result.passed, result.why
    assert [name for name, _ in result.states] == list(expect.states or ())


# --- Without windows ----------------------------------------------------------------------------------------------

WAITING = Snapshot(state=State.WAITING, screen="WAITING", occasion=1)


class Visit:
    """What a terminal would tell."""

    def __init__(self, *, real: bool = False) -> None:
        self.recorder = Recorder(PERSON, real=real)
        self.shown = Snapshot()
        self.recorder.see(self.shown)
        self.comes_to("WAITING")

    def comes_to(self, state: str, **more: Any) -> None:
        """Show a state that asks anew."""
        now = {"occasion": self.shown.occasion + 1, "state": State(state), "screen": state, **more}
        self.shown = replace(self.shown, **now)
        self.recorder.see(self.shown)

    def event(self, event: flow.Event) -> None:
        self.recorder.happened((event, self.shown))

    def text(self, **more: Any) -> str:
        """Return the scenario."""
        settings = config.load()
        frame = {"title": "t", "today": date(2026, 4, 1), "settings": settings, "shipped": settings, **more}
        return as_toml(self.recorder.finish(self), Frame(**frame))

    def visit(self, visit_id: str) -> None:
        """Know of no visit, as a server."""


def rules(text: str) -> list[str]:
    return [
        line.partition("#")[0].strip().rstrip(",") for line in text.splitlines() if line.startswith("  {")
    ]


def loaded(text: str, folder: Path) -> scenarios.Scenario:
    path = folder / "recorded.toml"
    path.write_text(text, encoding="utf-8")
    return scenarios.load(path, folder / "state").scenario


def test_devices_of_a_real_terminal_are_told_by_what_it_noticed(tmp_path: Path) -> None:
    visit = Visit(real=True)
    visit.event(flow.CardInserted("v"))
    visit.comes_to("READING", visit="v")
    visit.comes_to("METHOD_CHOICE")
    for _ in range(2):
        visit.event(flow.ReaderLost(FailureCode.READER_LOST))
    visit.comes_to("OUT_OF_SERVICE", failure="READER_LOST")
    visit.event(flow.ReaderReady())
    visit.comes_to("WAITING")

    text = visit.text()

    assert rules(text) == [
        '{state = "WAITING", do = "insert_card"}',
        '{state = "METHOD_CHOICE", do = "unplug_reader"}',
        '{state = "OUT_OF_SERVICE", do = "plug_reader"}',
    ]
    assert loaded(text, tmp_path).expect.failure is FailureCode.READER_LOST


def test_hands_at_a_simulated_bench_are_not_told_twice() -> None:
    visit = Visit()
    visit.recorder.did("insert_card", "age39")
    visit.event(flow.CardInserted("v"))
    visit.comes_to("METHOD_CHOICE", visit="v")
    visit.event(flow.Cancel())
    visit.comes_to("WAITING")

    assert rules(visit.text()) == [
        '{state = "WAITING", do = "insert_card"}',
        '{state = "METHOD_CHOICE", do = "cancel"}',
    ]


def test_a_hand_that_failed_is_taken_back() -> None:
    visit = Visit()
    take_back = visit.recorder.did("insert_card", "age39")
    take_back()
    with pytest.raises(NothingRecorded):
        visit.recorder.finish(visit)


def test_a_visit_that_is_still_on_is_left_out() -> None:
    visit = Visit()
    visit.recorder.did("insert_card")
    visit.comes_to("METHOD_CHOICE", visit="v")
    visit.event(flow.CallStaff())
    visit.comes_to("CALL_STAFF", failure="STAFF_CALLED")
    visit.recorder.did("remove_card")
    visit.comes_to("WAITING")
    visit.recorder.did("insert_card")
    visit.comes_to("METHOD_CHOICE", visit="w", failure="")

    recording = visit.recorder.finish(visit)

    assert recording.left_out
    assert [rule.do for rule in recording.rules] == ["insert_card", "call_staff", "remove_card"]
    assert recording.result.failure == "STAFF_CALLED"


def test_a_wrong_pin_is_written_as_digits_that_are_nobodys() -> None:
    visit = Visit()
    visit.recorder.did("insert_card")
    visit.comes_to("PIN_ENTRY", visit="v")
    visit.event(flow.PinSubmit())
    visit.event(flow.PinMissed(2, 2))
    visit.comes_to("PIN_ENTRY")
    visit.event(flow.PinSubmit())
    visit.event(flow.PinVerified(3))
    visit.comes_to("WAITING")

    assert rules(visit.text(pins=frozenset(("0000", "1111"))))[1:] == [
        '{state = "PIN_ENTRY", do = "type_pin", value = "2222"}',
        '{state = "PIN_ENTRY", visit = 2, do = "type_pin", value = "card"}',
    ]


def test_settings_that_decide_go_into_the_scenario_and_those_of_devices_do_not(tmp_path: Path) -> None:
    visit = Visit()
    visit.recorder.did("insert_card")
    visit.comes_to("METHOD_CHOICE", visit="v")
    visit.comes_to("WAITING")
    shipped = config.load()
    settings = replace(
        shipped,
        profile="current",
        delays=replace(shipped.delays, choice_s=7.5),
        consents=replace(shipped.consents, operation=True),
        face=replace(shipped.face, gate=replace(shipped.face.gate, min_score=0.2)),
        server=replace(shipped.server, url="https://secret.invalid"),
    )

    text = visit.text(settings=settings, title='a "quoted" \u007f title')
    scenario = loaded(text, tmp_path)

    assert "secret" not in text
    assert scenario.title == 'a "quoted" \u007f title'
    assert scenario.profile == "current"
    assert scenario.config == {
        "delays": {"choice_s": 7.5},
        "consents": {"operation": True},
        "face": {"gate": {"min_score": 0.2}},
    }


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (flow.Choose(Method.FACE), 'do = "choose_face"'),
        (flow.Choose(Method.IPHONE), 'do = "choose_phone", value = "iphone"'),
        (flow.MoreTime(), 'do = "extend_time"'),
        (flow.AnswerAll(ConsentAnswer.GIVEN), 'do = "press", value = "agree_to_all"'),
        (flow.AskHelp(), 'do = "press", value = "help_list"'),
        (flow.ChooseLanguage(flow.Language.EN), 'do = "press", value = "language_en"'),
        (flow.StaffConfirmVisual("face-failed"), 'do = "staff_confirm_visual", value = "face-failed"'),
    ],
)
def test_what_people_do_becomes_a_verb(event: flow.Event, rule: str) -> None:
    visit = Visit()
    visit.comes_to("METHOD_CHOICE", visit="v")
    visit.event(event)
    visit.comes_to("WAITING")

    assert rules(visit.text()) == [f'{{state = "METHOD_CHOICE", {rule}}}']


def test_no_two_buttons_do_the_same() -> None:
    assert len({event: name for name, event in BUTTONS.items()}) == len(BUTTONS)


def test_what_is_there_already_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "there.toml"
    out.write_text("mine", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"there\.toml: is there already"):
        Session(out, PERSON, None, scenarios.TODAY)
    with pytest.raises(ConfigError, match="there is no such folder"):
        Session(tmp_path / "nowhere" / "new.toml", PERSON, None, scenarios.TODAY)


def test_frames_are_kept_as_a_clip_in_which_no_time_passes_between_two_matches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = KeptFrames()
    assert frames.write(tmp_path / "none", "test") == 0
    assert not (tmp_path / "none").exists()
    moments = iter((100.0, 100.04, 130.0))
    monkeypatch.setattr("reception.testing.scenarios.frames.time.monotonic", lambda: next(moments))
    for shade in (40, 120, 200):
        frames.take(np.full((48, 64, 3), shade, np.uint8))

    assert frames.write(tmp_path / "clip", "test") == 3
    clip = load_clip(tmp_path / "clip")
    assert clip.stamps_ms == (0.0, 40.0, 73.0)
    assert [round(float(cv2.mean(clip.image(number))[0])) for number in range(3)] == [40, 120, 200]
