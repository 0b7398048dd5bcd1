"""How many of glibc's arenas the threads of a process come to share."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="arenas are glibc's")

_TWELVE_THREADS = """
import ctypes, threading
from reception.terminal.memory import bound_arenas

print(bound_arenas())
together = threading.Barrier(12)

def work():
    held = bytearray(100_000)
    together.wait()

threads = [threading.Thread(target=work) for _ in range(12)]
for each in threads:
    each.start()
for each in threads:
    each.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def bound_and_arenas(**environment: str) -> tuple[bool, int]:
    there = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    out = subprocess.run(
        [sys.executable, "-u", "-c", _TWELVE_THREADS],
        env=there | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return out.startswith("True"), out.count("<heap nr=")


def test_twelve_threads_at_once_share_two_arenas() -> None:
    assert bound_and_arenas() == (True, 2)


def test_a_number_of_arenas_chosen_in_the_environment_stands() -> None:
    assert bound_and_arenas(MALLOC_ARENA_MAX="5") == (False, 5)
