"""What comes and goes in a reader, whatever happens to the reader."""

import logging
from collections.abc import Callable

from hardware.card import (
    CardReader,
    Presence,
    ReaderError,
)
from reception.flow import Event
from reception.terminal.supervisor import StopSign

_log = logging.getLogger("reception.terminal")

_WATCH_S = 1.0
_FIRST_RETRY_S = 0.2
"""A lost reader is first left alone this long, then ever longer."""


def watch(
    reader: CardReader,
    stopping: StopSign,
    longest_s: float,
    post: Callable[[Event], None],
    *,
    ready: Callable[[], Event],
    lost: Callable[[ReaderError], Event],
    changed: Callable[[Presence, bool], Event],
) -> None:
    """Tell what comes and goes, and go on after the reader was lost, until ``stopping``.

    A lost reader is tried again ever less often, but at least every ``longest_s``. ``changed`` is also told whether it
    was so already when the reader was found.
    """
    known: Presence | None = None
    wait_s = shortest_s = min(_FIRST_RETRY_S, longest_s)
    while not stopping.is_set():
        try:
            if known is None:
                # Level before edge: a card that is in already begins a visit.
                known, wait_s = reader.presence(), shortest_s
                post(ready())
                if known is not Presence.EMPTY:
                    post(changed(known, True))
            seen = reader.wait_for_change(known, _WATCH_S)
        except ReaderError as error:
            _log.info("reader: %s", error)
            post(lost(error))
            known = None
            stopping.wait(wait_s)
            wait_s = min(wait_s * 2, longest_s)
            continue
        if seen is not known:
            post(changed(seen, False))
            known = seen
