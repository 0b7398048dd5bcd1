"""What both ends of the engine know: the shared block of memory and the errors that cross over."""

BLOCK = 4096 * 2160 * 3
"""Largest frame, bytes; memory is only taken for pages that a frame fills."""
SHARED = BLOCK + 128 * 8
"""The whole block; behind the frame, an embedding on its way to the terminal, which wipes it. A pickled one would
leave copies in buffers that nobody can wipe."""


class PhotoUnusable(Exception):
    """The photo is no picture, or shows no face."""


class ModelUnusable(Exception):
    """The network file cannot be read, was altered, or is not one for faces; ``str()`` says which file and why."""
