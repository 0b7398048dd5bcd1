"""The report of a run: complete, escaped, self-contained, and without anything personal."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from config.person import load_person
from hardware.face.engine import FaceEngine
from reception.flow import State, Step
from reception.terminal.snapshot import Snapshot
from reception.testing import scenarios
from reception.testing.report import write_report
from reception.testing.report.elements import e
from reception.testing.report.moment import NoPictures, draw, moments
from reception.testing.report.timeline import timeline
from reception.testing.scenarios import Result
from reception.testing.scenarios.trace import Trace

HOSTILE = '</title></style><script>alert(1)</script><img src=x onerror=alert(2)> & \u0001 "受付"'
SCENARIO = """title = {title}
person = "age45"
on = [
  {{state = "METHOD_CHOICE", do = "choose_pin"}},
  {{state = "PIN_ENTRY", do = "type_pin", value = "8417"}},
  {{state = "PIN_ENTRY", visit = 2, do = "type_pin", value = "card"}},
  {{state = "CONSENT", do = "answer_all", value = "given"}},
  {{state = "LIMIT_CONSENT", do = "answer", value = "given"}},
  {{state = "TAKE_CARD", do = "remove_card"}},
]
[expect]
completed = true
identity = "face"
"""


class Page(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.text = "".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


class Played:
    """One scenario that was really played, and its report."""

    def __init__(self, folder: Path, state: Path) -> None:
        path = folder / "hostile.toml"
        path.write_text(SCENARIO.format(title=json.dumps(HOSTILE)), encoding="utf-8")
        plays = [scenarios.load(path, state)]
        # Nobody comes by face: the engine need not run.
        (self.result,) = scenarios.play_all(plays, state, traced=True, engine=FaceEngine())
        self.trace = self.result.trace or Trace()
        self.file = path
        written = write_report(folder / "report", [self.result], bench="simulated", seconds=1.0)
        assert written.without_pictures == ""
        self.folder = folder / "report"
        self.html = written.page.read_text(encoding="utf-8")
        self.page = Page(self.html)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, made_state: Path) -> Played:
    return Played(tmp_path_factory.mktemp("report"), made_state)


def test_a_reason_stands_with_the_file_and_line_of_the_expectation(played: Played) -> None:
    line = SCENARIO.splitlines().index('identity = "face"') + 1
    said = f'{played.file}:{line}: identity: expected "face", was "pin"'

    assert played.result.reasons() == [said]
    assert said in played.page.text


def test_a_hostile_title_stays_text(played: Played) -> None:
    assert not played.page.all("script")
    assert not played.page.all("img")
    assert HOSTILE.replace("\u0001", "\ufffd") in played.page.text
    assert not [
        name for _, attributes in played.page.elements for name in attributes if name.startswith("on")
    ]


def test_the_page_needs_nothing_from_elsewhere_and_forbids_it(played: Played) -> None:
    links = [
        attributes[name]
        for _, attributes in played.page.elements
        for name in ("href", "src", "xlink:href")
        if name in attributes
    ]
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    (style,) = re.findall("<style>(.*?)</style>", played.html, re.DOTALL)
    assert "url(" not in style and "@import" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    (policy,) = [meta["content"] for meta in played.page.all("meta") if "http-equiv" in meta]
    assert "default-src 'none'" in policy and f"'sha256-{digest}'" in policy
    assert not [attributes for _, attributes in played.page.elements if "style" in attributes]


def test_every_moment_has_its_picture_and_its_seconds(played: Played) -> None:
    shown = moments(played.trace, played.result.seconds)
    asked = [(one.snapshot.state, one.snapshot.question) for one in shown if one.snapshot.question]
    stored = {attributes["id"]: attributes["href"] for attributes in played.page.all("image")}

    assert [state for state, _ in asked] == ["CONSENT", "CONSENT", "LIMIT_CONSENT"]
    assert [use["href"].removeprefix("#") in stored for use in played.page.all("use")] == [True] * len(shown)
    assert all(base64.b64decode(png.partition(",")[2]).startswith(b"\x89PNG") for png in stored.values())
    assert len(set(stored.values())) == len(stored)


def test_the_trace_has_every_verify_without_what_was_typed(played: Played) -> None:
    verify = [one for one in played.trace.commands if one.header.startswith("00 20") and one.body]

    assert {set(one.body) == {"X"} for one in verify} == {True}
    assert "63C2" in [one.status for one in verify]
    assert played.page.text.count("VERIFY") >= len(verify)


def test_requests_have_method_path_status_and_time(played: Played) -> None:
    asked = [
        (one.method, one.path.rpartition("/")[2].partition("?")[0], one.status)
        for one in played.trace.requests
    ]

    # At its start a terminal also holds its journal against the server's records.
    assert [one for one in asked if one != ("GET", "visits", "200")] == [
        ("POST", "challenges", "200"),
        ("POST", "identifications", "200"),
        ("PUT", "consents", "200"),
    ]
    assert all(0 < one.ms < 20_000 for one in played.trace.requests)


def test_nothing_personal_stands_in_the_report(played: Played) -> None:
    person = load_person("age45")
    words = [person.name, person.name_kana, person.address, person.insurance.number, "8417", "38343137"]
    text = re.sub(r"data:image/png;base64,[^\"]+", "", played.html)

    assert [word for word in words if word and word in text] == []


def test_json_and_junit_lie_beside_the_page(played: Played) -> None:
    (row,) = json.loads((played.folder / "results.json").read_text(encoding="utf-8"))
    suite = ElementTree.parse(played.folder / "junit.xml").getroot()

    assert (row["passed"], row["identity"]) == (False, "pin")
    assert suite.get("failures") == "1"


def test_the_timeline_is_to_scale() -> None:
    trace = Trace()
    trace.snapshots = [
        (0.0, Snapshot()),
        (0.5, Snapshot(state=State.WAITING, screen="WAITING", occasion=1)),
        (1.5, Snapshot(state=State.READING, screen="READING", step=Step.READ, occasion=2)),
        (1.6, Snapshot(state=State.READING, screen="READING", step=Step.READ, occasion=2, card_in=True)),
        (4.5, Snapshot(state=State.CALL_STAFF, screen="CALL_STAFF", occasion=3)),
    ]

    shown = moments(trace, 6.5)
    widths = [float(rect.get("width", "")) for rect in timeline(shown, 6.5).iter("rect")]

    assert [(one.began_s, one.lasted_s) for one in shown] == [(0.5, 1.0), (1.5, 3.0), (4.5, 2.0)]
    assert shown[1].snapshot.card_in
    assert widths == pytest.approx([1000 * part / 6.5 for part in (1.0, 3.0, 2.0)], rel=1e-3)


def test_looks_that_are_alike_are_drawn_once() -> None:
    one = Snapshot(state=State.WAITING, screen="WAITING", number=7, visit="v", occasion=3)
    trace = Trace()
    trace.snapshots = [(0.0, one), (1.0, replace(one, occasion=4, number=8, visit="w"))]

    assert len({moment.looks for moment in moments(trace, 2.0)}) == 1


def test_without_pictures_the_report_is_written_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    trace = Trace()
    trace.snapshots = [(0.0, Snapshot(occasion=1))]

    with pytest.raises(NoPictures):
        draw([trace.snapshots[0][1].to_json()])
    written = write_report(tmp_path, [Result("t", "f", trace=trace)], bench="pcsc", seconds=1.0)

    assert "could not be drawn" in written.without_pictures
    assert written.without_pictures in Page(written.page.read_text(encoding="utf-8")).text


def test_text_after_an_element_keeps_its_place() -> None:
    made = e("p", "a", e("b", "c"), "d", None, class_="x", aria_label="y")

    assert ElementTree.tostring(made) == b'<p class="x" aria-label="y">a<b>c</b>d</p>'
