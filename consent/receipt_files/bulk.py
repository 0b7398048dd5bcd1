"""Bulk requests: taken with a reception number, worked off in small slices, fetched by the number.

All of it is in memory only, since lines name patients: of a number from before a restart of the terminal it is said
that the request is lost, and the receipt computer asks again. Nothing here waits for a patient, and no patient for it.
"""

import itertools
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Protocol, TypeVar
from xml.etree import ElementTree

from pydantic import AwareDatetime, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from config.toml_file import STRICT
from consent.eligibility import EligibilityError, TimedOut, Unreachable
from consent.receipt_files.content import (
    Confirmation,
    Element,
    Group,
    Insured,
    Query,
    ReferenceNumber,
    Registration,
    Text,
    Validity,
)
from consent.receipt_files.files import (
    ERROR_MESSAGES,
    ROOT,
    Document,
    Header,
    Refusal,
    Status,
    Writer,
    as_consented,
)
from consent.receipt_files.requests import (
    BulkRequest,
    Listing,
    ListingRequest,
    read_bulk_query,
    read_bulk_registration,
)
from consent.receipt_files.xml import MalformedFile, declaration, fragment, to_element
from consent.wire import JAPAN, ListingKind

Line = TypeVar("Line", Query, Registration)
SLICE = 25
"""Lines in one question to the server."""
KEPT = 8
"""Requests that are kept, those fetched already first among the forgotten."""


class Desk(Protocol):
    """Who answers the lines; every call raises EligibilityError."""

    def lookup_many(self, queries: Sequence[Query], day: date) -> list[Confirmation | Refusal]: ...
    def register(self, registration: Registration) -> Refusal | None: ...
    def listed(self, kind: ListingKind, listing: Listing, after: int) -> tuple[list[Confirmation], bool]:
        """Return a part of the list, and whether there is more."""
        ...


@checked_dataclass(frozen=True, repr=False, config=STRICT)
class Unit:
    """BulkConfirmUnit: one line with its answer."""

    status: Annotated[Status, Element("ProcessingResultStatus")]
    code: Annotated[Text, Element("ProcessingResultCode")] = ""
    message: Annotated[Text, Element("ProcessingResultMessage")] = ""
    query: Annotated[Query | None, Group("QualificationConfirmSearchInfo")] = None
    validity: Annotated[Validity | None, Element("QualificationValidity")] = None
    results: Annotated[tuple[Insured, ...], Group("ResultOfQualificationConfirmation")] = ()
    reference_number: Annotated[ReferenceNumber, Element("ReferenceNumber")] = ""
    arbitrary_id: Annotated[ReferenceNumber, Element("ArbitraryIdentifier")] = ""


@checked_dataclass(frozen=True, repr=False, config=STRICT)
class RegistrationUnit:
    """BulkRegistrationUnit: one chart number with what became of it."""

    status: Annotated[Status, Element("ProcessingResultStatus")]
    code: Annotated[Text, Element("ProcessingResultCode")] = ""
    message: Annotated[Text, Element("ProcessingResultMessage")] = ""
    registration: Annotated[Registration | None, Group("ReferenceNumberRegistrationInfo")] = None


@checked_dataclass(frozen=True, repr=False, config=STRICT)
class TakenBody:
    """MessageBody of a …01res."""

    status: Annotated[Status, Element("ProcessingResultStatus")]
    number: Annotated[Text, Element("ReceptionNumber")]
    at: Annotated[AwareDatetime, Element("ReceptionDateTime")]


@checked_dataclass(frozen=True, repr=False, config=STRICT)
class TakenFile:
    header: Annotated[Header, Group("MessageHeader")]
    body: Annotated[TakenBody, Group("MessageBody")]


Count = Annotated[int, Field(ge=0)]


@checked_dataclass(frozen=True, repr=False, config=STRICT)
class CountedHeader(Header):
    """MessageHeader of a …02res."""

    processed: Annotated[Count, Element("NumberOfProcessingResult")] = 0
    normal: Annotated[Count, Element("NumberOfNormalProcessing")] = 0
    errors: Annotated[Count, Element("NumberOfError")] = 0


@dataclass(repr=False)
class Job:
    """One request that was taken."""

    number: str
    kind: str
    """As kind_named() of its …01req, without the digits."""
    file_id: str
    day: date
    lines: deque[ElementTree.Element] = field(default_factory=deque)
    listing: ListingRequest | None = None
    registers: bool = False
    units: list[bytes] = field(default_factory=list)
    errors: int = 0
    fetched: bool = False

    @property
    def done(self) -> bool:
        """Say whether every line is answered."""
        return not self.lines and self.listing is None


