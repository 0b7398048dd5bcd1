"""A reader in memory, and how a reader is steered by hands, a robot or a scenario."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from hardware.card import (
    STALL_LIMIT_S,
    CardChannel,
    CardRemovedError,
    CardReset,
    CardUnreadable,
    ExchangeLost,
    NoReader,
    Presence,
    ReaderBusy,
    ReaderError,
    ReaderStalled,
    ServiceDown,
)
from hardware.simulation.virtual_card.files import SmartCard
from hardware.simulation.virtual_card.quirks import Quirk, QuirkyCard


class CardSlot(Protocol):
    """What a hand does at a reader; the same words on every simulated bench."""

    def insert(self, card: SmartCard) -> None:
        """Put a card in; another one that is in is taken out first."""

    def remove(self) -> None:
        """Take the card out; nothing happens when there is none."""

    def swap(self, card: SmartCard, *, unnoticed: bool = False) -> None:
        """Change the card; ``unnoticed``: so fast that the reader keeps its connection to the new one."""

    def stall(self, seconds: float) -> None:
        """Let the card take this long over its next command; 0 also ends a stall that is on."""

    def pin_tries_left(self) -> int | None:
        """Return the true PIN counter of the card that is in, or of the last one that was."""


class ReaderFaults(Protocol):
    """What can happen to a reader and its service on a bench."""

    def unplug(self) -> None:
        """Take the reader away."""

    def fault(self) -> None:
        """Make the reader fail at every use."""

    def plug(self) -> None:
        """Undo unplug and fault."""

    def stop_service(self) -> None:
        """Stop the smart card service."""

    def start_service(self) -> None:
        """Start it again."""

    def fail_power_ups(self, count: int) -> None:
        """Let the card not answer so many power-ups, from the next one on."""

    def lose_exchanges(self, count: int, after: int = 0, *, executed: bool = False) -> None:
        """Lose so many exchanges once ``after`` more have passed; ``executed``: on the way back only."""

    def hold(self, seconds: float) -> None:
        """Let another program have the reader for so long."""

    def reset_card(self, *, power: bool = False) -> None:
        """Let somebody reset the card, with power-off: then a verified PIN is gone."""

    def rename(self) -> None:
        """Take the reader away and bring it back under another name, as one that was plugged in anew."""

    def take_on(self, quirk: Quirk) -> None:
        """Give reader and cards a quirk from the next card on; "" takes it away."""


class VirtualReader:
    """A CardReader in process, with its slot (CardSlot) and faults (ReaderFaults); thread-safe."""

    def __init__(self, name: str = "Virtual reader", stall_limit_s: float = STALL_LIMIT_S) -> None:
        self.name = name
        self._stall_limit_s = stall_limit_s
        self._changed = threading.Condition()
        self._card: SmartCard | None = None
        self._last: SmartCard | None = None
        self._moves = 0
        """Counts insertions and removals, as PC/SC does, so that a fast swap is not lost on a waiting thread."""
        self._reported: int | None = None
        self._holder: _VirtualChannel | None = None
        self._stall_s = 0.0
        self._woken = 0
        """Counts the stalls that were ended."""
        self._hung_until = 0.0
        self._service = self._plugged = True
        self._cancelled = False
        self._failing_power_ups = 0
        self._unpowered = False
        """The card that is in did not answer when it got power."""
        self._lost_exchanges = 0
        self._lost_after = 0
        self._lost_on_the_way_back = False
        self._held_until = 0.0
        self._quirk: Quirk = ""

    @property
    def slot(self) -> CardSlot:
        """Return the steering side of this reader."""
        return self

    @property
    def faults(self) -> ReaderFaults:
        """Return the troubles of this reader."""
        return self

    # What a terminal sees.

    def presence(self) -> Presence:
        with self._changed:
            now, self._reported = self._presence(), self._moves
            return now

    def wait_for_change(self, known: Presence, timeout_s: float) -> Presence:
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._news(known), timeout_s)
            self._cancelled = False
            return self._report(known)

    def connect(self) -> CardChannel:
        with self._changed:
            match self._presence():
                case Presence.EMPTY:
                    raise CardRemovedError("no card is in the reader")
                case Presence.MUTE:
                    if not self._unpowered or not self._power_up():
                        raise CardUnreadable("the card does not answer")
            if self._holder or time.monotonic() < self._held_until:
                raise ReaderBusy(f"{self.name} is in use")
            if not self._power_up():
                raise CardUnreadable("the card does not answer")
            assert self._card is not None
            self._holder = _VirtualChannel(self, self._card.atr)
            return self._holder

    def cancel(self) -> None:
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def close(self) -> None:
        self.cancel()

    def _presence(self) -> Presence:
        self._usable()
        if self._card is None:
            return Presence.EMPTY
        return Presence.PRESENT if self._card.atr and not self._unpowered else Presence.MUTE

    def _power_up(self) -> bool:
        """Give the card power; False when it does not answer."""
        if self._failing_power_ups:
            self._failing_power_ups -= 1
            return False
        self._unpowered = False
        self._changed.notify_all()
        return True

    def _usable(self) -> None:
        if not self._service:
            raise ServiceDown("the smart card service does not run")
        if not self._plugged:
            raise NoReader(f"{self.name} is not attached")
        if time.monotonic() < self._hung_until:
            raise ReaderStalled(f"{self.name} has not answered for long")

    def _news(self, known: Presence) -> bool:
        try:
            return self._presence() != known or self._swapped(known)
        except ReaderError:
            return True

    def _swapped(self, known: Presence) -> bool:
        return known != Presence.EMPTY and self._reported not in (None, self._moves)

    def _report(self, known: Presence) -> Presence:
        now = self._presence()
        swapped, self._reported = self._swapped(known), self._moves
        # In again before anyone looked: say that it was out; the next wait says that it is in.
        return Presence.EMPTY if swapped and now == known else now

    # What a hand does.

    def insert(self, card: SmartCard) -> None:
        with self._change():
            self._take_out()
            card = QuirkyCard(card, self._quirk) if self._quirk else card
            card.power_off()
            self._card = self._last = card
            self._moves += 1
            self._unpowered = not self._power_up()

    def remove(self) -> None:
        with self._change():
            self._take_out()

    def swap(self, card: SmartCard, *, unnoticed: bool = False) -> None:
        if not unnoticed:
            self.insert(card)
            return
        with self._change():
            card.power_off()
            self._card = self._last = card

    def stall(self, seconds: float) -> None:
        with self._change():
            self._stall_s = seconds
            if not seconds:
                self._woken += 1
                self._hung_until = 0.0

    def pin_tries_left(self) -> int | None:
        return self._last.pin_tries_left if self._last else None

    def unplug(self) -> None:
        with self._change():
            self._plugged = False
            self._hung_until = 0.0
            self._power_off()

    def fault(self) -> None:
        self.unplug()

    def plug(self) -> None:
        with self._change():
            self._plugged = True

    def stop_service(self) -> None:
        with self._change():
            self._service = False
            self._hung_until = 0.0
            self._power_off()

    def start_service(self) -> None:
        with self._change():
            self._service = True

    def fail_power_ups(self, count: int) -> None:
        self._failing_power_ups = count

    def lose_exchanges(self, count: int, after: int = 0, *, executed: bool = False) -> None:
        self._lost_exchanges, self._lost_after, self._lost_on_the_way_back = count, after, executed

    def hold(self, seconds: float) -> None:
        self._held_until = time.monotonic() + seconds

    def reset_card(self, *, power: bool = False) -> None:
        with self._change():
            if self._card and power:
                self._card.power_off()
            if self._holder:
                self._holder.reset = True

    def rename(self) -> None:
        self.unplug()
        self.name += "+"
        # The time that whoever plugs it in again takes.
        threading.Timer(0.1, self.plug).start()

    def take_on(self, quirk: Quirk) -> None:
        self._quirk = quirk

    def _take_out(self) -> None:
        if self._card:
            self._power_off()
            self._card = None
            self._unpowered = False
            self._moves += 1
            self._hung_until = 0.0

    def _power_off(self) -> None:
        """End the connection, if any; its next command learns why."""
        if self._card:
            self._card.power_off()
        if self._holder:
            self._holder.broken = True
            self._holder = None

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._changed:
            yield
            self._changed.notify_all()

    # The channel's side.

    def _transmit(self, channel: "_VirtualChannel", apdu: bytes) -> bytes:
        with self._changed:
            self._wait_out_stall(channel)
            card = self._connected(channel)
            lost = self._lose_one()
        if lost and not self._lost_on_the_way_back:
            raise ExchangeLost("no answer to a command came")
        # Not under the lock: a card that a test has wired may pull itself out while it works.
        answer = card.process(apdu)
        with self._changed:
            self._connected(channel)
        if lost:
            raise ExchangeLost("no answer to a command came")
        return answer

    def _lose_one(self) -> bool:
        if self._lost_exchanges and self._lost_after:
            self._lost_after -= 1
            return False
        lost = self._lost_exchanges > 0
        self._lost_exchanges -= lost
        return lost

    def _still_in(self, channel: "_VirtualChannel") -> bool:
        with self._changed:
            self._usable()
            return self._card is not None and not channel.broken

    def _renew(self, channel: "_VirtualChannel") -> None:
        with self._changed:
            self._usable()
            if channel.broken or self._card is None:
                raise CardRemovedError("the card was removed")
            channel.reset = False

    def _wait_out_stall(self, channel: "_VirtualChannel") -> None:
        stall_s, self._stall_s = self._stall_s, 0.0
        if stall_s:
            before = self._woken
            ended = self._changed.wait_for(
                lambda: channel.broken or self._woken != before, min(stall_s, self._stall_limit_s)
            )
            if stall_s > self._stall_limit_s and not ended:
                self._hung_until = time.monotonic() + stall_s - self._stall_limit_s
                self._changed.notify_all()
                raise ReaderStalled(f"no answer within {self._stall_limit_s:g} s")

    def _connected(self, channel: "_VirtualChannel") -> SmartCard:
        self._usable()
        if channel.broken or self._card is None:
            raise CardRemovedError("the card was removed")
        if channel.reset:
            raise CardReset("the card was reset by somebody else")
        return self._card

    def _release(self, channel: "_VirtualChannel") -> None:
        with self._change():
            if self._holder is channel:
                self._power_off()


class _VirtualChannel:
    protocol = "T=1"

    def __init__(self, reader: VirtualReader, atr: bytes) -> None:
        self._reader = reader
        self.atr = atr
        self.broken = False
        self.reset = False
        """Somebody has reset the card, and nobody has taken note yet."""

    def transmit(self, apdu: bytes | bytearray) -> bytes:
        if len(apdu) < 4:
            raise ValueError("a command has at least 4 bytes")
        return self._reader._transmit(self, bytes(apdu))

    def still_in(self) -> bool:
        return self._reader._still_in(self)

    def renew(self) -> None:
        self._reader._renew(self)

    def close(self) -> None:
        self._reader._release(self)
        self.broken = True
