"""J-LIS and the platform operator on one database, for a server or for ``./run authority``."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa

from config.person import Person
from consent.server.jlis.operator import PlatformOperator
from consent.server.jlis.registry import Registry, SignatureAuthority
from consent.server.jlis.store import PartiesStore
from consent.server.life import Act, generations
from consent.server.tables import StoreUnusable
from consent.wire import japan_now


class _Authority(SignatureAuthority, Protocol):
    """Who issues certificates."""


class Parties:
    """Both parties; raises OSError when their database cannot be opened.

    ``database``: SQLAlchemy URL of the eligibility server; theirs lies beside it.
    """

    def __init__(
        self,
        database: str,
        authority: _Authority,
        clock: Callable[[], datetime],
        away: Callable[[], bool] = lambda: False,
        url: Callable[[], str] = lambda: "",
    ) -> None:
        try:
            self.acts = PartiesStore(beside(database))
        except StoreUnusable as error:
            raise OSError(str(error)) from None
        self.registry = Registry(self.acts, authority, clock)
        self.operator = PlatformOperator(
            self.acts, self.registry, authority.signature_signer, clock, away, url
        )

    def current(self, person: Person) -> Person:
        """Return a person with the newest certificate that was issued to them."""
        return generations(person, self.acts.acts_of(person.id))[-1].person

    def act(self, person: Person, *given: Any, **more: Any) -> Act:
        """Do something to a person's certificates, and know the person; see Registry.act."""
        return self.registry.act(person, *given, **more)

    def close(self) -> None:
        """Let the database go."""
        self.acts.close()


def newest(person: Person, database: str, authority: _Authority) -> Person:
    """Return a person with the newest certificate that ``./run authority`` gave them; raises OSError as Parties."""
    parties = Parties(database, authority, japan_now)
    try:
        return parties.current(person)
    finally:
        parties.close()


def beside(database: str) -> str:
    """Return the URL of the parties' database: a file beside SQLite's; elsewhere the same, where prefixes tell."""
    url = sa.make_url(database)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return database
    return str(url.set(database=f"{url.database.removesuffix('.sqlite')}-jlis.sqlite"))
