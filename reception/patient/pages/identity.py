"""Pages of 本人確認: the choice, face, PIN, phone."""

from PySide6.QtCore import QRect

from hardware.face.policy import Guidance
from reception import flow
from reception.patient.pages.page import Page, Send
from reception.patient.tokens import Look
from reception.patient.widgets import (
    CameraPreview,
    Message,
    PhonePicture,
    Pictogram,
    PinDots,
    PinEdits,
    PinKeys,
    Words,
    Working,
)
from reception.patient.widgets.pin import KEY_GAP
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording


def pin_was_wrong(snapshot: Snapshot, t: Catalogue) -> str:
    """Return what to say about the last PIN; an earlier failure of the visit does not belong there."""
    return wording.failure_texts(snapshot, t)[0] if snapshot.failure in wording.OF_THE_PIN else ""


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

    def apply_theme(self, look: Look) -> None:
        """Keep the texts close together: the keys need the room."""
        super().apply_theme(look)
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


CARD_PIN = N_("カード申請時に設定した4桁の暗証番号を入力します。")


PHONE_PIN = N_("スマートフォンの電子証明書の、4桁の暗証番号を入力します。")
