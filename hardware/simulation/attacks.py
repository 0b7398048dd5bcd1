"""People and pictures of them before a room that stays, frame by frame: what a check against photos must tell apart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from hardware.camera import Image
from hardware.simulation.moving_stills import HEIGHT, WIDTH, Condition, held, moving_portrait
from hardware.simulation.portraits import upright

FRAMES = 60


def person(photo: Path, seed: int = 1) -> Iterator[Image]:
    """Yield somebody who stands in a room and moves a little, (480, 640, 3) uint8 BGR."""
    return _before(room(seed), moving_portrait(upright(photo), Condition.CLEAN, FRAMES), _outlines(photo))


def before_a_door(photo: Path, seed: int = 1) -> Iterator[Image]:
    """Yield the same person before a door of which both posts are seen."""
    behind = room(seed)
    cv2.rectangle(behind, (180, 20), (470, HEIGHT), (30, 40, 50), -1)
    return _before(behind, moving_portrait(upright(photo), Condition.CLEAN, FRAMES), _outlines(photo))


def print_out(photo: Path, bend: float = 0.0, seed: int = 1) -> Iterator[Image]:
    """Yield a print of a portrait, held in a room and moved; ``bend`` as in moving_stills (0.002 is much)."""
    whole = np.full_like(upright(photo), 255)
    for number in range(FRAMES):
        phase = number / FRAMES
        picture, shape = held(upright(photo), phase, bend), held(whole, phase, bend, (0, 0, 0))
        yield _laid(picture, room(seed), shape)


def with_eyes_cut_out(photo: Path, seed: int = 1) -> Iterator[Image]:
    """Yield the same flat print with holes for the eyes, behind which those of somebody who blinks are seen."""
    holes = np.zeros_like(upright(photo))
    for x in (188, 272):
        cv2.ellipse(holes, (x, 182), (24, 13), 0, 0, 360, (255,) * 3, -1)
    behind = moving_portrait(upright(photo), Condition.BLINK, FRAMES)
    for number, (picture, eyes) in enumerate(zip(print_out(photo, seed=seed), behind, strict=True)):
        yield _laid(eyes, picture, held(holes, number / FRAMES, 0.0))


def telephone(photo: Path, seed: int = 1, held_still: bool = False) -> Iterator[Image]:
    """Yield a telephone on which a video of somebody in another room plays."""
    for number, image in enumerate(person(photo, seed + 1)):
        turn = 0.0 if held_still else 2 * np.pi * number / FRAMES
        shift = 22 * np.sin(2 * turn), 14 * np.sin(3 * turn + 1)
        matrix = np.array([[0.75, 0, 80 + shift[0]], [0, 0.75, 40 + shift[1]]])
        frame = cv2.copyMakeBorder(
            image[40:440, 150:490], 24, 24, 14, 14, cv2.BORDER_CONSTANT, value=(12, 12, 12)
        )
        inside = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        inside[16 : 16 + frame.shape[0], 136 : 136 + frame.shape[1]] = frame
        shape = np.zeros_like(inside)
        shape[16 : 16 + frame.shape[0], 136 : 136 + frame.shape[1]] = 255
        seen, outline = (cv2.warpAffine(each, matrix, (WIDTH, HEIGHT)) for each in (inside, shape))
        yield _laid(seen, room(seed), outline)


def room(seed: int) -> Image:
    """Return a room with pictures, a shelf and a door; another one for each seed."""
    random = np.random.default_rng(seed)
    image = np.full((HEIGHT, WIDTH, 3), random.integers(120, 200, 3), np.uint8)
    for _ in range(40):
        x, y = random.integers(0, WIDTH), random.integers(0, HEIGHT)
        size = random.integers(20, 110, 2)
        colour = tuple(int(value) for value in random.integers(40, 230, 3))
        cv2.rectangle(image, (int(x), int(y)), (int(x + size[0]), int(y + size[1])), colour, -1)
    return cast(Image, cv2.GaussianBlur(image, (0, 0), 1.5))


def _outlines(photo: Path) -> Iterator[Any]:
    shape = np.zeros_like(upright(photo))
    cv2.ellipse(shape, (230, 190), (125, 175), 0, 0, 360, (255,) * 3, -1)
    cv2.fillPoly(
        shape, [np.array([(0, 539), (40, 400), (150, 320), (310, 320), (420, 400), (459, 539)])], (255,) * 3
    )
    shape[520:] = 255
    return moving_portrait(shape, Condition.CLEAN, FRAMES)


def _before(behind: Image, pictures: Iterator[Image], outlines: Iterator[Any]) -> Iterator[Image]:
    for picture, outline in zip(pictures, outlines, strict=True):
        yield _laid(picture, behind, outline)


def _laid(picture: Any, behind: Any, outline: Any) -> Image:
    """Lay a picture over another where the outline is white; with the noise of a camera."""
    share = cv2.GaussianBlur(outline, (0, 0), 1.0).astype(np.float32) / 255
    grain = np.random.default_rng(int(picture[::40, ::40].sum())).normal(0, 2, picture.shape)
    return cast(Image, (picture * share + behind * (1 - share) + grain).clip(0, 255).astype(np.uint8))
