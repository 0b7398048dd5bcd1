from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Thread
from typing import get_args

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QPushButton, QRadioButton, QWidget
from pytestqt.qtbot import QtBot

from config.limits import load_limits
from consent.choices import ConsentAnswer, Item
from consent.eligibility import Refused
from consent.server import FaultKind
from hardware.camera import CameraFault
from reception import flow
from reception.counter import wording
from reception.counter.figures import DayPanel
from reception.counter.money import NAMES, limit_words
from reception.counter.simulation import CARDS, DEVICES, FAULTS, SimulationBar
from reception.counter.window import CounterWindow
from reception.flow import StaffText, State
from reception.flow.failures import FailureCode
from reception.patient.staff_note import StaffNote
from reception.patient.window import PatientWindow
from reception.terminal.back_office import Today
from reception.terminal.journal import Entry
from reception.terminal.notices import Notice
from reception.terminal.snapshot import CounterView, Health, Snapshot, VisualView
from reception.terminal.staff import StaffAnswer, Verdict
from reception.testing.gallery import SAMPLES, StillTerminal
from reception.testing.testbench.operators import HANDS
from reception.texts.failures import FAILURES
from reception.texts.wording import STAFF_TEXTS

LIMITS = load_limits()
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


SIZE = (1000, 860)
"""px; lower, the pages scroll."""


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
    made = CounterWindow(terminal, BenchWithClips(), limits=LIMITS, today=lambda: date(2026, 4, 1))
    qtbot.addWidget(made)
    made.resize(*SIZE)
    made.show()
    yield made
    made.close()


@pytest.fixture(scope="module")
def standing(qapp: QApplication) -> Iterator[tuple[LiveTerminal, CounterWindow]]:
    terminal = LiveTerminal()
    made = CounterWindow(terminal, BenchWithClips(), limits=LIMITS, today=lambda: date(2026, 4, 1))
    made.resize(*SIZE)
    made.show()
    yield terminal, made
    made.close()


@pytest.fixture
def shared(standing: tuple[LiveTerminal, CounterWindow]) -> CounterWindow:
    """One window, with nobody in it, for all tests that only show: another one is made in a tenth of a second."""
    terminal, window = standing
    terminal.views[0](None)
    window.render_snapshot(Snapshot())
    QTest.qWait(0)
    return window


def words(window: CounterWindow) -> str:
    return "\n".join(label.text() for label in window.findChildren(QLabel) if label.isVisible())


def publish(call: Callable[[], None]) -> None:
    thread = Thread(target=call)
    thread.start()
    thread.join()
    QTest.qWait(0)


def everything_fits(window: CounterWindow) -> None:
    """No word is cut off, and the window stays as large as it was made."""
    whole = QRect(QPoint(0, 0), window.size())
    assert (whole.width(), whole.height()) == SIZE
    for label in window.findChildren(QLabel):
        if label.isVisible():
            needed = label.heightForWidth(label.width()) if label.wordWrap() else label.sizeHint().height()
            assert whole.contains(QRect(label.mapTo(window, QPoint(0, 0)), label.size())), label.text()
            assert label.height() >= needed, label.text()
            assert label.wordWrap() or label.width() >= label.sizeHint().width(), label.text()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_screen_of_the_patient_has_words_for_staff(
    qtbot: QtBot, shared: CounterWindow, name: str
) -> None:
    shared.render_snapshot(SAMPLES[name])
    assert wording.STATES[SAMPLES[name].screen] in words(shared)
    qtbot.waitUntil(lambda: everything_fits(shared))


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
    qtbot: QtBot, standing: tuple[LiveTerminal, CounterWindow], shared: CounterWindow, code: FailureCode
) -> None:
    standing[0].views[0](VIEW)
    QTest.qWait(0)
    shared.render_snapshot(replace(SAMPLES["19-call-staff"], failure=code))
    assert FAILURES[code].staff in words(shared).replace("\n", "")
    qtbot.waitUntil(lambda: everything_fits(shared))


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
        "(46歳)",
        "30 %",
        "A03 ウ: 月額 80,100 円",
    ):
        assert text in shown
    assert "薬剤情報: 提供する" in shown
    assert "限度額情報: 提供しない" in shown
    publish(lambda: terminal.views[0](None))
    assert "見本" not in words(window)
    assert "06123456" not in words(window)


