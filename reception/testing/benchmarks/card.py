"""How long the card takes by PIN: our driver beside OpenSC's PKCS#11 module, on one reader in one run."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from config.person import load_person
from consent.server.certificates import Authority
from hardware.card import CardReader, CardRules, MyNumberCard, PhotoTrust, Presence, match_code_b
from hardware.card.authenticity import ChipProof
from hardware.card.pcsc import PcscReader
from hardware.simulation.pcscd import READER, BenchError, PcscdBench, service_folder
from hardware.simulation.virtual_card import SmartCard
from reception.testing.benchmarks.needs import opensc_modules
from reception.testing.testbench import card_authorities, make_card

if TYPE_CHECKING:
    from pkcs11 import _pkcs11

_PERSON = "age45"
_MESSAGE = b"challenge of a server"
_NOTICED_S = 5.0

_KEY_ID = b"\x01"
"""OpenSC's id of the user-authentication certificate and its key."""
_TOKEN = "JPKI (User Authentication PIN)"  # noqa: S105
_DRIVER = "OPENSC_DRIVER"
"""Environment variable that spares OpenSC its search for the kind of card."""

_NAMES = {0xA4: "SELECT", 0xB0: "READ BINARY", 0x20: "VERIFY", 0x2A: "SIGN"}
_VERIFY, _CHANGE_PIN, _SELECT, _SIGN = 0x20, 0x24, 0xA4, 0x2A

Work = Callable[[bytearray], tuple[bytes, bytes]]
"""Does one whole use of the card with a PIN; returns certificate (DER) and signature over _MESSAGE."""


class ObservedCard:
    """A virtual card that notes what it is sent and how long it works on it; PINs are never noted."""

    def __init__(self, card: SmartCard) -> None:
        self._card = card
        self.commands: list[str] = []
        self.busy_s = 0.0
        self.signing_s = 0.0

    @property
    def atr(self) -> bytes:
        return self._card.atr

    @property
    def pin_tries_left(self) -> int | None:
        return self._card.pin_tries_left

    def power_off(self) -> None:
        self._card.power_off()

    def process(self, apdu: bytes) -> bytes:
        began = time.perf_counter()
        answer = self._card.process(apdu)
        spent = time.perf_counter() - began
        self.busy_s += spent
        if apdu[1] == _SIGN:
            self.signing_s += spent
        self.commands.append(_line(apdu, answer))
        return answer

    def forget(self) -> None:
        """Begin to note anew."""
        self.commands, self.busy_s, self.signing_s = [], 0.0, 0.0


@dataclass
class Course:
    """One way to use the card, and what was measured of it."""

    name: str
    work: Work
    seconds: list[float] = field(default_factory=list)
    busy_s: list[float] = field(default_factory=list)
    signing_s: list[float] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    """What the card was sent in the last round."""

    def figures(self) -> dict[str, Any]:
        """Return the row for the JSON file; times in ms."""
        return {
            "driver": self.name,
            "ms": _ms(median(self.seconds)),
            "p95_ms": _ms(_p95(self.seconds)),
            "apdus": len(self.commands),
            "card_ms": _ms(median(self.busy_s)),
            "rsa_ms": _ms(median(self.signing_s)),
        }


