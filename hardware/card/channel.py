"""The seam between a card's meaning and its transport: every reader, real or simulated, stands behind these."""

from enum import Enum
from typing import Protocol

STALL_LIMIT_S = 5.0
"""Longest time that one command may take before the reader counts as stalled; PC/SC itself waits for ever."""


class CardChannel(Protocol):
    """An exclusive connection to the card in a reader."""

    @property
    def atr(self) -> bytes:
        """Return the card's answer to reset; a contactless reader invents one."""

    @property
    def protocol(self) -> str:
        """Return what is spoken with the card: "T=0", "T=1", or "" where nobody knows."""

    def transmit(self, apdu: bytes | bytearray) -> bytes:
        """Send one command of at least 4 bytes and return data + SW1 SW2, not interpreted.

        A bytearray may hold a PIN: no copy of it outlives the call. Raises ExchangeLost, CardReset, CardRemovedError,
        ReaderError. Nothing is ever sent twice.
        """

    def still_in(self) -> bool:
        """Look whether the card is in the reader, for as long as the reader needs to notice a removal.

        Asked after a lost exchange. Raises ReaderError.
        """

    def renew(self) -> None:
        """Go on with the same connection after CardReset; nothing is selected then. Raises as transmit."""

    def close(self) -> None:
        """Power the card off and let go of the reader; may be called twice and never raises.

        Power-off matters: a verified PIN outlives a mere disconnect.
        """


class Presence(Enum):
    """What is in a reader."""

    EMPTY = "empty"
    PRESENT = "present"
    MUTE = "mute"
    """Something is in, but does not answer."""


class CardReader(Protocol):
    """A card reader; safe to use from several threads."""

    @property
    def name(self) -> str:
        """Return the reader's name as it is shown to staff."""

    def presence(self) -> Presence:
        """Return what is in the reader now. Raises ReaderError."""

    def wait_for_change(self, known: Presence, timeout_s: float) -> Presence:
        """Return as soon as the presence differs from ``known``, or ``known`` at the timeout or on cancel().

        Raises ReaderError as soon as the reader or its service is lost, and ReaderStalled (as presence() does)
        while a command that took too long has still not come back.
        """

    def connect(self) -> CardChannel:
        """Open the card exclusively. Raises CardRemovedError when there is none, CardUnreadable, ReaderError."""

    def cancel(self) -> None:
        """Wake wait_for_change from another thread; one that starts right after is woken too."""

    def close(self) -> None:
        """Let go of everything."""
