"""What our face route is compared with: the webcam loops of face_recognition's README."""

import warnings
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from hardware.camera import Image

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # face_recognition_models uses pkg_resources; setuptools is pinned for it
    import face_recognition

TOLERANCE = 0.6
"""face_recognition's default."""


class ReadmeLoop:
    """One of the two webcam examples, as they stand in face_recognition's README, but for drawing names.

    Full size: facerec_from_webcam.py. ``quarter``: facerec_from_webcam_faster.py, at 1/4 size, every second frame.
    Both embed every face they find, sharp or not, and take the first frame within the tolerance for the person.
    """

    def __init__(self, photos: Sequence[bytes], quarter: bool = False) -> None:
        # Of a photo on which it finds no face, nobody is taken for the person.
        nobody = np.full(128, np.inf)
        found = [face_recognition.face_encodings(_decoded(photo)) for photo in photos]
        self._known = [faces[0] if faces else nobody for faces in found]
        self._quarter = quarter
        self._process_this_frame = True

    def restart(self) -> None:
        """Begin with the next frame as with the first."""
        self._process_this_frame = True

    def takes_for(self, image: Image) -> list[bool]:
        """Return for each photo whether this frame, (H, W, 3) uint8 BGR, is taken for its person."""
        if self._quarter:
            process, self._process_this_frame = self._process_this_frame, not self._process_this_frame
            if not process:
                return [False] * len(self._known)
        rgb = self._prepared(image)
        faces = face_recognition.face_encodings(rgb, face_recognition.face_locations(rgb))
        matches = [face_recognition.compare_faces(self._known, face, TOLERANCE) for face in faces]
        return [any(bool(match[number]) for match in matches) for number in range(len(self._known))]

    def faces_in(self, image: Image) -> int:
        """Look for faces without embedding them; return how many there are."""
        return len(face_recognition.face_locations(self._prepared(image)))

    def _prepared(self, image: Image) -> Any:
        seen = cv2.resize(image, (0, 0), fx=0.25, fy=0.25) if self._quarter else image
        return np.ascontiguousarray(seen[:, :, ::-1])


def _decoded(photo: bytes) -> Any:
    picture = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.ascontiguousarray(picture[:, :, ::-1])
