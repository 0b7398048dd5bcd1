"""Which authority issued a certificate: by key id and signature, and only while it counts; RSA and P-384."""

from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from consent.server.identity import check_same_person, issuer_of, presented
from consent.server.refusal import Refusal

NOW = datetime(2026, 4, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
NAME = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "JPKI")])
OLD, NEW = (rsa.generate_private_key(65537, 2048) for _ in range(2))
NEXT = ec.generate_private_key(ec.SECP384R1())
HOLDER = ec.generate_private_key(ec.SECP384R1())


def made(
    key: Key, issuer: Key, begins: datetime, ends: datetime, *, ca: bool = False, key_ids: bool = True
) -> x509.Certificate:
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(ends)
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    if key_ids:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        named = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
        builder = builder.add_extension(own, critical=False).add_extension(named, critical=False)
    digest = hashes.SHA384() if isinstance(issuer, ec.EllipticCurvePrivateKey) else hashes.SHA256()
    return builder.sign(issuer, digest)


def authority(key: Key, begins: datetime, ends: datetime) -> x509.Certificate:
    return made(key, key, begins, ends, ca=True)


FIRST = authority(OLD, NOW - 10 * YEAR, NOW - timedelta(days=1))
SECOND = authority(NEW, NOW - 5 * YEAR, NOW + 5 * YEAR)
THIRD = authority(NEXT, NOW - YEAR, NOW + 10 * YEAR)
ALL = (FIRST, SECOND, THIRD)
"""Three generations under one name."""


@pytest.mark.parametrize(("key", "ca"), [(NEW, SECOND), (NEXT, THIRD)])
@pytest.mark.parametrize("key_ids", [True, False])
def test_of_generations_with_one_name_the_one_that_signed_is_found(
    key: Key, ca: x509.Certificate, key_ids: bool
) -> None:
    certificate = made(HOLDER, key, NOW - YEAR, NOW + YEAR, key_ids=key_ids)
    assert issuer_of(certificate, ALL, NOW) == ca
    assert issuer_of(certificate, ALL[::-1], NOW) == ca


def code(certificate: x509.Certificate, trusted: tuple[x509.Certificate, ...], now: datetime = NOW) -> str:
    with pytest.raises(Refusal) as refused:
        issuer_of(certificate, trusted, now)
    return refused.value.code


def test_an_authority_whose_time_is_over_or_has_not_come_is_refused_by_that_name() -> None:
    certificate = made(HOLDER, OLD, NOW - 4 * YEAR, NOW + YEAR)
    assert code(certificate, ALL) == "ISSUER_EXPIRED"
    later = authority(NEXT, NOW + YEAR, NOW + 9 * YEAR)
    assert code(made(HOLDER, NEXT, NOW, NOW + YEAR), (FIRST, later)) == "ISSUER_EXPIRED"


def test_a_renewed_certificate_over_the_same_key_keeps_the_authority_good() -> None:
    renewed = authority(OLD, NOW - YEAR, NOW + 5 * YEAR)
    certificate = made(HOLDER, OLD, NOW - 4 * YEAR, NOW + YEAR)
    assert issuer_of(certificate, (FIRST, renewed), NOW) == renewed


def test_what_no_authority_signed_is_refused_whatever_it_names() -> None:
    stranger = rsa.generate_private_key(65537, 2048)
    assert code(made(HOLDER, stranger, NOW - YEAR, NOW + YEAR), ALL) == "CERTIFICATE_UNTRUSTED"
    builder = x509.CertificateBuilder(NAME, NAME, HOLDER.public_key(), 5)
    builder = builder.not_valid_before(NOW - YEAR).not_valid_after(NOW + YEAR)
    named = x509.AuthorityKeyIdentifier.from_issuer_public_key(NEW.public_key())
    forged = builder.add_extension(named, critical=False).sign(stranger, hashes.SHA256())
    assert code(forged, ALL) == "CERTIFICATE_UNTRUSTED"
    assert code(made(HOLDER, NEW, NOW - YEAR, NOW + YEAR), ()) == "CERTIFICATE_UNTRUSTED"


@pytest.mark.parametrize(
    ("key", "taken"),
    [
        (rsa.generate_private_key(65537, 2048), True),
        (ec.generate_private_key(ec.SECP384R1()), True),
        (rsa.generate_private_key(65537, 1024), False),
        (ec.generate_private_key(ec.SECP256R1()), False),
        (ec.generate_private_key(ec.SECP521R1()), False),
    ],
)
def test_long_rsa_keys_and_p384_are_taken_and_others_refused(key: Key, taken: bool) -> None:
    der = made(key, NEW, NOW, NOW + YEAR).public_bytes(serialization.Encoding.DER)
    if taken:
        assert presented(der).key == key.public_key()
    else:
        with pytest.raises(Refusal):
            presented(der)


@pytest.mark.parametrize("stated", ["", "19800617", "19800600", "19800000", "00000000"])
def test_a_birth_date_that_fits_or_is_not_known_is_the_same_persons(stated: str) -> None:
    check_same_person(stated, date(1980, 6, 17))


@pytest.mark.parametrize("stated", ["19900617", "19800717", "19800618", "19810000", "19801200"])
def test_another_birth_date_is_another_person(stated: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_same_person(stated, date(1980, 6, 17))
    assert refused.value.code == "PHOTO_OF_ANOTHER"


def test_signatures_by_p384_are_verified_with_sha384() -> None:
    from consent.server.identity import _check_signature
    from consent.wire import to_base64

    good = to_base64(HOLDER.sign(b"nonce", ec.ECDSA(hashes.SHA384())))
    _check_signature(HOLDER.public_key(), good, b"nonce", "SIGNATURE_INVALID")
    for signature, message in (
        (good, b"other"),
        (to_base64(HOLDER.sign(b"nonce", ec.ECDSA(hashes.SHA256()))), b"nonce"),
        (to_base64(NEXT.sign(b"nonce", ec.ECDSA(hashes.SHA384()))), b"nonce"),
        (to_base64(NEW.sign(b"nonce", padding.PKCS1v15(), hashes.SHA256())), b"nonce"),
        (to_base64(b"no signature"), b"nonce"),
    ):
        with pytest.raises(Refusal):
            _check_signature(HOLDER.public_key(), signature, message, "SIGNATURE_INVALID")
