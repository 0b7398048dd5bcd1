"""The face detector's file holds dlib's own detector."""

from pathlib import Path

import dlib

from hardware.face_engine.detector import FILE, frontal_face_detector


def test_the_file_is_what_dlib_writes_and_reads(tmp_path: Path) -> None:
    dlib.get_frontal_face_detector().save(str(tmp_path / "saved"))
    frontal_face_detector().save(str(tmp_path / "read"))

    assert FILE.read_bytes() == (tmp_path / "saved").read_bytes() == (tmp_path / "read").read_bytes()
