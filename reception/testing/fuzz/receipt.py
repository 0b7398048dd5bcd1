"""Long fuzzing of the receipt computer's files, for ``./run fuzz receipt``: random people, malformed requests."""

import os
import random
import string
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from consent.choices import ConsentAnswer, Item
from consent.receipt_files.content import (
    WITHOUT_INSURED,
    Advice,
    CardClass,
    Confirmation,
    Disease,
    DiseaseCertificate,
    ElderlyCertificate,
    Insured,
    LossReason,
    MedicalTicket,
    Preschool,
    Prescription,
    Relation,
    Sex,
    Validity,
    after_visit,
    full_width_space,
    half_width,
    limit_certificate,
)
from consent.receipt_files.files import Writer, read_result
from consent.receipt_files.folder import (
    ANSWERS,
    FACE,
    PATIENCE_S,
    REQUESTS,
    ReceiptFolder,
    ReceiptFolderService,
)
from consent.receipt_files.xml import MAX_BYTES, MAX_DEPTH, NO_CHARACTER, Encoding, writable
from consent.wire import JAPAN
from reception.testing.fuzz import FuzzReport

INSTITUTION = "1312345676"
BATCH = 100
"""Malformed requests that lie in the folder at a time."""


def fuzz_receipt(seconds: float, seed: int) -> FuzzReport:
    """Write and read random people, and answer malformed requests, in turn until the time is used up."""
    # Repeatable, not secret.
    chance = random.Random(seed)  # noqa: S311
    deadline = time.monotonic() + seconds
    count = 0
    failure = ""
    while not failure and (count == 0 or time.monotonic() < deadline):
        failure = check_people(chance, BATCH) or check_requests(chance, BATCH)
        count += 2 * BATCH
    return FuzzReport(count, seed, failure)


def check_people(chance: random.Random, people: int) -> str:
    """Write random people in both encodings and read them back; return what went wrong, or nothing."""
    for _ in range(people):
        confirmation = random_confirmation(chance)
        for writer in (Writer(INSTITUTION, "utf-8"), Writer(INSTITUTION, "cp932")):
            try:
                document = writer.face_file(confirmation, f"{chance.getrandbits(64):016x}")
                answer = read_result(document.content)
            except Exception as error:
                return f"{error!r} for a random person in {writer.encoding}"
            if answer.body is None or answer.body.results != as_written(
                confirmation.insured, writer.encoding
            ):
                return f"a random person in {writer.encoding} was read back otherwise"
            if document.flagged != _elements_with_mark(document.content, writer.encoding):
                return f"not every ● was flagged in {writer.encoding}"
    return ""


