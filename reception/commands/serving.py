"""Commands of the eligibility server: it itself, and the certificates between it and the terminals."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reception.commands.arguments import AddCommand, count, refuse


def add(command: AddCommand) -> None:
    """Add the commands of the server."""
    server = command("server", _server, "the mock eligibility-confirmation server, until Ctrl-C or SIGTERM")
    server.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    server.add_argument("--port", type=int, default=8470, help="default: 8470; 0: any free one")
    server.add_argument("--database", help="SQLAlchemy URL (default: a SQLite file in the state folder)")
    server.add_argument(
        "--trust-ca", type=Path, metavar="FILE", help="CA certificates of cards owned for testing"
    )
    server.add_argument(
        "--person", action="append", default=[], metavar="FILE", help="one more person file; may be repeated"
    )
    server.add_argument(
        "--people", type=Path, metavar="DIR", help="folder of person files, read again whenever they change"
    )
    server.add_argument(
        "--grace-months",
        type=int,
        choices=range(13),
        default=3,
        metavar="N",
        help="after the month in which a card's certificate expired: eligibility without consents (default: 3)",
    )
    server.add_argument(
        "--fault", metavar="KIND", help="disturb every request, e.g. delay, 500, drop, garbage"
    )
    server.add_argument(
        "--workers",
        type=count(1),
        default=1,
        metavar="N",
        help="processes that share the address (default: 1)",
    )
    server.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="the server's certificate: speak TLS only"
    )
    server.add_argument("--tls-key", type=Path, metavar="FILE", help="its key")
    server.add_argument(
        "--client-ca", type=Path, metavar="FILE", help="CA of the certificates that terminals must have"
    )
    certificates = command(
        "certificates",
        _certificates,
        "certificates for TLS between terminals, server, broker and boards; enrols the terminals",
    )
    certificates.add_argument("--out", type=Path, required=True, metavar="DIR")
    certificates.add_argument(
        "--host", action="append", default=[], help="name or address of the server; may be repeated"
    )
    certificates.add_argument(
        "--terminal", action="append", default=[], metavar="ID", help="a terminal's id; may be repeated"
    )
    certificates.add_argument(
        "--broker", action="append", default=[], help="name or address of the broker; may be repeated"
    )
    certificates.add_argument(
        "--board", action="append", default=[], metavar="ID", help="a board's id; may be repeated"
    )
    certificates.add_argument("--days", type=count(1), default=365, help="how long they last (default: 365)")


def _server(options: argparse.Namespace) -> int:
    from config.person import everybody, insured, load_person
    from consent.server import EligibilityServer, Tls
    from consent.server.certificates import Authority
    from consent.server.rate_limits import Limits
    from consent.server.trusted import load_cas
    from consent.server.workers import serve_by_workers

    if options.people and not options.people.is_dir():
        return refuse(f"--people {options.people}: there is no such folder")
    people = insured(everybody() + [load_person(name, Path()) for name in options.person])
    trust_cas = load_cas(options.trust_ca) if options.trust_ca else []
    database = options.database or f"sqlite:///{options.state / 'eligibility.sqlite'}"
    authority = Authority(options.state)
    files = (options.tls_cert, options.tls_key, options.client_ca)
    if any(files) and not all(files):
        return refuse("--tls-cert, --tls-key and --client-ca go together")
    # The terminals of this state folder are enrolled when they first start; they share it with the server.
    server = EligibilityServer(
        people,
        authority,
        database=database,
        host=options.host,
        port=options.port,
        grace_months=options.grace_months,
        trust_cas=trust_cas,
        people_folder=options.people,
        limits=Limits(),
        tls=Tls(*files) if all(files) else None,
    )
    if options.fault:
        try:
            server.faults.always(options.fault)
        except ValueError as error:
            return refuse(f"--fault: {error}")

    def say() -> None:
        print(f"eligibility server: {server.url} (stop with Ctrl-C)", flush=True)
        print(f"  what it understands: {server.url}/openapi.json", flush=True)
        print(
            f"  certificate status: {server.url}/ocsp, daily list: {server.url}/crl/user-authentication.crl",
            flush=True,
        )

    if options.workers > 1:
        serve_by_workers(server, options.workers, say)
    else:
        server.serve_forever(say)
    return 0


def _certificates(options: argparse.Namespace) -> int:
    from consent.enrolment.network import write_certificates
    from reception.fleet.broker import write_broker_files

    if not (options.host or options.terminal or options.broker or options.board):
        return refuse("certificates: name a --host, a --terminal, a --broker, a --board, or several")
    if options.broker and not options.board:
        return refuse("certificates: name each --board, so that the broker lets it read and command")
    try:
        life = timedelta(days=options.days)
        now = datetime.now(UTC)
        written = write_certificates(
            options.state,
            options.out,
            options.host,
            options.terminal,
            now,
            life,
            brokers=options.broker,
            boards=options.board,
        )
        if options.broker:
            written += write_broker_files(options.out, options.board)
    except (ValueError, OverflowError) as error:
        return refuse(f"certificates: {error}")
    for path in written:
        print(path)
    return 0
