"""What a terminal works with, made from its settings: camera, engine, server, ledger, and the back office beside it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from config import Config, ConfigError, Server
from config.card_authorities import load_authorities
from consent.eligibility import EligibilityClient, TerminalIdentity
from consent.enrolment.terminal_key import enrol_terminal
from hardware.camera import open_camera, open_clip
from hardware.card import CardAuthority, RsaKey
from hardware.face.engine import FaceEngine
from reception.terminal.assembly import waiting_terminal
from reception.terminal.attributes import attribute_service, ledger_of
from reception.terminal.back_office import BackOffice
from reception.terminal.conductor import Terminal
from reception.terminal.journal import Journal

if TYPE_CHECKING:
    from consent.receipt_files.folder import Charts


def authorities_of(config: Config) -> tuple[CardAuthority, ...]:
    """Return whose word on the photo of real cards counts. Raises ConfigError."""
    path = Path(config.card.authorities) if config.card.authorities else None
    return tuple(
        CardAuthority(each.id_bytes(), RsaKey(each.exponent, each.modulus_number()), each.begins, each.ends)
        for each in load_authorities(path)
    )


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
def at_work(terminal: Terminal, config: Config, state: Path, engine: FaceEngine) -> Iterator[BackOffice]:
    """Equip a terminal for its visits, and run its back office beside it; the end of it ends the terminal.

    Nobody scans the card's surface here, so the face route is offered once staff have typed 照合番号B at the counter.
    Raises StateError and ConfigError.
    """
    journal = terminal.journal
    with ExitStack() as ends:
        clip = config.camera.clip
        camera = open_clip(Path(clip)) if clip else open_camera(config.camera)
        ends.callback(camera.close)
        identity = enrol_terminal(state, config.site.terminal_id)
        client = EligibilityClient(config.server, identity, config.profile, config.consents, config.site)
        ends.callback(client.close)
        ledger = ledger_of(config, state)
        attributes = ends.enter_context(
            attribute_service(config, ledger, config.server, identity, client, journal.now)
        )
        office = ends.enter_context(back_office(config, journal, config.server, identity, state=state))
        terminal.equip(
            camera=camera,
            engine=engine,
            server=client,
            scan=lambda: None,
            authorities=authorities_of(config),
            attributes=attributes,
        )
        ends.callback(terminal.stop)
        yield office


@contextmanager
def real_terminal(config: Config, state: Path, engine: FaceEngine) -> Iterator[tuple[Terminal, BackOffice]]:
    """Run a terminal, and its back office, on the devices of the configuration."""
    with waiting_terminal(config, state) as terminal, at_work(terminal, config, state, engine) as office:
        yield terminal, office
