"""What can be chosen on a screen by the keys of a ten-key: the n-th choice by the digit n."""

from dataclasses import dataclass

from consent.choices import ConsentAnswer, PrescriptionForm
from reception import flow
from reception.flow import HelpTopic
from reception.flow.failures import FailureCode
from reception.terminal.snapshot import Snapshot
from reception.texts import attributes, wording


@dataclass(frozen=True)
class Choice:
    """One choice: the Japanese words on its button, and what it does."""

    label: str
    event: flow.Event


OTHER_WAY = Choice(wording.OTHER_WAY, flow.BackToChoice())
PHONE = Choice(wording.USE_PHONE, flow.ChoosePhone())
HELP = Choice(wording.IN_TROUBLE, flow.AskHelp())
METHODS = {
    "face": Choice(wording.FACE, flow.Choose(flow.Method.FACE)),
    "pin": Choice(wording.PIN, flow.Choose(flow.Method.PIN)),
    "iphone": Choice("iPhone", flow.Choose(flow.Method.IPHONE)),
    "android": Choice("Android", flow.Choose(flow.Method.ANDROID)),
}
SCREENS: dict[str, tuple[Choice, ...]] = {
    "FACE_MATCH": (OTHER_WAY,),
    "LAST_TRY": (OTHER_WAY, Choice(wording.TYPE_LAST, flow.AcceptLastTry())),
    "BUNDLE": (
        Choice(wording.AGREE_TO_ALL, flow.AnswerAll(ConsentAnswer.GIVEN)),
        Choice(wording.ONE_BY_ONE, flow.OneByOne()),
        Choice(wording.DECLINE_ALL, flow.AnswerAll(ConsentAnswer.DECLINED)),
    ),
    "PRESCRIPTION": (
        Choice(wording.ELECTRONIC, flow.ChoosePrescription(PrescriptionForm.ELECTRONIC)),
        Choice(wording.PAPER, flow.ChoosePrescription(PrescriptionForm.PAPER)),
    ),
    "LEAVE": (Choice(wording.GO_ON, flow.KeepOn()), Choice(wording.LEAVE, flow.Cancel())),
    "CARD_USE_OFFER": (
        Choice(wording.REGISTER, flow.AnswerCardUse(ConsentAnswer.GIVEN)),
        Choice(wording.DO_NOT_REGISTER, flow.AnswerCardUse(ConsentAnswer.DECLINED)),
    ),
}
"""Screens on which the choices are always the same, in the order of their buttons."""


def _of_question(snapshot: Snapshot) -> tuple[Choice, ...]:
    given, declined = wording.answers(snapshot)
    before = (Choice(wording.BEFORE, flow.PreviousQuestion()),) if snapshot.question_number > 1 else ()
    return (
        Choice(given, flow.Answer(ConsentAnswer.GIVEN)),
        Choice(declined, flow.Answer(ConsentAnswer.DECLINED)),
        *before,
    )


def _of_help(snapshot: Snapshot) -> tuple[Choice, ...]:
    if snapshot.help in wording.LISTS:
        topics = [
            Choice(wording.HELP[topic][0], flow.AskHelp(topic)) for topic in wording.help_topics(snapshot)
        ]
        up = flow.LeaveHelp() if snapshot.help == HelpTopic.LIST else flow.AskHelp()
        return (*topics, Choice(wording.GO_BACK, up))
    advised = {
        wording.USE_FACE: flow.Choose(flow.Method.FACE),
        wording.GO_ON: flow.LeaveHelp(),
        wording.CALL: flow.CallStaff(),
    }
    advice = wording.advice(snapshot)
    return (Choice(advice, advised[advice]), Choice(wording.GO_BACK, flow.AskHelp()))


def _of_staff(snapshot: Snapshot) -> tuple[Choice, ...]:
    if snapshot.failure in (FailureCode.NO_METHOD_LEFT, FailureCode.PIN_BLOCKED):
        return (Choice(wording.ASK_BY_SIGHT, flow.CallStaff()),)
    return (Choice(wording.GO_ON, flow.KeepOn()),) if snapshot.interrupted else ()


