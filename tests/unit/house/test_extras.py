"""Each extra of the wheel works without the others, and names what is missing in one line."""

import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support import ROOT

MODULES = {
    "alembic": "alembic",
    "dlib-bin": "dlib",
    "face_recognition_models": "face_recognition_models",
    "fastapi": "fastapi",
    "Jinja2": "jinja2",
    "numpy": "numpy",
    "paho-mqtt": "paho",
    "prometheus_client": "prometheus_client",
    "opencv-python-headless": "cv2",
    "Pillow": "PIL",
    "psycopg": "psycopg",
    "PySide6-Essentials": "PySide6",
    "SQLAlchemy": "sqlalchemy",
    "uvicorn": "uvicorn",
}
"""What an extra brings, by the name under which it is imported; the rest has nothing to import, or everybody has it."""

LIBRARY = (
    "hardware.card, hardware.card.pcsc, consent.choices, consent.receipt_files.files, consent.eligibility"
)
PARTS = {
    "": LIBRARY,
    "ui": f"{LIBRARY}, reception.patient.window",
    "face": f"{LIBRARY}, hardware.camera, hardware.camera.clips, hardware.face.policy, hardware.face.engine.worker",
    "counter": f"{LIBRARY}, reception.counter.program, reception.fleet.board_side",
    "server": f"{LIBRARY}, consent.server, consent.server.certificates",
}
"""What can be imported with one extra."""

WITHOUT = """
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LACKING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Lacking())
"""


def extras() -> dict[str, set[str]]:
    """The importable names that each extra brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        extra: {MODULES[name] for need in needs if (name := Requirement(need).name) in MODULES}
        for extra, needs in project["optional-dependencies"].items()
        if extra in PARTS or extra == "testing"
    }


def run_with(extra: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program as on a machine that has the core and one extra only."""
    brought = extras()
    lacking = set().union(*brought.values()) - brought.get(extra, set())
    text = f"LACKING = {lacking!r}{WITHOUT}{textwrap.dedent(program)}"
    return subprocess.run(
        [sys.executable, "-c", text, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def command(extra: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_with(extra, "from reception.__main__ import main\nsys.exit(main(sys.argv[1:]))", *arguments)


@pytest.mark.parametrize("extra", PARTS)
def test_a_part_is_imported_with_its_own_extra_alone(extra: str) -> None:
    done = run_with(extra, f"import {PARTS[extra]}")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("extra", "words", "named"),
    [
        ("", ("server",), "server"),
        ("ui", ("server",), "server"),
        ("server", ("record", "--out", "{folder}/frames"), "face"),
        ("", ("doctor",), "face"),
        ("face", ("hil", "tests/scenarios/pin_right.toml"), "server"),
    ],
)
def test_a_command_whose_extra_is_missing_names_it_in_one_line(
    tmp_path: Path, extra: str, words: tuple[str, ...], named: str
) -> None:
    state = ("--state", str(tmp_path / "state"))

    done = command(extra, *state, *(word.format(folder=tmp_path) for word in words))

    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert f"reception-terminal[{named}]" in done.stderr


def test_the_help_needs_no_extra() -> None:
    done = command("", "--help")

    assert done.returncode == 0
    assert "receipt" in done.stdout or "terminal" in done.stdout
