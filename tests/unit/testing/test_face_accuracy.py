"""./run bench face --pairs: the arithmetic by hand-made numbers and by properties, the list, and a run on portraits."""

import json
import math
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import config
from config import ConfigError
from config.face_networks import DLIB
from hardware.face.policy import Policy
from hardware.simulation.moving_stills import Condition
from hardware.simulation.portraits import SHIPPED, portrait_path
from reception.__main__ import main
from reception.testing.benchmarks import face_accuracy, face_rates
from reception.testing.benchmarks.face_accuracy import (
    Compared,
    Pair,
    compare,
    figures_of,
    policies,
    read_pairs,
)
from reception.testing.benchmarks.face_det import Curve, Mark, draw, place
from reception.testing.benchmarks.face_pictures import CARD, PLAIN, Pictures, Side
from reception.testing.benchmarks.face_rates import Distances, in_order

distances = st.lists(st.floats(0, 2), min_size=1, max_size=60).map(in_order)


# ---- rates -------------------------------------------------------------------------------------------------------


def test_a_distance_equal_to_the_threshold_is_accepted() -> None:
    genuine, impostor = in_order([0.3, 0.1, 0.2, 0.4]), in_order([0.3, 0.5, 0.6, 0.7, 0.8])
    assert face_rates.far(impostor, 0.3) == pytest.approx(0.2)
    assert face_rates.frr(genuine, 0.3) == pytest.approx(0.25)
    assert face_rates.at_thresholds(genuine, impostor, [0.05, 0.9]) == [(0.05, 0.0, 1.0), (0.9, 1.0, 0.0)]


def test_without_pairs_of_a_kind_there_is_no_rate() -> None:
    nothing, some = in_order([]), in_order([0.4])
    assert face_rates.far(nothing, 0.5) is None
    assert face_rates.frr(nothing, 0.5) is None
    assert face_rates.equal_error(some, nothing) is None
    assert face_rates.equal_error(nothing, some) is None
    assert face_rates.threshold_at(some, nothing, 0.1) is None
    assert face_rates.det(some, nothing) == []


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -0.1])
def test_what_is_no_distance_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        in_order([0.2, wrong])


def test_pairs_that_lie_apart_have_an_equal_error_of_zero_in_the_gap() -> None:
    equal = face_rates.equal_error(in_order([0.1, 0.2, 0.3]), in_order([0.5, 0.6]))
    assert equal is not None
    assert equal.rate == 0
    assert equal.threshold == pytest.approx(0.4)


def test_the_equal_error_of_overlapping_pairs() -> None:
    # At 0.5 one of four genuine pairs is refused (0.7) and one of four impostors accepted (0.4).
    equal = face_rates.equal_error(in_order([0.1, 0.2, 0.5, 0.7]), in_order([0.4, 0.6, 0.8, 0.9]))
    assert equal is not None
    assert equal.rate == pytest.approx(0.25)
    assert equal.threshold == pytest.approx(0.55)


def test_the_threshold_for_a_false_accept_rate_stays_below_the_first_impostor_too_many() -> None:
    impostor = in_order(np.arange(1, 1001) / 1000)
    bound = face_rates.threshold_at(in_order([0.0015, 0.01]), impostor, 0.001)
    assert bound is not None
    assert 0.001 < bound.threshold < 0.002
    assert bound.frr == pytest.approx(0.5)
    assert bound.resolved


def test_too_few_impostors_for_a_rate_are_told() -> None:
    bound = face_rates.threshold_at(in_order([0.2]), in_order([0.5] * 999), 0.001)
    assert bound is not None
    assert bound.threshold < 0.5
    assert not bound.resolved


@given(distances, st.floats(0, 2), st.floats(0, 2))
def test_a_looser_threshold_never_accepts_fewer(values: Distances, one: float, other: float) -> None:
    strict, loose = sorted((one, other))
    assert (face_rates.far(values, strict) or 0) <= (face_rates.far(values, loose) or 0)
    assert (face_rates.frr(values, strict) or 0) >= (face_rates.frr(values, loose) or 0)


@given(distances, distances)
def test_nowhere_are_the_two_rates_closer_than_at_the_equal_error(
    genuine: Distances, impostor: Distances
) -> None:
    equal = face_rates.equal_error(genuine, impostor)
    assert equal is not None
    assert 0 <= equal.rate <= 1

    def apart(threshold: float) -> float:
        return abs((face_rates.far(impostor, threshold) or 0) - (face_rates.frr(genuine, threshold) or 0))

    assert all(apart(equal.threshold) <= apart(each) + 1e-9 for each in (*genuine, *impostor))


