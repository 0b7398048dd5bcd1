"""A recorded clip as a source of frames, in its recorded time or as fast as frames are taken."""

import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hardware.camera.frames import Frame, FrameSource

if TYPE_CHECKING:
    from hardware.camera.clips import Clip


def open_clip(path: Path, pace: Literal["recorded", "fast"] = "recorded") -> FrameSource:
    """Return a clip as an endless source; raises ConfigError for a clip that is not right."""
    from hardware.camera.clips import load_clip

    return _ClipSource(load_clip(path), pace)


class _ClipSource:
    def __init__(self, clip: "Clip", pace: Literal["recorded", "fast"]) -> None:
        self._clip = clip
        self.paced = pace == "recorded"
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        yield from recorded(self._clip, self._closed) if self.paced else self._fast()

    def close(self) -> None:
        self._closed.set()

    def _fast(self) -> Iterator[Frame]:
        clip, start = self._clip, 0.0
        while True:
            for number, stamp in enumerate(clip.stamps_ms):
                if self._closed.is_set():
                    return
                yield Frame(clip.image(number), start + stamp)
            start += clip.loop_ms


def recorded(clip: "Clip", closed: threading.Event) -> Iterator[Frame]:
    """Yield frames when they are due until ``closed``; a late consumer gets the one that is due by then."""
    began = time.monotonic() * 1000
    due = 0.0
    while not closed.is_set():
        wait = began + due - time.monotonic() * 1000
        if wait > 0 and closed.wait(wait / 1000):
            return
        rounds, within = divmod(max(due, time.monotonic() * 1000 - began), clip.loop_ms)
        number = bisect_right(clip.stamps_ms, within) - 1
        yield Frame(clip.image(number), began + rounds * clip.loop_ms + clip.stamps_ms[number])
        last = number + 1 == len(clip.stamps_ms)
        due = rounds * clip.loop_ms + (clip.loop_ms if last else clip.stamps_ms[number + 1])
