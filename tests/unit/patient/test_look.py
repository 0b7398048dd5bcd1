"""How the patient's window looks in every size, mode and language: measured, not looked at."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QRect, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from config import Screen
from consent.choices import ConsentAnswer
from reception import flow
from reception.flow import DisplayMode, Language
from reception.flow.failures import FailureCode
from reception.patient import tokens
from reception.patient.tokens import CONTRAST, LIGHT, Colours
from reception.patient.widgets import CameraPreview, CardPicture, TouchButton, Words, pictures
from reception.patient.widgets.buttons import BigButton
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import Snapshot
from reception.testing.gallery import SAMPLES, StillTerminal, screen_of
from reception.texts import lines
from tests.support.geometry import answers_differ, box, leaves, troubles

SCREENS = {
    "portrait": screen_of(800, 1280),
    "poster": screen_of(1080, 1920),
    "landscape": screen_of(1024, 600),
    "laptop": screen_of(1366, 768),
    "desktop": screen_of(1920, 1080),
    "4k": screen_of(3840, 2160),
}
"""10.1, 24, 7, 16, 23 and 23 inch: every composition, on the display that has the least room for it, and on others."""
COMPOSED = {
    "portrait": "portrait",
    "poster": "portrait",
    "landscape": "compact",
    "laptop": "roomy",
    "desktop": "roomy",
    "4k": "roomy",
}
PLAIN, LARGE, BLACK = DisplayMode.NORMAL, DisplayMode.LARGE, DisplayMode.CONTRAST
EVERY_CASE = [
    (name, language, mode) for name in SCREENS for language in Language for mode in (PLAIN, LARGE, BLACK)
]
ANSWERS = (
    ("given", "declined"),
    ("agree_to_all", "decline_all"),
    ("register", "do_not_register"),
    ("electronic", "paper"),
)


class Windows:
    """One window for each display, for all tests: they only show snapshots in it."""

    def __init__(self) -> None:
        self._made: dict[str, PatientWindow] = {}

    def get(self, name: str) -> PatientWindow:
        if name not in self._made:
            self._made[name] = PatientWindow(StillTerminal(), SCREENS[name])
            self._made[name].show()
            self._made[name].show_sound("音声: ふつう")
        return self._made[name]

    def close(self) -> None:
        for window in self._made.values():
            window.close()


@pytest.fixture(scope="module")
def windows(qapp: QApplication) -> Iterator[Windows]:
    made = Windows()
    yield made
    made.close()


def show(window: PatientWindow, snapshot: Snapshot) -> None:
    window.render_snapshot(snapshot)
    QApplication.processEvents()


def shown_pages(window: PatientWindow) -> Iterator[int]:
    """Turn over every page of what is shown."""
    for number in range(1, window.page_count + 1):
        QApplication.processEvents()
        yield number
        window.turn_page()


def wrong(windows: Windows, name: str, language: Language, mode: DisplayMode) -> list[str]:
    """Return what is wrong with every sample, each with where."""
    window, found = windows.get(name), []
    for sample, snapshot in SAMPLES.items():
        show(window, replace(snapshot, language=language, display_mode=mode))
        where = f"{sample} in {language}, {name}, {mode}"
        for page in shown_pages(window):
            found += [f"{where}, page {page}: {trouble}" for trouble in troubles(window, SCREENS[name])]
        buttons = {one.objectName(): one for one in window.findChildren(TouchButton) if one.isVisible()}
        for one, other in ANSWERS:
            if one in buttons and (differ := answers_differ(buttons[one], buttons[other])):
                found.append(f"{where}: {one} and {other}: {differ}")
    return found


# --- Geometry ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "language", "mode"), EVERY_CASE[::17])
def test_nothing_is_outside_cut_off_too_small_or_weighted_in_some_of_all_cases(
    windows: Windows, name: str, language: Language, mode: DisplayMode
) -> None:
    assert wrong(windows, name, language, mode) == []


@pytest.mark.long
@pytest.mark.parametrize(("name", "language", "mode"), EVERY_CASE)
def test_nothing_is_outside_cut_off_too_small_or_weighted(
    windows: Windows, name: str, language: Language, mode: DisplayMode
) -> None:
    assert wrong(windows, name, language, mode) == []


@pytest.mark.parametrize("name", SCREENS)
def test_a_window_is_composed_for_its_display(windows: Windows, name: str) -> None:
    assert windows.get(name).look.sizes.composition == COMPOSED[name]


@pytest.mark.parametrize(
    ("width", "height"),
    [
        (1024, 600),
        (1280, 720),
        (1280, 800),
        (1600, 900),
        (1920, 1200),
        (2560, 1080),
        (2560, 1440),
        (3840, 2160),
    ],
)
def test_every_window_from_the_smallest_to_the_largest_shows_the_whole_page(
    qapp: QApplication, width: int, height: int
) -> None:
    screen = Screen(width=width, height=height, density_dpi=96)
    window = PatientWindow(StillTerminal(), screen)
    window.show()
    for sample in ("01-waiting", "08-pin-entry", "13-consent-checkup", "31-summary"):
        show(window, SAMPLES[sample])
        assert list(troubles(window, screen)) == [], sample
    window.close()


def test_what_is_pressed_lies_in_the_lower_two_thirds(windows: Windows) -> None:
    """Within reach of who sits; a display of 7 inches is within reach as a whole."""
    for name in ("portrait", "poster", "laptop", "desktop", "4k"):
        window = windows.get(name)
        for sample in ("04-method-choice", "08-pin-entry", "12-consent-medication", "25-bundle", "30-leave"):
            show(window, SAMPLES[sample])
            for button in window.findChildren(TouchButton):
                if button.isVisible():
                    assert box(window, button).top() >= window.height() / 3, (
                        name,
                        sample,
                        button.objectName(),
                    )


@pytest.mark.parametrize("name", SCREENS)
def test_ways_out_and_look_are_in_the_same_place_on_every_page(windows: Windows, name: str) -> None:
    window, places = windows.get(name), dict[str, set[tuple[int, ...]]]()
    for sample in SAMPLES.values():
        show(window, sample)
        for button in window.findChildren(TouchButton):
            if button.isVisible() and button.objectName() in ("cancel", "call_staff", "language", "display"):
                here = box(window, button)
                where = here.x(), here.y(), here.width(), here.height()
                places.setdefault(button.objectName(), set()).add(where)
    assert {each: len(where) for each, where in places.items()} == dict.fromkeys(places, 1)


@pytest.mark.parametrize("mode", [PLAIN, LARGE])
@pytest.mark.parametrize("name", SCREENS)
def test_the_choice_of_the_look_fits_the_place_of_the_page(
    windows: Windows, name: str, mode: DisplayMode
) -> None:
    window = windows.get(name)
    show(window, replace(SAMPLES["01-waiting"], display_mode=mode))
    panel = window.findChild(QWidget, "look_panel")
    assert panel is not None
    opens = [one for one in window.findChildren(TouchButton) if one.objectName() in ("language", "display")]
    next(one for one in opens if one.isVisible()).click()
    QApplication.processEvents()
    inside = [widget for widget in leaves(window) if panel.isAncestorOf(widget)]
    assert {f"language_{language}" for language in Language} <= {one.objectName() for one in inside}
    whole = QRect(0, 0, window.width(), window.height())
    for widget in inside:
        assert whole.contains(box(window, widget))
        assert not isinstance(widget, TouchButton) or widget.fits(), widget.objectName()
        others = [one for one in inside if one is not widget]
        assert not any(box(window, widget).intersects(box(window, one)) for one in others)
    window.findChildren(TouchButton, "close_languages")[0].click()


def places(window: PatientWindow) -> list[tuple[str, str, QRect]]:
    return [
        (type(widget).__name__, widget.words if isinstance(widget, Words) else "", box(window, widget))
        for widget in leaves(window)
    ]


@pytest.mark.parametrize("name", SCREENS)
def test_where_things_are_does_not_depend_on_what_was_shown_before(windows: Windows, name: str) -> None:
    samples = [
        replace(SAMPLES[sample], failure=failure)
        for sample in ("01-waiting", "19-call-staff")
        for failure in (FailureCode.STAFF_CALLED, FailureCode.CARD_UNREADABLE, FailureCode.PIN_BLOCKED)
    ]
    window, fresh = windows.get(name), []
    for sample in samples:
        new = PatientWindow(StillTerminal(), SCREENS[name])
        new.show_sound("音声: ふつう")
        new.show()
        show(new, sample)
        fresh.append(places(new))
        new.close()
    for before in samples:
        for sample, expected in zip(samples, fresh, strict=True):
            window.render_snapshot(before)
            show(window, sample)
            assert places(window) == expected


@pytest.mark.parametrize("dpi", [60, 96, 120, 150, 170, 200, 250, 300])
def test_a_page_is_never_smaller_than_its_millimetres_where_the_display_has_room(dpi: int) -> None:
    for composed, (wide, high) in tokens.FIELD.items():
        per_mm = dpi / tokens.MM_PER_INCH
        sizes = tokens.look(round(wide * per_mm + 1), round(high * per_mm + 1), dpi).sizes
        assert sizes.composition == composed
        assert sizes.primary / per_mm >= 20 and sizes.secondary / per_mm >= 12
        assert sizes.body / per_mm >= 5 and sizes.quiet / per_mm >= 5 and sizes.hint / per_mm >= 4.2


def test_large_text_is_half_as_large_again_everywhere_with_the_keys_of_the_pin() -> None:
    for screen in SCREENS.values():
        size = screen.width, screen.height, screen.density_dpi
        plain, large = (tokens.look(*size, mode).sizes for mode in (PLAIN, LARGE))
        for text in ("heading", "body", "hint", "button", "quiet", "key"):
            assert getattr(large, text) == pytest.approx(getattr(plain, text) * 1.5, abs=1.01), text


def test_a_touch_just_after_a_page_came_is_seen_and_does_nothing(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BigButton, "guard_s", 30.0)
    terminal = StillTerminal()
    window = PatientWindow(terminal, SCREENS["portrait"])
    window.show()
    show(window, SAMPLES["12-consent-medication"])
    given = next(one for one in window.findChildren(TouchButton, "given") if one.isVisible())
    plain = given.grab().toImage()
    QTest.mousePress(given, Qt.MouseButton.LeftButton)
    assert given.grab().toImage() != plain
    QTest.mouseRelease(given, Qt.MouseButton.LeftButton)
    assert terminal.submitted == []
    monkeypatch.setattr(BigButton, "guard_s", 0.0)
    declined = next(one for one in window.findChildren(TouchButton, "declined") if one.isVisible())
    QTest.mouseClick(declined, Qt.MouseButton.LeftButton)
    assert terminal.submitted == [flow.Answer(ConsentAnswer.DECLINED)]
    window.close()


# --- Colours -----------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it, of #RRGGBB."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, CONTRAST], ids=["light", "black"])
def test_text_has_a_contrast_of_4_5(colours: Colours) -> None:
    c = colours
    pairs = {
        (c.ink, ground)
        for ground in (
            *(c.background, c.surface, c.held, c.tint),
            *(c.error_tint, c.warning_tint, c.success_tint),
        )
    }
    pairs |= {
        (c.soft, c.background),
        (c.primary, c.background),
        (c.primary, c.held),
        (c.warning, c.background),
    }
    pairs |= {(c.on_primary, c.primary), (c.on_pressed, c.pressed), (c.on_success, c.success)}
    pairs |= {(c.error, c.error_tint), (c.warning, c.warning_tint), (c.success, c.success_tint)}
    for text, ground in pairs:
        assert contrast(text, ground) >= 4.5, (text, ground)
    assert {field.name for field in fields(Colours)} - {
        "line",
        "tint",
        "pale",
        "focus_outer",
        "focus_inner",
    } <= {field.name for field in fields(Colours) for pair in pairs if getattr(c, field.name) in pair}, (
        "a colour of text that this test does not know"
    )


@pytest.mark.parametrize("colours", [LIGHT, CONTRAST], ids=["light", "black"])
def test_shapes_have_a_contrast_of_3(colours: Colours) -> None:
    c = colours
    shapes = [
        (c.line, c.background),
        (c.primary, c.background),
        (c.primary, c.tint),
        (c.success, c.background),
    ]
    shapes += [(c.error, c.background), (c.warning, c.background), (c.success, c.success_tint)]
    shapes += [(c.soft, c.background), (c.on_primary, c.primary), (c.on_success, c.success)]
    for shape, ground in shapes:
        assert contrast(shape, ground) >= 3, (shape, ground)
    # Around a button, and inside a filled one: one of the rings is seen on each ground.
    for ground in (c.background, c.primary):
        assert max(contrast(c.focus_outer, ground), contrast(c.focus_inner, ground)) >= 3
    assert contrast(c.focus_outer, c.focus_inner) >= 3


def hexed(pixel: Iterable[int]) -> str:
    return "#" + "".join(f"{part:02X}" for part in pixel)


def pixels(window: QWidget) -> NDArray[np.uint8]:
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    seen = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return seen[:, : image.width(), 2::-1].copy()


@pytest.mark.parametrize("mode", [DisplayMode.NORMAL, DisplayMode.CONTRAST])
def test_text_as_painted_has_the_contrast_that_the_tokens_promise(
    windows: Windows, mode: DisplayMode
) -> None:
    """The commonest colour of a text's place is its ground, the one furthest from it the letters'."""
    window = windows.get("portrait")
    for sample in (
        "02-waiting-card-pulled",
        "05-method-choice-face-failed",
        "13-consent-checkup",
        "17-take-card-reminder",
    ):
        show(window, replace(SAMPLES[sample], display_mode=mode))
        picture = pixels(window)
        for widget in leaves(window):
            if not isinstance(widget, Words | TouchButton):
                continue
            place = box(window, widget)
            seen = picture[place.top() : place.bottom(), place.left() : place.right()].reshape(-1, 3)
            found, counts = np.unique(seen.astype(np.uint32) @ (65536, 256, 1), return_counts=True)
            ground = f"#{found[counts.argmax()]:06X}"
            common = [f"#{one:06X}" for one in found[counts >= 20]]
            assert max(contrast(one, ground) for one in common) >= 4.5, f"{sample}: {widget.accessibleName()}"


# --- Focus -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [DisplayMode.NORMAL, DisplayMode.CONTRAST])
def test_the_focus_is_seen_on_every_button(windows: Windows, mode: DisplayMode) -> None:
    window = windows.get("portrait")
    window.activateWindow()
    tried = set()
    for sample in ("08-pin-entry", "12-consent-medication", "04-method-choice"):
        show(window, replace(SAMPLES[sample], display_mode=mode))
        for button in window.findChildren(TouchButton):
            if not button.isVisible() or button.objectName() in tried:
                continue
            tried.add(button.objectName())
            button.setFocus()
            assert button.hasFocus()
            ring = pixels(button)[button.height() // 2, :8]
            colours = window.look.colours
            shown = {hexed(one) for one in ring}
            assert {colours.focus_outer, colours.focus_inner} <= shown, button.objectName()
    window.setFocus()
    assert {"key_5", "pin_submit", "given", "declined", "choose_face", "call_staff", "language"} <= tried


# --- Modes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "button", "then"),
    [
        (DisplayMode.NORMAL, "larger_text", DisplayMode.LARGE),
        (DisplayMode.LARGE, "larger_text", DisplayMode.NORMAL),
        (DisplayMode.LARGE, "black_screen", DisplayMode.LARGE_CONTRAST),
        (DisplayMode.LARGE_CONTRAST, "larger_text", DisplayMode.CONTRAST),
        (DisplayMode.CONTRAST, "black_screen", DisplayMode.NORMAL),
    ],
)
def test_one_touch_changes_one_thing_of_the_look(
    qapp: QApplication, mode: DisplayMode, button: str, then: DisplayMode
) -> None:
    terminal = StillTerminal()
    window = PatientWindow(terminal)
    window.show()
    show(window, replace(SAMPLES["12-consent-medication"], display_mode=mode))
    window.findChildren(QPushButton, button)[0].click()
    assert terminal.submitted == [flow.ChooseDisplay(then)]
    window.close()


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_look_can_be_chosen_on_every_screen(windows: Windows, sample: str) -> None:
    offered = {"desktop": {"language", "larger_text", "black_screen"}, "landscape": {"display"}}
    for name, wanted in offered.items():
        window = windows.get(name)
        show(window, SAMPLES[sample])
        names = {button.objectName() for button in window.findChildren(QPushButton) if button.isVisible()}
        assert wanted <= names


def test_the_look_follows_the_snapshot_and_goes_back(windows: Windows) -> None:
    window = windows.get("portrait")
    show(window, SAMPLES["12-consent-medication"])
    plain = window.grab().toImage()
    show(window, replace(SAMPLES["12-consent-medication"], display_mode=DisplayMode.LARGE_CONTRAST))
    assert window.look == tokens.look(800, 1280, 150, "large-contrast")
    assert window.grab().toImage() != plain
    show(window, SAMPLES["12-consent-medication"])
    assert window.grab().toImage() == plain


# --- Painting ----------------------------------------------------------------------------------------------------


class Paints(QObject):
    """Counts what is painted anew."""

    def __init__(self, window: QWidget) -> None:
        super().__init__()
        self.names: list[str] = []
        self._watched = [window, *window.findChildren(QWidget)]
        for widget in self._watched:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 Qt's name
        if event.type() == QEvent.Type.Paint:
            self.names.append(type(watched).__name__)
        return False

    def end(self) -> None:
        for widget in self._watched:
            widget.removeEventFilter(self)


@pytest.mark.parametrize(
    "sample", ["05-method-choice-face-failed", "08-pin-entry", "09-pin-wrong", "13-consent-checkup"]
)
def test_a_snapshot_that_shows_nothing_new_paints_nothing(windows: Windows, sample: str) -> None:
    window = windows.get("portrait")
    show(window, SAMPLES[sample])
    QTest.qWait(0)
    paints = Paints(window)
    for number in range(3):
        show(window, replace(SAMPLES[sample], number=number))
    paints.end()
    assert paints.names == []


def test_a_frame_paints_the_preview_alone(windows: Windows) -> None:
    window = windows.get("portrait")
    show(window, SAMPLES["07-face-match-good"])
    QTest.qWait(0)
    paints = Paints(window)
    window.show_frame(np.full((480, 640, 3), 128, np.uint8))
    QApplication.processEvents()
    paints.end()
    assert set(paints.names) == {"CameraPreview"}


def test_the_card_of_the_picture_moves_and_rests(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    # The picture's own clock would move the card on a slow machine, or went on since the test before.
    monkeypatch.setattr(pictures, "REST_MS", 3_600_000)
    window = windows.get("portrait")
    show(window, SAMPLES["08-pin-entry"])
    show(window, SAMPLES["01-waiting"])
    picture = next(one for one in window.findChildren(CardPicture) if one.isVisible())
    at_rest = picture.grab().toImage()
    picture.advance()
    for _ in range(10):
        picture.advance()
    assert picture.grab().toImage() != at_rest
    show(window, SAMPLES["08-pin-entry"])
    show(window, SAMPLES["01-waiting"])
    assert picture.grab().toImage() == at_rest


def test_the_oval_says_what_is_asked_of_the_face(windows: Windows) -> None:
    window = windows.get("portrait")
    seen = set()
    for guidance in ("", "CLOSER", "FURTHER", "TURN_LEFT", "TURN_RIGHT", "NO_FACE"):
        show(window, replace(SAMPLES["06-face-match"], guidance=guidance))
        preview = next(one for one in window.findChildren(CameraPreview) if one.isVisible())
        preview.show_frame(np.zeros((480, 640, 3), np.uint8))
        seen.add(pixels(preview).tobytes())
    assert len(seen) == 6


# --- Lines -------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("あのはがをに漢字診療、。・「」()aB 9ー\nっ您好，é"), max_size=60)


@given(TEXTS, st.integers(2, 30))
def test_lines_keep_every_letter_and_fit_where_they_can(text: str, room: int) -> None:
    broken = lines.flowed(text, room, len)
    assert "".join("".join(broken).split()) == "".join(text.split())
    # Only what may not be parted is wider: a word, or signs that may not stand alone.
    assert all(len(line) <= room for line in broken if len(line.split()) > 1 and line.isascii())


@pytest.mark.parametrize(
    ("text", "room", "wanted"),
    [
        (
            "マイナンバーカードをカードリーダーに入れてください",
            12,
            ["マイナンバーカードを", "カードリーダーに", "入れてください"],
        ),
        (
            "顔認証または暗証番号のどちらかを選んでください",
            12,
            ["顔認証または暗証番号の", "どちらかを選んでください"],
        ),
        (
            "カードをお取りください。受付の係にお声がけください。",
            13,
            ["カードをお取りください。", "受付の係に", "お声がけください。"],
        ),
        ("同意しない・40歳未満", 8, ["同意しない・", "40歳未満"]),
        ("スマートフォンを使う", 8, ["スマートフォンを", "使う"]),
        ("Please take your card", 12, ["Please take", "your card"]),
        ("请取出卡片，并在此等候。", 8, ["请取出卡片，", "并在此等候。"]),
        ("お顔をはっきり写せませんでした。", 9, ["お顔をはっきり", "写せませんでした。"]),
        ("カードは、そのまま入れておいてください。", 11, ["カードは、そのまま", "入れておいてください。"]),
        ("無料で、24時間つながります。", 8, ["無料で、24時間", "つながります。"]),
        ("3か月前からできます。", 7, ["3か月前から", "できます。"]),
        ("電子証明書を使えなくしてください。", 9, ["電子証明書を", "使えなく", "してください。"]),
        ("今日は、マイナンバーカードで", 9, ["今日は、", "マイナンバー", "カードで"]),
    ],
)
def test_lines_end_between_phrases(text: str, room: int, wanted: list[str]) -> None:
    assert lines.flowed(text, room, len) == wanted
