"""What the server does, without HTTP: every call gives an answer of the wire or a Refusal, and a line in the audit."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from config.person import Person
from consent import wire
from consent.choices import (
    ConsentAnswer,
    EligibilityStatus,
    Item,
    Standing,
    available_until,
    confirms,
    provides_limit,
    recorded,
    standing,
)
from consent.enrolment.state_files import Subject
from consent.server import insurance
from consent.server.identity import Challenges, Terminal, check_proof, issuer_of, presented
from consent.server.people import Holder, People
from consent.server.refusal import Refusal
from consent.server.revocation import RevocationAuthority, StatusQuestion
from consent.server.store import (
    CardUseDiffers,
    ConsentsDiffer,
    Recorded,
    Store,
    StoredVisit,
    StoreUnavailable,
    VisitDiffers,
)

log = logging.getLogger("reception.server")


class Authority(RevocationAuthority, Protocol):
    """Whose certificates and terminals count; consent.server.certificates has the real one."""

    def certificate_for(self, person: Person) -> bytes: ...
    def signature_signer(self) -> Subject: ...
    def signature_status_signer(self) -> Subject: ...
    def signature_certificate_for(self, person: Person, *, make: bool) -> bytes: ...
    def trusted_cas(self) -> list[x509.Certificate]: ...
    def terminal_public_key(self, terminal_id: str) -> rsa.RSAPublicKey | None: ...


@dataclass
class _Note:
    """What the audit says of a call beside its outcome."""

    staff: str = ""
    reason: str = ""


class Service:
    """Identification, card-use registration, consents, results, chart numbers."""

    def __init__(
        self,
        people: People,
        authority: Authority,
        store: Store,
        clock: Callable[[], datetime],
        grace_months: int,
        trust_cas: Sequence[x509.Certificate],
        status: StatusQuestion,
    ) -> None:
        self._people = people
        self._authority = authority
        self._store = store
        self._clock = clock
        self._grace_months = grace_months
        self._trust_cas = tuple(trust_cas)
        self._status = status
        self._challenges = Challenges(store, clock)

    # --- Who asks, and who is it --------------------------------------------------------------------------------

    def enrolled(self, terminal_id: str) -> Terminal:
        key = self._authority.terminal_public_key(terminal_id) if terminal_id else None
        if key is None:
            raise Refusal(403, "TERMINAL_UNKNOWN", f"{wire.TERMINAL_HEADER} names no enrolled terminal")
        return Terminal(terminal_id, key)

    def challenge(self, terminal: Terminal) -> wire.ChallengeAnswer:
        return self._challenges.issue(terminal.id)

    def identify(self, terminal: Terminal, request: wire.IdentificationRequest) -> wire.EligibilityAnswer:
        note, opened = _Note(), False
        proven: tuple[Holder, Standing] | Exception
        try:
            nonce = self._challenges.opened(request.challenge_id, terminal.id)
            opened = True
            proven = self._proven(terminal, request, nonce, note)
        except Exception as error:
            proven = error
        with self._audited("identify", terminal, request.visit_id, note):
            if opened:
                # By a failed try, too; and whatever else is wrong, that it was used before comes first.
                self._challenges.spend(request.challenge_id)
            if isinstance(proven, Exception):
                raise proven
            holder, good_for = proven
            visit = self._new_visit(terminal, request, holder, good_for)
            try:
                self._store.keep_visit(visit)
            except VisitDiffers:
                raise Refusal(409, "VISIT_DIFFERS", "this visit id belongs to another visit") from None
            return self._told(holder.person, visit)

    def _proven(
        self, terminal: Terminal, request: wire.IdentificationRequest, nonce: bytes, note: _Note
    ) -> tuple[Holder, Standing]:
        """Return who it is and what the certificate is still good for; the responder is asked, nothing is kept."""
        shown = presented(wire.from_base64(request.certificate))
        ca = issuer_of(shown.certificate, (*self._authority.trusted_cas(), *self._trust_cas))
        vouched = check_proof(request, terminal, shown, nonce)
        note.staff, note.reason = vouched.staff, vouched.reason
        holder = self._holder(shown.fingerprint)
        if request.method == "visual" and holder.person.card.kind == "no-photo":
            raise Refusal(403, "VISUAL_NOT_POSSIBLE", "a card without photo shows nobody")
        good_for = self._still_good(shown.certificate, holder.person, request)
        self._check_status(shown.certificate, ca, holder.person)
        return holder, good_for

    def _still_good(
        self, certificate: x509.Certificate, person: Person, request: wire.IdentificationRequest
    ) -> Standing:
        now, card = self._clock(), person.card
        if now < certificate.not_valid_before_utc:
            raise Refusal(403, "CERTIFICATE_NOT_YET_VALID", "the certificate is not valid yet")
        # No certificate outlives the card it belongs to, and one on a phone ends without grace.
        last_day = certificate.not_valid_after_utc.astimezone(wire.JAPAN).date()
        on_phone = request.method == "phone" or card.kind.startswith("phone-")
        grace = None if on_phone else self._grace_months
        last_day = min(last_day, card.expires, request.card_expires or last_day)
        good_for = standing(last_day, self._today(), grace)
        if good_for is Standing.EXPIRED:
            raise Refusal(403, "CERTIFICATE_EXPIRED", "the certificate has expired")
        return good_for

    def _check_status(self, certificate: x509.Certificate, ca: x509.Certificate, person: Person) -> None:
        # Our responder knows nothing of the cards of a CA that the site added; there the person file's word counts.
        ours = ca in self._authority.trusted_cas()
        match self._status.ask(certificate, ca) if ours else person.certificate.status:
            case "revoked":
                raise Refusal(403, "CERTIFICATE_REVOKED", "the certificate was revoked")
            case "on-hold":
                raise Refusal(403, "CERTIFICATE_ON_HOLD", "the certificate is on hold")
            case "unknown":
                raise Refusal(403, "CERTIFICATE_STATUS_UNKNOWN", "the certificate's status is unknown")
            case "good":
                return

    def _new_visit(
        self, terminal: Terminal, request: wire.IdentificationRequest, holder: Holder, good_for: Standing
    ) -> StoredVisit:
        person = holder.person
        card_used = person.insurance.registered or self._store.uses_card(person.id)
        visit = StoredVisit(
            visit_id=request.visit_id,
            terminal_id=terminal.id,
            certificate_sha256=holder.fingerprint,
            method=request.method,
            standing=good_for,
            status=insurance.status_of(person, card_used=card_used),
            profile=request.profile,
            facility=request.facility,
            facility_kind=request.facility_kind,
            institution_code=request.institution_code,
            card_use_offered=not card_used,
            card_use=None,
            questions=(),
            identified_at=self._clock(),
        )
        return replace(visit, questions=insurance.asked_of(person, visit, self._today()))

    # --- What the patient answers -------------------------------------------------------------------------------

    def answer_card_use(
        self, terminal: Terminal, visit_id: str, idempotency_key: str, request: wire.CardUseRequest
    ) -> wire.EligibilityAnswer:
        """Register the card's use as insurance card (利用申込), or note that the patient does not want it."""
        with self._audited("card-use", terminal, visit_id):
            visit = self._own_visit(terminal, visit_id, idempotency_key)
            if not visit.card_use_offered:
                raise Refusal(409, "CARD_USE_NOT_OFFERED", "the card's use is registered already")
            person = self._holder(visit.certificate_sha256).person
            known = replace(visit, status=insurance.status_of(person, card_used=True))
            known = replace(known, questions=insurance.asked_of(person, known, self._today()))
            try:
                self._store.answer_card_use(visit, request.answer, known, person.id)
            except CardUseDiffers:
                raise Refusal(409, "CARD_USE_DIFFERS", "this was answered otherwise before") from None
            return self._told(person, self._visit(visit_id))

    def record(
        self, terminal: Terminal, visit_id: str, idempotency_key: str, request: wire.ConsentsRequest
    ) -> wire.ConsentsAnswer:
        """Record the consents, once."""
        with self._audited("consents", terminal, visit_id):
            visit = self._own_visit(terminal, visit_id, idempotency_key)
            _check_consents(visit, request)
            now = self._clock()
            answers = recorded(request.answers, visit.profile)
            new = Recorded(dict(request.answers), answers, request.prescription, now, available_until(now))
            try:
                stands = self._store.record(visit_id, new)
            except ConsentsDiffer:
                raise Refusal(409, "CONSENTS_DIFFER", "other consents are recorded for this visit") from None
            holder = self._people.find(visit.certificate_sha256)
            return wire.ConsentsAnswer(
                recorded_at=stands.recorded_at,
                available_until=stands.available_until,
                limit_category=insurance.limit_of(holder.person, visit, stands.answers) if holder else "",
            )

    # --- What became of it --------------------------------------------------------------------------------------

    def visit(self, visit_id: str) -> wire.VisitAnswer:
        found = self._store.visit_record(visit_id)
        if found is None:
            raise _visit_unknown()
        return found

    def visits(self) -> wire.VisitsAnswer:
        return wire.VisitsAnswer(visits=self._store.records())

    def result(self, terminal: Terminal, visit_id: str) -> wire.ResultAnswer:
        """Return what the receipt computer is told of a visit; only to the terminal that identified it."""
        with self._audited("result", terminal, visit_id):
            visit, record = self._own_visit(terminal, visit_id, visit_id), self.visit(visit_id)
            person = self._holder(visit.certificate_sha256).person
            limit = record.recorded_at is not None and provides_limit(visit.profile, record.answers)
            told = insurance.qualification(
                person,
                visit.identified_at.astimezone(wire.JAPAN).date(),
                self._store.reference(visit.institution_code, person.id),
                limit=limit,
                diseases=record.answers.get(Item.SPECIFIC_DISEASE) is ConsentAnswer.GIVEN,
            )
            return wire.ResultAnswer(
                visit=record,
                institution_code=visit.institution_code,
                limit_provided=limit,
                qualification=None if insurance.withheld(visit) else told,
            )

    # --- By insurance, without a card ---------------------------------------------------------------------------

    def insured(self, terminal: Terminal, query: wire.InsuredQuery) -> wire.InsuredAnswer:
        """Answer a receipt computer that knows the numbers of the insurance; consents need the card."""
        with self._audited("insured", terminal, ""):
            found = self._insured(query)
            if len(found) != 1:
                status = EligibilityStatus.AMBIGUOUS if found else EligibilityStatus.NOT_FOUND
                return wire.InsuredAnswer(status=status, qualification=None)
            person = found[0]
            reference = self._store.reference(query.institution_code, person.id)
            told = insurance.qualification(
                person, self._today(), reference, limit=query.limit_consent, diseases=False
            )
            return wire.InsuredAnswer(status=EligibilityStatus(person.insurance.validity), qualification=told)

    def register_reference(self, terminal: Terminal, request: wire.ReferenceRequest) -> wire.DoneAnswer:
        """Keep the facility's own chart number of a person; later answers to this facility echo it."""
        with self._audited("reference", terminal, ""):
            found = self._insured(request)
            if len(found) != 1:
                # A number goes to one person for certain, or to nobody.
                code = "INSURED_AMBIGUOUS" if found else "INSURED_UNKNOWN"
                raise Refusal(404, code, "not exactly one person is insured so")
            self._store.keep_reference(request.institution_code, found[0].id, request.reference_number)
            return wire.DoneAnswer()

    def _insured(self, request: wire.InsuredRequest) -> list[Person]:
        return [person for person in self._people.persons() if _fits(person, request)]

    # --- Helpers ------------------------------------------------------------------------------------------------

    def check_ready(self) -> None:
        """Raise StoreUnavailable unless requests can be answered."""
        self._store.check()

    def note_refusal(self, who: str, code: str) -> None:
        """Note what was refused before it came to a call; without the database, only the log has it."""
        log.info("refused %s: %s", who or "a connection", code)
        entry = wire.AuditEntry(
            number=0,
            time=self._clock(),
            terminal_id=who[:40],
            action="connect",
            outcome=code,
            visit_id="",
            staff="",
            reason="",
        )
        try:
            self._store.note(entry)
        except StoreUnavailable:
            log.info("a refusal is not in the audit: the database does not answer")

    def audit(self) -> wire.AuditAnswer:
        return wire.AuditAnswer(entries=self._store.audit())

    @contextmanager
    def _audited(
        self, action: str, terminal: Terminal, visit_id: str, note: _Note | None = None
    ) -> Iterator[None]:
        """Note who did what with which outcome, whatever it is, in one transaction with what was done."""
        entry = wire.AuditEntry(
            number=0,
            time=self._clock(),
            terminal_id=terminal.id,
            action=action,
            outcome="ok",
            visit_id=visit_id,
            staff=note.staff if note else "",
            reason=note.reason if note else "",
        )
        refused: Refusal | None = None
        try:
            with self._store.together():
                try:
                    yield
                except Refusal as refusal:
                    refused = refusal
                outcome = refused.code if refused else "ok"
                self._store.note(entry.model_copy(update={"outcome": outcome}))
        except Exception:
            self._store.note(entry.model_copy(update={"outcome": "SERVER_ERROR"}))
            raise
        if refused:
            raise refused

    def _told(self, person: Person, visit: StoredVisit) -> wire.EligibilityAnswer:
        reference = self._store.reference(visit.institution_code, person.id)
        return insurance.eligibility(person, visit, self._today(), reference)

    def _holder(self, fingerprint: str) -> Holder:
        holder = self._people.find(fingerprint)
        if holder is None:
            raise Refusal(404, "PERSON_UNKNOWN", "nobody here holds this certificate")
        return holder

    def _visit(self, visit_id: str) -> StoredVisit:
        visit = self._store.visit(visit_id)
        if visit is None:
            raise _visit_unknown()
        return visit

    def _own_visit(self, terminal: Terminal, visit_id: str, idempotency_key: str) -> StoredVisit:
        if idempotency_key != visit_id:
            raise Refusal(409, "IDEMPOTENCY_KEY_INVALID", f"{wire.IDEMPOTENCY_HEADER} must be the visit's id")
        visit = self._visit(visit_id)
        if visit.terminal_id != terminal.id:
            raise Refusal(403, "VISIT_OF_OTHER_TERMINAL", "another terminal identified this visit")
        return visit

    def _today(self) -> date:
        return self._clock().astimezone(wire.JAPAN).date()


