"""A smart card's command set over files, PINs and keys in memory; knows nothing of what the files mean.

Status words and rules are those of JICSAP 1.1 as surveyed on My Number cards.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from re import fullmatch
from typing import Literal, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SHA256_DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")
CONTACT_ATR = bytes.fromhex("3BE000FF8131FE4514")
"""T=1, as the card answers over contacts; contactless readers invent one."""

_OK = 0x9000
_NEVER = frozenset({-1})


class SmartCard(Protocol):
    """Anything that can lie in a simulated reader."""

    @property
    def atr(self) -> bytes:
        """Return the answer to reset; empty for a card that does not answer."""

    @property
    def pin_tries_left(self) -> int | None:
        """Return the true state of the PIN counter; None without a PIN."""

    def process(self, apdu: bytes) -> bytes:
        """Execute one command and return data + SW1 SW2."""

    def power_off(self) -> None:
        """Forget all security status and selections; counters stay."""


@dataclass(frozen=True)
class DataFile:
    """A transparent file, or one of records; ``opened_by`` any one of these PIN files, empty: free."""

    data: bytes
    opened_by: frozenset[int] = frozenset()
    records: tuple[bytes, ...] = ()


@dataclass
class PinFile:
    """A reference value with its true counter."""

    value: bytes
    tries_max: int
    tries_left: int
    changed_by: Literal["iso", "old", ""] = ""
    """The command that changes it: 00 24, or 80 32 of the common and the juki application; "": none does."""
    pattern: bytes = rb"[0-9]{4}"
    """What a new value must be like."""


@dataclass(frozen=True)
class KeyFile:
    """A private key: RSA, or P-384 on a card of the next generation."""

    key: RSAPrivateKey | ec.EllipticCurvePrivateKey
    opened_by: frozenset[int] = frozenset()


NO_PIN_OPENS = _NEVER
"""``opened_by`` of a key whose PIN does not exist on the card."""


@dataclass(frozen=True)
class TrustFile:
    """A public key by which the card would know a licensed terminal; it can be selected, not read or used to sign."""


TERMINAL_KEY = TrustFile()

File = DataFile | PinFile | KeyFile | TrustFile


@dataclass(frozen=True)
class Application:
    """An application's files by id."""

    files: Mapping[int, File]
    challenge_key: KeyFile | None = None
    """Signs under P2 = 00, without PIN: proof that the chip is present."""


@dataclass
class _State:
    """What power-off clears."""

    application: bytes = b""
    file: int = 0
    verified: set[tuple[bytes, int]] = field(default_factory=set)


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"{status:04X}")
        self.status = status


@dataclass(frozen=True)
class _Command:
    cla: int
    ins: int
    p1: int
    p2: int
    body: bytes
    le: int | None

    @classmethod
    def parse(cls, apdu: bytes) -> "_Command":
        """Read a short command, ISO 7816-3 cases 1 to 4; extended lengths are refused."""
        if len(apdu) < 4:
            raise _Refused(0x6700)
        cla, ins, p1, p2 = apdu[:4]
        rest = apdu[4:]
        match len(rest):
            case 0:
                return cls(cla, ins, p1, p2, b"", None)
            case 1:
                return cls(cla, ins, p1, p2, b"", rest[0] or 256)
        length = rest[0]
        if length == 0 or len(rest) not in (1 + length, 2 + length):
            raise _Refused(0x6700)
        le = (rest[-1] or 256) if len(rest) == 2 + length else None
        return cls(cla, ins, p1, p2, rest[1 : 1 + length], le)


