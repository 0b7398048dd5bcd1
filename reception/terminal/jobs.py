"""The pieces of work that the flow asks for, each in the lane of its device."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

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
from consent.wire import Subsidy, japan_now
from hardware.camera import CameraError, Frame, FrameSource
from hardware.camera.health import CameraHealth
from hardware.card import (
    CardChannel,
    CardError,
    CardFacts,
    CardRemovedError,
    CardRules,
    CardSwapped,
    CardTrouble,
    MatchCodeWrong,
    MyNumberCard,
    PhotoTrust,
    PinBlocked,
    PinFateUnknown,
    PinWrong,
    ReaderError,
    SteadyReader,
)
from hardware.card.photo import PhotoDamaged, decoded
from hardware.face.engine import EngineLost, FaceEngine, PhotoUnusable
from hardware.face.guidance import Guidance
from hardware.face.observation import Embedding
from hardware.face.policy import FaceMatch, FaceOutcome, FaceResult
from hardware.face.presence import presence_of
from reception import flow
from reception.flow import AttributeOutcome, Effect, Event, Method, Session
from reception.flow.failures import FailureCode
from reception.terminal.attributes import AttributeService
from reception.terminal.errors import DISTRUSTED, failed
from reception.terminal.queue_numbers import print_ticket, ticket_text
from reception.terminal.snapshot import CounterView, SubsidyView, VisualView
from reception.terminal.staff import Staff, StaffAnswer, Verdict
from reception.terminal.supervisor import LaneEnded, Supervisor
from reception.terminal.visit import PhoneProof, VisitMemory

_log = logging.getLogger("reception.terminal")

_FRESH_S = 60.0
"""A challenge asked for ahead is used up to this age; the server's lasts 120 s."""

CardFaceScan = Callable[[], str | None]
"""Reads 照合番号B off the card's surface; a stand-in, since the optical scan of real readers is not public.
It returns the 14 digits, or None when nobody can tell them: then the face route is not offered."""


@dataclass(frozen=True)
class Devices:
    """What a terminal works with."""

    reader: SteadyReader
    camera: FrameSource
    engine: FaceEngine
    server: EligibilityClient
    scan: CardFaceScan
    phone_reader: SteadyReader | None
    staff: Staff
    rules: Callable[[], CardRules]
    """What is believed of cards today."""
    attributes: AttributeService | None = None
    """None: the clinic does not take part in 最新4情報."""


