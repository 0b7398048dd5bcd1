"""The virtual card's status words and files, and what OpenSC, which knows nothing of us, makes of it."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from config.person import load_person, shipped_people
from hardware.card import MyNumberCard, NoCertificate, Presence, records
from hardware.card.pcsc import PcscReader
from hardware.simulation.pcscd import READER, PcscdBench
from hardware.simulation.virtual_card import VirtualCard, VirtualReader, card_for
from tests.support import cards
from tests.support.pcscd import running_pcscd

JPKI = "00A4040C0AD392F000260100000001"
FACE = "00A4040C0AD3921000310001010402"
TEXT = "00A4040C0AD3921000310001010408"
COMMON = "00A4040C0AD3921000310001010100"
JUKI = "00A4040C0AD3921000310001010401"
SHA256 = bytes.fromhex("3031300D060960864801650304020105000420")


def talk(card: VirtualCard, *commands: str) -> list[str]:
    """Send commands in hexadecimal; return the answers likewise."""
    return [card.process(bytes.fromhex(command)).hex().upper() for command in commands]


def status(card: VirtualCard, *commands: str) -> str:
    """Send commands and return the last one's status word."""
    return talk(card, *commands)[-1][-4:]


def verify(reference: str, value: str) -> str:
    return f"002000{reference}{len(value):02X}{value.encode().hex()}"


class TestStatusWords:
    @pytest.mark.parametrize(
        ("commands", "expected"),
        [
            (["00A4040C0AD39200000000000000FF"], "6A82"),
            (["00A40000"], "6A86"),
            ([JPKI, "00A40000"], "9000"),
            (["00A4020C02000A"], "6A82"),
            ([JPKI, "00A4020C02000A"], "9000"),
            ([JPKI, "00A4020C020099"], "6A82"),
            ([JPKI, "00A4020C010A"], "6700"),
            (["00B0000000"], "6986"),
            ([JPKI, "00B0000000"], "6986"),
            ([JPKI, "00B0990000"], "6A82"),
            ([JPKI, "00A4020C020018", "00B0000000"], "6981"),
            ([JPKI, "00B08A00"], "6700"),
            ([JPKI, "00B08A0000", "00B07FFF00"], "6B00"),
            ([JPKI, "00B0810000"], "6982"),
            ([JPKI, "0020008A"], "6981"),
            ([JPKI, "00200198"], "6A86"),
            ([JPKI, "00200098"], "63C3"),
            ([JPKI, "0020009B"], "63C5"),
            ([JPKI, "802A009714" + "00" * 20 + "00"], "6982"),
            ([JPKI, verify("98", "1234"), "802A069714" + "00" * 20 + "00"], "6A86"),
            ([JPKI, verify("98", "1234"), "802A029714" + "00" * 20 + "00"], "6985"),
            ([JPKI, "80A20000"], "6A86"),
            ([JPKI, "0024018004" + "31" * 4], "6986"),
            ([JPKI, "00A4020C020018", "0024018004" + "31" * 4], "6982"),
            ([JPKI, "00A4020C020016"], "9000"),
            ([JPKI, "00B0960000"], "6981"),
            ([JPKI, "802A009614" + "00" * 20 + "00"], "6981"),
            ([TEXT, "80A20000"], "6D00"),
            ([JPKI, "802A009D14" + "00" * 20 + "00"], "6A88"),
            ([JPKI, "00A4020C020018", verify("80", "1234"), "0024018003" + "31" * 3], "6A80"),
            ([JPKI, "00A4020C020018", verify("80", "1234"), "8032008004" + "31" * 4], "6981"),
            ([COMMON, "00A4020C02001C", "8032008004" + "31" * 4], "6982"),
            ([COMMON, "00A4020C02001C", verify("80", "1234"), "8032008004" + "31" * 4], "9000"),
            ([COMMON, "00A4020C02001C", verify("80", "1234"), "0024018004" + "31" * 4], "6981"),
            ([COMMON, "00B2010400"], "6986"),
            ([COMMON, "00A4020C020001", "00B2010400"], "9000"),
            ([JUKI, "0020009C"], "63C3"),
            ([JUKI, "00B0820000"], "6982"),
            ([JUKI, verify("9C", "1234"), "00B0820000"], "9000"),
            ([COMMON, "00B2010C00"], "9000"),
            ([COMMON, "00B2020C00"], "6A83"),
            ([TEXT, "00200092"], "63C0"),
            ([TEXT, verify("92", "1234")], "6984"),
            (["00CADF3005"], "6D00"),
            (["00CB3FFF035C017E08"], "6D00"),
            (["01A4040000"], "6881"),
            (["0CA4040000"], "6882"),
            (["A0A4000002"], "6E00"),
            (["00A4"], "6700"),
            (["00A4040C05D392"], "6700"),
            (["00A4040C00000102"], "6700"),
        ],
    )
    def test_each_refusal_has_its_word(self, commands: list[str], expected: str) -> None:
        assert status(cards.card(), *commands) == expected

    def test_the_pin_counter_is_true_and_blocks(self) -> None:
        card = cards.card()
        wrong, right = verify("98", "0000"), verify("98", "1234")
        answers = talk(card, JPKI, wrong, wrong, right, wrong, wrong, wrong, wrong, right, "00200098")
        assert answers[1:] == ["63C2", "63C1", "9000", "63C2", "63C1", "63C0", "6984", "6984", "63C0"]
        assert card.pin_tries_left == 0

    def test_a_blocked_pin_stays_blocked_without_power(self) -> None:
        card = cards.card(pin_tries_left=0)
        card.power_off()
        assert status(card, JPKI, verify("98", "1234")) == "6984"

    def test_a_verified_pin_outlives_selections_and_ends_with_the_power(self) -> None:
        card = cards.card()
        sign = "802A009714" + "00" * 20 + "00"
        assert status(card, JPKI, verify("98", "1234"), FACE, JPKI, sign) == "9000"
        card.power_off()
        assert status(card, sign) == "6986"
        assert status(card, JPKI, sign) == "6982"

    def test_a_wrong_pin_takes_back_what_a_right_one_gave(self) -> None:
        sign = "802A009714" + "00" * 20 + "00"
        assert status(cards.card(), JPKI, verify("98", "1234"), verify("98", "0000"), sign) == "6982"

    def test_a_pin_can_be_changed_after_it_was_verified(self) -> None:
        card = cards.card()
        change = "0024018004" + b"4321".hex()
        assert status(card, JPKI, "00A4020C020018", verify("80", "1234"), change) == "9000"
        assert status(card, verify("80", "1234")) == "63C2"
        assert status(card, verify("80", "4321")) == "9000"

    def test_every_method_of_signing(self) -> None:
        card = cards.card()
        certificate = x509.load_der_x509_certificate(cards.credentials().certificate)
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        message = b"message"
        digest = hashlib.sha256(message).digest()
        talk(card, JPKI, verify("98", "1234"))

        def signature(method: int, data: bytes) -> bytes:
            answer = card.process(bytes([0x80, 0x2A, method, 0x97, len(data)]) + data + b"\x00")
            assert answer[-2:] == b"\x90\x00"
            return answer[:-2]

        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        for method, data in ((0, SHA256 + digest), (2, digest), (3, message)):
            key.verify(signature(method, data), message, padding.PKCS1v15(), hashes.SHA256())
        for method, data in ((4, digest), (5, message)):
            key.verify(signature(method, data), message, pss, hashes.SHA256())
        for data in (b"any bytes", SHA256[:-4] + digest):
            assert key.recover_data_from_signature(signature(0, data), padding.PKCS1v15(), None) == data
        assert key.recover_data_from_signature(signature(1, message), padding.PKCS1v15(), None) == digest


