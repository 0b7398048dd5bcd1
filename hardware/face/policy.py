"""What is compared with what: the quality gate, the decision policy and the match loop; no model in here."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from random import Random, SystemRandom
from threading import Event
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

import config
from config.face_networks import NETWORKS, FaceNetwork, network_of
from hardware.camera import Frame, FrameSource, NewestFrames
from hardware.face.challenge import Challenge, Move, drawn
from hardware.face.distance import between
from hardware.face.engine import Runs
from hardware.face.guidance import Guidance
from hardware.face.observation import Box, Embedding, Observation
from hardware.face.presence import Presence

if TYPE_CHECKING:
    from hardware.face.flash import Colour, Flash
    from hardware.face.photo_check import PhotoCheck


class FaceOutcome(StrEnum):
    """How a match ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Good frames were compared and the face is not the one on the card."""
    TIMEOUT = "timeout"
    """A face was there but never in frames that could be compared; ``guidance`` says why."""
    NO_FACE = "no_face"
    FLAT = "flat"
    """The face is the one on the card, but it moved like a flat photograph all the time."""
    CHALLENGE_FAILED = "challenge_failed"
    """The face is the one on the card, but the moves asked for were not made; ``failed_move`` says how."""
    STOPPED = "stopped"


@dataclass(frozen=True)
class FaceResult:
    """The end of one match; holds nothing by which a person could be recognised."""

    outcome: FaceOutcome
    distance: float | None
    """Distance on which the decision rests: of the mean, or of the single frame; None when nothing was compared."""
    guidance: Guidance | None
    """What stood in the way when time ran out."""
    frames_seen: int
    frames_used: int
    """Frames that were compared."""
    machine_ms: float
    """Working time of detection, gate and embedding on all frames; waiting for frames is not in it."""
    compared_ms: float
    """The part of it spent on the frames that were embedded or decided on: the time from frame to decision."""
    last_ms: float = 0.0
    """The part of that spent on the last of these frames: what the person waits for after it."""
    residual: float | None = None
    """What the photo check measured last; None when it is off, or had too few frames."""
    failed_move: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the face on the card and the face in front of the camera are the same."""
        return self.outcome is FaceOutcome.ACCEPTED

    @property
    def reason(self) -> str:
        """Empty when accepted or stopped, else NOT_SAME_PERSON, LOOKS_FLAT, a challenge's Failed, or a Guidance."""
        if self.outcome is FaceOutcome.REFUSED:
            return "NOT_SAME_PERSON"
        if self.outcome is FaceOutcome.FLAT:
            return "LOOKS_FLAT"
        if self.outcome is FaceOutcome.CHALLENGE_FAILED:
            return self.failed_move
        return self.guidance.value if self.guidance else ""


class Engine(Protocol):
    """What a match needs from the face engine."""

    @property
    def runs(self) -> Runs:
        """What it works with: distances and thresholds belong to the network."""
        ...

    def observe(self, frame: Frame) -> Observation:
        """Look at a frame; the engine keeps it until the next one."""
        ...

    def embed_last(self) -> Embedding:
        """Return the embedding of the face last observed."""
        ...

    def forget(self) -> None:
        """Wipe what is left of frames and faces."""
        ...


def gate(seen: Observation, height: int, limits: config.Gate) -> Guidance | None:
    """Return what keeps a frame of ``height`` px from being compared, or None when it is good.

    Light comes first: in the dark no other measure means anything. Where in the frame the face is does not matter, so
    that a person in a wheelchair or a child needs no other camera; but all of it must be there.
    """
    if seen.faces == 0 or seen.box is None:
        if seen.frame_brightness < limits.min_brightness:
            return Guidance.MORE_LIGHT
        too_bright = seen.frame_brightness > limits.max_brightness or seen.glare > limits.max_glare
        return Guidance.LESS_LIGHT if too_bright else Guidance.NO_FACE
    if seen.faces > 1:
        return Guidance.ONE_PERSON
    checks = (
        (seen.cut, Guidance.WHOLE_FACE),
        (seen.box.height < limits.min_face_px, Guidance.CLOSER),
        (seen.box.height > limits.max_face_share * height, Guidance.FURTHER),
        (seen.brightness < limits.min_brightness, Guidance.MORE_LIGHT),
        (seen.brightness > limits.max_brightness, Guidance.LESS_LIGHT),
        (seen.glare > limits.max_glare, Guidance.LESS_LIGHT),
        (seen.eyes_covered, Guidance.UNCOVER_EYES),
        (seen.mouth_covered, Guidance.UNCOVER_MOUTH),
        (abs(seen.roll_deg) > limits.max_roll_deg, Guidance.LOOK_STRAIGHT),
        (abs(seen.yaw) > limits.max_yaw, Guidance.LOOK_STRAIGHT),
        (seen.sharpness < limits.min_sharpness, Guidance.HOLD_STILL),
        (seen.score < limits.min_score, Guidance.LOOK_STRAIGHT),
    )
    return next((guidance for bad, guidance in checks if bad), None)


