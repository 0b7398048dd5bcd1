"""The conformance kit: a reader that is not the product's understands every face file as the manifest says."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from config.person import everybody, insured
from consent.receipt_files.files import read_result
from reception.__main__ import main
from tests.support.face_reader import NotAsItMustBe, read_face

DAYS = ("2026-04-01", "2026-11-23")


@pytest.fixture(scope="module", params=DAYS)
def kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kit") / "out"
    assert main(["receipt-kit", str(out), "--today", request.param]) == 0
    return out


def entries(kit: Path, kind: str) -> list[dict[str, Any]]:
    told = json.loads((kit / "manifest.json").read_text(encoding="utf-8"))
    return [one for one in told["files"] if one["kind"] == kind]


def test_every_file_is_in_the_manifest_and_every_entry_has_its_file(kit: Path) -> None:
    told = json.loads((kit / "manifest.json").read_text(encoding="utf-8"))
    named = [one["file"] for one in told["files"]]
    assert Counter(named) == Counter(str(path.relative_to(kit)) for path in kit.rglob("*.xml"))


def test_every_shipped_person_is_there_in_both_encodings_and_both_profiles(kit: Path) -> None:
    seen = {(one["person"], one["encoding"], one["profile"]) for one in entries(kit, "face")}
    assert len(seen) == 4 * len(insured(everybody()))
    assert {one["validity"] for one in entries(kit, "face")} == set("123456") - (
        set() if any(one["validity"] == "6" for one in entries(kit, "face")) else {"6"}
    )


def test_a_strict_reader_understands_every_face_file_as_the_manifest_says(kit: Path) -> None:
    for entry in entries(kit, "face"):
        told = read_face((kit / entry["file"]).read_bytes())
        assert told.validity == entry["validity"], entry["file"]
        assert told.code == entry["advice"]
        assert len(told.results) == len(entry["insurances"]), "an insurance is lost"
        for one, wanted in zip(told.results, entry["insurances"], strict=True):
            assert one["InsurerNumber"].strip() == wanted["insurer_number"]
            assert one["InsuredIdentificationNumber"] == wanted["number"]
            assert share_of(one) == wanted["share_percent"], entry["file"]
            assert one.get("LimitApplicationCertificateClassificationFlag", "") == wanted["limit_category"]


def test_the_childs_certificates_are_told_where_they_are_used_and_nowhere_else(kit: Path) -> None:
    of_child = [one for one in entries(kit, "face") if one["person"] == "child-subsidies"]
    told = {(one["profile"], one["outcome"]): len(one["subsidies"]) for one in of_child}
    assert told["current", "given"] == 2
    assert not told["current", "declined"] and not told["leaflet-2023", "given"]


def share_of(one: dict[str, str]) -> int:
    """Return what a receipt computer charges by a result alone."""
    if one["InsuredCardClassification"] == "A1":
        return 0
    if "PreschoolClassification" in one:
        return 20
    return int(
        one.get("ElderlyRecipientContributionRatio") or one.get("InsuredPartialContributionRatio") or "030"
    )


def test_answers_of_the_product_are_read_by_its_own_strict_reader_too(kit: Path) -> None:
    for kind in ("face", "answer", "refused"):
        for entry in entries(kit, kind):
            read_result((kit / entry["file"]).read_bytes())


def test_a_refusal_of_records_has_its_own_code(kit: Path) -> None:
    for kind in ("drugs", "checkups"):
        for entry in entries(kit, kind):
            text = (kit / entry["file"]).read_text(encoding=entry["encoding"])
            code = re.search("<ResultCode>(.)<", text)
            assert code and (code[1] == "1") == (entry["outcome"] == "given")


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    assert main(["receipt-kit", str(tmp_path)]) == 2
    assert "a new or an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ("<ReasonOfLoss>03</ReasonOfLoss>", ""),
        ("<QualificationValidity>2", "<QualificationValidity>1"),
        ("<QualificationDate>", "<QualificationDate>2099"),
        ("<Name>", "<Nick>x</Nick><Name>"),
        ("<Sex1>1</Sex1>", ""),
    ],
)
def test_the_readers_checks_see_a_file_that_contradicts_itself(kit: Path, change: str, to: str) -> None:
    path = next(kit.glob("leaflet-2023/utf-8/face/*age39-ended_*.xml"))
    text = path.read_text(encoding="utf-8")
    assert change in text
    if change.startswith("<ReasonOfLoss"):
        read_face(text.replace(change, to).encode("utf-8"))
        return
    with pytest.raises((NotAsItMustBe, ValueError)):
        read_face(text.replace(change, to).encode("utf-8"))
