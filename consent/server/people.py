"""The people that the server knows: given at the start, and in a folder that is looked through again while it runs."""

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509

from config import ConfigError
from config.person import CertificateState, Person, load_person
from consent.server.life import Act, Generation, generations

log = logging.getLogger("reception.server")


class Acts(Protocol):
    """What was done to certificates while the server ran, or before."""

    def version(self) -> int: ...
    def acts_of(self, person: str) -> tuple[Act, ...]: ...
    def persons_acted_on(self, after: int) -> tuple[str, ...]: ...


class Issuer(Protocol):
    """Whose certificates the people hold."""

    def certificate_for(self, person: Person) -> bytes: ...


@dataclass(frozen=True)
class Holder:
    """A person with the certificate that was issued to them."""

    person: Person = field(repr=False)
    fingerprint: str
    certificate: x509.Certificate | None
    """None: a card of the site's own, of which only the fingerprint is known."""
    life: Generation | None = field(default=None, repr=False)
    """What became of the certificate; None: as the person file says."""

    @property
    def status(self) -> CertificateState:
        """Return what the certificate is worth."""
        return self.life.state if self.life else self.person.certificate.status

    def as_of(self, moment: datetime) -> "Holder":
        """Return the holder as a list of that moment knows them."""
        return replace(self, life=self.life.as_of(moment)) if self.life else self


class People:
    """Finds a person by certificate or by insurance; safe to use from several threads.

    The folder's files are looked through whenever somebody is asked for, and read again when new or changed: so a
    person can be added, or a certificate revoked, while the server runs.
    """

    def __init__(
        self,
        people: Sequence[Person],
        issuer: Issuer,
        folder: Path | None = None,
        acts: Acts | None = None,
    ) -> None:
        self._issuer, self._acts, self._acts_seen = issuer, acts, 0
        self._as_filed: dict[str, Person] = {one.id: one for one in people}
        self._folder = folder
        self._left = list(reversed(people))
        self._holders: dict[str, Holder] = {}
        self._files: dict[Path, tuple[int, int]] = {}
        self._lock = threading.RLock()

    def add(self, person: Person) -> None:
        """Add a person, in place of another one with the same id."""
        with self._lock:
            self._forget(person.id)
            self._left.append(person)
            self._as_filed[person.id] = person

    def add_next(self) -> bool:
        """Take up one more person, whose key may have to be made; False when all are known."""
        with self._lock:
            if not self._left:
                return False
            person = self._left[-1]
        # Nobody waits for a key but who asks for its holder. Two who make one get the same: the first one written.
        holders = self._holders_of(person)
        with self._lock:
            if any(one is person for one in self._left):
                self._left = [one for one in self._left if one is not person]
                self._holders.update({holder.fingerprint: holder for holder in holders})
        return True

    def _holders_of(self, person: Person) -> list[Holder]:
        """Return the person with each certificate that they ever had; none when it cannot be made."""
        acts = self._acts.acts_of(person.id) if self._acts else ()
        try:
            return [self._holder_of(each, acted_on=bool(acts)) for each in generations(person, acts)]
        except ConfigError as error:
            log.error("a person cannot be taken up: %s", error)
            return []

    def _holder_of(self, life: Generation, *, acted_on: bool) -> Holder:
        person, told = life.person, life if acted_on else None
        if person.certificate.sha256:
            return Holder(person, person.certificate.sha256, None, told)
        der = self._issuer.certificate_for(person)
        return Holder(person, hashlib.sha256(der).hexdigest(), x509.load_der_x509_certificate(der), told)

    def find(self, fingerprint: str) -> Holder | None:
        """Return who holds the certificate with this SHA-256."""
        return self._taken_up(lambda: self._holders.get(fingerprint))

    def find_serial(self, serial: int) -> Holder | None:
        """Return who holds the certificate with this serial number."""

        def found() -> Holder | None:
            for holder in self._holders.values():
                if holder.certificate and holder.certificate.serial_number == serial:
                    return holder
            return None

        return self._taken_up(found)

    def _taken_up(self, found: Callable[[], Holder | None]) -> Holder | None:
        """Return who is found, with as few of the others taken up as may be."""
        with self._lock:
            self._look_around()
        while True:
            with self._lock:
                holder = found()
            if holder or not self.add_next():
                return holder

    def persons(self, *, as_found: bool = False) -> tuple[Person, ...]:
        """Return everybody, without having anybody's certificate made; ``as_found``: as when one was last asked for."""
        with self._lock:
            if not as_found:
                self._look_around()
            taken_up = {holder.person.id: holder.person for holder in self._holders.values()}
            return (*self._left, *taken_up.values())

    def current(self, person: Person) -> Person:
        """Return a person with the newest certificate that was issued to them."""
        acts = self._acts.acts_of(person.id) if self._acts else ()
        return generations(person, acts)[-1].person

    def certificates_of(self, person_id: str) -> tuple[str, ...]:
        """Return the SHA-256 of a person's certificates; somebody's that nobody asked for yet are not made for this."""
        with self._lock:
            return tuple(key for key, holder in self._holders.items() if holder.person.id == person_id)

    def everyone(self) -> tuple[Holder, ...]:
        with self._lock:
            self._look_around()
        while self.add_next():
            pass
        with self._lock:
            return tuple(self._holders.values())

    def _look_around(self) -> None:
        self._look_through_folder()
        if self._acts is None:
            return
        version = self._acts.version()
        if version == self._acts_seen:
            return
        changed, self._acts_seen = self._acts.persons_acted_on(self._acts_seen), version
        for person_id in changed:
            if person_id in self._as_filed:
                self.add(self._as_filed[person_id])

    def _look_through_folder(self) -> None:
        if self._folder is None:
            return
        found = {path: _stamp(path) for path in self._folder.glob("*.toml")}
        if found == self._files:
            return
        changed = {path for path, stamp in found.items() if self._files.get(path) != stamp}
        for path in self._files.keys() - found.keys():
            self._forget(path.stem)
        self._files = found
        for path in sorted(changed):
            self._forget(path.stem)
            try:
                self.add(load_person(str(path.absolute())))
            except ConfigError:
                # Not the error's text: it quotes the value, and this is a log.
                log.error("%s: not a person file that can be used; ./run card FILE says why", path.name)

    def _forget(self, person_id: str) -> None:
        self._left = [person for person in self._left if person.id != person_id]
        self._holders = {
            key: holder for key, holder in self._holders.items() if holder.person.id != person_id
        }


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
