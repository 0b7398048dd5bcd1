"""Those who want to be told what changes."""

import logging
from collections.abc import Callable
from typing import Any

_log = logging.getLogger("reception.terminal")


class Subscribers:
    """Those who want to be told; told in the order in which they came, in the thread that tells."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Any], None]] = []

    def add(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Return the function that ends the subscription."""
        self._callbacks = [*self._callbacks, callback]
        return lambda: self._drop(callback)

    def tell(self, news: object) -> None:
        """Call everyone; a listener that fails is logged and does not harm the visit."""
        for callback in self._callbacks:
            try:
                callback(news)
            except Exception:
                _log.exception("a listener failed")

    def _drop(self, callback: Callable[[Any], None]) -> None:
        self._callbacks = [other for other in self._callbacks if other is not callback]
