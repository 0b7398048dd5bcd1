"""``./run card``: who was given a new certificate comes with it."""

from pathlib import Path
from typing import Any

import pytest

from hardware.card.examination import examine
from hardware.simulation import virtual_card
from hardware.simulation.virtual_card import SmartCard, VirtualReader
from reception.__main__ import main
from tests.support import cards

PERSON = "age45"


def test_a_renewed_card_comes_with_its_new_certificate(
    tmp_path: Path, made_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates: list[str] = []

    def attach(card: SmartCard, *_: Any) -> None:
        reader = VirtualReader()
        reader.insert(card)
        certificates.append(examine(reader.connect(), cards.rules()).certificate_sha256)

    monkeypatch.setattr(virtual_card, "attach_to_vpcd", attach)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    where = ["--state", str(made_state), "--database", f"sqlite:///{tmp_path / 'eligibility.sqlite'}"]
    assert main(["card", PERSON, *where]) == 0
    assert main(["card", PERSON, *where]) == 0
    assert main(["authority", "renew", PERSON, *where]) == 0
    assert main(["card", PERSON, *where]) == 0
    first, again, renewed = certificates
    assert first == again != renewed
