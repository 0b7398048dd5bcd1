"""The real engine on the shipped portraits: who is accepted, who never is; and a worker that dies, hangs, forgets."""

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import config
from hardware.camera import Frame, open_clip
from hardware.face.engine import EngineLost, FaceEngine, PhotoUnusable
from hardware.face.engine.embedder import SFaceEmbedder
from hardware.face.engine.look import Look
from hardware.face.observation import Embedding
from hardware.face.policy import FaceMatch, FaceOutcome, Policy, gate
from hardware.simulation.moving_stills import FRAMES, MASK_VALUES, Condition, clip_for, masked, moving
from hardware.simulation.portraits import SHIPPED, card_photo, portrait_path
from tests.support import ROOT

PEOPLE = SHIPPED[:3]
SETTINGS = config.Face()


@pytest.fixture(scope="module")
def photos(engine: FaceEngine) -> dict[str, Embedding]:
    return {name: engine.embed_photo(card_photo(portrait_path(name))) for name in SHIPPED}


class Clip:
    """One round of a moving still, two seconds, made as far as it is looked at."""

    paced = False

    def __init__(self, name: str, condition: Condition, frames: int = FRAMES) -> None:
        self._name, self._condition, self._frames = name, condition, frames

    def frames(self) -> Iterator[Frame]:
        for number, image in enumerate(moving(portrait_path(self._name), self._condition, self._frames)):
            yield Frame(image, number * 2000 / self._frames)

    def close(self) -> None:
        pass


ACCEPTED = [
    Condition.CLEAN,
    Condition.NOISE,
    Condition.TILT,
    Condition.BACKLIGHT,
    Condition.SIDE_LIGHT,
    Condition.HAT,
    Condition.JPEG_30,
    Condition.LOW,
    Condition.SMALL_100,
    Condition.BLUR_START,
]
GUIDED = {
    Condition.MASK: "UNCOVER_MOUTH",
    Condition.SUNGLASSES: "UNCOVER_EYES",
    Condition.DARK: "MORE_LIGHT",
    Condition.BRIGHT: "LESS_LIGHT",
    Condition.BLURRED: "HOLD_STILL",
    Condition.SMALL_60: "CLOSER",
    Condition.NEAR: "FURTHER",
    Condition.TILT_FAR: "LOOK_STRAIGHT",
    Condition.TWO_PEOPLE: "ONE_PERSON",
    Condition.EMPTY: "NO_FACE",
}


WITH_A_FACE = [
    kind
    for kind in Condition
    if kind not in (Condition.EMPTY, Condition.BLACK, Condition.FROZEN, Condition.TWO_PEOPLE)
]


@pytest.mark.parametrize("condition", ACCEPTED)
@pytest.mark.parametrize("name", PEOPLE)
def test_the_right_person_is_accepted(
    engine: FaceEngine, photos: dict[str, Embedding], name: str, condition: Condition
) -> None:
    result = FaceMatch(engine, SETTINGS).match(Clip(name, condition), photos[name])
    assert result.accepted, result
    assert result.frames_used <= 3


@pytest.mark.parametrize(
    ("name", "condition", "reason"),
    [
        (name, condition, reason)
        for condition, reason in GUIDED.items()
        for name in (SHIPPED if condition is not Condition.EMPTY else PEOPLE[:1])
    ],
)
def test_who_cannot_be_seen_well_is_told_why_and_compared_with_nobody(
    engine: FaceEngine, photos: dict[str, Embedding], name: str, condition: Condition, reason: str
) -> None:
    result = FaceMatch(engine, SETTINGS).match(
        Clip(name, condition, frames=12 if condition is Condition.SMALL_60 else 9), photos[name]
    )
    if (name, condition) == ("synthetic", Condition.TILT_FAR):
        # Of this warped face the landmarks tell no tilt (14 degrees at most, of 28); it is the right one all the same.
        assert result.accepted, result
        return
    assert result.outcome in (FaceOutcome.TIMEOUT, FaceOutcome.NO_FACE), result
    assert result.reason == reason
    assert result.frames_used == 0


SEEN_WELL = [kind for kind in WITH_A_FACE if kind not in GUIDED]


