"""A clip in place of a camera that can be unplugged, covered, frozen or pointed at another person."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from hardware.camera import Frame, Image, NoCamera
from hardware.camera.clips import Clip, load_clip
from hardware.camera.replay import recorded
from hardware.face.flash import Colour
from hardware.simulation.screen_light import Scene, lit


class SteerableClip:
    """A clip as a camera that a scenario can unplug, cover, freeze or point at another clip; thread-safe."""

    paced = True

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._state: Literal["good", "unplugged", "black", "frozen"] = "good"
        self._colour: Colour | None = None
        self.show(path)

    def show(self, path: Path) -> None:
        """Go on with another clip, from its start; raises ConfigError."""
        clip = load_clip(path)
        with self._lock:
            self._clip = clip

    def unplug(self) -> None:
        """Take the camera away."""
        self._turn("unplugged")

    def plug(self) -> None:
        """Bring it back in good order, whatever was wrong."""
        self._turn("good")

    def black(self) -> None:
        """Cover the lens."""
        self._turn("black")

    def freeze(self) -> None:
        """Repeat the last picture."""
        self._turn("frozen")

    def light(self, colour: Colour | None) -> None:
        """Let the light of the terminal's display fall on whoever is there; None: what it usually shows."""
        self._colour = colour

    def attached(self) -> bool:
        """Whether it is plugged in."""
        return self._state != "unplugged"

    def frames(self) -> Iterator[Frame]:
        """Yield frames without end, until close(); raises NoCamera while unplugged."""
        shown: Clip | None = None
        frozen: Image | None = None
        player: Iterator[Frame] = iter(())
        while not self._closed.is_set():
            with self._lock:
                clip, state = self._clip, self._state
            if state == "unplugged":
                raise NoCamera("the camera was unplugged")
            if clip is not shown:
                shown, player = clip, recorded(clip, self._closed)
            frame = next(player, None)
            if frame is None:
                return
            if self._colour is not None:
                frame = Frame(lit(frame.image, Scene(), self._colour), frame.stamp_ms)
            if state == "black":
                frame = Frame(np.zeros_like(frame.image), frame.stamp_ms)
            frozen = (frame.image if frozen is None else frozen) if state == "frozen" else None
            yield frame if frozen is None else Frame(frozen, frame.stamp_ms)

    def close(self) -> None:
        """End all iterations for good."""
        self._closed.set()

    def _turn(self, state: Literal["good", "unplugged", "black", "frozen"]) -> None:
        with self._lock:
            self._state = state
