"""The distance of two embeddings, by the network that they come from."""

from typing import TYPE_CHECKING

import numpy as np

from hardware.face.observation import Embedding

if TYPE_CHECKING:
    # The engine's process compares vectors, too, and starts sooner without the settings.
    from config.face_networks import FaceNetwork


def between(network: "FaceNetwork", one: Embedding, other: Embedding) -> float:
    """Return the distance by what the network measures; either may be a mean of several."""
    return euclidean(one, other) if network.measure == "euclidean" else cosine(one, other)


def euclidean(one: Embedding, other: Embedding) -> float:
    """Return the length of the difference."""
    return float(np.linalg.norm(one - other))


def cosine(one: Embedding, other: Embedding) -> float:
    """Return 1 - cosine, 0 to 2; with nothing (all zeros) it is not a number, which no threshold accepts."""
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return 1.0 - float(np.dot(one, other)) / lengths if lengths else float("nan")
