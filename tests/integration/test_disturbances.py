"""Everything that can happen to card, reader and service, at every command and in every state of a visit.

What must come of it is always the same: the right words, nothing sent that was not agreed to, the PIN counter as the
card itself has it, and the next patient succeeds. Behind pcscd each removal costs a second of polling, so that the
full set there is marked ``long``.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from config.person import load_person
from hardware.card import CardChannel, MyNumberCard, ReaderBusy
from hardware.face.engine import FaceEngine
from hardware.simulation.virtual_card import RecordingCard, SmartCard, foreign_card
from reception import flow
from reception.flow import Method, State
from reception.flow.failures import CARD_REMOVED_WHILE, FailureCode
from reception.testing import matrix
from reception.testing.matrix import Disturbance
from reception.testing.matrix.cell import Cell
from reception.testing.scenarios import TODAY
from reception.testing.testbench import Bench, BenchKind
from reception.testing.timing import FAST
from reception.testing.visit_driver import VisitDriver
from tests.support.pcscd import running_pcscd

ROUTES = (Method.PIN, Method.FACE)
TRIES = 2
"""Tries left on a disturbed patient's card: a right PIN that truly reached it makes them 3, a wrong one 1."""


@contextmanager
def a_stage(kind: BenchKind, state: Path, engine: FaceEngine) -> Iterator[VisitDriver]:
    """Set up a bench, and see at the end that nothing of all the visits is left behind."""
    people = [load_person(name) for name in ("age45", "age75", "no-photo")]
    with Bench(FAST.settings(), state, kind, people=people, today=TODAY, engine=engine) as bench:
        stage = VisitDriver(bench)
        for method in ROUTES:
            stage.visit(method=method)
            stage.settle()
        before = held()
        yield stage
        stage.settle()
        assert_nothing_is_left(before)


def held() -> tuple[int, int]:
    """Count this process's threads and file descriptors; the mock server's own pool grows and shrinks as it likes."""
    threads = [thread for thread in threading.enumerate() if not thread.name.startswith("AnyIO worker")]
    return len(threads), len(os.listdir("/proc/self/fd"))


def assert_nothing_is_left(before: tuple[int, int]) -> None:
    """A thread may take a moment to end; one connection to the server, kept for the next question, has two ends."""
    threads, files = before
    deadline = time.monotonic() + 6
    while (now := held())[0] > threads or now[1] > files + 2:
        assert time.monotonic() < deadline, (before, now, threading.enumerate())
        time.sleep(0.05)


@pytest.fixture(scope="module")
def simulated(made_state: Path, engine: FaceEngine) -> Iterator[VisitDriver]:
    with a_stage("simulated", made_state, engine) as stage:
        yield stage


@pytest.fixture(scope="module")
def pcsc(made_state: Path, engine: FaceEngine) -> Iterator[VisitDriver]:
    with running_pcscd():
        pass
    with a_stage("pcsc", made_state, engine) as stage:
        yield stage


# --- The card is pulled -----------------------------------------------------------------------------------------


class Removal:
    """One visit whose card is pulled at one command, and what must come of it."""

    def __init__(self, stage: VisitDriver, method: Method, at: int, moment: str, pin: str = "1234") -> None:
        self.name = f"{method} route, {moment} command {at}"
        self._stage, self._method, self._at, self._pin = stage, method, at, pin
        self.card = stage.card(tries=TRIES)
        if moment == "before":
            self.card.before = self._pull
        else:
            self.card.after = self._pull

    def _pull(self, number: int, apdu: bytes) -> bool:
        if number == self._at:
            self._stage.bench.slot.remove()
        return number >= self._at

    def play(self, expected: State) -> list[str]:
        """Return what was not as it must be."""
        stage = self._stage
        stage.begin(self.card, self._method, pin=self._pin)
        code = CARD_REMOVED_WHILE[expected]
        told = stage.wait_until(lambda seen: seen.failure != "", self.name)
        stage.wait_at_rest()
        wrong = []
        if told.failure != code:
            wrong.append(f"{self.name}: {told.failure} instead of {code}")
        if self.card.pin_tries_left != (tries := tries_left(self.card, self._pin)):
            wrong.append(f"{self.name}: {self.card.pin_tries_left} tries instead of {tries}")
        if stage.recorded(told.visit) or stage.completed(told.visit):
            wrong.append(f"{self.name}: counts as checked in")
        return wrong


