"""The recordings: one 16 kHz mono 16 bit WAV for every sentence, named by the hash of its text."""

import hashlib
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "recordings"
RATE = 16000
"""Samples per second."""
PAUSE_S = 0.25
"""Silence between two sentences."""

Samples = NDArray[np.int16]


def file_of(sentence: str) -> Path:
    """Return where a sentence's recording lies; a changed text has another name, and so never an old sound."""
    digest = hashlib.sha256(sentence.encode()).hexdigest()
    return FOLDER / f"{digest[:16]}.wav"


def read(path: Path) -> Samples:
    """Return the samples of a recording; raises OSError or wave.Error."""
    with wave.open(str(path), "rb") as file:
        form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if form != (1, 2, RATE):
            raise wave.Error(f"{path.name}: not 16 kHz mono 16 bit")
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def write(path: Path, samples: Samples) -> None:
    """Write a recording."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def joined(sentences: tuple[str, ...], volume: float) -> bytes:
    """Return the sentences one after the other as raw samples (S16_LE); ``volume`` 0 to 1."""
    pause = np.zeros(int(PAUSE_S * RATE), np.int16)
    pieces = [piece for sentence in sentences for piece in (read(file_of(sentence)), pause)]
    if not pieces:
        return b""
    return (np.concatenate(pieces) * volume).astype("<i2").tobytes()
