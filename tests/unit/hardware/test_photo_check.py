"""The photo check on rendered sequences: what it stops, and what it does not."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path

import pytest

from hardware.camera import Image
from hardware.face.photo_check import FLAT_BELOW, FRAMES, PhotoCheck
from hardware.simulation import attacks
from hardware.simulation.moving_stills import Condition, moving
from hardware.simulation.portraits import portrait_path

LANDMARKS = ((370.0, 190.0), (350.0, 190.0), (270.0, 190.0), (290.0, 190.0), (320.0, 240.0))
"""Where the face is about; the check follows it from there by itself."""


@cache
def frames(condition: Condition, name: str = "astronaut") -> list[Image]:
    return list(moving(portrait_path(name), condition))


def residuals(images: Iterable[Image], check: PhotoCheck | None = None) -> list[float]:
    """Return the residual after each frame that has one."""
    check = check or PhotoCheck()
    measured = []
    for image in images:
        check.add(image, LANDMARKS)
        if check.residual is not None:
            measured.append(check.residual)
    return measured


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
def test_a_flat_photo_does_not_pass_however_it_is_tilted_and_however_long(name: str) -> None:
    measured = residuals(frames(Condition.FLAT_PHOTO, name) * 2)
    assert len(measured) > 60
    assert max(measured) < FLAT_BELOW / 2


def test_a_photo_that_is_held_still_does_not_pass() -> None:
    still = frames(Condition.FROZEN)
    assert max(residuals(still)) < FLAT_BELOW / 4


@pytest.mark.parametrize("condition", [Condition.TURN_LEFT, Condition.TURN_RIGHT])
def test_a_head_that_turns_passes(condition: Condition) -> None:
    assert max(residuals(frames(condition))) > 2 * FLAT_BELOW


def test_a_bent_photo_passes_as_the_readme_says() -> None:
    assert max(residuals(frames(Condition.BENT_PHOTO))) > FLAT_BELOW


@pytest.mark.long
@pytest.mark.parametrize(
    ("attack", "stopped"),
    [
        (attacks.print_out, True),
        (partial(attacks.print_out, bend=0.0005), True),
        (partial(attacks.print_out, bend=0.002), False),
    ],
)
def test_before_a_room_that_stays_a_print_is_stopped_unless_it_is_bent_much(
    attack: Callable[[Path], Iterator[Image]], stopped: bool
) -> None:
    """The numbers of the guide; a telephone lies between, at the limit, as does a person who moves by 9 degrees."""
    measured = max(residuals(attack(portrait_path("astronaut"))))
    assert (measured < FLAT_BELOW / 2) is stopped
    assert (measured > FLAT_BELOW) is not stopped


def test_there_is_no_verdict_on_too_few_frames() -> None:
    check = PhotoCheck()
    assert residuals(frames(Condition.TURN_LEFT)[:FRAMES], check) == []
    assert not check.passed
    # The first frame is what the others are compared with.
    assert len(residuals(frames(Condition.TURN_LEFT)[FRAMES : FRAMES + 1], check)) == 1
    assert check.passed


def test_another_face_in_the_same_place_starts_the_check_over() -> None:
    check = PhotoCheck()
    residuals(frames(Condition.TURN_LEFT), check)
    assert (check.track, check.passed) == (1, True)
    residuals(frames(Condition.FLAT_PHOTO, "grace_hopper")[:20], check)
    assert check.track == 2
    assert check.residual is None


def test_a_short_absence_is_forgiven_and_a_long_one_starts_over() -> None:
    check = PhotoCheck()
    images = frames(Condition.TURN_LEFT)
    residuals(images[:30], check)
    for _ in range(3):
        check.add(images[30], ())
    residuals(images[30:], check)
    assert (check.track, check.passed) == (1, True)
    for _ in range(5):
        check.add(images[30], ())
    residuals(images[:3], check)
    assert (check.track, check.residual) == (2, None)


def test_nothing_is_left_after_forgetting() -> None:
    check = PhotoCheck()
    residuals(frames(Condition.TURN_LEFT)[:10], check)
    face = check._face
    check.forget()
    assert not face.any()
    assert check.residual is None
