"""What the offer after the check-in leaves behind: no attribute, password or serial in logs, journal or on the disk."""

import logging
from datetime import date
from pathlib import Path

import pytest
from cryptography import x509

from config.person import load_person
from consent.attributes.rules import ConsentState
from consent.server.certificates import Authority
from reception import flow
from reception.flow import AttributeOutcome, State
from reception.testing.testbench import SIGNING_PASSWORD, Bench
from reception.testing.timing import FAST
from reception.testing.visit_driver import VisitDriver

TODAY = date(2026, 4, 1)
NEW_ADDRESS = "大阪府大阪市北区梅田9-9"


@pytest.mark.timeout(120)
def test_nothing_of_a_patient_stays_but_in_the_receipt_computers_folder(
    tmp_path: Path, made_state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    folder, own = tmp_path / "receipt", tmp_path / "own"
    own.mkdir()
    for name in ("face", "req", "res"):
        (folder / name).mkdir(parents=True)
    person = load_person("age45")
    settings = FAST.settings(
        attributes={"offer": True, "items": ("address",)}, receipt={"folder": str(folder)}
    )
    with Bench(settings, made_state, people=[person], today=TODAY, journal=own / "journal.sqlite") as bench:
        driver = VisitDriver(bench)
        driver.visit(driver.card())
        told = driver.find(lambda seen: seen.attribute_outcome is AttributeOutcome.GIVEN, 10)
        assert told is not None, driver.states()
        assert bench.outside.service is not None
        assert len(bench.outside.service.ledger.consents(ConsentState.COMING)) == 1
        bench.pass_days(2)
        bench.outside.move_house(person, NEW_ADDRESS)
        bench.pass_days(1)
        assert bench.outside.nightly().delivered == 1
    card = Authority(made_state).issue(person)
    serial = x509.load_der_x509_certificate(card.signature_certificate).serial_number
    secrets = [NEW_ADDRESS, person.address, person.name, SIGNING_PASSWORD, f"{serial:x}", str(serial)]
    kept = b"".join(path.read_bytes() for path in own.rglob("*") if path.is_file())
    for secret in secrets:
        assert secret.encode() not in kept, "on the terminal's disk"
        assert secret not in caplog.text, "in the log"
    pending = b"".join(path.read_bytes() for path in (folder / "attributes").rglob("*.json"))
    assert NEW_ADDRESS.encode() in pending, "the worklist is empty, so that this test proves nothing"
    assert SIGNING_PASSWORD.encode() not in pending


def test_a_typed_character_is_in_no_snapshot_and_no_event_that_others_hear(
    tmp_path: Path, made_state: Path
) -> None:
    (tmp_path / "face").mkdir()
    settings = FAST.settings(attributes={"offer": True}, receipt={"folder": str(tmp_path)})
    heard: list[str] = []
    with Bench(settings, made_state, people=[load_person("age45")], today=TODAY) as bench:
        bench.terminal.subscribe_events(lambda told: heard.append(repr(told)))
        driver = VisitDriver(bench)
        driver.begin(driver.card(), hold=State.ATTRIBUTE_SIGN)
        driver.wait(State.ATTRIBUTE_SIGN)
        for character in "QZ":
            bench.terminal.submit(flow.SigningKey(character))
        seen = driver.wait_at(lambda now: now.signing_characters == 2, "two characters")
        assert "QZ" not in seen.to_json()
    assert heard
    assert not any("SigningKey" in event for event in heard)
    assert repr(flow.SigningKey("Q")) == "SigningKey()"
