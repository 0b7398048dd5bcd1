"""Queue numbers after the check-in: from 1 every day, each given once; the file holds a date and a count."""

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from config import Ticket

PRINT_WITHIN_S = 20.0


class QueueNumbers:
    """Gives numbers; a file that is lost or damaged begins anew. Without a path they live in memory."""

    def __init__(self, path: Path | None, now: Callable[[], datetime]) -> None:
        self._path, self._now = path, now
        self._day, self._last = "", 0
        self._lock = threading.Lock()

    def take(self) -> int:
        """Return the next number of today; it is on the disk before anybody sees it, if there is a disk to write to."""
        with self._lock:
            today = self._now().date().isoformat()
            if not self._day:
                self._day, self._last = self._kept()
            if self._day != today:
                self._day, self._last = today, 0
            self._last += 1
            with suppress(OSError):
                self._keep()
            return self._last

    def _kept(self) -> tuple[str, int]:
        if self._path is None:
            return "", 0
        try:
            told = json.loads(self._path.read_text(encoding="ascii")[:200])
            return str(told["day"]), max(0, int(told["last"]))
        except (OSError, ValueError, KeyError, TypeError):
            return "", 0

    def _keep(self) -> None:
        if self._path is None:
            return
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=self._path.parent)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump({"day": self._day, "last": self._last}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, self._path)


def ticket_text(label: str, wait_at: str, at: datetime) -> str:
    """Return what is printed: number, place and time, and nothing of the patient."""
    return "\n".join(filter(None, ("受付番号", label, wait_at, f"{at:%Y-%m-%d %H:%M}"))) + "\n"


def label_of(number: int, settings: Ticket) -> str:
    """Return a number as it is called out, as "A012"."""
    return f"{settings.prefix}{number:03}"


def print_ticket(command: Sequence[str], text: str) -> bool:
    """Print by the site's own program; False: it failed, and the number on the screen has to do."""
    try:
        done = subprocess.run(
            list(command),
            input=text.encode("utf-8"),
            timeout=PRINT_WITHIN_S,
            check=False,
            capture_output=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
