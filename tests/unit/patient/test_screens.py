import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QFontDatabase, QFontInfo, QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFrame, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from config import Screen
from consent.choices import ConsentAnswer, Item
from hardware.face.guidance import Guidance
from reception import flow
from reception.flow import Method
from reception.flow.failures import FailureCode
from reception.patient import tokens
from reception.patient.bridge import Bridge
from reception.patient.pages import FaceMatchPage, page_for
from reception.patient.widgets import CameraPreview, PinDots
from reception.patient.widgets.buttons import BigButton
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import Snapshot
from reception.testing.gallery import DISPLAYS, SAMPLES, StillTerminal, save_gallery
from reception.texts import catalogue, wording
from reception.texts.failures import FAILURES
from tests.support.accessibility import accessible_texts
from tests.support.geometry import troubles

JA = catalogue("ja")
WIDTH, HEIGHT = Screen().width, Screen().height
SCREENS = {
    *(state.value for state in flow.State),
    "LAST_TRY",
    "BUNDLE",
    "PRESCRIPTION",
    "HELP",
    "ATTRIBUTE_QR",
    "DESK_CLOSED",
    "LEAVE",
    "SUMMARY",
    "MATCHED",
}


class LiveTerminal(StillTerminal):
    def __init__(self) -> None:
        super().__init__()
        self.callbacks: list[Callable[[Snapshot], None]] = []
        self.frame_callbacks: list[Callable[[NDArray[np.uint8]], None]] = []
        self.colour_callbacks: list[Callable[[str | None], None]] = []

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def subscribe_frames(self, callback: Callable[[NDArray[np.uint8]], None]) -> Callable[[], None]:
        self.frame_callbacks.append(callback)
        return lambda: self.frame_callbacks.remove(callback)

    def subscribe_colours(self, callback: Callable[[str | None], None]) -> Callable[[], None]:
        self.colour_callbacks.append(callback)
        return lambda: self.colour_callbacks.remove(callback)


@pytest.fixture(scope="module")
def shared(qapp: QApplication) -> Iterator[tuple[LiveTerminal, PatientWindow]]:
    """One window for all tests: a window is made in a tenth of a second, a snapshot shown in a hundredth."""
    terminal = LiveTerminal()
    window = PatientWindow(terminal)
    window.show()
    # A person needs longer to see a page than a test.
    guarded, BigButton.guard_s = BigButton.guard_s, 0.0
    yield terminal, window
    BigButton.guard_s = guarded
    window.close()


@pytest.fixture
def terminal(shared: tuple[LiveTerminal, PatientWindow]) -> LiveTerminal:
    shared[0].submitted.clear()
    return shared[0]


@pytest.fixture
def window(shared: tuple[LiveTerminal, PatientWindow], terminal: LiveTerminal) -> PatientWindow:
    render(shared[1], Snapshot())
    shared[1].setFocus()
    return shared[1]


def render(window: PatientWindow, snapshot: Snapshot) -> None:
    window.render_snapshot(snapshot)
    QTest.qWait(0)


def visible(window: QWidget, kind: type[QWidget]) -> list[QWidget]:
    return [widget for widget in window.findChildren(kind) if widget.isVisible()]


def button(window: QWidget, name: str) -> QPushButton:
    found = [widget for widget in window.findChildren(QPushButton, name) if widget.isVisible()]
    assert len(found) == 1, f"{name}: {len(found)} visible"
    return found[0]


def click(window: QWidget, name: str) -> None:
    QTest.mouseClick(button(window, name), Qt.MouseButton.LeftButton)


def assert_everything_fits(window: PatientWindow) -> None:
    assert list(troubles(window, DISPLAYS["portrait"])) == []


def test_calls_into_qt_leave_pythons_own_constants_alone(window: PatientWindow) -> None:
    """PySide6 6.12.0 took a reference of None with every call; a terminal would have lived for minutes."""
    before = [sys.getrefcount(one) for one in (None, True, False)]
    for _ in range(2000):
        window.setMinimumWidth(1)
        window.setVisible(True)
        window.update()
    after = [sys.getrefcount(one) for one in (None, True, False)]
    assert all(now > then - 500 for now, then in zip(after, before, strict=True)), (before, after)


