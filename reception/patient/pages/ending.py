"""Pages that end a visit: card back, farewell, staff, out of service."""

from reception import flow
from reception.flow.failures import FailureCode
from reception.patient.pages.consent import ROWS, answer_lines
from reception.patient.pages.page import Page, Send
from reception.patient.widgets import CardPicture, Emblem, Fact, Message, Words
from reception.patient.widgets.qr import QrCode
from reception.patient.widgets.text import Tone
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, attributes, wording
from reception.texts.failures import TAKE

_NO_TROUBLE = {FailureCode.CANCELLED, FailureCode.STAFF_CALLED, FailureCode.CARD_USE_DECLINED}
_ITS_OWN_FAULT = ("READER", "SERVER", "TERMINAL", "CERTIFICATE", "INSURANCE", "IDENTITY")
"""How the codes begin of what has truly failed, and is shown in red; all else is something to do otherwise."""


def tone_of(failure: str) -> Tone:
    """Return how what went wrong is shown."""
    if failure in _NO_TROUBLE:
        return "info"
    return "error" if failure.startswith(_ITS_OWN_FAULT) else "caution"


class Agreed:
    """What was agreed and until when, as rows of a page."""

    def __init__(self, t: Catalogue) -> None:
        self._t = t
        self.rows = {row: Fact("yes") for row in ROWS}
        self.until = Fact("clock")

    @property
    def pieces(self) -> tuple[Fact, ...]:
        """The rows."""
        return (*self.rows.values(), self.until)

    def show_snapshot(self, snapshot: Snapshot, *, hidden: bool = False) -> None:
        """Show what this visit agreed to."""
        lines = {} if hidden else answer_lines(snapshot, self._t)
        for row, fact in self.rows.items():
            line, answer = lines.get(row, ("", ""))
            fact.show_text(line)
            fact.sign.show_picture("yes" if answer == "given" else "no")
        self.until.show_text("" if hidden else wording.until(snapshot, self._t))

    def forget(self) -> None:
        """Keep no answer, and no certificate's name."""
        for fact in self.rows.values():
            fact.show_text("")


class AfterCheckIn:
    """What came of the offer, and the line of the day with its code, as rows of a page."""

    def __init__(self, t: Catalogue) -> None:
        self._t = t
        self.outcome, self.line, self.code = Fact("info"), Fact("info"), QrCode(t)

    @property
    def pieces(self) -> tuple[Fact, ...]:
        """The rows."""
        return self.outcome, self.line

    @property
    def spare(self) -> tuple[Fact, ...]:
        """What is left out where there is no room."""
        return (self.line,)

    def show_snapshot(self, snapshot: Snapshot, *, hidden: bool = False) -> None:
        """Show it, unless the card comes first."""
        said = attributes.OUTCOMES.get(snapshot.attribute_outcome, "")
        self.outcome.show_text("" if hidden else self._t(said))
        self.line.show_text("" if hidden else snapshot.announcement)
        self.code.show_address("" if hidden else snapshot.announcement_qr)


