"""What the pages of the patient's window have in common: their parts, and where these lie in each composition.

A page names its parts; it does not know how large the window is.
"""

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtWidgets import QFrame, QWidget

from reception import flow
from reception.patient.grid import PAD, Box, Zones, gap_of
from reception.patient.reading import Piece, Reading
from reception.patient.tokens import BODY_MM, Composition
from reception.patient.widgets import Painted, Pictogram, TouchButton, Words
from reception.patient.widgets.buttons import ButtonKind, ButtonSize
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording

Send = Callable[[flow.Event], None]
ANY_SIZE = 10_000
"""px; letters of a button are as large as it has room for."""
SMALLEST = 24.0
"""Units of height below which a picture says nothing any more."""
IN_A_ROW: Mapping[Composition, int] = {"portrait": 1, "compact": 1, "roomy": 3}
TWO_IN_A_ROW: Mapping[Composition, int] = {"portrait": 2, "compact": 1, "roomy": 2}


class TimeLeft(QFrame, Painted):
    """How long the wait still lasts and what its end means, with the one touch that extends it."""

    def __init__(self, t: Catalogue, more: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName("time_left")
        self.setProperty("tone", "caution")
        self._long, self._short = "", ""
        self.seconds = Words("strong", centred=False)
        self.more = TouchButton("more_time", t(N_("時間をのばす")), "quiet", "secondary", "clock")
        self.more.clicked.connect(more)
        for part in (self.seconds, self.more):
            part.setParent(self)
        self.hide()

    def show_texts(self, text: str, short: str) -> bool:
        """Show how long, or be gone; return whether it came or went."""
        was, self._long, self._short = self.isHidden(), text, short
        self.setVisible(bool(text))
        return was is bool(text)

    def height_at(self, width: int, *, short: bool = False) -> int:
        """Return how high it is at this width, in px."""
        text, button, beside = self._parts(width, short=short)
        inside = max(text, button) if beside else text + self.look.sizes.px(1) + button
        return inside + 2 * self._margin()

    def lay(self, where: Box, *, short: bool = False) -> None:
        """Take this place."""
        self.seconds.setText(self._short if short else self._long)
        text, button, beside = self._parts(where.width, short=short)
        self.setGeometry(*where)
        edge, inside = self._margin(), where.width - 2 * self._margin()
        if not beside:
            self.seconds.setGeometry(edge, edge, inside, text)
            self.more.setGeometry(edge, where.height - edge - button, inside, button)
            return
        wide = self._button_width()
        self.seconds.setGeometry(edge, edge, inside - wide - gap_of(self.look.sizes), where.height - 2 * edge)
        self.more.setGeometry(edge + inside - wide, (where.height - button) // 2, wide, button)

    def _parts(self, width: int, *, short: bool) -> tuple[int, int, bool]:
        """Return the heights of text and button in px, and whether they stand beside each other."""
        said = self._short if short else self._long
        inside, wide = width - 2 * self._margin(), self._button_width()
        left = inside - wide - gap_of(self.look.sizes)
        beside = left >= self.look.sizes.body * 6
        button = max(self.more.minimumHeight(), self.more.heightForWidth(wide if beside else inside))
        return self.seconds.height_of(said, left if beside else inside), button, beside

    def _button_width(self) -> int:
        return self.more.sizeHint().width() + self.look.sizes.px(1)

    def _margin(self) -> int:
        return self.look.sizes.px(1.2)


class Page(QWidget, Painted):
    """A page of the patient's window, in one language."""

    columns: Mapping[Composition, int] = IN_A_ROW
    """How many of the answers stand in a row."""
    side: tuple[Composition, ...] = ("compact",)
    """The compositions in which what is pressed has a column of its own."""
    keeps_place = False
    """The place of the minor buttons stays free where none is shown: the answers lie where they lay before."""
    middle = True
    """What is read stands in the middle of its place."""

    def __init__(self, send: Send, t: Catalogue) -> None:
        super().__init__()
        self.send, self.t = send, t
        self.time = TimeLeft(t, lambda: send(flow.MoreTime()))
        self.time.setParent(self)
        self._zones: Zones | None = None
        self._most = ANY_SIZE
        self._gave_way: list[TouchButton] = []
        """Minor buttons in whose place something else stands for a while."""

    def compose(
        self,
        reading: Sequence[Piece],
        *,
        pictures: Sequence[QWidget] = (),
        pinned: QWidget | None = None,
        answers: Sequence[TouchButton] = (),
        pad: QWidget | None = None,
        minor: Sequence[TouchButton] = (),
        spare: Sequence[Piece] = (),
    ) -> None:
        """Name the parts; of several pictures at most one is shown. ``pad`` stands in the place of the answers.

        ``spare``: texts that are left out, one after the other, where there is no room.
        """
        self.reading = Reading(self, reading, self.t, spare)
        self.pictures, self.pinned, self.pad = tuple(pictures), pinned, pad
        self.answers, self.minor = tuple(answers), tuple(minor)
        for part in (*pictures, *filter(None, (pinned, pad)), *answers, *minor):
            part.setParent(self)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show what the snapshot says."""

    def forget(self) -> None:
        """Keep nothing of the patient's own; the page is not shown any more."""

    def show_time(self, snapshot: Snapshot) -> None:
        """Show how long the wait still lasts."""
        self.time.show_texts(wording.time_left(snapshot, self.t), wording.time_alone(snapshot, self.t))

    @property
    def picture(self) -> QWidget | None:
        """The picture that is shown now."""
        return next((picture for picture in self.pictures if not picture.isHidden()), None)

    def place(self, zones: Zones | None = None) -> None:
        """Give every part its place."""
        self._zones = zones or self._zones
        if self._zones is None:
            return
        self._most = ANY_SIZE
        for button in self._gave_way:
            button.show()
        self._gave_way = []
        if self.look.sizes.composition in self.side:
            self._beside(self._zones)
        else:
            self._below(self._zones)

    # --- What is pressed ---------------------------------------------------------------------------------------------

    def _shown(self, buttons: Sequence[TouchButton]) -> list[TouchButton]:
        return [button for button in buttons if not button.isHidden()]

    def _rows(self, buttons: Sequence[TouchButton], columns: int, width: int) -> tuple[int, int, int]:
        """Return columns, width and height of each button of a grid, all alike, in px."""
        columns = max(1, min(columns, len(buttons)))
        wide = (width - self._gap() * (columns - 1)) // columns
        wishes = [button.needs(wide) for button in buttons]
        letters, above = min(self._most, *(size for size, _ in wishes)), any(above for _, above in wishes)
        for button in buttons:
            button.alike(letters, above=above)
        return columns, wide, max(button.heightForWidth(wide) for button in buttons)

    def _grid_height(self, buttons: Sequence[TouchButton], columns: int, width: int) -> int:
        if not buttons:
            return 0
        columns, _, high = self._rows(buttons, columns, width)
        rows = -(-len(buttons) // columns)
        return rows * high + (rows - 1) * self._gap()

    def _lay_grid(self, buttons: Sequence[TouchButton], columns: int, where: Box) -> None:
        if not buttons:
            return
        columns, wide, _ = self._rows(buttons, columns, where.width)
        rows, gap = -(-len(buttons) // columns), self._gap()
        high = (where.height - (rows - 1) * gap) // rows
        for at, button in enumerate(buttons):
            row, column = divmod(at, columns)
            button.setGeometry(where.left + column * (wide + gap), where.top + row * (high + gap), wide, high)

    def _gap(self) -> int:
        return gap_of(self.look.sizes)

    def _minor_widths(self, width: int) -> list[int]:
        """Return the widths of the minor buttons in one row, px: alike, or else as their labels need it.

        Empty: they have no room beside each other.
        """
        shown, gap = self._shown(self.minor), gap_of(self.look.sizes)
        free = width - gap * (len(shown) - 1)
        alike = [free // len(shown)] * len(shown)
        if all(button.line_width() <= each for button, each in zip(shown, alike, strict=True)):
            return alike
        wishes = [button.line_width() for button in shown]
        if sum(wishes) > free:
            return []
        more = (free - sum(wishes)) // len(shown)
        return [wish + more for wish in wishes]

    # --- Compositions ------------------------------------------------------------------------------------------------

    def _below(self, zones: Zones) -> None:
        """What is pressed stands below what is read; a picture above it, or at its left in a lying window."""
        area, gap = zones.content, self._gap()
        bottom = self._lay_minor(area, area.bottom)
        answers, columns = self._shown(self.answers), self.columns[self.look.sizes.composition]
        if answers:
            high = self._grid_height(answers, columns, area.width)
            free = bottom - area.top - high - self._needed(area.width)
            rows = -(-len(answers) // columns)
            high += max(0, min(free // 2, high // 2, rows * self.look.sizes.px(8)))
            self._lay_grid(answers, columns, Box(area.left, bottom - high, area.width, high))
            bottom -= high + gap
        if self.pad is not None:
            high = self.pad.sizeHint().height()
            self.pad.setGeometry(area.left, bottom - high, area.width, high)
            bottom -= high + gap
        bottom = self._lay_pinned(area, bottom)
        bottom = self._lay_time(area, bottom)
        self._lay_upper(Box(area.left, area.top, area.width, bottom - area.top))

    def _lay_minor(self, area: Box, bottom: int) -> int:
        """Put the minor buttons at the bottom of a place; return where the place ends then."""
        minor = self._shown(self.minor)
        if not minor:
            return bottom - self.look.sizes.secondary - self._gap() if self.keeps_place else bottom
        wide = area.width
        if len(minor) == 1 and not self.look.sizes.portrait:
            wide = min(wide, max(minor[0].sizeHint().width(), self.look.sizes.px(60)))
        gap, widths = gap_of(self.look.sizes), self._minor_widths(wide)
        if not widths:
            high = self._grid_height(minor, 1, wide)
            self._lay_grid(minor, 1, Box(area.left, bottom - high, wide, high))
            return bottom - high - gap
        letters = min(button.needs(each)[0] for button, each in zip(minor, widths, strict=True))
        for button in minor:
            button.alike(letters, above=False)
        high = max(button.heightForWidth(each) for button, each in zip(minor, widths, strict=True))
        left = area.left
        for button, each in zip(minor, widths, strict=True):
            button.setGeometry(left, bottom - high, each, high)
            left += each + gap
        return bottom - high - gap

    def _minor_height(self, width: int) -> int:
        minor = self._shown(self.minor)
        if not minor:
            return self.look.sizes.secondary if self.keeps_place else 0
        widths = self._minor_widths(width)
        if not widths:
            return self._grid_height(minor, 1, width)
        return max(button.heightForWidth(each) for button, each in zip(minor, widths, strict=True))

    def _lay_pinned(self, area: Box, bottom: int) -> int:
        if self.pinned is None or self.pinned.isHidden():
            return bottom
        high = self.pinned.sizeHint().height()
        self.pinned.setGeometry(area.left, bottom - high, area.width, high)
        return bottom - high - self._gap()

    def _lay_time(self, area: Box, bottom: int) -> int:
        if self.time.isHidden():
            return bottom
        gap = self._gap()
        room = bottom - area.top - gap - self.reading.height_at(area.width)
        short = self.time.height_at(area.width) > room
        high = self.time.height_at(area.width, short=short)
        self.time.lay(Box(area.left, bottom - high, area.width, high), short=short)
        return bottom - high - gap

    def _needed(self, width: int) -> int:
        """Return the height in px that what is read and a picture would like to have."""
        sizes, gap = self.look.sizes, self._gap()
        pinned = 0 if self.pinned is None or self.pinned.isHidden() else self.pinned.sizeHint().height() + gap
        time = 0 if self.time.isHidden() else self.time.height_at(width) + gap
        picture = sizes.px(SMALLEST * 2) + gap if self.picture is not None and sizes.portrait else 0
        return self.reading.height_at(width) + pinned + time + picture

    def _lay_upper(self, area: Box) -> None:
        """Share a place between what is read and a picture."""
        sizes, gap, picture = self.look.sizes, self._gap(), self.picture
        if picture is None:
            self.reading.lay(area, middle=self.middle)
            return
        least = sizes.px(SMALLEST)
        if not sizes.portrait and area.height >= least:
            wide = round((area.width - gap) * (0.42 if sizes.composition == "roomy" else 0.5))
            picture.setGeometry(area.left, area.top, wide, area.height)
            rest = Box(area.left + wide + 2 * gap, area.top, area.width - wide - 2 * gap, area.height)
            self.reading.lay(rest, middle=True)
            return
        needed = getattr(picture, "needed", True)
        texts = self.reading.height_at(area.width)
        room = area.height - gap - texts
        if room < least and not needed:
            picture.setGeometry(0, 0, 0, 0)
            self.reading.lay(area, middle=self.middle)
            return
        high = max(least, room)
        left = area.height - gap - high
        self.reading.lay(Box(area.left, area.top, area.width, left), middle=False)
        picture.setGeometry(area.left, area.top + left + gap, area.width, high)

    def _beside(self, zones: Zones) -> None:
        """What is pressed has a column at the right; without anything to press a picture stands there."""
        area, hands, gap = zones.content, zones.hands, self._gap()
        answers = self._shown(self.answers)
        if hands.width == 0:
            wide = self.look.sizes.px(PAD + 14)
            hands = Box(area.right - wide, area.top, wide, area.height)
            area = area._replace(width=area.width - wide - 3 * gap)
        self._hands_wide = hands.width
        sizes = self.look.sizes
        picture, least = self.picture, sizes.px(SMALLEST)
        answers_high = self._grid_height(answers, self.columns["compact"], hands.width)
        while answers_high > hands.height and self._most > sizes.px(BODY_MM) + 1:
            self._most = max(sizes.px(BODY_MM) + 1, round(min(self._most, sizes.button) * 0.9))
            answers_high = self._grid_height(answers, self.columns["compact"], hands.width)
        minor_high = self._minor_height(hands.width)
        top, floor, below = hands.top, hands.bottom, area.bottom
        short, in_hands = self._time_in_hands(answers_high + (minor_high + gap if minor_high else 0), hands)
        if not in_hands:
            short, in_hands = self._time_in_hands(answers_high, hands)
        left = minor_high + gap + self.reading.height_at(area.width)
        if short and left <= area.height and self._time_in_hands(answers_high, hands) == (False, True):
            # The minor buttons rather give way than the words that say what the end of the wait means.
            short, minor_high = False, hands.height
        time_high = 0
        if in_hands:
            time_high = self.time.height_at(hands.width, short=short) + gap
        if self.pad is None and answers_high + gap + minor_high + time_high <= hands.height:
            # Everything that can be pressed is in the column; what is read has its own for itself.
            floor = self._lay_minor(hands, hands.bottom)
        elif sizes.composition == "compact" and not self.time.isHidden() and not in_hands:
            # For these seconds the time that is left has the place of the minor buttons.
            self._gave_way = self._shown(self.minor)
            for button in self._gave_way:
                button.hide()
        else:
            below = self._lay_minor(area, area.bottom)
        if in_hands:
            answers_at = self._hands_height(answers, floor - top - time_high) + gap if answers else 0
            at = floor - time_high + gap - answers_at
            self.time.lay(Box(hands.left, at, hands.width, time_high - gap), short=short)
        if answers:
            room = floor - top - (time_high if in_hands else 0)
            high = self._hands_height(answers, room)
            self._lay_grid(answers, self.columns["compact"], Box(hands.left, floor - high, hands.width, high))
            floor -= high + gap
        floor -= time_high if in_hands else 0
        if self.pad is not None:
            high = self.pad.sizeHint().height()
            if sizes.composition == "compact":
                high = max(high, min(hands.height, round(high * 1.1)))
            self.pad.setGeometry(hands.left, hands.bottom - high, hands.width, high)
            floor = top
        below = self._lay_pinned(area, below)
        if not in_hands:
            below = self._lay_time(area, below)
        rest = Box(area.left, area.top, area.width, below - area.top)
        if picture is None:
            # Nothing at the right: a long text has the whole width.
            free = floor == hands.bottom
            self.reading.lay(
                rest._replace(width=hands.right - rest.left) if free else rest, middle=self.middle
            )
            return
        if floor - top >= least:
            picture.setGeometry(hands.left, top, hands.width, floor - top)
        else:
            room = rest.height - gap - self.reading.height_at(rest.width)
            if room >= least:
                high = min(room, round(rest.height * 0.6))
                picture.setGeometry(rest.left, rest.bottom - high, rest.width, high)
                rest = rest._replace(height=rest.height - high - gap)
            else:
                picture.setGeometry(0, 0, 0, 0)
        self.reading.lay(rest, middle=self.middle)

    def _time_in_hands(self, others: int, hands: Box) -> tuple[bool, bool]:
        """Say whether the time that is left is shown in few words, and whether it has room in the column."""
        if self.pad is not None or self.time.isHidden():
            return False, False
        for short in (False, True):
            if others + self._gap() + self.time.height_at(hands.width, short=short) <= hands.height:
                return short, True
        return False, False

    def _hands_height(self, answers: Sequence[TouchButton], room: int) -> int:
        """Return how high the answers are in their column: larger than they must be where there is room, px."""
        least = self._grid_height(answers, self.columns["compact"], self._hands_wide)
        return min(room, max(least, round(least * (1.0 if self.picture is not None else 1.6))))

    # --- Makers ------------------------------------------------------------------------------------------------------

    def button(
        self,
        name: str,
        label: str,
        event: flow.Event,
        size: ButtonSize = "primary",
        picture: Pictogram = "",
        note: str = "",
        kind: ButtonKind = "quiet",
    ) -> TouchButton:
        """Make a button that sends the event."""
        made = TouchButton(name, self.t(label), kind, size, picture, self.t(note))
        made.clicked.connect(lambda: self.send(event))
        return made

    def answer(
        self, name: str, label: str, event: flow.Event, picture: Pictogram = "", note: str = ""
    ) -> TouchButton:
        """Make one of several buttons to choose from, which all look alike."""
        return self.button(name, label, event, "primary", picture, note, "outline")

    def other_way(self, size: ButtonSize = "secondary") -> TouchButton:
        """Make the button that leads back to the choice."""
        return self.button("back_to_choice", wording.OTHER_WAY, flow.BackToChoice(), size, "back")

    def help_button(self) -> TouchButton:
        """Make the button for those who cannot go on."""
        return self.button("help", wording.IN_TROUBLE, flow.AskHelp(), "secondary", "help")
