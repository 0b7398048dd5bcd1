"""Aligned face in, embedding out: OpenCV Zoo's SFace, or face_recognition's network; both run by OpenCV.

SFace is the first choice. Where its file is missing, altered, or fails its self-check, face_recognition's network
stands in with the thresholds that belong to it. That one is rewritten in memory (see conversion); before use two
faces are embedded by dlib, too, and must agree, else dlib itself does the work. Measured: vectors of real faces differ
by less than 1e-6; of 18,145 pairs, none crosses a threshold.
"""

from pathlib import Path
from typing import Any, Protocol

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from hardware.face.distance import cosine, euclidean
from hardware.face.engine import models
from hardware.face.engine.conversion import CHIP, INPUT, ForeignNetwork, onnx_of, squares_of
from hardware.face.engine.wire import ModelUnusable
from hardware.face.observation import Embedding

Points = NDArray[np.float64]
"""(5, 2) px: as Observation.landmarks."""

_AGREE = 1e-4
"""Largest difference of one number of an embedding between the two ways to compute it."""
SFACE, DLIB = "sface", "dlib"
"""Names of the networks, as in config.face_networks."""
_TOLD_APART = {SFACE: 0.60, DLIB: 0.45}
"""Least distance of the two faces of the self-check: the highest threshold; the installed ones: 0.94, 0.53."""

_HERE = Path(__file__).parent
_SELF_CHECK = tuple(_HERE / f"self_check_{name}.jpg" for name in ("first", "second"))
"""Cut out of two of the shipped portraits; kept here, since the product does without the portraits."""
_SELF_CHECK_SFACE = _HERE / "self_check_sface.npy"
"""(2, 128) float32: what the installed SFace made of them where the thresholds were measured."""


class Embedder(Protocol):
    """Turns a face into an embedding."""

    network: str
    """Its name in config.face_networks."""
    library: str
    """What computes it: "opencv" or "dlib"."""
    why: str
    """Why it is not the first choice; empty when it is."""

    def aligned(self, image: Any, points: Points) -> Any:
        """Return the face as the network takes it, eyes level, uint8 RGB; ``image`` is (H, W, 3) uint8 BGR."""
        ...

    def embed(self, chip: Any) -> Embedding:
        """Return the embedding of an aligned face."""
        ...

    def forget(self) -> None:
        """Leave nothing of the last face in the network, which keeps its input, output and all between."""
        ...


def best_embedder(network: str = SFACE, file: str = "", threads: int = 1, library: str = "best") -> Embedder:
    """Return the embedder for a kind of network, or what stands in for it.

    ``file``: weights of the site's own. ``library`` "dlib": face_recognition's network as dlib itself runs it. Raises
    ModelUnusable for a file of the site's own, and when no network at all can be used.
    """
    if library == "dlib":
        return DlibEmbedder(models.DLIB_NETWORK.path())
    own = Path(file) if file else None
    if network == DLIB:
        return _face_recognition(own, threads)
    if own:
        return _sface(models.read(own), None, str(own), threads)
    try:
        expected = np.load(_SELF_CHECK_SFACE)
        return _sface(models.SFACE.read(), expected, models.SFACE.file, threads)
    except ModelUnusable as error:
        instead = _face_recognition(None, threads)
        instead.why = f"SFace cannot be used: {error}" + (f"; {instead.why}" if instead.why else "")
        return instead


def _sface(data: bytes, expected: Any, name: str, threads: int) -> "SFaceEmbedder":
    """Return SFace when it tells the two faces of the self-check apart, and gives what it gave before."""
    try:
        embedder = SFaceEmbedder(data, threads)
        faces = [embedder.embed(embedder.aligned(chip, _IN_CHIP)) for chip in self_check_pictures()]
    except cv2.error:
        raise ModelUnusable(f"{name}: OpenCV cannot run it") from None
    if not cosine(*faces) > _TOLD_APART[SFACE]:
        raise ModelUnusable(f"{name}: does not tell two people apart")
    if expected is not None:
        off = max(cosine(face, right) for face, right in zip(faces, expected, strict=True))
        if not off < _SAME_VECTOR:
            raise ModelUnusable(f"{name}: gives other vectors here than where it was measured (by {off:.1g})")
    return embedder


