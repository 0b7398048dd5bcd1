"""A terminal with everything around it: simulated at its low seam, or the real devices of a bench file."""

import errno
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from config import Camera, Config
from config.person import (
    ForeignKind,
    Person,
    PersonCard,
    PersonCertificate,
    everybody,
    insured,
    load_person,
)
from consent.eligibility import EligibilityClient
from consent.enrolment.state_files import pem_of
from consent.server import EligibilityServer
from consent.server.certificates import CARD_AUTHORITY_ID, Authority
from consent.wire import JAPAN, japan_now
from hardware.camera import FrameSource, open_camera
from hardware.card import STALL_LIMIT_S, CardAuthority, CardReader, Presence, RsaKey, match_code_b
from hardware.face.engine import FaceEngine
from hardware.simulation.steerable_clip import SteerableClip
from hardware.simulation.virtual_card import (
    CardCredentials,
    CardSlot,
    ReaderFaults,
    SmartCard,
    VirtualCard,
    VirtualReader,
    card_contents,
    card_for,
    foreign_card,
    forged_card,
)
from reception.terminal.assembly import announcements_of, open_journal
from reception.terminal.attributes import attribute_service
from reception.terminal.conductor import Terminal
from reception.terminal.equipment import authorities_of, back_office
from reception.terminal.journal import Journal
from reception.terminal.staff import Staff, read_hashes, staff_file
from reception.testing.testbench.operators import Hand, Operator, Simulated, Together
from reception.testing.testbench.outside import Outside
from reception.testing.testbench.real import RealBench
from reception.testing.testbench.trouble import BenchTrouble

if TYPE_CHECKING:
    from hardware.simulation.pcscd import PcscdBench

__all__ = [
    "Bench",
    "BenchKind",
    "BenchTrouble",
    "RealBench",
    "clip_of",
    "everybody",
    "insured",
    "make_card",
    "whatever_comes",
    "write_staff_file",
]

SIGNING_PASSWORD = "ABC123"  # noqa: S105 - public, of simulated cards
"""Of every simulated card's signature certificate (hardware.simulation.virtual_card)."""
STAFF, STAFF_PASSWORD = "bench-staff", "bench-password"
"""Who can make a visual check on a bench; public, so a site's own file never knows them."""
_STAFF_HASH = "$argon2id$v=19$m=8,t=1,p=1$UF7bdCkWyhXL3rPiRJ3DJg$2Y4ZwMrDSv84nNs71KpZ7Z6SVY+AoOx4IFpjN0hMfyw"


def write_staff_file(folder: Path) -> None:
    """Let the bench's own staff log in at a counter's page whose state is in this folder, as an administrator."""
    for path, content in (
        (staff_file(folder), {STAFF: _STAFF_HASH}),
        (folder / "staff-administrators.json", [STAFF]),
    ):
        path.touch(mode=0o600)
        path.write_text(json.dumps(content), encoding="utf-8")


BenchKind = Literal["simulated", "pcsc"]


def clock_from(today: date) -> Callable[[], datetime]:
    """Return a clock that shows nine in the morning of ``today`` now, and runs."""
    began, start = time.monotonic(), datetime.combine(today, time_of_day(9), JAPAN)
    return lambda: start + timedelta(seconds=time.monotonic() - began)


def make_card(person: Person, authority: Authority) -> VirtualCard:
    """Make a person's card with certificates of the test authority and the photo as a card holds it."""
    from hardware.simulation.portraits import card_photo, portrait_path

    photo = card_photo(portrait_path(person.card.photo)) if person.card.photo else b""
    credentials = CardCredentials(**vars(authority.issue(person)))
    forgery = person.card.forgery
    if not forgery:
        return card_for(person, credentials, photo)
    if forgery == "authority-expired":
        past = pem_of(authority.card_authority(past=True))
        credentials = replace(credentials, card_authority_pem=past, card_authority_id=PAST_AUTHORITY)
    forger = person.card.forger_photo or person.card.photo
    own = card_contents(
        _FORGER, CardCredentials(**vars(authority.issue(_FORGER))), card_photo(portrait_path(forger))
    )
    return forged_card(card_contents(person, credentials, photo), forgery, own)


