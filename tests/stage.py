"""A bench whose visits are walked to a chosen state and held there, so that something can happen in it."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from config.person import load_person
from consent.choices import ConsentAnswer
from hardware.virtual_card import SmartCard
from reception import flow
from reception.bench import Bench, make_card
from reception.flow import Method, State
from reception.snapshot import Snapshot
from tests.cards import WiredCard

WITHIN_S = 12.0
"""Longest wait for anything; a stalled command alone takes five seconds by default."""
_HELD_AT: dict[State | None, str] = {State.CHECKING: "challenge", State.SENDING: "send_consents"}
"""The question to the server that is held back while a visit is held in a state."""

STALL_S = 4.0
"""How long a card is held back in READING; less than the terminal's patience, and more than a loss takes to show."""


class Stage:
    """One bench and the patient before it, who acts on every state but the one in which they hold still."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.terminal = bench, bench.terminal
        self.log: list[Snapshot] = []
        self._news = threading.Condition()
        self._method = Method.PIN
        self._pin = ""
        self._hold: State | None = None
        self._occasion = 0
        self._gate = threading.Event()
        self._gate.set()
        self._gated = ""
        self._stalled = threading.Event()
        self._visit_before = ""
        self._pass_through_gate("challenge")
        self._pass_through_gate("send_consents")
        self.next_card = self.card("age75")
        """Of the patient who comes after every disturbance."""
        self.terminal.subscribe(self._on)

    # --- What happens on the stage ------------------------------------------------------------------------------

    def card(self, name: str = "age45", tries: int = 3) -> WiredCard:
        """Make a person's card, with its commands laid open."""
        person = load_person(name)
        card = replace(person.card, pin_tries_left=tries)
        return WiredCard(make_card(replace(person, card=card), self.bench.authority))

    def visit(
        self,
        card: SmartCard | None = None,
        method: Method = Method.PIN,
        hold: State | None = None,
        pin: str | None = None,
    ) -> str:
        """Put a card in and go on to ``hold``, or to the end; return the visit's id."""
        self.begin(
            card or self.card(), method, State.METHOD_CHOICE if hold is State.CALL_STAFF else hold, pin
        )
        match hold:
            case State.READING:
                assert self._stalled.wait(WITHIN_S)
            case State.CALL_STAFF:
                self.wait(State.METHOD_CHOICE)
                self.terminal.submit(flow.CallStaff())
            case State.COMPLETE | None:
                self.wait(State.TAKE_CARD)
                self.bench.slot.remove()
        return self.wait(hold or State.COMPLETE).visit

    def begin(
        self, card: SmartCard, method: Method = Method.PIN, hold: State | None = None, pin: str | None = None
    ) -> None:
        """Put a card in; the patient acts from now on, and holds still in ``hold``."""
        with self._news:
            self.log.clear()
            self._visit_before = self.terminal.snapshot.visit
            self._method, self._hold = method, hold
            self._pin = pin or self.bench.person.card.pin
        self._gated = _HELD_AT.get(hold, "")
        if self._gated:
            self._gate.clear()
        if hold is State.FACE_MATCH:
            self.bench.show("no-photo")
        self._stalled.clear()
        if hold is State.READING:
            assert isinstance(card, WiredCard)
            card.before = self._stall_in_the_middle
        self.bench.slot.insert(card)

    def hold(self, state: State) -> None:
        """Let whoever comes next hold still in a state."""
        self._hold = state

    def release(self) -> None:
        """Let the server go on; the patient holds still."""
        self._gate.set()

    def go_on(self) -> None:
        """Let the patient, the server or the camera go on from where they were held."""
        with self._news:
            state, self._hold = self._hold, None
            last = self.log[-1]
        self._gate.set()
        if state is State.FACE_MATCH:
            self.bench.show(self.bench.person.id)
        elif state and last.state == state:
            self._act(last)

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

    def wait_at_rest(self, state: State = State.WAITING, within_s: float = WITHIN_S) -> Snapshot:
        """Wait until the newest snapshot is in a state."""
        deadline = time.monotonic() + within_s
        with self._news:
            while self.terminal.snapshot.state != state:
                if not self._news.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"did not come to rest in {state}: {self.states()}")
        return self.terminal.snapshot

    def settle(self) -> None:
        """Undo whatever a test did, and wait for WAITING."""
        self._gate.set()
        self._hold = None
        self.bench.faults.start_service()
        self.bench.faults.plug()
        self.bench.slot.remove()
        self.bench.slot.stall(0)
        self.wait_at_rest()
        if self.bench.person.card.photo:
            self.bench.show(self.bench.person.id)

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
        record = self.bench.client.visit(visit)
        return record is not None and record.recorded_at is not None

    # --- The patient --------------------------------------------------------------------------------------------

    def _stall_in_the_middle(self, number: int, apdu: bytes) -> bool:
        if number == 5:
            self.bench.slot.stall(STALL_S)
            self._stalled.set()
        return False

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
            case State.CONSENT | State.LIMIT_CONSENT:
                submit(flow.Answer(ConsentAnswer.GIVEN))

    def type_pin(self, pin: str) -> None:
        """Type a PIN and confirm it."""
        for digit in pin:
            self.terminal.submit(flow.PinDigit(int(digit)))
        self.terminal.submit(flow.PinSubmit())

    def _pass_through_gate(self, name: str) -> None:
        """Make a question to the server wait while the stage is held there."""
        ask = getattr(self.bench.client, name)

        def gated(*given: Any) -> Any:
            if self._gated == name:
                self._gate.wait(WITHIN_S)
            return ask(*given)

        setattr(self.bench.client, name, gated)
