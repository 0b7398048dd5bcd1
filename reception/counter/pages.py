"""What the pages show, from what the hub knows; pure, so that templates only lay it out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from config.limits import Limits
from consent.choices import ConsentAnswer, Item, age_on
from consent.wire import JAPAN
from reception.counter import wording
from reception.counter.board import Problem, Row, began, conflict_problems, outcome_words, problems
from reception.counter.english import Words
from reception.counter.eras import in_era
from reception.counter.hub import Desk
from reception.counter.money import limit_words
from reception.counter.situation import CANCEL_STATES, Lamp, Situation, failure_of, flat, lamps, situation
from reception.flow import ANSWERABLE
from reception.terminal.journal import COMPLETED
from reception.terminal.notices import NOTICES, NoticeCode
from reception.terminal.snapshot import CounterView, SubsidyView
from reception.texts.wording import STAFF_TEXTS


@dataclass(frozen=True)
class Line:
    """One visit in today's list."""

    visit: str
    time: str
    status: str
    tone: str
    name: str = field(repr=False)
    kana: str = field(repr=False)
    chart: str = field(repr=False)
    problem: str
    is_chosen: bool


@dataclass(frozen=True)
class SubsidyLine:
    """One certificate of a medical subsidy that is used on this visit."""

    scheme: str = field(repr=False)
    payer_number: str = field(repr=False)
    beneficiary_number: str = field(repr=False)
    until: str
    self_pay: str


@dataclass(frozen=True)
class Person:
    """Whom the chosen or present visit is about; ``view`` None: nobody that can be shown."""

    visit: str
    time: str
    status: str
    is_present: bool
    view: CounterView | None = field(default=None, repr=False)
    born: str = field(default="", repr=False)
    era: str = field(default="", repr=False)
    age: int = 0
    share: str = ""
    limit: str = ""
    consents: tuple[tuple[str, bool, str], ...] = ()
    """What was asked, whether it was given, and the answer in words."""
    subsidies: tuple[SubsidyLine, ...] = ()
    problems: tuple[Problem, ...] = ()
    identity: str = ""


@dataclass(frozen=True)
class ConflictLine:
    """One patient of today whose chart staff must look for with care."""

    visit: str
    time: str
    name: str = field(repr=False)
    kana: str = field(repr=False)
    born: str = field(repr=False)
    chart: str = field(repr=False)
    problems: tuple[Problem, ...]
    others: tuple[str, ...] = field(repr=False)
    """Who else of today has that number, or that name and birth date."""


@dataclass(frozen=True)
class CallLine:
    """One call for staff."""

    id: str
    time: str
    what: str
    remedy: str
    terminal: str


@dataclass(frozen=True)
class NoticeLine:
    """One notice that staff have not put away."""

    id: str
    time: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Help:
    """What can be done for the patient now."""

    visit: str
    texts: tuple[tuple[str, str], ...]
    shows_text: bool
    can_have_time: bool
    can_be_cancelled: bool
    desk_open: bool
    can_start_visual: bool
    is_comparing: bool
    has_photo: bool
    wants_code: bool
    code_tries_left: int | None


@dataclass(frozen=True)
class DeskPage:
    """Everything on one terminal's page."""

    terminal: str
    is_heard: bool
    simulated: bool
    situation: Situation
    lamps: tuple[Lamp, ...]
    lines: tuple[Line, ...]
    search: str = field(repr=False)
    person: Person | None
    calls: tuple[CallLine, ...]
    notices: tuple[NoticeLine, ...]
    help: Help
    conflicts: tuple[ConflictLine, ...]


def desk_page(
    desk: Desk, t: Words, limits: Limits, today: date, *, chosen: str = "", search: str = ""
) -> DeskPage:
    """Return one terminal's page; without ``chosen``, of the present visit, or else the newest."""
    rows = desk.board.rows(desk.entries, search)
    present = desk.snapshot.visit
    entries = {entry.visit: entry for entry in desk.entries}
    newest = rows[0].entry.visit if rows else ""
    shown = (
        chosen if chosen in entries else present if present in entries or desk.board.whom(present) else newest
    )
    said = situation(desk, t)
    parts = tuple(
        replace(each, remedy="" if each.remedy == said.remedy else each.remedy)
        for each in lamps(desk.snapshot.health, t)
    )
    return DeskPage(
        desk.terminal,
        desk.is_heard,
        desk.snapshot.simulated,
        said,
        parts,
        tuple(_line(row, t, shown) for row in rows),
        search,
        _person(desk, shown, t, limits, today),
        call_lines(desk, t),
        _notices(desk, t),
        _help(desk, t),
        _conflicts(desk, t),
    )


