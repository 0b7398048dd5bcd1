"""One page for every Snapshot.screen; pages show what the snapshot says and send events, nothing else."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from consent.choices import ConsentAnswer, PrescriptionForm
from reception import flow
from reception.failures import FAILURES, NOT_COMPLETE, TAKE, FailureCode
from reception.screens import tokens
from reception.screens.widgets import (
    BigButton,
    ButtonKind,
    CameraPreview,
    CardPicture,
    Message,
    PhonePicture,
    PinDots,
    PinPad,
    Words,
    Working,
)
from reception.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording

Send = Callable[[flow.Event], None]
MIDDLE = Qt.AlignmentFlag.AlignHCenter


class Page(QWidget):
    """A page of the patient's window, in one language: its pieces from top to bottom."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__()
        self.send, self.t = send, t
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(tokens.GAP)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show what the snapshot says."""

    def button(
        self, name: str, label: str, kind: ButtonKind, event: flow.Event, height: int = tokens.PRIMARY_HEIGHT
    ) -> BigButton:
        """Make a button that sends the event."""
        made = BigButton(name, self.t(label), kind, height)
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


def pin_was_wrong(snapshot: Snapshot, t: Catalogue) -> str:
    """Return what to say about the last PIN; an earlier failure of the visit does not belong there."""
    return wording.failure_texts(snapshot, t)[0] if snapshot.failure == FailureCode.PIN_WRONG else ""


class WaitingPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.notice = Message("error")
        self.heading = Words("heading")
        self.insert = CardPicture("insert", t)
        self.take = CardPicture("take", t)
        self.hint = Words("body")
        self.phone = self.button("choose_phone", wording.USE_PHONE, "outline", flow.ChoosePhone())
        self.stack(self.notice, 2, self.heading, 1, self.insert, self.take, 1, self.hint, 2, self.phone)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t, card_in = self.t, snapshot.card_in
        if snapshot.failure:
            failure = FAILURES[FailureCode(snapshot.failure)]
            next_step = wording.failure_texts(snapshot, t)[1]
            self.notice.show_message(t(NOT_COMPLETE).rstrip("。."), t.joined(t(failure.what), next_step))
        else:
            self.notice.show_message("")
        self.heading.show_text(t(wording.TAKE_CARD if card_in else wording.PUT_IN))
        self.hint.show_text("" if card_in else t(wording.RIGHT_WAY))
        self.insert.setVisible(not card_in)
        self.take.setVisible(card_in)
        self.phone.setVisible(snapshot.phones_ready and not card_in)


class WorkingPage(Page):
    """The machine works; a card stays in, a phone is not needed any more."""

    def __init__(self, send: Send, t: Catalogue, screen: str) -> None:
        super().__init__(send, t)
        self.picture = CardPicture("keep", t)
        heading, *self.more = wording.STILL[screen]
        self.body = Words("body")
        self.stack(2, Words("heading", t(heading)), 1, self.picture, Working(t), 1, self.body, 2)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.picture.setVisible(snapshot.card_in)
        stay = wording.PHONE_AWAY if snapshot.by_phone else wording.STAY
        self.body.show_text(self.t.joined(*map(self.t, self.more or [stay])))


class MethodChoicePage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.reason = Message("warning")
        self.heading = Words("heading")
        self.face = self.button(
            "choose_face",
            wording.FACE,
            "outline",
            flow.Choose(flow.Method.FACE),
            height=tokens.PRIMARY_HEIGHT + 40,
        )
        self.face_note = Words("caption", t(N_("カメラで、カードの写真と見くらべます")))
        self.pin = self.button(
            "choose_pin",
            wording.PIN,
            "outline",
            flow.Choose(flow.Method.PIN),
            height=tokens.PRIMARY_HEIGHT + 40,
        )
        self.pin_note = Words("caption", t(N_("カード申請時に設定した4桁の数字です")))
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
        self.reason.show_message(*wording.failure_texts(snapshot, self.t))
        self.heading.show_text(self.t(wording.which_way(snapshot)))
        for method, pieces in (
            ("face", (self.face, self.face_note)),
            ("pin", (self.pin, self.pin_note)),
            ("iphone", (self.iphone,)),
            ("android", (self.android,)),
        ):
            for piece in pieces:
                piece.setVisible(method in snapshot.methods)


class FaceMatchPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.heading = Words("heading", t(wording.IN_THE_FRAME))
        self.guidance = Words("guidance")
        self.preview = CameraPreview(t)
        note = Words("caption", t(N_("映像は保存しません。")))
        back = self.button(
            "back_to_choice", wording.OTHER_WAY, "outline", flow.BackToChoice(), tokens.SECONDARY_HEIGHT
        )
        self.column.setSpacing(12)
        self.stack(self.heading, self.guidance, self.preview, note, 1, back)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.guidance.show_text(self.t(wording.guidance(snapshot)))
        self.preview.show_good(not snapshot.guidance)


class PinEntryPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.column.setSpacing(6)
        self.note = Words("caption", t(CARD_PIN))
        self.wrong = Message("error")
        self.left = Words("strong")
        self.dots = PinDots(t)
        pad = PinPad(t)
        pad.digit.connect(lambda digit: self.send(flow.PinDigit(digit)))
        pad.backspace.connect(lambda: self.send(flow.PinBackspace()))
        pad.clear.connect(lambda: self.send(flow.PinClear()))
        pad.submit.connect(lambda: self.send(flow.PinSubmit()))
        self.back = self.button(
            "back_to_choice", wording.OTHER_WAY, "outline", flow.BackToChoice(), tokens.SECONDARY_HEIGHT
        )
        heading = Words("heading", t(wording.TYPE_PIN))
        self.stack(heading, self.note, self.wrong, self.left, 1, self.dots, 1, pad, self.back)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t, left = self.t, snapshot.pin_tries_left
        tries = "" if left is None else t(wording.TRIES_LEFT, count=left)
        wrong = pin_was_wrong(snapshot, t)
        if snapshot.failure == FailureCode.PHONE_MOVED_AFTER_PIN:
            wrong = wording.failure_texts(snapshot, t)[0]
        self.wrong.show_message(f"{wrong} {tries}" if wrong else "")
        self.left.show_text("" if wrong else tries)
        self.note.show_text(t(PHONE_PIN if snapshot.by_phone else CARD_PIN))
        self.note.setVisible(not wrong)
        self.dots.show_count(snapshot.pin_digits)


class LastTryPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.warning = Message("warning")
        self.back = self.button("back_to_choice", wording.OTHER_WAY, "outline", flow.BackToChoice())
        accept = self.button("accept_last_try", wording.TYPE_LAST, "outline", flow.AcceptLastTry())
        self.stack(
            2,
            Words("heading", t(wording.ONE_TRY)),
            1,
            self.warning,
            2,
            self.back,
            accept,
            2,
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t = self.t
        tries = t(wording.TRIES_LEFT, count=1)
        wrong = pin_was_wrong(snapshot, t)
        unblock = "" if snapshot.by_phone else t(wording.UNBLOCK)
        self.warning.show_message(f"{wrong} {tries}".strip(), t.joined(t(wording.THEN_BLOCKED), unblock))


class PhoneTapPage(Page):
    """The phone is laid on its reader, or is being read there."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.reason = Message("warning")
        self.heading = Words("heading")
        self.picture = PhonePicture(t)
        self.working = Working(t)
        self.hint = Words("body")
        self.back = self.button(
            "back_to_choice", wording.OTHER_WAY, "outline", flow.BackToChoice(), tokens.SECONDARY_HEIGHT
        )
        self.stack(self.reason, 2, self.heading, 1, self.picture, self.working, 1, self.hint, 2, self.back)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        reading = snapshot.reading_phone
        self.reason.show_message(*wording.failure_texts(snapshot, self.t))
        t = self.t
        self.heading.show_text(t(wording.READING_PHONE if reading else wording.LAY_PHONE))
        first = t(wording.PHONE_FIRST) if snapshot.phone == "iphone" else ""
        still = t.joined(first, t(wording.PHONE_UNTIL_READ))
        self.hint.show_text(t(wording.PHONE_STILL) if reading else still)
        self.working.setVisible(reading)
        self.back.setVisible(not reading)