class TakeCardPage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        done = Message("success")
        done.show_message(t(wording.CHECKED_IN))
        self.heading = Words("heading")
        self.take, self.wait = CardPicture("take", t), Emblem("seat", "success")
        self.reminder = Message("caution")
        self.notice = Message("caution")
        self.agreed, self.after = Agreed(t), AfterCheckIn(t)
        self.compose(
            (done, self.reminder, self.heading, self.notice, *self.agreed.pieces, *self.after.pieces),
            pictures=(self.take, self.wait, self.after.code),
            spare=self.after.spare,
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        card_in = snapshot.card_in
        until = attributes.waiting_words(snapshot, self.t, wording.UNTIL_CALLED)
        self.heading.show_text(self.t(wording.TAKE_CARD) if card_in else until)
        self.take.setVisible(card_in)
        forgotten = card_in and snapshot.reminders > 0
        # Said again each time, but never in red: nothing has failed.
        self.reminder.show_message(self.t(wording.DO_NOT_FORGET) if forgotten else "", "", "caution")
        notice = wording.NOTICES.get(snapshot.notice, "")
        self.notice.show_message("", "" if forgotten else self.t(notice))
        self.agreed.show_snapshot(snapshot, hidden=forgotten)
        self.after.show_snapshot(snapshot, hidden=card_in)
        self.wait.setVisible(not card_in and self.after.code.isHidden())

    def forget(self) -> None:
        """Keep nothing of what was agreed."""
        self.agreed.forget()


class CompletePage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        done = Message("success")
        done.show_message(t(wording.CHECKED_IN))
        self.agreed, self.after = Agreed(t), AfterCheckIn(t)
        self.heading, self.seat = Words("heading"), Emblem("seat", "success")
        self.compose(
            (
                done,
                self.heading,
                *self.agreed.pieces,
                *self.after.pieces,
                Words("body", t(wording.GET_WELL)),
            ),
            pictures=(self.seat, self.after.code),
            spare=self.after.spare,
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.heading.show_text(attributes.waiting_words(snapshot, self.t, wording.UNTIL_CALLED))
        self.agreed.show_snapshot(snapshot)
        self.after.show_snapshot(snapshot)
        self.seat.setVisible(self.after.code.isHidden())

    def forget(self) -> None:
        """Keep nothing of what was agreed."""
        self.agreed.forget()


class CallStaffPage(Page):
    """Somebody comes, or must be asked; a visit that was only interrupted can go on."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.heading = Words("heading")
        self.message = Message("info")
        self.by_sight = Words("body", t(wording.BY_SIGHT))
        self.take, self.staff = CardPicture("take", t), Emblem("staff")
        self.keep_on = self.button("keep_on", wording.GO_ON, flow.KeepOn(), picture="next", kind="outline")
        self.ask = self.button(
            "ask_by_sight", wording.ASK_BY_SIGHT, flow.CallStaff(), picture="people", kind="outline"
        )
        self.compose(
            (self.heading, self.message, self.by_sight),
            pictures=(self.take, self.staff),
            answers=(self.keep_on, self.ask),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        called = snapshot.failure in ("", FailureCode.STAFF_CALLED)
        take = snapshot.card_in and snapshot.failure in wording.WITHOUT_STAFF
        t = self.t
        heading = wording.STAFF_ON_THE_WAY if called else TAKE if take else wording.ASK_STAFF
        self.heading.show_text(t(heading).rstrip("。."))
        what, next_step = wording.failure_texts(snapshot, t)
        if called:
            what, next_step = t(wording.PLEASE_WAIT), t(wording.STILL_ON) if snapshot.interrupted else ""
        self.message.show_message(what, next_step, tone_of(snapshot.failure))
        no_way = snapshot.failure in (FailureCode.NO_METHOD_LEFT, FailureCode.PIN_BLOCKED)
        self.by_sight.show_text(t(wording.BY_SIGHT) if no_way else "")
        self.ask.setVisible(no_way)
        self.keep_on.setVisible(called and snapshot.interrupted)
        self.take.setVisible(snapshot.card_in and not called and not no_way)
        self.staff.setVisible(not snapshot.card_in or called or no_way)


class OutOfServicePage(Page):
    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.reason = Message("error")
        self.take = Words("strong", t(wording.TAKE_IF_IN))
        body = Words("body", t.joined(t(wording.ASK_STAFF), t(N_("復旧すると、自動で再開します。"))))
        self.compose(
            (Words("heading", t(wording.OUT_OF_USE)), self.reason, body, self.take),
            pictures=(Emblem("closed", "warning"),),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reason.show_message(wording.failure_texts(snapshot, self.t)[0])
        self.take.show_text(self.t(wording.TAKE_IF_IN) if snapshot.card_in else "")