SCREENS |= {
    "ATTRIBUTE_OFFER": (
        Choice(wording.PLAIN_ANSWERS[0], flow.AnswerAttribute(ConsentAnswer.GIVEN)),
        Choice(wording.PLAIN_ANSWERS[1], flow.AnswerAttribute(ConsentAnswer.DECLINED)),
    ),
    "ATTRIBUTE_SIGN": (
        Choice(attributes.BY_PHONE, flow.SignByPhone()),
        Choice(attributes.SKIP, flow.SkipSigning()),
    ),
    "ATTRIBUTE_QR": (Choice(attributes.READY, flow.SkipSigning()),),
}

NO_WAY_OUT = {
    *("ATTRIBUTE_OFFER", "ATTRIBUTE_SIGN", "ATTRIBUTE_QR"),
    *("WAITING", "SENDING", "TAKE_CARD", "COMPLETE", "OUT_OF_SERVICE", "DESK_CLOSED"),
}
"""Where the flow takes neither Cancel nor CallStaff."""


def choices(snapshot: Snapshot) -> tuple[Choice, ...]:
    """Return what the digits 1, 2, … choose now; nothing where a PIN is typed or the machine works."""
    match snapshot.screen:
        case "WAITING":
            return () if snapshot.card_in else (*((PHONE,) if snapshot.phones_ready else ()), HELP)
        case "METHOD_CHOICE":
            return (*(choice for method, choice in METHODS.items() if method in snapshot.methods), HELP)
        case "PHONE_TAP":
            return () if snapshot.reading_phone else (OTHER_WAY,)
        case "CONSENT" | "LIMIT_CONSENT":
            return _of_question(snapshot)
        case "SUMMARY":
            rows = [
                Choice(wording.provided(item, number, snapshot), flow.ChangeAnswer(item, number))
                for item, number, _ in flow.numbered(snapshot.answers)
            ]
            # There are nine digits, and one of them must send.
            return (*rows[: MOST_CHOICES - 1], Choice(wording.SEND, flow.ConfirmAnswers()))
        case "CALL_STAFF":
            return _of_staff(snapshot)
        case "HELP":
            return _of_help(snapshot)
        case screen:
            return SCREENS.get(screen, ())


def back(snapshot: Snapshot) -> flow.Event | None:
    """Return what the minus key does: one step back where there is one, else the end of the visit."""
    if snapshot.screen in ("PIN_ENTRY", "LAST_TRY", "FACE_MATCH") or OTHER_WAY in choices(snapshot):
        return flow.BackToChoice()
    if snapshot.screen == "HELP":
        return flow.LeaveHelp() if snapshot.help is HelpTopic.LIST else flow.AskHelp()
    if snapshot.screen == "LEAVE":
        return flow.KeepOn()
    if snapshot.screen in ("CONSENT", "LIMIT_CONSENT") and snapshot.question_number > 1:
        return flow.PreviousQuestion()
    return None if snapshot.screen in NO_WAY_OUT or snapshot.screen == "CALL_STAFF" else flow.AskCancel()


def staff(snapshot: Snapshot) -> flow.Event | None:
    """Return what the plus key does: call staff, wherever the window offers it."""
    called = snapshot.staff_called or snapshot.failure is FailureCode.STAFF_CALLED
    return None if snapshot.screen in NO_WAY_OUT or called else flow.CallStaff()


MOST_CHOICES = 9
OTHER_LANGUAGE = 9
"""The digit that asks for the other language that is spoken."""


def other_language(snapshot: Snapshot) -> flow.ChooseLanguage | None:
    """Return what that digit does: on the screens where a visit begins."""
    if snapshot.screen not in ("WAITING", "METHOD_CHOICE"):
        return None
    return flow.ChooseLanguage(
        flow.Language.JA if snapshot.language is flow.Language.EN else flow.Language.EN
    )
