"""The worker process that owns face_recognition's models and dlib; light to import."""

from threading import Event
from types import TracebackType
from typing import Self

from hardware.camera import Frame
from hardware.face import Embedding, Observation


class EngineLost(Exception):
    """The worker process died, hangs, or could not start."""


class PhotoUnusable(Exception):
    """The photo is no picture, or shows no face."""


class FaceEngine:
    """A supervised process that finds, measures and embeds faces; every call is thread-safe and blocks."""

    def __init__(self, answer_within_s: float = 5.0, start_within_s: float = 30.0) -> None:
        self.ready = Event()
        """Set once the models are loaded."""

    @property
    def pid(self) -> int | None:
        """Process id of the worker, None when there is none."""
        return None

    def start(self) -> None:
        """Start the process and return at once."""

    def restart(self) -> None:
        """Put a fresh process in the place of a lost one; returns at once."""

    def embed_photo(self, jp2: bytes) -> Embedding:
        """Return the embedding of a card photo; raises PhotoUnusable, EngineLost."""
        raise NotImplementedError

    def observe(self, frame: Frame) -> Observation:
        """Look at a frame, which the worker keeps for embed_last(); raises EngineLost."""
        raise NotImplementedError

    def embed_last(self) -> Embedding:
        """Return the embedding of the face last observed; raises EngineLost."""
        raise NotImplementedError

    def forget(self) -> None:
        """Wipe what the worker holds of frames and faces; never raises."""

    def close(self) -> None:
        """End the process; idempotent, never raises."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