class TestFiles:
    def test_token_info_has_160_bytes_and_names_the_medium(self) -> None:
        labels = {
            "standard": "JPKIAPICCTOKEN2",
            "phone-android": "JPKIAPGPSETOKEN",
            "phone-ios": "JPKIAPIOSTOKEN",
        }
        for kind, label in labels.items():
            info = cards.card(kind=kind)
            answer = talk(info, JPKI, "00B0860000")[-1]
            data = bytes.fromhex(answer)[:-2]
            assert len(data) == 160
            assert records.token_label(data) == label

    def test_which_certificates_are_present(self) -> None:
        assert talk(cards.card(), JPKI, "00B0880003")[-1] == "8F8F009000"

    def test_the_signature_certificate_wants_its_password(self) -> None:
        card = cards.card()
        assert status(card, JPKI, "00B0810000") == "6982"
        assert status(card, verify("9B", "ABC123"), "00B0810000") == "9000"

    def test_face_only_cards_have_no_pin_file(self) -> None:
        card = cards.card(kind="face-only")
        assert status(card, JPKI, "00A4020C020018") == "6A82"
        assert card.pin_tries_left is None

    def test_phones_have_neither_face_nor_text(self) -> None:
        for application in (FACE, TEXT, COMMON, JUKI):
            assert status(cards.card(kind="phone-ios"), application) == "6A82"

    def test_offsets_of_the_face_record_point_to_its_fields(self) -> None:
        record = self._read(cards.card(), FACE, verify("92", "55021720352285"), file=0x02)
        table = records.tlv_items(records.tlv_items(record)[0].value)[0].value
        offsets = [int.from_bytes(table[at : at + 2]) for at in range(0, len(table), 2)]
        tags = [record[offset : offset + 2].hex().upper() for offset in offsets]
        assert tags == ["DF22", "DF23", "DF24", "DF25", "DF26", "DF27", "DF28", "DF29", "DF2A"]

    def test_what_each_code_opens_on_the_card_face(self) -> None:
        codes = {"91": "550217", "92": "55021720352285", "93": "000000000000"}
        opened = {}
        for reference, value in codes.items():
            card = cards.card()
            talk(card, FACE, verify(reference, value))
            opened[reference] = [
                file for file in range(1, 6) if status(card, f"00B0{0x80 | file:02X}0000") == "9000"
            ]
        assert opened == {"91": [1, 3, 4], "92": [2, 3, 4], "93": [2, 3, 4, 5]}

    def test_what_each_code_opens_of_the_text(self) -> None:
        codes = {"91": "1234", "94": "000000000000", "95": "55021720352285"}
        opened = {}
        for reference, value in codes.items():
            card = cards.card()
            talk(card, TEXT, verify(reference, value))
            opened[reference] = [
                file for file in range(1, 6) if status(card, f"00B0{0x80 | file:02X}0000") == "9000"
            ]
        assert opened == {"91": [1, 2, 3, 4, 5], "94": [1, 3, 4, 5], "95": [2, 3, 4, 5]}

    def test_the_text_record_holds_the_four_attributes_and_hashes_match(self) -> None:
        card = cards.card()
        record = self._read(card, TEXT, verify("91", "1234"), file=0x02)
        fields = {item.tag: item.value for item in records.tlv_items(records.tlv_items(record)[0].value)}
        assert fields[0xDF22].decode() == "試験 花子"
        assert fields[0xDF24] == b"19800217"
        number = bytes.fromhex(talk(card, "00B0810000")[-1])[:-2]
        assert len(number) == 17
        signed = self._read(card, TEXT, verify("91", "1234"), file=0x03)
        digests = {item.tag: item.value for item in records.tlv_items(records.tlv_items(signed)[0].value)}
        assert digests[0xDF31] == hashlib.sha256(number).digest()
        assert digests[0xDF32] == hashlib.sha256(record).digest()

    def test_the_common_application_tells_the_expiry(self) -> None:
        answer = bytes.fromhex(talk(cards.card(), COMMON, "00B2010C00")[-1])
        assert answer[:2] == b"\x01\x1c"
        assert answer[22:30] == b"20350217"

    def test_the_chip_proves_its_presence_without_a_pin(self) -> None:
        card = cards.card()
        challenge = SHA256 + hashlib.sha256(b"challenge").digest()
        talk(card, FACE)
        assert len(card.process(b"\x80\x2a\x00\x00" + bytes([len(challenge)]) + challenge + b"\x00")) == 258

    def _read(self, card: VirtualCard, *commands: str, file: int) -> bytes:
        talk(card, *commands)
        data = bytes.fromhex(talk(card, f"00B0{0x80 | file:02X}0000")[-1])[:-2]
        while len(data) < records.tlv_size(data):
            data += bytes.fromhex(talk(card, f"00B0{len(data):04X}00")[-1])[:-2]
        return data


