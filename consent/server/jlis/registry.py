"""J-LIS, as far as the service needs it: residents, signature certificates, CRL, OCSP, consents, newest attributes."""

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from config.person import Person
from consent.attributes.rules import (
    Answer,
    Attribute,
    ConsentState,
    Period,
    RevocationReason,
    period,
    state_of,
)
from consent.enrolment.state_files import Subject
from consent.server.jlis.store import (
    PartiesStore,
    consents,
    deliveries,
    end_signers,
    insert_act,
    insert_signers,
    residents,
    signers,
)
from consent.server.life import REASONS, Act, ActKind, LifeError, Medium, check, next_expiry
from consent.server.refusal import Refusal
from consent.wire import JAPAN

OCSP_EVERY = timedelta(minutes=15)
"""How often the responder's database is renewed."""


class SignatureAuthority(Protocol):
    """Who issues signature certificates."""

    def signature_signer(self) -> Subject: ...
    def signature_status_signer(self) -> Subject: ...
    def signature_certificate_for(self, person: Person, *, make: bool) -> bytes: ...


class Registry:
    """The mock J-LIS; safe to use from several threads. Answers like a certificate authority, in DER."""

    def __init__(
        self, store: PartiesStore, authority: SignatureAuthority, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._authority, self._clock = store, authority, clock
        self.people: Callable[[], Iterable[Person]] = tuple
        """Everybody whose card the authority may have issued, each as they are now."""
        self._lock = threading.Lock()
        self._list: tuple[datetime, bytes] | None = None
        self._snapshot: tuple[datetime, dict[str, tuple[str, datetime] | None]] | None = None

    # --- The life of certificates -------------------------------------------------------------------------------

    def act(
        self,
        person: Person,
        kind: ActKind,
        medium: Medium = "card",
        reason: str = "",
        *,
        at: datetime | None = None,
        address: str = "",
        name: str = "",
        new_certificate: bool = True,
    ) -> Act:
        """Do something to a person's certificates, now or ``at``; raises LifeError.

        ``move``: the address or name changes, which ends the signature certificate only; ``new_certificate``: the
        municipality issues the next one at once.
        """
        moment = at or self._clock()
        expires = None
        if kind in ("issue", "renew"):
            expires = next_expiry(person.birth_date, moment.astimezone(JAPAN).date())
            if medium == "phone":
                # It ends with the card's.
                expires = min(expires, person.card.expires)
        act = Act(moment, person.id, kind, medium, reason, expires)
        check(person, self._store.acts_of(person.id), act)
        self.register(person)
        with self._store.writing() as connection:
            insert_act(connection, act)
            if medium == "card":
                self._follow_signature(connection, act, new_certificate=new_certificate)
            if kind == "move":
                changed = {key: text for key, text in (("address", address), ("name", name)) if text}
                if not changed:
                    raise LifeError("move: say the new --address, or the new --name")
                connection.execute(
                    sa.update(residents).where(residents.c.holder == person.id).values(**changed)
                )
        return act

    def _follow_signature(self, connection: sa.Connection, act: Act, *, new_certificate: bool) -> None:
        """Do to the signature certificate what the act means for it."""
        at, mine = act.at, signers.c.holder == act.person
        held = mine & (signers.c.reason == RevocationReason.HOLD)
        match act.kind:
            case "suspend":
                connection.execute(
                    sa.update(signers)
                    .where(mine, signers.c.ended_at.is_(None))
                    .values(ended_at=at.isoformat(), reason=RevocationReason.HOLD.value)
                )
                return
            case "resume":
                connection.execute(sa.update(signers).where(held).values(ended_at=None, reason=None))
                return
            case "revoke":
                end_signers(connection, [act.person], REASONS.get(act.reason, RevocationReason.CESSATION), at)
                return
            case "move":
                end_signers(connection, [act.person], RevocationReason.AFFILIATION_CHANGED, at)
            case "issue" | "renew":
                end_signers(connection, [act.person], RevocationReason.SUPERSEDED, at)
        if new_certificate:
            insert_signers(connection, [(_new_serial(), act.person, at)])

    # --- Residents ----------------------------------------------------------------------------------------------

    def register(self, person: Person) -> None:
        """Know a person as a resident with the signature certificate of their card; again changes nothing."""
        with self._store.reading() as connection:
            known = connection.scalar(sa.select(residents.c.holder).where(residents.c.holder == person.id))
        if known is None:
            self.register_all([(person, "")])
        self._note_card_of(person)

    def _note_card_of(self, person: Person) -> None:
        """Know the signature certificate that the person's card has, once that was made."""
        der = self._authority.signature_certificate_for(person, make=False)
        if not der:
            return
        serial = serial_text(x509.load_der_x509_certificate(der).serial_number)
        with self._store.writing() as connection:
            known = connection.scalar(sa.select(signers.c.serial).where(signers.c.serial == serial))
            if known is None:
                insert_signers(connection, [(serial, person.id, self._clock())])

    def register_all(self, people: Sequence[tuple[Person, str]]) -> None:
        """Know many residents, each with the serial of a signature certificate, or "" for none yet."""
        with self._store.writing() as connection:
            connection.execute(sa.insert(residents), [_resident(person) for person, _ in people])
            now = self._clock()
            insert_signers(connection, [(serial, person.id, now) for person, serial in people if serial])

    def holder_of(self, serial: str) -> str | None:
        """Return whose signature certificate this is."""
        known = self._holder_of(serial)
        if known is None:
            # A card that was made since J-LIS last looked.
            for person in self.people():
                self.register(person)
            known = self._holder_of(serial)
        return known

    def _holder_of(self, serial: str) -> str | None:
        with self._store.reading() as connection:
            return connection.scalar(sa.select(signers.c.holder).where(signers.c.serial == serial))

    def serial_of(self, holder: str) -> str | None:
        """Return the serial of a holder's valid signature certificate; None: there is none."""
        with self._store.reading() as connection:
            return connection.scalar(
                sa.select(signers.c.serial)
                .where(signers.c.holder == holder, signers.c.ended_at.is_(None))
                .order_by(signers.c.issued_at.desc())
                .limit(1)
            )

    # --- CRL and OCSP -------------------------------------------------------------------------------------------

    def revocation_list(self) -> bytes:
        """Return the list (DER) of signature certificates that had ended by the last midnight in Japan."""
        day = self._clock().astimezone(JAPAN).date()
        midnight = datetime(day.year, day.month, day.day, tzinfo=JAPAN)
        with self._lock:
            if self._list is None or self._list[0] != midnight:
                self._list = (midnight, self._new_list(midnight))
            return self._list[1]

    def _new_list(self, midnight: datetime) -> bytes:
        ca = self._authority.signature_signer()
        builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
        builder = builder.last_update(midnight).next_update(midnight + timedelta(days=1))
        for serial, ended in self._known(midnight).items():
            if ended is not None:
                reason, at = ended
                entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(at)
                flag = x509.CRLReason(_FLAGS[RevocationReason(reason)])
                builder = builder.add_revoked_certificate(entry.add_extension(flag, critical=False).build())
        return builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def answer(self, request: bytes) -> bytes:
        """Return the DER answer to an OCSP request, from the database of the last full quarter of an hour."""
        try:
            asked = ocsp.load_der_ocsp_request(request)
        except (ValueError, UnsupportedAlgorithm):
            malformed = ocsp.OCSPResponseStatus.MALFORMED_REQUEST
            return ocsp.OCSPResponseBuilder.build_unsuccessful(malformed).public_bytes(
                serialization.Encoding.DER
            )
        signer, now = self._authority.signature_status_signer(), self._clock()
        as_of, database = self._renewed()
        serial = serial_text(asked.serial_number)
        status, at, reason = ocsp.OCSPCertStatus.UNKNOWN, None, None
        if serial in database:
            ended = database[serial]
            status = ocsp.OCSPCertStatus.GOOD
            if ended is not None:
                status, at = ocsp.OCSPCertStatus.REVOKED, ended[1]
                reason = _FLAGS[RevocationReason(ended[0])]
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=asked.hash_algorithm,
            cert_status=status,
            this_update=as_of,
            next_update=max(now, as_of) + OCSP_EVERY,
            revocation_time=at,
            revocation_reason=reason,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        builder = builder.certificates([signer.certificate])
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def _renewed(self) -> tuple[datetime, dict[str, tuple[str, datetime] | None]]:
        now = self._clock().astimezone(JAPAN)
        as_of = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
        with self._lock:
            if self._snapshot is None or self._snapshot[0] != as_of:
                self._snapshot = (as_of, self._known(as_of))
            return self._snapshot

    def _known(self, moment: datetime) -> dict[str, tuple[str, datetime] | None]:
        """Return every signature certificate that was issued by a moment, with its end as it was known then."""
        with self._store.reading() as connection:
            rows = connection.execute(
                sa.select(signers.c.serial, signers.c.issued_at, signers.c.ended_at, signers.c.reason)
            ).all()
        found: dict[str, tuple[str, datetime] | None] = {}
        for row in rows:
            ended = datetime.fromisoformat(row.ended_at) if row.ended_at else None
            found[row.serial] = (row.reason, ended) if ended and ended <= moment else None
        return found

    def successor(self, serial: str) -> str | None:
        """Return the holder's valid signature certificate in place of an ended one; None: there is none yet."""
        holder = self.holder_of(serial)
        return None if holder is None else self.serial_of(holder)

    # --- Consents and attributes --------------------------------------------------------------------------------

    def receive_consent(
        self, consent_id: str, provider: str, holder: str, items: Sequence[Attribute], text_version: str
    ) -> datetime:
        """Keep a consent, once; return when it was received. Raises Refusal when the id is another's."""
        now = self._clock()
        row = {
            "consent_id": consent_id,
            "provider": provider,
            "holder": holder,
            "items": sorted(str(item) for item in items),
            "text_version": text_version,
        }
        with self._store.writing() as connection:
            known = _consent(connection, consent_id)
            if known is None:
                connection.execute(sa.insert(consents), row | {"received_at": now.isoformat()})
                return now
            if any(getattr(known, key) != value for key, value in row.items()):
                raise Refusal(409, "CONSENT_DIFFERS", "this consent id belongs to another consent")
            return datetime.fromisoformat(known.received_at)

    def withdraw(self, consent_id: str, provider: str | None = None) -> None:
        """End a consent now; raises Refusal when it is unknown, or another provider's."""
        with self._store.writing() as connection:
            known = _consent(connection, consent_id)
            if known is None or (provider is not None and known.provider != provider):
                raise Refusal(404, "CONSENT_UNKNOWN", "there is no such consent")
            if known.withdrawn_at is None:
                connection.execute(
                    sa.update(consents)
                    .where(consents.c.consent_id == consent_id)
                    .values(withdrawn_at=self._clock().isoformat())
                )

    def consents(
        self, consent_ids: Sequence[str], provider: str
    ) -> dict[str, tuple[ConsentState, datetime, Period]]:
        """Return what a provider's consents are worth, and since when; what it does not have is left out."""
        mine = consents.c.consent_id.in_(consent_ids) & (consents.c.provider == provider)
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(consents).where(mine)).all()
        found = {}
        for row in rows:
            received = datetime.fromisoformat(row.received_at)
            found[row.consent_id] = (self._worth(row), received, period(received))
        return found

    def _worth(self, row: Any) -> ConsentState:
        withdrawn = datetime.fromisoformat(row.withdrawn_at) if row.withdrawn_at else None
        return state_of(period(datetime.fromisoformat(row.received_at)), withdrawn, self._clock())

    def newest(
        self, match_id: str, provider: str, consent_id: str, serial: str, items: Sequence[Attribute]
    ) -> tuple[Answer, dict[Attribute, str], bool]:
        """Return the newest attributes of a certificate's holder, as far as the consent goes; and whether it costs.

        The same match_id again gets the same answer, and is charged once.
        """
        with self._store.writing() as connection:
            known = _consent(connection, consent_id)
            if known is None or known.provider != provider or self._worth(known) is not ConsentState.STANDS:
                return Answer.NO_CONSENT, {}, False
            old = connection.execute(sa.select(signers).where(signers.c.serial == serial)).one_or_none()
            if old is None or old.holder != known.holder:
                return Answer.NO_CONSENT, {}, False
            if old.reason != RevocationReason.AFFILIATION_CHANGED:
                return Answer.NOTHING_NEWER, {}, False
            valid = signers.c.ended_at.is_(None) & (signers.c.holder == known.holder)
            if connection.scalar(sa.select(signers.c.serial).where(valid).limit(1)) is None:
                return Answer.NO_CERTIFICATE, {}, False
            resident = connection.execute(
                sa.select(residents).where(residents.c.holder == known.holder)
            ).one()
            given = {item: str(getattr(resident, item)) for item in items if item in known.items}
            return Answer.NEWER, given, self._charge(connection, match_id, provider)

    def _charge(self, connection: sa.Connection, match_id: str, provider: str) -> bool:
        asked = deliveries.c.asked + 1
        again = connection.execute(
            sa.update(deliveries).where(deliveries.c.match_id == match_id).values(asked=asked)
        )
        if again.rowcount:
            return False
        row = {"match_id": match_id, "provider": provider, "at": self._clock().isoformat(), "asked": 1}
        connection.execute(sa.insert(deliveries), row)
        return True

    def charges(self, provider: str) -> int:
        """Return how many cases a provider is charged for."""
        with self._store.reading() as connection:
            query = sa.select(sa.func.count()).where(deliveries.c.provider == provider)
            return connection.scalar(query) or 0


def serial_text(serial: int) -> str:
    """Return a serial number as it is kept."""
    return f"{serial:x}"


def _new_serial() -> str:
    return serial_text(x509.random_serial_number())


def new_token() -> str:
    """Return something that nobody guesses."""
    return secrets.token_hex(16)


def _consent(connection: sa.Connection, consent_id: str) -> Any:
    query = sa.select(consents).where(consents.c.consent_id == consent_id)
    return connection.execute(query).one_or_none()


def _resident(person: Person) -> dict[str, str]:
    return {
        "holder": person.id,
        "name": person.name,
        "address": person.address,
        "birth_date": person.birth_date.isoformat(),
        "sex": str(person.sex),
    }


_FLAGS = {reason: x509.ReasonFlags[reason.value] for reason in RevocationReason}
