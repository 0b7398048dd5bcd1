"""The documents that tests read."""

import re

from tests.support import ROOT

README = ROOT / "README.md"


def between(name: str) -> re.Pattern[str]:
    """What stands between a table's two markers, each on a line of its own."""
    return re.compile(rf"(?<=^<!-- {name} -->\n).*?(?=^<!-- /{name} -->$)", re.DOTALL | re.MULTILINE)
