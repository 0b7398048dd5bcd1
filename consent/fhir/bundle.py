"""A visit's face file as a FHIR R4 Bundle: JP Core Patient, Coverage and Encounter, and a Consent of base R4.

Profiles, systems and identifiers: facts, receipt.md. JP Core's own Consent is a provisional dummy, so base R4 is used.
"""

import unicodedata
import uuid
from datetime import date, datetime, timedelta
from typing import Any

from fhir.resources.R4B.bundle import Bundle

from consent.receipt_files.content import (
    Confirmation,
    ConsentFlag,
    Insured,
    Relation,
    Sex,
    SubsidyCertificate,
    Validity,
)

JP_CORE = "http://jpfhir.jp/fhir/core/StructureDefinition"
JP_EXTENSION = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_Coverage_"
CHART_NUMBER = "urn:oid:1.2.392.100495.20.3.51.1"
"""Before the ten digits of the institution's code."""
MEMBER = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID"
INSURER = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsurerNumber"
INSTITUTION = "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no"
INSURANCE_KIND = "urn:oid:1.2.392.100495.20.2.61"
"""Code list of JP Core for kinds of insurance (保険種別コード); 8 is 公費."""
REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_GENDER = {Sex.MALE: "male", Sex.FEMALE: "female", Sex.NOT_STATED: "unknown"}
_VALID = (Validity.VALID, Validity.UNREGISTERED)
_ITEMS = {
    "medication": "薬剤情報",
    "diagnosis": "診療情報",
    "operation": "手術情報",
    "health_checkup": "特定健診情報",
}

Json = dict[str, Any]


def bundle_of(confirmation: Confirmation, visit_id: str, institution_code: str) -> bytes | None:
    """Return the Bundle of a visit as JSON; None where nobody is described.

    The ids follow from the visit's, so that a Bundle made twice is the same.
    """
    if not confirmation.insured:
        return None
    person = confirmation.insured[0]
    patient = _Entry(visit_id, "patient", _patient(person, institution_code))
    entries = [patient]
    for number, one in enumerate(confirmation.insured, 1):
        covers = confirmation.validity in _VALID or number > 1
        entries.append(_Entry(visit_id, f"coverage-{number}", _coverage(one, patient.url, covers=covers)))
    subsidies = [
        _Entry(visit_id, f"subsidy-{number}", _subsidy(one, patient.url))
        for number, one in enumerate(person.subsidies, 1)
    ]
    entries += subsidies
    if agreed := _consent(person, patient.url, [one.url for one in subsidies]):
        entries.append(_Entry(visit_id, "consent", agreed))
    entries.append(_Entry(visit_id, "encounter", _encounter(confirmation, patient.url, institution_code)))
    made = Bundle.model_validate(
        {
            "resourceType": "Bundle",
            "id": _uuid(visit_id, "bundle"),
            "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{_uuid(visit_id, 'bundle')}"},
            "type": "collection",
            "timestamp": _instant(confirmation.confirmed_at),
            "entry": [entry.json() for entry in entries],
        }
    )
    text: str = made.model_dump_json()
    return text.encode("utf-8")


class _Entry:
    """A resource with the address that the others know it by."""

    def __init__(self, visit_id: str, name: str, resource: Json) -> None:
        self._id, self._resource = _uuid(visit_id, name), resource
        self.url = f"urn:uuid:{self._id}"

    def json(self) -> Json:
        return {"fullUrl": self.url, "resource": {**self._resource, "id": self._id}}


def _patient(person: Insured, institution_code: str) -> Json:
    names = [_name(person.name, "IDE", "official")]
    if person.name_kana:
        # JP Core wants kana in full width.
        names.append(_name(unicodedata.normalize("NFKC", person.name_kana), "SYL", "official"))
    if person.other_name:
        names.append(_name(person.other_name, "IDE", "usual"))
    found: Json = {
        "resourceType": "Patient",
        "meta": {"profile": [f"{JP_CORE}/JP_Patient"]},
        "name": names,
        "gender": _GENDER[person.sex],
        "birthDate": person.birth_date.isoformat(),
    }
    if person.reference_number:
        system = CHART_NUMBER + institution_code
        found["identifier"] = [{"system": system, "value": person.reference_number}]
    if person.address:
        address: Json = {"use": "home", "text": person.address, "country": "JP"}
        found["address"] = [address | ({"postalCode": person.postal_code} if person.postal_code else {})]
    return found


def _name(name: str, representation: str, use: str) -> Json:
    family, *given = name.split()
    return {
        "extension": [{"url": REPRESENTATION, "valueCode": representation}],
        "use": use,
        "text": name,
        "family": family,
    } | ({"given": given} if given else {})


