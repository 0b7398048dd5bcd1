"""The mock platform operator: knows which serial is which clinic's customer, and forgets attributes once passed on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import ocsp

from consent.attributes import wire
from consent.attributes.rules import Answer, Attribute, RevocationReason, statement
from consent.enrolment.state_files import Subject
from consent.server.identity import issuer_of, presented
from consent.server.jlis.registry import Registry, new_token, serial_text
from consent.server.jlis.store import PartiesStore, customers, invitations, matches
from consent.server.refusal import Refusal
from consent.server.revocation import check_signer
from consent.wire import from_base64

INVITED_FOR = timedelta(minutes=10)
"""How long the page for a patient's own phone can be signed."""
_AWAY = "JLIS_UNAVAILABLE"


class PlatformOperator:
    """Stands between clinics and J-LIS; every call gives an answer of the wire or raises Refusal.

    ``away``: says whether J-LIS cannot be reached at this moment. ``url``: where its pages for phones are.
    """

    def __init__(
        self,
        store: PartiesStore,
        registry: Registry,
        signature_ca: Callable[[], Subject],
        clock: Callable[[], datetime],
        away: Callable[[], bool],
        url: Callable[[], str],
    ) -> None:
        self._store, self._registry, self._clock = store, registry, clock
        self._signature_ca, self._is_away, self._url = signature_ca, away, url

    def _jlis(self) -> Registry:
        if self._is_away():
            raise Refusal(503, _AWAY, "J-LIS does not answer")
        return self._registry

    # --- Consents -----------------------------------------------------------------------------------------------

    def sign_up(self, asked: wire.SignedConsent) -> wire.ConsentAnswer:
        """Take a consent that the card signed, check it, and hand it on to J-LIS."""
        shown = presented(from_base64(asked.certificate))
        issuer_of(shown.certificate, [self._signature_ca().certificate], self._clock())
        signed = statement(asked.institution_code, asked.consent_id, asked.items)
        try:
            if not isinstance(shown.key, rsa.RSAPublicKey):
                raise InvalidSignature  # signature certificates of today's cards are RSA
            shown.key.verify(from_base64(asked.signature), signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise Refusal(403, "SIGNATURE_INVALID", "the signature does not fit") from None
        serial = serial_text(shown.certificate.serial_number)
        jlis = self._jlis()
        holder = jlis.holder_of(serial)
        if holder is None or jlis.successor(serial) is None:
            raise Refusal(403, "CERTIFICATE_REVOKED", "the signature certificate does not count")
        jlis.receive_consent(
            asked.consent_id, asked.institution_code, holder, asked.items, asked.text_version
        )
        self._know(asked.institution_code, asked.customer, asked.consent_id, serial)
        return self._answer(asked.consent_id, asked.institution_code)

    def _know(self, provider: str, customer: str, consent_id: str, serial: str) -> None:
        key = {"provider": provider, "customer": customer}
        with self._store.writing() as connection:
            connection.execute(sa.delete(customers).filter_by(**key))
            connection.execute(sa.insert(customers), key | {"consent_id": consent_id, "serial": serial})

    def _answer(self, consent_id: str, provider: str) -> wire.ConsentAnswer:
        known = self._registry.consents([consent_id], provider)
        if consent_id not in known:
            raise Refusal(404, "CONSENT_UNKNOWN", "there is no such consent")
        state, received, held = known[consent_id]
        return wire.ConsentAnswer(
            consent_id=consent_id,
            state=state,
            received_at=received,
            begins_at=held.begins_at,
            ends_at=held.ends_at,
        )

    def consents(self, asked: wire.ConsentsQuestion) -> wire.ConsentsStanding:
        """Ask J-LIS what these consents are worth."""
        known = self._jlis().consents(asked.consents, asked.institution_code)
        return wire.ConsentsStanding(
            states={each: worth[0] for each, worth in known.items()},
            received_at={each: worth[1] for each, worth in known.items()},
        )

    def withdraw(self, asked: wire.Withdrawal) -> wire.WithdrawnAnswer:
        """Have a consent withdrawn."""
        self._jlis().withdraw(asked.consent_id, asked.institution_code)
        return wire.WithdrawnAnswer()

    # --- The patient's own phone --------------------------------------------------------------------------------

    def invite(self, asked: wire.PhoneConsent) -> wire.Invitation:
        """Make a page on which the patient's phone can sign; the same consent gets the same page."""
        expires = self._clock() + INVITED_FOR
        row = {
            "token": new_token(),
            "consent_id": asked.consent_id,
            "provider": asked.institution_code,
            "customer": asked.customer,
            "items": [str(item) for item in asked.items],
            "text_version": asked.text_version,
            "expires_at": expires.isoformat(),
        }
        with self._store.writing() as connection:
            query = sa.select(invitations).where(invitations.c.consent_id == asked.consent_id)
            known = connection.execute(query).one_or_none()
            if known is None:
                connection.execute(sa.insert(invitations), row)
                token = str(row["token"])
            else:
                token, expires = known.token, datetime.fromisoformat(known.expires_at)
        return wire.Invitation(url=f"{self._url()}/portal/{token}", expires_at=expires)

    def invitation(self, token: str) -> Any:
        """Return an open invitation; raises Refusal."""
        with self._store.reading() as connection:
            query = sa.select(invitations).where(invitations.c.token == token)
            known = connection.execute(query).one_or_none()
        if known is None or self._clock() > datetime.fromisoformat(known.expires_at):
            raise Refusal(404, "INVITATION_UNKNOWN", "the page is no longer open")
        return known

    def signed_by_phone(self, token: str, serial: str) -> wire.ConsentAnswer:
        """Take the consent that a holder signed on the page of the portal."""
        known = self.invitation(token)
        jlis = self._jlis()
        holder = jlis.holder_of(serial)
        if holder is None:
            raise Refusal(403, "CERTIFICATE_REVOKED", "the signature certificate does not count")
        items = [Attribute(item) for item in known.items]
        jlis.receive_consent(known.consent_id, known.provider, holder, items, known.text_version)
        self._know(known.provider, known.customer, known.consent_id, serial)
        return self._answer(known.consent_id, known.provider)

    # --- Matching -----------------------------------------------------------------------------------------------

    def matches(self, asked: wire.MatchQuestion) -> wire.MatchesAnswer:
        """Compare the serials of a clinic's customers with the daily list, or ask for each of them."""
        jlis = self._jlis()
        with self._store.reading() as connection:
            rows = connection.execute(
                sa.select(customers).where(customers.c.provider == asked.institution_code)
            ).all()
        serials = [row.serial for row in rows]
        if asked.method == "crl":
            ended, requests = self._by_list(jlis.revocation_list(), set(serials)), 1
        else:
            ended, requests = self._one_by_one(jlis, serials), len(serials)
        found = [(row, ended[row.serial]) for row in rows if row.serial in ended]
        told = self._write_down(asked.institution_code, found)
        if asked.link_serials:
            self._follow_renewals(jlis, asked.institution_code, found)
        return wire.MatchesAnswer(
            matches=tuple(told[: wire.MOST_MATCHES]), customers=len(rows), authority_requests=requests
        )

    def _by_list(self, content: bytes, serials: set[str]) -> dict[str, RevocationReason]:
        listed = x509.load_der_x509_crl(content)
        ca = self._signature_ca().certificate.public_key()
        if not isinstance(ca, rsa.RSAPublicKey) or not listed.is_signature_valid(ca):
            raise Refusal(503, _AWAY, "the list is not J-LIS's")
        found = {}
        for entry in listed:
            serial = serial_text(entry.serial_number)
            if serial in serials:
                flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
                found[serial] = _REASONS[flag]
        return found

    def _one_by_one(self, jlis: Registry, serials: list[str]) -> dict[str, RevocationReason]:
        ca = self._signature_ca().certificate
        name_hash, key_hash = _issuer_hashes(ca)
        found = {}
        for serial in serials:
            request = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
                name_hash, key_hash, int(serial, 16), hashes.SHA256()
            )
            content = jlis.answer(request.build().public_bytes(serialization.Encoding.DER))
            answer = ocsp.load_der_ocsp_response(content)
            if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                raise Refusal(503, _AWAY, "J-LIS does not answer this question")
            if answer.serial_number != int(serial, 16):
                raise Refusal(503, _AWAY, "the answer is to another question")
            check_signer(answer, ca, self._clock())
            if answer.certificate_status is ocsp.OCSPCertStatus.REVOKED and answer.revocation_reason:
                found[serial] = _REASONS[answer.revocation_reason]
        return found

    def _write_down(self, provider: str, found: list[tuple[Any, RevocationReason]]) -> list[wire.Match]:
        """Give each match its number, once; tell those that are not dealt with."""
        with self._store.writing() as connection:
            query = sa.select(matches).where(matches.c.provider == provider)
            known = {(row.customer, row.serial): row for row in connection.execute(query)}
            new, told = [], []
            for row, reason in found:
                old = known.get((row.customer, row.serial))
                if old is not None and old.done:
                    continue
                match_id = old.match_id if old is not None else new_token()
                told.append(wire.Match(match_id=match_id, customer=row.customer, reason=reason))
                if old is None:
                    new.append(
                        {
                            "match_id": match_id,
                            "provider": provider,
                            "customer": row.customer,
                            "serial": row.serial,
                            "reason": str(reason),
                            "done": False,
                        }
                    )
            if new:
                connection.execute(sa.insert(matches), new)
        return told

    def _follow_renewals(
        self, jlis: Registry, provider: str, found: list[tuple[Any, RevocationReason]]
    ) -> None:
        """After a renewal nothing is newer: the customer goes on under the new serial."""
        for row, reason in found:
            if reason is RevocationReason.SUPERSEDED and (new := jlis.successor(row.serial)):
                self._link(provider, row.customer, new)

    def _link(self, provider: str, customer: str, serial: str) -> None:
        with self._store.writing() as connection:
            connection.execute(
                sa.update(customers)
                .where(customers.c.provider == provider, customers.c.customer == customer)
                .values(serial=serial)
            )

    def attributes(self, asked: wire.AttributesQuestion) -> wire.AttributesAnswer:
        """Pass the newest attributes of one customer on, and keep none of them."""
        jlis = self._jlis()
        with self._store.reading() as connection:
            match = connection.execute(
                sa.select(matches).where(matches.c.match_id == asked.match_id)
            ).one_or_none()
            consent_id = connection.scalar(
                sa.select(customers.c.consent_id).where(
                    customers.c.provider == asked.institution_code, customers.c.customer == asked.customer
                )
            )
        if match is None or (match.provider, match.customer) != (asked.institution_code, asked.customer):
            raise Refusal(404, "MATCH_UNKNOWN", "there is no such match")
        answer, given, charged = jlis.newest(
            asked.match_id, asked.institution_code, consent_id or "", match.serial, asked.items
        )
        if answer in (Answer.NEWER, Answer.NOTHING_NEWER):
            with self._store.writing() as connection:
                done = sa.update(matches).where(matches.c.match_id == asked.match_id)
                connection.execute(done.values(done=True))
            if asked.link_serials and (new := jlis.successor(match.serial)):
                self._link(asked.institution_code, asked.customer, new)
        return wire.AttributesAnswer(answer=answer, attributes=given, charged=charged)


def _issuer_hashes(ca: x509.Certificate) -> tuple[bytes, bytes]:
    name, key = hashes.Hash(hashes.SHA256()), hashes.Hash(hashes.SHA256())
    name.update(ca.subject.public_bytes())
    key.update(ca.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1))
    return name.finalize(), key.finalize()


_REASONS = {x509.ReasonFlags[reason.value]: reason for reason in RevocationReason}
