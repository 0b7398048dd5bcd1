"""The page: what was played, what came of it, and every scenario in full."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

from reception.testing.report.elements import e
from reception.testing.report.moment import Moment
from reception.testing.report.timeline import timeline
from reception.testing.scenarios.results import Result
from reception.testing.scenarios.trace import CardCommand, ServerRequest, Trace

_STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
_PICTURE = (360, 576)
"""Width and height of a picture on the page, px; the patient's window is drawn into it."""

_INS = {
    "A4": "SELECT",
    "B0": "READ BINARY",
    "C0": "GET RESPONSE",
    "20": "VERIFY",
    "2A": "SIGN",
    "CA": "GET DATA",
}
"""What the second byte of a command's header asks for."""


@dataclass(frozen=True)
class RunSummary:
    """What is said of the run as a whole."""

    ended: datetime
    bench: str
    version: str
    machine: str
    seconds: float


@dataclass(frozen=True)
class Played:
    """One scenario and its moments."""

    result: Result
    moments: list[Moment]


def page(run: RunSummary, played: Sequence[Played], pictures: Mapping[str, str], missing: str) -> Element:
    """Return the page's tree; ``pictures`` are PNGs in base64 by Moment.looks, ``missing`` why there are none."""
    stored = {png: f"p{number}" for number, png in enumerate(dict.fromkeys(pictures.values()), 1)}
    numbers = {looks: stored[png] for looks, png in pictures.items()}
    failed = [number for number, one in enumerate(played, 1) if not one.result.passed]
    title = f"Reception terminal: {len(played)} scenarios, {len(failed) or 'none'} failed"
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    head = e(
        "head",
        e("meta", charset="utf-8"),
        _policy(policy),
        e("meta", name="viewport", content="width=device-width, initial-scale=1"),
        e("title", title),
        e("style", _STYLE),
    )
    body = e(
        "body",
        _stored(stored),
        _header(run, played, failed, missing),
        _summary(played),
        *(_scenario(number, one, numbers) for number, one in enumerate(played, 1)),
    )
    return e("html", head, body, lang="en")


def _policy(policy: str) -> Element:
    made = e("meta", content=policy)
    made.set("http-equiv", "Content-Security-Policy")
    return made


def _stored(pictures: Mapping[str, str]) -> Element:
    """Return every picture once, by its id; figures refer to them, since many screens look the same."""
    width, height = _PICTURE
    images = [
        e(
            "image",
            id=number,
            href=f"data:image/png;base64,{png}",
            width=width,
            height=height,
            preserveAspectRatio="xMidYMin meet",
        )
        for png, number in pictures.items()
    ]
    return e("svg", e("defs", *images), class_="stored", width="0", height="0", aria_hidden="true")


def _header(run: RunSummary, played: Sequence[Played], failed: Sequence[int], missing: str) -> Element:
    verdict = f"{len(failed)} of {len(played)} failed" if failed else f"{len(played)} passed, none failed"
    facts = [
        ("Bench", run.bench),
        ("Played", run.ended.strftime("%Y-%m-%d %H:%M %Z")),
        ("Took", f"{run.seconds:.1f} s"),
        ("Product", f"reception-terminal {run.version}"),
        ("Machine", run.machine),
    ]
    return e(
        "header",
        e("h1", "Reception terminal: scenarios on a bench"),
        e("p", verdict, class_=f"verdict {'failed' if failed else 'passed'}"),
        _facts(facts),
        e("p", f"Without pictures: {missing}", class_="note") if missing else None,
    )


def _facts(facts: Sequence[tuple[str, str]]) -> Element:
    return e("dl", *(e("div", e("dt", name), e("dd", value)) for name, value in facts), class_="facts")


def _summary(played: Sequence[Played]) -> Element:
    rows = []
    for number, one in enumerate(played, 1):
        result = one.result
        link = e("a", result.title or result.file, href=f"#s{number}")
        rows.append(
            e(
                "tr",
                e("td", str(number), class_="number"),
                e("td", _mark(result)),
                e("td", link),
                e("td", f"{result.seconds:.2f}", class_="number"),
                e("td", result.states[-1][0] if result.states else ""),
                e("td", result.failure),
            )
        )
    heads = ("", "Result", "Scenario", "Seconds", "Ends in", "Last failure shown")
    return e("section", _table(heads, rows), class_="summary")


def _mark(result: Result) -> Element:
    return e(
        "span",
        "passed" if result.passed else "FAILED",
        class_=f"mark {'passed' if result.passed else 'failed'}",
    )


def _table(heads: Sequence[str], rows: Sequence[Element]) -> Element:
    """Return a table; a column of numbers has its head on the right as well."""
    kinds = [cell.get("class") == "number" for cell in rows[0]] if rows else [False] * len(heads)
    cells = [
        e("th", head, scope="col", class_="number" if number else None)
        for head, number in zip(heads, kinds, strict=True)
    ]
    return e("table", e("thead", e("tr", *cells)), e("tbody", *rows))


