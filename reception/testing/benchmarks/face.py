"""Speed and safety of the face route, each beside the webcam loops of face_recognition's README in the same run.

Both networks stand in one table: what an embedding costs by each, and what decisions cost with each.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import config
from hardware.camera import Frame, Image, open_clip
from hardware.face.engine import FaceEngine
from hardware.face.observation import Embedding
from hardware.face.policy import FaceMatch, gate
from hardware.simulation.moving_stills import FPS, FRAMES, Condition, clip_for, motion_blurred
from hardware.simulation.portraits import SHIPPED, card_photo, portrait_path

if TYPE_CHECKING:
    from reception.testing.benchmarks.bare_embedding import BareEmbeddings
    from reception.testing.benchmarks.face_baseline import ReadmeLoop

Say = Callable[[str], None]
_WHO = "grace_hopper"
_PEOPLE = SHIPPED[:3]
_FAST = config.Face()
_SLOW = config.Face(fast_accept=0.15, threshold=0.45)
"""So strict that on the clip in dancing light one frame alone is not enough: with the defaults it is."""
_BLURRED = 6
"""Frames with which a blurred start begins."""
_SIDES = ("ours", "readme", "readme_quarter")


class _Frames:
    """Frames of a clip from one of them on, round after round, as fast as they are taken."""

    paced = False

    def __init__(self, images: Sequence[Image], start: int) -> None:
        self._images, self._start = images, start

    def frames(self) -> Iterator[Frame]:
        number = 0
        while True:
            image = self._images[(self._start + number) % len(self._images)]
            yield Frame(image, number * 1000 / FPS)
            number += 1

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Decision:
    """Median machine times of one kind of decision, ms."""

    kind: str
    ms: dict[str, float]
    """Of ours, of the embeddings that it needs ("bare"), of the two loops ("readme", "readme_quarter")."""
    starts: int
    """How many starts on the clip ended in this kind of decision."""
    last_frame_ms: float = 0.0
    """Of ours, what comes after the last frame: earlier ones are worked on while the next is waited for."""

    def as_figure(self) -> dict[str, Any]:
        """Return it for the JSON file."""
        return {
            "what": self.kind,
            "unit": "ms",
            **{side: round(ms, 2) for side, ms in self.ms.items()},
            "ratio": round(self.ms["readme"] / self.ms["ours"], 2),
            "ratio_quarter": round(self.ms["readme_quarter"] / self.ms["ours"], 2),
            "ratio_to_bare": round(self.ms["ours"] / self.ms["bare"], 2),
            "starts": self.starts,
            "last_frame": round(self.last_frame_ms, 2),
        }


def speed(state: Path, rounds: int, visits: int, say: Say) -> list[dict[str, Any]]:
    """Measure and say all figures of speed; ``visits`` > 0 adds the memory of the engine over that many matches."""
    # Only here: dlib and face_recognition take a second to import.
    from reception.testing.benchmarks.bare_embedding import BareEmbeddings

    with FaceEngine() as engine:
        clean, dappled = (images_of(state, kind) for kind in (Condition.CLEAN, Condition.DAPPLED))
        engine.ready.wait(30)
        bare = BareEmbeddings(clean[:10])
        figures = embeddings(bare, rounds, say)
        say(
            "\nfrom frame to decision, ms      ours  README     ratio  1/4 size    ratio  to bare  after last frame"
        )
        for kind, clip, needs in (("fast accept", clean, 1), ("mean of three", dappled, 3)):
            decision = decisions(engine, bare, clip, kind, needs, rounds)
            figures.append(decision.as_figure())
            say(_line(decision))
        figures.append(with_dlib(bare, clean, rounds, say))
        figures.append(readiness(say))
        figures.append(frames_per_second(engine, clean, rounds, say))
        figures.append(blurred_start(engine, state, (0, FRAMES // 2), say))
        if visits:
            figures.append(memory(engine, clean, visits, say))
    return figures


def embeddings(bare: "BareEmbeddings", rounds: int, say: Say) -> list[dict[str, Any]]:
    """Compare one embedding by each way: SFace, and face_recognition's network by OpenCV and by dlib itself."""
    from reception.testing.benchmarks.bare_embedding import engine_threads

    every = engine_threads()
    ways = [(way, threads) for way in bare.WAYS for threads in sorted({1, 1 if way == "dlib" else every})]
    times = [[bare.ms(1, way, threads) for way, threads in ways] for _ in range(rounds)]
    by_way = {way: median(each) for way, each in zip(ways, zip(*times, strict=True), strict=True)}
    dlib = by_way["dlib", 1]
    say("one embedding alone, ms            one thread   engine's threads   to dlib (one thread)")
    figures = []
    for way in bare.WAYS:
        one, engine = by_way[way, 1], by_way.get((way, every), by_way[way, 1])
        say(f"  {way:32} {one:10.1f} {engine:18.1f} {dlib / one:15.1f} x")
        figures.append(
            {
                "what": "one embedding" if way == "sface" else f"one embedding, {way}",
                "unit": "ms",
                "library": way,
                "ours": round(one, 2),
                "dlib": round(dlib, 2),
                "engine": round(engine, 2),
                "ratio": round(dlib / one, 2),
            }
        )
    return figures


