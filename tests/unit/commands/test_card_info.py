"""``card-info``: what it tells of a card, that no try is spent, and that nothing personal is printed unasked."""

import json
from pathlib import Path

import pytest

from hardware.card import CardChannel, Presence
from hardware.card.examination import CardReport, examine
from hardware.card.pcsc import PcscReader
from hardware.simulation.pcscd import READER
from hardware.simulation.virtual_card import QuirkyCard, SmartCard, VirtualReader, foreign_card
from reception.__main__ import main
from reception.commands.card_info import lines
from tests.support import cards
from tests.support.pcscd import running_pcscd

CODE_B = "55021720352285"


def opened(card: SmartCard) -> CardChannel:
    reader = VirtualReader()
    reader.insert(card)
    return reader.connect()


def report_of(card: SmartCard, code: str = "") -> CardReport:
    return examine(opened(card), cards.rules(), code)


def test_a_good_card_is_told_part_by_part() -> None:
    card = cards.card(pin_tries_left=2)
    report = report_of(card, CODE_B)
    assert (report.protocol, report.block_size) == ("T=1", 256)
    assert report.atr == "3B E0 00 FF 81 31 FE 45 14"
    assert (report.label, report.generation) == ("JPKIAPICCTOKEN2", "current (card, RSA-2048)")
    assert all(report.applications.values()) and len(report.applications) == 5
    own = report.certificates[0]
    assert (str(own.expires), own.key) == ("2030-12-06", "RSA-2048")
    assert report.certificate_sha256 == own.sha256 != ""
    assert report.tries_left["PIN of user authentication"] == "2"
    assert report.tries_left["照合番号B"] == "10"
    assert report.authority.startswith("9000023/001, for issuer 9000001/000: counts")
    assert "JP2 file, 240 x 320 px" in report.photo
    assert (report.photo_trust, report.pin_way, report.face_way) == ("genuine", "yes", "yes")
    assert card.pin_tries_left == 2


def test_nothing_that_the_holder_can_be_known_by_is_printed_unasked() -> None:
    report = report_of(cards.card(), CODE_B)
    printed = "\n".join(lines("reader", report, personal=False))
    assert "1980" not in printed and "2035-02-17" not in printed
    assert "19800217" in "\n".join(lines("reader", report, personal=True))


@pytest.mark.parametrize(
    ("card", "pin_way"),
    [
        (cards.card(kind="no-certificate"), "no: the card holds no user-authentication certificate"),
        (cards.card(pin_tries_left=0), "no: the PIN is blocked"),
        (cards.card(kind="face-only"), "no: the card has no PIN"),
        (foreign_card("payment"), "no: not a My Number card: payment"),
        (foreign_card("transit"), "no: not a My Number card: transit"),
        (foreign_card("juki"), "no: not a My Number card: juki"),
    ],
)
def test_what_a_terminal_cannot_use_is_told_with_the_reason(card: SmartCard, pin_way: str) -> None:
    report = report_of(card)
    assert report.pin_way == pin_way
    assert all("None" not in line for line in lines("reader", report, personal=True))


def test_a_wrong_code_is_told_with_its_tries_and_short_blocks_are_named() -> None:
    assert report_of(cards.card(), "0" * 14).face_way == "no: wrong match code, 9 tries left"
    assert report_of(QuirkyCard(cards.card(), "short-blocks")).block_size == 64


def test_the_command_prints_the_card_in_the_reader_and_writes_it_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_pcscd() as pcscd:
        pcscd.slot.insert(cards.card())
        assert PcscReader(READER).wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT
        file = tmp_path / "card.json"
        assert (
            main(
                ["--state", str(tmp_path), "card-info", "--reader", "virtual pcd 00 00", "--json", str(file)]
            )
            == 0
        )
        told = json.loads(file.read_text(encoding="utf-8"))
        assert told["reader"] == READER
        assert told["certificate_sha256"] in capsys.readouterr().out
        assert "personal" not in told
        assert main(["--state", str(tmp_path), "card-info", "--reader", "Identiv*"]) == 2
        assert "no reader is named Identiv*" in capsys.readouterr().err
        pcscd.slot.insert(foreign_card("mute"))
        assert PcscReader(READER).wait_for_change(Presence.EMPTY, 5) is not Presence.EMPTY
        assert main(["--state", str(tmp_path), "card-info", "--reader", READER]) == 2
        assert capsys.readouterr().err.count("\n") == 1