def _conflicts(desk: Desk, t: Words) -> tuple[ConflictLine, ...]:
    times = {entry.visit: began(entry) for entry in desk.entries}
    return tuple(
        ConflictLine(
            view.visit,
            times.get(view.visit, ""),
            view.name,
            view.name_kana,
            view.birth_date.isoformat(),
            view.reference_number,
            tuple(Problem(t(each.what), t(each.remedy)) for each in conflict_problems(view)),
            tuple(_whom(other, times.get(other.visit, "")) for other in desk.board.alike(view)),
        )
        for view in desk.board.conflicts()
    )


def _whom(view: CounterView, time: str) -> str:
    parts = time, view.name, view.birth_date.isoformat(), view.reference_number
    return " ".join(filter(None, parts))


def _line(row: Row, t: Words, shown: str) -> Line:
    entry, view = row.entry, row.view
    found = problems(view) if view is not None else ()
    hand = bool(found) or entry.outcome in ("not-recorded", "recorded-unseen", "interrupted")
    done = entry.outcome == COMPLETED
    return Line(
        entry.visit,
        began(entry),
        t(outcome_words(entry.outcome)),
        "hand" if hand else "done" if done else "busy" if not entry.outcome else "rest",
        view.name if view else "",
        view.name_kana if view else "",
        view.reference_number if view else "",
        t(found[0].what) if found else "",
        entry.visit == shown,
    )


def _person(desk: Desk, visit: str, t: Words, limits: Limits, today: date) -> Person | None:
    if not visit:
        return None
    entry = next((each for each in desk.entries if each.visit == visit), None)
    view = desk.board.whom(visit)
    if entry is None and view is None:
        return None
    person = Person(
        visit,
        began(entry) if entry else "",
        t(outcome_words(entry.outcome if entry else "")),
        visit == desk.snapshot.visit,
        identity=t(wording.IDENTITY.get(entry.identity, "-")) if entry else "",
    )
    if view is None:
        return person
    born = view.birth_date
    unsaid = t("- (提供の同意がありません)") if view.answers else "-"
    return replace(
        person,
        view=view,
        born=t("{y}年{m}月{d}日", y=born.year, m=born.month, d=born.day),
        era=in_era(born),
        age=age_on(born, today),
        share=_share(view.share, t),
        limit=limit_words(view.limit_category, limits, today, born, t) if view.limit_category else unsaid,
        consents=tuple(_consent(item, answer, t) for item, answer in view.answers),
        subsidies=tuple(_subsidy(one, t) for one in view.subsidies),
        problems=tuple(Problem(t(each.what), t(each.remedy)) for each in problems(view)),
    )


def _consent(item: str, answer: str, t: Words) -> tuple[str, bool, str]:
    words = wording.USES if item == Item.MEDICAL_SUBSIDY else wording.ANSWERS
    return t(wording.ITEMS.get(item, item)), answer == ConsentAnswer.GIVEN, t(words.get(answer, answer))


def _subsidy(one: SubsidyView, t: Words) -> SubsidyLine:
    month = "" if one.self_pay_yen is None else t("月額 {yen} 円", yen=f"{one.self_pay_yen:,}")
    self_pay = " / ".join(filter(None, (month, one.self_pay)))
    return SubsidyLine(one.scheme, one.payer_number, one.beneficiary_number, one.valid_until, self_pay or "-")


