"""One cell: the visit is walked to its state, disturbed, and what comes of it is held against the rule."""

from collections.abc import Callable

from config.person import load_person
from consent.choices import ConsentAnswer, Item
from reception.flow import Method, State
from reception.terminal.journal import COMPLETED, NOT_RECORDED, RECORDED
from reception.terminal.notices import NoticeCode
from reception.testing.matrix.fault_injection import INJECTIONS, STALL_S
from reception.testing.matrix.rules import Disturbance, Kind, Outcome, expected, failures_of
from reception.testing.visit_driver import NEXT, VisitDriver

_TRIES = 2
"""Tries left on a disturbed patient's card: a right PIN that truly reached it makes them 3."""
_FACE_DISTURBED = (
    Disturbance.CAMERA_UNPLUGGED,
    Disturbance.CAMERA_BLACK,
    Disturbance.CAMERA_FROZEN,
    Disturbance.ENGINE_KILLED,
)
_BY_FACE_NEXT = (State.WAITING, State.METHOD_CHOICE, State.FACE_MATCH)
"""Where a disturbed camera or engine is disturbed most: the next patient comes by face."""


class Cell:
    """One state and one disturbance of a driven visit; play() raises AssertionError when something else comes of it."""

    def __init__(self, driver: VisitDriver, state: State, disturbance: Disturbance, kind: Kind) -> None:
        self.state, self.disturbance = state, disturbance
        self.rule = expected(state, disturbance, kind)
        self._codes = failures_of(self.rule, state)
        self._driver, self._kind = driver, kind
        self._how = INJECTIONS[disturbance]
        self._visit = ""
        self._repaired = False

    def play(self) -> None:
        """Reach the state, disturb, look, repair; then the next patient comes."""
        driver = self._driver
        driver.stall_s = (
            STALL_S[self._kind] if self.disturbance is Disturbance.CARD_STALLED else driver.STALL_S
        )
        driver.settle()
        self._visit = self._reach()
        if self.rule.outcome is Outcome.CHOICE:
            # Whoever failed by face does not try the same again.
            driver.choose(Method.PIN)
        try:
            self._how.do(driver, self.state)
            _CHECKS[self.rule.outcome](self)
        finally:
            self._repair()
        if self._visit and self.state is not State.PHONE_TAP:
            self._tries_are_what_reached_the_card()
        driver.settle()
        driver.bench.lift_phone()
        self._next_patient()

    def _repair(self) -> None:
        """Undo the disturbance, once."""
        if not self._repaired:
            self._repaired = True
            self._how.undo(self._driver)

    def _reach(self) -> str:
        driver, state = self._driver, self.state
        match state:
            case State.WAITING:
                return ""
            case State.OUT_OF_SERVICE:
                driver.bench.faults.unplug()
                driver.wait_at_rest(State.OUT_OF_SERVICE)
                return ""
            case State.PHONE_TAP:
                driver.begin_by_phone(hold=state)
                return driver.wait(state).visit
            case State.CARD_USE_OFFER:
                person = driver.newcomer()
                return driver.visit(driver.card_of(person, _TRIES), hold=state, pin=person.card.pin)
            case State.FACE_MATCH:
                driver.bench.engine.ready.wait(_ENGINE_S)
                return driver.visit(driver.card(tries=_TRIES), Method.FACE, hold=state)
            case State.ATTRIBUTE_OFFER | State.ATTRIBUTE_SIGN:
                driver.bench.outside.ask_anew()
                return driver.visit(driver.card(tries=_TRIES), hold=state)
            case _:
                return driver.visit(driver.card(tries=_TRIES), hold=state)

    # --- What came of it ----------------------------------------------------------------------------------------

    def _tries_are_what_reached_the_card(self) -> None:
        card = self._driver.card_in
        assert card is not None
        sent = sum(apdu[:4] == bytes.fromhex("00200098") and len(apdu) > 5 for apdu in card.seen)
        assert sent <= 1, f"the PIN was sent {sent} times"
        tries = 3 if sent else _TRIES
        assert card.pin_tries_left == tries, f"{card.pin_tries_left} tries left instead of {tries}"

    def _completed(self, declined: Item | None = None) -> None:
        driver, visit = self._driver, self._visit
        if self.disturbance is Disturbance.FOLDER_FULL:
            unusable = NoticeCode.RECEIPT_FOLDER_UNUSABLE
            driver.wait_for_notice(lambda notice: notice.code is unusable, "that the folder is full")
        self._repair()
        driver.heard()
        assert driver.completed(visit), f"not shown complete: {driver.states()}"
        answers = driver.answers(visit)
        assert answers, "shown complete, and not recorded"
        no = {item for item, answer in answers.items() if answer is ConsentAnswer.DECLINED}
        assert (declined in no) if declined else not no, f"recorded as declined: {no}"
        assert driver.outcome(visit) == COMPLETED, f"the journal says {driver.outcome(visit)}"
        told = driver.failure(visit)
        assert told in self._codes | {""}, f"told {told}"
        wrong = [notice for notice in driver.notices if notice.visit == visit and notice.code in _OPEN_ENDS]
        assert not wrong, f"the counter was told {wrong}"

    def _nothing_sent(self) -> None:
        driver, visit = self._driver, self._visit
        self._repair()
        if not visit:
            return
        driver.heard()
        assert not driver.completed(visit), "shown complete"
        assert not driver.recorded(visit), "recorded"
        if self.disturbance is not Disturbance.TERMINAL_KILLED:
            told = driver.failure(visit)
            assert told in self._codes, f"told {told or 'nothing'} instead of {self.rule.failure}"
        journal = driver.outcome(visit)
        # The first end of a visit stands.
        ends = {"STAFF_CALLED"} if self.state is State.CALL_STAFF else self._codes
        assert journal in ends, f"the journal says {journal}"

    def _take_the_card(self) -> None:
        driver = self._driver
        driver.wait(State.TAKE_CARD)
        driver.bench.slot.remove()
        driver.bench.lift_phone()
        driver.wait(State.COMPLETE)

    def _go_on(self) -> None:
        if self._how.leaves_to_do:
            self._driver.go_on()

    def _comes_now(self) -> None:
        """In WAITING, a patient comes while it lasts."""
        driver = self._driver
        if self.state is State.WAITING:
            driver.begin(driver.card(tries=_TRIES))
            self._visit = driver.wait(State.READING).visit

    def _goes_on(self) -> None:
        driver = self._driver
        match self.state:
            case State.OUT_OF_SERVICE:
                driver.heard()
                driver.wait_at_rest(State.OUT_OF_SERVICE)
            case State.CALL_STAFF:
                driver.heard()
                if self.disturbance is not Disturbance.CARD_PULLED:
                    assert driver.terminal.snapshot.state == State.CALL_STAFF, driver.states()
                    driver.bench.slot.remove()
                self._codes = frozenset({"STAFF_CALLED"})
                driver.wait_at_rest()
                self._nothing_sent()
            case State.WAITING if self.disturbance is Disturbance.TERMINAL_KILLED:
                driver.wait_at_rest()
            case State.TAKE_CARD if self.disturbance is Disturbance.TIME_OUT:
                driver.wait_until(lambda seen: seen.reminders > 0, "a reminder")
                self._take_the_card()
                self._completed()
            case _:
                self._comes_now()
                self._go_on()
                self._take_the_card()
                self._completed()

    def _ends(self) -> None:
        driver = self._driver
        if self.disturbance is not Disturbance.TERMINAL_KILLED:
            driver.wait_until(lambda seen: seen.failure in self._codes, self.rule.failure)
        driver.wait_at_rest()
        self._nothing_sent()

    def _staff(self) -> None:
        driver = self._driver
        if self.disturbance is not Disturbance.CALL_STAFF:
            self._comes_now()
            self._go_on_unless_held_to_the_end()
        driver.wait_at(lambda seen: seen.failure in self._codes, self.rule.failure)
        seen = driver.terminal.snapshot
        if seen.card_in:
            assert seen.state == State.CALL_STAFF, driver.states()
        self._repair()
        self._nothing_sent()
        driver.bench.slot.remove()
        driver.release()
        driver.wait_at_rest()

    def _go_on_unless_held_to_the_end(self) -> None:
        """Who cancels does nothing more."""
        if self.disturbance is not Disturbance.CANCEL:
            self._go_on()

    def _choice(self) -> None:
        driver = self._driver
        driver.wait_until(
            lambda seen: seen.state == State.METHOD_CHOICE and seen.failure in self._codes, self.rule.failure
        )
        if self.state is State.METHOD_CHOICE:
            driver.go_on()
        self._take_the_card()
        self._completed()

    def _declined(self) -> None:
        self._take_the_card()
        at = State.LIMIT_CONSENT if self.state is State.LIMIT_CONSENT else State.CONSENT
        self._completed(declined=Item(self._driver.wait(at).question))

    def _out(self) -> None:
        driver = self._driver
        if self.disturbance is Disturbance.CARD_STALLED:
            self._go_on_stalling()
            return
        seen = driver.wait_at_rest(State.OUT_OF_SERVICE)
        assert seen.failure in self._codes, f"out of service with {seen.failure}"
        assert seen.health.reader == "down", f"the reader is told {seen.health.reader}"
        driver.bench.slot.remove()
        driver.release()
        self._nothing_sent()
        self._repair()
        driver.wait_at(lambda seen: seen.state == State.WAITING and seen.health.reader == "ok", "the reader")

    def _go_on_stalling(self) -> None:
        """The card answers in the end: the reader is back, and the card that is in begins anew."""
        driver, visit = self._driver, self._visit
        if self.state is not State.READING:
            driver.go_on()
        seen = driver.wait(State.OUT_OF_SERVICE)
        assert seen.failure in self._codes, f"out of service with {seen.failure}"
        driver.hold(State.METHOD_CHOICE)
        driver.wait_until(lambda seen: seen.visit != visit and bool(seen.methods), "a new visit")
        driver.bench.slot.remove()
        driver.wait_at_rest()
        self._nothing_sent()

    def _out_after(self) -> None:
        driver = self._driver
        self._go_on()
        driver.wait_at_rest(State.OUT_OF_SERVICE)
        driver.bench.slot.remove()
        driver.bench.lift_phone()
        # The reader's trouble is told to those who come now; the visit's own end is in the journal.
        self._codes = frozenset({"", "READER_LOST", "READER_SERVICE_DOWN", "CARD_STALLED"})
        self._repair()
        driver.wait_at_rest()
        self._completed()

    def _next(self) -> None:
        self._await_the_other()
        self._nothing_sent()

    def _next_after(self) -> None:
        self._await_the_other()
        self._completed(declined=Item.LIMIT_AMOUNT if self.state is State.LIMIT_CONSENT else None)

    def _await_the_other(self) -> None:
        driver, visit = self._driver, self._visit
        new = driver.wait_until(lambda seen: seen.visit != visit and bool(seen.methods), "a new visit")
        driver.bench.slot.remove()
        driver.wait_at_rest()
        assert not driver.recorded(new.visit), "the new visit is recorded"

    def _open_end(self) -> None:
        driver, visit = self._driver, self._visit
        if self.disturbance is Disturbance.TERMINAL_KILLED:
            self._await_the_other()
        else:
            self._go_on()
            told = driver.wait(State.CALL_STAFF)
            assert told.failure in self._codes, f"told {told.failure}"
            # What was held back until now arrives after all.
            driver.release()
            self._repair()
            driver.bench.slot.remove()
            driver.wait_at_rest()
        arrived = self.rule.outcome is Outcome.RECORDED_UNSEEN
        code = NoticeCode.VISIT_RECORDED_UNSEEN if arrived else NoticeCode.VISIT_NOT_RECORDED
        driver.wait_for_notice(lambda notice: notice.visit == visit and notice.code is code, code)
        assert driver.recorded(visit) == arrived
        assert not driver.completed(visit), "shown complete"
        journal = driver.outcome(visit)
        assert journal == (RECORDED if arrived else NOT_RECORDED), f"the journal says {journal}"

    def _next_patient(self) -> None:
        driver = self._driver
        by_face = self.disturbance in _FACE_DISTURBED and self.state in _BY_FACE_NEXT
        if by_face:
            card = driver.card()
            # A fresh engine loads its models first.
            visit = driver.visit(card, Method.FACE, within_s=_ENGINE_S)
        else:
            card = driver.next_card
            visit = driver.visit(card, pin=load_person(NEXT).card.pin)
        assert driver.completed(visit), f"the next patient: {driver.states()}"
        assert driver.recorded(visit), "the next patient is not recorded"
        assert card.pin_tries_left == 3, f"the next patient has {card.pin_tries_left} tries left"


_ENGINE_S = 40.0
_OPEN_ENDS = (NoticeCode.VISIT_NOT_RECORDED, NoticeCode.VISIT_RECORDED_UNSEEN)

_CHECKS: dict[Outcome, Callable[[Cell], None]] = {
    Outcome.GOES_ON: Cell._goes_on,
    Outcome.ENDS: Cell._ends,
    Outcome.STAFF: Cell._staff,
    Outcome.CHOICE: Cell._choice,
    Outcome.DECLINED: Cell._declined,
    Outcome.OUT: Cell._out,
    Outcome.OUT_AFTER: Cell._out_after,
    Outcome.NEXT: Cell._next,
    Outcome.NEXT_AFTER: Cell._next_after,
    Outcome.RECORDED_UNSEEN: Cell._open_end,
    Outcome.NOT_RECORDED: Cell._open_end,
}
