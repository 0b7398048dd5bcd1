"""FHIR for charts: Bundles keep the rules of their profiles, and are delivered beside the visits."""

import hashlib
import hmac
import http.server
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from config import ConfigError, Fhir
from consent.eligibility import Unreachable
from consent.fhir.bundle import bundle_of, member_id
from consent.fhir.delivery import GIVEN_UP_S, SIGNATURE_HEADER, TIME_HEADER, Charts
from consent.fhir.marks import Marks
from consent.receipt_files.answers import of_visit
from consent.receipt_files.content import Confirmation, Validity
from consent.receipt_files.folder import ReceiptFolder, ReceiptFolderService
from consent.wire import JAPAN
from reception.testing.receipt_kit import _result, cases
from tests.conftest import LogWatch
from tests.support.receipts import HANAKO

AT = datetime(2026, 4, 1, 9, tzinfo=JAPAN)
DAY = AT.date()
INSTITUTION = "1312345676"

# As in the definitions of FHIR R4 (bundle … extension); the engine knows no hasValue(), so exists() stands for it.
INVARIANTS = {
    "bdl-1": ("Bundle", "total.empty() or (type = 'searchset') or (type = 'history')"),
    "bdl-2": ("Bundle", "entry.search.empty() or (type = 'searchset')"),
    "bdl-7": (
        "Bundle",
        "(type = 'history') or entry.where(fullUrl.exists()).select(fullUrl & resource.meta.versionId).isDistinct()",
    ),
    "bdl-8": ("Bundle", "entry.all(fullUrl.contains('/_history/').not())"),
    "pat-1": ("Patient", "contact.all(name.exists() or telecom.exists() or address.exists())"),
    "ppc-1": ("Consent", "policy.exists() or policyRule.exists()"),
    "ppc-2": (
        "Consent",
        "patient.exists() or scope.coding.where(system='something' and code='patient-privacy').exists().not()",
    ),
    "dom-2": ("*", "contained.contained.empty()"),
    "per-1": ("*", "period.all(start.exists().not() or end.exists().not() or (start <= end))"),
    "ext-1": ("*", "extension.all(extension.exists() != value.exists())"),
    "coverage-beneficiary": ("Coverage", "beneficiary.exists() and payor.exists() and status.exists()"),
    "coverage-relation": ("Coverage", "relationship.coding.code in ('self' | 'other')"),
    "jp-patient-name": ("Patient", "name.exists() and gender.exists() and birthDate.exists()"),
    "encounter-class": ("Encounter", "status = 'arrived' and class.code = 'AMB' and subject.exists()"),
}


def told(case: Any, profile: Any = "current") -> Confirmation:
    found = of_visit(_result(case, profile, AT))
    assert found is not None
    return found


def read(confirmation: Confirmation, visit: str = "visit-1") -> dict[str, Any]:
    made = bundle_of(confirmation, visit, INSTITUTION)
    assert made is not None
    found: dict[str, Any] = json.loads(made)
    return found


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == kind]


def broken(bundle: dict[str, Any]) -> list[str]:
    """Return the invariants that do not hold, as FHIRPath itself evaluates them."""
    everything = [bundle, *(one["resource"] for one in bundle["entry"])]
    found = []
    for name, (kind, rule) in INVARIANTS.items():
        for one in everything:
            if kind in ("*", one["resourceType"]) and fhirpathpy.evaluate(
                one, rule, {}, models["r4"]
            ) not in ([True], []):
                found.append(f"{name} of {one['resourceType']}")
    return found


OF_EACH_KIND = (
    *("age39", "age74", "age75", "no-photo", "foreign-resident", "assistance-beside-insurance"),
    "child-subsidies",
)


@pytest.mark.timeout(300)
def test_the_bundles_of_people_of_each_kind_and_all_outcomes_keep_the_invariants() -> None:
    seen = 0
    for case in (one for one in cases(DAY) if one.person.id in OF_EACH_KIND):
        confirmation = told(case)
        if bundle_of(confirmation, case.name, INSTITUTION) is None:
            assert confirmation.validity in (Validity.NOT_FOUND, Validity.AMBIGUOUS)
            continue
        assert broken(read(confirmation, case.name)) == [], case.name
        seen += 1
    assert seen > 30


