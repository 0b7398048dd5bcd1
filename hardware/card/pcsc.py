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
from fnmatch import fnmatchcase
from queue import SimpleQueue
from typing import Any, NoReturn, TypeVar

from smartcard import scard

from hardware.card import (
    STALL_LIMIT_S,
    CardChannel,
    CardError,
    CardRemovedError,
    CardUnreadable,
    NoReader,
    Presence,
    ReaderBusy,
    ReaderError,
    ReaderStalled,
    ServiceDown,
)

T = TypeVar("T")

_OK = 0
_CANCELLED = 0x80100002
_TIMEOUT = 0x8010000A
_NO_READERS = 0x8010002E

_ERRORS: dict[int, tuple[type[CardError | ReaderError], str]] = {
    0x8010000C: (CardRemovedError, "no card is in the reader"),
    0x80100016: (CardRemovedError, "the card was removed during a command"),
    0x80100068: (CardRemovedError, "the card was reset by somebody else"),
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

_WAIT_STEP_S = 1.0
"""A wait is renewed this often, because a cancel that falls between two waits is lost."""
_CLOSE_LIMIT_S = 2.0
_ANSWER_LIMIT_S = 3.0
"""Longest time that the service may take for an answer beyond what it was asked to wait; the C calls have no limit."""

_log = logging.getLogger("reception.pcsc")


class PcscReader:
    """The first PC/SC reader whose name fits a shell pattern; a CardReader.

    It holds nothing between calls, so a service that was restarted, or a reader plugged in anew, just works.
    One thread at a time may wait; the rest may be called from any thread.
    """

    def __init__(self, name_pattern: str = "*", stall_limit_s: float = STALL_LIMIT_S) -> None:
        self._pattern = name_pattern
        self._stall_limit_s = stall_limit_s
        self._name = name_pattern
        self._woken = threading.Condition()
        self._waiting: Any = None
        self._session: _PcscChannel | None = None
        """The newest card session; while its thread hangs in a call, the reader cannot be used."""
        self._cancelled = False
        self._frozen: threading.Thread | None = None
        """A look at the reader that the service never answered."""
        self._reported: int | None = None
        """PC/SC's count of insertions and removals when the presence was last told."""

    @property
    def name(self) -> str:
        """Return the reader's full name; the pattern until it was found once."""
        return self._name

    def presence(self) -> Presence:
        self._refuse_if_hung()
        return self._within(_ANSWER_LIMIT_S, self._look)

    def wait_for_change(self, known: Presence, timeout_s: float) -> Presence:
        self._refuse_if_hung()
        return self._within(timeout_s + _ANSWER_LIMIT_S, lambda: self._wait(known, timeout_s))

    def _look(self) -> Presence:
        with _context() as context:
            now, self._reported = _state(context, self._find(context))
            return now

    def _wait(self, known: Presence, timeout_s: float) -> Presence:
        deadline = time.monotonic() + timeout_s
        with _context() as context, self._as_waiting(context):
            name, flags = self._find(context), scard.SCARD_STATE_UNAWARE
            step_s = 0.0
            while True:
                # The first look is at the level, so that a card that is in already is no surprise.
                flags = _next_state(context, name, flags, step_s)
                now, moves = _presence_of(flags)
                swapped = self._reported not in (None, moves) and known != Presence.EMPTY
                self._reported = moves
                if now != known:
                    return now
                if swapped:
                    # In again before anyone looked: say that it was out; the next wait says that it is in.
                    return Presence.EMPTY
                step_s = min(_WAIT_STEP_S, deadline - time.monotonic())
                if self._cancelled or step_s <= 0:
                    return known

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

    def _find(self, context: Any) -> str:
        status, names = scard.SCardListReaders(context, [])
        _check(status)
        for name in names:
            # A name may hold brackets, which a pattern reads otherwise.
            if name == self._pattern or fnmatchcase(name, self._pattern):
                self._name = name
                return str(name)
        raise NoReader(f"no reader is named {self._pattern}; attached: {', '.join(names)}")

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
        self._protocol = 0
        self._thread = threading.Thread(target=self._work, args=(find,), name="card session", daemon=True)
        self._opened: Future[None] = Future()

    def open(self) -> None:
        """Connect, exclusively."""
        self._thread.start()
        self._within_limit(self._opened)

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
        except (CardError, ReaderError):
            self._lost = True
            raise
        finally:
            command[:] = [0] * len(command)

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
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        status, self._card, self._protocol = scard.SCardConnect(
            context, name, scard.SCARD_SHARE_EXCLUSIVE, protocols
        )
        _check(status)

    def _transmit(self, command: list[int]) -> bytes:
        status, answer = scard.SCardTransmit(self._card, self._protocol, command)
        _check(status)
        if not answer:
            # This is how a card pulled during a command shows.
            raise CardRemovedError("the card was removed during a command")
        return bytes(answer)


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


def _state(context: Any, name: str) -> tuple[Presence, int]:
    return _presence_of(_next_state(context, name, scard.SCARD_STATE_UNAWARE, 0.0))


def _next_state(context: Any, name: str, known: int, timeout_s: float) -> int:
    """Return the reader's state once it differs from ``known``, or ``known`` at the timeout or a cancel."""
    status, states = scard.SCardGetStatusChange(context, int(timeout_s * 1000), [(name, known)])
    if _unsigned(status) in (_TIMEOUT, _CANCELLED):
        return known
    _check(status)
    new: int = states[0][1]
    return new & ~int(scard.SCARD_STATE_CHANGED)


def _presence_of(flags: int) -> tuple[Presence, int]:
    """Return what is in the reader and PC/SC's count of insertions and removals."""
    if flags & (scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_IGNORE):
        raise NoReader("the reader failed or was taken away")
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
