"""Whether a card's photo is the issuer's, and the chip that gives it the one it was written for.

Four links, from the outside in: a configured authority signed the card-verifiable certificate of the issuer; the
issuer's key signed the record with photo, birth date and the chip's public key; and the chip in the reader proves that
it holds the private half, by signing fresh challenges before and after the record was read.

The certificate (file 0004) names its authority by 16 bytes and has no dates, so that the period belongs to the
authority's key. Layouts and forms of signing: public surveys of cards (docs/guide/card-authenticity.md).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from hardware.card.errors import CardProtocolError
from hardware.card.records import CardVerifiableCertificate, RsaKey, SignedRecord, card_verifiable_certificate

_ALGORITHM = bytes.fromhex("300D06096086480165030402010500")
"""SHA-256, as a DigestInfo names it."""


@dataclass(frozen=True)
class CardAuthority:
    """A key that issuers of cards are certified with, and when it counts; ``ends`` None: no end is known."""

    key_id: bytes
    key: RsaKey
    begins: date
    ends: date | None = None

    def counts_on(self, day: date) -> bool:
        return self.begins <= day and (self.ends is None or day <= self.ends)


class PhotoTrust(StrEnum):
    """What is known of a photo's origin."""

    GENUINE = "genuine"
    FORGED = "forged"
    """The record or the issuer's certificate is not signed as it should be."""
    AUTHORITY_UNKNOWN = "authority-unknown"
    """No configured authority has the id that the certificate names: nothing was checked."""
    AUTHORITY_EXPIRED = "authority-expired"
    """The authority's key does not count on this day."""
    CHIP_UNPROVEN = "chip-unproven"
    """The chip does not hold the key that the record names: a copy."""
    CHIP_LATE = "chip-late"
    """It signs rightly, but takes longer than a chip in the reader does: perhaps it is elsewhere."""


@dataclass(frozen=True)
class ChipProof:
    """A chip's signature over a challenge, and how long it took; empty when it refused."""

    challenge: bytes
    signature: bytes
    seconds: float


def judge(
    record: SignedRecord,
    certificate: bytes,
    proofs: Sequence[ChipProof],
    authorities: Sequence[CardAuthority],
    today: date,
    limit_s: float,
) -> PhotoTrust:
    """Return what to think of a photo; ``limit_s``: the longest time that a chip in the reader takes to sign."""
    try:
        issuer = card_verifiable_certificate(certificate)
    except CardProtocolError:
        return PhotoTrust.FORGED
    authority = _authority_of(issuer, authorities)
    if authority is None:
        return PhotoTrust.AUTHORITY_UNKNOWN
    if not signed(authority.key, _digest_info(hashlib.sha256(issuer.body).digest()), issuer.signature):
        return PhotoTrust.FORGED
    if not authority.counts_on(today):
        return PhotoTrust.AUTHORITY_EXPIRED
    if not record_signed(record, issuer.key):
        return PhotoTrust.FORGED
    return _judge_chip(record.chip_key, proofs, limit_s)


def record_signed(record: SignedRecord, issuer: RsaKey) -> bool:
    """Say whether the issuer signed the record: a DigestInfo over its three digests in a row, 96 bytes.

    That they are hashed once more is taken, too: it says the same, and older surveys have it.
    """
    forms = (record.digests, hashlib.sha256(record.digests).digest())
    return any(signed(issuer, _digest_info(form), record.signature) for form in forms)


def _authority_of(
    issuer: CardVerifiableCertificate, authorities: Sequence[CardAuthority]
) -> CardAuthority | None:
    return next((each for each in authorities if each.key_id == issuer.authority_id), None)


def _judge_chip(chip_key: RsaKey | None, proofs: Sequence[ChipProof], limit_s: float) -> PhotoTrust:
    if chip_key is None or not proofs:
        return PhotoTrust.CHIP_UNPROVEN
    for proof in proofs:
        digest_info = _digest_info(hashlib.sha256(proof.challenge).digest())
        if not signed(chip_key, digest_info, proof.signature):
            return PhotoTrust.CHIP_UNPROVEN
    late = any(proof.seconds > limit_s for proof in proofs)
    return PhotoTrust.CHIP_LATE if late else PhotoTrust.GENUINE


def signed(key: RsaKey, payload: bytes, signature: bytes) -> bool:
    """Check PKCS #1 v1.5 over a payload, byte for byte, padding and all."""
    size = (key.modulus.bit_length() + 7) // 8
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(payload)) + b"\x00" + payload
    if len(signature) != size or size < len(payload) + 11:
        return False
    return pow(int.from_bytes(signature), key.exponent, key.modulus) == int.from_bytes(padded)


def _digest_info(digest: bytes) -> bytes:
    """Return the DigestInfo for SHA-256 with this content, which is 32 bytes, or three times as many."""
    inner = _ALGORITHM + b"\x04" + bytes([len(digest)]) + digest
    return b"\x30" + bytes([len(inner)]) + inner
