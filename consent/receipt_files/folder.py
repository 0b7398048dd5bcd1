"""The folder shared with the receipt computer: a file per completed visit goes out, requests are answered."""

import errno
import hashlib
import heapq
import itertools
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from consent.eligibility import (
    BadAnswer,
    EligibilityError,
    Refused,
    TimedOut,
    Unreachable,
    Untellable,
)
from consent.receipt_files.bulk import BulkDesk, Desk
from consent.receipt_files.content import Confirmation, Query, Registration
from consent.receipt_files.files import Document, QueryRequest, Refusal, RegistrationRequest, Writer
from consent.receipt_files.records import records_file
from consent.receipt_files.requests import (
    KINDS,
    AnyRequest,
    BulkRequest,
    FetchRequest,
    ListingRequest,
    RecordsRequest,
    answer_name,
    kind_named,
)
from consent.receipt_files.xml import MAX_BYTES, WHOLE_FILE, Encoding, Fault, MalformedFile
from consent.wire import JAPAN, RecordsAnswer, japan_now

FACE, REQUESTS, ANSWERS, REFUSED = "face", "req", "res", "refused"
"""Folders below the shared one; we make only the last, for requests that were not understood."""

SETTLED_S = 0.3
"""A file that looks the same so long is taken to be written to its end (facts: proven in the field)."""
PATIENCE_S = 3.0
"""So long a file that breaks off, or may not be read, is taken to be still being written."""
RETRY_S = 5.0
"""How long an unusable folder, or a server that does not answer, is left alone."""
LONGEST_RETRY_S = 300.0
"""How long an answered request that cannot be removed is left alone at most."""
UNFINISHED = ".reception-"
"""How the names of our unfinished files begin."""
UNFINISHED_KEPT_S = 60.0
"""An unfinished file older than this was left by a crash; were it another terminal's, that one would write it again."""

MAX_REQUESTS = 200
"""Requests read in one look."""
MAX_QUESTIONS = 10
"""Questions to the server in one look: each may take the whole time budget of the client."""
MAX_REFUSED = 200
"""Refused requests that are kept; older ones go."""

Ask = Callable[[str], Confirmation | None]
"""Visit id -> what the server has of it; None when it knows no such completed visit. Raises EligibilityError."""
Lookup = Callable[[Query, date], Confirmation | Refusal]
"""Whose insurance, on which day. Raises EligibilityError."""
Register = Callable[[Registration], Refusal | None]
"""Chart number of an insured person; None: taken, and taken again when asked again. Raises EligibilityError."""


class Answers(Desk, Protocol):
    """What answers bulk requests, and those for drugs and checkups; calls raise EligibilityError."""

    def records(self, request: RecordsRequest) -> RecordsAnswer | Refusal: ...


class Charts(Protocol):
    """Where a visit goes besides, as FHIR; never waited for."""

    def put(self, visit_id: str, confirmation: Confirmation) -> None: ...
    def left(self) -> tuple[str, ...]:
        """Return the visits that the program before did not deliver, and that were neither put nor given up since."""
        ...

    def give_up(self, visit_id: str) -> None:
        """Nothing is known of a visit any more."""
        ...

    def failed(self) -> tuple[str, ...]:
        """Return, once each, the visits that could not be delivered."""
        ...

    def close(self) -> None: ...


BULK_S = 0.2
"""How long one look works on bulk requests: with the pause between two looks, less than a third of the time."""

_VISIT_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_UNFINISHED = re.compile(r"\.reception-[0-9a-f]{32}\.tmp")
_REQUEST = re.compile(r"(?!\.).{1,180}\.xml", re.IGNORECASE | re.DOTALL)


class Trouble(StrEnum):
    """Why the folder cannot be used."""

    MISSING = "there is no such folder"
    READ_ONLY = "it cannot be written to"
    FULL = "the disk is full"
    UNUSABLE = "it cannot be used"
    STUCK = "answered requests cannot be removed"