_SAME_VECTOR = 0.002
"""Distance of the same face's vectors, measured and here; the classic engine and other processors give 1e-6."""


def _face_recognition(own: Path | None, threads: int) -> Embedder:
    """Return the fast embedder if it agrees with dlib's on this machine, else dlib's."""
    weights = own or models.DLIB_NETWORK.path()
    data = models.read(own) if own else models.DLIB_NETWORK.read()
    reference = DlibEmbedder(weights)
    chips = self_check_chips()
    expected = [reference.embed(chip) for chip in chips]
    if not euclidean(*expected) > _TOLD_APART[DLIB]:
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


def self_check_pictures() -> list[Any]:
    """Return the faces of two people, (150, 150, 3) uint8 BGR, as dlib aligns them."""
    pictures = []
    for file in _SELF_CHECK:
        image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ModelUnusable(f"{file}: was altered since it was installed")
        pictures.append(image)
    return pictures


def self_check_chips() -> list[Any]:
    """Return the same as face_recognition's network takes them, RGB."""
    return [cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in self_check_pictures()]


_IN_CHIP = (
    np.array([(0.8596, 0.2135), (0.6461, 0.2290), (0.1206, 0.2137), (0.3341, 0.2291), (0.4901, 0.6278)])
    + 0.25
) * (CHIP / 1.5)
"""Where dlib puts the five points in a chip of padding 0.25, px; numbers of its get_face_chip_details."""


def dlib_chip(image: Any, points: Points) -> Any:
    """Return a face as face_recognition's network takes it, (150, 150, 3) uint8 RGB."""
    parts = [dlib.point(round(x), round(y)) for x, y in points]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, 1, 1), parts)
    # dlib treats each channel alike, so the order of colours is turned on the small picture.
    chip = dlib.get_face_chip(image, shape, size=CHIP, padding=0.25)
    return cv2.cvtColor(chip, cv2.COLOR_BGR2RGB, dst=chip)


class DlibEmbedder:
    """dlib as it is; holds the GIL for 75-100 ms a face. Raises ModelUnusable."""

    network = DLIB
    library = "dlib"

    def __init__(self, weights: Path) -> None:
        self.why = ""
        try:
            self._net = dlib.face_recognition_model_v1(str(weights))
        except RuntimeError:
            raise ModelUnusable(f"{weights}: is no face network of dlib") from None

    def aligned(self, image: Any, points: Points) -> Any:
        """See Embedder."""
        return dlib_chip(image, points)

    def embed(self, chip: Any) -> Embedding:
        """Return the embedding of a (150, 150, 3) uint8 RGB chip."""
        return np.array(self._net.compute_face_descriptor(chip), np.float64)

    def forget(self) -> None:
        """Leave nothing of the last face in the network; as long as an embedding."""
        self.embed(np.zeros((CHIP, CHIP, 3), np.uint8))


class _InOpenCv:
    """A network in cv2.dnn, on ``threads`` threads, for one caller; raises cv2.error when it cannot be built."""

    library = "opencv"

    def __init__(self, onnx: bytes, threads: int) -> None:
        self.why = ""
        self._threads = threads
        self._net = cv2.dnn.readNetFromONNX(np.frombuffer(onnx, np.uint8))

    def _run(self, values: Any, name: str) -> Embedding:
        before = cv2.getNumThreads()
        cv2.setNumThreads(self._threads)
        try:
            self._net.setInput(values, name)
            return np.array(self._net.forward(), np.float64).reshape(-1)
        finally:
            cv2.setNumThreads(before)


