"""What drivers give, made into what everything here takes: (H, W, 3) uint8 BGR, upright and not mirrored."""

from typing import Any, Literal, cast

import numpy as np

from hardware.camera.frames import CameraUnfit, Image

LARGEST = 1920
"""A larger picture is made smaller, px of the longer side: the engine takes up to 4096 x 2160, and needs far less."""
_SMALLEST = 48

Quarter = Literal[0, 90, 180, 270]


class Upright:
    """Turns the pictures of one camera."""

    def __init__(self, rotate: Quarter = 0, mirror: bool = False) -> None:
        """``rotate``: degrees clockwise that make its pictures upright; ``mirror``: then swap left and right."""
        self._rotate = rotate
        self._mirror = mirror
        self._bits = 8

    def __call__(self, image: Any, name: str = "the camera") -> Image:
        """Return a picture as everything here takes it; raises CameraUnfit naming what cannot be made into one."""
        import cv2

        image = self._in_colour(self._in_bytes(image, name), name)
        longest = max(image.shape[:2])
        if min(image.shape[:2]) < _SMALLEST:
            raise CameraUnfit(f"{name} gives pictures of {image.shape[1]} x {image.shape[0]} px")
        if longest > LARGEST:
            scale = LARGEST / longest
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if self._rotate:
            turns = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
            image = cv2.rotate(image, turns[self._rotate])
        if self._mirror:
            image = cv2.flip(image, 1)
        return cast(Image, np.ascontiguousarray(image))

    def _in_bytes(self, image: Any, name: str) -> Any:
        if image.dtype == np.uint8:
            return image
        if image.dtype != np.uint16:
            raise CameraUnfit(f"{name} gives pictures of {image.dtype} values")
        # 10, 12 or 16 bits in two bytes: the brightest value so far tells.
        self._bits = max(self._bits, int(image.max()).bit_length())
        return (image >> (self._bits - 8)).astype(np.uint8)

    def _in_colour(self, image: Any, name: str) -> Any:
        import cv2

        channels = 1 if image.ndim == 2 else image.shape[2] if image.ndim == 3 else 0
        match channels:
            case 3:
                return image
            case 1:
                return cv2.cvtColor(image.reshape(image.shape[:2]), cv2.COLOR_GRAY2BGR)
            case 4:
                return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
        raise CameraUnfit(f"{name} gives pictures of shape {' x '.join(map(str, image.shape))}")
