"""The test authority: the same keys for everyone who asks, chains that verify, nobody's data, damage told."""

import shutil
import stat
import subprocess
import sys
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from config import ConfigError
from config.person import Person, load_person
from consent.enrolment import state_files
from consent.enrolment.state_files import StateDamaged, StateError
from consent.server import certificates
from consent.server.certificates import Authority, IssuedCard
from hardware.simulation.virtual_card import CardCredentials
from tests.support import ROOT

PERSON = load_person("age45")


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IssuedCard]:
    """A state folder with the everyday person's card in it."""
    state = tmp_path_factory.mktemp("authority") / "state"
    return state, Authority(state).issue(PERSON)


@pytest.fixture
def state(issued: tuple[Path, IssuedCard], tmp_path: Path) -> Path:
    """A copy of that folder, for a test to spoil."""
    return shutil.copytree(issued[0], tmp_path / "state")


@pytest.fixture
def no_new_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> rsa.RSAPrivateKey:
        raise AssertionError("a key was made again")

    monkeypatch.setattr(certificates, "new_key", refuse)
    monkeypatch.setattr(state_files, "new_key", refuse)


def public_key_of(pem: bytes) -> object:
    return serialization.load_pem_private_key(pem, None).public_key()


@pytest.mark.usefixtures("no_new_keys")
def test_another_authority_on_the_same_state_issues_the_same_card(issued: tuple[Path, IssuedCard]) -> None:
    state, card = issued
    authority = Authority(state)
    assert authority.issue(PERSON) == card
    assert authority.issue(PERSON) == card
    assert authority.certificate_for(PERSON) == card.certificate


@pytest.mark.usefixtures("no_new_keys")
def test_pin_tries_and_insurance_do_not_change_the_card_keys(issued: tuple[Path, IssuedCard]) -> None:
    other = replace(PERSON, card=replace(PERSON.card, pin="9999", pin_tries_left=1))
    other = replace(other, insurance=replace(PERSON.insurance, validity="invalid"))
    assert Authority(issued[0]).issue(other) == issued[1]


def test_another_identity_has_another_certificate(state: Path, issued: tuple[Path, IssuedCard]) -> None:
    namesake = replace(PERSON, birth_date=date(1980, 6, 18))
    assert Authority(state).certificate_for(namesake) != issued[1].certificate


def test_processes_that_ask_at_once_get_the_same(tmp_path: Path) -> None:
    ask = (
        "import sys; from pathlib import Path; from config.person import load_person\n"
        "from consent.server.certificates import Authority\n"
        "authority = Authority(Path(sys.argv[1])); sys.stdin.readline()\n"
        "print(authority.certificate_for(load_person('age39')).hex())\n"
        "print(authority.enrol_terminal('t1').private_key.private_numbers().d)"
    )
    command = [sys.executable, "-c", ask, str(tmp_path / "state")]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=50)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert not list((tmp_path / "state").rglob(".new-*"))


def test_keys_and_certificates_belong_together(issued: tuple[Path, IssuedCard]) -> None:
    _, card = issued
    for certificate, key in (
        (card.certificate, card.private_key_pem),
        (card.signature_certificate, card.signature_private_key_pem),
    ):
        assert x509.load_der_x509_certificate(certificate).public_key() == public_key_of(key)
    public_key_of(card.face_key_pem)


def test_an_issued_card_has_the_fields_of_a_virtual_cards_credentials() -> None:
    assert [item.name for item in fields(IssuedCard)] == [item.name for item in fields(CardCredentials)]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
