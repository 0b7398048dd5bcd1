"""Serves a virtual card to vpcd, the reader driver that lets pcscd see cards over TCP.

vpcd's frames are a 2-byte big-endian length and a payload. A payload of one byte is a control, otherwise a command.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from hardware.simulation.virtual_card.files import SmartCard

_POWER_OFF, _POWER_ON, _RESET, _ATR = 0, 1, 2, 4
_REST_S = 0.6
"""Seconds between taking a card out and putting one in; pcscd polls this driver every 0.4 s and would miss less."""
_RETRY_S = (0.2, 0.4, 0.8, 1.6, 2.0)

_log = logging.getLogger("reception.vpcd")


def attach_to_vpcd(
    card: SmartCard,
    host: str,
    port: int,
    stop: threading.Event,
    on_change: Callable[[bool], None] | None = None,
) -> None:
    """Keep a card in a vpcd that somebody else started, until ``stop`` is set.

    Connects again when vpcd restarts. ``on_change`` is told when the card goes in (True) and out (False).
    """
    slot = VpcdSlot(lambda: socket.create_connection((host, port), timeout=3.0), on_change)
    try:
        slot.insert(card)
        stop.wait()
    finally:
        slot.remove()


class VpcdSlot:
    """The CardSlot of a vpcd; ``connect`` opens a connection to it, or raises OSError.

    ``dress``: what a card becomes as it is put in, for readers with quirks.
    """

    def __init__(
        self,
        connect: Callable[[], socket.socket],
        on_change: Callable[[bool], None] | None = None,
        dress: Callable[[SmartCard], SmartCard] = lambda card: card,
    ) -> None:
        self._connect = connect
        self._dress = dress
        self._on_change = on_change
        self._guest: _Guest | None = None
        self._last: SmartCard | None = None
        self._out_since = float("-inf")

    def insert(self, card: SmartCard) -> None:
        self.remove()
        # The time that a hand needs; nothing could signal it.
        time.sleep(max(0.0, self._out_since + _REST_S - time.monotonic()))
        card = self._dress(card)
        self._last = card
        card.power_off()
        self._guest = _Guest(card, self._connect, self._on_change)
        self._guest.start()

    def remove(self) -> None:
        if self._guest:
            self._guest.leave()
            self._guest = None
            self._out_since = time.monotonic()

    def swap(self, card: SmartCard, *, unnoticed: bool = False) -> None:
        if unnoticed and self._guest:
            card.power_off()
            self._guest.card = self._last = card
        else:
            self.insert(card)

    def stall(self, seconds: float) -> None:
        if self._guest:
            self._guest.stall(seconds)

    def pin_tries_left(self) -> int | None:
        return self._last.pin_tries_left if self._last else None


class _Guest:
    """One card's stay: a thread that answers vpcd."""

    def __init__(
        self, card: SmartCard, connect: Callable[[], socket.socket], on_change: Callable[[bool], None] | None
    ) -> None:
        self.card = card
        self._stall_s = 0.0
        self._awake = threading.Event()
        self._connect = connect
        self._on_change = on_change or (lambda inside: None)
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._stay, name="virtual card", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stall(self, seconds: float) -> None:
        """Take this long over the next command; 0 also ends a stall that is on."""
        self._stall_s = seconds
        if not seconds:
            self._awake.set()

    def leave(self) -> None:
        """Close the connection, which is how vpcd learns that the card is out."""
        self._left.set()
        self._awake.set()
        with self._lock:
            if self._socket:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
        # A card that pulls itself out does so from this very thread.
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _stay(self) -> None:
        attempt = 0
        while not self._left.is_set():
            try:
                connection = self._connect()
            except OSError as error:
                _log.debug("vpcd: %s", error)
                self._left.wait(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1
                continue
            attempt = 0
            with connection:
                with self._lock:
                    self._socket = connection
                if not self._left.is_set():
                    connection.settimeout(None)
                    self._on_change(True)
                    with suppress(OSError):
                        self._serve(connection)
                    self._on_change(False)
                with self._lock:
                    self._socket = None
            self.card.power_off()
            self._left.wait(_RETRY_S[0])

    def _serve(self, connection: socket.socket) -> None:
        while (frame := _receive(connection)) is not None:
            match frame[0] if len(frame) == 1 else None:
                case None:
                    answer = self._answer(frame)
                    if self._left.is_set():
                        return
                    _send(connection, answer)
                case code if code == _ATR:
                    _send(connection, self.card.atr or b"\x00\x00")
                case code if code in (_POWER_OFF, _POWER_ON):
                    self.card.power_off()
                case _:
                    # A warm reset leaves a verified PIN verified, as on the real card.
                    pass

    def _answer(self, apdu: bytes) -> bytes:
        stall_s, self._stall_s = self._stall_s, 0.0
        if stall_s:
            self._awake.clear()
            if not self._left.is_set():
                self._awake.wait(stall_s)
        return self.card.process(apdu)


def _receive(connection: socket.socket) -> bytes | None:
    """Return one frame, or None when vpcd has closed the connection."""
    header = _receive_exactly(connection, 2)
    return header and _receive_exactly(connection, int.from_bytes(header))


def _receive_exactly(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size or size == 0:
        # vpcd 3.3 writes header and body apart; a delayed acknowledgement would cost 40 ms per command.
        with suppress(AttributeError, OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def _send(connection: socket.socket, payload: bytes) -> None:
    connection.sendall(len(payload).to_bytes(2) + payload)