def test_there_is_a_page_and_a_sample_for_every_screen() -> None:
    assert {sample.screen for sample in SAMPLES.values()} == SCREENS


@pytest.mark.parametrize("screen", sorted(SCREENS))
def test_every_screen_has_its_page(qtbot: QtBot, screen: str) -> None:
    qtbot.addWidget(page_for(screen, lambda event: None, JA))


def test_every_question_fits(window: PatientWindow) -> None:
    for item in Item:
        render(window, replace(SAMPLES["13-consent-checkup"], question=item))
        assert_everything_fits(window)


def test_a_certificate_is_asked_by_its_own_name_and_used_or_not(window: PatientWindow) -> None:
    render(window, SAMPLES["39-certificates"])
    told = [label.accessibleName() for label in visible(window, QLabel)]
    assert "2枚目の受給者証: 小児慢性特定疾病医療費助成" in told
    assert [button(window, name).text() for name in ("given", "declined")] == ["利用する", "利用しない"]
    render(window, SAMPLES["39-certificate"])
    assert "こども医療費助成" in [label.accessibleName() for label in visible(window, QLabel)]
    render(window, SAMPLES["39-certificates-summary"])
    told = [each.accessibleName() for each in visible(window, QPushButton)]
    assert "1枚目の受給者証: 利用する (こども医療費助成)" in told
    assert "2枚目の受給者証: 利用しない (小児慢性特定疾病医療費助成)" in told


def test_the_longest_name_of_a_certificate_fits_on_every_display(qtbot: QtBot) -> None:
    names = ("医" * 30, "療" * 30)
    for screen in DISPLAYS.values():
        window = PatientWindow(StillTerminal(), screen)
        qtbot.addWidget(window)
        window.show()
        for name in ("39-certificates", "39-certificates-summary", "39-certificates-used"):
            for seconds in (None, 20):
                render(window, replace(SAMPLES[name], subsidies=names, seconds_left=seconds))
                assert list(troubles(window, screen)) == []


@pytest.mark.parametrize("name", ["39-certificates", "39-certificates-summary", "39-certificates-used"])
def test_the_window_keeps_no_name_of_a_certificate_once_something_else_is_shown(
    window: PatientWindow, name: str
) -> None:
    def kept() -> list[str]:
        parts: list[QLabel | QPushButton] = [
            *window.findChildren(QLabel),
            *window.findChildren(QPushButton),
        ]
        return [text for part in parts for text in (part.text(), part.accessibleName()) if "助成" in text]

    asked = SAMPLES[name]
    render(window, asked)
    assert any(asked.subsidies[1] in text for text in kept())
    render(window, SAMPLES["01-waiting"])
    assert [text for text in kept() if any(each in text for each in asked.subsidies)] == []


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_is_told_with_its_next_step(window: PatientWindow, code: FailureCode) -> None:
    for sample in ("01-waiting", "04-method-choice", "19-call-staff"):
        for seconds in (None, 20):
            render(window, replace(SAMPLES[sample], failure=code, seconds_left=seconds))
            assert_everything_fits(window)
        told = "".join(label.accessibleName() for label in visible(window, QLabel))
        assert FAILURES[code].next_step in told
    for sample in ("08-pin-entry", "10-last-try", "21-out-of-service"):
        render(window, replace(SAMPLES[sample], failure=code, seconds_left=20))
        assert_everything_fits(window)


def test_every_guidance_of_the_face_gate_has_words_that_fit(window: PatientWindow) -> None:
    for guidance in Guidance:
        render(window, replace(SAMPLES["06-face-match"], guidance=guidance.value))
        assert wording.GUIDANCE[guidance] in [label.accessibleName() for label in visible(window, QLabel)]
        assert_everything_fits(window)


