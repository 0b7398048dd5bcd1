"""What the server keeps: visits, consents, registrations, audit; no name, no insured number, no certificate.

Any number of processes may use one database. What must happen once is held by its keys and by the lock on the visit's
row, never by a lock of this process.
"""

import hmac
import json
import os
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from config import Consents, Profile
from consent.choices import (
    ConsentAnswer,
    EligibilityStatus,
    FacilityKind,
    Item,
    PrescriptionForm,
    Standing,
)
from consent.server.tables import (
    StoreUnavailable,
    StoreUnusable,
    audit,
    available,
    card_uses,
    challenge_keys,
    consents,
    file_of,
    open_engine,
    references,
    spent_challenges,
    visits,
)
from consent.wire import AuditEntry, Method, VisitAnswer

__all__ = [
    "CardUseDiffers",
    "ConsentsDiffer",
    "Recorded",
    "Store",
    "StoreUnavailable",
    "StoreUnusable",
    "StoredVisit",
    "VisitDiffers",
]

MOST_LISTED = 1000
"""Audit entries are listed at most so many at a time, the newest ones."""
PAGE = 200
"""Visits are listed at most so many at a time."""


T = TypeVar("T")


class VisitDiffers(Exception):
    """The visit belongs to another terminal or certificate, or is already complete."""


class ConsentsDiffer(Exception):
    """Other consents are already recorded for the visit."""


class CardUseDiffers(Exception):
    """The offer of card-use registration was answered otherwise before."""


@dataclass(frozen=True)
class StoredVisit:
    """One identification, as it is kept."""

    visit_id: str
    terminal_id: str
    certificate_sha256: str
    method: Method
    standing: Standing
    status: EligibilityStatus
    profile: Profile
    facility: Consents
    facility_kind: FacilityKind
    institution_code: str
    card_use_offered: bool
    card_use: ConsentAnswer | None
    questions: tuple[Item, ...]
    identified_at: datetime
    subsidies: tuple[str, ...] = ()
    """What stands for each certificate of a medical subsidy that is asked for (``Store.subsidy_id``)."""


@dataclass(frozen=True)
class Recorded:
    """The consents of one visit."""

    sent: dict[Item, ConsentAnswer]
    """As the terminal sent them; a retry must be the same."""
    answers: dict[Item, ConsentAnswer]
    prescription: PrescriptionForm | None
    recorded_at: datetime
    available_until: datetime
    subsidies: dict[str, ConsentAnswer] = field(default_factory=dict)
    """For each certificate that was asked for; a retry must be the same."""


class _Statement:
    """A statement as the database's driver takes it, made once; columns with JSON are given, and told, as it has them.

    For what each visit needs: to look a statement up takes SQLAlchemy as long as the database takes to run it.
    """

    def __init__(self, statement: Any, dialect: sa.Dialect, without: Collection[str] = ()) -> None:
        names = [column.name for column in statement.table.columns] if statement.is_insert else None
        made = statement.compile(
            dialect=dialect, column_keys=names and [name for name in names if name not in without]
        )
        self._text = str(made)
        self._names: list[str] = made.positiontup or sorted(made.params)
        self._by_place = made.positional

    def run(self, connection: sa.Connection, given: Mapping[str, Any]) -> sa.CursorResult[Any]:
        """Run it with parameters by their names; more may be given than it has."""
        values = [given[name] for name in self._names]
        parameters = tuple(values) if self._by_place else dict(zip(self._names, values, strict=True))
        return connection.exec_driver_sql(self._text, parameters)


@dataclass(frozen=True)
class _Job:
    """What one request wants done, with where its answer is awaited."""

    do: Callable[[], Any]
    instead: Callable[[], object]
    done: "Future[Any]" = field(default_factory=Future)
    context: Context = field(default_factory=copy_context)


