"""The networks: read exactly, refused when cut, altered or foreign; and which stands in for which."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config import ConfigError, load
from hardware.face.distance import cosine
from hardware.face.engine import EngineLost, FaceEngine, models
from hardware.face.engine.conversion import ForeignNetwork, onnx_of
from hardware.face.engine.embedder import (
    DLIB,
    SFACE,
    DlibEmbedder,
    OpenCvEmbedder,
    SFaceEmbedder,
    best_embedder,
    self_check_chips,
)
from hardware.face.engine.wire import ModelUnusable
from hardware.face.observation import Embedding

CONTENT = models.DLIB_NETWORK.read()
HEADER = CONTENT.index(b"con_4") + 16
"""Up to here the file holds no weights, but what it is."""
_LOSS, _MEANS = CONTENT.index(b"loss_metric_2") + 13, CONTENT.index(b"input_rgb") + 21
NUMBERS = (range(_LOSS, _LOSS + 12), range(_MEANS, _MEANS + 18))
"""Where the header's five floats stand: two of the loss, which only training needs, and the three means."""


def test_both_ways_give_the_same_embedding_of_the_shipped_people() -> None:
    fast, reference = OpenCvEmbedder(onnx_of(CONTENT)), DlibEmbedder(models.DLIB_NETWORK.path())
    for chip in self_check_chips():
        assert np.abs(fast.embed(chip) - reference.embed(chip)).max() < 1e-5


def test_two_threads_give_the_same_embedding() -> None:
    chip, onnx = self_check_chips()[0], onnx_of(CONTENT)
    one, two = OpenCvEmbedder(onnx).embed(chip), OpenCvEmbedder(onnx, threads=2).embed(chip)
    assert np.abs(one - two).max() < 1e-5


@pytest.mark.parametrize("network", [SFACE, DLIB])
def test_both_installed_networks_are_run_by_opencv(network: str) -> None:
    embedder = best_embedder(network)
    assert (embedder.network, embedder.library, embedder.why) == (network, "opencv", "")


def test_sface_gives_unit_vectors_and_the_same_on_two_threads() -> None:
    chip = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)
    one, two = (SFaceEmbedder(models.SFACE.read(), threads).embed(chip) for threads in (1, 2))
    assert np.linalg.norm(one) == pytest.approx(1)
    assert np.abs(one - two).max() < 1e-5


@pytest.mark.parametrize("size", [60, 200, 900])
def test_a_face_is_aligned_alike_however_large_it_is(size: int) -> None:
    """Eyes level at one height, whatever scale and turn they come in."""
    embedder = SFaceEmbedder(models.SFACE.read())
    points = np.array([(80.39, 53.35), (66.81, 53.37), (31.19, 53.09), (44.95, 53.46), (55.97, 79.65)])
    image = np.zeros((size, size, 3), np.uint8)
    inside = points / 112 * size
    y = inside[[0, 2], 1].mean()
    image[int(y) :, :] = 200
    chip = embedder.aligned(image, inside)
    assert chip.shape == (112, 112, 3)
    assert chip[45, 10:-10].max() < 20
    assert chip[62, 10:-10].min() > 180


