"""What came of scenarios, as JSON and JUnit."""

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree import ElementTree

from reception.testing.scenarios.trace import Trace


@dataclass(frozen=True)
class Fault:
    """An expectation that did not hold, and the line of the scenario where it stands."""

    why: str
    line: int | None = None


@dataclass
class Result:
    """What came of one scenario; its JSON form is a contract."""

    title: str
    file: str
    passed: bool = False
    states: list[tuple[str, float]] = field(default_factory=list)
    failure: str = ""
    asked: list[str] = field(default_factory=list)
    consents: dict[str, str] = field(default_factory=dict)
    subsidies: list[str] = field(default_factory=list)
    """The recorded answer to each certificate of a medical subsidy, in asking order."""
    sent: int = 0
    identity: str = ""
    completed: bool = False
    pin_tries_left: int | None = None
    attributes: str = ""
    worklist: int = 0
    receipt_answers: list[str] = field(default_factory=list)
    """Codes of the answers to ``ask_receipt``; not in the JSON."""
    seconds: float = 0.0
    why: str = ""
    faults: list[Fault] = field(default_factory=list)
    """``why`` in its parts, where it came from expectations; for people, not in the JSON."""
    trace: Trace | None = None
    """What happened meanwhile, where a report was asked for; not in the JSON."""

    def reasons(self) -> list[str]:
        """Return why it failed, each with the file and, where it is known, the line of the scenario."""
        faults = self.faults or ([Fault(self.why)] if self.why else [])
        return [
            f"{self.file}{'' if fault.line is None else f':{fault.line}'}: {fault.why}" for fault in faults
        ]


_KEYS = (
    "title",
    "file",
    "passed",
    "states",
    "failure",
    "asked",
    "consents",
    "subsidies",
    "sent",
    "identity",
    "completed",
    "pin_tries_left",
    "attributes",
    "worklist",
    "seconds",
)


def plain(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def as_json(results: Sequence[Result]) -> str:
    """Return the results as JSON; ``why`` stands only where an expectation failed."""
    rows = [{key: getattr(result, key) for key in _KEYS} for result in results]
    for row, result in zip(rows, results, strict=True):
        row["states"] = [{"name": name, "seconds": seconds} for name, seconds in result.states]
        if not result.passed:
            row["why"] = result.why
    return json.dumps(rows, ensure_ascii=False, indent=1)


def as_junit(results: Sequence[Result]) -> bytes:
    """Return the results as a JUnit file: one suite, with all that the schemas of Ant and Jenkins ask for."""
    suite = ElementTree.Element(
        "testsuite",
        name="reception hil",
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        hostname=platform.node() or "localhost",
        tests=str(len(results)),
        failures=str(sum(not result.passed for result in results)),
        errors="0",
        skipped="0",
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    ElementTree.SubElement(suite, "properties")
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            name=printable(result.title) or "untitled",
            classname=printable(result.file),
            time=f"{result.seconds:.3f}",
        )
        if not result.passed:
            failure = ElementTree.SubElement(
                case, "failure", type="expectation", message=printable(result.why)
            )
            failure.text = printable("\n".join(result.reasons()))
    ElementTree.SubElement(suite, "system-out")
    ElementTree.SubElement(suite, "system-err")
    text: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text


_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """Return the text with what neither XML nor HTML may hold, as control characters, replaced."""
    return _NOT_IN_XML.sub("\ufffd", text)