def _coverage(one: Insured, patient: str, *, covers: bool) -> Json:
    parts = {"Symbol": one.symbol, "Number": one.number, "SubNumber": one.branch}
    period: Json = {"start": one.qualified_from.isoformat()} if one.qualified_from else {}
    if one.disqualified_from:
        # The day of the loss is the first one without the insurance.
        period["end"] = _no_earlier(one.disqualified_from - timedelta(days=1), one.qualified_from)
    payor: Json = {"identifier": {"system": INSURER, "value": one.insurer_number}}
    if one.insurer_name:
        payor["display"] = one.insurer_name
    found: Json = {
        "resourceType": "Coverage",
        "meta": {"profile": [f"{JP_CORE}/JP_Coverage"]},
        "extension": [
            {"url": JP_EXTENSION + "InsuredPerson" + name, "valueString": text}
            for name, text in parts.items()
            if text
        ],
        "identifier": [{"system": MEMBER, "value": member_id(one)}],
        "status": "active" if covers else "cancelled",
        "beneficiary": {"reference": patient},
        "relationship": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/subscriber-relationship",
                    "code": "other" if one.relation is Relation.FAMILY else "self",
                }
            ]
        },
        "period": period,
        "payor": [payor],
    }
    share = one.elderly.share if one.elderly else one.share
    if share is not None:
        percent = {"value": share, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
        found["costToBeneficiary"] = [{"type": {"text": "患者負担割合"}, "valueQuantity": percent}]
    return {name: value for name, value in found.items() if value}


def _subsidy(one: SubsidyCertificate, patient: str) -> Json:
    """Return a 受給者証 as a Coverage of base R4: JP Core's is for insurances, and knows no public payer."""
    kind = {"coding": [{"system": INSURANCE_KIND, "code": "8", "display": "公費"}], "text": one.scheme}
    found: Json = {
        "resourceType": "Coverage",
        "identifier": [{"type": {"text": "公費受給者番号"}, "value": one.beneficiary_number}],
        "status": "active",
        "type": kind,
        "subscriberId": one.beneficiary_number,
        "beneficiary": {"reference": patient},
        "relationship": _coded("http://terminology.hl7.org/CodeSystem/subscriber-relationship", "self"),
        "period": {"start": one.valid_from.isoformat(), "end": one.valid_until.isoformat()},
        "payor": [
            {
                "identifier": {"type": {"text": "公費負担者番号"}, "value": one.payer_number},
                "display": one.scheme,
            }
        ],
    }
    if one.self_pay_yen is not None:
        most = {"value": one.self_pay_yen, "currency": "JPY"}
        found["costToBeneficiary"] = [{"type": {"text": "自己負担上限月額"}, "valueMoney": most}]
    return found


def member_id(one: Insured) -> str:
    """Return insurer, symbol, number and branch in one width, without blanks: ``00012345:記号:番号:05``."""
    symbol, number = (
        "".join(unicodedata.normalize("NFKC", text).split()) for text in (one.symbol, one.number)
    )
    return f"{one.insurer_number.rjust(8, '0')}:{symbol}:{number}:{one.branch}"


def _consent(person: Insured, patient: str, subsidies: list[str]) -> Json | None:
    """Return the Consent with the provisions that were given; None where none was.

    ``subsidies``: addresses of the certificates of medical subsidies that are used.
    """
    given = {name: getattr(person, name) for name in _ITEMS}
    given = {name: one for name, one in given.items() if one and one.flag is ConsentFlag.GIVEN}
    uses = person.subsidy_consent if subsidies else None
    at = next((one.given_at for one in (*given.values(), uses) if one), None)
    if at is None:
        return None
    provisions: list[Json] = [
        {
            "type": "permit",
            "period": {"start": _instant(one.given_at)} | ({"end": _instant(one.until)} if one.until else {}),
            "code": [{"text": _ITEMS[name]}],
        }
        for name, one in given.items()
    ]
    if uses and uses.given_at:
        provisions.append(
            {
                "type": "permit",
                "period": {"start": _instant(uses.given_at)},
                "code": [{"text": "医療費助成の受給者証"}],
                "data": [{"meaning": "instance", "reference": {"reference": url}} for url in subsidies],
            }
        )
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": _coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [_coded("http://loinc.org", "59284-0")],
        "patient": {"reference": patient},
        "dateTime": _instant(at),
        "policyRule": {"text": "オンライン資格確認における情報提供の同意"},
        # What is not permitted below is not.
        "provision": {"type": "deny", "provision": provisions},
    }


def _encounter(confirmation: Confirmation, patient: str, institution_code: str) -> Json:
    return {
        "resourceType": "Encounter",
        "meta": {"profile": [f"{JP_CORE}/JP_Encounter"]},
        "status": "arrived",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": patient},
        "period": {"start": _instant(confirmation.confirmed_at)},
        "serviceProvider": {"identifier": {"system": INSTITUTION, "value": institution_code}},
    }


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _no_earlier(day: date, first: date | None) -> str:
    """Return a last day; an insurance that was lost on its first day has none of its own."""
    return max(day, first or day).isoformat()


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _uuid(visit_id: str, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:reception:{visit_id}:{name}"))
