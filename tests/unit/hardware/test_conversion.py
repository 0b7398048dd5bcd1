"""The network file: read exactly, refused when it is cut, altered or foreign."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config import ConfigError, load
from hardware.face.engine import EngineLost, FaceEngine
from hardware.face.engine.conversion import ForeignNetwork, onnx_of
from hardware.face.engine.embedder import DlibEmbedder, OpenCvEmbedder, best_embedder, self_check_chips
from hardware.face.engine.models import WEIGHTS_SHA256, installed_network, models_folder
from hardware.face.engine.wire import ModelUnusable
from hardware.face.observation import Embedding

CONTENT = installed_network().read_bytes()
HEADER = CONTENT.index(b"con_4") + 16
"""Up to here the file holds no weights, but what it is."""
_LOSS, _MEANS = CONTENT.index(b"loss_metric_2") + 13, CONTENT.index(b"input_rgb") + 21
NUMBERS = (range(_LOSS, _LOSS + 12), range(_MEANS, _MEANS + 18))
"""Where the header's five floats stand: two of the loss, which only training needs, and the three means."""


def test_both_ways_give_the_same_embedding_of_the_shipped_people() -> None:
    fast, reference = OpenCvEmbedder(onnx_of(CONTENT)), DlibEmbedder(installed_network())
    for chip in self_check_chips():
        assert np.abs(fast.embed(chip) - reference.embed(chip)).max() < 1e-5


def test_two_threads_give_the_same_embedding() -> None:
    chip, onnx = self_check_chips()[0], onnx_of(CONTENT)
    one, two = OpenCvEmbedder(onnx).embed(chip), OpenCvEmbedder(onnx, threads=2).embed(chip)
    assert np.abs(one - two).max() < 1e-5


def test_the_installed_network_is_run_by_opencv() -> None:
    embedder = best_embedder(installed_network(), WEIGHTS_SHA256)
    assert (embedder.name, embedder.why) == ("opencv", "")


@given(st.integers(0, len(CONTENT) - 1))
@settings(max_examples=25)
def test_a_truncated_file_is_refused(end: int) -> None:
    with pytest.raises(ForeignNetwork):
        onnx_of(CONTENT[:end])


def test_a_file_with_more_than_the_network_is_refused() -> None:
    with pytest.raises(ForeignNetwork, match="more than the network"):
        onnx_of(CONTENT + b"\0")


@given(st.integers(0, HEADER - 1), st.integers(1, 255))
@example(0, 16)
@settings(max_examples=25)
def test_an_altered_header_is_refused(at: int, flips: int) -> None:
    altered = bytearray(CONTENT)
    altered[at] ^= flips
    if any(at in numbers for numbers in NUMBERS):
        return  # another number in place of a number: what that does, the comparison with dlib shows
    with pytest.raises(ForeignNetwork):
        onnx_of(bytes(altered))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ForeignNetwork):
        onnx_of(content)


@pytest.mark.parametrize("name", ["shape_predictor_5_face_landmarks.dat", "mmod_human_face_detector.dat"])
def test_another_model_of_dlib_is_refused(name: str) -> None:
    with pytest.raises(ForeignNetwork):
        onnx_of((models_folder() / name).read_bytes())


def test_a_weight_that_is_no_number_is_refused() -> None:
    with pytest.raises(ForeignNetwork, match="not a number"):
        onnx_of(_with_last_weights(np.float32(np.nan).tobytes()))


def test_an_altered_installation_is_not_used(tmp_path: Path) -> None:
    altered = bytearray(CONTENT)
    altered[-1_000_000] ^= 0x40
    (tmp_path / "altered.dat").write_bytes(altered)
    with pytest.raises(ModelUnusable, match=r"altered\.dat: was altered since it was installed"):
        best_embedder(tmp_path / "altered.dat", WEIGHTS_SHA256)


def test_weights_that_see_everybody_as_the_same_person_are_not_used(tmp_path: Path) -> None:
    (tmp_path / "flat.dat").write_bytes(_with_last_weights(bytes(256 * 128 * 4)))
    with pytest.raises(ModelUnusable, match=r"flat\.dat: does not tell two people apart"):
        best_embedder(tmp_path / "flat.dat")


def test_dlib_takes_over_when_the_vectors_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    def another(self: OpenCvEmbedder, chip: object) -> Embedding:
        return np.zeros(128)

    monkeypatch.setattr(OpenCvEmbedder, "embed", another)
    embedder = best_embedder(installed_network())
    assert embedder.name == "dlib"
    assert embedder.why.startswith("OpenCV's vectors differ from dlib's by 0.")


@pytest.mark.expected_log("face engine cannot be used")
def test_an_engine_with_a_file_that_is_no_network_says_so_and_never_gets_ready(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cut.dat").write_bytes(CONTENT[:-5])
    with FaceEngine(network=str(tmp_path / "cut.dat")) as engine:
        with pytest.raises(EngineLost, match=r"cut\.dat: is no face network of dlib"):
            engine.look_closely()
        assert not engine.ready.is_set()
        assert engine.trouble


def test_a_file_of_other_weights_needs_thresholds_of_its_own(tmp_path: Path) -> None:
    settings_file = tmp_path / "terminal.toml"
    settings_file.write_text('[face]\nmodel = "other.dat"\n', encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"face: face\.model needs its own face\.threshold and face\.fast_accept"
    ):
        load(settings_file)
    settings_file.write_text(
        '[face]\nmodel = "other.dat"\nthreshold = 0.3\nfast_accept = 0.25\n', encoding="utf-8"
    )
    face = load(settings_file).face
    assert (face.model, face.threshold) == (str(tmp_path / "other.dat"), 0.3)


def _with_last_weights(weights: bytes) -> bytes:
    """Return the installed network with other weights at the beginning of its last layer (256 x 128, float32)."""
    start = CONTENT.index(b"fc_2") + 20
    return CONTENT[:start] + weights + CONTENT[start + len(weights) :]
