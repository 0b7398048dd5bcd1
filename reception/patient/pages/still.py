"""Pages that wait for somebody else, and the help for those who cannot go on."""

from reception import flow
from reception.flow import HelpTopic
from reception.patient.arrangement import Grid
from reception.patient.pages.page import Page, Send
from reception.patient.widgets import Emblem, Pictogram, Words
from reception.terminal.snapshot import Snapshot
from reception.texts import Catalogue, wording

_PICTURES: dict[str, Pictogram] = {"VISUAL_CHECK": "staff", "DESK_CLOSED": "closed"}


class HelpPage(Page):
    """For those who cannot go on: either the list of troubles, or one of them with what to do now."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__(send, t)
        self.heading = Words("heading")
        self.answer = Words("body")
        self.emblem = Emblem("help")
        topics = [
            self.button(f"help_{topic}", words[0], "outline", flow.AskHelp(HelpTopic(topic)), "secondary")
            for topic, words in wording.HELP.items()
            if topic != HelpTopic.LIST
        ]
        self.list = self.button("help_list", wording.GO_BACK, "outline", flow.AskHelp(), "secondary", "back")
        self.leave = self.button(
            "leave_help", wording.GO_BACK, "quiet", flow.LeaveHelp(), "secondary", "back"
        )
        self.across = Grid(topics)
        self.compose(
            (self.heading, self.answer),
            pictures=(self.emblem,),
            buttons=(self.across, self.list, self.leave),
            spare=(self.heading,),
        )

    def show_snapshot(self, snapshot: Snapshot) -> None:
        assert self.across is not None
        topic = snapshot.help or HelpTopic.LIST
        heading, *answer = wording.HELP[topic]
        self.heading.show_text(self.t(heading))
        self.answer.show_text("\n".join(map(self.t, answer)))
        listed = topic == HelpTopic.LIST
        self.across.setVisible(listed)
        self.emblem.setVisible(not listed)
        self.list.setVisible(not listed)
        self.leave.setVisible(listed)


class StillPage(Page):
    """Only tells something."""

    def __init__(self, send: Send, t: Catalogue, screen: str) -> None:
        super().__init__(send, t)
        heading, *more = wording.STILL[screen]
        self.compose(
            (Words("heading", t(heading)),),
            pictures=(Emblem(_PICTURES[screen]),),
            below=(Words("body", t.joined(*map(t, more))),),
        )
