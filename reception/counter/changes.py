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


class Changes:
    """The worklist of one clinic, for the counter's page; safe from all threads.

    Every method raises ChangesError.
    """

    def __init__(self, ledger: Ledger, worklist: Worklist, now: Callable[[], datetime]) -> None:
        self._ledger, self._worklist = ledger, worklist
        self._desk = Desk(ledger, worklist, now)
        self._turn = threading.Lock()

    def waiting(self) -> int:
        """Return how many changes wait, by the ledger: no folder on the network is asked."""
        try:
            return len(self._ledger.cases(CaseState.DELIVERED))
        except LedgerError as error:
            raise ChangesError(str(error)) from None

    def shown(self, t: Words) -> tuple[Change, ...]:
        """Return the changes as a page shows them, oldest first."""
        try:
            return tuple(_change(case, t) for case in self._worklist.cases())
        except WorklistError as error:
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
