"""What can go wrong with a card or a reader, once and for all drivers.

::

    CardError                 the card: another card, or the same one again, may work
    ├── CardRemovedError           it left the reader
    │   └── CardSwapped       another card stands in its place, and is still in
    ├── CardUnreadable        something is in the reader but does not answer (upside down, foreign, faulty)
    ├── CardTrouble           the card is in and right, but an exchange with it went wrong
    │   ├── ExchangeLost      no answer came; nobody knows whether the command was executed
    │   ├── CardReset         somebody reset it: what was selected and verified is gone
    │   └── PinFateUnknown(tries_left)  the exchange that carried the PIN was lost, and the tries tell nothing
    ├── WrongCard(kind)       it answers, but is not a My Number card
    ├── UnknownGeneration     a My Number card of a kind that this terminal cannot use yet
    ├── NoCertificate         it holds no user-authentication certificate
    ├── CertificateUnreadable it holds one that nobody can read
    ├── PinWrong(tries_left)
    ├── PinBlocked
    ├── MatchCodeWrong(tries_left)    照合番号B; 0 means blocked
    └── CardProtocolError     it answered what no My Number card answers
    ReaderError               the reader or its service: no card will work until it is back
    ├── ServiceDown
    ├── NoReader
    ├── ReaderBusy
    └── ReaderStalled         an exchange took longer than any card may take
"""

from typing import Literal

WrongCardKind = Literal["juki", "payment", "transit", "other"]
"""juki: the old 住民基本台帳カード; payment: EMV; transit: a card that takes no SELECT, as FeliCa; other: the rest."""


class CardError(Exception):
    """The card cannot be used, or not any more."""


class CardRemovedError(CardError):
    """The card left the reader; nothing goes on with it."""


class CardSwapped(CardRemovedError):
    """Another card has taken its place, so quickly that the reader noticed nothing."""


class CardUnreadable(CardError):
    """Something lies in the reader but does not answer as a card."""


class CardTrouble(CardError):
    """The card is still in the reader, but an exchange with it went wrong; begun anew, it may work."""


class ExchangeLost(CardTrouble):
    """No answer to a command came, and nobody knows whether it was executed."""


class CardReset(CardTrouble):
    """The card was reset by somebody else: what was selected and verified is gone; renew() goes on with it."""


class PinFateUnknown(CardTrouble):
    """The answer to a PIN was lost; the counter says that no try was spent, so that it may be typed once more."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(f"the answer to the PIN was lost, {tries_left} tries left")
        self.tries_left = tries_left


class UnknownGeneration(CardError):
    """A My Number card whose keys this terminal cannot use; ``str()`` says which they are."""


class NoCertificate(CardError):
    """The card holds no user-authentication certificate: it was declined, or has lapsed."""


class CertificateUnreadable(CardError):
    """The card's user-authentication certificate is not what a certificate is."""


class WrongCard(CardError):
    """The card is not a My Number card."""

    def __init__(self, kind: WrongCardKind) -> None:
        super().__init__(f"not a My Number card: {kind}")
        self.kind: WrongCardKind = kind


class PinWrong(CardError):
    """The card counted a wrong PIN."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(f"wrong PIN, {tries_left} tries left")
        self.tries_left = tries_left


class PinBlocked(CardError):
    """No try is left; only the municipal office can reset the PIN."""


class MatchCodeWrong(CardError):
    """The card refused 照合番号B; with no try left it is blocked."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(f"wrong match code, {tries_left} tries left")
        self.tries_left = tries_left


class CardProtocolError(CardError):
    """The card's answer breaks the rules; ``status`` is its status word where one was the reason."""

    def __init__(self, what: str, status: int | None = None) -> None:
        super().__init__(what if status is None else f"{what}: status {status:04X}")
        self.status = status


class ReaderError(Exception):
    """The reader, or the service behind it, cannot be used."""


class ServiceDown(ReaderError):
    """The smart card service (pcscd) does not run, or was restarted."""


class NoReader(ReaderError):
    """No reader of the wanted name is attached, or it failed."""


class ReaderBusy(ReaderError):
    """Another program holds the reader."""


class ReaderStalled(ReaderError):
    """The card or reader took longer over one command than any card may."""