class Jobs:
    """Does the work; ``post`` takes what came of it, from any thread."""

    def __init__(
        self,
        config: Config,
        supervisor: Supervisor,
        devices: Devices,
        *,
        post: Callable[[Event], None],
        health: Callable[..., None],
        show_frame: Callable[[Any], None],
        show_colour: Callable[[Any], None],
        show_counter: Callable[[VisitMemory, CounterView], None],
        show_visual: Callable[[int, VisualView], None],
    ) -> None:
        self._config, self._devices = config, devices
        self._post, self._health = post, health
        self._show_colour = show_colour
        self._presence = presence_of(config.face.presence)
        self._show_frame, self._show_counter, self._show_visual = show_frame, show_counter, show_visual
        self._camera_health = CameraHealth(devices.camera, config.delays.device_retry_s, self._camera_told)
        supervisor.loop("camera-health", self._camera_health.watch)
        limit_s = _longest_job_s(config)
        self._lanes = {name: supervisor.lane(name, limit_s) for name in _LANES}

    def let_go(self) -> None:
        """Have what looks after the camera end at once."""
        self._camera_health.stop()

    def stop(self, visit: VisitMemory) -> None:
        """End all work, and power the visit's card off."""
        visit.stop_face.set()
        # The phone's work asks the server's lane, and that one the card's.
        for name in ("phone", "server", "face", "staff", "ticket"):
            self._lanes[name].shutdown()
        self.power_off(visit)
        self._lanes["card"].shutdown()

    def power_off(self, visit: VisitMemory) -> None:
        """Have the visit's card powered off, after what is being done with it."""
        self._lanes["card"].submit(self._power_off, visit)

    def _power_off(self, visit: VisitMemory) -> None:
        if visit.channel is not None:
            visit.channel.close()
        visit.channel = visit.card = visit.facts = visit.photo = None
        visit.birth_date = ""
        embedding, visit.embedding = visit.embedding, None
        if embedding is None:
            return
        embedding.add_done_callback(_wipe)
        # The network still holds the photo's face, if no match has made it forget.
        try:
            self._lanes["face"].submit(self._devices.engine.forget)
        except LaneEnded:  # and so nobody else is at the engine
            self._devices.engine.forget()

    def do(self, effect: Effect, session: Session, visit: VisitMemory, pin: bytearray) -> None:
        """Do one piece of work; ``pin`` is ours and gets wiped."""
        occasion = session.occasion
        match effect:
            case Effect.READ_CARD:
                self._run("card", lambda: self._read_card(occasion, visit), occasion)
            case Effect.VERIFY_PIN:
                self._run("card", lambda: _verify_pin(occasion, visit, pin), occasion)
            case Effect.READ_PHONE:
                self._run("phone", lambda: self._read_phone(occasion, visit, session, pin), occasion)
            case Effect.START_FACE:
                stop = visit.stop_face = threading.Event()
                self._run("face", lambda: self._match_face(occasion, visit, stop), occasion)
            case Effect.IDENTIFY:
                self._run("server", lambda: self._identify(occasion, visit, session), occasion)
            case Effect.ANSWER_CARD_USE:
                self._run("server", lambda: self._answer_card_use(occasion, visit, session), occasion)
            case Effect.SEND_CONSENTS:
                self._run("server", lambda: self._send(occasion, visit, session), occasion)
            case Effect.COUNT_SIGNING_TRIES:
                self._run_offer("card", lambda: _count_signing_tries(occasion, visit), occasion)
            case Effect.SIGN_ATTRIBUTES:
                self._run_offer("server", lambda: self._sign(occasion, visit, session, pin), occasion)
            case Effect.INVITE_PHONE:
                self._run_offer("server", lambda: self._invite(occasion, visit, session), occasion)
            case Effect.DECLINE_ATTRIBUTES:
                self._run_offer("server", lambda: self._decline(visit), occasion)

    def ask_ahead(self, visit: VisitMemory) -> None:
        """Have a challenge asked for that the visit will need, while the patient types or looks into the camera."""
        if visit.challenge is None or time.monotonic() - visit.challenge[0] > _FRESH_S / 2:
            ahead = self._lanes["server"].submit(self._devices.server.challenge)
            visit.challenge = time.monotonic(), ahead

    def _challenge(self, visit: VisitMemory) -> Challenge:
        """Return a challenge that was not used before: the one asked for ahead, else a new one."""
        ahead, visit.challenge = visit.challenge, None
        if ahead is not None and time.monotonic() - ahead[0] < _FRESH_S:
            with suppress(EligibilityError):
                return ahead[1].result()
        return self._devices.server.challenge()

    def _embed_ahead(self, visit: VisitMemory) -> None:
        """Have the photo embedded now, if it was read: the patient has to choose first."""
        photo = visit.photo
        if photo:
            visit.embedding = self._lanes["face"].submit(self._devices.engine.embed_photo, photo)

    def _embedding(self, visit: VisitMemory) -> Embedding:
        """Return the embedding of the photo; raises PhotoUnusable, EngineLost."""
        if visit.embedding is not None:
            with suppress(EngineLost):
                return visit.embedding.result()
        visit.embedding = None
        return self._devices.engine.embed_photo(visit.photo or b"")

    def _run(self, lane: str, job: Callable[[], Event | None], occasion: int) -> None:
        def run() -> None:
            try:
                event = job()
            except CardSwapped:
                # Unlike after a removal, a card is still in and has to be taken.
                event = flow.WorkFailed(occasion, FailureCode.CARD_SWAPPED)
            except CardRemovedError:
                event = flow.CardRemoved(occasion)
            except LaneEnded:
                event = None  # the terminal is being closed: nobody waits for it any more
            except Exception as error:
                if isinstance(error, Unreachable | TimedOut | BadAnswer):
                    # Until the next look at the server finds it well.
                    self._health(server="down")
                event = failed(occasion, lane, error)
            if event is not None:
                self._post(event)

        self._lanes[lane].submit(run)

    def _read_card(self, occasion: int, visit: VisitMemory) -> Event:
        try:
            facts = self._open_card(occasion, visit)
        except CardTrouble as trouble:
            # No PIN was sent: begun anew from power-up, the card may be as good as ever.
            _log.info("card: %s; begun anew", trouble)
            self._close_card(visit)
            facts = self._open_card(occasion, visit)
        if facts.medium != "card":
            return flow.WorkFailed(occasion, FailureCode.PHONE_ON_CARD_READER)
        code, visit.match_code = visit.match_code or self._devices.scan(), None
        failure, sought = None, code is not None
        if code is not None:
            try:
                failure = _read_photo(visit, code)
            except MatchCodeWrong as wrong:
                _log.info("the match code was refused, %d tries left", wrong.tries_left)
        self._embed_ahead(visit)
        has_photo, genuine = visit.photo is not None, failure is None
        why = failure or FailureCode.FACE_PHOTO_UNUSABLE
        return flow.CardRead(occasion, has_photo, facts.pin_tries_left, genuine, sought, why)

    def _open_card(self, occasion: int, visit: VisitMemory) -> CardFacts:
        awaited = flow.CardAwaited(occasion)
        visit.channel = self._devices.reader.connect(lambda: self._post(awaited))
        visit.card = MyNumberCard(visit.channel, self._devices.rules())
        visit.facts = visit.card.read()
        return visit.facts

    @staticmethod
    def _close_card(visit: VisitMemory) -> None:
        if visit.channel is not None:
            visit.channel.close()
        visit.channel = visit.card = visit.facts = None

    def read_photo(self, visit: VisitMemory, name: str, code: str) -> None:
        """Have the photo read with 照合番号B as staff typed it, for the visit of that name."""

        def read() -> Event:
            failure: FailureCode | None
            try:
                failure = _read_photo(visit, code)
            except MatchCodeWrong as wrong:
                return flow.MatchCodeRefused(name, wrong.tries_left)
            except (CardError, ReaderError) as error:
                _log.info("photo: %s", error)
                failure = FailureCode.FACE_PHOTO_UNUSABLE
            self._embed_ahead(visit)
            why = failure or FailureCode.FACE_PHOTO_UNUSABLE
            return flow.PhotoRead(name, visit.photo is not None, failure is None, why)

        self._lanes["card"].submit(lambda: self._post(read()))

    # --- The visual check ---------------------------------------------------------------------------------------

    def start_visual(
        self, visit: str, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]
    ) -> None:
        """Have a password verified, and the visual check of this visit begun if it is right; wipes the password."""

        def verified(answer: StaffAnswer) -> None:
            if answer.verdict is Verdict.RIGHT:
                self._post(flow.StaffStartVisual(staff, visit))
            told(answer)

        self.verify_staff(staff, password, verified)

    def verify_staff(self, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]) -> None:
        """Have a password verified; wipes it."""

        def verify() -> None:
            answer = self._devices.staff.verify(staff, password)
            if answer.verdict is not Verdict.RIGHT:
                _log.info("a staff password was answered with %s", answer.verdict)
            told(answer)

        self._lanes["staff"].submit(verify)

    def show_photo(self, occasion: int, visit_id: str, visit: VisitMemory) -> None:
        """Show staff the photo of the visit's card, after what is being done with the card."""

        def show() -> None:
            try:
                picture = decoded(visit.photo or b"")
            except PhotoDamaged as damaged:
                _log.info("the photo for staff %s", damaged)
                picture = None
            self._show_visual(occasion, VisualView(visit_id, picture))

        self._lanes["card"].submit(show)

    # --- The phone's worker -------------------------------------------------------------------------------------

    def _read_phone(self, occasion: int, visit: VisitMemory, session: Session, pin: bytearray) -> Event:
        """Read a phone in one go: it is held there by hand, for a second or two."""
        assert self._devices.phone_reader is not None
        pin_sent = False
        channel: CardChannel | None = None
        try:
            challenge = self._lanes["server"].submit(self._challenge, visit).result()
            channel = self._devices.phone_reader.connect()
            phone = MyNumberCard(channel, self._devices.rules())
            facts = phone.read()
            if facts.medium == "card":
                return flow.PhoneFailed(occasion, FailureCode.CARD_ON_PHONE_READER)
            if _PHONES[facts.medium] is not session.visit.phone:
                return flow.PhoneFailed(occasion, FailureCode.PHONE_WRONG_KIND)
            certificate = facts.certificate
            if facts.medium == "android":
                if facts.pin_tries_left == 1 and not session.visit.last_try_accepted:
                    return flow.PhoneLastTry(occasion)
                pin_sent = True
                phone.verify_pin(pin)
                certificate = phone.read_certificate()
            visit.phone = PhoneProof(certificate, challenge, phone.sign(challenge.nonce))
            return flow.PhoneRead(occasion)
        except PinWrong as wrong:
            return flow.PinMissed(occasion, wrong.tries_left)
        except PinBlocked:
            return flow.PinMissed(occasion, 0)
        except CardRemovedError:
            moved = FailureCode.PHONE_MOVED_AFTER_PIN if pin_sent else FailureCode.PHONE_MOVED
            return flow.PhoneFailed(occasion, moved, pin_sent)
        except (CardError, ReaderError) as error:
            _log.info("phone: %s", error)
            return flow.PhoneFailed(occasion, FailureCode.PHONE_UNREADABLE, pin_sent)
        finally:
            for at in range(len(pin)):
                pin[at] = 0
            if channel is not None:
                channel.close()

    # --- The face's worker --------------------------------------------------------------------------------------

    def _match_face(self, occasion: int, visit: VisitMemory, stop: threading.Event) -> Event | None:
        def guided(guidance: Guidance | None) -> None:
            self._post(flow.FaceGuided(occasion, guidance.value if guidance else ""))

        def seen(frame: Frame) -> None:
            self._show_frame(frame.image)

        def decided(result: FaceResult) -> None:
            if result.accepted and not stop.is_set():
                _log.info("face: %s", result.outcome)
                visit.distance = result.distance or 0.0
                # Now, and not when the camera has been let go.
                self._post(flow.FaceMatched(occasion))

        try:
            photo = self._embedding(visit)
            match = FaceMatch(self._devices.engine, self._config.face, presence=self._presence)
            with self._camera_health.in_use():
                result = match.match(
                    self._devices.camera, photo, seen, guided, stop, decided, self._show_colour
                )
        except PhotoUnusable:
            return flow.FaceFailed(occasion, FailureCode.FACE_PHOTO_UNUSABLE, usable=False)
        except CameraError:
            return flow.FaceFailed(occasion, FailureCode.FACE_CAMERA_LOST, usable=False)
        except EngineLost as error:
            _log.info("face engine: %s", error)
            self._devices.engine.revive()
            return flow.FaceFailed(occasion, FailureCode.FACE_ENGINE_LOST)
        if stop.is_set() or result.accepted:
            return None
        _log.info("face: %s %s", result.outcome, result.reason)
        return flow.FaceFailed(occasion, _FACE_FAILURES.get(result.outcome, FailureCode.FACE_NOT_SEEN))

    def _camera_told(self, fault: str) -> None:
        self._health(camera="down" if fault else "ok", camera_fault=fault)
        self._post(flow.CameraLost() if fault else flow.CameraReady())

    # --- The server's worker ------------------------------------------------------------------------------------

    def _identify(self, occasion: int, visit: VisitMemory, session: Session) -> Event:
        try:
            told = (
                self._told_by_phone(visit.phone, session)
                if visit.phone
                else self._told_by_card(visit, session)
            )
        except Refused as refusal:
            # A phone's certificate ends by itself; its card may still be good.
            code = _PHONE_REFUSALS.get(refusal.code) if visit.phone else None
            if code is None:
                raise
            return flow.WorkFailed(occasion, code)
        return self._told(occasion, visit, session, told)

    def _answer_card_use(self, occasion: int, visit: VisitMemory, session: Session) -> Event:
        assert session.visit.card_use is not None
        told = self._devices.server.answer_card_use(session.visit.id, session.visit.card_use)
        if session.visit.card_use is ConsentAnswer.DECLINED:
            return flow.WorkFailed(occasion, FailureCode.CARD_USE_DECLINED)
        return self._told(occasion, visit, session, told)

    def _told(self, occasion: int, visit: VisitMemory, session: Session, told: Eligibility) -> Event:
        self._health(server="ok")
        visit.notice = _NOTICES.get(told.standing, "")
        visit.subsidies = told.subsidies
        failure = _INSURANCE_FAILURES.get(told.status)
        # Staff must know whom to help, all the more when the visit cannot go on.
        self._tell_counter(visit, _counter_view(session.visit.id, told))
        if failure is not None and not told.card_use_offered:
            return flow.WorkFailed(occasion, failure)
        return flow.Identified(
            occasion,
            told.asked,
            bundled=told.bundled,
            prescription_offered=told.prescription_offered,
            card_use_offered=told.card_use_offered,
        )

    def _told_by_card(self, visit: VisitMemory, session: Session) -> Eligibility:
        card, facts = visit.card, visit.facts
        if card is None or facts is None:
            raise CardRemovedError("the card left before its holder was identified")
        challenge = self._challenge(visit)
        if session.visit.identity is Method.PIN:
            signature = self._lanes["card"].submit(card.sign, challenge.nonce).result()
            return self._devices.server.identify_by_pin(
                session.visit.id, challenge, facts.certificate, signature, facts.card_expires
            )
        # The last look at the card: the photo that was compared was this card's.
        self._lanes["card"].submit(card.confirm).result()
        if session.visit.identity is Method.VISUAL:
            return self._devices.server.identify_by_sight(
                session.visit.id,
                challenge,
                facts.certificate,
                session.visit.staff,
                session.visit.visual_reason,
                facts.card_expires,
                visit.birth_date,
            )
        return self._devices.server.identify_by_face(
            session.visit.id,
            challenge,
            facts.certificate,
            visit.distance,
            facts.card_expires,
            visit.birth_date,
        )

    def _told_by_phone(self, proof: PhoneProof, session: Session) -> Eligibility:
        """Identify by what the phone signed; raises EligibilityError."""
        return self._devices.server.identify_by_phone(
            session.visit.id, proof.challenge, proof.certificate, proof.signature
        )

    def _send(self, occasion: int, visit: VisitMemory, session: Session) -> Event:
        given = session.visit.answers
        information: dict[Item, ConsentAnswer] = {
            item: answer for item, answer in given if item is not Item.MEDICAL_SUBSIDY
        }
        uses = [answer for item, answer in given if item is Item.MEDICAL_SUBSIDY]
        subsidies = {offer.id: answer for offer, answer in zip(visit.subsidies, uses, strict=True)}
        receipt = self._devices.server.send_consents(
            session.visit.id, information, session.visit.prescription, subsidies
        )
        if visit.counter is not None:
            kept = recorded(information, self._config.profile, uses)
            answers = tuple((item.value, answer.value) for item, answer in kept.items())
            view = replace(visit.counter, answers=answers, limit_category=receipt.limit_category)
            self._tell_counter(visit, replace(view, subsidies=tuple(map(_subsidy_view, receipt.subsidies))))
        return flow.Recorded(occasion, self._attributes_for(visit))

    # --- The offer after the check-in ---------------------------------------------------------------------------

    def _attributes_for(self, visit: VisitMemory) -> tuple[str, ...]:
        service = self._devices.attributes
        return service.items_for(_certificate_of(visit)) if service else ()

    def _sign(self, occasion: int, visit: VisitMemory, session: Session, password: bytearray) -> Event:
        """Have the card sign, and hand the consent in; the password is ours and gets wiped."""
        service, card = self._devices.attributes, visit.card
        assert service is not None
        try:
            if card is None:
                raise CardRemovedError("the card left before it signed")

            def sign(statement: bytes) -> tuple[bytes, bytes]:
                return self._lanes["card"].submit(card.sign_as_holder, password, statement).result()

            items = session.visit.attributes.given
            outcome = service.sign_up(session.visit.id, _certificate_of(visit), items, sign)
            return flow.AttributesDone(occasion, outcome)
        except PinWrong as wrong:
            return flow.SigningMissed(occasion, wrong.tries_left)
        except PinBlocked:
            return flow.SigningMissed(occasion, 0)
        finally:
            password[:] = bytes(len(password))

    def _invite(self, occasion: int, visit: VisitMemory, session: Session) -> Event:
        service = self._devices.attributes
        assert service is not None
        url = service.invite(session.visit.id, _certificate_of(visit), session.visit.attributes.given)
        if url:
            return flow.PhoneInvited(occasion, url)
        return flow.AttributesDone(occasion, AttributeOutcome.NOT_RECORDED)

    def _decline(self, visit: VisitMemory) -> None:
        if self._devices.attributes and (certificate := _certificate_of(visit)):
            self._devices.attributes.declined(certificate)

    def _run_offer(self, lane: str, job: Callable[[], Event | None], occasion: int) -> None:
        """Do a piece of work for a visit that is complete: whatever goes wrong, nothing was recorded."""

        def run() -> None:
            try:
                event = job()
            except CardSwapped:
                event = flow.AttributesDone(occasion, AttributeOutcome.NOT_RECORDED)
            except CardRemovedError:
                event = flow.CardRemoved(occasion)
            except Exception as error:
                _log.info("attributes: %s in the %s worker", type(error).__name__, lane)
                event = flow.AttributesDone(occasion, AttributeOutcome.NOT_RECORDED)
            if event is not None:
                self._post(event)

        self._lanes[lane].submit(run)

    def print_ticket(self, label: str) -> None:
        """Have the queue number printed, beside everything else."""
        settings = self._config.ticket
        text = ticket_text(label, settings.wait_at, japan_now())

        def run() -> None:
            if not print_ticket(settings.print_command, text):
                _log.error("the ticket printer failed: %s", settings.print_command[0])

        self._lanes["ticket"].submit(run)

    def _tell_counter(self, visit: VisitMemory, view: CounterView) -> None:
        visit.counter = view
        self._show_counter(visit, view)


