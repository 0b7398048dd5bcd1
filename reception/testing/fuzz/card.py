"""Long fuzzing of the card parsers, for ``./run fuzz card``: any bytes must give a value or a CardError."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from hardware.card import CardError, records
from hardware.simulation.virtual_card import CardContents, CardCredentials
from hardware.simulation.virtual_card.contents import card_verifiable_certificate, face_record, token_info
from reception.testing.fuzz import FuzzReport


def fuzz_card(seconds: float, seed: int, inputs: int | None = None) -> FuzzReport:
    """Feed random and mutated bytes to every parser, until the time or the number of inputs is used up."""
    # Repeatable, not secret.
    chance = random.Random(seed)  # noqa: S311
    targets = _targets()
    deadline = time.monotonic() + seconds
    count = 0
    for data, parse in _inputs(chance, targets):
        try:
            parse(data)
        except CardError:
            pass
        except Exception as error:
            return FuzzReport(count, seed, f"{parse.__name__} raised {error!r} on {data.hex()}")
        count += 1
        if count == inputs or (count % 1000 == 0 and time.monotonic() > deadline):
            break
    return FuzzReport(count, seed)


def _inputs(
    chance: random.Random, targets: list[tuple[Callable[[bytes], object], bytes]]
) -> Iterator[tuple[bytes, Callable[[bytes], object]]]:
    while True:
        parse, original = chance.choice(targets)
        yield (
            (
                chance.randbytes(chance.randrange(200))
                if chance.random() < 0.1
                else _mutated(chance, original)
            ),
            parse,
        )


def _mutated(chance: random.Random, original: bytes) -> bytes:
    data = bytearray(original)
    for _ in range(chance.randrange(1, 6)):
        # Headers stand at the start; that is where changes matter most.
        at = chance.randrange(min(64, len(data)) if chance.random() < 0.5 else len(data)) if data else 0
        match chance.randrange(5):
            case 0:
                del data[at:]
            case 1:
                data[at:at] = data[at : at + chance.randrange(64)]
            case 2:
                data[at : at + 2] = chance.choice((b"\xff\xff", b"\x00\x00", b"\x80\x00", b"\x82\x7f"))
            case _:
                data[at : at + 1] = chance.randbytes(1)
    return bytes(data)


def _targets() -> list[tuple[Callable[[bytes], object], bytes]]:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    contents = CardContents(
        CardCredentials(b"", pem, b""), date(2035, 2, 17), date(1980, 2, 17), photo_jp2=_JP2
    )
    record = face_record(contents, key)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fuzz")])
    begin = datetime(2026, 4, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=1800))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    return [
        (records.certificate_facts, certificate),
        (records.tlv_items, record),
        (records.tlv_size, record),
        (records.certificate_size, bytes.fromhex("308203A6") + bytes(40)),
        (records.token_label, token_info("JPKIAPICCTOKEN2")),
        (records.face_record, record),
        (records.card_verifiable_certificate, card_verifiable_certificate(key)),
        (records.photo_size, _JP2),
    ]


_JP2 = (
    bytes.fromhex("0000000C6A5020200D0A870A 0000001466747970 6A70322000000000 6A703220")
    + bytes.fromhex("0000001E6A703268 0000001669686472 00000140000000F0 000107070000")
    + bytes.fromhex("000000376A703263 FF4FFF5100290000 000000F000000140 0000000000000000 000000F000000140")
    + bytes.fromhex("0000000000000000 0001070101 FFD9")
)
"""The frame of a JPEG 2000 file of 240 x 320 px without its picture."""
