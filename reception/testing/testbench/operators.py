"""Who has hands on a bench's devices: a simulation, a person at the console, or a robot or relay run by commands."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, get_args

from config.person import Person
from reception.testing.testbench.console import Console
from reception.testing.testbench.trouble import BenchTrouble

Hand = Literal[
    "insert_card",
    "remove_card",
    "stall_card",
    "tap_phone",
    "lift_phone",
    "unplug_reader",
    "plug_reader",
    "fault_reader",
    "stop_reader_service",
    "start_reader_service",
    "hold_reader",
    "reset_card",
    "rename_reader",
    "unplug_camera",
    "plug_camera",
    "black_camera",
    "freeze_camera",
]
"""What hands do at the devices; where a scenario has a verb for it, the names are the same."""

HANDS: frozenset[str] = frozenset(get_args(Hand))

UNDONE_BY: Mapping[Hand, Hand] = {
    "insert_card": "remove_card",
    "tap_phone": "lift_phone",
    "unplug_reader": "plug_reader",
    "fault_reader": "plug_reader",
    "stop_reader_service": "start_reader_service",
    "unplug_camera": "plug_camera",
    "black_camera": "plug_camera",
    "freeze_camera": "plug_camera",
}
"""What brings a bench back to where it was."""


class Operator(Protocol):
    """The hands of a bench; one thread at a time."""

    @property
    def can(self) -> frozenset[Hand]:
        """Return what these hands can do."""

    def do(self, hand: Hand, person: Person | None = None, seconds: float = 0.0) -> None:
        """Do it and return when it is done; raises BenchTrouble. ``seconds``: of stall_card and hold_reader."""


class Simulated:
    """Hands that call functions, each with the person and the seconds."""

    def __init__(self, does: Mapping[Hand, Callable[[Person | None, float], None]]) -> None:
        self._does = does
        self.can = frozenset(does)

    def do(self, hand: Hand, person: Person | None = None, seconds: float = 0.0) -> None:
        self._does[hand](person, seconds)


PROMPTS: Mapping[Hand, str] = {
    "insert_card": "カードを入れてください / put the card in",
    "remove_card": "カードを抜いてください / take the card out",
    "tap_phone": "スマートフォンを置いてください / lay the phone on its reader",
    "lift_phone": "スマートフォンを取ってください / take the phone away",
    "unplug_reader": "カードリーダーのケーブルを抜いてください / unplug the card reader",
    "plug_reader": "カードリーダーをつないでください / plug the card reader in",
    "stop_reader_service": "pcscd を止めてください / stop the smart card service (pcscd.socket too)",
    "start_reader_service": "pcscd を起動してください / start the smart card service",
    "unplug_camera": "カメラのケーブルを抜いてください / unplug the camera",
    "plug_camera": "カメラをつなぎ、覆いを外してください / plug the camera in and uncover it",
    "black_camera": "カメラを覆ってください / cover the camera",
}
"""What a person is asked to do. No hand can stall a card, break a reader or freeze a camera."""


class Prompted:
    """A person who is asked on the console, and presses Enter when it is done."""

    can = frozenset(PROMPTS)

    def __init__(self, console: Console) -> None:
        self._console = console

    def do(self, hand: Hand, person: Person | None = None, seconds: float = 0.0) -> None:
        self._console.confirm(PROMPTS[hand])


class Commands:
    """A program per verb, for a robot or a relay; one that fails or takes too long stops the run.

    ``{person}`` and ``{seconds}`` in an argument are filled in; the programs run in ``folder``.
    """

    def __init__(self, commands: Mapping[Hand, Sequence[str]], folder: Path, limit_s: float) -> None:
        self._commands, self._folder, self._limit_s = commands, folder, limit_s
        self.can = frozenset(commands)

    def do(self, hand: Hand, person: Person | None = None, seconds: float = 0.0) -> None:
        words = {"{person}": person.id if person else "", "{seconds}": f"{seconds:g}"}
        command = [words.get(word, word) for word in self._commands[hand]]
        name = f"operator command {hand} ({command[0]})"
        # A file, not a pipe: what a program leaves running in the background may keep it open.
        with tempfile.TemporaryFile() as said:
            try:
                # A session of its own, so that all of it can be ended at the time limit.
                process = subprocess.Popen(
                    command,
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )
            except OSError as error:
                raise BenchTrouble(f"{name} cannot be run: {error.strerror or error}") from None
            try:
                status = process.wait(self._limit_s)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise BenchTrouble(f"{name} did not end within {self._limit_s:g} s") from None
                raise
            if status != 0:
                said.seek(0)
                last = said.read(4096).decode(errors="replace").strip().rpartition("\n")[2][:200]
                raise BenchTrouble(f"{name} failed with status {status}{last and f': {last}'}")


class Together:
    """Several operators; the first that can do a thing does it."""

    def __init__(self, *operators: Operator) -> None:
        self._operators = operators
        self.can: frozenset[Hand] = frozenset().union(*(each.can for each in operators))

    def do(self, hand: Hand, person: Person | None = None, seconds: float = 0.0) -> None:
        for operator in self._operators:
            if hand in operator.can:
                operator.do(hand, person, seconds)
                return
        raise BenchTrouble(f"nobody on this bench can do {hand}")
