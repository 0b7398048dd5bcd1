"""Scenario files: what may stand in one, and what is refused when it is loaded."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field
from pydantic.dataclasses import dataclass as checked

import config
from config.person import Person, load_person, shipped_people
from config.toml_file import STRICT, ConfigError, TomlFile
from consent.choices import ConsentAnswer, Item, PrescriptionForm, VisualReason
from hardware.simulation.virtual_card import Quirk
from reception.flow import AttributeOutcome, State
from reception.flow.failures import FailureCode
from reception.testing.scenarios.receipt_computer import KINDS
from reception.testing.timing import FOLLOWED
from reception.testing.verbs import BUTTONS, Rule

TODAY = date(2026, 4, 1)
"""The date of a run on a simulated bench that names none."""

_HOUR_S = 3600.0


@checked(frozen=True, config=STRICT)
class Expect:
    """What must hold at the end; what is left out is not looked at."""

    end: State | None = None
    completed: bool | None = None
    failure: FailureCode | Literal[""] | None = None
    identity: Literal["", "face", "pin", "visual", "iphone"] | None = None
    """An iPhone has asked its owner itself; Android's PIN, typed at the terminal, is a "pin"."""
    asked: tuple[Item, ...] | None = None
    consents: dict[Item, ConsentAnswer] | None = None
    subsidies: tuple[ConsentAnswer, ...] | None = None
    """What is recorded of each certificate of a medical subsidy, in asking order; in `consents` the item is given when
    one of them is used."""
    sent: Annotated[int, Field(ge=0)] | None = None
    pin_tries_left: int | None = None
    states: tuple[State, ...] | None = None
    attributes: AttributeOutcome | None = None
    """What came of the offer after the check-in."""
    worklist: Annotated[int, Field(ge=0)] | None = None
    """Changes that staff have to look at in the end."""
    receipt_answers: tuple[str, ...] | None = None
    """The code of each answer to ``ask_receipt``, in order; "" where there was no error."""
    within_s: Annotated[float, Field(gt=0, le=3600)] | None = None


@checked(frozen=True, config=STRICT)
class Scenario:
    """One scenario file."""

    title: str
    person: str
    today: date | None = None
    clip: str = ""
    profile: config.Profile | None = None
    on: tuple[Rule, ...] = ()
    expect: Expect = field(default_factory=Expect)
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Play:
    """A scenario ready to be played: files found, settings laid over each other."""

    path: Path
    scenario: Scenario
    person: Person
    clip: Path | None
    settings: config.Config
    today: date | None
    """The run's date; None: as the clock says, since a real card's certificate is as old as it is."""


def load(path: Path, state: Path, today: date | None = None, unless_said: date | None = TODAY) -> Play:
    """Read a scenario and all that it names; raises ConfigError with file, line and key.

    ``today`` goes before the scenario's own date, ``unless_said`` after it.
    """
    from hardware.camera.clips import load_clip
    from hardware.simulation.portraits import portrait_path, read_picture

    file = TomlFile.read(path)
    scenario = file.parse(Scenario)
    for number, rule in enumerate(scenario.on):
        _check_rule(rule, file, number)
        _check_restart(scenario.on, file, number)
    day = today or scenario.today or unless_said
    try:
        person = load_person(scenario.person, path.parent, day)
    except ConfigError as error:
        raise file.mistake(("person",), str(error)) from None
    # A scenario may say otherwise.
    overrides: list[tuple[dict[str, Any], TomlFile]] = [(FOLLOWED.tables(), file), (scenario.config, file)]
    if scenario.config.get("attributes", {}).get("offer"):
        # Where the folder truly is, the run says.
        overrides.insert(0, ({"receipt": {"folder": "receipt"}}, file))
    if scenario.profile:
        overrides.append(({"profile": scenario.profile}, file))
    try:
        clip = clip_folder(scenario.clip, path.parent, state) if scenario.clip else None
        if clip:
            load_clip(clip)
    except ConfigError as error:
        raise file.mistake(("clip",), str(error)) from None
    if person.card.photo:
        try:
            read_picture(portrait_path(person.card.photo))
        except ConfigError as error:
            raise file.mistake(("person",), f"{scenario.person}: card.photo: {error}") from None
    return Play(path, scenario, person, clip, config.load(None, *overrides), day)