@pytest.mark.parametrize(
    ("sample", "name", "event"),
    [
        ("04-method-choice", "choose_face", flow.Choose(flow.Method.FACE)),
        ("04-method-choice", "choose_pin", flow.Choose(flow.Method.PIN)),
        ("04-method-choice", "cancel", flow.AskCancel()),
        ("30-leave", "keep_on", flow.KeepOn()),
        ("30-leave", "leave_visit", flow.Cancel()),
        ("31-summary", "change_HEALTH_CHECKUP", flow.ChangeAnswer(Item.HEALTH_CHECKUP)),
        ("31-summary", "confirm_answers", flow.ConfirmAnswers()),
        ("39-certificates", "given", flow.Answer(ConsentAnswer.GIVEN)),
        ("39-certificates", "declined", flow.Answer(ConsentAnswer.DECLINED)),
        ("39-certificates-summary", "change_MEDICAL_SUBSIDY", flow.ChangeAnswer(Item.MEDICAL_SUBSIDY)),
        ("39-certificates-summary", "change_MEDICAL_SUBSIDY_2", flow.ChangeAnswer(Item.MEDICAL_SUBSIDY, 2)),
        ("13-consent-checkup", "previous_question", flow.PreviousQuestion()),
        ("33-staff-called-in-visit", "keep_on", flow.KeepOn()),
        ("34-no-method-left", "ask_by_sight", flow.CallStaff()),
        ("38-help-in-visit", "help_face", flow.Choose(flow.Method.FACE)),
        ("28-help-lost", "help_call", flow.CallStaff()),
        ("04-method-choice", "call_staff", flow.CallStaff()),
        ("05-method-choice-face-failed", "more_time", flow.MoreTime()),
        ("06-face-match", "back_to_choice", flow.BackToChoice()),
        ("08-pin-entry", "key_7", flow.PinDigit(7)),
        ("08-pin-entry", "key_0", flow.PinDigit(0)),
        ("08-pin-entry", "pin_backspace", flow.PinBackspace()),
        ("08-pin-entry", "pin_clear", flow.PinClear()),
        ("08-pin-entry", "pin_submit", flow.PinSubmit()),
        ("08-pin-entry", "back_to_choice", flow.BackToChoice()),
        ("10-last-try", "accept_last_try", flow.AcceptLastTry()),
        ("10-last-try", "back_to_choice", flow.BackToChoice()),
        ("12-consent-medication", "given", flow.Answer(ConsentAnswer.GIVEN)),
        ("12-consent-medication", "declined", flow.Answer(ConsentAnswer.DECLINED)),
        ("14-limit-consent", "given", flow.Answer(ConsentAnswer.GIVEN)),
        ("14-limit-consent", "declined", flow.Answer(ConsentAnswer.DECLINED)),
        ("19-call-staff", "call_staff", flow.CallStaff()),
    ],
)
def test_a_tap_sends_one_event(
    window: PatientWindow, terminal: LiveTerminal, sample: str, name: str, event: flow.Event
) -> None:
    render(window, SAMPLES[sample])
    click(window, name)
    assert terminal.submitted == [event]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_button_has_a_name_and_is_accepted_by_the_flow(
    window: PatientWindow, terminal: LiveTerminal, name: str
) -> None:
    sample = SAMPLES[name]
    render(window, sample)
    for widget in visible(window, QPushButton):
        assert widget.objectName()
        assert widget.accessibleName()
        assert widget.height() >= 71  # 12 mm
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
    accepted = {row.event for row in flow.TRANSITIONS if flow.State(sample.state) in row.states}
    typed = {flow.PinDigit, flow.PinBackspace, flow.PinClear, flow.SigningKey, flow.SigningBackspace}
    later = sample.state in ("PHONE_TAP", "VISUAL_CHECK", "CARD_USE_OFFER")
    for event in terminal.submitted:
        assert later or type(event) in accepted | typed, f"{event} does nothing in {sample.state}"


