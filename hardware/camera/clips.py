"""Recorded clips on disk: a folder of numbered frames with a clip.toml."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, cast

import cv2
import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as checked

from config.toml_file import STRICT, ConfigError, TomlFile, read_whole
from hardware.camera.frames import Image

_PICTURES = {".jpg", ".jpeg", ".png"}
_sizes: dict[bytes, tuple[int, int]] = {}
"""Width and height of the pictures that were decoded before, by their SHA-256: benches load the same clips again."""


@checked(frozen=True, config=STRICT)
class ClipNote:
    """What clip.toml may hold; either fps or stamps_ms."""

    size: tuple[Annotated[int, Field(ge=16, le=8192)], Annotated[int, Field(ge=16, le=8192)]]
    """Width and height, px."""
    source: Annotated[str, Field(min_length=1, max_length=500)]
    """Where the frames come from."""
    fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    stamps_ms: Annotated[list[float], Field(min_length=1)] | None = None
    """When each frame was taken, ms from the first."""
    frames: Annotated[int, Field(ge=1)] | None = None
    """How many frames there are; without it, what is there is taken for all."""


LARGEST_PICTURE = 20_000_000
"""Bytes of one picture file."""


@dataclass(frozen=True)
class Clip:
    """A clip that was checked when it was loaded; frames stay encoded, for they are many."""

    folder: Path
    stamps_ms: tuple[float, ...]
    loop_ms: float
    """Time from the first frame to the first frame of the next round."""
    pictures: tuple[bytes, ...] = field(repr=False)

    def image(self, number: int) -> Image:
        """Return a frame, (H, W, 3) uint8 BGR."""
        return cast(Image, cv2.imdecode(np.frombuffer(self.pictures[number], np.uint8), cv2.IMREAD_COLOR))


def load_clip(folder: Path) -> Clip:
    """Read and check a clip folder; raises ConfigError naming the file, and the key where there is one."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such clip folder")
    file = TomlFile.read(folder / "clip.toml")
    note = file.parse(ClipNote)
    if (note.fps is None) == (note.stamps_ms is None):
        raise file.mistake(() if note.fps is None else ("fps",), "give either fps or stamps_ms")
    paths = _numbered(folder)
    expected = note.frames or (len(note.stamps_ms) if note.stamps_ms else len(paths))
    _no_gap(folder, paths, expected)
    stamps = tuple(note.stamps_ms or (number * 1000 / (note.fps or 1) for number in range(expected)))
    if len(stamps) != expected or any(later <= earlier for earlier, later in pairwise(stamps)):
        raise file.mistake(("stamps_ms",), "should have one ascending value per frame")
    first = stamps[0]
    step = (stamps[-1] - first) / (len(stamps) - 1) if len(stamps) > 1 else 1000 / (note.fps or 30)
    with ThreadPoolExecutor() as pool:
        pictures = tuple(
            pool.map(lambda path: _checked(path, note.size), [paths[key] for key in sorted(paths)])
        )
    return Clip(folder, tuple(stamp - first for stamp in stamps), stamps[-1] - first + step, pictures)


def write_clip(
    folder: Path,
    images: Iterable[Image],
    *,
    source: str,
    fps: float = 30.0,
    stamps_ms: list[float] | None = None,
    quality: int = 90,
) -> None:
    """Write a clip folder whole or not at all, JPEG frames; raises OSError, also when the folder is there already."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        count, size = 0, (0, 0)
        for image in images:
            done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if not done:
                raise OSError(f"{folder}: frame {count} cannot be written")
            (unfinished / f"{count:04d}.jpg").write_bytes(data.tobytes())
            size = (image.shape[1], image.shape[0])
            count += 1
        write_note(unfinished, size, count, source, fps=fps, stamps_ms=stamps_ms)
        unfinished.chmod(0o755)
        os.rename(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def write_pictures(
    folder: Path, pictures: Sequence[bytes], size: tuple[int, int], *, source: str, stamps_ms: list[float]
) -> None:
    """Write a clip folder of frames that are JPEG already; raises OSError, also when the folder is there already."""
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        (folder / f"{number:04d}.jpg").write_bytes(picture)
    write_note(folder, size, len(pictures), source, stamps_ms=stamps_ms)


def write_note(
    folder: Path,
    size: tuple[int, int],
    frames: int,
    source: str,
    *,
    fps: float = 30.0,
    stamps_ms: list[float] | None = None,
) -> None:
    """Write the clip.toml of a folder; with ``stamps_ms``, these count and not ``fps``."""
    time = (
        f"fps = {float(fps)}" if stamps_ms is None else f"stamps_ms = {[float(stamp) for stamp in stamps_ms]}"
    )
    words = source.replace("\\", "\\\\").replace('"', '\\"')
    (folder / "clip.toml").write_text(
        f'{time}\nsize = [{size[0]}, {size[1]}]\nframes = {frames}\nsource = "{words}"\n', encoding="utf-8"
    )


def _numbered(folder: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _PICTURES:
            continue
        digits = re.search(r"([0-9]+)$", path.stem)
        if digits is None:
            raise ConfigError(f"{path}: a frame needs a number at the end of its name")
        number = int(digits[1])
        if number in found:
            raise ConfigError(f"{path}: has the same number as {found[number].name}")
        found[number] = path
    if not found:
        raise ConfigError(f"{folder}: holds no frames (numbered JPEG or PNG pictures)")
    return found


def _no_gap(folder: Path, paths: dict[int, Path], expected: int) -> None:
    first = 1 if 0 not in paths else 0
    for number in range(first, first + expected):
        if number not in paths:
            raise ConfigError(f"{folder}: frame {number} of {expected} is missing")
    if len(paths) > expected:
        raise ConfigError(f"{folder / 'clip.toml'}: frames: there are {len(paths)} pictures, not {expected}")


def _checked(path: Path, size: tuple[int, int]) -> bytes:
    data = read_whole(path, LARGEST_PICTURE)
    found = _size_of(data)
    if found is None:
        raise ConfigError(f"{path}: is not a picture")
    if found != tuple(size):
        seen = f"{found[0]} x {found[1]}"
        raise ConfigError(f"{path}: is {seen} px, but size in clip.toml says {size[0]} x {size[1]}")
    return data


def _size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height of what is a whole picture; decoding, 1.5 ms, is done once for each."""
    digest = hashlib.sha256(data).digest()
    if digest not in _sizes:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None:
            return None
        _sizes[digest] = image.shape[1], image.shape[0]
    return _sizes[digest]
