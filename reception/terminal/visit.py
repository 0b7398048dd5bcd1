"""What one visit keeps in memory beside the flow's session; light to import."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consent.eligibility import Challenge
    from consent.wire import SubsidyOffer
    from hardware.card import CardChannel, CardFacts, MyNumberCard
    from hardware.face.observation import Embedding
    from reception.terminal.snapshot import CounterView


@dataclass
class VisitMemory:
    """What a visit keeps in memory beside the flow's session; gone with FORGET_VISIT."""

    channel: "CardChannel | None" = None
    card: "MyNumberCard | None" = None
    facts: "CardFacts | None" = None
    photo: bytes | None = field(default=None, repr=False)
    """Only one that is genuine."""
    birth_date: str = field(default="", repr=False)
    """Of the card's holder, as its signed record has it: the server compares it with the certificate's."""
    distance: float = 0.0
    notice: str = ""
    stop_face: threading.Event = field(default_factory=threading.Event)
    phone: "PhoneProof | None" = None
    match_code: str | None = field(default=None, repr=False)
    """照合番号B as staff typed it before the card came."""
    counter: "CounterView | None" = None
    subsidies: "tuple[SubsidyOffer, ...]" = field(default=(), repr=False)
    """The certificates of medical subsidies that the patient is asked for, in asking order."""
    queue_label: str = ""
    """The queue number that was given to this visit."""
    embedding: "Future[Embedding] | None" = field(default=None, repr=False)
    """Of the photo, made while the patient chooses."""
    challenge: "tuple[float, Future[Challenge]] | None" = None
    """Asked for while the patient is occupied, and when (monotonic, s); a challenge serves once."""


@dataclass(frozen=True)
class PhoneProof:
    """What one tap of a phone gave; after it the phone may leave."""

    certificate: bytes
    challenge: "Challenge"
    signature: bytes
