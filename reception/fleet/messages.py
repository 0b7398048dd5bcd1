"""What a terminal and a counter program tell each other: news, commands and answers, as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from reception.flow import Method
from reception.terminal.journal import Entry
from reception.terminal.snapshot import CounterView, Health, Snapshot, SubsidyView

LARGEST = 512 * 1024
"""Bytes of one message; a day of 1,000 visits has about 400 kB."""


class MessageError(ValueError):
    """A message that is none of ours; ``str()`` says why and quotes nothing of it."""


class Kind(StrEnum):
    """What news is about."""

    SNAPSHOT = "snapshot"
    NOTICES = "notices"
    CALLS = "calls"
    ABOUT = "about"
    TALLY = "tally"
    PEOPLE = "people"
    PHOTO = "photo"


PERSONAL = frozenset((Kind.PEOPLE, Kind.PHOTO))
"""Told only to programs whose staff are logged in, never stored and, over a broker, encrypted."""


@dataclass(frozen=True)
class News:
    """The newest state of one kind; it replaces the earlier one."""

    kind: Kind
    content: Any = field(repr=False)


class Verb(StrEnum):
    """What a counter program asks of a terminal."""

    WATCH = "watch"
    """Tell personal news for ``seconds`` more; 0: no more of it."""
    TODAY = "today"
    """Answer with the visits of today."""
    SHOW_TEXT = "show-text"
    MORE_TIME = "more-time"
    CANCEL = "cancel"
    CLOSE_DESK = "close-desk"
    OPEN_DESK = "open-desk"
    TAKE_CALL = "take-call"
    DISMISS = "dismiss"
    MATCH_CODE = "match-code"
    REGISTER_CHART = "register-chart"
    START_VISUAL = "start-visual"
    CONFIRM_VISUAL = "confirm-visual"
    REFUSE_VISUAL = "refuse-visual"


@dataclass(frozen=True)
class Command:
    """One act of one member of staff; a terminal does it at most once, and never after it has expired."""

    id: str
    verb: str
    operator: str
    """Staff id, no name; "-" for what the program does by itself."""
    expires: datetime
    """By the terminal's own clock."""
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)


class Verdict(StrEnum):
    """What became of a command."""

    DONE = "done"
    LATE = "late"
    """It came when nothing was there to be done any more, as for a visit that is over."""
    EXPIRED = "expired"
    REPLAYED = "replayed"
    UNKNOWN = "unknown"
    """No such command, or arguments that it does not take."""
    FORGED = "forged"
    """Not signed by a board of this network."""
    REFUSED = "refused"
    """The eligibility server refused it."""
    UNREACHABLE = "unreachable"
    """The terminal, or what it needs for this, does not answer."""


@dataclass(frozen=True)
class Answer:
    """What a terminal says to a command."""

    command: str
    verdict: Verdict
    content: Any = field(default=None, repr=False)


def command_bytes(command: Command) -> bytes:
    """Return a command as JSON."""
    told = {**asdict(command), "expires": command.expires.isoformat()}
    return json.dumps(told, ensure_ascii=False).encode()


def read_command(content: bytes) -> Command:
    """Return a command; raises MessageError."""
    told = _object(content, {"id", "verb", "operator", "expires", "arguments"})
    arguments = told.pop("arguments")
    texts = [*told.values(), *(arguments.values() if isinstance(arguments, dict) else [None])]
    if not all(isinstance(each, str) and len(each) <= 200 for each in texts):
        raise MessageError("a command's parts should be short texts")
    expires = _moment(told.pop("expires"))
    return Command(expires=expires, arguments=arguments, **told)


def answer_bytes(answer: Answer) -> bytes:
    """Return an answer as JSON."""
    return json.dumps(asdict(answer), ensure_ascii=False).encode()


def read_answer(content: bytes) -> Answer:
    """Return an answer; raises MessageError."""
    told = _object(content, {"command", "verdict", "content"})
    try:
        return Answer(str(told["command"]), Verdict(told["verdict"]), told["content"])
    except ValueError:
        raise MessageError("an unknown verdict") from None


def news_bytes(news: News) -> bytes:
    """Return news as JSON."""
    return json.dumps({"kind": news.kind, "content": news.content}, ensure_ascii=False).encode()


def read_news(content: bytes) -> News:
    """Return news; raises MessageError."""
    told = _object(content, {"kind", "content"})
    try:
        return News(Kind(told["kind"]), told["content"])
    except ValueError:
        raise MessageError("an unknown kind of news") from None


def _object(content: bytes, keys: set[str]) -> dict[str, Any]:
    if len(content) > LARGEST:
        raise MessageError("too long")
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        raise MessageError("no JSON") from None
    if not isinstance(told, dict) or set(told) != keys:
        raise MessageError("not the parts of such a message")
    return told


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MessageError("no time") from None
    if moment.tzinfo is None:
        raise MessageError("a time without its zone")
    return moment


# --- What news hold -------------------------------------------------------------------------------------------------


def snapshot_content(snapshot: Snapshot) -> dict[str, Any]:
    """Return what travels of a snapshot."""
    content: dict[str, Any] = json.loads(snapshot.to_json())
    return content


def read_snapshot(content: Any) -> Snapshot:
    """Return a snapshot of a terminal of this or a neighbouring release; raises MessageError."""
    try:
        told = _known(Snapshot, content)
        health = Health(**{key: str(value) for key, value in _known(Health, told.pop("health", {})).items()})
        methods = tuple(Method(each) for each in told.pop("methods", ()))
        return Snapshot(**told, methods=methods, health=health)
    except (TypeError, ValueError, AttributeError):
        raise MessageError("no snapshot") from None


def view_content(view: CounterView) -> dict[str, Any]:
    """Return what travels of the personal part of a visit."""
    return {**asdict(view), "birth_date": view.birth_date.isoformat()}


def read_view(content: Any) -> CounterView:
    """Return the personal part of a visit; raises MessageError."""
    try:
        told = _known(CounterView, content)
        born = date.fromisoformat(told.pop("birth_date"))
        answers = tuple((str(item), str(answer)) for item, answer in told.pop("answers", ()))
        told["conflicts"] = tuple(map(str, told.get("conflicts", ())))
        subsidies = tuple(SubsidyView(**_known(SubsidyView, one)) for one in told.pop("subsidies", ()))
        return CounterView(**told, birth_date=born, answers=answers, subsidies=subsidies)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise MessageError("nobody") from None


def entry_content(entry: Entry) -> dict[str, str]:
    """Return what travels of one visit's line in the journal."""
    return {**asdict(entry), "begun_at": entry.begun_at.isoformat()}


def read_entry(content: Any) -> Entry:
    """Return one visit's line in the journal; raises MessageError."""
    try:
        told = _known(Entry, content)
        return Entry(begun_at=_moment(told.pop("begun_at")), **told)
    except (TypeError, KeyError, AttributeError):
        raise MessageError("no visit") from None


def _known(made: Any, content: dict[str, Any]) -> dict[str, Any]:
    """Return the parts that this release knows; a newer one may tell more."""
    names = {each.name for each in fields(made)}
    return {key: value for key, value in content.items() if key in names}
