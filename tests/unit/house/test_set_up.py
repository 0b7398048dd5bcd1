"""``./run`` brings what a command needs, and no more."""

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import ROOT


@pytest.fixture
def run(tmp_path: Path) -> ModuleType:
    loader = SourceFileLoader("set_up", str(ROOT / "run"))
    spec = spec_from_loader("set_up", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    module.VENV_PYTHON = tmp_path / "python"  # type: ignore[attr-defined]
    module.STAMP = tmp_path / "stamp"  # type: ignore[attr-defined]
    module.VENV_PYTHON.touch()
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
def test_a_command_brings_its_level(run: ModuleType, line: str, level: str) -> None:
    assert run.wanted_level(line.split()) == level


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
