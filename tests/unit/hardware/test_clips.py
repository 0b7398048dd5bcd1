"""The clip format, and clips and card photos made from the shipped portraits."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from config import ConfigError
from hardware.camera import Image
from hardware.camera.clips import load_clip, write_clip
from hardware.simulation.moving_stills import HEIGHT, WIDTH, Condition, clip_for, moving
from hardware.simulation.portraits import SHIPPED, card_photo, portrait_path


def pictures(count: int, width: int = 64, height: int = 48) -> list[Image]:
    return [np.full((height, width, 3), 10 * number + 20, np.uint8) for number in range(count)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    folder = tmp_path / "clip"
    write_clip(folder, pictures(4), source="drawn by a test", fps=20)
    return folder


def test_a_written_clip_reads_back(clip: Path) -> None:
    read = load_clip(clip)
    assert list(read.stamps_ms) == [0, 50, 100, 150]
    assert read.loop_ms == 200
    assert [round(read.image(number).mean()) for number in range(4)] == [20, 30, 40, 50]


def test_a_clip_with_time_stamps_keeps_them_from_its_first_frame_on(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip", pictures(3), source="drawn", stamps_ms=[100, 140, 200])
    read = load_clip(tmp_path / "clip")
    assert list(read.stamps_ms) == [0, 40, 100]
    assert read.loop_ms == 150


def test_numbers_may_start_at_one_and_png_is_a_frame_too(clip: Path) -> None:
    (clip / "0000.jpg").unlink()
    cv2.imwrite(str(clip / "frame-4.png"), pictures(1)[0])
    assert len(load_clip(clip).pictures) == 4


def set_note(text: str) -> Callable[[Path], None]:
    def change(clip: Path) -> None:
        (clip / "clip.toml").write_text(text, encoding="utf-8")

    return change


def without_number(clip: Path) -> None:
    (clip / "0001.jpg").rename(clip / "first.jpg")


def another_size(clip: Path) -> None:
    cv2.imwrite(str(clip / "0002.jpg"), pictures(1, width=32)[0])


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda clip: (clip / "0002.jpg").unlink(), r"clip: frame 2 of 4 is missing"),
        (lambda clip: (clip / "0003.jpg").unlink(), r"clip: frame 3 of 4 is missing"),
        (lambda clip: (clip / "0002.jpg").write_bytes(b"no picture"), r"0002\.jpg: is not a picture"),
        (lambda clip: (clip / "0002.jpg").write_bytes(b""), r"0002\.jpg: is not a picture"),
        (another_size, r"0002\.jpg: is 32 x 48 px, but size in clip\.toml says 64 x 48"),
        (without_number, r"first\.jpg: a frame needs a number"),
        (lambda clip: (clip / "clip.toml").unlink(), r"clip\.toml: cannot be read"),
        (set_note("fps = "), r"clip\.toml: is not TOML"),
        (
            set_note('fps = 30.0\nsize = [64, 48]\nsource = "x"\nspeed = 2'),
            r"clip\.toml:4: speed: is not a known",
        ),
        (set_note('fps = 0.0\nsize = [64, 48]\nsource = "x"'), r"clip\.toml:1: fps: 0\.0 is not allowed"),
        (set_note('size = [64, 48]\nsource = "x"'), r"clip\.toml: give either fps or stamps_ms"),
        (
            set_note('stamps_ms = [0.0, 10.0, 5.0, 20.0]\nsize = [64, 48]\nsource = "x"'),
            r"clip\.toml:1: stamps_ms: should have one ascending value per frame",
        ),
        (
            set_note('fps = 30.0\nframes = 3\nsize = [64, 48]\nsource = "x"'),
            r"clip\.toml: frames: there are 4",
        ),
    ],
)
def test_what_is_wrong_with_a_clip_is_told_with_file_and_key(
    clip: Path, spoil: Callable[[Path], None], complaint: str
) -> None:
    spoil(clip)
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_clip(clip)
    assert "\n" not in str(caught.value)


def test_a_clip_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such clip folder"):
        load_clip(tmp_path / "nowhere")


def test_a_clip_that_cannot_be_finished_leaves_nothing_behind(tmp_path: Path) -> None:
    def failing() -> list[Image]:
        raise ValueError("the photo is bad")

    with pytest.raises(ValueError, match="the photo is bad"):
        write_clip(tmp_path / "clip", (image for image in failing()), source="drawn")
    with pytest.raises(RuntimeError):
        write_clip(tmp_path / "clip", (stop(image) for image in pictures(3)), source="drawn")
    assert list(tmp_path.iterdir()) == []


def stop(image: Image) -> Image:
    raise RuntimeError


@pytest.mark.parametrize("condition", Condition)
def test_every_condition_gives_camera_pictures(condition: Condition) -> None:
    for image in moving(portrait_path("synthetic"), condition, frames=2):
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert image.dtype == np.uint8


def test_a_moving_still_is_the_same_every_time() -> None:
    one, two = (list(moving(portrait_path("astronaut"), frames=3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_moving_still_moves_and_leads_from_its_end_to_its_start() -> None:
    # A quarter of the size, where the noise of the sensor is no movement.
    frames = [
        cv2.resize(image, (160, 120), interpolation=cv2.INTER_AREA).astype(float)
        for image in moving(portrait_path("astronaut"))
    ]
    steps = [float(np.abs(a - b).mean()) for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)]
    assert min(steps) > 0.1
    assert steps[-1] < 1.5 * max(steps[:-1])


def test_a_clip_is_made_once_and_found_again(tmp_path: Path) -> None:
    first = clip_for(portrait_path("synthetic"), tmp_path, Condition.EMPTY)
    made = (first / "clip.toml").stat().st_mtime_ns
    assert clip_for(portrait_path("synthetic"), tmp_path, Condition.EMPTY) == first
    assert (first / "clip.toml").stat().st_mtime_ns == made
    assert clip_for(portrait_path("synthetic"), tmp_path, Condition.BLACK) != first
    assert len(load_clip(first).pictures) == 60


def test_a_photo_that_is_no_picture_is_told_with_its_file(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_text("no picture", encoding="utf-8")
    for use in (card_photo, lambda path: clip_for(path, tmp_path), lambda path: portrait_path(str(path))):
        with pytest.raises(ConfigError, match=r"photo\.jpg: is not a picture"):
            use(photo)
    with pytest.raises(ConfigError, match=r"nowhere\.jpg: cannot be read"):
        card_photo(tmp_path / "nowhere.jpg")
    assert list(tmp_path.iterdir()) == [photo]


def test_an_unknown_portrait_is_told_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"photo 'mona_lisa': there is no such portrait; known: astronaut, .*morph"
    ):
        portrait_path("mona_lisa")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_portrait_is_small_and_makes_a_card_photo_like_a_real_one(name: str) -> None:
    assert portrait_path(name).stat().st_size < 60_000
    photo = card_photo(portrait_path(name))
    assert photo[4:8] == b"jP  "
    assert 4_000 < len(photo) < 6_000
    image = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.shape == (320, 240)


def test_a_picture_of_any_shape_becomes_a_card_photo(tmp_path: Path) -> None:
    for width, height in ((50, 400), (400, 50), (33, 33)):
        path = tmp_path / f"{width}.png"
        cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
        assert card_photo(path)
        assert next(moving(path)).shape == (HEIGHT, WIDTH, 3)