class Store:
    """Keeps visits in a database; safe to use from several threads. Opening raises StoreUnusable.

    What requests keep goes through one writer of this process (keep_together()); it makes one transaction of all that
    waits, since a durable commit costs the same for one request as for twenty.
    """

    def __init__(self, database: str) -> None:
        self._engine = open_engine(database)
        self._file = file_of(self._engine)
        self._opened_file = _identity(self._file) if self._file else None
        sqlite_here = self._engine.dialect.name == "sqlite"
        # SQLite writes one at a time anyway: a queue of our own is fairer, and faster, than its waiting. What holds
        # between processes is in tables.py; and the connection of a database in memory is one for all threads.
        self._writer = self._engine.execution_options(writes=True)
        self._turn = threading.Lock() if sqlite_here else nullcontext()
        self._turn_to_read = self._turn if sqlite_here and self._file is None else nullcontext()
        self._mine = threading.local()
        self._key = b""
        self._queue = threading.Lock()
        self._waiting: list[_Job] = []
        self._at_work = False
        self._writing_thread = ThreadPoolExecutor(1, "eligibility-writer")
        self._held: sa.Connection | None = None
        insert: Any = sqlite.insert if sqlite_here else postgresql.insert
        dialect = self._engine.dialect

        def once(table: sa.Table) -> _Statement:
            # Whether the row was new is told by the count; inline: no key is looked up afterwards.
            return _Statement(insert(table).on_conflict_do_nothing().inline(), dialect)

        self._new_visit = once(visits)
        self._new_consents = once(consents)
        self._new_card_use = once(card_uses)
        self._new_key = once(challenge_keys)
        self._newly_spent = once(spent_challenges)
        self._new_entry = _Statement(sa.insert(audit).inline(), dialect, without=("number",))
        self._known_visit, self._known_visit_alone = (
            _Statement(each, dialect) for each in (_VISIT, _VISIT.with_for_update())
        )
        self._known_consents, self._known_reference = (
            _Statement(each, dialect) for each in (_CONSENTS, _REFERENCE)
        )
        reference = insert(references)
        self._new_reference = reference.on_conflict_do_update(
            index_elements=["institution_code", "person_id"],
            set_={
                "reference_number": reference.excluded.reference_number,
                "kana_digest": reference.excluded.kana_digest,
            },
        )

    def keep_together(self, do: Callable[[], T], instead: Callable[[], object] = lambda: None) -> "Future[T]":
        """Have ``do`` called by the writer; the future is done once all that it kept is durable, or nothing of it is.

        ``do`` uses this store, may be called a second time after its first was undone, and does nothing slow, since
        others wait meanwhile. When it raises, ``instead`` is called in a transaction of its own, and the future has
        the error; StoreUnavailable, too, comes there.
        """
        job = _Job(do, instead)
        job.done.set_running_or_notify_cancel()  # who does not wait any more must not be in the way of the others
        with self._queue:
            self._waiting.append(job)
            at_work, self._at_work = self._at_work, True
        if not at_work:
            self._writing_thread.submit(self._write_waiting)
        return job.done

    def _write_waiting(self) -> None:
        """Keep what waits, all that came meanwhile at once, until nothing does."""
        while True:
            with self._queue:
                jobs, self._waiting = self._waiting, []
                self._at_work = bool(jobs)
            if not jobs:
                return
            try:
                self._write(jobs)
            except BaseException as error:
                _fail([job for job in jobs if not job.done.done()], error)

    def _write(self, jobs: list[_Job]) -> None:
        told: list[Any] = []
        try:
            with self._batch():
                told += [job.context.run(job.do) for job in jobs]
        except Exception as error:
            if len(told) == len(jobs):
                # Whether it was committed is not known.
                _fail(jobs, error)
            else:
                self._write_alone(jobs)
            return
        for job, one in zip(jobs, told, strict=True):
            job.done.set_result(one)

    def _write_alone(self, jobs: list[_Job]) -> None:
        """Keep each by itself, after one of them failed, or the connection was an old one; nothing is kept yet."""
        for number, job in enumerate(jobs):
            begun = False
            try:
                with self._batch():
                    begun = True
                    one = job.context.run(job.do)
            except Exception as error:
                if not begun:
                    # The others would wait for the same database, one after another.
                    _fail(jobs[number:], error)
                    return
                with suppress(Exception), self._batch():
                    job.context.run(job.instead)
                job.done.set_exception(error)
            else:
                job.done.set_result(one)

    @contextmanager
    def _batch(self) -> Iterator[None]:
        """Make one transaction of what the writer's thread asks for, by a connection that is kept for the next one."""
        try:
            self._is_still_there()
            with available(), self._turn:
                self._held = self._held or self._writer.connect()
                with self._held.begin():
                    self._mine.connection = self._held
                    yield
        except BaseException:
            held, self._held = self._held, None
            if held:
                held.close()
            raise
        finally:
            self._mine.connection = None

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        if self._joined:
            yield self._joined
            return
        self._is_still_there()
        with available(), self._turn_to_read, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        if self._joined:
            yield self._joined
            return
        self._is_still_there()
        with available(), self._turn, self._writer.begin() as connection:
            yield connection

    def _is_still_there(self) -> None:
        """Raise StoreUnavailable when the file was removed or replaced: what is written then is seen by nobody."""
        if self._file is not None and _identity(self._file) != self._opened_file:
            raise StoreUnavailable("the database file is gone")

    @property
    def _joined(self) -> sa.Connection | None:
        """The writer's connection, in its thread."""
        joined: sa.Connection | None = getattr(self._mine, "connection", None)
        return joined

    def check(self) -> None:
        """Raise StoreUnavailable unless the database answers and keeps what it is given, also on a full disk."""
        with self._writing() as connection:
            connection.execute(sa.update(challenge_keys).values(key=challenge_keys.c.key))

    def close(self) -> None:
        """End once what waits is kept."""
        self._writing_thread.shutdown()
        if self._held:
            self._held.close()
        self._engine.dispose()

    def keep_visit(self, visit: StoredVisit) -> None:
        """Keep an identification; one repeated before the consents came replaces the first. Raises VisitDiffers."""
        row = _row(visit)
        with self._writing() as connection:
            if self._new_visit.run(connection, row).rowcount == 1:
                return
            known = self._visit(connection, visit.visit_id, alone=True)
            assert known is not None
            same = (known.terminal_id, known.certificate_sha256) == (
                visit.terminal_id,
                visit.certificate_sha256,
            )
            if not same or self._recorded(connection, visit.visit_id) is not None:
                raise VisitDiffers
            connection.execute(
                sa.update(visits).where(visits.c.visit_id == visit.visit_id).values(_values(visit))
            )

    def visit(self, visit_id: str) -> StoredVisit | None:
        with self._reading() as connection:
            return self._visit(connection, visit_id)

    def record(self, visit_id: str, recorded: Recorded) -> Recorded:
        """Record the consents of a known visit once; return what stands. Raises ConsentsDiffer."""
        row = {
            "visit_id": visit_id,
            "sent": json.dumps(recorded.sent),
            "answers": json.dumps(recorded.answers),
            "subsidies": json.dumps(recorded.subsidies),
            "prescription": recorded.prescription,
            "recorded_at": recorded.recorded_at.isoformat(),
            "available_until": recorded.available_until.isoformat(),
        }
        with self._writing() as connection:
            # Of two that record at once, the second waits here for the first one's end. Its row also holds the
            # visit's (foreign key), so that keep_visit() cannot replace a visit whose consents are being recorded.
            if self._new_consents.run(connection, row).rowcount == 1:
                return recorded
            known = self._recorded(connection, visit_id)
            assert known is not None
            if _said(known) != _said(recorded):
                raise ConsentsDiffer
            return known

    def answer_card_use(
        self, visit: StoredVisit, answer: ConsentAnswer, registered: StoredVisit, person_id: str
    ) -> None:
        """Keep the answer to the offer once; ``registered`` is the visit after a yes. Raises CardUseDiffers."""
        after = replace(registered if answer is ConsentAnswer.GIVEN else visit, card_use=answer)
        with self._writing() as connection:
            known = self._visit(connection, visit.visit_id, alone=True)
            assert known is not None
            if known.card_use is answer:
                return
            if known.card_use is not None:
                raise CardUseDiffers
            connection.execute(
                sa.update(visits).where(visits.c.visit_id == visit.visit_id).values(_values(after))
            )
            if answer is ConsentAnswer.GIVEN:
                self._new_card_use.run(connection, {"person_id": person_id})

    def uses_card(self, person_id: str) -> bool:
        """Say whether the person registered the card's use here."""
        with self._reading() as connection:
            query = sa.select(card_uses.c.person_id).where(card_uses.c.person_id == person_id)
            return connection.scalar(query) is not None

    def keep_reference(self, institution_code: str, person_id: str, reference_number: str, kana: str) -> None:
        """Keep an institution's chart number of a person, in place of an earlier one; of the kana only a digest."""
        row = {
            "institution_code": institution_code,
            "person_id": person_id,
            "reference_number": reference_number,
            "kana_digest": self._digest(kana),
        }
        with self._writing() as connection:
            connection.execute(self._new_reference, row)

    def reference(self, institution_code: str, person_id: str) -> str:
        """Return an institution's chart number of a person; empty when there is none."""
        key = {"institution": institution_code, "person": person_id}
        with self._reading() as connection:
            return self._known_reference.run(connection, key).scalar() or ""

    def holders_of_reference(self, institution_code: str, reference_number: str) -> set[str]:
        """Return the persons who have a chart number at an institution."""
        key = {"institution": institution_code, "number": reference_number}
        with self._reading() as connection:
            return set(connection.scalars(_HOLDERS, key))

    def kana_changed(self, institution_code: str, person_id: str, kana: str) -> bool:
        """Say whether the kana are others than when the chart number was registered."""
        key, now = {"institution": institution_code, "person": person_id}, self._digest(kana)
        with self._reading() as connection:
            return (connection.scalar(_KANA, key) or now) != now

    def subsidy_id(self, visit_id: str, payer_number: str, beneficiary_number: str) -> str:
        """Return what stands for a certificate of a medical subsidy: within one visit the same, in others another."""
        return self._digest(f"subsidy {visit_id} {payer_number} {beneficiary_number}")[:16]

    def _digest(self, text: str) -> str:
        """Return a digest that nobody without this database's key can compare with a name or a number."""
        self._key = self._key or self.challenge_key()
        return hmac.new(self._key, "".join(text.split()).encode("utf-8"), "sha256").hexdigest()

    def consents_of(self, certificates: Collection[str], institution_code: str) -> tuple[Recorded, ...]:
        """Return the consents that the holder of these certificates gave to an institution, newest first."""
        query = (
            sa.select(consents)
            .join(visits)
            .where(
                visits.c.certificate_sha256.in_(certificates), visits.c.institution_code == institution_code
            )
            .order_by(consents.c.recorded_at.desc())
        )
        with self._reading() as connection:
            return tuple(_recorded(row) for row in connection.execute(query))

    # --- Challenges ---------------------------------------------------------------------------------------------

    def challenge_key(self) -> bytes:
        """Return the key of this database's challenges, the same for every process; made when there is none."""
        with self._writing() as connection:
            self._new_key.run(connection, {"number": 1, "key": secrets.token_hex(32)})
            return bytes.fromhex(connection.scalars(sa.select(challenge_keys.c.key)).one())

    def spend(self, challenge_id: str, now: datetime) -> bool:
        """Note that a challenge was used; False when it was before, in whichever process."""
        spent = {"challenge_id": challenge_id, "spent_at": int(now.timestamp())}
        with self._writing() as connection:
            return self._newly_spent.run(connection, spent).rowcount == 1

    def forget_challenges(self, before: datetime) -> None:
        """Forget challenges that were used before a time."""
        old = spent_challenges.c.spent_at < int(before.timestamp())
        with self._writing() as connection:
            connection.execute(sa.delete(spent_challenges).where(old))

    # --- Audit and lists ----------------------------------------------------------------------------------------

    def note(self, entry: AuditEntry) -> None:
        """Add an entry to the audit log; its number is given here."""
        row = vars(entry) | {"time": entry.time.isoformat()}
        with self._writing() as connection:
            self._new_entry.run(connection, row)

    def audit(self) -> tuple[AuditEntry, ...]:
        """Return the newest entries, oldest first."""
        query = sa.select(audit).order_by(audit.c.number.desc()).limit(MOST_LISTED)
        with self._reading() as connection:
            rows = [row._asdict() for row in connection.execute(query)]
        return tuple(
            AuditEntry(**row | {"time": datetime.fromisoformat(row["time"])}) for row in reversed(rows)
        )

    def records(
        self, terminal_id: str, since: str = "", after: tuple[str, str] = ("", "")
    ) -> tuple[VisitAnswer, ...]:
        """Return a page of a terminal's records, in the order of identification, by one query.

        ``since`` and the first of ``after`` are times as they are kept; ``after`` is the last visit of the page before.
        """
        at, visit_id = visits.c.identified_at, visits.c.visit_id
        query = (
            _RECORDS.where(visits.c.terminal_id == terminal_id, at >= since)
            .where(sa.or_(at > after[0], sa.and_(at == after[0], visit_id > after[1])))
            .order_by(at, visit_id)
            .limit(PAGE)
        )
        with self._reading() as connection:
            return tuple(_answer(row) for row in connection.execute(query))

    def visit_record(self, visit_id: str) -> VisitAnswer | None:
        """Return the record of one visit."""
        with self._reading() as connection:
            row = connection.execute(_RECORD, {"visit": visit_id}).one_or_none()
            return None if row is None else _answer(row)

    def _visit(self, connection: sa.Connection, visit_id: str, *, alone: bool = False) -> StoredVisit | None:
        """``alone``: nobody else changes the visit, or its consents, until the transaction ends."""
        query = self._known_visit_alone if alone else self._known_visit
        row = query.run(connection, {"visit": visit_id}).one_or_none()
        if row is None:
            return None
        return StoredVisit(
            visit_id=row.visit_id,
            terminal_id=row.terminal_id,
            certificate_sha256=row.certificate_sha256,
            method=row.method,
            standing=Standing(row.standing),
            status=EligibilityStatus(row.status),
            profile=row.profile,
            facility=Consents(**_loaded(row.facility)),
            facility_kind=row.facility_kind,
            institution_code=row.institution_code,
            card_use_offered=bool(row.card_use_offered),
            card_use=ConsentAnswer(row.card_use) if row.card_use else None,
            questions=tuple(Item(item) for item in _loaded(row.questions)),
            identified_at=datetime.fromisoformat(row.identified_at),
            subsidies=tuple(_loaded(row.subsidies)),
        )

    def _recorded(self, connection: sa.Connection, visit_id: str) -> Recorded | None:
        row = self._known_consents.run(connection, {"visit": visit_id}).one_or_none()
        if row is None:
            return None
        return _recorded(row)


