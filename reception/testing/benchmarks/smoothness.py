"""How smoothly the patient's window runs while a face is matched: gaps of its thread, frames shown, processor time."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from typing import Any

from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer, Signal, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

import config
from config.person import load_person
from config.toml_file import TomlFile
from reception import flow
from reception.commands.program import settle
from reception.patient.pages import FaceMatchPage
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import Snapshot
from reception.testing import demo, scenarios
from reception.testing.benchmarks.display import display
from reception.testing.testbench import Bench

Say = Callable[[str], None]

_BEAT_MS = 5
_PERSON = "age45"
_NEVER: dict[str, Any] = {
    # Nobody is ever this close, so that the match goes on, every spaced frame compared, until the time is over.
    "face": {
        "threshold": 0.001,
        "fast_accept": 0.001,
        "max_frames": 50,
        "time_limit_s": 60.0,
    }
}


class Heartbeat(QObject):
    """Notes how long the thread of the windows did not come to its timer, in ms.

    ``longest`` is the longest of these gaps with the processor time of the whole process in it: where that is far less,
    the machine was busy with something else.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[float] = []
        self.longest = (0.0, 0.0)
        self._last, self._worked = time.perf_counter(), time.process_time()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now, worked = time.perf_counter(), time.process_time()
        gap = (now - self._last) * 1000
        self.gaps.append(gap)
        self.longest = max(self.longest, (gap, (worked - self._worked) * 1000))
        self._last, self._worked = now, worked

    def fresh(self) -> None:
        """Begin anew."""
        self.gaps, self.longest = [], (0.0, 0.0)
        self._last, self._worked = time.perf_counter(), time.process_time()


def smoothness(state: Path, seconds: float, say: Say, visits: int = 0) -> list[dict[str, Any]]:
    """Run the window idle and then while a face is matched, ``seconds`` each; return and say the figures.

    ``visits``: then play so many, and see what they leave in memory.
    """
    with display() as platform:
        os.environ["QT_QPA_PLATFORM"] = platform
        qInstallMessageHandler(lambda kind, context, text: None)
        application = QApplication.instance() or QApplication([])
        assert isinstance(application, QApplication)
        person = load_person(_PERSON)
        settings = config.load(None, (_NEVER, TomlFile(Path("bench ui"), "", _NEVER)))
        with Bench(settings, state, people=[person], person=person) as bench:
            window = PatientWindow(bench.terminal)
            window.show()
            try:
                figures = _figures(application, bench, window, seconds, platform, say)
            finally:
                window.close()
        return [*figures, _memory(state, visits, say)] if visits else figures


class _Played(QObject):
    over = Signal()


