"""The challenge: head turns and a blink, asked in an order that nobody can know before; pure, on the frames' stamps."""

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import product
from random import Random


class Move(StrEnum):
    """What is asked; left and right are the person's own."""

    TURN_LEFT = "TURN_LEFT"
    TURN_RIGHT = "TURN_RIGHT"
    BLINK = "BLINK"
    LOOK_STRAIGHT = "LOOK_STRAIGHT"
    """Between two moves, so that one turn never counts twice."""


class Failed(StrEnum):
    """Why a challenge was not met."""

    WRONG_MOVE = "WRONG_MOVE"
    TOO_LATE = "TOO_LATE"
    FACE_LEFT = "FACE_LEFT"
    """The face was gone, or another one was there."""


_TURNS = (Move.TURN_LEFT, Move.TURN_RIGHT)
TURNED = 0.13
"""Change of the yaw of CloseLook that counts as a turn: about 20 degrees of the made clips; not measured on people."""
_STRAIGHT = 0.06
_CLOSED, _OPEN = 0.75, 0.85
"""Shares of the usual opening of the eyes; facts/face.md section 5 for the first."""
_GONE_MS = 1500.0
"""Who turns far is not seen as a face for a moment."""
_JUMP, _JUMP_MS = 0.75, 200.0
"""A face that moves by that share of its width in that time was exchanged."""


def drawn(count: int, random: Random) -> list[Move]:
    """Draw the moves of a challenge: every order is equally likely, with at most one blink and never a blink alone.

    Lids behind glasses often cannot be measured, so the turns carry the challenge.
    """
    orders = [moves for moves in product((*_TURNS, Move.BLINK), repeat=count) if moves.count(Move.BLINK) <= 1]
    return list(random.choice([moves for moves in orders if set(moves) & set(_TURNS)] or [()]))


class Challenge:
    """Follows one person through the moves; a blink that is not seen in time is replaced by a turn."""

    def __init__(self, moves: Sequence[Move], step_s: float, straight: float, instead: Move) -> None:
        """Take the moves in order, the time for each, the yaw of looking straight, and the turn in place of a blink."""
        self._moves = list(moves)
        self._step_ms = step_s * 1000
        self._straight = straight
        self._instead = instead
        self.asks: Move | None = None
        """What the person is to do now; None once all was done."""
        self.failed: Failed | None = None
        self._since: float | None = None
        self._seen_ms: float | None = None
        self._at: tuple[float, float] | None = None
        self._eyes: list[float] = []
        self._closed = False
        self._ask(self._moves[0] if self._moves else None)

    def look(
        self,
        stamp_ms: float,
        yaw: float,
        eyes_open: float,
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
        elif self._is_done(turned, eyes_open):
            self._next()
        elif stamp_ms - self._since > self._step_ms:
            self._out_of_time()

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
            case Move.BLINK:
                return abs(turned) > TURNED
        return False

    def _is_done(self, turned: float, eyes_open: float) -> bool:
        match self.asks:
            case Move.TURN_LEFT:
                return turned > TURNED
            case Move.TURN_RIGHT:
                return turned < -TURNED
            case Move.BLINK:
                return self._blinked(eyes_open)
        return abs(turned) < _STRAIGHT

    def _blinked(self, eyes_open: float) -> bool:
        self._eyes.append(eyes_open)
        usual = sorted(self._eyes)[len(self._eyes) * 8 // 10]
        if len(self._eyes) < 3:
            return False
        if eyes_open < _CLOSED * usual:
            self._closed = True
        return self._closed and eyes_open > _OPEN * usual

    def _next(self) -> None:
        if self.asks is not Move.LOOK_STRAIGHT:
            self._moves.pop(0)
            self._ask(Move.LOOK_STRAIGHT)
        else:
            self._ask(self._moves[0] if self._moves else None)

    def _out_of_time(self) -> None:
        if self.asks is Move.BLINK:
            self._moves[0] = self._instead
            self._ask(self._instead)
        else:
            self.failed = Failed.TOO_LATE

    def _ask(self, move: Move | None) -> None:
        self.asks, self._since = move, None
        self._eyes, self._closed = [], False
