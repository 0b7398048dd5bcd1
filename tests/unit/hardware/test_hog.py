"""The face detector's file holds dlib's own detector."""

from pathlib import Path
from typing import cast

import cv2
import dlib
import pytest

from hardware.face.engine.hog import FILE, FaceDetector, Grey, frontal_face_detector, limited
from hardware.simulation.moving_stills import Condition, moving
from hardware.simulation.portraits import portrait_path, read_picture


def test_the_file_is_what_dlib_writes_and_reads(tmp_path: Path) -> None:
    dlib.get_frontal_face_detector().save(str(tmp_path / "saved"))
    frontal_face_detector().save(str(tmp_path / "read"))

    assert FILE.read_bytes() == (tmp_path / "saved").read_bytes() == (tmp_path / "read").read_bytes()


def test_a_detector_of_few_sizes_sees_these_sizes_as_the_whole_one_does_and_no_larger_face() -> None:
    whole = frontal_face_detector()
    few = limited(whole, 3)
    grey = cv2.cvtColor(read_picture(portrait_path("grace_hopper")), cv2.COLOR_BGR2GRAY)
    (face,) = whole(grey)
    for size, seen in ((80, True), (90, True), (100, True), (190, False)):
        scale = size / face.width()
        small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        boxes, scores, ways = whole.run(small, 0, 0.5)
        assert len(boxes) == 1
        alike = few.run(small, 0, 0.5)
        assert (list(alike[0]), alike[1], alike[2]) == ((list(boxes), scores, ways) if seen else ([], [], []))


def test_on_one_core_or_two_the_same_faces_are_found_each_once() -> None:
    grey = a_frame(Condition.TWO_PEOPLE)
    found = FaceDetector(0.0).searched(grey, 0.5)
    assert FaceDetector(0.0, threads=2).searched(grey, 0.5) == found
    assert len(found) == 2
    scores = [score for score, _ in found]
    assert scores == sorted(scores, reverse=True)
    for _, (left, top, right, bottom) in found:
        assert 0.25 * 480 < right - left < 0.5 * 480
        assert 0 < top < bottom < 480
    assert abs(found[0][1][0] - found[1][1][0]) > 200


def test_a_dlib_that_keeps_its_detector_in_another_way_finds_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grey = a_frame(Condition.TWO_PEOPLE)
    usual = FaceDetector(0.0).searched(grey, 0.5)
    monkeypatch.setattr("hardware.face.engine.hog._ALL_SIZES", b"another way")
    found = FaceDetector(0.0).searched(grey, 0.5)
    assert [tuple(map(round, edges)) for _, edges in found] == [
        tuple(map(round, edges)) for _, edges in usual
    ]


def test_a_face_is_followed_only_where_it_was() -> None:
    grey = a_frame(Condition.CLEAN)
    detector = FaceDetector(0.0)
    ((_, (left, top, right, bottom)),) = detector.searched(grey, 0.5)
    width = right - left
    ((_, again),) = detector.followed(grey, (left + width * 0.1, top, right + width * 0.1, bottom))
    assert again == pytest.approx((left, top, right, bottom), abs=0.15 * width)
    assert detector.followed(grey, (left - width, top, right - width, bottom)) == []


def a_frame(condition: Condition) -> Grey:
    image = next(moving(portrait_path("grace_hopper"), condition, 1))
    return cast(Grey, cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
