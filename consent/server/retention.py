"""What the server keeps no longer: visits with their consents and audit entries, once they are old enough."""

from datetime import datetime

import sqlalchemy as sa

from consent.server.tables import audit, available, consents, visits
from consent.wire import JAPAN

BATCH = 2_000
"""Visits that one transaction forgets: a terminal never waits for more."""


def forget_before(engine: sa.Engine, moment: datetime) -> int:
    """Forget what was identified, or noted, before a time; return how many visits. Raises StoreUnavailable.

    Any number of processes may do so at once; killed, it goes on at the next time.
    """
    writer, oldest = engine.execution_options(writes=True), moment.astimezone(JAPAN).isoformat()
    forgotten = 0
    while True:
        with available(), writer.begin() as connection:
            old = connection.scalars(
                sa.select(visits.c.visit_id).where(visits.c.identified_at < oldest).limit(BATCH)
            ).all()
            if old:
                connection.execute(sa.delete(consents).where(consents.c.visit_id.in_(old)))
                forgotten += connection.execute(sa.delete(visits).where(visits.c.visit_id.in_(old))).rowcount
        if not old:
            break
    _forget_audit(writer, oldest)
    return forgotten


def _forget_audit(writer: sa.Engine, oldest: str) -> None:
    """Entries are numbered as they come: those before the first young one are the old ones."""
    with available(), writer.begin() as connection:
        first = connection.scalar(sa.select(sa.func.min(audit.c.number)))
    while first is not None:
        with available(), writer.begin() as connection:
            some = sa.and_(audit.c.number >= first, audit.c.number < first + BATCH)
            gone = connection.execute(sa.delete(audit).where(some, audit.c.time < oldest)).rowcount
            first = connection.scalar(sa.select(sa.func.min(audit.c.number))) if gone else None
