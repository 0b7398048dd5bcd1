"""The worker process that owns face_recognition's models and dlib; light to import.

A process, not a thread: dlib holds the GIL for a whole embedding (75-100 ms), which would freeze the window. Frames go
over in nameless shared memory (measured for 640 x 480: 0.05 ms a frame, against 1.0 ms through a pipe), commands and
answers through a socket pair whose end of file ends the worker when the terminal dies.
"""

import logging
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np

from hardware.camera import Frame
from hardware.face import Embedding, Observation

_log = logging.getLogger("reception.face")

_BLOCK = 4096 * 2160 * 3
"""Largest frame, bytes; memory is only taken for pages that a frame fills."""
_MAX_PHOTO = 1_000_000
"""Largest card photo, bytes; real ones have about 5,000."""


class EngineLost(Exception):
    """The worker process died, hangs, or could not start."""


class PhotoUnusable(Exception):
    """The photo is no picture, or shows no face."""


class FaceEngine:
    """A supervised process that finds, measures and embeds faces; every call is thread-safe and blocks."""

    def __init__(self, answer_within_s: float = 5.0, start_within_s: float = 30.0) -> None:
        self.ready = threading.Event()
        """Set once the models are loaded."""
        self._answer_within_s = answer_within_s
        self._start_within_s = start_within_s
        self._lock = threading.Lock()
        self._worker: _Worker | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the worker, None when there is none."""
        worker = self._worker
        return worker.process.pid if worker else None

    @property
    def alive(self) -> bool:
        """Whether the worker runs; it may still be loading its models."""
        worker = self._worker
        return worker is not None and worker.running

    def start(self) -> None:
        """Start the process and return at once; without effect when it runs."""
        with self._lock:
            if self._worker is None:
                self._worker = _Worker(self._answer_within_s, self._start_within_s, self.ready)

    def restart(self) -> None:
        """Put a fresh process in the place of a lost one; returns at once."""
        self.close()
        self.start()

    def embed_photo(self, jp2: bytes) -> Embedding:
        """Return the embedding of a card photo (JPEG 2000); raises PhotoUnusable, EngineLost."""
        if not 0 < len(jp2) <= _MAX_PHOTO:
            raise PhotoUnusable(f"a photo of {len(jp2)} bytes")
        return cast(Embedding, self._running().ask("embed_photo", jp2))

    def observe(self, frame: Frame) -> Observation:
        """Look at a frame, which the worker keeps for embed_last(); raises EngineLost."""
        return cast(Observation, self._running().ask_about(frame))

    def embed_last(self) -> Embedding:
        """Return the embedding of the face last observed; raises EngineLost, or LookupError when there was none."""
        return cast(Embedding, self._running().ask("embed_last"))

    def forget(self) -> None:
        """Wipe what the worker holds of frames and faces; never raises."""
        worker = self._worker
        if worker is not None:
            worker.forget()

    def close(self) -> None:
        """End the process; idempotent, never raises."""
        with self._lock:
            worker, self._worker = self._worker, None
            self.ready.clear()
        if worker is not None:
            worker.end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _running(self) -> "_Worker":
        worker = self._worker
        if worker is None:
            raise EngineLost("the face engine is not started")
        return worker


class _Worker:
    """One process, from start to end; once lost it stays lost."""

    def __init__(self, answer_within_s: float, start_within_s: float, ready: threading.Event) -> None:
        self._answer_within_s = answer_within_s
        self._start_within_s = start_within_s
        self._turn = threading.Lock()
        self._greeted = threading.Event()
        self._ended = False
        self._used = 0
        block = os.memfd_create("face-frame")
        os.ftruncate(block, _BLOCK)
        self._memory = mmap.mmap(block, _BLOCK)
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hardware.face_engine", str(theirs.fileno()), str(block)],
            pass_fds=(theirs.fileno(), block),
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C in a console is for the terminal, which ends its worker itself
        )
        theirs.close()
        os.close(block)
        self._connection = Connection(ours.detach())
        threading.Thread(target=self._greet, args=(ready,), name="face-engine-start", daemon=True).start()

    @property
    def running(self) -> bool:
        return not self._ended and self.process.poll() is None

    def ask_about(self, frame: Frame) -> Any:
        height, width, _ = frame.image.shape
        size = frame.image.nbytes
        if size > _BLOCK:
            raise ValueError(f"a frame of {width} x {height} px is too large")
        self._wait_for_start()
        with self._turn:
            self._refuse_if_ended()
            np.copyto(np.frombuffer(self._memory, np.uint8, size).reshape(frame.image.shape), frame.image)
            self._used = max(self._used, size)
            return self._exchange(("observe", height, width))

    def ask(self, *question: Any) -> Any:
        self._wait_for_start()
        with self._turn:
            self._refuse_if_ended()
            return self._exchange(question)

    def forget(self) -> None:
        try:
            if self._greeted.is_set():
                self.ask("forget")
        except EngineLost:
            pass  # what a dead process held is gone with it
        with self._turn:
            self._wipe()

    def end(self) -> None:
        """End the process: it leaves by itself when the connection closes, and is killed when it does not."""
        waiting = self._turn.acquire(timeout=0.5)
        self._ended = True
        try:
            self._shut_down(patience_s=1.0 if waiting else 0.0)
        finally:
            if waiting:
                self._turn.release()

    def _greet(self, ready: threading.Event) -> None:
        with self._turn:
            try:
                if self._connection.poll(self._start_within_s) and self._connection.recv() == "ready":
                    ready.set()
                else:
                    self._lose("does not start")
            except (OSError, EOFError) as error:
                if not self._ended:
                    self._lose("did not start", error)
            finally:
                self._greeted.set()

    def _wait_for_start(self) -> None:
        if not self._greeted.wait(self._start_within_s + 1):
            raise EngineLost("the face engine does not start")

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise EngineLost("the face engine is lost")

    def _exchange(self, question: tuple[Any, ...]) -> Any:
        try:
            self._connection.send(question)
            if not self._connection.poll(self._answer_within_s):
                self._lose("hangs")
                raise EngineLost("the face engine hangs")
            kind, answer = self._connection.recv()
        except (OSError, EOFError) as error:
            self._lose("died", error)
            raise EngineLost("the face engine died") from None
        match kind:
            case "done":
                return answer
            case "photo":
                raise PhotoUnusable(answer)
            case "nothing":
                raise LookupError(answer)
        self._lose(f"failed with {answer}")
        raise EngineLost(f"the face engine failed with {answer}")

    def _lose(self, how: str, error: BaseException | None = None) -> None:
        _log.warning("face engine %s%s", how, f" ({type(error).__name__})" if error else "")
        self._ended = True
        self._shut_down(patience_s=0.0)

    def _shut_down(self, patience_s: float) -> None:
        self._connection.close()
        if patience_s:
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                pass
        self.process.kill()
        self.process.wait()
        self._wipe()

    def _wipe(self) -> None:
        np.frombuffer(self._memory, np.uint8, self._used).fill(0)
        self._used = 0


# ---- From here on: inside the worker ----------------------------------------------------------------------------


def _serve(connection: Connection, memory: mmap.mmap) -> None:
    """Answer commands until the terminal closes the connection or dies."""
    look = _Look()
    connection.send("ready")
    while True:
        try:
            command, *given = connection.recv()
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = ("done", _answer(look, memory, command, given))
        except PhotoUnusable as error:
            answer = ("photo", str(error))
        except LookupError as error:
            answer = ("nothing", str(error))
        except Exception as error:  # The terminal starts a fresh process; content of frames stays out of messages.
            answer = ("failed", type(error).__name__)
        connection.send(answer)


def _answer(look: "_Look", memory: mmap.mmap, command: str, given: list[Any]) -> Any:
    match command:
        case "observe":
            height, width = given
            view = np.frombuffer(memory, np.uint8, height * width * 3)
            return look.observe(view.reshape(height, width, 3))
        case "embed_last":
            return look.embed_last()
        case "embed_photo":
            return look.embed_photo(given[0])
        case "forget":
            return look.forget()
    raise NotImplementedError(command)


class _Look:
    """Finds the face in each frame, follows it, measures it, embeds it.

    Acquiring looks at the frame scaled to 240 lines (finds faces from about 130 of 480 lines; 4.5 ms); every third miss
    looks at 480 lines (from about 70; 17 ms), so that somebody far away can be told to come closer. A found face is
    followed in its surroundings, scaled to 96 px (1.5 ms). Every sixth frame looks at the whole again for a second face.
    """

    _ACQUIRE, _FAR = 240, 480
    _FOLLOW_PX = 96
    _WHOLE_EVERY = 6
    _FAR_EVERY = 3
    _SECOND_FACE_SCORE = 0.2
    _COVERED_SCORE = -0.8
    """HOG score down to which a face is looked for that a mask may hide."""

    def __init__(self) -> None:
        import cv2
        import dlib

        self._cv2, self._dlib = cv2, dlib
        cv2.setNumThreads(1)
        models = _models()
        self._hog = dlib.get_frontal_face_detector()
        self._five_points = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        self._net = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
        self._net.compute_face_descriptor(np.zeros((150, 150, 3), np.uint8))
        self._forget()

    def _forget(self) -> None:
        self._image: Any = None
        self._shape: Any = None
        self._box: tuple[float, float, float, float] | None = None
        self._faces = 0
        self._misses = 0
        self._since_whole = 0

    def forget(self) -> None:
        """Wipe the last frame and lose track of the face."""
        if self._image is not None:
            self._image.fill(0)
        self._forget()

    def observe(self, image: Any) -> Observation:
        """Look at one frame, (H, W, 3) uint8 BGR, which must stay as it is until embed_last()."""
        from hardware.face import Box

        grey = self._cv2.cvtColor(image, self._cv2.COLOR_BGR2GRAY)
        light = float(self._cv2.mean(self._scaled(grey, 60)[0])[0])
        self._image, self._shape = image, None
        found = self._find(grey)
        if found is None:
            return Observation(faces=0, frame_brightness=light)
        score, box = found
        rectangle = self._dlib.rectangle(*(round(edge) for edge in box))
        self._shape = self._five_points(grey, rectangle)
        points = np.array([(part.x, part.y) for part in self._shape.parts()], float)
        covered = self._covered(image, points)
        if score < 0 and not (covered["mouth_covered"] and not covered["eyes_covered"]):
            self._shape, self._box, self._faces = None, None, 0
            return Observation(faces=0, frame_brightness=light)
        left, top, right, bottom = box
        return Observation(
            faces=self._faces,
            frame_brightness=light,
            box=Box(left, top, right - left, bottom - top),
            landmarks=tuple((float(x), float(y)) for x, y in points),
            score=score,
            **_pose(points),
            **self._quality(grey, box),
            **covered,
        )

    def embed_last(self) -> Embedding:
        """Return the embedding of the face last observed."""
        if self._image is None or self._shape is None:
            raise LookupError("no face was observed")
        rgb = self._cv2.cvtColor(self._image, self._cv2.COLOR_BGR2RGB)
        embedding = self._embed(rgb, self._shape)
        rgb.fill(0)
        return embedding

    def embed_photo(self, jp2: bytes) -> Embedding:
        """Return the embedding of the one large face on a card photo."""
        grey = self._decoded(jp2)
        faces = self._hog(grey, 0) or self._hog(grey, 1)
        if not faces:
            raise PhotoUnusable("shows no face")
        largest = max(faces, key=lambda face: face.area())
        rgb = self._cv2.cvtColor(grey, self._cv2.COLOR_GRAY2RGB)
        embedding = self._embed(rgb, self._five_points(grey, largest))
        grey.fill(0)
        rgb.fill(0)
        return embedding

    def _embed(self, rgb: Any, shape: Any) -> Embedding:
        chip = self._dlib.get_face_chip(rgb, shape, size=150, padding=0.25)
        embedding = np.array(self._net.compute_face_descriptor(chip), np.float64)
        chip.fill(0)
        return embedding

    def _decoded(self, jp2: bytes) -> Any:
        start = jp2.find(b"\xff\x4f\xff\x51")
        size = np.frombuffer(jp2[start + 8 : start + 16], ">u4") if start >= 0 else np.zeros(0)
        if len(size) != 2 or not (32 <= size[0] <= 4096 and 32 <= size[1] <= 4096):
            raise PhotoUnusable("is not a JPEG 2000 picture of a usable size")
        quiet = self._cv2.utils.logging
        before = quiet.setLogLevel(quiet.LOG_LEVEL_SILENT)
        try:
            grey = self._cv2.imdecode(np.frombuffer(jp2, np.uint8), self._cv2.IMREAD_GRAYSCALE)
        except self._cv2.error:
            grey = None
        finally:
            quiet.setLogLevel(before)
        if grey is None:
            raise PhotoUnusable("is a damaged JPEG 2000 picture")
        return grey

    def _scaled(self, grey: Any, lines: int) -> tuple[Any, float]:
        scale = min(1.0, lines / grey.shape[0])
        if scale == 1.0:
            return grey, 1.0
        return self._cv2.resize(grey, None, fx=scale, fy=scale, interpolation=self._cv2.INTER_AREA), scale

    def _find(self, grey: Any) -> tuple[float, tuple[float, float, float, float]] | None:
        """Return HOG score and box (left, top, right, bottom) of the largest face."""
        self._since_whole += 1
        if self._box is not None and self._since_whole < self._WHOLE_EVERY:
            followed = self._follow(grey)
            if followed is not None:
                self._box = followed[1]
                return followed
        self._since_whole = 0
        found = self._search(grey, self._ACQUIRE)
        if not found and self._box is not None:
            # A small or half hidden face is followed although the coarse look cannot see it.
            followed = self._follow(grey)
            found = [followed] if followed is not None else []
        if not found:
            self._misses += 1
            if self._misses % self._FAR_EVERY == 0:
                found = self._search(grey, self._FAR)
        if not found:
            self._box, self._faces = None, 0
            return None
        self._misses = 0
        largest = max(found, key=lambda face: face[1][2] - face[1][0])
        width = largest[1][2] - largest[1][0]
        self._faces = 1 + sum(
            face is not largest and face[0] >= self._SECOND_FACE_SCORE and face[1][2] - face[1][0] >= width / 2
            for face in found
        )
        self._box = largest[1]
        return largest

    def _search(self, grey: Any, lines: int) -> list[tuple[float, tuple[float, float, float, float]]]:
        small, scale = self._scaled(grey, lines)
        boxes, scores, _ = self._hog.run(small, 0, self._COVERED_SCORE)
        found = [(float(score), _edges(box, 0, 0, scale)) for box, score in zip(boxes, scores, strict=True)]
        return [face for face in found if face[0] >= 0] or found[:1]

    def _follow(self, grey: Any) -> tuple[float, tuple[float, float, float, float]] | None:
        assert self._box is not None
        left, top, right, bottom = self._box
        margin = (right - left) * 0.4
        x0, y0 = max(0, int(left - margin)), max(0, int(top - margin))
        near = grey[y0 : int(bottom + margin), x0 : int(right + margin)]
        scale = self._FOLLOW_PX / (right - left)
        if min(near.shape) * scale < 90:
            return None
        small = self._cv2.resize(near, None, fx=scale, fy=scale, interpolation=self._cv2.INTER_AREA)
        boxes, scores, _ = self._hog.run(small, 0, self._COVERED_SCORE)
        if not boxes:
            return None
        best = max(range(len(boxes)), key=lambda number: scores[number])
        return float(scores[best]), _edges(boxes[best], x0, y0, scale)

    def _quality(self, grey: Any, box: tuple[float, float, float, float]) -> dict[str, Any]:
        left, top, right, bottom = (max(0, int(edge)) for edge in box)
        face = self._cv2.resize(grey[top:bottom, left:right], (100, 100), interpolation=self._cv2.INTER_AREA)
        variance = float(face.var())
        sharp = float(self._cv2.Laplacian(face, self._cv2.CV_32F).var()) / variance if variance > 1 else 0.0
        return {"brightness": float(face.mean()), "sharpness": sharp}

    def _covered(self, image: Any, points: Any) -> dict[str, bool]:
        """Tell masks and sunglasses from five small patches; limits measured on the shipped portraits in all conditions.

        Eyes behind dark glass: even the brightest of them is far darker than the cheeks (0.12, else 0.85 and more). A
        mask: the place of the mouth has next to no pattern (0.02 of its brightness, else 0.12 and more; a beard has more,
        not less), or little pattern and another colour than the skin between the eyes.
        """
        right, left = points[0:2].mean(axis=0), points[2:4].mean(axis=0)
        middle, apart = (right + left) / 2, float(np.hypot(*(right - left)))
        down = np.array([left[1] - right[1], right[0] - left[0]])
        eyes = [self._patch(image, eye, 0.18 * apart) for eye in (right, left)]
        cheeks = [self._patch(image, eye + 0.55 * down, 0.12 * apart) for eye in (right, left)]
        mouth = self._patch(image, middle + 1.05 * down, 0.30 * apart)
        skin = self._patch(image, middle - 0.05 * down, 0.10 * apart)
        if any(patch is None for patch in (*eyes, *cheeks, mouth, skin)):
            return {"mouth_covered": False, "eyes_covered": False}
        light = [max(1.0, float(np.median(patch[0]))) for patch in cheeks]
        eye_light = [float(np.percentile(patch[0], 90)) for patch in eyes]
        dark = all(eye / cheek < 0.4 for eye, cheek in zip(eye_light, light, strict=True))
        pattern = float(mouth[0].std()) / max(1.0, float(mouth[0].mean()))
        colour = float(np.hypot(*(mouth[1] - skin[1])))
        return {"mouth_covered": pattern < 0.05 or (pattern < 0.10 and colour > 12), "eyes_covered": dark}

    def _patch(self, image: Any, centre: Any, radius: float) -> Any:
        """Return brightness (px) and mean colour (2,) of a square, smoothed against noise; None outside the frame."""
        x, y, r = int(centre[0]), int(centre[1]), max(2, int(radius))
        square = image[max(0, y - r) : max(0, y + r + 1), max(0, x - r) : max(0, x + r + 1)]
        if min(square.shape[:2]) < 3:
            return None
        lab = self._cv2.cvtColor(self._cv2.GaussianBlur(square, (5, 5), 0), self._cv2.COLOR_BGR2LAB)
        return lab[:, :, 0].astype(float), lab[:, :, 1:].reshape(-1, 2).mean(axis=0)


def _models() -> Path:
    """Return the folder of face_recognition's models.

    The package itself is not imported: at import it calls quit() when pkg_resources is missing. dlib reads the same
    files and computes the same embeddings as face_recognition does with model="small".
    """
    import importlib.util

    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("face_recognition_models is not installed")
    return Path(spec.submodule_search_locations[0]) / "models"


def _edges(box: Any, x0: int, y0: int, scale: float) -> tuple[float, float, float, float]:
    return (
        x0 + box.left() / scale,
        y0 + box.top() / scale,
        x0 + (box.right() + 1) / scale,
        y0 + (box.bottom() + 1) / scale,
    )


def _pose(points: Any) -> dict[str, float]:
    """Return roll and yaw; the points are those of Observation.landmarks."""
    right, left, nose = points[0:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    across = right - left
    apart = float(np.hypot(*across)) or 1.0
    along = float(np.dot(nose - (right + left) / 2, across)) / apart
    return {"roll_deg": float(np.degrees(np.arctan2(across[1], across[0]))), "yaw": along / apart}


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection, block = Connection(int(sys.argv[1])), int(sys.argv[2])
    memory = mmap.mmap(block, _BLOCK)
    try:
        _serve(connection, memory)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the terminal is gone


if __name__ == "__main__":
    _main()
