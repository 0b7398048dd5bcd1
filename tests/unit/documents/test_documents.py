"""The documents as they lie in the tree: short enough, and every link and anchor leads somewhere."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support import ROOT
from tests.support.reference import documents

README_LIMIT = 12_000
"""Bytes: what is read in five minutes."""
ANIMATION_LIMIT = 1_000_000
"""Bytes of the animated picture."""
FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|<(?:img|a)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)


def links(text: str) -> Iterator[str]:
    """Yield every link and picture of a page, outside code."""
    for match in LINK.finditer(CODE.sub("", FENCE.sub("", text))):
        yield match[1] or match[2]


def slug(heading: str) -> str:
    """Return the anchor of a heading as file viewers and the site make it, for letters, digits and spaces."""
    words = re.sub(r"[`*]|\]\([^)]*\)|[\[]", "", heading)
    kept = "".join(each for each in words.lower() if each in " -_" or unicodedata.category(each)[0] in "LN")
    return kept.strip().replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings."""
    return frozenset(
        slug(heading) for heading in HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    )


def broken(root: Path) -> list[str]:
    """Return each link that leads nowhere, with its page; addresses of others are not asked."""
    found = []
    for page in documents(root):
        for link in links(page.read_text(encoding="utf-8")):
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / unquote(path)).resolve() if path else page
            there = target.exists() and (
                not anchor or target.suffix != ".md" or unquote(anchor) in anchors(target)
            )
            if not there:
                found.append(f"{page.relative_to(root)}: {link}")
    return found


def test_the_readme_is_read_in_five_minutes() -> None:
    assert (ROOT / "README.md").stat().st_size <= README_LIMIT


def test_the_readme_shows_the_window_and_a_visit_that_moves_below_a_megabyte() -> None:
    from PIL import Image

    shown = [
        ROOT / link for link in links((ROOT / "README.md").read_text(encoding="utf-8")) if "pictures/" in link
    ]
    frames = {}
    for path in shown:
        with Image.open(path) as picture:
            frames[path.name] = getattr(picture, "n_frames", 1)
    assert len(frames) >= 2
    moving = [name for name, count in frames.items() if count > 5]
    assert len(moving) == 1
    assert (ROOT / "docs" / "pictures" / moving[0]).stat().st_size < ANIMATION_LIMIT


def test_every_link_and_anchor_leads_somewhere() -> None:
    assert broken(ROOT) == []


@pytest.mark.parametrize(
    "text",
    [
        "[gone](gone.md)",
        "[no such heading](#nowhere)",
        "[no such heading](there.md#nowhere)",
        "![no picture](pictures/gone.png)",
        '<img src="gone.gif" width="300">',
    ],
)
def test_a_planted_link_that_leads_nowhere_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "there.md").write_text("# There\n", encoding="utf-8")
    (tmp_path / "README.md").write_text(f"# Title\n\n{text}\n", encoding="utf-8")
    assert len(broken(tmp_path)) == 1


def test_links_inside_code_and_addresses_of_others_are_left_alone(tmp_path: Path) -> None:
    text = (
        "# A heading: `code` & more\n\n`[x](y.md)` <https://example.jp/> [a](#a-heading-code--more)\n\n"
        "```\n[x](y.md)\n```\n"
    )
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    assert broken(tmp_path) == []


def test_pages_of_the_site_link_only_to_pages_of_the_site() -> None:
    outside = [
        f"{page.name}: {link}"
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for link in links(page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|#", link)
        and not (page.parent / link.partition("#")[0]).resolve().is_relative_to(ROOT / "docs")
    ]
    assert outside == []
