"""ISO 7816 commands over a channel: what every application of a card has in common, whatever readers make of it."""

import logging
from dataclasses import dataclass

from hardware.card.channel import CardChannel
from hardware.card.errors import (
    CardError,
    CardProtocolError,
    CardRemovedError,
    CardTrouble,
    ExchangeLost,
    ReaderError,
)
from hardware.card.records import tlv_size

TRACE = 5
"""Log level of the APDU trace; below DEBUG, because it is long."""

OK = 0x9000
NO_FILE = 0x6A82
BLOCKED = (0x6983, 0x6984)
"""ISO's word and JICSAP's for a VERIFY on an exhausted counter."""
SELECT, READ, VERIFY, SIGN = 0xA4, 0xB0, 0x20, 0x2A
_CHANGE = (0x24, 0x32)

_WRONG_LENGTH = 0x6700
_SHORT = 0x6282
"""The file ended before as much was there as was asked for; what came is good."""
_IN_TROUBLE = (0x6985, 0x6F00, 0x6581, 0x6283)
"""Answers to SELECT that say nothing of which card it is; seen right after power-up, and of cards in poor contact."""
_BY_SELECT_ONLY = (0x6700, 0x6981, 0x6985, 0x6986, 0x6A81, 0x6A82, 0x6A83, 0x6A86, 0x6A88, 0x6B00, 0x6D00)
"""Answers of a card that may know no short file ids: the file is selected, and the command given once more."""
_BLOCK_SIZES = (256, 240, 224, 192, 128, 64, 32, 16)
"""Bytes asked for in one command, from the most that a short command has down to the least that is worth the time."""
_CRUMBS = 16
"""A block of fewer bytes, though more were asked for and are there, is a crumb."""


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
    """Sends commands, a lost one once more where that can do no harm, and gives up for good once the card has left.

    A VERIFY with a value in it, and what changes the card, is never sent twice.
    """

    def __init__(self, channel: CardChannel) -> None:
        self._channel = channel
        self._lost = False
        self.block_size = _BLOCK_SIZES[0]
        """The largest block that reader and card have not refused, in bytes."""
        self._no_short_ids: set[int] = set()
        """Files that this card lets nobody name but by SELECT."""

    def renew(self) -> None:
        """Go on after CardReset or ExchangeLost; nothing is selected any more."""
        try:
            self._channel.renew()
        except CardTrouble:
            raise
        except (CardError, ReaderError):
            self._lost = True
            raise

    def send(
        self, cla: int, ins: int, p1: int, p2: int, body: bytes | bytearray = b"", le: int | None = None
    ) -> CardResponse:
        """Send one short command; ``le`` is 1..256, or None when no data is expected."""
        data, status = self._exchange(cla, ins, p1, p2, body, le)
        # Without le nothing is ever sent twice: a VERIFY repeated is a try spent.
        if le == 256 and status == _WRONG_LENGTH:
            # To some, Le = 00 is no length; they announce what there is when none is given.
            data, status = self._exchange(cla, ins, p1, p2, body, None)
        if le is not None and status >> 8 == 0x6C:
            data, status = self._exchange(cla, ins, p1, p2, body, status & 0xFF or 256)
        while le is not None and status >> 8 == 0x61:
            more, status = self._more(status & 0xFF or 256)
            if not more or len(data) + len(more) > 0xFFFF:
                raise CardProtocolError("the card announces data without end")
            data += more
        return CardResponse(data, status)

    def _more(self, announced: int) -> tuple[bytes, int]:
        """Fetch a piece of what was announced, in a smaller block if that is refused."""
        while True:
            asked = min(announced, self.block_size)
            more, status = self._exchange(0x00, 0xC0, 0, 0, b"", asked)
            if status >> 8 == 0x6C and not more:
                more, status = self._exchange(0x00, 0xC0, 0, 0, b"", status & 0xFF or 256)
            if status != _WRONG_LENGTH or not self._smaller_than(asked):
                return more, status

    def select_application(self, aid: bytes) -> int:
        """Select by name and return the status word; raises CardTrouble for one that tells nothing of the card."""
        status = 0
        for _ in range(3):
            status = self.send(0x00, SELECT, 0x04, 0x0C, aid).status
            if status not in _IN_TROUBLE and status >> 8 not in (0x64, 0x65):
                return status
        raise CardTrouble(f"the card answers SELECT with {status:04X}")

    def select_file(self, file: int) -> int:
        """Select a file of the current application and return the status word."""
        return self.send(0x00, SELECT, 0x02, 0x0C, file.to_bytes(2)).status

    def on_file(
        self, cla: int, ins: int, p1: int, file: int, body: bytes | bytearray = b"", le: int | None = None
    ) -> CardResponse:
        """Send a command that names a PIN or key by its short id; to a card that knows none, after a SELECT.

        Which of the two a card wants is learnt from commands that cost nothing: one that carries a PIN goes its way
        once.
        """
        carries_pin = ins == VERIFY and bool(body)
        if file not in self._no_short_ids:
            answer = self.send(cla, ins, p1, 0x80 | file, body, le)
            if carries_pin or answer.status not in _BY_SELECT_ONLY:
                return answer
        status = self.select_file(file)
        if status != OK:
            return CardResponse(b"", status)
        answer = self.send(cla, ins, p1, 0x80, body, le)
        if answer.status not in _BY_SELECT_ONLY:
            self._no_short_ids.add(file)
        return answer

    def read_block(self, file: int, le: int = 256) -> CardResponse:
        """Read the first block of a file, at most ``le`` bytes; the file becomes the current one."""
        if file not in self._no_short_ids:
            answer = self._read(0x80 | file, 0x00, le)
            if answer.status not in _BY_SELECT_ONLY:
                return answer
        status = self.select_file(file)
        if status != OK:
            return CardResponse(b"", status)
        answer = self._read(0x00, 0x00, le)
        if answer.status == OK:
            self._no_short_ids.add(file)
        return answer

    def read_object(self, file: int, limit: int, what: str) -> bytes:
        """Read the one data object at the start of a file, at most ``limit`` bytes of it."""
        head = self.read_block(file).ok(what)
        size = tlv_size(head)
        if size > limit:
            raise CardProtocolError(f"{what}: claims to have {size} bytes")
        return self.read_rest(head, size, what)

    def read_rest(self, head: bytes, size: int, what: str) -> bytes:
        """Read the current file on, from after ``head`` up to ``size`` bytes in all, in the largest blocks."""
        data, crumbs = head, 0
        while len(data) < size:
            le = min(256, size - len(data))
            block = self._read(len(data) >> 8, len(data) & 0xFF, le, within=True).ok(what)
            if not 1 <= len(block) <= le:
                raise CardProtocolError(f"{what}: a block of {len(block)} bytes where {le} were asked")
            # A card may give less than asked for; one that gives crumbs is not waited for.
            crumbs += len(block) < min(le, _CRUMBS)
            if crumbs > 8:
                raise CardProtocolError(f"{what}: comes in crumbs")
            data += block
        return data[:size]

    def _read(self, p1: int, p2: int, le: int, *, within: bool = False) -> CardResponse:
        """Read once, in a block that reader and card allow; ``within``: as many bytes as are asked for are there."""
        while True:
            asked = min(le, self.block_size)
            try:
                data, status = self._exchange(0x00, READ, p1, p2, b"", asked)
                if status >> 8 == 0x6C:
                    offered = status & 0xFF or 256
                    if within and _CRUMBS <= offered < asked:
                        self.block_size = offered
                    data, status = self._exchange(0x00, READ, p1, p2, b"", offered)
                while status >> 8 == 0x61:
                    more, status = self._more(status & 0xFF or 256)
                    if not more or len(data) + len(more) > 256:
                        raise CardProtocolError("the card announces data without end")
                    data += more
            except ExchangeLost:
                # Some readers lose what is longer than they can carry.
                if asked <= _BLOCK_SIZES[4] or not self._smaller_than(asked, _BLOCK_SIZES[4]):
                    raise
                continue
            if status == _WRONG_LENGTH and self._smaller_than(asked):
                continue
            return CardResponse(data, OK if status == _SHORT and data else status)

    def _smaller_than(self, asked: int, largest: int = 256) -> bool:
        """Ask for less from now on; False when there is no smaller block."""
        smaller = [size for size in _BLOCK_SIZES if size < asked and size <= largest]
        if smaller:
            self.block_size = smaller[0]
        return bool(smaller)

    def _exchange(
        self, cla: int, ins: int, p1: int, p2: int, body: bytes | bytearray, le: int | None
    ) -> tuple[bytes, int]:
        spends = ins in _CHANGE or (ins == VERIFY and bool(body))
        try:
            return self._once(cla, ins, p1, p2, body, le)
        except ExchangeLost:
            if spends:
                self._look_whether_in()
                raise
        try:
            return self._once(cla, ins, p1, p2, body, le)
        except ExchangeLost:
            self._look_whether_in()
            raise

    def _look_whether_in(self) -> None:
        """Raise CardRemovedError when an exchange was lost because the card has left."""
        if not self._channel.still_in():
            self._lost = True
            raise CardRemovedError("the card was removed during a command")

    def _once(
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
        except CardTrouble:
            raise
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
        shown = body.hex().upper() if ins == SELECT else "XX" * len(body)
        _log.log(
            TRACE,
            "%02X %02X %02X %02X Lc=%d %s Le=%s -> %d bytes %s",
            *(cla, ins, p1, p2, len(body), shown, le, len(answer) - 2, answer[-2:].hex().upper()),
        )


_log = logging.getLogger("reception.card")
