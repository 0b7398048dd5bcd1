"""How the C library keeps this process's memory; set before the first thread, for a terminal runs for weeks."""

import ctypes
import os

_M_ARENA_MAX = -8
"""malloc.h."""
_ARENAS = 2
_BY_HAND = "MALLOC_ARENA_MAX"
"""glibc's own variable; who sets it has chosen."""


def bound_arenas() -> bool:
    """Let all threads take their memory from two arenas; False where it was chosen by hand, or there is no glibc.

    By default glibc makes up to eight arenas a core, and a thread that ends leaves its own to the next. The camera's
    thread is new for each face, so it comes by and by to each of the 16 (on 2 cores), and each keeps 2 to 4 MB of
    pictures that are long freed. Only what is called before the first thread asks for memory has an effect.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return _BY_HAND not in os.environ and mallopt is not None and mallopt(_M_ARENA_MAX, _ARENAS) == 1