def tries_left(card: RecordingCard, pin: str) -> int:
    """Return what the counter must be, from what truly reached the card."""
    if not any(is_pin(apdu) for apdu in card.seen):
        return TRIES
    return 3 if pin == "1234" else TRIES - 1


def is_pin(apdu: bytes) -> bool:
    return apdu[:4] == bytes.fromhex("00200098") and len(apdu) > 5


def commands_of(stage: VisitDriver, method: Method) -> list[tuple[State, bytes]]:
    """Play an undisturbed visit; return its commands, each with the state in which it was sent."""
    stage.settle()
    card = stage.card(tries=TRIES)
    stage.visit(card, method, hold=State.METHOD_CHOICE)
    in_reading = card.count
    stage.go_on()
    stage.wait(State.TAKE_CARD)
    stage.settle()
    with_pin = max((at for at, apdu in enumerate(card.seen, 1) if is_pin(apdu)), default=0)

    def state_at(number: int) -> State:
        """All of the first look, then up to the PIN, then the rest."""
        if number <= in_reading:
            return State.READING
        return State.PIN_ENTRY if number <= with_pin else State.CHECKING

    return [(state_at(at), apdu) for at, apdu in enumerate(card.seen, 1)]


def assert_the_next_patient_succeeds(stage: VisitDriver) -> None:
    card = stage.next_card
    visit = stage.visit(card, pin=load_person("age75").card.pin)
    assert stage.completed(visit), stage.states()
    assert stage.recorded(visit)
    assert card.pin_tries_left == 3


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("method", ROUTES)
def test_a_card_pulled_at_any_command_ends_the_visit_and_not_the_next_one(
    method: Method, moment: str, simulated: VisitDriver, pytestconfig: pytest.Config
) -> None:
    """The next patient comes after every fourth removal, with --long after each; the visit of each card that is
    removed begins well, too."""
    every = 1 if pytestconfig.getoption("--long") else 4
    commands = commands_of(simulated, method)
    assert len(commands) > 20
    wrong = []
    for at, (state, _) in enumerate(commands, 1):
        wrong += Removal(simulated, method, at, moment).play(state)
        if at % every == 0 or at == len(commands):
            assert_the_next_patient_succeeds(simulated)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_card_pulled_at_a_wrong_pin_lost_a_try_only_if_the_pin_reached_it(
    moment: str, simulated: VisitDriver
) -> None:
    commands = commands_of(simulated, Method.PIN)
    at = next(number for number, (_, apdu) in enumerate(commands, 1) if is_pin(apdu))

    wrong = Removal(simulated, Method.PIN, at, moment, pin="9999").play(State.PIN_ENTRY)

    assert not wrong, "\n".join(wrong)
    assert_the_next_patient_succeeds(simulated)


# --- Reader and service ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("disturbance", [Disturbance.READER_UNPLUGGED, Disturbance.CARD_SWAPPED])
def test_a_lost_reader_and_another_card_come_in_every_state_to_what_the_rules_say(
    disturbance: Disturbance, engine: FaceEngine, made_state: Path
) -> None:
    cells = matrix.cells("simulated", disturbances=[disturbance])
    assert len(cells) >= 12
    assert matrix.wrong(matrix.play(cells, "simulated", made_state, engine=engine)) == {}


def method_to(state: State) -> Method:
    return Method.FACE if state is State.FACE_MATCH else Method.PIN


def test_a_reader_that_another_program_holds_is_named_and_the_next_patient_succeeds(
    simulated: VisitDriver,
) -> None:
    simulated.settle()
    reader = simulated.terminal._readers[0]

    def held_by_another(*_: object) -> CardChannel:
        raise ReaderBusy("another program holds the reader")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "connect", held_by_another)
        simulated.begin(simulated.card())
        told = simulated.wait(State.CALL_STAFF)
    assert (told.failure, told.completed) == (FailureCode.READER_BUSY, False)
    simulated.bench.slot.remove()
    simulated.wait_at_rest()
    assert_the_next_patient_succeeds(simulated)


