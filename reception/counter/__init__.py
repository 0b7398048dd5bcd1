"""The counter's window: the live visit in words for staff, and the steering of a simulated bench."""

from typing import Protocol, runtime_checkable


class BenchLike(Protocol):
    """A simulated bench as the counter steers it; the first card of a person may take a moment."""

    def people(self) -> list[str]: ...

    def insert(self, person: str, /) -> None: ...

    def remove(self) -> None: ...


@runtime_checkable
class ShowsClips(Protocol):
    """A bench that can put somebody else before the camera than the holder of the card."""

    def show(self, person: str, /) -> None: ...
