"""Make the recordings anew: ``python -m reception.speech.render``; only for who changes a text.

Needs pyopenjtalk-plus and hibari-tts (no dependencies of the terminal, see SOURCES.md). Sentences that have their
recording already are left alone unless ``--all`` is given; recordings that no sentence needs any more are deleted.
"""

import sys
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reception.speech.prompts import KEY_TONE, every_sentence
from reception.speech.sounds import FOLDER, RATE, Samples, file_of, write

LOUDNESS = 0.09
"""RMS of every recording, as a share of full scale: about -21 dBFS."""
PEAK = 0.97
PACE = 0.92
"""Of the English voice: a little slower than it would talk, for those to whom English is foreign, too."""
EDGE_S = 0.04
"""Silence left at either end."""

READINGS: dict[str, dict[str, str]] = {
    "ja": {
        "iPhone": "アイフォーン",
        "Android": "アンドロイド",
        "同じ方か": "同じかたか",
        "歳以上の方が": "歳以上のかたが",
        "保護者の方が": "保護者のかたが",
        "明るい方を": "明るいほうを",
        "お顔": "おかお",
        "枠に": "わくに",
        "係の人": "係のひと",
        "0120-95-0178": "ゼロ、イチ、ニー、ゼロ、キュー、ゴー、ゼロ、イチ、ナナ、ハチ",
        "・": "、",
    },
    "en": {"0120-95-0178": "0, 1, 2, 0, 9, 5, 0, 1, 7, 8", " / ": ", "},
}
"""Written otherwise for the voice, which would misread them (found by its own kana or phonemes)."""


def main(arguments: list[str]) -> int:
    """Render what is missing and say how much there is."""
    FOLDER.mkdir(exist_ok=True)
    # A few sentences are said in both languages; they are the first one's.
    languages = reversed(READINGS)
    sentences = {sentence: language for language in languages for sentence in every_sentence(language)}
    wanted = {file_of(sentence): sentence for sentence in sentences}
    for path in set(FOLDER.iterdir()) - set(wanted):
        path.unlink()
    for path, sentence in wanted.items():
        if "--all" in arguments or not path.exists():
            write(path, _tone() if sentence == KEY_TONE else _spoken(sentence, sentences[sentence]))
    size = sum(path.stat().st_size for path in wanted)
    print(f"{len(wanted)} recordings, {size / 1e6:.1f} MB")  # noqa: T201
    return 0


def _spoken(sentence: str, language: str) -> Samples:
    for written, said in READINGS[language].items():
        sentence = sentence.replace(written, said)
    if language == "ja":
        sound, rate = import_module("pyopenjtalk").tts(sentence)
    else:
        sound, rate = _english()(sentence, speed=PACE, seed=0), 24000
    return _levelled(_trimmed(_resampled(np.asarray(sound, np.float64), rate)))


@cache
def _english() -> Any:
    return import_module("hibari").Hibari()


def _tone() -> Samples:
    at = np.arange(int(0.09 * RATE)) / RATE
    wave = np.sin(2 * np.pi * 880 * at) * np.hanning(at.size)
    return _levelled(np.asarray(wave, np.float64))


def _resampled(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Cut off what 16 kHz cannot carry, by the spectrum of the whole sentence."""
    length = sound.size * RATE // rate
    spectrum = np.fft.rfft(sound)[: length // 2 + 1]
    return np.fft.irfft(spectrum, length) * (length / sound.size)


def _trimmed(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    edge = int(EDGE_S * RATE)
    return sound[max(0, loud[0] - edge) : loud[-1] + edge]


def _levelled(sound: NDArray[np.float64]) -> Samples:
    """Bring to the common loudness; a peak that would not fit is limited softly."""
    sound = sound / np.sqrt(np.mean(sound**2)) * LOUDNESS
    over = np.abs(sound) > PEAK
    sound[over] = np.sign(sound[over]) * PEAK
    return (sound * 32767).astype(np.int16)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
