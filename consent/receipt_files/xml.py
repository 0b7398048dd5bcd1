"""A dataclass of ``content`` as XML elements and back: element names from its annotations, texts strict both ways."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from xml.etree import ElementTree

import defusedxml
from defusedxml.ElementTree import XMLParser
from pydantic import AwareDatetime, ValidationError

from consent.receipt_files.content import Element, Group, NamePrefix
from consent.wire import JAPAN

T = TypeVar("T")
Encoding = Literal["utf-8", "cp932"]

MAX_BYTES = 4 * 1024 * 1024
MAX_ELEMENTS = 2000
MAX_DEPTH = 10
_PART = 65_536
"""Characters that are parsed at a time."""

NO_CHARACTER = "●"
"""Stands for a character that the file cannot hold, as on real readers."""

WHOLE_FILE = "file"
"""What MalformedFile names when no single element is wrong."""

DECLARED: dict[Encoding, str] = {"utf-8": "UTF-8", "cp932": "Shift_JIS"}
_UTF_8 = ("utf-8", "utf8")
_CP932 = ("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "cp932", "ms932")
_DECLARATION = re.compile(rb"\s*<\?xml\b([^>]{0,200})\?>")
_DECLARED_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")


class Fault(StrEnum):
    """What is wrong with a file; also the ErrorCode of the answer to it (the official codes are not public)."""

    NO_FILE = "FILE_UNREADABLE"
    TOO_LONG = "FILE_TOO_LONG"
    NOT_TEXT = "ENCODING_WRONG"
    DTD = "DTD_FORBIDDEN"
    NOT_XML = "XML_MALFORMED"
    TOO_MUCH = "XML_TOO_LARGE"
    ATTRIBUTE = "ATTRIBUTE_UNKNOWN"
    UNKNOWN = "ELEMENT_UNKNOWN"
    TWICE = "ELEMENT_TWICE"
    MISSING = "ELEMENT_MISSING"
    VALUE = "VALUE_INVALID"
    CONTRADICTION = "ELEMENTS_CONTRADICT"
    RESULTS = "RESULT_COUNT_WRONG"
    INSTITUTION = "INSTITUTION_WRONG"
    REQUEST = "REQUEST_UNKNOWN"


class MalformedFile(Exception):
    """A file of the interface is not as it must be; says which element, never what stands in it."""

    def __init__(self, fault: Fault, where: str) -> None:
        super().__init__(f"{where}: {fault}")
        self.fault = fault
        self.where = where


def to_element(name: str, value: Any) -> ElementTree.Element:
    """Return the dataclass as an element; what is None or empty is left out."""
    element = ElementTree.Element(name)
    _fill(element, value, "")
    return element


def to_bytes(root: ElementTree.Element, encoding: Encoding) -> tuple[bytes, tuple[str, ...]]:
    """Return the file, and the names of the elements that show ● for a character it cannot hold."""
    content, flagged = fragment(root, encoding)
    return declaration(encoding) + content, flagged


def declaration(encoding: Encoding) -> bytes:
    """Return the first line of a file."""
    return f'<?xml version="1.0" encoding="{DECLARED[encoding]}" standalone="no"?>\n'.encode("ascii")


def fragment(root: ElementTree.Element, encoding: Encoding) -> tuple[bytes, tuple[str, ...]]:
    """Return an element with all in it as a part of a file, and the elements that show ●."""
    flagged: dict[str, None] = {}
    for element in root.iter():
        if element.text and not len(element):
            element.text = writable(element.text, encoding)
            if NO_CHARACTER in element.text:
                flagged[element.tag] = None
    ElementTree.indent(root)
    return (ElementTree.tostring(root, encoding="unicode") + "\n").encode(encoding), tuple(flagged)


def writable(text: str, encoding: Encoding) -> str:
    """Return the text with ● for every character that XML, or CP932, cannot hold."""
    if encoding == "cp932":
        # A kanji's variant is asked for by a second character; without it, the common shape is shown.
        text = re.sub("[\ufe00-\ufe0f\U000e0100-\U000e01ef]", "", text).translate(_ALIKE)
        text = re.sub("[か-ヿ][\u3099\u309a]", lambda found: unicodedata.normalize("NFC", found[0]), text)
    return "".join(_writable_character(c, encoding) for c in text) or NO_CHARACTER


@dataclass(frozen=True)
class Size:
    """How large a file may be."""

    bytes: int = MAX_BYTES
    elements: int = MAX_ELEMENTS


USUAL = Size()


def parse(
    data: bytes, size: Size = USUAL, pause: Callable[[], None] = lambda: None
) -> tuple[ElementTree.Element, Encoding]:
    """Return the root and the encoding it was declared in; raises MalformedFile.

    ``pause`` is called between parts of a large file, so that others get their turn.
    """
    if len(data) > size.bytes:
        raise MalformedFile(Fault.TOO_LONG, WHOLE_FILE)
    data = data.removeprefix(b"\xef\xbb\xbf")
    declaration = _DECLARATION.match(data)
    declared = _DECLARED_ENCODING.search(declaration[1]) if declaration else None
    encoding = _encoding(declared[1].decode("ascii").lower() if declared else "utf-8")
    try:
        # expat knows no Shift_JIS, so it is given text, without the declaration.
        text = data[declaration.end() if declaration else 0 :].decode(encoding)
    except UnicodeDecodeError:
        raise MalformedFile(Fault.NOT_TEXT, WHOLE_FILE) from None
    parser = XMLParser(forbid_dtd=True, target=_Bounded(size.elements))
    try:
        for at in range(0, len(text), _PART) or (0,):
            parser.feed(text[at : at + _PART])
            pause()
        root: ElementTree.Element = parser.close()
    except defusedxml.DefusedXmlException:
        raise MalformedFile(Fault.DTD, WHOLE_FILE) from None
    except ElementTree.ParseError:
        raise MalformedFile(Fault.NOT_XML, WHOLE_FILE) from None
    return root, encoding


def from_element(element: ElementTree.Element, kind: type[T], *, lenient: bool = False) -> T:
    """Return the element as a dataclass; raises MalformedFile.

    Order is free. ``lenient``, for what other programs write: a padded text may come without its spaces.
    """
    left = children(element)
    value = _taken(left, kind, "", element.tag, lenient)
    for name in left:
        raise MalformedFile(Fault.UNKNOWN, _shown(name))
    return value


def children(element: ElementTree.Element) -> dict[str, ElementTree.Element]:
    """Return an element's children by name; raises MalformedFile for text between them and for a second one."""
    found: dict[str, ElementTree.Element] = {}
    if len(element) and any(
        text and not text.isspace() for text in (element.text, *(c.tail for c in element))
    ):
        raise MalformedFile(Fault.NOT_XML, element.tag)
    if not len(element) and element.text and not element.text.isspace():
        raise MalformedFile(Fault.VALUE, element.tag)
    for child in element:
        if child.tag in found:
            raise MalformedFile(Fault.TWICE, _shown(child.tag))
        found[child.tag] = child
    return found


