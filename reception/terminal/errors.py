"""What an error of a device or of the server means for the flow."""

import logging

from consent.eligibility import (
    BadAnswer,
    EligibilityError,
    Refused,
    TimedOut,
    Unreachable,
)
from hardware.card import (
    CardError,
    CardUnreadable,
    ReaderBusy,
    ReaderError,
    ReaderStalled,
    ServiceDown,
    WrongCard,
)
from reception import flow
from reception.flow import Event
from reception.flow.failures import FailureCode

_log = logging.getLogger("reception.terminal")

_REFUSALS = {
    "CERTIFICATE_EXPIRED": FailureCode.CERTIFICATE_EXPIRED,
    "CERTIFICATE_REVOKED": FailureCode.CERTIFICATE_REVOKED,
    "CERTIFICATE_ON_HOLD": FailureCode.CERTIFICATE_UNCONFIRMED,
    "CERTIFICATE_STATUS_UNKNOWN": FailureCode.CERTIFICATE_UNCONFIRMED,
    "TERMINAL_UNKNOWN": FailureCode.TERMINAL_NOT_ENROLLED,
    "TERMINAL_MISMATCH": FailureCode.TERMINAL_NOT_ENROLLED,
}


def reader_failure(error: ReaderError) -> FailureCode:
    match error:
        case ServiceDown():
            return FailureCode.READER_SERVICE_DOWN
        case ReaderBusy():
            return FailureCode.READER_BUSY
        case ReaderStalled():
            return FailureCode.CARD_STALLED
        case _:
            return FailureCode.READER_LOST


def failed(occasion: int, lane: str, error: Exception) -> Event:
    """Turn the error of a piece of work into the event that tells the flow."""
    match error:
        case WrongCard():
            code = FailureCode.CARD_WRONG
        case CardUnreadable() | CardError():
            code = FailureCode.CARD_UNREADABLE
        case ReaderError():
            code = reader_failure(error)
        case Unreachable():
            code = FailureCode.SERVER_UNREACHABLE
        case TimedOut():
            code = FailureCode.SERVER_TIMED_OUT
        case BadAnswer():
            code = FailureCode.SERVER_BAD_ANSWER
        case Refused():
            code = _REFUSALS.get(error.code, FailureCode.IDENTITY_REFUSED)
        case EligibilityError():
            code = FailureCode.SERVER_BAD_ANSWER
        case _:
            # The kind only: the text of an unforeseen error could hold what must not be in a log.
            _log.error("unforeseen %s in the %s worker", type(error).__name__, lane)
            code = FailureCode.TERMINAL_FAULT
    if lane == "face":
        return flow.FaceFailed(occasion, code, usable=False)
    return flow.WorkFailed(occasion, code)
