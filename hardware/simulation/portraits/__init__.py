"""Shipped portraits, and the photo of a card made from a picture. SOURCES.md tells where they come from."""

from functools import cache
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

HOME = Path(__file__).parent
SHIPPED = ("astronaut", "grace_hopper", "synthetic", "morph")
"""Three identities, and an attack: the half-and-half picture of the first two."""

EYES_AT = (230.0, 180.0)
"""Middle between the eyes in every shipped portrait, px; see SOURCES.md."""
EYES_APART = 113.0
"""Distance of the outer corners of the eyes in every shipped portrait, px."""

LARGEST_PICTURE = 20_000_000
"""Bytes of a picture file."""
CARD_SIZE = (240, 320)
"""Width and height of the photo on a My Number card, px."""
_CARD_COMPRESSION = 62
"""Thousandths of the raw size; gives the 5 KB of real cards."""


def _mistake(what: str) -> Exception:
    # Only here: the face engine needs pictures, and starts sooner without the settings.
    from config import ConfigError

    return ConfigError(what)


def portrait_path(name: str) -> Path:
    """Return the still of a shipped portrait, or ``name`` itself when it is a picture's path; raises ConfigError."""
    if name in SHIPPED:
        return HOME / f"{name}.jpg"
    if "/" not in name and "." not in name:
        raise _mistake(f"photo {name!r}: there is no such portrait; known: {', '.join(SHIPPED)}")
    path = Path(name)
    read_picture(path)
    return path


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return a picture file as (H, W, 3) uint8 BGR; raises ConfigError."""
    from config.toml_file import read_whole

    data = read_whole(path, LARGEST_PICTURE)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise _mistake(f"{path}: is not a picture")
    return cast(NDArray[np.uint8], image)


def upright(path: Path) -> NDArray[np.uint8]:
    """Return a picture in the framing of the shipped portraits, (540, 460, 3) uint8 BGR; raises ConfigError.

    A picture that is not shipped is taken for an ID photo: face in the middle, a little above half height.
    """
    image = read_picture(path)
    if path.parent == HOME:
        return image
    height, width = image.shape[:2]
    # Framed as card_photo() frames the shipped portraits: outer corners of the eyes 0.36 of the width apart.
    scale = EYES_APART / (0.36 * min(width, height * 0.75))
    shift = (EYES_AT[0] - scale * width / 2, EYES_AT[1] - scale * height * 0.43)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    framed = cv2.warpAffine(image, matrix, (460, 540), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return cast(NDArray[np.uint8], framed)


def card_photo(path: Path) -> bytes:
    """Return a picture as a card holds it: 240 x 320 px, grey, JPEG 2000 of about 5 KB; raises ConfigError."""
    data = _shipped_photo(path) if path.parent == HOME else _as_card(_middle(read_picture(path)))
    if not data:
        raise _mistake(f"{path}: cannot be written as JPEG 2000")
    return data


@cache
def _shipped_photo(path: Path) -> bytes:
    """Compressed once in a process: it takes longer than all that a visit does with the card."""
    return _as_card(_on_card(upright(path)))


def card_photo_of(portrait: NDArray[np.uint8]) -> bytes:
    """Return what a card holds of a picture that is framed as upright() frames it."""
    return _as_card(_on_card(portrait))


def _on_card(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return portrait[0:416, 74:386]


def _as_card(image: NDArray[np.uint8]) -> bytes:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, CARD_SIZE, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jp2", small, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, _CARD_COMPRESSION])
    return data.tobytes() if done else b""


def _middle(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop to 3 : 4."""
    height, width = image.shape[:2]
    if width * 4 > height * 3:
        keep = max(1, height * 3 // 4)
        left = (width - keep) // 2
        return image[:, left : left + keep]
    return image[: max(1, width * 4 // 3)]