@pytest.mark.parametrize(
    ("category", "day", "born", "told"),
    [
        ("", date(2026, 4, 1), date(1980, 1, 2), "-"),
        ("A05", date(2026, 4, 1), date(1980, 1, 2), "A05 オ: 月額 35,400 円、4回目から 24,600 円"),
        (
            "B09",
            date(2026, 4, 1),
            date(1940, 1, 2),
            "B09 一般Ⅱ: 月額 57,600 円、4回目から 44,400 円、外来 18,000 円、外来の年間 144,000 円",
        ),
        # The month of the 75th birthday, which two insurances share.
        ("A05", date(2026, 4, 1), date(1951, 4, 20), "A05 オ: 月額 17,700 円、4回目から 12,300 円"),
        (
            "A05",
            date(2026, 8, 1),
            date(1980, 1, 2),
            "A05 オ: 月額 36,900 円、4回目から 24,600 円、金額は未確認です",
        ),
        ("A05", date(2018, 7, 31), date(1980, 1, 2), "A05 オ (この月の金額は登録されていません)"),
    ],
)
def test_a_limit_category_is_told_with_the_amounts_of_the_month(
    category: str, day: date, born: date, told: str
) -> None:
    assert limit_words(category, LIMITS, day, born) == told


def test_every_limit_category_has_a_name() -> None:
    assert {*NAMES} == {category for table in LIMITS.table for category in table.limits}


def test_a_share_that_nobody_told_and_a_limit_that_was_not_agreed_to_are_no_numbers(
    window: CounterWindow, terminal: LiveTerminal
) -> None:
    publish(lambda: terminal.views[0](replace(VIEW, share=None, limit_category="", status="superseded")))
    assert "None" not in words(window)
    assert "提供の同意がありません" in words(window)
    assert "新しい保険者を患者に確認してから会計してください" in words(window)


def test_a_snapshot_of_another_thread_is_shown(window: CounterWindow, terminal: LiveTerminal) -> None:
    publish(lambda: terminal.snapshots[0](SAMPLES["12-consent-medication"]))
    assert "質問 1/3 薬剤情報" in words(window)
    assert "本人確認: 暗証番号" in words(window)


def test_a_part_that_is_down_is_named(window: CounterWindow) -> None:
    parts = Health("ok", "down", "unknown", "ok")
    window.render_snapshot(replace(SAMPLES["01-waiting"], health=parts))
    camera = window.findChild(QLabel, "health_camera")
    engine = window.findChild(QLabel, "health_engine")
    phones = window.findChild(QLabel, "health_phone_reader")
    assert isinstance(camera, QLabel) and camera.text() == "! 使えません"
    assert isinstance(engine, QLabel) and engine.text() == "- 確認中"
    assert isinstance(phones, QLabel) and not phones.isVisible()
    remedy = FAILURES[FailureCode.FACE_CAMERA_LOST].staff
    assert f"! カメラ: {remedy}" in words(window)
    window.lock()
    assert f"! カメラ: {remedy}" in words(window)
    window.render_snapshot(replace(SAMPLES["01-waiting"], health=replace(parts, camera="ok")))
    assert remedy not in words(window)


def test_every_part_has_a_name_and_a_remedy() -> None:
    parts = {"sound", *(part.name for part in fields(Health))} - {"camera_fault"}
    assert set(wording.PARTS) == set(wording.REMEDIES) == parts


@pytest.mark.parametrize("fault", get_args(CameraFault))
def test_every_fault_of_a_camera_has_its_own_remedy(window: CounterWindow, fault: str) -> None:
    parts = replace(SAMPLES["01-waiting"].health, camera="down", camera_fault=fault)
    window.render_snapshot(replace(SAMPLES["01-waiting"], health=parts))
    assert f"! カメラ: {wording.CAMERA_FAULTS[fault]}" in words(window)


@pytest.mark.parametrize("sound", ["ok", "down", "none"])
def test_the_voice_is_a_part_like_the_others(qtbot: QtBot, sound: str) -> None:
    window = CounterWindow(StillTerminal(), sound=lambda: sound)
    qtbot.addWidget(window)
    window.show()
    assert ("音声が出ません" in words(window)) == (sound == "down")
    assert ("音声" in words(window)) == (sound != "none")
    window.close()


