"""Pages of 同意取得: a question with its yes and no, the choices beside it, and the summary before all is sent."""

from config.subsidies import MOST_SUBSIDIES
from consent.choices import ConsentAnswer, Item, PrescriptionForm
from reception import flow
from reception.patient.pages.page import IN_A_ROW, TWO_IN_A_ROW, Page, Send
from reception.patient.widgets import Fact, Message, Pictogram, Words
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording


class QuestionPage(Page):
    """One question with what, who and how long; two answers that look alike, and none is chosen beforehand."""

    columns = TWO_IN_A_ROW
    keeps_place = True

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        # The leaflet asks about the limit on its last page, of those who leave the card in.
        self.nearly = Message("info")
        self.count = Words("hint", centred=False)
        # Of a certificate: which one, by the name that stands on it.
        self.subject = Words("strong", centred=False)
        self.heading = Words("heading", centred=False)
        self.facts = Fact("paper"), Fact("doctor"), Fact("clock")
        self.note = Words("hint", centred=False)
        given, declined = wording.PLAIN_ANSWERS
        self.given = self.answer("given", given, flow.Answer(ConsentAnswer.GIVEN), "yes")
        self.declined = self.answer("declined", declined, flow.Answer(ConsentAnswer.DECLINED), "no")
        self.before = self.button(
            "previous_question", wording.BEFORE, flow.PreviousQuestion(), "secondary", "back"
        )
        self.compose(
            (self.nearly, self.count, self.subject, self.heading, *self.facts, self.note),
            answers=(self.given, self.declined),
            minor=(self.before,),
            spare=(self.count,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        t = self.t
        question = wording.QUESTIONS[snapshot.question or Item.MEDICATION]
        last = snapshot.screen == "LIMIT_CONSENT" and snapshot.step == "COMPLETE"
        self.nearly.show_message(t(wording.NEARLY_DONE) if last else "")
        number = ""
        if snapshot.question_count > 1:
            number = t(N_("質問 {n}/{m}"), n=snapshot.question_number, m=snapshot.question_count)
        # A small window has no room for what the leaflet calls it.
        title = "" if self.look.sizes.composition == "compact" else t(question.title)
        self.count.show_text("  ".join(filter(None, (number, title))))
        self.heading.show_text(t(question.asked).rstrip("。"))
        name = wording.scheme(snapshot.question, snapshot.subsidy_number, snapshot)
        which = t(wording.which_certificate(snapshot))
        self.subject.show_text(": ".join(filter(None, (which, name))))
        for fact, text in zip(self.facts, (question.what, question.who, question.how_long), strict=True):
            fact.show_text(t(text))
        self.facts[0].sign.show_picture(PICTURES.get(snapshot.question, "paper"))
        given, declined = wording.answers(snapshot)
        self.given.relabel(t(given))
        self.declined.relabel(t(declined))
        self.before.setVisible(snapshot.question_number > 1)
        self.note.show_text(t(wording.question_note(snapshot)))

    def forget(self) -> None:
        """Keep no certificate's name."""
        self.subject.show_text("")


class ChoicePage(Page):
    """Something to choose by buttons of the same size and weight; none is chosen beforehand."""

    def __init__(self, send: Send, t: Catalogue, screen: str, choices: "tuple[Offer, ...]") -> None:
        super().__init__(send, t)
        self.columns = TWO_IN_A_ROW if len(choices) == 2 else IN_A_ROW
        heading, *more = wording.STILL[screen]
        offered = [self.answer(name, label, event, picture) for name, label, event, picture in choices]
        facts = [Fact(picture, t(text)) for picture, text in zip(FACTS[screen], more, strict=True)]
        self.compose((Words("heading", t(heading), centred=False), *facts), answers=offered)


class SummaryPage(Page):
    """Every answer, each changed by one touch, before they are sent."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.rows = {
            row: self.button(change_name(*row), "", flow.ChangeAnswer(*row), "secondary", "yes")
            for row in ROWS
        }
        self.until = Fact("clock")
        self.how = Words("body", t(wording.TOUCH_TO_CHANGE), centred=False)
        confirm = self.button(
            "confirm_answers", wording.SEND, flow.ConfirmAnswers(), picture="next", kind="fill"
        )
        self.compose(
            (
                Words("heading", t(wording.SEND_THIS), centred=False),
                *self.rows.values(),
                self.how,
                self.until,
            ),
            answers=(confirm,),
            spare=(self.how,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        lines = answer_lines(snapshot, self.t)
        for row, button in self.rows.items():
            line, answer = lines.get(row, ("", ""))
            button.setVisible(bool(line))
            if line:
                button.relabel(line, picture="yes" if answer == "given" else "no")
        self.until.show_text(self.t(wording.ONE_DAY) if wording.agreed_for_a_day(snapshot) else "")

    def forget(self) -> None:
        """Keep no answer, and no certificate's name."""
        for button in self.rows.values():
            button.relabel("")


Row = tuple[Item, int]
"""An answer: its item, and which of several questions about it, from 1."""
ROWS: tuple[Row, ...] = tuple(
    (item, number)
    for item in Item
    for number in range(1, 1 + (MOST_SUBSIDIES if item is Item.MEDICAL_SUBSIDY else 1))
)
"""Every answer that there may be, in the order in which they are shown."""


def change_name(item: Item, number: int) -> str:
    """Return the name of the button that changes an answer."""
    return f"change_{item}" if number == 1 else f"change_{item}_{number}"


def answer_lines(snapshot: Snapshot, t: Catalogue) -> dict[Row, tuple[str, str]]:
    """Return what was answered to what, each on one line, with the answer itself."""
    lines: dict[Row, tuple[str, str]] = {}
    for item, number, answer in flow.numbered(snapshot.answers):
        line = f"{t(wording.provided(item, number, snapshot))}: {t(wording.answer_words(item, answer))}"
        name = wording.scheme(item, number, snapshot)
        lines[item, number] = f"{line} ({name})" if name else line, answer
    return lines


PICTURES: dict[str, Pictogram] = {
    Item.MEDICATION: "medicine",
    Item.DIAGNOSIS: "paper",
    Item.OPERATION: "paper",
    Item.HEALTH_CHECKUP: "checkup",
    Item.LIMIT_AMOUNT: "payment",
    Item.SPECIFIC_DISEASE: "paper",
    Item.RECORD_SHARING: "paper",
    Item.MEDICAL_SUBSIDY: "payment",
}
"""What a question is about."""

FACTS: dict[str, tuple[Pictogram, ...]] = {
    "BUNDLE": ("doctor", "clock"),
    "PRESCRIPTION": ("card",),
    "CARD_USE_OFFER": ("clock", "info"),
    "LEAVE": ("info",),
}
"""The pictograms of what is said on a page of choices."""

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
    "LEAVE": (
        ("keep_on", wording.GO_ON, flow.KeepOn(), "next"),
        ("leave_visit", wording.LEAVE, flow.Cancel(), "leave"),
    ),
}
