"""What goes on behind the visits: the receipt computer's files, and visits whose end only the server knows.

It has a connection to the server and threads of its own, so that no visit ever waits for it; and the receipt computer's
share, which may hang for as long as it likes, has one for itself.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from config import Delays
from consent.eligibility import EligibilityClient, EligibilityError
from consent.wire import ReferenceRequest
from reception.terminal.journal import CLOCKS_DIFFER, Entry, Journal, JournalError, Unsettled
from reception.terminal.notices import Notice, NoticeCode
from reception.terminal.snapshot import CounterView
from reception.terminal.subscribers import Subscribers
from reception.terminal.supervisor import StopSign, Supervisor

if TYPE_CHECKING:
    from consent.receipt_files.folder import ReceiptFolderService
    from reception.terminal.nightly import Nightly

_log = logging.getLogger("reception.terminal.back_office")

COMPARE_AGAIN = 5
"""So many times as long as a lost device is left alone a server that did not answer, before it is asked for records."""
VISITS_S = 2.0
"""How often the journal is looked at for visits whose end is not known."""
LOOK_S = 0.5
"""How often the receipt computer's requests are looked for; it asks rarely, and waits for its answer."""


@dataclass(frozen=True)
class Today:
    """Today's visits, oldest first, and when each came to which state."""

    entries: tuple[Entry, ...] = ()
    steps: Mapping[str, Sequence[tuple[datetime, str]]] = field(default_factory=dict)