def _said(recorded: Recorded) -> tuple[object, ...]:
    return recorded.sent, recorded.prescription, recorded.subsidies


def _fail(jobs: list[_Job], error: BaseException) -> None:
    for job in jobs:
        job.done.set_exception(error)


def _recorded(row: Any) -> Recorded:
    return Recorded(
        sent={Item(item): ConsentAnswer(answer) for item, answer in _loaded(row.sent).items()},
        answers={Item(item): ConsentAnswer(answer) for item, answer in _loaded(row.answers).items()},
        prescription=PrescriptionForm(row.prescription) if row.prescription else None,
        recorded_at=datetime.fromisoformat(row.recorded_at),
        available_until=datetime.fromisoformat(row.available_until),
        subsidies=_used(row),
    )


def _used(row: Any) -> dict[str, ConsentAnswer]:
    return {one: ConsentAnswer(answer) for one, answer in (_loaded(row.subsidies) or {}).items()}


def _answer(row: Any) -> VisitAnswer:
    """Return a row of _RECORDS as the wire has it."""
    recorded = row.recorded_at is not None
    return VisitAnswer(
        visit_id=row.visit_id,
        terminal_id=row.terminal_id,
        method=row.method,
        status=EligibilityStatus(row.status),
        identified_at=datetime.fromisoformat(row.identified_at),
        card_use=ConsentAnswer(row.card_use) if row.card_use else None,
        answers={Item(item): ConsentAnswer(answer) for item, answer in (row.answers or {}).items()},
        prescription=PrescriptionForm(row.prescription) if row.prescription else None,
        recorded_at=datetime.fromisoformat(row.recorded_at) if recorded else None,
        available_until=datetime.fromisoformat(row.available_until) if recorded else None,
        subsidies=_used(row),
    )


