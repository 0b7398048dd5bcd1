"""What the camera sees: size, pace, format, light, and whether a face in it is turned or mirrored."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from config import Camera
from hardware.camera import CameraError, Frame, FrameSource, Image, NewestFrames, open_camera, open_clip
from hardware.face.challenge import TURNED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardware.face.observation import Observation

SECONDS = 8.0
"""How long is looked: enough to step in front of it and turn the head once."""
_EVERY = 5
"""Each so many-th frame is looked at turned by 0, 90, 180 and 270 degrees."""


class Engine(Protocol):
    """What is needed of the face engine."""

    def observe(self, frame: Frame) -> "Observation":
        """Look at a frame."""
        ...

    def forget(self) -> None:
        """Lose track of the face."""
        ...


@dataclass
class Seen:
    """What was seen, frame by frame."""

    stamps_ms: list[float] = field(default_factory=list)
    brightness: list[float] = field(default_factory=list)
    faces: dict[int, list[float]] = field(default_factory=lambda: {0: [], 90: [], 180: [], 270: []})
    """By degrees clockwise to turn the picture: the finder's scores."""
    yaws: list[float] = field(default_factory=list)
    """Of the face that is upright, as it comes."""
    last: Image | None = None

    @property
    def fps(self) -> float:
        """Frames a second, by their stamps."""
        span = self.stamps_ms[-1] - self.stamps_ms[0] if len(self.stamps_ms) > 1 else 0.0
        return (len(self.stamps_ms) - 1) * 1000 / span if span else 0.0

    @property
    def turn_by(self) -> int | None:
        """By how many degrees clockwise a face becomes upright; None without a face."""
        often = {turn: (len(scores), sum(scores)) for turn, scores in self.faces.items() if scores}
        return max(often, key=lambda turn: often[turn]) if often else None

    @property
    def mirrored(self) -> bool | None:
        """Whether a head that turned to its own left was seen to turn right; None when it did not turn."""
        if len(self.yaws) < 5:
            return None
        straight = median(self.yaws[:5])
        left, right = max(self.yaws) - straight, straight - min(self.yaws)
        if max(left, right) < TURNED:
            return None
        return right > left


def report(settings: Camera, engine: Engine, say: Callable[[str], None], seconds: float = SECONDS) -> bool:
    """Look for some seconds and say what there is; return whether all is well. Nothing is kept."""
    source = open_clip(Path(settings.clip)) if settings.clip else open_camera(settings)
    say("Look into the camera, and turn your head once slowly to YOUR LEFT.")
    try:
        seen = _look(source, engine, seconds)
    except CameraError as error:
        say(f"problem: {error}")
        return False
    finally:
        source.close()
    findings = list(words(seen, settings, getattr(source, "format", "")))
    for finding in findings:
        say(finding)
    if seen.last is not None:
        _show(seen.last)
    return not any(finding.startswith("problem") for finding in findings)


def words(seen: Seen, settings: Camera, format_: str = "") -> "Iterator[str]":
    """Yield what to tell of it, line by line; what must be changed begins with "problem"."""
    if seen.last is None:
        yield "problem: no picture came"
        return
    height, width = seen.last.shape[:2]
    yield (
        f"pictures: {width} x {height} px, {seen.fps:.1f} frames a second{f', {format_}' if format_ else ''}, "
        f"brightness {median(seen.brightness):.0f} of 255"
    )
    turn = seen.turn_by
    if turn is None:
        yield "face: none was seen; stand before the camera and start this again"
    elif turn:
        yield f"problem: faces are turned; set [camera] rotate = {(settings.rotate + turn) % 360}"
    else:
        yield "face: upright"
    if turn != 0:
        return
    match seen.mirrored:
        case None:
            yield "mirror: the head did not turn far enough to tell"
        case True:
            yield f"problem: the picture is mirrored; set [camera] mirror = {'false' if settings.mirror else 'true'}"
        case False:
            yield "mirror: left is left"


def _look(source: FrameSource, engine: Engine, seconds: float) -> Seen:
    seen = Seen()
    until = time.monotonic() + seconds
    with closing(cast("_Closable", iter(NewestFrames(source)))) as frames:
        for frame in frames:
            take(seen, frame, engine)
            if time.monotonic() >= until:
                break
    return seen


def take(seen: Seen, frame: Frame, engine: Engine) -> None:
    """Measure the next frame."""
    seen.stamps_ms.append(frame.stamp_ms)
    seen.brightness.append(float(frame.image[::8, ::8].mean()))
    seen.last = frame.image
    turns: Sequence[int] = (0, 90, 180, 270) if len(seen.stamps_ms) % _EVERY == 1 else (0,)
    for turn in reversed(turns):  # upright last: what is followed from frame to frame
        image = np.ascontiguousarray(np.rot90(frame.image, -turn // 90))
        found = engine.observe(Frame(image, frame.stamp_ms))
        if found.faces and abs(found.roll_deg) < 45:
            if len(turns) > 1:
                seen.faces[turn].append(found.score)
            if turn == 0:
                seen.yaws.append(found.yaw)
        if turn:
            engine.forget()


class _Closable(Protocol):
    def __iter__(self) -> "Iterator[Frame]": ...
    def close(self) -> None: ...


def _show(image: Image) -> None:
    """Show a picture for some seconds, where there is a display; it goes through a pipe and never to a disk."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    import cv2

    done, data = cv2.imencode(".bmp", image)
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-P", "-m", "reception.patient.shown_picture"],
            input=data.tobytes() if done else b"",
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(
                    filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])
                ),
            },
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
