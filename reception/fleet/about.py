"""What a terminal tells of itself: its version, the settings that matter to others, the end of its certificate."""

from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cryptography import x509

from config import Config
from reception.fleet.port import About

_TOLD = ("site", "delays", "consents", "journal", "counter", "sound", "screen")
"""Tables that tell nothing of keys and folders."""


def about_terminal(config: Config) -> About:
    """Return it for a terminal with these settings."""
    settings = {"profile": config.profile, "grace_months": str(config.grace_months)}
    for table in _TOLD:
        for name, value in asdict(getattr(config, table)).items():
            settings[f"{table}.{name}"] = str(value)
    for name in (
        "threshold",
        "fast_accept",
        "frames",
        "tries",
        "photo_check",
        "challenge",
        "flash",
        "presence",
    ):
        settings[f"face.{name}"] = str(getattr(config.face, name))
    settings["server.url"] = config.server.url
    for path in ("counter.cert", "counter.key"):
        settings.pop(path, None)
    return About(
        config.site.terminal_id,
        _version(),
        certificate_ends(config.fleet.cert or config.server.cert),
        settings,
    )


def certificate_ends(path: str) -> str:
    """Return the ISO date on which a certificate's file ends; empty without one that can be read."""
    try:
        certificate = x509.load_pem_x509_certificate(Path(path).read_bytes()) if path else None
    except (OSError, ValueError):
        return ""
    return certificate.not_valid_after_utc.date().isoformat() if certificate else ""


def _version() -> str:
    try:
        return version("reception-terminal")
    except PackageNotFoundError:
        # A checkout is not installed; its version stands beside it.
        import tomllib

        project = Path(__file__).parents[2] / "pyproject.toml"
        try:
            return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
        except (OSError, ValueError, KeyError):
            return ""
