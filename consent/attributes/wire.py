"""What a clinic (service provider) and the platform operator say to each other."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from consent.attributes.rules import Answer, Attribute, ConsentState, RevocationReason
from consent.wire import Base64, InstitutionCode, Message, Short

Id = Annotated[str, Field(pattern=r"^[0-9a-f-]{8,64}$")]
"""Of a consent, a customer or a match; drawn at random, tells nothing of the person."""
Method = Literal["crl", "ocsp"]
MOST_AT_ONCE = 500
"""Consents named in one question."""
MOST_MATCHES = 5000
"""Matches told in one answer; what is left over is told the next night."""


class Asked(Message):
    """Anything a clinic asks; the clinic goes by its institution code."""

    institution_code: InstitutionCode


class SignedConsent(Asked):
    """A patient's consent, signed by the card's signature certificate over ``rules.statement``."""

    consent_id: Id
    customer: Id
    items: Annotated[tuple[Attribute, ...], Field(min_length=1, max_length=4)]
    text_version: Short
    certificate: Base64
    signature: Base64


class PhoneConsent(Asked):
    """A consent that the patient will sign on their own phone, led there by a QR code."""

    consent_id: Id
    customer: Id
    items: Annotated[tuple[Attribute, ...], Field(min_length=1, max_length=4)]
    text_version: Short


class Invitation(Message):
    """Where the patient's phone signs, and until when."""

    url: Annotated[str, Field(max_length=300)]
    expires_at: AwareDatetime


class ConsentAnswer(Message):
    """A consent as J-LIS keeps it."""

    consent_id: Id
    state: ConsentState
    received_at: AwareDatetime
    begins_at: AwareDatetime
    ends_at: AwareDatetime


class ConsentsQuestion(Asked):
    """What are these consents worth? J-LIS does not announce withdrawals, so a clinic has to ask."""

    consents: Annotated[tuple[Id, ...], Field(max_length=MOST_AT_ONCE)]


class ConsentsStanding(Message):
    """States, and when each was received, by consent; one that is unknown, or not signed yet, is left out."""

    states: dict[Id, ConsentState]
    received_at: dict[Id, AwareDatetime]


class Withdrawal(Asked):
    """The patient takes a consent back, at the counter."""

    consent_id: Id


class MatchQuestion(Asked):
    """Whose certificates have ended? ``link_serials``: have customers followed to their new certificates."""

    method: Method
    link_serials: bool


class Match(Message):
    """A customer whose certificate has ended; the number stays the same until it is dealt with."""

    match_id: Id
    customer: Id
    reason: RevocationReason


class MatchesAnswer(Message):
    """The matches, and what finding them cost."""

    matches: tuple[Match, ...]
    customers: int
    authority_requests: int
    """How often the operator asked J-LIS."""


class AttributesQuestion(Asked):
    """The newest attributes of one customer; a repeated match_id is the same question, and counted once."""

    match_id: Id
    customer: Id
    items: Annotated[tuple[Attribute, ...], Field(min_length=1, max_length=4)]
    link_serials: bool


class AttributesAnswer(Message):
    """The answer; attributes only where it is ``newer``, and only those that were consented to."""

    answer: Answer
    attributes: dict[Attribute, Short]
    charged: bool


class WithdrawnAnswer(Message):
    """The consent is withdrawn, or was before."""

    withdrawn: Literal[True] = True
