from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from threading import Thread

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from consent.choices import ConsentAnswer, Item
from reception import flow
from reception.counter import wording
from reception.counter.window import CounterWindow, SimulationBar
from reception.failures import FAILURES, FailureCode
from reception.screens.gallery import SAMPLES, StillTerminal
from reception.snapshot import CounterView, Health, Snapshot

VIEW = CounterView(
    "visit-1",
    "見本 花子",
    "ミホン ハナコ",
    date(1980, 1, 2),
    "06123456",
    "12",
    "345678",
    "01",
    30,
    "A03",
    (("MEDICATION", "given"), ("DIAGNOSIS", "given"), ("LIMIT_AMOUNT", "declined")),
)


class LiveTerminal(StillTerminal):
    def __init__(self) -> None:
        super().__init__()
        self.snapshots: list[Callable[[Snapshot], None]] = []
        self.views: list[Callable[[CounterView | None], None]] = []

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        self.snapshots.append(callback)
        return lambda: self.snapshots.remove(callback)

    def subscribe_counter(self, callback: Callable[[CounterView | None], None]) -> Callable[[], None]:
        self.views.append(callback)
        return lambda: self.views.remove(callback)


class Bench:
    def __init__(self) -> None:
        self.done: list[str] = []

    def people(self) -> list[str]:
        return ["age39", "age45"]

    def insert(self, person: str) -> None:
        self.done.append(f"insert {person}")

    def remove(self) -> None:
        self.done.append("remove")


class BenchWithClips(Bench):
    def show(self, person: str) -> None:
        self.done.append(f"show {person}")


@pytest.fixture
def terminal() -> LiveTerminal:
    return LiveTerminal()


@pytest.fixture
def window(qtbot: QtBot, terminal: LiveTerminal) -> Iterator[CounterWindow]:
    made = CounterWindow(terminal, BenchWithClips())
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


def words(window: CounterWindow) -> str:
    return "\n".join(label.text() for label in window.findChildren(QLabel) if label.isVisible())


def publish(call: Callable[[], None]) -> None:
    thread = Thread(target=call)
    thread.start()
    thread.join()
    QTest.qWait(0)


def everything_fits(window: CounterWindow) -> None:
    whole = QRect(QPoint(0, 0), window.size())
    assert (whole.width(), whole.height()) == (900, 900)
    for label in window.findChildren(QLabel):
        if label.isVisible():
            needed = label.sizeHint()
            assert whole.contains(QRect(label.mapTo(window, QPoint(0, 0)), label.size())), label.text()
            assert label.width() >= needed.width() and label.height() >= needed.height(), label.text()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_screen_of_the_patient_has_words_for_staff(
    qtbot: QtBot, window: CounterWindow, name: str
) -> None:
    window.render_snapshot(SAMPLES[name])
    assert wording.STATES[SAMPLES[name].screen] in words(window)
    qtbot.waitUntil(lambda: everything_fits(window))


def test_staff_type_the_match_code_only_while_it_is_wanted_and_it_does_not_stay(
    window: CounterWindow, terminal: LiveTerminal
) -> None:
    asked = replace(SAMPLES["04-method-choice"], match_code_wanted=True)
    field = window.findChild(QLineEdit, "match_code")
    assert field is not None and not field.isVisible()
    window.render_snapshot(asked)
    QTest.keyClicks(field, "5502x1720352285")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert [vars(event) for event in terminal.submitted] == [{"code": "55021720352285"}]
    assert "5502" not in repr(terminal.submitted)
    assert field.text() == ""
    QTest.keyClicks(field, "550")
    window.render_snapshot(replace(asked, match_code_wanted=False))
    assert (field.text(), field.isVisible()) == ("", False)


def test_every_state_item_and_answer_has_words() -> None:
    assert set(wording.STATES) == {
        *(state.value for state in flow.State),
        "LAST_TRY",
        "BUNDLE",
        "PRESCRIPTION",
        "HELP",
        "DESK_CLOSED",
    }
    assert set(wording.ITEMS) == {item.value for item in Item}
    assert set(wording.ANSWERS) == {answer.value for answer in ConsentAnswer}


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_tells_staff_what_to_do(
    qtbot: QtBot, window: CounterWindow, terminal: LiveTerminal, code: FailureCode
) -> None:
    terminal.views[0](VIEW)
    QTest.qWait(0)
    window.render_snapshot(replace(SAMPLES["19-call-staff"], failure=code.value))
    assert FAILURES[code].staff in words(window).replace("\n", "")
    qtbot.waitUntil(lambda: everything_fits(window))


