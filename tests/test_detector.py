"""The face detector's file holds dlib's own detector."""

from pathlib import Path

import cv2
import dlib

from hardware.face_engine.detector import FILE, frontal_face_detector, limited
from hardware.portraits import portrait_path, read_picture


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
