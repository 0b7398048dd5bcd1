"""Where the zones of a window lie: steps above, what is read in the middle, what is pressed below; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reception.patient.tokens import Composition, Sizes

MARGIN = 2.2
"""Units between the edge of the window and the zones."""
GAPS: Mapping[Composition, float] = {"portrait": 2.0, "compact": 1.3, "roomy": 2.0}
"""Units between the zones, and between two buttons."""
PAD = 62.5
"""Width in units of the column at the right that a small lying window has for what is pressed: three keys."""


class Box(NamedTuple):
    """A rectangle in px."""

    left: int
    top: int
    width: int
    height: int

    @property
    def bottom(self) -> int:
        """The first px below it."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The first px at its right."""
        return self.left + self.width


def gap_of(sizes: Sizes) -> int:
    """Return the distance of zones and of buttons, in px."""
    return sizes.px(GAPS[sizes.composition])


@dataclass(frozen=True)
class Zones:
    """The places of one window; the same on every page."""

    steps: Box
    content: Box
    """What is read; in a composition without a column of its own for them also what is pressed."""
    hands: Box
    """Where there is a column for what is pressed; of no size elsewhere."""
    ways: Box
    """やめる and 係の人を呼ぶ."""
    strip: Box
    """表示: language, size, colour, sound."""


def around(laid: Zones) -> Box:
    """Return the place of a page: what is read, and the column for what is pressed where there is one."""
    content, hands = laid.content, laid.hands
    if not hands.width:
        return content
    top = min(content.top, hands.top)
    return Box(content.left, top, hands.right - content.left, max(content.bottom, hands.bottom) - top)


def within(laid: Zones, place: Box) -> Zones:
    """Return the zones as they lie in a place of the window."""

    def moved(box: Box) -> Box:
        return box._replace(left=box.left - place.left, top=box.top - place.top)

    return Zones(*(moved(box) for box in (laid.steps, laid.content, laid.hands, laid.ways, laid.strip)))


def zones(sizes: Sizes, width: int, height: int, steps: int, ways: int, strip: tuple[int, int]) -> Zones:
    """Divide a window; all in px.

    ``steps``, ``ways``: heights that they need; ``strip``: width and height that the strip needs.
    """
    edge, gap = sizes.px(MARGIN), gap_of(sizes)
    whole = Box(edge, edge, width - 2 * edge, height - 2 * edge)
    strip_wide, strip_high = strip
    if sizes.composition == "portrait":
        at_strip = whole.bottom - strip_high
        at_ways = at_strip - gap - ways
        top = whole.top + steps + gap
        return Zones(
            Box(whole.left, whole.top, whole.width, steps),
            Box(whole.left, top, whole.width, at_ways - gap - top),
            Box(0, 0, 0, 0),
            Box(whole.left, at_ways, whole.width, ways),
            Box(whole.left, at_strip, whole.width, strip_high),
        )
    hands = min(sizes.px(PAD), whole.width // 2) if sizes.composition == "compact" else 0
    column = whole.width - (hands + gap if hands else 0)
    high = max(ways, strip_high)
    at_bar, top = whole.bottom - high, whole.top + steps + gap
    return Zones(
        Box(whole.left, whole.top, column, steps),
        Box(whole.left, top, column, at_bar - gap - top),
        Box(whole.right - hands, whole.top, hands, whole.height) if hands else Box(0, 0, 0, 0),
        Box(whole.left + strip_wide + gap, at_bar, column - strip_wide - gap, high),
        Box(whole.left, at_bar, strip_wide, high),
    )