class SteadyGuidance:
    """What the person is told: a reason must last a moment before it shows, and then holds long enough to be read."""

    SETTLE_MS = 200.0
    HOLD_MS = 700.0

    def __init__(self) -> None:
        self.shown: Guidance | None = None
        self._shown_at = -math.inf
        self._candidate: Guidance | None = None
        self._candidate_since = 0.0

    def add(self, stamp_ms: float, reason: Guidance | None) -> bool:
        """Take the gate's verdict on the next frame; True when ``shown`` changed."""
        if reason is not self._candidate:
            self._candidate, self._candidate_since = reason, stamp_ms
        settled = stamp_ms - self._candidate_since >= self.SETTLE_MS
        if reason is self.shown or not settled or stamp_ms - self._shown_at < self.HOLD_MS:
            return False
        self.shown, self._shown_at = reason, stamp_ms
        return True


@dataclass(frozen=True)
class Decision:
    """Whether it is the person on the card, and the distance on which that rests."""

    accepted: bool
    distance: float


@dataclass(frozen=True)
class Rule:
    """By which distances one network decides."""

    network: FaceNetwork
    threshold: float
    fast_accept: float

    def distance(self, one: Embedding, other: Embedding) -> float:
        """Return the distance of two embeddings, or means of them."""
        return between(self.network, one, other)


def rule_of(settings: config.Face, runs: str = "") -> Rule:
    """Return the rule for the network that ``runs`` (by default the one asked for).

    The numbers of the settings are for the network that they ask for; one that stands in for it brings its own.
    """
    asked_for = network_of(settings.model)
    network = NETWORKS.get(runs, asked_for)
    if network is asked_for:
        return Rule(network, settings.threshold, settings.fast_accept)
    return Rule(network, network.threshold, network.fast_accept)


