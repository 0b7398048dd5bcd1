"""Checks of the counter's page and of the broker between terminals and boards."""

import http.client
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from config import Config
from reception.doctor.findings import Wrong, warn
from reception.terminal.staff import StaffError, read_hashes, staff_file

SOON_DAYS = 30
WITHIN_S = 5.0


def look_at_counter_page(config: Config, state: Path) -> str:
    settings = config.counter
    try:
        known = len(read_hashes(staff_file(state)))
    except StaffError as error:
        raise Wrong(
            str(error), "Set the passwords again.", "係のパスワードのファイルを直してください"
        ) from None
    if not known:
        raise warn(
            "nobody can log in: no staff password is set",
            "./run staff-password --staff ID",
            "係のパスワードを設定してください",
        )
    if settings.cert:
        _look_at_certificate("[counter] cert", settings.cert)
    connection = _connection(settings.port, encrypted=bool(settings.cert))
    try:
        connection.request("GET", "/login")
        status = connection.getresponse().status
    except OSError:
        raise warn(
            f"nothing answers on port {settings.port}",
            "Start it: systemctl enable --now reception-counter.service, or ./run counter",
            "窓口の画面のプログラムを起動してください",
        ) from None
    finally:
        connection.close()
    if status != 200:
        raise warn(
            f"port {settings.port} answers {status}",
            "Another program has the port: choose another [counter] port.",
            "窓口の画面のポートを確認してください",
        )
    return f"port {settings.port} answers, {known} staff can log in"


def look_at_broker(config: Config) -> str:
    settings = config.fleet
    if not settings.broker:
        return "none is set ([fleet] broker)"
    left = _look_at_certificate("[fleet] cert", settings.cert)
    where = f"{settings.broker}:{settings.port}"
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        context.load_cert_chain(settings.cert, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise Wrong(
            f"[fleet] ca, cert, key: {error}",
            "Copy the files of ./run certificates again.",
            "証明書のファイルを確認してください",
        ) from None
    try:
        with (
            socket.create_connection((settings.broker, settings.port), WITHIN_S) as plain,
            context.wrap_socket(plain, server_hostname=settings.broker) as connection,
        ):
            shown = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise Wrong(
            f"{where}: {error.verify_message}",
            "Check this clock, the broker's certificate and its name (./run certificates --broker).",
            "時計と、ブローカーの証明書を確認してください",
        ) from None
    except (OSError, ssl.SSLError) as error:
        raise Wrong(
            f"{where}: {error}",
            "Check network and [fleet] broker, and that mosquitto runs. Check-ins go on without it.",
            "ネットワークとブローカーを確認してください",
        ) from None
    return f"{where} answers, its certificate until {shown.get('notAfter', '?')}, ours {left} days more"


def _look_at_certificate(key: str, path: str) -> int:
    """Return for how many days a certificate is still good."""
    try:
        certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise Wrong(
            f"{key}: {error}", "Make it by ./run certificates.", "証明書のファイルを確認してください"
        ) from None
    now = datetime.now(UTC)
    if now < certificate.not_valid_before_utc:
        raise Wrong(
            f"{key}: is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            "Set this machine's clock.",
            "時計を合わせてください",
        )
    left = (certificate.not_valid_after_utc - now).days
    if left < 0:
        raise Wrong(
            f"{key}: ended {-left} days ago",
            "Make a new one: ./run certificates",
            "証明書の期限が切れています",
        )
    if left <= SOON_DAYS:
        raise warn(
            f"{key}: ends in {left} days",
            "Make a new one: ./run certificates",
            "証明書の期限が近づいています",
        )
    return left


def _connection(port: int, *, encrypted: bool) -> http.client.HTTPConnection:
    if not encrypted:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    # Only whether it answers: this machine's own page needs no proof of who it is.
    context = ssl._create_unverified_context()  # noqa: S323
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=WITHIN_S, context=context)