@pytest.mark.parametrize(
    ("name", "condition"),
    # Each person and each condition in every run; all pairs of both in long ones.
    [
        pytest.param(name, condition, marks=[pytest.mark.long] if (row + column) % 2 else [])
        for row, name in enumerate(PEOPLE)
        for column, condition in enumerate(SEEN_WELL)
    ],
)
def test_nobody_is_accepted_for_another_person(
    engine: FaceEngine, photos: dict[str, Embedding], name: str, condition: Condition
) -> None:
    policies = {card: Policy(photos[card], SETTINGS) for card in PEOPLE if card != name}
    for frame in Clip(name, condition, frames=6 if condition is Condition.BLUR_START else 3).frames():
        seen = engine.observe(frame)
        if gate(seen, 480, SETTINGS.gate) is None:
            embedding = engine.embed_last()
            for card, policy in policies.items():
                decision = policy.add(frame.stamp_ms, embedding, seen.score)
                assert decision is None or not decision.accepted, (card, decision)
    engine.forget()


@pytest.mark.long
@pytest.mark.parametrize("condition", WITH_A_FACE)
@pytest.mark.parametrize("name", PEOPLE)
def test_nobody_is_accepted_for_another_person_whichever_frame_comes_first(
    engine: FaceEngine, photos: dict[str, Embedding], name: str, condition: Condition
) -> None:
    good = []
    for frame in Clip(name, condition).frames():
        seen = engine.observe(frame)
        if gate(seen, 480, SETTINGS.gate) is None:
            good.append((frame.stamp_ms, engine.embed_last(), seen))
    engine.forget()
    for card in PEOPLE:
        for start in range(len(good)) if card != name else ():
            policy = Policy(photos[card], SETTINGS)
            for stamp_ms, embedding, seen in good[start:] + [
                (stamp_ms + 2000, embedding, seen) for stamp_ms, embedding, seen in good[:start]
            ]:
                if policy.wants(stamp_ms, seen):
                    policy.offer(embedding.copy(), seen)
                decision = policy.decide(stamp_ms)
                assert decision is None or not decision.accepted, (card, start, decision)
                if decision is not None:
                    break


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
def test_a_morph_of_two_people_is_accepted_for_either_which_the_guide_says(
    engine: FaceEngine, photos: dict[str, Embedding], name: str
) -> None:
    """An attack that this cannot stop: a change that makes this fail is one for the guide."""
    result = FaceMatch(engine, SETTINGS).match(Clip("morph", Condition.CLEAN), photos[name])
    assert result.accepted
    assert result.distance is not None
    assert result.distance > 0.2


def test_a_morph_of_two_people_is_nobody_else(engine: FaceEngine, photos: dict[str, Embedding]) -> None:
    result = FaceMatch(engine, SETTINGS).match(Clip("morph", Condition.CLEAN), photos["synthetic"])
    assert result.outcome is FaceOutcome.REFUSED


