"""Real card readers over PC/SC. The only module that imports pyscard.

It uses pyscard's thin layer of C calls: its monitor threads die for good with the service, and its connection
objects complain on stderr when the service is gone. Every context lives in one thread and is released by it; pcscd
allows 200 of them in all.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, NoReturn, TypeVar

from smartcard import scard

from hardware.card import (
    STALL_LIMIT_S,
    CardChannel,
    CardError,
    CardRemovedError,
    CardReset,
    CardTrouble,
    CardUnreadable,
    ExchangeLost,
    NoReader,
    Presence,
    ReaderBusy,
    ReaderError,
    ReaderStalled,
    ServiceDown,
)
from hardware.card.my_number_card import JPKI
from hardware.card.reader_names import matching

T = TypeVar("T")

_OK = 0
_CANCELLED = 0x80100002
_TIMEOUT = 0x8010000A
_NO_READERS = 0x8010002E

_ERRORS: dict[int, tuple[type[CardError | ReaderError], str]] = {
    0x8010000C: (CardRemovedError, "no card is in the reader"),
    0x80100010: (CardUnreadable, "the reader is not ready"),
    0x80100016: (CardUnreadable, "the card does not answer"),
    0x8010002F: (CardUnreadable, "the card does not answer"),
    0x80100068: (CardReset, "the card was reset by somebody else"),
    0x80100069: (CardRemovedError, "the card was removed"),
    0x8010000F: (CardUnreadable, "the card speaks no known protocol"),
    0x80100065: (CardUnreadable, "the card is of an unsupported kind"),
    0x80100066: (CardUnreadable, "the card does not answer"),
    0x80100067: (CardUnreadable, "the card has no power"),
    0x8010000B: (ReaderBusy, "another program holds the reader"),
    0x80100009: (NoReader, "the reader is not attached"),
    0x80100017: (NoReader, "the reader failed"),
    0x8010002E: (NoReader, "no reader is attached"),
    0x80100003: (ServiceDown, "the smart card service was restarted"),
    0x80100013: (ServiceDown, "the smart card service stopped"),
    0x8010001D: (ServiceDown, "the smart card service does not run"),
    0x8010001E: (ServiceDown, "the smart card service stopped"),
    0x8010006A: (ServiceDown, "the smart card service accepts no connection"),
}

_LOST_EXCHANGES = (0x80100016, 0x8010002F, 0x80100066, 0x80100067)
"""What SCardTransmit says when no answer came; the card may still be in."""

_WAIT_STEP_S = 1.0
"""A wait is renewed this often, because a cancel that falls between two waits is lost."""
_NOTICED_S = 0.8
"""How long a service may need to notice that a card has left; pcscd looks at some readers every 0.4 s only."""
_CLOSE_LIMIT_S = 2.0
_ANSWER_LIMIT_S = 3.0
"""Longest time that the service may take for an answer beyond what it was asked to wait; the C calls have no limit."""

_PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1

_log = logging.getLogger("reception.pcsc")


class PcscReader:
    """All PC/SC readers that a pattern means, as one CardReader: a My Number card in any of them counts.

    Of several, the one with such a card is taken, and stays taken until its card is out, so that two visits never
    run at once. A token or SAM that was in a reader from the start is told once in the log and passed over; another
    card that somebody puts in counts, so that the patient is told. With one reader nothing is passed over.

    What it knows of readers it drops with every error, so a service that was restarted, or a reader plugged in anew,
    just works. One thread at a time may wait; the rest may be called from any thread.
    """

    def __init__(
        self, name_pattern: str = "*", stall_limit_s: float = STALL_LIMIT_S, *, besides: str = ""
    ) -> None:
        """``besides``: pattern of readers that have another use, and are none of these."""
        self._pattern, self._besides = name_pattern, besides
        self._stall_limit_s = stall_limit_s
        self._name = name_pattern
        self._woken = threading.Condition()
        self._waiting: Any = None
        self._session: _PcscChannel | None = None
        """The newest card session; while its thread hangs in a call, the reader cannot be used."""
        self._cancelled = False
        self._frozen: threading.Thread | None = None
        """A look at the reader that the service never answered."""
        self._readers = _Readers()
        self._reported: tuple[str, int] | None = None
        """Which reader's card was told of last, by PC/SC's count of its insertions and removals."""

    @property
    def name(self) -> str:
        """Return the full name of the reader whose card counts; the pattern until one was found."""
        return self._name

    def presence(self) -> Presence:
        self._refuse_if_hung()
        return self._within(_ANSWER_LIMIT_S, self._look)

    def wait_for_change(self, known: Presence, timeout_s: float) -> Presence:
        self._refuse_if_hung()
        return self._within(timeout_s + _ANSWER_LIMIT_S, lambda: self._wait(known, timeout_s))

    def _look(self) -> Presence:
        with _context() as context, self._forgetting():
            states = _next_states(
                context, dict.fromkeys(self._names(context), scard.SCARD_STATE_UNAWARE), 0.0
            )
            now, self._reported = self._chosen(context, states)
            return now

    def _wait(self, known: Presence, timeout_s: float) -> Presence:
        deadline = time.monotonic() + timeout_s
        with _context() as context, self._as_waiting(context), self._forgetting():
            states = dict.fromkeys(self._names(context), scard.SCARD_STATE_UNAWARE)
            step_s = 0.0
            while True:
                # The first look is at the level, so that a card that is in already is no surprise.
                states = _next_states(context, states, step_s)
                now, which = self._chosen(context, states)
                swapped = self._reported not in (None, which) and known != Presence.EMPTY
                self._reported = which
                if now != known:
                    return now
                if swapped:
                    # In again before anyone looked: say that it was out; the next wait says that it is in.
                    return Presence.EMPTY
                step_s = min(_WAIT_STEP_S, deadline - time.monotonic())
                if self._cancelled or step_s <= 0:
                    return known

    def _chosen(self, context: Any, states: dict[str, int]) -> tuple[Presence, tuple[str, int]]:
        chosen = self._readers.choose(states, lambda name: _holds_my_number_card(context, name))
        self._name = chosen[1][0]
        return chosen

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """Drop what is known of readers when they, or their service, fail."""
        try:
            yield
        except ReaderError:
            self._readers, self._reported = _Readers(), None
            raise

    def connect(self) -> CardChannel:
        self._refuse_if_hung()
        self._session = _PcscChannel(self._find, self._stall_limit_s)
        self._session.open()
        return self._session

    def cancel(self) -> None:
        self._cancelled = True
        with suppress(ServiceDown):
            self._within(_ANSWER_LIMIT_S, self._cancel)

    def _cancel(self) -> None:
        with self._woken:
            # A cancel sent between two waits is lost: repeat it until the waiting thread has gone.
            for _ in range(100):
                if self._waiting is None:
                    break
                scard.SCardCancel(self._waiting)
                self._woken.wait(0.02)

    def close(self) -> None:
        self.cancel()

    def _within(self, limit_s: float, job: Callable[[], T]) -> T:
        """Have it done by a thread that can be left behind: a frozen service answers no call, and none has a limit."""
        if self._frozen is not None and self._frozen.is_alive():
            raise ServiceDown("the smart card service has not answered for long")
        future: Future[T] = Future()
        look = threading.Thread(target=_fulfil, args=(job, future), name="reader look", daemon=True)
        look.start()
        try:
            return future.result(limit_s)
        except TimeoutError:
            self._frozen = look
            raise ServiceDown(f"the smart card service did not answer within {limit_s:g} s") from None

    def _refuse_if_hung(self) -> None:
        if self._session and self._session.hung:
            raise ReaderStalled("the reader has not answered for long")

    def _names(self, context: Any) -> list[str]:
        status, names = scard.SCardListReaders(context, [])
        _check(status)
        if found := matching(self._pattern, names, self._besides):
            return found
        raise NoReader(f"no reader is named {self._pattern}; attached: {', '.join(names)}")

    def _find(self, context: Any) -> str:
        """Return the reader whose card counts."""
        names = self._names(context)
        if len(names) > 1 and self._name not in names:
            states = _next_states(context, dict.fromkeys(names, scard.SCARD_STATE_UNAWARE), 0.0)
            self._chosen(context, states)
        elif self._name not in names:
            self._name = names[0]
        return self._name

    @contextmanager
    def _as_waiting(self, context: Any) -> Iterator[None]:
        with self._woken:
            self._waiting = context
        try:
            yield
        finally:
            with self._woken:
                self._waiting, self._cancelled = None, False
                self._woken.notify_all()


def reader_names() -> list[str]:
    """Return the names of all attached readers. Raises ServiceDown."""
    with _context() as context:
        status, names = scard.SCardListReaders(context, [])
        if _unsigned(status) == _NO_READERS:
            return []
        _check(status)
        return [str(name) for name in names]


@dataclass
class _Readers:
    """What is known of the readers that a pattern means, and which of them counts now."""

    residents: set[tuple[str, int]] = field(default_factory=set)
    """Cards that were in when their reader was first seen, and are no My Number cards: tokens, SAMs."""
    seen: set[str] = field(default_factory=set)
    judged: dict[tuple[str, int], bool] = field(default_factory=dict)
    taken: tuple[str, int] | None = None
    """The reader that counts until its card is out, with PC/SC's count of its moves."""

    def choose(
        self, states: dict[str, int], is_my_number: Callable[[str], bool | None]
    ) -> tuple[Presence, tuple[str, int]]:
        """Return what is in the reader that counts, and which card of which reader that is.

        ``is_my_number`` looks at the card in a reader; None: it could not, for now. Raises NoReader when all have
        failed, or the one that counts has.
        """
        usable = {name: _presence_of(flags) for name, flags in states.items() if not _has_failed(flags)}
        if not usable or (self.taken is not None and self.taken[0] not in usable):
            raise NoReader("the reader failed or was taken away")
        cards: dict[tuple[str, int], Presence] = {
            (name, moves): seen for name, (seen, moves) in usable.items() if seen is not Presence.EMPTY
        }
        if len(states) == 1:
            self.taken = next(iter(cards), None)
        elif self.taken not in cards or not self.judged.get(self.taken):
            # What is no My Number card counts as long as there is none.
            self.taken = self._pick(cards, is_my_number)
        self.seen |= set(usable)
        if self.taken is not None:
            return cards[self.taken], self.taken
        first = next(iter(usable))
        return Presence.EMPTY, (first, usable[first][1])

    def _pick(
        self, cards: dict[tuple[str, int], Presence], is_my_number: Callable[[str], bool | None]
    ) -> tuple[str, int] | None:
        put_in = []
        for card in cards.keys() - self.residents:
            verdict = self._verdict(card, cards[card], is_my_number)
            if verdict:
                return card
            if card[0] in self.seen:
                put_in.append(card)
            elif verdict is False:
                self.residents.add(card)
                _log.info("%s holds what is no My Number card, and is passed over until it is out", card[0])
        return self.taken if self.taken in put_in else put_in[-1] if put_in else None

    def _verdict(
        self, card: tuple[str, int], presence: Presence, is_my_number: Callable[[str], bool | None]
    ) -> bool | None:
        if presence is Presence.MUTE:
            return False
        if self.judged.get(card) is None and card != self.taken:
            verdict = is_my_number(card[0])
            if verdict is not None:
                self.judged[card] = verdict
        return self.judged.get(card)


