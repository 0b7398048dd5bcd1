"""What comes and goes in a reader, whatever happens to the reader."""

import logging
from collections.abc import Callable

from hardware.card import (
    CardReader,
    Presence,
    ReaderBusy,
    ReaderError,
    ReaderStalled,
    ServiceDown,
)
from reception.flow import Event
from reception.flow.failures import FailureCode
from reception.terminal.supervisor import StopSign

_log = logging.getLogger("reception.terminal")

_WATCH_S = 3.0
"""Longest wait for a change, which is told at once; each wait begins a thread, so that few are better."""
_FIRST_RETRY_S = 0.2
"""A lost reader is first left alone this long, then ever longer."""


class ReaderWatch:
    """Tells what comes and goes in a reader; ``run`` may end by any error and be begun anew.

    ``changed`` is also told whether it was so already when the reader was found. A lost reader is tried again ever less
    often, but at least every ``longest_s``.
    """

    def __init__(
        self,
        reader: CardReader,
        longest_s: float,
        post: Callable[[Event], None],
        *,
        ready: Callable[[], Event],
        lost: Callable[[ReaderError], Event],
        changed: Callable[[Presence, bool], Event],
    ) -> None:
        self._reader, self._longest_s, self._post = reader, longest_s, post
        self._ready, self._lost, self._changed = ready, lost, changed
        self._told = Presence.EMPTY
        """What was told last; kept over a failure of ``run``, in which a card may come or go."""

    def run(self, stopping: StopSign) -> None:
        """Watch until ``stopping``, whatever happens to the reader."""
        found = False
        wait_s = shortest_s = min(_FIRST_RETRY_S, self._longest_s)
        while not stopping.is_set():
            try:
                if not found:
                    # Level before edge: a card that is in already begins a visit.
                    seen = self._reader.presence()
                    found, wait_s = True, shortest_s
                    self._post(self._ready())
                    self._tell(seen, already_in=True)
                self._tell(self._reader.wait_for_change(self._told, _WATCH_S), already_in=False)
            except ReaderError as error:
                _log.info("reader: %s", error)
                self._post(self._lost(error))
                self._told, found = Presence.EMPTY, False
                stopping.wait(wait_s)
                wait_s = min(wait_s * 2, self._longest_s)

    def _tell(self, seen: Presence, *, already_in: bool) -> None:
        if seen is not self._told:
            self._post(self._changed(seen, already_in))
            self._told = seen


def reader_failure(error: ReaderError) -> FailureCode:
    """Return what a reader that cannot be used means for the flow."""
    match error:
        case ServiceDown():
            return FailureCode.READER_SERVICE_DOWN
        case ReaderBusy():
            return FailureCode.READER_BUSY
        case ReaderStalled():
            return FailureCode.CARD_STALLED
        case _:
            return FailureCode.READER_LOST
