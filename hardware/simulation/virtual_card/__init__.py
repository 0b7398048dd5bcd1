"""A My Number card at APDU level, with true counters: in a reader in process, or in pcscd's virtual reader."""

from config.person import Person
from hardware.simulation.virtual_card.card import VirtualCard, foreign_card
from hardware.simulation.virtual_card.contents import CardContents, CardCredentials, card_contents
from hardware.simulation.virtual_card.files import SmartCard
from hardware.simulation.virtual_card.forged import forged_card
from hardware.simulation.virtual_card.quirks import Quirk, QuirkyCard
from hardware.simulation.virtual_card.reader import CardSlot, ReaderFaults, VirtualReader
from hardware.simulation.virtual_card.recording import RecordingCard
from hardware.simulation.virtual_card.vpcd import VpcdSlot, attach_to_vpcd

__all__ = [
    "CardContents",
    "CardCredentials",
    "CardSlot",
    "Quirk",
    "QuirkyCard",
    "ReaderFaults",
    "RecordingCard",
    "SmartCard",
    "VirtualCard",
    "VirtualReader",
    "VpcdSlot",
    "attach_to_vpcd",
    "card_contents",
    "card_for",
    "foreign_card",
    "forged_card",
]


def card_for(person: Person, credentials: CardCredentials, photo_jp2: bytes = b"") -> VirtualCard:
    """Make a person's card; keys and certificates come from their issuer, the photo as JPEG 2000."""
    return VirtualCard(card_contents(person, credentials, photo_jp2))
