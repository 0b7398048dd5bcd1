"""``./run authority``: what is done to certificates at the mock authority; a running server sees it at once."""

import argparse
from pathlib import Path
from typing import cast, get_args

from reception.commands.arguments import AddCommand, refuse


def add(command: AddCommand) -> None:
    """Add the command."""
    parser = command("authority", _authority, "the life of a certificate at the mock authority")
    parser.add_argument("act", choices=("issue", "renew", "suspend", "resume", "revoke", "move"))
    parser.add_argument("person", metavar="PERSON", help="a shipped person, or a person file")
    parser.add_argument("--phone", action="store_true", help="the certificate on the phone, not the card's")
    parser.add_argument(
        "--reason", default="", metavar="R", help="of revoke: holder, lost, sold, repaired or moved"
    )
    parser.add_argument("--address", default="", help="of move: the new address")
    parser.add_argument("--name", default="", help="of move: the new name")
    parser.add_argument(
        "--no-new-certificate",
        action="store_true",
        help="of move: the next signature certificate comes later",
    )
    parser.add_argument("--database", help="as of ./run server (default: the file in the state folder)")


def _authority(options: argparse.Namespace) -> int:
    from config.person import load_person
    from consent.server.certificates import Authority
    from consent.server.jlis.parties import Parties
    from consent.server.life import ActKind, LifeError
    from consent.wire import JAPAN, japan_now

    assert set(get_args(ActKind)) >= {options.act}
    database = options.database or f"sqlite:///{options.state / 'eligibility.sqlite'}"
    person = load_person(options.person, Path())
    parties = Parties(database, Authority(options.state), japan_now)
    try:
        act = parties.act(
            person,
            cast(ActKind, options.act),
            "phone" if options.phone else "card",
            options.reason,
            address=options.address,
            name=options.name,
            new_certificate=not options.no_new_certificate,
        )
    except LifeError as error:
        return refuse(str(error))
    finally:
        parties.close()
    until = f", until {act.expires}" if act.expires else ""
    print(
        f"{person.id}: {act.kind} of the {act.medium}'s certificate at {act.at.astimezone(JAPAN):%H:%M:%S}{until}"
    )
    print("OCSP tells it at once, the CRL from the next midnight in Japan on.")
    return 0