def test_a_persons_card_is_made_from_the_person_file() -> None:
    for name in shipped_people():
        person = load_person(name)
        if person.card.is_foreign:
            continue
        card = card_for(person, cards.credentials(), cards.jp2())
        assert card.contents.kind == person.card.kind
        reader = VirtualReader()
        reader.insert(card)
        terminal = MyNumberCard(reader.connect())
        if person.card.kind == "no-certificate":
            with pytest.raises(NoCertificate):
                terminal.read()
            continue
        facts = terminal.read()
        has_pin = person.card.kind not in ("face-only", "phone-ios")
        assert facts.pin_tries_left == (person.card.pin_tries_left if has_pin else None)


def test_nothing_of_a_card_is_shown_by_repr() -> None:
    shown = repr(cards.card().contents) + repr(cards.credentials())
    for secret in ("1234", "ABC123", "2285", "試験", "千代田", "1980", "PRIVATE KEY"):
        assert secret not in shown


@dataclass(frozen=True)
class OpenSc:
    """OpenSC's programs on a card behind pcscd."""

    pcscd: PcscdBench
    folder: Path

    def run(self, *command: str, may_fail: bool = False) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, timeout=60, check=not may_fail
        )
        return done.stdout + done.stderr

    def verify(self, certificate: bytes, message: Path, signature: Path) -> str:
        der = self.folder / "certificate.der"
        der.write_bytes(certificate)
        self.run("openssl", "x509", "-inform", "DER", "-in", str(der), "-noout", "-pubkey", "-out", "key.pem")
        return self.run(
            "openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", str(signature), str(message)
        )


