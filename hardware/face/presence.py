"""The verdict of a depth or infrared camera of the site, as a function of its own that the settings name."""

import importlib
import logging
from collections.abc import Callable

from config import ConfigError

_log = logging.getLogger("reception.face")

Presence = Callable[[], bool | None]
"""What a depth or infrared camera of the site says of who stands there, asked once the face has matched, and again with
every frame until it answers: True for a person, False for a picture or a mask, None while it does not know yet. It must
answer at once, look at the same place as the camera, and speak of the last second. None until time is over refuses."""


def presence_of(entry: str) -> Presence | None:
    """Return the callable that ``[face] presence`` names, as ``package.module:name``; None for an empty name.

    What it answers besides True and False, and what it raises, counts as None: nobody is accepted by a sensor that
    fails. Raises ConfigError when it cannot be imported or called.
    """
    if not entry:
        return None
    module, _, name = entry.partition(":")
    try:
        asked = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever a module of the site does while it is imported
        raise ConfigError(f"face.presence: {entry} cannot be loaded: {error}") from None
    if not callable(asked):
        raise ConfigError(f"face.presence: {entry} is not callable")

    def told() -> bool | None:
        try:
            answer = asked()
        except Exception as error:  # the same, while it is asked
            _log.warning("face.presence failed: %s", type(error).__name__)
            return None
        return answer if isinstance(answer, bool) else None

    return told
