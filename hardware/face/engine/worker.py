"""The worker process: the only place that loads dlib and face_recognition's models; started by FaceEngine."""

import mmap
import os
import signal
import sys
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np

from hardware.card.photo import PhotoDamaged, decoded
from hardware.face.engine.conversion import CHIP
from hardware.face.engine.detector import Edges, FaceDetector, Found, Grey
from hardware.face.engine.embedder import DlibEmbedder, Embedder, best_embedder
from hardware.face.engine.models import WEIGHTS_SHA256, installed_network, models_folder
from hardware.face.engine.wire import BLOCK, SHARED, ModelUnusable, PhotoUnusable
from hardware.face.observation import Box, CloseLook, Embedding, Observation

_ACROSS = np.array([[1, -2, 1]], np.float32)
"""Second difference."""


def _serve(connection: Connection, memory: mmap.mmap, library: str, network: str) -> None:
    """Answer commands until the terminal closes the connection or dies."""
    try:
        look = Look(library, Path(network) if network else None, threads=min(2, len(os.sched_getaffinity(0))))
    except ModelUnusable as error:
        connection.send(("unusable", str(error), ""))
        return
    connection.send(("ready", look.embedder.name, look.embedder.why))
    while True:
        try:
            command, *given = connection.recv()
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = _told(_answer(look, memory, command, given), memory)
        except PhotoUnusable as error:
            answer = ("photo", str(error))
        except LookupError as error:
            answer = ("nothing", str(error))
        except (
            Exception
        ) as error:  # The terminal starts a fresh process; content of frames stays out of messages.
            answer = ("failed", type(error).__name__)
        connection.send(answer)


def _told(answer: Any, memory: mmap.mmap) -> tuple[str, Any]:
    if not isinstance(answer, np.ndarray):
        return "done", answer
    np.copyto(np.frombuffer(memory, np.float64, 128, BLOCK), answer)
    answer.fill(0)
    return "embedding", None


def _answer(look: "Look", memory: mmap.mmap, command: str, given: list[Any]) -> Any:
    match command:
        case "observe":
            height, width = given
            view = np.frombuffer(memory, np.uint8, height * width * 3)
            return look.observe(view.reshape(height, width, 3))
        case "embed_last":
            return look.embed_last()
        case "look_closely":
            return look.look_closely()
        case "embed_photo":
            return look.embed_photo(memory[: given[0]])
        case "forget":
            return look.forget()
    raise NotImplementedError(command)