@pytest.mark.parametrize("spoilt", ["missing", "altered", "another machine"])
def test_the_other_network_stands_in_for_an_sface_that_cannot_be_used(
    spoilt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if spoilt == "missing":
        monkeypatch.setattr(models, "SFACE", replace(models.SFACE, package="no_such_package"))
        why = "the package no_such_package is not installed"
    elif spoilt == "altered":
        file = tmp_path / "sface.onnx"
        file.write_bytes(b"\0" + models.SFACE.read())
        monkeypatch.setattr(models.Weights, "path", lambda self: file if "sface" in self.file else path(self))
        why = "was altered since it was installed"
    else:
        embed = SFaceEmbedder.embed
        monkeypatch.setattr(SFaceEmbedder, "embed", lambda self, chip: np.roll(embed(self, chip), 1))
        why = "gives other vectors here"
    embedder = best_embedder()
    assert (embedder.network, embedder.library) == (DLIB, "opencv")
    assert why in embedder.why


path = models.Weights.path


def test_a_site_may_bring_weights_for_either_network(tmp_path: Path) -> None:
    own = tmp_path / "own.onnx"
    own.write_bytes(models.SFACE.read())
    assert best_embedder(SFACE, str(own)).network == SFACE
    (tmp_path / "own.dat").write_bytes(CONTENT)
    assert best_embedder(DLIB, str(tmp_path / "own.dat")).network == DLIB
    own.write_bytes(b"no network")
    with pytest.raises(ModelUnusable, match=r"own\.onnx: OpenCV cannot run it"):
        best_embedder(SFACE, str(own))


def test_nothing_is_at_no_distance_that_a_threshold_accepts() -> None:
    assert not cosine(np.zeros(128), np.ones(128)) <= 2


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
        onnx_of((models.FIVE_POINTS.path().parent / name).read_bytes())


def test_a_weight_that_is_no_number_is_refused() -> None:
    with pytest.raises(ForeignNetwork, match="not a number"):
        onnx_of(_with_last_weights(np.float32(np.nan).tobytes()))


def test_an_altered_installation_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    altered = bytearray(CONTENT)
    altered[-1_000_000] ^= 0x40
    (tmp_path / "altered.dat").write_bytes(altered)
    monkeypatch.setattr(models.Weights, "path", lambda self: tmp_path / "altered.dat")
    with pytest.raises(ModelUnusable, match=r"altered\.dat: was altered since it was installed"):
        best_embedder(DLIB)


def test_weights_that_see_everybody_as_the_same_person_are_not_used(tmp_path: Path) -> None:
    (tmp_path / "flat.dat").write_bytes(_with_last_weights(bytes(256 * 128 * 4)))
    with pytest.raises(ModelUnusable, match=r"flat\.dat: does not tell two people apart"):
        best_embedder(DLIB, str(tmp_path / "flat.dat"))


def test_dlib_takes_over_when_the_vectors_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    def another(self: OpenCvEmbedder, chip: object) -> Embedding:
        return np.zeros(128)

    monkeypatch.setattr(OpenCvEmbedder, "embed", another)
    embedder = best_embedder(DLIB)
    assert (embedder.network, embedder.library) == (DLIB, "dlib")
    assert embedder.why.startswith("OpenCV's vectors differ from dlib's by 0.")


@pytest.mark.expected_log("face engine cannot be used")
def test_an_engine_with_a_file_that_is_no_network_says_so_and_never_gets_ready(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cut.dat").write_bytes(CONTENT[:-5])
    with FaceEngine(network=str(tmp_path / "cut.dat")) as engine:
        with pytest.raises(EngineLost, match=r"cut\.dat: is no face network of dlib"):
            engine.embed_last()
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


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", (0.52, 0.48)),
        ('model = "sface"', (0.52, 0.48)),
        ('model = "dlib"', (0.36, 0.35)),
        ("threshold = 0.6\n", (0.6, 0.48)),
        ('model = "dlib"\nthreshold = 0.45', (0.45, 0.35)),
        ('model = "own.onnx"\nthreshold = 0.55\nfast_accept = 0.5', (0.55, 0.5)),
    ],
)
def test_thresholds_follow_the_network_unless_they_are_given(
    text: str, numbers: tuple[float, float], tmp_path: Path
) -> None:
    (tmp_path / "terminal.toml").write_text(f"[face]\n{text}\n", encoding="utf-8")
    face = load(tmp_path / "terminal.toml").face
    assert (face.threshold, face.fast_accept) == numbers


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("threshold = 0.61", 0.6), ('model = "dlib"\nthreshold = 0.46', 0.45)],
)
def test_how_loose_a_site_may_be_is_up_to_the_network(text: str, allowed: float, tmp_path: Path) -> None:
    (tmp_path / "terminal.toml").write_text(f"[face]\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"face\.threshold should be at most {allowed}"):
        load(tmp_path / "terminal.toml")


def _with_last_weights(weights: bytes) -> bytes:
    """Return the installed network with other weights at the beginning of its last layer (256 x 128, float32)."""
    start = CONTENT.index(b"fc_2") + 20
    return CONTENT[:start] + weights + CONTENT[start + len(weights) :]
