"""``./run card-info``: what one card in a real reader is, without a PIN."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from reception.commands.arguments import AddCommand, refuse

if TYPE_CHECKING:
    from hardware.card.examination import CardReport

WAIT_S = 30.0
"""How long a card is waited for."""


def add(command: AddCommand) -> None:
    """Add the command."""
    info = command(
        "card-info", _card_info, "examine one card without a PIN: what is on it, what of it can be used"
    )
    info.add_argument("--reader", metavar="NAME", help="pattern of its PC/SC name (default: [reader] name)")
    info.add_argument("--config", type=Path, help="settings (default: the shipped terminal.toml)")
    info.add_argument("--json", type=Path, metavar="F", help="write what was found as JSON, too")
    info.add_argument("--personal", action="store_true", help="also what the holder can be known by")
    info.add_argument(
        "--code-b",
        action="store_true",
        help="ask for 照合番号B, which opens the photo; a wrong one costs a try",
    )


def _card_info(options: argparse.Namespace) -> int:
    import config
    from consent.wire import japan_now
    from hardware.card import CardError, CardRules, Presence, SteadyReader
    from hardware.card.examination import examine
    from hardware.card.pcsc import PcscReader
    from reception.terminal.equipment import authorities_of

    settings = config.load(options.config)
    rules = CardRules(authorities_of(settings), japan_now().date(), settings.card)
    code = ""
    if options.code_b:
        code = _asked_code()
        if len(code) != 14 or not (code.isascii() and code.isdigit()):
            return refuse("card-info: 照合番号B has 14 digits; nothing was sent to the card")
    besides = "" if options.reader else settings.phone_reader.name
    reader = SteadyReader(PcscReader(options.reader or settings.reader.name, besides=besides))
    seen = reader.presence()
    if seen is Presence.EMPTY:
        print(f"{reader.name}: put the card in (waiting {WAIT_S:g} s)", flush=True)
        seen = reader.wait_for_change(seen, WAIT_S)
    if seen is Presence.EMPTY:
        return refuse(f"card-info: no card was put into {reader.name}")
    try:
        channel = reader.connect()
        try:
            report = examine(channel, rules, code)
        finally:
            channel.close()
    except CardError as error:
        return refuse(f"card-info: {reader.name}: {error}")
    for line in lines(reader.name, report, personal=options.personal):
        print(line)
    if options.json:
        told = {"reader": reader.name, **asdict(report)}
        if not options.personal:
            del told["personal"]
        text = json.dumps(told, ensure_ascii=False, indent=2, default=str)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _asked_code() -> str:
    from getpass import getpass

    if sys.stdin.isatty():
        return getpass("照合番号B, 14 digits: ").strip()
    return sys.stdin.readline().strip()


def lines(reader: str, report: "CardReport", *, personal: bool) -> list[str]:
    """Return the report as lines of text."""
    found = [
        ("reader", reader),
        ("ATR", report.atr),
        ("protocol", f"{report.protocol}, blocks of {report.block_size} bytes"),
        ("generation", " ".join(filter(None, (report.label, report.generation)))),
    ]
    found += [
        ("application", f"{name}: {'there' if there else 'no'}")
        for name, there in report.applications.items()
    ]
    for each in report.certificates:
        dates = f"{each.begins} to {each.expires}, {each.key}" if each.expires else each.note
        found.append(("certificate", f"{each.name}: {dates}"))
    found += [("tries left", f"{name}: {left}") for name, left in report.tries_left.items()]
    found += [
        ("photo's authority", report.authority),
        ("photo", report.photo),
        ("photo is", report.photo_trust),
        ("usable by PIN", report.pin_way),
        ("usable by face", report.face_way),
        (
            "bench file",
            f'certificate_sha256 = "{report.certificate_sha256}"' if report.certificate_sha256 else "",
        ),
    ]
    if personal:
        found += list(report.personal.items())
    return [f"{name:<18} {value}" for name, value in found if value]
