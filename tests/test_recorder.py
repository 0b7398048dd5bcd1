"""Recordings: every frame as it came, at its time; or one line that says why not, and nothing left behind."""

import errno
import os
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from config import ConfigError
from hardware.camera import CameraError, Frame, Image, NoCamera, SteerableClip, open_clip
from hardware.clips import load_clip, write_clip
from hardware.recorder import record
from reception.__main__ import main


def noisy(number: int) -> Image:
    return np.random.default_rng(number).integers(80, 100, (48, 64, 3), np.uint8)


STAMPS = [0.0, 33.1, 66.7, 101.3, 133.20000000000002, 166.9]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    images = [noisy(number) for number in range(6)]
    write_clip(tmp_path / "clip", images, source="drawn by a test", stamps_ms=STAMPS)
    return tmp_path / "clip"


class Camera:
    """A paced source of some frames, which then does what the test says."""

    paced = True

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self._count, self._error = count, error

    def frames(self) -> Iterator[Frame]:
        for number in range(self._count):
            yield Frame(noisy(number), 5000 + number * 40.0)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        pass


def test_a_recording_replays_the_same_frames_at_the_same_times(clip: Path, tmp_path: Path) -> None:
    before = list(islice(open_clip(clip, "fast").frames(), 6))

    made = record(open_clip(clip, "fast"), tmp_path / "out", 0.18, words='camera "1"\\')

    after = list(islice(open_clip(tmp_path / "out", "fast").frames(), 6))
    assert made.frames == 6
    assert [frame.stamp_ms for frame in after] == [frame.stamp_ms for frame in before] == STAMPS
    assert all(np.array_equal(one.image, other.image) for one, other in zip(before, after, strict=True))
    assert load_clip(tmp_path / "out").loop_ms == pytest.approx(load_clip(clip).loop_ms)
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".png"] * 6 + [".toml"]


def test_a_recording_of_a_camera_has_its_times_from_the_first_frame_on(clip: Path, tmp_path: Path) -> None:
    camera = SteerableClip(clip)
    heard: list[tuple[float, int]] = []
    made = record(camera, tmp_path / "out", 0.3, words="camera 0", progress=lambda *told: heard.append(told))
    camera.close()
    read = load_clip(tmp_path / "out")
    assert len(read.pictures) == made.frames > 1
    assert read.stamps_ms[0] == 0
    assert read.stamps_ms[-1] < 300
    assert [frames for _, frames in heard] == list(range(1, made.frames + 1))


def test_an_interrupted_recording_is_kept(clip: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def third(seconds: float, frames: int) -> None:
        if frames == 3:
            stop.set()

    record(open_clip(clip, "fast"), tmp_path / "out", 50, words="clip", stop=stop, progress=third)
    assert len(load_clip(tmp_path / "out").pictures) == 3


def test_a_folder_that_holds_something_is_left_alone(clip: Path, tmp_path: Path) -> None:
    before = sorted(clip.iterdir())
    for folder in (clip, clip / "clip.toml"):
        with pytest.raises(ConfigError, match="should be a new or an empty folder"):
            record(open_clip(clip, "fast"), folder, 1, words="clip")
    assert sorted(clip.iterdir()) == before


@pytest.mark.parametrize("made_before", [True, False])
def test_nothing_is_left_of_a_recording_whose_camera_failed(tmp_path: Path, made_before: bool) -> None:
    out = tmp_path / "out"
    if made_before:
        out.mkdir()
    with pytest.raises(NoCamera):
        record(Camera(3, NoCamera("camera 0 was unplugged")), out, 9, words="camera 0")
    assert list(tmp_path.rglob("*")) == ([out] if made_before else [])


def test_no_picture_at_all_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="before the first picture"):
        record(Camera(0), tmp_path / "out", 9, words="camera 0")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_in_one_line_and_nothing_is_left(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "000003.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return wanted(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        ConfigError, match=r"out: cannot be written: No space left on device; nothing"
    ) as told:
        record(open_clip(clip, "fast"), tmp_path / "out", 9, words="clip")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()


# --- The command ------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(clip: Path, tmp_path: Path) -> Path:
    path = tmp_path / "terminal.toml"
    path.write_text(f'[camera]\nclip = "{clip}"\n', encoding="utf-8")
    return path


def run(tmp_path: Path, *arguments: object) -> int:
    return main(["--state", str(tmp_path / "state"), "record", *map(str, arguments)])


def test_the_command_says_what_it_records_and_that_it_shows_faces(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(tmp_path, "--out", out, "--seconds", "3", "--config", settings) == 0
    said = capsys.readouterr().out
    assert "the frames show faces" in said
    assert "  1.0 s  " in said
    assert f"{out}: " in said.splitlines()[-1]
    assert load_clip(out).stamps_ms[-1] < 3000


def test_the_command_refuses_in_one_line(
    settings: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent.toml"
    absent.write_text("[camera]\nindex = 97\n", encoding="utf-8")
    for arguments, said in (
        (("--out", clip, "--config", settings), "should be a new or an empty folder"),
        (("--out", tmp_path / "out", "--config", absent), "there is no camera 97"),
        (("--out", tmp_path / "out", "--seconds", "0"), "--seconds 0: should be above 0 and at most 60"),
        (("--out", tmp_path / "out", "--config", tmp_path / "none.toml"), "none.toml: cannot be read"),
    ):
        assert run(tmp_path, *arguments) == 2
        heard = capsys.readouterr().err
        assert said in heard
        assert heard.count("\n") == 1
    assert not (tmp_path / "out").exists()
