"""The counter's page in a real browser, as clerks use it."""

import csv
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from reception.counter.program import CounterProgram
from reception.flow import StaffText, State
from reception.terminal.snapshot import SubsidyView
from reception.testing.fleet.actors import breaks, is_mended, view_of
from reception.testing.testbench import STAFF, STAFF_PASSWORD
from tests.support import ROOT
from tests.support.changes import MATCH, NEW_ADDRESS, OLD_ADDRESS, Clinic
from tests.support.counter import PERSON, Browser, Terminal, needs_browser, page_of, soon

pytestmark = [needs_browser, pytest.mark.timeout(180)]

CLERK = "desk-2"
AXE = (ROOT / "tests" / "data" / "axe.min.js").read_text(encoding="utf-8")
WIDTHS = (360, 390, 1024, 1920)
SMALL = """return [...document.querySelectorAll('a, button, summary, input, select, label.choice')]
  .filter(e => e.type !== 'hidden' && e.type !== 'radio' && !e.closest('.skip') && e.checkVisibility())
  .map(e => [e, e.getBoundingClientRect()])
  .filter(([, r]) => r.width && (r.height < 44 || r.width < 44))
  .map(([e, r]) => `${e.outerHTML.slice(0, 80)} ${r.width}x${r.height}`)"""
"""What is too small for a finger (CSS pixels)."""


class Counter:
    def __init__(self, terminal: Terminal, program: CounterProgram, state: Path) -> None:
        self.terminal, self.program, self.state = terminal, program, state


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    terminal = Terminal()
    with page_of([terminal], tmp_path, CLERK) as program:
        yield Counter(terminal, program, tmp_path)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    browser = Browser("")
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser, counter: Counter) -> Iterator[Browser]:
    chromium.begins(counter.program.url)
    yield chromium
    assert chromium.complaints() == []


@pytest.fixture
def clerk(browser: Browser) -> Browser:
    """Somebody who is logged in and looks at the terminal."""
    browser.logs_in()
    browser.sees("カードを待っています", "#status")
    return browser