def test_staff_are_called_once_and_told_how_long_the_patient_waits(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, called = [0.0], []
    monkeypatch.setattr(QApplication, "beep", lambda: called.append("beep"))
    window = CounterWindow(StillTerminal(), now=lambda: at[0])
    qtbot.addWidget(window)
    window.show()
    window.render_snapshot(SAMPLES["08-pin-entry"])
    called.clear()
    for number in range(3):
        window.render_snapshot(replace(SAMPLES["20-staff-called"], number=number))
    assert called == ["beep"]
    at[0] = 150.0
    window.look_at_the_clock()
    assert "2 分経過" in words(window)
    window.render_snapshot(SAMPLES["08-pin-entry"])
    assert "分経過" not in words(window)
    window.close()


def test_completed_is_said_only_when_it_is(window: CounterWindow) -> None:
    for name, sample in SAMPLES.items():
        window.render_snapshot(sample)
        assert ("この受付は完了しました" in words(window)) == sample.completed, name


def test_staff_are_not_called_to_a_patient_who_cancelled(window: CounterWindow) -> None:
    window.render_snapshot(replace(SAMPLES["19-call-staff"], failure=FailureCode.CANCELLED))
    assert wording.STATES["CALL_STAFF"] not in words(window)
    window.render_snapshot(replace(SAMPLES["19-call-staff"], failure=FailureCode.STAFF_CALLED))
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
def test_a_bench_that_fails_says_so_and_does_not_take_the_window_along(
    qtbot: QtBot, terminal: LiveTerminal
) -> None:
    class Broken(Bench):
        def remove(self) -> None:
            raise ValueError("no such person")

    window = CounterWindow(terminal, Broken())
    qtbot.addWidget(window)
    window.show()
    press(window, "pull_card")
    qtbot.waitUntil(lambda: "できませんでした: no such person" in words(window))
    press(window, "insert_card")
    qtbot.waitUntil(lambda: "できませんでした" not in words(window))
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


# --- Visual check, lock, today's visits, help from afar -------------------------------------------------------------

NINE = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
CHOOSING = replace(SAMPLES["04-method-choice"], visual_possible=True, visit="visit-1")
COMPARING = replace(CHOOSING, state=State.VISUAL_CHECK, screen="VISUAL_CHECK", visual_possible=False)


class StaffedTerminal(LiveTerminal):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, bytes]] = []
        self.answer = StaffAnswer(Verdict.WRONG)
        self.visuals: list[Callable[[VisualView | None], None]] = []

    def subscribe_visual(self, callback: Callable[[VisualView | None], None]) -> Callable[[], None]:
        self.visuals.append(callback)
        return lambda: self.visuals.remove(callback)

    def staff_ids(self) -> tuple[str, ...]:
        return ("desk-1",)

    def verify_staff(self, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]) -> None:
        self.start_visual("", staff, password, told)

    def start_visual(
        self, visit: str, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]
    ) -> None:
        self.asked.append((visit, staff, bytes(password)))
        told(self.answer)


class Office:
    def __init__(self) -> None:
        self.registered: list[tuple[str, str]] = []
        self.error: Exception | None = None

    def subscribe(self, callback: Callable[[tuple[Notice, ...]], None]) -> Callable[[], None]:
        return lambda: None

    def dismiss(self, notice: Notice) -> None: ...

    def today(self) -> Today:
        return Today((Entry("visit-1", NINE, "TAKE_CARD", "pin", "completed"),))

    def register_reference(self, view: CounterView, number: str) -> None:
        if self.error:
            raise self.error
        self.registered.append((view.visit, number))


@pytest.fixture
def staffed(qtbot: QtBot) -> Iterator[tuple[CounterWindow, StaffedTerminal, Office]]:
    terminal, office = StaffedTerminal(), Office()
    made = CounterWindow(terminal, BenchWithClips(), office)
    qtbot.addWidget(made)
    made.resize(*SIZE)
    made.show()
    yield made, terminal, office
    made.close()


def field(window: CounterWindow, name: str) -> QLineEdit:
    found = window.findChild(QLineEdit, name)
    assert isinstance(found, QLineEdit)
    return found


