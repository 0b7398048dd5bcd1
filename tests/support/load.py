"""Terminals that play whole visits without end, to whom something happens meanwhile."""

import itertools
import threading
from collections.abc import Sequence
from typing import Self

from consent.choices import ConsentAnswer, Item
from consent.eligibility import EligibilityClient, EligibilityError, TimedOut, Unreachable
from consent.server.store import Store
from tests.support.servers import whole

ANSWERS = (ConsentAnswer.GIVEN, ConsentAnswer.DECLINED)


class Load:
    """Plays visits, each terminal in a thread of its own, and knows what was acknowledged; a context manager."""

    def __init__(self, clients: Sequence[EligibilityClient], certificate: bytes) -> None:
        self._certificate = certificate
        self._acknowledged: dict[str, ConsentAnswer] = {}
        self._wrong: list[str] = []
        self._enough = threading.Semaphore(0)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._play, args=(client, number))
            for number, client in enumerate(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, visits: int) -> None:
        """Return once so many more visits are acknowledged."""
        while self._enough.acquire(blocking=False):
            pass
        assert all(self._enough.acquire(timeout=30) for _ in range(visits)), self._wrong

    def check(self, database: str) -> None:
        """Hold a database against what was acknowledged: each visit stands, as it was sent; nothing else was told."""
        assert self._wrong == []
        store = Store(database)
        try:
            for visit, answer in self._acknowledged.items():
                record = store.visit_record(visit)
                assert record is not None and record.answers[Item.MEDICATION] is answer, visit
            # A call and its line in the audit are kept together.
            noted = {
                entry.visit_id
                for entry in store.audit()
                if (entry.action, entry.outcome) == ("consents", "ok")
            }
            assert noted
            for visit in noted:
                record = store.visit_record(visit)
                assert record is not None and record.recorded_at is not None, visit
        finally:
            store.close()

    def _play(self, client: EligibilityClient, number: int) -> None:
        for count in itertools.count():
            if self._stop.is_set():
                return
            visit, answer = f"v-{number}-{count}", ANSWERS[count % 2]
            try:
                client.identify_by_face(visit, client.challenge(), self._certificate, 0.3)
                client.send_consents(visit, whole(MEDICATION=answer))
            except (Unreachable, TimedOut):  # Nothing is acknowledged; the visit may stand all the same.
                continue
            except EligibilityError as error:
                self._wrong.append(f"{visit}: {error!r}")
                return
            self._acknowledged[visit] = answer
            self._enough.release()
