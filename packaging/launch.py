"""What `./run` does at each start: see whether something was changed since the last, set up if so, and hand over.

A terminal is waited for, so that nothing is imported here that takes long. Only the standard library is used, and the
syntax is kept old enough that an outdated Python reads the whole file and can say what it needs.
"""

from __future__ import annotations

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "set-up-finished")
UNCHANGED = os.path.join(VENV, "unchanged-since")
"""What the last start found in order: the level of `.venv`, and how all that matters to it looked."""

LEVELS = ("site", "bench", "dev")
"""What `.venv` can hold, each with all of the one before: a terminal, a simulated bench, the tools of the tests."""
AT_A_SITE = ("terminal", "counter", "doctor", "staff-password", "record", "certificates", "card-info")
"""Commands that a terminal at its site needs."""
FOR_DEVELOPERS = ("test", "bench", "fuzz")
WITH_ALL = ("--json", "--compare", "--markdown")
"""Options of `bench` when it measures everything."""

PINNED = (
    "requirements/tools-constraints.txt",
    "requirements/build-constraints.txt",
    "requirements/site.txt",
    "requirements/bench.txt",
    "requirements/constraints.txt",
    "requirements/overrides.txt",
    "pyproject.toml",
)
OF_THE_SYSTEM = ("/var/lib/dpkg/status", "/etc/ld.so.cache")
"""Change whenever a system package is installed or removed, and when a library is."""

OLDEST_PYTHON = (3, 11)
EXIT_SETUP = 3
EXIT_INTERRUPTED = 130


class SetupError(Exception):
    """The set-up cannot go on; the text says what to do."""


def say(text: str) -> None:
    """Set-up talk goes to stderr, so that a command's own output stays clean."""
    print(text, file=sys.stderr, flush=True)


def wanted_level(arguments: list[str]) -> str:
    """Which of LEVELS a command line needs; the commands of a site bring no test tools there."""
    words = iter(arguments)
    for word in words:
        if word == "--state":
            next(words, "")  # its value is no command
        elif not word.startswith("-"):
            break
    else:
        word = ""
    if word in FOR_DEVELOPERS:
        return "dev"
    at_a_bench = any(argument.split("=")[0] == "--bench" for argument in arguments)
    return "site" if word in AT_A_SITE and not at_a_bench else "bench"


def needs_more(arguments: list[str]) -> str:
    """Which command asks for more of the system than all do: "test", or "bench" of everything; empty: another."""
    if arguments[:1] == ["test"]:
        return "test"
    if arguments[:1] != ["bench"]:
        return ""
    before = ""
    for word in arguments[1:]:
        if before not in WITH_ALL and word.split("=")[0] not in WITH_ALL:
            return ""  # one part, which may do without
        before = word
    return "bench"


def look_of_all() -> str:
    """Return how everything looks by which a start knows whether something is to be done first."""
    ours = [os.path.join(ROOT, name) for name in (*PINNED, "packaging/set_up.py")]
    looks = [ROOT]
    for path in (*ours, *OF_THE_SYSTEM, STAMP, VENV_PYTHON):
        try:
            found = os.stat(path)
        except OSError:
            looks.append("-")
        else:
            looks.append("%d.%d.%d" % (found.st_ino, found.st_size, found.st_mtime_ns))
    return " ".join(looks)


def is_unchanged(level: str) -> bool:
    """Whether nothing was changed since a start found all in order for this level, or for a larger one."""
    try:
        with open(UNCHANGED, encoding="utf-8") as file:
            held, _, look = file.read().partition(" ")
    except (OSError, ValueError):
        return False
    return held in LEVELS[LEVELS.index(level) :] and look == look_of_all()


def keep_look(level: str) -> None:
    """Keep how all looks now that a start has found it in order; a later one may do without."""
    try:
        with open(UNCHANGED, "w", encoding="utf-8") as file:
            file.write(level + " " + look_of_all())
    except OSError:
        pass  # a folder that others look after


def in_parallel(arguments: list[str]) -> list[str]:
    """Return pytest's options for several processes: tests wait more than they compute, and come in conftest's order.

    Not for what the caller chose to run in one, nor for a real reader, of which there is one.
    """
    alone = ("-n", "--numprocesses", "--bench", "--pdb", "--collect-only", "--co", "-s")
    if any(argument.split("=")[0] in alone or argument.startswith("-n") for argument in arguments):
        return []
    return ["-n", str((os.cpu_count() or 1) + 3), "--dist", "loadscope", "--no-loadscope-reorder"]


def hand_over(arguments: list[str]) -> None:
    """Become the Python of `.venv`, so that signals and exit codes are those of the command; never returns."""
    # Not what the folder holds in which it is started, which may be another checkout.
    command = [VENV_PYTHON, "-P", "-m", "reception", *arguments]
    if arguments[:1] == ["terminal"]:
        # What a visit leaves in freed memory is overwritten at once: by the C library, which Python then uses, too.
        wiped = "glibc.malloc.perturb=255:glibc.malloc.tcache_count=0"
        os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, [wiped, os.environ.get("GLIBC_TUNABLES", "")]))
        os.environ["PYTHONMALLOC"] = "malloc"
    if arguments[:1] == ["test"]:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        # Like pytest's other caches, the tests' own bytecode stays in the checkout: each process needs all of it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.chdir(ROOT)
        command = [VENV_PYTHON, "-m", "pytest", *in_parallel(arguments[1:]), *arguments[1:]]
    os.execv(command[0], command)


def main() -> int:
    """Set up if that is needed, then hand over; every way to fail ends in one clear line."""
    arguments = sys.argv[1:]
    level, more = wanted_level(arguments), needs_more(arguments)
    try:
        if more or not is_unchanged(level):
            import set_up

            set_up.check_python()
            if set_up.set_up(more, level):
                keep_look(level)
        hand_over(arguments)
        return 0
    except SetupError as error:
        say(str(error))
        return EXIT_SETUP
    except OSError as error:
        say(f"The set-up could not use {error.filename or 'the system'}: {error.strerror}.")
        return EXIT_SETUP
    except KeyboardInterrupt:
        say("Stopped. The next start goes on from here.")
        return EXIT_INTERRUPTED