def check_requests(chance: random.Random, requests: int) -> str:
    """Lay malformed requests into a folder and look; return what went wrong, or nothing.

    Each must be answered exactly once by a whole file and be gone; nothing may be raised.
    """
    with tempfile.TemporaryDirectory() as root:
        for name in (FACE, REQUESTS, ANSWERS):
            (Path(root) / name).mkdir()
        seconds = 0.0
        computer = ReceiptFolderService(
            ReceiptFolder(Path(root), INSTITUTION, chance.choice(("utf-8", "cp932"))),
            ask=lambda _visit_id: None,
            # Whatever is asked, also what may not be told without an oral consent.
            lookup=lambda _query, _day: random_confirmation(chance),
            register=lambda _registration: None,
            seconds=lambda: seconds,
        )
        for first in range(0, requests, BATCH):
            names = [f"{number:06}.xml" for number in range(first, min(first + BATCH, requests))]
            kinds = {name: chance.choice(("quc", "imm")) for name in names}
            for name, kind in kinds.items():
                put_malformed(Path(root) / REQUESTS / f"OQSsi{kind}01req_{name}", kind, chance)
            try:
                # Unharmed ones are questions, of which one look asks a few only.
                for _ in range(2 + BATCH // 10):
                    computer.look()
                    seconds += PATIENCE_S
            except Exception as error:
                return f"look() raised {error!r}"
            failure = _wrong_with_answers(Path(root), {f"OQSsi{kinds[name]}01res_{name}" for name in names})
            if failure:
                return failure
    return ""


def _wrong_with_answers(root: Path, wanted: set[str]) -> str:
    if left := os.listdir(root / REQUESTS):
        return f"{len(left)} requests were not taken away"
    found = set(os.listdir(root / ANSWERS))
    if found != wanted:
        return f"{len(found ^ wanted)} answers are missing or too many"
    for name in found:
        answer = root / ANSWERS / name
        try:
            read_result(answer.read_bytes())
        except Exception as error:
            return f"an answer is malformed: {error!r}"
        answer.unlink()
    return ""


def as_written(value: Any, encoding: Encoding) -> Any:
    """Return content with every text as a file of this encoding can hold it."""
    if isinstance(value, StrEnum) or not value:
        return value
    if isinstance(value, str):
        return writable(value, encoding)
    if isinstance(value, tuple):
        return tuple(as_written(one, encoding) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{each.name: as_written(getattr(value, each.name), encoding) for each in fields(value)}
        )
    return value


def random_confirmation(chance: random.Random) -> Confirmation:
    """Return a made-up eligibility result, with texts that files find hard to hold."""
    validity = chance.choice((Validity.VALID, Validity.VALID, *Validity))
    at = datetime(2018, 1, 1, tzinfo=JAPAN) + timedelta(seconds=chance.randrange(10**9))
    count = 0 if validity in WITHOUT_INSURED else chance.choice((1, 1, 2))
    insured = tuple(_random_insured(chance, at) for _ in range(count))
    return Confirmation(
        at, validity, insured, chance.choice((None, *Prescription)), chance.choice((None, *Advice))
    )


def _random_insured(chance: random.Random, at: datetime) -> Insured:
    def perhaps(make: Callable[[], Any], otherwise: Any) -> Any:
        return make() if chance.random() < 0.5 else otherwise

    def day() -> date | None:
        return date(1900, 1, 1) + timedelta(days=chance.randrange(80_000)) if chance.random() < 0.5 else None

    def digits(least: int, most: int) -> str:
        return "".join(chance.choices(string.digits, k=chance.randint(least, most)))

    insured = Insured(
        name=full_width_space(_text(chance, 40)) or "山",
        birth_date=date(1900, 1, 1) + timedelta(days=chance.randrange(46_000)),
        sex=chance.choice(list(Sex)),
        card_class=chance.choice(list(CardClass)),
        insurer_number=perhaps(lambda: digits(6, 8), ""),
        symbol=_text(chance, 20),
        number=digits(0, 20),
        branch=perhaps(lambda: digits(2, 2), ""),
        relation=perhaps(lambda: chance.choice(list(Relation)), None),
        insured_name=_text(chance, 40),
        other_name=_text(chance, 40),
        name_kana=half_width(_text(chance, 20)),
        other_name_kana=half_width(_text(chance, 20)),
        sex_on_back=perhaps(lambda: chance.choice(list(Sex)), None),
        address=_text(chance, 200),
        postal_code=perhaps(lambda: digits(3, 3) + "-" + digits(4, 4), ""),
        qualified_from=day(),
        disqualified_from=day(),
        issued=day(),
        valid_from=day(),
        valid_until=day(),
        share=perhaps(lambda: chance.choice((0, 10, 20, 30, 100)), None),
        preschool=perhaps(lambda: Preschool.YES, None),
        loss_reason=perhaps(lambda: chance.choice(list(LossReason)), None),
        insurer_name=_text(chance, 60),
        elderly=perhaps(lambda: ElderlyCertificate(day(), day(), day(), 20), None),
        tickets=perhaps(lambda: (MedicalTicket("1", day(), day(), digits(0, 9), "202604"),), ()),
        reference_number=_text(chance, 50),
    )
    category = chance.choice(("", *(f"A{n:02}" for n in range(1, 7)), *(f"B{n:02}" for n in range(1, 11))))
    return after_visit(
        insured,
        {item: chance.choice(list(ConsentAnswer)) for item in Item if chance.random() < 0.7},
        at,
        limit_provided=chance.random() < 0.5,
        limit=limit_certificate(category),
        diseases=tuple(DiseaseCertificate(disease, day(), self_pay_yen=10_000) for disease in Disease),
    )


_PIECES = (
    *(
        "山田　花子",
        "髙﨑",
        "﨏",
        "𠮷",
        "葛\U000e0100",
        "か\u3099",
        "ﾔﾏﾀﾞ",
        "ー〜−‖",
        "Ａ－１",
        "東京都",
        "ガギグ",
    ),
    *(
        "é",
        "한",
        "😀",
        "<&>'\"]]>",
        " ",
        "  ",
        "\t",
        "\r\n",
        "\x00\x1b",
        "\x85",
        "\u2028",
        "\ue000",
        "\uffff",
        "●",
    ),
)


def _text(chance: random.Random, most: int) -> str:
    pieces = chance.choices(_PIECES, k=chance.randrange(6))
    if chance.random() < 0.2:
        # Any character but the halves of one (surrogates), which no text from JSON or TOML has.
        pieces.append(chr(chance.choice((chance.randrange(0xD800), chance.randrange(0xE000, 0x110000)))))
    return "".join(pieces)[:most]


def _elements_with_mark(content: bytes, encoding: Encoding) -> tuple[str, ...]:
    lines = [line.strip() for line in content.decode(encoding).split("\n")]
    marked = [line[1 : line.index(">")] for line in lines if NO_CHARACTER in line]
    return tuple(dict.fromkeys(marked))


def put_malformed(path: Path, kind: str, chance: random.Random) -> None:
    """Lay a request down that something is wrong with (rarely nothing)."""
    match chance.randrange(60):
        case 0:
            path.mkdir()
        case 1:
            os.mkfifo(path)
        case 2:
            path.symlink_to(path.parent / "nowhere")
        case 3:
            path.write_bytes(b" " * (MAX_BYTES + 1))
        case _:
            path.write_bytes(malformed_request(kind, chance))


def malformed_request(kind: str, chance: random.Random) -> bytes:
    """Return the bytes of a request, harmed."""
    data = _request(kind, chance.choice(("UTF-8", "Shift_JIS")))
    return next(_harmed(data, chance)) if chance.random() < 0.95 else chance.randbytes(chance.randrange(500))


def _harmed(data: bytes, chance: random.Random) -> Iterator[bytes]:
    line = chance.choice([each for each in data.split(b"\n") if b"</" in each and b">" in each])
    at = chance.randrange(len(data))
    match chance.randrange(14):
        case 0:
            yield data[:at]
        case 1:
            yield data[:at] + chance.randbytes(chance.randrange(1, 5)) + data[at + 1 :]
        case 2:
            yield data.replace(line, line + line, 1)
        case 3:
            yield data.replace(line, b"", 1)
        case 4:
            yield data.replace(b"<XmlMsg>", b'<!DOCTYPE a [<!ENTITY b "c">]><XmlMsg>', 1)
        case 5:
            yield data.replace(b"<XmlMsg>", b"<XmlMsg>" + b"<Deep>" * (MAX_DEPTH + 1), 1)
        case 6:
            yield data.replace(b"</XmlMsg>", b"<Many/>" * 5000 + b"</XmlMsg>", 1)
        case 7:
            yield data.replace(b"<MessageBody>", b'<MessageBody a="b">', 1)
        case 8:
            yield data.replace(b"Shift_JIS", b"EUC-JP").replace(b"UTF-8", b"UTF-16")
        case 9:
            yield (
                data.replace(b"UTF-8", b"Shift_JIS")
                if b"UTF-8" in data
                else data.replace(b"Shift_JIS", b"UTF-8")
            )
        case 10:
            yield data.decode("cp932" if b"Shift_JIS" in data else "utf-8").encode("utf-16")
        case 11:
            yield data.replace(b"00", "００".encode("cp932" if b"Shift_JIS" in data else "utf-8"), 1)
        case 12:
            yield data.replace(line, line.replace(b">", b">" + b"9" * chance.choice((1, 30, 70_000)), 1), 1)
        case _:
            yield data.replace(line, b"<Unknown>1</Unknown>", 1)


def _request(kind: str, declared: str) -> bytes:
    dated = "<QualificationConfirmationDate>20260401</QualificationConfirmationDate>" if kind == "quc" else ""
    inside = (
        "<Birthdate>19800617</Birthdate>\n"
        "<LimitApplicationCertificateRelatedConsFlg>1</LimitApplicationCertificateRelatedConsFlg>\n"
        "<ArbitraryIdentifier>名</ArbitraryIdentifier>"
        if kind == "quc"
        else "<ReferenceNumber>0024434</ReferenceNumber>"
    )
    around = "QualificationConfirmSearchInfo" if kind == "quc" else "ReferenceNumberRegistrationInfo"
    text = f"""<?xml version="1.0" encoding="{declared}" standalone="no"?>
<XmlMsg>
<MessageHeader>
{dated}
<MedicalInstitutionCode>{INSTITUTION}</MedicalInstitutionCode>
<ArbitraryFileIdentifier>山-1</ArbitraryFileIdentifier>
</MessageHeader>
<MessageBody>
<{around}>
<InsurerNumber>  123456</InsurerNumber>
<InsuredCardSymbol>１２</InsuredCardSymbol>
<InsuredIdentificationNumber>345678</InsuredIdentificationNumber>
<InsuredBranchNumber>00</InsuredBranchNumber>
{inside}
</{around}>
</MessageBody>
</XmlMsg>
"""
    return text.encode("cp932" if declared == "Shift_JIS" else "utf-8")
