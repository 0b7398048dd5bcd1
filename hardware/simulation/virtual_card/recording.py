"""A card laid open: each command is seen on its way to it, and on its way back."""

from collections.abc import Callable

from hardware.simulation.virtual_card.files import SmartCard


class RecordingCard:
    """A card whose every command is seen: ``before`` and ``after`` are called with its number (from 1) and bytes.

    ``before`` returns whether the card was pulled, so that the command never reaches it.
    """

    def __init__(self, inner: SmartCard) -> None:
        self.inner = inner
        self.count = 0
        self.seen: list[bytes] = []
        self.before: Callable[[int, bytes], bool] = lambda number, apdu: False
        self.after: Callable[[int, bytes], object] = lambda number, apdu: None

    @property
    def atr(self) -> bytes:
        return self.inner.atr

    @property
    def pin_tries_left(self) -> int | None:
        return self.inner.pin_tries_left

    def power_off(self) -> None:
        self.inner.power_off()

    def process(self, apdu: bytes) -> bytes:
        self.count += 1
        number = self.count
        if self.before(number, apdu):
            return b"\x6f\x00"
        self.seen.append(apdu)
        answer = self.inner.process(apdu)
        self.after(number, apdu)
        return answer