def tap(widget: QWidget, at_ms: int) -> None:
    """Press and release as a screen does, at a chosen time."""
    middle = QPointF(widget.rect().center())
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    for kind, held in ((QEvent.Type.MouseButtonPress, left), (QEvent.Type.MouseButtonRelease, none)):
        event = QMouseEvent(
            kind, middle, widget.mapToGlobal(middle), left, held, Qt.KeyboardModifier.NoModifier
        )
        event.setTimestamp(at_ms)
        QApplication.sendEvent(widget, event)


def test_a_double_tap_answers_one_question_only(window: PatientWindow, terminal: LiveTerminal) -> None:
    render(window, SAMPLES["12-consent-medication"])
    tap(button(window, "given"), 10_000_000)
    render(window, SAMPLES["13-consent-checkup"])
    tap(button(window, "given"), 10_000_150)
    assert len(terminal.submitted) == 1
    tap(button(window, "given"), 10_001_500)
    assert len(terminal.submitted) == 2


def test_a_quick_tap_somewhere_else_counts(window: PatientWindow, terminal: LiveTerminal) -> None:
    render(window, SAMPLES["12-consent-medication"])
    tap(button(window, "given"), 20_000_000)
    tap(button(window, "cancel"), 20_000_150)
    assert terminal.submitted == [flow.Answer(ConsentAnswer.GIVEN), flow.AskCancel()]


def test_both_answers_are_of_one_size_and_neither_has_the_focus(window: PatientWindow) -> None:
    render(window, SAMPLES["12-consent-medication"])
    given, declined = button(window, "given"), button(window, "declined")
    assert given.size() == declined.size()
    assert not given.hasFocus()
    assert not declined.hasFocus()
    assert not given.isDefault()


def test_the_keyboard_reaches_an_answer_and_shows_where_it_is(
    window: PatientWindow, terminal: LiveTerminal, qtbot: QtBot
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    render(window, SAMPLES["12-consent-medication"])
    given = button(window, "given")
    plain = given.grab().toImage()
    for _ in range(10):
        focused = QApplication.focusWidget()
        assert focused is not None
        QTest.keyClick(focused, Qt.Key.Key_Tab)
        if given.hasFocus():
            break
    assert given.hasFocus()
    assert given.grab().toImage() != plain
    QTest.keyClick(given, Qt.Key.Key_Return)
    assert terminal.submitted == [flow.Answer(ConsentAnswer.GIVEN)]


def test_a_wired_key_pad_types_the_pin_and_only_there(window: PatientWindow, terminal: LiveTerminal) -> None:
    render(window, SAMPLES["12-consent-medication"])
    QTest.keyClick(window, Qt.Key.Key_4)
    assert terminal.submitted == []
    render(window, SAMPLES["08-pin-entry"])
    for key in (Qt.Key.Key_4, Qt.Key.Key_Backspace, Qt.Key.Key_Enter):
        QTest.keyClick(window, key)
    assert terminal.submitted == [flow.PinDigit(4), flow.PinBackspace(), flow.PinSubmit()]


def test_the_screen_after_typing_is_the_same_for_every_pin(window: PatientWindow, qtbot: QtBot) -> None:
    seen = set()
    for digits in ("1234", "9876"):
        render(window, SAMPLES["01-waiting"])
        render(window, replace(SAMPLES["08-pin-entry"], pin_digits=0))
        for count, digit in enumerate(digits, 1):
            click(window, f"key_{digit}")
            render(window, replace(SAMPLES["08-pin-entry"], pin_digits=count))
        seen.add("\n".join(accessible_texts(window)))
        assert not any(digits in text for text in accessible_texts(window))
        shown = [label.accessibleName() for label in visible(window, QLabel)]
        assert not any(digits in text for text in shown)
    assert len(seen) == 1


def test_dots_count_and_do_not_tell_digits(qtbot: QtBot) -> None:
    dots = PinDots(JA)
    qtbot.addWidget(dots)
    dots.show_count(3)
    assert dots.accessibleName() == "暗証番号 3桁 入力済み"


def test_quick_taps_on_one_key_all_count(window: PatientWindow, terminal: LiveTerminal) -> None:
    render(window, SAMPLES["08-pin-entry"])
    for at_ms in (30_000_000, 30_000_150):
        tap(button(window, "key_1"), at_ms)
    assert terminal.submitted == [flow.PinDigit(1), flow.PinDigit(1)]


def test_a_card_without_pin_offers_the_face_only(window: PatientWindow) -> None:
    render(window, replace(SAMPLES["04-method-choice"], methods=(Method.FACE,)))
    names = [widget.objectName() for widget in visible(window, QPushButton)]
    assert "choose_face" in names
    assert "choose_pin" not in names
    assert_everything_fits(window)


def test_completion_is_never_shown_before_it_is_true(window: PatientWindow) -> None:
    for name, sample in SAMPLES.items():
        render(window, sample)
        words = "".join(label.accessibleName() for label in visible(window, QLabel))
        assert ("受付が完了しました" in words) == sample.completed, name


def test_the_badge_shows_on_a_simulated_bench_only(window: PatientWindow) -> None:
    for simulated in (True, False):
        render(window, replace(SAMPLES["01-waiting"], simulated=simulated))
        assert ("模擬" in [label.accessibleName() for label in visible(window, QLabel)]) == simulated


def test_what_a_thread_publishes_is_shown(
    window: PatientWindow, terminal: LiveTerminal, qtbot: QtBot
) -> None:
    sample = SAMPLES["06-face-match"]
    image = np.full((480, 640, 3), 200, np.uint8)

    def publish() -> None:
        terminal.callbacks[0](sample)
        terminal.frame_callbacks[0](image)

    thread = Thread(target=publish)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: window.shown == sample)
    preview = window.findChild(CameraPreview)
    assert preview is not None
    qtbot.waitUntil(lambda: not preview.empty)
    render(window, SAMPLES["11-checking"])
    assert preview.empty


