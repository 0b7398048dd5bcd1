"""ECDSA over P-384 with SHA-384, as announced for the next card; only loaded for such a card."""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

_HALF = 48
"""Bytes of each of the two numbers."""


def as_der(signature: bytes) -> bytes:
    """Return a signature in DER, which cards may give as the two bare numbers (r, then s)."""
    if len(signature) != 2 * _HALF:
        return signature
    return encode_dss_signature(int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:]))


def verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a signature (DER) over a message is by this key (SubjectPublicKeyInfo, DER)."""
    try:
        key = load_der_public_key(public_key)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        key.verify(signature, message, ec.ECDSA(hashes.SHA384()))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True
