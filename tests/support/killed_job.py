"""The clinic's nightly job in a process of its own, whose questions the test answers, or does not."""

import multiprocessing
from collections.abc import Sequence
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from consent.attributes import wire
from consent.attributes.ledger import Ledger
from consent.attributes.nightly import NightlyJob, Settings
from consent.attributes.rules import Attribute
from consent.attributes.worklist import Worklist

_PROCESSES = multiprocessing.get_context("forkserver")


class JobProcess:
    """One run of the job on the ledger and the folder of a Town."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.line, theirs = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_run, args=(theirs, folder, now))
        self._process.start()
        theirs.close()

    def next(self) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        """Return the next question; None: the process has ended."""
        try:
            question: tuple[str, tuple[Any, ...], dict[str, Any]] = self.line.recv()
        except (EOFError, ConnectionResetError):
            return None
        return question

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self.end()

    def end(self) -> int | None:
        """Wait for its end; return its exit code."""
        self._process.join(30)
        self.line.close()
        return self._process.exitcode


class _Asking:
    """The operator, at the other end of a pipe."""

    def __init__(self, line: Connection) -> None:
        self._line = line

    def _ask(self, name: str, *given: Any, **more: Any) -> Any:
        self._line.send((name, given, more))
        return self._line.recv()

    def consents(self, consent_ids: Sequence[str]) -> wire.ConsentsStanding:
        told: wire.ConsentsStanding = self._ask("consents", tuple(consent_ids))
        return told

    def withdraw(self, consent_id: str) -> bool:
        return bool(self._ask("withdraw", consent_id))

    def matches(self, method: wire.Method, *, link_serials: bool) -> wire.MatchesAnswer:
        told: wire.MatchesAnswer = self._ask("matches", method, link_serials=link_serials)
        return told

    def attributes(
        self, match_id: str, customer: str, items: tuple[Attribute, ...], *, link_serials: bool
    ) -> wire.AttributesAnswer:
        told: wire.AttributesAnswer = self._ask(
            "attributes", match_id, customer, items, link_serials=link_serials
        )
        return told


def _run(line: Connection, folder: Path, now: datetime) -> None:
    job = NightlyJob(
        Ledger(folder / "ledger.sqlite"), _Asking(line), Worklist(folder), Settings(), lambda: now
    )
    job.run()
