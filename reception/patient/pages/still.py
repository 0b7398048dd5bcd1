"""Pages that wait for somebody else, and the help for those who cannot go on."""

from typing import cast

from reception import flow
from reception.flow import HelpTopic
from reception.patient.pages.page import Page, Send
from reception.patient.widgets import Emblem, Fact, Pictogram, Words
from reception.patient.widgets.qr import QrCode
from reception.terminal.snapshot import Snapshot
from reception.texts import Catalogue, wording

_PICTURES: dict[str, Pictogram] = {"VISUAL_CHECK": "staff", "DESK_CLOSED": "closed"}
_TOPICS: dict[str, Pictogram] = {
    HelpTopic.LIST: "help",
    HelpTopic.PIN: "forgotten",
    HelpTopic.EXPIRED: "expired",
    HelpTopic.LOST: "lost",
    HelpTopic.NO_CARD: "no-card",
    HelpTopic.CHILD: "child",
    HelpTopic.DECLINED: "not-used",
    HelpTopic.SERVICES: "services",
    HelpTopic.RENEW: "renew",
    HelpTopic.PHONE_GONE: "phone-gone",
    HelpTopic.NO_CERTIFICATE: "no-chip",
    HelpTopic.ACCOUNT: "bank",
    HelpTopic.POINTS: "present",
}
"""Each has a picture of its own."""
MOST_STEPS = 3


class HelpPage(Page):
    """For those who cannot go on: the troubles that one can have now, or one of them with what to do, step by step."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.heading = Words("heading", centred=False)
        self.steps = [Fact(cast(Pictogram, f"step-{number}")) for number in range(1, MOST_STEPS + 1)]
        self.emblem, self.code = Emblem("help"), QrCode(t)
        self.topics = {
            topic: self.button(
                f"help_{topic}", words[0], flow.AskHelp(HelpTopic(topic)), "secondary", _TOPICS[topic]
            )
            for topic, words in wording.HELP.items()
            if topic != HelpTopic.LIST
        }
        offers: tuple[tuple[str, str, flow.Event, Pictogram], ...] = (
            ("help_face", wording.USE_FACE, flow.Choose(flow.Method.FACE), "face"),
            ("help_go_on", wording.GO_ON, flow.LeaveHelp(), "next"),
            ("help_call", wording.CALL, flow.CallStaff(), "staff"),
        )
        self.advised = {
            label: self.answer(name, label, event, picture) for name, label, event, picture in offers
        }
        self.list = self.button("help_list", wording.GO_BACK, flow.AskHelp(), "secondary", "back")
        self.leave = self.button("leave_help", wording.GO_BACK, flow.LeaveHelp(), "secondary", "back")
        self.compose(
            (self.heading, *self.steps, *self.topics.values()),
            pictures=(self.emblem, self.code),
            answers=tuple(self.advised.values()),
            minor=(self.list, self.leave),
            spare=(self.heading,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        topic = snapshot.help or HelpTopic.LIST
        heading, *steps = wording.HELP[topic]
        listed = topic in wording.LISTS
        self.heading.show_text(self.t(heading))
        for number, fact in enumerate(self.steps):
            fact.show_text(self.t(steps[number]) if number < len(steps) else "")
        offered = wording.help_topics(snapshot) if listed else ()
        for name, button in self.topics.items():
            button.setVisible(name in offered)
        advice = "" if listed else wording.advice(snapshot)
        for label, button in self.advised.items():
            button.setVisible(label == advice)
        self.emblem.show_picture(_TOPICS[topic])
        self.code.show_address(wording.HELP_LINKS.get(topic, ""), _TOPICS[topic])
        self.emblem.setVisible(not listed and self.code.isHidden())
        self.list.setVisible(topic != HelpTopic.LIST)
        self.leave.setVisible(topic == HelpTopic.LIST)


class StillPage(Page):
    """Only tells something."""

    def __init__(self, send: Send, t: Catalogue, screen: str) -> None:
        super().__init__(send, t)
        heading, *more = wording.STILL[screen]
        self.compose(
            (Words("heading", t(heading)), Words("body", t.joined(*map(t, more)))),
            pictures=(Emblem(_PICTURES[screen]),),
        )