@pytest.fixture
def opensc(tmp_path: Path) -> Iterator[OpenSc]:
    with running_pcscd() as pcscd:
        if shutil.which("pkcs15-tool") is None:
            pytest.skip("OpenSC is not installed: apt install opensc")
        yield OpenSc(pcscd, tmp_path)


def der(output: str) -> bytes:
    """Return the certificate that a program has printed."""
    pem = output.encode()
    certificate = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN") :])
    return certificate.public_bytes(serialization.Encoding.DER)


def insert(opensc: OpenSc, card: VirtualCard) -> VirtualCard:
    opensc.pcscd.slot.insert(card)
    assert PcscReader(READER).wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT
    return card


class TestOpenSc:
    """An independent client cannot tell the virtual card from a real one."""

    def test_it_names_the_card_without_a_hint(self, opensc: OpenSc) -> None:
        insert(opensc, cards.card())
        assert "jpki" in opensc.run("opensc-tool", "-n").splitlines()

    def test_it_lists_certificates_pins_and_keys(self, opensc: OpenSc) -> None:
        insert(opensc, cards.card())
        dump = opensc.run("pkcs15-tool", "--dump")
        assert len(re.findall(r"^X\.509 Certificate", dump, re.MULTILINE)) == 4
        assert re.findall(r"Tries left\s*:\s*(\d)", dump) == ["3", "5"]
        assert len(re.findall(r"^Private RSA Key", dump, re.MULTILINE)) == 2

    def test_it_reads_the_certificates_byte_for_byte_the_one_for_signatures_with_its_password_only(
        self, opensc: OpenSc
    ) -> None:
        insert(opensc, cards.card())
        read = ("pkcs15-tool", "--read-certificate")
        own = cards.credentials()
        assert der(opensc.run(*read, "01")) == own.certificate
        assert "BEGIN CERTIFICATE" not in opensc.run(*read, "02", may_fail=True)
        by_password = ("--verify-pin", "--auth-id", "02", "--pin", "ABC123")
        assert der(opensc.run(*read, "02", *by_password)) == own.signature_certificate

    def test_its_pin_checks_count_as_ours(self, opensc: OpenSc) -> None:
        card = insert(opensc, cards.card())
        said = opensc.run("pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "0000", may_fail=True)
        assert "incorrect" in said
        assert card.pin_tries_left == 2
        opensc.run("pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "1234")
        assert card.pin_tries_left == 3

    def test_a_blocked_pin_shows_as_locked(self, opensc: OpenSc) -> None:
        insert(opensc, cards.card(pin_tries_left=0))
        assert re.findall(r"Tries left\s*:\s*(\d)", opensc.run("pkcs15-tool", "--list-pins")) == ["0", "5"]
        slots = opensc.run("pkcs11-tool", "--list-slots")
        assert "user PIN locked" in slots

    def test_openssl_verifies_what_it_signs_with_both_keys(self, opensc: OpenSc) -> None:
        insert(opensc, cards.card())
        own = cards.credentials()
        message = opensc.folder / "message"
        message.write_bytes(b"challenge of the day")
        for slot, pin, key, certificate in (
            ("0", "1234", "01", own.certificate),
            ("1", "ABC123", "02", own.signature_certificate),
        ):
            signature = opensc.folder / f"signature{slot}"
            opensc.run(
                *("pkcs11-tool", "--slot-index", slot, "--login", "--pin", pin, "--sign", "--id", key),
                *("--mechanism", "SHA256-RSA-PKCS", "-i", str(message), "-o", str(signature)),
            )
            assert "Verified OK" in opensc.verify(certificate, message, signature)

    def test_our_terminal_signs_what_openssl_verifies(self, opensc: OpenSc) -> None:
        insert(opensc, cards.card())
        channel = PcscReader(READER).connect()
        patient = MyNumberCard(channel)
        certificate = patient.read().certificate
        patient.verify_pin(bytearray(b"1234"))
        message, signature = opensc.folder / "message", opensc.folder / "signature"
        message.write_bytes(b"challenge")
        signature.write_bytes(patient.sign(b"challenge"))
        channel.close()
        assert "Verified OK" in opensc.verify(certificate, message, signature)
