"""What stands around every page, in the same place on every screen: steps, ways out, and how the window looks."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from reception import flow
from reception.flow import DisplayMode
from reception.flow.failures import FailureCode
from reception.patient.grid import MARGIN, PAD, Box, Zones, around, gap_of, within, zones
from reception.patient.look import LookChoices, LookPanel, LookStrip, chosen
from reception.patient.pages import FaceMatchPage, Page, page_for
from reception.patient.tokens import Look
from reception.patient.widgets import BigButton, Painted, StepBar, TouchButton
from reception.terminal.snapshot import Health, Snapshot
from reception.texts import N_, Catalogue
from reception.texts.wording import STEP_NUMBERS

Send = Callable[[flow.Event], None]

_NO_WAY_OUT = {
    *("ATTRIBUTE_OFFER", "ATTRIBUTE_SIGN", "ATTRIBUTE_QR"),
    *("WAITING", "SENDING", "TAKE_CARD", "COMPLETE", "OUT_OF_SERVICE", "DESK_CLOSED"),
}
"""Where the flow takes neither Cancel nor CallStaff: no visit, or consents already on their way."""
_NOTHING_TO_LEAVE = {"CALL_STAFF", "HELP", "LEAVE"}


class Badge(QLabel):
    """The sign that this is a simulation; whoever tries it out opens the bench's window with it."""

    pressed = Signal()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()
        super().mousePressEvent(event)


