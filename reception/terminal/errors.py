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
    CertificateUnreadable,
    NoCertificate,
    PhotoTrust,
    ReaderError,
    UnknownGeneration,
    WrongCard,
)
from reception import flow
from reception.flow import Event
from reception.flow.failures import FailureCode
from reception.terminal.watch import reader_failure

_log = logging.getLogger("reception.terminal")

_REFUSALS = {
    "CERTIFICATE_UNTRUSTED": FailureCode.CERTIFICATE_UNTRUSTED,
    "ISSUER_EXPIRED": FailureCode.CERTIFICATE_UNTRUSTED,
    "PHOTO_OF_ANOTHER": FailureCode.PHOTO_OF_ANOTHER,
    "CERTIFICATE_EXPIRED": FailureCode.CERTIFICATE_EXPIRED,
    "CERTIFICATE_REVOKED": FailureCode.CERTIFICATE_REVOKED,
    "CERTIFICATE_ON_HOLD": FailureCode.CERTIFICATE_UNCONFIRMED,
    "CERTIFICATE_STATUS_UNKNOWN": FailureCode.CERTIFICATE_UNCONFIRMED,
    "TERMINAL_UNKNOWN": FailureCode.TERMINAL_NOT_ENROLLED,
    "TERMINAL_MISMATCH": FailureCode.TERMINAL_NOT_ENROLLED,
    "REQUEST_SIGNATURE_INVALID": FailureCode.TERMINAL_NOT_ENROLLED,
    "CLOCKS_DIFFER": FailureCode.TERMINAL_NOT_ENROLLED,
}


DISTRUSTED = {
    PhotoTrust.FORGED: FailureCode.FACE_PHOTO_FORGED,
    PhotoTrust.AUTHORITY_UNKNOWN: FailureCode.FACE_AUTHORITY_UNKNOWN,
    PhotoTrust.AUTHORITY_EXPIRED: FailureCode.FACE_AUTHORITY_EXPIRED,
    PhotoTrust.CHIP_UNPROVEN: FailureCode.FACE_CHIP_UNPROVEN,
    PhotoTrust.CHIP_LATE: FailureCode.FACE_CHIP_LATE,
}
"""Why a photo is not used, by what was found out about it."""


def card_failure(error: CardError) -> FailureCode:
    """Return what the patient is told of a card that cannot be used."""
    match error:
        case WrongCard():
            return FailureCode.CARD_WRONG
        case CardUnreadable():
            return FailureCode.CARD_UNREADABLE
        case NoCertificate():
            return FailureCode.CARD_WITHOUT_CERTIFICATE
        case CertificateUnreadable():
            return FailureCode.CARD_CERTIFICATE_UNREADABLE
        case UnknownGeneration():
            return FailureCode.CARD_GENERATION_UNKNOWN
        case _:
            return FailureCode.CARD_TROUBLE


def failed(occasion: int, lane: str, error: Exception) -> Event:
    """Turn the error of a piece of work into the event that tells the flow."""
    match error:
        case CardError():
            _log.info("card: %s", error)
            code = card_failure(error)
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
