"""Pages of the offer after the check-in: may the clinic learn of a new name or address, and the signature for it."""

from consent.choices import ConsentAnswer
from reception import flow
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
        self.wrong = Message("caution")
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
            (self.wrong, self.heading, self.count, self.note),
            pad=self.keys,
            minor=(phone, skip),
            spare=(self.note,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t, left = self.t, attributes.tries(snapshot, self.t)
        missed = snapshot.signing_missed and not snapshot.signing
        self.wrong.show_message(t(attributes.WRONG) if missed else "", left if missed else "", "caution")
        self.heading.show_text(t(attributes.SIGNING if snapshot.signing else attributes.SIGN))
        typed = "●" * snapshot.signing_characters
        count = t(attributes.CHARACTERS, count=snapshot.signing_characters) if typed else ""
        self.count.show_text("  ".join(filter(None, (typed, count))) or ("" if missed else left))
        self.note.setVisible(not missed and not snapshot.signing)


class AttributeQrPage(Page):
    """The page for the patient's own phone, as a QR code."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.heading = Words("heading", centred=False)
        self.note = Words("body", t(attributes.ON_PHONE), centred=False)
        self.code = QrCode(t)
        ready = self.answer("skip_signing", attributes.READY, flow.SkipSigning(), "next")
        self.compose((self.heading, self.note), pictures=(self.code,), answers=(ready,), spare=(self.note,))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.heading.show_text(self.t(attributes.SCAN if snapshot.qr else attributes.MAKING))
        self.code.show_address(snapshot.qr)
