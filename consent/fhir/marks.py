"""Which Bundles are still owed, on the disk: an empty file by visit and place, and nothing about anybody.

A Bundle itself names a patient, so it is never kept: after a start it is made again from the server's answer.
"""

import logging
import os
from pathlib import Path

PLACES = ("folder", "webhook")

_log = logging.getLogger("reception.fhir")


class Marks:
    """Files ``VISIT.PLACE`` in a folder for its owner alone; without one, nothing outlives the program.

    A mark that cannot be written is told in the log and holds up nobody.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @property
    def are_kept(self) -> bool:
        """Whether a mark outlives the program."""
        return self._folder is not None

    def owed(self) -> dict[tuple[str, str], float]:
        """Return what was owed when the last program ended, by visit and place, and since when (seconds since 1970)."""
        found: dict[tuple[str, str], float] = {}
        if self._folder is None:
            return found
        try:
            for path in sorted(self._folder.iterdir() if self._folder.is_dir() else ()):
                visit_id, _, place = path.name.rpartition(".")
                if visit_id and place in PLACES and path.is_file() and not path.is_symlink():
                    found[visit_id, place] = path.stat().st_mtime
        except OSError as error:
            self._told(error)
        return found

    def set(self, visit_id: str, place: str) -> None:
        """Note that a Bundle is owed; on the disk when this returns. A mark that is there keeps its time."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(self._folder / f"{visit_id}.{place}", flags, 0o600))
            except FileExistsError:
                return
            holder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(holder)
            finally:
                os.close(holder)
        except OSError as error:
            self._told(error)

    def clear(self, visit_id: str, place: str) -> None:
        """Note that nothing is owed any more; a mark that is not there is none."""
        if self._folder is None:
            return
        try:
            (self._folder / f"{visit_id}.{place}").unlink(missing_ok=True)
        except OSError as error:
            self._told(error)

    def _told(self, error: OSError) -> None:
        _log.error("%s: %s", self._folder, error.strerror or type(error).__name__)