def test_openssl_verifies_the_chains_and_only_these(issued: tuple[Path, IssuedCard], tmp_path: Path) -> None:
    _, card = issued

    def verifies(certificate: bytes, ca: bytes) -> bool:
        for name, der in (("holder", certificate), ("ca", ca)):
            pem = x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
            (tmp_path / f"{name}.pem").write_bytes(pem)
        moment = str(int(datetime(2026, 4, 1, tzinfo=UTC).timestamp()))
        command = ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-attime", moment]
        command += ["-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "holder.pem")]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert verifies(card.certificate, card.ca_certificate)
    assert verifies(card.signature_certificate, card.signature_ca_certificate)
    assert not verifies(card.certificate, card.signature_ca_certificate)


def test_only_the_user_authentication_ca_is_trusted_for_logins(issued: tuple[Path, IssuedCard]) -> None:
    state, card = issued
    trusted = [ca.public_bytes(serialization.Encoding.DER) for ca in Authority(state).trusted_cas()]
    assert trusted == [card.ca_certificate]
    ca = x509.load_der_x509_certificate(card.ca_certificate)
    assert (ca.not_valid_before_utc.year, ca.not_valid_after_utc.year) == (2015, 2055)


def test_a_certificate_ends_with_its_last_day_in_japan(issued: tuple[Path, IssuedCard]) -> None:
    certificate = x509.load_der_x509_certificate(issued[1].certificate)
    assert certificate.not_valid_after_utc == datetime(2030, 2, 17, 14, 59, 59, tzinfo=UTC)
    assert certificate.not_valid_before_utc == datetime(2025, 2, 16, 15, 0, 0, tzinfo=UTC)


def test_a_certificate_says_nothing_of_its_holder(issued: tuple[Path, IssuedCard]) -> None:
    surname, given = PERSON.name.split("\u3000")
    texts = [surname, given, PERSON.name_kana, PERSON.address, PERSON.id, PERSON.insurance.number, "yamada"]
    texts += [f"{PERSON.birth_date:{form}}" for form in ("%Y-%m-%d", "%Y%m%d", "%y%m%d")]
    for der in (issued[1].certificate, issued[1].signature_certificate):
        for encoding in ("utf-8", "utf-16-be", "cp932"):
            assert not [text for text in texts if text.encode(encoding).lower() in der.lower()]


def test_a_certificate_has_the_size_and_usage_of_a_real_one(issued: tuple[Path, IssuedCard]) -> None:
    certificate = x509.load_der_x509_certificate(issued[1].certificate)
    assert 1024 <= len(issued[1].certificate) <= 2048
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.content_commitment
    assert not usage.value.key_cert_sign


def test_a_child_has_no_signature_certificate(state: Path) -> None:
    card = Authority(state).issue(load_person("no-photo"))
    assert card.certificate
    assert (card.signature_certificate, card.signature_private_key_pem) == (b"", b"")


def test_only_the_owner_can_read_the_state(issued: tuple[Path, IssuedCard]) -> None:
    for path in [issued[0], *issued[0].rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_no_private_key_is_shown_by_repr(issued: tuple[Path, IssuedCard]) -> None:
    assert "PRIVATE KEY" not in repr(issued[1])


def changed(content: bytes, at: int) -> bytes:
    """One character of Base64 is another."""
    return content[:at] + (b"B" if content[at : at + 1] == b"A" else b"A") + content[at + 1 :]


@pytest.mark.parametrize(
    "damage", ["empty", "cut in the key", "cut in the certificate", "noise", "bit", "bit in the key"]
)
def test_a_damaged_file_is_named(state: Path, damage: str) -> None:
    path = next((state / "pki" / "people").glob("*-user-authentication.pem"))
    content = path.read_bytes()
    middle = content.index(b"CERTIFICATE") + 400
    path.write_bytes(
        {
            "empty": b"",
            "cut in the key": content[:700],
            "cut in the certificate": content[:-300],
            "noise": bytes(range(256)) * 8,
            "bit": changed(content, middle),
            "bit in the key": changed(content, 800),
        }[damage]
    )
    with pytest.raises(StateDamaged) as caught:
        Authority(state).issue(PERSON)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_certificate_of_a_lost_ca_is_told(state: Path) -> None:
    pki = state / "pki"
    shutil.copy(pki / "digital-signature-ca.pem", pki / "user-authentication-ca.pem")
    with pytest.raises(StateDamaged, match="not issued by this state's CA"):
        Authority(state).certificate_for(PERSON)


def test_a_state_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StateError, match="cannot be"):
        Authority(tmp_path / "state").enrol_terminal("t1")


def test_a_terminal_is_enrolled_once(state: Path) -> None:
    authority = Authority(state)
    assert authority.terminal_public_key("terminal-1") is None
    enrolled = authority.enrol_terminal("terminal-1")
    for other in (authority, Authority(state)):
        assert (
            other.enrol_terminal("terminal-1").private_key.public_key() == enrolled.private_key.public_key()
        )
        assert other.terminal_public_key("terminal-1") == enrolled.private_key.public_key()
    assert authority.terminal_public_key("terminal-2") is None


def test_a_terminal_whose_file_is_removed_is_no_longer_enrolled(state: Path) -> None:
    authority = Authority(state)
    first = authority.enrol_terminal("terminal-1")
    (state / "terminals" / "terminal-1.pem").unlink()
    assert authority.terminal_public_key("terminal-1") is None
    again = authority.enrol_terminal("terminal-1").private_key.public_key()
    assert again == authority.terminal_public_key("terminal-1") != first.private_key.public_key()


@pytest.mark.parametrize("name", ["", "../pki/card-face-key", "a/b", "a\0b", "x" * 41, "端末", "a\n"])
def test_an_unfit_terminal_id_reaches_no_file(issued: tuple[Path, IssuedCard], name: str) -> None:
    authority = Authority(issued[0])
    assert authority.terminal_public_key(name) is None
    with pytest.raises(ValueError, match="terminal id"):
        authority.enrol_terminal(name)


@pytest.mark.parametrize("expires", [date(1, 1, 1), date(2019, 12, 31), date(2055, 1, 1), date(9999, 12, 31)])
def test_impossible_expiry_dates_are_told(issued: tuple[Path, IssuedCard], expires: date) -> None:
    person: Person = replace(PERSON, certificate=replace(PERSON.certificate, expires=expires))
    with pytest.raises(ConfigError, match=r"'age45': certificate\.expires"):
        Authority(issued[0]).issue(person)


def test_a_certificate_that_ends_on_a_leap_day_can_be_issued(state: Path) -> None:
    person = replace(PERSON, certificate=replace(PERSON.certificate, expires=date(2028, 2, 29)))
    certificate = x509.load_der_x509_certificate(Authority(state).certificate_for(person))
    assert certificate.not_valid_before_utc == datetime(2023, 2, 28, tzinfo=UTC) - timedelta(hours=9)
