"""What counter programs see and do of one terminal, whichever way they are linked to it."""

import base64
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, get_args

from consent.choices import VisualReason
from consent.eligibility import EligibilityError, Refused
from reception import flow
from reception.fleet.audit import Audit
from reception.fleet.messages import (
    PERSONAL,
    Answer,
    Command,
    Kind,
    News,
    Verb,
    Verdict,
    entry_content,
    snapshot_content,
    view_content,
)
from reception.flow import ANSWERABLE, REVOCABLE, StaffText, State
from reception.terminal.back_office import Today
from reception.terminal.journal import JournalError
from reception.terminal.notices import Notice
from reception.terminal.snapshot import CounterView, Snapshot, VisualView
from reception.terminal.tally import tally
from reception.texts.wording import WITHOUT_STAFF

_log = logging.getLogger("reception.fleet")

LONGEST_LIFE = timedelta(minutes=2)
"""A command that would expire later than this is refused: its id could not be remembered for so long."""
CANCELLABLE = (*REVOCABLE, State.LIMIT_CONSENT, State.PHONE_TAP)
LONGEST_WATCH_S = 60.0
MOST_CALLS = 50
JOURNAL_LOOKS, JOURNAL_LOOK_S = 20, 0.05
"""How often, and how long after each other, the journal is looked at for what was just shown."""


class PortTerminal(Protocol):
    """What a port needs of the terminal; callbacks come from other threads, the returned call ends them."""

    @property
    def snapshot(self) -> Snapshot: ...

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]: ...

    def subscribe_counter(self, callback: Callable[[CounterView | None], None]) -> Callable[[], None]: ...

    def subscribe_visual(self, callback: Callable[[VisualView | None], None]) -> Callable[[], None]: ...

    def submit(self, event: flow.Event) -> None: ...


class PortOffice(Protocol):
    """What a port needs of the back office; the last two take a moment."""

    def subscribe(self, callback: Callable[[tuple[Notice, ...]], None]) -> Callable[[], None]: ...

    def dismiss(self, notice: Notice) -> None: ...

    def today(self) -> Today: ...

    def register_reference(self, view: CounterView, number: str) -> None: ...


