"""Embeddings with nothing around them: the floor under every decision."""

import os
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from hardware.camera import Image
from hardware.face.engine.embedder import DlibEmbedder, Embedder, best_embedder, self_check_chips
from hardware.face.engine.models import installed_network
from hardware.face.engine.worker import Look


def engine_threads() -> int:
    """Return how many threads the engine gives one embedding."""
    return min(2, len(os.sched_getaffinity(0)))


class BareEmbeddings:
    """Embeddings of the faces on some frames, by each of the ways to compute them."""

    def __init__(self, images: Sequence[Image]) -> None:
        look = Look()
        self._chips = [look.chip() for image in images if look.observe(image).faces]
        self._one_thread = look.embedder
        self._ours = best_embedder(installed_network(), threads=engine_threads())
        self._dlib = DlibEmbedder(installed_network())

    def ours_ms(self, count: int) -> float:
        """Return the time of ``count`` embeddings by what the engine uses on this machine."""
        return _spent_ms(self._ours, self._chips[:count])

    def one_thread_ms(self, count: int) -> float:
        """Return the same on one thread."""
        return _spent_ms(self._one_thread, self._chips[:count])

    def dlib_ms(self, count: int) -> float:
        """Return the time of ``count`` embeddings by dlib, as face_recognition computes them."""
        return _spent_ms(self._dlib, self._chips[:count])


def bare_ms(rounds: int = 10) -> float:
    """Return the median time of one embedding as the engine computes it, without the engine."""
    embedder = best_embedder(installed_network(), threads=engine_threads())
    chip = self_check_chips()[0]
    return median(_spent_ms(embedder, [chip]) for _ in range(rounds))


def _spent_ms(embedder: Embedder, chips: list[Any]) -> float:
    began = time.perf_counter()
    for chip in chips:
        embedder.embed(chip)
    return (time.perf_counter() - began) * 1000
