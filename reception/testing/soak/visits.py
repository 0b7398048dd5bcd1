"""Which visits an endurance run plays: people, outcomes and disturbances, drawn by a seed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, get_args

import config
from config.person import Person, load_person
from consent.choices import ConsentAnswer, Item, questions, recorded, standing
from hardware.simulation.virtual_card import Quirk
from reception.flow import State
from reception.flow.failures import FailureCode
from reception.testing import scenarios
from reception.testing.scenarios import Expect, Play, Rule, Scenario
from reception.testing.timing import FAST

SETTINGS = FAST.but(server={"connect_timeout_s": 1.0, "budget_s": 10.0}).settings()
"""Of a run. Every answer comes at once, or the server is away."""

PEOPLE = ("age39", "age40", "age45", "age74", "age75", "no-photo", "one-try-left", "rare-kanji")
"""Those of the shipped people who can be checked in by PIN."""

FACE = "age45"
"""Who stands before the camera, all the time: to decode everybody's clip anew would take longer than the visits."""

_WITH_TRIES = tuple(name for name in PEOPLE if name != "one-try-left")
_WITH_PHOTO = tuple(name for name in _WITH_TRIES if name != "no-photo")

_REFUSED = {
    "expired-certificate": FailureCode.CERTIFICATE_EXPIRED,
    "certificate-revoked": FailureCode.CERTIFICATE_REVOKED,
    "certificate-on-hold": FailureCode.CERTIFICATE_UNCONFIRMED,
    "certificate-unknown": FailureCode.CERTIFICATE_UNCONFIRMED,
    "invalid-insurance": FailureCode.INSURANCE_INVALID,
    "superseded-insurance": FailureCode.INSURANCE_INVALID,
    "ambiguous-insurance": FailureCode.INSURANCE_AMBIGUOUS,
}
"""Who is refused, and in which words."""

_WITHIN_S = 30.0
_ANSWERING = (State.METHOD_CHOICE, State.PIN_ENTRY, State.CONSENT)
"""States in which the patient may give up; the card need not be asked for anything then."""


@dataclass
class _Visit:
    """One visit as it is put together."""

    random: Random
    person: Person
    settings: config.Config
    rules: list[Rule] = field(default_factory=list)
    expect: dict[str, Any] = field(default_factory=dict)

    def on(self, state: State, do: scenarios.Verb, **more: Any) -> None:
        self.rules.append(Rule(state=state, do=do, **more))

    def begin(self) -> None:
        self.on(State.WAITING, "insert_card", person=self.person.id)

    def type_pin(self, visit: int = 1) -> None:
        self.on(State.PIN_ENTRY, "type_pin", value="card", visit=visit)
        self.expect |= {"identity": "pin", "pin_tries_left": 3}

    def identify_by_pin(self) -> None:
        self.begin()
        self.on(State.METHOD_CHOICE, "choose_pin")
        self.type_pin()

    def answers(self, always: ConsentAnswer | None = None) -> dict[Item, ConsentAnswer]:
        """Draw an answer for each question that applies."""
        person, settings = self.person, self.settings
        good_for = standing(person.certificate.expires, scenarios.TODAY, settings.grace_months)
        asked = questions(settings.profile, person.birth_date, scenarios.TODAY, good_for, settings.consents)
        return {item: always or self.random.choice(list(ConsentAnswer)) for item in asked}

    def complete(self, answers: dict[Item, ConsentAnswer], *, take: bool = True) -> None:
        """Answer, and take the card; all of it is recorded."""
        for item, answer in answers.items():
            self.on(_asked_in(item), "answer", item=item, value=answer)
        if take:
            self.on(State.TAKE_CARD, "remove_card")
        self.expect |= {
            "completed": True,
            "failure": "",
            "asked": tuple(answers),
            "consents": recorded(answers, self.settings.profile),
            "sent": 1,
        }

    def fail(self, failure: FailureCode, *, take: bool = True) -> None:
        """End incomplete, with nothing sent; the card is taken once the words are shown."""
        if take:
            self.on(State.CALL_STAFF, "remove_card")
        self.expect |= {"completed": False, "failure": failure, "sent": 0}

    def play(self, title: str) -> Play:
        expect = Expect(end=State.WAITING, within_s=_WITHIN_S, **self.expect)
        scenario = Scenario(title=title, person=self.person.id, on=tuple(self.rules), expect=expect)
        return Play(Path(self.person.id), scenario, self.person, None, self.settings, scenarios.TODAY)


