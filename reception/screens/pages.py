"""One page for every Snapshot.screen; pages show what the snapshot says and send events, nothing else."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from consent.choices import ConsentAnswer, PrescriptionForm
from hardware.face import Guidance
from reception import flow
from reception.failures import FAILURES, FailureCode
from reception.screens import tokens, wording
from reception.screens.widgets import (
    BigButton,
    ButtonKind,
    CameraPreview,
    CardPicture,
    Panel,
    PhonePicture,
    PinDots,
    PinPad,
    Text,
    Working,
)
from reception.snapshot import Snapshot

Send = Callable[[flow.Event], None]
LINE_LENGTH = 24
"""Characters of body text on a line of the 800 px window."""
MIDDLE = Qt.AlignmentFlag.AlignHCenter


class Page(QWidget):
    """A page of the patient's window: its pieces from top to bottom."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        self.send = send
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(tokens.GAP)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show what the snapshot says."""

    def button(
        self, name: str, label: str, kind: ButtonKind, event: flow.Event, height: int = tokens.PRIMARY_HEIGHT
    ) -> BigButton:
        """Make a button that sends the event."""
        made = BigButton(name, label, kind, height)
        made.clicked.connect(lambda: self.send(event))
        return made

    def stack(self, *pieces: QWidget | int) -> None:
        """Put pieces below each other; a number is a stretch."""
        for piece in pieces:
            if isinstance(piece, int):
                self.column.addStretch(piece)
            elif isinstance(piece, CardPicture | PhonePicture | CameraPreview | Working):
                self.column.addWidget(piece, alignment=MIDDLE)
            else:
                self.column.addWidget(piece)


def failure_words(snapshot: Snapshot, longest: int = LINE_LENGTH) -> tuple[str, str]:
    """Return what happened and what to do next, broken into lines; empty texts when nothing failed."""
    if not snapshot.failure:
        return "", ""
    failure = FAILURES[FailureCode(snapshot.failure)]
    return wording.lines(failure.patient, longest), wording.lines(failure.next_step, longest)


def pin_was_wrong(snapshot: Snapshot) -> str:
    """Return what to say about the last PIN; an earlier failure of the visit does not belong there."""
    return failure_words(snapshot)[0] if snapshot.failure == FailureCode.PIN_WRONG else ""


class WaitingPage(Page):
    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self.notice = Panel("error")
        self.heading = Text("heading")
        self.insert = CardPicture("insert")
        self.take = CardPicture("take")
        self.hint = Text("body")
        self.phone = self.button("choose_phone", "スマートフォンを使う", "outline", flow.ChoosePhone())
        self.stack(self.notice, 2, self.heading, 1, self.insert, self.take, 1, self.hint, 2, self.phone)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.failure:
            failure = FAILURES[FailureCode(snapshot.failure)]
            what = wording.without_not_complete(failure.patient)
            next_step = failure.next_step if snapshot.card_in else wording.with_card_out(failure.next_step)
            text = f"{wording.lines(what, LINE_LENGTH)}\n{wording.lines(next_step, LINE_LENGTH)}"
            self.notice.show_message(wording.NOT_COMPLETE.rstrip("。"), text)
        else:
            self.notice.show_message("")
        card_in = snapshot.card_in
        self.heading.setText(
            "カードを\nカードリーダーから\nお取りください"
            if card_in
            else "マイナンバーカードを\nカードリーダーに\n入れてください"
        )
        self.hint.setText("" if card_in else "ケースから出して、\n向きを確かめて入れてください。")
        self.insert.setVisible(not card_in)
        self.take.setVisible(card_in)
        self.phone.setVisible(snapshot.phones_ready and not card_in)


class WorkingPage(Page):
    """The machine works; a card stays in, a phone is not needed any more."""

    def __init__(self, send: Send, heading: str, card: str) -> None:
        super().__init__(send)
        self.picture = CardPicture("keep")
        self.card = card
        self.body = Text("body", card)
        self.stack(2, Text("heading", heading), 1, self.picture, Working(), 1, self.body, 2)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.picture.setVisible(snapshot.card_in)
        self.body.setText(PHONE_AWAY if snapshot.by_phone and self.card == STAY else self.card)


class MethodChoicePage(Page):
    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self.reason = Panel("warning")
        self.heading = Text("heading")
        self.face = self.button(
            "choose_face",
            "顔認証",
            "outline",
            flow.Choose(flow.Method.FACE),
            height=tokens.PRIMARY_HEIGHT + 40,
        )
        self.face_note = Text("caption", "カメラで、カードの写真と見くらべます")
        self.pin = self.button(
            "choose_pin",
            "暗証番号",
            "outline",
            flow.Choose(flow.Method.PIN),
            height=tokens.PRIMARY_HEIGHT + 40,
        )
        self.pin_note = Text("caption", "カード申請時に設定した4桁の数字です")
        self.iphone = self.button(
            "choose_iphone",
            "iPhone",
            "outline",
            flow.Choose(flow.Method.IPHONE),
            height=tokens.PRIMARY_HEIGHT + 40,
        )
        self.android = self.button(
            "choose_android",
            "Android",
            "outline",
            flow.Choose(flow.Method.ANDROID),
            height=tokens.PRIMARY_HEIGHT + 40,
        )
        faces = (self.face, self.face_note, 1, self.pin, self.pin_note)
        self.stack(self.reason, 2, self.heading, 1, *faces, self.iphone, self.android, 3)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reason.show_message(*failure_words(snapshot))
        both = {"face", "pin"} <= set(snapshot.methods)
        self.heading.setText(
            "スマートフォンの種類を\n選んでください"
            if snapshot.by_phone
            else "顔認証または暗証番号の\nどちらかを選んでください"
            if both
            else "本人確認の方法を\n選んでください"
        )
        for method, pieces in (
            ("face", (self.face, self.face_note)),
            ("pin", (self.pin, self.pin_note)),
            ("iphone", (self.iphone,)),
            ("android", (self.android,)),
        ):
            for piece in pieces:
                piece.setVisible(method in snapshot.methods)


class FaceMatchPage(Page):
    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self.heading = Text("heading", "画面の枠に顔が収まるようにすると\n自動的に撮影されます。")
        self.guidance = Text("guidance")
        self.preview = CameraPreview()
        note = Text("caption", "映像は保存しません。")
        back = self.button(
            "back_to_choice", "ほかの方法にする", "outline", flow.BackToChoice(), tokens.SECONDARY_HEIGHT
        )
        self.column.setSpacing(12)
        self.stack(self.heading, self.guidance, self.preview, note, 1, back)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        asked = snapshot.guidance
        self.guidance.setText(wording.GUIDANCE[Guidance(asked)] if asked else wording.LOOKING_GOOD)
        self.preview.show_good(not asked)


class PinEntryPage(Page):
    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self.column.setSpacing(14)
        self.note = Text("caption", CARD_PIN)
        self.wrong = Panel("error")
        self.left = Text("strong")
        self.dots = PinDots()
        pad = PinPad()
        pad.digit.connect(lambda digit: self.send(flow.PinDigit(digit)))
        pad.backspace.connect(lambda: self.send(flow.PinBackspace()))
        pad.clear.connect(lambda: self.send(flow.PinClear()))
        pad.submit.connect(lambda: self.send(flow.PinSubmit()))
        self.back = self.button(
            "back_to_choice", "ほかの方法にする", "outline", flow.BackToChoice(), tokens.SECONDARY_HEIGHT
        )
        heading = Text("heading", "暗証番号を入力してください")
        self.stack(heading, self.note, self.wrong, self.left, 1, self.dots, 1, pad, self.back)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        tries = "" if snapshot.pin_tries_left is None else f"残り {snapshot.pin_tries_left} 回"
        wrong = pin_was_wrong(snapshot)
        if snapshot.failure == FailureCode.PHONE_MOVED_AFTER_PIN:
            wrong = "\n".join(failure_words(snapshot))
        self.wrong.show_message(f"{wrong} {tries}" if wrong else "")
        self.left.show_text("" if wrong else tries)
        self.note.setText(PHONE_PIN if snapshot.by_phone else CARD_PIN)
        self.note.setVisible(not wrong)
        self.dots.show_count(snapshot.pin_digits)


class LastTryPage(Page):
    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self.warning = Panel("warning")
        self.back = self.button("back_to_choice", "ほかの方法にする", "outline", flow.BackToChoice())
        accept = self.button("accept_last_try", "暗証番号を入力する", "outline", flow.AcceptLastTry())
        self.stack(
            2,
            Text("heading", "暗証番号を入力できるのは\nあと1回です"),
            1,
            self.warning,
            2,
            self.back,
            accept,
            2,
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        wrong = pin_was_wrong(snapshot)
        self.warning.show_message(
            f"{wrong} 残り 1 回" if wrong else "残り 1 回",
            "つぎにまちがえると、暗証番号がロックされます。"
            + ("" if snapshot.by_phone else "\n解除は、市区町村の窓口でできます。"),
        )


class PhoneTapPage(Page):
    """The phone is laid on its reader, or is being read there."""

    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self.reason = Panel("warning")
        self.heading = Text("heading")
        self.picture = PhonePicture()
        self.working = Working()
        self.hint = Text("body")
        self.back = self.button(
            "back_to_choice", "ほかの方法にする", "outline", flow.BackToChoice(), tokens.SECONDARY_HEIGHT
        )
        self.stack(self.reason, 2, self.heading, 1, self.picture, self.working, 1, self.hint, 2, self.back)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        reading = snapshot.reading_phone
        self.reason.show_message(*failure_words(snapshot))
        self.heading.setText(
            "スマートフォンを\n読み取っています"
            if reading
            else "スマートフォンを\n読み取り機に\nかざしてください"
        )
        first = "iPhoneの画面で本人確認をしてから、\n" if snapshot.phone == "iphone" else ""
        self.hint.setText(
            "そのまま、動かさないでください。"
            if reading
            else f"{first}読み終わるまで、動かさないでください。"
        )
        self.working.setVisible(reading)
        self.back.setVisible(not reading)


class QuestionPage(Page):
    """One question, two answers of the same size; none is chosen beforehand."""

    def __init__(self, send: Send, note: str) -> None:
        super().__init__(send)
        self.count = Text("body")
        self.heading = Text("heading")
        self.body = Text("body")
        self.given = self.button(
            "given", "同意する", "fill", flow.Answer(ConsentAnswer.GIVEN), tokens.PRIMARY_HEIGHT + 20
        )
        self.declined = self.button(
            "declined",
            "同意しない",
            "outline",
            flow.Answer(ConsentAnswer.DECLINED),
            tokens.PRIMARY_HEIGHT + 20,
        )
        self.note = Text("caption", note)
        self.stack(1, self.count, self.heading, 1, self.body, 1, self.given, self.declined, self.note, 2)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        what = "医師・薬剤師に提供する情報を選んでください" if snapshot.screen == "CONSENT" else ""
        number = f"質問 {snapshot.question_number} / {snapshot.question_count}"
        self.count.show_text("\n".join(filter(None, (number if snapshot.question_count > 1 else "", what))))
        heading, body = wording.QUESTIONS[snapshot.question] if snapshot.question else ("", "")
        self.heading.setText(heading)
        self.body.setText(body)
        given, declined = wording.ANSWERS.get(snapshot.question, wording.PLAIN_ANSWERS)
        self.given.relabel(given)
        self.declined.relabel(declined)
        # There is no card whose removal could mean anything.
        self.note.setVisible(not (snapshot.by_phone and snapshot.screen == "LIMIT_CONSENT"))


class ChoicePage(Page):
    """Something to choose by buttons of the same size and weight; none is chosen beforehand."""

    def __init__(
        self, send: Send, heading: str, body: str, choices: tuple[tuple[str, str, flow.Event], ...]
    ) -> None:
        super().__init__(send)
        buttons = [
            self.button(name, label, "outline", event, tokens.PRIMARY_HEIGHT + 20)
            for name, label, event in choices
        ]
        self.stack(1, Text("heading", heading), 1, Text("body", body), 1, *buttons, 2)


class TakeCardPage(Page):
    def __init__(self, send: Send) -> None:
        super().__init__(send)
        done = Panel("success")
        done.show_message("受付が完了しました")
        self.heading = Text("heading", "カードを\nカードリーダーから\nお取りください")
        self.heading_out = Text("heading", "お呼びするまで\nお待ちください")
        self.picture = CardPicture("take")
        self.reminder = Panel("warning")
        self.stack(1, done, 1, self.heading, self.heading_out, self.picture, self.reminder, 3)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.heading.setVisible(snapshot.card_in)
        self.picture.setVisible(snapshot.card_in)
        self.heading_out.setVisible(not snapshot.card_in)
        forgotten = snapshot.card_in and snapshot.reminders > 0
        self.reminder.show_message("カードをお忘れなく" if forgotten else "")


class CompletePage(Page):
    def __init__(self, send: Send) -> None:
        super().__init__(send)
        done = Panel("success")
        done.show_message("受付が完了しました")
        self.stack(
            3,
            done,
            1,
            Text("heading", "お呼びするまで\nお待ちください"),
            1,
            Text("body", "お大事になさってください。"),
            4,
        )


class CallStaffPage(Page):
    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self.heading = Text("heading")
        self.message = Panel("error")
        self.picture = CardPicture("take")
        self.stack(2, self.heading, 1, self.message, self.picture, 3)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        called = snapshot.failure in ("", FailureCode.STAFF_CALLED)
        take = snapshot.card_in and snapshot.failure in wording.WITHOUT_STAFF
        self.heading.setText(
            "係の人を\n呼んでいます"
            if called
            else "カードを\nお取りください"
            if take
            else "受付の係に\nお声がけください"
        )
        what, next_step = failure_words(snapshot)
        if not snapshot.card_in:
            next_step = wording.with_card_out(next_step)
        self.message.show_message(what or "そのままお待ちください。", next_step)
        self.picture.setVisible(snapshot.card_in and not called)


class OutOfServicePage(Page):
    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self.reason = Panel("warning")
        self.take = Text("strong", "カードが入っていれば、お取りください。")
        self.stack(
            3,
            Text("heading", "ただいま、この機械は\nご利用いただけません"),
            1,
            self.reason,
            1,
            Text("body", "受付の係に、お声がけください。\n復旧すると、自動で再開します。"),
            self.take,
            4,
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reason.show_message(failure_words(snapshot)[0])
        self.take.setVisible(snapshot.card_in)


class AskStaffPage(Page):
    """Stands in for a screen whose issue is still to come: it never leaves a patient before an empty page."""

    def __init__(self, send: Send, heading: str, body: str) -> None:
        super().__init__(send)
        self.stack(2, Text("heading", heading), 1, Text("body", body), 3)


STAY = "カードは、そのまま入れておいてください。"
PHONE_AWAY = "スマートフォンは、しまってもかまいません。"
CARD_PIN = "カード申請時に設定した4桁の暗証番号を入力します。"
PHONE_PIN = "スマートフォンの電子証明書の、4桁の暗証番号を入力します。"


def pages(send: Send) -> dict[str, Page]:
    """Make one page for every Snapshot.screen."""
    return {
        "WAITING": WaitingPage(send),
        "READING": WorkingPage(send, "カードを\n読み取っています", STAY),
        "METHOD_CHOICE": MethodChoicePage(send),
        "FACE_MATCH": FaceMatchPage(send),
        "PIN_ENTRY": PinEntryPage(send),
        "LAST_TRY": LastTryPage(send),
        "PHONE_TAP": PhoneTapPage(send),
        "BUNDLE": ChoicePage(
            send,
            "情報の提供に、\nまとめて同意しますか",
            "医師・薬剤師が見られるのは、\n今から24時間だけです。",
            (
                ("agree_to_all", "すべて同意する", flow.AnswerAll(ConsentAnswer.GIVEN)),
                ("one_by_one", "一つずつ選ぶ", flow.OneByOne()),
                ("decline_all", "すべて同意しない", flow.AnswerAll(ConsentAnswer.DECLINED)),
            ),
        ),
        "PRESCRIPTION": ChoicePage(
            send,
            "処方箋の形を\n選んでください",
            "電子処方箋では、薬局でカードを使います。",
            (
                ("electronic", "電子処方箋", flow.ChoosePrescription(PrescriptionForm.ELECTRONIC)),
                ("paper", "紙の処方箋", flow.ChoosePrescription(PrescriptionForm.PAPER)),
            ),
        ),
        "VISUAL_CHECK": AskStaffPage(send, "係の人が\n確認しています", "そのままお待ちください。"),
        "CHECKING": WorkingPage(send, "健康保険の資格を\n確認しています", STAY),
        "CARD_USE_OFFER": ChoicePage(
            send,
            "このカードを、健康保険証として\n使えるように登録しますか",
            "登録は、はじめの一度だけです。\n登録しないと、この機械では受付できません。",
            (
                ("register", "登録する", flow.AnswerCardUse(ConsentAnswer.GIVEN)),
                ("do_not_register", "登録しない", flow.AnswerCardUse(ConsentAnswer.DECLINED)),
            ),
        ),
        "CONSENT": QuestionPage(send, "医師・薬剤師が見られるのは、\n今から24時間だけです。"),
        "LIMIT_CONSENT": QuestionPage(send, "カードを取ると、「提供しない」として\n受付に進みます。"),
        "SENDING": WorkingPage(send, "受付の内容を\n送っています", "もう少しお待ちください。"),
        "TAKE_CARD": TakeCardPage(send),
        "COMPLETE": CompletePage(send),
        "CALL_STAFF": CallStaffPage(send),
        "OUT_OF_SERVICE": OutOfServicePage(send),
        "DESK_CLOSED": AskStaffPage(
            send,
            "ただいま、受付を\n休止しています",
            "受付の係に、お声がけください。\n再開すると、画面が変わります。",
        ),
        "HELP": ChoicePage(
            send, "こまったときは", "係の人を呼んでください。", (("leave_help", "もどる", flow.LeaveHelp()),)
        ),
    }
