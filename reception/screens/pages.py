"""One page for every Snapshot.screen; pages show what the snapshot says and send events, nothing else."""

from collections.abc import Callable

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QSizePolicy

from consent.choices import ConsentAnswer, Item, PrescriptionForm
from hardware.face import Guidance
from reception import flow
from reception.failures import FAILURES, NOT_COMPLETE, TAKE, FailureCode
from reception.flow import HelpTopic
from reception.screens.arrangement import Arrangement, Grid
from reception.screens.tokens import Look
from reception.screens.widgets import (
    CameraPreview,
    CardPicture,
    Emblem,
    Message,
    PhonePicture,
    Pictogram,
    PinDots,
    PinEdits,
    PinKeys,
    TouchButton,
    Words,
    Working,
)
from reception.screens.widgets.buttons import ButtonKind, ButtonSize
from reception.screens.widgets.pin import KEY_GAP
from reception.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording

Send = Callable[[flow.Event], None]


class Page(Arrangement):
    """A page of the patient's window, in one language."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__()
        self.send, self.t = send, t

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show what the snapshot says."""

    def button(
        self,
        name: str,
        label: str,
        kind: ButtonKind,
        event: flow.Event,
        size: ButtonSize = "primary",
        picture: Pictogram = "",
        note: str = "",
    ) -> TouchButton:
        """Make a button that sends the event."""
        made = TouchButton(name, self.t(label), kind, size, picture, self.t(note))
        if size == "primary":
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        made.clicked.connect(lambda: self.send(event))
        return made

    def other_way(self, size: ButtonSize = "secondary") -> TouchButton:
        """Make the button that leads back to the choice."""
        return self.button("back_to_choice", wording.OTHER_WAY, "outline", flow.BackToChoice(), size, "back")

    def help_button(self) -> TouchButton:
        """Make the button for those who cannot go on."""
        return self.button("help", wording.IN_TROUBLE, "quiet", flow.AskHelp(), "secondary", "help")


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
        self.phone = self.button(
            "choose_phone", wording.USE_PHONE, "outline", flow.ChoosePhone(), picture="phone"
        )
        self.help = self.help_button()
        self.compose(
            (self.notice, self.heading),
            pictures=(self.insert, self.take),
            below=(self.hint,),
            buttons=(self.phone, self.help),
            # Where a notice stands, it says the same.
            spare=(self.hint, self.heading),
        )

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
        self.help.setVisible(not card_in)


