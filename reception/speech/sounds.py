"""The recordings: one file for every sentence, named by the hash of its text; 16 kHz mono in G.711 mu-law.

Eight bits for each sample halve the files, are good enough for speech, and need a table of 256 numbers to be read.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "recordings"
SUFFIX = ".ulaw"
RATE = 16000
"""Samples per second."""
PAUSE_S = 0.25
"""Silence between two sentences."""

Samples = NDArray[np.int16]


def _levels() -> Samples:
    """Return the sample of each of the 256 codes, as ITU-T G.711 (mu-law) has it."""
    code = ~np.arange(256, dtype=np.uint8)
    size = ((((code & 15).astype(np.int32) << 3) + 132) << ((code >> 4) & 7)) - 132
    return np.where(code & 128, -size, size).astype(np.int16)


LEVELS = _levels()


def file_of(sentence: str) -> Path:
    """Return where a sentence's recording lies; a changed text has another name, and so never an old sound."""
    return FOLDER / f"{hashlib.sha256(sentence.encode()).hexdigest()[:16]}{SUFFIX}"


def read(path: Path) -> Samples:
    """Return the samples of a recording; raises OSError."""
    return LEVELS[np.frombuffer(path.read_bytes(), np.uint8)]


def write(path: Path, samples: Samples) -> None:
    """Write a recording, each sample as the nearest level."""
    order = np.argsort(LEVELS, kind="stable")
    middles = (LEVELS[order][1:].astype(np.int32) + LEVELS[order][:-1]) / 2
    path.write_bytes(order[np.searchsorted(middles, samples)].astype(np.uint8).tobytes())


def joined(sentences: tuple[str, ...], volume: float) -> bytes:
    """Return the sentences one after the other as raw samples (S16_LE); ``volume`` 0 to 1."""
    pause = np.zeros(int(PAUSE_S * RATE), np.int16)
    pieces = [piece for sentence in sentences for piece in (read(file_of(sentence)), pause)]
    if not pieces:
        return b""
    return (np.concatenate(pieces) * volume).astype("<i2").tobytes()
