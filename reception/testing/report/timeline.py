"""The states of a scenario as a bar, drawn to scale."""

from collections.abc import Sequence
from itertools import takewhile
from xml.etree.ElementTree import Element

from reception.testing.report.elements import e
from reception.testing.report.moment import Moment

_WIDTH, _TOP, _HEIGHT = 1000.0, 4.0, 34.0
_LETTER = 7.3
"""Width of one capital at the bar's type size."""
_STEPS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)


def timeline(moments: Sequence[Moment], end_s: float) -> Element:
    """Return the bar: its length is the whole scenario, each moment as long as it lasted, with seconds below."""
    whole = max(end_s, moments[-1].began_s + moments[-1].lasted_s, 0.001)
    scale = _WIDTH / whole
    parts = [_part(moment, scale) for moment in moments]
    below = _TOP + _HEIGHT
    step = next((step for step in _STEPS_S if whole / step <= 12), whole)
    ticks = takewhile(lambda at: at <= whole, (number * step for number in range(14)))
    axis = [
        e(
            "g",
            e("line", x1=at * scale, x2=at * scale, y1=below, y2=below + 5),
            e("text", f"{at:g} s", x=min(max(at * scale, 10), _WIDTH - 14), y=below + 19),
            class_="tick",
        )
        for at in ticks
    ]
    said = ", ".join(f"{one.snapshot.state} {one.lasted_s:.2f} s" for one in moments)
    return e(
        "svg",
        e("title", f"Timeline: {said}"),
        *parts,
        *axis,
        viewBox=f"0 0 {_WIDTH:g} {below + 24:g}",
        role="img",
        class_="timeline",
    )


def _part(moment: Moment, scale: float) -> Element:
    seen, left, width = moment.snapshot, moment.began_s * scale, moment.lasted_s * scale
    kind = {"CALL_STAFF": "trouble", "OUT_OF_SERVICE": "trouble"}.get(seen.state, seen.step.lower() or "rest")
    words = f"{moment.number} {seen.state}"
    if len(words) * _LETTER > width - 6:
        words = str(moment.number)
    fits = len(words) * _LETTER <= width - 2
    return e(
        "g",
        e("title", f"{moment.number} {seen.state}: {moment.lasted_s:.3f} s"),
        # A sliver of a moment is still seen.
        e("rect", x=left, y=_TOP, width=max(width, 0.8), height=_HEIGHT, class_=kind),
        e("text", words, x=left + width / 2, y=_TOP + 22, class_=kind) if fits else None,
    )