# --- Another card ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", [State.READING, State.METHOD_CHOICE, State.FACE_MATCH, State.PIN_ENTRY, State.CHECKING]
)
def test_a_card_exchanged_faster_than_the_reader_looks_is_found_before_anyone_is_identified(
    state: State, simulated: VisitDriver
) -> None:
    exchange_unnoticed(simulated, state)
    assert_the_next_patient_succeeds(simulated)


def exchange_unnoticed(stage: VisitDriver, state: State) -> None:
    stage.settle()
    card, other = stage.card(tries=TRIES), stage.card("age75")
    if state is State.READING:
        in_reading = len([each for each, _ in commands_of(stage, Method.PIN) if each is State.READING])

        def swap(number: int, apdu: bytes) -> bool:
            if number == in_reading - 1:
                stage.bench.slot.swap(other, unnoticed=True)
            return number >= in_reading - 1

        card.before = swap
        stage.begin(card)
    else:
        stage.visit(card, method_to(state), hold=state)
        stage.bench.slot.swap(other, unnoticed=True)
        stage.go_on()

    told = stage.wait(State.CALL_STAFF)
    assert (told.failure, told.card_in) == (FailureCode.CARD_SWAPPED, True), stage.states()
    assert not stage.recorded(told.visit)
    assert (card.pin_tries_left, other.pin_tries_left) == (tries_left(card, "1234"), 3)
    assert not any(is_pin(apdu) for apdu in other.seen)
    stage.bench.slot.remove()
    assert stage.wait_at_rest().failure in (FailureCode.CARD_SWAPPED, "")


@pytest.mark.parametrize("state", [State.CONSENT, State.LIMIT_CONSENT, State.SENDING, State.TAKE_CARD])
def test_a_card_exchanged_unnoticed_once_its_holder_is_identified_changes_nothing(
    state: State, simulated: VisitDriver
) -> None:
    """The card is not asked any more, and what is agreed to is the first holder's."""
    simulated.settle()
    other = simulated.card("age75")
    visit = simulated.visit(hold=state)
    simulated.bench.slot.swap(other, unnoticed=True)
    simulated.go_on()

    simulated.wait(State.TAKE_CARD)
    assert simulated.recorded(visit)
    assert not other.seen


# --- A card that takes its time -------------------------------------------------------------------------------------


@contextmanager
def patience(stage: VisitDriver, seconds: float) -> Iterator[None]:
    """Let the terminal wait that long for one answer of a card, and no longer."""
    reader = stage.terminal._readers[0]._reader
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "_stall_limit_s", seconds)
        yield


STALLS: dict[str, Callable[[bytes], bool]] = {
    "READING": lambda apdu: apdu[1] == 0xB0,
    "PIN_ENTRY, asking for the tries": lambda apdu: apdu == bytes.fromhex("00200098"),
    "PIN_ENTRY, sending the PIN": is_pin,
    "CHECKING": lambda apdu: apdu[1] == 0x2A,
}
"""The command over which the card stalls, by the state of the visit."""


@pytest.mark.parametrize("where", STALLS)
def test_a_card_that_stalls_too_long_is_given_up_until_it_answers(where: str, simulated: VisitDriver) -> None:
    with patience(simulated, 0.2):
        stall(simulated, STALLS[where], seconds=0.6)
    assert_the_next_patient_succeeds(simulated)


def stalling(stage: VisitDriver, meant: Callable[[bytes], bool], seconds: float) -> RecordingCard:
    """Make a card that takes its time over the first command of a kind."""
    at = next(number for number, (_, apdu) in enumerate(commands_of(stage, Method.PIN), 1) if meant(apdu))
    card = stage.card(tries=TRIES)

    def before(number: int, apdu: bytes) -> bool:
        if number == at - 1:
            stage.bench.slot.stall(seconds)
        return False

    card.before = before
    return card


