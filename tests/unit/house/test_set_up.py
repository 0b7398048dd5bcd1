"""``./run`` brings what a command needs, and no more."""

import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import ROOT


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """What each start does, on a checkout of its own."""
    monkeypatch.syspath_prepend(str(ROOT / "packaging"))
    module = import_module("launch")
    for name in ("python", "stamp", "unchanged"):
        (tmp_path / name).touch()
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "VENV_PYTHON", str(tmp_path / "python"))
    monkeypatch.setattr(module, "STAMP", str(tmp_path / "stamp"))
    monkeypatch.setattr(module, "UNCHANGED", str(tmp_path / "unchanged"))
    for file in (*module.PINNED, "packaging/set_up.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("as it was")
    yield module
    for name in ("launch", "set_up"):
        sys.modules.pop(name, None)


@pytest.fixture
def run(launch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What sets up."""
    module = import_module("set_up")
    monkeypatch.setattr(module, "VENV_PYTHON", tmp_path / "python")
    monkeypatch.setattr(module, "STAMP", tmp_path / "stamp")
    module.STAMP.unlink()
    return module


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("", "bench"),
        ("--verbose", "bench"),
        ("terminal --kiosk", "site"),
        ("--state hil terminal", "site"),
        ("--state=x --verbose doctor", "site"),
        ("terminal --bench pcsc", "bench"),
        ("terminal --bench=pcsc", "bench"),
        ("hil visit.toml", "bench"),
        ("server", "bench"),
        ("test -k terminal", "dev"),
        ("bench face", "dev"),
    ],
)
def test_a_command_brings_its_level(launch: ModuleType, line: str, level: str) -> None:
    assert launch.wanted_level(line.split()) == level


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("test -k x", "test"),
        ("bench", "bench"),
        ("bench --json F --markdown", "bench"),
        ("bench --compare=fefed08", "bench"),
        ("bench start --rounds 2", ""),
        ("bench --read F", ""),
        ("terminal", ""),
        ("", ""),
    ],
)
def test_only_tests_and_all_benchmarks_ask_for_more_of_the_system(
    launch: ModuleType, line: str, more: str
) -> None:
    assert launch.needs_more(line.split()) == more


def test_a_start_after_one_that_found_all_in_order_looks_no_further(launch: ModuleType) -> None:
    assert not launch.is_unchanged("site")
    launch.keep_look("bench")
    assert launch.is_unchanged("site")
    assert launch.is_unchanged("bench")
    assert not launch.is_unchanged("dev")


@pytest.mark.parametrize("changed", ["requirements/site.txt", "packaging/set_up.py", "stamp", "python"])
def test_a_start_after_a_change_looks_whether_something_is_to_be_done(
    launch: ModuleType, tmp_path: Path, changed: str
) -> None:
    launch.keep_look("dev")
    os.utime(tmp_path / changed, ns=(0, 0))
    assert not launch.is_unchanged("site")


def test_a_start_after_a_system_package_came_or_went_looks_whether_something_is_to_be_done(
    launch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = tmp_path / "status"
    status.touch()
    monkeypatch.setattr(launch, "OF_THE_SYSTEM", (str(status),))
    launch.keep_look("dev")
    assert launch.is_unchanged("site")
    status.unlink()
    assert not launch.is_unchanged("site")


def test_what_a_start_kept_is_no_use_in_another_folder(
    launch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch.keep_look("dev")
    monkeypatch.setattr(launch, "ROOT", "/elsewhere")
    assert not launch.is_unchanged("site")


def test_a_folder_that_others_look_after_is_only_looked_at(launch: ModuleType, tmp_path: Path) -> None:
    launch.UNCHANGED = str(tmp_path / "no-such-folder" / "unchanged")  # type: ignore[attr-defined]
    launch.keep_look("dev")
    assert not launch.is_unchanged("site")


def test_a_larger_environment_serves_a_smaller_command_and_is_not_made_smaller(run: ModuleType) -> None:
    run.STAMP.write_text(run.wanted_stamp("dev"))

    assert run.is_ready("site")
    assert run.is_ready("bench")
    assert run.level_to_build("site") == "dev"


def test_a_smaller_environment_is_completed_for_a_larger_command(run: ModuleType) -> None:
    run.STAMP.write_text(run.wanted_stamp("site"))

    assert run.is_ready("site")
    assert not run.is_ready("bench")
    assert run.level_to_build("bench") == "bench"


@pytest.mark.parametrize("content", ["", "0123abc", "huge 0123abc", None])
def test_a_stamp_of_another_version_has_the_environment_made_anew(
    run: ModuleType, content: str | None
) -> None:
    if content is not None:
        run.STAMP.write_text(content)

    assert not run.is_ready("site")
    assert run.level_to_build("site") == "site"


def pins(name: str) -> set[str]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return set(re.findall(r"^([\w.\[\]-]+==[^ ;\\]+)", text, re.MULTILINE))


def test_each_level_pins_what_the_larger_ones_pin() -> None:
    assert pins("site.txt") < pins("bench.txt") < pins("constraints.txt")


def test_a_site_gets_no_tools_of_tests() -> None:
    names = {pin.partition("==")[0] for pin in pins("site.txt")}

    assert names.isdisjoint(
        {"pytest", "mypy", "ruff", "hypothesis", "sqlalchemy", "alembic", "face-recognition"}
    )