def test_a_certificate_of_a_subsidy_that_is_used_is_a_coverage_and_a_provision_that_names_it() -> None:
    of_child = [case for case in cases(DAY) if case.person.id == "child-subsidies"]
    used, unused = (next(case for case in of_child if case.outcome == name) for name in ("given", "declined"))
    bundle = read(told(used))
    _, first, second = resources(bundle, "Coverage")
    assert first["type"]["coding"][0]["code"] == "8" and first["type"]["text"] == "こども医療費助成"
    assert first["payor"][0]["identifier"]["value"] == "88139993"
    assert (first["subscriberId"], second["subscriberId"]) == ("9000019", "9000027")
    assert second["period"] == {"start": "2025-10-01", "end": "2030-09-30"}
    assert second["costToBeneficiary"][0]["valueMoney"] == {"value": 2500, "currency": "JPY"}
    (consent,) = resources(bundle, "Consent")
    permit = consent["provision"]["provision"][-1]
    named = [one["reference"]["reference"] for one in permit["data"]]
    assert named == [f"urn:uuid:{one['id']}" for one in (first, second)]
    assert "end" not in permit["period"]
    assert len(resources(read(told(unused)), "Coverage")) == 1
    assert "医療費助成" not in json.dumps(read(told(unused)), ensure_ascii=False)


def test_the_check_of_invariants_sees_a_bundle_that_breaks_them() -> None:
    bundle = read(told(next(cases(DAY))))
    consent, coverage = resources(bundle, "Consent")[0], resources(bundle, "Coverage")[0]
    del consent["policyRule"], coverage["beneficiary"]
    coverage["period"]["end"] = "1999-01-01"
    assert set(broken(bundle)) == {
        "ppc-1 of Consent",
        "coverage-beneficiary of Coverage",
        "per-1 of Coverage",
    }


def test_a_bundle_names_profiles_identifiers_and_the_end_of_each_consent() -> None:
    person = replace(HANAKO, reference_number="0042", insurer_number="138057", symbol="千代田１２")
    case = next(one for one in cases(DAY) if one.person.id == "age45")
    given = told(case).insured[0]
    bundle = read(replace(told(case), insured=(replace(person, medication=given.medication),)))
    (patient,), (coverage,) = resources(bundle, "Patient"), resources(bundle, "Coverage")
    assert patient["meta"]["profile"] == ["http://jpfhir.jp/fhir/core/StructureDefinition/JP_Patient"]
    assert patient["identifier"][0] == {
        "system": "urn:oid:1.2.392.100495.20.3.51.11312345676",
        "value": "0042",
    }
    assert coverage["identifier"][0]["value"] == f"00138057:千代田12:{person.number}:{person.branch}"
    assert coverage["beneficiary"]["reference"] == bundle["entry"][0]["fullUrl"]
    (consent,) = resources(bundle, "Consent")
    first = consent["provision"]["provision"][0]
    assert (first["type"], first["code"][0]["text"]) == ("permit", "薬剤情報")
    assert first["period"]["start"].startswith("2026-04-01T09:00:00")
    assert first["period"]["end"].startswith("2026-04-02T09:00:00")


def test_a_member_without_symbol_keeps_its_place() -> None:
    late = replace(HANAKO, insurer_number="39139993", symbol="", number="０１７５ 0075", branch="")
    assert member_id(late) == "39139993::01750075:"


def test_a_lost_insurance_ends_on_the_day_before_and_is_cancelled() -> None:
    case = next(one for one in cases(DAY) if one.name == "age39-ended")
    (coverage,) = resources(read(told(case)), "Coverage")
    assert (coverage["status"], coverage["period"]["end"]) == ("cancelled", "2026-03-31")


def test_the_same_visit_gives_the_same_bundle() -> None:
    case = next(cases(DAY))
    assert bundle_of(told(case), "v", INSTITUTION) == bundle_of(told(case), "v", INSTITUTION)
    assert bundle_of(told(case), "v", INSTITUTION) != bundle_of(told(case), "w", INSTITUTION)


# --- Delivery ---------------------------------------------------------------------------------------------------

