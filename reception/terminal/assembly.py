"""A terminal that waits for cards, made from its settings; light to import, for that is what a start is waited for.

What it works with is loaded behind it: reception.terminal.equipment.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from config import Config
from config.announcements import Announcement, load_announcements
from consent.japan_time import japan_now
from reception.terminal.conductor import Terminal
from reception.terminal.journal import Journal
from reception.terminal.queue_numbers import QueueNumbers
from reception.terminal.staff import KeptMisses, Staff, misses_file, read_hashes, staff_file


def journal_file(config: Config, state: Path) -> Path:
    """Return where the configured terminal keeps its journal."""
    return state / f"journal-{config.site.terminal_id}.sqlite"


def announcements_of(config: Config) -> tuple[Announcement, ...]:
    """Return the dated lines of a site; raises ConfigError."""
    return load_announcements(Path(config.announcements.file) if config.announcements.file else None)


def queue_file(config: Config, state: Path) -> Path:
    """Return where the configured terminal keeps the last queue number."""
    return state / f"queue-{config.site.terminal_id}.json"


def open_journal(config: Config, path: Path | None, now: Callable[[], datetime] = japan_now) -> Journal:
    """Open a journal; without a path, one in memory. Raises JournalError."""
    receipts = bool(config.receipt.folder)
    return Journal(path, now, config.journal.keep_days, receipts=receipts)


@contextmanager
def alone(state: Path, terminal_id: str) -> Iterator[None]:
    """Hold a state folder for one terminal, which would take another one's visit for one that broke off.

    Raises StateError.
    """
    path = state / f"terminal-{terminal_id}.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _state_error(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        # Gone with the process, however that ends.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise _state_error(f"{state}: terminal {terminal_id} runs already on this state folder") from None
    try:
        yield
    finally:
        os.close(lock)


def _state_error(words: str) -> Exception:
    """Return a StateError, whose module brings cryptography: not before it is needed."""
    from consent.enrolment.state_files import StateError

    return StateError(words)


@contextmanager
def waiting_terminal(config: Config, state: Path) -> Iterator[Terminal]:
    """Run a terminal that watches the configured readers, with its journal; equip() it next.

    Raises StateError, JournalError and ConfigError.
    """
    from hardware.card.pcsc import PcscReader

    with ExitStack() as ends:
        ends.enter_context(alone(state, config.site.terminal_id))
        reader = PcscReader(config.reader.name, besides=config.phone_reader.name)
        ends.callback(reader.close)
        phone_reader = PcscReader(config.phone_reader.name) if config.phone_reader.name else None
        if phone_reader is not None:
            ends.callback(phone_reader.close)
        journal = open_journal(config, journal_file(config, state))
        ends.callback(journal.close)
        terminal = Terminal(
            config,
            reader=reader,
            phone_reader=phone_reader,
            simulated=False,
            journal=journal,
            staff=Staff(
                partial(read_hashes, staff_file(state)), time.monotonic, KeptMisses(misses_file(state))
            ),
            queue_numbers=QueueNumbers(queue_file(config, state), journal.now),
            announcements=announcements_of(config),
        )
        terminal.start()
        ends.callback(terminal.stop)
        yield terminal
