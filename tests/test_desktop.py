"""The program on a desktop, used from outside: real windows, real clicks, real signals."""

import configparser
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

import config
from config.person import load_person, shipped_people
from reception.__main__ import _parser, main
from reception.counter.window import CounterWindow
from reception.journal import INTERRUPTED
from reception.screens.gallery import SAMPLES, StillTerminal
from reception.screens.window import PatientWindow
from reception.site import journal_file
from reception.snapshot import Snapshot
from tests.desktop import Desktop, Picture, Place, Program, desktop, needs_desktop

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "packaging" / "reception-terminal.service"
SAME = 0.0003
"""Share of pixels: more than the cursor has, less than a dot of the PIN."""
PATIENT, COUNTER = "マイナンバーカード受付", "受付の窓口"


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    with desktop(tmp_path_factory.mktemp("desktop"), 1720, 1280) as made:
        yield made


class Hands:
    """A bench for a window that is only measured."""

    def people(self) -> list[str]:
        return list(shipped_people())

    def insert(self, person: str) -> None: ...

    def remove(self) -> None: ...

    def show(self, person: str) -> None: ...


class Drawn:
    """The same windows drawn here: where their buttons are, and what the pages look like."""

    def __init__(self, qtbot: QtBot) -> None:
        self.patient = PatientWindow(StillTerminal())
        self.counter = CounterWindow(StillTerminal(), Hands())
        for window in (self.patient, self.counter):
            qtbot.addWidget(window)
            window.show()

    def page(self, sample: str | Snapshot) -> None:
        snapshot = SAMPLES[sample] if isinstance(sample, str) else sample
        self.patient.render_snapshot(snapshot)
        self.patient.repaint()

    def button(self, name: str) -> Place:
        return centre(self.patient, name)

    def picture(self) -> Picture:
        image = self.patient.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        pixels = np.frombuffer(image.constBits(), np.uint8).reshape(
            image.height(), image.bytesPerLine() // 4, 4
        )
        return pixels[:, : image.width(), :3].copy()


