"""face_recognition's embedding network, run by OpenCV: same weights, same vectors, about eight times as fast as dlib.

The network file is rewritten in memory (see conversion) and handed to cv2.dnn; nothing is stored or shipped. Before
use, two pictures of faces are embedded by both and must agree, else dlib itself does the work. Measured: vectors of
real faces differ by less than 1e-6; of 18,145 pairs, none crosses a threshold.

onnxruntime would need 6 to 7 ms a face in place of 9 to 12 (facts), for 73 MB more to install and 50 MB more of memory.
"""

import hashlib
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

import cv2
import dlib
import numpy as np

from hardware.face.engine.conversion import CHIP, INPUT, ForeignNetwork, onnx_of, squares_of
from hardware.face.engine.wire import ModelUnusable
from hardware.face.observation import Embedding

_AGREE = 1e-4
"""Largest difference of one number of an embedding between the two ways to compute it."""
_TOLD_APART = 0.45
"""Least distance of the two faces of the self-check, above every allowed threshold; face_recognition's: 0.53."""

_SELF_CHECK = tuple(Path(__file__).with_name(f"self_check_{name}.jpg") for name in ("first", "second"))
"""Cut out of two of the shipped portraits; kept here, since the product does without the portraits."""


class Embedder(Protocol):
    """Turns an aligned face into an embedding."""

    name: str
    why: str
    """Why it is not the fast one; empty when it is."""

    def embed(self, chip: Any) -> Embedding:
        """Return the embedding of a (150, 150, 3) uint8 RGB chip."""
        ...

    def forget(self) -> None:
        """Leave nothing of the last face in the network, which keeps its input, output and all between."""
        ...


def best_embedder(weights: Path, sha256: str = "", threads: int = 1) -> Embedder:
    """Return the fast embedder if it agrees with dlib's on this machine, else dlib's.

    ``sha256``: what the file must hash to; empty for a file of the site's own. Raises ModelUnusable.
    """
    try:
        data = weights.read_bytes()
    except OSError as error:
        raise ModelUnusable(f"{weights}: cannot be read: {error.strerror or error}") from None
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise ModelUnusable(f"{weights}: was altered since it was installed")
    reference = DlibEmbedder(weights)
    chips = self_check_chips()
    expected = [reference.embed(chip) for chip in chips]
    apart = min(float(np.linalg.norm(one - other)) for one, other in combinations(expected, 2))
    if not apart > _TOLD_APART:
        raise ModelUnusable(f"{weights}: does not tell two people apart")
    try:
        fast = OpenCvEmbedder(onnx_of(data), threads)
        off = max(
            float(np.abs(fast.embed(chip) - right).max()) for chip, right in zip(chips, expected, strict=True)
        )
        if off < _AGREE:
            return fast
        reference.why = f"OpenCV's vectors differ from dlib's by {off:.1g}"
    except ForeignNetwork as foreign:
        reference.why = f"the network file cannot be rewritten for OpenCV: {foreign}"
    except cv2.error:
        reference.why = "OpenCV cannot run the network"
    return reference


def self_check_chips() -> list[Any]:
    """Return the faces of two people as the network takes them, (150, 150, 3) uint8 RGB."""
    chips = []
    for file in _SELF_CHECK:
        image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ModelUnusable(f"{file}: was altered since it was installed")
        chips.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return chips


class DlibEmbedder:
    """dlib as it is; holds the GIL for 75-100 ms a face. Raises ModelUnusable."""

    name = "dlib"

    def __init__(self, weights: Path) -> None:
        self.why = ""
        try:
            self._net = dlib.face_recognition_model_v1(str(weights))
        except RuntimeError:
            raise ModelUnusable(f"{weights}: is no face network of dlib") from None

    def embed(self, chip: Any) -> Embedding:
        """Return the embedding of a (150, 150, 3) uint8 RGB chip."""
        return np.array(self._net.compute_face_descriptor(chip), np.float64)

    def forget(self) -> None:
        """Leave nothing of the last face in the network; as long as an embedding."""
        self.embed(np.zeros((CHIP, CHIP, 3), np.uint8))


class OpenCvEmbedder:
    """The same network in cv2.dnn, on ``threads`` threads, for one caller; raises cv2.error when it cannot be built."""

    name = "opencv"
    why = ""

    def __init__(self, onnx: bytes, threads: int = 1) -> None:
        self._threads = threads
        self._net = cv2.dnn.readNetFromONNX(np.frombuffer(onnx, np.uint8))
        self._input = np.zeros(INPUT, np.float32)

    def embed(self, chip: Any) -> Embedding:
        """Return the embedding of a (150, 150, 3) uint8 RGB chip."""
        before = cv2.getNumThreads()
        cv2.setNumThreads(self._threads)
        try:
            squares_of(chip, into=self._input)
            self._net.setInput(self._input)
            return np.array(self._net.forward(), np.float64).reshape(-1)
        finally:
            cv2.setNumThreads(before)

    def forget(self) -> None:
        """Leave nothing of the last face in the network; as long as an embedding."""
        self.embed(np.zeros((CHIP, CHIP, 3), np.uint8))
