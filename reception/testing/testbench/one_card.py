"""A reader that lets a terminal use one certain card, and never spends that card's last PIN tries."""

import hashlib
from collections.abc import Callable

from hardware.card import (
    CardChannel,
    CardReader,
    CardRemovedError,
    MyNumberCard,
    Presence,
    WrongCard,
)
from reception.testing.testbench.console import wipe

VERIFY = 0x20
_CHANGES_PIN = (0x24, 0x32)
TRIES_KEPT = 2
"""A right PIN is sent with this many tries left at least; a wrong one only with more."""


class OneCard:
    """A CardReader around another: connects to the card with that certificate only.

    The certificate is compared on every connection, before the terminal may send anything. ``stop`` is told, once
    and in one line, why the run must end. ``secrets`` are the PIN and codes that the card is known to accept.
    """

    def __init__(
        self,
        reader: CardReader,
        certificate_sha256: str,
        secrets: Callable[[], list[bytearray]],
        stop: Callable[[str], None],
        *,
        allow_miss: bool,
    ) -> None:
        self._reader = reader
        self._wanted = certificate_sha256
        self._secrets, self._stop, self._allow_miss = secrets, stop, allow_miss

    @property
    def name(self) -> str:
        return self._reader.name

    def presence(self) -> Presence:
        return self._reader.presence()

    def wait_for_change(self, known: Presence, timeout_s: float) -> Presence:
        return self._reader.wait_for_change(known, timeout_s)

    def connect(self) -> CardChannel:
        channel = self._reader.connect()
        try:
            self._check(channel)
        except BaseException:
            channel.close()
            raise
        return _GuardedChannel(channel, self._may_send)

    def cancel(self) -> None:
        self._reader.cancel()

    def close(self) -> None:
        self._reader.close()

    def _check(self, channel: CardChannel) -> None:
        try:
            facts = MyNumberCard(channel).read()
        except WrongCard as wrong:
            self._refuse(f"another card is in {self.name}: {wrong}")
        else:
            found = hashlib.sha256(facts.certificate).hexdigest()
            if not facts.certificate:
                self._refuse(f"a phone that hides its certificate is on {self.name}")
            elif found != self._wanted:
                self._refuse(f"another card is in {self.name}: its certificate_sha256 is {found}")

    def _may_send(self, channel: CardChannel, verify: bytes | bytearray) -> None:
        """Ask the tries left of what is about to be verified; raises CardRemovedError when they must not be risked."""
        body = bytearray(verify[5 : 5 + verify[4]])
        right = any(body == secret for secret in self._secrets())
        wipe(body)
        if not right and not self._allow_miss:
            self._refuse("a PIN that is not this card's was about to be sent; --allow-pin-miss allows one")
        status = int.from_bytes(channel.transmit(bytes((0x00, VERIFY, verify[2], verify[3])))[-2:])
        # 9000: verified already, on this connection, and the count is not told; 6300: there is no limit.
        tries = status & 0xF if status >> 4 == 0x63C else {0x9000: TRIES_KEPT, 0x6300: 15}.get(status, 0)
        if tries < TRIES_KEPT + (not right):
            self._refuse(
                f"{tries} tries are left; a bench sends a right PIN down to {TRIES_KEPT} only, "
                "and a wrong one only above that"
            )

    def _refuse(self, line: str) -> None:
        self._stop(line)
        raise CardRemovedError("the bench lets nobody use this card")


class _GuardedChannel:
    def __init__(
        self, channel: CardChannel, may_send: Callable[[CardChannel, bytes | bytearray], None]
    ) -> None:
        self._channel, self._may_send = channel, may_send

    @property
    def atr(self) -> bytes:
        return self._channel.atr

    @property
    def protocol(self) -> str:
        return self._channel.protocol

    def transmit(self, apdu: bytes | bytearray) -> bytes:
        if len(apdu) > 1 and apdu[1] in _CHANGES_PIN:
            raise ValueError("a bench never changes a PIN")
        if len(apdu) > 5 and apdu[1] == VERIFY:
            self._may_send(self._channel, apdu)
        return self._channel.transmit(apdu)

    def still_in(self) -> bool:
        return self._channel.still_in()

    def renew(self) -> None:
        self._channel.renew()

    def close(self) -> None:
        self._channel.close()