class FileCard:
    """A card made of applications, answering at APDU level."""

    def __init__(self, applications: Mapping[bytes, Application], atr: bytes = CONTACT_ATR) -> None:
        self._applications = applications
        self._atr = atr
        self._state = _State()
        self._commands: dict[tuple[int, int], Callable[[_Command], bytes]] = {
            (0x00, 0xA4): self._select,
            (0x00, 0xB0): self._read_binary,
            (0x00, 0xB2): self._read_record,
            (0x00, 0x20): self._verify,
            (0x00, 0x24): self._change_pin,
            (0x80, 0x32): self._change_pin,
            (0x00, 0x84): self._challenge,
            (0x80, 0x2A): self._sign,
            (0x80, 0xA2): self._terminal_certificate,
        }

    @property
    def atr(self) -> bytes:
        return self._atr

    @property
    def pin_tries_left(self) -> int | None:
        return None

    def power_off(self) -> None:
        self._state = _State()

    def process(self, apdu: bytes) -> bytes:
        try:
            command = _Command.parse(apdu)
            data = self._command(command)(command)
        except _Refused as refusal:
            return refusal.status.to_bytes(2)
        return data + _OK.to_bytes(2)

    def _command(self, command: _Command) -> Callable[[_Command], bytes]:
        if handler := self._commands.get((command.cla, command.ins)):
            return handler
        if command.cla in (0x01, 0x02, 0x03):
            raise _Refused(0x6881)
        if command.cla in (0x04, 0x08, 0x0C):
            raise _Refused(0x6882)
        raise _Refused(0x6D00 if command.cla in (0x00, 0x80) else 0x6E00)

    def _files(self) -> Mapping[int, File]:
        if not self._state.application:
            raise _Refused(0x6986)
        return self._applications[self._state.application].files

    def _named(self, short_id: int, missing: int) -> File:
        """Return the file of a short id, which becomes current; 0 means the current file."""
        files = self._files()
        number = short_id or self._state.file
        if number == 0:
            raise _Refused(0x6986)
        if number not in files:
            raise _Refused(missing)
        self._state.file = number
        return files[number]

    def _open(self, opened_by: frozenset[int]) -> None:
        here = self._state.application
        if opened_by and not any((here, pin) in self._state.verified for pin in opened_by):
            raise _Refused(0x6982)

    def _select(self, command: _Command) -> bytes:
        if command.p2 not in (0x00, 0x0C):
            raise _Refused(0x6A86)
        match command.p1:
            case 0x04:
                if command.body not in self._applications:
                    raise _Refused(0x6A82)
                self._state.application, self._state.file = command.body, 0
            case 0x02:
                number = int.from_bytes(command.body)
                if len(command.body) != 2:
                    raise _Refused(0x6700)
                if not self._state.application or number not in self._files():
                    raise _Refused(0x6A82)
                self._state.file = number
            case 0x00 if self._state.application:
                # ISO's "select master file": this card says yes and stays where it is.
                pass
            case _:
                raise _Refused(0x6A86)
        return b""

    def _read_binary(self, command: _Command) -> bytes:
        if command.le is None or command.body:
            raise _Refused(0x6700)
        if command.p1 & 0x80:
            file = self._named(command.p1 & 0x1F, 0x6A82)
            offset = command.p2
        else:
            file = self._named(0, 0x6A82)
            offset = command.p1 << 8 | command.p2
        if not isinstance(file, DataFile) or file.records:
            raise _Refused(0x6981)
        self._open(file.opened_by)
        if offset >= len(file.data):
            raise _Refused(0x6B00)
        return file.data[offset : offset + command.le]

    def _read_record(self, command: _Command) -> bytes:
        file = self._named(command.p2 >> 3, 0x6A82)
        if not isinstance(file, DataFile) or not file.records:
            raise _Refused(0x6981)
        if command.p2 & 0x07 != 0x04:
            raise _Refused(0x6A86)
        self._open(file.opened_by)
        if not 1 <= command.p1 <= len(file.records):
            raise _Refused(0x6A83)
        return file.records[command.p1 - 1][: command.le]

    def _verify(self, command: _Command) -> bytes:
        if command.p1 != 0 or not command.p2 & 0x80 or command.p2 & 0x60:
            raise _Refused(0x6A86)
        pin = self._named(command.p2 & 0x1F, 0x6A82)
        if not isinstance(pin, PinFile):
            raise _Refused(0x6981)
        if not command.body:
            # Costs no try. A blocked PIN answers 63C0 here, and 6984 to a value (OpenSC depends on the former).
            raise _Refused(0x63C0 | pin.tries_left)
        if pin.tries_left == 0:
            raise _Refused(0x6984)
        where = (self._state.application, self._state.file)
        if command.body != pin.value:
            pin.tries_left -= 1
            self._state.verified.discard(where)
            raise _Refused(0x63C0 | pin.tries_left)
        pin.tries_left = pin.tries_max
        self._state.verified.add(where)
        return b""

    def _change_pin(self, command: _Command) -> bytes:
        """Change the selected PIN, which must be verified; older applications have a command of their own for it."""
        old_way = command.cla == 0x80
        if (command.p1, command.p2) != (0x00 if old_way else 0x01, 0x80):
            raise _Refused(0x6A86)
        pin = self._named(0, 0x6A82)
        if not isinstance(pin, PinFile) or pin.changed_by != ("old" if old_way else "iso"):
            raise _Refused(0x6981)
        self._open(frozenset({self._state.file}))
        if not command.body:
            raise _Refused(0x6700)
        if not fullmatch(pin.pattern, command.body):
            raise _Refused(0x6A80)
        pin.value = command.body
        return b""

    def _challenge(self, command: _Command) -> bytes:
        if command.le is None:
            raise _Refused(0x6700)
        return secrets.token_bytes(command.le)

    def _terminal_certificate(self, _command: _Command) -> bytes:
        # What licensed face readers send here is not public; this card knows none of them, and refuses.
        if TERMINAL_KEY not in self._files().values():
            raise _Refused(0x6D00)
        raise _Refused(0x6A86)

    def _sign(self, command: _Command) -> bytes:
        application = self._applications.get(self._state.application)
        if application and command.p2 == 0x00 and application.challenge_key:
            return _signature(application.challenge_key.key, command)
        if not command.p2 & 0x80 or command.p2 & 0x60:
            raise _Refused(0x6A86)
        key = self._named(command.p2 & 0x1F, 0x6A88)
        if not isinstance(key, KeyFile):
            raise _Refused(0x6981)
        self._open(key.opened_by)
        return _signature(key.key, command)


