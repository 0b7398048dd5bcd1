"""Pages of the offer after the check-in: may the clinic learn of a new name or address, and the signature for it."""

from consent.choices import ConsentAnswer
from reception import flow
from reception.patient.grid import Box, Zones, gap_of
from reception.patient.pages.page import TWO_IN_A_ROW, Page, Send
from reception.patient.widgets import Fact, Message, Words
from reception.patient.widgets.password import PasswordKeys
from reception.patient.widgets.qr import QrCode
from reception.terminal.snapshot import Snapshot
from reception.texts import Catalogue, attributes, wording


class AttributeOfferPage(Page):
    """One attribute, two answers of the same size and weight; that the check-in is done stands first."""

    columns = TWO_IN_A_ROW

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.done = Message("success")
        self.heading = Words("heading", centred=False)
        facts = (
            Fact("info", t(attributes.REFUSAL)),
            Fact("clock", t(attributes.HOW_LONG)),
            Fact("phone", t(attributes.TAKE_BACK)),
        )
        given, declined = wording.PLAIN_ANSWERS
        self.given = self.answer("given", given, flow.AnswerAttribute(ConsentAnswer.GIVEN), "yes")
        self.declined = self.answer("declined", declined, flow.AnswerAttribute(ConsentAnswer.DECLINED), "no")
        self.compose((self.done, self.heading, *facts), answers=(self.given, self.declined))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.done.show_message(self.t(wording.CHECKED_IN))
        self.heading.show_text(self.t(attributes.ASKED.get(snapshot.attribute, "")))


class AttributeSignPage(Page):
    """The signature certificate's password: its keys, how many are typed, and the ways around it."""

    side = ()

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.done, self.wrong = Message("success"), Message("caution")
        self.heading = Words("heading", centred=False)
        self.note = Words("body", t(attributes.WHAT_IT_IS), centred=False)
        self.count = Words("strong", centred=False)
        self.keys = PasswordKeys(t)
        self.keys.character.connect(lambda typed: self.send(flow.SigningKey(typed)))
        self.keys.backspace.clicked.connect(lambda: self.send(flow.SigningBackspace()))
        self.keys.submit.clicked.connect(lambda: self.send(flow.SigningSubmit()))
        phone = self.button("sign_by_phone", attributes.BY_PHONE, flow.SignByPhone(), "secondary", "phone")
        skip = self.button("skip_signing", attributes.SKIP, flow.SkipSigning(), "secondary", "no")
        self.compose(
            (self.done, self.wrong, self.heading, self.count, self.note),
            pad=self.keys,
            minor=(phone, skip),
            spare=(self.note, self.done, self.heading),
        )

    def place(self, zones: Zones | None = None) -> None:
        """Give the keys the whole width of a small lying window; what is read stands beside the steps."""
        self._zones = zones or self._zones
        if self._zones is None or self.look.sizes.composition != "compact":
            for button in self.minor:
                button.show()
            super().place(zones)
            return
        at, gap = self._zones, gap_of(self.look.sizes)
        right = at.hands.right
        wide = (right - at.ways.left - gap) // 2
        low = max(at.ways.height, *(button.heightForWidth(wide) for button in self.minor))
        bottom = at.ways.bottom - low - gap
        high = self.keys.sizeHint().height()
        self.keys.setGeometry(at.content.left, bottom - high, right - at.content.left, high)
        for number, button in enumerate(self.minor):
            button.alike(0, above=False)
            button.setGeometry(at.ways.left + number * (wide + gap), at.ways.bottom - low, wide, low)
        words = Box(at.hands.left, at.hands.top, at.hands.width, bottom - high - gap - at.hands.top)
        # For some seconds the time that is left has the place of the minor buttons, as where a PIN is typed.
        runs_out = not self.time.isHidden()
        for button in self.minor:
            button.setVisible(not runs_out)
        if runs_out:
            self.time.lay(Box(at.ways.left, at.ways.bottom - low, right - at.ways.left, low), short=True)
        self.reading.lay(words, middle=True)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t, left = self.t, attributes.tries(snapshot, self.t)
        missed = snapshot.signing_missed and not snapshot.signing
        # A small window has one line for what is asked, or for what went wrong.
        compact = self.look.sizes.composition == "compact"
        wrong = t(attributes.WRONG) if missed else ""
        self.done.show_message("" if compact else t(wording.CHECKED_IN))
        self.wrong.show_message("" if compact else wrong, left if wrong and not compact else "", "caution")
        asked = t(attributes.SIGNING if snapshot.signing else attributes.SIGN)
        self.heading.show_text((wrong or t(attributes.PASSWORD)) if compact else asked)
        typed = "●" * snapshot.signing_characters
        count = t(attributes.CHARACTERS, count=snapshot.signing_characters) if typed else ""
        said = typed if compact else "  ".join(filter(None, (typed, count)))
        self.count.show_text(said or (left if compact or not missed else ""))
        self.note.setVisible(not missed and not snapshot.signing and not compact)


class AttributeQrPage(Page):
    """The page for the patient's own phone, as a QR code."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.done = Message("success")
        self.done.show_message(t(wording.CHECKED_IN))
        self.heading = Words("heading", centred=False)
        self.note = Words("body", t(attributes.ON_PHONE), centred=False)
        self.code = QrCode(t)
        ready = self.answer("skip_signing", attributes.READY, flow.SkipSigning(), "next")
        self.compose(
            (self.done, self.heading, self.note), pictures=(self.code,), answers=(ready,), spare=(self.note,)
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.heading.show_text(self.t(attributes.SCAN if snapshot.qr else attributes.MAKING))
        self.code.show_address(snapshot.qr)