class Scene:
    """Frames with several people, for two seconds: each a clip's frame, scaled and put where it stands."""

    paced = False

    def __init__(self, *people: tuple[str, float, tuple[int, int]]) -> None:
        """Name, height of the picture as a share of the frame's, and where its upper left corner is, px."""
        self._people = people

    def frames(self) -> Iterator[Frame]:
        clips = [list(moving(portrait_path(name), Condition.CLEAN, 12)) for name, _, _ in self._people]
        for number in range(60):
            image = np.full((480, 640, 3), (150, 160, 165), np.uint8)
            for (_, share, (left, top)), clip in zip(self._people, clips, strict=True):
                part = cv2.resize(clip[number % 12], None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
                middle = part[:, part.shape[1] // 4 : part.shape[1] * 3 // 4]
                inside = middle[max(0, -top) : 480 - top, max(0, -left) : 640 - left]
                y, x = max(0, top), max(0, left)
                image[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
            yield Frame(image, number * 1000 / 30)

    def close(self) -> None:
        pass


ALONE = ("astronaut", 1.0, (160, 0))


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([("grace_hopper", 0.55, (480, 0))], "somebody behind"),
        ([("grace_hopper", 0.6, (0, 0)), ("synthetic", 0.4, (500, 0))], "a queue"),
        ([("synthetic", 0.6, (0, 200))], "a child on an arm"),
    ],
)
def test_others_who_are_further_away_or_smaller_disturb_nobody(
    engine: FaceEngine,
    photos: dict[str, Embedding],
    others: list[tuple[str, float, tuple[int, int]]],
    why: str,
) -> None:
    result = FaceMatch(engine, SETTINGS).match(Scene(*others, ALONE), photos["astronaut"])
    assert result.accepted, (why, result)


def test_somebody_beside_who_is_as_near_must_step_back(
    engine: FaceEngine, photos: dict[str, Embedding]
) -> None:
    scene = Scene(("astronaut", 0.9, (0, 0)), ("grace_hopper", 0.9, (330, 0)))
    result = FaceMatch(engine, SETTINGS).match(scene, photos["astronaut"])
    assert (result.reason, result.frames_used) == ("ONE_PERSON", 0)


def test_who_is_behind_is_not_accepted_in_the_place_of_who_is_in_front(
    engine: FaceEngine, photos: dict[str, Embedding]
) -> None:
    scene = Scene(("grace_hopper", 0.6, (0, 0)), ALONE)
    result = FaceMatch(engine, SETTINGS).match(scene, photos["grace_hopper"])
    assert result.outcome is FaceOutcome.REFUSED


@pytest.mark.parametrize("top", [150, 215])
def test_a_low_face_as_of_a_wheelchair_user_is_accepted_though_somebody_stands_behind(
    engine: FaceEngine, photos: dict[str, Embedding], top: int
) -> None:
    scene = Scene(("grace_hopper", 0.5, (400, 0)), ("astronaut", 0.85, (60, top)))
    assert FaceMatch(engine, SETTINGS).match(scene, photos["astronaut"]).accepted


@pytest.mark.parametrize("at", [(490, 0), (-160, 0), (160, -190)])
def test_a_face_that_the_edge_cuts_is_told_so(
    engine: FaceEngine, photos: dict[str, Embedding], at: tuple[int, int]
) -> None:
    result = FaceMatch(engine, SETTINGS).match(Scene(("astronaut", 1.0, at)), photos["astronaut"])
    assert (result.reason, result.frames_used) == ("WHOLE_FACE", 0), result


def test_a_face_that_moves_into_the_picture_is_compared_as_soon_as_all_of_it_is_there(
    engine: FaceEngine, photos: dict[str, Embedding]
) -> None:
    """Its chin is cut in most of the frames."""
    scene = Scene(("astronaut", 1.0, (160, 260)))
    cut = [engine.observe(frame).cut for frame in scene.frames()]
    assert 0 < cut.count(False) < len(cut) / 2
    engine.forget()
    result = FaceMatch(engine, SETTINGS).match(scene, photos["astronaut"])
    assert result.accepted, result


@pytest.mark.parametrize("light", [1.0, 0.5])
@pytest.mark.parametrize("colour", MASK_VALUES)
@pytest.mark.parametrize("name", PEOPLE)
def test_a_mask_of_any_colour_gets_its_own_words(
    engine: FaceEngine, photos: dict[str, Embedding], name: str, colour: str, light: float
) -> None:
    class Masked(Clip):
        def frames(self) -> Iterator[Frame]:
            pictures = masked(portrait_path(name), MASK_VALUES[colour], light, 9)
            for number, image in enumerate(pictures):
                yield Frame(image, number * 2000 / 9)

    result = FaceMatch(engine, SETTINGS).match(Masked(name, Condition.CLEAN, 9), photos[name])
    assert result.accepted or result.reason == "UNCOVER_MOUTH", result


PATIENT = replace(SETTINGS, fast_accept=0.15, threshold=0.45)
"""Of this clip, one frame alone is then not enough."""


def test_in_dancing_light_the_mean_of_three_frames_decides(
    engine: FaceEngine, photos: dict[str, Embedding], tmp_path: Path
) -> None:
    recorded = open_clip(clip_for(portrait_path("grace_hopper"), tmp_path, Condition.DAPPLED), "fast")
    for clip in (Clip("grace_hopper", Condition.DAPPLED), recorded):
        result = FaceMatch(engine, PATIENT).match(clip, photos["grace_hopper"])
        assert result.accepted
        assert result.frames_used == 3


def test_the_same_frames_give_the_same_distance(engine: FaceEngine, photos: dict[str, Embedding]) -> None:
    match = FaceMatch(engine, SETTINGS)
    results = [match.match(Clip("synthetic", Condition.CLEAN), photos["synthetic"]) for _ in range(2)]
    assert results[0].distance == results[1].distance


def grey_jp2(height: int, width: int) -> bytes:
    done, data = cv2.imencode(".jp2", np.full((height, width), 120, np.uint8))
    assert done
    return data.tobytes()


@pytest.mark.parametrize(
    ("photo", "why"),
    [
        (b"", "a photo of 0 bytes"),
        (b"x" * 1_000_001, "a photo of 1000001 bytes"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "has no codestream"),
        (b"\xff\xd8\xff\xe0 JFIF", "is not JPEG 2000"),
        (grey_jp2(2000, 2000), "claims to have 2000 x 2000 px"),
        (grey_jp2(320, 240), "shows no face"),
    ],
)
def test_a_photo_that_cannot_be_used_is_told_and_harms_nothing(
    engine: FaceEngine, photo: bytes, why: str
) -> None:
    with pytest.raises(PhotoUnusable, match=why):
        engine.embed_photo(photo)
    assert engine.alive


def test_a_truncated_photo_is_told_or_still_shows_the_face(engine: FaceEngine) -> None:
    whole = card_photo(portrait_path("astronaut"))
    for end in (100, 200, 1000, 3000, len(whole) - 1):
        with suppress(PhotoUnusable):
            engine.embed_photo(whole[:end])
    assert engine.alive


def test_there_is_nothing_to_embed_after_forgetting(engine: FaceEngine) -> None:
    engine.observe(a_frame())
    engine.embed_last()
    engine.forget()
    with pytest.raises(LookupError):
        engine.embed_last()


def test_no_trace_of_a_frame_stays_in_the_shared_memory(engine: FaceEngine) -> None:
    engine.observe(a_frame())
    assert any(held_frame(os.getpid()))
    engine.forget()
    assert not any(held_frame(os.getpid()))


def test_nothing_of_a_face_is_left_in_the_whole_memory_of_the_engine(engine: FaceEngine) -> None:
    """The network itself keeps its last input and output; here every writable page is searched for them."""
    frame = a_frame()
    engine.observe(frame)
    embedding = engine.embed_last()
    look = Look()  # only for the face that the network takes
    look.observe(frame.image)
    chip = look.chip().transpose(2, 0, 1).astype(np.float32)
    assert isinstance(look.embedder, SFaceEmbedder)
    traces = {
        "frame": frame.image[200, 300:330].tobytes(),
        "chip": chip[0, 56, 40:70].tobytes(),
        "embedding": look.embedder.embed(look.chip())[:16].tobytes(),
        "output": look.embedder._run(chip[None], "data")[:16].astype(np.float32).tobytes(),
        "embedding, sent": embedding[:16].tobytes(),
    }
    assert engine.pid
    assert {"frame", "chip", "output"} <= found_in_memory(engine.pid, traces)
    engine.forget()
    assert found_in_memory(engine.pid, traces) == set()


def found_in_memory(pid: int, traces: dict[str, bytes]) -> set[str]:
    """Return which traces are anywhere in what a process may write to."""
    found: set[str] = set()
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for start, end in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", maps, re.MULTILINE):
            memory.seek(int(start, 16))
            with suppress(OSError):  # a page of the kernel's own
                held = memory.read(int(end, 16) - int(start, 16))
                found |= {name for name, trace in traces.items() if trace in held}
    return found


def held_frame(pid: int) -> bytes:
    """Return what the shared blocks of all engines of a process hold."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    held = b""
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for start in re.findall(r"^([0-9a-f]+)-.*memfd:face-frame", maps, re.MULTILINE):
            memory.seek(int(start, 16))
            held += memory.read(640 * 480 * 3)
    return held


def a_frame() -> Frame:
    return Frame(next(moving(portrait_path("astronaut"))), 0.0)


@pytest.mark.expected_log("face engine died")
def test_a_killed_worker_is_told_and_a_fresh_one_takes_its_place() -> None:
    with FaceEngine() as engine:
        engine.observe(a_frame())
        killed = engine.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(EngineLost, match="died"):
            engine.observe(a_frame())
        with pytest.raises(EngineLost):
            engine.embed_last()
        assert not engine.alive
        engine.revive()
        assert engine.pid != killed
        fresh = engine.pid
        engine.revive()
        assert engine.pid == fresh
        assert engine.observe(a_frame()).faces == 1
        assert engine.ready.is_set()


@pytest.mark.expected_log("face engine hangs")
def test_a_worker_that_hangs_is_told_in_time_and_ended() -> None:
    with FaceEngine(answer_within_s=2.0) as engine:
        engine.observe(a_frame())
        stopped = engine.pid
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(EngineLost, match="hangs"):
            engine.observe(a_frame())
        assert time.monotonic() - began < 4
        assert not Path(f"/proc/{stopped}").exists()


def test_an_engine_that_was_not_started_or_is_closed_says_so() -> None:
    engine = FaceEngine()
    engine.forget()
    engine.close()
    with pytest.raises(EngineLost, match="not started"):
        engine.observe(a_frame())


def test_closing_ends_a_question_that_another_thread_is_asking() -> None:
    engine = FaceEngine()
    engine.start()
    engine.observe(a_frame())
    stopped = engine.pid
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    answers: list[str] = []

    def ask() -> None:
        try:
            engine.observe(a_frame())
        except EngineLost as error:
            answers.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    engine.close()
    asking.join(5)
    assert len(answers) == 1
    assert not Path(f"/proc/{stopped}").exists()


def test_a_clip_made_from_a_card_sized_photo_shows_its_person(
    engine: FaceEngine, photos: dict[str, Embedding], tmp_path: Path
) -> None:
    photo = tmp_path / "own.jp2"
    photo.write_bytes(card_photo(portrait_path("astronaut")))
    clip = open_clip(clip_for(photo, tmp_path), "fast")
    assert FaceMatch(engine, SETTINGS).match(clip, photos["astronaut"]).accepted


def test_a_network_that_is_told_while_the_process_starts_is_the_one_it_works_with() -> None:
    with FaceEngine(network=None) as engine:
        pid = engine.pid
        engine.use("dlib")
        assert engine.ready.wait(30)
        assert (engine.runs.network, engine.pid) == ("dlib", pid)


def test_closing_before_a_network_was_told_ends_the_worker() -> None:
    engine = FaceEngine(network=None)
    engine.start()
    pid = engine.pid
    engine.close()
    assert not Path(f"/proc/{pid}").exists()


def test_closing_while_it_still_starts_ends_the_worker() -> None:
    engine = FaceEngine()
    engine.start()
    assert not engine.ready.is_set()
    pid = engine.pid
    engine.close()
    assert not Path(f"/proc/{pid}").exists()


TERMINAL = """
import sys
from hardware.face.engine import FaceEngine
engine = FaceEngine()
engine.start()
engine.ready.wait()
print(engine.pid, flush=True)
sys.stdin.read()
"""


def test_the_worker_ends_with_the_terminal_and_ignores_ctrl_c() -> None:
    terminal = subprocess.Popen(
        [
            sys.executable,
            "-c",
            TERMINAL,
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with terminal:
        assert terminal.stdout is not None
        worker = int(terminal.stdout.readline())
        os.kill(worker, signal.SIGINT)
        handle = os.pidfd_open(worker)
        assert Path(f"/proc/{worker}").exists()
        terminal.kill()
        ended, _, _ = select.select([handle], [], [], 10)
        os.close(handle)
        assert ended


def test_importing_the_engine_loads_no_model_library() -> None:
    code = "import sys, hardware.face.engine; print(sorted({'dlib', 'cv2', 'PySide6'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