class QuestionPage(Page):
    """One question, two answers of the same size; none is chosen beforehand."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.count = Words("body")
        self.heading = Words("heading")
        self.body = Words("body")
        self.given = self.button(
            "given",
            wording.PLAIN_ANSWERS[0],
            "fill",
            flow.Answer(ConsentAnswer.GIVEN),
            tokens.PRIMARY_HEIGHT + 20,
        )
        self.declined = self.button(
            "declined",
            wording.PLAIN_ANSWERS[1],
            "outline",
            flow.Answer(ConsentAnswer.DECLINED),
            tokens.PRIMARY_HEIGHT + 20,
        )
        self.note = Words("caption")
        self.stack(1, self.count, self.heading, 1, self.body, 1, self.given, self.declined, self.note, 2)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t = self.t
        what = t(wording.WHAT_TO_PROVIDE) if snapshot.screen == "CONSENT" else ""
        number = ""
        if snapshot.question_count > 1:
            number = t(N_("質問 {n}/{m}"), n=snapshot.question_number, m=snapshot.question_count)
        self.count.show_text("\n".join(filter(None, (number, what))))
        heading, body = wording.QUESTIONS[snapshot.question] if snapshot.question else ("", "")
        self.heading.show_text(t(heading))
        self.body.show_text(t(body))
        given, declined = wording.answers(snapshot.question)
        self.given.relabel(t(given))
        self.declined.relabel(t(declined))
        self.note.show_text(t(wording.question_note(snapshot)))


class ChoicePage(Page):
    """Something to choose by buttons of the same size and weight; none is chosen beforehand."""

    def __init__(
        self, send: Send, t: Catalogue, screen: str, choices: tuple[tuple[str, str, flow.Event], ...]
    ) -> None:
        super().__init__(send, t)
        heading, *more = wording.STILL[screen]
        buttons = [
            self.button(name, label, "outline", event, tokens.PRIMARY_HEIGHT + 20)
            for name, label, event in choices
        ]
        self.stack(1, Words("heading", t(heading)), 1, Words("body", t.joined(*map(t, more))), 1, *buttons, 2)


class TakeCardPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        done = Message("success")
        done.show_message(t(wording.CHECKED_IN))
        self.heading = Words("heading", t(wording.TAKE_CARD))
        self.heading_out = Words("heading", t(wording.UNTIL_CALLED))
        self.picture = CardPicture("take", t)
        self.reminder = Message("warning")
        self.stack(1, done, 1, self.heading, self.heading_out, self.picture, self.reminder, 3)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.heading.setVisible(snapshot.card_in)
        self.picture.setVisible(snapshot.card_in)
        self.heading_out.setVisible(not snapshot.card_in)
        forgotten = snapshot.card_in and snapshot.reminders > 0
        self.reminder.show_message(self.t(wording.DO_NOT_FORGET) if forgotten else "")


class CompletePage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        done = Message("success")
        done.show_message(t(wording.CHECKED_IN))
        self.stack(
            3,
            done,
            1,
            Words("heading", t(wording.UNTIL_CALLED)),
            1,
            Words("body", t(wording.GET_WELL)),
            4,
        )


class CallStaffPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.heading = Words("heading")
        self.message = Message("error")
        self.picture = CardPicture("take", t)
        self.stack(2, self.heading, 1, self.message, self.picture, 3)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        called = snapshot.failure in ("", FailureCode.STAFF_CALLED)
        take = snapshot.card_in and snapshot.failure in wording.WITHOUT_STAFF
        t = self.t
        heading = wording.STAFF_ON_THE_WAY if called else TAKE if take else wording.ASK_STAFF
        self.heading.show_text(t(heading).rstrip("。."))
        what, next_step = wording.failure_texts(snapshot, t)
        self.message.show_message(what or t(wording.PLEASE_WAIT), next_step)
        self.picture.setVisible(snapshot.card_in and not called)


class OutOfServicePage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.reason = Message("warning")
        self.take = Words("strong", t(wording.TAKE_IF_IN))
        self.stack(
            3,
            Words("heading", t(wording.OUT_OF_USE)),
            1,
            self.reason,
            1,
            Words("body", t.joined(t(wording.ASK_STAFF), t(N_("復旧すると、自動で再開します。")))),
            self.take,
            4,
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reason.show_message(wording.failure_texts(snapshot, self.t)[0])
        self.take.setVisible(snapshot.card_in)


class StillPage(Page):
    """Only tells something."""

    def __init__(self, send: Send, t: Catalogue, screen: str) -> None:
        super().__init__(send, t)
        heading, *more = wording.STILL[screen]
        self.stack(2, Words("heading", t(heading)), 1, Words("body", t.joined(*map(t, more))), 3)


CARD_PIN = N_("カード申請時に設定した4桁の暗証番号を入力します。")
PHONE_PIN = N_("スマートフォンの電子証明書の、4桁の暗証番号を入力します。")

CHOICES: dict[str, tuple[tuple[str, str, flow.Event], ...]] = {
    "BUNDLE": (
        ("agree_to_all", wording.AGREE_TO_ALL, flow.AnswerAll(ConsentAnswer.GIVEN)),
        ("one_by_one", wording.ONE_BY_ONE, flow.OneByOne()),
        ("decline_all", wording.DECLINE_ALL, flow.AnswerAll(ConsentAnswer.DECLINED)),
    ),
    "PRESCRIPTION": (
        ("electronic", wording.ELECTRONIC, flow.ChoosePrescription(PrescriptionForm.ELECTRONIC)),
        ("paper", wording.PAPER, flow.ChoosePrescription(PrescriptionForm.PAPER)),
    ),
    "CARD_USE_OFFER": (
        ("register", wording.REGISTER, flow.AnswerCardUse(ConsentAnswer.GIVEN)),
        ("do_not_register", wording.DO_NOT_REGISTER, flow.AnswerCardUse(ConsentAnswer.DECLINED)),
    ),
    "HELP": (("leave_help", wording.GO_BACK, flow.LeaveHelp()),),
}
"""Name of the button, label and event."""


def pages(send: Send, t: Catalogue) -> dict[str, Page]:
    """Make one page for every Snapshot.screen, in the language of ``t``."""
    return {
        "WAITING": WaitingPage(send, t),
        "METHOD_CHOICE": MethodChoicePage(send, t),
        "FACE_MATCH": FaceMatchPage(send, t),
        "PIN_ENTRY": PinEntryPage(send, t),
        "LAST_TRY": LastTryPage(send, t),
        "PHONE_TAP": PhoneTapPage(send, t),
        "CONSENT": QuestionPage(send, t),
        "LIMIT_CONSENT": QuestionPage(send, t),
        "TAKE_CARD": TakeCardPage(send, t),
        "COMPLETE": CompletePage(send, t),
        "CALL_STAFF": CallStaffPage(send, t),
        "OUT_OF_SERVICE": OutOfServicePage(send, t),
        **{screen: WorkingPage(send, t, screen) for screen in ("READING", "CHECKING", "SENDING")},
        **{screen: StillPage(send, t, screen) for screen in ("VISUAL_CHECK", "DESK_CLOSED")},
        **{screen: ChoicePage(send, t, screen, choices) for screen, choices in CHOICES.items()},
    }
