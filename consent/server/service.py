"""What the server does, without HTTP: every call gives an answer of the wire or a Refusal, and a line in the audit."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol, TypeAlias, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from config.insurance import Subsidy
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
from consent.coverage import coverage_by_number
from consent.enrolment.state_files import Subject
from consent.server import insurance
from consent.server.by_number import ByNumber, plain
from consent.server.identity import (
    Challenges,
    Terminal,
    check_proof,
    check_same_person,
    issuer_of,
    presented,
)
from consent.server.people import Holder, People
from consent.server.refusal import Refusal
from consent.server.revocation import RevocationAuthority, StatusQuestion
from consent.server.store import (
    PAGE,
    CardUseDiffers,
    ConsentsDiffer,
    Recorded,
    Store,
    StoredVisit,
    StoreUnavailable,
    VisitDiffers,
)

log = logging.getLogger("reception.server")

T = TypeVar("T")
Outcome: TypeAlias = Future[T | Refusal]
"""What a call comes to, once that is durable, with its line in the audit."""


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

    def identify(
        self, terminal: Terminal, request: wire.IdentificationRequest
    ) -> Outcome[wire.EligibilityAnswer]:
        """Identify somebody; asks the responder before it returns, and may wait for it."""
        note, opened = _Note(), False
        proven: tuple[Holder, Standing] | Exception
        try:
            nonce = self._challenges.opened(request.challenge_id, terminal.id)
            opened = True
            proven = self._proven(terminal, request, nonce, note)
        except Exception as error:
            proven = error

        def answer() -> wire.EligibilityAnswer:
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

        return self._audited("identify", terminal, request.visit_id, answer, note)

    def _proven(
        self, terminal: Terminal, request: wire.IdentificationRequest, nonce: bytes, note: _Note
    ) -> tuple[Holder, Standing]:
        """Return who it is and what the certificate is still good for; the responder is asked, nothing is kept."""
        shown = presented(wire.from_base64(request.certificate))
        trusted = (*self._authority.trusted_cas(), *self._trust_cas)
        ca = issuer_of(shown.certificate, trusted, self._clock())
        vouched = check_proof(request, terminal, shown, nonce)
        note.staff, note.reason = vouched.staff, vouched.reason
        holder = self._holder(shown.fingerprint)
        check_same_person(vouched.card_birth_date, holder.person.birth_date)
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
            status=insurance.status_of(person, self._today(), card_used=card_used),
            profile=request.profile,
            facility=request.facility,
            facility_kind=request.facility_kind,
            institution_code=request.institution_code,
            card_use_offered=not card_used,
            card_use=None,
            questions=(),
            identified_at=self._clock(),
        )
        return self._asking(person, visit)

    def _asking(self, person: Person, visit: StoredVisit) -> StoredVisit:
        """Return the visit with what its patient is asked on its day."""
        asked = insurance.asked_of(person, visit, _day_of(visit))
        held = self._subsidies(person, visit) if Item.MEDICAL_SUBSIDY in asked else {}
        return replace(visit, questions=asked, subsidies=tuple(held))

    def _subsidies(self, person: Person, visit: StoredVisit) -> dict[str, Subsidy]:
        """Return the certificates that hold on the day of a visit, by what stands for them in it."""
        return {
            self._store.subsidy_id(visit.visit_id, one.payer_number, one.beneficiary_number): one
            for one in insurance.subsidies_on(person, _day_of(visit))
        }

    # --- What the patient answers -------------------------------------------------------------------------------

    def answer_card_use(
        self, terminal: Terminal, visit_id: str, idempotency_key: str, request: wire.CardUseRequest
    ) -> Outcome[wire.EligibilityAnswer]:
        """Register the card's use as insurance card (利用申込), or note that the patient does not want it."""

        def answer() -> wire.EligibilityAnswer:
            visit = self._own_visit(terminal, visit_id, idempotency_key)
            if not visit.card_use_offered:
                raise Refusal(409, "CARD_USE_NOT_OFFERED", "the card's use is registered already")
            person = self._holder(visit.certificate_sha256).person
            status = insurance.status_of(person, self._today(), card_used=True)
            known = self._asking(person, replace(visit, status=status))
            try:
                self._store.answer_card_use(visit, request.answer, known, person.id)
            except CardUseDiffers:
                raise Refusal(409, "CARD_USE_DIFFERS", "this was answered otherwise before") from None
            return self._told(person, self._visit(visit_id))

        return self._audited("card-use", terminal, visit_id, answer)

    def record(
        self, terminal: Terminal, visit_id: str, idempotency_key: str, request: wire.ConsentsRequest
    ) -> Outcome[wire.ConsentsAnswer]:
        """Record the consents, once."""

        def answer() -> wire.ConsentsAnswer:
            visit = self._own_visit(terminal, visit_id, idempotency_key)
            _check_consents(visit, request)
            # What an earlier version recorded is acknowledged again.
            if not self._is_recorded(visit_id):
                _check_complete(visit, request)
            now = self._clock()
            subsidies = {one: request.subsidies[one] for one in visit.subsidies if one in request.subsidies}
            new = Recorded(
                dict(request.answers),
                recorded(request.answers, visit.profile, subsidies.values()),
                request.prescription,
                now,
                available_until(now),
                subsidies,
            )
            try:
                stands = self._store.record(visit_id, new)
            except ConsentsDiffer:
                raise Refusal(409, "CONSENTS_DIFFER", "other consents are recorded for this visit") from None
            holder = self._people.find(visit.certificate_sha256)
            return wire.ConsentsAnswer(
                recorded_at=stands.recorded_at,
                available_until=stands.available_until,
                limit_category=insurance.limit_of(holder.person, visit, self._today(), stands.answers)
                if holder
                else "",
                subsidies=self._used(holder.person, visit, stands.subsidies) if holder else (),
            )

        return self._audited("consents", terminal, visit_id, answer)

    def _is_recorded(self, visit_id: str) -> bool:
        known = self._store.visit_record(visit_id)
        return known is not None and known.recorded_at is not None

    def _used(
        self, person: Person, visit: StoredVisit, answers: Mapping[str, ConsentAnswer]
    ) -> tuple[wire.Subsidy, ...]:
        """Return the certificates that the patient uses on this visit; of the others nothing is told."""
        return tuple(
            insurance.used(one)
            for name, one in self._subsidies(person, visit).items()
            if answers.get(name) is ConsentAnswer.GIVEN
        )

    # --- What became of it --------------------------------------------------------------------------------------

    def visit(self, terminal: Terminal, visit_id: str) -> wire.VisitAnswer:
        """Return the record of a visit; only to the terminal that identified it."""
        found = self._store.visit_record(visit_id)
        if found is None:
            raise _visit_unknown()
        if found.terminal_id != terminal.id:
            raise _of_other_terminal()
        return found

    def visits(self, terminal: Terminal, since: datetime | None, after: str) -> wire.VisitsAnswer:
        """Return a page of the terminal's own visits, from ``since`` on, after the page that ended with ``after``."""
        try:
            begin = since.astimezone(wire.JAPAN).isoformat() if since else ""
        except OverflowError:
            raise Refusal(422, "REQUEST_INVALID", "not as expected: since") from None
        at, _, visit_id = after.partition("~")
        found = self._store.records(terminal.id, begin, (at, visit_id))
        last = f"{found[-1].identified_at.isoformat()}~{found[-1].visit_id}" if len(found) == PAGE else ""
        return wire.VisitsAnswer(visits=found, after=last)

    def result(self, terminal: Terminal, visit_id: str) -> Outcome[wire.ResultAnswer]:
        """Return what the receipt computer is told of a visit; only to the terminal that identified it."""

        def answer() -> wire.ResultAnswer:
            visit, record = self._own_visit(terminal, visit_id, visit_id), self.visit(terminal, visit_id)
            person = self._holder(visit.certificate_sha256).person
            limit = record.recorded_at is not None and provides_limit(visit.profile, record.answers)
            diseases = record.answers.get(Item.SPECIFIC_DISEASE) is ConsentAnswer.GIVEN
            day = _day_of(visit)
            found = () if insurance.withheld(visit) else insurance.covered(person, day).found
            reference = self._store.reference(visit.institution_code, person.id)
            return wire.ResultAnswer(
                visit=record,
                institution_code=visit.institution_code,
                limit_provided=limit,
                standing=visit.standing,
                qualifications=tuple(
                    insurance.qualification(person, one, day, reference, limit=limit, diseases=diseases)
                    for one in found
                ),
                conflicts=self._conflicts(visit.institution_code, person, reference),
                subsidies=self._used(person, visit, record.subsidies),
            )

        return self._audited("result", terminal, visit_id, answer)

    # --- By insurance, without a card ---------------------------------------------------------------------------

    def insured(self, terminal: Terminal, query: wire.InsuredQuery) -> Outcome[wire.InsuredAnswer]:
        """Answer a receipt computer that knows the numbers of the insurance; consents need the card."""

        def answer() -> wire.InsuredAnswer:
            return self._told_by_number(self._by_number(), query)

        return self._audited("insured", terminal, "", answer)

    def insured_many(self, terminal: Terminal, request: wire.InsuredQueries) -> Outcome[wire.InsuredAnswers]:
        """Answer many such questions at once, of a bulk request; one line in the audit."""

        def answer() -> wire.InsuredAnswers:
            known = self._by_number()
            return wire.InsuredAnswers(
                answers=tuple(self._told_by_number(known, query) for query in request.queries)
            )

        return self._audited("insured-bulk", terminal, "", answer)

    def _told_by_number(self, known: ByNumber, query: wire.InsuredQuery) -> wire.InsuredAnswer:
        found = known.find(query)
        if len(found) != 1:
            status = EligibilityStatus.AMBIGUOUS if found else EligibilityStatus.NOT_FOUND
            return wire.InsuredAnswer(status=status, qualifications=())
        person, day = found[0].person, query.day or self._today()
        born = person.birth_date
        covered = coverage_by_number(found[0].fitting, person.insurance.known(born), born, day)
        reference = self._store.reference(query.institution_code, person.id)
        told = tuple(
            insurance.qualification(person, one, day, reference, limit=query.limit_consent, diseases=False)
            for one in covered.found
        )
        return wire.InsuredAnswer(status=covered.status, qualifications=told)

    def register_reference(
        self, terminal: Terminal, request: wire.ReferenceRequest
    ) -> Outcome[wire.DoneAnswer]:
        """Keep the facility's own chart number of a person; later answers to this facility echo it.

        A number that is another person's is refused: which of the two it belongs to, staff must find out.
        """

        def answer() -> wire.DoneAnswer:
            person, number = self._one_insured(request), request.reference_number
            holders = self._store.holders_of_reference(request.institution_code, number)
            if holders - {person.id}:
                raise Refusal(409, "REFERENCE_NUMBER_TAKEN", "another person has this chart number here")
            self._store.keep_reference(request.institution_code, person.id, number, person.name_kana)
            return wire.DoneAnswer()

        return self._audited("reference", terminal, "", answer)

    def records(self, terminal: Terminal, query: wire.RecordsQuery) -> Outcome[wire.RecordsAnswer]:
        """Tell the drugs or checkups of somebody whose consent, given here by card, holds now."""

        def answer() -> wire.RecordsAnswer:
            person = self._one_insured(query)
            item = Item.MEDICATION if query.kind == "drugs" else Item.HEALTH_CHECKUP
            certificates = self._people.certificates_of(person.id)
            given = self._store.consents_of(certificates, query.institution_code)
            if not given:
                raise Refusal(403, "CONSENT_MISSING", "nothing was consented to here")
            # The newest visit counts: by it the patient may have taken back what was given before.
            if given[0].answers.get(item) is not ConsentAnswer.GIVEN:
                raise Refusal(403, "CONSENT_DECLINED", f"{item} was not consented to")
            if self._clock() >= given[0].available_until:
                raise Refusal(403, "CONSENT_EXPIRED", "the consent has ended")
            return insurance.records(person, query, self._today())

        return self._audited("records", terminal, "", answer)

    def listing(self, terminal: Terminal, query: wire.ListingQuery) -> Outcome[wire.ListingAnswer]:
        """List who has a medical ticket of a month, or gave a consent away from a terminal; in parts."""

        def answer() -> wire.ListingAnswer:
            everybody = sorted(self._people.persons(), key=lambda one: one.id)
            listed = [told for one in everybody for told in insurance.listed(one, query, self._today())]
            part = listed[query.after : query.after + wire.MOST_QUERIES]
            more = query.after + len(part) < len(listed)
            return wire.ListingAnswer(listed=tuple(part), more=more)

        return self._audited("listing", terminal, "", answer)

    def _one_insured(self, request: wire.InsuredRequest) -> Person:
        """Return whom the numbers fit for certain; raises Refusal."""
        found = self._by_number().find(request)
        if len(found) != 1:
            # A number goes to one person for certain, or to nobody.
            code = "INSURED_AMBIGUOUS" if found else "INSURED_UNKNOWN"
            raise Refusal(404, code, "not exactly one person is insured so")
        return found[0].person

    def _by_number(self) -> ByNumber:
        return ByNumber(self._people.persons())

    def _conflicts(self, institution_code: str, person: Person, reference: str) -> tuple[wire.Conflict, ...]:
        """Return why staff should look twice which chart is this person's; nothing is decided here."""
        found = []
        holders = self._store.holders_of_reference(institution_code, reference) if reference else set()
        if holders - {person.id}:
            found.append(wire.Conflict.NUMBER_SHARED)
        kana, born = plain(person.name_kana), person.birth_date
        if any(
            one.id != person.id and one.birth_date == born and plain(one.name_kana) == kana
            for one in self._people.persons(as_found=True)
        ):
            found.append(wire.Conflict.SAME_KANA_AND_BIRTH)
        if reference and self._store.kana_changed(institution_code, person.id, person.name_kana):
            found.append(wire.Conflict.NAME_CHANGED)
        return tuple(found)

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

    def _audited(
        self,
        action: str,
        terminal: Terminal,
        visit_id: str,
        do: Callable[[], T],
        note: _Note | None = None,
    ) -> Outcome[T]:
        """Do something, in one transaction with the audit's line: who did what with which outcome, whatever it is."""
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

        def noted(outcome: str) -> None:
            self._store.note(entry.model_copy(update={"outcome": outcome}))

        def done() -> T | Refusal:
            told: T | Refusal
            try:
                told = do()
            except Refusal as refusal:
                told = refusal
            noted(told.code if isinstance(told, Refusal) else "ok")
            return told

        return self._store.keep_together(done, lambda: noted("SERVER_ERROR"))

    def _told(self, person: Person, visit: StoredVisit) -> wire.EligibilityAnswer:
        reference = self._store.reference(visit.institution_code, person.id)
        conflicts = (
            () if insurance.withheld(visit) else self._conflicts(visit.institution_code, person, reference)
        )
        held = self._subsidies(person, visit) if visit.subsidies else {}
        offered = {name: held[name] for name in visit.subsidies if name in held}
        return insurance.eligibility(person, visit, self._today(), reference, conflicts, offered)

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
            raise _of_other_terminal()
        return visit

    def _today(self) -> date:
        return self._clock().astimezone(wire.JAPAN).date()


