"""The measurement of the card beside OpenSC: what it is sent, what is told of it, and what it needs."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hardware.simulation.pcscd import BenchError
from reception.__main__ import main
from reception.testing.benchmarks import card as measured
from reception.testing.benchmarks import needs
from reception.testing.benchmarks.card import ObservedCard
from tests.support import cards
from tests.support.pcscd import running_pcscd

PIN = "1234"


@dataclass(frozen=True)
class Run:
    """One short run of the command."""

    figures: list[dict[str, Any]]
    said: list[str]

    @property
    def commands(self) -> list[str]:
        """What our driver sent."""
        sent: list[str] = self.figures[0]["commands"]
        return sent


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two rounds, measured once for all tests. Skips where pcscd or OpenSC cannot be had."""
    with running_pcscd():
        pass
    try:
        with measured.opensc():
            pass
    except BenchError as error:
        pytest.skip(str(error))
    said: list[str] = []
    return Run(measured.pin_route(tmp_path_factory.mktemp("state"), 2, said.append), said)


def test_both_drivers_are_measured_and_compared(run: Run) -> None:
    ours, theirs, hinted = run.figures
    assert [row["driver"] for row in run.figures] == ["ours", "OpenSC", "OpenSC, told the kind of card"]
    assert ours["ratio"] == 1.0
    assert theirs["ratio"] == pytest.approx(theirs["ms"] / ours["ms"], abs=0.1)
    assert all(0 < row["rsa_ms"] <= row["card_ms"] < row["ms"] <= row["p95_ms"] for row in run.figures)
    assert ours["apdus"] < hinted["apdus"] < theirs["apdus"]


def test_our_driver_needs_at_most_fourteen_commands(run: Run) -> None:
    assert run.figures[0]["apdus"] == len(run.commands) <= 14
    listed = [line.split(maxsplit=1)[1] for line in run.said if re.match(r"  +\d+ ", line)]
    assert listed == run.commands


def test_the_certificate_is_read_in_the_largest_blocks_and_looked_at_again_by_its_first(run: Run) -> None:
    reads = [line for line in run.commands if "READ BINARY" in line]
    certificate, looks = reads[1:-2], reads[-2:]
    assert all("Le=256 -> 256 bytes" in line for line in certificate[:-1])
    assert looks == [certificate[0]] * 2
    # One just before the tries and the PIN, one after the signature.
    assert [line.rsplit(maxsplit=1)[-1] for line in run.commands[-6:]] == (
        ["VERIFY", "BINARY", "VERIFY", "VERIFY", "SIGN", "BINARY"]
    )


def test_the_pin_is_sent_once_and_told_nowhere(run: Run) -> None:
    assert [line for line in run.commands if "XX" in line] == [
        "00 20 00 98 Lc=4 XXXXXXXX -> 0 bytes 9000  VERIFY"
    ]
    told = "\n".join(run.said) + json.dumps(run.figures)
    assert PIN.encode().hex() not in told.replace(" ", "")
    assert PIN not in told


def test_an_observed_card_answers_as_the_card_itself_and_masks_every_pin() -> None:
    observed, plain = ObservedCard(cards.card()), cards.card()
    assert (observed.atr, observed.pin_tries_left) == (plain.atr, plain.pin_tries_left)
    select = bytes.fromhex("00A4040C0AD392F000260100000001")
    wrong = bytes.fromhex("0020009804") + b"9876"
    change = bytes.fromhex("0024018004") + b"9876"
    for apdu in (select, wrong, change):
        assert observed.process(apdu) == plain.process(apdu)
    assert observed.pin_tries_left == plain.pin_tries_left == 2
    assert observed.commands[0].startswith("00 A4 04 0C Lc=10 D392F000260100000001 -> 0 bytes 9000  SELECT")
    assert [line.split(" -> ")[0] for line in observed.commands[1:]] == [
        "00 20 00 98 Lc=4 XXXXXXXX",
        "00 24 01 80 Lc=4 XXXXXXXX",
    ]


def test_without_opensc_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(needs, "_OPENSC", (str(tmp_path / "*.so"),))
    assert main(["--state", str(tmp_path), "bench", "card"]) == 2
    assert capsys.readouterr().err.strip().endswith("is not installed: apt install opensc")


def test_opensc_is_asked_in_the_same_environment_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("OPENSC_DRIVER", "of the user")
    try:
        with measured.opensc():
            assert "OPENSC_DRIVER" not in os.environ
    except BenchError as error:
        pytest.skip(str(error))
    assert os.environ["OPENSC_DRIVER"] == "of the user"