def button_of(window: CounterWindow, name: str) -> QPushButton:
    button = window.findChild(QPushButton, name)
    assert isinstance(button, QPushButton) and button.isVisible(), name
    return button


def press(window: CounterWindow, name: str) -> None:
    button_of(window, name).click()


def test_a_password_is_handed_on_with_the_visit_that_staff_saw_and_does_not_stay(
    qtbot: QtBot, staffed: tuple[CounterWindow, StaffedTerminal, Office]
) -> None:
    window, terminal, _ = staffed
    window.render_snapshot(CHOOSING)
    QTest.keyClicks(field(window, "visual_start_password"), "secret words")
    press(window, "visual_start")
    assert terminal.asked == [("visit-1", "desk-1", b"secret words")]
    assert field(window, "visual_start_password").text() == ""
    qtbot.waitUntil(lambda: "パスワードが違います" in words(window))
    qtbot.waitUntil(lambda: everything_fits(window))


def test_the_photo_and_a_reason_stand_beside_the_question_and_go_with_it(
    qtbot: QtBot,
    staffed: tuple[CounterWindow, StaffedTerminal, Office],
) -> None:
    window, terminal, _ = staffed
    window.render_snapshot(COMPARING)
    publish(lambda: terminal.visuals[0](VisualView("visit-1", np.full((320, 240), 90, np.uint8))))
    photo = window.findChild(QLabel, "visual_photo")
    assert isinstance(photo, QLabel) and photo.isVisible() and not photo.pixmap().isNull()
    qtbot.waitUntil(lambda: everything_fits(window))
    press(window, "visual_confirm")
    assert terminal.submitted == []
    assert "理由を選んでください" in words(window)
    reason = window.findChild(QRadioButton, "reason_pin-forgotten")
    assert isinstance(reason, QRadioButton)
    reason.click()
    press(window, "visual_confirm")
    assert terminal.submitted == [flow.StaffConfirmVisual("pin-forgotten")]
    publish(lambda: terminal.visuals[0](None))
    assert photo.pixmap().isNull() and not reason.isChecked()


def personal(window: CounterWindow) -> list[str]:
    """Return the widgets that hold anything of the sample's person, seen or not."""
    found = []
    for widget in window.findChildren(QWidget):
        texts = [widget.accessibleName(), widget.toolTip()]
        texts += [str(getattr(widget, name)()) for name in ("text", "currentText") if hasattr(widget, name)]
        found += [
            text for text in texts if any(each in text for each in ("見本", "みほん", "345678", "1980"))
        ]
        if isinstance(widget, QLabel) and not widget.pixmap().isNull():
            found.append(widget.objectName())
    model = window.today.table.model()
    cells = [
        str(model.index(row, column).data())
        for row in range(model.rowCount())
        for column in range(model.columnCount())
    ]
    return found + [cell for cell in cells if "見本" in cell]


def test_a_locked_window_shows_nobody_until_staff_unlock_it(
    qtbot: QtBot, staffed: tuple[CounterWindow, StaffedTerminal, Office]
) -> None:
    window, terminal, _ = staffed
    publish(lambda: terminal.views[0](VIEW))
    qtbot.waitUntil(lambda: window.today.table.model().rowCount() == 1)
    window.today.table.selectRow(0)
    window.today.search.setText("みほん")
    QTest.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    assert window.locked
    assert "画面をロックしています" in words(window)
    publish(lambda: terminal.views[0](VIEW))
    publish(lambda: terminal.visuals[0](VisualView("visit-1", np.full((320, 240), 90, np.uint8))))
    assert not personal(window)
    QTest.keyClicks(field(window, "unlock_password"), "wrong")
    press(window, "unlock")
    QTest.qWait(0)
    assert window.locked
    terminal.answer = StaffAnswer(Verdict.RIGHT)
    QTest.keyClicks(field(window, "unlock_password"), "right")
    press(window, "unlock")
    qtbot.waitUntil(lambda: not window.locked)
    assert "見本 花子" in words(window)
    # Whoever came meanwhile is known, and a check that goes on has its photo back.
    assert window.today.table.model().index(0, 3).data() == "見本 花子"
    photo = window.findChild(QLabel, "visual_photo")
    assert isinstance(photo, QLabel) and not photo.pixmap().isNull()


