"""The verdict of another sensor: named in the settings, asked, and never taken for a yes when it fails."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import config
from hardware.face.presence import presence_of


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("sensor_of_the_site")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_without_a_name_there_is_no_other_sensor() -> None:
    assert presence_of("") is None


@pytest.mark.parametrize(
    ("answer", "counts_as"),
    [(True, True), (False, False), (None, None), (1, None), ("yes", None), (0, None)],
)
def test_only_true_and_false_are_verdicts(site: ModuleType, answer: Any, counts_as: bool | None) -> None:
    site.verdict = lambda: answer  # type: ignore[attr-defined]
    asked = presence_of("sensor_of_the_site:verdict")
    assert asked is not None
    assert asked() is counts_as


@pytest.mark.expected_log("face.presence failed: ZeroDivisionError")
def test_a_sensor_that_fails_knows_nothing(site: ModuleType) -> None:
    site.verdict = lambda: 1 / 0  # type: ignore[attr-defined]
    asked = presence_of("sensor_of_the_site:verdict")
    assert asked is not None
    assert asked() is None


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("sensor_of_the_site:missing", "cannot be loaded"),
        ("sensor_that_is_not_there:verdict", "cannot be loaded"),
        ("sensor_of_the_site:number", "is not callable"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_start(site: ModuleType, entry: str, why: str) -> None:
    site.number = 1  # type: ignore[attr-defined]
    with pytest.raises(config.ConfigError, match=why):
        presence_of(entry)


@pytest.mark.parametrize(
    "entry", ["verdict", "site:", ":verdict", "site:verdict()", "a b:c", "../site:verdict"]
)
def test_a_name_that_is_none_is_refused_with_the_settings(tmp_path: Path, entry: str) -> None:
    settings = tmp_path / "terminal.toml"
    settings.write_text(f'[face]\npresence = "{entry}"\n', encoding="utf-8")
    with pytest.raises(config.ConfigError, match="presence"):
        config.load(settings)
