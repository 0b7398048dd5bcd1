"""What the counter's pages say, from what a terminal tells."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import pytest

from config.limits import load_limits
from consent.choices import ConsentAnswer, Item, VisualReason
from hardware.camera import CameraFault
from reception import flow
from reception.counter import board, wording
from reception.counter.app import UNREADABLE
from reception.counter.charts import hours_chart
from reception.counter.day import Day, Spread, lines
from reception.counter.english import Words, english
from reception.counter.eras import in_era
from reception.counter.hub import Desk
from reception.counter.money import NAMES, limit_words
from reception.counter.pages import (
    DeskPage,
    SubsidyLine,
    board_row,
    certificate_warning,
    desk_page,
    ordered,
)
from reception.counter.situation import lamps, situation
from reception.fleet.messages import Verdict, read_view, view_content
from reception.flow.failures import FailureCode
from reception.terminal.journal import COMPLETED, Entry
from reception.terminal.notices import NOTICES
from reception.terminal.snapshot import CounterView, Health, Snapshot, SubsidyView
from reception.testing.gallery import SAMPLES
from reception.texts.failures import FAILURES
from tests.support import ROOT
from tests.support.counter import Terminal

LIMITS = load_limits()
TODAY = date(2026, 4, 1)
JA = Words("ja")
VIEW = CounterView(
    "visit-1",
    "見本 花子",
    "ミホン ハナコ",
    date(1980, 1, 2),
    "06123456",
    "12",
    "345678",
    "01",
    30,
    "A03",
    (("MEDICATION", "given"), ("DIAGNOSIS", "given"), ("LIMIT_AMOUNT", "declined")),
)
CALLING = SAMPLES["19-call-staff"]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def desk_of(terminal: Terminal, snapshot: Snapshot | None = None, *views: CounterView) -> Desk:
    desk = Desk("terminal-1", terminal.link, 1800.0)
    desk.is_heard = True
    desk.snapshot = snapshot or Snapshot(state=flow.State.WAITING, screen="WAITING")
    desk.entries = tuple(
        Entry(view.visit, datetime(2026, 4, 1, 9, at, tzinfo=UTC), "COMPLETE", "face", COMPLETED)
        for at, view in enumerate(views)
    )
    desk.board.replace_all(views, 0.0)
    return desk


def shown(desk: Desk, chosen: str = "", search: str = "", t: Words = JA) -> DeskPage:
    return desk_page(desk, t, LIMITS, TODAY, chosen=chosen, search=search)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_screen_of_the_patient_has_words_for_staff_in_both_languages(
    terminal: Terminal, name: str
) -> None:
    desk = desk_of(terminal, SAMPLES[name])
    assert situation(desk, JA).heading in wording.STATES.values()
    told = situation(desk, Words("en"))
    for words in (told.heading, told.trouble, told.remedy, *told.details):
        assert not re.search("[ぁ-んァ-ヶ一-龯]", words), words


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_that_needs_a_hand_tells_staff_what_to_do_once(
    terminal: Terminal, code: FailureCode
) -> None:
    page = shown(desk_of(terminal, replace(CALLING, failure=code)))
    told = [page.situation.remedy, *(each.remedy for each in page.lamps)]
    if page.situation.tone == "hand":
        assert told.count(FAILURES[code].staff) == 1


def test_staff_are_not_called_to_a_patient_who_cancelled(terminal: Terminal) -> None:
    said = situation(desk_of(terminal, replace(CALLING, failure=FailureCode.CANCELLED)), JA)
    assert said.tone != "hand"
    assert said.heading == wording.STATES["TAKE_CARD"]


def test_only_what_needs_a_hand_is_amber(terminal: Terminal) -> None:
    tones = {name: situation(desk_of(terminal, each), JA).tone for name, each in SAMPLES.items()}
    assert {SAMPLES[name].screen for name, tone in tones.items() if tone == "hand"} <= {
        "CALL_STAFF",
        "OUT_OF_SERVICE",
        "VISUAL_CHECK",
    }


def test_a_person_is_told_as_a_counter_reads_it(terminal: Terminal) -> None:
    person = shown(desk_of(terminal, None, VIEW)).person
    assert person is not None
    assert (person.born, person.era, person.age) == ("1980年1月2日", "昭和55年1月2日", 46)
    assert person.share == "3割"
    assert person.limit.startswith("区分ウ (A03): 月額 ")
    assert [given for _, given, _ in person.consents] == [True, True, False]


def test_a_certificate_that_is_used_is_told_with_its_numbers_and_one_that_is_not_says_nothing_of_a_right(
    terminal: Terminal,
) -> None:
    one = SubsidyView("指定難病", "54136015", "1234566", "2027-09-30", 2500)
    used = replace(VIEW, answers=(("MEDICAL_SUBSIDY", "given"),), subsidies=(one,))
    person = shown(desk_of(terminal, None, used)).person
    assert person is not None
    assert person.consents == (("医療費助成の受給者証", True, "利用する"),)
    assert person.subsidies == (
        SubsidyLine("指定難病", "54136015", "1234566", "2027-09-30", "月額 2,500 円"),
    )
    declined = replace(VIEW, answers=(("MEDICAL_SUBSIDY", "declined"),))
    person = shown(desk_of(terminal, None, declined)).person
    assert person is not None and person.subsidies == ()
    assert person.consents == (("医療費助成の受給者証", False, "今回は利用しない"),)


def test_a_certificate_travels_whole_between_terminal_and_counter_and_shows_nothing_in_its_repr() -> None:
    one = SubsidyView("指定難病", "54136015", "1234566", "2027-09-30", None, "1回500円")
    view = replace(VIEW, subsidies=(one,))
    assert read_view(json.loads(json.dumps(view_content(view)))) == view
    assert "54136015" not in repr(view) and "指定難病" not in repr(view)
    older = view_content(VIEW)
    del older["subsidies"]
    assert read_view(older) == VIEW


def test_a_share_that_nobody_told_and_a_limit_that_was_not_agreed_to_are_no_numbers(
    terminal: Terminal,
) -> None:
    view = replace(VIEW, share=None, limit_category="", status="superseded")
    person = shown(desk_of(terminal, None, view)).person
    assert person is not None
    assert person.share == "-"
    assert "提供の同意がありません" in person.limit
    assert person.problems[0].remedy == "新しい保険者を患者に確認してから会計してください。"


def test_the_present_patient_is_shown_and_another_one_when_chosen(terminal: Terminal) -> None:
    other = replace(VIEW, visit="visit-2", name="別人 太郎")
    desk = desk_of(
        terminal, Snapshot(visit="visit-1", state=flow.State.CONSENT, screen="CONSENT"), VIEW, other
    )
    names = [page.person.view.name for page in (shown(desk), shown(desk, "visit-2"), shown(desk, "gone"))]  # type: ignore[union-attr]
    assert names == ["見本 花子", "別人 太郎", "見本 花子"]
    assert shown(replace_snapshot(desk)).person.view == other  # type: ignore[union-attr]


def replace_snapshot(desk: Desk) -> Desk:
    """Nobody is here: the newest is shown."""
    desk.snapshot = Snapshot(state=flow.State.WAITING, screen="WAITING")
    return desk


@pytest.mark.parametrize("search", ["見本花子", "みほん", "ﾐﾎﾝ", "77777", "09:00", "見本 77777"])
def test_a_visit_is_found_by_what_staff_know_of_it(terminal: Terminal, search: str) -> None:
    other = replace(VIEW, visit="visit-2", name="別人 太郎", name_kana="ベツジン", reference_number="9")
    desk = desk_of(terminal, None, replace(VIEW, reference_number="77777"), other)
    assert [line.visit for line in shown(desk, search=search).lines] == ["visit-1"]


def test_a_name_that_was_forgotten_is_no_longer_shown(terminal: Terminal) -> None:
    desk = desk_of(terminal, None, VIEW)
    assert desk.board.expire(1800.0)
    page = shown(desk)
    assert page.person is not None
    assert page.person.view is None
    assert page.lines[0].name == ""


def test_a_part_that_is_down_is_named_with_its_remedy() -> None:
    for part in (each.name for each in fields(Health)):
        if part in wording.PARTS:
            down = [each for each in lamps(Health(**{part: "down"}), JA) if each.state == "down"]
            assert [each.remedy for each in down] == [wording.REMEDIES[part]]


@pytest.mark.parametrize("fault", get_args(CameraFault))
def test_every_fault_of_a_camera_has_its_own_remedy(fault: str) -> None:
    told = [each.remedy for each in lamps(Health(camera="down", camera_fault=fault), JA) if each.remedy]
    assert told == [wording.CAMERA_FAULTS[fault]]


def test_who_needs_help_first_is_first_and_among_them_who_waits_longest(terminal: Terminal) -> None:
    def row(name: str, snapshot: Snapshot | None, minute: int, *, heard: bool = True) -> Desk:
        desk = desk_of(terminal, snapshot)
        desk.terminal, desk.is_heard = name, heard
        desk.since = datetime(2026, 4, 1, 9, minute, tzinfo=UTC)
        return desk

    desks = [
        row("rests", None, 0),
        row("calls late", CALLING, 9),
        row("busy", SAMPLES["12-consent-medication"], 1),
        row("silent", None, 1, heard=False),
        row("calls", CALLING, 2),
    ]
    rows = [board_row(desk, JA, TODAY, 0.0) for desk in desks]
    assert [each.terminal for each in ordered(rows)] == ["calls", "calls late", "silent", "busy", "rests"]


def test_a_terminal_that_is_not_heard_tells_no_old_state_as_if_it_were_true(terminal: Terminal) -> None:
    desk = desk_of(terminal, SAMPLES["12-consent-medication"])
    desk.is_heard, desk.silent_since = False, datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
    said = situation(desk, JA)
    assert (said.tone, said.since, said.details) == ("silent", desk.silent_since, ())


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("", ""),
        ("2026-03-31", "端末の証明書の期限が切れています"),
        ("2026-04-11", "端末の証明書があと 10 日で切れます"),
        ("2026-05-02", ""),
        ("nonsense", ""),
    ],
)
def test_a_certificate_that_ends_is_told(ends: str, told: str) -> None:
    assert certificate_warning(ends, JA, TODAY) == told


@pytest.mark.parametrize("ahead", [-3600.0, -31.0, 31.0, 86_400.0])
def test_a_clock_that_is_apart_is_told(terminal: Terminal, ahead: float) -> None:
    assert "時計" in board_row(desk_of(terminal), JA, TODAY, ahead).warning


def test_every_state_item_and_answer_has_words() -> None:
    assert set(wording.STATES) == {
        *(state.value for state in flow.State),
        "LAST_TRY",
        "BUNDLE",
        "PRESCRIPTION",
        "HELP",
        "DESK_CLOSED",
        "LEAVE",
        "SUMMARY",
        "MATCHED",
        "ATTRIBUTE_QR",
    }
    assert set(wording.ITEMS) == {item.value for item in Item}
    assert set(wording.ANSWERS) == {answer.value for answer in ConsentAnswer}


def test_every_verdict_reason_and_problem_has_words() -> None:
    assert set(wording.VERDICTS) == set(Verdict)
    assert set(wording.REASONS) == set(get_args(VisualReason))


@pytest.mark.parametrize(
    ("category", "day", "born", "told"),
    [
        ("", date(2026, 4, 1), date(1980, 1, 2), "-"),
        ("A05", date(2026, 4, 1), date(1980, 1, 2), "区分オ (A05): 月額 35,400 円、4回目から 24,600 円"),
        (
            "B09",
            date(2026, 4, 1),
            date(1940, 1, 2),
            "区分一般Ⅱ (B09): 月額 57,600 円、4回目から 44,400 円、外来 18,000 円、外来の年間 144,000 円",
        ),
        # The month of the 75th birthday, which two insurances share.
        ("A05", date(2026, 4, 1), date(1951, 4, 20), "区分オ (A05): 月額 17,700 円、4回目から 12,300 円"),
        (
            "A05",
            date(2026, 8, 1),
            date(1980, 1, 2),
            "区分オ (A05): 月額 36,900 円、4回目から 24,600 円、金額は未確認です",
        ),
        ("A05", date(2018, 7, 31), date(1980, 1, 2), "区分オ (A05) (この月の金額は登録されていません)"),
    ],
)
def test_a_limit_category_is_told_with_the_amounts_of_the_month(
    category: str, day: date, born: date, told: str
) -> None:
    assert limit_words(category, LIMITS, day, born) == told


@pytest.mark.parametrize("category", [*NAMES])
def test_a_limit_category_is_told_in_english_on_the_english_page(category: str) -> None:
    for day in (date(2018, 7, 31), date(2026, 4, 1), date(2026, 8, 1)):
        for born in (date(1980, 1, 2), date(1940, 1, 2)):
            told = limit_words(category, LIMITS, day, born, Words("en"))
            assert told.startswith(f"Category {category} (")
            assert told.isascii(), told


def test_every_figure_has_an_english_name() -> None:
    day = Day("2026-04-01", 3, 1, ((9, 1, 2),), Spread(1, 2), Spread(1, 2), (("face", 1),), (("x", 2),))
    told = lines(day, {"face": "face"}, {"x": "why"}, Words("en"))
    assert all(part.isascii() for line in told for part in line), told
    assert len(told) == 9


def test_conflicts_are_listed_with_who_else_it_may_be(terminal: Terminal) -> None:
    twin = replace(VIEW, visit="visit-2", name="見本 華子", name_kana="みほん はなこ")
    unsure = replace(VIEW, visit="visit-3", name="別人 一郎", name_kana="ベツジン", reference_number="7")
    shared = replace(unsure, visit="visit-4", name="別人 二郎", conflicts=("NUMBER_SHARED",))
    desk = desk_of(terminal, None, VIEW, replace(twin, conflicts=("SAME_KANA_AND_BIRTH",)), unsure, shared)
    found = shown(desk).conflicts
    assert [(one.visit, one.others) for one in found] == [
        ("visit-2", ("09:00 見本 花子 1980-01-02",)),
        ("visit-4", ("09:02 別人 一郎 1980-01-02 7",)),
    ]
    assert [one.problems[0].what for one in found] == [
        "フリガナと生年月日が同じ別の患者がいます",
        "診察券番号が別の患者と同じです",
    ]


def test_every_limit_category_has_a_name() -> None:
    assert {*NAMES} == {category for table in LIMITS.table for category in table.limits}


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (date(2019, 5, 1), "令和元年5月1日"),
        (date(2019, 4, 30), "平成31年4月30日"),
        (date(1989, 1, 8), "平成元年1月8日"),
        (date(1989, 1, 7), "昭和64年1月7日"),
        (date(1926, 12, 25), "昭和元年12月25日"),
        (date(1926, 12, 24), "大正15年12月24日"),
        (date(1912, 7, 29), "明治45年7月29日"),
        (date(1800, 1, 1), ""),
    ],
)
def test_a_day_has_its_era(day: date, told: str) -> None:
    assert in_era(day) == told


@pytest.mark.parametrize("highest", [0, 1, 4, 5, 9, 41, 1000])
def test_bars_stand_on_one_axis_and_inside_the_chart(highest: int) -> None:
    chart = hours_chart([(9, highest, 0), (10, highest // 2, highest - highest // 2)], JA)
    assert chart.ticks[0].n == 0
    assert chart.ticks[-1].n >= highest
    for bar in chart.bars:
        assert bar.others_y >= 0
        assert bar.done_y + bar.done_height == pytest.approx(chart.ticks[0].y)


def texts() -> set[str]:
    """Every text that pages say by ``t``, and every table of words."""
    folder = ROOT / "reception" / "counter"
    found = set[str]()
    for path in [*folder.rglob("*.html"), *folder.glob("*.py")]:
        said = re.findall(r"""\bt\(\s*(?:"([^"]+)"|'([^']+)')""", path.read_text(encoding="utf-8"))
        found |= {double or single for double, single in said}
    for table in (wording.STATES, wording.PARTS, wording.REMEDIES, wording.CAMERA_FAULTS, wording.HEALTH):
        found |= set(table.values())
    for more in (wording.LANGUAGES, wording.IDENTITY, wording.ITEMS, wording.VERDICTS, board.OUTCOMES):
        found |= set(more.values())
    found |= {failure.staff for failure in FAILURES.values()} | set(wording.REASONS.values())
    found |= {failure.what.replace("\n", "") for failure in FAILURES.values()}
    found |= {part for notice in NOTICES.values() for part in (notice.what, notice.remedy)}
    found |= {UNREADABLE, *wording.ATTRIBUTES.values(), *wording.SEXES.values()}
    problems = [*board._STATUS.values(), *board._STANDING.values(), *board._CONFLICTS.values()]
    problems.append(board._UNREADABLE)
    return found | {part for each in problems for part in (each.what, each.remedy)}


def test_everything_is_said_in_english_too() -> None:
    t = Words("en")
    assert sorted(text for text in texts() if re.search("[ぁ-んァ-ヶ一-龯]", t(text))) == []


def test_a_translation_has_the_same_places_for_values_and_is_used() -> None:
    places = re.compile(r"\{\w+\}")
    wrong = [
        text
        for text, said in english().items()
        if sorted(places.findall(text)) != sorted(places.findall(said))
    ]
    assert wrong == []
    path = Path(ROOT / "reception" / "counter" / "english.json")
    assert len(json.loads(path.read_text(encoding="utf-8"))) == len(english())
