"""Changed names and addresses (最新4情報) that staff accept or refuse; nothing here decides by itself."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from config import Config
from consent.attributes.ledger import CaseState, Ledger, LedgerError, ledger_file
from consent.attributes.nightly import Desk
from consent.attributes.rules import Attribute
from consent.attributes.worklist import Case, Worklist, WorklistError, is_number
from consent.wire import JAPAN
from reception.counter import wording
from reception.counter.english import Words


class ChangesError(Exception):
    """The worklist cannot be read or written; ``str()`` tells nothing personal."""


@dataclass(frozen=True)
class ChangeRow:
    """One attribute, old and new beside each other."""

    name: str
    old: str = field(repr=False)
    new: str = field(repr=False)
    is_changed: bool


@dataclass(frozen=True)
class Change:
    """One patient's change."""

    id: str
    found: str
    """Day on which it was found (ISO)."""
    chart: str = field(repr=False)
    rows: tuple[ChangeRow, ...] = field(repr=False)


@dataclass(frozen=True)
class Reminder:
    """One patient who is to be reminded this year that a consent stands."""

    id: str
    since: str
    """Day of the consent (ISO)."""
    chart: str = field(repr=False)


class Changes:
    """The worklist of one clinic, for the counter's page; safe from all threads.

    Every method raises ChangesError.
    """

    def __init__(self, ledger: Ledger, worklist: Worklist, now: Callable[[], datetime]) -> None:
        self._ledger, self._worklist = ledger, worklist
        self._desk = Desk(ledger, worklist, now)
        self._turn = threading.Lock()
        self._decided: frozenset[str] = frozenset()
        """Decided by a program that ended before the ledger knew: the file was gone when the list was last read."""

    def waiting(self) -> int:
        """Return how many changes and reminders wait, by the ledger: no folder on the network is asked."""
        try:
            return len(self._delivered() - self._decided) + len(self._ledger.reminders())
        except LedgerError as error:
            raise ChangesError(str(error)) from None

    def shown(self, t: Words) -> tuple[Change, ...]:
        """Return the changes as a page shows them, oldest first."""
        try:
            # The job writes the file first, so what is only in the ledger has been decided.
            delivered, cases = self._delivered(), self._worklist.cases()
            self._decided = frozenset(delivered - {case.match_id for case in cases})
            return tuple(_change(case, t) for case in cases)
        except (LedgerError, WorklistError) as error:
            raise ChangesError(str(error)) from None

    def decide(self, change: str, staff: str, *, accept: bool) -> bool:
        """Do what a clerk decided; False: somebody decided it before, or it was never there."""
        if not is_number(change):
            return False
        try:
            # Two clerks who press at once: the second is told that it is decided.
            with self._turn:
                act = self._desk.accept if accept else self._desk.refuse
                return act(change, staff)
        except (LedgerError, WorklistError) as error:
            raise ChangesError(str(error)) from None

    def reminders(self) -> tuple[Reminder, ...]:
        """Return whose yearly reminder waits, oldest consent first."""
        try:
            return tuple(
                Reminder(
                    each.consent_id,
                    f"{each.received_at.astimezone(JAPAN):%Y-%m-%d}",
                    self._worklist.patient(each.customer).reference_number,
                )
                for each in self._ledger.reminders()
            )
        except (LedgerError, WorklistError) as error:
            raise ChangesError(str(error)) from None

    def acknowledge(self, consent: str) -> bool:
        """Note that a clerk reminded the patient; False: somebody did before, or it was never due."""
        try:
            return self._ledger.acknowledge(consent)
        except LedgerError as error:
            raise ChangesError(str(error)) from None

    def _delivered(self) -> set[str]:
        return {case.match_id for case in self._ledger.cases(CaseState.DELIVERED)}

    def close(self) -> None:
        """End; may be called twice."""
        self._ledger.close()


def changes_of(config: Config, state: Path, now: Callable[[], datetime]) -> Changes | None:
    """Return the worklist that the settings name; None where the clinic does not take part. Raises ChangesError."""
    if not (config.attributes.offer and config.receipt.folder):
        return None
    try:
        ledger = Ledger(ledger_file(state, config.site.terminal_id))
    except LedgerError as error:
        raise ChangesError(str(error)) from None
    return Changes(ledger, Worklist(Path(config.receipt.folder), config.receipt.encoding), now)


def _change(case: Case, t: Words) -> Change:
    rows = tuple(
        ChangeRow(
            t(wording.ATTRIBUTES[which]),
            _value(which, old, t),
            _value(which, new, t),
            changed,
        )
        for which, old, new, changed in case.side_by_side()
    )
    found = f"{case.found_at.astimezone(JAPAN):%Y-%m-%d}"
    return Change(case.match_id, found, case.reference_number, rows)


def _value(which: Attribute, value: str, t: Words) -> str:
    if which is Attribute.SEX:
        return t(wording.SEXES[value]) if value in wording.SEXES else value
    return value