def keep(browser: Browser, name: str) -> None:
    """Nothing lies beside the page, at no width, and a finger hits everything on a phone.

    Keep a picture of each width, light and dark, where RECEPTION_PICTURES says.
    """
    folder, driver = os.environ.get("RECEPTION_PICTURES", ""), browser.driver
    for width in WIDTHS:
        sized(browser, width)
        inside = driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert (driver.execute_script("return innerWidth"), inside) == (width, 0), (name, width)
        if width < 400:
            assert driver.execute_script(SMALL) == [], (name, width)
        for theme in ("light", "dark") if folder else ():
            media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            driver.save_screenshot(str(Path(folder) / f"counter-{name}-{width}-{theme}.png"))
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def sized(browser: Browser, width: int) -> None:
    """Show the page so wide: a window of a desktop never gets as narrow as a phone."""
    height = 780 if width < 400 else 900
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def faults(browser: Browser) -> list[str]:
    """What axe-core finds that is serious or critical."""
    browser.driver.execute_script(AXE)
    found = browser.driver.execute_async_script(
        "const done = arguments[0];"
        "axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations));"
    )
    return [
        f"{each['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def test_a_visit_is_followed_while_it_goes_on(clerk: Browser, counter: Counter) -> None:
    terminal = counter.terminal
    terminal.comes()
    clerk.sees("患者が本人確認の方法を選んでいます", "#status")
    clerk.sees("受付中", "#list")
    assert PERSON.name not in clerk.text("body")
    terminal.is_identified()
    clerk.sees(PERSON.name, "#person")
    clerk.sees("3割", "#person")
    clerk.sees("昭和55年6月17日", "#person")
    clerk.sees("質問 1/2", "#status")
    terminal.answers()
    clerk.sees("○", "#person")
    clerk.sees("✓ 受付完了", "#list")
    clerk.sees(PERSON.name_kana, "#list")
    assert faults(clerk) == []
    keep(clerk, "visit")


def test_a_certificate_of_a_subsidy_that_is_used_stands_there_with_its_numbers(
    clerk: Browser, counter: Counter
) -> None:
    counter.terminal.comes()
    counter.terminal.is_identified()
    counter.terminal.answers(SubsidyView("指定難病", "54136015", "2345676", "2026-09-30", 2500))
    clerk.sees("医療費助成の受給者証 利用する", "#person")
    for told in ("指定難病", "54136015", "2345676", "2026-09-30", "月額 2,500 円"):
        clerk.sees(told, "#person")
    assert faults(clerk) == []


def test_a_call_stays_until_somebody_says_that_it_was_seen_to(clerk: Browser, counter: Counter) -> None:
    counter.terminal.comes()
    counter.terminal.calls()
    clerk.sees("係の人を呼んでいます", "#calls")
    assert clerk.driver.title.startswith("!")
    assert clerk.one("#calls").get_attribute("aria-live") == "assertive"
    remedy = "患者が呼んでいます。端末までおいでください。"
    assert clerk.text("body").count(remedy) == 1
    counter.terminal.comes()
    clerk.sees("患者が本人確認の方法を選んでいます", "#status")
    clerk.sees("係の人を呼んでいます", "#calls")
    keep(clerk, "call")
    clerk.presses("#calls button")
    clerk.sees("行いました", "#said")
    clerk.waits(lambda: not clerk.text("#calls").strip())
    assert counter.terminal.audit.newest()[0].act == "take-call"


def test_a_part_that_is_down_has_one_remedy_and_its_call_goes_with_it(
    clerk: Browser, counter: Counter
) -> None:
    breaks(counter.terminal.actor)
    clerk.sees("端末は利用できません", "#status")
    clerk.sees("カードリーダー: 使えません", "#lamps")
    clerk.presses("#lamps summary")
    keep(clerk, "broken")
    is_mended(counter.terminal.actor)
    clerk.sees("機器はすべて正常", "#lamps")
    assert clerk.one("#lamps details").get_attribute("open") is not None, "it was opened by a clerk"
    clerk.waits(lambda: not clerk.text("#calls").strip())


def test_the_photo_is_compared_after_the_password_and_then_gone(tmp_path: Path, chromium: Browser) -> None:
    import numpy as np

    from reception.terminal.snapshot import VisualView

    terminal = Terminal()
    with page_of([terminal], tmp_path) as program:
        chromium.begins(program.url)
        chromium.logs_in()
        visit = terminal.comes()
        chromium.types("#visual_password", "wrong-password")
        chromium.presses("#check button")
        chromium.sees("IDかパスワードが違います", "#said")
        assert terminal.state is State.METHOD_CHOICE
        chromium.types("#visual_password", STAFF_PASSWORD)
        chromium.presses("#check button")
        chromium.sees("係の目視確認を待っています", "#status")
        terminal.actor._visuals.tell(VisualView(visit, np.full((80, 60), 128, np.uint8)))
        photo = chromium.one("img.photo")
        chromium.waits(lambda: photo.get_property("naturalWidth") == 60)
        assert faults(chromium) == []
        keep(chromium, "compare")
        chromium.presses("input[value=pin-forgotten]")
        chromium.presses("form[action$=confirm-visual] button")
        chromium.waits(lambda: terminal.state is State.CHECKING)
        terminal.actor._visuals.tell(None)
        chromium.waits(lambda: not chromium.driver.find_elements(By.CSS_SELECTOR, "img.photo"))
        chromium.goes(f"t/terminal-1/photo?visit={visit}")
        chromium.sees("ページがありません")
        assert [act.operator for act in terminal.audit.newest() if act.act == "start-visual"] == [STAFF]
        chromium.complaints()


def test_a_chart_number_is_registered_and_a_second_person_with_it_is_asked_about(
    clerk: Browser, counter: Counter
) -> None:
    from config.person import load_person

    terminal = counter.terminal
    terminal.comes()
    terminal.is_identified()
    clerk.sees(PERSON.name, "#person")
    clerk.types("#chart", "A-100\n")
    clerk.sees("診察券番号 A-100 を登録しました。", "#said")
    clerk.sees("A-100", ".headline")
    terminal.answers()
    other = load_person("age75")
    terminal.comes(other)
    terminal.is_identified()
    clerk.sees(other.name, "#person")
    clerk.types("#chart", "A-100\n")
    clerk.sees(PERSON.name, "#said")
    assert "A-100" not in clerk.text(".headline")
    clerk.one("#chart").send_keys("\n")
    clerk.sees("登録しました", "#said")
    clerk.sees("A-100", ".headline")


def test_a_conflict_of_charts_is_listed_and_leads_to_the_patient(clerk: Browser, counter: Counter) -> None:
    from config.person import load_person

    terminal, other = counter.terminal, load_person("age75")
    terminal.comes()
    terminal.is_identified()
    view = view_of(PERSON, terminal.actor.visit)
    terminal.actor.knows(replace(view, conflicts=("SAME_KANA_AND_BIRTH",)))
    terminal.answers()
    terminal.actor.knows(replace(view, conflicts=("SAME_KANA_AND_BIRTH",)))
    terminal.comes(other)
    terminal.is_identified()
    clerk.sees(other.name, "#person")
    clerk.sees("フリガナと生年月日が同じ別の患者がいます", "#conflicts")
    assert faults(clerk) == []
    keep(clerk, "conflict")
    clerk.one("#conflicts a").send_keys(Keys.ENTER)
    clerk.sees(PERSON.name, "#person")
    clerk.presses("form[action='/language'] button")
    clerk.sees("Another patient has the same kana and birth date", "#conflicts")


def test_a_changed_address_is_accepted_by_the_keyboard_and_is_in_the_audit(
    tmp_path: Path, chromium: Browser
) -> None:
    clinic = Clinic(tmp_path / "receipt")
    with page_of([Terminal()], tmp_path, worklist=clinic.changes) as program:
        chromium.begins(program.url)
        chromium.logs_in()
        chromium.presses("a[href='/changes']")
        chromium.sees(OLD_ADDRESS)
        chromium.sees(NEW_ADDRESS)
        assert faults(chromium) == []
        keep(chromium, "changes")
        chromium.driver.execute_script("document.querySelector('.changes summary').focus()")
        ActionChains(chromium.driver).send_keys(Keys.ENTER, Keys.TAB, Keys.ENTER).perform()
        chromium.sees("受け入れました", "#said")
        chromium.sees("確認する変更はありません")
        assert len(clinic.notes()) == 1
        chromium.goes("audit")
        chromium.sees(f"{STAFF}\taccept-change\t{MATCH}\tdone", "table")
        assert chromium.complaints() == []


def test_a_typed_word_and_the_focus_stay_while_news_come(clerk: Browser, counter: Counter) -> None:
    terminal = counter.terminal
    terminal.comes()
    terminal.is_identified()
    clerk.sees(PERSON.name, "#person")
    field = clerk.one("#chart")
    field.send_keys("B-2")
    terminal.answers()
    clerk.sees("✓ 受付完了", "#list")
    assert clerk.driver.switch_to.active_element == field
    assert field.get_property("value") == "B-2"


def test_help_from_afar_reaches_the_terminal(clerk: Browser, counter: Counter) -> None:
    terminal = counter.terminal
    terminal.comes()
    clerk.sees("本人確認の方法", "#status")
    clerk.presses("#help form[data-key=text] button")
    clerk.sees("患者の画面に言葉を表示中", "#status")
    assert terminal.actor.snapshot.staff_message == StaffText.COMING
    clerk.presses("#help form[data-key=hide] button")
    clerk.sees_not("患者の画面に言葉を表示中", "#status")
    clerk.presses("#help form[data-key=time] button")
    clerk.sees("行いました", "#said")
    clerk.presses("#help summary")
    clerk.presses("#help details button")
    clerk.waits(lambda: terminal.state is State.CALL_STAFF, "it is not cancelled")
    # What may be done has changed, and with it the places of the buttons.
    clerk.sees_not("受付を取り消す", "#help")
    clerk.presses("#help form[data-key=desk] button")
    clerk.sees("受付を再開する", "#help")
    clerk.presses("#help form[data-key=desk] button")
    clerk.sees("受付を休止する", "#help")
    acts = [act.act for act in terminal.audit.newest()]
    assert acts == ["open-desk", "close-desk", "cancel", "more-time", "show-text", "show-text"]


def test_today_is_searched_without_a_word_of_it_in_an_address(clerk: Browser, counter: Counter) -> None:
    from config.person import load_person

    terminal, other = counter.terminal, load_person("age75")
    for person in (PERSON, other):
        terminal.comes(person)
        terminal.is_identified()
        terminal.answers()
    clerk.sees("2 件", "#list")
    clerk.types("#search", "やまだ")
    clerk.sees("1 件", "#list")
    clerk.sees(PERSON.name, "#list")
    assert clerk.driver.current_url == f"{clerk.url}t/terminal-1"
    clerk.one("#search").send_keys(Keys.BACKSPACE * 3)
    clerk.sees("2 件", "#list")


def test_the_back_button_goes_from_visit_to_visit_and_a_reload_loses_nothing(
    clerk: Browser, counter: Counter
) -> None:
    from config.person import load_person

    terminal, other = counter.terminal, load_person("age75")
    for person in (PERSON, other):
        terminal.comes(person)
        terminal.is_identified()
        terminal.answers()
    clerk.sees(other.name, "#person")
    clerk.presses("#list li:last-child a")
    clerk.sees(PERSON.name, "#person")
    clerk.driver.back()
    clerk.sees(other.name, "#person")
    terminal.comes()
    terminal.is_identified()
    clerk.driver.refresh()
    clerk.sees("質問 1/2", "#status")
    clerk.sees(PERSON.name, "#person")


def test_everything_is_reached_by_the_keyboard_alone(clerk: Browser, counter: Counter) -> None:
    terminal = counter.terminal
    for _ in range(2):
        terminal.comes()
        terminal.is_identified()
        terminal.answers()
    clerk.sees("2 件", "#list")

    def keys(*pressed: str) -> None:
        ActionChains(clerk.driver).send_keys(*pressed).perform()

    reached: list[str] = []
    for _ in range(30):
        keys(Keys.TAB)
        reached.append(
            clerk.driver.execute_script(
                "const e = document.activeElement; return e.id || e.innerText || e.name || e.tagName"
            )
        )
    joined = "\n".join(reached)
    for part in ("本文へ", "今日のまとめ", "ロック", "search", "さがす", "chart", "受付を休止する", "機器は"):
        assert part in joined, (part, reached)
    clerk.driver.execute_script("document.querySelector('#list a').focus()")
    keys(Keys.ARROW_DOWN)
    keys(Keys.ENTER)
    clerk.waits(lambda: "terminal-1-visit-1" in clerk.driver.current_url)
    ActionChains(clerk.driver).key_down(Keys.ALT).send_keys("n").key_up(Keys.ALT).perform()
    clerk.waits(lambda: clerk.driver.switch_to.active_element.get_attribute("id") == "chart")
    keys("C-3", Keys.ENTER)
    clerk.sees("診察券番号 C-3 を登録しました。", "#said")


def test_figures_are_shown_and_kept_as_csv(clerk: Browser, counter: Counter, tmp_path: Path) -> None:
    terminal = counter.terminal
    terminal.comes()
    terminal.is_identified()
    terminal.answers()
    clerk.sees("✓ 受付完了", "#list")
    soon(lambda: counter.program.hub.desk("terminal-1").tally.completed == 1, "not counted")  # type: ignore[union-attr]
    clerk.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    clerk.goes("t/terminal-1/figures")
    clerk.sees("100 %", ".three")
    assert faults(clerk) == []
    keep(clerk, "figures")
    clerk.presses("a.button")
    clerk.waits(lambda: list(tmp_path.glob("figures-*.csv")), "nothing was kept")
    (kept,) = tmp_path.glob("figures-*.csv")
    rows = list(csv.reader(kept.read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["項目", "内訳", "値"]
    assert ["受付", "完了", "1"] in rows
    assert PERSON.name not in kept.read_text(encoding="utf-8-sig")


def test_after_logging_out_nothing_personal_is_left_in_the_browser(clerk: Browser, counter: Counter) -> None:
    terminal = counter.terminal
    terminal.comes()
    terminal.is_identified()
    clerk.sees(PERSON.name, "#person")
    clerk.types("#search", "やまだ")
    clerk.sees("1 件", "#list")
    urls = clerk.driver.execute_script("return performance.getEntries().map((e) => e.name)")
    assert not any("やまだ" in url or "%E3" in url or PERSON.insurance.number in url for url in urls)
    clerk.presses("form[action='/logout'] button")
    clerk.sees("ログイン")
    stored = "return [localStorage.length, sessionStorage.length, document.cookie]"
    assert clerk.driver.execute_script(stored) == [0, 0, ""]
    clerk.driver.back()
    clerk.sees("ログイン")
    assert PERSON.name not in clerk.driver.page_source
    soon(lambda: counter.program.hub.desk("terminal-1").board.whom(terminal.actor.visit) is None, "kept")  # type: ignore[union-attr]
    names = (PERSON.name.encode(), PERSON.name.encode("utf-16-le"), PERSON.insurance.number.encode())
    for path in clerk.profile.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 50_000_000:
            content = path.read_bytes()
            assert not any(name in content for name in names[:2]), path


def test_a_locked_page_tells_no_name_and_opens_with_the_password(clerk: Browser, counter: Counter) -> None:
    counter.terminal.comes()
    counter.terminal.is_identified()
    clerk.sees(PERSON.name, "#person")
    clerk.presses("form[action='/lock'] button")
    clerk.sees("画面をロックしています")
    assert PERSON.name not in clerk.driver.page_source
    clerk.goes("t/terminal-1")
    clerk.sees("画面をロックしています")
    assert faults(clerk) == []
    keep(clerk, "locked")
    clerk.types("#password", STAFF_PASSWORD + "\n")
    clerk.sees(PERSON.name, "#person")


def test_who_does_nothing_is_logged_out_and_the_page_is_emptied(tmp_path: Path, chromium: Browser) -> None:
    terminal = Terminal()
    with page_of([terminal], tmp_path, logout_after_s=10.0) as program:
        chromium.begins(program.url)
        chromium.logs_in()
        terminal.comes()
        terminal.is_identified()
        chromium.sees(PERSON.name, "#person")
        chromium.waits(lambda: "/login" in chromium.driver.current_url, "is still logged in", within_s=40)
        chromium.sees("しばらく操作がなかったため")
        assert PERSON.name not in chromium.driver.page_source
        chromium.complaints()


def test_two_clerks_see_the_same_and_one_of_them_administers(clerk: Browser, counter: Counter) -> None:
    second = Browser(counter.program.url)
    try:
        second.logs_in(CLERK)
        counter.terminal.comes()
        counter.terminal.calls()
        for each in (clerk, second):
            each.sees("係の人を呼んでいます", "#calls")
        second.presses("#calls button")
        clerk.waits(lambda: not clerk.text("#calls").strip())
        assert "操作の記録" not in second.text("header")
        second.goes("audit")
        second.sees("許されていない操作です")
        clerk.goes("audit")
        clerk.sees(f"{CLERK}\ttake-call\tterminal-1\tdone", "table")
        assert faults(clerk) == []
        keep(clerk, "audit")
    finally:
        second.close()


def test_it_speaks_english_and_shows_dark(clerk: Browser, counter: Counter) -> None:
    clerk.presses("form[action='/language'] button")
    clerk.sees("Waiting for a card", "#status")
    assert not any("ぁ" <= each <= "ん" for each in clerk.text("#help") + clerk.text("#lamps")), clerk.text(
        "body"
    )
    clerk.presses("form[action='/theme'] button")
    counter.terminal.comes()
    counter.terminal.is_identified()
    clerk.sees(PERSON.name, "#person")
    ground = clerk.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(26, 26, 26)"
    assert faults(clerk) == []
    keep(clerk, "english-dark")


def test_a_terminal_that_is_not_heard_is_told_with_the_time(clerk: Browser, counter: Counter) -> None:
    counter.terminal.link.cut()
    clerk.sees("端末と連絡が取れません", "#status")
    clerk.presses("#help form[data-key=desk] button")
    clerk.sees("届きません", "#said")


def test_the_door_throttles_and_is_accessible(browser: Browser, counter: Counter) -> None:
    browser.goes("login")
    assert faults(browser) == []
    keep(browser, "login")
    for _ in range(3):
        browser.types("#staff", STAFF)
        browser.submits("#password", "wrong-password")
        browser.sees("IDかパスワードが違います")
    browser.types("#staff", STAFF)
    browser.submits("#password", STAFF_PASSWORD)
    browser.sees("秒待ってください")
    browser.complaints()


def test_all_terminals_stand_on_one_board_and_who_needs_help_first_is_first(
    tmp_path: Path, chromium: Browser
) -> None:
    terminals = [Terminal(f"terminal-{number}") for number in range(1, 6)]
    with page_of(terminals, tmp_path) as program:
        chromium.begins(program.url)
        chromium.logs_in()
        chromium.waits(lambda: len(chromium.driver.find_elements(By.CSS_SELECTOR, "#rows tr")) == 5)
        terminals[3].comes()
        terminals[3].calls()
        chromium.sees("係の人を呼んでいます", "#row-terminal-4")
        first = "return document.querySelector('#rows tr').id"
        chromium.waits(lambda: chromium.driver.execute_script(first) == "row-terminal-4")
        breaks(terminals[4].actor)
        chromium.sees("カードリーダーに接続できません", "#row-terminal-5")
        terminals[1].comes()
        chromium.sees("本人確認の方法", "#row-terminal-2")
        assert faults(chromium) == []
        keep(chromium, "board")
        chromium.presses("#row-terminal-4 a")
        chromium.sees("患者が係を待っています", "#status")
        chromium.goes("terminals")
        chromium.sees("terminal-5")
        assert faults(chromium) == []
        keep(chromium, "terminals")
        started = time.monotonic()
        chromium.goes("figures")
        chromium.sees("全端末")
        assert time.monotonic() - started < 5
        assert chromium.complaints() == []