def _signature(key: RSAPrivateKey | ec.EllipticCurvePrivateKey, command: _Command) -> bytes:
    """Sign by the method that P1 names; surveyed on cards, any other P1 is 6A86."""
    data, sha256 = command.body, hashes.SHA256()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _ecdsa(key, data)
    if not 1 <= len(data) <= 245:
        raise _Refused(0x6700)
    if command.p1 in (0x02, 0x04) and len(data) != 32:
        raise _Refused(0x6985)
    digest = hashlib.sha256(data).digest()
    match command.p1:
        case 0x00 if len(data) == 51 and data.startswith(SHA256_DIGEST_INFO):
            return key.sign(data[19:], padding.PKCS1v15(), utils.Prehashed(sha256))
        case 0x00:
            return padded_as_given(key, data)
        case 0x01:
            return padded_as_given(key, digest)
        case 0x02 | 0x03:
            given = data if command.p1 == 0x02 else digest
            return key.sign(given, padding.PKCS1v15(), utils.Prehashed(sha256))
        case 0x04 | 0x05:
            given = data if command.p1 == 0x04 else digest
            pss = padding.PSS(padding.MGF1(sha256), padding.PSS.DIGEST_LENGTH)
            return key.sign(given, pss, utils.Prehashed(sha256))
    raise _Refused(0x6A86)


def _ecdsa(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Sign a SHA-384 digest, or any other data after hashing it; DER. What real cards will take is not published."""
    if not data:
        raise _Refused(0x6700)
    sha384 = hashes.SHA384()
    given = utils.Prehashed(sha384) if len(data) == sha384.digest_size else sha384
    return key.sign(data, ec.ECDSA(given))


def padded_as_given(key: RSAPrivateKey, data: bytes) -> bytes:
    """PKCS #1 v1.5 over any bytes, which the library does not offer."""
    size = key.key_size // 8
    numbers = key.private_numbers()
    block = b"\x00\x01" + b"\xff" * (size - 3 - len(data)) + b"\x00" + data
    return pow(int.from_bytes(block), numbers.d, numbers.public_numbers.n).to_bytes(size)
