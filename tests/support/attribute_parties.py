"""A clinic, an operator and J-LIS in one process, on a clock that the test sets."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from config.person import Person, PersonCard, PersonCertificate
from consent.attributes import wire
from consent.attributes.ledger import KeptConsent, Ledger
from consent.attributes.nightly import Desk, NightlyJob, Settings
from consent.attributes.rules import (
    TEXT_VERSION,
    Attribute,
    ConsentState,
    RevocationReason,
    period,
)
from consent.attributes.worklist import Patient, Worklist
from consent.server.certificates import Authority
from consent.server.jlis.parties import Parties
from consent.server.jlis.store import end_signers, insert_signers
from consent.wire import JAPAN

CLINIC = "1312345678"
ITEMS = (Attribute.NAME, Attribute.ADDRESS)
DAY = datetime(2026, 4, 1, 10, 0, tzinfo=JAPAN)
OLD_ADDRESS = "東京都千代田区一番町1-1"


class Killed(BaseException):
    """The process ends here, as by a power failure."""


class InProcess:
    """The operator's questions without HTTP; ``before`` is called ahead of each, with its number."""

    def __init__(self, parties: Parties) -> None:
        self._operator = parties.operator
        self.asked: list[str] = []
        self.items_asked: set[tuple[Attribute, ...]] = set()
        self.after = 0
        """Die after so many answers; 0: never."""
        self.answers = 0

    def _told(self) -> None:
        self.answers += 1
        if self.after and self.answers == self.after:
            raise Killed

    def consents(self, consent_ids: Sequence[str]) -> wire.ConsentsStanding:
        told = self._operator.consents(
            wire.ConsentsQuestion(institution_code=CLINIC, consents=tuple(consent_ids))
        )
        self._told()
        return told

    def withdraw(self, consent_id: str) -> bool:
        self._operator.withdraw(wire.Withdrawal(institution_code=CLINIC, consent_id=consent_id))
        return True

    def matches(self, method: wire.Method, *, link_serials: bool) -> wire.MatchesAnswer:
        told = self._operator.matches(
            wire.MatchQuestion(institution_code=CLINIC, method=method, link_serials=link_serials)
        )
        self._told()
        return told

    def attributes(
        self, match_id: str, customer: str, items: tuple[Attribute, ...], *, link_serials: bool
    ) -> wire.AttributesAnswer:
        self.asked.append(customer)
        self.items_asked.add(items)
        told = self._operator.attributes(
            wire.AttributesQuestion(
                institution_code=CLINIC,
                match_id=match_id,
                customer=customer,
                items=items,
                link_serials=link_serials,
            )
        )
        self._told()
        return told


class Town:
    """So many residents, all of them the clinic's customers with a consent that stands."""

    def __init__(
        self, folder: Path, state: Path, residents: int, items: tuple[Attribute, ...] = ITEMS
    ) -> None:
        self.now = DAY
        self.parties = Parties("sqlite://", Authority(state), lambda: self.now)
        self.operator = InProcess(self.parties)
        self.folder, self.items = folder, items
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.worklist = Worklist(folder, sync=lambda descriptor: None)
        self.people = [_resident(number) for number in range(residents)]
        registry = self.parties.registry
        registry.register_all([(person, self.serial(number)) for number, person in enumerate(self.people)])
        for number, person in enumerate(self.people):
            registry.receive_consent(consent(number), CLINIC, person.id, items, TEXT_VERSION)
        self._sign_up()
        self.now = DAY + timedelta(days=1)

    def serial(self, number: int) -> str:
        return f"{number + 1:x}"

    def _sign_up(self) -> None:
        import sqlalchemy as sa

        from consent.server.jlis.store import customers

        rows = [
            {
                "provider": CLINIC,
                "customer": customer(number),
                "consent_id": consent(number),
                "serial": self.serial(number),
            }
            for number in range(len(self.people))
        ]
        with self.parties.acts.writing() as connection:
            connection.execute(sa.insert(customers), rows)
        self.ledger.keep_consents(
            KeptConsent(
                consent(number),
                customer(number),
                self.items,
                TEXT_VERSION,
                DAY,
                period(DAY),
                ConsentState.COMING,
                None,
            )
            for number in range(len(self.people))
        )

    def know(self, number: int) -> None:
        """Let the clinic know a customer's name and address of before."""
        person = self.people[number]
        known = {Attribute.NAME: person.name, Attribute.ADDRESS: person.address}
        self.worklist.keep_patient(Patient(customer(number), f"{number:06}", known))

    def move(self, number: int, *, new_certificate: bool = True) -> None:
        """Let a resident move now."""
        self.parties.act(
            self.people[number], "move", address=f"大阪府大阪市{number}", new_certificate=new_certificate
        )

    def move_all(self, numbers: Sequence[int]) -> None:
        """Let many move at once."""
        holders = [self.people[number].id for number in numbers]
        with self.parties.acts.writing() as connection:
            end_signers(connection, holders, RevocationReason.AFFILIATION_CHANGED, self.now)
            insert_signers(
                connection, [(f"a{number:08x}", self.people[number].id, self.now) for number in numbers]
            )

    def job(self, method: wire.Method = "crl", **more: bool) -> NightlyJob:
        """The clinic's job, as a new process would have it."""
        return NightlyJob(
            self.ledger, self.operator, self.worklist, Settings(method, **more), lambda: self.now
        )

    def reopen(self) -> None:
        """Let the clinic's process end and start again."""
        self.ledger.close()
        self.ledger = Ledger(self.folder / "ledger.sqlite")

    @property
    def desk(self) -> Desk:
        return Desk(self.ledger, self.worklist, lambda: self.now)

    def midnight(self) -> None:
        """Let the next day come."""
        self.now = (self.now + timedelta(days=1)).replace(hour=0, minute=30)

    def close(self) -> None:
        self.ledger.close()
        self.parties.close()


def customer(number: int) -> str:
    return f"c0ffee-{number:08x}"


def consent(number: int) -> str:
    return f"c0de-{number:08x}"


def _resident(number: int) -> Person:
    card = PersonCard(expires=date(2035, 2, 17), security_code="2285", photo="astronaut")
    person = Person(
        name=f"住民{number}",
        name_kana="ｼﾞﾕｳﾐﾝ",
        birth_date=date(1980, 6, 17),
        sex=2,
        address=OLD_ADDRESS,
        card=card,
        certificate=PersonCertificate(expires=date(2030, 2, 17)),
    )
    return replace(person, id=f"resident-{number}")
