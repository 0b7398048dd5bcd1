"""One look at a frame: find the face, follow it, measure it, embed it."""

from collections import deque
from typing import Any

import cv2
import dlib
import numpy as np

from hardware.face.engine import models
from hardware.face.engine.embedder import SFACE, Points, best_embedder
from hardware.face.engine.finder import Found, best_finder
from hardware.face.engine.hog import Edges, Grey
from hardware.face.engine.measures import covered, glare, is_cut, pose, quality, scaled
from hardware.face.engine.wire import PhotoUnusable, Runs
from hardware.face.observation import Box, Embedding, Observation


class Look:
    """Finds the face in each frame, follows it, measures it, embeds it.

    Acquiring looks at the frame made smaller. A found face is followed in its surroundings. Every eighth frame looks at
    the whole again for a second face. Who is followed stays the one, unless somebody much nearer comes.
    """

    _WHOLE_EVERY = 8
    """Not a divisor of the 9 frames between two comparisons: a frame that is compared is not slower than others."""
    _FAR_EVERY = 3
    _LOST_AFTER = 3
    """Misses in a row until then it is looked for where it was: a hand or a flicker hides it for a moment."""
    _AS_NEAR = 0.75
    """From this share of the largest face's width on, a second face is one too many. A child on an arm, who is behind
    in a queue, or who stands beside a wheelchair is smaller than that, and disturbs nobody."""

    def __init__(self, network: str = SFACE, file: str = "", library: str = "best", threads: int = 1) -> None:
        """Take what best_embedder() takes; raises ModelUnusable."""
        cv2.setNumThreads(1)
        self.embedder = best_embedder(network, file, threads, library)
        self.finder = best_finder(threads)
        models.FIVE_POINTS.read()
        self._five_points = dlib.shape_predictor(str(models.FIVE_POINTS.path()))
        self._embedded_one = False
        self._forget()

    def warm_up(self) -> None:
        """Do once what takes longer the first time, which the first patient need not wait for."""
        import hardware.card.photo  # noqa: F401

        # OpenCV makes its table for Lab colours on first use, in 70 ms.
        cv2.cvtColor(np.zeros((8, 8, 3), np.uint8), cv2.COLOR_BGR2LAB)

    @property
    def runs(self) -> Runs:
        """What this works with."""
        return Runs(self.embedder.network, self.embedder.library, self.finder.name, self.embedder.why)

    def _forget(self) -> None:
        self._image: Any = None
        self._points: Points | None = None
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
        self.finder.forget()
        self._forget()

    def observe(self, image: Any) -> Observation:
        """Look at one frame, (H, W, 3) uint8 BGR, which must stay as it is until embed_last()."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        light = scaled(grey, 60)
        frame_brightness = float(cv2.mean(light)[0])
        self._image, self._points = image, None
        found = self._find(image, grey)
        if found is None:
            return Observation(faces=0, frame_brightness=frame_brightness, glare=glare(light))
        points = self._points = self._landmarks(grey, found.edges)
        mouth_covered, eyes_covered = covered(image, grey, points)
        left, top, right, bottom = found.edges
        roll, yaw = pose(points)
        brightness, burnt, sharpness = quality(grey, found.edges)
        return Observation(
            faces=self._faces,
            frame_brightness=frame_brightness,
            box=Box(left, top, right - left, bottom - top),
            landmarks=tuple((float(x), float(y)) for x, y in points),
            score=found.score,
            roll_deg=roll,
            yaw=yaw,
            brightness=brightness,
            glare=burnt,
            sharpness=sharpness,
            mouth_covered=mouth_covered,
            eyes_covered=eyes_covered,
            cut=is_cut(found.edges, grey.shape),
        )

    @property
    def landmarks(self) -> Points:
        """Five points of the face last observed, (5, 2); raises LookupError when there was none."""
        if self._points is None:
            raise LookupError("no face was observed")
        return self._points

    def embed_last(self) -> Embedding:
        """Return the embedding of the face last observed."""
        return self._embedded(self.chip())

    def chip(self) -> Any:
        """Return the face last observed as the network takes it, uint8 RGB, eyes level."""
        return self.embedder.aligned(self._image, self.landmarks)

    def embed_photo(self, jp2: bytes) -> Embedding:
        """Return the embedding of the one large face on a card photo."""
        return self._embedded(self.photo_chip(jp2))

    def photo_chip(self, jp2: bytes) -> Any:
        """Return the one large face on a card photo as chip() does; raises PhotoUnusable."""
        # Only here: the card's driver takes 40 ms to import, and faces are found without it.
        from hardware.card.photo import PhotoDamaged, decoded

        try:
            grey = decoded(jp2)
        except PhotoDamaged as damaged:
            raise PhotoUnusable(str(damaged)) from None
        image = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        try:
            points = self.points_in(image, grey)
            if points is None:
                raise PhotoUnusable("shows no face")
            return self.embedder.aligned(image, points)
        finally:
            grey.fill(0)
            image.fill(0)

    def points_in(self, image: Any, grey: Grey) -> Points | None:
        """Return the five points of the largest face of a single picture, None without one."""
        faces = self.finder.searched(image, grey, grey.shape[0])
        if not faces:  # a face that is smaller than the finder knows
            twice = cv2.resize(image, None, fx=2, fy=2)
            found = self.finder.searched(twice, cv2.cvtColor(twice, cv2.COLOR_BGR2GRAY), twice.shape[0])
            faces = [Found(face.score, _times(face.edges, 0.5)) for face in found]
        if not faces:
            return None
        return self._landmarks(grey, max(faces, key=lambda face: face.width).edges)

    def embedding_of(self, chip: Any) -> Embedding:
        """Return the embedding of a chip."""
        return self.embedder.embed(chip)

    def _embedded(self, chip: Any) -> Embedding:
        self._embedded_one = True
        embedding = self.embedding_of(chip)
        chip.fill(0)
        return embedding

    def _landmarks(self, grey: Grey, box: Edges) -> Points:
        """Return the five points of the face in a box, (5, 2)."""
        shape = self._five_points(grey, dlib.rectangle(*(round(edge) for edge in box)))
        return np.array([(part.x, part.y) for part in shape.parts()], float)

    def _find(self, image: Any, grey: Grey) -> Found | None:
        """Return the face that is followed, or else the largest one."""
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
        chosen = self._chosen(found)
        self._box = chosen.edges
        return chosen

    def _chosen(self, found: list[Found]) -> Found:
        largest = max(found, key=lambda face: face.width)
        if self._box is None:
            return largest
        before = self._box
        nearest = min(found, key=lambda face: _apart(face.edges, before))
        known = _apart(nearest.edges, before) < 0.5 * nearest.width
        return nearest if known and nearest.width >= self._AS_NEAR * largest.width else largest

    def _look_at_all(self, image: Any, grey: Grey, followed: bool) -> list[Found]:
        self._since_whole = 0
        found = self.finder.searched(image, grey, self.finder.lines)
        if not found and self._box is not None and not followed:
            # A small or half hidden face is followed although the coarse look cannot see it.
            found = self._follow(image, grey)
        if not found:
            self._misses += 1
            if self.finder.far_lines and self._misses % self._FAR_EVERY == 0:
                found = self.finder.searched(image, grey, self.finder.far_lines)
        if found:
            widest = max(face.width for face in found)
            near = [face for face in found if face.width >= self._AS_NEAR * widest]
            self._counts.append(sum(face.score >= self.finder.sure for face in near))
            # A second face that is seen only now and then is there all the same.
            self._faces = max(1, *self._counts)
        return found

    def _follow(self, image: Any, grey: Grey) -> list[Found]:
        assert self._box is not None
        return self.finder.followed(image, grey, self._box)


def _times(edges: Edges, factor: float) -> Edges:
    left, top, right, bottom = edges
    return left * factor, top * factor, right * factor, bottom * factor


def _apart(one: Edges, other: Edges) -> float:
    """Return how far the middles of two boxes are from each other, px."""
    across = (one[0] + one[2] - other[0] - other[2]) / 2
    down = (one[1] + one[3] - other[1] - other[3]) / 2
    return float(np.hypot(across, down))
