"""What terminal, journal, server and receipt files say of the same visits: nothing may be lost between them."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from reception.flow import State
from reception.flow.failures import INSURANCE_NOT_CONFIRMED
from reception.terminal.journal import COMPLETED, RECORDED, Journal
from reception.terminal.snapshot import Snapshot

_PATIENCE_S = 60.0
_LOOK_S = 0.05
_MOST_NAMED = 3


class Shown:
    """Keeps, in a file, which visits were shown complete: thousands of ids in memory would look like a leak."""

    def __init__(self, path: Path) -> None:
        self._path, self._last = path, ""
        path.touch()

    def see(self, snapshot: Snapshot) -> None:
        """Take up what the patient sees; called with every snapshot."""
        if snapshot.completed and snapshot.state == State.TAKE_CARD and snapshot.visit != self._last:
            self._last = snapshot.visit
            with self._path.open("a", encoding="ascii") as file:
                file.write(f"{snapshot.visit}\n")

    def visits(self) -> list[str]:
        """Return the ids of the visits that were shown complete."""
        return self._path.read_text(encoding="ascii").split()


def settled(journal: Journal) -> bool:
    """Wait until the back office has asked about every open visit and written every file; False: it did not."""
    deadline = time.monotonic() + _PATIENCE_S
    nobody_tells = threading.Event()
    while journal.unsettled() or journal.receipts_due():
        if time.monotonic() > deadline:
            return False
        nobody_tells.wait(_LOOK_S)
    return True


def recorded_on(database: Path) -> set[str]:
    """Return the visits whose consents the server holds."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as server:
        return {visit for (visit,) in server.execute("SELECT visit_id FROM consents")}


def differences(
    played: int, shown: list[str], journal: dict[str, str], server: set[str], files: list[str]
) -> Iterator[str]:
    """Yield what does not agree. ``journal``: outcome by visit; ``files``: the visit of each file."""
    completed = {visit for visit, outcome in journal.items() if outcome == COMPLETED}
    told = completed | {visit for visit, how in journal.items() if how in INSURANCE_NOT_CONFIRMED}
    unseen = {visit for visit, outcome in journal.items() if outcome == RECORDED}
    if len(journal) != played:
        yield f"{played} visits were played, the journal has {len(journal)}"
    yield from _told("without an end in the journal", {visit for visit, how in journal.items() if not how})
    yield from _told("shown complete, and not so in the journal", set(shown) - completed)
    yield from _told("completed in the journal, and never shown so", completed - set(shown))
    yield from _told("completed, and the server has no record", completed - server)
    yield from _told("recorded on the server, and the journal does not know it", server - completed - unseen)
    yield from _told("unseen by the journal, and the server has no record", unseen - server)
    yield from _told("completed, and without a file for the receipt computer", completed - set(files))
    refused = told - completed - set(files)
    yield from _told("ended by the insurers, and without a file for the receipt computer", refused)
    yield from _told("with a file for the receipt computer, and not completed", set(files) - told)
    yield from _told("shown complete twice", _twice(shown))
    yield from _told("with two files for the receipt computer", _twice(files))


def _twice(visits: list[str]) -> set[str]:
    return {visit for visit, times in Counter(visits).items() if times > 1}


def _told(what: str, visits: set[str]) -> Iterator[str]:
    if visits:
        named = sorted(visits)[:_MOST_NAMED]
        yield f"{len(visits)} visits {what}: {', '.join(named)}{' …' if len(visits) > len(named) else ''}"