_FORGER = Person(
    name="偽造　太郎",
    name_kana="ｷﾞｿﾞｳ ﾀﾛｳ",
    birth_date=date(1990, 9, 9),
    sex=1,
    address="",
    card=PersonCard(date(2035, 9, 9), "9999"),
    certificate=PersonCertificate(date(2030, 9, 9)),
    id="forger",
)
"""Who makes a forged card, and has a genuine one of their own, whose codes they give the victim's card."""

PAST_AUTHORITY = b"9000013\x08\x05001\0\0\0\0"
_AUTHORITY_CHANGED = date(2024, 12, 31)


def card_authorities(authority: Authority) -> tuple[CardAuthority, ...]:
    """Return the test authorities whose word on a photo counts on a bench: that of today, and the one before it."""
    own, past = authority.card_authority(), authority.card_authority(past=True)
    return (
        CardAuthority(CARD_AUTHORITY_ID, _public(own), _AUTHORITY_CHANGED),
        CardAuthority(PAST_AUTHORITY, _public(past), date(2015, 1, 1), _AUTHORITY_CHANGED),
    )


def _public(key: RSAPrivateKey) -> RsaKey:
    numbers = key.public_key().public_numbers()
    return RsaKey(numbers.e, numbers.n)


def whatever_comes(person: Person, authority: Authority) -> SmartCard:
    """Make what a person puts in: their card, or one that a terminal must refuse."""
    if person.card.is_foreign:
        return foreign_card(cast(ForeignKind, person.card.kind))
    return make_card(person, authority)


def clip_of(person: Person, cache: Path) -> Path:
    """Return the folder of a person's recorded frames; made from the photo when the person brings none."""
    from hardware.simulation.moving_stills import Condition, clip_for
    from hardware.simulation.portraits import portrait_path

    if person.clip.path:
        return Path(person.clip.path)
    if not person.card.photo:
        return clip_for(portrait_path("synthetic"), cache, Condition.EMPTY)
    # Before the camera stands whoever wants to be taken for the card's holder.
    return clip_for(portrait_path(person.card.forger_photo or person.card.photo), cache)


