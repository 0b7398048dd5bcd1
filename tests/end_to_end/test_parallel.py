"""Scenarios in several processes: in order, none left behind, and a crash is a result."""

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from reception.testing import scenarios
from reception.testing.scenarios import Play, Result

QUICK = """title = "quick"
person = "age45"
on = [{state = "METHOD_CHOICE", do = "remove_card"}]
[expect]
end = "WAITING"
failure = "METHOD_CHOICE_CARD_REMOVED"
"""
SLOW = """title = "slow"
person = "age45"
on = [{state = "WAITING", do = "wait", seconds = 300.0}]
"""


def play(folder: Path, state: Path, text: str) -> Play:
    path = folder / f"{len(list(folder.iterdir()))}.toml"
    path.write_text(text, encoding="utf-8")
    return scenarios.load(path, state)


@pytest.mark.timeout(150)
def test_results_come_in_order_a_crash_is_a_failed_one_and_an_interrupt_ends_every_process(
    tmp_path: Path, made_state: Path
) -> None:
    plays = [play(tmp_path, made_state, text) for text in (QUICK, SLOW, QUICK, SLOW)]
    told: list[Result] = []
    ended: list[BaseException] = []

    def tell(result: Result) -> None:
        told.append(result)
        if len(told) == 3:
            raise KeyboardInterrupt

    def run() -> None:
        try:
            scenarios.play_parallel(plays, made_state, "simulated", tell, jobs=2, traced=True)
        except KeyboardInterrupt as error:
            ended.append(error)

    running = threading.Thread(target=run)
    running.start()
    second: list[int] = []
    while not second:
        running.join(0.02)
        second = [child.pid or 0 for child in multiprocessing.active_children() if child.name == "hil-2"]
    os.kill(second[0], signal.SIGKILL)
    running.join(140)

    assert ended
    assert multiprocessing.active_children() == []
    assert [(one.title, one.passed, one.why) for one in told] == [
        ("quick", True, ""),
        ("slow", False, "the process that played it ended by SIGKILL before it had a result"),
        ("quick", True, ""),
    ]
    assert [name for name, _ in told[0].states] == ["WAITING", "READING", "METHOD_CHOICE", "WAITING"]
    assert all(one.trace and one.trace.commands and one.trace.snapshots for one in (told[0], told[2]))


@pytest.mark.long
def test_what_would_end_a_run_of_one_process_ends_this_one(
    tmp_path: Path, made_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hardware.card import ReaderError

    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ReaderError, match="is installed"):
        scenarios.play_parallel([play(tmp_path, made_state, QUICK)], made_state, "pcsc", jobs=1)