def _read_photo(visit: VisitMemory, code: str) -> FailureCode | None:
    """Read the photo and the card's end; return why the photo is not used. Raises MatchCodeWrong.

    A card whose face application cannot be read is as good as any for a PIN.
    """
    if visit.card is None or visit.facts is None:
        raise CardRemovedError("the card left before its photo was read")
    try:
        face, trust = visit.card.read_face(code)
    except (CardRemovedError, MatchCodeWrong):
        raise
    except CardError as error:
        _log.info("the card's face application: %s", error)
        return FailureCode.FACE_PHOTO_UNUSABLE
    visit.facts = replace(visit.facts, card_expires=face.expires)
    if trust is not PhotoTrust.GENUINE:
        _log.info("the card's photo: %s", trust)
        return DISTRUSTED[trust]
    visit.photo, visit.birth_date = face.photo_jp2, face.birth_date
    return None


def _verify_pin(occasion: int, visit: VisitMemory, pin: bytearray) -> Event:
    try:
        if visit.card is None:
            raise CardRemovedError("the card left before its PIN was sent")
        visit.card.verify_pin(pin)
    except PinWrong as wrong:
        return flow.PinMissed(occasion, wrong.tries_left)
    except PinBlocked:
        return flow.PinMissed(occasion, 0)
    except PinFateUnknown as unknown:
        return flow.PinMissed(occasion, unknown.tries_left, FailureCode.PIN_ANSWER_LOST)
    finally:
        for at in range(len(pin)):
            pin[at] = 0
    return flow.PinVerified(occasion)