@dataclass(frozen=True)
class _Kind:
    title: str
    weight: int
    """How often it is drawn, in a thousand."""
    people: tuple[str, ...]
    make: Callable[[_Visit], None]


def plans(seed: int, people: Sequence[str] = PEOPLE, *, only: str = "") -> Iterator[Play]:
    """Yield visits without end, drawn by ``seed``; two in a row are by different people where that is possible.

    ``only``: the title of the one kind of visit to play; see TITLES.
    """
    random = Random(seed)  # noqa: S311
    kinds = [kind for kind in _KINDS if only in ("", kind.title)]
    weights = [kind.weight for kind in kinds]
    settings = SETTINGS
    person = ""
    # Each worker of the terminal begins with its first work; that is no growth later on.
    begin = [kind for kind in kinds if kind.title in _FIRST]
    while True:
        kind = begin.pop() if begin else random.choices(kinds, weights)[0]
        able = people if kind.people is PEOPLE else kind.people
        person = random.choice([name for name in able if name != person] or able)
        visit = _Visit(random, _person(person), settings)
        kind.make(visit)
        yield visit.play(kind.title)


@cache
def _person(name: str) -> Person:
    return load_person(name)


def _asked_in(item: Item) -> State:
    return State.LIMIT_CONSENT if item is Item.LIMIT_AMOUNT else State.CONSENT


# --- Checked in -------------------------------------------------------------------------------------------------


def _by_pin(visit: _Visit) -> None:
    visit.identify_by_pin()
    visit.complete(visit.answers())


def _declining(visit: _Visit) -> None:
    visit.identify_by_pin()
    visit.complete(visit.answers(ConsentAnswer.DECLINED))


def _pin_wrong_once(visit: _Visit) -> None:
    visit.begin()
    visit.on(State.METHOD_CHOICE, "choose_pin")
    visit.on(State.PIN_ENTRY, "type_pin", value=_other_pin(visit.person))
    visit.type_pin(visit=2)
    visit.complete(visit.answers())


def _other_pin(person: Person) -> str:
    return f"{(int(person.card.pin) + 1) % 10_000:04}"


def _by_face(visit: _Visit) -> None:
    visit.begin()
    visit.on(State.METHOD_CHOICE, "choose_face")
    visit.complete(visit.answers())
    visit.expect |= {"identity": "face", "pin_tries_left": 3}


def _by_face_after_all(visit: _Visit) -> None:
    visit.begin()
    visit.on(State.METHOD_CHOICE, "choose_face")
    visit.on(State.FACE_MATCH, "unplug_camera")
    visit.on(State.METHOD_CHOICE, "plug_camera", visit=2)
    # Asked anew as soon as the camera is good again.
    visit.on(State.METHOD_CHOICE, "choose_face", visit=3)
    visit.complete(visit.answers())
    visit.expect["identity"] = "face"


def _without_engine(visit: _Visit) -> None:
    visit.begin()
    visit.on(State.METHOD_CHOICE, "choose_face")
    visit.on(State.FACE_MATCH, "kill_engine")
    visit.on(State.METHOD_CHOICE, "choose_pin", visit=2)
    visit.type_pin()
    visit.complete(visit.answers())


def _by_sight(visit: _Visit) -> None:
    visit.begin()
    visit.on(State.METHOD_CHOICE, "staff_start_visual")
    visit.on(State.VISUAL_CHECK, "staff_confirm_visual", value="pin-forgotten")
    visit.complete(visit.answers())
    visit.expect |= {"identity": "visual", "pin_tries_left": 3}


