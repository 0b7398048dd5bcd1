"""Where a line may end, in any language of the window; pure.

Qt would break Japanese anywhere, in the middle of words too.
"""

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from budoux import Parser

Measure = Callable[[str], float]

_SENTENCE_END = re.compile(r"。 ?(?=[^」』)）\n])")
_KANA = "ぁ-ゖ"
_NEVER_FIRST = "、。，．,.！？!?）)」』】〉》・ー…：；:;ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
_NEVER_LAST = "（(「『【〈《"
_WITHIN = re.compile("(?<=ても)(?=かまいません)|(?<=なく)(?=して)|(?<=マイナンバー)(?=カード)")
"""Where phrases of the window's own texts are cut that BudouX keeps whole."""
_AFTER = re.compile(
    # After a comma, a full stop or a middle dot.
    rf"(?<=[、。・])(?![{re.escape(_NEVER_FIRST)}])"
    # After a particle, before a word that does not begin with hiragana, or begins with a polite お or ご.
    rf"|(?<=[^おご][はがをにでともてか])(?![{_KANA}{re.escape(_NEVER_FIRST)}])"
    rf"|(?<=[^おご][はがをにでともてか])(?=[おご][^{_KANA}、。])"
    rf"|(?<=[^おご]から)(?![{_KANA}{re.escape(_NEVER_FIRST)}])|(?<=から)(?=[おご][^{_KANA}、。])"
    # After "of", before a word for which something.
    r"|(?<=の)(?=どちら|ほか|すべて)"
)


def phrases(text: str) -> list[str]:
    """Cut a text into pieces that stay together: words where there are spaces, phrases in Japanese."""
    pieces: list[str] = []
    for word in filter(None, text.replace(" ", " \0").split("\0")):
        pieces += _japanese(word) if any("ぁ" <= letter <= "ヿ" for letter in word) else _clauses(word)
    return [piece for piece in pieces if piece]


def _japanese(word: str) -> list[str]:
    """Cut after a comma or full stop, and before the word after a particle."""
    return _AFTER.split(word)


def _clauses(word: str) -> list[str]:
    """Cut after full-width commas and full stops, as in Chinese."""
    found, current = [], ""
    for here, after in zip(word, word[1:] + " ", strict=True):
        current += here
        if here in "，。；！？、" and after not in _NEVER_FIRST:
            found.append(current)
            current = ""
    return [*found, current]


def _letters(piece: str) -> list[str]:
    """Cut a piece wherever a line may end, by the usual rules for what may begin and end one."""
    found = [""]
    for letter in piece:
        before = found[-1][-1:]
        if (
            before
            and _wide(before)
            and _wide(letter)
            and letter not in _NEVER_FIRST
            and before not in _NEVER_LAST
        ):
            found.append("")
        found[-1] += letter
    return found


def _wide(letter: str) -> bool:
    """Say whether it belongs to a script that has no spaces between words; Korean has."""
    return letter >= "\u2e80" and not "가" <= letter <= "힣"


def _cut(piece: str, room: float, measure: Measure) -> list[str]:
    """Cut a piece that is wider than a line between smaller phrases, or else anywhere; what fits stays whole."""
    if measure(piece.rstrip()) <= room:
        return [piece]
    if len(piece) <= 2:
        # As by a widget that has no width yet.
        return _letters(piece)
    smaller = _smaller_phrases(piece)
    if len(smaller) > 1:
        return [part for one in smaller for part in _cut(one, room, measure)]
    return _letters(piece)


def _smaller_phrases(piece: str) -> list[str]:
    found: list[str] = []
    for phrase in _parser().parse(piece):
        # It would put a number's unit on the next line.
        if found and found[-1][-1].isdecimal():
            found[-1] += phrase
        else:
            found.append(phrase)
    return found if len(found) > 1 else _WITHIN.split(piece)


@functools.cache
def _parser() -> "Parser":
    """Return BudouX's parser of Japanese; it takes 10 ms to load, and most windows are wide enough without it."""
    import budoux

    return budoux.load_default_japanese_parser()


def _fill(pieces: list[str], room: float, measure: Measure) -> list[str]:
    lines: list[str] = []
    line = ""
    for piece in pieces:
        if line and measure((line + piece).rstrip()) > room:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()]


def flowed(text: str, room: float, measure: Measure) -> list[str]:
    """Return the text as lines no wider than ``room``, as few as possible and then of even width.

    A line break in the text stays, and of several lines each Japanese sentence begins one. What cannot be cut (a long
    word) keeps a line for itself, wider than the room.
    """
    done: list[str] = []
    for paragraph in text.split("\n"):
        whole = measure(paragraph) <= room
        done += [paragraph] if whole else _flowed(_SENTENCE_END.sub("。\n", paragraph), room, measure)
    return done


def _flowed(text: str, room: float, measure: Measure) -> list[str]:
    done: list[str] = []
    for paragraph in text.split("\n"):
        pieces = [part for piece in phrases(paragraph) for part in _cut(piece, room, measure)]
        lines = _fill(pieces, room, measure)
        if len(lines) > 1:
            lines = _even(pieces, lines, room, measure)
        done += lines
    return done


def _even(pieces: list[str], lines: list[str], room: float, measure: Measure) -> list[str]:
    """Find the narrowest room that needs no more lines: no last line with a single word."""
    low, high = max([room / 2, *(measure(piece.rstrip()) for piece in pieces)]), room
    while high - low > room / 32:
        middle = (low + high) / 2
        tried = _fill(pieces, middle, measure)
        if len(tried) <= len(lines) and max(map(measure, tried)) <= room:
            high, lines = middle, tried
        else:
            low = middle
    return lines


def joined(text: str) -> str:
    """Return the text on one line, as it is read aloud: a line break is a space only between words that have spaces."""
    parts = text.split("\n")
    whole = parts[0]
    for part in parts[1:]:
        spaced = whole and part and not _wide(whole[-1]) and not _wide(part[0])
        whole += f" {part}" if spaced else part
    return whole
