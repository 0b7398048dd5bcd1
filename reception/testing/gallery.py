"""Pictures of every screen, drawn from sample snapshots without a terminal behind them."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from config import ConfigError, Screen
from consent.choices import ConsentAnswer, Item
from reception.flow import AttributeOutcome, DisplayMode, Event, HelpTopic, Language, Method, State, Step
from reception.flow.failures import FailureCode
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import CounterView, Health, Snapshot, VisualView
from reception.terminal.staff import StaffAnswer
from reception.testing.measured import measured
from reception.texts import catalogue

_AT_CARD = Snapshot(
    visit="sample",
    step=Step.READ,
    state=State.READING,
    screen="READING",
    card_in=True,
    simulated=True,
    health=Health("ok", "ok", "ok", "ok"),
)
_IDENTITY = replace(_AT_CARD, step=Step.IDENTITY, methods=(Method.FACE, Method.PIN))
_PIN = replace(_IDENTITY, state=State.PIN_ENTRY, screen="PIN_ENTRY", pin_tries_left=3)
_CONSENT = replace(
    _AT_CARD, step=Step.CONSENT, state=State.CONSENT, screen="CONSENT", identity=Method.PIN, question_count=3
)
_LIMIT = replace(
    _AT_CARD,
    step=Step.COMPLETE,
    state=State.LIMIT_CONSENT,
    screen="LIMIT_CONSENT",
    question=Item.LIMIT_AMOUNT,
    question_count=3,
)
_ANSWERED = (
    (Item.MEDICATION, ConsentAnswer.GIVEN),
    (Item.HEALTH_CHECKUP, ConsentAnswer.DECLINED),
    (Item.LIMIT_AMOUNT, ConsentAnswer.GIVEN),
)
_CERTIFICATES = replace(
    _CONSENT,
    question=Item.MEDICAL_SUBSIDY,
    question_number=4,
    question_count=4,
    subsidy_number=2,
    subsidy_count=2,
    subsidies=("こども医療費助成", "小児慢性特定疾病医療費助成"),
)
_USED = (
    *_ANSWERED[:2],
    (Item.MEDICAL_SUBSIDY, ConsentAnswer.GIVEN),
    (Item.MEDICAL_SUBSIDY, ConsentAnswer.DECLINED),
)
_DONE = replace(
    _AT_CARD,
    step=Step.COMPLETE,
    state=State.TAKE_CARD,
    screen="TAKE_CARD",
    completed=True,
    answers=_ANSWERED,
    until="2026-04-02T14:05",
)
_OFFER = replace(_DONE, state=State.ATTRIBUTE_OFFER, screen="ATTRIBUTE_OFFER")
_IDLE = replace(_AT_CARD, visit="", step="", state=State.WAITING, screen="WAITING", card_in=False)
_PHONE = replace(
    _IDENTITY,
    state=State.PHONE_TAP,
    screen="PHONE_TAP",
    methods=(Method.IPHONE, Method.ANDROID),
    card_in=False,
    phones_ready=True,
    by_phone=True,
)

SAMPLES: dict[str, Snapshot] = {
    "01-waiting": _IDLE,
    "02-waiting-card-pulled": replace(_IDLE, failure=FailureCode.PIN_ENTRY_CARD_REMOVED),
    "03-reading": _AT_CARD,
    "04-method-choice": replace(_IDENTITY, state=State.METHOD_CHOICE, screen="METHOD_CHOICE"),
    "05-method-choice-face-failed": replace(
        _IDENTITY,
        state=State.METHOD_CHOICE,
        screen="METHOD_CHOICE",
        failure=FailureCode.FACE_NOT_SEEN,
        seconds_left=18,
    ),
    "06-face-match": replace(_IDENTITY, state=State.FACE_MATCH, screen="FACE_MATCH", guidance="CLOSER"),
    "07-face-match-good": replace(_IDENTITY, state=State.FACE_MATCH, screen="FACE_MATCH"),
    "08-pin-entry": replace(_PIN, pin_digits=2),
    "09-pin-wrong": replace(_PIN, pin_tries_left=2, failure=FailureCode.PIN_WRONG, seconds_left=15),
    "10-last-try": replace(_PIN, screen="LAST_TRY", pin_tries_left=1),
    "11-checking": replace(_IDENTITY, state=State.CHECKING, screen="CHECKING", identity=Method.PIN),
    "12-consent-medication": replace(_CONSENT, question=Item.MEDICATION, question_number=1),
    "13-consent-checkup": replace(_CONSENT, question=Item.HEALTH_CHECKUP, question_number=2, seconds_left=20),
    "14-limit-consent": replace(_LIMIT, question_number=3),
    "15-sending": replace(_LIMIT, state=State.SENDING, screen="SENDING", question="", question_count=0),
    "16-take-card": _DONE,
    "17-take-card-reminder": replace(_DONE, reminders=1),
    "17-take-card-reminder-again": replace(_DONE, reminders=3),
    "18-complete": replace(_DONE, state=State.COMPLETE, screen="COMPLETE", card_in=False),
    "19-call-staff": replace(
        _IDENTITY, state=State.CALL_STAFF, screen="CALL_STAFF", failure=FailureCode.CERTIFICATE_EXPIRED
    ),
    "20-staff-called": replace(
        _IDENTITY, state=State.CALL_STAFF, screen="CALL_STAFF", failure=FailureCode.STAFF_CALLED
    ),
    "21-out-of-service": replace(
        _IDLE,
        state=State.OUT_OF_SERVICE,
        screen="OUT_OF_SERVICE",
        failure=FailureCode.READER_LOST,
        health=Health(reader="down"),
    ),
    "22-phone-tap": replace(_PHONE, phone=Method.IPHONE),
    "22-phone-tap-reading": replace(_PHONE, phone=Method.ANDROID, reading_phone=True),
    "22-phone-tap-moved": replace(
        _PHONE, phone=Method.IPHONE, failure=FailureCode.PHONE_MOVED, seconds_left=20
    ),
    "22-phone-choice": replace(_PHONE, state=State.METHOD_CHOICE, screen="METHOD_CHOICE"),
    "22-phone-pin": replace(
        _PHONE, state=State.PIN_ENTRY, screen="PIN_ENTRY", phone=Method.ANDROID, pin_digits=1
    ),
    "22-phone-pin-again": replace(
        _PHONE,
        state=State.PIN_ENTRY,
        screen="PIN_ENTRY",
        phone=Method.ANDROID,
        failure=FailureCode.PHONE_MOVED_AFTER_PIN,
    ),
    "22-phone-waiting": replace(_IDLE, phones_ready=True),
    "22-phone-waiting-failed": replace(_IDLE, phones_ready=True, failure=FailureCode.PHONE_READER_LOST),
    "22-phone-checking": replace(_PHONE, state=State.CHECKING, screen="CHECKING", phone=Method.IPHONE),
    "23-visual-check": replace(_IDENTITY, state=State.VISUAL_CHECK, screen="VISUAL_CHECK"),
    "24-card-use-offer": replace(
        _CONSENT, state=State.CARD_USE_OFFER, screen="CARD_USE_OFFER", seconds_left=20
    ),
    "25-bundle": replace(_CONSENT, screen="BUNDLE", question=Item.MEDICATION, question_number=1),
    "27-desk-closed": replace(
        _IDLE,
        state=State.OUT_OF_SERVICE,
        screen="DESK_CLOSED",
        desk_open=False,
        failure=FailureCode.CANCELLED,
    ),
    "28-help": replace(_IDLE, screen="HELP", help=HelpTopic.LIST),
    **{
        f"28-help-{topic}": replace(_IDLE, screen="HELP", help=topic)
        for topic in HelpTopic
        if topic != "list"
    },
    "29-pharmacy-consent": replace(
        _CONSENT, question=Item.MEDICATION, question_number=1, facility="pharmacy"
    ),
    "29-take-card-grace": replace(_DONE, notice="grace"),
    "30-leave": replace(_CONSENT, screen="LEAVE", question=Item.MEDICATION, question_number=1),
    "31-summary": replace(_CONSENT, screen="SUMMARY", question="", answers=_ANSWERED),
    "31-summary-all": replace(
        _CONSENT,
        screen="SUMMARY",
        question="",
        seconds_left=20,
        answers=tuple((item, ConsentAnswer.GIVEN) for item in Item),
    ),
    "32-matched": replace(_IDENTITY, state=State.CHECKING, screen="MATCHED", identity=Method.FACE),
    "33-staff-called-in-visit": replace(
        _CONSENT,
        step=Step.CONSENT,
        state=State.CALL_STAFF,
        screen="CALL_STAFF",
        failure=FailureCode.STAFF_CALLED,
        interrupted=True,
        staff_called=True,
    ),
    "33-waiting-staff-called": replace(_IDLE, failure=FailureCode.STAFF_CALLED, staff_called=True),
    "34-no-method-left": replace(
        _IDENTITY, state=State.CALL_STAFF, screen="CALL_STAFF", failure=FailureCode.NO_METHOD_LEFT, methods=()
    ),
    "35-pin-short": replace(_PIN, pin_digits=2, pin_short=True),
    "36-limit-current": replace(_LIMIT, step=Step.CONSENT, question_number=3),
    "37-age-unknown": replace(_CONSENT, question=Item.HEALTH_CHECKUP, question_number=2, age_known=False),
    "38-help-in-visit": replace(_IDENTITY, state=State.METHOD_CHOICE, screen="HELP", help=HelpTopic.PIN),
    "38-help-list-in-visit": replace(
        _IDENTITY, state=State.METHOD_CHOICE, screen="HELP", help=HelpTopic.LIST
    ),
    "39-certificate": replace(
        _CERTIFICATES, question_count=3, question_number=3, subsidy_number=1, subsidy_count=1
    ),
    "39-certificates": _CERTIFICATES,
    "39-certificates-summary": replace(
        _CERTIFICATES, screen="SUMMARY", question="", subsidy_number=0, answers=_USED
    ),
    "39-certificates-used": replace(_DONE, answers=_USED, subsidy_count=2, subsidies=_CERTIFICATES.subsidies),
    "40-attribute-offer": replace(_OFFER, attribute="address"),
    "40-attribute-offer-name": replace(_OFFER, attribute="name", seconds_left=20),
    "41-attribute-sign": replace(
        _OFFER, state=State.ATTRIBUTE_SIGN, screen="ATTRIBUTE_SIGN", signing_tries_left=5
    ),
    "41-attribute-sign-wrong": replace(
        _OFFER,
        state=State.ATTRIBUTE_SIGN,
        screen="ATTRIBUTE_SIGN",
        signing_tries_left=4,
        signing_missed=True,
        signing_characters=8,
        seconds_left=15,
    ),
    "42-attribute-qr": replace(
        _OFFER,
        state=State.ATTRIBUTE_SIGN,
        screen="ATTRIBUTE_QR",
        qr="https://portal.example/portal/0123456789abcdef0123456789abcdef",
    ),
    "43-take-card-number": replace(
        _DONE, card_in=False, queue_number="A012", wait_at="2番窓口", attribute_outcome=AttributeOutcome.GIVEN
    ),
    "44-complete-line": replace(
        _DONE,
        state=State.COMPLETE,
        screen="COMPLETE",
        card_in=False,
        queue_number="A012",
        announcement="更新は、有効期限の3か月前から、市区町村の窓口でできます。手数料はかかりません。",
        announcement_qr="https://www.kojinbango-card.go.jp/",
    ),
    "26-prescription": replace(_CONSENT, screen="PRESCRIPTION", question_count=0),
}
"""A snapshot for every screen, and for the ways in which some of them look different."""


class StillTerminal:
    """A terminal that publishes nothing and keeps what was submitted."""

    def __init__(self) -> None:
        self.submitted: list[Event] = []

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Never calls."""
        return lambda: None

    def subscribe_frames(self, callback: Callable[[NDArray[np.uint8]], None]) -> Callable[[], None]:
        """Never calls."""
        return lambda: None

    def subscribe_colours(self, callback: Callable[[str | None], None]) -> Callable[[], None]:
        """Never calls."""
        return lambda: None

    def subscribe_counter(self, callback: Callable[[CounterView | None], None]) -> Callable[[], None]:
        """Never calls."""
        return lambda: None

    def subscribe_visual(self, callback: Callable[[VisualView | None], None]) -> Callable[[], None]:
        """Never calls."""
        return lambda: None

    def staff_ids(self) -> tuple[str, ...]:
        """Nobody has a password."""
        return ()

    def verify_staff(self, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]) -> None:
        """Never tells."""

    def start_visual(
        self, visit: str, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]
    ) -> None:
        """Never tells."""

    def submit(self, event: Event) -> None:
        """Keep the event."""
        self.submitted.append(event)


