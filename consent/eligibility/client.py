"""The terminal's end of eligibility confirmation (オンライン資格確認): each question that it asks the server."""

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from config import Consents, Profile, Server, Site
from consent import wire
from consent.choices import ConsentAnswer, EligibilityStatus, Item, PrescriptionForm, VisualReason
from consent.eligibility.answers import (
    Challenge,
    Eligibility,
    Receipt,
    VisitRecord,
    VisitResult,
    eligibility_of,
    visit_record_of,
)
from consent.eligibility.errors import BadAnswer, Refused

if TYPE_CHECKING:
    from consent.eligibility.transport import Transport


class TerminalIdentity(Protocol):
    """Who this terminal is to the server, with the key enrolled there."""

    @property
    def id(self) -> str: ...
    @property
    def private_key(self) -> rsa.RSAPrivateKey: ...


class EligibilityClient:
    """Asks one eligibility server; every call raises EligibilityError and ends within the configured budget."""

    def __init__(
        self,
        settings: Server,
        identity: TerminalIdentity,
        profile: Profile = "leaflet-2023",
        consents: Consents | None = None,
        site: Site | None = None,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._profile: Profile = profile
        self._facility = consents or Consents()
        self._site = site or Site()
        self._opening = threading.Lock()
        self._opened: Transport | None = None

    @property
    def _transport(self) -> "Transport":
        with self._opening:
            if self._opened is None:
                # Only here: importing requests takes 0.1 s, and a terminal is ready for a card without it.
                from consent.eligibility.transport import Transport

                self._opened = Transport(self._settings, self._identity)
            return self._opened

    def challenge(self) -> Challenge:
        """Fetch a challenge for one identification."""
        answer = self._transport.ask("POST", "/v1/challenges", wire.ChallengeAnswer)
        return Challenge(answer.id, wire.from_base64(answer.nonce), answer.expires_at)

    def identify_by_pin(
        self,
        visit_id: str,
        challenge: Challenge,
        certificate: bytes,
        signature: bytes,
        card_expires: date | None = None,
    ) -> Eligibility:
        """Identify by the card's signature over the challenge's nonce (RSA PKCS#1 v1.5, SHA-256).

        ``card_expires``, here and below: the card's own last day, where its face record was read.
        """
        return self._identify(visit_id, challenge, certificate, "pin", signature, None, card_expires)

    def identify_by_phone(
        self, visit_id: str, challenge: Challenge, certificate: bytes, signature: bytes
    ) -> Eligibility:
        """Identify by the signature of the certificate on a smartphone, as by PIN; such a one has no grace."""
        return self._identify(visit_id, challenge, certificate, "phone", signature, None)

    def identify_by_face(
        self,
        visit_id: str,
        challenge: Challenge,
        certificate: bytes,
        distance: float,
        card_expires: date | None = None,
        card_birth_date: str = "",
    ) -> Eligibility:
        """Identify by this terminal's signed word that the photo of the card matched at ``distance``.

        ``card_birth_date``, here and below: eight digits of the signed record that the photo stands in, by which the
        server knows whether photo and certificate are of one person.
        """
        assertion = wire.TerminalAssertion(
            **self._about(visit_id, challenge, certificate, card_birth_date),
            statement=wire.FACE_STATEMENT,
            distance=float(distance),
        )
        return self._vouch(visit_id, challenge, certificate, "face", assertion, card_expires)

    def identify_by_sight(
        self,
        visit_id: str,
        challenge: Challenge,
        certificate: bytes,
        staff: str,
        reason: VisualReason,
        card_expires: date | None = None,
        card_birth_date: str = "",
    ) -> Eligibility:
        """Identify by staff who compared the patient with the card's photo (目視確認).

        ``staff`` is an id of the facility's own, no name; both go into the server's audit. Raises ValueError when they
        are not as the wire has them.
        """
        assertion = wire.VisualAssertion(
            **self._about(visit_id, challenge, certificate, card_birth_date),
            statement=wire.VISUAL_STATEMENT,
            staff=staff,
            reason=reason,
        )
        return self._vouch(visit_id, challenge, certificate, "visual", assertion, card_expires)

    def answer_card_use(self, visit_id: str, answer: ConsentAnswer) -> Eligibility:
        """Answer the offer of card-use registration (利用申込), once; a yes brings the questions."""
        told = self._transport.ask(
            "PUT",
            f"{_visit_path(visit_id)}/card-use",
            wire.EligibilityAnswer,
            wire.CardUseRequest(answer=answer),
            idempotency_key=visit_id,
        )
        return eligibility_of(told)

    def send_consents(
        self,
        visit_id: str,
        answers: Mapping[Item, ConsentAnswer],
        prescription: PrescriptionForm | None = None,
        subsidies: Mapping[str, ConsentAnswer] | None = None,
    ) -> Receipt:
        """Record the answers exactly once, however often the connection breaks inside the budget.

        ``subsidies``: by the id of each certificate of a medical subsidy that was offered, whether it is used.
        """
        answer = self._transport.ask(
            "PUT",
            f"{_visit_path(visit_id)}/consents",
            wire.ConsentsAnswer,
            wire.ConsentsRequest(
                answers=dict(answers), prescription=prescription, subsidies=dict(subsidies or {})
            ),
            idempotency_key=visit_id,
        )
        return Receipt(answer.recorded_at, answer.available_until, answer.limit_category, answer.subsidies)

    def visit(self, visit_id: str) -> VisitRecord | None:
        """Fetch the record of a visit; None when the server knows none."""
        try:
            return visit_record_of(self._transport.ask("GET", _visit_path(visit_id), wire.VisitAnswer))
        except Refused as refusal:
            if refusal.code == "VISIT_UNKNOWN":
                return None
            raise

    def visits(self, since: datetime) -> Iterator[VisitRecord]:
        """Fetch the records of this terminal's own visits from a moment on, in order, page by page."""
        after = ""
        while True:
            query = urlencode({"since": since.isoformat(), "after": after})
            page = self._transport.ask("GET", f"/v1/visits?{query}", wire.VisitsAnswer, retry=True)
            yield from map(visit_record_of, page.visits)
            after = page.after
            if not after:
                return

    def result(self, visit_id: str) -> VisitResult:
        """Fetch what the receipt computer is told of a visit that this terminal identified; also after a restart."""
        answer = self._transport.ask("GET", f"{_visit_path(visit_id)}/result", wire.ResultAnswer, retry=True)
        return VisitResult(
            visit=visit_record_of(answer.visit),
            institution_code=answer.institution_code,
            limit_provided=answer.limit_provided,
            qualifications=answer.qualifications,
            standing=answer.standing,
            conflicts=answer.conflicts,
            subsidies=answer.subsidies,
        )

    def insured(self, query: wire.InsuredQuery) -> tuple[EligibilityStatus, tuple[wire.Qualification, ...]]:
        """Fetch the qualifications of a person by the numbers of the insurance, for the receipt computer's request."""
        answer = self._transport.ask("POST", "/v1/insured", wire.InsuredAnswer, query, retry=True)
        return answer.status, answer.qualifications

    def insured_many(self, queries: Sequence[wire.InsuredQuery]) -> tuple[wire.InsuredAnswer, ...]:
        """Fetch the answers to at most wire.MOST_QUERIES such questions at once, in their order."""
        asked = wire.InsuredQueries(queries=tuple(queries))
        told = self._transport.ask("POST", "/v1/insured/many", wire.InsuredAnswers, asked, retry=True)
        if len(told.answers) != len(queries):
            raise BadAnswer("the eligibility server answered another number of questions than it was asked")
        return told.answers

    def records(self, query: wire.RecordsQuery) -> wire.RecordsAnswer:
        """Fetch the drugs or checkups of a patient; refused (CONSENT_…) unless their consent holds now."""
        return self._transport.ask("POST", "/v1/records", wire.RecordsAnswer, query, retry=True)

    def listing(self, query: wire.ListingQuery) -> wire.ListingAnswer:
        """Fetch a part of those with a medical ticket, or with a consent given elsewhere."""
        return self._transport.ask("POST", "/v1/listings", wire.ListingAnswer, query, retry=True)

    def register_reference(self, request: wire.ReferenceRequest) -> None:
        """Register this facility's chart number (ReferenceNumber) of a person; again does no harm."""
        self._transport.ask("PUT", "/v1/reference-numbers", wire.DoneAnswer, request, retry=True)

    def audit(self) -> tuple[wire.AuditEntry, ...]:
        """Fetch the newest entries of the server's audit log, oldest first; nothing personal is in it.

        Only a client with the auditor's key may ask this.
        """
        return self._transport.ask("GET", wire.AUDIT_PATH, wire.AuditAnswer).entries

    def health(self) -> bool:
        """Say whether the server answers; never raises EligibilityError."""
        return self._transport.says_ok("/health")

    def ready(self, within_s: float) -> bool:
        """Say whether the server can serve a visit now, its database too; never raises EligibilityError."""
        return self._transport.says_ok("/ready", within_s)

    def another(self) -> "EligibilityClient":
        """Return a client of the same server for another thread, with a connection of its own."""
        return EligibilityClient(self._settings, self._identity, self._profile, self._facility, self._site)

    def clock_ahead_s(self) -> float:
        """Return how many seconds the server's clock is ahead of this machine's, to 1 s."""
        return self._transport.clock_ahead_s()

    def close(self) -> None:
        """End; a call that waits for its next try in another thread ends too."""
        self._transport.close()

    def _identify(
        self,
        visit_id: str,
        challenge: Challenge,
        certificate: bytes,
        method: wire.Method,
        signature: bytes,
        assertion: str | None,
        card_expires: date | None = None,
    ) -> Eligibility:
        request = wire.IdentificationRequest(
            visit_id=visit_id,
            challenge_id=challenge.id,
            method=method,
            certificate=wire.to_base64(certificate),
            signature=wire.to_base64(signature),
            assertion=assertion,
            card_expires=card_expires,
            profile=self._profile,
            facility=self._facility,
            facility_kind=self._site.facility_kind,
            institution_code=self._site.institution_code,
        )
        return eligibility_of(
            self._transport.ask("POST", "/v1/identifications", wire.EligibilityAnswer, request)
        )

    def _about(
        self, visit_id: str, challenge: Challenge, certificate: bytes, card_birth_date: str
    ) -> dict[str, Any]:
        """Return what binds an assertion to this terminal, visit, challenge, certificate and card."""
        return {
            "terminal_id": self._identity.id,
            "visit_id": visit_id,
            "nonce": wire.to_base64(challenge.nonce),
            "certificate_sha256": hashlib.sha256(certificate).hexdigest(),
            "time": wire.japan_now(),
            "card_birth_date": card_birth_date,
        }

    def _vouch(
        self,
        visit_id: str,
        challenge: Challenge,
        certificate: bytes,
        method: wire.Method,
        assertion: wire.Assertion,
        card_expires: date | None,
    ) -> Eligibility:
        text = assertion.canonical()
        signature = self._identity.private_key.sign(text.encode("utf-8"), padding.PKCS1v15(), hashes.SHA256())
        return self._identify(visit_id, challenge, certificate, method, signature, text, card_expires)


def _visit_path(visit_id: str) -> str:
    return f"/v1/visits/{quote(visit_id, safe='')}"
