"""The counter's page on the second display of a one-machine site, by the command of its unit file."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.counter import CHROMIUM, Terminal, needs_browser, page_of, soon
from tests.support.desktop import desktop, needs_desktop

pytestmark = [needs_browser, needs_desktop, pytest.mark.timeout(120)]

UNIT = ROOT / "packaging" / "reception-counter-display.service"
PATIENT, COUNTER = (800, 1280), (1280, 1024)
"""Width and height of the two displays, which X shows beside each other."""


def command_of(unit: Path, url: str, profile: Path) -> list[str]:
    """The unit's command for another page and profile; nothing else of it is changed."""
    (line,) = [each for each in unit.read_text("utf-8").splitlines() if each.startswith("ExecStart=")]
    program, *words = shlex.split(line.removeprefix("ExecStart="))
    assert program == "/usr/bin/chromium"
    assert any(word.startswith("--app=http://127.0.0.1:") for word in words)
    replaced = {"--app": url, "--user-data-dir": str(profile)}
    told = [
        f"{name}={replaced[name]}" if (name := word.partition("=")[0]) in replaced else word for word in words
    ]
    # In a test it may run as root, and without a graphics card.
    return [CHROMIUM or program, *told, "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def test_the_unit_shows_the_page_on_the_second_display_and_leaves_the_patients_alone(tmp_path: Path) -> None:
    width, height = PATIENT[0] + COUNTER[0], max(PATIENT[1], COUNTER[1])
    memory = tmp_path / "screen"
    memory.mkdir()
    with page_of([Terminal()], tmp_path) as program, desktop(memory, width, height) as screen:
        environment = {**os.environ, "DISPLAY": screen.name, "HOME": str(tmp_path)}
        browser = subprocess.Popen(
            command_of(UNIT, program.url, tmp_path / "profile"),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # In Japanese, whatever the language of this machine.
            def is_shown() -> bool:
                title, place = screen.window("..+")
                return "受付の窓口" in title and place == (PATIENT[0], 0, *COUNTER)

            soon(is_shown, "the page is not shown where it should be")
            screen.keep_picture("counter-second-display")
            assert not screen.picture()[:, : PATIENT[0]].any(), "something covers the patient's window"
        finally:
            browser.terminate()
            browser.wait(20)
