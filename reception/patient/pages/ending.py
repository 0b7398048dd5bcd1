"""Pages that end a visit: card back, farewell, staff, out of service."""

from reception.flow.failures import FailureCode
from reception.patient.pages.page import Page, Send
from reception.patient.widgets import CardPicture, Emblem, Message, Words
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording
from reception.texts.failures import TAKE


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
