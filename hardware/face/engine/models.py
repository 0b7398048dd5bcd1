"""Where face_recognition's models are."""

import importlib.util
from pathlib import Path

_WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
"""File of the embedding network."""
WEIGHTS_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
"""Of face_recognition_models 0.3.0, on which the shipped thresholds were measured."""


def models_folder() -> Path:
    """Return the folder of face_recognition's models.

    The package itself is not imported: at import it calls quit() when pkg_resources is missing. dlib reads the same
    files and computes the same embeddings as face_recognition does with model="small".
    """
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("face_recognition_models is not installed")
    return Path(spec.submodule_search_locations[0]) / "models"


def installed_network() -> Path:
    """Return the file of face_recognition's embedding network."""
    return models_folder() / _WEIGHTS
