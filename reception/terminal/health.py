"""Whether the parts without a watch of their own can be used: the face engine, and the eligibility server."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from reception.terminal.supervisor import StopSign

if TYPE_CHECKING:
    from consent.eligibility import EligibilityClient
    from hardware.face.engine import FaceEngine


class PartsHealth:
    """Looks at them, tells what it sees, changed or not, and revives a dead engine.

    So an engine that dies between two visits costs no patient the way by face. One that dies at once each time is
    tried ever less often.
    ``tell`` takes the part and "ok", "down" or "unknown" (the engine is still loading), from that thread.
    """

    LOOK_S = 1.0
    """How often the engine's process is looked at."""
    ASK_S = 5.0
    """How often the server is asked; staff should know before the next patient does."""
    LONGEST_REVIVAL_S = 30.0
    ANSWER_S = 2.0
    """A server that takes longer is as good as none for who stands before the terminal."""

    def __init__(
        self, engine: "FaceEngine", server: "EligibilityClient", tell: Callable[[str, str], None]
    ) -> None:
        self._engine, self._tell = engine, tell
        # The terminal's own connection is for visits, and never waits for this one.
        self._server = server.another()
        self._revive_at, self._patience_s = 0.0, self.LOOK_S

    def close(self) -> None:
        """End; a question to the server that waits ends too."""
        self._server.close()

    def watch(self, stopping: StopSign) -> None:
        """Look for the first time, and go on until ``stopping``; wants a thread of its own."""
        asked = -self.ASK_S
        while not stopping.is_set():
            self._tell("engine", self._engine_state())
            if time.monotonic() - asked >= self.ASK_S:
                self._tell("server", "ok" if self._server.ready(self.ANSWER_S) else "down")
                asked = time.monotonic()
            stopping.wait(self.LOOK_S)

    def _engine_state(self) -> str:
        now = time.monotonic()
        if not self._engine.alive:
            if now >= self._revive_at:
                self._engine.revive()
                self._revive_at = now + self._patience_s
                self._patience_s = min(2 * self._patience_s, self.LONGEST_REVIVAL_S)
            return "down"
        if not self._engine.ready.is_set():
            return "unknown"
        self._patience_s = self.LOOK_S
        return "ok"
