"""The checkers run as tests, so that one command and one exit code cover everything."""

import shutil
import subprocess
import sys

import pytest

from tests.support import ROOT


def check(*arguments: str) -> None:
    """Run a checker of this environment and show what it says when it objects."""
    result = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        pytest.fail(result.stdout + result.stderr, pytrace=False)


def test_ruff_finds_nothing() -> None:
    check("ruff", "check", "--quiet", ".")


def test_everything_is_formatted() -> None:
    check("ruff", "format", "--check", ".")


@pytest.mark.timeout(300)  # without a cache, mypy reads the stubs of Qt and OpenCV first
def test_mypy_is_content() -> None:
    check("mypy", "--strict", "--no-error-summary")


def test_run_needs_nothing_but_the_standard_library() -> None:
    imported = {
        line.split()[1].split(".")[0]
        for file in ("run", "packaging/launch.py", "packaging/set_up.py")
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= {*sys.stdlib_module_names, "launch", "set_up"}


def test_shell_scripts_parse() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    subprocess.run([bash, "-n", str(ROOT / ".ci" / "run")], check=True)
