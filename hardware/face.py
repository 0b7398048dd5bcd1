"""What is compared with what: the quality gate, the decision policy and the match loop; no model in here."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from threading import Event
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

import config

if TYPE_CHECKING:
    from hardware.camera import Frame, FrameSource

Embedding = NDArray[np.float64]
"""(128,) float64; comparable only with embeddings of the same model and the same 5-point alignment."""


@dataclass(frozen=True)
class Box:
    """Where a face is, in px of the full frame."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Observation:
    """What one look at one frame found; the face is the largest one."""

    faces: int
    """Large faces in the frame; 0 means that the rest of the fields but frame_brightness say nothing."""
    frame_brightness: float
    """Mean grey value of the whole frame, 0 to 255."""
    box: Box | None = None
    landmarks: tuple[tuple[float, float], ...] = ()
    """Five (x, y) in px: outer and inner corner of the eye on the right of the picture, the same on the left, nose."""
    score: float = 0.0
    """HOG score; a clear frontal face has 1 and more."""
    roll_deg: float = 0.0
    yaw: float = 0.0
    """Signed distance of the nose from the middle of the eyes, as a share of the distance between the eyes."""
    brightness: float = 0.0
    """Mean grey value of the face, 0 to 255."""
    sharpness: float = 0.0
    """Variance of the Laplacian divided by the variance of the grey 100 x 100 px face."""
    mouth_covered: bool = False
    """Something hides nose or mouth, most likely a mask."""
    eyes_covered: bool = False
    """Something dark hides the eyes, most likely sunglasses."""


class Guidance(StrEnum):
    """What the person can do so that the next frame is better."""

    NO_FACE = "NO_FACE"
    ONE_PERSON = "ONE_PERSON"
    MORE_LIGHT = "MORE_LIGHT"
    LESS_LIGHT = "LESS_LIGHT"
    CLOSER = "CLOSER"
    FURTHER = "FURTHER"
    LOOK_STRAIGHT = "LOOK_STRAIGHT"
    HOLD_STILL = "HOLD_STILL"
    UNCOVER_MOUTH = "UNCOVER_MOUTH"
    UNCOVER_EYES = "UNCOVER_EYES"


class FaceOutcome(StrEnum):
    """How a match ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Good frames were compared and the face is not the one on the card."""
    TIMEOUT = "timeout"
    """A face was there but never in frames that could be compared; ``guidance`` says why."""
    NO_FACE = "no_face"
    STOPPED = "stopped"


@dataclass(frozen=True)
class FaceResult:
    """The end of one match; holds nothing by which a person could be recognised."""

    outcome: FaceOutcome
    distance: float | None
    """Distance on which the decision rests: of the mean, or of the single frame; None when nothing was compared."""
    guidance: Guidance | None
    """What stood in the way longest when time ran out."""
    frames_seen: int
    frames_used: int
    """Frames that were embedded."""
    machine_ms: float
    """Working time of detection, gate and embedding; waiting for frames is not in it."""

    @property
    def accepted(self) -> bool:
        """Whether the face on the card and the face in front of the camera are the same."""
        return self.outcome is FaceOutcome.ACCEPTED

    @property
    def reason(self) -> str:
        """Empty when accepted or stopped, else NOT_SAME_PERSON or the name of a Guidance."""
        if self.outcome is FaceOutcome.REFUSED:
            return "NOT_SAME_PERSON"
        return self.guidance.value if self.guidance else ""


class Engine(Protocol):
    """What a match needs from the face engine."""

    def observe(self, frame: "Frame") -> Observation:
        """Look at a frame; the engine keeps it until the next one."""
        ...

    def embed_last(self) -> Embedding:
        """Return the embedding of the face last observed."""
        ...

    def forget(self) -> None:
        """Wipe what is left of frames and faces."""
        ...


class FaceMatch:
    """Runs matches of a person in front of a camera against the photo of a card."""

    def __init__(self, engine: Engine, settings: config.Face) -> None:
        self._engine = engine
        self._settings = settings

    def match(
        self,
        source: "FrameSource",
        photo: Embedding,
        on_frame: "Callable[[Frame], None] | None" = None,
        on_guidance: Callable[[Guidance | None], None] | None = None,
        stop: Event | None = None,
    ) -> FaceResult:
        """Compare frames with the photo until it is decided; raises CameraError, EngineLost.

        on_frame gets every frame for the preview (on a paced source from the camera's thread); on_guidance gets each
        change of what the person should do, None when all is well. Setting ``stop`` ends it within one frame.
        """
        raise NotImplementedError
