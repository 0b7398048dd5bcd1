"""What is refused when a scenario is loaded, and what its results look like."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from config import ConfigError
from reception.testing import scenarios
from reception.testing.scenarios import Result
from tests.support import SCENARIO_FOLDER

FOLDER = SCENARIO_FOLDER
SCENARIOS = sorted(path.stem for path in FOLDER.glob("*.toml"))


# --- Refused when loaded ----------------------------------------------------------------------------------------

PLAIN = 'title = "plain"\nperson = "age45"\n'
PERSON = """name = "試験　太郎"
name_kana = "ｼｹﾝ ﾀﾛｳ"
birth_date = 1980-06-17
sex = 1
address = "東京都"
[certificate]
expires = 2030-02-17
[card]
expires = 2035-02-17
security_code = "2285"
"""


def refused(folder: Path, text: str) -> str:
    """Return what is said when a scenario with this text is loaded, without the folder's name."""
    path = folder / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        scenarios.load(path, folder / "state")
    said = str(caught.value)
    assert "\n" not in said
    return said.replace(f"{folder}/", "")


def rule(text: str) -> str:
    return f"{PLAIN}on = [\n  {{{text}}},\n]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAIN + 'persom = "age45"\n', "bad.toml:3: persom: is not a known key"),
        (PLAIN + "[expect]\nfinished = true\n", "bad.toml:4: expect.finished: is not a known key"),
        (PLAIN + '[expect]\nend = "NOWHERE"\n', "bad.toml:4: expect.end: 'NOWHERE'"),
        (PLAIN + '[expect]\nfailure = "OOPS"\n', "bad.toml:4: expect.failure"),
        (rule('state = "CONSENT", do = "dance"'), "bad.toml:4: on[1].do: 'dance'"),
        (rule('state = "CONSEMT", do = "cancel"'), "bad.toml:4: on[1].state: 'CONSEMT'"),
        (rule('state = "CONSENT", do = "answer", value = "maybe"'), "bad.toml:4: on[1].value: 'maybe'"),
        (rule('state = "PIN_ENTRY", do = "type_pin", value = "12"'), "bad.toml:4: on[1].value: "),
        (rule('state = "CONSENT", do = "press", value = "launch"'), "bad.toml:4: on[1].value: 'launch'"),
        (rule('state = "CONSENT", do = "show"'), "bad.toml:4: on[1].clip: is missing"),
        (rule('state = "CONSENT", do = "swap_card"'), "bad.toml:4: on[1].person: is missing"),
        (rule('state = "CONSENT", do = "cancel", visit = 0'), "bad.toml:4: on[1].visit: 0"),
        (rule('state = "CONSENT", do = "wait", seconds = -1.0'), "bad.toml:4: on[1].seconds: -1 is not"),
        (rule('state = "CONSENT", do = "kill_terminal"'), "bad.toml:4: on[1].do: kill_terminal: should be"),
        (PLAIN + "[config.delays]\nquestion = 1.0\n", "bad.toml:4: config.delays.question: is not a known"),
        (PLAIN + "[config.delays]\nquestion_s = -1.0\n", "bad.toml:4: config.delays.question_s: -1.0"),
        (PLAIN + 'profile = "leaflet-1999"\n', "bad.toml:3: profile: 'leaflet-1999'"),
        ('title = "plain"\n', "bad.toml: person: is missing"),
        (
            'title = "plain"\nperson = "nobody"\n',
            "bad.toml:2: person: person 'nobody': there is no such person; ",
        ),
        (
            'title = "plain"\nperson = "nobody.toml"\n',
            "bad.toml:2: person: nobody.toml: there is no such person file",
        ),
        (
            PLAIN + 'clip = "age45:upside-down"\n',
            "bad.toml:3: clip: age45:upside-down: there is no such condition",
        ),
        (PLAIN + 'clip = "nowhere"\n', "bad.toml:3: clip: nowhere: there is no such clip folder"),
        ("title = ", "bad.toml: is not TOML"),
    ],
)
def test_a_mistake_is_refused_with_its_file_and_key(text: str, said: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text).startswith(said)