def _by_iphone(visit: _Visit) -> None:
    visit.on(State.WAITING, "choose_phone", value="iphone")
    visit.on(State.PHONE_TAP, "tap_phone", person=visit.person.id)
    visit.on(State.CHECKING, "lift_phone")
    visit.complete(visit.answers(), take=False)
    visit.expect["identity"] = "iphone"


def _by_android(visit: _Visit) -> None:
    _android(visit, 1)


def _android_pin_wrong_once(visit: _Visit) -> None:
    _android(visit, 2)


def _android(visit: _Visit, typed: int) -> None:
    pin = visit.person.card.pin
    visit.on(State.WAITING, "choose_phone", value="android")
    for time in range(1, typed):
        visit.on(State.PIN_ENTRY, "type_pin", value=_other_pin(visit.person), visit=time)
    visit.on(State.PHONE_TAP, "tap_phone", person=visit.person.id)
    visit.on(State.PIN_ENTRY, "type_pin", value=pin, visit=typed)
    visit.on(State.CHECKING, "lift_phone")
    visit.complete(visit.answers(), take=False)
    visit.expect |= {"identity": "pin", "pin_tries_left": 3}


def _pulled_at_the_limit(visit: _Visit) -> None:
    visit.identify_by_pin()
    answers = visit.answers() | {Item.LIMIT_AMOUNT: ConsentAnswer.DECLINED}
    visit.complete(answers, take=False)
    visit.rules.pop()
    visit.on(State.LIMIT_CONSENT, "remove_card")


def _answer_lost_once(visit: _Visit) -> None:
    visit.identify_by_pin()
    visit.on(State.LIMIT_CONSENT, "server_fault", kind="drop")
    visit.complete(visit.answers())


def _exchange_lost(visit: _Visit) -> None:
    """While the card is read, or before its PIN; the latter is the look at the card, and not the PIN."""
    state = visit.random.choice((State.WAITING, State.PIN_ENTRY))
    if state is State.WAITING:
        visit.on(state, "lose_exchanges", after=visit.random.randrange(10))
    visit.begin()
    visit.on(State.METHOD_CHOICE, "choose_pin")
    if state is State.PIN_ENTRY:
        visit.on(state, "lose_exchanges")
    visit.type_pin()
    visit.complete(visit.answers())


def _first_power_up_failed(visit: _Visit) -> None:
    visit.on(State.WAITING, "fail_power_ups", count=visit.random.randint(1, 2))
    visit.identify_by_pin()
    visit.complete(visit.answers())


def _with_a_habit(visit: _Visit) -> None:
    quirk = visit.random.choice([quirk for quirk in get_args(Quirk) if quirk])
    visit.on(State.WAITING, "reader_quirk", kind=quirk)
    visit.identify_by_pin()
    visit.on(State.CHECKING, "reader_quirk", kind="")
    visit.complete(visit.answers())


# --- Not checked in ---------------------------------------------------------------------------------------------


def _pulled(visit: _Visit) -> None:
    _until_given_up(visit, "remove_card", "{state}_CARD_REMOVED", take=False)


def _cancelled(visit: _Visit) -> None:
    _until_given_up(visit, "cancel", FailureCode.CANCELLED)


def _staff_called(visit: _Visit) -> None:
    _until_given_up(visit, "call_staff", FailureCode.STAFF_CALLED)


def _until_given_up(visit: _Visit, do: scenarios.Verb, failure: str, *, take: bool = True) -> None:
    state = visit.random.choice(_ANSWERING)
    visit.begin()
    visit.expect["pin_tries_left"] = visit.person.card.pin_tries_left
    if state is not State.METHOD_CHOICE:
        visit.on(State.METHOD_CHOICE, "choose_pin")
    if state is State.CONSENT:
        visit.type_pin()
    visit.on(state, do)
    visit.fail(FailureCode(failure.format(state=state)), take=take)


def _refused(visit: _Visit) -> None:
    visit.identify_by_pin()
    visit.fail(_REFUSED[visit.person.id])


