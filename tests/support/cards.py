"""Cards for tests: credentials made once per run."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

import config
from hardware.card import CardAuthority, CardRules, RsaKey
from hardware.simulation.virtual_card import CardContents, CardCredentials, VirtualCard

BIRTH, EXPIRES = date(1980, 2, 17), date(2035, 2, 17)


@cache
def _key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _certificate(subject: str, issuer: str) -> bytes:
    def named(common_name: str) -> x509.Name:
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "JP")
        return x509.Name([country, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    begin = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(_key(subject).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1800))
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
    )
    certificate = builder.sign(_key(issuer), hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.DER)


def _pem(name: str) -> bytes:
    return _key(name).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def credentials(holder: str = "holder") -> CardCredentials:
    """Keys and certificates of one holder; another name gives another holder."""
    return _credentials(holder)


@cache
def _credentials(holder: str) -> CardCredentials:
    return CardCredentials(
        certificate=_certificate(holder, "test CA"),
        private_key_pem=_pem(holder),
        ca_certificate=_certificate("test CA", "test CA"),
        signature_certificate=_certificate(f"{holder} sign", "test CA"),
        signature_private_key_pem=_pem(f"{holder} sign"),
        signature_ca_certificate=_certificate("test CA", "test CA"),
        face_key_pem=_pem("municipality"),
        chip_key_pem=_pem(f"{holder} chip"),
        card_authority_pem=_pem("card authority"),
    )


def rules(**settings: Any) -> CardRules:
    """What is believed of these cards: their authority counts from 2024 on, and today is in 2026."""
    numbers = _key("card authority").public_key().public_numbers()
    authority = CardAuthority(
        CardCredentials.card_authority_id, RsaKey(numbers.e, numbers.n), date(2024, 1, 1)
    )
    return CardRules((authority,), date(2026, 4, 1), config.Card(**settings))


def jp2(width: int = 240, height: int = 320) -> bytes:
    """The frame of a JPEG 2000 file of a size; its picture data is missing."""

    def box(kind: bytes, body: bytes) -> bytes:
        return (len(body) + 8).to_bytes(4) + kind + body

    header = height.to_bytes(4) + width.to_bytes(4) + b"\0\x01\x07\x07\0\0"
    size = width.to_bytes(4) + height.to_bytes(4)
    siz = b"\xff\x4f\xff\x51\0\x29\0\0" + size + bytes(8) + size + bytes(8) + b"\0\x01\x07\x01\x01"
    return (
        bytes.fromhex("0000000C6A5020200D0A870A")
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", box(b"ihdr", header))
        + box(b"jp2c", siz + bytes(3000) + b"\xff\xd9")
    )


def card(holder: str = "holder", **changes: Any) -> VirtualCard:
    """A standard card of that holder, with what ``changes`` says."""
    contents = CardContents(
        credentials=credentials(holder),
        expires=EXPIRES,
        birth_date=BIRTH,
        photo_jp2=jp2(),
        name="試験 花子",
        address="東京都千代田区一番町1-1",
        sex=2,
    )
    return VirtualCard(replace(contents, **changes))


def check_signature(certificate: bytes, message: bytes, signature: bytes) -> None:
    """Verify PKCS #1 v1.5 with SHA-256, by the certificate's key."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
