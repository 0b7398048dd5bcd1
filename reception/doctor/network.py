"""Checks of what the server needs: that it answers, this terminal's key, certificates, and the clock."""

import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from config import Config
from consent.eligibility import EligibilityClient, EligibilityError, Refused, Unreachable
from consent.enrolment.state_files import StateError, new_key, parsed_subject, read
from consent.enrolment.terminal_key import enrolled_key, terminal_public_key
from reception.doctor.findings import Grade, Wrong, warn

CLOCK_WARNING_S, CLOCK_PROBLEM_S = 5.0, 60.0
"""How far this machine's clock may be from the server's; the server's answer tells whole seconds."""
SECRET_MODE = 0o077
"""Nobody but the terminal's own user may read its key."""
_JAPAN = timedelta(hours=9)
_OLDEST = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock before this has lost its battery."""


@dataclass(frozen=True)
class _Caller:
    """Who asks: the doctor makes no key, and without one it signs with one that nobody knows."""

    id: str
    private_key: rsa.RSAPrivateKey


def _client(config: Config, state: Path) -> EligibilityClient:
    name = config.site.terminal_id
    try:
        known = enrolled_key(state, name)
    except StateError:
        known = None  # said by the check of the key
    return EligibilityClient(config.server, known or _Caller(name, new_key()))


def look_at_server(config: Config, state: Path) -> str:
    client, url = _client(config, state), config.server.url
    try:
        client.challenge()
    except Refused as refused:
        if refused.code == "TERMINAL_UNKNOWN":
            raise Wrong(
                f"{url} does not know {config.site.terminal_id}",
                "Enrol the terminal: start it once on the server's state folder, or copy its key there.",
                "この端末をサーバーに登録してください",
            ) from None
        if refused.code == "REQUEST_SIGNATURE_INVALID":
            raise Wrong(
                f"{url} knows another key of {config.site.terminal_id}",
                "Enrol the terminal: start it once on the server's state folder, or copy its key there.",
                "この端末をサーバーに登録してください",
            ) from None
        raise Wrong(
            str(refused), "Ask whoever runs the server.", "サーバーの管理者に連絡してください"
        ) from None
    except Unreachable as error:
        raise Wrong(
            f"{url}: {error}",
            "Check network and [server] url, and that the server runs.",
            "ネットワークとサーバーを確認してください",
        ) from None
    except EligibilityError as error:
        raise Wrong(
            f"{url}: {error}",
            "Something answers badly there; check [server] url and the server.",
            "サーバーの状態を確認してください",
        ) from None
    finally:
        client.close()
    return f"{url} answers and knows {config.site.terminal_id}"


def look_at_terminal_key(config: Config, state: Path) -> str:
    name = config.site.terminal_id
    try:
        key = terminal_public_key(state, name)
    except StateError as error:
        raise Wrong(
            str(error),
            "Restore the file from a backup, or enrol the terminal anew.",
            "端末の鍵が使えません。保守に連絡してください",
        ) from None
    if key is None:
        raise warn(
            f"{name} has none yet",
            "It is made when the terminal first starts; then enrol it.",
            "端末を一度起動してください",
        )
    file = state / "terminals" / f"{name}.pem"
    if stat.S_IMODE(file.stat().st_mode) & SECRET_MODE:
        raise warn(f"{file} can be read by others", f"chmod 600 {file}", "鍵ファイルの権限を直してください")
    return f"{name} has its key, RSA-{key.key_size}"


def look_at_certificates(state: Path) -> str:
    files = sorted((state / "pki").glob("*.pem"))
    now = datetime.now(UTC)
    try:
        for file in files:
            content = read(file)
            if content is None or b"CERTIFICATE" not in content:
                continue  # a key alone
            certificate = parsed_subject(file, content).certificate
            if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
                raise Wrong(
                    f"{file}: is not valid today ({certificate.not_valid_before_utc:%Y-%m-%d} to"
                    f" {certificate.not_valid_after_utc:%Y-%m-%d})",
                    "Check the clock first; else remove the file to have it made anew.",
                    "時計と証明書の期限を確認してください",
                )
    except StateError as error:
        raise Wrong(
            str(error), "Restore the file from a backup.", "証明書が壊れています。保守に連絡してください"
        ) from None
    return f"test authority: {len(files)} files in order" if files else "no test authority on this machine"


def look_at_clock(config: Config, state: Path) -> str:
    now = datetime.now().astimezone()
    if now < _OLDEST:
        raise Wrong(
            f"it shows {now:%Y-%m-%d}",
            "Set it, and have it kept: timedatectl set-ntp true",
            "時計を合わせてください",
        )
    client = _client(config, state)
    try:
        ahead = client.clock_ahead_s()
        compared = f"{abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} the server's"
    except EligibilityError:
        ahead, compared = 0.0, "not compared with the server's"
    finally:
        client.close()
    if abs(ahead) > CLOCK_WARNING_S:
        grade = Grade.PROBLEM if abs(ahead) > CLOCK_PROBLEM_S else Grade.WARNING
        raise Wrong(compared, "Have it kept: timedatectl set-ntp true", "時計を合わせてください", grade)
    if now.utcoffset() != _JAPAN:
        raise warn(
            f"the time zone is {now.tzname()}, not Japan's",
            "timedatectl set-timezone Asia/Tokyo",
            "時間帯を日本にしてください",
        )
    return f"{now:%Y-%m-%d %H:%M} in Japan, {compared}"
