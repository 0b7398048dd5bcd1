"""A bench whose visits are walked to a chosen state and held there, so that something can happen in it."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from config.person import Person, load_person
from consent.choices import ConsentAnswer, Item
from consent.eligibility import EligibilityError, VisitRecord
from hardware.simulation.virtual_card import RecordingCard, SmartCard
from reception import flow
from reception.flow import Method, StaffText, State
from reception.terminal.conductor import Terminal
from reception.terminal.journal import Unsettled
from reception.terminal.notices import Notice
from reception.terminal.snapshot import Snapshot
from reception.testing.testbench import STAFF, STAFF_PASSWORD, Bench, make_card

WITHIN_S = 12.0
"""Longest wait for anything; a stalled command alone takes five seconds by default."""
_HELD_AT: dict[State | None, str] = {State.CHECKING: "challenge", State.SENDING: "send_consents"}
"""The question to the server that is held back while a visit is held in a state."""

_SHOWS_NOBODY = "no-photo"
"""Whose clip has no face in it."""
PHONE = "phone-ios"
UNREGISTERED = "first-visit"


class _Killed(BaseException):
    """The terminal ended before it asked: whoever waits for the answer hears nothing, not even of a failure."""


class VisitDriver:
    """One bench and the patient before it, who acts on every state but the one in which they hold still."""

    STALL_S = 4.0
    """How long a card is held back in READING; less than the terminal's patience, more than a loss takes to show."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.log: list[Snapshot] = []
        self.notices: list[Notice] = []
        self.stall_s = self.STALL_S
        self._news = threading.Condition()
        self._method = Method.PIN
        self._pin = ""
        self._hold: State | None = None
        self._occasion = 0
        self._gate = threading.Event()
        self._gate.set()
        self._gated = ""
        self._killed = False
        self._looks = 0
        self._nobody = False
        self._stalled = threading.Event()
        self._visit_before = ""
        self._newcomers = count(1)
        self.card_in: RecordingCard | None = None
        """The card of the visit begun last."""
        self.next_card, self.next_pin = self.card("age75"), load_person("age75").card.pin
        """Of the patient who comes after every disturbance."""
        self._attend()

    @property
    def terminal(self) -> Terminal:
        return self.bench.terminal

    def _attend(self) -> None:
        """Look at the bench's terminal, which is another one after a restart."""
        self._killed = False
        self._pass_through_gate("challenge")
        self._pass_through_gate("send_consents")
        self._count_looks()
        self.terminal.subscribe(self._on)
        self.bench.office.subscribe(self._noticed)

    # --- What happens on the driver ------------------------------------------------------------------------------

    def card(self, name: str = "age45", tries: int = 3) -> RecordingCard:
        """Make a person's card, with its commands laid open."""
        return self.card_of(load_person(name), tries)

    def card_of(self, person: Person, tries: int = 3) -> RecordingCard:
        """Make a card of somebody the server knows."""
        card = replace(person.card, pin_tries_left=tries)
        return RecordingCard(make_card(replace(person, card=card), self.bench.authority))

    def newcomer(self) -> Person:
        """Return somebody whose card was never registered as insurance card."""
        person = replace(load_person(UNREGISTERED), id=f"{UNREGISTERED}-{next(self._newcomers)}")
        self.bench.server.add(person)
        return person

    def visit(
        self,
        card: SmartCard | None = None,
        method: Method = Method.PIN,
        hold: State | None = None,
        pin: str | None = None,
        within_s: float = WITHIN_S,
    ) -> str:
        """Put a card in and go on to ``hold``, or to the end; return the visit's id."""
        led_there = hold in (State.CALL_STAFF, State.VISUAL_CHECK)
        self.begin(card or self.card(), method, State.METHOD_CHOICE if led_there else hold, pin)
        match hold:
            case State.READING:
                assert self._stalled.wait(WITHIN_S)
            case State.CALL_STAFF:
                self.wait(State.METHOD_CHOICE)
                self.terminal.submit(flow.CallStaff())
            case State.VISUAL_CHECK:
                seen = self.wait(State.METHOD_CHOICE)
                self._hold = hold
                self._compare_by_sight(seen.visit)
            case State.COMPLETE | None:
                self.wait(State.TAKE_CARD, within_s)
                self.bench.slot.remove()
        return self.wait(hold or State.COMPLETE).visit

    def begin(
        self, card: SmartCard, method: Method = Method.PIN, hold: State | None = None, pin: str | None = None
    ) -> None:
        """Put a card in; the patient acts from now on, and holds still in ``hold``."""
        self._begin(method, hold, pin)
        if hold is State.FACE_MATCH:
            self._nobody_there(True)
        self._stalled.clear()
        self.card_in = card if isinstance(card, RecordingCard) else None
        if hold is State.READING:
            assert isinstance(card, RecordingCard)
            card.before = self._stall_in_the_middle
        self.bench.slot.insert(card)

    def begin_by_phone(self, hold: State | None = None) -> None:
        """Choose to use an iPhone; the patient lays it on its reader, unless they hold still before."""
        self.wait_at(lambda seen: seen.phones_ready, "phones ready")
        self._begin(Method.IPHONE, hold, None)
        self.card_in = None
        self.terminal.submit(flow.ChoosePhone())

    def _begin(self, method: Method, hold: State | None, pin: str | None) -> None:
        with self._news:
            self.log.clear()
            self._visit_before = self.terminal.snapshot.visit
            self._method, self._hold = method, hold
            self._pin = pin or self.bench.person.card.pin
        self._gated = _HELD_AT.get(hold, "")
        if self._gated:
            self._gate.clear()

    def _compare_by_sight(self, visit: str) -> None:
        looked_at = threading.Event()
        password = bytearray(STAFF_PASSWORD.encode())
        self.terminal.start_visual(visit, STAFF, password, lambda answer: looked_at.set())
        assert looked_at.wait(WITHIN_S)

    def hold(self, state: State) -> None:
        """Let whoever comes next hold still in a state."""
        self._hold = state

    def release(self) -> None:
        """Let the server go on; the patient holds still."""
        self._gate.set()

    def go_on(self) -> None:
        """Let the patient, the card, the server or the camera go on from where they were held."""
        with self._news:
            state, self._hold = self._hold, None
            last = self.log[-1] if self.log else None
        self._gate.set()
        if state is State.READING:
            self.bench.slot.stall(0)
        elif state is State.FACE_MATCH:
            self._nobody_there(False)
        elif state and last and last.state == state:
            self._act(last)

    def restart(self) -> None:
        """Kill the terminal with whatever is on, and start it again."""
        self._killed = True
        self._gate.set()
        self.bench.slot.stall(0)
        self.bench.restart_terminal()
        self._attend()

    def wait(self, state: State, within_s: float = WITHIN_S) -> Snapshot:
        """Wait for a state of the visit begun last; return its first snapshot."""
        return self.wait_until(lambda seen: seen.state == state, state.value, within_s)

    def wait_until(
        self, holds: Callable[[Snapshot], bool], what: str, within_s: float = WITHIN_S
    ) -> Snapshot:
        """Wait for a snapshot of the visit begun last, or of one after it."""
        deadline = time.monotonic() + within_s
        with self._news:
            while True:
                for seen in self.log:
                    if seen.visit != self._visit_before and holds(seen):
                        return seen
                if not self._news.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"never came to {what}: {self.states()}")

    def wait_at(self, holds: Callable[[Snapshot], bool], what: str, within_s: float = WITHIN_S) -> Snapshot:
        """Wait until the newest snapshot is so."""
        deadline = time.monotonic() + within_s
        with self._news:
            while not holds(seen := self.terminal.snapshot):
                if not self._news.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"did not come to {what}: {self.states()}")
        return seen

    def wait_at_rest(self, state: State = State.WAITING, within_s: float = WITHIN_S) -> Snapshot:
        """Wait until the newest snapshot is in a state."""
        return self.wait_at(lambda seen: seen.state == state, f"rest in {state}", within_s)

    def wait_for_notice(self, holds: Callable[[Notice], bool], what: str) -> Notice:
        """Wait for something that the counter is told."""
        deadline = time.monotonic() + WITHIN_S
        with self._news:
            while True:
                for notice in self.notices:
                    if holds(notice):
                        return notice
                if not self._news.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"the counter was never told {what}: {self.notices}")

    def heard(self) -> None:
        """Wait until the terminal has dealt with all that was submitted before, and written it down."""
        with self._news:
            before = self.terminal.snapshot.number
        self.terminal.submit(flow.ShowStaffText(StaffText.NO_HURRY))
        self.terminal.submit(flow.ShowStaffText(StaffText.NONE))

        # In the log, since the end of the visit takes the text away again.
        def answered() -> bool:
            return any(seen.number > before and seen.staff_message == StaffText.NO_HURRY for seen in self.log)

        with self._news:
            assert self._news.wait_for(answered, WITHIN_S), f"the terminal hears nothing: {self.states()}"

    def wait_for_the_office(self) -> None:
        """Wait until the back office has looked at everything that is open, once more from the beginning."""
        with self._news:
            seen = self._looks
            assert self._news.wait_for(lambda: self._looks >= seen + 2, WITHIN_S)

    def settle(self) -> None:
        """Undo whatever was done, and wait for WAITING."""
        self._gate.set()
        self._hold = None
        self.bench.faults.start_service()
        self.bench.faults.plug()
        self.bench.slot.remove()
        self.bench.slot.stall(0)
        self.wait_at_rest()
        self._nobody_there(False)

    def _nobody_there(self, nobody: bool) -> None:
        """Let nobody stand before the camera, or the bench's person; a clip takes its time to be decoded."""
        if nobody is not self._nobody:
            self._nobody = nobody
            self.bench.show(_SHOWS_NOBODY if nobody else self.bench.person.id)

    # --- What came of it ----------------------------------------------------------------------------------------

    def states(self, visit: str | None = None) -> list[str]:
        """Return the states since the visit began, each with its failure."""
        told: list[str] = []
        for seen in list(self.log):
            if visit in (None, seen.visit):
                now = f"{seen.state} {seen.failure}".strip()
                if not told or told[-1] != now:
                    told.append(now)
        return told

    def failure(self, visit: str) -> str:
        """Return the last failure that was told during a visit."""
        return next((seen.failure for seen in reversed(self.log) if seen.visit == visit and seen.failure), "")

    def completed(self, visit: str) -> bool:
        """Return whether the patient was told that they are checked in."""
        return any(seen.visit == visit and seen.completed for seen in self.log)

    def recorded(self, visit: str) -> bool:
        """Return whether the server holds consents of a visit."""
        record = self._record(visit)
        return record is not None and record.recorded_at is not None

    def answers(self, visit: str) -> dict[Item, ConsentAnswer]:
        """Return the answers that the server holds of a visit."""
        record = self._record(visit)
        return dict(record.answers) if record else {}

    def _record(self, visit: str) -> VisitRecord | None:
        """Ask for as long as it takes: the terminal's own patience may be short, and the computer busy."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            try:
                return self.bench.client.visit(visit)
            except EligibilityError:
                if time.monotonic() > deadline:
                    raise

    def outcome(self, visit: str) -> str | None:
        """Return what the journal says of a visit; None: it does not know it."""
        return next((one.outcome for one in self.bench.journal.entries() if one.visit == visit), None)

    # --- The patient --------------------------------------------------------------------------------------------

    def _stall_in_the_middle(self, number: int, apdu: bytes) -> bool:
        if number == 5:
            self.bench.slot.stall(self.stall_s)
            self._stalled.set()
        return False

    def _count_looks(self) -> None:
        ask = self.bench.journal.unsettled

        def looked() -> list[Unsettled]:
            with self._news:
                self._looks += 1
                self._news.notify_all()
            return ask()

        self.bench.journal.unsettled = looked  # type: ignore[method-assign]

    def _noticed(self, notices: tuple[Notice, ...]) -> None:
        with self._news:
            self.notices = list(notices)
            self._news.notify_all()

    def _on(self, seen: Snapshot) -> None:
        with self._news:
            self.log.append(seen)
            new, self._occasion = seen.occasion != self._occasion, seen.occasion
            held = seen.state == self._hold
            self._news.notify_all()
        if new and not held:
            self._act(seen)

    def _act(self, seen: Snapshot) -> None:
        submit = self.terminal.submit
        match seen.state:
            case State.METHOD_CHOICE if self._method in seen.methods:
                submit(flow.Choose(self._method))
            case State.PIN_ENTRY if seen.failure == "":
                self.type_pin(self._pin)
            case State.VISUAL_CHECK:
                submit(flow.StaffConfirmVisual("other"))
            case State.PHONE_TAP:
                # Not by the bench's hands: the person before the camera stays.
                self.bench.phone_slot.insert(make_card(load_person(PHONE), self.bench.authority))
            case State.CARD_USE_OFFER:
                submit(flow.AnswerCardUse(ConsentAnswer.GIVEN))
            case State.CONSENT | State.LIMIT_CONSENT:
                submit(flow.Answer(ConsentAnswer.GIVEN))

    def type_pin(self, pin: str = "") -> None:
        """Type a PIN and confirm it; without one, that of the card that is in."""
        for digit in pin or self._pin:
            self.terminal.submit(flow.PinDigit(int(digit)))
        self.terminal.submit(flow.PinSubmit())

    def choose(self, method: Method) -> None:
        """Let the patient choose this way from now on."""
        self._method = method

    def _pass_through_gate(self, name: str) -> None:
        """Make a question to the server wait while the driver is held there."""
        ask = getattr(self.bench.client, name)

        def gated(*given: Any) -> Any:
            if self._gated == name:
                self._gate.wait(WITHIN_S)
            if self._killed:
                raise _Killed
            return ask(*given)

        setattr(self.bench.client, name, gated)