def _holds_my_number_card(context: Any, name: str) -> bool | None:
    """Look for the JPKI application; None when the card cannot be asked now."""
    status, card, protocol = scard.SCardConnect(context, name, scard.SCARD_SHARE_EXCLUSIVE, _PROTOCOLS)
    if status != _OK:
        return None
    answer: list[int] = []
    try:
        for _ in range(2):
            status, answer = scard.SCardTransmit(card, protocol, [0x00, 0xA4, 0x04, 0x0C, len(JPKI), *JPKI])
            if status != _OK or not answer:
                return None
            # Right after power-up some cards answer 6F00 once.
            if answer[-2:] != [0x6F, 0x00]:
                break
        return answer[-2:] == [0x90, 0x00]
    finally:
        scard.SCardDisconnect(card, scard.SCARD_UNPOWER_CARD)


class _PcscChannel:
    """One card session; a thread of its own makes every call, so that a stalled card can be left behind.

    A thread left behind still powers the card off and releases everything as soon as its call returns.
    """

    def __init__(self, find: Callable[[Any], str], stall_limit_s: float) -> None:
        self._stall_limit_s = stall_limit_s
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._closed = False
        self._lost = False
        self._left_behind = False
        self._card: Any = None
        self._context: Any = None
        self._name = ""
        self._protocol = 0
        self._atr = b""
        self._thread = threading.Thread(target=self._work, args=(find,), name="card session", daemon=True)
        self._opened: Future[None] = Future()

    def open(self) -> None:
        """Connect, exclusively."""
        self._thread.start()
        self._within_limit(self._opened)

    @property
    def atr(self) -> bytes:
        return self._atr

    @property
    def protocol(self) -> str:
        return {scard.SCARD_PROTOCOL_T0: "T=0", scard.SCARD_PROTOCOL_T1: "T=1"}.get(self._protocol, "")

    @property
    def hung(self) -> bool:
        """A call took too long and still has not come back."""
        return self._left_behind and self._thread.is_alive()

    def transmit(self, apdu: bytes | bytearray) -> bytes:
        if len(apdu) < 4:
            # vpcd takes a single byte for a power command, and hangs the service.
            raise ValueError("a command has at least 4 bytes")
        if self._closed or self._lost:
            raise CardRemovedError("this connection has ended")
        command = list(apdu)
        try:
            return self._run(lambda: self._transmit(command))
        except CardTrouble:
            raise
        except (CardError, ReaderError):
            self._lost = True
            raise
        finally:
            command[:] = [0] * len(command)

    def still_in(self) -> bool:
        return not (self._closed or self._lost) and self._run(self._still_in)

    def renew(self) -> None:
        if self._closed or self._lost:
            raise CardRemovedError("this connection has ended")
        self._run(self._renew)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join(_CLOSE_LIMIT_S)

    def _run(self, job: Callable[[], T]) -> T:
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return self._within_limit(future)

    def _within_limit(self, future: "Future[T]") -> T:
        try:
            return future.result(self._stall_limit_s)
        except TimeoutError:
            self._closed = self._left_behind = True
            self._jobs.put(None)
            raise ReaderStalled(f"no answer within {self._stall_limit_s:g} s") from None

    # Everything below runs in the session's thread.

    def _work(self, find: Callable[[Any], str]) -> None:
        try:
            with _context() as context:
                self._connect(context, find(context))
                try:
                    self._opened.set_result(None)
                    while job := self._jobs.get():
                        _fulfil(*job)
                finally:
                    # Power-off, not just disconnect: a verified PIN would outlive that.
                    scard.SCardDisconnect(self._card, scard.SCARD_UNPOWER_CARD)
        except (CardError, ReaderError) as error:
            self._opened.set_exception(error)

    def _connect(self, context: Any, name: str) -> None:
        self._context, self._name = context, name
        status, self._card, self._protocol = scard.SCardConnect(
            context, name, scard.SCARD_SHARE_EXCLUSIVE, _PROTOCOLS
        )
        _check(status)
        self._atr = bytes(scard.SCardStatus(self._card)[4])

    def _transmit(self, command: list[int]) -> bytes:
        status, answer = scard.SCardTransmit(self._card, self._protocol, command)
        if _unsigned(status) in _LOST_EXCHANGES or (status == _OK and not answer):
            # A card pulled during a command shows so, too.
            raise ExchangeLost(f"no answer to a command came ({_unsigned(status):08X})")
        _check(status)
        return bytes(answer)

    def _still_in(self) -> bool:
        deadline = time.monotonic() + _NOTICED_S
        flags = scard.SCARD_STATE_UNAWARE
        while True:
            flags = _next_states(self._context, {self._name: flags}, max(0.0, deadline - time.monotonic()))[
                self._name
            ]
            if _has_failed(flags):
                raise NoReader("the reader failed or was taken away")
            if _presence_of(flags)[0] is Presence.EMPTY:
                return False
            if time.monotonic() >= deadline:
                return True

    def _renew(self) -> None:
        status, self._protocol = scard.SCardReconnect(
            self._card, scard.SCARD_SHARE_EXCLUSIVE, _PROTOCOLS, scard.SCARD_RESET_CARD
        )
        _check(status)


