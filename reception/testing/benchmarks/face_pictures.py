"""Single pictures as the two sides of a face match: as a card holds them, and as the terminal's camera sees them."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

import config
from hardware.camera import Image
from hardware.face.engine import models
from hardware.face.engine.embedder import SFACE, Points
from hardware.face.engine.look import Look
from hardware.face.engine.wire import PhotoUnusable
from hardware.face.policy import gate
from hardware.simulation.moving_stills import Condition, moving_portrait
from hardware.simulation.portraits import EYES_APART, EYES_AT, card_photo_of

PLAIN, CARD = "picture", "card"
"""Sides: the picture as it is; the picture as a card holds it. Other sides are names of a Condition."""

EDITION = 2
"""Raise it when the same picture would give other embeddings: it is part of every key of a cache."""

Vectors = NDArray[np.float32]
"""(frames, 2, 128) float32: embedding and embedding of the mirrored face, for each frame that shows a face."""

_LARGEST = 1000
"""A larger picture is made smaller before a face is looked for, px of the longer side."""


@dataclass(frozen=True)
class Side:
    """One side of comparisons with one picture."""

    vectors: Vectors
    verdicts: tuple[str, ...] = ()
    """For each of them what the gate asks for, "" when it is good."""
    failure: str = ""
    """Why there are none."""


def model_key(network: str = SFACE) -> str:
    """Return what makes embeddings comparable: the weights' hash and the edition of this module."""
    weights = models.SFACE if network == SFACE else models.DLIB_NETWORK
    return f"{weights.sha256[:16]}-{EDITION}"


class Pictures:
    """Makes sides from picture files by one network; keeps nothing between calls."""

    def __init__(self, network: str = SFACE) -> None:
        self._look = Look(network)
        self._limits = config.Gate()

    def side(self, data: bytes, kind: str, frames: int) -> Side:
        """Return a picture file as one side; frames only matters for a condition. Never raises for a bad picture."""
        image = _decoded(data)
        if image is None:
            return _failed("is not a picture")
        found = self._face(image)
        if found is None:
            return _failed("no face found")
        if kind == PLAIN:
            return Side(self._both_ways([self._look.embedder.aligned(image, found)]), ("",))
        portrait = _framed(image, found)
        return self._card(portrait) if kind == CARD else self._seen(portrait, Condition(kind), frames)

    def _card(self, portrait: Image) -> Side:
        try:
            return Side(self._both_ways([self._look.photo_chip(card_photo_of(portrait))]), ("",))
        except PhotoUnusable as error:
            return _failed(str(error))

    def _seen(self, portrait: Image, condition: Condition, frames: int) -> Side:
        chips, verdicts = [], []
        for image in moving_portrait(portrait, condition, frames):
            self._look.forget()
            # The look for somebody far away comes with the third miss, where the finder needs one.
            for _ in range(3):
                seen = self._look.observe(image)
                if seen.faces:
                    verdict = gate(seen, image.shape[0], self._limits)
                    chips.append(self._look.chip())
                    verdicts.append(verdict.value if verdict else "")
                    break
        return Side(self._both_ways(chips), tuple(verdicts)) if chips else _failed("no face found")

    def _both_ways(self, chips: list[Any]) -> Vectors:
        embed = self._look.embedding_of
        return np.array(
            [(embed(chip), embed(np.ascontiguousarray(chip[:, ::-1]))) for chip in chips], np.float32
        )

    def _face(self, image: Image) -> Points | None:
        """Return the five points of the largest face, None without one."""
        scale = min(1.0, _LARGEST / max(image.shape[:2]))
        small = image
        if scale < 1:
            small = cast(Image, cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        points = self._look.points_in(small, cast(Any, cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)))
        return None if points is None else points / scale


class _Process:
    """A process of a pool: its Pictures, made once."""

    pictures: Pictures


def start_process(network: str) -> None:
    """Prepare a process of a pool; Ctrl-C is for the one that gives the work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Process.pictures = Pictures(network)


def side_of_file(path: Path, kind: str, frames: int) -> Side:
    """Return a picture file as one side, in a process prepared by start_process()."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return _failed(f"cannot be read: {error.strerror or error}")
    return _Process.pictures.side(data, kind, frames)


def _failed(why: str) -> Side:
    return Side(np.zeros((0, 2, 128), np.float32), failure=why)


def _decoded(data: bytes) -> Image | None:
    """Return a picture of usable size as (H, W, 3) uint8 BGR, None for anything else."""
    quiet = cv2.utils.logging
    before = quiet.setLogLevel(quiet.LOG_LEVEL_SILENT)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:
        return None
    finally:
        quiet.setLogLevel(before)
    return cast(Image, image) if image is not None and min(image.shape[:2]) >= 32 else None


def _framed(image: Image, points: Points) -> Image:
    """Return the face in the framing of the shipped portraits, (540, 460, 3); what the picture lacks is its edge."""
    outer = points[[0, 2]]
    apart = float(np.hypot(*(outer[0] - outer[1]))) or 1.0
    scale = EYES_APART / apart
    middle = outer.mean(axis=0)
    shift = np.array(EYES_AT) - scale * middle
    # A much larger picture is first made smaller as a whole, so that its fine pattern does not turn into noise.
    if scale < 0.5:
        image = cast(Image, cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        scale = 1.0
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    framed = cv2.warpAffine(
        image, matrix, (460, 540), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cast(Image, framed)
