"""A real reader with its one card, for the length of a run: who works at it, its secrets, its first failure."""

from collections.abc import Callable
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from config import Camera
from config.person import Person
from hardware.camera import CameraError, check_camera, open_camera
from hardware.card import (
    CardError,
    CardReader,
    MatchCodeWrong,
    MyNumberCard,
    PinBlocked,
    PinWrong,
    Presence,
    ReaderError,
)
from reception.testing.testbench.console import Console, TerminalConsole, wipe
from reception.testing.testbench.file import BenchPlan
from reception.testing.testbench.one_card import TRIES_KEPT, OneCard
from reception.testing.testbench.operators import UNDONE_BY, Commands, Hand, Operator, Prompted
from reception.testing.testbench.trouble import BenchTrouble

FULL_TRIES = 3
SEEN_WITHIN_S = 5.0
"""How long a reader may take to notice what was done at it."""
_LOOK_S = 0.05

OpenReader = Callable[[str], CardReader]


class RealBench:
    """The devices of a bench file between ``with`` and its end; one run, any number of scenarios.

    ``trouble`` is the first failure of a device or its operator, in one line; after it nothing is done any more.
    ``waited_s`` counts the time that the operator took, which is not the terminal's.
    """

    def __init__(
        self,
        plan: BenchPlan,
        *,
        allow_pin_miss: bool = False,
        console: Console | None = None,
        open_reader: OpenReader | None = None,
    ) -> None:
        assert plan.file.card
        self.plan = plan
        self.allow_pin_miss = allow_pin_miss
        self.trouble = ""
        self.waited_s = 0.0
        self._console = console or TerminalConsole()
        self._operator = _operator_of(plan, self._console)
        self._undo: list[Hand] = []
        self._pin, self._code = bytearray(), bytearray()
        open_reader = open_reader or _pcsc_reader
        # Two of each: the terminal waits on its own, and one reader object serves one waiting thread.
        self._look = open_reader(plan.file.reader.name)
        self._raw = open_reader(plan.file.reader.name)
        self.reader: CardReader = self._only(self._raw, plan.file.card.certificate_sha256)
        phone = plan.file.phone_reader
        self.phone_reader = self._only(open_reader(phone.name), phone.certificate_sha256) if phone else None

    def __enter__(self) -> Self:
        """Look that the reader is there. Raises BenchTrouble."""
        self._presence()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _forget(self._pin)
        _forget(self._code)

    @property
    def can(self) -> frozenset[Hand]:
        """Return what the operator can do on this bench."""
        phone = frozenset[Hand](("tap_phone", "lift_phone"))
        return self._operator.can if self.phone_reader else self._operator.can - phone

    # --- Hands --------------------------------------------------------------------------------------------------

    def do(self, hand: Hand, person: Person | None = None, seconds: float = 0.0) -> None:
        """Have the operator do it, and make sure that a card was seen to go in or out. Raises BenchTrouble."""
        self.check()
        began = monotonic()
        try:
            self._operator.do(hand, person, seconds)
            self._note(hand)
            self._await(hand)
        except BenchTrouble as trouble:
            raise self._troubled(str(trouble)) from None
        finally:
            self.waited_s += monotonic() - began

    def restore(self) -> None:
        """Undo what is still to be undone, and have the card taken out. Raises BenchTrouble."""
        while self._undo:
            self.do(self._undo[-1])
        if self._presence() is not Presence.EMPTY:
            self.do("remove_card")

    def check(self) -> None:
        """Raise BenchTrouble once there was a trouble."""
        if self.trouble:
            raise BenchTrouble(self.trouble)

    def _note(self, hand: Hand) -> None:
        if hand in UNDONE_BY:
            self._undo.append(UNDONE_BY[hand])
        else:
            self._undo = [undo for undo in self._undo if undo != hand]

    def _await(self, hand: Hand) -> None:
        """Wait until the reader notices; polled, since the terminal's thread is the one that may wait for it."""
        wanted: tuple[Presence, ...]
        match hand:
            case "insert_card":
                wanted, missed = (
                    (Presence.PRESENT, Presence.MUTE),
                    "the card was to be put in, and the reader sees none",
                )
            case "remove_card":
                wanted, missed = (
                    (Presence.EMPTY,),
                    "the card was to be taken out, and the reader does not say so",
                )
            case "plug_reader" | "start_reader_service":
                wanted, missed = tuple(Presence), "the reader did not come back"
            case _:
                return
        if "plug_reader" in self._undo or "start_reader_service" in self._undo:
            # It sees nothing before that.
            return
        error: ReaderError | None = None
        deadline = monotonic() + SEEN_WITHIN_S
        while monotonic() < deadline:
            try:
                if self._look.presence() in wanted:
                    return
                error = None
            except ReaderError as lost:
                error = lost
            sleep(_LOOK_S)
        why = f": {error}" if error else ""
        raise BenchTrouble(f"{missed} (waited {SEEN_WITHIN_S:g} s for {self._look.name}{why})")

    def _presence(self) -> Presence:
        try:
            return self._look.presence()
        except ReaderError as error:
            raise self._troubled(f"reader: {error}") from None

    def _troubled(self, line: str) -> BenchTrouble:
        self._stop(line)
        return BenchTrouble(self.trouble)

    def _stop(self, line: str) -> None:
        self.trouble = self.trouble or line

    # --- The card -----------------------------------------------------------------------------------------------

    def prepare(self, *, pin: bool, face: bool) -> None:
        """Make sure of the card and ask for its secrets once, before the first visit. Raises BenchTrouble.

        A PIN or code that was mistyped here ends the run, so that it costs one try and never a second.
        """
        self.restore()
        if face and self.plan.file.camera.real is not None:
            self._check_camera(self.plan.file.camera.real)
        self.do("insert_card")
        try:
            channel = self.reader.connect()
            try:
                card = MyNumberCard(channel)
                card.read()
                if pin and not self._pin:
                    self._learn_pin(card)
                if face and not self._code:
                    self._learn_code(card)
            finally:
                channel.close()
        except (CardError, ReaderError) as error:
            self.check()
            raise self._troubled(f"the card cannot be used: {error}") from None
        self.do("remove_card")

    def pin(self) -> bytearray:
        """Return a copy of the card's PIN, in ASCII; the caller wipes it."""
        return bytearray(self._pin)

    def match_code_b(self) -> str | None:
        """Return the 照合番号B that staff entered, or None: then the face route is not offered."""
        return self._code.decode("ascii") or None

    def tries_left(self) -> int | None:
        """Ask the card for its PIN tries, and give it back those that a scenario spent. Raises BenchTrouble.

        The terminal must be off. The right PIN resets the counter; it is not sent when few tries are left.
        """
        if self._presence() is Presence.EMPTY:
            self.do("insert_card")
        try:
            channel = self.reader.connect()
            try:
                card = MyNumberCard(channel)
                card.read()
                tries = card.pin_tries_left()
                if self._pin and tries is not None and TRIES_KEPT <= tries < FULL_TRIES:
                    card.verify_pin(self._pin)
            finally:
                channel.close()
        except (CardError, ReaderError) as error:
            self.check()
            raise self._troubled(f"the PIN tries cannot be asked: {error}") from None
        return tries

    def _only(self, reader: CardReader, certificate_sha256: str) -> OneCard:
        return OneCard(reader, certificate_sha256, self._secrets, self._stop, allow_miss=self.allow_pin_miss)

    def _secrets(self) -> list[bytearray]:
        return [secret for secret in (self._pin, self._code) if secret]

    def _check_camera(self, settings: Camera) -> None:
        camera = open_camera(settings)
        try:
            check_camera(camera)
        except CameraError as error:
            raise self._troubled(f"camera: {error}") from None
        finally:
            camera.close()

    def _learn_pin(self, card: MyNumberCard) -> None:
        tries = card.pin_tries_left()
        if tries is None:
            raise self._troubled("this card has no PIN, and a scenario types it")
        needed = TRIES_KEPT if self.allow_pin_miss else FULL_TRIES
        if tries < needed:
            hint = "" if self.allow_pin_miss or tries < TRIES_KEPT else "; --allow-pin-miss goes on with 2"
            raise self._troubled(f"the card has {tries} PIN tries left, and {needed} are needed{hint}")
        pin = self._console.secret(f"暗証番号 / PIN of the card, 4 digits ({tries} tries left)")
        if len(pin) != 4 or not pin.isdigit():
            wipe(pin)
            raise self._troubled("a PIN has 4 digits; nothing was sent to the card")
        self._pin[:] = pin
        wipe(pin)
        try:
            card.verify_pin(self._pin)
        except (PinWrong, PinBlocked) as error:
            _forget(self._pin)
            raise self._troubled(f"the card refused the PIN: {error}") from None

    def _learn_code(self, card: MyNumberCard) -> None:
        code = self._console.secret("照合番号B / match code B, 14 digits (empty: no face route)")
        if not code:
            return
        if len(code) != 14 or not code.isdigit():
            wipe(code)
            raise self._troubled("照合番号B has 14 digits; nothing was sent to the card")
        self._code[:] = code
        wipe(code)
        try:
            card.read_face(self._code.decode("ascii"))
        except MatchCodeWrong as error:
            _forget(self._code)
            raise self._troubled(f"the card refused 照合番号B: {error}") from None


def _forget(secret: bytearray) -> None:
    wipe(secret)
    del secret[:]


def _operator_of(plan: BenchPlan, console: Console) -> Operator:
    operator = plan.file.operator
    if operator.kind == "command":
        return Commands(operator.commands, plan.path.parent, operator.limit_s)
    return Prompted(console)


def _pcsc_reader(name: str) -> CardReader:
    from hardware.card.pcsc import PcscReader

    return PcscReader(name)
