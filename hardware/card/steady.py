"""A reader that forgives what readers and cards do every day: a first power-up that fails, another program's turn."""

import time
from collections.abc import Callable

from hardware.card.channel import CardChannel, CardReader, Presence
from hardware.card.errors import CardError, CardRemovedError, CardTrouble, CardUnreadable, ReaderBusy

POWER_UP_LIMIT_S = 2.0
"""How long a card that does not answer is powered up again; contactless ones often answer at the second time."""
BUSY_LIMIT_S = 3.0
"""How long another program is waited for; what reads a card in passing is done sooner."""
_PAUSES_S = (0.05, 0.1, 0.2, 0.3)
"""Between attempts; nothing could signal that one is worth while."""


class SteadyReader:
    """A CardReader around another: as it is, but with the patience that real readers need; see CardReader."""

    def __init__(self, reader: CardReader) -> None:
        self._reader = reader

    @property
    def name(self) -> str:
        return self._reader.name

    def presence(self) -> Presence:
        return self._revived(self._reader.presence())

    def wait_for_change(self, known: Presence, timeout_s: float) -> Presence:
        seen = self._reader.wait_for_change(known, timeout_s)
        return seen if seen is known else self._revived(seen)

    def connect(self, on_busy: Callable[[], None] = lambda: None) -> CardChannel:
        """Open the card, again and again within POWER_UP_LIMIT_S, or BUSY_LIMIT_S while another program has it.

        ``on_busy`` is called once when another program is waited for. Raises as CardReader.connect.
        """
        began, told = time.monotonic(), False
        attempt = 0
        while True:
            try:
                return self._reader.connect()
            except ReaderBusy:
                if not told:
                    told = True
                    on_busy()
                if time.monotonic() - began > BUSY_LIMIT_S:
                    raise
            except (CardUnreadable, CardTrouble):
                if time.monotonic() - began > POWER_UP_LIMIT_S:
                    raise
            time.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
            attempt += 1

    def cancel(self) -> None:
        self._reader.cancel()

    def close(self) -> None:
        self._reader.close()

    def _revived(self, seen: Presence) -> Presence:
        """Power a mute card up once more, which a service does not do by itself."""
        if seen is not Presence.MUTE:
            return seen
        try:
            self.connect().close()
        except CardRemovedError:
            return Presence.EMPTY
        except CardError:
            return Presence.MUTE
        return Presence.PRESENT
