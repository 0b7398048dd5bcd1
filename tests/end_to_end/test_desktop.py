"""The program as a kiosk, and its unit: whole displays, real signals, and what a crash leaves."""

import configparser
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

import config
from reception.__main__ import main
from reception.commands import parser
from reception.terminal.assembly import journal_file
from reception.terminal.journal import INTERRUPTED
from reception.testing import commands as workshop
from tests.conftest import begun_state
from tests.support import ROOT
from tests.support.desktop import Assistive, Desktop, Program, desktop, needs_desktop, needs_screen_reader
from tests.support.desktop_driver import PANEL, Drawn, Session

UNIT = ROOT / "packaging" / "reception-terminal.service"


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    with desktop(tmp_path_factory.mktemp("desktop"), 1720, 1280) as made:
        yield made


@pytest.fixture
def drawn(qapp: QApplication) -> Iterator[Drawn]:
    made = Drawn()
    yield made
    made.close()


@needs_desktop
@needs_screen_reader
@pytest.mark.timeout(180)
def test_a_terminal_killed_in_a_visit_comes_back_into_waiting_and_knows_which_visit_broke_off(
    screen: Desktop, drawn: Drawn, tmp_path: Path, made_state: Path
) -> None:
    # Its server is another program, and not there; until a card is read nobody misses it.
    terminal = ("terminal", "--bench", "simulated", "--state", begun_state(tmp_path, made_state))
    bus = tmp_path / "bus"
    bus.mkdir()
    reader = Assistive(bus)
    program = Program(screen, *terminal, **reader.environment)
    try:
        reader.press(PANEL, "カードが入っている")
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
        # Compared where the cursor was: the card on the picture beside it moves.
        for x, y in ((0, 0), (830, 610)):
            one, other = (picture[y : y + 60, x : x + 60] for picture in pictures)
            assert np.array_equal(one, other)
        # Keys that close windows elsewhere change nothing.
        screen.xdotool("key", "Escape", "alt+F4", "ctrl+q", "F11")
        time.sleep(0.2)
        session.sees("22-phone-waiting")
    finally:
        code = program.end()
        reader.close()
    assert code == 0
    with closing(sqlite3.connect(journal_file(config.load(), tmp_path))) as journal:
        outcomes = journal.execute("SELECT outcome FROM visits").fetchall()
    assert outcomes == [(INTERRUPTED,)]


PLACES = """
import json, sys
from PySide6.QtWidgets import QApplication, QWidget
from reception.patient.kiosk import Kiosk, NoSuchDisplay

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
    options = parser(workshop).parse_args(ours)
    assert options.kiosk
    assert options.state == Path("/var/lib") / service["StateDirectory"]


def test_the_polkit_rule_lets_the_units_user_use_readers() -> None:
    rule = (UNIT.parent / "50-reception-pcsc.rules").read_text(encoding="utf-8")
    user = next(line for line in UNIT.read_text(encoding="utf-8").splitlines() if line.startswith("User="))
    assert f'subject.user == "{user.removeprefix("User=")}"' in rule
    assert all(f"org.debian.pcsc-lite.{action}" in rule for action in ("access_pcsc", "access_card"))
