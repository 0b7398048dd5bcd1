"""Samples of the receipt computer's files, and a look into a file without this project's own parser."""

import re
from datetime import date
from xml.etree import ElementTree

from consent.receipt_files.content import Insured, Relation, Sex

INSTITUTION = "1311111111"

HANAKO = Insured(
    name="診療　花子",
    birth_date=date(1980, 6, 17),
    sex=Sex.FEMALE,
    name_kana="ｼﾝﾘｮｳ ﾊﾅｺ",
    insurer_number="123456",
    symbol="12-34",
    number="4260",
    branch="01",
    relation=Relation.INSURED,
    share=10,
    address="東京都",
    postal_code="123-4567",
    insurer_name="東京都",
)

QUERY = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<XmlMsg><MessageHeader><QualificationConfirmationDate>20260401</QualificationConfirmationDate>
<MedicalInstitutionCode>1311111111</MedicalInstitutionCode>
<ArbitraryFileIdentifier>f-1</ArbitraryFileIdentifier></MessageHeader>
<MessageBody><QualificationConfirmSearchInfo><InsurerNumber>  123456</InsurerNumber>
<InsuredCardSymbol/><InsuredIdentificationNumber>4260</InsuredIdentificationNumber>
<InsuredBranchNumber>01</InsuredBranchNumber><Birthdate>19800617</Birthdate>
<LimitApplicationCertificateRelatedConsFlg>1</LimitApplicationCertificateRelatedConsFlg>
<ArbitraryIdentifier>a-1</ArbitraryIdentifier>
</QualificationConfirmSearchInfo></MessageBody></XmlMsg>"""

REGISTRATION = """<?xml version="1.0" encoding="Shift_JIS" standalone="no"?>
<XmlMsg><MessageHeader><MedicalInstitutionCode>1311111111</MedicalInstitutionCode></MessageHeader>
<MessageBody><ReferenceNumberRegistrationInfo><ReferenceNumber>0024434</ReferenceNumber>
<InsurerNumber>06139999</InsurerNumber><InsuredCardSymbol>記号</InsuredCardSymbol>
<InsuredIdentificationNumber>4260</InsuredIdentificationNumber>
</ReferenceNumberRegistrationInfo></MessageBody></XmlMsg>"""


def tree(data: bytes) -> ElementTree.Element:
    """The file as any reader sees it, without this project's own parser."""
    text = data.decode("cp932" if b"Shift_JIS" in data[:80] else "utf-8")
    return ElementTree.fromstring(re.sub(r"^<\?xml.*?\?>", "", text))


def texts(data: bytes) -> dict[str, str]:
    return {element.tag: element.text or "" for element in tree(data).iter()}
