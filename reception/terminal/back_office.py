"""What goes on behind the visits: the receipt computer's files, and visits whose end only the server knows.

It has a connection to the server of its own and a thread of its own, so that no visit ever waits for it.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from config import Delays
from consent.eligibility import EligibilityClient, EligibilityError
from consent.wire import ReferenceRequest
from reception.terminal.journal import Entry, Journal, JournalError, Unsettled
from reception.terminal.notices import Notice, NoticeCode
from reception.terminal.snapshot import CounterView
from reception.terminal.subscribers import Subscribers

if TYPE_CHECKING:
    from consent.receipt_files.folder import ReceiptFolderService

_log = logging.getLogger("reception.terminal.back_office")

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
    ) -> None:
        self._institution_code = institution_code
        self._journal, self._server, self._receipts, self._delays = journal, server, receipts, delays
        self._notices: tuple[Notice, ...] = ()
        self._subscribers = Subscribers()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._problem = ""
        self._unreadable = False
        self._thread = threading.Thread(target=self._work, name="back-office")

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
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is not done yet is done after the next start."""
        self._stopping.set()
        self._thread.join()

    # --- The thread ---------------------------------------------------------------------------------------------

    def _work(self) -> None:
        rest_s = min(LOOK_S, self._delays.device_retry_s)
        while not self._stopping.wait(rest_s):
            try:
                self._settle()
                self._write_receipts()
                self._unreadable = False
            except JournalError as error:
                if not self._unreadable:
                    _log.error("%s", error)
                    self._tell(NoticeCode.JOURNAL_UNUSABLE)
                self._unreadable = True

    def _settle(self) -> None:
        """Ask what became of visits that were being sent when all broke off."""
        for unsettled in self._journal.unsettled():
            if self._stopping.is_set() or not self._settled(unsettled):
                return

    def _settled(self, unsettled: Unsettled) -> bool:
        """Ask about one; False: the server does not answer now."""
        if unsettled.visit == self._journal.current:
            # It is being sent just now, whatever the clock says meanwhile.
            return True
        age_s = (self._journal.now() - unsettled.since).total_seconds()
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

    def _write_receipts(self) -> None:
        if self._receipts is None:
            return
        for visit in self._journal.receipts_due():
            self._receipts.add(visit)
        report = self._receipts.look()
        for visit, replaced in report.written.items():
            self._journal.receipt_done(visit)
            if replaced:
                self._tell(NoticeCode.RECEIPT_CHARACTERS_REPLACED, visit=visit, detail=", ".join(replaced))
        for code, visits in (
            (NoticeCode.RECEIPT_GIVEN_UP, report.unknown),
            (NoticeCode.RECEIPT_IMPOSSIBLE, report.failed),
        ):
            for visit in visits:
                self._journal.receipt_done(visit)
                self._tell(code, visit=visit)
        for visit in report.undelivered:
            self._tell(NoticeCode.CHART_NOT_DELIVERED, visit=visit)
        for kind in report.unanswerable:
            self._tell(NoticeCode.REQUEST_UNKNOWN, detail=kind)
        for _ in range(report.taken):
            self._tell(NoticeCode.CHART_NUMBER_TAKEN)
        if report.problem != self._problem:
            self._problem = report.problem
            self._change(lambda notices: tuple(one for one in notices if one.code is not _FOLDER))
            if report.problem:
                _log.info("receipt computer: %s", report.problem)
                self._tell(_FOLDER, detail=report.problem)

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
