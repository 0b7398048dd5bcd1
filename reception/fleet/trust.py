"""Who says something over the broker, and who alone may read it: signatures and sealed messages by certificates.

The broker keeps a terminal from writing as another one. These two hold even if the broker itself is not honest:
a command counts only with the signature of a board of this network, and personal news only their board can open.
"""

import base64
import binascii
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

from config import Fleet
from consent.enrolment.network import BOARD

NONCE = 12
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)


class FleetError(Exception):
    """The broker's settings cannot be used; ``str()`` is the line for the operator."""


class Untrusted(Exception):
    """A message that is not from whom it should be, or for somebody else."""


@dataclass(frozen=True)
class Party:
    """A board or a terminal, as its certificate says."""

    id: str
    is_board: bool
    certificate: x509.Certificate
    public_key: rsa.RSAPublicKey = field(repr=False)


@dataclass(frozen=True)
class Identity:
    """The machine that this program runs on, with its key, and the CA that it trusts."""

    party: Party
    key: rsa.RSAPrivateKey = field(repr=False)
    ca: x509.Certificate

    @property
    def pem(self) -> str:
        """The certificate, to be shown to others."""
        return self.party.certificate.public_bytes(serialization.Encoding.PEM).decode()


def load_identity(settings: Fleet) -> Identity:
    """Return this machine's identity; raises FleetError."""
    try:
        ca = x509.load_pem_x509_certificate(Path(settings.ca).read_bytes())
        certificate = x509.load_pem_x509_certificate(Path(settings.cert).read_bytes())
        # Without the library's test of the numbers, 40 ms: one that does not fit signs nothing that counts.
        key = serialization.load_pem_private_key(
            Path(settings.key).read_bytes(), None, unsafe_skip_rsa_key_validation=True
        )
        if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != certificate.public_key():
            raise FleetError("[fleet] key: does not belong to the certificate")
        return Identity(_party(certificate), key, ca)
    except OSError as error:
        raise FleetError(f"[fleet] {error.filename}: {error.strerror}") from None
    except (ValueError, TypeError, Untrusted):
        raise FleetError("[fleet] ca, cert and key: not the files of ./run certificates") from None


def party_of(pem: str, ca: x509.Certificate, now: datetime) -> Party:
    """Return whom a certificate of this CA names, while it is valid; raises Untrusted."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        raise Untrusted("a certificate of another network") from None
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Untrusted("a certificate that is not valid now")
    return _party(certificate)


def _party(certificate: x509.Certificate) -> Party:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    key = certificate.public_key()
    if len(names) != 1 or not names[0].value or not isinstance(key, rsa.RSAPublicKey):
        raise Untrusted("a certificate without a name")
    return Party(str(names[0].value), [each.value for each in units] == [BOARD], certificate, key)


def signed(identity: Identity, body: bytes, purpose: str) -> bytes:
    """Return a message with its signature; it counts for this purpose only."""
    signature = identity.key.sign(_bound(body, purpose), _PSS, hashes.SHA256())
    told = {"by": identity.pem, "body": _text(body), "signature": _text(signature)}
    return json.dumps(told).encode()


def opened(message: bytes, purpose: str, who: Callable[[str], Party]) -> tuple[Party, bytes]:
    """Return who signed a message and what it says; ``who`` reads the certificate. Raises Untrusted."""
    try:
        told = json.loads(message)
        party, body, signature = who(str(told["by"])), _bytes(told["body"]), _bytes(told["signature"])
        party.public_key.verify(signature, _bound(body, purpose), _PSS, hashes.SHA256())
    except (ValueError, KeyError, TypeError, RecursionError, InvalidSignature):
        raise Untrusted("no signature of this network") from None
    return party, body


def sealed(reader: rsa.RSAPublicKey, body: bytes, purpose: str) -> bytes:
    """Return a message that only the holder of a key can open, for this purpose only (RSA-OAEP, AES-256-GCM)."""
    key, nonce = AESGCM.generate_key(256), os.urandom(NONCE)
    return reader.encrypt(key, _OAEP) + nonce + AESGCM(key).encrypt(nonce, body, purpose.encode())


def unsealed(identity: Identity, message: bytes, purpose: str) -> bytes:
    """Return what a sealed message says; raises Untrusted."""
    size = identity.key.key_size // 8
    try:
        key = identity.key.decrypt(message[:size], _OAEP)
        return AESGCM(key).decrypt(message[size : size + NONCE], message[size + NONCE :], purpose.encode())
    except (ValueError, InvalidTag):
        raise Untrusted("sealed for somebody else") from None


def _bound(body: bytes, purpose: str) -> bytes:
    return purpose.encode() + b"\0" + body


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error:
        raise Untrusted("no base64") from None
