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
from reception import flow
from reception.flow import State
from reception.flow.failures import FailureCode

TODAY = date(2026, 4, 1)
"""The date of a run on a simulated bench that names none."""

HURRY: dict[str, Any] = {
    "delays": {"told_s": 0.3, "farewell_s": 0.3, "notice_s": 2.0, "call_staff_s": 2.0, "device_retry_s": 0.5}
}
"""Nobody reads the screens of a bench, so what is only there to be read is short; a scenario may say otherwise."""

Verb = Literal[
    "insert_card",
    "remove_card",
    "swap_card",
    "stall_card",
    "choose_face",
    "choose_pin",
    "choose_phone",
    "tap_phone",
    "lift_phone",
    "type_pin",
    "answer",
    "answer_all",
    "answer_card_use",
    "choose_prescription",
    "press",
    "extend_time",
    "cancel",
    "call_staff",
    "staff_start_visual",
    "staff_confirm_visual",
    "staff_refuse_visual",
    "show",
    "unplug_reader",
    "plug_reader",
    "fault_reader",
    "stop_reader_service",
    "start_reader_service",
    "unplug_camera",
    "plug_camera",
    "black_camera",
    "freeze_camera",
    "kill_engine",
    "stop_server",
    "start_server",
    "server_fault",
    "fill_folder",
    "empty_folder",
    "jump_clock",
    "kill_terminal",
    "restart_terminal",
    "wait",
]

BUTTONS: dict[str, flow.Event] = {
    "back_to_choice": flow.BackToChoice(),
    "accept_last_try": flow.AcceptLastTry(),
    "pin_clear": flow.PinClear(),
    "pin_backspace": flow.PinBackspace(),
    "pin_submit": flow.PinSubmit(),
    "more_time": flow.MoreTime(),
    "agree_to_all": flow.AnswerAll(ConsentAnswer.GIVEN),
    "decline_all": flow.AnswerAll(ConsentAnswer.DECLINED),
    "one_by_one": flow.OneByOne(),
    "cancel": flow.Cancel(),
    "call_staff": flow.CallStaff(),
    "leave_help": flow.LeaveHelp(),
    "close_desk": flow.CloseDesk(),
    "open_desk": flow.OpenDesk(),
    **{f"help_{topic}": flow.AskHelp(topic) for topic in flow.HelpTopic},
    **{f"language_{language}": flow.ChooseLanguage(language) for language in flow.Language},
    **{f"display_{mode}": flow.ChooseDisplay(mode) for mode in flow.DisplayMode},
    **{f"staff_text_{text or 'none'}": flow.ShowStaffText(text) for text in flow.StaffText},
}
"""What ``press`` can press, on the patient's window and at the counter."""

_HOUR_S, _YEAR_S = 3600.0, 366 * 86_400.0


@checked(frozen=True, config=STRICT)
class Rule:
    """What is done when a state asks for the n-th time; the first time unless ``visit`` says otherwise."""

    state: State
    do: Verb
    visit: Annotated[int, Field(ge=1)] = 1
    value: str = ""
    item: Item | None = None
    person: str = ""
    clip: str = ""
    kind: str = ""
    password: str = ""
    """Of the bench's staff; empty: the right one."""
    seconds: Annotated[float, Field(ge=-_YEAR_S, le=_YEAR_S)] = 1.0
    """Of jump_clock forwards or, negative, back; of wait and stall_card at most an hour."""


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
    sent: Annotated[int, Field(ge=0)] | None = None
    pin_tries_left: int | None = None
    states: tuple[State, ...] | None = None
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
    try:
        person = load_person(scenario.person, path.parent)
    except ConfigError as error:
        raise file.mistake(("person",), str(error)) from None
    overrides: list[tuple[dict[str, Any], TomlFile]] = [(HURRY, file), (scenario.config, file)]
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
    return Play(
        path, scenario, person, clip, config.load(None, *overrides), today or scenario.today or unless_said
    )


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
        case "choose_phone" if rule.value not in ("", "iphone", "android"):
            raise file.mistake(
                (*at, "value"), f'{rule.value!r} is not allowed: should be "iphone" or "android"'
            )
        case "staff_confirm_visual" if rule.value not in ("", *get_args(VisualReason)):
            raise file.mistake(
                (*at, "value"),
                f"{rule.value!r} is not allowed: should be one of {list(get_args(VisualReason))}",
            )
        case "wait" | "stall_card" if not 0 < rule.seconds <= _HOUR_S:
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
