"""The nightly look for changed names and addresses, where the settings give it to the terminal itself."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path

from config import Config, Server
from consent.attributes.client import OperatorClient
from consent.attributes.ledger import Ledger, LedgerError
from consent.attributes.nightly import BrokenOff, NightlyJob, Report, Settings
from consent.attributes.wire import Method
from consent.attributes.worklist import Worklist, WorklistError
from consent.eligibility import EligibilityError
from consent.signatures import Identity
from consent.wire import JAPAN
from reception.terminal.attributes import operator_settings
from reception.terminal.supervisor import StopSign

_log = logging.getLogger("reception.attributes")

PATIENCE_S = 900.0
"""A list of thousands of customers takes the operator its time; nobody waits at the screen."""
SILENT_AFTER_S = PATIENCE_S + 60
"""Between two questions the job gives a sign of life, so it is silent for one question at most."""
LOOK_S = 10.0
"""How often it is looked whether it is time."""
AGAIN_S = 600.0
"""How long after a failed run the next one begins."""


def run_job(
    config: Config,
    ledger: Path,
    settings: Server,
    identity: Identity,
    now: Callable[[], datetime],
    *,
    method: Method | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> tuple[Report, int]:
    """Run the job once; return its report and how many changes wait at the counter.

    ``method``: in place of the setting. Raises EligibilityError, LedgerError, WorklistError, BrokenOff.
    """
    chosen = config.attributes
    patient = replace(settings, read_timeout_s=PATIENCE_S, budget_s=PATIENCE_S)
    how = Settings(method or chosen.method, chosen.link_serials, chosen.yen_per_case)
    worklist = Worklist(Path(config.receipt.folder), config.receipt.encoding)
    operator = OperatorClient(operator_settings(config, patient), identity, config.site)
    try:
        kept = Ledger(ledger)
        try:
            report = NightlyJob(kept, operator, worklist, how, now, stopping).run()
        finally:
            kept.close()
        return report, len(worklist.cases())
    finally:
        operator.close()


def is_due(at: time, now: datetime, done: datetime | None) -> bool:
    """Say whether the run of the last ``at`` (Japan) is still to be made; ``done``: when one last came to its end."""
    here = now.astimezone(JAPAN)
    begin = datetime.combine(here.date(), at, JAPAN)
    if here < begin:
        begin -= timedelta(days=1)
    # A run that seems to be of a later night was noted by a clock that has been put back.
    return done is None or not begin <= done < begin + timedelta(days=1)


@dataclass(frozen=True)
class Nightly:
    """Runs the job once a night, or as soon as the terminal runs again; work() is a loop of a supervisor."""

    at: time
    now: Callable[[], datetime]
    done: Callable[[], datetime | None]
    """When the job last came to its end, whoever ran it; raises LedgerError."""
    run: Callable[[Callable[[], bool]], tuple[Report, int]]
    """Runs the job until what is given says that it is to end."""
    again_s: float = AGAIN_S
    silent_after_s: float = SILENT_AFTER_S

    def work(self, stopping: StopSign, told: Callable[[str], None]) -> None:
        """Go on until ``stopping``; ``told`` takes why a run failed, and nothing once one was made."""
        rest_s, done = 0.0, None
        while not stopping.wait(rest_s):
            rest_s = min(LOOK_S, self.again_s)
            try:
                if not is_due(self.at, self.now(), done):
                    continue
                # Only now, since opening the ledger writes to the disk; and somebody else may have run it.
                done = self.done()
                if not is_due(self.at, self.now(), done):
                    continue
                report, waiting = self.run(stopping.is_set)
                done = self.now()
            except BrokenOff:
                return
            except (EligibilityError, LedgerError, WorklistError) as error:
                if stopping.is_set():
                    return
                _log.error("nightly job: %s", error)
                told(str(error))
                rest_s = self.again_s
                continue
            told("")
            _log.info("nightly job: %s; %d changes wait", "; ".join(report.lines()), waiting)


def nightly_of(
    config: Config, ledger: Path, settings: Server, identity: Identity, now: Callable[[], datetime]
) -> Nightly | None:
    """Return the job as the settings want it; None where somebody else begins it, or nobody."""
    if not config.attributes.nightly:
        return None

    def done() -> datetime | None:
        kept = Ledger(ledger)
        try:
            return kept.ran_at()
        finally:
            kept.close()

    return Nightly(
        time.fromisoformat(config.attributes.nightly),
        now,
        done,
        lambda stopping: run_job(config, ledger, settings, identity, now, stopping=stopping),
    )
