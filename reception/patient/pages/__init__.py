"""One page for every Snapshot.screen; pages show what the snapshot says and send events, nothing else."""

from collections.abc import Callable

from reception.patient.pages.attributes import AttributeOfferPage, AttributeQrPage, AttributeSignPage
from reception.patient.pages.consent import CHOICES, ChoicePage, QuestionPage, SummaryPage
from reception.patient.pages.ending import CallStaffPage, CompletePage, OutOfServicePage, TakeCardPage
from reception.patient.pages.identity import (
    FaceMatchPage,
    LastTryPage,
    MatchedPage,
    MethodChoicePage,
    PhoneTapPage,
    PinEntryPage,
)
from reception.patient.pages.page import Page, Send
from reception.patient.pages.reading import WaitingPage, WorkingPage
from reception.patient.pages.still import HelpPage, StillPage
from reception.texts import Catalogue

__all__ = ["FaceMatchPage", "Page", "page_for"]


def page_for(screen: str, send: Send, t: Catalogue) -> Page:
    """Make the page of this Snapshot.screen, in the language of ``t``; KeyError: there is none."""
    if screen in ("READING", "CHECKING", "SENDING"):
        return WorkingPage(send, t, screen)
    if screen in ("VISUAL_CHECK", "DESK_CLOSED"):
        return StillPage(send, t, screen)
    if screen in CHOICES:
        return ChoicePage(send, t, screen, CHOICES[screen])
    return _PAGES[screen](send, t)


_PAGES: dict[str, Callable[[Send, Catalogue], Page]] = {
    "WAITING": WaitingPage,
    "METHOD_CHOICE": MethodChoicePage,
    "FACE_MATCH": FaceMatchPage,
    "PIN_ENTRY": PinEntryPage,
    "LAST_TRY": LastTryPage,
    "PHONE_TAP": PhoneTapPage,
    "CONSENT": QuestionPage,
    "LIMIT_CONSENT": QuestionPage,
    "ATTRIBUTE_OFFER": AttributeOfferPage,
    "ATTRIBUTE_SIGN": AttributeSignPage,
    "ATTRIBUTE_QR": AttributeQrPage,
    "TAKE_CARD": TakeCardPage,
    "COMPLETE": CompletePage,
    "CALL_STAFF": CallStaffPage,
    "OUT_OF_SERVICE": OutOfServicePage,
    "HELP": HelpPage,
    "MATCHED": MatchedPage,
    "SUMMARY": SummaryPage,
}