def test_a_window_that_nobody_uses_locks_itself(qtbot: QtBot) -> None:
    at = [0.0]
    window = CounterWindow(StaffedTerminal(), hide_after_s=60, now=lambda: at[0])
    qtbot.addWidget(window)
    window.show()
    at[0] = 50.0
    QTest.mouseClick(window, Qt.MouseButton.LeftButton)
    at[0] = 100.0
    window.look_at_the_clock()
    assert not window.locked
    at[0] = 110.0
    window.look_at_the_clock()
    assert "画面をロックしています" in words(window)
    window.close()


def test_a_name_goes_after_its_time_although_the_card_was_left_in(qtbot: QtBot) -> None:
    at, terminal = [0.0], LiveTerminal()
    window = CounterWindow(terminal, hide_after_s=60, now=lambda: at[0])
    qtbot.addWidget(window)
    window.show()
    publish(lambda: terminal.views[0](VIEW))
    assert "見本 花子" in words(window)
    for at[0] in (50.0, 70.0):
        QTest.mouseClick(window, Qt.MouseButton.LeftButton)
        window.look_at_the_clock()
    assert not window.locked
    assert not personal(window)
    window.close()


def test_a_visit_of_today_is_found_and_gets_its_chart_number(
    qtbot: QtBot, staffed: tuple[CounterWindow, StaffedTerminal, Office]
) -> None:
    window, terminal, office = staffed
    publish(lambda: terminal.views[0](replace(VIEW, visit="visit-1")))
    qtbot.waitUntil(lambda: window.today.table.model().rowCount() == 1)
    QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(window.today.search, "345678")
    assert "薬剤情報: 提供する" in words(window)
    QTest.keyClicks(field(window, "chart_number"), "A-77")
    press(window, "register_chart")
    qtbot.waitUntil(lambda: "A-77 を登録しました" in words(window))
    assert office.registered == [("visit-1", "A-77")]
    assert window.today.table.model().index(0, 4).data() == "A-77"
    # Another person of today has that number: both are named, and only a second press goes on.
    publish(
        lambda: terminal.views[0](replace(VIEW, visit="visit-0", name="別人 一郎", reference_number="B-1"))
    )
    window.today.chart.setText("B-1")
    press(window, "register_chart")
    assert "B-1 は、本日の 別人 一郎 (1980年1月2日生) の番号です" in words(window)
    assert len(office.registered) == 1
    press(window, "register_chart")
    qtbot.waitUntil(lambda: "B-1 を登録しました" in words(window))
    office.error = Refused("INSURED_AMBIGUOUS")
    window.today.chart.setText("A-78")
    press(window, "register_chart")
    qtbot.waitUntil(lambda: "お一人に決まらない" in words(window))


def test_staff_help_from_afar(window: CounterWindow, terminal: LiveTerminal) -> None:
    window.render_snapshot(replace(CHOOSING, staff_message=StaffText.COME))
    for name in ("show_text", "hide_text", "give_time", "cancel_visit", "cancel_visit", "desk"):
        press(window, name)
    window.render_snapshot(replace(SAMPLES["01-waiting"], desk_open=False))
    press(window, "desk")
    assert terminal.submitted == [
        flow.ShowStaffText(flow.StaffText.COMING),
        flow.ShowStaffText(flow.StaffText.NONE),
        flow.MoreTime(),
        flow.Cancel(),
        flow.CloseDesk(),
        flow.OpenDesk(),
    ]


def test_a_visit_is_cancelled_by_two_presses_of_the_same_visit_only(
    window: CounterWindow, terminal: LiveTerminal
) -> None:
    window.render_snapshot(CHOOSING)
    QTest.keyClick(window, Qt.Key.Key_F8)
    assert "もう一度" in button_of(window, "cancel_visit").text()
    window.render_snapshot(replace(CHOOSING, visit="visit-2"))
    press(window, "cancel_visit")
    assert terminal.submitted == []
    QTest.keyClick(window, Qt.Key.Key_F8)
    assert terminal.submitted == [flow.Cancel()]