def _share(percent: int | None, t: Words) -> str:
    """Say a share as the counter does: 3割 of 30 %."""
    if percent is None:
        return "-"
    return t("{n}割", n=percent // 10) if percent % 10 == 0 else f"{percent} %"


def call_lines(desk: Desk, t: Words) -> tuple[CallLine, ...]:
    """Return the calls of one terminal, the oldest first."""
    lines = []
    for call in desk.calls:
        failure = failure_words(call["failure"])
        what = t(flat(failure[0])) if failure else t(wording.STATES.get(call["screen"], call["screen"]))
        remedy = t(failure[1]) if failure else t("患者のところへ行ってください。")
        lines.append(CallLine(call["id"], _clock_time(call["at"]), what, remedy, desk.terminal))
    return tuple(lines)


def failure_words(code: str) -> tuple[str, str] | None:
    """Return what happened, and what staff can do about it."""
    failure = failure_of(code)
    return (failure.what, failure.staff) if failure else None


def _notices(desk: Desk, t: Words) -> tuple[NoticeLine, ...]:
    lines = []
    for notice in desk.notices:
        try:
            words = NOTICES[NoticeCode(notice["code"])]
        except ValueError:
            continue
        remedy = " ".join(filter(None, (t(words.remedy), notice["detail"])))
        lines.append(NoticeLine(notice["id"], _clock_time(notice["at"]), t(words.what), remedy))
    return tuple(lines)


def _clock_time(iso: str) -> str:
    try:
        return f"{datetime.fromisoformat(iso).astimezone(JAPAN):%H:%M}"
    except ValueError:
        return ""


def _help(desk: Desk, t: Words) -> Help:
    snapshot = desk.snapshot
    state = str(snapshot.state)
    ahead = not snapshot.simulated and state in ("WAITING", "READING")
    return Help(
        snapshot.visit,
        tuple((text.value, t(words)) for text, words in STAFF_TEXTS.items()),
        bool(snapshot.staff_message),
        state in ANSWERABLE,
        state in CANCEL_STATES,
        snapshot.desk_open,
        snapshot.visual_possible,
        state == "VISUAL_CHECK",
        desk.photo is not None and bool(desk.photo.png),
        snapshot.match_code_wanted or ahead,
        snapshot.match_code_tries_left,
    )


@dataclass(frozen=True)
class BoardRow:
    """One terminal at a glance."""

    terminal: str
    situation: Situation
    calls: tuple[CallLine, ...]
    down: tuple[str, ...]
    visits: int
    completed: int
    warning: str
    sort: tuple[int, float, str] = (9, 0.0, "")


def board_row(desk: Desk, t: Words, today: date, offset_s: float) -> BoardRow:
    """Return one terminal's row; who needs help first comes first, and among those who waits longest."""
    said = situation(desk, t)
    calls = call_lines(desk, t)
    down = tuple(each.name for each in lamps(desk.snapshot.health, t) if each.state == "down")
    urgency = 0 if calls else said.urgency if said.tone in ("hand", "silent") or not down else 1
    since = said.since.timestamp() if said.since else 0.0
    warning = certificate_warning(str(desk.about.get("certificate_ends", "")), t, today)
    if abs(offset_s) > CLOCK_TOLERANCE_S:
        warning = t("時計が {n} 秒ずれています", n=round(offset_s)) + (f" / {warning}" if warning else "")
    counted = desk.tally if desk.tally.day == today.isoformat() else None
    return BoardRow(
        desk.terminal,
        said,
        calls,
        down,
        counted.visits if counted else 0,
        counted.completed if counted else 0,
        warning,
        (urgency, since, desk.terminal),
    )


CLOCK_TOLERANCE_S = 30.0
CERTIFICATE_WARNING_DAYS = 30


def certificate_warning(ends: str, t: Words, today: date) -> str:
    """Say that a terminal's certificate has ended, or ends soon; empty: neither."""
    try:
        left = (date.fromisoformat(ends) - today).days
    except ValueError:
        return ""
    if left < 0:
        return t("端末の証明書の期限が切れています")
    return t("端末の証明書があと {n} 日で切れます", n=left) if left <= CERTIFICATE_WARNING_DAYS else ""


def ordered(rows: Sequence[BoardRow]) -> tuple[BoardRow, ...]:
    """Return the rows, who needs help first, first."""
    return tuple(sorted(rows, key=lambda row: row.sort))
