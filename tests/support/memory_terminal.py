"""A terminal in a process of its own, whose card is elsewhere, and which can look through its own memory."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import config
from config.toml_file import TomlFile
from consent.choices import ConsentAnswer
from consent.eligibility import EligibilityClient
from consent.enrolment.terminal_key import enrol_terminal
from consent.server.certificates import Authority
from hardware.camera import open_clip
from hardware.card import CardChannel, CardRemovedError, Presence
from hardware.face.engine import FaceEngine
from reception import flow
from reception.flow import Method, State
from reception.terminal.conductor import Terminal
from reception.terminal.snapshot import Snapshot
from reception.testing.testbench import card_authorities

MASK = 0x5A


class CardElsewhere:
    """A reader and its channel, over a pipe to the process that has the virtual card."""

    name = "elsewhere"
    atr = b""
    protocol = ""

    def __init__(self, line: "Connection[Any, Any]") -> None:
        self._line, self._turn = line, threading.Lock()
        self._news = threading.Condition()
        self._now = Presence.EMPTY

    def put(self, now: Presence) -> None:
        with self._news:
            self._now = now
            self._news.notify_all()

    def presence(self) -> Presence:
        return self._now

    def wait_for_change(self, known: Presence, timeout_s: float) -> Presence:
        with self._news:
            self._news.wait_for(lambda: self._now is not known, timeout_s)
            return self._now

    def connect(self) -> CardChannel:
        return self

    def still_in(self) -> bool:
        return self._now is not Presence.EMPTY

    def renew(self) -> None:
        """Nobody resets this card."""

    def transmit(self, apdu: bytes | bytearray) -> bytes:
        if self._now is Presence.EMPTY:
            raise CardRemovedError("gone")
        with self._turn:
            self._line.send_bytes(apdu)
            return self._line.recv_bytes()

    def scan(self) -> str:
        with self._turn:
            self._line.send_bytes(b"?")
            return self._line.recv_bytes().decode()

    def cancel(self) -> None:
        self.put(self._now)

    def close(self) -> None:
        """Nothing: the card is elsewhere."""


def regions(pid: int) -> Iterator[bytes]:
    """Yield the writable memory of a process that belongs to no file of the disk."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps.readlines():
            span, rights, _, device, *_ = line.split(None, 5)
            if "w" not in rights or (device != "00:00" and "face-frame" not in line):
                continue
            begin, end = (int(each, 16) for each in span.split("-"))
            for at in range(begin, end, 1 << 24):
                memory.seek(at)
                try:
                    yield memory.read(min(1 << 24, end - at))
                except OSError:
                    break


def found(pid: int, masked: dict[str, bytes]) -> dict[str, int]:
    """Count each secret; they come masked, so that the search leaves no other copy."""
    counts = dict.fromkeys(masked, 0)
    for block in regions(pid):
        for name, secret in masked.items():
            plain = bytearray(each ^ MASK for each in secret)
            counts[name] += block.count(plain)
            plain[:] = bytes(len(plain))
    return counts


def be_terminal(
    orders: "Connection[Any, Any]", line: "Connection[Any, Any]", state: str, url: str, clip: str
) -> None:
    """Do what the test says: lay a card in, type, answer, search."""
    table: dict[str, Any] = {"confirm_answers": False, "server": {"url": url}}
    table["delays"] = {"told_s": 0.1, "farewell_s": 0.1, "notice_s": 0.1}
    settings = config.load(None, (table, TomlFile(Path("memory"), "", table)))
    news = threading.Condition()
    seen: list[Snapshot] = []

    def see(snapshot: Snapshot) -> None:
        with news:
            seen[:] = [snapshot]
            news.notify_all()

    with ExitStack() as ends:
        engine = ends.enter_context(FaceEngine())
        engine.ready.wait(30)
        camera = open_clip(Path(clip))
        ends.callback(camera.close)
        reader = CardElsewhere(line)
        identity = enrol_terminal(Path(state), settings.site.terminal_id)
        client = EligibilityClient(
            settings.server, identity, settings.profile, settings.consents, settings.site
        )
        ends.callback(client.close)
        terminal = Terminal(settings, reader=reader, simulated=True)
        terminal.equip(
            camera=camera,
            engine=engine,
            server=client,
            scan=reader.scan,
            authorities=card_authorities(Authority(Path(state))),
        )
        terminal.subscribe(see)
        terminal.start()
        ends.callback(terminal.stop)

        def wait(*states: State) -> State:
            with news:
                assert news.wait_for(lambda: bool(seen) and seen[-1].state in states, 30), seen
                return State(seen[-1].state)

        while True:
            match orders.recv():
                case ("in", method):
                    wait(State.WAITING)
                    reader.put(Presence.PRESENT)
                    wait(State.METHOD_CHOICE)
                    terminal.submit(flow.Choose(Method(method)))
                    orders.send(wait(State.PIN_ENTRY, State.CONSENT))
                case ("digit", digit):
                    terminal.submit(flow.PinDigit(digit))
                case ("confirm",):
                    terminal.submit(flow.PinSubmit())
                    orders.send(wait(State.CONSENT))
                case ("answer",):
                    while True:
                        state_now = wait(State.CONSENT, State.LIMIT_CONSENT, State.TAKE_CARD)
                        if state_now is State.TAKE_CARD:
                            break
                        before = seen[-1].occasion
                        terminal.submit(flow.Answer(ConsentAnswer.GIVEN))
                        with news:
                            news.wait_for(lambda before=before: seen[-1].occasion != before, 30)  # type: ignore[misc]
                    reader.put(Presence.EMPTY)
                    orders.send(wait(State.WAITING))
                case ("search", masked):
                    assert engine.pid is not None
                    orders.send({"terminal": found(os.getpid(), masked), "engine": found(engine.pid, masked)})
                case ("end",):
                    return
