"""The terminal's end of eligibility confirmation (オンライン資格確認): asks the server, believes nothing unchecked."""

from consent.choices import EligibilityStatus
from consent.eligibility.answers import (
    Challenge,
    CounterDetails,
    Eligibility,
    Receipt,
    VisitRecord,
    VisitResult,
)
from consent.eligibility.client import EligibilityClient, TerminalIdentity
from consent.eligibility.errors import (
    BadAnswer,
    EligibilityError,
    Refused,
    TimedOut,
    Unreachable,
    Untellable,
    Untrusted,
)

__all__ = [
    "BadAnswer",
    "Challenge",
    "CounterDetails",
    "Eligibility",
    "EligibilityClient",
    "EligibilityError",
    "EligibilityStatus",
    "Receipt",
    "Refused",
    "TerminalIdentity",
    "TimedOut",
    "Unreachable",
    "Untellable",
    "Untrusted",
    "VisitRecord",
    "VisitResult",
]
