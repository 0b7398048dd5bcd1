"""What both ends of the engine know: the shared block of memory, what runs there, and the errors that cross over."""

from dataclasses import dataclass

BLOCK = 4096 * 2160 * 3
"""Largest frame, bytes; memory is only taken for pages that a frame fills."""
SHARED = BLOCK + 128 * 8
"""The whole block; behind the frame, an embedding on its way to the terminal, which wipes it. A pickled one would
leave copies in buffers that nobody can wipe."""


class PhotoUnusable(Exception):
    """The photo is no picture, or shows no face."""


class ModelUnusable(Exception):
    """The network file cannot be read, was altered, or is not one for faces; ``str()`` says which file and why."""


@dataclass(frozen=True)
class Runs:
    """What an engine works with, once it is ready."""

    network: str = ""
    """Name in config.face_networks."""
    library: str = ""
    """What computes the network: "opencv" or "dlib"."""
    finder: str = ""
    """What finds faces: "yunet" or "hog"."""
    why: str = ""
    """Why that is not the first choice; empty when it is."""
