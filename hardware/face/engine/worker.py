"""The worker process, which owns everything that finds and compares faces; started by FaceEngine."""

import mmap
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from hardware.face.engine.look import Look
from hardware.face.engine.wire import BLOCK, SHARED, ModelUnusable, PhotoUnusable


def _serve(connection: Connection, memory: mmap.mmap) -> None:
    """Answer commands until the terminal closes the connection or dies; the first one says which network."""
    try:
        network, file, library = connection.recv()
        look = Look(network, file, library, threads=min(2, len(os.sched_getaffinity(0))))
    except EOFError:
        return
    except ModelUnusable as error:
        connection.send(("unusable", str(error)))
        return
    connection.send(("ready", look.runs))
    # Nobody's face can be there yet.
    look.warm_up()
    while True:
        try:
            command, *given = connection.recv()
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = _told(_answer(look, memory, command, given), memory)
        except PhotoUnusable as error:
            answer = ("photo", str(error))
        except LookupError as error:
            answer = ("nothing", str(error))
        except (
            Exception
        ) as error:  # The terminal starts a fresh process; content of frames stays out of messages.
            answer = ("failed", type(error).__name__)
        connection.send(answer)


def _told(answer: Any, memory: mmap.mmap) -> tuple[str, Any]:
    if not isinstance(answer, np.ndarray):
        return "done", answer
    np.copyto(np.frombuffer(memory, np.float64, 128, BLOCK), answer)
    answer.fill(0)
    return "embedding", None


def _answer(look: Look, memory: mmap.mmap, command: str, given: list[Any]) -> Any:
    match command:
        case "observe":
            height, width = given
            view = np.frombuffer(memory, np.uint8, height * width * 3)
            return look.observe(view.reshape(height, width, 3))
        case "embed_last":
            return look.embed_last()
        case "embed_photo":
            return look.embed_photo(memory[: given[0]])
        case "forget":
            return look.forget()
    raise NotImplementedError(command)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection, block = Connection(int(sys.argv[1])), int(sys.argv[2])
    memory = mmap.mmap(block, SHARED)
    with suppress(BrokenPipeError, ConnectionResetError):  # the terminal is gone
        _serve(connection, memory)


if __name__ == "__main__":
    _main()