def centre(window: QWidget, name: str) -> Place:
    for button in window.findChildren(QPushButton, name):
        if button.isVisible():
            at = button.mapTo(window, QPoint(button.width() // 2, button.height() // 2))
            return at.x(), at.y()
    raise AssertionError(f"no button {name} is visible")


@pytest.fixture
def drawn(qtbot: QtBot) -> Iterator[Drawn]:
    made = Drawn(qtbot)
    yield made
    made.patient.close()
    made.counter.close()


def difference(one: Picture, other: Picture) -> float:
    """Share of pixels that clearly differ."""
    return float((np.abs(one.astype(int) - other).max(2) > 60).mean())


class Session:
    """A program on a desktop, seen as a patient and staff see it."""

    def __init__(self, screen: Desktop, drawn: Drawn, program: Program, name: str) -> None:
        self._screen, self._drawn, self._program, self._name = screen, drawn, program, name
        self._pictures = 0
        self.patient = screen.window(PATIENT)

    def sees(self, page: str | Snapshot, within_s: float = 15.0) -> None:
        """Wait until the patient's window shows exactly this page."""
        self._drawn.page(page)
        wanted = self._drawn.picture()
        x, y, width, height = self.patient
        deadline = time.monotonic() + within_s
        while True:
            shown = self._screen.picture()[y : y + height, x : x + width]
            if shown.shape == wanted.shape and difference(shown, wanted) < SAME:
                self._pictures += 1
                self._screen.keep_picture(f"{self._name}-{self._pictures:02}")
                return
            if time.monotonic() > deadline:
                self._screen.keep_picture(f"{self._name}-failed")
                told = "\n".join(self._program.lines)
                raise AssertionError(f"the window does not show {page}:\n{told}")
            time.sleep(0.05)

    def touches(self, name: str) -> None:
        """Press a button of the page that was last seen."""
        x, y = centre(self._drawn.patient, name)
        self._screen.click((self.patient[0] + x, self.patient[1] + y))

    def staff_press(self, name: str) -> None:
        """Press a button of the counter's window."""
        left, top, width, height = self._screen.window(COUNTER)
        self._drawn.counter.resize(width, height)
        x, y = centre(self._drawn.counter, name)
        self._screen.click((left + x, top + y))


@needs_desktop
def test_a_visit_by_pin_is_played_by_clicks_until_the_patient_reads_that_it_is_complete(
    screen: Desktop, drawn: Drawn, tmp_path: Path
) -> None:
    program = Program(screen, "--state", tmp_path)
    try:
        session = Session(screen, drawn, program, "pin-visit")
        session.sees("22-phone-waiting")
        session.staff_press("insert_card")
        session.sees("04-method-choice")
        session.touches("choose_pin")
        asked = replace(SAMPLES["08-pin-entry"], pin_digits=0)
        session.sees(asked)
        for count, digit in enumerate(load_person(next(iter(shipped_people()))).card.pin, 1):
            if count < 3:
                session.touches(f"key_{digit}")
            else:  # a key pad on a cable does the same
                screen.xdotool("key", digit)
            session.sees(replace(asked, pin_digits=count))
        session.touches("pin_submit")
        session.sees(replace(SAMPLES["12-consent-medication"], question_count=2))
        session.touches("given")
        session.sees(replace(SAMPLES["14-limit-consent"], question_number=2, question_count=2))
        session.touches("declined")
        session.sees("16-take-card")
        session.staff_press("pull_card")
        session.sees("18-complete")
    finally:
        code = program.end()
    assert code == 0


# --- Kiosk ------------------------------------------------------------------------------------------------------


@needs_desktop
def test_a_terminal_killed_in_a_visit_comes_back_into_waiting_and_knows_which_visit_broke_off(
    screen: Desktop, drawn: Drawn, tmp_path: Path
) -> None:
    # Its server is another program, and not there; until a card is read nobody misses it.
    terminal = ("terminal", "--bench", "simulated", "--state", tmp_path)
    program = Program(screen, *terminal)
    try:
        Session(screen, drawn, program, "killed").staff_press("insert_card")
        program.wait_for("METHOD_CHOICE")
        program.kill()
        program = Program(screen, *terminal, "--kiosk")
        session = Session(screen, drawn, program, "kiosk")
        assert session.patient == (0, 0, 1720, 1280)
        drawn.patient.resize(1720, 1280)
        session.sees("22-phone-waiting")
        # No cursor shows, wherever it is.
        pictures = []
        for place in ((10, 10), (860, 640)):
            screen.xdotool("mousemove", *place)
            time.sleep(0.2)
            pictures.append(screen.picture())
        assert np.array_equal(pictures[0], pictures[1])
        # Keys that close windows elsewhere change nothing.
        screen.xdotool("key", "Escape", "alt+F4", "ctrl+q", "F11")
        time.sleep(0.2)
        session.sees("22-phone-waiting")
    finally:
        code = program.end()
    assert code == 0
    with closing(sqlite3.connect(journal_file(config.load(), tmp_path))) as journal:
        outcomes = journal.execute("SELECT outcome FROM visits").fetchall()
    assert outcomes == [(INTERRUPTED,)]


PLACES = """
import json, sys
from PySide6.QtWidgets import QApplication, QWidget
from reception.screens.kiosk import Kiosk, NoSuchDisplay

application, told = QApplication(sys.argv), []
for display, with_counter in json.loads(sys.argv[1]):
    patient, counter = QWidget(), QWidget() if with_counter else None
    windows = [window for window in (patient, counter) if window]
    try:
        kiosk = Kiosk(application, patient, counter, display)
    except NoSuchDisplay as error:
        told.append(str(error))
        continue
    places = [window.geometry().getRect() if window.isVisible() else None for window in windows]
    patient.close()
    stays, hidden = patient.isVisible(), patient.cursor().shape().name == "BlankCursor"
    kiosk.release()
    for window in windows:
        window.close()
    told.append([places, stays, hidden, patient.isVisible()])
print(json.dumps(told))
"""


def places(tmp_path: Path, displays: int, *cases: tuple[int, bool]) -> Any:
    """Put a kiosk on one of some displays that are side by side, with or without the counter's window.

    For each case: where the windows are, whether the patient's stays when it is closed, whether its cursor is hidden,
    and whether it is still there at the end; or why it was refused.
    """
    screens = [
        {"name": f"D-{n}", "x": 900 * n, "y": 0, "width": 800 + n, "height": 1280} for n in range(displays)
    ]
    for one in screens:
        one.update(logicalDpi=96, logicalBaseDpi=96, dpr=1)
    file = tmp_path / "displays.json"
    file.write_text(json.dumps({"screens": screens}))
    done = subprocess.run(
        [sys.executable, "-c", PLACES, json.dumps(cases)],
        env={**os.environ, "QT_QPA_PLATFORM": f"offscreen:configfile={file}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_a_kiosk_fills_the_chosen_of_two_displays_and_the_counter_the_other(tmp_path: Path) -> None:
    first, second, alone, nowhere = places(tmp_path, 2, (1, True), (2, True), (2, False), (3, True))
    left, right = [0, 0, 800, 1280], [900, 0, 801, 1280]
    assert first == [[left, right], True, True, False]
    assert second == [[right, left], True, True, False]
    assert alone == [[right], True, True, False]
    there = "1 (D-0, 800 x 1280), 2 (D-1, 801 x 1280)"
    assert nowhere == f"--display 3: there is no such display; there are: {there}"


def test_on_a_single_display_the_counter_never_covers_the_patients_window(tmp_path: Path) -> None:
    assert places(tmp_path, 1, (1, True)) == [[[[0, 0, 800, 1280], None], True, True, False]]


def test_a_display_is_chosen_for_a_kiosk_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    assert main(["terminal", "--display", "2", "--state", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "reception: --display: only with --kiosk\n"


def test_the_unit_starts_at_boot_comes_back_and_is_allowed_what_it_needs_only() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=", allow_no_value=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    service = unit["Service"]
    assert (service["Restart"], unit["Unit"]["StartLimitIntervalSec"]) == ("always", "0")
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    assert service["User"] not in ("", "root")
    for hardening in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "LockPersonality"):
        assert service[hardening] == "yes"
    assert service["LimitCORE"] == service["MemorySwapMax"] == "0"
    words = service["ExecStart"].split()
    ours = words[words.index("terminal") : words.index("--")]
    options = _parser().parse_args(ours)
    assert options.kiosk
    assert options.state == Path("/var/lib") / service["StateDirectory"]


def test_the_polkit_rule_lets_the_units_user_use_readers() -> None:
    rule = (UNIT.parent / "50-reception-pcsc.rules").read_text(encoding="utf-8")
    user = next(line for line in UNIT.read_text(encoding="utf-8").splitlines() if line.startswith("User="))
    assert f'subject.user == "{user.removeprefix("User=")}"' in rule
    assert all(f"org.debian.pcsc-lite.{action}" in rule for action in ("access_pcsc", "access_card"))