def readiness(say: Say) -> dict[str, Any]:
    """Return time to ready and memory of an engine with each network, in one run; the default stands first."""
    found: dict[str, tuple[float, float]] = {}
    for name, network, library in (
        ("sface", "", "best"),
        ("dlib", "dlib", "best"),
        ("dlib itself", "", "dlib"),
    ):
        times, resident = [], 0.0
        for _ in range(3):
            began = time.perf_counter()
            with FaceEngine(network=network, library="dlib" if library == "dlib" else "best") as engine:
                engine.ready.wait(60)
                times.append((time.perf_counter() - began) * 1000)
                resident = _resident_kb(engine) / 1024
        found[name] = median(times), resident
    words = ", ".join(f"{name} {ms:.0f} ms and {mb:.0f} MB" for name, (ms, mb) in found.items())
    say(f"\nengine ready, and its memory then: {words}")
    return {
        "what": "engine ready",
        "unit": "ms",
        "ours": round(found["sface"][0], 1),
        **{
            f"{name} {unit}": round(value, 1)
            for name, both in found.items()
            for unit, value in zip(("ms", "mb"), both, strict=True)
        },
    }


def images_of(state: Path, condition: Condition, name: str = _WHO) -> list[Image]:
    """Return all frames of a shipped clip; making it takes seconds the first time."""
    source = open_clip(clip_for(portrait_path(name), state / "clips", condition), "fast")
    frames = source.frames()
    return [next(frames).image for _ in range(FRAMES)]


def decisions(
    engine: FaceEngine, bare: "BareEmbeddings", images: Sequence[Image], kind: str, needs: int, rounds: int
) -> Decision:
    """Time up to ``rounds`` decisions that rest on ``needs`` frames, from starts all over a clip; the sides take turns.

    Ours is the work on the frames that were compared; between them the policy waits for another pose. The loops work
    on every frame that they take, until one is accepted.
    """
    from reception.testing.benchmarks.face_baseline import ReadmeLoop

    photo = card_photo(portrait_path(_WHO))
    mine = engine.embed_photo(photo)
    match = FaceMatch(engine, _FAST if needs == 1 else _SLOW)
    loops = {"readme": ReadmeLoop([photo]), "readme_quarter": ReadmeLoop([photo], quarter=True)}
    spent: dict[str, list[float]] = {side: [] for side in ("ours", "bare", *loops)}
    last: list[float] = []
    for number in range(len(images)):
        if len(spent["ours"]) == rounds:
            break
        source = _Frames(images, number * 7)
        result = match.match(source, mine)
        if not result.accepted or result.frames_used != needs:
            continue
        spent["ours"].append(result.compared_ms)
        last.append(result.last_ms)
        spent["bare"].append(bare.ms(needs))
        for side, loop in loops.items():
            spent[side].append(_until_accepted(loop, source))
    if not spent["ours"]:
        raise RuntimeError(f"no start on the clip of {_WHO} led to a decision by {kind}")
    return Decision(kind, {side: median(times) for side, times in spent.items()}, len(last), median(last))


