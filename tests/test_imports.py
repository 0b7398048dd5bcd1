"""Who may import whom: the packages' own order, and the one place for each third party."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "config": set[str](),
    "hardware": {"config"},
    "consent": {"config"},
    "reception": {"config", "hardware", "consent"},
}

# Third party -> where it may be imported. A module that became a folder keeps its place: "hardware/card" covers
# hardware/card.py and everything in hardware/card/.
FENCES = {
    "smartcard": ("hardware/pcsc",),
    "face_recognition": ("hardware/face_engine",),
    "face_recognition_models": ("hardware/face_engine",),
    # The generator made the portraits once, by hand; no other module imports it.
    "dlib": ("hardware/face_engine", "hardware/portraits/make_portraits"),
    "babel": ("reception/texts/update",),
    "pkcs11": ("reception/measure/card",),
    "requests": ("consent/eligibility",),
    "fastapi": ("consent/server",),
    "starlette": ("consent/server",),
    "uvicorn": ("consent/server",),
    "sqlalchemy": ("consent/server",),
    "alembic": ("consent/server/tables", "consent/server/migrations"),
    "PySide6": ("reception/screens", "reception/counter"),
}

CAMERA = ("hardware/camera",)


def is_inside(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(place + "/") for place in places)


def imported_names(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, lazy ones inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            if node.level:
                above = module.split("/")[: -node.level]
                name = ".".join([*above, name]).strip(".")
            yield node.lineno, name


def breaches_of_module(source: str, module: str) -> Iterator[str]:
    """What one file imports against the rules; `module` is its path without the ending."""
    package = module.split("/")[0]
    tree = ast.parse(source)
    for line, name in imported_names(tree, module):
        top = name.split(".")[0]
        if top in MAY_IMPORT and top != package and top not in MAY_IMPORT[package]:
            yield f"{module}.py:{line}: {package} must not import {top}"
        if top == "tests":
            yield f"{module}.py:{line}: only tests import tests"
        if top in FENCES and not is_inside(module, FENCES[top]):
            yield f"{module}.py:{line}: {top} is only for {', '.join(FENCES[top])}"
    if not is_inside(module, CAMERA):
        for node in ast.walk(tree):
            names = [node.attr] if isinstance(node, ast.Attribute) else []
            if isinstance(node, ast.ImportFrom):
                names = [alias.name for alias in node.names]
            if "VideoCapture" in names:
                yield f"{module}.py:{getattr(node, 'lineno', 0)}: VideoCapture is only for hardware/camera"


def breaches(root: Path) -> list[str]:
    """Every breach in the four packages below `root`."""
    found: list[str] = []
    for package in MAY_IMPORT:
        for path in sorted((root / package).rglob("*.py")):
            module = path.relative_to(root).with_suffix("").as_posix()
            found += breaches_of_module(path.read_text(encoding="utf-8"), module)
    return found


def test_the_packages_keep_to_the_import_rules() -> None:
    assert breaches(ROOT) == []


@pytest.mark.parametrize(
    ("where", "source", "complaint"),
    [
        ("hardware/card.py", "import reception.flow", "hardware must not import reception"),
        ("hardware/card.py", "from consent import choices", "hardware must not import consent"),
        ("hardware/apdu/select.py", "from ...reception import flow", "hardware must not import reception"),
        ("consent/choices.py", "def f():\n    import hardware.card", "consent must not import hardware"),
        ("config/__init__.py", "import hardware", "config must not import hardware"),
        ("reception/flow.py", "import PySide6.QtCore", "PySide6 is only for"),
        ("reception/terminal.py", "from smartcard.System import readers", "smartcard is only for"),
        ("hardware/face.py", "import face_recognition", "face_recognition is only for"),
        ("hardware/face.py", "import cv2\ncv2.VideoCapture(0)", "VideoCapture is only for"),
        ("hardware/face.py", "from cv2 import VideoCapture", "VideoCapture is only for"),
        ("consent/choices.py", "import requests", "requests is only for"),
        ("consent/receipt_files.py", "from tests import conftest", "only tests import tests"),
    ],
)
def test_a_planted_breach_is_found(tmp_path: Path, where: str, source: str, complaint: str) -> None:
    planted = tmp_path / where
    planted.parent.mkdir(parents=True)
    planted.write_text(source, encoding="utf-8")
    found = breaches(tmp_path)
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("hardware/pcsc.py", "import smartcard"),
        ("hardware/camera/device.py", "import cv2\ncv2.VideoCapture(0)"),
        ("hardware/face_engine.py", "import dlib"),
        ("reception/screens/window.py", "from PySide6 import QtWidgets\nfrom ..flow import advance"),
        ("consent/server/api.py", "import fastapi\nimport config"),
        ("reception/terminal.py", "from hardware import card\nfrom consent import choices"),
    ],
)
def test_what_is_allowed_raises_no_complaint(tmp_path: Path, where: str, source: str) -> None:
    planted = tmp_path / where
    planted.parent.mkdir(parents=True)
    planted.write_text(source, encoding="utf-8")
    assert breaches(tmp_path) == []
