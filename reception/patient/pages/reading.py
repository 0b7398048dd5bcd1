"""Pages while nobody is asked: the welcome, and what the terminal is busy with."""

from reception import flow
from reception.patient.pages.page import Page, Send
from reception.patient.widgets import CardPicture, Emblem, Message, Words, Working
from reception.terminal.snapshot import Snapshot
from reception.texts import Catalogue, wording
from reception.texts.failures import FAILURES, NOT_COMPLETE


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
            failure = FAILURES[snapshot.failure]
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
