"""What the outside reads of a terminal: the JSON of a snapshot, which reports, remote and plug-in build on."""

import json
from dataclasses import fields, replace

import pytest

from consent.choices import Item
from reception.flow import DisplayMode, HelpTopic, Language, Method, StaffText, State, Step
from reception.flow.failures import FailureCode
from reception.terminal.snapshot import Health, Snapshot
from reception.testing.gallery import SAMPLES

EVERYTHING = Snapshot(
    number=7,
    visit="visit-1",
    step=Step.IDENTITY,
    state=State.PIN_ENTRY,
    screen="LAST_TRY",
    occasion=3,
    question=Item.MEDICATION,
    methods=(Method.FACE, Method.PIN),
    phone=Method.ANDROID,
    pin_tries_left=1,
    identity=Method.PIN,
    failure=FailureCode.PIN_WRONG,
    help=HelpTopic.NO_CARD,
    staff_message=StaffText.USE_PIN,
    language=Language.JA_EASY,
    display_mode=DisplayMode.LARGE_CONTRAST,
    health=Health(reader="ok"),
)


def test_what_there_is_none_of_is_an_empty_string_in_the_json() -> None:
    told = json.loads(Snapshot().to_json())

    nothing = (
        "step",
        "question",
        "phone",
        "identity",
        "failure",
        "help",
        "staff_message",
        "notice",
        "guidance",
    )
    assert {name: told[name] for name in nothing} == dict.fromkeys(nothing, "")
    assert (told["state"], told["methods"], told["pin_tries_left"]) == ("OUT_OF_SERVICE", [], None)


def test_enums_are_their_plain_words_in_the_json() -> None:
    told = json.loads(EVERYTHING.to_json())

    expected = {
        "step": "IDENTITY",
        "state": "PIN_ENTRY",
        "question": "MEDICATION",
        "methods": ["face", "pin"],
        "phone": "android",
        "identity": "pin",
        "failure": "PIN_WRONG",
        "help": "no_card",
        "staff_message": "use-pin",
        "language": "ja-easy",
        "display_mode": "large-contrast",
    }
    assert {name: told[name] for name in expected} == expected


@pytest.mark.parametrize("snapshot", [Snapshot(), EVERYTHING, *SAMPLES.values()])
def test_a_snapshot_is_read_back_with_its_enums(snapshot: Snapshot) -> None:
    again = Snapshot.from_json(snapshot.to_json())

    assert again == snapshot
    for field in fields(snapshot):
        assert type(getattr(again, field.name)) is type(getattr(snapshot, field.name)), field.name
    assert [type(method) for method in again.methods] == [Method] * len(again.methods)


def test_a_word_that_is_no_state_is_not_read() -> None:
    text = replace(EVERYTHING, visit="x").to_json().replace("PIN_ENTRY", "PIN_ENTRANCE")
    with pytest.raises(ValueError, match="PIN_ENTRANCE"):
        Snapshot.from_json(text)
