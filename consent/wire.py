"""What terminal and eligibility server say to each other: every name and limit of the messages, for both ends."""

import base64
import binascii
import json
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from config import Consents, Profile
from consent.choices import ConsentAnswer, Item, Standing

JAPAN = timezone(timedelta(hours=9), "JST")

TERMINAL_HEADER = "X-Terminal-Id"
IDEMPOTENCY_HEADER = "Idempotency-Key"
FACE_STATEMENT: Literal["photo of this card matched"] = "photo of this card matched"


def _is_base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("must be Base64") from None
    return text


Base64 = Annotated[str, Field(min_length=4, max_length=16_000), AfterValidator(_is_base64)]
VisitId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]
Short = Annotated[str, Field(max_length=200)]
Method = Literal["pin", "face", "phone"]
"""How identity was verified; ``phone``: by the certificate on a smartphone, which signs like a card."""


class EligibilityStatus(StrEnum):
    """What the insurers know of the person."""

    VALID = "valid"
    INVALID = "invalid"
    SUPERSEDED = "superseded"
    NOT_FOUND = "not-found"
    AMBIGUOUS = "ambiguous"
    UNREGISTERED = "unregistered"


class Message(BaseModel):
    """Any message: strict types, nothing unknown; its repr shows no content."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    __str__ = __repr__


class ChallengeAnswer(Message):
    id: Annotated[str, Field(min_length=1, max_length=64)]
    nonce: Base64
    expires_at: AwareDatetime


class TerminalAssertion(Message):
    """The terminal's own word that the face matched: stand-in for a licensed reader's certified face route."""

    terminal_id: Short
    visit_id: VisitId
    nonce: Base64
    certificate_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    statement: Literal["photo of this card matched"]
    distance: Annotated[float, Field(ge=0, le=0.45)]
    time: AwareDatetime

    def canonical(self) -> str:
        """Return the JSON that is signed: sorted keys, no spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


class IdentificationRequest(Message):
    """Who wants to be checked in; ``signature`` is the card's over the nonce, or the terminal's over ``assertion``."""

    visit_id: VisitId
    challenge_id: Annotated[str, Field(min_length=1, max_length=64)]
    method: Method
    certificate: Base64
    signature: Base64
    assertion: Annotated[str, Field(max_length=2000)] | None = None
    profile: Profile
    facility: Consents


class EligibilityAnswer(Message):
    status: EligibilityStatus
    standing: Standing
    questions: tuple[Item, ...]
    name: Short
    name_kana: Short
    birth_date: date
    insurer_number: Short
    symbol: Short
    number: Short
    branch: Short
    share: Annotated[int, Field(ge=0, le=100)] | None
    limit_category: Short


class ConsentsRequest(Message):
    answers: dict[Item, ConsentAnswer]


class ConsentsAnswer(Message):
    recorded_at: AwareDatetime
    available_until: AwareDatetime


class VisitAnswer(Message):
    """The record of a visit; no personal attribute is in it."""

    visit_id: VisitId
    terminal_id: Short
    method: Method
    status: EligibilityStatus
    identified_at: AwareDatetime
    answers: dict[Item, ConsentAnswer]
    recorded_at: AwareDatetime | None
    available_until: AwareDatetime | None


class VisitsAnswer(Message):
    visits: tuple[VisitAnswer, ...]


class ErrorAnswer(Message):
    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z_]{0,63}$")]
    message: Annotated[str, Field(max_length=2000)]


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def japan_now() -> datetime:
    """Return the time in Japan, which has no daylight saving."""
    return datetime.now(JAPAN)