@given(distances, distances, st.sampled_from([0.0, 0.001, 0.1, 0.5, 1.0]))
def test_the_threshold_for_a_rate_is_the_loosest_one(
    genuine: Distances, impostor: Distances, rate: float
) -> None:
    bound = face_rates.threshold_at(genuine, impostor, rate)
    assert bound is not None
    assert (face_rates.far(impostor, bound.threshold) or 0) <= rate
    looser = impostor[impostor > bound.threshold]
    assert not looser.size or (face_rates.far(impostor, looser[0]) or 0) > rate


@given(distances, distances, st.integers(4, 30))
def test_a_det_curve_only_goes_one_way_and_keeps_to_its_points(
    genuine: Distances, impostor: Distances, points: int
) -> None:
    curve = face_rates.det(genuine, impostor, points)
    assert 0 < len(curve) <= points
    for axis, order in ((0, 1), (1, 1), (2, -1)):
        values = [point[axis] for point in curve]
        assert values == sorted(values, reverse=order < 0)
    assert curve[-1][1:] == (1.0, 0.0)


# ---- the list ----------------------------------------------------------------------------------------------------


def listed(folder: Path, text: str | bytes) -> Path:
    file = folder / "pairs.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_pairs_are_read_with_paths_beside_the_list(tmp_path: Path) -> None:
    file = listed(tmp_path, "\ufeffsame, path1,path2,set\r\n1,a.jpg,/b.jpg,Tōkyō\r\n\r\n0,c.jpg,d.jpg,\r\n")
    assert read_pairs(file) == [
        Pair(tmp_path / "a.jpg", Path("/b.jpg"), True, "Tōkyō"),
        Pair(tmp_path / "c.jpg", tmp_path / "d.jpg", False),
    ]


def test_an_attempt_may_have_up_to_five_pictures_of_who_stands_there(tmp_path: Path) -> None:
    file = listed(tmp_path, "path1,path2,path3,path4,same\na,b,c,,1\na,b,,d,0\na,b,,,0\n")
    assert [[path.name for path in pair.seen] for pair in read_pairs(file)] == [["b", "c"], ["b", "d"], ["b"]]
    pair = read_pairs(file)[0]
    good, none = (
        Side(np.ones((1, 2, 128), np.float32), ("",)),
        Side(np.zeros((0, 2, 128), np.float32), failure="x"),
    )
    assert compare(pair, good, [none, good], 3).distances["single"] == pytest.approx(0, abs=1e-9)
    assert compare(pair, good, [none, None], 3).failure.endswith("b: x")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", ":1: the columns should be path1, path2, same and optionally set"),
        ("path1,path2\na,b\n", ":1: the columns should be"),
        ("path1,path2,same\n", ": has no pairs"),
        ("path1,path2,same\na,b,1\na,b\n", ":3: has 2 values, not 3"),
        ("path1,path2,same\na,b,yes\n", ":2: same: should be 1 or 0, not 'yes'"),
        ("path1,path2,same\n,b,1\n", ":2: path1: should be a picture's path"),
        ("path1,path2,same\na,b\0,1\n", ":2: "),
        ('path1,path2,same\na,"b,1\n', ":2: "),
        ("path1,path2,same,set\na,b,1,all\n", ":2: set: 'all' is the name of all sets together"),
        (b"path1,path2,same\n\xff,b,1\n", ": is not UTF-8 text"),
    ],
)
def test_a_wrong_row_is_refused_with_file_and_line(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    file = listed(tmp_path, text)
    with pytest.raises(ConfigError) as told:
        read_pairs(file)
    assert str(told.value).startswith(str(file) + complaint)
    assert "\n" not in str(told.value)


@given(st.binary(max_size=200))
def test_whatever_the_list_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = listed(tmp_path_factory.getbasetemp(), b"path1,path2,same\n" + data)
    with suppress(ConfigError):
        assert read_pairs(file)


def test_the_command_line_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = listed(tmp_path, "path1,path2,same\na,b,2\n")
    for arguments, complaint in (
        (["--pairs", str(file)], f"reception: {file}:2: same: should be 1 or 0, not '2'\n"),
        (["--pairs", str(tmp_path / "none.csv")], f"{tmp_path / 'none.csv'}: cannot be read"),
        (["--conditions"], "reception: --conditions, --gate and --out go with --pairs\n"),
    ):
        assert main(["--state", str(tmp_path), "bench", "face", *arguments]) == 2
        said = capsys.readouterr().err
        assert complaint in said
        assert said.count("\n") == 1


# ---- policies and figures ----------------------------------------------------------------------------------------


def test_policies_by_numbers_made_by_hand() -> None:
    card, seen = np.zeros((1, 2, 128), np.float32), np.zeros((3, 2, 128), np.float32)
    seen[:, 0, 0], seen[:, 1, 0] = [0.3, 0.6, 0.0], [0.1, 0.0, 0.2]
    seen[2, 0, 1] = 0.3
    found = policies(card, seen, 3, DLIB)
    assert found["single"] == pytest.approx(0.3)
    assert found["single + mirror"] == pytest.approx(0.2)
    assert found["mean of 3"] == pytest.approx(math.hypot(0.3, 0.1))
    assert found["median of 3"] == pytest.approx(0.3)
    assert found["mean of 3 + mirror"] == pytest.approx(math.hypot(0.2, 0.05))
    # Frame three alone, at 0.3, and 0.01 more than the mean may have.
    assert found["terminal's rule"] == pytest.approx(0.31)
    # A frame without a face does not rename a policy, and fewer than three have no mean to be accepted by.
    fewer = policies(card, seen[:2], 3, DLIB)
    assert fewer.keys() == found.keys()
    assert fewer["mean of 3"] == pytest.approx(0.45)
    assert fewer["terminal's rule"] == pytest.approx(0.31)
    assert set(policies(card, seen[:1], 1, DLIB)) == {"single", "single + mirror"}


@given(st.lists(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=2), min_size=3, max_size=5))
def test_the_terminals_rule_accepts_what_the_terminal_accepts(places: list[list[float]]) -> None:
    settings = config.Face(model="dlib")
    card, seen = np.zeros((1, 2, 128), np.float32), np.zeros((len(places), 2, 128), np.float32)
    seen[:, 0, :2] = places
    policy = Policy(np.zeros(128), settings)
    decided = [policy.add(300.0 * number, face.astype(float)) for number, face in enumerate(seen[:, 0])]
    accepted = any(decision is not None and decision.accepted for decision in decided)
    distance = policies(card, seen, len(seen), DLIB)["terminal's rule"]
    assume(abs(distance - settings.threshold) > 1e-6)
    assert accepted == (distance <= settings.threshold)