def names(kind: type) -> Iterator[str]:
    """Name every element that a dataclass may become, in the order they are written."""
    for part in _parts(kind):
        match part.marker:
            case Element(name):
                yield name
            case Group(name, within):
                yield from (within, name) if within else (name,)
                yield from names(part.type)
            case NamePrefix(name):
                yield from (name + end for end in names(part.type))


@dataclass(frozen=True)
class _Part:
    """One field of a dataclass: how it is called, where it stands, what is in it."""

    field: str
    marker: Element | Group | NamePrefix
    type: Any
    required: bool
    many: bool


class _Bounded(ElementTree.TreeBuilder):
    """Builds a small tree and gives up on a large one, before it takes memory."""

    def __init__(self, elements: int) -> None:
        super().__init__()
        self._elements = elements
        self._depth = self._count = 0

    def start(self, tag: str, attrs: dict[Any, Any], /) -> ElementTree.Element:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > self._elements:
            raise MalformedFile(Fault.TOO_MUCH, WHOLE_FILE)
        if attrs:
            raise MalformedFile(Fault.ATTRIBUTE, _shown(tag))
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def _encoding(declared: str) -> Encoding:
    if declared in _UTF_8:
        return "utf-8"
    if declared in _CP932:
        return "cp932"
    raise MalformedFile(Fault.NOT_TEXT, WHOLE_FILE)


def _fill(element: ElementTree.Element, value: Any, prefix: str) -> None:
    for part in _parts(type(value)):
        content = getattr(value, part.field)
        if content is None or content in ("", ()):
            continue
        match part.marker:
            case Element(name):
                ElementTree.SubElement(element, prefix + name).text = _text(content, part.marker)
            case NamePrefix(name):
                _fill(element, content, name)
            case Group(name, within) if part.many:
                around = ElementTree.SubElement(element, within) if within else element
                around.extend(to_element(name, one) for one in content)
            case Group(name):
                element.append(to_element(name, content))