class Policy:
    """Decides from the embeddings of good frames; defaults and their error rates: config.face_networks.

    One clear frame that is very close is enough. Else frames are averaged, newest ones only, until the mean is close or
    ``max_frames`` were compared. Between two comparisons ``spacing_ms`` pass; what is compared then is the sharp frame
    of that time whose pose differs most from those before, for a mean gains from variety. With ``every_frame``, it is
    the first one after that time, and the good frames between them go into the mean, too.
    """

    _EARLIEST = 1 / 3
    """Share of ``spacing_ms`` that passes even before another pose: noise and light change with time."""
    _YAW, _ROLL_DEG, _SIZE = 0.05, 4.0, 0.08
    """What makes a pose another one, in full: yaw as in Observation, roll, width of the face as a share."""
    _WORTH = 0.5
    """How much more a pose must differ to take the place of one that was embedded already."""
    _AS_SHARP = 0.7
    """To take that place, a frame must be at least so sharp, as a share of the other's sharpness."""

    def __init__(self, photo: Embedding, settings: config.Face, rule: Rule | None = None) -> None:
        self._photo = photo
        self._settings = settings
        self._rule = rule or rule_of(settings)
        self._looks: list[list[Embedding]] = []
        """Each compared frame with those that came until the next one."""
        self._last_ms = -math.inf
        self._poses: list[Observation] = []
        self._next: tuple[Embedding, Observation] | None = None
        """What will be compared when it is time."""
        self.embedded = 0
        """How many embeddings were taken."""
        self.compared = 0
        """How many frames were compared."""
        self.distance: float | None = None
        """Of the mean of the newest frames, or of what there is while there are fewer."""

    def wants(self, stamp_ms: float, seen: Observation) -> bool:
        """Whether a good frame is worth an embedding."""
        since, spacing = stamp_ms - self._last_ms, self._settings.spacing_ms
        if self._next is None:
            early = bool(self._looks) and not self._settings.every_frame
            return since >= spacing * (self._EARLIEST if early else 1.0)
        before = self._next[1]
        return (
            since < spacing
            and seen.sharpness >= self._AS_SHARP * before.sharpness
            and self._differs(seen) > self._differs(before) + self._WORTH
        )

    def offer(self, embedding: Embedding, seen: Observation) -> None:
        """Take the embedding of a wanted frame, to be compared when it is time unless a better one comes."""
        if self._next is not None:
            self._next[0].fill(0)
        self.embedded += 1
        self._next = embedding, seen

    def decide(self, stamp_ms: float) -> Decision | None:
        """Compare what was offered, if it is time; None while it is undecided."""
        due = not self._looks or stamp_ms - self._last_ms >= self._settings.spacing_ms
        if self._next is None or not due:
            return None
        (embedding, seen), self._next = self._next, None
        self._poses = [*self._poses, seen][-self._settings.frames :]
        return self.add(stamp_ms, embedding, seen.score)

    def _differs(self, seen: Observation) -> float:
        """Return how far a pose is from the nearest one that was compared."""
        return min((self._apart(seen, pose) for pose in self._poses), default=0.0)

    def _apart(self, one: Observation, other: Observation) -> float:
        size = one.box.width / other.box.width - 1 if one.box and other.box else 0.0
        return (
            abs(one.yaw - other.yaw) / self._YAW
            + abs(one.roll_deg - other.roll_deg) / self._ROLL_DEG
            + abs(size) / self._SIZE
        )

    def add(self, stamp_ms: float, embedding: Embedding, score: float = math.inf) -> Decision | None:
        """Compare the embedding of a good frame, with the finder's score of it; None while it is undecided."""
        settings, rule = self._settings, self._rule
        self._last_ms = stamp_ms
        self.compared += 1
        self._looks.append([embedding])
        single = rule.distance(embedding, self._photo)
        if single <= rule.fast_accept and score >= settings.clear_score:
            self.distance = single
            return Decision(True, single)
        self.distance = rule.distance(self._mean(), self._photo)
        if len(self._looks) >= settings.frames and self.distance <= rule.threshold:
            return Decision(True, self.distance)
        if self.compared >= settings.max_frames:
            return Decision(False, self.distance)
        return None

    def wants_between(self) -> bool:
        """Whether a good frame that is no occasion to decide is worth an embedding."""
        return self._settings.every_frame and bool(self._looks)

    def add_between(self, embedding: Embedding) -> None:
        """Take the embedding of a good frame into the mean."""
        self._looks[-1].append(embedding)

    def still_there(self, embedding: Embedding) -> bool:
        """Whether this face is the one whose frames were compared."""
        return self._rule.distance(embedding, self._mean()) <= self._rule.threshold

    def _mean(self) -> Embedding:
        newest = [each for look in self._looks[-self._settings.frames :] for each in look]
        mean: Embedding = np.mean(newest, axis=0)
        return mean

    def forget(self) -> None:
        """Overwrite the embeddings of this person; the frames compared so far still count."""
        for look in self._looks:
            for embedding in look:
                embedding.fill(0)
        self._looks.clear()
        if self._next is not None:
            self._next[0].fill(0)
            self._next = None
        self._poses.clear()


class FaceMatch:
    """Runs matches of the person in front of a camera against the photo of a card."""

    def __init__(
        self,
        engine: Engine,
        settings: config.Face,
        random: Random | None = None,
        presence: Presence | None = None,
    ) -> None:
        """``presence``: another sensor's verdict, without which nobody is accepted; None: there is none."""
        self._engine = engine
        self._settings = settings
        self._random = random or SystemRandom()
        self._presence = presence

    def match(
        self,
        source: FrameSource,
        photo: Embedding,
        on_frame: Callable[[Frame], None] | None = None,
        on_guidance: Callable[[Guidance | None], None] | None = None,
        stop: Event | None = None,
        on_result: Callable[[FaceResult], None] | None = None,
        on_colour: "Callable[[Colour | None], None] | None" = None,
    ) -> FaceResult:
        """Compare frames with the photo until it is decided; raises CameraError, EngineLost.

        on_frame gets every frame for the preview (on a paced source from the camera's thread); on_guidance gets each
        change of what the person should do, None when all is well. Setting ``stop`` ends it within one frame. Time runs
        on the stamps of the frames. on_result gets the result before the camera is let go, which takes up to a frame.
        on_colour gets what the display is to show all over, None for what it showed before. Raises ValueError when
        Face.flash is on without it.
        """
        if self._settings.flash and on_colour is None:
            raise ValueError("face.flash needs something that shows the colours")
        stop = stop or Event()
        run = _Run(self._engine, self._settings, photo, on_guidance, self._random, self._presence)
        run.on_colour = on_colour
        newest = NewestFrames(source, on_frame, stop)
        frames = iter(newest) if source.paced else _shown(source.frames(), on_frame)
        try:
            with closing(cast(_Closable, frames)):
                for frame in frames:
                    if stop.is_set():
                        break
                    outcome = run.look(frame)
                    if outcome is not None:
                        result = run.result(outcome)
                        if on_result is not None:
                            on_result(result)
                        return result
            return run.result(FaceOutcome.STOPPED if stop.is_set() else run.out_of_time())
        finally:
            run.show(None)
            run.forget()
            self._engine.forget()


