"""The requests that a receipt computer may lay into ``req``: which there are, and a strict reader of each; pure.

Names and elements: facts, receipt.md. A file's name says what it asks, in capitals or not.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass as plain_dataclass
from datetime import date
from typing import Annotated
from xml.etree import ElementTree

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from config.toml_file import STRICT
from consent.receipt_files.content import (
    Branch,
    Element,
    Group,
    InsurerNumber,
    Number,
    Query,
    Registration,
    Text,
)
from consent.receipt_files.files import (
    ROOT,
    FileId,
    InstitutionCode,
    QueryRequest,
    RegistrationRequest,
    RequestHeader,
    read_query,
    read_registration,
)
from consent.receipt_files.xml import (
    MAX_BYTES,
    USUAL,
    Fault,
    MalformedFile,
    Size,
    children,
    from_element,
    parse,
)
from consent.wire import ListingKind, RecordsKind

_NAME = re.compile(r"([A-Za-z]{3,10}[0-9]{2})req(?![A-Za-z])", re.IGNORECASE)
_REQ = re.compile("req", re.IGNORECASE)

MOST_LINES = 20_000
BULK = Size(bytes=64 * 1024 * 1024, elements=12 * MOST_LINES)
"""How large a bulk request may be: one line has seven elements beside its own."""


@dataclass(frozen=True, repr=False, config=STRICT)
class ReceptionBody:
    number: Annotated[Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,40}$")], Element("ReceptionNumber")]


@dataclass(frozen=True, repr=False, config=STRICT)
class FetchRequest:
    """…02req: what became of the request with this reception number?"""

    header: Annotated[RequestHeader, Group("MessageHeader")]
    body: Annotated[ReceptionBody, Group("MessageBody")]


@dataclass(frozen=True, repr=False, config=STRICT)
class Listing:
    """QualificationConfirmSearchInfo of a request for everybody of a month, or of a span of days."""

    month: Annotated[
        Annotated[str, Field(pattern=r"^([0-9]{4}(0[1-9]|1[0-2]))?$")], Element("MedicalTreatmentMonth")
    ] = ""
    consent_from: Annotated[date | None, Element("ConsentDateFrom")] = None
    consent_to: Annotated[date | None, Element("ConsentDateTo")] = None
    examined_from: Annotated[date | None, Element("ExaminationDateFrom")] = None
    examined_to: Annotated[date | None, Element("ExaminationDateTo")] = None
    treatment: Annotated[Annotated[str, Field(pattern=r"^[1-3]?$")], Element("MedicalTreatmentFlag")] = ""
    arbitrary_id: Annotated[Annotated[str, Field(max_length=50)], Element("ArbitraryIdentifier")] = ""

    @model_validator(mode="after")
    def _spans(self) -> "Listing":
        for first, last in (
            (self.consent_from, self.consent_to),
            (self.examined_from, self.examined_to),
        ):
            if (first is None) != (last is None) or (first and last and last < first):
                raise ValueError("a span has a first day and a last one that is not before it")
        return self


@dataclass(frozen=True, repr=False, config=STRICT)
class ListingBody:
    listing: Annotated[Listing, Group("QualificationConfirmSearchInfo")]


@dataclass(frozen=True, repr=False, config=STRICT)
class ListingMessage:
    header: Annotated[RequestHeader, Group("MessageHeader")]
    body: Annotated[ListingBody, Group("MessageBody")]


@plain_dataclass(frozen=True, repr=False)
class ListingRequest:
    """OQSmutic01req, OQSmuhvq01req, OQSmuonq01req: who has a ticket, or gave a consent elsewhere?"""

    header: RequestHeader
    listing: Listing
    kind: ListingKind


Day = Annotated[str, Field(pattern=r"^([0-9]{4}(0[1-9]|1[0-2])([0-2][0-9]|3[01])?)?$")]


@dataclass(frozen=True, repr=False, config=STRICT)
class RecordsHeader:
    """Names of its own: not those of the other requests."""

    institution_code: Annotated[InstitutionCode, Element("MedicalInstitutionCode")]
    number: Annotated[
        Annotated[str, Field(min_length=1, max_length=20)], Element("InsuredPersonIdentificationNumber")
    ]
    insurer_number: Annotated[InsurerNumber, Element("InsurerNumber", spaces=8)]
    symbol: Annotated[Number, Element("InsuranceCardSymbol")] = ""
    branch: Annotated[Branch, Element("BranchNumber")] = ""
    file_id: Annotated[FileId, Element("ArbitraryFileIdentifier")] = ""


@dataclass(frozen=True, repr=False, config=STRICT)
class RecordsBody:
    first: Annotated[Day, Element("StartDate")] = ""
    last: Annotated[Day, Element("EndDate")] = ""
    category: Annotated[Text, Element("FileCategory")] = ""
    classification: Annotated[Text, Element("PrDiInfClassification")] = ""
    treatment: Annotated[Text, Element("MedicalTreatmentFlag")] = ""


@dataclass(frozen=True, repr=False, config=STRICT)
class RecordsMessage:
    header: Annotated[RecordsHeader, Group("MessageHeader")]
    body: Annotated[RecordsBody, Group("MessageBody")]


@plain_dataclass(frozen=True, repr=False)
class RecordsRequest:
    """YZKsiquc01req, TKKsiquc01req: what drugs did somebody get, what did their checkups say?"""

    header: RecordsHeader
    body: RecordsBody
    kind: RecordsKind


@plain_dataclass(frozen=True, repr=False)
class BulkRequest:
    """OQSmuquc01req, OQSmuimm01req: many lines, each still to be read."""

    header: RequestHeader
    lines: tuple[ElementTree.Element, ...]
    registers: bool


AnyRequest = QueryRequest | RegistrationRequest | FetchRequest | ListingRequest | RecordsRequest | BulkRequest
Reader = Callable[[bytes, str, Callable[[], None]], AnyRequest]


@plain_dataclass(frozen=True)
class Kind:
    """One kind of request."""

    read: Reader
    """Content, institution's code, and what is called between parts of a large one. Raises MalformedFile."""
    max_bytes: int = MAX_BYTES