DISPLAYS = {
    "portrait": Screen(density_dpi=150),
    "landscape": Screen(width=1024, height=600, density_dpi=170),
}
DENSITIES = {(800, 1280): 150.0, (1280, 800): 150.0, (1024, 600): 170.0, (3840, 2160): 192.0}
"""px per inch of displays of these sizes, as they are sold; of others it is taken to be 96."""


def screen_of(width: int, height: int, density_dpi: float | None = None) -> Screen:
    """Return a display of this size in px; raises ConfigError naming what is not allowed."""
    density = DENSITIES.get((width, height), 96.0) if density_dpi is None else density_dpi
    try:
        return Screen(width=width, height=height, density_dpi=density)
    except ValueError as error:
        # The last lines of pydantic's own are: what is wrong, and where to read about it.
        told = str(error).splitlines()
        raise ConfigError(f"a display of {width}x{height} px, {density:g} dpi: {told[2].strip()}") from None


def save_gallery(
    folder: Path,
    frame: NDArray[np.uint8] | None = None,
    *,
    screen: Screen | None = None,
    language: Language = Language.JA,
    mode: DisplayMode = DisplayMode.NORMAL,
) -> list[Path]:
    """Save a PNG of every page, and pages.json with what each shows; return the paths of the pictures.

    Makes a QApplication where there is none. Without a display the caller sets QT_QPA_PLATFORM=offscreen first.
    ``frame`` is shown by the camera preview, (H, W, 3) uint8 BGR; without it the preview is grey. What has no room on
    a page is on a further picture, NN-name-2.png.
    """
    application = QCoreApplication.instance() or QApplication([])
    folder.mkdir(parents=True, exist_ok=True)
    shown_on = screen or DISPLAYS["portrait"]
    window = PatientWindow(StillTerminal(), shown_on)
    window.show()
    window.show_sound(catalogue(language)("音声: ふつう"))
    paths: list[Path] = []
    pages: list[dict[str, object]] = []
    for name, snapshot in SAMPLES.items():
        window.render_snapshot(replace(snapshot, language=language, display_mode=mode))
        if frame is not None:
            window.show_frame(frame)
        for number in range(1, 1 + window.page_count):
            application.processEvents()
            path = folder / (f"{name}.png" if number == 1 else f"{name}-{number}.png")
            if not window.grab().save(str(path)):
                raise OSError(f"{path}: cannot be written")
            paths.append(path)
            pages.append(
                {
                    "file": path.name,
                    "state": snapshot.state,
                    "screen": snapshot.screen,
                    "language": language,
                    "mode": mode,
                    "size": [shown_on.width, shown_on.height],
                    "density_dpi": shown_on.density_dpi,
                    **measured(window, shown_on.density_dpi),
                }
            )
            window.turn_page()
    window.close()
    told = json.dumps(pages, ensure_ascii=False, indent=1)
    (folder / "pages.json").write_text(told + "\n", encoding="utf-8")
    return paths


def without_display() -> None:
    """Draw where nobody sees it, and keep Qt quiet: it says on every window that it has no size hints to pass on."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    qInstallMessageHandler(lambda kind, context, text: None)