def _memory(state: Path, visits: int, say: Say) -> dict[str, Any]:
    """Play visits before the window, every tenth by face; say what the process, mock server and all, holds then."""
    by_face, by_pin = demo.plans()
    by_pin = replace(by_face, scenario=replace(by_face.scenario, on=by_pin.scenario.on))
    held: list[float] = []
    wrong: list[str] = []
    loop, played = QEventLoop(), _Played()
    played.over.connect(loop.quit, Qt.ConnectionType.QueuedConnection)
    with Bench(by_face.settings, state, people=[by_face.person], today=by_face.today) as bench:
        bench.engine.ready.wait(30)

        def play() -> None:
            for number in range(visits):
                result = scenarios.play_on(bench, by_pin if number % 10 else by_face, state)
                wrong.extend([result.why] if result.why else [])
                held.append(_resident_mb())
            played.over.emit()

        window = PatientWindow(bench.terminal)
        window.show()
        playing = threading.Thread(target=play)
        playing.start()
        loop.exec()
        playing.join()
        window.close()
    if wrong:
        raise RuntimeError(f"a visit went wrong: {wrong[0]}")
    # The first ones build what all later ones use.
    settled = held[min(len(held) // 10, 50) :]
    say(f"memory after {visits} visits: {settled[0]:.1f} MB at first, {settled[-1]:.1f} MB at the end")
    return {"visits": visits, "first_mb": round(settled[0], 1), "last_mb": round(settled[-1], 1)}


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.split("VmRSS:")[1].split()[0]) / 1024


def _figures(
    application: QApplication, bench: Bench, window: PatientWindow, seconds: float, platform: str, say: Say
) -> list[dict[str, Any]]:
    heart, shown = Heartbeat(), [0]
    _until(application, bench, "WAITING")
    _run(0.5)  # until the page is drawn
    settle()
    figures = [_watched(heart, shown, "waiting, nothing happens", seconds)]
    bench.engine.ready.wait(30)
    bench.insert()
    _until(application, bench, "METHOD_CHOICE")
    bench.terminal.submit(flow.Choose(flow.Method.FACE))
    _until(application, bench, "FACE_MATCH")
    _count_frames(window, shown)
    # The first picture builds what later ones use.
    deadline = time.monotonic() + 30
    while not shown[0] and time.monotonic() < deadline:
        _run(0.2)
    _run(1.0)
    figures.append(_watched(heart, shown, "a face is matched", seconds))
    bench.terminal.submit(flow.BackToChoice())
    say(
        f"the patient's window on {platform}, {seconds:g} s each; wanted while matching: gaps of at most 20 ms, 30 fps"
    )
    say(
        f"{'':25}{'longest gap':>12}{'worked in it':>14}{'p99':>7}{'median':>8}  ms{'frames/s':>10}"
        f"{'CPU of a core':>15}"
    )
    for one in figures:
        say(
            f"{one['while']:25}{one['longest_gap_ms']:>12}{one['worked_in_it_ms']:>14}{one['p99_gap_ms']:>7}"
            f"{one['median_gap_ms']:>8}    {one['frames_per_second']:>10}{one['cpu_percent']:>13} %"
        )
    return figures


def _count_frames(window: PatientWindow, shown: list[int]) -> None:
    """Count the camera's pictures that reach the preview; its page is there once the window has shown FACE_MATCH."""
    deadline = time.monotonic() + 30
    while not (pages := window.findChildren(FaceMatchPage)):
        if time.monotonic() > deadline:
            raise RuntimeError("the window does not show the camera's picture")
        _run(0.05)
    show_frame = pages[0].preview.show_frame

    def count(image: Any) -> None:
        shown[0] += 1
        show_frame(image)

    pages[0].preview.show_frame = count  # type: ignore[method-assign]


def _watched(heart: Heartbeat, shown: list[int], what: str, seconds: float) -> dict[str, Any]:
    heart.fresh()
    shown[0] = 0
    began, cpu = time.perf_counter(), time.process_time()
    _run(seconds)
    lasted, spent = time.perf_counter() - began, time.process_time() - cpu
    cuts = quantiles(heart.gaps, n=100)
    return {
        "while": what,
        "longest_gap_ms": round(heart.longest[0], 1),
        "worked_in_it_ms": round(heart.longest[1], 1),
        "p99_gap_ms": round(cuts[98], 1),
        "median_gap_ms": round(cuts[49], 1),
        "frames_per_second": round(shown[0] / lasted, 1),
        "cpu_percent": round(100 * spent / lasted, 1),
    }


def _run(seconds: float) -> None:
    # Not the application's own loop: ending that one closes the windows.
    loop = QEventLoop()
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()


def _until(application: QApplication, bench: Bench, state: str) -> None:
    """Let the window run until the terminal comes to a state."""
    came: list[Snapshot] = []
    stop = bench.terminal.subscribe(lambda now: came.append(now) if now.state == state else None)
    deadline = time.monotonic() + 30
    while not came and time.monotonic() < deadline:
        application.processEvents()
        time.sleep(0.005)
    stop()
    if not came:
        raise RuntimeError(f"the terminal never came to {state}")
