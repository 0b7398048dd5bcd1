"""A terminal on the devices of its configuration, and what it has in common with one on a bench."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from config import Config, ConfigError, Server
from config.announcements import Announcement, load_announcements
from config.card_authorities import load_authorities
from consent.eligibility import EligibilityClient, TerminalIdentity
from consent.enrolment.state_files import StateError
from consent.enrolment.terminal_key import enrol_terminal
from consent.wire import japan_now
from hardware.camera import open_camera, open_clip
from hardware.card import CardAuthority, RsaKey
from hardware.face.engine import FaceEngine
from reception.terminal.attributes import attribute_service, ledger_of
from reception.terminal.back_office import BackOffice
from reception.terminal.conductor import Terminal
from reception.terminal.journal import Journal
from reception.terminal.queue_numbers import QueueNumbers
from reception.terminal.staff import KeptMisses, Staff, misses_file, read_hashes, staff_file

if TYPE_CHECKING:
    from consent.receipt_files.folder import Charts


def authorities_of(config: Config) -> tuple[CardAuthority, ...]:
    """Return whose word on the photo of real cards counts. Raises ConfigError."""
    path = Path(config.card.authorities) if config.card.authorities else None
    return tuple(
        CardAuthority(each.id_bytes(), RsaKey(each.exponent, each.modulus_number()), each.begins, each.ends)
        for each in load_authorities(path)
    )


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
def back_office(
    config: Config,
    journal: Journal,
    settings: Server,
    identity: TerminalIdentity,
    sync: Callable[[int], None] | None = None,
    state: Path | None = None,
) -> Iterator[BackOffice]:
    """Run the back office beside a terminal, with a connection to the server of its own.

    ``sync``: see ReceiptFolder; ``state``: where it is kept which visits are owed a FHIR Bundle, and the ledger of the
    nightly job, which is not run without.
    """
    client = EligibilityClient(settings, identity, config.profile, config.consents, config.site)
    receipts = None
    if config.receipt.folder:
        # Only here: a terminal without the folder is ready sooner.
        from consent.receipt_files.answers import receipt_folder_service

        receipts = receipt_folder_service(
            config.receipt, config.site, client, sync=sync, charts=_charts(config, state)
        )
    nightly = None
    if config.attributes.nightly and state is not None:
        from reception.terminal.nightly import nightly_of

        nightly = nightly_of(config, ledger_of(config, state), settings, identity, journal.now)
    office = BackOffice(
        journal, client, receipts, config.delays, config.site.institution_code, nightly=nightly
    )
    office.start()
    try:
        yield office
    finally:
        client.close()
        office.stop()
        if receipts is not None:
            receipts.close()


def _charts(config: Config, state: Path | None) -> "Charts | None":
    """Return what delivers FHIR Bundles; None where the site has named no place. Raises ConfigError."""
    if not config.fhir.folder and not config.fhir.webhook:
        return None
    try:
        from consent.fhir.delivery import Charts
        from consent.fhir.marks import Marks
    except ImportError as error:
        raise ConfigError(f"fhir: needs the extra fhir, which is not installed ({error.name})") from None
    owed = None if state is None else state / f"fhir-owed-{config.site.terminal_id}"
    return Charts(config.fhir, config.site.institution_code, marks=Marks(owed))


@contextmanager
def alone(state: Path, terminal_id: str) -> Iterator[None]:
    """Hold a state folder for one terminal, which would take another one's visit for one that broke off.

    Raises StateError.
    """
    path = state / f"terminal-{terminal_id}.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        # Gone with the process, however that ends.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StateError(f"{state}: terminal {terminal_id} runs already on this state folder") from None
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def real_terminal(config: Config, state: Path, engine: FaceEngine) -> Iterator[tuple[Terminal, BackOffice]]:
    """Run a terminal, and its back office, on the devices of the configuration.

    Nobody scans the card's surface here, so the face route is offered once staff have typed 照合番号B at the counter.
    """
    from hardware.card.pcsc import PcscReader

    with ExitStack() as ends:
        ends.enter_context(alone(state, config.site.terminal_id))
        clip = config.camera.clip
        camera = open_clip(Path(clip)) if clip else open_camera(config.camera)
        ends.callback(camera.close)
        reader = PcscReader(config.reader.name, besides=config.phone_reader.name)
        ends.callback(reader.close)
        phone_reader = PcscReader(config.phone_reader.name) if config.phone_reader.name else None
        if phone_reader is not None:
            ends.callback(phone_reader.close)
        identity = enrol_terminal(state, config.site.terminal_id)
        client = EligibilityClient(config.server, identity, config.profile, config.consents, config.site)
        ends.callback(client.close)
        journal = open_journal(config, journal_file(config, state))
        ends.callback(journal.close)
        attributes = ends.enter_context(
            attribute_service(
                config,
                ledger_of(config, state),
                config.server,
                identity,
                client,
                journal.now,
            )
        )
        terminal = Terminal(
            config,
            reader=reader,
            camera=camera,
            engine=engine,
            server=client,
            scan=lambda: None,
            simulated=False,
            phone_reader=phone_reader,
            journal=journal,
            staff=Staff(
                partial(read_hashes, staff_file(state)), time.monotonic, KeptMisses(misses_file(state))
            ),
            authorities=authorities_of(config),
            attributes=attributes,
            queue_numbers=QueueNumbers(queue_file(config, state), journal.now),
            announcements=announcements_of(config),
        )
        office = ends.enter_context(back_office(config, journal, config.server, identity, state=state))
        terminal.start()
        ends.callback(terminal.stop)
        yield terminal, office