def test_keys_stand_on_what_they_press_and_press_it(window: CounterWindow, terminal: LiveTerminal) -> None:
    window.render_snapshot(replace(CHOOSING, staff_message=StaffText.COME))
    for key in (Qt.Key.Key_F6, Qt.Key.Key_F7, Qt.Key.Key_F4, Qt.Key.Key_F9):
        QTest.keyClick(window, key)
    assert [type(event).__name__ for event in terminal.submitted] == [
        "ShowStaffText",
        "ShowStaffText",
        "MoreTime",
        "CloseDesk",
    ]
    for made in window.findChildren(QPushButton):
        for shortcut in made.findChildren(QShortcut):
            assert made.text().endswith(shortcut.key().toString()), made.text()
            assert shortcut.key().toString() not in made.accessibleName()


def test_figures_are_saved_where_staff_say_and_nowhere_else(qtbot: QtBot, tmp_path: Path) -> None:
    names = iter(["", str(tmp_path / "day.csv"), str(tmp_path / "no" / "day.csv")])
    panel = DayPanel(lambda: next(names))
    qtbot.addWidget(panel)
    panel.show_today(Office().today())
    panel.show()
    button = panel.findChild(QPushButton, "export_csv")
    note = panel.findChild(QLabel, "csv_note")
    assert isinstance(button, QPushButton) and isinstance(note, QLabel)
    for said in ("", "保存しました", "保存できません"):
        button.click()
        assert note.text().startswith(said)
    assert [path.name for path in tmp_path.iterdir()] == ["day.csv"]
    assert "9時台 完了1" in panel.chart.accessibleName()


def test_the_panel_of_a_simulated_bench_disturbs_devices_and_server(qtbot: QtBot) -> None:
    done: list[str] = []

    class Faults:
        def next(self, kind: str) -> None:
            done.append(f"next {kind}")

        def always(self, kind: str) -> None:
            done.append(f"always {kind}")

        def clear(self) -> None:
            done.append("clear")

    class Server:
        faults = Faults()

        def stop(self) -> None:
            done.append("stop")

        def start(self) -> None:
            done.append("start")

    class Handy(BenchWithClips):
        can = HANDS - {"black_camera"}
        server = Server()

        def kill_engine(self) -> None:
            done.append("kill")

        def do(self, hand: str, seconds: float = 0.0) -> None:
            done.append(hand)

        def tap_phone(self, name: str | None = None) -> None:
            done.append(f"tap {name}")

    window = CounterWindow(LiveTerminal(), Handy())
    qtbot.addWidget(window)
    for name in (
        "unplug_reader",
        "plug_reader",
        "tap_phone",
        "stop_server",
        "start_server",
        "fault_next",
        "fault_none",
        "kill_engine",
    ):
        button = window.findChild(QPushButton, name)
        assert isinstance(button, QPushButton), name
        button.click()
    assert window.findChild(QPushButton, "black_camera") is None
    qtbot.waitUntil(lambda: len(done) == 8)
    assert done == ["unplug_reader", "plug_reader", "tap age39", "stop", "start", "next 500", "clear", "kill"]
    window.close()


def test_every_hand_and_every_fault_of_a_bench_has_a_button() -> None:
    by_person = {"insert_card", "remove_card", "tap_phone"}
    assert {*CARDS, *DEVICES, *by_person} == HANDS
    assert set(FAULTS) == set(get_args(FaultKind))


def test_what_staff_have_shown_lies_over_the_patients_window_until_it_is_taken_away(
    qtbot: QtBot, terminal: LiveTerminal
) -> None:
    patient = PatientWindow(terminal)
    qtbot.addWidget(patient)
    note = StaffNote(patient, terminal)
    patient.show()
    for text, told in STAFF_TEXTS.items():
        publish(lambda text=text: terminal.snapshots[-1](replace(CHOOSING, staff_message=text.value)))  # type: ignore[misc]
        assert note.title.accessibleName().endswith(told)
        assert patient.rect().contains(note.geometry())
        for button in patient.findChildren(QPushButton):
            place = QRect(button.mapTo(patient, QPoint(0, 0)), button.size())
            assert not button.isVisible() or not note.geometry().intersects(place), button.objectName()
        assert note.title.height() >= note.title.heightForWidth(note.title.width())
    publish(lambda: terminal.snapshots[-1](CHOOSING))
    assert note.isHidden()
    patient.close()
    assert terminal.snapshots == []
