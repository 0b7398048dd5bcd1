"""What came of scenarios, as JSON and JUnit."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from xml.etree import ElementTree


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
    sent: int = 0
    identity: str = ""
    completed: bool = False
    pin_tries_left: int | None = None
    seconds: float = 0.0
    why: str = ""


def plain(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def as_json(results: Sequence[Result]) -> str:
    """Return the results as JSON; ``why`` stands only where an expectation failed."""
    rows = [asdict(result) for result in results]
    for row in rows:
        row["states"] = [{"name": name, "seconds": seconds} for name, seconds in row["states"]]
        if row["passed"]:
            del row["why"]
    return json.dumps(rows, ensure_ascii=False, indent=1)


def as_junit(results: Sequence[Result]) -> bytes:
    """Return the results as a JUnit file."""
    failed = sum(not result.passed for result in results)
    suite = ElementTree.Element(
        "testsuite", name="reception hil", tests=str(len(results)), failures=str(failed)
    )
    for result in results:
        case = ElementTree.SubElement(
            suite, "testcase", name=result.title, classname=result.file, time=f"{result.seconds:.3f}"
        )
        if not result.passed:
            ElementTree.SubElement(case, "failure", message=result.why)
    text: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text