class OpenCvEmbedder(_InOpenCv):
    """face_recognition's network in OpenCV: same weights, same vectors, about eight times as fast as dlib."""

    network = DLIB

    def __init__(self, onnx: bytes, threads: int = 1) -> None:
        super().__init__(onnx, threads)
        self._input = np.zeros(INPUT, np.float32)

    def aligned(self, image: Any, points: Points) -> Any:
        """See Embedder."""
        return dlib_chip(image, points)

    def embed(self, chip: Any) -> Embedding:
        """Return the embedding of a (150, 150, 3) uint8 RGB chip."""
        squares_of(chip, into=self._input)
        return self._run(self._input, "chip")

    def forget(self) -> None:
        """Leave nothing of the last face in the network; as long as an embedding."""
        self.embed(np.zeros((CHIP, CHIP, 3), np.uint8))


SFACE_CHIP = 112
"""Side of the aligned face that SFace takes, px."""
_SFACE_POINTS = np.array([(80.39, 53.35), (66.81, 53.37), (31.19, 53.09), (44.95, 53.46), (55.97, 79.65)])
"""Where dlib's five points come to lie for SFace, px; fitted on other people than the test sets (facts/face2.md)."""


def _part_of(image: Any, matrix: Any, side: int, step: float) -> tuple[Any, tuple[int, int]]:
    """Return the part of a picture that ``matrix`` leads to a square of ``side`` px, and where it begins, (x, y).

    It begins at about a multiple of ``step`` px, so that making it smaller takes the same px together as in the whole.
    """
    corners = np.array([[[0, 0], [side, 0], [0, side], [side, side]]], np.float32)
    taken = cv2.transform(corners, cv2.invertAffineTransform(matrix))[0]
    height, width = image.shape[:2]
    left, top = (round(max(0, (edge - 4) // step) * step) for edge in taken.min(axis=0))
    right, bottom = (int(edge) + 5 for edge in taken.max(axis=0))
    if left >= min(right, width) or top >= min(bottom, height):
        return image, (0, 0)
    return image[top:bottom, left:right], (left, top)


class SFaceEmbedder(_InOpenCv):
    """SFace, aligned by dlib's five points: with YuNet's, the right person is refused three times as often (facts)."""

    network = SFACE

    def __init__(self, onnx: bytes, threads: int = 1) -> None:
        super().__init__(onnx, threads)
        self._input = np.zeros((1, 3, SFACE_CHIP, SFACE_CHIP), np.float32)

    def aligned(self, image: Any, points: Points) -> Any:
        """See Embedder."""
        matrix = _similarity(points, _SFACE_POINTS)
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        if scale < 0.5:  # a large face: its fine pattern must not turn into noise
            half = 2 * scale
            # Only the part that is taken: of the whole frame, this costs four times as much.
            part, (left, top) = _part_of(image, matrix, SFACE_CHIP, 1 / half)
            image = cv2.resize(part, None, fx=half, fy=half, interpolation=cv2.INTER_AREA)
            matrix = _similarity((points - (left, top)) * half, _SFACE_POINTS)
        chip = cv2.warpAffine(image, matrix, (SFACE_CHIP, SFACE_CHIP), flags=cv2.INTER_LINEAR)
        return cv2.cvtColor(chip, cv2.COLOR_BGR2RGB, dst=chip)

    def embed(self, chip: Any) -> Embedding:
        """Return the unit vector of a (112, 112, 3) uint8 RGB chip."""
        np.copyto(self._input[0], chip.transpose(2, 0, 1))
        vector = self._run(self._input, "data")
        vector /= float(np.linalg.norm(vector)) or 1.0
        return vector

    def forget(self) -> None:
        """Leave nothing of the last face in the network; as long as an embedding."""
        self.embed(np.zeros((SFACE_CHIP, SFACE_CHIP, 3), np.uint8))


def _similarity(points: Points, to: Points) -> Any:
    """Return the (2, 3) turn, scale and shift that takes points nearest to others, in the least squares."""
    middle, there = points.mean(axis=0), to.mean(axis=0)
    own, other = points - middle, to - there
    spread = float((own**2).sum()) or 1.0
    along = float((own * other).sum()) / spread
    across = float((own[:, 0] * other[:, 1] - own[:, 1] * other[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    return np.column_stack([turn, there - turn @ middle])
