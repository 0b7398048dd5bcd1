"""The counter's window: the live visit in words for staff, and the steering of a simulated bench."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from reception.patient import OfficeLike, TerminalLike
from reception.terminal.back_office import Today
from reception.terminal.snapshot import CounterView, VisualView
from reception.terminal.staff import StaffAnswer


class CounterTerminal(TerminalLike, Protocol):
    """What the counter needs of the terminal beside what the patient's window does."""

    def subscribe_visual(self, callback: Callable[[VisualView | None], None]) -> Callable[[], None]: ...

    def staff_ids(self) -> tuple[str, ...]: ...

    def verify_staff(self, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]) -> None: ...

    def start_visual(
        self, visit: str, staff: str, password: bytearray, told: Callable[[StaffAnswer], None]
    ) -> None: ...


class CounterOffice(OfficeLike, Protocol):
    """What the counter needs of the back office; both calls take a moment."""

    def today(self) -> Today: ...

    def register_reference(self, view: CounterView, number: str) -> None: ...


class BenchLike(Protocol):
    """A simulated bench as the counter steers it; the first card of a person may take a moment."""

    def people(self) -> list[str]: ...

    def insert(self, person: str, /) -> None: ...

    def remove(self) -> None: ...


@runtime_checkable
class ShowsClips(Protocol):
    """A bench that can put somebody else before the camera than the holder of the card."""

    def show(self, person: str, /) -> None: ...


@runtime_checkable
class HasHands(Protocol):
    """A bench whose devices and server can be disturbed."""

    @property
    def can(self) -> frozenset[Any]: ...

    @property
    def server(self) -> Any: ...

    def do(self, hand: Any, seconds: float = 0.0) -> None: ...

    def tap_phone(self, name: str | None = None) -> None: ...

    def kill_engine(self) -> None: ...