def test_pairs_that_were_not_compared_are_counted_beside_the_rates() -> None:
    compared = [
        Compared(True, "", {"single": 0.3}),
        Compared(True, "", {}, "a.jpg: no face found"),
        Compared(False, "", {"single": 0.4}),
        Compared(False, "", {"single": 0.8}),
    ]
    (figure,) = figures_of(compared, "all", "clean")
    assert (figure["genuine"], figure["impostor"]) == (1, 2)
    assert figure["not_compared"] == {"genuine": 1, "impostor": 0}
    at = {each["threshold"]: each for each in figure["thresholds"]}
    assert (at[0.36]["far"], at[0.4]["far"], at[0.4]["frr"]) == (0, 0.5, 0)
    assert min(at) == 0.34
    assert max(at) == 0.66
    assert figure["at_threshold"]["threshold"] == 0.48
    assert figure["at_threshold"]["far"] == 0.5


# ---- pictures ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return Pictures()


def test_a_picture_of_another_framing_is_the_same_person_on_card_and_camera(pictures: Pictures) -> None:
    portrait = cv2.imread(str(portrait_path("astronaut")))
    assert portrait is not None
    placed = cv2.copyMakeBorder(portrait, 90, 300, 400, 60, cv2.BORDER_CONSTANT, value=(90, 120, 100))
    done, data = cv2.imencode(".png", cv2.resize(placed, None, fx=2.2, fy=2.2))
    assert done
    card = pictures.side(data.tobytes(), CARD, 1)
    seen = pictures.side(portrait_path("astronaut").read_bytes(), Condition.CLEAN, 2)
    assert card.vectors.shape == (1, 2, 128)
    assert seen.vectors.shape == (2, 2, 128)
    assert seen.verdicts == ("", "")
    assert policies(card.vectors, seen.vectors, 2)["single"] < 0.35


@pytest.mark.parametrize("kind", [PLAIN, CARD, Condition.CLEAN])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is not a picture"),
        (b"\xff\xd8\xff\xe0 no jpeg", "is not a picture"),
        (cv2.imencode(".png", np.zeros((10, 10, 3), np.uint8))[1].tobytes(), "is not a picture"),
        (cv2.imencode(".png", np.zeros((90, 90, 3), np.uint8))[1].tobytes(), "no face found"),
    ],
)
def test_a_picture_without_a_face_is_a_failure_with_its_reason(
    pictures: Pictures, kind: str, data: bytes, why: str
) -> None:
    side = pictures.side(data, kind, 2)
    assert side.failure == why
    assert len(side.vectors) == 0


