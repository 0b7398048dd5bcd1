"""Commands of the eligibility server: it itself, and the certificates between it and the terminals."""

import argparse
import ipaddress
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reception.commands.arguments import AddCommand, count, refuse

if TYPE_CHECKING:
    from consent.server import EligibilityServer


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
        "--ocsp", metavar="URL", help="ask this responder over HTTP (default: the server's own, in process)"
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
        "--tls-cert", type=Path, metavar="FILE", help="the server's certificate: speak TLS only, by nginx"
    )
    server.add_argument("--tls-key", type=Path, metavar="FILE", help="its key")
    server.add_argument(
        "--client-ca", type=Path, metavar="FILE", help="CA of the certificates that terminals must have"
    )
    server.add_argument(
        "--socket",
        type=Path,
        metavar="FILE",
        help="instead of host and port: a Unix socket behind an nginx that runs already (see certificates)",
    )
    server.add_argument(
        "--insecure",
        action="store_true",
        help="without TLS, listen for other machines, too: who is on the way reads everything",
    )
    forget = command(
        "forget", _forget, "remove old visits from the server's database, while it runs; for every night"
    )
    forget.add_argument(
        "--keep-days", type=count(2), required=True, metavar="N", help="what is younger stays, from 2 on"
    )
    forget.add_argument("--database", help="SQLAlchemy URL (default: the SQLite file in the state folder)")
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
        "--auditor", action="store_true", help="a certificate, too, for who reads the server's audit"
    )
    certificates.add_argument(
        "--broker", action="append", default=[], help="name or address of the broker; may be repeated"
    )
    certificates.add_argument(
        "--board", action="append", default=[], metavar="ID", help="a board's id; may be repeated"
    )
    certificates.add_argument("--days", type=count(1), default=365, help="how long they last (default: 365)")


def _server(options: argparse.Namespace) -> int:
    from consent.server import Faults

    files = (options.tls_cert, options.tls_key, options.client_ca)
    if options.people and not options.people.is_dir():
        return refuse(f"--people {options.people}: there is no such folder")
    if any(files) and not all(files):
        return refuse("--tls-cert, --tls-key and --client-ca go together")
    if any(files) and options.socket:
        return refuse("--socket: TLS is the business of the nginx that stands before it")
    if not (any(files) or options.socket or options.insecure or _is_here(options.host)):
        return refuse(
            f"--host {options.host}: for other machines, TLS is needed (--tls-cert, --tls-key, --client-ca);"
            " --insecure does without"
        )
    if options.ocsp and not options.ocsp.startswith("http://"):
        return refuse("--ocsp: an http:// URL; what a responder says is signed")
    try:
        Faults().always(options.fault or "500")
    except ValueError as error:
        return refuse(f"--fault: {error}")

    def say(server: "EligibilityServer") -> None:
        if options.socket:
            print(f"eligibility server: {options.socket} (stop with Ctrl-C)", flush=True)
            return
        print(f"eligibility server: {server.url} (stop with Ctrl-C)", flush=True)
        print(f"  what it understands: {server.url}/openapi.json", flush=True)
        print(
            f"  certificate status: {server.url}/ocsp, daily list: {server.url}/crl/user-authentication.crl",
            flush=True,
        )

    if options.workers > 1:
        from consent.server.workers import serve_by_workers

        serve_by_workers(partial(_made, options), options.workers, say)
    else:
        server = _made(options)
        server.serve_forever(partial(say, server))
    return 0


def _made(options: argparse.Namespace) -> "EligibilityServer":
    """Return the server that the options ask for; each of several processes makes its own."""
    from config.person import everybody, insured, load_person
    from consent.server import EligibilityServer, Tls
    from consent.server.certificates import Authority
    from consent.server.rate_limits import Limits
    from consent.server.trusted import load_cas

    files = (options.tls_cert, options.tls_key, options.client_ca)
    # The terminals of this state folder are enrolled when they first start; they share it with the server.
    server = EligibilityServer(
        insured(everybody() + [load_person(name, Path()) for name in options.person]),
        Authority(options.state),
        database=_database(options),
        host=options.host,
        port=options.port,
        grace_months=options.grace_months,
        trust_cas=load_cas(options.trust_ca) if options.trust_ca else [],
        people_folder=options.people,
        limits=Limits(),
        tls=Tls(*files) if all(files) else None,
        behind=options.socket,
        ocsp=options.ocsp,
    )
    if options.fault:
        server.faults.always(options.fault)
    return server


def _database(options: argparse.Namespace) -> str:
    return options.database or f"sqlite:///{options.state / 'eligibility.sqlite'}"


def _forget(options: argparse.Namespace) -> int:
    from consent.server.retention import forget_before
    from consent.server.tables import StoreUnavailable, StoreUnusable, open_engine
    from consent.wire import japan_now

    if not options.database and not (options.state / "eligibility.sqlite").exists():
        return refuse(f"forget: there is no database in {options.state}; see --database")
    began, oldest = time.monotonic(), japan_now() - timedelta(days=options.keep_days)
    try:
        engine = open_engine(_database(options))
        try:
            forgotten = forget_before(engine, oldest)
        finally:
            engine.dispose()
    except (StoreUnusable, StoreUnavailable) as error:
        return refuse(f"forget: the database cannot be used: {error}")
    took_s = time.monotonic() - began
    print(f"{forgotten:,} visits of before {oldest:%Y-%m-%d %H:%M} forgotten in {took_s:.1f} s")
    return 0


def _certificates(options: argparse.Namespace) -> int:
    from consent.enrolment.network import write_certificates
    from reception.fleet.broker import write_broker_files

    if not (options.host or options.terminal or options.auditor or options.broker or options.board):
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
            auditor=options.auditor,
            brokers=options.broker,
            boards=options.board,
        )
        if options.broker:
            written += write_broker_files(options.out, options.board)
    except (ValueError, OverflowError) as error:
        return refuse(f"certificates: {error}")
    if options.host:
        written.append(_front_written(options.state, options.out))
    for path in written:
        print(path)
    return 0


def _front_written(state: Path, out: Path) -> Path:
    """Write the configuration of an nginx in front of ``./run server --socket``, with the names as installed."""
    from consent.server import Tls
    from consent.server.front import configuration
    from consent.server.rate_limits import Limits

    folder = (state / "front").absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = Tls(out / "server.pem", out / "server-key.pem", out / "ca.pem")
    path = folder / "nginx.conf"
    path.write_text(configuration(tls, "8470", folder / "http.sock", folder, Limits()), encoding="utf-8")
    path.chmod(0o600)
    return path


def _is_here(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
