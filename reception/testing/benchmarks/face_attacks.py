"""What each check against pictures stops, on rendered attacks and a model of the light; and what is told of masks.

Nothing here was before a camera. Edges of a screen are looked for here only: the product does without, see the guide.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import cv2
import numpy as np

import config
from hardware.camera import Frame, Image
from hardware.face.challenge import TURNED
from hardware.face.engine import FaceEngine
from hardware.face.flash import Flash, drawn
from hardware.face.guidance import Guidance
from hardware.face.observation import Box, Observation
from hardware.face.photo_check import FLAT_BELOW, PhotoCheck
from hardware.face.policy import gate
from hardware.simulation import attacks
from hardware.simulation.moving_stills import HEIGHT, MASK_VALUES, Condition, masked, moving
from hardware.simulation.portraits import SHIPPED, portrait_path
from hardware.simulation.screen_light import Scene, exposed, lit

Say = Callable[[str], None]
_PEOPLE = SHIPPED[:3]
_ROUNDS = 4
"""Flashes of each, with another order, start and delay."""
_KINDS: dict[str, tuple[Callable[[Any], Any], Scene]] = {
    "person, room 500 lx": (attacks.person, Scene()),
    "person, 1,000 lx": (attacks.person, Scene(1000.0)),
    "person, 2,000 lx": (attacks.person, Scene(2000.0)),
    "person who turns, 500 lx": (lambda photo: moving(photo, Condition.TURN_LEFT), Scene()),
    "person before a door, 500 lx": (attacks.before_a_door, Scene()),
    "flat print": (attacks.print_out, Scene()),
    "print bent much": (lambda photo: attacks.print_out(photo, 0.002), Scene()),
    "flat print, eyes cut out": (attacks.with_eyes_cut_out, Scene()),
    "telephone, 500 cd/m2": (attacks.telephone, Scene(shines_cd=500.0)),
    "telephone, 100 cd/m2": (attacks.telephone, Scene(shines_cd=100.0)),
    "telephone, 50 cd/m2": (attacks.telephone, Scene(shines_cd=50.0)),
    "telephone, display mirrors in it": (attacks.telephone, Scene(shines_cd=250.0, mirrored=True)),
}


def stopped(say: Say) -> list[dict[str, Any]]:
    """Say who gets past photo check, turns, flash, and a search for the edges of a screen, of three people each."""
    say("who passes                           photo check  turned by     flash  screen edges seen")
    figures = []
    with FaceEngine() as engine:
        engine.ready.wait(60)
        for kind, (make, scene) in _KINDS.items():
            figures.append({"what": f"attack: {kind}", "unit": "passes", **_passes(engine, make, scene)})
            found = figures[-1]
            say(
                f"  {kind:34} {found['photo_check']:>8} of 3 {found['turn']:10.3f} "
                f"{found['flash']:>6} of {3 * _ROUNDS} {found['edges']:>13} of 3"
            )
    say(f"a turn counts from {TURNED}; photo check from {FLAT_BELOW}; all rendered, none before a camera")
    return figures


def _passes(engine: FaceEngine, make: Callable[[Any], Any], scene: Scene) -> dict[str, Any]:
    photo_check = flash = edges = 0
    turn = 0.0
    for name in _PEOPLE:
        images = list(make(portrait_path(name)))
        looks = [engine.observe(Frame(image, number * 100 / 3)) for number, image in enumerate(images)]
        boxes = [look.box for look in looks]
        photo_check += _photo_check(images, looks)
        yaws = [look.yaw for look in looks if look.faces == 1]
        turn = max(turn, float(np.ptp(yaws)) if yaws else 0.0)
        flash += sum(_flash(images, boxes, scene, seed) for seed in range(_ROUNDS))
        seen = [has_edges(image, box) for image, box in zip(images[::4], boxes[::4], strict=True) if box]
        edges += sum(seen) > len(seen) / 2
    engine.forget()
    return {"photo_check": photo_check, "turn": round(turn, 3), "flash": flash, "edges": edges}


def _photo_check(images: Sequence[Image], looks: Sequence[Observation]) -> bool:
    """Return whether the check lets this pass at any moment."""
    check, passed = PhotoCheck(), False
    for image, look in zip(images, looks, strict=True):
        check.add(image, look.landmarks if look.faces == 1 else ())
        passed |= check.passed
    return passed


def _flash(images: Sequence[Image], boxes: Sequence[Box | None], scene: Scene, seed: int) -> bool:
    """Return whether a flash is passed that reaches the camera 60 to 220 ms late."""
    random = Random(seed)  # noqa: S311
    flash, start, late = Flash(drawn(random), 0.0), random.randrange(len(images)), random.uniform(60, 220)
    stamps = [number * 100 / 3 for number in range(45)]
    places = [(start + number) % len(images) for number in range(45)]
    colours = [flash.shows(stamp - late) if stamp >= late else None for stamp in stamps]
    seen = exposed(lit(images[place], scene, colour) for place, colour in zip(places, colours, strict=True))
    for stamp, place, image in zip(stamps, places, seen, strict=True):
        flash.add(stamp, image, boxes[place])
    return flash.passed()


def has_edges(image: Image, box: Box) -> bool:
    """Return whether two long parallel lines stand to both sides of a face, near to it, as those of a screen do."""
    edges = cv2.Canny(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 60, 150)
    lines = cv2.HoughLinesP(edges, 1, np.pi / 180, 60, minLineLength=int(1.2 * box.height), maxLineGap=6)
    middle = box.left + box.width / 2
    sides: dict[bool, list[float]] = {True: [], False: []}
    for left, top, right, bottom in [] if lines is None else lines.reshape(-1, 4):
        away = (left + right) / 2 - middle
        slant = float(np.degrees(np.arctan2(right - left, bottom - top))) % 180
        if 0.4 * box.width < abs(away) < 1.5 * box.width and min(slant, 180 - slant) < 30:
            sides[away > 0].append(slant)
    return any(abs(one - other) < 6 for one in sides[True] for other in sides[False])


def masks(say: Say) -> list[dict[str, Any]]:
    """Say of how many frames with a drawn mask the right words are told, and how many would be compared."""
    figures = []
    say("\ndrawn masks, frames                    face found   mask told    compared")
    with FaceEngine() as engine:
        engine.ready.wait(60)
        for colour, value in MASK_VALUES.items():
            for light in (1.0, 0.5):
                seen = [
                    engine.observe(Frame(image, number * 100.0))
                    for name in _PEOPLE
                    for number, image in enumerate(masked(portrait_path(name), value, light, 20))
                ]
                reasons = [gate(look, HEIGHT, config.Face().gate) for look in seen]
                figure = {
                    "what": f"{colour} mask, light {light}",
                    "unit": "frames",
                    "of": len(seen),
                    "found": sum(look.faces > 0 for look in seen),
                    "told": reasons.count(Guidance.UNCOVER_MOUTH),
                    "compared": reasons.count(None),
                }
                figures.append(figure)
                say(
                    f"  {figure['what']:34} {figure['found']:6} of {len(seen)} {figure['told']:11} "
                    f"{figure['compared']:11}"
                )
        engine.forget()
    return figures