def _check_consents(visit: StoredVisit, request: wire.ConsentsRequest) -> None:
    """Refuse what this visit cannot have been asked."""
    if insurance.withheld(visit):
        declined = visit.card_use is ConsentAnswer.DECLINED
        code = "CARD_USE_DECLINED" if declined else "CARD_USE_NOT_ANSWERED"
        raise Refusal(409, code, "the card's use as insurance card is not registered")
    if not confirms(visit.status):
        raise Refusal(409, "ELIGIBILITY_NOT_CONFIRMED", "there is no valid insurance to consent for")
    if request.prescription is not None and not insurance.offers_form(visit):
        raise Refusal(409, "PRESCRIPTION_NOT_OFFERED", "the form of a prescription was not asked")
    asked = {item: answer for item, answer in request.answers.items() if item in visit.questions}
    covered = recorded(asked, visit.profile)
    for item, answer in request.answers.items():
        # To decline what was not asked is harmless; to give it is not.
        if answer is ConsentAnswer.GIVEN and covered.get(item) is not ConsentAnswer.GIVEN:
            raise Refusal(409, "CONSENT_NOT_ASKED", f"{item} was not asked")


def _fits(person: Person, request: wire.InsuredRequest) -> bool:
    """Compare the numbers; a branch number that is left out fits any."""
    known = person.insurance
    return (
        known.insurer_number.lstrip("0") == request.insurer_number.lstrip("0")
        and (known.symbol, known.number) == (request.symbol, request.number)
        and request.branch in ("", known.branch)
        and request.birth_date in (None, person.birth_date)
    )


def _visit_unknown() -> Refusal:
    return Refusal(404, "VISIT_UNKNOWN", "there is no such visit")