def with_dlib(bare: "BareEmbeddings", images: Sequence[Image], rounds: int, say: Say) -> dict[str, Any]:
    """Compare our decision with the bare embeddings when face_recognition's own way of embedding is used for both.

    With the fast one, finding and following the face weighs more: a ratio says how much is beside the embedding.
    """
    ours, floor = [], []
    with FaceEngine(library="dlib") as engine:
        engine.ready.wait(30)
        mine = engine.embed_photo(card_photo(portrait_path(_WHO)))
        match = FaceMatch(engine, config.Face())
        for number in range(rounds):
            result = match.match(_Frames(images, number * 7), mine)
            if result.accepted:
                ours.append(result.compared_ms)
                floor.append(bare.ms(result.frames_used, "dlib", 1))
    ratio = median(ours) / median(floor)
    say(
        f"with face_recognition's own embedding: {median(ours):.1f} ms, bare embeddings {median(floor):.1f} ms, "
        f"ratio {ratio:.2f}"
    )
    return {
        "what": "fast accept, embedded by dlib",
        "unit": "ms",
        "ours": round(median(ours), 2),
        "bare": round(median(floor), 2),
        "ratio_to_bare": round(ratio, 2),
    }


def _until_accepted(loop: "ReadmeLoop", source: _Frames) -> float:
    spent = 0.0
    loop.restart()
    for number, frame in enumerate(source.frames()):
        began = time.perf_counter()
        accepted = loop.takes_for(frame.image)[0]
        spent += time.perf_counter() - began
        if accepted or number == FRAMES:
            break
    return spent * 1000


def _line(decision: Decision) -> str:
    figure, ms = decision.as_figure(), decision.ms
    return (
        f"{decision.kind + f' ({decision.starts} starts)':26} {ms['ours']:8.1f} {ms['readme']:7.1f} "
        f"{figure['ratio']:7.1f} x {ms['readme_quarter']:9.1f} {figure['ratio_quarter']:6.1f} x "
        f"{figure['ratio_to_bare']:8.2f} {decision.last_frame_ms:17.1f}"
    )


def frames_per_second(engine: FaceEngine, images: Sequence[Image], rounds: int, say: Say) -> dict[str, Any]:
    """Compare tracking and gate with the README's quarter-size loop, and with nothing but its detection."""
    from reception.testing.benchmarks.face_baseline import ReadmeLoop

    limits = config.Face().gate
    loop = ReadmeLoop([card_photo(portrait_path(_WHO))], quarter=True)

    def ours(image: Image) -> None:
        gate(engine.observe(Frame(image, 0.0)), image.shape[0], limits)

    taken = [images[number % len(images)] for number in range(10 * rounds)]
    rates = {
        "ours": _rate(ours, taken),
        "readme_quarter": _rate(loop.takes_for, taken),
        "quarter_detection": _rate(loop.faces_in, taken),
    }
    engine.forget()
    ratio = rates["ours"] / rates["readme_quarter"]
    say(
        f"\nframes a second, tracking and gate: {rates['ours']:.0f}; README at 1/4 size, every second frame: "
        f"{rates['readme_quarter']:.0f} (ratio {ratio:.1f}); its detection alone, on every frame: "
        f"{rates['quarter_detection']:.0f}"
    )
    return {
        "what": "tracking and gate",
        "unit": "frames/s",
        **{side: round(rate, 1) for side, rate in rates.items()},
        "ratio": round(ratio, 2),
    }


