"""The conductor: runs the devices in workers, feeds the flow with what they say, and tells everyone who listens.

Light to import: readers are watched, and a card is welcome, before anything is loaded that only the work on it needs.
"""

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from config import Config
from config.announcements import Announcement, Place, shown
from consent.choices import ConsentAnswer
from consent.japan_time import japan_now
from hardware.card import (
    CardAuthority,
    CardReader,
    CardRules,
    Presence,
    ReaderError,
    SteadyReader,
)
from reception import flow
from reception.flow import Effect, Event, Session
from reception.terminal.health import PartsHealth
from reception.terminal.journal import Journal, JournalError
from reception.terminal.queue_numbers import QueueNumbers, label_of
from reception.terminal.snapshot import CounterView, Health, Snapshot, VisualView, snapshot_of
from reception.terminal.staff import Staff, StaffAnswer
from reception.terminal.subscribers import Subscribers
from reception.terminal.supervisor import LOOK_S, Pulse, Supervisor
from reception.terminal.visit import VisitMemory
from reception.terminal.watch import ReaderWatch, reader_failure

if TYPE_CHECKING:
    from consent.eligibility import EligibilityClient
    from hardware.camera import FrameSource
    from hardware.face.engine import FaceEngine
    from reception.terminal.attributes import AttributeService
    from reception.terminal.jobs import CardFaceScan, Jobs

PULSE_S = 5.0
"""How long the conductor waits for an event at most before it gives a sign of life."""
CONSENTS_LAST = timedelta(hours=24)
"""How long what was agreed may be looked at, from when it was recorded on."""
MATCH_CODE_KEPT_S = 120.0
"""Staff type it off the card just before the patient puts the card in; another card would lose a try to it."""

_OCCUPIED = (flow.State.PIN_ENTRY, flow.State.FACE_MATCH, flow.State.PHONE_TAP)
"""The patient proves who they are; the server's challenge can come meanwhile."""

_log = logging.getLogger("reception.terminal")


