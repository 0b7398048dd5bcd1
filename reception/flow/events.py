"""What can happen to a visit, and what the conductor does for it."""

from dataclasses import dataclass, field
from enum import StrEnum

from consent.choices import ConsentAnswer, Item, PrescriptionForm, VisualReason
from reception.flow.failures import FailureCode
from reception.flow.states import AttributeOutcome, DisplayMode, HelpTopic, Language, Method, StaffText


@dataclass(frozen=True)
class Event:
    """Something that happened; what carries an ``occasion`` answers work begun on it, and is dropped if late.

    One that carries nothing is compared and shown as this one is; a decorator of its own would add nothing, and take
    0.5 ms of the start.
    """


class ReaderReady(Event):
    """The card reader can be used."""


@dataclass(frozen=True)
class ReaderLost(Event):
    """The card reader or its service cannot be used."""

    code: FailureCode


@dataclass(frozen=True)
class CardInserted(Event):
    """A card was put in; ``visit`` is the new visit's id."""

    visit: str
    already_in: bool = False
    """It was found in a reader that has just come back, where it may have been before."""


@dataclass(frozen=True)
class CardMute(Event):
    """Something was put in that does not answer."""

    visit: str


@dataclass(frozen=True)
class CardRemoved(Event):
    """The card is gone; with an occasion when a piece of work noticed it, before or after the reader did."""

    occasion: int | None = None


class PhoneReaderReady(Event):
    """The phone reader can be used."""


class PhoneReaderLost(Event):
    """The phone reader cannot be used."""


class PhoneLaid(Event):
    """A phone lies on the phone reader."""


class PhoneLifted(Event):
    """The phone is gone from its reader; nothing more is needed of it once it was read."""


@dataclass(frozen=True)
class ChoosePhone(Event):
    """The patient has no card in and wants to use a phone; the conductor names the new visit."""

    visit: str = ""


@dataclass(frozen=True)
class PhoneRead(Event):
    """The phone gave its certificate and signed the server's challenge."""

    occasion: int


@dataclass(frozen=True)
class PhoneLastTry(Event):
    """The phone has one PIN try left, and was not asked to spend it."""

    occasion: int


@dataclass(frozen=True)
class PhoneFailed(Event):
    """The phone was not read; ``pin_sent``: the PIN may have reached it, so that it must be typed anew."""

    occasion: int
    code: FailureCode
    pin_sent: bool = False


@dataclass(frozen=True)
class CardRead(Event):
    """What the first look at the card told."""

    occasion: int
    has_photo: bool
    pin_tries_left: int | None
    photo_genuine: bool = True
    """False: the card holds a photo that nobody vouches for, and which is not used."""
    photo_sought: bool = True
    """False: nobody knew 照合番号B, which opens the photo; staff may still type it."""
    photo_failure: FailureCode = FailureCode.FACE_PHOTO_UNUSABLE
    """Why a photo that is not genuine is not used."""


@dataclass(frozen=True)
class CardAwaited(Event):
    """The card is in, and cannot be read yet: another program has the reader."""

    occasion: int


@dataclass(frozen=True)
class MatchCodeTyped(Event):
    """Staff typed 照合番号B of the card that is in, or comes next; the conductor keeps it from the flow."""

    code: str = field(repr=False)


@dataclass(frozen=True)
class PhotoRead(Event):
    """The photo was sought with 照合番号B as staff typed it."""

    visit: str
    has_photo: bool
    photo_genuine: bool = True
    photo_failure: FailureCode = FailureCode.FACE_PHOTO_UNUSABLE


@dataclass(frozen=True)
class MatchCodeRefused(Event):
    """The card refused 照合番号B; 0 tries left means that its photo is blocked."""

    visit: str
    tries_left: int


@dataclass(frozen=True)
class WorkFailed(Event):
    """A piece of work for READING, CHECKING or SENDING failed."""

    occasion: int
    code: FailureCode


@dataclass(frozen=True)
class Choose(Event):
    """The patient chose a way to verify identity."""

    method: Method


