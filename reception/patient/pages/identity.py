"""Pages of 本人確認: the choice, face, PIN, phone."""

from hardware.face.guidance import Guidance
from reception import flow
from reception.flow import Method
from reception.patient.pages.ending import tone_of
from reception.patient.pages.page import TWO_IN_A_ROW, Page, Send
from reception.patient.widgets import (
    CameraPreview,
    Emblem,
    Message,
    PhonePicture,
    Pictogram,
    PinDots,
    PinKeys,
    TouchButton,
    Words,
    Working,
)
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording

DIGITS = 4
COLUMN = 82.0
"""Units that a small lying window has beside the keys."""


def pin_was_wrong(snapshot: Snapshot, t: Catalogue) -> str:
    """Return what to say about the last PIN; an earlier failure of the visit does not belong there."""
    return wording.failure_texts(snapshot, t)[0] if snapshot.failure in wording.OF_THE_PIN else ""


class MethodChoicePage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.reason = Message("caution")
        self.heading = Words("heading")
        methods: tuple[tuple[flow.Method, str, Pictogram, str], ...] = (
            (flow.Method.FACE, wording.FACE, "face", N_("カメラで、カードの写真と見くらべます")),
            (flow.Method.PIN, wording.PIN, "keypad", N_("カード申請時に設定した4桁の数字です")),
            (flow.Method.IPHONE, "iPhone", "phone", ""),
            (flow.Method.ANDROID, "Android", "phone", ""),
        )
        self.methods = {
            method.value: self.answer(f"choose_{method.value}", label, flow.Choose(method), picture, note)
            for method, label, picture, note in methods
        }
        self.notes = {method.value: t(note) for method, _, _, note in methods}
        self.compose(
            (self.reason, self.heading),
            answers=tuple(self.methods.values()),
            minor=(self.help_button(),),
            spare=(self.heading,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reason.show_message(*wording.failure_texts(snapshot, self.t), tone_of(snapshot.failure))
        self.heading.show_text(self.t(wording.which_way(snapshot)))
        # Who comes back has read what the methods are; a small window has no room to say it again.
        small = self.look.sizes.composition == "compact"
        again = small and (bool(snapshot.failure) or self.look.sizes.large)
        for method, button in self.methods.items():
            button.relabel(button.text(), "" if again else self.notes[method])
            button.setVisible(method in snapshot.methods)


class FaceMatchPage(Page):
    side = ("compact",)

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.guidance = Words("guidance")
        self.preview = CameraPreview(t)
        self.compose(
            (
                Words("body", t(wording.IN_THE_FRAME)),
                self.guidance,
                Words("hint", t(N_("映像は保存しません。"))),
            ),
            pictures=(self.preview,),
            minor=(self.other_way(),),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.guidance.show_text(self.t(wording.guidance(snapshot)))
        self.preview.show_guidance(Guidance(snapshot.guidance) if snapshot.guidance else None)


class PinEntryPage(Page):
    """Standing: texts, dots, keys; lying: the keys have a column of their own."""

    side = ("compact", "roomy")

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.note = Words("body", t(CARD_PIN), centred=False)
        self.wrong = Message("caution")
        self.left = Words("strong", centred=False)
        self.dots, self.keys = PinDots(t), PinKeys(t)
        self.keys.digit.connect(lambda digit: self.send(flow.PinDigit(digit)))
        self.keys.backspace.clicked.connect(lambda: self.send(flow.PinBackspace()))
        self.keys.submit.clicked.connect(lambda: self.send(flow.PinSubmit()))
        self.heading = Words("heading", t(wording.TYPE_PIN), centred=False)
        self.clear = TouchButton("pin_clear", t(N_("全部消す")), "quiet", "secondary")
        self.clear.clicked.connect(lambda: self.send(flow.PinClear()))
        self.other = self.other_way()
        self.compose(
            (self.wrong, self.heading, self.left, self.note),
            pinned=self.dots,
            pad=self.keys,
            minor=(self.clear, self.other),
            spare=(self.note, self.heading),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t, left = self.t, snapshot.pin_tries_left
        # A small window has no room for a second row; what deletes one digit is enough there.
        sizes = self.look.sizes
        both = self.clear.line_width() + self.other.line_width() <= sizes.px(COLUMN)
        self.clear.setVisible(both or sizes.composition != "compact")
        tries = "" if left is None else t(wording.TRIES_LEFT, count=left)
        wrong = pin_was_wrong(snapshot, t)
        short = t(wording.PIN_MORE, count=DIGITS - snapshot.pin_digits) if snapshot.pin_short else ""
        if snapshot.pin_short:
            self.wrong.show_message(t(wording.PIN_SHORT), short, "info")
        else:
            self.wrong.show_message(wrong, tries if wrong else "", "caution")
        self.left.show_text("" if wrong else tries)
        said = wrong or snapshot.pin_short
        self.note.show_text("" if said else t(PHONE_PIN if snapshot.by_phone else CARD_PIN))
        # What went wrong says what to do as well.
        self.heading.show_text("" if said else t(wording.TYPE_PIN))
        self.dots.show_count(snapshot.pin_digits)


class LastTryPage(Page):
    columns = TWO_IN_A_ROW

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.warning = Message("caution")
        other = self.answer("back_to_choice", wording.OTHER_WAY, flow.BackToChoice(), "back")
        accept = self.answer("accept_last_try", wording.TYPE_LAST, flow.AcceptLastTry(), "keypad")
        self.compose((Words("heading", t(wording.ONE_TRY)), self.warning), answers=(other, accept))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t = self.t
        wrong = pin_was_wrong(snapshot, t)
        unblock = "" if snapshot.by_phone else t(wording.UNBLOCK)
        self.warning.show_message(
            wrong or t(wording.THEN_BLOCKED), t.joined(t(wording.THEN_BLOCKED) if wrong else "", unblock)
        )


class MatchedPage(Page):
    """本人確認 has succeeded; shown for a moment, so that one has seen it before the next thing is asked."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        done = Message("success")
        done.show_message(t(wording.MATCHED))
        self.compose((done, Words("body", t(wording.PLEASE_WAIT))), pictures=(Emblem("done", "success"),))


class PhoneTapPage(Page):
    """The phone is laid on its reader, or is being read there."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.reason = Message("caution")
        self.heading = Words("heading")
        self.working = Working(t)
        self.hint = Words("body")
        self.back = self.other_way()
        self.compose(
            (self.reason, self.heading, self.hint),
            pictures=(PhonePicture(t),),
            pinned=self.working,
            minor=(self.back,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t, reading = self.t, snapshot.reading_phone
        self.reason.show_message(*wording.failure_texts(snapshot, t), tone_of(snapshot.failure))
        self.heading.show_text(t(wording.READING_PHONE if reading else wording.LAY_PHONE))
        first = t(wording.PHONE_FIRST) if snapshot.phone is Method.IPHONE else ""
        still = t.joined(first, t(wording.PHONE_UNTIL_READ))
        self.hint.show_text(t(wording.PHONE_STILL) if reading else still)
        self.working.setVisible(reading)
        self.back.setVisible(not reading)


CARD_PIN = N_("カード申請時に設定した4桁の暗証番号を入力します。")


PHONE_PIN = N_("スマートフォンの電子証明書の、4桁の暗証番号を入力します。")
