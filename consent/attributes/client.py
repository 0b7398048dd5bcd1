"""The clinic's end of the service: each question that it asks the platform operator; it never asks J-LIS itself."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from config import Server, Site
from consent import wire as common
from consent.attributes import wire
from consent.attributes.rules import TEXT_VERSION, Attribute
from consent.eligibility.errors import Refused
from consent.signatures import Identity

if TYPE_CHECKING:
    from consent.eligibility.transport import Transport

PATH = "/operator/v1"


class Operator(Protocol):
    """The questions of the nightly job."""

    def consents(self, consent_ids: Sequence[str]) -> wire.ConsentsStanding:
        """Ask what consents are worth."""
        ...

    def withdraw(self, consent_id: str) -> bool:
        """Take a consent back; False: there is no such consent."""
        ...

    def matches(self, method: wire.Method, *, link_serials: bool) -> wire.MatchesAnswer:
        """Ask whose certificates have ended."""
        ...

    def attributes(
        self, match_id: str, customer: str, items: tuple[Attribute, ...], *, link_serials: bool
    ) -> wire.AttributesAnswer:
        """Ask for the newest attributes of one customer."""
        ...


class OperatorClient:
    """Asks one platform operator in the name of one clinic; every call raises EligibilityError.

    ``asked`` counts the questions that went out.
    """

    def __init__(self, settings: Server, identity: Identity, site: Site) -> None:
        self._settings, self._identity = settings, identity
        self._institution = site.institution_code
        self._opening = threading.Lock()
        self._opened: Transport | None = None
        self.asked = 0

    @property
    def _transport(self) -> "Transport":
        with self._opening:
            if self._opened is None:
                # Only here: importing requests takes 0.1 s, and most terminals never come to it.
                from consent.eligibility.transport import Transport

                self._opened = Transport(self._settings, self._identity)
            return self._opened

    def sign_up(
        self,
        consent_id: str,
        customer: str,
        items: tuple[Attribute, ...],
        certificate: bytes,
        signature: bytes,
    ) -> wire.ConsentAnswer:
        """Hand in a signed consent; a repeated consent_id is the same consent."""
        message = wire.SignedConsent(
            institution_code=self._institution,
            consent_id=consent_id,
            customer=customer,
            items=items,
            text_version=TEXT_VERSION,
            certificate=common.to_base64(certificate),
            signature=common.to_base64(signature),
        )
        self.asked += 1
        return self._transport.ask(
            "PUT", f"{PATH}/consents", wire.ConsentAnswer, message, idempotency_key=consent_id
        )

    def invite(self, consent_id: str, customer: str, items: tuple[Attribute, ...]) -> wire.Invitation:
        """Ask for the page on which the patient's own phone signs."""
        message = wire.PhoneConsent(
            institution_code=self._institution,
            consent_id=consent_id,
            customer=customer,
            items=items,
            text_version=TEXT_VERSION,
        )
        self.asked += 1
        return self._transport.ask("POST", f"{PATH}/invitations", wire.Invitation, message, retry=True)

    def consents(self, consent_ids: Sequence[str]) -> wire.ConsentsStanding:
        """Ask what these consents are worth, at most MOST_AT_ONCE."""
        message = wire.ConsentsQuestion(institution_code=self._institution, consents=tuple(consent_ids))
        self.asked += 1
        return self._transport.ask(
            "POST", f"{PATH}/consents/standing", wire.ConsentsStanding, message, retry=True
        )

    def withdraw(self, consent_id: str) -> bool:
        """Take a consent back for the patient; False: there is no such consent."""
        message = wire.Withdrawal(institution_code=self._institution, consent_id=consent_id)
        self.asked += 1
        try:
            self._transport.ask("POST", f"{PATH}/withdrawals", wire.WithdrawnAnswer, message, retry=True)
        except Refused as refused:
            if refused.code == "CONSENT_UNKNOWN":
                return False
            raise
        return True

    def matches(self, method: wire.Method, *, link_serials: bool) -> wire.MatchesAnswer:
        """Ask whose certificates have ended."""
        message = wire.MatchQuestion(
            institution_code=self._institution, method=method, link_serials=link_serials
        )
        self.asked += 1
        return self._transport.ask("POST", f"{PATH}/matches", wire.MatchesAnswer, message, retry=True)

    def attributes(
        self, match_id: str, customer: str, items: tuple[Attribute, ...], *, link_serials: bool
    ) -> wire.AttributesAnswer:
        """Ask for the newest attributes of one customer; again with the same match_id does not count twice."""
        message = wire.AttributesQuestion(
            institution_code=self._institution,
            match_id=match_id,
            customer=customer,
            items=items,
            link_serials=link_serials,
        )
        self.asked += 1
        return self._transport.ask(
            "POST", f"{PATH}/attributes", wire.AttributesAnswer, message, idempotency_key=match_id
        )

    def close(self) -> None:
        """End; a question that is on its way breaks off."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()