def clip_folder(name: str, beside: Path, state: Path) -> Path:
    """Return a folder of frames: a path beside the scenario, or the clip of a shipped person.

    ``PERSON:CONDITION`` is the person in that condition of moving_stills.py, as ``age45:flat-photo``.
    """
    from hardware.simulation.moving_stills import Condition, clip_for
    from hardware.simulation.portraits import portrait_path
    from reception.testing.testbench import clip_of

    who, _, condition = name.partition(":")
    if who not in shipped_people():
        return beside / name
    if not condition:
        return clip_of(load_person(who), state / "clips")
    known = [each.value for each in Condition]
    if condition not in known:
        raise ConfigError(f"{name}: there is no such condition; known: {', '.join(known)}")
    return clip_for(portrait_path(load_person(who).card.photo), state / "clips", Condition(condition))


def _check_rule(rule: Rule, file: TomlFile, number: int) -> None:
    at = ("on", number)
    answers = [answer.value for answer in ConsentAnswer]
    match rule.do:
        case "choose_prescription" if rule.value not in list(PrescriptionForm):
            raise file.mistake(
                (*at, "value"), f'{rule.value!r} is not allowed: should be "electronic" or "paper"'
            )
        case "answer" | "answer_all" | "answer_card_use" if rule.value not in answers:
            raise file.mistake((*at, "value"), f"{rule.value!r} is not allowed: should be one of {answers}")
        case "type_pin" if rule.value != "card" and not (len(rule.value) == 4 and rule.value.isdecimal()):
            raise file.mistake((*at, "value"), 'is not allowed: should be four digits, or "card"')
        case "press" if rule.value not in BUTTONS:
            raise file.mistake((*at, "value"), f"{rule.value!r} is no button; known: {', '.join(BUTTONS)}")
        case "ask_receipt" if rule.value not in KINDS:
            raise file.mistake(
                (*at, "value"), f"{rule.value!r} is not allowed: should be one of {list(KINDS)}"
            )
        case "jump_clock" if rule.kind not in ("", "server"):
            raise file.mistake((*at, "kind"), f'{rule.kind!r} is not allowed: should be "" or "server"')
        case "choose_phone" if rule.value not in ("", "iphone", "android"):
            raise file.mistake(
                (*at, "value"), f'{rule.value!r} is not allowed: should be "iphone" or "android"'
            )
        case "staff_confirm_visual" if rule.value not in ("", *get_args(VisualReason)):
            raise file.mistake(
                (*at, "value"),
                f"{rule.value!r} is not allowed: should be one of {list(get_args(VisualReason))}",
            )
        case "reader_quirk" if rule.kind not in get_args(Quirk):
            known = [quirk for quirk in get_args(Quirk) if quirk]
            raise file.mistake(
                (*at, "kind"), f"{rule.kind!r} is not allowed: should be one of {known}, or empty"
            )
        case "wait" | "stall_card" | "hold_reader" if not 0 < rule.seconds <= _HOUR_S:
            raise file.mistake(
                (*at, "seconds"),
                f"{rule.seconds:g} is not allowed: should be above 0 and at most {_HOUR_S:g}",
            )
        case "swap_card" if not rule.person:
            raise file.mistake((*at, "person"), "is missing")
        case "show" if not rule.clip:
            raise file.mistake((*at, "clip"), "is missing")


def _check_restart(rules: tuple[Rule, ...], file: TomlFile, number: int) -> None:
    """Nothing shows a state between the two: a killed terminal is started again on the same occasion."""
    killed = rules[number]
    if killed.do == "kill_terminal" and not any(
        (rule.do, rule.state, rule.visit) == ("restart_terminal", killed.state, killed.visit)
        for rule in rules[number + 1 :]
    ):
        raise file.mistake(
            ("on", number, "do"),
            "kill_terminal: should be followed by restart_terminal in the same state and visit",
        )
