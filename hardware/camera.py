"""Frames from a camera or from a recorded clip; the only place that opens a camera."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(H, W, 3) uint8 BGR."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture and when it was taken."""

    image: Image
    stamp_ms: float
    """Time of an arbitrary but steady clock, ms."""


class CameraError(Exception):
    """No usable pictures; the subclass says why."""


class NoCamera(CameraError):
    """There is no camera of that number, or it was unplugged."""


class CameraBusy(CameraError):
    """Another program has the camera."""


class CameraBlack(CameraError):
    """The camera gives black pictures."""


class CameraFrozen(CameraError):
    """The camera repeats one picture."""


class CameraSlow(CameraError):
    """The camera gives too few pictures, or none."""


class FrameSource(Protocol):
    """Where frames come from."""

    paced: bool
    """Frames arrive in real time, so that a late consumer must drop some; else every frame waits to be taken."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames without end; raises CameraError."""
        ...

    def check(self) -> None:
        """Take one good frame and let go again; raises CameraError."""
        ...

    def close(self) -> None:
        """Let go of the device; idempotent."""
        ...


def open_clip(path: Path, pace: Literal["recorded", "fast"] = "recorded") -> FrameSource:
    """Return a clip as an endless source; raises ConfigError for a clip that is not right."""
    raise NotImplementedError


def open_camera(index: int) -> FrameSource:
    """Return a camera, not opened yet."""
    raise NotImplementedError


class SteerableClip:
    """A clip as a camera that a scenario can unplug, cover, freeze or point at another clip."""

    paced = True

    def __init__(self, path: Path) -> None:
        raise NotImplementedError

    def show(self, path: Path) -> None:
        """Go on with another clip; raises ConfigError."""

    def unplug(self) -> None:
        """Take the camera away."""

    def plug(self) -> None:
        """Bring it back in good order, whatever was wrong."""

    def black(self) -> None:
        """Cover the lens."""

    def freeze(self) -> None:
        """Repeat the last picture."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames without end; raises CameraError."""
        raise NotImplementedError

    def check(self) -> None:
        """Take one good frame; raises CameraError."""

    def close(self) -> None:
        """End."""