_COUNTER_WORDS = {
    Trouble.MISSING: "見つかりません。レセコンとの共有フォルダの接続と設定を確認してください。",
    Trouble.READ_ONLY: "書き込めません。フォルダのアクセス権を確認してください。",
    Trouble.FULL: "空き容量がありません。不要なファイルを整理してください。",
    Trouble.UNUSABLE: "使えません。レセコンとの共有フォルダを確認してください。",
    Trouble.STUCK: "回答済みの要求を削除できません。ファイルのアクセス権を確認し、手で削除してください。",
}


class ReceiptFolderError(Exception):
    """The shared folder cannot be used; ``str()`` names the folder and the reason in one line."""

    def __init__(self, trouble: Trouble, where: Path, detail: str = "") -> None:
        super().__init__(f"{where}: {trouble}" + (f" ({detail})" if detail else ""))
        self.trouble = trouble
        self.where = where

    @property
    def for_counter(self) -> str:
        """The same with what to do, in the words of the counter."""
        return f"{self.where} が{_COUNTER_WORDS[self.trouble]}"


@dataclass
class FolderReport:
    """What one look did; nothing personal in it."""

    written: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Visit id -> elements in which ● stands for a character (staff complete them by hand)."""
    unknown: tuple[str, ...] = ()
    """Visits that the server does not have as completed; they are given up."""
    failed: tuple[str, ...] = ()
    """Visits of which no file can ever be written; they are given up."""
    unanswerable: tuple[str, ...] = ()
    """Kinds of requests that nobody here can answer; "?" for a name that says no kind."""
    taken: int = 0
    """Chart numbers that were refused because another person has them."""
    lost: int = 0
    """Bulk requests that were asked for, and went with the program before."""
    undelivered: tuple[str, ...] = ()
    """Visits whose FHIR Bundle was given up."""
    waiting: int = 0
    """Visits whose file is still to be written."""
    answered: int = 0
    refused: int = 0
    problem: str = ""
    """One line for the counter, in Japanese: the folder, or the server, cannot be used."""


@dataclass
class _Seen:
    """A request as it looked before; times in seconds of the monotonic clock."""

    signature: tuple[object, ...]
    since: float
    not_before: float = 0.0
    done: bool = False
    """It was answered, and could not be taken away."""
    rest_s: float = 0.0
    """How long it was left alone the last time that this failed."""


class ReceiptFolder:
    """Files in the shared folder: written under another name, forced to disk, renamed. Raises ReceiptFolderError."""

    def __init__(
        self,
        path: Path,
        institution_code: str,
        encoding: Encoding = "utf-8",
        sync: Callable[[int], None] | None = None,
        prescription_in: Literal["body", "result"] = "body",
    ) -> None:
        """``sync``: how a file, by its descriptor, is forced to disk; raises OSError. Without it: os.fsync."""
        self.path = path
        self._sync = sync
        self._tidied_at = float("-inf")
        self.writer = Writer(institution_code, encoding, prescription_in)

    def check(self) -> None:
        """Say by an error whether a file could not be written now."""
        # Not made here: below a share that is not mounted, patients' data would land on this computer's disk.
        due = time.monotonic() - self._tidied_at > UNFINISHED_KEPT_S
        for name in ("", FACE, REQUESTS, ANSWERS):
            with self._inside(name) as place:
                if not os.access(".", os.W_OK | os.X_OK, dir_fd=place):
                    raise ReceiptFolderError(Trouble.READ_ONLY, self.path / name)
                if due and name in (FACE, ANSWERS):
                    _remove_unfinished(place)
        if due:
            self._tidied_at = time.monotonic()

    def write_face(self, visit_id: str, confirmation: Confirmation) -> tuple[str, ...]:
        """Write the file of a completed visit and return the elements that show ●.

        The same visit always has the same file name, so that a file written twice is told once.
        """
        if not _VISIT_ID.fullmatch(visit_id):
            raise ValueError("a visit id that is no file name")
        stamp = confirmation.confirmed_at.astimezone(JAPAN).strftime("%Y%m%d%H%M%S")
        document = self.writer.face_file(confirmation, visit_id)
        self.write(FACE, f"OQSsiquc01res_face_{visit_id}_{stamp}.xml", document)
        return document.flagged

    @contextmanager
    def _inside(self, name: str) -> Iterator[int]:
        """Open a folder of the share, which must be one and no link; OSError in it becomes ReceiptFolderError."""
        where = self.path / name
        no_link = os.O_NOFOLLOW if name else 0
        try:
            place = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | no_link)
            try:
                yield place
            finally:
                os.close(place)
        except OSError as error:
            raise _trouble(error, where) from None

    def write(self, folder: str, name: str, document: Document) -> None:
        """Write one whole file, or none."""
        with self._inside(folder) as place:
            _write_whole(place, name, document.content, self._sync)

    def requests(self, but: Container[str] = ()) -> list[str]:
        """Return the names of waiting requests, at most MAX_REQUESTS beside those in ``but``, in order."""
        with self._inside(REQUESTS) as place, os.scandir(place) as entries:
            names = (entry.name for entry in entries if _REQUEST.fullmatch(entry.name))
            return heapq.nsmallest(MAX_REQUESTS, (name for name in names if name not in but))

    def read(self, name: str) -> tuple[tuple[object, ...], bytes | None]:
        """Return a request's signature, which changes with it, and its content up to a byte more than allowed.

        The content is None for a link, a pipe, a folder, or what may not be read. Raises FileNotFoundError.
        """
        with self._inside(REQUESTS) as place:
            try:
                # Not blocking: nobody may ever write into a pipe of that name.
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
            except FileNotFoundError:
                # Not for _inside(), which would take it for the folder.
                descriptor = -1
            except OSError:
                return (), None
        if descriptor < 0:
            raise FileNotFoundError(name)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                return (about.st_ino,), None
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(_most_bytes(name) + 1)
        except OSError:
            return (), None
        finally:
            os.close(descriptor)
        digest = hashlib.sha256(content).digest()
        return (about.st_ino, about.st_size, about.st_mtime_ns, digest), content

    def take_away(self, name: str, signature: tuple[object, ...], *, keep: bool) -> None:
        """Remove an answered request, or set it aside; one that has changed meanwhile is a new one and stays."""
        with suppress(FileNotFoundError):
            if self.read(name)[0] != signature:
                return
            with self._inside(REQUESTS) as requests, suppress(FileNotFoundError):
                if not keep:
                    os.unlink(name, dir_fd=requests)
                    return
                with suppress(FileExistsError):
                    (self.path / REFUSED).mkdir()
                with self._inside(REFUSED) as aside:
                    _make_room(aside)
                    os.replace(name, _free(aside, name), src_dir_fd=requests, dst_dir_fd=aside)


class ReceiptFolderService:
    """What a thread of the terminal calls: add() for each completed visit, look() every half second.

    Only visit ids are kept, in memory: what a file holds is asked of the server when the file can be written.
    """

    def __init__(
        self,
        folder: ReceiptFolder,
        ask: Ask,
        lookup: Lookup | None = None,
        register: Register | None = None,
        further: Answers | None = None,
        *,
        charts: Charts | None = None,
        clock: Callable[[], datetime] = japan_now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._ask = ask
        self._lookup = lookup
        self._register = register
        self._further = further
        self._charts = charts
        self._bulk = BulkDesk(folder.writer, further, clock, seconds) if further else None
        self._bulk_rests_until = float("-inf")
        self._clock = clock
        self._seconds = seconds
        self._lock = threading.Lock()
        # Visit id -> not before this second.
        self._waiting: dict[str, float] = {}
        self._seen: dict[str, _Seen] = {}
        self._folder_rests_until = self._server_rests_until = float("-inf")
        self._problem = ""

    def add(self, visit_id: str) -> None:
        """Have the file of a completed visit written; from any thread, and harmless when repeated."""
        with self._lock:
            self._waiting.setdefault(visit_id, float("-inf"))

    def close(self) -> None:
        """End what goes on beside it; may be called once no thread looks any more."""
        if self._charts:
            self._charts.close()

    def look(self) -> FolderReport:
        """Write what waits and answer what is asked; never raises for the folder or the server.

        Waits for the server as long as the client does, and for a network share as long as the system does: so
        call it in a thread of its own.
        """
        report = FolderReport()
        if self._seconds() >= self._folder_rests_until:
            self._problem = ""
            try:
                self._folder.check()
                self._write_waiting(report)
                self._answer_requests(report)
                self._work_on_bulk()
            except ReceiptFolderError as error:
                self._problem = error.for_counter
                self._folder_rests_until = self._seconds() + RETRY_S
        with self._lock:
            report.waiting = len(self._waiting)
        if self._charts:
            self._put_again(self._charts)
            report.undelivered = self._charts.failed()
        report.problem = self._problem
        return report

    def _write_waiting(self, report: FolderReport) -> None:
        now = self._seconds()
        if now < self._server_rests_until:
            self._problem = SERVER_SILENT
            return
        with self._lock:
            due = [visit_id for visit_id, not_before in self._waiting.items() if not_before <= now]
        for visit_id in due:
            try:
                confirmation = self._ask(visit_id)
            except (Unreachable, TimedOut):
                self._problem = SERVER_SILENT
                self._server_rests_until = self._seconds() + RETRY_S
                return
            except Untellable:
                # The next answer would be the same: it is told once, and not asked for again.
                report.failed += (visit_id,)
                with self._lock:
                    self._waiting.pop(visit_id, None)
                continue
            except EligibilityError:
                # This visit's answer is bad; the next one's may not be.
                self._problem = SERVER_SILENT
                with self._lock:
                    self._waiting[visit_id] = self._seconds() + RETRY_S
                continue
            try:
                if confirmation is None:
                    report.unknown += (visit_id,)
                else:
                    report.written[visit_id] = self._folder.write_face(visit_id, confirmation)
                    if self._charts:
                        self._charts.put(visit_id, confirmation)
            except ReceiptFolderError as error:
                if error.trouble is not Trouble.UNUSABLE:
                    raise
                # Something of that very name is in the way; it holds up no other visit.
                self._problem = error.for_counter
                with self._lock:
                    self._waiting[visit_id] = self._seconds() + RETRY_S
                continue
            with self._lock:
                self._waiting.pop(visit_id, None)

    def _put_again(self, charts: Charts) -> None:
        """Have made again what the program before did not deliver: one visit in one look."""
        left = [visit_id for visit_id in charts.left() if visit_id not in self._waiting]
        if not left or self._seconds() < self._server_rests_until:
            return
        visit_id = left[0]
        try:
            confirmation = self._ask(visit_id)
        except Untellable:
            confirmation = None
        except EligibilityError:
            self._server_rests_until = self._seconds() + RETRY_S
            return
        if confirmation is None:
            charts.give_up(visit_id)
        else:
            charts.put(visit_id, confirmation)

    def _work_on_bulk(self) -> None:
        if self._bulk is None or self._seconds() < self._bulk_rests_until:
            return
        if not self._bulk.work(BULK_S):
            self._problem = SERVER_SILENT
            self._bulk_rests_until = self._seconds() + RETRY_S

    def _answer_requests(self, report: FolderReport) -> None:
        if self._lookup is None and self._register is None:
            return
        now = self._seconds()
        stuck = {name: seen for name, seen in self._seen.items() if seen.done and now < seen.not_before}
        if stuck:
            self._problem = ReceiptFolderError(Trouble.STUCK, self._folder.path / REQUESTS).for_counter
        names = self._folder.requests(but=stuck)
        self._seen = {name: seen for name, seen in self._seen.items() if name in names or name in stuck}
        questions = 0
        for name in names:
            try:
                signature, content = self._folder.read(name)
            except FileNotFoundError:
                self._seen.pop(name, None)
                continue
            request = self._ready(name, signature, content)
            if request is None:
                continue
            if not isinstance(request, MalformedFile):
                questions += 1
                if questions > MAX_QUESTIONS:
                    return
            self._answer(name, request, report)

    def _ready(self, name: str, signature: tuple[object, ...], content: bytes | None) -> "_Read | None":
        """Return what a request says once it is written to its end, and its answer is due."""
        now = self._seconds()
        seen = self._seen.get(name)
        if seen is None or seen.signature != signature:
            self._seen[name] = _Seen(signature, now)
            return None
        still = now - seen.since
        if still < SETTLED_S or now < seen.not_before:
            return None
        kind = KINDS.get(kind_named(name))
        try:
            if kind is None:
                raise MalformedFile(Fault.REQUEST, WHOLE_FILE)
            if content is None:
                raise MalformedFile(Fault.NO_FILE, WHOLE_FILE)
            return kind.read(content, self._folder.writer.institution_code, _let_others_run)
        except MalformedFile as error:
            return None if error.fault in _MAYBE_UNFINISHED and still < PATIENCE_S else error

    def _answer(self, name: str, request: "_Read", report: FolderReport) -> None:
        seen = self._seen[name]
        refused = isinstance(request, MalformedFile)
        try:
            if not seen.done:
                self._folder.write(ANSWERS, answer_name(name), self._document(name, request, report))
                seen.done = True
                report.refused += refused
                report.answered += not refused
                if isinstance(request, MalformedFile) and request.fault is Fault.REQUEST:
                    report.unanswerable += (kind_named(name) or "?",)
            self._folder.take_away(name, seen.signature, keep=refused)
        except ReceiptFolderError as error:
            seen.rest_s = min(2 * seen.rest_s or RETRY_S, LONGEST_RETRY_S) if seen.done else RETRY_S
            seen.not_before = self._seconds() + seen.rest_s
            if error.trouble is not Trouble.UNUSABLE and not seen.done:
                raise
            # Something of that very name is in the way, or this one cannot be removed; it holds up no other answer.
            self._problem = error.for_counter

    def _document(self, name: str, request: "_Read", report: FolderReport) -> Document:
        writer, now = self._folder.writer, self._clock()
        if isinstance(request, MalformedFile):
            return writer.error_file(request, now)
        try:
            match request:
                case QueryRequest():
                    return self._looked_up(request, now)
                case RegistrationRequest():
                    return self._registered(request, now, report)
                case RecordsRequest():
                    told = self._further.records(request) if self._further else _NOT_OFFERED
                    return records_file(told, request, now, writer.encoding)
                case _:
                    return self._in_bulk(kind_named(name)[:-2], request, now, report)
        except EligibilityError as error:
            if isinstance(request, RecordsRequest):
                return records_file(_refusal(error), request, now, writer.encoding)
            return writer.refused_file(_refusal(error), request.header.file_id, now)

    def _looked_up(self, request: QueryRequest, now: datetime) -> Document:
        writer, file_id = self._folder.writer, request.header.file_id
        if self._lookup is None:
            return writer.refused_file(_NOT_OFFERED, file_id, now)
        day = request.header.confirmed_on or now.astimezone(JAPAN).date()
        answer = self._lookup(request.body.query, day)
        if isinstance(answer, Refusal):
            return writer.refused_file(answer, file_id, now)
        return writer.result_file(answer, request)

    def _registered(self, request: RegistrationRequest, now: datetime, report: FolderReport) -> Document:
        writer = self._folder.writer
        refusal = _NOT_OFFERED if self._register is None else self._register(request.body.registration)
        if refusal:
            report.taken += refusal.code == NUMBER_TAKEN
            return writer.refused_file(refusal, request.header.file_id, now)
        return writer.registered_file(request, now)

    def _in_bulk(
        self,
        kind: str,
        request: BulkRequest | ListingRequest | FetchRequest,
        now: datetime,
        report: FolderReport,
    ) -> Document:
        writer, file_id = self._folder.writer, request.header.file_id
        if self._bulk is None:
            return writer.refused_file(_NOT_OFFERED, file_id, now)
        if not isinstance(request, FetchRequest):
            return self._bulk.take(kind, request, now)
        job = self._bulk.job(kind, request.body.number)
        if job is None and self._bulk.is_lost(request.body.number):
            report.lost += 1
            return writer.lost_file(_NUMBER_LOST, file_id, now)
        if job is None:
            return writer.refused_file(_NUMBER_UNKNOWN, file_id, now)
        return self._bulk.fetch(job, file_id, now) if job.done else writer.running_file(file_id, now)


def write_whole(folder: Path, name: str, content: bytes) -> None:
    """Write one whole file into a folder, or none; raises OSError."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _write_whole(place, name, content, None)
    finally:
        os.close(place)