def stall(stage: VisitDriver, meant: Callable[[bytes], bool], seconds: float) -> None:
    """Let the card stall for longer than any may; it stays in, and answers in the end."""
    card = stalling(stage, meant, seconds)
    before = held()
    stage.begin(card)

    told = stage.wait_until(lambda seen: seen.failure == FailureCode.CARD_STALLED, "a stalled card")
    assert told.state in (State.CALL_STAFF, State.OUT_OF_SERVICE)
    stage.hold(State.METHOD_CHOICE)
    out = stage.wait(State.OUT_OF_SERVICE)
    assert (out.failure, stage.terminal.snapshot.health.reader) == (FailureCode.CARD_STALLED, "down")
    # It has answered: the reader is back, and the card in it begins anew.
    stage.wait_until(lambda seen: seen.visit != told.visit and bool(seen.methods), "a new visit")
    assert not stage.recorded(told.visit)
    assert card.pin_tries_left == tries_left(card, "1234")
    stage.bench.slot.remove()
    stage.wait_at_rest()
    assert_nothing_is_left(before)


# --- Cards that are none of ours ------------------------------------------------------------------------------------

REFUSED = {
    "juki": FailureCode.CARD_WRONG,
    "transit": FailureCode.CARD_WRONG,
    "payment": FailureCode.CARD_WRONG,
    "other": FailureCode.CARD_WRONG,
    "mute": FailureCode.CARD_UNREADABLE,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_another_card_is_refused_in_its_words_and_the_next_patient_succeeds(
    kind: Any, simulated: VisitDriver
) -> None:
    simulated.settle()
    simulated.begin(foreign_card(kind))
    told = simulated.wait(State.CALL_STAFF)
    assert (told.failure, told.completed) == (REFUSED[kind], False)
    assert not simulated.recorded(told.visit)
    simulated.bench.slot.remove()
    simulated.wait_at_rest()
    assert_the_next_patient_succeeds(simulated)


# --- What a card says of itself -------------------------------------------------------------------------------------


class Forged:
    """A card whose photo was changed after its record was signed."""

    def __init__(self, inner: SmartCard) -> None:
        self.inner, self.atr = inner, inner.atr

    @property
    def pin_tries_left(self) -> int | None:
        return self.inner.pin_tries_left

    def power_off(self) -> None:
        self.inner.power_off()

    def process(self, apdu: bytes) -> bytes:
        answer = self.inner.process(apdu)
        # A block in the middle of the record, which is mostly photo.
        in_photo = apdu[1:3] == b"\xb0\x08"
        return bytes([answer[0] ^ 1]) + answer[1:] if in_photo else answer


def test_a_photo_that_was_tampered_with_is_not_compared_and_the_pin_still_works(
    simulated: VisitDriver,
) -> None:
    simulated.settle()
    visit = simulated.visit(Forged(simulated.card()), Method.FACE, hold=State.METHOD_CHOICE)
    seen = simulated.wait(State.METHOD_CHOICE)
    assert (seen.methods, seen.failure) == (("pin",), FailureCode.FACE_PHOTO_FORGED)

    simulated.terminal.submit(flow.Choose(Method.FACE))
    simulated.terminal.submit(flow.Choose(Method.PIN))

    simulated.wait(State.TAKE_CARD)
    assert State.FACE_MATCH not in {each.state for each in simulated.log}
    assert simulated.recorded(visit)


@pytest.mark.parametrize(
    ("today", "notice"),
    [
        (date(2029, 11, 16), ""),
        (date(2029, 11, 17), "expires-soon"),
        (date(2030, 2, 17), "expires-soon"),
        (date(2030, 2, 18), "grace"),
    ],
    ids=["more than three months before", "three months before", "last day", "day after"],
)
def test_a_certificate_that_ends_is_told_from_the_check_on(
    today: date, notice: str, engine: FaceEngine, made_state: Path
) -> None:
    """The certificate of this person is valid up to 2030-02-17."""
    with Bench(
        FAST.settings(), made_state, people=[load_person("age45")], today=today, engine=engine
    ) as bench:
        stage = VisitDriver(bench)
        card = stage.card()
        visit = stage.visit(card)
        facts = MyNumberCard(Direct(card)).read()
        seen = {each.state: each.notice for each in stage.log if each.visit == visit}

        stage.settle()

    assert facts.certificate_expires == date(2030, 2, 17)
    assert seen[State.PIN_ENTRY] == ""
    assert seen[State.TAKE_CARD] == notice
    assert (State.CONSENT in seen) == (notice != "grace")
    assert bench.terminal.snapshot.notice == ""


class Direct:
    """A channel to a card without a reader."""

    atr, protocol = b"", ""

    def __init__(self, card: SmartCard) -> None:
        self.card = card

    def transmit(self, apdu: bytes | bytearray) -> bytes:
        return self.card.process(bytes(apdu))

    def still_in(self) -> bool:
        return True

    def renew(self) -> None:
        pass

    def close(self) -> None:
        self.card.power_off()


def test_the_day_on_which_the_card_itself_ends_is_read_with_its_face_and_told_to_the_server(
    simulated: VisitDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated.settle()
    client, told = simulated.bench.client, list[Any]()
    ask = client.identify_by_pin

    def identify_by_pin(*given: Any) -> Any:
        told.append(given[-1])
        return ask(*given)

    monkeypatch.setattr(client, "identify_by_pin", identify_by_pin)

    simulated.visit()

    assert told == [load_person("age45").card.expires]


# --- Through pcscd --------------------------------------------------------------------------------------------------


def kind_of(apdu: bytes) -> str:
    """Name the kind of a command."""
    match apdu[1]:
        case 0xA4:
            return "select"
        case 0xB0:
            return "first block" if apdu[2] & 0x80 else "next block"
        case 0x20 if len(apdu) == 4:
            return "tries"
        case 0x20:
            return "PIN" if is_pin(apdu) else "match code"
    return "sign"


@pytest.mark.timeout(120)
def test_behind_pcscd_a_card_pulled_at_each_kind_of_command_is_no_other_matter(pcsc: VisitDriver) -> None:
    commands = commands_of(pcsc, Method.PIN)
    first = {kind_of(apdu): at for at, (_, apdu) in reversed([*enumerate(commands, 1)])}
    assert len(first) == 7
    wrong = []
    for at in first.values():
        wrong += Removal(pcsc, Method.PIN, at, "after").play(commands[at - 1][0])
    assert not wrong, "\n".join(wrong)
    assert_the_next_patient_succeeds(pcsc)


@pytest.mark.parametrize("state", [State.METHOD_CHOICE, State.SENDING])
def test_pcscd_killed_and_started_again_loses_nothing_that_was_sent(state: State, pcsc: VisitDriver) -> None:
    """With --long, test_matrix does so in every state."""
    Cell(pcsc, state, Disturbance.SERVICE_KILLED, "pcsc").play()


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("method", ROUTES)
def test_behind_pcscd_a_card_pulled_at_any_command(method: Method, moment: str, pcsc: VisitDriver) -> None:
    """The next patient comes after every tenth removal; each removed card's visit is one that begins well, too."""
    commands = commands_of(pcsc, method)
    wrong = []
    for at, (state, _) in enumerate(commands, 1):
        wrong += Removal(pcsc, method, at, moment).play(state)
        if at % 10 == 0 or at == len(commands):
            assert_the_next_patient_succeeds(pcsc)
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@pytest.mark.parametrize(
    "state", [State.READING, State.METHOD_CHOICE, State.FACE_MATCH, State.PIN_ENTRY, State.CHECKING]
)
def test_behind_pcscd_a_card_exchanged_faster_than_the_reader_looks(state: State, pcsc: VisitDriver) -> None:
    exchange_unnoticed(pcsc, state)
    assert_the_next_patient_succeeds(pcsc)


@pytest.mark.long
@pytest.mark.parametrize("where", STALLS)
def test_behind_pcscd_a_card_that_stalls_at_any_use(where: str, pcsc: VisitDriver) -> None:
    with patience(pcsc, 0.5):
        stall(pcsc, STALLS[where], seconds=1.5)
    assert_the_next_patient_succeeds(pcsc)
