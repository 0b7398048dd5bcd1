"""The matrix as a Markdown table: what must come of each cell, and which did not when it was played."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from reception.flow.states import State
from reception.testing.matrix.rules import DEVICES, RULES, Disturbance, Kind, Outcome, expected

D = Disturbance

_HEADS = {
    D.CARD_PULLED: "card pulled",
    D.CARD_SWAPPED: "swapped",
    D.CARD_STALLED: "stalled",
    D.EXCHANGE_LOST: "ex­change lost",
    D.CARD_RESET: "reset",
    D.POWER_UP_FAILS: "power-up fails",
    D.READER_HELD: "reader held",
    D.READER_UNPLUGGED: "reader un­plugged",
    D.SERVICE_KILLED: "service killed",
    D.CAMERA_UNPLUGGED: "camera un­plugged",
    D.CAMERA_BLACK: "black",
    D.CAMERA_FROZEN: "frozen",
    D.ENGINE_KILLED: "engine killed",
    D.SERVER_DOWN: "server down",
    D.SERVER_SLOW: "slow",
    D.SERVER_GARBLED: "gar­bled",
    D.ANSWER_LOST: "answer lost",
    D.FOLDER_FULL: "folder full",
    D.CLOCK_JUMP: "clock jump",
    D.CANCEL: "cancel",
    D.TIME_OUT: "time-out",
    D.DOUBLE_TAP: "double tap",
    D.CALL_STAFF: "call staff",
    D.TERMINAL_KILLED: "terminal killed",
}

WRONG = "✗"
"""Stands after the letter of a cell that did not come to what it must."""

Wrong = Mapping[tuple[State, Disturbance], object]


def grid(wrong: Wrong | None = None) -> str:
    """Return states by disturbances; on the pcsc bench another letter stands after a stroke."""
    lines = ["| | " + " | ".join(_HEADS[each] for each in D) + " |", "|---|" + "---|" * len(D)]
    for state in State:
        row = [_cell(state, each) + (WRONG if (state, each) in (wrong or {}) else "") for each in D]
        lines.append(f"| {state} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _cell(state: State, disturbance: Disturbance) -> str:
    def letter(kind: Kind) -> str:
        return expected(state, disturbance, kind).outcome.letter

    if disturbance is D.SERVICE_KILLED:
        return letter("pcsc")
    there = letter("pcsc") if disturbance in DEVICES else letter("simulated")
    return letter("simulated") if there == letter("simulated") else f"{letter('simulated')}/{there}"


def legend() -> str:
    """Return what the letters mean."""
    return "; ".join(f"{each.letter} {each.words}" for each in Outcome)


def reasons() -> Iterable[str]:
    """Yield a line for each rule: what comes of it, where, and why."""
    for rule in RULES:
        what = ", ".join(rule.disturbances)
        where = ", ".join(rule.states) if len(rule.states) < len(State) else "every state"
        told = f", {rule.failure}" if rule.failure else ""
        yield f"{rule.outcome.letter} {what}; {where}{told}: {rule.reason}"


def write(readme: Path, kind: Kind, summary: str, wrong: Wrong) -> None:
    """Put the table, and what came of playing it, between the markers of a Markdown file; raises ValueError."""
    text = readme.read_text(encoding="utf-8")
    found = re.search(r"(?<=^<!-- matrix -->\n).*?(?=^<!-- /matrix -->$)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{readme}: has no <!-- matrix --> and <!-- /matrix -->")
    kept = [line for line in found[0].splitlines() if re.match(r"- `(simulated|pcsc)`: ", line)]
    played = {line.split("`")[1]: line for line in kept} | {kind: f"- `{kind}`: {summary}"}
    lines = [played[each] for each in ("simulated", "pcsc") if each in played]
    body = f"\n{grid(wrong)}\n\n{legend()}.\n\n" + "\n".join(lines) + "\n\n"
    readme.write_text(text[: found.start()] + body + text[found.end() :], encoding="utf-8")