SECRET = b"sixteen letters and more"


class Chart:
    """A chart that answers posts with the statuses it is given, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.came: queue.SimpleQueue[tuple[dict[str, str], bytes]] = queue.SimpleQueue()

    def answer(self) -> int:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def serving(chart: Chart) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            chart.came.put((dict(self.headers), body))
            self.send_response(chart.answer())
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/hook"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consent.fhir.delivery.FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr("consent.fhir.delivery._Parcel.pause_s", 0.05)


@contextmanager
def charts(tmp_path: Path, webhook: str = "", folder: str = "", owed: Path | None = None) -> Iterator[Charts]:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    made = Charts(
        Fhir(folder=folder, webhook=webhook, secret_file=str(secret)), INSTITUTION, marks=Marks(owed)
    )
    try:
        yield made
    finally:
        made.close()


CONFIRMED = Confirmation(AT, Validity.VALID, (HANAKO,))


def test_a_webhook_gets_a_bundle_with_a_signature_that_it_can_check(tmp_path: Path) -> None:
    chart = Chart(200)
    with serving(chart) as url, charts(tmp_path, url) as made:
        made.put("visit-1", CONFIRMED)
        headers, body = chart.came.get(timeout=20)
    signed = headers[TIME_HEADER].encode() + b"." + body
    assert headers[SIGNATURE_HEADER] == "sha256=" + hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
    assert headers["Content-Type"] == "application/fhir+json"
    assert json.loads(body)["resourceType"] == "Bundle"
    assert made.failed() == ()


def test_a_webhook_in_trouble_is_tried_again_until_it_takes_the_bundle(tmp_path: Path) -> None:
    chart = Chart(503, 429, 202)
    with serving(chart) as url, charts(tmp_path, url) as made:
        made.put("visit-1", CONFIRMED)
        bodies = {chart.came.get(timeout=20)[1] for _ in range(3)}
    assert len(bodies) == 1
    assert made.failed() == ()


def test_a_refusal_is_told_once_and_not_tried_again(tmp_path: Path) -> None:
    chart = Chart(401)
    with serving(chart) as url, charts(tmp_path, url) as made:
        made.put("visit-1", CONFIRMED)
        chart.came.get(timeout=20)
        made.put("visit-2", CONFIRMED)
        chart.came.get(timeout=20)
    assert made.failed() == ("visit-1", "visit-2")
    assert made.failed() == ()
    assert chart.came.empty()


def test_a_folder_that_is_away_waits_and_no_visit_waits_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "charts"
    with charts(tmp_path, folder=str(folder)) as made:
        made.put("visit-1", CONFIRMED)
        folder.mkdir()
        while not list(folder.glob("*.json")):
            threading.Event().wait(0.02)
    (path,) = folder.iterdir()
    assert path.name == "Bundle-visit-1.json"
    assert json.loads(path.read_bytes())["type"] == "collection"


def test_what_was_not_delivered_at_the_end_is_told(tmp_path: Path) -> None:
    with charts(tmp_path, "http://127.0.0.1:9/nobody") as made:
        made.put("visit-1", CONFIRMED)
    assert made.failed() in ((), ("visit-1",))


def waits_until(holds: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(500):
        if holds():
            return
        tick.wait(0.01)
    raise AssertionError("it never came")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def service_beside(made: Charts, tmp_path: Path, ask: Callable[[str], Confirmation | None]) -> Any:
    folder = tmp_path / "receipt"
    folder.mkdir(exist_ok=True)
    return ReceiptFolderService(ReceiptFolder(folder, INSTITUTION, "utf-8"), ask, charts=made)


def test_what_a_terminal_owed_when_it_stopped_is_made_again_at_its_next_start(tmp_path: Path) -> None:
    owed, place = tmp_path / "owed", tmp_path / "charts"
    chart = Chart(503)
    with serving(chart) as url, charts(tmp_path, url, str(place), owed) as made:
        made.put("visit-1", CONFIRMED)
        assert names_in(owed) == ["visit-1.folder", "visit-1.webhook"], "noted before anything is tried"
        place.mkdir()
        waits_until(lambda: names_in(owed) == ["visit-1.webhook"])
    assert names_in(owed) == ["visit-1.webhook"]
    (mark,) = owed.iterdir()
    assert (mark.read_bytes(), mark.stat().st_mode & 0o777) == (b"", 0o600)
    (place / "Bundle-visit-1.json").unlink()
    chart = Chart(200)
    with serving(chart) as url, charts(tmp_path, url, str(place), owed) as made:
        service_beside(made, tmp_path, lambda _: CONFIRMED).look()
        _, body = chart.came.get(timeout=20)
        assert json.loads(body)["type"] == "collection"
        waits_until(lambda: names_in(owed) == [])
        assert made.left() == made.failed() == ()
    assert names_in(place) == [], "what had arrived is not brought again"


def test_a_bundle_that_nothing_is_known_of_any_more_is_told_and_no_longer_owed(tmp_path: Path) -> None:
    owed = tmp_path / "owed"
    Marks(owed).set("visit-1", "webhook")
    with charts(tmp_path, "http://127.0.0.1:9/", owed=owed) as made:
        assert service_beside(made, tmp_path, lambda _: None).look().undelivered == ("visit-1",)
        assert names_in(owed) == []


def test_a_server_that_is_away_at_the_start_loses_no_bundle(tmp_path: Path) -> None:
    def away(_: str) -> Confirmation:
        raise Unreachable("away")

    owed = tmp_path / "owed"
    Marks(owed).set("visit-1", "webhook")
    with charts(tmp_path, "http://127.0.0.1:9/", owed=owed) as made:
        assert service_beside(made, tmp_path, away).look().undelivered == ()
        assert made.left() == ("visit-1",)
    assert names_in(owed) == ["visit-1.webhook"]


def test_a_bundle_owed_for_longer_than_a_day_is_tried_once_and_told(tmp_path: Path) -> None:
    owed = tmp_path / "owed"
    Marks(owed).set("visit-1", "webhook")
    old = (owed / "visit-1.webhook").stat().st_mtime - GIVEN_UP_S - 1
    os.utime(owed / "visit-1.webhook", (old, old))
    chart = Chart(503)
    with serving(chart) as url, charts(tmp_path, url, owed=owed) as made:
        made.put("visit-1", CONFIRMED)
        told: tuple[str, ...] = ()
        while not told:
            told = made.failed()
            threading.Event().wait(0.01)
        assert told == ("visit-1",)
        assert chart.came.qsize() == 1
    assert names_in(owed) == []


def test_a_place_that_the_settings_no_longer_name_is_told(tmp_path: Path) -> None:
    owed, place = tmp_path / "owed", tmp_path / "charts"
    place.mkdir()
    Marks(owed).set("visit-1", "webhook")
    with charts(tmp_path, folder=str(place), owed=owed) as made:
        made.put("visit-1", CONFIRMED)
        told: tuple[str, ...] = ()
        while not told:
            told = made.failed()
            threading.Event().wait(0.01)
    assert names_in(owed) == names_in(place) == []


def test_a_folder_of_marks_that_cannot_be_used_is_told_and_holds_up_nothing(
    tmp_path: Path, expected_log: LogWatch
) -> None:
    expected_log.expect("owed: ")
    (tmp_path / "owed").write_text("in the way", encoding="utf-8")
    place = tmp_path / "charts"
    place.mkdir()
    with charts(tmp_path, folder=str(place), owed=tmp_path / "owed") as made:
        made.put("visit-1", CONFIRMED)
        waits_until(lambda: names_in(place) == ["Bundle-visit-1.json"])


def test_somebody_unknown_gives_no_bundle(tmp_path: Path) -> None:
    nobody = Confirmation(AT, Validity.NOT_FOUND)
    assert bundle_of(nobody, "visit-1", INSTITUTION) is None


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_secret_that_is_missing_or_short_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    with pytest.raises(ConfigError, match=r"fhir\.secret_file"):
        Charts(Fhir(webhook="http://127.0.0.1:9/", secret_file=str(secret)), INSTITUTION)


def test_days_of_a_bundle_are_days() -> None:
    assert read(CONFIRMED)["entry"][0]["resource"]["birthDate"] == date(1980, 6, 17).isoformat()