class WorkingPage(Page):
    """The machine works; a card stays in, a phone is not needed any more."""

    def __init__(self, send: Send, t: Catalogue, screen: str) -> None:
        super().__init__(send, t)
        self.card, self.phone = CardPicture("keep", t), Emblem("phone")
        heading, *self.more = wording.STILL[screen]
        self.body = Words("body")
        self.compose(
            (Words("heading", t(heading)),), pictures=(self.card, self.phone), below=(Working(t), self.body)
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.card.setVisible(not snapshot.by_phone)
        self.phone.setVisible(snapshot.by_phone)
        stay = wording.PHONE_AWAY if snapshot.by_phone else wording.STAY
        self.body.show_text(self.t.joined(*map(self.t, self.more or [stay])))


class MethodChoicePage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.reason = Message("warning")
        self.heading = Words("heading")
        methods: tuple[tuple[flow.Method, str, Pictogram, str], ...] = (
            (flow.Method.FACE, wording.FACE, "face", N_("カメラで、カードの写真と見くらべます")),
            (flow.Method.PIN, wording.PIN, "keypad", N_("カード申請時に設定した4桁の数字です")),
            (flow.Method.IPHONE, "iPhone", "phone", ""),
            (flow.Method.ANDROID, "Android", "phone", ""),
        )
        self.methods = {
            method.value: self.button(
                f"choose_{method.value}", label, "outline", flow.Choose(method), "primary", picture, note
            )
            for method, label, picture, note in methods
        }
        self.notes = {method.value: t(note) for method, _, _, note in methods}
        self.compose(
            (self.reason, self.heading),
            buttons=(*self.methods.values(), self.help_button()),
            spare=(self.heading,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reason.show_message(*wording.failure_texts(snapshot, self.t))
        self.heading.show_text(self.t(wording.which_way(snapshot)))
        # Who comes back has read what the methods are; a lying window has no room to say it again.
        again = bool(snapshot.failure) and not self.look.sizes.portrait
        for method, button in self.methods.items():
            button.relabel(button.text(), "" if again else self.notes[method])
            button.setVisible(method in snapshot.methods)


class FaceMatchPage(Page):
    beside_text = True

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.guidance = Words("guidance")
        self.preview = CameraPreview(t)
        self.compose(
            (Words("heading", t(wording.IN_THE_FRAME)), self.guidance),
            pictures=(self.preview,),
            below=(Words("caption", t(N_("映像は保存しません。"))),),
            buttons=(self.other_way(),),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.guidance.show_text(self.t(wording.guidance(snapshot)))
        self.preview.show_guidance(Guidance(snapshot.guidance) if snapshot.guidance else None)


class PinEntryPage(Page):
    """Standing: texts, dots, keys and what edits them; lying: texts and keys, and beside them the rest."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.note = Words("caption", t(CARD_PIN))
        self.wrong = Message("error")
        self.left = Words("strong")
        self.dots = PinDots(t)
        self.keys, self.edits = PinKeys(), PinEdits(t)
        self.keys.digit.connect(lambda digit: self.send(flow.PinDigit(digit)))
        self.edits.backspace.clicked.connect(lambda: self.send(flow.PinBackspace()))
        self.edits.clear.clicked.connect(lambda: self.send(flow.PinClear()))
        self.edits.submit.clicked.connect(lambda: self.send(flow.PinSubmit()))
        self.heading = Words("heading", t(wording.TYPE_PIN))
        for part in (self.left, self.dots, self.keys, self.edits):
            part.setParent(self)
        self.compose((self.heading, self.wrong, self.note), buttons=(self.other_way(),))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t, left = self.t, snapshot.pin_tries_left
        tries = "" if left is None else t(wording.TRIES_LEFT, count=left)
        wrong = pin_was_wrong(snapshot, t)
        if snapshot.failure == FailureCode.PHONE_MOVED_AFTER_PIN:
            wrong = wording.failure_texts(snapshot, t)[0]
        self.wrong.show_message(wrong)
        self.left.show_text(tries)
        self.note.show_text("" if wrong else t(PHONE_PIN if snapshot.by_phone else CARD_PIN))
        self.dots.show_count(snapshot.pin_digits)

    def place(self) -> None:
        """Give every part its place for the size of the page."""
        if self.look.sizes.portrait:
            self._place_standing()
        else:
            self._place_lying()

    def take_look(self, look: Look) -> None:
        """Keep the texts close together: the keys need the room."""
        super().take_look(look)
        self.above.space(2)

    def _place_standing(self) -> None:
        width, sizes = self.width(), self.look.sizes
        back = self.buttons.height_at(width)
        left = 0 if self.left.isHidden() else self.left.heightForWidth(width)
        keys = 4 * sizes.primary + 3 * KEY_GAP
        needed = left + self.dots.height() + keys + back + 3 * sizes.tight
        # What went wrong says what to do as well, where there is no room for both.
        with_heading = [self.heading, *(piece for piece in self.above.shown() if piece is not self.heading)]
        room = self.above.height_at(width, with_heading) + needed <= self.height()
        self.heading.setVisible(room or self.wrong.isHidden())
        texts = self.above.height_at(width)
        free = max(0, self.height() - texts - left - self.dots.height() - keys - back)
        gap = min(free // 3, 28)
        y = min(free - 3 * gap, sizes.gap)
        self.above.lay(QRect(0, y, width, texts))
        self.left.setGeometry(0, y + texts, width, left)
        y += texts + left + gap
        self.dots.setGeometry(0, y, width, self.dots.height())
        y = self.height() - back - gap - keys
        split = max(sizes.primary, (width - 3 * KEY_GAP) // 5)
        self.keys.setGeometry(0, y, 3 * split + 2 * KEY_GAP, keys)
        self.edits.setGeometry(3 * (split + KEY_GAP), y, width - 3 * (split + KEY_GAP), keys)
        self.buttons.lay(QRect(0, self.height() - back, width, back))

    def _place_lying(self) -> None:
        width, height, sizes = self.width(), self.height(), self.look.sizes
        right = PinDots.WIDTH
        left, x = width - right - sizes.gap, width - right
        # There is room for one of the two; what went wrong says what to do as well.
        self.heading.setVisible(self.wrong.isHidden())
        tries = 0 if self.left.isHidden() else self.left.sizeHint().width() + 8
        keys = self.keys.sizeHint().height()
        texts = self.above.height_at(left - tries)
        y = max(0, (height - keys - texts) // 2)
        self.above.lay(QRect(0, y, left - tries, texts))
        self.left.setGeometry(left - tries, y, tries, self.left.sizeHint().height())
        self.keys.setGeometry(0, height - keys, left, keys)
        back = self.buttons.height_at(right)
        self.dots.setGeometry(x, 0, right, self.dots.height())
        self.buttons.lay(QRect(x, height - back, right, back))
        y = self.dots.height() + sizes.tight
        self.edits.setGeometry(QRect(x, y, right, height - back - sizes.tight - y))


class LastTryPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.warning = Message("warning")
        accept = self.button(
            "accept_last_try", wording.TYPE_LAST, "outline", flow.AcceptLastTry(), picture="keypad"
        )
        self.compose(
            (Words("heading", t(wording.ONE_TRY)), self.warning), buttons=(self.other_way("primary"), accept)
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
        self.working = Working(t)
        self.hint = Words("body")
        self.back = self.other_way()
        self.compose(
            (self.reason, self.heading),
            pictures=(PhonePicture(t),),
            below=(self.working, self.hint),
            buttons=(self.back,),
            spare=(self.hint,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t, reading = self.t, snapshot.reading_phone
        self.reason.show_message(*wording.failure_texts(snapshot, t))
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
        self.count = Words("caption")
        self.heading = Words("heading")
        self.body = Words("body")
        self.emblem = Emblem("consent")
        given, declined = wording.PLAIN_ANSWERS
        self.given = self.button("given", given, "fill", flow.Answer(ConsentAnswer.GIVEN), picture="yes")
        self.declined = self.button(
            "declined", declined, "outline", flow.Answer(ConsentAnswer.DECLINED), picture="no"
        )
        self.note = Words("caption")
        self.compose(
            (self.count, self.heading, self.body),
            pictures=(self.emblem,),
            below=(self.note,),
            buttons=(self.given, self.declined),
            spare=(self.count, self.note),
        )

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
        self.emblem.show_picture(PICTURES.get(snapshot.question, "consent"))
        given, declined = wording.answers(snapshot.question)
        self.given.relabel(t(given))
        self.declined.relabel(t(declined))
        self.note.show_text(t(wording.question_note(snapshot)))


class ChoicePage(Page):
    """Something to choose by buttons of the same size and weight; none is chosen beforehand."""

    def __init__(self, send: Send, t: Catalogue, screen: str, choices: "tuple[Offer, ...]") -> None:
        super().__init__(send, t)
        heading, *more = wording.STILL[screen]
        offered = [
            self.button(name, label, "outline", event, "primary", picture)
            for name, label, event, picture in choices
        ]
        self.compose(
            (Words("heading", t(heading)), Words("body", t.joined(*map(t, more)))),
            pictures=(Emblem(PICTURES[screen]),),
            buttons=offered,
        )


class TakeCardPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        done = Message("success")
        done.show_message(t(wording.CHECKED_IN))
        self.heading = Words("heading")
        self.take, self.wait = CardPicture("take", t), Emblem("seat", "success")
        self.reminder = Message("warning")
        self.notice = Message("warning")
        self.urgent = Message("error")
        self.compose(
            (done, self.reminder, self.urgent, self.heading, self.notice),
            pictures=(self.take, self.wait),
            spare=(self.notice,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        card_in = snapshot.card_in
        self.heading.show_text(self.t(wording.TAKE_CARD if card_in else wording.UNTIL_CALLED))
        self.take.setVisible(card_in)
        self.wait.setVisible(not card_in)
        forgotten = card_in and snapshot.reminders > 0
        # Said again each time; from the second time on it is shown as an alarm, too.
        again = forgotten and snapshot.reminders > 1
        self.reminder.show_message(self.t(wording.DO_NOT_FORGET) if forgotten and not again else "")
        self.urgent.show_message(self.t(wording.DO_NOT_FORGET) if again else "")
        notice = wording.NOTICES.get(snapshot.notice, "")
        self.notice.show_message("", "" if forgotten else self.t(notice))


class CompletePage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        done = Message("success")
        done.show_message(t(wording.CHECKED_IN))
        self.compose(
            (done, Words("heading", t(wording.UNTIL_CALLED))),
            pictures=(Emblem("seat", "success"),),
            below=(Words("body", t(wording.GET_WELL)),),
        )


class CallStaffPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.heading = Words("heading")
        self.message = Message("error")
        self.take, self.staff = CardPicture("take", t), Emblem("staff")
        self.compose((self.heading, self.message), pictures=(self.take, self.staff), spare=(self.heading,))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        called = snapshot.failure in ("", FailureCode.STAFF_CALLED)
        take = snapshot.card_in and snapshot.failure in wording.WITHOUT_STAFF
        t = self.t
        heading = wording.STAFF_ON_THE_WAY if called else TAKE if take else wording.ASK_STAFF
        self.heading.show_text(t(heading).rstrip("。."))
        what, next_step = wording.failure_texts(snapshot, t)
        self.message.show_message(what or t(wording.PLEASE_WAIT), next_step)
        self.take.setVisible(snapshot.card_in and not called)
        self.staff.setVisible(not snapshot.card_in or called)


class OutOfServicePage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.reason = Message("warning")
        self.take = Words("strong", t(wording.TAKE_IF_IN))
        body = Words("body", t.joined(t(wording.ASK_STAFF), t(N_("復旧すると、自動で再開します。"))))
        self.compose(
            (Words("heading", t(wording.OUT_OF_USE)), self.reason),
            pictures=(Emblem("closed", "warning"),),
            below=(body, self.take),
            spare=(body,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reason.show_message(wording.failure_texts(snapshot, self.t)[0])
        self.take.setVisible(snapshot.card_in)


class HelpPage(Page):
    """For those who cannot go on: either the list of troubles, or one of them with what to do now."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.heading = Words("heading")
        self.answer = Words("body")
        self.emblem = Emblem("help")
        topics = [
            self.button(f"help_{topic}", words[0], "outline", flow.AskHelp(HelpTopic(topic)), "secondary")
            for topic, words in wording.HELP.items()
            if topic != HelpTopic.LIST
        ]
        self.list = self.button("help_list", wording.GO_BACK, "outline", flow.AskHelp(), "secondary", "back")
        self.leave = self.button(
            "leave_help", wording.GO_BACK, "quiet", flow.LeaveHelp(), "secondary", "back"
        )
        self.across = Grid(topics)
        self.compose(
            (self.heading, self.answer),
            pictures=(self.emblem,),
            buttons=(self.across, self.list, self.leave),
            spare=(self.heading,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        assert self.across is not None
        topic = snapshot.help or HelpTopic.LIST
        heading, *answer = wording.HELP[topic]
        self.heading.show_text(self.t(heading))
        self.answer.show_text("\n".join(map(self.t, answer)))
        listed = topic == HelpTopic.LIST
        self.across.setVisible(listed)
        self.emblem.setVisible(not listed)
        self.list.setVisible(not listed)
        self.leave.setVisible(listed)


class StillPage(Page):
    """Only tells something."""

    def __init__(self, send: Send, t: Catalogue, screen: str) -> None:
        super().__init__(send, t)
        heading, *more = wording.STILL[screen]
        self.compose(
            (Words("heading", t(heading)),),
            pictures=(Emblem(PICTURES[screen]),),
            below=(Words("body", t.joined(*map(t, more))),),
        )


CARD_PIN = N_("カード申請時に設定した4桁の暗証番号を入力します。")
PHONE_PIN = N_("スマートフォンの電子証明書の、4桁の暗証番号を入力します。")

PICTURES: dict[str, Pictogram] = {
    Item.MEDICATION: "medicine",
    Item.DIAGNOSIS: "paper",
    Item.OPERATION: "paper",
    Item.HEALTH_CHECKUP: "checkup",
    Item.LIMIT_AMOUNT: "payment",
    Item.SPECIFIC_DISEASE: "paper",
    Item.MEDICAL_SUBSIDY: "payment",
    "BUNDLE": "consent",
    "PRESCRIPTION": "medicine",
    "CARD_USE_OFFER": "card",
    "VISUAL_CHECK": "staff",
    "DESK_CLOSED": "closed",
}
"""What a question or a screen is about."""

Offer = tuple[str, str, flow.Event, Pictogram]
"""Name of a button, label, event and picture."""

CHOICES: dict[str, tuple[Offer, ...]] = {
    "BUNDLE": (
        ("agree_to_all", wording.AGREE_TO_ALL, flow.AnswerAll(ConsentAnswer.GIVEN), "yes"),
        ("one_by_one", wording.ONE_BY_ONE, flow.OneByOne(), "consent"),
        ("decline_all", wording.DECLINE_ALL, flow.AnswerAll(ConsentAnswer.DECLINED), "no"),
    ),
    "PRESCRIPTION": (
        ("electronic", wording.ELECTRONIC, flow.ChoosePrescription(PrescriptionForm.ELECTRONIC), "card"),
        ("paper", wording.PAPER, flow.ChoosePrescription(PrescriptionForm.PAPER), "paper"),
    ),
    "CARD_USE_OFFER": (
        ("register", wording.REGISTER, flow.AnswerCardUse(ConsentAnswer.GIVEN), "yes"),
        ("do_not_register", wording.DO_NOT_REGISTER, flow.AnswerCardUse(ConsentAnswer.DECLINED), "no"),
    ),
}


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
    "TAKE_CARD": TakeCardPage,
    "COMPLETE": CompletePage,
    "CALL_STAFF": CallStaffPage,
    "OUT_OF_SERVICE": OutOfServicePage,
    "HELP": HelpPage,
}