def test_a_person_without_a_card_is_refused(tmp_path: Path) -> None:
    (tmp_path / "me.toml").write_text(PERSON.split("[card]")[0], encoding="utf-8")

    said = refused(tmp_path, 'title = "plain"\nperson = "me.toml"\n')

    assert said.startswith("bad.toml:2: person: me.toml: card: is missing")


def test_a_photo_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "me.toml").write_text(PERSON + 'photo = "me.jpg"\n', encoding="utf-8")
    (tmp_path / "me.jpg").write_bytes(b"not a picture")

    assert "me.jpg" in refused(tmp_path, 'title = "plain"\nperson = "me.toml"\n')


def test_a_photo_of_no_known_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "me.toml").write_text(PERSON + 'photo = "nobody"\n', encoding="utf-8")

    assert "nobody" in refused(tmp_path, 'title = "plain"\nperson = "me.toml"\n')


def test_a_clip_with_a_missing_frame_is_refused(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    clip = tmp_path / "clip"
    clip.mkdir()
    (clip / "clip.toml").write_text('fps = 10.0\nsize = [64, 48]\nsource = "test"\n', encoding="utf-8")
    for number in (1, 3):
        cv2.imwrite(str(clip / f"{number:06}.png"), np.zeros((48, 64, 3), np.uint8))

    said = refused(tmp_path, PLAIN + 'clip = "clip"\n')

    assert said == "bad.toml:3: clip: clip: frame 2 of 2 is missing"


# --- Reports ----------------------------------------------------------------------------------------------------

PASSED = Result("fine", "fine.toml", passed=True, states=[("WAITING", 0.0), ("READING", 0.25)], seconds=1.5)
FAILED = Result("受付 <未完了>", "bad.toml", why='end: expected "WAITING", was "CONSENT"')


def test_json_has_one_object_per_scenario_and_why_only_where_it_failed() -> None:
    passed, failed = json.loads(scenarios.as_json([PASSED, FAILED]))

    assert passed == {
        "title": "fine",
        "file": "fine.toml",
        "passed": True,
        "states": [{"name": "WAITING", "seconds": 0.0}, {"name": "READING", "seconds": 0.25}],
        "failure": "",
        "asked": [],
        "consents": {},
        "subsidies": [],
        "sent": 0,
        "identity": "",
        "completed": False,
        "pin_tries_left": None,
        "attributes": "",
        "worklist": 0,
        "seconds": 1.5,
    }
    assert (failed["title"], failed["why"]) == (FAILED.title, FAILED.why)


def test_junit_names_each_scenario_and_what_failed() -> None:
    suite = ElementTree.fromstring(scenarios.as_junit([PASSED, FAILED]))

    assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", "2", "1")
    fine, bad = suite.findall("testcase")
    assert (fine.get("name"), fine.get("classname"), fine.get("time")) == ("fine", "fine.toml", "1.500")
    assert not list(fine)
    failure = bad.find("failure")
    assert failure is not None
    assert (bad.get("name"), failure.get("message")) == (FAILED.title, FAILED.why)


def test_junit_has_all_that_the_schemas_of_ant_and_jenkins_ask_for() -> None:
    odd = Result("\u0001 a\u0000b", "odd.toml", why="\u001b[31m")
    suite = ElementTree.fromstring(scenarios.as_junit([PASSED, FAILED, odd]))

    assert [child.tag for child in suite] == [
        "properties",
        *["testcase"] * 3,
        "system-out",
        "system-err",
    ]
    assert {"name", "timestamp", "hostname", "tests", "failures", "errors", "time"} <= set(suite.keys())
    assert suite.get("errors") == "0"
    for case in suite.iter("testcase"):
        assert case.get("name") and case.get("classname")
        assert float(case.get("time", "")) >= 0
        assert all(child.tag == "failure" and child.get("type") for child in case)
    assert suite.findall("testcase")[2].get("name") == "\ufffd a\ufffdb"
