"""What finds faces: YuNet, and dlib's HOG detector in its place."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hardware.camera import Image
from hardware.face.engine import finder, models
from hardware.face.engine.finder import Finder, HogFinder, YuNetFinder, best_finder
from hardware.simulation.moving_stills import Condition, moving
from hardware.simulation.portraits import portrait_path


def a_frame(condition: Condition = Condition.CLEAN) -> Image:
    return next(moving(portrait_path("astronaut"), condition, 1))


def found(with_: Finder, image: Image) -> list[finder.Found]:
    return with_.searched(image, cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), with_.lines)  # type: ignore[arg-type]


def test_both_give_the_same_box_of_the_same_face() -> None:
    (yunet,), (hog,) = (found(each, a_frame()) for each in (YuNetFinder(), HogFinder()))
    assert yunet.edges == pytest.approx(hog.edges, abs=0.15 * hog.width)


@pytest.mark.parametrize(
    "condition", [Condition.DARK, Condition.MASK, Condition.SMALL_60, Condition.TILT_FAR]
)
def test_yunet_finds_faces_that_are_hard_to_see(condition: Condition) -> None:
    assert len(found(YuNetFinder(), a_frame(condition))) == 1


def test_nobody_is_found_where_nobody_is() -> None:
    for each in (YuNetFinder(), HogFinder()):
        assert found(each, a_frame(Condition.EMPTY)) == []


def test_a_face_is_followed_to_the_edge_of_the_frame() -> None:
    yunet, image = YuNetFinder(), a_frame()
    moved = cv2.warpAffine(image, np.array([[1.0, 0, 215], [0, 1, 0]]), (640, 480))
    (face,) = found(yunet, moved)  # type: ignore[arg-type]
    grey = cv2.cvtColor(moved, cv2.COLOR_BGR2GRAY)
    (again,) = yunet.followed(moved, grey, face.edges)  # type: ignore[arg-type]
    assert again.edges == pytest.approx(face.edges, abs=0.12 * face.width)
    assert yunet.followed(moved, grey, (700.0, 100.0, 900.0, 300.0)) == []  # type: ignore[arg-type]


def test_hog_stands_in_where_the_file_of_yunet_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert best_finder().name == "yunet"
    monkeypatch.setattr(finder, "YUNET", replace(models.YUNET, package="no_such_package"))
    assert best_finder().name == "hog"
