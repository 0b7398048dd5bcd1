"""Moving clips made from a still, always the same for the same still: for benches, demonstrations and tests."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from config import ConfigError
from hardware.camera import Image
from hardware.camera.clips import write_clip
from hardware.simulation.portraits import EYES_AT, portrait_path, upright

_log = logging.getLogger("reception.clips")

WIDTH, HEIGHT, FPS, FRAMES = 640, 480, 30.0, 60
_EDITION = 4
"""Part of the cache key; raise it when the pictures change."""
_MARGIN = 320
"""Backdrop around the portrait, px."""


class Condition(StrEnum):
    """What a generated clip shows; all but the last eight hold one face."""

    TURN_LEFT = "turn-left"
    """Once to the person's own left and back, 30 degrees; the next two likewise begin and end looking straight."""
    TURN_RIGHT = "turn-right"
    BLINK = "blink"
    FLAT_PHOTO = "flat-photo"
    """A print that is moved and tilted by up to 25 degrees."""
    BENT_PHOTO = "bent-photo"
    """The same print, bent to a part of a cylinder."""

    CLEAN = "clean"
    NOISE = "noise"
    DAPPLED = "dappled"
    """Light that dances over the face: of grace_hopper, one frame alone is not close enough, the mean of three is."""
    DIM = "dim"
    DARK = "dark"
    BRIGHT = "bright"
    BACKLIGHT = "backlight"
    SIDE_LIGHT = "side-light"
    BLUR_START = "blur-start"
    BLURRED = "blurred"
    TILT = "tilt"
    TILT_FAR = "tilt-far"
    HAT = "hat"
    MASK = "mask"
    SUNGLASSES = "sunglasses"
    SMALL_100 = "small-100"
    """Hardly larger than the gate asks for."""
    SMALL_75 = "small-75"
    SMALL_60 = "small-60"
    NEAR = "near"
    LOW = "low"
    """As a wheelchair user stands in a picture taken for others: the face in the lower third."""
    JPEG_30 = "jpeg-30"
    TWO_PEOPLE = "two-people"
    EMPTY = "empty"
    BLACK = "black"
    FROZEN = "frozen"


@dataclass(frozen=True)
class _Look:
    scale: float = 1.0
    roll_deg: float = 0.0
    eyes_at: tuple[float, float] = (WIDTH / 2, 190.0)
    noise: float = 3.0
    light: float = 1.0
    quality: int = 0
    """JPEG quality of the camera; 0: it does not compress."""


_LOOKS = {
    Condition.NOISE: _Look(noise=20),
    Condition.DIM: _Look(light=0.22),
    Condition.DARK: _Look(light=0.10),
    Condition.BRIGHT: _Look(light=3.2),
    Condition.TILT: _Look(roll_deg=10),
    Condition.TILT_FAR: _Look(roll_deg=28),
    Condition.SMALL_100: _Look(scale=100 / 180),
    Condition.SMALL_75: _Look(scale=74 / 180),
    Condition.SMALL_60: _Look(scale=60 / 180),
    Condition.NEAR: _Look(scale=2.75, eyes_at=(WIDTH / 2, 170)),
    Condition.LOW: _Look(scale=0.9, eyes_at=(WIDTH / 2, 330)),
    Condition.JPEG_30: _Look(quality=30),
}


_TURNS = {Condition.TURN_LEFT: 30.0, Condition.TURN_RIGHT: -30.0}
_BENDS = {Condition.FLAT_PHOTO: 0.0, Condition.BENT_PHOTO: 0.002}
_EYE_X = 40
"""Distance of each eye from the middle between them in the framing of the shipped portraits, px."""


def clip_for(photo: Path, cache: Path, condition: Condition = Condition.CLEAN) -> Path:
    """Return the folder of the moving clip of a photo, made on first use under ``cache``; raises ConfigError."""
    key = hashlib.sha256(f"{_EDITION} {condition}".encode() + photo_bytes(photo)).hexdigest()[:12]
    folder = cache / f"{photo.stem}-{condition}-{key}"
    if folder.is_dir():
        return folder
    try:
        write_clip(
            folder,
            moving(photo, condition),
            source=f"made from {photo.name}, condition {condition}, by hardware/simulation/moving_stills.py",
            fps=FPS,
        )
    except OSError as error:
        if not folder.is_dir():  # else another process was faster
            raise ConfigError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return folder


def photo_bytes(photo: Path) -> bytes:
    """Return the file's content; raises ConfigError."""
    try:
        return photo.read_bytes()
    except OSError as error:
        raise ConfigError(f"{photo}: cannot be read: {error.strerror or error}") from None