def test_the_patient_is_shown_and_forgotten(window: CounterWindow, terminal: LiveTerminal) -> None:
    publish(lambda: terminal.views[0](VIEW))
    shown = words(window)
    for text in (
        "見本 花子",
        "ミホン ハナコ",
        "1980年1月2日",
        "06123456",
        "345678",
        "枝番 01",
        "30 %",
        "A03",
    ):
        assert text in shown
    assert "薬剤情報: 提供する" in shown
    assert "限度額情報: 提供しない" in shown
    publish(lambda: terminal.views[0](None))
    assert "見本" not in words(window)
    assert "06123456" not in words(window)


def test_a_snapshot_of_another_thread_is_shown(window: CounterWindow, terminal: LiveTerminal) -> None:
    publish(lambda: terminal.snapshots[0](SAMPLES["12-consent-medication"]))
    assert "質問 1/3 薬剤情報" in words(window)
    assert "本人確認: 暗証番号" in words(window)


def test_a_part_that_is_down_is_named(window: CounterWindow) -> None:
    window.render_snapshot(replace(SAMPLES["01-waiting"], health=Health("ok", "down", "unknown", "ok")))
    camera = window.findChild(QLabel, "health_camera")
    engine = window.findChild(QLabel, "health_engine")
    assert isinstance(camera, QLabel) and camera.text() == "! 使えません"
    assert isinstance(engine, QLabel) and engine.text() == "- 未確認"


def test_completed_is_said_only_when_it_is(window: CounterWindow) -> None:
    for name, sample in SAMPLES.items():
        window.render_snapshot(sample)
        assert ("この受付は完了しました" in words(window)) == sample.completed, name


def test_staff_are_not_called_to_a_patient_who_cancelled(window: CounterWindow) -> None:
    window.render_snapshot(replace(SAMPLES["19-call-staff"], failure="CANCELLED"))
    assert wording.STATES["CALL_STAFF"] not in words(window)
    window.render_snapshot(replace(SAMPLES["19-call-staff"], failure="STAFF_CALLED"))
    assert wording.STATES["CALL_STAFF"] in words(window)


def test_the_bar_inserts_and_pulls_the_card_and_changes_the_face(
    qtbot: QtBot, terminal: LiveTerminal
) -> None:
    bench = BenchWithClips()
    window = CounterWindow(terminal, bench)
    qtbot.addWidget(window)
    window.show()
    people = window.findChild(QComboBox, "person")
    assert isinstance(people, QComboBox)
    people.setCurrentText("age45")
    for name in ("insert_card", "show_person", "pull_card"):
        button = window.findChild(QPushButton, name)
        assert isinstance(button, QPushButton) and button.accessibleName()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(bench.done) == 3)
    assert bench.done == ["insert age45", "show age45", "remove"]


@pytest.mark.expected_log("simulated bench.*no such person")
def test_a_bench_that_fails_does_not_take_the_window_along(qtbot: QtBot, terminal: LiveTerminal) -> None:
    class Broken(Bench):
        def remove(self) -> None:
            raise ValueError("no such person")

    window = CounterWindow(terminal, Broken())
    qtbot.addWidget(window)
    button = window.findChild(QPushButton, "pull_card")
    assert isinstance(button, QPushButton)
    button.click()
    window.close()


def test_a_bench_without_clips_offers_no_other_face(qtbot: QtBot, terminal: LiveTerminal) -> None:
    window = CounterWindow(terminal, Bench())
    qtbot.addWidget(window)
    assert window.findChild(QPushButton, "show_person") is None


def test_a_real_bench_has_no_bar(qtbot: QtBot, terminal: LiveTerminal) -> None:
    window = CounterWindow(terminal)
    qtbot.addWidget(window)
    assert window.findChild(SimulationBar) is None


def test_a_closed_window_has_forgotten_the_patient(window: CounterWindow, terminal: LiveTerminal) -> None:
    publish(lambda: terminal.views[0](VIEW))
    late = terminal.views[0]
    window.close()
    assert terminal.views == []
    assert terminal.snapshots == []
    late(VIEW)
    QTest.qWait(0)
    assert not any("見本" in label.text() for label in window.findChildren(QLabel))
