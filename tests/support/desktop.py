"""A desktop of a test's own: an X server without a screen, its pictures, clicks by xdotool, a screen reader's eyes."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support import ROOT

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 BGR."""
Place = tuple[int, int]
"""x and y on the desktop, px."""

_LACKING = [program for program in ("Xvfb", "xdotool") if shutil.which(program) is None]
needs_desktop = pytest.mark.skipif(bool(_LACKING), reason=f"without {' and '.join(_LACKING)}")
SYSTEM_PYTHON = "/usr/bin/python3"
"""Debian's bindings of the accessibility tree belong to its own Python."""


def _lacking_for_readers() -> str:
    """Say what a screen reader's eyes need and this machine lacks; empty: nothing."""
    lacking = [] if shutil.which("dbus-daemon") else ["dbus"]
    if not Path("/usr/libexec/at-spi-bus-launcher").exists():
        lacking.append("at-spi2-core")
    ask = [SYSTEM_PYTHON, "-c", "import gi; gi.require_version('Atspi', '2.0')"]
    if not Path(SYSTEM_PYTHON).exists() or subprocess.run(ask, capture_output=True, check=False).returncode:
        lacking.append("python3-gi with gir1.2-atspi-2.0")
    return " and ".join(lacking)


PRESS_PAUSE_S = 0.45
"""Two presses at one spot within 0.4 s are a double click, which the screens take for one."""


