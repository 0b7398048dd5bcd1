"""The files of the interface as bytes: what is written for a visit or a request, and a strict reader of each."""

from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar
from xml.etree import ElementTree

from pydantic import AwareDatetime, Field
from pydantic.dataclasses import dataclass

from config.toml_file import STRICT
from consent.receipt_files.content import (
    WITHOUT_INSURED,
    Advice,
    Confirmation,
    Consent,
    ConsentFlag,
    Element,
    Group,
    Insured,
    Prescription,
    Query,
    Reference,
    ReferenceNumber,
    Registration,
    Text,
    Validity,
)
from consent.receipt_files.xml import (
    WHOLE_FILE,
    Encoding,
    Fault,
    MalformedFile,
    from_element,
    parse,
    to_bytes,
    to_element,
)
from consent.wire import JAPAN

T = TypeVar("T")
ROOT = "XmlMsg"


class Segment(StrEnum):
    """SegmentOfResult: how the program fared, not the patient."""

    DONE = "1"
    RUNNING = "2"
    ABNORMAL = "9"


class Status(StrEnum):
    """ProcessingResultStatus."""

    DONE = "1"
    ERROR = "2"


class CharacterCode(StrEnum):
    """CharacterCodeIdentifier."""

    UTF_8 = "0"
    SHIFT_JIS = "1"


CHARACTER_CODES: dict[Encoding, CharacterCode] = {
    "utf-8": CharacterCode.UTF_8,
    "cp932": CharacterCode.SHIFT_JIS,
}

ERROR_MESSAGES = {
    Fault.NO_FILE: "ファイルを開けません。",
    Fault.TOO_LONG: "ファイルが大きすぎます。",
    Fault.NOT_TEXT: "文字コードが正しくありません。",
    Fault.DTD: "DTDは使えません。",
    Fault.NOT_XML: "XMLとして読み取れません。",
    Fault.TOO_MUCH: "XMLの要素が多すぎます。",
    Fault.ATTRIBUTE: "属性は使えません。",
    Fault.UNKNOWN: "定義されていない要素があります。",
    Fault.TWICE: "同じ要素が二つ以上あります。",
    Fault.MISSING: "必須の要素がありません。",
    Fault.VALUE: "項目の値が正しくありません。",
    Fault.CONTRADICTION: "項目の値が互いに合いません。",
    Fault.RESULTS: "結果の件数が正しくありません。",
    Fault.INSTITUTION: "医療機関コードが、この端末のものではありません。",
    Fault.REQUEST: "この要求には対応していません。",
}

InstitutionCode = Annotated[str, Field(pattern=r"^[0-9]{10}$")]
FileId = Annotated[str, Field(max_length=100)]


@dataclass(frozen=True, repr=False, config=STRICT)
class Header:
    """MessageHeader of an answer."""

    executed_at: Annotated[AwareDatetime, Element("ProcessExecutionTime")]
    institution_code: Annotated[InstitutionCode, Element("MedicalInstitutionCode")]
    segment: Annotated[Segment, Element("SegmentOfResult")]
    character_code: Annotated[CharacterCode, Element("CharacterCodeIdentifier")]
    confirmed_on: Annotated[date | None, Element("QualificationConfirmationDate")] = None
    file_id: Annotated[FileId, Element("ArbitraryFileIdentifier")] = ""
    reference: Annotated[Reference | None, Element("ReferenceClassification")] = None
    error_code: Annotated[Text, Element("ErrorCode")] = ""
    error_message: Annotated[Text, Element("ErrorMessage")] = ""


@dataclass(frozen=True, repr=False, config=STRICT)
class Body:
    """MessageBody of an answer; ``reference_number`` only answers a registration."""

    status: Annotated[Status, Element("ProcessingResultStatus")]
    code: Annotated[Text, Element("ProcessingResultCode")] = ""
    message: Annotated[Text, Element("ProcessingResultMessage")] = ""
    validity: Annotated[Validity | None, Element("QualificationValidity")] = None
    prescription: Annotated[Prescription | None, Element("PrescriptionIssueSelect")] = None
    query: Annotated[Query | None, Group("QualificationConfirmSearchInfo")] = None
    results: Annotated[
        tuple[Insured, ...], Group("ResultOfQualificationConfirmation", within="ResultList")
    ] = ()
    reference_number: Annotated[ReferenceNumber, Element("ReferenceNumber")] = ""


@dataclass(frozen=True, repr=False, config=STRICT)
class ResponseFile:
    """Any file that we write."""

    header: Annotated[Header, Group("MessageHeader")]
    body: Annotated[Body | None, Group("MessageBody")] = None