def _rate(work: Callable[[Image], Any], images: Sequence[Image]) -> float:
    began = time.perf_counter()
    for image in images:
        work(image)
    return len(images) / (time.perf_counter() - began)


def blurred_start(engine: FaceEngine, state: Path, starts: Sequence[int], say: Say) -> dict[str, Any]:
    """Count strangers who are accepted when the first frames are motion-blurred, as of somebody who walks up."""
    from reception.testing.benchmarks.face_baseline import ReadmeLoop

    photos = {name: card_photo(portrait_path(name)) for name in _PEOPLE}
    cards = {name: engine.embed_photo(photo) for name, photo in photos.items()}
    accepted = dict.fromkeys(_SIDES, 0)
    tried = 0
    for name in _PEOPLE:
        images = images_of(state, Condition.CLEAN, name)
        strangers = [card for card in _PEOPLE if card != name]
        for start in starts:
            seen = [images[(start + number) % FRAMES] for number in range(FRAMES)]
            seen[:_BLURRED] = map(motion_blurred, seen[:_BLURRED])
            tried += len(strangers)
            accepted["ours"] += _accepted_by_us(engine, seen, [cards[card] for card in strangers])
            for side, quarter in (("readme", False), ("readme_quarter", True)):
                loop = ReadmeLoop([photos[card] for card in strangers], quarter)
                votes = [loop.takes_for(image) for image in seen[: _BLURRED + 2]]
                accepted[side] += sum(map(any, zip(*votes, strict=True)))
    say(
        f"\nfirst {_BLURRED} frames motion-blurred, {tried} visits of another person: accepted by us "
        f"{accepted['ours']}, by the README loop {accepted['readme']}, at 1/4 size {accepted['readme_quarter']}"
    )
    return {"what": "strangers accepted from a blurred start", "unit": "visits", "tried": tried, **accepted}


def _accepted_by_us(engine: FaceEngine, images: Sequence[Image], cards: Sequence[Embedding]) -> int:
    match = FaceMatch(engine, config.Face())
    return sum(match.match(_Frames(images, 0), card).accepted for card in cards)


def memory(engine: FaceEngine, images: Sequence[Image], visits: int, say: Say) -> dict[str, Any]:
    """Return what the engine's memory grows by, over visits of card photo, match, and forgetting."""
    photo = card_photo(portrait_path(_WHO))
    match = FaceMatch(engine, config.Face())
    samples: list[tuple[float, float]] = []
    every = max(1, visits // 40)
    for number in range(visits):
        result = match.match(_Frames(images, number % len(images)), engine.embed_photo(photo))
        if not result.accepted:
            raise RuntimeError(f"visit {number} of the memory test was not accepted: {result.reason}")
        if number % every == 0:
            samples.append((number, _resident_kb(engine)))
    # The first tenth is the allocator finding its size.
    settled = [sample for sample in samples if sample[0] >= visits / 10]
    slope = slope_of(settled) * 1000
    first, last = samples[0][1] / 1024, samples[-1][1] / 1024
    say(
        f"\nengine over {visits} visits: {first:.1f} MB resident at first, {last:.1f} MB "
        f"at the end; {slope:+.0f} KB per 1,000 visits after the first tenth"
    )
    return {
        "what": "engine memory",
        "visits": visits,
        "first_mb": round(first, 1),
        "last_mb": round(last, 1),
        "kb_per_1000_visits": round(slope, 1),
    }


def slope_of(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line that fits (x, y) points best; 0 for fewer than two."""
    if len(points) < 2:
        return 0.0
    middle_x = math.fsum(x for x, _ in points) / len(points)
    middle_y = math.fsum(y for _, y in points) / len(points)
    spread = math.fsum((x - middle_x) ** 2 for x, _ in points)
    return math.fsum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def _resident_kb(engine: FaceEngine) -> float:
    status = Path(f"/proc/{engine.pid}/status").read_text(encoding="ascii")
    return float(status.split("VmRSS:")[1].split()[0])
