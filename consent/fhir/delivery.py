"""Brings a Bundle to a folder, to a webhook, or to both; in a thread of its own, so that no visit waits for it.

A Bundle is in memory only; which visits are owed one is kept on the disk (consent/fhir/marks.py), so that a new start
makes it again. What is given up is told to staff.
"""

import hashlib
import hmac
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from config import Fhir
from config.toml_file import ConfigError
from consent.fhir.bundle import bundle_of
from consent.fhir.marks import PLACES, Marks
from consent.receipt_files.content import Confirmation
from consent.receipt_files.folder import write_whole

SIGNATURE_HEADER, TIME_HEADER, VISIT_HEADER = (
    "X-Reception-Signature",
    "X-Reception-Timestamp",
    "X-Reception-Visit",
)
TIMEOUT_S = (3.0, 10.0)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
GIVEN_UP_S = 24 * 3600.0
"""So long a webhook, or a folder, that does not take a Bundle is tried again."""
_AGAIN = (408, 425, 429)
"""Refusals that may pass; any other 4xx is for good."""

_log = logging.getLogger("reception.fhir")


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return ``sha256=`` and the HMAC over timestamp, a dot and body: the receiver makes the same and compares."""
    return "sha256=" + hmac.new(secret, timestamp.encode("ascii") + b"." + body, hashlib.sha256).hexdigest()


@dataclass(repr=False)
class _Parcel:
    visit_id: str
    body: bytes
    to: str
    """``folder`` or ``webhook``."""
    since: float
    not_before: float
    pause_s: float = FIRST_PAUSE_S


class Charts:
    """Takes a visit's confirmation at once, and delivers it when it can. Close it at the end."""

    def __init__(
        self,
        settings: Fhir,
        institution_code: str,
        clock: Callable[[], float] = time.time,
        seconds: Callable[[], float] = time.monotonic,
        marks: Marks | None = None,
    ) -> None:
        """Raise ConfigError for a secret that cannot be read."""
        self._marks = marks or Marks(None)
        self._owed = self._marks.owed()
        """Of the program before, until it is put again."""
        self._settings, self._institution_code = settings, institution_code
        self._clock, self._seconds = clock, seconds
        self._secret = _secret(settings)
        self._coming: queue.SimpleQueue[tuple[str, Confirmation, dict[str, float]] | None] = (
            queue.SimpleQueue()
        )
        self._failed: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._session = requests.Session()
        # Proxies and .netrc of the machine's user have no say in where patients' data goes.
        self._session.trust_env = False
        if settings.ca:
            self._session.verify = settings.ca
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="fhir", daemon=True)
        self._thread.start()

    def put(self, visit_id: str, confirmation: Confirmation) -> None:
        """Have a visit delivered; returns as soon as the disk knows of it.

        Of a visit that the program before left, only what was owed.
        """
        ages = {
            place: self._owed.pop((visit_id, place)) for place in PLACES if (visit_id, place) in self._owed
        }
        now = self._clock()
        since = {place: max(0.0, now - at) for place, at in ages.items()}
        if not since:
            set_ = {"folder": self._settings.folder, "webhook": self._settings.webhook}
            since = {place: 0.0 for place in PLACES if set_[place]}
        for place in since:
            self._marks.set(visit_id, place)
        self._coming.put((visit_id, confirmation, since))

    def left(self) -> tuple[str, ...]:
        """Return the visits that the program before owed a Bundle, and that were neither put nor given up since."""
        return tuple(dict.fromkeys(visit_id for visit_id, _ in self._owed))

    def give_up(self, visit_id: str) -> None:
        """Nothing is known of a visit any more that a Bundle could be made of."""
        for place in PLACES:
            self._owed.pop((visit_id, place), None)
            self._failed.put((visit_id, place))

    def failed(self) -> tuple[str, ...]:
        """Return, once each, the visits that were given up since the last call."""
        found = []
        while not self._failed.empty():
            found.append(self._failed.get())
        # Not before: a program that ends with this untold tries, or tells it, at the next start.
        for visit_id, place in found:
            self._marks.clear(visit_id, place)
        return tuple(dict.fromkeys(visit_id for visit_id, _ in found))

    def close(self) -> None:
        """End; what waits for its next try is given up, or left to the next start where that is kept."""
        self._closing.set()
        self._coming.put(None)
        self._thread.join()
        self._session.close()

    # --- The thread ---------------------------------------------------------------------------------------------

    def _work(self) -> None:
        waiting: list[_Parcel] = []
        while not self._closing.is_set():
            now = self._seconds()
            due = min((parcel.not_before for parcel in waiting), default=None)
            try:
                come = self._coming.get(timeout=None if due is None else max(0.0, due - now))
                waiting += self._packed(*come) if come else []
            except queue.Empty:
                pass
            waiting = [parcel for parcel in waiting if not self._settled(parcel)]
        for parcel in waiting if not self._marks.are_kept else ():
            self._failed.put((parcel.visit_id, parcel.to))

    def _packed(self, visit_id: str, confirmation: Confirmation, since: dict[str, float]) -> list[_Parcel]:
        try:
            body = bundle_of(confirmation, visit_id, self._institution_code)
        except Exception as error:
            # Whatever the library says of a resource quotes it: neither text nor traceback.
            _log.error("a Bundle could not be made: %s", type(error).__name__)
            for place in since:
                self._failed.put((visit_id, place))
            return []
        if body is None:
            for place in since:
                self._marks.clear(visit_id, place)
            return []
        now = self._seconds()
        return [_Parcel(visit_id, body, place, now - age, now) for place, age in since.items()]

    def _settled(self, parcel: _Parcel) -> bool:
        """Try a parcel that is due; False: it is to be tried again."""
        now = self._seconds()
        if self._closing.is_set() or now < parcel.not_before:
            return False
        set_ = self._settings.folder if parcel.to == "folder" else self._settings.webhook
        send = self._to_folder if parcel.to == "folder" else self._to_webhook
        done = send(parcel) if set_ else False
        if done is None and now - parcel.since < GIVEN_UP_S:
            parcel.not_before, parcel.pause_s = (
                now + parcel.pause_s,
                min(2 * parcel.pause_s, LONGEST_PAUSE_S),
            )
            return False
        if done:
            self._marks.clear(parcel.visit_id, parcel.to)
        else:
            self._failed.put((parcel.visit_id, parcel.to))
        return True

    def _to_folder(self, parcel: _Parcel) -> bool | None:
        place = Path(self._settings.folder)
        try:
            write_whole(place, f"Bundle-{parcel.visit_id}.json", parcel.body)
        except OSError as error:
            _log.info("FHIR folder: %s", error.strerror or type(error).__name__)
            return None
        return True

    def _to_webhook(self, parcel: _Parcel) -> bool | None:
        """Return whether it was taken; None: it may be taken later."""
        timestamp = str(int(self._clock()))
        headers = {
            "Content-Type": "application/fhir+json",
            VISIT_HEADER: parcel.visit_id,
            TIME_HEADER: timestamp,
            SIGNATURE_HEADER: signature(self._secret, timestamp, parcel.body),
        }
        try:
            answer = self._session.post(
                self._settings.webhook,
                data=parcel.body,
                headers=headers,
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            )
        except (OSError, requests.RequestException) as error:
            _log.info("FHIR webhook: %s", type(error).__name__)
            return None
        status = answer.status_code
        answer.close()
        if status >= 500 or status in _AGAIN:
            return None
        if not 200 <= status < 300:
            _log.info("FHIR webhook: refused with HTTP %d", status)
        return 200 <= status < 300


def _secret(settings: Fhir) -> bytes:
    if not settings.webhook:
        return b""
    try:
        found = Path(settings.secret_file).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"fhir.secret_file: {settings.secret_file}: {error.strerror}") from None
    if len(found) < 16:
        raise ConfigError(f"fhir.secret_file: {settings.secret_file}: should hold at least 16 characters")
    return found
