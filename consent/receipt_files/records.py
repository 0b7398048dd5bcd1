"""Answers to requests for drugs (YZK) and checkups (TKK): an interface with element names of its own; pure.

Names: facts, receipt.md. Nobody here has seen the official layout.
"""

from datetime import date, datetime
from itertools import groupby
from xml.etree import ElementTree

from consent import wire
from consent.receipt_files.files import CHARACTER_CODES, ROOT, Document, Refusal, Segment
from consent.receipt_files.requests import RecordsRequest
from consent.receipt_files.xml import Encoding, to_bytes

DONE, REFUSED = "1", "9"
"""ResultCode."""


def records_file(
    told: wire.RecordsAnswer | Refusal, request: RecordsRequest, now: datetime, encoding: Encoding
) -> Document:
    """Return the answer; a refusal says why in MessageContents and by ErrorCode."""
    refused = isinstance(told, Refusal)
    header = _node(
        "MessageHeader",
        _text("ProcessExecutionTime", f"{now.astimezone(wire.JAPAN):%Y%m%d%H%M%S}"),
        _text("MedicalInstitutionCode", request.header.institution_code),
        _text("ArbitraryFileIdentifier", request.header.file_id),
        _text("SegmentOfResult", Segment.ABNORMAL if refused else Segment.DONE),
        _text("ResultCode", REFUSED if refused else DONE),
        _text("CharacterCodeIdentifier", CHARACTER_CODES[encoding]),
    )
    body = _node("MessageBody")
    if isinstance(told, Refusal):
        header.append(_text("ErrorCode", told.code))
        header.append(_text("ErrorMessage", told.message))
        body.append(_text("MessageContents", told.message))
    elif request.kind == "drugs":
        header.append(_person("QuaInf", ("KanaName", "Birth", "AdmGendCode"), told))
        body.extend(_drugs(told.dispensings))
    else:
        names = ("KanasName", "Birthday", "AdministrativeGenderCode")
        header.append(_person("QualificationsInfo", names, told))
        body.extend(_checkup(one) for one in told.checkups)
    return Document(*to_bytes(_node(ROOT, header, body), encoding))


def _person(name: str, parts: tuple[str, str, str], told: wire.RecordsAnswer) -> ElementTree.Element:
    kana, birth, sex = parts
    return _node(
        name,
        _text("Name", told.name),
        _text(kana, told.name_kana),
        _text(birth, _day(told.birth_date)),
        _text(sex, str(told.sex)),
    )


def _drugs(dispensings: tuple[wire.Dispensing, ...]) -> list[ElementTree.Element]:
    """Return one MeTrMonthInf for each month and each clinic with its pharmacy, newest first."""

    def place(one: wire.Dispensing) -> tuple[str, str, str, str, bool]:
        month = f"{one.prescribed_on:%Y%m}"
        return month, one.clinic_code, one.clinic, one.pharmacy, one.in_hospital

    found = []
    ordered = sorted(dispensings, key=lambda one: (place(one), one.prescribed_on), reverse=True)
    for (month, code, clinic, pharmacy, in_hospital), days in groupby(ordered, key=place):
        found.append(
            _node(
                "MeTrMonthInf",
                _text("DiOrg", "2" if pharmacy else "1"),
                _text("MeTrDiHCd", code),
                _text("PrlsHCd", code),
                _text("MeTrDiHNm", pharmacy or clinic),
                _text("MeTrMonth", month),
                _text("PrlsHNm", clinic),
                _text("PrIsOrg", "1"),
                _text("InOut", "1" if in_hospital else "2"),
                _node("DiDateInfs", *(_dispensing(day) for day in days)),
            )
        )
    return found


def _dispensing(one: wire.Dispensing) -> ElementTree.Element:
    return _node(
        "DiDateInf",
        _text("DiDate", _day(one.dispensed_on)),
        _text("PrDate", _day(one.prescribed_on)),
        _node("DrugInfs", *(_drug(drug) for drug in one.drugs)),
    )


def _drug(drug: wire.Drug) -> ElementTree.Element:
    return _node(
        "DrugInf",
        _text("DrugC", drug.code),
        _text("DrugN", drug.name),
        _text("Qua1", drug.amount),
        _text("Unit", drug.unit),
        _text("UsageN", drug.usage),
        _text("Times", str(drug.times)),
        _text("IngreN", drug.ingredient),
        _text("MeTrIdCl", ""),
    )


def _checkup(one: wire.CheckupResult) -> ElementTree.Element:
    items = (
        _node(
            "HealthCheckupResultAndQuestionInfo",
            _text("ItemCode", item.code),
            _text("ItemName", item.name),
            _text("DataType", item.kind),
            _text("DataValue", item.value),
            _text("Unit", item.unit),
            _text("Oid", ""),
            _text("DataValueName", item.meaning),
        )
        for item in one.items
    )
    return _node(
        "SpecificHealthCheckupInfo",
        _text("EffectiveTime", _day(one.day)),
        _node("HealthCheckupResultAndQuestionInfos", *items),
    )


def _day(day: date) -> str:
    return f"{day:%Y%m%d}".rjust(8, "0")


def _text(name: str, text: str) -> ElementTree.Element:
    element = ElementTree.Element(name)
    element.text = str(text)
    return element


def _node(name: str, *inside: ElementTree.Element) -> ElementTree.Element:
    element = ElementTree.Element(name)
    element.extend(inside)
    return element
