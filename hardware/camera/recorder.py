"""Records camera frames into a clip folder, each as it came and with its time, for exact replay."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import cv2

from config.toml_file import ConfigError
from hardware.camera import CameraError, Frame, FrameSource, Image, NewestFrames
from hardware.camera.clips import write_note

LONGEST_S = 60.0
"""Longest recording: a replay keeps the encoded frames in memory, at 30 a second up to 1 GB a minute."""


@dataclass(frozen=True)
class Recording:
    """What was written."""

    frames: int
    seconds: float
    missed: int
    """Frames that came while the disk was too slow; the others have their true times."""


def record(
    source: FrameSource,
    out: Path,
    seconds: float,
    *,
    words: str,
    stop: threading.Event | None = None,
    progress: Callable[[float, int], None] = lambda seconds, frames: None,
) -> Recording:
    """Write the frames of ``seconds``, by their stamps, as PNG (exact) into a new or empty folder.

    ``words`` tell where they come from. ``stop`` ends the recording and keeps it. ``progress`` hears of each frame.
    Raises ConfigError for a folder that cannot be used or written, CameraError when the camera fails; then nothing is
    left of the recording.
    """
    made = _prepare(out)
    kept = False
    try:
        recording = _write(source, out, seconds, words, stop or threading.Event(), progress)
        kept = True
        return recording
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}; nothing was kept") from None
    finally:
        if not kept:
            _take_back(out, made)


def _write(
    source: FrameSource,
    out: Path,
    seconds: float,
    words: str,
    stop: threading.Event,
    progress: Callable[[float, int], None],
) -> Recording:
    stamps: list[float] = []
    size = (0, 0)
    came: list[float] = []
    with closing(cast(_Closable, _frames(source, came, stop))) as frames:
        for frame in frames:
            first = stamps[0] if stamps else frame.stamp_ms
            if stop.is_set() or frame.stamp_ms - first >= seconds * 1000:
                break
            size = frame.image.shape[1], frame.image.shape[0]
            (out / f"{len(stamps):06d}.png").write_bytes(_png(frame.image))
            stamps.append(frame.stamp_ms)
            progress((frame.stamp_ms - first) / 1000, len(stamps))
    if not stamps:
        raise CameraError("the recording ended before the first picture")
    written = [stamp - stamps[0] for stamp in stamps]
    write_note(out, size, len(stamps), words, stamps_ms=written)
    passed_by = sum(stamps[0] <= stamp <= stamps[-1] for stamp in came) - len(stamps) if came else 0
    return Recording(len(stamps), written[-1] / 1000, passed_by)


def _frames(source: FrameSource, came: list[float], stop: threading.Event) -> Iterator[Frame]:
    """Yield frames as a match sees them: of a camera the newest, of a clip that waits for its reader all."""
    if not source.paced:
        return source.frames()
    return iter(NewestFrames(source, lambda frame: came.append(frame.stamp_ms), stop))


class _Closable(Protocol):
    def __iter__(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...


_QUICK = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
]
"""Exact, and quick enough for 30 frames a second: measured 8 ms and 530 KB for 640 x 480 (plain level 1: 17, 560)."""


def _png(image: Image) -> bytes:
    done, data = cv2.imencode(".png", image, _QUICK)
    if not done:
        raise OSError("a frame cannot be encoded")
    return data.tobytes()


def _prepare(out: Path) -> bool:
    """Make the folder; return whether it is new."""
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigError(f"{out}: should be a new or an empty folder; nothing in it is overwritten")
        new = not out.exists()
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be made: {error.strerror or error}") from None
    return new


def _take_back(out: Path, made: bool) -> None:
    """Remove the frames of a recording that failed."""
    if made:
        shutil.rmtree(out, ignore_errors=True)
        return
    for path in out.iterdir():
        path.unlink(missing_ok=True)
