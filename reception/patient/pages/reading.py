"""Pages while nobody is asked: the welcome, and what the terminal is busy with."""

from reception import flow
from reception.flow import READER_BUSY
from reception.flow.failures import FailureCode
from reception.patient.pages.ending import tone_of
from reception.patient.pages.page import Page, Send
from reception.patient.widgets import CardPicture, Emblem, Message, Words, Working
from reception.terminal.snapshot import Snapshot
from reception.texts import Catalogue, wording
from reception.texts.failures import FAILURES, NOT_COMPLETE


class WaitingPage(Page):
    """The welcome; for a moment, also what became of the visit before."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.notice = Message("caution")
        self.heading = Words("heading")
        self.insert, self.take = CardPicture("insert", t), CardPicture("take", t)
        self.staff = Emblem("staff")
        self.hint = Words("body")
        self.phone = self.button(
            "choose_phone", wording.USE_PHONE, flow.ChoosePhone(), "secondary", "phone", kind="outline"
        )
        self.help = self.help_button()
        self.compose(
            (self.notice, self.heading, self.hint),
            pictures=(self.insert, self.take, self.staff),
            minor=(self.phone, self.help),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t, card_in = self.t, snapshot.card_in
        called = snapshot.failure is FailureCode.STAFF_CALLED
        if called:
            self.notice.show_message(t(wording.STAFF_ON_THE_WAY), t(wording.PLEASE_WAIT), "info")
        elif snapshot.failure:
            failure = FAILURES[snapshot.failure]
            next_step = wording.failure_texts(snapshot, t)[1]
            told = t.joined(t(failure.what), next_step)
            self.notice.show_message(t(NOT_COMPLETE).rstrip("。."), told, tone_of(snapshot.failure))
        else:
            self.notice.show_message("")
        # Whoever waits for staff is not asked for a card, and a notice says itself what to do.
        heading = "" if called else wording.TAKE_CARD if card_in else wording.PUT_IN
        self.heading.show_text("" if snapshot.failure and not card_in else t(heading))
        self.hint.show_text("" if card_in or snapshot.failure else t(wording.RIGHT_WAY))
        self.insert.setVisible(not card_in and not called)
        self.take.setVisible(card_in and not called)
        self.staff.setVisible(called)
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
            (Words("heading", t(heading)), self.body), pictures=(self.card, self.phone), pinned=Working(t)
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.card.setVisible(not snapshot.by_phone)
        self.phone.setVisible(snapshot.by_phone)
        stay = wording.PHONE_AWAY if snapshot.by_phone else wording.STAY
        more = self.more or [stay]
        if snapshot.guidance == READER_BUSY:
            more = [wording.OTHER_PROGRAM, *more]
        self.body.show_text(self.t.joined(*map(self.t, more)))