class BulkDesk:
    """Works requests off; used by one thread. ``seconds`` is any steady clock."""

    def __init__(
        self,
        writer: Writer,
        desk: Desk,
        clock: Callable[[], datetime],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer, self._desk, self._clock, self._seconds = writer, desk, clock, seconds
        self._jobs: dict[str, Job] = {}
        self._numbers = itertools.count(1)
        self._began = _second(clock())

    def take(self, kind: str, request: BulkRequest | ListingRequest, now: datetime) -> Document:
        """Take a request and return the answer with its reception number."""
        number = f"{_second(now)}{next(self._numbers):06}"
        header = request.header
        job = Job(number, kind, header.file_id, header.confirmed_on or now.astimezone(JAPAN).date())
        if isinstance(request, BulkRequest):
            job.lines.extend(request.lines)
            job.registers = request.registers
        else:
            job.listing = request
        self._jobs[number] = job
        self._forget()
        taken = TakenFile(
            self._writer.done_header(now, header.file_id),
            TakenBody(Status.DONE, number, now.replace(microsecond=0)),
        )
        return self._writer.document(taken)

    def job(self, kind: str, number: str) -> Job | None:
        """Return a request by its reception number; None for one that is not known, or of another kind."""
        found = self._jobs.get(number)
        return found if found is not None and found.kind == kind else None

    def is_lost(self, number: str) -> bool:
        """Return whether a number was given before this program began, as far as its digits tell."""
        looks_like_ours = re.fullmatch(r"2[0-9]{19}", number) is not None
        return looks_like_ours and number not in self._jobs and number[:14] <= self._began

    def fetch(self, job: Job, file_id: str, now: datetime) -> Document:
        """Return the answer of a request that is done."""
        job.fetched = True
        plain = vars(self._writer.done_header(now, file_id or job.file_id))
        header = CountedHeader(
            **plain,
            processed=len(job.units),
            normal=len(job.units) - job.errors,
            errors=job.errors,
        )
        encoding = self._writer.encoding
        head, _ = fragment(to_element("MessageHeader", header), encoding)
        parts = (f"<{ROOT}>\n".encode(), head, b"<MessageBody>\n", *job.units)
        end = f"</MessageBody>\n</{ROOT}>\n".encode()
        return Document(declaration(encoding) + b"".join(parts) + end)

    def work(self, for_s: float) -> bool:
        """Work on for a while; False: the server does not answer now, and what is left waits."""
        end = self._seconds() + for_s
        for job in self._jobs.values():
            while not job.done:
                if self._seconds() >= end:
                    return True
                try:
                    self._slice(job)
                except (Unreachable, TimedOut):
                    return False
        return True

    def _slice(self, job: Job) -> None:
        if job.listing is not None:
            self._part_of_list(job, job.listing)
        elif job.registers:
            self._register(job)
        else:
            self._look_up(job)

    def _look_up(self, job: Job) -> None:
        """Answer the next lines; they stay in the job until the server has answered."""
        lines = list(itertools.islice(job.lines, SLICE))
        read = [_read_line(line, read_bulk_query) for line in lines]
        queries = [one for one in read if isinstance(one, Query)]
        try:
            told = iter(self._desk.lookup_many(queries, job.day) if queries else [])
        except (Unreachable, TimedOut):
            raise
        except EligibilityError:
            told = iter([_BAD_ANSWER] * len(queries))
        for line, one in zip(lines, read, strict=True):
            if isinstance(one, Query):
                self._add(job, "BulkConfirmUnit", _unit(one, next(told)))
            else:
                self._add(job, "BulkConfirmUnit", _refused_unit(one, line))
            job.lines.popleft()

    def _register(self, job: Job) -> None:
        line = job.lines[0]
        one = _read_line(line, read_bulk_registration)
        try:
            refusal = one if isinstance(one, Refusal) else self._desk.register(one)
        except (Unreachable, TimedOut):
            raise
        except EligibilityError:
            refusal = _BAD_ANSWER
        registration = None if isinstance(one, Refusal) else one
        status = Status.ERROR if refusal else Status.DONE
        code, message = (refusal.code, refusal.message) if refusal else ("", "")
        self._add(job, "BulkRegistrationUnit", RegistrationUnit(status, code, message, registration))
        job.lines.popleft()

    def _part_of_list(self, job: Job, request: ListingRequest) -> None:
        try:
            listed, more = self._desk.listed(request.kind, request.listing, len(job.units))
        except (Unreachable, TimedOut):
            raise
        except EligibilityError:
            self._add(job, "BulkConfirmUnit", Unit(Status.ERROR, _BAD_ANSWER.code, _BAD_ANSWER.message))
            job.listing = None
            return
        for one in listed:
            self._add(
                job,
                "BulkConfirmUnit",
                Unit(Status.DONE, validity=one.validity, results=one.insured),
            )
        if not more or not listed:
            job.listing = None

    def _add(self, job: Job, name: str, unit: Unit | RegistrationUnit) -> None:
        job.units.append(fragment(to_element(name, unit), self._writer.encoding)[0])
        job.errors += unit.status is Status.ERROR

    def _forget(self) -> None:
        """Let the oldest go when there are many: the fetched ones first."""
        old = sorted(self._jobs.values(), key=lambda job: (not job.fetched, job.number))
        for job in old[: max(0, len(self._jobs) - KEPT)]:
            del self._jobs[job.number]


def _second(at: datetime) -> str:
    return f"{at.astimezone(JAPAN):%Y%m%d%H%M%S}"


_BAD_ANSWER = Refusal("SERVER_BAD_ANSWER", "資格確認サーバーの回答が正しくありません。")


def _read_line(line: ElementTree.Element, read: Callable[[ElementTree.Element], Line]) -> Line | Refusal:
    try:
        return read(line)
    except MalformedFile as error:
        return Refusal(str(error.fault), f"{ERROR_MESSAGES[error.fault]}（{error.where}）")


def _unit(query: Query, told: Confirmation | Refusal) -> Unit:
    if isinstance(told, Refusal):
        return Unit(Status.ERROR, told.code, told.message, query, arbitrary_id=query.arbitrary_id)
    told = as_consented(told, query)
    reference = told.insured[0].reference_number if told.insured else ""
    return Unit(
        Status.DONE,
        query=query,
        validity=told.validity,
        results=told.insured,
        reference_number=reference,
        arbitrary_id=query.arbitrary_id,
    )


def _refused_unit(refusal: Refusal, line: ElementTree.Element) -> Unit:
    """Return the answer to a line that is off; what it calls itself comes back, if it can."""
    own = line.findtext("ArbitraryIdentifier", "")
    return Unit(Status.ERROR, refusal.code, refusal.message, arbitrary_id=own if len(own) <= 50 else "")
