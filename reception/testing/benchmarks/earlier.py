"""The same benchmarks as another commit of this repository has them, in a worktree of its own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from config import ConfigError

_ROOT = Path(__file__).resolve().parents[3]
_AS_IS = "RECEPTION_SYSTEM_AS_IS"
"""Tells ``./run`` to leave the system's packages alone: those of now must do."""


@dataclass(frozen=True)
class Earlier:
    """A checked-out commit that has been set up; its ``./run`` brings its own environment."""

    name: str
    date: str
    run: Path


@contextmanager
def checked_out(commit: str) -> Iterator[Earlier]:
    """Check a commit out into a temporary folder, and set it up; both are gone afterwards. Raises ConfigError."""
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if found.returncode:
        raise ConfigError(f"--compare {commit}: is neither a JSON file nor a commit of this repository")
    with TemporaryDirectory(prefix="bench-") as folder:
        tree = Path(folder, "tree")
        added = _git("worktree", "add", "--detach", "--quiet", str(tree), found.stdout.strip())
        if added.returncode:
            raise ConfigError(f"--compare {commit}: cannot be checked out: {last_words(added)}")
        try:
            date = _git("show", "--no-patch", "--format=%cs", found.stdout.strip()).stdout.strip()
            earlier = Earlier(commit, date, tree / "run")
            told = played(earlier, Path(folder, "state"), ["bench", "--help"])
            if told.returncode:
                raise ConfigError(f"--compare {commit}: cannot be set up: {last_words(told)}")
            yield earlier
        finally:
            _git("worktree", "remove", "--force", str(tree))


def played(earlier: Earlier, state: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of that commit, on a state of its own: its files may have another form."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(earlier.run), "--state", str(state), *words],
        # Python's -m looks in the folder where it is begun first: that must not be ours.
        cwd=earlier.run.parent,
        env={**environment, _AS_IS: "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["git", "-C", str(_ROOT), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ConfigError("--compare with a commit needs git, which is not installed") from None


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line that a command said."""
    return ((done.stderr or done.stdout).strip().splitlines() or ["it says nothing"])[-1]
