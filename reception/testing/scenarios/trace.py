"""What happened while a scenario was played, for the report: snapshots, card commands, requests to the server.

Nothing personal is in it: commands without their bodies, requests without theirs.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from consent.eligibility.transport import REQUEST
from hardware.card.link import TRACE
from reception.terminal.snapshot import Snapshot

_LOOKS = ("/health", "/ready")
"""How the terminal looks every few seconds whether the server is there; no part of a visit."""


@dataclass(frozen=True)
class CardCommand:
    """One command to the card and its answer; ``seconds`` since the scenario began."""

    seconds: float
    header: str
    """CLA INS P1 P2, in hex."""
    body: str
    """Hex of what a SELECT names; every other body as one XX per byte."""
    expected: int | None
    """Bytes asked for (Le)."""
    answered: int
    """Bytes of data that came."""
    status: str
    """SW1 SW2, in hex."""


@dataclass(frozen=True)
class ServerRequest:
    """One request to the eligibility server; ``seconds`` since the scenario began, when it was answered."""

    seconds: float
    method: str
    path: str
    status: str
    """The HTTP status, or what went wrong, as TimedOut."""
    ms: float


@dataclass
class Trace:
    """All of it, in the order in which it happened."""

    began: float = field(default_factory=time.monotonic)
    snapshots: list[tuple[float, Snapshot]] = field(default_factory=list)
    """Each with its seconds since the scenario began."""
    commands: list[CardCommand] = field(default_factory=list)
    requests: list[ServerRequest] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take up what card and server are asked, from now to the end of the context."""
        with ExitStack() as ends:
            ends.enter_context(_listening("reception.card", TRACE, self._command))
            ends.enter_context(_listening("reception.eligibility", REQUEST, self._request))
            yield

    def _command(self, said: Any) -> None:
        cla, ins, p1, p2, _, body, expected, answered, status = said
        header = f"{cla:02X} {ins:02X} {p1:02X} {p2:02X}"
        self.commands.append(CardCommand(self._now(), header, body, expected, answered, status))

    def _request(self, said: Any) -> None:
        method, path, status, ms = said
        if path in _LOOKS:
            return
        self.requests.append(ServerRequest(self._now(), method, path, status, ms))

    def _now(self) -> float:
        return round(time.monotonic() - self.began, 4)


@contextmanager
def _listening(name: str, level: int, note: Callable[[Any], None]) -> Iterator[None]:
    """Hear a logger's records of one level, without any log getting longer."""
    logger = logging.getLogger(name)
    before, written = logger.level, logger.getEffectiveLevel()

    def hear(record: logging.LogRecord) -> bool:
        if record.levelno == level:
            note(record.args)
        return record.levelno >= written

    logger.addFilter(hear)
    logger.setLevel(min(level, written))
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeFilter(hear)
