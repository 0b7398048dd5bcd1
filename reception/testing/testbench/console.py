"""The console of a person who works at a bench: prompts, and secrets that are not shown."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from reception.testing.testbench.trouble import BenchTrouble

_LONGEST = 100


class Console(Protocol):
    """Somebody who can be asked; both ways raise BenchTrouble when nobody is there."""

    def confirm(self, words: str) -> None:
        """Ask for something to be done and wait for Enter."""

    def secret(self, words: str) -> bytearray:
        """Ask for a line that is not shown; the caller wipes it."""


class TerminalConsole:
    """The terminal that the program was started from, even where its input and output go elsewhere."""

    def confirm(self, words: str) -> None:
        with _terminal() as terminal:
            os.write(terminal, f"{words} [Enter] ".encode())
            wipe(_line(terminal))

    def secret(self, words: str) -> bytearray:
        with _terminal() as terminal:
            import termios

            before = termios.tcgetattr(terminal)
            hidden = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
            # Flush: what was typed ahead was meant for another question.
            termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
            try:
                os.write(terminal, f"{words}: ".encode())
                return _line(terminal)
            finally:
                termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
                os.write(terminal, b"\n")


def wipe(secret: bytearray) -> None:
    """Overwrite a secret."""
    secret[:] = bytes(len(secret))


@contextmanager
def _terminal() -> Iterator[int]:
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise BenchTrouble("this bench asks a person, and was started without a terminal to ask at") from None
    try:
        yield terminal
    finally:
        os.close(terminal)


def _line(terminal: int) -> bytearray:
    """Read up to Enter into one buffer, so that no other copy is made; what is too long is cut."""
    line, byte, size = bytearray(_LONGEST), bytearray(1), 0
    while os.readv(terminal, [byte]):
        if byte[0] in b"\r\n":
            del line[size:]
            return line
        if size < _LONGEST:
            line[size] = byte[0]
            size += 1
    wipe(line)
    raise BenchTrouble("the terminal was closed while a person was asked")
