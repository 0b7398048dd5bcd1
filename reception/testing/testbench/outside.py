"""What happens away from the terminal on a bench: at the authority, at home, on the patient's phone, by night."""

import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from config import Config
from config.person import Person
from consent.attributes.ledger import Ledger
from consent.attributes.nightly import NightlyJob, Report, Settings
from consent.attributes.rules import ConsentState
from consent.attributes.wire import Method
from consent.attributes.worklist import Worklist
from consent.server.life import ActKind, LifeError, Medium
from reception.terminal.attributes import AttributeService
from reception.testing.testbench.trouble import BenchTrouble

if TYPE_CHECKING:
    from consent.server import EligibilityServer

_ANSWER_WITHIN_S = 10.0


class Outside:
    """The parties of one bench; ``service`` is the terminal's, or None where it offers nothing."""

    def __init__(self, config: Config, server: "EligibilityServer", now: Callable[[], datetime]) -> None:
        self._config, self._server, self._now = config, server, now
        self.service: AttributeService | None = None
        self.report: Report | None = None
        """Of the nightly job that ran last."""

    def act(self, person: Person, kind: str, medium: str = "card", reason: str = "") -> Person:
        """Do something to a person's certificates; return the person as they are now. Raises BenchTrouble."""
        try:
            self._server.parties.act(person, cast(ActKind, kind), cast(Medium, medium), reason)
        except LifeError as error:
            raise BenchTrouble(str(error)) from None
        return self._server.current(person)

    def move_house(self, person: Person, address: str, *, new_certificate: bool = True) -> None:
        """Let a person move to another address."""
        self._server.parties.act(person, "move", address=address, new_certificate=new_certificate)

    def sign_on_phone(self, person: Person, url: str) -> None:
        """Follow the QR code with the person's phone, and agree there."""
        form = urllib.parse.urlencode({"person": person.id, "answer": "given"}).encode()
        with urllib.request.urlopen(url, form, timeout=_ANSWER_WITHIN_S) as answer:  # noqa: S310 - our own server
            answer.read()

    def withdraw(self) -> None:
        """Let the patient take every consent back, in their own portal."""
        for consent in self._ledger.consents(ConsentState.COMING, ConsentState.STANDS, ConsentState.INVITED):
            self._server.parties.registry.withdraw(consent.consent_id)

    def nightly(self, method: str = "") -> Report:
        """Run the clinic's nightly job."""
        service = self._service
        settings = self._config.attributes
        job = NightlyJob(
            service.ledger,
            service.operator,
            self.worklist,
            Settings(cast(Method, method or settings.method), settings.link_serials, settings.yen_per_case),
            self._now,
        )
        self.report = job.run()
        return self.report

    def ask_anew(self) -> None:
        """Let nobody have agreed or declined so far."""
        for consent in self._ledger.consents():
            self._ledger.keep_consents([replace(consent, state=ConsentState.ENDED)])

    @property
    def worklist(self) -> Worklist:
        """The clinic's worklist."""
        return Worklist(Path(self._config.receipt.folder), self._config.receipt.encoding)

    @property
    def _service(self) -> AttributeService:
        if self.service is None:
            raise BenchTrouble("the clinic does not take part: attributes.offer is false")
        return self.service

    @property
    def _ledger(self) -> Ledger:
        return self._service.ledger
