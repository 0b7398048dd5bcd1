"""What the pages of the patient's window have in common."""

from collections.abc import Callable

from PySide6.QtWidgets import QSizePolicy

from reception import flow
from reception.patient.arrangement import Arrangement
from reception.patient.widgets import (
    Pictogram,
    TouchButton,
)
from reception.patient.widgets.buttons import ButtonKind, ButtonSize
from reception.terminal.snapshot import Snapshot
from reception.texts import Catalogue, wording

Send = Callable[[flow.Event], None]


class Page(Arrangement):
    """A page of the patient's window, in one language."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__()
        self.send, self.t = send, t

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show what the snapshot says."""

    def button(
        self,
        name: str,
        label: str,
        kind: ButtonKind,
        event: flow.Event,
        size: ButtonSize = "primary",
        picture: Pictogram = "",
        note: str = "",
    ) -> TouchButton:
        """Make a button that sends the event."""
        made = TouchButton(name, self.t(label), kind, size, picture, self.t(note))
        if size == "primary":
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        made.clicked.connect(lambda: self.send(event))
        return made

    def other_way(self, size: ButtonSize = "secondary") -> TouchButton:
        """Make the button that leads back to the choice."""
        return self.button("back_to_choice", wording.OTHER_WAY, "outline", flow.BackToChoice(), size, "back")

    def help_button(self) -> TouchButton:
        """Make the button for those who cannot go on."""
        return self.button("help", wording.IN_TROUBLE, "quiet", flow.AskHelp(), "secondary", "help")