def _fulfil(job: Callable[[], Any], future: "Future[Any]") -> None:
    try:
        future.set_result(job())
    except Exception as error:
        # Whoever waits for it gets it; nobody would look at a thread that died.
        future.set_exception(error)


@contextmanager
def _context() -> Iterator[Any]:
    status, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    _check(status)
    try:
        yield context
    finally:
        scard.SCardReleaseContext(context)


def _next_states(context: Any, known: dict[str, int], timeout_s: float) -> dict[str, int]:
    """Return the readers' states once one differs from what is known, or as known at the timeout or a cancel."""
    status, states = scard.SCardGetStatusChange(context, int(timeout_s * 1000), list(known.items()))
    if _unsigned(status) in (_TIMEOUT, _CANCELLED):
        return known
    _check(status)
    return {str(name): int(flags) & ~int(scard.SCARD_STATE_CHANGED) for name, flags, *_ in states}


def _has_failed(flags: int) -> bool:
    return bool(
        flags & (scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_IGNORE)
    )


def _presence_of(flags: int) -> tuple[Presence, int]:
    """Return what is in a reader and PC/SC's count of insertions and removals."""
    moves = flags >> 16 & 0xFFFF
    if flags & scard.SCARD_STATE_MUTE:
        return Presence.MUTE, moves
    return (Presence.PRESENT if flags & scard.SCARD_STATE_PRESENT else Presence.EMPTY), moves


def _check(status: int) -> None:
    if status != _OK:
        _fail(_unsigned(status))


def _fail(status: int) -> NoReturn:
    kind, words = _ERRORS.get(status, (ReaderError, "the reader failed in an unknown way"))
    raise kind(f"{words} ({status:08X})")


def _unsigned(status: int) -> int:
    return status & 0xFFFFFFFF