@dataclass(frozen=True, repr=False, config=STRICT)
class RequestHeader:
    """MessageHeader of a request."""

    institution_code: Annotated[InstitutionCode, Element("MedicalInstitutionCode")]
    confirmed_on: Annotated[date | None, Element("QualificationConfirmationDate")] = None
    file_id: Annotated[FileId, Element("ArbitraryFileIdentifier")] = ""


@dataclass(frozen=True, repr=False, config=STRICT)
class QueryBody:
    query: Annotated[Query, Group("QualificationConfirmSearchInfo")]


@dataclass(frozen=True, repr=False, config=STRICT)
class QueryRequest:
    """OQSsiquc01req: whose insurance is it?"""

    header: Annotated[RequestHeader, Group("MessageHeader")]
    body: Annotated[QueryBody, Group("MessageBody")]


@dataclass(frozen=True, repr=False, config=STRICT)
class RegistrationBody:
    registration: Annotated[Registration, Group("ReferenceNumberRegistrationInfo")]


@dataclass(frozen=True, repr=False, config=STRICT)
class RegistrationRequest:
    """OQSsiimm01req: this insured person has this chart number here."""

    header: Annotated[RequestHeader, Group("MessageHeader")]
    body: Annotated[RegistrationBody, Group("MessageBody")]


AnyRequest = TypeVar("AnyRequest", QueryRequest, RegistrationRequest)


@plain_dataclass(frozen=True)
class Refusal:
    """A request that was understood and cannot be met."""

    code: str
    message: str


@plain_dataclass(frozen=True, repr=False)
class Document:
    """A finished file; ``flagged`` names the elements in which ● stands for a character."""

    content: bytes
    flagged: tuple[str, ...] = ()


class Writer:
    """Builds the files of one institution in one encoding.

    ``prescription_in``: PrescriptionIssueSelect stands in the body, or in each result.
    """

    def __init__(
        self,
        institution_code: str,
        encoding: Encoding,
        prescription_in: Literal["body", "result"] = "body",
    ) -> None:
        self.institution_code = institution_code
        self.encoding = encoding
        self._in_result = prescription_in == "result"

    def face_file(self, confirmation: Confirmation, visit_id: str) -> Document:
        """Return the file of a completed visit; its ArbitraryFileIdentifier is the visit's id."""
        at = confirmation.confirmed_at
        header = self._header(at, Segment.DONE, visit_id, confirmed_on=_day(at), reference=Reference.CARD)
        form = confirmation.prescription
        if self._in_result and form:
            insured = tuple(replace(one, prescription=form) for one in confirmation.insured)
            confirmation = replace(confirmation, insured=insured, prescription=None)
        return self._document(header, _body(confirmation, None))

    def result_file(self, confirmation: Confirmation, request: "QueryRequest") -> Document:
        """Return the answer to a query by insured number.

        Whatever the server said: without the patient's oral consent, no limit certificate is passed on.
        """
        at, query, asked = confirmation.confirmed_at, request.body.query, request.header
        confirmation = as_consented(confirmation, query)
        day = asked.confirmed_on or _day(at)
        header = self._header(
            at, Segment.DONE, asked.file_id, confirmed_on=day, reference=Reference.INSURED_NUMBER
        )
        return self._document(header, _body(confirmation, query))

    def registered_file(self, request: "RegistrationRequest", now: datetime) -> Document:
        """Return the answer to a chart number that was taken."""
        number = request.body.registration.reference_number
        header = self._header(now, Segment.DONE, request.header.file_id)
        return self._document(header, Body(Status.DONE, reference_number=number))

    def refused_file(self, refusal: Refusal, file_id: str, now: datetime) -> Document:
        """Return the answer to a request that was understood and cannot be met."""
        header = self.done_header(now, file_id)
        return self._document(header, Body(Status.ERROR, refusal.code, refusal.message))

    def running_file(self, file_id: str, now: datetime) -> Document:
        """Return the answer while a bulk request is still being worked off."""
        return self._document(self._header(now, Segment.RUNNING, file_id), None)

    def done_header(self, now: datetime, file_id: str) -> Header:
        """Return the header of an answer to a request that was carried out."""
        return self._header(now, Segment.DONE, file_id)

    def document(self, content: Any) -> Document:
        """Return a file made of a dataclass."""
        return Document(*to_bytes(to_element(ROOT, content), self.encoding))

    def error_file(self, malformed: MalformedFile, now: datetime) -> Document:
        """Return the answer to a request that was not understood."""
        where = "" if malformed.where == WHOLE_FILE else f"（{malformed.where}）"
        words = ERROR_MESSAGES[malformed.fault] + where
        return self._document(
            self._header(now, Segment.ABNORMAL, error_code=str(malformed.fault), error_message=words), None
        )

    def lost_file(self, refusal: Refusal, file_id: str, now: datetime) -> Document:
        """Return the answer to a question for what this program no longer has: the program failed, not the question."""
        header = self._header(
            now,
            Segment.ABNORMAL,
            file_id,
            error_code=refusal.code,
            error_message=refusal.message,
        )
        return self._document(header, None)

    def _header(
        self,
        at: datetime,
        segment: Segment,
        file_id: str = "",
        *,
        confirmed_on: date | None = None,
        reference: Reference | None = None,
        error_code: str = "",
        error_message: str = "",
    ) -> Header:
        return Header(
            # Files know whole seconds.
            executed_at=at.replace(microsecond=0),
            institution_code=self.institution_code,
            segment=segment,
            character_code=CHARACTER_CODES[self.encoding],
            confirmed_on=confirmed_on,
            file_id=file_id,
            reference=reference,
            error_code=error_code,
            error_message=error_message,
        )

    def _document(self, header: Header, body: Body | None) -> Document:
        return self.document(ResponseFile(header, body))


