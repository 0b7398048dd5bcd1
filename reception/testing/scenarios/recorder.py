"""A manual visit becomes a scenario: what people and devices did, by state, and what came of it.

Rules are noted in the conductor's own order, so that what came late and changed nothing is not in them. Of a PIN only
whether the card took it is known here: the right one is written as "card", a wrong one as digits that nobody typed.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from config import Config
from config.person import Person
from reception import flow
from reception.flow import Event, State
from reception.terminal.snapshot import Snapshot
from reception.testing.scenarios.course import AsksServer, Course
from reception.testing.scenarios.results import Result, plain
from reception.testing.verbs import BUTTONS, Verb, verb_of

_REST = (State.WAITING, State.OUT_OF_SERVICE)
_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
"""What is done to a device a moment after another thing, in the same state, is so again when it is played."""
_DEVICES: Mapping[type[Event], Verb] = {
    flow.CardInserted: "insert_card",
    flow.CardMute: "insert_card",
    flow.CardRemoved: "remove_card",
    flow.PhoneLaid: "tap_phone",
    flow.PhoneLifted: "lift_phone",
    flow.ReaderLost: "unplug_reader",
    flow.ReaderReady: "plug_reader",
    flow.CameraLost: "unplug_camera",
    flow.CameraReady: "plug_camera",
}
"""What hands must have done at real devices, by what the terminal noticed."""
_COMES, _GOES = (
    ("plug_reader", "plug_camera", "insert_card"),
    ("unplug_reader", "unplug_camera", "remove_card"),
)


class NothingRecorded(Exception):
    """No visit came to its end; ``str()`` is the one line that is shown."""


@dataclass
class Noted:
    """One rule: what was done when a state asked for the n-th time."""

    state: State
    visit: int
    do: Verb
    more: dict[str, Any]
    at: float
    """time.monotonic()."""
    about: str = ""
    """The item that was asked then, for who reads the file."""


@dataclass(frozen=True)
class Recording:
    """What was done and what came of it, up to the last moment at rest."""

    rules: Sequence[Noted]
    result: Result
    person: str
    left_out: bool
    """A visit that had not ended yet is not in it."""


@dataclass
class _Kept:
    """How things stood when the terminal last came to rest."""

    rules: int
    result: Result
    visit: str
    person: str


class Recorder:
    """Hears what a terminal shows and what happens to it; ``real``: hands are known by what the devices told.

    ``see`` and ``happened`` are subscriptions of the terminal; ``did`` is told of hands at a simulated bench, before
    they do it.
    """

    def __init__(self, person: Person, *, real: bool = False) -> None:
        self._real = real
        self._person = self._first = person.id
        self._result = Result("", "")
        self._course = Course(self._result, time.monotonic())
        self._rules: list[Noted] = []
        self._pin: Noted | None = None
        self._shown = Snapshot()
        self._there = {"reader": True, "camera": True, "card": False}
        """Of real devices, what hands have not taken away."""
        self._kept: _Kept | None = None
        self._lock = threading.Lock()

    # --- What is heard ------------------------------------------------------------------------------------------

    def see(self, snapshot: Snapshot) -> None:
        """Take up what is shown."""
        with self._lock:
            self._shown = snapshot
            anew = self._course.note(snapshot, time.monotonic())
            if anew and snapshot.state in _REST:
                self._result.seconds = time.monotonic() - self._course.began
                self._kept = _Kept(len(self._rules), deepcopy(self._result), self._course.visit, self._person)

    def happened(self, news: tuple[Event, Snapshot]) -> None:
        """Take up an event that changed something."""
        event, shown = news
        with self._lock:
            match event:
                case flow.PinMissed() if self._pin is not None:
                    self._pin.more["value"] = ""
                    self._pin = None
                case flow.PinVerified() | flow.PhoneRead():
                    self._pin = None
                case _ if self._real and type(event) in _DEVICES:
                    self._noticed(_DEVICES[type(event)], shown)
                case _:
                    if (did := verb_of(event)) is not None:
                        noted = self._note(did[0], shown, did[1])
                        if noted.do == "type_pin":
                            self._pin = noted

    def did(self, verb: Verb, person: str = "", **more: Any) -> Callable[[], None]:
        """Note what a hand is about to do; returns the way to take it back, if it could not be done."""
        with self._lock:
            if verb in ("insert_card", "tap_phone") and person:
                if not any(rule.do in ("insert_card", "tap_phone", "show") for rule in self._rules):
                    self._first = self._person = person
                elif person != self._person:
                    more["person"] = self._person = person
            noted = self._note(verb, self._shown, more)

        def take_back() -> None:
            with self._lock:
                self._rules = [rule for rule in self._rules if rule is not noted]

        return take_back

    def _noticed(self, verb: Verb, shown: Snapshot) -> None:
        """Note a hand at a real device; a device is told lost again and again, and is lost once."""
        what = verb.rpartition("_")[2]
        if verb in (*_COMES, *_GOES):
            there = verb in _COMES
            if self._there[what] is there:
                return
            self._there[what] = there
        self._note(verb, shown, {})

    def _note(self, verb: Verb, shown: Snapshot, more: dict[str, Any]) -> Noted:
        state = shown.state
        visit = self._course.times[state]
        if not visit:
            # Before the terminal was up; it is done as soon as it is.
            state, visit = State.WAITING, 1
        noted = Noted(state, visit, verb, more, time.monotonic(), shown.question)
        self._rules = [*self._rules, noted]
        return noted

    # --- The end ------------------------------------------------------------------------------------------------

    def finish(self, client: AsksServer, tries: int | None = None) -> Recording:
        """Ask the server what it holds of the last visit, and return the recording; raises NothingRecorded.

        ``tries``: the PIN tries left of the card, where they can be asked.
        """
        with self._lock:
            now_at_rest = self._shown.state in _REST
            kept = self._kept
            if now_at_rest and kept is not None:
                self._result.seconds = kept.result.seconds
                kept = _Kept(len(self._rules), self._result, self._course.visit, self._person)
            if kept is None or not kept.rules or not kept.visit:
                raise NothingRecorded("no visit came to its end, so there is nothing to record")
            left_out = not now_at_rest
            course = Course(kept.result, self._course.began)
            course.visit = kept.visit
            course.ask_server(client)
            kept.result.pin_tries_left = None if left_out else tries
            return Recording(self._rules[: kept.rules], kept.result, self._first, left_out)


# --- The file -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """What the file says beside rules and outcome."""

    title: str
    today: date
    settings: Config
    shipped: Config
    """The settings that hold where the scenario says nothing else."""
    clip: str = ""
    pins: frozenset[str] = field(default=frozenset(), repr=False)
    """PINs of simulated people; a wrong PIN is written as none of them."""


def as_toml(recording: Recording, frame: Frame) -> str:
    """Return the scenario file."""
    lines = [
        f"title = {_value(frame.title or _title(recording.result))}",
        f"today = {frame.today.isoformat()}",
        f"person = {_value(recording.person)}",
    ]
    if frame.clip:
        lines.append(f"clip = {_value(frame.clip)}")
    if frame.settings.profile != frame.shipped.profile:
        lines.append(f"profile = {_value(frame.settings.profile)}")
    lines += ["on = [", *_rules(recording.rules, _wrong_pin(frame.pins)), "]"]
    lines += ["", "[expect]", *(f"{key} = {_value(value)}" for key, value in _expect(recording.result))]
    summary = any(rule.more.get("value") in _ON_THE_SUMMARY for rule in recording.rules)
    for name, table in _overrides(frame.settings, frame.shipped, summary=summary):
        lines += ["", f"[config{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _title(result: Result) -> str:
    how = f"by {result.identity}" if result.identity else "without identity"
    came = "completed" if result.completed else result.failure or "not completed"
    return f"recorded visit {how}: {came}"


def _wrong_pin(pins: frozenset[str]) -> str:
    return next(digits for digits in (f"{digit}" * 4 for digit in range(10)) if digits not in pins)


def _rules(rules: Sequence[Noted], wrong_pin: str) -> list[str]:
    lines = []
    before: Noted | None = None
    for rule in rules:
        same = before is not None and (before.state, before.visit) == (rule.state, rule.visit)
        pause = rule.at - before.at if before is not None and same else 0.0
        if before is not None and before.do not in _PATIENTS and pause >= _PAUSE_S:
            lines.append(_rule(rule, "wait", {"seconds": round(min(pause, _LONGEST_PAUSE_S), 1)}))
        more = dict(rule.more)
        if rule.do == "type_pin" and not more["value"]:
            more["value"] = wrong_pin
        lines.append(_rule(rule, rule.do, more))
        before = rule
    return lines


_PATIENTS = frozenset(
    (
        "choose_face",
        "choose_pin",
        "choose_phone",
        "type_pin",
        "answer",
        "answer_card_use",
        "choose_prescription",
        "press",
        "extend_time",
    )
)
"""Verbs whose effect is there at once; after others a device may need a moment to notice."""


def _rule(rule: Noted, verb: str, more: Mapping[str, Any]) -> str:
    parts = {
        "state": rule.state.value,
        **({"visit": rule.visit} if rule.visit > 1 else {}),
        "do": verb,
        **more,
    }
    line = ", ".join(f"{key} = {_value(value)}" for key, value in parts.items())
    return f"  {{{line}}}," + (f"    # {rule.about}" if rule.about else "")


def _expect(result: Result) -> list[tuple[str, Any]]:
    expected: list[tuple[str, Any]] = [
        ("end", result.states[-1][0]),
        ("completed", result.completed),
        ("failure", result.failure),
        ("identity", result.identity),
        ("asked", result.asked),
        ("consents", result.consents),
        *([("subsidies", result.subsidies)] if result.subsidies else []),
        ("sent", result.sent),
    ]
    if result.pin_tries_left is not None:
        expected.append(("pin_tries_left", result.pin_tries_left))
    # Nobody thinks before pressing when it is played, but what timed out takes as long again.
    within_s = float(min(3600, math.ceil(result.seconds * 1.5 + 20)))
    return [*expected, ("states", [name for name, _ in result.states]), ("within_s", within_s)]


_DECIDE = ("face", "consents", "delays")
"""Tables of the settings that decide what becomes of a visit; others name devices and places."""


_ON_THE_SUMMARY = ("confirm_answers", *(name for name in BUTTONS if name.startswith("change_")))


def _overrides(settings: Config, shipped: Config, *, summary: bool) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables that differ, by their name with a dot before it; the settings' own values first.

    ``summary``: something was pressed where every answer is shown once more, which scenarios leave out by default.
    """
    tables: list[tuple[str, dict[str, Any]]] = []
    own: dict[str, Any] = {"confirm_answers": True} if summary else {}
    if settings.grace_months != shipped.grace_months:
        own["grace_months"] = settings.grace_months
    if own:
        tables.append(("", own))
    for name in _DECIDE:
        mine, theirs = asdict(getattr(settings, name)), asdict(getattr(shipped, name))
        inner = {key: (mine.pop(key), theirs.pop(key)) for key in [*mine] if isinstance(mine[key], dict)}
        for path, one, other in (
            (f".{name}", mine, theirs),
            *((f".{name}.{key}", *pair) for key, pair in inner.items()),
        ):
            changed = {key: value for key, value in one.items() if value != other[key]}
            if changed:
                tables.append((path, changed))
    return tables


def _value(value: object) -> str:
    """Return a value as TOML; its strings are JSON's but for one character."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {_value(one)}" for key, one in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return plain(value).replace("\x7f", "\\u007F")
