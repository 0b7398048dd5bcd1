"""A clinic's ledger and worklist with one change of an address on it."""

from datetime import datetime
from pathlib import Path

from consent.attributes.ledger import CaseState, KeptCase, Ledger
from consent.attributes.rules import Attribute, RevocationReason
from consent.attributes.worklist import Patient, Worklist
from consent.wire import JAPAN
from reception.counter.changes import Changes

AT = datetime(2026, 4, 2, 2, 0, tzinfo=JAPAN)
OLD_ADDRESS, NEW_ADDRESS = "東京都千代田区一番町1-1", "大阪府大阪市北区<梅田>2"
MATCH, CUSTOMER = "0a1b2c3d-0000", "aabbccdd00"


class Clinic:
    """A ledger and a worklist with one change on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ledger, self.worklist = folder, Ledger(None), Worklist(folder)
        self.changes = Changes(self.ledger, self.worklist, lambda: AT)
        known = {Attribute.NAME: "見本 花子", Attribute.ADDRESS: OLD_ADDRESS, Attribute.SEX: "2"}
        self.worklist.keep_patient(Patient(CUSTOMER, "A-100", known))
        reason = RevocationReason.AFFILIATION_CHANGED
        self.ledger.found([KeptCase(MATCH, CUSTOMER, "consent-1", reason, AT, CaseState.DELIVERED)])
        self.worklist.put(MATCH, CUSTOMER, AT, {Attribute.NAME: "見本　花子", Attribute.ADDRESS: NEW_ADDRESS})

    def notes(self) -> list[str]:
        return [path.read_text("utf-8") for path in self.folder.rglob("AttributeNote_*.xml")]
