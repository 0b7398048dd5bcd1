"""The offer after the check-in: whether a patient is asked, the signed consent, the page for their own phone."""

import hashlib
import hmac
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from config import Config, Server
from consent.attributes.client import OperatorClient
from consent.attributes.ledger import KeptConsent, Ledger, LedgerError, ledger_file
from consent.attributes.nightly import kept_consent
from consent.attributes.rules import TEXT_VERSION, Attribute, ConsentState, period, statement
from consent.attributes.worklist import Patient, Worklist, WorklistError
from consent.eligibility import EligibilityClient, EligibilityError, Refused
from consent.signatures import Identity
from consent.wire import JAPAN
from reception.flow import AttributeOutcome

_log = logging.getLogger("reception.attributes")

Signer = Callable[[bytes], tuple[bytes, bytes]]
"""Signs a statement: returns the signature certificate (DER) and the signature."""


@dataclass(frozen=True)
class AttributeService:
    """What a terminal needs for the offer; its methods may be called from one thread at a time."""

    config: Config
    ledger: Ledger
    operator: OperatorClient
    server: EligibilityClient
    worklist: Worklist
    now: Callable[[], datetime]

    def items_for(self, certificate: bytes) -> tuple[str, ...]:
        """Return what this patient is asked for; nothing where a consent stands, or a no is not old enough.

        Trouble with the ledger is none of the patient's: then nothing is offered.
        """
        settings = self.config.attributes
        if not settings.offer:
            return ()
        customer = customer_of(self.config, certificate)
        try:
            declined = self.ledger.declined_on(customer)
            again = declined and declined + timedelta(days=settings.ask_again_days)
            if self.ledger.standing_of(customer) or (again and self._today() < again):
                return ()
        except LedgerError as error:
            _log.error("%s", error)
            return ()
        return settings.items

    def declined(self, certificate: bytes) -> None:
        """Note the no, so that the patient is not asked at every visit."""
        try:
            self.ledger.declined(customer_of(self.config, certificate), self._today())
        except LedgerError as error:
            _log.error("%s", error)

    def sign_up(
        self, visit: str, certificate: bytes, items: tuple[str, ...], sign: Signer
    ) -> AttributeOutcome:
        """Have the consent signed and handed in; errors of the card come from ``sign``."""
        consent = self._begun(certificate, items)
        institution = self.config.site.institution_code
        shown, signature = sign(statement(institution, consent.consent_id, consent.items))
        try:
            self._keep(visit, consent)
            answer = self.operator.sign_up(
                consent.consent_id, consent.customer, consent.items, shown, signature
            )
            self.ledger.keep_consents([kept_consent(answer, consent.customer, consent.items, TEXT_VERSION)])
        except (EligibilityError, LedgerError, WorklistError) as error:
            self._give_up(consent, error)
            return AttributeOutcome.NOT_RECORDED
        return AttributeOutcome.GIVEN

    def invite(self, visit: str, certificate: bytes, items: tuple[str, ...]) -> str:
        """Return the page on which the patient's own phone signs; empty when there is none now."""
        consent = self._begun(certificate, items)
        try:
            self._keep(visit, consent)
            return self.operator.invite(consent.consent_id, consent.customer, consent.items).url
        except (EligibilityError, LedgerError, WorklistError) as error:
            self._give_up(consent, error)
            return ""

    def _begun(self, certificate: bytes, items: tuple[str, ...]) -> KeptConsent:
        now = self.now()
        return KeptConsent(
            str(uuid.uuid4()),
            customer_of(self.config, certificate),
            tuple(Attribute(item) for item in items),
            TEXT_VERSION,
            now,
            period(now),
            ConsentState.INVITED,
            None,
        )

    def _keep(self, visit: str, consent: KeptConsent) -> None:
        """Write down what the clinic knows now, and that a consent may come: before anything is sent."""
        told = next(iter(self.server.result(visit).qualifications), None)
        known = {}
        if told is not None:
            known = {Attribute.NAME: told.name, Attribute.ADDRESS: told.address}
            known[Attribute.BIRTH_DATE] = told.birth_date.isoformat()
            known[Attribute.SEX] = str(told.sex)
        reference = told.reference_number if told is not None else ""
        asked = {each: text for each, text in known.items() if each in consent.items}
        self.worklist.keep_patient(Patient(consent.customer, reference, asked))
        self.ledger.keep_consents([consent])

    def _give_up(self, consent: KeptConsent, error: Exception) -> None:
        """Nothing was recorded that the patient knows of; what may have arrived is taken back by night."""
        _log.info("attributes: %s", error)
        refused = isinstance(error, Refused | LedgerError | WorklistError)
        state = ConsentState.ENDED if refused else ConsentState.TO_WITHDRAW
        try:
            self.worklist.forget_patient(consent.customer)
            self.ledger.keep_consents([replace(consent, state=state)])
        except (LedgerError, WorklistError) as again:
            _log.error("%s", again)

    def _today(self) -> date:
        return self.now().astimezone(JAPAN).date()


def customer_of(config: Config, certificate: bytes) -> str:
    """Return the number under which clinic and operator know a patient: it tells nothing without the certificate."""
    key = config.site.institution_code.encode("ascii")
    return hmac.digest(key, hashlib.sha256(certificate).digest(), "sha256").hex()[:32]


def operator_settings(config: Config, settings: Server) -> Server:
    """Return where the platform operator is, and how patiently it is asked."""
    return replace(settings, url=config.attributes.url or settings.url)


@contextmanager
def attribute_service(
    config: Config,
    ledger: Path | None,
    settings: Server,
    identity: Identity,
    server: EligibilityClient,
    now: Callable[[], datetime],
    sync: Callable[[int], None] | None = None,
) -> Iterator[AttributeService | None]:
    """Open what the offer needs; None where the clinic does not take part. Raises LedgerError."""
    if not config.attributes.offer:
        yield None
        return
    operator = OperatorClient(operator_settings(config, settings), identity, config.site)
    own = server.another()
    kept = Ledger(ledger)
    more = {"sync": sync} if sync else {}
    try:
        folder = Path(config.receipt.folder)
        worklist = Worklist(folder, config.receipt.encoding, **more)
        yield AttributeService(config, kept, operator, own, worklist, now)
    finally:
        operator.close()
        own.close()
        kept.close()


def ledger_of(config: Config, state: Path) -> Path:
    """Return where a configured terminal keeps the ledger."""
    return ledger_file(state, config.site.terminal_id)