def _values(visit: StoredVisit) -> dict[str, Any]:
    """Return a visit's row."""
    return vars(visit) | {
        "facility": vars(visit.facility),
        "questions": visit.questions,
        "subsidies": visit.subsidies,
        "identified_at": visit.identified_at.isoformat(),
    }


def _row(visit: StoredVisit) -> dict[str, Any]:
    """Return a visit's row for _Statement, with JSON as text."""
    row = _values(visit)
    return row | {name: json.dumps(row[name]) for name in ("facility", "questions", "subsidies")}


def _loaded(value: Any) -> Any:
    """Return what a column with JSON holds: as text from SQLite, PostgreSQL's driver has read it."""
    return json.loads(value) if isinstance(value, str) else value


_VISIT = sa.select(visits).where(visits.c.visit_id == sa.bindparam("visit"))
_RECORDS = sa.select(
    *(
        visits.c[name]
        for name in ("visit_id", "terminal_id", "method", "status", "identified_at", "card_use")
    ),
    *(
        consents.c[name]
        for name in ("answers", "subsidies", "prescription", "recorded_at", "available_until")
    ),
).select_from(visits.outerjoin(consents, consents.c.visit_id == visits.c.visit_id))
_RECORD = _RECORDS.where(visits.c.visit_id == sa.bindparam("visit"))
_CONSENTS = sa.select(consents).where(consents.c.visit_id == sa.bindparam("visit"))
_REFERENCE = sa.select(references.c.reference_number).where(
    references.c.institution_code == sa.bindparam("institution"),
    references.c.person_id == sa.bindparam("person"),
)
_KANA = sa.select(references.c.kana_digest).where(
    references.c.institution_code == sa.bindparam("institution"),
    references.c.person_id == sa.bindparam("person"),
)
_HOLDERS = sa.select(references.c.person_id).where(
    references.c.institution_code == sa.bindparam("institution"),
    references.c.reference_number == sa.bindparam("number"),
)


def _identity(file: str) -> tuple[int, int] | None:
    """Return which file stands under a name now; None: none."""
    try:
        about = os.stat(file)
    except OSError:
        return None
    return about.st_dev, about.st_ino