def kind_named(name: str) -> str:
    """Return the kind that a file's name asks for, as ``OQSSIQUC01``; empty for a name that says none."""
    found = _NAME.match(name)
    return found[1].upper() if found else ""


def answer_name(name: str) -> str:
    """Return the name of a request's answer: the same with ``res`` in place of the first ``req``."""
    return _REQ.sub(lambda found: "RES" if found[0].isupper() else "res", name, count=1)


def read_bulk_query(line: ElementTree.Element) -> Query:
    """Read one line of OQSmuquc01req; raises MalformedFile."""
    return from_element(line, Query, lenient=True)


def read_bulk_registration(line: ElementTree.Element) -> Registration:
    """Read one line of OQSmuimm01req; raises MalformedFile."""
    return from_element(line, Registration, lenient=True)


def _plain(read: Callable[[bytes, str], AnyRequest]) -> Reader:
    return lambda content, code, _pause: read(content, code)


def _root(
    content: bytes, size: Size = USUAL, pause: Callable[[], None] = lambda: None
) -> ElementTree.Element:
    root = parse(content, size, pause)[0]
    if root.tag != ROOT:
        raise MalformedFile(Fault.MISSING, ROOT)
    return root


def _of(code: str, told: str) -> None:
    if code != told:
        raise MalformedFile(Fault.INSTITUTION, "MedicalInstitutionCode")


def _fetch(content: bytes, code: str, _pause: Callable[[], None]) -> FetchRequest:
    request = from_element(_root(content), FetchRequest, lenient=True)
    _of(code, request.header.institution_code)
    return request


def _listing(kind: ListingKind, *spans: str) -> Reader:
    def read(content: bytes, code: str, _pause: Callable[[], None]) -> ListingRequest:
        request = from_element(_root(content), ListingMessage, lenient=True)
        _of(code, request.header.institution_code)
        if not any(getattr(request.body.listing, one) for one in spans):
            missing = "MedicalTreatmentMonth" if kind == "tickets" else "ConsentDateFrom"
            raise MalformedFile(Fault.MISSING, missing)
        return ListingRequest(request.header, request.body.listing, kind)

    return read


def _records(kind: RecordsKind) -> Reader:
    def read(content: bytes, code: str, _pause: Callable[[], None]) -> RecordsRequest:
        request = from_element(_root(content), RecordsMessage, lenient=True)
        _of(code, request.header.institution_code)
        return RecordsRequest(request.header, request.body, kind)

    return read


def _bulk(line_name: str, *, registers: bool) -> Reader:
    def read(content: bytes, code: str, pause: Callable[[], None]) -> BulkRequest:
        parts = children(_root(content, BULK, pause))
        for name in ("MessageHeader", "MessageBody"):
            if name not in parts:
                raise MalformedFile(Fault.MISSING, name)
        header = from_element(parts["MessageHeader"], RequestHeader, lenient=True)
        _of(code, header.institution_code)
        lines = tuple(parts["MessageBody"])
        if not lines:
            raise MalformedFile(Fault.MISSING, line_name)
        if len(lines) > MOST_LINES:
            raise MalformedFile(Fault.TOO_MUCH, "MessageBody")
        if any(line.tag != line_name for line in lines):
            raise MalformedFile(Fault.UNKNOWN, "MessageBody")
        return BulkRequest(header, lines, registers)

    return read


_SPANS = ("consent_from", "examined_from")
KINDS: dict[str, Kind] = {
    "OQSSIQUC01": Kind(_plain(read_query)),
    "OQSSIIMM01": Kind(_plain(read_registration)),
    "OQSMUQUC01": Kind(_bulk("QualificationConfirmSearchInfo", registers=False), BULK.bytes),
    "OQSMUQUC02": Kind(_fetch),
    "OQSMUIMM01": Kind(_bulk("ReferenceNumberRegistrationInfo", registers=True), BULK.bytes),
    "OQSMUIMM02": Kind(_fetch),
    "OQSMUTIC01": Kind(_listing("tickets", "month")),
    "OQSMUTIC02": Kind(_fetch),
    "OQSMUHVQ01": Kind(_listing("home", *_SPANS)),
    "OQSMUHVQ02": Kind(_fetch),
    "OQSMUONQ01": Kind(_listing("online", *_SPANS)),
    "OQSMUONQ02": Kind(_fetch),
    "YZKSIQUC01": Kind(_records("drugs")),
    "TKKSIQUC01": Kind(_records("checkups")),
}
"""By kind_named(). Others, as SRJ… and SHJ…, are answered as unknown."""
