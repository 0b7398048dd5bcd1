"""The conductor: runs the devices in workers, feeds the flow with what they say, and tells everyone who listens."""

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from config import Config
from consent.choices import ConsentAnswer, Item, Standing, recorded
from consent.eligibility import (
    BadAnswer,
    Challenge,
    Eligibility,
    EligibilityClient,
    EligibilityError,
    EligibilityStatus,
    Refused,
    TimedOut,
    Unreachable,
)
from hardware.camera import CameraError, Frame, FrameSource
from hardware.camera_health import CameraHealth
from hardware.card import (
    CardChannel,
    CardError,
    CardFacts,
    CardReader,
    CardSwapped,
    CardUnreadable,
    MatchCodeWrong,
    MyNumberCard,
    PinBlocked,
    PinWrong,
    Presence,
    ReaderBusy,
    ReaderError,
    ReaderStalled,
    ServiceDown,
    WrongCard,
)
from hardware.card import CardRemoved as CardIsGone
from hardware.face import FaceMatch, FaceOutcome, Guidance
from hardware.face_engine import EngineLost, FaceEngine, PhotoUnusable
from reception import flow
from reception.failures import FailureCode
from reception.flow import Effect, Event, Method, Session
from reception.journal import Journal, JournalError
from reception.snapshot import CounterView, Health, Snapshot
from reception.subscribers import Subscribers

_log = logging.getLogger("reception.terminal")

CardFaceScan = Callable[[], str | None]
"""Reads 照合番号B off the card's surface; a stand-in, since the optical scan of real readers is not public.
It returns the 14 digits, or None when nobody can tell them: then the face route is not offered."""

T = TypeVar("T")
_WATCH_S = 1.0
_FIRST_RETRY_S = 0.2
"""A lost reader is first left alone this long, then ever longer."""


@dataclass
class _Visit:
    """What a visit keeps in memory beside the flow's session; gone with FORGET_VISIT."""

    channel: CardChannel | None = None
    card: MyNumberCard | None = None
    facts: CardFacts | None = None
    photo: bytes | None = field(default=None, repr=False)
    distance: float = 0.0
    limit_category: str = field(default="", repr=False)
    notice: str = ""
    stop_face: threading.Event = field(default_factory=threading.Event)
    phone: "_PhoneProof | None" = None


@dataclass(frozen=True)
class _PhoneProof:
    """What one tap of a phone gave; after it the phone may leave."""

    certificate: bytes
    challenge: Challenge
    signature: bytes


