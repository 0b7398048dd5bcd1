"""A run of scenarios as one page that needs nothing else: opens offline, prints on paper."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

from reception.testing.report.elements import document
from reception.testing.report.moment import NoPictures, draw, moments
from reception.testing.report.page import Played, RunSummary, page
from reception.testing.scenarios.results import Result, as_json, as_junit

__all__ = ["NoPictures", "Written", "write_report"]


@dataclass(frozen=True)
class Written:
    """What was written."""

    page: Path
    without_pictures: str
    """Why the page has none; empty when it has."""


def write_report(folder: Path, results: Sequence[Result], *, bench: str, seconds: float) -> Written:
    """Write ``report.html``, ``results.json`` and ``junit.xml`` into a folder, which is made; raises OSError.

    ``bench`` says in words what was played on, ``seconds`` how long it took in all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(as_json(results), encoding="utf-8")
    (folder / "junit.xml").write_bytes(as_junit(results))
    played = [
        Played(result, moments(result.trace, result.seconds) if result.trace else []) for result in results
    ]
    pictures: dict[str, str] = {}
    missing = ""
    try:
        pictures = draw(moment.looks for one in played for moment in one.moments)
    except NoPictures as error:
        missing = str(error)
    run = RunSummary(datetime.now().astimezone(), bench, _version(), platform.platform(terse=True), seconds)
    path = folder / "report.html"
    path.write_text(document(page(run, played, pictures, missing)), encoding="utf-8")
    return Written(path, missing)


def _version() -> str:
    try:
        return metadata.version("reception-terminal")
    except metadata.PackageNotFoundError:
        return "from a checkout"