class _Run:
    """One match: compare; then, where they are on, wait for the photo check and go through the challenge."""

    def __init__(
        self,
        engine: Engine,
        settings: config.Face,
        photo: Embedding,
        on_guidance: Callable[[Guidance | None], None] | None,
        random: Random,
        presence: Presence | None,
    ) -> None:
        self._presence = presence
        self.policy = Policy(photo, settings, rule_of(settings, engine.runs.network))
        self._engine = engine
        self._settings = settings
        self._random = random
        self._on_guidance = on_guidance
        self._guidance = SteadyGuidance()
        self._reasons: Counter[Guidance] = Counter()
        self._first_ms: float | None = None
        self._seen = self._with_face = 0
        self._machine_ms = self._compared_ms = self._last_ms = 0.0
        self._photo_check = _photo_check() if settings.photo_check else None
        self._matched = self._checked = False
        self._flash: Flash | None = None
        self.on_colour: Callable[[Colour | None], None] | None = None
        self._shown: Colour | None = None
        self._challenge: Challenge | None = None
        self._looks_after = 0

    def look(self, frame: Frame) -> FaceOutcome | None:
        """Work on one frame; return the outcome when this frame decided it, or time is over."""
        began, before = time.perf_counter(), (self.policy.embedded, self.policy.compared)
        outcome = self._work(frame)
        took_ms = (time.perf_counter() - began) * 1000
        self._machine_ms += took_ms
        if (self.policy.embedded, self.policy.compared) != before:
            self._compared_ms += took_ms
            self._last_ms = took_ms
        if outcome is not None:
            return outcome
        if self._first_ms is None:
            self._first_ms = frame.stamp_ms
        checking = self._flash is not None or self._challenge is not None
        if not checking and frame.stamp_ms - self._first_ms >= self._settings.time_limit_s * 1000:
            return self.out_of_time()
        return None

    def out_of_time(self) -> FaceOutcome:
        measured = self._photo_check is not None and self._photo_check.residual is not None
        if self._matched and not self._checked and (measured or self._presence is not None):
            return FaceOutcome.FLAT
        enough = self.policy.compared >= self._settings.frames
        if not self._matched and (enough or (self.policy.compared and not self._reasons)):
            return FaceOutcome.REFUSED
        return FaceOutcome.TIMEOUT if self._with_face else FaceOutcome.NO_FACE

    def result(self, outcome: FaceOutcome) -> FaceResult:
        failed = outcome in (FaceOutcome.TIMEOUT, FaceOutcome.NO_FACE)
        usual = self._reasons.most_common(1)
        return FaceResult(
            outcome=outcome,
            distance=self.policy.distance,
            guidance=(self._guidance.shown or (usual[0][0] if usual else Guidance.NO_FACE))
            if failed
            else None,
            frames_seen=self._seen,
            frames_used=self.policy.compared,
            machine_ms=self._machine_ms,
            compared_ms=self._compared_ms,
            last_ms=self._last_ms,
            residual=self._photo_check.residual if self._photo_check else None,
            failed_move=(self._challenge.failed or "") if self._challenge else "",
        )

    def forget(self) -> None:
        """Overwrite what is left of the face."""
        self.policy.forget()
        if self._photo_check is not None:
            self._photo_check.forget()

    def _work(self, frame: Frame) -> FaceOutcome | None:
        seen = self._engine.observe(frame)
        reason = gate(seen, frame.image.shape[0], self._settings.gate)
        self._seen += 1
        self._with_face += seen.faces > 0
        if self._challenge is not None:
            return self._challenged(self._challenge, frame.stamp_ms, seen, reason)
        if self._flash is not None:
            return self._flashed(self._flash, frame, seen)
        if reason is not None:
            self._reasons[reason] += 1
        self._check_photo(frame, seen)
        if not self._matched and self._compare(frame.stamp_ms, seen, reason is None) is False:
            return FaceOutcome.REFUSED
        if self._matched:
            there = self._presence is None or self._presence()
            if there is False:
                return FaceOutcome.FLAT
            checked = self._photo_check is None or self._photo_check.passed
            if there and checked:
                if self._settings.flash:
                    self._begin_flash(frame.stamp_ms, seen)
                elif self._settings.challenge:
                    self._begin_challenge(seen)
                else:
                    return FaceOutcome.ACCEPTED
            elif not checked:
                reason = reason or Guidance.MOVE_A_LITTLE
        self._tell(frame.stamp_ms, reason)
        return None

    def _compare(self, stamp_ms: float, seen: Observation, good: bool) -> bool | None:
        """Let the policy have the frame; return what it decided, None while it is undecided."""
        if good and self.policy.wants(stamp_ms, seen):
            self.policy.offer(self._engine.embed_last(), seen)
        elif good and self.policy.wants_between():
            self.policy.add_between(self._engine.embed_last())
        decision = self.policy.decide(stamp_ms)
        self._matched = decision is not None and decision.accepted
        return None if decision is None else decision.accepted

    def _check_photo(self, frame: Frame, seen: Observation) -> None:
        """Let the photo check see every frame; who is compared must be who is checked."""
        check = self._photo_check
        if check is None:
            return
        track = check.track
        check.add(frame.image, seen.landmarks if seen.faces == 1 else ())
        if check.track != track:
            self.policy.forget()
            self._matched = self._checked = False

    def _begin_flash(self, stamp_ms: float, seen: Observation) -> None:
        from hardware.face import flash

        self._checked = True
        if seen.faces == 1:
            self._flash = flash.Flash(flash.drawn(self._random), stamp_ms)
            self.show(self._flash.shows(stamp_ms))

    def _flashed(self, flash: "Flash", frame: Frame, seen: Observation) -> FaceOutcome | None:
        """Show the next colour; whoever took them on must then be who was compared, and may be challenged."""
        self.show(flash.shows(frame.stamp_ms))
        flash.add(frame.stamp_ms, frame.image, seen.box if seen.faces == 1 else None)
        if not flash.over(frame.stamp_ms):
            return None
        if not flash.watched:
            # A slow machine says nothing about the face; the time limit says how often others are shown.
            self._reasons[Guidance.HOLD_STILL] += 1
            self._flash = None
            return None
        if not flash.passed():
            return FaceOutcome.FLAT
        moves = drawn(self._settings.challenge, self._random)
        self._challenge = Challenge(moves, self._settings.challenge_step_s, seen.yaw)
        return None

    def show(self, colour: "Colour | None") -> None:
        """Have the display show a colour, or what it showed before."""
        if colour is not self._shown and self.on_colour is not None:
            self._shown = colour
            self.on_colour(colour)

    def _begin_challenge(self, seen: Observation) -> None:
        if seen.faces == 1:
            moves = drawn(self._settings.challenge, self._random)
            self._challenge = Challenge(moves, self._settings.challenge_step_s, seen.yaw)

    def _challenged(
        self, challenge: Challenge, stamp_ms: float, seen: Observation, reason: Guidance | None
    ) -> FaceOutcome | None:
        asked = challenge.asks
        if asked is None:
            self._tell(stamp_ms, reason)
            return self._after_challenge(reason)
        self._tell(stamp_ms, Guidance(asked))
        told = self._guidance.shown == Guidance(asked) or asked is Move.LOOK_STRAIGHT
        if seen.faces != 1 or seen.box is None:
            challenge.look_away(stamp_ms)
        else:
            challenge.look(stamp_ms, seen.yaw, _place(seen.box), told)
        return FaceOutcome.CHALLENGE_FAILED if challenge.failed else None

    def _after_challenge(self, reason: Guidance | None) -> FaceOutcome | None:
        """Who made the moves must be who was compared before."""
        self._looks_after += 1
        if reason is None and self.policy.still_there(self._engine.embed_last()):
            return FaceOutcome.ACCEPTED
        return FaceOutcome.REFUSED if self._looks_after >= self._LOOKS_AFTER else None

    _LOOKS_AFTER = 30
    """Frames after the challenge in which the face must be seen well, and be the same."""

    def _tell(self, stamp_ms: float, reason: Guidance | None) -> None:
        if self._guidance.add(stamp_ms, reason) and self._on_guidance is not None:
            self._on_guidance(self._guidance.shown)


def _place(box: Box) -> tuple[float, float]:
    """Return where a face is, counted in its own widths."""
    return (box.left + box.width / 2) / box.width, (box.top + box.height / 2) / box.width


def _photo_check() -> "PhotoCheck":
    from hardware.face.photo_check import PhotoCheck

    return PhotoCheck()


class _Closable(Protocol):
    def close(self) -> None: ...


def _shown(frames: Iterator[Frame], on_frame: Callable[[Frame], None] | None) -> Iterator[Frame]:
    with closing(cast(_Closable, frames)):
        for frame in frames:
            if on_frame is not None:
                on_frame(frame)
            yield frame