class Terminal:
    """One reception terminal; thread-safe to its users, who ``submit`` events and subscribe to snapshots."""

    def __init__(
        self,
        config: Config,
        *,
        reader: CardReader,
        camera: FrameSource,
        engine: FaceEngine,
        server: EligibilityClient,
        scan: CardFaceScan,
        simulated: bool,
        phone_reader: CardReader | None = None,
        journal: Journal | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self._reader, self._camera, self._engine, self._server = reader, camera, engine, server
        self._scan, self._now = scan, now
        self._phone_reader = phone_reader
        self._journal = journal or Journal(None, lambda: datetime.now(UTC))
        self._session = Session(config)
        self._snapshot = Snapshot(simulated=simulated)
        self._health = Health()
        self._health_changes = threading.Lock()
        self._visit = _Visit()
        self._pin = bytearray()
        self._counter: CounterView | None = None
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._snapshots, self._frames, self._counters = Subscribers(), Subscribers(), Subscribers()
        self._stopping = threading.Event()
        self._camera_health = CameraHealth(camera, config.delays.device_retry_s, self._camera_told)
        self._lanes = {name: ThreadPoolExecutor(1, name) for name in ("card", "phone", "face", "server")}
        self._threads = [
            threading.Thread(target=self._conduct, name="conductor"),
            threading.Thread(target=self._watch_reader, name="reader-watch"),
        ]
        if phone_reader is not None:
            watch = threading.Thread(
                target=self._watch_phone_reader, args=(phone_reader,), name="phone-watch"
            )
            self._threads.append(watch)

    # --- For windows, counter, runner ---------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""
        return self._snapshot

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

    def subscribe_counter(self, callback: Callable[[CounterView | None], None]) -> Callable[[], None]:
        """Call back with the personal part of the visit, the current one at once; None when it has ended."""
        stop = self._counters.add(callback)
        callback(self._counter)
        return stop

    def start(self) -> None:
        """Start the workers; the first snapshots follow."""
        for thread in self._threads:
            thread.start()
        self._camera_health.start()

    def stop(self) -> None:
        """End the visit and all workers; power the card off."""
        self._stopping.set()
        self._reader.cancel()
        if self._phone_reader is not None:
            self._phone_reader.cancel()
        self._events.put(None)
        for thread in self._threads:
            thread.join()
        self._visit.stop_face.set()
        self._camera_health.stop()
        # The phone's work asks the server's lane, and that one the card's.
        for name in ("phone", "server", "face"):
            self._lanes[name].shutdown()
        self._lanes["card"].submit(self._power_off, self._visit)
        self._lanes["card"].shutdown()
        self._do(Effect.FORGET_VISIT)

    # --- The conductor's loop -----------------------------------------------------------------------------------

    def _conduct(self) -> None:
        while True:
            try:
                event = self._events.get(timeout=self._patience())
            except queue.Empty:
                event = flow.TimePassed()
            if event is None:
                return
            if isinstance(event, flow.PinDigit | flow.PinBackspace | flow.PinClear):
                event = self._typed(event)
            if isinstance(event, flow.ChoosePhone):
                event = flow.ChoosePhone(str(uuid.uuid4()))
            before = self._session
            self._session, effects = flow.advance(before, event, self._now())
            sending = self._session.state is flow.State.SENDING
            if sending:
                # Before anything is sent: a power failure from now on leaves a visit that the server is asked about.
                self._note(before)
            for effect in effects:
                if effect is Effect.LOG_LATE_EVENT:
                    _log.info("%s came late in %s and changes nothing", type(event).__name__, before.state)
                else:
                    self._do(effect)
            if before.state is not self._session.state:
                _log.info("visit %s: %s", self._session.visit or "-", self._session.state)
            self._publish()
            if not sending:
                # After it was shown: "completed" stands only for what the patient was told.
                self._note(before)

    def _note(self, before: Session) -> None:
        try:
            self._journal.note(before, self._session)
        except JournalError as error:
            # The visit goes on: what is recorded, is recorded once; only its trace after a power failure is lost.
            _log.error("%s", error)
            self._is(journal="down")

    def _patience(self) -> float | None:
        due = flow.next_moment(self._session)
        if due is None:
            return None
        left = max(0.0, due - self._now())
        # While the end of a wait is announced, the seconds left are counted down.
        return min(left, 1.0) if self._warned() else left

    def _warned(self) -> bool:
        session = self._session
        answerable = session.state in flow.ANSWERABLE and session.state is not flow.State.FACE_MATCH
        return answerable and session.warn_at is None and session.deadline is not None

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

    def _wipe_pin(self) -> None:
        for at in range(len(self._pin)):
            self._pin[at] = 0
        self._pin = bytearray()

    def _publish(self) -> None:
        session = self._session
        question = session.question
        left = session.deadline - self._now() if self._warned() and session.deadline is not None else None
        self._snapshot = replace(
            self._snapshot,
            number=self._snapshot.number + 1,
            visit=session.visit,
            step=flow.STEP_OF.get(session.state, ""),
            state=session.state.value,
            screen="LAST_TRY" if session.asks_last_try else session.state.value,
            occasion=session.occasion,
            question=question.value if question else "",
            question_number=len(session.answers) + 1 if question else 0,
            question_count=len(session.questions),
            methods=tuple(method.value for method in session.methods),
            phones_ready=session.phones_ready,
            phone=session.phone.value if session.phone else "",
            by_phone=session.by_phone,
            reading_phone=session.verifying and session.state is flow.State.PHONE_TAP,
            pin_digits=session.pin_digits,
            pin_tries_left=session.pin_tries_left,
            guidance=session.guidance,
            identity=session.identity.value if session.identity else "",
            failure=session.failure.value if session.failure else "",
            completed=session.completed,
            card_in=session.card_in,
            seconds_left=None if left is None else max(0, round(left)),
            reminders=session.reminders,
            notice=self._visit.notice,
            health=self._health,
        )
        self._snapshots.tell(self._snapshot)

    def _is(self, **health: str) -> None:
        """Note how parts are, from any thread; the next snapshot shows it."""
        with self._health_changes:
            self._health = replace(self._health, **health)

    # --- Effects ------------------------------------------------------------------------------------------------

    def _do(self, effect: Effect) -> None:
        ticket, visit = self._session.occasion, self._visit
        match effect:
            case Effect.READ_CARD:
                self._visit = _Visit()
                self._work("card", self._read_card, ticket, self._visit)
            case Effect.VERIFY_PIN:
                pin, self._pin = self._pin, bytearray()
                self._work("card", self._verify_pin, ticket, visit, pin)
            case Effect.READ_PHONE:
                self._work("phone", self._read_phone, ticket, visit, self._session, bytearray(self._pin))
            case Effect.START_FACE:
                visit.stop_face = threading.Event()
                self._work("face", self._match_face, ticket, visit, visit.stop_face)
            case Effect.STOP_FACE:
                visit.stop_face.set()
            case Effect.WIPE_PIN:
                self._wipe_pin()
            case Effect.IDENTIFY:
                self._work("server", self._identify, ticket, visit, self._session)
            case Effect.SEND_CONSENTS:
                self._work("server", self._send, ticket, visit, self._session)
            case Effect.POWER_OFF_CARD:
                self._lanes["card"].submit(self._power_off, visit)
            case Effect.FORGET_VISIT:
                self._visit = _Visit()
                self._show_counter(None)

    def _work(self, lane: str, job: Callable[..., Event | None], ticket: int, *given: Any) -> None:
        def run() -> None:
            try:
                event = job(ticket, *given)
            except CardSwapped:
                # Unlike after a removal, a card is still in and has to be taken.
                event = flow.WorkFailed(ticket, FailureCode.CARD_SWAPPED)
            except CardIsGone:
                event = flow.CardRemoved(ticket)
            except Exception as error:
                event = _failed(ticket, lane, error)
            if event is not None:
                self._events.put(event)

        self._lanes[lane].submit(run)

    # --- The card's worker --------------------------------------------------------------------------------------

    def _read_card(self, ticket: int, visit: _Visit) -> Event:
        visit.channel = self._reader.connect()
        visit.card = MyNumberCard(visit.channel)
        visit.facts = visit.card.read()
        if visit.facts.medium != "card":
            return flow.WorkFailed(ticket, FailureCode.PHONE_ON_CARD_READER)
        code = self._scan()
        genuine = True
        if code is not None:
            try:
                face = visit.card.read_face(code)
            except MatchCodeWrong as wrong:
                _log.info("the scanned match code was refused, %d tries left", wrong.tries_left)
            else:
                genuine = face.signature_valid
                visit.photo = face.photo_jp2 if genuine else None
                visit.facts = replace(visit.facts, card_expires=face.expires)
        return flow.CardRead(ticket, visit.photo is not None, visit.facts.pin_tries_left, genuine)

    def _verify_pin(self, ticket: int, visit: _Visit, pin: bytearray) -> Event:
        assert visit.card is not None
        try:
            visit.card.verify_pin(pin)
        except PinWrong as wrong:
            return flow.PinMissed(ticket, wrong.tries_left)
        except PinBlocked:
            return flow.PinMissed(ticket, 0)
        finally:
            for at in range(len(pin)):
                pin[at] = 0
        return flow.PinVerified(ticket)

    def _power_off(self, visit: _Visit) -> None:
        if visit.channel is not None:
            visit.channel.close()
        visit.channel = visit.card = visit.facts = visit.photo = None

    # --- The phone's worker -------------------------------------------------------------------------------------

    def _read_phone(self, ticket: int, visit: _Visit, session: Session, pin: bytearray) -> Event:
        """Read a phone in one go: it is held there by hand, for a second or two."""
        assert self._phone_reader is not None
        pin_sent = False
        channel: CardChannel | None = None
        try:
            challenge = self._lanes["server"].submit(self._server.challenge).result()
            channel = self._phone_reader.connect()
            phone = MyNumberCard(channel)
            facts = phone.read()
            if facts.medium == "card":
                return flow.PhoneFailed(ticket, FailureCode.CARD_ON_PHONE_READER)
            if _PHONES[facts.medium] is not session.phone:
                return flow.PhoneFailed(ticket, FailureCode.PHONE_WRONG_KIND)
            certificate = facts.certificate
            if facts.medium == "android":
                if facts.pin_tries_left == 1 and not session.last_try_accepted:
                    return flow.PhoneLastTry(ticket)
                pin_sent = True
                phone.verify_pin(pin)
                certificate = phone.read_certificate()
            visit.phone = _PhoneProof(certificate, challenge, phone.sign(challenge.nonce))
            return flow.PhoneRead(ticket)
        except PinWrong as wrong:
            return flow.PinMissed(ticket, wrong.tries_left)
        except PinBlocked:
            return flow.PinMissed(ticket, 0)
        except CardIsGone:
            moved = FailureCode.PHONE_MOVED_AFTER_PIN if pin_sent else FailureCode.PHONE_MOVED
            return flow.PhoneFailed(ticket, moved, pin_sent)
        except (CardError, ReaderError) as error:
            _log.info("phone: %s", error)
            return flow.PhoneFailed(ticket, FailureCode.PHONE_UNREADABLE, pin_sent)
        finally:
            for at in range(len(pin)):
                pin[at] = 0
            if channel is not None:
                channel.close()

    # --- The face's worker --------------------------------------------------------------------------------------

    def _match_face(self, ticket: int, visit: _Visit, stop: threading.Event) -> Event | None:
        def guided(guidance: Guidance | None) -> None:
            self._events.put(flow.FaceGuided(ticket, guidance.value if guidance else ""))

        def seen(frame: Frame) -> None:
            self._frames.tell(frame.image)

        try:
            photo = self._engine.embed_photo(visit.photo or b"")
            match = FaceMatch(self._engine, self.config.face)
            with self._camera_health.in_use():
                result = match.match(self._camera, photo, seen, guided, stop)
        except PhotoUnusable:
            return flow.FaceFailed(ticket, FailureCode.FACE_PHOTO_UNUSABLE, usable=False)
        except CameraError:
            return flow.FaceFailed(ticket, FailureCode.FACE_CAMERA_LOST, usable=False)
        except EngineLost as error:
            _log.info("face engine: %s", error)
            self._engine.restart()
            return flow.FaceFailed(ticket, FailureCode.FACE_ENGINE_LOST)
        self._is(engine="ok")
        if stop.is_set():
            return None
        _log.info("face: %s %s", result.outcome, result.reason)
        if result.accepted:
            visit.distance = result.distance or 0.0
            return flow.FaceMatched(ticket)
        return flow.FaceFailed(ticket, _FACE_FAILURES.get(result.outcome, FailureCode.FACE_NOT_SEEN))

    def _camera_told(self, fine: bool) -> None:
        self._is(camera="ok" if fine else "down")
        self._events.put(flow.CameraReady() if fine else flow.CameraLost())

    # --- The server's worker ------------------------------------------------------------------------------------

    def _identify(self, ticket: int, visit: _Visit, session: Session) -> Event:
        told = (
            self._told_by_phone(visit.phone, session) if visit.phone else self._told_by_card(visit, session)
        )
        self._is(server="ok")
        visit.notice = _NOTICES.get(told.standing, "")
        failure = _INSURANCE_FAILURES.get(told.status)
        if failure is not None:
            return flow.WorkFailed(ticket, failure)
        visit.limit_category = told.counter.limit_category
        self._show_counter(_counter_view(session.visit, told))
        return flow.Identified(ticket, told.questions)

    def _told_by_card(self, visit: _Visit, session: Session) -> Eligibility:
        card, facts = visit.card, visit.facts
        if card is None or facts is None:
            raise CardIsGone("the card left before its holder was identified")
        challenge = self._server.challenge()
        if session.identity is Method.PIN:
            signature = self._lanes["card"].submit(card.sign, challenge.nonce).result()
            return self._server.identify_by_pin(session.visit, challenge, facts.certificate, signature)
        # The last look at the card: the photo that matched was this card's.
        self._lanes["card"].submit(card.confirm).result()
        return self._server.identify_by_face(session.visit, challenge, facts.certificate, visit.distance)

    def _told_by_phone(self, proof: _PhoneProof, session: Session) -> Eligibility:
        return self._server.identify_by_phone(
            session.visit, proof.challenge, proof.certificate, proof.signature
        )

    def _send(self, ticket: int, visit: _Visit, session: Session) -> Event:
        self._server.send_consents(session.visit, dict(session.answers))
        if self._counter is not None:
            kept = recorded(dict(session.answers), self.config.profile)
            answers = tuple((item.value, answer.value) for item, answer in kept.items())
            declined = kept.get(Item.LIMIT_AMOUNT) is ConsentAnswer.DECLINED
            limit = "" if declined else visit.limit_category
            self._show_counter(replace(self._counter, answers=answers, limit_category=limit))
        return flow.Recorded(ticket)

    def _show_counter(self, view: CounterView | None) -> None:
        self._counter = view
        self._counters.tell(view)

    # --- The readers' watches -------------------------------------------------------------------------------------

    def _watch_reader(self) -> None:
        def lost(error: ReaderError) -> Event:
            self._is(reader="down")
            return flow.ReaderLost(_reader_failure(error))

        def ready() -> Event:
            self._is(reader="ok")
            return flow.ReaderReady()

        self._watch(self._reader, ready, lost, _presence_event)

    def _watch_phone_reader(self, reader: CardReader) -> None:
        def lost(error: ReaderError) -> Event:
            self._is(phone_reader="down")
            return flow.PhoneReaderLost()

        def ready() -> Event:
            self._is(phone_reader="ok")
            return flow.PhoneReaderReady()

        def laid(seen: Presence, already_in: bool) -> Event:
            return flow.PhoneLifted() if seen is Presence.EMPTY else flow.PhoneLaid()

        self._watch(reader, ready, lost, laid)

    def _watch(
        self,
        reader: CardReader,
        ready: Callable[[], Event],
        lost: Callable[[ReaderError], Event],
        changed: Callable[[Presence, bool], Event],
    ) -> None:
        """Tell what comes and goes in a reader, and go on after it was lost, until the terminal stops."""
        known: Presence | None = None
        longest_s = self.config.delays.device_retry_s
        wait_s = shortest_s = min(_FIRST_RETRY_S, longest_s)
        while not self._stopping.is_set():
            try:
                if known is None:
                    # Level before edge: a card that is in already begins a visit.
                    known, wait_s = reader.presence(), shortest_s
                    self._events.put(ready())
                    if known is not Presence.EMPTY:
                        self._events.put(changed(known, True))
                seen = reader.wait_for_change(known, _WATCH_S)
            except ReaderError as error:
                _log.info("reader: %s", error)
                self._events.put(lost(error))
                known = None
                self._stopping.wait(wait_s)
                wait_s = min(wait_s * 2, longest_s)
                continue
            if seen is not known:
                self._events.put(changed(seen, False))
                known = seen


_PHONES = {"android": Method.ANDROID, "ios": Method.IPHONE}
"""By the medium that a card's label tells."""


def _presence_event(seen: Presence, already_in: bool) -> Event:
    match seen:
        case Presence.EMPTY:
            return flow.CardRemoved()
        case Presence.PRESENT:
            return flow.CardInserted(str(uuid.uuid4()), already_in)
        case Presence.MUTE:
            return flow.CardMute(str(uuid.uuid4()))


_FACE_FAILURES = {
    FaceOutcome.REFUSED: FailureCode.FACE_NOT_MATCHED,
    FaceOutcome.FLAT: FailureCode.FACE_PHOTO_SUSPECTED,
    FaceOutcome.CHALLENGE_FAILED: FailureCode.FACE_CHALLENGE_FAILED,
}

_INSURANCE_FAILURES = {
    EligibilityStatus.INVALID: FailureCode.INSURANCE_INVALID,
    EligibilityStatus.SUPERSEDED: FailureCode.INSURANCE_INVALID,
    EligibilityStatus.NOT_FOUND: FailureCode.INSURANCE_NOT_FOUND,
    EligibilityStatus.AMBIGUOUS: FailureCode.INSURANCE_AMBIGUOUS,
}

_NOTICES = {Standing.EXPIRES_SOON: "expires-soon", Standing.GRACE: "grace"}

_REFUSALS = {
    "CERTIFICATE_EXPIRED": FailureCode.CERTIFICATE_EXPIRED,
    "CERTIFICATE_REVOKED": FailureCode.CERTIFICATE_REVOKED,
    "CERTIFICATE_ON_HOLD": FailureCode.CERTIFICATE_UNCONFIRMED,
    "CERTIFICATE_STATUS_UNKNOWN": FailureCode.CERTIFICATE_UNCONFIRMED,
    "TERMINAL_UNKNOWN": FailureCode.TERMINAL_NOT_ENROLLED,
}


def _reader_failure(error: ReaderError) -> FailureCode:
    match error:
        case ServiceDown():
            return FailureCode.READER_SERVICE_DOWN
        case ReaderBusy():
            return FailureCode.READER_BUSY
        case ReaderStalled():
            return FailureCode.CARD_STALLED
        case _:
            return FailureCode.READER_LOST


def _failed(ticket: int, lane: str, error: Exception) -> Event:
    """Turn the error of a piece of work into the event that tells the flow."""
    match error:
        case WrongCard():
            code = FailureCode.CARD_WRONG
        case CardUnreadable() | CardError():
            code = FailureCode.CARD_UNREADABLE
        case ReaderError():
            code = _reader_failure(error)
        case Unreachable():
            code = FailureCode.SERVER_UNREACHABLE
        case TimedOut():
            code = FailureCode.SERVER_TIMED_OUT
        case BadAnswer():
            code = FailureCode.SERVER_BAD_ANSWER
        case Refused():
            code = _REFUSALS.get(error.code, FailureCode.IDENTITY_REFUSED)
        case EligibilityError():
            code = FailureCode.SERVER_BAD_ANSWER
        case _:
            # The kind only: the text of an unforeseen error could hold what must not be in a log.
            _log.error("unforeseen %s in the %s worker", type(error).__name__, lane)
            code = FailureCode.TERMINAL_FAULT
    if lane == "face":
        return flow.FaceFailed(ticket, code, usable=False)
    return flow.WorkFailed(ticket, code)


def _counter_view(visit: str, told: Eligibility) -> CounterView:
    person = told.counter
    return CounterView(
        visit=visit,
        name=person.name,
        name_kana=person.name_kana,
        birth_date=person.birth_date,
        insurer_number=person.insurer_number,
        symbol=person.symbol,
        number=person.number,
        branch=person.branch,
        share=person.share,
        # Shown once the patient has said yes to it.
        limit_category="",
    )
