"""The challenge: moves drawn anew, made in order and in time, by one person."""

from collections import Counter
from random import Random

import pytest

from hardware.face.challenge import Challenge, Failed, Move, drawn

L, R, STRAIGHT = Move.TURN_LEFT, Move.TURN_RIGHT, Move.LOOK_STRAIGHT
TURNED = {L: 0.3, R: -0.3}


class Person:
    """Stands before the camera, 30 frames a second, and does what the test says."""

    def __init__(self, *moves: Move, straight: float = 0.0) -> None:
        self.challenge = Challenge(moves, step_s=5.0, straight=straight)
        self.now_ms = 1000.0
        self._straight = straight

    def holds(
        self,
        yaw: float = 0.0,
        frames: int = 6,
        at: tuple[float, float] = (2.0, 1.0),
        told: bool = True,
    ) -> Move | None:
        """Keep a pose for some frames; return what is asked then."""
        for _ in range(frames):
            self.now_ms += 1000 / 30
            self.challenge.look(self.now_ms, yaw + self._straight, at, told)
        return self.challenge.asks

    def is_gone(self, seconds: float) -> None:
        for _ in range(round(seconds * 30)):
            self.now_ms += 1000 / 30
            self.challenge.look_away(self.now_ms)


def test_every_order_is_drawn() -> None:
    random = Random(1)
    for count, orders in ((1, 2), (2, 4), (3, 8)):
        seen = Counter(tuple(drawn(count, random)) for _ in range(2000))
        assert len(seen) == orders
        assert max(seen.values()) < 2 * min(seen.values())
    assert drawn(0, random) == []


@pytest.mark.parametrize("straight", [0.0, 0.12])
def test_moves_in_order_with_looking_straight_between_them_meet_the_challenge(straight: float) -> None:
    person = Person(L, R, straight=straight)
    assert person.holds() is L
    assert person.holds(0.3) is STRAIGHT
    assert person.holds() is R
    assert person.holds(-0.3) is STRAIGHT
    assert person.holds() is None
    assert person.challenge.failed is None


def test_one_long_turn_does_not_count_twice() -> None:
    person = Person(L, L)
    assert person.holds(0.3, frames=60) is STRAIGHT


@pytest.mark.parametrize(("asked", "done"), [(L, R), (R, L)])
def test_another_move_than_the_one_asked_for_fails(asked: Move, done: Move) -> None:
    person = Person(asked)
    person.holds()
    person.holds(TURNED[done])
    assert person.challenge.failed is Failed.WRONG_MOVE


def test_a_small_movement_is_no_turn_in_either_direction() -> None:
    person = Person(L)
    assert person.holds(0.08) is L
    assert person.holds(-0.08) is L
    assert person.challenge.failed is None


def test_a_turn_that_is_not_made_in_time_fails() -> None:
    person = Person(L)
    person.holds(frames=140)
    assert person.challenge.failed is None
    person.holds(frames=20)
    assert person.challenge.failed is Failed.TOO_LATE


def test_time_begins_when_the_person_has_been_told() -> None:
    person = Person(L)
    assert person.holds(0.3, frames=300, told=False) is L
    assert person.holds(frames=140) is L
    assert person.holds(0.3) is STRAIGHT


def test_a_face_that_is_gone_too_long_fails_and_a_short_absence_does_not() -> None:
    person = Person(L)
    person.holds()
    person.is_gone(1.2)
    person.holds()
    assert person.challenge.failed is None
    person.is_gone(1.7)
    assert person.challenge.failed is Failed.FACE_LEFT


def test_a_face_in_another_place_all_at_once_is_another_face() -> None:
    person = Person(L)
    person.holds()
    person.holds(at=(2.3, 1.1))
    assert person.challenge.failed is None
    person.holds(at=(3.4, 1.1))
    assert person.challenge.failed is Failed.FACE_LEFT
