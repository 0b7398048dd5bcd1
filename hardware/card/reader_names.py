"""Which PC/SC readers a name in the configuration means.

PC/SC puts behind a reader's own name its serial number, in parentheses, and two numbers of two hex digits: an index
that changes whenever it is plugged in anew, and the slot of a reader that has several. Names hold brackets and spaces.
"""

import re
from collections.abc import Sequence

_PARTS = re.compile(
    r"(?P<base>.*?)(?P<serial> \([^()]*\))?(?: (?P<index>[0-9a-f]{2}) (?P<slot>[0-9a-f]{2}))?", re.DOTALL
)


def matching(pattern: str, names: Sequence[str], besides: str = "") -> list[str]:
    """Return the names that a pattern means, in their order; * and ? are the only wildcards, case does not count.

    What is meant most exactly counts alone: the very name; else what the pattern fits as it is written; else what it
    fits without serial number and index, where a slot in the pattern still has to be the same. ``besides``: another
    pattern, whose readers have another use.
    """
    wanted = pattern.casefold()
    if besides:
        others = matching(besides, names)
        names = [name for name in names if name not in others]
    for fits in (_is, _fits, _fits_without_index):
        if found := [name for name in names if fits(wanted, name.casefold())]:
            return found
    return []


def _is(wanted: str, name: str) -> bool:
    return name == wanted


def _fits(wanted: str, name: str) -> bool:
    literal = re.escape(wanted).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(literal, name, re.DOTALL) is not None


def _fits_without_index(wanted: str, name: str) -> bool:
    pattern, parts = _PARTS.fullmatch(wanted), _PARTS.fullmatch(name)
    assert pattern and parts
    if pattern["slot"] not in (None, parts["slot"]):
        return False
    base, serial = parts["base"], parts["serial"] or ""
    return any(_fits(asked, given) for asked in (pattern["base"], wanted) for given in (base, base + serial))
