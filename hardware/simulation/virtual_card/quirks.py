"""Readers and cards with habits of their own, around any card: what real ones do with lengths and file ids."""

from typing import Literal

from hardware.simulation.virtual_card.files import SmartCard

Quirk = Literal[
    "",
    "short-blocks",
    "no-le-00",
    "get-response",
    "correct-le",
    "short-reads",
    "no-short-ids",
]
"""short-blocks: no more than BLOCK bytes are asked for at once, else 6700; no-le-00: Le = 00 is 6700; get-response:
data is announced with 61xx and fetched with GET RESPONSE; correct-le: an Le of more than there is, or than BLOCK, is
6Cxx; short-reads: READ BINARY gives BLOCK bytes at most, with 6282; no-short-ids: files are named by SELECT only."""
BLOCK = 100


class QuirkyCard:
    """A card, or the reader before it, with one quirk."""

    def __init__(self, inner: SmartCard, quirk: Quirk, block: int = BLOCK) -> None:
        self.inner, self._quirk, self._block = inner, quirk, block
        self._kept = b""
        self._asked_for: tuple[bytes, bytes] = (b"", b"")

    @property
    def atr(self) -> bytes:
        return self.inner.atr

    @property
    def pin_tries_left(self) -> int | None:
        return self.inner.pin_tries_left

    def power_off(self) -> None:
        self._kept = b""
        self.inner.power_off()

    def process(self, apdu: bytes) -> bytes:
        le = _le(apdu)
        match self._quirk:
            case "short-blocks" if apdu[1] == 0xB0 and le is not None and le > self._block:
                return b"\x67\x00"
            case "no-le-00" if le == 256:
                return b"\x67\x00"
            case "no-short-ids" if _by_short_id(apdu):
                return b"\x6a\x86"
            case "get-response":
                return self._announced(apdu)
            case "correct-le" if le is not None:
                return self._corrected(apdu, le)
            case "short-reads" if apdu[1] == 0xB0 and le is not None and le > self._block:
                answer = self.inner.process(apdu[:-1] + bytes([self._block]))
                return answer[:-2] + b"\x62\x82" if answer.endswith(b"\x90\x00") else answer
        if self._quirk == "no-le-00" and apdu[1] in (0xC0, 0x2A):
            return self._announced(apdu)
        return self.inner.process(apdu)

    def _announced(self, apdu: bytes) -> bytes:
        if apdu[1] != 0xC0:
            # As in T=0: what is asked for goes along with the command, and what comes is kept.
            le = _le(apdu)
            answer = self.inner.process(apdu if le is not None or apdu[1] != 0x2A else apdu + b"\x00")
            if len(answer) == 2:
                return answer
            self._kept = answer[:-2]
        else:
            le = _le(apdu) or 256
            given, self._kept = self._kept[:le], self._kept[le:]
            if not self._kept:
                return given + b"\x90\x00"
            return given + self._left()
        return self._left()

    def _left(self) -> bytes:
        return b"\x61" + bytes([len(self._kept) if len(self._kept) < 256 else 0])

    def _corrected(self, apdu: bytes, le: int) -> bytes:
        answer = self.inner.process(apdu)
        there = len(answer) - 2
        allowed = min(there, self._block if apdu[1] == 0xB0 else 256)
        if there == 0 or allowed == le:
            return answer
        if apdu[1] == 0xB0 and le < allowed:
            return answer
        return b"\x6c" + bytes([allowed & 0xFF])


def _le(apdu: bytes) -> int | None:
    """Return how many bytes a short command asks for; None when it asks for none."""
    if len(apdu) == 5:
        return apdu[4] or 256
    if len(apdu) > 5 and len(apdu) == 6 + apdu[4]:
        return apdu[-1] or 256
    return None


def _by_short_id(apdu: bytes) -> bool:
    if apdu[1] == 0xB0:
        return bool(apdu[2] & 0x80)
    return apdu[1] in (0x20, 0x2A) and bool(apdu[3] & 0x1F)
