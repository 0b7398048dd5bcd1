"""A display for what has windows."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def display() -> Iterator[str]:
    """Give Qt a display: the one that is there, a virtual one where Xvfb is installed, else none ("offscreen")."""
    if os.environ.get("DISPLAY"):
        yield "xcb"
        return
    program = shutil.which("Xvfb")
    if program is None:
        yield "offscreen"
        return
    ours, theirs = os.pipe()
    command = [program, "-displayfd", str(theirs), "-screen", "0", "1720x1280x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[theirs], stderr=subprocess.DEVNULL)
    os.close(theirs)
    try:
        with open(ours, encoding="ascii") as told:
            os.environ["DISPLAY"] = f":{told.readline().strip()}"
        yield "xcb"
    finally:
        os.environ.pop("DISPLAY", None)
        server.terminate()
        server.wait()
