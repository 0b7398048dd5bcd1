"""How long a terminal of this process waits for its devices: the floor under the machine time of a visit."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from unittest.mock import patch

import hardware.face.policy
from consent.eligibility import transport
from hardware.camera import Frame, NewestFrames
from hardware.card import CardChannel, CardReader
from hardware.face.engine import FaceEngine

Kind = Literal["card", "connect", "http", "embedding", "look", "frame"]
"""An APDU's way to the card and back, powering a card, an HTTP request's way, an embedding, looking for the face in a
frame, waiting for a frame."""

T = TypeVar("T")


@dataclass(frozen=True)
class Lap:
    """One thing that was waited for."""

    kind: Kind
    began: float
    """time.monotonic(), s."""
    ended: float


class Stopwatch:
    """Notes every wait for a device, in any thread, while it is worn."""

    def __init__(self) -> None:
        self.laps: list[Lap] = []
        self._sending: dict[int, float] = {}

    def timed(self, kind: Kind, work: Callable[..., T]) -> Callable[..., T]:
        """Return the same function, with its time noted."""

        def run(*given: Any, **named: Any) -> T:
            began = time.monotonic()
            try:
                return work(*given, **named)
            finally:
                self.laps.append(Lap(kind, began, time.monotonic()))

        return run

    @contextmanager
    def worn_by(self, reader: type[CardReader]) -> Iterator[None]:
        """Have the devices of this process timed: readers of this class, the server, the face engine, the camera."""
        connect = self.timed("connect", reader.connect)

        def timed_channel(of: CardReader) -> CardChannel:
            return _TimedChannel(self, connect(of))

        with ExitStack() as worn:
            for target, name, by in (
                (reader, "connect", timed_channel),
                (FaceEngine, "observe", self.timed("look", FaceEngine.observe)),
                (FaceEngine, "embed_last", self.timed("embedding", FaceEngine.embed_last)),
                (FaceEngine, "embed_photo", self.timed("embedding", FaceEngine.embed_photo)),
                (hardware.face.policy, "NewestFrames", self._frames()),
                *self._requests(),
            ):
                worn.enter_context(patch.object(target, name, by))
            yield

    def _frames(self) -> type[NewestFrames]:
        timed = self.timed

        class Timed(NewestFrames):
            def _next(self, patience_s: float) -> Frame | None:
                return timed("frame", super()._next)(patience_s)

        return Timed

    def _requests(self) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
        """Time from the first byte sent to the answer's head, below requests; its body comes along."""
        for connection in (transport._Connection, transport._TlsConnection):
            send, receive = connection.request, connection.getresponse

            def sending(of: Any, *given: Any, send: Any = send, **named: Any) -> Any:
                self._sending[threading.get_ident()] = time.monotonic()
                return send(of, *given, **named)

            def receiving(of: Any, receive: Any = receive) -> Any:
                try:
                    return receive(of)
                finally:
                    began = self._sending.pop(threading.get_ident())
                    self.laps.append(Lap("http", began, time.monotonic()))

            yield connection, "request", sending
            yield connection, "getresponse", receiving


class _TimedChannel:
    def __init__(self, watch: Stopwatch, channel: CardChannel) -> None:
        self.atr, self.protocol = channel.atr, channel.protocol
        self.transmit = watch.timed("card", channel.transmit)
        self.still_in, self.renew, self.close = channel.still_in, channel.renew, channel.close