def test_a_frame_after_the_match_is_not_kept(window: PatientWindow) -> None:
    render(window, SAMPLES["06-face-match"])  # a page is made when it is first shown
    render(window, SAMPLES["11-checking"])
    window.show_frame(np.zeros((480, 640, 3), np.uint8))
    page = window.findChild(FaceMatchPage)
    assert page is not None
    assert page.preview.empty


def test_a_closed_window_has_left_the_terminal(qapp: QApplication) -> None:
    terminal = LiveTerminal()
    window = PatientWindow(terminal)
    late = terminal.callbacks[0]
    window.close()
    assert terminal.callbacks == []
    assert (terminal.frame_callbacks, terminal.colour_callbacks) == ([], [])
    late(SAMPLES["11-checking"])
    QTest.qWait(0)
    assert window.shown == Snapshot()


def test_of_waiting_frames_only_the_newest_is_passed(qtbot: QtBot) -> None:
    bridge, passed = Bridge(), []
    bridge.frame.connect(lambda image: passed.append(int(image[0, 0, 0])))
    for value in range(5):
        bridge.take_frame(np.full((2, 2, 3), value, np.uint8))
    qtbot.waitUntil(lambda: bool(passed))
    assert passed == [4]


@pytest.mark.parametrize("shape", [(480, 640, 3), (640, 480, 3), (1000, 500, 3)])
def test_the_preview_is_a_mirror(qtbot: QtBot, shape: tuple[int, int, int]) -> None:
    preview = CameraPreview(JA)
    qtbot.addWidget(preview)
    image = np.zeros(shape, np.uint8)
    image[:, : shape[1] // 2] = (0, 0, 255)
    preview.show_frame(image)
    shown = preview.grab().toImage()
    at_left, at_right = shown.pixelColor(60, 20), shown.pixelColor(360, 20)
    assert at_left.red() == 0
    assert at_right.red() > 60
    assert at_right.blue() == 0


def test_the_oval_is_green_when_the_face_is_where_it_belongs(qtbot: QtBot) -> None:
    preview = CameraPreview(JA)
    qtbot.addWidget(preview)

    def greens() -> int:
        shown = preview.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        pixels = np.frombuffer(shown.constBits(), np.uint8).reshape(shown.height(), shown.bytesPerLine())
        red, green = pixels[:, 0 : 3 * shown.width() : 3], pixels[:, 1 : 3 * shown.width() : 3]
        return int(np.count_nonzero(green.astype(int) - red > 60))

    preview.show_guidance(None)
    assert greens() == 0
    preview.show_frame(np.zeros((480, 640, 3), np.uint8))
    assert greens() > 1000
    preview.show_guidance(Guidance.CLOSER)
    assert greens() == 0


def test_a_japanese_font_is_there(window: PatientWindow) -> None:
    assert QFontDatabase.families(QFontDatabase.WritingSystem.Japanese)
    label = visible(window, QLabel)[0]
    assert QFontInfo(label.font()).family() in tokens.FONTS


def test_who_has_taken_the_card_is_not_told_to_take_it(window: PatientWindow) -> None:
    for code in FailureCode:
        render(window, replace(SAMPLES["01-waiting"], failure=code))
        told = "".join(label.accessibleName() for label in visible(window, QLabel))
        assert "お取りください" not in told
        assert "カードを取り" not in told


@pytest.mark.parametrize("code", FailureCode)
def test_lines_keep_every_character_and_stay_short(code: FailureCode) -> None:
    for text in (FAILURES[code].patient, FAILURES[code].next_step):
        broken = wording.lines(text, 24)
        assert broken.replace("\n", "") == text
        assert max(map(len, broken.splitlines())) <= 26


def test_the_gallery_has_every_page_as_a_picture_and_what_it_shows_in_numbers(
    qapp: object, tmp_path: Path
) -> None:
    paths = save_gallery(tmp_path / "pictures")
    pages = json.loads((tmp_path / "pictures" / "pages.json").read_text(encoding="utf-8"))
    assert [page["file"] for page in pages] == [path.name for path in paths]
    assert {path.name for path in paths} >= {f"{name}.png" for name in SAMPLES}
    for path in paths:
        picture = QImage(str(path))
        assert (picture.width(), picture.height()) == (WIDTH, HEIGHT)
    question = next(page for page in pages if page["file"] == "12-consent-medication.png")
    assert (question["state"], question["language"], question["size"]) == ("CONSENT", "ja", [WIDTH, HEIGHT])
    answers = [button for button in question["buttons"] if button["role"] == "answer"]
    assert [answer["label"] for answer in answers] == ["同意する", "同意しない"]
    assert answers[0]["rect"][2:] == answers[1]["rect"][2:] and answers[0]["least_mm"] >= 20


def test_a_forgotten_card_is_called_for_but_never_in_red(window: PatientWindow) -> None:
    tones = []
    for reminders in (0, 1, 2):
        render(window, replace(SAMPLES["16-take-card"], reminders=reminders))
        shown = [frame.property("tone") for frame in visible(window, QFrame) if frame.property("tone")]
        tones.append(shown)
    assert tones == [["success"], ["success", "caution"], ["success", "caution"]]


def test_the_colours_of_the_flash_cover_the_window_and_end_with_the_match(
    terminal: LiveTerminal, window: PatientWindow
) -> None:
    def middle() -> str:
        QTest.qWait(0)
        return window.grab().toImage().pixelColor(window.width() // 2, window.height() // 2).name()

    render(window, Snapshot(screen="FACE_MATCH"))
    tell = terminal.colour_callbacks[0]
    before = middle()
    for colour, seen in (("RED", "#ff0000"), ("GREEN", "#00ff00"), ("BLUE", "#0000ff")):
        tell(colour)
        assert middle() == seen
    tell(None)
    assert middle() == before
    tell("RED")
    assert middle() == "#ff0000"
    render(window, Snapshot(screen="METHOD_CHOICE"))
    assert middle() != "#ff0000"
    tell("BLUE")
    assert middle() != "#0000ff"
