"""Rules of the service that tells a clinic of a patient's new name or address; pure.

Days are days in Japan. Source: the leaflet of 2023 (flow A to D) and the Digital Agency's page of 2026-09.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from consent.wire import JAPAN

CONSENT_YEARS = 10
TEXT_VERSION = "2026-11"
"""Which wording the patient agreed to; the texts stand in reception/texts/attributes.py."""


class Attribute(StrEnum):
    """One of the four attributes of a signature certificate's holder."""

    NAME = "name"
    ADDRESS = "address"
    BIRTH_DATE = "birth_date"
    SEX = "sex"


class ConsentState(StrEnum):
    """What a consent is worth now."""

    INVITED = "invited"
    """The patient was led to the page for their own phone, and has not signed there yet."""
    TO_WITHDRAW = "to-withdraw"
    """The patient was told that it was not recorded, but it may have been: it is taken back."""
    COMING = "coming"
    """Received, and valid from the next midnight on."""
    STANDS = "stands"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class Answer(StrEnum):
    """What J-LIS says when it is asked for the newest attributes of one customer."""

    NEWER = "newer"
    NOTHING_NEWER = "nothing-newer"
    NO_CERTIFICATE = "no-certificate"
    """The old certificate has ended and no new one exists yet: nothing is given."""
    NO_CONSENT = "no-consent"


class RevocationReason(StrEnum):
    """Why a certificate no longer counts (RFC 5280)."""

    AFFILIATION_CHANGED = "affiliation_changed"
    """記載内容変更: name or address changed."""
    SUPERSEDED = "superseded"
    KEY_COMPROMISE = "key_compromise"
    CESSATION = "cessation_of_operation"
    HOLD = "certificate_hold"


@dataclass(frozen=True)
class Period:
    """From when to when a consent holds, both moments included."""

    begins_at: datetime
    ends_at: datetime


def period(received_at: datetime) -> Period:
    """Return when a consent holds: ten years from the next midnight in Japan.

    Received 2023-05-18 10:00: from 2023-05-19 00:00:00 to 2033-05-18 23:59:59.
    """
    day = received_at.astimezone(JAPAN).date() + timedelta(days=1)
    begins = datetime(day.year, day.month, day.day, tzinfo=JAPAN)
    year = day.year + CONSENT_YEARS
    last = min(day.day, monthrange(year, day.month)[1])
    return Period(begins, datetime(year, day.month, last, tzinfo=JAPAN) - timedelta(seconds=1))


def state_of(held: Period, withdrawn_at: datetime | None, now: datetime) -> ConsentState:
    """Say what a consent is worth; a withdrawal counts at once."""
    if withdrawn_at is not None and withdrawn_at <= now:
        return ConsentState.WITHDRAWN
    if now > held.ends_at:
        return ConsentState.ENDED
    return ConsentState.STANDS if now >= held.begins_at else ConsentState.COMING


def reminder_due(received_on: date, reminded_on: date | None, today: date) -> bool:
    """Say whether the yearly reminder of a consent is due: once from each anniversary on."""
    years = today.year - received_on.year - ((today.month, today.day) < (received_on.month, received_on.day))
    if years < 1:
        return False
    year = received_on.year + years
    day = min(received_on.day, monthrange(year, received_on.month)[1])
    return reminded_on is None or reminded_on < date(year, received_on.month, day)


def statement(institution_code: str, consent_id: str, items: tuple[Attribute, ...]) -> bytes:
    """Return the bytes that the patient signs: who may learn what, by which wording."""
    named = ",".join(sorted(items))
    return f"{institution_code}|{consent_id}|{named}|{TEXT_VERSION}".encode("ascii")
