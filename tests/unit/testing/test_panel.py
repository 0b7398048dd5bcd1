"""模擬: the window of a simulated bench says who comes, and its hands are the bench's."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

import config
from config.person import load_person
from reception.testing.panel import BenchPanel, described
from reception.testing.testbench import Bench

TODAY = date(2026, 4, 1)


def test_a_person_is_described_by_what_their_card_will_do() -> None:
    assert described(load_person("age45"), TODAY) == "山田 花子 45歳・暗証番号 1234・健診あり"
    assert "健診なし" in described(load_person("age39"), TODAY)
    assert "(残り1回)" in described(load_person("age45"), TODAY, 1)
    assert "(ロック)" in described(load_person("age45"), TODAY, 0)
    assert "暗証番号" not in described(load_person("face-only"), TODAY)
    assert "証明書が失効" in described(load_person("certificate-revoked"), TODAY)


@pytest.fixture
def bench(made_state: Path) -> Iterator[Bench]:
    people = [load_person("age45"), load_person("age39")]
    with Bench(config.load(), made_state, people=people, person=people[0], keep_cards=True) as made:
        yield made


def test_a_card_is_put_in_and_taken_out_and_a_closed_window_comes_back(qtbot: QtBot, bench: Bench) -> None:
    panel = BenchPanel(bench, bench.everybody(), lambda: TODAY)
    panel.open()
    panel.card.click()
    qtbot.waitUntil(lambda: bench.terminal.snapshot.card_in, timeout=20_000)
    panel.close()
    assert not panel.isVisible()
    panel.open()
    assert panel.isVisible()
    qtbot.waitUntil(panel.card.isChecked, timeout=20_000)
    panel.card.click()
    qtbot.waitUntil(lambda: not bench.terminal.snapshot.card_in, timeout=20_000)
    panel.stop()
    panel.hide()


def test_a_kept_card_keeps_the_tries_that_were_spent(bench: Bench) -> None:
    bench.insert("age45")
    first = bench.slot.pin_tries_left()
    bench.remove()
    bench.insert("age45")
    assert bench.slot.pin_tries_left() == first == 3
    assert bench._kept is not None and list(bench._kept) == ["age45"]
