"""What a receipt computer asks in a scenario: a request into ``req``, and the code of its answer from ``res``."""

import re
import time
from pathlib import Path
from xml.sax.saxutils import escape

from config.person import Person

KINDS = {"eligibility": "OQSsiquc01", "drugs": "YZKsiquc01", "checkups": "TKKsiquc01"}
"""What may be asked, and the beginning of the file's name."""
PATIENCE_S = 15.0


def ask(folder: Path, kind: str, person: Person, institution_code: str, number: int) -> str:
    """Ask about a person; return the error code of the answer, "" for none, or "NO_ANSWER"."""
    name = f"{KINDS[kind]}req_{number:04}.xml"
    unfinished = folder / "req" / f"{name}.tmp"
    unfinished.write_text(_request(kind, person, institution_code), encoding="utf-8")
    unfinished.rename(folder / "req" / name)
    answer = folder / "res" / name.replace("req", "res", 1)
    end = time.monotonic() + PATIENCE_S
    while not answer.exists():
        if time.monotonic() > end:
            return "NO_ANSWER"
        time.sleep(0.05)
    text = answer.read_text(encoding="utf-8" if b"UTF-8" in answer.read_bytes()[:80] else "cp932")
    found = re.search("<(ErrorCode|ProcessingResultCode)>([A-Z_0-9]+)</", text)
    return found[2] if found else ""


def _request(kind: str, person: Person, institution_code: str) -> str:
    known = person.insurance.known(person.birth_date)
    if not known:
        return "<XmlMsg/>"
    one = known[-1]
    symbol, number = escape(one.symbol), escape(one.number)
    asked = f"<MedicalInstitutionCode>{institution_code}</MedicalInstitutionCode>"
    if kind == "eligibility":
        return (
            f"<XmlMsg><MessageHeader>{asked}</MessageHeader><MessageBody><QualificationConfirmSearchInfo>"
            f"<InsurerNumber>{one.insurer_number}</InsurerNumber><InsuredCardSymbol>{symbol}</InsuredCardSymbol>"
            f"<InsuredIdentificationNumber>{number}</InsuredIdentificationNumber>"
            f"<InsuredBranchNumber>{one.branch}</InsuredBranchNumber>"
            f"<Birthdate>{person.birth_date:%Y%m%d}</Birthdate>"
            "</QualificationConfirmSearchInfo></MessageBody></XmlMsg>"
        )
    return (
        f"<XmlMsg><MessageHeader>{asked}<InsurerNumber>{one.insurer_number}</InsurerNumber>"
        f"<InsuranceCardSymbol>{symbol}</InsuranceCardSymbol>"
        f"<InsuredPersonIdentificationNumber>{number}</InsuredPersonIdentificationNumber>"
        f"<BranchNumber>{one.branch}</BranchNumber></MessageHeader><MessageBody>"
        "<FileCategory>2</FileCategory></MessageBody></XmlMsg>"
    )