def _write_whole(place: int, name: str, content: bytes, sync: Callable[[int], None] | None) -> None:
    """Write one whole file into an open folder, or none; raises OSError."""
    # Readers look for the final name. Nobody can know the unfinished one before it is ours, or prepare it.
    unfinished = f"{UNFINISHED}{secrets.token_hex(16)}.tmp"
    file = os.fdopen(os.open(unfinished, _NEW, 0o666, dir_fd=place), "wb")
    try:
        with file:
            file.write(content)
            file.flush()
            (sync or os.fsync)(file.fileno())
        os.replace(unfinished, name, src_dir_fd=place, dst_dir_fd=place)
    except OSError:
        with suppress(OSError):
            os.unlink(unfinished, dir_fd=place)
        raise
    with suppress(OSError):  # a network share may not know how to force a list of names to disk
        os.fsync(place)


def _let_others_run() -> None:
    """Give the visit's threads their turn while a large file is read."""
    time.sleep(0.002)


_Read = AnyRequest | MalformedFile
_MAYBE_UNFINISHED = (Fault.NO_FILE, Fault.NOT_XML, Fault.NOT_TEXT)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
SERVER_SILENT = "資格確認サーバーに確認できませんでした。自動でやり直します。"
NUMBER_TAKEN = "REFERENCE_NUMBER_TAKEN"
_NUMBER_UNKNOWN = Refusal(
    "RECEPTION_NUMBER_UNKNOWN", "この受付番号の要求はありません。もう一度要求してください。"
)
_NUMBER_LOST = Refusal(
    "RECEPTION_NUMBER_LOST",
    "端末が再起動したため、この受付番号の要求は失われました。もう一度要求してください。",
)
_NOT_OFFERED = Refusal("NOT_OFFERED", "この要求には対応していません。")