@dataclass(frozen=True)
class PinDigit(Event):
    """A digit was pressed; the conductor keeps it and tells the flow only how many there are."""

    digit: int = field(repr=False)


class PinBackspace(Event):
    """The last digit is taken back."""


class PinClear(Event):
    """All digits are taken back."""


@dataclass(frozen=True)
class PinTyped(Event):
    """That many PIN digits are there now."""

    digits: int


class PinSubmit(Event):
    """The patient confirmed the PIN."""


class AcceptLastTry(Event):
    """The patient wants to use the last PIN try."""


@dataclass(frozen=True)
class PinVerified(Event):
    """The card accepted the PIN."""

    occasion: int


@dataclass(frozen=True)
class PinMissed(Event):
    """The card refused the PIN; 0 tries left means that it is blocked."""

    occasion: int
    tries_left: int
    code: FailureCode = FailureCode.PIN_WRONG
    """PIN_ANSWER_LOST: nobody knows whether it was right, and no try is gone."""


class CameraReady(Event):
    """The camera can be used."""


class CameraLost(Event):
    """The camera cannot be used."""


@dataclass(frozen=True)
class FaceGuided(Event):
    """What the face gate asks of the patient now; empty: all is well."""

    occasion: int
    guidance: str


@dataclass(frozen=True)
class FaceMatched(Event):
    """The live face is that of the card's photo."""

    occasion: int


@dataclass(frozen=True)
class FaceFailed(Event):
    """The face could not be matched; ``usable``: it makes sense to offer it again."""

    occasion: int
    code: FailureCode
    usable: bool = True


class BackToChoice(Event):
    """The patient wants to verify identity in another way."""


@dataclass(frozen=True)
class Identified(Event):
    """The server accepted the identity and says which questions apply."""

    occasion: int
    questions: tuple[Item, ...]
    """In asking order; MEDICAL_SUBSIDY stands once for each certificate."""
    bundled: bool = False
    """包括同意, one answer for all questions, is offered too."""
    prescription_offered: bool = False
    card_use_offered: bool = False
    """The card must first be registered as insurance card (利用申込); the questions come after a yes."""


@dataclass(frozen=True)
class Answer(Event):
    """The patient answered the question on the screen."""

    answer: ConsentAnswer


@dataclass(frozen=True)
class AnswerAll(Event):
    """The patient gave one answer to all questions (包括同意) but those about certificates of medical subsidies."""

    answer: ConsentAnswer


class OneByOne(Event):
    """The patient wants to answer question by question."""


@dataclass(frozen=True)
class ChoosePrescription(Event):
    """The patient chose how a prescription is issued (処方箋発行形態)."""

    form: PrescriptionForm


@dataclass(frozen=True)
class AnswerCardUse(Event):
    """The patient answered the offer to register the card as insurance card (利用申込)."""

    answer: ConsentAnswer


@dataclass(frozen=True)
class StaffStartVisual(Event):
    """Staff, known by their password, want to compare the patient with the card's photo."""

    staff: str
    """An id of the facility's own, no name."""
    visit: str = ""
    """The visit that they saw when they typed it; empty: whichever is on."""


@dataclass(frozen=True)
class StaffConfirmVisual(Event):
    """Staff say that it is the person of the photo, and why they looked."""

    reason: VisualReason


class StaffRefuseVisual(Event):
    """Staff say that it is not, or that they cannot tell."""


@dataclass(frozen=True)
class Recorded(Event):
    """The server acknowledged the consents."""

    occasion: int
    attributes: tuple[str, ...] = ()
    """Attributes of whose changes the patient is offered to tell the clinic."""


@dataclass(frozen=True)
class AnswerAttribute(Event):
    """The patient answered whether the clinic may learn of changes of the attribute that is asked."""

    answer: ConsentAnswer


@dataclass(frozen=True)
class SigningKey(Event):
    """A character of the signing password; the conductor keeps it and tells the flow only how many there are."""

    character: str = field(repr=False)