def pin_route(state: Path, rounds: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure ``rounds`` uses of a freshly inserted card by each driver in turn; return and say the figures.

    A use is: find the card, read the certificate, check the PIN, sign, power off. Raises BenchError when something
    is not installed, RuntimeError for a signature that is wrong.
    """
    with opensc() as module, PcscdBench() as pcscd:
        reader = PcscReader(READER)
        card = ObservedCard(make_card(load_person(_PERSON), Authority(state)))
        told, searching = _by_opensc(module, "jpki"), _by_opensc(module, None)
        ours, theirs, hinted = courses = (
            Course("ours", lambda pin: _by_ours(reader, pin)),
            Course("OpenSC", searching),
            Course("OpenSC, told the kind of card", told),
        )
        version = ".".join(str(part) for part in module.library_version)
        say(
            f"card by PIN, freshly inserted, {rounds} rounds, ms; OpenSC {version} in this process; "
            f"load of this machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        )
        for number in range(rounds):
            first = number % len(courses)
            for course in courses[first:] + courses[:first]:
                pcscd.slot.insert(card)
                if reader.wait_for_change(Presence.EMPTY, _NOTICED_S) is not Presence.PRESENT:
                    raise BenchError("the reader does not see the card")
                _measure(course, card)
                pcscd.slot.remove()
        tries = card.pin_tries_left
    if tries != load_person(_PERSON).card.pin_tries_left:
        raise RuntimeError(f"a PIN try was spent: {tries} left")
    return _told(ours, theirs, hinted, say)


def face_route(state: Path, rounds: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure what it adds to reading the photo that the chip proves its key before and after; say the figures."""
    person, authority = load_person(_PERSON), Authority(state)
    rules = CardRules(card_authorities(authority), date(2026, 4, 1))
    code = match_code_b(person.birth_date, person.card.expires, person.card.security_code)
    with PcscdBench() as pcscd:
        reader = PcscReader(READER)
        card = ObservedCard(make_card(person, authority))
        pcscd.slot.insert(card)
        if reader.wait_for_change(Presence.EMPTY, _NOTICED_S) is not Presence.PRESENT:
            raise BenchError("the reader does not see the card")
        courses = Course("photo, chip proven", _no_pin), Course("photo alone", _no_pin)
        for number in range(2 * rounds):
            course = courses[number % 2]
            channel = reader.connect()
            try:
                terminal = (MyNumberCard if course is courses[0] else _WithoutProof)(channel, rules)
                terminal.read()
                card.forget()
                began = time.perf_counter()
                trust = terminal.read_face(code)[1]
                course.seconds.append(time.perf_counter() - began)
            finally:
                channel.close()
            if (trust is PhotoTrust.GENUINE) is not (course is courses[0]):
                raise RuntimeError(f"{course.name}: {trust}")
            course.busy_s.append(card.busy_s)
            course.signing_s.append(card.signing_s)
            course.commands = list(card.commands)
    rows = [course.figures() for course in courses]
    added = rows[0]["ms"] - rows[1]["ms"]
    for row in rows:
        say(f"{row['driver']:30}{row['ms']:8.2f}{row['p95_ms']:8.2f}{row['apdus']:10} commands")
    say(
        f"internal authentication, twice, adds {added:.2f} ms; {rows[0]['rsa_ms']:.2f} ms of it are the card's RSA"
    )
    return rows


def _no_pin(pin: bytearray) -> tuple[bytes, bytes]:
    raise AssertionError("this course needs no PIN")


class _WithoutProof(MyNumberCard):
    """Takes the card's word for the chip, which no terminal does."""

    def _prove(self) -> ChipProof:
        return ChipProof(b"", b"", 0.0)


def _measure(course: Course, card: ObservedCard) -> None:
    card.forget()
    pin = bytearray(load_person(_PERSON).card.pin, "ascii")
    began = time.perf_counter()
    certificate, signature = course.work(pin)
    course.seconds.append(time.perf_counter() - began)
    course.busy_s.append(card.busy_s)
    course.signing_s.append(card.signing_s)
    course.commands = card.commands
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    # InvalidSignature, should it ever come to that, is a traceback: these figures would be worth nothing.
    key.verify(signature, _MESSAGE, padding.PKCS1v15(), hashes.SHA256())


def _told(ours: Course, theirs: Course, hinted: Course, say: Callable[[str], None]) -> list[dict[str, Any]]:
    rows = [course.figures() for course in (ours, theirs, hinted)]
    say(f"{'':30}{'median':>8}{'p95':>8}{'times ours':>12}{'commands':>10}{'card works':>12}{'its RSA':>9}")
    for row in rows:
        row["ratio"] = round(row["ms"] / rows[0]["ms"], 1)
        say(
            f"{row['driver']:30}{row['ms']:8.2f}{row['p95_ms']:8.2f}{row['ratio']:12.1f}{row['apdus']:10}"
            f"{row['card_ms']:12.2f}{row['rsa_ms']:9.2f}"
        )
    say(f"ratio OpenSC : ours = {rows[1]['ratio']:.1f}; both signatures verified with the certificate read")
    say(f"the {len(ours.commands)} commands of ours:")
    for number, line in enumerate(ours.commands, 1):
        say(f"  {number:2} {line}")
    rows[0]["commands"] = ours.commands
    return rows


def _by_ours(reader: CardReader, pin: bytearray) -> tuple[bytes, bytes]:
    # Finds the reader, and raises CardRemovedError when no card is in it.
    channel = reader.connect()
    try:
        card = MyNumberCard(channel)
        facts = card.read()
        card.verify_pin(pin)
        return facts.certificate, card.sign(_MESSAGE)
    finally:
        channel.close()


@contextmanager
def opensc() -> Iterator["_pkcs11.lib"]:
    """Load OpenSC's PKCS#11 module into this process; C_Initialize is left to each use. Raises BenchError."""
    found = opensc_modules()
    if not found:
        raise BenchError("OpenSC's PKCS#11 module is not installed: apt install opensc")
    try:
        import pkcs11
    except ImportError:
        raise BenchError("python-pkcs11 is not installed: ./run installs it") from None
    # The module asks for the service at once, and libpcsclite remembers for good where that was.
    service_folder()
    module = pkcs11.lib(found[0])
    module.finalize()
    before = os.environ.pop(_DRIVER, None)
    try:
        yield module
    finally:
        os.environ.pop(_DRIVER, None)
        if before is not None:
            os.environ[_DRIVER] = before
        pkcs11.unload(found[0])


def _by_opensc(module: "_pkcs11.lib", driver: str | None) -> Work:
    """Return the same use of the card by OpenSC, begun and ended with C_Initialize and C_Finalize."""
    from pkcs11 import Attribute, Mechanism, ObjectClass
    from pkcs11.types import SignMixin

    def work(pin: bytearray) -> tuple[bytes, bytes]:
        os.environ.pop(_DRIVER, None)
        if driver:
            os.environ[_DRIVER] = driver
        module.initialize()
        try:
            tokens = [slot.get_token() for slot in module.get_slots(token_present=True)]
            token = next((token for token in tokens if token.label == _TOKEN), None)
            if token is None:
                raise BenchError("OpenSC does not find the card")
            with token.open(user_pin=pin.decode("ascii")) as session:
                which = {Attribute.ID: _KEY_ID, Attribute.CLASS: ObjectClass.CERTIFICATE}
                certificate = bytes(next(iter(session.get_objects(which)))[Attribute.VALUE])
                key = session.get_key(ObjectClass.PRIVATE_KEY, id=_KEY_ID)
                assert isinstance(key, SignMixin)
                return certificate, key.sign(_MESSAGE, mechanism=Mechanism.SHA256_RSA_PKCS)
        finally:
            module.finalize()

    return work


def _line(apdu: bytes, answer: bytes) -> str:
    """Return one command and its answer for the list: no PIN, no data."""
    head, body = apdu[:4], b""
    le = ""
    if len(apdu) == 5:
        le = f" Le={apdu[4] or 256}"
    elif len(apdu) > 5:
        body, rest = apdu[5 : 5 + apdu[4]], apdu[5 + apdu[4] :]
        le = f" Le={rest[0] or 256}" if rest else ""
    shown = ""
    if body:
        shown = f" Lc={len(body)}"
        if apdu[1] in (_VERIFY, _CHANGE_PIN):
            shown += " " + "XX" * len(body)
        elif apdu[1] == _SELECT:
            shown += " " + body.hex().upper()
    name = _NAMES.get(apdu[1], "")
    status = answer[-2:].hex().upper()
    return f"{head.hex(' ').upper()}{shown}{le} -> {len(answer) - 2} bytes {status}  {name}".rstrip()


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