class Desktop:
    """A running X server. What is on it is read from its memory, which it shares as a file in xwd's format."""

    def __init__(self, name: str, memory: Path) -> None:
        self.name, self._memory = name, memory
        self._last: tuple[Place, float] = (-1, -1), 0.0

    def picture(self) -> Picture:
        """Return what is on the desktop now."""
        data = self._memory.read_bytes()
        header, _, _, _, width, height, _, _, _, _, _, _, line, _, _, _, _, _, _, colours = struct.unpack(
            ">20I", data[:80]
        )
        pixels = np.frombuffer(data, np.uint8, line * height, header + 12 * colours)
        whole = pixels.reshape(height, line // 4, 4)[:, :width]
        return cast(Picture, cv2.cvtColor(whole, cv2.COLOR_BGRA2BGR))

    def xdotool(self, *words: str | int) -> str:
        """Run one of its commands and return what it prints."""
        command = ["xdotool", *map(str, words)]
        environment = {**os.environ, "DISPLAY": self.name}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=90
        )
        return done.stdout.strip()

    def window(self, title: str, within_s: float = 30.0) -> tuple[str, tuple[int, int, int, int]]:
        """Wait for a window; return its whole title, and its x, y, width and height."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                found = self.xdotool("search", "--sync", "--onlyvisible", "--name", f"^{title}$").split()[0]
                lines = self.xdotool("getwindowgeometry", "--shell", found).splitlines()
                values = dict(line.split("=") for line in lines)
                place = tuple(int(values[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))
                return self.xdotool("getwindowname", found), cast(tuple[int, int, int, int], place)
            except subprocess.CalledProcessError:
                # It fails when any window goes away while it looks through them.
                if time.monotonic() > deadline:
                    raise

    def click(self, place: Place) -> None:
        """Press the left button there, not before the last press there is long enough ago."""
        spot, at = self._last
        if spot == place:
            time.sleep(max(0.0, at + PRESS_PAUSE_S - time.monotonic()))
        self.xdotool("mousemove", *place, "click", 1)
        self._last = place, time.monotonic()

    def keep_picture(self, name: str) -> None:
        """Save a picture where RECEPTION_PICTURES says, if it does."""
        if folder := os.environ.get("RECEPTION_PICTURES"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(Path(folder) / f"{name}.png"), self.picture())


@contextmanager
def desktop(folder: Path, width: int, height: int) -> Iterator[Desktop]:
    """Start an X server on a display that it finds free."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24"]
    command += ["-nolisten", "tcp", "-fbdir", str(folder)]
    server = subprocess.Popen(
        command, pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(writing)
    try:
        with open(reading, encoding="ascii") as told:
            number = told.readline().strip()
        assert number, "Xvfb did not start"
        yield Desktop(f":{number}", folder / "Xvfb_screen0")
    finally:
        server.terminate()
        server.wait(10)


class Program:
    """``./run`` with windows on a desktop; it tells its states, which can be waited for."""

    def __init__(self, desktop: Desktop, *words: str | Path, **more: str) -> None:
        # No program that plays sound is found: a button for the voice would stand on some machines only.
        environment = {**os.environ, "DISPLAY": desktop.name, "QT_QPA_PLATFORM": "xcb", "PATH": "", **more}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reception", "--verbose", *map(str, words)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._told = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._seen = 0

    def wait_for(self, state: str, within_s: float = 20.0) -> None:
        """Wait until the visit comes, or came since the last wait, to a state."""
        deadline = time.monotonic() + within_s
        with self._told:
            while True:
                for number in range(self._seen, len(self.lines)):
                    if self.lines[number].endswith(f": {state}"):
                        self._seen = number + 1
                        return
                assert self._told.wait(deadline - time.monotonic()), f"no {state}:\n" + "\n".join(self.lines)

    def printed(self, pattern: str, within_s: float = 20.0) -> str:
        """Wait until a line was printed in which the pattern is found, and return its group."""
        deadline = time.monotonic() + within_s
        with self._told:
            while not (found := re.search(pattern, "\n".join(self.lines))):
                assert self._told.wait(deadline - time.monotonic()), f"no {pattern}:\n" + "\n".join(
                    self.lines
                )
        return found[1]

    def end(self) -> int:
        """End it as the system does, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(15)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill it without a chance to put anything in order."""
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        assert self.process.stdout
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._told:
                self.lines.append(line.rstrip())
                self._told.notify_all()


class Assistive:
    """What a screen reader sees of the programs on a session bus of its own, and presses there; ends with ``close``."""

    lacking: ClassVar[str] = _lacking_for_readers()

    def __init__(self, folder: Path) -> None:
        # The accessibility bus has its socket there; one folder for all would be shared by tests side by side.
        folder.chmod(0o700)
        surroundings = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
        self._bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address"],
            env=surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._bus.stdout
        self.environment = {
            "DBUS_SESSION_BUS_ADDRESS": self._bus.stdout.readline().strip(),
            "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
        }
        self._eyes = subprocess.Popen(
            [SYSTEM_PYTHON, str(Path(__file__).with_name("assistive.py"))],
            env={**surroundings, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def texts(self, window: str) -> set[str]:
        """Return every text that the window tells a screen reader, shown or not."""
        return set(self._ask("texts", window))

    def waits(self, window: str, fits: Callable[[set[str]], bool], within_s: float = 20.0) -> None:
        """Wait until what the window tells fits: a press acts a moment later."""
        deadline = time.monotonic() + within_s
        while not fits(told := self.texts(window)):
            assert time.monotonic() < deadline, told

    def press(self, window: str, label: str) -> None:
        """Press what has that label, once it is shown."""
        assert self._ask("press", window, label) is True

    def fill(self, window: str, label: str, text: str) -> None:
        """Put a text into a field."""
        assert self._ask("fill", window, label, text) is True

    def _ask(self, *question: str) -> Any:
        assert self._eyes.stdin and self._eyes.stdout
        print(json.dumps(question), file=self._eyes.stdin, flush=True)
        answer = json.loads(self._eyes.stdout.readline())
        assert not isinstance(answer, dict), answer["error"]
        return answer

    def close(self) -> None:
        """End the eyes and the bus; what the bus started ends with it."""
        for process in (self._eyes, self._bus):
            process.terminate()
            process.wait(10)
            for stream in filter(None, (process.stdin, process.stdout)):
                stream.close()


needs_screen_reader = pytest.mark.skipif(bool(Assistive.lacking), reason=f"without {Assistive.lacking}")