class Terminal:
    """One reception terminal; thread-safe to its users, who ``submit`` events and subscribe to snapshots.

    It watches its readers from start() on, and works from equip() on: a card that is put in before is waited with.
    """

    def __init__(
        self,
        config: Config,
        *,
        reader: CardReader,
        simulated: bool,
        phone_reader: CardReader | None = None,
        journal: Journal | None = None,
        staff: Staff | None = None,
        queue_numbers: QueueNumbers | None = None,
        announcements: Sequence[Announcement] = (),
        now: Callable[[], float] = time.monotonic,
        today: Callable[[], date] = lambda: japan_now().date(),
    ) -> None:
        self.config = config
        self._now = now
        cards = self._cards = SteadyReader(reader)
        phones = self._phones = SteadyReader(phone_reader) if phone_reader is not None else None
        self._readers = [each for each in (cards, phones) if each is not None]
        self._journal = journal or Journal(None, japan_now)
        self._session = Session(config)
        self._snapshot = Snapshot(simulated=simulated)
        self._health = Health(journal="ok" if self._journal.usable else "down")
        self._health_changes = threading.Lock()
        self._visit = VisitMemory()
        self._pin = bytearray()
        self._password = bytearray()
        """Of the signature certificate, as far as it is typed."""
        self._announcements, self._today = tuple(announcements), today
        self._queue = queue_numbers or QueueNumbers(None, japan_now)
        self._match_code = ("", 0.0)
        """照合番号B typed before its card came, and until when it is kept."""
        self._until = ""
        """Until when the consents of this visit are kept."""
        self._counter: CounterView | None = None
        self._counter_changes = threading.Lock()
        self._publishing = threading.RLock()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._snapshots, self._frames, self._counters = Subscribers(), Subscribers(), Subscribers()
        self._visuals, self._happenings, self._colours = Subscribers(), Subscribers(), Subscribers()
        self._visual: VisualView | None = None
        self._visual_occasion: int | None = None
        self._conducting = False
        """An event is being dealt with; if it is so when the conductor begins, that broke off."""
        self._stopped = False
        self._staff = staff or Staff(dict, now)
        supervisor = self.supervisor = Supervisor(self._threads_are, notifies=True)
        """Runs every thread of this terminal."""
        self._jobs: Jobs | None = None
        self._waiting: list[Callable[[Jobs], None]] = []
        """What is to be done once equip() has brought what does it, in order."""
        self._handing = threading.Lock()
        self._parts: PartsHealth | None = None
        self._journal.on_health = lambda usable: self._is(journal="ok" if usable else "down")
        supervisor.loop("conductor", self._conduct)
        supervisor.loop("reader-watch", self._card_watch(cards).run)
        if phones is not None:
            supervisor.loop("phone-watch", self._phone_watch(phones).run)

    def equip(
        self,
        *,
        camera: "FrameSource",
        engine: "FaceEngine",
        server: "EligibilityClient",
        scan: "CardFaceScan",
        authorities: Sequence[CardAuthority] = (),
        attributes: "AttributeService | None" = None,
    ) -> None:
        """Give it once what visits are worked on with, before start() or after it. Raises ConfigError.

        ``authorities``: whose word on a card's photo counts; without any, nobody is offered the way by face.
        """
        from reception.terminal.jobs import Devices, Jobs

        rules = self.config.card
        devices = Devices(
            self._cards,
            camera,
            engine,
            server,
            scan,
            self._phones,
            self._staff,
            lambda: CardRules(tuple(authorities), self._today(), rules),
            attributes,
        )
        self._parts = PartsHealth(engine, server, lambda part, state: self._is(**{part: state}))
        jobs = Jobs(
            self.config,
            self.supervisor,
            devices,
            post=self._events.put,
            health=self._is,
            show_frame=self._frames.tell,
            show_colour=self._colours.tell,
            show_counter=self._show_counter,
            show_visual=self._show_visual,
        )
        self.supervisor.loop("health", self._parts.watch)
        with self._handing:
            self._jobs = jobs
            while self._waiting:
                self._waiting.pop(0)(jobs)

    def _have(self, job: "Callable[[Jobs], None]") -> None:
        """Have a job begun: at once, or as soon as equip() has brought what does it."""
        with self._handing:
            jobs = self._jobs
            if jobs is None:
                self._waiting.append(job)
        if jobs is not None:
            job(jobs)

    # --- For windows, counter, runner ---------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""
        return self._snapshot

    @property
    def journal(self) -> Journal:
        """Return the journal of its visits."""
        return self._journal

    def submit(self, event: Event) -> None:
        """Hand in what a person did."""
        self._events.put(event)

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Call back with every snapshot, the newest at once; returns the way to stop it."""
        stop = self._snapshots.add(callback)
        callback(self._snapshot)
        return stop

    def subscribe_frames(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Call back with each camera image, (H, W, 3) uint8 BGR, while a face is matched."""
        return self._frames.add(callback)

    def subscribe_colours(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Call back with each hardware.face.flash.Colour that the patient's window is to show, None: as before."""
        return self._colours.add(callback)

    def subscribe_counter(self, callback: Callable[[CounterView | None], None]) -> Callable[[], None]:
        """Call back with the personal part of the visit, the current one at once; None when it has ended."""
        stop = self._counters.add(callback)
        callback(self._counter)
        return stop

    def subscribe_visual(self, callback: Callable[[VisualView | None], None]) -> Callable[[], None]:
        """Call back with the card's photo while staff compare it with the patient; None when that is over.

        The picture is wiped then: who needs it longer is not meant to.
        """
        with self._counter_changes:
            stop = self._visuals.add(callback)
            callback(self._visual)
        return stop

    def subscribe_events(self, callback: Callable[[tuple[Event, Snapshot]], None]) -> Callable[[], None]:
        """Call back with each event that changed something, and what was shown when it came; no digit is in one."""
        return self._happenings.add(callback)

    def start_visual(
        self, visit: str, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]
    ) -> None:
        """Begin the visual check of the visit that staff saw, if their password is right; the password is wiped.

        ``told`` is called by another thread.
        """
        self._have(lambda jobs: jobs.start_visual(visit, staff, password, told))

    def verify_staff(self, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]) -> None:
        """Have a staff password verified, which is wiped; ``told`` is called by another thread."""
        self._have(lambda jobs: jobs.verify_staff(staff, password, told))

    def staff_ids(self) -> tuple[str, ...]:
        """Return the ids of the staff who have a password."""
        return self._staff.ids()

    def start(self) -> None:
        """Start the workers; the first snapshots follow."""
        self.supervisor.start()

    def stop(self) -> None:
        """End the visit and all workers; power the card off. May be called twice."""
        if self._stopped:
            return
        self._stopped = True
        self.supervisor.end()
        for reader in self._readers:
            reader.cancel()
        if self._parts is not None:
            self._parts.close()
        jobs = self._jobs
        if jobs is not None:
            jobs.let_go()
        self._events.put(None)
        self.supervisor.stop()
        if jobs is not None:
            jobs.stop(self._visit)
        self._do(Effect.FORGET_VISIT)
        with self._counter_changes:
            self._visual_occasion = None
            self._hide_visual()

    # --- The conductor's loop -----------------------------------------------------------------------------------

    def _conduct(self, pulse: Pulse) -> None:
        if self._conducting:
            # Nobody knows how far it came: staff see to this patient. What was being sent is still waited for.
            self._deal_with(flow.CallStaff())
        while not pulse.is_set():
            patience = self._patience()
            try:
                event = self._events.get(timeout=PULSE_S if patience is None else min(patience, PULSE_S))
            except queue.Empty:
                if patience is None or patience > PULSE_S:
                    continue
                event = flow.TimePassed()
            if event is None:
                return
            self._conducting = True
            self._deal_with(event)
            self._conducting = False

    def _deal_with(self, event: Event) -> None:
        if isinstance(event, flow.PinDigit | flow.PinBackspace | flow.PinClear):
            event = self._typed(event)
        if isinstance(event, flow.SigningKey | flow.SigningBackspace):
            event = self._signing_typed(event)
        if isinstance(event, flow.MatchCodeTyped):
            self._use_match_code(event.code)
            return
        if isinstance(event, flow.ChoosePhone):
            event = flow.ChoosePhone(str(uuid.uuid4()))
        before = self._session
        self._session, effects = flow.advance(before, event, self._now())
        sending = self._session.state is flow.State.SENDING
        if sending:
            # Before anything is sent: a power failure from now on leaves a visit that the server is asked about.
            self._note(before)
        if self._session.visit.completed and not before.visit.completed:
            # The server has just recorded the consents, which it keeps for a day.
            self._until = (japan_now().replace(tzinfo=None) + CONSENTS_LAST).isoformat(timespec="minutes")
            self._hand_over()
        if Effect.LOG_LATE_EVENT not in effects:
            self._happenings.tell((event, self._snapshot))
        for effect in effects:
            if effect is Effect.LOG_LATE_EVENT:
                _log.info("%s came late in %s and changes nothing", type(event).__name__, before.state)
            else:
                self._do(effect)
        if self._session.state is not before.state and self._session.state in _OCCUPIED:
            visit = self._visit
            self._have(lambda jobs: jobs.ask_ahead(visit))
        self._follow_visual(before)
        if before.state is not self._session.state:
            _log.info("visit %s: %s", self._session.visit.id or "-", self._session.state)
        self._publish()
        if not sending:
            # After it was shown: "completed" stands only for what the patient was told.
            self._note(before)

    def _note(self, before: Session) -> None:
        try:
            self._journal.note(before, self._session)
        except JournalError as error:
            # The visit goes on, and its line waits in memory. Staff are told by the journal's health.
            _log.error("%s", error)

    def _hand_over(self) -> None:
        """Have the receipt computer's file due on the disk before the patient is told."""
        try:
            self._journal.will_complete(self._session.visit.id)
        except JournalError as error:
            # The patient has done everything right; staff are told that the file is only in memory.
            _log.error("%s", error)

    def _patience(self) -> float | None:
        due = flow.next_moment(self._session)
        if due is None:
            return None
        left = max(0.0, due - self._now())
        # While the end of a wait is announced, the seconds left are counted down.
        return min(left, 1.0) if self._warned() else left

    def _warned(self) -> bool:
        session = self._session
        return session.awaits_person and session.warn_at is None and session.deadline is not None

    def _typed(self, event: Event) -> Event:
        session = self._session
        if session.state is flow.State.PIN_ENTRY and not session.verifying and not session.asks_last_try:
            match event:
                case flow.PinDigit(digit) if len(self._pin) < 4 and 0 <= digit <= 9:
                    self._pin.append(ord("0") + digit)
                case flow.PinBackspace() if self._pin:
                    self._pin[-1] = 0
                    del self._pin[-1]
                case flow.PinClear():
                    self._wipe_pin()
        return flow.PinTyped(len(self._pin))

    def _signing_typed(self, event: Event) -> Event:
        """Keep a character of the signing password here; the flow learns how many there are."""
        session = self._session
        if session.screen == "ATTRIBUTE_SIGN" and not session.verifying:
            match event:
                case flow.SigningKey(character) if len(self._password) < 16 and _signs(character):
                    self._password.append(ord(character))
                case flow.SigningBackspace() if self._password:
                    self._password[-1] = 0
                    del self._password[-1]
        return flow.SigningTyped(len(self._password))

    def _use_match_code(self, code: str) -> None:
        """Read the photo of the card that is in, or keep the code for the one that comes next, for a while."""
        if len(code) != 14 or not (code.isascii() and code.isdigit()):
            return
        if self._session.match_code_wanted:
            visit, name = self._visit, self._session.visit.id
            self._have(lambda jobs: jobs.read_photo(visit, name, code))
        elif self._session.state in (flow.State.WAITING, flow.State.READING):
            self._match_code = (code, self._now() + MATCH_CODE_KEPT_S)

    def _take_match_code(self) -> str | None:
        (code, until), self._match_code = self._match_code, ("", 0.0)
        return code if code and self._now() < until else None

    def _wipe_pin(self) -> None:
        for typed in (self._pin, self._password):
            typed[:] = bytes(len(typed))
        self._pin, self._password = bytearray(), bytearray()

    def _publish(self) -> None:
        session = self._session
        left = session.deadline - self._now() if self._warned() and session.deadline is not None else None
        until = self._until if session.visit.completed else ""
        number, announcement = self._number(session), self._announcement(session)
        with self._publishing:
            self._snapshot = snapshot_of(
                session,
                self._snapshot,
                self._health,
                left,
                self._visit.notice,
                until,
                number,
                announcement,
                tuple(offer.scheme for offer in self._visit.subsidies),
            )
            self._snapshots.tell(self._snapshot)

    def _announcement(self, session: Session) -> Announcement | None:
        """Return the line of the day for what is shown now; the most particular one."""
        today = self._today()
        if session.state is flow.State.WAITING:
            return shown(self._announcements, "welcome", today)
        if session.state not in (flow.State.TAKE_CARD, flow.State.COMPLETE):
            return None
        places: list[Place] = ["registered"] if session.visit.card_use is ConsentAnswer.GIVEN else []
        places += ["expiring"] if self._visit.notice else []
        found = (shown(self._announcements, place, today) for place in (*places, "complete"))
        return next(filter(None, found), None)

    def _number(self, session: Session) -> str:
        """Return the queue number of a visit that is complete; given once, when it is first shown."""
        settings = session.config.ticket
        if not (settings.number and session.visit.completed and session.state in flow.COMMITTED):
            return ""
        if not self._visit.queue_label:
            self._visit.queue_label = label_of(self._queue.take(), settings)
            if settings.print_command:
                label = self._visit.queue_label
                self._have(lambda jobs: jobs.print_ticket(label))
        return self._visit.queue_label

    def _threads_are(self, down: tuple[str, ...]) -> None:
        """Tell which threads do not work, in the supervisor's own."""
        self._is(threads="down" if down else "ok")
        if "conductor" in down:
            # It publishes every change, but not while it hangs itself; nor must this thread wait for it.
            is_free = self._publishing.acquire(timeout=LOOK_S)
            try:
                before = self._snapshot
                self._snapshot = replace(before, health=self._health, number=before.number + 1)
                self._snapshots.tell(self._snapshot)
            finally:
                if is_free:
                    self._publishing.release()

    def _is(self, **health: Any) -> None:
        """Note how parts are, from any thread; a change is published at once, whatever the visit does."""
        with self._health_changes:
            before, self._health = self._health, replace(self._health, **health)
            changed = before != self._health
        if changed:
            _log.info("health: %s", health)
            self._events.put(flow.TimePassed())

    # --- Effects ------------------------------------------------------------------------------------------------

    def _do(self, effect: Effect) -> None:
        match effect:
            case Effect.STOP_FACE:
                self._visit.stop_face.set()
            case Effect.WIPE_PIN:
                self._wipe_pin()
            case Effect.POWER_OFF_CARD:
                visit = self._visit
                self._have(lambda jobs: jobs.power_off(visit))
            case Effect.FORGET_VISIT:
                self._forget()
            case Effect.READ_CARD:
                self._visit.match_code = self._take_match_code()
                self._begin(effect, bytearray())
            case Effect.VERIFY_PIN:
                pin, self._pin = self._pin, bytearray()
                self._begin(effect, pin)
            case Effect.SIGN_ATTRIBUTES:
                password, self._password = self._password, bytearray()
                self._begin(effect, password)
            case Effect.READ_PHONE:
                # A copy: a phone that moved before its PIN was sent is only laid on again.
                self._begin(effect, bytearray(self._pin))
            case _:
                self._begin(effect, bytearray())

    def _begin(self, effect: Effect, typed: bytearray) -> None:
        """Have a piece of the visit's work begun; ``typed`` is wiped by who does it."""
        session, visit = self._session, self._visit
        self._have(lambda jobs: jobs.do(effect, session, visit, typed))

    def _forget(self) -> None:
        with self._counter_changes:
            self._visit, self._counter = VisitMemory(), None
            self._counters.tell(None)

    def _show_counter(self, visit: VisitMemory, view: CounterView) -> None:
        """Show staff whom the server named, unless that visit is over by now."""
        with self._counter_changes:
            if visit is self._visit:
                self._counter = view
                self._counters.tell(view)

    def _follow_visual(self, before: Session) -> None:
        """Have the photo shown when the visual check begins, and taken away when it ends, however it does."""
        session = self._session
        is_on = session.state is flow.State.VISUAL_CHECK
        if (before.state is flow.State.VISUAL_CHECK, before.occasion) == (is_on, session.occasion):
            return
        with self._counter_changes:
            self._hide_visual()
            self._visual_occasion = session.occasion if is_on else None
        if is_on:
            visit = self._visit
            self._have(lambda jobs: jobs.show_photo(session.occasion, session.visit.id, visit))

    def _hide_visual(self) -> None:
        if self._visual is None:
            return
        shown, self._visual = self._visual, None
        self._visuals.tell(None)
        if shown.photo is not None:
            shown.photo.fill(0)

    def _show_visual(self, occasion: int, view: VisualView) -> None:
        with self._counter_changes:
            if occasion == self._visual_occasion:
                self._visual = view
                self._visuals.tell(view)

    # --- The readers --------------------------------------------------------------------------------------------

    def _card_watch(self, reader: CardReader) -> ReaderWatch:
        def lost(error: ReaderError) -> Event:
            self._is(reader="down")
            return flow.ReaderLost(reader_failure(error))

        def ready() -> Event:
            self._is(reader="ok")
            return flow.ReaderReady()

        return self._reader_watch(reader, ready, lost, _presence_event)

    def _phone_watch(self, reader: CardReader) -> ReaderWatch:
        def lost(error: ReaderError) -> Event:
            self._is(phone_reader="down")
            return flow.PhoneReaderLost()

        def ready() -> Event:
            self._is(phone_reader="ok")
            return flow.PhoneReaderReady()

        def laid(seen: Presence, already_in: bool) -> Event:
            return flow.PhoneLifted() if seen is Presence.EMPTY else flow.PhoneLaid()

        return self._reader_watch(reader, ready, lost, laid)

    def _reader_watch(
        self,
        reader: CardReader,
        ready: Callable[[], Event],
        lost: Callable[[ReaderError], Event],
        changed: Callable[[Presence, bool], Event],
    ) -> ReaderWatch:
        retry_s = self.config.delays.device_retry_s
        return ReaderWatch(reader, retry_s, self._events.put, ready=ready, lost=lost, changed=changed)


def _signs(character: str) -> bool:
    """Say whether a signing password can have this character: a capital letter or a digit."""
    return len(character) == 1 and character in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _presence_event(seen: Presence, already_in: bool) -> Event:
    match seen:
        case Presence.EMPTY:
            return flow.CardRemoved()
        case Presence.PRESENT:
            return flow.CardInserted(str(uuid.uuid4()), already_in)
        case Presence.MUTE:
            return flow.CardMute(str(uuid.uuid4()))
