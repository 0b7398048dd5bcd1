"""./run doctor --camera: what is told of pictures that are turned, mirrored, or show nobody."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import config
from hardware.camera import Frame, Image, NoCamera
from hardware.face.engine import FaceEngine
from hardware.simulation.moving_stills import Condition, moving
from hardware.simulation.portraits import portrait_path
from reception.doctor import camera
from reception.doctor.camera import Seen, take, words


@pytest.fixture(scope="module")
def engine() -> Iterator[FaceEngine]:
    with FaceEngine() as engine:
        yield engine


@pytest.fixture(scope="module")
def turning() -> list[Image]:
    return list(moving(portrait_path("astronaut"), Condition.TURN_LEFT, 24))


def told(engine: FaceEngine, images: list[Image], settings: config.Camera | None = None) -> list[str]:
    seen = Seen()
    for number, image in enumerate(images):
        take(seen, Frame(np.ascontiguousarray(image), number * 50.0), engine)
    engine.forget()
    return list(words(seen, settings or config.Camera()))


def test_an_upright_camera_that_is_not_mirrored_is_told_to_be_right(
    engine: FaceEngine, turning: list[Image]
) -> None:
    size, face, mirror = told(engine, turning)
    assert size.startswith("pictures: 640 x 480 px, 20.0 frames a second, brightness ")
    assert (face, mirror) == ("face: upright", "mirror: left is left")


@pytest.mark.parametrize("turned", [90, 180, 270])
@pytest.mark.parametrize("already", [0, 90])
def test_a_turned_camera_is_told_with_what_to_set(
    engine: FaceEngine, turning: list[Image], turned: int, already: int
) -> None:
    images = [np.rot90(image, turned // 90) for image in turning[:6]]
    settings = config.Camera(rotate=already)  # type: ignore[arg-type]
    assert told(engine, images, settings)[1:] == [
        f"problem: faces are turned; set [camera] rotate = {(turned + already) % 360}"
    ]


@pytest.mark.parametrize(("set_to", "remedy"), [(False, "true"), (True, "false")])
def test_a_mirrored_camera_is_told_with_what_to_set(
    engine: FaceEngine, turning: list[Image], set_to: bool, remedy: str
) -> None:
    images = [image[:, ::-1] for image in turning]
    mirror = told(engine, images, config.Camera(mirror=set_to))[-1]
    assert mirror == f"problem: the picture is mirrored; set [camera] mirror = {remedy}"


def test_who_does_not_turn_or_is_not_there_is_told_that_nothing_could_be_seen(engine: FaceEngine) -> None:
    still = list(moving(portrait_path("astronaut"), Condition.CLEAN, 1)) * 8
    assert told(engine, still)[-1] == "mirror: the head did not turn far enough to tell"
    empty = [np.full((480, 640, 3), 120, np.uint8)] * 6
    assert "none was seen" in told(engine, empty)[-1]
    assert list(words(Seen(), config.Camera())) == ["problem: no picture came"]


def test_the_true_cause_of_a_camera_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent:
        paced = True

        given: tuple[Frame, ...] = ()

        def frames(self) -> Iterator[Frame]:
            yield from self.given
            raise NoCamera("there is no camera 7")

        def close(self) -> None:
            pass

    opened: Callable[[Any], Absent] = lambda settings: Absent()  # noqa: E731
    monkeypatch.setattr(camera, "open_camera", opened)
    said: list[str] = []
    assert camera.report(config.Camera(), FaceEngine(), said.append) is False
    assert said[-1] == "problem: there is no camera 7"
