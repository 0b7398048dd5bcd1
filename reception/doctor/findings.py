"""What a check is and what it finds; checks run side by side, each within its limit."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """How one part is; where it is not in order, the remedy, and the same in short Japanese for staff."""

    part: str
    grade: Grade
    what: str
    remedy: str = ""
    staff: str = ""

    def line(self) -> str:
        """Return it as one line of text."""
        text = f"{self.grade:<8} {self.part:<18} {self.what}"
        return f"{text}. {self.remedy} ({self.staff})" if self.remedy else text


class Wrong(Exception):
    """What a check found not to be in order."""

    def __init__(self, what: str, remedy: str, staff: str, grade: Grade = Grade.PROBLEM) -> None:
        super().__init__(what)
        self.finding = what, remedy, staff
        self.grade = grade


def warn(what: str, remedy: str, staff: str) -> Wrong:
    return Wrong(what, remedy, staff, Grade.WARNING)


Look = Callable[[], str]
"""Looks at one part and returns what is there; raises Wrong."""


@dataclass(frozen=True)
class Check:
    """One part, how to look at it, and how long that may take."""

    part: str
    look: Look
    limit_s: float = 10.0


def run(wanted: list[Check]) -> Iterator[Finding]:
    """Run checks side by side, each within its limit; one that hangs is left behind."""
    began = time.monotonic()
    running = []
    for check in wanted:
        answers: list[Finding] = []
        thread = threading.Thread(target=_answer, args=(check, answers), name=check.part, daemon=True)
        thread.start()
        running.append((check, thread, answers))
    for check, thread, answers in running:
        thread.join(max(0.0, began + check.limit_s - time.monotonic()))
        yield answers[0] if answers else _hangs(check)


def _answer(check: Check, answers: list[Finding]) -> None:
    try:
        finding = Finding(check.part, Grade.OK, check.look())
    except Wrong as wrong:
        finding = Finding(check.part, wrong.grade, *wrong.finding)
    except Exception as error:  # a check that fails in a way nobody foresaw is a finding, too
        finding = Finding(
            check.part,
            Grade.PROBLEM,
            f"cannot be checked: {type(error).__name__}: {error}",
            "Send this line to whoever maintains the terminal.",
            "この行を保守に送ってください",
        )
    answers.append(finding)


def _hangs(check: Check) -> Finding:
    return Finding(
        check.part,
        Grade.PROBLEM,
        f"no answer within {check.limit_s:g} s",
        "It hangs: unplug the device and plug it in again, or restart the machine; check the network for folders.",
        "応答がありません。つなぎ直すか、再起動してください",
    )


def as_json(findings: list[Finding]) -> str:
    """Return findings as a JSON list of objects."""
    return json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2) + "\n"
