"""A simulated bench whose hands are written down: what its panel steers, for the recorder."""

from collections.abc import Callable
from typing import Any

from reception.testing.scenarios.recorder import Recorder
from reception.testing.testbench import Bench
from reception.testing.testbench.operators import Hand


class RecordedBench:
    """Does what its bench does, and tells the recorder; for the bench's panel, which may look at all of it."""

    def __init__(self, bench: Bench, recorder: Recorder) -> None:
        self._bench, self._recorder = bench, recorder
        self.server = _RecordedServer(bench, recorder)

    def __getattr__(self, name: str) -> Any:
        """Look at the bench."""
        return getattr(self._bench, name)

    @property
    def can(self) -> frozenset[Hand]:
        """Return what hands can do."""
        return self._bench.can

    def insert(self, name: str) -> None:
        """Put a person's card in."""
        _told(self._recorder.did("insert_card", name), lambda: self._bench.insert(name))

    def remove(self) -> None:
        """Pull the card."""
        _told(self._recorder.did("remove_card"), self._bench.remove)

    def show(self, name: str) -> None:
        """Let another person stand before the camera."""
        _told(self._recorder.did("show", clip=name), lambda: self._bench.show(name))

    def tap_phone(self, name: str | None = None) -> None:
        """Lay a person's phone on the phone reader."""
        _told(self._recorder.did("tap_phone", name or ""), lambda: self._bench.tap_phone(name))

    def lift_phone(self) -> None:
        """Take the phone away."""
        self.do("lift_phone")

    def kill_engine(self) -> None:
        """End the face engine's process as a crash does."""
        _told(self._recorder.did("kill_engine"), self._bench.kill_engine)

    def do(self, hand: Hand, seconds: float = 0.0) -> None:
        """Do something at a device."""
        more: dict[str, Any] = {"seconds": seconds} if hand == "stall_card" else {}
        _told(self._recorder.did(hand, "", **more), lambda: self._bench.do(hand, seconds))


class _RecordedServer:
    """The bench's server, as far as the panel disturbs it; it is its own ``faults``."""

    def __init__(self, bench: Bench, recorder: Recorder) -> None:
        self._bench, self._recorder = bench, recorder

    @property
    def faults(self) -> "_RecordedServer":
        return self

    def stop(self) -> None:
        _told(self._recorder.did("stop_server"), self._bench.server.stop)

    def start(self) -> None:
        _told(self._recorder.did("start_server"), self._bench.server.start)

    def next(self, kind: Any) -> None:
        _told(
            self._recorder.did("server_fault", kind=kind),
            lambda: self._bench.server.faults.next(kind),
        )

    def always(self, kind: Any) -> None:
        _told(
            self._recorder.did("server_fault", kind=kind, value="always"),
            lambda: self._bench.server.faults.always(kind),
        )

    def clear(self) -> None:
        _told(self._recorder.did("server_fault", kind="none"), self._bench.server.faults.clear)


def _told(take_back: Callable[[], None], act: Callable[[], None]) -> None:
    try:
        act()
    except BaseException:
        take_back()
        raise