def moving(photo: Path, condition: Condition = Condition.CLEAN, frames: int = FRAMES) -> Iterator[Image]:
    """Yield one round of movement, (480, 640, 3) uint8 BGR; the last frame leads smoothly to the first.

    Same photo and condition, same frames. Raises ConfigError for a photo that is no picture.
    """
    if condition is Condition.BLACK:
        return iter([np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * frames)
    look = _LOOKS.get(condition, _Look())
    if condition is Condition.TWO_PEOPLE:
        pictures = _two_people(photo, frames)
    elif condition is Condition.EMPTY:
        pictures = iter([_room()] * frames)
    elif condition in _BENDS:
        print_out = _with_backdrop(upright(photo))
        pictures = (_held(print_out, number / frames, _BENDS[condition]) for number in range(frames))
    else:
        pictures = _one_person(upright(photo), condition, look, frames)
    finished = _seen_by_camera(pictures, condition, look, blurred=frames // 6)
    if condition is Condition.FROZEN:
        return iter([next(finished)] * frames)
    return finished


def moving_portrait(portrait: Image, condition: Condition, frames: int) -> Iterator[Image]:
    """Yield one round of movement of a picture that is framed as upright() frames it; of one person, that is."""
    look = _LOOKS.get(condition, _Look())
    pictures = _one_person(portrait, condition, look, frames)
    return _seen_by_camera(pictures, condition, look, blurred=frames // 6)


def _one_person(portrait: Image, condition: Condition, look: _Look, frames: int) -> Iterator[Image]:
    portrait = portrait.copy()
    _dress(portrait, condition)
    canvas = _with_backdrop(portrait)
    for number in range(frames):
        phase = number / frames
        yield _posed(canvas, phase, look, _TURNS.get(condition), condition is Condition.BLINK)


def _two_people(photo: Path, frames: int) -> Iterator[Image]:
    other = portrait_path("grace_hopper" if photo.stem != "grace_hopper" else "astronaut")
    left, right = (_with_backdrop(upright(path)) for path in (photo, other))
    for number in range(frames):
        image = _posed(left, number / frames, _Look(scale=0.85, eyes_at=(165, 190)))
        there = _posed(right, number / frames + 0.3, _Look(scale=0.85, eyes_at=(480, 190)))
        image[:, WIDTH // 2 :] = there[:, WIDTH // 2 :]
        yield image


def _with_backdrop(portrait: Image) -> Image:
    """Surround a portrait with what could be a room: its own mirrored edges, out of focus."""
    margin = _MARGIN
    wide = cv2.copyMakeBorder(portrait, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    soft = cv2.resize(
        cv2.GaussianBlur(cv2.resize(wide, None, fx=0.125, fy=0.125), (0, 0), 9), wide.shape[1::-1]
    )
    # Only the portrait and what its soft edge reaches, a quarter of the whole, has anything to mix.
    reach = 64
    mixed = (slice(margin - reach, reach - margin),) * 2
    height, width = portrait.shape[:2]
    inside = np.zeros((height + 2 * reach, width + 2 * reach), np.float32)
    inside[reach + 12 : -reach, reach + 24 : -reach - 24] = 1
    inside = cv2.GaussianBlur(inside, (0, 0), 8)[:, :, None]
    soft[mixed] = (wide[mixed] * inside + soft[mixed] * (1 - inside)).astype(np.uint8)
    return cast(Image, soft)


def held(portrait: Image, phase: float, bend: float, beyond: tuple[int, int, int] = (0, 0, 0)) -> Image:
    """Return a portrait that is framed as upright() frames it as a print in somebody's hands, ``beyond`` around it."""
    around = cv2.copyMakeBorder(portrait, *(_MARGIN,) * 4, cv2.BORDER_CONSTANT, value=beyond)
    return _held(cast(Image, around), phase, bend)


def _held(canvas: Image, phase: float, bend: float) -> Image:
    """Return a print in somebody's hands; ``bend`` is how far its sides stand back, px per px² from the middle."""
    turn = 2 * np.pi * phase
    tilt = np.radians(25) * np.sin(turn), np.radians(15) * np.sin(turn + 1), np.radians(4) * np.sin(turn + 2)
    about = cv2.Rodrigues(np.array([tilt[1], tilt[0], 0.0]))[0] @ cv2.Rodrigues(np.array([0, 0, tilt[2]]))[0]
    away = 900.0
    lens = np.array(
        [[away, 0, WIDTH / 2 + 25 * np.sin(turn + 3)], [0, away, 190 + 15 * np.sin(turn)], [0, 0, 1]]
    )
    rays = np.linalg.inv(lens)
    step = 4
    rows, columns = np.mgrid[0 : HEIGHT + step : step, 0 : WIDTH + step : step].astype(float)
    seen = np.tensordot(rays, np.stack([columns, rows, np.ones_like(rows)]), 1)
    back = np.zeros_like(rows)
    place = np.zeros_like(seen)
    for _ in range(4):  # where a ray meets the paper depends on how far the paper is bent there
        middle = about[:, 2, None, None] * back + np.array([0, 0, away])[:, None, None]
        place = seen * (np.tensordot(about[:, 2], middle, 1) / np.tensordot(about[:, 2], seen, 1)) - middle
        back = bend * np.clip(np.tensordot(about[:, 0], place, 1), -200, 200) ** 2
    x = np.tensordot(about[:, 0], place, 1) + EYES_AT[0] + _MARGIN
    y = np.tensordot(about[:, 1], place, 1) + EYES_AT[1] + _MARGIN
    map_x, map_y = (_finer(axis.astype(np.float32), step) for axis in (x, y))
    return cast(Image, cv2.remap(canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _posed(
    canvas: Image, phase: float, look: _Look, turn_deg: float | None = None, blinks: bool = False
) -> Image:
    """Return the person at one moment of the movement; ``phase`` 0 to 1 is one round."""
    turn = 2 * np.pi * phase
    yaw = np.radians(9) * np.sin(turn)
    if turn_deg is not None or blinks:
        yaw = np.radians(turn_deg or 0.0) * np.sin(turn / 2) ** 2
    roll = np.radians(look.roll_deg + 1.5 * np.sin(turn + 0.8))
    scale = look.scale * (1 + 0.03 * np.sin(turn + 2))
    centre_x = look.eyes_at[0] + look.scale * (14 * np.sin(turn + 1) + 3 * np.sin(3 * turn))
    centre_y = look.eyes_at[1] + look.scale * (7 * np.sin(2 * turn) + 2 * np.sin(5 * turn))
    # The way back, from picture to canvas, on a coarse grid: the movement is smooth.
    step = 8
    rows, columns = np.mgrid[0 : HEIGHT + step : step, 0 : WIDTH + step : step].astype(np.float32)
    x, y = (columns - centre_x) / scale, (rows - centre_y) / scale
    x, y = x * np.cos(roll) + y * np.sin(roll), y * np.cos(roll) - x * np.sin(roll)
    if blinks:
        # The skin above each eye comes down over it.
        closed = np.exp(-(((phase - 0.4) / 0.07) ** 2))
        for eye in (-_EYE_X, _EYE_X):
            y = y - closed * 17 * np.exp(-(((x - eye) / 24) ** 4) - ((y - 2) / 15) ** 2)
    if turn_deg is None:
        depth = 62 * np.exp(-((x / 90) ** 2) - ((y - 35) / 125) ** 2)
        x = x - depth * np.sin(yaw)
    else:
        x = _turned(x, y, yaw)
    x = x + EYES_AT[0] + _MARGIN
    y = y + EYES_AT[1] + _MARGIN
    map_x, map_y = (_finer(axis.astype(np.float32), step) for axis in (x, y))
    seen = cv2.remap(canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cast(Image, seen)


def _turned(x: Any, y: Any, yaw: float) -> Any:
    """Return where on the portrait a turned head shows what; with a nose, which a small movement does without."""
    at = x
    for _ in range(12):  # how far a point moves depends on the depth of the point, not of where it is seen
        depth = 62 * np.exp(-((at / 90) ** 2) - ((y - 35) / 125) ** 2)
        nose = 26 * np.exp(-((at / 30) ** 2) - ((y - 50) / 34) ** 2)
        at = x - (depth + nose) * np.sin(yaw)
    return at


def _finer(grid: Any, step: int) -> Any:
    """Spread a grid of every ``step``-th px over all of them, exactly."""
    matrix = np.array([[step, 0, 0], [0, step, 0]], np.float32)
    return cv2.warpAffine(
        grid, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _seen_by_camera(
    pictures: Iterator[Image], condition: Condition, look: _Look, blurred: int
) -> Iterator[Image]:
    random, spots = np.random.default_rng(2026), np.random.default_rng(3)
    grain = _grain(look.noise)
    shade = _shade(condition)
    for number, image in enumerate(pictures):
        if look.light != 1:
            image = cast(Image, cv2.convertScaleAbs(image, alpha=look.light))
        if shade is not None:
            image = cast(
                Image, cv2.add(cv2.multiply(image, shade[0], dtype=cv2.CV_8U), shade[1], dtype=cv2.CV_8U)
            )
        if condition is Condition.BLURRED or (condition is Condition.BLUR_START and number < blurred):
            image = motion_blurred(image)
        if condition is Condition.DAPPLED:
            image = cast(Image, cv2.add(image, _dapples(spots), dtype=cv2.CV_8U))
        top, left = random.integers(0, 64, 2)
        image = cast(Image, cv2.add(image, grain[top : top + HEIGHT, left : left + WIDTH], dtype=cv2.CV_8U))
        yield _compressed(image, look.quality) if look.quality else image


@lru_cache(1)
def _grain(noise: float) -> Any:
    """Return what a sensor adds, (H + 64, W + 64, 3) int16, of which each frame takes another part."""
    grain = np.empty((HEIGHT + 64, WIDTH + 64, 3), np.int16)
    cv2.setRNGSeed(2026)
    cv2.randn(grain, np.zeros(3), np.full(3, noise))
    return grain


def _compressed(image: Image, quality: int) -> Image:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cast(Image, cv2.imdecode(data, cv2.IMREAD_COLOR))


def motion_blurred(image: Image) -> Image:
    """Return a frame as of a face that moves sideways, 17 px within the exposure."""
    return cast(Image, cv2.filter2D(image, -1, np.full((1, 17), 1 / 17, np.float32)))


def _dapples(random: np.random.Generator) -> Any:
    """Return spots of light and shade of about the size of an eye, (H, W, 3) float32; others each time."""
    coarse = random.standard_normal((HEIGHT // 8, WIDTH // 8)).astype(np.float32)
    spots = cv2.GaussianBlur(coarse, (0, 0), 18 / 8)
    return cv2.merge(
        [cv2.resize(spots / spots.std() * 66, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)] * 3
    )


def _shade(condition: Condition) -> tuple[Any, Any] | None:
    """Return factor and addend per px, (H, W, 3) float32 and uint8, of a light that is not even."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    if condition is Condition.SIDE_LIGHT:
        factor = 0.3 + 0.95 / (1 + np.exp((columns - WIDTH / 2) / 45))
        addend = np.zeros_like(factor)
    elif condition is Condition.BACKLIGHT:
        away = np.hypot((columns - WIDTH / 2) / 150, (rows - 235) / 215)
        behind = 1 / (1 + np.exp((1 - away) * 14))
        factor, addend = 0.48 + 0.3 * behind, 150 * behind
    else:
        return None
    return cv2.merge([factor] * 3), cv2.merge([addend.astype(np.uint8)] * 3)


def _room() -> Image:
    """Return a waiting room without anybody: a wall, a floor, a door."""
    image = np.full((HEIGHT, WIDTH, 3), (176, 184, 188), np.uint8)
    image[330:] = (96, 110, 124)
    cv2.rectangle(image, (430, 90), (560, 330), (120, 140, 158), -1)
    return cast(Image, cv2.GaussianBlur(image, (0, 0), 6))


MASK_VALUES = {"white": 240, "grey": 150, "black": 25, "jet black": 8}
"""Grey values for masked()."""


_MASK = [(148, 225), (190, 212), (230, 206), (270, 212), (312, 225), (300, 290), (230, 335), (160, 290)]
"""Outline of a mask in the framing of the shipped portraits, px: from the bridge of the nose to below the chin."""


def masked(photo: Path, value: int, light: float, frames: int = FRAMES) -> Iterator[Image]:
    """Yield the person with a plain mask of a grey value over nose and mouth, in a share of the full light."""
    portrait = upright(photo).copy()
    cv2.fillPoly(portrait, [np.array(_MASK, np.int32)], (value,) * 3, cv2.LINE_AA)
    for number, image in enumerate(moving_portrait(portrait, Condition.CLEAN, frames)):
        grain = np.random.default_rng(number).normal(0, 3, image.shape)
        yield cast(Image, (image * light + grain).clip(0, 255).astype(np.uint8))


def _dress(portrait: Image, condition: Condition) -> None:
    """Draw on a portrait, in its own framing: eyes at (230, 180), 113 px apart."""
    if condition is Condition.HAT:
        cv2.ellipse(portrait, (230, 100), (125, 105), 0, 180, 360, (60, 52, 46), -1, cv2.LINE_AA)
        cv2.ellipse(portrait, (230, 112), (150, 30), 0, 0, 360, (48, 42, 38), -1, cv2.LINE_AA)
    elif condition is Condition.MASK:
        points = [
            (148, 205),
            (190, 190),
            (230, 182),
            (270, 190),
            (312, 205),
            (300, 290),
            (230, 335),
            (160, 290),
        ]
        cv2.fillPoly(portrait, [np.array(points, np.int32)], (226, 214, 196), cv2.LINE_AA)
        for row in (225, 250, 275):
            cv2.line(portrait, (165, row), (295, row), (205, 192, 174), 1, cv2.LINE_AA)
    elif condition is Condition.SUNGLASSES:
        for x in (188, 272):
            cv2.ellipse(portrait, (x, 184), (40, 29), 0, 0, 360, (24, 20, 20), -1, cv2.LINE_AA)
        cv2.line(portrait, (140, 172), (320, 172), (20, 18, 18), 6, cv2.LINE_AA)