class Look:
    """Finds the face in each frame, follows it, measures it, embeds it.

    Acquiring looks at the frame scaled to 240 lines (finds faces from about 130 of 480 lines; 5.9 ms, on two threads
    3.2); every third miss looks at 480 lines (from about 55; 10 ms), so that somebody far away can be told to come
    closer. A found face is followed in its surroundings, in the sizes next to its own (1.2 ms). Every eighth frame
    looks at the whole again for a second face.
    """

    _ACQUIRE, _FAR = 240, 480
    _WHOLE_EVERY = 8
    """Not a divisor of the 9 frames between two comparisons: a frame that is compared is not slower than others."""
    _FAR_EVERY = 3
    _LOST_AFTER = 3
    """Misses in a row until then it is looked for where it was: a hand or a flicker hides it for a moment."""
    _SECOND_FACE_SCORE = 0.2
    _COVERED_SCORE = -0.8
    """HOG score down to which a face is looked for that a mask may hide."""

    def __init__(self, library: str = "best", network: Path | None = None, threads: int = 1) -> None:
        """``network``: a file of the site's own; ``threads``: of one search or embedding. Raises ModelUnusable."""
        cv2.setNumThreads(1)
        models = models_folder()
        self._detector = FaceDetector(self._COVERED_SCORE, threads)
        self._five_points = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        weights, known = (network, "") if network else (installed_network(), WEIGHTS_SHA256)
        self.embedder: Embedder = (
            DlibEmbedder(weights) if library == "dlib" else best_embedder(weights, known, threads)
        )
        self._contours: Any = None
        self._embedded_one = False
        self._forget()
        # OpenCV makes its table for Lab colours on first use, 70 ms that the first patient need not wait for.
        cv2.cvtColor(np.zeros((8, 8, 3), np.uint8), cv2.COLOR_BGR2LAB)

    def _forget(self) -> None:
        self._image: Any = None
        self._shape: Any = None
        self._box: Edges | None = None
        self._faces = 0
        self._misses = 0
        self._since_whole = 0
        self._counts: deque[int] = deque(maxlen=3)

    def forget(self) -> None:
        """Wipe the last frame and what the network holds of a face, and lose track of it."""
        if self._image is not None:
            self._image.fill(0)
        if self._embedded_one:
            self.embedder.forget()
            self._embedded_one = False
        self._forget()

    def observe(self, image: Any) -> Observation:
        """Look at one frame, (H, W, 3) uint8 BGR, which must stay as it is until embed_last()."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        light = _scaled(grey, 60)
        frame_brightness = float(cv2.mean(light)[0])
        self._image, self._shape = image, None
        found = self._find(image, grey)
        if found is None:
            return Observation(faces=0, frame_brightness=frame_brightness, glare=_glare(light))
        score, box = found
        self._shape, points = self._landmarks(grey, box)
        mouth_covered, eyes_covered = _covered(image, grey, points)
        left, top, right, bottom = box
        roll, yaw = _pose(points)
        brightness, glare, sharpness = _quality(grey, box)
        return Observation(
            faces=self._faces,
            frame_brightness=frame_brightness,
            box=Box(left, top, right - left, bottom - top),
            landmarks=tuple((float(x), float(y)) for x, y in points),
            score=score,
            roll_deg=roll,
            yaw=yaw,
            brightness=brightness,
            glare=glare,
            sharpness=sharpness,
            mouth_covered=mouth_covered,
            eyes_covered=eyes_covered,
        )

    def embed_last(self) -> Embedding:
        """Return the embedding of the face last observed."""
        return self._embedded(self.chip())

    def chip(self) -> Any:
        """Return the face last observed as the network takes it, (150, 150, 3) uint8 RGB, eyes level."""
        if self._image is None or self._shape is None:
            raise LookupError("no face was observed")
        # dlib treats each channel alike, so the order of colours is turned on the small picture.
        chip = dlib.get_face_chip(self._image, self._shape, size=CHIP, padding=0.25)
        return cv2.cvtColor(chip, cv2.COLOR_BGR2RGB, dst=chip)

    def look_closely(self) -> CloseLook | None:
        """Measure the face last observed by its 68 points; None when there was no face."""
        if self._image is None or self._box is None or self._shape is None:
            return None
        if self._contours is None:
            # 100 MB, and only the challenge asks for it.
            model = models_folder() / "shape_predictor_68_face_landmarks.dat"
            self._contours = dlib.shape_predictor(str(model))
        grey = cv2.cvtColor(self._image, cv2.COLOR_BGR2GRAY)
        shape = self._contours(grey, dlib.rectangle(*(round(edge) for edge in self._box)))
        points = np.array([(part.x, part.y) for part in shape.parts()], float)
        eyes = points[36:42], points[42:48]
        left, right = (eye.mean(axis=0) for eye in eyes)
        across = right - left
        yaw = np.dot(points[30] - (left + right) / 2, across) / (np.dot(across, across) or 1.0)
        return CloseLook(float(yaw), float(np.mean([_opening(eye) for eye in eyes])))

    def embed_photo(self, jp2: bytes) -> Embedding:
        """Return the embedding of the one large face on a card photo."""
        return self._embedded(self.photo_chip(jp2))

    def photo_chip(self, jp2: bytes) -> Any:
        """Return the one large face on a card photo as chip() does; raises PhotoUnusable."""
        try:
            grey = decoded(jp2)
        except PhotoDamaged as damaged:
            raise PhotoUnusable(str(damaged)) from None
        faces = self._detector.whole(grey, 0) or self._detector.whole(grey, 1)
        if not faces:
            raise PhotoUnusable("shows no face")
        largest = max(faces, key=lambda face: face.area())
        rgb = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
        chip = dlib.get_face_chip(rgb, self._five_points(grey, largest), size=CHIP, padding=0.25)
        grey.fill(0)
        rgb.fill(0)
        return chip

    def embedding_of(self, chip: Any) -> Embedding:
        """Return the embedding of a chip."""
        return self.embedder.embed(chip)

    def _embedded(self, chip: Any) -> Embedding:
        self._embedded_one = True
        embedding = self.embedding_of(chip)
        chip.fill(0)
        return embedding

    def _landmarks(self, grey: Grey, box: Edges) -> tuple[Any, Any]:
        """Return the five points as dlib holds them, and as (5, 2) float."""
        shape = self._five_points(grey, dlib.rectangle(*(round(edge) for edge in box)))
        return shape, np.array([(part.x, part.y) for part in shape.parts()], float)

    def _find(self, image: Any, grey: Grey) -> Found | None:
        """Return HOG score and box (left, top, right, bottom) of the largest face."""
        self._since_whole += 1
        following = self._box is not None and self._since_whole < self._WHOLE_EVERY
        found = self._follow(image, grey) if following else []
        if not found:
            found = self._look_at_all(image, grey, followed=following)
        if not found:
            if self._misses >= self._LOST_AFTER:
                self._box, self._faces = None, 0
            return None
        self._misses = 0
        largest = max(found, key=lambda face: face[1][2] - face[1][0])
        self._box = largest[1]
        return largest

    def _look_at_all(self, image: Any, grey: Grey, followed: bool) -> list[Found]:
        self._since_whole = 0
        found = self._search(image, grey, self._ACQUIRE)
        if not found and self._box is not None and not followed:
            # A small or half hidden face is followed although the coarse look cannot see it.
            found = self._follow(image, grey)
        if not found:
            self._misses += 1
            if self._misses % self._FAR_EVERY == 0:
                found = self._search(image, grey, self._FAR)
        if found:
            widest = max(face[1][2] - face[1][0] for face in found)
            large = [face for face in found if face[1][2] - face[1][0] >= widest / 2]
            self._counts.append(sum(face[0] >= self._SECOND_FACE_SCORE for face in large))
            # A second face that is seen only now and then is there all the same.
            self._faces = max(1, *self._counts)
        return found

    def _search(self, image: Any, grey: Grey, lines: int) -> list[Found]:
        return self._clear(image, grey, self._detector.searched(grey, min(1.0, lines / grey.shape[0])))

    def _follow(self, image: Any, grey: Grey) -> list[Found]:
        assert self._box is not None
        return self._clear(image, grey, self._detector.followed(grey, self._box))

    def _clear(self, image: Any, grey: Grey, found: list[Found]) -> list[Found]:
        """Return those faces that are seen well; a weak one only if something covers it."""
        clear = [face for face in found if face[0] >= 0]
        if clear or not found:
            return clear
        mouth_covered, eyes_covered = _covered(image, grey, self._landmarks(grey, found[0][1])[1])
        return found[:1] if mouth_covered != eyes_covered else []


def _scaled(grey: Grey, lines: int) -> Any:
    scale = min(1.0, lines / grey.shape[0])
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _pose(points: Any) -> tuple[float, float]:
    """Return roll (degrees) and yaw; the points are those of Observation.landmarks."""
    right, left, nose = points[0:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    across = right - left
    apart = float(np.hypot(*across)) or 1.0
    along = float(np.dot(nose - (right + left) / 2, across)) / apart
    return float(np.degrees(np.arctan2(across[1], across[0]))), along / apart


def _opening(eye: Any) -> float:
    """Return height by width of one eye: its six points begin at one corner and go round."""
    heights = np.linalg.norm(eye[1] - eye[5]) + np.linalg.norm(eye[2] - eye[4])
    return float(heights / (2 * np.linalg.norm(eye[0] - eye[3]) or 1.0))


def _quality(grey: Grey, box: Edges) -> tuple[float, float, float]:
    """Return brightness, glare and sharpness as Observation holds them."""
    left, top, right, bottom = (max(0, int(edge)) for edge in box)
    face = cv2.resize(grey[top:bottom, left:right], (100, 100), interpolation=cv2.INTER_AREA)
    # Light from the side must not pass for lack of detail: even it out before the pattern is measured.
    even = face * (float(face.mean()) / (cv2.blur(face, (61, 61)).astype(np.float32) + 4))
    variance = _variance(even)
    detail = min(_variance(cv2.filter2D(even, cv2.CV_32F, way)) for way in (_ACROSS, _ACROSS.T))
    return float(face.mean()), _glare(face), detail / variance if variance > 1 else 0.0


def _variance(values: Any) -> float:
    return float(cv2.meanStdDev(values)[1][0, 0]) ** 2


def _glare(grey: Any) -> float:
    return cv2.countNonZero(cv2.inRange(grey, 250, 255)) / int(grey.size)


def _covered(image: Any, grey: Grey, points: Any) -> tuple[bool, bool]:
    """Tell masks and sunglasses from six small patches: (mouth covered, eyes covered).

    The limits were measured on the shipped portraits in all conditions.

    Eyes behind dark glass: even the brightest of them is far darker than the cheeks (0.12, else 0.85 and more). A
    mask: the place of the mouth has next to no pattern (0.02 of its brightness, else 0.12 and more; a beard has more,
    not less), or little pattern and another colour than the skin between the eyes.
    """
    right, left = points[0:2].mean(axis=0), points[2:4].mean(axis=0)
    middle, apart = (right + left) / 2, float(np.hypot(*(right - left)))
    down = np.array([left[1] - right[1], right[0] - left[0]])
    eyes = [_square(grey, eye, 0.18 * apart) for eye in (right, left)]
    cheeks = [_square(grey, eye + 0.55 * down, 0.12 * apart) for eye in (right, left)]
    mouth = _square(image, middle + 1.05 * down, 0.30 * apart)
    skin = _square(image, middle - 0.05 * down, 0.10 * apart)
    if any(min(square.shape[:2]) < 3 for square in (*eyes, *cheeks, mouth, skin)):
        return False, False
    dark = all(
        np.sort(eye, axis=None)[eye.size * 9 // 10] < 0.4 * cheek.mean()
        for eye, cheek in zip(eyes, cheeks, strict=True)
    )
    mouth, skin = (
        cv2.cvtColor(cv2.GaussianBlur(patch, (5, 5), 0), cv2.COLOR_BGR2LAB) for patch in (mouth, skin)
    )
    average, spread = (values.ravel() for values in cv2.meanStdDev(mouth))
    pattern = float(spread[0] / max(1.0, average[0]))
    colour = float(np.hypot(*(average[1:] - cv2.mean(skin)[1:3])))
    return pattern < 0.05 or (pattern < 0.10 and colour > 12), dark


def _square(image: Any, centre: Any, radius: float) -> Any:
    """Return the part of a picture around a point; smaller, or empty, at the edge of the frame."""
    x, y, r = int(centre[0]), int(centre[1]), max(2, int(radius))
    return image[max(0, y - r) : max(0, y + r + 1), max(0, x - r) : max(0, x + r + 1)]


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection, block = Connection(int(sys.argv[1])), int(sys.argv[2])
    memory = mmap.mmap(block, SHARED)
    with suppress(BrokenPipeError, ConnectionResetError):  # the terminal is gone
        _serve(connection, memory, *sys.argv[3:5])


if __name__ == "__main__":
    _main()
