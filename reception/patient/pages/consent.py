"""Pages of 同意取得: a question with its yes and no, and the choices beside it."""

from consent.choices import ConsentAnswer, Item, PrescriptionForm
from reception import flow
from reception.patient.pages.page import Page, Send
from reception.patient.widgets import Emblem, Pictogram, Words
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording


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
}
"""What a question is about."""


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