def _day_of(visit: StoredVisit) -> date:
    return visit.identified_at.astimezone(wire.JAPAN).date()


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
    if request.subsidies.keys() - set(visit.subsidies):
        raise Refusal(422, "SUBSIDY_UNKNOWN", "a certificate was not offered on this visit")
    # A subsidy is not given as a whole, only certificate by certificate.
    single = set(visit.questions) - {Item.MEDICAL_SUBSIDY}
    asked = {item: answer for item, answer in request.answers.items() if item in single}
    covered = recorded(asked, visit.profile)
    for item, answer in request.answers.items():
        # To decline what was not asked is harmless; to give it is not.
        if answer is ConsentAnswer.GIVEN and covered.get(item) is not ConsentAnswer.GIVEN:
            raise Refusal(409, "CONSENT_NOT_ASKED", f"{item} was not asked")


def _check_complete(visit: StoredVisit, request: wire.ConsentsRequest) -> None:
    """Refuse what leaves a question open, or a certificate."""
    if not set(visit.questions) - {Item.MEDICAL_SUBSIDY} <= request.answers.keys():
        raise Refusal(422, "CONSENTS_INCOMPLETE", "not every question is answered")
    if not set(visit.subsidies) <= request.subsidies.keys():
        raise Refusal(422, "CONSENTS_INCOMPLETE", "not every certificate is answered")


def _of_other_terminal() -> Refusal:
    return Refusal(403, "VISIT_OF_OTHER_TERMINAL", "another terminal identified this visit")


def _visit_unknown() -> Refusal:
    return Refusal(404, "VISIT_UNKNOWN", "there is no such visit")