def test_an_interrupted_run_goes_on_where_it_was_and_gives_figures_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    paths = [str(portrait_path(name)) for name in SHIPPED[:3]]
    rows = [f"{paths[0]},{paths[0]},1", f"{paths[0]},{paths[1]},0", f"broken.jpg,{paths[0]},1"]
    out, said = tmp_path / "out", list[str]()
    file = listed(tmp_path, "\n".join(["path1,path2,same", *rows]))
    keep, kept = face_accuracy.Cache.put, list[str]()

    def interrupted(cache: face_accuracy.Cache, digest: str, kind: str, side: Side) -> None:
        if len(kept) == 3:
            raise KeyboardInterrupt
        keep(cache, digest, kind, side)
        kept.append(kind)

    monkeypatch.setattr(face_accuracy.Cache, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        face_accuracy.accuracy(file, out, said.append, frames=2, processes=1)
    assert said == ["7 sides of pictures, 0 of them from an earlier run"]
    assert kept
    assert not (out / "accuracy.json").exists()
    monkeypatch.undo()

    listed(tmp_path, "\n".join(["path1,path2,same", *rows, f"none.jpg,{paths[0]},0"]))
    said.clear()
    figures = face_accuracy.accuracy(file, out, said.append, frames=2, gated=True, processes=1)
    assert any("7 sides of pictures, 3 of them from an earlier run" in line for line in said)
    assert any("broken.jpg: is not a picture [sface] (picture, clean)" in line for line in said)
    assert any("none.jpg: cannot be read [dlib] (picture, clean)" in line for line in said)
    assert {figure["network"] for figure in figures} == {"sface", "dlib"}
    by_name = {
        (figure["condition"], figure["policy"]): figure for figure in figures if figure["network"] == "sface"
    }
    assert {policy for condition, policy in by_name if condition == "clean"} == {
        "single", "single + mirror", "mean of 2", "median of 2", "mean of 2 + mirror"
    }  # fmt: skip
    mean = by_name["clean", "mean of 2"]
    assert mean["eer"]["rate"] == 0
    assert mean["not_compared"] == {"genuine": 1, "impostor": 1}
    report = json.loads((out / "accuracy.json").read_text(encoding="utf-8"))
    assert report["figures"] == json.loads(json.dumps(figures))
    assert cv2.imread(str(out / "det.png")) is not None
    assert (out / "embeddings.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_foreign_file_in_place_of_the_embeddings_is_told(tmp_path: Path) -> None:
    (tmp_path / "embeddings.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(ConfigError, match=r"embeddings\.sqlite: cannot be used"):
        face_accuracy.Cache(tmp_path, "model", 3)


# ---- DET curve ---------------------------------------------------------------------------------------------------


def test_rates_lie_in_order_between_the_edges_of_the_diagram() -> None:
    placed = [place(rate) for rate in (0.0, 0.0001, 0.001, 0.1, 0.5, 0.9, 1.0)]
    assert placed == sorted(placed)
    assert (placed[0], placed[-1]) == (0.0, 1.0)


def test_a_curve_is_drawn_in_its_colour(tmp_path: Path) -> None:
    curve = Curve("c", [(0.001, 0.5), (0.1, 0.05)], 30, 300, Mark(0.5, 0.01, 0.2, (0.005, 0.02), (0.1, 0.3)))
    few = replace(curve, genuine=19)
    draw(tmp_path / "det.png", {"one": [curve], "none": [few]})
    image = cv2.imread(str(tmp_path / "det.png"))
    assert image is not None
    blue = (image == (0x99, 0x6E, 0x0B)).all(axis=2)
    assert blue[:, : image.shape[1] // 2].sum() > 300
    assert blue[:, image.shape[1] // 2 :].sum() < 150  # the legend alone


def test_an_interval_holds_the_rate_and_narrows_with_more_pairs() -> None:
    assert face_rates.interval(0.0, 0) == (0.0, 1.0)
    low, high = face_rates.interval(0.02, 1755)
    assert low == pytest.approx(0.0144, abs=0.0005)
    assert high == pytest.approx(0.0277, abs=0.0005)
    assert face_rates.interval(0.0, 1000)[0] == 0.0
    assert face_rates.interval(0.0, 1000)[1] == pytest.approx(3.84 / 1003.84, abs=1e-4)
