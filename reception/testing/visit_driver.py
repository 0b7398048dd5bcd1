"""One driver of a visit: what is seen of a bench's terminal, what is done at it, and a patient who acts by themselves.

Scenarios and other programs say what is done, one thing at a time. Elsewhere the patient acts on every state but one,
in which they hold still so that something can happen in it.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from itertools import count
from typing import Any, cast

from config.person import Person, load_person
from consent.choices import ConsentAnswer, Item
from consent.eligibility import EligibilityError, VisitRecord
from hardware.simulation.virtual_card import Quirk, RecordingCard, SmartCard
from reception import flow
from reception.flow import Method, StaffText, State
from reception.terminal.conductor import Terminal
from reception.terminal.journal import Unsettled
from reception.terminal.notices import Notice
from reception.terminal.snapshot import Snapshot
from reception.testing.testbench import SIGNING_PASSWORD, STAFF, STAFF_PASSWORD, Bench, make_card
from reception.testing.testbench.console import wipe
from reception.testing.testbench.operators import HANDS, Hand
from reception.testing.verbs import Patient, Rule, event_of

WITHIN_S = 12.0
"""Longest wait for anything; a stalled command alone takes five seconds by default."""
_HELD_AT: dict[State | None, str] = {State.CHECKING: "challenge", State.SENDING: "send_consents"}
"""The question to the server that is held back while a visit is held in a state."""

_SHOWS_NOBODY = "no-photo"
"""Whose clip has no face in it."""
PHONE = "phone-ios"
NEXT = "age75"
UNREGISTERED = "first-visit"


class _Killed(BaseException):
    """The terminal ended before it asked: whoever waits for the answer hears nothing, not even of a failure."""


class VisitDriver:
    """Eyes and hands at one bench; ``patient``: acts by themselves once a visit begins.

    Nothing of the bench is changed until a visit is held at CHECKING or SENDING, which one driver of a bench may do.
    """

    STALL_S = 4.0
    """How long a card is held back in READING; less than the terminal's patience, more than a loss takes to show."""

    def __init__(self, bench: Bench, patient: Patient | None = None) -> None:
        self.bench = bench
        self.log: list[Snapshot] = []
        """All since the driver came, or since the visit that was begun last."""
        self.notices: list[Notice] = []
        self.stall_s = self.STALL_S
        self._stamps: list[float] = []
        self._news = threading.Condition()
        self._patient = patient or Patient()
        self._acts = False
        self._hold: State | None = None
        self._occasion = 0
        self._found = -1
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
        self._deaf: Callable[[], None] = lambda: None
        self._listen()

    @property
    def terminal(self) -> Terminal:
        return self.bench.terminal

    def _listen(self) -> None:
        """Look at the bench's terminal, which is another one after a restart."""
        ends = (self.terminal.subscribe(self._on), self.bench.office.subscribe(self._noticed))

        def deaf() -> None:
            for end in ends:
                end()

        self._deaf = deaf

    def close(self) -> None:
        """Look away."""
        self._deaf()

    # --- What is done, one thing at a time ----------------------------------------------------------------------

    def do(self, rule: Rule, seen: Snapshot) -> None:
        """Do what a rule says at what is shown; all but ``show``, whose clip stands beside the scenario."""
        bench = self.bench
        match rule.do:
            case "insert_card":
                bench.insert(rule.person or None)
            case "swap_card":
                bench.remove()
                bench.insert(rule.person)
            case "tap_phone":
                bench.tap_phone(rule.person or None)
            case "choose_phone":
                self.choose_phone(rule.value, seen)
            case "type_pin":
                if seen.screen == "LAST_TRY":
                    self.terminal.submit(flow.AcceptLastTry())
                self.type_pin(rule.value)
            case "staff_start_visual":
                self.start_visual(seen.visit, rule.password)
            case "type_password":
                self.type_password(rule.value)
            case "sign_on_phone":
                self._comes_to(lambda now: bool(now.qr))
                bench.outside.sign_on_phone(bench.person, self.terminal.snapshot.qr)
            case "withdraw_attributes":
                bench.outside.withdraw()
            case "authority":
                bench.act(rule.value, rule.kind or "card", rule.reason)
            case "move_house":
                certified = rule.kind != "no-new-certificate"
                bench.outside.move_house(bench.person, rule.value, new_certificate=certified)
            case "attributes_job":
                bench.outside.nightly(rule.value)
            case "pass_days":
                bench.pass_days(rule.days)
            case "kill_engine":
                bench.kill_engine()
            case "stop_server":
                bench.server.stop()
            case "start_server":
                bench.server.start()
            case "server_fault":
                self.disturb_server(rule.kind, always=rule.value == "always", path=rule.path)
            case "fill_folder":
                bench.fill_folder()
            case "empty_folder":
                bench.empty_folder()
            case "jump_clock":
                jump = bench.jump_server_clock if rule.kind == "server" else bench.jump_clock
                jump(rule.seconds)
            case "kill_terminal":
                bench.kill_terminal()
            case "restart_terminal":
                self.restart()
            case "wait":
                time.sleep(rule.seconds)
            case "fail_power_ups":
                bench.faults.fail_power_ups(rule.count)
            case "lose_exchanges":
                bench.faults.lose_exchanges(rule.count, rule.after, executed=rule.kind == "executed")
            case "reader_quirk":
                bench.faults.take_on(cast(Quirk, rule.kind))
            case hand if hand in HANDS:
                bench.do(cast(Hand, hand), rule.seconds)
            case _:
                self.terminal.submit(event_of(rule.do, rule.value))

    def type_pin(self, pin: str = "card") -> None:
        """Type a PIN and confirm it; "card": that of the bench's person."""
        digits = self.bench.pin() if pin == "card" else bytearray(pin.encode("ascii"))
        self.terminal.submit(flow.PinClear())
        for digit in digits:
            self.terminal.submit(flow.PinDigit(digit - ord("0")))
        wipe(digits)
        self.terminal.submit(flow.PinSubmit())

    def choose_phone(self, kind: str, seen: Snapshot) -> None:
        """Choose to use a phone and then its kind; "": the person's own, "later": that is chosen later."""
        if seen.state == State.WAITING:
            # As for a person, who sees the button only once the phone reader can be used.
            self._comes_to(lambda now: now.phones_ready)
            self.terminal.submit(flow.ChoosePhone())
        if kind != "later":
            own = Method.IPHONE if self.bench.person.card.kind == "phone-ios" else Method.ANDROID
            self.terminal.submit(flow.Choose(Method(kind or own)))

    def start_visual(self, visit: str, password: str = "") -> None:
        """Begin as staff do; returns when the password was looked at, so that what follows comes after it."""
        looked_at = threading.Event()
        typed = bytearray((password or STAFF_PASSWORD).encode())
        self.terminal.start_visual(visit, STAFF, typed, lambda answer: looked_at.set())
        looked_at.wait(WITHIN_S)

    def type_password(self, typed: str = "card") -> None:
        """Type the signing password and confirm it; "card": that of the bench's person."""
        self._comes_to(lambda now: now.signing_tries_left is not None)
        for _ in range(self.terminal.snapshot.signing_characters):
            self.terminal.submit(flow.SigningBackspace())
        self._type_signing(SIGNING_PASSWORD if typed == "card" else typed)

    def _type_signing(self, password: str) -> None:
        for character in password:
            self.terminal.submit(flow.SigningKey(character))
        self.terminal.submit(flow.SigningSubmit())

    def disturb_server(self, kind: str, *, always: bool = False, path: str = "") -> None:
        """Disturb the next request, or all; "none" ends it."""
        faults = self.bench.server.faults
        if kind == "none":
            faults.clear()
        else:
            (faults.always if always else faults.next)(kind, path)  # type: ignore[arg-type]

    # --- A patient who acts by themselves -----------------------------------------------------------------------

    def card(self, name: str = "age45", tries: int = 3) -> RecordingCard:
        """Make a person's card, with its commands laid open."""
        return self.card_of(load_person(name), tries)

    def card_of(self, person: Person, tries: int = 3) -> RecordingCard:
        """Make a card of somebody the server knows."""
        card = replace(person.card, pin_tries_left=tries)
        return RecordingCard(make_card(replace(person, card=card), self.bench.authority))

    @cached_property
    def next_card(self) -> RecordingCard:
        """Of the patient who comes after every disturbance."""
        return self.card(NEXT)

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
                self.start_visual(seen.visit)
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
            self._stamps.clear()
            self._visit_before = self.terminal.snapshot.visit
            self._patient = replace(self._patient, method=method, pin=pin or "card")
            self._hold, self._acts = hold, True
        self._gated = _HELD_AT.get(hold, "")
        if self._gated:
            self._pass_through_gate(self._gated)
            self._gate.clear()

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

    def restart(self) -> int:
        """Kill the terminal with whatever is on, and start it again; return how much of ``log`` is of the old one."""
        self._killed = True
        self._gate.set()
        self._deaf()
        seen = len(self.log)
        # Heard from before its start: with a card in, its first states are over in a moment.
        self.bench.restart_terminal(self._listen)
        self._killed = False
        return seen

    # --- What is seen -------------------------------------------------------------------------------------------

    def after(self, number: int, within_s: float) -> tuple[float, Snapshot] | None:
        """Return the snapshot after ``number`` others in ``log``, and when it came; None: none in time."""
        with self._news:
            if self._news.wait_for(lambda: len(self.log) > number, within_s):
                return self._stamps[number], self.log[number]
        return None

    def find(self, holds: Callable[[Snapshot], bool], within_s: float) -> Snapshot | None:
        """Wait for a snapshot in ``log``; None: there was none in time."""
        with self._news:
            self._news.wait_for(lambda: any(map(holds, self.log)), within_s)
            return next(filter(holds, self.log), None)

    def next_entry(self, state: State | str, within_s: float = WITHIN_S) -> Snapshot | None:
        """Wait until a state is entered, or asks anew, after what this found last; None: not in time."""
        seen = self.find(lambda one: one.state == state and one.occasion > self._found, within_s)
        if seen is not None:
            self._found = seen.occasion
        return seen

    def _comes_to(self, holds: Callable[[Snapshot], bool], within_s: float = WITHIN_S) -> Snapshot | None:
        """Wait until the newest snapshot is so; return it."""
        deadline = time.monotonic() + within_s
        with self._news:
            while not holds(seen := self.terminal.snapshot):
                if not self._news.wait(max(0.0, deadline - time.monotonic())):
                    return None
            return seen

    def wait(self, state: State, within_s: float = WITHIN_S) -> Snapshot:
        """Wait for a state of the visit begun last; return its first snapshot."""
        return self.wait_until(lambda seen: seen.state == state, state.value, within_s)

    def wait_until(
        self, holds: Callable[[Snapshot], bool], what: str, within_s: float = WITHIN_S
    ) -> Snapshot:
        """Wait for a snapshot of the visit begun last, or of one after it; raises AssertionError."""
        seen = self.find(lambda one: one.visit != self._visit_before and holds(one), within_s)
        assert seen is not None, f"never came to {what}: {self.states()}"
        return seen

    def wait_at(
        self, holds: Callable[[Snapshot], bool], what: str = "this", within_s: float = WITHIN_S
    ) -> Snapshot:
        """Wait until the newest snapshot is so; raises AssertionError."""
        seen = self._comes_to(holds, within_s)
        assert seen is not None, f"did not come to {what}: {self.states()}"
        return seen

    def wait_at_rest(self, state: State = State.WAITING, within_s: float = WITHIN_S) -> Snapshot:
        """Wait until the newest snapshot is in a state."""
        return self.wait_at(lambda seen: seen.state == state, f"rest in {state}", within_s)

    def wait_for_notice(self, holds: Callable[[Notice], bool], what: str) -> None:
        """Wait for something that the counter is told; raises AssertionError."""
        with self._news:
            told = self._news.wait_for(lambda: any(map(holds, self.notices)), WITHIN_S)
        assert told, f"the counter was never told {what}: {self.notices}"

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
        self._count_looks()
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

    # --- How a visit is held ---------------------------------------------------------------------------------------

    def _stall_in_the_middle(self, number: int, apdu: bytes) -> bool:
        if number == 5:
            self.bench.slot.stall(self.stall_s)
            self._stalled.set()
        return False

    def _count_looks(self) -> None:
        if "unsettled" in vars(self.bench.journal):
            return
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
            self._stamps.append(time.monotonic())
            new, self._occasion = seen.occasion != self._occasion, seen.occasion
            held = seen.state == self._hold
            self._news.notify_all()
        if new and self._acts and not held:
            self._act(seen)

    def _act(self, seen: Snapshot) -> None:
        patient = self._patient
        match seen.state:
            case State.PHONE_TAP:
                # Not by the bench's hands: the person before the camera stays.
                self.bench.phone_slot.insert(make_card(load_person(PHONE), self.bench.authority))
            case State.ATTRIBUTE_SIGN:
                if not seen.signing_missed:
                    self._type_signing(SIGNING_PASSWORD)
            case State.PIN_ENTRY:
                if not seen.failure:
                    self.type_pin(patient.pin)
            case State.METHOD_CHOICE if patient.method not in seen.methods:
                pass
            case state:
                if (tap := patient.tap(State(state), seen.question)) is not None:
                    self.terminal.submit(tap)

    def choose(self, method: Method) -> None:
        """Let the patient choose this way from now on."""
        self._patient = replace(self._patient, method=method)

    def _pass_through_gate(self, name: str) -> None:
        """Make a question to the server wait while the driver is held there."""
        if name in vars(self.bench.client):
            return
        ask = getattr(self.bench.client, name)

        def gated(*given: Any) -> Any:
            if self._gated == name:
                self._gate.wait(WITHIN_S)
            if self._killed:
                raise _Killed
            return ask(*given)

        setattr(self.bench.client, name, gated)