def _without_certificate(visit: _Visit) -> None:
    visit.begin()
    visit.fail(FailureCode.CARD_WITHOUT_CERTIFICATE)


def _registration_declined(visit: _Visit) -> None:
    visit.identify_by_pin()
    visit.on(State.CARD_USE_OFFER, "answer_card_use", value="declined")
    visit.fail(FailureCode.CARD_USE_DECLINED)


def _reader_unplugged(visit: _Visit) -> None:
    visit.begin()
    visit.on(State.METHOD_CHOICE, "unplug_reader")
    visit.on(State.OUT_OF_SERVICE, "remove_card")
    visit.on(State.OUT_OF_SERVICE, "plug_reader")
    visit.fail(FailureCode.READER_LOST, take=False)


def _server_down(visit: _Visit) -> None:
    visit.begin()
    visit.on(State.METHOD_CHOICE, "choose_pin")
    visit.on(State.PIN_ENTRY, "stop_server")
    visit.type_pin()
    visit.on(State.CALL_STAFF, "start_server")
    visit.fail(FailureCode.SERVER_UNREACHABLE)


def _answer_lost(visit: _Visit) -> None:
    """Recorded, and the patient is not told: the counter is, later."""
    visit.identify_by_pin()
    answers = visit.answers()
    visit.on(State.LIMIT_CONSENT, "server_fault", kind="drop", value="always")
    visit.complete(answers, take=False)
    visit.on(State.CALL_STAFF, "server_fault", kind="none")
    visit.on(State.CALL_STAFF, "remove_card")
    visit.expect |= {"completed": False, "failure": FailureCode.SERVER_UNREACHABLE}


_KINDS = (
    _Kind("by PIN", 455, PEOPLE, _by_pin),
    _Kind("by PIN, all declined", 50, PEOPLE, _declining),
    _Kind("by PIN, wrong once", 50, _WITH_TRIES, _pin_wrong_once),
    _Kind("by PIN, in the grace period", 15, ("certificate-in-grace",), _by_pin),
    _Kind("by face", 30, (FACE,), _by_face),
    _Kind("by face, camera unplugged meanwhile", 2, (FACE,), _by_face_after_all),
    _Kind("by PIN, face engine killed", 1, (FACE,), _without_engine),
    _Kind("by sight", 45, _WITH_PHOTO, _by_sight),
    _Kind("by iPhone", 40, ("phone-ios",), _by_iphone),
    _Kind("by Android", 40, ("phone-android",), _by_android),
    _Kind("by Android, PIN wrong once", 10, ("phone-android",), _android_pin_wrong_once),
    _Kind("by PIN, pulled at the limit question", 20, PEOPLE, _pulled_at_the_limit),
    _Kind("by PIN, server's answer lost once", 15, PEOPLE, _answer_lost_once),
    _Kind("by PIN, an exchange lost", 20, PEOPLE, _exchange_lost),
    _Kind("by PIN, first power-up failed", 10, PEOPLE, _first_power_up_failed),
    _Kind("by PIN, reader with a habit", 20, PEOPLE, _with_a_habit),
    _Kind("by PIN, card of the next generation", 10, ("next-card",), _by_pin),
    _Kind("a card without certificate", 5, ("no-certificate",), _without_certificate),
    _Kind("pulled", 60, PEOPLE, _pulled),
    _Kind("cancelled", 30, PEOPLE, _cancelled),
    _Kind("staff called", 20, PEOPLE, _staff_called),
    _Kind("refused by the server", 30, tuple(_REFUSED), _refused),
    _Kind("registration declined", 10, ("first-visit",), _registration_declined),
    _Kind("reader unplugged", 8, PEOPLE, _reader_unplugged),
    _Kind("server down", 3, PEOPLE, _server_down),
    _Kind("recorded, answer lost", 1, PEOPLE, _answer_lost),
)

_FIRST = ("by PIN", "by sight", "by face", "by iPhone")
TITLES = tuple(kind.title for kind in _KINDS)
