"""Frames from a camera or from a recorded clip; the only place that opens a camera."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, Protocol, cast, runtime_checkable

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


CameraFault = Literal["missing", "busy", "black", "frozen", "slow", "denied", "unfit"]


class CameraError(Exception):
    """No usable pictures; the subclass says why."""

    fault: CameraFault = "missing"
    """The same in one word, for who tells staff."""


class NoCamera(CameraError):
    """There is no camera of that number, or it was unplugged."""


class CameraBusy(CameraError):
    """Another program has the camera."""

    fault = "busy"


class CameraDenied(CameraError):
    """The user of this program may not use the camera."""

    fault = "denied"


class CameraUnfit(CameraError):
    """What is there gives no pictures, or none that can be used."""

    fault = "unfit"


class CameraBlack(CameraError):
    """The camera gives black pictures."""

    fault = "black"


class CameraFrozen(CameraError):
    """The camera repeats one picture."""

    fault = "frozen"


class CameraSlow(CameraError):
    """The camera gives too few pictures, or none."""

    fault = "slow"


class FrameSource(Protocol):
    """Where frames come from."""

    @property
    def paced(self) -> bool:
        """Frames arrive in real time, so that a late consumer misses some; else every frame waits to be taken."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Yield frames without end, until close(); raises CameraError."""
        ...

    def close(self) -> None:
        """Let go of the device for good; idempotent, never raises."""
        ...


@runtime_checkable
class Pluggable(Protocol):
    """A source that may be pulled out."""

    def attached(self) -> bool:
        """Whether it is plugged in, as far as that can be told without opening it."""
        ...


def attached(source: FrameSource) -> bool:
    """Tell without opening it whether a source is there; its lamp stays dark."""
    return not isinstance(source, Pluggable) or source.attached()


class CameraWatch:
    """Tells from the frames alone that a camera is not right; each fault is known within 1.5 s.

    A sensor always has noise, so equal pictures mean that no new ones come; a dark room is not black. A camera that
    was just opened may give black or equal pictures at first: until two good ones differ, it has ``WARM_UP_MS``.
    """

    WARM_UP_MS = 3000.0

    AFTER_MS = 1000.0
    """How long the pictures must be black or equal."""
    WINDOW_MS = 1500.0
    MIN_FPS = 5.0
    BLACK = 4.0
    """Mean grey value; a room in the dark (0.10 of its light) has 13."""

    def __init__(self) -> None:
        self._before: Image | None = None
        self._was_good = False
        self._black_since: float | None = None
        self._same_since: float | None = None
        self._stamps: deque[float] = deque()
        self._began: float | None = None
        self.warm = False
        """Whether two good pictures that differ have come; before, none says anything of what is there now."""

    def add(self, frame: Frame) -> None:
        """Look at the next frame; raises CameraBlack, CameraFrozen, CameraSlow."""
        now, sample = frame.stamp_ms, frame.image[::16, ::16]
        black = float(sample.mean()) < self.BLACK
        same = self._before is not None and np.array_equal(sample, self._before)
        self._before = sample.copy()
        self._began = now if self._began is None else self._began
        self.warm = self.warm or (self._was_good and not black and not same)
        self._was_good = not black
        self._black_since = (now if self._black_since is None else self._black_since) if black else None
        self._same_since = (now if self._same_since is None else self._same_since) if same else None
        if not self.warm and now - self._began < self.WARM_UP_MS:
            return
        if self._black_since is not None and now - self._black_since >= self.AFTER_MS:
            raise CameraBlack("the camera gives black pictures")
        if self._same_since is not None and now - self._same_since >= self.AFTER_MS:
            raise CameraFrozen("the camera repeats one picture")
        self._watch_pace(now)

    def _watch_pace(self, now: float) -> None:
        self._stamps.append(now)
        while self._stamps[0] < now - self.WINDOW_MS:
            first = self._stamps.popleft()
            if len(self._stamps) < self.MIN_FPS * self.WINDOW_MS / 1000:
                raise CameraSlow(
                    f"the camera gives {len(self._stamps)} pictures in {(now - first) / 1000:.1f} s"
                )


class NewestFrames:
    """Frames of a paced source, always the newest: what the consumer is too slow for is dropped, never queued.

    It begins with the second of two good frames that differ: a camera that repeats an old picture must not be believed.

    A thread of its own takes the frames, so that the preview is not held up by the work on single frames.
    """

    SILENT_AFTER_S = 1.5
    OPEN_WITHIN_S = 5.0
    """A camera may take seconds to give its first picture."""

    def __init__(
        self,
        source: FrameSource,
        on_frame: Callable[[Frame], None] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._source = source
        self._on_frame = on_frame
        self._stop = stop or threading.Event()
        self._new = threading.Condition()
        self._frame: Frame | None = None
        self._error: Exception | None = None
        self._over = False
        self._thread = threading.Thread(target=self._take, name="camera", daemon=True)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time; ends at ``stop``; raises CameraError."""
        self._thread.start()
        patience_s = self.OPEN_WITHIN_S
        try:
            while not self._stop.is_set():
                frame = self._next(patience_s)
                if frame is None:
                    return
                yield frame
                patience_s = self.SILENT_AFTER_S
        finally:
            self._over = True
            # A thread that hangs in a dead driver is left behind; it touches nothing when it comes back.
            self._thread.join(1.0)
            self._frame = None

    def _next(self, patience_s: float) -> Frame | None:
        until = time.monotonic() + patience_s
        with self._new:
            while self._frame is None and not self._stop.is_set():
                if self._error is not None:
                    raise self._error
                if self._over:
                    return None
                if time.monotonic() >= until:
                    raise CameraSlow(f"the camera gave no picture for {patience_s:.1f} s")
                self._new.wait(0.1)
            frame, self._frame = self._frame, None
            return frame

    def _take(self) -> None:
        watch = CameraWatch()
        try:
            with closing(cast("_Closable", self._source.frames())) as frames:
                for frame in frames:
                    if self._over or self._stop.is_set():
                        break
                    watch.add(frame)
                    if self._on_frame is not None:
                        self._on_frame(frame)
                    if not watch.warm:
                        continue
                    with self._new:
                        self._frame = frame
                        self._new.notify()
        except Exception as error:  # whatever it is, it belongs to the consumer
            self._error = error
        with self._new:
            self._over = True
            self._new.notify()


class _Closable(Protocol):
    def __iter__(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...


def check_camera(source: FrameSource, stop: threading.Event | None = None) -> None:
    """Take frames until two in a row are good (at most some seconds), or ``stop``; raises CameraError."""
    before: Image | None = None
    with closing(cast("_Closable", iter(NewestFrames(source, stop=stop)))) as frames:
        for frame in frames:
            if frame.image.mean() >= CameraWatch.BLACK:
                if before is not None and not np.array_equal(before, frame.image):
                    return
                before = frame.image