def _refusal(error: EligibilityError) -> Refusal:
    match error:
        case Refused(code=code):
            return Refusal(code, "資格確認サーバーが要求を受け付けませんでした。")
        case BadAnswer():
            return Refusal("SERVER_BAD_ANSWER", "資格確認サーバーの回答が正しくありません。")
        case _:
            return Refusal("SERVER_UNREACHABLE", "資格確認サーバーに確認できませんでした。")


def _most_bytes(name: str) -> int:
    kind = KINDS.get(kind_named(name))
    return kind.max_bytes if kind else MAX_BYTES


def _trouble(error: OSError, where: Path) -> ReceiptFolderError:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return ReceiptFolderError(Trouble.MISSING, where)
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return ReceiptFolderError(Trouble.READ_ONLY, where)
        case errno.ENOSPC | errno.EDQUOT:
            return ReceiptFolderError(Trouble.FULL, where)
        case _:
            return ReceiptFolderError(Trouble.UNUSABLE, where, error.strerror or type(error).__name__)


def _remove_unfinished(place: int) -> None:
    """Remove what a crash left of files of ours; what another terminal writes just now is younger."""
    oldest = time.time() - UNFINISHED_KEPT_S
    with os.scandir(place) as entries:
        for entry in entries:
            if _UNFINISHED.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                with suppress(OSError):
                    os.unlink(entry.name, dir_fd=place)


def _make_room(aside: int) -> None:
    """Let the oldest refused requests go, so that a receipt computer gone wrong fills no disk."""
    with os.scandir(aside) as entries:
        files = [
            (entry.stat(follow_symlinks=False).st_mtime, entry.name)
            for entry in entries
            if _REQUEST.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False)
        ]
    for _, name in sorted(files)[: max(0, len(files) - MAX_REFUSED + 1)]:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=aside)


def _free(aside: int, name: str) -> str:
    """Return the name, or one with a number, at which nothing stands in the folder."""
    stem = name.removesuffix(".xml")
    numbered = (f"{stem}.{number}.xml" for number in itertools.count(2))
    taken = set(os.listdir(aside))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)