def _count_signing_tries(occasion: int, visit: VisitMemory) -> Event:
    if visit.card is None:
        raise CardRemovedError("the card left before its tries were counted")
    return flow.SigningTries(occasion, visit.card.signing_tries_left())


def _certificate_of(visit: VisitMemory) -> bytes:
    """Return the user-authentication certificate (DER) that this visit was made with."""
    if visit.phone is not None:
        return visit.phone.certificate
    return visit.facts.certificate if visit.facts is not None else b""


def _wipe(embedded: "Future[Embedding]") -> None:
    if not embedded.cancelled() and embedded.exception() is None:
        embedded.result().fill(0)


def _longest_job_s(config: Config) -> float:
    """Return the time that no job takes: each wait for a device, the server or a face has its own end."""
    face, server = config.face, config.server
    return 60.0 + face.time_limit_s + face.challenge * face.challenge_step_s + 3 * server.budget_s


_LANES = ("card", "phone", "face", "server", "staff", "ticket")
"""One thread each."""

_PHONES = {"android": Method.ANDROID, "ios": Method.IPHONE}
"""By the medium that a card's label tells."""


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

_PHONE_REFUSALS = {
    "CERTIFICATE_REVOKED": FailureCode.PHONE_CERTIFICATE_REVOKED,
    "CERTIFICATE_ON_HOLD": FailureCode.PHONE_CERTIFICATE_ON_HOLD,
}

_NOTICES = {Standing.EXPIRES_SOON: "expires-soon", Standing.GRACE: "grace"}


def _subsidy_view(one: Subsidy) -> SubsidyView:
    return SubsidyView(
        one.scheme,
        one.payer_number,
        one.beneficiary_number,
        one.valid_until.isoformat(),
        one.self_pay_yen,
        one.self_pay,
    )


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
        status=told.status.value,
        standing=told.standing.value,
        reference_number=person.reference_number,
        conflicts=tuple(conflict.value for conflict in told.conflicts),
    )
