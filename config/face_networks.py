"""The two networks that compare faces: what a distance is, and which distances count, belong to a network."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FaceNetwork:
    """One kind of network; distances of two networks say nothing about each other."""

    name: str
    measure: Literal["cosine", "euclidean"]
    """Distance of two embeddings: 1 - cosine (0 to 2), or Euclidean."""
    threshold: float
    """Default of config.Face.threshold."""
    fast_accept: float
    """Default of config.Face.fast_accept."""
    ceiling: float
    """Largest distance that a site may set."""
    licence: str


SFACE = FaceNetwork("sface", "cosine", 0.52, 0.48, 0.60, "Apache-2.0; its training data is not published")
"""OpenCV Zoo's SFace. Measured (docs/guide/how-sure-is-the-face.md) on 40 East-Asian identities, whole attempts:
0.52 / 0.48 accepts 0.005 % of strangers and refuses 1.8 %; at 0.61 one frame alone accepts 0.1 %."""
DLIB = FaceNetwork("dlib", "euclidean", 0.36, 0.35, 0.45, "CC0-1.0; trained on scraped web photos")
"""face_recognition's network. Whole attempts, the same people: 0.36 / 0.35 accepts 0.11 % of strangers and refuses
27 %; above 0.45 more than 1 % of strangers pass with one frame."""

NETWORKS = {network.name: network for network in (SFACE, DLIB)}


def network_of(model: str) -> FaceNetwork:
    """Return the kind of network that ``[face] model`` names: by name, or by the file's ending (.onnx is SFace's)."""
    if model in NETWORKS:
        return NETWORKS[model]
    return DLIB if model and not model.endswith(".onnx") else SFACE