def read_result(data: bytes) -> ResponseFile:
    """Read any file that we write; raises MalformedFile for what is off in any way.

    Somebody is described by one result or more, or nobody where nobody is known or there was an error.
    """
    root, encoding = parse(data)
    answer = _read(root, ResponseFile, lenient=False)
    header, body = answer.header, answer.body
    if header.character_code is not CHARACTER_CODES[encoding]:
        raise MalformedFile(Fault.CONTRADICTION, "CharacterCodeIdentifier")
    if header.segment is not Segment.DONE:
        if body is not None or (header.segment is Segment.ABNORMAL) != bool(header.error_code):
            raise MalformedFile(Fault.CONTRADICTION, "SegmentOfResult")
        return answer
    if body is None:
        raise MalformedFile(Fault.MISSING, "MessageBody")
    if header.error_code:
        raise MalformedFile(Fault.CONTRADICTION, "ErrorCode")
    if body.status is Status.ERROR:
        if not body.code or body.validity:
            raise MalformedFile(Fault.CONTRADICTION, "ProcessingResultStatus")
    elif (body.validity is None) != bool(body.reference_number):
        raise MalformedFile(Fault.CONTRADICTION, "QualificationValidity")
    described = body.validity is not None and body.validity not in WITHOUT_INSURED
    if bool(body.results) != described:
        raise MalformedFile(Fault.RESULTS, "ResultList")
    return answer


def read_query(data: bytes, institution_code: str) -> QueryRequest:
    """Read OQSsiquc01req; raises MalformedFile."""
    return _of_institution(_read(parse(data)[0], QueryRequest, lenient=True), institution_code)


def read_registration(data: bytes, institution_code: str) -> RegistrationRequest:
    """Read OQSsiimm01req; raises MalformedFile."""
    return _of_institution(_read(parse(data)[0], RegistrationRequest, lenient=True), institution_code)


def _read(root: ElementTree.Element, kind: type[T], *, lenient: bool) -> T:
    if root.tag != ROOT:
        raise MalformedFile(Fault.MISSING, ROOT)
    return from_element(root, kind, lenient=lenient)


def _of_institution(request: AnyRequest, institution_code: str) -> AnyRequest:
    if request.header.institution_code != institution_code:
        raise MalformedFile(Fault.INSTITUTION, "MedicalInstitutionCode")
    return request


def as_consented(confirmation: Confirmation, query: Query) -> Confirmation:
    """Return what may be told to a query: no limit certificate without the patient's oral consent."""
    if query.limit_consent is ConsentFlag.GIVEN:
        return confirmation
    silent = tuple(replace(one, limit=None, limit_consent=Consent()) for one in confirmation.insured)
    return replace(confirmation, insured=silent)


ADVICE_MESSAGES = {
    Advice.CERTIFICATE_EXPIRES_SOON: "利用者証明用電子証明書の有効期限まで3か月以内です。更新が必要です。",
    Advice.CERTIFICATE_IN_GRACE: "利用者証明用電子証明書の有効期限が切れています。更新が必要です。",
}


def _body(confirmation: Confirmation, query: Query | None) -> Body:
    advice = confirmation.advice
    return Body(
        Status.DONE,
        code=str(advice or ""),
        message=ADVICE_MESSAGES[advice] if advice else "",
        validity=confirmation.validity,
        prescription=confirmation.prescription,
        query=query,
        results=confirmation.insured,
    )


def _day(at: datetime) -> date:
    return at.astimezone(JAPAN).date()
