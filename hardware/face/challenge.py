"""The challenge: head turns, asked in an order that nobody can know before; pure, on the frames' stamps."""

import math
from collections.abc import Sequence
from enum import StrEnum
from random import Random


class Move(StrEnum):
    """What is asked; left and right are the person's own."""

    TURN_LEFT = "TURN_LEFT"
    TURN_RIGHT = "TURN_RIGHT"
    LOOK_STRAIGHT = "LOOK_STRAIGHT"
    """Between two moves, so that one turn never counts twice."""


class Failed(StrEnum):
    """Why a challenge was not met."""

    WRONG_MOVE = "WRONG_MOVE"
    TOO_LATE = "TOO_LATE"
    FACE_LEFT = "FACE_LEFT"
    """The face was gone, or another one was there."""


_TURNS = (Move.TURN_LEFT, Move.TURN_RIGHT)
TURNED = 0.09
"""Change of Observation.yaw that counts as a turn: about 20 degrees of the made clips; not measured on people."""
_STRAIGHT = 0.04
_GONE_MS = 1500.0
"""Who turns far is not seen as a face for a moment."""
_JUMP, _JUMP_MS = 0.75, 200.0
"""A face that moves by that share of its width in that time was exchanged."""


def drawn(count: int, random: Random) -> list[Move]:
    """Draw the moves of a challenge: every order is equally likely."""
    return [random.choice(_TURNS) for _ in range(count)]


class Challenge:
    """Follows one person through the moves."""

    def __init__(self, moves: Sequence[Move], step_s: float, straight: float) -> None:
        """Take the moves in order, the time for each, and the yaw of looking straight."""
        self._moves = list(moves)
        self._step_ms = step_s * 1000
        self._straight = straight
        self.asks: Move | None = None
        """What the person is to do now; None once all was done."""
        self.failed: Failed | None = None
        self._since: float | None = None
        self._seen_ms: float | None = None
        self._at: tuple[float, float] | None = None
        self._ask(self._moves[0] if self._moves else None)

    def look(
        self,
        stamp_ms: float,
        yaw: float,
        at: tuple[float, float] = (0.0, 0.0),
        told: bool = True,
    ) -> None:
        """Take the next frame with exactly one face; ``at`` is where it is, counted in its own widths.

        Time for a move, and what counts as one, begins when the person has been ``told``.
        """
        gone_ms = stamp_ms - self._seen_ms if self._seen_ms is not None else 0.0
        if self._at is not None and gone_ms < _JUMP_MS and math.dist(at, self._at) > _JUMP:
            self.failed = Failed.FACE_LEFT
        self._seen_ms, self._at = stamp_ms, at
        if self._since is None and told:
            self._since = stamp_ms
        if self._since is None or self.asks is None or self.failed:
            return
        turned = yaw - self._straight
        if self._is_wrong(turned):
            self.failed = Failed.WRONG_MOVE
        elif self._is_done(turned):
            self._next()
        elif stamp_ms - self._since > self._step_ms:
            self.failed = Failed.TOO_LATE

    def look_away(self, stamp_ms: float) -> None:
        """Take the next frame without a face, or with two."""
        self._seen_ms = stamp_ms if self._seen_ms is None else self._seen_ms
        if stamp_ms - self._seen_ms > _GONE_MS:
            self.failed = Failed.FACE_LEFT

    def _is_wrong(self, turned: float) -> bool:
        match self.asks:
            case Move.TURN_LEFT:
                return turned < -TURNED
            case Move.TURN_RIGHT:
                return turned > TURNED
        return False

    def _is_done(self, turned: float) -> bool:
        match self.asks:
            case Move.TURN_LEFT:
                return turned > TURNED
            case Move.TURN_RIGHT:
                return turned < -TURNED
        return abs(turned) < _STRAIGHT

    def _next(self) -> None:
        if self.asks is not Move.LOOK_STRAIGHT:
            self._moves.pop(0)
            self._ask(Move.LOOK_STRAIGHT)
        else:
            self._ask(self._moves[0] if self._moves else None)

    def _ask(self, move: Move | None) -> None:
        self.asks, self._since = move, None
