"""The pytest plugin, in the example project that has a config.py and a tests package of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

EXAMPLES = ROOT / "tests" / "scenarios"
EXAMPLE = ROOT / "examples" / "other-project"


def run_example(
    folder: Path, python: Path, *arguments: str, path: str = ""
) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    return subprocess.run(
        [str(python), "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**env, **({"PYTHONPATH": path} if path else {})},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def copied(folder: Path) -> Path:
    """Return a copy of the example outside the checkout."""
    example = folder / "other-project"
    shutil.copytree(EXAMPLE, example, ignore=shutil.ignore_patterns("__pycache__"))
    return example


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return copied(tmp_path)


def checkout(example: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The plugin alone, in a folder of links: the project's process shall not see the product's own config.
    product = example.parent / "product"
    product.mkdir()
    (product / "reception_pytest.py").symlink_to(ROOT / "reception_pytest.py")
    plugin = ("-p", "reception_pytest", "-p", "no:randomly", "-p", "no:schemathesis")
    return run_example(example, Path(sys.executable), *plugin, *arguments, path=str(product))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One run of the example project, and of a test that waits for what never comes."""
    example = copied(tmp_path_factory.mktemp("example"))
    (example / "tests" / "test_never.py").write_text(
        "def test_never(terminal):\n    terminal.wait('TAKE_CARD', seconds=0.2)\n", encoding="utf-8"
    )
    return checkout(example, "-k", "pin or early or never")


def test_a_project_with_its_own_config_and_tests_uses_the_bench(
    ran: subprocess.CompletedProcess[str],
) -> None:
    assert "1 failed, 3 passed" in ran.stdout, ran.stdout + ran.stderr


def test_a_bench_that_is_not_there_is_refused_in_one_line(example: Path) -> None:
    done = checkout(example, "--reception-bench", "nowhere.toml")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--reception-bench nowhere.toml: should be simulated, pcsc or a bench file" in done.stderr


def test_what_the_terminal_never_shows_fails_with_what_it_shows(
    ran: subprocess.CompletedProcess[str],
) -> None:
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    assert "TAKE_CARD was not reached within 0.2 s; the terminal shows WAITING" in ran.stdout
    assert "FAILED tests/test_never.py::test_never" in ran.stdout


def packaged() -> list[Path]:
    """Return every file of the packages that is neither a program nor about it."""
    return [
        path.relative_to(ROOT)
        for package in ("config", "hardware", "consent", "reception")
        for path in sorted((ROOT / package).rglob("*"))
        if path.is_file() and path.suffix not in (".py", ".pyc", ".md")
    ]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_example_passes_with_the_built_wheel_in_a_clean_environment(
    example: Path, tmp_path: Path
) -> None:
    def run(*command: str | Path) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(
            [str(part) for part in command],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    uv = (sys.executable, "-m", "uv")
    source = tmp_path / "source"
    left_out = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, source, ignore=left_out)
    run(
        *uv,
        "build",
        "--wheel",
        "--build-constraints",
        source / "requirements/build-constraints.txt",
        "-o",
        tmp_path,
        source,
    )
    run(*uv, "venv", tmp_path / "venv", "--python", sys.executable)
    python = tmp_path / "venv" / "bin" / "python"
    pins = (
        "--build-constraints",
        source / "requirements/build-constraints.txt",
        "-r",
        source / "requirements/constraints.txt",
    )
    run(*uv, "pip", "install", "--python", python, "--no-deps", "--require-hashes", *pins)
    run(*uv, "pip", "install", "--python", python, "--no-deps", next(tmp_path.glob("*.whl")))

    reception = python.with_name("reception")
    assert "My Number" in run(reception, "--help")
    scenario = example / "tests" / "scenarios" / "pin_right.toml"
    words = ("--state", tmp_path / "state", "hil", scenario, EXAMPLES / "face_accepted.toml")
    assert "2 passed" in run(reception, *words, "--report", tmp_path / "report", "-j", "2")
    rows = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    assert [row["identity"] for row in rows] == ["pin", "face"]
    assert (tmp_path / "report" / "report.html").read_text(encoding="utf-8").count("<image") > 10
    where = "import reception, pathlib; print(pathlib.Path(reception.__file__).parents[1])"
    installed = Path(run(python, "-P", "-c", where).strip())
    # What the windows need and a scenario does not, as texts and sounds, is there too.
    assert [name for name in packaged() if not (installed / name).is_file()] == []
    done = run_example(example, python, "--reception-bench", "simulated", "-p", "no:schemathesis")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
