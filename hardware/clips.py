"""Recorded clips: folders of numbered frames with a clip.toml, and moving clips made from a still."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from hardware.camera import Image


class Condition(StrEnum):
    """What a generated clip shows."""

    CLEAN = "clean"


def write_clip(folder: Path, images: Iterable[Image], *, source: str, fps: float = 30.0) -> None:
    """Write a clip folder whole or not at all; raises OSError."""
    raise NotImplementedError


def clip_for(photo: Path, cache: Path, condition: Condition = Condition.CLEAN) -> Path:
    """Return the folder of the generated clip of a photo, made on first use under ``cache``; raises ConfigError."""
    raise NotImplementedError
