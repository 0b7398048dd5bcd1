"""Derive the shipped portraits from the pictures in the scikit-image and matplotlib wheels (a developer's tool).

    python -m venv /tmp/portraits && /tmp/portraits/bin/pip install scikit-image matplotlib dlib-bin \
        opencv-python-headless face_recognition_models
    /tmp/portraits/bin/python -m hardware.simulation.portraits.make_portraits

The product itself needs neither of these two wheels. See SOURCES.md.
"""

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
from matplotlib import cbook
from scipy.interpolate import RBFInterpolator
from skimage import data

HOME = Path(__file__).parent
WIDTH, HEIGHT = 460, 540
EYES_AT = (230, 180)
EYES_APART = 113.0  # outer corners, px; a face box of about 200 px
JAW, NOSE, MOUTH = slice(0, 17), slice(27, 36), slice(48, 68)


def main() -> None:
    spec = importlib.util.find_spec("face_recognition_models")
    assert spec and spec.submodule_search_locations
    models = Path(spec.submodule_search_locations[0]) / "models"
    detect = dlib.get_frontal_face_detector()
    shape = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))

    def points(image: Any) -> Any:
        rgb = np.ascontiguousarray(image[:, :, ::-1])
        face = max(detect(rgb, 0), key=lambda box: box.width())
        return np.array([(part.x, part.y) for part in shape(rgb, face).parts()], float)

    whole = cv2.resize(data.astronaut()[:, :, ::-1], None, fx=1.9, fy=1.9, interpolation=cv2.INTER_CUBIC)
    astronaut = framed(whole, points)
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        hopper = framed(cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR), points)
    own = points(whole)
    stranger = framed(moved(whole, own, another_person(own)), points)
    own, other = points(astronaut), points(hopper)
    middle = (own + other) / 2
    morph = moved(astronaut, own, middle) / 2 + moved(hopper, other, middle) / 2
    for name, image in {
        "astronaut": astronaut,
        "grace_hopper": hopper,
        "synthetic": recoloured(stranger, points),
        "morph": morph,
    }.items():
        cv2.imwrite(str(HOME / f"{name}.jpg"), image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 84])


def framed(image: Any, points: Any) -> Any:
    """Crop and scale so that every portrait has the eyes at one place."""
    found = points(image)
    left, right = found[36], found[45]
    scale = EYES_APART / np.hypot(*(right - left))
    centre = (left + right) / 2
    shift = np.array(EYES_AT) - scale * centre
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(
        image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )


def another_person(own: Any) -> Any:
    """Return the 68 points of a face that nobody has.

    The numbers come from a random search for a face far from both sources (distance of the embeddings) that a person
    looking at it takes for a face.
    """
    new = own.copy()
    axis = own[27:31, 0].mean()
    new[JAW, 0] = axis + (own[JAW, 0] - axis) * 1.29
    new[JAW, 1] -= 4.2 * ((own[JAW, 1] - own[27, 1]) / (own[8, 1] - own[27, 1])).clip(0, 1)
    bridge = own[27]
    new[NOSE] = bridge + (own[NOSE] - bridge) * (1.34, 1.11)
    mouth = own[MOUTH].mean(axis=0)
    new[MOUTH] = mouth + (own[MOUTH] - mouth) * (0.93, 0.74) + (0, 18.3)
    for eye in (range(36, 42), range(42, 48)):
        middle = own[eye].mean(axis=0)
        new[eye] = middle + (own[eye] - middle) * (0.88, 0.774) + (np.sign(middle[0] - axis) * 4.6, 0.8)
    for brow in (range(17, 22), range(22, 27)):
        new[brow] += (np.sign(own[brow][:, 0].mean() - axis) * 4.6, -1.8)
    return new


def moved(image: Any, own: Any, new: Any) -> Any:
    """Warp smoothly so that the points ``own`` come to lie at ``new``; the frame and a ring around the head stay."""
    height, width = image.shape[:2]
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    ring = own[:27].mean(axis=0) + np.stack([np.cos(turn) * 230, np.sin(turn) * 250 - 10], axis=1)
    grid = [(x, y) for x in np.linspace(0, width - 1, 6) for y in np.linspace(0, height - 1, 5)]
    still = np.concatenate([ring, grid])
    still = still[np.linalg.norm(still[:, None] - new[None], axis=2).min(axis=1) > 25]
    to = np.concatenate([new, still])
    spline = RBFInterpolator(to, np.concatenate([own, still]) - to, kernel="thin_plate_spline", smoothing=2.0)
    step = 8
    rows, columns = np.mgrid[0:height:step, 0:width:step]
    shift = spline(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(float)).reshape(*rows.shape, 2)
    shift = cv2.resize(shift.astype(np.float32), (rows.shape[1] * step, rows.shape[0] * step))[
        :height, :width
    ]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(
        image, x + shift[..., 0], y + shift[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )


def recoloured(image: Any, points: Any) -> Any:
    """Make hair and suit dark and mirror the picture, so that people, too, see somebody else."""
    hue, saturation, value = (c.astype(np.float32) for c in cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV)))
    below = np.arange(len(image))[:, None] > 318
    suit = cv2.GaussianBlur(
        (below & (saturation > 90) & ((hue < 20) | (hue > 168))).astype(np.float32), (0, 0), 1.5
    )
    hair = ((hue > 8) & (hue < 34) & (saturation > 45)).astype(np.uint8)
    hair = cv2.morphologyEx(hair, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    hair[240:] = 0
    skin = cv2.convexHull((points(image)[:27] + (0, -8)).astype(np.int32))
    cv2.fillConvexPoly(hair, skin, 0)
    count, label, stats, _ = cv2.connectedComponentsWithStats(hair)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else 0
    dark = cv2.GaussianBlur((label == largest).astype(np.float32), (0, 0), 2.5)
    value *= 1 - 0.55 * dark
    saturation *= 1 - 0.35 * dark
    hue = np.where(suit > 0.3, 105, hue)
    saturation *= 1 - 0.45 * suit
    value *= 1 - 0.45 * suit
    merged = cv2.merge([hue, saturation, value]).clip(0, 255).astype(np.uint8)
    return cv2.flip(cv2.cvtColor(merged, cv2.COLOR_HSV2BGR), 1)


if __name__ == "__main__":
    main()
