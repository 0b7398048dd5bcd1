"""Which logged-in pages show which terminal: as long as one does, and no longer, its personal news are asked for."""

from collections.abc import Callable

from reception.counter.hub import Hub
from reception.counter.sessions import Session, Sessions

STAYS_S = 8.0
"""A page that is being loaded again is the same page."""


class Viewing:
    """Kept by the page's own thread alone; ``now`` of any steady clock."""

    def __init__(self, hub: Hub, sessions: Sessions, now: Callable[[], float]) -> None:
        self._hub, self._sessions, self._now = hub, sessions, now
        self._seen: dict[tuple[str, str], tuple[Session, float, Callable[[], None]]] = {}

    def see(self, session: Session, terminal: str) -> None:
        """A page of this login shows the terminal."""
        key = session.token, terminal
        before = self._seen.get(key)
        stop = before[2] if before else self._hub.watch(terminal)
        self._seen[key] = session, self._now() + STAYS_S, stop

    def look_at_the_clock(self) -> None:
        """End what no page shows any more, and at once what a login showed that is over or locked."""
        now = self._now()
        for key, (session, until, stop) in list(self._seen.items()):
            if now >= until or not self._sessions.holds(session):
                del self._seen[key]
                stop()
