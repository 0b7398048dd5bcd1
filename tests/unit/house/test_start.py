"""A terminal watches its reader and shows its window before it loads what only the work on a card needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

TOO_EARLY = {
    "asn1crypto": "a certificate on a card",
    "budoux": "a phrase that is too long for its line",
    "cryptography": "the terminal's key, and a card that proves itself",
    "cv2": "a camera's frame, and a card's photo",
    "fastapi": "the counter's page, a program of its own",
    "http_message_signatures": "a request to the server",
    "numpy": "a camera's frame, a face, the voice",
    "paho": "the broker",
    "requests": "a request to the server",
    "segno": "a QR code",
    "consent.wire": "an answer of the server",
    "reception.fleet.port": "a counter program",
    "reception.speech.prompts": "the voice",
    "reception.terminal.jobs": "the work on a card",
}
"""What takes long to import, and what for it is there."""

WAITING = """
import sys
import threading

import reception.__main__
import reception.patient.plain_imports
from reception.commands import program
from PySide6.QtWidgets import QApplication

application = QApplication([])

import config
import hardware.card.pcsc
import hardware.face.engine
import reception.terminal.assembly
from hardware.card import Presence
from reception.flow import State
from reception.terminal.conductor import Terminal

class Reader:
    name = "nobody's"

    def presence(self):
        return Presence.EMPTY

    def wait_for_change(self, known, timeout_s):
        ended.wait(timeout_s)
        return Presence.EMPTY

    def cancel(self):
        ended.set()

ended, waits = threading.Event(), threading.Event()
terminal = Terminal(config.load(), reader=Reader(), simulated=False)
terminal.subscribe(lambda snapshot: waits.set() if snapshot.state is State.WAITING else None)
terminal.start()
assert waits.wait(10)
program._load_windows()
from reception.patient.window import PatientWindow
window = PatientWindow(terminal)
window.show()
application.processEvents()
assert window.shown.state is State.WAITING
print(" ".join(sys.modules))
terminal.stop()
"""
"""What ``./run terminal`` does until it is ready for a card."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("start")
    done = subprocess.run(
        [sys.executable, "-c", WAITING],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("module", TOO_EARLY)
def test_a_terminal_is_ready_for_a_card_without(module: str, loaded: set[str]) -> None:
    assert module not in loaded, f"only needed for {TOO_EARLY[module]}"


def test_what_is_said_to_be_too_early_is_there_to_be_loaded(loaded: set[str]) -> None:
    assert "reception.patient.window" in loaded
    for module in TOO_EARLY:
        parts = module.split(".")
        if parts[0] in ("consent", "reception"):
            assert Path(ROOT, *parts).with_suffix(".py").exists() or Path(ROOT, *parts).is_dir()
