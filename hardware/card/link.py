"""ISO 7816 commands over a channel: what every application of a card has in common."""

import logging
from dataclasses import dataclass

from hardware.card.channel import CardChannel
from hardware.card.errors import CardError, CardProtocolError, CardRemovedError, ReaderError
from hardware.card.records import tlv_size

TRACE = 5
"""Log level of the APDU trace; below DEBUG, because it is long."""

OK = 0x9000
NO_FILE = 0x6A82
BLOCKED = (0x6983, 0x6984)
"""ISO's word and JICSAP's for a VERIFY on an exhausted counter."""

_log = logging.getLogger("reception.card")


@dataclass(frozen=True)
class CardResponse:
    """A card's answer, with GET RESPONSE and length corrections already done."""

    data: bytes
    status: int

    def __repr__(self) -> str:
        return f"CardResponse({len(self.data)} bytes, {self.status:04X})"

    def ok(self, what: str) -> bytes:
        """Return the data, or raise CardProtocolError telling what was tried."""
        if self.status != OK:
            raise CardProtocolError(what, self.status)
        return self.data


class CardLink:
    """Sends commands and gives up for good at the first transport error.

    After such an error nobody knows which card is in, or whether a command was still executed; only a new
    connection, which asks the card anew, may go on.
    """

    def __init__(self, channel: CardChannel) -> None:
        self._channel = channel
        self._lost = False

    def send(
        self, cla: int, ins: int, p1: int, p2: int, body: bytes | bytearray = b"", le: int | None = None
    ) -> CardResponse:
        """Send one short command; ``le`` is 1..256, or None when no data is expected."""
        data, status = self._exchange(cla, ins, p1, p2, body, le)
        # Without le nothing is ever sent twice: a VERIFY repeated is a try spent.
        if le is not None and status >> 8 == 0x6C:
            data, status = self._exchange(cla, ins, p1, p2, body, status & 0xFF or 256)
        while le is not None and status >> 8 == 0x61:
            more, status = self._exchange(0x00, 0xC0, 0, 0, b"", status & 0xFF or 256)
            if not more or len(data) + len(more) > 0xFFFF:
                raise CardProtocolError("the card announces data without end")
            data += more
        return CardResponse(data, status)

    def select_application(self, aid: bytes) -> int:
        """Select by name and return the status word; a first 6F00, seen right after power-up, is tried again."""
        answer = self.send(0x00, 0xA4, 0x04, 0x0C, aid)
        if answer.status == 0x6F00:
            answer = self.send(0x00, 0xA4, 0x04, 0x0C, aid)
        return answer.status

    def read_block(self, file: int, le: int = 256) -> CardResponse:
        """Read the first block of a file, which becomes the current one (short file id, 01..1E)."""
        return self.send(0x00, 0xB0, 0x80 | file, 0x00, le=le)

    def read_object(self, file: int, limit: int, what: str) -> bytes:
        """Read the one data object at the start of a file, at most ``limit`` bytes of it."""
        head = self.read_block(file).ok(what)
        size = tlv_size(head)
        if size > limit:
            raise CardProtocolError(f"{what}: claims to have {size} bytes")
        return self.read_rest(head, size, what)

    def read_rest(self, head: bytes, size: int, what: str) -> bytes:
        """Read the current file on, from after ``head`` up to ``size`` bytes in all, in the largest blocks."""
        data = head
        # A card may give less than asked for; one that gives crumbs is not waited for.
        for _ in range(2 * (size // 256) + 8):
            if len(data) >= size:
                return data[:size]
            le = min(256, size - len(data))
            block = self.send(0x00, 0xB0, len(data) >> 8, len(data) & 0xFF, le=le).ok(what)
            if not 1 <= len(block) <= le:
                raise CardProtocolError(f"{what}: a block of {len(block)} bytes where {le} were asked")
            data += block
        raise CardProtocolError(f"{what}: comes in crumbs")

    def _exchange(
        self, cla: int, ins: int, p1: int, p2: int, body: bytes | bytearray, le: int | None
    ) -> tuple[bytes, int]:
        if self._lost:
            raise CardRemovedError("this connection has failed before")
        command = bytearray((cla, ins, p1, p2))
        if body:
            command.append(len(body))
            command += body
        if le is not None:
            command.append(le & 0xFF)
        try:
            answer = self._channel.transmit(command)
        except (CardError, ReaderError):
            self._lost = True
            raise
        finally:
            # The last copy of a PIN on our side.
            command[:] = bytes(len(command))
        if len(answer) < 2:
            self._lost = True
            raise CardProtocolError("the card answered less than a status word")
        status = int.from_bytes(answer[-2:])
        self._trace(cla, ins, p1, p2, body, le, answer)
        return answer[:-2], status

    def _trace(
        self, cla: int, ins: int, p1: int, p2: int, body: bytes | bytearray, le: int | None, answer: bytes
    ) -> None:
        """Log headers and lengths only: bodies hold PINs, answers hold names and photos."""
        if not _log.isEnabledFor(TRACE):
            return
        shown = body.hex().upper() if ins == 0xA4 else "XX" * len(body)
        _log.log(
            TRACE,
            "%02X %02X %02X %02X Lc=%d %s Le=%s -> %d bytes %s",
            *(cla, ins, p1, p2, len(body), shown, le, len(answer) - 2, answer[-2:].hex().upper()),
        )
