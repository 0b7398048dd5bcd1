"""Whether a photo is believed: authority, issuer, record and chip; every link broken once."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from config import ConfigError
from config.card_authorities import load_authorities
from config.person import Forgery
from hardware.card import CardRules, MyNumberCard, PhotoTrust
from hardware.card.authenticity import record_signed
from hardware.card.records import RsaKey, face_record
from hardware.simulation.virtual_card import VirtualCard, VirtualReader, forged_card
from hardware.simulation.virtual_card import contents as layout
from hardware.simulation.virtual_card.card import CARD_FACE
from hardware.simulation.virtual_card.contents import private_key
from hardware.simulation.virtual_card.files import Application, DataFile, KeyFile
from tests.support import cards

T = PhotoTrust
CODE_B = "55021720352285"
MADE_UP = rsa.generate_private_key(65537, 2048)


def believed(card: VirtualCard, rules: CardRules | None = None) -> PhotoTrust:
    reader = VirtualReader()
    reader.insert(card)
    terminal = MyNumberCard(reader.connect(), rules or cards.rules())
    terminal.read()
    return terminal.read_face(CODE_B)[1]


def faced(**changes: object) -> VirtualCard:
    """A genuine card with other things in its card-face application: files f01.., or ``chip``."""
    card = cards.card()
    own = card._applications[CARD_FACE]
    files = {**own.files}
    for name, value in changes.items():
        if name.startswith("f"):
            files[int(name[1:], 16)] = value  # type: ignore[assignment]
    chip = changes.get("chip", own.challenge_key)
    application = Application(files, challenge_key=chip)  # type: ignore[arg-type]
    card._applications = {**card._applications, CARD_FACE: application}
    return card


def record(key: rsa.RSAPrivateKey, chip: rsa.RSAPrivateKey) -> DataFile:
    return DataFile(layout.face_record(cards.card().contents, key, chip), frozenset({0x12, 0x13}))


ISSUER = private_key(cards.credentials().face_key_pem)
CHIP = private_key(cards.credentials().chip_key_pem)
AUTHORITY = private_key(cards.credentials().card_authority_pem)
AUTHORITY_ID = cards.credentials().card_authority_id


def certificate(key: rsa.RSAPrivateKey, authority: rsa.RSAPrivateKey | None, key_id: bytes) -> DataFile:
    return DataFile(layout.card_verifiable_certificate(key, authority, key_id))


def changed(file: int, at: int) -> DataFile:
    original = cards.card()._applications[CARD_FACE].files[file]
    assert isinstance(original, DataFile)
    data = bytearray(original.data)
    data[at] ^= 1
    return replace(original, data=bytes(data))


CARDS: dict[str, tuple[Callable[[], VirtualCard], PhotoTrust]] = {
    "genuine": (cards.card, T.GENUINE),
    "chip made up": (lambda: faced(chip=KeyFile(MADE_UP)), T.CHIP_UNPROVEN),
    "chip refuses": (lambda: faced(chip=None), T.CHIP_UNPROVEN),
    "chip's key changed in the record": (lambda: faced(f02=record(ISSUER, MADE_UP)), T.CHIP_UNPROVEN),
    "another genuine chip": (lambda: faced(chip=KeyFile(ISSUER)), T.CHIP_UNPROVEN),
    "record signed by the chip": (lambda: faced(f02=record(CHIP, CHIP)), T.FORGED),
    "record signed by a made-up key": (lambda: faced(f02=record(MADE_UP, CHIP)), T.FORGED),
    "certificate by itself": (lambda: faced(f04=certificate(MADE_UP, None, AUTHORITY_ID)), T.FORGED),
    "certificate of another key by its authority": (
        lambda: faced(f04=certificate(MADE_UP, AUTHORITY, AUTHORITY_ID)),
        T.FORGED,
    ),
    "authority nobody knows": (
        lambda: faced(f04=certificate(ISSUER, AUTHORITY, b"7" * 16)),
        T.AUTHORITY_UNKNOWN,
    ),
    "authority's name but for the last byte": (
        lambda: faced(f04=certificate(ISSUER, AUTHORITY, AUTHORITY_ID[:-1] + b"\xa8")),
        T.AUTHORITY_UNKNOWN,
    ),
    "certificate empty": (lambda: faced(f04=DataFile(b"")), T.FORGED),
    "certificate of FF": (lambda: faced(f04=DataFile(b"\xff" * 600)), T.FORGED),
    "certificate with filler": (
        lambda: faced(
            f04=DataFile(layout.card_verifiable_certificate(ISSUER, AUTHORITY, AUTHORITY_ID) + b"\xff" * 64)
        ),
        T.GENUINE,
    ),
}


@pytest.mark.parametrize("at", [8, 20, 40, 60, 200, 330, 500])
def test_a_certificate_with_one_bit_changed_is_not_believed(at: int) -> None:
    assert believed(faced(f04=changed(4, at))) is not T.GENUINE


@pytest.mark.parametrize("name", CARDS)
def test_a_photo_is_believed_only_of_a_genuine_card(name: str) -> None:
    card, trust = CARDS[name]
    assert believed(card()) is trust


@pytest.mark.parametrize("forgery", [forgery for forgery in get_args(Forgery) if forgery])
def test_no_forged_card_is_believed(forgery: Forgery) -> None:
    contents, forger = cards.card().contents, cards.card("forger").contents
    if forgery == "authority-expired":
        rules = replace(
            cards.rules(), authorities=[replace(cards.rules().authorities[0], ends=date(2025, 1, 1))]
        )
        assert believed(forged_card(contents, forgery, forger), rules) is T.AUTHORITY_EXPIRED
        return
    rules = cards.rules(proof_limit_s=0.5) if forgery == "relayed" else cards.rules()
    found = believed(forged_card(contents, forgery, forger), rules)
    expected = {
        "cloned": T.CHIP_UNPROVEN,
        "photo-re-signed": T.FORGED,
        "authority-unknown": T.AUTHORITY_UNKNOWN,
        "relayed": T.CHIP_LATE,
        # Genuine in itself; that it is another person's is for the server to see.
        "photo-of-another": T.GENUINE,
    }
    assert found is expected[forgery]


def test_an_authority_counts_from_its_first_day_to_its_last() -> None:
    authority = replace(cards.rules().authorities[0], begins=date(2026, 4, 1), ends=date(2026, 4, 3))
    days = {day: replace(cards.rules(), authorities=[authority], today=date(2026, 4, day)) for day in (1, 3)}
    for rules in days.values():
        assert believed(cards.card(), rules) is T.GENUINE
    for outside in (date(2026, 3, 31), date(2026, 4, 4)):
        assert believed(cards.card(), replace(days[1], today=outside)) is T.AUTHORITY_EXPIRED


def test_without_any_authority_no_photo_is_believed() -> None:
    assert believed(cards.card(), CardRules(today=date(2026, 4, 1))) is T.AUTHORITY_UNKNOWN


def test_a_chip_that_is_late_once_is_asked_again_and_one_that_is_late_twice_is_not_believed() -> None:
    for late, trust in ((1, T.GENUINE), (4, T.CHIP_LATE)):
        card, left = cards.card(), [late]

        class Slow:
            atr, pin_tries_left = card.atr, 3

            def power_off(self) -> None:
                pass

            def process(self, apdu: bytes, card: VirtualCard = card, left: list[int] = left) -> bytes:
                if apdu[1] == 0x2A and left[0]:
                    left[0] -= 1
                    time.sleep(0.4)
                return card.process(apdu)

        assert believed(Slow(), cards.rules(proof_limit_s=0.3)) is trust  # type: ignore[arg-type]


def test_each_proof_is_over_a_challenge_of_its_own() -> None:
    card, signed = cards.card(), set[bytes]()
    original = card.process

    def watched(apdu: bytes) -> bytes:
        if apdu[1] == 0x2A:
            signed.add(apdu)
        return original(apdu)

    card.process = watched  # type: ignore[method-assign]
    assert believed(card) is T.GENUINE
    assert believed(card) is T.GENUINE
    assert len(signed) == 4


def test_the_record_is_signed_as_on_real_cards_over_three_digests_in_one_digest_info() -> None:
    own = face_record(layout.face_record(cards.card().contents, ISSUER, CHIP))
    numbers = ISSUER.public_key().public_numbers()
    key = RsaKey(numbers.e, numbers.n)
    assert record_signed(own, key)
    block = pow(int.from_bytes(own.signature), key.exponent, key.modulus).to_bytes(256)
    assert block.endswith(bytes.fromhex("3071300D060960864801650304020105000460") + own.digests)
    assert not record_signed(replace(own, digests=own.digests[::-1]), key)
    assert not record_signed(replace(own, signature=own.signature[:-1]), key)


# --- The file of authorities ------------------------------------------------------------------------------------


def test_the_shipped_authority_is_the_one_of_the_card_face_with_its_source() -> None:
    (authority,) = load_authorities()
    assert authority.id_bytes() == b"5000023\x08\x05001\0\0\0\0"
    assert authority.modulus_number().bit_length() == 2048
    assert "soltia48/myna-card" in authority.source
    assert authority.ends is None


SOUND = """
[[authority]]
name = "a"
key_id = "35303030303233080530303100000000"
modulus = "{modulus}"
begins = 2024-01-01
source = "somebody"
"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SOUND.format(modulus="C" * 511 + "\\u00e9"), "authority[1].modulus"),
        (SOUND.format(modulus="AB"), "authority[1].modulus"),
        (
            SOUND.format(modulus="C" * 512).replace("begins = 2024-01-01\n", ""),
            "authority[1].begins: is missing",
        ),
        (
            SOUND.format(modulus="C" * 512).replace('source = "somebody"\n', ""),
            "authority[1].source: is missing",
        ),
        (SOUND.format(modulus="C" * 512) * 2, "authority[2].key_id: is another authority's, too"),
        (SOUND.format(modulus="C" * 512) + "ends = 2023-01-01\n", "authority[1].ends: is before it begins"),
        (SOUND.format(modulus="C" * 512) + 'colour = "red"\n', "authority[1].colour: is not a known key"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_key(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "authorities.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as told:
        load_authorities(path)
    assert complaint in str(told.value)