@dataclass(frozen=True)
class About:
    """What a terminal tells of itself."""

    terminal: str
    version: str = ""
    certificate_ends: str = ""
    """ISO date of the end of its network certificate; empty without one."""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A patient, or the terminal itself, needs staff; it stays until somebody has seen to it."""

    id: str
    at: str
    visit: str
    screen: str
    failure: str


Listener = Callable[[News], None]


class Port:
    """One terminal's port. ``now`` of any steady clock; ``clock`` the wall's. Close it before the terminal ends.

    ``work`` does what takes a moment, one thing of this terminal after the other; by default a thread of its own.
    Whom today's visits were about is remembered here, in memory, each for ``keep_s`` seconds, so that a counter
    program can show it to staff who log in later.
    """

    def __init__(
        self,
        terminal: PortTerminal,
        office: PortOffice | None,
        about: About,
        audit: Audit,
        *,
        keep_s: float,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        work: ThreadPoolExecutor | None = None,
    ) -> None:
        self.about = about
        self._terminal, self._office, self._audit = terminal, office, audit
        self._keep_s, self._now, self._clock = keep_s, now, clock
        self._lock = threading.RLock()
        self._latest: dict[Kind, Any] = {Kind.ABOUT: asdict(about), Kind.CALLS: [], Kind.NOTICES: []}
        self._latest |= {Kind.TALLY: asdict(tally((), {})), Kind.PEOPLE: [], Kind.PHOTO: None}
        self._people: dict[str, tuple[CounterView, float]] = {}
        self._calls: list[Call] = []
        self._wanted: set[str] = set()
        self._counted = ("", "")
        self._notices: tuple[Notice, ...] = ()
        self._seen: dict[str, datetime] = {}
        self._listeners: list[Listener] = []
        self._work = work or ThreadPoolExecutor(1, "port")
        self._own_work = work is None
        self._closed = threading.Event()
        self._unsubscribe = [
            terminal.subscribe_counter(self._show_whom),
            terminal.subscribe_visual(self._show_photo),
            terminal.subscribe(self._show_snapshot),
        ]
        if office is not None:
            self._unsubscribe.append(office.subscribe(self._show_notices))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call back with all news, the present ones at once; returns the way to stop it.

        A listener must not tell PERSONAL news to programs that do not watch.
        """
        with self._lock:
            self._listeners.append(listener)
            self.tell_again(listener)

        def stop() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return stop

    def present(self, kind: Kind) -> News:
        """Return the present state of one kind."""
        with self._lock:
            return News(kind, self._latest.get(kind))

    def tell_again(self, listener: Listener) -> None:
        """Tell a listener all that is present, as when it came; nothing newer comes between."""
        with self._lock:
            for kind, content in self._latest.items():
                listener(News(kind, content))

    def close(self) -> None:
        """End the subscriptions and forget everybody."""
        self._closed.set()
        while self._unsubscribe:
            self._unsubscribe.pop()()
        if self._own_work:
            self._work.shutdown(cancel_futures=True)
        with self._lock:
            self._people.clear()
            self._tell(Kind.PHOTO, None)
            self._tell(Kind.PEOPLE, [])

    # --- News ---------------------------------------------------------------------------------------------------

    def _tell(self, kind: Kind, content: Any) -> None:
        with self._lock:
            self._latest[kind] = content
            for listener in self._listeners:
                listener(News(kind, content))

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._forget_whom_it_is_time_to()
            self._follow_calls(snapshot)
            self._tell(Kind.SNAPSHOT, snapshot_content(snapshot))
            if (snapshot.visit, snapshot.state) != self._counted:
                self._counted = snapshot.visit, str(snapshot.state)
                self._work.submit(self._count, snapshot.visit, str(snapshot.state))

    def _follow_calls(self, snapshot: Snapshot) -> None:
        alone = snapshot.screen == "CALL_STAFF" and snapshot.failure in WITHOUT_STAFF
        wanted = {snapshot.screen} & {"OUT_OF_SERVICE", "CALL_STAFF"} if not alone else set()
        if snapshot.staff_called:
            # The patient may go on meanwhile, or leave.
            wanted.add("CALL_STAFF")
        calls, at = list(self._calls), self._clock().isoformat(timespec="seconds")
        for screen in sorted(wanted - self._wanted):
            number = f"{snapshot.number}-{screen}"
            calls.append(Call(number, at, snapshot.visit, screen, str(snapshot.failure)))
        if "OUT_OF_SERVICE" not in wanted:
            # The terminal works again: nothing is left to see to. A patient's call stays.
            calls = [each for each in calls if each.screen != "OUT_OF_SERVICE"]
        self._wanted = wanted
        if calls != self._calls:
            self._calls = calls[-MOST_CALLS:]
            self._tell(Kind.CALLS, [asdict(each) for each in self._calls])

    def _count(self, visit: str, state: str) -> None:
        """Count the visits once the journal has this state, which it keeps after it was shown."""
        if self._office is None:
            return
        try:
            today = self._office.today()
            for _ in range(JOURNAL_LOOKS):
                if not visit or _is_kept(today, visit, state) or self._closed.wait(JOURNAL_LOOK_S):
                    break
                today = self._office.today()
        except JournalError as error:
            _log.info("%s", error)
            return
        counted = asdict(tally(today.entries, today.steps))
        if counted != self._latest[Kind.TALLY]:
            self._tell(Kind.TALLY, counted)

    def _show_notices(self, notices: tuple[Notice, ...]) -> None:
        self._notices = notices
        told = [
            {"id": _notice_id(each), "code": each.code, "at": each.at.isoformat(), "detail": each.detail[:80]}
            for each in notices
        ]
        self._tell(Kind.NOTICES, told)

    def _show_whom(self, view: CounterView | None) -> None:
        if view is None:
            return
        with self._lock:
            known, since = self._people.get(view.visit, (view, self._now()))
            # A number that was registered meanwhile is not in what the visit knows of the person.
            number = view.reference_number or known.reference_number
            self._people[view.visit] = replace(view, reference_number=number), since
            self._tell_people()

    def _forget_whom_it_is_time_to(self) -> None:
        now = self._now()
        old = [visit for visit, (_, since) in self._people.items() if now - since >= self._keep_s]
        for visit in old:
            del self._people[visit]
        if old:
            self._tell_people()

    def _tell_people(self) -> None:
        self._tell(Kind.PEOPLE, [view_content(view) for view, _ in self._people.values()])

    def _show_photo(self, view: VisualView | None) -> None:
        if view is None:
            self._tell(Kind.PHOTO, None)
            return
        grey = b"" if view.photo is None else view.photo.tobytes()
        height, width = (0, 0) if view.photo is None else view.photo.shape
        content = {"visit": view.visit, "width": width, "height": height}
        self._tell(Kind.PHOTO, {**content, "grey": base64.b64encode(grey).decode()})

    # --- Commands -----------------------------------------------------------------------------------------------

    def act(self, command: Command, told: Callable[[Answer], None]) -> None:
        """Do what a command asks for, once, and say what became of it, perhaps in another thread."""
        verdict = self._first_look(command)
        if verdict is not None:
            self._end(command, told, verdict)
            return
        if command.verb in _SLOW:
            self._work.submit(self._slowly, command, told)
            return
        self._end(command, told, self._done(command))

    def _first_look(self, command: Command) -> Verdict | None:
        """Return why a command must not be done; None: it may."""
        now = self._clock()
        with self._lock:
            self._seen = {each: until for each, until in self._seen.items() if until >= now}
            if command.verb not in TAKES or set(command.arguments) != set(TAKES[Verb(command.verb)]):
                return Verdict.UNKNOWN
            if not now <= command.expires <= now + LONGEST_LIFE:
                return Verdict.EXPIRED
            if command.id in self._seen:
                return Verdict.REPLAYED
            self._seen[command.id] = command.expires
        return None

    def refused(self, who: str, verdict: Verdict) -> None:
        """Keep in the audit that something was refused before it came here."""
        self._audit.note(who, "command", self.about.terminal, verdict)

    def _end(
        self, command: Command, told: Callable[[Answer], None], verdict: Verdict, content: Any = None
    ) -> None:
        if command.verb not in BY_ITSELF or verdict is not Verdict.DONE:
            self._audit.note(command.operator, command.verb, self.about.terminal, verdict)
        told(Answer(command.id, verdict, content))

    def _slowly(self, command: Command, told: Callable[[Answer], None]) -> None:
        if self._office is None:
            self._end(command, told, Verdict.UNREACHABLE)
            return
        try:
            if command.verb == Verb.TODAY:
                self._end(command, told, Verdict.DONE, _today_content(self._office.today()))
            else:
                self._end(command, told, self._register(self._office, command.arguments))
        except JournalError as error:
            _log.info("%s", error)
            self._end(command, told, Verdict.UNREACHABLE)
        except Exception:
            _log.exception("a command failed")
            self._end(command, told, Verdict.UNREACHABLE)

    def _register(self, office: PortOffice, arguments: Mapping[str, str]) -> Verdict:
        with self._lock:
            known = self._people.get(arguments["visit"])
        if known is None:
            return Verdict.LATE
        view, number = known[0], arguments["number"]
        try:
            office.register_reference(view, number)
        except ValueError:
            return Verdict.UNKNOWN
        except Refused:
            return Verdict.REFUSED
        except EligibilityError as error:
            _log.info("server: %s", error)
            return Verdict.UNREACHABLE
        with self._lock:
            if arguments["visit"] in self._people:
                view, since = self._people[arguments["visit"]]
                self._people[arguments["visit"]] = replace(view, reference_number=number), since
                self._tell_people()
        return Verdict.DONE

    def _done(self, command: Command) -> Verdict:
        arguments, snapshot = command.arguments, self._terminal.snapshot
        match Verb(command.verb):
            case Verb.TAKE_CALL:
                return self._take_call(arguments["call"])
            case Verb.DISMISS:
                return self._dismiss(arguments["notice"])
            case Verb.WATCH:
                return Verdict.DONE
            case verb:
                event = _event(verb, command.operator, arguments, snapshot)
        if isinstance(event, Verdict):
            return event
        self._terminal.submit(event)
        return Verdict.DONE

    def _take_call(self, call: str) -> Verdict:
        with self._lock:
            taken = [each for each in self._calls if each.id == call]
            if not taken:
                return Verdict.LATE
            self._calls = [each for each in self._calls if each.id != call]
            self._tell(Kind.CALLS, [asdict(each) for each in self._calls])
        if taken[0].screen == "CALL_STAFF":
            self._terminal.submit(flow.TakeOnCall())
        return Verdict.DONE

    def _dismiss(self, notice: str) -> Verdict:
        for each in self._notices:
            if _notice_id(each) == notice and self._office is not None:
                self._office.dismiss(each)
                return Verdict.DONE
        return Verdict.LATE


