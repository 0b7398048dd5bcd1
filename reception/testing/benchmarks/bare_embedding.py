"""Embeddings with nothing around them: the floor under every decision."""

import os
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from hardware.camera import Image
from hardware.face.engine import models
from hardware.face.engine.embedder import (
    DLIB,
    SFACE,
    DlibEmbedder,
    Embedder,
    best_embedder,
    self_check_pictures,
)
from hardware.face.engine.look import Look


def engine_threads() -> int:
    """Return how many threads the engine gives one embedding."""
    return min(2, len(os.sched_getaffinity(0)))


class BareEmbeddings:
    """Embeddings of the faces on some frames, by each of the ways to compute them."""

    WAYS = ("sface", "dlib's network by OpenCV", "dlib")

    def __init__(self, images: Sequence[Image]) -> None:
        look = Look()
        found = [(image, look.landmarks) for image in images if look.observe(image).faces]
        networks = {"sface": SFACE, "dlib's network by OpenCV": DLIB}
        self._ways: dict[tuple[str, int], Embedder] = {
            (way, threads): best_embedder(network, threads=threads)
            for way, network in networks.items()
            for threads in {1, engine_threads()}
        }
        self._ways["dlib", 1] = DlibEmbedder(models.DLIB_NETWORK.path())
        self._chips = {
            key: [embedder.aligned(image, points) for image, points in found]
            for key, embedder in self._ways.items()
        }

    def ms(self, count: int, way: str = "sface", threads: int = 0) -> float:
        """Return the time of ``count`` embeddings; by default by the engine's network on the engine's threads."""
        key = way, threads or engine_threads()
        return _spent_ms(self._ways[key], self._chips[key][:count])


def bare_ms(rounds: int = 10) -> float:
    """Return the median time of one embedding as the engine computes it, without the engine."""
    embedder = best_embedder(threads=engine_threads())
    picture = self_check_pictures()[0]
    chip = np.ascontiguousarray(picture[19:131, 19:131])
    return median(_spent_ms(embedder, [chip]) for _ in range(rounds))


def _spent_ms(embedder: Embedder, chips: list[Any]) -> float:
    began = time.perf_counter()
    for chip in chips:
        embedder.embed(chip)
    return (time.perf_counter() - began) * 1000