def _scenario(number: int, one: Played, numbers: Mapping[str, str]) -> Element:
    result = one.result
    trace = result.trace or Trace()
    return e(
        "section",
        e("h2", f"{number}. {result.title or result.file} ", _mark(result)),
        e("p", result.file, class_="file"),
        _reasons(result),
        _facts(_outcome(result)),
        timeline(one.moments, result.seconds) if one.moments else None,
        _strip(one.moments, numbers),
        _requests(trace.requests),
        _commands(trace.commands),
        _snapshots(trace),
        class_="scenario",
        id=f"s{number}",
    )


def _reasons(result: Result) -> Element | None:
    if result.passed:
        return None
    parts = []
    for reason in result.reasons() or ["no reason was given"]:
        parts.append(e("li", reason))
    return e("div", e("strong", "Why it failed"), e("ul", *parts), class_="reasons")


def _outcome(result: Result) -> list[tuple[str, str]]:
    answers = ", ".join(f"{item} {answer}" for item, answer in result.consents.items())
    tries = "not asked" if result.pin_tries_left is None else str(result.pin_tries_left)
    return [
        ("Took", f"{result.seconds:.2f} s"),
        ("Completed", "yes" if result.completed else "no"),
        ("Identity", result.identity or "none"),
        ("Last failure", result.failure or "none"),
        ("Asked", ", ".join(result.asked) or "nothing"),
        ("Server holds", answers or "nothing"),
        ("PIN tries left", tries),
    ]


def _strip(moments: Sequence[Moment], numbers: Mapping[str, str]) -> Element | None:
    if not moments:
        return None
    figures = []
    width, height = _PICTURE
    for moment in moments:
        seen = moment.snapshot
        what = " ".join(filter(None, (seen.state, seen.screen if seen.screen != seen.state else "")))
        picture = None
        if moment.looks in numbers:
            use = e("use", href=f"#{numbers[moment.looks]}")
            picture = e(
                "svg", e("title", what), use, viewBox=f"0 0 {width} {height}", role="img", class_="picture"
            )
        more = " · ".join(filter(None, (seen.question, seen.failure)))
        caption = e(
            "figcaption",
            e("b", f"{moment.number} {what}"),
            e("span", more) if more else None,
            e("span", f"at {moment.began_s:.2f} s, for {_long(moment.lasted_s)}"),
        )
        figures.append(e("figure", picture, caption))
    return e("div", *figures, class_="strip")


def _long(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def _requests(requests: Sequence[ServerRequest]) -> Element | None:
    if not requests:
        return None
    rows = [
        e(
            "tr",
            e("td", f"{one.seconds:.3f}", class_="number"),
            e("td", one.method),
            e("td", _short(one.path), class_="code"),
            e("td", one.status, class_=None if one.status == "200" else "bad"),
            e("td", f"{one.ms:.1f}", class_="number"),
        )
        for one in requests
    ]
    table = _table(("Answered at, s", "Method", "Path", "Status", "ms"), rows)
    return e("details", e("summary", f"Requests to the server: {len(requests)}"), table, open="open")


def _short(path: str) -> str:
    """Return a path without the middle of its visit's random id."""
    return "/".join(f"{part[:8]}…" if len(part) > 30 else part for part in path.split("/"))


def _commands(commands: Sequence[CardCommand]) -> Element | None:
    if not commands:
        return None
    rows = [
        e(
            "tr",
            e("td", f"{one.seconds:.3f}", class_="number"),
            e("td", _INS.get(one.header[3:5], "")),
            e("td", one.header, class_="code"),
            e("td", _masked(one), class_="code"),
            e("td", "" if one.expected is None else str(one.expected), class_="number"),
            e("td", str(one.answered), class_="number"),
            e("td", one.status, class_="code" if one.status == "9000" else "code bad"),
        )
        for one in commands
    ]
    heads = ("Answered at, s", "Command", "CLA INS P1 P2", "Body", "Le", "Bytes", "SW")
    return e("details", e("summary", f"Commands to the card: {len(commands)}"), _table(heads, rows))


def _masked(command: CardCommand) -> str:
    """Return the body as the trace has it: of what is not a SELECT, its length only."""
    size = len(command.body) // 2
    return f"{size} bytes, not kept" if command.body.startswith("XX") else command.body


def _snapshots(trace: Trace) -> Element | None:
    if not trace.snapshots:
        return None
    rows, before = [], {}  # type: list[Element], dict[str, object]
    for seconds, seen in trace.snapshots:
        now = _flat(json.loads(seen.to_json()))
        changed = ", ".join(
            f"{name} = {value!r}"
            for name, value in now.items()
            if name != "number" and before.get(name) != value
        )
        if changed:
            rows.append(e("tr", e("td", f"{seconds:.3f}", class_="number"), e("td", changed, class_="code")))
        before = now
    table = _table(("At, s", "What changed in the snapshot"), rows)
    return e("details", e("summary", f"Snapshots: {len(trace.snapshots)}"), table)


def _flat(snapshot: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in snapshot.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{part}": one for part, one in value.items()}
        else:
            flat[name] = value
    return flat