TAKES: dict[Verb, tuple[str, ...]] = {
    Verb.WATCH: ("seconds",),
    Verb.TODAY: (),
    Verb.SHOW_TEXT: ("visit", "text"),
    Verb.MORE_TIME: ("visit",),
    Verb.CANCEL: ("visit",),
    Verb.CLOSE_DESK: (),
    Verb.OPEN_DESK: (),
    Verb.TAKE_CALL: ("call",),
    Verb.DISMISS: ("notice",),
    Verb.MATCH_CODE: ("code",),
    Verb.REGISTER_CHART: ("visit", "number"),
    Verb.START_VISUAL: ("visit",),
    Verb.CONFIRM_VISUAL: ("visit", "reason"),
    Verb.REFUSE_VISUAL: ("visit",),
}
"""The arguments of each command; others are refused."""
_SLOW = (Verb.TODAY, Verb.REGISTER_CHART)
BY_ITSELF = (Verb.WATCH, Verb.TODAY)
"""What a counter program asks for by itself; in the audit only when it was refused."""


def _event(
    verb: Verb, operator: str, arguments: Mapping[str, str], snapshot: Snapshot
) -> flow.Event | Verdict:
    """Return what a command means to the visit, or why it means nothing now."""
    if "visit" in arguments and arguments["visit"] != snapshot.visit:
        return Verdict.LATE
    state = State(snapshot.state)
    match verb:
        case Verb.SHOW_TEXT:
            known = arguments["text"] in set(StaffText)
            return flow.ShowStaffText(StaffText(arguments["text"])) if known else Verdict.UNKNOWN
        case Verb.MORE_TIME:
            return flow.MoreTime() if state in ANSWERABLE else Verdict.LATE
        case Verb.CANCEL:
            return flow.Cancel() if state in CANCELLABLE else Verdict.LATE
        case Verb.CLOSE_DESK:
            return flow.CloseDesk()
        case Verb.OPEN_DESK:
            return flow.OpenDesk()
        case Verb.MATCH_CODE:
            code = arguments["code"]
            fits = len(code) == 14 and code.isascii() and code.isdigit()
            return flow.MatchCodeTyped(code) if fits else Verdict.UNKNOWN
        case Verb.START_VISUAL:
            starts = flow.StaffStartVisual(operator, snapshot.visit)
            return starts if snapshot.visual_possible else Verdict.LATE
        case Verb.CONFIRM_VISUAL | Verb.REFUSE_VISUAL if state is not State.VISUAL_CHECK:
            return Verdict.LATE
        case Verb.CONFIRM_VISUAL:
            reason = arguments["reason"]
            known = reason in get_args(VisualReason)
            return flow.StaffConfirmVisual(reason) if known else Verdict.UNKNOWN  # type: ignore[arg-type]
        case Verb.REFUSE_VISUAL:
            return flow.StaffRefuseVisual()
        case _:
            return Verdict.UNKNOWN


def _today_content(today: Today) -> list[dict[str, str]]:
    return [entry_content(entry) for entry in today.entries]


def _is_kept(today: Today, visit: str, state: str) -> bool:
    return any(each.visit == visit and (bool(each.outcome) or each.state == state) for each in today.entries)


def _notice_id(notice: Notice) -> str:
    return f"{notice.at.isoformat()} {notice.code} {notice.visit}"


class Watch:
    """Whether a program may be told personal news now; ``now`` of any steady clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._until = now, float("-inf")

    def ask(self, seconds: str) -> bool:
        """Begin, prolong or end it, as the command says; False: no such number."""
        try:
            asked = float(seconds)
        except ValueError:
            return False
        self._until = self._now() + min(asked, LONGEST_WATCH_S) if asked > 0 else float("-inf")
        return True

    @property
    def is_on(self) -> bool:
        """Whether it holds."""
        return self._now() < self._until

    def lets(self, kind: Kind) -> bool:
        """Whether news of this kind may be told."""
        return kind not in PERSONAL or self.is_on
