"""The My Number card over any reader: errors, the channel seam, and what a terminal does with the card."""

from hardware.card.channel import STALL_LIMIT_S, CardChannel, CardReader, Presence
from hardware.card.errors import (
    CardError,
    CardProtocolError,
    CardRemovedError,
    CardSwapped,
    CardUnreadable,
    MatchCodeWrong,
    NoReader,
    PinBlocked,
    PinWrong,
    ReaderBusy,
    ReaderError,
    ReaderStalled,
    ServiceDown,
    WrongCard,
)
from hardware.card.my_number_card import CardFacts, MyNumberCard, match_code_b
from hardware.card.records import CardFace

__all__ = [
    "STALL_LIMIT_S",
    "CardChannel",
    "CardError",
    "CardFace",
    "CardFacts",
    "CardProtocolError",
    "CardReader",
    "CardRemovedError",
    "CardSwapped",
    "CardUnreadable",
    "MatchCodeWrong",
    "MyNumberCard",
    "NoReader",
    "PinBlocked",
    "PinWrong",
    "Presence",
    "ReaderBusy",
    "ReaderError",
    "ReaderStalled",
    "ServiceDown",
    "WrongCard",
    "match_code_b",
]
