"""The patient's window; it shows snapshots and submits events, and knows nothing else of the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # Not before the first picture.
    import numpy as np
    from numpy.typing import NDArray

    from reception.flow import Event
    from reception.terminal.notices import Notice
    from reception.terminal.snapshot import CounterView, Snapshot


class TerminalLike(Protocol):
    """What windows need of the terminal; callbacks come from other threads, the returned call ends them."""

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]: ...

    def subscribe_frames(self, callback: Callable[[NDArray[np.uint8]], None]) -> Callable[[], None]: ...

    def subscribe_colours(self, callback: Callable[[str | None], None]) -> Callable[[], None]: ...

    def subscribe_counter(self, callback: Callable[[CounterView | None], None]) -> Callable[[], None]: ...

    def submit(self, event: Event) -> None: ...


class OfficeLike(Protocol):
    """What the counter needs of the back office."""

    def subscribe(self, callback: Callable[[tuple[Notice, ...]], None]) -> Callable[[], None]: ...

    def dismiss(self, notice: Notice) -> None: ...
