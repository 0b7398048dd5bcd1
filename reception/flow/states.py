"""The states of a visit, the leaflet's steps, and the groups of states that rules speak of."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a visit stands; the names are a contract with scenarios and reports."""

    WAITING = "WAITING"
    READING = "READING"
    METHOD_CHOICE = "METHOD_CHOICE"
    FACE_MATCH = "FACE_MATCH"
    PIN_ENTRY = "PIN_ENTRY"
    PHONE_TAP = "PHONE_TAP"
    VISUAL_CHECK = "VISUAL_CHECK"
    CHECKING = "CHECKING"
    CARD_USE_OFFER = "CARD_USE_OFFER"
    CONSENT = "CONSENT"
    LIMIT_CONSENT = "LIMIT_CONSENT"
    SENDING = "SENDING"
    ATTRIBUTE_OFFER = "ATTRIBUTE_OFFER"
    ATTRIBUTE_SIGN = "ATTRIBUTE_SIGN"
    TAKE_CARD = "TAKE_CARD"
    COMPLETE = "COMPLETE"
    CALL_STAFF = "CALL_STAFF"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"


class Step(StrEnum):
    """The leaflet's four steps."""

    READ = "READ"
    IDENTITY = "IDENTITY"
    CONSENT = "CONSENT"
    COMPLETE = "COMPLETE"


class Method(StrEnum):
    """How identity is verified, and what a patient can choose for that."""

    FACE = "face"
    PIN = "pin"
    ANDROID = "android"
    """A phone whose certificate is opened by a PIN, typed here; counts as PIN once it is verified."""
    IPHONE = "iphone"
    """A phone that has asked its owner itself."""
    VISUAL = "visual"
    """Staff compare the patient with the card's photo (目視確認); never the patient's own choice."""


class Language(StrEnum):
    """What the patient reads, as in the names of the catalogues."""

    JA = "ja"
    JA_EASY = "ja-easy"
    """やさしい日本語: short sentences, hiragana."""
    EN = "en"
    ZH = "zh"
    KO = "ko"
    PT = "pt"
    VI = "vi"


class DisplayMode(StrEnum):
    """How the patient's window looks."""

    NORMAL = "normal"
    LARGE = "large"
    CONTRAST = "contrast"
    LARGE_CONTRAST = "large-contrast"


class AttributeOutcome(StrEnum):
    """What came of the offer to tell the clinic of a new name or address."""

    NONE = ""
    """Not offered, or not over yet."""
    GIVEN = "given"
    DECLINED = "declined"
    INVITED = "invited"
    """The page for the patient's own phone was shown; what came of it the next night tells."""
    NOT_RECORDED = "not-recorded"
    """The operator or J-LIS did not answer, or did not take it."""
    BLOCKED = "blocked"
    """The password is locked."""


class HelpTopic(StrEnum):
    """For whom the way ends at the machine; each has an answer of its own."""

    LIST = "list"
    """All of them, to choose from."""
    PIN = "pin"
    EXPIRED = "expired"
    LOST = "lost"
    NO_CARD = "no_card"
    CHILD = "child"
    DECLINED = "declined"
    SERVICES = "services"
    """A second list, of services that others run."""
    RENEW = "renew"
    PHONE_GONE = "phone_gone"
    NO_CERTIFICATE = "no_certificate"
    ACCOUNT = "account"
    POINTS = "points"


class StaffText(StrEnum):
    """What staff can have shown to the patient from the counter; fixed texts, so that it exists in every language."""

    NONE = ""
    """Nothing, or not any more."""
    COMING = "coming"
    """A member of staff is on the way; please wait here."""
    COME = "come"
    """Please come to the counter."""
    USE_PIN = "use-pin"
    """The PIN works too."""
    INSERT_AGAIN = "insert-again"
    """Please take the card out once and put it in again."""
    NO_HURRY = "no-hurry"
    """Please take your time."""


S = State

STEP_OF: Mapping[State, Step] = {
    S.READING: Step.READ,
    S.METHOD_CHOICE: Step.IDENTITY,
    S.FACE_MATCH: Step.IDENTITY,
    S.PIN_ENTRY: Step.IDENTITY,
    S.PHONE_TAP: Step.IDENTITY,
    S.VISUAL_CHECK: Step.IDENTITY,
    S.CHECKING: Step.IDENTITY,
    S.CARD_USE_OFFER: Step.CONSENT,
    S.CONSENT: Step.CONSENT,
    # The leaflet asks the limit question on its completion page, of those who leave the card in.
    S.LIMIT_CONSENT: Step.COMPLETE,
    S.SENDING: Step.COMPLETE,
    S.ATTRIBUTE_OFFER: Step.COMPLETE,
    S.ATTRIBUTE_SIGN: Step.COMPLETE,
    S.TAKE_CARD: Step.COMPLETE,
    S.COMPLETE: Step.COMPLETE,
}

ANSWERABLE = (
    S.METHOD_CHOICE,
    S.FACE_MATCH,
    S.PIN_ENTRY,
    S.PHONE_TAP,
    S.CARD_USE_OFFER,
    S.CONSENT,
    S.LIMIT_CONSENT,
    S.ATTRIBUTE_OFFER,
    S.ATTRIBUTE_SIGN,
)
"""States in which the patient can be given more time, go back to the start or call staff."""

REVOCABLE = (
    S.READING,
    S.METHOD_CHOICE,
    S.FACE_MATCH,
    S.PIN_ENTRY,
    S.VISUAL_CHECK,
    S.CHECKING,
    S.CARD_USE_OFFER,
    S.CONSENT,
)
"""States in which removing the card ends the visit with nothing sent."""

READER_BUSY = "READER_BUSY"
"""What the patient waits for in READING: another program has the card reader."""

OFFERING = (S.ATTRIBUTE_OFFER, S.ATTRIBUTE_SIGN)
"""The visit is complete, and something more is offered that nobody has to take."""

COMMITTED = (S.SENDING, *OFFERING, S.TAKE_CARD, S.COMPLETE)
"""States in which neither card nor reader is needed any more."""
