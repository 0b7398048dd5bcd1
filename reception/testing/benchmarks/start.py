"""How soon a terminal can be used, from a cold process on a warm disk until its log says so, and what it takes then."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from hardware.simulation.moving_stills import clip_for
from hardware.simulation.pcscd import READER, BenchError, PcscdBench
from hardware.simulation.portraits import portrait_path
from reception.testing.benchmarks.display import display

Say = Callable[[str], None]

_ROOT = Path(__file__).resolve().parents[3]
_MOMENTS = {
    "first screen": "first screen",
    "ready for a card": "ready for a card",
    "ready for a face": "face engine is ready",
}
"""What is measured, and how the log tells it."""
_LIMIT_S = 120.0
_SETTLED_S, _WATCHED_S = 5.0, 6.0
"""When a started terminal has settled, and how long it is watched then."""

_WINDOW = """
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel

application = QApplication([])

class Window(QLabel):
    def paintEvent(self, event):
        super().paintEvent(event)
        QTimer.singleShot(0, self.told)

    def told(self):
        print("first screen", flush=True)
        {then}
        application.exit()

window = Window("...")
window.show()
application.exec()
"""
_CARD = """
        from smartcard import scard
        context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)[1]
        readers = scard.SCardListReaders(context, [])[1]
        scard.SCardGetStatusChange(context, 0, [(name, scard.SCARD_STATE_UNAWARE) for name in readers])
        print("ready for a card", flush=True)
"""
_FACE = """
import face_recognition
import numpy

face_recognition.face_encodings(numpy.zeros((150, 150, 3), numpy.uint8), [(0, 150, 150, 0)])
print("face engine is ready", flush=True)
"""


def start(state: Path, rounds: int, say: Say) -> list[dict[str, Any]]:
    """Start a terminal ``rounds`` times, after once uncounted; return and say the medians.

    Beside each, what a program does for it without any of the terminal: a window, the reader's state, and the first
    embedding of face_recognition, which loads more than ours does. Raises BenchError.
    """
    with display() as platform, TemporaryDirectory(prefix="bench-start-") as folder:
        if platform != "xcb":
            raise BenchError("needs a display, or Xvfb: apt install xvfb")
        with _surroundings(Path(folder), state) as (command, reader):
            # Not before: where pcscd is stands in it, too.
            environment = {**os.environ, "QT_QPA_PLATFORM": platform}
            say(f"from starting the program, {reader}, median of {rounds}, ms")
            ours, bare = [], []
            # By turns: what else the machine does meanwhile hits both.
            for _ in range(rounds + 1):
                ours.append(moments(command, environment, list(_MOMENTS)))
                bare.append(_bare(environment, card=reader != "simulated reader"))
            del ours[0], bare[0]
            takes = footprint(command, environment)
    figures = []
    for what in _MOMENTS:
        took = median(one[what] for one in ours)
        alone = median(one[what] for one in bare) if what in bare[0] else None
        figures.append(
            {
                "what": what,
                "ms": round(took),
                "alone_ms": None if alone is None else round(alone),
                "ratio_to_alone": None if alone is None else round(took / alone, 2),
            }
        )
        say(f"{what:20} {took:7.0f}" + ("" if alone is None else f"   that alone {alone:7.0f}"))
    memory = f"{takes['own_mb']} MB of its own, {takes['mb']} MB with its share of libraries"
    say(f"it then waits, face engine and all, with {memory}, and {takes['cpu_percent']} % of a core")
    return [*figures, takes]


@contextmanager
def _surroundings(folder: Path, state: Path) -> Iterator[tuple[list[str], str]]:
    """Give a site's terminal a pcscd of our own and a clip for a camera; where that cannot be, the simulated bench."""
    program = _ROOT / "run"
    command = [sys.executable, *([str(program)] if program.exists() else ["-m", "reception"])]
    command += ["terminal", "--verbose", "--state", str(folder)]
    clip = clip_for(portrait_path("astronaut"), state / "clips")
    settings = folder / "terminal.toml"
    settings.write_text(f'[reader]\nname = "{READER}"\n[camera]\nclip = "{clip}"\n', encoding="utf-8")
    try:
        pcscd = PcscdBench().__enter__()
    except BenchError:
        yield [*command, "--bench", "simulated"], "simulated reader"
        return
    try:
        yield [*command, "--config", str(settings)], "reader behind pcscd"
    finally:
        pcscd.__exit__(None, None, None)


def moments(command: list[str], environment: Mapping[str, str], wanted: list[str]) -> dict[str, float]:
    """Run a program until it has told all that is ``wanted``; return when it told each, ms after its start.

    Raises BenchError with its last words when it ends before, or takes longer than two minutes.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    late = threading.Timer(_LIMIT_S, process.kill)
    late.start()
    came: dict[str, float] = {}
    words = ""
    try:
        for words in process.stdout:
            now = (time.monotonic() - began) * 1000
            came.update({what: now for what in wanted if _MOMENTS[what] in words and what not in came})
            if len(came) == len(wanted):
                return came
    finally:
        late.cancel()
        process.terminate()
        process.communicate()
    missing = ", ".join(what for what in wanted if what not in came)
    raise BenchError(f"the program never came to: {missing}; its last words: {words.strip()}")


def footprint(command: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what a terminal that waits takes, with what it began: memory (MB) and processor time (% of a core).

    Memory of its own (``own_mb``), and with its share of the files that are mapped (``mb``, PSS), which others that run
    share, and which the system takes back when it needs them.
    """
    process = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(_SETTLED_S)
        all_of_it = [process.pid, *_children(process.pid)]
        before, began = sum(map(_cpu_s, all_of_it)), time.monotonic()
        time.sleep(_WATCHED_S)
        cpu = (sum(map(_cpu_s, all_of_it)) - before) / (time.monotonic() - began)
        return {
            "what": "waiting",
            "own_mb": round(sum(_memory_mb(pid, "Private_Dirty") for pid in all_of_it)),
            "mb": round(sum(_memory_mb(pid, "Pss") for pid in all_of_it)),
            "cpu_percent": round(100 * cpu, 1),
        }
    except FileNotFoundError:
        raise BenchError("the terminal ended while it should wait") from None
    finally:
        process.terminate()
        process.wait()


def _children(pid: int) -> list[int]:
    text = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for child in text.split()]


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process, to the nanosecond: a terminal that waits uses less than a tick of it."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _memory_mb(pid: int, kind: str) -> float:
    """Return the memory of a process, of a kind that the kernel tells."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:")) / 1024


def _bare(environment: Mapping[str, str], *, card: bool) -> dict[str, float]:
    python = [sys.executable, "-W", "ignore", "-c"]
    told = ["first screen", *(["ready for a card"] if card else [])]
    window = moments([*python, _WINDOW.format(then=_CARD if card else "pass")], environment, told)
    return {**window, **moments([*python, _FACE], environment, ["ready for a face"])}
