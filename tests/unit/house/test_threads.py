"""Every thread of the product is a supervisor's loop or lane, or stands here with who notices its end."""

import ast

import pytest

from tests.support import ROOT

ELSEWHERE = {
    "hardware/face/engine/__init__.py": "waits for one greeting; the engine counts as lost without it",
    "hardware/card/pcsc.py": "one look and one card's session: whoever asked waits with a limit",
    "hardware/camera/frames.py": "takes frames; a frame that does not come is a lost camera",
    "consent/server/__init__.py": "the server's own: uvicorn in a thread, for benches and one process",
    "consent/server/front.py": "begins nginx anew",
    "consent/eligibility/transport.py": "a timer for each request, which ends it at its deadline",
    "consent/fhir/delivery.py": "beside the visits; what it owed is made again at the next start",
    "reception/speech/player.py": "plays; a terminal without voice works on, and its hook tells of the death",
    "reception/fleet/local.py": "two for each program that is connected; an end closes the connection",
    "reception/counter/program.py": "serves the page; the program ends with it, and systemd begins it anew",
    "reception/doctor/findings.py": "one check each, with a time limit",
    "reception/commands/program.py": "opens the windows; the program ends when it fails",
    "reception/terminal/supervisor.py": "the supervisor",
}
"""Where else a thread may be started, and what notices that it ended. The terminal's hook tells of any that dies."""
PRODUCT = ("hardware", "consent", "reception")
WORKSHOP = ("reception/testing", "hardware/simulation")


def begins_a_thread(source: str) -> bool:
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("Thread", "Timer")
        for node in ast.walk(ast.parse(source))
    )


def found() -> set[str]:
    files = (path for room in PRODUCT for path in (ROOT / room).rglob("*.py"))
    names = {path.relative_to(ROOT).as_posix(): path for path in files}
    return {
        name
        for name, path in names.items()
        if not name.startswith(WORKSHOP) and begins_a_thread(path.read_text(encoding="utf-8"))
    }


def test_no_thread_is_started_outside_a_supervisor_but_those_that_are_listed() -> None:
    assert found() == set(ELSEWHERE)


@pytest.mark.parametrize(
    "source",
    [
        "import threading\nthreading.Thread(target=print).start()",
        "from threading import Timer\nTimer(1, print).start()",
    ],
)
def test_a_planted_thread_is_found(source: str) -> None:
    assert begins_a_thread(source)