class SigningBackspace(Event):
    """The last character is taken back."""


@dataclass(frozen=True)
class SigningTyped(Event):
    """That many characters of the signing password are there now."""

    characters: int


class SigningSubmit(Event):
    """The patient confirmed the signing password."""


@dataclass(frozen=True)
class SigningTries(Event):
    """How many tries of the signing password the card has left."""

    occasion: int
    tries_left: int


@dataclass(frozen=True)
class SigningMissed(Event):
    """The card refused the signing password; 0 tries left means that it is blocked."""

    occasion: int
    tries_left: int


class SignByPhone(Event):
    """The patient would rather sign on their own phone, by a QR code."""


@dataclass(frozen=True)
class PhoneInvited(Event):
    """The page for the patient's phone is there; its address is shown as a QR code."""

    occasion: int
    url: str = field(repr=False)


@dataclass(frozen=True)
class AttributesDone(Event):
    """What came of the signed consent."""

    occasion: int
    outcome: AttributeOutcome


class SkipSigning(Event):
    """The patient does not want to sign after all."""


class MoreTime(Event):
    """The patient asked for more time."""


class Cancel(Event):
    """The patient goes back to the start."""


class CallStaff(Event):
    """The patient calls staff."""


@dataclass(frozen=True)
class ChooseLanguage(Event):
    """The patient wants to read another language; for this visit only."""

    language: Language


@dataclass(frozen=True)
class ChooseDisplay(Event):
    """The patient wants larger text or more contrast; for this visit only."""

    mode: DisplayMode


@dataclass(frozen=True)
class AskHelp(Event):
    """The patient cannot go on and looks for a way (こまったときは)."""

    topic: HelpTopic = HelpTopic.LIST


class LeaveHelp(Event):
    """The patient goes on where help was asked for."""


class CloseDesk(Event):
    """Staff close the reception (受付休止); a visit that is on is finished first."""


class OpenDesk(Event):
    """Staff open the reception again."""


@dataclass(frozen=True)
class ShowStaffText(Event):
    """Staff have a text shown on the patient's window, until the visit is over or they take it away."""

    text: StaffText


class AskCancel(Event):
    """The patient pressed やめる; it is asked once whether that is meant."""


class KeepOn(Event):
    """The patient goes on with the visit after all: staff were called, or やめる was pressed."""


class PreviousQuestion(Event):
    """The patient wants to answer the question before once more."""


@dataclass(frozen=True)
class ChangeAnswer(Event):
    """The patient changes one answer on the summary: a yes becomes a no, and the other way round."""

    item: Item
    number: int = 1
    """Which of several questions about the item, from 1: each certificate of a medical subsidy is one."""


class ConfirmAnswers(Event):
    """The patient has read the summary, and it may be sent."""


class TakeOnCall(Event):
    """A clerk goes to the patient who has called."""


class TimePassed(Event):
    """The moment that ``next_moment`` named has come."""


class Effect(StrEnum):
    """What the conductor does for the flow; answers carry the session's occasion."""

    READ_CARD = "READ_CARD"
    START_FACE = "START_FACE"
    STOP_FACE = "STOP_FACE"
    VERIFY_PIN = "VERIFY_PIN"
    READ_PHONE = "READ_PHONE"
    WIPE_PIN = "WIPE_PIN"
    IDENTIFY = "IDENTIFY"
    ANSWER_CARD_USE = "ANSWER_CARD_USE"
    SEND_CONSENTS = "SEND_CONSENTS"
    COUNT_SIGNING_TRIES = "COUNT_SIGNING_TRIES"
    SIGN_ATTRIBUTES = "SIGN_ATTRIBUTES"
    INVITE_PHONE = "INVITE_PHONE"
    DECLINE_ATTRIBUTES = "DECLINE_ATTRIBUTES"
    POWER_OFF_CARD = "POWER_OFF_CARD"
    FORGET_VISIT = "FORGET_VISIT"
    LOG_LATE_EVENT = "LOG_LATE_EVENT"
