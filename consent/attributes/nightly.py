"""The nightly job: who moved, what is new of those who consented, and what finding it cost.

It may be killed at any moment. A case is on the disk before its question goes out and keeps its number, and what was
delivered is on the worklist before the case is closed; so the next run goes on where this one stopped.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consent.attributes import wire
from consent.attributes.client import Operator
from consent.attributes.ledger import CaseState, KeptCase, KeptConsent, Ledger
from consent.attributes.rules import (
    Answer,
    Attribute,
    ConsentState,
    Period,
    RevocationReason,
    period,
    reminder_due,
    state_of,
)
from consent.attributes.worklist import Worklist
from consent.wire import JAPAN

_OF_ATTRIBUTES = (RevocationReason.AFFILIATION_CHANGED,)
"""Reasons after which there may be something new; a renewal alone changes nothing."""
_HELD = (ConsentState.COMING, ConsentState.STANDS)
INVITATION_KEPT = timedelta(days=1)
"""An invitation that nobody followed by then is forgotten."""


class BrokenOff(Exception):
    """The job was told to end before it was done; the next run goes on from there."""


@dataclass(frozen=True)
class Settings:
    """How the clinic takes part."""

    method: wire.Method = "crl"
    link_serials: bool = True
    yen_per_case: int = 0
    """What the operator charges for a delivered case; 0: not known."""


@dataclass(frozen=True)
class Report:
    """What one run found and cost; nothing personal."""

    method: wire.Method = "crl"
    consents: int = 0
    withdrawn: int = 0
    reminders: tuple[str, ...] = ()
    """Consents whose patients are to be reminded this year."""
    customers: int = 0
    matched: int = 0
    asked: int = 0
    delivered: int = 0
    waiting: int = 0
    """Their old certificate ended and there is no new one: asked again the next night."""
    charged: int = 0
    authority_requests: int = 0
    seconds: float = 0.0
    yen_per_case: int = 0

    def lines(self) -> tuple[str, ...]:
        """Return the report for a person, a line each."""
        charge = f"{self.charged} cases delivered"
        charge += f", {self.charged * self.yen_per_case} yen" if self.yen_per_case else ", one charge each"
        ended = f"{self.withdrawn} ended since the last run, {len(self.reminders)} reminders due"
        return (
            f"consents: {self.consents} stand, {ended}",
            f"customers: {self.customers}, certificates ended: {self.matched}",
            f"asked: {self.asked}, newer: {self.delivered}, no new certificate yet: {self.waiting}",
            f"cost: {self.seconds:.2f} s, {self.authority_requests} requests to J-LIS by {self.method}, {charge}",
        )


class NightlyJob:
    """One clinic's job, to be run again at any time.

    run() raises EligibilityError, LedgerError, WorklistError, and BrokenOff once ``stopping`` says so, which is asked
    ahead of each question to the operator.
    """

    def __init__(
        self,
        ledger: Ledger,
        operator: Operator,
        worklist: Worklist,
        settings: Settings,
        now: Callable[[], datetime],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ledger, self._operator, self._worklist = ledger, operator, worklist
        self._settings, self._now, self._stopping = settings, now, stopping

    def run(self) -> Report:
        """Ask what consents are worth, whose certificates ended, and what is new of each."""
        began = time.monotonic()
        settings = self._settings
        report = Report(method=settings.method, yen_per_case=settings.yen_per_case)
        report = self._look_at_consents(report)
        self._go_on()
        told = self._operator.matches(settings.method, link_serials=settings.link_serials)
        report = replace(
            report,
            customers=told.customers,
            matched=len(told.matches),
            authority_requests=told.authority_requests,
        )
        self._write_down(told.matches)
        for case in self._ledger.cases(CaseState.FOUND, CaseState.ASKING):
            report = self._ask(case, report)
        self._ledger.ran(self._now())
        return replace(report, seconds=time.monotonic() - began)

    def _go_on(self) -> None:
        if self._stopping():
            raise BrokenOff

    def _look_at_consents(self, report: Report) -> Report:
        """Poll: J-LIS announces no withdrawal. What is withdrawn is forgotten before anything else is asked."""
        today = self._now().astimezone(JAPAN).date()
        for consent in self._ledger.consents(ConsentState.TO_WITHDRAW):
            self._go_on()
            self._operator.withdraw(consent.consent_id)
            self._ledger.keep_consents([replace(consent, state=ConsentState.WITHDRAWN)])
        known = self._ledger.consents(ConsentState.INVITED, *_HELD)
        now_worth: list[KeptConsent] = []
        for at in range(0, len(known), wire.MOST_AT_ONCE):
            batch = known[at : at + wire.MOST_AT_ONCE]
            self._go_on()
            told = self._operator.consents([each.consent_id for each in batch])
            now_worth += [self._worth(each, told) for each in batch]
        self._ledger.keep_consents(new for new, old in zip(now_worth, known, strict=True) if new != old)
        over = [each for each in now_worth if each.state in (ConsentState.WITHDRAWN, ConsentState.ENDED)]
        for consent in over:
            self._forget(consent)
        standing = [each for each in now_worth if each.state in _HELD]
        due = tuple(
            each.consent_id
            for each in standing
            if reminder_due(each.received_at.astimezone(JAPAN).date(), each.reminded_on, today)
        )
        self._ledger.reminded(due, today)
        return replace(report, consents=len(standing), withdrawn=len(over), reminders=due)

    def _worth(self, consent: KeptConsent, told: wire.ConsentsStanding) -> KeptConsent:
        """Return the consent as the operator says; where it knows nothing, by its own dates."""
        now, state = self._now(), told.states.get(consent.consent_id)
        if consent.state is not ConsentState.INVITED:
            return replace(consent, state=state or state_of(consent.held, None, now))
        if state is None:
            over = now - consent.received_at > INVITATION_KEPT
            return replace(consent, state=ConsentState.ENDED) if over else consent
        received = told.received_at[consent.consent_id]
        return replace(consent, state=state, received_at=received, held=period(received))

    def _forget(self, consent: KeptConsent) -> None:
        """What was delivered, but not decided, goes with the consent."""
        for case in self._ledger.cases(CaseState.FOUND, CaseState.ASKING, CaseState.DELIVERED):
            if case.consent_id == consent.consent_id:
                self._worklist.refuse(case.match_id)
                self._ledger.move(case.match_id, CaseState.NOTHING, at=self._now())
        self._worklist.forget_patient(consent.customer)

    def _write_down(self, matches: Sequence[wire.Match]) -> None:
        self._ledger.found(tuple(self._new_cases(matches)))

    def _new_cases(self, matches: Sequence[wire.Match]) -> Iterator[KeptCase]:
        for match in matches:
            consent = self._ledger.standing_of(match.customer)
            if consent is not None and match.reason in _OF_ATTRIBUTES:
                yield KeptCase(
                    match.match_id,
                    match.customer,
                    consent.consent_id,
                    match.reason,
                    self._now(),
                    CaseState.FOUND,
                )

    def _ask(self, case: KeptCase, report: Report) -> Report:
        consent = self._ledger.standing_of(case.customer)
        if consent is None:
            self._ledger.move(case.match_id, CaseState.NOTHING, at=self._now())
            return report
        if state_of(consent.held, None, self._now()) is not ConsentState.STANDS:
            # Given today; it holds from midnight on.
            return report
        self._go_on()
        self._ledger.move(case.match_id, CaseState.ASKING)
        told = self._operator.attributes(
            case.match_id, case.customer, consent.items, link_serials=self._settings.link_serials
        )
        report = replace(report, asked=report.asked + 1, charged=report.charged + told.charged)
        match told.answer:
            case Answer.NEWER:
                # Only what was asked for, whatever came.
                new = {each: text for each, text in told.attributes.items() if each in consent.items}
                self._worklist.put(case.match_id, case.customer, case.found_at, new)
                self._ledger.move(case.match_id, CaseState.DELIVERED)
                return replace(report, delivered=report.delivered + 1)
            case Answer.NO_CERTIFICATE:
                self._ledger.move(case.match_id, CaseState.FOUND)
                return replace(report, waiting=report.waiting + 1)
            case Answer.NOTHING_NEWER | Answer.NO_CONSENT:
                self._ledger.move(case.match_id, CaseState.NOTHING, at=self._now())
                return report


class Desk:
    """What staff do with the worklist; every method raises LedgerError or WorklistError."""

    def __init__(self, ledger: Ledger, worklist: Worklist, now: Callable[[], datetime]) -> None:
        self._ledger, self._worklist, self._now = ledger, worklist, now

    def accept(self, match_id: str, staff: str) -> bool:
        """Take the new name or address over as a note; False: somebody decided it before."""
        done = self._worklist.accept(match_id, staff, self._now())
        if done:
            self._ledger.move(match_id, CaseState.ACCEPTED, at=self._now(), by=staff)
        return done

    def refuse(self, match_id: str, staff: str) -> bool:
        """Leave everything as it is; False: somebody decided it before."""
        done = self._worklist.refuse(match_id)
        if done:
            self._ledger.move(match_id, CaseState.REFUSED, at=self._now(), by=staff)
        return done


def kept_consent(
    answer: wire.ConsentAnswer, customer: str, items: tuple[Attribute, ...], text_version: str
) -> KeptConsent:
    """Return what the ledger keeps of a consent that was received."""
    held = Period(answer.begins_at, answer.ends_at)
    return KeptConsent(
        answer.consent_id, customer, items, text_version, answer.received_at, held, answer.state, None
    )