class Bench:
    """One terminal and its surroundings, alive between ``with`` and its end.

    ``own_server`` off: the server of the configuration, in another program, is asked. ``vpcd_port``: on a pcsc bench,
    where virtual cards of other programs attach. ``journal``: its file, where it is to outlive the bench. ``database``:
    SQLAlchemy URL of the bench's own server. ``camera``: a real one, in place of a clip. ``staff``: file of
    the staff's passwords, in place of the bench's own STAFF. ``keep_cards``: a person brings the same card each time.
    ``stall_limit_s``: how long a card may take for one
    answer, on a simulated reader. ``slot``, ``phone_slot`` and ``faults`` reach into
    simulated readers; a RealBench has only its operator's hands.
    """

    slot: CardSlot
    phone_slot: CardSlot
    faults: ReaderFaults
    journal: Journal

    def __init__(
        self,
        config: Config,
        state: Path,
        kind: BenchKind | RealBench = "simulated",
        *,
        people: Sequence[Person] | None = None,
        person: Person | None = None,
        clip: Path | None = None,
        today: date | None = None,
        engine: FaceEngine | None = None,
        own_server: bool = True,
        vpcd_port: int | None = None,
        database: str = "sqlite://",
        journal: Path | None = None,
        camera: Camera | None = None,
        staff: Path | None = None,
        stall_limit_s: float = STALL_LIMIT_S,
        keep_cards: bool = False,
    ) -> None:
        self.kind = kind
        self._real = kind if isinstance(kind, RealBench) else None
        self._waited_before_s = self._real.waited_s if self._real else 0.0
        self._own_server = own_server
        self._journal_file, self._staff = journal, staff
        self._ledger_file = journal.with_name("attributes.sqlite") if journal else None
        self._vpcd_port = vpcd_port
        self._people = {one.id: one for one in (people if people is not None else everybody())}
        self.person = person or next(iter(self._people.values()))
        self._people.setdefault(self.person.id, self.person)
        self.authority = Authority(state)
        self._clips = state / "clips"
        self._clip: SteerableClip | None = None
        self.camera: FrameSource
        if camera is None:
            self.camera = self._clip = SteerableClip(clip or clip_of(self.person, self._clips))
        else:
            self.camera = open_camera(camera)
        self._days = timedelta()
        running = clock_from(today) if today else japan_now
        self.now: Callable[[], datetime] = lambda: running() + self._days
        self.server = EligibilityServer(
            insured(self._people.values()),
            self.authority,
            database=database,
            clock=lambda: self.now() + self._server_jumped,
            grace_months=config.grace_months,
            trust_cas=self._real.plan.trust_cas if self._real else (),
        )
        self.outside = Outside(config, self.server, self.now)
        self.engine = engine or FaceEngine(network=config.face.model)
        self._own_engine = engine is None
        self._config = config
        self._kept: dict[str, SmartCard] | None = {} if keep_cards else None
        self._fixed_clip = clip is not None
        self._ends, self._terminal_ends = ExitStack(), ExitStack()
        self._pcscd: PcscdBench | None = None
        self._stall_limit_s = stall_limit_s
        self._jumped = timedelta()
        self._server_jumped = timedelta()
        self._folder_full = False

    def __enter__(self) -> Self:
        """Start everything; what was started is ended again when a part fails."""
        with self._ends:
            if self._own_server:
                self.server.start()
                self._ends.callback(self.server.close)
            self._ends.callback(self.camera.close)
            if self._own_engine:
                self.engine.start()
                self._ends.callback(self.engine.close)
            reader, self.phone_reader, self._operator = self._hardware()
            self._card_reader = reader
            self._begin_terminal()
            self._ends.callback(self.kill_terminal)
            self._ends = self._ends.pop_all()
        return self

    def _begin_terminal(self, before_start: Callable[[], None] = lambda: None) -> None:
        config = self._config
        identity = self.authority.enrol_terminal(config.site.terminal_id)
        settings = replace(config.server, url=self.server.url) if self._own_server else config.server
        with ExitStack() as ends:
            self.client = EligibilityClient(settings, identity, config.profile, config.consents, config.site)
            ends.callback(self.client.close)
            journal = self.journal = open_journal(config, self._journal_file, self._wall_clock)
            ends.callback(journal.close)
            service = self.outside.service = ends.enter_context(
                attribute_service(
                    config,
                    self._ledger_file,
                    settings,
                    identity,
                    self.client,
                    self.now,
                    self._sync_receipt,
                )
            )
            self.terminal = Terminal(
                config,
                reader=self._card_reader,
                phone_reader=self.phone_reader,
                simulated=self._real is None or self._clip is not None,
                journal=journal,
                staff=_staff(self._staff),
                today=lambda: self.now().date(),
                announcements=announcements_of(config),
            )
            self.terminal.equip(
                camera=self.camera,
                engine=self.engine,
                server=self.client,
                scan=self._real.match_code_b if self._real else self._scan,
                authorities=authorities_of(config) if self._real else card_authorities(self.authority),
                attributes=service,
            )
            if self._clip is not None:
                ends.callback(self.terminal.subscribe_colours(self._clip.light))
            office = back_office(config, journal, settings, identity, self._sync_receipt)
            self.office = ends.enter_context(office)
            before_start()
            self.terminal.start()
            ends.callback(self.terminal.stop)
            self._terminal_ends = ends.pop_all()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything, in reverse order."""
        self._ends.close()

    @property
    def service_pid(self) -> int | None:
        """Return the process id of the bench's own pcscd; None on a simulated bench."""
        return self._pcscd.pid if self._pcscd else None

    @property
    def settings(self) -> Config:
        """Return the settings of its terminal."""
        return self._config

    def people(self) -> list[str]:
        """Return the ids of the people who can come."""
        return list(self._people)

    def everybody(self) -> list[Person]:
        """Return the people who can come."""
        return list(self._people.values())

    def laid(self) -> tuple[bool, bool]:
        """Return whether a card is in, and whether a phone lies on its reader; raises ReaderError."""
        phone = self.phone_reader is not None and self.phone_reader.presence() is not Presence.EMPTY
        return self._card_reader.presence() is not Presence.EMPTY, phone

    # --- Hands --------------------------------------------------------------------------------------------------

    @property
    def can(self) -> frozenset[Hand]:
        """Return what hands can do on this bench."""
        return self._operator.can

    def do(self, hand: Hand, seconds: float = 0.0) -> None:
        """Have it done at the devices; raises BenchTrouble when that fails."""
        self._operator.do(hand, self.person, seconds)

    def insert(self, name: str | None = None) -> None:
        """Put a person's card in, and the person before the camera; without a name, the bench's own person."""
        self._turn_to(name)
        self.do("insert_card")

    def remove(self) -> None:
        """Pull the card."""
        self.do("remove_card")

    def tap_phone(self, name: str | None = None) -> None:
        """Lay a person's phone on the phone reader, where it stays until lift_phone."""
        self._turn_to(name)
        self.do("tap_phone")

    def lift_phone(self) -> None:
        """Take the phone away."""
        self.do("lift_phone")

    def show(self, name: str) -> None:
        """Let another person stand before the camera."""
        self.show_clip(clip_of(self._people.get(name) or load_person(name), self._clips))

    def show_clip(self, path: Path) -> None:
        """Show the camera other recorded frames."""
        if self._clip is None:
            raise BenchTrouble("a real camera shows whoever stands before it")
        self._clip.show(path)

    def kill_engine(self) -> None:
        """End the face engine's process as a crash does."""
        if (pid := self.engine.pid) is not None:
            os.kill(pid, signal.SIGKILL)

    def _turn_to(self, name: str | None) -> None:
        if name is not None and name != self.person.id:
            self.person = self._people.get(name) or load_person(name)
            if name not in self._people:
                self._people[name] = self.person
                if not self.person.card.is_foreign:
                    self.server.add(self.person)
            if self._clip is not None and not self._fixed_clip:
                self._clip.show(clip_of(self.person, self._clips))

    # --- The terminal's computer --------------------------------------------------------------------------------

    def kill_terminal(self) -> None:
        """End the terminal, and its back office, without a word: nothing more is written or sent; idempotent.

        In this process threads can only be ended, so that a question already on its way is waited for;
        ``./run soak --kills`` kills the process.
        """
        self._terminal_ends.close()

    def restart_terminal(self, before_start: Callable[[], None] = lambda: None) -> None:
        """Start it again on the same devices and folders; ``terminal``, ``client``, ``journal`` and ``office`` are new.

        What was in a journal without a file is lost. ``before_start``: called once these are there, to subscribe.
        """
        self.kill_terminal()
        self._begin_terminal(before_start)

    # --- Away from the terminal ---------------------------------------------------------------------------------

    def act(self, kind: str, medium: str = "card", reason: str = "") -> None:
        """Have something done to the certificates of the bench's person, who comes with the new card from then on."""
        self.person = self.outside.act(self.person, kind, medium, reason)
        self._people[self.person.id] = self.person

    def pass_days(self, days: int) -> None:
        """Let days pass for clinic, server and authorities."""
        self._days += timedelta(days=days)

    def jump_clock(self, seconds: float) -> None:
        """Put the terminal's wall clock forward, or back, as somebody or a time server does; waits go on as before."""
        self._jumped += timedelta(seconds=seconds)

    def jump_server_clock(self, seconds: float) -> None:
        """Put the eligibility server's clock forward or back, as if so much time had passed for the consents."""
        self._server_jumped += timedelta(seconds=seconds)

    def _wall_clock(self) -> datetime:
        return japan_now() + self._jumped

    def fill_folder(self) -> None:
        """Let the disk with the receipt computer's folder be full."""
        self._folder_full = True

    def empty_folder(self) -> None:
        """Let there be room again."""
        self._folder_full = False

    def _sync_receipt(self, descriptor: int) -> None:
        if self._folder_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)

    # --- The card -----------------------------------------------------------------------------------------------

    def pin(self) -> bytearray:
        """Return the PIN of the person's card, in ASCII; the caller wipes it."""
        return self._real.pin() if self._real else bytearray(self.person.card.pin.encode("ascii"))

    def pin_tries_left(self) -> int | None:
        """Return the PIN tries of the card that is in, or was last; asked of a real card, the terminal being off."""
        if self._real:
            return self._real.tries_left()
        return (self.phone_slot if self.person.card.is_phone else self.slot).pin_tries_left()

    @property
    def waited_s(self) -> float:
        """Return how long hands have been at work on this bench; simulated ones take no time."""
        return self._real.waited_s - self._waited_before_s if self._real else 0.0

    def check(self) -> None:
        """Raise BenchTrouble once a device of a real bench has failed."""
        if self._real:
            self._real.check()

    def _scan(self) -> str | None:
        card = self.person.card
        if card.forgery == "photo-of-another":
            return match_code_b(_FORGER.birth_date, _FORGER.card.expires, _FORGER.card.security_code)
        western = card.foreign_resident
        return match_code_b(self.person.birth_date, card.expires, card.security_code, western=western)

    # --- Devices ------------------------------------------------------------------------------------------------

    def _hardware(self) -> tuple[CardReader, CardReader | None, Operator]:
        """Return card reader, phone reader and whose hands are at them."""
        if self._real:
            return self._real.reader, self._real.phone_reader, Together(self._camera_hands(), self._real)
        readers = self._simulated_readers()
        for reader in readers:
            self._ends.callback(reader.close)
        return *readers, Together(self._camera_hands(), self._reader_hands())

    def _simulated_readers(self) -> tuple[CardReader, CardReader]:
        if self.kind == "simulated":
            virtual = VirtualReader(stall_limit_s=self._stall_limit_s)
            phone = VirtualReader("Virtual phone reader")
            self.slot, self.faults, self.phone_slot = virtual.slot, virtual.faults, phone.slot
            return virtual, phone
        from hardware.card.pcsc import PcscReader
        from hardware.simulation.pcscd import READER, SECOND_READER, PcscdBench

        pcscd = self._pcscd = self._ends.enter_context(PcscdBench(self._vpcd_port, faults=True))
        self.slot, self.faults, self.phone_slot = pcscd.slot, pcscd, pcscd.second_slot
        return PcscReader(READER, self._stall_limit_s), PcscReader(SECOND_READER)

    def _reader_hands(self) -> Operator:
        def card(person: Person | None) -> SmartCard:
            holder = person or self.person
            if self._kept is None:
                return whatever_comes(holder, self.authority)
            # The same card each time: PIN tries that were spent stay spent.
            if holder.id not in self._kept:
                self._kept[holder.id] = whatever_comes(holder, self.authority)
            return self._kept[holder.id]

        slot, phones, faults = self.slot, self.phone_slot, self.faults
        return Simulated(
            {
                "insert_card": lambda person, _: slot.insert(card(person)),
                "remove_card": lambda person, _: slot.remove(),
                "stall_card": lambda person, seconds: slot.stall(seconds),
                "tap_phone": lambda person, _: phones.insert(card(person)),
                "lift_phone": lambda person, _: phones.remove(),
                "unplug_reader": lambda person, _: faults.unplug(),
                "plug_reader": lambda person, _: faults.plug(),
                "fault_reader": lambda person, _: faults.fault(),
                "stop_reader_service": lambda person, _: faults.stop_service(),
                "start_reader_service": lambda person, _: faults.start_service(),
                "hold_reader": lambda person, seconds: faults.hold(seconds),
                "reset_card": lambda person, _: faults.reset_card(),
                "rename_reader": lambda person, _: faults.rename(),
            }
        )

    def _camera_hands(self) -> Operator:
        clip = self._clip
        if clip is None:
            return Simulated({})
        return Simulated(
            {
                "unplug_camera": lambda person, _: clip.unplug(),
                "plug_camera": lambda person, _: clip.plug(),
                "black_camera": lambda person, _: clip.black(),
                "freeze_camera": lambda person, _: clip.freeze(),
            }
        )


def _staff(path: Path | None) -> Staff:
    """Return the staff of a file; without one, a bench's own."""
    hashes = partial(read_hashes, path) if path else (lambda: {STAFF: _STAFF_HASH})
    return Staff(hashes, time.monotonic)
