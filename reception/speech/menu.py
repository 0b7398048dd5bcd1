"""What can be chosen on a screen by the keys of a ten-key: the n-th choice by the digit n."""

from dataclasses import dataclass

from consent.choices import ConsentAnswer, PrescriptionForm
from reception import flow
from reception.screens import wording
from reception.snapshot import Snapshot


@dataclass(frozen=True)
class Choice:
    """One choice: the words on its button, and what it does."""

    label: str
    event: flow.Event


OTHER_WAY = Choice("ほかの方法にする", flow.BackToChoice())
PHONE = Choice("スマートフォンを使う", flow.ChoosePhone())
METHODS = {
    "face": Choice("顔認証", flow.Choose(flow.Method.FACE)),
    "pin": Choice("暗証番号", flow.Choose(flow.Method.PIN)),
    "iphone": Choice("iPhone", flow.Choose(flow.Method.IPHONE)),
    "android": Choice("Android", flow.Choose(flow.Method.ANDROID)),
}
SCREENS: dict[str, tuple[Choice, ...]] = {
    "FACE_MATCH": (OTHER_WAY,),
    "LAST_TRY": (OTHER_WAY, Choice("暗証番号を入力する", flow.AcceptLastTry())),
    "BUNDLE": (
        Choice("すべて同意する", flow.AnswerAll(ConsentAnswer.GIVEN)),
        Choice("一つずつ選ぶ", flow.OneByOne()),
        Choice("すべて同意しない", flow.AnswerAll(ConsentAnswer.DECLINED)),
    ),
    "PRESCRIPTION": (
        Choice("電子処方箋", flow.ChoosePrescription(PrescriptionForm.ELECTRONIC)),
        Choice("紙の処方箋", flow.ChoosePrescription(PrescriptionForm.PAPER)),
    ),
    "CARD_USE_OFFER": (
        Choice("登録する", flow.AnswerCardUse(ConsentAnswer.GIVEN)),
        Choice("登録しない", flow.AnswerCardUse(ConsentAnswer.DECLINED)),
    ),
}
"""Screens on which the choices are always the same, in the order of their buttons."""

NO_WAY_OUT = {"WAITING", "SENDING", "TAKE_CARD", "COMPLETE", "OUT_OF_SERVICE", "DESK_CLOSED"}
"""Where the flow takes neither Cancel nor CallStaff."""


def choices(snapshot: Snapshot) -> tuple[Choice, ...]:
    """Return what the digits 1, 2, … choose now; nothing where a PIN is typed or the machine works."""
    match snapshot.screen:
        case "WAITING":
            return (PHONE,) if snapshot.phones_ready and not snapshot.card_in else ()
        case "METHOD_CHOICE":
            return tuple(choice for method, choice in METHODS.items() if method in snapshot.methods)
        case "PHONE_TAP":
            return () if snapshot.reading_phone else (OTHER_WAY,)
        case "CONSENT" | "LIMIT_CONSENT":
            given, declined = wording.ANSWERS.get(snapshot.question, wording.PLAIN_ANSWERS)
            return (
                Choice(given, flow.Answer(ConsentAnswer.GIVEN)),
                Choice(declined, flow.Answer(ConsentAnswer.DECLINED)),
            )
        case "HELP":
            return (Choice("もどる", flow.LeaveHelp()),)
        case screen:
            return SCREENS.get(screen, ())


def back(snapshot: Snapshot) -> flow.Event | None:
    """Return what the minus key does: one step back where there is one, else the end of the visit."""
    if snapshot.screen in ("PIN_ENTRY", "LAST_TRY", "FACE_MATCH") or OTHER_WAY in choices(snapshot):
        return flow.BackToChoice()
    if snapshot.screen == "HELP":
        return flow.LeaveHelp()
    return None if snapshot.screen in NO_WAY_OUT or snapshot.screen == "CALL_STAFF" else flow.Cancel()


def staff(snapshot: Snapshot) -> flow.Event | None:
    """Return what the plus key does: call staff, wherever the window offers it."""
    called = snapshot.failure == "STAFF_CALLED"
    return None if snapshot.screen in NO_WAY_OUT or called else flow.CallStaff()
