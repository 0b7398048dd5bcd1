"""What a camera sees of somebody, or of a picture of them, in the light of a display that shows colours: a model.

Light adds up where it is linear. The clip's picture is what the room's light makes visible; the display adds its own.
The numbers are those of usual devices, not measured ones:

- the terminal's display: 300 cd/m², 0.066 m² (15.6 inches), 0.5 m away: about 63 lx of white at the face;
- the room: 500 lx in a clinic; 2,000 lx and more beside a window;
- skin and paper: what they reflect of the room they reflect of the display, so that only the ratio of both counts;
- a telephone: shines with up to 500 cd/m², scatters 2 % of what falls on it, and mirrors 4 % of what stands opposite;
- camera: each colour leaks by 0.15 into its neighbours; exposure follows the frame's mean within half a second.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np

from hardware.camera import Image
from hardware.face.flash import LINEAR, Colour

DISPLAY_LX, DISPLAY_CD = 63.0, 300.0
SCATTERS, MIRRORS = 0.02, 0.04
_LEAK = 0.15
_LIGHT = {
    Colour.RED: (_LEAK / 2, _LEAK, 1.0),
    Colour.GREEN: (_LEAK, 1.0, _LEAK),
    Colour.BLUE: (1.0, _LEAK, _LEAK / 2),
}
"""BGR."""


@dataclass(frozen=True)
class Scene:
    """Who or what stands in which light."""

    room_lx: float = 500.0
    shines_cd: float = 0.0
    """White of the telephone on which it is shown; 0: it is there itself, or on paper."""
    mirrored: bool = False
    """The telephone is held so that the terminal's display mirrors in it."""

    def added(self, colour: Colour | None) -> Any:
        """Return what the display adds, BGR: to a telephone as a share of its white, else of the room's light."""
        light = np.array(_LIGHT[colour]) if colour else np.zeros(3)
        if not self.shines_cd:
            return light * DISPLAY_LX / self.room_lx
        scattered = SCATTERS * DISPLAY_LX / np.pi
        return light * (scattered + (MIRRORS * DISPLAY_CD if self.mirrored else 0.0)) / self.shines_cd


def lit(image: Image, scene: Scene, colour: Colour | None) -> Image:
    """Return a frame, (H, W, 3) uint8 BGR, in which the display's light falls on what is there."""
    light, added = LINEAR[:, None], scene.added(colour)
    # The telephone's own light does not depend on what falls on it; a face has no light but that.
    return _looked_up(image, light + added if scene.shines_cd else light * (1 + added))


def exposed(frames: Iterable[Image], per_frame: float = 0.06) -> Iterator[Image]:
    """Let the camera's exposure follow the mean of the frames; what is too bright is cut."""
    gain, wanted = 1.0, 0.0
    for image in frames:
        mean = float(LINEAR[image[::4, ::4]].mean())
        wanted = wanted or mean
        gain += per_frame * (wanted / max(mean, 1e-4) - gain)
        yield _looked_up(image, np.repeat(LINEAR[:, None] * gain, 3, axis=1))


def _looked_up(image: Image, light: Any) -> Image:
    """Replace each value of a picture by that of another light, (256, 3)."""
    values = _VALUE[(np.clip(light, 0, 1) * (len(_VALUE) - 1)).astype(np.int32)]
    return cast(Image, cv2.LUT(image, values[None]))


def _values() -> Any:
    light = np.linspace(0, 1, 4096)
    value = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (value * 255 + 0.5).astype(np.uint8)


_VALUE = _values()
