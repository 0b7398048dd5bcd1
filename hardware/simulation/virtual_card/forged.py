"""Cards that are not what they claim to be; a terminal must believe the photo of none of them.

A forger knows everything that can be read of a card without its PIN: the certificate, and, with 照合番号B, the whole
card-face application. What nobody can read are the private keys of the chip, of the issuer and of the authority.
"""

import time
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import rsa

from config.person import Forgery
from hardware.simulation.virtual_card import contents as layout
from hardware.simulation.virtual_card.card import CARD_FACE, JPKI, VirtualCard
from hardware.simulation.virtual_card.contents import CardContents
from hardware.simulation.virtual_card.files import Application, DataFile, KeyFile

RELAY_S = 1.5
"""How much later a relayed chip answers; a card in the reader signs within some tenths of a second."""
UNKNOWN_AUTHORITY = b"7777777\x08\x05001\0\0\0\0"


def forged_card(contents: CardContents, forgery: Forgery, forger: CardContents) -> VirtualCard:
    """Make a card whose certificate is that of ``contents``, and whose photo a forger wants to be believed.

    ``forger``: a card of the forger's own, of the same issuer; its photo is the forger's.
    """
    match forgery:
        case "":
            return VirtualCard(contents)
        case "relayed":
            return _RelayedCard(contents)
        case "authority-unknown":
            own = replace(
                contents.credentials,
                card_authority_pem=b"",
                card_authority_id=UNKNOWN_AUTHORITY,
            )
            return VirtualCard(replace(contents, credentials=own))
        case "authority-expired":
            # Its credentials name the authority of before.
            return VirtualCard(contents)
        case "cloned":
            return _without_keys(VirtualCard(contents))
        case "photo-of-another":
            card = _without_keys(VirtualCard(contents))
            return _with(card, CARD_FACE, VirtualCard(forger)._applications[CARD_FACE])
        case "photo-re-signed":
            return _re_signed(contents, forger.photo_jp2)


def _re_signed(contents: CardContents, photo_jp2: bytes) -> VirtualCard:
    """Put another photo into the record, and sign it with a made-up key under a made-up certificate."""
    card = _without_keys(VirtualCard(contents))
    key = rsa.generate_private_key(65537, 2048)
    face = card._applications[CARD_FACE]
    record = layout.face_record(replace(contents, photo_jp2=photo_jp2), key)
    authority_id = contents.credentials.card_authority_id
    files = {
        **face.files,
        0x02: DataFile(record, frozenset({0x12, 0x13})),
        0x04: DataFile(layout.card_verifiable_certificate(key, None, authority_id)),
    }
    return _with(card, CARD_FACE, Application(files, challenge_key=KeyFile(key)))


def _without_keys(card: VirtualCard) -> VirtualCard:
    """Replace the private keys, which nobody can read, by others; a forger's card takes any PIN for right."""
    made_up = rsa.generate_private_key(65537, 2048)
    jpki, face = card._applications[JPKI], card._applications[CARD_FACE]
    files = {**jpki.files, 0x17: KeyFile(made_up)}
    card = _with(card, JPKI, Application(files))
    return _with(card, CARD_FACE, Application(face.files, challenge_key=KeyFile(made_up)))


def _with(card: VirtualCard, aid: bytes, application: Application) -> VirtualCard:
    card._applications = {**card._applications, aid: application}
    return card


class _RelayedCard(VirtualCard):
    """The genuine chip, but elsewhere: whatever it signs comes later than from a chip in the reader."""

    def process(self, apdu: bytes) -> bytes:
        if apdu[1] == 0x2A:
            time.sleep(RELAY_S)
        return super().process(apdu)