class BackOffice:
    """Runs between start() and stop(); tells the counter by notices."""

    def __init__(
        self,
        journal: Journal,
        server: EligibilityClient,
        receipts: "ReceiptFolderService | None",
        delays: Delays,
        institution_code: str = "",
        nightly: "Nightly | None" = None,
    ) -> None:
        self._institution_code = institution_code
        self._journal, self._server, self._receipts, self._delays = journal, server, receipts, delays
        self._notices: tuple[Notice, ...] = ()
        self._subscribers = Subscribers()
        self._lock = threading.Lock()
        self._problem = ""
        self._unreadable = False
        self._compared = False
        """The journal was held against the server's records since it could last be written."""
        self._compare_at = 0.0
        """When the server is asked again for its records (monotonic, s), after it could not be."""
        self._first_seen: dict[str, float] = {}
        """Unsettled visits, and since when they are known here (monotonic, s), whatever is done to the clock."""
        self._supervisor = Supervisor(self._parts_down)
        longest_s = self._delays.device_retry_s
        self._visits_s, self._folder_s = min(VISITS_S, longest_s), min(LOOK_S, longest_s)
        self._supervisor.loop("back-office", self._work)
        if receipts is not None:
            self._supervisor.loop("receipt-folder", self._serve_folder)
        if nightly is not None:
            night = partial(nightly.work, told=self._night_told)
            self._supervisor.loop("attributes", night, nightly.silent_after_s)

    def subscribe(self, callback: Callable[[tuple[Notice, ...]], None]) -> Callable[[], None]:
        """Call back with all notices that staff have not dismissed, the current ones at once."""
        stop = self._subscribers.add(callback)
        callback(self._notices)
        return stop

    def dismiss(self, notice: Notice) -> None:
        """Staff have seen it."""
        self._change(lambda notices: tuple(one for one in notices if one != notice))

    def today(self) -> Today:
        """Return today's visits and their steps; raises JournalError."""
        midnight = self._journal.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return Today(tuple(self._journal.since(midnight)), self._journal.steps_since(midnight))

    def register_reference(self, view: CounterView, number: str) -> None:
        """Register the chart number of a visit's person; raises EligibilityError, ValueError: no chart number."""
        request = ReferenceRequest(
            institution_code=self._institution_code,
            insurer_number=view.insurer_number.strip(),
            symbol=view.symbol,
            number=view.number,
            branch=view.branch,
            birth_date=view.birth_date,
            reference_number=number,
        )
        self._server.register_reference(request)

    def start(self) -> None:
        """Start the threads."""
        self._supervisor.start()

    def stop(self) -> None:
        """End the threads; what is not done yet is done after the next start."""
        self._supervisor.stop()

    # --- The visits' thread -------------------------------------------------------------------------------------

    def _work(self, stopping: StopSign) -> None:
        while not stopping.wait(self._visits_s):
            try:
                self._journal.catch_up()
                self._settle(stopping)
                self._compare(stopping)
                self._unreadable = False
            except JournalError as error:
                if not self._unreadable:
                    _log.error("%s", error)
                    self._tell(NoticeCode.JOURNAL_UNUSABLE)
                self._unreadable = True

    def _settle(self, stopping: StopSign) -> None:
        """Ask what became of visits that were being sent when all broke off."""
        open_visits = self._journal.unsettled()
        now = time.monotonic()
        self._first_seen = {each.visit: self._first_seen.get(each.visit, now) for each in open_visits}
        for unsettled in open_visits:
            if stopping.is_set() or not self._settled(unsettled):
                return

    def _settled(self, unsettled: Unsettled) -> bool:
        """Ask about one; False: the server does not answer now."""
        if unsettled.visit == self._journal.current:
            # It is being sent just now, whatever the clock says meanwhile.
            return True
        age_s = max(
            (self._journal.now() - unsettled.since).total_seconds(),
            time.monotonic() - self._first_seen[unsettled.visit],
        )
        try:
            record = self._server.visit(unsettled.visit)
        except EligibilityError as error:
            _log.info("server: %s", error)
            return False
        recorded = record is not None and record.recorded_at is not None
        if not recorded and age_s < self._delays.settle_s:
            # It may still be on its way.
            return True
        if self._journal.settle(unsettled, recorded=recorded):
            _log.info("visit %s: %s", unsettled.visit, "was recorded" if recorded else "was not recorded")
            code = NoticeCode.VISIT_RECORDED_UNSEEN if recorded else NoticeCode.VISIT_NOT_RECORDED
            self._tell(code, unsettled)
        return True

    def _compare(self, stopping: StopSign) -> None:
        """Take up what the server has recorded of this terminal and the journal never heard of.

        So it is with a visit that was made while the journal could not be written, when the terminal then ended, too.
        """
        usable = self._journal.usable
        if (self._compared and usable) or stopping.is_set():
            # Anew once the journal can be written again.
            self._compared = self._compared and usable
            return
        if not usable or time.monotonic() < self._compare_at:
            return
        until = self._journal.compared_until()
        now = self._journal.now()
        since = min((until or now) - CLOCKS_DIFFER, now)
        try:
            for record in self._server.visits(since):
                if stopping.is_set():
                    return
                if record.recorded_at is not None and not self._journal.knows(record.visit_id):
                    self._journal.take_up(record.visit_id, record.identified_at)
                    _log.info("visit %s: was recorded, and not in the journal", record.visit_id)
                    unheard = Unsettled(record.visit_id, record.recorded_at)
                    self._tell(NoticeCode.VISIT_RECORDED_UNSEEN, unheard)
        except EligibilityError as error:
            _log.info("server: %s", error)
            self._compare_at = time.monotonic() + COMPARE_AGAIN * self._delays.device_retry_s
            return
        self._journal.compared(now)
        self._compared = True

    # --- The folder's thread --------------------------------------------------------------------------------------

    def _serve_folder(self, stopping: StopSign) -> None:
        while not stopping.wait(self._folder_s):
            with suppress(JournalError):
                # Told by the other thread; what waits in the folder's service is written all the same.
                self._write_receipts()

    def _write_receipts(self) -> None:
        assert self._receipts is not None
        for visit in self._journal.receipts_due():
            self._receipts.add(visit)
        report = self._receipts.look()
        for visit, replaced in report.written.items():
            self._done(visit)
            if replaced:
                self._tell(NoticeCode.RECEIPT_CHARACTERS_REPLACED, visit=visit, detail=", ".join(replaced))
        for code, visits in (
            (NoticeCode.RECEIPT_GIVEN_UP, report.unknown),
            (NoticeCode.RECEIPT_IMPOSSIBLE, report.failed),
        ):
            for visit in visits:
                self._done(visit)
                self._tell(code, visit=visit)
        for visit in report.undelivered:
            self._tell(NoticeCode.CHART_NOT_DELIVERED, visit=visit)
        for kind in report.unanswerable:
            self._tell(NoticeCode.REQUEST_UNKNOWN, detail=kind)
        for _ in range(report.taken):
            self._tell(NoticeCode.CHART_NUMBER_TAKEN)
        for _ in range(report.lost):
            self._tell(NoticeCode.BULK_REQUEST_LOST)
        if report.problem != self._problem:
            self._problem = report.problem
            self._change(lambda notices: tuple(one for one in notices if one.code is not _FOLDER))
            if report.problem:
                _log.info("receipt computer: %s", report.problem)
                self._tell(_FOLDER, detail=report.problem)

    def _done(self, visit: str) -> None:
        with suppress(JournalError):
            # It waits in memory, so that the file is not written again.
            self._journal.receipt_done(visit)

    def _parts_down(self, names: tuple[str, ...]) -> None:
        self._change(lambda notices: tuple(one for one in notices if one.code is not NoticeCode.PART_FAILED))
        if names:
            self._tell(NoticeCode.PART_FAILED, detail=", ".join(names))

    def _night_told(self, why: str) -> None:
        code = NoticeCode.NIGHTLY_JOB_FAILED
        failed = (Notice(code, self._journal.now(), detail=why),) if why else ()
        self._change(lambda notices: (*(one for one in notices if one.code is not code), *failed))

    def _tell(
        self, code: NoticeCode, unsettled: Unsettled | None = None, *, visit: str = "", detail: str = ""
    ) -> None:
        at = unsettled.since if unsettled else self._journal.now()
        notice = Notice(code, at, unsettled.visit if unsettled else visit, detail)
        self._change(lambda notices: (*notices, notice))

    def _change(self, change: Callable[[tuple[Notice, ...]], tuple[Notice, ...]]) -> None:
        with self._lock:
            self._notices = change(self._notices)
            self._subscribers.tell(self._notices)


_FOLDER = NoticeCode.RECEIPT_FOLDER_UNUSABLE