class WaysOut(QWidget, Painted):
    """The end of the visit, and somebody to help."""

    def __init__(self, t: Catalogue, send: Send) -> None:
        super().__init__()
        self.cancel = TouchButton("cancel", t(N_("やめる")), "quiet", "secondary", "leave")
        self.cancel.clicked.connect(lambda: send(flow.AskCancel()))
        self.call = TouchButton("call_staff", t(N_("係の人を呼ぶ")), "quiet", "secondary", "staff")
        self.call.clicked.connect(lambda: send(flow.CallStaff()))
        for button in (self.cancel, self.call):
            button.setParent(self)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Offer what the flow takes now."""
        in_visit = snapshot.screen not in _NO_WAY_OUT
        self.cancel.setVisible(in_visit and snapshot.screen not in _NOTHING_TO_LEAVE)
        called = snapshot.staff_called or snapshot.failure is FailureCode.STAFF_CALLED
        self.call.setVisible(in_visit and not called)

    def _widths(self, width: int) -> tuple[int, int]:
        """Return the widths of the two, in px: as their labels need it."""
        gap = gap_of(self.look.sizes)
        wishes = self.cancel.line_width(), self.call.line_width()
        share = wishes[0] / sum(wishes)
        first = max(self.look.sizes.secondary, round((width - gap) * min(0.5, max(0.3, share))))
        return first, width - gap - first

    def height_at(self, width: int) -> int:
        """Return how high it is at this width, in px."""
        return max(
            button.heightForWidth(wide)
            for button, wide in zip((self.cancel, self.call), self._widths(width), strict=True)
        )

    def lay(self, where: Box) -> None:
        """Take this place; either button stays where it is, whether the other one is there or not."""
        self.setGeometry(*where)
        first, second = self._widths(where.width)
        self.cancel.setGeometry(0, 0, first, where.height)
        self.call.setGeometry(where.width - second, 0, second, where.height)


class Frame(QWidget, Painted):
    """Everything that the window shows, in one language; lies the way its look says."""

    def __init__(self, t: Catalogue, send: Send, change_sound: Callable[[], None]) -> None:
        super().__init__()
        self._t, self._send = t, send

        def choose_mode(mode: DisplayMode) -> None:
            send(flow.ChooseDisplay(mode))

        self._choices = (
            LookChoices(t, choose_mode, change_sound, "hint"),
            LookChoices(t, choose_mode, change_sound, "secondary"),
        )
        self._strip = LookStrip(t, self._choices[0], self._open_panel)
        self._steps = StepBar(t)
        self.badge = self._badge = Badge(t(N_("模擬")))
        self._badge.setProperty("kind", "badge")
        self._badge.setAccessibleName(self._badge.text())
        self._badge.setIndent(0)
        self._badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._ways = WaysOut(t, send)
        self._pages: dict[str, Page] = {}
        self._page: Page | None = None
        for part in (self._steps, self._badge, self._ways, self._strip):
            part.setParent(self)
        self.panel = LookPanel(self, lambda language: send(chosen(language)), self._choices[1], t)
        self._zones: Zones | None = None
        self._seen: Snapshot | None = None

    def show_sound(self, label: str) -> None:
        """Say how loud the voice is; an empty label: there is none."""
        for choices in self._choices:
            choices.show_sound(label)
        self.place()

    def show_snapshot(self, snapshot: Snapshot, *, anew: bool) -> None:
        """Show the snapshot; ``anew``: something else is asked than before."""
        page = self._made(snapshot.screen)
        page.show_snapshot(snapshot)
        page.show_time(snapshot)
        if anew:
            page.reading.begin()
            self.panel.hide()
            BigButton.page_changed()
        if self._page is not page:
            before, self._page = self._page, page
            page.show()
            if before is not None:
                before.hide()
                before.forget()
        face = self._pages.get("FACE_MATCH")
        if snapshot.screen != "FACE_MATCH" and isinstance(face, FaceMatchPage):
            face.preview.forget()
        self._steps.show_step(STEP_NUMBERS.get(snapshot.step, 0), all_done=snapshot.completed)
        self._ways.show_snapshot(snapshot)
        for choices in self._choices:
            choices.show_mode(snapshot.display_mode)
        self._badge.setVisible(snapshot.simulated)
        # What is only counted, or not shown at all, moves nothing.
        seen = replace(snapshot, number=0, health=Health(), pin_digits=0)
        if seen != self._seen:
            self._seen = seen
            self.place()

    def _made(self, screen: str) -> Page:
        """Return the page of this screen; it is made when it is first shown: a new language costs one page, not all."""
        if screen not in self._pages:
            page = self._pages[screen] = page_for(screen, self._send, self._t)
            page.setParent(self)
            page.lower()
            for widget in (page, *page.findChildren(QWidget)):
                if isinstance(widget, Painted) and widget.look != self.look:
                    widget.apply_theme(self.look)
        return self._pages[screen]

    @property
    def page(self) -> Page:
        """The page that is shown."""
        assert self._page is not None
        return self._page

    def apply_theme(self, look: Look) -> None:
        """Lie another way, or be read from further away; call when every part has this look."""
        super().apply_theme(look)
        self.place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.place()

    def place(self) -> None:
        """Give every part its place for the size of the window."""
        sizes, width = self.look.sizes, self.width()
        if width < sizes.secondary or self._strip.look != self.look:
            return
        gap = gap_of(sizes)
        inside = width - 2 * sizes.px(MARGIN)
        column = inside if sizes.composition != "compact" else inside - sizes.px(PAD) - gap
        badge = 0 if self._badge.isHidden() else self._badge.sizeHint().width() + gap
        strip = self._strip.size_in(column)
        beside = 0 if sizes.portrait else strip[0] + gap
        ways = max(sizes.secondary, self._ways.height_at(column - beside))
        steps = self._steps.height_at(column - badge)
        laid = zones(sizes, width, self.height(), steps, ways, strip)
        self._zones = laid
        self._steps.setGeometry(*laid.steps._replace(width=laid.steps.width - badge))
        if badge:
            size = self._badge.sizeHint()
            self._badge.setGeometry(
                laid.steps.right - size.width(), laid.steps.top, size.width(), min(size.height(), steps)
            )
        self._ways.lay(laid.ways)
        self._strip.lay(laid.strip)
        if self.panel.isVisible():
            self._lay_panel(laid)
        if self._page is not None:
            # No larger than it must be: a page that comes paints nothing else of the window.
            place = around(laid)
            self._page.setGeometry(*place)
            self._page.place(within(laid, place))

    def _lay_panel(self, laid: Zones) -> None:
        right = max(laid.content.right, laid.hands.right)
        where = laid.content._replace(width=right - laid.content.left)
        self.panel.lay(where, whole=self._strip.collapsed)

    def _open_panel(self) -> None:
        assert self._zones is not None
        self._lay_panel(self._zones)
        self.panel.open()

    def note_place(self, height_at: Callable[[int], int]) -> QRect:
        """Return where a text lies that covers no button: over the steps, or over the texts of the page."""
        assert self._zones is not None
        where = self._zones.steps
        high = height_at(where.width)
        return QRect(where.left, where.top, where.width, max(high, where.height))