def _taken(left: dict[str, ElementTree.Element], kind: type[T], prefix: str, where: str, lenient: bool) -> T:
    """Make a dataclass of the elements that belong to it, and take them out of ``left``."""
    values: dict[str, Any] = {}
    for part in _parts(kind):
        content: Any = None
        match part.marker:
            case Element(name):
                element = left.pop(prefix + name, None)
                content = None if element is None else _value(element, part, lenient)
            case NamePrefix(name):
                if any(name + end in left for end in names(part.type)):
                    content = _taken(left, part.type, name, where, lenient)
            case Group(name, within) if part.many:
                around = left.pop(within, None)
                content = None if around is None else _each(around, name, part.type, lenient)
            case Group(name):
                element = left.pop(name, None)
                content = None if element is None else from_element(element, part.type, lenient=lenient)
        if content is not None:
            values[part.field] = content
        elif part.required:
            raise MalformedFile(Fault.MISSING, prefix + part.marker.name)
    try:
        return kind(**values)
    except ValidationError as error:
        field = next(iter(error.errors(include_url=False, include_input=False)))["loc"]
        by_field = {part.field: prefix + part.marker.name for part in _parts(kind)}
        wrong = by_field.get(str(field[0])) if field else None
        raise MalformedFile(Fault.VALUE if wrong else Fault.CONTRADICTION, wrong or where) from None


def _each(around: ElementTree.Element, name: str, kind: type[T], lenient: bool) -> tuple[T, ...]:
    for child in around:
        if child.tag != name:
            raise MalformedFile(Fault.UNKNOWN, _shown(child.tag))
    return tuple(from_element(child, kind, lenient=lenient) for child in around)


def _text(value: Any, marker: Element) -> str:
    """Return the text of a value; the only place where dates, times and widths are formatted."""
    match value:
        case datetime():
            return value.astimezone(JAPAN).strftime("%Y%m%d%H%M%S").rjust(14, "0")
        case date():
            return value.strftime("%Y%m%d").rjust(8, "0")
        case _:
            return str(value).rjust(marker.spaces).rjust(marker.zeros, "0")


def _value(element: ElementTree.Element, part: _Part, lenient: bool) -> Any:
    """Return the value of an element's text, or None for an empty one; raises MalformedFile."""
    marker = part.marker
    assert isinstance(marker, Element)
    if len(element):
        raise MalformedFile(Fault.VALUE, element.tag)
    text = element.text or ""
    if not text:
        return None
    try:
        value = _read(text, part.type, marker)
        # What is not written the way we write it is wrong: no full-width digit, no missing zero.
        if _text(value, marker) != text and not (lenient and marker.spaces and value == text.strip(" ")):
            raise ValueError
    except (ValueError, OverflowError):
        raise MalformedFile(Fault.VALUE, element.tag) from None
    return value


def _read(text: str, kind: Any, marker: Element) -> Any:
    if kind is AwareDatetime:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=JAPAN)
    if kind is date:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=JAPAN).date()
    if kind is int:
        if not re.fullmatch("[0-9]{1,9}", text):
            raise ValueError
        return int(text)
    return text.lstrip(" ") if marker.spaces else kind(text)


def _parts(kind: Any) -> tuple[_Part, ...]:
    """Return what a dataclass's annotations say."""
    return _annotated(kind)


@cache
def _annotated(kind: Any) -> tuple[_Part, ...]:
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        hint, *extras = get_args(hints[field.name])
        marker = next(extra for extra in extras if isinstance(extra, Element | Group | NamePrefix))
        required = field.default is MISSING and field.default_factory is MISSING
        inner, many = _bare(hint)
        found.append(_Part(field.name, marker, inner, required, many))
    return tuple(found)


def _bare(hint: Any) -> tuple[Any, bool]:
    """Return the type below Annotated, ``| None`` and tuple, and whether there was a tuple."""
    many = False
    while (origin := get_origin(hint)) is not None:
        many = many or origin is tuple
        hint = next(arg for arg in get_args(hint) if arg is not NoneType)
    return hint, many


def _writable_character(character: str, encoding: Encoding) -> str:
    if unicodedata.category(character) in ("Cc", "Cs") or character in "\ufffe\uffff":
        return NO_CHARACTER
    if encoding == "utf-8":
        return character
    if unicodedata.category(character) == "Co":
        # Characters of one's own (外字) are other characters on the next computer.
        return NO_CHARACTER
    try:
        return character.encode("cp932").decode("cp932")
    except UnicodeEncodeError:
        return NO_CHARACTER


def _shown(name: str) -> str:
    """Return an element's name if it can be one, since it comes from outside."""
    return name if re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,79}", name) else "element"


_ALIKE = {ord(one): other for one, other in zip("—¥‾·\xa0", "―￥￣・ ", strict=True)}
"""Characters that CP932 has in another place only."""
